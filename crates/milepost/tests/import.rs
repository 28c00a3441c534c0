//! `milepost import`: other systems' records, each row once, the bad ones set aside, and nobody's name kept.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

struct Place(tempfile::TempDir);

const CONFIG: &str = r#"
[project]
name = "shop"
time_zone = "Europe/Berlin"

[[criterion]]
name = "Fast"
metric = "latency.p95"
below = "500ms"
since = "2026-01-01"

[[criterion]]
name = "Imported too"
metric = "success.rate"
above = "90%"
where = { origin = "import" }
since = "2026-01-01"
"#;

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.path("milepost.toml"), CONFIG).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// One of the files beside this test.
    fn copy(&self, name: &str) {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(name), self.path(name)).expect("copied");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Told {
        Told::of(&self.command(args).stdin(Stdio::null()).output().expect("milepost runs"))
    }

    fn pipe(&self, args: &[&str], input: &[u8]) -> Told {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        // A program that has seen enough stops reading.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Told::of(&child.wait_with_output().expect("an end"))
    }

    fn ok(&self, args: &[&str]) -> String {
        let told = self.run(args);
        assert_eq!(told.code, Some(0), "{args:?}: {}{}", told.out, told.err);
        told.out
    }

    fn events(&self) -> Vec<Value> {
        self.ok(&["export"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn set_aside(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path(".milepost/set-aside.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What stands beside a label, over however many lines.
    fn says(&self, label: &str) -> Option<String> {
        let mut lines = self.out.lines().skip_while(|line| !line.trim_start().starts_with(label));
        let first = lines.next()?.trim_start().strip_prefix(label)?.trim().to_owned();
        let rest = lines.take_while(|line| line.starts_with("                    "));
        Some(rest.fold(first, |text, line| text + " " + line.trim()))
    }
}

const CSV: &str = "ts,operation,backend,duration_ms,success,error,user_id,session_id,persona,host
2026-11-20T10:00:00Z,search,native,12.5,true,,rose,s1,Grandma Rose,h
2026-11-20 11:00:01,search,,250,False,could not resolve host,rose,s1,,h
1795168802,install,python,3000,1,,ada,s2,,h
1795168802,install,python,3000,1,,ada,s2,,h
";

#[test]
fn rows_of_csv_become_operations_without_names_and_texts() {
    let place = Place::new();
    place.write("history.csv", CSV);
    let told = place.run(&["import", "history.csv"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.says("Recorded").as_deref(), Some("4 events"));
    assert_eq!(told.says("Left out").as_deref(), Some("columns without a recognised name: host"));
    assert!(told.says("Texts").expect("a word").starts_with("1 left out"), "{told:?}");
    let criteria = told.says("Criteria").expect("which criteria read it");
    assert!(
        criteria.starts_with("of 2 criteria on operations, 1 may read this: Imported too; 1 reads no events of origin import"),
        "{criteria}"
    );
    let events = place.events();
    let of = |key: &str| events.iter().map(|event| event[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("operation"), ["search", "search", "install", "install"]);
    assert_eq!(of("duration_us"), [12_500, 250_000, 3_000_000, 3_000_000]);
    assert_eq!(of("outcome"), ["ok", "failed", "ok", "ok"]);
    assert!(of("origin").iter().all(|origin| origin == "import"));
    // A time without a zone is one of Berlin.
    assert_eq!(of("at")[..2], ["2026-11-20T10:00:00.000000Z", "2026-11-20T10:00:01.000000Z"]);
    assert_eq!(events[1]["error"], serde_json::json!({ "category": "network" }));
    assert_eq!((&events[0]["persona"], &events[0]["session"]), (&"Grandma Rose".into(), &"s1".into()));
    // The version of today is not that of the past.
    assert!(events[0].get("version").is_none());
    let everything = format!("{events:?}");
    assert!(!everything.contains("\"rose\"") && !everything.contains("\"ada\"") && !everything.contains("resolve"), "{everything}");
    // The same person as at every other door.
    place.ok(&["record", "session", "--session", "s1", "--user", "rose"]);
    assert!(place.events().iter().filter(|event| event["user"] == events[0]["user"]).count() == 3);
}

#[test]
fn the_same_file_twice_counts_once_also_grown_and_after_compaction() {
    let place = Place::new();
    place.write("history.csv", CSV);
    place.ok(&["import", "history.csv"]);
    let told = place.run(&["import", "history.csv"]);
    assert_eq!(
        (told.says("Recorded").as_deref(), told.says("There already").as_deref()),
        (Some("0 events"), Some("4 events, as first imported"))
    );
    assert_eq!(place.events().len(), 4);
    place.ok(&["track"]);
    // Another order of columns and rows, a third one that is equal, and a new one.
    let grown = "operation,ts,backend,duration_ms,success,error,user_id,session_id,persona,host
install,1795168802,python,3000,1,,ada,s2,,h
search,2026-11-20T10:00:00Z,native,12.5,true,,rose,s1,Grandma Rose,h
install,1795168802,python,3000,1,,ada,s2,,h
install,1795168802,python,3000,1,,ada,s2,,h
search,2026-11-21T10:00:00Z,native,1,true,,rose,s1,,h
";
    place.write("history.csv", grown);
    let told = place.run(&["import", "history.csv"]);
    assert_eq!(
        (told.says("Recorded").as_deref(), told.says("There already").as_deref()),
        (Some("2 events"), Some("3 events, as first imported"))
    );
    assert_eq!(place.events().iter().filter(|event| event["kind"] == "operation").count(), 6);
}

#[test]
fn bad_rows_are_set_aside_with_their_line_and_without_names() {
    let place = Place::new();
    let rows = "at;operation;success;user;error
2026-11-20T10:00:00Z;search;true;rose;
soon;search;true;rose;
2026-11-20T10:00:00Z;search;maybe;rose;said rose
2026-11-20T10:00:00Z;search
\"2026-11-20T10:00:00Z\";\"two
lines\";true;rose;
2126-11-20T10:00:00Z;search;true;rose;
;search;true;rose;
";
    place.write("rows.csv", rows);
    let told = place.run(&["import", "rows.csv"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert_eq!(told.says("Recorded").as_deref(), Some("2 events"));
    assert!(told.says("Refused").expect("a word").starts_with("5 set aside in"), "{told:?}");
    let aside = place.set_aside();
    assert_eq!(aside.iter().map(|line| line["line"].as_u64().expect("a line")).collect::<Vec<_>>(), [3, 4, 5, 8, 9]);
    assert!(aside.iter().all(|line| line["file"] == "rows.csv" && line["door"] == "import"));
    assert_eq!(aside[0]["text"], r#"{"at":"soon","operation":"search","success":"true"}"#);
    assert!(aside[3]["reason"].as_str().expect("a reason").contains("future"), "{}", aside[3]);
    assert!(!format!("{aside:?}").contains("rose"));
    assert!(place.run(&["doctor"]).out.contains("5 lines that"));
}

#[test]
fn a_dry_run_shows_what_would_be_recorded_and_writes_nothing() {
    let place = Place::new();
    place.write("history.csv", &format!("{CSV}soon,search,,1,true,,rose,,,h\n"));
    let told = place.run(&["import", "history.csv", "--dry-run"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert_eq!((told.says("Would record").as_deref(), told.says("Would refuse").as_deref()), (Some("4 events"), Some("1 row")));
    assert_eq!(told.says("From, to").as_deref(), Some("2026-11-20T10:00:00Z to 2026-11-20T10:00:02Z"));
    assert_eq!(told.out.lines().filter(|line| line.starts_with("{\"v\":1,")).count(), 3);
    assert_eq!(fs::read_dir(place.path(".milepost")).expect("a folder").count(), 0);
    // What is there already is told from what is new.
    place.run(&["import", "history.csv"]);
    let before = fs::read(place.path(".milepost/spool/shared.jsonl")).expect("a segment");
    let again = place.run(&["import", "history.csv", "--dry-run"]);
    assert_eq!(
        (again.says("Would record").as_deref(), again.says("There already").as_deref()),
        (Some("0 events"), Some("4 events, as first imported"))
    );
    assert_eq!(fs::read(place.path(".milepost/spool/shared.jsonl")).expect("a segment"), before);
}

#[test]
fn what_columns_lack_is_said_with_what_there_is_and_a_mapping_mends_it() {
    let place = Place::new();
    place.write("odd.csv", "when,cmd,elapsed,ok,\u{1b}[31mred\n2026-11-20T10:00:00Z,search,0.5,yes,\n");
    let told = place.run(&["import", "odd.csv"]);
    assert_eq!(told.code, Some(2));
    let expected =
        "no column tells at, nor operation, nor outcome or exit_code; there are: when, cmd, elapsed, ok, \\u{1b}[31mred. `--map at=COLUMN`";
    assert!(told.err.contains(expected), "{}", told.err);
    let told = place.run(&["import", "odd.csv", "--map", "at=when,operation=cmd", "--map", "duration_s=elapsed,success=ok"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(place.events()[0]["duration_us"], 500_000);
    assert!(told.out.contains("\\u{1b}[31mred") && !told.out.contains('\u{1b}'), "{told:?}");
    for (map, wrong) in [("at=never", "there is no column `never` to map"), ("nonsense=cmd", "no name that a column can be mapped to")] {
        let told = place.run(&["import", "odd.csv", "--map", map]);
        assert!(told.code == Some(2) && told.err.contains(wrong), "{told:?}");
    }
    place.write("twice.csv", "at,ts,operation,success\n2026-11-20T10:00:00Z,2026-11-20T10:00:00Z,search,1\n");
    assert!(place.run(&["import", "twice.csv"]).err.contains("`at` and `ts` both tell `at`"));
    assert_eq!(place.events().len(), 1);
}

#[test]
fn json_lines_are_rows_or_events_that_keep_their_ids_and_people() {
    let (place, other) = (Place::new(), Place::new());
    other.ok(&["record", "operation", "--operation", "search", "--outcome", "ok", "--user", "rose", "--at", "2026-11-20T10:00:00Z"]);
    other.ok(&["record", "note", "--topic", "release", "--product-version", "1.0", "--at", "2026-11-20T10:00:01Z"]);
    let exported = other.ok(&["export"]);
    let rows = r#"
{"at": 1795168802123, "operation": "install", "success": true, "duration_us": 7, "extra": {"deep": [1]}}
{"operation": "install", "outcome": "timeout", "at": "2026-11-20T12:00:00Z", "exit_code": 124}
{"at": 1795168802123}
{"v": 1, "kind": "operation", "at": "2026-11-20T12:00:00Z", "operation": "mine", "outcome": "ok"}
{"v": 1, "kind": "operation", "at": "2026-11-20T12:00:00Z", "operation": "mine", "outcome": "nonsense"}
no JSON of rose
"#;
    let lines = exported.clone() + rows.trim_start();
    let told = place.pipe(&["import", "-"], lines.as_bytes());
    assert_eq!(told.code, Some(2), "{told:?}");
    assert_eq!(
        (told.says("Recorded").as_deref(), told.says("Left out").as_deref()),
        (Some("5 events"), Some("columns without a recognised name: extra"))
    );
    let aside = place.set_aside();
    assert_eq!(aside.iter().map(|line| line["line"].as_u64()).collect::<Vec<_>>(), [Some(5), Some(7), Some(8)]);
    assert!(aside[1]["text"].as_str().expect("a text").contains("nonsense") && aside[2]["text"] == "");
    let now = place.ok(&["export"]);
    assert!(exported.lines().all(|line| now.contains(line)), "{now}");
    assert_eq!(place.pipe(&["import", "-"], lines.as_bytes()).says("Recorded").as_deref(), Some("0 events"));
    // A whole line that is too long, and one that is too deep, cost only themselves.
    let long = format!(
        "{{\"at\": \"{}\"}}\n{}\n{{\"at\": 1795168802123, \"operation\": \"last\", \"success\": 1}}\n",
        "x".repeat(300_000),
        "[".repeat(200)
    );
    let told = place.pipe(&["import", "-", "--format", "jsonl"], long.as_bytes());
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(2), Some("1 event")), "{told:?}");
}

#[test]
fn a_row_that_the_door_makes_too_long_is_set_aside_and_stops_nothing() {
    const LINE_BYTES_MAX: usize = 256 * 1024;
    let place = Place::new();
    let good = |second| format!("{{\"at\":\"2026-11-20T10:00:0{second}Z\",\"operation\":\"search\",\"success\":true}}\n");
    let mut long = r#"{"v":1,"kind":"operation","at":"2026-11-20T10:00:00Z","operation":"a","outcome":"ok","attributes":{"#.to_owned();
    while long.len() < LINE_BYTES_MAX - 16_100 {
        long += &format!(r#""a{}":"{}","#, long.len(), "x".repeat(16_000));
    }
    // Within the limit as it comes, and beyond it with the id and the machine.
    long += &format!(r#""z":"{}"}}}}"#, "x".repeat(LINE_BYTES_MAX - long.len() - 20));
    let lines = format!("{}{long}\n{}", good(0), good(1));
    place.write("lines.jsonl", &lines);
    let would = place.run(&["import", "lines.jsonl", "--dry-run"]);
    assert_eq!(
        (would.says("Would record").as_deref(), would.says("Would refuse").as_deref()),
        (Some("2 events"), Some("1 row")),
        "{would:?}"
    );
    let told = place.run(&["import", "lines.jsonl"]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(2), Some("2 events")), "{told:?}");
    let aside = place.set_aside();
    assert!(
        aside.len() == 1 && aside[0]["line"] == 2 && aside[0]["reason"].as_str().expect("a reason").contains("`line` has 262"),
        "{aside:?}"
    );
}

#[test]
fn an_import_that_is_killed_and_repeated_counts_once() {
    let place = Place::new();
    let row = |n: usize| format!("2026-11-{:02}T10:00:00Z,search,{n},true\n", 1 + n % 20);
    let head = "at,operation,duration_us,success\n".to_owned();
    let all = (0..20_000).fold(head, |text, n| text + &row(n));
    let half = all.len() / 2;
    let mut child =
        place.command(&["import", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("milepost runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&all.as_bytes()[..half]).expect("written");
    let segment = place.path(".milepost/spool/shared.jsonl");
    while fs::metadata(&segment).map_or(0, |segment| segment.len()) == 0 {
        assert!(child.try_wait().expect("a process").is_none(), "it waits for the rest");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
    drop(stdin);
    let some = place.events().len();
    assert!(some > 0 && some < 20_000, "{some}");
    let told = place.pipe(&["import", "-"], all.as_bytes());
    assert_eq!(told.code, Some(0), "{told:?}");
    let mut durations: Vec<_> = place.events().iter().map(|event| event["duration_us"].as_u64().expect("a number")).collect();
    durations.sort_unstable();
    assert!(durations.iter().copied().eq(0..20_000));
}

#[test]
fn parquet_of_pandas_is_read_by_its_columns() {
    let place = Place::new();
    place.copy("pandas.parquet");
    let told = place.run(&["import", "pandas.parquet", "--origin", "use"]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(2), Some("2 events")), "{told:?}");
    assert_eq!(told.says("Left out").as_deref(), Some("columns without a recognised name: note, tags"));
    let criteria = told.says("Criteria").expect("which criteria read it");
    assert!(criteria.starts_with("of 2 criteria on operations, 1 may read this: Fast;"), "{criteria}");
    let aside = place.set_aside();
    assert!(aside[0]["reason"].as_str().expect("a reason").contains("does not say `at`"), "{}", aside[0]);
    let events = place.events();
    assert_eq!(events[0]["at"], "2026-11-20T09:00:00.000000Z");
    assert_eq!((&events[0]["duration_us"], events[1].get("duration_us")), (&12_500.into(), None));
    assert!(events[0]["user"].as_str().expect("a pseudonym").starts_with("u-"));
    assert_eq!(place.run(&["import", "pandas.parquet"]).says("There already").as_deref(), Some("2 events, as first imported"));
    let bytes = fs::read(place.path("pandas.parquet")).expect("a file");
    for cut in [4, 20, bytes.len() / 2, bytes.len() - 1] {
        fs::write(place.path("torn.parquet"), &bytes[..cut]).expect("written");
        let told = place.run(&["import", "torn.parquet"]);
        assert!(told.code == Some(2) && told.err.contains("torn.parquet: this is no Parquet that can be read"), "{told:?}");
    }
    // At these its reader panics, in the midst of the rows.
    for (at, mask) in [(105, 2), (193, 255), (239, 255)] {
        let mut changed = bytes.clone();
        changed[at] ^= mask;
        fs::write(place.path("changed.parquet"), changed).expect("written");
        let told = place.run(&["import", "changed.parquet", "--dry-run"]);
        let said = "it is damaged in a way that its reader does not expect; nothing after row 0 is read";
        assert!(told.code == Some(2) && told.err.contains(said) && told.err.lines().count() == 1, "{told:?}");
    }
}

#[test]
fn benchmarks_become_operations_where_they_are_runs_and_measurements_where_they_are_means() {
    let place = Place::new();
    for name in ["hyperfine.json", "bencher.json", "pytest-benchmark.json"] {
        place.copy(name);
    }
    let told = place.run(&["import", "hyperfine.json"]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(0), Some("8 events")), "{told:?}");
    let of = |key: &str| place.events().iter().map(|event| event[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("operation").iter().filter(|name| *name == "sh").count(), 4);
    assert_eq!(of("outcome").iter().filter(|outcome| *outcome == "failed").count(), 4);
    assert!(!place.ok(&["export"]).contains("exit 3"), "no arguments");
    // A copy has another time, and says the same.
    fs::File::options()
        .append(true)
        .open(place.path("hyperfine.json"))
        .expect("a file")
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000))
        .expect("a time");
    assert_eq!(place.run(&["import", "hyperfine.json"]).says("There already").as_deref(), Some("8 events, as first imported"));

    let told = place.run(&["import", "bencher.json"]);
    assert_eq!(told.says("Recorded").as_deref(), Some("3 events"), "{told:?}");
    let told = place.run(&["import", "pytest-benchmark.json"]);
    assert_eq!(
        told.says("Of these").expect("groups"),
        "4 operations test_b.py::test_search[10]: 4 ok 1 measurement benchmark.mean 1 measurement benchmark.median"
    );
    let events = place.events();
    let find = |key: &str, value: &str| events.iter().find(|event| event[key] == value).cloned().expect("an event");
    let latency = find("name", "benchmark.latency");
    assert_eq!((&latency["scope"], &latency["value"], &latency["attributes"]["lower"]), (&"search/10".into(), &88.0.into(), &87.42.into()));
    let mean = find("name", "benchmark.mean");
    assert_eq!(
        (&mean["unit"], &mean["scope"], &mean["attributes"]["iterations"]),
        (&"us".into(), &"test_b.py::test_tiny".into(), &10.into())
    );
    assert_eq!(find("operation", "test_b.py::test_search[10]")["commit"], "9f2d6c1c7a4f0f3c5a3b1b1f7f2f6f0e8d5c4b3a");
    assert!(!format!("{events:?}").contains("workstation"), "no machine");
    assert!(place.run(&["import", "bencher.json", "--map", "operation=cmd"]).err.contains("--map is for rows"));
}

#[test]
fn results_of_criterion_are_found_in_their_folders() {
    let place = Place::new();
    let estimate = |ns: f64| {
        format!(
            r#"{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":{},"upper_bound":{}}},"point_estimate":{ns},"standard_error":1.5}}"#,
            ns - 10.0,
            ns + 10.0
        )
    };
    for (name, ns) in [("sort", 1500.0), ("group/merge", 2500.0)] {
        let folder = place.path("target/criterion").join(name).join("new");
        fs::create_dir_all(&folder).expect("folders");
        let benchmark = format!(
            r#"{{"group_id":"{name}","function_id":null,"value_str":null,"throughput":null,"full_id":"{name}","directory_name":"{name}","title":"{name}"}}"#
        );
        fs::write(folder.join("benchmark.json"), benchmark).expect("written");
        fs::write(
            folder.join("estimates.json"),
            format!(
                r#"{{"mean":{},"median":{},"median_abs_dev":{},"slope":null,"std_dev":{}}}"#,
                estimate(ns),
                estimate(ns),
                estimate(1.0),
                estimate(2.0)
            ),
        )
        .expect("written");
        fs::write(folder.join("sample.json"), r#"{"sampling_mode":"Linear","iters":[1.0],"times":[1500.0]}"#).expect("written");
    }
    fs::create_dir_all(place.path("target/criterion/broken/new")).expect("folders");
    place.write("target/criterion/broken/new/benchmark.json", "{");
    let told = place.run(&["import", "target/criterion"]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(0), Some("4 events")), "{told:?}");
    assert!(told.out.contains("criterion/broken/new is left out"), "{told:?}");
    let events = place.events();
    let sort = events.iter().find(|event| event["scope"] == "sort" && event["name"] == "benchmark.mean").expect("an event");
    assert_eq!((&sort["value"], &sort["unit"], &sort["attributes"]["upper"]), (&1.5.into(), &"us".into(), &1.51.into()));
    assert_eq!(place.run(&["import", "target/criterion"]).says("There already").as_deref(), Some("4 events, as first imported"));
    assert!(place.run(&["import", ".milepost"]).err.contains("no result of criterion"));
}

/// A database as Nix for Humanity keeps it, with a write-ahead log.
fn learning(path: &Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(path).expect("a database");
    let mut sql = "PRAGMA journal_mode = WAL;
        CREATE TABLE interactions (query TEXT, intent TEXT, response TEXT, success BOOLEAN, helpful BOOLEAN, timestamp TEXT,
                                   session_id TEXT, user_id TEXT);"
        .to_owned();
    for n in 0..3 {
        let intent = if n == 0 { "NULL" } else { "'install_package'" };
        let _ = write!(
            sql,
            "INSERT INTO interactions VALUES ('please install x', {intent}, 'Done', {}, NULL, '2026-11-20T10:00:0{n}', 's1', 'rose');",
            n % 2
        );
    }
    database.execute_batch(&sql).expect("written");
    database
}

#[test]
fn the_interactions_of_nix_for_humanity_are_taken_for_what_they_say() {
    let place = Place::new();
    drop(learning(&place.path("learning.db")));
    let before = fs::read(place.path("learning.db")).expect("a file");
    let told = place.run(&["import", "learning.db", "--origin", "use"]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(0), Some("3 events")), "{told:?}");
    assert!(told.out.contains("`response` is left out"), "{told:?}");
    let events = place.events();
    assert!(events[0].get("recognized").is_none() && events[1]["recognized"] == "install_package");
    // That a command succeeded does not say that it was the right one.
    assert!(events.iter().all(|event| event.get("correct").is_none() && event.get("text").is_none()));
    assert_eq!(events[1]["attributes"], serde_json::json!({ "door": "import", "success": true }));
    let everything = format!("{events:?}");
    assert!(!everything.contains("rose") && !everything.contains("Done"), "{everything}");
    assert_eq!(place.run(&["import", "learning.db"]).says("There already").as_deref(), Some("3 events, as first imported"));
    // Nothing was written into it or beside it.
    assert_eq!(fs::read(place.path("learning.db")).expect("a file"), before);
    assert!(!place.path("learning.db-wal").exists() && !place.path("learning.db-shm").exists());
}

#[test]
fn a_database_is_read_by_a_query_that_only_reads_also_while_somebody_writes() {
    let place = Place::new();
    let writer = learning(&place.path("live.db"));
    writer
        .execute_batch(
            "CREATE TABLE runs (cmd TEXT, took REAL, code INTEGER, at INTEGER); INSERT INTO runs VALUES ('search', 0.25, 3, 1795168802);",
        )
        .expect("written");
    // What it wrote stands in its log so far.
    let sql = "SELECT cmd AS operation, took AS duration_s, code AS exit_code, at FROM runs";
    let told = place.run(&["import", "live.db", "--sql", sql]);
    assert_eq!((told.code, told.says("Recorded").as_deref()), (Some(0), Some("1 event")), "{told:?}");
    let event = &place.events()[0];
    assert_eq!((&event["outcome"], &event["duration_us"], &event["exit_code"]), (&"failed".into(), &250_000.into(), &3.into()));
    for (sql, wrong) in [
        ("DELETE FROM runs", "has to begin with SELECT"),
        ("ATTACH 'x.db' AS x", "has to begin with SELECT"),
        ("WITH a AS (SELECT 1) DELETE FROM runs", "does not only read"),
        ("SELECT 1; DELETE FROM runs", ""),
        ("SELECT nonsense FROM runs", "nonsense"),
        ("SELECT cmd AS operation FROM runs", "no column tells at"),
    ] {
        let told = place.run(&["import", "live.db", "--sql", sql]);
        assert!(told.code == Some(2) && told.err.contains(wrong), "{sql}: {told:?}");
    }
    let rows: i64 = writer.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 1);
    assert!(!place.path("x.db").exists());
    writer.execute_batch("DROP TABLE interactions").expect("dropped");
    assert!(place.run(&["import", "live.db"]).err.contains("its tables are: runs"));
}

#[test]
fn what_is_nothing_of_the_kind_is_refused() {
    let place = Place::new();
    for (name, bytes, wrong) in [
        ("empty", &b"  \n"[..], "it is empty"),
        ("array.json", b"[{\"at\": 1}]", "one array of JSON"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0", "none of the formats"),
        ("open.csv", &[&b"at,operation,success\n\"2026"[..], &b"x".repeat(600_000)].concat(), "is a quotation mark left open?"),
        ("fake.db", b"SQLite format 3\0nothing else", "cannot be read"),
    ] {
        fs::write(place.path(name), bytes).expect("written");
        let told = place.run(&["import", name]);
        assert!(told.code == Some(2) && told.err.contains(wrong) && told.err.contains(name), "{told:?}");
    }
    assert!(place.run(&["import", "missing.csv"]).err.contains("missing.csv"));
    place.write("history.csv", CSV);
    assert!(place.run(&["import", "history.csv", "--sql", "SELECT 1"]).err.contains("--sql is for databases"));
    let off = Told::of(&place.command(&["import", "history.csv"]).env("DO_NOT_TRACK", "1").output().expect("milepost runs"));
    assert!(off.code == Some(0) && off.err.contains("DO_NOT_TRACK"), "{off:?}");
    assert!(place.events().is_empty());
}
