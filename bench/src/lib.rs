//! What the benchmarks share: criteria as a project would write them, the answers that a store would give, and numbers as any others.

#[path = "../../crates/milepost-judge/tests/simulation/looks.rs"]
pub mod looks;

use jiff::{
    ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use milepost_judge::{
    Criteria, Criterion, Failures, Goal, Metric, Relation, Scorecard, Since, Tier, always_valid::Counts, judge, quantile::Quantile,
};
use milepost_record::{Answer, Dimension, Evidence, Groups, OperationDay, Return, Timestamp, Understood};
use std::{collections::BTreeMap, time::Duration};

/// The error rate of every criterion here.
pub const ALPHA: f64 = 0.05;
/// The day on which everything is judged: late in a quarter, so that the evidence of weeks belongs to it.
const TODAY: Date = date(2026, 12, 20);

/// "More than this share of operations succeed."
#[must_use]
pub fn success_rate(share: f64) -> Goal {
    goal(Metric::SuccessRate, Relation::Above, &format!("{}%", 100.0 * share))
}

/// "This quantile of the operations takes less than this many milliseconds"; a failed one is not fast.
#[must_use]
pub fn latency(quantile: Quantile, limit_ms: u64) -> Goal {
    goal(Metric::Latency(quantile), Relation::Below, &format!("{limit_ms}ms"))
}

/// "More than this share of people is there again in their fourth week."
#[must_use]
pub fn retention(share: f64) -> Goal {
    goal(Metric::RetentionWeek4, Relation::Above, &format!("{}%", 100.0 * share))
}

/// "With learning, so many points more are understood than without."
#[must_use]
pub fn improvement(points: f64) -> Goal {
    goal(Metric::LearningImprovement, Relation::Above, &format!("{points}%"))
}

/// The same goal for each operation.
#[must_use]
pub fn for_each_operation(goal: Goal) -> Goal {
    Goal { for_each: Some(Dimension::Operation), ..goal }
}

/// A number as any other, the same on each run (the finaliser of `SplitMix64`, Steele, Lea and Flood 2014): of the `n`th thing, what it is
/// in one of 64 ways.
#[must_use]
pub const fn mixed(n: u64, what: u64) -> u64 {
    let mut z = (n * 64 + what).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn goal(metric: Metric, relation: Relation, limit: &str) -> Goal {
    Goal {
        metric,
        relation,
        limit: Some(limit.parse().unwrap_or_else(|error| panic!("`{limit}`: {error}"))),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    }
}

/// A project with one criterion of one goal.
#[must_use]
pub fn criteria(goal: Goal) -> Criteria {
    let criterion = Criterion {
        name: "It".to_owned(),
        tier: Some(Tier::Must),
        goals: vec![goal],
        since: Since::Quarter,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(100 * 86400),
        card: None,
        alpha: ALPHA,
    };
    Criteria {
        project: "bench".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria: vec![criterion],
    }
}

/// The scorecard of a project with one criterion of one goal, by the judge itself.
#[must_use]
pub fn judged(criteria: &Criteria, evidence: Evidence) -> Scorecard {
    judge(criteria, &[vec![Answer { sql: String::new(), evidence }]], &[], noon(TODAY))
}

/// What the store says of operations without groups.
#[must_use]
pub fn of_all(days: Vec<OperationDay>) -> Evidence {
    Evidence::Operations(Groups { groups: [(None, days)].into(), folded: 0 })
}

/// What the store says of operations, operation by operation.
#[must_use]
pub fn by_operation(days: impl IntoIterator<Item = (String, Vec<OperationDay>)>) -> Evidence {
    Evidence::Operations(Groups { groups: days.into_iter().map(|(name, days)| (Some(name), days)).collect(), folded: 0 })
}

/// Operations as they ended, some on each of two days.
#[must_use]
pub fn outcomes(counts: Counts) -> Vec<OperationDay> {
    on_two_days(counts).into_iter().map(|(date, of_day)| operations(date, of_day, Vec::new(), 0)).collect()
}

/// Operations that took so many microseconds, or failed, some on each of two days; `limit` is that of the goal.
#[must_use]
pub fn durations(durations_us: &[u64], failed: u64, limit_us: u64) -> Vec<OperationDay> {
    let (early, late) = durations_us.split_at(durations_us.len() / 2);
    let of_day = |(days_ago, of_day, failed): (i32, &[u64], u64)| {
        let mut sorted: BTreeMap<u64, u64> = BTreeMap::new();
        for duration in of_day {
            *sorted.entry(*duration).or_default() += 1;
        }
        let within = of_day.iter().filter(|duration| **duration < limit_us).count() as u64;
        let counts = Counts { successes: of_day.len() as u64, failures: failed };
        operations(TODAY - days_ago.days(), counts, sorted.into_iter().collect(), within)
    };
    [(1, early, failed / 2), (0, late, failed - failed / 2)].map(of_day).into()
}

fn operations(date: Date, counts: Counts, durations: Vec<(u64, u64)>, within: u64) -> OperationDay {
    OperationDay {
        date,
        oldest: noon(date),
        newest: noon(date),
        ok: counts.successes,
        failed: counts.failures,
        timeouts: 0,
        cancelled: 0,
        dry_runs: 0,
        unmeasured: 0,
        within,
        durations: durations.into(),
    }
}

/// People whose fourth week has passed, on each of two days, and how many of them were there in it.
#[must_use]
pub fn returns(counts: Counts) -> Evidence {
    let of_day = |(passed, of_day): (Date, Counts)| {
        let first = passed - 40.days();
        [(0, of_day.n()), (4, of_day.successes)].map(|(week, users)| Return { first, week, users })
    };
    Evidence::Returns(on_two_days(counts).into_iter().flat_map(of_day).filter(|people| people.users > 0).collect())
}

/// Interactions in the order of time, each with its arm and whether it was understood rightly: the first half of them on the
/// day before the other.
#[must_use]
pub fn interactions(each: &[(&str, bool)]) -> Evidence {
    let understood = |(index, (arm, right)): (usize, &(&str, bool))| Understood {
        at: noon(TODAY - if 2 * index < each.len() { 1.day() } else { 0.days() }),
        user: None,
        arm: Some((*arm).to_owned()),
        modality: None,
        index: None,
        right: Some(*right),
        words: None,
        word_errors: None,
    };
    Evidence::Interactions(each.iter().enumerate().map(understood).collect())
}

/// Half of the events on the day before the other half.
fn on_two_days(Counts { successes, failures }: Counts) -> [(Date, Counts); 2] {
    let early = Counts { successes: successes / 2, failures: failures.div_ceil(2) };
    let late = Counts { successes: successes - early.successes, failures: failures - early.failures };
    [(TODAY - 1.day(), early), (TODAY, late)]
}

fn noon(date: Date) -> Timestamp {
    let noon = date.at(12, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap_or_else(|error| panic!("{date}: {error}"));
    Timestamp::from_jiff(noon.timestamp())
}
