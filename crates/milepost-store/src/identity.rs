//! Which events are there already: identity is (kind, id).

use crate::{Store, StoreError, heads::Head, lake::select, sql, tables};
use datafusion::arrow::{
    array::{AsArray, BooleanArray, StringArray},
    compute::{cast, filter_record_batch},
    datatypes::{DataType, Date32Type},
    record_batch::RecordBatch,
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
    range: BTreeMap<Kind, Option<(String, String)>>,
}

impl Identities {
    /// Of events, as the rows of their table, those that are the first of their id here. One without an id always is.
    pub(crate) fn admit(&mut self, kind: Kind, rows: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let ids = texts(rows, "id")?;
        let days =
            rows.column_by_name(tables::DAY).and_then(|days| days.as_primitive_opt::<Date32Type>()).ok_or(StoreError::Shape("day"))?;
        let of_kind = self.days.entry(kind).or_default();
        let range = self.range.entry(kind).or_default();
        let mut is_first = |(id, day): (Option<&str>, Option<i32>)| {
            let Some(id) = id else { return true };
            if !self.seen.insert(identity(kind, id)) {
                return false;
            }
            of_kind.extend(day);
            match range {
                Some((least, _)) if id < least.as_str() => *least = id.to_owned(),
                Some((_, most)) if id > most.as_str() => *most = id.to_owned(),
                Some(_) => {}
                None => *range = Some((id.to_owned(), id.to_owned())),
            }
            true
        };
        let are_first: BooleanArray = ids.iter().zip(days).map(|row| Some(is_first(row))).collect();
        Ok(if are_first.has_false() { filter_record_batch(rows, &are_first)? } else { rows.clone() })
    }

    fn range(&self, kind: Kind) -> Option<&(String, String)> {
        self.range.get(&kind)?.as_ref()
    }

    /// Whether a table may have any of them. Ids that doors make rise with time: most often, all of the table are smaller.
    pub(crate) fn may_be_in(&self, kind: Kind, head: &Head) -> bool {
        self.range(kind).is_some_and(|(least, most)| !head.has_no_id_between(least, most))
    }

    /// Those of them that a table has on the days of these events.
    pub(crate) async fn stored(&self, kind: Kind, table: &DeltaTable) -> Result<HashSet<u128>, StoreError> {
        let mut stored = HashSet::new();
        let (Some(days), Some((least, most))) = (self.days.get(&kind), self.range(kind)) else { return Ok(stored) };
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

/// Of rows those whose ids are not among these.
pub(crate) fn without(kind: Kind, rows: &RecordBatch, ids: &HashSet<u128>) -> Result<RecordBatch, StoreError> {
    let is_other = |id: Option<u128>| Some(id.is_none_or(|id| !ids.contains(&id)));
    let are_others: BooleanArray = of_batch(kind, rows)?.into_iter().map(is_other).collect();
    Ok(filter_record_batch(rows, &are_others)?)
}

/// The identities of the rows of a batch.
fn of_batch(kind: Kind, batch: &RecordBatch) -> Result<Vec<Option<u128>>, StoreError> {
    Ok(texts(batch, "id")?.iter().map(|id| id.map(|id| identity(kind, id))).collect())
}

fn texts(batch: &RecordBatch, column: &'static str) -> Result<StringArray, StoreError> {
    let texts = batch.column_by_name(column).ok_or(StoreError::Shape(column))?;
    Ok(cast(texts, &DataType::Utf8)?.as_string::<i32>().clone())
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
