//! `milepost report daily`, `weekly` and `monthly`: whole, in each format, on events whose figures `report.rs` works out by hand.
//!
//! `UPDATE_GOLDEN=1 cargo test --workspace --test period_report` writes what is there now; read the difference before you commit it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::Timestamp;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A project of the preset, with these events.
    fn new(events: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.ok(&["init", "--preset", "nix-for-humanity"], "");
        place.ok(&["record"], events);
        place
    }

    /// A project without a preset, in this time zone.
    fn in_zone(zone: &str, events: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        let project = format!(
            "[project]\nname = \"p\"\ntime_zone = \"{zone}\"\n\n[[criterion]]\nname = \"Works\"\ntier = \"must\"\n\
             metric = \"success.rate\"\nabove = \"50%\"\n"
        );
        fs::write(place.path("milepost.toml"), project).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place.ok(&["record"], events);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path()).env("COLUMNS", "100");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("milepost ends")
    }

    fn ok(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["report"], args, &["--format", "json"]].concat(), "")).expect("JSON")
    }

    /// Why a command refuses to work.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    fn reports(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(".milepost/reports/reports")) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

/// Compares with the file of this name, or writes it where that is wanted.
fn is_golden(name: &str, is: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/period_report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, is).expect("written");
    }
    let golden = fs::read_to_string(&path).expect("a golden file");
    assert!(golden == is, "{name} is another now; see the head of this file\n{is}");
}

/// A time zone in which it is noon, so that no test runs into midnight, and the day that it is there.
fn noon() -> (String, Date) {
    let now = Timestamp::now().to_jiff();
    // The names of POSIX: what is east of Greenwich is less.
    let zone = match (12 - now.to_zoned_datetime(TimeZone::UTC).hour()).rem_euclid(24) {
        east @ 0..=14 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", 24 - west),
    };
    let calendar = TimeZone::get(&zone).expect("a time zone");
    (zone, now.to_zoned_datetime(calendar).date())
}

/// An operation of so many days ago.
fn ago(id: &str, days: u64) -> String {
    let at = Timestamp::now().saturating_sub(Duration::from_secs(days * 86400));
    json!({ "v": 1, "kind": "operation", "id": id, "at": at, "operation": "search", "outcome": "ok", "duration_us": 1000 }).to_string()
        + "\n"
}

/// Beside those of `report.rs`: a month before, a decision, and a loosened criterion.
fn events() -> String {
    let mut events = include_str!("report.jsonl").to_owned();
    for index in 0..40 {
        let day = 1 + index % 20;
        let (operation, outcome) = if index % 4 == 0 { ("install", "failed") } else { ("search", "ok") };
        let at = format!("2026-09-{day:02}T10:00:00Z");
        let event = json!({ "v": 1, "kind": "operation", "id": format!("b{index}"), "at": at, "operation": operation, "outcome": outcome, "duration_us": 120_000 });
        events += &format!("{event}\n");
    }
    events += r#"{"v":1,"kind":"note","id":"d1","at":"2026-10-08T09:00:00Z","topic":"decision","text":"Search | <b>first</b>, then install"}
{"v":1,"kind":"note","id":"d2","at":"2026-11-08T09:00:00Z","topic":"decision","text":"Of another month"}
{"v":1,"kind":"criterion","id":"k0","at":"2026-10-02T09:00:00Z","name":"Command success rate","evidence_key":"one","definition":{"above":"99%"}}
{"v":1,"kind":"criterion","id":"k1","at":"2026-10-09T09:00:00Z","name":"Command success rate","evidence_key":"two","definition":{"above":"95%"}}
"#;
    events
}

#[test]
fn each_report_in_each_format_is_as_it_was() {
    let place = Place::new(&events());
    for (rhythm, period) in [("daily", "2026-10-05"), ("weekly", "2026-W41"), ("monthly", "2026-10")] {
        for (format, suffix) in [("table", "txt"), ("markdown", "md"), ("json", "json"), ("html", "html")] {
            let shown = place.ok(&["report", rhythm, "--period", period, "--format", format], "");
            is_golden(&format!("{rhythm}.{suffix}"), &shown);
        }
    }
}

