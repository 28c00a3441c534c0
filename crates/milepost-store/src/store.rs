//! The store as its readers see it: the lake, and beside it what the spool took in since, as one table for each kind.

use crate::{
    answer::{self, Columns},
    columns_read,
    compact::{Claims, no_claims},
    events::events,
    exact,
    identity::{Identities, of_batch},
    lake::{self, Lake, SEGMENTS, holds, in_table},
    query::{self, QueryError, QueryLimits, Table},
    rolled::{Beside, Rolled},
    rollups::Rollups,
    rows::Row,
    sql,
    statements::Statements,
    tables,
    tombstones::Tombstones,
    views::{self, View},
};
use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray},
        compute::{cast, filter_record_batch},
        datatypes::{DataType, FieldRef, Schema},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    common::Column,
    datasource::MemTable,
    error::DataFusionError,
    prelude::{DataFrame, Expr, SessionConfig, SessionContext},
    scalar::ScalarValue,
};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::{StreamExt, future::try_join};
use jiff::civil::Date;
use milepost_record::{
    Answer, Event, Exact, Invalid, Inventory, Kind, Limit, Newer, Question, Segment, Span, Spool, SpoolError, Tally, Timestamp,
    UNREADABLE_MAX, Unreadable,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::OnceCell,
    task::{JoinError, JoinSet},
};

/// How many events of the spool make one batch.
const BATCH: usize = 8192;
/// How many events of a kind are read as a whole for several questions. The unit tests have no time for so many.
const FEW: u64 = if cfg!(test) { 200 } else { 20_000 };
/// How long their files may be together, in bytes: some events carry long texts.
const FEW_BYTES: u64 = if cfg!(test) { 32 * 1024 } else { 16 * 1024 * 1024 };

/// Why the store cannot answer, or take in what was recorded.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The spool cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of the layout does not say what it has to.
    #[error("{}: {what}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A newer Milepost wrote a file, or an event of the spool.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A table cannot be read or written.
    #[error("the table `{table}` cannot be used: {source}; see `milepost doctor`")]
    Table {
        /// Its name.
        table: String,
        /// What Delta said.
        source: Box<DeltaTableError>,
    },
    /// Somebody else is compacting.
    #[error("another Milepost is writing the store at this moment")]
    Busy,
    /// A sealed segment is not as it was sealed, and nothing after it can be taken in.
    #[error("{0}; what comes after it waits: see `milepost doctor --repair`")]
    Damaged(String),
    /// The query engine failed.
    #[error("the query engine failed: {0}")]
    Engine(#[from] DataFusionError),
    /// The questions of one scorecard or report need more memory than this, in bytes.
    #[error(
        "it needs more than {} MiB of memory, as there are too many different names in the events: `since` or `where` of the criteria, or \
         `--from` of a report, make it less",
        .0 >> 20
    )]
    Memory(u64),
    /// The engine's answer has not the shape that its question asked for.
    #[error("the query engine answered without a column `{0}` of the expected type: this is a mistake in Milepost, please report it")]
    Shape(&'static str),
    /// A table has a column that no event can have.
    #[error("the column `{name}` has the type {found}, which no event has: did something else write the table?")]
    Column {
        /// The column.
        name: String,
        /// Its type.
        found: String,
    },
    /// A row is no event.
    #[error("a row of the store is no event: {0}; did something else write the table?")]
    Event(Invalid),
}

impl From<ArrowError> for StoreError {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error.into())
    }
}

/// All events of a data folder as they were when it was opened, each counted once.
pub struct Store {
    engine: SessionContext,
    inventory: Inventory,
    past: Vec<Event>,
    /// None where nothing was asked yet, or they are in doubt.
    rolled: Option<Arc<Rolled>>,
    /// The kinds of which there are few events.
    few: BTreeSet<Kind>,
    /// The engine that has those in memory.
    of_few: OnceCell<SessionContext>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of these kinds; of all where there are none.
    pub kinds: Vec<Kind>,
    /// At or after this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
}

