//! SQL of people: one statement that reads, within limits, and what comes back as plain data.

use crate::{StoreError, cluster::unanswered};
use datafusion::{
    arrow::{
        array::{Array, AsArray},
        compute::cast,
        datatypes::{DataType, FieldRef, Float64Type, Int64Type, UInt64Type},
        error::ArrowError,
        record_batch::RecordBatch,
        util::display::{ArrayFormatter, FormatOptions},
    },
    common::{DFSchema, SchemaError, TableReference},
    error::DataFusionError,
    execution::{
        SessionState, SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{GreedyMemoryPool, MemoryConsumer},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::LogicalPlan,
    prelude::{DataFrame, SQLOptions, SessionContext},
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast::{Expr, SelectItem, Statement as SqlStatement, visit_statements},
            parser::ParserError,
        },
    },
};
use futures::StreamExt;
use serde_json::{Number, Value};
use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// The longest SQL, in bytes.
pub const SQL_BYTES_MAX: usize = 1 << 20;

/// For expressions as long as [`SQL_BYTES_MAX`] lets them be, which the engine walks by recursion. Only what is touched counts.
const STACK_BYTES: usize = 1 << 30;

/// How far a query may go.
#[derive(Clone, Copy, Debug)]
pub struct QueryLimits {
    /// Memory for what the engine sorts, groups and joins, and for what comes back.
    pub memory_bytes: usize,
    /// Time for all of it.
    pub time: Duration,
    /// Rows that come back.
    pub rows: usize,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns, no two of the same name.
    pub columns: Vec<Column>,
    /// For each row a value for each column. Times are in RFC 3339. A number that JSON has none for is text: `NaN`, `inf`, and
    /// decimals with more digits than a 64-bit float holds.
    pub rows: Vec<Vec<Value>>,
    /// There are more rows than the limit, and they were left out.
    pub more: bool,
}

/// A column of a [`Table`] or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub of: ColumnType,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Numbers, whole or not.
    Number,
    /// True or false.
    Boolean,
    /// Points in time.
    Time,
    /// Days.
    Date,
    /// Maps, lists, intervals and all else.
    Other,
}

