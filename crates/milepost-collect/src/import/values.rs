//! What a value of a row means: a time, an amount, a word.

use jiff::{civil::DateTime, tz::TimeZone};
use milepost_record::{Outcome, Timestamp};
use serde_json::Value;

/// Seconds since 1970 of the years 1973 to 2286; beyond, the number may be one of milliseconds.
const EPOCH_SECONDS: std::ops::Range<f64> = 1e8..1e10;

/// A point in time: RFC 3339, the same without a zone, which is then `zone`, or a number since 1970 whose magnitude tells the unit.
pub(crate) fn time(value: &Value, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || format!("{} is no time: write it as 2026-11-24T21:13:00Z, or as seconds since 1970", shown(value));
    if let Some(number) = number(value) {
        return since_1970(number).ok_or_else(wrong);
    }
    let text = value.as_str().ok_or_else(wrong)?.trim();
    let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |text| format!("{text}Z"));
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    // A date alone is a day, and no point in time.
    let local: DateTime = text.parse().ok().filter(|_| text.contains(':')).ok_or_else(wrong)?;
    let zoned = local.to_zoned_datetime(zone.clone()).map_err(|_| wrong())?;
    Ok(Timestamp::from_jiff(zoned.timestamp()))
}

#[expect(clippy::cast_possible_truncation, reason = "the ranges end in the year 2286")]
fn since_1970(number: f64) -> Option<Timestamp> {
    // Ranges that do not touch: what lies between two of them could be either.
    let per_second = [1.0, 1e3, 1e6, 1e9].into_iter().find(|per_second| EPOCH_SECONDS.contains(&(number / per_second)))?;
    Timestamp::from_microseconds((number / per_second * 1e6).round() as i64)
}

/// A finite number, also where it stands as text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number, also where it stands as text, or as `3.0`.
#[expect(clippy::cast_possible_truncation, reason = "below 9e15, every whole number is exact")]
pub(crate) fn whole(value: &Value) -> Result<i64, String> {
    let exact = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let rounded = || number(value).filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64);
    exact.or_else(rounded).ok_or_else(|| format!("{} is no whole number", shown(value)))
}

/// A count.
pub(crate) fn count(value: &Value) -> Result<u64, String> {
    u64::try_from(whole(value)?).map_err(|_| format!("{} is no count", shown(value)))
}

/// A duration in microseconds, of so many microseconds a unit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor beyond 9e15")]
pub(crate) fn duration(value: &Value, unit_us: f64) -> Result<u64, String> {
    let number = number(value).filter(|number| *number >= 0.0).ok_or_else(|| format!("{} is no duration", shown(value)))?;
    let us = (number * unit_us).round();
    // Far beyond what an event takes, and exact.
    if us < 9e15 { Ok(us as u64) } else { Err(format!("{} is no duration", shown(value))) }
}

/// Yes or no.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// How an operation ended: one of the words of the format, or whether it was a success.
pub(crate) fn outcome(value: &Value) -> Result<Outcome, String> {
    if let Some(success) = boolean(value) {
        return Ok(if success { Outcome::Ok } else { Outcome::Failed });
    }
    let word = value.as_str().and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
    word.ok_or_else(|| format!("{} is neither true or false nor one of ok, failed, timeout, cancelled", shown(value)))
}

/// A text, also where it stands as a number.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!("{} is no plain value", shown(value))),
    }
}

/// Enough of a value to recognise it in a message.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("`{}`", text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_is_taken_where_it_is_clear_which_one_it_is() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (value, expected) in [
            (json!("2026-11-24T21:13:00Z"), Some("2026-11-24T21:13:00Z")),
            (json!("2026-11-24 21:13:00+01:00"), Some("2026-11-24T20:13:00Z")),
            (json!("2026-11-24 21:13:00.5 UTC"), Some("2026-11-24T21:13:00.5Z")),
            // Of a clock on the wall.
            (json!("2026-11-24T21:13:00"), Some("2026-11-24T20:13:00Z")),
            (json!("2026-11-24 21:13"), Some("2026-11-24T20:13:00Z")),
            (json!(1_795_554_780), Some("2026-11-24T21:13:00Z")),
            (json!(1_795_554_780.25), Some("2026-11-24T21:13:00.25Z")),
            (json!("1795554780"), Some("2026-11-24T21:13:00Z")),
            (json!(1_795_554_780_123_i64), Some("2026-11-24T21:13:00.123Z")),
            (json!(1_795_554_780_123_456_i64), Some("2026-11-24T21:13:00.123456Z")),
            (json!(1_795_554_780_123_456_768_i64), Some("2026-11-24T21:13:00.123457Z")),
            // Seconds of the year 3000, or milliseconds of January 1971.
            (json!(32_503_680_000_i64), None),
            (json!(12), None),
            (json!("2026-11-24"), None),
            (json!("soon"), None),
            (json!(true), None),
        ] {
            let expected: Option<Timestamp> = expected.map(|text| text.parse().expect("a time"));
            assert_eq!(time(&value, &berlin).ok(), expected, "{value}");
        }
    }

    #[test]
    fn an_outcome_is_a_word_or_a_success() {
        for (value, expected) in [
            (json!(true), Some(Outcome::Ok)),
            (json!("False"), Some(Outcome::Failed)),
            (json!(1), Some(Outcome::Ok)),
            (json!("0"), Some(Outcome::Failed)),
            (json!("Timeout"), Some(Outcome::Timeout)),
            (json!("cancelled"), Some(Outcome::Cancelled)),
            (json!(2), None),
            (json!("maybe"), None),
        ] {
            assert_eq!(outcome(&value).ok(), expected, "{value}");
        }
    }
}
