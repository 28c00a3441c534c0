//! Verdicts that a person can check: from plain evidence to the scorecard, all through the public calls.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, MemoryStatistic, Metric, Quantity, Relation, Scorecard, Since, Tier, Verdict,
    always_valid::{Counts, ln_e_below},
    exclusions, judge, needs_days,
    quantile::Quantile,
    questions,
    scorecard::{Beside, CriterionResult, GroupResult, Judgement, Leaning, LeftOut, Reason, Severity},
};
use milepost_record::{
    Answer, Dimension, Ecdf, Event, Evidence, Groups, Measure, MemorySample, Note, OperationDay, Reading, Run, Subject, Timestamp, Topic,
};
use std::{collections::BTreeMap, time::Duration};

const NOW: &str = "2026-11-24T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn quantity(text: &str) -> Quantity {
    text.parse().expect("an amount")
}

fn goal(metric: Metric, relation: Relation, limit: &str) -> Goal {
    Goal {
        metric,
        relation,
        limit: Some(quantity(limit)),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    }
}

fn p95(limit: &str) -> Goal {
    goal(Metric::Latency(Quantile::P95), Relation::Below, limit)
}

fn criterion(goals: Vec<Goal>) -> Criterion {
    Criterion {
        name: "It".to_owned(),
        tier: Some(Tier::Must),
        goals,
        since: Since::Quarter,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(7 * 86400),
        card: None,
        alpha: 0.05,
    }
}

fn criteria(criteria: Vec<Criterion>) -> Criteria {
    Criteria {
        project: "test".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria,
    }
}

/// Operations of the day so many days ago: succeeded after these milliseconds, and failed.
fn day(days_ago: i32, ok_ms: &[u64], failed: u64, limit_ms: u64) -> OperationDay {
    let date = Date::constant(2026, 11, 24) - days_ago.days();
    let noon = format!("{date}T11:00:00Z");
    let mut durations = BTreeMap::new();
    for ms in ok_ms {
        *durations.entry(ms * 1000).or_default() += 1;
    }
    OperationDay {
        date,
        oldest: at(&noon),
        newest: at(&noon),
        ok: ok_ms.len() as u64,
        failed,
        timeouts: 0,
        cancelled: 0,
        dry_runs: 0,
        unmeasured: 0,
        within: ok_ms.iter().filter(|ms| **ms < limit_ms).count() as u64,
        durations: durations.into_iter().collect(),
    }
}

fn grouped<T>(groups: Vec<(Option<&str>, Vec<T>)>) -> Groups<T> {
    Groups { groups: groups.into_iter().map(|(name, of)| (name.map(str::to_owned), of)).collect(), folded: 0 }
}

/// Judged by days, and what is of operations on totals too, which says the same.
fn card(criterion: Criterion, evidence: Vec<Evidence>, past: &[Event]) -> Scorecard {
    let criteria = criteria(vec![criterion]);
    let judged = |evidence: Vec<Evidence>| {
        let answers = evidence.into_iter().map(|evidence| Answer { sql: String::new(), evidence }).collect();
        judge(&criteria, &[answers], past, at(NOW))
    };
    let totals = evidence.iter().map(in_total).collect::<Option<Vec<_>>>();
    let whole = judged(evidence);
    if let Some(in_short) = totals.map(judged) {
        if needs_days(&whole) {
            assert!(needs_days(&in_short));
        } else {
            assert_eq!(in_short, without_days(whole.clone()));
        }
    }
    whole
}

/// The same evidence with all values of a group at its first day; none where it is not of operations.
fn in_total(evidence: &Evidence) -> Option<Evidence> {
    let Evidence::Operations(groups) = evidence else { return None };
    let mut groups = groups.clone();
    for days in groups.groups.values_mut() {
        let all: Ecdf = days.iter().flat_map(|day| day.durations.counts()).collect();
        days.iter_mut().for_each(|day| day.durations = Ecdf::default());
        days.iter_mut().take(1).for_each(|day| day.durations = all.clone());
    }
    Some(Evidence::Totals(groups))
}

/// A scorecard without trends and changes.
fn without_days(mut scorecard: Scorecard) -> Scorecard {
    for result in &mut scorecard.criteria {
        let parts = result.parts.iter_mut().flat_map(|part| [&mut part.judgement].into_iter().chain(judgements(&mut part.groups)));
        let all = [&mut result.judgement].into_iter().chain(judgements(&mut result.groups)).chain(parts);
        for judgement in all {
            judgement.trend.clear();
            judgement.changes.clear();
        }
    }
    scorecard
}

fn judgements(groups: &mut [GroupResult]) -> impl Iterator<Item = &mut Judgement> {
    groups.iter_mut().map(|group| &mut group.judgement)
}

fn result(criterion: Criterion, evidence: Evidence) -> CriterionResult {
    card(criterion, vec![evidence], &[]).criteria.remove(0)
}

fn on_days(goal: Goal, days: Vec<OperationDay>) -> Judgement {
    result(criterion(vec![goal]), Evidence::Operations(grouped(vec![(None, days)]))).judgement
}

