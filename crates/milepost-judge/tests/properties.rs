//! What has to be true of every verdict, whatever the data: checked on random counts, goals and values.
//!
//! Each property says in its comment which mistake would break it.

use milepost_judge::Verdict;
use milepost_judge::always_valid::{Counts, at_least_more, ln_e_above, ln_e_below, ln_threshold, projected_more, rate_interval};
use milepost_judge::change_points::{Parameters, Scale, Shift, change_points, shifts};
use milepost_judge::decomposition::Decomposition;
use milepost_judge::difference;
use milepost_judge::e_detector::EDetector;
use milepost_judge::error_budget::{ErrorBudget, burn_rate, burn_rate_for, burn_rate_max, failure_share};
use milepost_judge::fixed_sample::{chance_of_as_few, chance_of_as_many, projected_size, smallest_size, verdict};
use milepost_judge::quantile::{Quantile, lower_rank, peeking_ranks, rank, two_sided_ranks, type1, type7, upper_rank};
use milepost_judge::rate::{clopper_pearson, clopper_pearson_lower, clopper_pearson_upper, wilson};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ALPHA: f64 = 0.05;

/// Mostly small, now and then millions.
fn some_counts() -> impl Strategy<Value = Counts> {
    let count = || prop_oneof![4 => 0..100_u64, 2 => 0..10_000_u64, 1 => 0..5_000_000_u64];
    (count(), count()).prop_map(|(successes, failures)| Counts { successes, failures })
}

fn small_counts() -> impl Strategy<Value = Counts> {
    (0..200_u64, 0..200_u64).prop_map(|(successes, failures)| Counts { successes, failures })
}

fn some_goal() -> impl Strategy<Value = f64> {
    prop_oneof![0.001..0.999, Just(0.5), Just(0.8), Just(0.9), Just(0.95), Just(0.99), Just(0.999)]
}

fn some_quantile() -> impl Strategy<Value = Quantile> {
    let any = (1..10_000_u16).prop_filter_map("a quantile", Quantile::from_basis_points);
    prop_oneof![Just(Quantile::P50), Just(Quantile::P95), Just(Quantile::P99), any]
}

/// Counts of up to five types, some of them empty.
fn some_types() -> impl Strategy<Value = BTreeMap<String, Counts>> {
    proptest::collection::btree_map("[a-e]", prop_oneof![4 => some_counts(), 1 => Just(Counts::default())], 0..6)
}

/// Levels that hold for some days each, and noise; whole numbers, so that sums of them are exact.
fn some_series() -> impl Strategy<Value = Vec<f64>> {
    let stretch = (200..400_i32, proptest::collection::vec(-9..=9_i32, 1..30));
    proptest::collection::vec(stretch, 0..6).prop_map(|stretches| {
        let level = |(level, noise): (i32, Vec<i32>)| noise.into_iter().map(move |noise| f64::from(level + noise));
        stretches.into_iter().flat_map(level).collect()
    })
}

/// Any value there is, and often one of those that break formulas.
fn any_number() -> impl Strategy<Value = f64> {
    let odd = [0.0, -0.0, 1.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324];
    prop_oneof![proptest::num::f64::ANY, proptest::sample::select(odd.to_vec()), -2.0..2.0]
}

fn any_parameters() -> impl Strategy<Value = Parameters> {
    let scale = prop_oneof![Just(Scale::Plain), Just(Scale::Ln)];
    let length = || prop_oneof![0..60_usize, any::<usize>()];
    (length(), any_number(), any_number(), length(), scale).prop_map(|(window_len, p_max, magnitude_min, side_min, scale)| Parameters {
        window_len,
        p_max,
        magnitude_min,
        side_min,
        scale,
    })
}

fn and_success(counts: Counts) -> Counts {
    Counts { successes: counts.successes + 1, ..counts }
}

fn and_failure(counts: Counts) -> Counts {
    Counts { failures: counts.failures + 1, ..counts }
}

