//! A repository of somebody else: what its `milepost.toml`, its names and its git configuration can make Milepost do.

use super::{NAMES, Place, files, stderr, times};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// Whether anything wrote a file of this name.
fn is_owned(place: &Place) -> bool {
    files(place.folder.path()).iter().any(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("owned")))
}

#[test]
fn only_track_and_probe_run_what_a_configuration_says() {
    let webhook = TcpListener::bind("127.0.0.1:0").expect("a port");
    webhook.set_nonblocking(true).expect("set");
    let port = webhook.local_addr().expect("an address").port();
    let config = format!(
        "[project]\nname = \"p\"\nversion = \"$(touch owned)\"\n\
         [[criterion]]\nname = \"c\"\nmetric = \"success.rate\"\nabove = \"95%\"\ntier = \"must\"\n\
         [[probe]]\noperation = \"search\"\ncommand = [\"touch\", \"owned\"]\nevery = \"1h\"\n\
         [[alert]]\ncommand = [\"touch\", \"owned-too\"]\n[[alert]]\nwebhook = \"http://127.0.0.1:{port}/SECRET\"\n"
    );
    let place = Place::with(&config);
    place.record_names();
    for args in [
        &[][..],
        &["status"],
        &["check"],
        &["explain", "1"],
        &["history"],
        &["report"],
        &["report", "daily"],
        &["baseline"],
        &["doctor"],
        &["dashboard", "--output", "page.html"],
        &["query", "SELECT * FROM operations"],
        &["export"],
        &["schedule", "status"],
        &["schedule", "install", "--print", "--scheduler", "cron"],
        &["schedule", "install", "--print", "--scheduler", "systemd"],
        &["token", "list"],
        &["run", "--", "true"],
        &["record", "operation", "--operation", "search", "--outcome", "ok"],
    ] {
        let output = place.run(args);
        assert!(output.status.code().is_some_and(|code| code < 4), "{args:?}: {}", stderr(&output));
        assert!(!is_owned(&place), "{args:?}");
    }
    assert!(webhook.accept().is_err(), "nobody may have asked");
    place.run(&["track"]);
    assert!(is_owned(&place), "else this test shows nothing");
}

#[test]
fn a_name_is_no_part_of_a_path_of_sql_or_of_a_shell() {
    let names: Vec<_> = NAMES.iter().filter(|name| !name.contains(char::is_control)).collect();
    // Those that could lead somewhere, as long as a name of a project may be.
    for name in names.iter().filter(|name| name.contains('/') && name.len() <= 80) {
        let project = format!("[project]\nname = {}\n", Value::from(**name));
        let place = Place::with(&project);
        fs::remove_dir(place.path(".milepost")).expect("removed");
        place.ok(&["record", "operation", "--operation", "search", "--outcome", "ok"]);
        let written = files(place.folder.path());
        let inside = |file: &Path| file.starts_with(place.path(".local/share/milepost")) || file == place.path("milepost.toml");
        assert!(written.len() > 4 && written.iter().all(|file| inside(file)), "{name}: {written:?}");
        let projects = fs::read_dir(place.path(".local/share/milepost")).expect("a folder").count();
        assert_eq!(projects, 1, "{name}");
    }
    // A criterion about operations of each name counts those of that name and no other.
    let criterion = |name: &&&str| {
        let name = Value::from(**name);
        format!("[[criterion]]\nname = {name}\nmetric = \"success.rate\"\nabove = \"95%\"\nwhere = {{ operation = {name} }}\n")
    };
    let place = Place::with(&("[project]\nname = \"p\"\n".to_owned() + &names.iter().map(criterion).collect::<String>()));
    place.record_names();
    let scorecard: Value = serde_json::from_str(&place.ok(&["status", "--format", "json"])).expect("JSON");
    let counted = scorecard["criteria"].as_array().expect("criteria").iter().map(|c| (c["name"].clone(), c["n"].clone()));
    assert_eq!(counted.collect::<Vec<_>>(), names.iter().map(|name| (json!(name), json!(4))).collect::<Vec<_>>());
    place.run(&["track"]);
    assert!(!is_owned(&place));
}

