//! The common work of several machines on one store: what is due once for all of them, whoever does it.
//!
//! It is the `criterion` and `verdict` events, what the tables need beside what is taken in, alerts, and the reports of days, weeks and
//! months. Of each hour one machine has claimed it (`milepost_store::claim`); a lock beside the tables keeps one whose round lasts
//! into the next hour apart from the next one; in a bucket, which has no locks, what is remembered is replaced only as it was read. What the common work remembers (`alerts.json`, and of `track.json` the reports) lies
//! beside the tables too. Where a machine dies in it, the one that claims a later hour goes on from what is there: a report that is
//! not noted is made, an alert that waits is sent, and an event that lies in the dead machine's spool is recorded again under the id
//! that it has there, so that it counts once.
//!
//! A machine that shares its tables with nobody does all of it at each call, claims nothing, and remembers it in the data folder.

use super::{
    super::{
        Failure, Workplace,
        scorecard::{Judged, wait},
    },
    Desk, Round,
    definition::definition,
    kept::Place,
};
use milepost_judge::Verdict;
use milepost_record::{Event, Fact, Locked, Timestamp};
use milepost_store::{CommonFiles, Compacted, Store, StoreError, claim, is_shared, shared};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// The name of the common work among the claims.
const JOB: &str = "track";
/// How long a slot is: an hour, in microseconds.
const SLOT_US: i64 = 3_600_000_000;
/// How long somebody else who writes the tables is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);

/// Who does the common work of this round.
pub(super) enum Turn {
    /// This machine, which shares with nobody.
    Alone,
    /// This machine; nobody else until the lock is dropped.
    Ours { _lock: Option<Locked> },
    /// Another machine, or nobody.
    Theirs,
}

impl Turn {
    pub(super) const fn is_ours(&self) -> bool {
        !matches!(self, Self::Theirs)
    }

    pub(super) const fn is_shared(&self) -> bool {
        !matches!(self, Self::Alone)
    }

