//! OTLP in `milepost serve`: what real exporters send is counted exactly, however often they send it, and no sender ends it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use flate2::{Compression, write::GzEncoder};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Compression as Packed, Protocol, SpanExporter as Exporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tracing_subscriber::layer::SubscriberExt;

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);
const CONFIG: &str = "\
[project]
name = \"test\"

[otlp]
flag = \"assistant\"
leave_out = [\"healthz\"]
[otlp.operations]
\"GET /search\" = \"search\"
[otlp.arms]
on = \"learning\"
off = \"control\"

[[criterion]]
name = \"It works\"
metric = \"success.rate\"
at_least = \"50%\"
tier = \"must\"
since = \"2026-01-01\"

[[criterion]]
name = \"It is small\"
metric = \"memory.peak\"
below = \"100MB\"
tier = \"should\"
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

    /// What `doctor` says, without its lines.
    fn doctor(&self) -> String {
        self.printed(&["doctor"]).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.printed(args)).expect("JSON")
    }

    fn rows(&self, sql: &str) -> Value {
        self.json(&["query", sql, "--format", "json"])
    }

    fn serve(&self) -> Server {
        self.serve_with(|_| {})
    }

    fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Server {
        let free = "127.0.0.1:0";
        let mut command = self.command(&["serve", "--listen", free, "--otlp-http", free, "--otlp-grpc", free]);
        change(&mut command);
        let mut child = command.spawn().expect("milepost runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
        let addresses: Value = serde_json::from_str(&line).expect("JSON");
        let at = |name: &str| addresses[name].as_str().expect("an address").to_owned();
        Server { http: at("otlp_http"), grpc: at("otlp_grpc"), child }
    }
}

struct Server {
    child: Child,
    http: String,
    grpc: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Ends it as a person does, so that it writes down what it knows.
    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a status").success());
        assert!(self.child.wait().expect("a status").success());
    }

    fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        post(self.http.strip_prefix("http://").expect("an address"), path, headers, body)
    }

    fn json(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.post(path, "Content-Type: application/json\r\n", body.to_string().as_bytes());
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    /// The most memory that it ever had, in bytes.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

fn post(host: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("it reads");
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("an answer");
    let text = String::from_utf8_lossy(&text);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

fn now() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_nanos()).expect("a number")
}

/// So many root spans, with ids of their own for each `batch`.
fn spans(batch: u64, count: u64) -> Value {
    let end = now();
    let span = |number: u64| {
        json!({
            "traceId": format!("{:032x}", batch + 1), "spanId": format!("{:016x}", number + 1), "name": "GET /search", "kind": 2,
            "startTimeUnixNano": (end - 5_000_000).to_string(), "endTimeUnixNano": end.to_string(),
        })
    };
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": (0..count).map(span).collect::<Vec<_>>() }] }] })
}

/// Keeps what a program did.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("nobody panicked").extend(batch);
        Ok(())
    }
}

/// What a program says with `tracing` of ten requests, of which two fail.
fn traced(resource: &Resource, name: &'static str) -> Vec<SpanData> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_resource(resource.clone()).with_simple_exporter(kept.clone()).build();
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("shop")));
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..10 {
            let request = tracing::info_span!("request", otel.name = name, otel.status_code = tracing::field::Empty);
            let _within = request.enter();
            tracing::info_span!("ask the index").in_scope(|| {});
            if number < 2 {
                request.record("otel.status_code", "ERROR");
            }
        }
    });
    provider.force_flush().expect("all is kept");
    kept.0.lock().expect("nobody panicked").clone()
}