/// What is installed for cron is one line of shell, and for systemd one unit.
#[test]
fn a_hostile_folder_cannot_add_to_a_schedule() {
    let outer = Place::with("");
    let install = |folder: &str, scheduler: &str| {
        let folder = outer.path(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("milepost.toml"), "[project]\nname = \"p\\\\\"\n").expect("written");
        let mut command = outer.command(&["schedule", "install", "--print", "--scheduler", scheduler, "--config"]);
        command.arg(folder.join("milepost.toml")).output().expect("milepost runs")
    };
    for folder in ["a\nb", "a\rb", "a\u{1b}b", "a ", " a/b ", "a\\"] {
        for scheduler in ["cron", "systemd"] {
            let output = install(folder, scheduler);
            assert_eq!(output.status.code(), Some(2), "{folder:?}: {}", super::stdout(&output));
            assert!(stderr(&output).contains("cannot be written into a schedule"), "{folder:?}: {}", stderr(&output));
        }
    }
    for folder in ["$(touch owned)`touch owned`;touch owned&'\"", "%n %% $HOME \\x", "a=b # c", "-o --help"] {
        let unit = super::stdout(&install(folder, "systemd"));
        let keys: Vec<_> = unit.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
        let expected = ["Description", "Type", "WorkingDirectory", "Environment", "ExecStart", "Nice", "Description", "OnCalendar"];
        assert_eq!(keys.get(..8), Some(&expected[..]), "{unit}");
        assert!(unit.lines().all(|line| !line.ends_with('\\')), "{unit}");
        // The line is given to a shell in the place of the program that it calls.
        let table = super::stdout(&install(folder, "cron"));
        let line = table.lines().find(|line| !line.starts_with('#')).expect("a line");
        let command: Vec<_> = line.splitn(6, ' ').collect();
        let command = command[5].replace("\\%", "%").replace(env!("CARGO_BIN_EXE_milepost"), "printf '%s\\n'").replace(">/dev/null", "");
        let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
        let config = outer.path(folder).join("milepost.toml");
        assert_eq!(super::stdout(&output), format!("track\n--config\n{}\n", config.display()), "{command}");
    }
    assert!(!is_owned(&outer));
}

fn git(folder: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("git runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    super::stdout(&child.wait_with_output().expect("git ends")).trim().to_owned()
}

#[test]
fn the_configuration_of_a_repository_runs_nothing() {
    let place = Place::with("[project]\nname = \"p\"\n");
    let folder = place.path("repository");
    fs::create_dir(&folder).expect("a folder");
    let evil = place.path("evil");
    fs::write(&evil, format!("#!/bin/sh\ntouch {}/owned\n", place.folder.path().display())).expect("written");
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).expect("allowed");
    let evil = evil.to_str().expect("UTF-8");
    git(&folder, &["init", "--quiet"], "");
    let at = times()[0].parse::<jiff::Timestamp>().expect("a time").as_second();
    let tree = git(&folder, &["hash-object", "-t", "tree", "-w", "--stdin"], "");
    let who = |role: &str| format!("{role} Rose <rose@example.org> {at} +0000\n");
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n";
    let text = format!("tree {tree}\n{}{}{signature}\nmessage\n", who("author"), who("committer"));
    git(&folder, &["update-ref", "HEAD", &git(&folder, &["hash-object", "-t", "commit", "-w", "--stdin"], &text)], "");
    for (key, value) in [
        ("log.showSignature", "true"),
        ("gpg.program", evil),
        ("core.pager", evil),
        ("core.fsmonitor", evil),
        ("core.sshCommand", evil),
        ("core.hooksPath", evil),
        ("core.askPass", evil),
    ] {
        git(&folder, &["config", key, value], "");
    }
    place.ok(&["collect", "git", "repository", "--maintainer", "nobody"]);
    assert!(!is_owned(&place));
    git(&folder, &["log"], "");
    assert!(is_owned(&place), "else this test shows nothing");
    fs::remove_file(place.path("owned")).expect("removed");

    // A list of names that is missing, and would be fetched by a program of the repository's choice.
    let names = git(&folder, &["hash-object", "-w", "--stdin"], "Rose <rose@example.org>\n");
    let tree = git(&folder, &["mktree"], &format!("100644 blob {names}\t.mailmap\n"));
    let text = format!("tree {tree}\n{}{}\nmessage\n", who("author"), who("committer"));
    git(&folder, &["update-ref", "HEAD", &git(&folder, &["hash-object", "-t", "commit", "-w", "--stdin"], &text)], "");
    let fetched = format!("ext::{evil} %S");
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &fetched),
        ("protocol.ext.allow", "always"),
        ("mailmap.blob", "HEAD:.mailmap"),
        ("log.showSignature", "false"),
    ] {
        git(&folder, &["config", key, value], "");
    }
    fs::remove_file(folder.join(".git/objects").join(&names[..2]).join(&names[2..])).expect("removed");
    let output = place.run(&["collect", "git", "repository", "--maintainer", "nobody"]);
    assert!(!is_owned(&place), "{}", stderr(&output));
    git(&folder, &["log", "--use-mailmap"], "");
    assert!(is_owned(&place), "else this test shows nothing");
}
