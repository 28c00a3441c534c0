//! Columns with recognised names, and what a row of them says.

use super::{
    COLUMNS_MAX, ROW_BYTES_MAX,
    ids::is_nothing,
    values::{boolean, count, duration, number, outcome, shown, text, time, whole},
};
use crate::error_category::Rules;
use jiff::tz::TimeZone;
use milepost_record::{Attributes, ErrorDetail, Event, Fact, Interaction, Kind, Measurement, Operation, Outcome, Scalar, Session};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// The kinds of event that rows can be.
pub const KINDS: &[Kind] = &[Kind::Operation, Kind::Session, Kind::Interaction, Kind::Measurement];

/// What a column tells. The order is that in which missing ones are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tells {
    At,
    Operation,
    Outcome,
    ExitCode,
    Duration,
    Backend,
    Error,
    Recognized,
    Correct,
    Arm,
    Modality,
    Index,
    Words,
    WordErrors,
    Text,
    Name,
    Value,
    Unit,
    Source,
    Scope,
    User,
    Session,
    Persona,
    Version,
    Commit,
}

/// The names, of which kind of event (of all where none is said), and what a column of that name tells.
const NAMES: &[(&[&str], Option<Kind>, Tells)] = &[
    (&["at", "ts", "timestamp"], None, Tells::At),
    (&["operation"], Some(Kind::Operation), Tells::Operation),
    (&["outcome", "success"], Some(Kind::Operation), Tells::Outcome),
    (&["exit_code"], Some(Kind::Operation), Tells::ExitCode),
    (&["duration_us", "duration_ms", "duration_s"], Some(Kind::Operation), Tells::Duration),
    (&["backend"], Some(Kind::Operation), Tells::Backend),
    (&["error"], Some(Kind::Operation), Tells::Error),
    (&["recognized", "intent"], Some(Kind::Interaction), Tells::Recognized),
    (&["correct"], Some(Kind::Interaction), Tells::Correct),
    (&["arm"], Some(Kind::Interaction), Tells::Arm),
    (&["modality"], Some(Kind::Interaction), Tells::Modality),
    (&["index"], Some(Kind::Interaction), Tells::Index),
    (&["words"], Some(Kind::Interaction), Tells::Words),
    (&["word_errors"], Some(Kind::Interaction), Tells::WordErrors),
    (&["text", "query"], Some(Kind::Interaction), Tells::Text),
    (&["name"], Some(Kind::Measurement), Tells::Name),
    (&["value"], Some(Kind::Measurement), Tells::Value),
    (&["unit"], Some(Kind::Measurement), Tells::Unit),
    (&["source"], Some(Kind::Measurement), Tells::Source),
    (&["scope"], Some(Kind::Measurement), Tells::Scope),
    (&["user", "user_id"], None, Tells::User),
    (&["session", "session_id"], None, Tells::Session),
    (&["persona"], None, Tells::Persona),
    (&["version"], None, Tells::Version),
    (&["commit"], None, Tells::Commit),
];

/// What a row has to tell: one of each.
fn required(kind: Kind) -> &'static [&'static [Tells]] {
    match kind {
        Kind::Session => &[&[Tells::At], &[Tells::Session]],
        Kind::Interaction => &[&[Tells::At], &[Tells::Recognized, Tells::Correct, Tells::Words]],
        Kind::Measurement => &[&[Tells::At], &[Tells::Name], &[Tells::Value]],
        _ => &[&[Tells::At], &[Tells::Operation], &[Tells::Outcome, Tells::ExitCode]],
    }
}

fn meaning(kind: Kind, name: &str) -> Option<Tells> {
    let name = name.trim().to_ascii_lowercase();
    let of = |(names, of, _): &&(&[&str], Option<Kind>, Tells)| of.is_none_or(|of| of == kind) && names.contains(&name.as_str());
    NAMES.iter().find(of).map(|(.., tells)| *tells)
}

fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(move |(_, of, _)| of.is_none_or(|of| of == kind)).flat_map(|(names, ..)| names.iter().copied())
}

impl Tells {
    fn name(self) -> &'static str {
        let first = NAMES.iter().find(|(.., tells)| *tells == self).and_then(|(names, ..)| names.first());
        first.copied().unwrap_or_default()
    }
}

/// Why a table's columns are not enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// None of them tells this.
    Missing {
        /// What is missing, by its recognised names.
        missing: Vec<String>,
        /// The columns that there are.
        found: Vec<String>,
    },
    /// Two of them tell the same.
    Twice {
        /// The recognised name.
        name: &'static str,
        /// The columns.
        columns: [String; 2],
    },
    /// A mapping to a name that is not recognised.
    NoName {
        /// What was written.
        name: String,
        /// The names of the kind.
        known: Vec<&'static str>,
    },
    /// A mapping from a column that is not there.
    NoColumn {
        /// What was written.
        column: String,
        /// The columns that there are.
        found: Vec<String>,
    },
    /// More columns than [`COLUMNS_MAX`].
    TooMany(usize),
}

/// How many columns are named in a message.
const NAMED_MAX: usize = 30;

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

