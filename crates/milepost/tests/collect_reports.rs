//! `milepost collect` of what other tools say: their reports, and the history of git, from the file to the verdict.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use milepost_judge::{Metric, Unit};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant, SystemTime},
};

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

const CONFIG: &str = r#"
[project]
name = "shop"

[[criterion]]
name = "Coverage"
metric = "coverage.statements"
above = "80%"
since = "2020-01-01"
max_age = "14d"

[[criterion]]
name = "Vulnerabilities"
metric = "vulnerabilities.known"
at_most = 0
since = "2020-01-01"

[[criterion]]
name = "Complexity"
metric = "complexity.average"
below = 10
since = "2020-01-01"

[[criterion]]
name = "Failures"
metric = "tests.failed"
at_most = 0
since = "2020-01-01"
"#;

/// A folder with a configuration, and a folder for the data.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with(CONFIG)
    }

    fn with(config: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.write("milepost.toml", config);
        fs::set_permissions(place.path("milepost.toml"), fs::Permissions::from_mode(0o644)).expect("allowed");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("written");
    }

    /// A program in the folder `bin`, which comes first in `PATH`.
    fn program(&self, name: &str, script: &str) {
        fs::create_dir_all(self.path("bin")).expect("a folder");
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("allowed");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        let path = std::env::var("PATH").expect("a path");
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", format!("{}:{path}", self.path("bin").display())).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        let begin = Instant::now();
        let output = self.command(args).output().expect("milepost runs");
        assert!(begin.elapsed() < PATIENCE, "{args:?}");
        output
    }

    fn pipe(&self, args: &[&str], input: File) -> Output {
        self.command(args).stdin(input).output().expect("milepost runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// What is said where something is refused.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert_eq!(text(&output.stdout), "");
        said
    }

    fn events(&self) -> Vec<Value> {
        self.ok(&["export", "--kind", "measurement"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.events().iter().filter(|e| e["name"] == name).map(|e| e["value"].as_f64().expect("a number")).collect()
    }

    fn verdict(&self, criterion: &str) -> String {
        let scorecard: Value = serde_json::from_str(&self.ok(&["status", "--format", "json"])).expect("JSON");
        let all = scorecard["criteria"].as_array().expect("criteria");
        let one = all.iter().find(|c| c["name"] == criterion).expect("the criterion");
        one["verdict"].as_str().expect("a word").to_owned()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn reports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../milepost-collect/tests/reports")
}

fn report(name: &str) -> String {
    fs::read_to_string(reports().join(name)).expect("a report")
}

/// The report of coverage.py, as if made at this time of day.
fn coverage_of(local: &str) -> String {
    let report = report("coverage/coverage-py-7.17.4.json");
    let made = "2026-11-25T12:19:10.674826";
    assert!(report.contains(made));
    report.replace(made, local)
}

/// The time of day in UTC, so long ago.
fn ago(hours: i64) -> String {
    let then = Timestamp::now() - hours.hours();
    then.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

#[test]
fn a_report_becomes_a_verdict_and_counts_once() {
    let place = Place::new();
    assert_eq!(place.verdict("Coverage"), "no_data");
    place.write("coverage.json", coverage_of(&ago(1)));
    let said = text(&place.run(&["collect", "coverage", "coverage.json"]).stderr);
    assert!(said.starts_with("milepost: coverage.json: coverage.py 7.17.4 of "), "{said}");
    assert!(said.contains("coverage.statements 87.7%, coverage.branches 75%"), "{said}");
    fs::copy(place.path("coverage.json"), place.path("copy.json")).expect("copied");
    place.ok(&["collect", "coverage", "coverage.json", "copy.json"]);

    let events = place.events();
    assert_eq!(place.values("coverage.statements"), [100.0 * 64.0 / 73.0]);
    assert_eq!(place.values("coverage.integration_tests"), [1.0]);
    let first = events.first().expect("events");
    for event in &events {
        assert_eq!((&event["at"], &event["source"]), (&first["at"], &Value::from("coverage.py 7.17.4")));
        assert_eq!(event["attributes"]["report"], first["attributes"]["report"]);
        assert_eq!((&event["attributes"]["door"], &event["origin"]), (&"collect".into(), &"use".into()));
    }
    assert_eq!(place.verdict("Coverage"), "met");
    // Also where the tables have it already.
    place.ok(&["track"]);
    place.ok(&["collect", "coverage", "coverage.json"]);
    place.ok(&["track"]);
    assert_eq!(place.events().len(), events.len());
}

#[test]
fn each_kind_feeds_its_criteria() {
    let place = Place::new();
    place.write("radon.json", report("complexity/radon-6.0.1-broken.json"));
    place.write("pytest.xml", report("tests/pytest-9.2.0.xml").replace("2026-11-25T12:20:04.709473+00:00", &format!("{}Z", ago(1))));
    place.write("audit.json", report("audit/pip-audit-2.10.1.json"));
    let said = text(&place.run(&["collect", "complexity", "radon.json"]).stderr);
    assert!(said.contains("radon.json: radon could not look at shop/broken.py (invalid syntax"), "{said}");
    place.ok(&["collect", "tests", "pytest.xml"]);
    let output = place.pipe(&["collect", "audit", "-"], File::open(place.path("audit.json")).expect("a file"));
    assert!(output.status.success() && text(&output.stderr).starts_with("milepost: standard input: pip-audit of "), "{output:?}");
    assert_eq!(place.values("complexity.unreadable_files"), [1.0]);
    assert_eq!(place.values("vulnerabilities.known"), [3.0]);
    let verdicts = ["Complexity", "Failures", "Vulnerabilities"].map(|name| place.verdict(name));
    assert_eq!(verdicts, ["met", "missed", "missed"]);
    let details: Vec<_> = place.events().into_iter().filter(|e| e["name"] == "vulnerabilities.advisory").collect();
    assert!(details.iter().any(|e| e["scope"] == "invented-till" && e["attributes"]["fixed_in"] == "2.0.0"), "{details:?}");

    // The next scan is clean.
    let place = Place::new();
    place.write("audit.json", report("audit/pip-audit-2.10.1-clean.json"));
    place.ok(&["collect", "audit", "audit.json"]);
    assert_eq!(place.verdict("Vulnerabilities"), "met");
}

#[test]
fn a_bad_report_is_one_sentence_and_does_not_stop_the_others() {
    let place = Place::new();
    let whole = coverage_of(&ago(1));
    place.write("good.json", &whole);
    place.write("empty.json", "");
    place.write("cut.json", &whole[..whole.len() / 2]);
    place.write("foreign.txt", "Dear reader");
    place.write("radon.json", report("complexity/radon-6.0.1.json"));
    place.write("\u{1b}[31m.json", "");
    let names = ["empty.json", "cut.json", "foreign.txt", "radon.json", "\u{1b}[31m.json", "nowhere.json", ".milepost", "good.json"];
    let said = place.refused(&[&["collect", "coverage"], &names[..]].concat());
    let lines: Vec<_> = said.lines().collect();
    let expected = [
        "milepost: empty.json: it is empty: did the tool that was to write it fail?",
        "milepost: cut.json: it is a report of coverage.py (JSON) that is damaged, ends too early or is of an unknown version: EOF",
        "milepost: foreign.txt: it is no report that `milepost collect coverage` reads: those are coverage.py (JSON), lcov,",
        "milepost: radon.json: it is a report of radon (cc --json): collect it with `milepost collect complexity`",
        "milepost: \\u{1b}[31m.json: it is empty",
        "milepost: nowhere.json: it is not there",
        "milepost: .milepost: it is no file: name the report itself",
        "milepost: good.json: coverage.py 7.17.4 of",
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(place.values("coverage.statements").len(), 1);
    // No report is no data, and no 0.
    place.write("none.json", "{}");
    assert!(place.refused(&["collect", "complexity", "none.json"]).contains("a report of nothing is no data"));
    assert_eq!(place.verdict("Complexity"), "no_data");
}

#[test]
fn two_hundred_megabytes_of_garbage_are_refused_at_once() {
    let place = Place::new();
    let fill = |name: &str, begin: &str, byte: u8, megabytes: usize| {
        let mut file = BufWriter::new(File::create(place.path(name)).expect("a file"));
        file.write_all(begin.as_bytes()).expect("written");
        for _ in 0..megabytes {
            file.write_all(&[byte; 1_000_000]).expect("written");
        }
        file.flush().expect("written");
    };
    for (name, begin, byte, megabytes, says) in [
        ("letters", "", b'a', 200, "it is no report"),
        ("bytes", "", 0xFE, 200, "it is not UTF-8 text"),
        ("json", "{\"meta\": {}, \"files\": \"", b'a', 200, "damaged, ends too early"),
        ("braces", "", b'{', 200, "it is JSON that is damaged"),
        ("xml", "<coverage line-rate=\"1\"><", b'a', 200, "ends too early"),
        ("larger", "{", b' ', 300, "it is larger than 256 MiB"),
    ] {
        fill(name, begin, byte, megabytes);
        let begin = Instant::now();
        let said = place.refused(&["collect", "coverage", name]);
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
        // A second or two, also without optimisation; more on a busy machine.
        assert!(begin.elapsed() < Duration::from_secs(30), "{name}: {:?}", begin.elapsed());
        fs::remove_file(place.path(name)).expect("removed");
    }
}

#[test]
fn an_old_report_is_stale_and_one_from_the_future_refused() {
    let place = Place::new();
    place.write("old.json", coverage_of(&ago(24 * 20)));
    place.ok(&["collect", "coverage", "old.json"]);
    assert_eq!(place.verdict("Coverage"), "stale");
    place.write("future.json", coverage_of("2999-01-01T00:00:00"));
    let said = place.refused(&["collect", "coverage", "future.json"]);
    assert!(said.contains("it says that it was made at 2999-01-01T00:00:00") && said.contains("is a clock wrong?"), "{said}");
    // Where the report does not say, the file does.
    let set = |name: &str, at: SystemTime| File::open(place.path(name)).expect("a file").set_modified(at).expect("set");
    place.write("radon.json", report("complexity/radon-6.0.1.json"));
    set("radon.json", SystemTime::now() + Duration::from_secs(86400));
    assert!(place.refused(&["collect", "complexity", "radon.json"]).contains("it was last written at"));
    set("radon.json", SystemTime::now() - Duration::from_secs(86400 * 60));
    place.ok(&["collect", "complexity", "radon.json"]);
    assert_eq!(place.verdict("Complexity"), "stale");
    // It ran again and says the same.
    set("radon.json", SystemTime::now());
    place.ok(&["collect", "complexity", "radon.json"]);
    assert_eq!(place.verdict("Complexity"), "met");
}

#[test]
fn a_time_without_a_zone_is_one_of_the_configuration() {
    let place = Place::with(&CONFIG.replace("name = \"shop\"", "name = \"shop\"\ntime_zone = \"Asia/Tokyo\""));
    place.write("coverage.json", coverage_of("2026-01-01T09:00:00"));
    place.ok(&["collect", "coverage", "coverage.json"]);
    assert_eq!(place.events()[0]["at"], "2026-01-01T00:00:00.000000Z");
    // Made in Tokyo where nothing is said of it: not from the future, and not before it was made.
    let place = Place::new();
    place.write("coverage.json", coverage_of(&ago(-9)));
    place.ok(&["collect", "coverage", "coverage.json"]);
    assert_eq!(place.verdict("Coverage"), "met");
}

#[test]
fn what_is_typed_beside_stands_in_every_measurement() {
    let place = Place::new();
    place.write("coverage.json", coverage_of(&ago(1)));
    place.ok(&["collect", "coverage", "--product-version", "1.2.0", "--origin", "test", "--attribute", "branch=main", "coverage.json"]);
    for event in place.events() {
        assert_eq!(
            (&event["version"], &event["origin"], &event["attributes"]["branch"]),
            (&"1.2.0".into(), &"test".into(), &"main".into())
        );
    }
    let output = place.command(&["collect", "coverage", "coverage.json"]).env("DO_NOT_TRACK", "1").output().expect("milepost runs");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), "milepost: not recorded: DO_NOT_TRACK is set\n"));
    assert!(place.refused(&["collect", "coverage", "coverage.json", "--timeout", "3s"]).contains("add --run"));
}

#[test]
fn track_collects_the_reports_of_the_configuration() {
    let collects =
        ["coverage", "complexity", "tests"].map(|kind| format!("[[collect]]\nkind = \"{kind}\"\nfile = \"out/{kind}\"\n")).concat();
    let place = Place::with(&(CONFIG.to_owned() + &collects));
    fs::create_dir(place.path("out")).expect("a folder");
    place.write("out/coverage", coverage_of(&ago(1)));
    place.write("out/tests", "");
    let output = place.run(&["track"]);
    let said = text(&output.stdout);
    // What is not there yet is no mistake; what cannot be used is one.
    assert_eq!(output.status.code(), Some(2), "{said}{}", text(&output.stderr));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["Coverage out/coverage: coverage.py 7.17.4 of", "Complexity out/complexity: it is not there", "Tests out/tests: it is empty"]
    {
        assert!(said.contains(part), "{said}");
    }
    let n = place.events().len();
    assert_eq!((place.values("coverage.statements").len(), place.verdict("Coverage").as_str()), (1, "met"));
    fs::remove_file(place.path("out/tests")).expect("removed");
    assert!(place.ok(&["track"]).contains("Not due yet"));
    place.ok(&["track", "--all"]);
    assert_eq!(place.events().len(), n);
    // Nobody would ever write to it.
    nix::unistd::mkfifo(&place.path("out/tests"), nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    assert_eq!(place.run(&["track", "--all"]).status.code(), Some(2));
}

#[test]
fn a_tool_is_run_and_what_it_prints_is_the_report() {
    let place = Place::new();
    assert!(place.refused(&["collect", "complexity", "--run"]).contains("radon needs files or folders"));
    assert!(place.refused(&["collect", "tests", "--run"]).contains("there is no one tool that runs tests"));
    assert!(place.refused(&["collect", "audit", "--run"]).contains("there is nothing to audit in this folder"));
    let run: &[&str] = &["collect", "complexity", "--run", "--", "my src"];
    let printed = reports().join("complexity/radon-6.0.1.json");
    place.program("radon", &format!("[ \"$*\" = 'cc --json my src' ] && cat '{}'", printed.display()));
    assert!(text(&place.run(run).stderr).starts_with("milepost: radon cc --json: radon of "));
    assert_eq!(place.values("complexity.maximum"), [15.0]);

    for (script, says) in [
        ("exit 0", "it printed nothing (exit code 0)"),
        ("echo 'No data to report.'; exit 1", "it failed (exit code 1), so there is no report: No data to report."),
        ("echo '{}'", "a report of nothing is no data"),
        ("echo hello", "it is no report"),
        ("kill -9 $$", "it failed (exit code 137)"),
        // More than is read ends the tool, not us.
        ("echo '{'; exec cat /dev/zero", "it is larger than 256 MiB"),
    ] {
        place.program("radon", script);
        let said = place.refused(run);
        assert!(said.contains(says) && said.starts_with("milepost: radon cc --json: "), "{script}: {said}");
    }
    place.program("radon", "exec sleep 1000");
    let said = place.refused(&["collect", "complexity", "--run", "--timeout", "200ms", "--", "src"]);
    assert!(said.contains("it took too long and was ended"), "{said}");
    assert_eq!(place.values("complexity.maximum").len(), 1);
    // Nothing of this name is installed.
    let output = place.command(&["collect", "coverage", "--run"]).env("PATH", place.path("empty")).output().expect("milepost runs");
    let said = text(&output.stderr);
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(2), "milepost: cannot start coverage: no such program in the folders of PATH\n")
    );

    // An auditor that found something exits with 1.
    place.write("requirements.txt", "");
    let printed = reports().join("audit/pip-audit-2.10.1.json");
    place.program("pip-audit", &format!("cat '{}'; exit 1", printed.display()));
    place.ok(&["collect", "audit", "--run"]);
    assert_eq!(place.values("vulnerabilities.known"), [3.0]);
    place.write("Cargo.lock", "");
    assert!(place.refused(&["collect", "audit", "--run"]).contains("this folder is of Rust and of Python"));
    fs::remove_file(place.path("requirements.txt")).expect("removed");
    let printed = reports().join("audit/cargo-audit-0.22.2-clean.json");
    place.program("cargo", &format!("[ \"$*\" = 'audit --json' ] && cat '{}'", printed.display()));
    place.ok(&["collect", "audit", "--run"]);
    assert_eq!(place.verdict("Vulnerabilities"), "met");
}

/// What a criterion without data advises, for each figure that some report has.
#[test]
fn the_advice_for_a_figure_is_the_command_that_reads_it() {
    use milepost_collect::Kind::{Audit, Complexity, Coverage, Tests};
    let mut advised = 0;
    for (kind, name) in [
        (Coverage, "coverage/coverage-py-7.17.4.json"),
        (Complexity, "complexity/radon-6.0.1.json"),
        (Tests, "tests/pytest-9.2.0.xml"),
        (Audit, "audit/pip-audit-2.10.1.json"),
    ] {
        let report = milepost_collect::read(kind, report(name).as_bytes()).expect("a report");
        for total in report.totals() {
            let metric: Metric = total.name.parse().expect("a metric");
            let advice = metric.fed_by(Unit::NONE, None);
            assert!(advice.starts_with(&format!("milepost collect {kind} ")), "{}: {advice}", total.name);
            advised += 1;
        }
    }
    assert_eq!(advised, 17);
    let own: Metric = "coverage.of_my_own".parse().expect("a metric");
    assert!(own.fed_by(Unit::NONE, None).starts_with("milepost record measurement"));
}

/// Commits into a repository in the folder `name`, each by its author, at its time, with its message.
fn commit(place: &Place, name: &str, commits: &[(&str, String, &str)]) {
    let git = |args: &[&str], author: &str, at: &str| {
        let (person, address) = author.split_once(" <").unwrap_or((author, "x@example.org>"));
        let mut command = Command::new("git");
        command.arg("-C").arg(place.path(name)).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), person).env(format!("GIT_{role}_EMAIL"), address.trim_end_matches('>'));
            command.env(format!("GIT_{role}_DATE"), at);
        }
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    };
    fs::create_dir_all(place.path(name)).expect("a folder");
    git(&["init", "--quiet"], "x", "2026-01-01T00:00:00Z");
    for (author, at, message) in commits {
        git(&["commit", "--quiet", "--allow-empty", "--message", message], author, at);
    }
}

