//! Rollups on the disk: what questions count of each day, kept beside the tables, so that an answer reads fewer rows than there are events.
//!
//! ```text
//! DATA/store/rollups.json          which questions are kept, and of which versions of the tables
//! DATA/store/rollups/*.arrow       rows of each question: the day, what it tells apart, counts, first and last event, and packed the
//!                                  values (durations or peaks) and how often each was, or of a person on which days of which weeks;
//!                                  totals of values; and what `presence.rs` keeps of people and days
//! ```
//!
//! A rollup is derived, and can be made anew at any time: so whatever is in doubt is dropped, and the events answer. Rollups hold for
//! one version of a table and for no other. Compaction adds the rows of what it took in and names the new version, in one file that
//! is replaced at once; where it ends in between, the versions differ, and nobody reads the rollups any more.

use crate::{
    StoreError,
    calendar::Calendar,
    digests::digest,
    engine,
    firsts::{self, Firsts, Unknown},
    lake::{Lake, failed, in_table, read_own, remove, rows as rows_of, sync},
    packed::{LIMITS_MAX, Packed, schema},
    presence::Presence,
    rolled::{base, keeps, kinds, limit_text, rollup, total_since},
    rollup_files::{NewFile, RollupFiles},
    sql,
    statements::{STATEMENTS_MAX, in_parts, within_limits},
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
use milepost_record::{Kind, Limit, Question, Subject, Timestamp};
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
const VERSION: u32 = 8;
/// The kinds of events that rollups count.
pub(crate) const COUNTED: [Kind; 3] = [Kind::Operation, Kind::Session, Kind::Interaction];
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
    /// The version of each table whose events they count; none of a table that is not there.
    of: BTreeMap<Kind, u64>,
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
    /// The kinds of events that its rows count.
    pub(crate) kinds: Vec<Kind>,
    keeps: Keeps,
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

/// What is kept for a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keeps {
    /// What is counted of each day, with lists of this kind.
    Counts(Lists),
    /// When people were there, of the days of this time zone.
    Presence(String),
    /// The first sessions of people.
    Firsts,
}

