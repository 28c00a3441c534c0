//! Questions put to a real spool, and the answers worked out by hand.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{
    Dimension, Durability, Ecdf, ErrorDetail, Event, Evidence, FAILURES_MAX, GROUPS_MAX, Groups, Kind, Limit, Measure, Measurement, Memory,
    Note, Operation, OperationDay, Origin, Outcome, Question, Scalar, Span, Spool, Subject, Timestamp, Topic,
};
use milepost_store::{Row, Store, Upkeep, compact};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock, time::Duration};
use tokio::runtime::{Builder, Runtime};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const NOW: &str = "2026-11-24T12:00:00Z";

fn operation(when: &str, name: &str, outcome: Outcome, ms: u64, change: impl FnOnce(&mut Event, &mut Operation)) -> Event {
    let mut operation = Operation::new(name, outcome);
    operation.duration_us = (ms > 0).then_some(ms * 1000);
    let mut event = Event::at(at(when), operation.clone());
    change(&mut event, &mut operation);
    event.fact = operation.into();
    event.origin.get_or_insert(Origin::Use);
    event
}

fn plain(_: &mut Event, _: &mut Operation) {}

fn spooled(data: &Path, events: &[Event]) -> Store {
    let spool = Spool::open(data).expect("a spool");
    for (index, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event.id.get_or_insert_with(|| format!("id-{index}"));
        spool.append(&event, Durability::Written).expect("appended");
    }
    wait(Store::open(data, at(NOW))).expect("a store")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));
    RUNTIME.block_on(future)
}

fn ask(store: &Store, question: &Question) -> Evidence {
    wait(store.answer(question)).expect("an answer").evidence
}

fn about(subject: Subject) -> Question {
    Question {
        subject,
        span: Span { from: at("2026-10-01T00:00:00Z"), to: at(NOW) },
        filter: BTreeMap::new(),
        for_each: None,
        aliases: BTreeMap::new(),
        time_zone: "UTC".to_owned(),
    }
}

fn operations(store: &Store, question: &Question) -> Groups<OperationDay> {
    match ask(store, question) {
        Evidence::Operations(groups) => groups,
        other => panic!("{other:?}"),
    }
}

fn below(us: u64) -> Subject {
    Subject::Operations { limit: Some(Limit { default: Some(us), by_group: BTreeMap::new(), inclusive: false }) }
}

#[test]
fn operations_are_counted_by_day_and_by_how_they_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        operation("2026-09-30T23:59:59.999999Z", "search", Outcome::Ok, 1, plain), // before the span
        operation("2026-11-20T23:30:00Z", "search", Outcome::Ok, 100, plain),
        operation("2026-11-20T23:40:00Z", "search", Outcome::Ok, 500, plain), // at the limit: not below it
        operation("2026-11-21T00:10:00Z", "search", Outcome::Ok, 100, plain),
        operation("2026-11-21T00:11:00Z", "search", Outcome::Ok, 100, plain),
        operation("2026-11-21T00:12:00Z", "search", Outcome::Ok, 0, plain), // no duration
        operation("2026-11-21T00:13:00Z", "search", Outcome::Failed, 1, plain),
        operation("2026-11-21T00:14:00Z", "search", Outcome::Timeout, 9000, plain),
        operation("2026-11-21T00:15:00Z", "search", Outcome::Cancelled, 1, plain),
        operation("2026-11-21T00:16:00Z", "search", Outcome::Ok, 1, |_, o| o.dry_run = Some(true)),
    ];
    let store = spooled(folder.path(), &events);
    let mut question = about(below(500_000));
    let days = |question: &Question| operations(&store, question).groups.remove(&None).expect("one group");

    let [first, second] = &days(&question)[..] else { panic!("two days") };
    assert_eq!((first.ok, first.failed, first.within), (2, 0, 1));
    assert_eq!(first.durations, Ecdf::from(vec![(100_000, 1), (500_000, 1)]));
    assert_eq!((second.ok, second.failed, second.timeouts, second.cancelled, second.dry_runs), (3, 2, 1, 1, 1));
    assert_eq!((second.unmeasured, second.within), (1, 2));
    assert_eq!(second.durations, Ecdf::from(vec![(100_000, 2)]));
    assert_eq!(second.newest, at("2026-11-21T00:16:00Z"));

    // Where the clocks are an hour ahead, all of it happened on one day.
    question.time_zone = "Europe/Berlin".to_owned();
    assert_eq!(days(&question).iter().map(|d| d.date.to_string()).collect::<Vec<_>>(), ["2026-11-21"]);

    let inclusive = Limit { default: Some(500_000), by_group: BTreeMap::new(), inclusive: true };
    question.subject = Subject::Operations { limit: Some(inclusive) };
    assert_eq!(days(&question).iter().map(|d| d.within).sum::<u64>(), 4);
}

