//! Queries over Milepost's events: the only crate that names Arrow and DataFusion.
//!
//! A [`Store`] is the events of a data folder as they were when it was opened, each counted once, as tables that SQL can
//! read. It answers a [`milepost_record::Question`] with plain data, and says by which SQL.

mod answer;
mod rows;
mod sql;
mod store;
mod tables;

pub use rows::Row;
pub use store::{Store, StoreError, for_each_event};
