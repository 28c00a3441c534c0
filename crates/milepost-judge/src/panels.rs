//! What the dashboard shows of each tracker beside the criteria: the report of the last days, and what its charts are drawn from. Like
//! the report, it judges nothing.

mod code;
mod community;
mod failing;
mod readings;
mod record;
mod speed;

pub use code::Readings;
pub use community::Given;
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

/// The last so many questions are about operations.
const OF_OPERATIONS: usize = 3;

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
    let mut questions = report_questions(criteria, span(now), &people());
    questions.extend(code::questions(criteria, span(now)));
    let ask = |subject, filter| Question {
        subject,
        span: span(now),
        filter,
        for_each: None,
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    };
    questions.push(ask(Subject::Measurements { family: CONTRIBUTIONS.to_owned() }, Filter::new()));
    let of_people: Filter = [(Dimension::Origin, people())].into();
    questions.push(ask(Subject::Scores, of_people.clone()));
    let of_operations: [Question; OF_OPERATIONS] = [
        Question { for_each: Some(Dimension::Backend), ..ask(Subject::Operations { limit: None }, of_people.clone()) },
        ask(Subject::ErrorDays, of_people.clone()),
        ask(Subject::Failures, of_people),
    ];
    questions.extend(of_operations);
    questions
}

/// The panels from the answers to [`panels_questions`] of the same arguments, in their order; what has no answer is not known.
#[must_use]
pub fn panels<'a>(criteria: &Criteria, answers: &'a [Answer], now: Timestamp) -> Panels {
    let (answers, of_operations) = answers.split_at(answers.len().saturating_sub(OF_OPERATIONS));
    macro_rules! the {
        ($answers:ident, $Kind:ident) => {
            $answers.iter().find_map(|answer| if let Evidence::$Kind(found) = &answer.evidence { Some(found) } else { None })
        };
    }
    let cells: &[_] = the!(answers, Breakdown).map_or(&[], Vec::as_slice);
    let span = span(now);
    let report = report(criteria, span, &people(), answers);
    let mut panels = Panels {
        first_success: Curve::default(),
        course: Course::of(criteria, &[]),
        voice_accuracy: Estimate::of_share(
            Counts { successes: report.voice.correct, failures: report.voice.labelled.saturating_sub(report.voice.correct) },
            ALPHA,
        ),
        personas_p95_ms: vec![[None, None]; report.personas.len()],
        readings: Vec::new(),
        given: Vec::new(),
        scores: Vec::new(),
        speed: Speed::of(criteria, cells, &report.performance, the!(of_operations, Operations)),
        failing: Failing::of(
            cells,
            the!(of_operations, ErrorDays).map_or(&[], Vec::as_slice),
            the!(of_operations, Failures).map_or(&[], Vec::as_slice),
        ),
        memory_readings: MemoryReadings::of(the!(answers, Memory).into_iter().flat_map(|groups| groups.groups.values().flatten())),
        record: None,
        report,
    };
    let questions = panels_questions(criteria, now);
    let of_history = |(question, answer): (&Question, &'a Answer)| match (&question.subject, &answer.evidence) {
        (Subject::Measurements { family }, Evidence::Measurements(events)) if family == CONTRIBUTIONS => Some(events.as_slice()),
        _ => None,
    };
    let history = questions.iter().zip(answers).find_map(of_history).unwrap_or_default();
    for (question, answer) in questions.iter().zip(answers) {
        match &answer.evidence {
            Evidence::FirstSessions(sessions) => panels.first_success = Curve::of(sessions, span.to),
            Evidence::Interactions(interactions) => panels.course = Course::of(criteria, interactions),
            Evidence::Operations(groups) => {
                let of = |persona: &Option<String>| groups.groups.get(persona).map_or([None, None], |days| p95_interval_ms(days, ALPHA));
                panels.personas_p95_ms = panels.report.personas.iter().map(|persona| of(&persona.persona)).collect();
            }
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

fn span(now: Timestamp) -> Span {
    let days = Duration::from_secs(u64::from(PANEL_DAYS) * 24 * 60 * 60);
    // The newest event may carry this very moment.
    Span { from: now.saturating_sub(days), to: now.saturating_add(Duration::from_micros(1)) }
}

fn people() -> BTreeSet<String> {
    [Origin::Use.name().to_owned()].into()
}
