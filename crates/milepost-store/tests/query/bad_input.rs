//! Whatever is typed as SQL has an answer, or is told what is wrong; it never ends the program, and never the thread that it runs on.

use super::{
    events,
    mutation::{Chance, changed, worst},
    store, wait,
};
use milepost_store::{QueryError, QueryLimits, Store};
use std::time::{Duration, Instant};

const LIMITS: QueryLimits = QueryLimits { memory_bytes: 64_000_000, time: Duration::from_secs(1), rows: 100 };
/// How many changed statements are tried in a test.
const CHANGED: usize = 60;

const STATEMENTS: &[&str] = &[
    "SELECT operation, count(*) AS n FROM operations WHERE at > now() - interval '1 day' GROUP BY operation ORDER BY n DESC LIMIT 3",
    "SELECT * FROM operations o LEFT JOIN measurements m ON o.id = m.id WHERE o.outcome IN ('ok', 'failed') AND NOT o.dry_run",
    "WITH a AS (SELECT at::date AS day, duration_us / 1e3 AS ms FROM operations) SELECT day, avg(ms) OVER (ORDER BY day) FROM a",
    "SELECT CASE WHEN value > 1 THEN 'a' ELSE substr(name, 1, 2) END, attributes['door'], array_agg(value) FROM measurements",
    "EXPLAIN SELECT 1 UNION ALL SELECT -9223372036854775808",
    "SHOW TABLES",
];

fn try_one(store: &Store, sql: &str) {
    match wait(store.query(sql, &LIMITS)) {
        Ok(table) => assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{sql}"),
        Err(QueryError::Engine(why)) if why.contains("without an answer") => panic!("the engine panics at {sql}"),
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() <= 16 * 1024, "{} bytes for {sql}", said.len());
        }
    }
}

#[test]
fn no_statement_ends_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path(), &events());
    let seeds: Vec<Vec<u8>> = STATEMENTS.iter().map(|sql| sql.as_bytes().to_vec()).collect();
    let read = |bytes: &[u8]| try_one(&store, &String::from_utf8_lossy(bytes));
    for seed in seeds.iter().take(1) {
        worst(seed).iter().for_each(|sql| read(sql));
    }
    // Deep without a parenthesis.
    for (head, each, tail) in [
        ("SELECT 1", "+1", ""),
        ("SELECT ", "NOT ", "true"),
        ("SELECT ", "- ", "1"),
        ("SELECT 1", " UNION ALL SELECT 1", ""),
        ("SELECT 'a'", "||'a'", ""),
        ("SELECT ", "CASE WHEN true THEN ", "1"),
        ("SELECT 1 FROM operations", ", operations", ""),
        ("SELECT 1", ", 1", ""),
        ("SELECT * FROM operations WHERE true", " AND id = 'a'", ""),
    ] {
        for times in [100, 2000] {
            try_one(&store, &format!("{head}{}{tail}", each.repeat(times)));
        }
    }
    let until = std::env::var("MILEPOST_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let (begun, mut tried) = (Instant::now(), 0);
    let mut chance = Chance::new(until.map_or(1, |_| u64::from(std::process::id())));
    while until.map_or(tried < CHANGED, |until| begun.elapsed() < until) {
        read(&changed(&seeds, &mut chance));
        tried += 1;
    }
    if until.is_some() {
        println!("fuzzed sql {tried}");
    }
}
