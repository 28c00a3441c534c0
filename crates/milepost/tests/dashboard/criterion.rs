//! The page of one criterion: the evidence as it grew, how it was asked, and the newest events.

use super::{HOSTILE, at, criterion, elements, mixed, no_data, observed, page, scorecard};
use jiff::{ToSpan, civil::date};
use milepost::render::{
    html::{CriterionDetail, Shown, dashboard},
    terminal::Source,
};
use milepost_judge::{
    Scorecard, Tier, Verdict,
    growth::{GoalGrowth, Growth, Point, Release},
    plan::{Plan, SIZES, chances},
    scorecard::{Judgement, ProbableChange},
};

/// Evidence that begins on a day without an upper bound, falls back, begins anew, and ends as judged.
fn grown(judgement: &Judgement) -> GoalGrowth {
    let point = |day, begins, n, estimate, interval| Point { date: date(2026, 11, day), begins, n, estimate, interval };
    GoalGrowth {
        is_sampled: true,
        is_pooled: false,
        points: vec![
            point(16, true, 20, Some(400.0), [Some(200.0), None]),
            point(17, false, 40, None, [Some(210.0), None]),
            point(19, false, 60, Some(380.0), [Some(220.0), Some(480.0)]),
            point(20, true, 20, Some(350.0), [Some(210.0), None]),
            point(24, false, judgement.n, judgement.estimate, judgement.interval),
        ],
        falls: vec![date(2026, 11, 19)],
        proven: (judgement.verdict == Verdict::Met).then(|| date(2026, 11, 24)),
    }
}

fn source(metric: &str) -> Source {
    let column = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let event = vec![
        column("at", "2026-11-24T18:00:00.000000Z"),
        column("operation", "install"),
        column("outcome", "ok"),
        column("user", "u-somebody"),
        column("host", "h-somewhere"),
        column("session", "s-some"),
        column("text", "what was said"),
        column("attributes", "{who: me}"),
    ];
    Source { sql: format!("SELECT '{metric}'\nFROM operations"), newest: vec![event], ..Source::default() }
}

/// What there is to see of each criterion that has events.
pub(super) fn details(scorecard: &Scorecard) -> Vec<CriterionDetail> {
    let of = |criterion: &milepost_judge::scorecard::CriterionResult| {
        let alone = std::iter::once(&criterion.judgement).filter(|_| criterion.parts.is_empty());
        let judgements: Vec<_> = alone.chain(criterion.parts.iter().map(|part| &part.judgement)).collect();
        let growth = Growth {
            from: Some(date(2026, 11, 14)),
            excluded: vec![[date(2026, 11, 12), date(2026, 11, 13)]],
            releases: vec![Release { date: date(2026, 11, 18), name: "1.2.0".to_owned() }],
            goals: judgements.iter().map(|judgement| (judgement.n > 0).then(|| grown(judgement))).collect(),
        };
        CriterionDetail { plans: Vec::new(), growth, sources: judgements.iter().map(|_| source("latency")).collect() }
    };
    scorecard.criteria.iter().map(of).collect()
}

fn only(judgement: Judgement) -> String {
    page(&scorecard(vec![criterion("One", Some(Tier::Must), judgement)]))
}

/// The chart, the legend and the table of the first criterion that has them.
fn evidence(page: &str) -> &str {
    elements(page, "<section class=\"evidence own\"", "</section>").into_iter().next().expect("a chart")
}

#[test]
fn the_band_is_open_where_there_is_no_bound_and_broken_where_nothing_counts_on() {
    let page = only(observed(Verdict::Met, 310.0));
    let evidence = evidence(&page);
    let path = |class: &str| elements(evidence, &format!("<path class=\"{class}\" d=\""), "\"/>").concat();
    let band = path("grown-band");
    // Two bodies of evidence: before it fell back, and after. Without an upper bound, each begins at the upper edge.
    let bodies = elements(&band, "M", "z");
    assert_eq!(bodies.len(), 2, "{band}");
    assert!(bodies.iter().all(|body| body.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("0h"))), "{band}");
    assert_eq!(evidence.matches("class=\"grown-open\"").count(), 2, "an arrow for each open stretch");
    // The day whose estimate has no finite value breaks the line.
    assert_eq!(path("grown-line").matches('M').count(), 3);
    assert_eq!(path("grown-endless").matches('M').count(), 1);
    assert!(evidence.contains("no bound yet on this side") && evidence.contains("so many fail that there is no finite value"));
}

