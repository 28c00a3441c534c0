//! Quantiles as ranks: which of the sorted values is the P95, and between which of them it may really lie.
//!
//! Everything here works with ranks, counted from 1, never with a model of the values: it holds for any distribution,
//! long tails and ties included. The quantile of a sample is type 1 of Hyndman and Fan (1996), the nearest rank: the
//! only type for which "P95 <= T" and "at least 95 % of the events are <= T" are the same statement, so the number on a
//! page cannot contradict the verdict beside it.
//!
//! The bounds say where the quantile lies of whatever produced these events. [`upper_rank`], [`lower_rank`] and
//! [`two_sided_ranks`] are for one look at a number of events that was fixed beforehand; [`peeking_ranks`] hold at
//! every look. None of them speaks about events that were not recorded.

use crate::{
    always_valid::{Mixture, ln_threshold, smallest},
    fixed_sample::{self, ROUNDING},
};

/// Parts of one: 9500 basis points are 95 %.
const WHOLE: u16 = 10_000;

/// Which quantile, in basis points from 1 to 9999. Whole numbers, so that a rank never depends on a rounded product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u16);

impl Quantile {
    /// The value that 5 % do not exceed.
    pub const P5: Quantile = Quantile(500);
    /// The median.
    pub const P50: Quantile = Quantile(5000);
    /// The value that 95 % do not exceed.
    pub const P95: Quantile = Quantile(9500);
    /// The value that 99 % do not exceed.
    pub const P99: Quantile = Quantile(9900);

    /// None outside 1..=9999: the smallest and the largest value are not quantiles.
    pub fn from_basis_points(basis_points: u16) -> Option<Quantile> {
        (1..WHOLE).contains(&basis_points).then_some(Quantile(basis_points))
    }

    /// Hundredths of a percent, 1 to 9999.
    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// The share of values at or below the quantile, strictly between 0 and 1.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// The share of values above the quantile, rounded once rather than as `1 - as_fraction()`.
    fn rest(self) -> f64 {
        f64::from(WHOLE - self.0) / f64::from(WHOLE)
    }
}

/// Rank of the quantile among `n` sorted values, `max(1, ceil(n q))`. None for `n` = 0.
///
/// ```
/// # use milepost_judge::quantile::{Quantile, rank};
/// assert_eq!(rank(20, Quantile::P95), Some(19));
/// assert_eq!(rank(21, Quantile::P95), Some(20));
/// ```
pub fn rank(n: u64, q: Quantile) -> Option<u64> {
    let rank = (u128::from(n) * u128::from(q.0)).div_ceil(u128::from(WHOLE));
    // At most n, since q is below one; at least 1 unless n is 0.
    u64::try_from(rank).ok().filter(|&rank| rank > 0)
}

/// The quantile of type 1: the value at [`rank`]. `sorted` ascends, without NaN; None when it is empty.
pub fn type1(sorted: &[f64], q: Quantile) -> Option<f64> {
    debug_assert!(sorted.is_sorted(), "the values are not sorted");
    let rank = usize::try_from(rank(sorted.len() as u64, q)?).ok()?;
    sorted.get(rank - 1).copied()
}

/// How a quantile lies between values: by its number in Hyndman and Fan (1996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuantileType {
    /// The value at [`rank`]: what the verdicts are about.
    #[default]
    Type1,
    /// Interpolated as by [`type7`]: what spreadsheets, NumPy, R and databases show.
    Type7,
}

impl QuantileType {
    /// The ranks, from 1 on, of the values that make the quantile of `n`.
    pub(crate) fn ranks(self, n: u64, q: Quantile) -> impl Iterator<Item = u64> {
        let (first, more) = match self {
            Self::Type1 => (rank(n, q), 0),
            Self::Type7 => (place7(n, q).map(|(rank, _)| rank), 1),
        };
        first.into_iter().flat_map(move |first| first..=(first + more).min(n))
    }

    /// The quantile of `n` values, of which `value` gives the one with a rank.
    pub(crate) fn value(self, n: u64, q: Quantile, value: impl Fn(u64) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Type1 => value(rank(n, q)?),
            Self::Type7 => interpolated(n, q, value),
        }
    }
}

