//! What the panels are made of: figures, tables, what is said where there is nothing, and values with their units.

use super::super::{
    chart::{amount, days_between},
    words::{PAGE_NAME_CHARS_MAX, count, plain},
};
use askama::Template;
use jiff::civil::Date;
use milepost_judge::{Metric, Unit, digits, operations};
use milepost_record::Timestamp;
use std::fmt::Display;

/// How many rows of a table are shown.
pub(super) const ROWS_MAX: usize = 30;

/// Figures side by side.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "suppress",
    source = r#"<dl class="p-figures">{% for figure in list %}<div><dt>{{ figure.name }}</dt><dd>
{% if let Some(value) = figure.value %}<b>{{ value }}</b>{% else %}<span class="blank">not known</span>{% endif %}
{% if !figure.beside.is_empty() %}<small>{{ figure.beside }}</small>{% endif %}</dd></div>{% endfor %}</dl>"#
)]
pub(super) struct Figures {
    list: Vec<Figure>,
}

struct Figure {
    name: &'static str,
    /// `None` where it is not known.
    value: Option<String>,
    beside: String,
}

impl Figures {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: Option<String>, beside: impl Into<String>) -> Self {
        self.list.push(Figure { name, value, beside: beside.into() });
        self
    }
}

/// A table, whose first column names its rows.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "suppress",
    source = r#"<div class="scroll" role="group" tabindex="0" aria-label="{{ caption }}"><table class="p-table" id="{{ id }}"
{% if let Some((first, days)) = times +%} data-first="{{ first }}" data-days="{{ days }}"{% endif %}><caption>{{ caption }}</caption>
<thead><tr>{% for column in columns %}<th{% if column.is_number +%} class="n"{% endif %}>{% if column.is_name %}<bdi>{{ column.name }}</bdi>{% else %}{{ column.name }}{% endif %}{% endfor %}
<tbody>{% for row in rows %}<tr>{% for cell in row %}{% let is_number = columns[loop.index0].is_number %}
{% if loop.first %}<th>{% else if is_number %}<td>{% else %}<td class="t">{% endif %}
{% match cell.text %}{% when Some(text) %}{% if cell.is_foreign %}<bdi>{{ text }}</bdi>{% else %}{{ text }}{% endif %}{% when None %}<span class="blank">not known</span>{% endmatch %}
{% if !cell.small.is_empty() %}<small>{{ cell.small }}</small>{% endif %}{% endfor %}{% endfor %}</table>
{% if more > 0 %}<p class="soft">and {{+ more +}} more</p>{% endif %}</div>"#
)]
pub(super) struct Table {
    id: String,
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// Rows that are not shown.
    more: usize,
    /// Where its rows stand on a chart: when that begins, and how many of its days or minutes later each row is.
    times: Option<(String, String)>,
}

/// A column, which holds texts or numbers; in those of numbers is nothing of strangers.
pub(super) struct Column {
    name: String,
    is_number: bool,
    /// Whether somebody else gave the name.
    is_name: bool,
}

pub(super) fn texts(name: &str) -> Column {
    Column { name: name.to_owned(), is_number: false, is_name: false }
}

pub(super) fn numbers(name: &str) -> Column {
    Column { is_number: true, ..texts(name) }
}

/// A column of numbers of something that a stranger may have named.
pub(super) fn numbers_of(name: &str) -> Column {
    Column { name: plain(name, PAGE_NAME_CHARS_MAX), is_number: true, is_name: true }
}

/// What stands in a cell, and smaller below it what belongs to it.
#[derive(Clone)]
pub(super) struct Cell {
    /// `None` where it is not known.
    text: Option<String>,
    small: String,
    /// Whether somebody else wrote it, so that it may be written from right to left.
    is_foreign: bool,
}

