//! What changed, and when: section 3 of the reference, and the rows of 2 and 4 on two periods and on alarms.

use super::*;
use milepost_judge::{
    decomposition::Decomposition,
    e_detector::{EDetector, run_length},
    error_budget::{ErrorBudget, burn_rate, burn_rate_for, burn_rate_max, failure_share},
};
use std::collections::BTreeMap;

/// Two periods in which every type and the pooled rate move against each other.
pub fn simpson(row: &Value) {
    let period = |key: &str| -> BTreeMap<String, Counts> {
        let counts = |value: &Value| {
            let [successes, n] = pair(value);
            Counts { successes: successes as u64, failures: (n - successes) as u64 }
        };
        entries(&row[key]).map(|(name, value)| (name.to_owned(), counts(value))).collect()
    };
    let (before, after) = (period("before"), period("after"));
    let found = Decomposition::of(&before, &after).unwrap();
    for (key, value) in entries(row) {
        match key {
            "before" | "after" => {}
            "pooled" => close_pair(found.pooled_rates, pair(value), FORMULA),
            "macro" => close_pair(found.macro_rates, pair(value), FORMULA),
            "kitagawa_rate_effect" => close(found.rate_effect, number(value), FORMULA),
            "kitagawa_mix_effect" => close(found.mix_effect, number(value), FORMULA),
            _ => panic!("nobody checks {key}"),
        }
    }
    assert!(found.is_simpson() && found.new_types.is_empty() && found.vanished_types.is_empty());

    // A type that vanished has no rate to compare: the other one's change is all there is of the rate effect.
    let only_search: BTreeMap<_, _> = after.into_iter().filter(|(name, _)| name == "search").collect();
    let found = Decomposition::of(&before, &only_search).unwrap();
    assert_eq!((&found.new_types[..], &found.vanished_types[..]), (&[][..], &["install".to_owned()][..]));
    close(found.rate_effect, (0.95 + 1.0) / 2.0 * (398.0 / 400.0 - 940.0 / 950.0), FORMULA);
    close(found.mix_effect, -0.05 * 0.9 + (1.0 - 0.95) * (398.0 / 400.0 + 940.0 / 950.0) / 2.0, FORMULA);
    assert!(!found.is_simpson());
    let found = Decomposition::of(&only_search, &before).unwrap();
    assert_eq!((&found.new_types[..], &found.vanished_types[..]), (&["install".to_owned()][..], &[][..]));
    assert_eq!(Decomposition::of(&before, &BTreeMap::new()), None);
}

#[test]
fn budgets_of_section_3() {
    for (key, rows) in entries(&section("3_burn")) {
        match key {
            "thresholds_30d" => each(rows, |what, value| {
                let (percent, hours) = what.strip_suffix('h').unwrap().split_once("% in ").unwrap();
                let share = percent.parse::<f64>().unwrap() / 100.0;
                close(burn_rate_for(share, hours.parse().unwrap(), 720.0).unwrap(), number(value), FORMULA);
            }),
            "max_possible_burn" => each(rows, |goal, value| {
                let goal = goal.parse().unwrap();
                close(burn_rate_max(goal).unwrap(), number(value), FORMULA);
                close(burn_rate(Counts { successes: 0, failures: 7 }, goal).unwrap(), number(value), FORMULA);
            }),
            "failure_share_at_14.4" => each(rows, |goal, value| {
                close(failure_share(14.4, goal.parse().unwrap()).unwrap(), number(value), FORMULA);
            }),
            "example" => budget(rows),
            _ => panic!("nobody checks {key}"),
        }
    }
    assert_eq!(burn_rate(Counts::default(), 0.95), None);
    assert_eq!(ErrorBudget::over(0, 0, 0.95).unwrap().share_used(), None);
}

fn budget(row: &Value) {
    let (goal, n, failures) = (number(&row["slo"]), row["n"].as_u64().unwrap(), row["f"].as_u64().unwrap());
    for (key, value) in entries(row) {
        match key {
            "slo" | "n" | "f" => {}
            "burn" => close(burn_rate(Counts { successes: n - failures, failures }, goal).unwrap(), number(value), FORMULA),
            "budget_events_1000" => close(ErrorBudget::over(1000, 0, goal).unwrap().allowed, number(value), FORMULA),
            "spent_at_1000_with_30" => {
                let budget = ErrorBudget::over(1000, 30, goal).unwrap();
                assert_eq!(budget.used, 30);
                close(budget.share_used().unwrap(), number(value), FORMULA);
            }
            _ => panic!("nobody checks {key}"),
        }
    }
}

/// A good past of 200 events, and then every fourth event fails.
pub fn alarm(row: &Value) {
    assert_eq!(row["sequence"], "200 successes, then (1,1,1,0) repeated 50 times");
    assert_eq!(numbers(&row["odds"]), [1.5, 2.0, 4.0, 8.0]);
    let sequence: Vec<bool> = (1..=400).map(|event| event <= 200 || event % 4 != 0).collect();
    let mut detector = EDetector::new(number(&row["p0"]), number(&row["A"])).unwrap();
    let mut unordered = detector.clone();
    assert!(sequence[..200].iter().all(|success| detector.observe(*success).is_none()));
    close(detector.value(), number(&row["no_alarm_value_after_200_successes"]), FORMULA);
    assert_eq!(unordered.observe_unordered(Counts { successes: 200, failures: 0 }), None);
    close(unordered.value(), detector.value(), FORMULA);

    let alarm = sequence[200..].iter().find_map(|success| detector.observe(*success)).unwrap();
    assert_eq!(Some(alarm.event), row["alarm_at"].as_u64());
    close(alarm.value, number(&row["value"]), FORMULA);

    // After an alarm, all begins anew.
    let anew = EDetector::new(number(&row["p0"]), number(&row["A"])).unwrap();
    assert_eq!(detector, anew);
    assert_eq!([0, 999, 1000, 1001].map(run_length), [1000.0, 1000.0, 1000.0, 1001.0]);
}
