//! Which faults, in which order, for how long.

use crate::{
    boundaries, bytes, clocks, machines,
    place::{self, Place},
    space, syscalls,
    tally::{Row, Tally},
    together,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What hangs longer than this ends the harness.
const HANGS: Duration = Duration::from_secs(300);
const WORKERS: usize = 2;
/// After so many tries, one has to have hit.
const MISSES_MAX: usize = 10;

/// What injects one fault and looks what came of it. The number is for what it has to choose.
pub type Strike = Arc<dyn Fn(u64) -> Row + Send + Sync>;

/// What makes a place that faults are injected into copies of.
pub type Prepare = fn() -> Arc<Place>;

/// What prepares the kinds of faults that are wanted; whether for a long run.
type Maker = fn(&dyn Fn(&str) -> bool, bool) -> Vec<Kind>;

/// Faults of one kind.
pub struct Kind {
    pub name: &'static str,
    /// How many of them the short run takes.
    pub sample: usize,
    /// How much of a long run's time it gets, beside the others.
    pub weight: u32,
    /// Whether its faults are a list, each injected once, and not drawn again and again.
    pub is_a_list: bool,
    pub strikes: Vec<(String, Strike)>,
}

/// Random numbers (xorshift).
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        // What differs a little begins far apart, and no state is nothing.
        let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self((mixed ^ (mixed >> 31)).wrapping_mul(0xd1b5_4a32_d192_ed03) | 1)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    pub const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub const fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// A kind at work.
struct Queue {
    kind: Kind,
    order: Vec<usize>,
    next: usize,
    spent: Duration,
}

/// One fault to be injected.
struct Turn {
    queue: usize,
    kind: &'static str,
    what: String,
    strike: Strike,
    seed: u64,
}

impl Queue {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut order: Vec<_> = (0..kind.strikes.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, usize::try_from(random.below(last as u64 + 1)).expect("an index"));
        }
        Self { kind, order, next: 0, spent: Duration::ZERO }
    }

    fn is_over(&self, is_long: bool) -> bool {
        let there_are = if self.kind.is_a_list { self.order.len() } else { usize::MAX };
        let wanted = if is_long { usize::MAX } else { self.kind.sample };
        self.order.is_empty() || self.next >= there_are.min(wanted)
    }

    fn take(&mut self, queue: usize, seed: u64) -> Turn {
        let (what, strike) = &self.kind.strikes[self.order[self.next % self.order.len()]];
        let seed = Random::new(seed ^ ((queue as u64) << 32) ^ self.next as u64).next();
        self.next += 1;
        // So that two workers are not both at the slowest.
        self.spent += Duration::from_millis(100);
        Turn { queue, kind: self.kind.name, what: what.clone(), strike: Arc::clone(strike), seed }
    }
}

/// Injects a sample, or for so long as many as there are.
pub fn carry_out(seed: u64, lasting: Option<Duration>, only: &str) -> Tally {
    let is_long = lasting.is_some();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|word| name.contains(word.trim()));
    let makers: [Maker; 7] =
        [boundaries::kinds, syscalls::kinds, bytes::kinds, space::kinds, clocks::kinds, machines::kinds, together::kinds];
    let kinds = makers.into_iter().flat_map(|kinds| kinds(&wanted, is_long)).filter(|kind| wanted(kind.name));
    let queues: Vec<_> = kinds.enumerate().map(|(n, kind)| Queue::new(kind, seed ^ n as u64)).collect();
    let tally = Tally::default();
    for queue in &queues {
        tally.expect(queue.kind.name, queue.kind.is_a_list.then_some(queue.order.len() as u64));
    }
    // Not before all is prepared.
    let until = Instant::now() + lasting.unwrap_or_default();
    let goes_on = || !is_long || Instant::now() < until;
    let (queues, at_work, working) = (Mutex::new(queues), Mutex::new(BTreeMap::new()), AtomicUsize::new(WORKERS));
    // Whoever had the smallest part of its share is next.
    let next = || {
        let mut queues = queues.lock().expect("no panic");
        let share = |queue: &Queue| queue.spent.as_secs_f64() / f64::from(queue.kind.weight);
        let open = queues.iter_mut().enumerate().filter(|(_, queue)| !queue.is_over(is_long));
        open.min_by(|a, b| share(a.1).total_cmp(&share(b.1))).map(|(index, queue)| queue.take(index, seed))
    };
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (queues, at_work, working, tally, next, goes_on) = (&queues, &at_work, &working, &tally, &next, &goes_on);
            scope.spawn(move || {
                while goes_on()
                    && let Some(turn) = next()
                {
                    let began = Instant::now();
                    at_work.lock().expect("no panic").insert(worker, (began, format!("{}, {}", turn.kind, turn.what)));
                    let row = catch_unwind(AssertUnwindSafe(|| (turn.strike)(turn.seed))).unwrap_or_else(|why| {
                        let text = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref().copied());
                        let note = format!("the harness or what it called panicked: {}", text.unwrap_or_default());
                        Row { panics: 1, notes: vec![note], ..Row::default() }
                    });
                    tally.add(turn.kind, &format!("{} ({})", turn.what, turn.seed), &row);
                    at_work.lock().expect("no panic").remove(&worker);
                    queues.lock().expect("no panic")[turn.queue].spent += began.elapsed();
                }
                working.fetch_sub(1, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            while working.load(Ordering::Relaxed) > 0 {
                for (since, what) in at_work.lock().expect("no panic").values() {
                    if Instant::now().duration_since(*since) > HANGS {
                        println!("{}\n{what} hangs", tally.markdown());
                        place::clean();
                        process::exit(1);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
    });
    if tally.faults() == 0 {
        tally.add("no fault at all", "the harness", &Row { wrong: 1, notes: vec!["nothing was injected".to_owned()], ..Row::default() });
    }
    for queue in queues.lock().expect("no panic").iter().filter(|queue| queue.next > MISSES_MAX) {
        tally.demand(queue.kind.name);
    }
    if std::env::var_os("MILEPOST_FAULTS_TIMES").is_some() {
        for queue in queues.lock().expect("no panic").iter() {
            println!("{}: {} in {:?}", queue.kind.name, queue.next, queue.spent);
        }
    }
    tally
}
