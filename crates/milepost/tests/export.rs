//! `milepost export`: of everybody or of one person, as JSON lines and as Parquet.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_store::ParquetRows;
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

struct Place(tempfile::TempDir);

impl Place {
    /// Two people, who are called by their names, and a label that one of them gave to what the other said.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.path("milepost.toml"), "[project]\nname = \"test\"\n").expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        for user in ["rose", "o'hara"] {
            place.ok(&["record", "operation", "--operation", "search", "--outcome", "ok", "--duration", "183ms", "--user", user]);
            place.ok(&["record", "interaction", "--id", &format!("of-{user}"), "--recognized", "install", "--user", user]);
        }
        place.ok(&["record", "label", "--of", "of-rose", "--correct", "remove", "--user", "o'hara"]);
        place.ok(&["record", "label", "--of", "of-nobody", "--correct", "remove"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.0.path()).env_clear().env("HOME", self.0.path()).output().expect("milepost runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn kinds(lines: &str) -> Vec<String> {
    let kind = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["kind"].as_str().expect("a kind").to_owned();
    lines.lines().map(kind).collect()
}

#[test]
fn what_is_of_a_person_is_found_by_name_and_by_pseudonym_before_and_after_compaction() {
    let place = Place::new();
    for compacted in [false, true] {
        if compacted {
            place.ok(&["track"]);
        }
        let by_name = place.ok(&["export", "--user", "rose"]);
        // The label is another's, and of what she said.
        assert_eq!(kinds(&by_name), ["operation", "interaction", "label"], "{by_name}");
        let first: Value = serde_json::from_str(by_name.lines().next().expect("a line")).expect("JSON");
        let pseudonym = first["user"].as_str().expect("a pseudonym");
        assert_eq!(place.ok(&["export", "--user", pseudonym]), by_name);
        assert_eq!(kinds(&place.ok(&["export", "--user", "o'hara"])), ["operation", "interaction", "label"]);
        assert_eq!(kinds(&place.ok(&["export", "--user", "rose", "--kind", "label"])), ["label"]);
    }
    let nobody = place.run(&["export", "--user", "u-0123456789abcdef"]);
    assert!(nobody.status.success() && nobody.stdout.is_empty());
    assert!(stderr(&nobody).contains("nothing here is of u-0123456789abcdef"), "{}", stderr(&nobody));
}

#[test]
fn an_export_is_a_file_of_its_owner_and_takes_no_part_of_one() {
    let place = Place::new();
    assert_eq!(place.ok(&["export", "--output", "events.jsonl"]), "");
    assert_eq!(fs::read_to_string(place.path("events.jsonl")).expect("a file"), place.ok(&["export"]));
    assert_eq!(fs::metadata(place.path("events.jsonl")).expect("a file").permissions().mode() & 0o777, 0o600);
    let nowhere = place.run(&["export", "--output", "no/such/folder/events.jsonl"]);
    assert_eq!(nowhere.status.code(), Some(4));
    assert!(stderr(&nowhere).contains("no/such/folder/events.jsonl"), "{}", stderr(&nowhere));
}

#[test]
fn parquet_has_a_file_for_each_kind_with_the_columns_of_its_view() {
    let place = Place::new();
    assert_eq!(place.run(&["export", "--format", "parquet"]).status.code(), Some(2));
    place.ok(&["export", "--format", "parquet", "--output", "tables"]);
    let mut names: Vec<_> = fs::read_dir(place.path("tables")).expect("a folder").map(|e| e.expect("a file").file_name()).collect();
    names.sort();
    assert_eq!(names, ["interactions.parquet", "labels.parquet", "operations.parquet"]);
    place.ok(&["export", "--format", "parquet", "--kind", "operation", "--user", "rose", "--output", "hers.parquet"]);
    let file = File::open(place.path("hers.parquet")).expect("a file");
    let rows = ParquetRows::open(file).expect("Parquet");
    assert_eq!(rows.nested(), ["attributes", "attribute_types"]);
    let columns = rows.columns().to_vec();
    let rows: Vec<_> = rows.collect::<Result<_, _>>().expect("rows");
    let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
    let value = |name: &str| row[columns.iter().position(|column| column == name).expect("a column")].clone();
    assert_eq!((value("operation"), value("duration_us"), value("backend")), ("search".into(), 183_000.into(), Value::Null));
    assert!(value("at").as_str().is_some_and(|at| at.ends_with('Z')), "{}", value("at"));
    // Of a kind that was asked for, no events are a table without rows.
    place.ok(&["export", "--format", "parquet", "--kind", "memory", "--output", "memory.parquet"]);
    assert_eq!(ParquetRows::open(File::open(place.path("memory.parquet")).expect("a file")).expect("Parquet").rows(), 0);
}
