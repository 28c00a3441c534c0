//! OTLP: what the exporters of OpenTelemetry send, over HTTP and gRPC.
//!
//! A body is read within limits (`body.rs`), looked through without keeping more than one item at a time (`items.rs`), and each item
//! becomes an event or a reason why not (`mapping.rs`). One at a time, bodies are worked through at the desk (`desk.rs`); the answer
//! (`answer.rs`) is given after the last write, so that what is acknowledged is in the spool. `http.rs` and `grpc.rs` are the two
//! languages in which all of that is said.

mod answer;
#[cfg(test)]
mod bad_input;
mod body;
mod desk;
mod grpc;
mod http;
mod items;
mod mapping;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    desk::{Desk, Open, Opener},
    mapping::Mapping,
    tally::{Count, OfSignal, Tally},
};

use self::body::Reception;
use axum::Router;
use std::sync::Arc;

/// What is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Its path over HTTP.
    const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// Its path over gRPC.
    const fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// How an answer in JSON calls those that were rejected.
    const fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
        }
    }
}

/// The two routers, for HTTP and for gRPC: they share the desk, and what may be on its way to it.
pub(crate) fn routers(desk: Arc<Desk>) -> (Router, Router) {
    let reception = Arc::new(Reception::new(desk));
    (http::router(Arc::clone(&reception)), grpc::router(reception))
}
