//! Events: what the wire format can say, one immutable fact for each line of JSON.
//!
//! An [`Event`] is a [`Fact`] (what happened; its variants are the kinds of event) with what every event can carry beside
//! it: when, who, where, in which version. `facts!` below is the one place where kinds and keys are listed: from it come
//! the Rust types, the reader, which refuses unknown keys, the writer, and the JSON Schema.

use crate::{ProcessMemory, Scalar, Timestamp, limits, process_memory};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// How many times as long an event can become when it is read and written: `,1e15` becomes `,1000000000000000.0`.
const GROWTH_MAX: usize = 6;

/// The version of the wire format that this crate reads and writes.
pub const WIRE_VERSION: u64 = 1;

/// Names of the sender's choice with one plain value each.
pub type Attributes = BTreeMap<String, Scalar>;

macro_rules! facts {
    ($(
        $(#[$doc:meta])*
        $Fact:ident = $kind:literal, table $table:literal {
            required { $( $(#[$required_doc:meta])* $required:ident: $Required:ty, )* }
            optional { $( $(#[$optional_doc:meta])* $optional:ident: $Optional:ty, )* }
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize)]
            pub struct $Fact {
                $( $(#[$required_doc])* pub $required: $Required, )*
                $( $(#[$optional_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$Optional>, )*
            }

            impl $Fact {
                /// With the keys that this kind requires, all others absent.
                #[must_use]
                #[allow(clippy::new_without_default, reason = "a session requires no key of its own")]
                pub fn new($( $required: impl Into<$Required>, )*) -> Self {
                    Self { $( $required: $required.into(), )* $( $optional: None, )* }
                }
            }

            impl From<$Fact> for Fact {
                fn from(fact: $Fact) -> Self {
                    Self::$Fact(fact)
                }
            }
        )*

        /// What happened; the variants are the kinds of event.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Fact {
            $( $(#[$doc])* $Fact($Fact), )*
        }

        /// The kind of an event: the wire's `kind`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $( $(#[$doc])* $Fact, )*
        }

        impl Kind {
            /// All kinds, in the order of the documentation.
            pub const ALL: &[Self] = &[$( Self::$Fact, )*];

            /// The wire's word for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Fact => $kind, )* }
            }

            /// Its plural, the name of the table that holds such events.
            #[must_use]
            pub const fn table(self) -> &'static str {
                match self { $( Self::$Fact => $table, )* }
            }
        }

        impl Fact {
            /// Which kind of fact this is.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $( Self::$Fact(_) => Kind::$Fact, )* }
            }
        }

        /// A line as it stands: all keys of a kind in one flat object.
        mod wire {
            #[allow(clippy::wildcard_imports, reason = "the same names, one level up")]
            use super::*;

            $(
                $(#[$doc])*
                #[derive(Deserialize)]
                #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
                #[serde(deny_unknown_fields)]
                pub(super) struct $Fact {
                    #[cfg_attr(feature = "schema", schemars(extend("const" = 1), description = "Version of the wire format"))]
                    #[serde(rename = "v")]
                    _v: u64,
                    #[serde(rename = "kind")]
                    _kind: Kind,
                    /// Unique among the events of a kind; a door makes one where it is absent, and the same one twice counts once.
                    id: Option<String>,
                    /// When it happened, at the end where it took time.
                    at: Timestamp,
                    /// Where the event comes from; `use` where absent.
                    origin: Option<Origin>,
                    $( $(#[$required_doc])* $required: $Required, )*
                    $( $(#[$optional_doc])* $optional: Option<$Optional>, )*
                    /// Pseudonym of the person: never a name, doors hash names with a key that stays on the machine.
                    user: Option<String>,
                    /// The session that it belongs to.
                    session: Option<String>,
                    /// The persona that the person stands for.
                    persona: Option<String>,
                    /// Version of the product.
                    version: Option<String>,
                    /// Commit of the product.
                    commit: Option<String>,
                    /// Pseudonym of the machine.
                    host: Option<String>,
                    /// What else the sender wants to tell: at most 64 names with one plain value each.
                    #[serde(default)]
                    attributes: Attributes,
                }

                impl From<$Fact> for Event {
                    fn from(wire: $Fact) -> Self {
                        Self {
                            id: wire.id,
                            at: wire.at,
                            origin: wire.origin,
                            fact: super::$Fact { $( $required: wire.$required, )* $( $optional: wire.$optional, )* }.into(),
                            user: wire.user,
                            session: wire.session,
                            persona: wire.persona,
                            version: wire.version,
                            commit: wire.commit,
                            host: wire.host,
                            attributes: wire.attributes,
                        }
                    }
                }
            )*
        }

        fn parse_kind(kind: &str, line: &str) -> Result<Event, Invalid> {
            match kind {
                $( $kind => serde_json::from_str::<wire::$Fact>(line).map(Event::from).map_err(Invalid::json), )*
                _ => Err(Invalid::UnknownKind { kind: excerpt(kind) }),
            }
        }

        /// JSON Schema of one line, generated from these types.
        #[cfg(feature = "schema")]
        #[must_use]
        pub fn schema() -> schemars::Schema {
            let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
            let kinds = [$( ($kind, generator.subschema_for::<wire::$Fact>()), )*];
            let mut definitions = generator.take_definitions(true);
            for (kind, reference) in &kinds {
                let name = reference.get("$ref").and_then(|r| r.as_str()).and_then(|r| r.rsplit('/').next()).unwrap_or_default();
                if let Some(property) = definitions.get_mut(name).and_then(|d| d.pointer_mut("/properties/kind")) {
                    *property = serde_json::json!({ "const": kind, "description": "What happened" });
                }
            }
            schemars::json_schema!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": "Milepost event, version 1",
                "description": "One line of the spool, of `milepost record`'s standard input and of `milepost export`",
                "oneOf": kinds.iter().map(|(_, reference)| reference).collect::<Vec<_>>(),
                "$defs": definitions,
            })
        }
    };
}

facts! {
    /// One use of one of the product's commands or functions.
    Operation = "operation", table "operations" {
        required {
            /// Its name, such as `search`.
            operation: String,
            /// How it ended.
            outcome: Outcome,
        }
        optional {
            /// Which implementation did the work, such as `native`.
            backend: String,
            /// How long it took by a monotonic clock, in microseconds.
            duration_us: u64,
            /// What its process exited with.
            exit_code: i64,
            /// What went wrong.
            error: ErrorDetail,
            /// CPU time, user and system, in microseconds.
            cpu_us: u64,
            /// Peak memory in bytes; `peak_measure` says of what.
            peak_bytes: u64,
            /// What `peak_bytes` counts.
            peak_measure: Measure,
            /// It only showed what it would do: recorded, never counted as a success or a failure.
            dry_run: bool,
            /// The fixed sample that it belongs to; absent in live use.
            sample: String,
        }
    }

    /// A person began to use the product.
    Session = "session", table "sessions" {
        required {}
        optional {}
    }

    /// One reading of the memory of a running product.
    Memory = "memory", table "memory" {
        required {
            /// The observation that this reading is part of.
            run: String,
            /// Memory of all processes of the tree, in bytes.
            bytes: u64,
            /// What `bytes` counts.
            measure: Measure,
            /// Whether every process of the tree could be read. An incomplete reading is no value.
            complete: bool,
        }
        optional {
            /// When the next reading is due, in microseconds.
            every_us: u64,
            /// Name of the process at the root of the tree.
            process: String,
            /// Its process id.
            pid: u64,
            /// How many processes were read.
            processes: u64,
            /// CPU time that the tree used since the reading before, in microseconds.
            cpu_us: u64,
            /// How `bytes` divides among the processes: at most 64, of which one stands for all that have no entry of their own.
            tree: Vec<ProcessMemory>,
        }
    }

    /// One request that the product had to understand.
    Interaction = "interaction", table "interactions" {
        required {}
        optional {
            /// The intent that the product recognised; absent where it recognised none.
            recognized: String,
            /// The intent that was right, where somebody labelled it.
            correct: String,
            /// The arm of the experiment, such as `learning` or `control`.
            arm: String,
            /// How it was said, such as `voice` or `text`.
            modality: String,
            /// How many interactions this user had before, plus one.
            index: u64,
            /// Words of the reference transcript.
            words: u64,
            /// Words substituted, deleted or inserted.
            word_errors: u64,
            /// What was said. Absent unless the configuration allows it.
            text: String,
        }
    }

    /// Somebody's later word on what an interaction meant. The newest by (`at`, `id`) wins.
    Label = "label", table "labels" {
        required {
            /// Id of the interaction.
            of: String,
            /// The intent that was right.
            correct: String,
        }
        optional {}
    }

    /// What another tool measured: coverage, complexity, vulnerabilities …
    Measurement = "measurement", table "measurements" {
        required {
            /// Its name, such as `coverage.statements`.
            name: String,
            /// The value, in `unit`.
            value: f64,
        }
        optional {
            /// Unit of the value, such as `%`.
            unit: String,
            /// The tool and its version, such as `coverage.py 7.17.3`.
            source: String,
            /// The part of the product that was measured.
            scope: String,
        }
    }

    /// Something that people should remember beside the figures.
    Note = "note", table "notes" {
        required {
            /// What the note is about.
            topic: Topic,
        }
        optional {
            /// The note. Kept, but for feedback unless the configuration allows it.
            text: String,
            /// A score that somebody gave.
            score: f64,
            /// Beginning of the period that it is about.
            from: Timestamp,
            /// End of the period that it is about.
            to: Timestamp,
            /// Id of the fixed sample that it announces; the operations of the sample carry the same.
            sample: String,
            /// The operation that the sample measures.
            operation: String,
            /// The implementation that does the work in the sample.
            backend: String,
            /// How many operations, neither more nor fewer, make the sample complete.
            size: u64,
            /// The criterion for which the period does not count; absent for all.
            criterion: String,
            /// Id of the note on a period that it takes back: the period counts again.
            undoes: String,
        }
    }

    /// A criterion as it was defined from here on.
    Criterion = "criterion", table "criteria" {
        required {
            /// Its name.
            name: String,
            /// Digest of all that decides which evidence counts: `sha256:` and 64 hexadecimal digits.
            evidence_key: String,
        }
        optional {
            /// The whole definition, for people.
            definition: serde_json::Map<String, serde_json::Value>,
        }
    }

    /// What was judged.
    Verdict = "verdict", table "verdicts" {
        required {
            /// Name of the criterion.
            criterion: String,
            /// Digest of the definition under which it was judged.
            evidence_key: String,
            /// The verdict.
            verdict: VerdictWord,
        }
        optional {
            /// How many events it rests on.
            n: u64,
        }
    }
}

macro_rules! words {
    ($( $(#[$doc:meta])* $Name:ident { $( $(#[$variant_doc:meta])* $Variant:ident = $word:literal, )* } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $Name { $( $(#[$variant_doc])* #[serde(rename = $word)] $Variant, )* }

        impl $Name {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$( Self::$Variant, )*];

            /// The word on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Variant => $word, )* }
            }
        }

        impl std::str::FromStr for $Name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $( $word => Ok(Self::$Variant), )*
                    _ => Err(UnknownWord { word: excerpt(word), known: &[$( $word, )*] }),
                }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    )* };
}

words! {
    /// Where an event comes from. Origins are never pooled in silence.
    Origin {
        /// People who use the product.
        Use = "use",
        /// Milepost itself, on schedule or with a fixed number of samples.
        Probe = "probe",
        /// A test suite.
        Test = "test",
        /// Another system's records.
        Import = "import",
    }
    /// How an operation ended.
    Outcome {
        /// It did what it was asked to do.
        Ok = "ok",
        /// It did not.
        Failed = "failed",
        /// It took too long and was ended; judged as a failure.
        Timeout = "timeout",
        /// Somebody ended it; shown, not judged.
        Cancelled = "cancelled",
    }
    /// What an amount of memory counts.
    Measure {
        /// Proportional set size: shared pages are divided among their users, so a tree adds up.
        Pss = "pss",
        /// Resident set size: shared pages count once for each process, an upper bound for a tree.
        Rss = "rss",
        /// The largest resident set size of any single process, as `getrusage` tells it.
        MaxRss = "maxrss",
        /// Anonymous and shared memory of a control group.
        Cgroup = "cgroup",
    }
    /// What a note is about.
    Topic {
        /// A version was released.
        Release = "release",
        /// What somebody thinks of the product.
        Feedback = "feedback",
        /// Something was decided.
        Decision = "decision",
        /// A period that does not count, and why: `from`, `to`, `text`, and `criterion` where it is about one only. With
        /// `undoes`, an earlier one is taken back.
        Exclude = "exclude",
        /// A fixed sample begins: `sample`, `operation` and `size` say which, of what, and how large it is to be.
        Sample = "sample",
    }
    /// The five verdicts.
    VerdictWord {
        /// Proven to hold.
        Met = "met",
        /// Proven not to hold.
        Missed = "missed",
        /// The evidence does not suffice for either.
        NotProven = "not_proven",
        /// There is no evidence.
        NoData = "no_data",
        /// The evidence is too old.
        Stale = "stale",
    }
}

/// A word that is none of those known in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {}", known.join(", "))]
pub struct UnknownWord {
    word: String,
    known: &'static [&'static str],
}

/// What went wrong in an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ErrorDetail {
    /// `network`, `permission`, `not_found`, `validation`, `unknown`, or a category of the configuration.
    pub category: String,
    /// What the product said. Absent unless the configuration allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// One immutable fact, with when, who and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique among the events of a kind. The door makes one (UUID version 7) where it is absent.
    pub id: Option<String>,
    /// When it happened, at the end where it took time.
    pub at: Timestamp,
    /// Where it comes from; the door says `use` where it is absent.
    pub origin: Option<Origin>,
    /// What happened.
    pub fact: Fact,
    /// Pseudonym of the person.
    pub user: Option<String>,
    /// The session that it belongs to.
    pub session: Option<String>,
    /// The persona that the person stands for.
    pub persona: Option<String>,
    /// Version of the product.
    pub version: Option<String>,
    /// Commit of the product.
    pub commit: Option<String>,
    /// Pseudonym of the machine; the door fills it in.
    pub host: Option<String>,
    /// What else the sender wants to tell.
    pub attributes: Attributes,
}

impl Event {
    /// A fact of this moment.
    #[must_use]
    pub fn now(fact: impl Into<Fact>) -> Self {
        Self::at(Timestamp::now(), fact)
    }

    /// A fact of another moment.
    #[must_use]
    pub fn at(at: Timestamp, fact: impl Into<Fact>) -> Self {
        Self {
            id: None,
            at,
            origin: None,
            fact: fact.into(),
            user: None,
            session: None,
            persona: None,
            version: None,
            commit: None,
            host: None,
            attributes: Attributes::new(),
        }
    }

    /// Which kind of event this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.fact.kind()
    }

    /// Reads one line of the wire format and checks all that can be checked without knowing when it arrived.
    ///
    /// # Errors
    /// The first thing that is wrong with the line, in words for the person who wrote it.
    pub fn from_json(line: &str) -> Result<Self, Invalid> {
        if line.len() > limits::LINE_BYTES_MAX {
            return Err(Invalid::TooLong { key: "line", bytes: line.len(), max: limits::LINE_BYTES_MAX });
        }
        let event = match kind_at_once(line) {
            Some(kind) => parse_kind(kind, line),
            None => parse_kind(&Self::version(line)?.ok_or(Invalid::Missing { key: "kind" })?, line),
        }?;
        event.check()?;
        // A number such as 1e15 is longer once it is written, so a line within the limit can become one beyond it.
        if line.len() > limits::LINE_BYTES_MAX / GROWTH_MAX {
            event.to_json()?;
        }
        Ok(event)
    }

    /// Looks at the version of a line and at nothing else but its kind, which is returned.
    pub(crate) fn version(line: &str) -> Result<Option<Cow<'_, str>>, Invalid> {
        if !line.trim_start().starts_with('{') {
            return Err(Invalid::NotAnObject);
        }
        let envelope: Envelope<'_> = serde_json::from_str(line).map_err(Invalid::json)?;
        match envelope.v {
            None => Err(Invalid::Missing { key: "v" }),
            Some(WIRE_VERSION) => Ok(envelope.kind),
            Some(v) => Err(Invalid::Version { v }),
        }
    }

    /// The line of the wire format, without a line feed.
    ///
    /// # Errors
    /// Where the event would not be read back: see [`Event::check`].
    pub fn to_json(&self) -> Result<String, Invalid> {
        let mut line = Vec::new();
        self.write_json(&mut line)?;
        String::from_utf8(line).map_err(|error| Invalid::Json { what: error.to_string() })
    }

    /// Adds the line of the wire format to others, without a line feed; of one that is not valid, possibly a part.
    pub(crate) fn write_json(&self, lines: &mut Vec<u8>) -> Result<(), Invalid> {
        self.check()?;
        let before = lines.len();
        serde_json::to_writer(&mut *lines, self).map_err(Invalid::json)?;
        let bytes = lines.len().saturating_sub(before);
        if bytes > limits::LINE_BYTES_MAX {
            return Err(Invalid::TooLong { key: "line", bytes, max: limits::LINE_BYTES_MAX });
        }
        Ok(())
    }

    /// Whether all values are within their limits and make sense.
    ///
    /// # Errors
    /// The first key whose value does not, and why.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.at.as_microseconds() < 0 {
            return Err(Invalid::Absurd { key: "at", value: self.at.to_string(), why: "it lies before 1970" });
        }
        for (key, value) in [
            ("id", &self.id),
            ("user", &self.user),
            ("session", &self.session),
            ("persona", &self.persona),
            ("version", &self.version),
            ("commit", &self.commit),
            ("host", &self.host),
        ] {
            name(key, value.as_deref())?;
        }
        if self.attributes.len() > limits::ATTRIBUTES_MAX {
            return Err(Invalid::TooMany { key: "attributes", count: self.attributes.len(), max: limits::ATTRIBUTES_MAX });
        }
        for (key, value) in &self.attributes {
            name("attributes", Some(key))?;
            match value {
                Scalar::Text(text) => long("attributes", text, limits::NAME_BYTES_MAX)?,
                Scalar::Number(number) => finite("attributes", *number)?,
                Scalar::Boolean(_) | Scalar::Integer(_) => {}
            }
        }
        self.fact.check(self.session.is_some())
    }
}

impl Fact {
    fn check(&self, in_session: bool) -> Result<(), Invalid> {
        match self {
            Self::Operation(operation) => {
                name("operation", Some(&operation.operation))?;
                name("backend", operation.backend.as_deref())?;
                name("sample", operation.sample.as_deref())?;
                at_most("duration_us", operation.duration_us, limits::DURATION_US_MAX)?;
                at_most("cpu_us", operation.cpu_us, limits::DURATION_US_MAX)?;
                at_most("peak_bytes", operation.peak_bytes, limits::MEMORY_BYTES_MAX)?;
                if let Some(error) = &operation.error {
                    name("error.category", Some(&error.category))?;
                    long("error.text", error.text.as_deref().unwrap_or_default(), limits::TEXT_BYTES_MAX)?;
                }
                Ok(())
            }
            Self::Session(_) if in_session => Ok(()),
            Self::Session(_) => Err(Invalid::Missing { key: "session" }),
            Self::Memory(memory) => {
                name("run", Some(&memory.run))?;
                name("process", memory.process.as_deref())?;
                at_most("bytes", Some(memory.bytes), limits::MEMORY_BYTES_MAX)?;
                at_most("every_us", memory.every_us, limits::DURATION_US_MAX)?;
                at_most("pid", memory.pid, limits::COUNT_MAX)?;
                at_most("processes", memory.processes, limits::COUNT_MAX)?;
                at_most("cpu_us", memory.cpu_us, limits::DURATION_US_MAX)?;
                process_memory::check(memory.tree.as_deref().unwrap_or_default())
            }
            Self::Interaction(interaction) => {
                name("recognized", interaction.recognized.as_deref())?;
                name("correct", interaction.correct.as_deref())?;
                name("arm", interaction.arm.as_deref())?;
                name("modality", interaction.modality.as_deref())?;
                at_most("index", interaction.index, limits::COUNT_MAX)?;
                at_most("words", interaction.words, limits::COUNT_MAX)?;
                at_most("word_errors", interaction.word_errors, limits::COUNT_MAX)?;
                long("text", interaction.text.as_deref().unwrap_or_default(), limits::TEXT_BYTES_MAX)
            }
            Self::Label(label) => {
                name("of", Some(&label.of))?;
                name("correct", Some(&label.correct))
            }
            Self::Measurement(measurement) => {
                name("name", Some(&measurement.name))?;
                finite("value", measurement.value)?;
                name("unit", measurement.unit.as_deref())?;
                name("source", measurement.source.as_deref())?;
                name("scope", measurement.scope.as_deref())
            }
            Self::Note(note) => {
                long("text", note.text.as_deref().unwrap_or_default(), limits::TEXT_BYTES_MAX)?;
                finite("score", note.score.unwrap_or_default())?;
                note.check_sample()?;
                note.check_exclude()?;
                match (note.from, note.to) {
                    (Some(from), Some(to)) if to < from => {
                        Err(Invalid::Absurd { key: "to", value: to.to_string(), why: "it lies before `from`" })
                    }
                    _ => Ok(()),
                }
            }
            Self::Criterion(criterion) => {
                name("name", Some(&criterion.name))?;
                name("evidence_key", Some(&criterion.evidence_key))
            }
            Self::Verdict(verdict) => {
                name("criterion", Some(&verdict.criterion))?;
                at_most("n", verdict.n, limits::COUNT_MAX)?;
                name("evidence_key", Some(&verdict.evidence_key))
            }
        }
    }
}

impl Note {
    fn check_exclude(&self) -> Result<(), Invalid> {
        name("criterion", self.criterion.as_deref())?;
        name("undoes", self.undoes.as_deref())?;
        if self.topic == Topic::Exclude && self.undoes.is_none() {
            for (key, is_there) in [("from", self.from.is_some()), ("to", self.to.is_some())] {
                if !is_there {
                    return Err(Invalid::Missing { key });
                }
            }
        }
        Ok(())
    }

    fn check_sample(&self) -> Result<(), Invalid> {
        for (key, value) in [("sample", &self.sample), ("operation", &self.operation), ("backend", &self.backend)] {
            name(key, value.as_deref())?;
        }
        if self.topic == Topic::Sample {
            for (key, is_there) in
                [("sample", self.sample.is_some()), ("operation", self.operation.is_some()), ("size", self.size.is_some())]
            {
                if !is_there {
                    return Err(Invalid::Missing { key });
                }
            }
        }
        at_most("size", self.size, limits::COUNT_MAX)?;
        match self.size {
            Some(0) => Err(Invalid::Absurd { key: "size", value: "0".to_owned(), why: "a sample has at least one event" }),
            _ => Ok(()),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u64,
            kind: Kind,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: &'a Option<String>,
            at: Timestamp,
            #[serde(skip_serializing_if = "Option::is_none")]
            origin: Option<Origin>,
            #[serde(flatten)]
            fact: &'a Fact,
            #[serde(skip_serializing_if = "Option::is_none")]
            user: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            session: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            persona: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            version: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            commit: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            host: &'a Option<String>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            attributes: &'a Attributes,
        }
        let Self { id, at, origin, fact, user, session, persona, version, commit, host, attributes } = self;
        Line {
            v: WIRE_VERSION,
            kind: fact.kind(),
            id,
            at: *at,
            origin: *origin,
            fact,
            user,
            session,
            persona,
            version,
            commit,
            host,
            attributes,
        }
        .serialize(serializer)
    }
}

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No JSON object at all.
    #[error("an event is a JSON object, and this is none")]
    NotAnObject,
    /// Not JSON, an unknown key, a missing key or a value of another type.
    #[error("{what}")]
    Json {
        /// What the JSON reader says, with the column.
        what: String,
    },
    /// A key that has to be there is not.
    #[error("the key `{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A newer wire format.
    #[error("it is version {v} of the format, and this Milepost reads version {WIRE_VERSION}{}", if *v > WIRE_VERSION { ": upgrade milepost" } else { "" })]
    Version {
        /// The version that the line names.
        v: u64,
    },
    /// A kind that does not exist.
    #[error("`{kind}` is no kind of event; the kinds are {}", Kind::ALL.iter().map(|k| k.name()).collect::<Vec<_>>().join(", "))]
    UnknownKind {
        /// The kind that the line names.
        kind: String,
    },
    /// A text or the line itself is too long.
    #[error("`{key}` has {bytes} bytes, and at most {max} are taken")]
    TooLong {
        /// The key.
        key: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too many entries.
    #[error("`{key}` has {count} entries, and at most {max} are taken")]
    TooMany {
        /// The key.
        key: &'static str,
        /// How many it has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A name that is empty.
    #[error("`{key}` is empty: leave the key out where there is nothing to say")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// A value that cannot be true.
    #[error("`{key}` is {value}, which cannot be: {why}")]
    Absurd {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Why it cannot be.
        why: &'static str,
    },
}

impl Invalid {
    fn json(error: serde_json::Error) -> Self {
        let column = error.column();
        let what = error.to_string();
        // An event is one line, so the reader's line number says nothing.
        let what = what.split(" at line ").next().unwrap_or(&what);
        // It quotes what it found, however long that is.
        let what = shortened(what);
        Self::Json { what: if column > 0 { format!("{what} at column {column}") } else { what } }
    }
}

/// The kind of a line that begins as all that Milepost's writers and clients write: it need not be looked for first. What is wrong with
/// the rest, a second version included, is said when all is read.
fn kind_at_once(line: &str) -> Option<&str> {
    const { assert!(WIRE_VERSION == 1, "the version that is read below") };
    let (kind, _) = line.strip_prefix(r#"{"v":1,"kind":""#)?.split_once('"')?;
    Kind::ALL.iter().any(|known| known.name() == kind).then_some(kind)
}

/// What has to be known before the rest of a line can be read.
#[derive(Deserialize)]
struct Envelope<'a> {
    v: Option<u64>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
}

pub(crate) fn name(key: &'static str, value: Option<&str>) -> Result<(), Invalid> {
    match value {
        Some("") => Err(Invalid::Empty { key }),
        Some(text) => long(key, text, limits::NAME_BYTES_MAX),
        None => Ok(()),
    }
}

fn long(key: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    if text.len() > max { Err(Invalid::TooLong { key, bytes: text.len(), max }) } else { Ok(()) }
}

fn finite(key: &'static str, value: f64) -> Result<(), Invalid> {
    if value.is_finite() { Ok(()) } else { Err(Invalid::Absurd { key, value: value.to_string(), why: "it is not a finite number" }) }
}

pub(crate) fn at_most(key: &'static str, value: Option<u64>, max: u64) -> Result<(), Invalid> {
    match value {
        Some(value) if value > max => Err(Invalid::Absurd { key, value: value.to_string(), why: "it is too large to be true" }),
        _ => Ok(()),
    }
}

/// Enough of a text to recognise it in a message.
fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

/// So much is said of what the JSON reader found: room for the list of all keys of a kind.
const JSON_CHARS_MAX: usize = 480;

fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(JSON_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
