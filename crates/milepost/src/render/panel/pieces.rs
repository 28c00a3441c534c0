//! What the panels are made of: tables, key figures, and what is said where there is nothing.

use super::super::words::{NAME_CHARS_MAX, count, plain};
use askama::Template;
use milepost_judge::{digits, operations::Figures};

/// How many rows of a table are shown.
pub(super) const ROWS_MAX: usize = 50;

/// A table, whose first column names its rows.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "suppress",
    source = r#"<div class="scroll" role="group" tabindex="0" aria-label="{{ caption }}"><table class="m-table" id="{{ id }}"><caption>{{ caption }}</caption>
<thead><tr>{% for head in heads %}<th scope="col"{% if head.is_number +%} class="n"{% endif %}><bdi>{{ head.name }}</bdi>{% endfor %}
<tbody>{% for row in rows %}<tr>{% for cell in row %}{% let is_number = heads[loop.index0].is_number %}
{% if loop.first %}<th scope="row">{% else if is_number %}<td>{% else %}<td class="t">{% endif %}
{% match cell.text %}{% when Some(text) %}{% if is_number %}{{ text }}{% else %}<bdi>{{ text }}</bdi>{% endif %}{% when None %}<span class="blank">not known</span>{% endmatch %}
{% if !cell.small.is_empty() %}<small>{{ cell.small }}</small>{% endif %}{% endfor %}{% endfor %}</table>
{% if more > 0 %}<p class="soft">and {{+ more +}} more</p>{% endif %}</div>"#
)]
pub(super) struct Table {
    pub(super) id: String,
    pub(super) caption: String,
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
    /// Rows that are not shown.
    more: usize,
}

struct Head {
    name: String,
    is_number: bool,
}

/// What stands in a cell, and smaller below it what belongs to it.
#[derive(Clone)]
pub(super) struct Cell {
    /// `None` where it is not known.
    text: Option<String>,
    small: String,
}

impl Cell {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), small: String::new() }
    }

    /// A name that may come from a stranger; what is said where nobody gave one.
    pub(super) fn name(name: Option<&str>, otherwise: &str) -> Self {
        Self::of(name.map_or_else(|| otherwise.to_owned(), |name| plain(name, NAME_CHARS_MAX)))
    }

    pub(super) fn count(n: u64) -> Self {
        Self::of(count(n))
    }

    pub(super) fn known(text: Option<String>) -> Self {
        Self { text, small: String::new() }
    }

    pub(super) fn with(self, small: impl Into<String>) -> Self {
        Self { small: small.into(), ..self }
    }
}

impl Table {
    /// Columns are named; those whose name begins with `#` hold numbers, and nothing of strangers. At most `rows_max` rows are shown.
    pub(super) fn new(id: impl Into<String>, caption: impl Into<String>, heads: &[&str], rows: Vec<Vec<Cell>>, rows_max: usize) -> Self {
        let head = |name: &&str| match name.strip_prefix('#') {
            Some(name) => Head { name: plain(name, NAME_CHARS_MAX), is_number: true },
            None => Head { name: plain(name, NAME_CHARS_MAX), is_number: false },
        };
        let more = rows.len().saturating_sub(rows_max);
        let rows = rows.into_iter().take(rows_max).map(|row| row.into_iter().take(heads.len()).collect()).collect();
        Self { id: id.into(), caption: caption.into(), heads: heads.iter().map(head).collect(), rows, more }
    }

    /// There are so many more than it was given.
    pub(super) const fn and_more(&mut self, more: usize) {
        self.more += more;
    }
}

/// A figure in large, with what it is.
pub(super) struct Figure {
    pub(super) what: &'static str,
    /// `None` where it is not known.
    pub(super) value: Option<String>,
    pub(super) beside: String,
}

impl Figure {
    pub(super) fn new(what: &'static str, value: Option<String>, beside: impl Into<String>) -> Self {
        Self { what, value, beside: beside.into() }
    }
}

/// Why there is nothing, and the command that changes it.
pub(super) struct Empty {
    pub(super) why: &'static str,
    pub(super) command: &'static str,
}

/// A duration, in the unit that people read it in.
pub(super) fn duration(ms: f64) -> String {
    match ms {
        ms if ms > 0.0 && ms < 0.1 => format!("{}\u{a0}µs", digits(ms * 1000.0)),
        ms if ms < 1000.0 => format!("{}\u{a0}ms", digits(ms)),
        ms if ms < 1_000_000.0 => format!("{}\u{a0}s", digits(ms / 1000.0)),
        ms => format!("{}\u{a0}min", digits(ms / 60_000.0)),
    }
}

/// A quantile of durations: ∞ where it falls on a failure.
pub(super) fn quantile(ms: Option<f64>, figures: &Figures) -> Option<String> {
    ms.map(duration).or_else(|| (figures.failed > 0).then(|| "∞".to_owned()))
}

pub(super) fn percent(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("{}%", digits(share)))
}

pub(super) fn megabytes(mb: Option<f64>) -> Option<String> {
    mb.map(|mb| format!("{}\u{a0}MB", digits(mb)))
}
