//! Of each format, a file of version 2 is refused with one sentence, and nothing is changed.

use crate::{Place, text};
use serde_json::Value;
use std::{fs, path::Path};

/// The version of a file that is read: of `store.json` the second says that the tables are in a bucket.
fn read_up_to(path: &Path) -> u64 {
    if path.ends_with("store.json") { 2 } else { 1 }
}

/// Gives a file the version after those that are read, and a shape that nothing is known of but that.
fn newer(path: &Path) {
    let mut content: Value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
    assert_eq!(content["version"], 1, "{}", path.display());
    for (key, value) in content.as_object_mut().expect("an object") {
        *value = if key == "version" { (read_up_to(path) + 1).into() } else { Value::from(vec![Value::Null]) };
    }
    fs::write(path, content.to_string()).expect("written");
}

/// Refused by these commands, with exit code 4.
fn refused(place: &Place, file: &str, commands: &[&[&str]]) {
    let before = place.files();
    for args in commands {
        let output = place.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{file}, {args:?}: {}{said}", text(&output.stdout));
        let (reads, this) = (read_up_to(Path::new(file)), env!("CARGO_PKG_VERSION"));
        let sentence = format!(" has version {}, and this Milepost ({this}) reads version {reads}: upgrade milepost", reads + 1);
        assert!(said.contains(&format!("{file}{sentence}")), "{file}, {args:?}: {said}");
        assert!(place.files() == before, "{file}, {args:?}: something was changed");
    }
}

const STATUS: &[&str] = &["status"];
const TRACK: &[&str] = &["track"];
const QUERY: &[&str] = &["query", "SELECT 1"];
const EXPORT: &[&str] = &["export"];
const REPORT: &[&str] = &["report", "weekly"];
const RECORD: &[&str] = &["record", "session", "--session", "s"];
const FORGET: &[&str] = &["forget", "--user", "maya@example.org", "--yes"];
const FORGET_ALL: &[&str] = &["forget", "--all", "--yes"];
const REPAIR: &[&str] = &["doctor", "--repair"];
const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0", "--otlp-http", "off", "--otlp-grpc", "off"];
const TOKENS: &[&[&str]] = &[&["token", "list"], &["token", "add", "x", "--read"], &["token", "remove", "ci"]];
/// What writes beside the spool. All of them look at all files by one function first, so a few of them are tried with each file.
const WRITES: &[&[&str]] = &[TRACK, FORGET, FORGET_ALL, REPAIR, SERVE];

#[test]
fn what_is_newer_is_refused_and_left_as_it_is() {
    let place = Place::copied("alone");
    let spool = place.names("spool");
    let manifest = spool.iter().find(|name| name.starts_with("0000") && name.ends_with(".json")).expect("a sealed segment");
    let manifest = format!("spool/{manifest}");
    for (file, commands) in [
        ("spool/spool.json", &[&[STATUS, RECORD], WRITES].concat()[..]),
        (&manifest, &[EXPORT, TRACK, REPAIR]),
        ("identity.json", &[STATUS, RECORD, FORGET]),
        ("store/store.json", &[QUERY, REPORT, FORGET_ALL]),
        ("store/digests.json", &[TRACK, FORGET, REPAIR]),
        ("store/forgotten.json", &[STATUS, TRACK, SERVE]),
        ("forgotten.json", &[FORGET_ALL]),
        ("track.json", WRITES),
        ("alerts.json", &[FORGET]),
        ("otlp.json", &[SERVE, REPAIR]),
        ("tokens.json", &[TOKENS, &[SERVE, TRACK]].concat()),
    ] {
        let path = place.data().join(file);
        let written = fs::read(&path).expect("a file");
        newer(&path);
        refused(&place, file, commands);
        fs::write(&path, written).expect("written");
    }
    // Doors need nothing but the spool and the key.
    newer(&place.data().join("store/store.json"));
    place.ok(RECORD, "");
    // Whoever asks what is wrong is told of all at once.
    let place = Place::copied("alone");
    let all = ["identity.json", "store/digests.json", "alerts.json", "otlp.json", "tokens.json"];
    all.iter().for_each(|file| newer(&place.data().join(file)));
    let doctor = text(&place.run(&["doctor"]).stdout);
    assert!(all.iter().all(|file| doctor.contains(&format!("{file} has version 2, and this Milepost"))), "{doctor}");
}

#[test]
fn events_of_a_newer_format_wait_in_the_spool() {
    let place = Place::copied("alone");
    let path = place.data().join("spool/shared.jsonl");
    let written = fs::read_to_string(&path).expect("a segment");
    let newer = "{\"v\":2,\"kind\":\"thought\",\"id\":\"n\",\"at\":\"2026-11-05T10:00:00Z\",\"depth\":7}";
    fs::write(&path, format!("{written}\n{newer}\n")).expect("written");
    refused(&place, "spool/shared.jsonl", &[STATUS, TRACK, FORGET]);
    let doctor = text(&place.run(&["doctor"]).stdout);
    assert!(doctor.contains("shared.jsonl has version 2"), "{doctor}");
    place.ok(RECORD, "");
    assert!(fs::read_to_string(&path).expect("a segment").contains(newer));
    // One of which the time is yet to come.
    fs::write(&path, &written).expect("written");
    let waiting = "set-aside/s-1.1794500000000000.ahead";
    fs::write(place.data().join(waiting), format!("{newer}\n")).expect("written");
    refused(&place, waiting, &[TRACK, FORGET_ALL]);
    // Who hands one in is told, and it is kept beside.
    let output = place.pipe(&["record"], newer);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("it is version 2 of the format, and this Milepost reads version 1: upgrade milepost"), "{said}");
}

#[test]
fn tables_of_a_newer_delta_are_refused_and_left_as_they_are() {
    let place = Place::copied("alone");
    let log = place.data().join("store/operations/_delta_log");
    let versions = fs::read_dir(&log).expect("a log").filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        name.strip_suffix(".json").and_then(|version| version.parse::<u64>().ok())
    });
    let next = log.join(format!("{:020}.json", versions.max().expect("a version") + 1));
    fs::write(&next, "{\"protocol\":{\"minReaderVersion\":99,\"minWriterVersion\":99}}\n").expect("written");
    let before = place.files();
    for args in [STATUS, QUERY, EXPORT] {
        let output = place.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{args:?}: {}{said}", text(&output.stdout));
        assert!(said.contains("the table `operations` cannot be used") && said.contains("99"), "{args:?}: {said}");
        assert!(place.files() == before, "{args:?}");
    }
    assert_eq!(place.run(TRACK).status.code(), Some(4));
    let tables = |place: &Place| place.files().into_iter().filter(|(path, _)| path.starts_with(&log)).count();
    assert_eq!(tables(&place), before.keys().filter(|path| path.starts_with(&log)).count());
}

#[test]
fn a_configuration_of_a_newer_format_is_refused() {
    let place = Place::copied("alone");
    let path = place.path("milepost.toml");
    let written = fs::read_to_string(&path).expect("a configuration");
    fs::write(&path, written.replace("format = 1", "format = 2\nwhatever = [\"is there\"]")).expect("written");
    let before = place.files();
    for args in [STATUS, TRACK, RECORD] {
        let output = place.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(said.contains("this file is of format 2, and this Milepost") && said.contains("upgrade milepost"), "{said}");
        assert!(said.contains("milepost.toml:1:10"), "{said}");
    }
    assert!(place.files() == before);
}
