//! Forgetting somebody: what is of a person leaves the tables, what the log says of older versions, and the spool.
//!
//! 1. A tombstone is laid, so that whatever ends this, the next call goes on, and nothing of the person is counted any more.
//! 2. What else tells of the person is noted in it: the sessions that the events name, and the interactions that labels name.
//! 3. Compaction takes the spool in without what tombstones cover: so segments claim their numbers as ever, and each event of
//!    everybody else is counted once.
//! 4. The days of a table with events of the person are written anew without them, at once where they are not too many, in a commit
//!    that tells the first and the last day and nothing else.
//! 5. Of each table nothing is left but its newest version, in files and in the log.
//!
//! What is of a person: the events that carry the pseudonym, those that carry nobody's and a session that one of these names, and
//! labels of the person's interactions, whoever gave them.

use crate::{
    StoreError,
    claim::shared,
    compact::{Compacted, take_all},
    digests::Digests,
    events::events,
    lake::{Lake, failed, remove, select, sync},
    past::Pasts,
    rollups::Rollups,
    spooled::ROWS,
    tables,
    tombstones::{Tombstones, Traces},
};
use datafusion::{
    arrow::{
        array::AsArray,
        compute::cast,
        datatypes::{DataType, Int64Type},
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use deltalake_core::DeltaTable;
use milepost_record::{Event, Identity, Kind, Spool, Timestamp, Unreadable, crash_point};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Bound,
    path::Path,
    sync::Arc,
};

/// So many rows are written anew at once at most, unless one day has more: they have to fit into memory.
const ROWS_AT_ONCE: u64 = 500_000;

/// How to tell what is of one person, from what there is at a moment: what [`erase`] erases, and an export takes in.
pub struct Person(Tombstones);

impl Person {
    /// Whom these words name: the pseudonym, and what else the person may be called.
    ///
    /// # Errors
    /// Where something cannot be read.
    pub async fn named(data: &Path, words: &[&str], now: Timestamp) -> Result<Self, StoreError> {
        if !data.is_dir() {
            return Ok(Self(Tombstones::default()));
        }
        let lake = Lake::find(data)?;
        Ok(Self(recognised(Identity::open(data)?, words, now, &tables_of(lake.as_ref()).await?, &spooled(data, now)?).await?))
    }

    /// Whether an event is of the person.
    pub fn has(&self, event: &Event) -> bool {
        self.0.cover(event)
    }
}

/// What there is of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many events of each kind.
    pub events: BTreeMap<Kind, u64>,
    /// The first and the last day, in UTC, as `2026-11-24`.
    pub days: Option<(String, String)>,
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many events left the tables.
    pub from_tables: u64,
    /// How many events, and lines that are no event, left the spool.
    pub from_spool: u64,
    /// How many events wait in segments that somebody is writing at this moment: they count for nothing, and are erased with the
    /// next call after the writer has ended or begun another segment.
    pub waiting: u64,
}

/// What there is of a person in the tables and in the spool of this machine. `words` are the pseudonym, and what else the person
/// may be called.
///
/// # Errors
/// Where something cannot be read.
pub async fn found(data: &Path, words: &[&str], now: Timestamp) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(identity) = Identity::find(data)? else { return Ok(found) };
    let spool = spooled(data, now)?;
    let lake = Lake::find(data)?;
    let tables = tables_of(lake.as_ref()).await?;
    let tombstones = recognised(identity, words, now, &tables, &spool).await?;
    let mut ids = BTreeSet::new();
    let mut count = |event: Event| {
        let id = event.id.clone().map(|id| (event.kind(), id));
        if id.is_none_or(|id| ids.insert(id)) {
            *found.events.entry(event.kind()).or_default() += 1;
            let day = event.at.to_jiff().strftime("%Y-%m-%d").to_string();
            let (first, last) = found.days.take().unwrap_or_else(|| (day.clone(), day.clone()));
            found.days = Some((first.min(day.clone()), last.max(day)));
        }
    };
    for (kind, table) in &tables {
        for day in days_with(&tombstones, *kind, table).await? {
            for batch in of_days(table, (&day, &day)).await? {
                events(*kind, &batch)?.into_iter().filter(|event| tombstones.cover(event)).for_each(&mut count);
            }
        }
    }
    spool.into_iter().filter(|event| tombstones.cover(event)).for_each(count);
    Ok(found)
}

