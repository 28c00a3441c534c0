//! What became of all that came in, counted by reason, for `doctor`.

use super::{Signal, mapping::Reason};
use milepost_record::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The most reasons that are counted apart.
const REASONS_MAX: usize = 50;
const OTHERS: &str = "other reasons";
/// As much of its reasons as an answer holds, in bytes.
const SAID_BYTES_MAX: usize = 1000;

/// How many, for each reason, in one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<Reason, u64>);

impl Counts {
    pub(super) fn add(&mut self, why: Reason, n: u64) {
        let is_full = self.0.len() >= REASONS_MAX && !self.0.contains_key(&why);
        let counted = self.0.entry(if is_full { OTHERS.into() } else { why }).or_default();
        *counted = counted.saturating_add(n);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = 0;
        for (number, (why, n)) in self.0.iter().enumerate() {
            let part = format!("{}{n} × {why}", if number > 0 { "; " } else { "" });
            said += part.len();
            if said > SAID_BYTES_MAX {
                return write!(f, "; …");
            }
            f.write_str(&part)?;
        }
        Ok(())
    }
}

/// What became of all that came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally(pub(crate) BTreeMap<String, OfSignal>);

/// What became of the traces, the metrics or the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OfSignal {
    /// How many events were recorded; those that were sent again are among them.
    pub(crate) recorded: u64,
    /// How many were not meant for us.
    pub(crate) left_out: BTreeMap<String, Count>,
    /// How many the sender was told to have been rejected.
    pub(crate) rejected: BTreeMap<String, Count>,
    /// How many whole requests were refused.
    pub(crate) refused: BTreeMap<String, Count>,
}

/// How many, and when the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) n: u64,
    pub(crate) last: Timestamp,
}

impl Tally {
    fn of(&mut self, signal: Signal) -> &mut OfSignal {
        self.0.entry(signal.name().to_owned()).or_default()
    }

    pub(super) fn add(&mut self, signal: Signal, recorded: u64, left_out: &Counts, rejected: &Counts, now: Timestamp) {
        let of = self.of(signal);
        of.recorded = of.recorded.saturating_add(recorded);
        for (counted, more) in [(&mut of.left_out, left_out), (&mut of.rejected, rejected)] {
            for (why, n) in &more.0 {
                count(counted, why, *n, now);
            }
        }
    }

    pub(super) fn refused(&mut self, signal: Signal, why: String, now: Timestamp) {
        count(&mut self.of(signal).refused, &why, 1, now);
    }
}

fn count(counted: &mut BTreeMap<String, Count>, why: &str, n: u64, now: Timestamp) {
    let is_full = counted.len() >= REASONS_MAX && !counted.contains_key(why);
    let count = counted.entry(if is_full { OTHERS.to_owned() } else { why.to_owned() }).or_insert(Count { n: 0, last: now });
    (count.n, count.last) = (count.n.saturating_add(n), now);
}
