//! Charts as SVG, drawn here and not in the browser: an interval against its target, and a metric day by day.
//!
//! Horizontal positions are percentages and the rest is pixels, so that a chart fills whatever width it gets while its text
//! and strokes keep their size. Colours come from the page's style sheet; texts are escaped by the templates.

pub(crate) mod axis;
pub(crate) mod cells;

use self::axis::Axis;
use askama::Template;
use jiff::civil::Date;
use milepost_judge::{
    Relation, Verdict,
    scorecard::{Judgement, Target, TrendPoint},
};
use std::fmt;

/// A horizontal position, in percent of the chart's width.
#[derive(Clone, Copy)]
pub(crate) struct At(pub(crate) f64);

impl At {
    /// The place of a share from 0 to 1.
    pub(crate) const fn of_share(share: f64) -> Self {
        Self(100.0 * share)
    }

    /// Which end of a text stands here, so that none leaves the chart.
    pub(crate) fn anchor(self) -> &'static str {
        match self.0 {
            x if x < 20.0 => "start",
            x if x > 80.0 => "end",
            _ => "middle",
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tenth of a percent is less than a pixel on every screen that a chart fits on.
        write!(f, "{}%", (self.0 * 10.0).round() / 10.0)
    }
}

/// What a screen reader is told of a chart.
pub(crate) struct Words {
    /// What is drawn.
    pub(crate) title: String,
    /// What there is to see, where the title does not say it.
    pub(crate) description: String,
    /// The id of the table with the same numbers.
    pub(crate) table: String,
}

/// Estimate and interval against the target: how close, and how sure.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="band{% if compact +%} compact{% endif %}" role="img" aria-details="{{ words.table }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% if let Some(bar) = good %}<rect class="good" x="{{ bar.from }}" y="{{ y - 6 }}" width="{{ bar.width }}" height="12"/>{% endif %}
{% if unknown %}<rect class="unknown" y="{{ y - 6 }}" width="100%" height="12"/>{% endif %}
<line class="axis" x2="100%" y1="{{ y + 6 }}" y2="{{ y + 6 }}"/>
{% if let Some(bar) = interval %}<rect class="interval" x="{{ bar.from }}" y="{{ y - 3 }}" width="{{ bar.width }}" height="6"/>
{% if bar.open_low %}<svg y="{{ y }}"><path class="open" d="M6-5 1 0 6 5"/></svg>{% endif %}
{% if bar.open_high %}<svg x="100%" y="{{ y }}"><path class="open" d="M-6-5-1 0-6 5"/></svg>{% endif %}{% endif %}
{% if let Some(mark) = target %}<line class="target" x1="{{ mark.at }}" x2="{{ mark.at }}" y1="{{ y - 10 }}" y2="{{ y + 10 }}"/>
{% if !compact %}<text class="bound" x="{{ mark.at }}" y="11" text-anchor="{{ mark.at.anchor() }}">{{ mark.label }}</text>{% endif %}{% endif %}
{% if let Some(at) = estimate %}<circle class="estimate" cx="{{ at }}" cy="{{ y }}" r="5.5"/>{% endif %}
{% if endless %}<svg x="100%" y="{{ y }}"><path class="estimate" d="M-11-7 0 0-11 7z"/></svg>{% endif %}
{% if let Some([low, high]) = scale && !compact %}<text class="end" y="{{ y + 20 }}">{{ low }}</text>
<text class="end" x="100%" y="{{ y + 20 }}">{{ high }}</text>{% endif %}</svg>"##
)]
pub(crate) struct Band {
    words: Words,
    compact: bool,
    /// The middle of the track, from above.
    y: u32,
    /// The side of the target that is good.
    good: Option<Bar>,
    interval: Option<Bar>,
    estimate: Option<At>,
    /// The estimate lies beyond every number: failures decide it.
    endless: bool,
    /// Nothing was observed.
    unknown: bool,
    target: Option<Mark>,
    /// What the two ends stand for.
    scale: Option<[String; 2]>,
}

