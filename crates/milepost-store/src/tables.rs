//! Events as columns: those of a kind are one table, named by the plural, its columns named as the wire's keys.
//!
//! Types are those that a Delta table has, so that an event looks the same before and after it is compacted. What has no column
//! of its own type is kept beside: `attribute_types` says which attributes are no text, so that an event comes back as it was.

use crate::StoreError;
use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, MapBuilder, MapFieldNames, StringArray,
            StringBuilder, StructArray, TimestampMicrosecondArray,
        },
        buffer::{NullBuffer, OffsetBuffer},
        datatypes::{DataType, Field, Fields},
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use milepost_record::{Event, Fact, Kind, ProcessMemory, Scalar, Timestamp};
use std::{borrow::Cow, sync::Arc};

/// The column by which is known which parts of a table to read: the day of `at` in UTC.
pub(crate) const DAY: &str = "day";

/// The days since 1970 of a moment, in UTC.
pub(crate) fn day(at: Timestamp) -> i32 {
    // From the year 1 to 9999, so it always fits.
    i32::try_from(at.as_microseconds().div_euclid(86_400_000_000)).unwrap_or(0)
}

/// The columns of a kind that tell of a person: their smallest and largest values are not kept beside the data, where forgetting
/// somebody would not reach them. Of the processes in `tree` they would say nothing that anybody asks.
pub(crate) const PERSONAL: &[&str] = &["user", "session", "persona", "attributes", "attribute_types", "error_text", "text", "tree"];

/// One batch of events of one kind.
pub(crate) fn batch(kind: Kind, events: &[&Event]) -> Result<RecordBatch, StoreError> {
    macro_rules! columns {
        ($Fact:ident) => {
            Columns::new(events, |fact| if let Fact::$Fact(fact) = fact { Some(fact) } else { None })
        };
    }
    let columns = match kind {
        Kind::Operation => columns!(Operation)
            .text("operation", |f| Some(&f.operation))
            .text("outcome", |f| Some(f.outcome.name()))
            .text("backend", |f| f.backend.as_deref())
            .unsigned("duration_us", |f| f.duration_us)
            .integer("exit_code", |f| f.exit_code)
            .text("error_category", |f| f.error.as_ref().map(|e| e.category.as_str()))
            .text("error_text", |f| f.error.as_ref().and_then(|e| e.text.as_deref()))
            .unsigned("cpu_us", |f| f.cpu_us)
            .unsigned("peak_bytes", |f| f.peak_bytes)
            .text("peak_measure", |f| f.peak_measure.map(milepost_record::Measure::name))
            .boolean("dry_run", |f| f.dry_run)
            .text("sample", |f| f.sample.as_deref())
            .finish(),
        Kind::Session => columns!(Session).finish(),
        Kind::Memory => columns!(Memory)
            .text("run", |f| Some(&f.run))
            .unsigned("bytes", |f| Some(f.bytes))
            .text("measure", |f| Some(f.measure.name()))
            .boolean("complete", |f| Some(f.complete))
            .unsigned("every_us", |f| f.every_us)
            .text("process", |f| f.process.as_deref())
            .unsigned("pid", |f| f.pid)
            .unsigned("processes", |f| f.processes)
            .unsigned("cpu_us", |f| f.cpu_us)
            .tree("tree", |f| f.tree.as_deref())
            .finish(),
        Kind::Interaction => columns!(Interaction)
            .text("recognized", |f| f.recognized.as_deref())
            .text("correct", |f| f.correct.as_deref())
            .text("arm", |f| f.arm.as_deref())
            .text("modality", |f| f.modality.as_deref())
            .unsigned("index", |f| f.index)
            .unsigned("words", |f| f.words)
            .unsigned("word_errors", |f| f.word_errors)
            .text("text", |f| f.text.as_deref())
            .finish(),
        Kind::Label => columns!(Label).text("of", |f| Some(&f.of)).text("correct", |f| Some(&f.correct)).finish(),
        Kind::Measurement => columns!(Measurement)
            .text("name", |f| Some(&f.name))
            .number("value", |f| Some(f.value))
            .text("unit", |f| f.unit.as_deref())
            .text("source", |f| f.source.as_deref())
            .text("scope", |f| f.scope.as_deref())
            .finish(),
        Kind::Note => columns!(Note)
            .text("topic", |f| Some(f.topic.name()))
            .text("text", |f| f.text.as_deref())
            .number("score", |f| f.score)
            .time("from", |f| f.from)
            .time("to", |f| f.to)
            .text("sample", |f| f.sample.as_deref())
            .text("operation", |f| f.operation.as_deref())
            .text("backend", |f| f.backend.as_deref())
            .unsigned("size", |f| f.size)
            .text("criterion", |f| f.criterion.as_deref())
            .text("undoes", |f| f.undoes.as_deref())
            .finish(),
        Kind::Criterion => columns!(Criterion)
            .text("name", |f| Some(&f.name))
            .text("evidence_key", |f| Some(&f.evidence_key))
            .json("definition", |f| f.definition.as_ref())
            .finish(),
        Kind::Verdict => columns!(Verdict)
            .text("criterion", |f| Some(&f.criterion))
            .text("evidence_key", |f| Some(&f.evidence_key))
            .text("verdict", |f| Some(f.verdict.name()))
            .unsigned("n", |f| f.n)
            .finish(),
    };
    // Every column may be null, so that a batch without events has the same schema as one with.
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns).map_err(DataFusionError::from)?)
}

