//! The evidence as it grew, as SVG: the band of what was possible at the end of each day, the estimate in it, and the target.
//!
//! As in `chart`, horizontal positions are percentages and the rest is pixels, texts are escaped by the templates, and colours come
//! from the style sheet. Shapes are those of `templates/keys.svg`, which the legend shows beside its words.

use super::{
    chart::{
        At, Words, amount,
        axis::{Axis, dates},
        bound, days_between, sign, step,
    },
    words::{self, NAME_CHARS_MAX, capital, plain},
};
use askama::Template;
use jiff::{ToSpan, civil::Date};
use milepost_judge::{
    Verdict, digits,
    growth::{GoalGrowth, Growth, Point},
    scorecard::{Judgement, Since},
};
use std::fmt::Write;

/// Height of the part in which values are drawn, in pixels.
const PLOT: i32 = 196;
/// Room above it for what stands on rules.
const TOP: i32 = 16;
/// Days that are told singly: the newest six weeks.
const DAYS_TOLD: i32 = 42;
/// So far back, weeks are told.
const QUARTER: i32 = 92;
/// No more marks of one kind than this: the newest.
const MARKS_MAX: usize = 12;

/// What happened while the evidence grew, to the criterion as a whole.
pub(crate) struct Meanwhile<'a> {
    pub(crate) of: &'a Growth,
    pub(crate) since: &'a Since,
}

#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="growth" role="img"{{ axis|safe +}} aria-details="{{ table }}"><title>{{ words.title }}</title>
{% for (y, label) in ticks %}<line class="grid" x2="100%" y1="{{ y }}" y2="{{ y }}"/><text x="-8" y="{{ y + 4.0 }}" text-anchor="end">{{ label }}</text>{% endfor %}
<g class="times">{% for (x, width) in excluded %}<rect class="grown-excluded" x="{{ x }}" y="{{ top }}" width="{{ width }}" height="{{ plot }}"/>{% endfor %}
<svg class="plot" y="{{ top }}" width="100%" height="{{ plot }}" viewBox="0,0,{{ span }},{{ plot * 2 }}" preserveAspectRatio="none">
{% if !band.is_empty() %}<path class="grown-band" d="{{ band }}"/>{% endif %}{% if !edges.is_empty() %}<path class="grown-edge" d="{{ edges }}"/>{% endif %}
{% if !endless.is_empty() %}<path class="grown-endless" d="{{ endless }}"/>{% endif %}{% if !line.is_empty() %}<path class="grown-line" d="{{ line }}"/>{% endif %}</svg>
{% for x in since %}<line class="grown-rule" x1="{{ x }}" x2="{{ x }}" y1="{{ top - 14 }}" y2="{{ top + plot }}"/><svg x="{{ x }}" y="{{ top - 14 }}"><path class="mark" d="M0 0 8 3.5 0 7z"/></svg>{% endfor %}
{% for x in falls %}<line class="grown-rule cut-off" x1="{{ x }}" x2="{{ x }}" y1="{{ top - 6 }}" y2="{{ top + plot }}"/><svg x="{{ x }}" y="{{ top - 14 }}"><path class="mark" d="M-5 0H5L0 7z"/></svg>{% endfor %}</g>
{% if let Some((y, label)) = target %}<line class="grown-target" x2="100%" y1="{{ y }}" y2="{{ y }}"/><text class="bound" x="100%" dx="-8" y="{{ y - 6.0 }}" text-anchor="end">{{ label }}</text>{% endif %}
<g class="times">{% for x in unbounded_above %}<svg x="{{ x }}" y="{{ top + 2 }}"><path class="grown-open" d="M-5 6 0 0 5 6"/></svg>{% endfor %}
{% for x in unbounded_below %}<svg x="{{ x }}" y="{{ top + plot - 8 }}"><path class="grown-open" d="M-5 0 0 6 5 0"/></svg>{% endfor %}
{% for (x, y) in dots %}<circle class="dot" cx="{{ x }}" cy="{{ y }}" r="2.5"/>{% endfor %}
{% if let Some((x, y)) = proven %}<circle class="grown-proven" cx="{{ x }}" cy="{{ y }}" r="5.5"/>{% endif %}
{% if let Some((high, low)) = now_interval %}<line class="grown-now" x1="100%" x2="100%" y1="{{ high }}" y2="{{ low }}"/>{% endif %}
{% if let Some((x, y)) = newest %}<circle class="newest" cx="{{ x }}" cy="{{ y }}" r="5"/>{% endif %}</g>
<line class="axis" x2="100%" y1="{{ top + plot }}.5" y2="{{ top + plot }}.5"/>
<g class="dates">{% for (x, label) in dates %}<line class="axis" x1="{{ x }}" x2="{{ x }}" y1="{{ top + plot }}" y2="{{ top + plot + 5 }}"/><text x="{{ x }}" y="{{ top + plot + 20 }}" text-anchor="{% if x.0 > 92.0 %}end{% else %}middle{% endif %}">{{ label }}</text>{% endfor %}</g>
<g class="times">{% for x in changes %}<svg x="{{ x }}" y="{{ top + plot }}"><path class="mark hollow" d="M0-6 6 0 0 6-6 0z"/></svg>{% endfor %}
{% for x in releases %}<svg x="{{ x }}" y="{{ top + plot }}"><path class="mark" d="M0-8 6 3-6 3z"/></svg>{% endfor %}</g></svg>"##
)]
pub(crate) struct Chart {
    words: Words,
    /// The id of the table with the same numbers.
    pub(crate) table: String,
    pub(crate) is_sampled: bool,
    /// Whether what is old is told by week and by month.
    pub(crate) is_thinned: bool,
    /// What there is to see, in a sentence or two.
    pub(crate) summary: String,
    pub(crate) keys: Vec<Key>,
    pub(crate) lines: Vec<Line>,
    top: i32,
    plot: i32,
    axis: Axis,
    /// How many days after the first one each row of the table stands.
    pub(crate) days: String,
    /// How many days the chart covers, less one.
    span: i32,
    ticks: Vec<(f64, String)>,
    dates: Vec<(At, String)>,
    target: Option<(f64, String)>,
    /// Paths in days and half pixels, each point relative to the one before.
    band: String,
    edges: String,
    line: String,
    endless: String,
    /// The middles of stretches in which a side has no bound.
    unbounded_above: Vec<At>,
    unbounded_below: Vec<At>,
    /// Readings without neighbours.
    dots: Vec<(At, f64)>,
    newest: Option<(At, f64)>,
    now_interval: Option<(f64, f64)>,
    since: Option<At>,
    falls: Vec<At>,
    proven: Option<(At, f64)>,
    excluded: Vec<(At, At)>,
    changes: Vec<At>,
    releases: Vec<At>,
}

