//! The report of a day, a week or a month: those figures of [`crate::report`](mod@crate::report) that are of use in that rhythm, and
//! what the period says of the criteria.
//!
//! It is a function of the events up to its end, the criteria and the time zone, and judges nothing: verdicts in it are those of the
//! scorecard at its end, as [`crate::judge`](fn@crate::judge) gives them for that moment.

use crate::{
    Criteria, Criterion, Goal, Period, Quantity, Report, Rhythm, Scorecard, Tier, Verdict,
    code::Code,
    comparison::{Comparison, Difference, GoalComparison, MadeOf, Observed},
    history::{Change, What, history},
    learning::{Learning, Voice},
    operations::{Performance, Reliability},
    report::{Community, Memory, Persona, Usability},
    retention::Retention,
    scorecard::{CriterionResult, ProbableChange, Target, TrendPoint},
};
use milepost_record::{Event, Fact, Span, Timestamp, Topic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the JSON.
pub const PERIOD_REPORT_VERSION: u32 = 1;

/// What happened in a day, a week or a month. A section that the rhythm does not have is absent; what is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PeriodReport {
    /// Version of this format.
    pub version: u32,
    /// Which report it is.
    pub report: Rhythm,
    /// Name of the project.
    pub project: String,
    /// The period: `2026-11-20`, `2026-W47` or `2026-10`.
    pub period: String,
    /// Its beginning.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// Up to when events are in the report of a period that is not over yet; null of one that is.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub open_until: Option<Timestamp>,
    /// IANA name of the time zone that days, weeks and months are counted in.
    pub time_zone: String,
    /// Whose events count in the figures; criteria say that themselves.
    pub origins: Vec<String>,
    /// How many events of the period there are: operations, sessions, interactions and labels of them, readings, measurements and
    /// notes of people.
    pub events: u64,
    /// What `milepost track` made this report of first; null where it made none yet, or of as many events.
    pub first_made: Option<FirstMade>,
    /// In three numbers.
    pub summary: Summary,
    /// How long operations took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
    /// How many operations succeeded, and what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// The newest run of memory readings; null where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Option<Memory>>,
    /// What other tools say of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Whether intents are recognised, with learning and without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
    /// Whether spoken requests are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// Sessions, and the way to the first success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usability: Option<Usability>,
    /// How operations went, by the persona that somebody stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personas: Option<Vec<Persona>>,
    /// Who comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Each goal in this period: from its baseline to its target, and beside the period before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Vec<Progress>>,
    /// When levels probably changed in this period. Hints, and no verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<LevelChange>>,
    /// Which criteria were defined, redefined or had a period taken out, and what was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjustments: Option<Adjustments>,
    /// Contributions and feedback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<Community>,
    /// What people said, in the order of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Vec<Remark>>,
    /// What it takes to meet what is not met at the end of the period, in the order of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<Step>>,
}

/// What a report was made of first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirstMade {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Of how many events of the period.
    pub events: u64,
}

/// A period in three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Operations that count: those that succeeded or failed.
    pub operations: u64,
    /// The share of them that succeeded, in percent.
    pub success_rate: Option<f64>,
    /// The time within which 95 % of them succeed, all operations together; null where that falls on a failure, or there are none.
    pub p95_ms: Option<f64>,
    /// How many failed.
    pub failed: u64,
}

/// One goal in this period.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Progress {
    /// Name of the criterion.
    pub criterion: String,
    /// Its tier; null where no tier counts it.
    pub tier: Option<Tier>,
    /// The metric.
    pub metric: String,
    /// Unit of the values; empty for plain numbers.
    pub unit: String,
    /// Where the product started, as the configuration says it.
    pub baseline: Option<String>,
    /// The period before.
    pub before: Observed,
    /// This period alone.
    pub now: Observed,
    /// What has to hold; null where each group has a target of its own.
    pub target: Option<Target>,
    /// How much of the way from the baseline to the target is gone, in percent; of a baseline from one amount to another,
    /// the smaller share. Null where one of them is no amount, or the baseline is within the target.
    pub way_percent: Option<f64>,
    /// The verdict on the criterion as it is defined now, in the scorecard at the end of the period: on all its evidence until then.
    #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale"]))]
    pub verdict_at_end: Verdict,
    /// The rate of good events less that of the period before, and where it lies; null where there is no such rate.
    pub difference: Option<Difference>,
    /// Whether rates or the mix moved it; null where it is not of operations.
    pub made_of: Option<MadeOf>,
    /// The days of this period that count as evidence at its end; a day without events is not in it.
    pub trend: Vec<TrendPoint>,
}

/// When the level of a metric probably changed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LevelChange {
    /// Name of the criterion.
    pub criterion: String,
    /// The metric.
    pub metric: Option<String>,
    /// Unit of both levels.
    pub unit: String,
    /// When, and from what to what.
    #[serde(flatten)]
    pub change: ProbableChange,
}

