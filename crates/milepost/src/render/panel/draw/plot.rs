//! Lines with their bands over a common scale: over time, over days, or over whatever stands below.

use super::super::super::chart::{At, Words, axis::Axis, step};
use askama::Template;

/// Positions across within a line: enough for whoever looks at a fiftieth of it.
const ACROSS: f64 = 10_000.0;
/// Half the width of the interval of a single point, in such positions.
const BAR: i32 = 60;
/// Room above the highest value, for its label.
const ABOVE: f64 = 16.0;

/// What is drawn of lines, and beside them.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-plot" role="img"{% if let Some(axis) = axis %}{{ axis|safe }}{% endif +%} aria-details="{{ words.table }}" height="{{ bottom + 22.0 }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% for (y, label) in grid %}<line class="axis" x2="100%" y1="{{ y }}" y2="{{ y }}"/><text class="p-tick" x="-8" y="{{ y + 4.0 }}" text-anchor="end">{{ label }}</text>{% endfor %}
<g class="times">{% if let Some(until) = shade %}<rect class="p-shade" y="{{ above }}" width="{{ until }}" height="{{ pixels }}"/>{% endif %}
<svg y="{{ above }}" width="100%" height="{{ pixels }}" viewBox="0,0,10000,{{ pixels * 2.0 }}" preserveAspectRatio="none">
{% for line in lines %}{% if !line.band.is_empty() %}<path class="p-band {{+ line.class }}" d="{{ line.band }}"/>{% endif %}{% endfor %}
{% for line in lines %}{% if !line.path.is_empty() %}<path class="p-line {{+ line.class }}" d="{{ line.path }}"/>{% endif %}{% endfor %}
{% if let Some(slope) = slope %}<path class="p-slope" d="{{ slope }}"/>{% endif %}</svg>
{% for (x, width) in gaps %}<rect class="unknown" x="{{ x }}" y="{{ above }}" width="{{ width }}" height="{{ pixels }}"/>{% endfor %}
{% for line in lines %}{% for (x, y) in line.dots %}<circle class="p-end {{+ line.class }}" cx="{{ x }}" cy="{{ y }}" r="3.5"/>{% endfor %}{% endfor %}
{% for mark in marks %}<line class="p-mark" x1="{{ mark.at }}" x2="{{ mark.at }}" y1="4" y2="{{ bottom }}"/><text class="p-level" x="{{ mark.at }}" y="12" dx="4">{{ mark.label }}</text>{% endfor %}</g>
{% for (y, label) in levels %}<line class="target" x2="100%" y1="{{ y }}" y2="{{ y }}"/><text class="p-level" x="100%" y="{{ y - 5.0 }}" text-anchor="end">{{ label }}</text>{% endfor %}
<g class="dates">{% for tick in ticks %}<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="{{ bottom }}" y2="{{ bottom + 5.0 }}"/><text class="p-tick" x="{{ tick.at }}" y="{{ bottom + 19.0 }}" text-anchor="{% if tick.at.0 > 92.0 %}end{% else %}middle{% endif %}">{{ tick.label }}</text>{% endfor %}</g></svg>"##
)]
pub(crate) struct Plot {
    words: Words,
    axis: Option<Axis>,
    above: f64,
    pixels: f64,
    bottom: f64,
    grid: Vec<(f64, String)>,
    levels: Vec<(f64, String)>,
    marks: Vec<Tick>,
    ticks: Vec<Tick>,
    lines: Vec<Line>,
    /// How far from the beginning it is shaded.
    shade: Option<At>,
    /// Where something is missing.
    gaps: Vec<(At, At)>,
    /// A straight line.
    slope: Option<String>,
    low: f64,
    high: f64,
}

struct Tick {
    at: At,
    label: String,
}

struct Line {
    class: &'static str,
    path: String,
    band: String,
    /// Its end, and points with none beside them.
    dots: Vec<(At, f64)>,
}

/// A value with the ends of its interval, at a place from 0 to 1.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) at: f64,
    pub(crate) value: f64,
    pub(crate) interval: [f64; 2],
}

/// How points are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// A value holds until the next one.
    Steps,
    /// The same, from the end to the beginning.
    StepsBack,
    /// From one to the next.
    Lines,
}

impl Plot {
    /// An empty one of this height, for values from `low` to `high` with lines at each `step`.
    pub(crate) fn new(words: Words, pixels: f64, [low, high]: [f64; 2], step: f64, label: impl Fn(f64) -> String) -> Self {
        let mut plot = Self {
            words,
            axis: None,
            above: ABOVE,
            pixels,
            bottom: ABOVE + pixels,
            grid: Vec::new(),
            levels: Vec::new(),
            marks: Vec::new(),
            ticks: Vec::new(),
            lines: Vec::new(),
            shade: None,
            gaps: Vec::new(),
            slope: None,
            low,
            high,
        };
        let steps = ((high - low) / step).round().clamp(0.0, 20.0) as u32;
        plot.grid = (0..=steps).map(|n| low + f64::from(n) * step).map(|value| (plot.y(value), label(value))).collect();
        plot
    }

