//! Holds the panels of people, of the code and of the community to the report and to the judge: the same numbers, nothing unknown as
//! zero, nothing green, every chart with its table, and no harm by names.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{
    ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use milepost::render::html::{Shown, dashboard};
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Panels, Relation, Since, Tier, Verdict, judge, panels, panels_questions,
    scorecard::{Reason, SCHEMA_VERSION, Scorecard},
    survival::{Observed, Survival},
};
use milepost_record::{
    Answer, Dimension, Event, Evidence, Feedback, FirstSession, Groups, Measurement, OperationDay, Reading, Return, Scalar, Sessions,
    Subject, Timestamp, Understood,
};
use std::{collections::BTreeMap, time::Duration};

const NOW: &str = "2026-11-24T12:00:00Z";
const HOSTILE: &str = "</script></title><img src=x onerror=alert(1)>\"'&\u{202e}\0";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// So many seconds after eleven of the day so many days ago.
fn ago(days: i32, seconds: u64) -> Timestamp {
    at(&format!("{}T11:00:00Z", today() - days.days())).saturating_add(Duration::from_secs(seconds))
}

const fn today() -> Date {
    date(2026, 11, 24)
}

fn criterion(metric: &str, relation: Relation, limit: Option<&str>) -> Criterion {
    let goal = Goal {
        metric: metric.parse().expect("a metric"),
        relation,
        limit: limit.map(|limit| limit.parse().expect("an amount")),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    };
    Criterion {
        name: metric.to_owned(),
        tier: Some(Tier::Must),
        goals: vec![goal],
        since: Since::Date(date(2026, 9, 1)),
        baseline: None,
        method: None,
        max_age: Duration::from_secs(400 * 86400),
        card: None,
        alpha: 0.05,
    }
}

/// Criteria on the improvement and on the personas of these names, each within a second.
fn criteria(personas: &[String]) -> Criteria {
    let mut of_personas = criterion("latency.p95", Relation::Below, None);
    if let Some(goal) = of_personas.goals.first_mut() {
        goal.for_each = Some(Dimension::Persona);
        goal.limits = personas.iter().map(|name| (name.clone(), "1s".parse().expect("an amount"))).collect();
    }
    Criteria {
        project: "test".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria: vec![criterion("learning.improvement", Relation::Above, Some("10%")), of_personas],
    }
}

/// What the events of a test say.
#[derive(Default)]
struct World {
    sessions: Sessions,
    first: Vec<FirstSession>,
    returns: Vec<Return>,
    interactions: Vec<Understood>,
    personas: BTreeMap<Option<String>, Vec<OperationDay>>,
    expected: Vec<String>,
    readings: BTreeMap<&'static str, Vec<Reading>>,
    measured: BTreeMap<&'static str, Vec<Event>>,
    feedback: Feedback,
    scores: Vec<(f64, u64)>,
}

impl World {
    fn panels(&self) -> Panels {
        let criteria = criteria(&self.expected);
        let evidence = |subject: &Subject| match subject {
            Subject::Sessions => Evidence::Sessions(self.sessions),
            Subject::FirstSessions => Evidence::FirstSessions(self.first.clone()),
            Subject::Returns => Evidence::Returns(self.returns.clone()),
            Subject::Interactions => Evidence::Interactions(self.interactions.clone()),
            Subject::Operations { .. } => Evidence::Operations(Groups { groups: self.personas.clone(), folded: 0 }),
            Subject::Measurement { name } => {
                let readings = self.readings.get(name.as_str()).cloned().unwrap_or_default();
                Evidence::Measurement(Groups { groups: [(None, readings)].into(), folded: 0 })
            }
            Subject::Measurements { family } => Evidence::Measurements(self.measured.get(family.as_str()).cloned().unwrap_or_default()),
            Subject::Feedback => Evidence::Feedback(self.feedback),
            Subject::Scores => Evidence::Scores(self.scores.clone()),
            Subject::Memory => Evidence::Memory(Groups::default()),
            _ => Evidence::Breakdown(Vec::new()),
        };
        let questions = panels_questions(&criteria, at(NOW));
        let answers: Vec<_> =
            questions.iter().map(|question| Answer { sql: String::new(), evidence: evidence(&question.subject) }).collect();
        panels(&criteria, &answers, at(NOW))
    }

    fn page(&self) -> String {
        page(&self.panels())
    }
}

