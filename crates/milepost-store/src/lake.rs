//! The lake: one Delta table for each kind of event, and one of the segments that were taken in, on the local disk.
//!
//! ```text
//! DATA/store/store.json        version of this layout
//! DATA/store/compact.lock      held by whoever writes the tables
//! DATA/store/digests.json      length and CRC32C of each data file
//! DATA/store/operations/       a Delta table, divided by day; others can read it as it is
//! ```
//!
//! What is written names the spool and the sequence number that it came from as Delta's application transaction, in the same
//! commit: so a table holds a segment whole or not at all, and says which ones it holds.

use crate::{StoreError, digests::files, tables::DAY, tables::PERSONAL};
use datafusion::{
    arrow::record_batch::RecordBatch,
    parquet::{basic::Compression, file::properties::WriterProperties},
    prelude::{SessionConfig, SessionContext},
};
use deltalake_core::{
    DeltaTable, DeltaTableBuilder, DeltaTableError,
    kernel::{Transaction, transaction::CommitProperties},
    operations::{optimize::OptimizeType, vacuum::VacuumMode, write::SchemaMode},
    protocol::{SaveMode, checkpoints},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// The version of the store's layout on disk.
const LAYOUT_VERSION: u32 = 1;
/// The table of the segments that were taken in.
pub(crate) const SEGMENTS: &str = "segments";
/// The table of whose turn it is; none where no machines share the tables.
pub(crate) const CLAIMS: &str = "claims";
/// How many files beyond one a day a table may have before they are merged.
const SMALL_FILES_MAX: usize = 4;
/// How long files stay that no version of the table needs any more: a reader may still be at them.
const REMOVED_KEPT: Duration = Duration::from_secs(6 * 60 * 60);
/// After how many commits a table writes its whole state down, so that a reader need not begin at the first.
const CHECKPOINT_INTERVAL: &str = "8";

#[derive(Serialize, Deserialize)]
struct Layout {
    version: u32,
}

/// The folder of the tables.
#[derive(Clone, Debug)]
pub(crate) struct Lake {
    folder: PathBuf,
    /// How long the tables that it makes keep what no version needs any more.
    removed_kept: Duration,
}

impl Lake {
    /// The lake of a data folder; none where nothing was compacted yet.
    pub(crate) fn find(data: &Path) -> Result<Option<Self>, StoreError> {
        let folder = data.join("store");
        let path = folder.join("store.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_symlink() && !folder.is_dir() => {
                let what = "this link leads to no folder, so the tables that are shared cannot be seen: is it mounted?".to_owned();
                return Err(StoreError::Layout { path: folder, what });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { action: "read", path, source }),
        };
        let layout: Layout = serde_json::from_str(&text).map_err(|error| StoreError::Layout {
            path: path.clone(),
            what: format!("this is no description of a store ({error}); restore it from a backup"),
        })?;
        if layout.version > LAYOUT_VERSION {
            let what = format!("the store has layout {}, and this Milepost knows {LAYOUT_VERSION}: use a newer Milepost", layout.version);
            return Err(StoreError::Layout { path, what });
        }
        Ok(Some(Self { folder, removed_kept: REMOVED_KEPT }))
    }

    /// The lake of a data folder, made where there is none, for whoever writes it: nobody else can until the lock is dropped.
    pub(crate) fn lock(data: &Path, removed_kept: Option<Duration>) -> Result<(Self, File), StoreError> {
        // Where a link leads nowhere, no folder is made in its place.
        Self::find(data)?;
        let folder = data.join("store");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
        let path = folder.join("compact.lock");
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let is_new = Self::find(data)?.is_none();
        let lake = Self { folder, removed_kept: removed_kept.unwrap_or(REMOVED_KEPT) };
        if is_new {
            lake.publish("store.json", &Layout { version: LAYOUT_VERSION })?;
        }
        Ok((lake, lock))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces a file of the lake's own at once.
    pub(crate) fn publish(&self, name: &str, content: &impl Serialize) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        let written = tempfile::NamedTempFile::new_in(&self.folder).and_then(|mut file| {
            serde_json::to_writer(&mut file, content)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(io::Error::from)
        });
        written.map_err(failed("write", &path))?;
        sync(&self.folder)
    }

    /// A table as it is at this moment; none where nothing was written to it yet.
    pub(crate) async fn open(&self, table: &str) -> Result<Option<DeltaTable>, StoreError> {
        if !self.folder.join(table).join("_delta_log").is_dir() {
            return Ok(None);
        }
        match self.handle(table)?.load().await {
            Ok(table) => Ok(Some(table)),
            // Whoever made it was killed before its first commit.
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => Ok(None),
            Err(source) => Err(StoreError::Table { table: table.to_owned(), source: Box::new(source) }),
        }
    }

    fn handle(&self, table: &str) -> Result<DeltaTableBuilder, StoreError> {
        let path = std::path::absolute(self.folder.join(table)).map_err(failed("find", &self.folder))?;
        let no_url = || StoreError::Layout { path: path.clone(), what: "this path cannot be written as a URL".to_owned() };
        let url = Url::from_directory_path(&path).map_err(|()| no_url())?;
        DeltaTableBuilder::from_url(url).map_err(in_table(table))
    }

    /// Appends rows that came from the segments of a spool up to `sequence`: all of them, or none. Columns that the table lacks
    /// are added to it.
    ///
    /// `table` has to be how the caller saw it when it asked which segments it holds: where somebody else wrote meanwhile, this
    /// fails.
    pub(crate) async fn append(
        &self,
        name: &str,
        table: Option<DeltaTable>,
        rows: Vec<RecordBatch>,
        spool: &str,
        sequence: u64,
    ) -> Result<DeltaTable, StoreError> {
        let sequence = i64::try_from(sequence).map_err(|_| StoreError::Shape("sequence"))?;
        let commit = CommitProperties::default().with_application_transaction(Transaction::new(spool, sequence)).with_max_retries(0);
        let table = match table {
            Some(table) => table.write(rows),
            None => {
                let schema = rows.first().map(RecordBatch::schema);
                let names = schema.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().clone()));
                let with_statistics: Vec<_> = names.filter(|name| !PERSONAL.contains(&name.as_str())).collect();
                let divided = schema.as_ref().is_some_and(|schema| schema.field_with_name(DAY).is_ok());
                let kept = format!("interval {} seconds", self.removed_kept.as_secs());
                let configuration = [
                    ("delta.checkpointInterval", CHECKPOINT_INTERVAL.to_owned()),
                    ("delta.logRetentionDuration", kept.clone()),
                    ("delta.deletedFileRetentionDuration", kept),
                    ("delta.dataSkippingStatsColumns", with_statistics.join(",")),
                ];
                let table = self.handle(name)?.build().map_err(in_table(name))?.write(rows);
                let table = table.with_configuration(configuration.map(|(key, value)| (key, Some(value)))).with_table_name(name);
                if divided { table.with_partition_columns([DAY]) } else { table }
            }
        };
        table
            .with_save_mode(SaveMode::Append)
            .with_schema_mode(SchemaMode::Merge)
            .with_writer_properties(compressed())
            .with_commit_properties(commit)
            .await
            .map_err(in_table(name))
    }

    /// Merges small files once there are many, and removes those that nothing needs any more.
    /// Whether there was anything to do.
    pub(crate) async fn tidy(&self, name: &str, table: DeltaTable) -> Result<bool, StoreError> {
        let files = table.snapshot().map_err(in_table(name))?.log_data().num_files();
        if files <= days(&table).map_err(in_table(name))?.len().max(1) + SMALL_FILES_MAX {
            return Ok(false);
        }
        let optimize = table.optimize().with_type(OptimizeType::Compact).with_writer_properties(compressed());
        let (table, _) = optimize.await.map_err(in_table(name))?;
        vacuum(name, table).await?;
        Ok(true)
    }

    /// Writes a day of a table anew, with these rows and no others. The commit tells the day, and nothing of the rows.
    pub(crate) async fn rewrite_day(&self, name: &str, table: DeltaTable, day: &str, rows: Vec<RecordBatch>) -> Result<(), StoreError> {
        let predicate = format!("{DAY} = DATE '{day}'");
        if rows.is_empty() {
            return table.delete().with_predicate(predicate).await.map(|_| ()).map_err(in_table(name));
        }
        let written = table.write(rows).with_save_mode(SaveMode::Overwrite).with_replace_where(predicate);
        let written = written.with_schema_mode(SchemaMode::Merge).with_writer_properties(compressed());
        written.await.map(|_| ()).map_err(in_table(name))
    }

    /// Leaves of a table its newest version and nothing else: neither files that no other version needs, nor what the log says of
    /// older versions, nor what a writer that was killed left. Who reads an older version at this moment is told that it is gone.
    pub(crate) async fn sweep(&self, name: &str) -> Result<(), StoreError> {
        let Some(table) = self.open(name).await? else { return Ok(()) };
        let current = table.snapshot().map_err(in_table(name))?.version();
        checkpoints::create_checkpoint(&table, None).await.map_err(in_table(name))?;
        let needed = files(name, &table)?;
        let (folder, log) = (self.folder.join(name), self.folder.join(name).join("_delta_log"));
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(failed("list", &folder))? {
                let path = entry.map_err(failed("list", &folder))?.path();
                let within = path.strip_prefix(&self.folder).unwrap_or(&path).to_string_lossy().into_owned();
                let is_old = if folder == log {
                    let version = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.get(..20)?.parse::<u64>().ok());
                    version.map_or(within.ends_with(".tmp"), |version| version < current)
                } else {
                    !needed.contains(&within)
                };
                if path.is_dir() {
                    folders.push(path);
                } else if is_old {
                    remove(&path)?;
                }
            }
            sync(&folder)?;
        }
        Ok(())
    }

    /// Removes whole days.
    pub(crate) async fn remove_days_before(&self, name: &str, table: DeltaTable, day: jiff::civil::Date) -> Result<u64, StoreError> {
        let before = days(&table).map_err(in_table(name))?;
        if before.iter().next().is_none_or(|first| *first >= day.to_string()) {
            return Ok(0);
        }
        let predicate = format!("{DAY} < DATE '{day}'");
        let (table, metrics) = table.delete().with_predicate(predicate).await.map_err(in_table(name))?;
        vacuum(name, table).await?;
        Ok(metrics.num_removed_files as u64)
    }
}

