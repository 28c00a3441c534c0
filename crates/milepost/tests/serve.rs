//! `milepost serve`: what is on the page and in the API is how it stands now, and nobody else can read or stop it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Event, Operation, Outcome, Recorder, Timestamp};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);
const CONFIG: &str = "\
[project]
name = \"test\"

[[criterion]]
name = \"Search is fast\"
metric = \"latency.p95\"
below = \"500ms\"
tier = \"must\"
since = \"2026-01-01\"
where = { operation = \"search\" }

[[criterion]]
name = \"Coverage/50% <b>\"
metric = \"coverage.statements\"
at_least = \"50%\"
tier = \"should\"
since = \"2026-01-01\"
";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.configure(CONFIG);
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn configure(&self, config: &str) {
        self.configure_at("milepost.toml", config);
    }

    fn configure_at(&self, name: &str, config: &str) {
        fs::write(self.path(name), config).expect("written");
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

    /// What the program says where it does not serve.
    fn refused(&self, address: &str) -> String {
        let mut child =
            self.command(&["serve", "--listen", address, "--otlp-http", "off", "--otlp-grpc", "off"]).spawn().expect("milepost runs");
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a state") {
                break status;
            }
            if started.elapsed() > PATIENCE {
                child.kill().expect("ended");
            }
            thread::sleep(Duration::from_millis(10));
        };
        let output = child.wait_with_output().expect("an output");
        assert_eq!((status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{address}");
        String::from_utf8_lossy(&output.stderr).replace('\n', " ")
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn record(&self) {
        let output = self.run(&["record", "operation", "--operation", "search", "--outcome", "ok", "--duration", "100ms"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn serve(&self, args: &[&str]) -> Server {
        let listen = ["serve", "--listen", "127.0.0.1:0", "--otlp-http", "off", "--otlp-grpc", "off"];
        let mut child = self.command(&[&listen, args].concat()).spawn().expect("milepost runs");
        let mut out = BufReader::new(child.stdout.take().expect("an output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let addresses: Value = serde_json::from_str(&line).expect("JSON");
        let dashboard = addresses["dashboard"].as_str().expect("an address");
        assert_eq!(addresses["api"].as_str(), Some(format!("{dashboard}api/v1/").as_str()));
        let host = dashboard.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).expect("an address").to_owned();
        Server { child, out, host }
    }
}

struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    host: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What a problem says.
    fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], self.status, "{self:?}");
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }

    /// Sends these bytes, and reads until the other side is done.
    fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // Whoever is refused early may not be listened to up to the end.
        let _ = stream.write_all(bytes);
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.host).as_bytes())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn events(&self) -> Events {
        let mut stream = self.connect();
        let request = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        stream.write_all(request.as_bytes()).expect("asked");
        let mut events = Events { lines: BufReader::new(stream) };
        let status = events.line().expect("a status");
        assert_eq!(status, "HTTP/1.1 200 OK");
        events
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a process"));
        nix::sys::signal::kill(pid, signal).expect("sent");
    }
}

fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        whole += after.get(..length).unwrap_or(after);
        rest = after.get(length + 2..).unwrap_or_default();
    }
    whole
}

struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The next line without its end; none where the stream has ended.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("something comes in time");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event of this name; none where the stream has ended.
    fn next(&mut self, name: &str) -> Option<Value> {
        let mut is_it = false;
        loop {
            let line = self.line()?;
            if let Some(event) = line.strip_prefix("event: ") {
                is_it = event == name;
            }
            if let Some(data) = line.strip_prefix("data: ").filter(|_| is_it) {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }
}

fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it never happens");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A statement but for when it was asked.
fn spanless(sql: &Value) -> String {
    let mut parts = sql.as_str().expect("SQL").split("TIMESTAMP '");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + part.split_once('\'').map_or("", |(_, rest)| rest))
}

/// The same but for when it was judged.
fn timeless(mut value: Value) -> Value {
    value["generated_at"] = Value::Null;
    value
}

