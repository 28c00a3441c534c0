//! What OpenTelemetry tells becomes events: pure rules, one page for each signal.
//!
//! Whatever comes in is told of: it becomes an event, it is *left out* since nobody meant it for us, or it is *rejected* with a reason.
//! Inner spans are left out and not rejected, as every trace has them: an exporter that warned of them in each of its rounds would hide
//! what matters. A metric or a log of another kind is rejected, since the exporter can be told not to send it here.

mod attributes;
mod logs;
mod metrics;
mod spans;
#[cfg(test)]
mod tests;

pub(super) use metrics::foreign;

use self::attributes::{Told, text};
use crate::config::{Otlp, Says};
use milepost_collect::error_category::Rules;
use milepost_record::{Event, Fact, Identity, Origin, Scalar, Timestamp, hexadecimal, limits};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Why something is no event.
pub(super) type Reason = Cow<'static, str>;

/// What became of something that came in.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    Event(Box<Event>),
    LeftOut(Reason),
    Rejected(Reason),
}

impl Taken {
    const fn rejected(why: &'static str) -> Self {
        Self::Rejected(Cow::Borrowed(why))
    }

    const fn left_out(why: &'static str) -> Self {
        Self::LeftOut(Cow::Borrowed(why))
    }
}

/// The rules.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    otlp: Otlp,
    categories: Rules,
    identity: Identity,
}

impl Mapping {
    pub(crate) const fn new(otlp: Otlp, categories: Rules, identity: Identity) -> Self {
        Self { otlp, categories, identity }
    }

    fn text(&self, told: &Told<'_>, says: Says) -> Option<String> {
        told.text(self.otlp.names(says))
    }

    /// An event with what every event can carry.
    fn event(&self, told: &Told<'_>, id: String, at: Timestamp, fact: impl Into<Fact>) -> Taken {
        let mut event = Event::at(at, fact);
        event.id = Some(id);
        event.user = self.text(told, Says::User).map(|name| self.identity.pseudonym(&name));
        event.session = self.text(told, Says::Session);
        event.persona = self.text(told, Says::Persona);
        event.version = self.text(told, Says::Version);
        event.commit = self.text(told, Says::Commit);
        if let Some(environment) = self.text(told, Says::Environment) {
            event.origin = Some(self.otlp.origins.get(&environment).copied().unwrap_or(Origin::Use));
            event.attributes.insert("deployment.environment.name".to_owned(), Scalar::Text(cut(environment)));
        }
        // What an SDK says of a service that nobody gave a name.
        if let Some(service) = told.text(&["service.name"]).filter(|name| !name.starts_with("unknown_service")) {
            event.attributes.insert("service.name".to_owned(), Scalar::Text(cut(service)));
        }
        for key in &self.otlp.keep {
            if let Some(value) = told.value(key).and_then(scalar) {
                event.attributes.insert(key.clone(), value);
            }
        }
        Taken::Event(Box::new(event))
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::BoolValue(truth) => Some(Scalar::Boolean(*truth)),
        Value::IntValue(number) => Some(Scalar::Integer(*number)),
        Value::DoubleValue(number) => number.is_finite().then_some(Scalar::Number(*number)),
        other => text(other).map(|text| Scalar::Text(cut(text))),
    }
}

/// A long attribute is no reason to lose the event.
fn cut(text: String) -> String {
    shortened(text, limits::NAME_BYTES_MAX)
}

fn shortened(mut text: String, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}

/// The first moment that a clock which was ever set can show: 2000-01-01, in seconds since 1970.
const SET_SINCE_S: u64 = 946_684_800;

/// A moment, where a clock that was set can have told it.
fn moment(nanoseconds: u64) -> Option<Timestamp> {
    let us = i64::try_from(nanoseconds / 1000).ok()?;
    (nanoseconds / 1_000_000_000 >= SET_SINCE_S).then(|| Timestamp::from_microseconds(us)).flatten()
}

/// An id that says the same whenever the same comes again.
fn digest(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    hexadecimal("otlp-", &sha.finalize(), 16)
}

/// An id of so many bytes of which not all are zero.
fn is_id(id: &[u8], bytes: usize) -> bool {
    id.len() == bytes && id.iter().any(|byte| *byte != 0)
}