impl Selection {
    /// The kinds that are wanted.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(|kind| self.kinds.is_empty() || self.kinds.contains(kind))
    }
}

/// Which criteria there were.
const DECIDED: &str = "SELECT * FROM criteria ORDER BY at, id";
/// What was judged.
const JUDGED: &str = "SELECT * FROM verdicts";
/// The notes on periods that do not count.
const EXCLUDED: &str = "SELECT * FROM notes WHERE topic = 'exclude' ORDER BY at, id";

/// What every store is asked when it is opened.
const PAST: [(Kind, &str); 3] = [(Kind::Criterion, DECIDED), (Kind::Verdict, JUDGED), (Kind::Note, EXCLUDED)];

impl Store {
    /// Opens the store of a data folder; one without events has none. `now` is the moment of receipt against which events of the
    /// future are set aside.
    ///
    /// The spool is opened first, then the tables, and what a table holds is left out of what the spool has: in the other order,
    /// what is compacted meanwhile would be in neither.
    ///
    /// # Errors
    /// Where the spool or a table cannot be read, or a newer Milepost wrote of either.
    pub async fn open(data: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let spool = if data.join("spool").is_dir() { Some(Spool::open(data)?) } else { None };
        let segments = spool.as_ref().map_or(Ok(Vec::new()), Spool::segments)?;
        let lake = Lake::find(data)?;
        let spooled = spool.as_ref().filter(|_| !segments.is_empty()).map(|spool| spool.id().to_owned());
        let engine = SessionContext::new_with_config(config());
        let tables = |lake: &Lake| {
            let opened = |kind: &Kind| Stored::open(engine.clone(), lake.clone(), *kind, spooled.clone());
            Kind::ALL.iter().map(opened).collect::<JoinSet<_>>()
        };
        let segments_table = async {
            match &lake {
                Some(lake) => lake.open(SEGMENTS).await,
                None => Ok(None),
            }
        };
        let (stored, segments_table) = try_join(joined(lake.as_ref().map_or_else(JoinSet::new, tables)), segments_table).await?;
        let stored: BTreeMap<_, _> = stored.into_iter().flatten().collect();
        let claims = match (&lake, &spool) {
            (Some(lake), Some(spool)) if segments.iter().any(|s| s.sequence().is_some()) => Claims::of(lake, spool.id()).await?,
            _ => Claims::default(),
        };
        let mut tombstones = lake.as_ref().map_or(Ok(Tombstones::default()), |lake| Tombstones::of(data, lake))?;
        let mut live = Live::read(segments, &stored, &claims, &mut tombstones, now)?;
        for (kind, of_kind) in &stored {
            live.leave_out(*kind, &of_kind.table).await?;
        }
        // After the table: rollups of another version of it are none.
        let rollups = match (&lake, stored.get(&Kind::Operation)) {
            (Some(lake), Some(of_kind)) => Some(Rollups::read(lake)?).filter(|rollups| rollups.hold_for(&of_kind.table)),
            _ => None,
        };
        let mut store = Self::of(engine, stored, live, segments_table, rollups).await?;
        store.past = store.read_past().await?;
        Ok(store)
    }

