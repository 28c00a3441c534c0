//! Compaction: what the spool took in becomes rows of the lake, each event once.
//!
//! 1. Segments are sealed, and read in the order of their numbers: some of them while those before are written.
//! 2. A row of `segments` claims each for this spool, with its digest. A segment of a number that is claimed with another digest
//!    (a backup was restored, a machine was cloned) gives the spool a new id.
//! 3. Each table takes what it lacks, in one commit that names the last segment's number. A crash between two tables is made
//!    good by the next compaction, and until then by every reader: both ask each table for itself.
//! 4. Rollups get the rows of the new events that they count.
//! 5. What was written is put on the disk, and only then are the segments removed.
//!
//! An event whose id the same kind already has on that day (a sender tried again, a backup was restored) is not taken in twice.

use crate::{
    StoreError,
    digests::Digests,
    heads::{Head, Heads},
    identity::{Identities, without},
    lake::{CLAIMS, Lake, SEGMENTS, holds, in_table, select},
    past::{self, Pasts},
    rollups::{COUNTED, Commit, Rollups},
    spooled::{Spooled, together},
    tombstones::Tombstones,
};
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray},
        compute::cast,
        datatypes::{DataType, Int64Type},
        record_batch::RecordBatch,
    },
    common::runtime::SpawnedTask,
    error::DataFusionError,
};
use deltalake_core::DeltaTable;
use futures::TryStreamExt;
use jiff::civil::Date;
use milepost_record::{Event, Kind, Segment, Spool, Timestamp, Unreadable, crash_point};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

/// How much of the spool is taken in at once, in bytes: two of these have to fit into memory, as one is read while the other is written.
const BATCH_BYTES: u64 = 64 * 1024 * 1024;

/// How the store is looked after.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {
    /// Whole days before this one are removed, but for notes, criteria and verdicts; none unless given.
    pub keep_from: Option<Date>,
    /// Nothing but taking in: neither are days removed, nor files merged. Somebody else does that.
    pub taking_in_only: bool,
    /// How long new tables keep files and versions that are not current any more, instead of six hours.
    pub removed_kept: Option<Duration>,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// How many segments of the spool were taken in.
    pub segments: u64,
    /// How many events were added to the tables.
    pub events: u64,
    /// How many were there already.
    pub repeated: u64,
    /// How many are of somebody who was forgotten, and were left out.
    pub forgotten: u64,
    /// How many lines were no events, and were set aside.
    pub unreadable: u64,
    /// How many events are yet to come by this machine's clock, and wait until then.
    pub postponed: u64,
    /// How many events were removed because they are older than what is kept.
    pub removed: u64,
    /// Whether the spool got a new id, because the store knows other segments by the old one.
    pub renewed: bool,
}

impl Compacted {
    /// What two compactions did, one after the other.
    #[must_use]
    pub const fn and(self, then: Self) -> Self {
        Self {
            segments: self.segments + then.segments,
            events: self.events + then.events,
            repeated: self.repeated + then.repeated,
            forgotten: self.forgotten + then.forgotten,
            unreadable: self.unreadable + then.unreadable,
            postponed: self.postponed + then.postponed,
            removed: self.removed + then.removed,
            renewed: self.renewed || then.renewed,
        }
    }
}

/// A sealed segment.
struct Sealed {
    sequence: u64,
    digest: String,
    file: Arc<Segment>,
}

/// A sealed segment, read.
struct Taken {
    sequence: u64,
    digest: String,
    bytes: u64,
    rows: Vec<(Kind, RecordBatch)>,
    unreadable: Vec<Unreadable>,
    ahead: Vec<Unreadable>,
    forgotten: u64,
}

/// Some segments that are taken in at once.
struct Batch {
    taken: Vec<Taken>,
    /// Why the next one is not: then nothing after it is.
    stopped: Option<StoreError>,
}

