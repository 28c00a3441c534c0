//! The program in a real terminal: tmux, which says what is on the screen. Each test waits for what it needs to see, at most `LIMIT`.

use milepost_record::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{
    cell::Cell,
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Far beyond what a busy machine takes for any one step. Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(120);

const CONFIG: &str = r#"
[project]
name = "watched"

[[criterion]]
name = "Searching is fast"
metric = "latency.p95"
below = "500ms"
tier = "must"

[[criterion]]
name = "漢字 and \u202E turns"
metric = "success.rate"
above = "95%"
for_each = "operation"
tier = "should"
"#;

struct Place {
    folder: tempfile::TempDir,
    recorded: Cell<usize>,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder"), recorded: Cell::new(0) };
        fs::write(place.path("milepost.toml"), CONFIG).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
        command.env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8").env("HISTFILE", "");
        command.env("MILEPOST", env!("CARGO_BIN_EXE_milepost"));
        command
    }

    /// Records so many operations, by a process of its own.
    fn record(&self, operation: &str, n: usize) {
        let event = || {
            self.recorded.set(self.recorded.get() + 1);
            let (id, at) = (format!("event-{}", self.recorded.get()), Timestamp::now());
            json!({ "v": 1, "kind": "operation", "id": id, "at": at, "operation": operation, "outcome": "ok", "duration_us": 1000 })
        };
        let mut record = self.command(env!("CARGO_BIN_EXE_milepost"));
        let mut record = record.arg("record").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("milepost runs");
        let lines: String = (0..n).map(|_| format!("{}\n", event())).collect();
        record.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
        assert!(record.wait().expect("milepost ends").success());
    }
}

/// A shell in a terminal of its own.
struct Tmux {
    place: Place,
}

