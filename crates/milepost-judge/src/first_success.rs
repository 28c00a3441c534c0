//! The time from a new person's start to the first success, giving up counted.
//!
//! "The median is below T" and "more than half succeed within T" are one statement, so each new person is one draw. Who gives up
//! is one that did not; who is still at it, and within the limit, is none yet.

use crate::{
    Metric, always_valid,
    always_valid::Counts,
    quantile::{Quantile, peeking_ranks, type1},
    quantity::{Quantity, Unit},
    rule::Context,
    sample::{Standing, judge_draws},
    scorecard::{Beside, Figure, Judgement, LeftOut, TrendPoint},
    survival::{Observed, Step, Survival},
};
use jiff::civil::Date;
use milepost_record::{FAST_US, FirstSession, SILENCE_MAX, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// First success within this long is what the specification calls fast.
const FAST: Duration = Duration::from_micros(FAST_US);

/// What new people's first sessions say. Times in seconds, shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FirstSuccess {
    /// New people: those whose first session began in the period.
    pub starters: u64,
    /// Of those, how many succeeded in it.
    pub succeeded: u64,
    /// How many ended it without a success: by half an hour of silence, or by starting anew.
    pub gave_up: u64,
    /// How many are still at it, without a success yet.
    pub running: u64,
    /// The time after which half of all starters had succeeded (Kaplan and Meier); null where fewer than half did. Who gave up never succeeds.
    pub median_s: Option<f64>,
    /// Where that median lies with 95 % confidence at one look; null on a side that is not reached.
    pub median_interval_s: [Option<f64>; 2],
    /// The mean of those who succeeded, and of nobody else: the specification's figure, which leaves out who gave up.
    pub mean_of_successes_s: Option<f64>,
    /// The median of those who succeeded, and of nobody else.
    pub median_of_successes_s: Option<f64>,
    /// How many of the starters whose 30 seconds are over, or who are done, succeeded within 30 seconds.
    pub within_30s: u64,
    /// How many starters that is out of.
    pub within_30s_of: u64,
    /// Their share.
    pub within_30s_percent: Option<f64>,
    /// The share among those who succeeded, and nobody else: the specification's figure.
    pub within_30s_of_successes_percent: Option<f64>,
    /// The mean number of operations up to the first success, itself included, of those who had one.
    pub attempts_before_first_success: Option<f64>,
}

impl FirstSuccess {
    /// Of first sessions, seen at `now`.
    #[must_use]
    pub fn of(sessions: &[FirstSession], now: Timestamp) -> Self {
        let waits: Vec<f64> = sessions.iter().filter_map(wait).collect();
        let mut sorted = waits.clone();
        sorted.sort_by(f64::total_cmp);
        let is_over = |session: &FirstSession| is_over(session, now);
        let failed = || sessions.iter().filter(|session| session.first_success.is_none());
        let gave_up = failed().filter(|session| is_over(session)).count() as u64;
        let observed: Vec<_> = sessions.iter().map(|session| observed(session, now)).collect();
        let survival = Survival::of(&observed);
        let fast = waits.iter().filter(|wait| **wait < FAST.as_secs_f64()).count() as u64;
        let still_open = failed().filter(|session| !is_over(session) && now.since(session.start) < FAST).count() as u64;
        let decided = sessions.len() as u64 - still_open;
        let attempts: Vec<u64> = sessions.iter().filter(|s| s.first_success.is_some()).map(|s| s.attempts).collect();
        Self {
            starters: sessions.len() as u64,
            succeeded: waits.len() as u64,
            gave_up,
            running: sessions.len() as u64 - waits.len() as u64 - gave_up,
            median_s: survival.as_ref().and_then(Survival::median),
            median_interval_s: survival.as_ref().map_or([None, None], Survival::median_interval),
            mean_of_successes_s: mean(&waits),
            median_of_successes_s: median(&sorted),
            within_30s: fast,
            within_30s_of: decided,
            within_30s_percent: percent(fast, decided),
            within_30s_of_successes_percent: percent(fast, waits.len() as u64),
            attempts_before_first_success: mean(&attempts.iter().map(|n| *n as f64).collect::<Vec<_>>()),
        }
    }
}

/// How the shares of new people who had their first success rise with time, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The share that still waits, as a falling staircase (Kaplan and Meier).
    pub steps: Vec<Step>,
    /// The time within which 95 % of all starters had succeeded; none where fewer did. Who gave up never succeeds.
    pub p95_s: Option<f64>,
    /// The P95 of those who succeeded, and of nobody else.
    pub p95_of_successes_s: Option<f64>,
}

