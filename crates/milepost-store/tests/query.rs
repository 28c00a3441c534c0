//! SQL of people: what comes back, what is refused, and where it ends.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "query/bad_input.rs"]
mod bad_input;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;

use milepost_record::{Durability, Event, Measurement, Operation, Origin, Outcome, Scalar, Spool, Timestamp};
use milepost_store::{ColumnType, QueryError, QueryLimits, SQL_BYTES_MAX, Store, Table};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

const LIMITS: QueryLimits = QueryLimits { memory_bytes: 512_000_000, time: Duration::from_secs(60), rows: 1000 };

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn events() -> Vec<Event> {
    let operation = |when: &str, name: &str, outcome, us| {
        let mut operation = Operation::new(name, outcome);
        operation.duration_us = us;
        Event::at(at(when), operation)
    };
    let mut hostile = operation("2026-11-21T10:00:00.000001Z", "=cmd|'\u{1b}[31m\nred", Outcome::Failed, None);
    hostile.attributes.insert("door".into(), Scalar::Text("run".to_owned()));
    hostile.attributes.insert("n".into(), Scalar::Integer(3));
    vec![
        operation("2026-11-20T10:00:00Z", "search", Outcome::Ok, Some(100_000)),
        operation("2026-11-20T11:00:00.5Z", "search", Outcome::Ok, Some(500_000)),
        hostile,
        Event::at(at("2026-11-21T10:00:00Z"), Measurement::new("coverage", 81.5)),
    ]
}

fn store(data: &Path, events: &[Event]) -> Store {
    let spool = Spool::open(data).expect("a spool");
    for (index, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event.id.get_or_insert_with(|| format!("id-{index}"));
        event.origin.get_or_insert(Origin::Use);
        spool.append(&event, Durability::Written).expect("appended");
    }
    wait(Store::open(data, at("2026-11-24T12:00:00Z"))).expect("a store")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));
    RUNTIME.block_on(future)
}

fn query(sql: &str, limits: &QueryLimits) -> Result<Table, QueryError> {
    let folder = tempfile::tempdir().expect("a folder");
    wait(store(folder.path(), &events()).query(sql, limits))
}

fn rows(sql: &str) -> Vec<Vec<Value>> {
    query(sql, &LIMITS).unwrap_or_else(|error| panic!("{sql}: {error}")).rows
}

fn names(sql: &str) -> Vec<String> {
    query(sql, &LIMITS).unwrap_or_else(|error| panic!("{sql}: {error}")).columns.into_iter().map(|column| column.name).collect()
}

/// The error that a query ends in, as a person reads it.
fn error(sql: &str) -> QueryError {
    match query(sql, &LIMITS) {
        Ok(table) => panic!("{sql}: {table:?}"),
        Err(error) => error,
    }
}

#[test]
fn values_come_back_as_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = "SELECT operation, duration_us, at, attributes, dry_run, at::date AS day FROM operations ORDER BY at DESC";
    let table = wait(store(folder.path(), &events()).query(sql, &LIMITS)).expect("a table");
    let types: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.of.name())).collect();
    assert_eq!(
        types,
        [
            ("operation", "text"),
            ("duration_us", "number"),
            ("at", "time"),
            ("attributes", "other"),
            ("dry_run", "boolean"),
            ("day", "date")
        ]
    );
    assert_eq!(
        table.rows,
        [
            vec![
                json!("=cmd|'\u{1b}[31m\nred"),
                Value::Null,
                json!("2026-11-21T10:00:00.000001Z"),
                json!({"door": "run", "n": "3"}),
                Value::Null,
                json!("2026-11-21")
            ],
            vec![json!("search"), json!(500_000), json!("2026-11-20T11:00:00.500Z"), json!({}), Value::Null, json!("2026-11-20")],
            vec![json!("search"), json!(100_000), json!("2026-11-20T10:00:00Z"), json!({}), Value::Null, json!("2026-11-20")],
        ]
    );
    assert!(!table.more);
    for (sql, expected) in [
        ("18446744073709551615, -9223372036854775807", json!([u64::MAX, -i64::MAX])),
        ("'nan'::double AS a, 'inf'::double AS b, -'inf'::double AS c, 1e300, 0.1::real", json!(["NaN", "inf", "-inf", 1e300, 0.1])),
        ("2.50::decimal(5,2), '3.00'::decimal(5,2), '12345678901234567.89'::decimal(38,2)", json!([2.5, 3, "12345678901234567.89"])),
        ("[1, NULL], {a: 'b'}, map(['k'], [2]), arrow_cast([1], 'FixedSizeList(1, Int64)')", json!([[1, null], {"a": "b"}, {"k": 2}, [1]])),
        ("arrow_cast('a', 'Dictionary(Int32, Utf8)'), x'ab', NULL, ''", json!(["a", "ab", null, ""])),
        (
            "'2026-01-02T03:04:05+01:00'::timestamptz, '2026-01-02T03:04:05'::timestamp",
            json!(["2026-01-02T02:04:05Z", "2026-01-02T03:04:05"]),
        ),
        ("max(at) AT TIME ZONE 'Europe/Berlin' FROM operations", json!(["2026-11-21T11:00:00.000001+01:00"])),
        ("attributes['door'], n FROM (SELECT *, 1 AS n FROM operations ORDER BY at DESC LIMIT 1)", json!(["run", 1])),
        ("arrow_typeof(now())", json!(["Timestamp(ns, \"UTC\")"])),
    ] {
        assert_eq!(json!(rows(&format!("SELECT {sql}"))[0]), expected, "{sql}");
    }
    assert_eq!(rows("SELECT * FROM sessions"), Vec::<Vec<Value>>::new());
    assert_eq!(names("SELECT * FROM labels").len(), 14);
}

