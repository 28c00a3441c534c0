//! Bars: how durations are spread, how often something happened on each day, and counts side by side.

use super::super::super::chart::{At, Words, axis::Axis, days_between};
use askama::Template;
use jiff::civil::Date;
use std::fmt::Write;

/// How much of its width a distribution has for durations; the rest is for what failed.
const DURATIONS: f64 = 86.0;
/// Where the bar of what failed stands.
const FAILED: [f64; 2] = [91.0, 7.0];
const PIXELS: u64 = 72;

/// How durations are spread on a logarithmic axis, with a bar for the operations that failed.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-spread" role="img" aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% for (at, _) in ticks %}<line class="axis" x1="{{ at }}" x2="{{ at }}" y1="12" y2="88"/>{% endfor %}
<svg y="14" width="{{ DURATIONS }}%" height="{{ PIXELS }}" viewBox="0,0,{{ bars }},{{ PIXELS }}" preserveAspectRatio="none"><path class="p-bar" d="{{ path }}"/></svg>
<line class="axis" x2="100%" y1="86.5" y2="86.5"/>
{% if let Some(height) = failed %}<rect class="unknown" x="{{ FAILED[0] }}%" y="{{ 86 - height }}" width="{{ FAILED[1] }}%" height="{{ height }}"/>{% endif %}
{% for at in limits %}<line class="target" x1="{{ at }}" x2="{{ at }}" y1="4" y2="92"/>{% endfor %}
{% if let Some(at) = p50 %}<svg x="{{ at }}"><path class="open p-sign" d="M-5 2H5L0 11z"/></svg>{% endif %}
{% if let Some(at) = p95 %}<svg x="{{ at }}"><path class="dot" d="M-5 2H5L0 11z"/></svg>{% endif %}
{% for (at, label) in ticks %}<text class="p-tick" x="{{ at }}" y="103" text-anchor="{% if at.0 < 5.0 %}start{% else %}middle{% endif %}">{{ label }}</text>{% endfor %}
{% if failed.is_some() %}<text class="p-tick" x="100%" y="103" text-anchor="end">failed</text>{% endif %}</svg>"##
)]
pub(crate) struct Spread {
    words: Words,
    bars: usize,
    path: String,
    /// In pixels.
    failed: Option<u64>,
    ticks: Vec<(At, String)>,
    limits: Vec<At>,
    p50: Option<At>,
    p95: Option<At>,
}

/// A quantile on an axis of durations.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    At(f64),
    /// It falls on a failure.
    Failed,
    Unknown,
}

impl Spread {
    /// Of counts between edges in milliseconds, which rise.
    pub(crate) fn new(edges: &[f64], counts: &[u64], failed: u64, quantiles: [Mark; 2], limits: &[f64], words: Words) -> Self {
        let most = counts.iter().copied().chain([failed]).max().unwrap_or(0).max(1);
        // Whatever there is, is seen.
        let height = |n: u64| if n == 0 { 0 } else { (u128::from(n) * u128::from(PIXELS) / u128::from(most)).max(1) as u64 };
        let mut path = String::new();
        for (bar, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            // Writing to a String cannot fail.
            let _ = write!(path, "M{bar}.06 {PIXELS}v-{}h.88v{}z", height(*n), height(*n));
        }
        let ends = edges.first().copied().zip(edges.last().copied()).unwrap_or((1.0, 10.0));
        let at = |ms: f64| {
            let place = (ms.max(f64::MIN_POSITIVE) / ends.0).ln() / (ends.1 / ends.0).ln();
            At((DURATIONS * place).clamp(0.0, DURATIONS))
        };
        let of = |mark| match mark {
            Mark::At(ms) => Some(at(ms)),
            Mark::Failed => Some(At(FAILED[0] + FAILED[1] / 2.0)),
            Mark::Unknown => None,
        };
        Self {
            words,
            bars: counts.len(),
            path,
            failed: (failed > 0).then(|| height(failed)),
            ticks: ticks(ends).into_iter().map(|ms| (at(ms), tick(ms))).collect(),
            limits: limits.iter().map(|ms| at(*ms)).collect(),
            p50: of(quantiles[0]),
            p95: of(quantiles[1]),
        }
    }
}

/// A round duration, as short as it is.
fn tick(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{} µs", ms * 1000.0),
        ms if ms < 1000.0 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1000.0),
    }
}

