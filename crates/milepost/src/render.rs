//! What people and programs see of a scorecard, one file for each format; of the report of a period, of a comparison, of a plan, of a
//! fixed sample, of the history and of an alert. A renderer sees one of them and nothing else; `rows` sees the rows of a query.

pub mod alert;
pub mod badge;
pub mod chart;
pub mod comparison;
pub mod fixed_sample;
pub mod github;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
mod panel;
pub mod period_report;
pub mod plan;
pub mod report;
pub mod rows;
pub mod terminal;
pub(crate) mod words;
mod xml;