    async fn of(
        engine: SessionContext,
        stored: BTreeMap<Kind, Stored>,
        mut live: Live,
        segments: Option<DeltaTable>,
        rollups: Option<Rollups>,
    ) -> Result<Self, StoreError> {
        let mut inventory = live.inventory;
        let mut few = BTreeSet::new();
        let mut rolled = rollups.map(Rolled::new);
        for kind in Kind::ALL {
            let batches = live.batches.remove(kind).unwrap_or_default();
            let schema = viewed(&tables::batch(*kind, &[])?)?.schema();
            let batches = batches.iter().map(viewed).collect::<Result<Vec<_>, _>>()?;
            if let Some(rolled) = rolled.as_mut().filter(|_| *kind == Kind::Operation) {
                let is_sampled =
                    |batch: &RecordBatch| batch.column_by_name("sample").is_some_and(|sample| sample.null_count() < sample.len());
                rolled.beside = Beside { has_live: !batches.is_empty(), has_samples: batches.iter().any(is_sampled) };
                rolled.tables.push(("live", Arc::new(MemTable::try_new(schema.clone(), vec![batches.clone()])?)));
            }
            let spooled = (!batches.is_empty() || !stored.contains_key(kind))
                .then(|| MemTable::try_new(schema.clone(), vec![batches]))
                .transpose()?
                .map(|table| engine.read_table(Arc::new(table)))
                .transpose()?;
            let kept = match stored.get(kind) {
                Some(of_kind) => {
                    *inventory.events.entry(*kind).or_default() += of_kind.rows;
                    Some(match &of_kind.read {
                        Some(batches) => engine.read_batches(batches.clone())?,
                        None => engine.read_table(of_kind.table.table_provider().await?)?,
                    })
                }
                None => None,
            };
            let is_short = stored.get(kind).is_none_or(|of_kind| of_kind.bytes <= FEW_BYTES);
            let shaped = |table: DataFrame| -> Result<DataFrame, StoreError> {
                let columns = columns(&table, &schema)?;
                Ok(table.select(columns)?)
            };
            let both = match (kept.map(shaped).transpose()?, spooled.map(shaped).transpose()?) {
                (Some(kept), Some(spooled)) => kept.union(spooled)?,
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => continue,
            };
            let rows = inventory.events.get(kind).copied().unwrap_or(0);
            if is_short && (1..=FEW).contains(&rows) {
                few.insert(*kind);
            }
            let view = both.into_view();
            // Notes announce fixed samples, and who comes back may have had a session or an interaction only.
            let is_read = matches!(kind, Kind::Operation | Kind::Note | Kind::Session | Kind::Interaction);
            if let Some(rolled) = rolled.as_mut().filter(|_| is_read) {
                rolled.tables.push((kind.table(), view.clone()));
            }
            engine.register_table(kind.table(), view)?;
        }
        if let (Some(rolled), Some(Stored { table, .. })) = (&mut rolled, stored.get(&Kind::Operation)) {
            // Most often the log tells that there are none without opening a file.
            let may_have = !rolled.beside.has_samples && !lake::has_none(table, "sample").map_err(in_table(Kind::Operation.table()))?;
            if may_have {
                let samples = engine.sql(sql::SAMPLED).await?.collect().await?;
                rolled.beside.has_samples = samples.iter().any(|batch| batch.num_rows() > 0);
            }
        }
        let none = no_claims()?;
        let segments = match segments {
            Some(table) => engine.read_table(table.table_provider().await?)?,
            None => engine.read_batch(none.clone())?,
        };
        let columns = columns(&segments, &none.schema())?;
        engine.register_table(SEGMENTS, segments.select(columns)?.into_view())?;
        inventory.events.retain(|_, n| *n > 0);
        Ok(Self { engine, inventory, past: Vec::new(), rolled: rolled.map(Arc::new), few, of_few: OnceCell::new() })
    }

    /// What the events hold as a whole.
    #[must_use]
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What was decided and judged before: every `criterion` event, every note on a period that does not count, and of `verdict`
    /// events the newest of each criterion, definition and verdict.
    #[must_use]
    pub fn past(&self) -> &[Event] {
        &self.past
    }