#[test]
fn it_says_where_it_is_and_ends_when_it_is_told_to() {
    let place = Place::new();
    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGINT] {
        let mut server = place.serve(&[]);
        let mut events = server.events();
        events.next("scorecard").expect("it says how it stands");
        let half = server.connect();
        server.signal(signal);
        assert_eq!(events.next("scorecard"), None, "the stream ends");
        let status = server.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal}");
        let mut rest = String::new();
        server.out.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!(rest, "", "one line is all");
        drop(half);
    }
}

#[test]
fn only_this_machine_is_let_in() {
    let place = Place::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4270", "example.org:80", "4270", ""] {
        place.refused(address);
    }
    let said = place.refused("0.0.0.0:4270");
    assert!(said.contains("whoever has a token") && said.contains("milepost token add NAME --read"), "{said}");
    let server = place.serve(&[]);
    assert!(place.refused(&server.host).contains("takes a port that is free"));
}

#[test]
fn what_another_process_records_is_told_and_shown() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut events = server.events();
    let first = events.next("scorecard").expect("it says how it stands");
    assert_eq!((&first["verdict"], &first["tiers"]["must"]["of"]), (&"no_data".into(), &1.into()), "{first}");
    for n in 1..=3 {
        place.record();
        loop {
            let event = events.next("scorecard").expect("it goes on");
            assert_eq!(event["verdict"], "not_proven", "{event}");
            // Each event is there at the latest for who asks after it.
            let criterion = server.get("/api/v1/criteria/1").json();
            assert_eq!(criterion["criterion"]["n"], n, "{criterion}");
            if criterion["generated_at"] == event["generated_at"] {
                break;
            }
        }
    }
    let output = place.run(&["run", "--operation", "search", "--", "true"]);
    assert!(output.status.success());
    events.next("scorecard").expect("a wrapped command counts too");
    let page = server.get("/");
    assert!(page.body.contains(">4 operations") || page.body.contains("4 operations"), "{}", page.body);
}

#[test]
fn nobody_has_to_watch_for_a_request_to_see_what_was_recorded_before_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    for n in 1..=3 {
        place.record();
        assert_eq!(server.get("/api/v1/scorecard").json()["criteria"][0]["n"], n);
    }
}

/// Records without a pause until it is told to stop, and says how much that was.
fn stream(data: &Path, is_over: &AtomicBool) -> u64 {
    let recorder = Recorder::open(data).expect("a recorder");
    let mut n = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut operation = Operation::new("search", Outcome::Ok);
        operation.duration_us = Some(100_000);
        recorder.record(Event::at(Timestamp::now(), operation)).expect("recorded");
        n += 1;
        thread::sleep(Duration::from_millis(5));
    }
    n
}

/// Ends what goes on beside a test, also where that fails.
struct EndsWithIt<'a>(&'a AtomicBool);

