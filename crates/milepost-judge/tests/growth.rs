//! How evidence grew: the last day is what the scorecard says, and the days before are what it would have said then.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Metric, Relation, Scorecard, Since, Tier, Verdict,
    growth::{GoalGrowth, Growth, Point, growth},
    judge,
    quantile::Quantile,
};
use milepost_record::{
    Answer, Dimension, Event, Evidence, FirstSession, Groups, Note, OperationDay, Reading, Return, Timestamp, Topic, Understood,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

const TODAY: Date = Date::constant(2026, 12, 20);
const NOW: &str = "2026-12-20T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn goal(metric: Metric, relation: Relation, limit: &str) -> Goal {
    Goal {
        metric,
        relation,
        limit: Some(limit.parse().expect("an amount")),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    }
}

fn p95() -> Goal {
    goal(Metric::Latency(Quantile::P95), Relation::Below, "500ms")
}

fn criteria(goals: Vec<Goal>, since: Since) -> Criteria {
    let criterion = Criterion {
        name: "It".to_owned(),
        tier: Some(Tier::Must),
        goals,
        since,
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
        aliases: BTreeMap::new(),
        criteria: vec![criterion],
    }
}

fn day(date: Date, fast: u64, slow: u64, failed: u64) -> OperationDay {
    let noon = at(&format!("{date}T11:00:00Z"));
    let durations = [(100_000, fast), (900_000, slow)].into_iter().filter(|(_, n)| *n > 0).collect();
    OperationDay {
        date,
        oldest: noon,
        newest: noon,
        ok: fast + slow,
        failed,
        timeouts: 0,
        cancelled: 0,
        dry_runs: 0,
        unmeasured: 0,
        within: fast,
        durations,
    }
}

fn all(days: Vec<OperationDay>) -> Evidence {
    Evidence::Operations(Groups { groups: [(None, days)].into(), folded: 0 })
}

fn judged_at(goals: Vec<Goal>, evidence: &[Evidence], notes: &[Event], now: &str) -> (Scorecard, Growth) {
    let criteria = criteria(goals, Since::Quarter);
    let answers = vec![evidence.iter().map(|e| Answer { sql: String::new(), evidence: e.clone() }).collect::<Vec<_>>()];
    let scorecard = judge(&criteria, &answers, notes, at(now));
    let growth = growth(&criteria, &scorecard, &answers, notes).remove(0);
    (scorecard, growth)
}

fn grown(goal: Goal, evidence: &Evidence) -> (Scorecard, GoalGrowth) {
    let (scorecard, growth) = judged_at(vec![goal], std::slice::from_ref(evidence), &[], NOW);
    (scorecard, growth.goals.into_iter().next().flatten().expect("evidence"))
}

/// The last point is today's, and what the scorecard says, to the last bit.
fn ends_as_judged(scorecard: &Scorecard, grown: &GoalGrowth) -> Point {
    let last = *grown.points.last().expect("a point");
    let judgement = &scorecard.criteria[0].judgement;
    assert_eq!((last.date, last.n), (TODAY, judgement.n));
    assert_eq!((last.estimate, last.interval), (judgement.estimate, judgement.interval));
    assert!(grown.points.len() <= 120, "{} points", grown.points.len());
    assert!(grown.points.is_sorted_by(|a, b| a.date < b.date), "days out of order");
    last
}

/// Eighty days of ten operations each.
fn eighty(of_day: impl Fn(i32) -> (u64, u64, u64)) -> Evidence {
    let days = (0..80).map(|i| {
        let (fast, slow, failed) = of_day(i);
        day(TODAY - (80 - i).days(), fast, slow, failed)
    });
    all(days.collect())
}

#[test]
fn evidence_narrows_until_it_is_proven_and_goes_on() {
    let evidence = eighty(|i| if i % 10 == 0 { (19, 1, 0) } else { (20, 0, 0) });
    for goal in [p95(), goal(Metric::SuccessRate, Relation::Above, "95%")] {
        let (scorecard, grown) = grown(goal, &evidence);
        ends_as_judged(&scorecard, &grown);
        assert_eq!(scorecard.criteria[0].judgement.verdict, Verdict::Met);
        // From nothing, 72 good ones in a row are the fewest: of twenty a day, four days.
        let proven = grown.proven.expect("it was proven");
        assert!(proven >= TODAY - 77.days() && proven < TODAY - 60.days(), "{proven}");
        assert!(grown.points.iter().any(|point| point.date == proven), "and that day is among the points");
        assert_eq!(grown.points.iter().filter(|point| point.begins).count(), 1);
    }
}

