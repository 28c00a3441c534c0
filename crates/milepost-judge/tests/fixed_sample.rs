//! Fixed samples: which criteria one speaks to, and what it says.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::tz::TimeZone;
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Metric, Quantity, Relation, Since, Tier, Verdict,
    fixed_sample::{Exam, Report, Sample, prospects, report},
    quantile::Quantile,
    scorecard::{LeftOut, Severity},
};
use milepost_record::{Dimension, Event, Operation, Origin, Outcome, Timestamp};
use std::{collections::BTreeMap, time::Duration};

fn quantity(text: &str) -> Quantity {
    text.parse().expect("an amount")
}

fn p95(limit: &str) -> Goal {
    Goal {
        metric: Metric::Latency(Quantile::P95),
        relation: Relation::Below,
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

fn success(limit: &str) -> Goal {
    Goal { metric: Metric::SuccessRate, relation: Relation::Above, limit: Some(quantity(limit)), ..p95("1s") }
}

fn only(dimension: Dimension, values: &[&str]) -> Goal {
    Goal { filter: [(dimension, values.iter().map(|v| (*v).to_owned()).collect())].into(), ..p95("500ms") }
}

fn each(dimension: Dimension, groups: &[&str]) -> Goal {
    Goal { for_each: Some(dimension), groups: groups.iter().map(|g| (*g).to_owned()).collect(), ..p95("500ms") }
}

fn criteria(goals: Vec<Vec<Goal>>) -> Criteria {
    let criterion = |goals: Vec<Goal>| Criterion {
        name: "It".to_owned(),
        tier: Some(Tier::Must),
        goals,
        since: Since::Quarter,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(7 * 86400),
        card: None,
        alpha: 0.05,
    };
    Criteria {
        project: "test".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: [("find".to_owned(), "search".to_owned())].into(),
        criteria: goals.into_iter().map(criterion).collect(),
    }
}

/// One run by name, which criteria know as `search`.
fn like() -> Event {
    let at = Timestamp::from_microseconds(1_700_000_000_000_000).expect("a time");
    let mut operation = Operation::new("find", Outcome::Ok);
    operation.backend = Some("native".to_owned());
    let mut event = Event::at(at, operation);
    event.origin = Some(Origin::Probe);
    event.version = Some("1.3.0".to_owned());
    event.attributes.insert("door".to_owned(), "probe".into());
    event
}

/// Runs of so many milliseconds; 0 is a failure.
fn runs(ms: impl IntoIterator<Item = u64>) -> Vec<Operation> {
    let run = |ms: u64| {
        let mut operation = Operation::new("find", if ms == 0 { Outcome::Failed } else { Outcome::Ok });
        operation.duration_us = Some(ms.max(1) * 1000);
        operation
    };
    ms.into_iter().map(run).collect()
}

fn reported(criteria: &Criteria, runs: &[Operation]) -> Report {
    let sample = Sample { id: "s-1".to_owned(), operation: "find".to_owned(), backend: None, size: runs.len() as u64 };
    report(sample, criteria, &like(), runs)
}

fn exam(goal: Goal, ms: impl IntoIterator<Item = u64>) -> Exam {
    reported(&criteria(vec![vec![goal]]), &runs(ms)).exams.remove(0)
}

#[test]
fn a_sample_speaks_to_the_goals_that_count_its_events() {
    let speaks = |goal: Goal| !prospects(&criteria(vec![vec![goal]]), &like()).is_empty();
    for (goal, expected, why) in [
        (p95("500ms"), true, "all operations"),
        (only(Dimension::Operation, &["search", "list"]), true, "by the name that the alias stands for"),
        (only(Dimension::Operation, &["find"]), false, "an alias is no name"),
        (only(Dimension::Operation, &["list"]), false, "another operation"),
        (only(Dimension::Backend, &["native"]), true, "its backend"),
        (only(Dimension::Backend, &["subprocess"]), false, "another backend"),
        (only(Dimension::Persona, &["maya"]), false, "a probe is nobody"),
        (only(Dimension::Version, &["1.3.0"]), true, "its version"),
        (only(Dimension::Attribute("door".to_owned()), &["probe"]), true, "its door"),
        (only(Dimension::Attribute("door".to_owned()), &["run"]), false, "another door"),
        (only(Dimension::Origin, &["probe"]), true, "its origin"),
        (only(Dimension::Origin, &["use"]), true, "it stands in for people's use"),
        (only(Dimension::Origin, &["import"]), false, "not for another system's records"),
        (each(Dimension::Operation, &[]), true, "each operation"),
        (each(Dimension::Operation, &["search"]), true, "a named group"),
        (each(Dimension::Operation, &["list"]), false, "shown, not judged"),
        (each(Dimension::Persona, &["maya"]), false, "of nobody's group"),
        (success("95%"), true, "success"),
        (Goal { metric: Metric::Measurement("coverage.statements".to_owned()), ..success("95%") }, false, "no operations"),
    ] {
        assert_eq!(speaks(goal), expected, "{why}");
    }
    let limited = Goal { limit: None, limits: [("search".to_owned(), quantity("1s"))].into(), ..each(Dimension::Operation, &[]) };
    let prospects = prospects(&criteria(vec![vec![limited]]), &like());
    assert_eq!(prospects.iter().map(|p| (p.target.below, p.smallest_size)).collect::<Vec<_>>(), [(Some(1.0), 59)]);
}

#[test]
fn fifty_nine_fast_runs_meet_a_p95_and_one_slow_takes_ninety_three() {
    let fast = |n: usize| std::iter::repeat_n(100_u64, n);
    assert_eq!(exam(p95("500ms"), fast(59)).verdict, Verdict::Met);
    let open = exam(p95("500ms"), fast(58));
    assert_eq!((open.verdict, open.smallest_size, open.smallest_size_with_failures), (Verdict::NotProven, 59, Some(59)));
    let open = exam(p95("500ms"), fast(91).chain([500]));
    assert_eq!((open.verdict, open.successes, open.failures, open.smallest_size_with_failures), (Verdict::NotProven, 91, 1, Some(93)));
    assert!(open.projected_size.is_some_and(|size| size > 93));
    assert_eq!(exam(p95("500ms"), fast(92).chain([500])).verdict, Verdict::Met, "500 ms are not below 500 ms");
    let at_most = Goal { relation: Relation::AtMost, ..p95("500ms") };
    assert_eq!(exam(at_most, fast(91).chain([500])).successes, 92, "but they are at most 500 ms");
}

#[test]
fn failures_are_slow_unless_they_are_excluded() {
    let ms = || std::iter::repeat_n(100_u64, 60).chain([0; 20]);
    let slow = exam(Goal { bad: Some(quantity("1s")), ..p95("500ms") }, ms());
    assert_eq!((slow.verdict, slow.severity, slow.figure.estimate), (Verdict::Missed, Some(Severity::Red), None));
    let excluded = exam(Goal { failures: Failures::Exclude, ..p95("500ms") }, ms());
    assert_eq!((excluded.verdict, excluded.figure.n), (Verdict::Met, 60));
    assert_eq!(excluded.left_out, [(LeftOut::Failed, 20)].into());
    let rate = exam(success("95%"), ms());
    assert_eq!((rate.verdict, rate.figure.estimate, rate.projected_size), (Verdict::Missed, Some(75.0), None));
    let none = exam(Goal { failures: Failures::Exclude, ..p95("500ms") }, [0; 5]);
    assert_eq!(none.verdict, Verdict::NoData, "nothing is left to judge");
}

/// Values 1 to 200: each is its own rank, so the bounds are those of the table.
#[test]
fn bounds_are_for_one_look() {
    let report = reported(&criteria(vec![vec![success("95%"), p95("197ms")]]), &runs(1..=200));
    let exam = &report.exams[1];
    assert!(exam.is_part);
    assert_eq!((exam.verdict, exam.figure.estimate, exam.figure.at_most), (Verdict::Met, Some(190.0), Some(196.0)));
    let p95 = report.figures.iter().find(|figure| figure.metric == "latency.p95").expect("a figure");
    assert_eq!((p95.unit.as_str(), p95.n, p95.estimate, p95.interval), ("ms", 200, Some(190.0), [Some(184.0), Some(197.0)]));
    let rate = &report.figures[0];
    assert_eq!((rate.metric.as_str(), rate.estimate, rate.interval[1]), ("success.rate", Some(100.0), Some(100.0)));
    assert!(rate.at_least.is_some_and(|low| (low - 98.513).abs() < 0.001), "{rate:?}");
    assert_eq!((report.ok, report.failed, report.timeouts), (200, 0, 0));
}

/// Sixty runs of a command are no people, no speech and nothing that came back.
#[test]
fn a_sample_says_nothing_of_people() {
    let of = |metric: Metric, limit: &str| Goal { metric, ..success(limit) };
    let peak = Goal { metric: Metric::PeakMemory(Quantile::P95), ..p95("300MB") };
    let first = Goal { metric: Metric::FirstSuccess, ..p95("30s") };
    let people = [
        of(Metric::VoiceAccuracy, "90%"),
        of(Metric::RetentionWeek4, "80%"),
        of(Metric::LearningAccuracy, "95%"),
        of(Metric::LearningImprovement, "10%"),
        of(Metric::ContributionsMonth, "10"),
        of(Metric::Measurement("coverage.statements".to_owned()), "90%"),
        peak,
        first,
    ];
    for goal in people {
        let criteria = criteria(vec![vec![goal.clone()]]);
        assert_eq!((prospects(&criteria, &like()).len(), reported(&criteria, &runs([1; 60])).exams.len()), (0, 0), "{}", goal.metric);
    }
}