    /// Every `criterion` and `verdict` event, and every note on a period that does not count, in the order of time.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn recorded(&self) -> Result<Vec<Event>, StoreError> {
        let mut recorded = self.events(Kind::Criterion, "SELECT * FROM criteria").await?;
        recorded.extend(self.events(Kind::Verdict, "SELECT * FROM verdicts").await?);
        recorded.extend(self.events(Kind::Note, EXCLUDED).await?);
        recorded.sort_by_key(|event| event.at);
        Ok(recorded)
    }

    /// What people said and decided in a period, in the order of time: notes of topics `feedback`, of these origins, and `decision`.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn remarks(&self, span: Span, origins: &BTreeSet<String>) -> Result<Vec<Event>, StoreError> {
        self.events(Kind::Note, &sql::remarks(span, origins)).await
    }

    /// The notes on releases, the newest hundred, those of tests left out.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn releases(&self) -> Result<Vec<Event>, StoreError> {
        self.events(Kind::Note, &sql::releases()).await
    }

    /// How many events of a period a report of these origins is about.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn count(&self, span: Span, origins: &BTreeSet<String>) -> Result<u64, StoreError> {
        let batches = self.run(&sql::count(span, origins)).await?;
        let mut events = 0;
        for columns in batches.iter().map(Columns::of) {
            let n = columns.integers("n")?;
            events += (0..columns.rows()).map(|row| answer::count(&n, row)).sum::<u64>();
        }
        Ok(events)
    }

    async fn read_past(&self) -> Result<Vec<Event>, StoreError> {
        let there = PAST.into_iter().filter(|(kind, _)| self.inventory.events.contains_key(kind));
        let reading = |(kind, sql)| {
            let engine = self.engine.clone();
            async move { if kind == Kind::Verdict { newest_verdicts(engine, sql).await } else { read(engine, kind, sql).await } }
        };
        let mut found = joined(there.map(reading).collect()).await?;
        found.sort_by_key(|(kind, _)| *kind);
        Ok(found.into_iter().flat_map(|(_, events)| events).collect())
    }

    async fn events(&self, kind: Kind, sql: &str) -> Result<Vec<Event>, StoreError> {
        Ok(read(self.engine.clone(), kind, sql).await?.1)
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn answer(&self, question: &Question) -> Result<Answer, StoreError> {
        let mut answers = self.answers(std::slice::from_ref(question)).await?;
        answers.pop().ok_or(StoreError::Shape("answer"))
    }

    /// Answers several questions at the same time; those that differ in nothing but their limit with one statement. The answers come
    /// back in the order of the questions.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn answers(&self, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        let rows = self.inventory.events.get(&Kind::Operation).copied().unwrap_or(0);
        // Events that are read as a whole tell about samples sooner than a look for those in the table, at each question.
        let rolled = self.rolled.as_ref().filter(|rolled| !(rolled.beside.has_samples && self.few.contains(&Kind::Operation)));
        let rolled = |question: &Question, limits: &[&Limit]| rolled?.of(question, limits, rows <= sql::EXACT_MAX);
        let finds = |question: &Question| sql::kinds(question).iter().any(|kind| self.inventory.events.contains_key(kind));
        let statements = Statements::of(questions, |question, limits| self.sql(question, limits), finds, rolled);
        let are_many = questions.len() > 1 && statements.read_events();
        let engine = if are_many { self.of_few.get_or_try_init(|| self.reading_few()).await? } else { &self.engine };
        statements.answer(engine, questions).await
    }

    /// An engine that has the events in memory where they are few: then opening files costs more than reading them, and each question
    /// would open them anew.
    async fn reading_few(&self) -> Result<SessionContext, StoreError> {
        let engine = SessionContext::new_with_config(config());
        // No question is about what was decided and judged.
        for kind in Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Criterion | Kind::Verdict)) {
            let name = kind.table();
            let mut table = self.engine.table_provider(name).await?;
            if self.few.contains(kind) {
                let batches = self.engine.table(name).await?.collect().await?;
                table = Arc::new(MemTable::try_new(table.schema(), vec![batches])?);
            }
            engine.register_table(name, table)?;
        }
        Ok(engine)
    }

    /// Looks at all operations that a question is about, to the last one; `ranks` says which ranks are wanted among the values of a tally.
    ///
    /// # Errors
    /// Where the engine fails, or it takes more memory than there is.
    pub async fn exact(&self, question: &Question, ranks: impl Fn(&Tally) -> Vec<u64> + Sync) -> Result<Exact, StoreError> {
        exact::exact(&self.engine, question, ranks).await
    }

    /// How the engine would answer a question from the events, in its own words. A rollup may answer it instead.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn plan(&self, question: &Question) -> Result<String, StoreError> {
        let plan = self.engine.sql(&self.sql(question, question.limit().as_slice())).await?.create_physical_plan().await?;
        Ok(datafusion::physical_plan::displayable(plan.as_ref()).indent(true).to_string())
    }

    /// For each kind of event the columns that the engine reads to answer a question, by its own plan.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn columns_read(&self, question: &Question) -> Result<BTreeMap<Kind, BTreeSet<String>>, StoreError> {
        let plan = self.engine.sql(&self.sql(question, question.limit().as_slice())).await?.into_optimized_plan()?;
        columns_read::of(&plan)
    }

    /// The newest events that count for a question, at most `limit`: for each the columns that have a value.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn newest(&self, question: &Question, limit: usize) -> Result<Vec<Row>, StoreError> {
        crate::rows::rows(&self.run(&sql::newest(question, limit)).await?)
    }

    /// How many operations there are since a moment, by operation, origin and door.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn activity(&self, from: Timestamp) -> Result<Vec<Row>, StoreError> {
        crate::rows::rows(&self.run(&sql::activity(from)).await?)
    }

    /// Whether there is an event of this kind and id.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn has(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        Ok(self.run(&sql::has(kind, id)).await?.iter().any(|batch| batch.num_rows() > 0))
    }

    /// The newest interactions that nobody has labelled, at most `limit`: for each the columns that have a value.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn unlabelled(&self, limit: u64) -> Result<Vec<Row>, StoreError> {
        crate::rows::rows(&self.run(&sql::unlabelled(limit)).await?)
    }

    /// Visits the events of a selection, each once, in the order of time.
    ///
    /// # Errors
    /// Where the engine or `visit` fails.
    pub async fn for_each_event<E: From<StoreError>>(
        &self,
        selection: &Selection,
        mut visit: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut days: BTreeMap<Date, Vec<Kind>> = BTreeMap::new();
        for kind in selection.kinds() {
            for day in self.days(kind, selection).await? {
                days.entry(day).or_default().push(kind);
            }
        }
        for (day, kinds) in days {
            let mut of_day = Vec::new();
            for kind in kinds {
                let batches = self.run(&sql::of_day(kind, day, selection)).await?;
                of_day.push(InOrder { kind, batches: batches.into_iter(), next: VecDeque::new() });
            }
            loop {
                for of_kind in &mut of_day {
                    of_kind.fill()?;
                }
                // Of two that happened in one microsecond, the kind that comes first in the documentation.
                let Some(first) = of_day.iter_mut().filter(|of_kind| !of_kind.next.is_empty()).min_by_key(|of_kind| of_kind.at()) else {
                    break;
                };
                if let Some(event) = first.next.pop_front() {
                    visit(event)?;
                }
            }
        }
        Ok(())
    }

    /// Answers SQL: one statement that reads, on a runtime that has a timer.
    ///
    /// # Errors
    /// Where the statement is wrong, does not only read, or reaches a limit but that of rows.
    pub async fn query(&self, sql: &str, limits: &QueryLimits) -> Result<Table, QueryError> {
        query::query(&self.engine, sql, limits).await
    }

    /// The views that SQL can read.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn views(&self) -> Result<Vec<View>, StoreError> {
        views::views(&self.engine).await
    }

    /// The days of UTC on which a selection takes in events of a kind, in order.
    pub(crate) async fn days(&self, kind: Kind, selection: &Selection) -> Result<Vec<Date>, StoreError> {
        let mut days = Vec::new();
        for columns in self.run(&sql::days(kind, selection)).await?.iter().map(Columns::of) {
            let of_kind = columns.dates(tables::DAY)?;
            for row in 0..columns.rows() {
                days.push(answer::day(&of_kind, row)?);
            }
        }
        Ok(days)
    }

    fn sql(&self, question: &Question, limits: &[&Limit]) -> String {
        sql::of(question, limits, self.inventory.events.get(&question.subject.kind()).copied().unwrap_or(0))
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<Vec<RecordBatch>, StoreError> {
        Ok(self.engine.sql(sql).await?.collect().await?)
    }
}

