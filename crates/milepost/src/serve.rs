//! HTTP for the live dashboard: what is shown, to whom, and within which limits. It judges nothing itself: `app/serve.rs` puts what
//! there is to show into [`Live`], and is woken where somebody wants it.

pub mod api;
mod connections;
mod events;
mod guard;
mod live;
pub mod openapi;
mod page;
mod problem;
mod unstalled;

pub(crate) use self::{
    connections::{bind, serve},
    live::{Beside, Later, Lent, Live, OnePage, Round, Snapshot, Tagged},
};

use axum::{Router, extract::FromRef, middleware, routing::get};
use std::{net::SocketAddr, sync::Arc};

/// What every handler knows.
#[derive(Clone)]
struct Served {
    live: Arc<Live>,
    address: SocketAddr,
}

impl FromRef<Served> for Arc<Live> {
    fn from_ref(served: &Served) -> Self {
        Self::clone(&served.live)
    }
}

/// All that is served, for a server that listens on `address`.
pub(crate) fn router(live: Arc<Live>, address: SocketAddr) -> Router {
    let served = Served { live, address };
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
        .fallback(problem::nothing_here)
        .layer(middleware::from_fn_with_state(served.clone(), guard::guard))
        .with_state(served)
}
