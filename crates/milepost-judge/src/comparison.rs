//! Two sides beside each other: versions, periods, backends, machines or personas.
//!
//! Each criterion is asked about both sides, whatever its epoch, and the difference of their rates of good events comes with the
//! interval of [`crate::difference`], which holds however often somebody looks. What changed is told apart from what it changed of: a
//! product whose every operation became better can have become worse on average, because people now use the worse ones more
//! ([`crate::decomposition`]).
//!
//! A difference is no cause, and times that were measured on different machines are not the same measure: which machines a side was
//! measured on stands beside it.

use crate::{
    Criteria, Criterion, Goal, Metric, Since,
    always_valid::Counts,
    decomposition::Decomposition,
    difference,
    judge::{judge_goal, question},
    rule::Context,
    scorecard::{Judgement, PartResult},
};
use milepost_record::{Answer, Dimension, Evidence, Filter, Kind, Question, Span, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the comparison's JSON.
pub const COMPARISON_VERSION: u32 = 1;

/// One of the two sides: which events are on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// What people call it.
    pub name: String,
    /// Events of this period.
    pub span: Span,
    /// Of those, the ones that pass.
    pub filter: Filter,
}

/// Two sides beside each other.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Version of this format.
    pub version: u32,
    /// Name of the project.
    pub project: String,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub generated_at: Timestamp,
    /// The names of both sides.
    pub sides: [String; 2],
    /// Pseudonyms of the machines that the operations of each side were measured on.
    pub hosts: [Vec<String>; 2],
    /// Whether times and memory of both sides compare: they were measured on the same machines. Null where one side has none.
    pub same_hosts: Option<bool>,
    /// The goals of all criteria that have what the sides differ in, in the order of the configuration.
    pub goals: Vec<GoalComparison>,
}

/// One goal on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GoalComparison {
    /// Name of the criterion.
    pub criterion: String,
    /// The metric.
    pub metric: String,
    /// Unit of the estimates; empty for plain numbers.
    pub unit: String,
    /// What was observed on each side.
    pub sides: [Observed; 2],
    /// The rate of good events on the second side less that on the first; null where the goal is about no such rate, or a side has none.
    pub difference: Option<Difference>,
    /// What a change of all operations together is made of; null where it is not of operations.
    pub made_of: Option<MadeOf>,
}

/// What was observed on one side.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Observed {
    /// The value; null where there is none, or no finite one.
    pub estimate: Option<f64>,
    /// How many events or readings it rests on.
    pub n: u64,
    /// Of those, the share that is good.
    pub rate: Option<f64>,
}

/// By how much the rates differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// The observed one; 0.1 are ten points more.
    pub value: f64,
    /// Where it lies with the confidence of the criterion, however often somebody looks.
    pub interval: [f64; 2],
    /// Whether that is on one side of no difference.
    pub finding: Finding,
}

/// What is proven of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The second side is better.
    Better,
    /// The second side is worse.
    Worse,
    /// Neither.
    NotProven,
}

/// What a difference of all together is made of (Kitagawa 1955).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MadeOf {
    /// What it is divided by.
    pub by: String,
    /// The part that comes of other rates.
    pub rate_effect: f64,
    /// The part that comes of another mix.
    pub mix_effect: f64,
    /// Whether the rates moved the other way than all together (Simpson's paradox).
    pub is_simpson: bool,
    /// What only the second side has.
    pub new: Vec<String>,
    /// What only the first side has.
    pub vanished: Vec<String>,
}

/// What has to be known of each side: for each goal that both tell apart a question, and one more about its machines.
#[must_use]
pub fn comparison_questions(criteria: &Criteria, sides: [&Side; 2]) -> [Vec<Question>; 2] {
    let goals = goals(criteria, sides);
    sides.map(|side| {
        let of_goal = |(criterion, goal): &(Criterion, Goal)| of_side(question(criteria, criterion, goal, side.span), side);
        let machines = Question {
            subject: Subject::Operations { limit: None },
            span: side.span,
            filter: Filter::new(),
            for_each: Some(Dimension::Host),
            aliases: criteria.aliases.clone(),
            time_zone: criteria.time_zone.clone(),
        };
        goals.iter().map(of_goal).chain([of_side(machines, side)]).collect()
    })
}

/// Every goal with its criterion, ready to be asked about any period, that has what the sides differ in: coverage has no backend.
/// Operations are divided, so that a change can be.
fn goals(criteria: &Criteria, sides: [&Side; 2]) -> Vec<(Criterion, Goal)> {
    let of = |criterion: &Criterion| {
        let criterion = Criterion { since: Since::Quarter, ..criterion.clone() };
        let goals = criterion.goals.clone();
        goals.into_iter().map(move |goal| {
            let is_divided = goal.metric.kind() == Kind::Operation && goal.for_each.is_none() && !is_of_people(&goal.metric);
            let for_each = if is_divided { Some(Dimension::Operation) } else { goal.for_each.clone() };
            (criterion.clone(), Goal { for_each, ..goal })
        })
    };
    let tells_apart = |(_, goal): &(Criterion, Goal)| {
        let kind = if is_of_people(&goal.metric) { Kind::Session } else { goal.metric.kind() };
        sides.iter().flat_map(|side| side.filter.keys()).all(|dimension| dimension.is_of(kind))
    };
    criteria.criteria.iter().flat_map(of).filter(tells_apart).collect()
}