/// What was changed on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Adjustments {
    /// Changes of what is demanded, as `milepost track` recorded them.
    pub criteria: Vec<Adjusted>,
    /// Notes of topic `decision`, in the order of time.
    pub decisions: Vec<Remark>,
}

/// A change of what a criterion demands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Adjusted {
    /// Name of the criterion.
    pub criterion: String,
    /// When, and what.
    #[serde(flatten)]
    pub change: Change,
}

/// A note of somebody.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Remark {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The score that it gives.
    pub score: Option<f64>,
    /// Its text; null where none was kept.
    pub text: Option<String>,
}

/// What it takes to meet a criterion.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// Name of the criterion.
    pub criterion: String,
    /// Its tier; null where no tier counts it.
    pub tier: Option<Tier>,
    /// Its verdict in the scorecard at the end of the period.
    #[schemars(with = "String", extend("enum" = ["missed", "not_proven", "no_data", "stale"]))]
    pub verdict_at_end: Verdict,
    /// The fewest further events after which it could be met.
    pub at_least_more: Option<u64>,
    /// About how many further events it takes if all goes on as it went; a projection, no promise.
    pub projected_more: Option<u64>,
    /// What to do next.
    pub advice: Option<String>,
    /// The command for that, where it is to bring in events.
    pub command: Option<String>,
}

/// What a weekly and a monthly report say of the criteria; a daily one needs none of it.
#[derive(Clone, Debug)]
pub struct OfCriteria {
    /// The scorecard at the end of the period, or now where it is open.
    pub scorecard: Scorecard,
    /// The period before, and this one.
    pub comparison: Comparison,
    /// All `criterion` and `verdict` events and notes on periods that do not count, and of the period the notes of topics `decision`
    /// and `feedback`.
    pub recorded: Vec<Event>,
}

impl PeriodReport {
    /// Of the figures of the period and of what it says of the criteria; `span` ends now where the period is open.
    #[must_use]
    pub fn of(criteria: &Criteria, period: Period, span: Span, events: u64, figures: Report, of_criteria: Option<OfCriteria>) -> Self {
        let Report { project, time_zone, origins, performance, memory, reliability, .. } = figures;
        let Report { usability, learning, voice, personas, retention, community, code, .. } = figures;
        let rhythm = period.rhythm();
        let (daily, weekly, monthly) = (rhythm == Rhythm::Daily, rhythm == Rhythm::Weekly, rhythm == Rhythm::Monthly);
        let to = period.span(&criteria.calendar).map_or(span.to, |whole| whole.to);
        let overall = &performance.overall;
        let mut report = Self {
            version: PERIOD_REPORT_VERSION,
            report: rhythm,
            project,
            period: period.to_string(),
            from: span.from,
            to,
            open_until: (span.to < to).then_some(span.to),
            time_zone,
            origins,
            events,
            first_made: None,
            summary: Summary {
                operations: overall.count,
                success_rate: overall.success_rate,
                p95_ms: overall.p95_ms,
                failed: overall.failed,
            },
            performance: (daily || monthly).then_some(performance),
            reliability: (daily || monthly).then_some(reliability),
            memory: (daily || monthly).then_some(memory),
            code: (weekly || monthly).then_some(code),
            learning: (weekly || monthly).then_some(learning),
            voice: (weekly || monthly).then_some(voice),
            usability: (weekly || monthly).then_some(usability),
            personas: (weekly || monthly).then_some(personas),
            retention: (weekly || monthly).then_some(retention),
            progress: None,
            changes: None,
            adjustments: None,
            community: monthly.then_some(community),
            feedback: None,
            plan: None,
        };
        let Some(OfCriteria { scorecard, comparison, recorded }) = of_criteria.filter(|_| !daily) else { return report };
        report.progress = Some(progress(criteria, &scorecard, comparison.goals, period));
        if monthly {
            let within = |at: Timestamp| span.from <= at && at < span.to;
            report.changes =
                Some(scorecard.criteria.iter().flat_map(level_changes).filter(|level| period.has(level.change.from)).collect());
            let recorded: Vec<_> = recorded.into_iter().filter(|event| event.at < span.to).collect();
            let criteria = adjusted(criteria, &recorded).filter(|adjusted| within(adjusted.change.at)).collect();
            let remarks = |topic| recorded.iter().filter(|event| within(event.at)).filter_map(|event| remark(event, topic)).collect();
            report.adjustments = Some(Adjustments { criteria, decisions: remarks(Topic::Decision) });
            report.feedback = Some(remarks(Topic::Feedback));
            report.plan = Some(scorecard.criteria.iter().filter(|c| c.judgement.verdict != Verdict::Met).map(step).collect());
        }
        report
    }
}

