//! What a criterion needs to know, and what the events say to it: the plain data between who judges and who keeps the events.
//!
//! A threshold travels in the question, and the answer counts on both sides of it: so a verdict never depends on a quantile
//! that somebody rounded, and the events can be counted where they are.

use crate::{Kind, Measure, Timestamp, Unreadable};
use jiff::civil::Date;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// How many groups are told apart. Those beyond, the smallest ones, are counted together and are never met.
pub const GROUPS_MAX: usize = 1000;
/// How many different durations an answer holds exactly. Beyond, they are rounded to [`ROUNDING`]; counts stay exact.
pub const EXACT_DURATIONS_MAX: usize = 100_000;
/// The relative error of a rounded duration.
pub const ROUNDING: f64 = 0.01;
/// How many readings of a measurement an answer holds: the newest.
pub const READINGS_MAX: usize = 1000;

/// How many lines that are no event an inventory describes; it counts all.
pub const UNREADABLE_MAX: usize = 100;

/// A period of time: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// Something that events can be filtered and grouped by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// Name of the operation.
    Operation,
    /// Implementation that did the work.
    Backend,
    /// Persona of the person.
    Persona,
    /// Pseudonym of the person.
    User,
    /// Session.
    Session,
    /// Version of the product.
    Version,
    /// Commit of the product.
    Commit,
    /// Pseudonym of the machine.
    Host,
    /// Where the events come from.
    Origin,
    /// Process at the root of a memory reading.
    Process,
    /// Arm of the experiment.
    Arm,
    /// How an interaction was said.
    Modality,
    /// Part of the product that was measured.
    Scope,
    /// Tool that measured.
    Source,
    /// An attribute, by its name.
    Attribute(String),
}

/// Not the name of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that events can be grouped or filtered by; there are {known}, and `attributes.NAME`", known = Dimension::NAMED.iter().map(|d| d.to_string()).collect::<Vec<_>>().join(", "))]
pub struct UnknownDimension(String);

impl Dimension {
    /// All but the attributes.
    pub const NAMED: &[Self] = &[
        Self::Operation,
        Self::Backend,
        Self::Persona,
        Self::User,
        Self::Session,
        Self::Version,
        Self::Commit,
        Self::Host,
        Self::Origin,
        Self::Process,
        Self::Arm,
        Self::Modality,
        Self::Scope,
        Self::Source,
    ];

    /// Whether events of this kind have it.
    #[must_use]
    pub const fn is_of(&self, kind: Kind) -> bool {
        match self {
            Self::Operation | Self::Backend => matches!(kind, Kind::Operation),
            Self::Process => matches!(kind, Kind::Memory),
            Self::Arm | Self::Modality => matches!(kind, Kind::Interaction),
            Self::Scope | Self::Source => matches!(kind, Kind::Measurement),
            _ => true,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Operation => "operation",
            Self::Backend => "backend",
            Self::Persona => "persona",
            Self::User => "user",
            Self::Session => "session",
            Self::Version => "version",
            Self::Commit => "commit",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Process => "process",
            Self::Arm => "arm",
            Self::Modality => "modality",
            Self::Scope => "scope",
            Self::Source => "source",
            Self::Attribute(name) => return write!(f, "attributes.{name}"),
        };
        f.write_str(name)
    }
}

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(name: &str) -> Result<Self, UnknownDimension> {
        match name.strip_prefix("attributes.") {
            Some(attribute) if !attribute.is_empty() => Ok(Self::Attribute(attribute.to_owned())),
            _ => Self::NAMED.iter().find(|d| d.to_string() == name).cloned().ok_or_else(|| UnknownDimension(name.to_owned())),
        }
    }
}

/// For each dimension the values of which an event must have one. An empty filter takes everything.
pub type Filter = BTreeMap<Dimension, BTreeSet<String>>;

/// What a criterion needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// About which events, and what of them.
    pub subject: Subject,
    /// Events of this period.
    pub span: Span,
    /// Of those, the ones that pass.
    pub filter: Filter,
    /// Answered for each value of this dimension apart.
    pub for_each: Option<Dimension>,
    /// Other names of operations, with the name that stands for them.
    pub aliases: BTreeMap<String, String>,
    /// IANA name of the time zone that days are counted in.
    pub time_zone: String,
}

