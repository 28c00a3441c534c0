//! Floods: what is too much is refused with a word and counted, what was accepted is there once, and nobody's names make pages of
//! gigabytes. Short ones; `cargo xtask bench floods` takes minutes.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(240);
const CONFIG: &str = "\
[project]
name = \"test\"

[[criterion]]
name = \"Each operation works\"
metric = \"success.rate\"
at_least = \"50%\"
for_each = \"operation\"
tier = \"must\"
since = \"2026-01-01\"
";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.path("milepost.toml"), CONFIG).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    fn printed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.printed(args)).expect("JSON")
    }

    fn operations(&self) -> u64 {
        self.json(&["query", "SELECT count(*) AS n FROM operations", "--format", "json"])[0]["n"].as_u64().expect("a number")
    }

    /// Records lines of JSON.
    fn record(&self, lines: &str) {
        let mut child = self.command(&["record"]).stdin(Stdio::piped()).spawn().expect("milepost runs");
        child.stdin.take().expect("an input").write_all(lines.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn serve(&self, otlp: &str) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--otlp-http", otlp, "--otlp-grpc", "off"]);
        let mut child = command.spawn().expect("milepost runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
        let addresses: Value = serde_json::from_str(&line).expect("JSON");
        let at = |name: &str| {
            let (_, host) = addresses[name].as_str()?.trim_end_matches('/').split_once("://")?;
            host.parse::<SocketAddr>().ok()
        };
        let said = Arc::new(Mutex::new(String::new()));
        let (heard, mut from) = (Arc::clone(&said), BufReader::new(child.stderr.take().expect("an output")));
        thread::spawn(move || {
            let mut line = String::new();
            while from.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                heard.lock().expect("nobody panicked").push_str(&line);
                line.clear();
            }
        });
        Server { child, page: at("dashboard").expect("an address"), otlp: at("otlp_http"), said }
    }
}

struct Server {
    child: Child,
    page: SocketAddr,
    otlp: Option<SocketAddr>,
    said: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection from an address of this machine.
fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("an address");
        socket.connect(to).await.expect("a connection").into_std().expect("a stream")
    });
    stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).expect("set");
    stream
}

/// All that comes back; nothing where it is closed without a word.
fn heard(mut stream: TcpStream, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes);
    let mut heard = Vec::new();
    if let Err(error) = stream.read_to_end(&mut heard) {
        assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "it never hangs up");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn status(heard: &str) -> u16 {
    heard.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}

impl Server {
    fn get(&self, from: [u8; 4], path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.page);
        heard(connect(from, self.page), request.as_bytes())
    }

    /// What `/metrics` says of a counter, all its series together.
    fn counted(&self, name: &str) -> u64 {
        let text = self.get([127, 0, 0, 9], "/metrics");
        let of = |line: &str| line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?.rsplit(' ').next()?.parse::<u64>().ok();
        assert!(text.contains(name), "{text}");
        text.lines().filter_map(of).sum()
    }

    fn post(&self, body: &str) -> String {
        let to = self.otlp.expect("an address");
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        heard(connect([127, 0, 0, 1], to), (head + body).as_bytes())
    }

    /// The most memory that it ever had, in bytes.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

/// So many root spans, with ids and names of their own for each `batch`.
fn spans(batch: u64, count: u64, name: impl Fn(u64) -> String) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_nanos();
    let span = |number: u64| {
        json!({
            "traceId": format!("{:032x}", batch + 1), "spanId": format!("{:016x}", number + 1), "name": name(number), "kind": 2,
            "startTimeUnixNano": (now - 5_000_000).to_string(), "endTimeUnixNano": now.to_string(),
        })
    };
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": (0..count).map(span).collect::<Vec<_>>() }] }] }).to_string()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_thousand_connections_are_told_that_there_is_no_place_and_counted() {
    let place = Place::new();
    let server = place.serve("off");
    let crowd = [127, 0, 0, 2];
    let held: Vec<_> = (0..128).map(|_| connect(crowd, server.page)).collect();
    let before = server.peak();
    let request = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", server.page);
    let answer = heard(connect(crowd, server.page), request.as_bytes());
    assert_eq!(status(&answer), 503, "{answer}");
    let lower = answer.to_lowercase();
    assert!(lower.contains("retry-after: 5\r\n") && lower.contains("content-type: application/problem+json"), "{answer}");
    let problem: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert!(problem["status"] == 503 && problem["detail"].as_str().is_some_and(|why| why.contains("no place")), "{problem}");
    for _ in 0..871 {
        drop(connect(crowd, server.page));
    }
    // Each of them is looked at in turn, before this one.
    wait_until("all are counted", || server.counted("milepost_connections_refused_total") == 872);
    assert_eq!(status(&server.get([127, 0, 0, 3], "/api/v1/scorecard")), 200);
    assert!(server.peak() - before < 200 << 20, "{} bytes more", server.peak() - before);
    wait_until("it is said", || server.said.lock().expect("nobody panicked").contains("closed, as there was no place for more"));
    drop(held);
    wait_until("there is place again", || status(&server.get(crowd, "/api/v1/openapi.json")) == 200);
}

