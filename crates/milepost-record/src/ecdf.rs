//! How whole numbers are distributed, so that ranks are found without putting anything in order once more.

use crate::each_once;
use std::sync::Arc;

/// An empirical cumulative distribution function: values, rising, each once with how many are not greater. Clones share the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ecdf(Arc<Vec<(u64, u64)>>);

impl Ecdf {
    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least value and the greatest; none where there are no values.
    #[must_use]
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((self.0.first()?.0, self.0.last()?.0))
    }

    /// The value with this rank among all of several, the least having the first; none where there are fewer. They are bisected together, as
    /// putting them in order takes far longer.
    pub fn value_among<'a>(several: impl IntoIterator<Item = &'a Self>, rank: u64) -> Option<u64> {
        let mut left: Vec<Left<'a>> = several.into_iter().map(|one| Left { values: &one.0, before: 0, to_middle: 0 }).collect();
        if let [Left { values, .. }] = left[..] {
            return values.get(values.partition_point(|(_, reached)| *reached < rank)).map(|(value, _)| *value);
        }
        if rank > left.iter().filter_map(|one| one.values.last()).map(|(_, reached)| *reached).fold(0, u64::saturating_add) {
            return None;
        }
        // How many come before of those of which nothing is left.
        let mut settled = 0_u64;
        loop {
            let ends = || left.iter().filter_map(|one| Some((one.values.first()?.0, one.values.last()?.0)));
            let (low, high) = (ends().map(|(first, _)| first).min()?, ends().map(|(_, last)| last).max()?);
            if low == high {
                return Some(low);
            }
            let middle = low.midpoint(high);
            let is_beyond = left.iter_mut().map(|one| one.reached(middle)).fold(settled, u64::saturating_add) < rank;
            left.retain_mut(|one| {
                one.narrow(is_beyond);
                if one.values.is_empty() {
                    settled = settled.saturating_add(one.before);
                }
                !one.values.is_empty()
            });
        }
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

/// What is left of one while a rank is looked up among several.
struct Left<'a> {
    values: &'a [(u64, u64)],
    /// How many come before those.
    before: u64,
    /// How many of those were last found not to be greater than the middle.
    to_middle: usize,
}

impl<'a> Left<'a> {
    fn until_middle(&self) -> &'a [(u64, u64)] {
        self.values.get(..self.to_middle).unwrap_or_default()
    }

    /// How many are not greater than a value.
    fn reached(&mut self, middle: u64) -> u64 {
        self.to_middle = self.values.partition_point(|(value, _)| *value <= middle);
        self.until_middle().last().map_or(self.before, |(_, reached)| *reached)
    }

    fn narrow(&mut self, is_beyond: bool) {
        if is_beyond {
            self.before = self.until_middle().last().map_or(self.before, |(_, reached)| *reached);
            self.values = self.values.get(self.to_middle..).unwrap_or_default();
        } else {
            self.values = self.until_middle();
        }
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
