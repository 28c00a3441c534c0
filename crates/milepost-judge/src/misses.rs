//! Where the misses of a criterion are: which operations have most of them, and of what category most failures are.
//!
//! Advice from the evidence, asked for once the verdict is known and only where it helps: a criterion on latency or success that is
//! not met, and has misses.

use crate::{Criteria, Criterion, Failures, Goal, Metric, Scorecard, Verdict, judge::question, scorecard::CriterionResult};
use jiff::ToSpan;
use milepost_record::{Answer, Event, Evidence, Miss, Question, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::{cmp::Reverse, collections::BTreeMap};

/// Of operations and of categories, this many are named.
const NAMED_MAX: usize = 3;

/// The misses of a criterion, by what they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Misses {
    /// How many: what failed, and what was beyond the limit.
    pub n: u64,
    /// Those that failed.
    pub failed: u64,
    /// The operations that have most of them, at most three.
    pub operations: Vec<Share>,
    /// The commonest categories of those that failed, at most three.
    pub categories: Vec<Share>,
}

/// How many of something there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// How many.
    pub n: u64,
}

/// What has to be known to say where the misses are, each question with the place of its criterion on the scorecard.
#[must_use]
pub fn misses_questions(criteria: &Criteria, scorecard: &Scorecard, past: &[Event], now: Timestamp) -> Vec<(usize, Question)> {
    let of = |(index, (criterion, result)): (usize, (&Criterion, &CriterionResult))| {
        let ([goal], true) = (&criterion.goals[..], asks(result)) else { return None };
        let (limit, failed) = match (&goal.metric, goal.failures) {
            (Metric::Latency(_), failures) => (Some(crate::judge::whole_limit(goal)), failures == Failures::Slow),
            (Metric::SuccessRate, _) => (None, true),
            _ => return None,
        };
        let mut asked = question(criteria, criterion, goal, crate::epoch::epoch(criteria, criterion, past, now).span);
        asked.subject = Subject::Misses { limit, failed };
        only_judged(goal, &mut asked);
        if let Some(fell_back) = result.judgement.fell_back {
            let next = fell_back.saturating_add(1.day()).to_zoned_datetime(criteria.calendar.clone()).ok()?;
            asked.span.from = asked.span.from.max(Timestamp::from_jiff(next.timestamp()));
        }
        Some((index, asked))
    };
    criteria.criteria.iter().zip(&scorecard.criteria).enumerate().filter_map(of).collect()
}

fn asks(result: &CriterionResult) -> bool {
    let judged = || result.groups.iter().filter(|group| group.judged).map(|group| &group.judgement);
    let failures = judged().filter_map(|judgement| judgement.failures).sum::<u64>() + result.judgement.failures.unwrap_or(0);
    matches!(result.judgement.verdict, Verdict::Missed | Verdict::NotProven) && failures > 0
}

/// Groups that are shown and not judged have no part in the misses.
fn only_judged(goal: &Goal, question: &mut Question) {
    let named = goal.named_groups();
    if let (Some(dimension), false) = (&goal.for_each, named.is_empty()) {
        question.filter.entry(dimension.clone()).or_insert_with(|| named.into_iter().map(str::to_owned).collect());
    }
}

/// Puts the answers to [`misses_questions`] on the scorecard.
pub fn tell_misses(scorecard: &mut Scorecard, answers: Vec<(usize, Answer)>) {
    for (index, answer) in answers {
        if let (Some(result), Evidence::Misses(misses)) = (scorecard.criteria.get_mut(index), answer.evidence) {
            result.misses = summed(&misses);
        }
    }
}

fn summed(misses: &[Miss]) -> Option<Misses> {
    let (mut operations, mut categories): (BTreeMap<&str, u64>, BTreeMap<&str, u64>) = (BTreeMap::new(), BTreeMap::new());
    for miss in misses {
        *operations.entry(&miss.operation).or_default() += miss.n;
        if let Some(category) = &miss.category {
            *categories.entry(category).or_default() += miss.n;
        }
    }
    let n = operations.values().sum();
    let failed = categories.values().sum();
    (n > 0).then(|| Misses { n, failed, operations: most(operations), categories: most(categories) })
}

fn most(counted: BTreeMap<&str, u64>) -> Vec<Share> {
    let mut shares: Vec<_> = counted.into_iter().map(|(name, n)| Share { name: name.to_owned(), n }).collect();
    shares.sort_by_key(|share| Reverse(share.n));
    shares.truncate(NAMED_MAX);
    shares
}