fn page(panels: &Panels) -> String {
    let scorecard = Scorecard {
        schema_version: SCHEMA_VERSION,
        project: "test".to_owned(),
        generated_at: at(NOW),
        verdict: Verdict::NoData,
        tiers: BTreeMap::new(),
        criteria: Vec::new(),
    };
    dashboard(Shown { scorecard: &scorecard, details: &[], panels: Some(panels) }).expect("a page")
}

const PANELS: [&str; 5] = ["users", "learning", "personas", "code", "community"];

/// What is in the panel of this id.
#[track_caller]
fn panel<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<section class=\"panel\" id=\"{id}\"")).unwrap_or_else(|| panic!("no panel {id}"));
    rest.split("<section class=\"panel\"").next().and_then(|panel| panel.split("</main>").next()).expect("a panel")
}

#[track_caller]
fn holds(panel: &str, texts: &[&str]) {
    let shown = panel.replace('\u{a0}', " ");
    for text in texts {
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
}

/// The elements that begin with `start`, each up to `end`.
fn elements<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let after_each = page.match_indices(start).filter_map(|(from, _)| page.get(from..));
    after_each.map(|rest| rest.split_once(end).map_or(rest, |(element, _)| element)).collect()
}

fn starter(success_after: Option<u64>) -> FirstSession {
    let ended = success_after.map(|seconds| ago(2, seconds));
    FirstSession { start: ago(2, 0), first_success: ended, last: ended, attempts: 2, attempted: 2, succeeded: u64::from(ended.is_some()) }
}

/// The starters of the reference: fourteen succeed, six give up, and one began ten seconds ago.
fn starters() -> Vec<FirstSession> {
    let waits = [4, 7, 9, 12, 15, 18, 18, 25, 28, 31, 40, 60, 90, 120];
    let mut first: Vec<_> = waits.iter().map(|wait| starter(Some(*wait))).collect();
    first.extend((0..6).map(|_| starter(None)));
    first.push(FirstSession { start: at(NOW).saturating_sub(Duration::from_secs(10)), ..starter(None) });
    first
}

#[test]
fn the_curve_is_the_estimate_of_kaplan_and_meier_and_who_gave_up_counts() {
    let world = World { first: starters(), sessions: Sessions { sessions: 40, users: 21, ..Sessions::default() }, ..World::default() };
    let panels = world.panels();
    let waits = [4, 7, 9, 12, 15, 18, 18, 25, 28, 31, 40, 60, 90, 120];
    let mut observed: Vec<_> = waits.iter().map(|wait| Observed { time: f64::from(*wait), happened: true }).collect();
    observed.extend((0..6).map(|_| Observed { time: f64::INFINITY, happened: false }));
    // A microsecond passes until the end of the period.
    observed.push(Observed { time: 10.000_001, happened: false });
    let survival = Survival::of(&observed).expect("an estimate");
    assert_eq!(panels.first_success.steps, survival.steps());
    assert_eq!(panels.report.usability.first_success.median_s, survival.median());
    assert_eq!((panels.first_success.p95_s, panels.first_success.p95_of_successes_s), (None, Some(120.0)));
    let page = page(&panels);
    let users = panel(&page, "users");
    holds(
        users,
        &["21 new people: 14 succeeded, 6 gave up, 1 still at it.", "<b>not reached</b>", "<b>40 s</b>", "<b>21.5 s</b>", ">30 s</text>"],
    );
    let step = survival.at(30.0).expect("a step");
    holds(users, &[&format!("<th>28 s<td>{}%", milepost_judge::digits(100.0 * (1.0 - step.waiting)))]);
    // The line climbs by what the estimate falls by, in half pixels, up to the last step.
    let line = elements(users, "class=\"p-line p-a\" d=\"", "\"/>").concat();
    let climbed: i32 = line.split(['v', 'h']).skip(2).step_by(2).map(|by| by.parse::<i32>().expect("a number")).sum();
    assert_eq!(-climbed, ((1.0 - survival.steps().last().expect("a step").waiting) * 340.0).round() as i32, "{line}");
}

#[test]
fn without_a_success_there_is_no_curve() {
    let page = World { first: vec![starter(None); 3], ..World::default() }.page();
    let users = panel(&page, "users");
    holds(users, &["Nobody has succeeded yet, so there is no curve."]);
    assert!(!users.contains("<svg class=\"p-plot\""));
}

