//! What is told and what is not, over sequences of runs.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::{civil::Date, tz::TimeZone};
use milepost_judge::{
    Criteria, Criterion, Scorecard, Since, Tier, Verdict,
    alerts::{Alert, Kind, Watch},
    scorecard::{self, CriterionResult, Judgement, ProbableChange},
};
use milepost_record::Timestamp;
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);

/// One criterion at one run.
#[derive(Clone, Debug)]
struct Shown {
    verdict: Verdict,
    /// Days from the first of January 2026 to the beginning of the epoch.
    epoch: u8,
    fell_back: Option<Date>,
    change: Option<Date>,
}

fn shown(verdict: Verdict) -> Shown {
    Shown { verdict, epoch: 0, fell_back: None, change: None }
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

fn result(name: &str, shown: &Shown) -> CriterionResult {
    let change = |from| ProbableChange { from, is_trend: false, before: 1.0, after: 2.0, change: Some(1.0), same_hosts: None };
    CriterionResult {
        name: name.to_owned(),
        tier: Some(Tier::Must),
        card: None,
        judgement: Judgement {
            verdict: shown.verdict,
            fell_back: shown.fell_back,
            changes: shown.change.into_iter().map(change).collect(),
            ..Judgement::nothing()
        },
        baseline: None,
        method: None,
        definition: String::new(),
        since: scorecard::Since { from: start().saturating_add(24 * HOUR * u32::from(shown.epoch)), why: "quarter".to_owned() },
        excluded: Vec::new(),
        was: None,
        misses: None,
        groups: Vec::new(),
        parts: Vec::new(),
    }
}

/// Runs an hour apart, from the hundredth day on; of each run, what it tells.
fn told(runs: &[Vec<(&str, Shown)>]) -> Vec<Vec<Alert>> {
    let mut watch = Watch::default();
    let run = |(index, run): (usize, &Vec<(&str, Shown)>)| {
        let criterion = |name: &str| Criterion {
            name: name.to_owned(),
            tier: Some(Tier::Must),
            goals: Vec::new(),
            since: Since::Quarter,
            baseline: None,
            method: None,
            max_age: 7 * 24 * HOUR,
            card: None,
            alpha: 0.05,
        };
        let criteria = Criteria {
            project: "p".to_owned(),
            time_zone: "UTC".to_owned(),
            calendar: TimeZone::UTC,
            version: None,
            aliases: BTreeMap::new(),
            criteria: run.iter().map(|(name, _)| criterion(name)).collect(),
        };
        let scorecard = Scorecard {
            schema_version: scorecard::SCHEMA_VERSION,
            project: "p".to_owned(),
            generated_at: start().saturating_add(24 * HOUR * 100 + HOUR * u32::try_from(index).expect("few runs")),
            verdict: Verdict::NoData,
            tiers: BTreeMap::new(),
            criteria: run.iter().map(|(name, shown)| result(name, shown)).collect(),
        };
        let alerts = watch.see(&criteria, &scorecard);
        // Nothing is lost where it is written down in between.
        watch = serde_json::from_str(&serde_json::to_string(&watch).expect("JSON")).expect("as it was");
        alerts
    };
    runs.iter().enumerate().map(run).collect()
}

fn of_one(runs: &[Shown]) -> Vec<Vec<Alert>> {
    told(&runs.iter().map(|shown| vec![("a", shown.clone())]).collect::<Vec<_>>())
}

/// What runs of one criterion tell, by the number of the run.
fn kinds(runs: &[Shown]) -> Vec<(usize, Kind)> {
    let told = of_one(runs);
    told.iter().enumerate().flat_map(|(index, alerts)| alerts.iter().map(move |alert| (index, alert.kind))).collect()
}

fn verdicts(words: &str) -> Vec<Shown> {
    let verdict = |word| match word {
        "+" => Verdict::Met,
        "-" => Verdict::Missed,
        "?" => Verdict::NotProven,
        "0" => Verdict::NoData,
        "s" => Verdict::Stale,
        other => panic!("no verdict: {other}"),
    };
    words.split(' ').map(|word| shown(verdict(word))).collect()
}

#[test]
fn a_change_is_told_at_its_second_run_and_once() {
    for (runs, expected) in [
        // What is there from the first is no change.
        ("- - - -", vec![]),
        ("+ + + +", vec![]),
        ("0 0 0 0 0", vec![]),
        ("s s s", vec![]),
        ("? ? - - - -", vec![(3, Kind::Missed)]),
        ("? ? + + +", vec![(3, Kind::Met)]),
        ("+ - + - + -", vec![]),
        ("+ - - + + - -", vec![(2, Kind::Missed), (4, Kind::Met), (6, Kind::Missed)]),
        // What was met is not proven any more, and then missed.
        ("+ ? ? ? - -", vec![(2, Kind::NotProven), (5, Kind::Missed)]),
        ("+ ? ? + +", vec![(2, Kind::NotProven), (4, Kind::Met)]),
        // A miss that is not proven any more is not over.
        ("+ - - ? ? - -", vec![(2, Kind::Missed)]),
        // Data vanish and come again: that solves nothing, and nothing is told twice.
        ("+ - - 0 0 0 - -", vec![(2, Kind::Missed), (4, Kind::DataStopped), (7, Kind::DataAgain)]),
        ("+ - - s s s 0 0", vec![(2, Kind::Missed), (4, Kind::DataStopped)]),
        ("+ - s - s - -", vec![(6, Kind::Missed)]),
        ("+ + s + s +", vec![]),
        // It was stale before anybody watched.
        ("s s + +", vec![(3, Kind::Met)]),
    ] {
        assert_eq!(kinds(&verdicts(runs)), expected, "{runs}");
    }
}

#[test]
fn what_clears_names_what_it_clears() {
    let alerts: Vec<_> = of_one(&verdicts("+ ? ? - - s s + +")).concat();
    let [lapsed, missed, stopped, met, again] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!([lapsed, missed, stopped].map(|alert| alert.clears.clone()), [None, None, None]);
    assert_eq!(met.clears.as_ref(), Some(&missed.id));
    assert_eq!(again.clears.as_ref(), Some(&stopped.id));
    assert_eq!((met.kind, again.kind, met.verdict), (Kind::Met, Kind::DataAgain, Some(Verdict::Met)));
    let mut ids: Vec<_> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert!(ids.iter().all(|id| id.len() == 16));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), alerts.len(), "no two alerts have one id");
}