#[test]
fn spans_of_a_rust_program_are_counted_once_over_http_and_grpc() {
    let place = Place::new();
    let server = place.serve();
    let resource = Resource::builder_empty().with_attribute(opentelemetry::KeyValue::new("service.version", "2.0.0")).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let traces = format!("{}/v1/traces", server.http);
    runtime.block_on(async {
        let over_http = |protocol| Exporter::builder().with_http().with_endpoint(&traces).with_protocol(protocol);
        let exporters = [
            ("rust-proto", over_http(Protocol::HttpBinary).build()),
            ("rust-gzip", over_http(Protocol::HttpBinary).with_compression(Packed::Gzip).build()),
            ("rust-json", over_http(Protocol::HttpJson).build()),
            ("rust-grpc", Exporter::builder().with_tonic().with_endpoint(&server.grpc).build()),
        ];
        for (name, exporter) in exporters {
            let mut exporter = exporter.expect("an exporter");
            exporter.set_resource(&resource);
            let batch = traced(&resource, name);
            assert_eq!(batch.len(), 20);
            for _ in 0..2 {
                exporter.export(batch.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    });
    let counted = place.rows(
        "SELECT operation, count(*) AS n, count(*) FILTER (WHERE outcome = 'failed') AS failed, max(version) AS version
         FROM operations GROUP BY 1 ORDER BY 1",
    );
    let row = |name: &str| json!({ "operation": name, "n": 10, "failed": 2, "version": "2.0.0" });
    assert_eq!(counted, json!([row("rust-grpc"), row("rust-gzip"), row("rust-json"), row("rust-proto")]));
    let scorecard = place.json(&["status", "--format", "json"]);
    assert_eq!(scorecard["criteria"][0]["n"], 40, "{scorecard}");
    server.end();
    let told = place.doctor();
    assert!(told.contains("OTLP traces") && told.contains("80 taken, 80 left out, 0 rejected; 0 requests refused"), "{told}");
}

#[test]
fn a_storm_of_retries_counts_once() {
    let place = Place::new();
    let server = place.serve();
    let batches: Vec<_> = (0..4).map(|batch| spans(batch, 50)).collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for batch in &batches {
                    // Where it is too much at once, a sender comes again.
                    while server.json("/v1/traces", batch).0 == 429 {}
                }
            });
        }
    });
    assert_eq!(place.rows("SELECT operation, count(*) AS n FROM operations GROUP BY 1"), json!([{ "operation": "search", "n": 200 }]));
    // Taken into the tables, and sent again.
    place.printed(&["track"]);
    assert_eq!(server.json("/v1/traces", &batches[0]).0, 200);
    assert_eq!(place.rows("SELECT count(*) AS n FROM operations"), json!([{ "n": 200 }]));
    assert_eq!(place.json(&["status", "--format", "json"])["criteria"][0]["n"], 200);
}

#[test]
fn what_a_sender_does_wrong_is_answered_and_costs_no_memory() {
    let place = Place::new();
    let server = place.serve();
    let packer = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n";
    // Eight gigabytes of zeros, and messages of two bytes that would take hundreds each.
    let bomb = packed(&vec![0; 1 << 20]).repeat(8192);
    let small = packed(&[0x0a, 0x02, 0x12, 0x00].repeat(4 << 20));
    let before = server.peak();
    assert_eq!(server.post("/v1/traces", packer, &bomb).0, 413);
    assert_eq!(server.post("/v1/traces", packer, &small).0, 200);
    let grew = server.peak() - before;
    assert!(grew < 400 << 20, "{grew} bytes more");
    assert_eq!(server.post("/v1/traces", packer, b"no gzip").0, 400);
    assert_eq!(server.post("/v1/traces", "Content-Type: text/plain\r\n", b"").0, 415);
    assert_eq!(server.post("/v1/traces", "Content-Type: application/json\r\n", &vec![b' '; 17 << 20]).0, 413);
    assert_eq!(server.post("/elsewhere", "", b"").0, 404);
    assert_eq!(server.json("/v1/logs", &json!({})), (200, json!({})));
    // Whoever breaks off harms nobody.
    let mut stream = TcpStream::connect(server.http.strip_prefix("http://").expect("an address")).expect("it listens");
    stream.write_all(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc").expect("it reads");
    drop(stream);
    assert_eq!(server.json("/v1/traces", &spans(1, 1)), (200, json!({})));
    let (status, told) = server.json(
        "/v1/metrics",
        &json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "a\u{1b}[31m", "gauge": { "dataPoints": [{}, {}] } },
    ] }] }] }),
    );
    assert_eq!((status, &told["partialSuccess"]["rejectedDataPoints"]), (200, &json!("2")));
    server.end();
    let told = place.doctor();
    for said in ["OTLP metrics", "2 rejected", "is none of ours", "refused: "] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.contains('\u{1b}'), "{told:?}");
    // What was counted goes on.
    place.serve().end();
    assert_eq!(place.doctor().matches("OTLP").count(), told.matches("OTLP").count());
}

