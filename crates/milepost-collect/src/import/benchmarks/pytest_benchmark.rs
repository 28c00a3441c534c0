//! `pytest --benchmark-json`: durations in seconds.
//!
//! Where the single rounds are kept, and a round is one call, each round is an operation. A round of several calls is a mean, and
//! what is kept without its rounds is one too: mean and median are then taken as measurements.

use super::{Document, NotADocument, event, measured};
use crate::import::{
    Format, Ids,
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
    let is_commit = |id: &String| id.len() >= 7 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = export.commit_info.and_then(|commit| commit.id).filter(is_commit);
    let source = format!("pytest-benchmark {}", export.version.as_deref().unwrap_or_default());
    let source = source.trim_end();
    let (mut ids, mut events, mut means) = (Ids::default(), Vec::new(), 0);
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
                    events.push(event(FORMAT, &mut ids, at, operation, &says("round", round.clone())));
                }
            }
            _ => {
                means += 1;
                for (name, value) in [("mean", stats.mean), ("median", stats.median)] {
                    let fact = measured(name, value * 1e6, Some("us"), source, fullname);
                    let mut event = event(FORMAT, &mut ids, at, fact, &says(name, json!(value)));
                    event.attributes.insert("rounds".to_owned(), Scalar::Integer(stats.rounds));
                    event.attributes.insert("iterations".to_owned(), Scalar::Integer(stats.iterations));
                    events.push(event);
                }
            }
        }
    }
    for event in &mut events {
        event.commit.clone_from(&commit);
    }
    let of = if means == 1 { "1 benchmark has" } else { &format!("{means} benchmarks have") };
    let notes = (means > 0).then(|| format!("{of} no single calls in the file: mean and median become measurements")).into_iter();
    Ok(Document { events, notes: notes.collect(), tells_time: told.is_some() })
}
