//! The SDK: what a product embeds to record its own use.
//!
//! ```
//! # fn main() -> Result<(), milepost_record::SpoolError> {
//! # let data = tempfile::tempdir().expect("a folder"); let data = data.path();
//! use milepost_record::{Event, Interaction, Recorder};
//!
//! let recorder = Recorder::open(data)?;
//!
//! // Time a piece of work: `Ok` is a success, `Err` a failure.
//! let found: Result<u32, std::fmt::Error> = recorder.measure("search", || Ok(3));
//!
//! // Or record any other event.
//! let mut interaction = Interaction::new();
//! interaction.recognized = Some("install".to_owned());
//! let mut event = Event::now(interaction);
//! event.user = recorder.pseudonym("rose@example.org");
//! recorder.record(event)?;
//! # Ok(()) }
//! ```

use crate::{
    Door, ErrorDetail, Event, Identity, Invalid, Operation, Origin, Outcome, Texts, Timestamp,
    files::SpoolError,
    recording_is_off,
    spool::{Durability, OwnSegment, Spool, WRITE_BYTES, record},
};
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Events that wait to be recorded together; dropped, none of them is.
#[derive(Debug)]
pub struct Batch<'a> {
    recorder: &'a Recorder,
    /// When its events arrive.
    now: Timestamp,
    records: Vec<u8>,
}

impl Batch<'_> {
    /// Adds an event.
    ///
    /// # Errors
    /// Where it is not valid: then it is not added.
    pub fn add(&mut self, event: Event) -> Result<(), Invalid> {
        let Some(open) = &self.recorder.open else { return Ok(()) };
        record(&open.door.admit(event, self.now)?.event, &mut self.records)
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Records what waits with one write, as [`Recorder::record`] does. More can be added then.
    ///
    /// # Errors
    /// Where it could not be written: then nobody knows which are recorded. Who gives ids can record all of them again, and each counts once.
    pub fn write(&mut self) -> Result<(), SpoolError> {
        if let Some(open) = self.recorder.open.as_ref().filter(|_| !self.records.is_empty()) {
            open.write(&self.records, Durability::Written)?;
            self.records.clear();
        }
        Ok(())
    }
}

/// Records events of one process into a data folder.
///
/// One recorder serves all threads. It never panics, and a child after a fork may go on using it. Where `DO_NOT_TRACK` or
/// `MILEPOST_DISABLED` is set, it records nothing and makes no file.
#[derive(Debug)]
pub struct Recorder {
    open: Option<Open>,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Open {
    spool: Spool,
    door: Door,
    segment: Mutex<Option<OwnSegment>>,
}

impl Open {
    fn write(&self, records: &[u8], durability: Durability) -> Result<(), SpoolError> {
        let mut guard = self.segment.lock().unwrap_or_else(PoisonError::into_inner);
        // After a fork the parent goes on with the old segment: this closes only the child's copy.
        let segment = match guard.take().filter(OwnSegment::is_of_this_process) {
            Some(full) if full.is_full() => {
                self.spool.seal_own(&full)?;
                self.spool.own_segment()?
            }
            Some(segment) => segment,
            None => self.spool.own_segment()?,
        };
        guard.insert(segment).append(records, durability)
    }
}

impl Recorder {
    /// Opens a data folder, and makes it where it is missing.
    ///
    /// # Errors
    /// Where the folder cannot be made or read. A host that must go on can use [`Recorder::disabled`] then.
    pub fn open(data: impl AsRef<Path>) -> Result<Self, SpoolError> {
        if recording_is_off().is_some() {
            return Ok(Self::disabled());
        }
        let spool = Spool::open(data.as_ref())?;
        let door = Door::new("sdk", Identity::open(data.as_ref())?);
        Ok(Self { open: Some(Open { spool, door, segment: Mutex::new(None) }), lost: AtomicU64::new(0) })
    }

    /// A recorder for a program that takes events from elsewhere, with a door of its own. Whether recording is off is for the caller to ask.
    #[must_use]
    pub const fn through(spool: Spool, door: Door) -> Self {
        Self { open: Some(Open { spool, door, segment: Mutex::new(None) }), lost: AtomicU64::new(0) }
    }

    /// A recorder that takes every event and keeps none.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { open: None, lost: AtomicU64::new(0) }
    }