#[test]
fn every_column_has_a_name_of_its_own() {
    for (sql, expected) in [
        ("SELECT count(*), sum(duration_us) / 1000, id AS a FROM operations GROUP BY id", vec!["count(*)", "sum(duration_us) / 1000", "a"]),
        ("SELECT a.id, b.id, b.origin FROM operations a JOIN operations b ON a.id = b.id", vec!["a.id", "b.id", "origin"]),
        ("SELECT * FROM (SELECT 1 AS x) AS a CROSS JOIN (SELECT 2 AS x, 3 AS y) AS b", vec!["a.x", "b.x", "y"]),
        ("SELECT 1 + 1, 2 AS \"1 + 1\"", vec!["1 + 1", "1 + 1 2"]),
    ] {
        assert_eq!(names(sql), expected, "{sql}");
    }
}

#[test]
fn an_explanation_has_one_row_for_each_line() {
    for sql in
        ["EXPLAIN SELECT operation FROM operations WHERE id = 'x'", "EXPLAIN ANALYZE SELECT operation FROM operations WHERE id = 'x'"]
    {
        let rows = rows(sql);
        let texts = rows.iter().flatten().filter_map(Value::as_str);
        assert!(
            rows.len() > 1 && texts.clone().any(|text| text.starts_with("  ")) && !texts.clone().any(|text| text.contains('\n')),
            "{rows:?}"
        );
    }
    assert!(rows("SHOW TABLES").iter().any(|row| row[2] == "operations"));
    assert_eq!(rows("DESCRIBE labels")[12], [json!("of"), json!("Utf8View"), json!("YES")]);
    assert_eq!(rows("SHOW COLUMNS FROM labels").len(), 14);
    assert_eq!(rows("VALUES (1, 'a'), (2, NULL)").len(), 2);
    assert_eq!(rows("WITH x AS (SELECT 1 AS a) SELECT a FROM x; -- the end"), [[json!(1)]]);
}

