//! The memory of a running product: the newest run over time, with the line that a verdict on growth looks at, and earlier runs.

mod by_process;

use super::{
    super::{
        chart::{
            Words, amount,
            axis::{Axis, elapsed},
        },
        html::NotWritten,
        words::{PAGE_NAME_CHARS_MAX, count, moment, plain},
    },
    Panel,
    draw::{Join, Plot, Point, scale},
    pieces::{Cell, Empty, Figures, ROWS_MAX, Table, duration, megabytes, numbers, percent, texts},
};
use askama::Template;
use milepost_judge::{
    LineOfGrowth, Panels, digits,
    panels::{MemoryReadings, Spell},
    report::Memory as Run,
};
use milepost_record::Timestamp;

const ID: &str = "memory";
const COMMAND: &str = "milepost collect memory --process NAME --for 75min";

#[derive(Template)]
#[template(path = "panel/memory.html", whitespace = "minimize")]
struct Memory {
    period: String,
    empty: Option<Empty>,
    /// Which run is shown.
    run: String,
    figures: Option<Figures>,
    chart: Option<Plot>,
    processor: Option<Plot>,
    /// What the line says, or why there is none.
    growth: String,
    /// Begin and end of the charts.
    ends: Option<[(Timestamp, String); 2]>,
    spells: Option<Table>,
    by_process: Option<String>,
    runs: Option<Table>,
    command: &'static str,
}

/// The panel.
pub(crate) fn memory(panels: &Panels) -> Result<Panel, NotWritten> {
    let of = &panels.memory_readings;
    let run = of.runs.first();
    let body = Memory {
        period: super::period(panels),
        empty: run.is_none().then(|| Empty::new("No memory was read. Observe the product while it runs", COMMAND)),
        run: run.map(which).unwrap_or_default(),
        figures: run.map(figures),
        chart: run.and_then(|run| chart(of, run)),
        processor: run.and_then(|run| processor(of, run)),
        growth: growth(of.line.as_ref()),
        ends: run.map(|run| [run.from, run.to].map(|at| (at, moment(at)))),
        spells: run.and_then(|run| spells(of, run)),
        by_process: by_process::by_process(of)?,
        runs: runs(of),
        command: COMMAND,
    };
    Ok(Panel { id: ID, title: "Memory", body: body.render()? })
}

fn process(run: &Run) -> String {
    run.process.as_deref().map_or_else(|| "a process".to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))
}

fn which(run: &Run) -> String {
    let incomplete = if run.incomplete > 0 {
        format!("; {} more in which a process could not be read count for nothing", count(run.incomplete))
    } else {
        String::new()
    };
    format!(
        "The newest run: {} and all that it started, {} ({}), over {}{incomplete}.",
        process(run),
        if run.readings == 1 { "1 reading".to_owned() } else { format!("{} readings", count(run.readings)) },
        run.measure,
        lasted(run)
    )
}

fn figures(run: &Run) -> Figures {
    Figures::new()
        .with("Current", megabytes(run.current_mb), "the newest reading")
        .with("Average", megabytes(run.average_mb), "")
        .with("Peak", megabytes(run.peak_mb), "")
        .with("Variation", megabytes(run.variation_mb), "the peak less the lowest")
        .with("CPU", percent(run.cpu_percent), "of one processor")
}

/// How many minutes the charts cover: whole spells.
fn minutes(of: &MemoryReadings) -> f64 {
    let spells = of.spells.last().map_or(1, |last| last.place + 1);
    spells as f64 * of.spell.as_secs_f64() / 60.0
}

/// Where a minute lies: the first spell is around the beginning, and so begins half of one before it.
fn place(of: &MemoryReadings, minute: f64) -> f64 {
    (minute + of.spell.as_secs_f64() / 120.0) / minutes(of)
}

/// Spells that follow one another and of which something is known, and what lies between them.
fn runs_and_gaps(of: &MemoryReadings, values: impl Fn(&Spell) -> Option<[f64; 3]>) -> (Vec<Vec<Point>>, Vec<[f64; 2]>) {
    let all = of.spells.last().map_or(1.0, |last| (last.place + 1) as f64);
    let known: Vec<_> = of.spells.iter().filter_map(|spell| Some((spell.place, values(spell)?))).collect();
    let point =
        |(place, [low, middle, high]): &(u64, [f64; 3])| Point { at: (*place as f64 + 0.5) / all, value: *middle, interval: [*low, *high] };
    let runs: Vec<_> = known.chunk_by(|(a, _), (b, _)| a + 1 == *b).collect();
    let end = of.spells.last().map_or(0, |last| last.place + 1);
    let starts = runs.iter().filter_map(|run| run.first()).map(|(place, _)| *place).chain([end]);
    let ends = [0].into_iter().chain(runs.iter().filter_map(|run| run.last()).map(|(place, _)| place + 1));
    let gaps = ends.zip(starts).filter(|(from, to)| to > from).map(|(from, to)| [from as f64 / all, to as f64 / all]).collect();
    (runs.iter().map(|run| run.iter().map(point).collect()).collect(), gaps)
}

/// A chart over the time of the run; `None` where nothing is known.
fn over_time(of: &MemoryReadings, run: &Run, drawn: &Drawn<'_>) -> Option<Plot> {
    let values = drawn.runs.iter().flatten().flat_map(|point| [point.interval[0], point.interval[1]]).chain(drawn.others.iter().copied());
    let ends = values.fold(None, |ends: Option<(f64, f64)>, v| Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))));
    let (low, high) = ends?;
    // Noise of a few percent must not look like a mountain.
    let (ends, step) = scale(low, high, (0.1 * high.abs()).max(f64::MIN_POSITIVE));
    let words = Words { title: drawn.title.clone(), description: drawn.description.clone(), table: format!("{ID}-spells") };
    let from = run.from.saturating_sub(of.spell / 2);
    let plot = Plot::new(words, drawn.pixels, ends, step, |value| amount(value, drawn.unit))
        .over(Axis::minutes(from, minutes(of)).in_columns(drawn.columns))
        .ticks(elapsed(minutes(of)));
    let plot = drawn.gaps.iter().fold(plot, |plot, gap| plot.gap(*gap));
    Some(plot.line("p-a", drawn.runs.iter().map(Vec::as_slice), Join::Lines))
}

