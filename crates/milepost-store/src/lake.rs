//! The lake: one Delta table for each kind of event, and one of the segments that were taken in, on the local disk or in a bucket.
//!
//! ```text
//! DATA/store/store.json        version of this layout, and the bucket where the tables are in one
//! DATA/store/compact.lock      held by whoever writes the tables
//! DATA/store/digests.json      length and CRC32C of each data file and each file of a log
//! DATA/store/copies/           the logs again: see `log.rs`
//! DATA/store/heads.json        what a reader has to know of each table: see `heads.rs`
//! DATA/store/operations/       a Delta table; others can read it as it is
//! ```
//!
//! Of tables in a bucket, DATA/store has `store.json`, the lock and rollups; the tables and what is one for all machines lie there.
//!
//! A table is not divided into folders of days: with a file a day, what a question costs would grow with every day, however few events
//! it has. Rows that came together lie together, so the smallest and largest day of files and row groups tell which to read.
//!
//! What is written names the spool and the sequence number that it came from as Delta's application transaction, in the same
//! commit: so a table holds a segment whole or not at all, and says which ones it holds.

use crate::{
    StoreError,
    bucket::{Bucket, BucketUrl, Seen},
    digests::files,
    heads::{Head, Heads},
    log,
    tables::{DAY, PERSONAL},
};
use bytes::Bytes;
use datafusion::{
    arrow::{array::AsArray, datatypes::Int64Type, record_batch::RecordBatch},
    parquet::{
        arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
        basic::{Compression, Encoding, ZstdLevel},
        file::properties::{WriterProperties, WriterPropertiesBuilder},
    },
    prelude::{SessionConfig, SessionContext},
};
use deltalake_core::{
    DeltaTable, DeltaTableBuilder, DeltaTableError,
    kernel::{Transaction, transaction::CommitProperties},
    operations::{optimize::OptimizeType, vacuum::VacuumMode, write::SchemaMode},
    protocol::{SaveMode, checkpoints},
};
use futures::TryStreamExt;
use milepost_record::{Locked, crash_point, refuse_newer};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    num::NonZeroU64,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// The version of the store's layout: on the disk, and where its tables are in a bucket, which an older Milepost would not look for.
const LAYOUT_VERSION: u32 = 1;
const BUCKET_LAYOUT_VERSION: u32 = 2;
/// The file that says so.
const LAYOUT: &str = "store.json";
/// How often something is tried again because another machine wrote the same table meanwhile.
const ATTEMPTS_MAX: u32 = 100;
/// The table of the segments that were taken in.
pub(crate) const SEGMENTS: &str = "segments";
/// The table of whose turn it is; none where no machines share the tables.
pub(crate) const CLAIMS: &str = "claims";
/// How large files become by merging, in bytes, and how many files beyond one may be less than half as large before they are merged. In two
/// steps, so that an event is written anew a few times until its file is full, and not each time that another few files came.
const MERGED: [(NonZeroU64, usize); 2] = [(NonZeroU64::new(4 << 20).unwrap(), 4), (FILE_BYTES, 12)];
const FILE_BYTES: NonZeroU64 = NonZeroU64::new(64 << 20).unwrap();
/// How many rows of a file are skipped or read together.
const GROUP_ROWS: usize = 64 * 1024;
/// The columns of numbers of which hardly any is there twice: they are written as differences of a few bits each.
const NUMBERS: [&str; 5] = ["at", "duration_us", "cpu_us", "peak_bytes", "bytes"];
/// The column of which each value is there once. Written as what differs from the one before, and by Zstandard: few questions read it.
const ID: &str = "id";
/// How long files stay that no version of the table needs any more: a reader may still be at them.
const REMOVED_KEPT: Duration = Duration::from_secs(6 * 60 * 60);
/// The same in a bucket, and how long a log is kept there: no lock ends with a machine that sleeps between writing its files and their
/// commit, and what is removed meanwhile would not be missed by it.
const REMOVED_KEPT_IN_BUCKET: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const LOG_KEPT_IN_BUCKET: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// After how many commits a table writes its whole state down, so that a reader need not begin at the first.
const CHECKPOINT_INTERVAL: &str = "8";
/// The longest file of the lake's own, in bytes: digests of a million files, or tombstones of all who were ever forgotten.
pub(crate) const OWN_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Layout {
    version: u32,
    /// Where the tables are, unless they are in this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tables: Option<BucketUrl>,
}

