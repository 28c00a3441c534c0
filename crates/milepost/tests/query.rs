//! `milepost query` as a person uses it: what is on the screen, what programs get, and what ends it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Three operations, of which one has a name that attacks whoever looks at it.
const EVENTS: &str = r#"{"v":1,"kind":"operation","id":"a","at":"2026-01-02T03:04:05Z","operation":"search","outcome":"ok","duration_us":100000}
{"v":1,"kind":"operation","id":"b","at":"2026-01-02T03:04:06.5Z","operation":"search","outcome":"ok","duration_us":300000}
{"v":1,"kind":"operation","id":"c","at":"2026-01-02T03:04:07Z","operation":"=cmd|' /C calc'!A0\u001b[31m\nred\u202e","outcome":"failed"}
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.folder.path().join("milepost.toml"), "[project]\nname = \"test\"\n").expect("written");
        fs::create_dir(place.folder.path().join(".milepost")).expect("a folder");
        let output = place.pipe(&["record"], EVENTS.as_bytes());
        assert!(output.status.success(), "{}", stderr(&output));
        place
    }

    fn pipe(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path()).env("COLUMNS", "80");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        // Who refuses an input that is too long does not read all of it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("milepost ends");
        writer.join().expect("no panic");
        output
    }

    fn query(&self, args: &[&str]) -> Output {
        self.pipe(&[&["query"], args].concat(), b"")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.query(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// The exit code and standard error of a query that prints nothing else.
    fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.query(args);
        assert_eq!(stdout(&output), "", "{args:?}");
        (output.status.code(), stderr(&output))
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn a_table_is_aligned_and_strangers_cannot_steer_the_terminal() {
    let place = Place::new();
    assert_eq!(
        place.ok(&["SELECT at, operation, duration_us AS us, avg(duration_us) OVER () AS mean FROM operations ORDER BY id"]),
        "\
at                        operation                                 us      mean
────────────────────────  ────────────────────────────────────  ──────  ────────
2026-01-02T03:04:05Z      search                                100000  200000.0
2026-01-02T03:04:06.500Z  search                                300000  200000.0
2026-01-02T03:04:07Z      =cmd|' /C                               NULL  200000.0
                          calc'!A0\\u{1b}[31m\\u{a}red\\u{202e}
"
    );
    let all = place.ok(&["SELECT * FROM operations ORDER BY id LIMIT 1"]);
    assert!(
        all.starts_with("row 1\n  day              2026-01-02\n  id               a\n  at               2026-01-02T03:04:05Z\n"),
        "{all}"
    );
    assert!(all.contains("\n  error_text       NULL\n"), "{all}");
    assert_eq!(place.ok(&["SELECT id FROM labels"]), "id\n──\nno rows\n");
    // An error quotes what strangers wrote.
    let (code, text) = place.refused(&["SELECT operation::int FROM operations WHERE id = 'c'"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("\\u{1b}[31m red\\u{202e}") && text.lines().count() == 1, "{text}");
}

#[test]
fn json_holds_the_values_themselves() {
    let place = Place::new();
    let sql =
        "SELECT at, operation, duration_us, 18446744073709551615 AS big, 'nan'::double AS nan, attributes FROM operations ORDER BY id DESC";
    let got: Value = serde_json::from_str(&place.ok(&["--format", "json", sql])).expect("JSON");
    assert_eq!(
        got[0],
        json!({
            "at": "2026-01-02T03:04:07Z",
            "operation": "=cmd|' /C calc'!A0\u{1b}[31m\nred\u{202e}",
            "duration_us": null,
            "big": u64::MAX,
            "nan": "NaN",
            "attributes": {"door": "record"}
        })
    );
    assert_eq!(got[1]["duration_us"], 300_000);
    let both = place.ok(&["--format", "json", "SELECT a.id, b.id FROM operations a JOIN operations b ON a.id = b.id ORDER BY 1 LIMIT 1"]);
    assert_eq!(both, "[\n  {\"a.id\": \"a\", \"b.id\": \"a\"}\n]\n");
    assert_eq!(place.ok(&["--format", "json", "SELECT id FROM labels"]), "[]\n");
}

#[test]
fn csv_is_safe_to_open_in_a_spreadsheet() {
    let place = Place::new();
    let sql = "SELECT operation, -(duration_us::bigint) AS us, '' AS nothing FROM operations ORDER BY id DESC";
    assert_eq!(
        place.ok(&["--format", "csv", sql]),
        "operation,us,nothing\r\n\"'=cmd|' /C calc'!A0\u{1b}[31m\nred\u{202e}\",,\"\"\r\nsearch,-300000,\"\"\r\nsearch,-100000,\"\"\r\n"
    );
    assert_eq!(place.ok(&["--format", "csv", "SELECT id FROM labels"]), "id\r\n");
}

#[test]
fn without_sql_the_views_are_shown() {
    let place = Place::new();
    let text = place.ok(&[]);
    for line in [
        "  \"user\"           text     pseudonym of the person",
        "operations: one use of a command or function of the product",
        "  duration_us      number   how long it took, in microseconds",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let columns: Value = serde_json::from_str(&place.ok(&["--format", "json"])).expect("JSON");
    let n = place.ok(&["--format", "json", "SELECT count(*) AS n FROM information_schema.columns WHERE table_schema = 'public'"]);
    let n: Value = serde_json::from_str(&n).expect("JSON");
    assert_eq!(n[0]["n"].as_u64(), columns.as_array().map(|columns| columns.len() as u64));
    assert!(place.ok(&["--format", "csv"]).starts_with("view,column,type,meaning\r\noperations,day,date,"));
}

#[test]
fn sql_comes_from_standard_input_too() {
    let place = Place::new();
    let output = place.pipe(&["query", "-"], b"SELECT count(*) AS n\nFROM operations -- all\n");
    assert_eq!(stdout(&output), "n\n─\n3\n");
    for (input, expected) in [
        (vec![b' '; (1 << 20) + 1], "milepost: the SQL on standard input has more than 1048576 bytes\n"),
        (b"SELECT '\xff'".to_vec(), "milepost: the SQL on standard input is not UTF-8\n"),
        (Vec::new(), "milepost: there is no SQL, such as SELECT count(*) FROM operations\n"),
    ] {
        let output = place.pipe(&["query", "-"], &input);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), expected));
    }
}

#[test]
fn rows_that_are_left_out_are_mentioned() {
    let place = Place::new();
    for (format, expected) in
        [("table", "id\n──\na\nb\n"), ("json", "[\n  {\"id\": \"a\"},\n  {\"id\": \"b\"}\n]\n"), ("csv", "id\r\na\r\nb\r\n")]
    {
        let output = place.query(&["--format", format, "--max-rows", "2", "SELECT id FROM operations ORDER BY id"]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), expected));
        assert_eq!(stderr(&output), "milepost: only the first 2 rows are shown; --max-rows raises it\n");
    }
    place.ok(&["--max-rows", "3", "SELECT id FROM operations"]);
    for wrong in [["--max-rows", "0"], ["--max-rows", "-1"], ["--max-memory", "0MB"], ["--max-memory", "5"], ["--max-time", "0s"]] {
        assert_eq!(place.refused(&[&wrong[..], &["SELECT 1"]].concat()).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn what_does_not_only_read_or_goes_too_far_is_refused() {
    let place = Place::new();
    for (args, code, expected) in [
        (
            vec!["COPY operations TO 'out.csv'"],
            2,
            "milepost: `COPY operations TO out.csv` is refused: a query only reads, with SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or \
             DESCRIBE\n",
        ),
        (
            vec!["SELECT * FROM 'milepost.toml'"],
            2,
            "milepost: there is no table `milepost.toml`; there are criteria, interactions, labels, measurements, memory, notes, operations, segments, \
             sessions, verdicts\n",
        ),
        (
            vec!["SELECT count(*) FROM range(1, 1000000000000)", "--max-time", "300ms"],
            4,
            "milepost: the query took longer than 300ms and was ended; --max-time allows more\n",
        ),
        (
            vec!["SELECT array_agg(value) FROM range(1, 100000000)", "--max-memory", "5MB"],
            4,
            "milepost: the query needs more memory than 5 MB and was ended; --max-memory allows more\n",
        ),
        #[cfg(target_os = "linux")]
        // Nothing that the engine counts.
        (
            vec!["SELECT length(repeat('x', 2000000000))", "--max-memory", "5MB"],
            4,
            "milepost: the query needs more memory than 5 MB and was ended; --max-memory allows more\n",
        ),
    ] {
        let began = Instant::now();
        assert_eq!(place.refused(&args), (Some(code), expected.to_owned()));
        assert!(began.elapsed() < Duration::from_secs(20), "{args:?}: {:?}", began.elapsed());
    }
    assert!(!place.folder.path().join("out.csv").exists());
    assert_eq!(place.ok(&["SELECT count(*) AS n FROM operations"]), "n\n─\n3\n");
}