/// Lays a tombstone: from now on nothing of the person counts that happened until `now`, wherever it lies. [`erase`] does the rest.
///
/// # Errors
/// Where somebody else is writing the tables ([`StoreError::Busy`]), or the tombstone cannot be written.
pub async fn lay(data: &Path, words: &[&str], now: Timestamp) -> Result<(), StoreError> {
    let (lake, _locked) = Lake::lock(data, None)?;
    let mut tombstones = Tombstones::of(data, &lake).await?;
    tombstones.lay(Identity::open(data)?, words, now);
    tombstones.publish(&lake).await?;
    crash_point("tombstone");
    Ok(())
}

/// Erases what the tombstones that this machine recognises cover, in the tables and in its spool.
///
/// # Errors
/// Where somebody else is writing the tables ([`StoreError::Busy`]), a segment is damaged, or something cannot be read or written:
/// then the next call goes on.
pub async fn erase(data: &Path, now: Timestamp) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    if Tombstones::read(data).await?.ours().next().is_none() {
        return Ok(erased);
    }
    let (lake, _locked) = Lake::lock(data, None)?;
    let mut tombstones = Tombstones::of(data, &lake).await?;
    let spool = spooled(data, now)?;
    let tables = tables_of(Some(&lake)).await?;
    let people: Vec<_> = tombstones.ours().map(|(person, _)| person).collect();
    let mut is_new = false;
    for person in people {
        is_new |= learn(&mut tombstones, person, &tables, &spool).await?;
    }
    drop(spool);
    if is_new {
        tombstones.publish(&lake).await?;
    }
    let tombstones = Arc::new(tombstones);
    // They count the person too, and are made anew.
    Rollups::clear(&lake)?;
    crash_point("learned");
    let mut stopped = None;
    if data.join("spool").is_dir() {
        let mut taken = Compacted::default();
        stopped = take_all(data, &lake, &tombstones, now, &mut taken).await?;
        erased.from_spool = taken.forgotten;
    }
    let mut touched = BTreeSet::new();
    for kind in Kind::ALL {
        let Some(table) = lake.open(kind.table()).await? else { continue };
        touched.insert(kind.table());
        let days = days_with(&tombstones, *kind, &table).await?;
        for (first, last) in at_once(&table, days).await? {
            erased.from_tables += erase_days(&lake, &tombstones, *kind, (&first, &last)).await?;
            crash_point("erased");
        }
    }
    Digests::settle(&lake, &touched, &Pasts::new()).await?;
    crash_point("rewritten");
    for name in &touched {
        lake.sweep(name).await?;
        crash_point("swept");
    }
    // The logs are other ones now.
    Digests::settle(&lake, &touched, &Pasts::new()).await?;
    erased.waiting = spooled(data, now)?.iter().filter(|event| tombstones.cover(event)).count() as u64;
    stopped.map_or(Ok(erased), Err)
}

/// Removes all tables, and what lies beside them but the lock; of machines that share theirs, nothing of what they share.
///
/// # Errors
/// Where somebody else is writing the tables ([`StoreError::Busy`]), or the operating system refused: then the next call goes on.
pub fn clear(data: &Path) -> Result<(), StoreError> {
    let folder = data.join("store");
    if shared(data).is_some() || !folder.is_dir() {
        return Ok(());
    }
    let (_lake, _locked) = Lake::lock(data, None)?;
    let mut last = None;
    for entry in fs::read_dir(&folder).map_err(failed("list", &folder))? {
        let path = entry.map_err(failed("list", &folder))?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("compact.lock") => {}
            // Without the version of the layout nobody would find the rest.
            Some("store.json") => last = Some(path),
            _ if path.is_dir() => fs::remove_dir_all(&path).map_err(failed("remove", &path))?,
            _ => remove(&path)?,
        }
    }
    crash_point("emptied");
    last.map_or(Ok(()), |path| remove(&path))?;
    sync(&folder)
}

