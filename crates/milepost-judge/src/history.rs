//! The history: what was demanded and what was shown, as `milepost track` recorded it, and when each tier was first reached.

use crate::{Criteria, Exclusion, Tier, Verdict, exclusions};
use milepost_record::{Criterion as Definition, Event, Fact, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, time::Duration};

/// The version of the history's JSON.
pub const HISTORY_VERSION: u32 = 1;
/// Verdicts that follow one another faster than this are of one round of `milepost track`.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// What became of the criteria.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct History {
    /// Version of this format.
    pub version: u32,
    /// Name of the project.
    pub project: String,
    /// When each tier was first reached; of the criteria that there are now.
    pub tiers: BTreeMap<Tier, Reached>,
    /// The criteria, in the order of the configuration; those that there are no more come after them, by name.
    pub criteria: Vec<CriterionHistory>,
}

/// When all criteria of a tier were met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reached {
    /// When that was recorded first; null where it never was.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub first: Option<Timestamp>,
    /// Whether it was so at the last record.
    pub still: bool,
}

/// What became of one criterion.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CriterionHistory {
    /// Name of the criterion.
    pub criterion: String,
    /// Whether the configuration has it now.
    pub is_configured: bool,
    /// When it was first met, under whichever definition.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub first_met: Option<Timestamp>,
    /// What changed, in the order of time.
    pub changes: Vec<Change>,
}

/// A change of what is demanded, or of what is shown.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// When it was recorded.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// What changed.
    #[serde(flatten)]
    pub what: What,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum What {
    /// It was written down for the first time.
    Defined {
        /// What it demands, by the keys of the configuration.
        demands: Vec<Difference>,
    },
    /// It demands something else: its evidence begins anew.
    Redefined {
        /// Whether that made it harder or easier to meet; null where that cannot be told.
        direction: Option<Direction>,
        /// The keys of the configuration that changed.
        by: Vec<Difference>,
    },
    /// Another verdict than before.
    Judged {
        /// The verdict.
        #[schemars(with = "String", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale"]))]
        verdict: Verdict,
        /// The one before it under the same definition; null for the first.
        #[schemars(with = "Option<String>", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale", null]))]
        before: Option<Verdict>,
        /// How many events it rests on.
        n: Option<u64>,
    },
    /// A period was taken out: its evidence begins anew after it.
    Excluded(Exclusion),
    /// That was taken back: the period counts again.
    CountedAgain(Exclusion),
}

/// Which way a definition moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Harder to meet.
    Tightened,
    /// Easier to meet.
    Loosened,
}

/// A key of a definition, and what it was and is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The key, as in the configuration.
    pub key: String,
    /// What it was; null where it was not there.
    pub before: Option<String>,
    /// What it is; null where it is not there any more.
    pub after: Option<String>,
}

/// What became of `criteria`, by the `criterion` and `verdict` events and the notes on periods that do not count, in any order.
#[must_use]
pub fn history(criteria: &Criteria, recorded: &[Event]) -> History {
    let exclusions = exclusions(recorded);
    let mut recorded: Vec<&Event> = recorded.iter().filter(|event| name_of(event).is_some()).collect();
    // Of one moment, the definition comes first: verdicts are about it.
    recorded.sort_by_key(|event| (event.at, matches!(event.fact, Fact::Verdict(_))));
    let configured: Vec<&str> = criteria.criteria.iter().map(|criterion| criterion.name.as_str()).collect();
    let mut others: Vec<&str> = recorded.iter().filter_map(|event| name_of(event)).filter(|name| !configured.contains(name)).collect();
    others.sort_unstable();
    others.dedup();
    let names = configured.iter().chain(&others);
    History {
        version: HISTORY_VERSION,
        project: criteria.project.clone(),
        tiers: Tier::ALL.iter().filter_map(|tier| Some((*tier, reached(criteria, *tier, &recorded)?))).collect(),
        criteria: names.map(|name| of_criterion(name, configured.contains(name), &recorded, &exclusions)).collect(),
    }
}

fn name_of(event: &Event) -> Option<&str> {
    match &event.fact {
        Fact::Criterion(definition) => Some(&definition.name),
        Fact::Verdict(verdict) => Some(&verdict.criterion),
        _ => None,
    }
}

