//! Memory and measurements: the thing itself was measured, so there is no sampling error to reckon with. What decides is
//! whether the observation is whole, and how old it is.

use crate::{
    Metric, Relation, Verdict,
    metric::MemoryStatistic,
    quantity::{Quantity, Unit},
    rule::Context,
    scorecard::{Judgement, LeftOut, Reason, TrendPoint},
};
use milepost_record::{MemorySample, Reading, Run};
use std::{collections::BTreeMap, time::Duration};

/// A run of memory readings says nothing about a limit before it lasted this long.
pub const RUN_MIN: Duration = Duration::from_secs(3600);
/// Of the readings that were due in a run, this share has to be there and complete.
pub const READINGS_DUE: f64 = 0.95;

/// Judges memory on runs of readings, by their beginning. Readings of a run hang together too closely to count as draws, so
/// a limit is met where a whole run of an hour and all other readings are within it, and missed by a single one that is not.
pub(crate) fn judge_memory(context: Context<'_>, limit: Option<Quantity>, runs: &[&Run]) -> Judgement {
    let goal = context.goal;
    let mut judgement = memory(context, limit, runs, |run| statistic(&goal.metric, run));
    let complete = || runs.iter().flat_map(|run| &run.samples).filter(|s| s.complete);
    let newest_run = runs.iter().copied().max_by_key(|run| run.samples.last().map(|s| s.at));
    let value = match &goal.metric {
        Metric::Memory(MemoryStatistic::Peak) => complete().map(|s| s.bytes as f64).reduce(f64::max),
        metric => newest_run.and_then(|run| statistic(metric, run)),
    };
    judgement.estimate = value.map(|v| context.shown(v));
    judgement.verdict = Verdict::NotProven;
    let observed = match &goal.metric {
        Metric::Memory(MemoryStatistic::Peak) => {
            let verdicts: Vec<_> = runs.iter().copied().map(observed).collect();
            if verdicts.contains(&Ok(())) { Ok(()) } else { verdicts.into_iter().next_back().unwrap_or(Err(Reason::RunTooShort)) }
        }
        _ => newest_run.map_or(Err(Reason::RunTooShort), observed),
    };
    if let (Some(limit), Some(value)) = (limit, value) {
        let within = |base: f64| goal.relation.holds(base, limit.base());
        if goal.metric == Metric::Memory(MemoryStatistic::Peak) {
            let good = complete().filter(|s| within(s.bytes as f64)).count() as u64;
            (judgement.successes, judgement.failures) = (Some(good), Some(judgement.n - good));
        }
        let exceeded = !within(value) && goal.metric == Metric::Memory(MemoryStatistic::Peak);
        match observed {
            _ if exceeded => judgement.verdict = Verdict::Missed,
            Ok(()) => judgement.verdict = if within(value) { Verdict::Met } else { Verdict::Missed },
            Err(reason) => judgement.reason = Some(reason),
        }
    } else if let Err(reason) = observed {
        judgement.reason = Some(reason);
    }
    context.finish(judgement, limit)
}

/// A judgement on runs of readings, with what is counted and left out of them, and a value in base units of the runs of each day.
pub(crate) fn memory(context: Context<'_>, limit: Option<Quantity>, runs: &[&Run], value: impl Fn(&Run) -> Option<f64>) -> Judgement {
    let mut judgement = context.blank(limit);
    let complete = || runs.iter().flat_map(|run| &run.samples).filter(|s| s.complete);
    judgement.n = complete().count() as u64;
    judgement.newest_event = complete().map(|s| s.at).max();
    let incomplete = runs.iter().flat_map(|run| &run.samples).filter(|s| !s.complete).count() as u64;
    judgement.left_out = [(LeftOut::Incomplete, incomplete)].into_iter().filter(|(_, count)| *count > 0).collect();
    judgement.trend = memory_trend(context, runs, value);
    judgement
}

