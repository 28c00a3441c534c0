//! A line with its band, over time or over days, drawn as [`chart`](crate::render::chart) draws: positions across are percentages.

use crate::render::chart::{At, Words};
use askama::Template;

/// Positions across within a line.
const ACROSS: f64 = 1000.0;
/// Half the width of the interval of a single point, in such positions.
const BAR: i32 = 8;
/// Room above the highest value, for its label.
const ABOVE: f64 = 16.0;

/// One or two lines over a common scale.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-plot" role="img" aria-details="{{ words.table }}" height="{{ height }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% for (y, _) in grid %}<line class="p-grid" x2="100%" y1="{{ y }}" y2="{{ y }}"/>{% endfor %}
{% for mark in marks %}<line class="p-mark" x1="{{ mark.at }}" x2="{{ mark.at }}" y1="4" y2="{{ bottom }}"/>{% endfor %}
<svg y="{{ above }}" width="100%" height="{{ pixels }}" viewBox="0,0,1000,{{ pixels * 2.0 }}" preserveAspectRatio="none">
{% for line in lines %}<path class="p-band {{+ line.class }}" d="{{ line.band }}"/>{% endfor %}
{% for line in lines %}{% if !line.path.is_empty() %}<path class="p-line {{+ line.class }}" d="{{ line.path }}"/>{% endif %}{% endfor %}</svg>
{% for line in lines %}<circle class="p-end {{+ line.class }}" cx="{{ line.end.0 }}" cy="{{ line.end.1 }}" r="3.5"/>{% endfor %}
{% for (y, label) in grid %}<text class="p-tick" y="{{ y - 3.0 }}">{{ label }}</text>{% endfor %}
{% for (y, label) in levels %}<line class="target" x2="100%" y1="{{ y }}" y2="{{ y }}"/><text class="p-level" x="100%" y="{{ y - 5.0 }}">{{ label }}</text>{% endfor %}
{% for mark in marks %}<text class="p-level p-of-mark" x="{{ mark.at }}" y="12" dx="4">{{ mark.label }}</text>{% endfor %}
{% for tick in ticks %}<text class="p-tick" x="{{ tick.at }}" y="{{ bottom + 15.0 }}" text-anchor="{{ tick.at.anchor() }}">{{ tick.label }}</text>{% endfor %}</svg>"##
)]
pub(super) struct Plot {
    words: Words,
    height: f64,
    above: f64,
    pixels: f64,
    bottom: f64,
    grid: Vec<(f64, String)>,
    levels: Vec<(f64, String)>,
    marks: Vec<Tick>,
    ticks: Vec<Tick>,
    lines: Vec<Line>,
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
    end: (At, f64),
}

/// A value with the ends of its interval, at a place from 0 to 1.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: f64,
    pub(super) interval: [f64; 2],
}

/// How points are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// A value holds until the next one.
    Steps,
    /// The same, from the end to the beginning.
    StepsBack,
    /// From one to the next.
    Lines,
}

impl Plot {
    /// An empty one of this height, for values from `low` to `high` with lines at each `step`.
    pub(super) fn new(words: Words, pixels: f64, [low, high]: [f64; 2], step: f64, label: impl Fn(f64) -> String) -> Self {
        let bottom = ABOVE + pixels;
        let mut plot = Self {
            words,
            height: bottom + 20.0,
            above: ABOVE,
            pixels,
            bottom,
            grid: Vec::new(),
            levels: Vec::new(),
            marks: Vec::new(),
            ticks: Vec::new(),
            lines: Vec::new(),
            low,
            high,
        };
        let steps = ((high - low) / step).round().clamp(0.0, 20.0) as u32;
        plot.grid = (0..=steps).map(|n| low + f64::from(n) * step).map(|value| (plot.y(value), label(value))).collect();
        plot
    }

    /// A line across at a value.
    pub(super) fn level(mut self, value: f64, label: String) -> Self {
        self.levels.push((self.y(value), label));
        self
    }

    /// A line from top to bottom.
    pub(super) fn mark(mut self, at: f64, label: &str) -> Self {
        self.marks.push(Tick { at: At::of_share(at), label: label.to_owned() });
        self
    }

    /// What a place across stands for.
    pub(super) fn tick(mut self, at: f64, label: &str) -> Self {
        self.ticks.push(Tick { at: At::of_share(at), label: label.to_owned() });
        self
    }

    /// A line with its band; none without points.
    pub(super) fn line(mut self, class: &'static str, points: &[Point], join: Join) -> Self {
        let place = |point: &Point| {
            let x = (point.at.clamp(0.0, 1.0) * ACROSS).round() as i32;
            [x, self.half_pixels(point.value), self.half_pixels(point.interval[0]), self.half_pixels(point.interval[1])]
        };
        let mut places: Vec<[i32; 4]> = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let place = place(point);
            // Less than a pixel's change is not seen, but for the last one, which the numbers name.
            let is_seen = |before: &[i32; 4]| before.iter().zip(place).skip(1).any(|(before, now)| before.abs_diff(now) >= 2);
            if index + 1 == points.len() || join == Join::Lines || places.last().is_none_or(is_seen) {
                places.push(place);
            }
        }
        let Some(last) = places.last() else { return self };
        let end = (At::of_share(f64::from(last[0]) / ACROSS), ABOVE + f64::from(last[1]) / 2.0);
        if let [[x, _, low, high]] = places[..] {
            // Alone it has no line, and its interval the width of a bar.
            let band = format!("M{} {low}h{}v{}h{}z", x - BAR, 2 * BAR, high - low, -2 * BAR);
            self.lines.push(Line { class, path: String::new(), band, end });
            return self;
        }
        let there: Vec<_> = places.iter().map(|place| [place[0], place[3]]).collect();
        let back: Vec<_> = places.iter().rev().map(|place| [place[0], place[2]]).collect();
        let band = format!("M{}L{}z", path(&there, join), path(&back, if join == Join::Steps { Join::StepsBack } else { join }));
        let line = format!("M{}", path(&places.iter().map(|place| [place[0], place[1]]).collect::<Vec<_>>(), join));
        self.lines.push(Line { class, path: line, band, end });
        self
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

/// The way from the first place to the last, each relative to the one before.
fn path(places: &[[i32; 2]], join: Join) -> String {
    let Some([x, y]) = places.first() else { return String::new() };
    let mut path = format!("{x} {y}");
    for (before, place) in places.iter().zip(places.iter().skip(1)) {
        let [dx, dy] = [place[0] - before[0], place[1] - before[1]];
        path += &match join {
            Join::Steps => format!("h{dx}v{dy}"),
            Join::StepsBack => format!("v{dy}h{dx}"),
            Join::Lines => format!("l{dx} {dy}"),
        };
    }
    path
}
