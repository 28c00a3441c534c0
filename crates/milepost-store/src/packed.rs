//! The rows of a rollup in memory: what nothing tells apart is one row, however many it came from.

use crate::{
    StoreError,
    answer::{Columns, count},
    rolled::{DIMENSIONS, within_of},
    values::{Lists, packed},
};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, BinaryArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array},
        datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
        record_batch::RecordBatch,
    },
    common::HashMap,
};
use futures::{Stream, StreamExt};
use milepost_record::Timestamp;
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, LazyLock},
};

/// The most limits that the rows of one rollup count.
pub(crate) const LIMITS_MAX: usize = 8;
/// How many rows and values one question may have: with more, reading them would cost as much as the events. The unit tests have no time
/// for so many.
const VALUES_MAX: usize = if cfg!(test) { 4_000 } else { 4_000_000 };
/// The dimensions, and the day, if days are told apart: so rows of one group lie together.
type Key = ([Option<String>; DIMENSIONS.len()], Option<i32>);

/// What was counted of one day and what is told apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    /// How many have no value.
    without: u64,
    /// How many were within each limit.
    within: Vec<u64>,
    /// The first and the last event, in microseconds since 1970.
    oldest: i64,
    newest: i64,
    /// The values, and how many operations have each; or what else is listed.
    values: Vec<(u64, u64)>,
}

/// The rows of one question.
#[derive(Default)]
pub(crate) struct Packed {
    rows: BTreeMap<Key, Row>,
    limits: usize,
    lists: Lists,
}

impl Packed {
    /// The rows of a question with this many limits: those of a statement over events, or those of a rollup. None where they are too many.
    pub(crate) async fn of(
        rows: impl Stream<Item = Result<RecordBatch, StoreError>>,
        limits: usize,
        lists: Lists,
    ) -> Result<Option<Self>, StoreError> {
        let mut packed = Self { rows: BTreeMap::new(), limits, lists };
        let mut rows = pin!(rows);
        let mut size = 0;
        while let Some(batch) = rows.next().await {
            size += packed.take(&batch?)?;
            // What came more than once is counted anew.
            if size > 2 * VALUES_MAX {
                size = packed.put_in_order();
            }
            if size > 2 * VALUES_MAX {
                return Ok(None);
            }
        }
        Ok((packed.put_in_order() <= VALUES_MAX).then_some(packed))
    }

    /// Takes in rows, and returns how much larger all became at most.
    fn take(&mut self, batch: &RecordBatch) -> Result<usize, StoreError> {
        let columns = Columns::of(batch);
        let (date, values) = (columns.dates("date")?, columns.values("value")?);
        let dimensions = DIMENSIONS.iter().map(|name| columns.text(name)).collect::<Result<Vec<_>, _>>()?;
        let within = (0..self.limits).map(|index| columns.within(&within_of(index))).collect::<Result<Vec<_>, _>>()?;
        let (oldest, newest) = (columns.times("oldest")?, columns.times("newest")?);
        let mut added = 0;
        for row in 0..batch.num_rows() {
            let mut key: Key = (Default::default(), date.is_valid(row).then(|| date.value(row)));
            key.0.iter_mut().zip(&dimensions).for_each(|(place, of)| *place = of(row));
            let (oldest, newest) = (oldest.value(row), newest.value(row));
            let of = self.rows.entry(key).or_insert_with(|| {
                added += 1;
                Row { without: 0, within: vec![0; within.len()], oldest, newest, values: Vec::new() }
            });
            (of.oldest, of.newest) = (of.oldest.min(oldest), of.newest.max(newest));
            of.within.iter_mut().zip(&within).for_each(|(sum, n)| *sum += count(n, row));
            let before = of.values.len();
            of.without += values.add_to(&mut of.values, row)?.1;
            added += of.values.len() - before;
        }
        Ok(added)
    }

    fn put_in_order(&mut self) -> usize {
        self.rows.values_mut().for_each(|row| self.lists.put_in_order(&mut row.values));
        self.rows.len() + self.rows.values().map(|row| row.values.len()).sum::<usize>()
    }

    /// How many rows differ from those of another.
    pub(crate) fn differing(&self, other: &Self) -> usize {
        let differs = |(key, row): &(&Key, &Row)| other.rows.get(*key) != Some(*row);
        let missing = other.rows.keys().filter(|key| !self.rows.contains_key(*key)).count();
        missing + self.rows.iter().filter(differs).count()
    }

