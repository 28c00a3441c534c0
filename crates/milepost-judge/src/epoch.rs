//! Epochs: from when on the events of a criterion count.
//!
//! An always-valid test needs a start that is fixed before the data are seen. It is the later of the boundary that the
//! criterion names and the last change of its evidence key, or of what was excluded by hand. A first definition alone does not cut.

use crate::{Criteria, Criterion, Exclusion, Since, exclusion::exclusions};
use jiff::{ToSpan, ZonedDateTime, civil::Date};
use milepost_record::{Event, Fact, Span, Timestamp};

/// The epoch of a criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Events of this period count.
    pub(crate) span: Span,
    /// What its beginning is: a word of [`crate::scorecard::Since`].
    pub(crate) why: &'static str,
    /// What was excluded by hand: without it, the epoch would have begun earlier.
    pub(crate) excluded: Vec<Exclusion>,
}

/// The epoch of `criterion` at `now`, given the criteria and verdicts that were recorded before.
pub(crate) fn epoch(criteria: &Criteria, criterion: &Criterion, past: &[Event], now: Timestamp) -> Epoch {
    let today = now.to_jiff().to_zoned_datetime(criteria.calendar.clone());
    let (boundary, why) = match criterion.since {
        Since::Month => (Some(start_of(&today, today.date().first_of_month())), "month"),
        Since::Quarter => (Some(start_of(&today, first_of_quarter(today.date()))), "quarter"),
        Since::Date(date) => (Some(start_of(&today, date)), "date"),
        Since::Release => (None, "release"),
        Since::Criterion => (definitions(past, &criterion.name).next().map(|(at, _)| at), "criterion"),
    };
    let boundary = boundary.or_else(|| Timestamp::from_microseconds(0)).unwrap_or(now);
    let key = criterion.evidence_key(&criteria.aliases);
    let (mut from, mut why) = match last_change(past, &criterion.name, &key, now) {
        Some(changed) if changed > boundary => (changed, "changed"),
        _ => (boundary, why),
    };
    let mut excluded = Vec::new();
    for exclusion in exclusions(past).into_iter().filter(|one| one.undone.is_none() && one.is_about(&criterion.name)) {
        if exclusion.from <= now && exclusion.to > from {
            (from, why) = (from.max(exclusion.counts_again()), "excluded");
            excluded.push(exclusion);
        }
    }
    // The newest event may carry this very moment.
    let to = now.saturating_add(milepost_record::limits::AHEAD_MAX);
    Epoch { span: Span { from, to: to.max(from) }, why, excluded }
}

/// When the evidence key last became what it is: `None` while it never was another. A definition that nobody has recorded yet
/// changes at this moment.
fn last_change(past: &[Event], name: &str, key: &str, now: Timestamp) -> Option<Timestamp> {
    let mut changed = None;
    let mut last: Option<&str> = None;
    for (at, recorded) in definitions(past, name) {
        if last.is_some_and(|last| last != recorded) {
            changed = Some(at);
        }
        last = Some(recorded);
    }
    if last.is_some_and(|last| last != key) { Some(now) } else { changed }
}

fn definitions<'a>(past: &'a [Event], name: &str) -> impl Iterator<Item = (Timestamp, &'a str)> {
    let mut definitions: Vec<_> = past
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Criterion(definition) if definition.name == name => Some((event.at, definition.evidence_key.as_str())),
            _ => None,
        })
        .collect();
    definitions.sort();
    definitions.into_iter()
}

fn first_of_quarter(date: Date) -> Date {
    let months = (date.month() - 1) % 3;
    date.first_of_month().saturating_sub(i32::from(months).months())
}

/// The beginning of a day where the calendar says so: after a change of the clocks it need not be midnight.
fn start_of(today: &ZonedDateTime, date: Date) -> Timestamp {
    let start = date.to_zoned_datetime(today.time_zone().clone()).and_then(|day| day.start_of_day());
    start.map_or(Timestamp::from_jiff(today.timestamp()), |day| Timestamp::from_jiff(day.timestamp()))
}