/// Whether a person is one draw, in whatever operations.
const fn is_of_people(metric: &Metric) -> bool {
    matches!(metric, Metric::FirstSuccess | Metric::RetentionWeek4)
}

fn of_side(mut question: Question, side: &Side) -> Question {
    for (dimension, values) in side.filter.iter().filter(|(dimension, _)| dimension.is_of(question.subject.kind())) {
        let both = question.filter.get(dimension).map(|others| others.intersection(values).cloned().collect());
        question.filter.insert(dimension.clone(), both.unwrap_or_else(|| values.clone()));
    }
    question
}

/// The two sides, `answers` being those to [`comparison_questions`] of each; a missing answer counts as nothing observed.
#[must_use]
pub fn compare(criteria: &Criteria, sides: [&Side; 2], answers: [&[Answer]; 2], now: Timestamp) -> Comparison {
    let goals = goals(criteria, sides);
    let hosts = answers.map(|answers| match answers.get(goals.len()).map(|answer| &answer.evidence) {
        Some(Evidence::Operations(groups)) => groups.groups.keys().flatten().cloned().collect::<BTreeSet<String>>(),
        _ => BTreeSet::new(),
    });
    let same_hosts = (!hosts.iter().any(BTreeSet::is_empty)).then(|| hosts[0] == hosts[1]);
    let of_goal = |(index, (criterion, goal)): (usize, &(Criterion, Goal))| {
        let of_side = |side: usize| {
            let context = Context { goal, criteria, criterion, is_pooled: true, is_total: false, from: sides[side].span.from, now };
            judge_goal(context, answers[side].get(index).map(|answer| &answer.evidence))
        };
        let mut compared = goal_comparison(criterion, goal, [of_side(0), of_side(1)]);
        if goal.for_each.as_ref().is_some_and(|by| sides.iter().any(|side| side.filter.contains_key(by))) {
            // Each side is one of what it would be divided by.
            compared.made_of = None;
        }
        compared
    };
    Comparison {
        version: COMPARISON_VERSION,
        project: criteria.project.clone(),
        generated_at: now,
        sides: sides.map(|side| side.name.clone()),
        hosts: hosts.map(|hosts| hosts.into_iter().collect()),
        same_hosts,
        goals: goals.iter().enumerate().map(of_goal).collect(),
    }
}

fn goal_comparison(criterion: &Criterion, goal: &Goal, parts: [PartResult; 2]) -> GoalComparison {
    let counts = [&parts[0], &parts[1]].map(|part| counts(&part.judgement));
    let difference = counts[0].zip(counts[1]).and_then(|(first, second)| {
        let (value, interval) = (difference::estimate(second, first)?, difference::interval(second, first, criterion.alpha)?);
        let finding = match interval {
            [low, _] if low > 0.0 => Finding::Better,
            [_, high] if high < 0.0 => Finding::Worse,
            _ => Finding::NotProven,
        };
        Some(Difference { value, interval, finding })
    });
    let made_of = goal.for_each.as_ref().filter(|_| goal.metric.kind() == Kind::Operation).and_then(|by| {
        let of = Decomposition::of(&by_type(&parts[0]), &by_type(&parts[1]))?;
        let (is_simpson, rate_effect, mix_effect) = (of.is_simpson(), of.rate_effect, of.mix_effect);
        Some(MadeOf { by: by.to_string(), rate_effect, mix_effect, is_simpson, new: of.new_types, vanished: of.vanished_types })
    });
    let sides = [&parts[0], &parts[1]].map(|part| Observed {
        estimate: part.judgement.estimate,
        n: part.judgement.n,
        rate: self::counts(&part.judgement).and_then(Counts::rate),
    });
    GoalComparison {
        criterion: criterion.name.clone(),
        metric: goal.metric.to_string(),
        unit: parts[0].judgement.unit.clone(),
        sides,
        difference,
        made_of,
    }
}

fn counts(judgement: &Judgement) -> Option<Counts> {
    let (successes, failures) = judgement.successes.zip(judgement.failures)?;
    Some(Counts { successes, failures })
}

fn by_type(part: &PartResult) -> BTreeMap<String, Counts> {
    let judged = part.groups.iter().filter(|group| group.judged);
    let of =
        |group: &crate::scorecard::GroupResult| Some((group.name().to_owned(), counts(&group.judgement).filter(|counts| counts.n() > 0)?));
    judged.filter_map(of).collect()
}
