//! Of each slot of a job, one machine has the claim.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Durability, Event, Operation, Outcome, Spool, Timestamp};
use milepost_store::{StoreError, Upkeep, check, claim, compact, shared};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Barrier, LazyLock},
    thread,
};
use tokio::runtime::{Builder, Runtime};

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));
    RUNTIME.block_on(future)
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().expect("a time")
}

/// The data folders of several machines that share their tables.
fn machines(folder: &Path, n: usize) -> Vec<PathBuf> {
    fs::create_dir(folder.join("tables")).expect("a folder");
    let machine = |index| {
        let data = folder.join(format!("machine-{index}"));
        fs::create_dir(&data).expect("a folder");
        symlink(folder.join("tables"), data.join("store")).expect("a link");
        data
    };
    (0..n).map(machine).collect()
}

/// Claims; where the tables are just being made, again.
fn claimed(data: &Path, job: &str, slot: u64, spool: &str) -> bool {
    loop {
        match wait(claim(data, job, slot, spool, now())) {
            Err(StoreError::Busy) => thread::yield_now(),
            done => return done.expect("an answer"),
        }
    }
}

#[test]
fn of_machines_that_claim_at_once_one_has_each_slot_of_each_job() {
    const SLOTS: u64 = 6;
    let folder = tempfile::tempdir().expect("a folder");
    let machines = machines(folder.path(), 4);
    let barrier = Arc::new(Barrier::new(machines.len()));
    let running: Vec<_> = machines
        .iter()
        .enumerate()
        .map(|(index, data)| {
            let (data, barrier, spool) = (data.clone(), barrier.clone(), format!("spool-{index}"));
            // Two machines are after one job, and two after another in the same table.
            let job = if index % 2 == 0 { "even" } else { "odd" };
            thread::spawn(move || {
                let mut own = Vec::new();
                for slot in 0..SLOTS {
                    barrier.wait();
                    if claimed(&data, job, slot, &spool) {
                        own.push((job, slot));
                    }
                    // What is claimed stays so.
                    assert_eq!(claimed(&data, job, slot, &spool), own.last() == Some(&(job, slot)));
                }
                own
            })
        })
        .collect();
    let mut own: Vec<_> = running.into_iter().flat_map(|machine| machine.join().expect("a machine")).collect();
    own.sort_unstable();
    let expected: Vec<_> = ["even", "odd"].into_iter().flat_map(|job| (0..SLOTS).map(move |slot| (job, slot))).collect();
    assert_eq!(own, expected);
}

#[test]
fn slots_go_on_whatever_a_clock_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let machines = machines(folder.path(), 1);
    for (spool, slot, is_ours, why) in [
        ("a", 100, true, "nobody had it"),
        ("b", 100, false, "a has it"),
        ("a", 100, true, "it is still its own"),
        ("b", 101, true, "another slot"),
        ("a", 100, false, "the clock of a is a little behind"),
        ("b", 100, true, "and so is its own"),
        ("a", 103, true, "the machine that had 102 may be gone"),
        ("c", 9000, true, "a clock that is wrong by a year"),
        ("a", 103, true, "holds nobody up"),
        ("b", 103, false, "but is not the end of turns"),
        ("'; --", 104, true, "a name is a name"),
        ("'; --", 104, true, "whatever it holds"),
    ] {
        assert_eq!(claimed(&machines[0], "job", slot, spool), is_ours, "{spool} {slot}: {why}");
    }
    assert!(claimed(&machines[0], "another job", 100, "b"));
}

#[test]
fn claims_are_looked_after_as_other_tables_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = &machines(folder.path(), 1)[0];
    let files = || {
        let files = fs::read_dir(data.join("store/claims")).expect("a folder").flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "parquet")).count()
    };
    for slot in 0..8 {
        assert!(claimed(data, "job", slot, "a"));
    }
    Spool::open(data).expect("a spool").append(&operation(), Durability::Written).expect("appended");
    let before = files();
    let taking_in_only = Upkeep { taking_in_only: true, ..Upkeep::default() };
    assert_eq!(wait(compact(data, now(), &taking_in_only)).expect("compacted").events, 1);
    assert_eq!(files(), before, "somebody else does that");
    wait(compact(data, now(), &Upkeep::default())).expect("compacted");
    assert_eq!(files(), before + 1, "merged into one; those before stay for a while");
    assert!(!claimed(data, "job", 7, "b"), "it is known whose it was");
    assert!(claimed(data, "job", 7, "a"));
    assert_eq!(wait(check(data)).expect("checked"), []);
}

#[test]
fn a_link_that_leads_nowhere_is_no_empty_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = &machines(folder.path(), 1)[0];
    Spool::open(data).expect("a spool").append(&operation(), Durability::Written).expect("appended");
    fs::remove_dir(folder.path().join("tables")).expect("removed");
    assert!(shared(data).is_some());
    let errors = [
        wait(claim(data, "job", 1, "a", now())).map(|_| ()),
        wait(compact(data, now(), &Upkeep::default())).map(|_| ()),
        wait(milepost_store::Store::open(data, now())).map(|_| ()),
    ];
    for error in errors {
        let error = error.expect_err("an error").to_string();
        assert!(error.contains("machine-0/store: this link leads to no folder"), "{error}");
    }
    assert!(!folder.path().join("tables").exists());
}

fn operation() -> Event {
    Event::at(now(), Operation::new("search", Outcome::Ok))
}