/// Whose week has not passed is no zero; who did not come back is.
#[test]
fn weeks_that_have_not_passed_are_hatched() {
    let monday = date(2026, 11, 9);
    let returns = [(monday, 0, 3), (date(2026, 10, 26), 0, 10), (date(2026, 10, 26), 1, 7)];
    let returns = returns.into_iter().map(|(first, week, users)| Return { first, week, users }).collect();
    let page = World { returns, ..World::default() }.page();
    let rows = elements(panel(&page, "users"), "<th>2026-W", "<tr>");
    let [older, newer] = rows[..] else { panic!("{rows:?}") };
    holds(older, &["70%<small>7/10</small>", "0%<small>0/10</small>"]);
    assert_eq!(older.matches("p-gap").count(), 12 - 3, "{older}");
    holds(newer, &["0%<small>0/3</small>"]);
    assert_eq!(newer.matches("p-gap").count(), 12 - 1, "{newer}");
}

/// Interactions of both arms on so many days, people apart, so many right of each ten.
fn interactions(days: i32, right: [u64; 2], labelled: bool) -> Vec<Understood> {
    let each = |day: i32| {
        (0..20).map(move |n| {
            let arm = usize::from(n % 2 == 1);
            Understood {
                at: ago(day, n),
                user: Some(format!("u-{day}-{n}")),
                arm: Some(["learning", "control"][arm].to_owned()),
                modality: (n < 4).then(|| "voice".to_owned()),
                index: None,
                right: (labelled || n > 10).then_some(n / 2 < right[arm]),
                words: (n < 4).then_some(10),
                word_errors: (n < 4).then_some(1),
            }
        })
    };
    (1..=days).rev().flat_map(each).collect()
}

#[test]
fn the_last_day_of_the_experiment_is_what_the_judge_says() {
    let world = World { interactions: interactions(30, [9, 6], true), ..World::default() };
    let panels = world.panels();
    let criteria = criteria(&[]);
    let answers = [vec![Answer { sql: String::new(), evidence: Evidence::Interactions(world.interactions.clone()) }], Vec::new()];
    let judgement = judge(&criteria, &answers, &[], at(NOW)).criteria.remove(0).judgement;
    let last = panels.course.days.last().and_then(|day| day.difference).expect("a difference");
    assert_eq!((Some(last.value), last.interval.map(Some)), (judgement.estimate, judgement.interval));
    assert_eq!((panels.course.days.len(), judgement.n), (30, 600));
    // Each day has all before it, so intervals of later days are narrower.
    let first = panels.course.days[0].difference.expect("a difference");
    assert!(first.interval[1] - first.interval[0] > last.interval[1] - last.interval[0]);
    let page = page(&panels);
    let learning = panel(&page, "learning");
    let with = panels.course.days.last().and_then(|day| day.with).expect("an accuracy");
    assert_eq!(panels.report.learning.arms[1].accuracy, Some(with.value));
    holds(learning, &["<b>30.0 points</b>", "target &#62; 10 points", "no cause by itself", "no more uneven than chance explains"]);
    // Two of the four that were spoken on each day are of either arm, and all of them right.
    holds(learning, &["120 of 120 labelled: this decides", "<b>10%</b>", "120 of 1200 words; shown, and decides nothing"]);
    assert_eq!(elements(learning, "<svg class=\"p-plot\"", ">").len(), 2);
}

#[test]
fn where_no_effect_is_shown_it_says_why() {
    let mut uneven = interactions(30, [9, 6], true);
    uneven.retain(|i| i.arm.as_deref() == Some("learning") || i.user.as_deref().is_some_and(|user| user.ends_with("-1")));
    let few = interactions(30, [9, 6], false);
    let mut empty = interactions(30, [9, 6], true);
    empty.retain(|i| i.arm.as_deref() == Some("learning"));
    let mut apart = interactions(10, [9, 6], true);
    for interaction in apart.iter_mut().filter(|i| i.arm.as_deref() == Some("control")) {
        interaction.at = interaction.at.saturating_sub(Duration::from_secs(40 * 86400));
    }
    apart.sort_by_key(|i| i.at);
    for (interactions, reasons, says, has_effect) in [
        (uneven, &[Reason::SampleRatio][..], "Far more people are in one arm than chance explains.", false),
        (few, &[Reason::FewLabels], "Fewer than four in five interactions are labelled.", true),
        (empty, &[Reason::EmptyArm, Reason::SampleRatio], "One arm of the experiment has no labelled interactions.", false),
        (apart, &[Reason::ArmsApart], "The arms hardly ran at the same time.", true),
    ] {
        let panels = World { interactions, ..World::default() }.panels();
        assert_eq!(panels.course.reasons, reasons);
        assert_eq!(panels.course.days.iter().any(|day| day.difference.is_some()), has_effect, "{reasons:?}");
        let page = page(&panels);
        holds(panel(&page, "learning"), &[says]);
        assert_eq!(panel(&page, "learning").contains("No effect is shown."), !has_effect, "{reasons:?}");
    }
}

