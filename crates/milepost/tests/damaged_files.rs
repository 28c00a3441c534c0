//! Each file that Milepost keeps for itself, damaged in every way: what reads it goes on and says what is lost, or says which file it is and
//! what to do. It never panics, never reads without end, and never loses an event.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

const CONFIG: &str = r#"
[project]
name = "demo"

[[criterion]]
name = "fast"
metric = "latency.p95"
where = { operation = "search" }
below = "500ms"

[[alert]]
command = ["true"]
"#;

/// More than anybody reads of one file.
const SAID_BYTES_MAX: usize = 4096;

/// Larger than any file that Milepost writes. It takes no room on the disk.
const WITHOUT_END_BYTES: u64 = 1 << 40;

/// The files of the data folder, and a command that reads each.
const FILES: &[(&str, &[&str])] = &[
    ("identity.json", &["record", "note", "--topic", "feedback", "--score", "4"]),
    ("spool/spool.json", &["status"]),
    ("store/store.json", &["status"]),
    ("store/forgotten.json", &["status"]),
    ("store/digests.json", &["doctor"]),
    ("track.json", &["track"]),
    ("alerts.json", &["track"]),
    ("forgotten.json", &["track"]),
    ("otlp.json", &["doctor"]),
    ("tokens.json", &["token", "list"]),
];

struct Place(tempfile::TempDir);

impl Place {
    /// One that was used: with tables, a round of `track`, somebody who was forgotten, and a token.
    fn used() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.path("milepost.toml"), CONFIG).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        for user in ["rose", "ada"] {
            place.ok(&["record", "operation", "--operation", "search", "--outcome", "ok", "--duration", "10ms", "--user", user]);
        }
        place.ok(&["forget", "--user", "rose", "--yes"]);
        place.ok(&["track"]);
        place.ok(&["token", "add", "ci", "--write"]);
        place
    }

    fn copied(&self) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        let copied = Command::new("cp").arg("-a").arg(self.path(".")).arg(place.path(".")).status();
        assert!(copied.is_ok_and(|status| status.success()));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.0.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.0.path()).stdin(Stdio::null());
        command.output().expect("milepost runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn operations(&self) -> usize {
        self.ok(&["export", "--kind", "operation"]).lines().count()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Makes a file what it should not be.
type Damage = (&'static str, fn(&Path, &[u8]));

const DAMAGES: &[Damage] = &[
    ("empty", |path, _| fs::write(path, "").expect("written")),
    ("half of it", |path, good| fs::write(path, &good[..good.len() / 2]).expect("written")),
    ("binary", |path, _| fs::write(path, (0..=255).rev().collect::<Vec<u8>>()).expect("written")),
    ("nested deep", |path, _| fs::write(path, b"{\"a\":[".repeat(200_000)).expect("written")),
    ("without end", |path, _| {
        fs::write(path, b"{\"version\":1,").expect("written");
        fs::File::options().append(true).open(path).and_then(|file| file.set_len(WITHOUT_END_BYTES)).expect("a long file");
    }),
    ("a folder", |path, _| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("a folder");
    }),
];

fn holds(name: &str, what: &str, output: &Output) {
    let said = said(output);
    let shown: String = said.chars().take(2000).collect();
    let file = Path::new(name).file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(matches!(output.status.code(), Some(0..=4)) && !said.contains("panicked"), "{name}, {what}: {shown}");
    assert!(output.stderr.len() <= SAID_BYTES_MAX, "{name}, {what}: {} bytes: {shown}", output.stderr.len());
    assert!(said.contains(file), "{name}, {what}: {shown}");
    assert!(!said.contains('\0'), "{name}, {what}: {shown}");
}

#[test]
fn a_damaged_file_is_named_and_no_event_is_lost() {
    let used = Place::used();
    let before = used.operations();
    let damaged = |(name, command): &(&str, &[&str])| {
        let place = used.copied();
        let path = place.path(".milepost").join(name);
        let good = fs::read(&path).unwrap_or_else(|_| br#"{"version":1,"since":"2026-11-20T10:00:00Z","signals":{}}"#.to_vec());
        fs::write(&path, &good).expect("written");
        for (what, damage) in DAMAGES {
            damage(&path, &good);
            holds(name, what, &place.run(command));
            if path.is_dir() {
                fs::remove_dir(&path).expect("removed");
            }
            fs::write(&path, &good).expect("written");
        }
        assert_eq!(place.operations(), before, "{name}");
    };
    thread::scope(|scope| {
        for file in FILES {
            scope.spawn(move || damaged(file));
        }
    });
}
