//! From criteria and evidence to the scorecard.

use crate::{
    Criteria, Criterion, Goal, MemoryStatistic, Metric, Since, Tier, Verdict, accuracy,
    always_valid::{self, Counts},
    census, contributions,
    epoch::{Epoch, epoch},
    first_success, holm, improvement,
    machines::judgements,
    quantity::Quantity,
    retention,
    rule::Context,
    sample,
    scorecard::{self, CriterionResult, GroupResult, Judgement, PartResult, Reason, SCHEMA_VERSION, Scorecard, Severity, TierResult, Was},
    stability,
    verdict::conjunction,
};
use milepost_record::{Answer, Dimension, Event, Evidence, Fact, Groups, Kind, Limit, Question, Span, Subject, Timestamp};
use std::collections::BTreeMap;

/// What has to be known to judge `criteria` at `now`: for each criterion a question for each of its goals, in their order.
///
/// `past` are the `criterion` and `verdict` events that were recorded before.
#[must_use]
pub fn questions(criteria: &Criteria, past: &[Event], now: Timestamp) -> Vec<Vec<Question>> {
    let of = |criterion: &Criterion| {
        let Epoch { span, .. } = epoch(criteria, criterion, past, now);
        criterion.goals.iter().map(|goal| question(criteria, criterion, goal, span)).collect()
    };
    criteria.criteria.iter().map(of).collect()
}

pub(crate) fn question(criteria: &Criteria, criterion: &Criterion, goal: &Goal, mut span: Span) -> Question {
    let mut filter = goal.filter.clone();
    if let (Since::Release, Some(version)) = (criterion.since, &criteria.version) {
        filter.insert(Dimension::Version, [version.clone()].into());
    }
    // People's use is what a criterion is about, unless it says otherwise or sets the origins side by side. What other tools
    // measured has no user.
    if goal.metric.kind() != Kind::Measurement && goal.for_each != Some(Dimension::Origin) {
        filter.entry(Dimension::Origin).or_insert_with(|| ["use".to_owned()].into());
    }
    match goal.metric {
        // Those whose fourth week passes in the epoch began before it.
        Metric::RetentionWeek4 => span.from = span.from.saturating_sub(retention::BEFORE),
        Metric::VoiceAccuracy => _ = filter.insert(Dimension::Modality, [accuracy::VOICE.to_owned()].into()),
        _ => {}
    }
    let subject = match &goal.metric {
        Metric::Latency(_) => Subject::Operations { limit: Some(whole_limit(goal)) },
        Metric::PeakMemory(_) => Subject::PeakMemory { limit: Some(whole_limit(goal)) },
        Metric::SuccessRate => Subject::Operations { limit: None },
        Metric::Memory(_) | Metric::CpuPercent => Subject::Memory,
        Metric::Measurement(name) => Subject::Measurement { name: name.clone() },
        Metric::ContributionsMonth => Subject::Measurement { name: goal.metric.to_string() },
        Metric::LearningAccuracy | Metric::LearningImprovement | Metric::VoiceAccuracy => Subject::Interactions,
        Metric::FirstSuccess => Subject::FirstSessions,
        Metric::RetentionWeek4 => Subject::Returns,
    };
    Question {
        subject,
        span,
        filter,
        for_each: goal.for_each.clone(),
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    }
}

pub(crate) fn whole_limit(goal: &Goal) -> Limit {
    // Durations are whole microseconds, and peaks whole bytes: for a strict limit the next whole one above decides the same, for the other the one below.
    let inclusive = goal.relation == crate::Relation::AtMost;
    let whole = |limit: Quantity| {
        let whole = if inclusive { limit.base().floor() } else { limit.base().ceil() };
        // Saturates; the configuration refuses what is negative.
        whole as u64
    };
    Limit {
        default: goal.limit.map(whole),
        by_group: goal.limits.iter().map(|(name, limit)| (name.clone(), whole(*limit))).collect(),
        inclusive,
    }
}

