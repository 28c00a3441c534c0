//! Looks at each of 2000 events in each of 2000 simulated runs, and counts the runs that ever show a wrong verdict.
//!
//! This is the promise itself, checked without the theory behind it. The seed is fixed, so that the outcome is too. The
//! limit of 6.5 % is the promised 5 % plus three standard errors of 2000 runs. The promise of alarms is checked likewise.

use milepost_judge::always_valid::{Counts, at_least_more, ln_e_above, ln_e_below, ln_threshold};
use milepost_judge::e_detector::EDetector;

const GOAL: f64 = 0.95;
const ALPHA: f64 = 0.05;
const RUNS: u64 = 2000;
const LOOKS: u64 = 2000;
const SHARE_WRONG_MAX: f64 = 0.065;

/// Fails when the threshold is too low, when the mixture is not normalised, or when a mixture reaches across the goal.
#[test]
fn a_rate_at_the_goal_is_rarely_called_met_or_missed() {
    let shown = simulate(|_| GOAL);
    assert!(shown.met <= SHARE_WRONG_MAX, "{:.2} % of the runs were called met", 100.0 * shown.met);
    assert!(shown.missed <= SHARE_WRONG_MAX, "{:.2} % of the runs were called missed", 100.0 * shown.missed);
    // The bare rate, looked at as often, is wrong nearly always: the simulation does tell honest from dishonest.
    assert!(shown.rate_above_goal > 0.9, "the bare rate was above the goal in {:.2} %", 100.0 * shown.rate_above_goal);
}

/// Blocks of 50 events with 10 % and with no failures: the average never exceeds the goal. Fails when the evidence
/// depends on the order of events, or rests on a constant rate.
#[test]
fn a_drifting_rate_is_rarely_called_met() {
    let shown = simulate(|event| if event / 50 % 2 == 0 { 0.90 } else { 1.00 });
    assert!(shown.met <= SHARE_WRONG_MAX, "{:.2} % of the runs were called met", 100.0 * shown.met);
}

/// Fails when the tests keep their promise by never proving anything.
#[test]
fn a_rate_off_the_goal_is_found_out() {
    let good = simulate(|_| 0.98);
    assert!(good.met > 0.95 && good.missed < 0.01, "met in {} and missed in {} of the runs", good.met, good.missed);
    let bad = simulate(|_| 0.90);
    assert!(bad.missed > 0.95 && bad.met < 0.01, "missed in {} and met in {} of the runs", bad.missed, bad.met);
}

/// The promised run length of the simulated detectors; small, so that there are many false alarms to count.
const RUN_LENGTH: u64 = 200;

/// Fails when the detector weighs an event above what it may at the goal, or alarms below its threshold.
#[test]
fn false_alarms_are_as_rare_as_promised() {
    let [alone, days] = [mean_run_length(GOAL, 1), mean_run_length(GOAL, 20)];
    let promised = RUN_LENGTH as f64..2.0 * RUN_LENGTH as f64;
    assert!(promised.contains(&alone), "an alarm every {alone:.0} events");
    // In days whose order is not known, the events are no more than in a known one.
    assert!(days >= alone, "an alarm every {days:.0} events, {alone:.0} in order");
    // Above the goal they are rarer.
    let above = mean_run_length(0.97, 1);
    assert!(above > 3.0 * alone, "an alarm every {above:.0} events");
    // And the detector does not keep its promise by never alarming: within 50 events where failures came from 5 to 20 %.
    let [fallen, fallen_days] = [mean_run_length(0.80, 1), mean_run_length(0.80, 20)];
    assert!(fallen < 50.0 && fallen_days < 60.0, "found after {fallen:.0} events, {fallen_days:.0} in days");
}

/// Events until an alarm, on average over 2000 alarms, where events are taken in so many at a time.
fn mean_run_length(rate: f64, at_a_time: u64) -> f64 {
    let mut random = SplitMix(20_240_301);
    let Some(mut detector) = EDetector::new(GOAL, RUN_LENGTH as f64) else { unreachable!("a goal and a length") };
    let (mut alarms, mut events) = (0_u64, 0_u64);
    while alarms < RUNS {
        let mut counts = Counts::default();
        (0..at_a_time).for_each(|_| counts.add(random.next() < rate));
        let alarm = if at_a_time == 1 { detector.observe(counts.successes == 1) } else { detector.observe_unordered(counts) };
        if let Some(alarm) = alarm {
            alarms += 1;
            events += alarm.event;
        }
    }
    events as f64 / alarms as f64
}

/// Shares of the runs that ever showed something.
struct Shown {
    met: f64,
    missed: f64,
    rate_above_goal: f64,
}

fn simulate(rate: impl Fn(u64) -> f64) -> Shown {
    let boundary = Boundary::new();
    let mut random = SplitMix(20_240_229);
    let (mut met, mut missed, mut rate_above_goal) = (0, 0, 0);
    for run in 0..RUNS {
        let mut counts = Counts::default();
        let (mut ever_met, mut ever_missed, mut ever_above) = (false, false, false);
        for event in 0..LOOKS {
            if random.next() < rate(event) {
                counts.successes += 1;
            } else {
                counts.failures += 1;
            }
            let (is_met, is_missed) = (boundary.met(counts), boundary.missed(counts));
            if run < 3 {
                assert_eq!(is_met, ln_e_above(counts, GOAL) >= ln_threshold(ALPHA), "{counts:?}");
                assert_eq!(is_missed, ln_e_below(counts, GOAL) >= ln_threshold(ALPHA), "{counts:?}");
            }
            ever_met |= is_met;
            ever_missed |= is_missed;
            ever_above |= counts.successes as f64 > GOAL * counts.n() as f64;
        }
        met += u64::from(ever_met);
        missed += u64::from(ever_missed);
        rate_above_goal += u64::from(ever_above);
    }
    let share = |runs| runs as f64 / RUNS as f64;
    Shown { met: share(met), missed: share(missed), rate_above_goal: share(rate_above_goal) }
}

/// Where each verdict begins. Four million looks then cost a comparison each; three runs are checked by `ln E`.
struct Boundary {
    /// By the number of failures: the successes from which on the goal is met. Ends where the looks do.
    met_from: Vec<u64>,
    /// By the number of successes: the failures from which on the goal is missed.
    missed_from: Vec<u64>,
}

impl Boundary {
    fn new() -> Boundary {
        let needed = |against, goal| at_least_more(Counts { successes: 0, failures: against }, goal, ALPHA);
        let within_looks =
            |goal| (0..).map_while(|against| Some(needed(against, goal)).filter(|needed| against + needed <= LOOKS)).collect();
        Boundary { met_from: within_looks(GOAL), missed_from: within_looks(1.0 - GOAL) }
    }

    fn met(&self, counts: Counts) -> bool {
        reached(&self.met_from, counts.failures, counts.successes)
    }

    fn missed(&self, counts: Counts) -> bool {
        reached(&self.missed_from, counts.successes, counts.failures)
    }
}

fn reached(from: &[u64], against: u64, count: u64) -> bool {
    from.get(against as usize).is_some_and(|&needed| count >= needed)
}

/// Random numbers in [0, 1) after Steele, Lea and Flood (2014): small, and the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
