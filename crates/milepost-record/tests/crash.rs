//! Eight processes record while sealing runs in a loop and SIGKILL strikes at random: what was acknowledged is there, once.
//!
//! This program is its own harness: it starts itself again as the writers. `MILEPOST_CRASH_SECONDS` says how long the kills
//! go on (4 where it is not set; `cargo xtask bench crash` takes 60).
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test program: it ends where it cannot go on, and says what it saw")]

use milepost_record::{Durability, Event, Operation, Outcome, Recorder, Spool, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 8;
const EVENTS: u64 = 10_000;

fn main() -> ExitCode {
    match env::var("MILEPOST_CRASH_WRITER") {
        Ok(writer) => write(&writer),
        // `cargo nextest` asks every test program for its list.
        Err(_) if env::args().any(|a| a == "--list") => {
            if !env::args().any(|a| a == "--ignored") {
                println!("crash: test");
            }
        }
        Err(_) => {
            // Before any thread is started: only then may a child go on after a fork as if nothing had happened.
            fork();
            let seconds = env::var("MILEPOST_CRASH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
            drive(Duration::from_secs(seconds));
            println!("test result: ok. 2 passed; 0 failed");
        }
    }
    ExitCode::SUCCESS
}

/// A writer: says on its standard output which event it is about to record, and then that it was acknowledged.
fn write(writer: &str) {
    let data = PathBuf::from(env::var_os("MILEPOST_CRASH_DATA").expect("a data folder"));
    let begin: u64 = env::var("MILEPOST_CRASH_BEGIN").ok().and_then(|s| s.parse().ok()).expect("a beginning");
    let pace: u64 = env::var("MILEPOST_CRASH_PACE_US").ok().and_then(|s| s.parse().ok()).expect("a pace");
    let number: usize = writer.parse().expect("a number");
    let spool = Spool::open(&data).expect("a spool");
    // Half of them as a long-lived product does, half as one command after the other.
    let recorder = (number.is_multiple_of(2)).then(|| Recorder::open(&data).expect("a recorder"));
    let mut out = std::io::stdout();
    for n in begin..EVENTS {
        let mut event = Event::at(Timestamp::now(), Operation::new("crash", Outcome::Ok));
        event.id = Some(format!("{writer}-{n}"));
        out.write_all(format!("begin {n}\n").as_bytes()).expect("a pipe");
        // Each hundredth goes to the disk, so that kills strike that path too.
        let on_disk = n % 100 == 0;
        match &recorder {
            Some(recorder) if on_disk => recorder.record_on_disk(event).expect("recorded"),
            Some(recorder) => recorder.record(event).expect("recorded"),
            None => {
                let durability = if on_disk { Durability::OnDisk } else { Durability::Written };
                spool.append(&event, durability).expect("appended");
            }
        }
        out.write_all(format!("done {n}\n").as_bytes()).expect("a pipe");
        thread::sleep(Duration::from_micros(pace));
    }
}

/// A child that goes on with its parent's recorder after a fork: both record, and nothing is torn or lost.
fn fork() {
    use nix::{
        sys::wait::{WaitStatus, waitpid},
        unistd::{ForkResult, fork},
    };
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::open(folder.path()).expect("a recorder");
    let record = |who: &str, n: u32| {
        let mut event = Event::at(Timestamp::now(), Operation::new("fork", Outcome::Ok));
        event.id = Some(format!("{who}-{n}"));
        recorder.record(event).is_ok()
    };
    assert!(record("before", 0));
    #[expect(unsafe_code, reason = "fork is what is tested; the process has one thread")]
    let forked = unsafe { fork() }.expect("forked");
    match forked {
        ForkResult::Child => {
            let recorded = (0..500).all(|n| record("child", n));
            std::process::exit(if recorded { 0 } else { 1 });
        }
        ForkResult::Parent { child } => {
            assert!((0..500).all(|n| record("parent", n)));
            assert_eq!(waitpid(child, None).expect("waited"), WaitStatus::Exited(child, 0));
        }
    }
    let segments = Spool::open(folder.path()).expect("a spool").segments().expect("segments");
    assert_eq!(segments.len(), 2, "the child has a segment of its own");
    let ids: BTreeSet<_> = segments
        .iter()
        .flat_map(|s| s.events(Timestamp::now()).collect::<Vec<_>>())
        .map(|event| event.expect("an event").id.expect("an id"))
        .collect();
    assert_eq!(ids.len(), 1001);
}

#[derive(Default)]
struct Said {
    begun: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

fn start(data: &Path, writer: usize, begin: u64, pace: Duration) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .env("MILEPOST_CRASH_WRITER", writer.to_string())
        .env("MILEPOST_CRASH_DATA", data)
        .env("MILEPOST_CRASH_BEGIN", begin.to_string())
        .env("MILEPOST_CRASH_PACE_US", pace.as_micros().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a writer")
}

/// One writer with all its lives: killed after a random while, started again with the event after the last one it began.
fn supervise(data: &Path, writer: usize, lasting: Duration, kills: &AtomicU64) -> Said {
    let until = Instant::now() + lasting;
    // So that the events last about as long as the kills.
    let pace = lasting / u32::try_from(EVENTS).expect("small") / 2;
    let mut said = Said::default();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(writer as u64 + 1) ^ u64::from(std::process::id());
    loop {
        let begin = said.begun.last().map_or(0, |n| n + 1);
        if begin >= EVENTS {
            return said;
        }
        let child = Arc::new(Mutex::new(start(data, writer, begin, pace)));
        let output = child.lock().expect("no panic").stdout.take().expect("a pipe");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let strike = Duration::from_micros(5_000 + random % 120_000);
        let killer = (Instant::now() + strike < until).then(|| {
            let child = Arc::clone(&child);
            thread::spawn(move || {
                thread::sleep(strike);
                child.lock().expect("no panic").kill().expect("killed");
            })
        });
        for line in BufReader::new(output).lines() {
            let line = line.expect("a line");
            match line.split_once(' ') {
                Some(("begin", n)) => _ = said.begun.insert(n.parse().expect("a number")),
                Some(("done", n)) => _ = said.acknowledged.insert(n.parse().expect("a number")),
                // A line that the kill tore.
                _ => {}
            }
        }
        if let Some(killer) = killer {
            killer.join().expect("no panic");
            kills.fetch_add(1, Ordering::Relaxed);
        }
        child.lock().expect("no panic").wait().expect("ended");
    }
}

fn drive(lasting: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let (kills, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (said, sealed) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (data, kills) = (folder.path(), &kills);
                scope.spawn(move || supervise(data, writer, lasting, kills))
            })
            .collect();
        let sealer = scope.spawn(|| {
            let mut sealed = 0;
            while !over.load(Ordering::Relaxed) {
                sealed += spool.seal().expect("sealed");
                thread::sleep(Duration::from_millis(2));
            }
            sealed
        });
        let said: Vec<Said> = writers.into_iter().map(|w| w.join().expect("no panic")).collect();
        over.store(true, Ordering::Relaxed);
        (said, sealer.join().expect("no panic"))
    });
    let sealed = sealed + spool.seal().expect("sealed");

    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let mut torn = 0;
    for segment in spool.segments().expect("segments") {
        assert_eq!(segment.damage().expect("readable"), None);
        for event in segment.events(Timestamp::now()) {
            match event {
                Ok(event) => *found.entry(event.id.expect("an id")).or_default() += 1,
                Err(_) => torn += 1,
            }
        }
    }
    let kills = kills.load(Ordering::Relaxed);
    let mut acknowledged = 0;
    for (writer, said) in said.iter().enumerate() {
        for n in 0..EVENTS {
            let times = found.remove(&format!("{writer}-{n}")).unwrap_or(0);
            if said.acknowledged.contains(&n) {
                acknowledged += 1;
                assert_eq!(times, 1, "{writer}-{n} was acknowledged");
            } else {
                // The kill struck between the write and the word of it: it may be there, and at most once.
                assert!(times <= 1, "{writer}-{n} was not acknowledged and stands {times} times");
            }
        }
    }
    assert!(found.is_empty(), "nobody recorded {found:?}");
    assert!(kills > 0 && sealed > 0, "the test has to strike: {kills} kills, {sealed} segments sealed");
    assert!(acknowledged >= WRITERS as u64 * EVENTS - kills, "at most one event is in flight at each kill");
    println!("{acknowledged} acknowledged, {kills} kills, {sealed} segments sealed, {torn} torn lines, lost: 0, doubled: 0");
}
