//! Exclusions: periods that do not count, such as days on which the network of the laboratory was down.
//!
//! Whoever takes out what went badly after having seen it chooses the evidence, and no test survives that. So an exclusion never
//! keeps what was seen before it: the epoch of each criterion that it touches begins anew, at the end of the period or when the
//! exclusion was recorded, whichever is later. It can only delay a verdict, and it stays visible beside it.

use milepost_record::{Event, Fact, Span, Timestamp, Topic};
use schemars::JsonSchema;
use serde::Serialize;

/// A period that somebody took out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exclusion {
    /// Id of the note that took it out.
    pub id: String,
    /// Its beginning.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// Why; null where nobody said.
    pub reason: Option<String>,
    /// The criterion for which it does not count; null for all.
    pub criterion: Option<String>,
    /// When it was taken out.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded: Timestamp,
    /// When that was taken back; null where it was not.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub undone: Option<Timestamp>,
}

impl Exclusion {
    /// Whether it is about this criterion.
    #[must_use]
    pub fn is_about(&self, criterion: &str) -> bool {
        self.criterion.as_deref().is_none_or(|name| name == criterion)
    }

    /// Whether events of `span` lie in it.
    #[must_use]
    pub fn touches(&self, span: Span) -> bool {
        self.from < span.to && self.to > span.from
    }

    /// From when on events count again.
    #[must_use]
    pub fn counts_again(&self) -> Timestamp {
        self.to.max(self.recorded)
    }
}

/// All exclusions among these events, those that were taken back included, by when they were recorded.
#[must_use]
pub fn exclusions(past: &[Event]) -> Vec<Exclusion> {
    let undone = |id: &str| {
        let undoes =
            |event: &Event| matches!(&event.fact, Fact::Note(note) if note.topic == Topic::Exclude && note.undoes.as_deref() == Some(id));
        past.iter().filter(|event| undoes(event)).map(|event| event.at).min()
    };
    let mut exclusions: Vec<_> = past
        .iter()
        .filter_map(|event| {
            let Fact::Note(note) = &event.fact else { return None };
            let (Topic::Exclude, None, Some(id)) = (note.topic, &note.undoes, &event.id) else { return None };
            Some(Exclusion {
                id: id.clone(),
                from: note.from?,
                to: note.to?,
                reason: note.text.clone(),
                criterion: note.criterion.clone(),
                recorded: event.at,
                undone: undone(id),
            })
        })
        .collect();
    exclusions.sort_by(|a, b| (a.recorded, &a.id).cmp(&(b.recorded, &b.id)));
    exclusions
}
