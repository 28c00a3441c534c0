//! What the dashboard shows of each tracker beside the criteria: the report of the last days, and what its charts are drawn from. Like
//! the report, it judges nothing.

mod code;
mod community;
mod division;
mod failing;
mod readings;
mod record;
mod speed;

pub use code::Readings;
pub use community::Given;
pub use division::{Division, Part};
pub use failing::{Failing, FailingOperation};
pub use readings::{MemoryReadings, Spell};
pub use record::Record;
pub use speed::{BackendDays, DayFigures, Distribution, QuantileLimit, Speed};

use crate::{
    Criteria, Report,
    always_valid::Counts,
    first_success::Curve,
    improvement::{Course, Estimate},
    operations::p95_interval_ms,
    report, report_questions,
};
use milepost_record::{Answer, Dimension, Evidence, Filter, Origin, Question, Span, Subject, Timestamp};
use std::{collections::BTreeSet, time::Duration};

/// How many days the panels look back.
pub const PANEL_DAYS: u32 = 90;
/// The first part of the names of what a repository's history says.
const CONTRIBUTIONS: &str = "contributions";
/// The chance of ever being wrong that an interval accepts.
const ALPHA: f64 = 0.05;

/// What happened in the last [`PANEL_DAYS`] days, tracker by tracker.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// The figures.
    pub report: Report,
    /// How long new people wait for their first success.
    pub first_success: Curve,
    /// The arms of the experiment, day by day.
    pub course: Course,
    /// The share of right intents among what was spoken and labelled, in percent.
    pub voice_accuracy: Option<Estimate>,
    /// Where the P95 of each persona of the report lies, in its order and in milliseconds; none on a side that nothing bounds yet.
    pub personas_p95_ms: Vec<[Option<f64>; 2]>,
    /// What other tools said of the code.
    pub readings: Vec<Readings>,
    /// Contributions by month.
    pub given: Vec<Given>,
    /// The most frequent scores of feedback, rising, each with how often it was given.
    pub scores: Vec<(f64, u64)>,
    /// How long operations took.
    pub speed: Speed,
    /// What went wrong.
    pub failing: Failing,
    /// The memory of a running product.
    pub memory_readings: MemoryReadings,
    /// What became of the criteria, since ever; `None` where nobody looked.
    pub record: Option<Record>,
}

/// What has to be known for the panels of this moment.
#[must_use]
pub fn panels_questions(criteria: &Criteria, now: Timestamp) -> Vec<Question> {
    let mut questions = report_questions(criteria, span(criteria, now), &people());
    questions.extend(code::questions(criteria, span(criteria, now)));
    let ask = |subject, filter| Question {
        subject,
        span: span(criteria, now),
        filter,
        for_each: None,
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    };
    questions.push(ask(Subject::Measurements { family: CONTRIBUTIONS.to_owned() }, Filter::new()));
    let of_people: Filter = [(Dimension::Origin, people())].into();
    questions.push(ask(Subject::Scores, of_people.clone()));
    questions.push(Question { for_each: Some(Dimension::Backend), ..ask(Subject::Operations { limit: None }, of_people.clone()) });
    questions.push(ask(Subject::ErrorDays, of_people.clone()));
    questions.push(ask(Subject::Failures, of_people.clone()));
    questions.push(ask(Subject::MemoryTrees, of_people));
    questions
}

/// The panels from the answers to [`panels_questions`] of the same arguments, in their order; what has no answer is not known.
#[must_use]
pub fn panels<'a>(criteria: &Criteria, answers: &'a [Answer], now: Timestamp) -> Panels {
    macro_rules! the {
        ($Kind:ident) => {
            answers.iter().find_map(|answer| if let Evidence::$Kind(found) = &answer.evidence { Some(found) } else { None })
        };
    }
    let questions = panels_questions(criteria, now);
    // Operations are asked for twice, by persona and by backend.
    let operations_by = |dimension: &Dimension| {
        questions.iter().zip(answers).find_map(|(question, answer)| match &answer.evidence {
            Evidence::Operations(groups) if question.for_each.as_ref() == Some(dimension) => Some(groups),
            _ => None,
        })
    };
    let cells: &[_] = the!(Breakdown).map_or(&[], Vec::as_slice);
    let span = span(criteria, now);
    let report = report(criteria, span, &people(), answers);
    let by_persona = operations_by(&Dimension::Persona);
    let p95_of = |persona: &Option<String>| {
        let days = by_persona.and_then(|groups| groups.groups.get(persona));
        days.map_or([None, None], |days| p95_interval_ms(days, ALPHA))
    };
    let mut panels = Panels {
        first_success: Curve::default(),
        course: Course::of(criteria, &[]),
        voice_accuracy: Estimate::of_share(
            Counts { successes: report.voice.correct, failures: report.voice.labelled.saturating_sub(report.voice.correct) },
            ALPHA,
        ),
        personas_p95_ms: report.personas.iter().map(|persona| p95_of(&persona.persona)).collect(),
        readings: Vec::new(),
        given: Vec::new(),
        scores: Vec::new(),
        speed: Speed::of(criteria, cells, &report.performance, operations_by(&Dimension::Backend)),
        failing: Failing::of(cells, the!(ErrorDays).map_or(&[], Vec::as_slice), the!(Failures).map_or(&[], Vec::as_slice)),
        memory_readings: MemoryReadings::of(
            the!(Memory).into_iter().flat_map(|groups| groups.groups.values().flatten()),
            the!(MemoryTrees).map_or(&[], Vec::as_slice),
        ),
        record: None,
        report,
    };
    let of_history = |(question, answer): (&Question, &'a Answer)| match (&question.subject, &answer.evidence) {
        (Subject::Measurements { family }, Evidence::Measurements(events)) if family == CONTRIBUTIONS => Some(events.as_slice()),
        _ => None,
    };
    let history = questions.iter().zip(answers).find_map(of_history).unwrap_or_default();
    for (question, answer) in questions.iter().zip(answers) {
        match &answer.evidence {
            Evidence::FirstSessions(sessions) => panels.first_success = Curve::of(sessions, span.to),
            Evidence::Interactions(interactions) => panels.course = Course::of(criteria, interactions),
            Evidence::Measurement(groups) => {
                let readings: Vec<_> = groups.groups.values().flatten().cloned().collect();
                match code::readings(criteria, question, readings.iter()) {
                    Some(of_code) => panels.readings.push(of_code),
                    None => panels.given = community::given(&criteria.calendar, &readings, history),
                }
            }
            Evidence::Scores(scores) => {
                panels.scores.clone_from(scores);
                panels.scores.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            _ => {}
        }
    }
    panels
}

/// Whole days: what charts show of the first one is all of it, and rollups, whose rows are of days, answer without the events.
fn span(criteria: &Criteria, now: Timestamp) -> Span {
    let ago = now.saturating_sub(Duration::from_secs(u64::from(PANEL_DAYS) * 24 * 60 * 60));
    let start = ago.to_jiff().to_zoned_datetime(criteria.calendar.clone()).start_of_day();
    // The newest event may carry this very moment.
    Span { from: start.map_or(ago, |start| Timestamp::from_jiff(start.timestamp())), to: now.saturating_add(Duration::from_micros(1)) }
}

fn people() -> BTreeSet<String> {
    [Origin::Use.name().to_owned()].into()
}