#[test]
fn a_report_has_the_sections_of_its_rhythm_and_tells_what_moved() {
    let place = Place::new(&events());
    let has = |report: &Value, names: &[&str]| names.iter().map(|name| report.get(*name).is_some()).collect::<Vec<_>>();
    let daily = place.json(&["daily", "--period", "2026-10-05"]);
    let (of_day, of_week) = (["performance", "reliability", "memory"], ["code", "learning", "voice", "usability", "progress"]);
    let of_month = ["community", "changes", "adjustments", "feedback", "plan"];
    assert_eq!([has(&daily, &of_day), has(&daily, &of_week)], [vec![true; 3], vec![false; 5]]);
    // Of three operations of that day one failed, on which the P95 falls.
    let rate = 2.0 / 3.0 * 100.0;
    assert_eq!(daily["summary"], json!({ "operations": 3, "success_rate": rate, "p95_ms": null, "failed": 1 }));
    assert_eq!(daily["memory"]["peak_mb"], json!(230.0));

    let weekly = place.json(&["weekly", "--period", "2026-W41"]);
    assert_eq!([has(&weekly, &of_day), has(&weekly, &of_week), has(&weekly, &of_month)], [vec![false; 3], vec![true; 5], vec![false; 5]]);
    let goal = |report: &Value, name: &str| {
        let goals = report["progress"].as_array().expect("goals").clone();
        goals.into_iter().find(|goal| goal["criterion"] == name).expect("the criterion")
    };
    // From 70% to 90%, and 88% are there: nine tenths of the way.
    let coverage = goal(&weekly, "Test coverage");
    let way = coverage["way_percent"].as_f64().expect("a way");
    assert!(coverage["now"]["estimate"] == json!(88.0) && (way - 90.0).abs() < 1e-9, "{coverage:#}");

    let monthly = place.json(&["monthly", "--period", "2026-10"]);
    assert_eq!([has(&monthly, &of_day), has(&monthly, &of_week), has(&monthly, &of_month)], [vec![true; 3], vec![true; 5], vec![true; 5]]);
    // 30 of 40 operations succeeded in September, 4 of 6 in October; `list` is new.
    let works = goal(&monthly, "Command success rate");
    assert_eq!([&works["before"]["n"], &works["before"]["estimate"], &works["now"]["n"]], [&json!(40), &json!(75.0), &json!(6)]);
    let made_of = &works["made_of"];
    assert_eq!([&made_of["new"], &made_of["vanished"]], [&json!(["list"]), &json!([])]);
    let sum = ["rate_effect", "mix_effect"].iter().filter_map(|effect| made_of[*effect].as_f64()).sum::<f64>();
    assert!((sum - (4.0 / 6.0 - 0.75)).abs() < 1e-12, "{sum}");
    let adjusted = &monthly["adjustments"];
    assert_eq!(adjusted["criteria"][1]["direction"], json!("loosened"));
    assert_eq!(adjusted["decisions"].as_array().map(Vec::len), Some(1));
    let scores: Vec<_> = monthly["feedback"].as_array().expect("notes").iter().map(|note| note["score"].clone()).collect();
    assert_eq!(scores, [json!(4.0), json!(5.0), Value::Null]);
    assert!(monthly["plan"].as_array().expect("steps").iter().all(|step| step["verdict_at_end"] != "met"));
}

#[test]
fn what_comes_after_the_end_of_a_period_changes_nothing_in_it() {
    let place = Place::new(&events());
    let args = ["monthly", "--period", "2026-09"];
    let before = place.json(&args);
    place.ok(
        &["record"],
        r#"{"v":1,"kind":"operation","id":"z1","at":"2026-10-01T00:00:00Z","operation":"search","outcome":"failed","duration_us":1}"#,
    );
    assert_eq!(place.json(&args), before);
    // The same from the tables as from the spool, whenever it is made.
    place.ok(&["track"], "");
    assert_eq!(place.json(&args), before);
    place.ok(
        &["record"],
        r#"{"v":1,"kind":"operation","id":"z2","at":"2026-09-30T23:59:59.999999Z","operation":"search","outcome":"failed"}"#,
    );
    assert_eq!(place.json(&args)["events"], json!(41));
}

#[test]
fn a_period_without_events_knows_nothing() {
    let place = Place::new("");
    let report = place.json(&["monthly", "--period", "2026-10"]);
    assert_eq!(report["events"], json!(0));
    assert_eq!(report["summary"], json!({ "operations": 0, "success_rate": null, "p95_ms": null, "failed": 0 }));
    assert_eq!([&report["memory"], &report["code"]["coverage"]], [&Value::Null, &Value::Null]);
    for goal in report["progress"].as_array().expect("goals") {
        assert_eq!(
            [&goal["now"]["estimate"], &goal["way_percent"], &goal["verdict_at_end"]],
            [&Value::Null, &Value::Null, &json!("no_data")]
        );
    }
    let shown = place.ok(&["report", "daily", "--period", "2026-10-05"], "");
    assert!(shown.contains("It rests on 0 events of this day.") && shown.contains("success rate       not known"), "{shown}");
}

#[test]
fn a_period_that_is_not_over_says_so_and_one_that_has_not_begun_is_refused() {
    let (zone, today) = noon();
    let place = Place::in_zone(&zone, &ago("o", 0));
    let month = today.strftime("%Y-%m").to_string();
    let open = place.json(&["monthly", "--period", &month]);
    assert!(open["open_until"].is_string() && open["summary"]["operations"] == json!(1), "{open:#}");
    let shown = place.ok(&["report", "monthly", "--period", &month], "");
    assert!(shown.contains("The month is not over: this is what there was up to"), "{shown}");
    // Without --period, the last one that is over.
    let last = place.json(&["daily"]);
    assert_eq!([&last["period"], &last["open_until"]], [&json!(today.saturating_sub(1.day()).to_string()), &Value::Null]);

    let later = today.saturating_add(2.days()).to_string();
    assert!(place.refused(&["report", "daily", "--period", &later]).contains("has not begun yet"));
    let wrong = place.refused(&["report", "weekly", "--period", "2026-11-20"]);
    assert!(wrong.contains("--period `2026-11-20` is no period of a weekly report: write a week such as 2026-W47"), "{wrong}");
    assert!(place.refused(&["report", "monthly", "--period", "9999-12"]).contains("no period"));
}

