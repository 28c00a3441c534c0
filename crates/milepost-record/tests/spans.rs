//! Spans as operations, by the macros and the subscriber that products use.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Event, Fact, Operation, Outcome, Recorder, SpanOperations, Spool, Texts, Timestamp};
use std::{
    collections::BTreeMap,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};
use tracing::{Span, error, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;

/// What was recorded while this ran, by the name of the operation.
fn recorded(with: impl FnOnce(Recorder) -> Recorder, work: impl FnOnce()) -> BTreeMap<String, (Event, Operation)> {
    let data = tempfile::tempdir().expect("a folder");
    let recorder = Arc::new(with(Recorder::open(data.path()).expect("a recorder")));
    let operations = SpanOperations::new(Arc::clone(&recorder)).target("shop");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(operations), work);
    assert_eq!(recorder.lost(), 0);
    let mut found = BTreeMap::new();
    for segment in Spool::open(data.path()).expect("a spool").segments().expect("segments") {
        for event in segment.events(Timestamp::now()) {
            let event = event.expect("an event");
            let Fact::Operation(operation) = event.fact.clone() else { panic!("an operation: {event:?}") };
            assert!(found.insert(operation.operation.clone(), (event, operation)).is_none(), "each once");
        }
    }
    found
}

fn outcomes(work: impl FnOnce()) -> Vec<(String, Outcome)> {
    recorded(|recorder| recorder, work).into_iter().map(|(name, (_, operation))| (name, operation.outcome)).collect()
}

fn named(expected: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
    expected.iter().map(|(name, outcome)| ((*name).to_owned(), *outcome)).collect()
}

#[test]
fn spans_of_a_target_or_with_the_field_are_operations() {
    let found = outcomes(|| {
        drop(info_span!(target: "shop", "sell"));
        drop(info_span!(target: "shop::till", "open"));
        drop(info_span!(target: "shopkeeper", "sleep"));
        drop(info_span!("elsewhere"));
        drop(info_span!("span", milepost.operation = "named"));
        let later = info_span!("span", milepost.operation = tracing::field::Empty);
        later.record("milepost.operation", "named later");
        drop(later);
        drop(info_span!("unnamed", milepost.operation = tracing::field::Empty));
    });
    let expected = ["named", "named later", "open", "sell", "unnamed"].map(|name| (name, Outcome::Ok));
    assert_eq!(found, named(&expected));
}

#[test]
fn fields_and_events_tell_the_outcome() {
    use Outcome::{Cancelled, Failed, Ok, Timeout};
    let found = outcomes(|| {
        drop(info_span!(target: "shop", "a", error = true));
        drop(info_span!(target: "shop", "b", error = false));
        drop(info_span!(target: "shop", "c", error = %"no index"));
        drop(info_span!(target: "shop", "d", otel.status_code = "ERROR"));
        info_span!(target: "shop", "e", otel.status_code = "OK").in_scope(|| error!("dealt with"));
        info_span!(target: "shop", "f").in_scope(|| error!("no index"));
        info_span!(target: "shop", "g").in_scope(|| warn!("no index"));
        let span = info_span!(target: "shop", "h", milepost.outcome = "cancelled");
        span.in_scope(|| error!("gone"));
        drop(span);
        drop(info_span!(target: "shop", "i", milepost.outcome = "timeout"));
        drop(info_span!(target: "shop", "j", milepost.outcome = "nonsense", otel.status_code = "UNSET"));
        let span = info_span!(target: "shop", "k", error = tracing::field::Empty);
        span.record("error", "later");
        drop(span);
    });
    let expected = [Failed, Ok, Failed, Failed, Ok, Failed, Ok, Cancelled, Timeout, Ok, Failed];
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    assert_eq!(found, named(&names.into_iter().zip(expected).collect::<Vec<_>>()));
}

#[test]
fn an_error_counts_for_the_innermost_operation_and_people_for_all_inside() {
    let found = recorded(
        |recorder| recorder,
        || {
            let outer = info_span!(target: "shop", "outer", user = "rose@example.org", session = "s-1", backend = "native");
            outer.in_scope(|| {
                info_span!("no operation").in_scope(|| {
                    info_span!(target: "shop", "inner", persona = "maya").in_scope(|| {
                        info_span!("no operation either").in_scope(|| error!("no index"));
                    });
                });
            });
            drop(info_span!(target: "shop", "alone"));
        },
    );
    let ((outer, did), (inner, failed)) = (&found["outer"], &found["inner"]);
    assert_eq!((did.outcome, failed.outcome), (Outcome::Ok, Outcome::Failed));
    assert_eq!((did.backend.as_deref(), failed.backend.as_deref()), (Some("native"), None));
    assert!(outer.user.as_deref().is_some_and(|user| user.starts_with("u-")), "{outer:?}");
    assert_eq!((&inner.user, &inner.session), (&outer.user, &outer.session));
    assert_eq!((inner.persona.as_deref(), &outer.persona), (Some("maya"), &None));
    assert_eq!((&found["alone"].0.user, &found["alone"].0.session), (&None, &None));
    assert!(did.duration_us >= failed.duration_us);
}

