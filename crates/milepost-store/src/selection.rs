//! Which value has a rank among millions, without sorting them: counted by bucket, the one that the rank falls into is known, and
//! only its values are put in order.

/// Values of any size. Nearly all fit into 32 bits, an hour and eleven minutes in microseconds, and take no more room than that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    small: Vec<u32>,
    large: Vec<u64>,
}

impl Values {
    /// Takes one more value, and says how much more room they take, in bytes.
    pub(crate) fn push(&mut self, value: u64) -> usize {
        let before = self.bytes();
        match u32::try_from(value) {
            Ok(value) => {
                if self.small.len() == self.small.capacity() {
                    // By a quarter: doubling would take twice the room of what is there.
                    self.small.reserve_exact((self.small.len() / 4).max(4));
                }
                self.small.push(value);
            }
            Err(_) => self.large.push(value),
        }
        self.bytes() - before
    }

    pub(crate) const fn len(&self) -> usize {
        self.small.len() + self.large.len()
    }

    /// How much room the values take, in bytes.
    const fn bytes(&self) -> usize {
        self.small.capacity() * size_of::<u32>() + self.large.capacity() * size_of::<u64>()
    }
}

/// So few values are put in order as they are.
const FEW: usize = 1 << 12;
/// A bucket is no wider than a 256th of its values.
const BITS: u32 = 8;
const BUCKETS: usize = bucket(u32::MAX) + 1;

/// The bucket of a value. A greater value is never in a lower bucket.
const fn bucket(value: u32) -> usize {
    let shift = shift(value);
    ((shift as usize) << BITS) + (value >> shift) as usize
}

/// How many bits of a value its bucket does not know.
const fn shift(value: u32) -> u32 {
    (u32::BITS - value.leading_zeros()).saturating_sub(BITS + 1)
}

/// The values that have these ranks, which count from 1 and rise, among all values of `parts`; those beyond the last one are left out.
pub(crate) fn at_ranks(parts: &[&Values], ranks: &[u64]) -> Vec<(u64, u64)> {
    let small = parts.iter().map(|part| part.small.len()).sum::<usize>() as u64;
    let (of_small, of_large): (Vec<u64>, Vec<u64>) = ranks.iter().partition(|rank| **rank <= small);
    let mut found = if small <= FEW as u64 {
        let mut values: Vec<u32> = parts.iter().flat_map(|part| &part.small).copied().collect();
        values.sort_unstable();
        among(&values, 0, &of_small)
    } else {
        by_bucket(parts, &of_small)
    };
    if !of_large.is_empty() {
        let mut values: Vec<u64> = parts.iter().flat_map(|part| &part.large).copied().collect();
        values.sort_unstable();
        found.extend(among(&values, small, &of_large));
    }
    found
}

/// The values of these ranks where `values` ascend and `below` others are smaller.
fn among<T: Copy + Into<u64>>(values: &[T], below: u64, ranks: &[u64]) -> Vec<(u64, u64)> {
    let value = |rank: &u64| Some((*rank, (*values.get(usize::try_from(rank.checked_sub(below + 1)?).ok()?)?).into()));
    ranks.iter().filter_map(value).collect()
}

fn by_bucket(parts: &[&Values], ranks: &[u64]) -> Vec<(u64, u64)> {
    let mut counts = vec![0_u64; BUCKETS];
    for value in parts.iter().flat_map(|part| &part.small) {
        counts[bucket(*value)] += 1;
    }
    // Of each bucket that a rank falls into, how many values are below it, and which ranks.
    let mut wanted: Vec<(usize, u64, Vec<u64>)> = Vec::new();
    let mut ranks = ranks.iter().peekable();
    let mut below = 0;
    for (bucket, count) in counts.iter().enumerate() {
        while let Some(rank) = ranks.next_if(|rank| **rank <= below + count) {
            match wanted.last_mut() {
                Some((last, _, of_bucket)) if *last == bucket => of_bucket.push(*rank),
                _ => wanted.push((bucket, below, vec![*rank])),
            }
        }
        below += count;
    }
    let mut found = Vec::new();
    for (wanted, below, ranks) in wanted {
        let mut values: Vec<u32> = parts.iter().flat_map(|part| &part.small).copied().filter(|value| bucket(*value) == wanted).collect();
        values.sort_unstable();
        found.extend(among(&values, below, &ranks));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_rise_with_the_values_and_leave_none_out() {
        let mut last = 0;
        let edges = (0..u32::BITS).flat_map(|bit| [(1_u32 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in (0..100_000).chain(edges.filter(|edge| *edge >= 100_000)).chain([u32::MAX]) {
            let bucket = bucket(value);
            assert!(bucket == last || bucket == last + 1 || value >= 100_000 && bucket > last, "{value}");
            last = bucket;
        }
        assert_eq!((bucket(511), bucket(512), bucket(513), last), (511, 512, 512, BUCKETS - 1));
    }

    /// Durations of all sizes, some of them beyond 32 bits; many enough that buckets are counted.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![8 => 1_u64..1000, 8 => 1_000_u64..100_000_000, 1 => 4_294_967_290_u64..4_294_967_300, 1 => any::<u64>()];
        prop_oneof![prop::collection::vec(value.clone(), 0..200), prop::collection::vec(value, FEW..FEW + 2000)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_rank_has_the_value_that_it_has_where_all_are_sorted(values in values(), cut in 0.0..1.0, ranks in prop::collection::btree_set(1_u64..7000, 0..6)) {
            let mut parts = [Values::default(), Values::default()];
            for (index, value) in values.iter().enumerate() {
                parts[usize::from(index as f64 > cut * values.len() as f64)].push(*value);
            }
            let ranks: Vec<u64> = ranks.into_iter().collect();
            let found = at_ranks(&[&parts[0], &parts[1]], &ranks);
            let mut sorted = values;
            sorted.sort_unstable();
            let expected: Vec<_> = ranks.iter().filter_map(|rank| Some((*rank, *sorted.get(*rank as usize - 1)?))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
