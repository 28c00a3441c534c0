//! Plans: chances that are known in closed form, and those that a simulation finds.

use milepost_judge::{
    EVENTS_MIN, Verdict,
    always_valid::{Counts, at_least_more, ln_e_above, ln_e_below, ln_threshold},
    fixed_sample::verdict,
    plan::{SIZE_MAX, SIZES, chances},
};

const ALPHA: f64 = 0.05;

/// Without a failure the 72nd success proves a P95 live, and the 59th in a fixed sample: not one before.
#[test]
fn what_never_fails_is_proven_by_the_fewest_events_there_can_be() {
    let by = |n: u64| chances(0.95, ALPHA, &[1.0], &[n])[0].chances[0];
    assert_eq!((by(71).live_met, by(72).live_met), (0.0, 1.0));
    assert_eq!((by(58).fixed_met, by(59).fixed_met), (0.0, 1.0));
    assert_eq!((by(72).live_missed, by(59).fixed_missed), (0.0, 0.0));
}

/// The chance of no failure among 72, and of none among 59, where one failure is too many.
#[test]
fn the_fewest_events_take_as_much_luck_as_no_failure_does() {
    let by = |n: u64| chances(0.95, ALPHA, &[0.98], &[n])[0].chances[0];
    assert!((by(72).live_met - 0.98_f64.powi(72)).abs() < 1e-12);
    assert!((by(59).fixed_met - 0.98_f64.powi(59)).abs() < 1e-12);
}

/// At the goal itself whatever is said is wrong on one side; both promises hold, to the last event.
#[test]
fn at_the_goal_no_promise_is_broken() {
    for goal in [0.5, 0.8, 0.95, 0.99] {
        for chance in &chances(goal, ALPHA, &[goal], &SIZES)[0].chances {
            let n = chance.n;
            for share in [chance.live_met, chance.live_missed, chance.fixed_met, chance.fixed_missed] {
                assert!((0.0..=ALPHA + 1e-9).contains(&share), "{share} at {goal} by {n}");
            }
        }
    }
}

/// Live chances only rise with events, and a better product is proven sooner; the chances are chances.
#[test]
fn more_events_and_a_better_product_never_hurt_live() {
    let rates = [0.5, 0.9, 0.94, 0.95, 0.96, 0.98, 0.999, 1.0];
    let all = chances(0.95, ALPHA, &rates, &SIZES);
    assert_eq!(all.iter().map(|one| one.rate).collect::<Vec<_>>(), rates);
    for one in &all {
        assert_eq!(one.chances.iter().map(|chance| chance.n).collect::<Vec<_>>(), SIZES);
        assert!(one.chances.windows(2).all(|two| two[0].live_met <= two[1].live_met && two[0].live_missed <= two[1].live_missed));
        assert!(one.chances.iter().all(|chance| chance.live_met + chance.live_missed <= 1.0 + 1e-9));
    }
    for two in all.windows(2) {
        assert!(two[0].chances.iter().zip(&two[1].chances).all(|(worse, better)| worse.live_met <= better.live_met + 1e-12));
    }
}

/// Nothing exact is worth more than what is seen when it is played: each event counted, each look taken.
#[test]
fn the_live_chance_is_the_share_of_simulated_runs() {
    const RUNS: u64 = 4000;
    let (goal, sizes) = (0.9, [50, 100, 300]);
    for rate in [0.8, 0.95] {
        let mut met_by = [0_u64; 3];
        let mut missed_by = [0_u64; 3];
        let mut random = SplitMix(7);
        for _ in 0..RUNS {
            let mut counts = Counts::default();
            for n in 1..=300 {
                counts.add(random.next() < rate);
                if n < EVENTS_MIN {
                    continue;
                }
                let threshold = ln_threshold(ALPHA);
                let by = if ln_e_above(counts, goal) >= threshold {
                    &mut met_by
                } else if ln_e_below(counts, goal) >= threshold {
                    &mut missed_by
                } else {
                    continue;
                };
                by.iter_mut().zip(sizes).filter(|(_, size)| n <= *size).for_each(|(by, _)| *by += 1);
                break;
            }
        }
        for ((chance, met), missed) in chances(goal, ALPHA, &[rate], &sizes)[0].chances.iter().zip(met_by).zip(missed_by) {
            // Four standard errors.
            let near = |exact: f64, seen: u64| {
                let error = 4.0 * (exact * (1.0 - exact) / RUNS as f64).sqrt() + 1e-9;
                assert!((exact - seen as f64 / RUNS as f64).abs() <= error, "{exact} is not {seen} of {RUNS} at {rate} by {}", chance.n);
            };
            near(chance.live_met, met);
            near(chance.live_missed, missed);
        }
    }
}

/// The chance in a fixed sample is the sum over all outcomes that the exam calls so.
#[test]
fn the_fixed_chance_is_the_sum_over_its_outcomes() {
    for (goal, rate, n) in [(0.95, 0.97, 200), (0.5, 0.6, 40), (0.8, 0.7, 33), (0.99, 0.95, 1)] {
        let chance = chances(goal, ALPHA, &[rate], &[n])[0].chances[0];
        let (mut met, mut missed) = (0.0, 0.0);
        // The chance of so many failures, by the ratio of neighbours.
        let mut probability = f64::powi(rate, i32::try_from(n).expect("small"));
        for failures in 0..=n {
            match verdict(Counts { successes: n - failures, failures }, goal, ALPHA) {
                Verdict::Met => met += probability,
                Verdict::Missed => missed += probability,
                _ => {}
            }
            probability *= (n - failures) as f64 / (failures + 1) as f64 * (1.0 - rate) / rate;
        }
        assert!((chance.fixed_met - met).abs() < 1e-9 && (chance.fixed_missed - missed).abs() < 1e-9, "{chance:?}: {met}, {missed}");
    }
}

/// From the first event on that the fewest-more of a verdict names, to the end of all plans.
#[test]
fn no_plan_contradicts_how_many_more_a_verdict_names() {
    for goal in [0.5, 0.8, 0.9, 0.95, 0.99] {
        let fewest = at_least_more(Counts::default(), goal, ALPHA).max(EVENTS_MIN);
        let [before, at] = [fewest - 1, fewest].map(|n| chances(goal, ALPHA, &[1.0], &[n])[0].chances[0].live_met);
        assert_eq!((before, at), (0.0, 1.0), "{goal}");
    }
    assert_eq!(chances(0.95, ALPHA, &[0.97], &[u64::MAX])[0].chances[0].n, SIZE_MAX);
    assert_eq!(chances(0.95, ALPHA, &[0.97], &[0])[0].chances[0].live_met, 0.0);
}

/// Steele, Lea and Flood 2014.
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
