//! Points in time, as they stand on the wire and on disk: microseconds since 1970 in UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A point in time in whole microseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 with six decimals and a `Z`; read from RFC 3339 with any offset. Finer digits are cut off, so that
/// what was read once is written back the same for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not a point in time in RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time such as 2026-11-24T21:13:00Z")]
pub struct NotATime {
    text: String,
}

impl Timestamp {
    /// 9999-12-31T00:00:00Z, beyond which RFC 3339 has no years.
    const MAX_US: i64 = 253_402_214_400_000_000;
    /// 0001-01-01T00:00:00Z.
    const MIN_US: i64 = -62_135_596_800_000_000;

    /// The clock of this machine, now.
    #[must_use]
    pub fn now() -> Self {
        Self::from_jiff(jiff::Timestamp::now())
    }

    /// From microseconds since 1970; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_microseconds(us: i64) -> Option<Self> {
        (Self::MIN_US..=Self::MAX_US).contains(&us).then_some(Self(us))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_microseconds(self) -> i64 {
        self.0
    }

    /// The same instant for calendar arithmetic.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        // The constructors keep to the years 1 to 9999, all of which jiff can hold.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The same instant, without what is finer than a microsecond.
    #[must_use]
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self(instant.as_microsecond().clamp(Self::MIN_US, Self::MAX_US))
    }

    /// Later by `duration`, at most the end of the year 9999.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(us).min(Self::MAX_US))
    }

    /// Earlier by `duration`, at least the beginning of the year 1.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(us).max(Self::MIN_US))
    }

    /// How long ago `earlier` was; zero where it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| NotATime { text: text.chars().take(64).collect() })?;
        // Rounding down also before 1970, where integer division would round up.
        let us = instant.as_nanosecond().div_euclid(1000);
        i64::try_from(us).ok().and_then(Self::from_microseconds).ok_or_else(|| NotATime { text: text.chars().take(64).collect() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in RFC 3339 such as 2026-11-24T21:13:00Z")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "description": "A point in time in RFC 3339; what is finer than a microsecond is cut off" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_offset_and_writes_utc_with_six_decimals() {
        let at: Timestamp = "2026-11-24T22:13:00.1234567+01:00".parse().expect("a time");
        assert_eq!(at.to_string(), "2026-11-24T21:13:00.123456Z");
        let before_1970: Timestamp = "1969-12-31T23:59:59.9999999Z".parse().expect("a time");
        assert_eq!(before_1970.as_microseconds(), -1);
        assert!("2026-11-24".parse::<Timestamp>().is_err());
        assert!("-009999-01-02T00:00:00Z".parse::<Timestamp>().is_err());
    }
}