impl Curve {
    /// Of first sessions, seen at `now`.
    #[must_use]
    pub fn of(sessions: &[FirstSession], now: Timestamp) -> Self {
        let observed: Vec<_> = sessions.iter().map(|session| observed(session, now)).collect();
        let survival = Survival::of(&observed);
        let mut waits: Vec<f64> = sessions.iter().filter_map(wait).collect();
        waits.sort_by(f64::total_cmp);
        Self {
            p95_s: survival.as_ref().and_then(|survival| survival.time_of(0.95)),
            p95_of_successes_s: type1(&waits, Quantile::P95),
            steps: survival.map_or_else(Vec::new, |survival| survival.steps().to_vec()),
        }
    }
}

/// The wait in seconds, as the estimator of Kaplan and Meier takes it.
fn observed(session: &FirstSession, now: Timestamp) -> Observed {
    match wait(session) {
        Some(time) => Observed { time, happened: true },
        // Giving up is an outcome: nobody who gave up succeeds later on.
        None if is_over(session, now) => Observed { time: f64::INFINITY, happened: false },
        None => Observed { time: now.since(session.start).as_secs_f64(), happened: false },
    }
}

fn wait(session: &FirstSession) -> Option<f64> {
    session.first_success.map(|success| success.since(session.start).as_secs_f64())
}

fn is_over(session: &FirstSession, now: Timestamp) -> bool {
    session.last.unwrap_or(session.start).saturating_add(SILENCE_MAX) < now
}

/// Judges how long new people take: whether more than half of them succeed within the limit.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, sessions: &[FirstSession]) -> Judgement {
    debug_assert_eq!(context.goal.metric, Metric::FirstSuccess);
    let mut judgement = context.blank(limit);
    let mut days: BTreeMap<_, Counts> = BTreeMap::new();
    let mut decided = Vec::new();
    for session in sessions {
        match outcome(context, limit, session) {
            Some(within) => {
                days.entry(context.date(session.start)).or_default().add(within);
                decided.push(*session);
            }
            None => *judgement.left_out.entry(LeftOut::Running).or_default() += 1,
        }
    }
    judgement.newest_event = decided.iter().map(|session| session.start).max();
    judge_draws(context, limit, &days, &mut judgement);
    // What came before it fell back does not count, here as in the verdict.
    let counts_still = |date: Date| judgement.fell_back.is_none_or(|fell| date > fell);
    let counting: Vec<FirstSession> = sessions.iter().filter(|session| counts_still(context.date(session.start))).copied().collect();
    let counts = days.iter().filter(|(date, _)| counts_still(**date)).fold(Counts::default(), |all, (_, of_day)| all.and(*of_day));
    if let Some(survival) = survival(context, &counting).filter(|_| judgement.n > 0) {
        let standing = standing(context, limit, &counting);
        (judgement.estimate, judgement.interval) = (standing.estimate, standing.interval);
        let interval = survival.median_interval().map(|end| end.map(|seconds| in_unit(context, seconds)));
        let at_one_look =
            Figure { what: Beside::MedianAtOneLook, value: judgement.estimate, interval, unit: context.goal.unit().name().to_owned() };
        let within = Context::beside(
            Beside::WithinLimit,
            Unit::PERCENT,
            counts.rate(),
            Some(always_valid::rate_interval(counts, context.criterion.alpha)),
        );
        judgement.beside = vec![within, at_one_look];
    }
    let of_day = |sessions: &[FirstSession]| {
        let date = context.date(sessions.first()?.start);
        let value = survival(context, sessions).and_then(|survival| survival.median()).map(|seconds| in_unit(context, seconds));
        Some(TrendPoint { date, value, n: sessions.len() as u64 })
    };
    decided.sort_by_key(|session| session.start);
    judgement.trend = decided.chunk_by(|a, b| context.date(a.start) == context.date(b.start)).filter_map(of_day).collect();
    context.finish(judgement, limit)
}

/// Whether a new person had the first success within the limit; none of who is still at it, and within it.
pub(crate) fn outcome(context: Context<'_>, limit: Option<Quantity>, session: &FirstSession) -> Option<bool> {
    let is_within = |time: Duration| limit.is_some_and(|limit| context.goal.relation.holds(time.as_micros() as f64, limit.base()));
    match session.first_success {
        Some(success) => Some(is_within(success.since(session.start))),
        None => (is_over(session, context.now) || !is_within(context.now.since(session.start))).then_some(false),
    }
}

/// The median of these sessions, those that are still running included, and where it lies.
pub(crate) fn standing(context: Context<'_>, limit: Option<Quantity>, sessions: &[FirstSession]) -> Standing {
    let decided: Vec<FirstSession> = sessions.iter().filter(|session| outcome(context, limit, session).is_some()).copied().collect();
    let estimate = survival(context, sessions).and_then(|survival| survival.median()).map(|seconds| in_unit(context, seconds));
    let interval = median_at_every_look(&decided, context.now, context.criterion.alpha);
    Standing { n: decided.len() as u64, estimate, interval: interval.map(|end| end.map(|seconds| in_unit(context, seconds))) }
}

