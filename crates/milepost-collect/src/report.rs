//! What a report says, whatever its format: readings, who took them, and when.

use crate::{Format, Kind};
use jiff::civil::DateTime;
use milepost_record::{Attributes, Event, Measurement, Scalar, Timestamp, hexadecimal};
use sha2::{Digest, Sha256};

/// The largest report that is read, in bytes.
pub const REPORT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most details of one sort that are kept of a report: the worst ones.
pub(crate) const DETAILS_MAX: usize = 1000;
/// A longer name is cut, in bytes.
const NAME_BYTES_MAX: usize = 4096;

/// What a tool measured, as its report says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The format that it was found to have.
    pub format: Format,
    /// The tool, with its version where the report tells it.
    pub source: String,
    /// When the report says that it was made.
    pub made: Made,
    /// Totals first, which have no scope; then details, the worst first.
    pub readings: Vec<Reading>,
    /// What the tool could not look at (source files, packages), as the report names it.
    pub unreadable: Vec<String>,
    digest: String,
}

/// When a report was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It says so.
    At(Timestamp),
    /// It gives the time of a clock on a wall, and not in which time zone.
    Local(DateTime),
    /// It does not say.
    Untold,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Its name, such as `coverage.statements`.
    pub name: &'static str,
    /// The value, in `unit`.
    pub value: f64,
    /// `%` or `s`; none for a count.
    pub unit: Option<&'static str>,
    /// What it is about where it is not about everything: a file or a package.
    pub scope: Option<String>,
    /// What else is known of it.
    pub attributes: Attributes,
}

impl Reading {
    /// A count of everything.
    pub(crate) fn count(name: &'static str, count: u64) -> Self {
        Self { name, value: count as f64, unit: None, scope: None, attributes: Attributes::new() }
    }

    pub(crate) fn of(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    pub(crate) fn with(mut self, name: &str, value: Scalar) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }
}

/// A whole number as an attribute.
pub(crate) fn whole(number: u64) -> Scalar {
    i64::try_from(number).map_or(Scalar::Number(number as f64), Scalar::Integer)
}

impl Report {
    pub(crate) fn new(format: Format, text: &str, source: impl Into<String>, made: Made, readings: Vec<Reading>) -> Self {
        let digest = hexadecimal("", &Sha256::digest(text), 8);
        Self { format, source: source.into(), made, readings, unreadable: Vec::new(), digest }
    }

    /// With what the tool could not look at.
    pub(crate) fn without(self, unreadable: Vec<String>) -> Self {
        Self { unreadable, ..self }
    }

    /// The readings of everything.
    pub fn totals(&self) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(|reading| reading.scope.is_none())
    }

    /// The readings as events of the time that the report was made at. All have the same time, source and attribute `report`, a
    /// digest of the report. Their ids follow from the report and that time: the same report twice counts once, and one of a
    /// later time counts anew though it says the same.
    #[must_use]
    pub fn events(&self, at: Timestamp) -> Vec<Event> {
        let event = |reading: &Reading| {
            let mut measurement = Measurement::new(reading.name, reading.value);
            measurement.unit = reading.unit.map(str::to_owned);
            measurement.source = name(&self.source);
            measurement.scope = reading.scope.as_deref().and_then(name);
            let mut event = Event::at(at, measurement);
            event.attributes = reading.attributes.iter().filter_map(|(key, value)| Some((key.clone(), short(value)?))).collect();
            event.attributes.insert("report".to_owned(), Scalar::Text(self.digest.clone()));
            event.id = Some(self.id(at, reading, &event.attributes));
            event
        };
        self.readings.iter().map(event).collect()
    }

    fn id(&self, at: Timestamp, reading: &Reading, attributes: &Attributes) -> String {
        let mut hash = Sha256::new();
        for part in [&self.digest, &at.to_string(), reading.name, reading.scope.as_deref().unwrap_or_default()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        for (key, value) in attributes {
            hash.update(format!("{key}\0{value:?}\0").as_bytes());
        }
        hexadecimal("m-", &hash.finalize(), 12)
    }
}

