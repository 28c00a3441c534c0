//! What faults leave: a damaged Delta log, an event of a clock that was ahead, a damaged file on another disk than the data folder.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Durability, Event, Operation, Outcome, Spool, Timestamp};
use milepost_store::{Compacted, Selection, Store, StoreError, Upkeep, check, compact, erase, lay, repair};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

const NOW: &str = "2026-11-25T12:00:00Z";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    at(NOW)
}

fn operation(id: &str, when: Timestamp) -> Event {
    let mut event = Event::at(when, Operation::new("search", Outcome::Ok));
    event.id = Some(id.to_owned());
    event
}

fn spooled(data: &Path, event: &Event) {
    Spool::open(data).expect("a spool").append(event, Durability::Written).expect("appended");
}

fn compacted(data: &Path, when: Timestamp) -> Compacted {
    wait(compact(data, when, &Upkeep::default())).expect("compacted")
}

/// The ids of all events, as a reader sees them at a moment.
fn seen(data: &Path, when: Timestamp) -> Vec<String> {
    let mut ids = Vec::new();
    wait(async {
        let store = Store::open(data, when).await.expect("a store");
        let visit = |event: Event| -> Result<(), StoreError> {
            ids.push(event.id.unwrap_or_default());
            Ok(())
        };
        store.for_each_event(&Selection::default(), visit).await.expect("events");
    });
    ids.sort();
    ids
}

/// Names and contents of the files of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn flip(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, &bytes).expect("written");
    bytes
}

/// A store of so many compactions, of one operation each, and the log of its operations.
fn store_of(data: &Path, compactions: u64) -> (PathBuf, PathBuf) {
    for n in 0..compactions {
        spooled(data, &operation(&format!("o{n}"), now()));
        compacted(data, now());
    }
    (data.join("store/operations/_delta_log"), data.join("store/copies/operations"))
}

#[test]
fn each_damaged_file_of_a_log_is_named_and_a_copy_takes_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    // So many that the log has a checkpoint, and commits after it.
    let (log, copies) = store_of(data, 10);
    let (whole, events) = (files(&log), seen(data, now()));
    assert_eq!(files(&copies), whole, "each file of the log has a copy");
    let has = |part: &str| whole.iter().any(|(name, _)| name.contains(part));
    assert!(has(".checkpoint.parquet") && has("_last_checkpoint") && has("00000000000000000009.json"), "{whole:?}");
    assert_eq!(wait(check(data)).expect("checked"), []);
    for (name, _) in &whole {
        let path = log.join(name);
        let damaged = flip(&path);
        let found = wait(check(data)).expect("checked");
        assert!(found.len() == 1 && found[0].path == path && found[0].what.starts_with("its CRC32C is"), "{name}: {found:?}");
        let repaired = wait(repair(data)).expect("repaired");
        assert!(repaired.len() == 1 && repaired[0].path == path && repaired[0].repaired.is_some(), "{name}: {repaired:?}");
        assert_eq!(wait(check(data)).expect("checked"), [], "{name}");
        assert_eq!((files(&log), files(&copies)), (whole.clone(), whole.clone()), "{name}");
        let kept = fs::read(data.join("set-aside").join(format!("operations-_delta_log-{name}"))).expect("what was damaged is kept");
        assert_eq!(kept, damaged, "{name}");
    }
    let last = log.join("00000000000000000009.json");
    fs::remove_file(&last).expect("removed");
    let repaired = wait(repair(data)).expect("repaired");
    assert!(repaired.len() == 1 && repaired[0].path == last && repaired[0].what == "it is gone", "{repaired:?}");
    assert_eq!(files(&log), whole);
    assert_eq!(seen(data, now()), events);
    spooled(data, &operation("z", now()));
    assert_eq!(compacted(data, now()).events, 1);
    assert_eq!(files(&copies), files(&log));
}

#[test]
fn a_damaged_log_whose_copy_is_damaged_too_is_named_and_never_taken_for_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let (log, copies) = store_of(data, 2);
    let (path, copy) = (log.join("00000000000000000001.json"), copies.join("00000000000000000001.json"));
    let whole = fs::read(&path).expect("a file");
    // Still JSON, and of another length.
    fs::write(&path, [whole.as_slice(), b"\n"].concat()).expect("written");
    flip(&copy);
    for _ in 0..2 {
        let left = wait(repair(data)).expect("looked");
        assert!(left.iter().any(|finding| finding.path == path && finding.repaired.is_none()), "{left:?}");
        assert!(wait(check(data)).expect("checked").iter().any(|finding| finding.path == path));
    }
    // What somebody kept elsewhere, put back, is known for what was written.
    fs::write(&path, whole).expect("written");
    assert_eq!(wait(check(data)).expect("checked"), []);
    assert_eq!(seen(data, now()), ["o0", "o1"]);
}

#[test]
fn a_checkpoint_whose_copy_is_damaged_too_stays_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let (log, copies) = store_of(data, 9);
    let name = files(&log).into_iter().find(|(name, _)| name.ends_with(".checkpoint.parquet")).expect("a checkpoint").0;
    let damaged = flip(&log.join(&name));
    flip(&copies.join(&name));
    let left = wait(repair(data)).expect("looked");
    assert!(left.len() == 1 && left[0].path == log.join(&name) && left[0].repaired.is_none(), "{left:?}");
    assert_eq!(fs::read(log.join(&name)).expect("a file"), damaged);
}

