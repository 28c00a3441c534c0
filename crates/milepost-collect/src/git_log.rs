//! What a repository's history says of its community: contributions by month, of people outside, maintainers and bots apart.
//!
//! A contribution is a commit that is no merge, in the month in which it was committed. It is one of people outside where its author
//! or somebody named by `Co-authored-by` is neither a maintainer nor a bot.

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Attributes, Event, Measurement, Scalar, Timestamp, hexadecimal};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The arguments of `git` whose output [`contributions`] reads: one record a commit, its names as the mailmap has them.
pub const GIT_LOG: &[&str] = &[
    "log",
    // A repository's own configuration may name a program that looks at signatures.
    "--no-show-signature",
    "--no-merges",
    "--use-mailmap",
    "-z",
    "--format=%H%x1f%cI%x1f%aN%x1f%aE%x1f%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x1e)",
];
/// How many months are told: the current one and those before it.
pub const MONTHS: usize = 13;

/// One month of contributions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// Commits of people outside.
    pub contributions: u64,
    /// How many people these are.
    pub people: usize,
    /// Commits of maintainers and nobody else.
    pub maintainers: u64,
    /// Commits of bots and nobody else.
    pub bots: u64,
}

/// The months of a history, by their first day, and the newest commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contributions {
    /// From the month of the first commit, or [`MONTHS`] back, to the current one; those without commits too.
    pub months: BTreeMap<Date, Month>,
    /// The commit that the history was read from.
    pub head: String,
}

/// Why there is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHistory {
    /// Not one commit that is no merge.
    #[error("there is no commit yet")]
    Empty,
    /// Not what [`GIT_LOG`] asks for.
    #[error("git printed something else than a history: {0}")]
    Damaged(String),
}

/// Who is whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Outside,
    Maintainer,
    Bot,
}

/// Reads what `git` printed for [`GIT_LOG`], at `now`; months begin where the zone says. `maintainers` are names or addresses, in any
/// case.
///
/// # Errors
/// Where it is no such output, or there is no commit.
pub fn contributions(output: &[u8], maintainers: &[String], zone: &TimeZone, now: Timestamp) -> Result<Contributions, NoHistory> {
    let text = String::from_utf8_lossy(output);
    let maintainers: BTreeSet<String> = maintainers.iter().map(|name| name.to_lowercase()).collect();
    let month_of = |at: Timestamp| at.to_jiff().to_zoned_datetime(zone.clone()).date().first_of_month();
    let current = month_of(now);
    let oldest = current.saturating_sub(i64::try_from(MONTHS - 1).unwrap_or(12).months());
    let mut found = Contributions::default();
    let mut people: BTreeMap<Date, BTreeSet<String>> = BTreeMap::new();
    let mut first = current;
    for record in text.split('\0').filter(|record| !record.is_empty()) {
        let mut fields = record.split('\u{1f}');
        let mut field = || fields.next().ok_or_else(|| NoHistory::Damaged("a field is missing".to_owned()));
        let (hash, committed, name, email, others) = (field()?, field()?, field()?, field()?, field()?);
        let at: Timestamp = committed.parse().map_err(|error: milepost_record::NotATime| NoHistory::Damaged(error.to_string()))?;
        if found.head.is_empty() {
            hash.clone_into(&mut found.head);
        }
        let month = month_of(at);
        first = first.min(month);
        // A commit of the future is one of a wrong clock.
        if month < oldest || month > current {
            continue;
        }
        let authors = std::iter::once((name, email)).chain(others.split('\u{1e}').filter_map(named));
        let authors: Vec<_> = authors.map(|(name, email)| (who(name, email, &maintainers), email.to_lowercase())).collect();
        let of_month = found.months.entry(month).or_default();
        if authors.iter().any(|(who, _)| *who == Who::Outside) {
            count(&mut of_month.contributions);
            let outside = authors.into_iter().filter(|(who, _)| *who == Who::Outside).map(|(_, email)| email);
            people.entry(month).or_default().extend(outside);
        } else if authors.iter().any(|(who, _)| *who == Who::Maintainer) {
            count(&mut of_month.maintainers);
        } else {
            count(&mut of_month.bots);
        }
    }
    if found.head.is_empty() {
        return Err(NoHistory::Empty);
    }
    let mut month = first.max(oldest);
    while month <= current {
        let of_month = found.months.entry(month).or_default();
        of_month.people = people.get(&month).map_or(0, BTreeSet::len);
        month = month.saturating_add(1.month());
    }
    Ok(found)
}

const fn count(commits: &mut u64) {
    *commits = commits.saturating_add(1);
}

/// `Ada <ada@example.org>`.
fn named(trailer: &str) -> Option<(&str, &str)> {
    let (name, rest) = trailer.trim().split_once('<')?;
    Some((name.trim(), rest.trim_end_matches('>').trim()))
}

