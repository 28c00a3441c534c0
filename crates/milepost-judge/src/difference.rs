//! By how much one rate exceeds another, looked at however often: the difference between the two arms of an experiment.
//!
//! For each rate `p` of an arm, `M(p)` is the likelihood of the arm's events under a mixture of all rates, weighted by
//! Beta(1/2, 1/2), over their likelihood under `p`: a martingale of mean 1 at the true rate (Robbins 1970). The product of
//! both arms' is one at the true pair, whatever their sizes and however they interleave. The least product over all pairs
//! that differ by `delta` is the evidence against that difference (universal inference: Wasserman, Ramdas and Balakrishnan
//! 2020, PNAS 117), and reaches `1/alpha` ever with probability at most `alpha` (Ville 1939).
//!
//! What is assumed: each arm has one rate, which does not change. Where rates drift, the claim needs arms that run at the
//! same time, with people assigned at random. Differences lie between -1 and 1.

use crate::{
    always_valid::{Counts, beta, last_before, ln_threshold, smallest},
    rate::wilson,
};
use std::f64::consts::PI;

/// Steps of the golden section: each leaves 0.618 of the interval, these a part in 1e14.
const STEPS: u32 = 68;
/// No projection looks further ahead than this many events.
const PROJECTION_MAX: u64 = 1_000_000_000;

/// The observed difference: the rate of `a` less that of `b`. None where one of them has no events.
#[must_use]
pub fn estimate(a: Counts, b: Counts) -> Option<f64> {
    Some(Arm::of(a).rate()? - Arm::of(b).rate()?)
}

/// Evidence against "the rate of `a` less the rate of `b` is `delta`": `ln E`, 0 or less without events.
///
/// Convex in `delta`, and negative at the observed difference. So where the observed difference exceeds `delta`, it speaks
/// against every smaller difference at least as much, and proves "more than `delta`" where it reaches
/// [`ln_threshold`]; and likewise below. `delta` lies strictly between -1 and 1.
#[must_use]
pub fn ln_e(a: Counts, b: Counts, delta: f64) -> f64 {
    Pair { a: Arm::of(a), b: Arm::of(b) }.ln_e(delta)
}

/// Whether the difference is proven to be above `delta`.
#[must_use]
pub fn is_above(a: Counts, b: Counts, delta: f64, alpha: f64) -> bool {
    Pair { a: Arm::of(a), b: Arm::of(b) }.is_above(delta, alpha)
}

/// Whether the difference is proven to be below `delta`.
#[must_use]
pub fn is_below(a: Counts, b: Counts, delta: f64, alpha: f64) -> bool {
    is_above(b, a, -delta, alpha)
}

/// The differences that the events so far leave possible, `[low, high]`: with probability `1 - alpha` they contain the true
/// one at every look. None where an arm has no events.
#[must_use]
pub fn interval(a: Counts, b: Counts, alpha: f64) -> Option<[f64; 2]> {
    let (difference, threshold) = (estimate(a, b)?, ln_threshold(alpha));
    let reach = |a, b, difference: f64| last_before(0.0, 1.0 - difference, |away| ln_e(a, b, difference + away) >= threshold);
    Some([difference - reach(b, a, -difference), difference + reach(a, b, difference)])
}

/// Two-sided interval for one look at a closed experiment, by the square-and-add method on Wilson's intervals (Newcombe 1998,
/// Statistics in Medicine 17, method 10). For comparison; not a verdict. None where an arm has no events.
#[must_use]
pub fn newcombe(a: Counts, b: Counts, confidence: f64) -> Option<[f64; 2]> {
    let (rate_a, rate_b) = (Arm::of(a).rate()?, Arm::of(b).rate()?);
    let ([low_a, high_a], [low_b, high_b]) = (wilson(a, confidence)?, wilson(b, confidence)?);
    let difference = rate_a - rate_b;
    Some([difference - (rate_a - low_a).hypot(high_b - rate_b), difference + (high_a - rate_a).hypot(rate_b - low_b)])
}

