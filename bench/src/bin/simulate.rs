//! How often a verdict is wrong where somebody looks after each event, and how many events a verdict takes: the tables of
//! `docs/honesty.md`, the same on each run.
//!
//! A rule is run by what the judge computes from counts, and the verdicts of the first run are compared with those of the judge.

use milepost_bench::{
    ALPHA, by_operation, criteria, durations, for_each_operation, improvement, interactions, judged, latency,
    looks::{Boundary, Shown, SplitMix, Watched, event, watch},
    of_all, outcomes, retention, returns, success_rate,
};
use milepost_judge::{
    EVENTS_MIN, Goal, Verdict,
    always_valid::{Counts, at_least_more, ln_threshold},
    difference,
    fixed_sample::{self, chance_of_as_many, smallest_size},
    quantile::Quantile,
};
use milepost_record::Evidence;

const RUNS: u64 = 20_000;
const LOOKS: u64 = 2000;
/// A rate that drifts changes after so many events.
const BLOCK: u64 = 50;
/// How many events a fixed sample has here.
const SAMPLE: u64 = 500;
/// How many operations a criterion tells apart here.
const OPERATIONS: usize = 10;
/// Nobody waits longer for a verdict here.
const EVENTS_MAX: u64 = 50_000;
/// The spread of a quantile is that among so many parts of the runs.
const PARTS: usize = 20;

/// The goals, and what is judged by them.
const RATES: [(f64, &str); 5] =
    [(0.5, "time to first success"), (0.8, "retention"), (0.9, "voice"), (0.95, "success, learning"), (0.99, "P99")];

/// What learning has to bring, and two arms that differ by exactly that.
const POINTS: f64 = 0.10;
const ARMS: [f64; 2] = [0.95, 0.85];

fn main() {
    at_the_goal();
    drifting();
    learning();
    many_operations();
    fixed_samples();
    time_to_a_verdict();
    time_for_learning();
}

fn at_the_goal() {
    println!("**At the goal.** {RUNS} runs of {LOOKS} looks, a look after each event, the truth exactly at the goal\n");
    println!("| goal | false *met* | false *missed* | observed rate above | bound for one look above | bound for one look below |");
    println!("|---|---:|---:|---:|---:|---:|");
    let row = |name: &str, shown: Shown| {
        let [met, missed, rate, above, below] =
            [shown.met, shown.missed, shown.rate_above_goal, shown.bound_above_goal, shown.bound_below_goal].map(|n| percent(n, RUNS));
        println!("| {name} | {met} | {missed} | {rate} | {above} | {below} |");
    };
    for ((goal, of), seed) in RATES.into_iter().zip(100..) {
        let succeeds = |random: &mut SplitMix, _| event(random.draw() < goal);
        let shown = watched(Watched { goal, seed, ..WATCHED }, succeeds, success_rate(goal), |counts| of_all(outcomes(counts)));
        row(&format!("rate above {} % ({of})", 100.0 * goal), shown);
    }
    // One in fifty fails; the others take an exponential time, so that the P95 of all is exactly the limit.
    let limit_us = 500_000.0;
    let mean_us = -limit_us / (1.0 - 0.95 / 0.98_f64).ln();
    let is_fast = |random: &mut SplitMix, _| {
        let (fails, duration_us) = (random.draw() >= 0.98, -mean_us * (1.0 - random.draw()).ln());
        event(!fails && duration_us < limit_us)
    };
    let of_latency = |Counts { successes, failures }| {
        let (slow, failed) = (failures - failures / 2, failures / 2);
        let each: Vec<u64> = (0..successes + slow).map(|n| if n < successes { 100_000 } else { 900_000 }).collect();
        of_all(durations(&each, failed, 500_000))
    };
    row(
        "P95 below a limit, 2 % fail",
        watched(Watched { goal: 0.95, seed: 200, ..WATCHED }, is_fast, latency(Quantile::P95, 500), of_latency),
    );
    // None to three people a day whose fourth week has passed, and a look at each day.
    let come_back = |random: &mut SplitMix, _| {
        let people = (4.0 * random.draw()) as u64;
        (0..people).fold(Counts::default(), |counts, _| counts.and(event(random.draw() < 0.8)))
    };
    row("retention above 80 %, a look a day", watched(Watched { goal: 0.8, seed: 300, ..WATCHED }, come_back, retention(0.8), returns));
}

