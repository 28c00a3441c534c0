//! The report: what happened in a period, as figures, tracker by tracker. It judges nothing; the scorecard does.
//!
//! A report is a function of the events of its period, the criteria and the time zone: the same whenever it is made, but for events
//! that arrive later. What is not known is absent, and never zero.

use crate::{
    Criteria, Goal, Metric,
    census::statistic,
    code::Code,
    first_success::FirstSuccess,
    learning::{Learning, Voice},
    metric::MemoryStatistic,
    operations::{Figures, Performance, Reliability},
    retention::Retention,
};
use milepost_record::{Answer, Dimension, Evidence, Feedback, Filter, Question, Reading, Run, Sessions, Span, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the report's JSON.
pub const REPORT_VERSION: u32 = 1;
/// Memory that varies by less than this within a run is what the specification calls stable, in bytes.
const STABLE_BELOW: f64 = 50e6;
const MEGABYTE: f64 = 1e6;

/// What happened in a period. Shares in percent, times in the unit that a name ends with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Version of this format.
    pub version: u32,
    /// Which report it is: `full`.
    pub report: String,
    /// Name of the project.
    pub project: String,
    /// Beginning of the period; null where it reaches back to the first event.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub from: Option<Timestamp>,
    /// End of the period, which does not belong to it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// IANA name of the time zone that days and weeks are counted in.
    pub time_zone: String,
    /// Whose events count. What other tools measured counts whatever its origin.
    pub origins: Vec<String>,
    /// How long operations took.
    pub performance: Performance,
    /// The newest run of memory readings; null where there is none.
    pub memory: Option<Memory>,
    /// How many operations succeeded, and what went wrong.
    pub reliability: Reliability,
    /// Sessions, and the way to the first success.
    pub usability: Usability,
    /// Whether intents are recognised, with learning and without.
    pub learning: Learning,
    /// Whether spoken requests are.
    pub voice: Voice,
    /// How operations went, by the persona that somebody stands for.
    pub personas: Vec<Persona>,
    /// Who comes back.
    pub retention: Retention,
    /// Contributions and feedback.
    pub community: Community,
    /// What other tools say of the code.
    pub code: Code,
}

/// Memory of a running product in its newest run. MB are 1,000,000 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Memory {
    /// Name of the process.
    pub process: Option<String>,
    /// Id of the run.
    pub run: String,
    /// What was counted: pss, rss, maxrss or cgroup.
    pub measure: String,
    /// Complete readings.
    pub readings: u64,
    /// Readings in which a process could not be read, which count for nothing.
    pub incomplete: u64,
    /// The first reading.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// The last one.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// The newest.
    pub current_mb: Option<f64>,
    /// The mean.
    pub average_mb: Option<f64>,
    /// The largest.
    pub peak_mb: Option<f64>,
    /// The largest less the smallest.
    pub variation_mb: Option<f64>,
    /// Whether it varied by less than 50 MB: the specification's figure, and no verdict on leaks; null below two readings.
    pub stable: Option<bool>,
    /// Whether the newest reading is above the oldest: the specification's figure, `increasing` or `stable`; null below two readings.
    pub trend: Option<String>,
    /// CPU time, as a share of one processor.
    pub cpu_percent: Option<f64>,
}

impl Memory {
    pub(crate) fn of(run: &Run) -> Option<Self> {
        let complete: Vec<f64> = run.samples.iter().filter(|s| s.complete).map(|s| s.bytes as f64).collect();
        let of = |statistic_of| statistic(&Metric::Memory(statistic_of), run);
        let megabytes = |statistic_of| of(statistic_of).map(|bytes| bytes / MEGABYTE);
        let (oldest, newest) = (complete.first().copied(), complete.last().copied());
        let has_two = complete.len() >= 2;
        Some(Self {
            process: run.process.clone(),
            run: run.run.clone(),
            measure: run.measure.name().to_owned(),
            readings: complete.len() as u64,
            incomplete: (run.samples.len() - complete.len()) as u64,
            from: run.samples.first()?.at,
            to: run.samples.last()?.at,
            current_mb: megabytes(MemoryStatistic::Current),
            average_mb: megabytes(MemoryStatistic::Average),
            peak_mb: megabytes(MemoryStatistic::Peak),
            variation_mb: megabytes(MemoryStatistic::Variation),
            stable: of(MemoryStatistic::Variation).filter(|_| has_two).map(|bytes| bytes < STABLE_BELOW),
            trend: has_two.then(|| if newest > oldest { "increasing" } else { "stable" }.to_owned()),
            cpu_percent: statistic(&Metric::CpuPercent, run).map(|share| share * 100.0),
        })
    }
}

