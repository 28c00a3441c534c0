//! What a criterion or a report needs to know, and what the events say to it: the plain data between who judges and who keeps the events.
//!
//! A threshold travels in the question, and the answer counts on both sides of it: so a verdict never depends on a quantile
//! that somebody rounded, and the events can be counted where they are.

use crate::{Ecdf, Event, Kind, Measure, ProcessMemory, Timestamp, Unreadable};
use jiff::civil::Date;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

/// How many groups are told apart. Those beyond, the smallest ones, are counted together and are never met.
pub const GROUPS_MAX: usize = 1000;
/// How many backends of one operation a breakdown tells apart, and how many categories of error of both: the most frequent. The others
/// are counted together, as [`OTHERS`]; so are operations beyond [`GROUPS_MAX`].
pub const BACKENDS_MAX: usize = 20;
/// See [`BACKENDS_MAX`].
pub const CATEGORIES_MAX: usize = 100;
/// The name under which a breakdown counts what it does not tell apart.
pub const OTHERS: &str = "(others)";
/// How many different durations an answer holds exactly. Beyond, they are rounded to [`ROUNDING`]; counts stay exact.
pub const EXACT_DURATIONS_MAX: usize = 100_000;
/// The relative error of a rounded duration.
pub const ROUNDING: f64 = 0.01;
/// How many readings of a measurement an answer holds: the newest.
pub const READINGS_MAX: usize = 1000;

/// How many kinds of misses an answer holds: the most frequent.
pub const MISSES_MAX: usize = 1000;

/// How many pairs of a day and a category of error an answer holds: those with the most errors.
pub const ERROR_DAYS_MAX: usize = 5000;

/// How many operations that failed an answer holds one by one: the newest.
pub const FAILURES_MAX: usize = 20;

/// How many different scores of feedback an answer holds: the most frequent.
pub const SCORES_MAX: usize = 100;
/// How many measurements of one report an answer holds.
pub const MEASURED_MAX: usize = 5000;
/// How long a person may be silent within one session.
pub const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);
/// How long the first session of a person may last; what comes later belongs to another one.
pub const FIRST_SESSION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

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
            _ => {
                Self::NAMED.iter().find(|d| d.to_string() == name).cloned().ok_or_else(|| UnknownDimension(name.chars().take(64).collect()))
            }
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

impl Question {
    /// The limit on durations or on peak memory that it asks about.
    #[must_use]
    pub const fn limit(&self) -> Option<&Limit> {
        match &self.subject {
            Subject::Operations { limit } | Subject::PeakMemory { limit } => limit.as_ref(),
            _ => None,
        }
    }
}

/// About which events, and what of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// How many operations succeeded, and how many of these within the limit.
    Operations {
        /// The limit on their duration, where one is asked about.
        limit: Option<Limit>,
    },
    /// How much memory operations took at most, and how many of them were within the limit: failed ones count like any other.
    PeakMemory {
        /// The limit on their peak, where one is asked about.
        limit: Option<Limit>,
    },
    /// Which operations failed or were beyond the limit, by name and category.
    Misses {
        /// The limit on their duration, where one is asked about.
        limit: Option<Limit>,
        /// Whether one that failed is a miss.
        failed: bool,
    },
    /// The readings of memory, by run.
    Memory,
    /// How the memory of the newest run divided among its processes: in its newest complete reading, and at its peak.
    MemoryTrees,
    /// The readings of one measurement.
    Measurement {
        /// Its name.
        name: String,
    },
    /// How operations went, by operation and backend, with the categories of what went wrong.
    Breakdown,
    /// How many operations failed on each day, by category of reason.
    ErrorDays,
    /// The newest operations that failed, one by one.
    Failures,
    /// The sessions of the period, and what was attempted in them.
    Sessions,
    /// What new people did in their first session: those whose first session began in the period.
    FirstSessions,
    /// What the product understood, interaction by interaction; the newest label of each counts.
    Interactions,
    /// In which week after their first day people were active, whenever that day was.
    Returns,
    /// The newest measurements that were taken together: those whose name begins with the family's and a dot, as of the newest.
    Measurements {
        /// The first part of their names, such as `coverage`.
        family: String,
    },
    /// How many notes of feedback there are, and the mean of their scores.
    Feedback,
    /// Which scores people gave, and how often.
    Scores,
}

