//! The store as its readers see it: opened once, asked by question, by SQL or event by event.

use crate::{
    answer::{self, Columns},
    bucket,
    cluster::{Cluster, ClusterUrl},
    columns_read,
    compact::Claims,
    engine::{Engine, Stored, joined},
    events::events,
    exact,
    heads::Heads,
    lake::{Lake, holds},
    live::Live,
    past::{self, Past},
    query::{self, QueryError, QueryLimits, Table},
    rolled::{Beside, Rolled},
    rollups::Rollups,
    rows::Row,
    sql,
    statements::{Statements, Within},
    tables,
    tombstones::Tombstones,
    views::{self, View},
};
use datafusion::{
    arrow::{error::ArrowError, record_batch::RecordBatch},
    error::DataFusionError,
};
use deltalake_core::DeltaTableError;
use jiff::civil::Date;
use milepost_record::{Answer, Event, Exact, Invalid, Inventory, Kind, Limit, Newer, Question, Span, Spool, SpoolError, Tally, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::task::JoinSet;

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
    /// A server of object storage refused, or cannot be reached.
    #[error("cannot {action} {what}: {source}{}", bucket::advice(.source))]
    Bucket {
        /// What was tried.
        action: &'static str,
        /// On which file.
        what: String,
        /// What the client said.
        source: Box<object_store::Error>,
    },
    /// A cluster cannot be reached.
    #[error("the cluster {url} cannot be reached: {source}")]
    Cluster {
        /// Where its scheduler should be.
        url: ClusterUrl,
        /// What the operating system said.
        source: io::Error,
    },
    /// A cluster could be reached, and did not answer.
    #[error("the cluster does not answer: {0}")]
    Unanswered(String),
    /// A table has rows that only the embedded engine can leave out.
    #[error(
        "a cluster cannot read the table `{0}`: another program removed rows of it and left them in their files; until these are written \
         anew, `[engine]` has to stay without `url`"
    )]
    NotForCluster(&'static str),
    /// So many events of a kind are in no table yet, too many to go along with each statement.
    #[error("{0} events are in no table yet, too many to be sent to a cluster with each question: `milepost track` takes them in")]
    TooManyLive(usize),
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
    #[error("the table `{table}` cannot be used: {source}{}; see `milepost doctor`", bucket::advice_on_table(.source))]
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
    engine: Arc<Engine>,
    inventory: Inventory,
    past: Vec<Event>,
    /// None where nothing was asked yet, or they are in doubt.
    rolled: Option<Arc<Rolled>>,
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

/// The notes on periods that do not count.
const EXCLUDED: &str = "SELECT * FROM notes WHERE topic = 'exclude'";

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
        Self::open_on(data, now, None).await
    }

    /// The same, with questions and SQL worked out by a cluster where there is one.
    ///
    /// # Errors
    /// As [`Store::open`]. The cluster is asked when a statement needs it.
    pub async fn open_on(data: &Path, now: Timestamp, cluster: Option<&Cluster>) -> Result<Self, StoreError> {
        let spool = if data.join("spool").is_dir() { Some(Spool::open(data)?) } else { None };
        let segments = spool.as_ref().map_or(Ok(Vec::new()), Spool::segments)?;
        let lake = Lake::find(data)?;
        // Of a segment that somebody is still writing, no table holds anything.
        let has_sealed = segments.iter().any(|segment| segment.sequence().is_some());
        let spooled = spool.as_ref().filter(|_| has_sealed).map(|spool| spool.id().to_owned());
        let tables = |lake: &Lake| {
            let heads = Arc::new(Heads::read(lake));
            Kind::ALL.iter().map(|kind| Opened::table(lake.clone(), heads.clone(), *kind, spooled.clone())).collect::<JoinSet<_>>()
        };
        let opened = joined(lake.as_ref().map_or_else(JoinSet::new, tables)).await?;
        let (mut stored, mut held, mut pasts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for Opened { kind, table, held: segment, past } in opened.into_iter().flatten() {
            stored.insert(kind, table);
            held.extend(segment.map(|segment| (kind, segment)));
            pasts.extend(past.map(|past| (kind, past)));
        }
        let claims = match (&lake, &spool) {
            (Some(lake), Some(spool)) if has_sealed => Claims::of(lake, spool.id()).await?,
            _ => Claims::default(),
        };
        let tombstones = match &lake {
            Some(lake) => Arc::new(Tombstones::of(data, lake).await?),
            None => Arc::default(),
        };
        let mut live = Live::read(segments, &held, &claims, &tombstones, now).await?;
        for (kind, of_kind) in &stored {
            live.leave_out(*kind, of_kind).await?;
        }
        // After the table: rollups of another version of it are none.
        let rollups = match (&lake, stored.get(&Kind::Operation)) {
            (Some(lake), Some(_)) => {
                let version = |kind| stored.get(&kind).map(|of_kind: &Stored| of_kind.head().version);
                Rollups::read(lake)?.for_versions(version)
            }
            _ => None,
        };
        let Live { batches, mut inventory, .. } = live;
        let engine = Arc::new(Engine::over(lake, stored, batches, cluster));
        inventory.events = Kind::ALL.iter().map(|kind| (*kind, engine.events(*kind))).filter(|(_, n)| *n > 0).collect();
        let rolled = match rollups {
            Some(rollups) => Some(Arc::new(Rolled::new(rollups, Beside::of(&engine).await?))),
            None => None,
        };
        let past = past::past(&engine, &mut pasts).await?;
        Ok(Self { engine, inventory, past, rolled })
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

    async fn events(&self, kind: Kind, sql: &str) -> Result<Vec<Event>, StoreError> {
        let mut found = Vec::new();
        if self.engine.events(kind) == 0 {
            return Ok(found);
        }
        for batch in self.run(sql).await? {
            found.extend(events(kind, &batch)?);
        }
        Ok(found)
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
        self.answered(questions, false).await
    }

    /// Answers several questions as [`Store::answers`] does, with [`milepost_record::Evidence::Totals`] where that is an answer: whoever
    /// needs no days has it sooner.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn totals(&self, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        self.answered(questions, true).await
    }

    async fn answered(&self, questions: &[Question], are_totals: bool) -> Result<Vec<Answer>, StoreError> {
        let rows = self.inventory.events.get(&Kind::Operation).copied().unwrap_or(0);
        // Events that are read as a whole tell about samples sooner than a look for those in the table, at each question.
        let rolled = self.rolled.as_ref().filter(|rolled| !(rolled.beside.has_samples && self.engine.few().contains(&Kind::Operation)));
        let rolled = |question: &Question, limits: &[&Limit]| rolled?.of(question, limits, rows <= sql::EXACT_MAX, are_totals);
        let finds = |question: &Question| sql::kinds(question).iter().any(|kind| self.inventory.events.contains_key(kind));
        let statements = Statements::of(questions, |question, limits| self.sql(question, limits), finds, rolled);
        let are_many = questions.len() > 1 && statements.read_events();
        statements.answer(Within::limits(Arc::clone(&self.engine), are_many, are_totals), questions).await
    }

    /// Looks at all operations that a question is about, to the last one; `ranks` says which ranks are wanted among the values of a tally.
    ///
    /// # Errors
    /// Where the engine fails, or it takes more memory than there is.
    pub async fn exact(&self, question: &Question, ranks: impl Fn(&Tally) -> Vec<u64> + Sync) -> Result<Exact, StoreError> {
        exact::exact(self.engine.chosen().await?, question, ranks).await
    }

    /// How the engine would answer a question from the events, in its own words. A rollup may answer it instead.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn plan(&self, question: &Question) -> Result<String, StoreError> {
        let plan = self.engine.all().await?.sql(&self.sql(question, question.limit().as_slice())).await?.create_physical_plan().await?;
        Ok(datafusion::physical_plan::displayable(plan.as_ref()).indent(true).to_string())
    }

    /// For each kind of event the columns that the engine reads to answer a question, by its own plan.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn columns_read(&self, question: &Question) -> Result<BTreeMap<Kind, BTreeSet<String>>, StoreError> {
        let plan = self.engine.all().await?.sql(&self.sql(question, question.limit().as_slice())).await?.into_optimized_plan()?;
        columns_read::of(&plan)
    }

    /// The newest events that count for a question, at most `limit`: for each the columns that have a value.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn newest(&self, question: &Question, limit: usize) -> Result<Vec<Row>, StoreError> {
        let (kind, mut rows) = (question.subject.kind(), Vec::new());
        // Of an empty table each statement costs its plan.
        let spans = if self.engine.events(kind) == 0 { Vec::new() } else { self.engine.newest_within(kind, question.span) };
        for span in spans {
            rows = self.run(&sql::newest(&Question { span, ..question.clone() }, limit)).await?;
            if rows.iter().map(RecordBatch::num_rows).sum::<usize>() >= limit {
                break;
            }
        }
        crate::rows::rows(&rows)
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
        query::query(self.engine.chosen().await?, sql, limits).await
    }

    /// The views that SQL can read.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn views(&self) -> Result<Vec<View>, StoreError> {
        views::views(self.engine.all().await?).await
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
        Ok(self.engine.all().await?.sql(sql).await?.collect().await?)
    }
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