fn drifting() {
    println!("\n**Drifting.** The same, but the rate alternates every {BLOCK} events. On average over the events so far it is never above");
    println!("the goal for a false *met*, and never below it for a false *missed*\n");
    println!("| goal | rates | false *met* | false *missed* | observed rate above | bound for one look above |");
    println!("|---|---|---:|---:|---:|---:|");
    for ((goal, _), seed) in RATES.into_iter().zip(400..) {
        let away = (1.0 - goal).min(0.25);
        let alternating = |first: f64| move |random: &mut SplitMix, look| event(random.draw() < rate_at(look, goal, first));
        let from_below = watch(Watched { goal, seed, ..WATCHED }, alternating(-away));
        let from_above = watch(Watched { goal, seed: seed + 50, ..WATCHED }, alternating(away));
        let [met, missed, rate, bound] =
            [from_below.met, from_above.missed, from_below.rate_above_goal, from_below.bound_above_goal].map(|n| percent(n, RUNS));
        let (low, high) = (100.0 * (goal - away), 100.0 * (goal + away));
        println!("| {} % | {low:.0} % and {high:.0} % | {met} | {missed} | {rate} | {bound} |", 100.0 * goal);
    }
}

/// A rate around `middle`, in blocks that begin at `first` from it.
fn rate_at(look: u64, middle: f64, first: f64) -> f64 {
    if (look / BLOCK).is_multiple_of(2) { middle + first } else { middle - first }
}