/// Judges `criteria` at `now`. `answers` are the answers to [`questions`] of the same arguments, in the same order; a missing
/// answer counts as no evidence. Of totals ([`Evidence::Totals`]) the scorecard has no trends and no changes, and all else unless it
/// [`needs_days`].
#[must_use]
pub fn judge(criteria: &Criteria, answers: &[Vec<Answer>], past: &[Event], now: Timestamp) -> Scorecard {
    let none = Vec::new();
    let results: Vec<_> = criteria
        .criteria
        .iter()
        .enumerate()
        .map(|(index, criterion)| judge_criterion(criteria, criterion, answers.get(index).unwrap_or(&none), past, now))
        .collect();
    let tiers: BTreeMap<_, _> = Tier::ALL
        .iter()
        .map(|tier| {
            let verdicts = results.iter().filter(|r| r.tier == Some(*tier)).map(|r| r.judgement.verdict);
            let met = verdicts.clone().filter(|v| *v == Verdict::Met).count();
            (*tier, TierResult { met, of: verdicts.clone().count(), verdict: conjunction(verdicts) })
        })
        .collect();
    Scorecard {
        schema_version: SCHEMA_VERSION,
        project: criteria.project.clone(),
        generated_at: now,
        verdict: tiers.get(&Tier::Must).map_or(Verdict::NoData, |tier| tier.verdict),
        tiers,
        criteria: results,
    }
}

/// Whether a scorecard that was judged on totals has to be judged by days: where a goal fell back, only days tell how it went since.
#[must_use]
pub fn needs_days(scorecard: &Scorecard) -> bool {
    scorecard.criteria.iter().flat_map(judgements).any(|judgement| judgement.fell_back.is_some())
}

fn judge_criterion(criteria: &Criteria, criterion: &Criterion, answers: &[Answer], past: &[Event], now: Timestamp) -> CriterionResult {
    let Epoch { span, why, excluded } = epoch(criteria, criterion, past, now);
    let mut parts: Vec<_> = criterion
        .goals
        .iter()
        .enumerate()
        .map(|(index, goal)| {
            judge_goal(
                Context { goal, criteria, criterion, is_pooled: false, is_total: false, from: span.from, now },
                answers.get(index).map(|a| &a.evidence),
            )
        })
        .collect();
    let (judgement, groups, definition, parts) = if parts.len() == 1 {
        let PartResult { judgement, groups, definition } = parts.remove(0);
        (judgement, groups, definition, Vec::new())
    } else {
        let definition = parts.iter().map(|p| p.definition.as_str()).collect::<Vec<_>>().join("; and ");
        (together(&parts), Vec::new(), definition, parts)
    };
    let was = last(past, &criterion.name, &criterion.evidence_key(&criteria.aliases), |verdict| match judgement.verdict {
        Verdict::Met | Verdict::Missed => false,
        Verdict::Stale => matches!(verdict, Verdict::Met | Verdict::Missed | Verdict::NotProven),
        Verdict::NotProven | Verdict::NoData => matches!(verdict, Verdict::Met | Verdict::Missed),
    });
    CriterionResult {
        name: criterion.name.clone(),
        tier: criterion.tier,
        card: criterion.card.clone(),
        judgement,
        baseline: criterion.baseline.clone(),
        method: criterion.method.clone(),
        definition,
        since: scorecard::Since { from: span.from, why: why.to_owned() },
        excluded,
        was,
        misses: None,
        groups,
        parts,
    }
}

/// The last verdict on a criterion that was recorded, among those that `counts` takes.
fn last(past: &[Event], name: &str, key: &str, counts: impl Fn(Verdict) -> bool) -> Option<Was> {
    let verdicts = past.iter().filter_map(|event| match &event.fact {
        Fact::Verdict(judged) if judged.criterion == name && counts(judged.verdict) => {
            Some(Was { verdict: judged.verdict, at: event.at, same_definition: judged.evidence_key == key })
        }
        _ => None,
    });
    verdicts.max_by_key(|was| was.at)
}

