//! Requests and answers, without a socket: what a hostile or unlucky sender is told.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{
    answer::{Accepted, Any, Refusal, RpcStatus},
    body::{BODY_BYTES_MAX, Reception, unpacked},
    *,
};
use crate::config::Otlp;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, Version, header},
};
use flate2::{Compression, write::GzEncoder};
use futures::StreamExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use milepost_collect::error_category::Rules;
use milepost_record::{Door, Event, Identity, Recorder, Spool, Timestamp};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use serde_json::{Value, json};
use std::{io::Write, time::Duration};

struct Place {
    data: tempfile::TempDir,
    desk: Arc<Desk>,
    reception: Arc<Reception>,
}

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Told {
    fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Place {
    fn new() -> Self {
        Self::with(None, 64, 64 << 20)
    }

    fn with(off: Option<&'static str>, places: usize, bytes: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        let desk = off.map_or_else(
            || {
                let identity = Identity::open(data.path()).unwrap();
                let recorder = Recorder::through(Spool::open(data.path()).unwrap(), Door::new("otlp", identity.clone()));
                let open = Arc::new(Open { recorder, mapping: Mapping::new(Otlp::default(), Rules::defaults(), identity) });
                Desk::new(Box::new(move || Ok(Arc::clone(&open))), Tally::default())
            },
            |variable| Desk::off(variable, Tally::default()),
        );
        let desk = Arc::new(desk);
        let reception = Arc::new(Reception::with_limits(Arc::clone(&desk), places, bytes, Duration::from_millis(200)));
        Self { data, desk, reception }
    }

    fn events(&self) -> Vec<Event> {
        let segments = Spool::open(self.data.path()).unwrap().segments().unwrap();
        segments.iter().flat_map(|segment| segment.events(Timestamp::now()).map(Result::unwrap).collect::<Vec<_>>()).collect()
    }

    fn send(&self, router: Router, request: Request<Body>) -> Told {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response = TowerToHyperService::new(router).call(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let chunks: Vec<_> = body.into_data_stream().collect().await;
            let body = chunks.into_iter().flat_map(Result::unwrap).collect();
            Told { status: parts.status, headers: parts.headers, body }
        })
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Told {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        self.send(http::router(Arc::clone(&self.reception)), request.body(body.into()).unwrap())
    }

    fn protobuf(&self, body: impl Into<Body>) -> Told {
        self.post("/v1/traces", &[("content-type", "application/x-protobuf")], body)
    }

    fn json(&self, path: &str, body: impl ToString) -> Told {
        self.post(path, &[("content-type", "application/json; charset=utf-8")], body.to_string())
    }

    fn grpc(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Told {
        let post = Request::post(Signal::Traces.method()).version(Version::HTTP_2);
        let request = headers.iter().fold(post, |request, (name, value)| request.header(*name, *value));
        self.send(grpc::router(Arc::clone(&self.reception)), request.body(body.into()).unwrap())
    }
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_microseconds()).unwrap() * 1000
}

fn span(number: u8) -> Span {
    let end = now();
    Span {
        trace_id: vec![1; 16],
        span_id: vec![number; 8],
        name: "search".to_owned(),
        start_time_unix_nano: end - 1_000_000,
        end_time_unix_nano: end,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat()
}

fn status(told: &Told) -> RpcStatus {
    assert_eq!(told.headers[header::CONTENT_TYPE], "application/x-protobuf");
    RpcStatus::decode(told.body.clone()).unwrap()
}

#[test]
fn both_encodings_are_taken_packed_or_not_and_answered_in_their_own() {
    let place = Place::new();
    let told = place.protobuf(request(vec![span(1)]).encode_to_vec());
    assert_eq!((told.status, &told.body[..]), (StatusCode::OK, &b""[..]));
    assert_eq!(told.headers[header::CONTENT_TYPE], "application/x-protobuf");
    let json = serde_json::to_string(&request(vec![span(2)])).unwrap();
    assert_eq!(place.json("/v1/traces", &json).json(), json!({}));
    for (kind, body, number) in [
        ("application/x-protobuf", request(vec![span(3)]).encode_to_vec(), 3),
        ("application/json", serde_json::to_vec(&request(vec![span(4)])).unwrap(), 4),
    ] {
        let told = place.post("/v1/traces", &[("content-type", kind), ("content-encoding", "gzip")], packed(&body));
        assert_eq!((told.status, place.events().len()), (StatusCode::OK, number));
    }
    assert!(place.events().iter().all(|event| event.attributes["door"] == "otlp".into()));
}

#[test]
fn what_is_empty_is_fine() {
    let place = Place::new();
    for body in [vec![], request(vec![]).encode_to_vec()] {
        let told = place.protobuf(body);
        assert_eq!((told.status, &told.body[..]), (StatusCode::OK, &b""[..]));
    }
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        assert_eq!(place.json(path, "{}").json(), json!({}));
    }
    assert!(place.desk.news().is_none());
}