#[test]
fn evidence_that_begins_anew_is_no_news() {
    let anew = |verdict, epoch| Shown { epoch, ..shown(verdict) };
    let (met, missed, open, none) = (Verdict::Met, Verdict::Missed, Verdict::NotProven, Verdict::NoData);
    // A quarter begins, two days before the hundredth day.
    let quarter = [shown(met), shown(met), anew(none, 98), anew(none, 98), anew(open, 98), anew(open, 98), anew(met, 98), anew(met, 98)];
    assert_eq!(kinds(&quarter), []);
    let quarter = [shown(met), anew(open, 98), anew(open, 98), anew(missed, 98), anew(missed, 98)];
    assert_eq!(kinds(&quarter), [(4, Kind::Missed)]);
    // It began ten days ago, and nothing came since, though data may be seven days old.
    assert_eq!(kinds(&[shown(met), anew(none, 90), anew(none, 90), anew(none, 90)]), [(2, Kind::DataStopped)]);
}

#[test]
fn a_goal_that_fell_back_is_told_in_whichever_epoch() {
    let fell = |verdict, date| Shown { fell_back: Some(day(date)), epoch: 90, ..shown(verdict) };
    let (met, open) = (Verdict::Met, Verdict::NotProven);
    let runs = [
        shown(met),
        fell(open, "2026-04-08"),
        fell(open, "2026-04-08"),
        fell(met, "2026-04-08"),
        fell(met, "2026-04-08"),
        fell(met, "2026-04-08"),
        fell(open, "2026-04-20"),
        fell(open, "2026-04-20"),
    ];
    assert_eq!(kinds(&runs), [(2, Kind::NotProven), (4, Kind::Met), (7, Kind::NotProven)]);
    let alerts = of_one(&runs).concat();
    assert_eq!(alerts.last().and_then(|alert| alert.fell_back), Some(day("2026-04-20")));
}

