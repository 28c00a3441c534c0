//! How long until it happens, where some have to wait longer than anybody watched: the estimator of Kaplan and Meier (1958).
//!
//! The median is the earliest time at which half or fewer still wait. Where more than half never get there, it is not reached:
//! the mean of those who did would be a flattering number about the lucky ones.

use statrs::distribution::{ContinuousCDF, Normal};

/// What products of fractions are off by at most.
const ROUNDING: f64 = 1e-12;

/// One observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// How long somebody was watched, in any unit; infinite for who is known to wait for ever.
    pub time: f64,
    /// Whether it happened at that time; otherwise nobody knows what came after.
    pub happened: bool,
}

/// The share that still waits, as a falling staircase.
#[derive(Clone, Debug, PartialEq)]
pub struct Survival {
    steps: Vec<Step>,
}

/// From `time` on, until the next step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When it happened to somebody.
    pub time: f64,
    /// The share that still waits.
    pub waiting: f64,
    /// Where that share lies with 95 % confidence, at one look: Greenwood's variance (1926) on the scale of `ln(-ln S)`.
    pub interval: [f64; 2],
}

impl Survival {
    /// The estimate from observations in any order. None where there are none.
    #[must_use]
    pub fn of(observed: &[Observed]) -> Option<Self> {
        let mut sorted: Vec<_> = observed.to_vec();
        // Who leaves at the very moment at which it happens to somebody was still at risk then.
        sorted.sort_by(|a, b| a.time.total_cmp(&b.time));
        let z = Normal::standard().inverse_cdf(0.975);
        let (mut waiting, mut greenwood) = (1.0, 0.0);
        let mut at_risk = sorted.len();
        let mut steps = Vec::new();
        for of_time in sorted.chunk_by(|a, b| a.time == b.time) {
            let happened = of_time.iter().filter(|o| o.happened).count();
            if happened > 0 {
                let (n, d) = (at_risk as f64, happened as f64);
                waiting *= 1.0 - d / n;
                greenwood += d / (n * (n - d));
                steps.push(Step { time: of_time.first()?.time, waiting, interval: interval(waiting, greenwood, z) });
            }
            at_risk -= of_time.len();
        }
        (!sorted.is_empty()).then_some(Self { steps })
    }

    /// The steps, by time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step that holds at a time; none before the first.
    #[must_use]
    pub fn at(&self, time: f64) -> Option<Step> {
        self.steps.iter().rev().find(|step| step.time <= time).copied()
    }

    /// The earliest time at which half or fewer still wait; none where it is not reached.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        self.steps.iter().find(|step| step.waiting <= 0.5).map(|step| step.time)
    }

    /// The earliest time at which this share has got there; none where it is not reached.
    #[must_use]
    pub fn time_of(&self, share: f64) -> Option<f64> {
        // The share that waits is a product of fractions, so 1 of 20 may be a little more than 0.05.
        self.steps.iter().find(|step| step.waiting <= 1.0 - share + ROUNDING).map(|step| step.time)
    }

    /// Where the median lies with 95 % confidence at one look, by where the interval of the share holds a half (Brookmeyer and
    /// Crowley 1982); none on a side that is not reached.
    #[must_use]
    pub fn median_interval(&self) -> [Option<f64>; 2] {
        let first = |bound: usize| self.steps.iter().find(|step| step.interval[bound] <= 0.5).map(|step| step.time);
        [first(0), first(1)]
    }
}

fn interval(waiting: f64, greenwood: f64, z: f64) -> [f64; 2] {
    if waiting <= 0.0 {
        return [0.0, 0.0];
    }
    let scale = waiting.ln();
    let spread = z * greenwood.sqrt() / scale;
    let bounds = [(-spread).exp(), spread.exp()].map(|power| waiting.powf(power));
    [bounds[0].min(bounds[1]), bounds[0].max(bounds[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody gets there in the end: nobody waits any more, and the interval closes.
    #[test]
    fn all_of_them_arrive() {
        let survival = Survival::of(&[1.0, 2.0].map(|time| Observed { time, happened: true })).expect("observations");
        let last = survival.at(2.0).expect("a step");
        assert_eq!((last.waiting, last.interval), (0.0, [0.0, 0.0]));
        assert_eq!((survival.time_of(0.5), survival.time_of(0.95)), (Some(1.0), Some(2.0)));
        assert_eq!((survival.at(0.5), Survival::of(&[])), (None, None));
    }
}