#[test]
fn nothing_is_never_met() {
    let empty = Scorecard { ..judge(&criteria(Vec::new()), &[], &[], at(NOW)) };
    assert_eq!(empty.verdict, Verdict::NoData);
    let mut goals = vec![p95("500ms"), goal(Metric::SuccessRate, Relation::Above, "95%")];
    goals.extend(Metric::fixed().map(|metric| {
        let limit = metric.family().map_or(Quantity::new(1.0, milepost_judge::Unit::NONE), |f| Quantity::new(1.0, f.usual_unit()));
        goal(metric, Relation::Above, &limit.to_string())
    }));
    goals.push(goal(Metric::Measurement("vulnerabilities.known".to_owned()), Relation::AtMost, "0"));
    for goal in goals {
        // Neither an answer without groups, nor no answer at all.
        let asked = criteria(vec![criterion(vec![goal.clone()])]);
        for answers in [vec![], vec![vec![]]] {
            let scorecard = judge(&asked, &answers, &[], at(NOW));
            assert_eq!((scorecard.criteria[0].judgement.verdict, scorecard.verdict), (Verdict::NoData, Verdict::NoData), "{goal:?}");
            assert!(scorecard.criteria[0].judgement.command.as_deref().is_some_and(|c| c.starts_with("milepost ")));
        }
    }
    assert_eq!(on_days(p95("500ms"), vec![]).verdict, Verdict::NoData);
}

#[test]
fn one_fast_sample_proves_nothing_and_asks_for_71_more() {
    let judgement = on_days(p95("500ms"), vec![day(0, &[100], 0, 500)]);
    assert_eq!((judgement.verdict, judgement.reason), (Verdict::NotProven, None));
    assert_eq!((judgement.at_least_more, judgement.estimate, judgement.leaning), (Some(71), Some(100.0), Some(Leaning::Inside)));
}

#[test]
fn seventy_two_fast_ones_on_two_days_meet_it_and_on_one_day_do_not() {
    let two_days = on_days(p95("500ms"), vec![day(1, &[100; 36], 0, 500), day(0, &[100; 36], 0, 500)]);
    assert_eq!((two_days.verdict, two_days.reason, two_days.at_least_more), (Verdict::Met, None, None));
    assert_eq!((two_days.n, two_days.successes, two_days.failures), (72, Some(72), Some(0)));
    let one_day = on_days(p95("500ms"), vec![day(0, &[100; 72], 0, 500)]);
    assert_eq!((one_day.verdict, one_day.reason, one_day.at_least_more), (Verdict::NotProven, Some(Reason::SingleDay), Some(1)));
    // 71 are one too few, and the reason is not the days.
    let short = on_days(p95("500ms"), vec![day(1, &[100; 36], 0, 500), day(0, &[100; 35], 0, 500)]);
    assert_eq!((short.verdict, short.reason, short.at_least_more), (Verdict::NotProven, None, Some(1)));
}

#[test]
fn fast_failures_are_slow() {
    let failures = on_days(p95("500ms"), vec![day(1, &[], 36, 500), day(0, &[], 36, 500)]);
    assert_eq!((failures.verdict, failures.severity, failures.estimate), (Verdict::Missed, Some(Severity::Red), None));
    // Left out by choice, there is nothing left to judge: and that is said.
    let mut excluding = p95("500ms");
    excluding.failures = Failures::Exclude;
    let excluded = on_days(excluding.clone(), vec![day(1, &[], 36, 500), day(0, &[], 36, 500)]);
    assert_eq!((excluded.verdict, excluded.left_out[&LeftOut::Failed]), (Verdict::NoData, 72));
    // 60 of 1000 fail fast: whoever leaves them out has a P95 of 100 ms, and both are shown.
    let days = || vec![day(1, &[100; 470], 30, 500), day(0, &[100; 470], 30, 500)];
    let slow = on_days(p95("500ms"), days());
    let other = slow.other_convention.expect("the other convention");
    assert_eq!((slow.n, slow.successes, slow.estimate), (1000, Some(940), None));
    assert_eq!((other.failures, other.n, other.successes, other.estimate), (Failures::Exclude, 940, 940, Some(100.0)));
    assert_eq!(on_days(excluding, days()).verdict, Verdict::Met);
}

#[test]
fn the_peak_of_short_lived_commands_is_a_quantile_like_a_latency() {
    let peaks = |limit: &str| goal(Metric::PeakMemory(Quantile::P95), Relation::Below, limit);
    // A millisecond of the helper is a thousand bytes here.
    let days = |limit_kb: u64| vec![day(1, &[50_000; 36], 0, limit_kb), day(0, &[50_000; 36], 0, limit_kb)];
    let met = on_days(peaks("100MB"), days(100_000));
    assert_eq!((met.verdict, met.estimate, met.n, met.unit.as_str()), (Verdict::Met, Some(50.0), 72, "MB"));
    assert_eq!(met.other_convention, None, "no failure is slow here");
    assert_eq!(on_days(peaks("40MB"), days(40_000)).verdict, Verdict::Missed);
    let mut unknown = days(100_000);
    unknown.iter_mut().for_each(|day| (day.ok, day.unmeasured) = (day.ok + 5, 5));
    let met = on_days(peaks("100MB"), unknown);
    assert_eq!((met.verdict, met.n, met.left_out[&LeftOut::Unmeasured]), (Verdict::Met, 72, 10));
}