/// The conjunction of parts that have no numbers in common.
fn together(parts: &[PartResult]) -> Judgement {
    let judgements = || parts.iter().map(|p| &p.judgement);
    let verdict = conjunction(judgements().map(|j| j.verdict));
    let deciding = judgements().find(|j| j.verdict == verdict).or_else(|| judgements().find(|j| j.verdict != Verdict::Met));
    Judgement {
        verdict,
        reason: deciding.and_then(|j| j.reason),
        severity: judgements().filter_map(|j| j.severity).max_by_key(|s| *s == Severity::Red),
        n: judgements().map(|j| j.n).max().unwrap_or(0),
        newest_event: judgements().filter_map(|j| j.newest_event).max(),
        advice: deciding.and_then(|j| j.advice.clone()),
        command: deciding.and_then(|j| j.command.clone()),
        ..Judgement::nothing()
    }
}

/// What has no groups.
fn whole(judgement: Judgement) -> (Judgement, Vec<GroupResult>) {
    (judgement, Vec::new())
}

pub(crate) fn judge_goal(context: Context<'_>, evidence: Option<&Evidence>) -> PartResult {
    let context = Context { is_total: matches!(evidence, Some(Evidence::Totals(_))), ..context };
    let (judgement, groups) = match evidence {
        Some(Evidence::Operations(groups) | Evidence::Totals(groups)) => {
            by_group(context, groups, sample::judge_operations, |days| days.sort_by_key(|day| day.date))
        }
        Some(Evidence::Memory(groups)) => {
            let rule = match context.goal.metric {
                Metric::Memory(MemoryStatistic::Variation | MemoryStatistic::Slope) => stability::judge,
                _ => census::judge_memory,
            };
            by_group(context, groups, rule, |runs| runs.sort_by_key(|run| run.samples.first().map(|s| s.at)))
        }
        Some(Evidence::Measurement(groups)) if context.goal.metric == Metric::ContributionsMonth => {
            by_group(context, groups, contributions::judge, |readings| readings.sort_by_key(|reading| reading.at))
        }
        Some(Evidence::Measurement(groups)) => {
            by_group(context, groups, census::judge_measurement, |readings| readings.sort_by_key(|reading| reading.at))
        }
        Some(Evidence::Interactions(interactions)) if context.goal.metric == Metric::LearningImprovement => {
            whole(improvement::judge(context, context.goal.limit, interactions))
        }
        Some(Evidence::Interactions(interactions)) => whole(accuracy::judge(context, context.goal.limit, interactions)),
        Some(Evidence::FirstSessions(sessions)) => whole(first_success::judge(context, context.goal.limit, sessions)),
        Some(Evidence::Returns(returns)) => whole(retention::judge(context, context.goal.limit, returns)),
        // What a report asks for answers no criterion.
        Some(_) | None => (context.finish(context.blank(context.goal.limit), context.goal.limit), Vec::new()),
    };
    PartResult { judgement, definition: context.goal.metric.definition(), groups }
}

