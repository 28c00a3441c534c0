//! A rate where events come in clusters: what a product understood, person by person.
//!
//! Events of one person are more alike than events of several. A statement about these events need not care; one about people
//! in general has to count people. The variance between clusters, "ultimate clusters" of survey sampling, is that of a ratio
//! (Deng, Knoblich and Lu 2018, arXiv:1803.06336), the same as the cluster-robust one of a regression on nothing but a mean.
//! It holds for one look, and so is shown beside a verdict and decides none.

use crate::rate::t_quantile_two_sided;

/// Fewer clusters say too little of those that are not there.
pub const CLUSTERS_MIN: usize = 10;

/// What is known of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Events that went well; of a rate of errors, the errors.
    pub successes: u64,
    /// All of its events; of a rate of errors, the words.
    pub n: u64,
}

/// A rate over clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteredRate {
    /// The pooled rate: all successes over all events.
    pub rate: f64,
    /// Its variance between clusters.
    pub variance: f64,
    /// How many events there are.
    pub n: u64,
    /// How many clusters.
    pub clusters: usize,
}

impl ClusteredRate {
    /// The rate over these clusters; those without events are not counted. None below two clusters, where nothing varies.
    #[must_use]
    pub fn of(clusters: &[Cluster]) -> Option<Self> {
        let clusters: Vec<_> = clusters.iter().filter(|cluster| cluster.n > 0).collect();
        let n: u64 = clusters.iter().map(|cluster| cluster.n).sum();
        let rate = clusters.iter().map(|cluster| cluster.successes).sum::<u64>() as f64 / n as f64;
        let units = clusters.len() as f64;
        let squares: f64 = clusters.iter().map(|c| (c.successes as f64 - rate * c.n as f64).powi(2)).sum();
        let variance = units / (units - 1.0) * squares / (n as f64 * n as f64);
        (clusters.len() >= 2).then_some(Self { rate, variance, n, clusters: clusters.len() })
    }

    /// How many times larger the variance is than that of as many independent events. None at a rate of 0 or 1.
    #[must_use]
    pub fn design_effect(self) -> Option<f64> {
        let independent = self.rate * (1.0 - self.rate) / self.n as f64;
        (independent > 0.0).then(|| self.variance / independent)
    }

    /// Two-sided interval for clusters in general, by Student's t. None below [`CLUSTERS_MIN`].
    #[must_use]
    pub fn interval(self, confidence: f64) -> Option<[f64; 2]> {
        interval(self.rate, self.variance, self.clusters, confidence)
    }

    /// Two-sided interval for this rate less another one, of other clusters: the variances add, and the smaller number of
    /// clusters gives the degrees of freedom. None where either is below [`CLUSTERS_MIN`].
    #[must_use]
    pub fn difference_interval(self, other: Self, confidence: f64) -> Option<[f64; 2]> {
        interval(self.rate - other.rate, self.variance + other.variance, self.clusters.min(other.clusters), confidence)
    }
}

fn interval(center: f64, variance: f64, clusters: usize, confidence: f64) -> Option<[f64; 2]> {
    if clusters < CLUSTERS_MIN {
        return None;
    }
    let reach = t_quantile_two_sided(confidence, clusters as f64 - 1.0) * variance.sqrt();
    Some([center - reach, center + reach])
}
