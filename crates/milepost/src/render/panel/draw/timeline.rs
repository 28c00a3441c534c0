//! The verdicts on one criterion, day by day.

use super::super::super::chart::{At, Words, axis::Axis, days_between};
use askama::Template;
use jiff::civil::Date;
use milepost_judge::Verdict;
use std::fmt::Write;

/// A shape for each verdict, so that nobody needs their colours.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-record" role="img"{{ axis|safe +}} aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis p-nothing" x2="100%" y1="22" y2="22"/><g class="times">
{% if !drawn.is_empty() %}<svg width="100%" height="40" viewBox="0,0,{{ days }},40" preserveAspectRatio="none">
{% for (verdict, path) in drawn %}<path class="interval" data-verdict="{{ verdict }}" d="{{ path }}"/>{% endfor %}</svg>{% endif %}
{% for (from, width) in unknown %}<rect class="unknown" x="{{ from }}" y="18" width="{{ width }}" height="8"/>{% endfor %}
{% for (from, width) in excluded %}<rect class="p-excluded" x="{{ from }}" y="2" width="{{ width }}" height="36"/>{% endfor %}
{% for (at, change) in changes %}<svg x="{{ at }}" y="22"><path class="dot p-sign" d="{{ change }}"/></svg>{% endfor %}</g></svg>"##
)]
pub(crate) struct Timeline {
    words: Words,
    axis: Axis,
    days: i32,
    /// Each verdict that says something, with its stretches.
    drawn: Vec<(&'static str, String)>,
    /// Stretches without data, or with stale ones.
    unknown: Vec<(At, At)>,
    /// Periods that do not count.
    excluded: Vec<(At, At)>,
    /// Where a definition changed, and the mark for it.
    changes: Vec<(At, &'static str)>,
}

impl Timeline {
    /// Between two days: the stretches of days with one verdict, the periods that do not count, and the days of changes, each with its
    /// mark.
    pub(crate) fn new(
        [first, last]: [Date; 2],
        stretches: &[([Date; 2], Verdict)],
        excluded: &[[Date; 2]],
        changes: &[(Date, &'static str)],
        words: Words,
    ) -> Self {
        let days = days_between(first, last) + 1;
        let at = |date: Date| 100.0 * f64::from(days_between(first, date)) / f64::from(days);
        let span = |[from, to]: &[Date; 2]| (At(at(*from)), At(at(*to) + 100.0 / f64::from(days) - at(*from)));
        let drawn = [(Verdict::Met, 4, 18), (Verdict::Missed, 22, 14), (Verdict::NotProven, 18, 8)].map(|(verdict, y, height)| {
            let mut path = String::new();
            for ([from, to], _) in stretches.iter().filter(|(_, of)| *of == verdict) {
                let width = days_between(*from, *to) + 1;
                // Writing to a String cannot fail.
                let _ = write!(path, "M{} {y}h{width}v{height}h-{width}z", days_between(first, *from));
            }
            (verdict.name(), path)
        });
        let is_unknown = |verdict| matches!(verdict, Verdict::NoData | Verdict::Stale);
        Self {
            words,
            axis: Axis::bars(first, days),
            days,
            drawn: drawn.into_iter().filter(|(_, path)| !path.is_empty()).collect(),
            unknown: stretches.iter().filter(|(_, verdict)| is_unknown(*verdict)).map(|(ends, _)| span(ends)).collect(),
            excluded: excluded.iter().map(span).collect(),
            changes: changes.iter().map(|(date, mark)| (At(at(*date) + 50.0 / f64::from(days)), *mark)).collect(),
        }
    }
}
