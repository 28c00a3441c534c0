//! Fixed samples, *exams*: their size is recorded before the first event, and the verdict is computed once, when it is reached.
//!
//! Whoever looks once needs fewer events than whoever may look at any time: 59 without a miss prove a P95, where
//! [`crate::always_valid`] needs 72. The price is that the sample stands as it was announced. One that was stopped early or
//! extended is void as proof, since somebody may have chosen when to stop; a complete one never counts as live evidence. So
//! the two modes are never mixed.
//!
//! The test is the exact binomial one, on both sides of the goal `p0`, each with error rate `alpha`: *met* where
//! `P(Binomial(n, p0) >= s) <= alpha` for `s` successes, *missed* where `P(Binomial(n, p0) <= s) <= alpha`. That is the same
//! as asking on which side of the goal the one-sided bounds of Clopper and Pearson (1934) lie, and for a latency, on which
//! side of the limit the rank bounds of [`crate::quantile`] do. So neither can contradict the verdict beside it.
//!
//! Each exam errs with `alpha` on its own: whoever takes one after the other until one is met will find one.
//!
//! What is claimed: something about the rate at which these runs succeed, if each run is a draw of its own with the same
//! rate. What is not claimed: anything about other machines, other times, or people's use.

use crate::{
    Criteria, Criterion, Failures, Goal, Metric, Quantity, Tier, Unit, Verdict,
    always_valid::{COUNT_MAX, Counts, beta, smallest},
    quantile::{self, Quantile},
    rate,
    rule::{severity, target},
    sample::{Total, goal_rate},
    scorecard::{LeftOut, Severity, Target},
};
use milepost_record::{Dimension, Event, Fact, Operation, Outcome, Scalar};
use serde::Serialize;
use std::collections::BTreeMap;

/// A chance that equals `alpha` exactly is small enough, as it is for a single value below the P95 at 95 %; rounding may
/// not decide such ties.
pub(crate) const ROUNDING: f64 = 1e-12;

/// No projection looks further than this: nobody runs more.
const PROJECTION_MAX: u64 = 1_000_000_000;

/// The version of the report's JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// The error rate of intervals beside which no criterion sets one.
const ALPHA_DEFAULT: f64 = 0.05;

/// The verdict on "the rate of successes exceeds `goal`", from a sample whose size was fixed before.
///
/// `goal` and `alpha` lie in (0, 1). Up to `alpha` = 0.5 at most one side is proven.
///
/// ```
/// # use milepost_judge::{Verdict, always_valid::Counts, fixed_sample::verdict};
/// assert_eq!(verdict(Counts { successes: 58, failures: 0 }, 0.95, 0.05), Verdict::NotProven);
/// assert_eq!(verdict(Counts { successes: 59, failures: 0 }, 0.95, 0.05), Verdict::Met);
/// ```
pub fn verdict(counts: Counts, goal: f64, alpha: f64) -> Verdict {
    debug_assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not between 0 and 1");
    if counts.n() == 0 {
        Verdict::NoData
    } else if chance_of_as_many(counts, goal) <= alpha + ROUNDING {
        Verdict::Met
    } else if chance_of_as_few(counts, goal) <= alpha + ROUNDING {
        Verdict::Missed
    } else {
        Verdict::NotProven
    }
}

/// `P(Binomial(n, goal) >= successes)`: how likely so many successes are if the rate only just fails the goal.
pub fn chance_of_as_many(counts: Counts, goal: f64) -> f64 {
    binomial_at_most(counts.failures, counts.n(), 1.0 - goal, goal)
}

/// `P(Binomial(n, goal) <= successes)`: how likely so few successes are if the rate only just reaches the goal.
pub fn chance_of_as_few(counts: Counts, goal: f64) -> f64 {
    binomial_at_most(counts.successes, counts.n(), goal, 1.0 - goal)
}

