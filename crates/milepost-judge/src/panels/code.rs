//! What other tools said of the code, reading by reading.

use crate::{Criteria, scorecard::TrendPoint};
use milepost_record::{Filter, Question, Reading, Span, Subject};
use std::collections::BTreeMap;

/// The measurements whose past is shown.
const NAMES: [&str; 4] = ["coverage.statements", "coverage.branches", "complexity.average", "vulnerabilities.known"];

/// The readings of one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// Its name.
    pub name: String,
    /// The newest of each day.
    pub days: Vec<TrendPoint>,
}

/// What has to be known for the readings of a period.
pub(super) fn questions(criteria: &Criteria, span: Span) -> impl Iterator<Item = Question> {
    NAMES.into_iter().map(move |name| Question {
        subject: Subject::Measurement { name: name.to_owned() },
        span,
        filter: Filter::new(),
        for_each: None,
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    })
}

/// The readings of one of these measurements, from readings in the order of time; none where it is another one.
pub(super) fn readings<'a>(criteria: &Criteria, question: &Question, of: impl Iterator<Item = &'a Reading>) -> Option<Readings> {
    let Subject::Measurement { name } = &question.subject else { return None };
    let mut days: BTreeMap<_, TrendPoint> = BTreeMap::new();
    for reading in of {
        let date = reading.at.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date();
        let n = days.get(&date).map_or(0, |day| day.n) + 1;
        days.insert(date, TrendPoint { date, value: Some(reading.value), n });
    }
    NAMES.contains(&name.as_str()).then(|| Readings { name: name.clone(), days: days.into_values().collect() })
}
