//! `cargo xtask bench floods`: far more than `milepost serve` can take, in every way that a stranger has. What was refused was told so and
//! counted, what was accepted is there once, and memory stays below its limit. `MILEPOST_BENCH_FLOOD` is how many events each of the
//! long ones has; `MILEPOST_PROGRAM` names a program that is built already.

use crate::{Done, bench::released, have, output, target};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What the server may take, in bytes.
const MEMORY_MAX: u64 = 2 << 30;
/// What is shown may be so old.
const AGE_MAX: Duration = Duration::from_secs(60);
/// What a page, a scorecard or a report may have, in bytes.
const PAGE_MAX: u64 = 32 << 20;
/// Senders at once, and spans of each of their requests.
const SENDERS: u64 = 16;
const BATCH: u64 = 500;
/// Who waits longer, hangs.
const PATIENCE: Duration = Duration::from_secs(120);
const CONFIG: &str = "\
[project]
name = \"floods\"

[otlp]
keep = [\"key\"]

[[criterion]]
name = \"It works\"
metric = \"success.rate\"
at_least = \"50%\"
tier = \"must\"

[[criterion]]
name = \"Each operation works\"
metric = \"success.rate\"
at_least = \"50%\"
for_each = \"operation\"
tier = \"should\"

[[criterion]]
name = \"It is fast for each\"
metric = \"latency.p95\"
below = \"500ms\"
for_each = \"user\"
tier = \"should\"
";

pub(crate) fn bench() -> Done {
    let program = std::env::var_os("MILEPOST_PROGRAM").map_or_else(released, |path| Ok(PathBuf::from(path)))?;
    let events = std::env::var("MILEPOST_BENCH_FLOOD").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let folder = target().join("bench-floods");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join(".milepost")).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    fs::write(folder.join("milepost.toml"), CONFIG).map_err(|error| format!("cannot write the configuration: {error}"))?;
    let server = Server::start(&program, &folder, &["--track"])?;
    println!("\nFloods; the server may take {} MiB\n", MEMORY_MAX >> 20);
    println!("| flood | offered | accepted | refused | counted | peak memory |\n|---|---:|---:|---:|---:|---:|");
    let mut faults = Vec::new();
    let mut line = |what: &str, flood: Flood| {
        let Flood { offered, accepted, refused, counted, fault } = flood;
        let peak = server.memory("VmHWM:");
        println!("| {what} | {offered} | {accepted} | {refused} | {counted} | {} of {} MiB |", peak >> 20, MEMORY_MAX >> 20);
        faults.extend(fault.map(|fault| format!("{what}: {fault}")));
        if accepted + refused != offered {
            faults.push(format!("{what}: {} of {offered} were told nothing", offered.abs_diff(accepted + refused)));
        }
        if counted != refused {
            faults.push(format!("{what}: {counted} of {refused} that were refused are counted"));
        }
        if peak > MEMORY_MAX {
            faults.push(format!("{what}: {} MiB of memory", peak >> 20));
        }
    };
    line("a thousand connections", connections(&server)?);
    line("half-open connections", half_open(&server)?);
    line("slow bodies", slow(&server)?);
    line("bodies of 8 GiB in 8 MiB", bombs(&server)?);
    let (aged, flooded) = server.watched(|| {
        line("ten times the rate", stream(&server, events, 10 * SENDERS, |n| names(n, false))?);
        line("a name for each event", stream(&server, events, SENDERS, |n| names(n, true))?);
        line("one user", stream(&server, events, SENDERS, |n| format!("\"name\":\"op {}\",{}", n % 7, user("one", "same")))?);
        Ok::<_, String>(())
    });
    flooded?;
    println!("\nWhile that went on, the oldest judgement that was shown was {} s old; at most {} s", aged.as_secs(), AGE_MAX.as_secs());
    if aged > AGE_MAX {
        faults.push(format!("what is shown was {} s old", aged.as_secs()));
    }
    let accepted = server.counter("milepost_otlp_items_total{signal=\"traces\",result=\"recorded\"}")?;
    drop(server);
    println!("\n| afterwards | takes | bytes | peak memory |\n|---|---:|---:|---:|");
    for args in [
        &["status", "--format", "json"][..],
        &["track"],
        &["dashboard", "--output", "-"],
        &["report", "full", "--format", "json"],
        &["query", "SELECT count(*) AS n FROM operations", "--format", "csv"],
    ] {
        let (took, text, peak) = measured(&program, &folder, args)?;
        println!("| `milepost {}` | {:.1} s | {} | {} MiB |", args.join(" "), took.as_secs_f64(), text.len(), peak >> 20);
        if text.len() as u64 > PAGE_MAX || peak > MEMORY_MAX {
            faults.push(format!("milepost {}: {} bytes, {} MiB of memory", args.join(" "), text.len(), peak >> 20));
        }
        if args[0] == "query" && text.lines().nth(1).and_then(|n| n.trim().parse().ok()) != Some(accepted) {
            faults.push(format!("{accepted} events were accepted, and there are {text}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// What became of a flood.
struct Flood {
    offered: u64,
    accepted: u64,
    refused: u64,
    counted: u64,
    fault: Option<String>,
}

/// A `milepost serve`, until it is dropped.
pub(crate) struct Server {
    child: Child,
    page: SocketAddr,
    pub(crate) otlp: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start(program: &Path, folder: &Path, more: &[&str]) -> Result<Self, String> {
        let mut command = milepost(program, folder, &["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command
            .args(more)
            .args(["--otlp-http", "127.0.0.1:0", "--otlp-grpc", "off"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let mut said = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut said).map_err(|error| error.to_string())?;
        let at = |name: &str| {
            let rest = said.split_once(&format!("\"{name}\":\"http://"))?.1;
            rest.split(['/', '"']).next()?.parse().ok()
        };
        let (page, otlp) = at("dashboard").zip(at("otlp_http")).ok_or_else(|| format!("it does not say where it listens: {said}"))?;
        Ok(Self { child, page, otlp })
    }

    pub(crate) fn memory(&self, what: &str) -> u64 {
        memory(self.child.id(), what)
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.page);
        asked(self.page, request.as_bytes())
    }

    /// The counters whose names and labels begin so, together.
    fn counter(&self, begin: &str) -> Result<u64, String> {
        let text = self.get("/metrics")?;
        if !text.contains("milepost_connections_refused_total") {
            return Err(format!("/metrics says {}", text.lines().next().unwrap_or("nothing")));
        }
        Ok(text.lines().filter(|line| line.starts_with(begin)).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Does something while somebody looks at the scorecard all the time; the oldest that was seen.
    fn watched<T>(&self, work: impl FnOnce() -> T) -> (Duration, T) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut oldest = Duration::ZERO;
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = self.get("/api/v1/scorecard").unwrap_or_default().to_lowercase();
                    let age = answer.lines().find_map(|line| line.strip_prefix("age: ")?.trim().parse().ok()).unwrap_or(0);
                    // One that waits for a judgement of now is as old as that took; one that is refused, older than it may be.
                    let age = if answer.starts_with("http/1.1 200") { Duration::from_secs(age) } else { 2 * AGE_MAX };
                    oldest = oldest.max(age.max(began.elapsed()));
                    thread::sleep(Duration::from_millis(500));
                }
                oldest
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            (watching.join().unwrap_or(Duration::MAX), done)
        })
    }
}

/// What Linux says of the memory of a process, in bytes.
pub(crate) fn memory(process: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

fn milepost(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env_remove("MILEPOST_DATA").env_remove("MILEPOST_CONFIG").stdin(Stdio::null());
    command
}

/// Runs a command to its end: how long it took, what it printed, and the most memory that was seen.
pub(crate) fn measured(program: &Path, folder: &Path, args: &[&str]) -> Result<(Duration, String, u64), String> {
    let began = Instant::now();
    let mut child = milepost(program, folder, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
    let (id, mut peak) = (child.id(), 0);
    let mut stdout = child.stdout.take().ok_or("no output")?;
    let mut stderr = child.stderr.take().ok_or("no output")?;
    let reading = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let hearing = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let status = loop {
        peak = peak.max(memory(id, "VmHWM:"));
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = |thread: thread::JoinHandle<std::io::Result<String>>| thread.join().ok().and_then(Result::ok).unwrap_or_default();
    let (text, said) = (text(reading), text(hearing));
    if !status.success() {
        return Err(format!("milepost {}: {status}: {said}", args.join(" ")));
    }
    Ok((began.elapsed(), text, peak))
}

/// All that comes back; nothing where it is hung up on.
fn asked(to: SocketAddr, bytes: &[u8]) -> Result<String, String> {
    let mut stream = TcpStream::connect(to).map_err(|error| format!("cannot connect: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let _ = stream.write_all(bytes);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

fn post(to: SocketAddr, headers: &str, body: &[u8]) -> Result<u16, String> {
    let head = format!("POST /v1/traces HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Ok(status(&asked(to, &[head.as_bytes(), body].concat())?))
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}

const CONNECTIONS: &str = "milepost_connections_refused_total";
const REQUESTS: &str = "milepost_otlp_requests_refused_total";

/// A thousand from one address: half of the places may be its own.
fn connections(server: &Server) -> Result<Flood, String> {
    const OFFERED: u64 = 1000;
    let before = server.counter(CONNECTIONS)?;
    let open = || TcpStream::connect(server.otlp).and_then(|stream| stream.set_nonblocking(true).map(|()| stream));
    let all: Vec<TcpStream> = (0..OFFERED).map(|_| open()).collect::<Result<_, _>>().map_err(|error| format!("cannot connect: {error}"))?;
    // By then who is refused was told, or closed without a word; and nobody else was silent for so long as to be closed.
    thread::sleep(Duration::from_secs(2));
    let is_held = |stream: &TcpStream| matches!(stream.peek(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    let held: Vec<_> = all.into_iter().filter(is_held).collect();
    let accepted = held.len() as u64;
    drop(held);
    thread::sleep(Duration::from_secs(1));
    let (refused, counted) = (OFFERED - accepted, server.counter(CONNECTIONS)? - before);
    let fault = (accepted > 128).then(|| format!("{accepted} places of one address"));
    Ok(Flood { offered: OFFERED, accepted, refused, counted, fault })
}

/// Connections that begin and go no further: each is hung up on, and the server goes on.
fn half_open(server: &Server) -> Result<Flood, String> {
    let open = || {
        let mut stream = TcpStream::connect(server.page)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ")?;
        stream.set_read_timeout(Some(PATIENCE)).map(|()| stream)
    };
    let held: Vec<TcpStream> = (0..100).map(|_| open()).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let hung_up = held.into_iter().filter_map(|mut stream| stream.read(&mut [0; 16]).ok()).count() as u64;
    let answers = status(&server.get("/api/v1/openapi.json")?) == 200;
    let fault = (hung_up != 100 || !answers).then(|| format!("{hung_up} of 100 are hung up on"));
    // A connection on which nothing was asked is no request that was refused.
    Ok(Flood { offered: 100, accepted: 100, refused: 0, counted: 0, fault })
}

/// Bodies that stop in the middle.
fn slow(server: &Server) -> Result<Flood, String> {
    const OFFERED: u64 = 32;
    let before = server.counter(REQUESTS)?;
    let told = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..OFFERED {
            scope.spawn(|| {
                let head = format!(
                    "POST /v1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{{",
                    server.otlp
                );
                let Ok(mut stream) = TcpStream::connect(server.otlp) else { return };
                let _ = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(head.as_bytes()));
                let mut answer = [0; 12];
                if stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 408" {
                    told.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(Flood { offered: OFFERED, accepted: 0, refused: told.into_inner(), counted: server.counter(REQUESTS)? - before, fault: None })
}

fn bombs(server: &Server) -> Result<Flood, String> {
    if !have("gzip", "gzip") {
        return Err("this benchmark needs gzip".to_owned());
    }
    let path = target().join("bench-floods/zeros.gz");
    output(Command::new("sh").arg("-c").arg(format!("head -c 1073741824 /dev/zero | gzip -9 > '{}'", path.display())))?;
    let body = fs::read(&path).map_err(|error| error.to_string())?.repeat(8);
    let before = server.counter(REQUESTS)?;
    let headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n";
    let statuses = (0..8).map(|_| post(server.otlp, headers, &body)).collect::<Result<Vec<_>, _>>()?;
    let refused = statuses.iter().filter(|status| **status == 413).count() as u64;
    Ok(Flood { offered: 8, accepted: 0, refused, counted: server.counter(REQUESTS)? - before, fault: None })
}

fn user(name: &str, key: &str) -> String {
    format!(
        "\"attributes\":[{{\"key\":\"user.id\",\"value\":{{\"stringValue\":\"{name}\"}}}},{{\"key\":\"key\",\"value\":{{\"stringValue\":\"{key}\"}}}}]"
    )
}

fn names(n: u64, each: bool) -> String {
    let of = if each { n } else { n % 1000 };
    let status = if n.is_multiple_of(2) { format!("\"status\":{{\"code\":2,\"message\":\"error {of}\"}},") } else { String::new() };
    format!("\"name\":\"operation {of}\",{status}{}", user(&format!("user {of}"), &format!("value {of}")))
}

/// A million spans as fast as they go: requests that are refused are not sent again.
fn stream(server: &Server, events: u64, senders: u64, span: impl Fn(u64) -> String + Sync) -> Result<Flood, String> {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let (requests, next) = (events.div_ceil(BATCH), AtomicU64::new(0));
    let before = server.counter(REQUESTS)?;
    let recorded = "milepost_otlp_items_total{signal=\"traces\",result=\"recorded\"}";
    let recorded_before = server.counter(recorded)?;
    let (accepted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        // No more than there are places for.
        for _ in 0..senders.min(100) {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    let first = SENT.fetch_add(BATCH, Ordering::Relaxed);
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
                    let mut body = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[".to_owned();
                    for n in first..first + BATCH {
                        let comma = if n > first { "," } else { "" };
                        let _ = write!(
                            body,
                            "{comma}{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\",\"kind\":2,\"startTimeUnixNano\":\"{}\",\
                             \"endTimeUnixNano\":\"{now}\",{}}}",
                            n + 1,
                            n + 1,
                            now - 5_000_000 - u128::from(n % 1000) * 1000,
                            span(n)
                        );
                    }
                    body += "]}]}]}";
                    match post(server.otlp, "Content-Type: application/json\r\n", body.as_bytes()) {
                        Ok(200) => accepted.fetch_add(1, Ordering::Relaxed),
                        Ok(429 | 503) => refused.fetch_add(1, Ordering::Relaxed),
                        _ => 0,
                    };
                }
            });
        }
    });
    let (accepted, refused) = (accepted.into_inner(), refused.into_inner());
    let recorded = server.counter(recorded)? - recorded_before;
    let fault = (recorded != accepted * BATCH).then(|| format!("{} events were accepted, and {recorded} counted", accepted * BATCH));
    Ok(Flood { offered: requests, accepted, refused, counted: server.counter(REQUESTS)? - before, fault })
}
