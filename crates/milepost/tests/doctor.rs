//! What `milepost doctor` says where something is missing, off or not as it was written, and what to do about it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

struct Place(tempfile::TempDir);

impl Place {
    /// A folder without anything.
    fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A project with an event in its tables.
    fn with_tables() -> Self {
        let place = Self::empty();
        fs::write(place.path("milepost.toml"), "[project]\nname = \"test\"\n").expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place.ok(&["record", "session", "--session", "s"]);
        place.ok(&["track"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.0.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.0.path());
        command.stdin(Stdio::null());
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("milepost runs");
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        said(&output)
    }
}

/// All that was said, as one line.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(text).expect("UTF-8").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_missing_is_said_with_the_command_that_makes_it() {
    let place = Place::empty();
    let told = place.ok(&["doctor"]);
    assert!(told.contains("! Configuration none here or above: run `milepost init`"), "{told}");
    assert!(told.contains("! Data no folder: run `milepost init`, or set MILEPOST_DATA 2 things want a look"), "{told}");
    fs::write(place.path("milepost.toml"), "[project]\nname = 3\n").expect("written");
    let told = place.ok(&["doctor"]);
    assert!(told.contains("milepost.toml cannot be used") && told.contains("milepost.toml:2:8"), "{told}");
}

#[test]
fn recording_that_is_off_is_said_with_what_turned_it_off() {
    let place = Place::with_tables();
    assert!(place.ok(&["doctor"]).contains("Events 1 session") && place.ok(&["doctor"]).ends_with("All is in order."));
    let told = said(&place.command(&["doctor"]).env("MILEPOST_DISABLED", "1").output().expect("milepost runs"));
    assert!(told.contains("! Recording off, since MILEPOST_DISABLED is set"), "{told}");
}

#[test]
fn a_file_that_is_not_as_milepost_wrote_it_is_named_with_what_to_do() {
    let place = Place::with_tables();
    // Of the kept files, what a person may have broken by hand, or a newer Milepost written.
    for (file, text, code, told) in [
        ("identity.json", "{", 0, "! Identity FILE: this is no identity ("),
        ("identity.json", r#"{"version":2,"host":"h","key":"k"}"#, 0, "! Identity FILE has version 2, and this Milepost ("),
        ("tokens.json", "{", 0, "! Tokens FILE: is not what Milepost writes ! Tokens others than its owner may open FILE"),
        ("otlp.json", r#"{"version":9}"#, 0, "! OTLP FILE has version 9, and this Milepost ("),
        ("spool/spool.json", "{", 0, "! Data FILE: this is no description of a spool ("),
        ("store/store.json", "{", 0, "! Damaged FILE: this is no description of a store ("),
        ("store/store.json", r#"{"version":9}"#, 0, "! Data FILE has version 9, and this Milepost ("),
        ("store/digests.json", "{", 0, "remove the file, and they are made anew from the files as they are"),
        ("store/digests.json", r#"{"version":9,"files":{}}"#, 0, "! Data FILE has version 9, and this Milepost ("),
    ] {
        let path = fs::canonicalize(place.path(".milepost")).expect("a folder").join(file);
        let kept = fs::read(&path).ok();
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        let output = place.command(&["doctor"]).output().expect("milepost runs");
        let expected = told.replace("FILE", &path.to_string_lossy());
        assert!(said(&output).contains(&expected), "{file}: {}", said(&output));
        assert_eq!(output.status.code(), Some(code), "{file}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), text, "{file} is for somebody to look at");
        match kept {
            Some(kept) => fs::write(&path, kept).expect("restored"),
            None => fs::remove_file(&path).expect("removed"),
        }
    }
    assert!(place.ok(&["doctor"]).ends_with("All is in order."));
}

#[test]
fn digests_that_cannot_be_read_are_made_anew_by_a_repair_and_a_layout_is_not() {
    let place = Place::with_tables();
    let path = place.path(".milepost/store/digests.json");
    fs::write(&path, "[").expect("written");
    let told = place.ok(&["doctor", "--repair"]);
    assert!(told.contains("Repaired") && told.contains("those of the files as they are now"), "{told}");
    assert!(fs::read_to_string(&path).expect("there again").contains("crc32c"));
    assert_eq!(fs::read_to_string(place.path(".milepost/set-aside/digests.json")).expect("kept"), "[");
    assert!(place.ok(&["doctor"]).ends_with("All is in order."));
    fs::File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 30)).expect("a long file");
    let told = place.ok(&["doctor"]);
    assert!(told.contains("digests.json: this has more than 256 MiB") && told.ends_with("One thing wants a look."), "{told}");
    fs::remove_file(&path).expect("removed");
    fs::write(place.path(".milepost/store/store.json"), "{").expect("written");
    let told = place.ok(&["doctor", "--repair"]);
    assert!(told.contains("this is no description of a store") && told.ends_with("One thing wants a look."), "{told}");
}

/// `digests.json` can be made anew, as it says.
#[test]
fn digests_that_were_removed_are_made_anew() {
    let place = Place::with_tables();
    fs::remove_file(place.path(".milepost/store/digests.json")).expect("removed");
    place.ok(&["record", "session", "--session", "t"]);
    place.ok(&["track"]);
    assert!(place.ok(&["doctor"]).contains("Events 2 sessions"));
    assert!(fs::read_to_string(place.path(".milepost/store/digests.json")).expect("there again").contains("crc32c"));
}
