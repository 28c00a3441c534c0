//! How operations went, as figures: by operation, by backend, by both, and what went wrong.

use crate::{
    Failures, Metric,
    first_success::percent,
    quantile::{self, Quantile},
    sample::Total,
};
use milepost_record::{Breakdown, GROUPS_MAX, OTHERS, OperationDay};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// How long operations took and how many succeeded. Times in milliseconds, shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// Operations that count: those that succeeded or failed.
    pub count: u64,
    /// Of those, how many succeeded.
    pub ok: u64,
    /// How many failed, those that ran out of time included.
    pub failed: u64,
    /// Of those that failed, how many ran out of time.
    pub timeouts: u64,
    /// Ended by somebody; not counted.
    pub cancelled: u64,
    /// Only showed what they would do; not counted.
    pub dry_runs: u64,
    /// Of those that succeeded, how many have no duration.
    pub unmeasured: u64,
    /// The share that succeeded.
    pub success_rate: Option<f64>,
    /// The time within which half of the operations succeed. A failure is slower than any limit; null where the quantile falls on one.
    pub p50_ms: Option<f64>,
    /// The same of 95 %.
    pub p95_ms: Option<f64>,
    /// The same of 99 %.
    pub p99_ms: Option<f64>,
    /// Of those that succeeded, and of nothing else: the specification's convention.
    pub successes: Successes,
}

/// Durations of the operations that succeeded, in milliseconds; quantiles of type 1 (Hyndman and Fan 1996), never interpolated.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Successes {
    /// How many have a duration.
    pub n: u64,
    /// The median.
    pub p50_ms: Option<f64>,
    /// What 95 % do not exceed.
    pub p95_ms: Option<f64>,
    /// What 99 % do not exceed.
    pub p99_ms: Option<f64>,
    /// The mean.
    pub mean_ms: Option<f64>,
}

impl Figures {
    pub(crate) fn of(total: &Total) -> Self {
        let at = |q, failures| total.estimate(&Metric::Latency(q), failures).map(|us| us / 1000.0);
        let [slow, exclude] =
            [Failures::Slow, Failures::Exclude].map(|failures| [Quantile::P50, Quantile::P95, Quantile::P99].map(|q| at(q, failures)));
        let counts = total.counts(&Metric::SuccessRate, Failures::Slow);
        Self {
            count: counts.n(),
            ok: total.ok,
            failed: total.failed,
            timeouts: total.timeouts,
            cancelled: total.cancelled,
            dry_runs: total.dry_runs,
            unmeasured: total.unmeasured,
            success_rate: percent(total.ok, counts.n()),
            p50_ms: slow[0],
            p95_ms: slow[1],
            p99_ms: slow[2],
            successes: Successes {
                n: total.measured(),
                p50_ms: exclude[0],
                p95_ms: exclude[1],
                p99_ms: exclude[2],
                mean_ms: total.mean().map(|us| us / 1000.0),
            },
        }
    }

    /// Of the operations of some days.
    #[must_use]
    pub fn of_days(days: &[OperationDay]) -> Self {
        Self::of(&Total::of(days))
    }
}

/// Where the P95 lies however often somebody looks, in milliseconds; none on a side that nothing bounds yet.
#[must_use]
pub fn p95_interval_ms(days: &[OperationDay], alpha: f64) -> [Option<f64>; 2] {
    let total = Total::of(days);
    let n = total.counts(&Metric::SuccessRate, Failures::Slow).n();
    let (low, high) = quantile::peeking_ranks(n, Quantile::P95, alpha);
    [low, high].map(|rank| rank.and_then(|rank| total.value_at(rank)).map(|us| us / 1000.0))
}

/// The figures of one group.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Group {
    /// Name of the operation; absent where operations are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The implementation that did the work, null where nobody said; absent where implementations are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Option<String>>,
    /// How it went.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What a group is told apart by: the operation and the backend, each where it is told apart.
type Key = (Option<String>, Option<Option<String>>);

