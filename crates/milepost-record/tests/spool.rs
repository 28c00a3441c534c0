//! What the spool promises: nothing acknowledged is lost, and a torn record costs only itself.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{
    Durability, Event, Identity, Invalid, Operation, Outcome, Recorder, Scalar, Segment, Spool, SpoolError, SpoolState, Texts, Timestamp,
    limits,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn event(id: &str) -> Event {
    let mut event = Event::at("2026-11-24T21:13:00Z".parse().expect("a time"), Operation::new("search", Outcome::Ok));
    event.id = Some(id.to_owned());
    event
}

fn now() -> Timestamp {
    "2026-11-24T21:15:00Z".parse().expect("a time")
}

fn ids(spool: &Spool) -> (Vec<String>, usize) {
    let mut ids = Vec::new();
    let mut unreadable = 0;
    for segment in spool.segments().expect("segments") {
        for event in segment.events(now()) {
            match event {
                Ok(event) => ids.push(event.id.expect("an id")),
                Err(_) => unreadable += 1,
            }
        }
    }
    (ids, unreadable)
}

fn sealed(spool: &Spool) -> Vec<Segment> {
    spool.segments().expect("segments").into_iter().filter(|s| s.sequence().is_some()).collect()
}

#[test]
fn sealed_segments_come_first_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    for id in ["a", "b", "c"] {
        spool.append(&event(id), Durability::OnDisk).expect("appended");
        if id != "c" {
            assert_eq!(spool.seal().expect("sealed"), 1);
        }
    }
    assert_eq!(spool.seal().expect("sealed"), 1);
    assert_eq!(spool.seal().expect("sealed"), 0, "there is nothing left to seal");
    assert_eq!(ids(&spool), (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], 0));
    assert_eq!(sealed(&spool).iter().filter_map(Segment::sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(sealed(&spool).iter().all(|s| s.damage().expect("readable").is_none()));
}

#[test]
fn a_sequence_number_never_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    spool.append(&event("a"), Durability::Written).expect("appended");
    spool.seal().expect("sealed");
    // As after compaction: the segment and its manifest are gone.
    for name in ["00000000000000000001.jsonl", "00000000000000000001.json"] {
        fs::remove_file(spool.folder().join(name)).expect("removed");
    }
    spool.append(&event("b"), Durability::Written).expect("appended");
    spool.seal().expect("sealed");
    assert_eq!(sealed(&spool).iter().filter_map(Segment::sequence).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_segment_cut_at_any_byte_loses_its_torn_line_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let all = ["a", "b", "c"];
    for id in all {
        spool.append(&event(id), Durability::Written).expect("appended");
    }
    let path = spool.folder().join("shared.jsonl");
    let whole = fs::read(&path).expect("a segment");
    let record = whole.len() / all.len();
    assert_eq!(whole.len() % all.len(), 0, "records of one length, so that the arithmetic below holds");
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).expect("cut");
        // Whoever writes next ends the torn line.
        spool.append(&event("next"), Durability::Written).expect("appended");
        let mut left: Vec<String> = all.iter().take((cut + 1) / record).map(|id| (*id).to_owned()).collect();
        left.push("next".to_owned());
        // All of a record but its last line feed is a whole record, and only its first line feed is none at all.
        let torn = usize::from((cut % record) > 1 && (cut + 1) % record != 0);
        assert_eq!(ids(&spool), (left, torn), "cut at {cut} of {}", whole.len());
    }
}

#[test]
fn damage_to_a_sealed_segment_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    spool.append(&event("a"), Durability::Written).expect("appended");
    spool.seal().expect("sealed");
    let path = spool.folder().join("00000000000000000001.jsonl");
    let whole = fs::read(&path).expect("a segment");
    let damage = || sealed(&spool)[0].damage().expect("readable");

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, &flipped).expect("written");
    assert!(damage().expect("damage").contains("CRC32C"));
    fs::write(&path, &whole[..whole.len() - 1]).expect("written");
    assert!(damage().expect("damage").contains("bytes"));
    fs::write(&path, &whole).expect("written");
    assert_eq!(damage(), None);
    fs::remove_file(path.with_extension("json")).expect("removed");
    assert!(damage().expect("damage").contains("manifest"));
}

