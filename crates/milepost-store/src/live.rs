//! The spool's part of a store: what was recorded and no table has yet.

use crate::{
    StoreError,
    compact::Claims,
    engine::Stored,
    identity::{Identities, of_batch},
    tables,
    tombstones::Tombstones,
};
use datafusion::arrow::{array::BooleanArray, compute::filter_record_batch, record_batch::RecordBatch};
use milepost_record::{Event, Inventory, Kind, Segment, Timestamp, UNREADABLE_MAX, Unreadable};
use std::collections::BTreeMap;

/// How many events of the spool make one batch.
const BATCH: usize = 8192;

/// What the spool holds and no table does.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) batches: BTreeMap<Kind, Vec<RecordBatch>>,
    identities: Identities,
    pub(crate) inventory: Inventory,
}

impl Live {
    /// The events of these segments, but those that the tables hold up to a segment.
    pub(crate) fn read(
        segments: Vec<Segment>,
        held: &BTreeMap<Kind, u64>,
        claims: &Claims,
        tombstones: &mut Tombstones,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut live = Self::default();
        let mut waiting: BTreeMap<Kind, Vec<Event>> = BTreeMap::new();
        for segment in segments {
            live.inventory.segments.0 += 1;
            live.inventory.segments.1 += segment.bytes();
            // A segment that the store knows by this number as another one is held by no table.
            let sequence = match segment.sequence() {
                Some(sequence) => (!claims.are_foreign_to(sequence, &segment.digest()?)).then_some(sequence),
                None => None,
            };
            for event in segment.events(now) {
                let event = match event {
                    Ok(event) => event,
                    // What is judged without it would not be what was recorded.
                    Err(Unreadable { newer: Some(newer), .. }) => return Err((*newer).into()),
                    Err(unreadable) => {
                        live.inventory.unreadable += 1;
                        if live.inventory.first_unreadable.len() < UNREADABLE_MAX {
                            live.inventory.first_unreadable.push(unreadable);
                        }
                        continue;
                    }
                };
                if tombstones.cover(&event) {
                    continue;
                }
                let kind = event.kind();
                if sequence.is_some() && held.get(&kind).copied() >= sequence {
                    continue;
                }
                if !live.identities.admit(&event) {
                    live.inventory.repeated += 1;
                    continue;
                }
                let waiting = waiting.entry(kind).or_default();
                waiting.push(event);
                if waiting.len() >= BATCH {
                    live.push(kind, &std::mem::take(waiting))?;
                }
            }
        }
        for (kind, events) in waiting {
            live.push(kind, &events)?;
        }
        Ok(live)
    }

    fn push(&mut self, kind: Kind, events: &[Event]) -> Result<(), StoreError> {
        if !events.is_empty() {
            *self.inventory.events.entry(kind).or_default() += events.len() as u64;
            self.batches.entry(kind).or_default().push(tables::batch(kind, &events.iter().collect::<Vec<_>>())?);
        }
        Ok(())
    }

    /// Leaves out the events whose ids a table already has: a sender tried again, or a spool was restored.
    pub(crate) async fn leave_out(&mut self, kind: Kind, of_kind: &Stored) -> Result<(), StoreError> {
        if !self.identities.may_be_in(kind, of_kind.head()) {
            return Ok(());
        }
        let stored = self.identities.stored(kind, of_kind.table().await?).await?;
        if stored.is_empty() {
            return Ok(());
        }
        for batch in self.batches.entry(kind).or_default() {
            let keep: BooleanArray = of_batch(kind, batch)?.into_iter().map(|id| Some(id.is_none_or(|id| !stored.contains(&id)))).collect();
            let left = filter_record_batch(batch, &keep)?;
            let gone = (batch.num_rows() - left.num_rows()) as u64;
            self.inventory.repeated += gone;
            if let Some(n) = self.inventory.events.get_mut(&kind) {
                *n -= gone;
            }
            *batch = left;
        }
        Ok(())
    }
}
