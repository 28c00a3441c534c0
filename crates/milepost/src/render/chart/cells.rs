//! The same charts in the cells of a terminal. Shapes tell what colours do on the page, so that no colour is needed.

use super::{At, Band, bound, days_between};
use jiff::civil::Date;
use milepost_judge::scorecard::{Target, TrendPoint};

impl Band {
    /// The chart in so many cells: `━` interval, `●` estimate, `│` target (`◆` where both are), `─` the side that is good, `·` the
    /// other one; `◂` and `▸` where it goes on beyond the chart.
    pub(crate) fn cells(&self, width: usize) -> String {
        let Some(last) = width.checked_sub(1) else { return String::new() };
        // A percentage of a width that fits on a screen.
        let cell = |at: At| ((at.0 / 100.0 * last as f64).round() as usize).min(last);
        let span = |from: At, width: At| cell(from)..=cell(At(from.0 + width.0));
        let mut cells = vec!['·'; width];
        let mut fill = |range: std::ops::RangeInclusive<usize>, with: char| {
            if let Some(part) = cells.get_mut(range) {
                part.fill(with);
            }
        };
        if let Some(good) = &self.good {
            fill(span(good.from, good.width), '─');
        }
        if let Some(bar) = &self.interval {
            fill(span(bar.from, bar.width), '━');
            if bar.open_low {
                fill(0..=0, '◂');
            }
            if bar.open_high {
                fill(last..=last, '▸');
            }
        }
        let estimate = if self.endless { Some(last) } else { self.estimate.map(cell) };
        let target = self.target.as_ref().map(|mark| cell(mark.at));
        if let Some(at) = target {
            fill(at..=at, if estimate == target { '◆' } else { '│' });
        }
        if let Some(at) = estimate.filter(|_| estimate != target) {
            fill(at..=at, if self.endless { '▸' } else { '●' });
        }
        cells.into_iter().collect()
    }
}

/// A metric on the last days up to `today`, a cell each: the higher the bar, the larger the value; `·` a day without events, `▲` one
/// whose value no finite number describes. As on the page, the target belongs to what sets the scale.
pub(crate) fn days(trend: &[TrendPoint], target: Option<&Target>, today: Date, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (Some(first), Some(newest)) = (trend.first(), trend.last()) else { return String::new() };
    let last = newest.date.max(today);
    let length = usize::try_from(days_between(first.date, last)).unwrap_or(0) + 1;
    let shown = length.min(width);
    let finite = |day: &TrendPoint| day.value.filter(|v| v.is_finite());
    let values = || trend.iter().filter_map(finite).chain(target.and_then(bound).map(|(_, limit)| limit));
    let (low, high) = (values().reduce(f64::min).unwrap_or(0.0), values().reduce(f64::max).unwrap_or(1.0));
    let mut cells = vec!['·'; shown];
    for day in trend {
        let before_last = usize::try_from(days_between(day.date, last)).unwrap_or(usize::MAX);
        let Some(cell) = shown.checked_sub(1).and_then(|end| end.checked_sub(before_last)).and_then(|at| cells.get_mut(at)) else {
            continue;
        };
        *cell = match finite(day) {
            None => '▲',
            Some(value) => {
                let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                // Within 0 and 7.
                BARS.get((share * 7.0).round() as usize).copied().unwrap_or('█')
            }
        };
    }
    cells.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::chart::{Room, Scale, Words};
    use jiff::civil::date;
    use milepost_judge::{Verdict, scorecard::Judgement};

    fn judgement(estimate: Option<f64>, interval: [Option<f64>; 2]) -> Judgement {
        let target = Target { below: Some(50.0), at_most: None, above: None, at_least: None, unit: "ms".to_owned() };
        let sampled = Some("latency.p95".to_owned());
        Judgement { metric: sampled, target: Some(target), estimate, interval, n: 9, successes: Some(9), ..Judgement::nothing() }
    }

    fn band(judgement: &Judgement) -> String {
        let words = Words { title: String::new(), description: String::new(), table: String::new() };
        let scale = Scale { low: 0.0, high: 100.0, written: true };
        Band::new(judgement, true, &scale, Room::Cell, words).map_or_else(String::new, |band| band.cells(11))
    }

    #[test]
    fn a_band_shows_estimate_interval_and_target() {
        assert_eq!(band(&judgement(Some(20.0), [Some(10.0), Some(30.0)])), "─━●━─│·····");
        assert_eq!(band(&judgement(Some(50.0), [Some(40.0), Some(70.0)])), "────━◆━━···");
        assert_eq!(band(&judgement(Some(70.0), [None, None])), "◂━━━━│━●━━▸");
        assert_eq!(band(&judgement(None, [Some(60.0), None])), "─────│━━━━▸");
        assert_eq!(band(&Judgement { n: 0, ..judgement(None, [None, None]) }), "");
        let missed = Judgement { verdict: Verdict::Missed, ..judgement(None, [None, None]) };
        assert_eq!(band(&missed), "─────│━━━━▸");
    }

    #[test]
    fn days_end_today_and_show_gaps() {
        let day = |day, value| TrendPoint { date: date(2026, 11, day), value, n: 20 };
        let trend = [day(1, Some(0.0)), day(3, Some(70.0)), day(4, None)];
        assert_eq!(days(&trend, None, date(2026, 11, 5), 20), "▁·█▲·");
        assert_eq!(days(&trend, None, date(2026, 11, 5), 3), "█▲·");
        assert_eq!(days(&trend, None, date(2026, 11, 5), 0), "");
        assert_eq!(days(&[], None, date(2026, 11, 5), 3), "");
    }
}