impl ColumnType {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Date => "date",
            Self::Other => "other",
        }
    }

    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) => Self::Time,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Dictionary(_, values) => Self::of(values),
            number if number.is_numeric() => Self::Number,
            _ => Self::Other,
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The SQL is too long.
    #[error("the SQL has {0} bytes, and more than {SQL_BYTES_MAX} are too many")]
    TooLong(usize),
    /// There is no statement.
    #[error("there is no SQL, such as SELECT count(*) FROM operations")]
    Empty,
    /// There are several statements.
    #[error("{0} statements are too many: one at a time")]
    Several(usize),
    /// It is no SQL.
    #[error("this is no SQL: {0}")]
    Syntax(String),
    /// It would do something else than read.
    #[error("`{0}` is refused: a query only reads, with SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE")]
    NotReadOnly(String),
    /// It names a table that does not exist.
    #[error("there is no table `{name}`; there are {known}")]
    UnknownTable {
        /// The name.
        name: String,
        /// The tables that exist.
        known: String,
    },
    /// It names a column or function that does not exist, or asks for what makes no sense.
    #[error("the query cannot be understood: {0}")]
    Wrong(String),
    /// Some value could not be worked out.
    #[error("the query cannot be worked out: {0}")]
    Value(String),
    /// The time limit was reached.
    #[error("the query took longer than {0:?} and was ended")]
    Time(Duration),
    /// The memory limit was reached.
    #[error("the query needs more memory than {} MB and was ended", .0.div_ceil(1_000_000))]
    Memory(usize),
    /// The engine failed.
    #[error("the query engine failed: {0}")]
    Engine(String),
    /// The tables cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl QueryError {
    /// Whether another query would do: neither a limit nor the engine is at fault.
    #[must_use]
    pub const fn is_mistake(&self) -> bool {
        !matches!(self, Self::Time(_) | Self::Memory(_) | Self::Engine(_) | Self::Store(_))
    }

    fn of(error: &DataFusionError, limits: &QueryLimits) -> Self {
        let root = error.find_root();
        match root {
            DataFusionError::SQL(error, _) => Self::Syntax(match error.as_ref() {
                ParserError::TokenizerError(what) | ParserError::ParserError(what) => what.clone(),
                ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
            }),
            DataFusionError::SchemaError(error, _) => Self::Wrong(schema_error(error)),
            DataFusionError::ResourcesExhausted(_) => Self::Memory(limits.memory_bytes),
            DataFusionError::Plan(what) | DataFusionError::NotImplemented(what) | DataFusionError::Configuration(what) => {
                Self::Wrong(plain(what))
            }
            DataFusionError::Execution(what) => match unanswered(error) {
                Some(said) => Self::Engine(format!("the cluster does not answer: {said}")),
                None => Self::Value(plain(what)),
            },
            DataFusionError::ArrowError(error, _) => match error.as_ref() {
                ArrowError::MemoryError(_) => Self::Memory(limits.memory_bytes),
                ArrowError::IoError(..) | ArrowError::ParquetError(_) | ArrowError::ExternalError(_) => Self::Engine(error.to_string()),
                _ => Self::Value(error.to_string()),
            },
            DataFusionError::Internal(what) => Self::Engine(plain(what)),
            other => Self::Engine(plain(&other.message())),
        }
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// A message of the engine without what only its developers read.
fn plain(message: &str) -> String {
    let message = message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    message.split(".\nThis issue was likely caused by").next().unwrap_or_default().trim().to_owned()
}

fn schema_error(error: &SchemaError) -> String {
    let text = error.to_string();
    let SchemaError::FieldNotFound { valid_fields, .. } = error else { return text };
    // What follows is how to configure the engine, which nobody can, and the columns, which are shorter without their table.
    let first = text.lines().next().unwrap_or_default().replacen("No field named", "there is no column", 1);
    let one_table = valid_fields.windows(2).all(|pair| pair[0].relation == pair[1].relation);
    let name = |column: &datafusion::common::Column| if one_table { column.name.clone() } else { column.flat_name() };
    let known: Vec<_> = valid_fields.iter().map(name).collect();
    if known.is_empty() {
        first
    } else {
        format!("{first}{} There are {}", if first.ends_with(['.', '?']) { "" } else { "." }, known.join(", "))
    }
}

/// Runs one statement that reads what the engine's tables hold.
///
/// It runs on a thread of its own, since between two rows of a join nothing else gets a turn: the limit of time holds for whoever
/// waits, and the thread ends as soon as it gets one.
///
/// # Errors
/// Where the statement is wrong, does not only read, or reaches a limit but that of rows.
///
/// # Panics
/// Where the runtime that waits has no timer.
pub(crate) async fn query(engine: &SessionContext, sql: &str, limits: &QueryLimits) -> Result<Table, QueryError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(QueryError::TooLong(sql.len()));
    }
    let failed = |error: std::io::Error| QueryError::Engine(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let state = reading(engine, limits).map_err(|error| QueryError::of(&error, limits))?;
    let (sql, limits) = (sql.to_owned(), *limits);
    let (answer, waiting) = oneshot::channel();
    let work = move || {
        let table = runtime.block_on(async { timeout(limits.time, run(state, &sql, &limits)).await });
        // Nobody waits any more where the time was up.
        let _ = answer.send(table.unwrap_or(Err(QueryError::Time(limits.time))));
    };
    thread::Builder::new().name("query".to_owned()).stack_size(STACK_BYTES).spawn(work).map_err(failed)?;
    match timeout(limits.time, waiting).await {
        Ok(Ok(table)) => table,
        Ok(Err(_)) => Err(QueryError::Engine("it ended without an answer".to_owned())),
        Err(_) => Err(QueryError::Time(limits.time)),
    }
}

/// The engine's tables, in a session that has limits, writes nothing to disk and cannot make tables of files.
fn reading(engine: &SessionContext, limits: &QueryLimits) -> Result<SessionState, DataFusionError> {
    let state = engine.state();
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let mut config = state.config().clone().with_information_schema(true).with_create_default_catalog_and_schema(false);
    // As that of `at`: what the engine calls now would else be a time without a zone.
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let builder = SessionStateBuilder::new_from_existing(state).with_config(config).with_runtime_env(runtime);
    Ok(builder.with_table_factories(HashMap::new()).build())
}

