//! How long operations take: distributions, day by day, and every operation by implementation.

use super::{
    super::{
        chart::{Days, Frame, Room, Words, amount},
        html::NotWritten,
        words::{PAGE_NAME_CHARS_MAX, count, day, plain},
    },
    Panel,
    draw::{self, Mark},
    first_shown,
    pieces::{Cell, Column, Empty, Figures as Shown, ROWS_MAX, Row, Table, duration, numbers, numbers_of, percent, quantile, texts},
    today,
};
use askama::Template;
use jiff::civil::Date;
use milepost_judge::{
    Panels,
    operations::{Figures, Group},
    panels::{BackendDays, DayFigures, Distribution, QuantileLimit, Speed},
    quantile::Quantile,
    scorecard::TrendPoint,
};

const ID: &str = "performance";
/// What stands for an operation or an implementation that nobody named.
const NOT_SAID: &str = "(not said)";

#[derive(Template)]
#[template(path = "panel/performance.html", whitespace = "minimize")]
struct Performance {
    period: String,
    empty: Option<Empty>,
    figures: Option<Shown>,
    distributions: Vec<Spread>,
    bars: Vec<Table>,
    days: Vec<Row<Days>>,
    /// What the charts of the days have in common.
    scale: String,
    ends: [String; 2],
    more_backends: usize,
    by_day: Option<Table>,
    by_operation: Option<Table>,
    by_backend: Option<Table>,
    by_both: Option<Table>,
}

struct Spread {
    name: String,
    says: String,
    chart: draw::Spread,
}

/// The panel.
pub(crate) fn performance(panels: &Panels) -> Result<Panel, NotWritten> {
    let (of, speed) = (&panels.report.performance, &panels.speed);
    let all = &of.overall;
    let is_empty = of.by_operation.is_empty();
    let table = |id: &str, caption: &str, names: &[&str], groups: &[Group]| {
        let columns = names.iter().map(|name| texts(name)).chain(columns());
        Table::new(format!("{ID}-{id}"), caption, columns, groups.iter().map(|group| row(group, speed)), ROWS_MAX)
    };
    let series = Lines::of(panels);
    let body = Performance {
        period: super::period(panels),
        empty: is_empty
            .then(|| Empty::new("No operation was recorded. Wrap a command of the product", "milepost run --operation NAME -- COMMAND")),
        figures: (!is_empty).then(|| figures(all)),
        distributions: speed.distributions.iter().enumerate().map(|(place, of)| spread(place, of, speed)).collect(),
        bars: speed.distributions.iter().enumerate().filter_map(|(place, of)| bars(place, of, speed)).collect(),
        days: series.rows,
        scale: series.scale,
        ends: series.ends,
        more_backends: speed.more_backends,
        by_day: series.table,
        by_operation: table("operations", "By operation", &["Operation"], &by_use(&of.by_operation)),
        by_backend: table("backends", "By backend", &["Backend"], &by_use(&of.by_backend)),
        by_both: table("both", "By operation and backend", &["Operation", "Backend"], &by_use(&of.by_operation_and_backend)),
    };
    Ok(Panel { id: ID, title: "Performance", body: body.render()? })
}

/// Those that are used most first, so that what a table leaves out is the least.
fn by_use(groups: &[Group]) -> Vec<Group> {
    let mut groups = groups.to_vec();
    groups.sort_by_key(|group| std::cmp::Reverse(group.figures.count));
    groups
}

fn figures(all: &Figures) -> Shown {
    let beside = |ms: Option<f64>| match ms.map(duration) {
        Some(of_successes) if all.failed > 0 => format!("{of_successes} of those that succeed"),
        _ => String::new(),
    };
    let not_counted = format!("besides {} cancelled, {} dry runs", count(all.cancelled), count(all.dry_runs));
    Shown::new()
        .with("Operations", Some(count(all.count)), not_counted)
        .with("Succeeded", percent(all.success_rate), format!("{} failed", count(all.failed)))
        .with("P50", quantile(all.p50_ms, all), beside(all.successes.p50_ms))
        .with("P95", quantile(all.p95_ms, all), beside(all.successes.p95_ms))
        .with("P99", quantile(all.p99_ms, all), beside(all.successes.p99_ms))
}

fn name_of(operation: Option<&str>) -> String {
    operation.map_or_else(|| "All operations".to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))
}

fn bars_id(place: usize) -> String {
    format!("{ID}-bars-{place}")
}