/// Whatever its outcome, a command takes the memory that it takes.
#[test]
fn peaks_of_memory_are_counted_beside_the_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let peak = |bytes: Option<u64>, door: &str| {
        let door = door.to_owned();
        move |event: &mut Event, operation: &mut Operation| {
            operation.peak_bytes = bytes;
            event.attributes.insert("door".to_owned(), Scalar::Text(door));
        }
    };
    let events = [
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 1, peak(Some(50_000_000), "run")),
        operation("2026-11-20T10:01:00Z", "search", Outcome::Failed, 1, peak(Some(60_000_000), "run")),
        operation("2026-11-20T10:02:00Z", "search", Outcome::Timeout, 1, peak(Some(70_000_000), "run")),
        operation("2026-11-20T10:03:00Z", "search", Outcome::Cancelled, 1, peak(Some(10_000_000_000), "run")),
        operation("2026-11-20T10:04:00Z", "search", Outcome::Ok, 1, peak(None, "run")), // smaller than the one that measured it
        operation("2026-11-20T10:05:00Z", "search", Outcome::Ok, 1, peak(None, "sdk")), // not known
    ];
    let store = spooled(folder.path(), &events);
    let limit = Limit { default: Some(60_000_000), by_group: BTreeMap::new(), inclusive: false };
    let days = operations(&store, &about(Subject::PeakMemory { limit: Some(limit) })).groups.remove(&None).expect("one group");
    let [day] = &days[..] else { panic!("one day") };
    assert_eq!((day.ok, day.failed, day.cancelled, day.unmeasured, day.within), (5, 0, 1, 1, 2));
    assert_eq!(day.durations, Ecdf::from(vec![(0, 1), (50_000_000, 1), (60_000_000, 1), (70_000_000, 1)]));
}

#[test]
fn groups_have_limits_of_their_own_and_names_may_have_aliases() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        operation("2026-11-20T10:00:00Z", "install", Outcome::Ok, 400, plain),
        operation("2026-11-20T10:00:00Z", "install_package", Outcome::Ok, 600, plain),
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 400, plain),
        operation("2026-11-20T10:00:00Z", "it's", Outcome::Ok, 400, plain),
    ];
    let store = spooled(folder.path(), &events);
    let by_group = [("install".to_owned(), 500_000), ("search".to_owned(), 200_000), ("it's".to_owned(), 500_000)].into();
    let mut question = about(Subject::Operations { limit: Some(Limit { default: None, by_group, inclusive: false }) });
    question.for_each = Some(Dimension::Operation);
    question.aliases = [("install_package".to_owned(), "install".to_owned())].into();
    let groups = operations(&store, &question).groups;
    let within = |name: &str| groups[&Some(name.to_owned())].iter().map(|d| (d.ok, d.within)).collect::<Vec<_>>();
    assert_eq!(groups.len(), 3);
    assert_eq!(within("install"), [(2, 1)]);
    assert_eq!(within("search"), [(1, 0)]);
    assert_eq!(within("it's"), [(1, 1)]);

    question.filter = [(Dimension::Operation, ["install".to_owned()].into())].into();
    assert_eq!(operations(&store, &question).groups.len(), 1, "a filter knows the aliases too");
}

#[test]
fn events_are_filtered_and_grouped_by_what_they_carry() {
    let folder = tempfile::tempdir().expect("a folder");
    let channel = |value: &'static str| {
        move |event: &mut Event, _: &mut Operation| _ = event.attributes.insert("channel".to_owned(), Scalar::from(value))
    };
    let events = [
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 1, channel("23.11")),
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 2, channel("24.05")),
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 3, |e, _| e.origin = Some(Origin::Probe)),
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 4, |_, o| o.backend = Some("native".to_owned())),
    ];
    let store = spooled(folder.path(), &events);
    let mut question = about(below(1_000_000));
    let ok = |question: &Question| operations(&store, question).groups.values().flatten().map(|d| d.ok).sum::<u64>();
    question.filter = [(Dimension::Attribute("channel".to_owned()), ["23.11".to_owned(), "nothing".to_owned()].into())].into();
    assert_eq!(ok(&question), 1);
    question.filter = [(Dimension::Origin, ["use".to_owned()].into())].into();
    assert_eq!(ok(&question), 3);
    question.filter = [(Dimension::Origin, [].into())].into();
    assert_eq!(ok(&question), 0, "a filter that allows nothing lets nothing through");
    question.filter = BTreeMap::new();
    question.for_each = Some(Dimension::Backend);
    let groups = operations(&store, &question).groups;
    assert_eq!(groups.keys().cloned().collect::<Vec<_>>(), [None, Some("native".to_owned())]);
}

