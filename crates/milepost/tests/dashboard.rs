//! Holds the page to its promises: nothing unknown is green, strangers' names do no harm, every chart has a table, and nothing
//! comes from a network.
//!
//! A test fails when somebody adds a class or an attribute that paints an unknown verdict as met, an `|safe` too many, a font
//! from elsewhere, or a colour that is hard to read.

#![expect(clippy::expect_used, reason = "a page that cannot be made or read must fail the test")]

use jiff::civil::date;
use milepost::render::html::{GROUPS_SHOWN_MAX, Shown, dashboard};
use milepost_judge::{
    Scorecard, Tier, Verdict, conjunction,
    scorecard::{
        CriterionResult, GroupResult, Judgement, Leaning, PartResult, Reason, SCHEMA_VERSION, Severity, Since, Target, TierResult,
        TrendPoint,
    },
};
use milepost_record::Timestamp;
use std::collections::BTreeMap;

#[path = "dashboard/criterion.rs"]
mod criterion_pages;
#[path = "dashboard/pages.rs"]
mod pages;
#[path = "dashboard/seen.rs"]
mod seen;

/// What only a criterion that is met may carry.
const GREEN: &str = r#"data-verdict="met""#;
const HOSTILE: &str = "</script></title><img src=x onerror=alert(1)>\"'&\u{202e}\0";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A latency without any event.
fn no_data() -> Judgement {
    Judgement {
        metric: Some("latency.p95".to_owned()),
        target: Some(Target { below: Some(500.0), at_most: None, above: None, at_least: None, unit: "ms".to_owned() }),
        unit: "ms".to_owned(),
        advice: Some("nothing has come in yet; feed it".to_owned()),
        command: Some("milepost run --operation NAME -- COMMAND".to_owned()),
        ..Judgement::nothing()
    }
}

/// A latency with events on three days of which two follow one another.
fn observed(verdict: Verdict, estimate: f64) -> Judgement {
    let day = |day, value| TrendPoint { date: date(2026, 11, day), value, n: 20 };
    Judgement {
        verdict,
        estimate: Some(estimate),
        interval: [Some(estimate * 0.9), Some(estimate * 1.2)],
        n: 812,
        successes: Some(799),
        failures: Some(13),
        newest_event: Some(at("2026-11-24T18:00:00Z")),
        advice: None,
        trend: vec![day(16, Some(estimate)), day(17, None), day(19, Some(300.0)), day(20, Some(310.0))],
        ..no_data()
    }
}

fn criterion(name: &str, tier: Option<Tier>, judgement: Judgement) -> CriterionResult {
    CriterionResult {
        name: name.to_owned(),
        tier,
        card: Some(name.to_owned()),
        judgement,
        baseline: Some("2s to 5s".to_owned()),
        method: Some("milepost run".to_owned()),
        definition: "the time within which 95% of operations succeed".to_owned(),
        since: Since { from: at("2026-10-01T00:00:00Z"), why: "quarter".to_owned() },
        excluded: Vec::new(),
        was: None,
        misses: None,
        groups: Vec::new(),
        parts: Vec::new(),
    }
}

fn group(name: &str, judged: bool, judgement: Judgement) -> GroupResult {
    GroupResult { group: [("operation".to_owned(), Some(name.to_owned()))].into(), judged, holds_alone: None, judgement }
}

fn scorecard(criteria: Vec<CriterionResult>) -> Scorecard {
    let tiers: BTreeMap<_, _> = Tier::ALL
        .iter()
        .map(|tier| {
            let verdicts: Vec<_> = criteria.iter().filter(|c| c.tier == Some(*tier)).map(|c| c.judgement.verdict).collect();
            let met = verdicts.iter().filter(|verdict| **verdict == Verdict::Met).count();
            (*tier, TierResult { met, of: verdicts.len(), verdict: conjunction(verdicts) })
        })
        .collect();
    Scorecard {
        schema_version: SCHEMA_VERSION,
        project: "nix-for-humanity".to_owned(),
        generated_at: at("2026-11-24T21:13:00Z"),
        verdict: tiers.get(&Tier::Must).map_or(Verdict::NoData, |tier| tier.verdict),
        tiers,
        criteria,
    }
}

