//! What version 1 wrote is read, tracked and added to, and each event counts once.

use crate::{Place, VERSION_1, resumed::flip};
use milepost::config::Config;
use milepost_judge::{Scorecard, judge, questions};
use milepost_record::{Event, Timestamp};
use milepost_store::Store;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// When it is judged: after all that was recorded.
pub(crate) const NOW: &str = "2026-12-01T12:00:00Z";

impl Place {
    /// Every event, as it is exported.
    pub(crate) fn exported(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.ok(&["export"], "").lines().map(str::to_owned).collect();
        let ids: BTreeSet<_> = lines.iter().filter_map(|line| Some((event(line).kind(), event(line).id?))).collect();
        assert_eq!(ids.len(), lines.iter().filter(|line| event(line).id.is_some()).count(), "each event is there once");
        lines.sort();
        lines
    }

    /// How many rows each view has.
    pub(crate) fn counted(&self) -> String {
        let views = ["operations", "sessions", "memory", "interactions", "labels", "measurements", "notes", "criteria", "verdicts"];
        let of = |view: &&str| {
            format!("SELECT '{view}' AS of, count(*) AS n, count(DISTINCT id) AS ids, sum(day - DATE '2026-01-01') AS days FROM {view}")
        };
        let sql = views.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ") + " ORDER BY 1";
        self.ok(&["query", "--format", "csv", &sql], "")
    }

    /// How it stands at a moment.
    pub(crate) fn judged(&self) -> Scorecard {
        let now: Timestamp = NOW.parse().expect("a time");
        let criteria = Config::load(&self.path("milepost.toml")).expect("a configuration").criteria;
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let store = Store::open(&self.data(), now).await.expect("a store");
            let mut answers = Vec::new();
            for questions in questions(&criteria, store.past(), now) {
                answers.push(store.answers(&questions).await.expect("answers"));
            }
            judge(&criteria, &answers, store.past(), now)
        })
    }
}

fn event(line: &str) -> Event {
    Event::from_json(line).expect("an event")
}

/// What a program says of a folder that version 1 wrote: of the tables, or of all.
fn answers(place: &Place, of_all: bool) -> BTreeMap<&'static str, String> {
    let scorecard = serde_json::to_string_pretty(&place.judged()).expect("JSON") + "\n";
    let mut answers = BTreeMap::from([
        ("events.jsonl", place.exported().join("\n") + "\n"),
        ("counts.csv", place.counted()),
        ("scorecard.json", scorecard),
    ]);
    if of_all {
        let doctor = place.ok(&["doctor"], "");
        // What is the same at any time and place: the width of a path decides where lines end.
        let kept = ["Events", "Unreadable", "Tokens", "Alerts", "OTLP", "Damaged", "Repeated"];
        let doctor = doctor.lines().filter(|line| kept.iter().any(|label| line.trim_start().trim_start_matches("! ").starts_with(label)));
        answers.extend([
            ("history.json", place.ok(&["history", "--format", "json"], "")),
            ("tokens.txt", place.ok(&["token", "list"], "")),
            ("doctor.txt", doctor.map(|line| format!("{line}\n")).collect()),
        ]);
    }
    answers
}

fn is_answered_as_before(name: &str, of_all: bool) {
    let place = Place::copied(name);
    let before = place.files();
    let folder = Path::new(VERSION_1).join(name).join("answers");
    for (file, now) in answers(&place, of_all) {
        let path = folder.join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(&path, now).expect("written");
        } else {
            let written = fs::read_to_string(&path).expect("answers");
            assert_eq!(now, written, "{}", path.display());
        }
    }
    assert!(place.files() == before, "who asks changes nothing");
}

#[test]
fn what_version_1_wrote_is_answered_as_version_1_did() {
    is_answered_as_before("alone", true);
}

#[test]
fn tables_that_are_divided_by_day_are_answered_as_version_1_did() {
    is_answered_as_before("divided", false);
}

/// Of a later build of version 1: logs have digests and copies, and events of a clock that was ahead wait.
#[test]
fn copies_of_logs_and_events_that_wait_are_used_as_they_were_meant() {
    let place = Place::copied("copied");
    let (before, seen) = (place.held(), place.seen());
    let path = Path::new(VERSION_1).join("copied/answers/events.jsonl");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.with_file_name("")).expect("a folder");
        fs::write(&path, before.join("\n") + "\n").expect("written");
    }
    assert_eq!(before.join("\n") + "\n", fs::read_to_string(&path).expect("answers"));
    flip(&place, "store/operations/_delta_log", "0.json");
    let repaired = place.ok(&["doctor", "--repair"], "");
    assert_eq!((repaired.matches("Repaired").count(), repaired.matches("no event is lost").count()), (1, 1), "{repaired}");
    assert_eq!(place.seen(), seen);
    let waiting = || place.names("set-aside").iter().filter(|name| name.ends_with(".ahead")).count();
    assert_eq!(waiting(), 1);
    place.compacted();
    let mut after = place.held();
    assert!(after.iter().any(|line| line.contains("\"session\":\"soon\"")));
    after.retain(|line| !line.contains("\"session\":\"soon\""));
    assert_eq!(after, before);
    let seen = place.seen();
    assert_eq!(waiting(), 1, "what is later goes on waiting");
    // As an earlier build leaves them, which knows no digests of logs.
    let path = place.data().join("store/digests.json");
    let mut digests: Value = serde_json::from_slice(&fs::read(&path).expect("digests")).expect("JSON");
    assert!(digests.as_object_mut().expect("an object").remove("log").is_some());
    fs::write(&path, digests.to_string()).expect("written");
    place.compacted();
    assert_eq!(place.seen(), seen);
}

#[test]
fn what_version_1_wrote_is_tracked_and_added_to() {
    let place = Place::copied("alone");
    fs::write(place.path("somebody-is-there"), "").expect("written");
    let held = place.held();
    // What lay in the spool, sealed and open, is taken in.
    let tracked = place.ok(&["track"], "");
    assert!(tracked.contains("Coverage"), "{tracked}");
    assert_eq!(place.held(), held, "after the first round");
    // What is judged after taking in waits in the segment that is open.
    let spool = place.names("spool");
    assert!(!spool.iter().any(|name| name.starts_with("0000") || name.starts_with("own")), "{spool:?}");
    assert!(!place.names("store/copies/operations").is_empty(), "logs have copies from now on");
    // Views see the same, but for what was judged.
    let counted = |counts: &str| {
        let of_given = counts.lines().filter(|line| !line.starts_with("criteria") && !line.starts_with("verdicts"));
        of_given.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = fs::read_to_string(Path::new(VERSION_1).join("alone/answers/counts.csv")).expect("answers");
    assert_eq!(counted(&place.counted()), counted(&before));
    // Who sends once more what is there adds nothing, and what is new counts.
    let new = "{\"v\":1,\"kind\":\"session\",\"id\":\"new\",\"at\":\"2026-11-20T10:00:00.000000Z\",\"session\":\"new\"}\n";
    let again: String = held.iter().filter(|line| event(line).id.is_some()).map(|line| format!("{line}\n")).collect();
    place.ok(&["record"], &format!("{again}{new}"));
    let of_all = |place: &Place| place.seen().values().sum::<u64>();
    assert_eq!(of_all(&place), held.len() as u64 + 1);
    place.compacted();
    assert_eq!(of_all(&place), held.len() as u64 + 1);
}
