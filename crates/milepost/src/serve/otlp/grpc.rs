//! OTLP over gRPC: the method `Export` of the three services, each of one message and one answer.
//!
//! Not by the generated servers, since they have a request in memory as a whole, unpacked and decoded, before anybody is asked.

use super::{
    Signal,
    answer::{Encoding, Refusal},
    body::Reception,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Response},
    routing::post,
};
use hyper::body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Code, Status};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// Before a message stand one byte that says whether it is packed, and four of its length.
const PREFIX_BYTES: usize = 5;

pub(super) fn router(reception: Arc<Reception>) -> Router {
    let router = Signal::ALL.into_iter().fold(Router::new(), |router, signal| {
        router.route(signal.method(), post(move |reception: State<Arc<Reception>>, request: Request| export(signal, reception, request)))
    });
    router.fallback(nothing_here).with_state(reception)
}

async fn nothing_here(request: Request) -> Response {
    if let Some(no) = not_grpc(&request) {
        return no;
    }
    Status::unimplemented("there are the methods Export of the services of OTLP for traces, metrics and logs").into_http()
}

/// What is answered to whoever does not speak gRPC.
fn not_grpc(request: &Request) -> Option<Response> {
    if request.version() < Version::HTTP_2 {
        return Some(
            (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC is spoken here, over HTTP/2; OTLP over HTTP is on another port\n")
                .into_response(),
        );
    }
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = named.split(';').next().unwrap_or_default().trim();
    let is_grpc = matches!(kind, "application/grpc" | "application/grpc+proto");
    (!is_grpc).then(|| StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response())
}

async fn export(signal: Signal, State(reception): State<Arc<Reception>>, request: Request) -> Response {
    if let Some(no) = not_grpc(&request) {
        return no;
    }
    let packer = match request.headers().get(ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Packer::None,
        Some(b"gzip") => Packer::Gzip,
        Some(_) => {
            reception.refused(signal, &Refusal::ContentEncoding);
            return refused(&Refusal::ContentEncoding);
        }
    };
    // What stands around the message is no part of OTLP, and has words of its own.
    let mut fault = None;
    let unframe = |bytes: Bytes| {
        unframed(&bytes, packer).map_err(|status| {
            let refusal = Refusal::Malformed(status.message().to_owned());
            fault = Some(status);
            refusal
        })
    };
    let received = reception.receive(signal, Encoding::Protobuf, request.into_body(), unframe).await;
    match received {
        Ok(accepted) => answer(&accepted.protobuf()),
        Err(refusal) => fault.map_or_else(|| refused(&refusal), Status::into_http),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let mut response: Response = refusal.status().into_http();
    if *refusal == Refusal::ContentEncoding {
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip"));
    }
    response
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packer {
    None,
    Gzip,
}

/// The one message of a call, and whether it is packed.
fn unframed(bytes: &Bytes, packer: Packer) -> Result<(Bytes, bool), Status> {
    let Some(([flag, length @ ..], _)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(Status::new(Code::Internal, "the call ends before its message"));
    };
    let message = bytes.slice(PREFIX_BYTES..);
    let length = u32::from_be_bytes(*length) as usize;
    if message.len() < length {
        return Err(Status::new(Code::Internal, "the call ends within its message"));
    }
    if message.len() > length {
        return Err(Status::new(Code::Unimplemented, "the call has more than one message"));
    }
    match (flag, packer) {
        (0, _) => Ok((message, false)),
        (1, Packer::Gzip) => Ok((message, true)),
        (1, Packer::None) => Err(Status::new(Code::Internal, "the message is packed, and grpc-encoding does not say how")),
        _ => Err(Status::new(Code::Internal, "the first byte of the message is neither 0 nor 1")),
    }
}

/// A message and, behind it, that all went well.
fn answer(message: &[u8]) -> Response {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from(Code::Ok as u16));
    let body = Body::new(Answer { message: Some(framed.into()), trailers: Some(trailers) });
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.message.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.message.as_ref().map_or(0, |message| message.len() as u64))
    }
}