/// Takes everything that was recorded up to now into the tables. `now` is the moment of receipt against which events of the
/// future are set aside.
///
/// # Errors
/// Where another compaction is running ([`StoreError::Busy`]), or something cannot be read or written: what was acknowledged is
/// then still in the spool, or in the tables already, and counted once.
pub async fn compact(data: &Path, now: Timestamp, upkeep: &Upkeep) -> Result<Compacted, StoreError> {
    let mut done = Compacted::default();
    if !data.join("spool").is_dir() {
        return Ok(done);
    }
    let (lake, _locked) = Lake::lock(data, upkeep.removed_kept)?;
    let tombstones = Arc::new(Tombstones::of(data, &lake).await?);
    let stopped = take_all(data, &lake, &tombstones, now, &mut done).await?;
    if !upkeep.taking_in_only {
        look_after(&lake, upkeep, &mut done).await?;
    }
    stopped.map_or(Ok(done), Err)
}

/// Seals the spool, and takes in its sealed segments up to the first that is damaged or has events of a newer Milepost; returns what
/// is with that one, which stays as it is.
pub(crate) async fn take_all(
    data: &Path,
    lake: &Lake,
    tombstones: &Arc<Tombstones>,
    now: Timestamp,
    done: &mut Compacted,
) -> Result<Option<StoreError>, StoreError> {
    // Whoever cannot note digests writes no table.
    Digests::read(lake)?;
    let mut spool = Spool::open(data)?;
    spool.resume(now)?;
    spool.seal()?;
    loop {
        let sealed = sealed(spool.segments()?)?;
        if sealed.is_empty() {
            return Ok(None);
        }
        let claims = Claims::of(lake, spool.id()).await?;
        let (mut known, foreign): (Vec<_>, Vec<_>) = sealed.into_iter().partition(|s| !claims.are_foreign_to(s.sequence, &s.digest));
        if !foreign.is_empty() {
            // Those that the store knows go in under the id that it knows them by; then the others get a new one.
            known.retain(|segment| claims.upto >= Some(segment.sequence));
            if known.is_empty() {
                spool = spool.renew()?;
                done.renewed = true;
                continue;
            }
        }
        let read = |segments: Vec<Sealed>| SpawnedTask::spawn(Batch::read(segments, now, Arc::clone(tombstones)));
        let mut waiting = batches(known).into_iter();
        let mut next = waiting.next().map(read);
        while let Some(batch) = next {
            let Batch { taken, stopped } = batch.join().await.map_err(|error| DataFusionError::External(error.into()))??;
            next = if stopped.is_none() { waiting.next().map(read) } else { None };
            take_in(lake, &spool, claims.upto, &taken, now, done).await?;
            if stopped.is_some() {
                return Ok(stopped);
            }
        }
    }
}

/// Those of some segments that are sealed.
fn sealed(segments: Vec<Segment>) -> Result<Vec<Sealed>, StoreError> {
    let of = |file: Segment| Some((file.sequence()?, file));
    let sealed =
        segments.into_iter().filter_map(of).map(|(sequence, file)| Ok(Sealed { sequence, digest: file.digest()?, file: Arc::new(file) }));
    sealed.collect()
}

/// Segments as they are taken in together: as many as fit, and at least one.
fn batches(segments: Vec<Sealed>) -> Vec<Vec<Sealed>> {
    let (mut batches, mut bytes) = (Vec::<Vec<Sealed>>::new(), 0);
    for segment in segments {
        bytes += segment.file.bytes();
        match batches.last_mut().filter(|_| bytes <= BATCH_BYTES) {
            Some(batch) => batch.push(segment),
            None => {
                bytes = segment.file.bytes();
                batches.push(vec![segment]);
            }
        }
    }
    batches
}

