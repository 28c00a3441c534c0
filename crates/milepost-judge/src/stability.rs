//! Whether the memory of a running product is stable, or grows: questions about a series, not about a sample.
//!
//! A run becomes its medians by the minute, without the first ten minutes or tenth, in which a product warms up. Its slope is
//! that of Theil and Sen ([`theil_sen`]), and whether it grows is tested by Mann and Kendall ([`mann_kendall`]). That no growth
//! was found is no proof that there is none: stable is a run whose slope is proven to be small.

use crate::{
    Metric, Verdict,
    census::{memory, observed},
    mann_kendall::Trend,
    metric::MemoryStatistic,
    quantile::{Quantile, type1},
    quantity::{Quantity, Unit},
    rule::Context,
    scorecard::{Beside, Judgement, Reason},
    theil_sen::{Slopes, slope},
};
use milepost_record::Run;
use std::{collections::BTreeMap, time::Duration};

/// So long a product warms up, or a tenth of the run, where that is longer.
const WARM_UP: Duration = Duration::from_secs(600);
/// Fewer minutes say nothing of a trend.
const MINUTES_MIN: usize = 60;
/// Of a longer run, the newest day is judged: the slopes between all pairs are looked at.
const MINUTES_MAX: usize = 1440;
const MINUTES_A_DAY: f64 = 1440.0;
/// Growth by less than this in a day, or than this share of the median, is none, in bytes.
const GROWTH: f64 = 10e6;
const GROWTH_SHARE: f64 = 0.05;
/// The level at which growth is told from noise.
const LEVEL: f64 = 0.01;

/// Judges the spread or the growth of memory on the newest run that is long and whole enough.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, runs: &[&Run]) -> Judgement {
    let is_of_growth = context.goal.metric == Metric::Memory(MemoryStatistic::Slope);
    let value = |series: &Series| if is_of_growth { series.growth() } else { series.spread() };
    let mut judgement = memory(context, limit, runs, |run| value(&Series::of(run)));
    let by_end = |run: &&Run| run.samples.last().map(|sample| sample.at);
    let runs = || runs.iter().copied();
    let newest = runs().filter(|run| whole(run).is_ok()).max_by_key(by_end).or_else(|| runs().max_by_key(by_end));
    let Some(run) = newest else { return context.finish(judgement, limit) };
    let series = Series::of(run);
    judgement.estimate = value(&series).map(|v| context.shown(v));
    judgement.verdict = Verdict::NotProven;
    let whole = whole(run);
    let (Ok(()), Some(growth), Some(limit_of)) = (whole, Growth::of(&series, context.criterion.alpha), limit) else {
        judgement.reason = whole.err();
        return context.finish(judgement, limit);
    };
    let holds = |value: f64| context.goal.relation.holds(value, limit_of.base());
    let verdict = if is_of_growth {
        judgement.interval = growth.two_sided.map(|end| Some(context.shown(end)));
        let is_beyond = growth.one_sided.iter().all(|end| !holds(*end));
        match () {
            () if holds(growth.one_sided[1]) => Ok(Verdict::Met),
            () if is_beyond && growth.is_suspected(0.0) => Ok(Verdict::Missed),
            () if growth.is_suspected(growth.tolerance) => Err(Reason::LeakSuspected),
            () => Err(Reason::GrowthUnclear),
        }
    } else {
        judgement.beside.push(Context::beside(Beside::Growth, Unit::MEGABYTE_A_DAY, Some(growth.slope), Some(growth.two_sided)));
        match series.spread() {
            Some(spread) if !holds(spread) => Ok(Verdict::Missed),
            _ if growth.is_none() => Ok(Verdict::Met),
            _ if growth.is_suspected(growth.tolerance) => Err(Reason::LeakSuspected),
            _ => Err(Reason::GrowthUnclear),
        }
    };
    match verdict {
        Ok(verdict) => judgement.verdict = verdict,
        Err(reason) => judgement.reason = Some(reason),
    }
    context.finish(judgement, limit)
}

/// Whether a run says something of a series.
fn whole(run: &Run) -> Result<(), Reason> {
    observed(run)?;
    if Series::of(run).minutes.len() < MINUTES_MIN { Err(Reason::RunTooShort) } else { Ok(()) }
}

/// A run without its beginning: the median of each minute's complete readings, in bytes.
struct Series {
    /// Minutes since the run began; those without a complete reading are missing.
    minutes: Vec<(f64, f64)>,
}