#[test]
fn a_line_beyond_the_limit_is_set_aside_and_the_next_one_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let path = spool.folder().join("shared.jsonl");
    fs::write(&path, format!("{}\n", "x".repeat(3 * limits::LINE_BYTES_MAX))).expect("written");
    spool.append(&event("a"), Durability::Written).expect("appended");
    assert_eq!(ids(&spool), (vec!["a".to_owned()], 1));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let mut long = event("a");
    long.user = Some("u".repeat(limits::NAME_BYTES_MAX + 1));
    let error = spool.append(&long, Durability::Written).expect_err("too long");
    assert!(matches!(error, SpoolError::Invalid(Invalid::TooLong { key: "user", .. })), "{error}");
    assert_eq!(ids(&spool), (vec![], 0));
}

#[test]
fn a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    Spool::open(folder.path()).expect("a spool");
    fs::write(folder.path().join("spool/spool.json"), r#"{"version":2,"id":"x"}"#).expect("written");
    let error = Spool::open(folder.path()).expect_err("newer").to_string();
    assert!(
        error.contains(concat!(
            "spool.json has version 2, and this Milepost (",
            env!("CARGO_PKG_VERSION"),
            ") reads version 1: upgrade milepost"
        )),
        "{error}"
    );
}

#[test]
fn all_that_is_stored_is_readable_by_its_owner_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let recorder = Recorder::open(&data).expect("a recorder");
    recorder.record(event("a")).expect("recorded");
    Spool::open(&data).expect("a spool").append(&event("b"), Durability::Written).expect("appended");
    drop(recorder);
    Spool::open(&data).expect("a spool").seal().expect("sealed");
    let mut files = 0;
    let mut visit = vec![data];
    while let Some(path) = visit.pop() {
        let mode = fs::metadata(&path).expect("metadata").permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            visit.extend(fs::read_dir(&path).expect("a folder").map(|e| e.expect("an entry").path()));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 6, "identity, spool, lock, sequence, segments and manifests");
}

fn recorded(data: &Path) -> Vec<Event> {
    let segments = Spool::open(data).expect("a spool").segments().expect("segments");
    segments.iter().flat_map(|s| s.events(Timestamp::now()).collect::<Vec<_>>()).map(|e| e.expect("an event")).collect()
}