#[test]
fn contributions_are_those_of_people_outside() {
    let config = "[project]\nname = \"x\"\n[[criterion]]\nname = \"Community\"\nmetric = \"contributions.month\"\nabove = 10\nsince = \"2020-01-01\"\n";
    let place = Place::with(config);
    // Other measurements are no contributions.
    place.ok(&["record", "measurement", "--name", "coverage.statements", "--value", "88"]);
    assert_eq!(place.verdict("Community"), "no_data");

    // In the middle of this month and of the one before, whatever today is; of the future none counts.
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let this = format!("{}T00:00:00Z", today.first_of_month());
    let before = format!("{}-15T12:00:00Z", today.first_of_month().yesterday().expect("a day").strftime("%Y-%m"));
    let commits = [
        ("Rose <rose@example.org>", before.clone(), "Begin"),
        ("Yvo <yvo@example.org>", before.clone(), "Mend"),
        ("yvo <yvo@home.example>", before.clone(), "Mend more"),
        ("Rose <rose@example.org>", before, "Work\n\nCo-authored-by: Bob <bob@example.org>"),
        ("dependabot[bot] <b@example.org>", this.clone(), "Bump"),
        ("Yvo <yvo@example.org>", this, "Again"),
    ];
    commit(&place, "repository", &commits);
    place.write("repository/.mailmap", "Yvo <yvo@example.org> <yvo@home.example>\n");
    place.ok(&["collect", "git", "repository", "--maintainer", "Rose@example.org"]);
    let mut events: Vec<Value> = place.events().into_iter().filter(|e| e["name"] == "contributions.month").collect();
    // Both are of one moment, and their ids are digests: they are printed in any order.
    events.sort_by_key(|event| event["scope"].to_string());
    let of = |index: usize| (events[index]["value"].as_f64(), &events[index]["attributes"]);
    assert_eq!(events.len(), 2);
    let (contributions, attributes) = of(0);
    assert_eq!((contributions, &attributes["people"], &attributes["of_maintainers"]), (Some(3.0), &Value::from(2), &Value::from(1)));
    let (contributions, attributes) = of(1);
    assert_eq!((contributions, &attributes["of_bots"], &attributes["is_closed"]), (Some(1.0), &Value::from(1), &Value::from(false)));
    assert!(!text(&place.run(&["export"]).stdout).to_lowercase().contains("yvo"));
    // The month that is over had three of people outside, and the current one has too few yet.
    assert_eq!(place.verdict("Community"), "missed");
    // The same history again on the same day says nothing new.
    place.ok(&["collect", "git", "repository", "--maintainer", "rose@example.org"]);
    assert_eq!(place.values("contributions.month").len(), 2);
}

