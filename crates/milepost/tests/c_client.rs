//! A client in another language: examples/c/milepost.c beside the program, and the page that explains it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::Spool;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

const WRITERS: usize = 6;
const EACH: usize = 100;
const WRAPPED: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The C program, compiled once; `None` where there is no compiler.
fn client() -> Option<&'static Path> {
    static CLIENT: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let compiled = CLIENT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("record");
        let mut compile = Command::new("cc");
        compile.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-o"]).arg(&program);
        match compile.arg(root().join("examples/c/milepost.c")).output() {
            Err(why) => {
                let _ = writeln!(std::io::stderr(), "skipped: there is no C compiler (cc: {why}), so the client in C is not tested");
                None
            }
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some((folder, program))
            }
        }
    });
    compiled.as_ref().map(|(_, program)| program.as_path())
}

struct Place {
    folder: tempfile::TempDir,
    client: &'static Path,
}

impl Place {
    fn new() -> Option<Self> {
        let place = Self { client: client()?, folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.folder.path().join("milepost.toml"), "[project]\nname = \"test\"\n").expect("written");
        Some(place)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
        command.env("HOME", self.folder.path()).env("MILEPOST_DATA", self.data()).env("CLIENT", self.client);
        command
    }

    fn client(&self, args: &[&str]) -> Output {
        self.command(self.client, args).output().expect("the client runs")
    }

    fn milepost(&self, args: &[&str]) -> String {
        let output = self.command(env!("CARGO_BIN_EXE_milepost"), args).output().expect("milepost runs");
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn events(&self) -> Vec<Value> {
        self.milepost(&["export"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// How often each operation is there.
    fn operations(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for event in self.events() {
            *found.entry(event["operation"].as_str().expect("a name").to_owned()).or_default() += 1;
        }
        found
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn many_processes_beside_others_and_sealing_lose_nothing_and_count_nothing_twice() {
    let Some(place) = Place::new() else { return };
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            let spool = Spool::open(&place.data()).expect("a spool");
            let mut sealed = 0;
            while writing.load(Ordering::Relaxed) {
                sealed += spool.seal().expect("sealed");
            }
            sealed
        });
        let stop = Stop(&writing);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let script = format!("for i in $(seq {EACH}); do \"$CLIENT\" w{writer}-$i ok $i || exit 1; done");
                place.command("sh", &["-c", &script]).spawn().expect("a shell")
            })
            .collect();
        for n in 0..WRAPPED {
            place.milepost(&["run", "--operation", &format!("wrapped-{n}"), "--", "true"]);
            if n == WRAPPED / 2 {
                place.milepost(&["track"]);
            }
        }
        let ended: Vec<_> = writers.into_iter().map(|mut writer| writer.wait().expect("it ends")).collect();
        drop(stop);
        let sealed = sealing.join().expect("no panic");
        assert!(ended.iter().all(std::process::ExitStatus::success), "{ended:?}");
        assert!(sealed > WRITERS, "sealed {sealed} segments while they wrote");
    });
    let mut expected: BTreeMap<String, usize> = (0..WRAPPED).map(|n| (format!("wrapped-{n}"), 1)).collect();
    for writer in 0..WRITERS {
        expected.extend((1..=EACH).map(|n| (format!("w{writer}-{n}"), 1)));
    }
    assert_eq!(place.operations(), expected);
    let doctor = place.milepost(&["doctor"]);
    assert!(doctor.contains("All is in order"), "{doctor}");
    place.milepost(&["track"]);
    assert_eq!(place.operations(), expected, "in the tables, too");
}