#[test]
fn the_recorder_fills_in_what_it_knows_and_keeps_texts_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::open(folder.path()).expect("a recorder").with_version("1.3.0");
    assert_eq!(recorder.measure("search", || Ok::<_, ()>(1)), Ok(1));
    assert_eq!(recorder.measure("search", || Err::<(), _>(2)), Err(2));
    recorder.start("install").describe(|_, o| o.backend = Some("native".to_owned())).fail("network", Some("secret".to_owned()));
    drop(recorder.start("list"));
    let outcomes: Vec<_> = recorded(folder.path())
        .into_iter()
        .map(|event| {
            assert!(event.id.is_some() && event.host.is_some() && event.origin.is_some());
            assert_eq!(event.version.as_deref(), Some("1.3.0"));
            let milepost_record::Fact::Operation(operation) = event.fact else { panic!("an operation") };
            assert!(operation.duration_us.is_some());
            (operation.operation, operation.outcome, operation.backend, operation.error.map(|e| (e.category, e.text)))
        })
        .collect();
    let native = Some("native".to_owned());
    assert_eq!(outcomes[0], ("search".to_owned(), Outcome::Ok, None, None));
    assert_eq!(outcomes[1], ("search".to_owned(), Outcome::Failed, None, None));
    assert_eq!(outcomes[2], ("install".to_owned(), Outcome::Failed, native, Some(("network".to_owned(), None))));
    assert_eq!(outcomes[3], ("list".to_owned(), Outcome::Failed, None, None));

    let recorder = recorder.with_texts(Texts { error: true, ..Texts::default() });
    recorder.start("install").fail("network", Some("no route".to_owned()));
    let last = recorded(folder.path()).pop().expect("an event");
    assert!(last.to_json().expect("a line").contains(r#""error":{"category":"network","text":"no route"}"#));
}

/// More than one write takes, so that some of them begin a segment, and with some that are no events.
#[test]
fn many_events_are_recorded_at_once_and_each_is_told_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::open(folder.path()).expect("a recorder");
    let named = |n: u32| {
        let mut event = event(&format!("{n:05}"));
        event.user = Some(if n % 1000 == 7 { String::new() } else { "u".repeat(200) });
        event
    };
    let told = recorder.record_all((0..10_000).map(named)).expect("recorded");
    let wrong: Vec<_> = told.iter().enumerate().filter(|(_, told)| told.is_err()).map(|(n, _)| n % 1000).collect();
    assert_eq!((told.len(), wrong), (10_000, vec![7; 10]));
    assert_eq!(told[7], Err(Invalid::Empty { key: "user" }));
    let ids: Vec<_> = recorded(folder.path()).into_iter().map(|event| event.id.expect("an id")).collect();
    let expected: Vec<_> = (0..10_000).filter(|n| n % 1000 != 7).map(|n| format!("{n:05}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(recorder.record_all([]).expect("recorded"), []);

    // The same of those who write into the segment that is everybody's: the longest lines, of which five are more than one write takes.
    let (shared, mut events) = (tempfile::tempdir().expect("a folder"), Vec::new());
    for n in 0..12 {
        let mut long = event(&format!("{n:05}"));
        long.attributes.extend((0..if n == 7 { 17 } else { 14 }).map(|at| (format!("a{at}"), Scalar::Text("x".repeat(16_000)))));
        events.push(long);
    }
    let spool = Spool::open(shared.path()).expect("a spool");
    let told = spool.append_all(&events, Durability::Written).expect("appended");
    assert_eq!(told.iter().position(Result::is_err), Some(7), "{told:?}");
    let ids: Vec<_> = recorded(shared.path()).into_iter().map(|event| event.id.expect("an id")).collect();
    assert_eq!(ids, (0..12).filter(|n| *n != 7).map(|n| format!("{n:05}")).collect::<Vec<_>>());
    assert_eq!(Recorder::disabled().record_all([event("a")]).expect("taken"), [Ok(())]);
    fs::remove_dir_all(folder.path().join("spool")).expect("removed");
    recorder.seal().expect_err("it is gone");
    assert!(Recorder::open(folder.path()).is_ok_and(|new| new.record_all([event("a")]).is_ok_and(|told| told == [Ok(())])));
}

#[test]
fn a_recorder_survives_a_data_folder_that_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let recorder = Recorder::open(&data).expect("a recorder");
    fs::remove_dir_all(&data).expect("removed");
    assert_eq!(recorder.measure("search", || Ok::<_, ()>(1)), Ok(1), "the host goes on");
    assert_eq!(recorder.lost(), 1);
    assert!(recorder.record(event("a")).is_err());
}

#[test]
fn a_pseudonym_is_the_same_here_and_another_elsewhere() {
    let (here, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let identity = |data: &Path| Identity::open(data).expect("an identity");
    let rose = identity(here.path()).pseudonym("rose");
    assert_eq!(rose, identity(here.path()).pseudonym("rose"));
    assert_ne!(rose, identity(here.path()).pseudonym("maya"));
    assert_ne!(rose, identity(elsewhere.path()).pseudonym("rose"));
    assert_eq!((rose.len(), &rose[..2]), (18, "u-"));
    assert!(!format!("{:?}", identity(here.path())).contains("key"));
}

#[test]
fn whoever_looks_at_a_spool_from_outside_sees_each_event_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = || SpoolState::of(folder.path()).expect("a state");
    assert_eq!(state(), SpoolState::default());
    assert!(!folder.path().join("spool").exists());
    let spool = Spool::open(folder.path()).expect("a spool");
    let recorder = Recorder::open(folder.path()).expect("a recorder");
    let mut before = state();
    let mut changed = |what: &str| {
        let after = state();
        assert_ne!(before, after, "{what}");
        assert_eq!(after, state(), "{what}");
        before = after;
    };
    spool.append(&event("a"), Durability::Written).expect("appended");
    changed("a shared segment");
    recorder.record(event("b")).expect("recorded");
    changed("a segment of one recorder");
    spool.seal().expect("sealed");
    changed("sealed");
    spool.retire(1, &[]).expect("retired");
    changed("taken in");
}
