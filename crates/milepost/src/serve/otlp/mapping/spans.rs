//! Spans become operations.

use super::{Mapping, Taken, Told, is_id, moment, shortened};
use crate::config::{Says, Spans};
use milepost_collect::error_category::{CATEGORY_BYTES_MAX, NOT_FOUND, PERMISSION, UNKNOWN, VALIDATION};
use milepost_record::{ErrorDetail, Operation, Outcome, hexadecimal, limits};
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    resource::v1::Resource,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

const TRACE_ID_BYTES: usize = 16;
const SPAN_ID_BYTES: usize = 8;
/// The bits of a span's flags that say whether its parent is of another process, and that this is known.
const PARENT_IS_REMOTE: u32 = 0x300;

impl Mapping {
    pub(in super::super) fn span(&self, resource: &Resource, span: &Span) -> Taken {
        let told = Told::by(&span.attributes, resource);
        // Not of the resource: it would make operations of all its spans.
        let named = Told::by(&span.attributes, &Resource::default()).text(self.otlp.names(Says::Operation));
        if !self.counts(span, named.is_some()) {
            return Taken::left_out("a span within another one, or a call of something else");
        }
        let name = named.unwrap_or_else(|| span.name.clone());
        if self.otlp.leave_out.contains(&name) {
            return Taken::left_out("a span that `leave_out` under [otlp] names");
        }
        if !is_id(&span.trace_id, TRACE_ID_BYTES) || !is_id(&span.span_id, SPAN_ID_BYTES) {
            return Taken::rejected("a span without a valid trace id and span id");
        }
        let (Some(start), Some(end)) = (moment(span.start_time_unix_nano), moment(span.end_time_unix_nano)) else {
            return Taken::rejected("a span without a beginning and an end since the year 2000");
        };
        if end < start {
            return Taken::rejected("a span that ended before it began");
        }
        let exit_code = told.integer("process.exit.code");
        let outcome = match self.outcome(&told, span, exit_code) {
            Ok(outcome) => outcome,
            Err(why) => return why,
        };
        let mut operation = Operation::new(self.otlp.operations.get(&name).cloned().unwrap_or(name), outcome);
        operation.duration_us = Some(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1000);
        operation.backend = self.text(&told, Says::Backend);
        operation.exit_code = exit_code;
        operation.dry_run = told.truth(self.otlp.names(Says::DryRun)).filter(|is_dry| *is_dry);
        if matches!(outcome, Outcome::Failed | Outcome::Timeout) {
            operation.error = Some(self.error(&told, span));
        }
        let id = hexadecimal("", &span.trace_id, TRACE_ID_BYTES) + &hexadecimal("-", &span.span_id, SPAN_ID_BYTES);
        self.event(&told, id, end, operation)
    }

    fn counts(&self, span: &Span, is_named: bool) -> bool {
        let is_root = span.parent_span_id.iter().all(|byte| *byte == 0);
        let is_remote = span.flags & PARENT_IS_REMOTE == PARENT_IS_REMOTE;
        // A kind that is not known counts as INTERNAL, as one that is not given.
        let kind = SpanKind::try_from(span.kind).unwrap_or(SpanKind::Internal);
        let calls = matches!(kind, SpanKind::Client | SpanKind::Producer);
        let answers = matches!(kind, SpanKind::Server | SpanKind::Consumer);
        match self.otlp.spans {
            Spans::All => true,
            Spans::Named => is_named,
            Spans::Root => is_named || (is_root && !calls),
            Spans::Entry => is_named || answers || ((is_root || is_remote) && !calls),
        }
    }

    fn outcome(&self, told: &Told<'_>, span: &Span, exit_code: Option<i64>) -> Result<Outcome, Taken> {
        if let Some(word) = self.text(told, Says::Outcome) {
            return word.parse().map_err(|_| Taken::rejected("an outcome that is none of ok, failed, timeout, cancelled"));
        }
        let status = span.status.as_ref().map_or(0, |status| status.code);
        match StatusCode::try_from(status) {
            Ok(StatusCode::Error) => Ok(Outcome::Failed),
            Ok(_) if exit_code.is_some_and(|code| code != 0) => Ok(Outcome::Failed),
            Ok(_) => Ok(Outcome::Ok),
            Err(_) => Err(Taken::rejected("a span whose status does not exist")),
        }
    }

    /// What went wrong: the text of the last exception, else of the status, and a category for it.
    fn error(&self, told: &Told<'_>, span: &Span) -> ErrorDetail {
        let exception = span.events.iter().rev().find(|event| event.name == "exception");
        let of_exception = |key: &str| {
            let attributes: &[KeyValue] = exception.map_or(&[], |event| &event.attributes);
            Told::by(attributes, &Resource::default()).text(&[key])
        };
        let status = span.status.as_ref().map(|status| status.message.clone()).filter(|message| !message.is_empty());
        let text = of_exception("exception.message").or(status);
        let kind = told.text(&["error.type"]).or_else(|| of_exception("exception.type"));
        let category = self.text(told, Says::ErrorCategory).unwrap_or_else(|| {
            let http = told.integer("http.response.status_code");
            self.category(kind.as_deref(), text.as_deref(), http)
        });
        ErrorDetail { category, text: text.or(kind).map(|text| shortened(text, limits::TEXT_BYTES_MAX)) }
    }

    fn category(&self, kind: Option<&str>, text: Option<&str>, http: Option<i64>) -> String {
        let said = format!("{}: {}", kind.unwrap_or_default(), text.unwrap_or_default());
        let by_rules = self.categories.categorize(&said);
        if by_rules != UNKNOWN {
            return by_rules.to_owned();
        }
        let by_status = match http.or_else(|| kind?.parse().ok()) {
            Some(400 | 422) => Some(VALIDATION),
            Some(401 | 403) => Some(PERMISSION),
            Some(404 | 410) => Some(NOT_FOUND),
            _ => None,
        };
        let word = kind.filter(|kind| is_category(kind));
        by_status.or(word).unwrap_or(UNKNOWN).to_owned()
    }
}

/// Whether a type of error is a word as categories are. `_OTHER`, which the conventions have for what is not known, is none.
fn is_category(word: &str) -> bool {
    let letters = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    letters && word.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) && word.len() <= CATEGORY_BYTES_MAX
}