/// An entry of the legend.
pub(crate) struct Key {
    /// The name of its shape in `keys.svg`.
    pub(crate) shape: &'static str,
    pub(crate) words: String,
}

/// A row of the table.
pub(crate) struct Line {
    pub(crate) day: String,
    pub(crate) n: String,
    pub(crate) estimate: String,
    pub(crate) low: String,
    pub(crate) high: String,
    pub(crate) remark: String,
}

/// What the edges of the plot stand for.
struct View {
    begin: Date,
    span: i32,
    low: f64,
    high: f64,
}

impl Chart {
    /// The chart of a goal; `None` where there is no point to draw.
    pub(crate) fn new(id: &str, about: &str, judgement: &Judgement, growth: &GoalGrowth, meanwhile: &Meanwhile<'_>) -> Option<Self> {
        let all = growth.points.len();
        let growth = &told(growth);
        let view = View::of(judgement, growth, meanwhile.of)?;
        let last = growth.points.last()?;
        let unit = &judgement.unit;
        let summary = summary(judgement, growth, meanwhile.since);
        let drawn = Drawn::of(&view, growth, judgement.successes.is_some());
        let limit = judgement.target.as_ref().and_then(bound).map(|(_, limit)| limit);
        let at = |date: &Date| view.contains(*date).then(|| view.at(*date));
        let height = |value: f64| f64::from(TOP) + f64::from(view.half_pixels(value)) / 2.0;
        let proven_at = growth.proven.and_then(|date| growth.points.iter().find(|point| point.date == date));
        let in_view = |dates: Vec<Date>| dates.iter().rev().filter_map(at).take(MARKS_MAX).collect::<Vec<_>>();
        let excluded = meanwhile.of.excluded.iter().filter_map(|[from, to]| {
            let (x, end) = (view.at((*from).max(view.begin)), view.at(to.saturating_add(1.day())));
            (*to >= view.begin).then_some((x, At(end.0 - x.0)))
        });
        Some(Self {
            words: Words {
                title: format!("{about}: {}", if growth.is_sampled { "the evidence as it grew" } else { "readings" }),
                // The paragraph above it says what there is to see.
                description: String::new(),
                table: format!("{id}-growth"),
            },
            table: format!("{id}-growth"),
            is_sampled: growth.is_sampled,
            is_thinned: growth.points.len() < all,
            summary,
            keys: keys(judgement, growth, meanwhile, &view, &drawn),
            lines: lines(growth, judgement.successes.is_some()),
            top: TOP,
            plot: PLOT,
            axis: Axis::days(view.begin, view.span),
            days: growth.points.iter().map(|point| days_between(view.begin, point.date).to_string()).collect::<Vec<_>>().join(" "),
            span: view.span,
            ticks: view.ticks().into_iter().map(|value| (height(value), amount(value, unit))).collect(),
            dates: dates(view.begin, view.span),
            target: judgement.target.as_ref().zip(limit).map(|(target, limit)| (height(limit), sign(target))),
            now_interval: (growth.is_sampled && is_there(last, judgement.successes.is_some())).then(|| {
                let [low, high] = last.interval;
                (high.map_or(f64::from(TOP), |v| view.clipped(v)), low.map_or(f64::from(TOP + PLOT), |v| view.clipped(v)))
            }),
            newest: last.estimate.map(|value| (view.at(last.date), view.clipped(value))),
            since: meanwhile.of.from.as_ref().and_then(at),
            falls: in_view(growth.falls.clone()),
            proven: proven_at.and_then(|point| Some((view.at(point.date), view.clipped(point.estimate?)))),
            excluded: excluded.take(MARKS_MAX).collect(),
            changes: in_view(judgement.changes.iter().map(|change| change.from).collect()),
            releases: in_view(meanwhile.of.releases.iter().map(|release| release.date).collect()),
            band: drawn.band,
            edges: drawn.edges,
            line: drawn.line,
            endless: drawn.endless,
            unbounded_above: drawn.unbounded_above,
            unbounded_below: drawn.unbounded_below,
            dots: drawn.dots,
        })
    }
}

