//! Upgrades: what version 1 wrote is read by every later build, what is newer is refused and left alone, and what was killed over
//! rewriting something is resumed.
//!
//! `version_1/` holds the data folders that version 1 wrote, and what it answered of them. They are never written again: a later
//! version gets a folder of its own beside them. `MADE_BY=PROGRAM cargo test --workspace --test upgrades -- --ignored` made them, with the
//! program of another build where it is named.
//! `UPDATE_GOLDEN=1 cargo test --workspace --test upgrades` writes the answers anew, where they may change; read the difference.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "upgrades/make.rs"]
mod make;
#[path = "upgrades/newer.rs"]
mod newer;
#[path = "upgrades/read.rs"]
mod read;
#[path = "upgrades/resumed.rs"]
mod resumed;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The folder of what version 1 wrote.
const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/version_1");

/// A folder with a configuration, and the data in `.milepost`.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A copy of a folder that version 1 wrote.
    fn copied(name: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        copy(&Path::new(VERSION_1).join(name).join("data"), &place.data());
        fs::copy(Path::new(VERSION_1).join("milepost.toml"), place.path("milepost.toml")).expect("copied");
        // A repository keeps no permissions.
        fs::set_permissions(place.path("milepost.toml"), fs::Permissions::from_mode(0o644)).expect("allowed");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path(".milepost")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("MADE_BY").unwrap_or(env!("CARGO_BIN_EXE_milepost").into()));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path()).env("COLUMNS", "500");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn pipe(&self, args: &[&str], input: &str) -> Output {
        let mut child = self.command(args).spawn().expect("milepost runs");
        // It may end before it has read all.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("milepost ends")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.pipe(args, "")
    }

    fn ok(&self, args: &[&str], input: &str) -> String {
        let output = self.pipe(args, input);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Every file under the folder, with what is in it.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), fs::read(&path).expect("a file"));
                }
            }
        }
        files
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Copies a folder, readable by its owner only.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("allowed");
        }
    }
}