/// What some tasks found, in the order in which they ended. Where one panics, as the engine may over a damaged file, so does this.
async fn joined<T: 'static>(mut tasks: JoinSet<Result<T, StoreError>>) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let failed = |error: JoinError| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => DataFusionError::External(error.into()),
        };
        found.push(done.map_err(failed)??);
    }
    Ok(found)
}

/// The events of a kind that a statement finds.
async fn read(engine: SessionContext, kind: Kind, sql: &str) -> Result<(Kind, Vec<Event>), StoreError> {
    let mut found = Vec::new();
    for batch in engine.sql(sql).await?.collect().await? {
        found.extend(events(kind, &batch)?);
    }
    Ok((kind, found))
}

/// Of the `verdict` events that a statement finds, the newest of each criterion, definition and verdict. The engine takes longer to plan
/// this than to read them.
async fn newest_verdicts(engine: SessionContext, sql: &str) -> Result<(Kind, Vec<Event>), StoreError> {
    let mut newest: BTreeMap<[Option<String>; 3], Event> = BTreeMap::new();
    let mut batches = engine.sql(sql).await?.execute_stream().await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let columns = Columns::of(&batch);
        let (criterion, definition, verdict) = (columns.text("criterion")?, columns.text("evidence_key")?, columns.text("verdict")?);
        let (at, id) = (columns.times("at")?, columns.text("id")?);
        let mut of_batch = BTreeMap::new();
        for row in 0..columns.rows() {
            let (key, moment) = ([criterion(row), definition(row), verdict(row)], (at.value(row), id(row)));
            let known = of_batch.entry(key).or_insert_with(|| (moment.clone(), row));
            if moment > known.0 {
                *known = (moment, row);
            }
        }
        for (key, (_, row)) in of_batch {
            for event in events(Kind::Verdict, &batch.slice(row, 1))? {
                let is_newest = |known: &Event| (event.at, &event.id) > (known.at, &known.id);
                if newest.get(&key).is_none_or(is_newest) {
                    newest.insert(key.clone(), event);
                }
            }
        }
    }
    Ok((Kind::Verdict, newest.into_values().collect()))
}