/// Every verdict, both severities, parts, groups, and a quantile that failures decide.
fn mixed() -> Scorecard {
    let not_proven = Judgement {
        leaning: Some(Leaning::Inside),
        at_least_more: Some(41),
        projected_more: Some(120),
        advice: Some("at least 41 more; about 120 at the current rate".to_owned()),
        interval: [Some(280.0), None],
        ..observed(Verdict::NotProven, 312.4)
    };
    let missed = |severity| Judgement { severity: Some(severity), ..observed(Verdict::Missed, 700.0) };
    let endless = Judgement { estimate: None, interval: [None, None], ..missed(Severity::Red) };
    let stale = Judgement { advice: Some("the newest event is 12 days old".to_owned()), ..observed(Verdict::Stale, 100.0) };
    let mut grouped = criterion("Grouped", Some(Tier::Should), missed(Severity::Red));
    grouped.groups = vec![
        group("install", true, observed(Verdict::Met, 120.0)),
        group("search", true, missed(Severity::Red)),
        group("rollback", false, not_proven.clone()),
    ];
    let part = |judgement| PartResult { judgement, definition: "the largest reading".to_owned(), groups: Vec::new() };
    let mut parts = criterion("Parts", Some(Tier::Nice), Judgement { metric: None, target: None, ..no_data() });
    parts.parts = vec![part(observed(Verdict::Met, 200.0)), part(no_data())];
    scorecard(vec![
        criterion("Met", Some(Tier::Must), observed(Verdict::Met, 312.4)),
        criterion("Amber", Some(Tier::Must), missed(Severity::Amber)),
        criterion("Red", Some(Tier::Must), missed(Severity::Red)),
        criterion("Open", Some(Tier::Must), not_proven),
        criterion("Endless", Some(Tier::Should), endless),
        grouped,
        parts,
        criterion("Stale", Some(Tier::Nice), stale),
        criterion("Untiered", None, no_data()),
    ])
}

fn page(scorecard: &Scorecard) -> String {
    dashboard(Shown { scorecard, details: &criterion_pages::details(scorecard), panels: None }).expect("a page")
}

/// The elements of a page that begin with `start`, each up to `end`.
fn elements<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let after_each = page.match_indices(start).filter_map(|(from, _)| page.get(from..));
    after_each.map(|rest| rest.split_once(end).map_or(rest, |(element, _)| element)).collect()
}

#[test]
fn nothing_is_green_where_nothing_is_met() {
    let verdicts = [Verdict::NoData, Verdict::Stale, Verdict::NotProven, Verdict::Missed];
    let unmet = verdicts.map(|verdict| {
        let judgement = if verdict == Verdict::NoData { no_data() } else { observed(verdict, 100.0) };
        scorecard(vec![criterion("One", Some(Tier::Must), judgement)])
    });
    for scorecard in unmet.into_iter().chain([scorecard(Vec::new()), scorecard(vec![criterion("Untiered", None, no_data())])]) {
        let page = page(&scorecard);
        assert!(!page.contains(GREEN), "{:?}", scorecard.verdict);
        assert!(!page.contains("\"#s-met\""), "{:?}", scorecard.verdict);
        assert!(!page.contains(">Yes."), "{:?}", scorecard.verdict);
    }
    let met = page(&scorecard(vec![criterion("One", Some(Tier::Must), observed(Verdict::Met, 100.0))]));
    assert!(met.contains(GREEN) && met.contains(">Yes."));
}

#[test]
fn green_follows_from_the_attribute_alone() {
    let page = page(&mixed());
    let style = elements(&page, "<style>", "</style>").concat();
    // The two definitions and the one rule that applies them.
    let uses: Vec<_> = style.lines().filter(|line| line.contains("var(--met")).collect();
    assert_eq!(uses, ["[data-verdict=met] { --v: var(--met); --wash: var(--met-wash) }"]);
}

#[test]
fn what_is_not_known_is_hatched_and_says_how_it_is_fed() {
    let page = page(&scorecard(vec![criterion("One", Some(Tier::Must), no_data())]));
    assert!(page.contains("class=\"unknown\"") && page.contains("class=\"gap\"") && page.contains(">not known<"));
    assert!(page.contains("<code class=\"cmd\">milepost run --operation NAME -- COMMAND</code>"));
    assert!(!page.contains("class=\"estimate\"") && !page.contains("class=\"interval\""), "nothing observed is drawn as nothing");
}

