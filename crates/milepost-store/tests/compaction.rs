//! From the spool to the tables: every event once, whatever happens on the way.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{
    Dimension, Durability, Event, Evidence, Interaction, Kind, Measure, Measurement, Memory, Note, Operation, Origin, Outcome,
    ProcessMemory, Question, Scalar, Session, Span, Spool, Subject, Timestamp, Topic,
};
use milepost_store::{Compacted, QueryLimits, Selection, Store, StoreError, Upkeep, check, compact, repair};
use proptest::{collection::btree_map, prelude::*};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));
    RUNTIME.block_on(future)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const NOW: &str = "2026-11-25T12:00:00Z";

/// All events, as lines.
fn exported(data: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    wait(async {
        let store = Store::open(data, at(NOW)).await.expect("a store");
        let visit = |event: Event| -> Result<(), StoreError> {
            lines.push(event.to_json().expect("a line"));
            Ok(())
        };
        store.for_each_event(&Selection::default(), visit).await.expect("events");
    });
    lines.sort();
    lines
}

fn counted(data: &Path) -> BTreeMap<Kind, u64> {
    wait(Store::open(data, at(NOW))).expect("a store").inventory().events.clone()
}

fn compacted(data: &Path) -> Compacted {
    wait(compact(data, at(NOW), &Upkeep::default())).expect("compacted")
}

fn spooled(data: &Path, event: &Event) {
    Spool::open(data).expect("a spool").append(event, Durability::Written).expect("appended");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// An operation of this id that took so long.
fn operation(id: &str, when: &str, us: u64) -> Event {
    let mut operation = Operation::new("search", Outcome::Ok);
    operation.duration_us = Some(us);
    let mut event = Event::at(at(when), operation);
    (event.id, event.origin) = (Some(id.to_owned()), Some(Origin::Use));
    event
}

#[test]
fn every_vector_comes_out_of_the_tables_as_it_went_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/valid.jsonl");
    let spool = Spool::open(folder.path()).expect("a spool");
    let mut lines = Vec::new();
    for line in fs::read_to_string(vectors).expect("vectors").lines() {
        let mut event = Event::from_json(line).expect("an event");
        event.id = Some(format!("id-{}", lines.len()));
        spool.append(&event, Durability::Written).expect("appended");
        lines.push(event.to_json().expect("a line"));
    }
    lines.sort();
    assert_eq!(exported(folder.path()), lines, "from the spool");
    let before = counted(folder.path());
    let done = compacted(folder.path());
    assert_eq!((done.segments, done.events, done.repeated), (1, lines.len() as u64, 0));
    assert_eq!(exported(folder.path()), lines, "from the tables");
    assert_eq!(counted(folder.path()), before);
    assert_eq!(compacted(folder.path()), Compacted::default(), "there is nothing more to do");
    assert_eq!(names(&folder.path().join("spool")), ["seal.lock", "sequence", "spool.json"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Attributes keep their types, numbers their last digit, and texts every character.
    #[test]
    fn whatever_an_event_carries_comes_back(
        attributes in btree_map("\\PC{1,8}", prop_oneof![
            any::<bool>().prop_map(Scalar::Boolean),
            any::<i64>().prop_map(Scalar::Integer),
            any::<f64>().prop_filter("a fraction", |n| n.is_finite() && n.fract() != 0.0).prop_map(Scalar::Number),
            any::<String>().prop_map(Scalar::Text),
        ], 0..5),
        value in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        text in any::<String>(),
        us in 0..1_700_000_000_000_000_i64,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let when = Timestamp::from_microseconds(us).expect("a time");
        let mut measurement = Event::at(when, Measurement::new("coverage", value));
        measurement.attributes = attributes;
        let mut note = Note::new(Topic::Decision);
        note.text = Some(text);
        let note = Event::at(when, note);
        let spool = Spool::open(folder.path()).expect("a spool");
        let mut lines: Vec<_> = [measurement, note].iter().map(|event| {
            spool.append(event, Durability::Written).expect("appended");
            event.to_json().expect("a line")
        }).collect();
        lines.sort();
        compacted(folder.path());
        prop_assert_eq!(exported(folder.path()), lines);
    }
}

#[test]
fn what_comes_while_there_are_tables_is_counted_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    for round in 0..3 {
        for n in 0..10 {
            spooled(data, &operation(&format!("{round}-{n}"), "2026-11-24T10:00:00Z", 1));
            assert_eq!(counted(data)[&Kind::Operation], round * 10 + n + 1);
        }
        assert_eq!(compacted(data).events, 10);
        assert_eq!(counted(data)[&Kind::Operation], (round + 1) * 10);
    }
}

#[test]
fn who_looks_while_it_is_compacted_sees_all_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let (acknowledged, over) = (AtomicU64::new(0), AtomicBool::new(false));
    spooled(data, &operation("0", "2026-11-24T10:00:00Z", 1));
    compacted(data);
    acknowledged.store(1, Ordering::SeqCst);
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::SeqCst) {
                let before = acknowledged.load(Ordering::SeqCst);
                let seen = counted(data)[&Kind::Operation];
                // One may be acknowledged and not yet said to be.
                let after = acknowledged.load(Ordering::SeqCst) + 1;
                assert!((before..=after).contains(&seen), "{seen} of {before} to {after}");
                looks += 1;
            }
            looks
        });
        for n in 1..25 {
            spooled(data, &operation(&n.to_string(), "2026-11-24T10:00:00Z", 1));
            acknowledged.store(n + 1, Ordering::SeqCst);
            compacted(data);
        }
        over.store(true, Ordering::SeqCst);
        assert!(looks.join().expect("it saw all") > 0);
    });
}

