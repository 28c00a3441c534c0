//! Another account on the machine finds nothing that it can read, and no place where it can put something.

use super::{Place, files, stderr};
use milepost_record::{Durability, Event, Operation, Outcome, Spool};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output, Stdio},
};

/// Accounts that are neither root's nor ours.
const OTHERS: [u32; 2] = [54_321, 54_322];

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("allowed");
}

#[test]
fn a_folder_that_everybody_may_write_to_is_not_used() {
    for open in [".milepost", ".milepost/spool"] {
        let place = Place::new();
        place.ok(&["record", "operation", "--operation", "search", "--outcome", "ok"]);
        let data = place.path(open);
        let before = files(&data);
        for mode in [0o777, 0o1777, 0o702] {
            allow(&data, mode);
            for args in [&["record", "operation", "--operation", "x", "--outcome", "ok"][..], &["status"], &["export"], &["track"]] {
                let output = place.run(args);
                assert_eq!(output.status.code(), Some(4), "{args:?}: {}", stderr(&output));
                assert!(stderr(&output).contains("everybody may write to this folder"), "{args:?}: {}", stderr(&output));
            }
            let wrapped = place.run(&["run", "--", "true"]);
            assert_eq!(wrapped.status.code(), Some(0), "a command is not the worse for it");
            assert!(stderr(&wrapped).contains("everybody may write"), "{}", stderr(&wrapped));
            let doctor = place.run(&["doctor"]);
            assert!([super::stdout(&doctor), stderr(&doctor)].concat().replace('\n', " ").contains("everybody may"), "{doctor:?}");
            assert!(Spool::open(&place.path(".milepost")).is_err(), "the SDK");
        }
        assert_eq!(files(&data), before, "nothing is written there");
        allow(&data, 0o775);
        place.ok(&["record", "operation", "--operation", "search", "--outcome", "ok"]);
        let token = |place: &Place| place.run(&["token", "add", "page", "--read"]).status.code();
        assert_eq!(token(&place), Some(0));
        if open == ".milepost" {
            allow(&data, 0o777);
            assert_eq!(place.run(&["token", "add", "more", "--read"]).status.code(), Some(4));
        }
    }
}

/// A place that other accounts may enter, with the program in it; none where we cannot speak for others.
#[expect(clippy::print_stdout, reason = "what is not tested is said")]
fn for_others() -> Option<Place> {
    if !nix::unistd::geteuid().is_root() {
        println!("only root can try what other accounts can do: not tested");
        return None;
    }
    let place = Place::new();
    allow(place.folder.path(), 0o755);
    let program = place.path("program");
    if fs::hard_link(env!("CARGO_BIN_EXE_milepost"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_milepost"), &program).expect("copied");
    }
    Some(place)
}

/// Runs the program as another account.
fn run_as(place: &Place, account: u32, args: &[&str]) -> Output {
    let mut command = Command::new(place.path("program"));
    command.args(args).current_dir(place.folder.path()).env_clear().env("HOME", place.folder.path()).env("PATH", "/usr/bin:/bin");
    command.uid(account).gid(account).stdin(Stdio::null()).output().expect("milepost runs")
}

#[test]
fn a_folder_of_another_account_is_not_used() {
    let Some(place) = for_others() else { return };
    let (data, spool) = (place.path(".milepost"), place.path(".milepost/spool"));
    let record = ["record", "operation", "--operation", "search", "--outcome", "ok"];
    let own = |path: &Path, account: u32| chown(path, Some(account), Some(account)).expect("given");
    own(&data, OTHERS[0]);
    let output = run_as(&place, OTHERS[0], &record);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let theirs = |args: &[&str]| {
        let output = run_as(&place, OTHERS[1], args);
        assert_eq!(output.status.code(), Some(4), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("belongs to another account"), "{args:?}: {}", stderr(&output));
    };
    theirs(&record);
    theirs(&["status"]);
    // A folder of ours, and in it a spool of somebody else.
    own(&data, OTHERS[1]);
    theirs(&record);
    own(&spool, OTHERS[1]);
    for file in files(&data) {
        own(&file, OTHERS[1]);
    }
    assert_eq!(run_as(&place, OTHERS[1], &record).status.code(), Some(0));
    assert_eq!(place.run(&record).status.code(), Some(0), "root may, as in a container");
}

#[test]
fn a_configuration_by_a_link_of_another_account_runs_nothing() {
    let Some(place) = for_others() else { return };
    let probe = "[[probe]]\noperation = \"search\"\ncommand = [\"touch\", \"owned\"]\n";
    fs::write(place.path("milepost.toml"), "[project]\nname = \"p\"\n".to_owned() + probe).expect("written");
    let theirs = place.path("theirs");
    fs::create_dir(&theirs).expect("a folder");
    symlink(place.path("milepost.toml"), theirs.join("milepost.toml")).expect("a link");
    let probe = |place: &Place| place.command(&["probe", "search", "--samples", "1"]).current_dir(&theirs).output().expect("milepost runs");
    lchown(theirs.join("milepost.toml"), Some(OTHERS[0]), Some(OTHERS[0])).expect("given");
    let refused = probe(&place);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("it belongs to another user, whose id is 54321"), "{}", stderr(&refused));
    assert!(files(place.folder.path()).iter().all(|file| !file.ends_with("owned")));
    lchown(theirs.join("milepost.toml"), Some(0), Some(0)).expect("given");
    probe(&place);
    assert!(files(place.folder.path()).iter().any(|file| file.ends_with("owned")), "else this test shows nothing");
}

