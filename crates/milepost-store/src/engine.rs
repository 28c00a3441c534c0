//! The query engine over all events of a store: of each kind the table, and beside it what the spool took in since.
//!
//! It is made when the first statement needs it. A scorecard whose questions rollups answer needs none, and making one takes longer than
//! that.

use crate::{
    StoreError,
    cluster::{self, Cluster},
    compact::no_claims,
    heads::{Head, Heads},
    lake::{Lake, SEGMENTS, in_table},
    rollups::COUNTED,
    tables,
};
use datafusion::{
    arrow::{
        array::{ArrayRef, new_null_array},
        compute::cast,
        datatypes::{DataType, FieldRef, Schema},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    common::Column,
    datasource::{MemTable, TableProvider},
    error::DataFusionError,
    prelude::{DataFrame, Expr, SessionConfig, SessionContext},
    scalar::ScalarValue,
};
use deltalake_core::DeltaTable;
use milepost_record::{Event, Kind, Span};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::OnceCell,
    task::{JoinError, JoinSet},
};

/// How many events of a kind are read as a whole for several questions. The unit tests have no time for so many.
const FEW: u64 = if cfg!(test) { 200 } else { 20_000 };
/// How long their files may be together, in bytes: some events carry long texts.
const FEW_BYTES: u64 = if cfg!(test) { 32 * 1024 } else { 16 * 1024 * 1024 };
/// So long before the end of a span its newest events are looked for.
const NEWEST_WITHIN: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(2 * 86_400)];
/// What is counted beside rollups: their own kinds of events, and notes, which announce fixed samples.
const BESIDE: [Kind; 4] = [Kind::Operation, Kind::Note, Kind::Session, Kind::Interaction];

/// The events of a kind that no table has yet, as a table, for what is counted beside rollups.
pub(crate) fn live_table(kind: Kind) -> String {
    format!("live_{}", kind.table())
}

/// A table as it was when the store was opened.
pub(crate) struct Stored {
    lake: Lake,
    name: &'static str,
    head: Head,
    /// What it tells of the past, where that was written down.
    past: Option<Vec<Event>>,
    /// Its log is read when it takes the engine.
    table: OnceCell<DeltaTable>,
}

impl Stored {
    /// A table as it is at this moment; none where there is none.
    pub(crate) async fn open(lake: Lake, heads: &Heads, name: &'static str) -> Result<Option<Self>, StoreError> {
        if let Some(head) = heads.of(&lake, name).cloned() {
            return Ok(Some(Self { lake, name, head, past: heads.past(name), table: OnceCell::new() }));
        }
        let Some(table) = lake.open(name).await? else { return Ok(None) };
        let head = Head::of(&table).map_err(in_table(name))?;
        Ok(Some(Self { lake, name, head, past: None, table: OnceCell::new_with(Some(table)) }))
    }

    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    /// What it tells of the past, which is taken once.
    pub(crate) const fn take_past(&mut self) -> Option<Vec<Event>> {
        self.past.take()
    }

    pub(crate) const fn is_short(&self) -> bool {
        self.head.rows <= FEW && self.head.bytes <= FEW_BYTES
    }

    pub(crate) async fn table(&self) -> Result<&DeltaTable, StoreError> {
        self.table.get_or_try_init(|| self.lake.open_at(self.name, self.head.version)).await
    }
}

/// What the engine reads, and the engine once there is one.
pub(crate) struct Engine {
    lake: Option<Lake>,
    stored: BTreeMap<Kind, Stored>,
    /// What no table has yet.
    live: BTreeMap<Kind, Vec<RecordBatch>>,
    /// The kinds of which there are few events.
    few: BTreeSet<Kind>,
    cluster: Option<Cluster>,
    all: OnceCell<SessionContext>,
    on_cluster: OnceCell<SessionContext>,
    of_few: OnceCell<SessionContext>,
    beside: OnceCell<SessionContext>,
}

impl Engine {
    pub(crate) fn over(
        lake: Option<Lake>,
        stored: BTreeMap<Kind, Stored>,
        live: BTreeMap<Kind, Vec<RecordBatch>>,
        cluster: Option<&Cluster>,
    ) -> Self {
        let mut engine = Self {
            lake,
            stored,
            live,
            few: BTreeSet::new(),
            cluster: cluster.cloned(),
            all: OnceCell::new(),
            on_cluster: OnceCell::new(),
            of_few: OnceCell::new(),
            beside: OnceCell::new(),
        };
        let is_few = |kind: &Kind| engine.stored.get(kind).is_none_or(Stored::is_short) && (1..=FEW).contains(&engine.events(*kind));
        engine.few = Kind::ALL.iter().copied().filter(is_few).collect();
        engine
    }

    /// How many events of a kind there are.
    pub(crate) fn events(&self, kind: Kind) -> u64 {
        let live = self.live.get(&kind).map_or(0, |batches| batches.iter().map(RecordBatch::num_rows).sum());
        self.stored.get(&kind).map_or(0, |stored| stored.head.rows) + live as u64
    }

