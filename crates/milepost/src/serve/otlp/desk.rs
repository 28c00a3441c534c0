//! Where what came in becomes events: each is in the spool before the sender hears that it was taken.

use super::{
    Signal, Tally,
    answer::{Accepted, Encoding, Refusal},
    items::{ITEM_BYTES_MAX, Item, Stop, fields, walk, weigh},
    mapping::{Mapping, Reason, Taken, foreign},
    tally::Counts,
};
use milepost_record::{Event, Invalid, Recorder, Timestamp};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    logs::v1::LogRecord,
    metrics::v1::Metric,
    trace::v1::Span,
};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

const TOO_LARGE: &str = "an item of more than 1 MiB";
/// How many events of a request are recorded together.
const EVENTS_AT_ONCE: usize = 1024;

/// What a desk writes with, and by which rules.
pub(crate) struct Open {
    pub(crate) recorder: Recorder,
    pub(crate) mapping: Mapping,
}

/// Opens what a desk takes: the same as before, as long as nothing has changed. Where that fails, what is wrong.
pub(crate) type Opener = Box<dyn Fn() -> Result<Arc<Open>, String> + Send + Sync>;

/// Works through one request after the other.
pub(crate) struct Desk {
    /// What it takes; else the variable of the environment that keeps recording off.
    opener: Result<Opener, &'static str>,
    tally: Mutex<(Tally, bool)>,
    /// Whether the spool is full, so that nothing is taken until it was taken into the tables.
    full: AtomicBool,
}

impl Desk {
    /// A desk that goes on from what was counted before.
    pub(crate) const fn new(opener: Opener, tally: Tally) -> Self {
        Self { opener: Ok(opener), tally: Mutex::new((tally, false)), full: AtomicBool::new(false) }
    }

    /// A desk that takes nothing, as this variable of the environment keeps recording off.
    pub(crate) const fn off(variable: &'static str, tally: Tally) -> Self {
        Self { opener: Err(variable), tally: Mutex::new((tally, false)), full: AtomicBool::new(false) }
    }

    /// Whether anything is taken.
    pub(super) fn is_open(&self) -> Result<(), Refusal> {
        match &self.opener {
            Err(variable) => Err(Refusal::Off(variable)),
            Ok(_) if self.full.load(Ordering::Relaxed) => Err(Refusal::Full),
            Ok(_) => Ok(()),
        }
    }

    /// Says whether the spool is full.
    pub(crate) fn full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Ends the segment that is written, so that compaction takes in all there is: the next event begins another.
    ///
    /// # Errors
    /// Where it cannot be sealed.
    pub(crate) fn seal(&self) -> Result<(), String> {
        let Ok(opener) = &self.opener else { return Ok(()) };
        opener()?.recorder.seal().map_err(|error| error.to_string())
    }

    /// What became of all that came in.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// What became of all that came in, where that has changed since this was asked last.
    pub(crate) fn news(&self) -> Option<Tally> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut tally.1).then(|| tally.0.clone())
    }

    fn note(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut tally.0);
        tally.1 = true;
    }

    /// Notes that a request was refused.
    pub(super) fn refused(&self, signal: Signal, refusal: &Refusal) {
        let why = match refusal {
            Refusal::Unwritten(why) => why.clone(),
            // What cannot be read may hold anything, and what is wrong with it quotes it.
            Refusal::Malformed(_) => "it cannot be decoded".to_owned(),
            refusal => refusal.message(),
        };
        self.note(|tally| tally.refused(signal, why, Timestamp::now()));
    }

    /// Takes a request: what of it is ours is in the spool when this returns without an error.
    pub(super) fn take(&self, signal: Signal, encoding: Encoding, bytes: &[u8]) -> Result<Accepted, Refusal> {
        let opener = self.opener.as_ref().map_err(|variable| Refusal::Off(variable))?;
        let open = opener().map_err(Refusal::Unwritten)?;
        let Open { recorder, mapping } = &*open;
        let mut round = Round { recorder, events: Vec::new(), recorded: 0, left_out: Counts::default(), rejected: Counts::default() };
        let done = match encoding {
            Encoding::Protobuf => protobuf(mapping, signal, bytes, &mut round),
            Encoding::Json => json(mapping, signal, bytes, &mut round),
        };
        let done = done.and_then(|()| round.record());
        if round.recorded > 0 || !round.left_out.is_empty() || !round.rejected.is_empty() {
            self.note(|tally| tally.add(signal, round.recorded, &round.left_out, &round.rejected, Timestamp::now()));
        }
        done.map(|()| Accepted { rejected: round.rejected.total(), why: round.rejected.to_string() })
    }
}