impl Batch {
    /// Reads segments up to the first that is damaged, or has events of a newer Milepost: numbers are taken in in order.
    async fn read(segments: Vec<Sealed>, now: Timestamp, tombstones: Arc<Tombstones>) -> Result<Self, StoreError> {
        let mut batch = Self { taken: Vec::new(), stopped: None };
        let mut files = Vec::new();
        for Sealed { sequence, digest, file } in segments {
            if let Some(damage) = file.damage()? {
                batch.stopped = Some(StoreError::Damaged(format!("{}: {damage}", file.path().display())));
                break;
            }
            let (bytes, rows, unreadable, ahead) = (file.bytes(), Vec::new(), Vec::new(), Vec::new());
            batch.taken.push(Taken { sequence, digest, bytes, rows, unreadable, ahead, forgotten: 0 });
            files.push(file);
        }
        let mut read = pin!(Spooled::of(&files, now, &tombstones)?);
        loop {
            match read.try_next().await {
                Ok(Some((position, spooled))) => batch.taken[position].add(spooled),
                Ok(None) => return Ok(batch),
                Err((position, newer @ StoreError::Newer(_))) => {
                    batch.taken.truncate(position);
                    return Ok(Self { stopped: Some(newer), ..batch });
                }
                Err((_, error)) => return Err(error),
            }
        }
    }
}

impl Taken {
    fn add(&mut self, Spooled { rows, unreadable, forgotten }: Spooled) {
        self.rows.extend(rows);
        self.forgotten += forgotten;
        let (ahead, unreadable): (Vec<_>, Vec<_>) = unreadable.into_iter().partition(|line| line.ahead.is_some());
        self.ahead.extend(ahead);
        self.unreadable.extend(unreadable);
    }

    /// How many events it has.
    fn events(&self) -> u64 {
        self.rows.iter().map(|(_, rows)| rows.num_rows() as u64).sum()
    }
}

/// The segments of one spool that the store knows.
#[derive(Default)]
pub(crate) struct Claims {
    upto: Option<u64>,
    digests: BTreeMap<u64, String>,
}

impl Claims {
    pub(crate) async fn of(lake: &Lake, spool: &str) -> Result<Self, StoreError> {
        match lake.open(SEGMENTS).await? {
            Some(table) => Self::noted(&table, spool).await,
            None => Ok(Self::default()),
        }
    }

    async fn noted(table: &DeltaTable, spool: &str) -> Result<Self, StoreError> {
        let upto = holds(SEGMENTS, table, spool).await?;
        let sql = format!("SELECT sequence, crc32c FROM lake WHERE spool = '{}'", spool.replace('\'', "''"));
        let mut digests = BTreeMap::new();
        for batch in select(table, &sql).await? {
            let text = cast(batch.column(1), &DataType::Utf8).map_err(DataFusionError::from)?;
            let (sequences, text) = (batch.column(0).as_primitive::<Int64Type>(), text.as_string::<i32>());
            for row in 0..batch.num_rows() {
                digests.insert(u64::try_from(sequences.value(row)).unwrap_or_default(), text.value(row).to_owned());
            }
        }
        Ok(Self { upto, digests })
    }

    /// Whether the store knows another segment than the one with this digest by this number.
    pub(crate) fn are_foreign_to(&self, sequence: u64, digest: &str) -> bool {
        self.digests.get(&sequence).map_or(self.upto >= Some(sequence), |known| known != digest)
    }
}

