//! An alarm soon after a rate fell below its goal: the Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2024, *E-detectors*,
//! New England Journal of Statistics in Data Science, doi:10.51387/23-NEJSDS51).
//!
//! A verdict weighs all events since its epoch began, so a long good past hides a bad present. The detector asks instead
//! whether the rate fell at any event since: it sums the evidence for a fall at the first one, at the second one, and so on,
//! `R <- (1 + R) L` with `L` the likelihood ratio of an event. While each event succeeds with a probability of at least the
//! goal, whatever happened before, `R` less the number of events falls on average. So until the first alarm, at `R >= A`, at
//! least `A` events pass on average: false alarms are rare by the number of events between them, and not by a p-value.
//!
//! How far the rate fell is not known. Rates whose odds of failure are 1.5, 2, 4 and 8 times those of the goal `g` are each
//! given a detector, and the mean of the four is one too. With `m` the multiplier, the odds give the rate
//! `q = 1/(1 + m (1-g)/g)`, so that `L = q/g = 1/(g + m (1-g))` for a success and `(1-q)/(1-g) = m/(g + m (1-g))` for a failure.

use crate::always_valid::{Counts, in_domain};

/// How many times higher than the goal's the odds of failure may have become.
const ODDS_MULTIPLIERS: [f64; 4] = [1.5, 2.0, 4.0, 8.0];

/// Between false alarms there are never fewer events than this on average, however little a product is used.
const RUN_LENGTH_MIN: u64 = 1000;

/// What the mean run length to a false alarm is set to: the number of events expected in 90 days, and at least 1000.
#[must_use]
pub fn run_length(expected_in_90_days: u64) -> f64 {
    expected_in_90_days.max(RUN_LENGTH_MIN) as f64
}

/// Watches one rate for a fall below its goal, in constant time and memory per event.
#[derive(Clone, Debug, PartialEq)]
pub struct EDetector {
    threshold: f64,
    events: u64,
    detectors: [Detector; ODDS_MULTIPLIERS.len()],
}

/// The rate fell below its goal: the detector said so, and has begun anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// At which event, counted from 1 since the detector last began.
    pub event: u64,
    /// What the detector had reached; at least the run length it was made with.
    pub value: f64,
}

impl EDetector {
    /// For a goal strictly between 0 and 1, by at least 1e-12, and the mean number of events until a false alarm that may be relied
    /// upon, which is finite and at least 1 ([`run_length`]). None for others.
    #[must_use]
    pub fn new(goal: f64, run_length: f64) -> Option<Self> {
        let is_valid = in_domain(goal) && run_length >= 1.0 && run_length.is_finite();
        is_valid.then(|| Self { threshold: run_length, events: 0, detectors: ODDS_MULTIPLIERS.map(|m| Detector::new(goal, m)) })
    }

    /// The mean of the four detectors: 0 before the first event, and below the run length.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.detectors.iter().map(|detector| detector.value / ODDS_MULTIPLIERS.len() as f64).sum()
    }

    /// Takes the next event in. After an alarm the detector begins anew, as if there had been no event.
    pub fn observe(&mut self, success: bool) -> Option<Alarm> {
        self.detectors.iter_mut().for_each(|detector| detector.observe(success));
        self.alarm(1)
    }

    /// Takes in events whose order is not known, such as those of a day, in constant time.
    ///
    /// It takes the order that leaves least at their end: all failures first, and then the successes, which fade them. So its value
    /// is at most that of the true order at their end, and false alarms are no more frequent. An alarm may come later than by
    /// [`observe`](Self::observe), and names the last of these events.
    pub fn observe_unordered(&mut self, counts: Counts) -> Option<Alarm> {
        self.detectors.iter_mut().for_each(|detector| detector.observe_failures_first(counts));
        self.alarm(counts.n())
    }

    fn alarm(&mut self, events: u64) -> Option<Alarm> {
        self.events = self.events.saturating_add(events);
        let alarm = Alarm { event: self.events, value: self.value() };
        if alarm.value < self.threshold {
            return None;
        }
        self.events = 0;
        self.detectors.iter_mut().for_each(|detector| detector.value = 0.0);
        Some(alarm)
    }
}

/// The detector for one multiplier.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Detector {
    /// `R`; saturates.
    value: f64,
    goal: f64,
    multiplier: f64,
}

impl Detector {
    fn new(goal: f64, multiplier: f64) -> Self {
        Self { value: 0.0, goal, multiplier }
    }

    fn observe(&mut self, success: bool) {
        let ratio = if success { 1.0 } else { self.multiplier } / (self.goal + self.multiplier * (1.0 - self.goal));
        self.value = ((1.0 + self.value) * ratio).min(f64::MAX);
    }

    /// `R` after `f` failures and then `s` successes. With `S = 1/(1+e)` and `F = 1/(1-d)` the likelihood ratios of one of each,
    /// it is `(R + 1 + 1/F + ... + 1/F^(f-1)) F^f S^s + S + S^2 + ... + S^s`: two geometric sums.
    fn observe_failures_first(&mut self, counts: Counts) {
        let (successes, failures) = (counts.successes as f64, counts.failures as f64);
        let e = (self.multiplier - 1.0) * (1.0 - self.goal);
        let d = (self.multiplier - 1.0) * self.goal / self.multiplier;
        let (ln_successes, ln_failures) = (-successes * e.ln_1p(), -failures * (-d).ln_1p());
        let from_failures = -(-ln_failures).exp_m1() / d;
        let from_successes = -ln_successes.exp_m1() / e;
        let ratio = (ln_failures + ln_successes).exp();
        self.value = ((self.value + from_failures) * ratio + from_successes).min(f64::MAX);
    }
}
