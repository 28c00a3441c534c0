//! Holds the statistics against reference values that other programs computed (SciPy, statsmodels, mpmath).
//!
//! The values are in `reference/statistics-reference.json`, made by `reference/gen_statistics_reference.py`. Each test
//! walks a whole section and names what it leaves to others, so a row that is added there cannot go unread here. A
//! test fails when a formula, a rank or an end point changes: another prior, an interpolated quantile, `<` for `<=`.

#![expect(clippy::unwrap_used, reason = "a missing reference value must fail the test")]

use milepost_judge::Verdict;
use milepost_judge::always_valid::{Counts, at_least_more, ln_e_above, ln_e_below, ln_threshold, projected_more, rate_interval};
use milepost_judge::fixed_sample::{smallest_size, verdict};
use milepost_judge::quantile::{Quantile, lower_rank, peeking_ranks, rank, two_sided_ranks, type1, type7, upper_rank};
use milepost_judge::rate::{clopper_pearson, clopper_pearson_lower, clopper_pearson_upper, jeffreys, wilson, zero_failures_upper};
use serde_json::Value;

#[path = "reference/changes.rs"]
mod changes;
#[path = "reference/comparisons.rs"]
mod comparisons;

const ALPHA: f64 = 0.05;
const CONFIDENCE: f64 = 0.95;

/// Relative tolerance for closed formulas.
const FORMULA: f64 = 1e-9;
/// Relative tolerance for bounds that are found by iteration.
const ITERATION: f64 = 1e-6;

#[test]
fn quantiles_of_section_1() {
    let section = section("1_quantiles");
    let data: Vec<f64> = numbers(&section["data"]);
    for (key, rows) in entries(&section) {
        match key {
            "data" => {}
            "type1" => each(rows, |share, value| close(type1(&data, quantile(share)).unwrap(), number(value), FORMULA)),
            "type7" => each(rows, |share, value| close(type7(&data, quantile(share)).unwrap(), number(value), FORMULA)),
            "type1_1..n_p95" => each(rows, |n, value| assert_eq!(rank(count(n), Quantile::P95), value.as_u64())),
            "one_sided_95_upper_rank_P95" => {
                each(rows, |n, value| {
                    assert_eq!(upper_rank(count(n), Quantile::P95, CONFIDENCE), value.as_u64(), "n = {n}");
                    met_from(count(n), value.as_u64(), 0.95);
                });
            }
            "one_sided_95_lower_rank_P95" => {
                each(rows, |n, value| {
                    assert_eq!(lower_rank(count(n), Quantile::P95, CONFIDENCE), value.as_u64(), "n = {n}");
                    missed_before(count(n), value.as_u64(), 0.95);
                });
            }
            "two_sided_95_ranks_P50" => {
                each(rows, |n, value| {
                    assert_eq!(two_sided_ranks(count(n), Quantile::P50, CONFIDENCE), ranks(value), "n = {n}");
                });
            }
            "two_sided_95_ranks_P95" => {
                each(rows, |n, value| {
                    assert_eq!(two_sided_ranks(count(n), Quantile::P95, CONFIDENCE), ranks(value), "n = {n}");
                });
            }
            // The values are 1 to 1000, so that each value is its own rank.
            "scipy_quantile_test_1..1000" => each(rows, |what, value| match what {
                "p95_two_sided_95" => {
                    let [low, high] = pair(value);
                    let expected = (Some(low as u64), Some(high as u64));
                    assert_eq!(two_sided_ranks(1000, Quantile::P95, CONFIDENCE), expected);
                }
                "p95_one_sided_upper_95" => {
                    assert_eq!(upper_rank(1000, Quantile::P95, CONFIDENCE), Some(number(value) as u64));
                }
                _ => panic!("nobody checks {what}"),
            }),
            "min_n_no_exceedance" => each(rows, |claim, value| {
                let (percent, confidence) = claim.strip_prefix('P').unwrap().split_once('@').unwrap();
                let q = Quantile::from_basis_points(percent.parse::<u16>().unwrap() * 100).unwrap();
                let alpha = 1.0 - confidence.parse::<f64>().unwrap();
                first_proof(q.as_fraction(), alpha, 0, value);
            }),
            "min_n_P95_95_with_m_exceedances" => each(rows, |exceedances, value| {
                first_proof(0.95, ALPHA, count(exceedances), value);
            }),
            // Types that this crate does not have, a defect of the first program, and sketches, which do not judge. All rows
            // of exams are held above, as ranks and as verdicts.
            "type2" | "type6" | "type8" | "seed_python_exclusive_n20_idx18" | "ddsketch_1..1000_alpha0.01" => {}
            _ => panic!("nobody checks {key}"),
        }
    }
}

