//! The flake, its package and its modules, evaluated by the real nix against a small stand-in for nixpkgs (flake/stand-in.nix):
//! without a network, in a store of its own. What they make is compared with what `milepost schedule install` writes.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the top of the repository")
}

/// Evaluates an expression in which `it` is the stand-in.
fn nix(expression: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let own = |name: &str| folder.path().join(name);
    let (flake, stand_in) = (root(), root().join("crates/milepost/tests/flake/stand-in.nix"));
    let whole = format!("let it = import {} {{ flake = {}; }}; in {expression}", stand_in.display(), flake.display());
    let mut command = Command::new("nix-instantiate");
    command.args(["--eval", "--strict", "--json", "--expr", &whole]).env_clear();
    command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", own("home"));
    for (variable, place) in [("STORE", "store"), ("STATE", "var"), ("LOG", "log"), ("CONF", "etc")] {
        command.env(format!("NIX_{variable}_DIR"), own(place));
    }
    command.env("NIX_CONFIG", "build-users-group =\nsubstituters =").env("NIX_PATH", "").env("NIX_REMOTE", "");
    command.output().expect("nix-instantiate runs")
}

fn evaluated(expression: &str) -> Value {
    let output = nix(expression);
    assert!(output.status.success(), "{expression}: {}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A text as Nix writes it.
fn text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace("${", "\\${").replace('\n', "\\n"))
}

/// The two modules with one project.
fn modules(folder: &str, every: &str) -> [(&'static str, Value); 2] {
    let project = format!("folder = {}; every = {};", text(folder), text(every));
    let of =
        |module: &str, more: &str| evaluated(&format!("(it.{module} {{ enable = true; projects.site = {{ {project} {more} }}; }}).config"));
    [("nixos", of("nixos", "user = \"rose\";")), ("home", of("home", ""))]
}

/// The sections of service and timer, whichever module they are of.
fn units<'a>(module: &str, config: &'a Value) -> (&'a Value, &'a Value) {
    match module {
        "nixos" => {
            let systemd = &config["systemd"];
            (&systemd["services"]["milepost-site"]["serviceConfig"], &systemd["timers"]["milepost-site"]["timerConfig"])
        }
        _ => {
            let systemd = &config["systemd"]["user"];
            (&systemd["services"]["milepost-site"]["Service"], &systemd["timers"]["milepost-site"]["Timer"])
        }
    }
}

/// What the program itself would install for a project in this folder, by section and key.
fn installed(folder: &Path, every: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("milepost.toml"), "[project]\nname = \"site\"\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    command.args(["schedule", "install", "--print", "--scheduler", "systemd", "--every", every, "--config"]);
    let output =
        command.arg(folder.join("milepost.toml")).env_clear().env("PATH", "/bin").env("HOME", folder).output().expect("milepost runs");
    assert!(output.status.success(), "{every}: {}", said(&output));
    let (mut sections, mut section) = (BTreeMap::<_, BTreeMap<_, _>>::new(), String::new());
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            sections.entry(section.clone()).or_default().insert(key.to_owned(), value.to_owned());
        }
    }
    sections
}

/// The hours of a calendar event, and its minutes counted from the first.
fn rhythm(calendar: &str) -> (String, Vec<u32>) {
    let (hours, rest) = calendar.strip_prefix("*-*-* ").and_then(|rest| rest.split_once(':')).expect("hours");
    let minutes: Vec<u32> = rest.strip_suffix(":00").expect("seconds").split(',').map(|minute| minute.parse().expect("a minute")).collect();
    let first = minutes[0];
    assert!(minutes.iter().all(|minute| *minute < 60), "{calendar}");
    (hours.to_owned(), minutes.iter().map(|minute| minute - first).collect())
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("a set").keys().cloned().collect()
}

