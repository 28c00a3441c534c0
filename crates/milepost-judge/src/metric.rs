//! Metrics: the questions that a criterion can ask about events, by name.

use crate::{
    quantile::Quantile,
    quantity::{Family, Unit, excerpt},
};
use milepost_record::{Dimension, Kind};
use std::{fmt, str::FromStr};

/// A named question over events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// `latency.p50`, `latency.p95`, `latency.p99`: a quantile of how long operations take.
    Latency(Quantile),
    /// `success.rate`: the share of operations that succeed.
    SuccessRate,
    /// `peak_memory.p50`, `peak_memory.p95`, `peak_memory.p99`: a quantile of the most memory that each operation took.
    PeakMemory(Quantile),
    /// `memory.…`: of the memory of a running product.
    Memory(MemoryStatistic),
    /// `cpu.percent`: CPU time of a running product, as a share of one processor.
    CpuPercent,
    /// The value of a measurement, by its name.
    Measurement(String),
    /// `learning.accuracy`: the share of labelled interactions that were understood.
    LearningAccuracy,
    /// `learning.improvement`: by how much more is understood with learning than without.
    LearningImprovement,
    /// `voice.accuracy`: the share of labelled spoken interactions that were understood.
    VoiceAccuracy,
    /// `ttfs.median`: how long new people take to their first success.
    FirstSuccess,
    /// `retention.week4`: the share of people who come back in their fourth week.
    RetentionWeek4,
    /// `contributions.month`: contributions of the community in a month.
    ContributionsMonth,
}

/// What of the memory readings a metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryStatistic {
    /// The newest reading.
    Current,
    /// The mean of a run.
    Average,
    /// The largest reading.
    Peak,
    /// The largest less the smallest of a run.
    Variation,
    /// The growth over a run.
    Slope,
}

/// Not the name of a metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMetric {
    /// The name is in a family whose members are fixed.
    #[error("there is no metric `{name}`; did you mean `{nearest}`?")]
    Near {
        /// What was written.
        name: String,
        /// The most similar name.
        nearest: String,
    },
    /// A measurement's name has at least two parts.
    #[error("there is no metric `{name}`; metrics are {}, or the name of a measurement such as `coverage.statements`", Metric::fixed().map(|m| m.to_string()).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// What was written.
        name: String,
    },
}

impl Metric {
    /// The metrics with a fixed name.
    pub fn fixed() -> impl Iterator<Item = Self> {
        use MemoryStatistic::{Average, Current, Peak, Slope, Variation};
        [Self::Latency(Quantile::P50), Self::Latency(Quantile::P95), Self::Latency(Quantile::P99), Self::SuccessRate]
            .into_iter()
            .chain([Quantile::P50, Quantile::P95, Quantile::P99].map(Self::PeakMemory))
            .chain([Current, Average, Peak, Variation, Slope].map(Self::Memory))
            .chain([Self::CpuPercent])
            .chain([Self::LearningAccuracy, Self::LearningImprovement, Self::VoiceAccuracy])
            .chain([Self::FirstSuccess, Self::RetentionWeek4, Self::ContributionsMonth])
    }