/// The fewest further events, shared evenly between the arms, that could prove a difference above `delta`: from now on
/// nothing but successes in `a`, and nothing but failures in `b`.
#[must_use]
pub fn at_least_more(a: Counts, b: Counts, delta: f64, alpha: f64) -> Option<u64> {
    let (a, b) = (Arm::of(a), Arm::of(b));
    let each = smallest(0, PROJECTION_MAX, |more| {
        let more = more as f64;
        Pair { a: Arm { successes: a.successes + more, ..a }, b: Arm { failures: b.failures + more, ..b } }.is_above(delta, alpha)
    });
    each.map(|each| 2 * each)
}

/// How many further events prove a difference above `delta` if the observed rates, and the sizes of the arms to each other,
/// go on as they are. A projection, not a promise; none where the observed difference is not above it.
#[must_use]
pub fn projected_more(a: Counts, b: Counts, delta: f64, alpha: f64) -> Option<u64> {
    if estimate(a, b)? <= delta {
        return None;
    }
    let (a, b) = (Arm::of(a), Arm::of(b));
    let n = a.n() + b.n();
    smallest(0, PROJECTION_MAX, |more| {
        let growth = 1.0 + more as f64 / n;
        Pair { a: a.times(growth), b: b.times(growth) }.is_above(delta, alpha)
    })
}

/// How often something went well in one arm and how often not; a projection may make it fractional.
#[derive(Clone, Copy)]
struct Arm {
    successes: f64,
    failures: f64,
}

impl Arm {
    fn of(counts: Counts) -> Self {
        Self { successes: counts.successes as f64, failures: counts.failures as f64 }
    }

    fn n(self) -> f64 {
        self.successes + self.failures
    }

    fn times(self, growth: f64) -> Self {
        Self { successes: self.successes * growth, failures: self.failures * growth }
    }

    fn rate(self) -> Option<f64> {
        (self.n() > 0.0).then(|| self.successes / self.n())
    }

    /// `ln M`, as a function of the rate. By way of a rate close to the observed one, so that for many events no large numbers are
    /// subtracted; what does not depend on the rate is computed once.
    fn ln_m(self) -> impl Fn(f64) -> f64 {
        let Self { successes, failures } = self;
        let (a, b) = (successes + 0.5, failures + 0.5);
        let (near, rest) = (a / (a + b), b / (a + b));
        let weighted = |n: f64, ratio: f64| if n == 0.0 { 0.0 } else { n * ratio.ln() };
        let at_near = beta::ln_whole(a, b, near, rest) + 0.5 * (near * rest).ln() - PI.ln();
        move |rate| at_near + weighted(successes, near / rate) + weighted(failures, rest / (1.0 - rate))
    }
}

#[derive(Clone, Copy)]
struct Pair {
    a: Arm,
    b: Arm,
}

impl Pair {
    /// The least over all rates of `b`: a golden section, since the sum is convex in them.
    fn ln_e(self, delta: f64) -> f64 {
        let (of_a, of_b) = (self.a.ln_m(), self.b.ln_m());
        let sum = |rate_b: f64| of_a((rate_b + delta).clamp(0.0, 1.0)) + of_b(rate_b);
        let (mut low, mut high) = ((-delta).max(0.0), (1.0 - delta).min(1.0));
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut at_left, mut at_right) = (sum(left), sum(right));
        for _ in 0..STEPS {
            if at_left <= at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - ratio * (high - low);
                at_left = sum(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + ratio * (high - low);
                at_right = sum(right);
            }
        }
        at_left.min(at_right)
    }

    fn is_above(self, delta: f64, alpha: f64) -> bool {
        let difference = self.a.rate().zip(self.b.rate()).map(|(a, b)| a - b);
        difference.is_some_and(|difference| difference > delta) && self.ln_e(delta) >= ln_threshold(alpha)
    }
}