#[test]
fn marks_are_said_in_words_and_stand_in_the_table() {
    let change =
        ProbableChange { from: date(2026, 11, 18), is_trend: false, before: 390.0, after: 310.0, change: Some(-0.2), same_hosts: None };
    let page = only(Judgement { changes: vec![change], ..observed(Verdict::Met, 310.0) });
    let evidence = evidence(&page);
    for words in [
        "target &#60;\u{a0}500\u{a0}ms",
        "counted since 1 Oct 2026",
        "proven since 24 Nov 2026",
        "fell back on 19 Nov 2026; counted anew from then on",
        "excluded: 12 Nov 2026 to 13 Nov 2026",
        "its level probably changed 18 Nov 2026: 390\u{a0}ms to 310\u{a0}ms, -20%",
        "released on 18 Nov 2026: 1.2.0",
    ] {
        assert!(evidence.contains(words), "{words}: {evidence}");
    }
    for row in [
        "19 Nov 2026<td>60<td>380<td>220<td>480<td>fell back",
        "24 Nov 2026<td>812<td>310<td>279<td>372<td>proven",
        "17 Nov 2026<td>40<td>∞<td>210<td>–",
    ] {
        assert!(evidence.contains(row), "{row}: {evidence}");
    }
    let keys = elements(evidence, "href=\"#k-", "\"").len();
    assert_eq!(keys, 11, "each kind of mark has its shape in the legend");
}

/// A mark outside the chart would be explained and not be there.
#[test]
fn what_is_not_in_view_is_not_in_the_legend() {
    let scorecard = scorecard(vec![criterion("One", Some(Tier::Must), observed(Verdict::Met, 310.0))]);
    let mut details = details(&scorecard);
    details[0].growth.releases = vec![Release { date: date(2020, 1, 1), name: "0.1.0".to_owned() }];
    details[0].growth.from = Some(date(2019, 1, 1));
    let page = dashboard(Shown { scorecard: &scorecard, details: &details, panels: None }).expect("a page");
    assert!(!page.contains("0.1.0") && !evidence(&page).contains("k-since"));
}

#[test]
fn readings_are_a_line_without_a_band() {
    let scorecard = scorecard(vec![criterion("One", Some(Tier::Must), observed(Verdict::Met, 310.0))]);
    let mut details = details(&scorecard);
    let reading = |day, begins, value| Point { date: date(2026, 11, day), begins, n: 1, estimate: Some(value), interval: [None, None] };
    let points = vec![reading(16, true, 300.0), reading(17, false, 305.0), reading(22, true, 310.0)];
    details[0].growth.goals = vec![Some(GoalGrowth { is_sampled: false, points, falls: Vec::new(), proven: None, is_pooled: false })];
    let page = dashboard(Shown { scorecard: &scorecard, details: &details, panels: None }).expect("a page");
    let evidence = evidence(&page);
    assert!(evidence.contains("The readings as they came") && !evidence.contains("grown-band\""), "{evidence}");
    assert_eq!((evidence.matches("class=\"dot\"").count(), evidence.matches("class=\"grown-line\"").count()), (1, 1));
}

#[test]
fn nothing_without_events_has_a_chart() {
    assert!(!only(no_data()).contains("<svg class=\"growth\""));
}

#[test]
fn events_are_shown_without_who_and_what_was_said() {
    let page = only(observed(Verdict::Met, 310.0));
    assert!(page.contains("24 Nov 2026, 18:00:00 UTC") && page.contains("operation=<bdi>install</bdi>"));
    for personal in ["u-somebody", "h-somewhere", "s-some", "what was said", "who: me"] {
        assert!(!page.contains(personal), "{personal}");
    }
}