impl Series {
    fn of(run: &Run) -> Self {
        let ends = run.samples.first().zip(run.samples.last());
        let warm_up = ends.map_or(WARM_UP, |(first, last)| WARM_UP.max(last.at.since(first.at) / 10));
        let mut minutes: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for sample in run.samples.iter().filter(|sample| sample.complete) {
            let since = ends.map_or(Duration::ZERO, |(first, _)| sample.at.since(first.at));
            if since >= warm_up {
                minutes.entry(since.as_secs() / 60).or_default().push(sample.bytes as f64);
            }
        }
        let mut minutes: Vec<_> = minutes.into_iter().map(|(minute, mut bytes)| (minute as f64, median(&mut bytes))).collect();
        Self { minutes: minutes.split_off(minutes.len().saturating_sub(MINUTES_MAX)) }
    }

    /// The P95 less the P5.
    fn spread(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.minutes.iter().map(|(_, bytes)| *bytes).collect();
        sorted.sort_by(f64::total_cmp);
        Some(type1(&sorted, Quantile::P95)? - type1(&sorted, Quantile::P5)?)
    }

    /// In bytes a day.
    fn growth(&self) -> Option<f64> {
        Some(slope(&self.minutes)? * MINUTES_A_DAY)
    }
}

/// The line through a run whose slope a verdict on growth looks at. MB are 1,000,000 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineOfGrowth {
    /// From when to when it goes, in minutes since the run began: what came before was the product warming up.
    pub minutes: [f64; 2],
    /// Where it begins and ends.
    pub mb: [f64; 2],
    /// How much it rises in a day.
    pub slope_mb_a_day: f64,
    /// Where that lies at 95% confidence.
    pub interval_mb_a_day: [f64; 2],
    /// Growth by less than this is taken for none.
    pub tolerance_mb_a_day: f64,
}

/// The line through a run; `None` where it is too short or too patchy to say something of growth. It passes through the median of
/// what the slope leaves (Conover 1980).
pub(crate) fn line_of_growth(run: &Run) -> Option<LineOfGrowth> {
    const MEGABYTE: f64 = 1e6;
    whole(run).ok()?;
    let series = Series::of(run);
    let growth = Growth::of(&series, 0.05)?;
    let a_minute = growth.slope / MINUTES_A_DAY;
    let mut left: Vec<f64> = series.minutes.iter().map(|(minute, bytes)| bytes - a_minute * minute).collect();
    let from_zero = median(&mut left);
    let minutes = [series.minutes.first()?.0, series.minutes.last()?.0];
    Some(LineOfGrowth {
        minutes,
        mb: minutes.map(|minute| (from_zero + a_minute * minute) / MEGABYTE),
        slope_mb_a_day: growth.slope / MEGABYTE,
        interval_mb_a_day: growth.two_sided.map(|end| end / MEGABYTE),
        tolerance_mb_a_day: growth.tolerance / MEGABYTE,
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// How a series grows, in bytes a day.
struct Growth {
    slope: f64,
    /// Where the slope lies: at confidence `1 - alpha`.
    two_sided: [f64; 2],
    /// Bounds of which each holds at confidence `1 - alpha`.
    one_sided: [f64; 2],
    /// The p-value against "it does not grow".
    p: f64,
    /// What is taken for no growth.
    tolerance: f64,
}

impl Growth {
    fn of(series: &Series, alpha: f64) -> Option<Self> {
        let slopes = Slopes::of(&series.minutes)?;
        let trend = Trend::of(&series.minutes, &slopes)?;
        let mut bytes: Vec<f64> = series.minutes.iter().map(|(_, bytes)| *bytes).collect();
        let a_day = |slopes: [f64; 2]| slopes.map(|slope| slope * MINUTES_A_DAY);
        Some(Self {
            slope: slopes.median() * MINUTES_A_DAY,
            two_sided: a_day(slopes.interval(1.0 - alpha)),
            // At an alpha of a half, the bounds are the slope itself.
            one_sided: a_day(slopes.interval((1.0 - 2.0 * alpha).max(f64::EPSILON))),
            p: trend.p_rising(),
            tolerance: GROWTH.max(GROWTH_SHARE * median(&mut bytes)),
        })
    }

    /// Equivalence to no growth, by two one-sided tests (Schuirmann 1987).
    fn is_none(&self) -> bool {
        self.one_sided.iter().all(|end| end.abs() < self.tolerance)
    }

    /// Whether it grows, and by more than this.
    fn is_suspected(&self, by: f64) -> bool {
        self.p < LEVEL && self.two_sided[0] > 0.0 && self.slope > by
    }
}
