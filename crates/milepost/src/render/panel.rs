//! The panels of the dashboard: what each tracker saw, one file for each.

mod code;
mod community;
mod draw;
mod errors;
mod history;
mod learning;
mod memory;
mod performance;
mod personas;
mod pieces;
mod users;

use super::{html::NotWritten, words};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_judge::{PANEL_DAYS, Panels};
use milepost_record::Timestamp;

/// A panel: a section of the page with a place in its navigation.
pub(crate) struct Panel {
    /// Where the navigation leads.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What is below the title: HTML, escaped by its own template.
    pub(crate) body: String,
}

/// All panels, in the order of the navigation.
pub(crate) fn all(panels: &Panels) -> Result<Vec<Panel>, NotWritten> {
    Ok(vec![
        performance::performance(panels)?,
        errors::errors(panels)?,
        memory::memory(panels)?,
        users::users(panels)?,
        learning::learning(panels)?,
        personas::personas(panels)?,
        code::code(panels)?,
        community::community(panels)?,
        history::history(panels)?,
    ])
}

/// Which events a panel is about.
fn period(panels: &Panels) -> String {
    let origins = panels.report.origins.join(", ");
    format!("The last {PANEL_DAYS} days, up to {}; origin {origins}", words::moment(panels.report.to))
}

/// The day of a moment, where the report's days begin.
fn date_of(at: Timestamp, panels: &Panels) -> Date {
    let zone = TimeZone::get(&panels.report.time_zone).unwrap_or(TimeZone::UTC);
    at.to_jiff().to_zoned_datetime(zone).date()
}

/// The first day of a chart whose events begin on this one: two weeks at least, so that a single day does not fill it.
fn first_shown(first: Date, panels: &Panels) -> Date {
    today(panels).checked_sub(13.days()).map_or(first, |two_weeks| first.min(two_weeks))
}

/// The day on which the page is made.
fn today(panels: &Panels) -> Date {
    date_of(panels.report.to, panels)
}
