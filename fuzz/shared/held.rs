//! Holds readers to what they owe to any input: to end, in time, with memory in proportion, and without a panic.
//!
//! `MILEPOST_FUZZ_SECONDS` says how long each reader is tried with changed inputs; else their number is fixed, and so is the outcome.

use super::mutation::{Chance, changed, worst};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A reader, by its name, with what it is held to for any input beside what is said above.
pub struct Target {
    pub name: &'static str,
    /// What has to hold.
    pub holds: fn(&[u8]),
    /// Bytes of memory that it may take at once, for each byte of input.
    pub bytes_each: usize,
}

/// What a reader may take whatever it is given.
const BYTES_ANYWAY: usize = 8 * 1024 * 1024;
/// Nobody waits longer for a program to say what is wrong: time of a processor, of a program without optimisation.
const WORKS_AT_MOST: Duration = Duration::from_secs(20);
/// What did not end by then on the busiest machine never will.
const HANGS_AFTER: Duration = Duration::from_secs(600);
/// How many changed inputs a reader is given in a test.
const CHANGED: usize = 600;

/// Counts what each thread has of memory, and had at most.
pub struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = NOW.try_with(|now| {
        now.set(now.get().saturating_add(bytes));
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[expect(unsafe_code, reason = "a test measures memory, and an allocator is unsafe; it passes everything on to that of the system")]
// SAFETY: each call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size) - signed(layout.size()));
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Files below a folder, but for what explains them.
pub fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|extension| extension != "md") {
            found.extend(fs::read(&path));
        }
    }
    found
}

/// Tries a reader with inputs as they are, with the worst that can be made of each, and with changed ones.
///
/// # Panics
/// Where it does not hold for one; that one is in the folder `found` then.
pub fn hold(target: &Target, inputs: &[Vec<u8>], found: &Path) {
    let watched = Watched::begin(target.name, found);
    for input in inputs {
        watched.try_one(target, input);
        // A hostile file is rarely a large one.
        let head = input.get(..input.len().min(8 * 1024)).unwrap_or_default();
        for worst in worst(head) {
            watched.try_one(target, &worst);
        }
    }
    let until = std::env::var("MILEPOST_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let small: Vec<_> = inputs.iter().map(|input| input.get(..input.len().min(8 * 1024)).unwrap_or_default().to_vec()).collect();
    let (begun, mut tried) = (Instant::now(), 0_usize);
    // A test repeats itself; who looks for long wants to see something else each time.
    let seed = until.map_or(1, |_| begun_at());
    let mut chance = Chance::new(seed);
    while until.map_or(tried < CHANGED, |until| begun.elapsed() < until) {
        watched.try_one(target, &changed(&small, &mut chance));
        tried += 1;
    }
    if until.is_some() {
        println!("fuzzed {} {}", target.name, tried + inputs.len());
    }
}

fn begun_at() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| u64::try_from(since.as_nanos() & 0xFFFF_FFFF_FFFF).unwrap_or(0))
}

/// How long a processor worked for this thread, where the system tells.
fn worked() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

/// An input, and since when it is tried.
type Trying = Option<(Instant, Vec<u8>)>;

/// What is being tried, for whoever watches the time.
struct Watched {
    found: PathBuf,
    trying: Arc<Mutex<Trying>>,
}

impl Watched {
    fn begin(name: &'static str, found: &Path) -> Self {
        let this = Self { found: found.join(name), trying: Arc::default() };
        let (trying, folder) = (Arc::downgrade(&this.trying), this.found.clone());
        thread::spawn(move || {
            while let Some(trying) = trying.upgrade() {
                let hanging =
                    trying.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|(since, _)| since.elapsed() > HANGS_AFTER);
                if let Some((_, input)) = hanging {
                    let path = keep(&folder, &input);
                    eprintln!("{name} hangs at {}", path.display());
                    std::process::abort();
                }
                drop(trying);
                thread::sleep(Duration::from_millis(500));
            }
        });
        this
    }

    fn set(&self, trying: Option<(Instant, Vec<u8>)>) {
        *self.trying.lock().unwrap_or_else(PoisonError::into_inner) = trying;
    }

    fn try_one(&self, target: &Target, input: &[u8]) {
        self.set(Some((Instant::now(), input.to_vec())));
        let (before, begun) = (NOW.get(), worked());
        MOST.set(before);
        let held = catch_unwind(AssertUnwindSafe(|| (target.holds)(input)));
        let took = MOST.get().saturating_sub(before);
        self.set(None);
        let most = signed(BYTES_ANYWAY + target.bytes_each * input.len());
        let why = match held {
            Err(_) => "it does not hold".to_owned(),
            Ok(()) if worked().saturating_sub(begun) > WORKS_AT_MOST => {
                format!("it works on {} bytes for more than {WORKS_AT_MOST:?}", input.len())
            }
            Ok(()) if took > most => format!("{took} bytes are taken for {}", input.len()),
            Ok(()) => return,
        };
        panic!("{}: {why}: {}", target.name, keep(&self.found, input).display());
    }
}

/// Keeps an input for whoever looks for the fault.
fn keep(folder: &Path, input: &[u8]) -> PathBuf {
    let digest = input.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
    let path = folder.join(format!("{digest:016x}"));
    let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&path, input));
    path
}
