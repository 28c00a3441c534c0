//! Honest verdicts on success criteria: pure, without IO, clock, async or logger.
//!
//! A criterion says what success means; events say what happened. Between them stand two calls:
//!
//! ```text
//! questions(criteria, past, now)      what has to be known, thresholds included
//! judge(criteria, answers, past, now) the scorecard
//! ```
//!
//! # What a verdict claims
//!
//! There are five. *Met* and *missed* are proven: of the events that count, the average rate of good ones lies on the good side of
//! the goal, or on the bad one. The chance of ever showing a wrong *met* is at most 5% for each criterion and epoch, and so is that of
//! a wrong *missed*, however often somebody looks. *Not proven* says how many more events it takes at least. *No data* and *stale* are
//! what they say. Nothing that is not known is ever met.
//!
//! Everything that is a draw ends in one test, on two counters. "The P95 is below 500 ms" is the statement "more than 95% of operations
//! take less than 500 ms", so a latency, a success rate, an accuracy, a first success within 30 s and who comes back are all a rate of
//! good events against a goal ([`always_valid`]), and the number that is shown cannot contradict the verdict beside it ([`quantile`]). An
//! operation that fails is slower than any limit: else a product that times out would look fast.
//!
//! What is measured whole (coverage, known vulnerabilities, the peak memory of an observed run, the contributions of a month that is
//! over) is a census. It has no error of sampling, and is decided by whether the observation is whole and how old it is.
//!
//! # What it does not claim
//!
//! - Anything about users, hours or commands that are not among the events, or about the next event. Where people are few,
//!   [`cluster`] says what can be said of people in general, beside the verdict.
//! - A cause. Learning is met by a difference between arms that chance filled ([`difference`], [`sample_ratio`]); two versions or two
//!   periods side by side ([`comparison`]) differ, whatever made them differ, and perhaps only in what people did with them
//!   ([`decomposition`]).
//! - That one wrong badge among many is rare. That all of ten are met needs no correction (Berger 1982), since it is shown only where each
//!   one is proven; that one of ten is missed needs ten times the evidence; which of ten can be picked out alone says [`holm`].
//!
//! # Why it holds
//!
//! An ordinary test is meant for one look. Whoever looks after each event, and stops when it looks good, will nearly always see it
//! look good. Three things would break the promise, and each is ruled out:
//!
//! - *Choosing when to look.* The evidence is a mixture of likelihood ratios, of which Ville's inequality bounds the maximum over all looks
//!   (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021). The exam of a sample whose size was announced is looked at once, and
//!   needs fewer events for it ([`fixed_sample`]); the two are never mixed. How many either takes says [`plan`].
//! - *Choosing what counts.* An epoch begins at a boundary that was set before. A changed definition or an excluded period
//!   ([`Exclusion`]) begins it anew: what was seen before is not kept and bettered.
//! - *A past that hides the present.* After ten thousand good events an average turns slowly. So a goal that was met is watched by a
//!   detector of its own ([`e_detector`]), and at its alarm the epoch begins anew.
//!
//! No verdict rests on fewer than [`EVENTS_MIN`] events or [`DAYS_MIN`] days: that is policy, and can only delay one.
//!
//! # The statistics, one file for each idea
//!
//! - Rates and quantiles: [`always_valid`], [`quantile`], [`rate`] (intervals for one look), [`fixed_sample`], [`plan`].
//! - Comparisons: [`difference`], [`sample_ratio`], [`cluster`], [`ordinal_trend`], [`decomposition`], [`holm`].
//! - Series: [`theil_sen`] and [`mann_kendall`] (whether memory grows), [`change_points`] (when a level changed), [`e_detector`] (that a
//!   rate fell), [`error_budget`] (how many failures a goal allows).
//! - Others: [`survival`] (times that have not ended), [`poisson`] (how often something happens in a month).
//!
//! What they have to be is in `STATISTICS.md` beside this crate's manifest, with its sources. Each holds itself to values that other
//! programs computed (`tests/reference.rs`), and the promise is played in `tests/simulation.rs`.
//!
//! # Beside verdicts
//!
//! [`report`](mod@report) composes the figures of a period from [`operations`], [`first_success`], [`learning`], [`retention`] and [`code`],
//! and [`period_report`] those of a day, a week or a month, which also says how far each goal is;
//! [`mod@panels`] is what the page draws of each tracker; [`growth`] how evidence grew; [`history`] tells when verdicts and definitions
//! changed; [`misses`] where the misses are; [`alerts`] what somebody has to hear of.

mod accuracy;
pub mod alerts;
pub mod always_valid;
mod census;
pub mod change_points;
pub mod cluster;
pub mod code;
pub mod comparison;
pub mod contributions;
mod criterion;
mod daily;
pub mod decomposition;
pub mod difference;
pub mod e_detector;
mod epoch;
pub mod error_budget;
pub mod exact_report;
mod exclusion;
pub mod first_success;
pub mod fixed_sample;
pub mod growth;
pub mod history;
pub mod holm;
pub mod improvement;
mod judge;
pub mod learning;
mod machines;
pub mod mann_kendall;
mod metric;
pub mod misses;
pub mod operations;
pub mod ordinal_trend;
pub mod panels;
mod period;
pub mod period_report;
pub mod plan;
pub mod poisson;
pub mod quantile;
mod quantity;
pub mod rate;
pub mod report;
pub mod retention;
mod rule;
mod sample;
pub mod sample_ratio;
pub mod scorecard;
mod stability;
pub mod survival;
pub mod theil_sen;
mod verdict;

pub use census::{READINGS_DUE, RUN_MIN};
pub use criterion::{Criteria, Criterion, Failures, Goal, Relation, Since, Tier};
pub use exact_report::{ExactReport, exact_question};
pub use exclusion::{Exclusion, exclusions};
pub use judge::{judge, needs_days, questions};
pub use machines::{machines_questions, tell_machines};
pub use metric::{MemoryStatistic, Metric, UnknownMetric};
pub use milepost_record::VerdictWord as Verdict;
pub use misses::{Misses, misses_questions, tell_misses};
pub use panels::{PANEL_DAYS, Panels, panels, panels_questions};
pub use period::{Period, Rhythm};
pub use period_report::PeriodReport;
pub use quantity::{Family, NotAQuantity, Quantity, Unit, digits};
pub use report::{REPORT_VERSION, Report, report, report_questions};
pub use sample::{DAYS_MIN, EVENTS_MIN};
pub use scorecard::Scorecard;
pub use stability::LineOfGrowth;
pub use verdict::{conjunction, passes};