async fn run(state: SessionState, sql: &str, limits: &QueryLimits) -> Result<Table, QueryError> {
    let engine = |error: DataFusionError| QueryError::of(&error, limits);
    let statement = parse(&state, sql).map_err(engine)?;
    let statement = match statement.len() {
        0 => return Err(QueryError::Empty),
        1 => only_reads(statement.into_iter().next().ok_or(QueryError::Empty)?)?,
        several => return Err(QueryError::Several(several)),
    };
    let typed = typed(&statement);
    let tables = state.resolve_table_references(&statement).map_err(engine)?;
    let plan = match state.statement_to_plan(statement).await {
        Ok(plan) => plan,
        Err(error) => return Err(unknown_table(&state, tables).unwrap_or_else(|| engine(error))),
    };
    let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    // What is left is a statement within a statement, such as SELECT … INTO.
    reads.verify_plan(&plan).map_err(|_| QueryError::NotReadOnly(excerpt(sql)))?;

    let names = names(plan.schema(), &typed);
    let explains = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let frame = DataFrame::new(state, plan);
    // An explanation stands alone; all else stops early where the engine knows that it may. It counts in signed numbers.
    let most = limits.rows.saturating_add(1).min(i64::MAX as usize);
    let frame = if explains { frame } else { frame.limit(0, Some(most)).map_err(engine)? };
    let kept = MemoryConsumer::new("result").register(&frame.task_ctx().runtime_env().memory_pool);
    let mut batches = frame.execute_stream().await.map_err(engine)?;
    let types: Vec<_> = batches.schema().fields().iter().map(|field| ColumnType::of(field.data_type())).collect();
    let columns = names.into_iter().zip(types).map(|(name, of)| Column { name, of }).collect();
    let mut table = Table { columns, rows: Vec::new(), more: false };
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(engine)?;
        let room = limits.rows - table.rows.len();
        table.more = batch.num_rows() > room;
        for row in rows(&batch.slice(0, room.min(batch.num_rows())))? {
            kept.try_grow(row.iter().map(weight).sum()).map_err(engine)?;
            table.rows.push(row);
        }
        if table.more {
            break;
        }
    }
    if explains {
        table.rows = table.rows.into_iter().flat_map(lines).collect();
    }
    Ok(table)
}

fn parse(state: &SessionState, sql: &str) -> Result<Vec<Statement>, DataFusionError> {
    let depth = state.config().options().sql_parser.recursion_limit.get();
    Ok(DFParserBuilder::new(sql).with_recursion_limit(depth).build()?.parse_statements()?.into())
}

/// Passes on a statement that only reads, as does every statement within it.
fn only_reads(statement: Statement) -> Result<Statement, QueryError> {
    let mut inner = &statement;
    while let Statement::Explain(explain) = inner {
        inner = &explain.statement;
    }
    let refused = match inner {
        Statement::Statement(sql) => visit_statements(sql, |statement: &SqlStatement| match statement {
            SqlStatement::Query(_)
            | SqlStatement::Explain { .. }
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(other.to_string()),
        }),
        other => ControlFlow::Break(other.to_string()),
    };
    match refused {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(refused) => Err(QueryError::NotReadOnly(excerpt(&refused))),
    }
}

/// The beginning of a statement, enough to recognise it.
fn excerpt(sql: &str) -> String {
    let words: Vec<_> = sql.split_whitespace().take(6).collect();
    words.join(" ").chars().take(60).collect()
}

/// Whether the reason for a failure is a table that does not exist.
fn unknown_table(state: &SessionState, named: Vec<TableReference>) -> Option<QueryError> {
    let exists = |table: &TableReference| {
        state.table_functions().contains_key(table.table())
            || state.schema_for_ref(table.clone()).is_ok_and(|schema| schema.table_exist(table.table()))
    };
    let unknown = named.into_iter().find(|table| !exists(table))?;
    let mut known = state.schema_for_ref(TableReference::bare(unknown.table())).map(|schema| schema.table_names()).unwrap_or_default();
    known.sort();
    Some(QueryError::UnknownTable { name: unknown.to_string(), known: known.join(", ") })
}

/// For each column that a statement asks for, the expression as it was typed, where it has no other name.
fn typed(statement: &Statement) -> Vec<Option<String>> {
    let select = match statement {
        Statement::Statement(sql) => match sql.as_ref() {
            SqlStatement::Query(query) if query.pipe_operators.is_empty() => query.body.as_select(),
            _ => None,
        },
        _ => None,
    };
    let typed = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => None,
        SelectItem::UnnamedExpr(expression) => Some(expression.to_string()),
        _ => None,
    };
    select.map_or_else(Vec::new, |select| select.projection.iter().map(typed).collect())
}

