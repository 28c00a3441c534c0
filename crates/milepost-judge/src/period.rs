//! The days, weeks and months that reports are about, each in the project's time zone: a day on which the clocks change has 23 or 25
//! hours.

use jiff::{
    ToSpan,
    civil::{Date, ISOWeekDate, Weekday},
    tz::TimeZone,
};
use milepost_record::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// How long a period is, and how often a report of one is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// A day.
    Daily,
    /// A week of ISO 8601: it begins on Monday.
    Weekly,
    /// A month.
    Monthly,
}

impl Rhythm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// A period of it, as it is written.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Daily => "a day such as 2026-11-20",
            Self::Weekly => "a week such as 2026-W47",
            Self::Monthly => "a month such as 2026-10",
        }
    }
}

/// One day, week or month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    rhythm: Rhythm,
    /// Its first day.
    first: Date,
    /// The first day after it.
    next: Date,
}

impl Period {
    /// The period that a day is in; `None` where it reaches beyond the calendar.
    #[must_use]
    pub fn of(rhythm: Rhythm, day: Date) -> Option<Self> {
        let (first, length) = match rhythm {
            Rhythm::Daily => (day, 1.day()),
            Rhythm::Weekly => (day.checked_sub(i32::from(day.weekday().to_monday_zero_offset()).days()).ok()?, 1.week()),
            Rhythm::Monthly => (day.first_of_month(), 1.month()),
        };
        Some(Self { rhythm, first, next: first.checked_add(length).ok()? })
    }

    /// The last period that is over today.
    #[must_use]
    pub fn last(rhythm: Rhythm, today: Date) -> Option<Self> {
        Self::of(rhythm, today)?.before()
    }

    /// The one before it.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        Self::of(self.rhythm, self.first.yesterday().ok()?)
    }

    /// Reads what [`Period`] writes; `None` for anything else.
    #[must_use]
    pub fn named(rhythm: Rhythm, name: &str) -> Option<Self> {
        let first = match rhythm {
            Rhythm::Daily => name.parse().ok()?,
            Rhythm::Weekly => {
                let (year, week) = name.split_once("-W")?;
                ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()?.date()
            }
            Rhythm::Monthly => format!("{name}-01").parse().ok()?,
        };
        Self::of(rhythm, first).filter(|period| period.to_string() == name)
    }

    /// How long it is.
    #[must_use]
    pub const fn rhythm(self) -> Rhythm {
        self.rhythm
    }

    /// Whether a day is in it.
    #[must_use]
    pub fn has(self, day: Date) -> bool {
        self.first <= day && day < self.next
    }

    /// From its first moment to that of the next one; `None` where that is beyond what a time can be.
    #[must_use]
    pub fn span(self, calendar: &TimeZone) -> Option<Span> {
        // After a change of the clocks a day need not begin at midnight.
        let start = |day: Date| day.to_zoned_datetime(calendar.clone()).and_then(|zoned| zoned.start_of_day()).ok();
        let begins = |day: Date| Some(Timestamp::from_jiff(start(day)?.timestamp()));
        let (from, to) = begins(self.first).zip(begins(self.next))?;
        (from < to).then_some(Span { from, to })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rhythm {
            Rhythm::Daily => write!(f, "{}", self.first),
            Rhythm::Weekly => {
                let week = self.first.iso_week_date();
                write!(f, "{:04}-W{:02}", week.year(), week.week())
            }
            Rhythm::Monthly => write!(f, "{:04}-{:02}", self.first.year(), self.first.month()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn named(rhythm: Rhythm, name: &str) -> Period {
        Period::named(rhythm, name).unwrap_or_else(|| panic!("{name}"))
    }

    #[test]
    fn a_name_means_one_period() {
        for (rhythm, name, first, next) in [
            (Rhythm::Daily, "2026-11-20", date(2026, 11, 20), date(2026, 11, 21)),
            (Rhythm::Weekly, "2026-W47", date(2026, 11, 16), date(2026, 11, 23)),
            // The first week of a year may begin in the one before.
            (Rhythm::Weekly, "2026-W01", date(2025, 12, 29), date(2026, 1, 5)),
            (Rhythm::Weekly, "2020-W53", date(2020, 12, 28), date(2021, 1, 4)),
            (Rhythm::Monthly, "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ] {
            let period = named(rhythm, name);
            assert_eq!((period.first, period.next, period.to_string().as_str()), (first, next, name));
            assert!(period.has(first) && !period.has(next));
        }
        for (rhythm, name) in [
            (Rhythm::Daily, "2026-11"),
            (Rhythm::Daily, "2026-11-20T00:00"),
            (Rhythm::Daily, "20261120"),
            (Rhythm::Daily, "9999-12-31"),
            (Rhythm::Weekly, "2026-W54"),
            (Rhythm::Weekly, "2026-W7"),
            (Rhythm::Weekly, "2026-47"),
            (Rhythm::Monthly, "2026-13"),
            (Rhythm::Monthly, "2026-11-20"),
            (Rhythm::Monthly, ""),
        ] {
            assert_eq!(Period::named(rhythm, name), None, "{name}");
        }
    }

    #[test]
    fn the_last_one_is_over() {
        for (today, day, week, month) in [
            (date(2026, 11, 23), "2026-11-22", "2026-W47", "2026-10"),
            (date(2026, 11, 22), "2026-11-21", "2026-W46", "2026-10"),
            (date(2026, 1, 1), "2025-12-31", "2025-W52", "2025-12"),
        ] {
            let last = Rhythm::ALL.map(|rhythm| Period::last(rhythm, today).expect("a period").to_string());
            assert_eq!(last, [day, week, month]);
        }
        assert_eq!(Period::last(Rhythm::Weekly, Date::MIN), None);
    }

    #[test]
    fn a_day_on_which_the_clocks_change_has_23_or_25_hours() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a time zone");
        for (name, from, hours) in [
            ("2026-03-29", "2026-03-28T23:00:00Z", 23),
            ("2026-10-25", "2026-10-24T22:00:00Z", 25),
            ("2026-11-20", "2026-11-19T23:00:00Z", 24),
        ] {
            let span = named(Rhythm::Daily, name).span(&berlin).expect("a span");
            assert_eq!(span.from, from.parse().expect("a time"));
            assert_eq!(span.to.since(span.from).as_secs(), hours * 3600, "{name}");
        }
    }
}