fn day(ok: u64, failed: u64, duration_us: u64) -> Vec<OperationDay> {
    vec![OperationDay {
        date: today(),
        oldest: ago(0, 0),
        newest: ago(0, 9),
        ok,
        failed,
        timeouts: 0,
        cancelled: 0,
        dry_runs: 0,
        unmeasured: 0,
        within: 0,
        durations: vec![(duration_us, ok)].into(),
    }]
}

#[test]
fn personas_stand_against_their_limits() {
    let personas =
        [("fast", day(200, 0, 400_000)), ("slow", day(200, 0, 1_400_000)), ("failing", day(80, 20, 100_000)), ("extra", day(3, 0, 9))];
    let personas = personas.into_iter().map(|(name, days)| (Some(name.to_owned()), days)).collect();
    let expected = ["fast", "slow", "failing", "unseen"].map(str::to_owned).to_vec();
    let panels = World { personas, expected, ..World::default() }.panels();
    let page = page(&panels);
    let rows = elements(panel(&page, "personas"), "<th><bdi>", "<tr>");
    let names: Vec<_> =
        rows.iter().map(|row| row.split("<bdi>").nth(1).and_then(|name| name.split('<').next()).unwrap_or_default()).collect();
    assert_eq!(names, ["failing", "slow", "unseen", "fast", "extra"], "what hurts first");
    holds(rows[0], &["∞", "beyond the limit", "1000 ms", "80%"]);
    holds(rows[1], &["1400 ms", "beyond the limit"]);
    holds(rows[2], &["not known", "class=\"gap\""]);
    assert!(!rows[2].contains("<svg") && !rows[2].contains("%"), "{}", rows[2]);
    holds(rows[3], &["400 ms", "within", ">200"]);
    holds(panel(&page, "personas"), &["milepost run --operation NAME --persona NAME -- COMMAND"]);
    // Ninety-five of a hundred and more are needed for a bound from above; three bound nothing.
    let of = |name: &str| panels.report.personas.iter().position(|p| p.persona.as_deref() == Some(name)).expect("a persona");
    assert_eq!(panels.personas_p95_ms[of("fast")], [Some(400.0), Some(400.0)]);
    assert_eq!(panels.personas_p95_ms[of("extra")], [None, None]);
    assert_eq!(panels.personas_p95_ms[of("unseen")], [None, None]);
}

fn reading(when: Timestamp, scope: Option<&str>, value: f64) -> Reading {
    Reading { at: when, value, unit: None, source: None, scope: scope.map(str::to_owned), people: Some(4) }
}

