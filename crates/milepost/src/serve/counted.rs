//! What was turned away, counted for `/metrics` and for whoever reads what the server says.

use super::otlp::{Desk, OfSignal};
use crate::render::words::plain;
use axum::http::StatusCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What was turned away since the server began; what came in by OTLP, since that is counted at all.
pub(crate) struct Counted {
    /// Connections for which there was no place.
    connections: AtomicU64,
    /// Requests by the status with which they were refused.
    requests: Mutex<BTreeMap<u16, u64>>,
    desk: Arc<Desk>,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl Counted {
    pub(crate) fn new(desk: Arc<Desk>) -> Self {
        Self { connections: AtomicU64::new(0), requests: Mutex::default(), desk }
    }

    pub(super) fn no_place(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes how a request was answered, where that was by no.
    pub(super) fn answered(&self, status: StatusCode) {
        if status.is_client_error() || status.is_server_error() {
            *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(status.as_u16()).or_default() += 1;
        }
    }

    /// How many connections found no place.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// The counters of OpenMetrics.
#[derive(Debug)]
pub(super) struct Counters(pub(super) Arc<Counted>);

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = |name: &str, help: &str, values: Vec<(Vec<(&'static str, String)>, u64)>| {
            if values.is_empty() {
                return Ok(());
            }
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, value) in values {
                if labels.is_empty() {
                    metric.encode_counter::<Vec<(&str, String)>, _, u64>(&value, None)?;
                } else {
                    ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
                }
            }
            Ok(())
        };
        let Counted { requests, desk, .. } = &*self.0;
        let connections = vec![(Vec::new(), self.0.connections())];
        family("milepost_connections_refused", "Connections for which there was no place.", connections)?;
        let requests = requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests = requests.into_iter().map(|(status, n)| (vec![("status", status.to_string())], n));
        family("milepost_requests_refused", "HTTP requests that were refused, by status.", requests.collect())?;
        let (mut items, mut refused) = (Vec::new(), Vec::new());
        for (signal, OfSignal { recorded, left_out, rejected, refused: requests }) in &desk.tally().0 {
            let total = |counted: &BTreeMap<_, super::otlp::Count>| counted.values().map(|count| count.n).sum::<u64>();
            let of = |more: (&'static str, String)| vec![("signal", escaped(signal)), more];
            for (result, n) in [("recorded", *recorded), ("left_out", total(left_out)), ("rejected", total(rejected))] {
                items.push((of(("result", result.to_owned())), n));
            }
            refused.extend(requests.iter().map(|(why, count)| (of(("reason", escaped(why))), count.n)));
        }
        family("milepost_otlp_items", "What came in by OTLP, by what became of it.", items)?;
        family("milepost_otlp_requests_refused", "Requests of OTLP of which nothing, or not all, was taken, by reason.", refused)
    }
}

/// The encoder writes a value as it is.
fn escaped(value: &str) -> String {
    plain(value, REASON_CHARS_MAX).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
