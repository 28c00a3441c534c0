//! Two machines on one store: each with a spool of its own, one set of tables for both, and what is due once is done once.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, tz::TimeZone};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Two machines that share their tables.
struct Team {
    folder: tempfile::TempDir,
}

/// One of them.
struct Machine<'a> {
    team: &'a Team,
    name: &'static str,
}

impl Team {
    fn new() -> Self {
        let team = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(team.path("tables")).expect("a folder");
        // It is noon, so that no test runs into midnight.
        let east = (12 - jiff::Timestamp::now().to_zoned_datetime(TimeZone::UTC).hour()).rem_euclid(24);
        let zone = if east <= 14 { format!("Etc/GMT-{east}") } else { format!("Etc/GMT+{}", 24 - east) };
        let config = format!(
            "[project]\nname = \"test\"\ntime_zone = \"{zone}\"\n\
             [[criterion]]\nname = \"Coverage\"\nmetric = \"coverage.statements\"\nat_least = \"90%\"\ntier = \"must\"\n\
             [[alert]]\ncommand = [\"sh\", \"{}\"]\n",
            team.path("told.sh").display()
        );
        fs::write(team.path("told.sh"), format!("cd '{}'; cat >> told; echo >> told\n", team.folder.path().display())).expect("written");
        for name in ["a", "b"] {
            fs::create_dir_all(team.path(name).join(".milepost")).expect("folders");
            symlink(team.path("tables"), team.path(name).join(".milepost/store")).expect("a link");
            fs::write(team.path(name).join("milepost.toml"), &config).expect("written");
            fs::set_permissions(team.path(name).join("milepost.toml"), fs::Permissions::from_mode(0o644)).expect("allowed");
        }
        team
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn machines(&self) -> [Machine<'_>; 2] {
        ["a", "b"].map(|name| Machine { team: self, name })
    }

    /// The alerts that somebody was told.
    fn told(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("told")).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).expect("an alert")).collect()
    }

    /// The reports that either machine made, sorted.
    fn reports(&self) -> Vec<String> {
        let mut names = Vec::new();
        for machine in self.machines() {
            let folder = fs::read_dir(machine.path(".milepost/reports/reports"));
            names.extend(folder.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok()));
        }
        names.retain(|name| name.ends_with(".json"));
        names.sort();
        names
    }
}

