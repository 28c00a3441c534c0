//! What the days of a goal say beside its verdict: that it fell back after it was met, and when its level changed.
//!
//! A verdict is on the average since its epoch began, so after ten thousand good events it takes thousands of bad ones to turn.
//! Where a goal was met, the detector of [`crate::e_detector`] watches what comes after; at its alarm the epoch begins anew, and the
//! verdict is on what came since. What was never met cannot fall back, and its misses stay in its average.
//!
//! Only days that are over are looked at: what is said of a day stays.

use crate::{
    always_valid::{Counts, ln_e_above, ln_threshold},
    change_points::{Parameters, Scale, Shift, change_points, shifts},
    e_detector::{EDetector, run_length},
    sample::guard,
    scorecard::{ProbableChange, TrendPoint},
};
use jiff::civil::Date;

/// Days with fewer events than this say too little of the level.
const EVENTS_A_DAY_MIN: u64 = 20;

/// How long a false alarm is to take.
const DAYS_TO_FALSE_ALARM: u64 = 90;

/// The days on which a goal that was met fell back: the rate of what is good fell below `goal`. `days` are in order; from
/// `today` on they are not over.
pub(crate) fn falls(days: impl Iterator<Item = (Date, Counts)>, goal: f64, alpha: f64, today: Date) -> Vec<Date> {
    let threshold = ln_threshold(alpha);
    let (mut falls, mut detector): (Vec<Date>, Option<EDetector>) = (Vec::new(), None);
    let (mut counts, mut of_days, mut first): (Counts, usize, Option<Date>) = (Counts::default(), 0, None);
    for (date, of_day) in days.filter(|(date, of_day)| *date < today && of_day.n() > 0) {
        if let Some(watching) = &mut detector {
            if watching.observe_unordered(of_day).is_some() {
                falls.push(date);
                detector = None;
                (counts, of_days, first) = (Counts::default(), 0, None);
            }
            continue;
        }
        let first = *first.get_or_insert(date);
        counts = counts.and(of_day);
        of_days += 1;
        if guard(counts.n(), of_days).is_none() && ln_e_above(counts, goal) >= threshold {
            // A day has its number before it; what came so far tells how many there are in so many days.
            let lasted = u64::from((date - first).get_days().unsigned_abs()) + 1;
            let expected = counts.n() / lasted * DAYS_TO_FALSE_ALARM;
            detector = EDetector::new(goal, run_length(expected));
        }
    }
    falls
}

/// When the level of a metric probably changed, day by day; several steps in one direction are one change. Days that are not over
/// or have few events are left out.
pub(crate) fn probable_changes(trend: &[TrendPoint], is_amount: bool, today: Date) -> Vec<ProbableChange> {
    let scale = if is_amount { Scale::Ln } else { Scale::Plain };
    let days: Vec<(Date, f64)> = trend
        .iter()
        .filter(|day| day.date < today && day.n >= EVENTS_A_DAY_MIN)
        .filter_map(|day| Some((day.date, day.value?)))
        .filter(|(_, value)| !is_amount || *value > 0.0)
        .collect();
    let series: Vec<f64> = days.iter().map(|(_, value)| if is_amount { value.ln() } else { *value }).collect();
    let points = change_points(&series, Parameters { scale, ..Parameters::DAILY });
    let change = |shift: Shift| {
        let (first, last, is_trend) = match &shift {
            Shift::Step(step) => (*step, *step, false),
            Shift::Trend(steps) => (*steps.first()?, *steps.last()?, true),
        };
        let level = |mean: f64| if is_amount { mean.exp() } else { mean };
        let (before, after) = (level(first.before_mean), level(last.after_mean));
        let (date, _) = days.get(first.index)?;
        Some(ProbableChange {
            from: *date,
            is_trend,
            before,
            after,
            change: (before > 0.0).then(|| after / before - 1.0),
            same_hosts: None,
        })
    };
    shifts(&points).into_iter().filter_map(change).collect()
}