proptest! {
    /// Breaks when successes and failures are mixed up, or when rounding exceeds what one event weighs.
    #[test]
    fn each_event_moves_the_evidence_its_way(counts in some_counts(), goal in some_goal()) {
        prop_assert!(ln_e_above(and_success(counts), goal) > ln_e_above(counts, goal));
        prop_assert!(ln_e_above(and_failure(counts), goal) < ln_e_above(counts, goal));
        prop_assert!(ln_e_below(and_success(counts), goal) < ln_e_below(counts, goal));
        prop_assert!(ln_e_below(and_failure(counts), goal) > ln_e_below(counts, goal));
    }

    /// Breaks when a mixture reaches across the goal, so that one side borrows likelihood from the other.
    #[test]
    fn never_both_proven(counts in some_counts(), goal in some_goal()) {
        prop_assert!(ln_e_above(counts, goal) <= 0.0 || ln_e_below(counts, goal) <= 0.0);
    }

    /// Breaks when the prior is not normalised on its side of the goal.
    #[test]
    fn no_events_are_no_evidence(goal in some_goal()) {
        prop_assert_eq!(ln_e_above(Counts::default(), goal), 0.0);
        prop_assert_eq!(ln_e_below(Counts::default(), goal), 0.0);
    }

    /// Breaks when the two tests treat their side differently. The goals are multiples of 1/1024: `1 - goal` is exact.
    #[test]
    fn below_is_above_seen_from_the_other_side(counts in some_counts(), part in 1..1024_u16) {
        let goal = f64::from(part) / 1024.0;
        prop_assert_eq!(ln_e_below(counts, goal), ln_e_above(counts.swapped(), 1.0 - goal));
    }

    /// Breaks when the search stops one too early or too late, or forgets that the goal is proven already.
    #[test]
    fn at_least_more_is_the_fewest(counts in some_counts(), goal in some_goal()) {
        let proven = |more| {
            ln_e_above(Counts { successes: counts.successes + more, ..counts }, goal) >= ln_threshold(ALPHA)
        };
        let more = at_least_more(counts, goal, ALPHA);
        prop_assert!(proven(more));
        prop_assert!(more == 0 || !proven(more - 1));
    }

    /// Breaks when the projection is made at a rate other than the observed one.
    #[test]
    fn projected_more_needs_a_rate_above_the_goal(counts in some_counts(), goal in some_goal()) {
        // Closer to the goal, it may take more than the most that is projected.
        let on_track = counts.successes as f64 > goal * counts.n() as f64 * (1.0 + 1e-3);
        match projected_more(counts, goal, ALPHA) {
            Some(more) if counts.failures == 0 => prop_assert_eq!(more, at_least_more(counts, goal, ALPHA)),
            Some(more) => prop_assert!(more >= at_least_more(counts, goal, ALPHA)),
            None => prop_assert!(!on_track),
        }
    }

    /// Breaks when an end of the interval is not where its test turns, or when the two ends do not share the error.
    #[test]
    fn rate_interval_ends_where_a_rate_is_rejected(counts in small_counts()) {
        let [low, high] = rate_interval(counts, ALPHA);
        let rejected = |rate: f64| ln_e_above(counts, rate).max(ln_e_below(counts, rate)) >= ln_threshold(ALPHA / 2.0);
        if counts.successes > 0 {
            prop_assert!(rejected(low * (1.0 - 1e-6)) && !rejected(low * (1.0 + 1e-6)));
        }
        if counts.failures > 0 {
            prop_assert!(rejected(1.0 - (1.0 - high) * (1.0 - 1e-6)) && !rejected(1.0 - (1.0 - high) * (1.0 + 1e-6)));
        }
        prop_assert!((counts.successes > 0) == (low > 0.0) && (counts.failures > 0) == (high < 1.0));
    }

    /// Breaks when the two sides of a difference share evidence, or when the interval ends elsewhere than its test turns.
    #[test]
    fn a_difference_is_never_proven_both_ways(a in small_counts(), b in small_counts(), delta in -0.9..0.9) {
        let (above, below) = (difference::is_above(a, b, delta, ALPHA), difference::is_below(a, b, delta, ALPHA));
        prop_assert!(!(above && below));
        if let Some([low, high]) = difference::interval(a, b, ALPHA) {
            prop_assert!(low <= high && (-1.0..=1.0).contains(&low) && (-1.0..=1.0).contains(&high));
            prop_assert!(above == (delta < low) || (delta - low).abs() < 1e-6);
            prop_assert!(below == (delta > high) || (delta - high).abs() < 1e-6);
        } else {
            prop_assert!(!above && !below, "an empty arm proves nothing");
        }
    }

    /// Breaks when the fewest further events of a difference are one pair too few or too many.
    #[test]
    fn at_least_more_of_a_difference_is_the_fewest(a in small_counts(), b in small_counts(), delta in -0.5..0.5) {
        let proven = |each: u64| {
            let (a, b) = (Counts { successes: a.successes + each, ..a }, Counts { failures: b.failures + each, ..b });
            difference::is_above(a, b, delta, ALPHA)
        };
        let more = difference::at_least_more(a, b, delta, ALPHA).expect("within a billion");
        prop_assert!(proven(more / 2) && (more == 0 || !proven(more / 2 - 1)));
        if let Some(projected) = difference::projected_more(a, b, delta, ALPHA) {
            prop_assert!(difference::estimate(a, b).is_some_and(|observed| observed > delta));
            prop_assert!((projected == 0) == proven(0));
        }
    }

    /// Breaks when a test that may be looked at all the time claims more than the exact one that may not.
    #[test]
    fn peeking_costs_width(counts in small_counts(), q in some_quantile()) {
        if let Some([low, high]) = clopper_pearson(counts, 1.0 - ALPHA) {
            let [peeking_low, peeking_high] = rate_interval(counts, ALPHA);
            prop_assert!(peeking_low <= low && high <= peeking_high);
        }
        let n = counts.n();
        let (low, high) = two_sided_ranks(n, q, 1.0 - ALPHA);
        let (peeking_low, peeking_high) = peeking_ranks(n, q, ALPHA);
        prop_assert!(peeking_low.unwrap_or(0) <= low.unwrap_or(0));
        prop_assert!(high.unwrap_or(n + 1) <= peeking_high.unwrap_or(n + 1));
    }

    /// Breaks with any interpolated quantile, and with a rank from a rounded product. Few distinct values make ties.
    #[test]
    fn a_quantile_within_the_limit_is_a_share_within_the_limit(
        values in prop::collection::vec(0..12_u8, 1..200),
        limit in 0..12_u8,
        q in some_quantile(),
    ) {
        let mut sorted: Vec<f64> = values.iter().copied().map(f64::from).collect();
        sorted.sort_by(f64::total_cmp);
        let within = values.iter().filter(|&&value| value <= limit).count();
        let share_is_within = within * 10_000 >= usize::from(q.basis_points()) * values.len();
        prop_assert_eq!(type1(&sorted, q).is_some_and(|value| value <= f64::from(limit)), share_is_within);
    }

    /// Breaks when interpolation runs off the values, or meets the infinite value of a failed operation with NaN.
    #[test]
    fn type7_stays_between_the_values(
        values in prop::collection::vec(0.0..9.0_f64, 0..50),
        failed in 0..4_usize,
        q in some_quantile(),
    ) {
        let mut sorted = values;
        sorted.extend(std::iter::repeat_n(f64::INFINITY, failed));
        sorted.sort_by(f64::total_cmp);
        match (sorted.first(), sorted.last()) {
            (Some(first), Some(last)) => {
                prop_assert!(type7(&sorted, q).is_some_and(|value| (first..=last).contains(&&value)));
            }
            _ => prop_assert_eq!(type7(&sorted, q), None),
        }
    }

    /// Breaks when a bound is off by one: then either it keeps less than its confidence, or its neighbour would do too.
    #[test]
    fn rank_bounds_are_the_tightest(n in 1..60_u64, q in some_quantile(), confidence in 0.6..0.99) {
        let p = q.as_fraction();
        match upper_rank(n, q, confidence) {
            Some(k) => {
                prop_assert!(at_most(k - 1, n, p) > confidence - 1e-9);
                prop_assert!(k == 1 || at_most(k - 2, n, p) < confidence + 1e-9);
            }
            None => prop_assert!(at_most(n - 1, n, p) < confidence + 1e-9),
        }
        match lower_rank(n, q, confidence) {
            Some(k) => {
                prop_assert!(at_most(k - 1, n, p) < 1.0 - confidence + 1e-9);
                prop_assert!(k == n || at_most(k, n, p) > 1.0 - confidence - 1e-9);
            }
            None => prop_assert!(at_most(0, n, p) > 1.0 - confidence - 1e-9),
        }
        let estimate = rank(n, q);
        prop_assert!(upper_rank(n, q, confidence).is_none_or(|k| Some(k) >= estimate));
        prop_assert!(lower_rank(n, q, confidence) <= estimate);
    }

    /// Breaks when the test of an exam takes the wrong tail, or an outcome too many or too few. Summed here, without a beta
    /// function.
    #[test]
    fn an_exam_adds_up_the_binomial(counts in (0..60_u64, 0..60_u64), goal in 0.01..0.99, alpha in 0.001..0.5_f64) {
        let counts = Counts { successes: counts.0, failures: counts.1 };
        let (s, n) = (counts.successes, counts.n());
        let (many, few): (f64, f64) = (if s == 0 { 1.0 } else { 1.0 - at_most(s - 1, n, goal) }, at_most(s, n, goal));
        prop_assert!((chance_of_as_many(counts, goal) - many).abs() < 1e-9);
        prop_assert!((chance_of_as_few(counts, goal) - few).abs() < 1e-9);
        let close = (many - alpha).abs() < 1e-9 || (few - alpha).abs() < 1e-9;
        let expected = match n {
            0 => Verdict::NoData,
            _ if many <= alpha => Verdict::Met,
            _ if few <= alpha => Verdict::Missed,
            _ => Verdict::NotProven,
        };
        prop_assert!(close || verdict(counts, goal, alpha) == expected);
    }

    /// Breaks when the number on the page and the verdict beside it come from two different tests.
    #[test]
    fn the_bounds_of_an_exam_lie_where_its_verdict_says(counts in some_counts(), q in some_quantile(), alpha in 0.001..0.5_f64) {
        let (n, goal) = (counts.n(), q.as_fraction());
        let exam = verdict(counts, goal, alpha);
        prop_assume!(n > 0);
        prop_assume!((chance_of_as_many(counts, goal) - alpha).abs() > 1e-9 && (chance_of_as_few(counts, goal) - alpha).abs() > 1e-9);
        let within = |rank: u64| rank <= counts.successes;
        prop_assert_eq!(exam == Verdict::Met, upper_rank(n, q, 1.0 - alpha).is_some_and(within));
        prop_assert_eq!(exam == Verdict::Missed, lower_rank(n, q, 1.0 - alpha).is_some_and(|rank| !within(rank)));
        let bounds = clopper_pearson_lower(counts, 1.0 - alpha).zip(clopper_pearson_upper(counts, 1.0 - alpha));
        let Some((low, high)) = bounds else { unreachable!("there are events") };
        if (low - goal).abs() > 1e-9 && (high - goal).abs() > 1e-9 {
            prop_assert_eq!(exam == Verdict::Met, low > goal);
            prop_assert_eq!(exam == Verdict::Missed, high < goal);
        }
    }

    /// Breaks when the search stops one too early or too late, or a projection is below what no sample can do.
    #[test]
    fn the_smallest_sample_is_the_smallest(counts in small_counts(), goal in some_goal(), alpha in 0.001..0.2_f64) {
        let failures = counts.failures;
        let size = smallest_size(goal, alpha, failures);
        let at = |n: u64| verdict(Counts { successes: n - failures, failures }, goal, alpha);
        prop_assert_eq!(at(size), Verdict::Met);
        prop_assert!(size == failures || at(size - 1) != Verdict::Met);
        if let Some(projected) = projected_size(counts, goal, alpha) {
            prop_assert!(counts.successes as f64 > goal * counts.n() as f64);
            prop_assert!(projected + 1 >= smallest_size(goal, alpha, 0));
        }
    }

    /// Breaks when a shape or a tail is wrong: at its own lower bound, so many successes have exactly the probability
    /// that the confidence leaves. The binomial distribution is summed here, without a beta function.
    #[test]
    fn clopper_pearson_solves_the_binomial(counts in (0..40_u64, 0..40_u64), confidence in 0.5..0.999) {
        let counts = Counts { successes: counts.0, failures: counts.1 };
        let bounds = clopper_pearson_lower(counts, confidence).zip(clopper_pearson_upper(counts, confidence));
        let Some((low, high)) = bounds else {
            prop_assert_eq!(counts.n(), 0);
            return Ok(());
        };
        if counts.successes > 0 {
            prop_assert!((1.0 - at_most(counts.successes - 1, counts.n(), low) - (1.0 - confidence)).abs() < 1e-9);
        }
        if counts.failures > 0 {
            prop_assert!((at_most(counts.successes, counts.n(), high) - (1.0 - confidence)).abs() < 1e-9);
        }
        let Some([wilson_low, wilson_high]) = wilson(counts, confidence) else { unreachable!("there are events") };
        let rate = counts.successes as f64 / counts.n() as f64;
        prop_assert!(0.0 <= wilson_low && wilson_low <= rate && rate <= wilson_high && wilson_high <= 1.0);
    }
}

