//! Whether a rate rises from one checkpoint to the next: the trend test of Cochran (1954) and Armitage (1955).
//!
//! A rising curve is no proof that something was learned: requests may have become easier, and people better at asking. Only a
//! difference between arms that ran at the same time is.

use crate::always_valid::Counts;
use statrs::function::erf::erfc;
use std::f64::consts::{PI, SQRT_2};

/// The statistic `z` of a trend over ordered groups, whose scores are 1, 2, 3 …: standard normal where the rate is the same in
/// all of them, and large where it rises. None where nothing varies: below two groups, or where all or none succeeded.
#[must_use]
pub fn z(groups: &[Counts]) -> Option<f64> {
    let scored = || groups.iter().zip(1_u32..).map(|(counts, score)| (f64::from(score), counts.successes as f64, counts.n() as f64));
    let n: f64 = scored().map(|(.., n)| n).sum();
    let rate = scored().map(|(_, successes, _)| successes).sum::<f64>() / n;
    let trend: f64 = scored().map(|(score, successes, n)| score * (successes - n * rate)).sum();
    let mean: f64 = scored().map(|(score, _, n)| score * n).sum::<f64>() / n;
    let spread: f64 = scored().map(|(score, _, n)| n * (score - mean).powi(2)).sum();
    let variance = rate * (1.0 - rate) * spread;
    (variance > 0.0).then(|| trend / variance.sqrt())
}

/// The one-sided p-value of `z`, against "it does not rise".
#[must_use]
pub fn p_rising(z: f64) -> f64 {
    erfc(z / SQRT_2) / 2.0
}

/// Whether the rate is proven to rise over the checkpoints so far, tested at the newest one. None where nothing varies.
#[must_use]
pub fn rises(checkpoints: &[Counts], alpha: f64) -> Option<bool> {
    Some(p_rising(z(checkpoints)?) <= level(alpha, checkpoints.len() as u64))
}

/// The level at which the test at checkpoint `k`, counted from 1, may reject, so that all tests together, however many follow,
/// are wrong with probability at most `alpha`: `alpha 6 / (pi^2 k^2)`.
#[must_use]
pub fn level(alpha: f64, k: u64) -> f64 {
    alpha * 6.0 / (PI * PI * k as f64 * k as f64)
}
