//! Whatever is read as an event or as a file of the spool ends in a value, or in a sentence that says what is wrong.
//!
//! `bad_input/TARGET/` has what was found, and `bad_input/README.md` says why each is there. `cargo xtask bench fuzz` looks for more.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is tried for long tells what it tried, and where it hangs")]

#[path = "../../../fuzz/shared/held.rs"]
mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;
#[path = "bad_input/targets.rs"]
mod targets;

use held::{Counting, Target, files, hold};
use milepost_record::limits::LINE_BYTES_MAX;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[global_allocator]
static MEMORY: Counting = Counting;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A reader with the inputs that were found, and with others.
fn try_it(name: &'static str, holds: fn(&[u8]), bytes_each: usize, mut inputs: Vec<Vec<u8>>) {
    inputs.extend(files(&here().join("tests/bad_input").join(name)));
    hold(&Target { name, holds, bytes_each }, &inputs, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("found"));
}

/// Lines of every client: valid ones, ones that mean the same, and wrong ones.
fn lines() -> Vec<Vec<u8>> {
    let vectors = here().join("../../vectors");
    let read = |name: &str| std::fs::read_to_string(vectors.join(name)).expect("vectors");
    let mut lines: Vec<Vec<u8>> = read("valid.jsonl").lines().map(|line| line.as_bytes().to_vec()).collect();
    for (name, key) in [("accepted.jsonl", "given"), ("invalid.jsonl", "line")] {
        for line in read(name).lines() {
            let vector: Value = serde_json::from_str(line).expect("a vector");
            let given = vector.get(key).expect("a line");
            lines.push(given.as_str().map_or_else(|| given.to_string(), str::to_owned).into_bytes());
        }
    }
    lines
}

/// An event of which the limit of a line is reached only when it is written again.
fn grows() -> Vec<u8> {
    let head = r#"{"v":1,"kind":"criterion","at":"2026-11-20T10:00:00Z","name":"a","evidence_key":"b","definition":{"c":["#;
    let numbers = vec!["1e15"; (LINE_BYTES_MAX - head.len() - 8) / 5].join(",");
    format!("{head}{numbers}]}}}}").into_bytes()
}

#[test]
fn a_line_is_an_event_or_is_told_what_is_wrong() {
    let mut inputs = lines();
    inputs.push(grows());
    inputs.push(format!("{{\"{}\":1}}", "a".repeat(200_000)).into_bytes());
    inputs.push(format!("{{\"v\":1,\"kind\":\"{}\"}}", "\u{1F600}".repeat(50_000)).into_bytes());
    inputs.push(vec![b' '; 10_000_000]);
    try_it("event", targets::event, 256, inputs);
}

#[test]
fn a_segment_is_events_and_what_is_set_aside() {
    let mut inputs = vec![lines().join(&b'\n'), lines().join(&b"\n\n"[..]), vec![b'a'; 10_000_000], vec![b'\n'; 1_000_000]];
    inputs.push([grows(), b"\n".to_vec(), lines().concat()].concat());
    try_it("segment", targets::segment, 256, inputs);
}

#[test]
fn the_small_files_of_the_spool_are_used_or_named() {
    let mut inputs: Vec<Vec<u8>> = [
        "0{\"version\":1,\"id\":\"019a\"}",
        "11",
        "118446744073709551615",
        "2{\"version\":1,\"sequence\":1,\"bytes\":90,\"crc32c\":\"00000000\",\"sealed_at\":\"2026-11-20T10:00:00.000000Z\"}",
        "3{\"version\":1,\"host\":\"h-0123456789ab\",\"key\":\"0123\"}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    inputs.push([b"0".to_vec(), vec![b'1'; 1_000_000]].concat());
    inputs.push([b"1".to_vec(), vec![b'1'; 1_000_000]].concat());
    try_it("layout", targets::layout, 64, inputs);
}

#[test]
fn words_and_times_are_written_as_they_were_read() {
    let words = [
        "2026-11-24T21:13:00Z",
        "2026-11-24T22:13:00.1234567+01:00",
        "attributes.a",
        "operation",
        "ok",
        "pss",
        "exclude",
        "u-0123456789abcdef",
    ];
    try_it("words", targets::words, 64, words.iter().map(|word| word.as_bytes().to_vec()).collect());
}