#[test]
fn an_id_that_a_table_has_on_that_day_counts_no_second_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let event = operation("same", "2026-11-24T10:00:00Z", 1);
    spooled(data, &event);
    compacted(data);
    spooled(data, &event);
    spooled(data, &operation("other", "2026-11-24T10:00:00Z", 2));
    let store = wait(Store::open(data, at(NOW))).expect("a store");
    assert_eq!((store.inventory().events[&Kind::Operation], store.inventory().repeated), (2, 1), "while it is in the spool");
    let done = compacted(data);
    assert_eq!((done.events, done.repeated), (1, 1));
    assert_eq!(counted(data)[&Kind::Operation], 2, "and when it would be in the table");
}

#[test]
fn a_restored_spool_and_a_cloned_folder_lose_and_double_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, backup, clone) = (folder.path().join("data"), folder.path().join("backup"), folder.path().join("clone"));
    let when = "2026-11-24T10:00:00Z";
    spooled(&data, &operation("1", when, 1));
    copy(&data, &backup);
    spooled(&data, &operation("2", when, 2));
    compacted(&data);
    spooled(&data, &operation("3", when, 3));
    compacted(&data);
    copy(&data, &clone);
    let id = Spool::open(&data).expect("a spool").id().to_owned();

    // The spool of the backup over that of today: its segment gets a number that the store knows by another digest.
    fs::remove_dir_all(data.join("spool")).expect("removed");
    copy(&backup.join("spool"), &data.join("spool"));
    spooled(&data, &operation("4", when, 4));
    let ids = |data: &Path| {
        let id = |line: &String| Event::from_json(line).expect("an event").id.expect("an id");
        exported(data).iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&data), ["1", "2", "3", "4"]);
    Spool::open(&data).expect("a spool").seal().expect("sealed");
    assert_eq!(ids(&data), ["1", "2", "3", "4"], "sealed under a number that was given before");
    assert!(compacted(&data).renewed);
    assert_eq!(ids(&data), ["1", "2", "3", "4"]);
    assert_ne!(Spool::open(&data).expect("a spool").id(), id);

    // Two that were one go on, each for itself.
    spooled(&clone, &operation("5", when, 5));
    spooled(&data, &operation("6", when, 6));
    compacted(&clone);
    compacted(&data);
    assert_eq!(ids(&clone), ["1", "2", "3", "5"]);
    assert_eq!(ids(&data), ["1", "2", "3", "4", "6"]);
}

