//! Questions become statements, which the engine answers within limits.

use crate::{StoreError, answer::Taking, cluster::unanswered, engine::Engine, presence::Presence, rolled::FromRollup, sql};
use datafusion::{
    arrow::record_batch::RecordBatch,
    error::DataFusionError,
    execution::{
        SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::GreedyMemoryPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::SessionContext,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use milepost_record::{Answer, Evidence, FAILURES_MAX, Kind, Limit, Question, Subject};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    pin::pin,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
};

/// What the engine may take to sort, group and join for the questions of one scorecard or report, in bytes, on the smallest machine.
const QUESTIONS_BYTES_MIN: u64 = 1 << 30;
/// How many statements of them are run at the same time: the engine has no more threads.
pub(crate) const STATEMENTS_MAX: usize = 2;

/// The statements that answer some questions.
pub(crate) struct Statements(Vec<Statement>);

struct Statement {
    sql: String,
    rolled: Option<FromRollup>,
    /// Whether there are events that it could find.
    finds: bool,
    /// Which questions it answers, by their position, each with the index of its limit.
    questions: Vec<(usize, Option<usize>)>,
}

impl Statements {
    /// What answers a question about the events, whether there are any of those, and what answers it from a rollup instead, where one
    /// is kept.
    pub(crate) fn of(
        questions: &[Question],
        sql: impl Fn(&Question, &[&Limit]) -> String,
        finds: impl Fn(&Question) -> bool,
        rolled: impl Fn(&Question, &[&Limit]) -> Option<FromRollup>,
    ) -> Self {
        // What is the same without a limit is one statement.
        let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (position, question) in questions.iter().enumerate() {
            same.entry(sql(question, &[])).or_default().push(position);
        }
        let statement = |positions: Vec<usize>| {
            let of = || positions.iter().filter_map(|position| questions.get(*position).map(|question| (*position, question)));
            let limits: Vec<&Limit> = of().filter_map(|(_, question)| question.limit()).collect::<BTreeSet<_>>().into_iter().collect();
            let index = |question: &Question| question.limit().and_then(|limit| limits.iter().position(|known| *known == limit));
            let first = of().next().map(|(_, question)| question);
            let sql = first.map(|question| sql(question, &limits)).unwrap_or_default();
            let rolled = first.and_then(|question| rolled(question, &limits));
            let finds = first.is_some_and(&finds);
            Statement { sql, rolled, finds, questions: of().map(|(position, question)| (position, index(question))).collect() }
        };
        Self(same.into_values().map(statement).collect())
    }

    /// Whether any is answered from the events.
    pub(crate) fn read_events(&self) -> bool {
        self.0.iter().any(|statement| statement.finds && statement.rolled.is_none())
    }

    /// Runs them at the same time. The answers come back in the order of the questions.
    pub(crate) async fn answer(self, within: Within, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        let (within, turns) = (Arc::new(within), Arc::new(Semaphore::new(STATEMENTS_MAX)));
        let mut running = JoinSet::new();
        let questions: Arc<[Question]> = questions.into();
        for statement in self.0 {
            let (within, turns, questions) = (Arc::clone(&within), Arc::clone(&turns), Arc::clone(&questions));
            running.spawn(async move {
                // Closed by nobody.
                let _turn = turns.acquire_owned().await;
                answered(&within, statement, &questions).await
            });
        }
        let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
        while let Some(done) = running.join_next().await {
            answers.extend(done.map_err(|error| DataFusionError::External(error.into()))??);
        }
        Ok(answers.into_values().collect())
    }
}

/// The engine for some statements, which share one limit on memory.
pub(crate) struct Within {
    engine: Arc<Engine>,
    /// Whether they read so often that few events are better read once.
    are_many: bool,
    /// Whether it need not be told which day a value is of.
    are_totals: bool,
    limited: OnceCell<SessionContext>,
}

impl Within {
    pub(crate) fn limits(engine: Arc<Engine>, are_many: bool, are_totals: bool) -> Self {
        Self { engine, are_many, are_totals, limited: OnceCell::new() }
    }

    pub(crate) async fn engine(&self) -> Result<&SessionContext, StoreError> {
        let is_few = self.are_many && !self.engine.has_cluster();
        let of = || async { within_limits(if is_few { self.engine.of_few().await? } else { self.engine.chosen().await? }) };
        self.limited.get_or_try_init(of).await
    }

    /// What a statement finds, as it comes in.
    async fn found(&self, sql: &str) -> Result<impl Stream<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
        Ok(self.engine().await?.sql(sql).await?.execute_stream().await.map_err(limited)?.map_err(limited))
    }

    /// When people were there, as the rows of a statement tell: all that anybody did is read, so on all processors.
    async fn presence(&self, sql: &str) -> Result<Presence, StoreError> {
        let found = in_parts(self.engine().await?)?.sql(sql).await?;
        Presence::of(found, None).await?.ok_or(StoreError::Shape("sessions"))
    }

    /// The engine for what is counted beside rollups.
    pub(crate) async fn beside(&self) -> Result<SessionContext, StoreError> {
        Ok(sharing(&self.engine().await?.runtime_env(), self.engine.beside().await?))
    }
}

