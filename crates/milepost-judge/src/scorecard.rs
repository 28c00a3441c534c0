//! The scorecard: all criteria with verdict, evidence and history. Everything that is shown anywhere is in it.

use crate::{Exclusion, Misses, Tier, Verdict};
use jiff::civil::Date;
use milepost_record::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the scorecard's JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// All criteria of a project, judged at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Scorecard {
    /// Version of this format.
    pub schema_version: u32,
    /// Name of the project.
    pub project: String,
    /// When it was judged.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub generated_at: Timestamp,
    /// The verdict of the tier `must`.
    #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale"]))]
    pub verdict: Verdict,
    /// The tiers.
    pub tiers: BTreeMap<Tier, TierResult>,
    /// The criteria, in the order of the configuration.
    pub criteria: Vec<CriterionResult>,
}

/// How a tier stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TierResult {
    /// Criteria that are met.
    pub met: usize,
    /// Criteria in all.
    pub of: usize,
    /// Met where all criteria are and there is one; missed where one is.
    #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale"]))]
    pub verdict: Verdict,
}

/// One criterion, judged.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CriterionResult {
    /// Its name.
    pub name: String,
    /// Its tier; null where no tier counts it.
    pub tier: Option<Tier>,
    /// The label of its card, if it has one.
    pub card: Option<String>,
    /// What was judged. Where the criterion has several parts, the conjunction of them.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Where the product started.
    pub baseline: Option<String>,
    /// How it is measured.
    pub method: Option<String>,
    /// What the metric is.
    pub definition: String,
    /// From when on events count.
    pub since: Since,
    /// What was excluded by hand: without it, events would count from earlier on.
    pub excluded: Vec<Exclusion>,
    /// What was proven last, where nothing is now; of what is stale, the last verdict. Null where there is none.
    pub was: Option<Was>,
    /// Where its misses are; null where there are none, it is met, or it is not about latency or success.
    pub misses: Option<Misses>,
    /// For each group its own judgement; empty where the criterion has no groups.
    pub groups: Vec<GroupResult>,
    /// For each part of a criterion that demands several things at once; empty where it demands one.
    pub parts: Vec<PartResult>,
}

/// One of several things that a criterion demands at once.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PartResult {
    /// What was judged.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// What the metric is.
    pub definition: String,
    /// For each group its own judgement.
    pub groups: Vec<GroupResult>,
}

/// One group of a criterion.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupResult {
    /// The dimension and the group's value of it; a null value gathers the events that have none.
    pub group: BTreeMap<String, Option<String>>,
    /// Whether the criterion's verdict depends on it.
    pub judged: bool,
    /// Whether that it is met can be said of it alone, picked out of all groups that are judged (Holm 1979); null where it is not met, or not by a rate. That all of them are met needs no such correction (Berger 1982).
    pub holds_alone: Option<bool>,
    /// What was judged.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Judgement {
    /// The metric; null for a criterion that demands several things at once.
    pub metric: Option<String>,
    /// The verdict.
    #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale"]))]
    pub verdict: Verdict,
    /// Why the verdict is not proven, where it is not only for want of events.
    pub reason: Option<Reason>,
    /// How bad a miss is.
    pub severity: Option<Severity>,
    /// What has to hold; null where each group has a target of its own.
    pub target: Option<Target>,
    /// Unit of estimate, interval and trend; empty for plain numbers.
    pub unit: String,
    /// What was observed; null where there is nothing, or where it has no finite value.
    pub estimate: Option<f64>,
    /// Where the true value lies with 95 % confidence however often somebody looks (of one run of memory: at one look); null on a side that has no bound yet.
    pub interval: [Option<f64>; 2],
    /// How many events, readings or samples it rests on.
    pub n: u64,
    /// Of those, how many are within the limit.
    pub successes: Option<u64>,
    /// Of those, how many are not.
    pub failures: Option<u64>,
    /// How many failures the goal allows among so many events, and how many there are; null where it is not about a rate of them.
    pub error_budget: Option<Budget>,
    /// The last day on which it fell back after it was met: only events after that day count. Null where it did not.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub fell_back: Option<Date>,
    /// What was left out of `n`, by why.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// The fewest further events after which it could be met.
    pub at_least_more: Option<u64>,
    /// About how many further events it takes if all goes on as it went; a projection, no promise.
    pub projected_more: Option<u64>,
    /// On which side of the target the estimate lies, while nothing is proven.
    pub leaning: Option<Leaning>,
    /// The newest event.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub newest_event: Option<Timestamp>,
    /// What to do next.
    pub advice: Option<String>,
    /// The command for that, where it is to bring in events.
    pub command: Option<String>,
    /// What the other convention for failed operations would give; null where the metric has only one.
    pub other_convention: Option<Convention>,
    /// Figures that belong beside the verdict, and do not decide it.
    pub beside: Vec<Figure>,
    /// The metric day by day; a day without events is not in it.
    pub trend: Vec<TrendPoint>,
    /// When its level probably changed, by the days that are over and have twenty events or more. A hint, and no verdict.
    pub changes: Vec<ProbableChange>,
}

impl GroupResult {
    /// Its value of the dimension; `(none)` where events have none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.group.values().next().and_then(Option::as_deref).unwrap_or("(none)")
    }
}

impl Judgement {
    /// On nothing at all: no data, and every number absent.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            metric: None,
            verdict: Verdict::NoData,
            reason: None,
            severity: None,
            target: None,
            unit: String::new(),
            estimate: None,
            interval: [None, None],
            n: 0,
            successes: None,
            failures: None,
            error_budget: None,
            fell_back: None,
            left_out: BTreeMap::new(),
            at_least_more: None,
            projected_more: None,
            leaning: None,
            newest_event: None,
            advice: None,
            command: None,
            other_convention: None,
            beside: Vec::new(),
            trend: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// What a goal allows, and what of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Budget {
    /// The failures that the goal allows among `n` events; not rounded.
    pub allowed: f64,
    /// The failures there are.
    pub used: u64,
}

