//! Rollups on the disk: what questions count of each day, kept beside the tables, so that an answer reads fewer rows than there are events.
//!
//! ```text
//! DATA/store/rollups.json          which questions are kept, and of which version of the table `operations`
//! DATA/store/rollups/*.arrow       rows of each question: the day, what it tells apart, counts, first and last event, and packed the
//!                                  values (durations or peaks) and how often each was, or of a person on which days of which weeks or
//!                                  from when to when; totals of values
//! ```
//!
//! A rollup is derived, and can be made anew at any time: so whatever is in doubt is dropped, and the events answer. Rollups hold for
//! one version of the table and for no other. Compaction adds the rows of what it took in and names the new version, in one file that
//! is replaced at once; where it ends in between, the versions differ, and nobody reads the rollups any more.

use crate::{
    StoreError,
    digests::digest,
    engine,
    lake::{Lake, failed, in_table, read_own, remove, rows as rows_of, sync},
    packed::{LIMITS_MAX, Packed, schema},
    rolled::{base, limit_text, lists, rollup, total_since},
    rollup_files::{NewFile, RollupFiles},
    sql,
    statements::{STATEMENTS_MAX, within_limits},
    tables,
    values::Lists,
};
use datafusion::{
    arrow::record_batch::RecordBatch, common::runtime::SpawnedTask, datasource::MemTable, error::DataFusionError,
    execution::context::SQLOptions, parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder, prelude::SessionContext,
};
use deltalake_core::DeltaTable;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Kind, Limit, Question, Timestamp};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

const FILE: &str = "rollups.json";
const FOLDER: &str = "rollups";
const VERSION: u32 = 6;
/// The most questions that are kept.
const KEPT_MAX: usize = 64;
/// For how many days a question is kept that nobody asks any more.
const UNASKED_DAYS_MAX: i64 = 14;
/// The most moments since which totals of one question are kept.
const TOTALS_MAX: usize = 4;
/// What other machines wrote since is read at once where it has at most so many bytes; else rollups are made anew from all.
const CAUGHT_UP_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many times as large as what came in since the first file may be before they are written as one. The unit tests have no time
/// to make it so large.
const LARGER_MAX: i64 = if cfg!(test) { 1 } else { 32 };

/// The rollups of a store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rollups {
    version: u32,
    /// The version of the table `operations` whose events they count.
    of_version: Option<u64>,
    pub(crate) kept: Vec<Kept>,
    files: Vec<RollupFile>,
    #[serde(skip)]
    folder: PathBuf,
}

/// A question that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// By which its rows are found. Never used again: rows of a key that is not kept any more count for nothing.
    pub(crate) key: String,
    /// The question without limits and span, as the statement of its rows.
    base: String,
    /// The limits that its rows count, in the order of their columns.
    pub(crate) limits: Vec<String>,
    /// The statement of its rows, limits included.
    statement: String,
    lists: Lists,
    /// The last day on which it was asked.
    asked: Date,
    /// Whether it has its rows: not where they were too many.
    pub(crate) is_whole: bool,
    /// Whether its values are not rounded: then nobody asks it any more once there are many events.
    #[serde(default)]
    is_exact: bool,
    /// The moments since which totals of it are asked.
    totals: Vec<Since>,
}

/// A moment since which totals are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Since {
    pub(crate) from: Timestamp,
    /// Its day, in the zone of the question.
    pub(crate) day: Date,
    /// The last day on which it was asked.
    asked: Date,
}

impl Kept {
    /// Whether its rows answer a question with these limits.
    pub(crate) fn covers(&self, base: &str, limits: &[String]) -> bool {
        self.base == base && limits.iter().all(|limit| self.limits.contains(limit))
    }
}

/// What a commit did, as far as it is asked.
#[derive(Deserialize)]
struct Action {
    add: Option<Changed>,
    remove: Option<Changed>,
}

/// A data file that came or went; without a change of data where the same rows lie in another file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    path: String,
    #[serde(default)]
    size: u64,
    data_change: bool,
}

/// A file of rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollupFile {
    pub(crate) name: String,
    pub(crate) crc32c: String,
    pub(crate) batches: Vec<RollupBatch>,
}

impl RollupFile {
    /// Of all that it tells of days, in bytes.
    fn size(&self) -> i64 {
        let days = self.batches.iter().filter(|batch| batch.tells == Tells::Days);
        days.fold(0, |sum: i64, RollupBatch { at: [_, metadata, body], .. }| sum.saturating_add(*metadata).saturating_add(*body))
    }

