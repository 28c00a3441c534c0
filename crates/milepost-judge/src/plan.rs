//! How many events it takes: the chance that a verdict is there by then, if the rate is truly so and so.
//!
//! For whoever plans: a criterion that no realistic number of events can decide is worth another target, and a fixed sample is
//! worth its discipline where events are dear. Both chances are exact, not simulated, for events that are draws of their own:
//!
//! - *live*, looked at after each event: the random walk of the counts (Wald 1947), stopped where [`crate::always_valid`] first
//!   proves something. That is the first verdict; the chance of a wrong one is in it.
//! - *fixed sample*, looked at once, when `n` is reached: the tail of the binomial distribution beyond what
//!   [`crate::fixed_sample`] demands. Exact tests of a discrete count are not monotone: one event more can prove a little less.
//!
//! The guard of [`EVENTS_MIN`] is in the live chances, the one of two days is not: it can only delay.

use crate::{
    Criterion, EVENTS_MIN, Goal, Metric, Verdict,
    always_valid::{Counts, Mixture, ln_threshold},
    fixed_sample::{self, binomial_at_most},
    sample::goal_rate,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// No plan looks further than this number of events.
pub const SIZE_MAX: u64 = 5_000;

/// The numbers of events of a plan, in order.
pub const SIZES: [u64; 7] = [50, 100, 200, 500, 1000, 2000, SIZE_MAX];

/// How far on the way from the goal to 1 the rates lie that a plan expects, where nobody says what to expect.
const EXPECTED: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

/// Where less chance than this is left, the walk is cut: it adds up to less than 1e-9 over [`SIZE_MAX`] steps.
const NEGLIGIBLE: f64 = 1e-14;

/// How many events a goal takes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// The metric.
    pub metric: String,
    /// The groups that it is about, where others demand another rate; empty for all.
    pub groups: Vec<String>,
    /// What is counted: `operations`, `interactions` or `people`.
    pub unit: String,
    /// The share of them that has to be good for the goal to hold.
    pub goal_rate: f64,
    /// The error rate of the criterion.
    pub alpha: f64,
    /// For each expected rate, in rising order, the chances.
    pub expectations: Vec<Expectation>,
}

/// The chances if the rate is truly so.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Expectation {
    /// The expected share of good events.
    pub rate: f64,
    /// For each number of events, in rising order, the chances.
    pub chances: Vec<Chance>,
}

/// The chances that something is proven by `n` events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Chance {
    /// How many events, from nothing.
    pub n: u64,
    /// Looked at after each event: that the first verdict is *met*, and is there by then.
    pub live_met: f64,
    /// Looked at after each event: that the first verdict is *missed*, and is there by then.
    pub live_missed: f64,
    /// As a fixed sample of this size: that it is *met*.
    pub fixed_met: f64,
    /// As a fixed sample of this size: that it is *missed*.
    pub fixed_missed: f64,
}

/// An expectation that no plan can be made for.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("an expected rate lies between 0 and 1 (0% and 100%); {0} does not")]
pub struct NoRate(pub f64);

/// The plans of each criterion: one for each goal, and for each rate that it demands of groups. Goals that are not decided by the
/// rate of good events have none.
///
/// `expected` are the rates to expect; empty for five of them between the goal and 1.
///
/// # Errors
/// For a rate outside 0 to 1.
pub fn plans(criteria: &[Criterion], expected: &[f64]) -> Result<Vec<Vec<Plan>>, NoRate> {
    if let Some(wrong) = expected.iter().find(|rate| !(0.0..=1.0).contains(*rate)) {
        return Err(NoRate(*wrong));
    }
    // Most criteria demand one of a few rates.
    let mut known = Known::new();
    let of = |criterion: &Criterion| criterion.goals.iter().flat_map(|goal| of_goal(goal, criterion.alpha, expected, &mut known)).collect();
    Ok(criteria.iter().map(of).collect())
}

