//! Which machines are behind a probable change: a level that changed when the machines did says nothing of the product.
//!
//! Asked for once a change was found, and only of operations: what people understand does not depend on whose machine it is.

use crate::{
    Criteria, Criterion, Scorecard,
    judge::question,
    scorecard::{CriterionResult, Judgement, ProbableChange},
};
use jiff::civil::Date;
use milepost_record::{Answer, Dimension, Event, Evidence, Groups, Kind, OperationDay, Question, Subject, Timestamp};
use std::collections::BTreeSet;

/// What has to be known to say on which machines a change was seen, each question with the place of its criterion on the scorecard.
#[must_use]
pub fn machines_questions(criteria: &Criteria, scorecard: &Scorecard, past: &[Event], now: Timestamp) -> Vec<(usize, Question)> {
    let of = |(index, (criterion, result)): (usize, (&Criterion, &CriterionResult))| {
        let goal = criterion.goals.iter().find(|goal| goal.metric.kind() == Kind::Operation)?;
        if judgements(result).all(|judgement| judgement.changes.is_empty()) {
            return None;
        }
        let asked = question(criteria, criterion, goal, crate::epoch::epoch(criteria, criterion, past, now).span);
        Some((index, Question { subject: Subject::Operations { limit: None }, for_each: Some(Dimension::Host), ..asked }))
    };
    criteria.criteria.iter().zip(&scorecard.criteria).enumerate().filter_map(of).collect()
}

/// Puts the answers to [`machines_questions`] on the scorecard.
pub fn tell_machines(scorecard: &mut Scorecard, answers: Vec<(usize, Answer)>) {
    for (index, answer) in answers {
        if let (Some(result), Evidence::Operations(hosts)) = (scorecard.criteria.get_mut(index), answer.evidence) {
            judgements_mut(result).for_each(|judgement| tell(&mut judgement.changes, &hosts));
        }
    }
}

/// The level before a change is that since the change before it, and the level after it that until the next.
fn tell(changes: &mut [ProbableChange], hosts: &Groups<OperationDay>) {
    let from: Vec<Date> = changes.iter().map(|change| change.from).collect();
    for (index, change) in changes.iter_mut().enumerate() {
        let (start, end) = (index.checked_sub(1).map(|before| from[before]), from.get(index + 1).copied());
        let of = |is_in: &dyn Fn(Date) -> bool| -> BTreeSet<&Option<String>> {
            let has_days = |days: &[OperationDay]| days.iter().any(|day| day.ok + day.failed > 0 && is_in(day.date));
            hosts.groups.iter().filter(|(_, days)| has_days(days)).map(|(host, _)| host).collect()
        };
        let before = of(&|date| date < change.from && start.is_none_or(|start| date >= start));
        let after = of(&|date| date >= change.from && end.is_none_or(|end| date < end));
        // Where nobody says which machine it was, it may be any.
        change.same_hosts = (!before.contains(&None) && !after.contains(&None)).then(|| before == after);
    }
}

pub(crate) fn judgements(result: &CriterionResult) -> impl Iterator<Item = &Judgement> {
    let parts =
        result.parts.iter().flat_map(|part| std::iter::once(&part.judgement).chain(part.groups.iter().map(|group| &group.judgement)));
    std::iter::once(&result.judgement).chain(result.groups.iter().map(|group| &group.judgement)).chain(parts)
}

fn judgements_mut(result: &mut CriterionResult) -> impl Iterator<Item = &mut Judgement> {
    let parts = result
        .parts
        .iter_mut()
        .flat_map(|part| std::iter::once(&mut part.judgement).chain(part.groups.iter_mut().map(|group| &mut group.judgement)));
    std::iter::once(&mut result.judgement).chain(result.groups.iter_mut().map(|group| &mut group.judgement)).chain(parts)
}
