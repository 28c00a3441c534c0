//! Small cases of the rules, one signal after the other.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use super::*;
use crate::config::Spans;
use milepost_record::{Interaction, Measure, Memory, Operation, Outcome};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue},
    logs::v1::LogRecord,
    metrics::v1::{Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric::Data, number_data_point},
    resource::v1::Resource,
    trace::v1::{Span, Status, span},
};

/// 2026-11-24T12:00:00Z.
const NOON: u64 = 1_795_521_600_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn says(key: &str, text: &str) -> KeyValue {
    attribute(key, Value::StringValue(text.to_owned()))
}

fn resource(attributes: &[(&str, &str)]) -> Resource {
    Resource { attributes: attributes.iter().map(|(key, value)| says(key, value)).collect(), ..Resource::default() }
}

fn mapping(otlp: Otlp) -> Mapping {
    let data = tempfile::tempdir().expect("a folder");
    Mapping::new(otlp, Rules::defaults(), Identity::open(data.path()).expect("an identity"))
}

fn root() -> Span {
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0x01; 8],
        name: "search".to_owned(),
        kind: 2,
        start_time_unix_nano: NOON,
        end_time_unix_nano: NOON + SECOND / 4,
        ..Span::default()
    }
}

fn with(change: impl FnOnce(&mut Span)) -> Span {
    let mut span = root();
    change(&mut span);
    span
}

