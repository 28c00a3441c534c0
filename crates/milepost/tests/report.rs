//! `milepost report full` on events whose figures were worked out by hand, and `--exact` on events that are worked out one by one.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

#[path = "report/exact.rs"]
mod exact;

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

    /// A folder with this configuration, and no event.
    fn with(config: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::write(place.folder.path().join("milepost.toml"), config).expect("written");
        place
    }

    fn pipe(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path()).env("COLUMNS", "80");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("milepost ends")
    }

    fn ok(&self, args: &[&str], input: &str) -> String {
        let output = self.pipe(args, input);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn report(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["report", "full", "--format", "json"], args].concat(), "")).expect("JSON")
    }
}

/// Three people, nine operations of theirs, one of a probe; two arms, a run of memory, two reports of a coverage tool.
const EVENTS: &str = include_str!("report.jsonl");

#[test]
fn every_figure_is_what_a_person_works_out() {
    let place = Place::new(EVENTS);
    let report = place.report(&[]);
    let at = |pointer: &str| report.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {report:#}")).clone();
    let figures = |pointer: &str| ["count", "success_rate", "p50_ms", "p95_ms"].map(|name| at(&format!("{pointer}/{name}")));

    // Four succeeded after 90, 150, 700 and 1000 ms; three failed, so the fourth of seven is the median, and the P95 is a failure.
    let rate = 4.0 / 7.0 * 100.0;
    assert_eq!(figures("/performance/overall"), [json!(7), json!(rate), json!(1000.0), Value::Null]);
    assert_eq!([at("/performance/overall/cancelled"), at("/performance/overall/dry_runs")], [json!(1), json!(1)]);
    assert_eq!(
        at("/performance/overall/successes"),
        json!({ "n": 4, "p50_ms": 150.0, "p95_ms": 1000.0, "p99_ms": 1000.0, "mean_ms": 485.0 })
    );
    // An alias is counted as what it stands for: four searches, not three and one.
    assert_eq!(at("/performance/by_operation/2/operation"), json!("search"));
    assert_eq!(figures("/performance/by_operation/2"), [json!(4), json!(50.0), json!(1000.0), Value::Null]);
    assert_eq!(figures("/performance/by_backend/1"), [json!(4), json!(50.0), json!(1000.0), Value::Null]);
    assert_eq!(figures("/performance/by_operation_and_backend/1"), [json!(1), json!(100.0), json!(700.0), json!(700.0)]);
    let violation = |name: &str, limit: f64| json!({ "operation": name, "p95_ms": null, "limit_ms": limit, "over_percent": null });
    assert_eq!(at("/performance/violations"), json!([violation("install", 500.0), violation("search", 200.0)]));

    assert_eq!(at("/reliability/overall_success_rate"), json!(rate));
    assert_eq!(at("/reliability/mean_of_rates"), json!((50.0 + 100.0 + 50.0) / 3.0));
    assert_eq!(at("/reliability/errors"), json!([{ "category": "network", "count": 2 }, { "category": null, "count": 1 }]));
    assert_eq!([at("/reliability/target"), at("/reliability/below_target")], [json!(95.0), json!(["install", "search"])]);

    let memory = ["current_mb", "average_mb", "peak_mb", "variation_mb", "stable", "trend", "cpu_percent", "readings", "incomplete"];
    let memory = memory.map(|name| at(&format!("/memory/{name}")));
    // 2.5 s of CPU in the 20 s of the run.
    assert_eq!(json!(memory), json!([230.0, 215.0, 230.0, 30.0, true, "increasing", 12.5, 2, 1]));

    // The first person begins and comes back a month later; the second fails, and succeeds an hour later, in another session; the
    // third never says when he begins.
    let counts = ["sessions", "users", "users_without_start", "commands_attempted", "commands_succeeded"];
    assert_eq!(json!(counts.map(|name| at(&format!("/usability/{name}")))), json!([5, 3, 1, 7, 4]));
    assert_eq!(json!(["starters", "succeeded", "gave_up", "running"].map(|n| at(&format!("/usability/{n}")))), json!([2, 1, 1, 0]));
    let first =
        ["median_s", "mean_of_successes_s", "within_30s_percent", "within_30s_of_successes_percent", "attempts_before_first_success"];
    assert_eq!(json!(first.map(|name| at(&format!("/usability/{name}")))), json!([20.0, 20.0, 50.0, 100.0, 2.0]));

    // Of two labels, the newest counts; where nothing was recognised, the intent was not.
    let arm = |name: &str, labelled: u64, accuracy: f64| json!({ "arm": name, "users": 1, "interactions": 2, "labelled": labelled, "correct": 1, "accuracy": accuracy });
    assert_eq!(at("/learning/arms"), json!([arm("control", 2, 50.0), arm("learning", 1, 100.0)]));
    assert_eq!([at("/learning/improvement_points"), at("/learning/target_reached")], [json!(50.0), Value::Null]);
    assert_eq!([at("/voice/accuracy"), at("/voice/word_error_rate")], [json!(100.0), json!(0.25)]);

    // Who began on 5 October is there again on 3 November: day 29, in the fourth week.
    assert_eq!(at("/retention/week4"), json!({ "mature": 3, "active": 1, "immature": 0, "rate": 1.0 / 3.0 * 100.0 }));
    assert_eq!(at("/retention/cohorts/0/week"), json!("2026-W41"));

    let maya = report["personas"].as_array().expect("personas").iter().find(|persona| persona["persona"] == "maya").expect("Maya");
    assert_eq!([&maya["limit_ms"], &maya["p95_ms"]], [&json!(1000.0), &json!(150.0)]);
    assert_eq!(report["personas"].as_array().expect("personas").len(), 11);

    let coverage = ["source", "statements_percent", "covered", "of", "branches_percent"].map(|name| at(&format!("/code/coverage/{name}")));
    assert_eq!(json!(coverage), json!(["coverage.py 7.6", 88.0, 440, 500, null]));
    assert_eq!(at("/code/coverage/files_below_80"), json!([{ "file": "src/a.py", "percent": 40.0 }]));
    assert_eq!(at("/code/complexity/worst"), json!([{ "name": "f", "complexity": 12.0, "file": "src/a.py", "line": 7 }]));
    assert_eq!([at("/code/tests"), at("/code/vulnerabilities")], [Value::Null, Value::Null]);
    assert_eq!(at("/community/contributions"), json!([{ "month": "2026-10", "contributions": 11.0 }]));
    assert_eq!(at("/community/feedback"), json!({ "notes": 3, "scores": 2, "mean_score": 4.5 }));

    // The same from the tables as from the spool.
    place.ok(&["track"], "");
    let without_end = |mut report: Value| {
        report["to"] = Value::Null;
        report
    };
    assert_eq!(without_end(place.report(&[])), without_end(report));
}

#[test]
fn periods_and_origins_are_told_apart() {
    let place = Place::new(EVENTS);
    let count = |args: &[&str]| place.report(args)["performance"]["overall"]["count"].clone();
    assert_eq!(count(&["--from", "2026-11-01T00:00:00Z"]), json!(1));
    assert_eq!(count(&["--to", "2026-10-06T10:00:40Z"]), json!(3));
    assert_eq!(count(&["--origin", "probe"]), json!(1));
    assert_eq!(count(&["--origin", "use,probe"]), json!(8));
    // Who began before the period is not new in it; and whose operations came before the start never said when they began.
    let starters = |args: &[&str]| place.report(args)["usability"]["starters"].clone();
    assert_eq!(starters(&["--from", "2026-10-06T00:00:00Z"]), json!(1));
    place.ok(&["record"], "{\"v\":1,\"kind\":\"session\",\"at\":\"2026-10-07T12:00:00Z\",\"user\":\"u-c\",\"session\":\"3\"}\n");
    assert_eq!(starters(&[]), json!(2));
    let output = place.pipe(&["report", "full", "--from", "2026-10-06T00:00:00Z", "--to", "2026-10-06T00:00:00Z"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the period is empty"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_nobody_has_labelled_is_listed_and_can_be() {
    let place = Place::new(EVENTS);
    let listed = place.ok(&["label"], "");
    assert!(listed.contains("2026-10-05T10:00:02.000000Z  i3  learning  install"), "{listed}");
    assert!(!listed.contains("i1") && !listed.contains("i2") && !listed.contains("i4"), "{listed}");
    place.ok(&["label", "i3", "remove"], "");
    assert_eq!(place.ok(&["label"], ""), "every interaction is labelled\n");
    let learning = |report: Value| report["learning"]["arms"][1]["accuracy"].clone();
    assert_eq!(learning(place.report(&[])), json!(50.0));
    // The newest counts.
    place.ok(&["label", "i3", "install"], "");
    assert_eq!(learning(place.report(&[])), json!(100.0));
    let output = place.pipe(&["label", "i9'--", "install"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no interaction `i9'--`"));
}

#[test]
fn nothing_known_is_nowhere_zero() {
    let place = Place::new("");
    let report = place.report(&[]);
    for pointer in [
        "/performance/overall/success_rate",
        "/performance/overall/p95_ms",
        "/memory",
        "/reliability/overall_success_rate",
        "/reliability/mean_of_rates",
        "/usability/median_s",
        "/usability/within_30s_percent",
        "/learning/improvement_points",
        "/learning/target_reached",
        "/voice/accuracy",
        "/retention/week4/rate",
        "/community/feedback/mean_score",
        "/code/coverage",
        "/code/complexity",
        "/code/vulnerabilities",
    ] {
        assert_eq!(report.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    let shown = place.ok(&["report", "full"], "");
    for known_nothing in
        ["success rate                   not known of all operations", "known vulnerabilities  not known", "week 4  0 of 0: not known"]
    {
        assert!(shown.contains(known_nothing), "{known_nothing} is not in\n{shown}");
    }
}

#[test]
fn it_fits_into_80_columns_and_strangers_names_stay_text() {
    let evil =
        r#"{"v":1,"kind":"operation","at":"2026-11-01T00:00:00Z","operation":"a|b\u001b[31m<script>","outcome":"ok","duration_us":1}"#;
    let place = Place::new(&format!("{EVENTS}{evil}\n"));
    let shown = place.ok(&["report", "full"], "");
    let too_long = shown.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None);
    assert!(!shown.contains('\u{1b}') && shown.contains("a|b\\u{1b}[31m<script>"), "{shown}");
    let markdown = place.ok(&["report", "full", "--format", "markdown"], "");
    assert!(markdown.contains("a\\|b") && !markdown.contains("<script>") && !markdown.contains('\u{1b}'), "{markdown}");
    assert!(markdown.contains("| install | 2 | 50 | 700 | failed | 700 | 700 |"), "{markdown}");
}

/// A criterion on each metric that is about people, interactions, months or a series, on events of long ago.
fn criteria(goals: &[(&str, &str)]) -> String {
    let one = |(metric, goal): &(&str, &str)| {
        format!("[[criterion]]\nname = \"{metric}\"\nmetric = \"{metric}\"\n{goal}\nsince = \"2026-01-01\"\nmax_age = \"3660d\"\n")
    };
    "[project]\nname = \"people\"\n".to_owned() + &goals.iter().map(one).collect::<String>()
}

/// Ten people who begin on two days, succeed after ten seconds, and come back in their fourth week; those who learn are
/// understood, and the others are not. A run of memory, and a month of contributions.
fn lives() -> String {
    let mut lines = Vec::new();
    let mut line = |kind: &str, at: &str, rest: String| lines.push(format!("{{\"v\":1,\"kind\":\"{kind}\",\"at\":\"{at}\",{rest}}}"));
    for person in 0..10 {
        let (day, user) = (5 + person % 2, format!("\"user\":\"u-{person}\""));
        line("session", &format!("2026-10-0{day}T10:00:00Z"), format!("{user},\"session\":\"{person}\""));
        let succeeded = format!("{user},\"operation\":\"search\",\"outcome\":\"ok\",\"duration_us\":1000000");
        line("operation", &format!("2026-10-0{day}T10:00:10Z"), succeeded.clone());
        line("operation", &format!("2026-11-0{day}T10:00:10Z"), succeeded);
        let (arm, recognized) = if person / 2 % 2 == 0 { ("learning", "install") } else { ("control", "remove") };
        for second in 10..20 {
            let said = format!("{user},\"arm\":\"{arm}\",\"modality\":\"voice\",\"recognized\":\"{recognized}\",\"correct\":\"install\"");
            line("interaction", &format!("2026-10-0{day}T11:00:{second}Z"), said);
        }
    }
    for reading in 0..450 {
        let (minute, second) = (reading / 6, reading % 6 * 10);
        let at = format!("2026-10-05T{:02}:{:02}:{second:02}Z", 12 + minute / 60, minute % 60);
        line("memory", &at, "\"run\":\"r\",\"bytes\":200000000,\"measure\":\"pss\",\"complete\":true,\"every_us\":10000000".to_owned());
    }
    let month = "\"name\":\"contributions.month\",\"value\":11,\"scope\":\"2026-10\",\"attributes\":{\"people\":5}";
    line("measurement", "2026-11-01T00:00:00Z", month.to_owned());
    lines.join("\n")
}

/// From the events to the verdict: each was recorded and counted, and is judged.
#[test]
fn what_people_do_is_judged() {
    let place = Place { folder: tempfile::tempdir().expect("a folder") };
    let in_learning = "above = \"90%\"\nwhere = { arm = \"learning\" }";
    let goals = [
        ("ttfs.median", "below = \"30s\""),
        ("retention.week4", "above = \"80%\""),
        ("learning.accuracy", in_learning),
        ("voice.accuracy", "above = \"55%\""),
        ("learning.improvement", "above = \"10%\""),
        ("contributions.month", "above = 10"),
        ("memory.variation", "below = \"50MB\""),
        ("memory.slope", "below = \"10MB/d\""),
    ];
    std::fs::write(place.folder.path().join("milepost.toml"), criteria(&goals)).expect("written");
    place.ok(&["record"], &lives());
    let status: Value = serde_json::from_str(&place.ok(&["status", "--format", "json"], "")).expect("JSON");
    let judged = |name: &str| {
        let criterion = status["criteria"].as_array().and_then(|all| all.iter().find(|c| c["name"] == name)).expect("the criterion");
        (criterion["verdict"].clone(), criterion["n"].clone(), criterion["estimate"].clone())
    };
    let is = |name: &str, verdict: &str, n: u64, estimate: f64| {
        assert_eq!(judged(name), (json!(verdict), json!(n), json!(estimate)), "{name}: {status:#}");
    };
    is("ttfs.median", "met", 10, 10.0);
    is("retention.week4", "not_proven", 10, 100.0);
    is("learning.accuracy", "met", 60, 100.0);
    is("voice.accuracy", "not_proven", 100, 60.0);
    is("learning.improvement", "met", 100, 100.0);
    is("contributions.month", "met", 1, 11.0);
    is("memory.variation", "met", 450, 0.0);
    is("memory.slope", "met", 450, 0.0);
    let explained = place.ok(&["explain", "contributions.month"], "");
    assert!(explained.contains("Contributors") && explained.contains("get_field(attributes, 'people')"), "{explained}");
    let explained = place.ok(&["explain", "learning.improvement"], "");
    assert!(explained.contains("With learning") && explained.contains("100 interactions"), "{explained}");
}

#[test]
fn the_first_interactions_can_be_left_out() {
    let place = Place { folder: tempfile::tempdir().expect("a folder") };
    std::fs::write(place.folder.path().join("milepost.toml"), criteria(&[("learning.accuracy", "above = \"90%\"\nafter = 4")]))
        .expect("written");
    place.ok(&["record"], &lives());
    let status: Value = serde_json::from_str(&place.ok(&["status", "--format", "json"], "")).expect("JSON");
    // Four of ten of each of ten people.
    assert_eq!([&status["criteria"][0]["n"], &status["criteria"][0]["left_out"]["early"]], [&json!(60), &json!(40)]);
}
