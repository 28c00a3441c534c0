//! Writers, compaction, `track` and readers at once, all of them killed at random, and calls of compaction and `track` that fail.

use crate::{
    account::seen,
    place::{Place, finish, id, run, start, under},
    plan::{Kind, Random, Strike},
    tally::Row,
};
use milepost_record::Timestamp;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: u64 = 4;
/// How long they are at it, in a sample and in a long run.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(45);
/// The calls of which one fails now and then.
const FAILING: &str = "pwrite64,rename,renameat,renameat2,link,linkat,unlink,fsync,openat,mkdir,read,pread64";

pub fn kinds(_: &dyn Fn(&str) -> bool, is_long: bool) -> Vec<Kind> {
    let lasting = if is_long { LONG } else { SHORT };
    let strikes: Vec<(String, Strike)> = vec![("drawn".to_owned(), Arc::new(move |seed| all_at_once(seed, lasting)))];
    vec![Kind { name: "all at once, kills and errors at random", sample: 1, weight: 60, is_a_list: false, strikes }]
}

#[derive(Default)]
struct Said {
    begun: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

/// What goes on beside the writers.
struct Scene<'a> {
    place: &'a Place,
    has_strace: bool,
    written_over: AtomicBool,
    faults: AtomicU64,
    row: Mutex<Row>,
}

impl Scene<'_> {
    /// Runs a process again and again, each time to be killed, failing at a call, or left alone; returns nothing.
    fn again(&self, mut random: Random, may_fail: bool, longest: u64, command: impl Fn() -> Command) {
        while !self.written_over.load(Ordering::Relaxed) {
            let fails = may_fail && self.has_strace && random.below(3) == 0;
            let inject = format!("inject={FAILING}:error=EIO:when={}", random.below(120) + 1);
            let trace = format!("trace={FAILING}");
            let limit = if random.below(3) == 0 { Duration::from_secs(60) } else { random.milliseconds(20, longest) };
            let mut command = command();
            if fails {
                command = under(&["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject], &command);
            }
            let ended = finish(start(&mut command), limit);
            self.faults.fetch_add(u64::from(fails) + u64::from(ended.status.is_none()), Ordering::Relaxed);
            // Whoever was killed on purpose does not hang.
            if ended.status.is_some() || limit >= Duration::from_secs(60) {
                ended.judge(&mut self.row.lock().expect("no panic"));
            }
        }
    }

    /// A writer that is killed again and again, and goes on.
    fn write(&self, mut random: Random, writer: &str, until: Instant, said: &Mutex<Said>) {
        let mut begin = 0;
        while Instant::now() < until {
            let mut command = self.place.writer(writer, begin, u64::MAX);
            let mut child = command.env("MILEPOST_FAULTS_PAUSE", "1").stdout(Stdio::piped()).spawn().expect("a writer");
            let output = child.stdout.take().expect("a pipe");
            let after = random.milliseconds(50, 900);
            begin = thread::scope(|scope| {
                let hears = scope.spawn(move || {
                    let mut last = begin;
                    for line in BufReader::new(output).lines().map_while(Result::ok) {
                        let Some((word, Ok(n))) = line.split_once(' ').map(|(word, n)| (word, n.parse::<u64>())) else { continue };
                        let mut said = said.lock().expect("no panic");
                        let said = if word == "done" { &mut said.acknowledged } else { &mut said.begun };
                        said.insert(id(writer, n));
                        last = n;
                    }
                    last + 1
                });
                thread::sleep(after);
                let _ = child.kill();
                let _ = child.wait();
                hears.join().expect("no panic")
            });
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whoever looks sees all that was acknowledged before, once. How often somebody looked.
    fn look(&self, said: &Mutex<Said>) -> u64 {
        let mut looks = 0;
        while !self.written_over.load(Ordering::Relaxed) {
            let before = said.lock().expect("no panic").acknowledged.clone();
            if before.is_empty() {
                thread::sleep(Duration::from_millis(10));
                continue;
            }
            let found = seen(&self.place.data(), Timestamp::now());
            let row = &mut self.row.lock().expect("no panic");
            match found {
                Ok(found) => {
                    let lost: Vec<_> = before.iter().filter(|id| !found.contains_key(*id)).collect();
                    row.lost += lost.len() as u64;
                    if !lost.is_empty() {
                        row.note(format!("{lost:?} were acknowledged before somebody looked"));
                    }
                    row.doubled += found.values().filter(|times| **times > 1).count() as u64;
                }
                Err(why) => row.wrong(format!("somebody looks, and: {why}")),
            }
            looks += 1;
        }
        looks
    }
}

fn all_at_once(seed: u64, lasting: Duration) -> Row {
    let mut place = Place::new();
    let until = Instant::now() + lasting;
    let said = Mutex::new(Said::default());
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    let random = |salt: u64| Random::new(seed ^ (salt << 8));
    let scene = Scene { place: &place, has_strace, written_over: AtomicBool::new(false), faults: AtomicU64::new(0), row: Mutex::default() };
    let looks = thread::scope(|scope| {
        let (scene, said) = (&scene, &said);
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || scene.write(random(writer), &format!("w{writer}"), until, said))).collect();
        scope.spawn(|| scene.again(random(100), true, 5000, || scene.place.compaction()));
        scope.spawn(|| scene.again(random(101), true, 4000, || scene.place.milepost(&["track", "--all"])));
        scope.spawn(|| scene.again(random(102), false, 1000, || scene.place.milepost(&["status"])));
        let looks = scope.spawn(|| scene.look(said));
        for writer in writers {
            writer.join().expect("no panic");
        }
        scene.written_over.store(true, Ordering::Relaxed);
        looks.join().expect("no panic")
    });
    let (faults, mut row) = (scene.faults.into_inner(), scene.row.into_inner().expect("no panic"));
    let said = said.into_inner().expect("no panic");
    (place.begun, place.acknowledged) = (said.begun, said.acknowledged);
    row.faults += faults;
    if faults == 0 || looks == 0 {
        row.wrong("nobody was struck, or nobody looked");
    }
    let ended = run(&mut place.compaction());
    ended.judge(&mut row);
    if !ended.is_success() {
        row.wrong(format!("the last compaction fails: {}", ended.stderr));
    }
    place.settle(&mut row);
    row
}
