//! How whole numbers are distributed, so that ranks are found without putting anything in order once more.

use crate::each_once;
use std::sync::Arc;

/// An empirical cumulative distribution function: values, rising, each once with how many are not greater. Clones share the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ecdf(Arc<Vec<(u64, u64)>>);

impl Ecdf {
    /// The least value and the greatest; none where there are no values.
    #[must_use]
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((self.0.first()?.0, self.0.last()?.0))
    }

    /// The value with this rank among all of several, the least having the first; none where there are fewer. They are bisected together, as
    /// putting them in order takes far longer.
    pub fn value_among<'a>(several: impl IntoIterator<Item = &'a Self>, rank: u64) -> Option<u64> {
        // Of each what may have the rank, and how many come before that.
        let mut left: Vec<(&[(u64, u64)], u64)> = several.into_iter().map(|one| (one.0.as_slice(), 0)).collect();
        let ends = || left.iter().filter_map(|(values, _)| Some((values.first()?.0, *values.last()?)));
        let (mut low, mut high) = (ends().map(|(first, _)| first).min()?, ends().map(|(_, (last, _))| last).max()?);
        if rank > ends().map(|(_, (_, reached))| reached).fold(0, u64::saturating_add) {
            return None;
        }
        let mut split = Vec::with_capacity(left.len());
        while low < high {
            let middle = low.midpoint(high);
            split.clear();
            split.extend(left.iter().map(|(values, before)| {
                let (to_middle, beyond) = values.split_at(values.partition_point(|(value, _)| *value <= middle));
                (to_middle, beyond, to_middle.last().map_or(*before, |(_, reached)| *reached))
            }));
            if split.iter().map(|(.., reached)| *reached).fold(0, u64::saturating_add) >= rank {
                high = middle;
                left.iter_mut().zip(&split).for_each(|(left, (to_middle, ..))| left.0 = to_middle);
            } else {
                low = middle.saturating_add(1);
                left.iter_mut().zip(&split).for_each(|(left, (_, beyond, reached))| *left = (beyond, *reached));
            }
        }
        Some(low)
    }

    /// The values, rising, each with how many there are of it.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().scan(0, |before, (value, reached)| {
            let n = reached.saturating_sub(*before);
            *before = *reached;
            Some((*value, n))
        })
    }
}

/// From values in any order, each with how many there are.
impl From<Vec<(u64, u64)>> for Ecdf {
    fn from(mut values: Vec<(u64, u64)>) -> Self {
        each_once(&mut values);
        let mut reached = 0_u64;
        for (_, n) in &mut values {
            reached = reached.saturating_add(*n);
            *n = reached;
        }
        Self(Arc::new(values))
    }
}

impl FromIterator<(u64, u64)> for Ecdf {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(values: T) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn it_tells_what_the_values_one_by_one_tell(parts in vec(vec((0_u64..40, 1_u64..5), 0..30), 0..5)) {
            let mut each: Vec<u64> = parts.iter().flatten().flat_map(|(value, n)| (0..*n).map(|_| *value)).collect();
            each.sort_unstable();
            let parts: Vec<Ecdf> = parts.into_iter().map(Ecdf::from).collect();
            let all: Ecdf = parts.iter().flat_map(Ecdf::counts).collect();
            prop_assert_eq!(all.ends(), each.first().copied().zip(each.last().copied()));
            let again: Vec<u64> = all.counts().flat_map(|(value, n)| (0..n).map(move |_| value)).collect();
            prop_assert_eq!(&again, &each);
            for rank in 1..=each.len() + 1 {
                let expected = each.get(rank - 1).copied();
                prop_assert_eq!(Ecdf::value_among([&all], rank as u64), expected, "rank {}", rank);
                prop_assert_eq!(Ecdf::value_among(&parts, rank as u64), expected, "rank {} among several", rank);
            }
        }

        #[test]
        fn of_any_values_the_ranks_rise(parts in vec(vec((any::<u64>(), any::<u64>()), 0..9), 0..4), ranks in vec(any::<u64>(), 2)) {
            let parts: Vec<Ecdf> = parts.into_iter().map(Ecdf::from).collect();
            let (low, high) = (ranks.iter().min().copied().unwrap_or(0), ranks.iter().max().copied().unwrap_or(0));
            let (low, high) = (Ecdf::value_among(&parts, low), Ecdf::value_among(&parts, high));
            prop_assert!(high.is_none() || low <= high);
        }
    }
}
