//! Amounts as they are typed on the command line: `30s`, `183ms`, `50MB`.

use milepost_judge::{Family, Quantity};
use std::time::Duration;

/// A duration with its unit.
///
/// # Errors
/// Where it is no duration, has no unit, or is negative.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    microseconds(text).map(Duration::from_micros)
}

/// A duration with its unit, in whole microseconds.
///
/// # Errors
/// As [`duration`].
pub(crate) fn microseconds(text: &str) -> Result<u64, String> {
    amount(text, Family::Time)
}

/// An amount of memory with its unit, in whole bytes.
///
/// # Errors
/// Where it is no amount of memory, has no unit, or is negative.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    amount(text, Family::Memory)
}

fn amount(text: &str, family: Family) -> Result<u64, String> {
    let quantity: Quantity = text.parse().map_err(|error| format!("{error}; write it as {}", family.example()))?;
    if quantity.unit.family() != family {
        return Err(format!("its unit says something else; write it as {}", family.example()));
    }
    let base = quantity.base().round();
    // The largest whole number that a 64-bit float keeps exact.
    if !(0.0..=9_007_199_254_740_992.0).contains(&base) {
        return Err("it is negative or too large to be true".to_owned());
    }
    Ok(base as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_demanded() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(microseconds("183ms"), Ok(183_000));
        assert_eq!(bytes("2MiB"), Ok(2_097_152));
        for wrong in ["30", "30 parsecs", "30MB", "-1s", "1e30d", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