#[test]
fn where_it_listens_is_said_and_can_be_refused() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = place.run(&["serve", "--listen", "127.0.0.1:0", "--otlp-http", &address, "--otlp-grpc", "off"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("--otlp-http off"), "{said}");
    for wrong in ["0.0.0.0:0", "on", "4318"] {
        assert_eq!(place.run(&["serve", "--listen", "127.0.0.1:0", "--otlp-grpc", wrong]).status.code(), Some(2), "{wrong}");
    }

    let silent = place.serve_with(|command| _ = command.env("DO_NOT_TRACK", "1"));
    let (status, told) = silent.json("/v1/traces", &spans(1, 1));
    assert_eq!((status, &told["code"]), (403, &json!(7)));
    assert!(told["message"].as_str().expect("a text").contains("DO_NOT_TRACK"), "{told}");
    assert_eq!(place.printed(&["export"]), "");
}

fn exactly(reader: &mut impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).expect("a body");
    bytes
}

/// A body whose length nobody knew before.
fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a length");
        let length = usize::from_str_radix(line.trim(), 16).expect("a length");
        body.extend(exactly(reader, length));
        exactly(reader, 2);
        if length == 0 {
            return body;
        }
    }
}

#[test]
fn where_a_token_is_asked_for_one_that_may_write_is_needed() {
    let place = Place::new();
    // Nobody may write: a port that was asked for is an error.
    let asked = ["serve", "--listen", "127.0.0.1:0", "--require-token", "--otlp-grpc", "off", "--otlp-http", "127.0.0.1:0"];
    assert_eq!(place.run(&asked).status.code(), Some(2));
    let read = place.printed(&["token", "add", "reader", "--read"]).trim().to_owned();
    let write = place.printed(&["token", "add", "writer", "--write"]).trim().to_owned();
    let server = place.serve_with(|command| _ = command.arg("--require-token"));
    let body = spans(1, 1).to_string();
    for (token, status) in [("", 401), (read.as_str(), 403), (write.as_str(), 200)] {
        let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
        assert_eq!(server.post("/v1/traces", &headers, body.as_bytes()).0, status);
    }
    assert_eq!(place.rows("SELECT count(*) AS n FROM operations"), json!([{ "n": 1 }]));
}

#[test]
fn a_configuration_that_changes_holds_from_the_next_request_on() {
    let place = Place::new();
    let server = place.serve();
    let failed = |batch: u64| {
        let mut spans = spans(batch, 1);
        spans["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"] = json!({ "code": 2, "message": "Connection refused" });
        spans
    };
    let configure = |config: &str| fs::write(place.path("milepost.toml"), config).expect("written");
    assert_eq!(server.json("/v1/traces", &failed(1)).0, 200);
    configure(&(CONFIG.replace("= \"search\"", "= \"find\"") + "[privacy]\ntexts = [\"error\"]\n"));
    assert_eq!(server.json("/v1/traces", &failed(2)).0, 200);
    // One with a mistake changes nothing.
    configure(&CONFIG.replace("[otlp]", "[otpl]"));
    assert_eq!(server.json("/v1/traces", &failed(3)).0, 200);
    configure(CONFIG);
    let row = |operation: &str, n: u64, texts: u64| json!({ "operation": operation, "n": n, "texts": texts });
    assert_eq!(
        place.rows("SELECT operation, count(*) AS n, count(error_text) AS texts FROM operations GROUP BY 1 ORDER BY 1"),
        json!([row("find", 2, 2), row("search", 1, 0)])
    );
}

#[test]
fn what_cannot_be_written_is_sent_back_until_it_can() {
    let place = Place::new();
    let server = place.serve();
    let layout = place.path(".milepost/spool/spool.json");
    place.printed(&["record", "operation", "--operation", "search", "--outcome", "ok"]);
    let kept = fs::read_to_string(&layout).expect("a layout");
    fs::write(&layout, "{\"version\":99,\"id\":\"x\"}").expect("written");
    let (status, told) = server.json("/v1/traces", &spans(1, 1));
    assert_eq!((status, &told["code"]), (503, &json!(14)));
    assert!(!told.to_string().contains("milepost/spool"), "{told}");
    fs::write(&layout, kept).expect("written");
    assert_eq!(server.json("/v1/traces", &spans(1, 1)), (200, json!({})));
    assert_eq!(place.rows("SELECT count(*) AS n FROM operations"), json!([{ "n": 2 }]));
    server.end();
    assert!(place.doctor().contains("spool.json has version 99"), "{}", place.doctor());
}