/// Also where something else failed: else the test would not end.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn what_it_writes_is_what_the_program_writes() {
    let Some(place) = Place::new() else { return };
    let name = "поиск \"quoted\" \\ \n\t\u{1} 🔍";
    assert_eq!(said(&place.client(&[name, "failed", "183042", "1.3.0"])), "");
    place.milepost(&["record", "operation", "--operation", "other", "--outcome", "ok"]);
    let events = place.events();
    let (ours, other) = (&events[0], &events[1]);
    assert_eq!((&ours["operation"], &ours["outcome"], &ours["duration_us"]), (&name.into(), &"failed".into(), &183_042.into()));
    assert_eq!((&ours["version"], &ours["origin"], &ours["attributes"]["door"]), (&"1.3.0".into(), &"use".into(), &"c".into()));
    assert_eq!(ours["host"], other["host"], "one machine, whoever laid the spool out");
    let id = uuid(ours["id"].as_str().expect("an id"));
    assert_eq!((id.as_bytes()[12], "89ab".contains(char::from(id.as_bytes()[16]))), (b'7', true), "{id}");

    let laid_out = Place::new().expect("a compiler was there");
    laid_out.milepost(&["record", "operation", "--operation", "other", "--outcome", "ok"]);
    assert!(laid_out.client(&["search", "ok", "1"]).status.success());
    let events = laid_out.events();
    assert_eq!(events[0]["host"], events[1]["host"]);
}

/// The digits of a UUID, whose shape is looked at.
fn uuid(text: &str) -> String {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
    text.replace('-', "")
}

#[test]
fn what_cannot_be_an_event_is_refused_before_it_is_written() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let Some(place) = Place::new() else { return };
    let long = "x".repeat(1025);
    for (args, why) in [
        (["", "ok", "1"], "name"),
        ([&long, "ok", "1"], "name"),
        (["x", "good", "1"], "outcome"),
        (["x", "ok", "-1"], "duration"),
        (["x", "ok", "99999999999999999"], "duration"),
    ] {
        let output = place.client(&args);
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
    // Not UTF-8: a stray byte, one that is cut off, an overlong one, a surrogate, and one beyond Unicode.
    for bytes in [&b"a\xff"[..], b"\xc3", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80"] {
        let output = place.command(place.client, &[]).arg(OsStr::from_bytes(bytes)).args(["ok", "1"]).output().expect("it runs");
        assert!(output.status.code() == Some(4) && said(&output).contains("name"), "{}", said(&output));
    }
    assert!(!place.data().exists(), "nothing to record, nothing made");
    for name in ["DO_NOT_TRACK", "MILEPOST_DISABLED"] {
        let output = place.command(place.client, &["x", "ok", "1"]).env(name, "1").output().expect("it runs");
        assert!(output.status.success() && said(&output).is_empty() && !place.data().exists(), "{}", said(&output));
    }
    let output = place.command(place.client, &["x", "ok", "1"]).env_remove("MILEPOST_DATA").output().expect("it runs");
    assert!(output.status.code() == Some(4) && said(&output).contains("MILEPOST_DATA"), "{}", said(&output));
    let too_long = format!("/tmp/{}", "x".repeat(5000));
    let output = place.command(place.client, &["x", "ok", "1"]).env("MILEPOST_DATA", too_long).output().expect("it runs");
    assert!(output.status.code() == Some(4) && said(&output).contains("data folder"), "{}", said(&output));
}

#[test]
fn a_newer_layout_is_not_written_to() {
    let Some(place) = Place::new() else { return };
    for file in ["spool/spool.json", "identity.json"] {
        assert!(place.client(&["x", "ok", "1"]).status.success());
        let path = place.data().join(file);
        let text = fs::read_to_string(&path).expect("laid out");
        fs::write(&path, text.replace("\"version\":1", "\"version\":2")).expect("written");
        let output = place.client(&["y", "ok", "1"]);
        assert!(output.status.code() == Some(4) && said(&output).contains("version of the layout"), "{}", said(&output));
        fs::write(&path, text).expect("written");
    }
    assert_eq!(place.operations(), BTreeMap::from([("x".to_owned(), 2)]));
}

#[test]
fn the_c_client_writes_into_no_folder_that_everybody_may_write_to() {
    let Some(place) = Place::new() else { return };
    assert!(place.client(&["x", "ok", "1"]).status.success());
    for folder in [place.data(), place.data().join("spool")] {
        let allow = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("allowed");
        allow(0o777);
        let output = place.client(&["y", "ok", "1"]);
        assert!(output.status.code() == Some(4) && said(&output).contains("cannot trust the"), "{}", said(&output));
        allow(0o775);
    }
    assert_eq!(place.operations(), BTreeMap::from([("x".to_owned(), 1)]));
}

