//! What holds for every request: who may ask, how, and what no answer lacks.

use super::{page, problem::Problem};
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// The longest path and query, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// A body has to be here within this time.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// What the bodies that are at hand at once may take in all: 64 MiB, in pieces.
static ROOM: Semaphore = Semaphore::const_new(1024);
const ROOM_PIECE_BYTES: usize = 64 * 1024;

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// What can be asked of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// GET and HEAD without a body.
    Read,
    /// POST with a body up to a limit, as it is sent; what it decompresses to, and its type, are for the handler to look at. It is
    /// handed over whole. A page of another site cannot do it at all.
    #[allow(dead_code, reason = "for OTLP")]
    Write { body_bytes_max: usize },
    /// POST with a body that the handler reads itself, as it has limits and words of its own for what is wrong with one.
    Take,
}

/// Who may ask.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// Whoever reaches a loopback address and calls it by a loopback name.
    ThisMachine,
}

/// What stands before a router.
pub(crate) struct Guard {
    may: May,
    address: SocketAddr,
    who: Who,
}

impl Guard {
    /// For a server that listens on `address`.
    pub(crate) const fn new(may: May, address: SocketAddr, who: Who) -> Self {
        Self { may, address, who }
    }

    /// All that `router` answers, and that it has no answer to, goes by this guard.
    pub(crate) fn before(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(Arc::new(self), guard))
    }

    fn refusal(&self, request: &Request) -> Option<Problem> {
        let (headers, port) = (request.headers(), self.address.port());
        if matches!(self.who, Who::ThisMachine) && !is_for_us(request.uri(), headers, request.version(), port) {
            return Some(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                format!("the Host of a request has to be this machine by a loopback name, as localhost:{port} or 127.0.0.1:{port}"),
            ));
        }
        let (method, writes) = (request.method(), self.may != May::Read);
        let is_allowed = if writes { method == Method::POST } else { method == Method::GET || method == Method::HEAD };
        if !is_allowed {
            let why = if writes { "only POST is answered here" } else { "nothing can be changed here: only GET and HEAD are answered" };
            return Some(Problem::new(StatusCode::METHOD_NOT_ALLOWED, why));
        }
        if is_of_another_site(headers, writes) {
            return Some(Problem::new(StatusCode::FORBIDDEN, "a page of another site asks for this, and it is none of its business"));
        }
        if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > URL_BYTES_MAX) {
            return Some(Problem::new(StatusCode::URI_TOO_LONG, format!("path and query have to be at most {URL_BYTES_MAX} bytes")));
        }
        let body = request.body();
        match self.may {
            May::Take => None,
            May::Read => (!body.is_end_stream()).then(|| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body")),
            May::Write { body_bytes_max } => {
                let fits = usize::try_from(body.size_hint().lower()).is_ok_and(|bytes| bytes <= body_bytes_max);
                (!fits).then(|| too_long(body_bytes_max))
            }
        }
    }

    const fn methods(&self) -> &'static str {
        match self.may {
            May::Read => "GET, HEAD",
            May::Write { .. } | May::Take => "POST",
        }
    }
}

async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match (guard.refusal(&request), guard.may) {
        (Some(problem), _) => problem.into_response(),
        (None, May::Read | May::Take) => next.run(request).await,
        (None, May::Write { body_bytes_max }) => {
            let (head, body) = request.into_parts();
            match whole(body, body_bytes_max).await {
                // The room is given back once all is done with the body.
                Ok((body, _room)) => next.run(Request::from_parts(head, body.into())).await,
                Err(problem) => problem.into_response(),
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(page::NOTHING_ALLOWED);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(guard.methods()));
    }
    response
}

fn too_long(bytes_max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has to be at most {bytes_max} bytes as it is sent"))
}

/// Reads a body, with the room that it takes.
async fn whole(body: Body, bytes_max: usize) -> Result<(Vec<u8>, Vec<SemaphorePermit<'static>>), Problem> {
    let (mut chunks, mut bytes, mut room) = (body.into_data_stream(), Vec::new(), Vec::new());
    let reading = async {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body ends before its end"))?;
            if bytes.len() + chunk.len() > bytes_max {
                return Err(too_long(bytes_max));
            }
            bytes.extend_from_slice(&chunk);
            while room.len() * ROOM_PIECE_BYTES < bytes.len() {
                let why = "so much is being sent at once that there is no room for more; try again";
                room.push(ROOM.try_acquire().map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))?);
            }
        }
        Ok(())
    };
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body has to be here within {} s", BODY_TIME_MAX.as_secs()));
    timeout(BODY_TIME_MAX, reading).await.map_err(|_| late())??;
    Ok((bytes, room))
}

/// Whether a request names us. A page of the Web whose name was made to lead to this machine (DNS rebinding) names itself.
fn is_for_us(uri: &Uri, headers: &HeaderMap, version: Version, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        (None, None) if version != Version::HTTP_11 => uri.authority().cloned(),
        _ => None,
    };
    let all = [host.as_ref(), uri.authority().or(host.as_ref())];
    all.into_iter().all(|authority| authority.is_some_and(|authority| is_loopback(authority, port)))
}

fn is_loopback(authority: &Authority, port: u16) -> bool {
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse::<IpAddr>();
    let is_ours = host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    is_ours && authority.port_u16().unwrap_or(80) == port && !authority.as_str().contains('@')
}

/// Browsers say where a request comes from. A link on another site may lead here, but nothing there may read, wait in a stream, or write.
fn is_of_another_site(headers: &HeaderMap, writes: bool) -> bool {
    let says = |name: &str, values: &[&str]| headers.get(name).is_some_and(|said| values.iter().any(|value| said == value));
    if writes && headers.contains_key(header::ORIGIN) && !says("sec-fetch-site", &["same-origin"]) {
        return true;
    }
    says("sec-fetch-site", &["cross-site", "same-site"]) && (writes || !says("sec-fetch-mode", &["navigate"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_with_our_port_are_ours() {
        for (host, ours) in [
            ("localhost:4270", true),
            ("LOCALHOST:4270", true),
            ("127.0.0.1:4270", true),
            ("127.8.9.1:4270", true),
            ("[::1]:4270", true),
            ("localhost", false),
            ("localhost:80", false),
            ("localhost.evil.example:4270", false),
            ("evil.example:4270", false),
            ("127.0.0.1.evil.example:4270", false),
            ("10.0.0.1:4270", false),
            ("[::]:4270", false),
            ("0.0.0.0:4270", false),
            ("localhost:4270@evil.example:4270", false),
            ("evil@localhost:4270", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(is_for_us(&Uri::from_static("/"), &headers, Version::HTTP_11, 4270), ours, "{host}");
            headers.append(header::HOST, HeaderValue::from_static("localhost:4270"));
            assert!(!is_for_us(&Uri::from_static("/"), &headers, Version::HTTP_11, 4270), "{host} and another");
        }
        let mut headers = HeaderMap::new();
        assert!(!is_for_us(&Uri::from_static("/"), &headers, Version::HTTP_11, 4270));
        headers.insert(header::HOST, HeaderValue::from_static("localhost:4270"));
        assert!(is_for_us(&Uri::from_static("http://127.0.0.1:4270/"), &headers, Version::HTTP_11, 4270));
        assert!(!is_for_us(&Uri::from_static("http://evil.example:4270/"), &headers, Version::HTTP_11, 4270));
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        assert!(is_for_us(&Uri::from_static("/"), &headers, Version::HTTP_11, 80));
    }
}
