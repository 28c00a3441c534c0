//! Writers, compaction, `track` and readers at once, all of them struck by SIGKILL at random, and compaction at each of its commit
//! boundaries in turn: what was acknowledged is counted once, by whoever looks.
//!
//! This program is its own harness: it starts itself again as writers and as compactions. `MILEPOST_CHAOS_SECONDS` says how long
//! the kills go on (8 where it is not set; `cargo xtask bench chaos` takes 120).
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test program: it ends where it cannot go on, and says what it saw")]

use milepost_record::{Durability, Event, Measurement, Operation, Outcome, Recorder, Spool, Timestamp};
use milepost_store::{StoreError, Upkeep, compact};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 4;
/// Where compaction may be ended by force: after each of its commits, and around the removal of segments.
const BOUNDARIES: &[&str] = &["claimed", "operations", "measurements", "settled", "retired"];
const SIGABRT: i32 = 6;
const CONFIG: &str =
    "[project]\nname = \"chaos\"\n\n[[criterion]]\nname = \"It works\"\nmetric = \"success.rate\"\nabove = \"95%\"\ntier = \"must\"\n";

fn main() -> ExitCode {
    let data = env::var_os("MILEPOST_CHAOS_DATA").map(PathBuf::from);
    match (env::var("MILEPOST_CHAOS_ROLE").as_deref(), data) {
        (Ok("compact"), Some(data)) => take_in(&data),
        (Ok(writer), Some(data)) => write(&data, writer),
        // `cargo nextest` asks every test program for its list.
        _ if env::args().any(|a| a == "--list") => {
            if !env::args().any(|a| a == "--ignored") {
                println!("chaos: test");
            }
        }
        _ => {
            each_boundary_in_turn();
            let seconds = env::var("MILEPOST_CHAOS_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(8);
            all_at_once(Duration::from_secs(seconds));
            println!("test result: ok. 2 passed; 0 failed");
        }
    }
    ExitCode::SUCCESS
}

/// A writer: says on its standard output which event was acknowledged.
fn write(data: &Path, writer: &str) {
    let begin: u64 = env::var("MILEPOST_CHAOS_BEGIN").ok().and_then(|s| s.parse().ok()).expect("a beginning");
    let count: u64 = env::var("MILEPOST_CHAOS_COUNT").ok().and_then(|s| s.parse().ok()).unwrap_or(u64::MAX);
    // Half of them as a long-lived product does, half as one command after the other.
    let recorder = writer.ends_with(['0', '2']).then(|| Recorder::open(data).expect("a recorder"));
    let spool = Spool::open(data).expect("a spool");
    let mut out = std::io::stdout();
    for n in begin..begin.saturating_add(count) {
        let mut event = match n % 3 {
            0 => Event::at(Timestamp::now(), Measurement::new("chaos", 1.0)),
            _ => Event::at(Timestamp::now(), Operation::new("chaos", Outcome::Ok)),
        };
        event.id = Some(format!("{writer}-{n}"));
        out.write_all(format!("begin {n}\n").as_bytes()).expect("a pipe");
        match &recorder {
            Some(recorder) => recorder.record(event).expect("recorded"),
            None => spool.append(&event, Durability::Written).expect("appended"),
        }
        out.write_all(format!("done {n}\n").as_bytes()).expect("a pipe");
        thread::sleep(Duration::from_millis(1));
    }
}

/// One compaction. `MILEPOST_CRASH_AT` ends it by force.
fn take_in(data: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match runtime.block_on(compact(data, Timestamp::now(), &Upkeep::default())) {
        Ok(_) | Err(StoreError::Busy) => {}
        Err(error) => panic!("{error}"),
    }
}

fn role(data: &Path, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.env("MILEPOST_CHAOS_ROLE", role).env("MILEPOST_CHAOS_DATA", data);
    command
}

fn milepost(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    command.arg("--config").arg(data.with_file_name("milepost.toml")).args(args).env("MILEPOST_DATA", data);
    command
}

fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("milepost.toml"), CONFIG).expect("written");
    folder
}

/// How often each event of the writers is in an export.
fn exported(data: &Path) -> BTreeMap<String, u64> {
    let output = milepost(data, &["export", "--kind", "operation,measurement"]).output().expect("an export");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeMap::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        *found.entry(Event::from_json(line).expect("an event").id.expect("an id")).or_default() += 1;
    }
    found
}

/// The rows of each view, and how many of them differ: `(operations, measurements)`.
fn queried(data: &Path) -> Vec<(u64, u64)> {
    let count = |view: &str| {
        let sql = format!("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM {view}");
        let output = milepost(data, &["query", "--format", "csv", &sql]).output().expect("a query");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (n, ids) = text.lines().nth(1).and_then(|row| row.trim().split_once(',')).expect("a row");
        (n.parse().expect("a number"), ids.parse().expect("a number"))
    };
    vec![count("operations"), count("measurements")]
}

