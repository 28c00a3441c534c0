//! `[otlp]`: how what OpenTelemetry sends becomes events.

use super::{
    CRITERIA_MAX,
    file::{self, At},
    meaning::Reader,
};
use milepost_record::Origin;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The most attributes that are kept of a span, and the most names for one thing.
const KEEP_MAX: usize = 32;

/// Which spans are operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spans {
    /// Those by which a request enters a service: of kind SERVER or CONSUMER, and others that have no parent in their process, unless they
    /// call somebody else (CLIENT, PRODUCER). And those of `named`.
    #[default]
    Entry,
    /// Those that have no parent at all, unless they call somebody else. And those of `named`.
    Root,
    /// Those with an attribute that names an operation.
    Named,
    /// All.
    All,
}

/// What an attribute can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// That a span is an operation, and its name.
    Operation,
    /// Which implementation did the work.
    Backend,
    /// How it ended: `ok`, `failed`, `timeout` or `cancelled`.
    Outcome,
    /// The category of an error.
    ErrorCategory,
    /// Whether it only showed what it would do.
    DryRun,
    /// The person, of whom a pseudonym is kept.
    User,
    /// The session.
    Session,
    /// The persona.
    Persona,
    /// Version of the product.
    Version,
    /// Commit of the product.
    Commit,
    /// Where it runs, such as `production`.
    Environment,
    /// The intent that the product recognised.
    Recognized,
    /// The intent that was right.
    Correct,
}

impl Says {
    const ALL: &[(Self, &'static [&'static str])] = &[
        (Self::Operation, &["milepost.operation"]),
        (Self::Backend, &["milepost.backend"]),
        (Self::Outcome, &["milepost.outcome"]),
        (Self::ErrorCategory, &["milepost.error.category", "error.category"]),
        (Self::DryRun, &["milepost.dry_run"]),
        (Self::User, &["enduser.pseudo.id", "enduser.id", "user.id"]),
        (Self::Session, &["session.id"]),
        (Self::Persona, &["milepost.persona"]),
        (Self::Version, &["service.version"]),
        (Self::Commit, &["vcs.ref.head.revision"]),
        (Self::Environment, &["deployment.environment.name", "deployment.environment"]),
        (Self::Recognized, &["milepost.recognized"]),
        (Self::Correct, &["milepost.correct"]),
    ];
}

/// How what OpenTelemetry sends becomes events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// Which spans are operations.
    pub spans: Spans,
    /// Names of spans that are none.
    pub leave_out: BTreeSet<String>,
    /// Operations that have another name.
    pub operations: BTreeMap<String, String>,
    /// Which attributes say what.
    pub attributes: BTreeMap<Says, Vec<String>>,
    /// Attributes that are kept as they are.
    pub keep: Vec<String>,
    /// The origin of what comes from an environment.
    pub origins: BTreeMap<String, Origin>,
    /// The feature flag that fills the arms of the experiment.
    pub flag: Option<String>,
    /// Names of its variants as arms.
    pub arms: BTreeMap<String, String>,
}

impl Default for Otlp {
    /// What the semantic conventions say.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            spans: Spans::default(),
            leave_out: BTreeSet::new(),
            operations: BTreeMap::new(),
            attributes: Says::ALL.iter().map(|(says, names)| (*says, owned(names))).collect(),
            keep: Vec::new(),
            origins: BTreeMap::new(),
            flag: None,
            arms: BTreeMap::new(),
        }
    }
}

impl Otlp {
    /// The attributes that say this, the first one first.
    #[must_use]
    pub fn names(&self, says: Says) -> &[String] {
        self.attributes.get(&says).map_or(&[], Vec::as_slice)
    }
}

impl Reader<'_> {
    pub(crate) fn otlp(&mut self, typed: Option<&file::Otlp>) -> Otlp {
        let mut otlp = Otlp::default();
        let Some(typed) = typed else { return otlp };
        otlp.spans = typed.spans.unwrap_or_default();
        otlp.flag = typed.flag.as_ref().and_then(|at| self.event_name("flag", at));
        let leave_out = typed.leave_out.as_ref().and_then(|at| self.distinct("leave_out", "the span", at, CRITERIA_MAX));
        otlp.leave_out = leave_out.into_iter().flatten().collect();
        otlp.keep = typed.keep.as_ref().and_then(|at| self.distinct("keep", "the attribute", at, KEEP_MAX)).unwrap_or_default();
        for (says, at) in &typed.attributes {
            if let Some(names) = self.distinct("attributes", "the attribute", at, KEEP_MAX) {
                otlp.attributes.insert(says.value, names);
            }
        }
        otlp.operations = self.renamed("operations", &typed.operations);
        otlp.arms = self.renamed("arms", &typed.arms);
        for (environment, origin) in &typed.origins {
            otlp.origins.extend(self.event_name("origins", environment).map(|environment| (environment, *origin)));
        }
        otlp
    }

    fn renamed(&mut self, key: &'static str, typed: &BTreeMap<At<String>, At<String>>) -> BTreeMap<String, String> {
        typed.iter().filter_map(|(from, to)| self.event_name(key, from).zip(self.event_name(key, to))).collect()
    }
}