    /// The kind of events that it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Latency(_) | Self::SuccessRate | Self::PeakMemory(_) => Kind::Operation,
            Self::Memory(_) | Self::CpuPercent => Kind::Memory,
            Self::Measurement(_) | Self::ContributionsMonth => Kind::Measurement,
            Self::LearningAccuracy | Self::LearningImprovement | Self::VoiceAccuracy => Kind::Interaction,
            Self::FirstSuccess | Self::RetentionWeek4 => Kind::Session,
        }
    }

    /// What its values measure; `None` where only the reading tells.
    #[must_use]
    pub const fn family(&self) -> Option<Family> {
        match self {
            Self::Latency(_) | Self::FirstSuccess => Some(Family::Time),
            Self::SuccessRate | Self::CpuPercent => Some(Family::Share),
            Self::LearningAccuracy | Self::LearningImprovement | Self::VoiceAccuracy | Self::RetentionWeek4 => Some(Family::Share),
            Self::ContributionsMonth => Some(Family::Number),
            Self::Memory(MemoryStatistic::Slope) => Some(Family::MemoryGrowth),
            Self::Memory(_) | Self::PeakMemory(_) => Some(Family::Memory),
            Self::Measurement(_) => None,
        }
    }

    /// Whether its events have this dimension.
    #[must_use]
    pub const fn has(&self, dimension: &Dimension) -> bool {
        dimension.is_of(self.kind())
    }

    /// Whether it can be judged for each value of a dimension apart. What compares people or arms is about all of them.
    #[must_use]
    pub const fn has_groups(&self) -> bool {
        !matches!(self.kind(), Kind::Interaction | Kind::Session)
    }

    /// What it is, in one sentence without a full stop.
    #[must_use]
    pub fn definition(&self) -> String {
        match self {
            Self::Latency(quantile) => format!(
                "the time within which {}% of operations succeed; an operation that fails counts as slower than any limit",
                crate::quantity::digits(quantile.as_fraction() * 100.0)
            ),
            Self::PeakMemory(quantile) => format!(
                "the memory within which {}% of operations stay, each at its peak, which is 0 where `milepost run` saw none above its own; an \
                 operation that fails counts like any other",
                crate::quantity::digits(quantile.as_fraction() * 100.0)
            ),
            Self::SuccessRate => "the share of operations that succeed; cancelled ones and dry runs are left out".to_owned(),
            Self::Memory(MemoryStatistic::Current) => "the newest complete reading of the memory of the product's processes".to_owned(),
            Self::Memory(MemoryStatistic::Average) => "the mean of the complete readings of memory in the newest run".to_owned(),
            Self::Memory(MemoryStatistic::Peak) => "the largest complete reading of the memory of the product's processes".to_owned(),
            Self::Memory(MemoryStatistic::Variation) => {
                "how far the memory of the newest run that is long enough spreads: of its medians by the minute, \
                 without the first ten minutes or tenth, the P95 less the P5; met where it does not grow either"
                    .to_owned()
            }
            Self::Memory(MemoryStatistic::Slope) => {
                "the growth of memory in the newest run that is long enough, as the median of the slopes between its \
                 medians by the minute, without the first ten minutes or tenth"
                    .to_owned()
            }
            Self::CpuPercent => "the CPU time of the product's processes in the newest run, as a share of one processor".to_owned(),
            Self::Measurement(name) => format!("the newest reading of `{name}`"),
            Self::LearningAccuracy => {
                "the share of labelled interactions in which the product recognised the right intent; where it recognised nothing, it did \
                 not"
                .to_owned()
            }
            Self::LearningImprovement => "the share of right intents with learning less the share without, in percentage points, of \
                 labelled interactions: a comparison, and a cause only where chance decided who learns"
                .to_owned(),
            Self::VoiceAccuracy => "the share of labelled spoken interactions in which the product recognised the right intent; where it \
                 recognised nothing, it did not"
                .to_owned(),
            Self::FirstSuccess => "the time within which half of all new people had their first success, from the start of their first \
                 session; who gives up never has one"
                .to_owned(),
            Self::RetentionWeek4 => "the share of people that were active on some day from 28 to 34 days after their first, of those for \
                 whom these days have passed"
                .to_owned(),
            Self::ContributionsMonth => "contributions of people outside in the newest month that is over, or in the current one where \
                 they are enough already"
                .to_owned(),
        }
    }

    /// How events for it come in: a command. `unit` is what a measurement is taken in, `for_each` what events are told apart by.
    #[must_use]
    pub fn fed_by(&self, unit: Unit, for_each: Option<&Dimension>) -> String {
        match self {
            Self::Latency(_) | Self::SuccessRate | Self::PeakMemory(_) => match for_each {
                Some(flag @ (Dimension::Backend | Dimension::Persona | Dimension::User | Dimension::Session)) => {
                    format!("milepost run --operation NAME --{flag} NAME -- COMMAND")
                }
                _ => "milepost run --operation NAME -- COMMAND".to_owned(),
            },
            Self::Memory(MemoryStatistic::Variation | MemoryStatistic::Slope) => {
                "milepost collect memory --process NAME --for 75min".to_owned()
            }
            Self::Memory(_) | Self::CpuPercent => "milepost collect memory --process NAME --for 1h".to_owned(),
            Self::Measurement(name) if let Some(command) = collected(name) => command.to_owned(),
            Self::Measurement(name) if unit == Unit::NONE => format!("milepost record measurement --name {name} --value NUMBER"),
            Self::Measurement(name) => format!("milepost record measurement --name {name} --value NUMBER --unit {}", unit.name()),
            Self::LearningAccuracy => "milepost record interaction --user NAME --recognized INTENT --correct INTENT".to_owned(),
            Self::LearningImprovement => {
                "milepost record interaction --user NAME --arm ARM --recognized INTENT --correct INTENT".to_owned()
            }
            Self::VoiceAccuracy => "milepost record interaction --modality voice --recognized INTENT --correct INTENT".to_owned(),
            Self::FirstSuccess | Self::RetentionWeek4 => "milepost record session --user NAME --session ID".to_owned(),
            Self::ContributionsMonth => "milepost collect git --maintainer NAME".to_owned(),
        }
    }
}

