//! How often something happens per unit of exposure: contributions a month.

use crate::always_valid::last_before;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// Exact two-sided interval `[low, high]` for a rate after `k` events in exposure `t` (Garwood 1936), for one look at closed
/// periods. The low end is 0 without an event. It assumes that events come independently at one rate: where the counts of
/// equal periods vary much more than their mean, they do not. `t` is positive, `confidence` lies in (0, 1).
#[must_use]
pub fn garwood(k: u64, t: f64, confidence: f64) -> [f64; 2] {
    let tail = (1.0 - confidence) / 2.0;
    let low = if k == 0 { 0.0 } else { mean_with(|mean| gamma_lr(k as f64, mean) >= tail, k) };
    let high = mean_with(|mean| gamma_ur(k as f64 + 1.0, mean) <= tail, k);
    [low / t, high / t]
}

/// Exact one-sided lower bound, 0 without an event.
#[must_use]
pub fn garwood_lower(k: u64, t: f64, confidence: f64) -> f64 {
    garwood(k, t, 2.0 * confidence - 1.0)[0]
}

/// The mean at which a statement starts to hold that stays true for larger ones.
fn mean_with(holds: impl Fn(f64) -> bool, k: u64) -> f64 {
    let mut high = k as f64 + 1.0;
    while !holds(high) {
        high *= 2.0;
    }
    last_before(0.0, high, holds)
}

/// Evidence that a rate exceeds `lambda0`, after `k` events in exposure `t`: `ln E` against "at or below", 0 without exposure.
///
/// A mixture of likelihood ratios over the rates above `lambda0`, weighted by Gamma(1, 1/lambda0) (Robbins 1970): it holds
/// however often somebody looks. All arguments are positive, `k` may be 0.
#[must_use]
pub fn ln_e_above(k: u64, t: f64, lambda0: f64) -> f64 {
    let (k, b) = (k as f64, 1.0 / lambda0);
    let ln_tail = |a: f64, x: f64| gamma_ur(a, x).ln();
    b.ln() + ln_gamma(1.0 + k) - (1.0 + k) * (b + t).ln() - k * lambda0.ln() + lambda0 * t + ln_tail(1.0 + k, (b + t) * lambda0)
        - ln_tail(1.0, b * lambda0)
}
