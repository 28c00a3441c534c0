//! `milepost schedule`, with a `crontab` and a `systemctl` of our own in the PATH, so that no test touches those of the machine; and
//! what is installed, read by the real ones.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Keeps a table in a file, as cron does.
const CRONTAB: &str = r#"#!/bin/sh
table=$(dirname "$0")/table
case $1 in
    -l) cat "$table" 2>/dev/null || { echo "no crontab for tester" >&2; exit 1; } ;;
    -r) rm "$table" ;;
    -) cat >"$table.new"
       if grep -q REFUSED "$table.new"; then echo "bad minute" >&2; exit 1; fi
       mv "$table.new" "$table" ;;
esac
"#;
/// Notes what it is told.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$@" >>"$(dirname "$0")/told"
"#;

struct Place {
    folder: tempfile::TempDir,
    config: String,
}

impl Place {
    /// A configuration in a folder whose name is a trial for quotes, and these programs.
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("it's 50% $done");
        let bin = folder.path().join("bin");
        for made in [&project, &bin, &folder.path().join("home")] {
            fs::create_dir(made).expect("a folder");
        }
        for (name, text) in programs {
            fs::write(bin.join(name), text).expect("written");
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("runnable");
        }
        let config = project.join("milepost.toml");
        fs::write(&config, "[project]\nname = \"Nix & Co\"\n").expect("written");
        Self { folder, config: config.to_str().expect("UTF-8").to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).args(["--config", &self.config]).current_dir("/").env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display())).env("HOME", self.path("home"));
        command.env("COLUMNS", "80").output().expect("milepost runs")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn table(&self) -> Option<String> {
        fs::read_to_string(self.path("bin/table")).ok()
    }

    fn units(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("home/.config/systemd/user")).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn cron_gets_one_block_and_loses_nothing_else() {
    let place = Place::new(&[("crontab", CRONTAB), ("systemctl", "#!/bin/sh\nexit 1\n")]);
    assert!(place.ok(&["schedule", "status"]).contains("no; milepost schedule install does it"));
    fs::write(place.path("bin/table"), "# mine\n5 4 * * * true").expect("written");
    let installed = place.ok(&["schedule", "install"]);
    assert!(installed.contains("every hour, by cron"), "{installed}");
    let table = place.table().expect("a table");
    assert!(table.starts_with("# mine\n5 4 * * * true\n# BEGIN milepost-nix---co-"), "{table}");
    assert!(table.contains(r"/it'\''s 50\% $done' && "), "{table}");
    place.ok(&["schedule", "install"]);
    assert_eq!(place.table().expect("a table"), table, "twice is once");
    place.ok(&["schedule", "install", "--every", "6h"]);
    let slower = place.table().expect("a table");
    assert_eq!(slower.lines().count(), table.lines().count());
    assert!(slower.contains(" 0,6,12,18 * * * cd "), "{slower}");
    let status = place.ok(&["schedule", "status"]);
    assert!(status.contains("every 6 hours, by cron") && status.contains("Next "), "{status}");
    assert!(place.ok(&["schedule", "uninstall"]).contains("Removed"));
    assert_eq!(place.table().expect("a table"), "# mine\n5 4 * * * true\n");
    assert!(place.ok(&["schedule", "uninstall"]).contains("Nothing was installed"));
    // Where nothing else is in it, nothing is left.
    fs::remove_file(place.path("bin/table")).expect("removed");
    place.ok(&["schedule", "install"]);
    place.ok(&["schedule", "uninstall"]);
    assert_eq!(place.table(), None);
}

/// The line is run as cron runs it, by a shell, with a percent sign made plain: it tracks.
#[test]
fn what_cron_calls_tracks_and_status_says_how_it_went() {
    let place = Place::new(&[("crontab", CRONTAB), ("systemctl", "#!/bin/sh\nexit 1\n")]);
    place.ok(&["schedule", "install", "--every", "15min"]);
    let table = place.table().expect("a table");
    let line = table.lines().find(|line| line.contains(" * * * ")).expect("a line");
    let (_, command) = line.split_once(" * * * cd ").expect("a command");
    let command = format!("cd {}", command.replace(r"\%", "%"));
    let done = Command::new("/bin/sh").args(["-c", &command]).env_clear().env("HOME", place.path("home")).output().expect("a shell");
    assert!(done.status.success() && done.stdout.is_empty(), "{command}: {}", text(&done.stderr));
    let status = place.ok(&["schedule", "status"]);
    assert!(status.contains("every 15 minutes") && status.contains("well: "), "{status}");
}