/// The folder of the tables, and the bucket where they are in one.
#[derive(Clone, Debug)]
pub(crate) struct Lake {
    folder: PathBuf,
    bucket: Option<Bucket>,
    /// How long the tables that it makes keep what no version needs any more.
    removed_kept: Duration,
}

impl Lake {
    /// The lake of a data folder; none where nothing was compacted yet.
    pub(crate) fn find(data: &Path) -> Result<Option<Self>, StoreError> {
        let folder = data.join("store");
        let path = folder.join(LAYOUT);
        let Some(Layout { tables, .. }) = read_own(&path, BUCKET_LAYOUT_VERSION, no_layout)? else {
            if folder.is_symlink() && !folder.is_dir() {
                let what = "this link leads to no folder, so the tables that are shared cannot be seen: is it mounted?".to_owned();
                return Err(StoreError::Layout { path: folder, what });
            }
            return Ok(None);
        };
        let bucket = tables.as_ref().map(Bucket::open).transpose()?;
        Ok(Some(Self { folder, bucket, removed_kept: REMOVED_KEPT }))
    }

    /// The lake of a data folder, made where there is none, for whoever writes it: nobody else can until the lock is dropped.
    pub(crate) fn lock(data: &Path, removed_kept: Option<Duration>) -> Result<(Self, Locked), StoreError> {
        let (folder, lock) = locked(data)?;
        let lake = match Self::find(data)? {
            Some(lake) => lake,
            None => {
                let lake = Self { folder, bucket: None, removed_kept: REMOVED_KEPT };
                lake.publish(LAYOUT, &Layout { version: LAYOUT_VERSION, tables: None })?;
                lake
            }
        };
        Ok((Self { removed_kept: removed_kept.unwrap_or(REMOVED_KEPT), ..lake }, lock))
    }

