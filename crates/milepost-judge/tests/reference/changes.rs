//! What changed, and when: sections 3 and 6 of the reference, and the rows of 2 and 4 on two periods and on alarms.

use super::*;
use milepost_judge::{
    change_points::{ChangePoint, Parameters, Scale, Shift, change_points, shifts},
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

/// The series of section 6, `base + ((7919 i) mod 13) - 6`.
fn series(name: &str) -> Vec<f64> {
    let level = |i: i32| match name {
        "flat" => 300.0,
        "step10pct_at35" => [300.0, 330.0][usize::from(i >= 35)],
        "step3pct_at35" => [300.0, 309.0][usize::from(i >= 35)],
        "outlier_at30" => [300.0, 700.0][usize::from(i == 30)],
        "up_at20_down_at40" => [300.0, 330.0][usize::from((20..40).contains(&i))],
        "drift" => 300.0 + 0.5 * f64::from(i),
        "step_last_3" => [300.0, 360.0][usize::from(i >= 57)],
        _ => panic!("nobody knows {name}"),
    };
    (0..60).map(|i| level(i) + f64::from(i * 7919 % 13 - 6)).collect()
}

#[test]
fn change_points_of_section_6() {
    let otava_30 = Parameters { window_len: 30, magnitude_min: 0.05, ..Parameters::OTAVA };
    let ours = Parameters { scale: Scale::Plain, ..Parameters::DAILY };
    for (name, rows) in entries(&section("6_changepoints")) {
        if name == "noise" {
            assert_eq!(rows, "((i*7919) mod 13) - 6");
            continue;
        }
        each(rows, |key, rows| match key {
            "w50_p.001_m0" => changes(&change_points(&series(name), Parameters::OTAVA), rows, name),
            "w30_p.001_m.05" => {
                changes(&change_points(&series(name), otava_30), rows, name);
                // Three values on each side: the same here.
                changes(&change_points(&series(name), ours), rows, name);
                // On logarithms, the same places.
                let ln: Vec<f64> = series(name).into_iter().map(f64::ln).collect();
                assert_eq!(indexes(&change_points(&ln, Parameters::DAILY)), indexes(&change_points(&series(name), ours)), "{name}");
            }
            _ => panic!("nobody checks {key}"),
        });
    }
}

fn changes(found: &[ChangePoint], rows: &Value, name: &str) {
    let rows = rows.as_array().unwrap();
    assert_eq!(found.len(), rows.len(), "{name}: {found:?}");
    for (found, row) in found.iter().zip(rows) {
        for (key, value) in entries(row) {
            match key {
                "index" => assert_eq!(Some(found.index as u64), value.as_u64(), "{name}"),
                "qhat" => close(found.divergence, number(value), FORMULA),
                // Relative also where it is tiny.
                "p" => close(found.p / number(value), 1.0, FORMULA),
                "mean_before" => close(found.before_mean, number(value), FORMULA),
                "mean_after" => close(found.after_mean, number(value), FORMULA),
                _ => panic!("nobody checks {key}"),
            }
        }
        close(found.change.unwrap(), number(&row["mean_after"]) / number(&row["mean_before"]) - 1.0, FORMULA);
    }
}

fn indexes(points: &[ChangePoint]) -> Vec<usize> {
    points.iter().map(|point| point.index).collect()
}

/// Rows of Otava 0.8.0 beyond the generated file: in which order places go matters for each drift, and that magnitudes are those
/// of there and back (-4.9%, +5.1%) for the fall.
#[test]
fn more_rows_of_otava() {
    let drift = |slope: f64, noise: f64| (0..180).map(|i| 300.0 + noise * f64::from(i * 7919 % 13 - 6) + slope * f64::from(i)).collect();
    let fall: Vec<f64> = (0..60).map(|i| [300.0, 285.0][usize::from(i >= 35)] + f64::from(i * 7919 % 13 - 6)).collect();
    let otava_30 = Parameters { window_len: 30, magnitude_min: 0.05, ..Parameters::OTAVA };
    let rows: [(Vec<f64>, _, &[usize]); 3] = [
        (drift(1.0, 3.0), Parameters::OTAVA, &[16, 55, 69, 94, 133, 160]),
        (drift(0.75, 2.0), otava_30, &[56, 82, 160]),
        (fall.clone(), otava_30, &[35]),
    ];
    for (series, parameters, expected) in rows {
        assert_eq!(indexes(&change_points(&series, parameters)), expected, "{series:?}");
    }
    // On logarithms, the magnitude is that of there alone.
    let ln: Vec<f64> = fall.into_iter().map(f64::ln).collect();
    assert_eq!(change_points(&ln, Parameters::DAILY), []);
}

/// A drift is found as a staircase, and told as a trend; up and down are two steps.
#[test]
fn a_staircase_is_a_trend() {
    let found = |name| shifts(&change_points(&series(name), Parameters::OTAVA));
    let [Shift::Trend(steps)] = &found("drift")[..] else { panic!("a trend: {:?}", found("drift")) };
    assert_eq!(indexes(steps), [16, 29, 43]);
    let [Shift::Step(up), Shift::Step(down)] = found("up_at20_down_at40")[..] else { panic!("two steps") };
    assert_eq!((up.index, up.rises(), down.index, down.rises()), (20, true, 40, false));
    assert_eq!(found("flat"), []);
}