#[test]
fn three_slow_ones_are_too_few_to_miss_it() {
    let judgement = on_days(p95("500ms"), vec![day(1, &[900, 900], 0, 500), day(0, &[900], 0, 500)]);
    assert_eq!((judgement.verdict, judgement.reason), (Verdict::NotProven, Some(Reason::TooFew)));
    assert_eq!(judgement.leaning, Some(Leaning::Outside));
    let mut red = p95("500ms");
    red.bad = Some(quantity("1s"));
    let days = |ms: u64| vec![day(1, &[ms; 8], 0, 500), day(0, &[ms; 8], 0, 500)];
    assert_eq!(on_days(red.clone(), days(900)).severity, Some(Severity::Amber));
    assert_eq!(on_days(red.clone(), days(1000)).severity, Some(Severity::Amber));
    assert_eq!(on_days(red, days(1100)).severity, Some(Severity::Red));
}

#[test]
fn the_number_and_the_verdict_cannot_contradict_each_other() {
    // At the limit is not below it, and is at most it.
    let days = |limit| vec![day(1, &[500; 50], 0, limit), day(0, &[500; 50], 0, limit)];
    let strict = on_days(p95("500ms"), days(500));
    assert_eq!((strict.verdict, strict.estimate), (Verdict::Missed, Some(500.0)));
    let inclusive = on_days(goal(Metric::Latency(Quantile::P95), Relation::AtMost, "500ms"), days(501));
    assert_eq!((inclusive.verdict, inclusive.estimate), (Verdict::Met, Some(500.0)));
}

/// The example of the statistics' reference: 900 by the rule that decides, 549 by the one of other tools, and failures are unknown to it.
#[test]
fn the_quantile_of_other_tools_stands_beside_and_decides_nothing() {
    let days = |failed| vec![day(1, &[12, 15, 18, 22, 30], 0, 600), day(0, &[41, 55, 80, 120, 900], failed, 600)];
    for failed in [0, 3] {
        let judged = on_days(p95("600ms"), days(failed));
        let [beside] = &judged.beside[..] else { panic!("one figure: {:?}", judged.beside) };
        assert_eq!((beside.what, judged.estimate), (Beside::Interpolated, (failed == 0).then_some(900.0)));
        assert!(beside.value.is_some_and(|value| (value - 549.0).abs() < 1e-9), "{beside:?}");
        assert_ne!(judged.verdict, Verdict::Met, "549 is within, and decides nothing");
    }
    assert_eq!(on_days(p95("600ms"), vec![day(0, &[], 3, 600)]).beside, []);
}

#[test]
fn old_evidence_is_stale_whatever_it_said() {
    let stale = on_days(p95("500ms"), vec![day(20, &[100; 100], 0, 500), day(8, &[100; 100], 0, 500)]);
    assert_eq!((stale.verdict, stale.at_least_more, stale.reason), (Verdict::Stale, None, None));
}

#[test]
fn what_was_proven_once_stands_beside_what_is_not_any_more() {
    let judged = |when: &str, key: &str, verdict| Event::at(at(when), milepost_record::Verdict::new("It", key, verdict));
    let key = criterion(vec![p95("500ms")]).evidence_key(&BTreeMap::new());
    let past = [
        judged("2026-10-08T00:00:00Z", &key, Verdict::Missed),
        judged("2026-11-10T00:00:00Z", &key, Verdict::Met),
        judged("2026-11-20T00:00:00Z", &key, Verdict::NotProven),
        judged("2026-11-21T00:00:00Z", &key, Verdict::NoData),
    ];
    let was = |days: Vec<OperationDay>, past: &[Event]| {
        let evidence = Evidence::Operations(grouped(vec![(None, days)]));
        let result = card(criterion(vec![p95("500ms")]), vec![evidence], past).criteria.remove(0);
        (result.judgement.verdict, result.was.map(|was| (was.verdict, was.at, was.same_definition)))
    };
    let met = (Verdict::Met, at("2026-11-10T00:00:00Z"), true);
    let few = || vec![day(1, &[100; 20], 0, 500), day(0, &[100; 20], 0, 500)];
    assert_eq!(was(few(), &past), (Verdict::NotProven, Some(met)));
    assert_eq!(was(Vec::new(), &past), (Verdict::NoData, Some(met)));
    assert_eq!(was(few(), &[judged("2026-11-10T00:00:00Z", "sha256:x", Verdict::Met)]).1, Some((met.0, met.1, false)));
    assert_eq!(was(few(), &past[2..]).1, None, "nothing was ever proven");
    let old = vec![day(8, &[100; 100], 0, 500)];
    assert_eq!(was(old, &past), (Verdict::Stale, Some((Verdict::NotProven, at("2026-11-20T00:00:00Z"), true))));
    let proven = vec![day(1, &[100; 50], 0, 500), day(0, &[100; 50], 0, 500)];
    assert_eq!(was(proven, &past), (Verdict::Met, None));
}