/// What was found when a table was opened.
struct Opened {
    kind: Kind,
    table: Stored,
    /// The last segment of the spool that it holds.
    held: Option<u64>,
    /// What it tells of the past, where it takes no engine to know that.
    past: Option<Past>,
}

impl Opened {
    /// The table of a kind, if there is one, and how much of a spool of this id it holds.
    async fn table(lake: Lake, heads: Arc<Heads>, kind: Kind, spool: Option<String>) -> Result<Option<Self>, StoreError> {
        let Some(mut table) = Stored::open(lake.clone(), &heads, kind.table()).await? else { return Ok(None) };
        let held = match spool {
            Some(spool) => holds(kind.table(), table.table().await?, &spool).await?,
            None => None,
        };
        let past = past::read(&lake, kind, &mut table).await;
        Ok(Some(Self { kind, table, held, past }))
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
            Store::open(folder.path(), at).await.expect("a store").engine.few().clone()
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
        runtime.block_on(compact(folder.path(), at(9), &Upkeep::default())).expect("compacted");
        let noted = past();
        assert_eq!(ids(&noted), of(["id-3", "id-4", "id-6"]));
        let lake = Lake::find(folder.path()).expect("a lake").expect("a lake");
        assert_eq!(Heads::read(&lake).past(Kind::Verdict.table()).as_ref(), Some(&noted));
        std::fs::remove_file(lake.folder().join("heads.json")).expect("removed");
        assert_eq!(past(), noted, "the table tells the same");
    }
}
