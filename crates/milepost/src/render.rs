//! What people and programs see of a scorecard, one file for each format; of how its evidence grew, of the panels, of the report of a
//! period, of a comparison, of a plan, of a fixed sample, of the history and of an alert. A renderer sees one of them and nothing else;
//! `rows` sees the rows of a query.

pub mod alert;
pub mod badge;
pub mod chart;
pub mod comparison;
mod concise;
pub mod exact_report;
mod fields;
pub mod fixed_sample;
pub mod github;
pub(crate) mod growth;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
mod panel;
pub mod period_report;
pub mod plan;
pub mod report;
pub mod rows;
pub(crate) mod script;
pub mod terminal;
pub mod watch;
pub(crate) mod words;
mod xml;