#[test]
fn a_line_that_is_no_event_is_kept_beside_the_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    spooled(folder.path(), &operation("1", "2026-11-24T10:00:00Z", 1));
    let shared = folder.path().join("spool/shared.jsonl");
    let mut text = fs::read(&shared).expect("a segment");
    text.extend_from_slice(b"\n{\"v\":1,\"kind\":\"opera\n");
    fs::write(&shared, text).expect("written");
    let done = compacted(folder.path());
    assert_eq!((done.events, done.unreadable), (1, 1));
    let [name] = &names(&folder.path().join("set-aside"))[..] else { panic!("one file") };
    let kept = fs::read_to_string(folder.path().join("set-aside").join(name)).expect("a file");
    assert!(kept.contains(r#""text":"{\"v\":1,\"kind\":\"opera""#), "{kept}");
}

#[test]
fn a_damaged_segment_stops_what_comes_after_it_and_is_still_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let spool = Spool::open(data).expect("a spool");
    for n in 1..=3 {
        spooled(data, &operation(&n.to_string(), "2026-11-24T10:00:00Z", n));
        spool.seal().expect("sealed");
    }
    let second = data.join("spool/00000000000000000002.jsonl");
    let text = fs::read_to_string(&second).expect("a segment").replace("search", "smarch");
    fs::write(&second, text).expect("written");
    let error = wait(compact(data, at(NOW), &Upkeep::default())).expect_err("damaged").to_string();
    assert!(error.contains("00000000000000000002.jsonl: its CRC32C is"), "{error}");
    assert_eq!(counted(data)[&Kind::Operation], 3);
    assert_eq!(
        names(&data.join("store")),
        ["compact.lock", "copies", "digests.json", "heads.json", "operations", "segments", "store.json"]
    );
}

#[test]
fn one_compacts_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    spooled(folder.path(), &operation("1", "2026-11-24T10:00:00Z", 1));
    compacted(folder.path());
    let lock = fs::File::open(folder.path().join("store/compact.lock")).expect("a lock");
    lock.lock().expect("locked");
    assert!(matches!(wait(compact(folder.path(), at(NOW), &Upkeep::default())), Err(StoreError::Busy)));
}

#[test]
fn days_outside_the_span_are_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    // A file a day in each table, as nothing is merged.
    let upkeep = Upkeep { taking_in_only: true, ..Upkeep::default() };
    let mut day_of: BTreeMap<String, u64> = BTreeMap::new();
    for day in 1..=16 {
        let when = at(&format!("2026-11-{day:02}T10:00:00.123456Z"));
        spooled(data, &operation(&day.to_string(), &when.to_string(), day));
        let mut scored = Note::new(Topic::Feedback);
        scored.score = Some(4.0);
        // Files of days on which nothing failed are not read by who asks for failures.
        let mut failed = Event::at(at(&format!("2026-11-{day:02}T12:00:00Z")), Operation::new("search", Outcome::Failed));
        (failed.id, failed.origin) = (Some(format!("failed {day}")), Some(Origin::Use));
        spooled(data, &failed);
        let mut others = [
            Event::at(when, Session::new()),
            Event::at(when, Interaction::new()),
            Event::at(when, Memory::new("r", 1_u64, Measure::Pss, true)),
            Event::at(when, Measurement::new("coverage.statements", 90.0)),
            Event::at(when, scored),
        ];
        for event in &mut others {
            (event.id, event.origin, event.user) = (Some(day.to_string()), Some(Origin::Use), Some("u-1".to_owned()));
            event.session = Some("s".to_owned());
            spooled(data, event);
        }
        wait(compact(data, at(NOW), &upkeep)).expect("compacted");
        let tables = names(&data.join("store")).into_iter().filter(|name| data.join("store").join(name).is_dir());
        let files = tables.flat_map(|table| names(&data.join("store").join(table)));
        for file in files.filter(|file| file.ends_with(".parquet")) {
            day_of.entry(file).or_insert(day);
        }
    }
    let store = wait(Store::open(data, at(NOW))).expect("a store");
    let span = |from, to| Span { from: at(from), to: at(to) };
    let question = |subject: Subject, span| Question {
        subject,
        span,
        // As every criterion that says nothing else: other origins may be fixed samples, which are looked for further back.
        filter: [(Dimension::Origin, ["use".to_owned()].into())].into(),
        for_each: None,
        aliases: BTreeMap::new(),
        time_zone: "Europe/Berlin".to_owned(),
    };
    let two_days = span("2026-11-10T00:00:00Z", "2026-11-11T23:00:00Z");
    let read = |subject: Subject| {
        let plan = wait(store.plan(&question(subject, two_days))).expect("a plan");
        let days: BTreeSet<u64> = day_of.iter().filter(|(file, _)| plan.contains(file.as_str())).map(|(_, day)| *day).collect();
        (days, plan)
    };
    let name = || "coverage.statements".to_owned();
    // All that a criterion or a report can ask about, but for who is new and who comes back: what is first is known by what was before.
    for subject in [
        Subject::Operations { limit: None },
        Subject::Breakdown,
        Subject::ErrorDays,
        Subject::Failures,
        Subject::Memory,
        Subject::Measurement { name: name() },
        Subject::Measurements { family: "coverage".to_owned() },
        Subject::Sessions,
        Subject::Interactions,
        Subject::Feedback,
        Subject::Scores,
    ] {
        let (days, plan) = read(subject.clone());
        assert_eq!(days, [10, 11].into(), "{subject:?}: {plan}");
    }
    for subject in [Subject::FirstSessions, Subject::Returns] {
        let (days, plan) = read(subject.clone());
        assert_eq!(days, (1..=11).collect(), "{subject:?}: {plan}");
    }

    // The statistics of files are cut to milliseconds: an event at the edge is in or out by its microsecond all the same.
    let n = |from, to| match wait(store.answer(&question(Subject::Operations { limit: None }, span(from, to)))).expect("an answer").evidence
    {
        Evidence::Operations(groups) => groups.groups.values().flatten().map(|day| day.ok + day.failed).sum::<u64>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(n("2026-11-10T10:00:00.123456Z", "2026-11-10T10:00:00.123457Z"), 1);
    assert_eq!(n("2026-11-10T10:00:00.123457Z", "2026-11-10T10:00:00.2Z"), 0);
    assert_eq!(n("2026-11-10T10:00:00.1Z", "2026-11-10T10:00:00.123456Z"), 0);
}

