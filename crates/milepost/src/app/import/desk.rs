//! Where the events of an import go: through the door, past those that are there already, into the spool.

use super::super::{Failure, Workplace, scorecard::wait, set_aside::SetAside};
use crate::cli::Import;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use milepost_collect::import::ROWS_MAX;
use milepost_record::{Admitted, Door, Durability, Event, Fact, Identity, Invalid, Kind, Origin, Spool, Timestamp};
use milepost_store::{Store, StoreError, Upkeep, compact};
use std::{collections::BTreeMap, path::Path};

/// How many events are looked up at once.
const BATCH: usize = 4096;
/// After so many events the spool becomes tables: whoever reads it next has to hold in memory what is left.
const COMPACTED_AFTER: u64 = 250_000;
/// How many groups of events are counted one by one.
const GROUPS_MAX: usize = 200;
/// How many events are shown before they are recorded.
const SHOWN: usize = 3;

/// What was recorded, or would be.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) recorded: u64,
    pub(super) there: u64,
    pub(super) texts: u64,
    /// By kind, operation or name, and outcome.
    pub(super) groups: BTreeMap<(Kind, String, &'static str), u64>,
    /// The first and last moment of each kind and origin.
    pub(super) spans: BTreeMap<(Kind, Origin), (Timestamp, Timestamp)>,
    pub(super) first: Vec<Event>,
}

/// Takes events in.
pub(super) struct Desk<'a> {
    data: &'a Path,
    door: Door,
    /// None where nothing is to be recorded.
    spool: Option<Spool>,
    store: Store,
    any_day: bool,
    waiting: Vec<(u64, Admitted)>,
    numbers: u64,
    pub(super) counted: Counted,
    pub(super) aside: SetAside,
    pub(super) bar: ProgressBar,
}

impl<'a> Desk<'a> {
    /// `any_day` looks for events that are there already on all days, where their time is none of their own.
    pub(super) fn open(workplace: &'a Workplace, wishes: &Import, noun: &'static str, any_day: bool) -> Result<Self, Failure> {
        let data = workplace.data()?;
        let (spool, identity) =
            if wishes.dry_run { (None, seen_identity(data)?) } else { (Some(Spool::open(data)?), Identity::open(data)?) };
        // The product's version of today is not that of its past.
        let door = Door::new("import", identity).origin(wishes.origin).texts(workplace.config.texts);
        let store = wait(async { Ok(Store::open(data, Timestamp::now()).await?) })?;
        Ok(Self {
            data,
            door,
            spool,
            store,
            any_day,
            waiting: Vec::new(),
            numbers: 0,
            counted: Counted::default(),
            aside: SetAside::new(data, "import", noun).of(wishes.file.display().to_string()),
            bar: ProgressBar::hidden(),
        })
    }

    /// The pseudonym of a name, or of whom a pseudonym is.
    pub(super) fn pseudonym(identity: &Identity, name: &str) -> String {
        if milepost_record::is_pseudonym(name) { name.to_owned() } else { identity.pseudonym(name) }
    }

    pub(super) const fn identity(&self) -> &Identity {
        self.door.identity()
    }

    pub(super) const fn is_dry_run(&self) -> bool {
        self.spool.is_none()
    }

