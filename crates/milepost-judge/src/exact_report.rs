//! The exact full report: of all operations of a period the counts, shares and quantiles, with nothing rounded and no name left out. It
//! judges nothing.
//!
//! Its JSON is short, and the same that other engines make of the same events: lists of figures, whose order is that of their fields.

use crate::{
    Criteria, Failures,
    quantile::{Quantile, QuantileType},
};
use jiff::civil::Date;
use milepost_record::{Dimension, Exact, Question, Span, Subject, Tally, Waits};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// How quantiles are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Of which type.
    pub of: QuantileType,
    /// What a failed operation does to a latency, and somebody who never succeeded to the time to first success.
    pub failures: Failures,
}

/// All operations of a period. Times in the unit that is told, shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ExactReport {
    /// All operations.
    pub summary: Figures,
    /// By operation.
    pub by_operation: BTreeMap<String, Figures>,
    /// By operation and backend, as `install|native`; nothing follows the bar where no backend was said. A bar or a backslash within a
    /// name has a backslash before it.
    #[serde(serialize_with = "by_backend")]
    #[schemars(with = "BTreeMap<String, Figures>")]
    pub by_operation_backend: ByBackend,
    /// By day, as `2026-11-20`, in the project's time zone.
    #[serde(serialize_with = "by_day")]
    #[schemars(with = "BTreeMap<String, Figures>")]
    pub by_day: BTreeMap<Date, Figures>,
    /// How many failures have which category of error. Those that do not say what went wrong are in none.
    pub errors: BTreeMap<String, u64>,
    /// The time to first success, of everybody with an operation in the period, from the first of them on; that of the metric
    /// `ttfs.median` is of new people, from their first session on.
    pub ttfs: ToFirstSuccess,
    /// Weekly cohorts: of how many people the first operation in the period was in a week, and another one some weeks later, as
    /// `2921|3`. Weeks begin on Monday in the project's time zone, and are counted from the one of 29 December 1969, which is 0; those of
    /// the metric `retention.week4` begin with each person's first day.
    #[serde(serialize_with = "by_week")]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub retention: BTreeMap<(Date, u32), u64>,
}

type ByBackend = BTreeMap<(String, Option<String>), Figures>;

fn by_backend<S: Serializer>(figures: &ByBackend, to: S) -> Result<S::Ok, S::Error> {
    let escaped = |name: &str| name.replace('\\', "\\\\").replace('|', "\\|");
    let key = |name: &str, backend: Option<&str>| format!("{}|{}", escaped(name), escaped(backend.unwrap_or_default()));
    to.collect_map(figures.iter().map(|((name, backend), figures)| (key(name, backend.as_deref()), figures)))
}

fn by_day<S: Serializer>(figures: &BTreeMap<Date, Figures>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(figures.iter().map(|(day, figures)| (day.to_string(), figures)))
}

fn by_week<S: Serializer>(people: &BTreeMap<(Date, u32), u64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(people.iter().map(|((monday, weeks), n)| (format!("{}|{weeks}", week(*monday)), n)))
}

/// How many operations there were, what share of them succeeded, and the P50 and P95 in milliseconds; null where there is none, and where
/// a quantile falls on a failure.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Figures(pub u64, pub Option<f64>, pub Option<f64>, pub Option<f64>);

/// How many people there were, how many of them succeeded, the mean and the median of how many seconds passed from the first operation of
/// each to the first success, and the share of those who succeeded whom it took less than 30 seconds. The mean is of those who succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ToFirstSuccess(pub u64, pub u64, pub Option<f64>, pub Option<f64>, pub Option<f64>);

/// What the exact report of a period asks for.
#[must_use]
pub fn exact_question(criteria: &Criteria, span: Span, origins: &BTreeSet<String>) -> Question {
    Question {
        subject: Subject::Operations { limit: None },
        span,
        filter: [(Dimension::Origin, origins.clone())].into(),
        for_each: None,
        aliases: criteria.aliases.clone(),
        time_zone: criteria.time_zone.clone(),
    }
}

impl Quantiles {
    /// How many there are to make a quantile of.
    fn n(self, tally: &Tally) -> u64 {
        match self.failures {
            Failures::Slow => tally.measured + tally.failed,
            Failures::Exclude => tally.measured,
        }
    }

    /// The ranks whose values make the median and the P95 of a tally.
    #[must_use]
    pub fn ranks(self, tally: &Tally) -> Vec<u64> {
        let n = self.n(tally);
        let ranks: BTreeSet<u64> = [Quantile::P50, Quantile::P95].into_iter().flat_map(|q| self.of.ranks(n, q)).collect();
        ranks.into_iter().collect()
    }

