//! How long operations took, as distributions and day by day, beside the limits that criteria give them.

use crate::{
    Criteria, Metric, Unit,
    operations::{Figures, Group, Performance},
    quantile::Quantile,
    report::goals,
    sample::Total,
};
use jiff::civil::Date;
use milepost_record::{Breakdown, Dimension, Ecdf, Groups, OperationDay, Origin};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Operations that have a distribution: so many that are used most, and so many that are slowest.
const DISTRIBUTIONS: usize = 6;
/// The most bars of a distribution.
const BARS_MAX: usize = 48;
/// The implementations that are shown day by day: those that are used most.
const BACKENDS: usize = 5;

/// How long operations took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Speed {
    /// The limits on quantiles: of all operations under no name, of an operation under its own.
    pub limits: BTreeMap<Option<String>, Vec<QuantileLimit>>,
    /// Between which durations in milliseconds each bar of a distribution lies: one more than there are bars. A duration at an edge
    /// belongs to the bar above it.
    pub edges_ms: Vec<f64>,
    /// All operations, then those that are used most or are slowest, by use. None where no operation has a duration.
    pub distributions: Vec<Distribution>,
    /// All operations day by day; none where that is not known.
    pub days: Vec<DayFigures>,
    /// The same by the implementation that did the work, those that are used most first.
    pub by_backend: Vec<BackendDays>,
    /// How many more there are.
    pub more_backends: usize,
}

/// A limit on a quantile of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileLimit {
    /// Which quantile.
    pub quantile: Quantile,
    /// The limit in milliseconds.
    pub ms: f64,
    /// Whether what is equal to it is within.
    pub inclusive: bool,
}

/// How the durations of those that succeeded are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The operation; all where there is none.
    pub operation: Option<String>,
    /// How it went.
    pub figures: Figures,
    /// How many lie between each two edges.
    pub counts: Vec<u64>,
}

/// How operations went on one day.
#[derive(Clone, Debug, PartialEq)]
pub struct DayFigures {
    /// The day.
    pub date: Date,
    /// How it went.
    pub figures: Figures,
}

/// The days of one implementation.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendDays {
    /// Its name; `None` where nobody said.
    pub backend: Option<String>,
    /// How many operations count.
    pub count: u64,
    /// Its days.
    pub days: Vec<DayFigures>,
}

impl Speed {
    pub(super) fn of(
        criteria: &Criteria,
        cells: &[Breakdown],
        performance: &Performance,
        by_backend: Option<&Groups<OperationDay>>,
    ) -> Self {
        let (edges, distributions) = distributions(cells, performance);
        let groups = by_backend.map(|groups| &groups.groups);
        // Where some are not told apart, the sum of those that are is not all.
        let all = groups.filter(|_| by_backend.is_some_and(|groups| groups.folded == 0));
        let mut backends: Vec<_> = groups
            .into_iter()
            .flatten()
            .map(|(backend, days)| BackendDays {
                backend: backend.clone(),
                count: days.iter().map(|day| day.ok + day.failed).sum(),
                days: self::days(days),
            })
            .collect();
        backends.sort_by_key(|backend| Reverse(backend.count));
        let more_backends = backends.len().saturating_sub(BACKENDS);
        backends.truncate(BACKENDS);
        Self {
            limits: limits(criteria, performance),
            edges_ms: edges,
            distributions,
            days: all.map_or_else(Vec::new, |groups| days(groups.values().flatten())),
            by_backend: backends,
            more_backends,
        }
    }

    /// The limits on an operation, or on all.
    #[must_use]
    pub fn limits_of(&self, operation: Option<&str>) -> &[QuantileLimit] {
        self.limits.iter().find(|(of, _)| of.as_deref() == operation).map_or(&[], |(_, limits)| limits)
    }
}

fn days<'a>(days: impl IntoIterator<Item = &'a OperationDay>) -> Vec<DayFigures> {
    let mut by_date: BTreeMap<Date, Vec<&OperationDay>> = BTreeMap::new();
    for day in days {
        by_date.entry(day.date).or_default().push(day);
    }
    by_date.into_iter().map(|(date, days)| DayFigures { date, figures: Figures::of(&Total::of(days)) }).collect()
}