#[test]
fn a_level_that_changes_is_told_once_though_its_day_moves() {
    let changed = |date: &str| Shown { change: (!date.is_empty()).then(|| day(date)), ..shown(Verdict::Met) };
    let of = |dates: &[&str]| kinds(&dates.iter().map(|date| changed(date)).collect::<Vec<_>>());
    assert_eq!(of(&["2026-04-01", "2026-04-01", "2026-04-01"]), [], "it was there from the first");
    assert_eq!(of(&["", "2026-04-01", "2026-04-02", "2026-04-03", "", "2026-04-01", "2026-04-01"]), [(2, Kind::Changed)]);
    assert_eq!(of(&["", "2026-04-01", "", "2026-04-01", "", ""]), []);
    assert_eq!(of(&["2026-04-01", "2026-04-09", "2026-04-09", "2026-04-01", "2026-04-01"]), [(2, Kind::Changed)]);
    assert_eq!(of(&["2026-04-01", "2026-04-08", "2026-04-08"]), [], "seven days later, it is the same one");
}

#[test]
fn a_criterion_that_is_gone_is_silent_at_once() {
    let run = |words: &str| verdicts(words).into_iter().map(|shown| vec![("a", shown)]).collect::<Vec<_>>();
    let runs = [run("+ -"), vec![Vec::new()], run("- - -")].concat();
    assert_eq!(told(&runs).concat(), []);
    let mut watch = Watch::default();
    let none = Criteria {
        project: "p".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria: Vec::new(),
    };
    let mut scorecard = Scorecard {
        schema_version: scorecard::SCHEMA_VERSION,
        project: "p".to_owned(),
        generated_at: start(),
        verdict: Verdict::NoData,
        tiers: BTreeMap::new(),
        criteria: vec![result("a", &shown(Verdict::Met))],
    };
    assert_eq!(watch.see(&none, &scorecard), []);
    assert_ne!(watch, Watch::default(), "it is watched");
    scorecard.criteria.clear();
    assert_eq!(watch.see(&none, &scorecard), []);
    assert_eq!(watch, Watch::default(), "it is forgotten");
}

fn some_shown() -> impl Strategy<Value = Shown> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Met),
        3 => Just(Verdict::Missed),
        2 => Just(Verdict::NotProven),
        1 => Just(Verdict::NoData),
        1 => Just(Verdict::Stale),
    ];
    let date = || proptest::option::of((1..28_i8).prop_map(|day| Date::constant(2026, 4, day)));
    let epoch = prop_oneof![3 => Just(0_u8), 1 => Just(90), 1 => Just(98)];
    (verdict, epoch, date(), date()).prop_map(|(verdict, epoch, fell_back, change)| Shown { verdict, epoch, fell_back, change })
}

/// Runs of which many show the same as the one before; in some, the criterion is not there.
fn some_runs() -> impl Strategy<Value = Vec<Option<Shown>>> {
    let stretch = (prop_oneof![8 => some_shown().prop_map(Some), 1 => Just(None)], 1..4_usize);
    proptest::collection::vec(stretch, 0..12)
        .prop_map(|stretches| stretches.into_iter().flat_map(|(shown, n)| std::iter::repeat_n(shown, n)).collect())
}

fn named<'a>(name: &'a str, shown: Option<&Option<Shown>>) -> Option<(&'a str, Shown)> {
    Some((name, shown?.clone()?))
}

