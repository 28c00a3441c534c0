//! `milepost probe` as a person uses it: complete samples and their verdicts, those that are stopped, and what is on the screen.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use nix::{
    fcntl::OFlag,
    libc,
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use default_signals::have_default_signals;

#[path = "signals/default.rs"]
mod default_signals;

/// Far beyond what a busy machine takes for any one step. Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(120);

const CRITERIA: &str = r#"
[project]
name = "test"

[[criterion]]
name = "Response time"
metric = "latency.p95"
below = "10s"
since = "2026-01-01"
where = { origin = "probe" }
tier = "must"

[[criterion]]
name = "Instant"
metric = "latency.p50"
below = "1us"
where = { operation = ["slow", "down"] }

[[criterion]]
name = "Success"
metric = "success.rate"
above = "95%"
for_each = "operation"
groups = ["fast", "down"]
tier = "must"

[[probe]]
operation = "fast"
command = ["true"]

[[probe]]
operation = "down"
command = ["false"]

[[probe]]
operation = "slow"
command = ["sleep", "0.1"]

[[probe]]
operation = "hang"
command = ["sleep", "600"]
timeout = "200ms"

[[probe]]
operation = "loud"
backend = "native"
command = ["sh", "-c", "if read line; then exit 3; fi; echo said; echo said >&2"]

[[probe]]
operation = "ended"
command = ["sh", "-c", "kill -INT $$"]