/// The quantile of type 7, interpolated at `(n - 1) q`, as NumPy, R and spreadsheets show it: only for comparison with
/// them, since it can lie below T when fewer than 95 % of the events do. `sorted` as for [`type1`].
pub fn type7(sorted: &[f64], q: Quantile) -> Option<f64> {
    debug_assert!(sorted.is_sorted(), "the values are not sorted");
    interpolated(sorted.len() as u64, q, |rank| sorted.get(usize::try_from(rank - 1).ok()?).copied())
}

/// The quantile of type 7 of `n` values, of which `value` gives the one with a rank from 1 on.
pub(crate) fn interpolated(n: u64, q: Quantile, value: impl Fn(u64) -> Option<f64>) -> Option<f64> {
    let (rank, part) = place7(n, q)?;
    let low = value(rank)?;
    let high = if rank < n { value(rank + 1)? } else { low };
    // Failed operations count as infinite, and infinity minus itself is no number.
    Some(if part == 0.0 || low == high { low } else { low + part * (high - low) })
}

/// Where the quantile of type 7 lies: on which rank, and how much of the way to the next.
fn place7(n: u64, q: Quantile) -> Option<(u64, f64)> {
    let place = u128::from(n.checked_sub(1)?) * u128::from(q.0);
    Some((u64::try_from(place / u128::from(WHOLE)).ok()? + 1, (place % u128::from(WHOLE)) as f64 / f64::from(WHOLE)))
}

/// Rank of a one-sided upper bound for the quantile: the smallest `k` with `P(Binomial(n, q) <= k - 1) >= confidence`.
///
/// None while even the largest value is no bound, for P95 at 95 % up to n = 58. For one look at a fixed `n`;
/// `confidence` lies in (0, 1). Source: order statistics, for example Conover (1999), section 3.2.
pub fn upper_rank(n: u64, q: Quantile, confidence: f64) -> Option<u64> {
    debug_assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence} is not between 0 and 1");
    smallest(1, n, |k| at_most(k - 1, n, q) >= confidence - ROUNDING)
}

/// Rank of a one-sided lower bound for the quantile: the largest `k` with
/// `P(Binomial(n, q) <= k - 1) <= 1 - confidence`.
///
/// None while even the smallest value is no bound. For one look at a fixed `n`; `confidence` lies in (0, 1).
pub fn lower_rank(n: u64, q: Quantile, confidence: f64) -> Option<u64> {
    debug_assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence} is not between 0 and 1");
    let first_beyond = smallest(1, n, |k| at_most(k - 1, n, q) > 1.0 - confidence + ROUNDING);
    Some(first_beyond.map_or(n, |k| k - 1)).filter(|&k| k > 0)
}

/// Ranks of a two-sided interval for the quantile: [`lower_rank`] and [`upper_rank`], each with half of the error.
pub fn two_sided_ranks(n: u64, q: Quantile, confidence: f64) -> (Option<u64>, Option<u64>) {
    let one_sided = 1.0 - (1.0 - confidence) / 2.0;
    (lower_rank(n, q, one_sided), upper_rank(n, q, one_sided))
}

/// Ranks between which the quantile lies with probability `1 - alpha` at every look; for display while events come in.
///
/// A rank is rejected when the share of values below it would prove, by [`crate::always_valid`] at `alpha / 2`, that
/// the quantile is elsewhere. None on a side means that no value bounds the quantile there yet. `alpha` lies in (0, 1).
pub fn peeking_ranks(n: u64, q: Quantile, alpha: f64) -> (Option<u64>, Option<u64>) {
    let (goal, threshold) = (q.as_fraction(), ln_threshold(alpha / 2.0));
    let (above, below) = (Mixture::above(goal), Mixture::below(goal));
    let low = smallest(0, n, |k| below.ln_e((n - k) as f64, k as f64) < threshold);
    let high = smallest(0, n, |k| above.ln_e(k as f64, (n - k) as f64) >= threshold);
    (low.filter(|&k| k > 0), high)
}

/// `P(Binomial(n, q) <= k)`: the chance that at most `k` of `n` values lie at or below the quantile.
fn at_most(k: u64, n: u64, q: Quantile) -> f64 {
    fixed_sample::binomial_at_most(k, n, q.as_fraction(), q.rest())
}
