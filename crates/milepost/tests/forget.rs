//! Nothing of somebody who was forgotten is found by a search of all bytes, on two machines that share their tables and the key.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::{fs::symlink, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const NAME: &str = "rose@example.org";
/// What tells of her: her sessions, the ids of her events, and her words.
const TRACES: &[&str] = &["rose-session", "rose-event", "rose-words", NAME];
const DAYS: [&str; 3] = ["2026-11-02", "2026-11-03", "2026-11-05"];

/// Two machines, or one.
struct Team {
    folder: tempfile::TempDir,
}

impl Team {
    /// Two machines that share the tables, and the key by a copy.
    fn new() -> Self {
        let team = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(team.path("tables")).expect("a folder");
        for name in ["a", "b"] {
            fs::create_dir_all(team.path(name).join(".milepost")).expect("folders");
            symlink(team.path("tables"), team.path(name).join(".milepost/store")).expect("a link");
            let config = "[project]\nname = \"test\"\n[privacy]\ntexts = [\"feedback\", \"error\", \"interaction\"]\n";
            fs::write(team.path(name).join("milepost.toml"), config).expect("written");
        }
        team.run("a", &["record", "session", "--session", "first"], "");
        fs::copy(team.path("a/.milepost/identity.json"), team.path("b/.milepost/identity.json")).expect("copied");
        team
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, machine: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.path(machine)).env_clear().env("MILEPOST_PLAIN_FILES", "1");
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.path(machine));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn try_run(&self, machine: &str, args: &[&str], input: &str, crash_at: Option<&str>) -> Output {
        let mut command = self.command(machine, args);
        if let Some(point) = crash_at {
            command.env("MILEPOST_CRASH_AT", point);
        }
        let mut child = command.spawn().expect("milepost runs");
        // It may end before it has read all.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    fn run(&self, machine: &str, args: &[&str], input: &str) -> String {
        let output = self.try_run(machine, args, input, None);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn pseudonym(&self) -> String {
        self.run("a", &["record", "session", "--session", "rose-session-0", "--user", NAME, "--id", "rose-event-0"], "");
        let export = self.run("a", &["export", "--kind", "session"], "");
        let line = export.lines().find(|line| line.contains("rose-event-0")).expect("her event");
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["user"].as_str().expect("a pseudonym").to_owned()
    }

    /// Every event that a machine sees, by kind and id, with how often.
    fn events(&self, machine: &str) -> BTreeMap<String, u32> {
        let mut events = BTreeMap::new();
        for line in self.run(machine, &["export"], "").lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            *events.entry(format!("{} {}", event["kind"], event["id"])).or_default() += 1;
        }
        events
    }

    /// The events of everybody else that she is among, from several days and many compactions, and some that wait in the spools.
    fn fill(&self) -> String {
        let rose = self.pseudonym();
        for round in 0..5 {
            for machine in ["a", "b"] {
                let lines: String = DAYS.iter().enumerate().map(|(day, date)| lines(machine, round * 3 + day, date, &rose)).collect();
                self.run(machine, &["record"], &lines);
                // Of the last round something waits in each spool.
                if round < 4 {
                    self.run(machine, &["track"], "");
                }
                let broken = format!(
                    "{{\"v\":1,\"kind\":\"operation\",\"user\":\"{rose}\"}}\n{{\"kind\":\"nothing\",\"user\":\"{NAME}\"}}\nno event\n"
                );
                let refused = self.try_run(machine, &["record"], &broken, None);
                assert_eq!(refused.status.code(), Some(2));
            }
        }
        // What only a killed writer leaves: a torn line in the spool, and what compaction set aside of another.
        for machine in ["a", "b"] {
            let data = self.path(machine).join(".milepost");
            let torn = format!("\n{{\"v\":1,\"kind\":\"operation\",\"at\":\"2026-11-05T10:00:00Z\",\"user\":\"{rose}\",\"oper\n");
            let mut spool = fs::OpenOptions::new().append(true).open(data.join("spool/shared.jsonl")).expect("a spool");
            spool.write_all(torn.as_bytes()).expect("written");
            fs::create_dir_all(data.join("set-aside")).expect("a folder");
            fs::write(data.join("set-aside/old.jsonl"), "{\"text\":\"{\\\"session\\\":\\\"rose-session-1\\\",\"}\nother\n")
                .expect("written");
            fs::create_dir_all(data.join("reports/reports")).expect("a folder");
            let report = "{\"feedback\":[{\"text\":\"rose-words: \\\"quoted\\\"\"}],\"events\":1}";
            fs::write(data.join("reports/reports/daily_2026-11-02.json"), report).expect("written");
            fs::write(data.join("reports/reports/daily_2026-11-02.html"), "<p>rose-words: &quot;quoted&quot;</p>").expect("written");
        }
        rose
    }

    /// Every file of both machines and of the tables that has one of these words in it.
    fn with(&self, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                // The words are ASCII, so they are in the text where they are in the bytes.
                let bytes = text(&fs::read(&path).expect("a file"));
                let has = |word: &&&str| bytes.contains(**word);
                if let Some(word) = words.iter().find(has) {
                    found.push(format!("{word} in {}", path.strip_prefix(self.folder.path()).expect("within").display()));
                }
            }
        }
        found
    }
}