#[test]
fn what_was_excluded_begins_anew_and_only_what_it_touches() {
    let excluded = |id: &str, recorded: &str, from: &str, to: &str, name: Option<&str>| {
        let mut note = Note::new(Topic::Exclude);
        (note.from, note.to, note.criterion) = (Some(at(from)), Some(at(to)), name.map(str::to_owned));
        note.text = Some("the network was down".to_owned());
        let mut event = Event::at(at(recorded), note);
        event.id = Some(id.to_owned());
        event
    };
    let undone = |id: &str, when: &str| {
        let mut note = Note::new(Topic::Exclude);
        note.undoes = Some(id.to_owned());
        let mut event = Event::at(at(when), note);
        event.id = Some(format!("undo-{id}"));
        event
    };
    let begins = |past: &[Event]| {
        let criteria = criteria(vec![criterion(vec![p95("500ms")])]);
        let result = judge(&criteria, &[], past, at(NOW)).criteria.remove(0);
        let asked = questions(&criteria, past, at(NOW)).remove(0).remove(0).span;
        assert_eq!(asked.from, result.since.from);
        let ids = result.excluded.iter().map(|exclusion| exclusion.id.clone()).collect::<Vec<_>>().join(" ");
        (result.since.from.to_string()[..10].to_owned(), result.since.why, ids)
    };
    let expected = |day: &str, why: &str, ids: &str| (day.to_owned(), why.to_owned(), ids.to_owned());
    // Somebody looked first: what came between its end and the exclusion was seen too.
    let bad = excluded("a", "2026-11-15T00:00:00Z", "2026-11-05T00:00:00Z", "2026-11-07T00:00:00Z", None);
    assert_eq!(begins(std::slice::from_ref(&bad)), expected("2026-11-15", "excluded", "a"));
    // Announced before: it begins at the end. While it lasts, nothing counts; before, it is none yet.
    let announced = excluded("b", "2026-11-01T00:00:00Z", "2026-11-05T00:00:00Z", "2026-11-07T00:00:00Z", Some("It"));
    assert_eq!(begins(&[announced]), expected("2026-11-07", "excluded", "b"));
    let lasting = excluded("c", "2026-11-01T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z", None);
    assert_eq!(begins(&[lasting]), expected("2026-11-26", "excluded", "c"));
    let coming = excluded("d", "2026-11-01T00:00:00Z", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z", None);
    assert_eq!(begins(&[coming]), expected("2026-10-01", "quarter", ""));
    // Another criterion's, and one before all that counts.
    let other = excluded("e", "2026-11-15T00:00:00Z", "2026-11-05T00:00:00Z", "2026-11-07T00:00:00Z", Some("Else"));
    let before = excluded("f", "2026-11-15T00:00:00Z", "2026-09-05T00:00:00Z", "2026-10-01T00:00:00Z", None);
    assert_eq!(begins(&[other, before]), expected("2026-10-01", "quarter", ""));
    // A second one that lies before the new beginning changes nothing, until the first is taken back.
    let second = excluded("g", "2026-11-20T00:00:00Z", "2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z", None);
    assert_eq!(begins(&[bad.clone(), second.clone()]), expected("2026-11-15", "excluded", "a"));
    assert_eq!(begins(&[bad.clone(), second, undone("a", "2026-11-22T00:00:00Z")]), expected("2026-11-20", "excluded", "g"));
    let known = exclusions(&[undone("a", "2026-11-22T00:00:00Z"), bad]);
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].undone, known[0].reason.as_deref()), (Some(at("2026-11-22T00:00:00Z")), Some("the network was down")));
}

#[test]
fn a_rate_is_judged_without_cancelled_and_dry_runs() {
    let rate = || goal(Metric::SuccessRate, Relation::Above, "95%");
    let mut days = vec![day(1, &[1; 50], 0, 500), day(0, &[1; 50], 0, 500)];
    (days[0].cancelled, days[1].dry_runs) = (7, 9);
    let met = on_days(rate(), days);
    assert_eq!((met.verdict, met.n, met.estimate), (Verdict::Met, 100, Some(100.0)));
    assert_eq!(met.left_out, [(LeftOut::Cancelled, 7), (LeftOut::DryRun, 9)].into());
    let missed = on_days(rate(), vec![day(1, &[1; 90], 10, 500), day(0, &[1; 90], 10, 500)]);
    assert_eq!((missed.verdict, missed.estimate), (Verdict::Missed, Some(90.0)));
}