fn listed(columns: &[String]) -> String {
    let mut shown: Vec<String> = columns.iter().take(NAMED_MAX).map(|name| short(name)).collect();
    if columns.len() > NAMED_MAX {
        shown.push(format!("and {} more", columns.len().saturating_sub(NAMED_MAX)));
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { missing, found } => {
                let first = missing.first().and_then(|names| names.split(' ').next()).unwrap_or_default();
                write!(
                    f,
                    "no column tells {}; there are: {}. `--map {first}=COLUMN` says which one does",
                    missing.join(", nor "),
                    listed(found)
                )
            }
            Self::Twice { name, columns: [one, other] } => {
                let (one, other) = (short(one), short(other));
                write!(f, "`{one}` and `{other}` both tell `{name}`: `--map {name}=COLUMN` says which one counts")
            }
            Self::NoName { name, known } => {
                write!(f, "`--map {name}=…`: this is no name that a column can be mapped to; there are {}", known.join(", "))
            }
            Self::NoColumn { column, found } => write!(f, "there is no column `{column}` to map; there are: {}", listed(found)),
            Self::TooMany(columns) => write!(f, "it has {columns} columns, and at most {COLUMNS_MAX} are read"),
        }
    }
}

/// What has to be known beside a row.
pub struct Surroundings<'a> {
    /// The zone of times that are given without one.
    pub zone: &'a TimeZone,
    /// What puts the texts of errors into categories.
    pub rules: &'a Rules,
    /// What makes a pseudonym of a name.
    pub pseudonym: &'a dyn Fn(&str) -> String,
}

/// The columns of a table, as far as they are recognised.
#[derive(Clone, Debug)]
pub struct Columns {
    kind: Kind,
    names: Vec<String>,
    places: BTreeMap<Tells, usize>,
    unit_us: f64,
    /// Columns that are kept as attributes.
    kept: Vec<usize>,
}

impl Columns {
    /// Recognises columns by their names; `map` are pairs of a recognised name and the column that has what it stands for.
    ///
    /// # Errors
    /// Where what a row has to tell is missing, or told twice.
    pub fn new(kind: Kind, columns: &[String], map: &[(String, String)]) -> Result<Self, Unsuitable> {
        if columns.len() > COLUMNS_MAX {
            return Err(Unsuitable::TooMany(columns.len()));
        }
        let found = || columns.to_vec();
        let mut this = Self { kind, names: found(), places: BTreeMap::new(), unit_us: 1.0, kept: Vec::new() };
        for (name, column) in map {
            let no_name = || Unsuitable::NoName { name: name.clone(), known: names(kind).collect() };
            let tells = meaning(kind, name).ok_or_else(no_name)?;
            let place = columns.iter().position(|found| found == column);
            let place = place.ok_or_else(|| Unsuitable::NoColumn { column: column.clone(), found: found() })?;
            if let Some(other) = this.places.insert(tells, place) {
                let other = columns.get(other).cloned().unwrap_or_default();
                return Err(Unsuitable::Twice { name: tells.name(), columns: [other, column.clone()] });
            }
            this.take_unit(tells, name);
        }
        let mapped = this.places.clone();
        for (place, column) in columns.iter().enumerate() {
            let Some(tells) = meaning(kind, column) else { continue };
            if mapped.contains_key(&tells) || mapped.values().any(|of| *of == place) {
                continue;
            }
            if let Some(other) = this.places.insert(tells, place) {
                let other = columns.get(other).cloned().unwrap_or_default();
                return Err(Unsuitable::Twice { name: tells.name(), columns: [other, column.clone()] });
            }
            this.take_unit(tells, column);
        }
        let is_missing = |one_of: &&&[Tells]| !one_of.iter().any(|tells| this.places.contains_key(tells));
        let written = |one_of: &&[Tells]| one_of.iter().map(|tells| tells.name()).collect::<Vec<_>>().join(" or ");
        let missing: Vec<_> = required(kind).iter().filter(is_missing).map(written).collect();
        if missing.is_empty() { Ok(this) } else { Err(Unsuitable::Missing { missing, found: found() }) }
    }

    fn take_unit(&mut self, tells: Tells, name: &str) {
        if tells == Tells::Duration {
            self.unit_us = match name.trim().to_ascii_lowercase().as_str() {
                "duration_s" => 1e6,
                "duration_ms" => 1e3,
                _ => 1.0,
            };
        }
    }

    /// Keeps these columns, which are not recognised, as attributes.
    #[must_use]
    pub fn keeping(mut self, columns: &[&str]) -> Self {
        let places = self.names.iter().enumerate().filter(|(_, name)| columns.contains(&name.as_str())).map(|(place, _)| place);
        self.kept = places.collect();
        self
    }