    /// Whether it has rows of a question, and not its totals since each moment since which they are asked.
    fn lacks_totals(&self, kept: &Kept) -> bool {
        let told = |tells| self.batches.iter().any(|batch| batch.key == kept.key && batch.tells == tells);
        kept.is_whole && told(Tells::Days) && kept.totals.iter().any(|since| !told(Tells::Total { from: since.from, day: since.day }))
    }
}

/// The rows of a question and a quarter of a year in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollupBatch {
    /// Of the question.
    pub(crate) key: String,
    pub(crate) tells: Tells,
    /// The first and the last day that it tells of; none where rows tell no days apart.
    pub(crate) days: Option<[Date; 2]>,
    /// Where they lie: the first byte, and how many bytes tell of them, and have them.
    pub(crate) at: [i64; 3],
    /// Of those bytes.
    pub(crate) crc32c: String,
}

/// What the rows of a batch tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tells {
    /// All that is kept of each day.
    Days,
    /// The same without the values.
    Counts,
    /// The values of all days since a moment on this day, together.
    Total { from: Timestamp, day: Date },
}

/// What became of the rollups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolledUp {
    /// How many questions are kept.
    pub kept: usize,
    /// How many of them were made from the events just now.
    pub made: usize,
}

/// Keeps rollups for these questions, as far as they count operations; of those in `totals`, which are asked again and again since the same
/// moment, totals too. What is new is made from the events of the table.
///
/// # Errors
/// Where somebody else is writing the tables ([`StoreError::Busy`]), or something cannot be read or written: then the events answer.
pub async fn roll_up(data: &Path, questions: &[Question], totals: &[Question], now: Timestamp) -> Result<RolledUp, StoreError> {
    let name = Kind::Operation.table();
    let Some(lake) = Lake::find(data)? else { return Ok(RolledUp::default()) };
    let Some(table) = lake.open(name).await? else { return Ok(RolledUp::default()) };
    if rows_of(&table).map_err(in_table(name))? == 0 {
        return Ok(RolledUp::default());
    }
    let (lake, _locked) = Lake::lock(data, None)?;
    let Some(table) = lake.open(name).await? else { return Ok(RolledUp::default()) };
    let mut rollups = Rollups::read(&lake)?;
    let version = table.version();
    let before = rollups.clone();
    if rollups.of_version != version && !(lake.bucket().is_some() && rollups.catch_up(&table).await.unwrap_or(false)) {
        rollups.drop_all();
    }
    let today = now.to_jiff().to_zoned_datetime(TimeZone::UTC).date();
    let is_exact = rows_of(&table).map_err(in_table(name))? <= sql::EXACT_MAX;
    let new = rollups.choose(questions, today, is_exact);
    let (first, made) = (rollups.kept.len(), new.len());
    rollups.kept.extend(new);
    rollups.choose_totals(totals, today, is_exact);
    if made > 0 {
        rollups.write_from(first, &with_operations(&table).await?, true).await?;
    }
    rollups.of_version = version;
    if made > 0 || rollups.differs(&before) {
        rollups.publish(&lake)?;
    }
    Ok(RolledUp { kept: rollups.kept.iter().filter(|kept| kept.is_whole).count(), made })
}

impl Rollups {
    /// Those of a lake; none where nothing was kept yet.
    pub(crate) fn read(lake: &Lake) -> Result<Self, StoreError> {
        let path = lake.folder().join(FILE);
        let folder = lake.folder().join(FOLDER);
        let none = || Self { version: VERSION, folder: folder.clone(), ..Self::default() };
        match read_own::<Self>(&path, VERSION, |at| format!("these are no rollups ({at})")) {
            // Being derived, those of another version are made anew, and so is what is damaged.
            Ok(rollups) => {
                let of_now = rollups.filter(|rollups| rollups.version == VERSION);
                Ok(of_now.map_or_else(none, |rollups| Self { folder: folder.clone(), ..rollups }))
            }
            Err(StoreError::Layout { .. } | StoreError::Newer(_)) => Ok(none()),
            Err(error) => Err(error),
        }
    }

    /// Whether they count the events of this version of the table, and there are any.
    pub(crate) fn hold_for(&self, version: Option<u64>) -> bool {
        self.of_version.is_some() && self.of_version == version && self.kept.iter().any(|kept| kept.is_whole)
    }

    /// Forgets all that is kept, so that the events answer until it is made anew. Nothing is written yet.
    fn drop_all(&mut self) {
        (self.of_version, self.kept, self.files) = (None, Vec::new(), Vec::new());
    }