#[test]
fn nothing_but_reading_is_possible() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.csv");
    let out = out.to_str().expect("UTF-8");
    let data = tempfile::tempdir().expect("a folder");
    let store = store(data.path(), &events());
    for sql in [
        "INSERT INTO operations SELECT * FROM operations",
        "UPDATE operations SET operation = 'x'",
        "DELETE FROM operations",
        "TRUNCATE TABLE operations",
        "MERGE INTO operations USING labels ON true WHEN MATCHED THEN DELETE",
        "WITH x AS (INSERT INTO operations SELECT * FROM operations) SELECT * FROM x",
        "SELECT * INTO made FROM operations",
        "WITH a AS (SELECT 1) SELECT * INTO made FROM a",
        "CREATE TABLE made AS SELECT 1",
        "CREATE VIEW made AS SELECT 1",
        "CREATE SCHEMA made",
        "CREATE DATABASE made",
        "CREATE EXTERNAL TABLE made STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE UNBOUNDED EXTERNAL TABLE made (a INT) STORED AS CSV LOCATION '/dev/zero'",
        "CREATE FUNCTION made(INT) RETURNS INT RETURN $1",
        "CREATE INDEX made ON operations (id)",
        "DROP TABLE operations",
        "DROP VIEW operations",
        "ALTER TABLE operations RENAME TO made",
        &format!("COPY operations TO '{out}'"),
        &format!("COPY (SELECT 1) TO '{out}' STORED AS CSV"),
        &format!("EXPLAIN COPY operations TO '{out}'"),
        &format!("EXPLAIN ANALYZE COPY operations TO '{out}'"),
        "EXPLAIN INSERT INTO operations SELECT * FROM operations",
        "EXPLAIN ANALYZE INSERT INTO operations SELECT * FROM operations",
        "EXPLAIN (ANALYZE) DELETE FROM operations",
        "EXPLAIN CREATE TABLE made AS SELECT 1",
        "EXPLAIN EXPLAIN DROP TABLE operations",
        "SET datafusion.execution.batch_size = 1",
        "SET TIME ZONE 'UTC'",
        "RESET datafusion.execution.batch_size",
        "SHOW ALL",
        "PREPARE made AS SELECT 1",
        "EXECUTE made",
        "DEALLOCATE made",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "VACUUM",
        "ANALYZE TABLE operations COMPUTE STATISTICS",
        "GRANT SELECT ON operations TO PUBLIC",
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA x",
        "USE x",
        "CALL x()",
    ] {
        match wait(store.query(sql, &LIMITS)) {
            Err(QueryError::NotReadOnly(_) | QueryError::Syntax(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert!(folder.path().read_dir().expect("a folder").next().is_none());
    let left = wait(store.query("SELECT count(*) FROM operations", &LIMITS)).expect("a table");
    assert_eq!(left.rows, [[json!(3)]]);
    let tables = wait(store.query("SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'made%'", &LIMITS));
    assert_eq!(tables.expect("a table").rows, Vec::<Vec<Value>>::new());
}

#[test]
fn nothing_outside_the_store_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.csv", "a.json", "a.parquet"] {
        std::fs::write(folder.path().join(name), "a\n1\n").expect("written");
    }
    let path = folder.path().to_str().expect("UTF-8");
    for source in [
        format!("'{path}/a.csv'"),
        format!("\"{path}/a.csv\""),
        format!("'{path}/a.json'"),
        format!("'{path}/a.parquet'"),
        format!("'{path}'"),
        format!("'file://{path}/a.csv'"),
        "'https://example.org/a.csv'".to_owned(),
        "'s3://example/a.csv'".to_owned(),
        "'/etc/passwd'".to_owned(),
        format!("read_csv('{path}/a.csv')"),
        format!("read_json('{path}/a.json')"),
        format!("read_parquet('{path}/a.parquet')"),
        format!("parquet_metadata('{path}/a.parquet')"),
        format!("glob('{path}/*')"),
        "other.public.operations".to_owned(),
    ] {
        let error = error(&format!("SELECT * FROM {source}"));
        assert!(matches!(error, QueryError::UnknownTable { .. }), "{source}: {error}");
    }
    let functions = rows("SELECT DISTINCT routine_name FROM information_schema.routines WHERE function_type <> 'SCALAR' OR true");
    for function in functions.iter().flatten().filter_map(Value::as_str) {
        let reads = ["read", "file", "load", "scan", "glob", "url", "env"].iter().any(|word| function.contains(word));
        // Which row or file of a table a value is from: nothing that is read.
        assert!(!reads || matches!(function, "file_row_index" | "input_file_name"), "{function}");
    }
}

#[test]
fn a_mistake_is_named() {
    for (sql, expected) in [
        ("", "there is no SQL, such as SELECT count(*) FROM operations"),
        (" -- nothing", "there is no SQL, such as SELECT count(*) FROM operations"),
        ("SELECT 1; SELECT 2", "2 statements are too many: one at a time"),
        ("SELEC 1", "this is no SQL: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
        ("SELECT 'a", "this is no SQL: Unterminated string literal at Line: 1, Column: 8"),
        (
            "SELECT * FROM operation",
            "there is no table `operation`; there are criteria, interactions, labels, measurements, memory, notes, operations, segments, \
             sessions, verdicts",
        ),
        (
            "SELECT outcom FROM (SELECT outcome FROM operations)",
            "the query cannot be understood: there is no column outcom. Did you mean 'operations.outcome'? There are outcome",
        ),
        (
            "SELECT \"Outcome\" FROM (SELECT outcome FROM operations)",
            "the query cannot be understood: there is no column \"Outcome\". Did you mean 'operations.outcome'? There are outcome",
        ),
        ("SELECT counts(1)", "the query cannot be understood: Invalid function 'counts'.\nDid you mean 'count'?"),
        ("SELECT 1 / 0", "the query cannot be worked out: Divide by zero error"),
        ("SELECT 'x'::int", "the query cannot be worked out: Cast error: Cannot cast string 'x' to value of Int32 type"),
        (
            "DROP TABLE operations",
            "`DROP TABLE operations` is refused: a query only reads, with SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE",
        ),
    ] {
        let error = error(sql);
        assert_eq!(error.to_string(), expected);
        assert!(error.is_mistake());
    }
    assert!(
        matches!(error(&format!("SELECT {}1{}", "(".repeat(1000), ")".repeat(1000))), QueryError::Syntax(what) if what == "it is nested too deeply")
    );
    assert!(matches!(error(&"x".repeat(SQL_BYTES_MAX + 1)), QueryError::TooLong(bytes) if bytes == SQL_BYTES_MAX + 1));
    // Deep enough to overflow a stack of the usual size.
    assert!(matches!(error(&format!("SELECT {}1)", "1+".repeat(200_000))), QueryError::Syntax(_)));
}

#[test]
fn rows_beyond_the_limit_are_not_left_out_in_silence() {
    for (sql, n, more) in [
        ("SELECT * FROM operations", 2, true),
        ("SELECT * FROM operations LIMIT 2", 2, false),
        ("SELECT * FROM range(1, 1000000000000)", 2, true),
        ("EXPLAIN SELECT * FROM operations", 2, false),
    ] {
        let table = query(sql, &QueryLimits { rows: 2, ..LIMITS }).expect("a table");
        // An explanation has two rows, of which each is several lines.
        assert!(table.rows.len() == n || sql.starts_with("EXPLAIN"), "{sql}: {table:?}");
        assert_eq!(table.more, more, "{sql}");
    }
}

#[test]
fn a_query_ends_at_its_limit_of_time() {
    let limits = QueryLimits { time: Duration::from_millis(300), ..LIMITS };
    for sql in [
        "SELECT count(*) FROM range(1, 1000000000000)",
        // The rows of a join come without a pause in which anything else gets a turn.
        "SELECT count(*) FROM range(1, 100000) a JOIN range(1, 1000000) b ON a.value + b.value < 0",
        "SELECT count(*) FROM range(1, 100000) a CROSS JOIN range(1, 100000) b CROSS JOIN range(1, 100000) c",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        // What takes long is to understand it.
        &format!("SELECT {}1", "1+".repeat(100_000)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path(), &events());
        let began = Instant::now();
        let error = wait(store.query(sql, &limits)).expect_err("a limit");
        assert!(matches!(error, QueryError::Time(_)), "{sql:.80}: {error}");
        assert_eq!(error.to_string(), "the query took longer than 300ms and was ended");
        assert!(!error.is_mistake());
        // Far from 300 ms only where the machine is busy with something else.
        assert!(began.elapsed() < Duration::from_secs(20), "{sql:.80}: {:?}", began.elapsed());
    }
}

#[test]
fn a_query_ends_at_its_limit_of_memory() {
    let limits = QueryLimits { memory_bytes: 5_000_000, rows: usize::MAX, ..LIMITS };
    for sql in [
        "SELECT array_agg(value) FROM range(1, 100000000)",
        "SELECT row_number() OVER (ORDER BY value % 7) FROM range(1, 10000000)",
        "SELECT count(*) FROM range(1, 10000000) a JOIN range(1, 10000000) b ON a.value = b.value",
        "SELECT value % 1000003, count(*) FROM range(1, 10000000) GROUP BY 1",
        // What comes back counts too.
        "SELECT value FROM range(1, 100000000)",
    ] {
        let error = query(sql, &limits).expect_err("a limit");
        assert_eq!(error.to_string(), "the query needs more memory than 5 MB and was ended", "{sql}");
        assert!(!error.is_mistake());
    }
}

/// `docs/tables.md`.
fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tables.md")).expect("a page")
}

#[test]
fn every_view_and_column_is_documented_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path(), &events());
    let views = wait(store.views()).expect("views");
    assert_eq!(
        views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(),
        ["operations", "sessions", "memory", "interactions", "labels", "measurements", "notes", "criteria", "verdicts", "segments"]
    );
    let mut expected = Vec::new();
    for (index, view) in views.iter().enumerate() {
        assert!(!view.about.is_empty(), "{}", view.name);
        let row = |common| {
            let columns = view.columns.iter().filter(move |column| column.common == common);
            columns.map(|column| format!("| `{}` | {} | {} |", column.written, column.column.of.name(), column.about))
        };
        if index == 0 {
            expected.extend(row(true));
        }
        expected.push(format!("### `{}`: {}", view.name, view.about));
        expected.extend(row(false));
        for column in &view.columns {
            assert!(!column.about.is_empty(), "{}.{}", view.name, column.written);
            let sql = format!("SELECT {0} FROM {1} WHERE {0} IS NULL GROUP BY {0} ORDER BY {0}", column.written, view.name);
            let ordered = column.column.of != ColumnType::Other;
            let sql = if ordered { sql } else { format!("SELECT {} FROM {}", column.written, view.name) };
            let table = wait(store.query(&sql, &LIMITS)).unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(table.columns, std::slice::from_ref(&column.column), "{sql}");
        }
    }
    let page = page();
    let described: Vec<_> = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("### `")).collect();
    assert_eq!(described, expected);
}

#[test]
fn the_documented_queries_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path(), &events());
    let page = page();
    let queries: Vec<_> = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(queries.len() >= 5);
    for sql in queries {
        let table = wait(store.query(sql, &LIMITS)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!table.columns.is_empty() && !table.more, "{sql}");
    }
}