fn learning() {
    println!(
        "\n**Learning.** Whether {} points more are understood with learning than without, where exactly so many more are:",
        100.0 * POINTS
    );
    println!("{RUNS} runs of {LOOKS} interactions, each in one of two arms by chance\n");
    println!(
        "| arms | false *met* | false *missed* | observed difference above | interval for one look above | interval for one look below |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    confirm_learning();
    for (name, away, seed) in [("95 % and 85 %", 0.0, 500), ("both 5 points less, then 5 more, every 50", -0.05, 501)] {
        let mut random = SplitMix(seed);
        let mut shown = Shown::default();
        for _ in 0..RUNS {
            let mut arms = Arms::default();
            let [mut met, mut missed, mut above, mut interval_above, mut interval_below] = [false; 5];
            for look in 0..LOOKS {
                arms.add(&mut random, ARMS.map(|rate| rate_at(look, rate, away)));
                let [with, without] = arms.counts;
                let observed = difference::estimate(with, without);
                above |= observed.is_some_and(|difference| difference > POINTS);
                if arms.may_be_proven() {
                    met |= difference::is_above(with, without, POINTS, ALPHA);
                    missed |= difference::is_below(with, without, POINTS, ALPHA);
                }
                if let Some([low, high]) = difference::newcombe(with, without, 1.0 - 2.0 * ALPHA) {
                    interval_above |= low > POINTS;
                    interval_below |= high < POINTS;
                }
            }
            shown.met += u64::from(met);
            shown.missed += u64::from(missed);
            shown.rate_above_goal += u64::from(above);
            shown.bound_above_goal += u64::from(interval_above);
            shown.bound_below_goal += u64::from(interval_below);
        }
        let [met, missed, rate, low, high] =
            [shown.met, shown.missed, shown.rate_above_goal, shown.bound_above_goal, shown.bound_below_goal].map(|n| percent(n, RUNS));
        println!("| {name} | {met} | {missed} | {rate} | {low} | {high} |");
    }
}

/// Two arms that fill by chance: the learning one, and the other.
#[derive(Default)]
struct Arms {
    counts: [Counts; 2],
    /// `ln` of the evidence against the very pair of [`ARMS`].
    against_truth: f64,
}

impl Arms {
    /// One more interaction: its arm, and whether it was understood.
    fn add(&mut self, random: &mut SplitMix, rates: [f64; 2]) -> (usize, bool) {
        let arm = usize::from(random.draw() >= 0.5);
        let is_right = random.draw() < rates[arm];
        let before = self.counts[arm];
        // The mixture's next step after Krichevsky and Trofimov (1981), over that of the true rate.
        let (alike, rate) = if is_right { (before.successes, ARMS[arm]) } else { (before.failures, 1.0 - ARMS[arm]) };
        self.against_truth += ((alike as f64 + 0.5) / (before.n() as f64 + 1.0) / rate).ln();
        self.counts[arm].add(is_right);
        (arm, is_right)
    }

    /// The evidence against a difference is the least against any pair that has it, so it is no more than that against one.
    fn may_be_proven(&self) -> bool {
        self.against_truth >= ln_threshold(ALPHA) - 1e-9
    }
}

fn many_operations() {
    println!(
        "\n**Many operations.** A criterion that {OPERATIONS} operations succeed in more than 95 % each. {RUNS} runs of {LOOKS} events, of one"
    );
    println!("operation after the other, and a look after each\n");
    println!("| each succeeds in | ever *met* | ever *missed* |\n|---:|---:|---:|");
    for (truth, seed) in [0.95, 0.96, 0.97].into_iter().zip(600..) {
        let [met, missed] = operations_at(truth, seed).map(|n| percent(n, RUNS));
        println!("| {} % | {met} | {missed} |", 100.0 * truth);
    }
}

/// Of how many runs a criterion on operations that all succeed in this share is ever met, and ever missed.
fn operations_at(truth: f64, seed: u64) -> [u64; 2] {
    let (goal, boundary, mut random) = (0.95, Boundary::live(0.95, ALPHA, LOOKS), SplitMix(seed));
    let among_many = Boundary::live(goal, ALPHA / OPERATIONS as f64, LOOKS);
    let criterion = criteria(for_each_operation(success_rate(goal)));
    let mut shown = [0, 0];
    for run in 0..RUNS {
        let mut counts = [Counts::default(); OPERATIONS];
        let mut ever = [false; 2];
        for look in 0..LOOKS {
            counts[look as usize % OPERATIONS].add(random.draw() < truth);
            let is_met = counts.iter().all(|counts| boundary.met(*counts));
            let is_missed = counts.iter().any(|counts| counts.n() >= EVENTS_MIN && among_many.missed(*counts));
            if run < 5 && look % 25 == 24 {
                let named = counts.into_iter().zip(0..).map(|(counts, name)| (format!("operation {name}"), outcomes(counts)));
                let verdict = judged(&criterion, by_operation(named)).verdict;
                assert_eq!((verdict == Verdict::Met, verdict == Verdict::Missed), (is_met, is_missed), "{counts:?}");
            }
            ever = [ever[0] || is_met, ever[1] || is_missed];
        }
        shown = [shown[0] + u64::from(ever[0]), shown[1] + u64::from(ever[1])];
    }
    shown
}

fn fixed_samples() {
    println!("\n**Fixed samples.** {SAMPLE} events announced beforehand and judged once, the truth exactly at the goal; {RUNS} samples\n");
    println!("| goal | false *met* | false *missed* | observed rate above |\n|---|---:|---:|---:|");
    for ((goal, _), seed) in RATES.into_iter().zip(700..) {
        let mut random = SplitMix(seed);
        let [mut met, mut missed, mut above] = [0; 3];
        for _ in 0..RUNS {
            let counts = (0..SAMPLE).fold(Counts::default(), |counts, _| counts.and(event(random.draw() < goal)));
            let verdict = fixed_sample::verdict(counts, goal, ALPHA);
            met += u64::from(verdict == Verdict::Met);
            missed += u64::from(verdict == Verdict::Missed);
            above += u64::from(counts.successes as f64 > goal * SAMPLE as f64);
        }
        println!("| {} % | {} | {} | {} |", 100.0 * goal, percent(met, RUNS), percent(missed, RUNS), percent(above, RUNS));
    }
}

fn time_to_a_verdict() {
    println!(
        "\n**Events to a verdict**, of {RUNS} runs: the median and what 90 % need at most, and the sizes of fixed samples that prove the"
    );
    println!("same with a chance of 50 % and 90 %\n");
    println!("| goal | truth | verdict | median | 90 % | fixed sample, 50 % | fixed sample, 90 % | other verdict first |");
    println!("|---|---:|---|---:|---:|---:|---:|---:|");
    let truths = [1.0, 0.98, 0.97, 0.94, 0.90, 0.85].map(|truth| (0.95, truth));
    let half_the_misses = RATES.map(|(goal, _)| (goal, f64::midpoint(goal, 1.0))).into_iter().filter(|(goal, _)| *goal != 0.95);
    for ((goal, truth), seed) in truths.into_iter().chain(half_the_misses).zip(800..) {
        let is_good = truth > goal;
        let (boundary, mut random) = (Boundary::live(goal, ALPHA, EVENTS_MAX), SplitMix(seed));
        let mut wrong = 0;
        let times: Vec<u64> = (0..RUNS)
            .map(|_| {
                let mut counts = Counts::default();
                while counts.n() < EVENTS_MAX {
                    counts.add(random.draw() < truth);
                    let [met, missed] = [boundary.met(counts), boundary.missed(counts)];
                    if counts.n() >= EVENTS_MIN && (met || missed) {
                        wrong += u64::from(met != is_good);
                        return counts.n();
                    }
                }
                panic!("no verdict after {EVENTS_MAX} events at a rate of {truth} and a goal of {goal}");
            })
            .collect();
        let [median, most] = [0.5, 0.9].map(|share| with_spread(&times, share));
        let [once_median, once_most] = [0.5, 0.9].map(|chance| sample_with_chance(goal, truth, chance));
        let word = if is_good { "met" } else { "missed" };
        let (goal, truth, wrong) = (100.0 * goal, 100.0 * truth, percent(wrong, RUNS));
        println!("| {goal} % | {truth} % | {word} | {median} | {most} | {once_median} | {once_most} | {wrong} |");
    }
    println!("\n| goal | without a single miss, live | fixed sample |\n|---|---:|---:|");
    for (goal, _) in RATES {
        let (live, once) = (at_least_more(Counts::default(), goal, ALPHA), smallest_size(goal, ALPHA, 0));
        println!("| {} % | {live} | {once} |", 100.0 * goal);
    }
}

/// The smallest fixed sample that has so good a chance of a verdict.
fn sample_with_chance(goal: f64, truth: f64, chance: f64) -> u64 {
    // A goal missed is one that failures exceed.
    let (goal, truth) = if truth > goal { (goal, truth) } else { (1.0 - goal, 1.0 - truth) };
    let sizes = (0..).map(|failures| (failures, smallest_size(goal, ALPHA, failures)));
    // No more failures than that are at least so many successes.
    let chance_of = |failures, size| chance_of_as_many(Counts { successes: size - failures, failures }, truth);
    let proves = |(failures, size): &(u64, u64)| truth == 1.0 || chance_of(*failures, *size) >= chance;
    sizes.into_iter().find(proves).map_or(0, |(_, size)| size)
}

fn time_for_learning() {
    let (runs, step) = (1000, 10);
    println!(
        "\n**Interactions to a verdict on learning** that has to bring {} points, of both arms together, looked at after every",
        100.0 * POINTS
    );
    println!("{step}; {runs} runs\n");
    println!("| with learning | without | verdict | median | 90 % |\n|---:|---:|---|---:|---:|");
    for (rates, seed) in [[0.95, 0.75], [0.95, 0.80], [0.95, 0.90], [0.90, 0.90]].into_iter().zip(900..) {
        let mut random = SplitMix(seed);
        let is_good = rates[0] - rates[1] > POINTS;
        let times: Vec<u64> = (0..runs)
            .map(|_| {
                let mut arms = Arms::default();
                loop {
                    for _ in 0..step {
                        arms.add(&mut random, rates);
                    }
                    let [with, without] = arms.counts;
                    let test = if is_good { difference::is_above } else { difference::is_below };
                    if with.n().min(without.n()) >= EVENTS_MIN && test(with, without, POINTS, ALPHA) {
                        return with.n() + without.n();
                    }
                }
            })
            .collect();
        let [median, most] = [0.5, 0.9].map(|share| with_spread(&times, share));
        let word = if is_good { "met" } else { "missed" };
        println!("| {} % | {} % | {word} | {median} | {most} |", 100.0 * rates[0], 100.0 * rates[1]);
    }
}

const WATCHED: Watched = Watched { goal: 0.95, alpha: ALPHA, runs: RUNS, looks: LOOKS, seed: 0 };

/// Watches runs, and compares each verdict of the first one with that of the judge on the same evidence.
fn watched(watched: Watched, next: impl Fn(&mut SplitMix, u64) -> Counts, goal: Goal, evidence: impl Fn(Counts) -> Evidence) -> Shown {
    let (criterion, mut random, mut counts) = (criteria(goal), SplitMix(watched.seed), Counts::default());
    let boundary = Boundary::live(watched.goal, ALPHA, 4 * LOOKS);
    for look in 0..LOOKS {
        counts = counts.and(next(&mut random, look));
        let is_shown = counts.n() >= EVENTS_MIN;
        let expected = [is_shown && boundary.met(counts), is_shown && boundary.missed(counts)];
        let verdict = judged(&criterion, evidence(counts)).verdict;
        assert_eq!([verdict == Verdict::Met, verdict == Verdict::Missed], expected, "{counts:?} with a goal of {}", watched.goal);
    }
    watch(watched, next)
}

/// Compares the verdicts of one run with those of the judge on the same interactions. Its difference is 25 points, so that
/// there is something to be proven.
fn confirm_learning() {
    let (criterion, mut random) = (criteria(improvement(100.0 * POINTS)), SplitMix(502));
    let (mut arms, mut each, mut verdicts) = (Arms::default(), Vec::new(), [0, 0]);
    for look in 1..=LOOKS {
        let (arm, is_right) = arms.add(&mut random, [0.95, 0.70]);
        each.push((["learning", "control"][arm], is_right));
        if look % 20 == 0 {
            let [with, without] = arms.counts;
            let is_met = difference::is_above(with, without, POINTS, ALPHA);
            let verdict = judged(&criterion, interactions(&each)).verdict;
            assert_eq!(verdict == Verdict::Met, is_met, "{:?}", arms.counts);
            verdicts[usize::from(is_met)] += 1;
        }
    }
    assert!(verdicts.iter().all(|n| *n > 0), "nothing was compared: {verdicts:?}");
}

/// A share of runs in percent, with its standard error.
fn percent(of: u64, runs: u64) -> String {
    let share = of as f64 / runs as f64;
    format!("{:.2} ± {:.2} %", 100.0 * share, 100.0 * (share * (1.0 - share) / runs as f64).sqrt())
}

/// The time that this share of the runs need at most, with its standard error: by how much parts of the runs differ in it.
fn with_spread(times: &[u64], share: f64) -> String {
    let of = |times: &[u64]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted[(share * sorted.len() as f64).ceil() as usize - 1]
    };
    let parts: Vec<f64> = times.chunks_exact(times.len() / PARTS).map(|part| of(part) as f64).collect();
    let n = parts.len() as f64;
    let mean = parts.iter().sum::<f64>() / n;
    let variance = parts.iter().map(|part| (part - mean).powi(2)).sum::<f64>() / (n - 1.0);
    format!("{} ± {:.0}", of(times), (variance / n).sqrt())
}
