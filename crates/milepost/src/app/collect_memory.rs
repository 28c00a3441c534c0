//! `milepost collect memory`: samples the process tree of a running product until the time is over, and makes an event of
//! each sample.
//!
//! Samples are due at fixed times of a monotonic clock: the first at once, then one for each interval since, so that a slow
//! sample delays none of the later ones. A due time that was slept through is skipped: a sample made up for it would say
//! nothing about then.

use crate::process_tree::{FindError, ProcessTree, Root, Sample, Target, Unreadable, find_root};
use milepost_record::{Event, Measure, Memory, Scalar, limits};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    collections::BTreeSet,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often at most: CPU time is counted in steps as long as this, and a sample takes about as long.
pub(super) const EVERY_MIN: Duration = Duration::from_millis(10);
/// How often at least.
pub(super) const EVERY_MAX: Duration = Duration::from_micros(limits::DURATION_US_MAX);

/// What to observe.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The process at the root of the tree.
    pub target: Target,
    /// Time between two samples, between [`EVERY_MIN`] and [`EVERY_MAX`].
    pub every: Duration,
    /// How long to sample; until the process ends where it is absent. A sample that is due at the very end is still taken.
    pub lasting: Option<Duration>,
    /// Id of this observation, which no other has.
    pub run: String,
}

/// What an observation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Name of the process at the root of the tree.
    pub process: String,
    /// Its id.
    pub pid: u32,
    /// How many samples were taken.
    pub samples: u64,
    /// How many of them are no values, because a process could not be read.
    pub incomplete: u64,
    /// How many due times were slept through.
    pub skipped: u64,
    /// The most memory of a complete sample, in bytes.
    pub peak: Option<u64>,
    /// The mean of the complete samples, in bytes.
    pub average: Option<u64>,
    /// What `peak` and `average` count; RSS, the upper bound, where some complete samples count that and some PSS.
    pub measure: Option<Measure>,
    /// Why it ended.
    pub ended: Ended,
    /// Names of processes outside the tree that seemed to work for the product, at most [`Summary::NOT_MEASURED_MAX`].
    pub not_measured: BTreeSet<String>,
}

impl Summary {
    /// More names of processes that were not measured are not kept.
    pub(super) const NOT_MEASURED_MAX: usize = 64;
}

/// Why an observation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It lasted as long as it should.
    TimeOver,
    /// The process ended.
    ProcessGone,
    /// Somebody asked it to stop.
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TimeOver => "the time is over",
            Self::ProcessGone => "the process ended",
            Self::Stopped => "it was asked to stop",
        })
    }
}

/// Why an observation could not begin or go on. What was recorded until then stays.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectError<E> {
    /// An interval that is too short or too long.
    #[error("samples can be {EVERY_MIN:?} to 366 days apart, not {every:?}: give --every another value")]
    Every {
        /// The interval.
        every: Duration,
    },
    /// There is no process to observe; [`FindError::Unreadable`] is `Unreadable` here.
    #[error(transparent)]
    Find(FindError),
    /// The system's processes cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A sample could not be recorded.
    #[error(transparent)]
    Record(E),
}

impl<E> From<FindError> for CollectError<E> {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Unreadable(unreadable) => Self::Unreadable(unreadable),
            error => Self::Find(error),
        }
    }
}

/// A flag that SIGINT and SIGTERM set from now on instead of ending Milepost: for [`collect`], which then ends by itself.
///
/// # Errors
/// Where the system refuses the handlers.
pub(super) fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Samples until the time is over, the process ends or `stop` is set, and gives each sample to `record` as it is taken.
///
/// # Errors
/// Where there is no process to observe, the system's processes cannot be read, or `record` fails.
pub(super) fn collect<E>(
    options: &Options,
    stop: &AtomicBool,
    mut record: impl FnMut(Event) -> Result<(), E>,
) -> Result<Summary, CollectError<E>> {
    if !(EVERY_MIN..=EVERY_MAX).contains(&options.every) {
        return Err(CollectError::Every { every: options.every });
    }
    let mut tree = ProcessTree::new(find_root(&options.target)?)?;
    let mut tally = Tally::default();
    let clock = Instant::now();
    let last = options.lasting.map_or(u64::MAX, |lasting| last_due(options.every, lasting));
    let mut due = 0;
    let ended = loop {
        if let Some(lasting) = options.lasting.filter(|_| due > last) {
            break wait(clock, lasting, stop, &tree).unwrap_or(Ended::TimeOver);
        }
        if let Some(ended) = wait(clock, due_after(options.every, due), stop, &tree) {
            break ended;
        }
        let Some(sample) = tree.sample()? else { break Ended::ProcessGone };
        record(event(options, tree.root(), &sample)).map_err(CollectError::Record)?;
        tally.add(sample);
        let next = next_due(options.every, due, clock.elapsed());
        tally.skipped += next.min(last.saturating_add(1)) - due - 1;
        due = next;
    };
    Ok(tally.summary(tree.root(), ended))
}

/// Sleeps until this long after the clock's start; returns early where there is nothing left to wait for.
fn wait(clock: Instant, until: Duration, stop: &AtomicBool, tree: &ProcessTree) -> Option<Ended> {
    /// As long as a person who pressed Ctrl-C does not notice.
    const SLICE: Duration = Duration::from_millis(200);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Some(Ended::Stopped);
        }
        let left = until.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return None;
        }
        if !tree.is_running() {
            return Some(Ended::ProcessGone);
        }
        thread::sleep(left.min(SLICE));
    }
}