/// What is told of a goal: of what lies more than six weeks before the newest point each week, and beyond a quarter each month, keeps its
/// last point, or of readings the lowest and the highest, and whatever happened.
fn told(growth: &GoalGrowth) -> GoalGrowth {
    let newest = growth.points.last().map(|point| point.date);
    let begin_of = |point: &Point| match newest.map_or(0, |newest| days_between(point.date, newest)) {
        ago if ago > QUARTER => point.date.first_of_month(),
        ago if ago > DAYS_TOLD => point.date.saturating_sub(i32::from(point.date.weekday().to_monday_zero_offset()).days()),
        _ => point.date,
    };
    let kept = |of: &[Point]| {
        let reading = |(_, point): &(usize, &Point)| point.estimate.unwrap_or(f64::INFINITY);
        let in_order = || of.iter().enumerate();
        let ends = if growth.is_sampled {
            [of.len().checked_sub(1), None]
        } else {
            let lowest = in_order().min_by(|a, b| reading(a).total_cmp(&reading(b)));
            let highest = in_order().max_by(|a, b| reading(a).total_cmp(&reading(b)));
            [lowest.map(|(place, _)| place), highest.map(|(place, _)| place)]
        };
        let happened = |point: &Point| point.begins || growth.falls.contains(&point.date) || growth.proven == Some(point.date);
        in_order().filter(|(place, point)| ends.contains(&Some(*place)) || happened(point)).map(|(_, point)| *point).collect::<Vec<_>>()
    };
    let points = growth.points.chunk_by(|a, b| begin_of(a) == begin_of(b)).flat_map(kept).collect();
    GoalGrowth { points, falls: growth.falls.clone(), ..*growth }
}

impl View {
    fn of(judgement: &Judgement, growth: &GoalGrowth, meanwhile: &Growth) -> Option<Self> {
        let (first, last) = (growth.points.first()?.date, growth.points.last()?.date);
        // Of what lies before the first event a quarter is shown, or as much as there are events.
        let known = days_between(first, last).max(92);
        let mut begin = meanwhile.from.unwrap_or(first).min(first).max(first.saturating_sub(known.days()));
        if let Some(excluded) = meanwhile.excluded.iter().map(|[from, _]| *from).min().filter(|from| *from < begin) {
            let most = (days_between(begin, last) / 3).max(3);
            begin = excluded.max(begin.saturating_sub(most.days()));
        }
        let (low, high) = range(judgement, growth);
        Some(Self { begin, span: days_between(begin, last).max(1), low, high })
    }