/// A limit on the size of files lets a part of a record be written, as a full disk does.
#[test]
fn a_torn_record_costs_only_itself() {
    let Some(place) = Place::new() else { return };
    let script = "trap '' XFSZ; ulimit -f 4; i=0; while \"$CLIENT\" w-$i ok 1; do i=$((i+1)); done; echo $i";
    let output = place.command("sh", &["-c", script]).output().expect("a shell");
    let acknowledged: usize = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    assert!(acknowledged > 3 && said(&output).contains("cannot write to shared.jsonl"), "{}", said(&output));
    let torn = fs::read_to_string(place.data().join("spool/shared.jsonl")).expect("the segment");
    assert!(!torn.ends_with('\n'), "a part of it is there: {torn}");
    let begun = format!("w-{acknowledged}");

    assert!(place.client(&["after", "ok", "1"]).status.success());
    let mut expected: BTreeMap<String, usize> = (0..acknowledged).map(|n| (format!("w-{n}"), 1)).collect();
    expected.insert("after".to_owned(), 1);
    let found = place.operations();
    assert_eq!(found, expected, "{begun} was not acknowledged");
    let doctor = place.command(env!("CARGO_BIN_EXE_milepost"), &["doctor"]).output().expect("milepost runs");
    assert!(said(&doctor).contains("1 line"), "{}", said(&doctor));
}

#[test]
fn a_full_disk_is_told_and_the_next_event_goes_on() {
    let Some(place) = Place::new() else { return };
    assert!(place.client(&["before", "ok", "1"]).status.success());
    let (shared, kept) = (place.data().join("spool/shared.jsonl"), place.folder.path().join("kept"));
    fs::rename(&shared, &kept).expect("moved");
    symlink("/dev/full", &shared).expect("a link");
    let output = place.client(&["lost", "ok", "1"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("write to shared.jsonl: No space left on device"), "{}", said(&output));
    fs::rename(&kept, &shared).expect("moved");
    assert!(place.client(&["after", "ok", "1"]).status.success());
    assert_eq!(place.operations(), BTreeMap::from([("before".to_owned(), 1), ("after".to_owned(), 1)]));
}

/// The commands of the page, one after the other, as somebody types them in a copy of the repository.
#[test]
fn the_page_is_true() {
    let Some(place) = Place::new() else { return };
    let page = fs::read_to_string(root().join("docs/write-your-own-client.md")).expect("the page");
    let blocks: Vec<_> = page.split("\n```sh\n").skip(1).map(|block| block.split("\n```").next().expect("an end")).collect();
    assert_eq!(blocks.len(), 2);
    fs::create_dir(place.folder.path().join(".milepost")).expect("a folder");
    symlink(root().join("examples").canonicalize().expect("there"), place.folder.path().join("examples")).expect("a link");
    let programs = Path::new(env!("CARGO_BIN_EXE_milepost")).parent().expect("a folder");
    let path =
        std::env::join_paths(std::iter::once(programs.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").expect("a path"))));
    let path = path.expect("a path");
    let mut last = String::new();
    for block in blocks {
        let mut shell = place.command("sh", &["-euc", block]);
        let output = shell.env("PATH", &path).env_remove("MILEPOST_DATA").output().expect("a shell");
        assert!(output.status.success(), "{block}\n{}", said(&output));
        last = said(&output);
    }
    assert!(last.contains("\"operation\":\"search\"") && last.contains("\"version\":\"1.3.0\""), "{last}");

    let (key, pseudonym) = (after(&page, "With the key\n  `"), after(&page, "`rose@example.org` is `"));
    fs::create_dir(place.data()).expect("a folder");
    let identity = format!("{{\"version\":1,\"host\":\"h-1\",\"key\":\"{key}\"}}");
    fs::write(place.data().join("identity.json"), identity).expect("written");
    place.milepost(&["record", "operation", "--operation", "x", "--outcome", "ok", "--user", "rose@example.org"]);
    assert_eq!(place.events()[0]["user"], pseudonym);
}

/// What stands on a page from these words to the next backtick.
fn after<'a>(page: &'a str, words: &str) -> &'a str {
    page.split_once(words).and_then(|(_, rest)| rest.split('`').next()).unwrap_or_else(|| panic!("{words}"))
}
