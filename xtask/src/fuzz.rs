//! `cargo xtask bench fuzz [--for 10m]`: bad input for every reader that has a target, for so long each, and how much was too bad.
//!
//! First by chance: these are the tests `bad_input`, which `cargo xtask test` runs for seconds. Then, where a nightly compiler is there,
//! libFuzzer leads the readers of `fuzz/` through code that they have not run yet. What holds for any input is said once for both.

use crate::{Done, cargo, root, target};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The targets of libFuzzer, the crate that has the reader, and folders with files as they should be.
const LED: &[(&str, &str, &[&str])] = &[
    ("event", "milepost-record", &["vectors"]),
    ("segment", "milepost-record", &["vectors"]),
    ("layout", "milepost-record", &[]),
    ("words", "milepost-record", &[]),
    ("report", "milepost-collect", &["crates/milepost-collect/tests/reports"]),
    ("git_log", "milepost-collect", &[]),
    ("json_lines", "milepost-collect", &["vectors"]),
    ("csv", "milepost-collect", &["crates/milepost/tests/import"]),
    ("benchmarks", "milepost-collect", &["crates/milepost/tests/import"]),
    ("error_text", "milepost-collect", &["crates/milepost-collect/tests/error_texts"]),
];

/// Where the tests of bad input are, beside those of the files `bad_input.rs`.
const BY_CHANCE: &[&[&str]] = &[&["--test", "bad_input", "--"], &["--lib", "--test", "query", "--", "bad_input::"]];

struct Row {
    name: String,
    how: &'static str,
    inputs: u64,
    found: usize,
}

pub(crate) fn fuzz(lasting: Duration) -> Done {
    let found = target().join("tmp/found");
    let _ = fs::remove_dir_all(&found);
    let (mut rows, all_hold) = by_chance(lasting.as_secs(), &found)?;
    match tool() {
        Ok(tools) => {
            for (name, of, seeds) in LED {
                rows.push(led(&tools, name, of, seeds, lasting.as_secs(), &found.join("led"))?);
            }
        }
        Err(why) => println!("Nothing is led by libFuzzer: {why}"),
    }
    println!("\n| target | inputs by | inputs | found |\n|---|---|---:|---:|");
    for Row { name, how, inputs, found } in &rows {
        println!("| `{name}` | {how} | {inputs} | {found} |");
    }
    let bad: Vec<_> = rows.iter().filter(|row| row.found > 0).map(|row| row.name.as_str()).collect();
    if bad.is_empty() {
        return if all_hold { Ok(()) } else { Err("a test failed, and says above with which input".to_owned()) };
    }
    Err(format!(
        "{} cannot take everything: what they were given is in {}. Mend the reader, then keep the input in `bad_input/` of its crate",
        bad.join(", "),
        crate::shown_path(&found)
    ))
}

/// The tests, each for so long, and whether all of them passed.
fn by_chance(seconds: u64, found: &Path) -> Result<(Vec<Row>, bool), String> {
    println!("Each reader by chance for {seconds} s");
    let (mut said, mut all_hold) = (String::new(), true);
    for which in BY_CHANCE {
        let mut command = cargo();
        command.args(["test", "--workspace", "--no-fail-fast"]).args(*which).arg("--nocapture");
        command.env("MILEPOST_FUZZ_SECONDS", seconds.to_string());
        let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            all_hold = false;
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
        said += &String::from_utf8_lossy(&output.stdout);
    }
    // A test's own output follows on the same line as its name.
    let told = said.lines().filter_map(|line| line.split_once("fuzzed ")).filter_map(|(_, told)| told.split_once(' '));
    let mut rows: Vec<Row> = Vec::new();
    for (name, inputs) in told {
        let inputs = inputs.trim().parse().unwrap_or(0);
        // Several tests may try one reader with different files.
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.inputs += inputs,
            None => rows.push(Row { name: name.to_owned(), how: "chance", inputs, found: files(&found.join(name)) }),
        }
    }
    // What failed did not get to its end, and so told nothing.
    for entry in fs::read_dir(found).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (known, found) = (rows.iter().any(|row| row.name == name), files(&entry.path()));
        if !known && found > 0 {
            rows.push(Row { name, how: "chance", inputs: 0, found });
        }
    }
    if rows.is_empty() {
        return Err("no test told how many inputs it had".to_owned());
    }
    Ok((rows, all_hold))
}

/// The folder of cargo-fuzz; where it is not there, tries to install it.
fn tool() -> Result<PathBuf, String> {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let tools = target().join("tools");
    if !quiet(nightly(&tools).arg("--version")) {
        return Err("it takes a nightly compiler: rustup toolchain install nightly".to_owned());
    }
    if !quiet(nightly(&tools).args(["fuzz", "--version"])) {
        println!("cargo-fuzz is installed into {}", crate::shown_path(&tools));
        let build = tools.join("build");
        if !quiet(nightly(&tools).args(["install", "cargo-fuzz", "--locked", "--root"]).arg(&tools).arg("--target-dir").arg(build)) {
            return Err("cargo-fuzz cannot be installed: cargo install cargo-fuzz".to_owned());
        }
    }
    Ok(tools)
}

/// The nightly cargo, which finds what is installed in a folder.
fn nightly(tools: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path));
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).current_dir(root());
    if let Ok(joined) = std::env::join_paths(paths) {
        command.env("PATH", joined);
    }
    // What this cargo told this program is not for the other one.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR"] {
        command.env_remove(name);
    }
    command
}

/// One target of libFuzzer. What it learns stays in the target folder, and is where the next run goes on.
fn led(tools: &Path, name: &str, of: &str, seeds: &[&str], seconds: u64, found: &Path) -> Result<Row, String> {
    println!("{name}, led by libFuzzer for {seconds} s");
    let (corpus, found) = (target().join("fuzz-corpus").join(name), found.join(name));
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let kept = root().join("crates").join(of).join("tests/bad_input").join(name);
    let seeds = seeds.iter().map(|seed| root().join(seed)).chain([kept]).filter(|folder| folder.is_dir());
    let mut command = nightly(tools);
    // Our code has no `unsafe`, so there is nothing for a sanitizer to see.
    command.args(["fuzz", "run", "--sanitizer", "none", "--target-dir"]).arg(target().join("fuzz")).arg(name).arg(&corpus).args(seeds);
    command.args(["--", "-print_final_stats=1", "-timeout=60", "-rss_limit_mb=2048", "-max_len=65536"]);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", found.display()));
    let output = command.output().map_err(|error| format!("cannot run cargo fuzz: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let inputs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok());
    match (inputs, files(&found)) {
        (None, 0) => Err(format!("libFuzzer did not run {name}:\n{said}")),
        (inputs, found) => Ok(Row { name: name.to_owned(), how: "libFuzzer", inputs: inputs.unwrap_or(0), found }),
    }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).into_iter().flatten().count()
}
