//! The values that were measured of the operations of a row: as SQL counts them, each a row of its own, or as rollups list them.
//!
//! A list is packed: of values in order, each as how much it is more than the one before, and how often it was, both as variable-length
//! integers ([Protocol Buffers](https://protobuf.dev/programming-guides/encoding/#varints)). Read as lists of numbers, they took
//! longer than all else that a scorecard reads.
//!
//! Other lists are packed the same way: of the days on which somebody was active, the number of each week in place of a value, and the bits
//! of its days in place of how often it was, so that a year of somebody who came every day is a hundred bytes; and what `presence.rs` keeps,
//! as when each time began at which somebody was busy, and how long it lasted.

use crate::{StoreError, answer::count};
use datafusion::arrow::array::{Array, BinaryArray, Int64Array, UInt64Array};
use integer_encoding::VarInt;
use milepost_record::{SILENCE_MAX, each_once};
use serde::{Deserialize, Serialize};
use std::iter;

/// In lists, days are numbered since this one, which is whole weeks before 1970 and before the year 1, so that none is negative.
pub(crate) const FIRST_DAY: i64 = -7 * 102_738;
/// And times in microseconds since it began.
pub(crate) const FIRST_US: i64 = FIRST_DAY * 86_400_000_000;
/// The longest time for which somebody who is busy may be silent, in microseconds.
pub(crate) const SILENCE_US: u64 = SILENCE_MAX.as_micros() as u64;

/// What the lists of a rollup tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lists {
    /// Values, and how often each was.
    #[default]
    Values,
    /// Weeks, and on which of their days somebody was active.
    Weeks,
}

impl Lists {
    /// Puts a list in order: what is the same is there once.
    pub(crate) fn put_in_order(self, list: &mut Vec<(u64, u64)>) {
        if self == Self::Values {
            return each_once(list);
        }
        // A stable sort merges what is in order by pieces.
        list.sort_by_key(|(week, _)| *week);
        list.dedup_by(|(next, of_next), (kept, of_kept)| {
            *of_kept |= if next == kept { *of_next } else { 0 };
            next == kept
        });
    }
}

/// A time as lists have it, of one in microseconds since 1970.
pub(crate) fn since_first(us: i64) -> u64 {
    u64::try_from(us.saturating_sub(FIRST_US)).unwrap_or(0)
}

/// Values in order, each with how often it was.
pub(crate) fn packed(values: &[(u64, u64)]) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::with_capacity(4 * values.len()), 0);
    let mut push = |number: u64| {
        let mut room = [0; 10];
        let length = number.encode_var(&mut room);
        bytes.extend_from_slice(room.get(..length).unwrap_or_default());
    };
    for (value, n) in values {
        push(value.wrapping_sub(before));
        push(*n);
        before = *value;
    }
    bytes
}

/// The values of a list, each with how often it was; a damaged one ends with an error.
fn unpacked(list: &[u8]) -> impl Iterator<Item = Result<(u64, u64), StoreError>> {
    let (mut bytes, mut value) = (list, 0_u64);
    iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let pair = number(bytes).and_then(|(more, rest)| number(rest).map(|(n, rest)| (more, n, rest)));
        bytes = pair.as_ref().map_or(&[], |(.., rest)| rest);
        Some(pair.map(|(more, n, _)| {
            value = value.wrapping_add(more);
            (value, n)
        }))
    })
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), StoreError> {
    // Most are how often a value was: once.
    if let [byte @ ..0x80, rest @ ..] = bytes {
        return Ok((u64::from(*byte), rest));
    }
    let number = u64::decode_var(bytes).and_then(|(number, length)| Some((number, bytes.get(length..)?)));
    number.ok_or_else(|| StoreError::Shape("values"))
}

/// What was measured in the operations that a row counts: of events they all have the same value, or none; a rollup lists its values.
pub(crate) enum Values {
    Same {
        value: UInt64Array,
        n: Int64Array,
    },
    /// How many have one is told beside the list, which may be left out.
    Packed {
        lists: BinaryArray,
        measured: Int64Array,
        without: Int64Array,
    },
}

impl Values {
    /// How many operations the row counts.
    pub(crate) fn n(&self, row: usize) -> u64 {
        match self {
            Self::Same { n, .. } => count(n, row),
            Self::Packed { measured, without, .. } => count(measured, row).saturating_add(count(without, row)),
        }
    }

    /// Adds the values of a row to others, and returns how many operations have one, and how many have none.
    pub(crate) fn add_to(&self, others: &mut Vec<(u64, u64)>, row: usize) -> Result<(u64, u64), StoreError> {
        match self {
            Self::Same { value, n } if value.is_valid(row) => {
                others.push((value.value(row), count(n, row)));
                Ok((count(n, row), 0))
            }
            Self::Same { n, .. } => Ok((0, count(n, row))),
            Self::Packed { lists, measured, without } => {
                let list = list(lists, row);
                // Most take three bytes.
                others.reserve(list.len() / 3);
                for pair in unpacked(list) {
                    others.push(pair?);
                }
                Ok((count(measured, row), count(without, row)))
            }
        }
    }
}

/// A row without a list has no values.
fn list(lists: &BinaryArray, row: usize) -> &[u8] {
    if lists.is_valid(row) { lists.value(row) } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(rows in prop::collection::vec(prop::option::of(prop::collection::btree_map(any::<u64>(), any::<u64>(), 0..20)), 0..8)) {
            let rows: Vec<Option<Vec<(u64, u64)>>> = rows.into_iter().map(|row| row.map(|row| row.into_iter().collect())).collect();
            let bytes: BinaryArray = rows.iter().map(|row| row.as_deref().map(packed)).collect();
            let without = Int64Array::from(vec![Some(7); rows.len()]);
            let sum = |row: &Option<Vec<(u64, u64)>>| row.iter().flatten().map(|(_, n)| n % 1_000).sum::<u64>();
            let measured: Int64Array = rows.iter().map(|row| i64::try_from(sum(row)).ok()).collect();
            let values = Values::Packed { lists: bytes, measured, without };
            for (index, row) in rows.iter().enumerate() {
                let (row, mut found) = (row.as_deref().unwrap_or_default(), vec![(1, 2)]);
                let measured = row.iter().map(|(_, n)| n % 1_000).sum::<u64>();
                prop_assert_eq!(values.add_to(&mut found, index).expect("values"), (measured, 7));
                prop_assert_eq!(&found[1..], row);
                prop_assert_eq!(values.n(index), measured + 7);
            }
        }

        #[test]
        fn what_is_damaged_is_refused_or_read_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let pairs: Vec<_> = unpacked(&bytes).collect();
            prop_assert!(pairs.len() <= bytes.len());
        }
    }

    #[test]
    fn a_list_that_is_cut_off_is_refused() {
        let bytes = packed(&[(300, 1), (70_000, 2)]);
        for length in [1, 2, 4, bytes.len() - 1] {
            let cut = bytes.get(..length).expect("shorter");
            let (lists, none) = (BinaryArray::from_vec(vec![cut]), Int64Array::from(vec![0]));
            let values = Values::Packed { lists, measured: none.clone(), without: none };
            assert!(values.add_to(&mut Vec::new(), 0).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