/// Of each kind one event of hers and one of somebody else, on one day.
fn lines(machine: &str, n: usize, date: &str, rose: &str) -> String {
    let event = |kind: &str, id: String, rest: &str| {
        format!("{{\"v\":1,\"kind\":\"{kind}\",\"id\":\"{id}\",\"at\":\"{date}T10:00:{:02}Z\",{rest}}}\n", n % 60)
    };
    let mut lines = String::new();
    for (who, user) in [("rose", rose), ("other", "u-00112233445566aa")] {
        let id = |of: &str| format!("{who}-event-{machine}-{of}-{n}");
        let session = format!("{who}-session-{n}");
        lines += &event("session", id("s"), &format!("\"user\":\"{user}\",\"session\":\"{session}\""));
        let error = format!("\"error\":{{\"category\":\"network\",\"text\":\"{who}-words failed\"}}");
        lines += &event("operation", id("o"), &format!("\"user\":\"{user}\",\"operation\":\"search\",\"outcome\":\"failed\",{error}"));
        // Of nobody, but in a session.
        lines += &event(
            "operation",
            id("q"),
            &format!("\"session\":\"{session}\",\"operation\":\"search\",\"outcome\":\"ok\",\"duration_us\":5"),
        );
        lines += &event("interaction", id("i"), &format!("\"session\":\"{session}\",\"recognized\":\"x\",\"text\":\"{who}-words\""));
        // Given by somebody else, or nobody.
        lines += &event("label", id("l"), &format!("\"of\":\"{}\",\"correct\":\"x\"", id("i")));
        lines += &event("note", id("n"), &format!("\"user\":\"{user}\",\"topic\":\"feedback\",\"text\":\"{who}-words: \\\"quoted\\\"\""));
    }
    lines
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn others(events: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    events
        .iter()
        .filter(|(id, _)| !id.contains("rose") && !id.contains("verdict") && !id.contains("criterion"))
        .map(|(id, n)| (id.clone(), *n))
        .collect()
}

fn words(rose: &str) -> Vec<&str> {
    TRACES.iter().copied().chain([rose]).collect()
}

#[test]
fn nothing_of_a_forgotten_user_is_found_by_grep() {
    let team = Team::new();
    let rose = team.fill();
    let backup = fs::read(team.path("a/.milepost/spool/shared.jsonl")).expect("a spool");
    let before = team.events("a");
    assert!(before.keys().any(|id| id.contains("rose")) && !team.with(&words(&rose)).is_empty());
    let expected: BTreeMap<_, _> = [team.events("a"), team.events("b")].iter().flat_map(others).collect();
    assert!(expected.values().all(|n| *n == 1));

    let asked = team.try_run("a", &["forget", "--user", NAME], "", None);
    assert_eq!(asked.status.code(), Some(2), "nobody can be asked: {}", text(&asked.stderr));
    assert!(text(&asked.stdout).contains("operations") && text(&asked.stdout).contains("2026-11-02 to "), "{}", text(&asked.stdout));
    let shown = team.run("a", &["forget", "--user", NAME, "--yes"], "");
    assert!(shown.contains("erased") && shown.contains("Not in reach"), "{shown}");
    assert!(team.with(&words(&rose)).iter().all(|found| found.contains(" in b/")), "{:?}", team.with(&words(&rose)));
    // A label of an interaction that only its own spool knows of counts for nothing anyway.
    let is_hers = |id: &String| id.contains("rose") && !id.contains("label");
    assert!(!team.events("b").keys().any(is_hers), "what lies in another spool counts no more");

    let doctor = text(&team.try_run("b", &["doctor"], "", None).stdout);
    assert!(doctor.contains("1 person whose events may still lie here"), "{doctor}");
    let tracked = team.run("b", &["track"], "");
    assert!(tracked.contains("Forgotten"), "{tracked}");
    assert_eq!(team.with(&words(&rose)), Vec::<String>::new());
    assert!(!text(&team.try_run("b", &["doctor"], "", None).stdout).contains("Forgotten"));
    team.run("a", &["track"], "");
    for machine in ["a", "b"] {
        assert_eq!(others(&team.events(machine)), expected, "everybody else, each once, as {machine} sees it");
    }

    // A backup of the spool comes back, and a sender tries again.
    fs::write(team.path("a/.milepost/spool/shared.jsonl"), &backup).expect("written");
    team.run("b", &["record"], &lines("a", 1, DAYS[1], &rose));
    for machine in ["a", "b"] {
        assert!(!team.events(machine).keys().any(|id| id.contains("rose")));
        team.run(machine, &["track"], "");
    }
    assert_eq!(team.with(&words(&rose)), Vec::<String>::new(), "they were not taken in");
    assert_eq!(others(&team.events("a")), expected);

    // She comes back, and is counted.
    team.run("b", &["record", "session", "--session", "new", "--user", NAME, "--id", "again"], "");
    team.run("b", &["track"], "");
    assert!(team.events("a").contains_key("\"session\" \"again\""));
}

#[test]
fn an_export_of_a_person_is_what_forgetting_erases() {
    let team = Team::new();
    fs::remove_file(team.path("a/.milepost/store")).expect("no link");
    let rose = team.pseudonym();
    for (n, date) in DAYS.iter().enumerate() {
        team.run("a", &["record"], &lines("a", n, date, &rose));
        if n < 2 {
            team.run("a", &["track"], "");
        }
    }
    // A product that wrote the name itself, and a person's session that somebody else is in too.
    let name = format!(
        "{{\"v\":1,\"kind\":\"session\",\"id\":\"by-name\",\"at\":\"2026-11-02T10:00:00Z\",\"user\":\"{NAME}\",\"session\":\"x\"}}\n"
    );
    let shared = "{\"v\":1,\"kind\":\"session\",\"id\":\"another\",\"at\":\"2026-11-02T10:00:00Z\",\"user\":\"u-00112233445566aa\",\"session\":\"x\"}\n";
    team.run("a", &["record"], &(name + shared));
    let exported =
        |args: &[&str]| -> BTreeSet<String> { team.run("a", &[&["export"], args].concat(), "").lines().map(str::to_owned).collect() };
    let (all, hers) = (exported(&[]), exported(&["--user", NAME]));
    assert!(hers.len() > 15 && hers.iter().any(|line| !line.contains(&rose) && line.contains("rose-session")), "{hers:?}");
    assert!(hers.iter().any(|line| line.contains("by-name")) && !hers.iter().any(|line| line.contains("another")));
    let as_file = |kind: &str| {
        team.run("a", &["export", "--format", "parquet", "--kind", kind, "--user", NAME, "--output", "hers.parquet"], "");
        let file = fs::File::open(team.path("a/hers.parquet")).expect("a file");
        milepost_store::ParquetRows::open(file).expect("Parquet").rows()
    };
    for kind in ["operation", "label"] {
        let of_kind = hers.iter().filter(|line| line.contains(&format!("\"kind\":\"{kind}\""))).count();
        assert_eq!(as_file(kind), of_kind as u64, "{kind}");
    }
    fs::remove_file(team.path("a/hers.parquet")).expect("removed");
    let shown = team.run("a", &["forget", "--user", NAME, "--yes"], "");
    assert!(shown.contains(&format!("{} events erased", hers.len())), "{shown}");
    assert_eq!(exported(&[]), all.difference(&hers).cloned().collect());
}

#[test]
fn a_call_that_is_killed_is_finished_by_the_next_track() {
    for point in ["tombstone", "learned", "claimed", "retired", "erased", "rewritten", "swept"] {
        let team = Team::new();
        let rose = team.pseudonym();
        for (n, date) in DAYS.iter().enumerate() {
            team.run("a", &["record"], &lines("a", n, date, &rose));
            if n < 2 {
                team.run("a", &["track"], "");
            }
        }
        let expected = others(&team.events("a"));
        let killed = team.try_run("a", &["forget", "--user", &rose, "--yes"], "", Some(point));
        assert_eq!(killed.status.signal(), Some(6), "{point}: {}", text(&killed.stderr));
        assert_eq!(others(&team.events("a")), expected, "{point}");
        team.run("a", &["track"], "");
        assert_eq!(team.with(&words(&rose)), Vec::<String>::new(), "{point}");
        assert_eq!(others(&team.events("a")), expected, "{point}");
    }
}

#[test]
fn forget_all_leaves_the_configuration_and_nothing_else() {
    let team = Team::new();
    fs::remove_file(team.path("a/.milepost/store")).expect("no link");
    let rose = team.pseudonym();
    team.run("a", &["record"], &lines("a", 1, DAYS[0], &rose));
    team.run("a", &["track"], "");
    let key = fs::read_to_string(team.path("a/.milepost/identity.json")).expect("a key");
    assert_eq!(team.try_run("a", &["forget", "--all"], "", None).status.code(), Some(2));
    assert!(!team.events("a").is_empty());
    let shown = team.run("a", &["forget", "--all", "--yes"], "");
    assert!(shown.contains("Kept: milepost.toml"), "{shown}");
    assert_eq!((team.events("a").len(), team.path("a/milepost.toml").exists()), (0, true));
    let found = team.with(&[&words(&rose)[..], &["other-event"]].concat());
    assert_eq!(found, Vec::<String>::new());
    team.run("a", &["record", "session", "--session", "new", "--user", NAME], "");
    assert_eq!(team.events("a").len(), 1);
    assert_ne!(fs::read_to_string(team.path("a/.milepost/identity.json")).expect("a key"), key, "a new key");
    assert!(Path::new(&team.path("a/.milepost/spool/spool.json")).exists());
}