/// Whether a run was observed long and wholly enough to say that something stayed within a limit.
pub(crate) fn observed(run: &Run) -> Result<(), Reason> {
    let (Some(first), Some(last)) = (run.samples.first(), run.samples.last()) else { return Err(Reason::RunTooShort) };
    let lasted = last.at.since(first.at);
    // The first and the last reading of an hour are each taken some milliseconds after they are due.
    if lasted + Duration::from_secs(1) < RUN_MIN {
        return Err(Reason::RunTooShort);
    }
    let complete = run.samples.iter().filter(|s| s.complete).count() as f64;
    let due = match run.every_us.filter(|every| *every > 0) {
        Some(every) => lasted.as_micros() as f64 / every as f64 + 1.0,
        None => run.samples.len() as f64,
    };
    if complete / due.floor() < READINGS_DUE { Err(Reason::IncompleteRun) } else { Ok(()) }
}

/// A statistic of one run, in base units.
pub(crate) fn statistic(metric: &Metric, run: &Run) -> Option<f64> {
    let complete: Vec<&MemorySample> = run.samples.iter().filter(|s| s.complete).collect();
    let bytes = || complete.iter().map(|s| s.bytes as f64);
    match metric {
        Metric::Memory(MemoryStatistic::Current) => bytes().next_back(),
        Metric::Memory(MemoryStatistic::Average) => (!complete.is_empty()).then(|| bytes().sum::<f64>() / complete.len() as f64),
        Metric::Memory(MemoryStatistic::Peak) => bytes().reduce(f64::max),
        Metric::Memory(MemoryStatistic::Variation) => Some(bytes().reduce(f64::max)? - bytes().reduce(f64::min)?),
        Metric::CpuPercent => {
            let (first, last) = (run.samples.first()?, run.samples.last()?);
            let lasted = last.at.since(first.at).as_micros() as f64;
            let used: u64 = run.samples.iter().skip(1).filter_map(|s| s.cpu_us).sum();
            (lasted > 0.0).then(|| used as f64 / lasted)
        }
        _ => None,
    }
}

fn memory_trend(context: Context<'_>, runs: &[&Run], value: impl Fn(&Run) -> Option<f64>) -> Vec<TrendPoint> {
    let mut days: BTreeMap<_, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        if let Some(first) = run.samples.first() {
            days.entry(context.date(first.at)).or_default().push(run);
        }
    }
    let point = |(date, runs): (_, Vec<&Run>)| {
        let values = runs.iter().filter_map(|run| value(run));
        let value = values.reduce(f64::max).map(|v| context.shown(v));
        TrendPoint { date, value, n: runs.iter().flat_map(|run| &run.samples).filter(|s| s.complete).count() as u64 }
    };
    days.into_iter().map(point).collect()
}

/// Judges a measurement on its newest reading; where several parts of the product were measured, on the worst of their newest.
pub(crate) fn judge_measurement(context: Context<'_>, limit: Option<Quantity>, readings: &[&Reading]) -> Judgement {
    let goal = context.goal;
    let mut judgement = context.blank(limit);
    judgement.n = readings.len() as u64;
    judgement.newest_event = readings.iter().map(|r| r.at).max();
    let family = goal.unit().family();
    let in_base = |reading: &Reading| {
        let unit = Unit::named(reading.unit.as_deref().unwrap_or_default())?;
        (unit.family() == family).then(|| Quantity::new(reading.value, unit).base())
    };
    let newest: BTreeMap<_, _> = readings.iter().map(|reading| (reading.scope.as_deref(), reading)).collect();
    let worst = if goal.relation.is_upper() { f64::max } else { f64::min };
    let values: Option<Vec<f64>> = newest.values().map(|reading| in_base(reading)).collect();
    judgement.verdict = Verdict::NotProven;
    match values.map(|values| values.into_iter().reduce(worst)) {
        Some(Some(value)) => {
            judgement.estimate = Some(context.shown(value));
            if let Some(limit) = limit {
                judgement.verdict = census(goal.relation, value, limit);
            }
        }
        Some(None) => {}
        None => judgement.reason = Some(Reason::UnitMismatch),
    }
    let dated: BTreeMap<_, _> = readings.iter().map(|r| (context.date(r.at), r)).collect();
    judgement.trend =
        dated.into_iter().map(|(date, reading)| TrendPoint { date, value: in_base(reading).map(|v| context.shown(v)), n: 1 }).collect();
    context.finish(judgement, limit)
}

fn census(relation: Relation, value: f64, limit: Quantity) -> Verdict {
    if relation.holds(value, limit.base()) { Verdict::Met } else { Verdict::Missed }
}