/// Some questions read several kinds at once: each may be in the tables, in the spool, or in both.
#[test]
fn questions_about_several_kinds_are_answered_wherever_each_kind_lies() {
    let person = |mut event: Event, id: &str| {
        (event.id, event.origin, event.user) = (Some(id.to_owned()), Some(Origin::Use), Some("u-1".to_owned()));
        event.session = Some("s-1".to_owned());
        event
    };
    let of = |kind: usize, when: &str, id: &str| match kind {
        0 => person(operation(id, when, 5), id),
        1 => person(Event::at(at(&when.replace("T10", "T09")), Session::new()), id),
        _ => person(Event::at(at(when), Interaction::new()), id),
    };
    // Where the kinds lie: 0 in the tables, 1 in the spool, 2 in both; each two of them in every way.
    for (first, second) in (0..3).flat_map(|first| (0..3).map(move |second| (first, second))) {
        let places = [first, second, (first + second) % 3];
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        for (kind, place) in places.iter().enumerate().filter(|(_, place)| **place != 1) {
            spooled(data, &of(kind, "2026-11-23T10:00:00Z", &format!("{kind}{place}a")));
        }
        compacted(data);
        for (kind, place) in places.iter().enumerate().filter(|(_, place)| **place != 0) {
            spooled(data, &of(kind, "2026-11-24T10:00:00Z", &format!("{kind}{place}b")));
        }
        let store = wait(Store::open(data, at(NOW))).expect("a store");
        let answer = |subject: Subject| {
            let question = Question {
                subject,
                span: Span { from: at("2026-11-01T00:00:00Z"), to: at(NOW) },
                filter: [(Dimension::Origin, ["use".to_owned()].into())].into(),
                for_each: None,
                aliases: BTreeMap::new(),
                time_zone: "UTC".to_owned(),
            };
            wait(store.answer(&question)).unwrap_or_else(|error| panic!("{places:?}: {error}")).evidence
        };
        let many = |place: usize| if place == 2 { 2 } else { 1 };
        assert!(matches!(answer(Subject::Sessions), Evidence::Sessions(sessions) if sessions.users == 1), "{places:?}");
        // Who used it before any start is not new.
        let is_new = usize::from(places[1] != 1 || places[0] == 1);
        assert!(matches!(answer(Subject::FirstSessions), Evidence::FirstSessions(first) if first.len() == is_new), "{places:?}");
        let Evidence::Returns(returns) = answer(Subject::Returns) else { panic!("{places:?}") };
        assert_eq!(returns.iter().map(|of| (of.week, of.users)).collect::<Vec<_>>(), [(0, 1)], "{places:?}");
        let Evidence::Interactions(understood) = answer(Subject::Interactions) else { panic!("{places:?}") };
        assert_eq!(understood.len(), many(places[2]), "{places:?}");
    }
}

