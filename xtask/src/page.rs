//! `cargo xtask bench page`: what the dashboard costs whoever opens it, as a file and live. It fails where a limit is missed.

use crate::{Done, bench::released, browser::Browser, cargo, have, output, run, target};
use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What the page has to keep to.
const BYTES_MAX: u64 = 500_000;
const PAINTED_MS_MAX: f64 = 1000.0;
const REQUESTS_A_SECOND_MIN: f64 = 200.0;
const EVENTS_A_SECOND: f64 = 10_000.0;
/// How exact the pace of the events is.
const PACE_MIN: f64 = 0.99 * EVENTS_A_SECOND;

/// How long the live page is asked for, while somebody records.
const SECONDS: &str = "15";
/// Who asks for it at the same time.
const CLIENTS: &str = "16";

/// The programs that are measured, and that make what is measured.
struct Programs {
    milepost: PathBuf,
    year: PathBuf,
    pace: PathBuf,
}

impl Programs {
    /// Builds them, unless `MILEPOST_BENCH_PROGRAMS` names a folder that has them, as for a try with the debug build.
    fn ready() -> Result<Self, String> {
        if let Some(folder) = env::var_os("MILEPOST_BENCH_PROGRAMS").map(PathBuf::from) {
            return Ok(Self { milepost: folder.join("milepost"), year: folder.join("year"), pace: folder.join("pace") });
        }
        let milepost = released()?;
        // Built before anything is timed.
        let built = target().join("bench");
        let mut command = cargo();
        command.args(["build", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", "year", "--bin", "pace"]);
        run(command.arg("--target-dir").arg(&built))?;
        Ok(Self { milepost, year: built.join("release/year"), pace: built.join("release/pace") })
    }
}

/// A folder with the preset and its own data.
pub(crate) struct Place<'a> {
    pub(crate) folder: PathBuf,
    milepost: &'a Path,
}

impl<'a> Place<'a> {
    pub(crate) fn new(folder: PathBuf, milepost: &'a Path) -> Result<Self, String> {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let place = Self { folder, milepost };
        output(&mut place.milepost(&["init", "--preset", "nix-for-humanity"]))?;
        Ok(place)
    }

    pub(crate) fn milepost(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.milepost);
        self.here(command.args(args));
        command
    }

    /// A command in this folder, with its configuration and data.
    pub(crate) fn here<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir(&self.folder).env("MILEPOST_CONFIG", self.folder.join("milepost.toml")).env("MILEPOST_DATA", self.data())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join(".milepost")
    }

    /// How many operations of this name are counted.
    fn counted(&self, operation: &str) -> Result<u64, String> {
        let sql = format!("SELECT count(*) AS n FROM operations WHERE operation = '{operation}'");
        let csv = output(&mut self.milepost(&["query", "--format", "csv", &sql]))?;
        csv.lines().nth(1).and_then(|n| n.trim().parse().ok()).ok_or_else(|| format!("nothing was counted:\n{csv}"))
    }
}

/// `MILEPOST_BENCH_DAYS` says of how many days the page is, where a year takes too long.
pub(crate) fn bench() -> Done {
    let days = env::var("MILEPOST_BENCH_DAYS").unwrap_or_else(|_| "365".to_owned());
    let programs = Programs::ready()?;
    println!("\nThe page of the preset with {days} days of hourly data\n");
    let page = a_year(&programs, &days);
    if let Err(why) = &page {
        println!("\n{why}");
    }
    println!("\nThe live page, asked for by {CLIENTS} clients for {SECONDS} s, while {EVENTS_A_SECOND} events a second are recorded\n");
    // Whatever the page is like, these are measured too.
    let asked = live(&programs);
    println!("\nThe live page, open in a browser, while an event is recorded\n");
    seen(&programs).and(asked).and(page)
}

fn seen(programs: &Programs) -> Done {
    let ran = Browser::set_up()?.seen(&programs.milepost).output().map_err(|error| format!("cannot run node: {error}"))?;
    let printed = String::from_utf8_lossy(&ran.stdout);
    let seen = printed.lines().find_map(|line| line.trim().strip_prefix("# seen after "));
    println!("| seen after |\n|---:|\n| {} |", seen.unwrap_or("never"));
    holds(ran.status.success() && seen.is_some(), &format!("an event is seen within two seconds\n{printed}"))
}

/// A limit that was missed.
pub(crate) fn holds(is_held: bool, what: &str) -> Done {
    if is_held { Ok(()) } else { Err(format!("missed: {what}")) }
}

