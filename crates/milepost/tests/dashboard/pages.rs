//! The pages that the browser tests open: a year of a project, nothing at all, everything met, and names from strangers.
//!
//! The criteria are those of a preset, judged without any event; what is then filled in is made up.

use super::{HOSTILE, at, criterion_pages::details, elements, group, scorecard, seen::full};
use jiff::{ToSpan, civil::date};
use milepost::{
    config::{Config, Preset},
    render::html::{Shown, dashboard},
};
use milepost_judge::{
    Criteria, Exclusion, Misses, Scorecard, Tier, Verdict, conjunction,
    growth::Point,
    judge,
    misses::Share,
    panels,
    plan::plans,
    scorecard::{Budget, CriterionResult, Judgement, Leaning, ProbableChange, Severity, TierResult, TrendPoint, Was},
};
use std::{env, fs, path::Path};

const PERSONAS: [&str; 10] = ["grandma_rose", "maya", "david", "dr_sarah", "alex", "carlos", "priya", "jamie", "viktor", "luna"];

#[test]
#[ignore = "called by `cargo xtask test`, which opens what it writes in a browser"]
fn writes_pages() {
    let folder = env::var_os("MILEPOST_PAGES").expect("MILEPOST_PAGES is not set");
    let plans = plans(&criteria().criteria, &[]).expect("plans");
    let written = |name: &str, page: String| fs::write(Path::new(&folder).join(format!("{name}.html")), page).expect("cannot write a page");
    written("hostile", hostile_page());
    for (name, scorecard) in [("year", year()), ("empty", scorecard(Vec::new())), ("met", met())] {
        let mut details = details(&scorecard);
        for (detail, plans) in details.iter_mut().zip(&plans) {
            detail.plans.clone_from(plans);
        }
        // Where nothing was seen, panels say what feeds them.
        let panels = match name {
            "empty" => panels(&criteria(), &[], scorecard.generated_at),
            _ => full(&criteria(), scorecard.generated_at, str::to_owned),
        };
        written(name, dashboard(Shown { scorecard: &scorecard, details: &details, panels: Some(&panels) }).expect("a page"));
    }
}

/// A year, with as many points in every chart as there can be: the growth of each goal, trends, and a history.
#[test]
fn a_year_of_days_has_a_limit() {
    let scorecard = year();
    let mut details = details(&scorecard);
    for growth in details.iter_mut().flat_map(|detail| detail.growth.goals.iter_mut()).flatten() {
        growth.points = (0..120)
            .map(|day: i32| Point {
                date: date(2026, 11, 24) - (3 * (119 - day)).days(),
                begins: day == 0,
                n: 20 * (day as u64 + 1),
                interval: [Some(200.0 + f64::from(day * 37 % 101)), Some(900.0 - f64::from(day))],
                estimate: Some(400.0 + f64::from(day * 53 % 97)),
            })
            .collect();
    }
    let panels = full(&criteria(), scorecard.generated_at, str::to_owned);
    let page = dashboard(Shown { scorecard: &scorecard, details: &details, panels: Some(&panels) }).expect("a page");
    assert!(page.len() < 500_000, "{} bytes", page.len());
    // A criterion of several parts has no number of its own, and says nevertheless what is missing.
    assert!(page.contains("<p>memory.variation: now 65\u{a0}MB, target &#60;\u{a0}50\u{a0}MB</p>"));
}

/// Of several things that are demanded, so that number, verdict and target agree.
#[test]
fn a_card_shows_what_decides() {
    let scorecard = year();
    let page = dashboard(Shown { scorecard: &scorecard, details: &details(&scorecard), panels: None }).expect("a page");
    let cards = elements(&page, "<ul class=\"cards\">", "</ul>").concat();
    let card = elements(&cards, "<li", "</li>").into_iter().find(|card| card.contains("<bdi>Memory usage<")).expect("a card");
    assert!(card.contains("<p class=\"goal\">memory.variation: target &#60;\u{a0}50\u{a0}MB, and 1 more</p>"), "{card}");
    assert!(card.contains("65") && card.contains("Missed") && card.contains("aria-details=\"c2p2-days\""), "{card}");
}

