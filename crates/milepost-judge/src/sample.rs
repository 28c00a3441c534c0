//! Operations, people and interactions: each is one draw, so what they say about a rate or a quantile needs inference.
//!
//! "The P95 is below T" and "more than 95% take less than T" are one statement, so both kinds of criteria end in the one
//! test of [`crate::always_valid`], which holds however often somebody looks.

use crate::{
    Failures, Family, Metric, Verdict,
    always_valid::{self, Counts, Test},
    daily,
    error_budget::ErrorBudget,
    quantile,
    quantity::Quantity,
    rule::Context,
    scorecard::{Beside, Budget, Convention, Judgement, LeftOut, Reason, TrendPoint},
};
use jiff::civil::Date;
use milepost_record::{Breakdown, Ecdf, Operation, OperationDay, Outcome};
use std::collections::BTreeMap;

/// No verdict from fewer events than this, whatever the test says.
pub const EVENTS_MIN: u64 = 10;
/// No verdict from fewer calendar days than this, whatever the test says: one day's events share too much.
pub const DAYS_MIN: usize = 2;

/// The share of events that have to be within the limit for the goal to hold; `None` where there is no limit, or where the metric
/// is not such a share.
pub(crate) fn goal_rate(metric: &Metric, limit: Option<Quantity>) -> Option<f64> {
    match metric {
        Metric::Latency(quantile) | Metric::PeakMemory(quantile) => limit.map(|_| quantile.as_fraction()),
        Metric::SuccessRate | Metric::LearningAccuracy | Metric::VoiceAccuracy | Metric::RetentionWeek4 => limit.map(Quantity::base),
        // The median is within the limit where more than half are.
        Metric::FirstSuccess => limit.map(|_| 0.5),
        _ => None,
    }
}

/// What so many draws say of the metric, whatever is demanded of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    pub(crate) n: u64,
    pub(crate) estimate: Option<f64>,
    pub(crate) interval: [Option<f64>; 2],
}

impl Standing {
    /// Of operations: a quantile or the share of successes. `value_at` gives the value of a rank, as [`Total::value_at`] does.
    pub(crate) fn of_operations(context: Context<'_>, counts: Counts, value_at: impl Fn(u64) -> Option<f64>) -> Self {
        match &context.goal.metric {
            Metric::Latency(q) | Metric::PeakMemory(q) => {
                let (lower, upper) = quantile::peeking_ranks(counts.n(), *q, context.criterion.alpha);
                let value = |rank: Option<u64>| rank.and_then(&value_at).map(|v| context.shown(v));
                Self { n: counts.n(), estimate: value(quantile::rank(counts.n(), *q)), interval: [lower, upper].map(value) }
            }
            _ => Self::of_share(context, counts),
        }
    }

    /// Of the share of good ones.
    pub(crate) fn of_share(context: Context<'_>, counts: Counts) -> Self {
        let interval = always_valid::rate_interval(counts, context.criterion.alpha).map(|v| Some(context.shown(v)));
        Self { n: counts.n(), estimate: counts.rate().map(|v| context.shown(v)), interval }
    }
}