    /// It is one over time.
    pub(crate) fn over(self, axis: Axis) -> Self {
        Self { axis: Some(axis), ..self }
    }

    /// A line across at a value.
    pub(crate) fn level(mut self, value: f64, label: String) -> Self {
        self.levels.push((self.y(value), label));
        self
    }

    /// A line from top to bottom.
    pub(crate) fn mark(mut self, at: f64, label: &str) -> Self {
        self.marks.push(Tick { at: At::of_share(at), label: label.to_owned() });
        self
    }

    /// What places across stand for.
    pub(crate) fn ticks(mut self, ticks: impl IntoIterator<Item = (At, String)>) -> Self {
        self.ticks.extend(ticks.into_iter().map(|(at, label)| Tick { at, label }));
        self
    }

    /// Shaded from the beginning up to a place.
    pub(crate) fn shade(self, until: f64) -> Self {
        Self { shade: Some(At::of_share(until.clamp(0.0, 1.0))), ..self }
    }

    /// Nothing is known from one place to another.
    pub(crate) fn gap(mut self, [from, to]: [f64; 2]) -> Self {
        self.gaps.push((At::of_share(from), At::of_share(to - from)));
        self
    }

    /// A straight line between two places, each with its value.
    pub(crate) fn slope(self, ends: [(f64, f64); 2]) -> Self {
        let [[x, y], [to_x, to_y]] = ends.map(|(at, value)| [across(at), self.half_pixels(value)]);
        Self { slope: Some(format!("M{x} {y}L{to_x} {to_y}")), ..self }
    }

    /// A line with its band, of runs of points that are joined; none without points.
    pub(crate) fn line<'a>(mut self, class: &'static str, runs: impl IntoIterator<Item = &'a [Point]>, join: Join) -> Self {
        let mut line = Line { class, path: String::new(), band: String::new(), dots: Vec::new() };
        let mut end = None;
        for places in runs.into_iter().map(|run| self.places(run, join)) {
            let Some(&[x, y, low, high]) = places.last() else { continue };
            let dot = (At::of_share(f64::from(x) / ACROSS), ABOVE + f64::from(y) / 2.0);
            if places.len() == 1 {
                // Alone it has no line, and its interval the width of a bar.
                line.band += &format!("M{} {low}h{}v{}h{}z", x - BAR, 2 * BAR, high - low, -2 * BAR);
                line.dots.push(dot);
                end = None;
                continue;
            }
            let of = |place: usize| move |of: &[i32; 4]| [of[0], of[place]];
            let back = if join == Join::Steps { Join::StepsBack } else { join };
            let (there, back) = (path(places.iter().map(of(3)), join), path(places.iter().rev().map(of(2)), back));
            line.band += &format!("M{there}L{back}z");
            line.path += &format!("M{}", path(places.iter().map(of(1)), join));
            end = Some(dot);
        }
        line.dots.extend(end);
        if !line.dots.is_empty() {
            self.lines.push(line);
        }
        self
    }

    /// Where each point is: across, and value and interval from above. Less than a pixel's change is not seen, but for the last one,
    /// which the numbers name.
    fn places(&self, points: &[Point], join: Join) -> Vec<[i32; 4]> {
        let mut places: Vec<[i32; 4]> = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let [low, high] = point.interval;
            let place = [across(point.at), self.half_pixels(point.value), self.half_pixels(low), self.half_pixels(high)];
            let is_seen = |before: &[i32; 4]| before.iter().zip(place).skip(1).any(|(before, now)| before.abs_diff(now) >= 2);
            if index + 1 == points.len() || join == Join::Lines || places.last().is_none_or(is_seen) {
                places.push(place);
            }
        }
        places
    }

    fn half_pixels(&self, value: f64) -> i32 {
        // At most twice the height.
        ((self.y(value) - ABOVE) * 2.0).round() as i32
    }

    fn y(&self, value: f64) -> f64 {
        let from_above = ((self.high - value) / (self.high - self.low)).clamp(0.0, 1.0);
        ABOVE + (from_above * self.pixels * 2.0).round() / 2.0
    }
}

fn across(at: f64) -> i32 {
    (at.clamp(0.0, 1.0) * ACROSS).round() as i32
}

/// The ends of a scale that values fit on, at round numbers, and how far those are apart: few enough that each can be written.
pub(crate) fn scale(low: f64, high: f64, least: f64) -> ([f64; 2], f64) {
    let step = step((high - low).max(least) * 1.6);
    ([(low / step).floor() * step, (high / step).ceil() * step], step)
}

/// The way from the first place to the last, each relative to the one before.
fn path(mut places: impl Iterator<Item = [i32; 2]>, join: Join) -> String {
    let Some(mut before) = places.next() else { return String::new() };
    let mut path = format!("{} {}", before[0], before[1]);
    for place in places {
        let [dx, dy] = [place[0] - before[0], place[1] - before[1]];
        path += &match join {
            Join::Steps => format!("h{dx}v{dy}"),
            Join::StepsBack => format!("v{dy}h{dx}"),
            // A sign parts two numbers as well as a space does.
            Join::Lines => format!("l{dx}{dy:+}"),
        };
        before = place;
    }
    path
}