    fn contains(&self, date: Date) -> bool {
        (0..=self.span).contains(&days_between(self.begin, date))
    }

    fn day(&self, date: Date) -> i32 {
        days_between(self.begin, date).clamp(0, self.span)
    }

    fn at(&self, date: Date) -> At {
        At(100.0 * f64::from(self.day(date)) / f64::from(self.span))
    }

    /// From above; what is beyond an edge stays a little beyond it.
    fn half_pixels(&self, value: f64) -> i32 {
        let whole = f64::from(2 * PLOT);
        // At most two plots away.
        ((self.high - value) / (self.high - self.low) * whole).round().clamp(-whole, 2.0 * whole) as i32
    }

    /// In pixels of the chart, at the edge where it is beyond one.
    fn clipped(&self, value: f64) -> f64 {
        f64::from(TOP) + (f64::from(self.half_pixels(value)) / 2.0).clamp(0.0, f64::from(PLOT))
    }

    /// Round values between the edges.
    fn ticks(&self) -> Vec<f64> {
        let step = step(2.0 * (self.high - self.low));
        let first = (self.low / step).ceil();
        (0..6).map(|place| (first + f64::from(place)) * step).take_while(|value| *value <= self.high + step * 1e-9).collect()
    }
}

/// From where to where values are shown: target and what is known now, and of what was possible before as much as fits beside them.
fn range(judgement: &Judgement, growth: &GoalGrowth) -> (f64, f64) {
    let finite = |v: &f64| v.is_finite();
    let limit = judgement.target.as_ref().and_then(bound).map(|(_, limit)| limit);
    let of = |point: &Point| point.interval.into_iter().flatten().chain(point.estimate).filter(finite).collect::<Vec<f64>>();
    let all = || growth.points.iter().flat_map(of).chain(limit);
    let now: Vec<f64> = if growth.is_sampled { growth.points.last().map(of).unwrap_or_default() } else { all().collect() };
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(None, |ends: Option<(f64, f64)>, v| Some(ends.map_or((v, v), |(a, b)| (a.min(v), b.max(v)))))
    };
    let Some((low, high)) = ends(&mut now.into_iter().chain(limit)).or_else(|| ends(&mut all())) else { return (0.0, 1.0) };
    let (least, most) = ends(&mut all()).unwrap_or((low, high));
    let reach = 2.0 * if high > low { high - low } else { (high.abs() / 4.0).max(0.5) };
    let margin = 0.06 * (high - low).max(reach / 4.0);
    let (mut low, mut high) = (least.max(low - reach) - margin, most.min(high + reach) + margin);
    // Nothing is negative that never was, and no share exceeds the whole.
    if least >= 0.0 {
        low = low.max(0.0);
    }
    if judgement.unit == "%" && most <= 100.0 {
        high = high.min(100.0);
    }
    (low, high)
}

/// The paths.
#[derive(Default)]
struct Drawn {
    band: String,
    edges: String,
    line: String,
    endless: String,
    unbounded_above: Vec<At>,
    unbounded_below: Vec<At>,
    dots: Vec<(At, f64)>,
}

impl Drawn {
    fn of(view: &View, growth: &GoalGrowth, endless_counts: bool) -> Self {
        let mut drawn = Self::default();
        let starts: Vec<usize> = (0..growth.points.len()).filter(|place| *place == 0 || growth.points[*place].begins).collect();
        for (number, start) in starts.iter().enumerate() {
            let next = starts.get(number + 1).copied();
            let run = &growth.points[*start..next.unwrap_or(growth.points.len())];
            if growth.is_sampled {
                // What was known at the end of a day holds until the next point.
                let end = next.map_or(view.span, |next| view.day(growth.points[next].date));
                drawn.sampled(view, run, end, endless_counts);
            } else {
                drawn.readings(view, run);
            }
        }
        drawn
    }

