//! The version of what a configuration is written in, which is looked at before the rest of it.

use super::{fault::Fault, file::At, wrong::Wrong};
use serde::Deserialize;

/// The version that is read of what a configuration is written in.
const FORMAT: u64 = 1;

/// Refuses a file of another version as a whole: its other keys may be any.
pub(super) fn refuse_other(text: &str) -> Result<(), Vec<Fault>> {
    #[derive(Deserialize)]
    struct Versioned {
        format: Option<At<u64>>,
    }
    match toml::from_str(text) {
        Ok(Versioned { format: Some(format) }) if format.value > FORMAT => {
            Err(vec![Fault::new(format.span, Wrong::Newer { found: format.value, reads: FORMAT })])
        }
        Ok(Versioned { format: Some(format) }) if format.value < FORMAT => {
            Err(vec![Fault::new(format.span, Wrong::NoFormat { found: format.value })])
        }
        _ => Ok(()),
    }
}