/// The smallest sample that still proves a rate above `goal` with this many failures in it: the smallest `n` with
/// `P(Binomial(n, 1 - goal) <= failures) <= alpha`.
///
/// Without a failure that is `ln(alpha) / ln(goal)`, rounded up. `goal` and `alpha` lie in (0, 1). At most 2^53.
///
/// ```
/// # use milepost_judge::fixed_sample::smallest_size;
/// assert_eq!([0, 1, 2, 3, 4, 5].map(|failures| smallest_size(0.95, 0.05, failures)), [59, 93, 124, 153, 181, 208]);
/// ```
pub fn smallest_size(goal: f64, alpha: f64, failures: u64) -> u64 {
    debug_assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not between 0 and 1");
    let proves = |n| binomial_at_most(failures, n, 1.0 - goal, goal) <= alpha + ROUNDING;
    smallest(failures, COUNT_MAX, proves).unwrap_or(COUNT_MAX)
}

/// About how large a sample would prove a rate above `goal` if the observed rate were the true one. A projection for whoever
/// plans the next sample, not a promise.
///
/// None where the observed rate is not above the goal, so that no size would do, and where a billion would not do.
pub fn projected_size(counts: Counts, goal: f64, alpha: f64) -> Option<u64> {
    let (n, rate) = (counts.n() as f64, counts.successes as f64 / counts.n() as f64);
    if n == 0.0 || rate <= goal {
        return None;
    }
    // Fractions of a failure, so that the answer does not jump with the rounding of each size.
    let failure_rate = counts.failures as f64 / n;
    let proves = |n: u64| {
        let n = n as f64;
        beta::regularized(n * rate, n * failure_rate + 1.0, goal, 1.0 - goal) <= alpha
    };
    smallest(1, PROJECTION_MAX, proves)
}

/// `P(Binomial(n, p) <= k)` with `rest = 1 - p`.
pub(crate) fn binomial_at_most(k: u64, n: u64, p: f64, rest: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta::regularized((n - k) as f64, k as f64 + 1.0, rest, p)
}

/// A sample as it was announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Its id, which all of its events carry.
    pub id: String,
    /// The operation that is measured.
    pub operation: String,
    /// The implementation that does the work.
    pub backend: Option<String>,
    /// How many events make it complete.
    pub size: u64,
}

/// What a complete sample says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of this format.
    pub schema_version: u32,
    /// The sample.
    pub sample: Sample,
    /// Succeeded.
    pub ok: u64,
    /// Failed, those that ran out of time included.
    pub failed: u64,
    /// Of those that failed, how many ran out of time.
    pub timeouts: u64,
    /// For each goal that the sample can speak to, in the order of the configuration.
    pub exams: Vec<Exam>,
    /// What was observed, whatever the criteria are.
    pub figures: Vec<Figure>,
}

/// What a complete sample says to one goal of a criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exam {
    /// Name of the criterion.
    pub criterion: String,
    /// Its tier.
    pub tier: Option<Tier>,
    /// Whether the criterion demands other things too.
    pub is_part: bool,
    /// The dimension by which the criterion tells events apart, and the sample's value of it; empty where it does not.
    pub group: BTreeMap<String, Option<String>>,
    /// The verdict: never stale.
    pub verdict: Verdict,
    /// How bad a miss is.
    pub severity: Option<Severity>,
    /// What has to hold.
    pub target: Target,
    /// The chance of a wrong verdict that the criterion accepts.
    pub alpha: f64,
    /// What was observed.
    #[serde(flatten)]
    pub figure: Figure,
    /// Of the events that count, how many are within the limit.
    pub successes: u64,
    /// And how many are not.
    pub failures: u64,
    /// What the criterion leaves out, by why.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// The smallest sample that could prove it.
    pub smallest_size: u64,
    /// The smallest sample that would prove it with as many failures; null where it is proven.
    pub smallest_size_with_failures: Option<u64>,
    /// About how large a sample would prove it at the observed rate; null where it is proven, and where no size would do.
    pub projected_size: Option<u64>,
}

