//! The slope of a series, robust against outliers: the median of the slopes between all pairs (Theil 1950; Sen 1968, JASA 63).

use crate::{mann_kendall, rate::normal_quantile_two_sided};

/// The slopes between all pairs of a series whose values are one unit of time apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Slopes {
    /// In rising order.
    sorted: Vec<f64>,
    /// The variance of Kendall's score, ties counted.
    variance: f64,
}

impl Slopes {
    /// Of a series; `n (n - 1) / 2` of them are kept. None below two values.
    #[must_use]
    pub fn of(series: &[f64]) -> Option<Self> {
        let later = |(i, first): (usize, &f64)| {
            let first = *first;
            series.iter().enumerate().skip(i + 1).map(move |(j, second)| (second - first) / (j - i) as f64)
        };
        let mut sorted: Vec<f64> = series.iter().enumerate().flat_map(later).collect();
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