fn survival(context: Context<'_>, sessions: &[FirstSession]) -> Option<Survival> {
    let observed: Vec<_> = sessions.iter().map(|session| observed(session, context.now)).collect();
    Survival::of(&observed)
}

fn in_unit(context: Context<'_>, seconds: f64) -> f64 {
    context.shown(seconds * 1e6)
}

/// Where the median lies however often somebody looks, in seconds. Of who is still at it, the low end takes what they waited so
/// far, and the high end that they wait for ever: both can only widen it.
fn median_at_every_look(sessions: &[FirstSession], now: Timestamp, alpha: f64) -> [Option<f64>; 2] {
    let (low, high) = peeking_ranks(sessions.len() as u64, Quantile::P50, alpha);
    let at = |rank: Option<u64>, if_running: fn(f64) -> f64| {
        let time = |observed: Observed| if observed.happened { observed.time } else { if_running(observed.time) };
        let mut waits: Vec<f64> = sessions.iter().map(|session| time(observed(session, now))).collect();
        waits.sort_by(f64::total_cmp);
        let index = usize::try_from(rank?).ok()?.checked_sub(1)?;
        waits.get(index).copied().filter(|wait| wait.is_finite())
    };
    [at(low, |so_far| so_far), at(high, |_| f64::INFINITY)]
}

/// The median as the specification computes it: the middle, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// `part` of `of` in percent; none of nothing.
pub(crate) fn percent(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_microseconds(1_790_000_000_000_000).expect("a moment").saturating_add(Duration::from_secs(seconds))
    }

    fn session(success: Option<u64>, last: Option<u64>, attempts: u64) -> FirstSession {
        let succeeded = u64::from(success.is_some());
        FirstSession { start: at(0), first_success: success.map(at), last: last.map(at), attempts, attempted: attempts, succeeded }
    }

    /// The starters of the reference, section 8: those that it censors are still at it, or gave up.
    #[test]
    fn figures_of_the_specification_and_honest_ones_side_by_side() {
        let successes = [4, 7, 9, 12, 15, 18, 18, 25, 28, 31, 40, 60, 90, 120];
        let mut sessions: Vec<_> = successes.iter().map(|s| session(Some(*s), Some(*s), 2)).collect();
        sessions.extend([22, 45, 60, 120, 300, 300].map(|last| session(None, Some(last), 3)));
        let found = FirstSuccess::of(&sessions, at(86_400));
        assert_eq!((found.starters, found.succeeded, found.gave_up, found.running), (20, 14, 6, 0));
        assert_eq!(found.median_of_successes_s, Some(21.5));
        assert!((found.mean_of_successes_s.expect("a mean") - 34.071_428_571_428_57).abs() < 1e-9);
        assert!((found.within_30s_of_successes_percent.expect("a share") - 64.285_714_285_714_28).abs() < 1e-9);
        assert_eq!((found.within_30s, found.within_30s_of, found.within_30s_percent), (9, 20, Some(45.0)));
        // Ten of twenty had succeeded after 31 seconds.
        assert_eq!(found.median_s, Some(31.0));
        assert_eq!(found.attempts_before_first_success, Some(2.0));
    }

    /// Two of five: the median is not reached, whatever the two took.
    #[test]
    fn whoever_gives_up_counts() {
        let gave_up = [(); 3].map(|()| session(None, Some(9), 1));
        let sessions: Vec<_> = [10, 20].map(|s| session(Some(s), Some(s), 1)).into_iter().chain(gave_up).collect();
        let found = FirstSuccess::of(&sessions, at(86_400));
        assert_eq!((found.median_s, found.median_of_successes_s), (None, Some(15.0)));
    }

    /// Who began ten seconds ago is neither fast nor slow yet; half a minute later, slow; half an hour later, gone.
    #[test]
    fn whoever_is_still_at_it_is_not_counted_yet() {
        let started = [session(None, None, 0)];
        let after = |seconds| {
            let found = FirstSuccess::of(&started, at(seconds));
            (found.running, found.gave_up, found.within_30s_of, found.within_30s_percent)
        };
        assert_eq!(after(10), (1, 0, 0, None));
        assert_eq!(after(31), (1, 0, 1, Some(0.0)));
        assert_eq!(after(1801), (0, 1, 1, Some(0.0)));
        assert_eq!(FirstSuccess::of(&[], at(0)).within_30s_percent, None);
    }
}