#[test]
fn sixty_days_leave_few_files_and_a_short_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let upkeep = Upkeep { removed_kept: Some(Duration::ZERO), ..Upkeep::default() };
    let start = at("2026-09-01T00:00:00Z");
    let mut sizes = Vec::new();
    for day in 0..60 {
        // Twice a day, so that each day has files to merge.
        for half in 0..2 {
            for n in 0..50 {
                let mut event = operation(&format!("{day}-{half}-{n}"), NOW, n);
                event.at = start.saturating_add(Duration::from_secs(day * 86400 + half * 43200 + n * 60));
                spooled(data, &event);
            }
            wait(compact(data, at(NOW), &upkeep)).expect("compacted");
        }
        sizes.push(size(&data.join("store")));
    }
    assert_eq!(counted(data)[&Kind::Operation], 6000);
    let files = names(&data.join("store/operations")).iter().filter(|name| name.ends_with(".parquet")).count();
    assert!(files <= 6, "{files} files for 60 days");
    let log = names(&data.join("store/operations/_delta_log")).len();
    assert!(log <= 20, "{log} files of log");
    assert!(sizes[59] < sizes[29] * 5 / 2, "thirty days are {} bytes, and sixty {}", sizes[29], sizes[59]);
}

#[test]
fn what_is_damaged_is_found_set_aside_and_repaired_without_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut files: Vec<String> = Vec::new();
    for day in 1..=3 {
        spooled(data, &operation(&day.to_string(), &format!("2026-11-0{day}T10:00:00Z"), day));
        compacted(data);
        files.extend(
            names(&data.join("store/operations"))
                .into_iter()
                .filter(|name| name.ends_with(".parquet") && !files.contains(name))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(wait(check(data)).expect("checked"), []);
    let file = data.join("store/operations").join(&files[1]);
    let mut bytes = fs::read(&file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("written");
    // And a segment that was sealed, with a bit flipped in its second line.
    let spool = Spool::open(data).expect("a spool");
    spooled(data, &operation("4", "2026-11-04T10:00:00Z", 4));
    spooled(data, &operation("5", "2026-11-04T10:00:00Z", 5));
    spool.seal().expect("sealed");
    let segment = data.join("spool/00000000000000000004.jsonl");
    let text = fs::read_to_string(&segment).expect("a segment").replace(r#""id":"5""#, r#""id";"5""#);
    fs::write(&segment, text).expect("written");

    let found = wait(check(data)).expect("checked");
    assert_eq!(found.iter().map(|finding| &finding.path).collect::<Vec<_>>(), [&segment, &file], "{found:?}");
    assert!(found.iter().all(|finding| finding.what.starts_with("its CRC32C is") && finding.repaired.is_none()), "{found:?}");
    let repaired = wait(repair(data)).expect("repaired");
    assert!(repaired.len() == 2 && repaired.iter().all(|finding| finding.repaired.is_some()), "{repaired:?}");
    assert_eq!(wait(check(data)).expect("checked"), []);
    compacted(data);
    let ids: Vec<_> = exported(data).iter().map(|line| Event::from_json(line).expect("an event").id.expect("an id")).collect();
    assert_eq!(ids, ["1", "3", "4"], "the file that is damaged is lost, and no other");
    assert_eq!(names(&data.join("set-aside")).len(), 3, "both files as they were, and the line that is no event");
}

/// As many events as are read in several stretches.
fn long_text(ids: std::ops::Range<u32>) -> String {
    let line = |id: u32| {
        let mut event = operation(&format!("{id:06}"), "2026-11-04T10:00:00Z", u64::from(id));
        event.persona = Some("p".repeat(200));
        format!("\n{}\n", event.to_json().expect("a line"))
    };
    ids.map(line).collect()
}

#[test]
fn a_long_segment_is_taken_in_whole_and_each_event_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let spool = Spool::open(data).expect("a spool");
    let [begin, end, again] = [0..10_000, 10_000..20_000, 0..1].map(long_text);
    fs::write(spool.folder().join("shared.jsonl"), format!("{begin}no event\n{end}{again}")).expect("written");
    let before = exported(data);
    let inventory = wait(Store::open(data, at(NOW))).expect("a store").inventory().clone();
    assert_eq!((before.len(), inventory.repeated, inventory.unreadable), (20_000, 1, 1));
    assert!(inventory.first_unreadable[0].offset > 0, "{inventory:?}");
    let done = compacted(data);
    assert_eq!((done.segments, done.events, done.repeated, done.unreadable), (1, 20_000, 1, 1));
    assert_eq!(exported(data), before);
}

#[test]
fn what_comes_before_an_event_of_a_newer_milepost_is_taken_in_and_nothing_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let spool = Spool::open(data).expect("a spool");
    let newer = format!("{}{{\"v\":2}}\n", long_text(1..20_000));
    for text in [long_text(0..1), newer, long_text(20_000..20_001)] {
        fs::write(spool.folder().join("shared.jsonl"), text).expect("written");
        spool.seal().expect("sealed");
    }
    let stopped = wait(compact(data, at(NOW), &Upkeep::default())).expect_err("a newer event");
    assert!(matches!(stopped, StoreError::Newer(_)), "{stopped}");
    let left: Vec<_> = names(spool.folder()).into_iter().filter(|name| name.ends_with(".jsonl")).collect();
    assert_eq!(left, ["00000000000000000002.jsonl", "00000000000000000003.jsonl"]);
    for name in left {
        fs::rename(spool.folder().join(&name), data.join(name)).expect("moved away");
    }
    assert_eq!(counted(data)[&Kind::Operation], 1);
}

#[test]
fn a_column_that_old_files_lack_is_null_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    spooled(data, &operation("1", "2026-11-01T10:00:00Z", 1));
    compacted(data);
    // As a Milepost wrote it that knew neither backend nor sample.
    without(data, "operations", "backend, sample");
    assert_eq!(counted(data)[&Kind::Operation], 1);
    let mut event = operation("2", "2026-11-01T10:00:00Z", 2);
    if let milepost_record::Fact::Operation(operation) = &mut event.fact {
        operation.backend = Some("native".to_owned());
    }
    spooled(data, &event);
    let lines = exported(data);
    assert!(lines.len() == 2 && lines[1].contains(r#""backend":"native""#), "{lines:?}");
    compacted(data);
    assert_eq!(exported(data), lines);
}

/// Writes a table anew as an older Milepost would have, which did not know these columns.
fn without(data: &Path, table: &str, columns: &str) {
    let table = data.join("store").join(table);
    wait(async {
        let url = url::Url::from_directory_path(&table).expect("a URL");
        let old = deltalake_core::DeltaTableBuilder::from_url(url.clone()).expect("a table").load().await.expect("loaded");
        let engine = datafusion::prelude::SessionContext::new();
        engine.register_table("old", old.table_provider().await.expect("a provider")).expect("registered");
        let rows = engine.sql(&format!("SELECT * EXCEPT ({columns}) FROM old")).await.expect("a plan").collect().await.expect("rows");
        fs::remove_dir_all(&table).expect("removed");
        fs::create_dir(&table).expect("a folder");
        let new = deltalake_core::DeltaTableBuilder::from_url(url).expect("a table").build().expect("a handle");
        new.write(rows).with_partition_columns(["day"]).await.expect("written");
    });
}

#[test]
fn the_processes_of_a_reading_come_back_as_they_were_beside_readings_that_do_not_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let process = |pid: Option<u64>, parent, name: &str, bytes| ProcessMemory { name: name.to_owned(), bytes, pid, parent };
    let reading = |minute: u64, bytes: u64, complete, tree: Option<Vec<ProcessMemory>>| {
        let mut memory = Memory::new("r", bytes, Measure::Pss, complete);
        (memory.processes, memory.tree) = (Some(3), tree);
        let mut event = Event::at(at(&format!("2026-11-01T10:{minute:02}:00Z")), memory);
        (event.id, event.origin) = (Some(minute.to_string()), Some(Origin::Use));
        event
    };
    let tree = |server| {
        vec![
            process(Some(1), None, "nfh", 20),
            process(Some(2), Some(1), "llama \u{1f999} '\"", server),
            process(None, None, "(others)", 5),
        ]
    };
    spooled(data, &reading(0, 70, true, None));
    compacted(data);
    without(data, "memory", "tree");
    spooled(data, &reading(1, 125, true, Some(tree(100))));
    spooled(data, &reading(2, 900, false, None));
    let asked = || {
        let question = Question {
            subject: Subject::MemoryTrees,
            span: Span { from: at("2026-10-01T00:00:00Z"), to: at(NOW) },
            filter: [(Dimension::Origin, ["use".to_owned()].into())].into(),
            for_each: None,
            aliases: BTreeMap::new(),
            time_zone: "UTC".to_owned(),
        };
        let store = wait(Store::open(data, at(NOW))).expect("a store");
        let Evidence::MemoryTrees(found) = wait(store.answer(&question)).expect("an answer").evidence else { panic!("no trees") };
        found.into_iter().map(|of| (of.bytes, of.tree)).collect::<Vec<_>>()
    };
    // One that is not complete is neither.
    assert_eq!(asked(), [(125, Some(tree(100))), (125, Some(tree(100)))]);
    spooled(data, &reading(3, 60, true, Some(tree(35))));
    spooled(data, &reading(4, 61, true, None));
    let before = (asked(), exported(data));
    assert_eq!(before.0, [(125, Some(tree(100))), (61, None)]);
    assert_eq!(before.1.iter().filter(|line| line.contains(r#""parent":1"#)).count(), 2, "{:?}", before.1);
    compacted(data);
    assert_eq!((asked(), exported(data)), before);
    // What people can ask.
    let sql = "SELECT p['name'] AS name, max(p['bytes']) AS most FROM (SELECT unnest(tree) AS p FROM memory WHERE complete) GROUP BY 1 ORDER BY 2 DESC";
    let limits = QueryLimits { memory_bytes: 512_000_000, time: Duration::from_secs(60), rows: 10 };
    let rows = wait(wait(Store::open(data, at(NOW))).expect("a store").query(sql, &limits)).expect("rows").rows;
    assert_eq!(serde_json::json!(rows), serde_json::json!([["llama \u{1f999} '\"", 100], ["nfh", 20], ["(others)", 5]]));
}

#[test]
fn old_days_are_removed_where_that_is_wanted_and_never_what_was_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    for day in 1..=9 {
        spooled(data, &operation(&day.to_string(), &format!("2026-11-0{day}T10:00:00Z"), day));
        spooled(data, &Event::at(at(&format!("2026-11-0{day}T10:00:00Z")), Note::new(Topic::Decision)));
    }
    let upkeep = Upkeep { keep_from: Some("2026-11-07".parse().expect("a day")), removed_kept: Some(Duration::ZERO), ..Upkeep::default() };
    let done = wait(compact(data, at(NOW), &upkeep)).expect("compacted");
    assert_eq!((done.events, done.removed), (18, 6));
    assert_eq!(counted(data), [(Kind::Operation, 3), (Kind::Note, 9)].into());
    let ids: Vec<_> = exported(data).iter().filter_map(|line| Event::from_json(line).expect("an event").id).collect();
    assert_eq!(ids.iter().filter(|id| id.len() == 1).collect::<Vec<_>>(), ["7", "8", "9"]);
    assert_eq!(wait(compact(data, at(NOW), &upkeep)).expect("compacted"), Compacted::default());
}

fn size(path: &Path) -> u64 {
    if path.is_dir() { names(path).iter().map(|name| size(&path.join(name))).sum() } else { fs::metadata(path).expect("a file").len() }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(&from, &to).expect("copied") }
    }
}