/// About which events, and what of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// How many operations succeeded, and how many of these within the limit.
    Operations {
        /// The limit on their duration, where one is asked about.
        limit: Option<Limit>,
    },
    /// The readings of memory, by run.
    Memory,
    /// The readings of one measurement.
    Measurement {
        /// Its name.
        name: String,
    },
    /// How many events of a kind there are.
    Count {
        /// The kind.
        kind: Kind,
    },
}

impl Subject {
    /// The kind of the events that it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Operations { .. } => Kind::Operation,
            Self::Memory => Kind::Memory,
            Self::Measurement { .. } => Kind::Measurement,
            Self::Count { kind } => *kind,
        }
    }
}

/// A limit on a duration, possibly another for each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// For groups that are not named, in microseconds; without one, they have no limit and nothing of them is within.
    pub default_us: Option<u64>,
    /// For the groups named, in microseconds.
    pub by_group_us: BTreeMap<String, u64>,
    /// Whether a duration equal to the limit is within.
    pub inclusive: bool,
}

/// What the events say to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How it was asked: SQL that anybody can run.
    pub sql: String,
    /// What came back.
    pub evidence: Evidence,
}

/// What came back, by the subject of the question.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// To [`Subject::Operations`]: for each group its days, in order.
    Operations(Groups<OperationDay>),
    /// To [`Subject::Memory`]: for each group its runs, by their beginning.
    Memory(Groups<Run>),
    /// To [`Subject::Measurement`]: for each group its newest readings, in order.
    Measurement(Groups<Reading>),
    /// To [`Subject::Count`]: for each group one count, none where there are no events.
    Count(Groups<Count>),
}

/// What came back for each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups<T> {
    /// The groups by name; `None` where the question does not group, or for events that lack the dimension.
    pub groups: BTreeMap<Option<String>, Vec<T>>,
    /// How many groups were beyond [`GROUPS_MAX`], and are not among them.
    pub folded: u64,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), folded: 0 }
    }
}

/// The operations of one day.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationDay {
    /// The day in the question's time zone.
    pub date: Date,
    /// The first event.
    pub oldest: Timestamp,
    /// The last event.
    pub newest: Timestamp,
    /// Succeeded.
    pub ok: u64,
    /// Failed, those that ran out of time included.
    pub failed: u64,
    /// Of those that failed, how many ran out of time.
    pub timeouts: u64,
    /// Ended by somebody; not judged.
    pub cancelled: u64,
    /// Only showed what they would do; not judged.
    pub dry_runs: u64,
    /// Of those that succeeded, how many have no duration.
    pub unmeasured: u64,
    /// Of those that succeeded, how many were within the limit.
    pub within: u64,
    /// Durations of those that succeeded in microseconds, rising, each with how many there are.
    pub durations: Vec<(u64, u64)>,
}

/// One observation of a running product's memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// Name of the process.
    pub process: Option<String>,
    /// What the bytes count.
    pub measure: Measure,
    /// When the next reading was due, in microseconds.
    pub every_us: Option<u64>,
    /// Its readings, in order.
    pub samples: Vec<MemorySample>,
}

/// One reading of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySample {
    /// When.
    pub at: Timestamp,
    /// How much, in bytes.
    pub bytes: u64,
    /// Whether every process could be read.
    pub complete: bool,
    /// CPU time since the reading before, in microseconds.
    pub cpu_us: Option<u64>,
}

/// One reading of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Option<String>,
    /// The tool.
    pub source: Option<String>,
    /// The part of the product.
    pub scope: Option<String>,
}

/// How many events there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub n: u64,
    /// The first.
    pub oldest: Timestamp,
    /// The last.
    pub newest: Timestamp,
}

/// What the events hold as a whole, for whoever looks after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Events of each kind, each counted once.
    pub events: BTreeMap<Kind, u64>,
    /// Events that stand more than once under one id, beyond the first.
    pub repeated: u64,
    /// How many lines are no event.
    pub unreadable: u64,
    /// The first of them, at most [`UNREADABLE_MAX`].
    pub first_unreadable: Vec<Unreadable>,
    /// Segments of the spool: how many, and their length in bytes.
    pub segments: (u64, u64),
}
