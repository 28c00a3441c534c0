//! Whether a series grows: the test of Mann (1945) and Kendall (1975), which only looks at what is larger than what.
//!
//! Values that follow each other closely are not independent, and then the plain test sees trends in nothing. Hamed and Rao
//! (1998, Journal of Hydrology 204) correct the variance of the score by the autocorrelation of the ranks. Where values
//! oscillate, the correction shrinks it and would exaggerate; so the larger of the two variances counts.

use crate::{rate::normal_quantile_two_sided, theil_sen::Slopes};
use statrs::function::erf::erfc;
use std::f64::consts::SQRT_2;

/// The confidence beyond which the autocorrelation at a lag counts.
const AUTOCORRELATION: f64 = 0.95;

/// The test of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Kendall's score: pairs that rise less pairs that fall.
    pub score: f64,
    /// The variance of the score where the values are independent.
    pub variance: f64,
    /// The same, corrected for autocorrelation.
    pub corrected_variance: f64,
}

impl Trend {
    /// Of a series of moments, which rise, and values; `slopes` are its own. None below three values.
    #[must_use]
    pub fn of(series: &[(f64, f64)], slopes: &Slopes) -> Option<Self> {
        let later = |(i, (_, first)): (usize, &(f64, f64))| series.iter().skip(i + 1).map(|(_, second)| sign(second - first)).sum::<f64>();
        let score = series.iter().enumerate().map(later).sum();
        let variance = variance(series);
        let corrected_variance = variance * effective(series, slopes.median());
        (series.len() >= 3).then_some(Self { score, variance, corrected_variance })
    }

    /// The score over its standard deviation, by the larger variance, corrected for continuity.
    #[must_use]
    pub fn z(self) -> f64 {
        self.z_by(self.variance.max(self.corrected_variance))
    }

    /// The same by a variance of the caller's choice.
    #[must_use]
    pub fn z_by(self, variance: f64) -> f64 {
        if self.score == 0.0 { 0.0 } else { (self.score - sign(self.score)) / variance.sqrt() }
    }

    /// The p-value against "it does not grow".
    #[must_use]
    pub fn p_rising(self) -> f64 {
        erfc(self.z() / SQRT_2) / 2.0
    }
}

/// The variance of Kendall's score of independent values, ties counted.
pub(crate) fn variance(series: &[(f64, f64)]) -> f64 {
    let mut sorted: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let of = |n: usize| (n as f64) * (n as f64 - 1.0) * (2.0 * n as f64 + 5.0);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tied| of(tied.len())).sum();
    (of(series.len()) - ties) / 18.0
}

/// What the variance is to be multiplied with: 1 and a weighted sum of the significant autocorrelations of the ranks of the
/// series without its trend.
fn effective(series: &[(f64, f64)], slope: f64) -> f64 {
    let n = series.len() as f64;
    let detrended: Vec<f64> = series.iter().map(|(at, value)| value - at * slope).collect();
    let ranks = ranks(&detrended);
    let mean = ranks.iter().sum::<f64>() / n;
    let centered: Vec<f64> = ranks.iter().map(|rank| rank - mean).collect();
    let at_lag = |lag: usize| centered.iter().zip(&centered[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let (whole, bound) = (at_lag(0), normal_quantile_two_sided(AUTOCORRELATION) / n.sqrt());
    let weighted = |lag: usize| {
        let (correlation, left) = (at_lag(lag) / whole, n - lag as f64);
        if correlation.abs() > bound { left * (left - 1.0) * (left - 2.0) * correlation } else { 0.0 }
    };
    let sum: f64 = (1..series.len()).map(weighted).sum();
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

/// The rank of each value, counted from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let mean = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|index| ranks[*index] = mean);
        before += tied.len();
    }
    ranks
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
