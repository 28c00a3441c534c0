//! Ids that follow from what an event was made of.

use milepost_record::hexadecimal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The ids of one import: equal rows are told apart by how many came before.
#[derive(Debug, Default)]
pub struct Ids {
    /// Of rows that are different and have the same 64 bits, one would be taken for the second of its like. Its id is still its own.
    seen: HashMap<u64, u32>,
}

impl Ids {
    /// The id of what says this: names with their values, in whatever order; what has no value says nothing.
    pub fn next<'a>(&mut self, format: &str, says: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
        let mut says: Vec<_> = says.filter(|(_, value)| !is_nothing(value)).map(|(name, value)| (name, value.to_string())).collect();
        says.sort_unstable();
        let mut hash = Sha256::new();
        for part in [format].into_iter().chain(says.iter().flat_map(|(name, value)| [*name, value.as_str()])) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let short = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let before = self.seen.entry(short).or_default();
        *before = before.saturating_add(1);
        let id = Sha256::new().chain_update(digest).chain_update(before.to_le_bytes()).finalize();
        hexadecimal("i-", &id, 12)
    }
}

/// Whether a value is none.
pub(crate) fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim_ascii().is_empty())
}
