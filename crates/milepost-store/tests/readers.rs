//! Others read the tables while we write them: DuckDB and pandas, as they come from the package index.

use milepost_record::{Durability, Event, Operation, Outcome, Spool, Timestamp};
use milepost_store::{Upkeep, compact};
use std::{
    env,
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
    std::fs::write(stop, "").expect("written");
    let output = reader.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let (looks, rows) = said.trim().split_once(' ').expect("two numbers");
    assert_eq!(rows, "750");
    assert!(looks.parse::<u64>().expect("a number") > 1, "it looked while we wrote");
}