#[test]
fn rates_of_section_2() {
    for (key, rows) in entries(&section("2_rates")) {
        match key {
            "rule_of_three_exact_upper" => {
                each(rows, |n, value| {
                    close(zero_failures_upper(count(n), ALPHA).unwrap(), number(value), FORMULA);
                    turns_at(Counts { successes: count(n), failures: 0 }, Verdict::Met, 1.0 - number(value));
                });
            }
            "coverage_at_p" => each(rows, coverage),
            "simpson" => changes::simpson(rows),
            _ => intervals(key, rows),
        }
    }
}

/// One row of intervals, its key being "successes/n".
fn intervals(key: &str, row: &Value) {
    let counts = fraction(key);
    for (method, value) in entries(row) {
        match method {
            "wilson" => close_pair(wilson(counts, CONFIDENCE).unwrap(), pair(value), FORMULA),
            "clopper_pearson" => close_pair(clopper_pearson(counts, CONFIDENCE).unwrap(), pair(value), FORMULA),
            // statsmodels has no convention for the ends: only the inner ones can be compared.
            "jeffreys" => {
                let ([low, high], [expected_low, expected_high]) = (jeffreys(counts, CONFIDENCE).unwrap(), pair(value));
                close(low, if counts.successes == 0 { 0.0 } else { expected_low }, FORMULA);
                close(high, if counts.failures == 0 { 1.0 } else { expected_high }, FORMULA);
            }
            "cp_lower_one_sided_95" => {
                close(clopper_pearson_lower(counts, CONFIDENCE).unwrap(), number(value), FORMULA);
                turns_at(counts, Verdict::Met, number(value));
            }
            "cp_upper_one_sided_95" => {
                close(clopper_pearson_upper(counts, CONFIDENCE).unwrap(), number(value), FORMULA);
                turns_at(counts, Verdict::Missed, number(value));
            }
            _ => panic!("nobody checks {method} of {key}"),
        }
    }
}

/// Of `n` runs, so many within the limit are the fewest that meet the goal; none are enough where there is no rank.
#[track_caller]
fn met_from(n: u64, rank: Option<u64>, goal: f64) {
    let met = |successes| verdict(Counts { successes, failures: n - successes }, goal, ALPHA) == Verdict::Met;
    assert_eq!((0..=n).find(|&successes| met(successes)), rank.filter(|_| n > 0), "n = {n}");
}

/// Of `n` runs, fewer within the limit than the rank miss the goal, and so many do not.
#[track_caller]
fn missed_before(n: u64, rank: Option<u64>, goal: f64) {
    let missed = |successes| verdict(Counts { successes, failures: n - successes }, goal, ALPHA) == Verdict::Missed;
    let first = (0..=n).find(|&successes| !missed(successes));
    assert_eq!(first, Some(rank.unwrap_or(0)), "n = {n}");
}

/// The smallest sample that proves a goal with so many failures in it, and that it is the smallest.
#[track_caller]
fn first_proof(goal: f64, alpha: f64, failures: u64, expected: &Value) {
    let size = smallest_size(goal, alpha, failures);
    assert_eq!(Some(size), expected.as_u64(), "goal {goal}, alpha {alpha}, {failures} failures");
    let at = |n: u64| verdict(Counts { successes: n - failures, failures }, goal, alpha);
    assert_eq!((at(size), at(size - 1)), (Verdict::Met, Verdict::NotProven), "goal {goal}, alpha {alpha}, {failures} failures");
}

/// An exam is met for goals below the one-sided lower bound, and missed for goals above the upper one.
#[track_caller]
fn turns_at(counts: Counts, proven: Verdict, bound: f64) {
    let inside = if proven == Verdict::Met { -1e-6 } else { 1e-6 };
    for (goal, is_proven) in [(bound + inside, true), (bound - inside, false)] {
        if (0.0..1.0).contains(&goal) && goal > 0.0 {
            assert_eq!(verdict(counts, goal, ALPHA) == proven, is_proven, "{counts:?}, goal {goal}");
        }
    }
}