impl Subject {
    /// The kind of the events that it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Operations { .. }
            | Self::PeakMemory { .. }
            | Self::Misses { .. }
            | Self::Breakdown
            | Self::ErrorDays
            | Self::Failures
            | Self::Returns => Kind::Operation,
            Self::Sessions | Self::FirstSessions => Kind::Session,
            Self::Interactions => Kind::Interaction,
            Self::Feedback | Self::Scores => Kind::Note,
            Self::Memory | Self::MemoryTrees => Kind::Memory,
            Self::Measurement { .. } | Self::Measurements { .. } => Kind::Measurement,
        }
    }
}

/// A limit on a duration in microseconds or on a peak of memory in bytes, possibly another for each group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// For groups that are not named; without one, they have no limit and nothing of them is within.
    pub default: Option<u64>,
    /// For the groups named.
    pub by_group: BTreeMap<String, u64>,
    /// Whether what is equal to the limit is within.
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
    /// To [`Subject::Operations`] and [`Subject::PeakMemory`]: for each group its days, in order. In the answer to the latter, an
    /// operation that ended by itself is `ok` whatever its outcome, and `durations` are peaks in bytes.
    Operations(Groups<OperationDay>),
    /// To the same subjects, where nobody needs to know which day a value is of: the `durations` of all days of a group are its values, and
    /// those of a day alone say nothing.
    Totals(Groups<OperationDay>),
    /// To [`Subject::Misses`]: the most frequent first, at most [`MISSES_MAX`].
    Misses(Vec<Miss>),
    /// To [`Subject::Memory`]: for each group its runs, by their beginning.
    Memory(Groups<Run>),
    /// To [`Subject::MemoryTrees`]: the reading at the peak, then the newest one, which may be the same; none where none is complete.
    MemoryTrees(Vec<MemoryTree>),
    /// To [`Subject::Measurement`]: for each group its newest readings, in order.
    Measurement(Groups<Reading>),
    /// To [`Subject::Breakdown`]: by operation, then backend.
    Breakdown(Vec<Breakdown>),
    /// To [`Subject::ErrorDays`]: those with the most errors first, at most [`ERROR_DAYS_MAX`].
    ErrorDays(Vec<ErrorDay>),
    /// To [`Subject::Failures`]: the newest first, at most [`FAILURES_MAX`].
    Failures(Vec<Failure>),
    /// To [`Subject::Sessions`].
    Sessions(Sessions),
    /// To [`Subject::FirstSessions`]: one for each new person, by when it began.
    FirstSessions(Vec<FirstSession>),
    /// To [`Subject::Interactions`]: in the order of time.
    Interactions(Vec<Understood>),
    /// To [`Subject::Returns`]: by first day, then week.
    Returns(Vec<Return>),
    /// To [`Subject::Measurements`]: `measurement` events, by name and scope; at most [`MEASURED_MAX`].
    Measurements(Vec<Event>),
    /// To [`Subject::Feedback`].
    Feedback(Feedback),
    /// To [`Subject::Scores`]: each with how often, the most frequent first; at most [`SCORES_MAX`].
    Scores(Vec<(f64, u64)>),
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
    /// Durations of those that succeeded, in microseconds.
    pub durations: Ecdf,
}

/// Puts values in order, each once with how many there are of it: as [`Breakdown::durations`] are.
pub fn each_once(values: &mut Vec<(u64, u64)>) {
    if values.is_sorted_by(|(before, _), (after, _)| before < after) {
        return;
    }
    // A stable sort merges what is in order by pieces.
    values.sort_by_key(|(value, _)| *value);
    values.dedup_by(|(value, n), (kept, of_kept)| {
        let is_same = value == kept;
        if is_same {
            *of_kept = of_kept.saturating_add(*n);
        }
        is_same
    });
}