impl Drop for EndsWithIt<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn under_a_stream_of_events_who_asks_has_the_newest_judgement_at_once_and_is_told_its_age() {
    let place = Place::new();
    let server = place.serve(&[]);
    let _watching = server.events();
    let is_over = AtomicBool::new(false);
    let streamed = thread::scope(|scope| {
        let streaming = scope.spawn(|| stream(&place.path(".milepost"), &is_over));
        let ends = EndsWithIt(&is_over);
        until(|| server.get("/api/v1/scorecard").header("age").is_some());
        // A configuration that nobody has written to the end yet holds the next judgement up.
        let held = place.path("held");
        assert!(Command::new("mkfifo").arg(&held).status().expect("mkfifo runs").success());
        fs::rename(&held, place.path("milepost.toml")).expect("renamed");
        let mut config = fs::OpenOptions::new().write(true).open(place.path("milepost.toml")).expect("it is being read");
        let age = |answer: &Answer| answer.header("age").expect("an age").parse::<u64>().expect("seconds");
        let first = server.get("/api/v1/scorecard");
        let generated = first.json()["generated_at"].clone();
        let n = first.json()["criteria"][0]["n"].clone();
        until(|| {
            let later = server.get("/api/v1/scorecard");
            assert_eq!((later.status, &later.json()["generated_at"], &later.json()["criteria"][0]["n"]), (200, &generated, &n));
            age(&later) > age(&first)
        });
        let overview = server.get("/api/v1/").json();
        assert_eq!((&overview["is_behind"], &overview["generated_at"], &overview["fault"]), (&true.into(), &generated, &Value::Null));
        for path in ["/api/v1/criteria/1", "/api/v1/series/1", "/api/v1/evidence/1", "/api/v1/history", "/"] {
            let answer = server.get(path);
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(age(&answer) >= age(&first), "{path}");
        }
        let page = server.get("/");
        assert!(page.body.contains("Events come in faster than they are judged") && page.body.contains("The verdicts are of "));
        let tag = format!("If-None-Match: {}\r\n", page.header("etag").expect("a tag"));
        assert_eq!(server.ask("GET", "/", &tag).status, 304, "it is written once");
        place.configure_at("new.toml", CONFIG);
        fs::rename(place.path("new.toml"), place.path("milepost.toml")).expect("renamed");
        config.write_all(CONFIG.as_bytes()).expect("read");
        drop(config);
        drop(ends);
        streaming.join().expect("it recorded")
    });
    let mut answer = server.get("/api/v1/scorecard");
    until(|| {
        answer = server.get("/api/v1/scorecard");
        answer.header("age").is_none()
    });
    assert_eq!(answer.json()["criteria"][0]["n"], streamed, "all of it is there");
    assert_eq!(server.get("/api/v1/").json()["is_behind"], false);
    assert!(!server.get("/").body.contains("Events come in faster"));
    place.record();
    assert_eq!(server.get("/api/v1/scorecard").json()["criteria"][0]["n"], streamed + 1, "what was recorded before is there");
}