fn who(name: &str, email: &str, maintainers: &BTreeSet<String>) -> Who {
    let (name, email) = (name.to_lowercase(), email.to_lowercase());
    if name.contains("[bot]") || email.contains("[bot]") || name == "bot" || name.ends_with("-bot") || name.ends_with(" bot") {
        Who::Bot
    } else if maintainers.contains(&name) || maintainers.contains(&email) {
        Who::Maintainer
    } else {
        Who::Outside
    }
}

impl Contributions {
    /// As measurements, taken at `at`: `contributions.month` for each month, which is its scope, with who else committed as
    /// attributes. Counts, and no names. The same history read twice on a day counts once.
    #[must_use]
    pub fn events(&self, at: Timestamp, zone: &TimeZone) -> Vec<Event> {
        let today = at.to_jiff().to_zoned_datetime(zone.clone()).date();
        let event = |(date, month): (&Date, &Month)| {
            let mut measurement = Measurement::new("contributions.month", month.contributions as f64);
            let scope = date.strftime("%Y-%m").to_string();
            let id = Sha256::digest(format!("{} {scope} {today} {month:?}", self.head));
            measurement.source = Some("git log".to_owned());
            measurement.scope = Some(scope);
            let whole = |n: u64| Scalar::Integer(i64::try_from(n).unwrap_or(i64::MAX));
            let mut event = Event::at(at, measurement);
            event.id = Some(hexadecimal("git-", &id, 12));
            event.attributes = Attributes::from([
                ("people".to_owned(), whole(month.people as u64)),
                ("of_maintainers".to_owned(), whole(month.maintainers)),
                ("of_bots".to_owned(), whole(month.bots)),
                ("is_closed".to_owned(), Scalar::Boolean(*date < today.first_of_month())),
            ]);
            event
        };
        self.months.iter().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(commits: &[(&str, &str, &str, &str)]) -> Vec<u8> {
        let record =
            |(at, name, email, others): &(&str, &str, &str, &str)| format!("{at}f00\u{1f}{at}\u{1f}{name}\u{1f}{email}\u{1f}{others}\0");
        commits.iter().map(record).collect::<String>().into_bytes()
    }

    fn read(output: &[u8]) -> Result<Contributions, NoHistory> {
        contributions(output, &["Rose@Example.org".to_owned()], &TimeZone::UTC, "2026-11-24T12:00:00Z".parse().expect("a time"))
    }

    #[test]
    fn people_outside_maintainers_and_bots_are_apart() {
        let found = read(&log(&[
            ("2026-11-20T00:00:00Z", "Ada", "ada@example.org", ""),
            ("2026-11-20T00:00:01Z", "ada", "ADA@example.org", ""),
            ("2026-11-19T00:00:00Z", "Rose", "rose@example.org", "Bob <bob@example.org>\u{1e}dependabot[bot] <x@y>"),
            ("2026-11-18T00:00:00Z", "Rose", "rose@example.org", ""),
            ("2026-11-17T00:00:00Z", "dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", ""),
            // In October by the wall clock of its author, in September by UTC.
            ("2026-10-01T01:00:00+02:00", "Ada", "ada@example.org", ""),
            ("2020-01-01T00:00:00Z", "Old", "old@example.org", ""),
        ]))
        .expect("a history");
        let november = Month { contributions: 3, people: 2, maintainers: 1, bots: 1 };
        let month = |text: &str| found.months[&text.parse::<Date>().expect("a date")].clone();
        assert_eq!(month("2026-11-01"), november);
        assert_eq!((month("2026-10-01").contributions, month("2026-09-01").contributions), (0, 1));
        // A year and the current month, those without a commit too; what is older is not told.
        assert_eq!((found.months.len(), found.months.keys().next()), (MONTHS, Some(&jiff::civil::date(2025, 11, 1))));
    }

    #[test]
    fn a_young_history_has_no_months_before_it() {
        let found = read(&log(&[("2026-10-05T00:00:00Z", "Ada", "ada@example.org", "")])).expect("a history");
        assert_eq!(found.months.len(), 2);
        let events = found.events("2026-11-24T12:00:00Z".parse().expect("a time"), &TimeZone::UTC);
        let lines: Vec<_> = events.iter().map(|event| event.to_json().expect("a line")).collect();
        assert!(lines[0].contains(r#""name":"contributions.month","value":1.0"#) && lines[0].contains(r#""scope":"2026-10""#), "{lines:?}");
        assert!(lines[0].contains(r#""is_closed":true"#) && lines[1].contains(r#""is_closed":false"#), "{lines:?}");
        assert!(!lines.concat().contains("ada"), "{lines:?}");
    }

    #[test]
    fn what_is_no_history_is_refused() {
        for output in [&b""[..], b"fatal: not a git repository", b"a\x1fb\x1fc\x1fd\x1fe\0"] {
            assert!(read(output).is_err(), "{output:?}");
        }
    }
}