fn progress(criteria: &Criteria, scorecard: &Scorecard, compared: Vec<GoalComparison>, period: Period) -> Vec<Progress> {
    let goals = criteria.criteria.iter().zip(&scorecard.criteria);
    let goals = goals.flat_map(|(criterion, judged)| criterion.goals.iter().map(move |goal| (criterion, goal, judged)));
    let of = |((criterion, goal, judged), compared): ((&Criterion, &Goal, &CriterionResult), GoalComparison)| {
        let GoalComparison { metric, unit, sides: [before, now], difference, made_of, .. } = compared;
        let part = judged.parts.iter().map(|part| &part.judgement).find(|part| part.metric.as_ref() == Some(&metric));
        let at_end = part.unwrap_or(&judged.judgement);
        Progress {
            criterion: criterion.name.clone(),
            tier: criterion.tier,
            way_percent: now.estimate.and_then(|estimate| way(criterion, goal, estimate)),
            baseline: criterion.baseline.clone(),
            target: at_end.target.clone(),
            trend: at_end.trend.iter().filter(|day| period.has(day.date)).cloned().collect(),
            verdict_at_end: judged.judgement.verdict,
            metric,
            unit,
            before,
            now,
            difference,
            made_of,
        }
    };
    goals.zip(compared).map(of).collect()
}

/// How much of the way from the baseline to the limit is gone at `estimate`, which is in the goal's unit: of a baseline from one amount
/// to another, the smaller share. `None` where the baseline is no amount, or within the limit.
fn way(criterion: &Criterion, goal: &Goal, estimate: f64) -> Option<f64> {
    let (limit, baseline) = (goal.limit?, amounts(criterion.baseline.as_ref()?)?);
    let now = Quantity::new(estimate, goal.unit()).base();
    let from = |baseline: &Quantity| {
        let is_on_the_way = limit.unit.family() == baseline.unit.family() && !goal.relation.holds(baseline.base(), limit.base());
        let gone = (now - baseline.base()) / (limit.base() - baseline.base()) * 100.0;
        (is_on_the_way && gone.is_finite()).then_some(gone)
    };
    let ways: Option<Vec<f64>> = baseline.iter().map(from).collect();
    ways?.into_iter().reduce(f64::min)
}

/// One amount, or `A to B`; what follows in brackets is a remark.
fn amounts(baseline: &str) -> Option<Vec<Quantity>> {
    let (text, _) = baseline.split_once('(').unwrap_or((baseline, ""));
    let Some((low, high)) = text.split_once(" to ") else { return Some(vec![text.trim().parse().ok()?]) };
    let high: Quantity = high.trim().parse().ok()?;
    let low: Quantity = low.trim().parse().ok()?;
    (low.unit.family() == high.unit.family()).then(|| vec![low, high])
}

fn level_changes(criterion: &CriterionResult) -> Vec<LevelChange> {
    let judgements = std::iter::once(&criterion.judgement).chain(criterion.parts.iter().map(|part| &part.judgement));
    let of = judgements.flat_map(|judgement| {
        judgement.changes.iter().map(|change| LevelChange {
            criterion: criterion.name.clone(),
            metric: judgement.metric.clone(),
            unit: judgement.unit.clone(),
            change: *change,
        })
    });
    of.collect()
}

fn adjusted(criteria: &Criteria, recorded: &[Event]) -> impl Iterator<Item = Adjusted> {
    let of = history(criteria, recorded).criteria.into_iter().flat_map(|criterion| {
        let changes = criterion.changes.into_iter().filter(|change| !matches!(change.what, What::Judged { .. }));
        changes.map(move |change| Adjusted { criterion: criterion.criterion.clone(), change })
    });
    let mut all: Vec<_> = of.collect();
    all.sort_by_key(|adjusted| adjusted.change.at);
    all.into_iter()
}

fn remark(event: &Event, topic: Topic) -> Option<Remark> {
    let Fact::Note(note) = &event.fact else { return None };
    (note.topic == topic).then(|| Remark { at: event.at, score: note.score, text: note.text.clone() })
}

fn step(criterion: &CriterionResult) -> Step {
    let of = &criterion.judgement;
    Step {
        criterion: criterion.name.clone(),
        tier: criterion.tier,
        verdict_at_end: of.verdict,
        at_least_more: of.at_least_more,
        projected_more: of.projected_more,
        advice: of.advice.clone(),
        command: of.command.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_an_amount_or_two() {
        let bases = |text: &str| amounts(text).map(|amounts| amounts.iter().map(|amount| amount.base()).collect::<Vec<_>>());
        assert_eq!(bases("85%"), Some(vec![0.85]));
        assert_eq!(bases("70% (many mocked tests)"), Some(vec![0.7]));
        assert_eq!(bases("2s to 5s (subprocess)"), Some(vec![2e6, 5e6]));
        for text in ["", "slow", "2 to 5 minutes", "2s to much", "2s to 85%"] {
            assert_eq!(bases(text), None, "{text}");
        }
    }
}