#[test]
fn who_asks_at_once_has_the_same_judgement() {
    let place = Place::new();
    place.record();
    let server = place.serve(&[]);
    let times: std::collections::BTreeSet<String> = thread::scope(|scope| {
        let ask = || server.get("/api/v1/scorecard").json()["generated_at"].as_str().expect("a time").to_owned();
        let asking: Vec<_> = (0..40).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    // Where it takes longer than a minute, it is judged again.
    assert!(times.len() <= 2, "{times:?}");
}

#[test]
fn the_api_says_what_the_commands_say() {
    let place = Place::new();
    for _ in 0..3 {
        place.record();
    }
    let output = place.run(&["record", "measurement", "--name", "coverage.statements", "--value", "80", "--unit", "%"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.run(&["track"]).status.success());
    let server = place.serve(&[]);
    let get = |path: &str| {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
        answer.json()
    };
    let scorecard = get("/api/v1/scorecard");
    assert_eq!(timeless(scorecard.clone()), timeless(place.json(&["status", "--format", "json"])));
    assert_eq!(get("/api/v1/history"), place.json(&["history", "--format", "json"]));
    assert_eq!(get("/api/v1/history?criterion=search%20is%20fast"), place.json(&["history", "Search is fast", "--format", "json"]));
    let explained = place.json(&["explain", "Search is fast", "--json"]);
    let evidence = get("/api/v1/evidence/Search%20is%20fast");
    let of = |explained: &Value, key: &str| explained["sources"][0][key].clone();
    assert_eq!(of(&evidence, "newest_events"), of(&explained, "newest_events"));
    assert_eq!(spanless(&of(&evidence, "sql")), spanless(&of(&explained, "sql")));
    assert_eq!(evidence["sources"][0]["newest_events"].as_array().map(Vec::len), Some(3));
    let fewer = get("/api/v1/evidence/search?limit=2");
    assert_eq!(fewer["sources"][0]["newest_events"].as_array().map(Vec::len), Some(2));
    let criterion = get("/api/v1/criteria/1");
    assert_eq!((&criterion["criterion"], &criterion["place"]), (&explained["criterion"], &1.into()));
    assert_eq!(spanless(&criterion["sql"][0]), spanless(&of(&explained, "sql")));
    assert_eq!(criterion["plans"], place.json(&["explain", "Search is fast", "--plan", "--json"])["plans"]);
    let series = get("/api/v1/series/Coverage%2F50%25%20%3Cb%3E");
    assert_eq!(series["goals"][0]["days"], scorecard["criteria"][1]["trend"]);
    assert_eq!(series["goals"][0]["days"].as_array().map(Vec::len), Some(1), "{series}");
    let overview = get("/api/v1/");
    assert_eq!((&overview["verdict"], &overview["fault"]), (&scorecard["verdict"], &Value::Null));
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/openapi.json");
    assert_eq!(server.get("/api/v1/openapi.json").body, fs::read_to_string(committed).expect("the committed description"));
}

type Labels = BTreeMap<String, String>;

/// The samples of a text in the format of OpenMetrics 1.0, of which nothing but gauges and counters is taken.
fn open_metrics(text: &str) -> Vec<(String, Labels, f64)> {
    let (mut samples, mut families, mut family, mut before, mut end) = (Vec::new(), BTreeSet::new(), "", "", "");
    for line in text.strip_suffix("# EOF\n").expect("an end").lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let [what, name, says] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            match what {
                "HELP" => {
                    assert!(families.insert(name) && !says.is_empty() && before != "HELP", "{line}");
                    family = name;
                }
                "TYPE" => {
                    assert!((before, name) == ("HELP", family) && ["gauge", "counter"].contains(&says), "{line}");
                    end = if says == "counter" { "_total" } else { "" };
                }
                "UNIT" => assert!(before == "TYPE" && name == family && name.ends_with(&format!("_{says}")), "{line}"),
                _ => panic!("{line}"),
            }
            before = what;
            continue;
        }
        assert_ne!(before, "HELP", "{line}");
        before = "sample";
        let line = line.strip_prefix(family).and_then(|rest| rest.strip_prefix(end)).expect("of its family");
        let (labels, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let sample = (family.to_owned(), labels_of(labels), value);
        assert!(value.is_finite() && samples.iter().all(|(name, labels, _)| (name, labels) != (&sample.0, &sample.1)), "{line}");
        samples.push(sample);
    }
    samples
}

fn labels_of(text: &str) -> Labels {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        assert_eq!(text, "");
        return labels;
    };
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{text}");
        let (mut value, mut chars) = (String::new(), after.chars());
        loop {
            match chars.next().expect("an end of the value") {
                '"' => break,
                '\\' => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('"' | '\\')) => c,
                    other => panic!("{other:?}: {text}"),
                }),
                c => value.push(c),
            }
        }
        assert_eq!(labels.insert(name.to_owned(), value), None, "{text}");
        match chars.as_str() {
            "}" => return labels,
            more => rest = more.strip_prefix(',').expect("another label"),
        }
    }
}

