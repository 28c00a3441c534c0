//! Judges one rate against a goal so that the verdict stays honest however often somebody looks at it.
//!
//! An ordinary test is meant for one look at the end. Whoever looks after each event and stops at the first good moment
//! will nearly always find one. The tests here keep their error rate over all looks together: `E` measures the evidence
//! against one hypothesis, and while that hypothesis is true, `E` ever reaches `1/alpha` with probability at most
//! `alpha` (Ville 1939). `E_above` speaks against "the rate is at or below the goal", `E_below` against "at or above".
//!
//! What is claimed: the average rate over the events counted, from the first one on, lies above (or below) the goal.
//! Events need not be independent, and the rate may drift. What is not claimed: anything about users, hours or
//! commands that are not among the events, or about the next event.
//!
//! `E` is a mixture of likelihood ratios (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021) over the rates on
//! one side of the goal `p0`, weighted by Beta(10 p0, 10 (1 - p0)). The weights were chosen once, before any data; a
//! weight that is tuned to the data would void the guarantee.

pub(crate) mod beta;

use crate::Verdict;

/// How many events the weights of the mixture are worth. Small, so that data outweigh it soon; never to be tuned.
const PRIOR_EVENTS: f64 = 10.0;

/// No projection looks further ahead than this many events.
const PROJECTION_MAX: u64 = 1_000_000_000;

/// Counts are exact as `f64` up to here, and so are the statements about them.
pub(crate) const COUNT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;

/// A goal closer than this to 0 or 1 could only be judged from more events than anybody has.
const GOAL_MIN: f64 = 1e-12;

/// How often something went well and how often it did not.
///
/// Which outcome is a success is up to the criterion; for a goal "rate below p" count the failures as successes
/// ([`Counts::swapped`]) and use `1 - p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events that went well.
    pub successes: u64,
    /// Events that did not.
    pub failures: u64,
}

impl Counts {
    /// The number of events.
    pub fn n(self) -> u64 {
        self.successes.saturating_add(self.failures)
    }

    /// The share of successes; none without events.
    pub fn rate(self) -> Option<f64> {
        (self.n() > 0).then(|| self.successes as f64 / self.n() as f64)
    }

    /// These events and others.
    #[must_use]
    pub fn and(self, other: Counts) -> Counts {
        Counts { successes: self.successes.saturating_add(other.successes), failures: self.failures.saturating_add(other.failures) }
    }

    /// Counts one more event.
    pub fn add(&mut self, success: bool) {
        let of = if success { &mut self.successes } else { &mut self.failures };
        *of = of.saturating_add(1);
    }

    /// The same events seen from the other side: failures as successes.
    pub fn swapped(self) -> Counts {
        Counts { successes: self.failures, failures: self.successes }
    }
}

/// Evidence that the rate of successes is above `goal`: `ln E` against "at or below".
///
/// `E` is the weighted mean of `(q/goal)^s ((1-q)/(1-goal))^f` over all rates `q` above the goal, for `s` successes and
/// `f` failures (Robbins 1970). Without events it is 1, so the answer is 0; the answer is always finite.
///
/// `goal` lies strictly between 0 and 1, by at least 1e-12. Any other value is a mistake of the caller, and then the
/// answer is minus infinity: nothing is proven. Up to ten million events and for goals from 1e-6 to 1 - 1e-6 the error
/// is below 1e-9, or 1e-13 of a large value.
pub fn ln_e_above(counts: Counts, goal: f64) -> f64 {
    Mixture::above(goal).ln_e(counts.successes as f64, counts.failures as f64)
}

/// Evidence that the rate of successes is below `goal`: `ln E` against "at or above".
///
/// Domain, accuracy and the answer without events are those of [`ln_e_above`]. For the same events at most one of the
/// two exceeds 0, so a goal is never proven met and missed together.
pub fn ln_e_below(counts: Counts, goal: f64) -> f64 {
    Mixture::below(goal).ln_e(counts.failures as f64, counts.successes as f64)
}