/// How long operations took.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Performance {
    /// All of them.
    pub overall: Figures,
    /// By operation.
    pub by_operation: Vec<Group>,
    /// By the implementation that did the work.
    pub by_backend: Vec<Group>,
    /// By both.
    pub by_operation_and_backend: Vec<Group>,
    /// Operations whose P95 is beyond the limit that a criterion on `latency.p95` gives them.
    pub violations: Vec<Violation>,
}

/// An operation beyond its limit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Violation {
    /// Its name.
    pub operation: String,
    /// Its P95; null where that falls on a failure, and so is beyond any limit.
    pub p95_ms: Option<f64>,
    /// The limit.
    pub limit_ms: f64,
    /// By how much the P95 exceeds the limit, in percent of it; null where the P95 is.
    pub over_percent: Option<f64>,
}

impl Performance {
    /// Of all operations; `limits` in milliseconds by operation.
    #[must_use]
    pub fn of(cells: &[Breakdown], limits: &BTreeMap<String, f64>) -> Self {
        let by = |key: fn(&Breakdown) -> Key| {
            let mut groups: BTreeMap<_, Vec<&Breakdown>> = BTreeMap::new();
            for cell in cells {
                groups.entry(key(cell)).or_default().push(cell);
            }
            let group = |((operation, backend), cells): (Key, Vec<&Breakdown>)| Group {
                operation,
                backend,
                figures: Figures::of(&Total::of_cells(cells)),
            };
            groups.into_iter().map(group).collect::<Vec<_>>()
        };
        let by_operation = by(|cell| (Some(cell.operation.clone()), None));
        let violation = |group: &Group| {
            let (operation, figures) = (group.operation.clone()?, &group.figures);
            let limit_ms = *limits.get(&operation)?;
            let over = figures.p95_ms.map(|p95| (p95 / limit_ms - 1.0) * 100.0);
            let violates = figures.count > 0 && over.is_none_or(|over| over > 0.0) && (over.is_some() || figures.failed > 0);
            violates.then_some(Violation { operation, p95_ms: figures.p95_ms, limit_ms, over_percent: over })
        };
        Self {
            overall: Figures::of(&Total::of_cells(cells)),
            violations: by_operation.iter().filter_map(violation).collect(),
            by_operation,
            by_backend: by(|cell| (None, Some(cell.backend.clone()))),
            by_operation_and_backend: by(|cell| (Some(cell.operation.clone()), Some(cell.backend.clone()))),
        }
    }
}

/// How many operations succeeded, and what went wrong. Shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reliability {
    /// The share of all operations that succeeded, each counted once.
    pub overall_success_rate: Option<f64>,
    /// The mean of the operations' rates, each weighing the same however often it ran: the specification's figure.
    pub mean_of_rates: Option<f64>,
    /// By operation.
    pub by_command: Vec<Rate>,
    /// By category of what went wrong, the commonest first.
    pub errors: Vec<Errors>,
    /// What a criterion on `success.rate` demands of each operation; null where none does.
    pub target: Option<f64>,
    /// Operations whose rate is not above it; null where none is demanded.
    pub below_target: Option<Vec<String>>,
}

/// The success rate of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// Its name.
    pub operation: String,
    /// How many count.
    pub count: u64,
    /// The share that succeeded; null where none counts.
    pub success_rate: Option<f64>,
}

/// How often something of one category went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Errors {
    /// The category; null where nobody said.
    pub category: Option<String>,
    /// How often.
    pub count: u64,
}