/// A name that an event can carry: none where it is empty, cut where it is too long.
fn name(text: &str) -> Option<String> {
    match text {
        "" => None,
        text if text.len() <= NAME_BYTES_MAX => Some(text.to_owned()),
        text => Some(text.chars().take(NAME_BYTES_MAX / 4 - 1).chain(['…']).collect()),
    }
}

fn short(value: &Scalar) -> Option<Scalar> {
    match value {
        Scalar::Text(text) => name(text).map(Scalar::Text),
        other => Some(other.clone()),
    }
}

impl Made {
    /// What a text says: a time with its zone in RFC 3339, or one without. A text that is neither tells nothing.
    pub(crate) fn from_text(text: &str) -> Self {
        if let Ok(at) = text.parse() {
            return Self::At(at);
        }
        text.parse().map_or(Self::Untold, Self::Local)
    }

    /// The later of two; one with its zone before one without.
    pub(crate) fn later(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            (Self::Local(one), Self::Local(other)) => Self::Local(one.max(other)),
            (Self::Local(local), Self::Untold) | (Self::Untold, Self::Local(local)) => Self::Local(local),
            (Self::Untold, Self::Untold) => Self::Untold,
        }
    }
}

/// Why there is no report, in the rest of a sentence that begins with its name: `coverage.json: it is empty`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing, or nothing but space.
    #[error("it is empty: did the tool that was to write it fail?")]
    Empty,
    /// Larger than [`REPORT_BYTES_MAX`].
    #[error("it is larger than {} MiB, and no larger report is read", REPORT_BYTES_MAX / (1024 * 1024))]
    TooLarge,
    /// Bytes that are no text.
    #[error("it is not UTF-8 text{}", if *utf_16 { " but UTF-16: have the tool write the file itself, or save it as UTF-8" } else { "" })]
    NotText {
        /// Whether it is text in another encoding.
        utf_16: bool,
    },
    /// No report of a known format.
    #[error("it is no report that `milepost collect {kind}` reads: those are {}", list(*kind))]
    Unknown {
        /// What was to be collected.
        kind: Kind,
    },
    /// A report of another kind.
    #[error("it is a report of {format}: collect it with `milepost collect {}`", format.kind())]
    OtherKind {
        /// The format that it has.
        format: Format,
    },
    /// JSON or XML with an error, before it shows what report it is.
    #[error("it is {language} that is damaged or ends too early: {what}")]
    Damaged {
        /// JSON or XML.
        language: &'static str,
        /// What the reader says.
        what: String,
    },
    /// A report with an error.
    #[error("it is a report of {format} that is damaged, ends too early or is of an unknown version: {what}")]
    Broken {
        /// The format that it has.
        format: Format,
        /// What is wrong, and where.
        what: String,
    },
    /// A report that says nothing.
    #[error("this report of {format} has no {what} in it, and a report of nothing is no data")]
    Nothing {
        /// The format that it has.
        format: Format,
        /// What there is none of.
        what: &'static str,
    },
    /// A report that does not say what is asked.
    #[error("this report of {format} cannot be used: {what}")]
    Unusable {
        /// The format that it has.
        format: Format,
        /// Why.
        what: String,
    },
}

fn list(kind: Kind) -> String {
    let names: Vec<_> = Format::ALL.iter().filter(|format| format.kind() == kind).map(ToString::to_string).collect();
    names.join(", ")
}

impl Refused {
    pub(crate) fn json(format: Format, error: &serde_json::Error) -> Self {
        Self::Broken { format, what: json_fault(error) }
    }

    pub(crate) fn broken(format: Format, what: impl AsRef<str>) -> Self {
        Self::Broken { format, what: excerpt(what.as_ref()) }
    }

    pub(crate) fn unusable(format: Format, what: impl AsRef<str>) -> Self {
        Self::Unusable { format, what: excerpt(what.as_ref()) }
    }
}

/// What is wrong with JSON, and where: the place is kept, however long the text is that was found there.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(" at line ") {
        Some((what, _)) if error.line() > 0 => format!("{} at line {} column {}", excerpt(what), error.line(), error.column()),
        _ => excerpt(&said),
    }
}

/// As much of a text as a sentence can quote, on one line: readers quote what they found, however long it is.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