fn a_year(programs: &Programs, days: &str) -> Done {
    let place = Place::new(target().join("bench-page/year"), &programs.milepost)?;
    let lines = place.folder.join("year.jsonl");
    let failed = |error| format!("cannot write {}: {error}", lines.display());
    let made = Command::new(&programs.year).arg(days).stdout(File::create(&lines).map_err(failed)?).status().map_err(failed)?;
    if !made.success() {
        return Err(format!("the events could not be made: {made}"));
    }
    output(place.milepost(&["record"]).stdin(File::open(&lines).map_err(failed)?))?;
    output(&mut place.milepost(&["track"]))?;
    let page = place.folder.join("page.html");
    output(place.milepost(&["dashboard", "--output"]).arg(&page))?;
    let bytes = fs::metadata(&page).map_err(|error| format!("cannot read {}: {error}", page.display()))?.len();
    let printed = output(&mut Browser::set_up()?.paint(&page))?;
    let painted = printed.lines().find_map(|line| line.trim().strip_prefix("painted "));
    let times: Vec<f64> = painted.into_iter().flat_map(str::split_whitespace).filter_map(|ms| ms.parse().ok()).collect();
    let [median, slowest] = times[..] else { return Err(format!("nothing was painted:\n{printed}")) };
    println!("| size | first contentful paint, median of 9 | the slowest |\n|---:|---:|---:|");
    println!("| {:.0} kB | {median:.0} ms | {slowest:.0} ms |", bytes as f64 / 1000.0);
    holds(bytes < BYTES_MAX, "the page is below 500 kB")?;
    holds(median < PAINTED_MS_MAX, "something is painted within a second")
}

fn live(programs: &Programs) -> Done {
    if !have("wrk", "wrk") {
        return Err("this benchmark needs wrk: install it, as by `apt-get install wrk`".to_owned());
    }
    let place = Place::new(target().join("bench-page/live"), &programs.milepost)?;
    // The name that `pace` gives is `search`.
    output(&mut place.milepost(&["record", "operation", "--operation", "list", "--outcome", "ok", "--duration", "183ms"]))?;
    let serving = Serving::begin(&place)?;
    let cannot = |error| format!("cannot record: {error}");
    let mut pace = Command::new(&programs.pace);
    let recording = pace.arg(place.data()).arg(EVENTS_A_SECOND.to_string()).arg(SECONDS).stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let asked = output(Command::new("wrk").args(["-t1", "-c", CLIENTS, "-d", SECONDS, "--timeout", "60s", "--latency", &serving.address]));
    let recorded = recording.wait_with_output().map_err(cannot)?;
    let asked = asked?;
    drop(serving);
    let printed = String::from_utf8_lossy(&recorded.stdout);
    let mut figures = printed.split_whitespace();
    let (events, pace) = (figures.next().and_then(|n| n.parse::<u64>().ok()), figures.next().and_then(|n| n.parse::<f64>().ok()));
    let (Some(events), Some(pace)) = (events, pace) else { return Err(format!("nothing was recorded: {}", recorded.status)) };
    let figure = |name: &str| asked.lines().find_map(|line| line.trim().strip_prefix(name)).map_or("none", str::trim);
    let (requests, counted) = (figure("Requests/sec:"), place.counted("search")?);
    println!("| requests a second | half of them within | 99 % within | events a second | recorded | counted |");
    println!("|---:|---:|---:|---:|---:|---:|");
    println!("| {requests} | {} | {} | {pace:.0} | {events} | {counted} |", figure("50%"), figure("99%"));
    holds(!asked.contains("Non-2xx") && !asked.contains("Socket errors"), &format!("every request is answered\n{asked}"))?;
    holds(counted == events, "every event that was recorded is counted")?;
    holds(pace >= PACE_MIN, "10,000 events a second are recorded")?;
    holds(requests.parse().is_ok_and(|requests: f64| requests >= REQUESTS_A_SECOND_MIN), "200 requests a second are answered")
}

/// A server that ends with the benchmark, however that ends.
struct Serving {
    server: Child,
    address: String,
}

impl Serving {
    fn begin(place: &Place<'_>) -> Result<Self, String> {
        let failed = |error| format!("cannot serve: {error}");
        let mut server = place
            .milepost(&["serve", "--listen", "127.0.0.1:0", "--otlp-http", "off", "--otlp-grpc", "off"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let stdout = server.stdout.take().ok_or("cannot read what the server says")?;
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        let address = line.split('"').find(|part| part.starts_with("http://")).map(str::to_owned);
        let serving = Self { server, address: address.unwrap_or_default() };
        if serving.address.is_empty() { Err(format!("the server said no address: {line}")) } else { Ok(serving) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