/// What `ln E` has to reach for a proof with error rate `alpha`: `ln(1/alpha)`, for `alpha` in (0, 1).
pub fn ln_threshold(alpha: f64) -> f64 {
    debug_assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not between 0 and 1");
    -alpha.ln()
}

/// The fewest further events that could prove a rate above `goal`: see [`Test::at_least_more`].
pub fn at_least_more(counts: Counts, goal: f64, alpha: f64) -> u64 {
    Test::of(counts, goal).at_least_more(alpha)
}

/// How many further events prove a rate above `goal` if the observed rate continues: see [`Test::projected_more`].
pub fn projected_more(counts: Counts, goal: f64, alpha: f64) -> Option<u64> {
    Test::of(counts, goal).projected_more(alpha)
}

/// The test of a rate against a goal after so many events, for whoever asks several things of it: what the answers share is worked
/// out once. Met is above the goal.
pub struct Test {
    counts: Counts,
    mixture: Mixture,
    ln_e: f64,
}

impl Test {
    /// Of the rate of successes; `goal` lies in (0, 1).
    #[must_use]
    pub fn of(counts: Counts, goal: f64) -> Self {
        let mixture = Mixture::above(goal);
        Self { counts, ln_e: mixture.ln_e(counts.successes as f64, counts.failures as f64), mixture }
    }

    /// What is proven, if anything is, with error rate `alpha` for each of the two. `alpha` lies in (0, 1).
    #[must_use]
    pub fn verdict(&self, alpha: f64) -> Option<Verdict> {
        let threshold = ln_threshold(alpha);
        if self.ln_e >= threshold {
            Some(Verdict::Met)
        } else if ln_e_below(self.counts, self.mixture.goal) >= threshold {
            Some(Verdict::Missed)
        } else {
            None
        }
    }

    /// The fewest further events that could prove that it is met: from now on nothing but successes.
    ///
    /// 0 when it is proven already; never above 2^53, where counts stop being exact. `alpha` lies in (0, 1).
    #[must_use]
    pub fn at_least_more(&self, alpha: f64) -> u64 {
        self.further(alpha, [1.0, 0.0], COUNT_MAX).unwrap_or(COUNT_MAX)
    }

    /// How many further events prove that if the observed rate continues. A projection, not a promise.
    ///
    /// None when the observed rate is not above the goal (or there are no events), so that no number of events would do,
    /// and when it is so little above that a billion more would not do. `alpha` lies in (0, 1).
    #[must_use]
    pub fn projected_more(&self, alpha: f64) -> Option<u64> {
        let (n, rate) = (self.counts.n() as f64, self.counts.rate()?);
        if rate <= self.mixture.goal {
            return None;
        }
        self.further(alpha, [rate, self.counts.failures as f64 / n], PROJECTION_MAX)
    }

    /// The fewest further events that prove that, each of which counts as so much of a success and of a failure.
    fn further(&self, alpha: f64, each: [f64; 2], limit: u64) -> Option<u64> {
        let (counts, goal, threshold) = (self.counts, self.mixture.goal, ln_threshold(alpha));
        if self.ln_e >= threshold {
            return Some(0);
        }
        let after = |more: f64| [counts.successes as f64 + more * each[0], counts.failures as f64 + more * each[1]];
        let ln_e = |more: u64| {
            let [successes, failures] = after(more as f64);
            self.mixture.ln_e(successes, failures)
        };
        // About there: where the successes lead those of the goal by as many standard deviations as the evidence demands.
        let (n, lead) = (counts.n() as f64, each[0] - goal);
        let mut about = 0.0_f64;
        for _ in 0..6 {
            let deviation = ((n + about) * goal * (1.0 - goal)).sqrt();
            let ahead = deviation * (2.0 * (threshold + ln_penalty(n + about))).sqrt();
            about = (goal * n - counts.successes as f64 + ahead).max(0.0) / lead;
        }
        // What one more event adds to the evidence there.
        let slope = |more: u64| {
            let [successes, failures] = after(more as f64);
            let rate = (successes + PRIOR_EVENTS * goal) / (successes + failures + PRIOR_EVENTS);
            each[0] * (rate / goal).ln() + each[1] * ((1.0 - rate) / (1.0 - goal)).ln()
        };
        // What is too large for a count becomes the largest one.
        smallest_near(about as u64, limit, |more| ln_e(more) - threshold, slope)
    }
}