/// The engine with a limit on what it sorts, groups and joins.
pub(crate) fn within_limits(engine: &SessionContext) -> Result<SessionContext, StoreError> {
    let state = engine.state();
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(usize::try_from(questions_bytes()).unwrap_or(usize::MAX))))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    Ok(sharing(&runtime, engine))
}

/// The engine with that limit, that reads tables in as many parts as there are processors, or in more where it is on a cluster.
pub(crate) fn in_parts(engine: &SessionContext) -> Result<SessionContext, StoreError> {
    let state = within_limits(engine)?.state();
    let parts = state.config().target_partitions().max(threads());
    let config = state.config().clone().with_target_partitions(parts);
    Ok(SessionContext::new_with_state(SessionStateBuilder::new_from_existing(state).with_config(config).build()))
}

/// How many threads there is work for.
pub(crate) fn threads() -> usize {
    available_parallelism().map_or(1, Into::into)
}

/// An engine that takes its memory from what this runtime has.
fn sharing(runtime: &Arc<RuntimeEnv>, engine: &SessionContext) -> SessionContext {
    let state = SessionStateBuilder::new_from_existing(engine.state()).with_runtime_env(Arc::clone(runtime)).build();
    SessionContext::new_with_state(state)
}

/// Answers all questions of one statement.
async fn answered(within: &Within, statement: Statement, questions: &[Question]) -> Result<Vec<(usize, Answer)>, StoreError> {
    let Statement { sql: text, rolled, finds, questions: asked } = statement;
    let limits: Vec<Option<usize>> = asked.iter().map(|(_, limit)| *limit).collect();
    let columns = || (0..limits.iter().flatten().max().map_or(0, |last| last + 1)).map(sql::column_of).collect();
    // They are the same but for their limits.
    let Some(question) = asked.first().and_then(|(position, _)| questions.get(*position)) else { return Ok(Vec::new()) };
    let taking = |is_rolled: bool| Taking::of(question, columns(), is_rolled, within.are_totals);
    let mut evidence = None;
    if let Some(rolled) = rolled {
        // A rollup is derived, and may be damaged: then the events answer, and `milepost doctor` tells.
        evidence = match question.subject {
            Subject::Sessions => rolled.sessions(within).await.ok().flatten().map(|found| vec![Evidence::Sessions(found); limits.len()]),
            Subject::FirstSessions => {
                rolled.first_sessions(within).await.ok().flatten().map(|found| vec![Evidence::FirstSessions(found); limits.len()])
            }
            _ => match rolled.rows(within).await {
                Ok(rows) => {
                    let rows = stream::iter(rows.into_iter().map(Ok));
                    taken(rows, taking(true)).await.and_then(|taken| taken.evidence(&limits)).ok()
                }
                Err(_) => None,
            },
        };
    }
    let evidence = match evidence {
        Some(evidence) => evidence,
        None if matches!(question.subject, Subject::Sessions) => {
            let mut presence = if finds { within.presence(&text).await? } else { Presence::default() };
            vec![Evidence::Sessions(presence.sessions()?); limits.len()]
        }
        None if !finds => taking(false).evidence(&limits)?,
        None if matches!(question.subject, Subject::Failures) => vec![newest_failures(within, question).await?; limits.len()],
        None => taken(within.found(&text).await?, taking(false)).await?.evidence(&limits)?,
    };
    let answered = asked.iter().map(|(position, _)| *position).zip(evidence);
    Ok(answered.map(|(position, evidence)| (position, Answer { evidence, sql: text.clone() })).collect())
}

/// The newest operations that failed: those of the last hour or days first, since most often there are enough.
async fn newest_failures(within: &Within, question: &Question) -> Result<Evidence, StoreError> {
    let mut failures = Vec::new();
    for span in within.engine.newest_within(Kind::Operation, question.span) {
        let question = Question { span, ..question.clone() };
        let rows = within.found(&sql::of(&question, &[], 0)).await?;
        let found = taken(rows, Taking::of(&question, Vec::new(), false, false)).await?.evidence(&[None])?;
        if let Some(Evidence::Failures(found)) = found.into_iter().next() {
            failures = found;
        }
        if failures.len() >= FAILURES_MAX {
            break;
        }
    }
    Ok(Evidence::Failures(failures))
}

/// What rows say to a question, while they come in.
async fn taken(rows: impl Stream<Item = Result<RecordBatch, StoreError>>, mut taking: Taking) -> Result<Taking, StoreError> {
    let mut rows = pin!(rows);
    while let Some(batch) = rows.next().await {
        taking.take(&batch?)?;
    }
    Ok(taking)
}

/// Half of the memory of this machine, or of what this process may have of it.
fn questions_bytes() -> u64 {
    static BYTES: LazyLock<u64> = LazyLock::new(|| {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let all = fs::read_to_string("/proc/meminfo").ok();
        let all = all.and_then(|text| number(text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"))?));
        let ours = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| number(&text));
        let bytes = all.map(|kib| kib.saturating_mul(1024)).into_iter().chain(ours).min();
        bytes.map_or(0, |bytes| bytes / 2).max(QUESTIONS_BYTES_MIN)
    });
    *BYTES
}

pub(crate) fn limited(error: DataFusionError) -> StoreError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => StoreError::Memory(questions_bytes()),
        _ => match unanswered(&error) {
            Some(said) => StoreError::Unanswered(said.to_owned()),
            None => error.into(),
        },
    }
}