    /// The bucket of the tables, where they are in one: then this machine alone has its folder, and others write the tables too.
    pub(crate) const fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces a file of the lake's own at once.
    pub(crate) fn publish(&self, name: &str, content: &impl Serialize) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        let json = serde_json::to_vec(content).map_err(|error| failed("write", &path)(error.into()))?;
        if json.len() as u64 > OWN_BYTES_MAX {
            return Err(too_large(&path));
        }
        let written = tempfile::NamedTempFile::new_in(&self.folder).and_then(|mut file| {
            file.write_all(&json)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(io::Error::from)
        });
        written.map_err(failed("write", &path))?;
        sync(&self.folder)
    }

    /// What a file says that is one for all who write the tables, and what it takes to replace it.
    pub(crate) async fn read_common<T: DeserializeOwned>(
        &self,
        name: &str,
        version: u32,
        damaged: impl FnOnce(String) -> String,
    ) -> Result<(Option<T>, Option<Seen>), StoreError> {
        let Some(bucket) = &self.bucket else { return Ok((read_own(&self.folder.join(name), version, damaged)?, None)) };
        let Some(seen) = bucket.read(name).await? else { return Ok((None, None)) };
        let content = parsed(&PathBuf::from(format!("{}/{name}", bucket.url())), &seen.bytes, version, damaged)?;
        Ok((Some(content), Some(seen)))
    }

    /// Replaces a file that is one for all who write the tables, as it was seen; returns how it is seen then.
    ///
    /// # Errors
    /// Where somebody else replaced it meanwhile ([`StoreError::Busy`]), or it cannot be written.
    pub(crate) async fn publish_common(
        &self,
        name: &str,
        content: &impl Serialize,
        was: Option<&Seen>,
    ) -> Result<Option<Seen>, StoreError> {
        let Some(bucket) = &self.bucket else { return self.publish(name, content).map(|()| None) };
        let path = PathBuf::from(format!("{}/{name}", bucket.url()));
        let json = serde_json::to_vec(content).map_err(|error| failed("write", &path)(error.into()))?;
        if json.len() as u64 > OWN_BYTES_MAX {
            return Err(too_large(&path));
        }
        bucket.replace(name, json, was).await?.map(Some).ok_or(StoreError::Busy)
    }

    /// Does something with a table as it is, and again where another machine wrote it meanwhile.
    pub(crate) async fn undisturbed<T>(
        &self,
        name: &str,
        mut work: impl AsyncFnMut(Option<DeltaTable>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut attempts = 0;
        loop {
            let table = self.open(name).await?;
            let seen = table.as_ref().map(DeltaTable::version);
            let done = work(table).await;
            attempts += 1;
            let Err(error) = done else { return done };
            if attempts == ATTEMPTS_MAX || self.open(name).await?.as_ref().map(DeltaTable::version) == seen {
                return Err(error);
            }
        }
    }

    /// A table as it is at this moment; none where nothing was written to it yet.
    pub(crate) async fn open(&self, table: &str) -> Result<Option<DeltaTable>, StoreError> {
        if self.bucket.is_none() && !self.folder.join(table).join("_delta_log").is_dir() {
            return Ok(None);
        }
        match self.handle(table)?.load().await {
            Ok(table) => Ok(Some(table)),
            // Whoever made it was killed before its first commit.
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => Ok(None),
            Err(source) => Err(StoreError::Table { table: table.to_owned(), source: Box::new(source) }),
        }
    }

    /// A table as it was at a version.
    pub(crate) async fn open_at(&self, table: &str, version: u64) -> Result<DeltaTable, StoreError> {
        self.handle(table)?.with_version(version).load().await.map_err(in_table(table))
    }

    /// All rows of a table, as its files have them, in no particular order. None where it takes the engine to read them: a file is damaged,
    /// lacks a column that the table has, or rows of it do not count.
    pub(crate) fn rows(&self, name: &str, head: &Head) -> Option<Vec<RecordBatch>> {
        if self.bucket.is_some() {
            return None;
        }
        let mut batches = Vec::new();
        for file in head.files()? {
            let path = self.folder.join(name).join(file);
            // At once: page by page, it is three calls of the operating system for each column.
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(fs::read(path).ok()?)).ok()?;
            if !head.columns().iter().all(|column| reader.schema().column_with_name(column).is_some()) {
                return None;
            }
            batches.extend(reader.build().ok()?.collect::<Result<Vec<_>, _>>().ok()?);
        }
        Some(batches)
    }

    fn handle(&self, table: &str) -> Result<DeltaTableBuilder, StoreError> {
        if let Some(bucket) = &self.bucket {
            return bucket.table(table).map_err(in_table(table));
        }
        DeltaTableBuilder::from_url(self.location(table)?).map_err(in_table(table))
    }

    /// Where a table is.
    pub(crate) fn location(&self, table: &str) -> Result<Url, StoreError> {
        if let Some(bucket) = &self.bucket {
            return bucket.location(table).map_err(in_table(table));
        }
        let path = std::path::absolute(self.folder.join(table)).map_err(failed("find", &self.folder))?;
        let no_url = || StoreError::Layout { path: path.clone(), what: "this path cannot be written as a URL".to_owned() };
        Url::from_directory_path(&path).map_err(|()| no_url())
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
                let kept = self.removed_kept;
                let (log, files) = if self.bucket.is_some() { (LOG_KEPT_IN_BUCKET, REMOVED_KEPT_IN_BUCKET) } else { (kept, kept) };
                let [log, files] = [log, files].map(|kept| format!("interval {} seconds", kept.as_secs()));
                let configuration = [
                    ("delta.checkpointInterval", CHECKPOINT_INTERVAL.to_owned()),
                    ("delta.logRetentionDuration", log),
                    ("delta.deletedFileRetentionDuration", files),
                    ("delta.dataSkippingStatsColumns", with_statistics.join(",")),
                ];
                let table = self.handle(name)?.build().map_err(in_table(name))?.write(rows);
                table.with_configuration(configuration.map(|(key, value)| (key, Some(value)))).with_table_name(name)
            }
        };
        table
            .with_save_mode(SaveMode::Append)
            .with_schema_mode(SchemaMode::Merge)
            .with_writer_properties(packed())
            .with_commit_properties(commit)
            .await
            .map_err(in_table(name))
    }

    pub(crate) const fn removed_kept(&self) -> Duration {
        self.removed_kept
    }

    /// Merges small files once there are many, and removes those that nothing needs any more.
    /// Whether there was anything to do.
    pub(crate) async fn tidy(&self, name: &str, table: DeltaTable) -> Result<bool, StoreError> {
        let (mut is_other, mut table) = self.undivided(name, table).await?;
        for (size, small_files_max) in MERGED {
            if small_files(&table, size).map_err(in_table(name))? > small_files_max {
                let optimize = table.optimize().with_type(OptimizeType::Compact).with_target_size(size).with_writer_properties(packed());
                (table, _) = optimize.await.map_err(in_table(name))?;
                crash_point("merged");
                vacuum(name, table.clone()).await?;
                is_other = true;
            }
        }
        Ok(is_other)
    }

    /// A table that an earlier Milepost divided by day becomes one that is not, in one commit; whether it was divided.
    async fn undivided(&self, name: &str, table: DeltaTable) -> Result<(bool, DeltaTable), StoreError> {
        if table.snapshot().map_err(in_table(name))?.metadata().partition_columns().is_empty() {
            return Ok((false, table));
        }
        let engine = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        engine.register_table("lake", table.table_provider().await?)?;
        let rows = engine.sql("SELECT * FROM lake").await?.into_unoptimized_plan();
        let written = table.write(Vec::<RecordBatch>::new()).with_input_plan(rows).with_save_mode(SaveMode::Overwrite);
        let written = written.with_schema_mode(SchemaMode::Overwrite).with_partition_columns(Vec::<String>::new());
        let written = written.with_target_file_size(Some(FILE_BYTES)).with_writer_properties(packed());
        let table = written.await.map_err(in_table(name))?;
        crash_point("undivided");
        vacuum(name, table.clone()).await?;
        Ok((true, table))
    }

    /// Writes some days of a table anew, with these rows and no others. The commit tells the first and the last day, and nothing of the
    /// rows.
    pub(crate) async fn rewrite_days(
        &self,
        name: &str,
        table: DeltaTable,
        (first, last): (&str, &str),
        rows: Vec<RecordBatch>,
    ) -> Result<(), StoreError> {
        let predicate = format!("{DAY} >= DATE '{first}' AND {DAY} <= DATE '{last}'");
        if rows.is_empty() {
            return table.delete().with_predicate(predicate).with_writer_properties(packed()).await.map(|_| ()).map_err(in_table(name));
        }
        let written = table.write(rows).with_save_mode(SaveMode::Overwrite).with_replace_where(predicate);
        let written = written.with_schema_mode(SchemaMode::Merge).with_writer_properties(packed());
        written.await.map(|_| ()).map_err(in_table(name))
    }

    /// Leaves of a table its newest version and nothing else: neither files that no other version needs, nor what the log says of
    /// older versions, nor what a writer that was killed left. Who reads an older version at this moment is told that it is gone.
    pub(crate) async fn sweep(&self, name: &str) -> Result<(), StoreError> {
        log::forget(self, name)?;
        Heads::forget(self, name)?;
        let Some(table) = self.open(name).await? else { return Ok(()) };
        if let Some(bucket) = &self.bucket {
            return sweep_bucket(bucket, name, &table).await;
        }
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

    /// Removes the rows of the days before one; returns how many they were.
    pub(crate) async fn remove_days_before(&self, name: &str, table: DeltaTable, day: jiff::civil::Date) -> Result<u64, StoreError> {
        let older = format!("{DAY} < DATE '{day}'");
        let before = select(&table, &format!("SELECT count(*) FROM lake WHERE {older}")).await?;
        let rows = before.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
        if rows > 0 {
            let (table, _) = table.delete().with_predicate(older).with_writer_properties(packed()).await.map_err(in_table(name))?;
            vacuum(name, table).await?;
        }
        Ok(u64::try_from(rows).unwrap_or(0))
    }
}