#[test]
fn contributions_are_tracked_where_the_configuration_says_so() {
    let config = "[project]\nname = \"x\"\n[[collect]]\nkind = \"git\"\nfolder = \"repository\"\nmaintainers = [\"Rose\"]\n";
    let place = Place::with(config);
    let at = Timestamp::now().to_string();
    commit(&place, "repository", &[("Rose <r@example.org>", at.clone(), "1"), ("Ada <a@example.org>", at, "2")]);
    let said = place.ok(&["track"]);
    assert!(said.contains("repository: 1 in ") && said.contains(" by 1 people"), "{said}");
    assert_eq!(place.values("contributions.month"), [1.0]);
}

#[test]
fn what_would_count_too_few_is_refused() {
    let place = Place::new();
    commit(&place, "whole", &[("Ada", "2026-01-01T00:00:00Z".to_owned(), "1"), ("Ada", "2026-01-02T00:00:00Z".to_owned(), "2")]);
    let url = format!("file://{}", place.path("whole").display());
    let clone = Command::new("git").args(["clone", "--quiet", "--depth", "1", &url]).arg(place.path("shallow")).output().expect("git runs");
    assert!(clone.status.success(), "{}", text(&clone.stderr));
    let said = place.refused(&["collect", "git", "shallow"]);
    assert!(said.contains("this is a shallow clone, which would count too few"), "{said}");
    commit(&place, "young", &[]);
    let said = place.refused(&["collect", "git", "young"]);
    assert!(said.contains("there is no commit yet"), "{said}");
    fs::create_dir(place.path("no-repository")).expect("a folder");
    let said = place.refused(&["collect", "git", "no-repository"]);
    assert!(said.contains("git rev-parse: it failed"), "{said}");
    assert_eq!(place.events().len(), 0);
}
