//! `milepost query`: SQL over the events, within limits; without SQL, what there is to ask.

use super::{Failure, Workplace, print, say, scorecard::wait};
use crate::{
    cli::{Query, RowFormat},
    render::{
        rows::{self, Content, Heading, Section},
        terminal::{self, printable},
    },
};
use milepost_record::Timestamp;
use milepost_store::{ColumnType, QueryError, QueryLimits, SQL_BYTES_MAX, Store, Table, View};
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Read, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

/// How often the size of this process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What planning a query takes, whatever it reads.
const PLANNING_BYTES: u64 = 128_000_000;

pub(super) fn query(query: &Query, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let sql = match query.sql.as_deref() {
        Some("-") => Some(typed()?),
        sql => sql.map(str::to_owned),
    };
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    let store = wait(async { Ok(Store::open_on(data, Timestamp::now(), cluster).await?) })?;
    let Some(sql) = sql else {
        let views = wait(async { Ok(store.views().await?) })?;
        return if query.format == RowFormat::Table { print(&overview(&views)) } else { show(&of_views(&views), query.format) };
    };
    let limits = QueryLimits { memory_bytes: query.max_memory, time: query.max_time, rows: query.max_rows };
    let table = wait(async { Ok(within_memory(store.query(&sql, &limits), limits.memory_bytes).await?) })?;
    let more = table.more;
    let code = show(&(headings(&table), table.rows), query.format)?;
    if more {
        let rows = if limits.rows == 1 { "row is" } else { "rows are" };
        say(&format!("only the first {} {rows} shown; --max-rows raises it", limits.rows));
    }
    Ok(code)
}

/// The SQL on standard input.
fn typed() -> Result<String, Failure> {
    let mut sql = Vec::new();
    // One byte more than is allowed, so that too much is seen to be too much.
    let most = SQL_BYTES_MAX as u64 + 1;
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut sql)
        .map_err(|error| Failure::internal(format!("cannot read standard input: {error}")))?;
    if sql.len() > SQL_BYTES_MAX {
        return Err(Failure::usage(format!("the SQL on standard input has more than {SQL_BYTES_MAX} bytes")));
    }
    String::from_utf8(sql).map_err(|_| Failure::usage("the SQL on standard input is not UTF-8"))
}

/// The engine counts what it sorts, groups, joins and returns, but not what a function makes of a value; so the whole process is
/// looked at beside it.
async fn within_memory(work: impl Future<Output = Result<Table, QueryError>>, limit: usize) -> Result<Table, QueryError> {
    let most = resident().unwrap_or(0).saturating_add(PLANNING_BYTES).saturating_add(2 * limit as u64);
    let mut work = pin!(work);
    loop {
        if let Ok(done) = tokio::time::timeout(LOOK, &mut work).await {
            return done;
        }
        if resident().is_some_and(|now| now > most) {
            return Err(QueryError::Memory(limit));
        }
    }
}

/// Memory of this process, where the operating system tells.
#[cfg(target_os = "linux")]
fn resident() -> Option<u64> {
    Some(procfs::process::Process::myself().ok()?.statm().ok()?.resident * procfs::page_size())
}

#[cfg(not(target_os = "linux"))]
const fn resident() -> Option<u64> {
    None
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        // The engine quotes values, which strangers may have written.
        let text = printable(&error.to_string().replace('\n', " "));
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Time(_) => Self::Internal(format!("{text}; --max-time allows more")),
            QueryError::Memory(_) => Self::Internal(format!("{text}; --max-memory allows more")),
            mistake if mistake.is_mistake() => Self::Usage(text),
            _ => Self::Internal(text),
        }
    }
}

fn headings(table: &Table) -> Vec<Heading> {
    let of = |of| match of {
        ColumnType::Number => Content::Number,
        ColumnType::Boolean | ColumnType::Time | ColumnType::Date => Content::Exact,
        ColumnType::Text | ColumnType::Other => Content::Text,
    };
    table.columns.iter().map(|column| Heading { name: column.name.clone(), of: of(column.of) }).collect()
}

fn show((headings, rows): &(Vec<Heading>, Vec<Vec<Value>>), format: RowFormat) -> Result<ExitCode, Failure> {
    let text = match format {
        RowFormat::Table => return print(&rows::table(headings, rows, terminal::columns())),
        RowFormat::Json => rows::json(headings, rows),
        RowFormat::Csv => rows::csv(headings, rows, io::stdout().is_terminal()),
    };
    // As it is: what programs read may hold what `print` would take for a style.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// The views for people: what they have in common once.
fn overview(views: &[View]) -> String {
    let columns = |view: &View, common: bool| {
        let of = view.columns.iter().filter(|column| column.common == common);
        of.map(|of| [of.written.clone(), of.column.of.name().to_owned(), of.about.to_owned()]).collect::<Vec<_>>()
    };
    let section = |title: &str, about: &str, columns| Section { title: title.to_owned(), about: about.to_owned(), columns };
    let of_events = views.iter().find(|view| view.columns.iter().any(|column| column.common));
    let common = of_events.map(|view| section("Every view of events", "", columns(view, true)));
    let each = views.iter().map(|view| section(&view.name, view.about, columns(view, false)));
    let sections: Vec<_> = common.into_iter().chain(each).collect();
    rows::sections(&sections, terminal::width())
        + "\nA name in double quotes is a word of SQL. For example:\n  milepost query 'SELECT outcome, count(*) FROM operations GROUP BY outcome'\n"
}

/// The views for programs: every column of each.
fn of_views(views: &[View]) -> (Vec<Heading>, Vec<Vec<Value>>) {
    let headings = ["view", "column", "type", "meaning"].map(|name| Heading { name: name.to_owned(), of: Content::Text });
    let row = |view: &View| {
        let name = view.name.clone();
        let of = view.columns.iter();
        of.map(move |of| [&name, &of.column.name, of.column.of.name(), of.about].map(Value::from).to_vec()).collect::<Vec<_>>()
    };
    (headings.to_vec(), views.iter().flat_map(row).collect())
}