    /// Steps, each from the day of its point to the next one.
    fn sampled(&mut self, view: &View, run: &[Point], end: i32, endless_counts: bool) {
        let whole = 2 * PLOT;
        let day = |place: usize| run.get(place).map_or(end, |point| view.day(point.date));
        let steps = |of: &dyn Fn(&Point) -> Option<i32>| -> Vec<Step> {
            run.iter().enumerate().map(|(place, point)| Step { from: day(place), to: day(place + 1), y: of(point) }).collect()
        };
        let high = steps(&|point| point.interval[1].map(|v| view.half_pixels(v)));
        let low = steps(&|point| point.interval[0].map(|v| view.half_pixels(v)));
        let estimate = steps(&|point| point.estimate.map(|v| view.half_pixels(v)));
        for stretch in stretches(run.len(), |place| run.get(place).is_some_and(|point| is_there(point, endless_counts))) {
            // Above from left to right, then below from right to left; a side without a bound reaches the edge.
            let to_edge = |steps: &[Step], edge: i32| steps.iter().map(|s| Step { y: Some(s.y.unwrap_or(edge)), ..*s }).collect::<Vec<_>>();
            let (above, below) = (to_edge(&high[stretch.clone()], 0), to_edge(&low[stretch.clone()], whole));
            let mut path = path(&above);
            for (place, step) in below.iter().enumerate().rev() {
                let before = below.get(place + 1).or(above.last()).and_then(|s| s.y).unwrap_or(whole);
                let _ = write!(path, "v{}h{}", step.y.unwrap_or(whole) - before, step.from - step.to);
            }
            path.push('z');
            self.band += &path;
            for (steps, middles) in [(&high, &mut self.unbounded_above), (&low, &mut self.unbounded_below)] {
                for open in stretches(run.len(), |place| stretch.contains(&place) && steps[place].y.is_none()) {
                    let middle = f64::from(steps[open.start].from + steps[open.end - 1].to) / 2.0;
                    middles.push(At(100.0 * middle / f64::from(view.span)));
                }
            }
        }
        let known = |steps: &[Step]| -> String {
            stretches(run.len(), |place| steps[place].y.is_some()).into_iter().map(|known| path(&steps[known])).collect()
        };
        self.edges += &(known(&high) + &known(&low));
        self.line += &known(&estimate);
        if endless_counts {
            for beyond in stretches(run.len(), |place| run[place].n > 0 && run[place].estimate.is_none()) {
                let _ = write!(self.endless, "M{} 3H{}", estimate[beyond.start].from, estimate[beyond.end - 1].to);
            }
        }
    }

    /// A line through days that follow one another; a day that stands alone is a dot.
    fn readings(&mut self, view: &View, run: &[Point]) {
        for known in stretches(run.len(), |place| run[place].estimate.is_some()) {
            let of: Vec<(Date, f64)> = run[known].iter().filter_map(|point| Some((point.date, point.estimate?))).collect();
            if let [(date, value)] = of[..] {
                self.dots.push((view.at(date), view.clipped(value)));
                continue;
            }
            let mut before: Option<(i32, i32)> = None;
            for (date, value) in of {
                let (x, y) = (view.day(date), view.half_pixels(value));
                let _ = match before.replace((x, y)) {
                    None => write!(self.line, "M{x} {y}"),
                    Some((from, above)) => write!(self.line, "l{}{:+}", x - from, y - above),
                };
            }
        }
    }
}

/// Whether something was observed: an estimate, or so many failures that there is none.
const fn is_there(point: &Point, endless_counts: bool) -> bool {
    point.n > 0 && (point.estimate.is_some() || endless_counts)
}

/// A value that holds from one day to another.
#[derive(Clone, Copy)]
struct Step {
    from: i32,
    to: i32,
    y: Option<i32>,
}

/// Steps that all have a value, as a path.
fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    let mut before: Option<i32> = None;
    for step in steps {
        let y = step.y.unwrap_or_default();
        let _ = match before.replace(y) {
            None => write!(path, "M{} {y}", step.from),
            Some(above) if above == y => Ok(()),
            Some(above) => write!(path, "v{}", y - above),
        };
        let _ = write!(path, "h{}", step.to - step.from);
    }
    path
}

/// The stretches of places for which something holds.
fn stretches(len: usize, holds: impl Fn(usize) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for place in (0..len).filter(|place| holds(*place)) {
        match found.last_mut().filter(|stretch| stretch.end == place) {
            Some(stretch) => stretch.end = place + 1,
            None => found.push(place..place + 1),
        }
    }
    found
}