/// The events of one kind, by time, a batch at a time.
struct InOrder {
    kind: Kind,
    batches: std::vec::IntoIter<RecordBatch>,
    next: VecDeque<Event>,
}

impl InOrder {
    fn fill(&mut self) -> Result<(), StoreError> {
        while self.next.is_empty() {
            let Some(batch) = self.batches.next() else { break };
            self.next.extend(events(self.kind, &batch)?);
        }
        Ok(())
    }

    fn at(&self) -> Option<Timestamp> {
        self.next.front().map(|event| event.at)
    }
}

/// One partition: what a question reads is small or comes from few files, and more would cost planning.
pub(crate) fn config() -> SessionConfig {
    SessionConfig::new().with_target_partitions(1).with_information_schema(false)
}

/// The same rows with their texts as views, as tables are read: so kinds can stand in one UNION wherever the events of each lie at
/// the moment.
pub(crate) fn viewed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let is_text = |field: &FieldRef| field.data_type() == &DataType::Utf8;
    let field = |field: &FieldRef| {
        if is_text(field) { Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)) } else { field.clone() }
    };
    let column = |(of, column): (&FieldRef, &ArrayRef)| if is_text(of) { cast(column, &DataType::Utf8View) } else { Ok(column.clone()) };
    let columns = schema.fields().iter().zip(batch.columns()).map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())), columns)
}