/// The columns of events of one kind: those that every event has, then those of the kind.
struct Columns<'a, F> {
    facts: Vec<&'a F>,
    columns: Vec<(&'static str, ArrayRef)>,
}

impl<'a, F> Columns<'a, F> {
    fn new(events: &[&'a Event], of_kind: fn(&'a Fact) -> Option<&'a F>) -> Self {
        let text = |get: fn(&Event) -> Option<&str>| -> ArrayRef { Arc::new(events.iter().map(|e| get(e)).collect::<StringArray>()) };
        let columns = vec![
            (DAY, Arc::new(events.iter().map(|e| Some(day(e.at))).collect::<Date32Array>()) as ArrayRef),
            ("id", text(|e| e.id.as_deref())),
            ("at", times(events.iter().map(|e| Some(e.at)))),
            ("origin", text(|e| e.origin.map(milepost_record::Origin::name))),
            ("user", text(|e| e.user.as_deref())),
            ("session", text(|e| e.session.as_deref())),
            ("persona", text(|e| e.persona.as_deref())),
            ("version", text(|e| e.version.as_deref())),
            ("commit", text(|e| e.commit.as_deref())),
            ("host", text(|e| e.host.as_deref())),
            ("attributes", map(events, |value| Some(plain(value)))),
            ("attribute_types", map(events, type_name)),
        ];
        Self { facts: events.iter().filter_map(|e| of_kind(&e.fact)).collect(), columns }
    }

    fn with(mut self, name: &'static str, array: ArrayRef) -> Self {
        self.columns.push((name, array));
        self
    }