#[test]
fn an_event_that_stands_twice_counts_once_and_a_broken_line_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut event = operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 1, |e, _| e.id = Some("same".to_owned()));
    let mut session = Event::at(event.at, milepost_record::Session::new());
    (session.id, session.session) = (Some("same".to_owned()), Some("s".to_owned()));
    spooled(folder.path(), &[event.clone(), event.clone(), session]);
    let shared = folder.path().join("spool/shared.jsonl");
    let mut text = std::fs::read(&shared).expect("a segment");
    text.extend_from_slice(b"\n{\"v\":1,\"kind\":\"opera\n\n\xff\xfe\n");
    std::fs::write(&shared, text).expect("written");
    event.id = None;
    event.at = at("2026-11-24T12:05:01Z");
    let store = spooled(folder.path(), &[event]);
    let inventory = store.inventory();
    assert_eq!(inventory.events, [(Kind::Operation, 1), (Kind::Session, 1)].into(), "another kind may use the same id");
    assert_eq!(inventory.repeated, 1);
    assert_eq!((inventory.unreadable, inventory.first_unreadable.len()), (3, 3), "{:?}", inventory.first_unreadable);
    let found = operations(&store, &about(Subject::Operations { limit: None }));
    assert_eq!(found.groups[&None].iter().map(|day| day.ok + day.failed).sum::<u64>(), 1);
}

#[test]
fn memory_comes_by_run_and_measurements_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = |when: &str, run: &str, bytes: u64, complete: bool| {
        let mut memory = Memory::new(run, bytes, Measure::Pss, complete);
        memory.every_us = Some(10_000_000);
        Event::at(at(when), memory)
    };
    let coverage = |when: &str, value: f64| Event::at(at(when), Measurement::new("coverage.statements", value));
    let events = [
        memory("2026-11-21T10:00:10Z", "b", 3, false),
        memory("2026-11-21T10:00:00Z", "b", 2, true),
        memory("2026-11-20T10:00:00Z", "z", 1, true),
        coverage("2026-11-22T10:00:00Z", 90.0),
        coverage("2026-11-21T10:00:00Z", 88.0),
        Event::at(at("2026-11-21T10:00:00Z"), Measurement::new("coverage.branches", 1.0)),
    ];
    let store = spooled(folder.path(), &events);
    let Evidence::Memory(groups) = ask(&store, &about(Subject::Memory)) else { panic!("memory") };
    let runs = &groups.groups[&None];
    assert_eq!(runs.iter().map(|r| r.run.as_str()).collect::<Vec<_>>(), ["z", "b"]);
    assert_eq!(runs[1].samples.iter().map(|s| (s.bytes, s.complete)).collect::<Vec<_>>(), [(2, true), (3, false)]);
    let Evidence::Measurement(groups) = ask(&store, &about(Subject::Measurement { name: "coverage.statements".to_owned() })) else {
        panic!("a measurement")
    };
    assert_eq!(groups.groups[&None].iter().map(|r| r.value).collect::<Vec<_>>(), [88.0, 90.0]);
}

