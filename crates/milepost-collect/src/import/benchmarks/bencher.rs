//! The Bencher Metric Format: benchmarks, of each its measures, of each a value and maybe its bounds. It has neither units nor times.

use super::{Document, Events, NotADocument, bounds, measured};
use crate::import::Format;
use milepost_record::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const FORMAT: Format = Format::Bencher;

#[derive(Deserialize, Serialize)]
struct Metric {
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
}

/// Whether an object is such a document, as far as its first benchmark tells.
pub(in crate::import) fn is_one(document: &Map<String, Value>) -> bool {
    let measures = document.values().next().and_then(Value::as_object);
    measures.and_then(|measures| measures.values().next()).is_some_and(|metric| metric.get("value").is_some_and(Value::is_number))
}

pub(super) fn read(text: &str, written: Timestamp) -> Result<Document, NotADocument> {
    let benchmarks: BTreeMap<String, BTreeMap<String, Metric>> =
        serde_json::from_str(text).map_err(|error| NotADocument::json(FORMAT, &error))?;
    let mut events = Events::default();
    for (benchmark, measures) in &benchmarks {
        for (measure, metric) in measures {
            let fact = measured(measure, metric.value, None, "Bencher Metric Format", benchmark);
            let says = [("benchmark", json!(benchmark)), ("measure", json!(measure)), ("metric", json!(metric))];
            let event = events.add(FORMAT, written, fact, &says)?;
            bounds(event, [("lower", metric.lower_value), ("upper", metric.upper_value)]);
        }
    }
    Ok(Document { events: events.events, notes: Vec::new(), tells_time: false })
}