proptest! {
    /// Breaks when a place depends on the unit or the zero of the values. Powers of two, so that no distance is rounded.
    #[test]
    fn changes_are_where_they_are_in_any_unit(series in some_series(), shift in -1000..1000_i32, power in -8..8_i32, is_turned: bool) {
        let scale = 2_f64.powi(power) * if is_turned { -1.0 } else { 1.0 };
        let indexes = |series: &[f64], parameters| change_points(series, parameters).iter().map(|point| point.index).collect::<Vec<_>>();
        let moved: Vec<f64> = series.iter().map(|value| scale * value + f64::from(shift)).collect();
        prop_assert_eq!(indexes(&series, Parameters::OTAVA), indexes(&moved, Parameters::OTAVA));
        // A relative change depends on the zero, and its logarithm on the unit.
        let relative = Parameters { scale: Scale::Plain, ..Parameters::DAILY };
        let scaled: Vec<f64> = series.iter().map(|value| scale * value).collect();
        prop_assert_eq!(indexes(&series, relative), indexes(&scaled, relative));
        let small: Vec<f64> = series.iter().map(|value| value / 1024.0).collect();
        let shifted: Vec<f64> = small.iter().map(|value| value + f64::from(shift)).collect();
        prop_assert_eq!(indexes(&small, Parameters::DAILY), indexes(&shifted, Parameters::DAILY));
    }

    /// Breaks when something that was said of a change is not true of the stretches beside it: of what has gone since, say.
    #[test]
    fn what_is_said_of_a_change_is_true_of_the_series(series in some_series(), gaps in proptest::collection::vec(0..180_usize, 0..5)) {
        let parameters = Parameters { scale: Scale::Plain, ..Parameters::DAILY };
        let found = change_points(&series, parameters);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mut ends: Vec<usize> = found.iter().map(|point| point.index).collect();
        ends.insert(0, 0);
        ends.push(series.len());
        for (point, ends) in found.iter().zip(ends.windows(3)) {
            let [before, after] = [&series[ends[0]..ends[1]], &series[ends[1]..ends[2]]];
            prop_assert!(before.len() >= 3 && after.len() >= 3);
            prop_assert!((point.before_mean - mean(before)).abs() < 1e-9 && (point.after_mean - mean(after)).abs() < 1e-9);
            prop_assert!(point.p < 0.001 && point.divergence > 0.0);
            prop_assert!(point.change.is_some_and(|change| (change - (mean(after) / mean(before) - 1.0)).abs() < 1e-9));
            prop_assert!((mean(after) / mean(before)).max(mean(before) / mean(after)) > 1.05);
        }
        // A day without a value moves places, and nothing else.
        let mut with_gaps = series.clone();
        gaps.iter().for_each(|gap| with_gaps.insert(*gap.min(&with_gaps.len()), f64::NAN));
        let again = change_points(&with_gaps, parameters);
        prop_assert_eq!(again.len(), found.len());
        for (again, found) in again.iter().zip(&found) {
            prop_assert_eq!(with_gaps[again.index], series[found.index]);
            prop_assert_eq!((again.before_mean, again.after_mean, again.p), (found.before_mean, found.after_mean, found.p));
        }
    }

    /// Breaks when a change is lost or told twice, or when neighbours in one direction are told apart.
    #[test]
    fn findings_are_all_changes(series in some_series()) {
        let points = change_points(&series, Parameters::OTAVA);
        let told = shifts(&points);
        let all = told.iter().flat_map(|finding| match finding {
            Shift::Step(step) => vec![*step],
            Shift::Trend(steps) => steps.clone(),
        });
        prop_assert_eq!(all.collect::<Vec<_>>(), points);
        let direction = |finding: &Shift| match finding {
            Shift::Step(step) => step.rises(),
            Shift::Trend(steps) => steps[0].rises(),
        };
        for finding in &told {
            if let Shift::Trend(steps) = finding {
                prop_assert!(steps.len() >= 2 && steps.iter().all(|step| step.rises() == direction(finding)));
            }
        }
        prop_assert!(told.windows(2).all(|pair| direction(&pair[0]) != direction(&pair[1])));
    }

    /// Breaks when a sum overflows, an index leaves its series, a search does not end, or something that is not finite wins.
    #[test]
    fn no_series_is_too_odd(series in proptest::collection::vec(any_number(), 0..80), parameters in any_parameters()) {
        for point in change_points(&series, parameters) {
            prop_assert!(series[point.index].is_finite());
            prop_assert!(point.p < parameters.p_max && (0.0..=1.0).contains(&point.p));
            prop_assert!(point.before_mean.is_finite() && point.after_mean.is_finite() && point.divergence > 0.0);
        }
    }

    /// Breaks when a type is counted for neither effect, or for both.
    #[test]
    fn effects_are_all_of_the_change(before in some_types(), after in some_types()) {
        let n = |period: &BTreeMap<String, Counts>| period.values().map(|counts| counts.n()).sum::<u64>();
        let Some(found) = Decomposition::of(&before, &after) else {
            prop_assert!(n(&before) == 0 || n(&after) == 0);
            return Ok(());
        };
        prop_assert!((found.rate_effect + found.mix_effect - found.pooled_change()).abs() < 1e-12);
        let successes = |period: &BTreeMap<String, Counts>| period.values().map(|counts| counts.successes).sum::<u64>();
        for (period, (pooled, mean)) in [&before, &after].into_iter().zip(found.pooled_rates.into_iter().zip(found.macro_rates)) {
            prop_assert!((pooled - successes(period) as f64 / n(period) as f64).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&mean));
        }
        let has = |period: &BTreeMap<String, Counts>, name: &str| period.get(name).is_some_and(|counts| counts.n() > 0);
        for name in ["a", "b", "c", "d", "e"] {
            let is_new = found.new_types.iter().any(|new| new == name);
            let is_vanished = found.vanished_types.iter().any(|vanished| vanished == name);
            prop_assert_eq!((is_new, is_vanished), (!has(&before, name) && has(&after, name), has(&before, name) && !has(&after, name)));
        }

        // The other way round, all is the other way round.
        let back = Decomposition::of(&after, &before).expect("both have events");
        prop_assert!((back.rate_effect + found.rate_effect).abs() < 1e-12 && (back.mix_effect + found.mix_effect).abs() < 1e-12);
        prop_assert_eq!((back.new_types, back.vanished_types), (found.vanished_types.clone(), found.new_types.clone()));

        // Where nothing but the shares changes, no type has changed, and nothing is a paradox.
        let doubled = |(name, counts): (&String, &Counts)| {
            let times = if name.as_str() < "c" { 2 } else { 1 };
            (name.clone(), Counts { successes: times * counts.successes, failures: times * counts.failures })
        };
        let shifted = Decomposition::of(&before, &before.iter().map(doubled).collect()).expect("there are events");
        prop_assert!(shifted.rate_effect == 0.0 && !shifted.is_simpson());
    }

    /// Breaks when something overflows: counts are whatever fits.
    #[test]
    fn no_counts_are_too_many(a in any::<[u64; 4]>(), goal in any_number(), other in any_number(), run_length in any_number()) {
        let [first, second] = [Counts { successes: a[0], failures: a[1] }, Counts { successes: a[2], failures: a[3] }];
        let period = |counts: [Counts; 2]| ["x", "y"].map(str::to_owned).into_iter().zip(counts).collect::<BTreeMap<_, _>>();
        let found = Decomposition::of(&period([first, second]), &period([second, first])).expect("some of them are not 0");
        prop_assert!((found.rate_effect + found.mix_effect - found.pooled_change()).abs() < 1e-12);

        let is_goal = goal > 0.0 && goal < 1.0;
        prop_assert_eq!(ErrorBudget::over(a[0], a[1], goal).is_some(), is_goal);
        prop_assert_eq!(burn_rate(first, goal).is_some(), is_goal);
        prop_assert!(burn_rate(first, goal).zip(burn_rate_max(goal)).is_none_or(|(rate, max)| rate <= max));
        prop_assert!(burn_rate_for(goal, other, run_length).is_none_or(|rate| rate.is_finite() && rate >= 0.0));
        // At the burn rate of a window, as many fail as did there.
        let rate = burn_rate(first, goal).filter(|_| is_goal);
        let failed = rate.and_then(|rate| failure_share(rate, goal));
        prop_assert!(failed.is_none_or(|share| (share - first.failures as f64 / first.n() as f64).abs() < 1e-9));

        if let Some(mut detector) = EDetector::new(goal, run_length) {
            for counts in [first, second, Counts { successes: a[3], failures: 0 }, Counts { successes: 0, failures: a[2] }] {
                let alarm = detector.observe_unordered(counts);
                prop_assert!(alarm.is_none_or(|alarm| alarm.value >= run_length && alarm.value.is_finite()));
                prop_assert!((0.0..run_length).contains(&detector.value()));
                let alarm = detector.observe(a[0] % 2 == 0);
                prop_assert!(alarm.is_none_or(|alarm| alarm.value >= run_length && alarm.value.is_finite()));
                prop_assert!((0.0..run_length).contains(&detector.value()));
            }
        } else {
            prop_assert!(!(1e-12..=1.0 - 1e-12).contains(&goal) || !(1.0..=f64::MAX).contains(&run_length));
        }
    }

    /// Breaks when the least that any order gives is more than some order gives, or when the two geometric sums are wrong.
    #[test]
    fn no_order_alarms_later_than_the_unknown_one(
        events in proptest::collection::vec(proptest::bool::weighted(0.8), 1..60),
        goal in some_goal(),
    ) {
        // Out of reach, so that the values themselves can be compared.
        let never = EDetector::new(goal, f64::MAX).expect("a goal");
        let [mut unordered, mut failures_first, mut ordered] = [never.clone(), never.clone(), never];
        for day in events.chunks(20) {
            let mut counts = Counts::default();
            day.iter().for_each(|success| counts.add(*success));
            unordered.observe_unordered(counts);
            (0..counts.failures).for_each(|_| assert_eq!(failures_first.observe(false), None));
            (0..counts.successes).for_each(|_| assert_eq!(failures_first.observe(true), None));
            day.iter().for_each(|success| assert_eq!(ordered.observe(*success), None));
            let [unordered, failures_first, ordered] = [&unordered, &failures_first, &ordered].map(EDetector::value);
            prop_assert!((unordered / failures_first - 1.0).abs() < 1e-9, "{unordered} and {failures_first}");
            prop_assert!(unordered <= ordered * (1.0 + 1e-9), "{unordered} and {ordered}");
        }
    }
}

