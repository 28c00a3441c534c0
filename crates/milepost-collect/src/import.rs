//! Other systems' records, as events: rows of JSON lines, CSV, Parquet or SQLite with recognised [columns](Columns), and the
//! [documents](Document) of tools that measure how fast something is.
//!
//! What is imported twice counts once: the id of an event is a digest of the format, of what its row says, and of how many rows
//! before it said the same ([`Ids`]).

mod benchmarks;
mod columns;
mod csv_rows;
mod ids;
mod json_lines;
mod values;

pub use benchmarks::{Document, NotADocument, criterion, read};
pub use columns::{Columns, KINDS, Surroundings, Unsuitable};
pub use csv_rows::{CsvRows, NoMore};
pub use ids::Ids;
pub use json_lines::{Line, NoLine, line};

use serde::de::Deserialize;
use serde_json::{Map, Value};
use std::fmt;

/// The most rows of one import.
pub const ROWS_MAX: u64 = 10_000_000;
/// The most columns of a row.
pub const COLUMNS_MAX: usize = 1000;
/// The largest row, in bytes.
pub const ROW_BYTES_MAX: usize = milepost_record::limits::LINE_BYTES_MAX;
/// The largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object on each line, or the events of an export.
    Jsonl,
    /// A line of names, then lines of values; divided by commas, semicolons or tabs.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A database of SQLite.
    Sqlite,
    /// `hyperfine --export-json`.
    Hyperfine,
    /// The Bencher Metric Format.
    Bencher,
    /// The folder that the crate criterion writes.
    Criterion,
    /// `pytest --benchmark-json`.
    PytestBenchmark,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Jsonl => "JSON lines",
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Sqlite => "SQLite",
            Self::Hyperfine => "hyperfine",
            Self::Bencher => "Bencher Metric Format",
            Self::Criterion => "criterion",
            Self::PytestBenchmark => "pytest-benchmark",
        })
    }
}

impl Format {
    /// Whether it is what a tool says of benchmarks, and has no rows.
    #[must_use]
    pub const fn is_benchmark(self) -> bool {
        matches!(self, Self::Hyperfine | Self::Bencher | Self::Criterion | Self::PytestBenchmark)
    }

    /// Which one it is, by how it begins. `None` where it is none of them.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PAR1") {
            return Some(Self::Parquet);
        }
        if head.starts_with(b"SQLite format 3\0") {
            return Some(Self::Sqlite);
        }
        let text = beginning(head)?;
        let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
        match text.bytes().next()? {
            b'{' => Some(Self::of_json(text)),
            b'[' => None,
            _ => Some(Self::Csv),
        }
    }

    fn of_json(text: &str) -> Self {
        let mut values = serde_json::Deserializer::from_str(text);
        if let Ok(first) = Map::deserialize(&mut values) {
            return match () {
                () if is_hyperfine(&first) => Self::Hyperfine,
                () if first.contains_key("benchmarks") && first.contains_key("machine_info") => Self::PytestBenchmark,
                () if benchmarks::is_bencher(&first) => Self::Bencher,
                () => Self::Jsonl,
            };
        }
        // The document is longer than its beginning, so its first names have to tell.
        let begins = |name: &str| text.get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(&format!("\"{name}\"")));
        match text.lines().next().map(str::trim_ascii) {
            _ if begins("machine_info") => Self::PytestBenchmark,
            _ if begins("results") => Self::Hyperfine,
            Some("{") => Self::Bencher,
            _ => Self::Jsonl,
        }
    }
}

fn is_hyperfine(document: &Map<String, Value>) -> bool {
    let results = document.get("results").and_then(Value::as_array);
    results.is_some_and(|results| results.iter().all(|result| result.get("command").is_some()))
}

/// A beginning as text, which may end within a character.
fn beginning(head: &[u8]) -> Option<&str> {
    match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
    .filter(|text| !text.contains('\0'))
}