fn summary(judgement: &Judgement, growth: &GoalGrowth, since: &Since) -> String {
    let unit = &judgement.unit;
    if !growth.is_sampled {
        return format!("{}.", capital(&words::trend(judgement)));
    }
    let proven = growth.proven.map(|date| format!(" Proven {} since {}.", words::word(proven_as(judgement)), words::day(date)));
    let pooled = if growth.is_pooled { " All groups together; each of them is judged by itself." } else { "" };
    let now = match growth.points.last().and_then(|point| point.estimate) {
        Some(estimate) => format!(": {} now, {}", amount(estimate, unit), words::sure(judgement)),
        None => String::new(),
    };
    format!("{} since {}{now}.{}{pooled}", capital(&words::seen(judgement)), words::since_short(since), proven.unwrap_or_default())
}

/// What is stale was proven as what it leans to.
fn proven_as(judgement: &Judgement) -> Verdict {
    match (judgement.verdict, judgement.estimate, judgement.target.as_ref().and_then(bound)) {
        (Verdict::Stale, Some(estimate), Some((relation, limit))) if relation.holds(estimate, limit) => Verdict::Met,
        (Verdict::Stale, ..) => Verdict::Missed,
        (verdict, ..) => verdict,
    }
}

fn keys(judgement: &Judgement, growth: &GoalGrowth, meanwhile: &Meanwhile<'_>, view: &View, drawn: &Drawn) -> Vec<Key> {
    let unit = &judgement.unit;
    let mut keys = Vec::new();
    let mut key = |shape, words: String| keys.push(Key { shape, words });
    if growth.is_sampled {
        key("line", "estimate from all there was by the end of the day".to_owned());
        key("interval", "where the truth lay with 95% confidence, however often somebody looked".to_owned());
    } else {
        key("reading", "what was measured that day".to_owned());
    }
    if !drawn.unbounded_above.is_empty() || !drawn.unbounded_below.is_empty() {
        key("unbounded", "no bound yet on this side".to_owned());
    }
    if !drawn.endless.is_empty() {
        key("endless", "so many fail that there is no finite value".to_owned());
    }
    if let Some(target) = &judgement.target {
        key("target", format!("target {}", sign(target)));
    }
    if meanwhile.of.from.is_some_and(|from| view.contains(from)) {
        key("since", format!("counted since {}", words::since_short(meanwhile.since)));
    }
    if let Some(date) = growth.proven {
        key("proven", format!("proven since {}", words::day(date)));
    }
    for date in newest(&growth.falls, |date| view.contains(*date)) {
        key("fell", format!("fell back on {}; counted anew from then on", words::day(*date)));
    }
    for [from, to] in newest(&meanwhile.of.excluded, |[_, to]| *to >= view.begin) {
        let until = if from == to { String::new() } else { format!(" to {}", words::day(*to)) };
        key("excluded", format!("excluded: {}{until}", words::day(*from)));
    }
    for change in newest(&judgement.changes, |change| view.contains(change.from)) {
        key("change", format!("its level probably changed {}", words::probable(change, unit)));
    }
    for release in newest(&meanwhile.of.releases, |release| view.contains(release.date)) {
        let name = if release.name.is_empty() { "a version".to_owned() } else { plain(&release.name, NAME_CHARS_MAX / 2) };
        key("release", format!("released on {}: {name}", words::day(release.date)));
    }
    keys
}

/// Of what is in view the newest, in the order of time.
fn newest<T>(all: &[T], is_in_view: impl Fn(&T) -> bool) -> impl Iterator<Item = &T> {
    let seen: Vec<&T> = all.iter().filter(|one| is_in_view(one)).collect();
    let left_out = seen.len().saturating_sub(MARKS_MAX);
    seen.into_iter().skip(left_out)
}

fn lines(growth: &GoalGrowth, endless_counts: bool) -> Vec<Line> {
    let end = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), digits);
    let line = |(place, point): (usize, &Point)| {
        let anew = growth.is_sampled && point.begins && place > 0;
        let remark = match () {
            () if growth.falls.contains(&point.date) => "fell back",
            () if growth.proven == Some(point.date) => "proven",
            () if anew => "counted anew",
            () => "",
        };
        let estimate = match point.estimate {
            None if endless_counts && point.n > 0 => "∞".to_owned(),
            estimate => end(estimate),
        };
        let [low, high] = point.interval.map(end);
        Line { day: words::day(point.date), n: words::count(point.n), estimate, low, high, remark: remark.to_owned() }
    };
    growth.points.iter().enumerate().map(line).collect()
}