/// What was shown of a day is what the scorecard said at its end.
#[test]
fn each_point_is_what_the_scorecard_said_that_day() {
    let of_day = |i: i32| (15 + u64::from(i.unsigned_abs() % 7), u64::from(i % 9 == 3), u64::from(i % 13 == 5));
    for goal in [p95(), goal(Metric::SuccessRate, Relation::Above, "90%")] {
        let (_, now) = grown(goal.clone(), &eighty(of_day));
        for i in [1, 7, 30, 79] {
            let days = (0..=i).map(|i| {
                let (fast, slow, failed) = of_day(i);
                day(TODAY - (80 - i).days(), fast, slow, failed)
            });
            let date = TODAY - (80 - i).days();
            let (then, _) = judged_at(vec![goal.clone()], &[all(days.collect())], &[], &format!("{date}T23:59:00Z"));
            let judgement = &then.criteria[0].judgement;
            let point = now.points.iter().find(|point| point.date == date).expect("a point for each day of a quarter");
            assert_eq!((point.n, point.estimate, point.interval), (judgement.n, judgement.estimate, judgement.interval), "{date}");
            let is_proven = now.proven.is_some_and(|proven| proven <= date);
            assert_eq!(is_proven, judgement.verdict == Verdict::Met, "{date}");
        }
    }
}

#[test]
fn what_fell_back_begins_anew() {
    let evidence = eighty(|i| if (50..60).contains(&i) { (5, 15, 0) } else { (20, 0, 0) });
    let (scorecard, grown) = grown(p95(), &evidence);
    let last = ends_as_judged(&scorecard, &grown);
    let fell = scorecard.criteria[0].judgement.fell_back.expect("it fell back");
    assert_eq!(grown.falls.last(), Some(&fell));
    let after = grown.points.iter().find(|point| point.date > fell).expect("it went on");
    assert!(after.begins && after.n == 20 && last.n < 700, "{after:?}");
    assert!(grown.proven.is_none_or(|proven| proven > fell));
}

/// It fell back on the last day that has events: nothing counts, and nothing is drawn on as if it did.
#[test]
fn after_a_fall_without_events_there_is_nothing() {
    let evidence = eighty(|i| if i >= 78 { (0, 40, 0) } else { (20, 0, 0) });
    let (scorecard, grown) = grown(p95(), &evidence);
    let fell = scorecard.criteria[0].judgement.fell_back.expect("it fell back");
    let days: Vec<_> = match evidence {
        Evidence::Operations(groups) => groups.groups.into_values().flatten().filter(|day| day.date <= fell).collect(),
        _ => Vec::new(),
    };
    let (scorecard, at_the_fall) = self::grown(p95(), &all(days));
    let last = ends_as_judged(&scorecard, &at_the_fall);
    assert_eq!((last.n, last.estimate, last.begins, at_the_fall.proven), (0, None, true, None));
    assert!(grown.points.len() >= at_the_fall.points.len());
}

#[test]
fn groups_are_taken_together_and_nothing_is_proven_of_them() {
    let good: Vec<_> = (1..40).map(|ago| day(TODAY - (40 - ago).days(), 30, 0, 0)).collect();
    let bad: Vec<_> = (1..40).map(|ago| day(TODAY - (40 - ago).days(), 0, 1, 0)).collect();
    let groups = [("a", good.clone()), ("b", good), ("c", bad)].map(|(name, days)| (Some(name.to_owned()), days));
    let evidence = Evidence::Operations(Groups { groups: groups.into(), folded: 0 });
    let each = Goal { for_each: Some(Dimension::Operation), groups: vec!["a".to_owned(), "b".to_owned()], ..p95() };
    let (scorecard, grown) = grown(each, &evidence);
    let last = ends_as_judged(&scorecard, &grown);
    assert_eq!((last.n, grown.is_pooled, grown.proven), (2 * 39 * 30, true, None), "the third one is not judged");
}

fn understood(date: Date, arm: &str, right: bool, person: u64) -> Understood {
    Understood {
        at: at(&format!("{date}T09:00:00Z")),
        user: Some(format!("u-{person}")),
        arm: Some(arm.to_owned()),
        modality: None,
        index: None,
        right: Some(right),
        words: None,
        word_errors: None,
    }
}

