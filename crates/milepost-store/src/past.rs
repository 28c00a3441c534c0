//! What was decided and judged before: who opens a store is told.
//!
//! Where it is little, it is read without the engine, while other tables are opened.

use crate::{
    StoreError,
    answer::Columns,
    engine::{Engine, Stored},
    events::events,
    lake::Lake,
};
use datafusion::arrow::{array::BooleanArray, compute::filter_record_batch, record_batch::RecordBatch};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use milepost_record::{Event, Kind, Timestamp, Topic};
use std::collections::BTreeMap;
use tokio::task::spawn_blocking;

/// The rows of the tables that it lies in, of those that are in memory.
pub(crate) type Read = BTreeMap<Kind, Vec<RecordBatch>>;

/// All rows of the table of a kind, where they are few and tell of the past.
pub(crate) async fn read(lake: &Lake, kind: Kind, stored: &Stored) -> Option<Vec<RecordBatch>> {
    if !matches!(kind, Kind::Criterion | Kind::Verdict | Kind::Note) || !stored.is_short() {
        return None;
    }
    let (lake, head) = (lake.clone(), stored.head().clone());
    // Where this fails, the engine tries it, and says what is wrong.
    spawn_blocking(move || lake.rows(kind.table(), &head)).await.ok().flatten()
}

/// Every `criterion` event, the newest `verdict` event of each criterion, definition and verdict, and every note on a period that does not
/// count; those of each kind in the order of time.
pub(crate) async fn past(engine: &Engine, read: &mut Read) -> Result<Vec<Event>, StoreError> {
    let mut past = decided(batches(engine, read, Kind::Criterion).await?).await?;
    past.extend(newest_verdicts(batches(engine, read, Kind::Verdict).await?).await?);
    past.extend(excluded(batches(engine, read, Kind::Note).await?).await?);
    Ok(past)
}

type Batches<'a> = BoxStream<'a, Result<RecordBatch, StoreError>>;

/// All events of a kind.
async fn batches<'a>(engine: &'a Engine, read: &mut Read, kind: Kind) -> Result<Batches<'a>, StoreError> {
    let stored = match engine.stored(kind) {
        Some(_) => read.remove(&kind),
        None => Some(Vec::new()),
    };
    Ok(match stored {
        Some(stored) => stream::iter(stored.into_iter().chain(engine.live(kind).iter().cloned()).map(Ok)).boxed(),
        None => engine.all().await?.table(kind.table()).await?.execute_stream().await?.map_err(StoreError::from).boxed(),
    })
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

/// There may be as many as hours since the first: only the newest become events.
async fn newest_verdicts(mut batches: Batches<'_>) -> Result<Vec<Event>, StoreError> {
    type Moment = (Timestamp, Option<String>);
    let mut newest: BTreeMap<[Option<String>; 3], (Moment, RecordBatch)> = BTreeMap::new();
    while let Some(batch) = batches.try_next().await? {
        let columns = Columns::of(&batch);
        let (criterion, definition, verdict) = (columns.text("criterion")?, columns.text("evidence_key")?, columns.text("verdict")?);
        let (at, id) = (columns.times("at")?, columns.text("id")?);
        for row in 0..columns.rows() {
            let (key, moment) = ([criterion(row), definition(row), verdict(row)], (crate::answer::time(&at, row)?, id(row)));
            if newest.get(&key).is_none_or(|(known, _)| moment > *known) {
                newest.insert(key, (moment, batch.slice(row, 1)));
            }
        }
    }
    let found = newest.into_values().map(|(_, row)| events(Kind::Verdict, &row)).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(found.concat()))
}
