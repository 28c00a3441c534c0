//! Plays days of use, compacted every hour, and says what the store and `milepost status` cost as they grow.
//!
//! Called by `cargo xtask bench store`, as `play MILEPOST FOLDER DAYS EVENTS_AN_HOUR`. FOLDER has a `milepost.toml`. The clock of the
//! programs that it calls is that of the day which is played (`faketime`).
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark: it ends where it cannot go on, and says what it saw")]

use milepost_record::{Event, Kind, Operation, Origin, Outcome, Recorder, Timestamp};
use milepost_store::{Store, Upkeep, compact};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(3600);
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];
const PERSONAS: [&str; 4] = ["grandma_rose", "maya_adhd", "david_parent", "dr_sarah"];
/// After how many days it is said what all costs.
const SHOWN: [u64; 9] = [1, 7, 30, 60, 90, 180, 270, 330, 365];
const RUNS: usize = 31;

/// A data folder, and the program that answers from it.
struct Place {
    milepost: PathBuf,
    folder: PathBuf,
    data: PathBuf,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [milepost, folder, days, an_hour] = &args[..] else { panic!("usage: play MILEPOST FOLDER DAYS EVENTS_AN_HOUR") };
    let [milepost, folder] = [milepost, folder].map(|path| fs::canonicalize(path).expect("the program and the folder"));
    let place = Place { milepost, data: folder.join(".milepost"), folder };
    let (days, an_hour) = (number(days), number(an_hour));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let begin = Timestamp::now().saturating_sub(HOUR * u32::try_from(days * 24).expect("a number of days"));
    // What nothing needs any more goes at once: days pass in seconds here.
    let upkeep = Upkeep { removed_kept: Some(Duration::ZERO), ..Upkeep::default() };
    println!(
        "| day | events | an hour taken in, median and longest | store opens | `status`, median of {RUNS} | in turn with it, of the first day | \
         its peak memory | on disk | peak memory of taking in |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    let mut taking_in = Vec::new();
    // As the machine may become slower in the hours that a year takes, each day is compared with the first at the same time.
    let mut first = None;
    for day in 1..=days {
        let mut now = begin;
        for hour in (day - 1) * 24..day * 24 {
            let from = begin.saturating_add(HOUR * u32::try_from(hour).expect("a number of hours"));
            record(&place.data, from, an_hour);
            now = from.saturating_add(HOUR);
            let since = Instant::now();
            runtime.block_on(compact(&place.data, now, &upkeep)).expect("compacted");
            taking_in.push(since.elapsed());
            if hour == 0 {
                // From then on there are criteria and verdicts, as there are in use.
                place.run(now, &["track"]);
            }
        }
        let is_shown = SHOWN.contains(&day) || day == days;
        // What it records of verdicts, it records once a day.
        place.run(now, &["track"]);
        if is_shown {
            let since = Instant::now();
            let store = runtime.block_on(Store::open(&place.data, now)).expect("a store");
            let open = since.elapsed();
            let (first, first_now) = first.get_or_insert_with(|| (place.copied("first-day"), now));
            let [of_first, status] = in_turn([(first, *first_now), (&place, now)]);
            let status_kib = place.memory_of_status(now);
            println!(
                "| {day} | {} | {:.0} ms, {:.0} ms | {:.1} ms | {status:.1} ms | {of_first:.1} ms | {} MB | {:.1} MB | {} MB |",
                store.inventory().events[&Kind::Operation],
                median(&mut taking_in),
                taking_in.last().map_or(0.0, milliseconds),
                milliseconds(&open),
                status_kib / 1000,
                size(&place.data.join("store")) as f64 / 1e6,
                peak_memory()
            );
            taking_in.clear();
        }
    }
}

impl Place {
    /// A command as if it were `now`.
    fn at(&self, now: Timestamp) -> Command {
        let past = Timestamp::now().as_microseconds().saturating_sub(now.as_microseconds()) / 1_000_000;
        let mut command = Command::new("faketime");
        command.args(["-f", &format!("-{past}")]).current_dir(&self.folder).stdout(Stdio::null());
        command.env("MILEPOST_CONFIG", self.folder.join("milepost.toml")).env("MILEPOST_DATA", &self.data);
        command
    }

    fn run(&self, now: Timestamp, words: &[&str]) {
        let ran = self.at(now).arg(&self.milepost).args(words).status().expect("faketime");
        // What it ends with is about the criteria.
        assert!(ran.code().is_some_and(|code| code < 2), "milepost {words:?} failed: {ran}");
    }

    /// How much memory `milepost status` takes, in KiB.
    fn memory_of_status(&self, now: Timestamp) -> u64 {
        let noted = self.folder.join("time.txt");
        let mut time = self.at(now);
        time.args(["/usr/bin/time", "--quiet", "--format", "%M", "--output"]).arg(&noted).arg(&self.milepost).arg("status");
        time.status().expect("time");
        number(fs::read_to_string(&noted).expect("a time").trim())
    }

    /// The same as it is now, in a folder in this one.
    fn copied(&self, name: &str) -> Self {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).expect("a folder");
        let copied = Command::new("cp").arg("-a").arg(&self.data).arg(self.folder.join("milepost.toml")).arg(&folder).status();
        assert!(copied.is_ok_and(|ended| ended.success()), "cannot copy the first day");
        Self { milepost: self.milepost.clone(), data: folder.join(".milepost"), folder }
    }
}

/// How long `milepost status` takes in two places in turn, each at its own moment, in milliseconds.
fn in_turn(places: [(&Place, Timestamp); 2]) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((place, now), times) in places.iter().zip(&mut times) {
            let since = Instant::now();
            place.run(*now, &["status"]);
            times.push(since.elapsed());
        }
    }
    times.map(|mut times| median(&mut times))
}

/// In milliseconds; they are in order after that.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, milliseconds)
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn record(data: &Path, from: Timestamp, events: u64) {
    let recorder = Recorder::open(data).expect("a recorder");
    let event = |n: u64| {
        // Spread as the digits of a multiplication are: every run is the same.
        let mixed = (from.as_microseconds() as u64).wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mut operation =
            Operation::new(COMMANDS[(mixed % 4) as usize], if mixed.is_multiple_of(50) { Outcome::Failed } else { Outcome::Ok });
        operation.duration_us = Some(20_000 + mixed % 400_000);
        operation.backend = Some(if mixed.is_multiple_of(3) { "native" } else { "subprocess" }.to_owned());
        let at = from.saturating_add(HOUR / u32::try_from(events).expect("few") * u32::try_from(n).expect("few"));
        let mut event = Event::at(at, operation);
        event.id = Some(format!("{:016}-{mixed:08x}", at.as_microseconds()));
        event.origin = Some(Origin::Use);
        event.user = Some(format!("u-{:03}", mixed % 200));
        event.persona = Some(PERSONAS[(mixed / 7 % 4) as usize].to_owned());
        event
    };
    let told = recorder.record_all((0..events).map(event)).expect("recorded");
    assert!(told.iter().all(Result::is_ok), "{told:?}");
}

fn size(path: &Path) -> u64 {
    let of = |entry: fs::DirEntry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |m| m.len()) };
    fs::read_dir(path).map_or(0, |entries| entries.flatten().map(of).sum())
}

/// The most memory that this process ever had, in MB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1000
}