#[test]
fn prometheus_reads_the_verdicts_of_the_api_and_nothing_of_what_is_not_known() {
    let place = Place::new();
    place.configure(&CONFIG.replace("Coverage/50% <b>", "Coverage \\\"50%\\\" \\\\ <b>"));
    place.record();
    let server = place.serve(&[]);
    let read = || {
        let answer = server.get("/metrics");
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{answer:?}");
        open_metrics(&answer.body)
    };
    let figures = |samples: &[(String, Labels, f64)], criterion: &str| -> BTreeMap<String, f64> {
        let of = samples.iter().filter(|(_, labels, _)| labels.contains_key("goal") && labels["criterion"] == criterion);
        of.map(|(name, _, value)| (name.trim_start_matches("milepost_").to_owned(), *value)).collect()
    };
    let coverage = "Coverage \"50%\" \\ <b>";
    for verdict in ["no_data", "met"] {
        let (samples, scorecard) = (read(), server.get("/api/v1/scorecard").json());
        let holds = |name: &str, label: &str, of: &str| -> Vec<String> {
            let states = samples.iter().filter(|(family, labels, _)| family == name && labels[label] == of);
            let (ones, others): (Vec<_>, Vec<_>) = states.partition(|(_, _, value)| *value == 1.0);
            assert!(others.len() == 4 && others.iter().all(|(_, _, value)| *value == 0.0), "{samples:?}");
            ones.iter().map(|(_, labels, _)| labels["verdict"].clone()).collect()
        };
        assert_eq!(scorecard["criteria"][1]["verdict"], verdict);
        for criterion in scorecard["criteria"].as_array().expect("criteria") {
            let name = criterion["name"].as_str().expect("a name");
            assert_eq!(holds("milepost_verdict", "criterion", name), [criterion["verdict"].as_str().expect("a word")]);
        }
        for (tier, result) in scorecard["tiers"].as_object().expect("tiers") {
            assert_eq!(holds("milepost_tier_verdict", "tier", tier), [result["verdict"].as_str().expect("a word")]);
        }
        let search = figures(&samples, "Search is fast");
        assert_eq!((search["events"], search["target_seconds"]), (1.0, 0.5), "{search:?}");
        assert_eq!(search.get("estimate_seconds").copied(), scorecard["criteria"][0]["estimate"].as_f64().map(|ms| ms / 1e3));
        assert_eq!(search["events_needed"], scorecard["criteria"][0]["at_least_more"].as_f64().expect("a number"));
        let shown = figures(&samples, coverage);
        if verdict == "no_data" {
            let known: Vec<&str> = shown.keys().map(String::as_str).filter(|name| *name != "events_needed").collect();
            assert_eq!((known, shown["events"]), (vec!["events", "target_ratio"], 0.0));
            let output = place.run(&["record", "measurement", "--name", "coverage.statements", "--value", "80", "--unit", "%"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        } else {
            assert_eq!((shown["estimate_ratio"], shown["events"]), (0.8, 1.0), "{shown:?}");
            assert!(shown["newest_event_timestamp_seconds"] > 1.7e9, "{shown:?}");
        }
        assert!(samples.iter().all(|(name, _, _)| name != "milepost_track_round_success"), "no round was called");
    }
    assert_eq!(server.get("/metrics?name=milepost").status, 400);
    place.configure("[project\n");
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 503);
    assert!(answer.detail().contains("nothing can be judged"), "{answer:?}");
}

#[test]
fn the_page_is_that_of_the_file_and_allowed_nothing_but_its_own_script() {
    let place = Place::new();
    place.record();
    let server = place.serve(&[]);
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let file = String::from_utf8(place.run(&["dashboard", "--output", "-"]).stdout).expect("UTF-8");
    let main = |page: &str| page.split_once("<main").and_then(|(_, rest)| rest.split_once("</main>")).expect("a main part").0.to_owned();
    // Ages, statements, which name the span up to now, and the minute up to which something is drawn.
    let without = |page: &str, [begin, end]: [&str; 2]| {
        page.split(begin).map(|part| part.split_once(end).map_or(part, |(_, rest)| rest)).collect::<String>()
    };
    let minutes = |page: &str| {
        let of = |part: &str| part.get(..part.len().saturating_sub(5)).unwrap_or_default().to_owned();
        page.split(" UTC").map(of).collect::<Vec<_>>().join(" UTC")
    };
    let timeless = |page: &str| minutes(&without(&without(&main(page), ["<time", "</time>"]), ["<pre", "</pre>"]));
    assert_eq!(timeless(&page.body), timeless(&file));
    assert!(page.body.contains("Coverage/50% &#60;b&#62;") && !page.body.contains("<b>Cov"), "names are escaped");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'") && policy.contains("script-src 'sha256-"));
    assert!(!page.body.contains("http-equiv"), "the file's policy forbids the script");
    assert_eq!(page.body.matches("<script").count(), 2);
    assert_eq!(file.matches("EventSource").count(), 0);
    for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
        assert_eq!(page.header(name), Some(value));
        assert_eq!(server.get("/api/v1/").header(name), Some(value));
        assert_eq!(server.get("/nothing").header(name), Some(value));
    }
    assert!(!page.head.to_lowercase().contains("access-control"), "{}", page.head);
    let tag = format!("If-None-Match: {}\r\n", page.header("etag").expect("a tag"));
    let again = server.ask("GET", "/", &tag);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    place.record();
    assert_eq!(server.ask("GET", "/", &tag).status, 200);
    let head = server.ask("HEAD", "/", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn who_must_not_ask_or_asks_wrongly_is_told_why() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_, port) = server.host.rsplit_once(':').expect("a port");
    let by = |host: &str| server.send(format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n").as_bytes());
    for host in ["Host: evil.example\r\n", &format!("Host: evil.example:{port}\r\n"), "Host: 127.0.0.1\r\n", "", "Host: localhost:1\r\n"] {
        let answer = by(host);
        assert_eq!(answer.status, 421, "{host}: {answer:?}");
        assert!(answer.detail().contains("loopback"));
    }
    assert_eq!(by(&format!("Host: localhost:{port}\r\n")).status, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = server.ask(method, "/", "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{answer:?}");
    }
    assert_eq!(server.ask("GET", "/events", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n").status, 403);
    assert_eq!(server.ask("GET", "/", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n").status, 200);
    assert_eq!(server.ask("GET", "/", "Content-Length: 5\r\n").status, 413);
    assert_eq!(server.ask("GET", "/", "Transfer-Encoding: chunked\r\n").status, 413);
    assert_eq!(server.get(&format!("/{}", "x".repeat(3000))).status, 414);
    assert!([414, 431].contains(&server.get(&format!("/{}", "x".repeat(100_000))).status));
    assert_eq!(server.ask("GET", "/", &format!("X: {}\r\n", "x".repeat(100_000))).status, 431);
    assert_eq!(server.ask("GET", "/", &"X: y\r\n".repeat(1000)).status, 431);
    for path in ["/nothing", "/api/v1/nothing", "/api/v1/criteria/", "/api/v2/", "/../../etc/passwd", "/%2e%2e/"] {
        assert_eq!(server.get(path).status, 404, "{path}");
        server.get(path).detail();
    }
    assert!(server.get("/api/v1/criteria/Serch").detail().contains("did you mean `Search is fast`?"));
    for path in ["criteria/3", "series/0", "evidence/-1", "criteria/%00", "criteria/99999999999999999999999", "history?criterion=x"] {
        assert_eq!(server.get(&format!("/api/v1/{path}")).status, 404, "{path}");
    }
    for path in
        ["criteria/%FF", "evidence/1?limit=0", "evidence/1?limit=51", "evidence/1?limit=x", "evidence/1?limit=1&limit=1", "scorecard?x"]
    {
        assert_eq!(server.get(&format!("/api/v1/{path}")).status, 400, "{path}");
        server.get(&format!("/api/v1/{path}")).detail();
    }
    for bytes in [
        &b"\0\xff\xfe\r\n\r\n"[..],
        b"\r\n\r\n\r\n",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PRI * HTTP/2.0\r\n\r\n",
    ] {
        let mut stream = server.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{bytes:?}");
    }
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn slow_and_half_open_clients_keep_nobody_out() {
    let place = Place::new();
    let server = place.serve(&[]);
    let slow: Vec<_> = (0..100)
        .map(|n| {
            let mut stream = server.connect();
            let sent: &[u8] = if n % 2 == 0 { b"GET / HTT" } else { b"" };
            stream.write_all(sent).expect("sent");
            stream
        })
        .collect();
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host).as_bytes()).expect("sent");
            stream
        })
        .collect();
    assert_eq!(server.get("/").status, 200);
    // Whoever sends nothing more is hung up on.
    for mut stream in slow {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    drop(deaf);
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn so_many_streams_there_are_and_one_that_is_closed_makes_room() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut streams: Vec<_> = (0..64).map(|_| server.events()).collect();
    let refused = server.get("/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert!(refused.detail().contains("64"));
    streams.pop();
    until(|| {
        let mut stream = server.connect();
        stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", server.host).as_bytes()).expect("sent");
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).expect("a status");
        status.contains(" 200 ")
    });
}

#[test]
fn a_configuration_that_breaks_is_said_everywhere_until_it_is_mended() {
    let place = Place::new();
    place.record();
    let server = place.serve(&[]);
    let mut events = server.events();
    events.next("scorecard").expect("it says how it stands");
    place.configure(&CONFIG.replace("below", "belwo"));
    let fault = events.next("fault").expect("it says that it does not know any more");
    assert!(fault["why"].as_str().is_some_and(|why| why.contains("belwo")), "{fault}");
    let page = server.get("/");
    assert_eq!(page.status, 503);
    assert!(page.body.contains("This is not how it stands now") && page.body.contains("belwo") && page.body.contains("Search is fast"));
    for path in ["scorecard", "criteria/1", "series/1", "evidence/1", "history"] {
        let answer = server.get(&format!("/api/v1/{path}"));
        assert_eq!(answer.status, 503);
        assert!(answer.detail().contains("belwo"), "{answer:?}");
    }
    assert!(server.get("/api/v1/").json()["fault"]["why"].as_str().is_some_and(|why| why.contains("belwo")));
    fs::remove_file(place.path("milepost.toml")).expect("removed");
    until(|| server.get("/api/v1/scorecard").detail().contains("milepost.toml"));
    place.configure(&CONFIG.replace("Search is fast", "Search is quick"));
    events.next("scorecard").expect("it knows again");
    assert_eq!(server.get("/api/v1/scorecard").json()["criteria"][0]["name"], "Search is quick");
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("belwo"));
}

#[test]
fn what_cannot_be_judged_from_the_start_is_said_too() {
    let place = Place::new();
    place.record();
    fs::create_dir_all(place.path(".milepost/store")).expect("a folder");
    fs::write(place.path(".milepost/store/store.json"), "{").expect("written");
    let server = place.serve(&[]);
    let page = server.get("/");
    assert_eq!(page.status, 503);
    assert!(page.body.contains("Not judged") && page.body.contains("restore it from a backup"), "{}", page.body);
    assert!(server.get("/api/v1/scorecard").detail().contains("restore it from a backup"));
}

#[test]
fn it_tracks_where_that_is_wished_and_says_how_it_went() {
    let place = Place::new();
    place.configure(&format!("{CONFIG}[[probe]]\noperation = \"search\"\ncommand = [\"true\"]\n"));
    let server = place.serve(&["--track"]);
    until(|| server.get("/api/v1/").json()["track"] != Value::Null);
    let overview = server.get("/api/v1/").json();
    assert_eq!((&overview["track"]["went_well"], &overview["fault"]), (&true.into(), &Value::Null), "{overview}");
    let verdicts = String::from_utf8(place.run(&["export", "--kind", "verdict"]).stdout).expect("UTF-8");
    assert_eq!(verdicts.lines().count(), 2, "{verdicts}");
    let probed = String::from_utf8(place.run(&["export", "--kind", "operation"]).stdout).expect("UTF-8");
    assert!(probed.lines().count() == 1 && probed.contains("\"origin\":\"probe\""), "{probed}");
    assert!(place.path(".milepost/reports/latest.html").exists());
    drop(server);

    // Where a round fails, the dashboard goes on and says so.
    fs::remove_dir_all(place.path(".milepost/reports")).expect("removed");
    fs::write(place.path(".milepost/reports"), "no folder").expect("written");
    let server = place.serve(&["--track"]);
    until(|| server.get("/api/v1/").json()["track"]["went_well"] == false);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("did not go well"), "{}", page.body);
}

#[test]
fn it_ends_also_while_it_tracks() {
    let place = Place::new();
    let script = "touch begun; exec sleep 1000";
    place.configure(&format!("{CONFIG}[[probe]]\noperation = \"search\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n"));
    let mut server = place.serve(&["--track"]);
    until(|| place.path("begun").exists());
    assert_eq!(server.get("/").status, 200, "it goes on meanwhile");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
}