/// The rates that the events so far leave possible, `[low, high]` with `0 <= low <= high <= 1`, for display while the
/// events still come in: with probability `1 - alpha` it contains the rate at every look.
///
/// All rates `p` with `ln_e_above(p)` and `ln_e_below(p)` below `ln(2/alpha)` (a confidence sequence: Howard, Ramdas,
/// McAuliffe and Sekhon 2021). Unlike the verdict it assumes that the rate does not change. Without events it is
/// `[0, 1]`. `alpha` lies in (0, 1). At 10 000 events it takes some 3 µs, a verdict less than one.
pub fn rate_interval(counts: Counts, alpha: f64) -> [f64; 2] {
    let threshold = ln_threshold(alpha / 2.0);
    let low = |counts: Counts| {
        let rate = match counts.rate() {
            None | Some(0.0) => return 0.0,
            Some(rate) => rate.min(1.0 - GOAL_MIN),
        };
        interval_end(counts, rate, threshold).unwrap_or_else(|| last_before(GOAL_MIN, rate, |p| ln_e_above(counts, p) < threshold))
    };
    [low(counts), 1.0 - low(counts.swapped())]
}

/// The rate below the observed one at which the evidence that the rate is above it falls to the threshold, to 1e-9 relative or
/// 1e-15; none where it is not found in a few steps.
///
/// The evidence is nearly the likelihood ratio `n KL(rate, p)` less a penalty that hardly depends on `p`, and its square root is
/// nearly linear in `p`. So this begins where the ratio exceeds the threshold by about the penalty, takes a step by the slope of
/// the ratio, and goes on by secants of the square root.
fn interval_end(counts: Counts, rate: f64, threshold: f64) -> Option<f64> {
    let n = counts.n() as f64;
    let begin = likelihood_bound(rate, (threshold + ln_penalty(n)) / n);
    let is_inside = |p: f64| p > GOAL_MIN && p < rate;
    if !is_inside(begin) {
        return None;
    }
    let ratio = n * divergence(rate, begin);
    let penalty = ratio - ln_e_above(counts, begin);
    let goal = (threshold + penalty).sqrt();
    let excess = |p: f64| (ln_e_above(counts, p) + penalty).sqrt() - goal;
    let (mut last, mut excess_last) = (begin, ratio.sqrt() - goal);
    let mut p = begin + excess_last * 2.0 * ratio.sqrt() * begin * (1.0 - begin) / (n * (rate - begin));
    if !is_inside(p) {
        return None;
    }
    for _ in 0..12 {
        let excess_p = excess(p);
        if excess_p == 0.0 {
            return Some(p);
        }
        let next = p - excess_p * (p - last) / (excess_p - excess_last);
        if !is_inside(next) {
            return None;
        }
        // A secant leaves less than the product of the two errors before it, in units of how far the curve reaches.
        if (next - p).abs() * (next - last).abs() <= 1e-10 * next * next.min(rate - next) {
            return Some(next);
        }
        (last, excess_last, p) = (p, excess_p, next);
    }
    None
}

/// The rate below `rate` from which it diverges by this much, about: Newton's steps from below, where the divergence is convex.
fn likelihood_bound(rate: f64, divergence_wanted: f64) -> f64 {
    let rest = 1.0 - rate;
    // Pinsker's inequality, and one that also holds far away.
    let far = rate * ((rest * rest.ln() - divergence_wanted) / rate).exp();
    let mut p = (rate - (divergence_wanted / 2.0).sqrt()).max(far);
    for _ in 0..3 {
        p += (divergence(rate, p) - divergence_wanted) * p * (1.0 - p) / (rate - p);
    }
    p
}

/// The divergence of Kullback and Leibler (1951) between draws of two rates.
fn divergence(rate: f64, p: f64) -> f64 {
    let rest = 1.0 - rate;
    rate * (rate / p).ln() + rest * (rest / (1.0 - p)).ln()
}

