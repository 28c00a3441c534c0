//! Intervals for a rate when the number of events was fixed before anybody looked.
//!
//! They hold for one look at the end: for a closed period, or for an exam whose size was recorded beforehand. Whoever
//! looks at them again and again until they please is wrong far more often than the confidence says; for that there is
//! [`crate::always_valid`]. All of them assume independent events with one common rate.
//!
//! Clopper-Pearson never covers less than promised and so decides exams. Wilson is closer to the promised coverage on
//! average and is for display. Jeffreys is offered for comparison. The textbook interval of Wald is not here, because
//! it is badly wrong near 0 and 1, where the rates of software live.
//!
//! Without events there is no interval. `confidence` lies strictly between 0 and 1.

use crate::always_valid::{Counts, beta, last_before};
use statrs::function::erf::erfc_inv;
use std::f64::consts::SQRT_2;

/// Two-sided interval `[low, high]` of Wilson (1927), for display of a closed period; not a verdict.
///
/// ```
/// # use milepost_judge::{always_valid::Counts, rate};
/// let [low, high] = rate::wilson(Counts { successes: 95, failures: 5 }, 0.95).unwrap();
/// assert!((low - 0.88825).abs() < 1e-5 && (high - 0.97846).abs() < 1e-5);
/// ```
pub fn wilson(counts: Counts, confidence: f64) -> Option<[f64; 2]> {
    let z = normal_quantile_two_sided(confidence);
    let n = events(counts)?;
    // The smaller root of the quadratic equation, written as product of the roots over the larger one, so that it is
    // exactly 0 without a success.
    let low = |counts: Counts| {
        let rate = counts.successes as f64 / n;
        let spread = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
        rate * rate / (rate + z * z / (2.0 * n) + spread)
    };
    Some([low(counts), 1.0 - low(counts.swapped())])
}

/// Two-sided exact interval `[low, high]` of Clopper and Pearson (1934), to 1e-12 relative.
pub fn clopper_pearson(counts: Counts, confidence: f64) -> Option<[f64; 2]> {
    let one_sided = 1.0 - tail(confidence) / 2.0;
    Some([clopper_pearson_lower(counts, one_sided)?, clopper_pearson_upper(counts, one_sided)?])
}

/// One-sided exact lower bound for the rate: an exam passes when it exceeds the goal.
///
/// `BetaInv(1 - confidence; s, f + 1)`, and 0 without a success.
pub fn clopper_pearson_lower(counts: Counts, confidence: f64) -> Option<f64> {
    events(counts)?;
    Some(beta_quantile(counts.successes as f64, counts.failures as f64 + 1.0, tail(confidence)))
}

/// One-sided exact upper bound for the rate: an exam fails when it is below the goal. 1 without a failure.
pub fn clopper_pearson_upper(counts: Counts, confidence: f64) -> Option<f64> {
    clopper_pearson_lower(counts.swapped(), confidence).map(|low| 1.0 - low)
}

/// Two-sided Bayesian interval `[low, high]` under the prior of Jeffreys, Beta(1/2, 1/2), for comparison.
///
/// As Brown, Cai and DasGupta (2001) advise, it begins at 0 without a success and ends at 1 without a failure. It keeps
/// its promise on average over all rates, not at each.
pub fn jeffreys(counts: Counts, confidence: f64) -> Option<[f64; 2]> {
    events(counts)?;
    let low = |counts: Counts| match counts.successes {
        0 => 0.0,
        successes => beta_quantile(successes as f64 + 0.5, counts.failures as f64 + 0.5, tail(confidence) / 2.0),
    };
    Some([low(counts), 1.0 - low(counts.swapped())])
}

/// Exact one-sided upper bound for the failure rate after `n` events without a failure: `1 - alpha^(1/n)`, about `3/n`
/// for `alpha` = 0.05.
pub fn zero_failures_upper(n: u64, alpha: f64) -> Option<f64> {
    debug_assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not between 0 and 1");
    (n > 0).then(|| -(alpha.ln() / n as f64).exp_m1())
}

/// The number of events, if there are any.
fn events(counts: Counts) -> Option<f64> {
    (counts.n() > 0).then_some(counts.n() as f64)
}

/// What the confidence leaves for error.
fn tail(confidence: f64) -> f64 {
    debug_assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence} is not between 0 and 1");
    1.0 - confidence
}

/// The `z` between whose negative and itself a standard normal value lies with probability `confidence`.
pub(crate) fn normal_quantile_two_sided(confidence: f64) -> f64 {
    SQRT_2 * erfc_inv(tail(confidence))
}

/// The `t` between whose negative and itself a value of Student's t lies with probability `confidence`; `degrees` are its
/// degrees of freedom.
pub(crate) fn t_quantile_two_sided(confidence: f64, degrees: f64) -> f64 {
    // P(|T| > t) = I_x(degrees/2, 1/2) at x = degrees / (degrees + t^2).
    let x = beta_quantile(degrees / 2.0, 0.5, tail(confidence));
    (degrees * (1.0 - x) / x).sqrt()
}

/// The `x` with `I_x(a, b) = probability`; 0 for `a = 0`.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    if a == 0.0 {
        return 0.0;
    }
    last_before(0.0, 1.0, |x| beta::regularized(a, b, x, 1.0 - x) >= probability)
}