/// What was worked out for a rate that is demanded and an error rate.
type Known = BTreeMap<(u64, u64), Vec<Expectation>>;

fn of_goal(goal: &Goal, alpha: f64, expected: &[f64], known: &mut Known) -> Vec<Plan> {
    let demands = std::iter::once((None, goal.limit)).chain(goal.limits.iter().map(|(group, limit)| (Some(group), Some(*limit))));
    let mut rates: Vec<(f64, Vec<String>)> = Vec::new();
    for (group, limit) in demands {
        let Some(rate) = goal_rate(&goal.metric, limit).filter(|rate| *rate > 0.0 && *rate < 1.0) else { continue };
        match rates.iter_mut().find(|(other, _)| *other == rate) {
            Some((_, groups)) => groups.extend(group.cloned()),
            None => rates.push((rate, group.cloned().into_iter().collect())),
        }
    }
    let one_for_all = rates.len() == 1;
    let plan = |(goal_rate, groups): (f64, Vec<String>)| {
        let mut rates: Vec<f64> =
            if expected.is_empty() { EXPECTED.map(|share| goal_rate + share * (1.0 - goal_rate)).to_vec() } else { expected.to_vec() };
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        Plan {
            metric: goal.metric.to_string(),
            groups: if one_for_all { Vec::new() } else { groups },
            unit: unit(&goal.metric).to_owned(),
            goal_rate,
            alpha,
            expectations: known
                .entry((goal_rate.to_bits(), alpha.to_bits()))
                .or_insert_with(|| chances(goal_rate, alpha, &rates, &SIZES))
                .clone(),
        }
    };
    rates.into_iter().map(plan).collect()
}

const fn unit(metric: &Metric) -> &'static str {
    match metric {
        Metric::LearningAccuracy | Metric::VoiceAccuracy => "interactions",
        Metric::FirstSuccess | Metric::RetentionWeek4 => "people",
        _ => "operations",
    }
}

/// For each of `rates` the chances of verdicts on "the rate exceeds `goal`" by each of `sizes`; these rise, to at most
/// [`SIZE_MAX`].
#[must_use]
pub fn chances(goal: f64, alpha: f64, rates: &[f64], sizes: &[u64]) -> Vec<Expectation> {
    let sizes: Vec<u64> = sizes.iter().map(|size| (*size).min(SIZE_MAX)).collect();
    let bounds = Bounds::new(goal, alpha, sizes.last().copied().unwrap_or(0));
    let fixed: Vec<_> = sizes.iter().map(|size| Demanded::of(goal, alpha, *size)).collect();
    let of_rate = |rate: &f64| {
        let live = bounds.walk(*rate, &sizes);
        let chance = |((n, (live_met, live_missed)), demanded): ((&u64, (f64, f64)), &Demanded)| {
            let (fixed_met, fixed_missed) = demanded.chances(*n, *rate);
            Chance { n: *n, live_met, live_missed, fixed_met, fixed_missed }
        };
        Expectation { rate: *rate, chances: sizes.iter().zip(live).zip(&fixed).map(chance).collect() }
    };
    rates.iter().map(of_rate).collect()
}

/// For each number of events `n` (the index): up to how many failures it is *met*, and from how many it is *missed*.
struct Bounds {
    met_up_to: Vec<Option<u64>>,
    missed_from: Vec<Option<u64>>,
}

impl Bounds {
    fn new(goal: f64, alpha: f64, n_max: u64) -> Self {
        let threshold = ln_threshold(alpha);
        let (above, below) = (Mixture::above(goal), Mixture::below(goal));
        let is_met = |n: u64, failures: u64| above.ln_e((n - failures) as f64, failures as f64) >= threshold;
        let is_missed = |n: u64, failures: u64| below.ln_e(failures as f64, (n - failures) as f64) >= threshold;
        let (mut met, mut missed) = (None, 0);
        let mut bounds = Self { met_up_to: Vec::new(), missed_from: Vec::new() };
        for n in 0..=n_max {
            // Both rise with `n`: an event more never takes away more than a failure less gives.
            let next = |met: Option<u64>| met.map_or(0, |met| met + 1);
            while next(met) <= n && is_met(n, next(met)) {
                met = Some(next(met));
            }
            while missed <= n && !is_missed(n, missed) {
                missed += 1;
            }
            let decides = n >= EVENTS_MIN;
            bounds.met_up_to.push(met.filter(|_| decides));
            bounds.missed_from.push(Some(missed).filter(|missed| decides && *missed <= n));
        }
        bounds
    }

