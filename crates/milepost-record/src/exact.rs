//! What all operations that a question is about say, to the last one: nothing is rounded, and no name is left out.

use jiff::civil::Date;
use std::collections::BTreeMap;

/// How some ended, and the values that were asked for. Neither what somebody cancelled nor a dry run is among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many succeeded.
    pub ok: u64,
    /// How many did not.
    pub failed: u64,
    /// How many of those that succeeded have a value.
    pub measured: u64,
    /// Ranks among those values, from 1 and rising, each with the value that has it. In microseconds.
    pub ranked_us: Vec<(u64, u64)>,
}

/// How long people took from their first operation in the period to their first success in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// People: those who succeeded, and those who did not.
    pub people: Tally,
    /// The waits of those who succeeded, added up, in microseconds.
    pub sum_us: u128,
    /// How many succeeded in less than 30 seconds.
    pub within_30s: u64,
}

/// A wait below this is what the specification calls a fast first success, in microseconds.
pub const FAST_US: u64 = 30_000_000;

/// All operations of a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    /// As a whole.
    pub all: Tally,
    /// By operation.
    pub operations: BTreeMap<String, Tally>,
    /// By operation and backend.
    pub backends: BTreeMap<(String, Option<String>), Tally>,
    /// By day.
    pub days: BTreeMap<Date, Tally>,
    /// Failures that say why, by category.
    pub errors: BTreeMap<String, u64>,
    /// How soon people succeed.
    pub waits: Waits,
    /// People by the week of their first operation, of which the Monday stands here, and the number of weeks from it to one in which
    /// they were active.
    pub cohorts: BTreeMap<(Date, u32), u64>,
}