#[test]
fn people_interactions_and_arms_end_as_judged() {
    let date = |i: u64| TODAY - 40.days() + i64::try_from(i % 40).expect("small").days();
    let mut interactions: Vec<_> =
        (0..800).map(|i| understood(date(i), if i % 80 < 40 { "learning" } else { "control" }, i % 80 < 40 || i % 3 > 0, i % 10)).collect();
    interactions.sort_by_key(|i| i.at);
    let interactions = Evidence::Interactions(interactions);
    let start = |i: u64| at(&format!("{}T10:00:00Z", date(i)));
    let succeeds = |i: u64| !i.is_multiple_of(4);
    let session = |i: u64| FirstSession {
        start: start(i),
        first_success: succeeds(i).then(|| start(i).saturating_add(Duration::from_secs(5 + i % 20))),
        last: Some(start(i).saturating_add(Duration::from_secs(60))),
        attempts: 1,
        attempted: 1,
        succeeded: u64::from(succeeds(i)),
    };
    let mut sessions: Vec<_> = (0..200).map(session).collect();
    // Still at it, today.
    sessions.push(FirstSession {
        start: at("2026-12-20T11:59:55Z"),
        first_success: None,
        last: None,
        attempts: 0,
        attempted: 0,
        succeeded: 0,
    });
    let returns = (0..40_i64).flat_map(|i| {
        let first = TODAY - (75 - i).days();
        [Return { first, week: 0, users: 10 }, Return { first, week: 4, users: 7 }]
    });
    let cases = [
        (goal(Metric::LearningAccuracy, Relation::Above, "60%"), interactions.clone()),
        (goal(Metric::LearningImprovement, Relation::Above, "5%"), interactions),
        (goal(Metric::FirstSuccess, Relation::Below, "30s"), Evidence::FirstSessions(sessions)),
        (goal(Metric::RetentionWeek4, Relation::Above, "60%"), Evidence::Returns(returns.collect())),
    ];
    for (goal, evidence) in cases {
        let (scorecard, grown) = grown(goal.clone(), &evidence);
        ends_as_judged(&scorecard, &grown);
        assert!(grown.points.len() > 20, "{goal:?}: {} points", grown.points.len());
        let judgement = &scorecard.criteria[0].judgement;
        assert_eq!((judgement.verdict, grown.proven.is_some()), (Verdict::Met, true), "{goal:?}");
    }
}

/// First success that fell back is judged, and shown, by who came after.
#[test]
fn the_median_after_a_fall_is_that_of_who_came_after() {
    let session = |i: i32, day: i32| {
        let start =
            at(&format!("{}T10:00:00Z", TODAY - (60 - day).days())).saturating_add(Duration::from_secs(u64::from(i.unsigned_abs())));
        let wait = if (30..45).contains(&day) { 300 } else { 5 };
        let success = start.saturating_add(Duration::from_secs(wait));
        FirstSession { start, first_success: Some(success), last: Some(success), attempts: 1, attempted: 1, succeeded: 1 }
    };
    let sessions: Vec<_> = (0..59).flat_map(|day| (0..10).map(move |i| session(i, day))).collect();
    let (scorecard, grown) = grown(goal(Metric::FirstSuccess, Relation::Below, "30s"), &Evidence::FirstSessions(sessions.clone()));
    let last = ends_as_judged(&scorecard, &grown);
    let fell = scorecard.criteria[0].judgement.fell_back.expect("it fell back");
    let after = sessions.iter().filter(|session| session.start >= at(&format!("{}T00:00:00Z", fell + 1.day()))).count() as u64;
    assert_eq!(last.n, after);
    let within = scorecard.criteria[0].judgement.beside[0].value.expect("a share");
    let good = sessions
        .iter()
        .filter(|s| s.start >= at(&format!("{}T00:00:00Z", fell + 1.day())))
        .filter(|s| s.first_success.is_some_and(|success| success.since(s.start) < Duration::from_secs(30)));
    assert!((within - 100.0 * good.count() as f64 / after as f64).abs() < 1e-9, "{within}");
}

#[test]
fn readings_are_given_as_they_are_and_gaps_stay_gaps() {
    let reading = |day: i32, value| Reading {
        at: at(&format!("{}T08:00:00Z", TODAY - (30 - day).days())),
        value,
        unit: Some("%".to_owned()),
        source: None,
        scope: None,
        people: None,
    };
    let readings = vec![reading(1, 70.0), reading(2, 71.0), reading(9, 75.0)];
    let evidence = Evidence::Measurement(Groups { groups: [(None, readings)].into(), folded: 0 });
    let (_, grown) = grown(goal(Metric::Measurement("coverage.lines".to_owned()), Relation::AtLeast, "70%"), &evidence);
    let points: Vec<_> = grown.points.iter().map(|point| (point.estimate, point.begins)).collect();
    assert_eq!(points, [(Some(70.0), true), (Some(71.0), false), (Some(75.0), true)]);
    assert!(!grown.is_sampled && grown.proven.is_none());
    // A unit that does not compare gives no value, and days without one are no evidence.
    let foreign = Evidence::Measurement(Groups {
        groups: [(None, vec![Reading { unit: Some("ms".to_owned()), ..reading(3, 1.0) }])].into(),
        folded: 0,
    });
    let (_, growth) =
        judged_at(vec![goal(Metric::Measurement("coverage.lines".to_owned()), Relation::AtLeast, "70%")], &[foreign], &[], NOW);
    assert_eq!(growth.goals, [None]);
}