impl Tmux {
    fn start(place: Place, columns: u16, lines: u16) -> Self {
        let tmux = Self { place };
        let size = [columns, lines].map(|n| n.to_string());
        tmux.ok(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "exec env PS1='$ ' bash --norc --noprofile --noediting -i",
        ]);
        tmux.ok(&["set-option", "-g", "status", "off"]);
        tmux.resize(columns, lines);
        tmux.until("a prompt", |screen| screen.starts_with('$'));
        tmux.type_in("stty -a >before; echo long ago");
        tmux.until("an answer", |screen| has(screen, "long ago"));
        tmux
    }

    /// Each has a server of its own.
    fn command(&self, args: &[&str]) -> Output {
        let mut command = self.place.command("tmux");
        command.env("TERM", "xterm").arg("-u").arg("-S").arg(self.place.path("tmux")).args(args);
        command.stdin(Stdio::null()).output().expect("tmux runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn resize(&self, columns: u16, lines: u16) {
        self.ok(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    fn keys(&self, keys: &[&str]) {
        self.ok(&[&["send-keys"], keys].concat());
    }

    /// Types a line to the shell.
    fn type_in(&self, line: &str) {
        self.ok(&["send-keys", "-l", line]);
        self.keys(&["Enter"]);
    }

    fn screen(&self) -> String {
        self.ok(&["capture-pane", "-p"])
    }

    fn until(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            if seen(&screen) {
                return screen;
            }
            assert!(Instant::now() < until, "not seen: {what}\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn watch(&self) {
        self.type_in("\"$MILEPOST\" status --watch");
        self.until("the scorecard", |screen| screen.contains("judged") && screen.contains("? keys"));
    }

    /// The process that the shell waits for.
    fn watching(&self) -> Pid {
        let shell = self.ok(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("a shell");
        Pid::from_raw(children.trim().parse().expect("one child"))
    }

    /// It has ended with this code, and screen and modes are as they were.
    fn is_as_before(&self, code: i32) {
        self.until("a prompt", |screen| screen.contains("long ago") && screen.trim_end().ends_with("\n$"));
        self.type_in("echo code=$?; stty -a >after; echo mo''des");
        let screen = self.until("a prompt", |screen| has(screen, "modes"));
        assert!(has(&screen, &format!("code={code}")), "{screen}");
        assert!(screen.contains("long ago") && !screen.contains("Searching is fast"), "{screen}");
        self.same_modes("after");
    }

    fn same_modes(&self, file: &str) {
        let [before, after] = ["before", file].map(|name| fs::read_to_string(self.place.path(name)).expect("modes"));
        assert_eq!(before, after);
    }
}

/// Whether this is a line of the screen.
fn has(screen: &str, line: &str) -> bool {
    screen.lines().any(|other| other == line)
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]);
    }
}

#[test]
#[ignore = "needs tmux"]
fn the_scorecard_is_shown_follows_events_and_leaves_the_terminal_as_it_was() {
    for (columns, lines) in [(80, 24), (200, 50)] {
        let place = Place::new();
        place.record("search", 60);
        let tmux = Tmux::start(place, columns, lines);
        tmux.watch();
        // A screen that is being drawn may be seen in part.
        for wanted in [
            "watched  ? Not proven yet.",
            "What stands between us and must:",
            "▸ ? not proven Searching is fast",
            "  ? not proven 漢字 and \u{fffd} turns",
            "Searching is fast: 60 operations, all within the limit.",
        ] {
            tmux.until(wanted, |screen| screen.lines().any(|line| line.starts_with(wanted)));
        }
        tmux.place.record("search", 1);
        tmux.until("an event of another process", |screen| screen.contains("Searching is fast: 61 operations"));
        tmux.keys(&["Down", "Enter"]);
        tmux.until("the groups", |screen| screen.contains("By operation: 1 not proven") && screen.contains("a should criterion"));
        tmux.place.record("install", 1);
        tmux.until("another group", |screen| screen.contains("By operation: 2 not proven"));
        tmux.keys(&["Escape"]);
        tmux.until("the list", |screen| screen.contains("▸ ? not proven 漢字"));
        tmux.keys(&["/", "s", "e", "a", "Enter"]);
        tmux.until("what has the text in its name", |screen| screen.contains("▸ ? not proven Searching") && !screen.contains("漢字"));
        tmux.resize(39, 9);
        tmux.until("that there is no room", |screen| screen.starts_with("More room is needed"));
        tmux.resize(columns, lines);
        tmux.until("the list again", |screen| screen.contains("▸ ? not proven Searching"));
        tmux.keys(&["q"]);
        tmux.is_as_before(0);
    }
}

#[test]
#[ignore = "needs tmux"]
fn signals_leave_the_terminal_as_it_was() {
    let tmux = Tmux::start(Place::new(), 80, 24);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 0)] {
        tmux.watch();
        kill(tmux.watching(), signal).expect("it is there");
        tmux.is_as_before(code);
        tmux.type_in("clear; echo long ago");
        tmux.until("an empty screen", |screen| !screen.contains("modes") && has(screen, "long ago"));
    }
    tmux.watch();
    tmux.keys(&["C-c"]);
    tmux.is_as_before(0);
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let tmux = Tmux::start(Place::new(), 80, 24);
    tmux.watch();
    for (file, key) in [("first", "C-z"), ("second", "C-z")] {
        tmux.keys(&[key]);
        tmux.until("the shell", |screen| screen.contains("Stopped") && screen.trim_end().ends_with("\n$"));
        tmux.type_in(&format!("stty -a >{file}; clear; echo long ago, {file}"));
        tmux.until("an empty screen", |screen| !screen.contains("Stopped") && has(screen, &format!("long ago, {file}")));
        tmux.same_modes(file);
        tmux.place.record("search", 1);
        tmux.type_in("fg");
        tmux.until("the scorecard", |screen| screen.contains("Searching is fast") && screen.contains("? keys"));
    }
    tmux.until("what came in meanwhile", |screen| screen.contains("Searching is fast: 2 operations"));
    // Another stop than by its key: it takes the terminal again all the same.
    kill(tmux.watching(), Signal::SIGSTOP).expect("it is there");
    tmux.until("the shell", |screen| screen.contains("Stopped") && screen.lines().last().is_some_and(|line| line.starts_with('$')));
    tmux.type_in("fg");
    tmux.until("the scorecard", |screen| screen.contains("▸ ? not proven Searching is fast") && !screen.contains("Stopped"));
    tmux.keys(&["q"]);
    tmux.is_as_before(0);
}

#[test]
#[ignore = "needs tmux"]
fn a_configuration_that_breaks_is_told_and_the_old_scorecard_stays() {
    let tmux = Tmux::start(Place::new(), 80, 24);
    tmux.watch();
    fs::write(tmux.place.path("milepost.toml"), format!("{CONFIG}blow = 3\n")).expect("written");
    tmux.until("what is wrong", |screen| {
        ["Error: milepost.toml:17:1: unknown key `blow`", "as of ", "▸ - no data    Searching is fast"].iter().all(|of| screen.contains(of))
    });
    fs::write(tmux.place.path("milepost.toml"), CONFIG.replace("Searching", "Finding")).expect("written");
    tmux.until("the new scorecard", |screen| screen.contains("▸ - no data    Finding is fast") && !screen.contains("Error: "));
    tmux.keys(&["q"]);
    tmux.is_as_before(0);
}

#[test]
fn without_a_terminal_or_with_another_format_it_is_an_error() {
    let place = Place::new();
    for (args, why) in [
        (&["status", "--watch"][..], "--watch needs a terminal on standard input and output"),
        (&["status", "--watch", "--format", "json"], "--watch is for a terminal, and goes with --format table only"),
    ] {
        let output = place.command(env!("CARGO_BIN_EXE_milepost")).args(args).stdin(Stdio::null()).output().expect("milepost runs");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.contains(why) && !said.contains('\u{1b}'), "{said}");
    }
}
