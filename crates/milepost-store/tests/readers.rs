//! Others read the tables while we write them: DuckDB and pandas, as they come from the package index.

use milepost_record::{Durability, Event, Kind, Operation, Outcome, Scalar, Spool, Timestamp};
use milepost_store::{Selection, Store, Upkeep, compact};
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

#[test]
#[ignore = "needs Python with the packages of tests/readers/requirements.txt: `cargo xtask test` sets it up"]
fn duckdb_and_pandas_read_while_we_write() {
    let python = env::var_os("MILEPOST_PYTHON").expect("MILEPOST_PYTHON names a Python that has the packages");
    let folder = tempfile::tempdir().expect("a folder");
    let (data, stop) = (folder.path(), folder.path().join("stop"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let compacted = |round: u64| {
        let spool = Spool::open(data).expect("a spool");
        for n in 0..25 {
            let mut operation = Operation::new("search", Outcome::Ok);
            operation.duration_us = Some(n);
            let mut event = Event::at(Timestamp::now(), operation);
            event.id = Some(format!("{round}-{n}"));
            spool.append(&event, Durability::Written).expect("appended");
        }
        runtime.block_on(compact(data, Timestamp::now(), &Upkeep::default())).expect("compacted");
    };
    compacted(0);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read.py");
    let reader = Command::new(python)
        .arg(script)
        .args([data.join("store"), stop.clone()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a reader");
    // Past the point where files are merged and the log begins anew.
    (1..30).for_each(compacted);
    fs::write(stop, "").expect("written");
    let output = reader.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let (looks, rows) = said.trim().split_once(' ').expect("two numbers");
    assert_eq!(rows, "750");
    assert!(looks.parse::<u64>().expect("a number") > 1, "it looked while we wrote");
}

#[test]
#[ignore = "needs Python with the packages of tests/readers/requirements.txt: `cargo xtask test` sets it up"]
fn duckdb_and_pandas_read_an_export() {
    let python = env::var_os("MILEPOST_PYTHON").expect("MILEPOST_PYTHON names a Python that has the packages");
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let spool = Spool::open(folder.path()).expect("a spool");
    for n in 0..5 {
        let mut operation = Operation::new("search", Outcome::Ok);
        operation.duration_us = Some(n);
        // A day each, the newest first.
        let at = Timestamp::from_microseconds(1_790_000_000_000_000 - i64::try_from(n).expect("small") * 86_400_000_000);
        let mut event = Event::at(at.expect("a time"), operation);
        event.attributes.insert("n".to_owned(), Scalar::Text((4 - n).to_string()));
        spool.append(&event, Durability::Written).expect("appended");
        if n == 2 {
            runtime.block_on(compact(folder.path(), Timestamp::now(), &Upkeep::default())).expect("compacted");
        }
    }
    let path = folder.path().join("operations.parquet");
    let rows = runtime.block_on(async {
        let store = Store::open(folder.path(), Timestamp::now()).await.expect("a store");
        store.write_parquet(Kind::Operation, &Selection::default(), None, fs::File::create(&path).expect("a file")).await
    });
    assert_eq!(rows.expect("written"), 5);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/export.py");
    let output = Command::new(python).arg(script).arg(path).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "5 10 2026-09-21 14:13:20+00 4");
}