/// Takes a batch of segments into the tables, puts them on the disk, and removes the segments.
async fn take_in(
    lake: &Lake,
    spool: &Spool,
    claimed: Option<u64>,
    batch: &[Taken],
    now: Timestamp,
    done: &mut Compacted,
) -> Result<(), StoreError> {
    let Some(last) = batch.last().map(|taken| taken.sequence) else { return Ok(()) };
    let new: Vec<_> = batch.iter().filter(|taken| claimed < Some(taken.sequence)).collect();
    for taken in &new {
        spool.postpone(taken.sequence, &taken.ahead)?;
        done.postponed += taken.ahead.len() as u64;
    }
    let (heads, mut touched, mut pasts, mut rolled_up) = (Heads::read(lake), BTreeSet::new(), Pasts::new(), Vec::new());
    if !new.is_empty() {
        claim(lake, spool, &new, now).await?;
        touched.insert(SEGMENTS);
    }
    crash_point("claimed");
    for kind in Kind::ALL {
        let name = kind.table();
        if !batch.iter().any(|taken| taken.rows.iter().any(|(of, _)| of == kind)) {
            continue;
        }
        touched.insert(name);
        let added = lake.undisturbed(name, async |table| Added::to(lake, &heads, table, *kind, spool.id(), batch, last).await).await?;
        done.repeated += added.repeated;
        let Some(after) = added.after else { continue };
        crash_point(name);
        // Where that fails, the table is asked: what it took in is taken in.
        if let Some(past) = added.past
            && let Ok(past) = past::with(*kind, past, &added.rows).await
        {
            pasts.insert(name, past);
        }
        done.events += added.rows.iter().map(|rows| rows.num_rows() as u64).sum::<u64>();
        if COUNTED.contains(kind) {
            rolled_up.push(Commit { kind: *kind, before: added.before, after, rows: added.rows });
        }
    }
    Rollups::add(lake, rolled_up).await?;
    Digests::settle(lake, &touched, &pasts).await?;
    crash_point("settled");
    for taken in batch {
        spool.retire(taken.sequence, &taken.unreadable)?;
        done.segments += 1;
        done.unreadable += taken.unreadable.len() as u64;
        done.forgotten += taken.forgotten;
        crash_point("retired");
    }
    Ok(())
}

/// Notes that segments are about to be taken in.
///
/// # Errors
/// Where another machine that has a copy of the spool takes in segments of these numbers ([`StoreError::Busy`]), or the table cannot
/// be written.
async fn claim(lake: &Lake, spool: &Spool, new: &[&Taken], now: Timestamp) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (new.first(), new.last()) else { return Ok(()) };
    let rows = claims(spool.id(), new, now)?;
    let claim = async |table: Option<DeltaTable>| {
        if let Some(table) = &table
            && holds(SEGMENTS, table, spool.id()).await? >= Some(first.sequence)
        {
            // They may be these very ones: a server may have done what it could not say any more.
            let known = Claims::noted(table, spool.id()).await?;
            let are_these = new.iter().all(|taken| known.digests.get(&taken.sequence) == Some(&taken.digest));
            return if are_these { Ok(()) } else { Err(StoreError::Busy) };
        }
        lake.append(SEGMENTS, table, vec![rows.clone()], spool.id(), last.sequence).await.map(|_| ())
    };
    lake.undisturbed(SEGMENTS, claim).await
}

/// What a table took in of a batch.
struct Added {
    /// The version of the table before.
    before: Option<u64>,
    /// None where there was nothing to take in.
    after: Option<DeltaTable>,
    /// What is known of the past before.
    past: Option<Vec<Event>>,
    rows: Vec<RecordBatch>,
    /// How many events were there already.
    repeated: u64,
}