fn spread(place: usize, of: &Distribution, speed: &Speed) -> Spread {
    let (name, figures) = (name_of(of.operation.as_deref()), &of.figures);
    let limits = speed.limits_of(of.operation.as_deref());
    let mark = |ms: Option<f64>| match ms {
        Some(ms) => Mark::At(ms),
        None if figures.failed > 0 => Mark::Failed,
        None => Mark::Unknown,
    };
    let value = |ms| quantile(ms, figures).unwrap_or_else(|| "not known".to_owned());
    let limit = limits.iter().map(|limit| format!(" · limit {}", written(limit))).collect::<String>();
    let unmeasured = if figures.unmeasured > 0 { format!(" · {} without a duration", count(figures.unmeasured)) } else { String::new() };
    let says = format!("n {} · P50 {} · P95 {}{limit}{unmeasured}", count(figures.count), value(figures.p50_ms), value(figures.p95_ms));
    let words = Words { title: format!("{name}: how long it takes"), description: says.clone(), table: bars_id(place) };
    let at: Vec<f64> = limits.iter().map(|limit| limit.ms).collect();
    let chart = draw::Spread::new(&speed.edges_ms, &of.counts, figures.failed, [mark(figures.p50_ms), mark(figures.p95_ms)], &at, words);
    Spread { name, says, chart }
}

/// The numbers behind the bars; those at either end that hold nothing are left out.
fn bars(place: usize, of: &Distribution, speed: &Speed) -> Option<Table> {
    let held: Vec<usize> = of.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(bar, _)| bar).collect();
    let within = |bar: usize| held.first().is_some_and(|first| bar >= *first) && held.last().is_some_and(|last| bar <= *last);
    let edges = speed.edges_ms.windows(2).zip(&of.counts).enumerate().filter(|(bar, _)| within(*bar));
    let row = |(_, (edges, n)): (usize, (&[f64], &u64))| {
        let [from, to] = edges else { return Vec::new() };
        vec![Cell::of(format!("{} – {}", duration(*from), duration(*to))), Cell::count(*n)]
    };
    let mut rows: Vec<_> = edges.map(row).collect();
    if of.figures.failed > 0 {
        rows.push(vec![Cell::of("failed"), Cell::count(of.figures.failed)]);
    }
    let all = rows.len();
    Table::new(bars_id(place), name_of(of.operation.as_deref()), [texts("It took"), numbers("n")], rows, all)
}

fn columns() -> impl Iterator<Item = Column> {
    ["n", "Succeeded", "P50", "P95", "P99"].map(numbers).into_iter().chain([texts("Limit"), numbers("Mean if succeeded")])
}

/// Both conventions where they differ: a failure is slower than any limit, and below it those that succeeded alone.
fn row(group: &Group, speed: &Speed) -> Vec<Cell> {
    let figures = &group.figures;
    let time = |slow: Option<f64>, ok: Option<f64>| {
        let cell = Cell::known(quantile(slow, figures));
        match ok.filter(|_| slow != ok) {
            Some(ok) => cell.with(format!("succeeded: {}", duration(ok))),
            None => cell,
        }
    };
    let names = [group.operation.as_deref().map(Some), group.backend.as_ref().map(Option::as_deref)];
    let names = names.into_iter().flatten().map(|name| Cell::name(name, NOT_SAID));
    let limits = if group.backend.is_none() { speed.limits_of(group.operation.as_deref()) } else { &[] };
    let limit = limits.iter().map(|limit| beside(limit, figures)).collect::<Vec<_>>();
    let rest = vec![
        Cell::count(figures.count),
        Cell::known(percent(figures.success_rate)).with(if figures.failed > 0 {
            format!("{} failed", count(figures.failed))
        } else {
            String::new()
        }),
        time(figures.p50_ms, figures.successes.p50_ms),
        time(figures.p95_ms, figures.successes.p95_ms),
        time(figures.p99_ms, figures.successes.p99_ms),
        Cell::of(if limit.is_empty() { "none".to_owned() } else { limit.join("; ") }),
        Cell::known(figures.successes.mean_ms.map(duration)),
    ];
    names.chain(rest).collect()
}

fn written(limit: &QuantileLimit) -> String {
    format!("{} {} {}", quantile_name(limit.quantile), if limit.inclusive { "≤" } else { "<" }, duration(limit.ms))
}

fn quantile_name(quantile: Quantile) -> String {
    format!("P{}", milepost_judge::digits(f64::from(quantile.basis_points()) / 100.0))
}