struct Bar {
    from: At,
    width: At,
    open_low: bool,
    open_high: bool,
}

struct Mark {
    at: At,
    label: String,
}

/// How much room a chart has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// A row of its own: target and ends of the scale are written.
    Row,
    /// A cell of a table, where the target stands in another.
    Cell,
}

impl Band {
    /// The chart of a judgement; `None` where there is nothing to draw. `sampled` tells whether what was observed is a sample,
    /// which has an interval even where neither side is bounded yet, or the thing itself, which has none.
    pub(crate) fn new(judgement: &Judgement, sampled: bool, scale: &Scale, room: Room, words: Words) -> Option<Self> {
        let bound = judgement.target.as_ref().and_then(bound);
        let estimate = judgement.estimate.filter(|v| v.is_finite());
        let interval = judgement.interval.map(|end| end.filter(|v| v.is_finite()));
        let known = judgement.n > 0 && (estimate.is_some() || is_endless(judgement));
        // A target alone tells in a row what is asked; a table says it in the next cell.
        if !known && (bound.is_none() || room == Room::Cell) {
            return None;
        }
        let good =
            bound.map(|(relation, limit)| if relation.is_upper() { scale.bar(scale.low, limit) } else { scale.bar(limit, scale.high) });
        let observed = (sampled && known).then(|| {
            let [mut low, high] = interval;
            // A quantile that failures decide has no finite bounds; that it is proven to be beyond the target, is known.
            if is_endless(judgement) && judgement.verdict == Verdict::Missed {
                low = low.or(bound.map(|(_, limit)| limit));
            }
            let bar = scale.bar(low.unwrap_or(scale.low), high.unwrap_or(scale.high));
            // An end that the chart has no room for goes on, like one that does not exist; the table tells which it is.
            let open_low = low.is_none_or(|v| v < scale.low);
            let open_high = high.is_none_or(|v| v > scale.high);
            Bar { open_low, open_high, ..bar }
        });
        Some(Self {
            words,
            compact: room == Room::Cell,
            y: if room == Room::Cell { 14 } else { 28 },
            good,
            interval: observed,
            estimate: estimate.filter(|_| known).map(|v| scale.at(v)),
            endless: known && is_endless(judgement),
            unknown: !known,
            target: judgement.target.as_ref().zip(bound).map(|(target, (_, limit))| Mark { at: scale.at(limit), label: sign(target) }),
            scale: scale.written.then(|| [scale.low, scale.high].map(|end| amount(end, &judgement.unit))),
        })
    }
}

/// Whether something was observed that no finite number describes: a quantile that failures decide.
pub(crate) fn is_endless(judgement: &Judgement) -> bool {
    judgement.n > 0 && judgement.estimate.is_none() && judgement.successes.is_some()
}

/// Which numbers the two ends of a chart stand for.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    /// Whether there is anything that the ends can be read against.
    written: bool,
}

