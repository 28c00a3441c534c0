//! The charts of the panels, drawn like those of the criteria: positions in percent, strokes in pixels, colours of the style sheet.
//! None of them is green, since nothing here is judged, but for the verdicts of the history.

use super::super::chart::{At, Words, days_between};
use askama::Template;
use jiff::civil::Date;
use milepost_judge::Verdict;
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
    source = r##"<svg class="m-bars" role="img" aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% for (at, _) in ticks %}<line class="axis" x1="{{ at }}" x2="{{ at }}" y1="12" y2="88"/>{% endfor %}
<svg y="14" width="{{ DURATIONS }}%" height="{{ PIXELS }}" viewBox="0,0,{{ bars }},{{ PIXELS }}" preserveAspectRatio="none"><path class="m-bar" d="{{ path }}"/></svg>
<line class="axis" x2="100%" y1="86.5" y2="86.5"/>
{% if let Some(height) = failed %}<rect class="unknown" x="{{ FAILED[0] }}%" y="{{ 86 - height }}" width="{{ FAILED[1] }}%" height="{{ height }}"/>{% endif %}
{% for at in limits %}<line class="target" x1="{{ at }}" x2="{{ at }}" y1="4" y2="92"/>{% endfor %}
{% if let Some(at) = p50 %}<svg x="{{ at }}"><path class="open m-mark" d="M-5 2H5L0 11z"/></svg>{% endif %}
{% if let Some(at) = p95 %}<svg x="{{ at }}"><path class="dot" d="M-5 2H5L0 11z"/></svg>{% endif %}
{% for (at, label) in ticks %}<text class="m-tick" x="{{ at }}" y="103" text-anchor="{% if at.0 < 5.0 %}start{% else %}middle{% endif %}">{{ label }}</text>{% endfor %}
{% if failed.is_some() %}<text class="m-tick" x="100%" y="103" text-anchor="end">failed</text>{% endif %}</svg>"##
)]
pub(super) struct Bars {
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
pub(super) enum Mark {
    At(f64),
    /// It falls on a failure.
    Failed,
    Unknown,
}

impl Bars {
    /// Of counts between edges in milliseconds, which rise.
    pub(super) fn new(edges: &[f64], counts: &[u64], failed: u64, quantiles: [Mark; 2], limits: &[f64], words: Words) -> Self {
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
    source = r##"<svg class="m-days" role="img" aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<svg width="100%" height="30" viewBox="0,0,{{ days }},30" preserveAspectRatio="none"><path class="m-known" d="{{ known }}"/><path class="m-bar" d="{{ path }}"/></svg></svg>"##
)]
pub(super) struct DayBars {
    words: Words,
    days: i32,
    /// Stretches of days on which something is known.
    known: String,
    path: String,
}

impl DayBars {
    /// Of days that are known, in order, each with its count, between two days; `most` is the height of all.
    pub(super) fn new([first, last]: [Date; 2], days: &[(Date, u64)], most: u64, words: Words) -> Self {
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
        Self { words, days: days_between(first, last) + 1, known, path }
    }
}

/// Memory over time: between which readings it moved, their medians, and the line through them.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="m-series" role="img" aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis" x2="100%" y1=".5" y2=".5"/><line class="axis" x2="100%" y1="160.5" y2="160.5"/>
{% if let Some(until) = warm_up %}<rect class="m-warm" width="{{ until }}" height="160"/>{% endif %}
<svg width="100%" height="160" viewBox="0,0,1000,160" preserveAspectRatio="none"><path class="m-band" d="{{ band }}"/><path class="line" d="{{ medians }}"/></svg>
{% for (x, y) in alone %}<circle class="dot" cx="{{ x }}" cy="{{ y }}" r="2"/>{% endfor %}
{% for (x, width) in gaps %}<rect class="unknown" x="{{ x }}" y="0" width="{{ width }}" height="160"/>{% endfor %}
{% if let Some(([x1, x2], [y1, y2])) = line %}<line class="m-slope" x1="{{ x1 }}" x2="{{ x2 }}" y1="{{ y1 }}" y2="{{ y2 }}"/>{% endif %}
<text class="m-tick" y="14">{{ ends[1] }}</text><text class="m-tick" y="154">{{ ends[0] }}</text></svg>"##
)]
pub(super) struct Series {
    words: Words,
    band: String,
    medians: String,
    /// Readings with none beside them.
    alone: Vec<(At, f64)>,
    /// Where readings are missing or incomplete.
    gaps: Vec<(At, At)>,
    /// How far the product warmed up.
    warm_up: Option<At>,
    /// From where to where the line goes: percent, and pixels.
    line: Option<([At; 2], [f64; 2])>,
    /// What the lower and the upper end stand for.
    ends: [String; 2],
}

/// A stretch of a series: where it lies in parts of its length, and the lowest, the median and the highest; `None` where nothing is
/// known.
pub(super) struct Stretch {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) values: Option<[f64; 3]>,
}