/// What is asked of few events at once is read into memory first, and what nothing is known of is not asked.
#[test]
fn many_questions_at_once_are_answered_as_each_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let user = |name: &str| {
        let name = name.to_owned();
        move |event: &mut Event, _: &mut Operation| event.user = Some(name)
    };
    let compacted = [
        operation("2026-11-02T10:00:00Z", "search", Outcome::Ok, 100, user("a")),
        operation("2026-11-10T10:00:00Z", "install", Outcome::Failed, 900, user("a")),
        Event::at(at("2026-11-10T09:59:00Z"), Note::new(Topic::Feedback)),
    ];
    spooled(folder.path(), &compacted);
    wait(compact(folder.path(), at(NOW), &Upkeep::default())).expect("compacted");
    let spool = Spool::open(folder.path()).expect("a spool");
    spool.append(&operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 300, user("b")), Durability::Written).expect("appended");
    let store = wait(Store::open(folder.path(), at(NOW))).expect("a store");

    let subjects = [
        below(200_000),
        Subject::PeakMemory { limit: None },
        Subject::Misses { limit: None, failed: true },
        Subject::Memory,
        Subject::MemoryTrees,
        Subject::Measurement { name: "coverage.lines".to_owned() },
        Subject::Breakdown,
        Subject::ErrorDays,
        Subject::Failures,
        Subject::Sessions,
        Subject::FirstSessions,
        Subject::Interactions,
        Subject::Returns,
        Subject::Measurements { family: "coverage".to_owned() },
        Subject::Feedback,
        Subject::Scores,
    ];
    let questions = subjects.map(about);
    let together = wait(store.answers(&questions)).expect("answers");
    for (question, answer) in questions.iter().zip(&together) {
        assert_eq!(answer, &wait(store.answer(question)).expect("an answer"), "{question:?}");
    }
    let Evidence::Returns(returns) = &together[12].evidence else { panic!("{together:?}") };
    assert_eq!(returns.iter().map(|of| (of.week, of.users)).collect::<Vec<_>>(), [(0, 1), (1, 1), (0, 1)]);
    let Evidence::Feedback(feedback) = &together[14].evidence else { panic!("{together:?}") };
    assert_eq!(feedback.notes, 1);
}

#[test]
fn a_folder_without_a_spool_has_no_events_and_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = wait(Store::open(folder.path(), at(NOW))).expect("a store");
    assert_eq!(operations(&store, &about(below(1))).groups, BTreeMap::new());
    assert!(!folder.path().join("spool").exists());
}

#[test]
fn the_newest_events_come_with_the_columns_that_have_a_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = |_: &mut Event, o: &mut Operation| o.error = Some(ErrorDetail { category: "network".to_owned(), text: None });
    let events = [
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 7, plain),
        operation("2026-11-21T10:00:00.5Z", "search", Outcome::Failed, 9, failed),
    ];
    let store = spooled(folder.path(), &events);
    let rows = wait(store.newest(&about(below(1)), 1)).expect("rows");
    let row: BTreeMap<_, _> = rows[0].iter().cloned().collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(row["at"], "2026-11-21T10:00:00.500000Z");
    assert_eq!((row["error_category"].as_str(), row["duration_us"].as_str()), ("network", "9000"));
    assert!(!row.contains_key("backend"));
    assert_eq!(wait(store.activity(at("2026-11-21T00:00:00Z"))).expect("rows").len(), 1);
}

#[test]
fn groups_beyond_the_limit_are_counted_and_the_largest_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let user = |n: usize| operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, 1, |event, _| event.user = Some(format!("u-{n:04}")));
    // The last one is seen twice, so it is not among those that are left out.
    let events: Vec<_> = (0..GROUPS_MAX + 5).chain([GROUPS_MAX + 4]).map(user).collect();
    let store = spooled(folder.path(), &events);
    let mut question = about(below(1_000_000));
    question.for_each = Some(Dimension::User);
    let Groups { groups, folded } = operations(&store, &question);
    assert_eq!((groups.len(), folded), (GROUPS_MAX, 5));
    assert_eq!(groups[&Some(format!("u-{:04}", GROUPS_MAX + 4))][0].ok, 2);
}