proptest! {
    /// Broken by telling a change at its first run, by clearing where data vanish, or by telling what was told.
    #[test]
    fn only_what_lasted_is_told_and_nothing_twice(runs in some_runs()) {
        let told = told(&runs.iter().map(|run| named("a", Some(run)).into_iter().collect()).collect::<Vec<_>>());
        let (mut proven, mut data) = (None, Kind::DataAgain);
        for (index, alerts) in told.iter().enumerate() {
            let Some(now) = &runs[index] else {
                prop_assert!(alerts.is_empty(), "it is gone, and silent");
                (proven, data) = (None, Kind::DataAgain);
                continue;
            };
            for alert in alerts {
                let before = index.checked_sub(1).and_then(|before| runs[before].as_ref());
                let before = before.expect("at its first run nothing is told of a criterion");
                let shows = |verdicts: &[Verdict]| verdicts.contains(&before.verdict) && verdicts.contains(&now.verdict);
                match alert.kind {
                    Kind::Met => prop_assert!(shows(&[Verdict::Met])),
                    Kind::Missed => prop_assert!(shows(&[Verdict::Missed])),
                    Kind::NotProven => prop_assert!(shows(&[Verdict::NotProven])),
                    Kind::DataStopped => prop_assert!(shows(&[Verdict::Stale, Verdict::NoData])),
                    Kind::DataAgain => prop_assert!(shows(&[Verdict::Met, Verdict::Missed, Verdict::NotProven])),
                    Kind::Changed => prop_assert!(before.change.is_some() && now.change.is_some()),
                    Kind::Test => prop_assert!(false, "nobody asked for a test"),
                }
                match alert.kind {
                    Kind::Met | Kind::Missed | Kind::NotProven => {
                        prop_assert_ne!(proven, Some(alert.kind), "told twice without a change in between");
                        proven = Some(alert.kind);
                    }
                    Kind::DataStopped | Kind::DataAgain => {
                        prop_assert_ne!(data, alert.kind, "told twice, or cleared without having been told");
                        data = alert.kind;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Broken by forgetting what was seen once, or by losing a change among others.
    #[test]
    fn what_lasts_two_runs_is_known(runs in some_runs()) {
        let told = told(&runs.iter().map(|run| named("a", Some(run)).into_iter().collect()).collect::<Vec<_>>());
        let mut known = None;
        for (index, alerts) in told.iter().enumerate() {
            let Some(now) = &runs[index] else {
                known = None;
                continue;
            };
            let before = index.checked_sub(1).and_then(|before| runs[before].as_ref());
            if before.is_none() {
                known = Some(now.verdict);
            }
            for alert in alerts {
                match alert.kind {
                    Kind::Met => known = Some(Verdict::Met),
                    Kind::Missed => known = Some(Verdict::Missed),
                    Kind::NotProven => known = Some(Verdict::NotProven),
                    _ => {}
                }
            }
            let lasted = before.is_some_and(|before| before.verdict == now.verdict);
            if lasted && matches!(now.verdict, Verdict::Met | Verdict::Missed) {
                prop_assert_eq!(known, Some(now.verdict));
            }
        }
    }

    /// Broken by a state that criteria share.
    #[test]
    fn no_criterion_has_to_do_with_another(one in some_runs(), other in some_runs(), first: bool) {
        let alone = told(&one.iter().map(|run| named("a", Some(run)).into_iter().collect()).collect::<Vec<_>>()).concat();
        let together = (0..one.len()).map(|index| {
            let mut both: Vec<_> = named("a", one.get(index)).into_iter().chain(named("b", other.get(index))).collect();
            if first {
                both.reverse();
            }
            both
        });
        let together: Vec<_> = told(&together.collect::<Vec<_>>()).concat();
        let of_a: Vec<_> = together.into_iter().filter(|alert| alert.criterion.as_deref() == Some("a")).collect();
        prop_assert_eq!(of_a, alone);
    }
}