    /// A quantile of a tally, in microseconds; None where there is none, or it falls on a failure.
    fn value(self, tally: &Tally, q: Quantile) -> Option<f64> {
        let value = |rank| tally.ranked_us.iter().find(|(of, _)| *of == rank).map(|(_, value)| *value as f64);
        self.of.value(self.n(tally), q, value)
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

impl ExactReport {
    /// The report of what was found, for which [`Quantiles::ranks`] were asked.
    #[must_use]
    pub fn of(found: &Exact, quantiles: Quantiles) -> Self {
        let figures = |tally: &Tally| {
            let n = tally.ok + tally.failed;
            let [p50, p95] = [Quantile::P50, Quantile::P95].map(|q| quantiles.value(tally, q).map(|us| us / 1e3));
            Figures(n, percent(tally.ok, n), p50, p95)
        };
        let Waits { people, sum_us, within_30s } = &found.waits;
        Self {
            summary: figures(&found.all),
            by_operation: found.operations.iter().map(|(name, tally)| (name.clone(), figures(tally))).collect(),
            by_operation_backend: found.backends.iter().map(|(both, tally)| (both.clone(), figures(tally))).collect(),
            by_day: found.days.iter().map(|(day, tally)| (*day, figures(tally))).collect(),
            errors: found.errors.clone(),
            ttfs: ToFirstSuccess(
                people.ok + people.failed,
                people.ok,
                (people.ok > 0).then(|| *sum_us as f64 / people.ok as f64 / 1e6),
                quantiles.value(people, Quantile::P50).map(|us| us / 1e6),
                percent(*within_30s, people.ok),
            ),
            retention: found.cohorts.clone(),
        }
    }
}

/// The number of the week that begins on a Monday.
fn week(monday: Date) -> i64 {
    (monday.duration_since(Date::constant(1969, 12, 29)).as_hours() / 24).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(ok: u64, failed: u64, ranked_us: &[(u64, u64)]) -> Tally {
        Tally { ok, failed, measured: ok, ranked_us: ranked_us.to_vec() }
    }

    #[test]
    fn a_failure_is_slower_than_any_limit_unless_it_is_left_out() {
        let slow = Quantiles::default();
        // Of 18 and 2 that failed, the P95 is the 19th.
        assert_eq!(slow.ranks(&tally(18, 2, &[])), [10, 19]);
        let figures = |quantiles, of: Tally| ExactReport::of(&Exact { all: of, ..Exact::default() }, quantiles).summary;
        assert_eq!(figures(slow, tally(18, 2, &[(10, 5000)])), Figures(20, Some(90.0), Some(5.0), None));
        let type7 = Quantiles { of: QuantileType::Type7, failures: Failures::Exclude };
        // numpy.quantile of 1 to 18, at 0.5 and 0.95: 9.5 and 17.15.
        assert_eq!(type7.ranks(&tally(18, 2, &[])), [9, 10, 17, 18]);
        let ranked = [(9, 9000), (10, 10_000), (17, 17_000), (18, 18_000)];
        let Figures(20, Some(90.0), Some(p50), Some(p95)) = figures(type7, tally(18, 2, &ranked)) else { panic!("no figures") };
        assert!((p50 - 9.5).abs() < 1e-9 && (p95 - 17.15).abs() < 1e-9, "{p50} {p95}");
    }

    #[test]
    fn nothing_is_not_zero() {
        let report = ExactReport::of(&Exact::default(), Quantiles::default());
        assert_eq!((report.summary, report.ttfs), (Figures(0, None, None, None), ToFirstSuccess(0, 0, None, None, None)));
    }

    #[test]
    fn two_names_are_never_one_key() {
        let figures = Figures(1, None, None, None);
        let names = [("a|b", None), ("a", Some("b|")), ("a", Some("b")), ("a\\", Some("b")), ("a", None)];
        let found = names.map(|(name, backend)| ((name.to_owned(), backend.map(str::to_owned)), figures.clone()));
        let report = ExactReport { by_operation_backend: found.into(), ..ExactReport::of(&Exact::default(), Quantiles::default()) };
        let json = serde_json::to_value(&report).expect("JSON");
        let keys: Vec<_> = json["by_operation_backend"].as_object().expect("a map").keys().cloned().collect();
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), ["a\\|b|", "a|b\\|", "a|b", "a\\\\|b", "a|"].map(str::to_owned).into());
    }

    #[test]
    fn weeks_are_counted_from_the_first_monday() {
        let of = |text: &str| week(text.parse().expect("a date"));
        // 1970 began on a Thursday; 2026-01-05 is the 20,458th day after.
        assert_eq!((of("1969-12-29"), of("1970-01-05"), of("2026-01-05"), of("1969-12-22")), (0, 1, (20_458 + 3) / 7, -1));
    }
}
