//! Which events are there already: identity is (kind, id).

use crate::{Store, StoreError, heads::Head, lake::select, sql, tables};
use datafusion::{
    arrow::{array::AsArray, compute::cast, datatypes::DataType, record_batch::RecordBatch},
    error::DataFusionError,
};
use deltalake_core::DeltaTable;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Event, Kind};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// The ids of some events.
#[derive(Default)]
pub(crate) struct Identities {
    seen: HashSet<u128>,
    days: BTreeMap<Kind, BTreeSet<i32>>,
    /// The smallest and the largest id of each kind.
    range: BTreeMap<Kind, (String, String)>,
}

impl Identities {
    /// Whether this event is the first of its id here. One without an id always is.
    pub(crate) fn admit(&mut self, event: &Event) -> bool {
        let (kind, Some(id)) = (event.kind(), &event.id) else { return true };
        if !self.seen.insert(identity(kind, id)) {
            return false;
        }
        self.days.entry(kind).or_default().insert(tables::day(event.at));
        match self.range.get_mut(&kind) {
            Some((least, _)) if id < least => least.clone_from(id),
            Some((_, most)) if id > most => most.clone_from(id),
            Some(_) => {}
            None => _ = self.range.insert(kind, (id.clone(), id.clone())),
        }
        true
    }

    /// Whether a table may have any of them. Ids that doors make rise with time: most often, all of the table are smaller.
    pub(crate) fn may_be_in(&self, kind: Kind, head: &Head) -> bool {
        self.range.get(&kind).is_some_and(|(least, most)| !head.has_no_id_between(least, most))
    }

    /// Those of them that a table has on the days of these events.
    pub(crate) async fn stored(&self, kind: Kind, table: &DeltaTable) -> Result<HashSet<u128>, StoreError> {
        let mut stored = HashSet::new();
        let (Some(days), Some((least, most))) = (self.days.get(&kind), self.range.get(&kind)) else { return Ok(stored) };
        let date = |day: &i32| format!("DATE '{}'", Date::constant(1970, 1, 1).saturating_add(i64::from(*day).days()));
        let days: Vec<_> = days.iter().map(date).collect();
        let quoted = |text: &str| text.replace('\'', "''");
        // So the range leaves most of a day unread.
        let sql =
            format!("SELECT id FROM lake WHERE day IN ({}) AND id >= '{}' AND id <= '{}'", days.join(", "), quoted(least), quoted(most));
        for batch in select(table, &sql).await? {
            stored.extend(of_batch(kind, &batch)?.into_iter().flatten().filter(|id| self.seen.contains(id)));
        }
        Ok(stored)
    }
}

impl Store {
    /// Which of these events are there already: on the days on which they happened, or, where when they happened is not told by
    /// what they are made of, on `any_day`.
    ///
    /// # Errors
    /// Where the engine fails.
    pub async fn known(&self, events: &[Event], any_day: bool) -> Result<Vec<bool>, StoreError> {
        let mut there = HashSet::new();
        for kind in Kind::ALL {
            let of_kind = || events.iter().filter(|event| event.kind() == *kind);
            let day = |event: &Event| event.at.to_jiff().to_zoned_datetime(TimeZone::UTC).date();
            let (Some(first), Some(last)) = (of_kind().map(day).min(), of_kind().map(day).max()) else { continue };
            let ids = || of_kind().filter_map(|event| event.id.as_deref());
            let (Some(least), Some(most)) = (ids().min(), ids().max()) else { continue };
            let wanted: HashSet<u128> = ids().map(|id| identity(*kind, id)).collect();
            // All ids of these days and not a list of thousands, which takes longer to understand than to find.
            let sql = sql::ids(*kind, (least, most), (!any_day).then_some((first, last)));
            for batch in self.run(&sql).await? {
                there.extend(of_batch(*kind, &batch)?.into_iter().flatten().filter(|id| wanted.contains(id)));
            }
        }
        let is_there = |event: &Event| event.id.as_ref().is_some_and(|id| there.contains(&identity(event.kind(), id)));
        Ok(events.iter().map(is_there).collect())
    }
}

/// The identities of the rows of a batch.
pub(crate) fn of_batch(kind: Kind, batch: &RecordBatch) -> Result<Vec<Option<u128>>, StoreError> {
    let ids = batch.column_by_name("id").ok_or(StoreError::Shape("id"))?;
    let ids = cast(ids, &DataType::Utf8).map_err(DataFusionError::from)?;
    Ok(ids.as_string::<i32>().iter().map(|id| id.map(|id| identity(kind, id))).collect())
}

/// 128 bits that stand for (kind, id). Two of a billion events are mistaken for one with a chance below 10⁻²⁰.
pub(crate) fn identity(kind: Kind, id: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, kind, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