#[test]
fn what_is_rejected_is_told_by_count_and_reason_and_the_rest_is_taken() {
    let place = Place::new();
    let mut bad = span(2);
    bad.end_time_unix_nano = bad.start_time_unix_nano - 1;
    let mut future = span(3);
    future.end_time_unix_nano += 3_600_000_000_000;
    let mut long = span(4);
    long.name = "x".repeat(20_000);
    let mut huge = span(5);
    huge.name = "x".repeat(2 << 20);
    let mut inner = span(6);
    inner.parent_span_id = vec![9; 8];
    let spans = request(vec![span(1), bad.clone(), bad, future, long, huge, inner]);
    let told = place.protobuf(spans.encode_to_vec());
    let partial = ExportTraceServiceResponse::decode(told.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 5);
    for why in ["2 × a span that ended before it began", "`at` cannot be", "`operation` has more than", "an item of more than 1 MiB"] {
        assert!(partial.error_message.contains(why), "{}", partial.error_message);
    }
    assert_eq!(place.events().len(), 1);
    let tally = place.desk.news().unwrap();
    let traces = &tally.0["traces"];
    assert_eq!((traces.recorded, traces.left_out.len(), traces.rejected.len()), (1, 1, 4));
    let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "timeUnixNano": "1" }, {}] }] }] });
    let told = place.json("/v1/logs", logs).json();
    assert_eq!(told["partialSuccess"]["rejectedLogRecords"], "2");
    assert!(told["partialSuccess"]["errorMessage"].as_str().unwrap().contains("session.start"));
}

#[test]
fn json_is_read_as_the_specification_has_it() {
    let place = Place::new();
    let end = now().to_string();
    // Identifiers in hexadecimal, numbers of 64 bits as texts, unknown keys, lists and values without anything in them.
    let spans = json!({ "resourceSpans": [{
        "resource": { "attributes": [
            { "key": "service.version", "value": { "stringValue": "1.0" } },
            { "key": "empty", "value": { "arrayValue": {} } },
            { "key": "nothing", "value": {} },
            { "key": "alone" },
            { "value": { "kvlistValue": {} } },
        ] },
        "scopeSpans": [{ "spans": [{
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174",
            "name": "search", "kind": 2, "startTimeUnixNano": end, "endTimeUnixNano": end,
            "attributes": [{ "key": "process.exit.code", "value": { "intValue": "3" } }], "new": { "a": [1] },
        }] }],
    }], "newer": 1 });
    assert_eq!(place.json("/v1/traces", spans).json(), json!({}));
    let event = place.events().remove(0);
    assert_eq!(event.id.as_deref(), Some("5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174"));
    assert_eq!(event.version.as_deref(), Some("1.0"));
    // A word where a number belongs, NaN: the metric has no data then, and is counted.
    let point = |value: Value| json!({ "timeUnixNano": end, "startTimeUnixNano": end, "asDouble": value });
    let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "process.memory.usage", "unit": "By",
          "sum": { "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "dataPoints": [point(json!(1.0))] } },
        { "name": "process.memory.usage", "unit": "By",
          "sum": { "aggregationTemporality": 2, "dataPoints": [point(json!("NaN")), point(json!(5.0))] } },
        { "name": "other", "gauge": { "dataPoints": [point(json!(1.0)), point(json!(2.0))] } },
    ] }] }] });
    let told = place.json("/v1/metrics", metrics).json();
    assert_eq!(told["partialSuccess"]["rejectedDataPoints"], "4", "{told}");
    assert_eq!(place.events().len(), 2);
}