    /// At each of `sizes`, with what chance the walk has ended in *met* and in *missed*.
    fn walk(&self, rate: f64, sizes: &[u64]) -> Vec<(f64, f64)> {
        // The chance of each number of failures, from `first` on, among walks without a verdict.
        let (mut first, mut open) = (0, vec![1.0]);
        let (mut met, mut missed) = (0.0, 0.0);
        let mut ended = Vec::with_capacity(sizes.len());
        let mut wanted = sizes.iter().peekable();
        for (n, (met_up_to, missed_from)) in (0_u64..).zip(self.met_up_to.iter().zip(&self.missed_from)) {
            if n > 0 {
                step(&mut open, rate);
            }
            let below = met_up_to.map_or(0, |met| (met + 1).saturating_sub(first));
            for chance in open.drain(..as_index(below).min(open.len())) {
                met += chance;
                first += 1;
            }
            let above = missed_from.map_or(u64::MAX, |missed| missed.saturating_sub(first));
            missed += open.drain(as_index(above).min(open.len())..).sum::<f64>();
            let negligible = open.iter().take_while(|chance| **chance < NEGLIGIBLE).count();
            first += open.drain(..negligible).count() as u64;
            while open.last().is_some_and(|chance| *chance < NEGLIGIBLE) {
                open.pop();
            }
            while wanted.next_if(|size| **size == n).is_some() {
                ended.push((met, missed));
            }
        }
        ended
    }
}

/// One event more: a failure moves a walk on by one.
fn step(open: &mut Vec<f64>, rate: f64) {
    open.push(0.0);
    for failures in (0..open.len()).rev() {
        let failed = failures.checked_sub(1).map_or(0.0, |fewer| open[fewer]);
        open[failures] = open[failures] * rate + failed * (1.0 - rate);
    }
}

fn as_index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What a fixed sample demands: up to how many failures it is *met*, and from how many *missed*.
struct Demanded {
    met_up_to: Option<u64>,
    missed_from: Option<u64>,
}

impl Demanded {
    fn of(goal: f64, alpha: f64, n: u64) -> Self {
        let verdict = |failures: u64| fixed_sample::verdict(Counts { successes: n - failures, failures }, goal, alpha);
        // How many numbers of failures, from none on, have it.
        let first_without = |holds: &dyn Fn(u64) -> bool| {
            let (mut low, mut high) = (0, n + 1);
            while low < high {
                let middle = low + (high - low) / 2;
                if holds(middle) { low = middle + 1 } else { high = middle }
            }
            low
        };
        let met = first_without(&|failures| verdict(failures) == Verdict::Met);
        let not_missed = first_without(&|failures| verdict(failures) != Verdict::Missed);
        Self { met_up_to: met.checked_sub(1), missed_from: (not_missed <= n && n > 0).then_some(not_missed) }
    }

    fn chances(&self, n: u64, rate: f64) -> (f64, f64) {
        let met = self.met_up_to.map_or(0.0, |failures| binomial(failures, n, 1.0 - rate));
        // As many failures are as few successes.
        let missed = self.missed_from.map_or(0.0, |failures| binomial(n - failures, n, rate));
        (met, missed)
    }
}

/// `P(Binomial(n, p) <= k)`, at the ends too.
fn binomial(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 {
        1.0
    } else if p >= 1.0 {
        if k >= n { 1.0 } else { 0.0 }
    } else {
        binomial_at_most(k, n, p, 1.0 - p)
    }
}