    /// The first day that is not cut by a moment on `day`, and the values of all days from that one on together.
    pub(crate) fn since(&self, from: Timestamp, day: i32) -> (i32, Self) {
        let is_cut = |(key, row): (&Key, &Row)| key.1 == Some(day) && row.oldest < from.as_microseconds();
        let first = day + i32::from(self.rows.iter().any(is_cut));
        let mut since = Self { limits: 0, ..Self::default() };
        for ((dimensions, _), row) in self.rows.iter().filter(|((_, date), row)| *date >= Some(first) && !row.values.is_empty()) {
            let Row { oldest, newest, .. } = *row;
            let of = since.rows.entry((dimensions.clone(), None)).or_insert_with(|| Row { oldest, newest, ..Row::default() });
            (of.oldest, of.newest) = (of.oldest.min(oldest), of.newest.max(newest));
            of.values.extend(&row.values);
        }
        since.put_in_order();
        (first, since)
    }

    /// The same without the values themselves.
    pub(crate) fn without_values(&self) -> Result<RecordBatch, StoreError> {
        let rows = self.batch()?;
        let (last, mut columns) = (rows.num_columns() - 1, rows.columns().to_vec());
        columns.truncate(last);
        columns.push(new_null_array(&DataType::Binary, rows.num_rows()));
        Ok(RecordBatch::try_new(schema(), columns)?)
    }

    /// The rows as files have them.
    pub(crate) fn batch(&self) -> Result<RecordBatch, StoreError> {
        let (schema, n) = (schema(), self.rows.len());
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let numbers = |of: &dyn Fn(&Row) -> i64| Arc::new(self.rows.values().map(of).collect::<Int64Array>()) as ArrayRef;
        let times = |of: fn(&Row) -> i64| {
            Arc::new(TimestampMicrosecondArray::from_iter_values(self.rows.values().map(of)).with_timezone("UTC")) as ArrayRef
        };
        let values = self.rows.values().map(|row| (!row.values.is_empty()).then(|| packed(&row.values)));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.rows.keys().map(|(_, date)| *date).collect::<Date32Array>())];
        for index in 0..DIMENSIONS.len() {
            columns.push(Arc::new(self.rows.keys().map(|(of, _)| of.get(index).and_then(Option::as_deref)).collect::<StringArray>()));
        }
        columns.push(numbers(&|row| whole(row.without)));
        for index in 0..LIMITS_MAX {
            columns.push(match index < self.limits {
                true => numbers(&|row| row.within.get(index).map_or(0, |n| whole(*n))),
                false => new_null_array(&DataType::Int64, n),
            });
        }
        let measured = numbers(&|row| whole(row.values.iter().fold(0, |sum: u64, (_, n)| sum.saturating_add(*n))));
        columns.extend([times(|row| row.oldest), times(|row| row.newest), measured, Arc::new(values.collect::<BinaryArray>())]);
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// A row that is kept of people or their days.
pub(crate) struct KeptRow<'a> {
    pub(crate) date: Option<i32>,
    pub(crate) group: Option<&'a str>,
    pub(crate) ended: &'a str,
    pub(crate) n: u64,
    /// In microseconds since 1970.
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
    pub(crate) list: Vec<(u64, u64)>,
}

/// Such rows as files have them.
pub(crate) fn kept_rows(rows: &[KeptRow<'_>]) -> Result<RecordBatch, StoreError> {
    let times = |of: fn(&KeptRow<'_>) -> i64| {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC")) as ArrayRef
    };
    let schema = schema();
    let column = |field: &Arc<Field>| match field.name().as_str() {
        "date" => Arc::new(rows.iter().map(|row| row.date).collect::<Date32Array>()) as ArrayRef,
        "group" => Arc::new(rows.iter().map(|row| row.group).collect::<StringArray>()),
        "ended" => Arc::new(rows.iter().map(|row| Some(row.ended)).collect::<StringArray>()),
        "n" => Arc::new(rows.iter().map(|row| i64::try_from(row.n).ok()).collect::<Int64Array>()),
        "oldest" => times(|row| row.oldest),
        "newest" => times(|row| row.newest),
        "values" => Arc::new(rows.iter().map(|row| Some(packed(&row.list))).collect::<BinaryArray>()),
        _ => new_null_array(field.data_type(), rows.len()),
    };
    Ok(RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect())?)
}

