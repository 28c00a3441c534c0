//! Verdicts on people, interactions, contributions and the stability of memory: from plain evidence to the scorecard.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use Verdict::{Met, Missed, NoData, NotProven, Stale};
use jiff::{
    ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Relation, Since, Tier, Verdict, judge,
    scorecard::{Beside, Figure, Judgement, Leaning, LeftOut, Reason},
};
use milepost_record::{Answer, Evidence, FirstSession, Groups, Measure, MemorySample, Reading, Return, Run, Timestamp, Understood};
use std::{collections::BTreeMap, time::Duration};

const NOW: &str = "2026-11-24T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// So many seconds after noon of the day so many days ago.
fn ago(days: i32, seconds: u64) -> Timestamp {
    let day = date(2026, 11, 24) - days.days();
    at(&format!("{day}T11:00:00Z")).saturating_add(Duration::from_secs(seconds))
}

fn goal(metric: &str, relation: Relation, limit: &str) -> Goal {
    Goal {
        metric: metric.parse().expect("a metric"),
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

fn judged(goal: Goal, since: Since, evidence: Evidence) -> Judgement {
    let criterion = Criterion {
        name: "It".to_owned(),
        tier: Some(Tier::Must),
        goals: vec![goal],
        since,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(31 * 86400),
        card: None,
        alpha: 0.05,
    };
    let criteria = Criteria {
        project: "test".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria: vec![criterion],
    };
    let answers = [vec![Answer { sql: String::new(), evidence }]];
    judge(&criteria, &answers, &[], at(NOW)).criteria.remove(0).judgement
}

#[track_caller]
fn beside(judgement: &Judgement, what: Beside) -> &Figure {
    judgement.beside.iter().find(|figure| figure.what == what).expect("the figure")
}

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("a number");
    assert!((found - expected).abs() < 1e-6 * expected.abs().max(1e-3), "{found} instead of {expected}");
}

fn starter(days_ago: i32, success_after: Option<u64>) -> FirstSession {
    let start = ago(days_ago, 0);
    let ended = success_after.map(|seconds| ago(days_ago, seconds));
    FirstSession { start, first_success: ended, last: ended, attempts: 1, attempted: 1, succeeded: u64::from(ended.is_some()) }
}

fn first_success(sessions: Vec<FirstSession>) -> Judgement {
    judged(goal("ttfs.median", Relation::Below, "30s"), Since::Quarter, Evidence::FirstSessions(sessions))
}

fn starters(of: &[(i32, usize, Option<u64>)]) -> Vec<FirstSession> {
    of.iter().flat_map(|(days, n, success)| std::iter::repeat_n(starter(*days, *success), *n)).collect()
}

#[test]
fn the_median_of_new_people_is_met_where_more_than_half_are_fast() {
    // Ten of ten meet a share of a half, as the reference has it, and nine do not.
    let met = first_success(starters(&[(2, 5, Some(10)), (1, 5, Some(20))]));
    assert_eq!((met.verdict, met.n, met.successes, met.estimate), (Met, 10, Some(10), Some(10.0)));
    assert_eq!(beside(&met, Beside::WithinLimit).value, Some(100.0));
    let few = first_success(starters(&[(2, 4, Some(10)), (1, 5, Some(20))]));
    assert_eq!((few.verdict, few.at_least_more, few.leaning), (NotProven, Some(1), Some(Leaning::Inside)));
    let one_day = first_success(starters(&[(1, 20, Some(10))]));
    assert_eq!((one_day.verdict, one_day.reason), (NotProven, Some(Reason::SingleDay)));
    // At the limit is not below it.
    assert_eq!(first_success(starters(&[(2, 10, Some(30)), (1, 10, Some(30))])).verdict, Missed);
    assert_eq!(first_success(starters(&[(40, 10, Some(10)), (41, 10, Some(10))])).verdict, Stale);
    assert_eq!(first_success(Vec::new()).verdict, NoData);
}

#[test]
fn who_gives_up_counts_and_who_is_at_it_does_not_yet() {
    let gave_up = first_success(starters(&[(2, 10, None), (1, 10, None), (1, 2, Some(3))]));
    assert_eq!((gave_up.verdict, gave_up.failures, gave_up.estimate), (Missed, Some(20), None), "the median is not reached");
    let mut sessions = starters(&[(2, 5, Some(10)), (1, 5, Some(10))]);
    let running = |seconds: u64| FirstSession { start: at(NOW).saturating_sub(Duration::from_secs(seconds)), ..starter(0, None) };
    sessions.extend([running(10), running(29), running(30)]);
    let found = first_success(sessions);
    assert_eq!((found.n, found.failures, found.left_out[&LeftOut::Running]), (11, Some(1), 2), "after 30 s it can only be slow");
    let only_running = first_success(vec![running(10)]);
    assert_eq!((only_running.verdict, only_running.n), (NoData, 0));
    assert_eq!(only_running.advice.as_deref(), Some("who has begun is still at it"));
}

/// Contradicting figures would be a bound on the wrong side: of the starters of the reference, half had succeeded after 31 s.
#[test]
fn the_median_stands_with_both_its_intervals() {
    let waits = [4, 7, 9, 12, 15, 18, 18, 25, 28, 31, 40, 60, 90, 120];
    let mut sessions: Vec<_> = waits.iter().map(|wait| starter(1, Some(*wait))).collect();
    sessions.extend(starters(&[(2, 6, None)]));
    let found = first_success(sessions);
    assert_eq!((found.verdict, found.estimate, found.leaning), (NotProven, Some(31.0), Some(Leaning::Outside)));
    let one_look = beside(&found, Beside::MedianAtOneLook).interval;
    assert!(found.interval[0] <= one_look[0], "{:?} is narrower than {one_look:?}", found.interval);
    assert_eq!(found.interval[1], None, "six of twenty never succeed: there is no bound yet");
}

fn returns(people: &[(Date, u64, u64)]) -> Vec<Return> {
    let of = |(first, users, back): &(Date, u64, u64)| {
        [Return { first: *first, week: 0, users: *users }, Return { first: *first, week: 4, users: *back }]
    };
    people.iter().flat_map(of).collect()
}

fn retention(since: Since, people: &[(Date, u64, u64)]) -> Judgement {
    judged(goal("retention.week4", Relation::Above, "80%"), since, Evidence::Returns(returns(people)))
}

#[test]
fn retention_counts_each_person_once_their_week_has_passed() {
    let (monday, tuesday) = (date(2026, 9, 28), date(2026, 9, 29));
    let met = retention(Since::Quarter, &[(monday, 12, 12), (tuesday, 11, 11)]);
    assert_eq!((met.verdict, met.n, met.estimate), (Met, 23, Some(100.0)), "23 without a loss, and not 22");
    let short = retention(Since::Quarter, &[(monday, 11, 11), (tuesday, 11, 11)]);
    assert_eq!((short.verdict, short.at_least_more), (NotProven, Some(1)));
    assert_eq!(retention(Since::Quarter, &[(monday, 10, 2), (tuesday, 10, 2)]).verdict, Missed);
    assert_eq!(retention(Since::Quarter, &[(monday, 23, 23)]).reason, Some(Reason::SingleDay));
    assert_eq!(retention(Since::Quarter, &[(monday, 1, 1)]).verdict, NotProven, "one person proves nothing, whatever they do");
    // Day 34 after 20 October is 23 November, which has passed; after the 21st it is today.
    let young = retention(Since::Quarter, &[(date(2026, 10, 20), 3, 3), (date(2026, 10, 21), 5, 5)]);
    assert_eq!((young.n, young.left_out[&LeftOut::Immature]), (3, 5));
    let nobody = retention(Since::Quarter, &[(date(2026, 11, 20), 5, 0)]);
    assert_eq!((nobody.verdict, nobody.advice.as_deref()), (NoData, Some("nobody's fourth week has passed yet; 5 are on their way")));
}

#[test]
fn retention_belongs_to_the_epoch_in_which_the_week_passes() {
    // Five weeks after 27 August is the first day of the quarter, after the 26th the last of the one before.
    let people = [(date(2026, 8, 26), 100, 0), (date(2026, 8, 27), 7, 7)];
    assert_eq!(retention(Since::Quarter, &people).n, 7);
    assert_eq!(retention(Since::Date(date(2026, 7, 1)), &people).n, 107);
}

fn reading(month: Option<&str>, when: &str, value: f64) -> Reading {
    Reading { at: at(when), value, unit: None, source: None, scope: month.map(str::to_owned), people: Some(4) }
}

fn contributions(since: Since, readings: Vec<Reading>) -> Judgement {
    let groups = Groups { groups: [(None, readings)].into(), folded: 0 };
    judged(goal("contributions.month", Relation::Above, "10"), since, Evidence::Measurement(groups))
}

#[test]
fn a_month_that_is_over_is_a_census_and_an_open_one_only_meets() {
    let (closed, open) = ("2026-11-02T00:00:00Z", "2026-11-23T00:00:00Z");
    let of = |october: f64, november: f64| {
        contributions(Since::Quarter, vec![reading(Some("2026-10"), closed, october), reading(Some("2026-11"), open, november)])
    };
    let met = of(11.0, 3.0);
    assert_eq!((met.verdict, met.estimate, met.n), (Met, Some(11.0), 2));
    assert_eq!(beside(&met, Beside::Contributors).value, Some(4.0));
    let missed = of(10.0, 3.0);
    assert_eq!((missed.verdict, missed.estimate), (Missed, Some(10.0)), "above 10 is 11");
    let early = of(10.0, 11.0);
    assert_eq!((early.verdict, early.estimate), (Met, Some(11.0)), "contributions only grow");
    let only_open = contributions(Since::Quarter, vec![reading(Some("2026-11"), open, 10.0)]);
    assert_eq!((only_open.verdict, only_open.reason), (NotProven, Some(Reason::OpenMonth)));
    // Read before its end, a month may have had more.
    let unread = contributions(Since::Quarter, vec![reading(Some("2026-10"), "2026-10-31T23:59:59Z", 10.0)]);
    assert_eq!((unread.verdict, unread.reason), (NotProven, Some(Reason::OpenMonth)));
    assert_eq!(contributions(Since::Quarter, vec![reading(None, open, 11.0)]).verdict, Met, "without a month, it is the current one");
    // September ended when the quarter began.
    let before = contributions(Since::Quarter, vec![reading(Some("2026-09"), closed, 99.0)]);
    assert_eq!((before.verdict, before.n), (NoData, 0));
    let old = contributions(Since::Date(date(2026, 1, 1)), vec![reading(Some("2026-08"), "2026-09-02T00:00:00Z", 99.0)]);
    assert_eq!(old.verdict, Stale);
}

#[test]
fn bursts_have_no_interval() {
    let of = |counts: &[f64]| {
        let month = |(index, count): (usize, &f64)| reading(Some(&format!("2026-{:02}", index + 7)), "2026-11-02T00:00:00Z", *count);
        contributions(Since::Date(date(2026, 7, 1)), counts.iter().enumerate().map(month).collect())
    };
    let steady = of(&[14.0, 16.0, 15.0]);
    let mean = beside(&steady, Beside::MonthlyMean);
    // 45 in the 92 days of three months.
    close(mean.value, 45.0 / (92.0 / 30.4375));
    close(mean.interval[0], 10.941_102_929_411_487 * 3.0 / (92.0 / 30.4375));
    assert_eq!(beside(&of(&[0.0, 45.0, 0.0]), Beside::MonthlyMean).interval, [None, None]);
}

fn said(days_ago: i32, user: &str, arm: Option<&str>, right: Option<bool>) -> Understood {
    Understood {
        at: ago(days_ago, 0),
        user: Some(user.to_owned()),
        arm: arm.map(str::to_owned),
        modality: Some("voice".to_owned()),
        index: None,
        right,
        words: Some(4),
        word_errors: Some(u64::from(right == Some(false))),
    }
}

/// `right` and `wrong` interactions of an arm, on two days, by this many people in turn.
fn arm(name: &str, people: usize, right: usize, wrong: usize) -> Vec<Understood> {
    let one = |i: usize| said(if i.is_multiple_of(2) { 2 } else { 1 }, &format!("{name}-{}", i % people), Some(name), Some(i < right));
    let mut all: Vec<_> = (0..right + wrong).map(one).collect();
    all.sort_by_key(|interaction| interaction.at);
    all
}

fn accuracy(metric: &str, after: u64, interactions: Vec<Understood>) -> Judgement {
    judged(Goal { after, ..goal(metric, Relation::Above, "90%") }, Since::Quarter, Evidence::Interactions(interactions))
}

#[test]
fn intents_are_judged_on_what_is_labelled() {
    for metric in ["learning.accuracy", "voice.accuracy"] {
        assert_eq!(accuracy(metric, 0, Vec::new()).verdict, NoData);
        let met = accuracy(metric, 0, arm("learning", 3, 40, 0));
        assert_eq!((met.verdict, met.n, met.estimate), (Met, 40, Some(100.0)), "{metric}: 40 without a mistake, and not 39");
        assert_eq!(accuracy(metric, 0, arm("learning", 3, 39, 0)).at_least_more, Some(1));
        assert_eq!(accuracy(metric, 0, arm("learning", 3, 50, 50)).verdict, Missed);
        let one_day = vec![said(1, "ada", None, Some(true)); 60];
        assert_eq!(accuracy(metric, 0, one_day).reason, Some(Reason::SingleDay));
        assert_eq!(accuracy(metric, 0, vec![said(40, "ada", None, Some(true)); 60]).verdict, Stale);
    }
}

#[test]
fn few_labels_prove_nothing_either_way() {
    for right in [true, false] {
        let mut interactions = arm("learning", 3, if right { 80 } else { 0 }, if right { 0 } else { 80 });
        interactions.extend(vec![said(0, "ada", Some("learning"), None); 20]);
        let enough = accuracy("learning.accuracy", 0, interactions.clone());
        assert_eq!(enough.verdict, if right { Met } else { Missed });
        close(beside(&enough, Beside::LabelCoverage).value, 80.0);
        interactions.push(said(0, "ada", Some("learning"), None));
        let few = accuracy("learning.accuracy", 0, interactions);
        assert_eq!((few.verdict, few.reason, few.left_out[&LeftOut::Unlabelled]), (NotProven, Some(Reason::FewLabels), 21));
        assert_eq!(few.command.as_deref(), Some("milepost label"));
    }
}

#[test]
fn the_first_interactions_of_a_person_are_the_learning() {
    let mut interactions = arm("learning", 2, 0, 10);
    interactions.extend(arm("learning", 2, 90, 0));
    let whole = accuracy("learning.accuracy", 0, interactions.clone());
    assert_eq!((whole.verdict, whole.n), (NotProven, 100));
    interactions.sort_by_key(|interaction| interaction.at);
    interactions.sort_by_key(|interaction| interaction.right);
    let learned = accuracy("learning.accuracy", 5, interactions.clone());
    assert_eq!((learned.verdict, learned.n, learned.left_out[&LeftOut::Early]), (Met, 90, 10), "five of each of the two");
    let none = accuracy("learning.accuracy", 100, interactions.clone());
    assert_eq!((none.verdict, none.left_out[&LeftOut::Early]), (NoData, 100));
    assert!(none.advice.is_some_and(|advice| advice.starts_with("nobody has more interactions yet")));
    // Who had a hundred before the epoch learns no more in it.
    for interaction in &mut interactions {
        interaction.index = Some(101);
    }
    assert_eq!(accuracy("learning.accuracy", 100, interactions).n, 100);
}

#[test]
fn voice_counts_what_was_spoken_and_shows_its_word_errors() {
    let mut interactions = arm("learning", 12, 60, 0);
    interactions.extend(vec![Understood { modality: Some("text".to_owned()), ..said(1, "bob", None, Some(false)) }; 60]);
    interactions.sort_by_key(|interaction| interaction.at);
    let found = accuracy("voice.accuracy", 0, interactions);
    assert_eq!((found.verdict, found.n), (Met, 60));
    assert_eq!(beside(&found, Beside::WordErrorRate).value, Some(0.0));
    let wrong = accuracy("voice.accuracy", 0, arm("learning", 12, 30, 30));
    close(beside(&wrong, Beside::WordErrorRate).value, 12.5);
    assert!(beside(&wrong, Beside::PeopleInGeneral).interval[0].is_some(), "of twelve people");
    assert_eq!(beside(&accuracy("voice.accuracy", 0, arm("learning", 9, 30, 30)), Beside::PeopleInGeneral).interval, [None, None]);
}

fn improvement(mut interactions: Vec<Understood>) -> Judgement {
    interactions.sort_by_key(|interaction| interaction.at);
    judged(goal("learning.improvement", Relation::Above, "10%"), Since::Quarter, Evidence::Interactions(interactions))
}

fn arms(with: (usize, usize), without: (usize, usize)) -> Vec<Understood> {
    [arm("learning", 20, with.0, with.1), arm("control", 20, without.0, without.1)].concat()
}

#[test]
fn an_improvement_needs_a_difference_and_not_one_good_arm() {
    let met = improvement(arms((950, 50), (600, 400)));
    assert_eq!((met.verdict, met.n), (Met, 2000));
    close(met.estimate, 35.0);
    assert!(met.interval[0].is_some_and(|low| low > 10.0) && met.interval[1].is_some_and(|high| high < 60.0));
    close(beside(&met, Beside::RelativeImprovement).value, 35.0 / 60.0 * 100.0);
    assert_eq!((beside(&met, Beside::WithLearning).value, beside(&met, Beside::WithoutLearning).value), (Some(95.0), Some(60.0)));
    assert!(beside(&met, Beside::PeopleInGeneral).interval[0].is_some());
    // Ninety-five percent with learning, and as much without.
    assert_eq!(improvement(arms((950, 50), (950, 50))).verdict, Missed);
    // The reference proves that there is some improvement, but not that it exceeds ten points.
    let thin = improvement(arms((480, 20), (425, 75)));
    assert_eq!((thin.verdict, thin.reason, thin.leaning), (NotProven, None, Some(Leaning::Inside)));
    assert!(thin.at_least_more.is_some() && thin.projected_more > thin.at_least_more);
}

#[test]
fn an_empty_arm_is_no_data() {
    assert_eq!(improvement(Vec::new()).verdict, NoData);
    for name in ["learning", "control"] {
        let found = improvement(arm(name, 20, 500, 0));
        assert_eq!((found.verdict, found.reason, found.estimate), (NoData, Some(Reason::EmptyArm), None));
        let other = if name == "learning" { "control" } else { "learning" };
        assert!(found.advice.is_some_and(|advice| advice.ends_with(&format!("interactions: {other}"))));
        assert!(found.command.is_some_and(|command| command.contains(&format!("--arm {other} --recognized"))));
    }
    let mut unlabelled = arms((950, 50), (600, 400));
    for interaction in unlabelled.iter_mut().filter(|i| i.arm.as_deref() == Some("control")) {
        interaction.right = None;
    }
    assert_eq!(improvement(unlabelled).verdict, NoData, "an arm without a label is as empty");
}

#[test]
fn arms_that_cannot_be_compared_show_no_effect() {
    // People, and not what they did: 140 to 60 is flagged, and 14 to 6 is not.
    let uneven = |factor: usize| improvement([arm("learning", 14 * factor, 950, 50), arm("control", 6 * factor, 600, 400)].concat());
    let flagged = uneven(10);
    assert_eq!((flagged.verdict, flagged.reason), (NotProven, Some(Reason::SampleRatio)));
    assert_eq!((flagged.estimate, flagged.interval, flagged.beside.len(), flagged.trend.len()), (None, [None, None], 0, 0));
    assert_eq!(uneven(1).verdict, Met);
    // One arm after the other.
    let mut apart = arms((950, 50), (600, 400));
    for interaction in apart.iter_mut().filter(|i| i.arm.as_deref() == Some("control")) {
        interaction.at = interaction.at.saturating_sub(Duration::from_secs(10 * 86400));
    }
    let found = improvement(apart);
    assert_eq!((found.verdict, found.reason), (NotProven, Some(Reason::ArmsApart)));
    close(found.estimate, 35.0);
    // Whoever labels one arm only in part can make any difference of it.
    let mut labelled = arms((950, 50), (600, 400));
    for interaction in labelled.iter_mut().filter(|i| i.arm.as_deref() == Some("control")).take(300) {
        interaction.right = None;
    }
    assert_eq!(improvement(labelled).reason, Some(Reason::FewLabels));
    let one_day: Vec<_> = arms((950, 50), (600, 400)).into_iter().map(|i| Understood { at: ago(1, 0), ..i }).collect();
    assert_eq!(improvement(one_day).reason, Some(Reason::SingleDay));
}

fn run(minutes: i64, bytes: impl Fn(f64) -> f64) -> Run {
    let begin = at("2026-11-23T08:00:00Z");
    let samples = (0..=minutes * 6).map(|i| MemorySample {
        at: begin.saturating_add(Duration::from_secs(i as u64 * 10)),
        bytes: bytes(i as f64 / 6.0) as u64,
        complete: true,
        cpu_us: None,
    });
    Run { run: "r".to_owned(), process: None, measure: Measure::Pss, every_us: Some(10_000_000), samples: samples.collect() }
}

fn memory(metric: &str, limit: &str, runs: Vec<Run>) -> Judgement {
    let groups = Groups { groups: [(None, runs)].into(), folded: 0 };
    judged(goal(metric, Relation::Below, limit), Since::Quarter, Evidence::Memory(groups))
}

/// A minute's noise of a megabyte and a half each way, as the reference has it.
fn noise(minute: f64) -> f64 {
    ((minute.trunc() as u64 * 7919 % 13) as f64 - 6.0) * 0.25e6
}

#[test]
fn memory_is_stable_where_growth_is_ruled_out_and_not_where_none_was_seen() {
    let flat = |minute: f64| 200e6 + noise(minute);
    let day = memory("memory.variation", "50MB", vec![run(1440, flat)]);
    assert_eq!((day.verdict, day.estimate), (Met, Some(3.0)));
    assert!(beside(&day, Beside::Growth).interval[1].is_some_and(|high| high < 10.0), "{:?}", day.beside);
    let short = memory("memory.variation", "50MB", vec![run(75, flat)]);
    assert_eq!((short.verdict, short.reason), (NotProven, Some(Reason::GrowthUnclear)), "an hour of noise rules out little");
    // A quiet product is proven in little more than an hour.
    assert_eq!(memory("memory.variation", "50MB", vec![run(75, |_| 200e6)]).verdict, Met);
    let too_short = memory("memory.variation", "50MB", vec![run(68, |_| 200e6)]);
    assert_eq!((too_short.verdict, too_short.reason), (NotProven, Some(Reason::RunTooShort)));
    // A short run that came later takes no proof away.
    let mut later = run(5, |_| 900e6);
    later.samples.iter_mut().for_each(|sample| sample.at = sample.at.saturating_add(Duration::from_secs(36_000)));
    assert_eq!(memory("memory.variation", "50MB", vec![run(75, |_| 200e6), later]).verdict, Met);
    let swinging = memory("memory.variation", "50MB", vec![run(1440, |minute| 200e6 + 30e6 * (minute / 20.0).sin())]);
    assert_eq!((swinging.verdict, swinging.leaning), (Missed, None));
    // What it takes to start is not what it is like: a peak in the first minutes is left out.
    let warm = run(75, |minute| if minute < 9.0 { 400e6 } else { 200e6 });
    assert_eq!(memory("memory.variation", "50MB", vec![warm]).verdict, Met);
    assert_eq!(memory("memory.variation", "50MB", Vec::new()).verdict, NoData);
}

#[test]
fn a_leak_is_told_from_noise() {
    // Twelve megabytes in the hour that counts: far within 50 MB, and 288 MB a day.
    let leaking = |minute: f64| 200e6 + 0.2e6 * minute + noise(minute);
    let suspected = memory("memory.variation", "50MB", vec![run(75, leaking)]);
    assert_eq!((suspected.verdict, suspected.reason), (NotProven, Some(Reason::LeakSuspected)));
    let slope = memory("memory.slope", "10MB/d", vec![run(75, leaking)]);
    assert_eq!(slope.verdict, Missed);
    close(slope.estimate, 288.0);
    let flat = memory("memory.slope", "10MB/d", vec![run(1440, |minute| 200e6 + noise(minute))]);
    assert_eq!(flat.verdict, Met);
    assert!(flat.interval.iter().all(|end| end.is_some_and(|end| end.abs() < 10.0)));
    assert_eq!(memory("memory.slope", "10MB/d", vec![run(75, |minute| 200e6 + noise(minute))]).reason, Some(Reason::GrowthUnclear));
    // A little growth is no leak, and is within a limit that allows for it.
    let little = |minute: f64| 200e6 + 5e6 / 1440.0 * minute;
    assert_eq!(memory("memory.slope", "10MB/d", vec![run(1440, little)]).verdict, Met);
    assert_eq!(memory("memory.slope", "4MB/d", vec![run(1440, little)]).verdict, Missed);
}