/// What one commit of a compaction added to a table.
pub(crate) struct Commit {
    pub(crate) kind: Kind,
    /// The version before it.
    pub(crate) before: Option<u64>,
    pub(crate) after: DeltaTable,
    pub(crate) rows: Vec<RecordBatch>,
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
    /// The days that its rows are of.
    pub(crate) fn calendar(&self) -> Calendar {
        match &self.keeps {
            Keeps::Presence(zone) => Calendar::named(zone),
            Keeps::Counts(_) | Keeps::Firsts => Calendar::of(TimeZone::UTC),
        }
    }

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
    /// Of all from which the rest follows, in bytes.
    fn size(&self) -> i64 {
        let days = self.batches.iter().filter(|batch| matches!(batch.tells, Tells::Days | Tells::People));
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
    /// The first and the last person, where rows of one lie in this batch alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) people: Option<[String; 2]>,
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
    /// What people did.
    People,
    /// What is known of days by what people did.
    PeopleDays,
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
    let tables = opened(&lake, table).await?;
    let mut rollups = Rollups::read(&lake)?;
    let before = rollups.clone();
    rollups.catch_up(&lake, &tables).await;
    let today = now.to_jiff().to_zoned_datetime(TimeZone::UTC).date();
    let is_exact = rows_of(&tables[&Kind::Operation]).map_err(in_table(name))? <= sql::EXACT_MAX;
    // Where nobody had a session, there is no first one.
    let is_told = |question: &&Question| tables.contains_key(&Kind::Session) || !matches!(question.subject, Subject::FirstSessions);
    let questions: Vec<_> = questions.iter().filter(is_told).collect();
    let new = rollups.choose(&questions, today, is_exact);
    let (first, made) = (rollups.kept.len(), new.len());
    rollups.kept.extend(new);
    rollups.choose_totals(totals, today, is_exact);
    if made > 0 {
        rollups.write_from(first, &with_tables(&tables).await?, true).await?;
    }
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

    /// Those that count the events of these versions of the tables; none where there are none.
    pub(crate) fn for_versions(mut self, version: impl Fn(Kind) -> Option<u64>) -> Option<Self> {
        for kind in COUNTED {
            if self.version_of(kind) != version(kind) {
                self.drop_of(kind);
            }
        }
        self.kept.iter().any(|kept| kept.is_whole).then_some(self)
    }

    /// The version of a table whose events they count.
    fn version_of(&self, kind: Kind) -> Option<u64> {
        self.of.get(&kind).copied()
    }

    fn are_of(&mut self, kind: Kind, version: Option<u64>) {
        match version {
            Some(version) => self.of.insert(kind, version),
            None => self.of.remove(&kind),
        };
    }

    /// Forgets all that is kept, so that the events answer until it is made anew. Nothing is written yet.
    fn drop_all(&mut self) {
        (self.kept, self.files) = (Vec::new(), Vec::new());
    }

    /// Forgets what is kept of a table's events.
    fn drop_of(&mut self, kind: Kind) {
        self.kept.retain(|kept| !kept.kinds.contains(&kind));
        if self.kept.is_empty() {
            self.files.clear();
        }
    }

    fn differs(&self, before: &Self) -> bool {
        let kept = |rollups: &Self| rollups.kept.iter().map(|kept| (kept.key.clone(), kept.asked, kept.totals.clone())).collect::<Vec<_>>();
        self.of != before.of || kept(self) != kept(before)
    }

    fn publish(&mut self, lake: &Lake) -> Result<(), StoreError> {
        self.version = VERSION;
        lake.publish(FILE, self)
    }

    /// Of these questions those that are not kept yet; those that nobody asks any more are dropped.
    fn choose(&mut self, questions: &[&Question], today: Date, is_exact: bool) -> Vec<Kept> {
        let mut wanted: BTreeMap<String, (&Question, BTreeSet<&Limit>)> = BTreeMap::new();
        for question in questions.iter().copied() {
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
                let (kinds, keeps, totals) = (kinds(question), keeps(question), Vec::new());
                new.push(Kept { key, base, limits: texts, statement, kinds, keeps, asked: today, is_whole: true, is_exact, totals });
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

    /// Writes the rows of the questions from the one at this position on as a file, from what the tables of an engine hold; `are_all` says
    /// whether that is everything there is.
    async fn write_from(&mut self, first: usize, engine: &SessionContext, are_all: bool) -> Result<(), StoreError> {
        let mut file = NewFile::in_folder(&self.folder)?;
        let before = Arc::new(if are_all { RollupFiles::default() } else { self.open()? });
        let asked: Vec<Kept> = self.kept.iter().skip(first).filter(|kept| kept.is_whole).cloned().collect();
        let count = |kept: Kept| {
            let (engine, before) = (engine.clone(), Arc::clone(&before));
            SpawnedTask::spawn(async move { counted(&engine, &kept, &before).await }).join()
        };
        let (mut rows, mut late) = (stream::iter(asked).map(count).buffered(STATEMENTS_MAX), Vec::new());
        for kept in self.kept.iter_mut().skip(first).filter(|kept| kept.is_whole) {
            let rows = rows.next().await.ok_or(StoreError::Shape("rollup"))?.map_err(|error| DataFusionError::External(error.into()))??;
            match rows {
                // What came in within an hour is soon written as one with more.
                Ok(Counted::Rows(rows)) => file.take(&kept.key, &rows, if are_all { &kept.totals } else { &[] })?,
                Ok(Counted::Presence(mut presence)) => {
                    let known = before.presence(kept, Some(&presence.users()))?;
                    match presence.daily_beside(known) {
                        Some(daily) => file.take_presence(&kept.key, &mut presence, &daily)?,
                        None => kept.is_whole = false,
                    }
                }
                Ok(Counted::Firsts(firsts)) => file.take_firsts(&kept.key, firsts)?,
                Err(Unknown::Late) => late.push(kept.key.clone()),
                Err(Unknown::TooMuch) => kept.is_whole = false,
            }
        }
        // These are made from all events when they are asked again.
        self.kept.retain(|kept| !late.contains(&kept.key));
        self.files.extend(file.finish()?);
        Ok(())
    }

    /// Adds the rows of events that the tables took in with some commits. Where that cannot be, nothing is kept of such a table any more.
    pub(crate) async fn add(lake: &Lake, commits: Vec<Commit>) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        if rollups.kept.is_empty() || commits.is_empty() {
            return Ok(());
        }
        let mut new = Vec::new();
        for Commit { kind, before, after, rows } in commits {
            if kind == Kind::Operation && rows_of(&after).map_err(in_table(kind.table()))? > sql::EXACT_MAX {
                rollups.kept.retain(|kept| !kept.is_exact);
            }
            let rows = match rollups.version_of(kind) == before {
                true => Some(rows),
                // Other machines wrote the table too.
                false if lake.bucket().is_some() => rollups.missing(kind, &after).await.unwrap_or(None),
                false => None,
            };
            match rows {
                Some(rows) => new.push((kind, rows)),
                None => rollups.drop_of(kind),
            }
            rollups.are_of(kind, after.version());
        }
        if rollups.take_in(&new).await.is_err() {
            rollups.drop_all();
        }
        rollups.publish(lake)
    }

    /// Adds what tables took in since, whoever wrote it; where that cannot be, what is kept of a table is dropped. Then all that is kept is
    /// of these versions of the tables.
    async fn catch_up(&mut self, lake: &Lake, tables: &BTreeMap<Kind, DeltaTable>) {
        let mut new = Vec::new();
        for kind in COUNTED {
            let table = tables.get(&kind);
            let version = table.and_then(DeltaTable::version);
            if self.version_of(kind) == version {
                continue;
            }
            let missing = match table.filter(|_| lake.bucket().is_some()) {
                Some(table) => self.missing(kind, table).await.unwrap_or(None),
                None => None,
            };
            match missing {
                Some(rows) => new.push((kind, rows)),
                None => self.drop_of(kind),
            }
            self.are_of(kind, version);
        }
        if self.take_in(&new).await.is_err() {
            self.drop_all();
        }
    }

    /// The rows that a table took in since, as its log tells; none where rows were removed, or it is too much to be read at once.
    async fn missing(&self, kind: Kind, table: &DeltaTable) -> Result<Option<Vec<RecordBatch>>, StoreError> {
        let name = kind.table();
        let (Some(from), Some(to)) = (self.version_of(kind), table.version()) else { return Ok(None) };
        let (mut added, mut bytes) = (Vec::new(), 0);
        for version in from + 1..=to {
            let Some(commit) = table.log_store().read_commit_entry(version).await.map_err(in_table(name))? else { return Ok(None) };
            for line in commit.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let Ok(action) = serde_json::from_slice::<Action>(line) else { return Ok(None) };
                if action.remove.is_some_and(|file| file.data_change) {
                    return Ok(None);
                }
                if let Some(file) = action.add.filter(|file| file.data_change) {
                    bytes += file.size;
                    added.push(file.path);
                }
            }
        }
        if from > to || bytes > CAUGHT_UP_BYTES_MAX {
            return Ok(None);
        }
        let (files, schema) = (table.log_store().object_store(None), tables::batch(kind, &[])?.schema());
        let mut rows = Vec::new();
        for path in added {
            let Ok(path) = object_store::path::Path::from_url_path(&path) else { return Ok(None) };
            let failed = |source| StoreError::Bucket { action: "read", what: format!("{name}/{path}"), source: Box::new(source) };
            let file = files.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
            let read = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
            let read = read.map_err(DataFusionError::from)?.collect::<Result<Vec<_>, _>>()?;
            let read = SessionContext::new_with_config(engine::config()).read_batches(read)?;
            let columns = engine::columns(&read, &schema)?;
            rows.extend(read.select(columns)?.collect().await?);
        }
        Ok(Some(rows))
    }

    /// Adds rows of tables.
    async fn take_in(&mut self, new: &[(Kind, Vec<RecordBatch>)]) -> Result<(), StoreError> {
        if new.iter().all(|(_, rows)| rows.is_empty()) {
            return Ok(());
        }
        let engine = engine()?;
        for kind in COUNTED {
            let rows = new.iter().filter(|(of, _)| *of == kind).flat_map(|(_, rows)| rows);
            let viewed = rows.map(engine::viewed).collect::<Result<Vec<_>, _>>()?;
            let schema = engine::viewed(&tables::batch(kind, &[])?)?.schema();
            engine.register_table(kind.table(), Arc::new(MemTable::try_new(schema, vec![viewed])?))?;
        }
        self.write_from(0, &engine, false).await
    }

    /// A table has other files by now, and the same events; in a bucket, also those that other machines added meanwhile.
    pub(crate) async fn follow(lake: &Lake, kind: Kind, before: Option<u64>, after: Option<DeltaTable>) -> Result<(), StoreError> {
        let mut rollups = Self::read(lake)?;
        let version = after.as_ref().and_then(DeltaTable::version);
        if rollups.kept.is_empty() || rollups.version_of(kind) != before || before == version {
            return Ok(());
        }
        if let Some(table) = after.filter(|_| lake.bucket().is_some()) {
            let is_added = match rollups.missing(kind, &table).await.unwrap_or(None) {
                Some(rows) => rollups.take_in(&[(kind, rows)]).await.is_ok(),
                None => false,
            };
            if !is_added {
                rollups.drop_of(kind);
            }
        }
        rollups.are_of(kind, version);
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
            match rolled(&before, kept).await? {
                Ok(Counted::Rows(rows)) => file.take(&kept.key, &rows, &kept.totals)?,
                Ok(Counted::Presence(mut presence)) => file.take_presence(&kept.key, &mut presence, &before.daily(kept, None)?)?,
                Ok(Counted::Firsts(firsts)) => file.take_firsts(&kept.key, firsts)?,
                Err(_) => kept.is_whole = false,
            }
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
        let tables = opened(lake, table).await?;
        let version = |kind| tables.get(&kind).and_then(DeltaTable::version);
        let Some(rollups) = Self::read(lake)?.for_versions(version) else { return Ok(None) };
        let engine = with_tables(&tables).await?;
        let files = rollups.open()?;
        for kept in rollups.kept.iter().filter(|kept| kept.is_whole) {
            let n = match (counted(&engine, kept, &RollupFiles::default()).await?, rolled(&files, kept).await?) {
                (Ok(Counted::Rows(counted)), Ok(Counted::Rows(rolled))) => {
                    rolled.differing(&counted) + files.differing_totals(&kept.key, kept.limits.len()).await?
                }
                (Ok(Counted::Presence(mut counted)), Ok(Counted::Presence(mut rolled))) => {
                    let daily = files.daily(kept, None)?;
                    rolled.differing(&mut counted) + counted.daily().map_or(1, |counted| daily.differing(&counted))
                }
                (Ok(Counted::Firsts(counted)), Ok(Counted::Firsts(rolled))) => {
                    // What is kept by day is less of those who began, and follows from it.
                    rolled.differing(&counted) + counted.begun()?.differing(&files.firsts_on(kept, &(Date::MIN..=Date::MAX))?)
                }
                // What is too much to be compared is not shown to be equal.
                _ => 1,
            };
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

/// The tables whose events rollups count, as far as they are there: that of operations is.
async fn opened(lake: &Lake, operations: DeltaTable) -> Result<BTreeMap<Kind, DeltaTable>, StoreError> {
    let mut tables = BTreeMap::from([(Kind::Operation, operations)]);
    for kind in COUNTED.into_iter().filter(|kind| *kind != Kind::Operation) {
        tables.extend(lake.open(kind.table()).await?.map(|table| (kind, table)));
    }
    Ok(tables)
}

/// An engine that has the events of these tables, in the columns of today.
async fn with_tables(tables: &BTreeMap<Kind, DeltaTable>) -> Result<SessionContext, StoreError> {
    let engine = engine()?;
    for kind in COUNTED {
        let none = engine::viewed(&tables::batch(kind, &[])?)?;
        let table = match tables.get(&kind) {
            Some(table) => engine.read_table(table.table_provider().await?)?,
            None => engine.read_batch(none.clone())?,
        };
        let columns = engine::columns(&table, &none.schema())?;
        engine.register_table(kind.table(), table.select(columns)?.into_view())?;
    }
    Ok(engine)
}

/// What was found for a question.
enum Counted {
    Rows(Packed),
    Presence(Presence),
    Firsts(Firsts),
}

/// What the events say to a question that is kept; of people's first sessions it follows from what is known before. It only reads: it lies
/// in a file that others may write.
async fn counted(engine: &SessionContext, kept: &Kept, before: &RollupFiles) -> Result<Result<Counted, Unknown>, StoreError> {
    let engine = if matches!(kept.keeps, Keeps::Counts(_)) { engine.clone() } else { in_parts(engine)? };
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let found = async |sql: &str| engine.sql_with_options(sql, only_reads).await;
    Ok(match &kept.keeps {
        Keeps::Counts(lists) => {
            let rows = found(&kept.statement).await?.execute_stream().await?;
            let packed = Packed::of(rows.map_err(StoreError::from), kept.limits.len(), *lists).await?;
            packed.map(Counted::Rows).ok_or(Unknown::TooMuch)
        }
        Keeps::Presence(_) => {
            let presence = Presence::of(found(&kept.statement).await?, Some(&kept.calendar())).await?;
            presence.map(Counted::Presence).ok_or(Unknown::TooMuch)
        }
        Keeps::Firsts => {
            let known = if before.is_empty() {
                Firsts::default()
            } else {
                before.firsts(kept, Some(&firsts::users(&engine, &kept.statement).await?))?
            };
            Firsts::with(known, &engine, &kept.statement).await?.map(Counted::Firsts)
        }
    })
}

/// What its rows say to it.
async fn rolled(files: &RollupFiles, kept: &Kept) -> Result<Result<Counted, Unknown>, StoreError> {
    let lists = match &kept.keeps {
        Keeps::Counts(lists) => *lists,
        Keeps::Presence(_) => return Ok(Ok(Counted::Presence(files.presence(kept, None)?))),
        Keeps::Firsts => return Ok(Ok(Counted::Firsts(files.firsts(kept, None)?))),
    };
    let schema = schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let rows = stream::iter(files.rows(&kept.key, None, &columns)?.into_iter().map(Ok));
    Ok(Packed::of(rows, kept.limits.len(), lists).await?.map(Counted::Rows).ok_or(Unknown::TooMuch))
}

#[cfg(test)]
mod tests;