    pub(crate) const fn few(&self) -> &BTreeSet<Kind> {
        &self.few
    }

    pub(crate) fn stored(&self, kind: Kind) -> Option<&Stored> {
        self.stored.get(&kind)
    }

    /// Parts of a span in which its newest events of a kind are looked for, one after the other; the last is the whole. Most often, those of
    /// the last hour or days are enough, and all others are left unread.
    pub(crate) fn newest_within(&self, kind: Kind, span: Span) -> Vec<Span> {
        // Where there are few, one statement more costs more than it saves.
        let parts = if self.few.contains(&kind) { &NEWEST_WITHIN[1..] } else { &NEWEST_WITHIN[..] };
        let late = parts.iter().map(|part| span.to.saturating_sub(*part)).filter(|from| *from > span.from);
        late.chain([span.from]).map(|from| Span { from, ..span }).collect()
    }

    /// What no table has yet of a kind.
    pub(crate) fn live(&self, kind: Kind) -> &[RecordBatch] {
        self.live.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The engine that knows the events of every kind, and the segments that the tables hold.
    pub(crate) async fn all(&self) -> Result<&SessionContext, StoreError> {
        self.all.get_or_try_init(|| self.made()).await
    }

    pub(crate) const fn has_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// The engine for statements about all events: on the cluster where one was named, else this one.
    pub(crate) async fn chosen(&self) -> Result<&SessionContext, StoreError> {
        match &self.cluster {
            Some(cluster) => self.on_cluster.get_or_try_init(|| self.made_on(cluster)).await,
            None => self.all().await,
        }
    }

    /// One with the same tables, on a cluster.
    async fn made_on(&self, cluster: &Cluster) -> Result<SessionContext, StoreError> {
        let engine = cluster.engine().await?;
        for kind in Kind::ALL {
            let all = match self.lake.as_ref().zip(self.stored(*kind)) {
                Some((lake, stored)) => {
                    let schema = viewed(&tables::batch(*kind, &[])?)?.schema();
                    let kept = cluster::of_files(&engine, lake, kind.table(), stored.head(), &schema)?;
                    if self.live(*kind).is_empty() { kept } else { kept.union(self.live_on(&engine, *kind)?)? }
                }
                None => self.live_on(&engine, *kind)?,
            };
            engine.register_table(kind.table(), all.into_view())?;
        }
        let schema = viewed(&no_claims()?)?.schema();
        let segments = match &self.lake {
            Some(lake) => lake.open(SEGMENTS).await?.map(|table| (lake, table)),
            None => None,
        };
        let segments = match segments {
            Some((lake, table)) => cluster::of_files(&engine, lake, SEGMENTS, &Head::of(&table).map_err(in_table(SEGMENTS))?, &schema)?,
            None => cluster::of_rows(&engine, &[], &schema)?,
        };
        engine.register_table(SEGMENTS, segments.into_view())?;
        Ok(engine)
    }

    /// What no table of a kind has yet, for an engine on a cluster.
    fn live_on(&self, engine: &SessionContext, kind: Kind) -> Result<DataFrame, StoreError> {
        let schema = viewed(&tables::batch(kind, &[])?)?.schema();
        cluster::of_rows(engine, &self.live(kind).iter().map(viewed).collect::<Result<Vec<_>, _>>()?, &schema)
    }

    async fn made(&self) -> Result<SessionContext, StoreError> {
        let engine = SessionContext::new_with_config(config());
        for kind in Kind::ALL {
            let schema = viewed(&tables::batch(*kind, &[])?)?.schema();
            let shaped = |table: DataFrame| -> Result<DataFrame, StoreError> {
                let columns = columns(&table, &schema)?;
                Ok(table.select(columns)?)
            };
            let kept = match self.stored(*kind) {
                Some(stored) => Some(shaped(engine.read_table(stored.table().await?.table_provider().await?)?)?),
                None => None,
            };
            let live = || shaped(engine.read_table(Arc::new(in_memory(*kind, &[], self.live(*kind))?))?);
            let both = match kept {
                Some(kept) if self.live(*kind).is_empty() => kept,
                Some(kept) => kept.union(live()?)?,
                None => live()?,
            };
            engine.register_table(kind.table(), both.into_view())?;
        }
        let none = no_claims()?;
        let segments = match &self.lake {
            Some(lake) => lake.open(SEGMENTS).await?,
            None => None,
        };
        let segments = match segments {
            Some(table) => engine.read_table(table.table_provider().await?)?,
            None => engine.read_batch(none.clone())?,
        };
        let columns = columns(&segments, &none.schema())?;
        engine.register_table(SEGMENTS, segments.select(columns)?.into_view())?;
        Ok(engine)
    }

    /// An engine that has the events in memory where they are few: then opening files costs more than reading them, and each question
    /// would open them anew.
    pub(crate) async fn of_few(&self) -> Result<&SessionContext, StoreError> {
        let read = || async {
            let (engine, mut reading) = (SessionContext::new_with_config(config()), JoinSet::new());
            // No question is about what was decided and judged.
            for kind in Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Criterion | Kind::Verdict)) {
                let is_few = self.few.contains(kind) || self.events(*kind) == 0;
                let stored = self.lake.clone().zip(self.stored(*kind).map(|stored| stored.head().clone()));
                let live = self.live(*kind).to_vec();
                reading.spawn_blocking(move || {
                    let kept = || stored.map_or_else(|| Some(Vec::new()), |(lake, head)| lake.rows(kind.table(), &head));
                    let kept = if is_few { kept() } else { None };
                    Ok((*kind, kept.map(|kept| in_memory(*kind, &kept, &live)).transpose()?))
                });
            }
            for (kind, table) in joined(reading).await? {
                let name = kind.table();
                let table: Arc<dyn TableProvider> = match table {
                    Some(table) => Arc::new(table),
                    None if self.few.contains(&kind) => {
                        let all = self.all().await?.table(name).await?;
                        Arc::new(MemTable::try_new(Arc::clone(all.schema().inner()), vec![all.collect().await?])?)
                    }
                    None => self.all().await?.table_provider(name).await?,
                };
                engine.register_table(name, table)?;
            }
            Ok(engine)
        };
        self.of_few.get_or_try_init(read).await
    }

    /// The engine for what is counted beside rollups: it also knows what no table has yet ([`live_table`]).
    pub(crate) async fn beside(&self) -> Result<&SessionContext, StoreError> {
        let made = || async {
            if let Some(cluster) = &self.cluster {
                let engine = self.made_on(cluster).await?;
                for kind in COUNTED {
                    engine.register_table(live_table(kind), self.live_on(&engine, kind)?.into_view())?;
                }
                return Ok(engine);
            }
            let known = if self.few.contains(&Kind::Operation) { self.of_few().await? } else { self.all().await? };
            let engine = SessionContext::new_with_config(config());
            for kind in BESIDE {
                engine.register_table(kind.table(), known.table_provider(kind.table()).await?)?;
            }
            for kind in COUNTED {
                engine.register_table(live_table(kind), Arc::new(in_memory(kind, &[], self.live(kind))?))?;
            }
            Ok(engine)
        };
        self.beside.get_or_try_init(made).await
    }
}

