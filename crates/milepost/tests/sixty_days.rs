//! Sixty days of a project, played with the program itself under a clock that is set: what it says each day, whom it
//! tells of what, its reports and its history.
//!
//! It needs `faketime`, which `cargo xtask test` installs. `UPDATE_GOLDEN=1` writes down what came out.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, civil::Date};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const FIRST: Date = Date::constant(2026, 3, 2);
const A_DAY: usize = 40;

const CONFIG: &str = r#"
[project]
name = "played"

[[criterion]]
name = "Fast"
metric = "latency.p95"
below = "500ms"
tier = "must"
since = "2026-01-01"

[[criterion]]
name = "Succeeds"
metric = "success.rate"
above = "95%"
tier = "must"
since = "2026-01-01"

[[criterion]]
name = "Coverage"
metric = "coverage.statements"
above = "90%"
max_age = "14d"
tier = "should"

[[probe]]
operation = "search"
command = ["sh", "-c", "test ! -e broken"]
every = "1h"

[[alert]]
command = ["sh", "-c", "cat >>alerts.jsonl; echo >>alerts.jsonl"]
"#;

struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("milepost.toml")).expect("the configuration");
        assert!(text.contains(from), "{from}");
        fs::write(self.path("milepost.toml"), text.replace(from, to)).expect("written");
    }

    /// What the program says at this time of a day, and whether it went well.
    fn at(&self, day: i32, time: &str, args: &[&str], input: &str) -> String {
        let mut command = Command::new("faketime");
        command.args(["-f", &format!("{} {time}", date(day))]).arg(env!("CARGO_BIN_EXE_milepost")).args(args);
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path()).env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("faketime starts milepost");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("milepost ends");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Operations of a day, of which so many failed; recorded on another day.
    fn operations(&self, of: i32, on: i32, n: usize, failed: usize) {
        let mut lines = String::new();
        for index in 0..n {
            let (outcome, ms) = if index < failed { ("failed", 90) } else { ("ok", 200 + (index * 7919 + of as usize) % 13) };
            writeln!(
                lines,
                "{{\"v\":1,\"kind\":\"operation\",\"at\":\"{}T07:{index:02}:00Z\",\"operation\":\"search\",\"outcome\":\"{outcome}\",\
                 \"duration_us\":{}}}",
                date(of),
                ms * 1000
            )
            .expect("written");
        }
        self.at(on, "08:00:00", &["record"], &lines);
    }
}

fn date(day: i32) -> Date {
    FIRST + (day - 1).days()
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sixty_days").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).expect("written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{} is another: UPDATE_GOLDEN=1 writes down what came out:\n{found}", path.display());
}

/// Each alert on a line, and none twice.
fn told(alerts: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut told = String::new();
    for alert in alerts.lines().filter(|line| !line.is_empty()) {
        let alert: Value = serde_json::from_str(alert).expect("JSON");
        let text = |key: &str| alert[key].as_str().unwrap_or("-").to_owned();
        assert!(seen.insert(text("id")), "twice: {alert}");
        writeln!(told, "{} {} {}", text("at"), text("kind"), text("criterion")).expect("written");
    }
    told
}

#[test]
#[ignore = "it needs faketime; `cargo xtask test` runs it"]
fn sixty_days_with_all_that_happens() {
    let project = Project { folder: tempfile::tempdir().expect("a folder") };
    fs::write(project.path("milepost.toml"), CONFIG).expect("written");
    fs::create_dir(project.path(".milepost")).expect("a folder");
    let mut days = String::new();
    for day in 1..=60 {
        match day {
            5 => fs::write(project.path("broken"), "").expect("written"),
            7 => fs::remove_file(project.path("broken")).expect("removed"),
            10 => _ = project.at(day, "08:00:00", &["record", "note", "--topic", "release", "--product-version", "1.1.0"], ""),
            12 => project.config("below = \"500ms\"", "below = \"800ms\""),
            33 => project.operations(31, day, 20, 0),
            _ => {}
        }
        // Two weeks off: the machine too.
        if (15..=28).contains(&day) {
            continue;
        }
        // Since day 40, one in five fails; since day 50, nobody uses it.
        if day < 50 {
            project.operations(day, day, A_DAY, if day < 40 { 1 } else { 8 });
        }
        if day % 10 == 1 && day < 50 {
            let value = if day < 30 { "88.5" } else { "91.5" };
            project.at(day, "08:00:00", &["record", "measurement", "--name", "coverage.statements", "--value", value, "--unit", "%"], "");
        }
        // Twice, since cron is not the only one who calls it: it changes nothing.
        let track = project.at(day, "09:00:00", &["track"], "");
        let again = project.at(day, "09:00:10", &["track"], "");
        let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
        assert_eq!(last(&track), last(&again), "day {day}");
        let probe = track.lines().find(|line| line.trim_start().starts_with("Probe")).unwrap_or_default();
        let outcome = if probe.contains("failed") { "; the probe fails" } else { "" };
        writeln!(days, "{} {}{outcome}", date(day), last(&track)).expect("written");
    }
    golden("days.txt", &days);
    golden("alerts.txt", &told(&fs::read_to_string(project.path("alerts.jsonl")).expect("alerts")));
    // A report of each day, week and month that was over when it was there, made once; some of them as they are.
    let made = |name: &str| fs::read_to_string(project.path(".milepost/reports/reports").join(name)).expect("a report");
    let reports = fs::read_dir(project.path(".milepost/reports/reports")).expect("reports");
    let names =
        reports.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).filter(|name| name.ends_with(".md"));
    let mut names: Vec<_> = names.collect();
    names.sort();
    golden("reports.txt", &(names.join("\n") + "\n"));
    for name in ["daily_2026-04-11.md", "weekly_2026-W15.md", "monthly_2026-03.md"] {
        golden(name, &made(name));
    }
    // What came two days late is in none that was made, and is told by whoever asks again.
    let late = project.at(60, "10:00:00", &["report", "daily", "--period", &date(31).to_string()], "");
    assert!(late.contains("20 events"), "{late}");
    golden("history.txt", &project.at(60, "10:00:00", &["history"], ""));
}