/// A metric of a sample, with its bounds. All bounds are for one look at a fixed size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The metric.
    pub metric: String,
    /// Unit of the values.
    pub unit: String,
    /// How many events it rests on.
    pub n: u64,
    /// What was observed; null where failures decide it, so that it has no finite value.
    pub estimate: Option<f64>,
    /// Where the true value lies; null on a side without a bound.
    pub interval: [Option<f64>; 2],
    /// It is no less than this, taken for itself; null without a bound, and where so many fail that the bound has no finite value.
    pub at_least: Option<f64>,
    /// It is no more than this, taken for itself; null without a bound.
    pub at_most: Option<f64>,
}

/// What a sample that is still to be taken could prove of one goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    /// Name of the criterion.
    pub criterion: String,
    /// The metric.
    pub metric: String,
    /// What has to hold.
    pub target: Target,
    /// The smallest sample that could prove it.
    pub smallest_size: u64,
}

/// The goals that a sample of events like this one could speak to, before it is taken.
#[must_use]
pub fn prospects(criteria: &Criteria, like: &Event) -> Vec<Prospect> {
    let prospect = |subject: Subject<'_>| Prospect {
        criterion: subject.criterion.name.clone(),
        metric: subject.goal.metric.to_string(),
        target: target(subject.goal, subject.limit),
        smallest_size: smallest_size(subject.rate, subject.criterion.alpha, 0),
    };
    subjects(criteria, like).into_iter().map(prospect).collect()
}

/// What the runs of a complete sample say to the criteria. `like` is any of its events, by which criteria select them.
#[must_use]
pub fn report(sample: Sample, criteria: &Criteria, like: &Event, runs: &[Operation]) -> Report {
    let with = |outcome: Outcome| runs.iter().filter(|run| run.outcome == outcome).count() as u64;
    let total = Total::of_each(runs, |_| true);
    let latency = [Quantile::P50, Quantile::P95, Quantile::P99].map(Metric::Latency);
    let figures = [Metric::SuccessRate].into_iter().chain(latency);
    Report {
        schema_version: SCHEMA_VERSION,
        sample,
        ok: with(Outcome::Ok),
        failed: with(Outcome::Failed) + with(Outcome::Timeout),
        timeouts: with(Outcome::Timeout),
        exams: subjects(criteria, like).into_iter().map(|subject| exam(&subject, runs)).collect(),
        figures: figures
            .map(|metric| {
                let unit = metric.family().unwrap_or(crate::Family::Number).usual_unit();
                figure(&metric, unit, &total, Failures::Slow, ALPHA_DEFAULT)
            })
            .collect(),
    }
}

/// One goal, as far as one sample can speak to it.
struct Subject<'a> {
    criterion: &'a Criterion,
    goal: &'a Goal,
    group: BTreeMap<String, Option<String>>,
    limit: Quantity,
    /// The share of events that has to be within the limit.
    rate: f64,
}

/// The goals about latency or success that events like this one count for: what people do and understand is in no run of a probe,
/// and peaks of memory are not known of each. Where events come from is passed over where the criterion is about people's use: that
/// is what a probe stands in for.
fn subjects<'a>(criteria: &'a Criteria, like: &Event) -> Vec<Subject<'a>> {
    let of_goal = |criterion: &'a Criterion, goal: &'a Goal| {
        let selects = goal.filter.iter().all(|(dimension, values)| {
            let stands_in = *dimension == Dimension::Origin && values.contains("use");
            stands_in || value(criteria, like, dimension).is_some_and(|value| values.contains(&value))
        });
        let name = goal.for_each.as_ref().and_then(|dimension| value(criteria, like, dimension));
        let named = goal.named_groups();
        let is_judged = goal.for_each.is_none() || named.is_empty() || name.as_deref().is_some_and(|name| named.contains(&name));
        let limit = goal.limit_of(name.as_deref()).filter(|_| selects && is_judged)?;
        let rate = goal_rate(&goal.metric, Some(limit)).filter(|_| matches!(goal.metric, Metric::Latency(_) | Metric::SuccessRate))?;
        let group = goal.for_each.iter().map(|dimension| (dimension.to_string(), name.clone())).collect();
        Some(Subject { criterion, goal, group, limit, rate })
    };
    let goals = criteria.criteria.iter().flat_map(|criterion| criterion.goals.iter().map(move |goal| (criterion, goal)));
    goals.filter_map(|(criterion, goal)| of_goal(criterion, goal)).collect()
}

