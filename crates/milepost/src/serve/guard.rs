//! What holds for every request: who may ask, how, and what no answer lacks.

use super::{
    counted::Counted,
    page,
    problem::Problem,
    room::Client,
    tokens::{Admission, Scope, Tokens},
};
use axum::{
    Router,
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

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

/// What can be asked of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// GET and HEAD without a body.
    Read,
    /// POST with a body that the handler reads, within limits and with words of its own. A page of another site cannot do it at all.
    Write,
}

impl May {
    const fn scope(self) -> Scope {
        match self {
            Self::Read => Scope::Read,
            Self::Write => Scope::Write,
        }
    }
}

/// Who may ask.
#[derive(Clone)]
pub(crate) enum Who {
    /// Whoever reaches a loopback address and calls it by a loopback name.
    ThisMachine,
    /// Whoever has a token for it, by whatever name they call us: a page whose name was made to lead here has none.
    Bearer(Arc<Tokens>),
}

impl Who {
    /// Who may do it on an address: where others than this machine reach it, or `always`, only whoever has a token.
    ///
    /// # Errors
    /// What to do where nobody has one.
    pub(crate) fn on(address: SocketAddr, may: May, always: bool, tokens: &Arc<Tokens>) -> Result<Self, String> {
        if address.ip().is_loopback() && !always {
            return Ok(Self::ThisMachine);
        }
        let scope = may.scope();
        if !tokens.has(scope) {
            return Err(format!(
                "on {address}, only whoever has a token may {scope}, and there is none: `milepost token add NAME --{scope}` makes one"
            ));
        }
        Ok(Self::Bearer(Arc::clone(tokens)))
    }
}

/// What stands before a router.
pub(crate) struct Guard {
    may: May,
    address: SocketAddr,
    who: Who,
    counted: Option<Arc<Counted>>,
}

impl Guard {
    /// For a server that listens on `address`.
    pub(crate) const fn new(may: May, address: SocketAddr, who: Who) -> Self {
        Self { may, address, who, counted: None }
    }

    /// Counts what is refused.
    pub(crate) fn counting(self, counted: &Arc<Counted>) -> Self {
        Self { counted: Some(Arc::clone(counted)), ..self }
    }

    /// All that `router` answers, and that it has no answer to, goes by this guard.
    pub(crate) fn before(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(Arc::new(self), guard))
    }

    /// Why whoever asks may not.
    fn turned_away(&self, request: &Request) -> Option<Response> {
        let Who::Bearer(tokens) = &self.who else {
            let port = self.address.port();
            let is_ours = is_for_us(request.uri(), request.headers(), request.version(), port);
            let why =
                || format!("the Host of a request has to be this machine by a loopback name, as localhost:{port} or 127.0.0.1:{port}");
            return (!is_ours).then(|| Problem::new(StatusCode::MISDIRECTED_REQUEST, why()).into_response());
        };
        let scope = self.may.scope();
        let Some(token) = presented(request.headers(), self.may) else {
            let how = match self.may {
                May::Read => "`Authorization: Bearer TOKEN`, or the token as the password of any user",
                May::Write => "`Authorization: Bearer TOKEN`",
            };
            return Some(self.asks(format!("a token is needed that may {scope}: {how}")));
        };
        // Connections alone bring requests, and they say whose.
        let client = request.extensions().get::<Client>().copied().unwrap_or(Client::from(self.address.ip()));
        match tokens.admit(&token, scope, client) {
            Admission::Granted => None,
            Admission::Unknown => Some(self.asks(format!("this is no token that may {scope}, or one no longer"))),
            Admission::OtherScope => {
                let why = format!("this token is good for something else; one is needed that may {scope}");
                Some(Problem::new(StatusCode::FORBIDDEN, why).into_response())
            }
            Admission::TooManyFailed(wait) => {
                let seconds = wait.as_secs() + 1;
                let why = format!("too many wrong tokens came from this address: none is looked at for {seconds} s");
                let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, why).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                Some(response)
            }
        }
    }

    /// Asks for a token. A browser asks its user then, where it is to read: to write, it is not let in with what it keeps in mind, as it
    /// would send that along with whatever a page of another site has it send.
    fn asks(&self, why: String) -> Response {
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
        let headers = response.headers_mut();
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"milepost\""));
        if self.may == May::Read {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"milepost\", charset=\"UTF-8\""));
        }
        response
    }

    /// Why what is asked is not answered, whoever asks.
    fn refusal(&self, request: &Request) -> Option<Problem> {
        let headers = request.headers();
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
            May::Read => (!body.is_end_stream()).then(|| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body")),
            May::Write => None,
        }
    }

    const fn methods(&self) -> &'static str {
        match self.may {
            May::Read => "GET, HEAD",
            May::Write => "POST",
        }
    }
}