impl Scale {
    /// A scale with room for what these judgements have to show, in the unit that they share.
    pub(crate) fn of(judgements: &[&Judgement]) -> Self {
        let targets = || judgements.iter().filter_map(|judgement| judgement.target.as_ref());
        let bounds: Vec<_> = targets().filter_map(bound).collect();
        let finite = |v: &f64| v.is_finite();
        let estimates = judgements.iter().filter_map(|judgement| judgement.estimate).filter(finite);
        let anchors: Vec<f64> = bounds.iter().map(|(_, limit)| *limit).chain(estimates).collect();
        let ends: Vec<f64> = judgements.iter().flat_map(|judgement| judgement.interval).flatten().filter(finite).collect();
        let all = if anchors.is_empty() { &ends } else { &anchors };
        let (Some(low), Some(high)) = (all.iter().copied().reduce(f64::min), all.iter().copied().reduce(f64::max)) else {
            return Self { low: 0.0, high: 1.0, written: false };
        };
        let shares = judgements.iter().all(|judgement| judgement.unit == "%");
        // A share that has to be high is read from 100% downwards: near the goal, where zero would be far off the chart.
        if shares && high <= 100.0 && bounds.iter().any(|(relation, limit)| !relation.is_upper() && *limit >= 50.0) {
            let low = ends.iter().copied().fold(low, f64::min);
            let step = step(100.0 - low);
            return Self { low: ((low - 0.3 * (100.0 - low)) / step).floor().max(0.0) * step, high: 100.0, written: true };
        }
        // A single far end of the interval must not squeeze estimate and target into a corner.
        let reach = 2.0 * (high - low).max(high.abs() / 2.0);
        let low = ends.iter().copied().filter(|v| *v >= low - reach).fold(low, f64::min).min(0.0);
        let high = ends.iter().copied().filter(|v| *v <= high + reach).fold(high, f64::max);
        let high = if high > low { high + 0.12 * (high - low) } else { low + 1.0 };
        let step = step(high - low);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, written: true }
    }

    fn at(&self, value: f64) -> At {
        At((100.0 * (value - self.low) / (self.high - self.low)).clamp(0.0, 100.0))
    }

    fn bar(&self, from: f64, to: f64) -> Bar {
        let (from, to) = (self.at(from), self.at(to));
        Bar { from, width: At((to.0 - from.0).max(0.0)), open_low: false, open_high: false }
    }
}

/// A round number of which a span has about eight.
pub(crate) fn step(span: f64) -> f64 {
    let raw = span / 8.0;
    let power = 10_f64.powf(raw.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|round| round * power >= raw).unwrap_or(10.0);
    round * power
}

/// The metric on each day, with gaps for the days that have no events, against the target.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="days{% if room == Room::Cell +%} compact{% endif %}" role="img"{{ axis|safe +}} aria-details="{{ words.table }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis" x2="100%" y1="{{ pixels + 7 }}.5" y2="{{ pixels + 7 }}.5"/>
{% if let Some(y) = target %}<line class="target" x2="100%" y1="{{ y }}" y2="{{ y }}"/>{% endif %}
<g class="times">{% if !path.is_empty() %}<svg y="4" width="100%" height="{{ pixels }}" viewBox="0,0,{{ span }},{{ pixels * 2 }}" preserveAspectRatio="none"><path class="line" d="{{ path }}"/></svg>{% endif %}
{% for (x, y) in dots %}<circle class="dot" cx="{{ x }}" cy="{{ y }}" r="1.75"/>{% endfor %}
{% for x in endless %}<use class="dot" href="#endless" x="{{ x }}" y="4"/>{% endfor %}
{% if let Some((x, y)) = newest %}<circle class="newest" cx="{{ x }}" cy="{{ y }}" r="3.5"/>{% endif %}</g></svg>"##
)]
pub(crate) struct Days {
    words: Words,
    axis: Axis,
    room: Room,
    /// How many days it covers, less one.
    span: i32,
    /// Height of the part in which values are drawn.
    pixels: i32,
    /// The line, in days and half pixels, each point relative to the one before: a year of days is a kilobyte and not three.
    path: String,
    dots: Vec<(At, f64)>,
    /// Days whose value no finite number describes.
    endless: Vec<At>,
    newest: Option<(At, f64)>,
    target: Option<f64>,
}

impl Days {
    /// The chart of a trend up to `today`; `None` where there is no day to draw.
    pub(crate) fn new(trend: &[TrendPoint], target: Option<&Target>, today: Date, room: Room, words: Words) -> Option<Self> {
        let limit = target.and_then(bound).map(|(_, limit)| limit);
        Self::on(&Frame::of([trend], limit, today)?, trend, limit, room, words)
    }

