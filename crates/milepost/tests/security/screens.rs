//! Nothing that somebody else named steers the terminal that shows it.

use super::{NAMES, Place, stderr};
use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt};

/// What a terminal would do more than show, but for styles of ours, line feeds and tabs.
fn steering(shown: &str) -> Option<String> {
    let mut rest = shown;
    while let Some(at) =
        rest.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t') || "\u{61c}\u{200e}\u{200f}".contains(c) || turns(c))
    {
        let from = &rest[at..];
        let style = from.strip_prefix("\u{1b}[").and_then(|style| style.split_once('m'));
        match style {
            Some((style, after)) if style.chars().all(|c| c.is_ascii_digit() || c == ';') => rest = after,
            _ => return Some(from.chars().take(40).collect()),
        }
    }
    None
}

fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn names_of_strangers_steer_no_terminal_by_any_command() {
    let place = Place::new();
    place.record_names();
    let hostile = NAMES[0];
    for file in ["broken.csv", "broken.xml", "broken.json"] {
        fs::write(place.path(&format!("{file}{hostile}")), format!("at,operation\n{hostile},{hostile}\n")).expect("written");
    }
    let commands: &[&[&str]] = &[
        &[],
        &["status"],
        &["status", "--format", "json"],
        &["status", "--format", "markdown"],
        &["check"],
        &["check", "--format", "github"],
        &["check", "--format", "junit"],
        &["explain", "1"],
        &["explain", "2", "--format", "json"],
        &["history"],
        &["history", "--format", "json"],
        &["compare", "--versions", NAMES[0], NAMES[2]],
        &["baseline"],
        &["report"],
        &["report", "daily"],
        &["report", "weekly"],
        &["report", "monthly"],
        &["report", "--format", "json"],
        &["report", "--format", "markdown"],
        &["dashboard", "--output", "-"],
        &["doctor"],
        &["export"],
        &["query", "SELECT * FROM operations"],
        &["query", "--format", "json", "SELECT * FROM notes"],
        &["query", "--format", "csv", "SELECT * FROM measurements"],
        &["query", "SELECT attributes AS \"\u{9b}2J\" FROM operations"],
        &["token", "list"],
        &["schedule", "status"],
        &["track"],
        // What fails names what it was given.
        &["explain", hostile],
        &["query", &format!("SELECT * FROM \"{hostile}\"")],
        &["query", &format!("SELECT \"{hostile}\" FROM operations")],
        &["query", &format!("SELECT CAST('{hostile}' AS int)")],
        &["probe", hostile],
        &["forget", "--user", hostile],
        &["forget", hostile],
        &["label", hostile, "--correct", hostile],
        &["exclude", hostile],
        &["token", "add", hostile, "--read"],
        &["export", "--user", hostile],
        &["export", "--output", &format!("none{hostile}/x")],
        &["dashboard", "--output", &format!("none{hostile}/x")],
        &["dashboard", "--output", &format!("written{hostile}")],
        &["import", &format!("broken.csv{hostile}")],
        &["import", &format!("none{hostile}")],
        &["collect", "coverage", &format!("broken.xml{hostile}")],
        &["collect", "audit", &format!("broken.json{hostile}")],
        &["collect", "memory", "--process", hostile],
        &["run", "--", hostile],
        &["record", "operation", "--operation", hostile, "--outcome", hostile],
        &["record", "measurement", "--name", hostile, "--value", hostile],
        &["status", "--config", hostile],
        &["serve", "--listen", hostile],
        &[hostile],
        &[&format!("--{hostile}")],
    ];
    for args in commands {
        let shown = place.on_terminal(args);
        assert_eq!(steering(&shown), None, "{args:?}");
        assert!(!shown.is_empty() || args.first() == Some(&"export") || args.first() == Some(&"run"), "{args:?}");
    }
    // What goes into a log is read on a terminal later.
    for args in commands.iter().filter(|args| args.iter().any(|arg| arg.contains(hostile))) {
        assert_eq!(steering(&stderr(&place.run(args))), None, "{args:?}");
    }
    assert!(place.on_terminal(&["status"]).contains('\u{1b}'), "this is not how a terminal is written to");
}

#[test]
fn folders_with_hostile_names_steer_no_terminal() {
    let outer = Place::with("");
    for name in [NAMES[0].as_bytes(), b"\xff\xfe\x1b[2J", NAMES[1].as_bytes()] {
        let folder = outer.folder.path().join(OsString::from_vec(name.to_vec()));
        fs::create_dir_all(folder.join(".milepost")).expect("a folder");
        for config in ["[project]\nname = \"p\"\n", "[project]\nname = 1\n"] {
            fs::write(folder.join("milepost.toml"), config).expect("written");
            fs::write(folder.join(".milepost/track.json"), "{").expect("written");
            for args in [&["status"][..], &["doctor"], &["track"], &["track", "--test-alert"], &["schedule", "install", "--dry-run"]] {
                let config = folder.join("milepost.toml");
                let args: Vec<OsString> = args.iter().map(OsString::from).chain(["--config".into(), config.into()]).collect();
                let shown = outer.on_terminal(&args);
                assert_eq!(steering(&shown), None, "{args:?}");
                assert_eq!(steering(&stderr(&outer.run(&args))), None, "{args:?}");
            }
        }
    }
}
