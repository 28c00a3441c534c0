//! How many failures a goal allows, and how fast they are used up (Beyer et al. 2018, *The Site Reliability Workbook*, chapter 5).
//!
//! A goal of 95% allows 50 failures in 1000 events. Budgets count events that were seen, and prove nothing about the rate behind
//! them: [`crate::always_valid`] does, and [`crate::e_detector`] gives the alarm. Alarms on the burn rate of a window, as the
//! book has them, suit goals of 99% and more and many events an hour: with fewer, one failure sets off a short window, and
//! against a goal of 90% no burn rate ever exceeds 10.
//!
//! `goal` is the share that is to succeed, strictly between 0 and 1; for any other there is no answer.

use crate::always_valid::Counts;

/// What a goal allows over a number of events, and what of it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorBudget {
    /// The failures that the goal allows, `(1 - goal) n`; not rounded.
    pub allowed: f64,
    /// The failures there were.
    pub used: u64,
}

impl ErrorBudget {
    /// Over the `n` events of a period, seen or expected, with the failures so far.
    #[must_use]
    pub fn over(n: u64, failures: u64, goal: f64) -> Option<Self> {
        Some(Self { allowed: allowed_share(goal)? * n as f64, used: failures })
    }

    /// The share of the budget that is used; above 1, it is overspent. None where there is no budget, without events.
    #[must_use]
    pub fn share_used(self) -> Option<f64> {
        (self.allowed > 0.0).then(|| self.used as f64 / self.allowed)
    }
}

/// How many times faster than the goal allows failures come in a window: at 1 they use up the budget in just the period it is
/// for. `(f/n) / (1 - goal)`; none without events.
#[must_use]
pub fn burn_rate(window: Counts, goal: f64) -> Option<f64> {
    let failed = window.swapped().rate()?;
    Some(failed / allowed_share(goal)?)
}

/// The burn rate where every event fails, which none exceeds: `1 / (1 - goal)`.
#[must_use]
pub fn burn_rate_max(goal: f64) -> Option<f64> {
    allowed_share(goal).map(f64::recip)
}

/// The burn rate at which a share of the budget of a period is used up within a window: 2% of 30 days in one hour are 14.4.
/// None unless the share is at least 0 and both lengths are above it.
#[must_use]
pub fn burn_rate_for(budget_share: f64, window_hours: f64, period_hours: f64) -> Option<f64> {
    let rate = budget_share * period_hours / window_hours;
    (budget_share >= 0.0 && window_hours > 0.0 && period_hours > 0.0 && rate.is_finite()).then_some(rate)
}

/// The share of events that fail at a burn rate; above 1, no window can burn that fast.
#[must_use]
pub fn failure_share(burn_rate: f64, goal: f64) -> Option<f64> {
    Some(burn_rate * allowed_share(goal)?)
}

fn allowed_share(goal: f64) -> Option<f64> {
    (goal > 0.0 && goal < 1.0).then_some(1.0 - goal)
}