/// What the first criterion on each quantile demands; one that is about other events than those of people, or about one persona or
/// implementation, demands nothing of the operation itself.
fn limits(criteria: &Criteria, performance: &Performance) -> BTreeMap<Option<String>, Vec<QuantileLimit>> {
    let mut limits: BTreeMap<Option<String>, Vec<QuantileLimit>> = BTreeMap::new();
    for goal in goals(criteria) {
        let Metric::Latency(quantile) = goal.metric else { continue };
        let is_of_people = goal.filter.get(&Dimension::Origin).is_none_or(|origins| origins.contains(Origin::Use.name()));
        if !is_of_people || goal.filter.keys().any(|of| !matches!(of, Dimension::Origin | Dimension::Operation)) {
            continue;
        }
        let asked = goal.filter.get(&Dimension::Operation);
        let operations: BTreeSet<Option<String>> = match &goal.for_each {
            None => asked.map_or_else(|| [None].into(), |names| names.iter().cloned().map(Some).collect()),
            Some(Dimension::Operation) => {
                let seen = performance.by_operation.iter().filter_map(|group| group.operation.clone());
                seen.chain(goal.limits.keys().cloned()).filter(|name| asked.is_none_or(|asked| asked.contains(name))).map(Some).collect()
            }
            Some(_) => continue,
        };
        for operation in operations {
            let Some(limit) = goal.limit_of(operation.as_deref()) else { continue };
            let of_operation = limits.entry(operation).or_default();
            if of_operation.iter().all(|limit| limit.quantile != quantile) {
                let inclusive = goal.relation.holds(0.0, 0.0);
                of_operation.push(QuantileLimit { quantile, ms: Unit::MILLISECOND.of_base(limit.base()), inclusive });
            }
        }
    }
    limits
}

fn distributions(cells: &[Breakdown], performance: &Performance) -> (Vec<f64>, Vec<Distribution>) {
    let mut by_operation: BTreeMap<&str, Vec<&Breakdown>> = BTreeMap::new();
    for cell in cells {
        by_operation.entry(&cell.operation).or_default().push(cell);
    }
    let all = Total::of_cells(cells);
    let ends = || all.durations.iter().filter_map(Ecdf::ends);
    let Some((first, last)) = ends().map(|(first, _)| first).min().zip(ends().map(|(_, last)| last).max()) else {
        return (Vec::new(), Vec::new());
    };
    let scale = Steps::over(first, last);
    let spread = |total: &Total| {
        let mut counts = vec![0; scale.bars()];
        for (duration, n) in total.durations() {
            if let Some(count) = counts.get_mut(scale.bar(duration)) {
                *count += n;
            }
        }
        counts
    };
    let mut distributions = vec![Distribution { operation: None, figures: performance.overall.clone(), counts: spread(&all) }];
    for group in chosen(&performance.by_operation) {
        let cells = group.operation.as_deref().and_then(|name| by_operation.get(name));
        let total = Total::of_cells(cells.into_iter().flatten().copied());
        distributions.push(Distribution { operation: group.operation.clone(), figures: group.figures.clone(), counts: spread(&total) });
    }
    (scale.edges(), distributions)
}

/// Those that are used most and those that are slowest, by use. One whose P95 is a failure is slower than any other.
fn chosen(groups: &[Group]) -> Vec<&Group> {
    let mut by_use: Vec<&Group> = groups.iter().filter(|group| group.figures.count > 0).collect();
    by_use.sort_by_key(|group| Reverse(group.figures.count));
    let mut by_time = by_use.clone();
    by_time.sort_by(|a, b| {
        let p95 = |group: &Group| group.figures.p95_ms.unwrap_or(f64::INFINITY);
        p95(b).total_cmp(&p95(a))
    });
    let slow: BTreeSet<_> = by_time.iter().take(DISTRIBUTIONS).map(|group| &group.operation).collect();
    let place = |(place, group): &(usize, &Group)| *place < DISTRIBUTIONS || slow.contains(&group.operation);
    by_use.into_iter().enumerate().filter(place).map(|(_, group)| group).collect()
}

/// The preferred numbers of ISO 3, in ten nearly equal steps from 1 to 10: edges that people can read.
const PREFERRED: [f64; 10] = [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0];

/// Bars of equal width on a logarithmic axis.
struct Steps {
    /// The step at which the first bar begins.
    first: i32,
    /// The step at which the last one begins.
    last: i32,
    /// How many steps a bar is wide.
    width: i32,
}

