//! No bytes make any reader of imports panic, and ids follow from what rows say.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::tz::TimeZone;
use milepost_collect::{
    error_category::Rules,
    import::{self, Columns, CsvRows, Format, Ids, KINDS, Line, Surroundings},
};
use milepost_record::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Reads bytes as everything that they could be.
fn read_as_all(bytes: &[u8]) {
    let _ = Format::of(bytes);
    let rules = Rules::defaults();
    let around = Surroundings { zone: &TimeZone::UTC, rules: &rules, pseudonym: &|name| format!("u-{}", name.len()) };
    let event = |names: &[String], row: &[Value]| {
        for kind in KINDS {
            if let Ok(columns) = Columns::new(*kind, names, &[]) {
                if let Ok(event) = columns.event(row, &around) {
                    event.check().expect("an event");
                }
                let _ = (columns.impersonal(row), columns.left_out().count());
            }
        }
    };
    if let Ok(Line::Row(row)) = import::line(bytes) {
        let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        event(&names, &values);
    }
    if let Ok(rows) = CsvRows::new(bytes, bytes) {
        let names = rows.names().to_vec();
        for (_, row) in rows.map_while(Result::ok) {
            if let Ok(row) = row {
                event(&names, &row);
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let now = Timestamp::now();
        for format in [Format::Hyperfine, Format::Bencher, Format::PytestBenchmark, Format::Csv] {
            for whole_commands in [false, true] {
                let _ = import::read(format, text, now, whole_commands);
            }
        }
        let _ = import::criterion(text, text, now, &mut Ids::default());
    }
}

/// Pieces of what the formats are made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\n",
    ";",
    "\t",
    "\r",
    "'",
    "null",
    "true",
    "-1",
    "1e400",
    "1795168802",
    "0.5",
    "18446744073709551616",
    "\"at\"",
    "\"operation\"",
    "\"success\"",
    "\"value\"",
    "\"results\"",
    "\"command\"",
    "\"times\"",
    "\"exit_codes\"",
    "\"benchmarks\"",
    "\"stats\"",
    "\"mean\"",
    "\"v\":1",
    "\"kind\":\"operation\"",
    "at,operation,success",
    "name,value,at",
    "session,at",
    "2026-11-20T10:00:00",
    "+14:00",
    "9999-12-31T23:59:59",
    "PAR1",
    "SQLite format 3\0",
    "\u{feff}",
    "ü",
    "\u{202e}",
];

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_as_all(&bytes);
    }

    #[test]
    fn no_pieces_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        read_as_all(pieces.concat().as_bytes());
    }

    #[test]
    fn no_row_panics(at in ".{0,30}", number in any::<f64>(), text in ".{0,30}", whole in any::<i64>()) {
        for value in [json!(at), json!(number), json!(whole), json!(text), json!([text]), Value::Null] {
            let row = json!({ "at": value, "operation": text, "success": value, "duration_s": value, "exit_code": value });
            read_as_all(row.to_string().as_bytes());
            let row = json!({ "at": "2026-11-20T10:00:00Z", "name": text, "value": value, "recognized": text, "index": value, "session": value });
            read_as_all(row.to_string().as_bytes());
        }
    }
}

fn ids<const N: usize>(rows: [&[(&str, Value)]; N]) -> [String; N] {
    let mut ids = Ids::default();
    rows.map(|row| ids.next("CSV", row.iter().map(|(name, value)| (*name, value))))
}

#[test]
fn an_id_follows_from_what_a_row_says_and_how_often_it_was_said() {
    let (one, other) = ([("a", json!("x")), ("b", json!("y"))], [("a", json!("xy")), ("b", Value::Null)]);
    let first = ids([&one, &one, &other]);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    // Again, among others, and in another order of columns; what says nothing is nothing.
    let turned = [("b", json!("y")), ("c", json!(" ")), ("a", json!("x"))];
    assert_eq!(ids([&other, &turned, &one]), [first[2].clone(), first[0].clone(), first[1].clone()]);
    // Where a name ends and a value begins is told apart.
    let (left, right) = ([("ab", json!(1))], [("a", json!("b1"))]);
    let [left, right] = ids([&left, &right]);
    assert_ne!(left, right);
    // Of another format, it is another row.
    assert_ne!(Ids::default().next("Parquet", one.iter().map(|(name, value)| (*name, value))), first[0]);
}

#[test]
fn a_format_is_known_by_how_it_begins() {
    for (head, format) in [
        ("at,operation\n", Some(Format::Csv)),
        ("\u{feff}{\"at\": 1, \"operation\": \"x\"}\n{", Some(Format::Jsonl)),
        ("{\"at\": 1, \"opera", Some(Format::Jsonl)),
        ("{\"results\":[{\"command\":\"true\"}]}", Some(Format::Hyperfine)),
        ("{\n  \"results\": [\n    {", Some(Format::Hyperfine)),
        ("{\"results\": \"of a row\"}\n", Some(Format::Jsonl)),
        ("{\n    \"machine_info\": {\n", Some(Format::PytestBenchmark)),
        ("{\"a\":{\"latency\":{\"value\":1.5}}}", Some(Format::Bencher)),
        ("{\n  \"a\": {\n    \"latency\"", Some(Format::Bencher)),
        ("PAR1\0\0", Some(Format::Parquet)),
        ("SQLite format 3\0\0", Some(Format::Sqlite)),
        ("[{}]", None),
        ("\u{7f}ELF\0", None),
        ("", None),
    ] {
        assert_eq!(Format::of(head.as_bytes()), format, "{head:?}");
    }
}
