//! Whatever bytes stand in the small files that the store reads back end in values, or in a sentence that says what is wrong, and with which.
//!
//! `tests/bad_input/TARGET/` has what was found.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test that cannot go on has failed")]

#[path = "../../../fuzz/shared/held.rs"]
mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;

use crate::{Tombstones, digests::Digests, lake::Lake};
use held::{Counting, Target, files, hold};
use milepost_record::{Identity, Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[global_allocator]
static MEMORY: Counting = Counting;

/// More than any sentence about one file needs.
const SAID_BYTES_MAX: usize = 4096;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn try_it(name: &'static str, holds: fn(&[u8]), bytes_each: usize, mut inputs: Vec<Vec<u8>>) {
    inputs.extend(files(&here().join("bad_input").join(name)));
    hold(&Target { name, holds, bytes_each }, &inputs, &here().join("../../../target/tmp/found"));
}

/// The small files of the store, by the first byte: what cannot be used is named, with what to do; and whoever is forgotten then, is.
fn kept(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("store");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("store.json"), r#"{"version":1}"#).expect("written");
    let identity = Identity::open(data.path()).expect("an identity");
    let names = ["store.json", "forgotten.json", "digests.json"];
    let name = names.get(usize::from(*which) % names.len()).copied().unwrap_or_default();
    fs::write(folder.join(name), bytes).expect("written");
    let forget = || {
        let lake = Lake::find(data.path())?.expect("a store");
        Digests::read(&lake)?;
        let mut tombstones = Tombstones::read(data.path())?;
        tombstones.lay(identity.clone(), &["rose"], Timestamp::from_microseconds(1_795_554_780_000_000).expect("a time"));
        tombstones.publish(&lake)?;
        Tombstones::read(data.path())
    };
    match forget() {
        Ok(mut tombstones) => assert!(tombstones.name("\"rose\"") && !tombstones.recognised().is_empty()),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains(name) && said.len() <= SAID_BYTES_MAX, "{name}: {said}");
            assert!(["restore it", "remove the file", "upgrade milepost"].iter().any(|what| said.contains(what)), "{said}");
        }
    }
}

#[test]
fn the_small_files_of_the_store_are_used_or_named() {
    let tombstone = r#"{"key":"k","users":["a"],"until":"2026-11-20T10:00:00Z","revision":18446744073709551615,"sessions":["s"],"#;
    let mut inputs: Vec<Vec<u8>> = vec![
        br#"0{"version":1}"#.to_vec(),
        format!(r#"1{{"version":1,"people":[{tombstone}"interactions":[],"texts":[],"wrote":true}}]}}"#).into_bytes(),
        br#"2{"version":1,"files":{"operations/a.parquet":{"bytes":90,"crc32c":"00000000"}},"log":{}}"#.to_vec(),
    ];
    for which in 0..3 {
        inputs.push(format!("{which}{{\"version\":\"{}\"}}", "\u{1F600}".repeat(50_000)).into_bytes());
        inputs.push(format!("{which}{{\"version\":4294967295,\"people\":[],\"files\":{{}}}}").into_bytes());
    }
    try_it("kept", kept, 64, inputs);
}
