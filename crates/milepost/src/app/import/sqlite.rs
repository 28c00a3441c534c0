//! The rows of a database of SQLite, which is read only: nothing is written into it or beside it.

use super::super::{Failure, printable};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};
use url::Url;

/// A query that gives no row for so long is ended.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// What SQLite may take, in bytes.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The longest query.
const SQL_BYTES_MAX: usize = 64 * 1024;

/// The table of Nix for Humanity, whose columns are known; `response` is what the product said, and stays where it is.
pub(super) const LEARNING: &str = "interactions";
const LEARNING_COLUMNS: &[&str] = &["timestamp", "intent", "query", "success", "helpful", "session_id", "user_id"];
/// Of these, what is kept as attributes: neither says that the intent was right.
pub(super) const LEARNING_ATTRIBUTES: &[&str] = &["success", "helpful"];

/// A database that is open.
pub(super) struct Database(Connection);

impl Database {
    /// Opens a file. What a writer left in its write-ahead log is read too.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::usage(printable(&format!("cannot read {}: {error}", path.display())));
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(20).read_to_end(&mut head)).map_err(|error| failed(&error))?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
        // Of a database that is read with such a log, which is not there, SQLite would make one.
        let immutable = head.get(19) == Some(&2) && !has_log;
        let path = std::path::absolute(path).map_err(|error| failed(&error))?;
        let mut url = Url::from_file_path(&path).map_err(|()| failed(&"its name is no path"))?;
        url.set_query(Some(if immutable { "mode=ro&immutable=1" } else { "mode=ro" }));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(url.as_str(), flags).map_err(|error| failed(&error))?;
        let careful = format!(
            "PRAGMA hard_heap_limit = {MEMORY_BYTES_MAX}; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON;"
        );
        connection
            .execute_batch(&careful)
            .and_then(|()| connection.busy_timeout(Duration::from_secs(5)))
            .map_err(|error| failed(&error))?;
        Ok(Self(connection))
    }

    /// The query for the interactions of Nix for Humanity, where they are what the database holds.
    pub(super) fn learning(&self) -> Result<Option<String>, Failure> {
        let columns = self.texts("SELECT name FROM pragma_table_info('interactions')")?;
        let there: Vec<_> = LEARNING_COLUMNS.iter().filter(|known| columns.iter().any(|column| column == *known)).copied().collect();
        let is_it = ["timestamp", "intent", "query"].iter().all(|needed| there.contains(needed));
        Ok(is_it.then(|| format!("SELECT {} FROM {LEARNING}", there.join(", "))))
    }

    /// The names of its tables and views.
    pub(super) fn tables(&self) -> Result<Vec<String>, Failure> {
        self.texts("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name LIMIT 50")
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>, Failure> {
        let texts = || self.0.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>();
        texts().map_err(|error| Failure::usage(printable(&format!("this database cannot be read: {error}"))))
    }

    /// Names of columns come from the query, and from what made tables and views: of one that is no UTF-8, `rusqlite` makes a panic.
    fn has_names_of_text(&self) -> Result<(), Failure> {
        let is_text = |made: ValueRef<'_>| made.as_bytes_or_null().is_ok_and(|made| made.is_none_or(|made| str::from_utf8(made).is_ok()));
        let all = || -> Result<bool, rusqlite::Error> {
            let mut statement = self.0.prepare("SELECT sql FROM sqlite_schema")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !is_text(row.get_ref(0)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match all() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::usage("this database cannot be read: what made a table of it is no UTF-8")),
            Err(error) => Err(Failure::usage(printable(&format!("this database cannot be read: {error}")))),
        }
    }

    /// Visits the rows of a query that only reads: first `names` is told the names of its columns, then `visit` each row with its number.
    pub(super) fn rows<S>(
        &self,
        sql: &str,
        names: impl FnOnce(&[String]) -> Result<S, Failure>,
        mut visit: impl FnMut(&mut S, u64, Vec<Value>) -> Result<(), Failure>,
    ) -> Result<S, Failure> {
        let refused = |error: rusqlite::Error| Failure::usage(printable(&format!("the query failed: {error}")));
        reads(sql)?;
        self.has_names_of_text()?;
        let mut statement = self.0.prepare(sql).map_err(refused)?;
        if !statement.readonly() || statement.column_count() == 0 {
            return Err(Failure::usage("the query of --sql does not only read: write a SELECT"));
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut state = names(&columns)?;
        let watched = Watched::over(&self.0, SILENCE_MAX);
        let mut rows = statement.query([]).map_err(refused)?;
        let mut number = 0;
        loop {
            let row = rows.next().map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::OperationInterrupted) => {
                    Failure::usage(format!("the query gave no row for {} seconds, and was ended", SILENCE_MAX.as_secs()))
                }
                _ => refused(error),
            })?;
            let Some(row) = row else { return Ok(state) };
            number += 1;
            watched.steps.fetch_add(1, Ordering::Relaxed);
            let values = (0..columns.len()).map(|column| row.get_ref(column).map(value)).collect::<Result<_, _>>().map_err(refused)?;
            visit(&mut state, number, values)?;
            watched.steps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether SQL is one that reads, by its first word: what else there is attaches, pragmas and writes.
fn reads(sql: &str) -> Result<(), Failure> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(Failure::usage(format!("the query of --sql has more than {SQL_BYTES_MAX} bytes")));
    }
    let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
    if ["SELECT", "WITH", "VALUES"].contains(&first.as_str()) {
        return Ok(());
    }
    Err(Failure::usage("the query of --sql has to begin with SELECT, WITH or VALUES"))
}

/// A blob is no plain value, and so none.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
    }
}

/// Ends a query that comes no further.
struct Watched {
    steps: Arc<AtomicU64>,
    /// Dropped, it ends the watch.
    _done: Sender<()>,
}

impl Watched {
    fn over(connection: &Connection, silence: Duration) -> Self {
        let (done, is_done) = channel();
        let (steps, interrupt) = (Arc::new(AtomicU64::new(0)), connection.get_interrupt_handle());
        let seen = steps.clone();
        thread::spawn(move || {
            let mut before = None;
            while is_done.recv_timeout(silence) == Err(RecvTimeoutError::Timeout) {
                let now = seen.load(Ordering::Relaxed);
                // Odd while a row is looked at by us, which is no fault of the query.
                if now.is_multiple_of(2) && before == Some(now) || before.is_none() && now == 0 {
                    interrupt.interrupt();
                }
                before = Some(now);
            }
        });
        Self { steps, _done: done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_comes_no_further_is_ended() {
        let connection = Connection::open_in_memory().expect("a database");
        let watched = Watched::over(&connection, Duration::from_millis(20));
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let error = connection.query_row(endless, [], |row| row.get::<_, i64>(0)).expect_err("no end");
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted), "{error}");
        drop(watched);
    }
}