/// A limit, and on which side of it the quantile lies. That proves nothing: the criterion does.
fn beside(limit: &QuantileLimit, figures: &Figures) -> String {
    let ms = match limit.quantile {
        Quantile::P50 => figures.p50_ms,
        Quantile::P95 => figures.p95_ms,
        Quantile::P99 => figures.p99_ms,
        _ => return written(limit),
    };
    let side = match ms {
        Some(ms) if ms < limit.ms || limit.inclusive && ms == limit.ms => "now within",
        None if figures.count == 0 || figures.failed == 0 => return written(limit),
        _ => "now beyond",
    };
    format!("{}, {side}", written(limit))
}

/// The P95 day by day: of all, and of each implementation.
struct Lines {
    rows: Vec<Row<Days>>,
    scale: String,
    ends: [String; 2],
    table: Option<Table>,
}

impl Lines {
    fn of(panels: &Panels) -> Self {
        let speed = &panels.speed;
        let backend = |of: &BackendDays| of.backend.as_deref().map_or_else(|| NOT_SAID.to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX));
        let all = (!speed.days.is_empty()).then(|| ("All operations".to_owned(), &speed.days));
        // One implementation alone is all there is.
        let several = speed.by_backend.len() + speed.more_backends > 1;
        let named = speed.by_backend.iter().filter(|_| several || speed.days.is_empty()).map(|of| (backend(of), &of.days));
        let lines: Vec<(String, &Vec<DayFigures>)> = all.into_iter().chain(named).collect();
        let trends: Vec<Vec<TrendPoint>> = lines.iter().map(|(_, days)| trend(days)).collect();
        let limit = speed.limits_of(None).iter().find(|limit| limit.quantile == Quantile::P95).map(|limit| limit.ms);
        let id = format!("{ID}-days");
        let Some(mut frame) = Frame::of(trends.iter().map(Vec::as_slice), limit, today(panels)) else {
            return Self { rows: Vec::new(), scale: String::new(), ends: Default::default(), table: None };
        };
        frame.first = first_shown(frame.first, panels);
        let row = |(column, trend, (name, days)): (usize, &[TrendPoint], &(String, &Vec<DayFigures>))| {
            let n: u64 = days.iter().map(|day| day.figures.count).sum();
            let says = format!("n {}", count(n));
            let words = Words { title: format!("{name}: P95 day by day"), description: says.clone(), table: id.clone() };
            let chart = Days::on(&frame, trend, limit, Room::Row, words).map(|days| days.in_column(column));
            Row { name: name.clone(), says, chart }
        };
        let limit = limit.map(|limit| format!("; the dashed line is the limit, {}", amount(limit, "ms"))).unwrap_or_default();
        let scale = format!(
            "All on one scale, {} to {}{limit}. A triangle is a day on which so many fail that the P95 has no finite value.",
            duration(frame.low),
            duration(frame.high)
        );
        let rows = lines.iter().zip(&trends).zip(1..).map(|((line, trend), column)| row((column, trend, line))).collect();
        Self { rows, scale, ends: [frame.first, frame.last].map(day), table: Self::table(id, &lines, frame.first) }
    }

    fn table(id: String, lines: &[(String, &Vec<DayFigures>)], first: Date) -> Option<Table> {
        let mut dates: Vec<_> = lines.iter().flat_map(|(_, days)| days.iter().map(|day| day.date)).collect();
        dates.sort_unstable();
        dates.dedup();
        let columns = std::iter::once(texts("Day")).chain(lines.iter().map(|(name, _)| numbers_of(name)));
        let cell = |days: &[DayFigures], date| match days.iter().find(|day| day.date == date && day.figures.count > 0) {
            Some(day) => Cell::known(quantile(day.figures.p95_ms, &day.figures)),
            None => Cell::of(""),
        };
        let row = |date| std::iter::once(Cell::of(day(date))).chain(lines.iter().map(|(_, days)| cell(days, date))).collect();
        let table = Table::new(id, "P95 day by day", columns, dates.iter().rev().copied().map(row), dates.len());
        table.map(|table| table.on_days(first, dates.iter().rev().copied()))
    }
}

fn trend(days: &[DayFigures]) -> Vec<TrendPoint> {
    let counted = days.iter().filter(|day| day.figures.count > 0);
    counted.map(|day| TrendPoint { date: day.date, value: day.figures.p95_ms, n: day.figures.count }).collect()
}
