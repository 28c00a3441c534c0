//! The store: a snapshot of all events, registered as tables.

use crate::{answer, rows::Row, sql, tables::Tables};
use datafusion::{
    arrow::record_batch::RecordBatch,
    error::DataFusionError,
    prelude::{SessionConfig, SessionContext},
};
use milepost_record::{Answer, Event, Inventory, Kind, Question, Spool, SpoolError, Timestamp, UNREADABLE_MAX};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

/// Why the store cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The spool cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The query engine failed.
    #[error("the query engine failed: {0}")]
    Engine(#[from] DataFusionError),
    /// The engine's answer has not the shape that its question asked for.
    #[error("the query engine answered without a column `{0}` of the expected type: this is a mistake in Milepost, please report it")]
    Shape(&'static str),
}

/// All events of a data folder as they were when it was opened, each counted once.
pub struct Store {
    engine: SessionContext,
    inventory: Inventory,
    past: Vec<Event>,
}

impl Store {
    /// Reads the events of a data folder. `now` is the moment of receipt against which events of the future are set aside.
    ///
    /// # Errors
    /// Where the spool cannot be read.
    pub fn open(data: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let mut tables = Tables::default();
        let mut past = Vec::new();
        let inventory = for_each_event(data, now, |event| {
            if matches!(event.kind(), Kind::Criterion | Kind::Verdict) {
                past.push(event.clone());
            }
            tables.push(event)
        })?;
        // One partition: a snapshot of a spool is small, and more would cost planning before they save anything.
        let config = SessionConfig::new().with_target_partitions(1).with_information_schema(false);
        let engine = SessionContext::new_with_config(config);
        tables.register(&engine)?;
        Ok(Self { engine, inventory, past })
    }

    /// What the events hold as a whole.
    #[must_use]
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The `criterion` and `verdict` events: what was decided and judged before.
    #[must_use]
    pub fn past(&self) -> &[Event] {
        &self.past
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn answer(&self, question: &Question) -> Result<Answer, StoreError> {
        let sql = sql::of(question, self.inventory.events.get(&question.subject.kind()).copied().unwrap_or(0));
        let batches = self.query(&sql).await?;
        Ok(Answer { evidence: answer::of(question, &batches)?, sql })
    }

    /// The newest events that count for a question, at most `limit`: for each the columns that have a value.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn newest(&self, question: &Question, limit: usize) -> Result<Vec<Row>, StoreError> {
        crate::rows::rows(&self.query(&sql::newest(question, limit)).await?)
    }

    /// How many operations there are since a moment, by operation, origin and door.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn activity(&self, from: Timestamp) -> Result<Vec<Row>, StoreError> {
        crate::rows::rows(&self.query(&sql::activity(from)).await?)
    }

    async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, StoreError> {
        Ok(self.engine.sql(sql).await?.collect().await?)
    }
}

/// Visits each event of a data folder once, in the order of the spool, and says what there is. A folder without a spool has
/// no events.
///
/// # Errors
/// Where the spool cannot be read, or `visit` fails.
pub fn for_each_event<E: From<SpoolError>>(
    data: &Path,
    now: Timestamp,
    mut visit: impl FnMut(Event) -> Result<(), E>,
) -> Result<Inventory, E> {
    let mut inventory = Inventory::default();
    if !data.join("spool").is_dir() {
        return Ok(inventory);
    }
    let mut seen = HashSet::new();
    for segment in Spool::open(data)?.segments()? {
        inventory.segments.0 += 1;
        inventory.segments.1 += segment.bytes();
        for event in segment.events(now) {
            match event {
                Ok(event) if seen.insert(identity(&event)) => {
                    *inventory.events.entry(event.kind()).or_default() += 1;
                    visit(event)?;
                }
                Ok(_) => inventory.repeated += 1,
                Err(unreadable) => {
                    inventory.unreadable += 1;
                    if inventory.first_unreadable.len() < UNREADABLE_MAX {
                        inventory.first_unreadable.push(unreadable);
                    }
                }
            }
        }
    }
    Ok(inventory)
}

/// 128 bits that stand for (kind, id). Two of a billion events are mistaken for one with a chance below 10⁻²⁰.
fn identity(event: &Event) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, event.kind(), &event.id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