fn measured(name: &str, scope: Option<&str>, value: f64, attributes: &[(&str, Scalar)]) -> Event {
    let mut measurement = Measurement::new(name, value);
    measurement.source = Some("a tool 1.0".to_owned());
    measurement.scope = scope.map(str::to_owned);
    let mut event = Event::at(ago(3, 0), measurement);
    event.attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    event
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn code_and_community() -> World {
    let advisory = |id: &str, severity: &str| {
        measured("vulnerabilities.advisory", Some("requests"), 1.0, &[("id", text(id)), ("severity", text(severity))])
    };
    let month = |scope, value| {
        let others = [("of_maintainers", Scalar::Integer(30)), ("of_bots", Scalar::Integer(2))];
        measured("contributions.month", Some(scope), value, &others)
    };
    World {
        readings: [
            ("coverage.statements", (0..5).map(|week| reading(ago(35 - 7 * week, 0), None, f64::from(80 + week))).collect()),
            ("complexity.average", vec![reading(ago(3, 0), None, 2.5)]),
            ("contributions.month", vec![reading(ago(3, 0), Some("2026-10"), 11.0), reading(ago(3, 0), Some("2026-11"), 4.0)]),
        ]
        .into(),
        measured: [
            (
                "coverage",
                vec![
                    measured("coverage.file", Some("src/a.py"), 40.0, &[]),
                    measured("coverage.files_below_80", None, 1.0, &[]),
                    measured("coverage.statements", None, 84.0, &[("covered", Scalar::Integer(84)), ("of", Scalar::Integer(100))]),
                    measured("coverage.uncovered_lines", None, 16.0, &[]),
                ],
            ),
            (
                "complexity",
                vec![
                    measured("complexity.average", None, 2.5, &[]),
                    measured("complexity.function", Some("src/a.py"), 12.0, &[("name", text("f")), ("line", Scalar::Integer(7))]),
                    measured("complexity.functions_above_10", None, 1.0, &[]),
                    measured("complexity.maximum", None, 12.0, &[]),
                ],
            ),
            (
                "vulnerabilities",
                vec![
                    advisory("B", "low"),
                    advisory("A", "9.8"),
                    advisory("C", "CVSS:3.1/AV:N"),
                    measured("vulnerabilities.known", None, 3.0, &[]),
                ],
            ),
            ("contributions", vec![month("2026-10", 11.0), month("2026-11", 4.0)]),
        ]
        .into(),
        feedback: Feedback { notes: 3, scores: 2, mean_score: Some(4.5) },
        scores: vec![(5.0, 4), (-1.0, 2), (4.0, 1)],
        ..World::default()
    }
}

#[test]
fn code_and_community_say_what_the_report_says() {
    let world = code_and_community();
    let panels = world.panels();
    let page = page(&panels);
    let code = panel(&page, "code");
    holds(
        code,
        &["By a tool 1.0, 3 days old", "84 of 100", "not measured", "src/a.py", "src/a.py:7", "<b>2.50</b>", "No report of tests came in"],
    );
    holds(code, &["<b>3</b><small>1 critical, 1 low, 1 without a rating</small>", "CVSS:3.1/AV:N", "milepost collect tests junit.xml"]);
    // Five readings of the coverage are a trend, one of the complexity is none.
    assert_eq!(elements(code, "<svg class=\"days\"", "<title>").len(), 1);
    holds(code, &["<td>80%", "<td>84%"]);
    let community = panel(&page, "community");
    let given: Vec<_> = panels.given.iter().map(|of| (of.month.count, of.of_maintainers, of.of_bots, of.month.is_closed)).collect();
    assert_eq!(given, [(11.0, Some(30), Some(2), true), (4.0, Some(30), Some(2), false)]);
    let of_report: Vec<_> = panels.report.community.contributions.iter().map(|of| of.contributions).collect();
    assert_eq!(of_report, [11.0, 4.0]);
    holds(community, &["October 2026", "November 2026, not whole", "<b>4.50</b><small>2 of them have a score</small>"]);
    assert_eq!((community.matches("class=\"p-bar\"").count(), community.matches("class=\"p-open\"").count()), (1 + 3, 1));
    let scores = elements(community, "id=\"community-scores\"", "</table>").concat();
    let cell = |score, n| format!("{score}<td>{n}");
    assert_eq!(
        scores.split("<tr><th>").skip(1).map(|row| row.trim_end_matches("<tr>")).collect::<Vec<_>>(),
        [cell(-1, 2), cell(4, 1), cell(5, 4)]
    );
    let many = World {
        scores: (0..14).map(|n| (f64::from(n), 1)).collect(),
        feedback: Feedback { notes: 14, ..world.feedback },
        ..World::default()
    };
    assert!(!panel(&many.page(), "community").contains("community-scores"), "more than can be read");
}

#[test]
fn what_is_empty_says_what_feeds_it() {
    let page = World { expected: vec!["maya".to_owned()], ..World::default() }.page();
    for (id, commands) in [
        ("users", &["milepost record session --user NAME --session ID"][..]),
        ("learning", &["milepost record interaction --user NAME --arm ARM", "milepost record interaction --modality voice"]),
        ("personas", &["milepost run --operation NAME --persona NAME -- COMMAND"]),
        ("code", &["milepost collect coverage", "milepost collect complexity", "milepost collect tests", "milepost collect audit"]),
        ("community", &["milepost collect git --maintainer NAME", "milepost record note --topic feedback"]),
    ] {
        let panel = panel(&page, id);
        holds(panel, commands);
        holds(panel, &["class=\"gap\""]);
        for drawn in ["<b>", "<svg", "0%"] {
            assert!(!panel.contains(drawn), "{id} shows {drawn}");
        }
    }
}

/// As much as there can be of everything, with names of strangers.
fn crowded() -> World {
    let long = |n: u32| format!("{n}{HOSTILE}{}", "n".repeat(10_000));
    let mut world = code_and_community();
    world.expected = (0..250).map(long).collect();
    world.personas = (200..500).map(|n| (Some(long(n)), day(50, u64::from(n % 7), u64::from(n) * 5000))).collect();
    world.first = (0..3000).map(|n| starter((n % 5 > 0).then_some(1 + n))).collect();
    world.sessions = Sessions { sessions: 9000, users: 3000, ..Sessions::default() };
    world.returns =
        (0..380).flat_map(|n| (0..14).map(move |week| Return { first: today() - n.days(), week, users: 20 - u64::from(week) })).collect();
    world.interactions = interactions(89, [9, 6], true);
    for interaction in world.interactions.iter_mut().step_by(7) {
        interaction.arm = Some(long(u32::try_from(interaction.at.as_microseconds() % 97).expect("small")));
    }
    for (family, name, value) in [("coverage", "coverage.file", 40.0), ("complexity", "complexity.function", 12.0)] {
        let events = (0..2000).map(|n| measured(name, Some(&long(n)), value, &[("name", text(&long(n)))]));
        world.measured.entry(family).or_default().extend(events);
    }
    let advisories = (0..2000).map(|n| {
        let attributes = [("id", text(&long(n))), ("severity", text(HOSTILE))];
        measured("vulnerabilities.advisory", Some(&long(n)), 1.0, &attributes)
    });
    world.measured.entry("vulnerabilities").or_default().extend(advisories);
    for name in ["coverage.statements", "coverage.branches", "complexity.average", "vulnerabilities.known"] {
        world.readings.insert(name, (0..900).rev().map(|n| reading(ago(n / 10, 1), Some(&long(0)), f64::from(n % 90))).collect());
    }
    let months = (0..1000).map(|n: i32| reading(ago(1, 0), Some(&format!("{}-{:02}", 1950 + n / 12, n % 12 + 1)), f64::from(n)));
    world.readings.insert("contributions.month", months.chain([reading(ago(1, 0), Some(HOSTILE), 3.0)]).collect());
    world
}

#[test]
fn names_of_strangers_are_text_and_everything_has_a_limit() {
    let page = crowded().page();
    for harm in ["<img", "<script", "</script", "\u{202e}", "\0", "NaN", "inf"] {
        let places: Vec<_> = PANELS.iter().filter(|id| panel(&page, id).contains(harm)).collect();
        assert!(places.is_empty(), "{harm:?} is in {places:?}");
    }
    holds(panel(&page, "personas"), &["&#60;img src=x onerror=alert(1)&#62;…", "and 460 more"]);
    let sizes: Vec<_> = PANELS.iter().map(|id| (id, panel(&page, id).len())).collect();
    assert!(sizes.iter().map(|(_, size)| size).sum::<usize>() < 150_000, "{sizes:?}");
}

#[test]
fn nothing_in_a_panel_is_green() {
    for world in [World::default(), crowded(), code_and_community()] {
        let page = world.page();
        for id in PANELS {
            for green in ["data-verdict", "#s-met", "--met"] {
                assert!(!panel(&page, id).contains(green), "{green} in {id}");
            }
        }
    }
}

#[test]
fn every_chart_has_a_title_and_a_table_and_ids_are_unique() {
    let page = crowded().page();
    let charts: Vec<_> = PANELS
        .iter()
        .flat_map(|id| {
            ["<svg class=\"p-plot\"", "<svg class=\"p-columns\"", "<svg class=\"band", "<svg class=\"days\""]
                .map(|start| elements(panel(&page, id), start, "</title>"))
        })
        .flatten()
        .collect();
    assert!(charts.len() > 40, "{} charts", charts.len());
    for chart in charts {
        assert!(chart.contains("role=\"img\"") && chart.contains("<title>") && !chart.ends_with("<title>"), "{chart}");
        let table = chart.split_once("aria-details=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
        let tables = elements(&page, "<table", ">").into_iter().filter(|tag| tag.contains(&format!("id=\"{table}\""))).count();
        assert_eq!(tables, 1, "{chart}");
    }
    let mut ids: Vec<_> = elements(&page, " id=\"", "\" ").into_iter().filter_map(|id| id.get(5..)?.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    // Criteria are c1, c2 …, and tiers have their names.
    let is_of_criteria = |id: &&str| {
        let number = id.strip_prefix('c').and_then(|rest| rest.split(['p', '-']).next());
        number.is_some_and(|number| number.parse::<u32>().is_ok()) || ["must", "should", "nice", "other"].contains(id)
    };
    assert_eq!(ids.iter().copied().find(|id| is_of_criteria(id)), None);
    assert_eq!(page, crowded().page(), "the same panels are the same bytes");
}
