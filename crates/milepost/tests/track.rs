//! `milepost track`: all that is due, once, whatever fails on the way.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, tz::TimeZone};
use serde_json::Value;
use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a configuration, and a folder for the data.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn with(config: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.configure(config);
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn configure(&self, config: &str) {
        let path = self.path("milepost.toml");
        fs::write(&path, config).expect("written");
        self.allow("milepost.toml", 0o644);
    }

    fn allow(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("allowed");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    /// `milepost track`, which succeeds and complains of nothing.
    fn track(&self, args: &[&str]) -> String {
        let output = self.run(&[&["track"], args].concat());
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{}", stdout(&output));
        stdout(&output)
    }

    fn record(&self, lines: &str) {
        fs::write(self.path("events.jsonl"), lines).expect("written");
        let input = fs::File::open(self.path("events.jsonl")).expect("a file");
        let output = self.command(&["record"]).stdin(input).output().expect("milepost runs");
        assert!(output.status.success(), "{}", stderr(&output));
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let output = self.run(&["export", "--kind", kind]);
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn latest(&self) -> Value {
        let text = fs::read_to_string(self.path(".milepost/reports/latest.json")).expect("a scorecard");
        serde_json::from_str(&text).expect("JSON")
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

/// Whether a process has ended, be it that nobody has waited for it yet.
fn gone(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it never happens");
        thread::sleep(Duration::from_millis(10));
    }
}

const PROJECT: &str = "[project]\nname = \"test\"\n";

/// A time zone in which it is now this hour of the day, so that no test runs into midnight.
fn zone(hour: i8) -> String {
    let now = jiff::Timestamp::now().to_zoned_datetime(TimeZone::UTC).hour();
    // The names of POSIX: what is east of Greenwich is less.
    match (hour - now).rem_euclid(24) {
        east @ 0..=14 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", 24 - west),
    }
}

fn project(hour: i8) -> String {
    format!("{PROJECT}time_zone = \"{}\"\n", zone(hour))
}

fn probe(operation: &str, script: &str) -> String {
    format!("[[probe]]\noperation = \"{operation}\"\ncommand = [\"sh\", \"-c\", '''{script}''']\n")
}

fn criterion(name: &str, below: &str, tier: &str) -> String {
    let tier = if tier.is_empty() { String::new() } else { format!("tier = \"{tier}\"\n") };
    format!("[[criterion]]\nname = \"{name}\"\nmetric = \"latency.p95\"\nbelow = \"{below}\"\nsince = \"2026-01-01\"\n{tier}")
}

/// So many operations of 100 ms on each of two days before today.
fn two_days(n: usize) -> String {
    let line = |days: i64| {
        let at = jiff::Timestamp::now() - (24 * days).hours();
        format!(r#"{{"v":1,"kind":"operation","at":"{at}","operation":"search","outcome":"ok","duration_us":100000}}"#) + "\n"
    };
    line(1).repeat(n) + &line(2).repeat(n)
}

#[test]
fn what_is_due_is_done_and_a_command_that_fails_is_data() {
    let noise = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; cat; echo 'cat: /x: No such file or directory' >&2; exit 3";
    let missing = "[[probe]]\noperation = \"missing\"\nbackend = \"native\"\ncommand = [\"nosuchprogram\"]\n";
    let hanging = probe("hanging", "echo $$ >pid; sleep 600") + "timeout = \"1s\"\n";
    let config = [PROJECT, &probe("noisy", noise), missing, &hanging, &probe("good", "exit 0"), &criterion("Fast", "500ms", "must")];
    let place = Place::with(&config.concat());
    let said = place.track(&[]);
    for part in [
        "noisy: failed (not_found)",
        "missing (native): failed, cannot start nosuchprogram",
        "hanging: timeout",
        "good: ok",
        "Recorded          1 criterion, 1 verdict",
        "Compacted         5 events",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(last_line(&said), "0 of 1 met; not met: Fast");
    assert!(said.contains("reports/latest.html") && !said.contains('\0'), "{said}");
    let events = place.events("operation");
    let ends: Vec<_> = events.iter().map(|e| format!("{} {} {}", text(e, "operation"), text(e, "outcome"), e["exit_code"])).collect();
    assert_eq!(ends, ["noisy failed 3", "missing failed 127", "hanging timeout null", "good ok 0"]);
    assert!(events.iter().all(|e| e["origin"] == "probe" && e["attributes"]["door"] == "track" && e["error"]["text"].is_null()));
    assert_eq!(events[0]["error"]["category"], "not_found");
    assert_eq!((text(&events[1], "backend"), text(&events[1]["error"], "category")), ("native", "not_found"));
    let pid = fs::read_to_string(place.path("pid")).expect("a process ran");
    assert!(gone(pid.trim()), "what hung is gone");
    assert_eq!(place.latest()["criteria"][0]["verdict"], "no_data", "probes are no use");
}

#[test]
fn lines_fit_into_80_columns_and_no_name_steers_the_terminal() {
    let strange = "[[probe]]\noperation = \"\\u001b]0;owned\\u0007\"\ncommand = [\"\\u001b[2J\"]\n";
    let many: String = (0..30).map(|i| probe(&format!("operation number {i}"), "exit 0")).collect();
    let place = Place::with(&[PROJECT, strange, &many].concat());
    let output = place.command(&["track"]).env("COLUMNS", "80").output().expect("milepost runs");
    let said = stdout(&output);
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    // Paths that cannot be broken may stick out.
    assert!(said.lines().all(|line| line.chars().count() <= 80 || line.contains("/latest.html")), "{said}");
    assert!(
        said.contains("operation number 18: ok") && !said.contains("operation number 19: ok") && said.contains("and 11 more"),
        "{said}"
    );
    assert_eq!(last_line(&said), "No criterion has a tier: nothing to meet");
    assert_eq!(place.events("operation").len(), 31);
}

#[test]
fn the_last_line_counts_what_has_a_tier() {
    let place = Place::with(&[PROJECT, &criterion("Fast", "500ms", "must"), &criterion("Shown", "1ms", "")].concat());
    place.record(&two_days(100));
    assert_eq!(last_line(&place.track(&[])), "All targets met");
    let more = ["1ms", "2ms"].map(|below| criterion(&format!("Within {below}"), below, "nice"));
    place.configure(&[PROJECT, &criterion("Fast", "500ms", "must"), &criterion("Shown", "1ms", ""), &more.concat()].concat());
    assert_eq!(last_line(&place.track(&[])), "1 of 3 met; not met: Within 1ms, Within 2ms");
    place.configure(&[PROJECT, &criterion("Shown", "500ms", "")].concat());
    assert_eq!(last_line(&place.track(&[])), "No criterion has a tier: nothing to meet");
}

#[test]
fn two_at_once_are_one() {
    // A rhythm so long that no round runs into its next slot.
    let config = [PROJECT, &probe("slow", "until [ -e go ]; do sleep 0.01; done"), "every = \"31d\"\n"].concat();
    for _ in 0..12 {
        let place = Place::with(&config);
        let mut started: Vec<_> = (0..3).map(|_| place.command(&["track"]).spawn().expect("milepost runs")).collect();
        until(|| started.iter_mut().filter_map(|child| child.try_wait().expect("a child")).count() == 2);
        fs::write(place.path("go"), "").expect("written");
        let outputs: Vec<_> = started.into_iter().map(|child| child.wait_with_output().expect("milepost ends")).collect();
        for output in &outputs {
            assert_eq!((output.status.code(), stderr(output).as_str()), (Some(0), ""));
        }
        let others = outputs.iter().filter(|output| stdout(output).starts_with("Another `milepost track` is running"));
        assert_eq!((others.count(), place.events("operation").len(), place.names(".milepost/reports/data").len()), (2, 1, 1));
    }
}

#[test]
fn each_job_has_its_own_rhythm() {
    let config = [
        PROJECT,
        &probe("minute", "exit 0"),
        "every = \"1min\"\n",
        &probe("hour", "exit 0"),
        &probe("month", "exit 0"),
        "every = \"31d\"\n",
        &probe("new", "exit 0"),
        "every = \"31d\"\n",
        &probe("ahead", "exit 0"),
        "every = \"31d\"\n",
    ];
    let place = Place::with(&config.concat());
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).expect("a time");
    let journal = |jobs: &[(&str, jiff::Timestamp)]| {
        let jobs: serde_json::Map<_, _> = jobs.iter().map(|(job, at)| ((*job).to_owned(), at.to_string().into())).collect();
        let text = serde_json::json!({ "version": 1, "jobs": jobs }).to_string();
        fs::write(place.path(".milepost/track.json"), text).expect("written");
    };
    let long_ago = now - (24 * 40).hours();
    let jobs = [
        ("probe/minute", now - 1.minute()),
        ("probe/hour", now - 1.hour()),
        ("probe/month", now),
        // A clock that was a year ahead.
        ("probe/ahead", now + (24 * 365).hours()),
        ("probe/removed", long_ago),
    ];
    journal(&jobs);
    let said = place.track(&[]);
    let ran = || place.events("operation").iter().map(|event| text(event, "operation").to_owned()).collect::<Vec<_>>();
    assert_eq!(ran(), ["minute", "hour", "new", "ahead"]);
    assert!(said.contains("Not due yet       1 job\n"), "{said}");
    let text = fs::read_to_string(place.path(".milepost/track.json")).expect("a journal");
    let written: Value = serde_json::from_str(&text).expect("JSON");
    let starts = written["jobs"].as_object().expect("jobs");
    assert_eq!(starts.keys().collect::<Vec<_>>(), ["probe/ahead", "probe/hour", "probe/minute", "probe/month", "probe/new"]);
    assert_eq!((written["version"].as_u64(), &starts["probe/month"]), (Some(1), &Value::from(now.to_string().replace('Z', ".000000Z"))));

    journal(&starts.keys().map(|job| (job.as_str(), jiff::Timestamp::now())).collect::<Vec<_>>());
    place.track(&["--all"]);
    assert_eq!(ran().len(), 9, "all of them once more");
}

#[test]
fn a_damaged_journal_is_set_aside_and_a_newer_one_refused() {
    let place = Place::with(&[PROJECT, &probe("good", "exit 0"), "every = \"31d\"\n"].concat());
    place.track(&[]);
    let journal = place.path(".milepost/track.json");
    for (n, damage) in ["", "{\"version\":1,\"jobs\":{\"probe/good\":\"yester", "[]", "{\"version\":0,\"jobs\":{}}"].iter().enumerate() {
        fs::write(&journal, damage).expect("written");
        let output = place.run(&["track"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("track.json is damaged and set aside as"), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(place.path(".milepost/track.damaged.json")).expect("a file"), *damage);
        assert_eq!(place.events("operation").len(), n + 2, "everything was due");
    }
    let newer = "{\"version\":2,\"jobs\":[\"another shape\"]}";
    fs::write(&journal, newer).expect("written");
    let output = place.run(&["track"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output).contains(concat!(
            "has version 2, and this Milepost (",
            env!("CARGO_PKG_VERSION"),
            ") reads version 1: upgrade milepost"
        )),
        "{}",
        stderr(&output)
    );
    assert_eq!((fs::read_to_string(&journal).expect("a file"), place.events("operation").len()), (newer.to_owned(), 5));
}

#[test]
fn who_could_be_somebody_else_makes_us_run_nothing() {
    for mode in [0o646, 0o664] {
        let collect = "[[collect]]\nkind = \"memory\"\nprocess = \"no-such-process\"\n";
        let place = Place::with(&[PROJECT, &probe("evil", "touch evil"), collect, &criterion("Fast", "500ms", "must")].concat());
        place.allow("milepost.toml", mode);
        let output = place.run(&["track"]);
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains("no probe or collect is run") && said.contains("others than its owner may write to it"), "{said}");
        assert!(!place.path("evil").exists() && place.events("operation").is_empty());
        assert_eq!(last_line(&stdout(&output)), "0 of 1 met; not met: Fast");
        assert_eq!(place.latest()["criteria"][0]["verdict"], "no_data");
        assert!(place.run(&["status"]).status.success(), "who only reads trusts it");
    }
}

#[test]
fn who_does_not_want_to_be_tracked_is_judged_and_nothing_else() {
    for variable in ["DO_NOT_TRACK", "MILEPOST_DISABLED"] {
        let place = Place::with(&[PROJECT, &probe("never", "touch never"), &criterion("Fast", "500ms", "must")].concat());
        let output = place.command(&["track"]).env(variable, "1").output().expect("milepost runs");
        assert_eq!((output.status.code(), last_line(&stdout(&output))), (Some(0), "0 of 1 met; not met: Fast"));
        assert!(stderr(&output).contains(&format!("nothing is probed, collected or recorded, since {variable} is set")));
        assert!(!place.path("never").exists());
        assert_eq!(place.names(".milepost"), ["reports", "track.lock"]);
        assert_eq!(place.latest()["criteria"][0]["verdict"], "no_data");
    }
}

#[test]
fn what_fails_stops_nothing_else() {
    let place = Place::with(&[PROJECT, &probe("never", "exit 0"), &criterion("Fast", "500ms", "must")].concat());
    fs::write(place.path(".milepost/spool"), "in the way").expect("written");
    let output = place.run(&["track"]);
    assert_eq!((output.status.code(), last_line(&stdout(&output))), (Some(4), "0 of 1 met; not met: Fast"));
    assert!(stderr(&output).contains("nothing can be recorded: cannot make the folder"), "{}", stderr(&output));
    assert_eq!(place.latest()["criteria"][0]["verdict"], "no_data");

    let place = Place::with(&[PROJECT, &probe("good", "exit 0")].concat());
    fs::write(place.path("output"), "in the way").expect("written");
    let output = place.run(&["track", "--output", "output"]);
    assert_eq!((output.status.code(), place.events("operation").len()), (Some(4), 1));
    assert!(stderr(&output).contains("nothing is published: cannot make output/data"), "{}", stderr(&output));

    let nowhere = tempfile::tempdir().expect("a folder");
    let output = place.command(&["track"]).current_dir(&nowhere).env("HOME", nowhere.path()).output().expect("milepost runs");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("milepost init"));
    place.configure("[track]\noutptu = \"x\"\n");
    assert_eq!(place.run(&["track"]).status.code(), Some(2));
}

/// A running product with this name, until it is dropped.
struct Product(Child);

impl Product {
    fn named(name: &Path) -> Self {
        symlink("/bin/sh", name).expect("a name");
        let mut product = Command::new(name);
        Self(product.args(["-c", "read line; exit"]).stdin(Stdio::piped()).spawn().expect("the product runs"))
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn memory_is_collected_where_the_process_runs() {
    let name = format!("mptrack{}", std::process::id());
    let collect = format!("[[collect]]\nkind = \"memory\"\nprocess = \"{name}\"\nfor = \"1s\"\nreadings = \"100ms\"\nevery = \"31d\"\n");
    let place = Place::with(&[PROJECT, &collect].concat());
    let said = place.track(&[]);
    assert!(said.contains(&format!("Memory            {name} is not running")), "{said}");
    assert!(place.events("memory").is_empty());
    assert!(place.track(&[]).contains("Not due yet       1 job"), "what was looked for in vain has begun, too");

    let one = Product::named(&place.path(&name));
    let said = place.track(&["--all"]);
    assert!(said.contains(" readings of ") && said.contains("the time is over"), "{said}");
    let readings = place.events("memory");
    assert!((2..=11).contains(&readings.len()), "{}", readings.len());
    assert!(readings.iter().all(|event| event["attributes"]["door"] == "track" && event["process"] == name.as_str()));
    assert!(readings.iter().all(|event| event["every_us"] == 100_000 && event["origin"] == "use"));

    // Which of two is meant nobody can tell.
    let folder = place.path("second");
    fs::create_dir(&folder).expect("a folder");
    let _two = Product::named(&folder.join(&name));
    let output = place.run(&["track", "--all"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains(&format!("memory {name}: several processes have this name")), "{}", stderr(&output));
    drop(one);
}

#[test]
fn a_definition_is_recorded_when_it_changes_and_evidence_begins_anew() {
    let place = Place::with(&[PROJECT, &criterion("Fast", "500ms", "must")].concat());
    place.record(&two_days(100));
    place.track(&[]);
    place.track(&[]);
    let defined = place.events("criterion");
    assert_eq!(defined.len(), 1);
    let definition = serde_json::json!({
        "metric": "latency.p95", "below": "500ms", "failures": "slow",
        "since": "2026-01-01", "tier": "must", "max_age": "7d", "alpha": 0.05,
    });
    assert_eq!((text(&defined[0], "name"), &defined[0]["definition"]), ("Fast", &definition));
    assert_eq!((&place.latest()["criteria"][0]["verdict"], &place.latest()["criteria"][0]["n"]), (&"met".into(), &200.into()));

    // The tier decides nothing about the evidence.
    place.configure(&[PROJECT, &criterion("Fast", "500ms", "nice")].concat());
    place.track(&[]);
    assert_eq!((place.events("criterion").len(), place.latest()["criteria"][0]["n"].as_u64()), (1, Some(200)));

    place.configure(&[PROJECT, &criterion("Fast", "300ms", "must")].concat());
    place.track(&[]);
    let defined = place.events("criterion");
    assert_eq!((defined.len(), text(&defined[1]["definition"], "below")), (2, "300ms"));
    assert_ne!(defined[0]["evidence_key"], defined[1]["evidence_key"]);
    let judged = place.latest()["criteria"][0].clone();
    assert_eq!((text(&judged, "verdict"), judged["n"].as_u64()), ("no_data", Some(0)));
    assert_eq!((text(&judged["since"], "why"), text(&judged["since"], "from")), ("changed", text(&defined[1], "at")));
    let verdicts = place.events("verdict");
    let said: Vec<_> = verdicts.iter().map(|v| (text(v, "verdict"), v["n"].as_u64(), &v["evidence_key"])).collect();
    assert_eq!(
        said,
        [("met", Some(200), &defined[0]["evidence_key"]), ("no_data", Some(0), &defined[1]["evidence_key"])],
        "one for each definition"
    );
    assert!(verdicts.iter().all(|v| v["criterion"] == "Fast"));

    // The same word about something else.
    place.configure(&[PROJECT, &criterion("Fast", "200ms", "must")].concat());
    place.track(&[]);
    assert_eq!((place.events("criterion").len(), place.events("verdict").len()), (3, 3));

    // And all of it is told again.
    let history = stdout(&place.command(&["history", "fast"]).output().expect("milepost runs"));
    let told: Vec<_> = history.lines().filter_map(|line| line.split_once(" UTC  ")).map(|(_, what)| what).collect();
    let redefined = ["tightened: below from 500ms to 300ms", "no data", "tightened: below from 300ms to 200ms", "no data"];
    assert_eq!(told, [&["defined: metric latency.p95, below 500ms", "met, n 200"][..], &redefined].concat(), "{history}");
    assert!(history.contains("\nFast; first met "), "{history}");
    let markdown = stdout(&place.command(&["history", "--format", "markdown"]).output().expect("milepost runs"));
    assert!(markdown.contains("## Fast\n") && markdown.contains(" UTC: tightened: below from 500ms to 300ms\n"), "{markdown}");
}

#[test]
fn a_verdict_is_recorded_when_it_changes_and_once_a_day() {
    let place = Place::with(&[&project(12)[..], &criterion("Fast", "500ms", "must")].concat());
    let verdicts = || place.events("verdict").iter().map(|v| text(v, "verdict").to_owned()).collect::<Vec<_>>();
    for _ in 0..3 {
        place.track(&[]);
    }
    assert_eq!(verdicts(), ["no_data"]);
    place.record(&two_days(100));
    for _ in 0..3 {
        place.track(&[]);
    }
    assert_eq!(verdicts(), ["no_data", "met"]);

    // Shortly after midnight of the project's time zone, whatever day it is in others.
    let key = text(&place.events("criterion")[0], "evidence_key").to_owned();
    let earlier = (jiff::Timestamp::now() - 70.minutes()).to_string();
    let before = |hour: i8| {
        let place = Place::with(&[&project(hour)[..], &criterion("Fast", "500ms", "must")].concat());
        let line =
            |kind: &str, rest: &str| format!("{{\"v\":1,\"kind\":\"{kind}\",\"at\":\"{earlier}\",\"evidence_key\":\"{key}\",{rest}}}\n");
        place.record(&line("criterion", "\"name\":\"Fast\""));
        place.record(&line("verdict", "\"criterion\":\"Fast\",\"verdict\":\"no_data\""));
        place.track(&[]);
        (place.events("criterion").len(), place.events("verdict").len())
    };
    assert_eq!(before(0), (1, 2), "yesterday it was the same");
    assert_eq!(before(12), (1, 1), "today it was the same");
}

#[test]
fn it_publishes_where_it_is_told_to() {
    let place = Place::with(&[PROJECT, "[track]\noutput = \"site/metrics\"\n"].concat());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let config = place.path("milepost.toml");
    let track = |args: &[&str]| {
        let mut command = place.command(&[&["track", "--config", config.to_str().expect("UTF-8")], args].concat());
        assert!(command.current_dir(&elsewhere).output().expect("milepost runs").status.success());
    };
    track(&[]);
    assert_eq!(place.names("site/metrics"), ["dashboards", "data", "latest.html", "latest.json"]);
    track(&["--output", "here"]);
    assert!(elsewhere.path().join("here/latest.html").exists());
    assert!(!place.path(".milepost/reports").exists());
    let name = &place.names("site/metrics/data")[0];
    let stamp = name.strip_prefix("metrics_").and_then(|name| name.strip_suffix(".json")).expect("its pattern");
    assert_eq!(place.names("site/metrics/dashboards"), [format!("dashboard_{stamp}.html")]);
    let read = |name: &str| fs::read_to_string(place.path("site/metrics").join(name)).expect("a file");
    assert_eq!(read(&format!("data/{name}")), read("latest.json"));
    assert_eq!(read(&format!("dashboards/dashboard_{stamp}.html")), read("latest.html"));
    let judged: Value = serde_json::from_str(&read("latest.json")).expect("JSON");
    let digits: String = text(&judged, "generated_at").chars().filter(|c| c.is_ascii_digit()).take(14).collect();
    assert_eq!(digits, stamp.replace('_', ""));
}

#[test]
fn nothing_is_overwritten_however_fast_calls_follow() {
    let place = Place::with(PROJECT);
    for _ in 0..3 {
        place.track(&[]);
    }
    for folder in [".milepost/reports/data", ".milepost/reports/dashboards"] {
        assert_eq!(place.names(folder).len(), 3);
    }
    // Two projects, one folder: they share no lock.
    let [one, other] = [PROJECT, &PROJECT.replace("test", "other")].map(Place::with);
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().to_str().expect("UTF-8");
    let command = |place: &Place| place.command(&["track", "--output", output]).spawn().expect("milepost runs");
    let outputs = [&one, &other, &one].map(command).map(|child| child.wait_with_output().expect("milepost ends"));
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let published = outputs.iter().filter(|output| !stdout(output).starts_with("Another")).count();
    for kind in ["data", "dashboards"] {
        assert_eq!(fs::read_dir(folder.path().join(kind)).expect("a folder").count(), published, "{kind}");
    }
}

#[test]
fn old_reports_are_thinned_out_and_what_is_not_ours_stays() {
    let place = Place::with(PROJECT);
    let today = jiff::Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let day = |ago: i32| today.saturating_sub(ago.days()).strftime("%Y%m%d").to_string();
    for (folder, prefix, suffix) in [("data", "metrics_", ".json"), ("dashboards", "dashboard_", ".html")] {
        let folder = place.path(".milepost/reports").join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        for ago in [1, 13, 20, 400] {
            for time in ["000000", "120000", "235958"] {
                fs::write(folder.join(format!("{prefix}{}_{time}{suffix}", day(ago))), "old").expect("written");
            }
        }
        let foreign = [
            format!("my_{prefix}{}_000000{suffix}", day(20)),
            format!("{prefix}{}_000000{suffix}.bak", day(20)),
            format!("{prefix}{}_00000{suffix}", day(20)),
            format!("{prefix}20250230_000000{suffix}"),
            "notes".to_owned(),
        ];
        for name in foreign {
            fs::write(folder.join(name), "foreign").expect("written");
        }
        fs::create_dir(folder.join(format!("{prefix}{}_000001{suffix}", day(20)))).expect("a folder");
        symlink("notes", folder.join(format!("{prefix}{}_000002{suffix}", day(20)))).expect("a link");
    }
    place.track(&[]);
    for (folder, prefix, suffix) in [("data", "metrics_", ".json"), ("dashboards", "dashboard_", ".html")] {
        let names = place.names(&format!(".milepost/reports/{folder}"));
        let of = |ago: i32, time: &str| names.contains(&format!("{prefix}{}_{time}{suffix}", day(ago)));
        for time in ["000000", "120000", "235958"] {
            assert!(of(1, time) && of(13, time), "{time} {names:?}");
            assert_eq!((of(20, time), of(400, time)), (time == "235958", time == "235958"), "{time} {names:?}");
        }
        // Six of the last days, two of older ones, seven that are not ours, and the new one.
        assert_eq!(names.len(), 16, "{names:?}");
    }
}

#[test]
fn a_reader_never_sees_a_part_of_the_newest_page() {
    let many: String = (0..40).map(|i| criterion(&format!("Criterion {i}"), "500ms", "must")).collect();
    let place = Place::with(&[PROJECT, &many].concat());
    place.track(&[]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut readings = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(place.latest()["criteria"].as_array().map(Vec::len), Some(40));
                let page = fs::read_to_string(place.path(".milepost/reports/latest.html")).expect("a page");
                assert!(page.starts_with("<!") && page.trim_end().ends_with("</html>"));
                readings += 1;
            }
            readings
        });
        for _ in 0..4 {
            place.track(&[]);
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("no reader saw a part") > 4);
    });
}

#[test]
fn asked_to_stop_it_ends_the_probe_and_leaves_the_rest() {
    let script = "sleep 600 & echo $! >pid.new; mv pid.new pid; wait; exit 5";
    let place = Place::with(&[PROJECT, &probe("long", script), "timeout = \"1h\"\nevery = \"31d\"\n", &probe("never", "exit 0")].concat());
    let child = place.command(&["track"]).spawn().expect("milepost runs");
    until(|| place.path("pid").exists());
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let output = child.wait_with_output().expect("milepost ends");
    assert_eq!((output.status.signal(), stdout(&output).as_str()), (Some(15), ""));
    assert!(stderr(&output).contains("asked to stop, so the rest is left to the next time"), "{}", stderr(&output));
    let events = place.events("operation");
    assert_eq!((events.len(), text(&events[0], "outcome")), (1, "cancelled"));
    let pid = fs::read_to_string(place.path("pid")).expect("a process ran");
    until(|| gone(pid.trim()));
    let text = place.track(&[]);
    assert!(text.contains("never: ok") && text.contains("Not due yet       1 job"), "{text}");
}

#[test]
fn the_script_for_cron_passes_on_what_track_says() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/track_metrics.sh");
    assert!(Command::new("sh").arg("-n").arg(&script).status().expect("sh runs").success());
    let empty = tempfile::tempdir().expect("a folder");
    let run = |config: bool, output: Option<&str>| {
        let mut command = Command::new("sh");
        command.arg(&script).current_dir(&empty).env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
        command.env("HOME", empty.path()).env("MILEPOST", env!("CARGO_BIN_EXE_milepost"));
        if config {
            command.env("MILEPOST_CONFIG", empty.path().join("milepost.toml"));
        }
        command.envs(output.map(|output| ("METRICS_DIR", output)));
        command.stdin(Stdio::null()).output().expect("sh runs")
    };
    assert_eq!(run(false, None).status.code(), Some(2), "nothing is configured");
    fs::write(empty.path().join("milepost.toml"), [PROJECT, &criterion("Fast", "500ms", "must")].concat()).expect("written");
    for n in 1..=2 {
        let output = run(true, None);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        assert_eq!(last_line(&stdout(&output)), "0 of 1 met; not met: Fast");
        assert_eq!(fs::read_dir(empty.path().join("metrics/data")).expect("a folder").count(), n);
    }
    assert!(run(true, Some("other folder")).status.success());
    assert!(empty.path().join("other folder/latest.html").exists());
}