    fn differs(&self, before: &Self) -> bool {
        let kept = |rollups: &Self| rollups.kept.iter().map(|kept| (kept.key.clone(), kept.asked, kept.totals.clone())).collect::<Vec<_>>();
        self.of_version != before.of_version || kept(self) != kept(before)
    }

    fn publish(&mut self, lake: &Lake) -> Result<(), StoreError> {
        self.version = VERSION;
        lake.publish(FILE, self)
    }

    /// Of these questions those that are not kept yet; those that nobody asks any more are dropped.
    fn choose(&mut self, questions: &[Question], today: Date, is_exact: bool) -> Vec<Kept> {
        let mut wanted: BTreeMap<String, (&Question, BTreeSet<&Limit>)> = BTreeMap::new();
        for question in questions {
            if let Some(base) = base(question, is_exact) {
                wanted.entry(base).or_insert_with(|| (question, BTreeSet::new())).1.extend(question.limit());
            }
        }
        let mut new = Vec::new();
        for (base, (question, limits)) in wanted {
            let limits: Vec<&Limit> = limits.into_iter().take(LIMITS_MAX).collect();
            let texts: Vec<_> = limits.iter().map(|limit| limit_text(limit)).collect();
            if let Some(kept) = self.kept.iter_mut().find(|kept| kept.covers(&base, &texts)) {
                kept.asked = today;
            } else if let Some(statement) = rollup(question, &limits, is_exact) {
                let key = format!("{}-{}", Timestamp::now().as_microseconds(), new.len());
                let is_exact = is_exact && self::base(question, false).as_ref() != Some(&base);
                let lists = lists(question);
                new.push(Kept { key, base, limits: texts, statement, lists, asked: today, is_whole: true, is_exact, totals: Vec::new() });
            }
        }
        let first = today.saturating_sub(UNASKED_DAYS_MAX.days());
        self.kept.retain(|kept| kept.asked >= first);
        new.truncate(KEPT_MAX.saturating_sub(self.kept.len()));
        new
    }

    /// Notes since when totals of these questions are asked; of those that are kept already they are made with the next compaction.
    fn choose_totals(&mut self, questions: &[Question], today: Date, is_exact: bool) {
        for question in questions {
            let (Some(base), Some(from)) = (base(question, is_exact), total_since(question)) else { continue };
            for kept in self.kept.iter_mut().filter(|kept| kept.base == base) {
                kept.totals.retain(|since| since.from != question.span.from);
                kept.totals.insert(0, Since { from: question.span.from, day: from, asked: today });
            }
        }
        let first = today.saturating_sub(UNASKED_DAYS_MAX.days());
        for kept in &mut self.kept {
            kept.totals.retain(|since| since.asked >= first);
            kept.totals.truncate(TOTALS_MAX);
            kept.totals.sort_by_key(|since| since.from);
        }
    }

    /// Writes the rows of the questions from the one at this position on as a file, from what `operations` of an engine holds;
    /// `are_all` says whether that is everything there is.
    async fn write_from(&mut self, first: usize, engine: &SessionContext, are_all: bool) -> Result<(), StoreError> {
        let mut file = NewFile::in_folder(&self.folder)?;
        let asked: Vec<Kept> = self.kept.iter().skip(first).filter(|kept| kept.is_whole).cloned().collect();
        let count = |kept: Kept| {
            let engine = engine.clone();
            SpawnedTask::spawn(async move { counted(&engine, &kept).await }).join()
        };
        let mut rows = stream::iter(asked).map(count).buffered(STATEMENTS_MAX);
        for kept in self.kept.iter_mut().skip(first).filter(|kept| kept.is_whole) {
            let rows = rows.next().await.ok_or(StoreError::Shape("rollup"))?.map_err(|error| DataFusionError::External(error.into()))??;
            // What came in within an hour is soon written as one with more.
            let totals = if are_all { kept.totals.as_slice() } else { &[] };
            kept.is_whole = file.take(&kept.key, rows.as_ref(), totals)?;
        }
        self.files.extend(file.finish()?);
        Ok(())
    }