/// All events that the spool holds.
fn spooled(data: &Path, now: Timestamp) -> Result<Vec<Event>, StoreError> {
    if !data.join("spool").is_dir() {
        return Ok(Vec::new());
    }
    let segments = Spool::open(data)?.segments()?;
    let mut spooled = Vec::new();
    for event in segments.iter().flat_map(|segment| segment.events(now)) {
        match event {
            Ok(event) => spooled.push(event),
            // Nobody here can tell whose it is.
            Err(Unreadable { newer: Some(newer), .. }) => return Err((*newer).into()),
            Err(_) => {}
        }
    }
    Ok(spooled)
}

async fn tables_of(lake: Option<&Lake>) -> Result<BTreeMap<Kind, DeltaTable>, StoreError> {
    let mut tables = BTreeMap::new();
    let Some(lake) = lake else { return Ok(tables) };
    for kind in Kind::ALL {
        if let Some(table) = lake.open(kind.table()).await? {
            tables.insert(*kind, table);
        }
    }
    Ok(tables)
}

/// A tombstone of this person that is kept nowhere, with all that it covers.
async fn recognised(
    identity: Identity,
    words: &[&str],
    now: Timestamp,
    tables: &BTreeMap<Kind, DeltaTable>,
    spool: &[Event],
) -> Result<Tombstones, StoreError> {
    let mut tombstones = Tombstones::default();
    tombstones.lay(identity, words, now);
    learn(&mut tombstones, 0, tables, spool).await?;
    Ok(tombstones)
}

/// Notes which sessions and interactions are of a person; whether any is new.
async fn learn(
    tombstones: &mut Tombstones,
    person: usize,
    tables: &BTreeMap<Kind, DeltaTable>,
    spool: &[Event],
) -> Result<bool, StoreError> {
    let Some(until) = tombstones.ours().find(|(position, _)| *position == person).map(|(_, person)| person.until) else {
        return Ok(false);
    };
    let mut is_new = false;
    // The events that carry the pseudonym name the sessions, and only then it is known which interactions are of them.
    for _ in 0..2 {
        let mut traces = Traces::default();
        for (kind, table) in tables {
            for day in days_with(tombstones, *kind, table).await? {
                for batch in of_days(table, (&day, &day)).await? {
                    let of_batch = events(*kind, &batch)?;
                    of_batch.iter().filter(|event| tombstones.is_of(person, until, event)).for_each(|event| traces.see(event));
                }
            }
        }
        spool.iter().filter(|event| tombstones.is_of(person, until, event)).for_each(|event| traces.see(event));
        is_new |= tombstones.learn(person, &traces);
    }
    Ok(is_new)
}

/// The days on which a table may have events that tombstones cover.
async fn days_with(tombstones: &Tombstones, kind: Kind, table: &DeltaTable) -> Result<BTreeSet<String>, StoreError> {
    let people: Vec<_> = tombstones.ours().map(|(person, _)| person).collect();
    let mut conditions = Vec::new();
    let users = distinct(table, "\"user\"", "\"user\" IS NOT NULL").await?;
    let users = users.into_iter().filter(|user| people.iter().any(|person| tombstones.is_user(*person, user)));
    conditions.extend(is_one_of("\"user\"", users));
    let sessions = distinct(table, "session", "\"user\" IS NULL AND session IS NOT NULL").await?;
    let sessions = sessions.into_iter().filter(|session| people.iter().any(|person| tombstones.is_session(*person, session)));
    conditions.extend(is_one_of("session", sessions));
    if kind == Kind::Label {
        let labelled = distinct(table, "\"of\"", "\"of\" IS NOT NULL").await?;
        let labelled = labelled.into_iter().filter(|id| people.iter().any(|person| tombstones.is_interaction(*person, id)));
        conditions.extend(is_one_of("\"of\"", labelled));
    }
    if conditions.is_empty() { Ok(BTreeSet::new()) } else { distinct(table, "CAST(day AS VARCHAR)", &conditions.join(" OR ")).await }
}

