//! OTLP over HTTP: `POST /v1/traces`, `/v1/metrics` and `/v1/logs`, in Protobuf or JSON, packed by gzip or not.

use super::{
    Signal,
    answer::{Encoding, Refusal},
    body::Reception,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use std::sync::Arc;

pub(super) fn router(reception: Arc<Reception>) -> Router {
    let router = Signal::ALL.into_iter().fold(Router::new(), |router, signal| {
        router.route(signal.path(), post(move |reception: State<Arc<Reception>>, request: Request| export(signal, reception, request)))
    });
    router.fallback(nothing_here).with_state(reception)
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, "OTLP is sent by POST to /v1/traces, /v1/metrics and /v1/logs\n").into_response()
}

async fn export(signal: Signal, State(reception): State<Arc<Reception>>, request: Request) -> Response {
    let headers = request.headers();
    let refused = |refusal: Refusal, encoding| {
        reception.refused(signal, &refusal);
        refusal.response(encoding)
    };
    // Whoever sends neither is answered in what a person can read.
    let Some(encoding) = encoding(headers) else { return refused(Refusal::ContentType, Encoding::Json) };
    let Some(is_packed) = is_packed(headers) else { return refused(Refusal::ContentEncoding, encoding) };
    match reception.receive(signal, encoding, request.into_body(), |bytes| Ok((bytes, is_packed))).await {
        Ok(accepted) => accepted.response(signal, encoding),
        Err(refusal) => refusal.response(encoding),
    }
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let named = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

/// Whether the body is packed by gzip; none where it is packed by something else.
fn is_packed(headers: &HeaderMap) -> Option<bool> {
    let mut named = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = named.next() else { return Some(false) };
    match (first.to_str().ok()?.trim().to_ascii_lowercase().as_str(), named.next()) {
        ("gzip", None) => Some(true),
        ("identity" | "", None) => Some(false),
        _ => None,
    }
}
