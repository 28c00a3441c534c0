//! Whatever bytes are taken for a database of SQLite, its rows come, or it is told what is wrong.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use super::{super::Failure, sqlite::Database};
use crate::bad_input::try_it;
use std::fs;

/// More than any sentence about one file needs.
const SAID_BYTES_MAX: usize = 4096;

fn said(failure: &Failure) {
    let said = failure.to_string();
    assert!(!said.is_empty() && said.len() <= SAID_BYTES_MAX, "{} bytes: {said}", said.len());
}

fn sqlite(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    fs::write(&path, bytes).expect("written");
    let read = || {
        let database = Database::open(&path)?;
        let asked = database.learning()?.unwrap_or_else(|| "SELECT * FROM runs".to_owned());
        database.tables()?;
        database.rows(
            &asked,
            |names| Ok(names.len()),
            |columns, _, row| {
                assert_eq!(row.len(), *columns);
                Ok(())
            },
        )
    };
    if let Err(failure) = read() {
        said(&failure);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is made beside it");
    assert!(fs::read(&path).expect("the same file") == bytes, "nothing is written into it");
}

#[test]
fn a_database_is_read_or_told_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        let database = rusqlite::Connection::open(&path).expect("a database");
        database.execute_batch(&format!("PRAGMA page_size = 512; {sql}")).expect("made");
        drop(database);
        fs::read(path).expect("a file")
    };
    let runs = "CREATE TABLE runs (at TEXT, operation TEXT, ms REAL, raw BLOB);
        CREATE INDEX by_operation ON runs (operation);
        INSERT INTO runs VALUES ('2026-11-20T10:00:00Z', 'search', 12.5, x'00ff'), (1795168802, 'install', NULL, zeroblob(2000));";
    let interactions = "CREATE TABLE interactions (timestamp TEXT, intent TEXT, query TEXT, success INTEGER);
        INSERT INTO interactions VALUES ('2026-11-20T10:00:00Z', 'install', 'install firefox', 1);";
    let long = format!("CREATE TABLE \"{}\" (a)", "\u{1F600}".repeat(1000));
    try_it("sqlite", sqlite, 1024, vec![made("runs", runs), made("learning", interactions), made("long", &long)]);
}
