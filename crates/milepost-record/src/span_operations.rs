//! Spans of the crate `tracing` as operations, for a product that has them already. Behind the feature `tracing`.

use crate::{ErrorDetail, Event, Operation, Outcome, Recorder, Timestamp};
use std::{
    borrow::Cow,
    fmt::Debug,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tracing_core::{
    Field, Level, Metadata, Subscriber,
    field::Visit,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The field that makes a span an operation, and names it.
const NAME: &str = "milepost.operation";

/// A layer that records spans as operations: those of the targets that it is told, and those with a field `milepost.operation`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let data = tempfile::tempdir()?; let data = data.path();
/// use milepost_record::{Recorder, SpanOperations, Spool};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let operations = SpanOperations::new(Recorder::open(data)?).target("my_product::commands");
/// let subscriber = tracing_subscriber::registry().with(operations);
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info_span!(target: "my_product::commands", "search", backend = "native").in_scope(|| {
///         tracing::error!("the index is not there"); // it failed
///     });
///     tracing::info_span!("handle", milepost.operation = "install", user = "rose").in_scope(|| {});
///     tracing::info_span!("something else").in_scope(|| {});
/// });
///
/// let mut recorded = Vec::new();
/// for segment in Spool::open(data)?.segments()? {
///     recorded.extend(segment.events(milepost_record::Timestamp::now()).filter_map(Result::ok));
/// }
/// assert_eq!(recorded.len(), 2);
/// # Ok(()) }
/// ```
///
/// | of the span | becomes |
/// |---|---|
/// | `milepost.operation`, else its name | the operation |
/// | from its creation to its end, however often it was entered | the duration |
/// | `backend`, `session`, `persona` | the same |
/// | `user` | a pseudonym |
/// | `milepost.outcome` (`ok`, `failed`, `timeout`, `cancelled`) | the outcome |
/// | else `otel.status_code` (`OK`, `ERROR`) | the outcome |
/// | else `error` with any value but `false`, an event of level `ERROR` inside, or a panic | a failure |
/// | `error.category` | the category of what went wrong |
///
/// `session`, `user` and `persona` hold for operations inside, too. An event of level `ERROR` counts for the innermost operation around it:
/// the one around that may have dealt with it. Nothing else of a span is stored; the text of an error only where
/// [`Recorder::with_texts`] allows it.
///
/// # Limits
///
/// - **A future that is dropped before its end** ends its span like one that returned. Record `milepost.outcome` where that happens:
///   `timeout` or `cancelled` when the span is made, `ok` when it is through.
/// - The duration is that of the span: it includes what it waited for, and a span that is kept for longer takes longer. What still runs
///   when the process ends is not recorded.
/// - Spans and events that a filter hides are not there: of a filter for the whole subscriber, `ERROR` has to pass, and the level of
///   the spans.
/// - What could not be recorded is counted by [`Recorder::lost`] and otherwise ignored.
#[derive(Clone, Debug)]
pub struct SpanOperations {
    recorder: Arc<Recorder>,
    targets: Vec<Cow<'static, str>>,
}

impl SpanOperations {
    /// A layer that records into this recorder, or into one that is shared.
    #[must_use]
    pub fn new(recorder: impl Into<Arc<Recorder>>) -> Self {
        Self { recorder: recorder.into(), targets: Vec::new() }
    }

    /// All spans of this target are operations, and those of the modules within it. May be called several times.
    #[must_use]
    pub fn target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.targets.push(target.into());
        self
    }

    fn is_operation(&self, metadata: &Metadata<'_>) -> bool {
        let within = |target: &str| metadata.target().strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        metadata.fields().field(NAME).is_some() || self.targets.iter().any(|target| within(target))
    }
}

/// An operation whose span is open.
struct Open {
    since: Instant,
    /// Whoever tidies up after a panic did not panic.
    amid_panic: bool,
    told: Told,
}

impl Open {
    fn look_for_panic(&mut self) {
        self.told.has_failed |= thread::panicking() && !self.amid_panic;
    }
}

/// What fields tell of an operation.
#[derive(Default)]
struct Told {
    name: Option<String>,
    backend: Option<String>,
    user: Option<String>,
    session: Option<String>,
    persona: Option<String>,
    outcome: Option<Outcome>,
    status: Option<Outcome>,
    has_failed: bool,
    category: Option<String>,
    text: Option<String>,
}

impl Told {
    /// What was told later counts.
    fn and(self, later: Self) -> Self {
        Self {
            name: later.name.or(self.name),
            backend: later.backend.or(self.backend),
            user: later.user.or(self.user),
            session: later.session.or(self.session),
            persona: later.persona.or(self.persona),
            outcome: later.outcome.or(self.outcome),
            status: later.status.or(self.status),
            has_failed: later.has_failed || self.has_failed,
            category: later.category.or(self.category),
            text: later.text.or(self.text),
        }
    }

    fn set(&mut self, field: &str, value: impl FnOnce() -> String) {
        match field {
            NAME => self.name = Some(value()),
            "backend" => self.backend = Some(value()),
            "user" => self.user = Some(value()),
            "session" => self.session = Some(value()),
            "persona" => self.persona = Some(value()),
            "milepost.outcome" => self.outcome = value().parse().ok(),
            "otel.status_code" => {
                let code = value();
                self.status = match () {
                    () if code.eq_ignore_ascii_case("ok") => Some(Outcome::Ok),
                    () if code.eq_ignore_ascii_case("error") => Some(Outcome::Failed),
                    () => None,
                };
            }
            "error" => {
                self.has_failed = true;
                self.text = Some(value());
            }
            "error.category" => self.category = Some(value()),
            _ => {}
        }
    }

    fn outcome(&self) -> Outcome {
        self.outcome.or(self.status).unwrap_or(if self.has_failed { Outcome::Failed } else { Outcome::Ok })
    }
}

impl Visit for Told {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() != "error" || value {
            self.set(field.name(), || value.to_string());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), || value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), || format!("{value:?}"));
    }
}