fn event(taken: Taken) -> Event {
    match taken {
        Taken::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn operation(taken: Taken) -> Operation {
    match event(taken).fact {
        Fact::Operation(operation) => operation,
        other => panic!("{other:?}"),
    }
}

fn of(span: &Span) -> Taken {
    mapping(Otlp::default()).span(&Resource::default(), span)
}

#[test]
fn a_span_becomes_an_operation_with_the_same_id_whenever_it_comes() {
    let event = event(of(&root()));
    assert_eq!(event.id.as_deref(), Some("abababababababababababababababab-0101010101010101"));
    assert_eq!(event.at.to_string(), "2026-11-24T12:00:00.250000Z");
    let operation = operation(of(&root()));
    assert_eq!((operation.operation.as_str(), operation.outcome, operation.duration_us), ("search", Outcome::Ok, Some(250_000)));
    assert_eq!(operation.error, None);
}

#[test]
fn which_spans_are_operations_is_configured() {
    let (parent, remote) = (vec![7; 8], 0x300);
    let spans = [
        ("root SERVER", with(|_| {})),
        ("root INTERNAL", with(|s| s.kind = 1)),
        ("root UNSPECIFIED", with(|s| s.kind = 0)),
        ("root CLIENT", with(|s| s.kind = 3)),
        ("inner INTERNAL", with(|s| (s.kind, s.parent_span_id) = (1, parent.clone()))),
        ("inner SERVER", with(|s| s.parent_span_id = parent.clone())),
        ("remote INTERNAL", with(|s| (s.kind, s.parent_span_id, s.flags) = (1, parent.clone(), remote))),
        ("local INTERNAL", with(|s| (s.kind, s.parent_span_id, s.flags) = (1, parent.clone(), 0x100))),
        ("remote CLIENT", with(|s| (s.kind, s.parent_span_id, s.flags) = (3, parent.clone(), remote))),
        ("named CLIENT", with(|s| (s.kind, s.attributes) = (3, vec![says("milepost.operation", "ask")]))),
        ("all zeros", with(|s| (s.kind, s.parent_span_id) = (1, vec![0; 8]))),
        ("unknown kind", with(|s| s.kind = 99)),
    ];
    for (rule, counted) in [
        (
            Spans::Entry,
            &[
                "root SERVER",
                "root INTERNAL",
                "root UNSPECIFIED",
                "inner SERVER",
                "remote INTERNAL",
                "named CLIENT",
                "all zeros",
                "unknown kind",
            ][..],
        ),
        (Spans::Root, &["root SERVER", "root INTERNAL", "root UNSPECIFIED", "named CLIENT", "all zeros", "unknown kind"]),
        (Spans::Named, &["named CLIENT"]),
    ] {
        let mapping = mapping(Otlp { spans: rule, ..Otlp::default() });
        for (what, span) in &spans {
            let taken = mapping.span(&Resource::default(), span);
            assert_eq!(matches!(taken, Taken::Event(_)), counted.contains(what), "{rule:?} {what}: {taken:?}");
            assert!(!matches!(taken, Taken::Rejected(_)), "{rule:?} {what}: {taken:?}");
        }
    }
    let all = mapping(Otlp { spans: Spans::All, ..Otlp::default() });
    assert!(spans.iter().all(|(_, span)| matches!(all.span(&Resource::default(), span), Taken::Event(_))));
}

#[test]
fn a_resource_that_names_an_operation_makes_none_of_its_spans() {
    let span = with(|s| (s.kind, s.parent_span_id) = (1, vec![7; 8]));
    let taken = mapping(Otlp::default()).span(&resource(&[("milepost.operation", "ask")]), &span);
    assert!(matches!(taken, Taken::LeftOut(_)), "{taken:?}");
}

#[test]
fn a_span_that_cannot_be_true_is_rejected() {
    for (what, span) in [
        ("no trace", with(|s| s.trace_id = vec![])),
        ("zeros", with(|s| s.trace_id = vec![0; 16])),
        ("short", with(|s| s.span_id = vec![1; 7])),
        ("no beginning", with(|s| s.start_time_unix_nano = 0)),
        ("no end", with(|s| s.end_time_unix_nano = 0)),
        ("1970", with(|s| (s.start_time_unix_nano, s.end_time_unix_nano) = (5, 6))),
        ("the end of time", with(|s| s.end_time_unix_nano = u64::MAX)),
        ("backwards", with(|s| s.end_time_unix_nano = NOON - SECOND)),
        ("no such status", with(|s| s.status = Some(Status { code: 7, ..Status::default() }))),
        ("no such outcome", with(|s| s.attributes = vec![says("milepost.outcome", "fine")])),
    ] {
        // The end of the 64 bits of nanoseconds lies in the year 2554: the door knows that it is to come.
        match of(&span) {
            Taken::Rejected(_) => {}
            Taken::Event(event) if what == "the end of time" => {
                let identity = Identity::open(tempfile::tempdir().expect("a folder").path()).expect("an identity");
                assert!(milepost_record::Door::new("otlp", identity).admit(*event, Timestamp::now()).is_err());
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_failure_is_a_status_or_an_exit_code_and_has_a_category() {
    let error = |message: &str| Some(Status { code: 2, message: message.to_owned() });
    let exception = |kind: &str, message: &str| span::Event {
        name: "exception".to_owned(),
        attributes: vec![says("exception.type", kind), says("exception.message", message)],
        ..span::Event::default()
    };
    let exit = |code| vec![attribute("process.exit.code", Value::IntValue(code))];
    for (span, outcome, category) in [
        (with(|s| s.status = Some(Status { code: 1, ..Status::default() })), Outcome::Ok, None),
        (with(|s| s.events = vec![exception("ValueError", "dealt with")]), Outcome::Ok, None),
        (with(|s| s.attributes = exit(0)), Outcome::Ok, None),
        (with(|s| s.attributes = exit(3)), Outcome::Failed, Some("unknown")),
        (with(|s| s.status = error("")), Outcome::Failed, Some("unknown")),
        (with(|s| s.status = error("Connection refused")), Outcome::Failed, Some("network")),
        (
            with(|s| (s.status, s.events) = (error(""), vec![exception("OSError", "Permission denied")])),
            Outcome::Failed,
            Some("permission"),
        ),
        (
            with(|s| (s.status, s.attributes) = (error(""), vec![says("error.type", "quota_exceeded")])),
            Outcome::Failed,
            Some("quota_exceeded"),
        ),
        (with(|s| (s.status, s.attributes) = (error(""), vec![says("error.type", "_OTHER")])), Outcome::Failed, Some("unknown")),
        (with(|s| (s.status, s.attributes) = (error(""), vec![says("error.type", "404")])), Outcome::Failed, Some("not_found")),
        (with(|s| (s.status, s.attributes) = (error(""), vec![says("error.type", "Weird::Thing")])), Outcome::Failed, Some("unknown")),
        (with(|s| (s.status, s.attributes) = (error("x"), vec![says("error.category", "disk")])), Outcome::Failed, Some("disk")),
        (with(|s| s.attributes = vec![says("milepost.outcome", "timeout")]), Outcome::Timeout, Some("unknown")),
        (with(|s| (s.status, s.attributes) = (error("x"), vec![says("milepost.outcome", "cancelled")])), Outcome::Cancelled, None),
    ] {
        let told = operation(of(&span));
        assert_eq!((told.outcome, told.error.as_ref().map(|e| e.category.as_str())), (outcome, category), "{span:?}");
    }
    let told = operation(of(&with(|s| (s.status, s.events) = (error("status"), vec![exception("E", "first"), exception("E", "last")]))));
    assert_eq!(told.error.and_then(|e| e.text).as_deref(), Some("last"));
}

#[test]
fn who_and_which_version_are_told_by_the_span_and_else_by_its_resource() {
    let of = resource(&[
        ("service.version", "1.4.0"),
        ("service.name", "shop"),
        ("session.id", "of the resource"),
        ("deployment.environment.name", "ci"),
        ("host.name", "rose-laptop"),
        ("vcs.ref.head.revision", "abc"),
    ]);
    let span = with(|s| {
        s.attributes = vec![
            says("session.id", "s-1"),
            says("enduser.id", "rose@example.org"),
            says("milepost.backend", "native"),
            says("milepost.persona", "novice"),
            says("http.route", "/search/{query}"),
            says("url.query", "a secret"),
            attribute("milepost.dry_run", Value::BoolValue(true)),
        ];
    });
    let otlp = Otlp {
        keep: vec!["http.route".to_owned(), "absent".to_owned()],
        origins: [("ci".to_owned(), Origin::Test)].into(),
        ..Otlp::default()
    };
    let told = event(mapping(otlp).span(&of, &span));
    assert!(told.user.as_ref().is_some_and(|user| user.starts_with("u-") && user.len() == 18), "{told:?}");
    assert_eq!((told.session.as_deref(), told.persona.as_deref()), (Some("s-1"), Some("novice")));
    assert_eq!((told.version.as_deref(), told.commit.as_deref(), told.origin), (Some("1.4.0"), Some("abc"), Some(Origin::Test)));
    let kept: Vec<_> = told.attributes.keys().map(String::as_str).collect();
    assert_eq!(kept, ["deployment.environment.name", "http.route", "service.name"]);
    let line = told.to_json().expect("a line");
    assert!(!line.contains("secret") && !line.contains("example.org") && !line.contains("laptop"), "{line}");
    let Fact::Operation(told) = told.fact else { panic!("no operation") };
    assert_eq!((told.backend.as_deref(), told.dry_run), (Some("native"), Some(true)));
}

#[test]
fn names_are_changed_and_left_out_as_configured() {
    let otlp = Otlp {
        operations: [("GET /search".to_owned(), "search".to_owned())].into(),
        leave_out: ["GET /healthz".to_owned()].into(),
        attributes: [(Says::Operation, vec!["command".to_owned()])].into(),
        ..Otlp::default()
    };
    let mapping = mapping(otlp);
    let named = |name: &str| with(|s| s.name = name.to_owned());
    assert_eq!(operation(mapping.span(&Resource::default(), &named("GET /search"))).operation, "search");
    assert!(matches!(mapping.span(&Resource::default(), &named("GET /healthz")), Taken::LeftOut(_)));
    let by_attribute = with(|s| s.attributes = vec![says("command", "install")]);
    assert_eq!(operation(mapping.span(&Resource::default(), &by_attribute)).operation, "install");
    // What has several values names nothing.
    let list = with(|s| s.attributes = vec![attribute("command", Value::ArrayValue(ArrayValue { values: Vec::new() }))]);
    assert_eq!(operation(mapping.span(&Resource::default(), &list)).operation, "search");
}

fn point(value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: NOON, start_time_unix_nano: NOON - SECOND, value: Some(value), ..NumberDataPoint::default() }
}

fn usage(data: Data) -> Metric {
    Metric { name: "process.memory.usage".to_owned(), unit: "By".to_owned(), data: Some(data), ..Metric::default() }
}

fn sum(points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points: points, aggregation_temporality: 2, is_monotonic: false })
}

fn points(resource: &Resource, metric: &Metric) -> Vec<Taken> {
    let mut told = Vec::new();
    let mapping = mapping(Otlp::default());
    let mut tell = |taken| {
        told.push(taken);
        Ok::<_, ()>(())
    };
    mapping.metric(resource, "scope", metric, &mut tell).expect("all are told");
    told
}

fn reading(taken: Taken) -> Memory {
    match event(taken).fact {
        Fact::Memory(memory) => memory,
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_in_use_is_a_reading_of_the_run_of_its_process() {
    let of = resource(&[("service.name", "shop"), ("process.pid", "42"), ("process.executable.name", "shopd")]);
    let metric = usage(sum(vec![point(number_data_point::Value::AsInt(5_000_000)), point(number_data_point::Value::AsDouble(6e6))]));
    let told: Vec<_> = points(&of, &metric).into_iter().map(reading).collect();
    assert_eq!(told.iter().map(|m| m.bytes).collect::<Vec<_>>(), [5_000_000, 6_000_000]);
    let first = told.first().expect("a reading");
    assert_eq!((first.measure, first.complete, first.pid, first.process.as_deref()), (Measure::Rss, true, Some(42), Some("shopd")));
    assert!(told.iter().all(|m| m.run == first.run));
    // Another process, or the same number of one that began later, is another run.
    let other = resource(&[("service.name", "shop"), ("process.pid", "43")]);
    assert_ne!(points(&other, &metric).into_iter().map(reading).next().map(|m| m.run), Some(first.run.clone()));
    let mut later = point(number_data_point::Value::AsInt(1));
    later.start_time_unix_nano = NOON - 1;
    assert_ne!(points(&of, &usage(sum(vec![later]))).into_iter().map(reading).next().map(|m| m.run), Some(first.run.clone()));
    // An instance has a name of its own, whenever its streams began.
    let instance = resource(&[("service.instance.id", "i-1")]);
    let runs: Vec<_> = [NOON - 1, NOON - 2]
        .map(|start| {
            let mut point = point(number_data_point::Value::AsInt(1));
            point.start_time_unix_nano = start;
            points(&instance, &usage(sum(vec![point]))).into_iter().map(reading).next().map(|m| m.run)
        })
        .into();
    assert_eq!(runs.first(), runs.last());
    // The same point has the same id.
    let ids: Vec<_> = (0..2).map(|_| points(&of, &metric).into_iter().next().map(event).and_then(|e| e.id)).collect();
    assert!(ids.first() == ids.last() && ids.iter().all(Option::is_some), "{ids:?}");
}

#[test]
fn what_is_no_memory_in_use_is_rejected_point_by_point() {
    let of = resource(&[("service.instance.id", "i-1")]);
    let int = number_data_point::Value::AsInt;
    let histogram = || Data::Histogram(Histogram { data_points: vec![HistogramDataPoint::default(); 3], aggregation_temporality: 2 });
    let delta = Data::Sum(Sum { data_points: vec![point(int(1)); 2], aggregation_temporality: 1, is_monotonic: false });
    let vms = NumberDataPoint { attributes: vec![says("type", "vms")], ..point(int(1)) };
    let timeless = NumberDataPoint { time_unix_nano: 0, ..point(int(1)) };
    let empty = NumberDataPoint { value: None, ..point(int(1)) };
    let other = Metric { name: "http.server.request.duration".to_owned(), ..usage(histogram()) };
    for (metric, rejected) in [
        (other, 3),
        (usage(histogram()), 3),
        (usage(delta), 2),
        (usage(sum(vec![point(int(-1)), point(number_data_point::Value::AsDouble(f64::NAN)), vms, timeless, empty])), 5),
        (Metric { unit: "KiBy".to_owned(), ..usage(sum(vec![point(int(1))])) }, 1),
        (Metric { data: None, ..usage(sum(vec![])) }, 1),
        (usage(sum(vec![])), 0),
    ] {
        let told = points(&of, &metric);
        assert_eq!(told.len(), rejected, "{metric:?}");
        assert!(told.iter().all(|taken| matches!(taken, Taken::Rejected(_))), "{told:?}");
    }
    let gauge = Data::Gauge(Gauge { data_points: vec![NumberDataPoint { start_time_unix_nano: 0, ..point(int(1)) }] });
    assert!(matches!(points(&Resource::default(), &usage(gauge)).as_slice(), [Taken::Rejected(_)]));
    let nothing = NumberDataPoint { flags: 1, value: None, ..point(int(1)) };
    assert!(matches!(points(&of, &usage(sum(vec![nothing]))).as_slice(), [Taken::LeftOut(_)]));
}

fn record(name: &str, attributes: &[(&str, &str)]) -> LogRecord {
    LogRecord {
        event_name: name.to_owned(),
        time_unix_nano: NOON,
        attributes: attributes.iter().map(|(key, value)| says(key, value)).collect(),
        ..LogRecord::default()
    }
}

#[test]
fn an_evaluation_of_the_flag_is_an_interaction_in_an_arm() {
    let otlp = Otlp { flag: Some("assistant".to_owned()), arms: [("on".to_owned(), "learning".to_owned())].into(), ..Otlp::default() };
    let mapping = mapping(otlp);
    let evaluation = |variant: &str| {
        record(
            "feature_flag.evaluation",
            &[
                ("feature_flag.key", "assistant"),
                ("feature_flag.result.variant", variant),
                ("feature_flag.context.id", "rose"),
                ("milepost.recognized", "install"),
            ],
        )
    };
    for (variant, arm) in [("on", "learning"), ("control", "control")] {
        let told = event(mapping.log(&Resource::default(), &evaluation(variant)));
        assert!(told.user.as_ref().is_some_and(|user| user.starts_with("u-")));
        let Fact::Interaction(Interaction { arm: told, recognized, .. }) = told.fact else { panic!("no interaction") };
        assert_eq!((told.as_deref(), recognized.as_deref()), (Some(arm), Some("install")));
    }
    let id = |record: &LogRecord| event(mapping.log(&Resource::default(), record)).id;
    assert_eq!(id(&evaluation("on")), id(&evaluation("on")));
    let seen = LogRecord { time_unix_nano: 0, observed_time_unix_nano: NOON + 1, ..evaluation("on") };
    assert_ne!(id(&evaluation("on")), id(&seen));
    // Older senders name it by an attribute.
    let older = record("", &[("event.name", "feature_flag.evaluation"), ("feature_flag.key", "assistant"), ("feature_flag.variant", "on")]);
    assert!(matches!(mapping.log(&Resource::default(), &older), Taken::Event(_)));
    for record in [
        record("feature_flag.evaluation", &[("feature_flag.key", "another"), ("feature_flag.result.variant", "on")]),
        record("feature_flag.evaluation", &[("feature_flag.key", "assistant")]),
        record(
            "feature_flag.evaluation",
            &[("feature_flag.key", "assistant"), ("feature_flag.result.variant", "on"), ("feature_flag.result.reason", "error")],
        ),
        LogRecord { time_unix_nano: 0, ..evaluation("on") },
        record("exception", &[]),
        record("", &[]),
    ] {
        let taken = mapping.log(&Resource::default(), &record);
        assert!(matches!(taken, Taken::Rejected(_)), "{record:?}: {taken:?}");
    }
}

#[test]
fn a_session_begins_once() {
    let mapping = mapping(Otlp::default());
    let start = record("session.start", &[("session.id", "s-1")]);
    let told = event(mapping.log(&Resource::default(), &start));
    assert_eq!((told.session.as_deref(), told.kind()), (Some("s-1"), milepost_record::Kind::Session));
    let again = LogRecord { time_unix_nano: NOON + SECOND, ..start };
    assert_eq!(event(mapping.log(&Resource::default(), &again)).id, told.id);
    assert!(matches!(mapping.log(&Resource::default(), &record("session.start", &[])), Taken::Rejected(_)));
}

#[test]
fn nothing_of_any_length_panics_or_is_longer_than_it_may_be() {
    let long = "ä".repeat(200_000);
    let otlp = Otlp { keep: vec!["kept".to_owned()], ..Otlp::default() };
    let span = with(|s| {
        s.status = Some(Status { code: 2, message: long.clone() });
        s.attributes = vec![says("kept", &long), says("service.name", &long)];
    });
    let told = event(mapping(otlp).span(&Resource::default(), &span));
    assert!(told.to_json().is_ok(), "{:?}", told.check());
    let named = event(of(&with(|s| s.name = long.clone())));
    assert!(named.check().is_err());
}
