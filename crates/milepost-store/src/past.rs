//! What was decided and judged before: who opens a store is told.
//!
//! As much as a year of hourly verdicts comes down to some dozens of events. Whoever takes verdicts in writes these down beside the table (see
//! `heads.rs`); where that was not done, they are read from the table, and without the engine where it is short.

use crate::{
    StoreError,
    answer::Columns,
    engine::{self, Engine, Stored},
    events::events,
    lake::Lake,
    tables,
};
use datafusion::{
    arrow::{array::BooleanArray, compute::filter_record_batch, record_batch::RecordBatch},
    common::runtime::SpawnedTask,
    prelude::SessionContext,
};
use deltalake_core::DeltaTable;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use milepost_record::{Event, Fact, Kind, Timestamp, Topic};
use std::collections::BTreeMap;
use tokio::task::spawn_blocking;

/// The kinds of events that tell of it.
const KINDS: [Kind; 3] = [Kind::Criterion, Kind::Verdict, Kind::Note];

/// What tables tell of it, by their names.
pub(crate) type Pasts = BTreeMap<&'static str, Vec<Event>>;

/// What is known of a table without the engine.
pub(crate) enum Past {
    Told(Vec<Event>),
    Rows(Vec<RecordBatch>),
}

/// What the table of a kind tells of the past: as it was written down, or all its rows where they are few.
pub(crate) async fn read(lake: &Lake, kind: Kind, stored: &mut Stored) -> Option<Past> {
    if !KINDS.contains(&kind) {
        return None;
    }
    if let Some(past) = stored.take_past() {
        return Some(Past::Told(past));
    }
    if !stored.is_short() {
        return None;
    }
    let (lake, head) = (lake.clone(), stored.head().clone());
    // Where this fails, the engine tries it, and says what is wrong.
    spawn_blocking(move || lake.rows(kind.table(), &head)).await.ok().flatten().map(Past::Rows)
}

/// Every `criterion` event, the newest `verdict` event of each criterion, definition and verdict, and every note on a period that does not
/// count; those of each kind in the order of time.
pub(crate) async fn past(engine: &Engine, read: &mut BTreeMap<Kind, Past>) -> Result<Vec<Event>, StoreError> {
    let mut past = Vec::new();
    for kind in KINDS {
        let live = engine.live(kind);
        let of_table: Batches<'_> = match (engine.stored(kind), read.remove(&kind)) {
            (_, Some(Past::Told(told))) => {
                past.extend(with(kind, told, live).await?);
                continue;
            }
            (_, Some(Past::Rows(rows))) => stream::iter(rows.into_iter().chain(live.iter().cloned()).map(Ok)).boxed(),
            (None, None) => stream::iter(live.iter().cloned().map(Ok)).boxed(),
            (Some(_), None) => engine.all().await?.table(kind.table()).await?.execute_stream().await?.map_err(StoreError::from).boxed(),
        };
        past.extend(told(kind, of_table).await?);
    }
    Ok(past)
}

/// What was told of the past, and what more rows of its kind tell.
pub(crate) async fn with(kind: Kind, mut known: Vec<Event>, rows: &[RecordBatch]) -> Result<Vec<Event>, StoreError> {
    if rows.iter().all(|rows| rows.num_rows() == 0) {
        return Ok(known);
    }
    known.extend(told(kind, stream::iter(rows.iter().cloned().map(Ok)).boxed()).await?);
    if kind == Kind::Verdict {
        let mut newest = Newest::new();
        for event in known {
            let Fact::Verdict(verdict) = &event.fact else { continue };
            let key = [&verdict.criterion, &verdict.evidence_key, verdict.verdict.name()].map(|of| Some(of.to_owned()));
            keep_newest(&mut newest, key, (event.at, event.id.clone()), || event);
        }
        known = newest.into_values().map(|(_, event)| event).collect();
    }
    Ok(in_order(known))
}

/// What a table tells of the past; none where it tells nothing of it, or cannot be read: then whoever reads it is told why.
pub(crate) async fn of_table(table: &DeltaTable, name: &str) -> Option<Vec<Event>> {
    let kind = kind_of(name)?;
    let provider = table.table_provider().await.ok()?;
    let read = async move {
        let rows = SessionContext::new_with_config(engine::config()).read_table(provider)?;
        let columns = engine::columns(&rows, &tables::batch(kind, &[])?.schema())?;
        told(kind, rows.select(columns)?.execute_stream().await?.map_err(StoreError::from).boxed()).await
    };
    // As a task: the engine may panic over a damaged file.
    SpawnedTask::spawn(read).join().await.ok()?.ok()
}

/// The kind of a table that tells of the past.
pub(crate) fn kind_of(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.table() == name)
}

type Batches<'a> = BoxStream<'a, Result<RecordBatch, StoreError>>;

/// What all rows of a kind tell of the past.
async fn told(kind: Kind, rows: Batches<'_>) -> Result<Vec<Event>, StoreError> {
    match kind {
        Kind::Verdict => newest_verdicts(rows).await,
        Kind::Note => excluded(rows).await,
        _ => decided(rows).await,
    }
}

fn in_order(mut found: Vec<Event>) -> Vec<Event> {
    found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    found
}

async fn decided(mut batches: Batches<'_>) -> Result<Vec<Event>, StoreError> {
    let mut found = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        found.extend(events(Kind::Criterion, &batch)?);
    }
    Ok(in_order(found))
}

async fn excluded(mut batches: Batches<'_>) -> Result<Vec<Event>, StoreError> {
    let mut found = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let topic = Columns::of(&batch).text("topic")?;
        let is_one: BooleanArray = (0..batch.num_rows()).map(|row| Some(topic(row).as_deref() == Some(Topic::Exclude.name()))).collect();
        found.extend(events(Kind::Note, &filter_record_batch(&batch, &is_one)?)?);
    }
    Ok(in_order(found))
}

/// By criterion, definition and verdict the newest, with its moment and id.
type Newest<T> = BTreeMap<[Option<String>; 3], ((Timestamp, Option<String>), T)>;

fn keep_newest<T>(newest: &mut Newest<T>, key: [Option<String>; 3], moment: (Timestamp, Option<String>), of: impl FnOnce() -> T) {
    if newest.get(&key).is_none_or(|(known, _)| moment > *known) {
        newest.insert(key, (moment, of()));
    }
}

/// There may be as many as hours since the first: only the newest become events.
async fn newest_verdicts(mut batches: Batches<'_>) -> Result<Vec<Event>, StoreError> {
    let mut newest = Newest::new();
    while let Some(batch) = batches.try_next().await? {
        let columns = Columns::of(&batch);
        let (criterion, definition, verdict) = (columns.text("criterion")?, columns.text("evidence_key")?, columns.text("verdict")?);
        let (at, id) = (columns.times("at")?, columns.text("id")?);
        for row in 0..columns.rows() {
            let (key, moment) = ([criterion(row), definition(row), verdict(row)], (crate::answer::time(&at, row)?, id(row)));
            keep_newest(&mut newest, key, moment, || batch.slice(row, 1));
        }
    }
    let found = newest.into_values().map(|(_, row)| events(Kind::Verdict, &row)).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(found.concat()))
}
