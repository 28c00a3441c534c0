//! Whatever bytes stand in the small files that the store reads back end in values, or in a sentence that says what is wrong, and with which.
//!
//! `tests/bad_input/TARGET/` has what was found.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test that cannot go on has failed")]

#[path = "../../../fuzz/shared/held.rs"]
mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;

use crate::{ParquetRows, Tombstones, a_panic_is_expected, digests::Digests, lake::Lake};
use held::{Counting, Target, files, hold};
use milepost_record::{Identity, Timestamp};
use std::{
    fs,
    io::Write,
    panic,
    path::{Path, PathBuf},
    sync::{LazyLock, Once},
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
    let forget = async || {
        let lake = Lake::find(data.path())?.expect("a store");
        Digests::read(&lake)?;
        let mut tombstones = Tombstones::read(data.path()).await?;
        tombstones.lay(identity.clone(), &["rose"], Timestamp::from_microseconds(1_795_554_780_000_000).expect("a time"));
        tombstones.publish(&lake).await?;
        Tombstones::read(data.path()).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(forget()) {
        Ok(tombstones) => assert!(tombstones.name("\"rose\"") && !tombstones.recognised().is_empty()),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains(name) && said.len() <= SAID_BYTES_MAX, "{name}: {said}");
            assert!(["restore it", "remove the file", "upgrade milepost"].iter().any(|what| said.contains(what)), "{said}");
        }
    }
}

/// A file of pandas, the same in each run.
static PARQUET: LazyLock<Vec<u8>> =
    LazyLock::new(|| fs::read(here().join("../../milepost/tests/import/pandas.parquet")).expect("a file of Parquet"));

/// How many rows are read: more are claimed by a flipped bit.
const ROWS: usize = 1000;

/// The rows of a file of somebody else, or a sentence.
fn parquet(bytes: &[u8]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        // As the program does. What each says takes longer than all that is tried.
        panic::set_hook(Box::new(move |info| {
            if !a_panic_is_expected() {
                before(info);
            }
        }));
    });
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    let read = ParquetRows::open(file).and_then(|rows| rows.take(ROWS).try_for_each(|row| row.map(drop)));
    if let Err(error) = read {
        let said = error.to_string();
        assert!(said.starts_with("this is no Parquet that can be read: ") && said.len() <= SAID_BYTES_MAX, "{said}");
    }
}

/// So many bytes of a file are tried by one input.
const STRETCH: usize = 16;

/// A file with each of some bytes changed, and cut there: the input says which.
fn damaged_parquet(bytes: &[u8]) {
    let [high, low] = bytes else { return };
    let begin = usize::from(u16::from_be_bytes([*high, *low])) * STRETCH;
    for place in (begin..PARQUET.len()).take(STRETCH) {
        // Another bit from place to place, so that each field meets each.
        for mask in [1 << (place % 8), 0xFF] {
            let mut changed = PARQUET.clone();
            changed[place] ^= mask;
            parquet(&changed);
        }
        parquet(&PARQUET[..place]);
    }
}

#[test]
fn whatever_became_of_a_file_of_parquet_it_is_read_or_named() {
    try_it("parquet", parquet, 64, vec![PARQUET.clone()]);
    let stretches = u16::try_from(PARQUET.len().div_ceil(STRETCH)).expect("a small file");
    try_it("damaged_parquet", damaged_parquet, 64, (0..stretches).map(|stretch| stretch.to_be_bytes().to_vec()).collect());
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