impl Reliability {
    /// Of all operations; `target` is the success rate in percent that each has to be above.
    #[must_use]
    pub fn of(cells: &[Breakdown], performance: &Performance, target: Option<f64>) -> Self {
        let mut errors: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for (category, count) in cells.iter().flat_map(|cell| &cell.errors) {
            *errors.entry(category.as_deref()).or_default() += count;
        }
        let mut errors: Vec<_> =
            errors.into_iter().map(|(category, count)| Errors { category: category.map(str::to_owned), count }).collect();
        errors.sort_by_key(|errors| std::cmp::Reverse(errors.count));
        if errors.len() > GROUPS_MAX {
            let count = errors.split_off(GROUPS_MAX).iter().map(|errors| errors.count).sum();
            errors.push(Errors { category: Some(OTHERS.to_owned()), count });
        }
        let by_command: Vec<_> = performance
            .by_operation
            .iter()
            .filter_map(|group| {
                let Figures { count, success_rate, .. } = group.figures;
                Some(Rate { operation: group.operation.clone()?, count, success_rate })
            })
            .collect();
        let rates: Vec<f64> = by_command.iter().filter_map(|rate| rate.success_rate).collect();
        let below = |target: f64| {
            let lacking = by_command.iter().filter(|rate| rate.success_rate.is_some_and(|rate| rate <= target));
            lacking.map(|rate| rate.operation.clone()).collect()
        };
        Self {
            overall_success_rate: performance.overall.success_rate,
            mean_of_rates: (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64),
            errors,
            target,
            below_target: target.map(below),
            by_command,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(operation: &str, backend: Option<&str>, durations: &[u64], failed: u64) -> Breakdown {
        Breakdown {
            operation: operation.to_owned(),
            backend: backend.map(str::to_owned),
            ok: durations.len() as u64,
            failed,
            durations: durations.iter().map(|us| (*us, 1)).collect(),
            errors: (failed > 0).then(|| (Some("network".to_owned()), failed)).into_iter().collect(),
            ..Breakdown::default()
        }
    }

    #[test]
    fn figures_by_operation_and_backend_add_up() {
        let cells = [
            cell("list", None, &[50_000], 0),
            cell("search", Some("native"), &[100_000, 110_000], 0),
            cell("search", Some("subprocess"), &[300_000, 400_000], 1),
        ];
        let limits = [("search".to_owned(), 200.0), ("list".to_owned(), 100.0)].into();
        let performance = Performance::of(&cells, &limits);
        assert_eq!((performance.overall.count, performance.overall.ok), (6, 5));
        let search = &performance.by_operation[1].figures;
        // Five operations: the third is the median, and the P95 falls on the failure.
        assert_eq!((search.p50_ms, search.p95_ms, search.successes.p95_ms), (Some(300.0), None, Some(400.0)));
        assert_eq!(search.successes.mean_ms, Some(227.5));
        let backends: Vec<_> = performance.by_backend.iter().map(|g| (g.backend.clone(), g.figures.count)).collect();
        assert_eq!(backends, [(Some(None), 1), (Some(Some("native".to_owned())), 2), (Some(Some("subprocess".to_owned())), 3)]);
        assert_eq!(performance.by_operation_and_backend.len(), 3);
        let [violation] = &performance.violations[..] else { panic!("{:?}", performance.violations) };
        assert_eq!((violation.operation.as_str(), violation.p95_ms, violation.over_percent), ("search", None, None));

        let reliability = Reliability::of(&cells, &performance, Some(95.0));
        assert_eq!(reliability.overall_success_rate, Some(5.0 / 6.0 * 100.0));
        // The mean of 100 % and 80 %.
        assert_eq!(reliability.mean_of_rates, Some(90.0));
        assert_eq!(reliability.below_target, Some(vec!["search".to_owned()]));
        assert_eq!(reliability.errors, [Errors { category: Some("network".to_owned()), count: 1 }]);
    }

    #[test]
    fn nothing_is_not_known() {
        let performance = Performance::of(&[], &BTreeMap::new());
        assert_eq!(
            (performance.overall.success_rate, performance.overall.p95_ms, performance.overall.successes.mean_ms),
            (None, None, None)
        );
        let reliability = Reliability::of(&[], &performance, None);
        assert_eq!((reliability.mean_of_rates, reliability.below_target), (None, None));
        let over = Performance::of(&[cell("search", None, &[250_000], 0)], &[("search".to_owned(), 200.0)].into());
        assert_eq!(over.violations[0].over_percent, Some(25.0));
    }
}
