//! The days of a time zone.

use crate::{StoreError, answer::number_of};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::Timestamp;

const DAY_US: i64 = 86_400_000_000;

/// A zone by its IANA name; UTC where there is none of it.
pub(crate) fn named(zone: &str) -> TimeZone {
    // This one without a walk through the files of all zones.
    if zone == "UTC" { TimeZone::UTC } else { TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
}

/// The days that moments are on. Events lie in the order of time, or nearly so: the day of one is known from that before it.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    from: i64,
    to: i64,
    day: i32,
}

impl Calendar {
    pub(crate) const fn of(zone: TimeZone) -> Self {
        Self { zone, from: 0, to: 0, day: 0 }
    }

    /// That of a zone by its IANA name; that of UTC where there is none of it.
    pub(crate) fn named(zone: &str) -> Self {
        Self::of(named(zone))
    }

    /// The number of the day of a moment, in days since 1970; of the moment in microseconds since then.
    pub(crate) fn day(&mut self, at: i64) -> Result<i32, StoreError> {
        if !(self.from..self.to).contains(&at) {
            let wrong = || StoreError::Shape("at");
            if self.zone == TimeZone::UTC {
                return i32::try_from(at.div_euclid(DAY_US)).map_err(|_| wrong());
            }
            let moment = Timestamp::from_microseconds(at).ok_or_else(wrong)?.to_jiff().to_zoned_datetime(self.zone.clone());
            let start = |day: Date| day.to_zoned_datetime(self.zone.clone()).ok().map(|start| start.timestamp().as_microsecond());
            self.day = number_of(moment.date())?;
            // On the first and the last day that there can be, this moment alone.
            self.from = start(moment.date()).unwrap_or(at);
            self.to = moment.date().tomorrow().ok().and_then(start).unwrap_or(at);
        }
        Ok(self.day)
    }
}
