//! `cargo xtask bench`: what the doors and the judge cost, side by side with what a user would use instead, in one run; how often a
//! verdict is wrong; which lines the tests run; and what faults, floods and bad input do, for long. The figures of costs go into
//! `docs/benchmarks.md`, and those of the doors into this repository's own `.milepost` too, where `milepost status` judges them.

use crate::{
    Done, cargo, cluster, coverage,
    figures::Figures,
    floods, fuzz, have, ingest, output, own,
    page::{self, Place},
    rollups, root, run, target,
    test::python,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What can be asked for.
const BENCHES: [&str; 14] = [
    "run", "record", "ingest", "judge", "simulate", "store", "rollups", "cluster", "page", "crash", "faults", "floods", "fuzz", "coverage",
];
/// Those of them that go on for as long as is said, and for how long where nothing is.
const LASTING: [(&str, Duration); 2] = [("faults", Duration::from_secs(120)), ("fuzz", Duration::from_secs(60))];

pub(crate) fn bench(words: &[&str]) -> Done {
    let (which, given) = match words {
        [name, "--for", lasting] if LASTING.iter().any(|(lasts, _)| lasts == name) => (&words[..1], Some(duration(lasting)?)),
        _ => (words, None),
    };
    if let Some(unknown) = which.iter().find(|name| !BENCHES.contains(name)) {
        return Err(format!("there is no benchmark `{unknown}`; there are {}", BENCHES.join(", ")));
    }
    let wanted = |name: &str| which.is_empty() || which.contains(&name);
    let lasting = |name: &str| {
        LASTING.iter().find(|(lasts, _)| *lasts == name).map_or(Duration::ZERO, |(_, by_default)| given.unwrap_or(*by_default))
    };
    if wanted("run") {
        wrapper()?;
    }
    if wanted("record") {
        recorder()?;
    }
    if wanted("ingest") {
        ingest::bench()?;
    }
    if wanted("judge") {
        judge()?;
    }
    if wanted("simulate") {
        simulate()?;
    }
    if wanted("store") {
        store()?;
    }
    if wanted("rollups") {
        rollups::bench()?;
    }
    if wanted("cluster") {
        cluster::bench()?;
    }
    if wanted("page") {
        page::bench()?;
    }
    if wanted("crash") {
        println!("\nA minute of SIGKILL: eight processes record while sealing runs in a loop");
        run(cargo().args(["test", "--workspace", "--test", "crash"]).env("MILEPOST_CRASH_SECONDS", "60"))?;
    }
    if wanted("faults") {
        faults(lasting("faults"))?;
    }
    if wanted("floods") {
        floods::bench()?;
    }
    if wanted("coverage") {
        coverage::bench()?;
    }
    if wanted("fuzz") {
        fuzz::fuzz(lasting("fuzz"))?;
    }
    Ok(())
}

/// A duration such as `90s`, `10m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u64>().ok());
    match number.and_then(|number| number.checked_mul(unit)) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is no duration: write 90s, 10m or 1h")),
    }
}

/// Faults at every place there is: see `docs/faults.md`.
fn faults(lasting: Duration) -> Done {
    println!("\nFaults for {} s: see docs/faults.md", lasting.as_secs());
    for (program, what) in [("strace", "no system call fails"), ("faketime", "no clock jumps")] {
        if !have(program, program) {
            println!("there is no {program}: {what}");
        }
    }
    let table = target().join("bench/faults.md");
    fs::create_dir_all(target().join("bench")).map_err(|error| format!("cannot make {}: {error}", target().join("bench").display()))?;
    let seconds = lasting.as_secs().to_string();
    let mut harness = cargo();
    harness.args(["test", "--workspace", "--test", "faults"]).env("MILEPOST_FAULTS_SECONDS", seconds).env("MILEPOST_FAULTS_TABLE", table);
    run(&mut harness)
}

pub(crate) fn released() -> Result<PathBuf, String> {
    run(cargo().args(["build", "--release"]))?;
    Ok(target().join("release/milepost"))
}