    /// The same on a frame that several trends share, so that they can be compared.
    pub(crate) fn on(frame: &Frame, trend: &[TrendPoint], limit: Option<f64>, room: Room, words: Words) -> Option<Self> {
        let &Frame { first, last, low, high } = frame;
        trend.first()?;
        let span = days_between(first, last);
        let pixels = if room == Room::Cell { 24 } else { 40 };
        let half_pixels = |value: f64| {
            let from_above = if high > low { (high - value) / (high - low) } else { 0.5 };
            // At most twice `pixels`.
            (from_above * f64::from(2 * pixels)).round() as i32
        };
        let y = |value: f64| PADDING + f64::from(half_pixels(value)) / 2.0;
        let x = |date: Date| At(if span == 0 { 100.0 } else { 100.0 * f64::from(days_between(first, date)) / f64::from(span) });

        let (mut path, mut dots, mut endless, mut newest) = (String::new(), Vec::new(), Vec::new(), None);
        // Days that follow one another are one line; a day that is missing or has no finite value ends it.
        let follows = |a: &TrendPoint, b: &TrendPoint| finite(a).is_some() && finite(b).is_some() && days_between(a.date, b.date) == 1;
        for run in trend.chunk_by(follows) {
            let mut above = None;
            for day in run {
                let Some(value) = finite(day) else {
                    endless.push(x(day.date));
                    continue;
                };
                let point = half_pixels(value);
                match above.replace(point) {
                    _ if run.len() == 1 => dots.push((x(day.date), y(value))),
                    None => path.push_str(&format!("M{} {point}", days_between(first, day.date))),
                    // A sign parts two numbers as well as a space does.
                    Some(before) => path.push_str(&format!("l1{:+}", point - before)),
                }
                newest = Some((x(day.date), y(value)));
            }
        }
        Some(Self { words, axis: Axis::days(first, span), room, span, pixels, path, dots, endless, newest, target: limit.map(y) })
    }

    /// Its numbers are in one column of its table, which has a row for each day.
    pub(crate) fn in_column(self, column: usize) -> Self {
        Self { axis: self.axis.in_columns(&[column]), ..self }
    }
}

/// The days and values that a chart of days has room for.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) first: Date,
    pub(crate) last: Date,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Frame {
    /// Room for these trends up to `today`, and for the limit; `None` where there is no day.
    pub(crate) fn of<'a>(trends: impl IntoIterator<Item = &'a [TrendPoint]>, limit: Option<f64>, today: Date) -> Option<Self> {
        let days: Vec<&TrendPoint> = trends.into_iter().flatten().collect();
        let values = || days.iter().filter_map(|day| finite(day)).chain(limit);
        Some(Self {
            first: days.iter().map(|day| day.date).min()?,
            last: days.iter().map(|day| day.date).max()?.max(today),
            low: values().reduce(f64::min).unwrap_or(0.0),
            high: values().reduce(f64::max).unwrap_or(1.0),
        })
    }
}

fn finite(day: &TrendPoint) -> Option<f64> {
    day.value.filter(|v| v.is_finite())
}

/// Room above the highest value.
const PADDING: f64 = 4.0;

/// How many days lie between two dates.
pub(crate) fn days_between(from: Date, to: Date) -> i32 {
    // Dates are years -9999 to 9999 apart at most, which is less than eight million days.
    from.until(to).map_or(0, |span| span.get_days())
}

/// The bound of a target, and its side.
pub(crate) fn bound(target: &Target) -> Option<(Relation, f64)> {
    [
        (Relation::Below, target.below),
        (Relation::AtMost, target.at_most),
        (Relation::Above, target.above),
        (Relation::AtLeast, target.at_least),
    ]
    .into_iter()
    .find_map(|(relation, limit)| limit.filter(|v| v.is_finite()).map(|limit| (relation, limit)))
}

/// A target in short: `< 500 ms`.
pub(crate) fn sign(target: &Target) -> String {
    bound(target).map_or_else(String::new, |(relation, limit)| format!("{}\u{a0}{}", relation.sign(), amount(limit, &target.unit)))
}

/// A number with its unit, which a line break never parts.
pub(crate) fn amount(value: f64, unit: &str) -> String {
    let space = if matches!(unit, "" | "%") { "" } else { "\u{a0}" };
    format!("{}{space}{unit}", milepost_judge::digits(value))
}