/// The chance that an exam shows a wrong verdict where the true rate is the goal itself, the worst case, added up over all
/// outcomes. Breaks with a test that is not exact, such as a normal approximation, and when `alpha` is shared wrongly.
#[test]
fn an_exam_errs_no_more_often_than_it_says() {
    for goal in [0.05, 0.5, 0.8, 0.95, 0.99] {
        for n in 1..=300_u64 {
            let mut wrong = [0.0, 0.0];
            for (successes, probability) in (0..=n).zip(binomial(n, goal)) {
                match verdict(Counts { successes, failures: n - successes }, goal, ALPHA) {
                    Verdict::Met => wrong[0] += probability,
                    Verdict::Missed => wrong[1] += probability,
                    _ => {}
                }
            }
            assert!(wrong.iter().all(|wrong| *wrong <= ALPHA + 1e-12), "goal {goal}, n = {n}: {wrong:?}");
            // And it is no weaker than it has to be: one outcome more would be too many.
            let most = (0..=n).rev().find(|&s| verdict(Counts { successes: s, failures: n - s }, goal, ALPHA) != Verdict::Met);
            let next = most.map(|s| chance_of_as_many(Counts { successes: s, failures: n - s }, goal));
            assert!(next.is_none_or(|chance| chance > ALPHA), "goal {goal}, n = {n}");
        }
    }
}

/// The probability of each outcome, from none to `n`. Begun at the end where it does not vanish.
fn binomial(n: u64, p: f64) -> Vec<f64> {
    let (p, is_turned) = if p > 0.5 { (1.0 - p, true) } else { (p, false) };
    let first = (1.0 - p).powi(n as i32);
    let next = |(k, probability): &(u64, f64)| Some((k + 1, probability * (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p)));
    let mut all: Vec<f64> = std::iter::successors(Some((0, first)), next).take(n as usize + 1).map(|(_, p)| p).collect();
    if is_turned {
        all.reverse();
    }
    assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-9, "the outcomes are all there are");
    all
}

/// `P(Binomial(n, p) <= k)` by summing, for small `n`.
fn at_most(k: u64, n: u64, p: f64) -> f64 {
    let mut probability = (1.0 - p).powi(n as i32);
    let mut sum = probability;
    for i in 0..k {
        probability *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        sum += probability;
    }
    sum
}