    /// What the criteria make of what was recorded before.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// A bar on standard error where that is a terminal.
    pub(super) fn expect(&mut self, total: Option<u64>, bytes: bool) {
        let (of, place) = if bytes { ("{bytes} of {total_bytes}", "{bytes}") } else { ("{pos} of {len} rows", "{pos} rows") };
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), format!("import {{wide_bar}} {of}, about {{eta}} left")),
            None => (ProgressBar::new_spinner(), format!("import {{spinner}} {place}, {{elapsed}}")),
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = bar.with_style(style).with_finish(ProgressFinish::AndClear);
    }

    /// One row, of which `kept` is what may be kept if it is no event.
    pub(super) fn take(&mut self, number: u64, row: Result<Event, String>, kept: impl FnOnce() -> String) -> Result<(), Failure> {
        self.numbers += 1;
        if self.numbers > ROWS_MAX {
            self.flush()?;
            return Err(Failure::usage(format!("it has more than {ROWS_MAX} rows, and no more are read: divide it")));
        }
        match row.and_then(|event| self.admit(event).map_err(|invalid| invalid.to_string())) {
            Ok(admitted) => {
                self.waiting.push((number, admitted));
                if self.waiting.len() >= BATCH { self.flush() } else { Ok(()) }
            }
            Err(reason) => self.refuse(number, &reason, &kept()),
        }
    }

    /// What goes into the spool of an event: with what the door adds, it may be longer than a line.
    fn admit(&self, event: Event) -> Result<Admitted, Invalid> {
        let admitted = self.door.admit(event, Timestamp::now())?;
        admitted.event.to_json().map(|_| admitted)
    }

    /// Sets a row aside.
    pub(super) fn refuse(&mut self, number: u64, reason: &str, kept: &str) -> Result<(), Failure> {
        let (aside, is_dry_run) = (&mut self.aside, self.spool.is_none());
        self.bar.suspend(|| {
            if is_dry_run {
                aside.name(number, reason);
                Ok(())
            } else {
                aside.keep(number, reason, kept.as_bytes())
            }
        })
    }

    /// Records what waits, but for what is there already.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(number, of)| ((number, of.text_removed), of.event));
        let (numbers, events): (Vec<_>, Vec<_>) = waiting.unzip();
        if events.is_empty() {
            return Ok(());
        }
        let known = wait(async { Ok(self.store.known(&events, self.any_day).await?) })?;
        self.counted.there += known.iter().filter(|is_there| **is_there).count() as u64;
        let new = numbers.into_iter().zip(events).zip(known).filter(|(_, is_there)| !is_there).map(|(event, _)| event);
        let new: Vec<((u64, bool), Event)> = new.collect();
        if let (Some(spool), Some(((first, _), _))) = (&self.spool, new.first()) {
            // Each was seen to be no longer than a line.
            spool.append_all(new.iter().map(|(_, event)| event), Durability::Written).map_err(|error| {
                let recorded = self.counted.recorded;
                Failure::internal(format!("row {first} and those that came with it could not be written, {recorded} are recorded: {error}"))
            })?;
        }
        for ((_, text_removed), event) in new {
            self.counted.texts += u64::from(text_removed);
            self.counted.count(event);
            if self.counted.recorded.is_multiple_of(COMPACTED_AFTER) {
                self.compact()?;
            }
        }
        Ok(())
    }

    fn compact(&self) -> Result<(), Failure> {
        if self.spool.is_none() {
            return Ok(());
        }
        let upkeep = Upkeep { taking_in_only: true, ..Upkeep::default() };
        match wait(async { Ok(compact(self.data, Timestamp::now(), &upkeep).await) })? {
            // Somebody else is at it.
            Ok(_) | Err(StoreError::Busy) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Counted {
    fn count(&mut self, event: Event) {
        self.recorded += 1;
        let (name, outcome) = match &event.fact {
            Fact::Operation(operation) => (operation.operation.as_str(), operation.outcome.name()),
            Fact::Measurement(measurement) => (measurement.name.as_str(), ""),
            _ => ("", ""),
        };
        let group = (event.kind(), name.to_owned(), outcome);
        let is_new = !self.groups.contains_key(&group);
        let group = if is_new && self.groups.len() >= GROUPS_MAX { (event.kind(), "…".to_owned(), "") } else { group };
        *self.groups.entry(group).or_default() += 1;
        let span = self.spans.entry((event.kind(), event.origin.unwrap_or(Origin::Use))).or_insert((event.at, event.at));
        *span = (span.0.min(event.at), span.1.max(event.at));
        if self.first.len() < SHOWN {
            self.first.push(event);
        }
    }
}

/// Who this machine is, without making anything in its folder: where it is nobody yet, somebody else for once.
fn seen_identity(data: &Path) -> Result<Identity, Failure> {
    if data.join("identity.json").exists() {
        return Ok(Identity::open(data)?);
    }
    let elsewhere = tempfile::tempdir().map_err(|error| Failure::internal(format!("cannot make a folder for a moment: {error}")))?;
    Ok(Identity::open(elsewhere.path())?)
}