/// What an event has of a dimension, as the store sees it.
fn value(criteria: &Criteria, event: &Event, dimension: &Dimension) -> Option<String> {
    let operation = if let Fact::Operation(operation) = &event.fact { Some(operation) } else { None };
    match dimension {
        Dimension::Operation => operation.map(|o| criteria.aliases.get(&o.operation).unwrap_or(&o.operation).clone()),
        Dimension::Backend => operation.and_then(|o| o.backend.clone()),
        Dimension::Persona => event.persona.clone(),
        Dimension::User => event.user.clone(),
        Dimension::Session => event.session.clone(),
        Dimension::Version => event.version.clone(),
        Dimension::Commit => event.commit.clone(),
        Dimension::Host => event.host.clone(),
        Dimension::Origin => event.origin.map(|origin| origin.name().to_owned()),
        Dimension::Attribute(name) => event.attributes.get(name).map(|value| match value {
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
            Scalar::Text(value) => value.clone(),
        }),
        Dimension::Process | Dimension::Arm | Dimension::Modality | Dimension::Scope | Dimension::Source => None,
    }
}

fn exam(subject: &Subject<'_>, runs: &[Operation]) -> Exam {
    let Subject { criterion, goal, group, limit, rate } = subject;
    let alpha = criterion.alpha;
    let total = Total::of_each(runs, |duration| goal.relation.holds(duration as f64, limit.base()));
    let counts = total.counts(&goal.metric, goal.failures);
    let verdict = verdict(counts, *rate, alpha);
    let figure = figure(&goal.metric, goal.unit(), &total, goal.failures, alpha);
    let is_open = verdict == Verdict::NotProven;
    Exam {
        criterion: criterion.name.clone(),
        tier: criterion.tier,
        is_part: criterion.goals.len() > 1,
        group: group.clone(),
        verdict,
        severity: (verdict == Verdict::Missed).then(|| severity(goal, figure.estimate)),
        target: target(goal, *limit),
        alpha,
        figure,
        successes: counts.successes,
        failures: counts.failures,
        left_out: total.left_out(&goal.metric, goal.failures),
        smallest_size: smallest_size(*rate, alpha, 0),
        smallest_size_with_failures: is_open.then(|| smallest_size(*rate, alpha, counts.failures)),
        projected_size: projected_size(counts, *rate, alpha).filter(|_| is_open),
    }
}

fn figure(metric: &Metric, unit: Unit, total: &Total, failures: Failures, alpha: f64) -> Figure {
    let counts = total.counts(metric, failures);
    let (n, confidence) = (counts.n(), 1.0 - alpha);
    let shown = |value: Option<f64>| value.map(|value| unit.of_base(value));
    let (interval, at_least, at_most) = match metric {
        Metric::Latency(q) => {
            let at = |rank: Option<u64>| shown(rank.and_then(|rank| total.value_at(rank)));
            let (low, high) = quantile::two_sided_ranks(n, *q, confidence);
            ([at(low), at(high)], at(quantile::lower_rank(n, *q, confidence)), at(quantile::upper_rank(n, *q, confidence)))
        }
        _ => {
            let both = rate::clopper_pearson(counts, confidence);
            let [low, high] = [0, 1].map(|side| shown(both.and_then(|both| both.get(side).copied())));
            ([low, high], shown(rate::clopper_pearson_lower(counts, confidence)), shown(rate::clopper_pearson_upper(counts, confidence)))
        }
    };
    let estimate = shown(total.estimate(metric, failures));
    Figure { metric: metric.to_string(), unit: unit.name().to_owned(), n, estimate, interval, at_least, at_most }
}
