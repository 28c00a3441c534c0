//! Whoever reaches the port, and pages of other sites in the user's browser. `tests/serve.rs` and `tests/ports.rs` have the rest.

use super::Place;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Stdio},
    time::Duration,
};

pub(super) struct Server {
    child: Child,
    /// Kept open, as a server that cannot print ends.
    out: BufReader<ChildStdout>,
    pub(super) host: String,
    otlp: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(super) fn start(place: &Place, args: &[&str]) -> Self {
        let takes = args.contains(&"--otlp-http");
        let off: &[&str] = if takes { &[] } else { &["--otlp-http", "off"] };
        let args = [&["serve", "--listen", "127.0.0.1:0", "--otlp-grpc", "off"], off, args].concat();
        let mut child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        let mut out = BufReader::new(child.stdout.take().expect("an output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let addresses: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let host = |key: &str| {
            let rest = addresses[key].as_str()?.strip_prefix("http://")?;
            rest.split('/').next().map(str::to_owned)
        };
        Self { child, out, host: host("dashboard").expect("an address"), otlp: host("otlp_http") }
    }

    /// All that comes back for these bytes until the other side hangs up.
    pub(super) fn ask(&self, bytes: &str) -> String {
        ask(&self.host, bytes)
    }

    /// All that it printed.
    pub(super) fn end(mut self) -> String {
        let _ = self.child.kill();
        let mut said = String::new();
        self.out.read_to_string(&mut said).expect("text");
        self.child.stderr.take().expect("an output").read_to_string(&mut said).expect("text");
        said
    }
}

fn ask(host: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    // Whoever is hung up on cannot say all.
    let _ = stream.write_all(bytes.as_bytes());
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

fn answers(heard: &str) -> Vec<&str> {
    heard.match_indices("HTTP/1.1 ").map(|(at, _)| &heard[at + 9..at + 12]).collect()
}

/// Where two read one connection differently, one of them takes a body for the next request.
#[test]
fn no_request_hides_in_another() {
    let place = Place::new();
    let server = Server::start(&place, &["--otlp-http", "127.0.0.1:0"]);
    let otlp = server.otlp.clone().expect("an address");
    for (host, start) in [(&server.host, "GET / HTTP/1.1"), (&otlp, "POST /v1/traces HTTP/1.1")] {
        let hidden = format!("GET /hidden HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let head = format!("{start}\r\nHost: {host}\r\nContent-Type: application/json\r\n");
        for (headers, body) in [
            ("Content-Length: 4\r\nContent-Length: 5\r\n", "{}  "),
            ("Content-Length: 4, 5\r\n", "{}  "),
            ("Content-Length: +2\r\n", "{}"),
            ("Content-Length: 0x2\r\n", "{}"),
            ("Content-Length: -2\r\n", "{}"),
            ("Content-Length : 2\r\n", "{}"),
            ("Content-Length: 99999999999999999999999\r\n", "{}"),
            ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "-1\r\n"),
            ("X: a\r\n folded: b\r\nContent-Length: x\r\n", "{}"),
            ("X\0: a\r\n", ""),
            ("X: a\0\r\n", ""),
            ("X y: a\r\n", ""),
            (": a\r\n", ""),
        ] {
            let heard = ask(host, &format!("{head}{headers}\r\n{body}{hidden}"));
            let all = answers(&heard);
            assert!(all.len() <= 1 && all.iter().all(|status| status.starts_with('4')), "{start}: {headers:?}: {heard}");
        }
    }
    let fine = server.ask(&format!(
        "GET /nothing HTTP/1.1\r\nHost: {0}\r\n\r\nGET /hidden HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n",
        server.host
    ));
    assert_eq!(answers(&fine), ["404", "404"], "else this test shows nothing");
}

#[test]
fn what_is_asked_for_becomes_no_header_and_no_markup() {
    let place = Place::new();
    place.record_names();
    let server = Server::start(&place, &[]);
    for path in [
        "/%0d%0aSet-Cookie:%20owned=1%0d%0a%0d%0a<script>alert(1)</script>",
        "/api/v1/criteria/x%0d%0aSet-Cookie:%20owned=1",
        "/api/v1/criteria/%3Cscript%3Ealert(1)%3C/script%3E",
        "/api/v1/evidence/1?limit=%0d%0aSet-Cookie:%20owned=1",
        "/api/v1/?%0d%0aSet-Cookie:%20owned=1=%3Cscript%3E",
        "/metrics?%0aowned%201",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/criteria/..%2f..%2f..%2fetc%2fpasswd",
        "//evil.example/",
        "http://evil.example/",
    ] {
        let heard = server.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host));
        let (head, body) = heard.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 4"), "{path}: {head}");
        assert!(!head.to_lowercase().contains("set-cookie") && !head.contains("owned") && !head.contains("evil"), "{path}: {head}");
        assert!(!head.contains("text/html") || !body.contains("<script>alert"), "{path}: {body}");
        assert!(!body.contains("root:"), "{path}: {body}");
    }
}
