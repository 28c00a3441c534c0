//! `cargo xtask demo`: Milepost tracks Milepost. Real commands, a real process, and the scorecard that is made of them.

use crate::{Done, cargo, milepost, output, own, root, run, shown_path, target, test::python};
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

/// How often each command is wrapped.
const TIMES: usize = 25;

pub(crate) fn demo() -> Done {
    let program = milepost()?;
    let name = program.to_string_lossy();
    let milepost = |args: &[&str]| own(&program, args);

    println!("\nMilepost wraps real commands, {TIMES} times each: its own, as a product's people would use it.");
    let record = ["record", "note", "--topic", "decision", "--text", "tried the demonstration"];
    // A verdict that is not met is an answer, not a failure of the command.
    let commands: &[(&str, &str, &[&str])] = &[
        ("record", "0", &record),
        ("status", "0", &["status"]),
        ("check", "0,1,3", &["check"]),
        ("export", "0", &["export"]),
        ("explain", "0", &["explain", "no such criterion"]),
    ];
    for (operation, ok_codes, command) in commands {
        for _ in 0..TIMES {
            let args = [&["run", "--operation", operation, "--ok-codes", ok_codes, "--stderr", "observe", "--", &name], *command].concat();
            // A command that fails is an event like any other: `explain` of what is not there is meant to.
            milepost(&args)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(|error| format!("cannot run milepost: {error}"))?;
        }
        println!("  milepost run --operation {operation} -- milepost {}", command.join(" "));
    }

    println!("\nIt samples the memory of a real process: a Milepost that watches another one for five seconds.");
    let me = std::process::id().to_string();
    let mut observed = milepost(&["collect", "memory", "--pid", &me, "--every", "1s", "--for", "5s"])
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run milepost: {error}"))?;
    run(&mut milepost(&["collect", "memory", "--pid", &observed.id().to_string(), "--every", "250ms"]))?;
    observed.wait().map_err(|error| format!("cannot wait for milepost: {error}"))?;

    println!("\nIt takes what other tools measured: here how many crates cargo says that Milepost depends on.");
    let tree = output(cargo().args(["tree", "--package", "milepost", "--edges", "normal", "--prefix", "none"]))?;
    let crates: BTreeSet<_> = tree.lines().filter_map(|line| line.split(" v").next()).collect();
    let count = crates.len().to_string();
    run(&mut milepost(&["record", "measurement", "--name", "dependencies.count", "--value", &count, "--source", "cargo tree"]))?;

    match python("demo", "xtask/requirements.txt") {
        Ok(lizard) => {
            println!("\nAnd how complex lizard finds its functions.");
            let report = target().join("lizard.csv");
            let csv = output(Command::new(lizard).args(["-m", "lizard", "--language", "rust", "--csv", "crates"]).current_dir(root()))?;
            fs::write(&report, csv).map_err(|error| format!("cannot write {}: {error}", report.display()))?;
            run(&mut milepost(&["collect", "complexity", &report.to_string_lossy()]))?;
        }
        Err(why) => println!("\nHow complex its functions are is not measured: {why}"),
    }

    println!("\n$ milepost status\n");
    run(&mut milepost(&["status"]))?;
    println!("\n$ milepost explain 'Commands answer'\n");
    run(&mut milepost(&["explain", "Commands answer"]))?;
    println!("\n$ milepost query 'SELECT operation, outcome, count(*) AS n FROM operations GROUP BY 1, 2 ORDER BY 1, 2'\n");
    run(&mut milepost(&["query", "SELECT operation, outcome, count(*) AS n FROM operations GROUP BY 1, 2 ORDER BY 1, 2"]))?;
    let output = target().join("metrics");
    println!("\n$ milepost track --output {}\n", shown_path(&output));
    run(&mut milepost(&["track", "--output", &output.to_string_lossy()]))?;
    let week = this_week()?;
    println!("\n$ milepost report weekly --period {week}\n");
    run(&mut milepost(&["report", "weekly", "--period", &week]))?;
    println!("\nThe same as a page that opens without a network: {}", shown_path(&output.join("latest.html")));
    println!("The events are kept in .milepost. One day proves nothing: run this again tomorrow, and more is proven.");
    println!("In a folder of your own: milepost init · milepost run -- COMMAND · milepost status");
    Ok(())
}

/// The week that is not over yet, as a report names it.
fn this_week() -> Result<String, String> {
    Ok(output(Command::new("date").args(["-u", "+%G-W%V"]))?.trim().to_owned())
}