#[test]
fn every_named_group_has_to_be_there() {
    let mut each = goal(Metric::SuccessRate, Relation::Above, "95%");
    each.for_each = Some(Dimension::Operation);
    each.groups = vec!["install".to_owned(), "search".to_owned()];
    let good = || vec![day(1, &[1; 50], 0, 500), day(0, &[1; 50], 0, 500)];
    let groups = |list: Vec<(Option<&str>, Vec<OperationDay>)>| result(criterion(vec![each.clone()]), Evidence::Operations(grouped(list)));
    let both = groups(vec![(Some("install"), good()), (Some("search"), good()), (Some("other"), vec![day(0, &[], 90, 1)])]);
    assert_eq!((both.judgement.verdict, both.judgement.n), (Verdict::Met, 200), "what is not named is shown, not judged");
    assert_eq!(both.groups.iter().map(|g| g.judged).collect::<Vec<_>>(), [true, false, true]);

    // Two at once are met, since each is; of two, one alone can be picked out only with twice the evidence.
    assert_eq!(both.groups.iter().map(|g| g.holds_alone).collect::<Vec<_>>(), [Some(true), None, Some(true)]);
    let just = || vec![day(1, &[1; 36], 0, 500), day(0, &[1; 36], 0, 500)];
    let barely = groups(vec![(Some("install"), just()), (Some("search"), just())]);
    assert_eq!(barely.judgement.verdict, Verdict::Met);
    assert_eq!(barely.groups.iter().map(|g| g.holds_alone).collect::<Vec<_>>(), [Some(false), Some(false)]);

    let one = groups(vec![(Some("install"), good())]);
    assert_eq!((one.judgement.verdict, one.judgement.reason), (Verdict::NotProven, Some(Reason::GroupWithoutData)));
    assert_eq!(one.judgement.at_least_more, Some(72), "what the missing group needs");
    let missing = one.groups.iter().find(|g| g.judgement.n == 0).expect("the missing group");
    assert_eq!((missing.judged, missing.judgement.verdict), (true, Verdict::NoData));

    let none = groups(vec![]);
    assert_eq!((none.judgement.verdict, none.groups.len()), (Verdict::NoData, 2));
    let bad = groups(vec![(Some("install"), good()), (Some("search"), vec![day(1, &[], 20, 1), day(0, &[], 20, 1)])]);
    assert_eq!(bad.judgement.verdict, Verdict::Missed);
    assert!(bad.judgement.advice.as_deref().is_some_and(|a| a.starts_with("search: 40 of 40")), "{:?}", bad.judgement.advice);

    // Four of twenty failed: enough against one of one, and not against the worst of forty.
    let worst = || vec![day(1, &[1; 8], 2, 500), day(0, &[1; 8], 2, 500)];
    let of = |others: usize| {
        let mut each = goal(Metric::SuccessRate, Relation::Above, "98%");
        each.for_each = Some(Dimension::Operation);
        let names: Vec<_> = (0..others).map(|n| format!("other {n}")).collect();
        let good = names.iter().map(|name| (Some(name.as_str()), vec![day(1, &[1; 9], 0, 500), day(0, &[1; 9], 0, 500)]));
        let judged = result(criterion(vec![each]), Evidence::Operations(grouped(good.chain([(Some("worst"), worst())]).collect())));
        let worst = judged.groups.iter().find(|group| group.judgement.failures == Some(4)).expect("the worst");
        assert_eq!(worst.judgement.verdict, Verdict::Missed, "on its own");
        (judged.judgement.verdict, judged.judgement.reason)
    };
    assert_eq!(of(0), (Verdict::Missed, None));
    assert_eq!(of(39), (Verdict::NotProven, Some(Reason::OneOfMany)));
}

#[test]
fn each_group_can_have_a_limit_of_its_own() {
    let mut each = p95("500ms");
    (each.limit, each.for_each) = (None, Some(Dimension::Operation));
    each.limits = [("list".to_owned(), quantity("100ms"))].into();
    let slow = || vec![day(1, &[150; 50], 0, 100), day(0, &[150; 50], 0, 100)];
    // The store counts nothing within a limit that is not there.
    let evidence = grouped(vec![(Some("list"), slow()), (Some("other"), vec![day(1, &[1; 50], 0, 0), day(0, &[1; 50], 0, 0)])]);
    let result = result(criterion(vec![each]), Evidence::Operations(evidence));
    assert_eq!(result.judgement.verdict, Verdict::Missed);
    let other = &result.groups[1];
    assert_eq!((other.judged, other.judgement.verdict, other.judgement.failures), (false, Verdict::NotProven, None), "it has no limit");
    assert_eq!(other.judgement.estimate, Some(1.0), "and is shown");
    assert_eq!(result.judgement.target, None);
    assert_eq!(result.groups[0].judgement.target.as_ref().and_then(|t| t.below), Some(100.0));
}

#[test]
fn too_many_groups_are_never_met() {
    let mut each = goal(Metric::SuccessRate, Relation::Above, "95%");
    each.for_each = Some(Dimension::User);
    let mut groups = grouped(vec![(Some("u-1"), vec![day(1, &[1; 50], 0, 500), day(0, &[1; 50], 0, 500)])]);
    groups.folded = 1;
    let result = result(criterion(vec![each]), Evidence::Operations(groups));
    assert_eq!((result.judgement.verdict, result.judgement.reason), (Verdict::NotProven, Some(Reason::TooManyGroups)));
}

fn run(begin: &str, minutes: i64, every_s: u64, bytes: impl Fn(i64) -> u64) -> Run {
    let begin = at(begin);
    let samples = (0..=minutes * 60 / every_s as i64).map(|i| MemorySample {
        at: Timestamp::from_microseconds(begin.as_microseconds() + i * every_s as i64 * 1_000_000).expect("a time"),
        bytes: bytes(i),
        complete: true,
        cpu_us: (i > 0).then_some(every_s * 500_000),
    });
    Run { run: begin.to_string(), process: None, measure: Measure::Pss, every_us: Some(every_s * 1_000_000), samples: samples.collect() }
}

fn memory(statistic: MemoryStatistic, limit: &str, runs: Vec<Run>) -> Judgement {
    let goal = goal(Metric::Memory(statistic), Relation::Below, limit);
    result(criterion(vec![goal]), Evidence::Memory(grouped(vec![(None, runs)]))).judgement
}