/// Sessions, and the way to the first success.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Usability {
    /// Sessions of people who are told apart; one ends after half an hour of silence.
    pub sessions: u64,
    /// How many people.
    pub users: u64,
    /// Of those, how many never said when they began: their first success is not timed.
    pub users_without_start: u64,
    /// Operations in these sessions; cancelled ones and dry runs are left out.
    pub commands_attempted: u64,
    /// Of those, how many succeeded.
    pub commands_succeeded: u64,
    /// The first session of new people.
    #[serde(flatten)]
    pub first_success: FirstSuccess,
}

/// How operations went for one persona.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Persona {
    /// Its name; null for operations of nobody in particular.
    pub persona: Option<String>,
    /// The response time that it accepts, in milliseconds, where a criterion on `latency.p95` says so.
    pub limit_ms: Option<f64>,
    /// How it went. A persona that has a limit is there even where nothing is known of it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What the community gave.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Community {
    /// The newest reading of `contributions.month` for each scope, such as a month.
    pub contributions: Vec<Contributions>,
    /// What people said.
    pub feedback: Said,
}

/// Contributions in one month.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Contributions {
    /// The month, where the measurement says which.
    pub month: Option<String>,
    /// How many.
    pub contributions: f64,
}

/// Feedback by people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Said {
    /// How many notes.
    pub notes: u64,
    /// Of those, how many have a score.
    pub scores: u64,
    /// The mean of the scores.
    pub mean_score: Option<f64>,
}

/// What has to be known for a report on the events of `span` that come from `origins`.
#[must_use]
pub fn report_questions(criteria: &Criteria, span: Span, origins: &BTreeSet<String>) -> Vec<Question> {
    let people: Filter = [(Dimension::Origin, origins.clone())].into();
    let ask = |subject, filter: &Filter, for_each| Question {
        subject,
        span,
        filter: filter.clone(),
        for_each,
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    };
    let mut questions: Vec<_> = [
        Subject::Breakdown,
        Subject::Memory,
        Subject::Sessions,
        Subject::FirstSessions,
        Subject::Interactions,
        Subject::Returns,
        Subject::Feedback,
    ]
    .into_iter()
    .map(|subject| ask(subject, &people, None))
    .collect();
    questions.push(ask(Subject::Operations { limit: None }, &people, Some(Dimension::Persona)));
    let contributions = Subject::Measurement { name: Metric::ContributionsMonth.to_string() };
    questions.push(ask(contributions, &Filter::new(), None));
    let families = Code::FAMILIES.map(|family| Subject::Measurements { family: family.to_owned() });
    questions.extend(families.map(|subject| ask(subject, &Filter::new(), None)));
    questions
}

