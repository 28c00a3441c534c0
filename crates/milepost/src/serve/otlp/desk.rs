//! Where what came in becomes events: each is in the spool before the sender hears that it was taken.

use super::{
    Signal, Tally,
    answer::{Accepted, Encoding, Refusal},
    items::{ITEM_BYTES_MAX, Item, Stop, fields, walk, weigh},
    mapping::{Mapping, Reason, Taken, foreign},
    tally::Counts,
};
use milepost_record::{Batch, Invalid, Recorder, Timestamp};
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
/// Of a request that may still break off, events of about so many bytes wait to be recorded. The unit tests have no time for so many.
const WAITING_BYTES: usize = if cfg!(test) { 8 * 1024 } else { 8 * 1024 * 1024 };
/// Of one that is known to be whole, about so many bytes are recorded at once.
const WRITE_BYTES: usize = 1024 * 1024;

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
        let mut round = Round::with(recorder);
        let done = match encoding {
            Encoding::Protobuf => protobuf(mapping, signal, bytes, &mut round),
            Encoding::Json => json(mapping, signal, bytes, &mut round),
        };
        let done = done.and_then(|()| round.record());
        if matches!(done, Err(Refusal::Malformed(_))) {
            round = Round::with(recorder);
        }
        if round.recorded > 0 || !round.left_out.is_empty() || !round.rejected.is_empty() {
            self.note(|tally| tally.add(signal, round.recorded, &round.left_out, &round.rejected, Timestamp::now()));
        }
        done.map(|()| Accepted { rejected: round.rejected.total(), why: round.rejected.to_string() })
    }
}

fn protobuf(mapping: &Mapping, signal: Signal, bytes: &[u8], round: &mut Round<'_>) -> Result<(), Refusal> {
    // Of a request that breaks off, nothing is taken. What comes first in it waits until it was looked through; the rest is decoded once more
    // then, and so are metrics, one of which can be as many events as it has points.
    let mut told = 0_usize;
    for is_whole in [false, true] {
        let mut place = 0_usize;
        round.is_whole = is_whole;
        let walked = walk(bytes, &mut |item| {
            place += 1;
            let may_wait = signal != Signal::Metrics && told + 1 == place && round.batch.bytes() < WAITING_BYTES;
            match is_whole {
                true if place <= told => Ok(()),
                true => look(mapping, signal, &item, Some(round)),
                false if may_wait => {
                    told = place;
                    look(mapping, signal, &item, Some(round))
                }
                false => look(mapping, signal, &item, None),
            }
        });
        walked.map_err(|stop| match stop {
            Stop::Malformed(what) => Refusal::Malformed(what),
            Stop::Told(refusal) => refusal,
        })?;
    }
    Ok(())
}

/// Decodes an item, and tells what becomes of it, if that is asked.
fn look(mapping: &Mapping, signal: Signal, item: &Item<'_>, round: Option<&mut Round<'_>>) -> Result<(), Stop<Refusal>> {
    if item.bytes.len() > ITEM_BYTES_MAX {
        if let Some(round) = round {
            round.rejected.add(TOO_LARGE.into(), 1);
        }
        return Ok(());
    }
    let told = match signal {
        Signal::Traces => {
            let span = decoded::<Span>(item)?;
            round.map(|round| round.tell(mapping.span(item.resource, &span)))
        }
        Signal::Logs => {
            let record = decoded::<LogRecord>(item)?;
            round.map(|round| round.tell(mapping.log(item.resource, &record)))
        }
        Signal::Metrics => {
            let (name, points) = outline(item.bytes)?;
            if let Some(why) = foreign(&name) {
                if let Some(round) = round {
                    round.rejected.add(why, points);
                }
                return Ok(());
            }
            let metric = decoded::<Metric>(item)?;
            round.map(|round| mapping.metric(item.resource, item.scope, &metric, &mut |taken| round.tell(taken)))
        }
    };
    told.unwrap_or(Ok(())).map_err(Stop::Told)
}

fn json(mapping: &Mapping, signal: Signal, bytes: &[u8], round: &mut Round<'_>) -> Result<(), Refusal> {
    // A list would be read as the fields of the message in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Malformed("a request is a JSON object".to_owned()));
    }
    weigh(bytes)?;
    // Each is read as a whole before anything is told of it.
    round.is_whole = true;
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
    batch: Batch<'a>,
    /// How many events wait in the batch.
    waiting: u64,
    /// Whether the request is known to be whole. Before that, nothing is recorded.
    is_whole: bool,
    recorded: u64,
    left_out: Counts,
    rejected: Counts,
}

impl<'a> Round<'a> {
    fn with(recorder: &'a Recorder) -> Self {
        let (left_out, rejected) = (Counts::default(), Counts::default());
        Self { batch: recorder.batch(), waiting: 0, is_whole: false, recorded: 0, left_out, rejected }
    }

    fn tell(&mut self, taken: Taken) -> Result<(), Refusal> {
        match taken {
            Taken::Event(event) => match self.batch.add(*event) {
                Ok(()) => {
                    self.waiting += 1;
                    if self.is_whole && self.batch.bytes() >= WRITE_BYTES {
                        self.record()?;
                    }
                }
                Err(invalid) => self.rejected.add(reason(&invalid), 1),
            },
            Taken::LeftOut(why) => self.left_out.add(why, 1),
            Taken::Rejected(why) => self.rejected.add(why, 1),
        }
        Ok(())
    }

    fn record(&mut self) -> Result<(), Refusal> {
        self.batch.write().map_err(|error| Refusal::Unwritten(error.to_string()))?;
        self.recorded += std::mem::take(&mut self.waiting);
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