    /// Where its events come from, unless they say so themselves: people's use, if this is not called.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        self.with_door(|door| door.origin(origin))
    }

    /// The product's version, for events that do not name one.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Self {
        self.with_door(|door| door.version(Some(version.into())))
    }

    /// The texts that may be stored: none, if this is not called.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        self.with_door(|door| door.texts(texts))
    }

    fn with_door(mut self, change: impl FnOnce(Door) -> Door) -> Self {
        self.open = self.open.map(|open| Open { door: change(open.door), ..open });
        self
    }

    /// Whether events are kept.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.open.is_some()
    }

    /// The pseudonym of a person on this machine; `None` where nothing is recorded.
    #[must_use]
    pub fn pseudonym(&self, name: &str) -> Option<String> {
        self.open.as_ref().map(|open| open.door.identity().pseudonym(name))
    }

    /// Records an event: when this returns without an error, the operating system has it, and a crash of this process does
    /// not lose it.
    ///
    /// # Errors
    /// Where the event is not valid or could not be written: then it is not recorded.
    pub fn record(&self, event: Event) -> Result<(), SpoolError> {
        self.record_to(event, Durability::Written)
    }

    /// Records an event: when this returns without an error, it is on the disk, and a loss of power does not lose it.
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub fn record_on_disk(&self, event: Event) -> Result<(), SpoolError> {
        self.record_to(event, Durability::OnDisk)
    }

    fn record_to(&self, event: Event, durability: Durability) -> Result<(), SpoolError> {
        let Some(open) = &self.open else { return Ok(()) };
        // Longer than most records are, so that it need not grow.
        let mut one = Vec::with_capacity(512);
        record(&open.door.admit(event, Timestamp::now())?.event, &mut one)?;
        open.write(&one, durability)
    }

    /// Records events as [`Recorder::record`] does, many with one write; for each of them, whether it was valid, and is recorded.
    ///
    /// # Errors
    /// Where one could not be written: then nobody knows which of those before it are recorded. Who gives ids can record all of them again,
    /// and each counts once.
    pub fn record_all(&self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Result<(), Invalid>>, SpoolError> {
        let (mut batch, mut told) = (self.batch(), Vec::new());
        for event in events {
            told.push(batch.add(event));
            if batch.bytes() >= WRITE_BYTES {
                batch.write()?;
            }
        }
        batch.write()?;
        Ok(told)
    }

    /// Events that are to be recorded together, once all of them are known.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        Batch { recorder: self, now: Timestamp::now(), records: Vec::new() }
    }

    /// Ends the segment that is being written, so that compaction can take it in: the next event begins another.
    ///
    /// # Errors
    /// Where it cannot be sealed: then it is written on.
    pub fn seal(&self) -> Result<(), SpoolError> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut guard = open.segment.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = guard.as_ref().filter(|segment| segment.is_of_this_process()) {
            open.spool.seal_own(segment)?;
            *guard = None;
        }
        Ok(())
    }

    /// Times a piece of work and records it as an operation: `Ok` is a success, `Err` and a panic are failures. What goes
    /// wrong with recording is counted by [`Recorder::lost`] and otherwise ignored.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn measure<T, E>(&self, operation: impl Into<String>, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let running = self.start(operation);
        let result = work();
        running.finish(if result.is_ok() { Outcome::Ok } else { Outcome::Failed });
        result
    }

    /// Starts the clock for an operation, which is recorded by [`Running::finish`].
    #[must_use = "an operation that is dropped unfinished counts as failed"]
    pub fn start(&self, operation: impl Into<String>) -> Running<'_> {
        let event = Event::now(Operation::new(operation, Outcome::Failed));
        Running { recorder: self, event: Some(event), since: Instant::now() }
    }

    /// For whoever has nobody to report to.
    pub(crate) fn record_or_count(&self, event: Event) {
        if self.record(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many operations could not be recorded: of [`Recorder::measure`], of [`Recorder::start`], and of spans.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// An operation that has begun. Dropped without [`Running::finish`], as by a `?` or a panic, it is recorded as failed.
#[derive(Debug)]
pub struct Running<'a> {
    recorder: &'a Recorder,
    event: Option<Event>,
    since: Instant,
}

impl Running<'_> {
    /// The event as it will be recorded, to fill in backend, user, attributes …
    pub fn describe(mut self, describe: impl FnOnce(&mut Event, &mut Operation)) -> Self {
        if let Some(mut event) = self.event.take() {
            if let crate::Fact::Operation(mut operation) = event.fact.clone() {
                describe(&mut event, &mut operation);
                event.fact = operation.into();
            }
            self.event = Some(event);
        }
        self
    }

    /// Stops the clock and records how it ended.
    pub fn finish(mut self, outcome: Outcome) {
        self.end(outcome, None);
    }

    /// Stops the clock and records a failure of this category, with the text where texts are allowed.
    pub fn fail(mut self, category: impl Into<String>, text: Option<String>) {
        self.end(Outcome::Failed, Some(ErrorDetail { category: category.into(), text }));
    }

    fn end(&mut self, outcome: Outcome, error: Option<ErrorDetail>) {
        let elapsed = self.since.elapsed();
        let Some(mut event) = self.event.take() else { return };
        event.at = Timestamp::now();
        if let crate::Fact::Operation(operation) = &mut event.fact {
            operation.outcome = outcome;
            operation.duration_us = Some(microseconds(elapsed));
            operation.error = error.or(operation.error.take());
        }
        self.recorder.record_or_count(event);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end(Outcome::Failed, None);
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