/// The report from the answers to [`report_questions`] of the same arguments; what has no answer is not known.
#[must_use]
pub fn report(criteria: &Criteria, span: Span, origins: &BTreeSet<String>, answers: &[Answer]) -> Report {
    let evidence = || answers.iter().map(|answer| &answer.evidence);
    macro_rules! the {
        ($Kind:ident) => {
            evidence().find_map(|evidence| if let Evidence::$Kind(found) = evidence { Some(found) } else { None })
        };
    }
    let none = Vec::new();
    let cells = the!(Breakdown).unwrap_or(&none);
    let performance = Performance::of(cells, &limits(criteria, &Dimension::Operation));
    let reliability = Reliability::of(cells, &performance, target(criteria, &Metric::SuccessRate, Some(&Dimension::Operation)));
    let runs = the!(Memory).into_iter().flat_map(|groups| groups.groups.values().flatten());
    let newest_run = runs.max_by_key(|run| run.samples.last().map(|s| s.at));
    let sessions = the!(Sessions).copied().unwrap_or_default();
    let interactions: &[_] = the!(Interactions).map_or(&[], Vec::as_slice);
    let accuracy = goals(criteria).find(|goal| goal.metric == Metric::LearningAccuracy).and_then(|goal| Some((goal, goal.limit?)));
    let reaches = accuracy.map(|(goal, limit)| move |percent: f64| goal.relation.holds(percent / 100.0, limit.base()));
    let Feedback { notes, scores, mean_score } = the!(Feedback).copied().unwrap_or_default();
    let measured: Vec<_> =
        evidence().filter_map(|e| if let Evidence::Measurements(events) = e { Some(events) } else { None }).flatten().collect();
    Report {
        version: REPORT_VERSION,
        report: "full".to_owned(),
        project: criteria.project.clone(),
        from: Some(span.from).filter(|from| from.as_microseconds() > 0),
        to: span.to,
        time_zone: criteria.time_zone.clone(),
        origins: origins.iter().cloned().collect(),
        performance,
        memory: newest_run.and_then(Memory::of),
        reliability,
        usability: usability(sessions, FirstSuccess::of(the!(FirstSessions).map_or(&[], Vec::as_slice), span.to)),
        learning: Learning::of(interactions, reaches),
        voice: Voice::of(interactions),
        personas: personas(criteria, the!(Operations).map(|groups| &groups.groups)),
        retention: Retention::of(
            the!(Returns).map_or(&[], Vec::as_slice),
            span.to.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date(),
        ),
        community: Community {
            contributions: contributions(the!(Measurement).into_iter().flat_map(|groups| groups.groups.values().flatten())),
            feedback: Said { notes, scores, mean_score },
        },
        code: Code::of(&measured),
    }
}

fn usability(sessions: Sessions, first_success: FirstSuccess) -> Usability {
    Usability {
        sessions: sessions.sessions,
        users: sessions.users,
        users_without_start: sessions.users_without_start,
        commands_attempted: sessions.attempted,
        commands_succeeded: sessions.succeeded,
        first_success,
    }
}

fn personas(criteria: &Criteria, groups: Option<&BTreeMap<Option<String>, Vec<milepost_record::OperationDay>>>) -> Vec<Persona> {
    let limits = limits(criteria, &Dimension::Persona);
    let seen = groups.into_iter().flat_map(BTreeMap::keys).cloned();
    let names: BTreeSet<Option<String>> = limits.keys().cloned().map(Some).chain(seen).collect();
    let persona = |persona: Option<String>| Persona {
        limit_ms: persona.as_ref().and_then(|name| limits.get(name).copied()),
        figures: Figures::of_days(groups.and_then(|groups| groups.get(&persona)).map_or(&[], Vec::as_slice)),
        persona,
    };
    names.into_iter().map(persona).collect()
}

fn contributions<'a>(readings: impl Iterator<Item = &'a Reading>) -> Vec<Contributions> {
    // In the order of time, so that the newest of each month stays.
    let newest: BTreeMap<_, _> = readings.map(|reading| (reading.scope.clone(), reading.value)).collect();
    newest.into_iter().map(|(month, contributions)| Contributions { month, contributions }).collect()
}

pub(crate) fn goals(criteria: &Criteria) -> impl Iterator<Item = &Goal> {
    criteria.criteria.iter().flat_map(|criterion| &criterion.goals)
}

/// The limits on the P95 of each value of a dimension, in milliseconds; of several, the first criterion's.
fn limits(criteria: &Criteria, of: &Dimension) -> BTreeMap<String, f64> {
    let goals =
        goals(criteria).filter(|goal| goal.metric == Metric::Latency(crate::quantile::Quantile::P95) && goal.for_each.as_ref() == Some(of));
    let mut limits = BTreeMap::new();
    for (name, limit) in goals.flat_map(|goal| &goal.limits) {
        limits.entry(name.clone()).or_insert(limit.base() / 1000.0);
    }
    limits
}

/// What the first criterion on a share demands, in percent.
fn target(criteria: &Criteria, metric: &Metric, for_each: Option<&Dimension>) -> Option<f64> {
    let goal = goals(criteria).find(|goal| goal.metric == *metric && goal.for_each.as_ref() == for_each)?;
    goal.limit.map(|limit| limit.base() * 100.0)
}
