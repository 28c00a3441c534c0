//! How often something runs, so that cron and systemd both can say it: at the same minutes of each hour, or at some hours of each day.

use jiff::{ToSpan, ZonedDateTime};
use std::{fmt, time::Duration};

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// A rhythm: every so many minutes, where these divide an hour, or hours, where these divide a day. The first of a day may be some
/// minutes past the whole, so that not all machines begin at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    every_minutes: u64,
    offset: u64,
}

impl Rhythm {
    /// `None` where cron and systemd have no word for it. `seed` is any number: the same one gives the same minutes.
    pub(super) fn new(every: Duration, seed: u32) -> Option<Self> {
        let minutes = every.as_secs() / 60;
        let is_whole = every == Duration::from_secs(minutes * 60);
        let fits = |whole: u64| minutes > 0 && whole.is_multiple_of(minutes);
        let divides = if minutes < HOUR { fits(HOUR) } else { minutes.is_multiple_of(HOUR) && fits(DAY) };
        (is_whole && divides).then(|| Self { every_minutes: minutes, offset: u64::from(seed) % minutes.min(HOUR) })
    }

    fn minutes(self) -> Vec<String> {
        let step = usize::try_from(self.every_minutes.min(HOUR)).unwrap_or(60);
        (self.offset..HOUR).step_by(step).map(|minute| minute.to_string()).collect()
    }

    fn hours(self) -> Vec<String> {
        let step = usize::try_from(self.every_minutes / HOUR).unwrap_or(24).max(1);
        (0..24_u64).step_by(step).map(|hour| hour.to_string()).collect()
    }

    /// The first two fields of a line of cron; the other three are `* * *`.
    pub(super) fn cron(self) -> String {
        let hours = if self.every_minutes <= HOUR { "*".to_owned() } else { self.hours().join(",") };
        format!("{} {hours}", self.minutes().join(","))
    }

    /// As systemd writes a calendar event.
    pub(super) fn calendar(self) -> String {
        let two = |numbers: Vec<String>| numbers.iter().map(|number| format!("{number:0>2}")).collect::<Vec<_>>().join(",");
        let hours = if self.every_minutes <= HOUR { "*".to_owned() } else { two(self.hours()) };
        format!("*-*-* {hours}:{}:00", two(self.minutes()))
    }

    /// How much later systemd may begin, so that machines that were started together do not stay together.
    pub(super) fn delay(self) -> Duration {
        Duration::from_secs((self.every_minutes * 60 / 10).min(300))
    }

    /// The next time, in the time zone of `now`; none where the clocks never show it, which no rhythm has.
    pub(super) fn next(self, now: &ZonedDateTime) -> Option<ZonedDateTime> {
        let minute = now.with().second(0).subsec_nanosecond(0).build().ok()?;
        let is_one = |at: &ZonedDateTime| {
            let of_day = u64::try_from(at.hour()).unwrap_or(0) * HOUR + u64::try_from(at.minute()).unwrap_or(0);
            of_day >= self.offset && (of_day - self.offset).is_multiple_of(self.every_minutes)
        };
        // A day and an hour: where clocks are put forward, an hour of a day is missing.
        (1..=(DAY + HOUR) as i64).find_map(|ahead| minute.checked_add(ahead.minutes()).ok().filter(is_one))
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, one, many) = match self.every_minutes {
            minutes if minutes % DAY == 0 => (minutes / DAY, "day", "days"),
            minutes if minutes % HOUR == 0 => (minutes / HOUR, "hour", "hours"),
            minutes => (minutes, "minute", "minutes"),
        };
        if number == 1 { write!(f, "every {one}") } else { write!(f, "every {number} {many}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(minutes: u64, seed: u32) -> Rhythm {
        Rhythm::new(Duration::from_secs(minutes * 60), seed).expect("a rhythm")
    }

    #[test]
    fn cron_and_systemd_say_the_same() {
        for (minutes, seed, cron, calendar, words) in [
            (60, 67, "7 *", "*-*-* *:07:00", "every hour"),
            (15, 67, "7,22,37,52 *", "*-*-* *:07,22,37,52:00", "every 15 minutes"),
            (360, 60, "0 0,6,12,18", "*-*-* 00,06,12,18:00:00", "every 6 hours"),
            (1440, 61, "1 0", "*-*-* 00:01:00", "every day"),
        ] {
            let rhythm = rhythm(minutes, seed);
            assert_eq!((rhythm.cron().as_str(), rhythm.calendar().as_str(), rhythm.to_string().as_str()), (cron, calendar, words));
        }
        for minutes in [0, 7, 45, 90, 300, 2880] {
            assert_eq!(Rhythm::new(Duration::from_secs(minutes * 60), 1), None, "{minutes}");
        }
        assert_eq!(Rhythm::new(Duration::from_secs(90), 1), None);
    }

    #[test]
    fn the_next_time_is_after_now_and_where_clocks_change_none_is_lost() {
        let next = |minutes, seed, now: &str| rhythm(minutes, seed).next(&now.parse().expect("a time")).expect("a next time").to_string();
        assert_eq!(next(60, 7, "2026-11-27T19:07:00+00:00[UTC]"), "2026-11-27T20:07:00+00:00[UTC]");
        assert_eq!(next(60, 7, "2026-11-27T19:06:59+00:00[UTC]"), "2026-11-27T19:07:00+00:00[UTC]");
        assert_eq!(next(1440, 7, "2026-12-31T23:59:00+00:00[UTC]"), "2027-01-01T00:07:00+00:00[UTC]");
        assert_eq!(next(360, 7, "2026-11-27T06:07:30+00:00[UTC]"), "2026-11-27T12:07:00+00:00[UTC]");
        assert_eq!(next(60, 7, "2026-03-29T01:30:00+01:00[Europe/Berlin]"), "2026-03-29T03:07:00+02:00[Europe/Berlin]");
    }
}