impl Cell {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self::known(Some(text.into()))
    }

    /// What somebody else wrote, as a whole or in part.
    pub(super) fn foreign(text: impl Into<String>) -> Self {
        Self { is_foreign: true, ..Self::of(text) }
    }

    /// A name that may come from a stranger; what is said where nobody gave one.
    pub(super) fn name(of: Option<&str>, otherwise: &str) -> Self {
        Self::foreign(name(of, otherwise))
    }

    pub(super) fn count(n: u64) -> Self {
        Self::of(count(n))
    }

    pub(super) const fn known(text: Option<String>) -> Self {
        Self { text, small: String::new(), is_foreign: false }
    }

    /// What is there; a dash where there is nothing to know.
    pub(super) fn or_none(text: Option<String>) -> Self {
        Self::of(text.unwrap_or_default())
    }

    pub(super) fn with(self, small: impl Into<String>) -> Self {
        Self { small: small.into(), ..self }
    }
}

impl Table {
    /// At most `rows_max` rows are shown, and the others counted; `None` where there is no row.
    pub(super) fn new(
        id: impl Into<String>,
        caption: impl Into<String>,
        columns: impl IntoIterator<Item = Column>,
        rows: impl IntoIterator<Item = Vec<Cell>>,
        rows_max: usize,
    ) -> Option<Self> {
        let columns: Vec<_> = columns.into_iter().collect();
        let mut rows = rows.into_iter();
        let shown: Vec<_> = rows.by_ref().take(rows_max).map(|row| row.into_iter().take(columns.len()).collect()).collect();
        let is_any = !shown.is_empty();
        is_any.then(|| Self { id: id.into(), caption: caption.into(), columns, rows: shown, more: rows.count(), times: None })
    }

    /// There are so many more than it was given.
    pub(super) fn and_more(self, more: usize) -> Self {
        Self { more: self.more + more, ..self }
    }

    /// Its rows are so many days after the first one of a chart.
    pub(super) fn on_days(self, first: Date, dates: impl IntoIterator<Item = Date>) -> Self {
        let days = dates.into_iter().take(self.rows.len()).map(|date| days_between(first, date).to_string());
        Self { times: Some((first.to_string(), days.collect::<Vec<_>>().join(" "))), ..self }
    }

    /// Its rows are so many minutes after the beginning of a chart.
    pub(super) fn on_minutes(self, first: Timestamp, minutes: impl IntoIterator<Item = f64>) -> Self {
        let minutes = minutes.into_iter().take(self.rows.len()).map(|minutes| ((minutes * 100.0).round() / 100.0).to_string());
        Self { times: Some((first.to_string(), minutes.collect::<Vec<_>>().join(" "))), ..self }
    }
}

/// Why there is nothing, and the command that changes it.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="p-empty"><div class="gap"></div><p>{{ why }}: <code class="cmd">{{ command }}</code></p></div>"#
)]
pub(super) struct Empty {
    why: &'static str,
    command: String,
}

impl Empty {
    pub(super) fn new(why: &'static str, command: impl Into<String>) -> Self {
        Self { why, command: command.into() }
    }

    /// Fed by what feeds a metric.
    pub(super) fn fed(why: &'static str, metric: &Metric) -> Self {
        Self::new(why, metric.fed_by(metric.family().map_or(Unit::NONE, |family| family.usual_unit()), None))
    }
}

/// A chart of days with its name, one of several below one another.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "suppress",
    source = r#"<figure class="p-row"><figcaption><b><bdi>{{ name }}</bdi></b><span class="soft">{{ says }}</span></figcaption>
{% if let Some(chart) = chart %}{{ chart|safe }}{% else %}<div class="gap"></div>{% endif %}</figure>"#
)]
pub(super) struct Row<C: Display> {
    pub(super) name: String,
    pub(super) says: String,
    pub(super) chart: Option<C>,
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
pub(super) fn quantile(ms: Option<f64>, figures: &operations::Figures) -> Option<String> {
    ms.map(duration).or_else(|| (figures.failed > 0).then(|| "∞".to_owned()))
}

pub(super) fn percent(share: Option<f64>) -> Option<String> {
    known(share, "%")
}

pub(super) fn megabytes(mb: Option<f64>) -> Option<String> {
    known(mb, "MB")
}

/// A number with its unit, where it is known.
pub(super) fn known(value: Option<f64>, unit: &str) -> Option<String> {
    value.map(|value| amount(value, unit))
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
    name.map_or_else(|| otherwise.to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))
}

/// `1 person`, `2 people`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}