#[test]
fn a_verdict_that_is_not_proven_says_which_way_it_leans_and_how_many_more() {
    let page = page(&mixed());
    assert!(page.contains("Currently 312\u{a0}ms, inside 500\u{a0}ms; at least 41 more needed, about 120 at the current rate."));
}

#[test]
fn names_from_strangers_are_text() {
    let mut scorecard = mixed();
    scorecard.project = HOSTILE.to_owned();
    for criterion in &mut scorecard.criteria {
        for text in [&mut criterion.name, &mut criterion.definition, &mut criterion.since.why] {
            *text = HOSTILE.to_owned();
        }
        for text in [&mut criterion.card, &mut criterion.baseline, &mut criterion.method] {
            *text = Some(HOSTILE.to_owned());
        }
        let of_groups = criterion.groups.iter_mut().map(|group| {
            group.group = [(HOSTILE.to_owned(), Some(HOSTILE.to_owned()))].into();
            &mut group.judgement
        });
        let of_parts = criterion.parts.iter_mut().map(|part| {
            part.definition = HOSTILE.to_owned();
            &mut part.judgement
        });
        for judgement in of_groups.chain(of_parts).chain([&mut criterion.judgement]) {
            judgement.metric = Some(HOSTILE.to_owned());
            // Units are the judge's own words; the page escapes them all the same.
            judgement.unit = "<img>".to_owned();
            (judgement.advice, judgement.command) = (Some(HOSTILE.to_owned()), Some(format!("milepost {HOSTILE}")));
            if let Some(target) = &mut judgement.target {
                target.unit = "<img>".to_owned();
            }
        }
    }
    let page = page(&scorecard);
    for harm in ["<img", "\u{202e}", "\0"] {
        assert!(!page.contains(harm), "{harm:?} is in the page");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    // Each quote in the page is one of the template's: escaped ones are `&#34;`.
    assert!(!page.contains("alert(1)>") && page.contains("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;"));
}

#[test]
fn a_group_cannot_put_a_command_on_the_page() {
    let mut scorecard = mixed();
    for criterion in &mut scorecard.criteria {
        (criterion.judgement.advice, criterion.judgement.command) = (Some("milepost run -- sh -c evil: no data".to_owned()), None);
    }
    scorecard.criteria.retain(|criterion| !criterion.groups.is_empty());
    assert!(!page(&scorecard).contains("<code class=\"cmd\">"));
}

#[test]
fn long_names_and_many_groups_keep_the_page_small() {
    let mut many = criterion(&"n".repeat(16_384), Some(Tier::Must), observed(Verdict::Missed, 700.0));
    many.groups = (0..1000).map(|i| group(&format!("{i} {}", "o".repeat(16_384)), true, observed(Verdict::Met, 100.0))).collect();
    let page = page(&scorecard(vec![many]));
    assert!(page.len() < 120_000, "{} bytes", page.len());
    assert!(page.contains(&format!("and {} more", 1000 - GROUPS_SHOWN_MAX)));
}

#[test]
fn nothing_comes_from_a_network() {
    let page = page(&mixed());
    for reference in ["http:", "https:", "url(//", "src=", "@import", "@font-face", "<link", "<iframe", "import(", "fetch(", "XMLHttp"] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
    let places: Vec<_> = elements(&page, "href=\"", "\" ").into_iter().filter_map(|href| href.get(6..)).collect();
    assert!(places.iter().all(|place| place.starts_with('#')));
}

#[test]
fn every_chart_has_a_title_and_a_table_with_its_numbers() {
    let page = page(&mixed());
    let mut seen = 0;
    for chart in ["band", "days", "growth"].iter().flat_map(|class| elements(&page, &format!("<svg class=\"{class}"), "</svg>")) {
        seen += 1;
        assert!(chart.contains("role=\"img\"") && chart.contains("<title>") && !chart.contains("<title></title>"), "{chart}");
        let table = chart.split_once("aria-details=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
        let tables = elements(&page, "<table", ">").into_iter().filter(|tag| tag.contains(&format!("id=\"{table}\""))).count();
        assert_eq!(tables, 1, "{chart}");
    }
    assert!(seen > 30, "{seen} charts");
    for decoration in elements(&page, "<svg", ">").into_iter().filter(|tag| tag.contains("class=\"sign\"")) {
        assert!(decoration.contains("aria-hidden=\"true\""), "{decoration}");
    }
}

#[test]
fn ids_are_unique_and_every_link_has_its_place() {
    let page = page(&mixed());
    let mut ids: Vec<_> = elements(&page, " id=\"", "\" ").into_iter().filter_map(|id| id.get(5..)?.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for link in elements(&page, "href=\"#", "\" ").into_iter().filter_map(|href| href.get(7..)?.split('"').next()) {
        assert!(ids.binary_search(&link).is_ok(), "#{link}");
    }
}

#[test]
fn days_without_events_are_gaps() {
    let page = page(&scorecard(vec![criterion("One", Some(Tier::Must), observed(Verdict::Met, 310.0))]));
    let chart = elements(&page, "<svg class=\"days\"", "</p>").concat();
    // Two days follow one another; the 16th stands alone, the 17th has no finite value, the 18th has no events.
    assert_eq!(chart.matches('M').count() - chart.matches("M-3").count(), 1, "{chart}");
    assert_eq!(chart.matches("<circle class=\"dot\"").count(), 1, "{chart}");
    assert_eq!(chart.matches("<use class=\"dot\"").count(), 1, "{chart}");
    assert!(page.contains("<td>310<td>∞<td><td>300<td>310<td><td>"), "and dashes in the table");
}

#[test]
fn a_reason_and_a_group_that_is_not_judged_are_named() {
    let mut scorecard = mixed();
    if let Some(open) = scorecard.criteria.iter_mut().find(|criterion| criterion.name == "Open") {
        open.judgement.reason = Some(Reason::TooFew);
    }
    let page = page(&scorecard);
    assert!(page.contains("Fewer than ten events.") && page.contains("shown, not judged"));
}

#[test]
fn the_same_scorecard_gives_the_same_bytes() {
    assert_eq!(page(&mixed()), page(&mixed()));
}

#[test]
fn fifteen_criteria_without_data_are_a_small_page() {
    let tier = |i: usize| Tier::ALL.get(i / 5).copied();
    let criteria = (0..15).map(|i| criterion(&format!("Criterion {i}"), tier(i), no_data())).collect();
    let page = page(&scorecard(criteria));
    assert!(page.len() < 85_000, "{} bytes", page.len());
}

/// WCAG 2.2 AA: 4.5 to 1 for text, 3 to 1 for what has to be seen.
#[test]
fn colours_can_be_told_apart_in_both_schemes() {
    let page = page(&mixed());
    let (light, dark) = page.split_once("prefers-color-scheme: dark").expect("two schemes");
    let dark = dark.split_once("[data-verdict").expect("rules after the colours").0;
    let mut checked = 0;
    for scheme in [light, dark] {
        let colour = |name: &str| {
            let (_, rest) = scheme.rsplit_once(&format!("--{name}: #")).unwrap_or_else(|| panic!("no colour {name}"));
            u32::from_str_radix(&rest[..6], 16).expect("six hexadecimal digits")
        };
        let mut demand = |front: &str, back: &str, least: f64| {
            let ratio = contrast(colour(front), colour(back));
            assert!(ratio >= least, "{front} on {back}: {ratio:.2}");
            checked += 1;
        };
        for verdict in ["met", "amber", "red", "open", "grey"] {
            let wash = format!("{verdict}-wash");
            for back in ["paper", "sheet", &wash] {
                for text in ["ink", "soft", verdict] {
                    demand(text, back, 4.5);
                }
            }
            demand(verdict, "track", 3.0);
        }
        demand("ink", "track", 3.0);
    }
    assert_eq!(checked, 2 * (5 * 10 + 1));
}

/// Contrast ratio of two colours, from 1 to 21.
fn contrast(a: u32, b: u32) -> f64 {
    let luminance = |rgb: u32| {
        let channel = |shift: u32| {
            let value = f64::from((rgb >> shift) & 0xff) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