#[test]
fn texts_are_kept_where_they_are_allowed_and_cut() {
    let work = || {
        info_span!(target: "shop", "event").in_scope(|| error!(error = %"no index", "it failed"));
        info_span!(target: "shop", "message").in_scope(|| error!("it {}", "failed"));
        drop(info_span!(target: "shop", "field", error = %"ä".repeat(100_000), error.category = "network"));
    };
    let text = |found: &BTreeMap<String, (Event, Operation)>, name: &str| found[name].1.error.clone().and_then(|error| error.text);
    let off = recorded(|recorder| recorder, work);
    assert!(["event", "message", "field"].iter().all(|name| text(&off, name).is_none()));
    assert_eq!(off["field"].1.error.as_ref().map(|error| error.category.as_str()), Some("network"));
    assert_eq!(off["event"].1.error.as_ref().map(|error| error.category.as_str()), Some("unknown"));
    let on = recorded(|recorder| recorder.with_texts(Texts { error: true, ..Texts::default() }), work);
    assert_eq!(text(&on, "event").as_deref(), Some("no index"));
    assert_eq!(text(&on, "message").as_deref(), Some("it failed"));
    assert_eq!(text(&on, "field").map(|text| text.len()), Some(milepost_record::limits::TEXT_BYTES_MAX));
}

#[test]
fn a_panic_is_a_failure_and_who_tidies_up_after_it_is_none() {
    struct Tidy;
    impl Drop for Tidy {
        fn drop(&mut self) {
            info_span!(target: "shop", "tidy").in_scope(|| {});
        }
    }
    let found = outcomes(|| {
        let kept = info_span!(target: "shop", "kept");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            info_span!(target: "shop", "sell").in_scope(|| {
                let _tidy = Tidy;
                kept.in_scope(|| panic!("on purpose"));
            });
        }));
        assert!(panicked.is_err());
        drop(kept);
        drop(info_span!(target: "shop", "after"));
    });
    use Outcome::{Failed, Ok};
    assert_eq!(found, named(&[("after", Ok), ("kept", Failed), ("sell", Failed), ("tidy", Ok)]));
}

/// As the crate `tracing` does it: entered for each poll only.
async fn within<F: Future>(span: Span, work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|context| span.in_scope(|| work.as_mut().poll(context))).await
}

#[test]
fn a_task_is_one_operation_however_often_it_waits() {
    let found = recorded(
        |recorder| recorder,
        || {
            let mut polls = 0;
            let waits = std::future::poll_fn(move |_| {
                polls += 1;
                if polls == 2 {
                    error!("in the second poll");
                }
                if polls < 4 { Poll::Pending } else { Poll::Ready(()) }
            });
            let mut slow = pin!(within(info_span!(target: "shop", "slow"), waits));
            let mut context = Context::from_waker(Waker::noop());
            assert!(slow.as_mut().poll(&mut context).is_pending());
            info_span!(target: "shop", "meanwhile").in_scope(|| thread::sleep(Duration::from_millis(25)));
            while slow.as_mut().poll(&mut context).is_pending() {}
        },
    );
    let (slow, meanwhile) = (&found["slow"].1, &found["meanwhile"].1);
    assert_eq!((slow.outcome, meanwhile.outcome), (Outcome::Failed, Outcome::Ok));
    assert!(slow.duration_us >= Some(25_000), "from its creation to its end: {slow:?}");
}

/// A value that says something itself when it is shown, within the span that it is shown for.
#[test]
fn a_value_may_speak_while_it_is_shown() {
    struct Speaks;
    impl std::fmt::Debug for Speaks {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            error!("shown");
            f.write_str("native")
        }
    }
    let found = recorded(
        |recorder| recorder,
        || {
            let span = info_span!(target: "shop", "sell", backend = tracing::field::Empty);
            span.in_scope(|| {
                span.record("backend", tracing::field::debug(Speaks));
                error!(error = ?Speaks);
            });
        },
    );
    assert_eq!((found["sell"].1.outcome, found["sell"].1.backend.as_deref()), (Outcome::Failed, Some("native")));
}

#[test]
fn a_recorder_that_is_off_records_nothing() {
    let subscriber = tracing_subscriber::registry().with(SpanOperations::new(Recorder::disabled()).target("shop"));
    tracing::subscriber::with_default(subscriber, || drop(info_span!(target: "shop", "sell")));
}