fn each_boundary_in_turn() {
    let folder = workplace();
    let data = &folder.path().join("data");
    let mut total = 0;
    for (round, boundary) in BOUNDARIES.iter().enumerate() {
        let written = role(data, &format!("w{round}"))
            .env("MILEPOST_CHAOS_BEGIN", "0")
            .env("MILEPOST_CHAOS_COUNT", "12")
            .stdout(Stdio::null())
            .status()
            .expect("a writer");
        assert!(written.success());
        total += 12;
        let ended = role(data, "compact").env("MILEPOST_CRASH_AT", boundary).stderr(Stdio::null()).status().expect("a compaction");
        assert_eq!(ended.signal(), Some(SIGABRT), "compaction passes the boundary `{boundary}`");
        let found = exported(data);
        assert_eq!((found.len(), found.values().max()), (total, Some(&1)), "after a crash at `{boundary}`");
    }
    assert!(role(data, "compact").status().expect("a compaction").success());
    let found = exported(data);
    assert_eq!((found.len(), found.values().max()), (total, Some(&1)), "after the last compaction");
    assert_eq!(queried(data), [(40, 40), (20, 20)]);
    let left =
        std::fs::read_dir(data.join("spool")).expect("a spool").flatten().filter(|e| e.path().extension().is_some_and(|x| x == "jsonl"));
    assert_eq!(left.count(), 0, "every segment is in the tables");
}

#[derive(Default)]
struct Said {
    begun: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

/// Random numbers that differ from run to run and from place to place (xorshift).
struct Random(u64);

impl Random {
    fn new(salt: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(salt + 1) ^ u64::from(std::process::id()))
    }

    fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(from + self.0 % (to - from))
    }
}

/// Waits for a process, and kills it when its time is up. Whether it ended by itself.
fn strike(child: &mut Child, after: Duration, kills: &AtomicU64) -> bool {
    let until = Instant::now() + after;
    loop {
        if child.try_wait().expect("waited").is_some() {
            return true;
        }
        if Instant::now() >= until {
            let _ = child.kill();
            child.wait().expect("ended");
            kills.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn all_at_once(lasting: Duration) {
    let folder = workplace();
    let data = &folder.path().join("data");
    let until = Instant::now() + lasting;
    let goes_on = || Instant::now() < until;
    let (kills, compactions, tracks, looks) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let written_over = AtomicBool::new(false);
    let said = Mutex::new(Said::default());
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (said, kills, goes_on) = (&said, &kills, &goes_on);
                scope.spawn(move || {
                    let mut random = Random::new(writer as u64);
                    let mut begin = 0;
                    while goes_on() {
                        let name = format!("w{writer}");
                        let mut child = role(data, &name)
                            .env("MILEPOST_CHAOS_BEGIN", begin.to_string())
                            .stdout(Stdio::piped())
                            .spawn()
                            .expect("a writer");
                        let output = child.stdout.take().expect("a pipe");
                        let hears = scope.spawn(move || {
                            let mut last = begin;
                            for line in BufReader::new(output).lines().map_while(Result::ok) {
                                let Some((word, n)) = line.split_once(' ') else { continue };
                                let Ok(number) = n.parse::<u64>() else { continue };
                                let mut said = said.lock().expect("no panic");
                                let said = if word == "done" { &mut said.acknowledged } else { &mut said.begun };
                                said.insert(format!("{name}-{n}"));
                                last = number;
                            }
                            last
                        });
                        strike(&mut child, random.milliseconds(50, 900), kills);
                        begin = hears.join().expect("no panic") + 1;
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut random = Random::new(100);
            while !written_over.load(Ordering::Relaxed) {
                let mut child = role(data, "compact").spawn().expect("a compaction");
                compactions.fetch_add(u64::from(strike(&mut child, random.milliseconds(20, 5000), &kills)), Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let mut random = Random::new(101);
            while !written_over.load(Ordering::Relaxed) {
                let mut child = milepost(data, &["track", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("track");
                tracks.fetch_add(u64::from(strike(&mut child, random.milliseconds(100, 4000), &kills)), Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let mut random = Random::new(102);
            while !written_over.load(Ordering::Relaxed) {
                let mut child = milepost(data, &["status"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("status");
                strike(&mut child, random.milliseconds(20, 1000), &kills);
            }
        });
        scope.spawn(|| {
            while !written_over.load(Ordering::Relaxed) {
                let before = said.lock().expect("no panic").acknowledged.clone();
                if before.is_empty() {
                    thread::sleep(Duration::from_millis(10));
                    continue;
                }
                let found = exported(data);
                for id in &before {
                    assert_eq!(found.get(id), Some(&1), "{id} was acknowledged before somebody looked");
                }
                assert_eq!(found.values().max(), Some(&1));
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        for writer in writers {
            writer.join().expect("no panic");
        }
        written_over.store(true, Ordering::Relaxed);
    });
    assert!(role(data, "compact").status().expect("a compaction").success());
    let found = exported(data);
    let said = said.into_inner().expect("no panic");
    for id in &said.acknowledged {
        assert_eq!(found.get(id), Some(&1), "{id} was acknowledged");
    }
    for (id, times) in &found {
        assert!(*times == 1 && said.begun.contains(id), "{id} stands {times} times");
    }
    let rows = queried(data);
    assert!(rows.iter().all(|(n, ids)| n == ids), "{rows:?}");
    assert_eq!(rows.iter().map(|(n, _)| n).sum::<u64>(), found.len() as u64);
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} acknowledged, {} kills, {} compactions and {} tracks ended by themselves, {} looks, lost: 0, doubled: 0",
        said.acknowledged.len(),
        of(&kills),
        of(&compactions),
        of(&tracks),
        of(&looks)
    );
    assert!(of(&kills) > 0 && of(&looks) > 0, "the test has to strike, and somebody to look");
}