#[test]
fn memory_is_met_after_a_whole_hour_and_missed_by_one_reading() {
    use MemoryStatistic::{Average, Current, Peak};
    let flat = |_: i64| 200_000_000;
    let hour = run("2026-11-24T08:00:00Z", 60, 10, flat);
    let met = memory(Peak, "300MB", vec![hour.clone()]);
    assert_eq!((met.verdict, met.estimate, met.n, met.failures), (Verdict::Met, Some(200.0), 361, Some(0)));
    let short = memory(Peak, "300MB", vec![run("2026-11-24T08:00:00Z", 59, 10, flat)]);
    assert_eq!((short.verdict, short.reason, short.leaning), (Verdict::NotProven, Some(Reason::RunTooShort), Some(Leaning::Inside)));
    // A short run beside the whole one does not take the proof away, but a single reading of it beyond the limit does.
    let beside = |bytes: u64| run("2026-11-24T10:00:00Z", 1, 10, move |i| if i == 3 { bytes } else { 1 });
    assert_eq!(memory(Peak, "300MB", vec![hour.clone(), beside(1)]).verdict, Verdict::Met);
    let missed = memory(Peak, "300MB", vec![hour.clone(), beside(300_000_000)]);
    assert_eq!((missed.verdict, missed.failures), (Verdict::Missed, Some(1)));

    let mut holes = hour.clone();
    for sample in holes.samples.iter_mut().take(19) {
        (sample.complete, sample.bytes) = (false, 900_000_000);
    }
    let incomplete = memory(Peak, "300MB", vec![holes]);
    assert_eq!((incomplete.verdict, incomplete.reason), (Verdict::NotProven, Some(Reason::IncompleteRun)));
    assert_eq!((incomplete.left_out[&LeftOut::Incomplete], incomplete.n), (19, 342), "an incomplete reading is no value");

    let rising = run("2026-11-24T08:00:00Z", 60, 10, |i| 100_000_000 + i as u64 * 1_000_000);
    assert_eq!(memory(Current, "300MB", vec![rising.clone()]).verdict, Verdict::Missed);
    let average = memory(Average, "300MB", vec![rising.clone()]);
    assert_eq!((average.verdict, average.estimate), (Verdict::Met, Some(280.0)));
    let cpu = goal(Metric::CpuPercent, Relation::Below, "60%");
    let cpu = result(criterion(vec![cpu]), Evidence::Memory(grouped(vec![(None, vec![rising])]))).judgement;
    assert_eq!((cpu.verdict, cpu.estimate), (Verdict::Met, Some(50.0)));
}

#[test]
fn several_demands_at_once_hold_together() {
    let goals = vec![
        goal(Metric::Memory(MemoryStatistic::Peak), Relation::Below, "300MB"),
        goal(Metric::Memory(MemoryStatistic::Variation), Relation::Below, "50MB"),
    ];
    let evidence = || Evidence::Memory(grouped(vec![(None, vec![run("2026-11-24T08:00:00Z", 65, 10, |_| 1)])]));
    let scorecard = card(criterion(goals.clone()), vec![evidence(), evidence()], &[]);
    let both = &scorecard.criteria[0];
    assert_eq!(both.parts.iter().map(|p| p.judgement.verdict).collect::<Vec<_>>(), [Verdict::Met, Verdict::NotProven]);
    assert_eq!((both.judgement.verdict, both.judgement.reason), (Verdict::NotProven, Some(Reason::RunTooShort)));
    let half = card(criterion(goals), vec![evidence()], &[]);
    assert_eq!(half.criteria[0].judgement.verdict, Verdict::NotProven, "a part without an answer is not met");
}

fn reading(when: &str, value: f64, unit: Option<&str>, scope: Option<&str>) -> Reading {
    Reading { at: at(when), value, unit: unit.map(str::to_owned), source: None, scope: scope.map(str::to_owned), people: None }
}

#[test]
fn a_measurement_is_judged_on_its_newest_reading_and_the_worst_part() {
    let coverage = || goal(Metric::Measurement("coverage.statements".to_owned()), Relation::Above, "90%");
    let of = |readings: Vec<Reading>| result(criterion(vec![coverage()]), Evidence::Measurement(grouped(vec![(None, readings)]))).judgement;
    let older = reading("2026-11-22T00:00:00Z", 80.0, Some("%"), None);
    let newer = reading("2026-11-23T00:00:00Z", 91.0, Some("%"), None);
    let met = of(vec![older.clone(), newer.clone()]);
    assert_eq!((met.verdict, met.estimate, met.n), (Verdict::Met, Some(91.0), 2));
    let parts = of(vec![newer, reading("2026-11-23T00:00:00Z", 85.0, Some("%"), Some("src"))]);
    assert_eq!((parts.verdict, parts.estimate), (Verdict::Missed, Some(85.0)));
    let unitless = of(vec![reading("2026-11-23T00:00:00Z", 91.0, None, None)]);
    assert_eq!((unitless.verdict, unitless.reason), (Verdict::NotProven, Some(Reason::UnitMismatch)));
    assert_eq!(of(vec![reading("2026-11-01T00:00:00Z", 99.0, Some("%"), None)]).verdict, Verdict::Stale);
}