/// Judges a latency or a success rate on the operations of some days, in order; several entries may be of one day. Of totals there is
/// neither a trend nor, where the goal fell back, a quantile: see [`crate::needs_days`].
pub(crate) fn judge_operations(context: Context<'_>, limit: Option<Quantity>, days: &[&OperationDay]) -> Judgement {
    let goal = context.goal;
    let by_day = by_day(days, &goal.metric);
    let alpha = context.criterion.alpha;
    let rate = goal_rate(&goal.metric, limit);
    let mut judgement = context.blank(limit);
    if !context.is_total {
        judgement.trend = trend(context, &by_day);
        judgement.changes = daily::probable_changes(&judgement.trend, goal.metric != Metric::SuccessRate, context.today());
    }
    if let Some(rate) = rate.filter(|_| !context.is_pooled) {
        let days = by_day.iter().map(|(date, total)| (*date, total.counts(&goal.metric, goal.failures)));
        judgement.fell_back = daily::falls(days, rate, alpha, context.today()).pop();
    }
    let newest = days.iter().filter(|d| d.ok + d.failed > 0).map(|d| d.newest).max();
    let by_day = &by_day[by_day.partition_point(|(date, _)| judgement.fell_back.is_some_and(|fell| *date <= fell))..];
    let totals = || by_day.iter().map(|(_, total)| total);
    let total = Total::sum(totals());
    let counts = total.counts(&goal.metric, goal.failures);
    judgement.n = counts.n();
    judgement.newest_event = newest;
    judgement.left_out = total.left_out(&goal.metric, goal.failures);
    if counts.n() == 0 {
        return context.finish(judgement, limit);
    }
    (judgement.successes, judgement.failures) = (Some(counts.successes), Some(counts.failures));
    let standing = Standing::of_operations(context, counts, |rank| total.value_at(rank));
    (judgement.estimate, judgement.interval) = (standing.estimate, standing.interval);
    if matches!(goal.metric, Metric::Latency(_)) {
        let failures = match goal.failures {
            Failures::Slow => Failures::Exclude,
            Failures::Exclude => Failures::Slow,
        };
        let other = total.counts(&goal.metric, failures);
        let estimate = total.estimate(&goal.metric, failures).map(|v| context.shown(v));
        judgement.other_convention = Some(Convention { failures, estimate, n: other.n(), successes: other.successes });
    }
    if let Metric::Latency(q) | Metric::PeakMemory(q) = &goal.metric {
        // Of those that have a value: other tools know of no failures.
        let value = quantile::interpolated(total.measured(), *q, |rank| total.value_at(rank));
        let beside = |value| Context::beside(Beside::Interpolated, goal.unit(), Some(value), None);
        judgement.beside.extend(value.map(beside));
    }
    judgement.verdict = Verdict::NotProven;
    if let Some(rate) = rate {
        let dates = by_day.iter().filter(|(_, of_day)| of_day.ok + of_day.failed > 0).count();
        prove(&mut judgement, counts, rate, alpha, dates);
    }
    context.finish(judgement, limit)
}

/// Puts what draws say on a judgement, each one good or not, by the day that it is of: counts, share and its interval, days and
/// the verdict against the rate that is demanded. Shares are shown in the unit of the goal.
pub(crate) fn judge_draws(context: Context<'_>, limit: Option<Quantity>, days: &BTreeMap<Date, Counts>, judgement: &mut Judgement) {
    let alpha = context.criterion.alpha;
    let rate = goal_rate(&context.goal.metric, limit);
    let all = days;
    judgement.fell_back =
        rate.and_then(|rate| daily::falls(all.iter().map(|(date, of_day)| (*date, *of_day)), rate, alpha, context.today()).pop());
    let days: BTreeMap<Date, Counts> = all
        .iter()
        .filter(|(date, _)| judgement.fell_back.is_none_or(|fell| **date > fell))
        .map(|(date, of_day)| (*date, *of_day))
        .collect();
    let counts = days.values().copied().fold(Counts::default(), Counts::and);
    judgement.n = counts.n();
    if counts.n() == 0 {
        return;
    }
    (judgement.successes, judgement.failures) = (Some(counts.successes), Some(counts.failures));
    judgement.verdict = Verdict::NotProven;
    if let Some(rate) = rate {
        prove(judgement, counts, rate, alpha, days.len());
    }
    if context.goal.metric.family() == Some(Family::Share) {
        let standing = Standing::of_share(context, counts);
        (judgement.estimate, judgement.interval) = (standing.estimate, standing.interval);
        let point =
            |(date, of_day): (&Date, &Counts)| TrendPoint { date: *date, value: of_day.rate().map(|v| context.shown(v)), n: of_day.n() };
        judgement.trend = all.iter().map(point).collect();
        judgement.changes = daily::probable_changes(&judgement.trend, false, context.today());
    }
}

