//! What tools say that measure how fast something is: whole documents, one file here for each tool.
//!
//! A run of a command that somebody waits for is an operation. What is worked out of many runs, or of loops within one, is none:
//! it becomes a measurement, `benchmark.…`, whose scope is the benchmark's name.

mod bencher;
mod criterion_results;
mod hyperfine;
mod pytest_benchmark;

pub(super) use bencher::is_one as is_bencher;
pub use criterion_results::criterion;

use super::{Format, Ids};
use crate::report::json_fault;
use milepost_record::{Event, Fact, Measurement, Scalar, Timestamp};
use serde_json::Value;

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its events, with their ids.
    pub events: Vec<Event>,
    /// What people should know of them.
    pub notes: Vec<String>,
    /// Whether the document tells the time: else that of the events is when it was written, and says nothing of what they are.
    pub tells_time: bool,
}

/// Why a document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotADocument(String);

impl NotADocument {
    fn json(format: Format, error: &serde_json::Error) -> Self {
        Self(format!("it is no JSON of {format}, is damaged or ends too early: {}", json_fault(error)))
    }
}

/// Reads a document that was last written at this time. `whole_commands` keeps the arguments of hyperfine's commands.
///
/// # Errors
/// Where it is none of this format, or says nothing.
pub fn read(format: Format, text: &str, written: Timestamp, whole_commands: bool) -> Result<Document, NotADocument> {
    let document = match format {
        Format::Hyperfine => hyperfine::read(text, written, whole_commands)?,
        Format::Bencher => bencher::read(text, written)?,
        Format::PytestBenchmark => pytest_benchmark::read(text, written)?,
        _ => return Err(NotADocument(format!("{format} is read row by row, and not as a whole"))),
    };
    if document.events.is_empty() { Err(NotADocument("there is no result in it".to_owned())) } else { Ok(document) }
}

/// What the events of a document may take in memory, in bytes, by an estimate. In few bytes, a document can say the same long name of
/// very many runs.
const EVENTS_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// What an event takes, beside its texts.
const EVENT_BYTES: usize = 1024;
/// The longest text that stands for many events, such as a command with all its runs.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest one that all events of a document carry.
const SHARED_BYTES_MAX: usize = 256;

/// The events of a document, as far as there is room.
#[derive(Default)]
struct Events {
    ids: Ids,
    events: Vec<Event>,
    bytes: usize,
}

impl Events {
    /// Adds an event with the id that follows from what the document says.
    fn add(&mut self, format: Format, at: Timestamp, fact: impl Into<Fact>, says: &[(&str, Value)]) -> Result<&mut Event, NotADocument> {
        let lengths = says.iter().map(|(name, value)| (*name, value.as_str().map_or(0, str::len)));
        if let Some((name, bytes)) = lengths.clone().find(|(_, bytes)| *bytes > TEXT_BYTES_MAX) {
            return Err(NotADocument(format!("a `{name}` has {bytes} bytes, and at most {TEXT_BYTES_MAX} are read")));
        }
        let texts: usize = lengths.map(|(_, bytes)| bytes).sum();
        self.bytes = self.bytes.saturating_add(texts).saturating_add(EVENT_BYTES);
        if self.bytes > EVENTS_BYTES_MAX {
            return Err(NotADocument(format!("it says more than fits into memory, of which it may take {} MiB", EVENTS_BYTES_MAX >> 20)));
        }
        self.events.push(event(format, &mut self.ids, at, fact, says));
        self.events.last_mut().ok_or_else(|| NotADocument("there is no event".to_owned()))
    }
}

/// An event of a document, with the id that follows from what the document says.
fn event(format: Format, ids: &mut Ids, at: Timestamp, fact: impl Into<Fact>, says: &[(&str, Value)]) -> Event {
    let mut event = Event::at(at, fact);
    event.id = Some(ids.next(&format.to_string(), says.iter().map(|(name, value)| (*name, value))));
    event
}

/// A measurement that was worked out of many runs, with the bounds of its interval.
fn measured(name: &str, value: f64, unit: Option<&str>, source: &str, scope: &str) -> Measurement {
    let mut measurement = Measurement::new(format!("benchmark.{name}"), value);
    (measurement.unit, measurement.source) = (unit.map(str::to_owned), Some(source.to_owned()));
    measurement.scope = Some(scope.to_owned());
    measurement
}

fn bounds(event: &mut Event, bounds: [(&str, Option<f64>); 2]) {
    let known = bounds.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Scalar::Number(value?))));
    event.attributes.extend(known);
}