/// One partition: what a question reads is small or comes from few files, and more would cost planning.
pub(crate) fn config() -> SessionConfig {
    SessionConfig::new().with_target_partitions(1).with_information_schema(false)
}

/// The events of a kind as a table: what its files have, and what no table has yet.
fn in_memory(kind: Kind, kept: &[RecordBatch], live: &[RecordBatch]) -> Result<MemTable, StoreError> {
    let schema = viewed(&tables::batch(kind, &[])?)?.schema();
    let shaped = |batch: &RecordBatch| {
        // A table that grew has its columns in another order, and what it lacks is null.
        let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        };
        RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect::<Result<_, _>>()?)
    };
    let batches = kept.iter().map(shaped).chain(live.iter().map(viewed)).collect::<Result<Vec<_>, _>>()?;
    Ok(MemTable::try_new(Arc::clone(&schema), vec![batches])?)
}

/// The same rows with their texts as views, as tables are read: so kinds can stand in one UNION wherever the events of each lie at
/// the moment.
pub(crate) fn viewed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let is_text = |field: &FieldRef| field.data_type() == &DataType::Utf8;
    let field = |field: &FieldRef| {
        if is_text(field) { Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)) } else { field.clone() }
    };
    let column = |(of, column): (&FieldRef, &ArrayRef)| if is_text(of) { cast(column, &DataType::Utf8View) } else { Ok(column.clone()) };
    let columns = schema.fields().iter().zip(batch.columns()).map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())), columns)
}

/// The columns of a schema in its order: a table that grew has them in another, and one that it lacks is null.
pub(crate) fn columns(table: &DataFrame, schema: &Schema) -> Result<Vec<Expr>, StoreError> {
    let of = |field: &FieldRef| {
        let name = field.name().as_str();
        if table.schema().has_column_with_unqualified_name(name) {
            return Ok(Expr::Column(Column::from_name(name)));
        }
        Ok(Expr::Literal(ScalarValue::try_from(field.data_type())?, None).alias(name))
    };
    schema.fields().iter().map(of).collect()
}

/// What some tasks found, in the order in which they ended. Where one panics, as the engine may over a damaged file, so does this.
pub(crate) async fn joined<T: 'static>(mut tasks: JoinSet<Result<T, StoreError>>) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let failed = |error: JoinError| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => DataFusionError::External(error.into()),
        };
        found.push(done.map_err(failed)??);
    }
    Ok(found)
}