/// Stands before a server: of what comes in it passes on all, and of the first answers it tells the sender that there was none.
fn forgetful(server: &str, forgets: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, server) = (listener.local_addr().expect("an address"), server.strip_prefix("http://").expect("an address").to_owned());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut head, mut length, mut path) = (String::new(), Some(0), String::new());
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) < 3 {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if let Some(n) = lower.strip_prefix("content-length:") {
                    length = Some(n.trim().parse().expect("a number"));
                } else if lower.starts_with("transfer-encoding:") {
                    length = None;
                } else if lower.starts_with("content-") {
                    head.push_str(&line);
                } else if lower.starts_with("post ") {
                    path = line.split(' ').nth(1).expect("a path").to_owned();
                }
            }
            let body = match length {
                Some(length) => exactly(&mut reader, length),
                None => chunks(&mut reader),
            };
            if path.is_empty() {
                continue;
            }
            let (status, _) = post(&server, &path, &head, &body);
            let status = if number < forgets { 503 } else { status };
            let answer =
                format!("HTTP/1.1 {status} So\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// What a program in another language sent, by transport.
fn check_sent(place: &Place, names: &[&str]) {
    let counted = |sql: &str| place.rows(sql).as_array().expect("rows").clone();
    let expected = |value: &dyn Fn(&str) -> Value| names.iter().map(|name| value(name)).collect::<Vec<_>>();
    assert_eq!(
        counted(
            "SELECT operation, count(*) AS n, count(*) FILTER (WHERE outcome = 'failed') AS failed, max(error_category) AS category,
             count(DISTINCT session) AS sessions, max(version) AS version FROM operations GROUP BY 1 ORDER BY 1"
        ),
        expected(&|name| json!({
            "operation": format!("search-{name}"), "n": 20, "failed": 3, "category": "network", "sessions": 1, "version": "1.4.0",
        }))
    );
    let n = names.len();
    assert_eq!(counted("SELECT count(DISTINCT \"user\") AS people FROM operations"), [json!({ "people": 1 })]);
    assert_eq!(counted("SELECT count(*) AS n, max(bytes) AS bytes FROM memory"), [json!({ "n": n, "bytes": 50_000_000 })]);
    assert_eq!(counted("SELECT count(*) AS n FROM sessions"), [json!({ "n": n })]);
    assert_eq!(
        counted("SELECT arm, count(*) AS n FROM interactions GROUP BY 1 ORDER BY 1"),
        [json!({ "arm": "control", "n": n }), json!({ "arm": "learning", "n": 2 * n })]
    );
    let scorecard = place.json(&["status", "--format", "json"]);
    let criterion = |index: usize| (&scorecard["criteria"][index]["n"], &scorecard["criteria"][index]["reason"]);
    assert_eq!(criterion(0), (&json!(20 * n), &json!("single_day")), "{scorecard}");
    assert_eq!(criterion(1), (&json!(n), &json!("run_too_short")), "{scorecard}");
}

fn sent(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs the OpenTelemetry SDK for Python: cargo xtask test"]
fn what_the_sdk_for_python_sends_is_counted_once() {
    let python = std::env::var_os("MILEPOST_OTLP_PYTHON").expect("a Python with the SDK");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otlp/send.py");
    let names = ["py-grpc", "py-http", "py-http-plain"];
    let place = Place::new();
    let server = place.serve();
    sent(Command::new(&python).args([script, &server.http, &server.grpc]));
    check_sent(&place, &names);

    let place = Place::new();
    let server = place.serve();
    sent(Command::new(&python).args([script, &forgetful(&server.http, 2), &server.grpc]));
    check_sent(&place, &names);
}

#[test]
#[ignore = "needs the OpenTelemetry SDK for Node: cargo xtask test"]
fn what_the_sdk_for_node_sends_is_counted_once() {
    let packages = PathBuf::from(std::env::var_os("MILEPOST_OTLP_NODE").expect("a folder with the packages"));
    // Node looks for packages from where a script lies.
    let script = packages.join("send.mjs");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otlp/send.mjs"), &script).expect("copied");
    let names = ["node-grpc", "node-json", "node-json-gzip", "node-proto"];
    let place = Place::new();
    let server = place.serve();
    sent(Command::new("node").arg(&script).args([&server.http, &server.grpc]));
    check_sent(&place, &names);

    let place = Place::new();
    let server = place.serve();
    sent(Command::new("node").arg(&script).args([&forgetful(&server.http, 2), &server.grpc]));
    check_sent(&place, &names);
}