[[probe]]
operation = "missing"
command = ["no-such-program-anywhere"]
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with(CRITERIA)
    }

    fn with(config: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.path("milepost.toml"), config).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    fn probe(&self, operation: &str, samples: &str) -> Output {
        self.run(&["probe", operation, "--samples", samples])
    }

    fn started(&self, operation: &str, samples: &str) -> Child {
        have_default_signals();
        let mut command = self.command(&["probe", operation, "--samples", samples]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs")
    }

    fn events(&self) -> Vec<Value> {
        let output = self.run(&["export"]);
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Waits until so many runs are recorded.
    fn wait_for_runs(&self, n: usize) {
        let until = Instant::now() + LIMIT;
        while self.events().len() <= n {
            assert!(Instant::now() < until, "still fewer than {n} runs");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many operations of origin `probe` count as live evidence.
    fn live(&self) -> u64 {
        let scorecard: Value = serde_json::from_str(&stdout(&self.run(&["status", "--format", "json"]))).expect("JSON");
        scorecard["criteria"][0]["n"].as_u64().expect("a number")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn signalled(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("sent");
}

#[test]
fn a_complete_sample_is_judged_once_and_was_announced_before() {
    let place = Place::new();
    let output = place.probe("fast", "59");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let text = squeezed(&stdout(&output));
    assert!(text.starts_with("fast · a fixed sample of 59 59 succeeded, 0 failed; recorded as s-"), "{text}");
    assert!(text.contains("✓ met Response time") && text.contains("59 of 59 within 10 s. P95 "), "{text}");
    assert!(text.contains("✓ met Success, fast 100% > 95% n 59 59 of 59 succeeded. Success rate 100%, at least 95.0%"), "{text}");
    assert!(!text.contains("Instant"), "it is about other operations: {text}");

    let events = place.events();
    let (note, runs) = events.split_first().expect("events");
    let sample = note["sample"].as_str().expect("an id");
    assert_eq!((&note["kind"], &note["topic"], &note["origin"]), (&"note".into(), &"sample".into(), &"probe".into()));
    assert_eq!((&note["operation"], &note["size"], &note["attributes"]["door"]), (&"fast".into(), &59.into(), &"probe".into()));
    assert_eq!(runs.len(), 59);
    for run in runs {
        assert_eq!((&run["kind"], &run["origin"], &run["sample"]), (&"operation".into(), &"probe".into(), &sample.into()));
        assert_eq!((&run["operation"], &run["outcome"], &run["attributes"]["door"]), (&"fast".into(), &"ok".into(), &"probe".into()));
        assert!(run["duration_us"].is_u64() && run["at"].as_str() >= note["at"].as_str(), "{run}");
    }
    assert_eq!(place.live(), 0, "the modes are never mixed");
    let second = place.probe("fast", "59");
    assert!(squeezed(&stdout(&second)).contains("n 59"), "a sample of its own");
    assert_eq!(place.live(), 0);
}

#[test]
fn failures_and_slow_runs_miss() {
    let place = Place::new();
    let text = squeezed(&stdout(&place.probe("down", "20")));
    assert!(text.contains("0 succeeded, 20 failed"), "{text}");
    assert!(text.contains("✗ missed Response time") && text.contains("So many fail that P95 has no finite value."), "{text}");
    assert!(text.contains("✗ missed Success, down 0% > 95% n 20 0 of 20 succeeded."), "{text}");
    let text = squeezed(&stdout(&place.probe("slow", "6")));
    assert!(text.contains("✗ missed Instant") && text.contains("0 of 6 within 1 us. P50 1") && text.contains(" us, at least 1"), "{text}");
}

#[test]
fn a_run_that_hangs_is_a_failure() {
    let place = Place::new();
    let output = place.probe("hang", "2");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = squeezed(&stdout(&output));
    assert!(text.contains("0 succeeded, 2 failed, 2 of them ran out of time") && text.contains("✗ missed Response time"), "{text}");
    assert!(place.events()[1..].iter().all(|run| run["outcome"] == "timeout"));
}

#[test]
fn a_sample_that_is_too_small_is_taken_and_says_so() {
    let place = Place::new();
    let output = place.probe("fast", "20");
    assert_eq!(output.status.code(), Some(0));
    let said = stderr(&output);
    assert!(
        said.contains("a sample of 20 cannot prove `Response time` (P95 < 10 s), even without a miss: one of 59 is the least"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "one line for each of its criteria: {said}");
    let text = squeezed(&stdout(&output));
    assert!(text.contains("? not proven Response time"), "{text}");
    assert!(text.contains("Without a miss it takes a sample of at least 59; this one cannot be extended."), "{text}");
}

#[test]
fn a_sample_that_is_stopped_is_void_and_its_runs_are_live() {
    for (signal, ends) in [(Signal::SIGINT, (None, Some(2))), (Signal::SIGTERM, (Some(143), None)), (Signal::SIGHUP, (Some(129), None))] {
        let place = Place::new();
        let child = place.started("slow", "1000");
        place.wait_for_runs(3);
        signalled(&child, signal);
        let output = child.wait_with_output().expect("milepost ends");
        assert_eq!((output.status.code(), output.status.signal()), ends, "{signal}");
        let events = place.events();
        let runs = events.iter().filter(|event| event["kind"] == "operation" && event["outcome"] != "cancelled").count() as u64;
        assert!((3..1000).contains(&runs), "{signal}: {runs}");
        let said = stderr(&output);
        assert!(said.contains(&format!("stopped after {runs} of 1000: the sample s-")) && said.contains("is void as proof"), "{said}");
        assert_eq!((stdout(&output).as_str(), place.live()), ("", runs), "{signal}");
    }
}

#[test]
fn a_sample_whose_milepost_was_killed_is_void() {
    let place = Place::new();
    let mut child = place.started("slow", "1000");
    place.wait_for_runs(3);
    signalled(&child, Signal::SIGKILL);
    assert_eq!(child.wait().expect("milepost ends").signal(), Some(9));
    let events = place.events();
    assert_eq!((&events[0]["kind"], &events[0]["size"]), (&"note".into(), &1000.into()), "it was announced");
    let runs = events.len() as u64 - 1;
    assert!((3..1000).contains(&runs), "{runs}");
    assert_eq!(place.live(), runs);
    // Another one is whole, and does not make the first any better.
    assert_eq!(place.probe("fast", "5").status.code(), Some(0));
    assert_eq!(place.live(), runs);
}

/// Were it run once more instead, whoever ends the slow ones would choose what is counted.
#[test]
fn a_run_that_somebody_ends_voids_the_sample() {
    let place = Place::new();
    have_default_signals();
    let output = place.probe("ended", "5");
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("stopped after 0 of 5"), "{}", stderr(&output));
    let events = place.events();
    assert_eq!((events.len(), &events[1]["outcome"]), (2, &"cancelled".into()));
}

#[test]
fn the_command_is_alone_with_its_streams_and_has_the_backend_of_its_probe() {
    let place = Place::new();
    let mut child = place.command(&["probe", "loud", "--samples", "2"]);
    let output = child.stdin(File::open("/proc/self/status").expect("a file")).output().expect("milepost runs");
    let text = stdout(&output);
    assert!(text.contains("loud by native · a fixed sample of 2") && text.contains("2 succeeded, 0 failed"), "{text}");
    assert!(!text.contains("said") && !stderr(&output).contains("said"), "{text}{}", stderr(&output));
    assert!(place.events().iter().all(|event| event["backend"] == "native"));
}

#[test]
fn without_a_criterion_it_says_what_was_observed() {
    let place = Place::with("[project]\nname = \"test\"\n[[probe]]\noperation = \"fast\"\ncommand = [\"true\"]\n");
    let output = place.probe("fast", "10");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let text = squeezed(&stdout(&output));
    assert!(text.contains("Success rate 100%; 95% confidence: 69.2% to 100%"), "{text}");
    assert!(text.contains(" P50 ") && text.contains(" P95 ") && text.contains(" P99 ") && text.contains("no upper bound"), "{text}");
    assert!(text.contains("No criterion is about the latency or the success of fast."), "{text}");
}

#[test]
fn the_report_is_there_as_json() {
    let place = Place::new();
    let output = place.run(&["probe", "fast", "--samples", "60", "--format", "json"]);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((&report["schema_version"], &report["sample"]["size"], &report["ok"]), (&1.into(), &60.into(), &60.into()));
    let exams = report["exams"].as_array().expect("exams");
    assert_eq!(exams.iter().map(|e| e["verdict"].as_str().unwrap_or_default()).collect::<Vec<_>>(), ["met", "met"]);
    assert_eq!((&exams[1]["group"]["operation"], &exams[1]["smallest_size"], &exams[1]["n"]), (&"fast".into(), &59.into(), &60.into()));
    assert_eq!(report["figures"].as_array().map(Vec::len), Some(4));
}

#[test]
fn what_cannot_be_a_sample_is_refused_and_records_nothing() {
    let place = Place::new();
    for (args, says) in [
        (&["probe", "fsat", "--samples", "5"][..], "there is no [[probe]] for `fsat` in milepost.toml; did you mean `fast`?"),
        (&["probe", "xyz", "--samples", "5"], "there are `down`, `ended`, `fast`, `hang`, `loud`, `missing`, `slow`"),
        (&["probe", "fast", "--backend", "native", "--samples", "5"], "with the backend `native`; its probe names none"),
        (&["probe", "fast"], "--samples <N>"),
        (&["probe", "fast", "--samples", "0"], "1..=100000"),
        (&["probe", "fast", "--samples", "100001"], "1..=100000"),
    ] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
    for variable in ["DO_NOT_TRACK", "MILEPOST_DISABLED"] {
        let output = place.command(&["probe", "fast", "--samples", "5"]).env(variable, "1").output().expect("milepost runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&format!("{variable} is set, so nothing would be recorded")), "{}", stderr(&output));
    }
    assert_eq!(fs::read_dir(place.path(".milepost")).expect("a folder").count(), 0, "no file is made");
    let output = place.probe("missing", "5");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot start no-such-program-anywhere") && stderr(&output).contains("void"), "{}", stderr(&output));
    assert_eq!(place.events().len(), 2, "what was tried stands");
}

#[test]
fn a_spool_that_cannot_be_written_is_a_failure_of_milepost() {
    let place = Place::new();
    fs::write(place.path(".milepost/spool"), "in the way").expect("written");
    let output = place.probe("fast", "5");
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

/// A terminal for standard error alone, where the bar is drawn; what comes out of it until the end.
#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    let place = Place::new();
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let path = ptsname_r(&terminal).expect("a name");
    let line = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).expect("a terminal");
    let mut command = place.command(&["probe", "slow", "--samples", "15"]);
    command.stdout(Stdio::piped()).stderr(line).env("TERM", "xterm");
    let child = command.spawn().expect("milepost runs");
    // The command holds the line open, and the reading would never end.
    drop(command);
    let reader = thread::spawn(move || {
        let mut terminal = File::from(OwnedFd::from(terminal));
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        // A terminal that nobody uses any more reads as an error.
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    let output = child.wait_with_output().expect("milepost ends");
    let seen = reader.join().expect("no panic");
    assert!(seen.contains("slow ") && seen.contains(" of 15, ") && seen.contains(" so far, about "), "{seen:?}");
    assert!(seen.trim_end_matches("\u{1b}[?25h").ends_with("\r\u{1b}[2K"), "the bar is gone at the end: {seen:?}");
    assert!(stdout(&output).contains("a fixed sample of 15"));
    assert!(!stdout(&output).contains("so far"));

    let silent = place.probe("slow", "15");
    assert!(!stderr(&silent).contains("so far") && !stderr(&silent).contains('\u{1b}'), "{:?}", stderr(&silent));
}

#[test]
fn it_fits_into_80_columns() {
    let place = Place::new();
    for args in [&["probe", "--help"][..], &["probe", "down", "--samples", "20"], &["probe", "fast", "--samples", "20"]] {
        let output = place.command(args).env("COLUMNS", "80").output().expect("milepost runs");
        for line in stdout(&output).lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {line}");
        }
    }
}
