//! HTTP: what is shown and what is taken in, from whom, and within which limits. It judges nothing itself: `app/serve.rs` puts what there
//! is to show into [`Live`], and is woken where somebody wants it. What OpenTelemetry sends is [`otlp`]'s.

pub mod api;
mod connections;
mod counted;
mod events;
mod guard;
mod live;
mod metrics;
pub mod openapi;
pub(crate) mod otlp;
mod page;
mod problem;
mod renewed;
mod room;
mod tls;
pub(crate) mod tokens;
mod turned_away;
mod unstalled;

pub(crate) use self::{
    connections::{Port, Protocol, bind, serve},
    counted::Counted,
    guard::{Guard, May, Who},
    live::{Beside, Later, Lent, Live, OnePage, Round, Snapshot, Tagged},
    tls::Tls,
    tokens::Tokens,
};

use axum::{Router, extract::FromRef, routing::get};
use std::sync::Arc;

/// What every handler knows.
#[derive(Clone)]
struct Served {
    live: Arc<Live>,
    counted: Arc<Counted>,
}

impl FromRef<Served> for Arc<Live> {
    fn from_ref(served: &Served) -> Self {
        Self::clone(&served.live)
    }
}

impl FromRef<Served> for Arc<Counted> {
    fn from_ref(served: &Served) -> Self {
        Self::clone(&served.counted)
    }
}

/// The dashboard and its API.
pub(crate) fn router(live: Arc<Live>, counted: Arc<Counted>) -> Router {
    let served = Served { live, counted };
    Router::new()
        .route("/", get(page::page))
        .route("/events", get(events::events))
        .route("/api/v1", get(api::overview))
        .route("/api/v1/", get(api::overview))
        .route("/api/v1/scorecard", get(api::scorecard))
        .route("/api/v1/criteria/{criterion}", get(api::criterion))
        .route("/api/v1/series/{criterion}", get(api::series))
        .route("/api/v1/evidence/{criterion}", get(api::evidence))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/openapi.json", get(api::openapi))
        .route("/metrics", get(metrics::metrics))
        .fallback(problem::nothing_here)
        .with_state(served)
}

#[cfg(test)]
mod bad_input;