#[test]
fn what_happened_meanwhile_is_dated() {
    let note = |topic, at_: &str, text: &str| {
        let mut note = Note::new(topic);
        note.text = Some(text.to_owned());
        (note.from, note.to) = (Some(at("2026-11-02T00:00:00Z")), Some(at("2026-11-04T00:00:00Z")));
        Event { at: at(at_), id: Some(text.to_owned()), ..Event::now(note) }
    };
    let released = Event { version: Some("1.2.0".to_owned()), ..note(Topic::Release, "2026-12-01T10:00:00Z", "the great one") };
    let notes = [note(Topic::Release, "2026-12-09T10:00:00Z", "another"), note(Topic::Exclude, "2026-11-05T09:00:00Z", "x"), released];
    let (_, growth) = judged_at(vec![p95()], &[all(vec![day(TODAY, 5, 0, 0)])], &notes, NOW);
    assert_eq!(growth.excluded, [[Date::constant(2026, 11, 2), Date::constant(2026, 11, 3)]]);
    assert_eq!(growth.from, Some(Date::constant(2026, 11, 5)));
    let releases: Vec<_> = growth.releases.iter().map(|release| (release.date.day(), release.name.as_str())).collect();
    assert_eq!(releases, [(1, "1.2.0"), (9, "another")]);
}

#[test]
fn nothing_grows_from_nothing() {
    let cases = [
        (p95(), all(Vec::new())),
        (goal(Metric::FirstSuccess, Relation::Below, "30s"), Evidence::FirstSessions(Vec::new())),
        (goal(Metric::RetentionWeek4, Relation::Above, "60%"), Evidence::Returns(Vec::new())),
    ];
    for (goal, evidence) in cases {
        let (_, growth) = judged_at(vec![goal], &[evidence], &[], NOW);
        assert_eq!(growth.goals, [None]);
    }
}

/// A year of days becomes its weeks.
#[test]
fn a_year_is_thinned_and_ends_as_judged() {
    let criteria = criteria(vec![p95()], Since::Date(TODAY - 400.days()));
    let days = (0..365).map(|i| day(TODAY - (364 - i).days(), 5, u64::from(i % 40 == 0), 0));
    let answers = vec![vec![Answer { sql: String::new(), evidence: all(days.collect()) }]];
    let scorecard = judge(&criteria, &answers, &[], at(NOW));
    let grown = growth(&criteria, &scorecard, &answers, &[]).remove(0).goals.remove(0).expect("evidence");
    ends_as_judged(&scorecard, &grown);
    assert!((53..75).contains(&grown.points.len()), "{} points", grown.points.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Breaks where a day is counted twice or not at all, or a stretch is not forgotten: the end is the scorecard's, the number of
    /// draws never falls within a stretch, and each estimate lies within its own interval.
    #[test]
    fn any_days_end_as_judged(
        days in proptest::collection::vec((0..40_u64, 0..4_u64, 0..3_u64, 1..4_i32), 0..200),
        is_latency in any::<bool>(),
    ) {
        let mut date = Date::constant(2026, 10, 1);
        let mut of = Vec::new();
        for (fast, slow, failed, later) in days {
            if date > TODAY {
                break;
            }
            of.push(day(date, fast, slow, failed));
            date += later.days();
        }
        let goal = if is_latency { p95() } else { goal(Metric::SuccessRate, Relation::AtLeast, "92%") };
        let (scorecard, growth) = judged_at(vec![goal], &[all(of.clone())], &[], NOW);
        prop_assert_eq!(growth.goals[0].is_some(), !of.is_empty());
        if let Some(grown) = &growth.goals[0] {
            ends_as_judged(&scorecard, grown);
            for pair in grown.points.windows(2) {
                prop_assert!(pair[1].begins || pair[1].n >= pair[0].n);
            }
            for point in &grown.points {
                if let (Some(estimate), [low, high]) = (point.estimate, point.interval) {
                    prop_assert!(low.is_none_or(|low| low <= estimate) && high.is_none_or(|high| high >= estimate), "{:?}", point);
                }
            }
        }
    }
}
