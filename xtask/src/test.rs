//! `cargo xtask test`: all that has to hold.

use crate::{Done, architecture, cargo, run, shown, target};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

pub(crate) fn test() -> Done {
    architecture::check()?;
    if is_there("fmt") {
        run(cargo().args(["fmt", "--all", "--check"]))?;
    }
    if is_there("clippy") {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    }
    let mut tally = Tally::default();
    tally.run(cargo().args(["test", "--workspace"]))?;
    let schemas = ["test", "--manifest-path", "schemas/check/Cargo.toml", "--target-dir"];
    tally.run(cargo().args(schemas).arg(target().join("schemas")).env("MILEPOST_PROGRAM", target().join("debug/milepost")))?;
    println!("\n{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    Ok(())
}

fn is_there(component: &str) -> bool {
    let there = cargo().args([component, "--version"]).output().is_ok_and(|output| output.status.success());
    if !there {
        println!("cargo {component} is not installed, so what it checks is not checked");
    }
    there
}

/// What several test programs said at their ends.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Runs tests, shows what they print, and adds up their results.
    fn run(&mut self, command: &mut Command) -> Done {
        let shown = shown(command);
        let failed = |error| format!("cannot run {shown}: {error}");
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| format!("cannot read what {shown} prints"))?;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            self.add(&line);
        }
        let status = child.wait().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
        for count in counts.split("; ") {
            let Some((n, what)) = count.split_once(' ') else { continue };
            let n: u64 = n.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += n,
                "failed" => self.failed += n,
                "ignored" => self.skipped += n,
                _ => {}
            }
        }
    }
}
