//! The spool's part of a store: what was recorded and no table has yet.

use crate::{
    StoreError,
    compact::Claims,
    engine::Stored,
    identity::{Identities, without},
    spooled::{Spooled, together},
    tombstones::Tombstones,
};
use datafusion::arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use milepost_record::{Inventory, Kind, Segment, Timestamp, UNREADABLE_MAX};
use std::{collections::BTreeMap, mem::take, pin::pin, sync::Arc};

/// What the spool holds and no table does.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) batches: BTreeMap<Kind, Vec<RecordBatch>>,
    identities: Identities,
    /// All but how many events of each kind there are.
    pub(crate) inventory: Inventory,
}

impl Live {
    /// The events of these segments, but those that the tables hold up to a segment.
    pub(crate) async fn read(
        segments: Vec<Segment>,
        held: &BTreeMap<Kind, u64>,
        claims: &Claims,
        tombstones: &Arc<Tombstones>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut live = Self::default();
        let mut sequences = Vec::new();
        for segment in &segments {
            live.inventory.segments.0 += 1;
            live.inventory.segments.1 += segment.bytes();
            // A segment that the store knows by this number as another one is held by no table.
            sequences.push(match segment.sequence() {
                Some(sequence) => (!claims.are_foreign_to(sequence, &segment.digest()?)).then_some(sequence),
                None => None,
            });
        }
        let segments: Vec<_> = segments.into_iter().map(Arc::new).collect();
        let mut read = pin!(Spooled::of(&segments, now, tombstones)?);
        while let Some((position, Spooled { rows, unreadable, .. })) = read.try_next().await.map_err(|(_, error)| error)? {
            live.inventory.unreadable += unreadable.len() as u64;
            let room = UNREADABLE_MAX.saturating_sub(live.inventory.first_unreadable.len());
            live.inventory.first_unreadable.extend(unreadable.into_iter().take(room));
            let sequence = sequences[position];
            for (kind, rows) in rows {
                if sequence.is_none() || held.get(&kind).copied() < sequence {
                    let left = live.identities.admit(kind, &rows)?;
                    live.keep(kind, &rows, left);
                }
            }
        }
        for (kind, batches) in &mut live.batches {
            *batches = together(*kind, take(batches))?;
        }
        Ok(live)
    }

    /// Keeps what is left of some rows: the others are there already.
    fn keep(&mut self, kind: Kind, rows: &RecordBatch, left: RecordBatch) {
        self.inventory.repeated += (rows.num_rows() - left.num_rows()) as u64;
        if left.num_rows() > 0 {
            self.batches.entry(kind).or_default().push(left);
        }
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
        for rows in self.batches.remove(&kind).unwrap_or_default() {
            let left = without(kind, &rows, &stored)?;
            self.keep(kind, &rows, left);
        }
        Ok(())
    }
}