fn of_criterion(name: &str, is_configured: bool, recorded: &[&Event], exclusions: &[Exclusion]) -> CriterionHistory {
    let (mut changes, mut first_met) = (Vec::new(), None);
    let (mut defined, mut last): (Option<&Definition>, Option<Verdict>) = (None, None);
    for exclusion in exclusions.iter().filter(|exclusion| exclusion.is_about(name)) {
        changes.push(Change { at: exclusion.recorded, what: What::Excluded(exclusion.clone()) });
        if let Some(at) = exclusion.undone {
            changes.push(Change { at, what: What::CountedAgain(exclusion.clone()) });
        }
    }
    for event in recorded.iter().filter(|event| name_of(event) == Some(name)) {
        let what = match &event.fact {
            Fact::Criterion(definition) => {
                let before = defined.replace(definition);
                if before.is_some_and(|before| before.evidence_key == definition.evidence_key) {
                    continue;
                }
                last = None;
                redefined(before, definition)
            }
            Fact::Verdict(verdict) => {
                if last == Some(verdict.verdict) {
                    continue;
                }
                let before = last.replace(verdict.verdict);
                if verdict.verdict == Verdict::Met {
                    first_met.get_or_insert(event.at);
                }
                What::Judged { verdict: verdict.verdict, before, n: verdict.n }
            }
            _ => continue,
        };
        changes.push(Change { at: event.at, what });
    }
    changes.sort_by_key(|change| change.at);
    CriterionHistory { criterion: name.to_owned(), is_configured, first_met, changes }
}

fn redefined(before: Option<&Definition>, now: &Definition) -> What {
    let none = Map::new();
    let keys = |definition: &Definition| definition.definition.clone().unwrap_or_default();
    let (old, new) = (before.map_or(none, keys), keys(now));
    let by: Vec<_> = old
        .keys()
        .chain(new.keys().filter(|key| !old.contains_key(*key)))
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| Difference { key: key.clone(), before: old.get(key).map(written), after: new.get(key).map(written) })
        .collect();
    match before {
        None => What::Defined { demands: by },
        Some(_) => What::Redefined { direction: direction(&by), by },
    }
}

/// Only where nothing but one bound moved: of two things that changed, one may outweigh the other.
fn direction(by: &[Difference]) -> Option<Direction> {
    let [Difference { key, before: Some(before), after: Some(after) }] = by else { return None };
    let amount = |text: &str| text.parse::<crate::Quantity>().ok();
    let (before, after) = (amount(before)?, amount(after)?);
    if before.unit.family() != after.unit.family() || before.base() == after.base() {
        return None;
    }
    let grew = after.base() > before.base();
    match key.as_str() {
        "below" | "at_most" => Some(if grew { Direction::Loosened } else { Direction::Tightened }),
        "above" | "at_least" => Some(if grew { Direction::Tightened } else { Direction::Loosened }),
        _ => None,
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `None` for a tier without criteria.
fn reached(criteria: &Criteria, tier: Tier, recorded: &[&Event]) -> Option<Reached> {
    let of_tier: Vec<_> = criteria.criteria.iter().filter(|criterion| criterion.tier == Some(tier)).collect();
    if of_tier.is_empty() {
        return None;
    }
    let mut verdicts: BTreeMap<&str, Verdict> = BTreeMap::new();
    let mut reached = Reached { first: None, still: false };
    let mut rest = recorded.iter().peekable();
    while let Some(event) = rest.next() {
        match &event.fact {
            Fact::Criterion(definition) => _ = verdicts.remove(definition.name.as_str()),
            Fact::Verdict(verdict) => _ = verdicts.insert(&verdict.criterion, verdict.verdict),
            _ => {}
        }
        // Between two verdicts of one round, what is there is of two rounds.
        if rest.peek().is_some_and(|next| next.at.since(event.at) < ROUND_MAX) {
            continue;
        }
        reached.still = of_tier.iter().all(|criterion| verdicts.get(criterion.name.as_str()) == Some(&Verdict::Met));
        if reached.still {
            reached.first.get_or_insert(event.at);
        }
    }
    Some(reached)
}
