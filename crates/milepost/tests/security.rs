//! What an attacker of SECURITY.md tries, across commands: the real program in a folder of its own, with hostile names, files, folders
//! and requests. What a single part promises is tested beside that part; SECURITY.md names both.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "security/accounts.rs"]
mod accounts;
#[path = "security/documents.rs"]
mod documents;
#[path = "security/input.rs"]
mod input;
#[path = "security/port.rs"]
mod port;
#[path = "security/screens.rs"]
mod screens;
#[path = "security/secrets.rs"]
mod secrets;
#[path = "security/trust.rs"]
mod trust;

use nix::{
    fcntl::OFlag,
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

/// Names that would be something else in one of the formats, or lead somewhere.
const NAMES: &[&str] = &[
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\u{9d}0;owned\u{9c}",
    "\u{202e}turned\u{2066}\u{61c}\u{200f}",
    "<script>alert(1)</script></title><img src=x onerror=alert(1)>\"'&",
    "]]><!--{{7*7}}${7*7}",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0;=1+1\t=1+1",
    "::error title=owned::x%0A\r\n::error::owned",
    "'; DROP TABLE operations; --",
    "x' OR '1'='1",
    "$(touch owned)`touch owned`;touch owned|touch owned&touch owned",
    "../../../owned",
    "https://evil.example/ @somebody [x](javascript:alert(1)) ![x](https://evil.example/x) | x |",
    "x\"} 1\nowned{of=\"",
    "%n%s{0}\\",
];

/// A product with criteria, and what is known of it.
struct Place {
    folder: tempfile::TempDir,
}

/// What a person would have written, with one criterion of each of the hostile names that a configuration can hold.
fn configuration() -> String {
    let names = NAMES.iter().filter(|name| !name.contains(char::is_control));
    let criterion = |name: &&str| {
        let name = Value::from(*name);
        format!("[[criterion]]\nname = {name}\nmetric = \"success.rate\"\nabove = \"95%\"\ntier = \"must\"\nfor_each = \"operation\"\n")
    };
    "[project]\nname = \"<b>p\u{202e}\"\n".to_owned() + &names.map(criterion).collect::<String>()
}

impl Place {
    fn new() -> Self {
        Self::with(&configuration())
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

    fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Records lines by the door that takes them as they are.
    fn record(&self, lines: &[Value]) {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut child = self.command(&["record"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().expect("milepost ends");
        writer.join().expect("no panic").expect("written");
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// Every hostile name in every place that an event has for words.
    fn record_names(&self) {
        self.record(&NAMES.iter().flat_map(|name| events(name)).collect::<Vec<_>>());
    }

    /// What a command writes to a terminal, with what the terminal itself does to line feeds undone.
    fn on_terminal<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname_r(&master).expect("a name");
        let slave = || OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(&name).expect("a terminal");
        let mut command = self.command(args);
        command.env("TERM", "xterm-256color").env("COLUMNS", "100").stdout(slave()).stderr(slave());
        let mut child = command.spawn().expect("milepost runs");
        // Ours would keep the terminal open.
        drop(command);
        let (mut shown, mut buffer, mut master) = (Vec::new(), [0; 4096], master);
        loop {
            match master.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => shown.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody has the other end any more.
                Err(_) => break,
            }
        }
        child.wait().expect("milepost ends");
        // CSV has carriage returns of its own, and progress clears its line.
        let shown = String::from_utf8(shown).expect("UTF-8");
        shown.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r\u{1b}[2K", "")
    }
}

/// Two days ago and today.
fn times() -> [String; 2] {
    let now = jiff::Timestamp::now();
    [48, 1].map(|hours| (now - jiff::SignedDuration::from_hours(hours)).to_string())
}

fn events(name: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for (day, at) in times().into_iter().enumerate() {
        let unique = |of: &str| format!("{of}{day} {name}");
        for outcome in ["ok", "failed"] {
            let error = (outcome == "failed").then(|| json!({"category": "network"}));
            let mut operation = json!({"v": 1, "kind": "operation", "at": at, "operation": name, "outcome": outcome, "backend": name,
                "duration_us": 1000, "user": name, "session": name, "persona": name, "version": name, "commit": name, "host": name,
                "attributes": {name: name}});
            if let Some(error) = error {
                operation["error"] = error;
            }
            events.push(operation);
        }
        events.extend([
            json!({"v": 1, "kind": "session", "at": at, "user": name, "session": name, "persona": name}),
            json!({"v": 1, "kind": "memory", "at": at, "run": name, "bytes": 1000, "measure": "pss", "complete": true, "process": name}),
            json!({"v": 1, "kind": "interaction", "id": unique("i"), "at": at, "recognized": name, "correct": name, "arm": "learning",
                "user": name}),
            json!({"v": 1, "kind": "label", "at": at, "of": unique("i"), "correct": name}),
            json!({"v": 1, "kind": "measurement", "at": at, "name": name, "value": 1.0, "unit": "%", "source": name, "scope": name}),
            json!({"v": 1, "kind": "note", "at": at, "topic": "release", "version": name, "text": name}),
            json!({"v": 1, "kind": "note", "at": at, "topic": "decision", "text": name}),
        ]);
    }
    events
}

/// Each test that SECURITY.md names is there, and each row of its tables names one.
#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = String::new();
    let folders =
        ["milepost-record", "milepost-collect", "milepost-store", "milepost-judge", "milepost"].map(|name| root.join("crates").join(name));
    for folder in folders.iter().flat_map(|folder| [folder.join("src"), folder.join("tests")]).chain([root.join("python/tests")]) {
        for file in files(&folder).iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs" || extension == "py")) {
            sources += &fs::read_to_string(file).expect("a source");
        }
    }
    // What is called for a test stands on the line after its attribute, or in `proptest!`, or is a test of Python.
    let lines: Vec<_> = sources.lines().map(str::trim).collect();
    let is_test = |name: &str| {
        let rust = format!("fn {name}(");
        let in_rust =
            |at: usize| lines[..at].iter().rev().take(3).any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        lines.iter().enumerate().any(|(at, line)| line.contains(&rust) && in_rust(at) || line.starts_with(&format!("def {name}(self)")))
    };
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("a page");
    let named = |text: &str| {
        let words = text.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() >= 2);
        words
            .filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let missing: Vec<_> = named(&page).into_iter().filter(|name| !is_test(name)).collect();
    assert_eq!(missing, Vec::<String>::new());
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |")).collect();
    assert!(rows.len() > 25 && rows.iter().all(|row| !named(row).is_empty()), "{rows:#?}");
    assert!(!is_test("no_test_is_called_so"));
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// All files below a folder, links not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