/// The test, and the policy that no verdict rests on a handful of events or on a single day. The policy can only delay.
fn prove(judgement: &mut Judgement, counts: Counts, rate: f64, alpha: f64, days: usize) {
    let test = Test::of(counts, rate);
    let proven = test.verdict(alpha);
    judgement.error_budget =
        ErrorBudget::over(counts.n(), counts.failures, rate).map(|budget| Budget { allowed: budget.allowed, used: budget.used });
    let guard = guard(counts.n(), days);
    match (proven, guard) {
        (Some(verdict), None) => judgement.verdict = verdict,
        (Some(_), Some((reason, _))) => judgement.reason = Some(reason),
        (None, _) => {}
    }
    let delayed = guard.map_or(0, |(_, more)| more);
    judgement.at_least_more = Some(test.at_least_more(alpha).max(delayed));
    judgement.projected_more = test.projected_more(alpha).map(|more| more.max(delayed));
}

/// What holds a verdict back, and how many more events lift that.
pub(crate) const fn guard(n: u64, days: usize) -> Option<(Reason, u64)> {
    if n < EVENTS_MIN {
        Some((Reason::TooFew, EVENTS_MIN - n))
    } else if days < DAYS_MIN {
        Some((Reason::SingleDay, 1))
    } else {
        None
    }
}

/// The operations of each day, of which there may be several entries, one after the other. Durations are there only where the metric is
/// about them.
pub(crate) fn by_day(days: &[&OperationDay], metric: &Metric) -> Vec<(Date, Total)> {
    let is_quantile = matches!(metric, Metric::Latency(_) | Metric::PeakMemory(_));
    let total = |days: &[&OperationDay]| {
        let days = days.iter().copied();
        if is_quantile { Total::of(days) } else { Total::counted(days) }
    };
    days.chunk_by(|a, b| a.date == b.date).filter_map(|of_day| Some((of_day.first()?.date, total(of_day)))).collect()
}

fn trend(context: Context<'_>, by_day: &[(Date, Total)]) -> Vec<TrendPoint> {
    let goal = context.goal;
    let point = |(date, total): &(Date, Total)| {
        let n = total.counts(&goal.metric, goal.failures).n();
        let value = total.estimate(&goal.metric, goal.failures).map(|v| context.shown(v));
        (n > 0).then_some(TrendPoint { date: *date, value, n })
    };
    by_day.iter().filter_map(point).collect()
}

/// Operations added up: those of several days, or those of a fixed sample.
#[derive(Default)]
pub(crate) struct Total {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) timeouts: u64,
    pub(crate) cancelled: u64,
    pub(crate) dry_runs: u64,
    pub(crate) unmeasured: u64,
    within: u64,
    /// Of those that succeeded, in microseconds, or the peaks in bytes: as they came together, since merging them takes longer than to look ranks
    /// up in all of them.
    pub(crate) durations: Vec<Ecdf>,
}