/// Names of 10 kB, of which each of 18 criteria has a dozen, and 500 groups.
#[test]
fn names_from_strangers_do_not_make_the_page_large() {
    let page = hostile_page();
    assert!(page.len() < 500_000, "{} bytes", page.len());
    // What is left out is counted, and said where it can be seen.
    for said in ["and 480 more, which hurt less", "and 11 more, below", "and 14 more criteria: <code class=\"cmd\">milepost history</code>"]
    {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn every_chart_of_the_panels_names_its_table() {
    let scorecard = year();
    let panels = full(&criteria(), scorecard.generated_at, str::to_owned);
    let page = dashboard(Shown { scorecard: &scorecard, details: &details(&scorecard), panels: Some(&panels) }).expect("a page");
    let charts: Vec<_> = elements(&page, "<svg", ">").into_iter().filter(|tag| tag.contains("role=\"img\"")).collect();
    assert!(charts.iter().filter(|tag| tag.contains("class=\"p-")).count() > 30, "{} charts", charts.len());
    for tag in charts {
        let table = tag.split_once(" aria-details=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
        let tables = elements(&page, "<table", ">").into_iter().filter(|tag| tag.contains(&format!("id=\"{table}\""))).count();
        assert_eq!(tables, 1, "{tag}");
    }
}

/// The page on which every name is a stranger's.
fn hostile_page() -> String {
    let scorecard = hostile();
    let mut details = details(&scorecard);
    let plans = plans(&criteria().criteria, &[]).expect("plans");
    for (detail, plans) in details.iter_mut().zip(&plans) {
        detail.plans.clone_from(plans);
    }
    let panels = full(&criteria(), scorecard.generated_at, |name| format!("{name}{HOSTILE}{}", "o".repeat(10_240)));
    dashboard(Shown { scorecard: &scorecard, details: &details, panels: Some(&panels) }).expect("a page")
}

fn criteria() -> Criteria {
    let text = Preset::named("nix-for-humanity").expect("a preset").text("nix-for-humanity");
    Config::read(Path::new("milepost.toml"), text.as_bytes()).expect("a configuration").criteria
}

fn preset() -> Scorecard {
    judge(&criteria(), &[], &[], at("2026-11-24T21:13:00Z"))
}

/// Every verdict, both severities, groups and parts, with all that stands beside a verdict.
fn year() -> Scorecard {
    let verdicts = [
        (Verdict::Met, None),
        (Verdict::NotProven, None),
        (Verdict::Missed, Some(Severity::Amber)),
        (Verdict::Met, None),
        (Verdict::NotProven, None),
        (Verdict::Met, None),
        (Verdict::Missed, Some(Severity::Red)),
        (Verdict::Stale, None),
        (Verdict::Met, None),
        (Verdict::NoData, None),
    ];
    let mut scorecard = preset();
    for (index, criterion) in scorecard.criteria.iter_mut().enumerate() {
        let of = |place: usize| verdicts[(index + place) % verdicts.len()];
        criterion.groups = match criterion.name.as_str() {
            "Command success rate" => ["install", "search", "config_gen", "list", "update"].map(|name| (name, name != "update")).to_vec(),
            "All 10 personas working" => PERSONAS.map(|name| (name, true)).to_vec(),
            _ => Vec::new(),
        }
        .into_iter()
        .map(|(name, judged)| group(name, judged, Judgement { advice: None, command: None, ..criterion.judgement.clone() }))
        .collect();
        for (place, part) in criterion.parts.iter_mut().enumerate() {
            fill(&mut part.judgement, of(place), index + place);
        }
        for (place, group) in criterion.groups.iter_mut().enumerate() {
            fill(&mut group.judgement, of(place), index + place);
        }
        match worst(criterion) {
            Some((verdict, severity)) if !criterion.parts.is_empty() => {
                (criterion.judgement.verdict, criterion.judgement.severity) = (verdict, severity);
                // What decides has none: a miss is news by its number.
                criterion.judgement.advice = None;
            }
            worst => fill(&mut criterion.judgement, worst.unwrap_or_else(|| of(0)), index),
        }
        if index % 4 == 0 {
            let was = at("2026-09-30T20:00:00Z");
            criterion.was = Some(Was { verdict: Verdict::Met, at: was, same_definition: true });
            let of = |shares: &[(&str, u64)]| shares.iter().map(|(name, n)| Share { name: (*name).to_owned(), n: *n }).collect();
            let operations = of(&[("install", 102), ("config_gen", 58), ("update", 50)]);
            criterion.misses = Some(Misses { n: 213, failed: 148, operations, categories: of(&[("network", 102), ("validation", 46)]) });
            let (from, to) = (at("2026-10-20T00:00:00Z"), at("2026-10-22T00:00:00Z"));
            criterion.excluded = vec![Exclusion {
                id: "a".to_owned(),
                from,
                to,
                reason: Some("The cache was down.".to_owned()),
                criterion: None,
                recorded: to,
                undone: None,
            }];
        }
    }
    counted(scorecard)
}

fn met() -> Scorecard {
    let mut scorecard = preset();
    for (index, criterion) in scorecard.criteria.iter_mut().enumerate() {
        let parts = criterion.parts.iter_mut().map(|part| &mut part.judgement);
        let groups = criterion.groups.iter_mut().map(|group| &mut group.judgement);
        parts.chain(groups).for_each(|judgement| fill(judgement, (Verdict::Met, None), index));
        if criterion.parts.is_empty() {
            fill(&mut criterion.judgement, (Verdict::Met, None), index);
        }
        criterion.judgement.verdict = Verdict::Met;
    }
    counted(scorecard)
}

/// Names that would be markup, would turn the direction of what follows, or are long; and more groups than the page lists.
fn hostile() -> Scorecard {
    let mut scorecard = year();
    let long = format!("{HOSTILE}{}", "o".repeat(10_240));
    scorecard.project = HOSTILE.to_owned();
    for (index, criterion) in scorecard.criteria.iter_mut().enumerate() {
        let text = if index % 2 == 0 { HOSTILE } else { &long };
        for own in [&mut criterion.name, &mut criterion.definition, &mut criterion.since.why] {
            *own = text.to_owned();
        }
        for own in [&mut criterion.card, &mut criterion.baseline, &mut criterion.method] {
            *own = Some(text.to_owned());
        }
        let judgement = &mut criterion.judgement;
        (judgement.metric, judgement.advice, judgement.command) = (Some(text.to_owned()), Some(text.to_owned()), Some(text.to_owned()));
        if let Some(misses) = &mut criterion.misses {
            misses.operations.iter_mut().for_each(|share| share.name = text.to_owned());
        }
        if index < 2 {
            criterion.groups = (0..500).map(|n| group(&format!("{n} {text}"), n % 9 != 0, criterion.judgement.clone())).collect();
        }
    }
    scorecard
}

/// What the parts or groups of a criterion make of it; `None` where it has neither.
fn worst(criterion: &CriterionResult) -> Option<(Verdict, Option<Severity>)> {
    let parts = criterion.parts.iter().map(|part| &part.judgement);
    let groups = criterion.groups.iter().filter(|group| group.judged).map(|group| &group.judgement);
    let all: Vec<_> = parts.chain(groups).collect();
    let severity = all.iter().filter_map(|judgement| judgement.severity).max_by_key(|severity| *severity == Severity::Red);
    (!all.is_empty()).then(|| (conjunction(all.iter().map(|judgement| judgement.verdict)), severity))
}

/// Counts what was filled in for each tier.
fn counted(mut scorecard: Scorecard) -> Scorecard {
    for tier in Tier::ALL {
        let verdicts: Vec<_> = scorecard.criteria.iter().filter(|c| c.tier == Some(*tier)).map(|c| c.judgement.verdict).collect();
        let met = verdicts.iter().filter(|verdict| **verdict == Verdict::Met).count();
        scorecard.tiers.insert(*tier, TierResult { met, of: verdicts.len(), verdict: conjunction(verdicts) });
    }
    scorecard.verdict = scorecard.tiers[&Tier::Must].verdict;
    scorecard
}

/// Makes a judgement one of this verdict, on a year of days.
fn fill(judgement: &mut Judgement, (verdict, severity): (Verdict, Option<Severity>), seed: usize) {
    if verdict == Verdict::NoData {
        return;
    }
    let target = judgement.target.clone();
    let target = target.as_ref();
    let upper = target.and_then(|target| target.below.or(target.at_most));
    let lower = target.and_then(|target| target.above.or(target.at_least));
    let is_good = !matches!(verdict, Verdict::Missed);
    let estimate = match (upper, lower) {
        (Some(limit), _) => limit * if is_good { 0.62 } else { 1.3 },
        (None, Some(limit)) if judgement.unit == "%" && is_good => limit + (100.0 - limit) * 0.6,
        (None, Some(limit)) => limit * if is_good { 1.4 } else { 0.8 },
        (None, None) => 310.0,
    };
    // It became better in summer.
    let before = estimate * if upper.is_some() { 1.4 } else { 0.9 };
    let most = if judgement.unit == "%" { 100.0 } else { f64::INFINITY };
    let width = if verdict == Verdict::NotProven { 0.5 } else { 0.08 };
    let n = 8760 - 37 * seed as u64;
    let failures = if is_good { n / 90 } else { n / 7 };
    *judgement = Judgement {
        verdict,
        severity,
        estimate: Some(estimate),
        interval: [Some(estimate * (1.0 - width)), (verdict != Verdict::NotProven).then_some((estimate * (1.0 + width)).min(most))],
        n,
        successes: Some(n - failures),
        failures: Some(failures),
        error_budget: Some(Budget { allowed: n as f64 / 20.0, used: failures }),
        leaning: (verdict == Verdict::NotProven).then_some(Leaning::Inside),
        at_least_more: (verdict == Verdict::NotProven).then_some(41),
        projected_more: (verdict == Verdict::NotProven).then_some(120),
        newest_event: Some(at(if verdict == Verdict::Stale { "2026-11-02T18:00:00Z" } else { "2026-11-24T20:40:00Z" })),
        advice: match verdict {
            Verdict::NotProven => Some("at least 41 more; about 120 at the current rate".to_owned()),
            Verdict::Stale => Some("the newest event is 22 days old".to_owned()),
            _ => None,
        },
        command: None,
        trend: days(estimate, before, most, seed),
        changes: vec![ProbableChange {
            from: date(2026, 7, 14),
            is_trend: false,
            before,
            after: estimate,
            change: Some(estimate / before - 1.0),
            same_hosts: Some(seed.is_multiple_of(2)),
        }],
        ..judgement.clone()
    };
}

/// A year of days: a level that changes once, noise, three weeks without events, and days that no finite number describes.
fn days(level: f64, before: f64, most: f64, seed: usize) -> Vec<TrendPoint> {
    let mut state = seed as u64 + 1;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let first = date(2025, 11, 25);
    let day = |place: i32| {
        let (noise, n) = (noise(), 20 + place.unsigned_abs() as u64 % 9);
        let is_gap = (90..111).contains(&place) || place % 29 == 17;
        let value = ((if place < 231 { before } else { level }) * (0.94 + 0.12 * noise)).min(most);
        (!is_gap).then(|| TrendPoint { date: first + place.days(), value: (place % 97 != 40).then_some(value), n })
    };
    (0..365).filter_map(day).collect()
}
