//! `cargo xtask bench fuzz [--for 10m]`: bad input for every reader that has a target, for so long each, and how much was too bad.
//!
//! These are the tests `bad_input`, which `cargo xtask test` runs for seconds. What holds for any input is said in `bad_input/targets.rs` of
//! each crate.

use crate::{Done, cargo, target};
use std::{fs, path::Path, time::Duration};

struct Row {
    name: String,
    inputs: u64,
    found: usize,
}

pub(crate) fn fuzz(lasting: Duration) -> Done {
    let found = target().join("tmp/found");
    let _ = fs::remove_dir_all(&found);
    let rows = by_chance(lasting.as_secs(), &found)?;
    println!("\n| target | inputs | found |\n|---|---:|---:|");
    for Row { name, inputs, found } in &rows {
        println!("| `{name}` | {inputs} | {found} |");
    }
    let bad: Vec<_> = rows.iter().filter(|row| row.found > 0).map(|row| row.name.as_str()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} cannot take everything: what they were given is in {}. Mend the reader, then keep the input in `bad_input/` of its crate",
        bad.join(", "),
        crate::shown_path(&found)
    ))
}

/// The tests, each for so long.
fn by_chance(seconds: u64, found: &Path) -> Result<Vec<Row>, String> {
    println!("Each reader for {seconds} s");
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--test", "bad_input", "--", "--nocapture"]);
    let output =
        command.env("MILEPOST_FUZZ_SECONDS", seconds.to_string()).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    // A test's own output follows on the same line as its name.
    let told = said.lines().filter_map(|line| line.split_once("fuzzed ")).filter_map(|(_, told)| told.split_once(' '));
    let mut rows: Vec<Row> = Vec::new();
    for (name, inputs) in told {
        let inputs = inputs.trim().parse().unwrap_or(0);
        // Several tests may try one reader with different files.
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.inputs += inputs,
            None => rows.push(Row { name: name.to_owned(), inputs, found: files(&found.join(name)) }),
        }
    }
    // What failed did not get to its end, and so told nothing.
    for entry in fs::read_dir(found).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (known, found) = (rows.iter().any(|row| row.name == name), files(&entry.path()));
        if !known && found > 0 {
            rows.push(Row { name, inputs: 0, found });
        }
    }
    if rows.is_empty() {
        return Err("no test told how many inputs it had".to_owned());
    }
    Ok(rows)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).into_iter().flatten().count()
}