/// A day from which on the level of a metric is probably another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbableChange {
    /// The first day of the new level, or of a trend.
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Date,
    /// Whether it went on in several steps of one direction.
    pub is_trend: bool,
    /// The level before, in the judgement's unit.
    pub before: f64,
    /// The level after.
    pub after: f64,
    /// By what share of itself it changed; 0.1 is +10 %. Null where it was 0.
    pub change: Option<f64>,
    /// Whether the same machines measured both levels; null where that is not known, or what was measured is not of operations.
    pub same_hosts: Option<bool>,
}

/// A convention for failed operations, and what it gives.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Convention {
    /// The convention.
    pub failures: crate::Failures,
    /// The estimate under it.
    pub estimate: Option<f64>,
    /// How many events it counts.
    pub n: u64,
    /// Of those, how many are within the limit.
    pub successes: u64,
}

/// A figure that belongs beside a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Figure {
    /// Which.
    pub what: Beside,
    /// Its value; null where it has none, such as a median that is not reached.
    pub value: Option<f64>,
    /// Where it lies with 95 % confidence; null on a side without a bound, and on both where nothing is claimed.
    pub interval: [Option<f64>; 2],
    /// Unit of both; empty for plain numbers.
    pub unit: String,
}

/// Which figure stands beside a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// The share of people who had their first success within the limit; the interval holds however often somebody looks.
    WithinLimit,
    /// The same median with the interval of one look, by Greenwood's variance.
    MedianAtOneLook,
    /// The share of interactions that are labelled.
    LabelCoverage,
    /// Wrong words for each word that was said: pooled, it can exceed 1. The interval is that of speakers, or utterances, in general.
    WordErrorRate,
    /// The same for people in general, at one look: without an interval below ten of them.
    PeopleInGeneral,
    /// The accuracy with learning; the interval holds however often somebody looks.
    WithLearning,
    /// The accuracy without.
    WithoutLearning,
    /// The improvement as a share of the accuracy without learning.
    RelativeImprovement,
    /// The mean of the months that are over, with Garwood's interval where contributions come independently enough.
    MonthlyMean,
    /// How many people contributed in that month.
    Contributors,
    /// The same quantile of those that succeeded as NumPy, R and spreadsheets have it (type 7 of Hyndman and Fan 1996), for comparison with them.
    Interpolated,
    /// By how much memory grows in a day; the interval is Sen's, at one look.
    Growth,
}

/// What has to hold: one of the four bounds, and its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// This or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// More than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// This or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Unit of the bound; empty for plain numbers.
    pub unit: String,
}

/// Why a verdict is not proven, where it is not only for want of events; also why it has no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Fewer than ten events.
    TooFew,
    /// All events are of one calendar day.
    SingleDay,
    /// A group that has to be there has no events.
    GroupWithoutData,
    /// One group misses it, and among so many groups one may by chance.
    OneOfMany,
    /// There are more groups than are told apart.
    TooManyGroups,
    /// No run of memory readings lasted an hour.
    RunTooShort,
    /// Of the readings that were due, too many are missing or incomplete.
    IncompleteRun,
    /// The readings have another unit than the target.
    UnitMismatch,
    /// Memory stayed within the limit, and the run is too short to rule out that it grows.
    GrowthUnclear,
    /// Memory grows, and faster than noise explains.
    LeakSuspected,
    /// No month that counts is over, or none was read after its end.
    OpenMonth,
    /// Fewer than four in five interactions are labelled: what is labelled may be the wrong ones, or the right ones.
    FewLabels,
    /// One arm of the experiment has no labelled interactions.
    EmptyArm,
    /// Far more people are in one arm than chance explains.
    SampleRatio,
    /// The arms hardly ran at the same time.
    ArmsApart,
    /// It fell back after it was met, and no event came since.
    FellBack,
    /// The criterion is about the current version, and nothing says which one that is.
    NoRelease,
}

/// How bad a miss is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Not beyond the second limit.
    Amber,
    /// Beyond the second limit, or there is none.
    Red,
}

/// On which side of the target the estimate lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leaning {
    /// On the good side.
    Inside,
    /// On the bad side.
    Outside,
}

/// Why an event was left out of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Somebody ended the operation.
    Cancelled,
    /// It only showed what it would do.
    DryRun,
    /// It failed, and the criterion excludes failures.
    Failed,
    /// A memory reading in which a process could not be read.
    Incomplete,
    /// It has no duration.
    Unmeasured,
    /// Nobody said what was right.
    Unlabelled,
    /// It is among a person's first interactions, which the criterion leaves out.
    Early,
    /// It is in neither arm of the experiment.
    OtherArm,
    /// A person who is still at it, and within the limit.
    Running,
    /// A person whose fourth week has not passed yet.
    Immature,
}

/// From when on events count.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Since {
    /// The beginning.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// What the beginning is: `quarter`, `month`, `release`, `criterion`, `date`, `changed` or `excluded`.
    pub why: String,
}

/// An earlier verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Was {
    /// The verdict.
    #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven"]))]
    pub verdict: Verdict,
    /// When it was recorded last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Whether the criterion demanded the same then.
    pub same_definition: bool,
}

/// The metric on one day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TrendPoint {
    /// The day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: Date,
    /// The value of that day alone; null where it has no finite value.
    pub value: Option<f64>,
    /// How many events the day has.
    pub n: u64,
}