impl Steps {
    /// Bars for durations between these two in microseconds, as narrow as their number allows.
    fn over(from: u64, to: u64) -> Self {
        let bars = |width: i32| Self { first: step(from).div_euclid(width) * width, last: step(to).div_euclid(width) * width, width };
        [1, 2, 5].into_iter().map(bars).find(|steps| steps.bars() <= BARS_MAX).unwrap_or_else(|| bars(10))
    }

    fn bars(&self) -> usize {
        usize::try_from((self.last - self.first) / self.width + 1).unwrap_or(0)
    }

    fn bar(&self, duration: u64) -> usize {
        usize::try_from((step(duration) - self.first) / self.width).unwrap_or(0)
    }

    /// In milliseconds.
    fn edges(&self) -> Vec<f64> {
        let end = self.last + self.width;
        (self.first..=end).step_by(usize::try_from(self.width).unwrap_or(1)).map(|step| Unit::MILLISECOND.of_base(edge(step))).collect()
    }
}

/// The last step whose edge is not beyond this duration. What took less than a microsecond counts as one.
fn step(duration: u64) -> i32 {
    let duration = duration.max(1) as f64;
    // At most two hundred; the logarithm may be one step off, the comparison is exact.
    let near = (duration.log10() * 10.0).floor() as i32;
    (near - 1..=near + 1).rev().find(|step| edge(*step) <= duration).unwrap_or(near)
}

/// In microseconds.
fn edge(step: i32) -> f64 {
    let mantissa = usize::try_from(step.rem_euclid(10)).ok().and_then(|place| PREFERRED.get(place)).copied().unwrap_or(1.0);
    mantissa * 10_f64.powi(step.div_euclid(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(operation: &str, durations: &[u64], failed: u64) -> Breakdown {
        Breakdown {
            operation: operation.to_owned(),
            ok: durations.len() as u64,
            failed,
            durations: durations.iter().map(|us| (*us, 1)).collect(),
            ..Breakdown::default()
        }
    }

    #[test]
    fn every_duration_is_in_the_bar_between_whose_edges_it_lies() {
        for (from, to) in [(1, 1), (0, 9), (90_000, 2_500_000), (1, 31_622_400_000_000), (1_000_000, 1_000_001)] {
            let steps = Steps::over(from, to);
            let edges = steps.edges();
            assert_eq!(edges.len(), steps.bars() + 1);
            assert!(steps.bars() <= BARS_MAX, "{from} {to}: {}", steps.bars());
            for duration in [from, to, from.midpoint(to), (from + 1).min(to)] {
                let (bar, ms) = (steps.bar(duration), duration.max(1) as f64 / 1000.0);
                assert!(edges[bar] <= ms && ms < edges[bar + 1], "{duration} in {bar} of {edges:?}");
            }
        }
        // At an edge, a duration belongs to the bar above it.
        assert_eq!([step(999), step(1000), step(1250), step(1249)], [29, 30, 31, 30]);
    }

    #[test]
    fn distributions_hold_all_that_have_a_duration() {
        let cells = [cell("search", &[1000, 2000, 2_000_000], 2), cell("list", &[40_000; 9], 0), cell("never", &[], 0)];
        let performance = Performance::of(&cells, &BTreeMap::new());
        let (edges, all) = distributions(&cells, &performance);
        let sums: Vec<_> = all.iter().map(|of| (of.operation.as_deref(), of.counts.iter().sum::<u64>(), of.figures.count)).collect();
        assert_eq!(sums, [(None, 12, 14), (Some("list"), 9, 9), (Some("search"), 3, 5)]);
        assert!(all.iter().all(|of| of.counts.len() + 1 == edges.len()));
        assert_eq!(distributions(&[cell("search", &[], 3)], &performance), (Vec::new(), Vec::new()));
    }

    #[test]
    fn those_used_most_and_the_slowest_are_chosen() {
        let mut cells: Vec<_> = (0..20_u64).map(|i| cell(&format!("used {i:02}"), &vec![1000; 40 - i as usize], 0)).collect();
        cells.push(cell("slow", &[9_000_000], 0));
        cells.push(cell("fails", &[], 1));
        let performance = Performance::of(&cells, &BTreeMap::new());
        let chosen: Vec<_> = chosen(&performance.by_operation).iter().filter_map(|group| group.operation.as_deref()).collect();
        assert!(chosen.len() <= 2 * DISTRIBUTIONS && chosen.starts_with(&["used 00", "used 01"]), "{chosen:?}");
        assert!(chosen.contains(&"slow") && chosen.contains(&"fails") && !chosen.contains(&"used 12"), "{chosen:?}");
    }
}
