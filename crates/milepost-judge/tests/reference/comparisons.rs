//! Comparisons, series and several goals at once: sections 4 to 10 of the reference, but for rates, which are one level up, and
//! survival, which its module holds.

use super::*;
use milepost_judge::{
    cluster::{Cluster, ClusteredRate},
    difference, holm,
    mann_kendall::Trend,
    ordinal_trend, poisson, sample_ratio,
    survival::{Observed, Survival},
    theil_sen::{Slopes, slope},
};
use statrs::function::erf::erfc;

fn upper_tail(z: f64) -> f64 {
    erfc(z / std::f64::consts::SQRT_2) / 2.0
}

#[test]
fn differences_and_counts_of_section_4() {
    let section = section("4_sequential");
    section["difference"].as_array().unwrap().iter().for_each(one_difference);
    for row in section["poisson_above"].as_array().unwrap() {
        let (k, t, lambda0) = (row["k"].as_u64().unwrap(), number(&row["t"]), number(&row["lam0"]));
        let found = poisson::ln_e_above(k, t, lambda0);
        close(found, number(&row["ln_e"]), FORMULA);
        close(found, number(&row["mpmath_quadrature"]), FORMULA);
    }
    let proven = |k: &u64| poisson::ln_e_above(*k, 1.0, 10.0) >= ln_threshold(ALPHA);
    assert_eq!((0..100).find(proven), section["poisson_min_count_one_month_lam0_10"].as_u64());
    for key in ["srm_savvi_ln_odds_k100_50:50", "srm_closed_form_ln_e_k100"] {
        each(&section[key], |arms, value| {
            let (a, b) = arms.split_once(':').unwrap();
            close(sample_ratio::ln_e(count(a), count(b)), number(value), FORMULA);
        });
    }
    assert!(sample_ratio::ln_e(140, 60) >= sample_ratio::ln_threshold() && sample_ratio::ln_e(1020, 880) < sample_ratio::ln_threshold());
    assert_eq!(sample_ratio::ln_e(0, 0), 0.0);
}

/// One pair of arms, by the golden section and by two other programs.
fn one_difference(row: &Value) {
    let arm = |key: &str| {
        let [successes, n] = pair(&row[key]);
        Counts { successes: successes as u64, failures: (n - successes) as u64 }
    };
    let (a, b) = (arm("A"), arm("B"));
    let found = difference::interval(a, b, ALPHA).unwrap();
    for (key, value) in entries(row) {
        match key {
            "A" | "B" => {}
            "diff" => close(difference::estimate(a, b).unwrap(), number(value), FORMULA),
            "profile_cs_95" | "scipy_check_95" => close_pair(found, pair(value), ITERATION),
            "newcombe_95" => close_pair(difference::newcombe(a, b, CONFIDENCE).unwrap(), pair(value), FORMULA),
            // A cruder way to the same: the ends of the two arms' own intervals, each at half of the error.
            "union_cs_95" => {
                let ([low_a, high_a], [low_b, high_b]) = (rate_interval(a, ALPHA / 2.0), rate_interval(b, ALPHA / 2.0));
                close_pair([low_a - high_b, high_a - low_b], pair(value), ITERATION);
            }
            "ln_e_H0_diff<=0" => close(difference::ln_e(a, b, 0.0), number(value), FORMULA),
            "ln_e_H0_diff<=0.10" => close(difference::ln_e(a, b, 0.10), number(value), FORMULA),
            _ => panic!("nobody checks {key}"),
        }
    }
    assert_eq!(difference::is_above(a, b, 0.0, ALPHA), found[0] > 0.0);
    assert!(!difference::is_below(a, b, 0.0, ALPHA) && !difference::is_above(b, a, 0.0, ALPHA));
}