/// When the sample with this number is due, counted from the first.
fn due_after(every: Duration, number: u64) -> Duration {
    let nanoseconds = every.as_nanos().saturating_mul(number.into());
    u64::try_from(nanoseconds).map_or(Duration::MAX, Duration::from_nanos)
}

/// The number of the last sample that is due within this time.
fn last_due(every: Duration, lasting: Duration) -> u64 {
    u64::try_from(lasting.as_nanos() / every.as_nanos().max(1)).unwrap_or(u64::MAX)
}

/// The next number whose time has not passed, after the sample `number` was taken until `elapsed`.
fn next_due(every: Duration, number: u64, elapsed: Duration) -> u64 {
    let passed = elapsed.as_nanos().div_ceil(every.as_nanos().max(1));
    u64::try_from(passed).unwrap_or(u64::MAX).max(number.saturating_add(1))
}

fn event(options: &Options, root: &Root, sample: &Sample) -> Event {
    let mut memory = Memory::new(options.run.as_str(), sample.bytes, sample.measure, sample.complete);
    memory.every_us = u64::try_from(options.every.as_micros()).ok();
    memory.process = Some(root.name.clone());
    memory.pid = Some(root.pid().into());
    memory.processes = Some(sample.processes);
    memory.cpu_us = sample.cpu_us;
    memory.tree.clone_from(&sample.tree);
    let mut event = Event::now(memory);
    if !sample.not_measured.is_empty() {
        event.attributes.insert("not_measured".to_owned(), Scalar::Text(sample.not_measured.join(", ")));
    }
    event
}

/// What the samples so far add up to.
#[derive(Debug, Default)]
struct Tally {
    samples: u64,
    incomplete: u64,
    skipped: u64,
    peak: Option<u64>,
    sum: u128,
    measure: Option<Measure>,
    not_measured: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, sample: Sample) {
        self.samples += 1;
        if sample.complete {
            self.peak = self.peak.max(Some(sample.bytes));
            self.sum += u128::from(sample.bytes);
            self.measure = self.measure.max(Some(sample.measure));
        } else {
            self.incomplete += 1;
        }
        let room = Summary::NOT_MEASURED_MAX - self.not_measured.len();
        self.not_measured.extend(sample.not_measured.into_iter().take(room));
    }

    fn summary(self, root: &Root, ended: Ended) -> Summary {
        let values = self.samples - self.incomplete;
        Summary {
            process: root.name.clone(),
            pid: root.pid(),
            samples: self.samples,
            incomplete: self.incomplete,
            skipped: self.skipped,
            peak: self.peak,
            average: self.sum.checked_div(values.into()).and_then(|mean| u64::try_from(mean).ok()),
            measure: self.measure,
            ended,
            not_measured: self.not_measured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    #[test]
    fn due_times_do_not_drift_and_those_slept_through_are_skipped() {
        let next = |number, ms| next_due(EVERY, number, Duration::from_millis(ms));
        assert_eq!(next(0, 3), 1);
        assert_eq!(next(0, 100), 1, "due at this moment");
        assert_eq!(next(0, 101), 2);
        assert_eq!(next(3, 350), 4);
        assert_eq!(next(3, 1234), 13);
        assert_eq!(next(3, 0), 4, "never the same one again");
        assert_eq!(due_after(EVERY, 13), Duration::from_millis(1300));
        assert_eq!(due_after(EVERY_MAX, u64::MAX), Duration::MAX);
    }

    #[test]
    fn a_sample_that_is_due_at_the_very_end_is_taken() {
        assert_eq!(last_due(Duration::from_secs(10), Duration::from_secs(3600)), 360);
        assert_eq!(last_due(Duration::from_secs(10), Duration::from_secs(3609)), 360);
        assert_eq!(last_due(Duration::from_secs(10), Duration::ZERO), 0);
    }

    fn sample(bytes: u64, measure: Measure, complete: bool) -> Sample {
        Sample { bytes, measure, processes: 1, complete, cpu_us: None, not_measured: Vec::new(), tree: None }
    }

    fn add_up(samples: impl IntoIterator<Item = Sample>) -> Tally {
        let mut tally = Tally::default();
        samples.into_iter().for_each(|sample| tally.add(sample));
        tally
    }

    #[test]
    fn incomplete_samples_are_counted_and_are_no_values() {
        let tally = add_up([sample(300, Measure::Pss, true), sample(900, Measure::Rss, false), sample(100, Measure::Pss, true)]);
        assert_eq!((tally.samples, tally.incomplete, tally.peak, tally.sum), (3, 1, Some(300), 400));
        assert_eq!(tally.measure, Some(Measure::Pss));
        assert_eq!(add_up([sample(900, Measure::Rss, false)]).peak, None);
    }

    #[test]
    fn values_of_two_measures_are_an_upper_bound() {
        for order in [[Measure::Pss, Measure::Rss], [Measure::Rss, Measure::Pss]] {
            assert_eq!(add_up(order.map(|measure| sample(1, measure, true))).measure, Some(Measure::Rss));
        }
    }

    #[test]
    fn an_interval_has_limits() {
        for every in [Duration::from_millis(9), Duration::ZERO, EVERY_MAX + Duration::from_micros(1)] {
            let options = Options { target: Target::Pid(1), every, lasting: None, run: "r-1".to_owned() };
            let result = collect(&options, &AtomicBool::new(true), |_| Ok::<(), io::Error>(()));
            assert!(matches!(result, Err(CollectError::Every { every: refused }) if refused == every));
        }
    }
}