/// The modes are never mixed: a complete fixed sample is no live evidence, and one that is void is nothing else.
#[test]
fn only_a_complete_fixed_sample_is_left_out() {
    let announced = |when: &str, sample: &str, size: u64, backend: Option<&str>| {
        let mut note = Note::new(Topic::Sample);
        (note.sample, note.operation, note.size) = (Some(sample.to_owned()), Some("search".to_owned()), Some(size));
        note.backend = backend.map(str::to_owned);
        Event::at(at(when), note)
    };
    let run = |second: u8, name: &str, outcome: Outcome, sample: &str| {
        operation(&format!("2026-11-20T10:00:{second:02}Z"), name, outcome, 100, |event, operation| {
            event.origin = Some(Origin::Probe);
            operation.sample = Some(sample.to_owned());
        })
    };
    let (first, late) = ("2026-11-20T10:00:00Z", "2026-11-20T10:00:30Z");
    let (ok, failed) = (Outcome::Ok, Outcome::Failed);
    let cases: [(&str, Vec<Event>, usize); 10] = [
        ("complete", vec![announced(first, "s", 2, None), run(1, "search", ok, "s"), run(2, "search", failed, "s")], 0),
        ("beside live ones", vec![announced(first, "s", 1, None), run(1, "search", ok, "s"), run(2, "search", ok, "t")], 1),
        (
            "a cancelled one goes with it",
            vec![announced(first, "s", 1, None), run(1, "search", ok, "s"), run(2, "search", Outcome::Cancelled, "s")],
            0,
        ),
        ("stopped early", vec![announced(first, "s", 3, None), run(1, "search", ok, "s"), run(2, "search", ok, "s")], 2),
        ("extended", vec![announced(first, "s", 1, None), run(1, "search", ok, "s"), run(2, "search", ok, "s")], 2),
        ("never announced", vec![run(1, "search", ok, "s")], 1),
        ("announced after", vec![run(1, "search", ok, "s"), announced(late, "s", 1, None)], 1),
        ("announced twice", vec![announced(first, "s", 1, None), announced(first, "s", 2, None), run(1, "search", ok, "s")], 1),
        ("of another operation", vec![announced(first, "s", 1, None), run(1, "list", ok, "s")], 1),
        ("by another backend", vec![announced(first, "s", 1, Some("native")), run(1, "search", ok, "s")], 1),
    ];
    for (what, events, live) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let store = spooled(folder.path(), &events);
        let mut question = about(below(500_000));
        question.filter.insert(Dimension::Origin, ["probe".to_owned()].into());
        let answered = operations(&store, &question);
        let counted: u64 = answered.groups.values().flatten().map(|day| day.ok + day.failed + day.cancelled).sum();
        assert_eq!(counted, live as u64, "{what}");
        question.filter.clear();
        assert_eq!(operations(&store, &question), answered, "{what}, of all origins");
    }
}

#[test]
fn what_failed_comes_by_day_and_category_and_the_newest_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let failing = |category: &'static str, text: Option<&'static str>| {
        move |_: &mut Event, operation: &mut Operation| {
            operation.error = Some(ErrorDetail { category: category.to_owned(), text: text.map(str::to_owned) });
        }
    };
    let dry = |_: &mut Event, operation: &mut Operation| operation.dry_run = Some(true);
    let store = spooled(
        folder.path(),
        &[
            operation("2026-11-20T23:30:00Z", "search", Outcome::Failed, 0, failing("network", Some("no route"))),
            operation("2026-11-20T23:31:00Z", "find", Outcome::Timeout, 0, failing("network", None)),
            operation("2026-11-21T10:00:00Z", "search", Outcome::Failed, 0, plain),
            operation("2026-11-21T10:01:00Z", "search", Outcome::Cancelled, 0, failing("network", None)),
            operation("2026-11-21T10:02:00Z", "search", Outcome::Failed, 0, dry),
            operation("2026-11-21T10:03:00Z", "search", Outcome::Ok, 5, plain),
        ],
    );
    // Half an hour before midnight is the next day in Berlin.
    let question = Question { time_zone: "Europe/Berlin".to_owned(), ..about(Subject::ErrorDays) };
    let Evidence::ErrorDays(days) = ask(&store, &question) else { panic!("not days") };
    let days: Vec<_> = days.iter().map(|day| (day.date.to_string(), day.category.as_deref(), day.n)).collect();
    assert_eq!(days, [("2026-11-21".to_owned(), Some("network"), 2), ("2026-11-21".to_owned(), None, 1)]);

    let question = Question { aliases: [("find".to_owned(), "search".to_owned())].into(), ..about(Subject::Failures) };
    let Evidence::Failures(newest) = ask(&store, &question) else { panic!("not failures") };
    let newest: Vec<_> = newest.iter().map(|f| (f.operation.as_str(), f.timeout, f.category.as_deref(), f.text.as_deref())).collect();
    assert_eq!(
        newest,
        [("search", false, None, None), ("search", true, Some("network"), None), ("search", false, Some("network"), Some("no route")),]
    );
}

#[test]
fn the_newest_failures_are_found_however_far_back_they_lie() {
    for hours in [1, 2, 3, 40] {
        let folder = tempfile::tempdir().expect("a folder");
        let whens: Vec<_> = (1..=30).map(|n| at(NOW).saturating_sub(Duration::from_secs(n * hours * 3600))).collect();
        let failed = |when: &Timestamp| operation(&when.to_string(), "search", Outcome::Failed, 0, plain);
        let store = spooled(folder.path(), &whens.iter().map(failed).collect::<Vec<_>>());
        let Evidence::Failures(newest) = ask(&store, &about(Subject::Failures)) else { panic!("not failures") };
        let newest: Vec<_> = newest.iter().map(|failure| failure.at).collect();
        assert_eq!(newest, whens[..FAILURES_MAX], "one in {hours} hours");
    }
}