/// One row "p=0.95,n=20": with which probability an interval contains the true rate, summed over all outcomes.
fn coverage(key: &str, row: &Value) {
    let (p, n) = key.strip_prefix("p=").unwrap().split_once(",n=").unwrap();
    let (p, n): (f64, u64) = (p.parse().unwrap(), n.parse().unwrap());
    for (method, value) in entries(row) {
        let interval = match method {
            "wilson" => wilson,
            "beta" => clopper_pearson,
            "jeffreys" => jeffreys,
            // Wald: not offered.
            "normal" => continue,
            _ => panic!("nobody checks {method} of {key}"),
        };
        let (mut covered, mut probability) = (0.0, (1.0 - p).powi(n as i32));
        for successes in 0..=n {
            let [low, high] = interval(Counts { successes, failures: n - successes }, CONFIDENCE).unwrap();
            if (low..=high).contains(&p) {
                covered += probability;
            }
            probability *= (n - successes) as f64 / (successes + 1) as f64 * p / (1.0 - p);
        }
        close(covered, number(value), FORMULA);
    }
}

#[test]
fn one_rate_against_a_goal_of_section_4() {
    for (key, rows) in entries(&section("4_sequential")) {
        match key {
            "alpha" => assert_eq!(number(rows), ALPHA),
            // The words for what every row below computes.
            "prior" => {}
            "threshold_ln" => close(ln_threshold(ALPHA), number(rows), FORMULA),
            "bernoulli" => rows.as_array().unwrap().iter().for_each(evidence),
            "min_n_no_failures" => each(rows, |goal, value| {
                let more = at_least_more(Counts::default(), goal.parse().unwrap(), ALPHA);
                assert_eq!(Some(more), value.as_u64(), "goal {goal}");
            }),
            "min_n_P95_with_m_failures" => each(rows, |failures, value| {
                let failures = count(failures);
                let more = at_least_more(Counts { successes: 0, failures }, 0.95, ALPHA);
                assert_eq!(Some(failures + more), value.as_u64(), "{failures} failures");
            }),
            "missed_after_k_straight_failures" => each(rows, |goal, value| {
                let goal: f64 = goal.parse().unwrap();
                let missed = |failures| ln_e_below(Counts { successes: 0, failures }, goal) >= ln_threshold(ALPHA);
                assert_eq!((0..).find(|&failures| missed(failures)), value.as_u64(), "goal {goal}");
            }),
            "planning" => rows.as_array().unwrap().iter().for_each(|row| {
                let (counts, goal) = (counts(row), number(&row["p0"]));
                assert_eq!(Some(at_least_more(counts, goal, ALPHA)), row["best_case_more"].as_u64(), "{row}");
                assert_eq!(projected_more(counts, goal, ALPHA), row["expected_more"].as_u64(), "{row}");
            }),
            "confidence_sequence_95" => each(rows, |key, value| {
                close_pair(rate_interval(fraction(key), ALPHA), pair(value), ITERATION);
            }),
            "quantile_cs_ranks_P95_two_sided_95" => {
                each(rows, |n, value| {
                    assert_eq!(peeking_ranks(count(n), Quantile::P95, ALPHA), ranks(value), "n = {n}");
                });
            }
            "quantile_cs_ranks_P50_two_sided_95" => {
                each(rows, |n, value| {
                    assert_eq!(peeking_ranks(count(n), Quantile::P50, ALPHA), ranks(value), "n = {n}");
                });
            }
            "confseq_hedged_binary_19of20_n200" => {
                let ours = rate_interval(Counts { successes: 190, failures: 10 }, ALPHA);
                close_pair(ours, pair(&rows["ours_n200"]), ITERATION);
            }
            // Held by `comparisons`.
            "poisson_min_count_one_month_lam0_10" | "poisson_above" | "difference" => {}
            "srm_savvi_ln_odds_k100_50:50" | "srm_closed_form_ln_e_k100" => {}
            "sr_detector" => changes::alarm(rows),
            _ => panic!("nobody checks {key}"),
        }
    }
}