type Rule<T> = fn(Context<'_>, Option<Quantity>, &[&T]) -> Judgement;

/// Judges each group, and the goal as the conjunction of those that count; `sort` puts the evidence of several groups in order.
fn by_group<T>(context: Context<'_>, evidence: &Groups<T>, rule: Rule<T>, sort: fn(&mut [&T])) -> (Judgement, Vec<GroupResult>) {
    let goal = context.goal;
    let Some(dimension) = &goal.for_each else {
        return (rule(context, goal.limit, &pooled(goal, evidence, sort)), Vec::new());
    };
    let named = goal.named_groups();
    let counts = |name: Option<&str>| is_judged(&named, name);
    let result = |name: Option<&str>, mut judgement: Judgement| {
        if goal.limit_of(name).is_none() {
            // Where nothing is demanded, nothing is within or beyond it.
            (judgement.successes, judgement.failures) = (None, None);
        }
        GroupResult { group: [(dimension.to_string(), name.map(str::to_owned))].into(), judged: counts(name), holds_alone: None, judgement }
    };
    let mut groups: Vec<_> = evidence
        .groups
        .iter()
        .map(|(name, of_group)| {
            result(name.as_deref(), rule(context, goal.limit_of(name.as_deref()), &of_group.iter().collect::<Vec<_>>()))
        })
        .collect();
    for name in &named {
        if !evidence.groups.contains_key(&Some((*name).to_owned())) {
            let mut judgement = rule(context, goal.limit_of(Some(name)), &[]);
            judgement.reason = Some(Reason::GroupWithoutData);
            // What it takes from nothing: so that the sum at the criterion is all that is missing.
            judgement.at_least_more = fewest_from_nothing(context, goal.limit_of(Some(name)));
            groups.push(result(Some(name), judgement));
        }
    }
    hold_alone(context, &mut groups);
    let judged = || groups.iter().filter(|g| g.judged).map(|g| &g.judgement);
    let mut judgement = rule(Context { is_pooled: true, ..context }, goal.limit, &pooled(goal, evidence, sort));
    judgement.verdict = conjunction(judged().map(|j| j.verdict));
    judgement.reason = judged().find(|j| j.verdict != Verdict::Met && j.reason.is_some()).and_then(|j| j.reason);
    if judged().any(|j| j.reason == Some(Reason::GroupWithoutData)) {
        judgement.reason = Some(Reason::GroupWithoutData);
    }
    if judgement.verdict == Verdict::Missed && !is_missed_among_many(context, &groups) {
        judgement.verdict = Verdict::NotProven;
        judgement.reason = Some(Reason::OneOfMany);
    }
    if evidence.folded > 0 && judgement.verdict != Verdict::Missed {
        judgement.verdict = Verdict::NotProven;
        judgement.reason = Some(Reason::TooManyGroups);
    }
    let lacking: Vec<u64> = judged().filter_map(|j| j.at_least_more).collect();
    let projected: Option<u64> = judged().filter(|j| j.verdict != Verdict::Met).map(|j| j.projected_more).sum();
    judgement.leaning = None;
    judgement.severity = judged().filter_map(|j| j.severity).max_by_key(|s| *s == Severity::Red);
    (judgement.at_least_more, judgement.projected_more) = if judgement.verdict == Verdict::NotProven {
        ((!lacking.is_empty()).then(|| lacking.iter().sum()), projected)
    } else {
        (None, None)
    };
    judgement.advice =
        if judgement.verdict == Verdict::NoData { context.advice(&judgement, None) } else { group_advice(&groups, &judgement) };
    judgement.command = context.command(&judgement);
    (judgement, groups)
}

fn is_judged(named: &[&str], name: Option<&str>) -> bool {
    named.is_empty() || name.is_some_and(|name| named.contains(&name))
}

/// The evidence of all groups that are judged, as one; of all there is where the goal has no groups.
pub(crate) fn pooled<'a, T>(goal: &Goal, evidence: &'a Groups<T>, sort: fn(&mut [&T])) -> Vec<&'a T> {
    let named = if goal.for_each.is_some() { goal.named_groups() } else { Vec::new() };
    let of_groups = evidence.groups.iter().filter(|(name, _)| is_judged(&named, name.as_deref()));
    let mut pooled: Vec<_> = of_groups.flat_map(|(_, of_group)| of_group).collect();
    sort(&mut pooled);
    pooled
}

