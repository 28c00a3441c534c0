//! The values that were measured of the operations of a row: as SQL counts them, each a row of its own, or as rollups list them.
//!
//! A list is packed: of values in order, each as how much it is more than the one before, and how often it was, both as variable-length
//! integers ([Protocol Buffers](https://protobuf.dev/programming-guides/encoding/#varints)). Read as lists of numbers, they took
//! longer than all else that a scorecard reads.

use crate::{StoreError, answer::count};
use datafusion::arrow::array::{Array, BinaryArray, Int64Array, UInt64Array};
use integer_encoding::VarInt;

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

/// The values of some rows, each with how often it was.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pairs: Vec<(u64, u64)>,
    /// Where those of each row end.
    ends: Vec<usize>,
}

impl Pairs {
    /// A row without a list has no values.
    pub(crate) fn unpacked(rows: &BinaryArray) -> Result<Self, StoreError> {
        let mut all = Self { pairs: Vec::with_capacity(rows.value_data().len() / 3), ends: Vec::with_capacity(rows.len()) };
        for row in rows {
            let (mut bytes, mut value) = (row.unwrap_or_default(), 0_u64);
            while !bytes.is_empty() {
                let (more, n);
                (more, bytes) = number(bytes)?;
                (n, bytes) = number(bytes)?;
                value = value.wrapping_add(more);
                all.pairs.push((value, n));
            }
            all.ends.push(all.pairs.len());
        }
        Ok(all)
    }

    pub(crate) fn of(&self, row: usize) -> &[(u64, u64)] {
        let from = row.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = from.zip(self.ends.get(row).copied());
        range.and_then(|(from, to)| self.pairs.get(from..to)).unwrap_or_default()
    }
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
    Same { value: UInt64Array, n: Int64Array },
    Packed { pairs: Pairs, without: Int64Array },
}

impl Values {
    /// How many operations the row counts.
    pub(crate) fn n(&self, row: usize) -> u64 {
        match self {
            Self::Same { n, .. } => count(n, row),
            Self::Packed { pairs, without } => count(without, row) + pairs.of(row).iter().map(|(_, n)| n).sum::<u64>(),
        }
    }

    /// Adds the values of a row to others, and returns how many operations have one.
    pub(crate) fn add_to(&self, others: &mut Vec<(u64, u64)>, row: usize) -> u64 {
        let before = others.len();
        match self {
            Self::Same { value, n } if value.is_valid(row) => others.push((value.value(row), count(n, row))),
            Self::Same { .. } => {}
            Self::Packed { pairs, .. } => others.extend_from_slice(pairs.of(row)),
        }
        others.iter().skip(before).map(|(_, n)| n).sum()
    }
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
            let pairs = Pairs::unpacked(&bytes).expect("pairs");
            for (index, row) in rows.iter().enumerate() {
                prop_assert_eq!(pairs.of(index), row.as_deref().unwrap_or_default());
            }
            prop_assert!(pairs.of(rows.len()).is_empty());
        }

        #[test]
        fn what_is_damaged_is_refused_or_read_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Pairs::unpacked(&BinaryArray::from_vec(vec![&bytes]));
        }
    }

    #[test]
    fn a_list_that_is_cut_off_is_refused() {
        let bytes = packed(&[(300, 1), (70_000, 2)]);
        for length in [1, 2, 4, bytes.len() - 1] {
            let cut = bytes.get(..length).expect("shorter");
            assert!(Pairs::unpacked(&BinaryArray::from_vec(vec![cut])).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