/// One row of evidence for and against a goal, by closed form and, where it is given, by quadrature with 40 digits.
fn evidence(row: &Value) {
    let (counts, goal) = (counts(row), number(&row["p0"]));
    let (above, below) = (ln_e_above(counts, goal), ln_e_below(counts, goal));
    for (key, value) in entries(row) {
        match key {
            "s" | "f" | "p0" => {}
            "ln_e_above" | "mpmath_above" => close(above, number(value), FORMULA),
            "ln_e_below" | "mpmath_below" => close(below, number(value), FORMULA),
            "verdict" => assert_eq!(
                value.as_str().unwrap(),
                match () {
                    () if counts.n() == 0 => "no data",
                    () if above >= ln_threshold(ALPHA) => "met",
                    () if below >= ln_threshold(ALPHA) => "missed",
                    () => "not proven",
                },
                "{row}"
            ),
            _ => panic!("nobody checks {key}"),
        }
    }
}

/// Quadrature with 40 digits where the number of events is large: here the direct formula in `f64` loses its digits.
/// Fails when terms of the size of n are subtracted from each other, or when the continued fraction ends too early.
#[test]
fn ten_million_events() {
    let rows = [
        (95_000, 5_000, 0.95, -5.0484546013189, -4.34665813405583),
        (96_000, 4_000, 0.95, 108.406042866275, -7.24844201205215),
        (9_500_000, 500_000, 0.95, -7.35412638726136, -6.64607868202882),
        (9_502_000, 498_000, 0.95, -2.44541915378968, -8.03222159124998),
        (9_498_000, 502_000, 0.95, -8.7409107982214, -1.75113037752738),
        (9_510_000, 490_000, 0.95, 99.2828688008531, -9.55102295153683),
        (5_000_000, 5_000_000, 0.5, -6.93271457292819, -6.93271457292819),
        (5_003_000, 4_997_000, 0.5, -4.46888427057167, -7.983834236369),
        (3_000_000, 7_000_000, 0.3, -6.86182747173794, -7.01063075911361),
        (9_990_300, 9_700, 0.999, -3.73666227472087, -7.2346344885034),
        (0, 10_000_000, 0.95, -17.1115319746545, 29957182.9521253),
    ];
    for (successes, failures, goal, above, below) in rows {
        let counts = Counts { successes, failures };
        close(ln_e_above(counts, goal), above, 1e-11);
        close(ln_e_below(counts, goal), below, 1e-11);
    }
}