impl Added {
    /// Adds to a table, as it is, the events of its kind that it lacks.
    async fn to(
        lake: &Lake,
        heads: &Heads,
        table: Option<DeltaTable>,
        kind: Kind,
        spool: &str,
        batch: &[Taken],
        last: u64,
    ) -> Result<Self, StoreError> {
        let name = kind.table();
        let held = match &table {
            Some(table) => holds(name, table, spool).await?,
            None => None,
        };
        let lacking = batch.iter().filter(|taken| held < Some(taken.sequence));
        let lacking = lacking.flat_map(|taken| taken.rows.iter().filter(|(of, _)| *of == kind).map(|(_, rows)| rows));
        let (mut identities, mut rows, mut found) = (Identities::default(), Vec::new(), 0);
        for lacking in lacking {
            found += lacking.num_rows() as u64;
            rows.push(identities.admit(kind, lacking)?);
        }
        if let Some(table) = &table
            && identities.may_be_in(kind, &Head::of(table).map_err(in_table(name))?)
        {
            let stored = identities.stored(kind, table).await?;
            rows = rows.iter().map(|rows| without(kind, rows, &stored)).collect::<Result<_, _>>()?;
        }
        let rows = together(kind, rows)?;
        let repeated = found - rows.iter().map(|rows| rows.num_rows() as u64).sum::<u64>();
        let past = heads.known_past(lake, name, table.as_ref());
        let before = table.as_ref().and_then(DeltaTable::version);
        let after = if rows.is_empty() { None } else { Some(lake.append(name, table, rows.clone(), spool, last).await?) };
        Ok(Self { before, after, past, rows, repeated })
    }
}

/// The table of the segments before any was taken in.
pub(crate) fn no_claims() -> Result<RecordBatch, StoreError> {
    claims("", &[], Timestamp::now())
}

/// The rows of `segments` that claim these.
fn claims(spool: &str, taken: &[&Taken], now: Timestamp) -> Result<RecordBatch, StoreError> {
    let number =
        |of: fn(&Taken) -> u64| -> ArrayRef { Arc::new(taken.iter().map(|taken| i64::try_from(of(taken)).ok()).collect::<Int64Array>()) };
    let columns: [(&str, ArrayRef); 7] = [
        ("spool", Arc::new(taken.iter().map(|_| Some(spool)).collect::<StringArray>())),
        ("sequence", number(|taken| taken.sequence)),
        ("crc32c", Arc::new(taken.iter().map(|taken| Some(taken.digest.as_str())).collect::<StringArray>())),
        ("bytes", number(|taken| taken.bytes)),
        ("events", number(Taken::events)),
        ("unreadable", number(|taken| taken.unreadable.len() as u64)),
        ("stored_at", Arc::new(TimestampMicrosecondArray::from(vec![now.as_microseconds(); taken.len()]).with_timezone("UTC"))),
    ];
    let columns = columns.map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns).map_err(DataFusionError::from)?)
}

/// The kinds of which old days may be removed: what people decided and what was judged is kept for ever.
const KEPT_FOR_EVER: &[Kind] = &[Kind::Note, Kind::Criterion, Kind::Verdict];

async fn look_after(lake: &Lake, upkeep: &Upkeep, done: &mut Compacted) -> Result<(), StoreError> {
    let mut changed = BTreeSet::new();
    for kind in Kind::ALL {
        let Some(keep_from) = upkeep.keep_from.filter(|_| !KEPT_FOR_EVER.contains(kind)) else { continue };
        if let Some(table) = lake.open(kind.table()).await? {
            let removed = lake.remove_days_before(kind.table(), table, keep_from).await?;
            done.removed += removed;
            if removed > 0 {
                changed.insert(kind.table());
            }
        }
    }
    let (heads, mut pasts) = (Heads::read(lake), Pasts::new());
    for name in Kind::ALL.iter().map(|kind| kind.table()).chain([SEGMENTS, CLAIMS]) {
        let Some(table) = lake.open(name).await? else { continue };
        let before = table.version();
        if heads.of(lake, name).is_none() {
            changed.insert(name);
        }
        pasts.extend(heads.known_past(lake, name, Some(&table)).map(|past| (name, past)));
        if lake.tidy(name, table).await? {
            changed.insert(name);
            if let Some(kind) = COUNTED.into_iter().find(|kind| kind.table() == name) {
                Rollups::follow(lake, kind, before, lake.open(name).await?).await?;
            }
        }
    }
    Rollups::tidy(lake, lake.removed_kept()).await?;
    crash_point("looked after");
    if changed.is_empty() { Ok(()) } else { Digests::settle(lake, &changed, &pasts).await }
}