impl Series {
    /// `line` in parts of the length, and values.
    pub(super) fn new(stretches: &[Stretch], line: Option<[[f64; 2]; 2]>, write: impl Fn(f64) -> String, words: Words) -> Self {
        let values = || stretches.iter().filter_map(|stretch| stretch.values).flatten().chain(line.into_iter().flat_map(|line| line[1]));
        let (low, high) = (values().reduce(f64::min).unwrap_or(0.0), values().reduce(f64::max).unwrap_or(1.0));
        // Noise of a few percent must not look like a mountain.
        let room = (high - low).max(0.1 * high.abs()).max(f64::MIN_POSITIVE);
        let (low, high) = ((low - (room - (high - low)) / 2.0 - 0.08 * room).max(0.0), high + (room - (high - low)) / 2.0 + 0.08 * room);
        let y = |value: f64| ((high - value) / (high - low) * 1600.0).round() / 10.0;
        let x = |part: f64| (part * 1000.0).round();
        let (mut band, mut medians, mut alone) = (String::new(), String::new(), Vec::new());
        for run in stretches.chunk_by(|a, b| a.values.is_some() && b.values.is_some() && (b.from - a.to).abs() < 1e-6) {
            let known: Vec<_> = run.iter().filter_map(|s| Some((x(f64::midpoint(s.from, s.to)), s.values?))).collect();
            if let [(at, [low, middle, high])] = known[..] {
                alone.push((At(at / 10.0), y(middle)));
                let _ = write!(band, "M{} {}V{}h4V{}z", at - 2.0, y(high), y(low), y(high));
                continue;
            }
            for (place, (at, values)) in known.iter().enumerate() {
                let _ = write!(medians, "{}{at} {}", if place == 0 { 'M' } else { 'L' }, y(values[1]));
                let _ = write!(band, "{}{at} {}", if place == 0 { 'M' } else { 'L' }, y(values[2]));
            }
            for (at, values) in known.iter().rev() {
                let _ = write!(band, "L{at} {}", y(values[0]));
            }
            band.push_str(if known.is_empty() { "" } else { "z" });
        }
        let ends_of = stretches.windows(2).map(|pair| [pair[0].to, pair[1].from]).filter(|[from, to]| to - from > 1e-6);
        let unknown = stretches.iter().filter(|stretch| stretch.values.is_none()).map(|stretch| [stretch.from, stretch.to]);
        let gaps = ends_of.chain(unknown).map(|[from, to]| (At(100.0 * from), At(100.0 * (to - from)))).collect();
        Self {
            words,
            band,
            medians,
            alone,
            gaps,
            warm_up: line.map(|[[from, _], _]| At(100.0 * from)).filter(|at| at.0 > 0.0),
            line: line.map(|[parts, values]| (parts.map(|part| At(100.0 * part)), values.map(y))),
            ends: [write(low), write(high)],
        }
    }
}

/// The verdicts on one criterion, day by day: each has a shape of its own, so that nobody needs their colours.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="m-record" role="img" aria-details="{{ words.table }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis m-nothing" x2="100%" y1="22" y2="22"/>
{% for stretch in stretches %}<rect class="{{ stretch.class }}" data-verdict="{{ stretch.verdict }}" x="{{ stretch.from }}" y="{{ stretch.y[0] }}" width="{{ stretch.width }}" height="{{ stretch.y[1] }}"/>{% endfor %}
{% for (from, width) in excluded %}<rect class="m-excluded" x="{{ from }}" y="2" width="{{ width }}" height="36"/>{% endfor %}
{% for (at, change) in changes %}<svg x="{{ at }}" y="22"><path class="dot m-mark" d="{{ change }}"/></svg>{% endfor %}</svg>"##
)]
pub(super) struct Timeline {
    words: Words,
    stretches: Vec<TimelineStretch>,
    /// Periods that do not count.
    excluded: Vec<(At, At)>,
    /// Where a definition changed, and the mark for it.
    changes: Vec<(At, &'static str)>,
}

struct TimelineStretch {
    verdict: &'static str,
    class: &'static str,
    /// From where from above, and how high.
    y: [u32; 2],
    from: At,
    width: At,
}

impl Timeline {
    /// Between two days: the stretches of days with one verdict, the periods that do not count, and the days of changes, each with its
    /// mark.
    pub(super) fn new(
        [first, last]: [Date; 2],
        stretches: &[([Date; 2], Verdict)],
        excluded: &[[Date; 2]],
        changes: &[(Date, &'static str)],
        words: Words,
    ) -> Self {
        let days = f64::from(days_between(first, last) + 1);
        let at = |date: Date| 100.0 * f64::from(days_between(first, date)) / days;
        let width = |from: Date, to: Date| At((at(to) + 100.0 / days) - at(from));
        let stretch = |([from, to], verdict): &([Date; 2], Verdict)| TimelineStretch {
            verdict: verdict.name(),
            class: if matches!(verdict, Verdict::NoData | Verdict::Stale) { "unknown" } else { "interval" },
            y: match verdict {
                Verdict::Met => [4, 18],
                Verdict::Missed => [22, 14],
                Verdict::NotProven | Verdict::NoData | Verdict::Stale => [18, 8],
            },
            from: At(at(*from)),
            width: width(*from, *to),
        };
        Self {
            words,
            stretches: stretches.iter().map(stretch).collect(),
            excluded: excluded.iter().map(|[from, to]| (At(at(*from)), width(*from, *to))).collect(),
            changes: changes.iter().map(|(date, mark)| (At(at(*date)), *mark)).collect(),
        }
    }
}
