//! Of log records, two events of the semantic conventions are ours: `session.start` begins a session, and each
//! `feature_flag.evaluation` of the flag that is configured is an interaction in an arm.

use super::{Mapping, Taken, Told, digest, moment};
use crate::config::Says;
use milepost_record::{Interaction, Session, Timestamp};
use opentelemetry_proto::tonic::{logs::v1::LogRecord, resource::v1::Resource};

impl Mapping {
    pub(in super::super) fn log(&self, resource: &Resource, record: &LogRecord) -> Taken {
        let told = Told::by(&record.attributes, resource);
        // Before records had a field for it, the name was an attribute.
        let name = if record.event_name.is_empty() { told.text(&["event.name"]).unwrap_or_default() } else { record.event_name.clone() };
        match name.as_str() {
            "feature_flag.evaluation" => self.evaluation(&told, record),
            "session.start" => self.session(&told, record),
            _ => Taken::rejected("a log record that is neither session.start nor feature_flag.evaluation"),
        }
    }

    fn session(&self, told: &Told<'_>, record: &LogRecord) -> Taken {
        let Some(at) = time(record) else { return Taken::rejected("a log record without a time since the year 2000") };
        let Some(session) = self.text(told, Says::Session) else { return Taken::rejected("a session.start without a session.id") };
        // It begins once, however often that is told.
        let id = digest(&[b"session", session.as_bytes()]);
        self.event(told, id, at, Session::new())
    }

    fn evaluation(&self, told: &Told<'_>, record: &LogRecord) -> Taken {
        let flag = told.text(&["feature_flag.key"]).unwrap_or_default();
        if self.otlp.flag.as_ref() != Some(&flag) {
            return Taken::rejected("an evaluation of a feature flag that `flag` under [otlp] does not name");
        }
        let Some(at) = time(record) else { return Taken::rejected("a log record without a time since the year 2000") };
        if told.text(&["feature_flag.result.reason"]).is_some_and(|reason| reason == "error") {
            return Taken::rejected("an evaluation that failed, and put nobody into an arm");
        }
        let variant = told.text(&["feature_flag.result.variant", "feature_flag.variant", "feature_flag.result.value"]);
        let Some(variant) = variant else { return Taken::rejected("an evaluation without a variant") };
        let mut interaction = Interaction::new();
        interaction.recognized = self.text(told, Says::Recognized);
        interaction.correct = self.text(told, Says::Correct);
        interaction.arm = Some(self.otlp.arms.get(&variant).cloned().unwrap_or(variant));
        let person = told.text(&["feature_flag.context.id"]);
        let time = nanoseconds(record).to_le_bytes();
        let who = person.clone().unwrap_or_default();
        let id = digest(&[b"evaluation", flag.as_bytes(), &record.trace_id, &record.span_id, &time, who.as_bytes()]);
        let mut taken = self.event(told, id, at, interaction);
        if let (Taken::Event(event), Some(person)) = (&mut taken, person)
            && event.user.is_none()
        {
            event.user = Some(self.identity.pseudonym(&person));
        }
        taken
    }
}

/// When it happened, else when it was seen.
const fn nanoseconds(record: &LogRecord) -> u64 {
    if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano }
}

fn time(record: &LogRecord) -> Option<Timestamp> {
    moment(nanoseconds(record))
}
