//! What holds for every request: who may ask, how, and what no answer lacks.

use super::{Served, page, problem::Problem};
use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::IpAddr;

/// The longest path and query, in bytes.
const URL_BYTES_MAX: usize = 2048;

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(super) async fn guard(State(served): State<Served>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&request, served.address.port()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(page::NOTHING_ALLOWED);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn refusal(request: &Request, port: u16) -> Option<Problem> {
    let headers = request.headers();
    if !is_for_us(request.uri(), headers, request.version(), port) {
        return Some(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("the Host of a request has to be this machine by a loopback name, as localhost:{port} or 127.0.0.1:{port}"),
        ));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Some(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here: only GET and HEAD are answered"));
    }
    if is_of_another_site(headers) {
        return Some(Problem::new(StatusCode::FORBIDDEN, "a page of another site asks for this, and it is none of its business"));
    }
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > URL_BYTES_MAX) {
        return Some(Problem::new(StatusCode::URI_TOO_LONG, format!("path and query have to be at most {URL_BYTES_MAX} bytes")));
    }
    (!request.body().is_end_stream()).then(|| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body"))
}

/// Whether a request names us. A page of the Web whose name was made to lead to this machine (DNS rebinding) names itself.
fn is_for_us(uri: &Uri, headers: &HeaderMap, version: Version, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        (None, None) if version < Version::HTTP_11 => uri.authority().cloned(),
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

/// Browsers say where a request comes from. A link on another site may lead here, but nothing there may read or wait in a stream.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let says = |name: &str, values: &[&str]| headers.get(name).is_some_and(|said| values.iter().any(|value| said == value));
    says("sec-fetch-site", &["cross-site", "same-site"]) && !says("sec-fetch-mode", &["navigate"])
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
