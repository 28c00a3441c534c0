//! Which days have to be kept.

use jiff::{civil::Date, tz::TimeZone};
use milepost_judge::{Criteria, questions};
use milepost_record::{Event, Fact, Timestamp};
use std::time::Duration;

/// The first day that is kept: as far back as `retention` reaches, or as any criterion still asks, whatever is earlier. None
/// where everything is kept.
pub(super) fn keep_from(retention: Option<Duration>, criteria: &Criteria, past: &[Event], now: Timestamp) -> Option<Date> {
    let mut from = now.saturating_sub(retention?);
    for (criterion, asked) in criteria.criteria.iter().zip(questions(criteria, past, now)) {
        for question in asked {
            from = from.min(question.span.from).min(before_change(past, &criterion.name, question.span.from).unwrap_or(from));
        }
    }
    // Whoever removes days may count them in either time zone.
    let day = |zone: &TimeZone| from.to_jiff().to_zoned_datetime(zone.clone()).date();
    Some(day(&TimeZone::UTC).min(day(&criteria.calendar)))
}

/// The definition before the one with which the evidence begins, if it begins with one: without it, nobody would know that
/// this is a change, and older events would count again.
fn before_change(past: &[Event], name: &str, from: Timestamp) -> Option<Timestamp> {
    let definitions = || past.iter().filter(|event| matches!(&event.fact, Fact::Criterion(criterion) if criterion.name == name));
    let begins = definitions().any(|event| event.at == from);
    definitions().map(|event| event.at).filter(|at| begins && *at < from).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn criteria(criteria: &[&str]) -> Criteria {
        let one = |(index, since): (usize, &&str)| {
            format!("[[criterion]]\nname = \"{index}\"\nmetric = \"success.rate\"\nabove = \"95%\"\nsince = \"{since}\"\n")
        };
        let criteria: String = criteria.iter().enumerate().map(one).collect();
        let text = format!("[project]\nname = \"p\"\ntime_zone = \"Europe/Berlin\"\nversion = \"1.0\"\n{criteria}");
        Config::read(Path::new("milepost.toml"), text.as_bytes()).expect("a configuration").criteria
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn kept(days: u64, since: &[&str], past: &[Event]) -> String {
        let retention = Some(Duration::from_secs(days * 86400));
        keep_from(retention, &criteria(since), past, at(NOW)).expect("a day").to_string()
    }

    fn defined(when: &str, key: &str) -> Event {
        Event::at(at(when), milepost_record::Criterion::new("0", key))
    }

    #[test]
    fn what_a_criterion_still_needs_is_kept() {
        assert_eq!(keep_from(None, &criteria(&["month"]), &[], at(NOW)), None, "off unless it is configured");
        assert_eq!(kept(400, &[], &[]), "2025-10-21");
        assert_eq!(kept(400, &["quarter", "month"], &[]), "2025-10-21");
        // The quarter began at 22:00 UTC of the day before.
        assert_eq!(kept(1, &["month", "quarter"], &[]), "2026-09-30");
        assert_eq!(kept(1, &["2024-02-29"], &[]), "2024-02-28");
        assert_eq!(kept(1, &["month", "release"], &[]), "1970-01-01", "it may be of any age");
    }

    #[test]
    fn a_change_stays_known_as_a_change() {
        let key = criteria(&["quarter"]).criteria[0].evidence_key(&Default::default());
        let [first, again, changed] = ["2026-01-05T10:00:00Z", "2026-02-05T10:00:00Z", "2026-11-03T10:00:00Z"];
        let past = [defined(first, "old"), defined(again, "old"), defined(changed, &key)];
        assert_eq!(kept(1, &["quarter"], &past), "2026-02-05");
        // Of a change before the quarter nobody has to know any more.
        let past = [defined(first, "old"), defined(again, &key)];
        assert_eq!(kept(1, &["quarter"], &past), "2026-09-30");
        assert_eq!(kept(1, &["criterion"], &[defined(again, &key)]), "2026-02-05");
    }
}
