//! Whether a rate changed between two periods, or what it is the rate of: Kitagawa (1955, JASA 50).
//!
//! The pooled rate of many types of operations moves when a type gets better or worse, and when one type is used more than
//! before. So every type may get better while the pooled rate falls (Simpson's paradox). The change of the pooled rate is the
//! sum of two effects: with `w` the share of a type in all events of a period, `r` its rate, `a` the period before, `b` after,
//! `sum (wa+wb)/2 (rb-ra)` is what the types changed, and `sum (wb-wa) (ra+rb)/2` what their shares did.
//!
//! It describes the events that were counted and claims nothing beyond them; [`crate::difference`] says what is proven.

use crate::always_valid::Counts;
use std::collections::{BTreeMap, BTreeSet};

/// An effect closer to 0 is rounding.
const EFFECT_MIN: f64 = 1e-12;

/// The two parts of the change of a pooled rate. Rates and effects are shares: 0.01 is one percentage point.
#[derive(Clone, Debug, PartialEq)]
pub struct Decomposition {
    /// Before and after: all successes over all events, which is what a user met.
    pub pooled_rates: [f64; 2],
    /// Before and after: the mean of the rates of the types, each counted once however often it was used.
    pub macro_rates: [f64; 2],
    /// What the types contribute by their own change.
    pub rate_effect: f64,
    /// What the types contribute by being a larger or smaller share of all events.
    pub mix_effect: f64,
    /// Types without events before. They have no change of their own, and count for the mix effect only.
    pub new_types: Vec<String>,
    /// Types without events after; they count likewise.
    pub vanished_types: Vec<String>,
}

impl Decomposition {
    /// Of the counts by type, before and after; a type without events is the same as none. None where a period has no events.
    #[must_use]
    pub fn of(before: &BTreeMap<String, Counts>, after: &BTreeMap<String, Counts>) -> Option<Self> {
        let (before, after) = (Period::of(before)?, Period::of(after)?);
        let (mut rate_effect, mut mix_effect) = (0.0, 0.0);
        let (mut new_types, mut vanished_types) = (Vec::new(), Vec::new());
        let names: BTreeSet<&str> = before.types.keys().chain(after.types.keys()).copied().collect();
        for name in names {
            match (before.types.get(name), after.types.get(name)) {
                (Some(a), Some(b)) => {
                    rate_effect += f64::midpoint(a.share, b.share) * (b.rate - a.rate);
                    mix_effect += (b.share - a.share) * f64::midpoint(a.rate, b.rate);
                }
                (None, Some(new)) => {
                    mix_effect += new.share * new.rate;
                    new_types.push(name.to_owned());
                }
                (Some(vanished), None) => {
                    mix_effect -= vanished.share * vanished.rate;
                    vanished_types.push(name.to_owned());
                }
                (None, None) => {}
            }
        }
        let pooled_rates = [before.pooled_rate, after.pooled_rate];
        let macro_rates = [before.macro_rate(), after.macro_rate()];
        Some(Self { pooled_rates, macro_rates, rate_effect, mix_effect, new_types, vanished_types })
    }

    /// The pooled rate after less the one before: the sum of the two effects.
    #[must_use]
    pub fn pooled_change(&self) -> f64 {
        self.pooled_rates[1] - self.pooled_rates[0]
    }

    /// Whether the pooled rate moved against what the types did: one rose and the other fell.
    #[must_use]
    pub fn is_simpson(&self) -> bool {
        let [change, rate_effect] = [self.pooled_change(), self.rate_effect];
        change.abs().min(rate_effect.abs()) > EFFECT_MIN && (change > 0.0) != (rate_effect > 0.0)
    }
}

/// One type in one period.
struct Type {
    share: f64,
    rate: f64,
}

struct Period<'a> {
    types: BTreeMap<&'a str, Type>,
    pooled_rate: f64,
}

impl<'a> Period<'a> {
    fn of(counts: &'a BTreeMap<String, Counts>) -> Option<Self> {
        // As floating point, so that no sum overflows.
        let successes: f64 = counts.values().map(|counts| counts.successes as f64).sum();
        let n = successes + counts.values().map(|counts| counts.failures as f64).sum::<f64>();
        let of_all = |(name, counts): (&'a String, &Counts)| {
            let of_type = counts.successes as f64 + counts.failures as f64;
            (of_type > 0.0).then(|| (name.as_str(), Type { share: of_type / n, rate: counts.successes as f64 / of_type }))
        };
        (n > 0.0).then(|| Self { types: counts.iter().filter_map(of_all).collect(), pooled_rate: successes / n })
    }

    fn macro_rate(&self) -> f64 {
        self.types.values().map(|of_type| of_type.rate).sum::<f64>() / self.types.len() as f64
    }
}