/// Round durations between two, at most six of them.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let of = |mantissas: &[f64]| -> Vec<f64> {
        let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let all = powers.flat_map(|power| mantissas.iter().map(move |mantissa| mantissa * 10_f64.powi(power)));
        all.filter(|ms| (low * 0.999..=high * 1.001).contains(ms)).collect()
    };
    let mut found = [&[1.0, 2.0, 5.0][..], &[1.0]].into_iter().map(of).find(|ticks| ticks.len() <= 5).unwrap_or_else(|| of(&[1.0]));
    let every = found.len().div_ceil(6);
    let mut place = 0;
    found.retain(|_| {
        place += 1;
        (place - 1) % every.max(1) == 0
    });
    found
}

/// How often something happened on each day: nothing is drawn of days on which nothing is known.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-days" role="img"{{ axis|safe +}} aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<g class="times"><svg width="100%" height="30" viewBox="0,0,{{ days }},30" preserveAspectRatio="none"><path class="p-known" d="{{ known }}"/><path class="p-bar" d="{{ path }}"/></svg></g></svg>"##
)]
pub(crate) struct DayBars {
    words: Words,
    axis: Axis,
    days: i32,
    /// Stretches of days on which something is known.
    known: String,
    path: String,
}

impl DayBars {
    /// Of days that are known, in order, each with its count, between two days; `most` is the height of all, and `column` the one of
    /// the table with its numbers.
    pub(crate) fn new([first, last]: [Date; 2], days: &[(Date, u64)], most: u64, column: usize, words: Words) -> Self {
        let (mut known, mut path) = (String::new(), String::new());
        for run in days.chunk_by(|(a, _), (b, _)| days_between(*a, *b) == 1) {
            if let Some((date, _)) = run.first() {
                let _ = write!(known, "M{} 29.5h{}", days_between(first, *date), run.len());
            }
        }
        for (date, n) in days.iter().filter(|(_, n)| *n > 0) {
            let height = (n.saturating_mul(27) / most.max(1)).clamp(1, 27);
            let _ = write!(path, "M{}.08 29v-{height}h.84v{height}z", days_between(first, *date));
        }
        let days = days_between(first, last) + 1;
        Self { words, axis: Axis::bars(first, days).in_columns(&[column]), days, known, path }
    }
}

/// The height of the tallest column.
const COLUMN_PIXELS: f64 = 90.0;
/// Room for the number above a column.
const ABOVE: f64 = 16.0;

/// Counts side by side, each with its label; those that may still grow are hatched.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-columns" role="img" aria-details="{{ words.table }}" height="{{ bottom + 20.0 }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis" x2="100%" y1="{{ bottom }}" y2="{{ bottom }}"/>
{% for bar in bars %}<rect class="{% if bar.is_closed %}p-bar{% else %}p-open{% endif %}" x="{{ bar.from }}" y="{{ bottom - bar.height }}" width="{{ bar.width }}" height="{{ bar.height }}"/>
<text class="p-count" x="{{ bar.middle }}" y="{{ bottom - bar.height - 4.0 }}">{{ bar.count }}</text><text class="p-tick" x="{{ bar.middle }}" y="{{ bottom + 15.0 }}" text-anchor="middle">{{ bar.label }}</text>{% endfor %}</svg>"##
)]
pub(crate) struct Columns {
    words: Words,
    bottom: f64,
    bars: Vec<Column>,
}

struct Column {
    from: At,
    width: At,
    middle: At,
    height: f64,
    is_closed: bool,
    count: String,
    label: String,
}

impl Columns {
    /// Of labels, heights, what is written above, and whether the height is the last word.
    pub(crate) fn new(words: Words, of: impl ExactSizeIterator<Item = (String, f64, String, bool)> + Clone) -> Self {
        let highest = of.clone().map(|(_, height, ..)| height).fold(1.0, f64::max);
        // A few bars keep the width that they would have among more.
        let share = 1.0 / of.len().max(6) as f64;
        let bar = |(index, (label, height, count, is_closed)): (usize, (String, f64, String, bool))| Column {
            from: At::of_share((index as f64 + 0.15) * share),
            width: At::of_share(0.7 * share),
            middle: At::of_share((index as f64 + 0.5) * share),
            height: (height / highest * COLUMN_PIXELS).round().max(0.0),
            is_closed,
            count,
            label,
        };
        Self { words, bottom: ABOVE + COLUMN_PIXELS, bars: of.enumerate().map(bar).collect() }
    }
}
