//! The five verdicts, and what several of them make together.

use crate::Verdict;

/// The verdict on "all of these hold".
///
/// Missed where one is missed; met where there is one and all are met. Otherwise nothing is proven, and the word says what
/// is lacking: no data where all lack it, stale where all that have data are stale. Claiming that all hold only where each
/// does needs no correction for their number: an intersection-union test (Berger 1982, Technometrics 24).
#[must_use]
pub fn conjunction(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let verdicts: Vec<_> = verdicts.into_iter().collect();
    let all = |of: &[Verdict]| verdicts.iter().all(|v| of.contains(v));
    if verdicts.contains(&Verdict::Missed) {
        Verdict::Missed
    } else if all(&[Verdict::NoData]) {
        Verdict::NoData
    } else if all(&[Verdict::Met]) {
        Verdict::Met
    } else if all(&[Verdict::NoData, Verdict::Stale]) {
        Verdict::Stale
    } else {
        Verdict::NotProven
    }
}

/// Whether a check lets a verdict pass: met always, missed never, and of the others those that are `allowed`.
#[must_use]
pub fn passes(verdict: Verdict, allowed: &[Verdict]) -> bool {
    match verdict {
        Verdict::Met => true,
        Verdict::Missed => false,
        Verdict::NotProven | Verdict::NoData | Verdict::Stale => allowed.contains(&verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Met, Missed, NoData, NotProven, Stale};

    #[test]
    fn a_miss_cannot_be_allowed() {
        let all = [Met, Missed, NotProven, NoData, Stale];
        assert_eq!(all.map(|verdict| passes(verdict, &all)), [true, false, true, true, true]);
        assert_eq!(all.map(|verdict| passes(verdict, &[])), [true, false, false, false, false]);
        assert_eq!(all.map(|verdict| passes(verdict, &[NoData])), [true, false, false, true, false]);
    }

    #[test]
    fn a_conjunction_is_met_only_where_each_part_is() {
        assert_eq!(conjunction([]), NoData, "nothing at all is not met");
        for (parts, whole) in [
            (vec![Met], Met),
            (vec![Met, Met], Met),
            (vec![Met, Missed], Missed),
            (vec![NoData, Missed], Missed),
            (vec![Met, NoData], NotProven),
            (vec![Met, Stale], NotProven),
            (vec![Met, NotProven], NotProven),
            (vec![NoData, NoData], NoData),
            (vec![NoData, Stale], Stale),
            (vec![Stale, Stale], Stale),
        ] {
            assert_eq!(conjunction(parts.clone()), whole, "{parts:?}");
        }
    }
}