/// The command that reads this measurement from the report of a tool.
fn collected(name: &str) -> Option<&'static str> {
    Some(match name {
        "coverage.statements"
        | "coverage.branches"
        | "coverage.uncovered_lines"
        | "coverage.files_below_80"
        | "coverage.integration_tests" => "milepost collect coverage coverage.json",
        "complexity.average" | "complexity.maximum" | "complexity.functions_above_10" | "complexity.unreadable_files" => {
            "milepost collect complexity radon.json"
        }
        "tests.total" | "tests.passed" | "tests.failed" | "tests.skipped" | "tests.integration" | "tests.duration" => {
            "milepost collect tests junit.xml"
        }
        "vulnerabilities.known" | "vulnerabilities.unaudited_packages" => "milepost collect audit pip-audit.json",
        _ => return None,
    })
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency(quantile) => return write!(f, "latency.p{}", crate::quantity::digits(quantile.as_fraction() * 100.0)),
            Self::PeakMemory(quantile) => return write!(f, "peak_memory.p{}", crate::quantity::digits(quantile.as_fraction() * 100.0)),
            Self::SuccessRate => "success.rate",
            Self::Memory(MemoryStatistic::Current) => "memory.current",
            Self::Memory(MemoryStatistic::Average) => "memory.average",
            Self::Memory(MemoryStatistic::Peak) => "memory.peak",
            Self::Memory(MemoryStatistic::Variation) => "memory.variation",
            Self::Memory(MemoryStatistic::Slope) => "memory.slope",
            Self::CpuPercent => "cpu.percent",
            Self::Measurement(name) => name,
            Self::LearningAccuracy => "learning.accuracy",
            Self::LearningImprovement => "learning.improvement",
            Self::VoiceAccuracy => "voice.accuracy",
            Self::FirstSuccess => "ttfs.median",
            Self::RetentionWeek4 => "retention.week4",
            Self::ContributionsMonth => "contributions.month",
        })
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        if let Some(metric) = Self::fixed().find(|m| m.to_string() == name) {
            return Ok(metric);
        }
        // A misspelt `latency.p59` must not become a measurement that nobody ever takes, and so stay without data.
        match name.split_once('.') {
            Some((family, _)) if Self::fixed().any(|m| m.to_string().split('.').next() == Some(family)) => {
                let name = excerpt(name);
                let nearest = Self::fixed().map(|m| m.to_string()).min_by_key(|known| edit_distance(known, &name)).unwrap_or_default();
                Err(UnknownMetric::Near { name, nearest })
            }
            Some((family, rest)) if !family.is_empty() && !rest.is_empty() => Ok(Self::Measurement(name.to_owned())),
            _ => Err(UnknownMetric::Unknown { name: excerpt(name) }),
        }
    }
}

use strsim::osa_distance as edit_distance;