    /// The columns that are not recognised, and left out.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        let used = |place: &usize| self.places.values().any(|of| of == place) || self.kept.contains(place);
        self.names.iter().enumerate().filter(move |(place, _)| !used(place)).map(|(_, name)| name.as_str())
    }

    /// A row by its names.
    pub fn named<'a>(&'a self, row: &'a [Value]) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.names.iter().map(String::as_str).zip(row)
    }

    /// What of a row may be kept though it is no event: nothing that names a person, no words, and nothing that is not recognised.
    #[must_use]
    pub fn impersonal(&self, row: &[Value]) -> String {
        let personal = [Tells::User, Tells::Session, Tells::Error, Tells::Text];
        let places = self.places.iter().filter(|(tells, _)| !personal.contains(tells));
        let kept = places.filter_map(|(_, place)| Some((self.names.get(*place)?.clone(), row.get(*place)?.clone())));
        Value::Object(kept.collect::<Map<_, _>>()).to_string()
    }

    /// The event that a row is; its id is for somebody else to give.
    ///
    /// # Errors
    /// What is wrong with the row, in words for people.
    pub fn event(&self, row: &[Value], around: &Surroundings<'_>) -> Result<Event, String> {
        let bytes: usize = row.iter().map(|value| value.as_str().map_or(8, str::len)).sum();
        if bytes > ROW_BYTES_MAX {
            return Err(format!("the row has {bytes} bytes, and at most {ROW_BYTES_MAX} are read"));
        }
        let row = Row { columns: self, values: row };
        let at = row.need(Tells::At, |value| time(value, around.zone))?;
        let mut event = Event::at(at, self.fact(&row, around)?);
        event.user = row.text(Tells::User)?.map(|name| (around.pseudonym)(&name));
        event.session = row.text(Tells::Session)?;
        event.persona = row.text(Tells::Persona)?;
        event.version = row.text(Tells::Version)?;
        event.commit = row.text(Tells::Commit)?;
        event.attributes = self.attributes(row.values);
        event.check().map_err(|invalid| invalid.to_string())?;
        Ok(event)
    }

    fn attributes(&self, row: &[Value]) -> Attributes {
        let scalar = |value: &Value| match boolean(value) {
            Some(value) => Some(Scalar::Boolean(value)),
            None => text(value).ok().map(Scalar::Text),
        };
        let kept = self.kept.iter().filter_map(|place| Some((self.names.get(*place)?, row.get(*place)?)));
        kept.filter(|(_, value)| !is_nothing(value)).filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
    }

    fn fact(&self, row: &Row<'_>, around: &Surroundings<'_>) -> Result<Fact, String> {
        Ok(match self.kind {
            Kind::Session => {
                row.need(Tells::Session, text)?;
                Session::new().into()
            }
            Kind::Interaction => Interaction {
                recognized: row.text(Tells::Recognized)?,
                correct: row.text(Tells::Correct)?,
                arm: row.text(Tells::Arm)?,
                modality: row.text(Tells::Modality)?,
                index: row.maybe(Tells::Index, count)?,
                words: row.maybe(Tells::Words, count)?,
                word_errors: row.maybe(Tells::WordErrors, count)?,
                text: row.text(Tells::Text)?,
            }
            .into(),
            Kind::Measurement => {
                let value = |value: &Value| number(value).ok_or_else(|| format!("{} is no number", shown(value)));
                let mut fact = Measurement::new(row.need(Tells::Name, text)?, row.need(Tells::Value, value)?);
                (fact.unit, fact.source, fact.scope) = (row.text(Tells::Unit)?, row.text(Tells::Source)?, row.text(Tells::Scope)?);
                fact.into()
            }
            _ => {
                let exit_code = row.maybe(Tells::ExitCode, whole)?;
                let by_exit_code = exit_code.map(|code| if code == 0 { Outcome::Ok } else { Outcome::Failed });
                let ended = row.maybe(Tells::Outcome, outcome)?.or(by_exit_code);
                let ended = ended.ok_or("it does not say how it ended")?;
                let mut fact = Operation::new(row.need(Tells::Operation, text)?, ended);
                (fact.exit_code, fact.backend) = (exit_code, row.text(Tells::Backend)?);
                fact.duration_us = row.maybe(Tells::Duration, |value| duration(value, self.unit_us))?;
                let detail = |said: String| ErrorDetail { category: around.rules.categorize(&said).to_owned(), text: Some(said) };
                fact.error = row.text(Tells::Error)?.map(detail);
                fact.into()
            }
        })
    }
}

struct Row<'a> {
    columns: &'a Columns,
    values: &'a [Value],
}

impl Row<'_> {
    fn maybe<T>(&self, tells: Tells, read: impl Fn(&Value) -> Result<T, String>) -> Result<Option<T>, String> {
        let Some(place) = self.columns.places.get(&tells) else { return Ok(None) };
        let Some(value) = self.values.get(*place).filter(|value| !is_nothing(value)) else { return Ok(None) };
        let name = self.columns.names.get(*place).map_or("", String::as_str);
        read(value).map(Some).map_err(|wrong| format!("`{name}`: {wrong}"))
    }

    fn text(&self, tells: Tells) -> Result<Option<String>, String> {
        self.maybe(tells, text)
    }

    fn need<T>(&self, tells: Tells, read: impl Fn(&Value) -> Result<T, String>) -> Result<T, String> {
        self.maybe(tells, read)?.ok_or_else(|| format!("it does not say `{}`", tells.name()))
    }
}
