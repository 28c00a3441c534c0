//! System calls that kill or fail, each in turn: of writers, `milepost record`, compaction, `milepost track` and readers.
//!
//! `strace` counts the calls of a run without faults, then strikes call N of a thread. Only what touches the data folder is struck:
//! what a program does with its libraries, its terminal and its threads is not about events.

use crate::{
    boundaries::{fresh, grown},
    place::{Ended, Place, run, under},
    plan::{Kind, Strike},
    tally::Row,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

/// Calls that change something, and those that only look.
const CHANGING: &[&str] = &[
    "write",
    "pwrite64",
    "writev",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "openat",
    "mkdir",
    "mkdirat",
    "ftruncate",
];
const LOOKING: &[&str] = &["read", "pread64", "flock", "statx", "getdents64"];

/// Names of calls, each with a number.
type Calls = Arc<BTreeSet<(String, u64)>>;

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Append,
    Recorder,
    Record,
    Compaction,
    Track,
    Status,
    Export,
}

impl Victim {
    const ALL: &[(Self, &'static str)] = &[
        (Self::Append, "a writer that appends"),
        (Self::Recorder, "a recorder"),
        (Self::Record, "milepost record"),
        (Self::Compaction, "compaction"),
        (Self::Track, "milepost track"),
        (Self::Status, "milepost status"),
        (Self::Export, "milepost export"),
    ];

    /// Whoever only looks has nothing that a kill could leave half done.
    fn only_looks(self) -> bool {
        matches!(self, Self::Status | Self::Export)
    }

    fn only_writes(self) -> bool {
        matches!(self, Self::Append | Self::Recorder | Self::Record)
    }

    fn before(self) -> Arc<Place> {
        if self.only_writes() { fresh() } else { grown() }
    }

    fn command(self, place: &Place) -> Command {
        match self {
            Self::Append => with(place.writer("v1", 0, 3), "MILEPOST_FAULTS_ON_DISK", "1"),
            Self::Recorder => place.writer("v2", 0, 3),
            Self::Record => {
                place.milepost(&["record", "operation", "--operation", "faults", "--outcome", "ok", "--id", "v3-0", "--on-disk"])
            }
            Self::Compaction => place.compaction(),
            Self::Track => place.milepost(&["track", "--all"]),
            Self::Status => place.milepost(&["status"]),
            Self::Export => place.milepost(&["export"]),
        }
    }

    /// Notes what it said.
    fn hear(self, place: &mut Place, ended: &Ended) {
        match self {
            Self::Append => place.hear("v1", &ended.stdout),
            Self::Recorder => place.hear("v2", &ended.stdout),
            Self::Record => {
                place.begun.insert("v3-0".to_owned());
                if ended.is_success() {
                    place.acknowledged.insert("v3-0".to_owned());
                }
            }
            _ => {}
        }
    }
}

fn with(mut command: Command, name: &str, value: &str) -> Command {
    command.env(name, value);
    command
}

/// What happens instead of the call.
const FAULTS: &[(&str, &str)] = &[("SIGKILL", "signal=KILL"), ("EIO", "error=EIO"), ("ENOSPC", "error=ENOSPC"), ("EROFS", "error=EROFS")];

fn is_apt(fault: &str, call: &str, victim: Victim) -> bool {
    match fault {
        "SIGKILL" => CHANGING.contains(&call),
        // By `write` threads wake each other too, in an order that is never the same, and what cannot be woken hangs. Writes of the
        // tables fail on full disks and by limits.
        _ if call == "write" && !victim.only_writes() => false,
        "EIO" => true,
        "ENOSPC" => CHANGING.contains(&call),
        _ => ["openat", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"].contains(&call),
    }
}

pub fn kinds(wanted: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("no call is struck, as `strace` is not here");
        return Vec::new();
    }
    // A row of the table for each victim and fault.
    let mut kinds = Vec::new();
    for (victim, who) in Victim::ALL {
        for (fault, inject) in FAULTS {
            let name: &'static str = Box::leak(format!("{fault} at a call of {who}").into_boxed_str());
            if !wanted(name) || (*fault == "SIGKILL" && victim.only_looks()) {
                continue;
            }
            let calls = struck_calls(*victim);
            let strikes = calls.iter().filter(|(call, _)| is_apt(fault, call, *victim)).map(|(call, n)| {
                let (victim, inject, call, n) = (*victim, *inject, call.clone(), *n);
                let what = format!("{call} {n}");
                let strike: Strike = Arc::new(move |_| strike(victim, inject, &call, n));
                (what, strike)
            });
            let strikes: Vec<_> = strikes.collect();
            let weight = u32::try_from(strikes.len() / 10 + 1).unwrap_or(1);
            let sample = usize::from(!victim.only_looks() || *fault == "EIO");
            kinds.push(Kind { name, sample, weight, is_a_list: true, strikes });
        }
    }
    kinds
}

fn trace(calls: &str, inject: Option<&str>, output: &str, command: &Command) -> Command {
    let trace = format!("trace={calls}");
    let mut words = vec!["strace", "-f", "-y", "-o", output, "-e", &trace];
    // With its filter, `strace` is much faster, and sends no signals.
    if !inject.is_some_and(|inject| inject.contains("signal")) {
        words.push("--seccomp-bpf");
    }
    if let Some(inject) = inject {
        words.extend(["-e", inject]);
    }
    under(&words, command)
}

/// The calls that touch the data folder, by their number among those of their name in their thread.
fn struck_calls(victim: Victim) -> Calls {
    static KNOWN: Mutex<Vec<(Victim, Calls)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().expect("no panic");
    if let Some((_, calls)) = known.iter().find(|(of, _)| *of == victim) {
        return Arc::clone(calls);
    }
    let place = victim.before().copy();
    let output = place.path("trace");
    let all = [CHANGING, LOOKING].concat().join(",");
    let ended = run(&mut trace(&all, None, &output.to_string_lossy(), &victim.command(&place)));
    assert!(ended.status.is_some(), "{victim:?} hangs without any fault");
    let text = fs::read_to_string(&output).expect("what strace saw");
    let data = place.data();
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if !call.chars().all(|c| c.is_ascii_alphanumeric()) {
            continue;
        }
        let n = counts.entry((thread, call)).or_default();
        *n += 1;
        if line.contains(&*data.to_string_lossy()) {
            calls.insert((call.to_owned(), *n));
        }
    }
    assert!(!calls.is_empty(), "{victim:?} touches its data: {}", ended.stderr);
    let calls = Arc::new(calls);
    known.push((victim, Arc::clone(&calls)));
    calls
}

fn strike(victim: Victim, inject: &str, call: &str, n: u64) -> Row {
    let mut row = Row::default();
    let mut place = victim.before().copy();
    let output = place.path("trace");
    let inject = format!("inject={call}:{inject}:when={n}");
    let ended = run(&mut trace(call, Some(&inject), &output.to_string_lossy(), &victim.command(&place)));
    victim.hear(&mut place, &ended);
    let text = fs::read_to_string(&output).unwrap_or_default();
    let data = place.data().to_string_lossy().into_owned();
    // Threads take turns: now and then call N is about something else, as a wake-up, and then it is no fault of the disk.
    let is_hit = text.contains("killed by SIGKILL") || text.lines().any(|line| line.contains("(INJECTED)") && line.contains(&data));
    if is_hit {
        row.faults = 1;
        ended.judge(&mut row);
    } else if ended.status.is_none() {
        row.hangs += 1;
    }
    place.settle(&mut row);
    row
}