    fn text(self, name: &'static str, get: impl Fn(&'a F) -> Option<&'a str>) -> Self {
        let array = self.facts.iter().map(|f| get(f)).collect::<StringArray>();
        self.with(name, Arc::new(array))
    }

    fn unsigned(self, name: &'static str, get: impl Fn(&F) -> Option<u64>) -> Self {
        // An event is checked to be far below what would not fit.
        let array = self.facts.iter().map(|f| get(f).and_then(|value| i64::try_from(value).ok())).collect::<Int64Array>();
        self.with(name, Arc::new(array))
    }

    fn integer(self, name: &'static str, get: impl Fn(&F) -> Option<i64>) -> Self {
        let array = self.facts.iter().map(|f| get(f)).collect::<Int64Array>();
        self.with(name, Arc::new(array))
    }

    fn number(self, name: &'static str, get: impl Fn(&F) -> Option<f64>) -> Self {
        let array = self.facts.iter().map(|f| get(f)).collect::<Float64Array>();
        self.with(name, Arc::new(array))
    }

    fn boolean(self, name: &'static str, get: impl Fn(&F) -> Option<bool>) -> Self {
        let array = self.facts.iter().map(|f| get(f)).collect::<BooleanArray>();
        self.with(name, Arc::new(array))
    }

    fn json(self, name: &'static str, get: impl Fn(&'a F) -> Option<&'a serde_json::Map<String, serde_json::Value>>) -> Self {
        let array = self.facts.iter().map(|f| get(f).and_then(|map| serde_json::to_string(map).ok())).collect::<StringArray>();
        self.with(name, Arc::new(array))
    }

    fn tree(self, name: &'static str, get: impl Fn(&'a F) -> Option<&'a [ProcessMemory]>) -> Self {
        let of_each: Vec<_> = self.facts.iter().map(|f| get(f)).collect();
        let all = || of_each.iter().flat_map(|tree| tree.unwrap_or_default());
        let signed = |value: u64| i64::try_from(value).ok();
        let columns: [(&str, ArrayRef); 4] = [
            ("name", Arc::new(all().map(|of| Some(of.name.as_str())).collect::<StringArray>())),
            ("bytes", Arc::new(all().map(|of| signed(of.bytes)).collect::<Int64Array>())),
            ("pid", Arc::new(all().map(|of| of.pid.and_then(signed)).collect::<Int64Array>())),
            ("parent", Arc::new(all().map(|of| of.parent.and_then(signed)).collect::<Int64Array>())),
        ];
        let fields: Fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        // The name that Delta gives the parts of a list.
        let part = Arc::new(Field::new("element", DataType::Struct(fields.clone()), true));
        let parts = StructArray::new(fields, columns.into_iter().map(|(_, array)| array).collect(), None);
        let offsets = OffsetBuffer::from_lengths(of_each.iter().map(|tree| tree.map_or(0, <[_]>::len)));
        let known: NullBuffer = of_each.iter().map(Option::is_some).collect();
        self.with(name, Arc::new(ListArray::new(part, offsets, Arc::new(parts), Some(known))))
    }

    fn time(self, name: &'static str, get: impl Fn(&F) -> Option<Timestamp>) -> Self {
        let array = times(self.facts.iter().map(|f| get(f)));
        self.with(name, array)
    }

    fn finish(self) -> Vec<(&'static str, ArrayRef)> {
        self.columns
    }
}

fn times(values: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    let array: TimestampMicrosecondArray = values.map(|at| at.map(Timestamp::as_microseconds)).collect();
    Arc::new(array.with_timezone("UTC"))
}

fn plain(value: &Scalar) -> Cow<'_, str> {
    match value {
        Scalar::Boolean(value) => value.to_string().into(),
        Scalar::Integer(value) => value.to_string().into(),
        Scalar::Number(value) => value.to_string().into(),
        Scalar::Text(value) => value.into(),
    }
}

/// The type of an attribute that is not text.
fn type_name(value: &Scalar) -> Option<Cow<'_, str>> {
    match value {
        Scalar::Boolean(_) => Some(BOOLEAN.into()),
        Scalar::Integer(_) => Some(INTEGER.into()),
        Scalar::Number(_) => Some(NUMBER.into()),
        Scalar::Text(_) => None,
    }
}

pub(crate) const BOOLEAN: &str = "boolean";
pub(crate) const INTEGER: &str = "integer";
pub(crate) const NUMBER: &str = "number";

/// Something of each attribute by its name.
fn map(events: &[&Event], of: for<'a> fn(&'a Scalar) -> Option<Cow<'a, str>>) -> ArrayRef {
    // The names that Delta gives the parts of a map.
    let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for event in events {
        let entries = event.attributes.iter().filter_map(|(name, value)| Some((name, of(value)?)));
        for (name, value) in entries {
            map.keys().append_value(name);
            map.values().append_value(value);
        }
        // Fails only where keys and values differ in number, which they do not.
        let _ = map.append(true);
    }
    Arc::new(map.finish())
}
