//! The test vectors that every writer and reader of the format is held to.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Event, Kind};
use std::collections::BTreeSet;

fn lines(name: &str) -> Vec<String> {
    let path = format!("{}/../../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<_> = std::fs::read_to_string(path).expect("test vectors").lines().map(str::to_owned).collect();
    assert!(!lines.is_empty());
    lines
}

#[test]
fn valid_lines_are_read_and_written_back_to_the_letter() {
    let mut kinds = BTreeSet::new();
    for line in lines("valid.jsonl") {
        let event = Event::from_json(&line).unwrap_or_else(|error| panic!("{line}\n{error}"));
        assert_eq!(event.to_json().expect("a line"), line);
        kinds.insert(event.kind());
    }
    assert_eq!(kinds, Kind::ALL.iter().copied().collect(), "every kind has a vector");
}

#[test]
fn other_spellings_mean_the_same() {
    for line in lines("accepted.jsonl") {
        let pair: serde_json::Value = serde_json::from_str(&line).expect("a pair");
        let given = Event::from_json(&pair["given"].to_string()).unwrap_or_else(|error| panic!("{line}\n{error}"));
        let written = Event::from_json(&pair["written"].to_string()).expect("valid");
        assert_eq!(given, written);
        let back: serde_json::Value = serde_json::from_str(&given.to_json().expect("a line")).expect("JSON");
        assert_eq!(back, pair["written"]);
    }
}

#[test]
fn invalid_lines_are_refused_and_told_why() {
    for line in lines("invalid.jsonl") {
        let pair: serde_json::Value = serde_json::from_str(&line).expect("a pair");
        let (line, why) = (pair["line"].as_str().expect("a line"), pair["why"].as_str().expect("why"));
        let error = Event::from_json(line).expect_err(line).to_string();
        assert!(error.contains(why), "{line}\nsays: {error}\nnot:  {why}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
}
