//! What judging costs: verdicts on a rate from its counts, and a criterion of a thousand groups.

use milepost_bench::{ALPHA, by_operation, criteria, durations, for_each_operation, judged, latency, of_all, outcomes, success_rate};
use milepost_judge::{
    Verdict,
    always_valid::{Counts, Test, rate_interval},
    quantile::Quantile,
};
use std::{hint::black_box, time::Instant};

const GOAL: f64 = 0.95;
const VERDICTS: u64 = 100_000;
const GROUPS: u64 = 1000;
const ROUNDS: usize = 5;

fn main() {
    println!("| what | how often | median | for each |\n|---|---:|---:|---:|");
    row("verdict, interval and projections of a rate, from its counts", VERDICTS, || {
        for index in 0..VERDICTS {
            black_box(rate(black_box(counts(index))));
        }
    });
    let criterion = criteria(success_rate(GOAL));
    row("the same through `judge`, with trend, advice and scorecard", VERDICTS, || {
        for index in 0..VERDICTS {
            black_box(judged(&criterion, of_all(outcomes(counts(index)))));
        }
    });
    let each_rate = criteria(for_each_operation(success_rate(GOAL)));
    let rates = by_operation((0..GROUPS).map(|group| (format!("operation {group}"), outcomes(counts(group)))));
    row("a success rate for each operation: groups", GROUPS, || {
        black_box(judged(&each_rate, rates.clone()));
    });
    let each_latency = criteria(for_each_operation(latency(Quantile::P95, 500)));
    let of_group = |group| {
        let Counts { successes, failures } = counts(group);
        let spread: Vec<u64> = (0..successes).map(|event| 100_000 + event * 7919 % 410_000).collect();
        durations(&spread, failures, 500_000)
    };
    let latencies = by_operation((0..GROUPS).map(|group| (format!("operation {group}"), of_group(group))));
    row("a P95 for each operation: groups", GROUPS, || {
        black_box(judged(&each_latency, latencies.clone()));
    });
}

/// Counts that are spread over what is judged: 10 to 10 000 events, of which up to 15 % fail. `proportions.py` has the same.
fn counts(index: u64) -> Counts {
    let n = 10 + index * 7919 % 9991;
    let failures = n * (index * 104_729 % 1500) / 10_000;
    Counts { successes: n - failures, failures }
}

/// All that a page shows of a rate.
fn rate(counts: Counts) -> (Option<Verdict>, [f64; 2], u64, Option<u64>) {
    let test = Test::of(counts, GOAL);
    (test.verdict(ALPHA), rate_interval(counts, ALPHA), test.at_least_more(ALPHA), test.projected_more(ALPHA))
}

fn row(what: &str, times: u64, mut measured: impl FnMut()) {
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            measured();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds[ROUNDS / 2];
    println!("| {what} | {times} | {median:.3} s | {:.2} µs |", median / times as f64 * 1e6);
}