/// Rows that the design document gives beyond the generated file.
#[test]
fn tables_of_the_design() {
    let counts = |successes, failures| Counts { successes, failures };

    // All-fast events: how many more a P95 goal needs at least; two slow of two are not yet missed, three of three are.
    for (n, more) in [(1, 71), (2, 70), (19, 53), (59, 13), (72, 0)] {
        assert_eq!(at_least_more(counts(n, 0), 0.95, ALPHA), more, "{n} fast events");
    }
    close(ln_e_below(counts(0, 2), 0.95), 2.07, 1e-4);
    assert!(ln_e_below(counts(0, 2), 0.95) < ln_threshold(ALPHA));
    assert!(ln_e_below(counts(0, 3), 0.95) >= ln_threshold(ALPHA));

    // Goals other than P95, from the first event on.
    assert_eq!(at_least_more(counts(0, 0), 0.8, ALPHA), 23);
    close(ln_e_above(counts(17, 0), 0.8), 2.14328, 1e-5);
    close(ln_e_above(counts(90, 10), 0.8), 2.85687, 1e-5);

    // One-sided ranks around the first n at which a bound exists; an exam of 59 fast events passes.
    for (n, rank) in [(58, None), (59, Some(59)), (93, Some(92)), (100, Some(99)), (200, Some(196))] {
        assert_eq!(upper_rank(n, Quantile::P95, CONFIDENCE), rank, "n = {n}");
    }
    for (n, k) in [(1000, 962), (10_000, 9537)] {
        assert_eq!(upper_rank(n, Quantile::P95, CONFIDENCE), Some(k), "n = {n}");
        met_from(n, Some(k), 0.95);
    }
    for (q, n, low, high) in [
        (Quantile::P95, 100, 90, 100),
        (Quantile::P95, 1000, 936, 964),
        (Quantile::P50, 6, 1, 6),
        (Quantile::P50, 19, 5, 15),
        (Quantile::P50, 100, 40, 61),
    ] {
        assert_eq!(two_sided_ranks(n, q, CONFIDENCE), (Some(low), Some(high)), "n = {n}");
    }
    assert_eq!([0, 1, 2, 3, 4, 5].map(|failures| smallest_size(0.95, ALPHA, failures)), [59, 93, 124, 153, 181, 208]);
    let p90 = Quantile::from_basis_points(9000).unwrap();
    for (q, confidence, n) in
        [(Quantile::P50, 0.95, 5), (p90, 0.95, 29), (Quantile::P95, 0.99, 90), (Quantile::P99, 0.95, 299), (Quantile::P99, 0.99, 459)]
    {
        first_proof(q.as_fraction(), 1.0 - confidence, 0, &Value::from(n));
    }
    for (successes, failures, low) in [(0, 1, 0.0), (1, 0, 0.05), (59, 0, 0.95049), (95, 5, 0.89775), (970, 30, 0.95953)] {
        close(clopper_pearson_lower(counts(successes, failures), CONFIDENCE).unwrap(), low, 1e-5);
    }
    for (n, high) in [(10, 0.25887), (59, 0.04951), (100, 0.02951), (300, 0.00994)] {
        close(zero_failures_upper(n, ALPHA).unwrap(), high, 1e-3);
    }
    assert!(clopper_pearson_lower(counts(58, 0), CONFIDENCE).unwrap() < 0.95);
    assert!(clopper_pearson_lower(counts(59, 0), CONFIDENCE).unwrap() > 0.95);

    // A closed period of retention.
    for (successes, n, expected) in [(8, 10, [0.49016, 0.94332]), (41, 50, [0.69204, 0.90230]), (85, 100, [0.76716, 0.90694])] {
        close_pair(wilson(counts(successes, n - successes), CONFIDENCE).unwrap(), expected, 2e-5);
    }

    // Nothing is known before the first event.
    let nothing = Counts::default();
    assert_eq!((ln_e_above(nothing, 0.95), ln_e_below(nothing, 0.95)), (0.0, 0.0));
    assert_eq!(rate_interval(nothing, ALPHA), [0.0, 1.0]);
    assert_eq!(projected_more(nothing, 0.95, ALPHA), None);
    assert_eq!((wilson(nothing, CONFIDENCE), clopper_pearson(nothing, CONFIDENCE)), (None, None));
    assert_eq!(verdict(nothing, 0.95, ALPHA), Verdict::NoData);
    assert_eq!((jeffreys(nothing, CONFIDENCE), zero_failures_upper(0, ALPHA)), (None, None));
    assert_eq!((rank(0, Quantile::P95), type1(&[], Quantile::P95), type7(&[], Quantile::P95)), (None, None, None));
    assert_eq!(two_sided_ranks(0, Quantile::P95, CONFIDENCE), (None, None));
    assert_eq!(peeking_ranks(0, Quantile::P95, ALPHA), (None, None));
}

fn section(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("reference/statistics-reference.json")).unwrap();
    assert!(all[name].is_object(), "no section {name}");
    all[name].clone()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value))
}

/// Checks every row of a table, and that there are rows.
fn each(rows: &Value, check: impl Fn(&str, &Value)) {
    assert!(entries(rows).count() > 0, "an empty table checks nothing");
    entries(rows).for_each(|(key, value)| check(key, value));
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn pair(value: &Value) -> [f64; 2] {
    numbers(value).try_into().unwrap()
}

fn ranks(value: &Value) -> (Option<u64>, Option<u64>) {
    (value[0].as_u64(), value[1].as_u64())
}

fn count(key: &str) -> u64 {
    key.parse().unwrap()
}

fn quantile(share: &str) -> Quantile {
    let share: f64 = share.parse().unwrap();
    Quantile::from_basis_points((share * 10_000.0).round() as u16).unwrap()
}

/// "95/100": successes of n.
fn fraction(key: &str) -> Counts {
    let (successes, n) = key.split_once('/').unwrap();
    Counts { successes: count(successes), failures: count(n) - count(successes) }
}

fn counts(row: &Value) -> Counts {
    Counts { successes: row["s"].as_u64().unwrap(), failures: row["f"].as_u64().unwrap() }
}

/// Equal to a relative tolerance; below 1e-3 it is absolute (1e-3 times the tolerance), for values that should be 0.
#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(error <= tolerance * expected.abs().max(1e-3), "{found} instead of {expected}, {error:.1e} off");
}

#[track_caller]
fn close_pair(found: [f64; 2], expected: [f64; 2], tolerance: f64) {
    close(found[0], expected[0], tolerance);
    close(found[1], expected[1], tolerance);
}