#[test]
fn what_cannot_be_decoded_is_taken_neither_whole_nor_in_part() {
    let place = Place::new();
    let mut broken = request(vec![span(1)]).encode_to_vec();
    broken.extend([0x0a, 0x7f, 0x01]);
    let whole = request(vec![span(2), span(3)]).encode_to_vec();
    for body in [broken, whole[..whole.len() - 1].to_vec(), b"not Protobuf".to_vec(), vec![0x08], vec![0xff; 20]] {
        let told = place.protobuf(body);
        let status = status(&told);
        assert_eq!((told.status, status.code), (StatusCode::BAD_REQUEST, 3), "{status:?}");
        assert!(!told.headers.contains_key(header::RETRY_AFTER));
    }
    for body in ["", "[]", "{", "{\"resourceSpans\": 1}", "{} {}", "\"\u{0}\"", &format!("{}1{}", "[".repeat(5000), "]".repeat(5000))] {
        let told = place.json("/v1/traces", body);
        assert_eq!((told.status, &told.json()["code"]), (StatusCode::BAD_REQUEST, &json!(3)), "{body}");
    }
    let told = place.post("/v1/traces", &[("content-type", "application/x-protobuf"), ("content-encoding", "gzip")], "no gzip");
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    assert!(place.events().is_empty());
    // What is wrong may quote what somebody wrote, and that is nobody's business later.
    place.json("/v1/traces", json!({ "resourceSpans": "rose@example.org" }));
    let refused = &place.desk.news().unwrap().0["traces"].refused;
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["it cannot be decoded"]);
}

#[test]
fn of_more_than_may_wait_each_is_taken_once_or_none() {
    let mut spans: Vec<_> = (1..=200).map(span).collect();
    for late in spans.iter_mut().step_by(10) {
        late.end_time_unix_nano = late.start_time_unix_nano - 1;
    }
    let whole = request(spans).encode_to_vec();
    let place = Place::new();
    let broken = [&whole[..], &[0x0a, 0x7f, 0x01]].concat();
    assert_eq!(place.protobuf(broken).status, StatusCode::BAD_REQUEST);
    let traces = place.desk.news().unwrap().0["traces"].clone();
    assert_eq!((place.events().len(), traces.recorded, traces.rejected.len()), (0, 0, 0));
    let told = place.protobuf(whole);
    let partial = ExportTraceServiceResponse::decode(told.body).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, place.desk.tally().0["traces"].recorded), (20, 180));
    let ids: Vec<_> = place.events().into_iter().map(|event| event.id.unwrap()).collect();
    let expected =
        (1..=200_u8).filter(|number| number % 10 != 1).map(|number| format!("{}-{}", "01".repeat(16), format!("{number:02x}").repeat(8)));
    assert_eq!(ids, expected.collect::<Vec<_>>());
}