/// Makes the tables of a data folder those of a bucket, which other machines may write too. Where they are already, nothing is asked of
/// the server.
///
/// # Errors
/// Where the folder has tables of its own or those of another bucket, the server cannot be reached, or it ignores the conditions that keep
/// machines apart.
pub async fn connect(data: &Path, url: &BucketUrl) -> Result<(), StoreError> {
    let is_there = |lake: &Lake| lake.bucket().map(Bucket::url) == Some(url);
    if Lake::find(data)?.as_ref().is_some_and(is_there) {
        return Ok(());
    }
    let (folder, _locked) = locked(data)?;
    if let Some(lake) = Lake::find(data)? {
        if is_there(&lake) {
            return Ok(());
        }
        let what = match lake.bucket() {
            Some(bucket) => format!("the tables of this data folder are in {}, and not in {url}", bucket.url()),
            None => format!("this data folder has tables of its own, and not in {url}"),
        };
        let what = format!(
            "{what}: name another data folder as `path` under [store], and take along what there is by `milepost export` and `milepost record`"
        );
        return Err(StoreError::Layout { path: folder, what });
    }
    let bucket = Bucket::open(url)?;
    bucket.prove().await?;
    let lake = Lake { folder, bucket: Some(bucket), removed_kept: REMOVED_KEPT };
    // Several machines may be the first.
    let layout = Layout { version: LAYOUT_VERSION, tables: None };
    match lake.read_common::<Layout>(LAYOUT, LAYOUT_VERSION, no_layout).await? {
        (Some(_), _) => {}
        (None, _) => match lake.publish_common(LAYOUT, &layout, None).await {
            Ok(_) | Err(StoreError::Busy) => {}
            Err(error) => return Err(error),
        },
    }
    lake.publish(LAYOUT, &Layout { version: BUCKET_LAYOUT_VERSION, tables: Some(url.clone()) })
}

