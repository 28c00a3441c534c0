//! `cargo xtask demo|test|bench|codegen|deny|dist`: what a developer or CI calls. Without dependencies, so that it is there at once.

mod architecture;
mod bench;
mod browser;
mod cluster;
mod coverage;
mod demo;
mod deny;
mod dist;
mod figures;
mod floods;
mod fuzz;
mod ingest;
mod nix;
mod page;
mod rollups;
mod test;

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const USAGE: &str = "\
cargo xtask demo          wrap real commands, sample a real process, and show the scorecard and the page
cargo xtask demo --nix    the same for an assistant that drives a real Nix, by the preset nix-for-humanity
cargo xtask test          formatting, lints, architecture, and all tests
cargo xtask bench         what the doors and the judge cost, beside what a user would use instead, and how often a verdict
                          is wrong, which lines the tests run, and what faults, floods and bad input do: all, or some of run,
                          record, judge, simulate, store, rollups, page, crash, faults, floods, fuzz, coverage
cargo xtask bench faults --for 1h
cargo xtask bench fuzz --for 10m
                          faults at every place there is, for so long (else 2 minutes); bad input, each reader for so long (else 1)
cargo xtask architecture  the rules of ARCHITECTURE.md that the compiler does not hold (a part of `test`)
cargo xtask codegen       write schemas/ anew from the Rust types
cargo xtask deny          the crates of others: licences, sources, duplicates; installs cargo-deny into target/tools
cargo xtask dist          pack the release program with manual pages, completions and licences: an archive and a Debian
                          package, each tried in an empty root";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["demo"] => demo::demo(),
        ["demo", "--nix"] => nix::demo(),
        ["test"] => test::test(),
        ["bench", ref which @ ..] => bench::bench(which),
        ["codegen"] => codegen(),
        ["deny"] => deny::deny(),
        ["dist"] => dist::dist(),
        ["architecture"] => architecture::check(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), String>;

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Where cargo builds to.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // What cargo told this program about itself: some build scripts ask for it, and would build half the engine anew each time.
    for (name, _) in env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| name.starts_with(prefix))
    }) {
        cargo.env_remove(name);
    }
    cargo
}

/// Builds the program as the tests build it, so that nothing heavy is built twice, and says where it is.
fn milepost() -> Result<PathBuf, String> {
    run(cargo().args(["build", "--workspace", "--bins"]))?;
    Ok(target().join("debug/milepost"))
}

/// Milepost on Milepost: this repository's criteria, and events in its `.milepost`, which git ignores.
fn own(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(root())
        .env("MILEPOST_CONFIG", root().join("milepost.toml"))
        .env("MILEPOST_DATA", root().join(".milepost"));
    command
}

/// Runs a command whose output is the user's to see.
fn run(command: &mut Command) -> Done {
    let shown = shown(command);
    let status = command.status().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Runs a command for its standard output.
fn output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let output = command.output().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{shown}: {error}"))
}

/// A path as it is seen from the top of the repository.
fn shown_path(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Whether a program is there; where it is not, tries to install its Debian package.
fn have(program: &str, package: &str) -> bool {
    let there = || Command::new(program).arg("--version").output().is_ok();
    if there() {
        return true;
    }
    install(package);
    there()
}

/// Tries to install a Debian package.
fn install(package: &str) {
    let apt = |args: &[&str]| {
        Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").output().is_ok_and(|o| o.status.success())
    };
    let _ = apt(&["update"]) && apt(&["install", "-y", "--no-install-recommends", package]);
}

fn codegen() -> Done {
    let program = milepost()?;
    for (of, name) in [
        ("event", "event"),
        ("scorecard", "scorecard"),
        ("report", "report"),
        ("exact-report", "exact-report"),
        ("period-report", "period-report"),
        ("history", "history"),
        ("comparison", "comparison"),
        ("alert", "alert"),
        ("config", "milepost.toml"),
        ("openapi", "openapi"),
    ] {
        let schema = output(Command::new(&program).args(["schema", of]))?;
        let kind = if of == "openapi" { "json" } else { "schema.json" };
        let path = root().join(format!("schemas/{name}.{kind}"));
        fs::write(&path, schema).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
