//! What segments of the spool hold, as columns: read in stretches, several at a time, as telling what a line says is most of the work of
//! taking it in.

use crate::{StoreError, tables, tombstones::Tombstones};
use datafusion::{
    arrow::{compute::BatchCoalescer, record_batch::RecordBatch},
    common::runtime::SpawnedTask,
    error::DataFusionError,
};
use futures::{Stream, StreamExt, stream};
use milepost_record::{Event, Kind, Segment, Stretch, Timestamp, Unreadable};
use std::{collections::BTreeMap, num::NonZero, sync::Arc, thread::available_parallelism};

/// How many events make one batch of rows.
pub(crate) const ROWS: usize = 8192;
/// How long a stretch is, in bytes: its events have to fit into memory several times, and be worth a task.
const STRETCH_BYTES: u64 = 4 * 1024 * 1024;

/// What a stretch of a segment holds.
#[derive(Default)]
pub(crate) struct Spooled {
    /// Events, as rows of the table of their kind; of each kind in the order of their lines.
    pub(crate) rows: Vec<(Kind, RecordBatch)>,
    /// What is no event, or none yet.
    pub(crate) unreadable: Vec<Unreadable>,
    /// How many events and lines are of somebody who was forgotten, and left out.
    pub(crate) forgotten: u64,
}

/// What a stretch holds, or why it cannot be read, with the position of its segment.
type Read = Result<(usize, Spooled), (usize, StoreError)>;

impl Spooled {
    fn read(stretch: &Stretch, now: Timestamp, tombstones: &Tombstones) -> Result<Self, StoreError> {
        let (mut read, mut waiting) = (Self::default(), BTreeMap::<Kind, Vec<Event>>::new());
        for event in stretch.events(now) {
            match event {
                Ok(event) if tombstones.cover(&event) => read.forgotten += 1,
                Ok(event) => {
                    let kind = event.kind();
                    let of_kind = waiting.entry(kind).or_default();
                    of_kind.push(event);
                    if of_kind.len() >= ROWS {
                        read.rows.push((kind, tables::batch(kind, &of_kind.iter().collect::<Vec<_>>())?));
                        of_kind.clear();
                    }
                }
                // What is judged or taken in without it would not be what was recorded.
                Err(Unreadable { newer: Some(newer), .. }) => return Err((*newer).into()),
                Err(unreadable) if tombstones.name(&unreadable.text) => read.forgotten += 1,
                Err(unreadable) => read.unreadable.push(unreadable),
            }
        }
        for (kind, events) in waiting.into_iter().filter(|(_, events)| !events.is_empty()) {
            read.rows.push((kind, tables::batch(kind, &events.iter().collect::<Vec<_>>())?));
        }
        Ok(read)
    }

    /// Reads segments, stretch by stretch in their order.
    pub(crate) fn of(
        segments: &[Arc<Segment>],
        now: Timestamp,
        tombstones: &Arc<Tombstones>,
    ) -> Result<impl Stream<Item = Read> + use<>, StoreError> {
        let mut stretches = Vec::new();
        for (position, segment) in segments.iter().enumerate() {
            stretches.extend(segment.stretches(STRETCH_BYTES)?.into_iter().map(|stretch| (position, stretch)));
        }
        let tombstones = Arc::clone(tombstones);
        let read = move |(position, stretch): (usize, Stretch)| {
            let tombstones = Arc::clone(&tombstones);
            let task = SpawnedTask::spawn_blocking(move || Self::read(&stretch, now, &tombstones));
            let read = async { task.join().await.map_err(|error| DataFusionError::External(error.into()))? };
            async move { read.await.map(|read| (position, read)).map_err(|error| (position, error)) }
        };
        Ok(stream::iter(stretches).map(read).buffered(available_parallelism().map_or(1, NonZero::get)))
    }
}

/// Makes few batches of many small ones.
pub(crate) fn together(kind: Kind, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, StoreError> {
    let mut coalescer = BatchCoalescer::new(tables::batch(kind, &[])?.schema(), ROWS).with_biggest_coalesce_batch_size(Some(ROWS / 2));
    for rows in rows {
        coalescer.push_batch(rows)?;
    }
    coalescer.finish_buffered_batch()?;
    Ok(std::iter::from_fn(|| coalescer.next_completed_batch()).collect())
}