#[test]
fn arms_of_section_5() {
    for (key, rows) in entries(&section("5_ab")) {
        match key {
            "cluster" => clusters(rows),
            "srm_chisq" => each(rows, |arms, value| {
                let (a, b) = arms.split_once(':').unwrap();
                close(sample_ratio::chi_square_p(count(a), count(b)).unwrap(), number(value), FORMULA);
            }),
            "cochran_armitage" => {
                let n = rows["n"].as_u64().unwrap();
                let group = |successes: f64| Counts { successes: successes as u64, failures: n - successes as u64 };
                let groups: Vec<_> = numbers(&rows["success"]).into_iter().map(group).collect();
                assert_eq!(numbers(&rows["scores"]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
                let z = ordinal_trend::z(&groups).unwrap();
                close(z, number(&rows["z"]), FORMULA);
                close(ordinal_trend::p_rising(z), number(&rows["p_one_sided"]), FORMULA);
                close(2.0 * ordinal_trend::p_rising(z), number(&rows["p_two_sided"]), FORMULA);
                // statsmodels divides by the number of events less one.
                let events = 6.0 * n as f64;
                close(z * ((events - 1.0) / events).sqrt(), number(&rows["statsmodels_z"]), FORMULA);
            }
            "checkpoint_alpha" => each(rows, |k, value| close(ordinal_trend::level(ALPHA, count(k)), number(value), FORMULA)),
            // The slope of a logistic curve: a figure of the design document, which nothing here shows.
            "logit_on_ln_interactions" => {}
            _ => panic!("nobody checks {key}"),
        }
    }
    assert_eq!(ordinal_trend::z(&[]), None);
}

fn clusters(row: &Value) {
    let of_user = |(successes, n): (f64, f64)| Cluster { successes: successes as u64, n: n as u64 };
    let users: Vec<_> = numbers(&row["successes"]).into_iter().zip(numbers(&row["n"])).map(of_user).collect();
    let found = ClusteredRate::of(&users).unwrap();
    close(found.rate, number(&row["p"]), FORMULA);
    close(found.variance.sqrt(), number(&row["se_cluster"]), FORMULA);
    close(found.variance.sqrt(), number(&row["se_statsmodels_cluster"]), FORMULA);
    let effect = found.design_effect().unwrap();
    close((found.variance / effect).sqrt(), number(&row["se_naive"]), FORMULA);
    close(effect, number(&row["design_effect"]), FORMULA);
    close(found.n as f64 / effect, number(&row["n_effective"]), FORMULA);
    // Eight people are too few to say more than that; the formula holds for any number of them.
    assert_eq!(found.interval(CONFIDENCE), None);
    let [low, high] = pair(&row["ci95_t"]);
    let reach = (high - low) / 2.0;
    let more = ClusteredRate { clusters: 10, ..found }.interval(CONFIDENCE).unwrap();
    // Student's t with seven degrees of freedom over that with nine.
    close((more[1] - more[0]) / 2.0 * (2.364_624_251_592_785 / 2.262_157_162_798_205), reach, FORMULA);
    assert_eq!(ClusteredRate::of(&users[..1]), None, "of one person, nothing varies");
}

#[test]
fn series_of_section_7() {
    let noise = |i: u32| f64::from(i * 7919 % 13) - 6.0;
    let flat = |i: u32| 250.0 + 3.0 * (f64::from(i) / 5.0).sin() + 0.5 * noise(i);
    for (key, row) in entries(&section("7_memory")) {
        let series: Vec<f64> = match key {
            "formula" => continue,
            "flat" => (0..180).map(flat).collect(),
            "leak" => (0..180).map(|i| flat(i) + 0.05 * f64::from(i)).collect(),
            "ar1" => {
                let mut last = 0.0;
                let next = |i| {
                    last = 0.9 * last + 0.5 * noise(i);
                    250.0 + last
                };
                std::iter::once(250.0).chain((1..180).map(next)).collect()
            }
            "small" => numbers(&row["data"]),
            _ => panic!("nobody checks {key}"),
        };
        one_series(&series, row);
    }
    assert_eq!((Slopes::of(&[(0.0, 1.0)]), Slopes::of(&[])), (None, None));
    let level = [0.0, 1.0, 2.0, 3.0].map(|at| (at, 5.0));
    assert_eq!(Trend::of(&level, &Slopes::of(&level).unwrap()).unwrap().z(), 0.0, "what never changes does not grow");
    // A minute without a value does not make what follows it steeper.
    let holed: Vec<_> = [0.0, 1.0, 5.0, 6.0].map(|at| (at, 2.0 * at)).to_vec();
    assert_eq!(Slopes::of(&holed).unwrap().interval(0.95), [2.0, 2.0]);
}

fn one_series(series: &[f64], row: &Value) {
    let timed: Vec<(f64, f64)> = series.iter().zip(0_u32..).map(|(value, at)| (f64::from(at), *value)).collect();
    let slopes = Slopes::of(&timed).unwrap();
    let trend = Trend::of(&timed, &slopes).unwrap();
    for (key, value) in entries(row) {
        match key {
            "data" | "formula" => {}
            "theil_sen" => {
                close(slopes.median(), number(value), FORMULA);
                close(slope(&timed).unwrap(), number(value), FORMULA);
            }
            "ci95" => close_pair(slopes.interval(0.95), pair(value), FORMULA),
            "ci90" => close_pair(slopes.interval(0.90), pair(value), FORMULA),
            "mk_S" | "S" => assert_eq!(trend.score, number(value)),
            "mk_var" | "var" => assert_eq!(trend.variance, number(value)),
            "mk_z" | "z" => close(trend.z_by(trend.variance), number(value), FORMULA),
            // Below what the other program's subtraction from one can tell from zero.
            "mk_p" | "p" => close(2.0 * upper_tail(trend.z_by(trend.variance).abs()), number(value), FORMULA),
            "hamed_rao_var" => close(trend.corrected_variance, number(value), FORMULA),
            "hamed_rao_z" => close(trend.z_by(trend.corrected_variance), number(value), FORMULA),
            "hamed_rao_p" => close(2.0 * upper_tail(trend.z_by(trend.corrected_variance).abs()), number(value), FORMULA),
            "z_with_larger_variance" => close(trend.z(), number(value), FORMULA),
            "spread_p95_p5_type1" => {
                let mut sorted = series.to_vec();
                sorted.sort_by(f64::total_cmp);
                close(type1(&sorted, Quantile::P95).unwrap() - type1(&sorted, Quantile::P5).unwrap(), number(value), FORMULA);
            }
            "max" => close(series.iter().copied().fold(f64::MIN, f64::max), number(value), FORMULA),
            // Another correction of the variance, which this crate does not have.
            "yue_wang_p" => {}
            _ => panic!("nobody checks {key}"),
        }
    }
}

#[test]
fn first_successes_of_section_8() {
    let section = section("8_survival");
    let observed = |row: &Value| -> Vec<Observed> {
        let happened = numbers(&row["E"]);
        numbers(&row["T"]).into_iter().zip(happened).map(|(time, happened)| Observed { time, happened: happened == 1.0 }).collect()
    };
    let all = observed(&section);
    let survival = Survival::of(&all).unwrap();
    for (key, value) in entries(&section) {
        match key {
            "T" | "E" => {}
            "S30" => close(survival.at(30.0).unwrap().waiting, number(value), FORMULA),
            "S30_ci95_loglog" => close_pair(survival.at(30.0).unwrap().interval, pair(value), FORMULA),
            "median" => assert_eq!(survival.median(), value.as_f64()),
            "median_ci95" => assert_eq!(survival.median_interval(), pair(value).map(Some)),
            "honest_pct_within_30_all_starters" => {
                let within = all.iter().filter(|o| o.happened && o.time <= 30.0).count();
                close(100.0 * within as f64 / all.len() as f64, number(value), FORMULA);
            }
            "median_not_reached" => assert_eq!(Survival::of(&observed(value)).unwrap().median(), value["median"].as_f64()),
            // What leaves out who gave up: figures of `first_success`, which holds them.
            "seed_median_successes_only" | "seed_mean_successes_only" | "seed_pct_under_30_successes_only" => {}
            _ => panic!("nobody checks {key}"),
        }
    }
}

#[test]
fn retention_and_contributions_of_section_9() {
    let exposure = |key: &str| {
        let (k, t) = key.strip_prefix("k=").unwrap().split_once(",t=").unwrap();
        (count(k), t.parse::<f64>().unwrap())
    };
    for (key, rows) in entries(&section("9_retention")) {
        match key {
            "poisson_exact_95" => each(rows, |key, value| {
                let (k, t) = exposure(key);
                close_pair(poisson::garwood(k, t, CONFIDENCE), pair(value), FORMULA);
            }),
            "poisson_lower_one_sided_95_per_month" => each(rows, |key, value| {
                let (k, t) = exposure(key);
                close(poisson::garwood_lower(k, t, CONFIDENCE), number(value), FORMULA);
            }),
            "retention_wilson" => each(rows, |key, value| close_pair(wilson(fraction(key), CONFIDENCE).unwrap(), pair(value), FORMULA)),
            "retention_always_valid_p0.8" => rows.as_array().unwrap().iter().for_each(|row| {
                let (successes, n) = (row["s"].as_u64().unwrap(), row["n"].as_u64().unwrap());
                let found = ln_e_above(Counts { successes, failures: n - successes }, 0.8);
                close(found, number(&row["ln_e_above"]), FORMULA);
                assert_eq!(found >= ln_threshold(ALPHA), row["verdict"] == "met", "{row}");
            }),
            _ => panic!("nobody checks {key}"),
        }
    }
}

#[test]
fn several_goals_of_section_10() {
    for (key, rows) in entries(&section("10_voice")) {
        match key {
            "holm" => {
                let p = numbers(&rows["p"]);
                let adjusted = holm::adjusted(&p);
                for (found, expected) in adjusted.iter().zip(numbers(&rows["adjusted"])) {
                    close(*found, expected, FORMULA);
                }
                let rejected: Vec<bool> = adjusted.iter().map(|p| *p <= ALPHA).collect();
                assert_eq!(Value::from(rejected), rows["reject"]);
                // All of them hold where the weakest one does.
                let weakest = p.iter().copied().fold(0.0, f64::max);
                assert_eq!((weakest, weakest <= ALPHA), (number(&rows["iut_all_pass_p"]), rows["iut_all_pass_at_.05"] == true));
            }
            // Words are counted by whoever has the transcripts, and pooled in `learning`, which holds the sum.
            "wer" | "wer_pooled" | "wer_mean_of_utterances" | "wer_over_1" => {}
            _ => panic!("nobody checks {key}"),
        }
    }
    assert_eq!(holm::adjusted(&[]), Vec::<f64>::new());
}
