//! What people and programs see of a scorecard: one file for each format. A renderer sees the scorecard and nothing else.

pub mod chart;
pub mod html;
pub mod markdown;
pub mod terminal;
mod words;