/// The columns of a schema in its order: a table that grew has them in another, and one that it lacks is null.
///
pub(crate) fn columns(table: &DataFrame, schema: &Schema) -> Result<Vec<Expr>, StoreError> {
    let of = |field: &FieldRef| {
        let name = field.name().as_str();
        if table.schema().has_column_with_unqualified_name(name) {
            return Ok(Expr::Column(Column::from_name(name)));
        }
        Ok(Expr::Literal(ScalarValue::try_from(field.data_type())?, None).alias(name))
    };
    schema.fields().iter().map(of).collect()
}

/// The table of a kind.
struct Stored {
    table: DeltaTable,
    /// The last segment of the spool that it holds.
    held: Option<u64>,
    /// How many events it has.
    rows: u64,
    /// How long its files are together.
    bytes: u64,
    /// What was decided and judged, where it is little: every store is asked for all of it.
    read: Option<Vec<RecordBatch>>,
}

impl Stored {
    /// The table of a kind, if there is one, and how much of a spool of this id it holds.
    async fn open(engine: SessionContext, lake: Lake, kind: Kind, spool: Option<String>) -> Result<Option<(Kind, Self)>, StoreError> {
        let name = kind.table();
        let Some(table) = lake.open(name).await? else { return Ok(None) };
        let held = match spool {
            Some(spool) => holds(name, &table, &spool).await?,
            None => None,
        };
        let (rows, bytes) = (lake::rows(&table).map_err(in_table(name))?, lake::bytes(&table).map_err(in_table(name))?);
        // Of other kinds, a question leaves the days unread that it does not need.
        let is_of_past = matches!(kind, Kind::Criterion | Kind::Verdict);
        let is_read = is_of_past && (1..=FEW).contains(&rows) && bytes <= FEW_BYTES;
        let read = if is_read { Some(engine.read_table(table.table_provider().await?)?.collect().await?) } else { None };
        Ok(Some((kind, Self { table, held, rows, bytes, read })))
    }
}

/// What the spool holds and no table does.
#[derive(Default)]
struct Live {
    batches: BTreeMap<Kind, Vec<RecordBatch>>,
    identities: Identities,
    inventory: Inventory,
}

impl Live {
    fn read(
        segments: Vec<Segment>,
        stored: &BTreeMap<Kind, Stored>,
        claims: &Claims,
        tombstones: &mut Tombstones,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut live = Self::default();
        let mut waiting: BTreeMap<Kind, Vec<Event>> = BTreeMap::new();
        for segment in segments {
            live.inventory.segments.0 += 1;
            live.inventory.segments.1 += segment.bytes();
            // A segment that the store knows by this number as another one is held by no table.
            let sequence = match segment.sequence() {
                Some(sequence) => (!claims.are_foreign_to(sequence, &segment.digest()?)).then_some(sequence),
                None => None,
            };
            for event in segment.events(now) {
                let event = match event {
                    Ok(event) => event,
                    // What is judged without it would not be what was recorded.
                    Err(Unreadable { newer: Some(newer), .. }) => return Err((*newer).into()),
                    Err(unreadable) => {
                        live.inventory.unreadable += 1;
                        if live.inventory.first_unreadable.len() < UNREADABLE_MAX {
                            live.inventory.first_unreadable.push(unreadable);
                        }
                        continue;
                    }
                };
                if tombstones.cover(&event) {
                    continue;
                }
                let kind = event.kind();
                if sequence.is_some() && stored.get(&kind).is_some_and(|stored| stored.held >= sequence) {
                    continue;
                }
                if !live.identities.admit(&event) {
                    live.inventory.repeated += 1;
                    continue;
                }
                let waiting = waiting.entry(kind).or_default();
                waiting.push(event);
                if waiting.len() >= BATCH {
                    live.push(kind, &std::mem::take(waiting))?;
                }
            }
        }
        for (kind, events) in waiting {
            live.push(kind, &events)?;
        }
        Ok(live)
    }

    fn push(&mut self, kind: Kind, events: &[Event]) -> Result<(), StoreError> {
        if !events.is_empty() {
            *self.inventory.events.entry(kind).or_default() += events.len() as u64;
            self.batches.entry(kind).or_default().push(tables::batch(kind, &events.iter().collect::<Vec<_>>())?);
        }
        Ok(())
    }