/// How many people a batch of a file has: so many are read to know one of them.
const PEOPLE_IN_BATCH: usize = if cfg!(test) { 64 } else { 2_048 };

/// Such rows of people, in batches by pseudonym; each with its first and last one.
pub(crate) fn by_person<'a, P, R: IntoIterator<Item = KeptRow<'a>>>(
    people: &'a HashMap<String, P>,
    rows: impl Fn(&'a str, &'a P) -> R,
) -> Result<Vec<([String; 2], RecordBatch)>, StoreError> {
    let mut people: Vec<(&String, &P)> = people.iter().collect();
    people.sort_unstable_by_key(|(user, _)| *user);
    let batch = |people: &[(&'a String, &'a P)]| {
        let ends = [people.first(), people.last()].map(|end| end.map(|(user, _)| (*user).clone()).unwrap_or_default());
        let rows: Vec<_> = people.iter().flat_map(|(user, person)| rows(user, person)).collect();
        Ok((ends, kept_rows(&rows)?))
    };
    people.chunks(PEOPLE_IN_BATCH).map(batch).collect()
}

/// Of how many people one of two says something else than the other.
pub(crate) fn differing_people<P: PartialEq>(people: &HashMap<String, P>, others: &HashMap<String, P>) -> usize {
    let missing = others.keys().filter(|user| !people.contains_key(*user)).count();
    missing + people.iter().filter(|(user, person)| others.get(*user) != Some(*person)).count()
}

/// The columns of a file of rows.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Int64, true);
        let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
        let counts = ["n".to_owned()].into_iter().chain((0..LIMITS_MAX).map(within_of)).map(|name| number(&name));
        let told_apart = [Field::new("date", DataType::Date32, true)].into_iter().chain(DIMENSIONS.iter().map(|name| text(name)));
        let values = [time("oldest"), time("newest"), number("measured"), Field::new("values", DataType::Binary, true)];
        Arc::new(Schema::new(told_apart.chain(counts).chain(values).collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::SessionContext;
    use futures::TryStreamExt;

    /// The rows of a question that lists these values, each given as often as is said.
    fn packed(values: usize, times: usize) -> Option<Packed> {
        let rows = format!("'all' AS who, v.value, 1 AS n FROM generate_series(1, {values}) v, generate_series(1, {times})");
        of(&rows, Lists::Values)
    }

    /// The rows that a statement makes: who, a value, and a number.
    fn of(rows: &str, lists: Lists) -> Option<Packed> {
        let none: String = DIMENSIONS.iter().skip(1).map(|name| format!(", CAST(NULL AS VARCHAR) AS \"{name}\"")).collect();
        let time = "arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))')";
        let rows = format!(
            "SELECT CAST(NULL AS DATE) AS date, who AS \"{}\"{none}, value, CAST(n AS BIGINT) AS n, {time} AS oldest, {time} AS newest\n\
             FROM (SELECT {rows})",
            DIMENSIONS[0]
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let rows =
            async { Packed::of(SessionContext::new().sql(&rows).await?.execute_stream().await?.map_err(StoreError::from), 0, lists).await };
        runtime.block_on(rows).expect("packed")
    }

    #[test]
    fn what_comes_many_times_is_no_larger_than_what_comes_once() {
        let (once, often) = (packed(1_000, 1).expect("few"), packed(1_000, 50).expect("few, many times"));
        let of = |packed: &Packed| packed.rows.values().flat_map(|row| row.values.clone()).collect::<Vec<_>>();
        assert_eq!(of(&once), (1..=1_000).map(|value| (value, 1)).collect::<Vec<_>>());
        assert_eq!(of(&often), (1..=1_000).map(|value| (value, 50)).collect::<Vec<_>>());
        assert_eq!((once.differing(&once), once.differing(&often), once.differing(&Packed::default())), (0, 1, 1));
    }

    #[test]
    fn too_many_values_are_not_kept() {
        assert!(packed(VALUES_MAX - 1, 1).is_some(), "with their row they are as many as may be");
        assert!(packed(VALUES_MAX, 1).is_none());
        assert!(packed(3 * VALUES_MAX, 2).is_none());
    }
}
