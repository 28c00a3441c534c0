//! Plays days of use, compacted every hour, and says what the store costs as it grows.
//!
//! Called by `cargo xtask bench store`, as `play FOLDER DAYS EVENTS_AN_HOUR`.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark: it ends where it cannot go on, and says what it saw")]

use milepost_record::{Event, Kind, Operation, Origin, Outcome, Question, Recorder, Span, Subject, Timestamp};
use milepost_store::{Store, Upkeep, compact};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(3600);
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, days, an_hour] = &args[..] else { panic!("usage: play FOLDER DAYS EVENTS_AN_HOUR") };
    let (data, days, an_hour) = (PathBuf::from(folder), number(days), number(an_hour));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let end = Timestamp::now();
    let begin = end.saturating_sub(HOUR * u32::try_from(days * 24).expect("a number of days"));
    // What nothing needs any more goes at once: days pass in seconds here.
    let upkeep = Upkeep { removed_kept: Some(Duration::ZERO), ..Upkeep::default() };
    println!("| day | events | compact an hour | open | open and count | on disk | peak memory |\n|---:|---:|---:|---:|---:|---:|---:|");
    for day in 0..days {
        let mut longest = Duration::ZERO;
        for hour in 0..24 {
            let from = begin.saturating_add(HOUR * u32::try_from(day * 24 + hour).expect("a number of hours"));
            record(&data, from, an_hour);
            let since = Instant::now();
            runtime.block_on(compact(&data, end, &upkeep)).expect("compacted");
            longest = longest.max(since.elapsed());
        }
        if [0, 6, 29, 59, 89, 179, 364].contains(&day) || day + 1 == days {
            let since = Instant::now();
            let store = runtime.block_on(Store::open(&data, end)).expect("a store");
            let open = since.elapsed();
            let now = begin.saturating_add(HOUR * u32::try_from((day + 1) * 24).expect("a number of hours"));
            let question = Question {
                subject: Subject::Operations { limit: None },
                span: Span { from: begin, to: now },
                filter: BTreeMap::new(),
                for_each: None,
                aliases: BTreeMap::new(),
                time_zone: "UTC".to_owned(),
            };
            runtime.block_on(store.answer(&question)).expect("an answer");
            println!(
                "| {} | {} | {:.0} ms | {:.1} ms | {:.1} ms | {:.1} MB | {} MB |",
                day + 1,
                store.inventory().events[&Kind::Operation],
                longest.as_secs_f64() * 1e3,
                open.as_secs_f64() * 1e3,
                since.elapsed().as_secs_f64() * 1e3,
                size(&data.join("store")) as f64 / 1e6,
                peak_memory()
            );
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn record(data: &Path, from: Timestamp, events: u64) {
    let recorder = Recorder::open(data).expect("a recorder");
    for n in 0..events {
        // Spread as the digits of a multiplication are: every run is the same.
        let mixed = (from.as_microseconds() as u64).wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mut operation = Operation::new(COMMANDS[(mixed % 4) as usize], if mixed % 50 == 0 { Outcome::Failed } else { Outcome::Ok });
        operation.duration_us = Some(20_000 + mixed % 400_000);
        operation.backend = Some(if mixed % 3 == 0 { "native" } else { "subprocess" }.to_owned());
        let at = from.saturating_add(HOUR / u32::try_from(events).expect("few") * u32::try_from(n).expect("few"));
        let mut event = Event::at(at, operation);
        event.id = Some(format!("{:016}-{mixed:08x}", at.as_microseconds()));
        event.origin = Some(Origin::Use);
        event.user = Some(format!("u-{:03}", mixed % 200));
        recorder.record(event).expect("recorded");
    }
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
