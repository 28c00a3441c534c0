//! Honest verdicts on success criteria: pure, without IO, clock, async or logger.
//!
//! A criterion says what success means; events say what happened. Between them stand two calls:
//!
//! ```text
//! questions(criteria, past, now)      what has to be known, thresholds included
//! judge(criteria, answers, past, now) the scorecard
//! ```
//!
//! A verdict is one of five. *Met* and *missed* are proven: the chance of ever showing a wrong one is at most 5% for each
//! criterion and epoch, however often somebody looks. *Not proven* says how many more events it takes. *No data* and *stale*
//! are what they say. Nothing that is not known is ever met.
//!
//! - [`always_valid`]: one rate against a goal, the test behind every verdict on operations.
//! - [`quantile`]: quantiles as ranks, and the bounds on them.
//! - [`rate`]: intervals for one look, for display and for fixed samples.
//! - [`fixed_sample`]: the verdict on a sample whose size was recorded before the first run.
//! - [`plan`]: how many events it takes to prove something, live and with a fixed sample.
//! - [`difference`]: one rate less another, behind the verdict on learning; with [`sample_ratio`], whether the arms were filled
//!   as they were meant to be, [`cluster`], what it says of people in general, and [`ordinal_trend`], whether a rate rises.
//! - [`theil_sen`] and [`mann_kendall`]: slope and growth of a series, behind the verdicts on memory.
//! - [`decomposition`]: whether a rate changed, or what it is the rate of. [`error_budget`]: how many failures a goal allows, and
//!   [`e_detector`], an alarm soon after a rate fell below it. [`change_points`]: when the level of a series changed.
//! - [`poisson`]: how often something happens in a month. [`holm`]: which of several statements can be picked out.
//!
//! [`comparison`] sets two versions, periods or backends side by side.
//!
//! Beside verdicts there are figures: [`report`](mod@report) composes those of a period from [`operations`], [`first_success`] (by
//! [`survival`]), [`learning`], [`retention`] and [`code`].

mod accuracy;
pub mod always_valid;
mod census;
pub mod change_points;
pub mod cluster;
pub mod code;
pub mod comparison;
mod contributions;
mod criterion;
mod daily;
pub mod decomposition;
pub mod difference;
pub mod e_detector;
mod epoch;
pub mod error_budget;
mod exclusion;
pub mod first_success;
pub mod fixed_sample;
pub mod history;
pub mod holm;
mod improvement;
mod judge;
pub mod learning;
mod machines;
pub mod mann_kendall;
mod metric;
pub mod misses;
pub mod operations;
pub mod ordinal_trend;
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
pub use exclusion::{Exclusion, exclusions};
pub use judge::{judge, questions};
pub use machines::{machines_questions, tell_machines};
pub use metric::{MemoryStatistic, Metric, UnknownMetric};
pub use milepost_record::VerdictWord as Verdict;
pub use misses::{Misses, misses_questions, tell_misses};
pub use quantity::{Family, NotAQuantity, Quantity, Unit, digits};
pub use report::{REPORT_VERSION, Report, report, report_questions};
pub use sample::{DAYS_MIN, EVENTS_MIN};
pub use scorecard::Scorecard;
pub use verdict::{conjunction, passes};