    /// The id of an event of the common work, which is the same whichever machine records it: of what it says, and of the event that it
    /// follows. Where nobody else can record it, any will do.
    pub(super) fn id(&self, says: &[&str], follows: Option<&str>) -> Option<String> {
        self.is_shared().then(|| {
            let mut digest = Sha256::new();
            for part in says.iter().chain([&follows.unwrap_or_default()]) {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
            digest.finalize().iter().take(16).fold(String::from("t-"), |mut id, byte| {
                // Writing to a String cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            })
        })
    }
}

impl Workplace {
    /// Where the common work remembers something.
    pub(in super::super) fn common(&self) -> Result<Place, Failure> {
        let data = self.data()?;
        Ok(match CommonFiles::of(data)? {
            Some(files) => Place::Bucket(Arc::new(files)),
            None => Place::Folder(shared(data).unwrap_or_else(|| data.to_owned())),
        })
    }
}

impl Round<'_> {
    /// Finds out whose turn it is, and says so where it is another machine's.
    pub(super) fn turn(&mut self, desk: Option<&Desk>) -> Turn {
        let place = match self.attempt("the common work is not done", |round| Ok(is_shared(round.data)?.then(|| shared(round.data)))) {
            Some(Some(place)) => place,
            Some(None) => return Turn::Alone,
            None => return Turn::Theirs,
        };
        let Some(desk) = desk else { return Turn::Theirs };
        let turn = self.attempt("the common work is not done", |round| {
            // In a bucket there are no locks: what is remembered there is replaced only by who saw it last.
            let mut lock = None;
            if let Some(folder) = place {
                let path = folder.join("track.lock");
                if !folder.is_dir() {
                    return Err(Failure::internal(format!("{} leads to no folder: is it mounted?", folder.display())));
                }
                let failed = |error| Failure::internal(format!("cannot lock {}: {error}", path.display()));
                lock = Locked::try_at(&path).map_err(failed)?;
                if lock.is_none() {
                    return Ok(Turn::Theirs);
                }
            }
            // Not when the round began: its jobs may have taken longer than an hour.
            let now = Timestamp::now();
            let claimed = || wait(async { Ok(claim(round.data, JOB, slot(now), desk.spool.id(), now).await) });
            Ok(if round.patiently(claimed)? { Turn::Ours { _lock: lock } } else { Turn::Theirs })
        });
        if matches!(turn, Some(Turn::Theirs)) {
            self.tell("Common work", "another machine does it this hour");
        }
        turn.unwrap_or(Turn::Theirs)
    }

    /// Records each criterion that is not defined as it was last recorded, and returns all that was decided and judged before.
    pub(super) fn define(&self, desk: Option<&Desk>, turn: &Turn, recorded: &mut Vec<Event>) -> Result<Vec<Event>, Failure> {
        let store = wait(async { Ok(Store::open(self.data, Timestamp::now()).await?) })?;
        let mut past = store.past().to_vec();
        let criteria = &self.workplace.config.criteria;
        for criterion in criteria.criteria.iter().filter(|_| desk.is_some()) {
            let key = criterion.evidence_key(&criteria.aliases);
            let last = last_definition(&past, &criterion.name);
            if last.is_some_and(|(_, last)| last == key) {
                continue;
            }
            let id = turn.id(&["criterion", &criterion.name, &key], last.and_then(|(event, _)| event.id.as_deref()));
            let mut defined = milepost_record::Criterion::new(criterion.name.clone(), key);
            defined.definition = definition(criterion, &criteria.aliases);
            if let Some(desk) = desk {
                let event = desk.record(defined, id)?;
                recorded.push(event.clone());
                past.push(event);
            }
        }
        Ok(past)
    }

    /// Records each verdict that is another than before under this definition, or the first of the day.
    pub(super) fn verdicts(&self, desk: &Desk, turn: &Turn, judged: &Judged, recorded: &mut Vec<Event>) -> Result<(), Failure> {
        let criteria = &self.workplace.config.criteria;
        let day = |at: Timestamp| at.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date();
        for (criterion, result) in criteria.criteria.iter().zip(&judged.scorecard.criteria) {
            let key = criterion.evidence_key(&criteria.aliases);
            let last = last_verdict(judged.store.past(), &criterion.name, &key);
            let today = day(Timestamp::now());
            if last.is_some_and(|(event, verdict)| verdict == result.judgement.verdict && day(event.at) == today) {
                continue;
            }
            let says = ["verdict", &criterion.name, &key, result.judgement.verdict.name(), &today.to_string()];
            let id = turn.id(&says, last.and_then(|(event, _)| event.id.as_deref()));
            let mut verdict = milepost_record::Verdict::new(criterion.name.clone(), key, result.judgement.verdict);
            verdict.n = Some(result.judgement.n);
            recorded.push(desk.record(verdict, id)?);
        }
        Ok(())
    }

    /// Takes in what was recorded since, so that the next machine sees it, wherever it runs.
    pub(super) fn compact_more(&self, compacted: &mut Option<Compacted>) -> Result<(), Failure> {
        let more = self.compact(None, false)?;
        *compacted = compacted.take().map(|before| before.and(more));
        Ok(())
    }

    /// Does something with the tables; where somebody else is writing them, another machine or `milepost serve` here, a little later.
    pub(super) fn patiently<T>(&self, work: impl Fn() -> Result<Result<T, StoreError>, Failure>) -> Result<T, Failure> {
        let began = Instant::now();
        loop {
            match work()? {
                Err(StoreError::Busy) if began.elapsed() < PATIENCE && self.stop.signal().is_none() => {
                    thread::sleep(AGAIN);
                }
                done => return Ok(done?),
            }
        }
    }
}

/// The hours since 1970.
fn slot(now: Timestamp) -> u64 {
    // So that a test need not wait for the next hour, and none runs into it. Compiled into builds with debug assertions only.
    #[cfg(debug_assertions)]
    if let Some(slot) = std::env::var("MILEPOST_SLOT").ok().and_then(|slot| slot.parse().ok()) {
        return slot;
    }
    u64::try_from(now.as_microseconds().div_euclid(SLOT_US)).unwrap_or_default()
}

/// The definition that was last recorded for a criterion, and its evidence key.
fn last_definition<'a>(past: &'a [Event], name: &str) -> Option<(&'a Event, &'a str)> {
    let definitions = past.iter().filter_map(|event| match &event.fact {
        Fact::Criterion(criterion) if criterion.name == name => Some((event, criterion.evidence_key.as_str())),
        _ => None,
    });
    definitions.max_by_key(|(event, key)| (event.at, *key))
}

/// The verdict that was last recorded for a criterion as it is defined.
fn last_verdict<'a>(past: &'a [Event], name: &str, key: &str) -> Option<(&'a Event, Verdict)> {
    let verdicts = past.iter().filter_map(|event| match &event.fact {
        Fact::Verdict(verdict) if verdict.criterion == name && verdict.evidence_key == key => Some((event, verdict.verdict)),
        _ => None,
    });
    verdicts.max_by_key(|(event, _)| event.at)
}