#[test]
fn between_a_checkpoint_and_the_noting_of_its_digest_nothing_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let digests = data.join("store/digests.json");
    let (log, _) = store_of(data, 9);
    let last = || fs::read(log.join("_last_checkpoint")).expect("a file");
    let first = last();
    for n in 9..30 {
        let noted = fs::read(&digests).expect("a file");
        spooled(data, &operation(&format!("o{n}"), now()));
        compacted(data, now());
        if last() != first {
            let after = fs::read(&digests).expect("a file");
            fs::write(&digests, noted).expect("written");
            assert_eq!(wait(check(data)).expect("checked"), []);
            fs::write(&digests, after).expect("written");
            assert_eq!(wait(check(data)).expect("checked"), []);
            return;
        }
    }
    panic!("there is no second checkpoint");
}

#[test]
fn forgetting_leaves_of_the_copies_what_it_leaves_of_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut event = operation("theirs", now());
    event.user = Some("u-0123456789abcdef".to_owned());
    spooled(data, &event);
    let (log, copies) = store_of(data, 3);
    assert_eq!(files(&log).len(), 3);
    wait(lay(data, &["u-0123456789abcdef"], now())).expect("a tombstone");
    assert_eq!(wait(erase(data, now())).expect("erased").from_tables, 1);
    let left = files(&log);
    assert!(!left.iter().any(|(name, _)| name == "00000000000000000000.json"), "{left:?}");
    assert_eq!(files(&copies), left);
    assert_eq!(wait(check(data)).expect("checked"), []);
    assert_eq!(seen(data, now()), ["o0", "o1", "o2"]);
}

#[test]
fn an_event_of_a_clock_that_was_ahead_is_counted_once_its_time_has_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let waiting = || files(&data.join("set-aside")).into_iter().filter(|(name, _)| name.ends_with(".ahead")).collect::<Vec<_>>();
    let (tomorrow, later) = (now().saturating_add(DAY), now().saturating_add(DAY * 10));
    spooled(data, &operation("now", now()));
    spooled(data, &operation("tomorrow", tomorrow));
    spooled(data, &operation("later", later));
    assert_eq!(seen(data, now()), ["now"]);
    let done = compacted(data, now());
    assert_eq!((done.events, done.postponed, done.unreadable), (1, 2, 0));
    assert_eq!(seen(data, now()), ["now"]);
    assert_eq!(waiting().len(), 1);
    assert_eq!(compacted(data, now()), Compacted::default(), "what waits is looked at, and goes on waiting");

    let before = waiting();
    let done = compacted(data, tomorrow);
    assert_eq!((done.events, done.repeated), (1, 0));
    assert_eq!(seen(data, tomorrow), ["now", "tomorrow"]);
    // As after a crash between the spool that has it and the file that goes.
    for (name, bytes) in &before {
        fs::write(data.join("set-aside").join(name), bytes).expect("written");
    }
    let done = compacted(data, tomorrow);
    assert_eq!((done.events, done.repeated), (0, 1));
    assert_eq!(seen(data, tomorrow), ["now", "tomorrow"]);

    assert_eq!(compacted(data, later).events, 1);
    assert_eq!(seen(data, later), ["later", "now", "tomorrow"]);
    assert_eq!(waiting(), []);
    assert_eq!(compacted(data, later), Compacted::default());
}

#[test]
fn an_event_without_an_id_that_waits_counts_once_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let tomorrow = now().saturating_add(DAY);
    // Two that say the same are two events.
    for _ in 0..2 {
        spooled(data, &Event::at(tomorrow, Operation::new("search", Outcome::Ok)));
    }
    assert_eq!(compacted(data, now()).postponed, 2);
    assert_eq!(compacted(data, tomorrow).events, 2);
    assert_eq!(seen(data, tomorrow).len(), 2);
}

#[test]
fn a_damaged_file_is_kept_where_the_tables_lie_on_another_disk() {
    let (folder, other) = (tempfile::tempdir().expect("a folder"), Path::new("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|file| file.dev()).ok();
    if device(other).is_none_or(|there| Some(there) == device(folder.path())) {
        return;
    }
    let other = tempfile::tempdir_in(other).expect("a folder");
    let data = folder.path();
    symlink(other.path(), data.join("store")).expect("a link");
    store_of(data, 2);
    let file = files(&other.path().join("operations")).into_iter().find(|(name, _)| name.ends_with(".parquet")).expect("a file").0;
    let damaged = flip(&data.join("store/operations").join(&file));
    let repaired = wait(repair(data)).expect("repaired");
    assert!(repaired.len() == 1 && repaired[0].repaired.is_some(), "{repaired:?}");
    let kept = files(&data.join("set-aside"));
    assert!(
        kept.len() == 1 && kept[0].0.ends_with(&file) && kept[0].1 == damaged,
        "{:?}",
        kept.iter().map(|kept| &kept.0).collect::<Vec<_>>()
    );
    assert_eq!(wait(check(data)).expect("checked"), []);
    assert_eq!(seen(data, now()).len(), 1);
}
