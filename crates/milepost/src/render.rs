//! What people and programs see of a scorecard, one file for each format, and of the report of a fixed sample. A renderer sees
//! the one or the other and nothing else; `rows` sees the rows of a query.

pub mod chart;
pub mod fixed_sample;
pub mod html;
pub mod markdown;
pub mod rows;
pub mod terminal;
mod words;