#[test]
fn what_events_releases_and_sql_say_is_text() {
    let scorecard = mixed();
    let mut details = details(&scorecard);
    for detail in &mut details {
        detail.growth.releases[0].name = HOSTILE.repeat(100);
        for source in &mut detail.sources {
            source.sql = HOSTILE.repeat(1000);
            source.newest = vec![["at", "operation", HOSTILE].into_iter().map(|name| (name.to_owned(), HOSTILE.repeat(100))).collect(); 20];
        }
    }
    let page = dashboard(Shown { scorecard: &scorecard, details: &details, panels: None }).expect("a page");
    for harm in ["<img", "\u{202e}", "\0"] {
        assert!(!page.contains(harm), "{harm:?} is in the page");
    }
    assert_eq!(["<script", "</script"].map(|own| page.matches(own).count()), [1, 1], "the page's own");
    assert!(page.len() < 500_000, "{} bytes", page.len());
}

#[test]
fn each_criterion_has_a_page_and_a_way_back() {
    let page = page(&mixed());
    assert_eq!(page.matches("<p class=\"back\"><a href=\"#criteria\">").count(), mixed().criteria.len());
    assert!(page.contains("@supports selector(:has(*))"), "where the browser cannot, all is shown in one sequence");
    for (number, criterion) in mixed().criteria.iter().enumerate() {
        assert!(page.contains(&format!("<h3><a href=\"#c{}\"><bdi>{}</bdi>", number + 1, criterion.name)));
    }
}

/// As many criteria as the preset has, at the end of a quarter, which is when evidence begins anew, each observed on each of its days,
/// with all that their pages show. Half a megabyte is for all of the page; `panels.rs` and `panels_people.rs` hold the panels to the rest.
#[test]
fn a_quarter_of_evidence_leaves_room_in_half_a_megabyte() {
    let day = |i: i32| date(2025, 11, 25) + i.days();
    let value = |i: i32| 300.0 + f64::from(i * 7919 % 97);
    let judgement = || {
        let trend = (273..365).map(|i| milepost_judge::scorecard::TrendPoint { date: day(i), value: Some(value(i)), n: 20 }).collect();
        Judgement { trend, newest_event: Some(at("2026-11-24T18:00:00Z")), ..observed(Verdict::Met, 310.0) }
    };
    let scorecard = scorecard((0..18).map(|i| criterion(&format!("Criterion {i}"), Tier::ALL.get(i / 7).copied(), judgement())).collect());
    let point = |i: i32| {
        let interval = [Some(value(i) - 40.0 + f64::from(i % 9)), Some(value(i) + 60.0)];
        Point { date: day(i), begins: i == 290, n: 20 * u64::from(i.unsigned_abs()), estimate: Some(value(i)), interval }
    };
    let mut details = details(&scorecard);
    for detail in &mut details {
        let rates = [0.96, 0.97, 0.98, 0.99, 1.0];
        let expectations = chances(0.95, 0.05, &rates, &SIZES[..3]);
        let metric = "latency.p95".to_owned();
        detail.plans = vec![Plan { metric, groups: Vec::new(), unit: "operations".to_owned(), goal_rate: 0.95, alpha: 0.05, expectations }];
        detail.growth.goals[0].as_mut().expect("evidence").points = (273..365).map(point).collect();
        for source in &mut detail.sources {
            source.sql = "SELECT count(*) FILTER (WHERE ended = 'ok' AND duration_us < 500000) AS within\n".repeat(20);
            source.newest = vec![source.newest[0].clone(); 5];
        }
    }
    let page = dashboard(Shown { scorecard: &scorecard, details: &details, panels: None }).expect("a page");
    let charts: usize = elements(&page, "<section class=\"evidence own\"", "</section>").iter().map(|one| one.len()).sum();
    assert!(charts < 240_000, "{charts} bytes of charts and their tables");
    assert!(page.len() < 420_000, "{} bytes", page.len());
}