/// The names of the columns that come back. Those that several tables have are told apart by the table.
fn names(schema: &DFSchema, typed: &[Option<String>]) -> Vec<String> {
    // A `*` stands for several columns, so that it is not known which is which.
    let typed = if typed.len() == schema.fields().len() { typed } else { &[] };
    let mut times: HashMap<&str, usize> = HashMap::new();
    for field in schema.fields() {
        *times.entry(field.name()).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let unique = |(index, (table, field)): (usize, (Option<&TableReference>, &FieldRef))| {
        let name = match (typed.get(index), table) {
            (Some(Some(typed)), _) => typed.clone(),
            (_, Some(table)) if times.get(field.name().as_str()).is_some_and(|n| *n > 1) => format!("{table}.{}", field.name()),
            _ => field.name().clone(),
        };
        let numbered = std::iter::once(name.clone()).chain((2u64..).map(|n| format!("{name} {n}")));
        numbered.into_iter().find(|name| taken.insert(name.clone())).unwrap_or(name)
    };
    schema.iter().enumerate().map(unique).collect()
}

fn rows(batch: &RecordBatch) -> Result<Vec<Vec<Value>>, ArrowError> {
    let mut columns: Vec<_> = batch.columns().iter().map(|array| values(array).map(Vec::into_iter)).collect::<Result<_, ArrowError>>()?;
    Ok((0..batch.num_rows()).map(|_| columns.iter_mut().map(|column| column.next().unwrap_or_default()).collect()).collect())
}

/// All values of an array.
pub(crate) fn values(array: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let each = |value: &dyn Fn(usize) -> Result<Value, ArrowError>| -> Result<Vec<Value>, ArrowError> {
        (0..array.len()).map(|row| if array.is_null(row) { Ok(Value::Null) } else { value(row) }).collect()
    };
    let text = || ArrayFormatter::try_new(array, &FormatOptions::new());
    match array.data_type() {
        DataType::Null => Ok(vec![Value::Null; array.len()]),
        DataType::Boolean => each(&|row| Ok(array.as_boolean().value(row).into())),
        DataType::UInt64 => each(&|row| Ok(array.as_primitive::<UInt64Type>().value(row).into())),
        whole if whole.is_integer() => {
            let array = cast(array, &DataType::Int64)?;
            each(&|row| Ok(array.as_primitive::<Int64Type>().value(row).into()))
        }
        DataType::Float64 => each(&|row| {
            let value = array.as_primitive::<Float64Type>().value(row);
            Ok(Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number))
        }),
        number if number.is_numeric() => {
            let text = text()?;
            each(&|row| Ok(number_of(text.value(row).try_to_string()?)))
        }
        DataType::Dictionary(_, of) => values(&cast(array, of)?),
        DataType::FixedSizeList(item, _) | DataType::ListView(item) | DataType::LargeList(item) | DataType::LargeListView(item) => {
            values(&cast(array, &DataType::List(item.clone()))?)
        }
        DataType::List(_) => each(&|row| Ok(Value::Array(values(&array.as_list::<i32>().value(row))?))),
        DataType::Map(..) => each(&|row| {
            let entries = array.as_map().value(row);
            let (keys, of_keys) = (values(entries.column(0))?, values(entries.column(1))?);
            let name = |key| if let Value::String(key) = key { key } else { key.to_string() };
            Ok(Value::Object(keys.into_iter().map(name).zip(of_keys).collect()))
        }),
        DataType::Struct(fields) => {
            let mut columns = Vec::new();
            for column in array.as_struct().columns() {
                columns.push(values(column)?);
            }
            let named = |row: usize| fields.iter().zip(&columns).map(move |(field, of)| (field.name().clone(), of[row].clone()));
            each(&|row| Ok(Value::Object(named(row).collect())))
        }
        _ => {
            let text = text()?;
            each(&|row| Ok(text.value(row).try_to_string()?.into()))
        }
    }
}

/// A number from its digits; text where JSON has no number that says the same.
fn number_of(digits: String) -> Value {
    let shortest = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    if let Ok(whole) = shortest.parse::<i64>() {
        return whole.into();
    }
    match shortest.parse::<f64>() {
        Ok(value) if value.to_string() == shortest => Number::from_f64(value).map_or(Value::String(digits), Value::Number),
        _ => Value::String(digits),
    }
}

/// About how much memory a value takes.
fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            Value::Object(entries) => entries.iter().map(|(name, value)| name.len() + size_of::<String>() + weight(value)).sum(),
            _ => 0,
        }
}

/// A row of an explanation as one row for each line.
fn lines(row: Vec<Value>) -> Vec<Vec<Value>> {
    let mut columns: Vec<_> = row.iter().map(|value| value.as_str().unwrap_or_default().lines()).collect();
    let n = columns.iter().map(|lines| lines.clone().count()).max().unwrap_or(0);
    (0..n).map(|_| columns.iter_mut().map(|lines| lines.next().map_or(Value::Null, Value::from)).collect()).collect()
}
