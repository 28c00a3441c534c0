//! Makes a store as version 1 had it before its tables were no longer divided into folders of days, of one as it was later.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use datafusion::prelude::SessionContext;
use deltalake_core::{
    DeltaTable, DeltaTableBuilder,
    kernel::{Transaction, transaction::CommitProperties},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use url::Url;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(&from, &to).expect("copied") }
    }
}

async fn table(folder: &Path) -> DeltaTable {
    let url = Url::from_directory_path(folder).expect("a URL");
    DeltaTableBuilder::from_url(url).expect("a table").load().await.expect("loaded")
}

#[test]
#[ignore = "writes the divided folder of version 1, which is never to change"]
fn make_divided() {
    let version_1 = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../milepost/tests/version_1"));
    let (from, to) = (version_1.join("alone/data"), version_1.join("divided/data"));
    let _ = fs::remove_dir_all(&to);
    copy(&from.join("spool"), &to.join("spool"));
    for table in ["operations", "segments"] {
        copy(&from.join("store").join(table), &to.join("store").join(table));
    }
    for file in ["identity.json", "store/store.json", "store/compact.lock"] {
        fs::copy(from.join(file), to.join(file)).expect("copied");
    }
    let spool: serde_json::Value = serde_json::from_slice(&fs::read(to.join("spool/spool.json")).expect("a file")).expect("JSON");
    let spool = spool["id"].as_str().expect("an id");
    let folder = to.join("store/operations");
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let old = table(&folder).await;
        let snapshot = old.snapshot().expect("a snapshot");
        let held = snapshot.transaction_version(old.log_store().as_ref(), spool).await.expect("a transaction").expect("held");
        let configuration: Vec<_> =
            snapshot.metadata().configuration().iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        let engine = SessionContext::new();
        engine.register_table("old", old.table_provider().await.expect("a provider")).expect("registered");
        // Two commits, and of one day a file of each.
        let mut commits = Vec::new();
        for half in ["at < TIMESTAMP '2026-11-05 10:10:00'", "at >= TIMESTAMP '2026-11-05 10:10:00'"] {
            let rows = engine.sql(&format!("SELECT * FROM old WHERE {half}")).await.expect("a plan").collect().await.expect("rows");
            commits.push(rows);
        }
        fs::remove_dir_all(&folder).expect("removed");
        fs::create_dir(&folder).expect("a folder");
        for (rows, sequence) in commits.into_iter().zip([1, held]) {
            let url = Url::from_directory_path(&folder).expect("a URL");
            let is_new = sequence == 1;
            let handle =
                if is_new { DeltaTableBuilder::from_url(url).expect("a table").build().expect("a handle") } else { table(&folder).await };
            let mut write = handle.write(rows);
            if is_new {
                write = write.with_configuration(configuration.clone()).with_table_name("operations").with_partition_columns(["day"]);
            }
            let transaction = Transaction::new(spool, sequence);
            write.with_commit_properties(CommitProperties::default().with_application_transaction(transaction)).await.expect("written");
        }
    });
}
