//! What the dashboard shows of each tracker beside the criteria: the report of the last days. Like the report, it judges nothing.

use crate::{Criteria, Report, report, report_questions};
use milepost_record::{Answer, Origin, Question, Span, Timestamp};
use std::{collections::BTreeSet, time::Duration};

/// How many days the panels look back.
pub const PANEL_DAYS: u32 = 90;

/// What happened in the last [`PANEL_DAYS`] days, tracker by tracker.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// The figures.
    pub report: Report,
}

/// What has to be known for the panels of this moment.
#[must_use]
pub fn panels_questions(criteria: &Criteria, now: Timestamp) -> Vec<Question> {
    report_questions(criteria, span(now), &people())
}

/// The panels from the answers to [`panels_questions`] of the same arguments; what has no answer is not known.
#[must_use]
pub fn panels(criteria: &Criteria, answers: &[Answer], now: Timestamp) -> Panels {
    Panels { report: report(criteria, span(now), &people(), answers) }
}

fn span(now: Timestamp) -> Span {
    let days = Duration::from_secs(u64::from(PANEL_DAYS) * 24 * 60 * 60);
    // The newest event may carry this very moment.
    Span { from: now.saturating_sub(days), to: now.saturating_add(Duration::from_micros(1)) }
}

fn people() -> BTreeSet<String> {
    [Origin::Use.name().to_owned()].into()
}
