//! Which fields of events a question rests on: what has to be recorded for it, and what it would miss.

use crate::{Dimension, Kind, Origin, Question, Subject};
use std::collections::BTreeMap;

/// What a question reads a field for. A field that it reads for several reasons has the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldUse {
    /// The answer is made of it.
    Value,
    /// The answer tells it beside what was asked about.
    Beside,
    /// Events pass the filter by it.
    Filter,
    /// Groups are told apart by it.
    ForEach,
    /// Operations of complete fixed samples, which are judged apart, are left out by it.
    FixedSample,
}

impl FieldUse {
    /// Its word in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Beside => "beside",
            Self::Filter => "filter",
            Self::ForEach => "for_each",
            Self::FixedSample => "fixed_sample",
        }
    }
}

/// For each kind of event the fields that a question reads, named as the columns of its table; an attribute is `attributes.NAME`.
pub type Fields = BTreeMap<Kind, BTreeMap<String, FieldUse>>;

/// What a whole measurement is made of.
const MEASUREMENT: &[&str] = &[
    "id",
    "at",
    "origin",
    "user",
    "session",
    "persona",
    "version",
    "commit",
    "host",
    "attributes",
    "name",
    "value",
    "unit",
    "source",
    "scope",
];

impl Question {
    /// The fields of events that it reads.
    #[must_use]
    pub fn fields(&self) -> Fields {
        let own: &[(Kind, &[&str])] = match &self.subject {
            Subject::Operations { limit: Some(_) } => &[(Kind::Operation, &["at", "outcome", "dry_run", "duration_us"])],
            Subject::Operations { limit: None } => &[(Kind::Operation, &["at", "outcome", "dry_run"])],
            Subject::PeakMemory { .. } => &[(Kind::Operation, &["at", "outcome", "dry_run", "peak_bytes", "attributes.door"])],
            Subject::Misses { limit: Some(_), .. } => {
                &[(Kind::Operation, &["at", "operation", "outcome", "dry_run", "error_category", "duration_us"])]
            }
            Subject::Misses { limit: None, .. } => &[(Kind::Operation, &["at", "operation", "outcome", "dry_run", "error_category"])],
            Subject::Memory => &[(Kind::Memory, &["at", "run", "process", "measure", "every_us", "bytes", "complete", "cpu_us"])],
            Subject::MemoryTrees => &[(Kind::Memory, &["id", "at", "run", "measure", "bytes", "complete", "processes", "tree"])],
            Subject::Measurement { .. } => {
                &[(Kind::Measurement, &["id", "at", "name", "value", "unit", "source", "scope", "attributes.people"])]
            }
            Subject::Breakdown => {
                &[(Kind::Operation, &["at", "operation", "backend", "outcome", "dry_run", "duration_us", "error_category"])]
            }
            Subject::ErrorDays => &[(Kind::Operation, &["at", "outcome", "dry_run", "error_category"])],
            Subject::Failures => {
                &[(Kind::Operation, &["id", "at", "operation", "backend", "outcome", "dry_run", "error_category", "error_text"])]
            }
            Subject::Sessions | Subject::FirstSessions => {
                &[(Kind::Session, &["at", "user"]), (Kind::Operation, &["at", "user", "outcome", "dry_run", "duration_us"])]
            }
            Subject::Interactions => &[
                (Kind::Interaction, &["id", "at", "user", "arm", "modality", "index", "recognized", "correct", "words", "word_errors"]),
                (Kind::Label, &["id", "at", "of", "correct"]),
            ],
            Subject::Returns => {
                &[(Kind::Operation, &["at", "user"]), (Kind::Session, &["at", "user"]), (Kind::Interaction, &["at", "user"])]
            }
            Subject::Measurements { .. } => &[(Kind::Measurement, MEASUREMENT)],
            Subject::Feedback | Subject::Scores => &[(Kind::Note, &["at", "topic", "score"])],
        };
        let mut fields = Fields::new();
        let mut read = |kind: Kind, name: String, why: FieldUse| {
            fields.entry(kind).or_default().entry(name).and_modify(|known| *known = why.min(*known)).or_insert(why);
        };
        for (kind, names) in own {
            names.iter().for_each(|name| read(*kind, (*name).to_owned(), FieldUse::Value));
            // Whose label it is does not matter, but whose interaction.
            if *kind != Kind::Label {
                self.filter.keys().for_each(|dimension| read(*kind, dimension.to_string(), FieldUse::Filter));
            }
        }
        if matches!(self.subject, Subject::Operations { limit: None }) {
            read(Kind::Operation, "duration_us".to_owned(), FieldUse::Beside);
        }
        if let (Some(dimension), true) = (&self.for_each, self.tells_groups_apart()) {
            read(self.subject.kind(), dimension.to_string(), FieldUse::ForEach);
        }
        if self.leaves_out_fixed_samples() {
            for name in ["at", "sample", "outcome", "dry_run", "operation", "backend"] {
                read(Kind::Operation, name.to_owned(), FieldUse::FixedSample);
            }
            for name in ["id", "at", "topic", "sample", "size", "operation", "backend"] {
                read(Kind::Note, name.to_owned(), FieldUse::FixedSample);
            }
        }
        fields
    }

    /// Whether it is answered for groups; misses only have a limit for each of them.
    fn tells_groups_apart(&self) -> bool {
        match &self.subject {
            Subject::Misses { limit, .. } => limit.as_ref().is_some_and(|limit| !limit.by_group.is_empty()),
            Subject::Operations { .. } | Subject::PeakMemory { .. } | Subject::Memory | Subject::Measurement { .. } => true,
            _ => false,
        }
    }

    /// Operations of probes may be those of a fixed sample. When people came back is no matter of samples.
    fn leaves_out_fixed_samples(&self) -> bool {
        self.subject.kind() == Kind::Operation
            && self.subject != Subject::Returns
            && self.filter.get(&Dimension::Origin).is_none_or(|origins| origins.contains(Origin::Probe.name()))
    }
}