/// The weighted likelihood ratios of all rates above a goal against the goal itself.
#[derive(Clone, Copy)]
pub(crate) struct Mixture {
    goal: f64,
    /// `1 - goal`.
    rest: f64,
    /// `ln` of the weight that the prior puts above the goal, in the scale of [`beta::ln_upper_tail`].
    ln_weight: f64,
}

impl Mixture {
    pub(crate) fn above(goal: f64) -> Mixture {
        Mixture::new(goal, 1.0 - goal)
    }

    /// Below the goal is above `1 - goal` with the roles of successes and failures exchanged.
    pub(crate) fn below(goal: f64) -> Mixture {
        Mixture::new(1.0 - goal, goal)
    }

    fn new(goal: f64, rest: f64) -> Mixture {
        debug_assert!(in_domain(goal), "a goal of {goal} is not strictly between 0 and 1");
        let ln_weight = beta::ln_upper_tail(PRIOR_EVENTS * goal, PRIOR_EVENTS * rest, goal, rest);
        Mixture { goal, rest, ln_weight }
    }

    /// `ln E` after this many successes and failures, which a projection may make fractional.
    ///
    /// With the prior Beta(a, b) on (p0, 1), `E = integral_p0^1 q^(a+s-1) (1-q)^(b+f-1) dq / (p0^s (1-p0)^f)` over the
    /// same at s = f = 0. Dividing both integrals by `p0^a (1-p0)^b` leaves two tails in the scale of `beta`.
    pub(crate) fn ln_e(&self, successes: f64, failures: f64) -> f64 {
        if !in_domain(self.goal) {
            return f64::NEG_INFINITY;
        }
        let (a, b) = (PRIOR_EVENTS * self.goal + successes, PRIOR_EVENTS * self.rest + failures);
        beta::ln_upper_tail(a, b, self.goal, self.rest) - self.ln_weight
    }
}

/// About by how much `ln E` is less than the largest of the likelihood ratios after `n` events (Laplace's approximation).
fn ln_penalty(n: f64) -> f64 {
    0.5 * (1.0 + n / PRIOR_EVENTS).ln() + 0.3
}

/// The smallest number up to `limit` at which a rising function is no longer negative, as [`smallest`] finds it, and beginning
/// at `about`: by steps of the slope there, within what is known, and then by [`smallest`].
fn smallest_near(about: u64, limit: u64, value: impl Fn(u64) -> f64, slope: impl Fn(u64) -> f64) -> Option<u64> {
    // The first that may do, and the first that is known to do.
    let (mut low, mut high) = (0, None);
    let mut at = about.min(limit);
    for _ in 0..8 {
        let value = value(at);
        if value >= 0.0 {
            high = Some(at);
        } else {
            low = at + 1;
        }
        if high == Some(low) {
            return high;
        }
        // The zero lies in (at + step - 1, at + step], whichever side it is seen from. NaN is none.
        let step = (-value / slope(at)).ceil();
        let next = if step >= 0.0 { at.saturating_add(step as u64) } else { at.saturating_sub(-step as u64) };
        at = next.clamp(low, high.map_or(limit, |high| high - 1).max(low));
        if low > limit {
            return None;
        }
    }
    smallest(low, high.unwrap_or(limit), |at| value(at) >= 0.0)
}

/// Whether a goal can be judged.
pub(crate) fn in_domain(goal: f64) -> bool {
    (GOAL_MIN..=1.0 - GOAL_MIN).contains(&goal)
}

/// The smallest number in `from..=limit` for which a statement holds that stays true once it is true: doubles the step
/// until it holds, then bisects. None when it holds nowhere.
pub(crate) fn smallest(from: u64, limit: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if from > limit {
        return None;
    }
    let (mut low, mut high, mut step) = (from, from, 1_u64);
    while !holds(high) {
        if high >= limit {
            return None;
        }
        low = high + 1;
        high = high.saturating_add(step).min(limit);
        step = step.saturating_mul(2);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// The last place in `low..high`, to 1e-12 relative, before a statement starts to hold that stays true from there on.
pub(crate) fn last_before(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    while high - low > 1e-12 * high {
        let middle = low + (high - low) / 2.0;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}