    /// Adds the rows of events that the table took in with the commit that made `after` of `before`. Where that cannot be, nothing is
    /// kept any more.
    pub(crate) async fn add(lake: &Lake, before: Option<u64>, after: &DeltaTable, rows: &[RecordBatch]) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        if rollups.kept.is_empty() {
            return Ok(());
        }
        let are_many = rows_of(after).map_err(in_table(Kind::Operation.table()))? > sql::EXACT_MAX;
        rollups.kept.retain(|kept| !(kept.is_exact && are_many));
        let is_added = if rollups.of_version == before {
            rollups.take_in(rows).await.is_ok()
        } else {
            // Other machines wrote the table too.
            lake.bucket().is_some() && rollups.catch_up(after).await.unwrap_or(false)
        };
        if is_added {
            rollups.of_version = after.version();
        } else {
            rollups.drop_all();
        }
        rollups.publish(lake)
    }

    /// Adds the rows of what the table took in since, whoever wrote it, as its log tells; false where rows were removed, or that is too much
    /// to be read at once.
    async fn catch_up(&mut self, table: &DeltaTable) -> Result<bool, StoreError> {
        let name = Kind::Operation.table();
        let (Some(from), Some(to)) = (self.of_version, table.version()) else { return Ok(false) };
        let (mut added, mut bytes) = (Vec::new(), 0);
        for version in from + 1..=to {
            let Some(commit) = table.log_store().read_commit_entry(version).await.map_err(in_table(name))? else { return Ok(false) };
            for line in commit.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let Ok(action) = serde_json::from_slice::<Action>(line) else { return Ok(false) };
                if action.remove.is_some_and(|file| file.data_change) {
                    return Ok(false);
                }
                if let Some(file) = action.add.filter(|file| file.data_change) {
                    bytes += file.size;
                    added.push(file.path);
                }
            }
        }
        if from > to || bytes > CAUGHT_UP_BYTES_MAX {
            return Ok(false);
        }
        let (files, schema) = (table.log_store().object_store(None), tables::batch(Kind::Operation, &[])?.schema());
        let mut rows = Vec::new();
        for path in added {
            let Ok(path) = object_store::path::Path::from_url_path(&path) else { return Ok(false) };
            let failed = |source| StoreError::Bucket { action: "read", what: format!("{name}/{path}"), source: Box::new(source) };
            let file = files.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
            let read = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
            let read = read.map_err(DataFusionError::from)?.collect::<Result<Vec<_>, _>>()?;
            let read = SessionContext::new_with_config(engine::config()).read_batches(read)?;
            let columns = engine::columns(&read, &schema)?;
            rows.extend(read.select(columns)?.collect().await?);
        }
        self.take_in(&rows).await?;
        self.of_version = Some(to);
        Ok(true)
    }

    async fn take_in(&mut self, rows: &[RecordBatch]) -> Result<(), StoreError> {
        let engine = engine()?;
        let viewed = rows.iter().map(engine::viewed).collect::<Result<Vec<_>, _>>()?;
        let schema = tables::batch(Kind::Operation, &[])?;
        let table = MemTable::try_new(engine::viewed(&schema)?.schema(), vec![viewed])?;
        engine.register_table(Kind::Operation.table(), Arc::new(table))?;
        self.write_from(0, &engine, false).await
    }

    /// The table has other files by now, and the same events; in a bucket, also those that other machines added meanwhile.
    pub(crate) async fn follow(lake: &Lake, before: Option<u64>, after: Option<DeltaTable>) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        let version = after.as_ref().and_then(DeltaTable::version);
        if rollups.kept.is_empty() || rollups.of_version != before || before == version {
            return Ok(());
        }
        rollups.of_version = version;
        if let Some(table) = after.filter(|_| lake.bucket().is_some()) {
            rollups.of_version = before;
            if !rollups.catch_up(&table).await.unwrap_or(false) {
                rollups.drop_all();
            }
        }
        rollups.publish(lake)
    }

    /// Forgets all that is kept, on the disk too: nothing of it is left.
    pub(crate) fn clear(lake: &Lake) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        rollups.drop_all();
        if lake.folder().join(FILE).exists() {
            rollups.publish(lake)?;
        }
        rollups.remove_unneeded(Duration::ZERO)
    }

    /// Writes files as one, with the rows of a day that can be told apart by nothing as one row; and removes files that are not needed any
    /// more. Two are left, so that an answer after a year reads no more of them than one on the first day: a large one that is seldom
    /// written, and what came in since.
    pub(crate) async fn tidy(lake: &Lake, removed_kept: Duration) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        if let Some(first) = rollups.untidy() {
            if rollups.merge(first).await.is_err() {
                rollups.drop_all();
            }
            rollups.publish(lake)?;
        }
        rollups.remove_unneeded(removed_kept)
    }

    /// The file from which on they have to be written as one; none where they need not.
    fn untidy(&self) -> Option<usize> {
        let (first, since) = self.files.split_first()?;
        let is_large = || since.iter().fold(0, |sum: i64, file| sum.saturating_add(file.size())) >= first.size() / LARGER_MAX;
        if self.kept.iter().any(|kept| first.lacks_totals(kept)) || !since.is_empty() && is_large() {
            return Some(0);
        }
        (since.len() > 1).then_some(1)
    }

    /// Writes the files from this one on as one.
    async fn merge(&mut self, first: usize) -> Result<(), StoreError> {
        let before = RollupFiles::open(&self.folder, self.files.get(first..).unwrap_or_default())?;
        let mut file = NewFile::in_folder(&self.folder)?;
        for kept in self.kept.iter_mut().filter(|kept| kept.is_whole) {
            let rows = rolled(&before, kept).await?;
            kept.is_whole = file.take(&kept.key, rows.as_ref(), &kept.totals)?;
        }
        self.files.truncate(first);
        self.files.extend(file.finish()?);
        Ok(())
    }

    /// Removes the files that are not named any more, once they are so old that nobody reads them.
    fn remove_unneeded(&self, removed_kept: Duration) -> Result<(), StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("list", &self.folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed("list", &self.folder))?.path();
            let is_named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| self.files.iter().any(|f| f.name == name));
            let written = fs::metadata(&path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            if !is_named && written.elapsed().unwrap_or(Duration::ZERO) >= removed_kept {
                remove(&path)?;
            }
        }
        sync(&self.folder)
    }

    /// The files of rows that count, opened to be read.
    pub(crate) fn open(&self) -> Result<RollupFiles, StoreError> {
        RollupFiles::open(&self.folder, &self.files)
    }

    /// How many questions are kept, and where rows do not count what the events of the table do: the question, and how many rows differ.
    /// None where there are no rollups, or they are behind the table: then nobody reads them.
    pub(crate) async fn differences(lake: &Lake) -> Result<Option<(usize, Vec<(String, u64)>)>, StoreError> {
        let mut found = Vec::new();
        let Some(table) = lake.open(Kind::Operation.table()).await? else { return Ok(None) };
        let rollups = Self::read(lake)?;
        if !rollups.hold_for(table.version()) {
            return Ok(None);
        }
        let engine = with_operations(&table).await?;
        let files = rollups.open()?;
        for kept in rollups.kept.iter().filter(|kept| kept.is_whole) {
            let (counted, rolled) = (counted(&engine, kept).await?, rolled(&files, kept).await?);
            // What is too much to be compared is not shown to be equal.
            let n = rolled.zip(counted).map_or(1, |(rolled, counted)| rolled.differing(&counted));
            let n = n + files.differing_totals(&kept.key, kept.limits.len()).await?;
            if n > 0 {
                found.push((kept.base.clone(), n as u64));
            }
        }
        Ok(Some((rollups.kept.iter().filter(|kept| kept.is_whole).count(), found)))
    }

    /// The files whose bytes are not those that were written.
    pub(crate) fn damaged(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = Vec::new();
        for file in &self.files {
            let path = self.folder.join(&file.name);
            match fs::read(&path) {
                Ok(bytes) if digest(&bytes) == file.crc32c => {}
                Ok(_) => found.push(path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => found.push(path),
                Err(error) => return Err(failed("read", &path)(error)),
            }
        }
        Ok(found)
    }
}