#[test]
fn what_a_flood_was_told_is_what_is_there_and_what_is_counted() {
    const SENDERS: u64 = 100;
    const EACH: u64 = 20;
    let place = Place::new();
    let server = place.serve("127.0.0.1:0");
    let (taken, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (server, taken, refused) = (&server, &taken, &refused);
            scope.spawn(move || {
                // Every tenth does not send what it should.
                let body = if sender % 10 == 0 { "[]".to_owned() } else { spans(sender, EACH, |n| format!("op {n}")) };
                let answer = server.post(&body);
                match status(&answer) {
                    200 => taken.fetch_add(EACH, Ordering::Relaxed),
                    429 => {
                        assert!(answer.to_lowercase().contains("retry-after: 5\r\n") && answer.contains("come again later"), "{answer}");
                        refused.fetch_add(1, Ordering::Relaxed)
                    }
                    400 if sender % 10 == 0 => refused.fetch_add(1, Ordering::Relaxed),
                    other => panic!("{other}: {answer}"),
                };
            });
        }
    });
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    assert!(taken / EACH + refused == SENDERS && refused >= SENDERS / 10, "{taken} and {refused}");
    assert_eq!(place.operations(), taken);
    let said = server.get([127, 0, 0, 9], "/metrics");
    let recorded = format!("milepost_otlp_items_total{{signal=\"traces\",result=\"recorded\"}} {taken}\n");
    assert!(said.contains(&recorded), "{said}");
    for counter in ["milepost_otlp_requests_refused_total", "milepost_requests_refused_total"] {
        assert_eq!(server.counted(counter), refused);
    }
}

#[test]
fn a_long_stream_is_taken_into_the_tables_and_one_that_outruns_them_is_stopped() {
    let place = Place::new();
    let server = place.serve("127.0.0.1:0");
    let bytes = || -> u64 {
        let files = fs::read_dir(place.path(".milepost/spool")).map(|files| files.flatten().collect::<Vec<_>>());
        let segment = |file: &fs::DirEntry| file.path().extension().is_some_and(|extension| extension == "jsonl");
        files.unwrap_or_default().iter().filter(|file| segment(file)).filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    };
    // Names as long as they may be, each of its own.
    let long = "n".repeat(15 << 10);
    for batch in 0..12 {
        assert_eq!(status(&server.post(&spans(batch, 100, |n| format!("{batch} {n} {long}")))), 200);
    }
    wait_until("it is taken in", || bytes() < 8 << 20 && place.path(".milepost/store/operations").is_dir());
    assert_eq!(place.operations(), 1200);
    // The segment of another process, which it has to itself.
    let own = place.path(".milepost/spool/own-1-flood.jsonl");
    fs::write(&own, "").and_then(|()| fs::File::options().write(true).open(&own)?.set_len(129 << 20)).expect("made");
    let mut batch = 100;
    let mut send = || {
        batch += 1;
        server.post(&spans(batch, 1, |_| "op".to_owned()))
    };
    let began = Instant::now();
    let mut taken = 1200;
    let refused = loop {
        let answer = send();
        if status(&answer) == 429 {
            break answer;
        }
        taken += u64::from(status(&answer) == 200);
        assert!(began.elapsed() < PATIENCE, "it is never full");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(refused.to_lowercase().contains("retry-after: 5") && refused.contains("more came in than could be stored"), "{refused}");
    fs::remove_file(&own).expect("removed");
    assert!(server.counted("milepost_otlp_requests_refused_total") > 0);
    wait_until("it goes on", || status(&server.post(&spans(99, 1, |_| "op".to_owned()))) == 200);
    assert_eq!(place.operations(), taken + 1);
}

#[test]
fn names_that_strangers_make_up_leave_reports_and_pages_small() {
    const NAMES: u64 = 2500;
    let place = Place::new();
    let line = |n: u64| {
        let at = milepost_record::Timestamp::now();
        let error = if n.is_multiple_of(2) { json!({ "category": format!("category_{n}") }) } else { Value::Null };
        json!({
            "v": 1, "kind": "operation", "at": at, "operation": format!("operation {n}"), "backend": format!("backend {n}"),
            "user": format!("u-{n:016x}"), "persona": format!("persona {n}"), "attributes": { "key": format!("value {n}") },
            "outcome": if n.is_multiple_of(2) { "failed" } else { "ok" }, "duration_us": 1000 + n, "error": error,
        })
        .to_string()
    };
    // One operation more often than all others, of many backends.
    let often = |n: u64| line(n).replace(&format!("operation {n}\""), "often\"");
    let lines: Vec<_> = (0..NAMES).map(line).chain((0..500).map(often)).collect();
    place.record(&lines.join("\n"));
    let report = place.json(&["report", "full", "--format", "json"]);
    let list = |pointer: &str| report.pointer(pointer).and_then(Value::as_array).expect("a list").clone();
    let operations = list("/performance/by_operation");
    assert_eq!(operations.len(), 1001);
    let count = |groups: &[Value]| groups.iter().map(|group| group["count"].as_u64().expect("a number")).sum::<u64>();
    assert_eq!(count(&operations), NAMES + 500, "none is lost");
    let named = |name: &str| operations.iter().find(|group| group["operation"] == name).expect("it is told apart").clone();
    assert_eq!((&named("often")["count"], &named("(others)")["count"]), (&json!(500), &json!(NAMES - 999)));
    let both = list("/performance/by_operation_and_backend");
    assert!(both.len() < 1100 && count(&both) == NAMES + 500, "{}", both.len());
    let errors = list("/reliability/errors");
    assert!(errors.len() <= 1001, "{}", errors.len());
    assert_eq!(count(&errors), NAMES / 2 + 250);
    assert!(report.to_string().len() < 4 << 20);
    let scorecard = place.json(&["status", "--format", "json"]);
    assert!(scorecard["criteria"][0]["groups"].as_array().is_some_and(|groups| groups.len() <= 1000));
    assert!(place.printed(&["dashboard", "--output", "-"]).len() < 4 << 20);
    place.printed(&["track"]);
    let kept = fs::read_dir(place.path(".milepost/reports/data")).expect("a folder").flatten();
    assert!(kept.filter_map(|file| file.metadata().ok()).all(|file| file.len() < 4 << 20));
}
