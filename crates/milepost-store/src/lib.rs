//! Milepost's store: the only crate that names Arrow, Parquet, Delta and DataFusion.
//!
//! [`compact`] takes what the spool took in into Delta tables, each event once. A [`Store`] is all events of a data folder as
//! they were when it was opened, compacted or not, as one table for each kind that SQL can read. It answers a
//! [`milepost_record::Question`] with plain data, and says by which SQL.

mod answer;
mod breakdown;
mod bucket;
mod calendar;
mod check;
mod claim;
mod cluster;
mod columns_read;
mod compact;
mod digests;
mod engine;
mod events;
mod exact;
mod firsts;
mod forget;
mod heads;
mod identity;
mod lake;
mod live;
mod log;
mod packed;
mod parquet_claims;
mod parquet_file;
mod past;
mod people;
mod presence;
mod query;
mod rolled;
mod rollup_files;
mod rollups;
mod rows;
mod selection;
mod spooled;
mod sql;
mod statements;
mod store;
mod tables;
mod tombstones;
mod values;
mod views;

pub use bucket::{BucketUrl, CommonFiles};
pub use check::{Finding, check, refuse_newer_files, repair, verify};
pub use claim::{bucket, claim, is_shared, shared};
pub use cluster::{Cluster, ClusterUrl, PARTITIONS, PARTITIONS_MAX};
pub use compact::{Compacted, Upkeep, compact};
pub use forget::{Erased, Found, Person, clear, erase, found, lay};
pub use lake::connect;
pub use parquet_file::{NotParquet, ParquetRows, a_panic_is_expected};
pub use query::{Column, ColumnType, QueryError, QueryLimits, SQL_BYTES_MAX, Table};
pub use rollups::{RolledUp, roll_up};
pub use rows::Row;
pub use store::{Selection, Store, StoreError};
pub use tombstones::Tombstones;
pub use views::{View, ViewColumn};

#[cfg(test)]
mod bad_input;