/// `cargo xtask test` runs it, where nix is or can be installed; and so the others.
#[test]
#[ignore = "needs a real nix"]
fn the_units_are_those_that_the_program_installs() {
    let place = tempfile::tempdir().expect("a folder");
    for every in ["1min", "15min", "30min", "1h", "6h", "12h", "24h", "1d", "60min"] {
        let folder = place.path().join(r#"it's 50% "$done" \ too"#);
        let sections = installed(&folder, every);
        let folder = folder.to_str().expect("UTF-8");
        for (module, config) in modules(folder, every) {
            let (service, timer) = units(module, &config);
            let mut expected: BTreeSet<String> = sections["Service"].keys().cloned().collect();
            // In NixOS the environment has a place of its own, and a service of the system says whose it is.
            if module == "nixos" {
                expected.remove("Environment");
                expected.insert("User".to_owned());
            }
            assert_eq!(keys(service), expected, "{module}");
            assert_eq!(keys(timer), sections["Timer"].keys().cloned().collect(), "{module}");
            for key in ["Type", "WorkingDirectory"] {
                assert_eq!(service[key], sections["Service"][key], "{module}: {key}");
            }
            assert_eq!(service["Nice"], 10);
            let (program, arguments) = service["ExecStart"].as_str().expect("a command").split_once(" track ").expect("track");
            assert_eq!(sections["Service"]["ExecStart"].split_once(" track ").expect("track").1, arguments, "{module}");
            let profile = if module == "nixos" { "/run/current-system/sw/bin/milepost" } else { "/home/rose/.nix-profile/bin/milepost" };
            assert_eq!(program, format!("\"{profile}\""), "a path of a profile, and none of the store");
            assert_eq!(rhythm(timer["OnCalendar"].as_str().expect("a text")), rhythm(&sections["Timer"]["OnCalendar"]), "{every}");
            assert_eq!(timer["RandomizedDelaySec"], sections["Timer"]["RandomizedDelaySec"], "{every}");
            assert_eq!(
                (&timer["Persistent"], sections["Timer"]["Persistent"].as_str()),
                (&json!(true), "true"),
                "missed runs are made up for"
            );
            for assertion in config["assertions"].as_array().expect("assertions") {
                assert_eq!(assertion["assertion"], true, "{assertion}");
            }
        }
    }
}

#[test]
#[ignore = "needs a real nix"]
fn each_module_has_its_shape_and_nothing_where_it_is_not_enabled() {
    let [(_, nixos), (_, home)] = modules("/home/rose/site", "1h");
    let service = &nixos["systemd"]["services"]["milepost-site"];
    assert_eq!(service["serviceConfig"]["User"], "rose", "nothing runs as root that a user wrote");
    let path = service["environment"]["PATH"].as_str().expect("a path");
    assert!(path.contains("/etc/profiles/per-user/rose/bin"), "{path}");
    assert_eq!(nixos["systemd"]["timers"]["milepost-site"]["wantedBy"], json!(["timers.target"]));
    let timer = &home["systemd"]["user"]["timers"]["milepost-site"];
    assert_eq!(timer["Install"]["WantedBy"], json!(["timers.target"]));
    assert_eq!(timer["Unit"]["Description"], "Milepost: track site");
    for (module, config, packages) in
        [("nixos", &nixos, &nixos["environment"]["systemPackages"]), ("home", &home, &home["home"]["packages"])]
    {
        assert!(packages[0].as_str().is_some_and(|path| path.contains("-milepost-")), "the profile has it: {packages}");
        let written = config["systemd"].to_string();
        assert!(!written.contains("/store"), "{module}: {written}");
        assert_eq!(evaluated(&format!("(it.{module} {{ }}).config")), json!({}), "{module}");
        assert_eq!(evaluated(&format!("(it.{module} {{ enable = true; }}).config"))["assertions"], json!([]), "{module}");
    }
    // Two projects begin at minutes of their own.
    let two = "{ enable = true; projects = { a.folder = \"/a\"; b.folder = \"/b\"; }; }";
    let timers = evaluated(&format!("(it.home {two}).config.systemd.user.timers"));
    let at = |name: &str| timers[name]["Timer"]["OnCalendar"].clone();
    assert_ne!(at("milepost-a"), at("milepost-b"));
}

#[test]
#[ignore = "needs a real nix"]
fn the_options_have_types_and_defaults() {
    for (module, own) in [("nixos", &["user"][..]), ("home", &[])] {
        let options = evaluated(&format!("(it.{module} {{ }}).options"));
        assert_eq!(keys(&options), ["enable", "package", "projects"].map(str::to_owned).into());
        assert_eq!((&options["enable"]["type"], &options["enable"]["default"]), (&json!("bool"), &json!(false)));
        assert_eq!((&options["package"]["type"], &options["package"]["hasDefault"]), (&json!("package"), &json!(true)));
        assert_eq!((&options["projects"]["type"], &options["projects"]["default"]), (&json!("attrsOf submodule"), &json!({})));
        let of_project = &options["projects"]["of"];
        let expected: BTreeSet<_> = ["every", "folder"].iter().chain(own).map(|key| (*key).to_owned()).collect();
        assert_eq!(keys(of_project), expected);
        assert_eq!((&of_project["every"]["type"], &of_project["every"]["default"]), (&json!("str"), &json!("1h")));
        for demanded in ["folder"].iter().chain(own) {
            assert_eq!((&of_project[demanded]["type"], &of_project[demanded]["hasDefault"]), (&json!("str"), &json!(false)));
        }
        let user = if own.is_empty() { "" } else { "user = \"rose\";" };
        for (given, why) in [
            ("enable = \"yes\";".to_owned(), "`services.milepost.enable' is not of type `bool'"),
            ("enable = true; package = \"milepost\";".to_owned(), "`services.milepost.package' is not of type `package'"),
            (
                format!("enable = true; projects.a = {{ folder = 5; {user} }};"),
                "`services.milepost.projects.a.folder' is not of type `str'",
            ),
            (
                format!("enable = true; projects.a = {{ folder = /etc; {user} }};"),
                "`services.milepost.projects.a.folder' is not of type `str'",
            ),
            (format!("enable = true; projects.a = {{ {user} }};"), "`services.milepost.projects.a.folder' was accessed but has no value"),
            (
                "enable = true; projects.a = { folder = \"/a\"; often = true; };".to_owned(),
                "`services.milepost.projects.a.often' does not exist",
            ),
        ] {
            let output = nix(&format!("(it.{module} {{ {given} }}).config"));
            assert!(!output.status.success() && said(&output).contains(why), "{module}, {given}: {}", said(&output));
        }
    }
    let nobody = nix("(it.nixos { enable = true; projects.a.folder = \"/a\"; }).config");
    assert!(said(&nobody).contains("`services.milepost.projects.a.user' was accessed but has no value"), "{}", said(&nobody));
}

#[test]
#[ignore = "needs a real nix"]
fn what_makes_no_sense_is_refused_by_an_assertion() {
    // What was said by those that do not hold.
    let refused = |config: &Value| {
        let assertions = config["assertions"].as_array().expect("assertions").iter();
        assertions.filter(|a| a["assertion"] == false).map(|a| a["message"].as_str().expect("a message").to_owned()).collect::<Vec<_>>()
    };
    for every in [
        "45min",
        "7min",
        "90min",
        "5h",
        "2d",
        "0min",
        "0h",
        "1",
        "h",
        "",
        "1 h",
        "-1h",
        "1.5h",
        "90s",
        "hourly",
        "99999999999999999999h",
        "1h\n",
    ] {
        for (module, config) in modules("/home/rose/site", every) {
            let refused = refused(&config);
            let [why] = &refused[..] else { panic!("{module}, {every:?}: {refused:?}") };
            assert!(why.contains("projects.site.every") && why.contains("minutes that divide an hour"), "{module}, {every:?}: {why}");
        }
    }
    for folder in ["site", "~/site", "", "/a\nExecStart=/bin/evil", "./site"] {
        for (module, config) in modules(folder, "1h") {
            let refused = refused(&config);
            assert!(
                matches!(&refused[..], [only] if only.contains("absolute path outside of the Nix store")),
                "{module}, {folder:?}: {refused:?}"
            );
        }
    }
    let in_store = evaluated("(it.home { enable = true; projects.a.folder = \"${builtins.storeDir}/a-site\"; }).config");
    assert_eq!(refused(&in_store).len(), 1);
    let name = evaluated("(it.home { enable = true; projects.\"a b/c\".folder = \"/a\"; }).config");
    assert!(refused(&name)[0].contains("take letters, digits"));
}

#[test]
#[ignore = "needs a real nix"]
fn the_package_is_built_from_the_locked_crates_and_all_that_the_build_reads() {
    let packages = evaluated("it.packages");
    assert_eq!(keys(&packages), ["aarch64-linux", "x86_64-linux"].map(str::to_owned).into());
    assert_eq!(evaluated("it.inputs"), json!(["nixpkgs"]));
    let package = &packages["x86_64-linux"];
    assert_eq!((&package["pname"], &package["version"]), (&json!("milepost"), &json!(env!("CARGO_PKG_VERSION"))));
    let lock = root().join("Cargo.lock");
    assert_eq!(package["cargoLock"]["lockFile"], lock.to_str().expect("UTF-8"));
    // `cargoLock.lockFile` alone knows no digest of what comes from git.
    assert!(!fs::read_to_string(&lock).expect("a lock").contains("source = \"git+"));
    assert_eq!(package["src"]["root"], root().to_str().expect("UTF-8"));
    let source: Vec<_> = package["src"]["fileset"].as_array().expect("files").iter().map(|path| path.as_str().expect("a path")).collect();
    assert!(source.iter().all(|path| Path::new(path).exists()), "{source:?}");

    // Cargo finds every member of the workspace in it.
    let copy = tempfile::tempdir().expect("a folder");
    for path in &source {
        let copied = Command::new("cp").args(["-R", path]).arg(copy.path()).status().expect("cp runs");
        assert!(copied.success());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(copy.path());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", said(&output));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut programs = metadata["packages"].as_array().expect("packages").iter().filter(|package| package["name"] == "milepost");
    assert!(programs.next().is_some_and(|package| package["targets"].to_string().contains("\"bin\"")));
}