fn measured(program: &Path, name: &str, value: f64, unit: &str, source: &str) -> Done {
    let value = format!("{value:.3}");
    run(&mut own(program, &["record", "measurement", "--name", name, "--value", &value, "--unit", unit, "--source", source]))
}

/// What `milepost run` adds to the shortest command there is, and what `milepost status` takes where there is little to look at.
fn wrapper() -> Done {
    if !have("hyperfine", "hyperfine") {
        return Err("this benchmark needs hyperfine: install it, as by `apt-get install hyperfine`".to_owned());
    }
    let program = released()?;
    let data = target().join("bench-data");
    let _ = fs::remove_dir_all(&data);
    let shown = ["true", "milepost run -- true", "milepost --version", "/usr/bin/time -o /dev/null true"];
    let mut commands: Vec<String> = shown.map(|command| command.replacen("milepost", &program.display().to_string(), 1)).into();
    if !have("/usr/bin/time", "time") {
        commands.pop();
    }
    let mut hyperfine = Command::new("hyperfine");
    hyperfine.args(["-N", "--warmup", "50", "--runs", "500"]).args(&commands).env("MILEPOST_DATA", &data).current_dir(root());
    let times = medians(&mut hyperfine)?;
    let [(bare, ..), (wrapped, ..), ..] = times[..] else { return Err("hyperfine printed no medians".to_owned()) };
    let mut figures = Figures::of("run");
    figures.say("Wrapping `true`, 500 runs each\n\n| command | median | more than `true` | fastest to slowest |\n|---|---:|---:|---:|");
    for (command, (median, min, max)) in shown.iter().zip(&times) {
        figures.say(format!("| `{command}` | {median:.2} ms | {:.2} ms | {min:.2} to {max:.2} ms |", median - bare));
    }
    figures.say("\n`milepost status` of the preset and of few events that `track` took in, 100 runs each\n\n| events | median | fastest to slowest |\n|---|---:|---:|");
    for (shown, lines) in [("120 operations", None), ("31 of every kind that is judged", Some("crates/milepost/tests/report.jsonl"))] {
        let place = Place::new(target().join("bench-small"), &program)?;
        let lines = match lines {
            Some(name) => fs::read(root().join(name)).map_err(|error| format!("cannot read {name}: {error}"))?,
            None => output(own_workspace("crowd").args(["--", "120"]))?.into_bytes(),
        };
        let waiting = place.folder.join("events.jsonl");
        let failed = |error| format!("cannot use {}: {error}", waiting.display());
        fs::write(&waiting, lines).map_err(failed)?;
        output(place.milepost(&["record"]).stdin(File::open(&waiting).map_err(failed)?))?;
        // What it and `status` end with is about the criteria.
        place.milepost(&["track"]).output().map_err(|error| format!("cannot run milepost track: {error}"))?;
        let mut hyperfine = Command::new("hyperfine");
        hyperfine.args(["-N", "--warmup", "5", "--runs", "100", "--ignore-failure"]).arg(format!("{} status", program.display()));
        let [(median, min, max)] = medians(place.here(&mut hyperfine))?[..] else { return Err("hyperfine printed no median".to_owned()) };
        figures.say(format!("| {shown} | {median:.1} ms | {min:.1} to {max:.1} ms |"));
    }
    figures.publish()?;
    measured(&program, "run.overhead", wrapped - bare, "ms", "hyperfine")?;
    let size = fs::metadata(&program).map_err(|error| format!("cannot read {}: {error}", program.display()))?.len();
    measured(&program, "program.size", size as f64 / 1e6, "MB", "cargo build --release")
}

/// The median of each command that hyperfine is told to run, the fastest and the slowest, in milliseconds.
fn medians(hyperfine: &mut Command) -> Result<Vec<(f64, f64, f64)>, String> {
    let exported = target().join("bench-run.csv");
    output(hyperfine.args(["--style", "none", "--export-csv"]).arg(&exported))?;
    let table = fs::read_to_string(&exported).map_err(|error| format!("cannot read {}: {error}", exported.display()))?;
    // command,mean,stddev,median,user,system,min,max; seconds
    let of = |line: &str| {
        let mut last = line.rsplit(',').map(|cell| cell.parse::<f64>().map(|seconds| seconds * 1e3));
        let (max, min) = (last.next()?.ok()?, last.next()?.ok()?);
        Some((last.nth(2)?.ok()?, min, max))
    };
    Ok(table.lines().skip(1).filter_map(of).collect())
}