/// Operations of one name that failed for one category of reason, or were beyond the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Name of the operation.
    pub operation: String,
    /// The category of what went wrong; `None` of those that succeeded and were beyond the limit.
    pub category: Option<String>,
    /// How many.
    pub n: u64,
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

/// How the memory of one reading divided among the processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryTree {
    /// The run that the reading is part of.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// Memory of all processes, in bytes.
    pub bytes: u64,
    /// What the bytes count.
    pub measure: Measure,
    /// How many processes were read, where it is known.
    pub processes: Option<u64>,
    /// What each of them took; `None` where the reading does not say.
    pub tree: Option<Vec<ProcessMemory>>,
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
    /// How many people are behind it, where its attribute `people` says so.
    pub people: Option<u64>,
}

/// How the operations of one name and one backend went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// Name of the operation.
    pub operation: String,
    /// Implementation that did the work, where somebody said.
    pub backend: Option<String>,
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
    /// Durations of those that succeeded in microseconds, rising, each with how many there are.
    pub durations: Vec<(u64, u64)>,
    /// Of those that failed, how many for what category of reason; `None` where nobody said.
    pub errors: BTreeMap<Option<String>, u64>,
}

/// How many operations failed on one day for one category of reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDay {
    /// The day in the question's time zone.
    pub date: Date,
    /// The category; `None` where nobody said.
    pub category: Option<String>,
    /// How many.
    pub n: u64,
}

/// One operation that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Name of the operation.
    pub operation: String,
    /// Implementation that did the work, where somebody said.
    pub backend: Option<String>,
    /// Whether it ran out of time.
    pub timeout: bool,
    /// The category of what went wrong, where somebody said.
    pub category: Option<String>,
    /// What the product said, where that was stored.
    pub text: Option<String>,
}

/// The sessions of a period. A session begins with a `session` event, or with an operation after [`SILENCE_MAX`] of silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// How many.
    pub sessions: u64,
    /// Of how many people.
    pub users: u64,
    /// Of those, how many never said when they began.
    pub users_without_start: u64,
    /// Operations of people who are told apart; cancelled ones and dry runs are left out.
    pub attempted: u64,
    /// Of those, how many succeeded.
    pub succeeded: u64,
}

/// The first session of a new person: from its start to the first [`SILENCE_MAX`] of silence, the next start, or
/// [`FIRST_SESSION_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSession {
    /// When it began.
    pub start: Timestamp,
    /// When the first operation that succeeded in it ended.
    pub first_success: Option<Timestamp>,
    /// When its last operation ended.
    pub last: Option<Timestamp>,
    /// Operations up to the first success, itself included; all of the session where there is none.
    pub attempts: u64,
    /// Operations in all.
    pub attempted: u64,
    /// Of those, how many succeeded.
    pub succeeded: u64,
}

/// One interaction, and whether the product understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    /// When.
    pub at: Timestamp,
    /// Pseudonym of the person.
    pub user: Option<String>,
    /// Arm of the experiment.
    pub arm: Option<String>,
    /// How it was said.
    pub modality: Option<String>,
    /// How many interactions this person had before, plus one.
    pub index: Option<u64>,
    /// Whether the recognised intent was the right one; unknown where nobody labelled it.
    pub right: Option<bool>,
    /// Words of the reference transcript.
    pub words: Option<u64>,
    /// Words substituted, deleted or inserted.
    pub word_errors: Option<u64>,
}

/// People who were active in one week after their first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The first day of these people.
    pub first: Date,
    /// The week, counted from that day: 0 are the first seven days.
    pub week: u32,
    /// How many were active in it. In week 0 these are all.
    pub users: u64,
}

/// What people said of the product.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Feedback {
    /// How many notes.
    pub notes: u64,
    /// Of those, how many have a score.
    pub scores: u64,
    /// The mean of the scores.
    pub mean_score: Option<f64>,
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