#[test]
fn evidence_begins_where_the_criterion_says_and_anew_where_it_changed() {
    let asked = |since: Since, past: &[Event], version: Option<&str>| {
        let mut criteria = criteria(vec![Criterion { since, ..criterion(vec![p95("500ms")]) }]);
        criteria.version = version.map(str::to_owned);
        let question = questions(&criteria, past, at(NOW)).remove(0).remove(0);
        let why = judge(&criteria, &[], past, at(NOW)).criteria.remove(0).since.why;
        (question.span.from.to_string(), why, question.filter)
    };
    let (from, why, filter) = asked(Since::Quarter, &[], None);
    assert_eq!((from.as_str(), why.as_str()), ("2026-10-01T00:00:00.000000Z", "quarter"));
    assert_eq!(filter, [(Dimension::Origin, ["use".to_owned()].into())].into(), "people's use, where nothing else is said");
    assert_eq!(asked(Since::Month, &[], None).0, "2026-11-01T00:00:00.000000Z");
    assert_eq!(asked(Since::Date(Date::constant(2026, 2, 3)), &[], None).0, "2026-02-03T00:00:00.000000Z");
    let (from, _, filter) = asked(Since::Release, &[], Some("1.3.0"));
    assert_eq!((from.as_str(), &filter[&Dimension::Version]), ("1970-01-01T00:00:00.000000Z", &["1.3.0".to_owned()].into()));

    let key = criterion(vec![p95("500ms")]).evidence_key(&BTreeMap::new());
    let defined = |when: &str, key: &str| Event::at(at(when), milepost_record::Criterion::new("It", key));
    let first = [defined("2026-11-05T00:00:00Z", &key)];
    assert_eq!(asked(Since::Quarter, &first, None).1, "quarter", "the first definition alone does not cut");
    assert_eq!(asked(Since::Criterion, &first, None).0, "2026-11-05T00:00:00.000000Z");
    let changed = [defined("2026-11-05T00:00:00Z", "sha256:other"), defined("2026-11-10T00:00:00Z", &key)];
    let (from, why, _) = asked(Since::Quarter, &changed, None);
    assert_eq!((from.as_str(), why.as_str()), ("2026-11-10T00:00:00.000000Z", "changed"));
    let unrecorded = [defined("2026-11-05T00:00:00Z", "sha256:other")];
    assert_eq!(asked(Since::Quarter, &unrecorded, None).0, "2026-11-24T12:00:00.000000Z", "loosened just now: it starts now");
}

#[test]
fn a_release_without_a_version_proves_nothing() {
    let days = vec![day(1, &[1; 50], 0, 500), day(0, &[1; 50], 0, 500)];
    let evidence = Evidence::Operations(grouped(vec![(None, days)]));
    let result = result(Criterion { since: Since::Release, ..criterion(vec![p95("500ms")]) }, evidence);
    assert_eq!((result.judgement.verdict, result.judgement.reason), (Verdict::NotProven, Some(Reason::NoRelease)));
}

#[test]
fn the_evidence_key_covers_what_decides_and_nothing_else() {
    let key = |change: fn(&mut Criterion)| {
        let mut criterion = criterion(vec![p95("500ms")]);
        change(&mut criterion);
        criterion.evidence_key(&BTreeMap::new())
    };
    let plain = key(|_| {});
    // Pinned: a build that made another key of the same definition would begin all evidence anew.
    assert_eq!(plain, "sha256:16f120c31d5da9993c080806344404b33b6b7373682a2e36d498190523c0195b");
    for (same, change) in [
        (true, (|c| c.name = "Other".to_owned()) as fn(&mut Criterion)),
        (true, |c| c.tier = None),
        (true, |c| c.baseline = Some("2 s".to_owned())),
        (true, |c| c.goals[0].limit = Some(quantity("0.5s"))),
        (true, |c| c.goals[0].bad = Some(quantity("1s"))),
        (false, |c| c.goals[0].limit = Some(quantity("501ms"))),
        (false, |c| c.goals[0].relation = Relation::AtMost),
        (false, |c| c.goals[0].metric = Metric::Latency(Quantile::P99)),
        (false, |c| c.goals[0].failures = Failures::Exclude),
        (false, |c| c.goals[0].after = 100),
        (false, |c| c.goals[0].for_each = Some(Dimension::Backend)),
        (false, |c| c.goals[0].groups = vec!["x".to_owned()]),
        (false, |c| _ = c.goals[0].filter.insert(Dimension::Origin, ["probe".to_owned()].into())),
        (false, |c| c.alpha = 0.01),
    ] {
        assert_eq!(key(change) == plain, same);
    }
    let aliases = [("a".to_owned(), "b".to_owned())].into();
    assert_ne!(criterion(vec![p95("500ms")]).evidence_key(&aliases), plain);
}

#[test]
fn questions_carry_their_thresholds_in_whole_microseconds() {
    let limit = |goal: Goal| match questions(&criteria(vec![criterion(vec![goal])]), &[], at(NOW)).remove(0).remove(0).subject {
        Subject::Operations { limit } => limit.expect("a limit"),
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(p95("500ms")).default, Some(500_000));
    // Below 1.5 µs is below 2 µs; at most 1.5 µs is at most 1 µs.
    assert_eq!(limit(p95("1.5us")).default, Some(2));
    assert_eq!(limit(goal(Metric::Latency(Quantile::P50), Relation::AtMost, "1.5us")).default, Some(1));
}

#[test]
fn questions_of_people_ask_for_what_their_rules_need() {
    let question = |metric: &str, limit: &str| {
        let goal = goal(metric.parse().expect("a metric"), Relation::Above, limit);
        questions(&criteria(vec![criterion(vec![goal])]), &[], at(NOW)).remove(0).remove(0)
    };
    let voice = question("voice.accuracy", "90%");
    assert_eq!((voice.subject, &voice.filter[&Dimension::Modality]), (Subject::Interactions, &["voice".to_owned()].into()));
    assert_eq!(question("learning.improvement", "10%").subject, Subject::Interactions);
    assert_eq!(question("ttfs.median", "30s").subject, Subject::FirstSessions);
    // Whose fourth week passes on the first day of the quarter began five weeks before.
    let retention = question("retention.week4", "80%");
    assert_eq!((retention.subject, retention.span.from.to_string().as_str()), (Subject::Returns, "2026-08-26T00:00:00.000000Z"));
    let contributions = question("contributions.month", "10");
    assert_eq!(contributions.subject, Subject::Measurement { name: "contributions.month".to_owned() });
    assert!(contributions.filter.is_empty(), "a history has no user");
}