/// Which of the groups that are met can be picked out of the table: by Holm over all that are judged, on the e-values of their
/// rates.
fn hold_alone(context: Context<'_>, groups: &mut [GroupResult]) {
    let p = |group: &GroupResult| {
        let name = group.group.values().next().and_then(Option::as_deref);
        let rate = sample::goal_rate(&context.goal.metric, context.goal.limit_of(name))?;
        let (successes, failures) = group.judgement.successes.zip(group.judgement.failures)?;
        Some((-always_valid::ln_e_above(Counts { successes, failures }, rate)).exp().min(1.0))
    };
    let mut judged: Vec<_> = groups.iter_mut().filter(|group| group.judged).collect();
    // A group without events speaks for nothing, and is one of those that somebody picks from.
    let found: Vec<Option<f64>> = judged.iter().map(|group| p(group)).collect();
    let adjusted = holm::adjusted(&found.iter().map(|p| p.unwrap_or(1.0)).collect::<Vec<_>>());
    for ((group, p), adjusted) in judged.iter_mut().zip(found).zip(adjusted) {
        let is_met = group.judgement.verdict == Verdict::Met;
        group.holds_alone = p.filter(|_| is_met).map(|_| adjusted <= context.criterion.alpha);
    }
}

/// Whether "at least one group misses it" is proven of all that are judged together: who looks at many finds one by chance, so the
/// evidence against one counts by how many there are (the first step of Holm 1979). What is measured whole needs no such care.
fn is_missed_among_many(context: Context<'_>, groups: &[GroupResult]) -> bool {
    let judged = || groups.iter().filter(|group| group.judged);
    let ln_many = (judged().count().max(1) as f64).ln();
    let threshold = always_valid::ln_threshold(context.criterion.alpha) + ln_many;
    judged().filter(|group| group.judgement.verdict == Verdict::Missed).any(|group| {
        let name = group.group.values().next().and_then(Option::as_deref);
        let rate = sample::goal_rate(&context.goal.metric, context.goal.limit_of(name));
        let counts = group.judgement.successes.zip(group.judgement.failures);
        rate.zip(counts)
            .is_none_or(|(rate, (successes, failures))| always_valid::ln_e_below(Counts { successes, failures }, rate) >= threshold)
    })
}

fn fewest_from_nothing(context: Context<'_>, limit: Option<Quantity>) -> Option<u64> {
    let rate = sample::goal_rate(&context.goal.metric, limit)?;
    Some(always_valid::at_least_more(Counts::default(), rate, context.criterion.alpha))
}

/// The groups that stand in the way, the ones that hurt most first: at most three sentences, each with those that it is said of.
fn group_advice(groups: &[GroupResult], judgement: &Judgement) -> Option<String> {
    const SENTENCES_MAX: usize = 3;
    const NAMES_MAX: usize = 3;
    if judgement.verdict == Verdict::Met {
        return None;
    }
    let mut lacking: Vec<_> = groups.iter().filter(|g| g.judged && g.judgement.verdict != Verdict::Met).collect();
    lacking.sort_by_key(|g| (rank(g.judgement.verdict), std::cmp::Reverse(g.judgement.failures)));
    let mut sentences: Vec<(String, Vec<String>)> = Vec::new();
    for group in &lacking {
        let name = group.name().to_owned();
        let what = match group.judgement.verdict {
            Verdict::NoData => "no data".to_owned(),
            _ => group.judgement.advice.clone().unwrap_or_default(),
        };
        match sentences.iter_mut().find(|(said, _)| *said == what) {
            Some((_, names)) => names.push(name),
            None => sentences.push((what, vec![name])),
        }
    }
    let others = |n: usize| if n == 1 { "1 other".to_owned() } else { format!("{n} others") };
    let of = |(what, names): &(String, Vec<String>)| {
        let more = names.len().saturating_sub(NAMES_MAX);
        let mut named = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            named += &format!(" and {}", others(more));
        }
        if what.is_empty() { named } else { format!("{named}: {what}") }
    };
    let left: usize = sentences.iter().skip(SENTENCES_MAX).map(|(_, names)| names.len()).sum();
    let more = if left > 0 { format!(" · and {}", others(left)) } else { String::new() };
    let listed = sentences.iter().take(SENTENCES_MAX).map(of).collect::<Vec<_>>().join(" · ");
    (!listed.is_empty()).then(|| listed + &more)
}

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Missed => 0,
        Verdict::NotProven => 1,
        Verdict::Stale => 2,
        Verdict::NoData => 3,
        Verdict::Met => 4,
    }
}
