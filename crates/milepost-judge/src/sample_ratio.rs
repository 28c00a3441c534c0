//! Whether the two arms of an experiment were filled as they were meant to be: half and half.
//!
//! Where far more people are in one arm than chance explains, something else than chance put them there, and no comparison of
//! the arms means anything (Fabijan et al. 2019, KDD). What is counted are the units that were assigned: people, and not what
//! they did.

use crate::always_valid::beta;
use statrs::function::erf::erfc;

/// How sure the prior is of a half, in units: Beta(50, 50).
const PRIOR: f64 = 50.0;

/// The evidence from which on the arms are called uneven: `ln 1000`.
#[must_use]
pub fn ln_threshold() -> f64 {
    1000_f64.ln()
}

/// Evidence against "each unit went to either arm with the same chance": `ln E`, and 0 without units. It holds however often
/// somebody looks (Lindon and Malek 2022, *Anytime-valid inference for multinomial count data*, with k = 100).
#[must_use]
pub fn ln_e(a: u64, b: u64) -> f64 {
    // ln B(50 + a, 50 + b) - ln B(50, 50) + (a + b) ln 2, in the scale of the incomplete beta function.
    beta::ln_whole(PRIOR + a as f64, PRIOR + b as f64, 0.5, 0.5) - beta::ln_whole(PRIOR, PRIOR, 0.5, 0.5)
}

/// The p-value of the chi-square test with one degree of freedom, for one look at a closed experiment. None without units.
#[must_use]
pub fn chi_square_p(a: u64, b: u64) -> Option<f64> {
    let (a, b) = (a as f64, b as f64);
    (a + b > 0.0).then(|| erfc(((a - b) * (a - b) / (a + b) / 2.0).sqrt()))
}
