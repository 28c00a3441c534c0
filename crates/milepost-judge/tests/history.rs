//! The history that a project of some weeks has.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jiff::tz::TimeZone;
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Metric, Relation, Since, Tier, Verdict,
    history::{CriterionHistory, Direction, History, What, history},
    quantile::Quantile,
};
use milepost_record::{Event, Timestamp};
use std::{collections::BTreeMap, time::Duration};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn criterion(name: &str, tier: Tier) -> Criterion {
    let goal = Goal {
        metric: Metric::Latency(Quantile::P95),
        relation: Relation::Below,
        limit: Some("500ms".parse().expect("an amount")),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    };
    Criterion {
        name: name.to_owned(),
        tier: Some(tier),
        goals: vec![goal],
        since: Since::Quarter,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(7 * 86400),
        card: None,
        alpha: 0.05,
    }
}

fn of(criteria: Vec<Criterion>, recorded: &[Event]) -> History {
    let criteria = Criteria {
        project: "test".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria,
    };
    history(&criteria, recorded)
}

fn defined(when: &str, name: &str, key: &str, definition: &[(&str, &str)]) -> Event {
    let mut criterion = milepost_record::Criterion::new(name, key);
    criterion.definition = Some(definition.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect());
    Event::at(at(when), criterion)
}

fn judged(when: &str, name: &str, verdict: Verdict) -> Event {
    let mut judged = milepost_record::Verdict::new(name, "k", verdict);
    judged.n = Some(100);
    Event::at(at(when), judged)
}

fn directions(of: &CriterionHistory) -> Vec<Option<Direction>> {
    let direction = |what: &What| if let What::Redefined { direction, .. } = what { Some(*direction) } else { None };
    of.changes.iter().filter_map(|change| direction(&change.what)).collect()
}

#[test]
fn verdicts_are_told_once_until_they_change() {
    use Verdict::{Met, Missed, NoData, NotProven};
    let days = [NoData, NoData, NotProven, Met, Met, Missed, Met];
    let mut recorded = vec![defined("2026-10-01T00:00:00Z", "a", "k", &[("below", "500ms")])];
    recorded.extend(days.iter().enumerate().map(|(day, verdict)| judged(&format!("2026-10-{:02}T07:00:00Z", day + 1), "a", *verdict)));
    // Recorded in any order.
    recorded.reverse();
    let history = of(vec![criterion("a", Tier::Must)], &recorded);
    let told: Vec<_> = history.criteria[0].changes.iter().map(|change| (change.at.to_string(), change.what.clone())).collect();
    let verdicts: Vec<_> = told
        .iter()
        .filter_map(|(at, what)| if let What::Judged { verdict, before, .. } = what { Some((&at[8..10], *verdict, *before)) } else { None })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("01", NoData, None),
            ("03", NotProven, Some(NoData)),
            ("04", Met, Some(NotProven)),
            ("06", Missed, Some(Met)),
            ("07", Met, Some(Missed))
        ]
    );
    assert!(matches!(told[0].1, What::Defined { .. }));
    assert_eq!(history.criteria[0].first_met, Some(at("2026-10-04T07:00:00Z")));
}

#[test]
fn a_bound_that_moves_tightens_or_loosens_and_two_changes_do_neither() {
    let recorded = [
        defined("2026-10-01T00:00:00Z", "a", "1", &[("below", "500ms"), ("since", "quarter")]),
        defined("2026-10-02T00:00:00Z", "a", "2", &[("below", "1s"), ("since", "quarter")]),
        defined("2026-10-03T00:00:00Z", "a", "3", &[("below", "300ms"), ("since", "quarter")]),
        defined("2026-10-04T00:00:00Z", "a", "4", &[("below", "0.3s"), ("since", "quarter")]),
        defined("2026-10-05T00:00:00Z", "a", "5", &[("below", "100ms"), ("since", "month")]),
        defined("2026-10-06T00:00:00Z", "a", "6", &[("above", "90%")]),
        defined("2026-10-07T00:00:00Z", "a", "7", &[("above", "95%")]),
        // The same again changes nothing.
        defined("2026-10-08T00:00:00Z", "a", "7", &[("above", "95%")]),
    ];
    let history = of(vec![criterion("a", Tier::Must)], &recorded);
    let [loosened, tightened] = [Some(Direction::Loosened), Some(Direction::Tightened)];
    assert_eq!(directions(&history.criteria[0]), [loosened, tightened, None, None, None, tightened]);
    // What was met under another definition says nothing of this one.
    let met = [recorded[0].clone(), judged("2026-10-01T01:00:00Z", "a", Verdict::Met), recorded[1].clone()];
    let again = of(vec![criterion("a", Tier::Must)], &[&met[..], &[judged("2026-10-02T01:00:00Z", "a", Verdict::Met)]].concat());
    assert!(matches!(again.criteria[0].changes[3].what, What::Judged { verdict: Verdict::Met, before: None, .. }));
}

#[test]
fn a_tier_is_reached_when_all_of_it_is_met_after_one_round() {
    let both = || vec![criterion("a", Tier::Must), criterion("b", Tier::Must), criterion("c", Tier::Nice)];
    // In no round both are met: while the second is noted, a is met and b becomes so, and then a is not any more.
    let never = [
        judged("2026-10-01T07:00:00Z", "b", Verdict::Missed),
        judged("2026-10-01T07:00:01Z", "a", Verdict::Met),
        judged("2026-10-02T07:00:00Z", "b", Verdict::Met),
        judged("2026-10-02T07:00:01Z", "a", Verdict::Missed),
    ];
    let history = of(both(), &never);
    assert_eq!((history.tiers[&Tier::Must].first, history.tiers[&Tier::Must].still), (None, false));
    assert_eq!(history.tiers.len(), 2, "there is no should criterion");
    let once = [&never[..], &[judged("2026-10-03T07:00:00Z", "a", Verdict::Met)]].concat();
    let reached = of(both(), &once).tiers[&Tier::Must];
    assert_eq!((reached.first, reached.still), (Some(at("2026-10-03T07:00:00Z")), true));
    let lost = [&once[..], &[judged("2026-10-04T07:00:00Z", "b", Verdict::Stale)]].concat();
    let lost = of(both(), &lost).tiers[&Tier::Must];
    assert_eq!((lost.first, lost.still), (Some(at("2026-10-03T07:00:00Z")), false));
}

#[test]
fn a_criterion_that_was_deleted_comes_last_and_empty_is_empty() {
    let recorded = [judged("2026-10-01T07:00:00Z", "gone", Verdict::Met)];
    let history = of(vec![criterion("a", Tier::Must)], &recorded);
    let names: Vec<_> = history.criteria.iter().map(|c| (c.criterion.as_str(), c.is_configured, c.changes.len())).collect();
    assert_eq!(names, [("a", true, 0), ("gone", false, 1)]);
    assert_eq!(history.tiers[&Tier::Must].first, None);
}