impl Machine<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.team.path(self.name).join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.path("")).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn track_in(&self, hour: u64) -> Command {
        let mut command = self.command(&["track"]);
        command.env("MILEPOST_SLOT", hour.to_string());
        command
    }

    /// `milepost track`, which succeeds and complains of nothing; whether it did the common work.
    fn track(&self, hour: u64) -> bool {
        did_common_work(&self.track_in(hour).output().expect("milepost runs"))
    }

    fn measure(&self, percent: u32) {
        let args = ["record", "measurement", "--name", "coverage.statements", "--unit", "%", "--value"];
        let output = self.command(&[&args[..], &[&percent.to_string()]].concat()).output().expect("milepost runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// Something of forty days ago, so that there is a day, a week and a month to report.
    fn record_of_old(&self) {
        let day = jiff::Timestamp::now().to_zoned_datetime(TimeZone::UTC).date().saturating_sub(40.days());
        let line = format!(r#"{{"v":1,"kind":"operation","at":"{day}T12:00:00Z","operation":"search","outcome":"ok","duration_us":5}}"#);
        fs::write(self.path("events.jsonl"), line + "\n").expect("written");
        let events = fs::File::open(self.path("events.jsonl")).expect("a file");
        let output = self.command(&["record"]).stdin(events).output().expect("milepost runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// What this machine sees of the verdicts, in the order of time.
    fn verdicts(&self) -> Vec<String> {
        self.events("verdict").iter().map(|event| event["verdict"].as_str().expect("a verdict").to_owned()).collect()
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let output = self.command(&["export", "--kind", kind]).output().expect("milepost runs");
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    fn spool_id(&self) -> String {
        let layout = fs::read_to_string(self.path(".milepost/spool/spool.json")).expect("a spool");
        serde_json::from_str::<Value>(&layout).expect("JSON")["id"].as_str().expect("an id").to_owned()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn did_common_work(output: &Output) -> bool {
    let shown = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{shown}");
    !shown.contains("another machine does it this hour")
}

#[test]
fn machines_that_track_at_once_do_the_common_work_once() {
    let team = Team::new();
    let [a, b] = team.machines();
    a.record_of_old();
    b.record_of_old();
    let (mut met, mut worked) = (None, Vec::new());
    let mut changes = Vec::new();
    for (hour, percent) in (1000..).zip([95, 80, 80, 95, 95, 95]) {
        // Whoever judges has it in its own spool, if not in the tables.
        a.measure(percent);
        b.measure(percent);
        let running = [a.track_in(hour).spawn(), b.track_in(hour).spawn()];
        let did = running.map(|child| did_common_work(&child.expect("milepost runs").wait_with_output().expect("it ends")));
        assert_eq!(did.iter().filter(|did| **did).count(), 1, "hour {hour}");
        worked.push(did[0]);
        if met.replace(percent >= 90) != Some(percent >= 90) {
            changes.push(if percent >= 90 { "met" } else { "missed" }.to_owned());
        }
        for machine in [&a, &b] {
            assert_eq!(machine.verdicts(), changes, "machine {} in hour {hour}", machine.name);
            assert_eq!(machine.events("criterion").len(), 1);
        }
    }
    let told: Vec<_> = team.told().iter().map(|alert| alert["kind"].as_str().expect("a kind").to_owned()).collect();
    assert_eq!(told, ["missed", "met"], "each once, after two hours, whoever saw them: {worked:?}");
    let rhythms: Vec<_> = team.reports().iter().filter_map(|name| name.split('_').next().map(str::to_owned)).collect();
    assert_eq!(rhythms, ["daily", "monthly", "weekly"], "of each period one");
    let hosts: BTreeSet<_> = [&a, &b].map(|machine| machine.events("operation")).concat().iter().map(|e| e["host"].to_string()).collect();
    assert_eq!(hosts.len(), 2, "each sees what the other recorded");
}

#[test]
fn a_machine_may_call_again_in_its_hour_and_another_may_not() {
    let team = Team::new();
    let [a, b] = team.machines();
    a.measure(95);
    assert!(a.track(1000));
    a.measure(80);
    assert!(a.track(1000) && a.track(1000));
    assert_eq!((a.verdicts(), team.told().len()), (vec!["met".to_owned(), "missed".to_owned()], 1), "as if it were alone");
    assert!(!b.track(1000));
    assert_eq!(b.verdicts(), ["met", "missed"], "it sees them all the same");
    assert!(b.track(1001) && !a.track(1001) && !a.track(1000));
    assert_eq!((a.verdicts().len(), team.told().len()), (2, 1), "there was nothing to say");
    let commits = fs::read_dir(team.path("tables/claims/_delta_log")).expect("a table").flatten();
    let commits = commits.filter(|file| file.path().extension().is_some_and(|extension| extension == "json")).count();
    assert_eq!(commits, 2, "one for each hour");
}

#[test]
fn what_a_machine_was_killed_over_is_done_by_the_next_and_counts_once() {
    let team = Team::new();
    let [a, b] = team.machines();
    a.measure(95);
    assert!(a.track(1000));
    assert_eq!(team.reports(), Vec::<String>::new());
    b.measure(80);
    b.record_of_old();
    assert!(!b.track(1000));
    // The first thing of its own that it takes in is the verdict; it is killed before that is in its table.
    let killed = a.track_in(1000).env("MILEPOST_CRASH_AT", "claimed").output().expect("milepost runs");
    assert_eq!(killed.status.signal(), Some(6), "{}", text(&killed.stderr));
    assert_eq!((a.verdicts(), b.verdicts()), (vec!["met".to_owned(), "missed".to_owned()], vec!["met".to_owned()]));
    assert!(!b.track(1000), "the hour was claimed");
    assert_eq!(b.verdicts(), ["met"]);
    assert!(b.track(1001), "the next hour is anybody's");
    assert_eq!(b.verdicts(), ["met", "missed"]);
    assert_eq!(team.reports().len(), 3, "{:?}", team.reports());
    assert!(b.track(1001));
    assert_eq!(team.told().len(), 1, "two rounds saw it");
    // It comes back, with the verdict that nobody else saw.
    assert!(!a.track(1001));
    assert_ne!(a.spool_id(), b.spool_id());
    for machine in [&a, &b] {
        assert_eq!(machine.verdicts(), ["met", "missed"], "once, though both recorded it");
    }
    assert!(a.track(1002));
    assert_eq!((a.verdicts().len(), team.reports().len(), team.told().len()), (2, 3, 1));
}

#[test]
fn an_alert_that_was_sent_and_not_noted_is_sent_again_under_its_id() {
    let team = Team::new();
    let [a, b] = team.machines();
    let script = fs::read_to_string(team.path("told.sh")).expect("a script");
    fs::write(team.path("told.sh"), script + "rm bomb && kill -9 $PPID\n").expect("written");
    a.measure(95);
    assert!(a.track(1000));
    a.measure(80);
    assert!(a.track(1001));
    fs::write(team.path("bomb"), "").expect("written");
    let killed = a.track_in(1002).output().expect("milepost runs");
    assert_eq!(killed.status.signal(), Some(9), "{}", text(&killed.stderr));
    fs::write(team.path("told.sh"), format!("cd '{}'; cat >> told; echo >> told\n", team.folder.path().display())).expect("written");
    for (machine, hour) in [(&b, 1003), (&a, 1004)] {
        assert!(machine.track(hour));
        let ids: Vec<_> = team.told().iter().map(|alert| alert["id"].to_string()).collect();
        assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (2, 1), "{ids:?}");
    }
}

#[test]
fn what_the_others_have_to_wait_for_is_said() {
    let team = Team::new();
    let [a, b] = team.machines();
    assert!(a.track(1000));
    // A round that lasts into the next hour.
    let lock = fs::File::open(team.path("tables/track.lock")).expect("a lock");
    lock.lock().expect("locked");
    b.measure(95);
    let output = b.track_in(1001).output().expect("milepost runs");
    assert!(!did_common_work(&output));
    assert!(
        text(&output.stdout).lines().any(|line| line.contains("Compacted") && line.contains("1 event")),
        "its own work is done: {}",
        text(&output.stdout)
    );
    drop(lock);
    assert!(b.track(1001), "nobody claimed it meanwhile");
    let doctor = b.command(&["doctor"]).output().expect("milepost runs");
    assert!(text(&doctor.stdout).contains("the tables are those of "), "{}", text(&doctor.stdout));
    gone(&team.path("tables"));
    let output = b.track_in(1002).output().expect("milepost runs");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("leads to no folder"), "{}", text(&output.stderr));
    b.measure(96);
}

fn gone(folder: &Path) {
    fs::rename(folder, folder.with_extension("gone")).expect("moved");
}