/// What an event of level `ERROR` says.
#[derive(Default)]
struct Said {
    error: Option<String>,
    message: Option<String>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "error" => self.error = Some(format!("{value:?}")),
            "message" => self.message = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanOperations {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if self.recorder.is_enabled()
            && self.is_operation(attributes.metadata())
            && let Some(span) = context.span(id)
        {
            let (since, amid_panic, mut told) = (Instant::now(), thread::panicking(), Told::default());
            attributes.record(&mut told);
            span.extensions_mut().insert(Open { since, amid_panic, told });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<Open>().is_none() {
            return;
        }
        // Before the span is locked: a value that is shown may say something itself.
        let mut later = Told::default();
        values.record(&mut later);
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.told = std::mem::take(&mut open.told).and(later);
        }
    }

    fn on_event(&self, event: &tracing_core::Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let is_open = |span: &SpanRef<'_, S>| span.extensions().get::<Open>().is_some();
        let Some(span) = context.event_scope(event).into_iter().flatten().find(is_open) else { return };
        let mut said = Said::default();
        event.record(&mut said);
        if let Some(Open { told, .. }) = span.extensions_mut().get_mut() {
            told.has_failed = true;
            told.text = told.text.take().or(said.error).or(said.message);
        }
    }

    // A task that panics leaves its span here, and may end it elsewhere.
    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if thread::panicking()
            && let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            open.look_for_panic();
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut open) = span.extensions_mut().remove::<Open>() else { return };
        let elapsed = open.since.elapsed();
        open.look_for_panic();
        inherit(&mut open.told, &span);
        self.recorder.record_or_count(self.event(open.told, span.name(), elapsed));
    }
}

/// Who it is for, where an operation around it knows.
fn inherit<'a, S: LookupSpan<'a>>(told: &mut Told, span: &SpanRef<'a, S>) {
    for around in span.scope().skip(1) {
        if let Some(Open { told: outer, .. }) = around.extensions().get() {
            for (own, theirs) in [(&mut told.user, &outer.user), (&mut told.session, &outer.session), (&mut told.persona, &outer.persona)] {
                if own.is_none() {
                    own.clone_from(theirs);
                }
            }
        }
    }
}

impl SpanOperations {
    fn event(&self, told: Told, span: &str, elapsed: Duration) -> Event {
        let outcome = told.outcome();
        let mut operation = Operation::new(told.name.unwrap_or_else(|| span.to_owned()), outcome);
        operation.duration_us = Some(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        operation.backend = told.backend;
        if matches!(outcome, Outcome::Failed | Outcome::Timeout) {
            let category = told.category.unwrap_or_else(|| "unknown".to_owned());
            operation.error = Some(ErrorDetail { category, text: told.text.map(short) });
        }
        let mut event = Event::at(Timestamp::now(), operation);
        event.user = told.user.and_then(|name| self.recorder.pseudonym(&name));
        (event.session, event.persona) = (told.session, told.persona);
        event
    }
}

/// A text of any length is no reason to lose the event.
fn short(mut text: String) -> String {
    let end = (0..=crate::limits::TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}
