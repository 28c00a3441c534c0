//! What panels are made of: figures, tables, and what stands where nothing is known.

use crate::render::{
    chart::amount,
    words::{NAME_CHARS_MAX, plain},
};
use askama::Template;
use milepost_judge::{Metric, digits};

/// How many rows of a table are shown.
pub(super) const ROWS_MAX: usize = 30;

/// Figures side by side.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl class="p-figures">{% for figure in list %}<div><dt>{{ figure.name }}</dt><dd>
{%- match figure.value %}{% when Some(value) %}<b>{{ value }}</b>{% when None %}<span class="blank">not known</span>{% endmatch -%}
{%- if !figure.note.is_empty() %}<small>{{ figure.note }}</small>{% endif %}</dd></div>{% endfor %}</dl>"#
)]
pub(super) struct Figures {
    list: Vec<Figure>,
}

struct Figure {
    name: &'static str,
    /// `None` where it is not known.
    value: Option<String>,
    note: String,
}

impl Figures {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: Option<String>, note: impl Into<String>) -> Self {
        self.list.push(Figure { name, value, note: note.into() });
        self
    }
}

/// A table; a cell without anything is one that is not known. What is too much is counted.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="scroll" role="group" tabindex="0" aria-label="{{ caption }}"><table class="p-table" id="{{ id }}"><caption>{{ caption }}</caption><thead><tr>
{%- for (heading, is_number) in headings %}<th scope="col"{% if *is_number +%} class="n"{% endif %}>{{ heading }}{% endfor %}<tbody>
{%- for row in rows %}<tr>{% for (cell, is_number) in row %}{% if loop.first %}<th scope="row"><bdi>{{ cell }}</bdi>{% else if *is_number %}<td>{{ cell }}{% else %}<td class="t"><bdi>{{ cell }}</bdi>{% endif %}{% endfor %}
{%- endfor %}</table>{% if more > 0 %}<p class="soft">and {{ more }} more</p>{% endif %}</div>"#
)]
pub(super) struct Table {
    id: &'static str,
    caption: String,
    headings: Vec<(&'static str, bool)>,
    rows: Vec<Vec<(String, bool)>>,
    more: usize,
}

impl Table {
    /// Headings say whether their column holds numbers. None where there is no row.
    pub(super) fn new(
        id: &'static str,
        caption: impl Into<String>,
        headings: &[(&'static str, bool)],
        rows: impl ExactSizeIterator<Item = Vec<String>>,
        rows_max: usize,
    ) -> Option<Self> {
        let all = rows.len();
        let cells = |row: Vec<String>| row.into_iter().zip(headings).map(|(cell, (_, is_number))| (cell, *is_number)).collect();
        let rows: Vec<_> = rows.take(rows_max).map(cells).collect();
        let more = all - rows.len();
        (all > 0).then(|| Self { id, caption: caption.into(), headings: headings.to_vec(), rows, more })
    }
}

/// What stands where nothing came in: which door feeds it.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="p-empty"><div class="gap"></div><p>{{ text }}: <code class="cmd">{{ command }}</code></p></div>"#
)]
pub(super) struct Empty {
    text: &'static str,
    command: String,
}

impl Empty {
    pub(super) fn new(text: &'static str, command: impl Into<String>) -> Self {
        Self { text, command: command.into() }
    }

    /// Fed by what feeds a metric.
    pub(super) fn fed(text: &'static str, metric: &Metric) -> Self {
        Self::new(text, metric.fed_by(metric.family().map_or(milepost_judge::Unit::NONE, |family| family.usual_unit()), None))
    }
}

/// A number with its unit, where it is known.
pub(super) fn known(value: Option<f64>, unit: &str) -> Option<String> {
    value.map(|value| amount(value, unit))
}

/// The same for a cell.
pub(super) fn cell(value: Option<f64>, unit: &str) -> String {
    known(value, unit).unwrap_or_default()
}

/// Where something lies: `120 to 180 ms`.
pub(super) fn range([low, high]: [Option<f64>; 2], unit: &str) -> String {
    match (low, high) {
        (Some(low), Some(high)) if unit != "%" => format!("{} to {}", digits(low), amount(high, unit)),
        (Some(low), Some(high)) => format!("{} to {}", amount(low, unit), amount(high, unit)),
        (Some(low), None) => format!("{} or more", amount(low, unit)),
        (None, Some(high)) => format!("{} or less", amount(high, unit)),
        (None, None) => "no bound yet".to_owned(),
    }
}

/// A name from outside.
pub(super) fn name(name: Option<&str>, otherwise: &str) -> String {
    name.map_or_else(|| otherwise.to_owned(), |name| plain(name, NAME_CHARS_MAX))
}

/// `1 person`, `2 people`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", crate::render::words::count(n), if n == 1 { one } else { many })
}