/// What is drawn of a run.
struct Drawn<'a> {
    title: String,
    description: String,
    runs: &'a [Vec<Point>],
    gaps: &'a [[f64; 2]],
    /// Values that the scale has to have room for.
    others: &'a [f64],
    pixels: f64,
    unit: &'a str,
    /// Of its table.
    columns: &'a [usize],
}

fn chart(of: &MemoryReadings, run: &Run) -> Option<Plot> {
    let (runs, gaps) = runs_and_gaps(of, |spell| spell.mb);
    let low_to_high = run.peak_mb.zip(run.variation_mb).map(|(peak, variation)| [peak - variation, peak]);
    let plot = over_time(
        of,
        run,
        &Drawn {
            title: format!("Memory of {} over time", process(run)),
            description: low_to_high.map(|ends| ends.map(|mb| format!("{} MB", digits(mb))).join(" to ")).unwrap_or_default(),
            runs: &runs,
            gaps: &gaps,
            others: of.line.as_ref().map(|line| &line.mb[..]).unwrap_or_default(),
            pixels: 180.0,
            unit: "MB",
            columns: &[2, 3, 4],
        },
    )?;
    let Some(line) = &of.line else { return Some(plot) };
    let [from, to] = line.minutes.map(|minute| place(of, minute));
    let plot = if from > 0.0 { plot.shade(from) } else { plot };
    Some(plot.slope([(from, line.mb[0]), (to, line.mb[1])]))
}

fn processor(of: &MemoryReadings, run: &Run) -> Option<Plot> {
    let (runs, gaps) = runs_and_gaps(of, |spell| spell.cpu_percent.map(|percent| [percent; 3]));
    let known = runs.iter().map(Vec::len).sum::<usize>();
    let drawn = Drawn {
        title: format!("Processor time of {} over time", process(run)),
        description: percent(run.cpu_percent).unwrap_or_default(),
        runs: &runs,
        gaps: &gaps,
        others: &[],
        pixels: 80.0,
        unit: "%",
        columns: &[5],
    };
    (known > 1).then(|| over_time(of, run, &drawn)).flatten()
}

fn growth(line: Option<&LineOfGrowth>) -> String {
    let Some(line) = line else {
        return "No line is drawn through it: whether memory grows is told from the newest run that is whole and lasts an hour after its \
                first ten minutes."
            .to_owned();
    };
    let signed = |mb: f64| format!("{}{}", if mb > 0.0 { "+" } else { "" }, digits(mb));
    format!(
        "The straight line is the one that a verdict on growth looks at: {} MB a day, 95% confidence {} to {} (Theil and Sen, of the \
         medians of its minutes without the shaded beginning). Less than {} MB a day is taken for no growth.",
        signed(line.slope_mb_a_day),
        signed(line.interval_mb_a_day[0]),
        signed(line.interval_mb_a_day[1]),
        digits(line.tolerance_mb_a_day)
    )
}

fn lasted(run: &Run) -> String {
    duration(run.to.since(run.from).as_secs_f64() * 1000.0)
}

fn spells(of: &MemoryReadings, run: &Run) -> Option<Table> {
    let row = |spell: &Spell| {
        let mb = |place: usize| Cell::known(megabytes(spell.mb.map(|mb| mb[place])));
        let readings = Cell::count(spell.readings);
        vec![
            Cell::of(duration(spell.minutes * 60_000.0)),
            if spell.incomplete > 0 { readings.with(format!("{} incomplete", count(spell.incomplete))) } else { readings },
            mb(0),
            mb(1),
            mb(2),
            Cell::known(percent(spell.cpu_percent)),
        ]
    };
    let columns = [texts("From"), numbers("Readings"), numbers("Lowest"), numbers("Median"), numbers("Highest"), numbers("CPU")];
    let caption = format!("The newest run, {} at a time", duration(of.spell.as_secs_f64() * 1000.0));
    let middle = |spell: &Spell| spell.place as f64 * of.spell.as_secs_f64() / 60.0;
    let table = Table::new(format!("{ID}-spells"), caption, columns, of.spells.iter().map(row), of.spells.len());
    table.map(|table| table.on_minutes(run.from, of.spells.iter().map(middle)))
}

fn runs(of: &MemoryReadings) -> Option<Table> {
    let row = |run: &Run| {
        vec![
            Cell::of(moment(run.from)),
            Cell::foreign(process(run)).with(run.measure.clone()),
            Cell::of(lasted(run)),
            Cell::count(run.readings),
            Cell::known(megabytes(run.average_mb)),
            Cell::known(megabytes(run.peak_mb)),
            Cell::known(megabytes(run.variation_mb)),
            Cell::known(percent(run.cpu_percent)),
        ]
    };
    let columns = [texts("Began"), texts("Process"), texts("Lasted")];
    let columns = columns.into_iter().chain(["Readings", "Average", "Peak", "Variation", "CPU"].map(numbers));
    let table = Table::new(format!("{ID}-runs"), "Runs, the newest first", columns, of.runs.iter().map(row), ROWS_MAX);
    table.map(|table| table.and_more(of.more_runs))
}