    /// Leaves out the events whose ids a table already has: a sender tried again, or a spool was restored.
    async fn leave_out(&mut self, kind: Kind, table: &DeltaTable) -> Result<(), StoreError> {
        let stored = self.identities.stored(kind, table).await?;
        if stored.is_empty() {
            return Ok(());
        }
        for batch in self.batches.entry(kind).or_default() {
            let keep: BooleanArray = of_batch(kind, batch)?.into_iter().map(|id| Some(id.is_none_or(|id| !stored.contains(&id)))).collect();
            let left = filter_record_batch(batch, &keep)?;
            let gone = (batch.num_rows() - left.num_rows()) as u64;
            self.inventory.repeated += gone;
            if let Some(n) = self.inventory.events.get_mut(&kind) {
                *n -= gone;
            }
            *batch = left;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::{Upkeep, compact};
    use milepost_record::{Durability, ErrorDetail, Operation, Outcome, Verdict, VerdictWord};

    /// The kinds that are read as a whole, of a table with so many operations, each with a text of so many letters.
    fn few(operations: u64, letters: u64) -> BTreeSet<Kind> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time");
        let spool = Spool::open(folder.path()).expect("a spool");
        for n in 0..operations {
            let mut operation = Operation::new("search", Outcome::Failed);
            // What cannot be compressed: digits of digests.
            let text: String = (0..letters / 10).map(|i| format!("{:010}", crc32c::crc32c(format!("{n} {i}").as_bytes()))).collect();
            operation.error = Some(ErrorDetail { category: "network".to_owned(), text: Some(text) });
            let mut event = Event::at(at, operation);
            event.id = Some(format!("id-{n}"));
            spool.append(&event, Durability::Written).expect("appended");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            compact(folder.path(), at, &Upkeep::default()).await.expect("compacted");
            Store::open(folder.path(), at).await.expect("a store").few
        })
    }

    #[test]
    fn few_events_are_read_as_a_whole_unless_they_are_long() {
        assert_eq!(few(200, 10), BTreeSet::from([Kind::Operation]));
        assert_eq!(few(201, 10), BTreeSet::new());
        assert_eq!(few(100, 1_000), BTreeSet::new());
    }

    /// Some in a table and some in the spool, not in the order of time.
    #[test]
    fn of_verdicts_the_newest_of_each_kind_are_the_past() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |n: i64| Timestamp::from_microseconds(1_790_000_000_000_000 + n).expect("a time");
        let spool = Spool::open(folder.path()).expect("a spool");
        let judged = |n: i64, criterion: &str, verdict: VerdictWord| {
            let verdict = Verdict::new(criterion, "sha256:1", verdict);
            let mut event = Event::at(at(n), verdict);
            event.id = Some(format!("id-{n}"));
            spool.append(&event, Durability::Written).expect("appended");
        };
        judged(3, "a", VerdictWord::Met);
        judged(1, "a", VerdictWord::Met);
        judged(2, "a", VerdictWord::Missed);
        judged(4, "b", VerdictWord::Met);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let past = || runtime.block_on(async { Store::open(folder.path(), at(9)).await.expect("a store").past().to_vec() });
        let ids = |past: &[Event]| past.iter().filter_map(|event| event.id.clone()).collect::<BTreeSet<_>>();
        let of = |ids: [&str; 3]| ids.map(str::to_owned).into();
        assert_eq!(ids(&past()), of(["id-2", "id-3", "id-4"]));
        runtime.block_on(compact(folder.path(), at(9), &Upkeep::default())).expect("compacted");
        assert_eq!(ids(&past()), of(["id-2", "id-3", "id-4"]));
        judged(6, "a", VerdictWord::Missed);
        judged(0, "b", VerdictWord::Met);
        assert_eq!(ids(&past()), of(["id-3", "id-4", "id-6"]));
    }
}
