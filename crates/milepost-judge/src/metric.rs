//! Metrics: the questions that a criterion can ask about events, by name.

use crate::{
    quantile::Quantile,
    quantity::{Family, Unit},
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
    /// Judged by a rule that this version does not have yet; its events are counted.
    Later(Later),
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

macro_rules! later {
    ($( $Name:ident $name:literal $Kind:ident $Family:ident $definition:literal; )*) => {
        /// Metrics whose rules come with sections 5 to 10 of the statistics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Later { $( #[doc = concat!("`", $name, "`: ", $definition)] $Name, )* }

        impl Later {
            const ALL: &[Self] = &[$( Self::$Name, )*];
            const fn name(self) -> &'static str { match self { $( Self::$Name => $name, )* } }
            const fn kind(self) -> Kind { match self { $( Self::$Name => Kind::$Kind, )* } }
            const fn family(self) -> Family { match self { $( Self::$Name => Family::$Family, )* } }
            const fn definition(self) -> &'static str { match self { $( Self::$Name => $definition, )* } }
        }
    };
}

later! {
    LearningAccuracy "learning.accuracy" Interaction Share "share of labelled interactions in which the product recognised the right intent";
    LearningImprovement "learning.improvement" Interaction Share "share of right intents with learning, less the share without";
    VoiceAccuracy "voice.accuracy" Interaction Share "share of spoken interactions in which the product recognised the right intent";
    FirstSuccessWithin "ttfs.median" Session Time "time from the start of a person's first session to the first success, giving up counted";
    RetentionWeek4 "retention.week4" Session Share "share of people who come back in the fourth week after their first day";
    ContributionsMonth "contributions.month" Measurement Number "contributions from the community in a month";
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
            .chain(Later::ALL.iter().copied().map(Self::Later))
    }

    /// The kind of events that it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Latency(_) | Self::SuccessRate | Self::PeakMemory(_) => Kind::Operation,
            Self::Memory(_) | Self::CpuPercent => Kind::Memory,
            Self::Measurement(_) => Kind::Measurement,
            Self::Later(later) => later.kind(),
        }
    }

    /// What its values measure; `None` where only the reading tells.
    #[must_use]
    pub const fn family(&self) -> Option<Family> {
        match self {
            Self::Latency(_) => Some(Family::Time),
            Self::SuccessRate | Self::CpuPercent => Some(Family::Share),
            Self::Memory(MemoryStatistic::Slope) => Some(Family::MemoryGrowth),
            Self::Memory(_) | Self::PeakMemory(_) => Some(Family::Memory),
            Self::Measurement(_) => None,
            Self::Later(later) => Some(later.family()),
        }
    }

    /// Whether its events have this dimension.
    #[must_use]
    pub const fn has(&self, dimension: &Dimension) -> bool {
        dimension.is_of(self.kind())
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
                "the largest less the smallest complete reading of memory in the newest run".to_owned()
            }
            Self::Memory(MemoryStatistic::Slope) => "the growth of memory over a run".to_owned(),
            Self::CpuPercent => "the CPU time of the product's processes in the newest run, as a share of one processor".to_owned(),
            Self::Measurement(name) => format!("the newest reading of `{name}`"),
            Self::Later(later) => later.definition().to_owned(),
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
            Self::Memory(_) | Self::CpuPercent => "milepost collect memory --process NAME --for 1h".to_owned(),
            Self::Measurement(name) if let Some(command) = collected(name) => command.to_owned(),
            Self::Measurement(name) if unit == Unit::NONE => format!("milepost record measurement --name {name} --value NUMBER"),
            Self::Measurement(name) => format!("milepost record measurement --name {name} --value NUMBER --unit {}", unit.name()),
            Self::Later(later) => match later.kind() {
                Kind::Interaction => "milepost record interaction --recognized INTENT --correct INTENT".to_owned(),
                Kind::Session => "milepost record session --user NAME --session ID".to_owned(),
                _ => "milepost collect git --maintainer NAME".to_owned(),
            },
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
            Self::Later(later) => later.name(),
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
                let nearest = Self::fixed().map(|m| m.to_string()).min_by_key(|known| edit_distance(known, name)).unwrap_or_default();
                Err(UnknownMetric::Near { name: name.to_owned(), nearest })
            }
            Some((family, rest)) if !family.is_empty() && !rest.is_empty() => Ok(Self::Measurement(name.to_owned())),
            _ => Err(UnknownMetric::Unknown { name: name.to_owned() }),
        }
    }
}

use strsim::osa_distance as edit_distance;
