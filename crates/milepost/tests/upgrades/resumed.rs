//! What was killed at any of its steps over rewriting something is resumed by the next call, and is then as if it had not been killed.

use crate::{Place, read::NOW, text};
use milepost_record::{Event, Kind, Timestamp};
use milepost_store::{Selection, Store, StoreError, Upkeep, check, compact, repair};
use std::{collections::BTreeMap, fs, os::unix::process::ExitStatusExt, path::PathBuf};

const SIGABRT: i32 = 6;

impl Place {
    /// What was recorded, each event once, without what `milepost track` adds.
    pub(crate) fn held(&self) -> Vec<String> {
        let now: Timestamp = NOW.parse().expect("a time");
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let store = Store::open(&self.data(), now).await.expect("a store");
            let mut lines = Vec::new();
            let visit = |event: Event| -> Result<(), StoreError> {
                if ![Kind::Criterion, Kind::Verdict].contains(&event.kind()) {
                    lines.push(event.to_json().expect("a line"));
                }
                Ok(())
            };
            store.for_each_event(&Selection::default(), visit).await.expect("events");
            let judged = [Kind::Criterion, Kind::Verdict].map(|kind| store.inventory().events.get(&kind).copied().unwrap_or(0));
            let counted: u64 = store.inventory().events.values().sum();
            assert_eq!(counted - judged.iter().sum::<u64>(), lines.len() as u64);
            lines.sort();
            assert!(lines.windows(2).all(|two| two[0] != two[1]), "each event is there once");
            lines
        })
    }

    /// How many events of each kind are seen, without what `milepost track` adds.
    pub(crate) fn seen(&self) -> BTreeMap<Kind, u64> {
        let now: Timestamp = NOW.parse().expect("a time");
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let store = Store::open(&self.data(), now).await.expect("a store");
            let mut seen = store.inventory().events.clone();
            seen.retain(|kind, _| ![Kind::Criterion, Kind::Verdict].contains(kind));
            seen
        })
    }

    /// What `milepost track` does with the tables.
    pub(crate) fn compacted(&self) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            compact(&self.data(), NOW.parse().expect("a time"), &Upkeep::default()).await.expect("compacted");
            assert_eq!(check(&self.data()).await.expect("checked"), []);
        });
    }

    fn is_killed(&self, args: &[&str], point: &str) {
        let output = self.command(args).env("MILEPOST_CRASH_AT", point).output().expect("milepost runs");
        assert_eq!(output.status.signal(), Some(SIGABRT), "{args:?} passes `{point}`: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// Files of the spool and of the tables that nothing will need, by name.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.data().join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Calls of `track` on data that version 1 wrote: each goes on where the one before was killed, and is killed one step later itself.
fn tracking_is_resumed(name: &str, points: &[&str]) -> Place {
    let place = Place::copied(name);
    let (held, seen, set_aside) = (place.held(), place.seen(), place.names("set-aside"));
    for point in points {
        place.is_killed(&["track"], point);
        assert_eq!(place.seen(), seen, "after a kill at `{point}`");
    }
    place.compacted();
    assert_eq!(place.held(), held);
    assert_eq!(place.names("spool"), ["seal.lock", "sequence", "spool.json"]);
    assert_eq!(place.names("set-aside"), set_aside, "what is set aside once more is the same file");
    place
}

#[test]
fn sealing_taking_in_and_looking_after_tables_are_resumed() {
    let steps = ["numbered", "described", "sealed", "set aside", "removed", "merged", "looked after"];
    tracking_is_resumed("alone", &steps);
}

#[test]
fn tables_that_are_divided_by_day_become_undivided_whatever_ends_it() {
    let place = tracking_is_resumed("divided", &["undivided"]);
    let folders = |place: &Place| place.names("store/operations").iter().filter(|name| name.starts_with("day=")).count();
    assert!(folders(&place) > 0, "who reads the old version at this moment still can");
    place.ok(&["forget", "--user", "u-00000000000000a1", "--yes"], "");
    let left = place.held();
    assert!(!left.is_empty() && !left.iter().any(|line| line.contains("u-00000000000000a1")));
    let before = place.seen()[&Kind::Operation];
    place.ok(
        &["record"],
        "{\"v\":1,\"kind\":\"operation\",\"id\":\"x\",\"at\":\"2026-11-05T10:00:00Z\",\"operation\":\"x\",\"outcome\":\"ok\"}\n",
    );
    place.compacted();
    assert_eq!(place.seen()[&Kind::Operation], before + 1);
}

#[test]
fn a_divided_table_is_cleared_of_a_person_before_anything_else_was_done_to_it() {
    let place = Place::copied("divided");
    let hers = place.ok(&["export", "--user", "u-00000000000000a1"], "");
    assert!(hers.lines().count() > 15, "{hers}");
    let others: Vec<_> = place.held().into_iter().filter(|line| !hers.lines().any(|hers| hers == line)).collect();
    place.ok(&["forget", "--user", "u-00000000000000a1", "--yes"], "");
    assert_eq!(place.held(), others);
}

#[test]
fn a_repair_is_resumed() {
    let damaged = || {
        let place = Place::copied("alone");
        flip(&place, "spool", "jsonl");
        flip(&place, "store/measurements", "parquet");
        place
    };
    let whole = damaged();
    let repaired = whole.ok(&["doctor", "--repair"], "");
    assert_eq!(repaired.matches("Repaired").count(), 2, "{repaired}");
    let after = whole.held();
    let place = damaged();
    for point in ["copied", "moved", "left out"] {
        place.is_killed(&["doctor", "--repair"], point);
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        repair(&place.data()).await.expect("repaired");
        assert_eq!(check(&place.data()).await.expect("checked"), []);
    });
    assert_eq!(place.held(), after);
    assert_eq!(place.names("set-aside"), whole.names("set-aside"));
}

/// Flips a bit in the middle of the first file of a folder that ends so and is sealed, or is in a table.
pub(crate) fn flip(place: &Place, folder: &str, extension: &str) {
    let names = place.names(folder);
    let name =
        names.iter().find(|name| name.ends_with(extension) && !name.starts_with("shared") && !name.starts_with("own")).expect("a file");
    let path: PathBuf = place.data().join(folder).join(name);
    let mut bytes = fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("written");
}

#[test]
fn erasing_everything_is_resumed() {
    for point in ["cleared", "emptied"] {
        let place = Place::copied("alone");
        place.is_killed(&["forget", "--all", "--yes"], point);
        place.ok(&["forget", "--all", "--yes"], "");
        assert_eq!((place.exported(), place.data().join("identity.json").exists()), (Vec::new(), false), "{point}");
        place.ok(&["record", "session", "--session", "s"], "");
        assert_eq!(place.exported().len(), 1);
    }
}