#[test]
fn other_types_and_encodings_are_not_taken() {
    let place = Place::new();
    for kind in ["text/plain", "application/protobuf", "", "application/grpc"] {
        let told = place.post("/v1/traces", &[("content-type", kind)], "");
        assert_eq!((told.status, &told.json()["code"]), (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!(12)), "{kind}");
    }
    assert_eq!(place.post("/v1/traces", &[], "").status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for packer in ["deflate", "zstd", "br", "gzip, gzip"] {
        let told = place.post("/v1/traces", &[("content-type", "application/x-protobuf"), ("content-encoding", packer)], "");
        assert_eq!((told.status, &told.headers[header::ACCEPT_ENCODING]), (StatusCode::UNSUPPORTED_MEDIA_TYPE, &"gzip".parse().unwrap()));
    }
    assert_eq!(place.desk.news().unwrap().0["traces"].refused.len(), 2);
    let got = place.send(http::router(Arc::clone(&place.reception)), Request::get("/v1/traces").body(Body::empty()).unwrap());
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(place.post("/v1/profiles", &[], "").status, StatusCode::NOT_FOUND);
}

#[test]
fn bodies_that_are_too_large_before_or_after_unpacking_are_refused() {
    let place = Place::new();
    let told = place.protobuf(vec![0; BODY_BYTES_MAX + 1]);
    assert_eq!((told.status, status(&told).code), (StatusCode::PAYLOAD_TOO_LARGE, 3));
    // Four gigabytes of zeros.
    let bomb = packed(&vec![0; 1 << 20]).repeat(4096);
    for kind in ["application/x-protobuf", "application/json"] {
        let told = place.post("/v1/traces", &[("content-type", kind), ("content-encoding", "gzip")], bomb.clone());
        assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE, "{kind}");
    }
    assert_eq!(
        unpacked(&bomb, 100).unwrap_err(),
        Refusal::TooLarge("unpacked, a request may have 100 bytes; send smaller batches".to_owned())
    );
    // Packed twice over in several members.
    assert_eq!(unpacked(&[packed(b"ab"), packed(b"c")].concat(), 3).unwrap(), "abc");
    // Messages of two bytes that would take hundreds each, and values of JSON.
    let told = place.protobuf([0x0a, 0].repeat(500_000));
    assert_eq!(told.status, StatusCode::OK);
    let told = place.json("/v1/traces", format!("{{\"resourceSpans\":[{}{{}}]}}", "{},".repeat(900_000)));
    assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn too_much_at_once_is_sent_away_for_a_while() {
    let tight = Place::with(None, 64, 10);
    let told = tight.protobuf(request(vec![span(1)]).encode_to_vec());
    assert_eq!((told.status, status(&told).code), (StatusCode::TOO_MANY_REQUESTS, 8));
    assert_eq!(told.headers[header::RETRY_AFTER], "5");
    let full = Place::with(None, 0, 1000);
    assert_eq!(full.protobuf("").status, StatusCode::TOO_MANY_REQUESTS);
    let told = full.grpc(&[("content-type", "application/grpc")], framed(0, b""));
    assert_eq!((told.status, &told.headers["grpc-status"]), (StatusCode::OK, &"8".parse().unwrap()));
    let details = told.headers["grpc-status-details-bin"].to_str().unwrap();
    let details = base64::Engine::decode(&base64::engine::general_purpose::STANDARD_NO_PAD, details.trim_end_matches('=')).unwrap();
    let details = RpcStatus::decode(&details[..]).unwrap();
    let [Any { type_url, value }] = &details.details[..] else { panic!("{details:?}") };
    assert_eq!((type_url.as_str(), &value[..]), ("type.googleapis.com/google.rpc.RetryInfo", &[0x0a, 2, 8, 5][..]));
}

#[test]
fn who_never_finishes_is_not_waited_for() {
    let place = Place::new();
    let endless = || Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(place.protobuf(endless()).status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(place.grpc(&[("content-type", "application/grpc")], endless()).headers["grpc-status"], "4");
    let broken = Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
    assert_eq!(place.protobuf(broken).status, StatusCode::BAD_REQUEST);
}

#[test]
fn grpc_is_answered_by_its_own_codes() {
    let place = Place::new();
    let message = request(vec![span(1)]).encode_to_vec();
    let told = place.grpc(&[("content-type", "application/grpc"), ("te", "trailers")], framed(0, &message));
    assert_eq!((told.status, &told.body[..]), (StatusCode::OK, &[0, 0, 0, 0, 0][..]));
    let told = place.grpc(&[("content-type", "application/grpc+proto"), ("grpc-encoding", "gzip")], framed(1, &packed(&message)));
    assert_eq!((told.status, &told.body[..]), (StatusCode::OK, &[0, 0, 0, 0, 0][..]));
    // The same span twice.
    assert_eq!(place.events().len(), 2);
    for (headers, body, code) in [
        (&[("content-type", "application/grpc")][..], vec![], "13"),
        (&[("content-type", "application/grpc")], vec![0, 0, 0, 0, 9], "13"),
        (&[("content-type", "application/grpc")], framed(1, &message), "13"),
        (&[("content-type", "application/grpc")], framed(2, &message), "13"),
        (&[("content-type", "application/grpc")], [framed(0, &message), framed(0, &message)].concat(), "12"),
        (&[("content-type", "application/grpc"), ("grpc-encoding", "zstd")], framed(1, &message), "12"),
        (&[("content-type", "application/grpc")], framed(0, b"not Protobuf"), "3"),
        (&[("content-type", "application/grpc")], framed(0, &vec![0; BODY_BYTES_MAX]), "3"),
    ] {
        let told = place.grpc(headers, body);
        assert_eq!((told.status, &told.headers["grpc-status"]), (StatusCode::OK, &code.parse().unwrap()), "{headers:?}");
        assert!(!told.headers.contains_key("grpc-status-details-bin"));
    }
    assert_eq!(place.grpc(&[("content-type", "application/json")], "").status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let router = || grpc::router(Arc::clone(&place.reception));
    let elsewhere = Request::post("/grpc.health.v1.Health/Check").version(Version::HTTP_2).header("content-type", "application/grpc");
    assert_eq!(place.send(router(), elsewhere.body(Body::empty()).unwrap()).headers["grpc-status"], "12");
    let old = Request::post(Signal::Traces.method()).header("content-type", "application/grpc");
    assert_eq!(place.send(router(), old.body(Body::empty()).unwrap()).status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
}

#[test]
fn where_recording_is_off_or_impossible_that_is_said() {
    let off = Place::with(Some("DO_NOT_TRACK"), 64, 1 << 20);
    let told = off.protobuf(request(vec![span(1)]).encode_to_vec());
    assert_eq!((told.status, status(&told).code), (StatusCode::FORBIDDEN, 7));
    assert!(status(&told).message.contains("DO_NOT_TRACK"));
    assert_eq!(off.grpc(&[("content-type", "application/grpc")], framed(0, b"")).headers["grpc-status"], "7");

    let place = Place::new();
    std::fs::remove_dir_all(place.data.path().join("spool")).unwrap();
    let told = place.protobuf(request(vec![span(1)]).encode_to_vec());
    assert_eq!((told.status, status(&told).code), (StatusCode::SERVICE_UNAVAILABLE, 14));
    assert_eq!(told.headers[header::RETRY_AFTER], "5");
    // The sender is not told of paths here; whoever runs it is.
    assert!(!status(&told).message.contains("spool/"), "{}", status(&told).message);
    let tally = place.desk.news().unwrap();
    assert!(tally.0["traces"].refused.keys().any(|why| why.contains("spool")), "{tally:?}");
    let told = place.grpc(&[("content-type", "application/grpc")], framed(0, &request(vec![span(1)]).encode_to_vec()));
    assert_eq!(told.headers["grpc-status"], "14");
    assert!(told.headers.contains_key("grpc-status-details-bin"));
}

#[test]
fn reasons_without_end_are_counted_together() {
    let mut counts = tally::Counts::default();
    (0..1000).for_each(|n| counts.add(format!("reason {n}").into(), 1));
    assert_eq!(counts.total(), 1000);
    assert!(counts.to_string().len() < 1100 && counts.to_string().contains("reason 0"), "{counts}");
    let mut tally = Tally::default();
    (0..1000).for_each(|n| tally.refused(Signal::Logs, format!("reason {n}"), Timestamp::now()));
    let refused = &tally.0["logs"].refused;
    assert_eq!((refused.len(), refused.values().map(|count| count.n).sum::<u64>()), (51, 1000));
    assert_eq!(Accepted::default().protobuf(), b"");
}