async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let refusal = guard.turned_away(&request).or_else(|| guard.refusal(&request).map(IntoResponse::into_response));
    // Nothing behind this can tell it on.
    request.headers_mut().remove(header::AUTHORIZATION);
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    if let Some(counted) = &guard.counted {
        counted.answered(response.status());
    }
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

/// The token that came with a request, as RFC 6750 has it, or as the password of RFC 7617.
fn presented(headers: &HeaderMap, may: May) -> Option<Vec<u8>> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else { return None };
    let (scheme, value) = given.to_str().ok()?.split_once(' ')?;
    let value = value.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") || may != May::Read {
        return None;
    }
    let pair = STANDARD.decode(value).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.get(colon + 1..)?.to_vec())
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
    is_ours && authority.port_u16().map_or([80, 443].contains(&port), |given| given == port) && !authority.as_str().contains('@')
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
    use crate::serve::tokens;
    use axum::body::Body;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    #[test]
    fn a_token_comes_as_bearer_and_to_read_also_as_a_password() {
        for (given, to_read, to_write) in [
            ("Bearer mp_abc", Some("mp_abc"), Some("mp_abc")),
            ("bearer  mp_abc ", Some("mp_abc"), Some("mp_abc")),
            ("Basic dTptcF9hYmM=", Some("mp_abc"), None),
            ("Basic bXBfYWJj", None, None),
            ("Basic ///", None, None),
            ("Digest mp_abc", None, None),
            ("mp_abc", None, None),
            ("Bearer", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(given));
            let token = |may| presented(&headers, may).map(|token| String::from_utf8(token).expect("text"));
            assert_eq!(token(May::Read).as_deref(), to_read, "{given}");
            assert_eq!(token(May::Write).as_deref(), to_write, "{given}");
            headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer mp_abc"));
            assert_eq!(presented(&headers, May::Read), None, "{given} and another");
        }
    }

    #[test]
    fn only_a_token_to_write_writes_and_never_a_page_of_another_site() {
        let folder = tempfile::tempdir().expect("a folder");
        let (writes, to_write) = tokens::Token::make("ci", Scope::Write).expect("made");
        let (reads, to_read) = tokens::Token::make("page", Scope::Read).expect("made");
        std::fs::write(folder.path().join(tokens::FILE), tokens::text(vec![writes, reads])).expect("written");
        let tokens = Arc::new(Tokens::of(folder.path(), |_| ()).expect("tokens"));
        let (address, may) = ("0.0.0.0:4318".parse().expect("an address"), May::Write);
        let who = Who::on(address, may, false, &tokens).expect("a token");
        let router = Router::new().route("/v1", axum::routing::post(|body: axum::body::Bytes| async { body }));
        let service = TowerToHyperService::new(Guard::new(may, address, who).before(router));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let answered = |method: &str, token: &str, more: Option<(&'static str, &'static str)>, body: Body| {
            let mut request = Request::builder().method(method).uri("/v1").header("authorization", token);
            if let Some((name, value)) = more {
                request = request.header(name, value);
            }
            let response = runtime.block_on(service.call(request.body(body).expect("a request"))).expect("an answer");
            assert!(response.headers().contains_key("content-security-policy"));
            response.status().as_u16()
        };
        let token = &format!("Bearer {to_write}");
        assert_eq!(answered("POST", token, None, "{}".into()), 200);
        assert_eq!(answered("GET", token, None, Body::empty()), 405);
        assert_eq!(answered("POST", token, Some(("origin", "https://evil.example")), "{}".into()), 403);
        assert_eq!(answered("POST", token, Some(("sec-fetch-site", "cross-site")), "{}".into()), 403);
        assert_eq!(answered("POST", &format!("Bearer {to_read}"), None, "{}".into()), 403);
        assert_eq!(answered("POST", &format!("Basic {}", STANDARD.encode(format!("u:{to_write}"))), None, "{}".into()), 401);
        assert_eq!(answered("POST", "Bearer mp_wrong", None, "{}".into()), 401);
        let nobody = Arc::new(Tokens::of(tempfile::tempdir().expect("a folder").path(), |_| ()).expect("none"));
        assert!(Who::on(address, may, false, &nobody).is_err_and(|why| why.contains("--write")));
    }

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