#[test]
fn a_day_on_which_the_clocks_change_has_25_hours() {
    let event = |id: &str, at: &str| json!({ "v": 1, "kind": "operation", "id": id, "at": at, "operation": "search", "outcome": "ok", "duration_us": 1000 });
    // The last moment before, the first and the last of it, and the first after.
    let at = ["2026-10-24T21:59:59.999999Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z", "2026-10-25T23:00:00Z"];
    let events: Vec<_> = at.iter().enumerate().map(|(index, at)| event(&index.to_string(), at).to_string()).collect();
    let place = Place::in_zone("Europe/Berlin", &(events.join("\n") + "\n"));
    let report = place.json(&["daily", "--period", "2026-10-25"]);
    assert_eq!([&report["from"], &report["to"]], [&json!("2026-10-24T22:00:00.000000Z"), &json!("2026-10-25T23:00:00.000000Z")]);
    assert_eq!([&report["events"], &report["summary"]["operations"]], [&json!(2), &json!(2)]);
    assert_eq!(place.json(&["daily", "--period", "2026-10-26"])["events"], json!(1));
}

#[test]
fn track_makes_each_report_once_and_a_later_look_tells_what_arrived_since() {
    let (zone, today) = noon();
    // Long enough ago to be of the last week and month, whichever day it is.
    let place = Place::in_zone(&zone, &(ago("a", 1) + &ago("b", 70)));
    let said = place.ok(&["track"], "");
    let day = today.saturating_sub(1.day()).to_string();
    assert!(said.contains(&format!("daily {day}")), "{said}");
    let made = place.reports();
    assert_eq!(made.len(), 9, "{made:?}");
    for suffix in ["html", "json", "md"] {
        assert!(made.contains(&format!("daily_{day}.{suffix}")), "{made:?}");
    }
    let kept = |suffix: &str| fs::read_to_string(place.path(&format!(".milepost/reports/reports/daily_{day}.{suffix}"))).expect("a report");
    let [json, html] = ["json", "html"].map(kept);
    assert_eq!(json, place.ok(&["report", "daily", "--format", "json"], ""));
    assert_eq!(html, place.ok(&["report", "daily", "--format", "html"], ""));

    place.ok(&["record"], &ago("c", 1));
    assert!(!place.ok(&["track"], "").contains("Reports"));
    assert_eq!([kept("json"), kept("html")], [json, html]);
    let shown = place.ok(&["report", "daily"], "");
    assert!(shown.contains("1 event of this day arrived after the report was first made"), "{shown}");
    assert_eq!(place.json(&["daily"])["first_made"]["events"], json!(1));

    // The note that it was made is lost: what was made stays, and is known by what it says.
    fs::remove_file(place.path(".milepost/track.json")).expect("removed");
    place.ok(&["track"], "");
    assert_eq!(place.json(&["daily"])["first_made"]["events"], json!(1));
    assert_eq!(place.reports(), made);
}

#[test]
fn nothing_is_reported_of_a_time_before_the_first_event() {
    let place = Place::in_zone(&noon().0, &ago("o", 0));
    assert!(!place.ok(&["track"], "").contains("Reports"));
    assert_eq!(place.reports(), Vec::<String>::new());
}

#[test]
fn a_label_belongs_to_the_period_of_what_it_labels() {
    let place = Place::new(&events());
    let args = ["weekly", "--period", "2026-W41"];
    let before = place.json(&args);
    let late = r#"{"v":1,"kind":"label","id":"l8","at":"2026-10-20T10:00:00Z","of":"i3","correct":"remove"}
{"v":1,"kind":"label","id":"l9","at":"2026-10-06T10:00:00Z","of":"nothing","correct":"remove"}
{"v":1,"kind":"operation","id":"p9","at":"2026-10-06T10:00:00Z","origin":"probe","operation":"list","outcome":"ok"}
"#;
    place.ok(&["record"], late);
    let after = place.json(&args);
    let number = |report: &Value, pointer: &str| report.pointer(pointer).and_then(Value::as_u64).expect("a number");
    assert_eq!(number(&after, "/events"), number(&before, "/events") + 1);
    assert_eq!(number(&after, "/learning/labelled"), number(&before, "/learning/labelled") + 1);
    assert_eq!(place.json(&["weekly", "--period", "2026-W41", "--origin", "probe"])["summary"]["operations"], json!(2));
}

#[test]
fn the_page_needs_nothing_else_and_escapes_what_strangers_say() {
    let page = Place::new(&events()).ok(&["report", "monthly", "--period", "2026-10", "--format", "html"], "");
    assert!(page.contains("Search | &#60;b&#62;first&#60;/b&#62;, then install"), "{page}");
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
        assert!(!page.replace("url(#hatch)", "").contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
    for verdict in ["not known", "verdict at the end", "of the scorecard at"] {
        assert!(page.contains(verdict), "{verdict}");
    }
}
