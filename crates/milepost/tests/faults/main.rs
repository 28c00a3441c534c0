//! Writers, compaction, `track` and readers under faults: SIGKILL, errors and lack of space at each system call, kills at random,
//! folders that are read only, clocks that jump, machines that share tables, torn lines and flipped bytes. What was acknowledged is
//! counted once by whoever looks, and what is broken is named, set aside and repaired. `docs/faults.md` tells how to read the table.
//!
//! This program is its own harness: it starts itself again as writers and as compactions. Without `MILEPOST_FAULTS_SECONDS` it plays
//! a sample; `cargo xtask bench faults` sets it. `MILEPOST_FAULTS_SEED` repeats a choice, `MILEPOST_FAULTS_ONLY` names the kinds.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program: it ends where it cannot go on, and says what it saw"
)]

mod account;
mod boundaries;
mod bytes;
mod clocks;
mod machines;
mod place;
mod plan;
mod roles;
mod space;
mod syscalls;
mod tally;
mod together;

use std::{env, process::ExitCode, time::Duration};

fn main() -> ExitCode {
    if let Some(ended) = roles::play() {
        return ended;
    }
    // `cargo nextest` asks every test program for its list.
    if env::args().any(|a| a == "--list") {
        if !env::args().any(|a| a == "--ignored") {
            println!("faults: test");
        }
        return ExitCode::SUCCESS;
    }
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("MILEPOST_FAULTS_SECONDS");
    // The sample of the tests is the same each time; whoever looks for long sees others.
    let by_default = if seconds.is_some() { u64::from(std::process::id()) } else { 1 };
    let seed = number("MILEPOST_FAULTS_SEED").unwrap_or(by_default);
    println!("MILEPOST_FAULTS_SEED={seed}");
    let only = env::var("MILEPOST_FAULTS_ONLY").unwrap_or_default();
    let tally = plan::carry_out(seed, seconds.map(Duration::from_secs), &only);
    if let Some(path) = env::var_os("MILEPOST_FAULTS_TABLE") {
        std::fs::write(path, tally.markdown()).expect("a table");
    }
    println!("\n{}", tally.markdown());
    for note in tally.notes() {
        eprintln!("{note}");
    }
    place::clean();
    println!("lost: {}, doubled: {}", tally.lost(), tally.doubled());
    if tally.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