fn protobuf(mapping: &Mapping, signal: Signal, bytes: &[u8], round: &mut Round<'_>) -> Result<(), Refusal> {
    // First without taking anything: of a request that breaks off, nothing is taken.
    for is_meant in [false, true] {
        let walked = walk(bytes, &mut |item| match signal {
            _ if item.bytes.len() > ITEM_BYTES_MAX => {
                if is_meant {
                    round.rejected.add(TOO_LARGE.into(), 1);
                }
                Ok(())
            }
            Signal::Traces => {
                let span = decoded::<Span>(&item)?;
                if is_meant { round.tell(mapping.span(item.resource, &span)).map_err(Stop::Told) } else { Ok(()) }
            }
            Signal::Logs => {
                let record = decoded::<LogRecord>(&item)?;
                if is_meant { round.tell(mapping.log(item.resource, &record)).map_err(Stop::Told) } else { Ok(()) }
            }
            Signal::Metrics => {
                let (name, points) = outline(item.bytes)?;
                match foreign(&name) {
                    Some(why) if is_meant => round.rejected.add(why, points),
                    Some(_) => {}
                    None => {
                        let metric = decoded::<Metric>(&item)?;
                        if is_meant {
                            let mut tell = |taken| round.tell(taken);
                            mapping.metric(item.resource, item.scope, &metric, &mut tell).map_err(Stop::Told)?;
                        }
                    }
                }
                Ok(())
            }
        });
        walked.map_err(|stop| match stop {
            Stop::Malformed(what) => Refusal::Malformed(what),
            Stop::Told(refusal) => refusal,
        })?;
    }
    Ok(())
}

fn json(mapping: &Mapping, signal: Signal, bytes: &[u8], round: &mut Round<'_>) -> Result<(), Refusal> {
    // A list would be read as the fields of the message in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Malformed("a request is a JSON object".to_owned()));
    }
    weigh(bytes)?;
    match signal {
        Signal::Traces => {
            for group in read::<ExportTraceServiceRequest>(bytes)?.resource_spans {
                let resource = group.resource.unwrap_or_default();
                for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
                    round.tell(mapping.span(&resource, span))?;
                }
            }
        }
        Signal::Metrics => {
            for group in read::<ExportMetricsServiceRequest>(bytes)?.resource_metrics {
                let resource = group.resource.unwrap_or_default();
                for scope in group.scope_metrics {
                    let name = scope.scope.unwrap_or_default().name;
                    for metric in &scope.metrics {
                        mapping.metric(&resource, &name, metric, &mut |taken| round.tell(taken))?;
                    }
                }
            }
        }
        Signal::Logs => {
            for group in read::<ExportLogsServiceRequest>(bytes)?.resource_logs {
                let resource = group.resource.unwrap_or_default();
                for record in group.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                    round.tell(mapping.log(&resource, record))?;
                }
            }
        }
    }
    Ok(())
}

fn decoded<M: Message + Default>(item: &Item<'_>) -> Result<M, Stop<Refusal>> {
    M::decode(item.bytes).map_err(|error| Stop::Malformed(error.to_string()))
}

/// The name of a metric and the number of its points, without decoding any.
fn outline(metric: &[u8]) -> Result<(String, u64), Stop<Refusal>> {
    let (mut name, mut points) = (String::new(), 0);
    fields(metric, &mut |number, field| match number {
        1 => {
            name = std::str::from_utf8(field).map_err(|error| Stop::Malformed(error.to_string()))?.to_owned();
            Ok(())
        }
        // The five kinds of data, in each of which field 1 is a point.
        5 | 7 | 9 | 10 | 11 => fields(field, &mut |number, _| {
            points += u64::from(number == 1);
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok((name, points))
}

/// Reads a request in JSON. The types want keys that the JSON of Protobuf leaves out where there is nothing in them, as of an empty list:
/// they are put in where one is missed.
fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::Malformed(error.to_string());
    match serde_json::from_slice(bytes) {
        Err(error) if error.to_string().starts_with("missing field") => {
            let mut whole: Value = serde_json::from_slice(bytes).map_err(malformed)?;
            complete(&mut whole);
            serde_json::from_value(whole).map_err(malformed)
        }
        read => read.map_err(malformed),
    }
}

fn complete(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(complete),
        Value::Object(entries) => {
            for key in ["arrayValue", "kvlistValue"] {
                if let Some(Value::Object(list)) = entries.get_mut(key) {
                    list.entry("values").or_insert_with(|| json!([]));
                }
            }
            if entries.contains_key("value") {
                entries.entry("key").or_insert_with(|| json!(""));
            }
            entries.iter_mut().for_each(|(_, value)| complete(value));
        }
        _ => {}
    }
}

/// What becomes of one request.
struct Round<'a> {
    recorder: &'a Recorder,
    /// Events that are recorded together.
    events: Vec<Event>,
    recorded: u64,
    left_out: Counts,
    rejected: Counts,
}

impl Round<'_> {
    fn tell(&mut self, taken: Taken) -> Result<(), Refusal> {
        match taken {
            Taken::Event(event) => {
                self.events.push(*event);
                if self.events.len() >= EVENTS_AT_ONCE {
                    self.record()?;
                }
            }
            Taken::LeftOut(why) => self.left_out.add(why, 1),
            Taken::Rejected(why) => self.rejected.add(why, 1),
        }
        Ok(())
    }

    fn record(&mut self) -> Result<(), Refusal> {
        let recorded = self.recorder.record_all(self.events.drain(..)).map_err(|error| Refusal::Unwritten(error.to_string()))?;
        for event in recorded {
            match event {
                Ok(()) => self.recorded += 1,
                Err(invalid) => self.rejected.add(reason(&invalid), 1),
            }
        }
        Ok(())
    }
}

/// What is wrong with an event, without its values: reasons are counted.
fn reason(invalid: &Invalid) -> Reason {
    match invalid {
        Invalid::TooLong { key, max, .. } => format!("`{key}` has more than {max} bytes").into(),
        Invalid::TooMany { key, max, .. } => format!("`{key}` has more than {max} entries").into(),
        Invalid::Absurd { key, why, .. } => format!("`{key}` cannot be: {why}").into(),
        other => other.to_string().into(),
    }
}