/// Whether others get at a file: each folder on the way lets them in, and the file itself lets them read or write.
fn reachable(data: &Path, file: &Path) -> bool {
    let mode = |path: &Path| fs::symlink_metadata(path).expect("a file").mode();
    let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(data));
    mode(file) & 0o066 != 0 && folders.map(mode).all(|mode| mode & 0o011 != 0)
}

#[test]
fn nothing_that_is_kept_is_for_other_accounts_whatever_the_umask() {
    let place = Place::with("[project]\nname = \"p\"\n");
    for (data, is_ours) in [("made", true), (".milepost", false)] {
        let data = place.path(data);
        let milepost = |args: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", "umask 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_milepost")]).args(args);
            command.current_dir(place.folder.path()).env_clear().env("MILEPOST_DATA", &data);
            let output = command.env("PATH", std::env::var_os("PATH").expect("a path")).stdin(Stdio::null()).output().expect("it runs");
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        };
        fs::write(place.path("broken.csv"), "at,operation,outcome,duration_ms\nnever,search,ok,1\n").expect("written");
        for args in [
            &["record", "operation", "--operation", "search", "--outcome", "ok"][..],
            &["run", "--", "true"],
            &["token", "add", "page", "--read"],
            &["track"],
        ] {
            milepost(args);
        }
        let mut import = place.command(&["import", "broken.csv"]);
        assert_eq!(import.env("MILEPOST_DATA", &data).status().expect("it runs").code(), Some(2), "some rows are set aside");
        let found = files(&data);
        for name in ["identity.json", "tokens.json", "track.json", "set-aside.jsonl", "spool.json", "store.json", "seal.lock"] {
            assert!(found.iter().any(|file| file.ends_with(name)), "{name}: {found:?}");
        }
        let open: Vec<_> = found.iter().filter(|file| reachable(&data, file)).collect();
        assert_eq!(open, Vec::<&std::path::PathBuf>::new());
        assert_eq!(is_ours, fs::metadata(&data).expect("a folder").mode() & 0o777 == 0o700);
    }
}

/// What is written where others may put files, as in `/tmp`, goes where it was sent and nowhere else.
#[test]
fn a_link_in_the_place_of_an_output_is_replaced_and_not_followed() {
    let place = Place::new();
    place.record_names();
    let folder = place.path("tmp");
    fs::create_dir(&folder).expect("a folder");
    allow(&folder, 0o777);
    let precious = place.path("precious");
    fs::write(&precious, "precious").expect("written");
    for args in
        [&["dashboard", "--output"][..], &["export", "--output"], &["export", "--kind", "operation", "--format", "parquet", "--output"]]
    {
        for hard in [false, true] {
            let output = folder.join("output");
            if hard { fs::hard_link(&precious, &output) } else { symlink(&precious, &output) }.expect("a link");
            place.ok(&[args, &["tmp/output"]].concat());
            assert_eq!(fs::read_to_string(&precious).expect("a file"), "precious", "{args:?}");
            let written = fs::symlink_metadata(&output).expect("a file");
            assert!(
                written.is_file() && written.len() > 100 && written.ino() != fs::metadata(&precious).expect("a file").ino(),
                "{args:?}"
            );
            fs::remove_file(&output).expect("removed");
        }
    }
    assert_eq!(files(&folder), Vec::<std::path::PathBuf>::new(), "nothing else is left");
}

#[test]
fn an_id_of_a_spool_leads_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = Event::now(Operation::new("search", Outcome::Ok));
    Spool::open(folder.path()).and_then(|spool| spool.append(&event, Durability::Written)).expect("recorded");
    for id in ["../../owned", "", "a/b", "..", &"a".repeat(65), "a\u{0}"] {
        let layout = serde_json::json!({"version": 1, "id": id}).to_string();
        fs::write(folder.path().join("spool/spool.json"), layout).expect("written");
        let error = Spool::open(folder.path()).expect_err("no id").to_string();
        assert!(error.contains("its id is none that Milepost makes"), "{error}");
    }
}
