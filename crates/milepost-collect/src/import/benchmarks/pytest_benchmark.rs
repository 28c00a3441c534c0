//! `pytest --benchmark-json`: durations in seconds.
//!
//! Where the single rounds are kept, and a round is one call, each round is an operation. A round of several calls is a mean, and
//! what is kept without its rounds is one too: mean and median are then taken as measurements.

use super::{Document, Events, NotADocument, SHARED_BYTES_MAX, measured};
use crate::import::{
    Format,
    values::{duration, time},
};
use jiff::tz::TimeZone;
use milepost_record::{Operation, Outcome, Scalar, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

const FORMAT: Format = Format::PytestBenchmark;

#[derive(Deserialize)]
struct Export {
    benchmarks: Vec<Benchmark>,
    commit_info: Option<Commit>,
    datetime: Option<Value>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Benchmark {
    fullname: String,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    mean: f64,
    median: f64,
    rounds: i64,
    iterations: i64,
    data: Option<Vec<Value>>,
}

pub(super) fn read(text: &str, written: Timestamp) -> Result<Document, NotADocument> {
    let export: Export = serde_json::from_str(text).map_err(|error| NotADocument::json(FORMAT, &error))?;
    // Versions that wrote no zone wrote the time of UTC.
    let told = export.datetime.as_ref().map(|datetime| time(datetime, &TimeZone::UTC)).transpose().map_err(NotADocument)?;
    let at = told.unwrap_or(written);
    let is_commit = |id: &String| (7..=SHARED_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = export.commit_info.and_then(|commit| commit.id).filter(is_commit);
    let version = export.version.as_deref().filter(|version| version.len() <= SHARED_BYTES_MAX).unwrap_or_default();
    let source = format!("pytest-benchmark {version}");
    let source = source.trim_end();
    let (mut events, mut means) = (Events::default(), 0_u64);
    for Benchmark { fullname, stats } in &export.benchmarks {
        let wrong = |wrong: String| NotADocument(format!("`{}`: {wrong}", fullname.chars().take(64).collect::<String>()));
        let says = |what: &str, value: Value| {
            [("datetime", json!(export.datetime)), ("fullname", json!(fullname)), ("what", json!(what)), ("value", value)]
        };
        match &stats.data {
            Some(rounds) if stats.iterations == 1 => {
                for round in rounds {
                    let mut operation = Operation::new(fullname.clone(), Outcome::Ok);
                    operation.duration_us = Some(duration(round, 1e6).map_err(wrong)?);
                    events.add(FORMAT, at, operation, &says("round", round.clone()))?;
                }
            }
            _ => {
                means = means.saturating_add(1);
                for (name, value) in [("mean", stats.mean), ("median", stats.median)] {
                    let fact = measured(name, value * 1e6, Some("us"), source, fullname);
                    let event = events.add(FORMAT, at, fact, &says(name, json!(value)))?;
                    event.attributes.insert("rounds".to_owned(), Scalar::Integer(stats.rounds));
                    event.attributes.insert("iterations".to_owned(), Scalar::Integer(stats.iterations));
                }
            }
        }
    }
    let mut events = events.events;
    for event in &mut events {
        event.commit.clone_from(&commit);
    }
    let of = if means == 1 { "1 benchmark has" } else { &format!("{means} benchmarks have") };
    let notes = (means > 0).then(|| format!("{of} no single calls in the file: mean and median become measurements")).into_iter();
    Ok(Document { events, notes: notes.collect(), tells_time: told.is_some() })
}
