//! Runs in which somebody looks after each event: what they are ever shown. Shared with the benchmark that makes the tables of
//! `docs/honesty.md`.

use milepost_judge::{
    always_valid::{Counts, at_least_more, ln_e_above, ln_e_below, ln_threshold},
    fixed_sample::smallest_size,
};

/// What somebody watches.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// The goal: a rate of successes above this.
    pub goal: f64,
    /// The error rate that the verdicts keep.
    pub alpha: f64,
    /// How many runs.
    pub runs: u64,
    /// How often somebody looks in each.
    pub looks: u64,
    /// Where the random numbers begin.
    pub seed: u64,
}

/// Of how many runs it was ever shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The always-valid verdict that the goal is met.
    pub met: u64,
    /// The always-valid verdict that it is missed.
    pub missed: u64,
    /// An observed rate above the goal.
    pub rate_above_goal: u64,
    /// A one-sided bound of Clopper and Pearson above the goal, which is meant for one look.
    pub bound_above_goal: u64,
    /// Such a bound below it.
    pub bound_below_goal: u64,
}

/// Watches runs of events. `next` draws those that come in before a look, given the number of looks before.
pub fn watch(watched: Watched, next: impl Fn(&mut SplitMix, u64) -> Counts) -> Shown {
    let Watched { goal, alpha, runs, looks, seed } = watched;
    let mut random = SplitMix(seed);
    let mut shown = Shown::default();
    // Grows where more than one event comes in before a look.
    let (mut live, mut once) = (Boundary::live(goal, alpha, looks), Boundary::once(goal, alpha, looks));
    for run in 0..runs {
        let mut counts = Counts::default();
        let [mut met, mut missed, mut rate_above, mut bound_above, mut bound_below] = [false; 5];
        for look in 0..looks {
            counts = counts.and(next(&mut random, look));
            if counts.n() > live.events {
                (live, once) = (Boundary::live(goal, alpha, 2 * counts.n()), Boundary::once(goal, alpha, 2 * counts.n()));
            }
            let [is_met, is_missed] = [live.met(counts), live.missed(counts)];
            if run < 3 {
                assert_eq!(is_met, ln_e_above(counts, goal) >= ln_threshold(alpha), "{counts:?}");
                assert_eq!(is_missed, ln_e_below(counts, goal) >= ln_threshold(alpha), "{counts:?}");
            }
            met |= is_met;
            missed |= is_missed;
            rate_above |= counts.successes as f64 > goal * counts.n() as f64;
            bound_above |= once.met(counts);
            bound_below |= once.missed(counts);
        }
        shown.met += u64::from(met);
        shown.missed += u64::from(missed);
        shown.rate_above_goal += u64::from(rate_above);
        shown.bound_above_goal += u64::from(bound_above);
        shown.bound_below_goal += u64::from(bound_below);
    }
    shown
}

/// One event: a success or not.
pub fn event(is_success: bool) -> Counts {
    let mut counts = Counts::default();
    counts.add(is_success);
    counts
}

/// Where each verdict begins, up to so many events. A look then costs a comparison.
pub struct Boundary {
    events: u64,
    /// By the number of failures: the successes from which on the goal is met. Ends where the events do.
    met_from: Vec<u64>,
    /// By the number of successes: the failures from which on the goal is missed.
    missed_from: Vec<u64>,
}

impl Boundary {
    /// Of verdicts that hold however often somebody looks.
    pub fn live(goal: f64, alpha: f64, events: u64) -> Self {
        Self::new(goal, events, |against, goal| at_least_more(Counts { successes: 0, failures: against }, goal, alpha))
    }

    /// Of the exact test for one look.
    pub fn once(goal: f64, alpha: f64, events: u64) -> Self {
        Self::new(goal, events, |against, goal| smallest_size(goal, alpha, against) - against)
    }

    /// `needed` says how many events of one kind outweigh so many of the other.
    fn new(goal: f64, events: u64, needed: impl Fn(u64, f64) -> u64) -> Self {
        let within = |goal| (0..).map_while(|against| Some(needed(against, goal)).filter(|needed| against + needed <= events)).collect();
        Self { events, met_from: within(goal), missed_from: within(1.0 - goal) }
    }

    /// Whether these events are enough to call the goal met.
    pub fn met(&self, counts: Counts) -> bool {
        reached(&self.met_from, counts.failures, counts.successes)
    }

    /// Whether they are enough to call it missed.
    pub fn missed(&self, counts: Counts) -> bool {
        reached(&self.missed_from, counts.successes, counts.failures)
    }
}

fn reached(from: &[u64], against: u64, count: u64) -> bool {
    from.get(against as usize).is_some_and(|&needed| count >= needed)
}

/// Random numbers after Steele, Lea and Flood (2014): small, and the same on every machine.
pub struct SplitMix(pub u64);

impl SplitMix {
    /// The next one, in [0, 1).
    pub fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