/// Removes the data files of older versions. Not others: one that no version knows may be of a commit that another machine is about to
/// make. Nor the log, which tells nothing about people: who finds the number of its commit free because an older one of that number is
/// gone would write what nobody reads.
async fn sweep_bucket(bucket: &Bucket, name: &str, table: &DeltaTable) -> Result<(), StoreError> {
    let state = table.snapshot().map_err(in_table(name))?;
    let removed: Vec<_> = state.all_tombstones(table.log_store().as_ref()).try_collect().await.map_err(in_table(name))?;
    let needed = files(name, table)?;
    for path in removed.iter().map(|file| format!("{name}/{}", file.path())).filter(|path| !needed.contains(path)) {
        bucket.remove(&path).await?;
    }
    Ok(())
}

/// The folder of the lake, made where there is none, and its lock.
fn locked(data: &Path) -> Result<(PathBuf, Locked), StoreError> {
    // Where a link leads nowhere, no folder is made in its place.
    Lake::find(data)?;
    let folder = data.join("store");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
    let path = folder.join("compact.lock");
    let lock = Locked::try_at(&path).map_err(failed("lock", &path))?.ok_or(StoreError::Busy)?;
    Ok((folder, lock))
}

fn no_layout(at: String) -> String {
    format!("this is no description of a store ({at}); restore it from a backup")
}

/// Removes the files that no version needs any more, for as long as the table keeps its versions.
async fn vacuum(name: &str, table: DeltaTable) -> Result<(), StoreError> {
    table.vacuum().with_mode(VacuumMode::Full).await.map(|_| ()).map_err(in_table(name))
}

/// How many files beyond one are less than half of a size.
fn small_files(table: &DeltaTable, size: NonZeroU64) -> Result<usize, DeltaTableError> {
    let is_small = |bytes: i64| u64::try_from(bytes).is_ok_and(|bytes| bytes < size.get() / 2);
    let small = table.snapshot()?.log_data().iter().filter(|file| is_small(file.size())).count();
    Ok(small.saturating_sub(1))
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

/// How files are written: small, and so that what most questions read costs little to unpack.
pub(crate) fn packed() -> WriterProperties {
    // So that a test can search the bytes of a file for what must not be in it. Compiled into builds with debug assertions only.
    #[cfg(debug_assertions)]
    if std::env::var_os("MILEPOST_PLAIN_FILES").is_some() {
        return WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false).build();
    }
    // Snappy, which costs a little disk: where a file is small, making ready for Zstandard took longer than reading it.
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(GROUP_ROWS));
    let as_differences = |properties: WriterPropertiesBuilder, column: &str, encoding| {
        properties.set_column_dictionary_enabled(column.into(), false).set_column_encoding(column.into(), encoding)
    };
    let properties =
        NUMBERS.iter().fold(properties, |properties, column| as_differences(properties, column, Encoding::DELTA_BINARY_PACKED));
    let properties = as_differences(properties, ID, Encoding::DELTA_BYTE_ARRAY);
    properties.set_column_compression(ID.into(), Compression::ZSTD(ZstdLevel::default())).build()
}