/// That a column has one of these values; none where there are none.
fn is_one_of(column: &str, values: impl Iterator<Item = String>) -> Option<String> {
    let values: Vec<_> = values.map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    (!values.is_empty()).then(|| format!("{column} IN ({})", values.join(", ")))
}

async fn distinct(table: &DeltaTable, column: &str, of: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    for batch in select(table, &format!("SELECT DISTINCT {column} FROM lake WHERE {of}")).await? {
        let text = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
        found.extend(text.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(found)
}

async fn of_days(table: &DeltaTable, (first, last): (&str, &str)) -> Result<Vec<RecordBatch>, StoreError> {
    select(table, &format!("SELECT * FROM lake WHERE day >= DATE '{first}' AND day <= DATE '{last}'")).await
}

/// The spans from a first to a last day that are written anew at once, so that each of these days is in one: a file that has several of
/// them is not written once for each.
async fn at_once(table: &DeltaTable, days: BTreeSet<String>) -> Result<Vec<(String, String)>, StoreError> {
    let mut rows = BTreeMap::new();
    for batch in select(table, "SELECT CAST(day AS VARCHAR), count(*) FROM lake GROUP BY day").await? {
        let days = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
        let counts = batch.column(1).as_primitive::<Int64Type>();
        let of_day = days.as_string::<i32>().iter().zip(counts).filter_map(|(day, n)| Some((day?.to_owned(), u64::try_from(n?).ok()?)));
        rows.extend(of_day);
    }
    Ok(spans(&rows, days, ROWS_AT_ONCE))
}

fn spans(rows: &BTreeMap<String, u64>, days: BTreeSet<String>, rows_max: u64) -> Vec<(String, String)> {
    let mut spans: Vec<(String, String)> = Vec::new();
    let mut held = 0;
    for day in days {
        let of = |from: Bound<&String>| rows.range::<String, _>((from, Bound::Included(&day))).map(|(_, n)| n).sum::<u64>();
        match spans.last_mut() {
            Some((_, last)) if held + of(Bound::Excluded(last)) <= rows_max => {
                held += of(Bound::Excluded(last));
                *last = day;
            }
            _ => {
                held = of(Bound::Included(&day));
                spans.push((day.clone(), day));
            }
        }
    }
    spans
}

/// Writes the days of a span without what tombstones cover; how much that was.
async fn erase_days(lake: &Lake, tombstones: &Tombstones, kind: Kind, span: (&str, &str)) -> Result<u64, StoreError> {
    let erase = async |table: Option<DeltaTable>| {
        let Some(table) = table else { return Ok(0) };
        let (mut left, mut gone) = (Vec::new(), 0);
        for batch in of_days(&table, span).await? {
            let (covered, others): (Vec<_>, Vec<_>) = events(kind, &batch)?.into_iter().partition(|event| tombstones.cover(event));
            gone += covered.len() as u64;
            for others in others.chunks(ROWS) {
                left.push(tables::batch(kind, &others.iter().collect::<Vec<_>>())?);
            }
        }
        if gone > 0 {
            lake.rewrite_days(kind.table(), table, span, left).await?;
        }
        Ok(gone)
    };
    lake.undisturbed(kind.table(), erase).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_anew_together_as_long_as_they_fit() {
        let rows: BTreeMap<_, _> = [("01", 40), ("02", 40), ("03", 10), ("05", 200), ("06", 1)].map(|(day, n)| (day.to_owned(), n)).into();
        let of = |days: &[&str]| spans(&rows, days.iter().map(|day| (*day).to_owned()).collect(), 100);
        let span = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        assert_eq!(of(&["01", "03"]), [span("01", "03")]);
        assert_eq!(of(&["01", "02", "03", "05", "06"]), [span("01", "03"), span("05", "05"), span("06", "06")]);
        assert_eq!(of(&[]), []);
    }
}
