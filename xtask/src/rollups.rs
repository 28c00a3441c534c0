//! `cargo xtask bench rollups`: what a scorecard and its page cost as events grow, from rollups and from the events, what the exact report
//! costs, and how many bytes an operation takes, each beside DuckDB on the same files. It fails where two answers differ.

use crate::{
    Done,
    bench::released,
    cargo,
    figures::Figures,
    have, output,
    page::{Place, holds},
    root, run, target,
    test::python,
};
use std::{
    env, fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

/// How many operations of ninety days there are, where `MILEPOST_BENCH_EVENTS` says nothing else.
const EVENTS: &str = "1000000 10000000 100000000";
/// How many of them wait in the spool at most, which takes more room than a table.
const WAITING: usize = 5_000_000;
/// How often a command is timed, up to how many operations.
const RUNS: [(u64, &str); 2] = [(2_000_000, "9"), (20_000_000, "5")];
/// How often it is of more; then, `status` from the events takes minutes, and is timed once.
const RUNS_MIN: &str = "3";
/// What is asked of Milepost, and of DuckDB too.
const EXACT: [&str; 9] = ["report", "full", "--exact", "--quantile-type", "7", "--failures", "exclude", "--format", "json"];
/// The packages that read the tables.
const READERS: &str = "crates/milepost-store/tests/readers/requirements.txt";

pub(crate) fn bench() -> Done {
    for (program, package) in [("hyperfine", "hyperfine"), ("/usr/bin/time", "time")] {
        if !have(program, package) {
            return Err(format!("this benchmark needs {package}: install it, as by `apt-get install {package}`"));
        }
    }
    let python = python("python", READERS)?;
    let milepost = released()?;
    let built = target().join("bench");
    let build = ["build", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", "crowd", "--target-dir"];
    run(cargo().args(build).arg(&built))?;
    let mut figures = Figures::of("rollups");
    figures.say(
        "`milepost status` and `dashboard` of the preset and `milepost report full --exact`, ninety days of ten thousand people, half of them \
         new, who tell when they begin: the median of nine, five or three runs, fewer of more, the fastest to the slowest, and the most \
         memory; what took once says no more; all `track` took, with at most five million waiting\n",
    );
    figures.say(
        "| operations | status from rollups | page | status from the events | DuckDB | exact report | DuckDB | `track` |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|",
    );
    let mut sizes = Vec::new();
    for events in env::var("MILEPOST_BENCH_EVENTS").unwrap_or_else(|_| EVENTS.to_owned()).split_whitespace() {
        let (cells, size) = of(events, &milepost, &built.join("release/crowd"), &python)?;
        figures.say(format!("| {events} | {} |", cells.join(" | ")));
        sizes.push(format!("| {events} | {size} |"));
    }
    figures.say("\nBytes that an operation takes on the disk, each with an id of 32 random digits, a person, a persona and a backend\n");
    figures.say("| operations | the table | but for ids | plain Parquet (DuckDB, Zstandard) | but for ids |\n|---:|---:|---:|---:|---:|");
    for size in sizes {
        figures.say(size);
    }
    figures.publish()
}

/// The cells of both tables.
fn of(events: &str, milepost: &Path, crowd: &Path, python: &Path) -> Result<([String; 7], String), String> {
    let place = Place::new(target().join("bench-rollups"), milepost)?;
    let failed = |error| format!("cannot make the events: {error}");
    let mut made = Command::new(crowd).args([events, "sessions"]).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let lines = made.stdout.take().ok_or("the events cannot be read")?;
    let track = taken_in(&place, lines)?;
    holds(made.wait().map_err(failed)?.success(), "all events are made")?;

    // The same store, without its rollups.
    let (whole, bare) = (place.data(), place.folder.join("bare"));
    run(Command::new("cp").arg("-al").arg(&whole).arg(&bare))?;
    fs::remove_file(bare.join("store/rollups.json")).map_err(|error| format!("there are no rollups: {error}"))?;
    let files = place.folder.join("files.txt");
    let [script, exact, at_rest] =
        ["scorecard.py", "exact.py", "at_rest.py"].map(|name| root().join("bench").join(name).display().to_string());
    let python = python.display().to_string();
    let listed = output(Command::new(&python).arg(&script).arg(whole.join("store/operations")))?;
    fs::write(&files, listed).map_err(|error| format!("cannot write {}: {error}", files.display()))?;

    let size = output(Command::new(&python).arg(at_rest).arg(&files).arg(&place.folder))?;

    let of_data = |data: &Path, words: &[&str]| {
        let program = ["env".to_owned(), format!("MILEPOST_DATA={}", data.display()), milepost.display().to_string()];
        program.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>()
    };
    let listed = files.display().to_string();
    let mut commands = vec![
        of_data(&whole, &["status"]),
        of_data(&whole, &["dashboard", "--output", "page.html"]),
        vec![python.clone(), script, listed.clone()],
        of_data(&whole, &EXACT),
        vec![python.clone(), exact.clone(), listed],
    ];
    let [rolled, raw] = [&whole, &bare].map(|data| said(&place, data));
    holds(rolled? == raw?, "rollups say what the events say")?;
    let mut reports = Vec::new();
    for (name, words) in ["milepost.json", "duckdb.json"].into_iter().zip(&commands[3..]) {
        let report = place.folder.join(name);
        let printed = output(place.here(Command::new(&words[0]).args(&words[1..])))?;
        fs::write(&report, printed).map_err(|error| format!("cannot write {}: {error}", report.display()))?;
        reports.push(report);
    }
    output(Command::new(&python).arg(&exact).args(reports)).map_err(|error| format!("two exact reports differ: {error}"))?;
    let count: u64 = events.parse().map_err(|_| format!("MILEPOST_BENCH_EVENTS: {events} is no number of events"))?;
    let runs = RUNS.iter().find(|(most, _)| count <= *most).map(|(_, runs)| *runs);
    let raw = of_data(&bare, &["status"]);
    let cell = |time: Option<String>, words: &[String]| -> Result<String, String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (seconds, mib) = measured(&place, &words)?;
        let time = time.unwrap_or_else(|| format!("{seconds:.0} s"));
        Ok(format!("{time}, {mib} MiB"))
    };
    if runs.is_some() {
        commands.insert(2, raw.clone());
    }
    let times = timed(&place, &commands, runs.unwrap_or(RUNS_MIN))?;
    let mut cells = times.into_iter().zip(&commands).map(|(time, words)| cell(Some(time), words)).collect::<Result<Vec<_>, _>>()?;
    if runs.is_none() {
        cells.insert(2, cell(None, &raw)?);
    }
    cells.push(format!("{:.0} s, {} MiB", track.0, track.1));
    let cells = cells.try_into().map_err(|_| "not every command was timed".to_owned())?;
    Ok((cells, size.trim().to_owned()))
}

/// Has lines recorded and taken in, as many at once as may wait: how many seconds that took but for recording, and how many MiB at most.
fn taken_in(place: &Place<'_>, lines: ChildStdout) -> Result<(f64, u64), String> {
    let failed = |error| format!("cannot hand on the events: {error}");
    let track = [place.milepost(&[]).get_program().display().to_string(), "track".to_owned()];
    let (mut lines, mut line, mut took) = (BufReader::with_capacity(1 << 20, lines), Vec::new(), (0.0, 0));
    while !lines.fill_buf().map_err(failed)?.is_empty() {
        let mut record = place.milepost(&["record"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(failed)?;
        let mut into = BufWriter::with_capacity(1 << 20, record.stdin.take().ok_or("nothing can be recorded")?);
        for _ in 0..WAITING {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            into.write_all(&line).map_err(failed)?;
        }
        drop(into.into_inner().map_err(|error| failed(error.into_error()))?);
        holds(record.wait().map_err(failed)?.success(), "all events are recorded")?;
        let (seconds, mib) = measured(place, &track.each_ref().map(String::as_str))?;
        took = (took.0 + seconds, mib.max(took.1));
    }
    Ok(took)
}

/// What `status` says, without the moment at which it says so. What it ends with is about the criteria.
fn said(place: &Place<'_>, data: &Path) -> Result<String, String> {
    let ran = place.milepost(&["status", "--format", "json"]).env("MILEPOST_DATA", data).output();
    let said = String::from_utf8_lossy(&ran.map_err(|error| format!("cannot run milepost status: {error}"))?.stdout).into_owned();
    holds(said.contains("generated_at"), "`milepost status` says something")?;
    Ok(said.lines().filter(|line| !line.contains("generated_at")).collect::<Vec<_>>().join("\n"))
}

/// How long each of some commands takes, measured in turn.
fn timed(place: &Place<'_>, commands: &[Vec<String>], runs: &str) -> Result<Vec<String>, String> {
    let table = place.folder.join("times.csv");
    let mut hyperfine = Command::new("hyperfine");
    hyperfine.args(["-N", "--warmup", "1", "--runs", runs, "--ignore-failure", "--style", "none", "--export-csv"]).arg(&table);
    output(place.here(hyperfine.args(commands.iter().map(|words| words.join(" ")))))?;
    let table = fs::read_to_string(&table).map_err(|error| format!("cannot read {}: {error}", table.display()))?;
    // command,mean,stddev,median,user,system,min,max; seconds
    let of = |line: &str| {
        let mut last = line.rsplit(',').filter_map(|cell| cell.parse::<f64>().ok());
        let (max, min) = (last.next()?, last.next()?);
        last.nth(2).map(|median| format!("{median:.2} s ({min:.2} to {max:.2})"))
    };
    table.lines().skip(1).map(|line| of(line).ok_or_else(|| format!("hyperfine printed no times: {line}"))).collect()
}

/// How many seconds a command takes, and how many MiB of memory at most.
fn measured(place: &Place<'_>, words: &[&str]) -> Result<(f64, u64), String> {
    let noted = place.folder.join("time.txt");
    let mut time = Command::new("/usr/bin/time");
    time.args(["--quiet", "--format", "%e %M", "--output"]).arg(&noted).args(words).stdout(Stdio::null()).stderr(Stdio::null());
    // What `track` and `status` end with is about the criteria.
    place.here(&mut time).status().map_err(|error| format!("cannot run {}: {error}", words.join(" ")))?;
    let text = fs::read_to_string(&noted).map_err(|error| format!("cannot read {}: {error}", noted.display()))?;
    let mut figures = text.split_whitespace();
    let (seconds, kib) = (figures.next().and_then(|n| n.parse().ok()), figures.next().and_then(|n| n.parse::<u64>().ok()));
    seconds.zip(kib).map(|(seconds, kib)| (seconds, kib >> 10)).ok_or_else(|| format!("no time was measured: {text}"))
}
