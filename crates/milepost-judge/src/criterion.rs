//! Criteria: what somebody decided that success means.

use crate::{
    metric::Metric,
    quantity::{Family, Quantity, Unit},
};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{Dimension, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, time::Duration};

/// All criteria of a project, with what they share.
#[derive(Clone, Debug)]
pub struct Criteria {
    /// Name of the project.
    pub project: String,
    /// IANA name of the time zone in which days, months and quarters begin.
    pub time_zone: String,
    /// The same time zone, looked up.
    pub calendar: TimeZone,
    /// The product's current version, for criteria `since = "release"`.
    pub version: Option<String>,
    /// Other names of operations, with the name that stands for them.
    pub aliases: BTreeMap<String, String>,
    /// The criteria, in the order of the configuration.
    pub criteria: Vec<Criterion>,
}

/// One thing that has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    /// Its name, unique in the project.
    pub name: String,
    /// How much depends on it; without a tier it is judged and shown, and no tier counts it.
    pub tier: Option<Tier>,
    /// What has to hold: all of it. At least one.
    pub goals: Vec<Goal>,
    /// From when on events count.
    pub since: Since,
    /// Where the product started. Shown, never evidence.
    pub baseline: Option<String>,
    /// How it is measured. Shown.
    pub method: Option<String>,
    /// How old the newest event may be.
    pub max_age: Duration,
    /// The label of its card on the page, if it has one.
    pub card: Option<String>,
    /// The chance that somebody accepts of ever seeing a wrong verdict.
    pub alpha: f64,
}

/// One metric within one bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The metric.
    pub metric: Metric,
    /// Which side of the limit is good.
    pub relation: Relation,
    /// The limit; `None` where each group has one of its own.
    pub limit: Option<Quantity>,
    /// A miss up to here is amber, beyond is red.
    pub bad: Option<Quantity>,
    /// Judged for each value of this dimension; the goal holds where all of them do.
    pub for_each: Option<Dimension>,
    /// The groups that have to be there; empty: those that are seen.
    pub groups: Vec<String>,
    /// Limits of groups.
    pub limits: BTreeMap<String, Quantity>,
    /// Which events count.
    pub filter: Filter,
    /// What a failed operation does to a latency.
    pub failures: Failures,
    /// How many first interactions of each person are left out: the learning, where what was learned is judged.
    pub after: u64,
}

impl Goal {
    /// The groups that have to be there: those named, and those that have a limit of their own.
    #[must_use]
    pub fn named_groups(&self) -> Vec<&str> {
        let limited = self.limits.keys().filter(|name| !self.groups.contains(name));
        self.groups.iter().chain(limited).map(String::as_str).collect()
    }

    /// The limit that holds for a group.
    #[must_use]
    pub fn limit_of(&self, group: Option<&str>) -> Option<Quantity> {
        group.and_then(|name| self.limits.get(name).copied()).or(self.limit)
    }

    /// The unit that its values are shown in: the limit's.
    #[must_use]
    pub fn unit(&self) -> Unit {
        let written = self.limit.or_else(|| self.limits.values().next().copied()).map(|limit| limit.unit);
        written.unwrap_or_else(|| self.metric.family().unwrap_or(Family::Number).usual_unit())
    }
}

/// How much depends on a criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The product is not ready without it.
    Must,
    /// It ought to hold.
    Should,
    /// It would be nice.
    Nice,
}

impl Tier {
    /// All tiers, the most important first.
    pub const ALL: &[Self] = &[Self::Must, Self::Should, Self::Nice];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Nice => "nice",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which side of a limit is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Less than the limit.
    Below,
    /// The limit or less.
    AtMost,
    /// More than the limit.
    Above,
    /// The limit or more.
    AtLeast,
}

impl Relation {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::AtMost => "at_most",
            Self::Above => "above",
            Self::AtLeast => "at_least",
        }
    }

    /// The sign for it.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "≤",
            Self::Above => ">",
            Self::AtLeast => "≥",
        }
    }

    /// Whether less is better.
    #[must_use]
    pub const fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    /// Whether a value is on the good side of a limit, both in the same unit.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }
}

/// What a failed operation does to a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failures {
    /// It counts as slower than any limit: a product that runs into its time-outs is not fast.
    #[default]
    Slow,
    /// It is left out.
    Exclude,
}

/// From when on events count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The beginning of the calendar quarter.
    Quarter,
    /// The beginning of the calendar month.
    Month,
    /// Events of the current version, whenever they happened.
    Release,
    /// The first definition of the criterion.
    Criterion,
    /// The beginning of this day.
    Date(Date),
}

impl Criterion {
    /// Digest of all that decides which events count and for what: where it changes, evidence begins anew.
    ///
    /// Covers metric, filter, groups, limits, failure convention, what is left out, alpha and aliases; not the name, tier, baseline
    /// or method.
    #[must_use]
    pub fn evidence_key(&self, aliases: &BTreeMap<String, String>) -> String {
        // Lists and sorted maps only: the order of an object's keys is a matter of how serde_json was built.
        let goals: Vec<_> = self
            .goals
            .iter()
            .map(|goal| {
                let limits: BTreeMap<_, _> = goal.limits.iter().map(|(name, limit)| (name, limit.base())).collect();
                let filter: BTreeMap<_, _> = goal.filter.iter().map(|(dimension, values)| (dimension.to_string(), values)).collect();
                let for_each = goal.for_each.as_ref().map(ToString::to_string);
                let limit = goal.limit.map(Quantity::base);
                let mut key = vec![json!(goal.metric.to_string()), json!(goal.relation.name()), json!(limit), json!(for_each)];
                key.extend([json!(goal.groups), json!(limits), json!(filter), json!(goal.failures)]);
                // Only where something is left out, so that the keys of all others stay what they are.
                key.extend((goal.after > 0).then(|| json!(goal.after)));
                Value::from(key)
            })
            .collect();
        let text = json!([goals, self.alpha, aliases]).to_string();
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().fold("sha256:".to_owned(), |mut key, byte| {
            use fmt::Write;
            // Writing to a String cannot fail.
            let _ = write!(key, "{byte:02x}");
            key
        })
    }
}
