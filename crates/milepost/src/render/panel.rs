//! The panels of the dashboard: what each tracker saw, one file for each.

use super::html::NotWritten;
use milepost_judge::Panels;

/// A panel: a section of the page with a place in its navigation.
pub(crate) struct Panel {
    /// Where the navigation leads.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What is below the title: HTML, escaped by its own template.
    pub(crate) body: String,
}

/// All panels, in the order of the navigation.
pub(crate) fn all(_panels: &Panels) -> Result<Vec<Panel>, NotWritten> {
    Ok(vec![])
}