/// Removes the files that no version needs any more, for as long as the table keeps its versions.
async fn vacuum(name: &str, table: DeltaTable) -> Result<(), StoreError> {
    table.vacuum().with_mode(VacuumMode::Full).await.map(|_| ()).map_err(in_table(name))
}

/// The days that a table has files of, as `2026-11-24`; none for a table that is not divided by day.
pub(crate) fn days(table: &DeltaTable) -> Result<BTreeSet<String>, DeltaTableError> {
    let snapshot = table.snapshot()?;
    let of_path = |path: &str| path.split('/').find_map(|part| part.strip_prefix("day=").map(str::to_owned));
    Ok(snapshot.log_data().iter().filter_map(|file| of_path(&file.path())).collect())
}

/// How many rows a table has.
pub(crate) fn rows(table: &DeltaTable) -> Result<u64, DeltaTableError> {
    let snapshot = table.snapshot()?;
    Ok(snapshot.log_data().iter().filter_map(|file| file.num_records()).map(|n| n as u64).sum())
}

/// The last segment of a spool that a table holds; it holds those before it too.
pub(crate) async fn holds(name: &str, table: &DeltaTable, spool: &str) -> Result<Option<u64>, StoreError> {
    let snapshot = table.snapshot().map_err(in_table(name))?;
    let version = snapshot.transaction_version(table.log_store().as_ref(), spool).await.map_err(in_table(name))?;
    Ok(version.and_then(|version| u64::try_from(version).ok()))
}

/// Asks a table, by the name `lake`, on its own.
pub(crate) async fn select(table: &DeltaTable, sql: &str) -> Result<Vec<RecordBatch>, StoreError> {
    let engine = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    engine.register_table("lake", table.table_provider().await?)?;
    Ok(engine.sql(sql).await?.collect().await?)
}

/// Snappy, which costs a little disk: a file of a day is small, and making ready for Zstandard took longer than reading it.
fn compressed() -> WriterProperties {
    // So that a test can search the bytes of a file for what must not be in it. Compiled into builds with debug assertions only.
    #[cfg(debug_assertions)]
    if std::env::var_os("MILEPOST_PLAIN_FILES").is_some() {
        return WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false).build();
    }
    WriterProperties::builder().set_compression(Compression::SNAPPY).build()
}

pub(crate) fn in_table(table: &str) -> impl FnOnce(DeltaTableError) -> StoreError + '_ {
    move |source| StoreError::Table { table: table.to_owned(), source: Box::new(source) }
}

pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// Removes a file, unless it is gone already.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Puts a folder's list of files on the disk.
pub(crate) fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed("flush", folder))
}