#[test]
fn systemd_gets_two_units_and_takes_over_from_cron() {
    let place = Place::new(&[("crontab", CRONTAB), ("systemctl", SYSTEMCTL)]);
    place.ok(&["schedule", "install", "--scheduler", "cron"]);
    let installed = place.ok(&["schedule", "install"]);
    assert!(installed.contains("by systemd") && installed.contains("loginctl enable-linger"), "{installed}");
    assert_eq!(place.table(), None, "two would run it twice");
    let units = place.units();
    assert!(matches!(&units[..], [service, timer] if service.ends_with(".service") && timer.ends_with(".timer")), "{units:?}");
    let told = fs::read_to_string(place.path("bin/told")).expect("told");
    assert!(told.contains("--user daemon-reload\n") && told.contains("--user enable milepost-nix---co-"), "{told}");
    let timer = fs::read_to_string(place.path("home/.config/systemd/user").join(&units[1])).expect("a unit");
    assert!(timer.contains("Persistent=true\n"), "what was missed is made up for: {timer}");
    assert!(place.ok(&["schedule", "status"]).contains("every hour, by systemd"));
    fs::write(place.path("home/.config/systemd/user").join(&units[1]), "[Timer]\nOnCalendar=never\n").expect("written");
    let changed = place.run(&["schedule", "status"]);
    assert_eq!(changed.status.code(), Some(2));
    assert!(text(&changed.stderr).contains("call that again"), "{}", text(&changed.stderr));
    place.ok(&["schedule", "uninstall"]);
    assert_eq!(place.units(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_is_said_in_one_sentence_and_changes_nothing() {
    let place = Place::new(&[("crontab", CRONTAB), ("systemctl", "#!/bin/sh\nexit 1\n")]);
    let refused = |args: &[&str], why: &str| {
        let output = place.run(&[&["schedule", "install"], args].concat());
        assert_ne!(output.status.code(), Some(0), "{args:?}");
        assert!(text(&output.stderr).contains(why), "{args:?}: {}", text(&output.stderr));
    };
    refused(&["--every", "45min"], "take minutes that divide an hour");
    refused(&["--scheduler", "systemd"], "systemd does not answer for this user");
    fs::write(place.path("bin/table"), "REFUSED\n").expect("written");
    refused(&["--scheduler", "cron"], "bad minute");
    assert_eq!(place.table().expect("a table"), "REFUSED\n");
    place.ok(&["schedule", "install", "--print", "--scheduler", "systemd"]);
    place.ok(&["schedule", "install", "--print", "--scheduler", "cron"]);
    assert_eq!((place.table().as_deref(), place.units()), (Some("REFUSED\n"), Vec::new()), "shown is not installed");
}

/// `cargo xtask test` runs it, where cron and systemd are or can be installed.
#[test]
#[ignore = "needs a real cron and systemd"]
fn a_real_cron_and_a_real_systemd_accept_what_is_installed() {
    let place = Place::new(&[]);
    for every in ["1min", "15min", "1h", "6h", "1d"] {
        let crontab = place.ok(&["schedule", "install", "--print", "--scheduler", "cron", "--every", every]);
        accepted_by_cron(&crontab);
        let units = place.ok(&["schedule", "install", "--print", "--scheduler", "systemd", "--every", every]);
        let (service, timer) = units.split_once("\n# milepost-").expect("two units");
        let (name, service) = service.split_once('\n').expect("a name");
        let (_, timer) = timer.split_once('\n').expect("a name");
        let service_path = place.path(name.trim_start_matches("# "));
        let timer_path = service_path.with_extension("timer");
        fs::write(&service_path, service).expect("written");
        fs::write(&timer_path, timer).expect("written");
        verifies(&[&service_path, &timer_path], place.folder.path());
        fs::write(&timer_path, timer.replace("OnCalendar=", "OnCalendar=nonsense ")).expect("written");
        assert!(!verified(&[&timer_path], place.folder.path()).status.success(), "it does look at the calendar");
    }
}

fn verifies(units: &[&Path], runtime: &Path) {
    let output = verified(units, runtime);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

fn verified(units: &[&Path], runtime: &Path) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(["--user", "verify", "--man=no"]).args(units).env("XDG_RUNTIME_DIR", runtime).output().expect("systemd-analyze runs")
}

fn accepted_by_cron(table: &str) {
    let mut command = Command::new("crontab");
    command.args(["-n", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("a pipe").write_all(table.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", text(&output.stderr));
}
