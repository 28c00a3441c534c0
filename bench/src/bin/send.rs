//! Sends operations as fast as one client can, over one connection: `send otlp|influx HOST:PORT EVENTS`. As OTLP each is a span with all that
//! the report of an operation needs; as the line protocol of InfluxDB, a point without the person. Prints how many a second were acknowledged.
//!
//! The requests are made before the clock starts. What the server has no room for is sent again.

use milepost_bench::mixed;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;
use std::{
    env,
    error::Error,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How many a request has: the batch of OpenTelemetry's collector.
const BATCH: u64 = 8192;
const PEOPLE: u64 = 10_000;
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];
/// What has no room is sent again after this long.
const AGAIN: Duration = Duration::from_millis(50);

/// An operation that ended at some moment of the last day.
struct Operation {
    end_ns: u64,
    duration_us: u64,
    command: &'static str,
    backend: &'static str,
    is_ok: bool,
    user: u64,
}

impl Operation {
    fn of(n: u64, now_ns: u64) -> Self {
        let of = |what: u64| mixed(n, what);
        Self {
            end_ns: now_ns - of(0) % 86_400_000_000_000,
            // A long tail: most take tens of milliseconds, some take seconds.
            duration_us: 10_000 * 2_u64.pow((of(3) % 8) as u32) + of(4) % 10_000,
            command: COMMANDS[(of(2) % 4) as usize],
            backend: if of(5).is_multiple_of(3) { "native" } else { "subprocess" },
            is_ok: !of(1).is_multiple_of(40),
            user: of(6) % PEOPLE,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [format, server, events] = &words[..] else { return Err("usage: send otlp|influx HOST:PORT EVENTS".into()) };
    let events: u64 = events.parse()?;
    let now_ns = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    let batches = (0..events).step_by(BATCH as usize).map(|first| first..events.min(first + BATCH));
    let body = |of: std::ops::Range<u64>| match format.as_str() {
        "otlp" => spans(of, now_ns),
        _ => points(of, now_ns),
    };
    let bodies: Vec<Vec<u8>> = batches.map(body).collect();
    let (path, content) = match format.as_str() {
        "otlp" => ("/v1/traces", "application/x-protobuf"),
        "influx" => ("/write", "text/plain"),
        other => return Err(format!("there is no format {other}").into()),
    };
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut again = 0_u64;
    let began = Instant::now();
    for body in &bodies {
        let head = format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\r\n", body.len());
        loop {
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)?;
            match status(&mut answers)? {
                200 | 204 => break,
                429 | 503 => {
                    again += 1;
                    thread::sleep(AGAIN);
                }
                other => return Err(format!("the server answered {other}").into()),
            }
        }
    }
    println!("{:.0} {again}", events as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

/// Reads an answer to its end.
fn status(answers: &mut impl BufRead) -> Result<u16, Box<dyn Error>> {
    let (mut status, mut length) = (0, 0);
    for n in 0.. {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if n == 0 {
            status = line.split(' ').nth(1).ok_or("the server hung up")?.parse()?;
        } else if let Some(bytes) = line.strip_prefix("content-length:") {
            length = bytes.trim().parse()?;
        } else if line.is_empty() {
            break;
        }
    }
    answers.take(length).read_to_end(&mut Vec::new())?;
    Ok(status)
}

fn text(key: &str, text: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::StringValue(text)) }), ..KeyValue::default() }
}

fn spans(of: std::ops::Range<u64>, now_ns: u64) -> Vec<u8> {
    let span = |n: u64| {
        let operation = Operation::of(n, now_ns);
        Span {
            trace_id: [n + 1, mixed(n, 7)].map(u64::to_be_bytes).concat(),
            span_id: (n + 1).to_be_bytes().to_vec(),
            name: operation.command.to_owned(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: operation.end_ns - operation.duration_us * 1000,
            end_time_unix_nano: operation.end_ns,
            attributes: vec![text("milepost.backend", operation.backend.to_owned()), text("user.id", format!("user {}", operation.user))],
            status: (!operation.is_ok).then(|| Status { code: StatusCode::Error.into(), message: "no route to host".to_owned() }),
            ..Span::default()
        }
    };
    let scope_spans = vec![ScopeSpans { spans: of.map(span).collect(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}

fn points(of: std::ops::Range<u64>, now_ns: u64) -> Vec<u8> {
    let mut lines = String::new();
    for n in of {
        let Operation { end_ns, duration_us, command, backend, is_ok, .. } = Operation::of(n, now_ns);
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "op,operation={command},backend={backend},success={is_ok} duration_us={duration_us} {end_ns}");
    }
    lines.into_bytes()
}
