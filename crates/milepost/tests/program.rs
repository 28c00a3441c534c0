//! The program as a person uses it: commands typed in an empty folder, exit codes, and what is on the screen.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A folder of somebody who just installed Milepost.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn with(config: &str) -> Self {
        let place = Self::new();
        fs::write(place.path("milepost.toml"), config).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().expect("milepost runs")
    }

    fn pipe(&self, args: &[&str], input: &str) -> Output {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("milepost ends");
        writer.join().expect("no panic").expect("written");
        output
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    fn record(&self, lines: &str) {
        let output = self.pipe(&["record"], lines);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    fn scorecard(&self) -> Value {
        serde_json::from_str(&self.ok(&["status", "--format", "json"])).expect("JSON")
    }

    fn events(&self) -> Vec<Value> {
        self.ok(&["export"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

const P95: &str = r#"
[project]
name = "test"

[[criterion]]
name = "Response time"
metric = "latency.p95"
below = "500ms"
tier = "must"
"#;

/// Operations `days_ago` of 100 ms, so many of them.
fn operations(days_ago: u64, n: usize, outcome: &str) -> String {
    let now = std::time::SystemTime::now() - std::time::Duration::from_secs(days_ago * 86400);
    let seconds = i64::try_from(now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()).expect("small");
    let at = milepost_record::Timestamp::from_microseconds(seconds * 1_000_000).expect("a time");
    let line = format!(
        "{{\"v\":1,\"kind\":\"operation\",\"at\":\"{at}\",\"operation\":\"search\",\"outcome\":\"{outcome}\",\"duration_us\":100000}}\n"
    );
    line.repeat(n)
}

/// Yesterday and the day before, so that a test that runs at midnight or at the turn of a quarter sees two days.
fn two_days(n: usize, outcome: &str) -> String {
    operations(2, n / 2, outcome) + &operations(1, n - n / 2, outcome)
}

/// As [`P95`], with evidence that does not begin anew at the turn of a quarter.
fn p95() -> String {
    format!("{P95}since = \"2026-01-01\"\n")
}

fn verdict(scorecard: &Value) -> (String, Option<String>, Option<u64>) {
    let criterion = &scorecard["criteria"][0];
    let text = |key: &str| criterion[key].as_str().map(str::to_owned);
    (text("verdict").expect("a verdict"), text("reason"), criterion["at_least_more"].as_u64())
}

#[test]
fn a_newcomer_is_told_the_first_steps() {
    let place = Place::new();
    let first = place.ok(&[]);
    assert!(first.contains("milepost init") && first.contains("milepost run") && first.contains("milepost status"), "{first}");
    assert!(place.ok(&["init"]).contains("Wrote milepost.toml"));
    assert!(place.path(".milepost/.gitignore").exists());
    assert!(place.ok(&[]).contains("no data"));
    let again = place.run(&["init"]);
    assert_eq!(code(&again), Some(2));
    assert!(stderr(&again).contains("already"), "{}", stderr(&again));
    assert!(stderr(&place.run(&["init", "--preset", "nonsense"])).contains("nix-for-humanity"));
}

#[test]
fn without_a_configuration_nothing_is_judged() {
    let place = Place::new();
    for args in [&["status"][..], &["check"], &["explain", "x"], &["dashboard"], &["export"], &["record", "session", "--session", "s"]] {
        let output = place.run(args);
        assert_eq!(code(&output), Some(2), "{args:?}");
        assert!(stderr(&output).contains("milepost init"), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn an_empty_store_is_green_in_no_format() {
    let place = Place::new();
    place.ok(&["init", "--preset", "nix-for-humanity"]);
    let scorecard = place.scorecard();
    let criteria = scorecard["criteria"].as_array().expect("criteria");
    let tiered: Vec<_> = criteria.iter().filter(|c| !c["tier"].is_null()).collect();
    assert_eq!(tiered.len(), 15);
    assert!(criteria.iter().all(|c| c["verdict"] == "no_data" && c["advice"].is_string()), "each says how it will be fed");
    assert_eq!(scorecard["verdict"], "no_data");
    for tier in ["must", "should", "nice"] {
        assert_eq!((&scorecard["tiers"][tier]["met"], &scorecard["tiers"][tier]["of"]), (&0.into(), &5.into()));
    }
    let table =
        String::from_utf8(place.command(&["status"]).env("CLICOLOR_FORCE", "1").output().expect("milepost runs").stdout).expect("UTF-8");
    assert!(table.contains("\u{1b}["), "colours are on, so that green would be seen");
    assert!(!table.contains("\u{1b}[32m") && !table.contains('✓'), "{table}");
    let markdown = place.ok(&["status", "--format", "markdown"]);
    assert!(!markdown.contains("| met |") && markdown.contains("| no data |"), "{markdown}");
    let page = place.ok(&["dashboard", "--output", "-"]);
    assert!(!page.contains("data-verdict=\"met\"") && page.contains("data-verdict=\"no_data\""));
    assert_eq!(code(&place.run(&["check"])), Some(3));
    assert_eq!(code(&place.run(&["check", "--allow", "no_data"])), Some(0));
}

#[test]
fn one_fast_sample_is_not_proven_and_needs_71_more() {
    let place = Place::with(&p95());
    place.record(&operations(1, 1, "ok"));
    assert_eq!(verdict(&place.scorecard()), ("not_proven".to_owned(), None, Some(71)));
    let table = place.ok(&["status"]);
    assert!(table.contains("Currently 100 ms, inside 500 ms") && table.contains("71 more"), "{table}");
    assert_eq!(code(&place.run(&["check"])), Some(3));
    assert_eq!(code(&place.run(&["check", "--allow", "not_proven"])), Some(0));
}

#[test]
fn seventy_two_on_two_days_are_met_and_on_one_day_are_not() {
    let place = Place::with(&p95());
    place.record(&operations(1, 72, "ok"));
    assert_eq!(verdict(&place.scorecard()), ("not_proven".to_owned(), Some("single_day".to_owned()), Some(1)));
    let place = Place::with(&p95());
    place.record(&two_days(72, "ok"));
    assert_eq!(verdict(&place.scorecard()), ("met".to_owned(), None, None));
    assert_eq!(code(&place.run(&["check"])), Some(0));
    let now = milepost_record::Timestamp::now();
    place.record(&format!("{{\"v\":1,\"kind\":\"note\",\"at\":\"{now}\",\"topic\":\"release\",\"version\":\"1.2.0\"}}"));
    let page = place.ok(&["dashboard", "--output", "-"]);
    assert!(page.contains("data-verdict=\"met\""));
    // On its own page: how the evidence grew, what happened meanwhile, the statement, and the newest events without who was there.
    for shown in ["Proven met since", "class=\"grown-band\"", ": 1.2.0", "FROM operations", "operation=<bdi>"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("host="), "{page}");
}

#[test]
fn seventy_two_fast_failures_are_not_met() {
    let place = Place::with(&p95());
    place.record(&two_days(72, "failed"));
    assert_eq!(verdict(&place.scorecard()).0, "missed");
    assert_eq!(code(&place.run(&["check"])), Some(1));
    assert_eq!(code(&place.run(&["check", "--allow", "not_proven,no_data,stale"])), Some(1), "a miss cannot be allowed");
    assert_eq!(code(&place.run(&["check", "--only", "nice"])), Some(2), "there is nothing to check");
}

#[test]
fn a_named_group_without_events_is_not_met() {
    let config = "[project]\nname = \"test\"\n[[criterion]]\nname = \"Success\"\nmetric = \"success.rate\"\nabove = \"95%\"\n\
                  for_each = \"operation\"\ngroups = [\"search\", \"install\"]\ntier = \"must\"\nsince = \"2026-01-01\"\n";
    let place = Place::with(config);
    place.record(&two_days(200, "ok"));
    assert_eq!(verdict(&place.scorecard()), ("not_proven".to_owned(), Some("group_without_data".to_owned()), Some(72)));
    assert_eq!(code(&place.run(&["check"])), Some(3));
}

#[test]
fn what_is_exported_can_be_recorded_elsewhere_without_loss() {
    let valid = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/valid.jsonl")).expect("vectors");
    let allowing = format!("{P95}[privacy]\ntexts = [\"error\", \"interaction\", \"feedback\"]\n");
    let (here, there) = (Place::with(&allowing), Place::with(&allowing));
    here.record(&valid);
    let exported = here.ok(&["export"]);
    assert_eq!(exported.lines().count(), valid.lines().count());
    there.record(&exported);
    assert_eq!(there.ok(&["export"]), exported);
    // Sent once more, as after a lost answer, it counts once.
    there.record(&exported);
    assert_eq!(there.ok(&["export"]), exported);

    let only = here.ok(&["export", "--kind", "note,label"]);
    assert_eq!(only.lines().count(), 9);
    let late = here.ok(&["export", "--from", "2026-11-24T21:13:05Z"]);
    assert_eq!(late.lines().count(), 1, "{late}");
    assert_eq!(here.ok(&["export", "--to", "1971-01-01T00:00:00Z"]).lines().count(), 1);
    assert_eq!(code(&here.run(&["export", "--kind", "nonsense"])), Some(2));
}

#[test]
fn invalid_lines_are_set_aside_by_number_and_stop_nothing() {
    let place = Place::with(P95);
    let good = operations(1, 1, "ok");
    let future = good.replace("\"at\":\"20", "\"at\":\"29");
    let input = format!("{good}not an event\n\n{future}{good}{}", good.replace("\"v\":1", "\"v\":9"));
    let output = place.pipe(&["record"], &input);
    assert_eq!(code(&output), Some(2));
    let said = stderr(&output);
    assert!(said.contains("line 2: an event is a JSON object"), "{said}");
    assert!(said.contains("line 4: `at` is 29") && said.contains("line 6: it is version 9"), "{said}");
    assert!(said.contains("2 recorded, 3 set aside in"), "{said}");
    assert_eq!(place.events().len(), 2);
    let aside = fs::read_to_string(place.path(".milepost/set-aside.jsonl")).expect("a file");
    assert!(aside.lines().count() == 3 && aside.contains("not an event"));
    let doctor = place.ok(&["doctor"]);
    assert!(doctor.contains("3 lines that `record` or `import` set aside"), "{doctor}");
}

/// Whoever follows a log has each line recorded as it comes, also where the next one has begun.
#[test]
fn no_line_waits_for_the_next() {
    let place = Place::with(P95);
    let mut child = place.command(&["record"]).stdin(Stdio::piped()).spawn().expect("milepost runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let (line, lines) = (operations(1, 1, "ok"), operations(1, 100, "ok"));
    let (begun, rest) = line.split_at(20);
    for (written, expected) in [(format!("{line}{begun}"), 1), (format!("{rest}{lines}"), 102), (line.clone(), 103)] {
        stdin.write_all(written.as_bytes()).expect("written");
        let until = Instant::now() + Duration::from_secs(60);
        while place.events().len() < expected && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(place.events().len(), expected);
    }
    drop(stdin);
    assert!(child.wait().expect("milepost ends").success());
}

#[test]
fn a_line_that_the_door_makes_too_long_is_set_aside_and_stops_nothing() {
    const LINE_BYTES_MAX: usize = 256 * 1024;
    let place = Place::with(P95);
    let good = operations(1, 1, "ok");
    let mut long = r#"{"v":1,"kind":"operation","at":"2026-11-20T10:00:00Z","operation":"a","outcome":"ok","attributes":{"#.to_owned();
    while long.len() < LINE_BYTES_MAX - 16_100 {
        long += &format!(r#""a{}":"{}","#, long.len(), "x".repeat(16_000));
    }
    // Within the limit as it comes, and beyond it with the id and the machine.
    long += &format!(r#""z":"{}"}}}}"#, "x".repeat(LINE_BYTES_MAX - long.len() - 20));
    let output = place.pipe(&["record"], &format!("{good}{long}\n{good}"));
    let said = stderr(&output);
    assert_eq!(code(&output), Some(2), "{said}");
    assert!(said.contains("line 2: `line` has 262") && said.contains("2 recorded, 1 set aside in"), "{said}");
    assert_eq!(place.events().len(), 2);
}

#[test]
fn a_line_that_never_ends_is_refused_without_holding_it() {
    let place = Place::with(P95);
    let output = place.pipe(&["record"], &format!("{}\n{}", "x".repeat(5_000_000), operations(1, 1, "ok")));
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).contains("line 1: the line is longer than"), "{}", stderr(&output));
    assert_eq!(place.events().len(), 1);
}

#[test]
fn every_kind_can_be_recorded_by_flags() {
    let place = Place::with(P95);
    let context = ["--user", "rose", "--session", "s-1", "--persona", "rose", "--attribute", "channel=23.11"];
    let operation = [
        "record",
        "operation",
        "--operation",
        "search",
        "--backend",
        "native",
        "--outcome",
        "failed",
        "--duration",
        "183ms",
        "--error",
        "could not resolve host: example.org",
        "--exit-code",
        "-1",
        "--cpu",
        "90ms",
        "--peak",
        "50MB",
        "--peak-measure",
        "pss",
        "--sample",
        "exam",
    ];
    place.ok(&[&operation[..], &context].concat());
    place.ok(&[&["record", "session"][..], &context].concat());
    place.ok(&["record", "memory", "--run", "r", "--bytes", "180MB", "--measure", "pss", "--every", "10s", "--incomplete"]);
    place.ok(&["record", "interaction", "--id", "i-1", "--recognized", "install", "--arm", "learning", "--text", "please install it"]);
    place.ok(&["record", "label", "--of", "i-1", "--correct", "remove"]);
    place.ok(&["record", "measurement", "--name", "coverage.statements", "--value", "88.5", "--unit", "%", "--on-disk"]);
    place.ok(&["record", "note", "--topic", "release", "--product-version", "1.3.0", "--text", "out"]);
    let events = place.events();
    assert_eq!(
        events.iter().map(|e| e["kind"].as_str().expect("a kind")).collect::<Vec<_>>(),
        ["operation", "session", "memory", "interaction", "label", "measurement", "note"]
    );
    let operation = &events[0];
    assert_eq!(
        (&operation["duration_us"], &operation["peak_bytes"], &operation["exit_code"]),
        (&183_000.into(), &50_000_000.into(), &(-1).into())
    );
    assert_eq!(operation["error"]["category"], "network", "categorised at the door");
    assert!(operation["error"]["text"].is_null(), "texts are off");
    assert!(events[3]["text"].is_null());
    let user = operation["user"].as_str().expect("a pseudonym");
    assert!(user.starts_with("u-") && user != "rose", "{user}");
    assert_eq!(events[1]["user"], user, "the same person, the same pseudonym");
    assert!(events.iter().all(|e| e["id"].is_string() && e["host"].as_str().is_some_and(|h| h.starts_with("h-")) && e["origin"] == "use"));

    for (args, says) in [
        (&["record", "session"][..], "`session` is missing"),
        (&["record", "operation", "--operation", "", "--outcome", "ok"], "`operation` is empty"),
        (&["record", "operation", "--operation", "x", "--outcome", "great"], "is none of ok, failed, timeout, cancelled"),
        (&["record", "operation", "--operation", "x", "--outcome", "ok", "--duration", "30"], "write it as \"500ms\""),
        (&["record", "measurement", "--name", "x", "--value", "NaN"], "not a finite number"),
        (&["record", "note", "--topic", "release", "--at", "2999-01-01T00:00:00Z"], "more than five minutes in the future"),
        (&["record", "session", "--session", "s", "--attribute", "novalue"], "write it as NAME=VALUE"),
    ] {
        let output = place.run(args);
        assert_eq!(code(&output), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(place.events().len(), 7, "what was refused is not there");
}

#[test]
fn a_wrapped_command_keeps_its_exit_code_and_its_secrets() {
    let place = Place::with(P95);
    let output = place.run(&["run", "--", "sh", "-c", "echo out; echo err >&2; exit 7", "secret-argument"]);
    assert_eq!((code(&output), stdout(&output).as_str(), stderr(&output).as_str()), (Some(7), "out\n", "err\n"));
    let output = place.run(&["run", "--ok-codes", "0,7", "--operation", "search", "--backend", "native", "--", "sh", "-c", "exit 7"]);
    assert_eq!(code(&output), Some(7));
    assert_eq!(code(&place.run(&["run", "--", "no-such-program-anywhere"])), Some(127));
    let events = place.events();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let ends: Vec<_> = events.iter().map(|e| (text(e, "operation"), text(e, "outcome"), e["exit_code"].as_i64())).collect();
    assert_eq!(
        ends,
        [
            ("sh".to_owned(), "failed".to_owned(), Some(7)),
            ("search".to_owned(), "ok".to_owned(), Some(7)),
            ("no-such-program-anywhere".to_owned(), "failed".to_owned(), Some(127)),
        ]
    );
    assert_eq!(events[2]["error"]["category"], "not_found");
    let stored = place.ok(&["export"]);
    for secret in ["secret-argument", "echo", place.folder.path().to_str().expect("UTF-8"), "PATH"] {
        assert!(!stored.contains(secret), "{secret} is stored: {stored}");
    }
}

#[test]
fn observing_standard_error_finds_the_category_and_changes_nothing() {
    let place = Place::with(P95);
    let script = "echo 'cat: /x: No such file or directory' >&2; exit 1";
    let output = place.run(&["run", "--stderr", "observe", "--", "sh", "-c", script]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(1), "cat: /x: No such file or directory\n"));
    let events = place.events();
    assert_eq!(events[0]["error"]["category"], "not_found");
    assert!(events[0]["error"]["text"].is_null(), "texts are off");
}

#[test]
fn recording_that_fails_harms_no_command_and_says_one_line() {
    let nowhere = Place::new();
    let output = nowhere.run(&["run", "--", "sh", "-c", "echo out; exit 3"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(3), "out\n"));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).starts_with("milepost: not recorded: nothing is configured here"), "{}", stderr(&output));

    let broken = Place::with("[project\n");
    let output = broken.run(&["run", "--", "true"]);
    assert_eq!(code(&output), Some(0));
    assert!(stderr(&output).starts_with("milepost: not recorded:"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));

    let blocked = Place::with(P95);
    fs::write(blocked.path(".milepost/spool"), "in the way").expect("written");
    let output = blocked.run(&["run", "--", "true"]);
    assert_eq!(code(&output), Some(0));
    assert!(stderr(&output).starts_with("milepost: not recorded: cannot make the folder"), "{}", stderr(&output));
    assert_eq!(code(&blocked.run(&["record", "session", "--session", "s"])), Some(4));
}

#[test]
fn who_does_not_want_to_be_tracked_is_not() {
    for variable in ["DO_NOT_TRACK", "MILEPOST_DISABLED"] {
        let place = Place::with(P95);
        let output = place.command(&["run", "--", "sh", "-c", "exit 5"]).env(variable, "1").output().expect("milepost runs");
        assert_eq!((code(&output), stderr(&output).as_str()), (Some(5), ""));
        let output = place.command(&["record", "session", "--session", "s"]).env(variable, "1").output().expect("milepost runs");
        assert_eq!(code(&output), Some(0));
        assert!(stderr(&output).contains(variable));
        assert_eq!(fs::read_dir(place.path(".milepost")).expect("a folder").count(), 0, "no file is made");
        let output = place.command(&["run", "--", "true"]).env(variable, "0").output().expect("milepost runs");
        assert_eq!((code(&output), place.events().len()), (Some(0), 1));
    }
}

#[test]
fn explain_shows_all_that_a_verdict_rests_on() {
    let place = Place::with(&p95());
    place.record(&(two_days(100, "ok") + &operations(1, 3, "failed")));
    let text = place.ok(&["explain", "resp"]);
    for part in [
        "Response time, a must criterion",
        "latency.p95",
        "Definition",
        "Counts from       1 Jan 2026, as configured",
        "103 operations, 3 not within the limit",
        "95% confidence:",
        "Without failures",
        "operations: at, dry_run, duration_us, outcome; origin (filter)",
        "SELECT ",
        "duration_us < 500000",
        "Newest events",
        "operation=search",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json: Value = serde_json::from_str(&place.ok(&["explain", "Response time", "--json"])).expect("JSON");
    assert_eq!(json["criterion"]["n"], 103);
    assert!(json["sources"][0]["sql"].as_str().is_some_and(|sql| sql.contains("FROM operations")));
    assert_eq!(json["sources"][0]["needs"]["operation"]["origin"], "filter");
    assert_eq!(json["sources"][0]["newest_events"].as_array().map(Vec::len), Some(5));
    let unknown = place.run(&["explain", "Latency"]);
    assert_eq!(code(&unknown), Some(2));
    assert!(stderr(&unknown).contains("did you mean `Response time`?"), "{}", stderr(&unknown));
}

#[test]
fn doctor_names_what_nothing_feeds_with_the_line_to_paste() {
    let place = Place::with(&p95());
    let squeezed = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let empty = squeezed(place.ok(&["doctor"]));
    assert!(empty.contains("nothing is recorded yet") && empty.contains("milepost run --operation NAME -- COMMAND"), "{empty}");
    place.ok(&["run", "--operation", "search", "--", "true"]);
    let fed = place.ok(&["doctor"]);
    assert!(fed.contains("operation=search") && fed.contains("origin=use door=run") && fed.contains("All is in order."), "{fed}");
    let shared = place.path(".milepost/spool/shared.jsonl");
    fs::write(&shared, fs::read_to_string(&shared).expect("a segment") + "\ntorn\n").expect("written");
    let torn = place.ok(&["doctor"]);
    assert!(torn.contains("1 line is no event, and count") && torn.contains("shared.jsonl, byte "), "{torn}");
    fs::write(place.path("milepost.toml"), P95.replace("below", "belwo")).expect("written");
    let broken = place.ok(&["doctor"]);
    assert!(broken.contains("belwo") && broken.contains("below"), "{broken}");
}

#[test]
fn a_mistake_in_the_configuration_is_shown_where_it_is() {
    let place = Place::with(&P95.replace("below", "belwo"));
    let output = place.run(&["status"]);
    assert_eq!(code(&output), Some(2));
    let said = stderr(&output);
    assert!(said.contains("milepost.toml:8") && said.contains("belwo = \"500ms\"") && said.contains("did you mean `below`"), "{said}");
}

#[test]
fn names_of_strangers_cannot_steer_the_terminal() {
    let config = "[project]\nname = \"test\"\n[[criterion]]\nname = \"Success\"\nmetric = \"success.rate\"\nabove = \"95%\"\n\
                  for_each = \"operation\"\ntier = \"must\"\n";
    let place = Place::with(config);
    for name in ["\u{1b}]0;owned\u{7}", "\u{1b}[2Jgone", "rtl\u{202e}txt", "two\nlines"] {
        place.ok(&["record", "operation", "--operation", name, "--outcome", "failed"]);
    }
    for args in [&["status"][..], &["explain", "Success"], &["doctor"]] {
        let text = place.ok(args);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{args:?}: {text:?}");
    }
}

#[test]
fn everything_fits_into_80_columns() {
    let place = Place::new();
    place.ok(&["init", "--preset", "nix-for-humanity"]);
    place.record(&(two_days(300, "ok") + &operations(1, 30, "failed")));
    for args in [&["--help"][..], &[], &["status"], &["doctor"], &["run", "--help"], &["record", "--help"], &["check", "--help"]] {
        let output = place.command(args).env("COLUMNS", "80").output().expect("milepost runs");
        for line in stdout(&output).lines() {
            // Names and paths that cannot be broken may stick out; sentences may not.
            let longest = line.split_whitespace().map(str::len).max().unwrap_or(0);
            assert!(line.chars().count() <= 80 || longest > 40, "{args:?}: {line}");
        }
    }
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let place = Place::new();
    for (of, name) in [
        ("event", "event"),
        ("scorecard", "scorecard"),
        ("report", "report"),
        ("exact-report", "exact-report"),
        ("period-report", "period-report"),
        ("history", "history"),
        ("comparison", "comparison"),
        ("alert", "alert"),
        ("config", "milepost.toml"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{name}.schema.json"));
        let committed = fs::read_to_string(&path).expect("a schema");
        assert_eq!(place.ok(&["schema", of]), committed, "run `cargo xtask codegen` and commit schemas/{name}.schema.json");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.ok(&["completions", shell]).contains("dashboard"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let pages = place.ok(&["man", "--list"]);
    assert!(pages.lines().count() > 40 && pages.lines().any(|page| page == "milepost-collect-git"), "{pages}");
    for page in pages.lines() {
        let of = page.trim_start_matches("milepost").trim_start_matches('-');
        let args = if of.is_empty() { vec!["man"] } else { vec!["man", of] };
        let text = place.ok(&args);
        assert!(text.contains(&format!(".TH {page} 1")) && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    assert_eq!(place.ok(&["man", "collect", "git"]), place.ok(&["man", "collect-git"]));
    let unknown = place.run(&["man", "collect", "gti"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::with(P95);
    place.record(&operations(1, 20_000, "ok"));
    let mut child = place.command(&["export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("milepost ends");
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn the_page_what_is_stored_lists_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/what-is-stored.md")).expect("a page");
    let schema: Value = serde_json::from_str(&Place::new().ok(&["schema", "event"])).expect("JSON");
    let kinds = schema["$defs"].as_object().expect("definitions");
    let mut keys = 0;
    for (kind, definition) in kinds {
        for key in definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(page.contains(&format!("`{key}`")), "`{key}` of {kind} is not on the page");
            keys += 1;
        }
    }
    assert!(keys > 100, "the schema was read");
}

#[test]
fn rules_of_the_configuration_come_before_those_that_milepost_has() {
    let place = Place::with(&format!("{P95}[[error_category]]\ncategory = \"quota\"\nany = [\"quota exceeded\"]\n"));
    for text in ["network unreachable: quota exceeded", "network is unreachable"] {
        place.ok(&["record", "operation", "--operation", "search", "--outcome", "failed", "--error", text]);
    }
    let categories: Vec<_> = place.events().iter().map(|e| e["error"]["category"].as_str().map(str::to_owned)).collect();
    assert_eq!(categories, [Some("quota".to_owned()), Some("network".to_owned())]);
}

#[test]
fn a_period_that_does_not_count_begins_anew_and_stays_visible() {
    let config =
        format!("{}[[criterion]]\nname = \"Success\"\nmetric = \"success.rate\"\nabove = \"95%\"\nsince = \"2026-01-01\"\n", p95());
    let place = Place::with(&config);
    place.record(&two_days(100, "ok"));
    assert_eq!(verdict(&place.scorecard()).0, "met");
    let day = |days_ago: u64| {
        let event: Value = serde_json::from_str(&operations(days_ago, 1, "ok")).expect("JSON");
        event["at"].as_str().expect("a time")[..10].to_owned()
    };
    let [from, to] = [day(3), day(1)];
    for (wrong, why) in [
        (&["--from", "soon", "--to", &to, "--reason", "x"][..], "is no time"),
        (&["--from", &to, "--to", &to, "--reason", "x"], "the period is empty"),
        (&["--from", &from, "--to", &to, "--reason", " "], "--reason is empty"),
        (&["--from", &from, "--to", &to, "--reason", "x", "--criterion", "Speed"], "there is no criterion"),
        (&["--undo", "x"], "nothing was excluded"),
        (&["--from", &from, "--to", &to], "required"),
    ] {
        let output = place.run(&[&["exclude"], wrong].concat());
        assert!(code(&output) == Some(2) && stderr(&output).contains(why), "{wrong:?}: {}", stderr(&output));
    }
    assert_eq!(place.events().len(), 100, "what is refused is not recorded");

    let said = place.ok(&["exclude", "--from", &from, "--to", &to, "--reason", "the *network* was down", "--criterion", "resp"]);
    assert!(
        said.contains("These begin anew") && said.contains("Response time (met, n 100 until now)") && !said.contains("Success"),
        "{said}"
    );
    let id = said.trim_end().rsplit(' ').next().expect("an id").to_owned();
    let scorecard = place.scorecard();
    assert_eq!(verdict(&scorecard).0, "no_data");
    assert_eq!(scorecard["criteria"][0]["since"]["why"], "excluded");
    assert_eq!(scorecard["criteria"][0]["excluded"][0]["reason"], "the *network* was down");
    assert_eq!((&scorecard["criteria"][1]["verdict"], &scorecard["criteria"][1]["excluded"]), (&"met".into(), &serde_json::json!([])));
    for (args, shown) in [
        (&["status"][..], "the *network* was"),
        (&["status", "--format", "markdown"], "the \\*network\\* was down"),
        (&["explain", "response"], "a period that was excluded"),
        (&["dashboard", "--output", "-"], "the *network* was down"),
        (&["history", "response"], "excluded: "),
        (&["exclude", "--list"], "the *network* was down"),
    ] {
        let text = place.ok(args);
        assert!(text.contains(shown), "{args:?}: {text}");
    }
    // All in tables, as after a night.
    place.ok(&["track"]);
    assert_eq!(verdict(&place.scorecard()).0, "no_data");
    assert!(place.ok(&["exclude", "--undo", &id, "--reason", "it was not"]).contains("counts again"));
    assert_eq!(verdict(&place.scorecard()).0, "met");
    assert!(stderr(&place.run(&["exclude", "--undo", &id])).contains("taken back already"));
    assert!(place.ok(&["history", "response"]).contains("counts again: "));

    // What lies before all that counts touches nothing.
    let said = place.ok(&["exclude", "--from", "2025-01-01", "--to", "2025-02-01", "--reason", "a fair"]);
    assert!(said.contains("nothing changes"), "{said}");
    assert_eq!(verdict(&place.scorecard()).0, "met");
}

#[test]
fn a_plan_says_how_many_events_it_takes() {
    let config = format!("{}[[criterion]]\nname = \"Coverage\"\nmetric = \"coverage.statements\"\nabove = \"90%\"\n", p95());
    let place = Place::with(&config);
    let table = place.ok(&["explain", "resp", "--plan"]);
    assert!(table.contains("    100    5%   11%   23%   48%  100%       9%   19%   40%   74%  100%"), "{table}");
    let text = place.ok(&["explain", "Response time", "--plan", "--expect", "100%", "--expect", "0.9", "--json"]);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let plan = &json["plans"][0];
    assert_eq!((&plan["goal_rate"], &plan["unit"]), (&0.95.into(), &"operations".into()));
    let rates: Vec<_> = plan["expectations"].as_array().expect("some").iter().map(|of| of["rate"].as_f64()).collect();
    assert_eq!(rates, [Some(0.9), Some(1.0)]);
    let at_50 = &plan["expectations"][1]["chances"][0];
    assert_eq!((&at_50["n"], &at_50["live_met"], &at_50["fixed_met"]), (&50.into(), &0.0.into(), &0.0.into()));
    let at_100 = &plan["expectations"][1]["chances"][1];
    assert_eq!((&at_100["live_met"], &at_100["fixed_met"]), (&1.0.into(), &1.0.into()));
    assert!(place.ok(&["explain", "coverage", "--plan"]).contains("one report decides it"));
    assert!(place.ok(&["dashboard", "--output", "-"]).contains("How many events it takes"));
    for wrong in ["120%", "-1%", "5ms", "much"] {
        assert_eq!(code(&place.run(&["explain", "resp", "--plan", &format!("--expect={wrong}")])), Some(2), "{wrong}");
    }
}

/// The example of the statistics' reference: each operation became better, and all together worse.
#[test]
fn two_versions_side_by_side_tell_rates_from_mix_and_machines_apart() {
    let config = "[project]\nname = \"test\"\n[[criterion]]\nname = \"Success\"\nmetric = \"success.rate\"\nabove = \"95%\"\n\
                  [[criterion]]\nname = \"Coverage\"\nmetric = \"coverage.statements\"\nabove = \"90%\"\n";
    let place = Place::with(config);
    let mut lines = String::new();
    for (version, operation, ok, n) in
        [("1", "install", 45, 50), ("1", "search", 940, 950), ("2", "install", 280, 300), ("2", "search", 398, 400)]
    {
        for index in 0..n {
            let outcome = if index < ok { "ok" } else { "failed" };
            lines += &format!(
                "{{\"v\":1,\"kind\":\"operation\",\"at\":\"2026-11-2{version}T10:00:00Z\",\"operation\":\"{operation}\",\
                 \"outcome\":\"{outcome}\",\"version\":\"{version}\",\"host\":\"h-{version}\"}}\n"
            );
        }
    }
    place.record(&lines);
    let text = place.ok(&["compare", "version=1", "version=2", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let goal = &json["goals"][0];
    let near = |value: &Value, expected: f64| assert!((value.as_f64().expect("a number") - expected).abs() < 1e-5, "{value}: {expected}");
    near(&goal["sides"][0]["rate"], 0.98500);
    near(&goal["sides"][1]["rate"], 0.96857);
    near(&goal["made_of"]["rate_effect"], 0.01218);
    near(&goal["made_of"]["mix_effect"], -0.02861);
    assert_eq!((&goal["made_of"]["is_simpson"], &json["same_hosts"]), (&true.into(), &false.into()));
    let interval = goal["difference"]["interval"].as_array().expect("two");
    assert!(interval[0].as_f64() < Some(-0.01643) && interval[1].as_f64() > Some(-0.01643), "{interval:?}");

    let by_period = place.ok(&["compare", "2026-11-21..2026-11-22", "2026-11-22..2026-11-23"]);
    for told in
        ["98.5% to 96.9%", "+1.2 by the rates", "-2.9 by their mix", "moved the other way", "Measured on other machines", "Coverage"]
    {
        let flat = by_period.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(told), "{told}: {flat}");
    }
    // Coverage has no backend, so there is nothing to tell apart.
    let by_backend = place.ok(&["compare", "backend=a", "backend=b", "--format", "markdown"]);
    assert!(!by_backend.contains("Coverage"), "{by_backend}");
    for (sides, why) in [
        (["version=1", "later"], "neither NAME=VALUE"),
        (["colour=red", "version=1"], "is nothing that events can be grouped or filtered by"),
        (["2026-11-22..2026-11-21", "version=1"], "an empty period"),
        (["soon..2026-11-21", "version=1"], "is no time"),
    ] {
        let output = place.run(&["compare", sides[0], sides[1]]);
        assert!(code(&output) == Some(2) && stderr(&output).contains(why), "{sides:?}: {}", stderr(&output));
    }
}

#[test]
fn baselines_are_shown_and_written_and_all_else_of_the_file_stays() {
    let config = "# Ours\n[project]\nname = \"test\"  # the name\n\n[[criterion]]\nname = \"Success\" # of all\nmetric = \"success.rate\"\n\
                  baseline = \"85%\"   # last year\nabove = \"95%\"\nsince = \"2026-01-01\"\n\n# Later\n[[criterion]]\nname = \"Coverage\"\n\
                  metric = \"coverage.statements\"\nabove = \"90%\"\n\n[[criterion]]\nname = \"Both\"\n\
                  all = [{ metric = \"latency.p50\", below = \"1s\" }, { metric = \"success.rate\", above = \"50%\" }]\n\
                  since = \"2026-01-01\"\n";
    let place = Place::with(config);
    place.record(&two_days(40, "ok"));
    let file = || fs::read_to_string(place.path("milepost.toml")).expect("the configuration");
    let shown = place.ok(&["baseline"]);
    assert!(shown.contains("85%") && shown.contains("100%") && shown.contains("--write"), "{shown}");
    assert!(shown.contains("Nothing is known of these yet, so they stay as they are: Coverage"), "{shown}");
    assert_eq!(file(), config, "it was only shown");

    // Somebody keeps it elsewhere, for themselves.
    let elsewhere = place.path("kept.toml");
    fs::rename(place.path("milepost.toml"), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, place.path("milepost.toml")).expect("a link");
    fs::set_permissions(&elsewhere, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("permissions");
    assert!(place.ok(&["baseline", "--write"]).contains("Written"));
    let expected = config
        .replace("baseline = \"85%\"   # last year", "baseline = \"100%\"   # last year")
        .replace("below = \"1s\" }, { metric = \"success.rate\", above = \"50%\" }]\nsince = \"2026-01-01\"\n", "below = \"1s\" }, { metric = \"success.rate\", above = \"50%\" }]\nsince = \"2026-01-01\"\nbaseline = \"latency.p50 0.100 s, success.rate 100%\"\n");
    assert_eq!(file(), expected);
    let metadata = fs::symlink_metadata(place.path("milepost.toml")).expect("metadata");
    assert!(metadata.is_symlink());
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&elsewhere).expect("metadata").permissions());
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(place.scorecard()["criteria"][0]["baseline"], "100%");
    assert!(place.ok(&["baseline", "--write"]).contains("No baseline changes"));
    assert_eq!(code(&place.run(&["baseline", "Speed"])), Some(2));
}

/// Machines are not compared unmarked: a level that changed with the machine says nothing of the product.
#[test]
fn a_level_that_changed_with_the_machine_is_marked() {
    let changed = |host_after: &str| {
        let place = Place::with(&p95());
        let mut lines = String::new();
        for days_ago in 1..=40_u64 {
            let (host, ms) = if days_ago <= 15 { (host_after, 330) } else { ("h-1", 300) };
            for index in 0..20_u64 {
                let us = (ms + (days_ago * 7919 + index) % 13) * 1000;
                let line = operations(days_ago, 1, "ok");
                lines += &line.replace("\"duration_us\":100000", &format!("\"duration_us\":{us},\"host\":\"{host}\""));
            }
        }
        place.record(&lines);
        let changes = place.scorecard()["criteria"][0]["changes"].clone();
        let text = place.ok(&["explain", "resp"]);
        (changes, text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (changes, text) = changed("h-2");
    assert_eq!((changes.as_array().map(Vec::len), &changes[0]["same_hosts"]), (Some(1), &false.into()), "{changes}");
    assert!(text.contains("on other machines than before"), "{text}");
    let (changes, text) = changed("h-1");
    assert_eq!((changes.as_array().map(Vec::len), &changes[0]["same_hosts"]), (Some(1), &true.into()), "{changes}");
    assert!(text.contains("Probable change") && !text.contains("other machines"), "{text}");
}