fn engine() -> Result<SessionContext, StoreError> {
    within_limits(&SessionContext::new_with_config(engine::config()))
}

/// An engine that has the operations of a table, in the columns of today.
async fn with_operations(table: &DeltaTable) -> Result<SessionContext, StoreError> {
    let engine = engine()?;
    let operations = engine.read_table(table.table_provider().await?)?;
    let columns = engine::columns(&operations, &tables::batch(Kind::Operation, &[])?.schema())?;
    engine.register_table(Kind::Operation.table(), operations.select(columns)?.into_view())?;
    Ok(engine)
}

/// What the events say to a question that is kept; none where that is too much. It only reads: it lies in a file that others may write.
async fn counted(engine: &SessionContext, kept: &Kept) -> Result<Option<Packed>, StoreError> {
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let rows = engine.sql_with_options(&kept.statement, only_reads).await?.execute_stream().await?;
    Packed::of(rows.map_err(StoreError::from), kept.limits.len(), kept.lists).await
}

/// What its rows say to it.
async fn rolled(files: &RollupFiles, kept: &Kept) -> Result<Option<Packed>, StoreError> {
    let schema = schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Packed::of(stream::iter(files.rows(&kept.key, None, &columns)?.into_iter().map(Ok)), kept.limits.len(), kept.lists).await
}

#[cfg(test)]
mod tests;
