//! Whatever is sent as OTLP is taken or refused: with the memory that its limits allow, in both encodings, packed or not.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use super::{
    Desk, Mapping, Open, Signal, Tally,
    answer::{Encoding, Refusal},
    body::unpacked,
};
use crate::{bad_input::try_it, config::Otlp};
use flate2::{Compression, write::GzEncoder};
use milepost_collect::error_category::Rules;
use milepost_record::{Door, Identity, Recorder, Spool};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use std::{io::Write, sync::Arc};

const NOW: u64 = 1_795_554_780_000_000_000;

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", "shop"), text("deployment.environment.name", "prod")], ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "milepost".to_owned(), ..InstrumentationScope::default() })
}

fn traces() -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "search".to_owned(),
        start_time_unix_nano: NOW - 1_000_000,
        end_time_unix_nano: NOW,
        attributes: vec![text("user.id", "ada"), text("error.type", "timeout"), text("session.id", "s")],
        status: Some(Status { code: 2, message: "no such host".to_owned() }),
        ..Span::default()
    };
    let scopes = vec![ScopeSpans { scope: scope(), spans: vec![span.clone(), span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans: scopes, ..ResourceSpans::default() }],
    }
}

fn metrics() -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        time_unix_nano: NOW,
        value: Some(number_data_point::Value::AsDouble(12.5)),
        attributes: vec![text("scope", "a")],
        ..NumberDataPoint::default()
    };
    let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
    let metric = Metric { name: "milepost.coverage".to_owned(), unit: "%".to_owned(), data, ..Metric::default() };
    let scopes = vec![ScopeMetrics { scope: scope(), metrics: vec![metric], ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(), scope_metrics: scopes, ..ResourceMetrics::default() }],
    }
}

fn logs() -> ExportLogsServiceRequest {
    let record = LogRecord {
        time_unix_nano: NOW,
        event_name: "milepost.interaction".to_owned(),
        attributes: vec![text("milepost.recognized", "install"), text("milepost.correct", "install")],
        ..LogRecord::default()
    };
    let scopes = vec![ScopeLogs { scope: scope(), log_records: vec![record], ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource: resource(), scope_logs: scopes, ..ResourceLogs::default() }] }
}

thread_local! {
    static DESK: (tempfile::TempDir, Desk) = {
        let data = tempfile::tempdir().expect("a folder");
        let identity = Identity::open(data.path()).expect("an identity");
        let recorder = Recorder::through(Spool::open(data.path()).expect("a spool"), Door::new("otlp", identity.clone()));
        let open = Arc::new(Open { recorder, mapping: Mapping::new(Otlp::default(), Rules::defaults(), identity) });
        (data, Desk::new(Box::new(move || Ok(Arc::clone(&open))), Tally::default()))
    };
}

fn take(encoding: Encoding, bytes: &[u8]) {
    DESK.with(|(_, desk)| {
        for signal in Signal::ALL {
            match desk.take(signal, encoding, bytes) {
                Ok(accepted) => assert!(accepted.why.len() <= 4096, "{}", accepted.why),
                Err(Refusal::Unwritten(why)) => panic!("{why}"),
                Err(refusal) => {
                    let told = refusal.message();
                    assert!(!told.is_empty() && told.len() <= 4096, "{} bytes: {told}", told.len());
                }
            }
        }
    });
}

fn protobuf(bytes: &[u8]) {
    take(Encoding::Protobuf, bytes);
}

fn json(bytes: &[u8]) {
    take(Encoding::Json, bytes);
}

fn gzip(bytes: &[u8]) {
    const BYTES_MAX: usize = 1 << 20;
    match unpacked(bytes, BYTES_MAX) {
        Ok(plain) => assert!(plain.len() <= BYTES_MAX),
        Err(refusal) => assert!(!refusal.message().is_empty()),
    }
}

#[test]
fn a_request_in_protobuf_is_taken_or_refused() {
    let mut inputs = vec![traces().encode_to_vec(), metrics().encode_to_vec(), logs().encode_to_vec()];
    // Groups within groups, each longer than the request, and a length beyond all numbers.
    inputs.push([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01].to_vec());
    inputs.push(vec![0x0B; 100_000]);
    inputs.push([0x0A, 0x00].repeat(100_000));
    // A value within a value within a value.
    let mut nested = vec![0x0A, 0x00];
    while nested.len() < 20_000 {
        let mut length = Vec::new();
        prost::encoding::encode_varint(nested.len() as u64, &mut length);
        nested = [[0x2A].as_slice(), &length, &nested].concat();
    }
    inputs.push(nested);
    try_it("otlp_protobuf", protobuf, 1024, inputs);
}

#[test]
fn a_request_in_json_is_taken_or_refused() {
    let mut inputs: Vec<Vec<u8>> = [serde_json::to_vec(&traces()), serde_json::to_vec(&metrics()), serde_json::to_vec(&logs())]
        .into_iter()
        .map(|json| json.expect("JSON"))
        .collect();
    inputs.push(format!("{{\"resourceSpans\":[{}]}}", vec!["{}"; 20_000].join(",")).into_bytes());
    inputs.push(format!("{{\"resourceSpans\":{}", "[".repeat(100_000)).into_bytes());
    inputs.push(format!("{{\"{}\":1}}", "a".repeat(200_000)).into_bytes());
    try_it("otlp_json", json, 1024, inputs);
}

#[test]
fn what_is_packed_is_unpacked_or_refused() {
    let pack = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).and_then(|()| packer.finish()).expect("packed")
    };
    let once = pack(&traces().encode_to_vec());
    try_it("gzip", gzip, 64, vec![once.repeat(3), pack(&once), pack(&vec![0; 8 << 20]), once]);
}