impl Total {
    pub(crate) fn of<'a>(days: impl IntoIterator<Item = &'a OperationDay> + Clone) -> Self {
        let durations = days.clone().into_iter().map(|day| &day.durations).filter(|durations| !durations.is_empty());
        Self { durations: durations.cloned().collect(), ..Self::counted(days) }
    }

    /// Without the durations.
    fn counted<'a>(days: impl IntoIterator<Item = &'a OperationDay>) -> Self {
        let mut total = Self::default();
        for day in days {
            total.ok += day.ok;
            total.failed += day.failed;
            total.timeouts += day.timeouts;
            total.cancelled += day.cancelled;
            total.dry_runs += day.dry_runs;
            total.unmeasured += day.unmeasured;
            total.within += day.within;
        }
        total
    }

    fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut total = Self::default();
        for part in parts {
            total.ok += part.ok;
            total.failed += part.failed;
            total.timeouts += part.timeouts;
            total.cancelled += part.cancelled;
            total.dry_runs += part.dry_runs;
            total.unmeasured += part.unmeasured;
            total.within += part.within;
            total.durations.extend_from_slice(&part.durations);
        }
        total
    }

    /// Those of some operations and backends. No limit is asked about.
    pub(crate) fn of_cells<'a>(cells: impl IntoIterator<Item = &'a Breakdown>) -> Self {
        let (mut total, mut durations) = (Self::default(), Vec::new());
        for cell in cells {
            total.ok += cell.ok;
            total.failed += cell.failed;
            total.timeouts += cell.timeouts;
            total.cancelled += cell.cancelled;
            total.dry_runs += cell.dry_runs;
            total.unmeasured += cell.unmeasured;
            durations.extend(&cell.durations);
        }
        Self { durations: vec![durations.into()], ..total }
    }

    /// The mean duration of those that succeeded, in microseconds.
    pub(crate) fn mean(&self) -> Option<f64> {
        let sum: f64 = self.durations().map(|(duration, count)| duration as f64 * count as f64).sum();
        (self.measured() > 0).then(|| sum / self.measured() as f64)
    }

    /// Those that are given one by one; `within` says of a duration in microseconds whether it is within the limit.
    pub(crate) fn of_each(operations: &[Operation], within: impl Fn(u64) -> bool) -> Self {
        let (mut total, mut durations) = (Self::default(), Vec::new());
        for operation in operations {
            match operation.outcome {
                _ if operation.dry_run == Some(true) => total.dry_runs += 1,
                Outcome::Cancelled => total.cancelled += 1,
                Outcome::Failed => total.failed += 1,
                Outcome::Timeout => {
                    total.failed += 1;
                    total.timeouts += 1;
                }
                Outcome::Ok => {
                    total.ok += 1;
                    match operation.duration_us {
                        Some(duration) => {
                            total.within += u64::from(within(duration));
                            durations.push((duration, 1));
                        }
                        None => total.unmeasured += 1,
                    }
                }
            }
        }
        Self { durations: vec![durations.into()], ..total }
    }

    pub(crate) fn counts(&self, metric: &Metric, failures: Failures) -> Counts {
        match (metric, failures) {
            (Metric::Latency(_), Failures::Slow) => Counts { successes: self.within, failures: self.slow() + self.failed },
            // What takes too much memory and fails is no failure more: there are none in what was answered.
            (Metric::PeakMemory(_), _) | (Metric::Latency(_), Failures::Exclude) => {
                Counts { successes: self.within, failures: self.slow() }
            }
            _ => Counts { successes: self.ok, failures: self.failed },
        }
    }

    /// Succeeded, but not within the limit.
    const fn slow(&self) -> u64 {
        self.measured().saturating_sub(self.within)
    }

    pub(crate) const fn measured(&self) -> u64 {
        self.ok.saturating_sub(self.unmeasured)
    }

    /// The durations, each with how many there are, in no particular order.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.durations.iter().flat_map(Ecdf::counts)
    }

    pub(crate) fn left_out(&self, metric: &Metric, failures: Failures) -> BTreeMap<LeftOut, u64> {
        let latency = matches!(metric, Metric::Latency(_));
        let measured = matches!(metric, Metric::Latency(_) | Metric::PeakMemory(_));
        [
            (LeftOut::Cancelled, self.cancelled),
            (LeftOut::DryRun, self.dry_runs),
            (LeftOut::Failed, if latency && failures == Failures::Exclude { self.failed } else { 0 }),
            (LeftOut::Unmeasured, if measured { self.unmeasured } else { 0 }),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect()
    }

    /// In base units; `None` where there is nothing, or where the quantile is a failure.
    pub(crate) fn estimate(&self, metric: &Metric, failures: Failures) -> Option<f64> {
        let counts = self.counts(metric, failures);
        match metric {
            Metric::Latency(q) | Metric::PeakMemory(q) => self.value_at(quantile::rank(counts.n(), *q)?),
            _ if counts.n() == 0 => None,
            _ => Some(counts.successes as f64 / counts.n() as f64),
        }
    }

    /// The value with this rank among the durations in microseconds, or the peaks in bytes. Failures come after all of them, and have none.
    pub(crate) fn value_at(&self, rank: u64) -> Option<f64> {
        Ecdf::value_among(&self.durations, rank).map(|duration| duration as f64)
    }
}