/// Operations of the last 50 days: 40 a day, of which so many failed so many days ago.
fn fifty_days(failed: impl Fn(i32) -> u64) -> Vec<OperationDay> {
    (0..50).rev().map(|ago| day(ago, &vec![100; 40 - failed(ago) as usize], failed(ago), 500)).collect()
}

#[test]
fn what_fell_back_after_it_was_met_is_judged_by_what_came_after() {
    let rate = || goal(Metric::SuccessRate, Relation::Above, "95%");
    // One in forty fails, until 20 days ago; then eight in forty.
    let worse = |ago: i32| if ago >= 20 { 1 } else { 8 };
    let result = on_days(rate(), fifty_days(worse));
    let fell = result.fell_back.expect("it fell back");
    let ago = (Date::constant(2026, 11, 24) - fell).get_days();
    assert!((14..20).contains(&ago), "{fell}: within a week");
    assert_eq!(
        (result.verdict, result.n, result.failures),
        (Verdict::Missed, u64::try_from(ago).expect("days") * 40, Some(8 * ago as u64))
    );
    assert_eq!(result.trend.len(), 50, "all days are shown");
    // What the average of all said on that day: nothing yet. That is why it is watched.
    let bad = 30 + 8 * u64::try_from(20 - ago).expect("days");
    let all = Counts { successes: u64::try_from(50 - ago).expect("days") * 40 - bad, failures: bad };
    assert!(ln_e_below(all, 0.95) < 3.0, "{all:?}");

    // What was never met has nothing to fall back from, and what stays good does not fall.
    let never = on_days(rate(), fifty_days(|_| 8));
    assert_eq!((never.verdict, never.fell_back, never.n), (Verdict::Missed, None, 2000));
    let good = on_days(rate(), fifty_days(|_| 1));
    assert_eq!((good.verdict, good.fell_back, good.n), (Verdict::Met, None, 2000));
    let budget = good.error_budget.expect("a budget");
    assert!((budget.allowed - 100.0).abs() < 1e-9 && budget.used == 50);
    // Better again: met again, of what came after.
    let again = on_days(rate(), fifty_days(|ago| if ago == 39 { 20 } else { 0 }));
    assert_eq!((again.verdict, again.fell_back.is_some()), (Verdict::Met, true));
    assert!(again.n < 40 * 40, "{}", again.n);

    // The day of the alarm is over; a day that is not counts for no alarm.
    let today_only = on_days(rate(), fifty_days(|ago| if ago == 0 { 40 } else { 1 }));
    assert_eq!((today_only.fell_back, today_only.n), (None, 2000));
    let yesterday = on_days(rate(), fifty_days(|ago| if ago == 1 { 40 } else { 0 })[..49].to_vec());
    assert_eq!((yesterday.verdict, yesterday.reason, yesterday.n), (Verdict::NotProven, Some(Reason::FellBack), 0));

    // Of groups each is watched on its own, and what they are together is not.
    let mut each = rate();
    each.for_each = Some(Dimension::Operation);
    let groups = grouped(vec![(Some("install"), fifty_days(worse)), (Some("search"), fifty_days(|_| 0))]);
    let both = result_of(each, groups);
    assert_eq!(both.judgement.fell_back, None);
    assert_eq!(both.groups.iter().map(|group| group.judgement.fell_back.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!((both.judgement.verdict, both.judgement.n), (Verdict::Missed, 4000));
}

fn result_of(goal: Goal, groups: Groups<OperationDay>) -> CriterionResult {
    result(criterion(vec![goal]), Evidence::Operations(groups))
}

#[test]
fn a_level_that_changed_is_a_hint_and_no_verdict() {
    let days = |ms: fn(i32) -> u64| {
        (0..50).rev().map(|ago| day(ago, &[ms(ago) + u64::from(ago.unsigned_abs() * 7919 % 13); 25], 0, 500)).collect()
    };
    let step = on_days(p95("500ms"), days(|ago| if ago > 15 { 300 } else { 330 }));
    let [change] = step.changes[..] else { panic!("one change: {:?}", step.changes) };
    assert_eq!((change.from, change.is_trend), (Date::constant(2026, 11, 9), false));
    assert!((change.before - 306.0).abs() < 1.0 && (change.after - 336.0).abs() < 1.0, "{change:?}");
    assert!(change.change.is_some_and(|by| (by - 0.098).abs() < 0.003), "{change:?}");
    assert_eq!((step.verdict, step.fell_back), (Verdict::Met, None));
    let drift = on_days(p95("500ms"), days(|ago| 200 + 5 * (50 - ago.unsigned_abs() as u64)));
    assert!(matches!(drift.changes[..], [change] if change.is_trend && change.after > change.before), "{:?}", drift.changes);
    assert_eq!(on_days(p95("500ms"), days(|_| 300)).changes, []);
}
