//! The slope of a series, robust against outliers: the median of the slopes between all pairs (Theil 1950; Sen 1968, JASA 63).

use crate::{mann_kendall, rate::normal_quantile_two_sided};

/// The slopes between all pairs of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Slopes {
    /// In rising order.
    sorted: Vec<f64>,
    /// The variance of Kendall's score, ties counted.
    variance: f64,
}

/// The median slope alone, which takes no sorting. `series` as for [`Slopes::of`].
#[must_use]
pub fn slope(series: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = between_pairs(series);
    let middle = slopes.len() / 2;
    let is_odd = slopes.len() % 2 == 1;
    let (below, upper, _) = (!slopes.is_empty()).then(|| slopes.select_nth_unstable_by(middle, f64::total_cmp))?;
    let lower = if is_odd { *upper } else { below.iter().copied().fold(f64::MIN, f64::max) };
    Some(f64::midpoint(lower, *upper))
}

fn between_pairs(series: &[(f64, f64)]) -> Vec<f64> {
    let later = |(i, first): (usize, &(f64, f64))| {
        let (at, value) = *first;
        series.iter().skip(i + 1).map(move |(later, second)| (second - value) / (later - at))
    };
    series.iter().enumerate().flat_map(later).collect()
}

impl Slopes {
    /// Of a series of moments, which rise, and values; `n (n - 1) / 2` slopes are kept. None below two values.
    #[must_use]
    pub fn of(series: &[(f64, f64)]) -> Option<Self> {
        let mut sorted = between_pairs(series);
        sorted.sort_unstable_by(f64::total_cmp);
        (!sorted.is_empty()).then(|| Self { sorted, variance: mann_kendall::variance(series) })
    }

    /// The median of them: how much the series grows in one unit of time.
    #[must_use]
    pub fn median(&self) -> f64 {
        let n = self.sorted.len();
        f64::midpoint(self.sorted[(n - 1) / 2], self.sorted[n / 2])
    }

    /// Two-sided interval for the slope at one look, as ranks among the slopes by the variance of Kendall's score (Sen 1968).
    #[must_use]
    pub fn interval(&self, confidence: f64) -> [f64; 2] {
        let (n, last) = (self.sorted.len() as f64, self.sorted.len() - 1);
        let reach = normal_quantile_two_sided(confidence) * self.variance.sqrt();
        // Saturates at 0 and is cut at the last: with few values the interval is all there is.
        let low = (((n - reach) / 2.0).round_ties_even() - 1.0) as usize;
        let high = ((n + reach) / 2.0).round_ties_even() as usize;
        [self.sorted[low.min(last)], self.sorted[high.min(last)]]
    }
}
