//! When each job last began, how the last round went, and of how many events each report was made: `track.json` in the data folder.

use super::{super::Failure, kept::Place};
use milepost_judge::{Period, period_report::FirstMade};
use milepost_record::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

const VERSION: u64 = 1;
/// The file, and the version that is written.
pub(super) const FORMAT: (&str, u64) = ("track.json", VERSION);
/// What began longer ago than the longest rhythm is due whether or not it is noted.
const NOTED_FOR: Duration = Duration::from_secs(32 * 86400);
/// How long is known of how many events a report was made.
const REPORTS_NOTED_FOR: Duration = Duration::from_secs(800 * 86400);

/// When each job last began, and how the last round went.
pub(in super::super) struct Journal {
    place: Place,
    starts: BTreeMap<String, Timestamp>,
    last: Option<LastRound>,
    reports: BTreeMap<String, FirstMade>,
}

/// The last call of `milepost track` that came to an end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct LastRound {
    pub(in super::super) began: Timestamp,
    pub(in super::super) ended: Timestamp,
    pub(in super::super) exit_code: u8,
    /// Its last line.
    pub(in super::super) said: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u64,
    jobs: BTreeMap<String, Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<LastRound>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reports: BTreeMap<String, FirstMade>,
}

impl Journal {
    /// Reads it. One that is damaged is set aside, and everything is due.
    ///
    /// # Errors
    /// Where it cannot be read, or a newer Milepost wrote it.
    pub(in super::super) fn open(place: Place) -> Result<Self, Failure> {
        let content: Option<Content> = place.read(FORMAT.0, VERSION, "everything is due")?;
        let (starts, last, reports) = content.map_or_else(Default::default, |content| (content.jobs, content.last, content.reports));
        Ok(Self { place, starts, last, reports })
    }

    /// Whether a job is due: `now` lies in a later slot of its rhythm than its last start. So a call that comes a little early
    /// or late skips nothing, and what was missed is caught up once.
    pub(super) fn is_due(&self, job: &str, every: Duration, now: Timestamp) -> bool {
        let Some(last) = self.starts.get(job).copied() else { return true };
        let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX).max(1);
        let slot = |at: Timestamp| at.as_microseconds().div_euclid(every);
        // A start that is yet to come was noted by a clock that went wrong.
        last > now || slot(now) > slot(last)
    }

    /// Notes that a job begins.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub(super) fn begins(&mut self, job: &str, now: Timestamp) -> Result<(), Failure> {
        self.starts.retain(|_, start| now.since(*start) <= NOTED_FOR);
        self.starts.insert(job.to_owned(), now);
        self.write()
    }

    /// How the last round went that came to an end.
    pub(in super::super) fn last(&self) -> Option<&LastRound> {
        self.last.as_ref()
    }

    /// Notes that a round ends.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub(super) fn ends(&mut self, round: LastRound) -> Result<(), Failure> {
        self.last = Some(round);
        self.write()
    }

    /// Of what the report of a period was made first.
    pub(in super::super) fn made(&self, period: Period) -> Option<FirstMade> {
        self.reports.get(&report(period)).copied()
    }

    /// Notes that the report of a period was made.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub(super) fn makes(&mut self, period: Period, first: FirstMade) -> Result<(), Failure> {
        self.reports.retain(|_, made| first.at.since(made.at) <= REPORTS_NOTED_FOR);
        self.reports.insert(report(period), first);
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let content = Content { version: VERSION, jobs: self.starts.clone(), last: self.last.clone(), reports: self.reports.clone() };
        self.place.write(FORMAT.0, &content)
    }
}

/// The name of a report in the journal.
fn report(period: Period) -> String {
    format!("{}/{period}", period.rhythm().name())
}

/// The name of a job in the journal: its parts, which no other job has.
pub(super) fn name<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<_> = parts.into_iter().map(|part| part.replace('%', "%25").replace('/', "%2F")).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_job_is_due_once_in_each_slot_of_its_rhythm() {
        let hour = Duration::from_secs(3600);
        for (last, now, every, due) in [
            ("2026-11-25T12:00:03Z", "2026-11-25T12:59:59Z", hour, false),
            ("2026-11-25T12:00:03Z", "2026-11-25T13:00:01Z", hour, true),
            // Cron came late, and then in time.
            ("2026-11-25T12:45:00Z", "2026-11-25T13:00:00Z", hour, true),
            // The machine slept for two days.
            ("2026-11-23T12:00:00Z", "2026-11-25T12:00:00Z", hour, true),
            ("2026-11-25T12:00:00Z", "2026-11-25T23:59:59Z", hour * 24, false),
            ("2026-11-25T23:59:59Z", "2026-11-26T00:00:00Z", hour * 24, true),
            ("2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z", hour, false),
            // The clock was wrong by a year.
            ("2027-11-25T12:00:00Z", "2026-11-25T12:00:00Z", hour, true),
        ] {
            let journal = Journal {
                place: Place::Folder(PathBuf::new()),
                starts: [("job".to_owned(), at(last))].into(),
                last: None,
                reports: BTreeMap::new(),
            };
            assert_eq!(journal.is_due("job", every, at(now)), due, "{last} {now}");
            assert!(journal.is_due("another", every, at(now)));
        }
    }

    #[test]
    fn no_two_jobs_share_a_name() {
        assert_eq!(name(["probe", "search", "native"]), "probe/search/native");
        assert_ne!(name(["probe", "a/b"]), name(["probe", "a", "b"]));
        assert_ne!(name(["probe", "a%2Fb"]), name(["probe", "a/b"]));
    }
}