/// One event: the recorder, beside a plain `write()` and SQLite, and the client in Python beside OpenTelemetry.
fn recorder() -> Done {
    let program = released()?;
    let table = output(own_workspace("record").args(["--features", "sqlite"]))?;
    let mut figures = Figures::of("record");
    figures.say(format!("Recording one event, 9 rounds in turn\n\n{}\n", table.trim()));
    match python("otlp-python", "crates/milepost/tests/otlp/requirements.txt") {
        Ok(python) => figures.say_output(Command::new(python).arg(root().join("python/bench.py")))?,
        Err(why) => figures.say(format!("The client in Python is not measured beside OpenTelemetry: {why}")),
    }
    figures.publish()?;
    let row = table.lines().find(|line| line.contains("Recorder::record,")).and_then(|line| line.split('|').nth(2));
    let median = row.and_then(|cell| cell.trim().strip_suffix("µs")?.trim().parse().ok());
    measured(&program, "record.duration", median.ok_or("the benchmark printed no median of the recorder")?, "us", "cargo xtask bench")
}

/// A program of `bench/`, which is a workspace of its own.
pub(crate) fn own_workspace(program: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", program, "--target-dir"]);
    command.arg(target().join("bench"));
    command
}

/// A hundred thousand verdicts and a thousand groups, beside what SciPy and statsmodels say of the same counts.
fn judge() -> Done {
    let mut figures = Figures::of("judge");
    figures.say("Judging on one core, the median of 5 rounds\n");
    figures.say_output(&mut own_workspace("judge"))?;
    figures.say("");
    match python("bench-python", "bench/requirements.txt") {
        Ok(python) => figures.say_output(Command::new(python).arg(root().join("bench/proportions.py")).env("OMP_NUM_THREADS", "1"))?,
        Err(why) => figures.say(format!("SciPy and statsmodels are not measured beside it: {why}")),
    }
    figures.publish()
}

/// How often a verdict is wrong, and how many events it takes: the tables of `docs/honesty.md`.
fn simulate() -> Done {
    let tables = output(&mut own_workspace("simulate"))?;
    println!("\n{tables}");
    let page = root().join("docs/honesty.md");
    let shown = fs::read_to_string(&page).map_err(|error| format!("cannot read {}: {error}", page.display()))?;
    match tables.split("\n\n").find(|block| !shown.contains(block.trim())) {
        None => Ok(()),
        Some(other) => Err(format!("docs/honesty.md does not show this:\n\n{}", other.trim())),
    }
}

/// What the store and `milepost status` cost as events come in, by the hour: of a small product for 60 days, then of a busy one.
/// `MILEPOST_BENCH_DAYS` says for how many days the busy one is played.
fn store() -> Done {
    for (program, package) in [("faketime", "faketime"), ("/usr/bin/time", "time")] {
        if !have(program, package) {
            return Err(format!("this benchmark needs {package}: install it, as by `apt-get install {package}`"));
        }
    }
    let milepost = released()?;
    // Beside the program: alone, the crate would have the engine built with other features.
    run(cargo().args(["build", "--release", "--workspace", "--exclude", "milepost-cluster", "--example", "play"]))?;
    let program = target().join("release/examples/play");
    let days = std::env::var("MILEPOST_BENCH_DAYS").unwrap_or_else(|_| "10".to_owned());
    let mut figures = Figures::of("store");
    for (name, days, an_hour) in [("small", "60", "5"), ("busy", days.as_str(), "10000")] {
        let place = Place::new(target().join("bench-store").join(name), &milepost)?;
        figures.say(format!("\n{an_hour} events an hour, compacted every hour, for {days} days\n"));
        figures.say_output(Command::new(&program).arg(&milepost).arg(&place.folder).args([days, an_hour]))?;
    }
    figures.publish()
}