/// Other notes, notes without a score, and those before the period are not among them.
#[test]
fn scores_come_with_how_often_they_were_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let note = |when, topic, score| {
        let mut note = Note::new(topic);
        note.score = score;
        Event::at(at(when), note)
    };
    let feedback = |score| note("2026-11-10T10:00:00Z", Topic::Feedback, score);
    let mut events: Vec<_> = [Some(4.5), Some(2.0), Some(4.5), None, Some(3.0)].into_iter().map(feedback).collect();
    events.push(note("2026-11-10T10:00:00Z", Topic::Decision, Some(1.0)));
    events.push(note("2026-09-10T10:00:00Z", Topic::Feedback, Some(1.0)));
    let store = spooled(folder.path(), &events);
    assert_eq!(ask(&store, &about(Subject::Scores)), Evidence::Scores(vec![(4.5, 2), (2.0, 1), (3.0, 1)]));
}

/// Other engines delete rows by a deletion vector: a list of places in a file, which stays as it is.
#[test]
fn rows_that_another_engine_deleted_do_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let minute = |n: usize| format!("2026-11-20T10:{n:02}:00Z");
    let events: Vec<_> = (0..30).map(|n| operation(&minute(n), "search", Outcome::Ok, 100, plain)).collect();
    spooled(folder.path(), &events);
    wait(compact(folder.path(), at(NOW), &Upkeep::default())).expect("compacted");
    let log = folder.path().join("store/operations/_delta_log");
    let commit = |version: u64| log.join(format!("{version:020}.json"));
    let next = (0..).find(|version| !commit(*version).exists()).expect("a version");
    let actions = (0..next).flat_map(|version| {
        let lines = fs::read_to_string(commit(version)).expect("a commit");
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("an action")).collect::<Vec<_>>()
    });
    let mut add = actions.rev().find_map(|action| action.get("add").cloned()).expect("a file");
    let remove = json!({ "path": add["path"], "deletionTimestamp": 1_795_500_000_000_u64, "dataChange": true });
    // A bitmap of the rows 3, 4, 7, 11, 18 and 29, inline and in base 85, by the protocol of Delta Lake ("Deletion Vector Format").
    let deleted = [3, 4, 7, 11, 18, 29];
    add["deletionVector"] = json!({
        "storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 44, "cardinality": deleted.len()
    });
    let features = ["deletionVectors"];
    let protocol = json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features });
    let lines = [json!({ "protocol": protocol }), json!({ "remove": remove }), json!({ "add": add })].map(|action| format!("{action}\n"));
    fs::write(commit(next), lines.concat()).expect("written");

    let store = wait(Store::open(folder.path(), at(NOW))).expect("a store");
    let kept: Vec<_> = (0..30).rev().filter(|n| !deleted.contains(n)).map(|n| at(&minute(n))).collect();
    let question = about(below(200_000));
    let newest = wait(store.newest(&question, 100)).expect("rows");
    let time = |row: &Row| row.iter().find(|(column, _)| column == "at").map(|(_, at)| at.clone()).expect("a time");
    assert_eq!(newest.iter().map(|row| at(&time(row))).collect::<Vec<_>>(), kept);
    let questions = [question, about(Subject::Failures), about(Subject::Sessions)];
    let answers = wait(store.answers(&questions)).expect("answers");
    let Evidence::Operations(groups) = &answers[0].evidence else { panic!("operations") };
    let days = &groups.groups[&None];
    assert_eq!(days.iter().map(|day| day.ok).sum::<u64>(), 24, "{days:?}");

    // What comes in then counts beside what is left.
    let spool = Spool::open(folder.path()).expect("a spool");
    spool.append(&operation("2026-11-20T11:00:00Z", "search", Outcome::Ok, 100, plain), Durability::Written).expect("appended");
    wait(compact(folder.path(), at(NOW), &Upkeep::default())).expect("compacted");
    let store = wait(Store::open(folder.path(), at(NOW))).expect("a store");
    assert_eq!(wait(store.newest(&about(below(200_000)), 100)).expect("rows").len(), 25);
}