/// What a file of the store's own says; none where there is no such file. `damaged` is what to say of one that is no such thing from some
/// place on.
///
/// # Errors
/// Where it cannot be read, is of a newer Milepost, is damaged or too large.
pub(crate) fn read_own<T: DeserializeOwned>(
    path: &Path,
    version: u32,
    damaged: impl FnOnce(String) -> String,
) -> Result<Option<T>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed("read", path))?,
    };
    let mut json = Vec::new();
    if file.take(OWN_BYTES_MAX + 1).read_to_end(&mut json).map_err(failed("read", path))? as u64 > OWN_BYTES_MAX {
        return Err(too_large(path));
    }
    parsed(path, &json, version, damaged).map(Some)
}

fn parsed<T: DeserializeOwned>(path: &Path, json: &[u8], version: u32, damaged: impl FnOnce(String) -> String) -> Result<T, StoreError> {
    refuse_newer(path, json, version.into())?;
    // What the parser says may hold as much of the file as it likes.
    let at = |error: serde_json::Error| damaged(format!("line {}, column {}", error.line(), error.column()));
    serde_json::from_slice(json).map_err(|error| StoreError::Layout { path: path.to_owned(), what: at(error) })
}

pub(crate) fn too_large(path: &Path) -> StoreError {
    let what = format!("this has more than {} MiB, which Milepost neither writes nor reads", OWN_BYTES_MAX / 1024 / 1024);
    StoreError::Layout { path: path.to_owned(), what }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables;
    use datafusion::physical_plan::{ExecutionPlan, collect};
    use milepost_record::{Event, Kind, Operation, Outcome, Timestamp};
    use std::sync::Arc;

    /// What a plan says that it did, summed over all its parts.
    fn measured(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
        let own = plan.metrics().map_or(0, |metrics| {
            metrics.iter().filter(|metric| metric.value().name() == name).map(|metric| pruned(&metric.value().to_string())).sum()
        });
        own + plan.children().into_iter().map(|child| measured(child, name)).sum::<usize>()
    }

    /// The groups that were left out, of `3 total → 1 matched`.
    fn pruned(text: &str) -> usize {
        let numbers: Vec<usize> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        numbers.first().zip(numbers.get(1)).map_or(0, |(total, matched)| total - matched)
    }

    /// Files are merged across days, and yet a question leaves the days unread that are not in its span.
    #[test]
    fn within_a_file_of_many_days_others_are_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (lake, _lock) = Lake::lock(folder.path(), Some(Duration::ZERO)).expect("a lake");
            let mut table = None;
            for day in 0..7_u64 {
                let at =
                    Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time").saturating_add(Duration::from_secs(day * 86400));
                let event = Event::at(at, Operation::new("search", Outcome::Ok));
                let rows = tables::batch(Kind::Operation, &vec![&event; GROUP_ROWS]).expect("rows");
                table = Some(lake.append("operations", table, vec![rows], "s", day + 1).await.expect("appended"));
            }
            assert!(lake.tidy("operations", table.expect("a table")).await.expect("merged"));
            let table = lake.open("operations").await.expect("opened").expect("a table");
            assert_eq!(table.snapshot().expect("a snapshot").log_data().num_files(), 1);
            let engine = SessionContext::new();
            engine.register_table("lake", table.table_provider().await.expect("a provider")).expect("registered");
            let day = "SELECT count(*) FROM lake WHERE day = DATE '2026-09-23' AND outcome = 'ok'";
            let plan = engine.sql(day).await.expect("a plan").create_physical_plan().await.expect("a plan");
            let rows = collect(plan.clone(), engine.task_ctx()).await.expect("rows");
            assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), GROUP_ROWS as i64);
            let left_out = measured(&plan, "row_groups_pruned_statistics");
            assert!(left_out >= 5, "{left_out} of 7 groups were left out");
        });
    }

    /// Moments and durations that no rule tells, and ids of 32 digits, each of which is half a byte of chance.
    #[test]
    fn an_event_takes_few_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (lake, _lock) = Lake::lock(folder.path(), None).expect("a lake");
            let (mut state, mut at) = (7_u64, 1_790_000_000_000_000);
            let mut chance = || {
                // Steele and others, Fast splittable pseudorandom number generators, OOPSLA 2014.
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            };
            let events: Vec<_> = (0..GROUP_ROWS)
                .map(|_| {
                    at += i64::try_from(chance() % 720_000).expect("a gap");
                    let mut operation = Operation::new("search", Outcome::Ok);
                    operation.duration_us = Some(chance() % 1_000_000);
                    let mut event = Event::at(Timestamp::from_microseconds(at).expect("a time"), operation);
                    event.id = Some(format!("{:016x}{:016x}", chance(), chance()));
                    event
                })
                .collect();
            let rows = tables::batch(Kind::Operation, &events.iter().collect::<Vec<_>>()).expect("rows");
            let table = lake.append("operations", None, vec![rows], "s", 1).await.expect("appended");
            let path = files("operations", &table).expect("files").into_iter().next().expect("a file");
            let file =
                ParquetRecordBatchReaderBuilder::try_new(Bytes::from(fs::read(lake.folder().join(path)).expect("read"))).expect("Parquet");
            let (mut ids, mut others) = (0, 0);
            for column in file.metadata().row_groups().iter().flat_map(|group| group.columns()) {
                *(if column.column_path().string() == ID { &mut ids } else { &mut others }) += column.compressed_size();
            }
            let [ids, others] = [ids, others].map(|bytes| bytes as f64 / GROUP_ROWS as f64);
            assert!(ids < 18.0 && others < 6.0, "{ids} bytes for the id of an event, and {others} for all else");
        });
    }

    /// The log says so of what it knows: of what it does not, a column may have values.
    #[test]
    fn the_log_tells_which_column_has_no_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (lake, _lock) = Lake::lock(folder.path(), Some(Duration::ZERO)).expect("a lake");
            let at = Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time");
            let (plain, mut sampled) = (Operation::new("search", Outcome::Ok), Operation::new("search", Outcome::Ok));
            sampled.sample = Some("s".to_owned());
            let rows = |of: &Operation| vec![tables::batch(Kind::Operation, &[&Event::at(at, of.clone())]).expect("rows")];
            let table = lake.append("operations", None, rows(&plain), "s", 1).await.expect("appended");
            let none = |table: &DeltaTable, column| Head::of(table).expect("a head").has_none(column);
            assert!(none(&table, "sample") && !none(&table, "operation"));
            assert!(!none(&table, "error_text"), "personal columns have no statistics");
            let table = lake.append("operations", Some(table), rows(&sampled), "s", 2).await.expect("appended");
            assert!(!none(&table, "sample"));
        });
    }

    /// A row may have what lies between the smallest and the largest of its file, and between no two that lie beside them.
    #[test]
    fn the_log_tells_between_which_ids_there_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (lake, _lock) = Lake::lock(folder.path(), Some(Duration::ZERO)).expect("a lake");
            let at = Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time");
            let rows = |ids: &[&str]| {
                let of = |id: &&str| Event { id: Some((*id).to_owned()), ..Event::at(at, Operation::new("search", Outcome::Ok)) };
                let events: Vec<_> = ids.iter().map(of).collect();
                vec![tables::batch(Kind::Operation, &events.iter().collect::<Vec<_>>()).expect("rows")]
            };
            let table = lake.append("operations", None, rows(&["b", "d"]), "s", 1).await.expect("appended");
            let none = |table: &DeltaTable, least: &str, most: &str| Head::of(table).expect("a head").has_no_id_between(least, most);
            assert!(none(&table, "a", "a9") && none(&table, "e", "f"));
            assert!(!none(&table, "a", "b") && !none(&table, "d", "e") && !none(&table, "a", "e") && !none(&table, "c", "c"));
            // Of so long an id, the log has the beginning.
            let long = format!("x{}", "y".repeat(200));
            let table = lake.append("operations", Some(table), rows(&[&long]), "s", 2).await.expect("appended");
            assert!(none(&table, "e", "f") && none(&table, "z", "zz"));
            assert!(!none(&table, &long, &long) && !none(&table, "c", "c"));
        });
    }
}
