//! The memory of a running product: the newest run over time, with the line that a verdict on growth looks at, and earlier runs.

use super::{
    super::{
        chart::Words,
        html::NotWritten,
        words::{NAME_CHARS_MAX, count, moment, plain},
    },
    Panel,
    draw::{Series, Stretch},
    pieces::{Cell, Empty, Figure, ROWS_MAX, Table, duration, megabytes, percent},
};
use askama::Template;
use milepost_judge::{
    LineOfGrowth, Panels, digits,
    panels::{MemoryReadings, Spell},
    report::Memory as Run,
};

const ID: &str = "memory";
const COMMAND: &str = "milepost collect memory --process NAME --for 75min";

#[derive(Template)]
#[template(path = "panel/memory.html", whitespace = "minimize")]
struct Memory {
    period: String,
    empty: Option<Empty>,
    /// Which run is shown.
    run: String,
    figures: Vec<Figure>,
    chart: Option<Series>,
    processor: Option<Series>,
    /// What the line says, or why there is none.
    growth: String,
    /// Begins and ends of the charts.
    ends: [String; 2],
    spells: Option<Table>,
    runs: Option<Table>,
    command: &'static str,
}

/// The panel.
pub(crate) fn memory(panels: &Panels) -> Result<Panel, NotWritten> {
    let of = &panels.memory_readings;
    let run = of.runs.first();
    let body = Memory {
        period: super::period(panels),
        empty: run.is_none().then_some(Empty { why: "No memory was read. Observe the product while it runs", command: COMMAND }),
        run: run.map(which).unwrap_or_default(),
        figures: run.map(figures).unwrap_or_default(),
        chart: run.and_then(|run| chart(of, run)),
        processor: run.and_then(|run| processor(of, run)),
        growth: growth(of.line.as_ref()),
        ends: run.map(|run| [moment(run.from), moment(run.to)]).unwrap_or_default(),
        spells: (!of.spells.is_empty()).then(|| spells(of)),
        runs: run.map(|_| runs(of)),
        command: COMMAND,
    };
    Ok(Panel { id: ID, title: "Memory", body: body.render()? })
}

fn process(run: &Run) -> String {
    run.process.as_deref().map_or_else(|| "a process".to_owned(), |name| plain(name, NAME_CHARS_MAX))
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

fn figures(run: &Run) -> Vec<Figure> {
    vec![
        Figure::new("Current", megabytes(run.current_mb), "the newest reading"),
        Figure::new("Average", megabytes(run.average_mb), ""),
        Figure::new("Peak", megabytes(run.peak_mb), ""),
        Figure::new("Variation", megabytes(run.variation_mb), "the peak less the lowest"),
        Figure::new("CPU", percent(run.cpu_percent), "of one processor"),
    ]
}

/// The spells as parts of all of them.
fn stretches(of: &MemoryReadings, values: impl Fn(&Spell) -> Option<[f64; 3]>) -> Vec<Stretch> {
    let all = spells_in_all(of);
    let stretch = |of: &Spell| Stretch { from: of.place as f64 / all, to: (of.place + 1) as f64 / all, values: values(of) };
    of.spells.iter().map(stretch).collect()
}

fn spells_in_all(of: &MemoryReadings) -> f64 {
    of.spells.last().map_or(1.0, |last| (last.place + 1) as f64)
}

fn chart(of: &MemoryReadings, run: &Run) -> Option<Series> {
    let stretches = stretches(of, |spell| spell.mb);
    // The first spell is around the beginning, and so begins half of one before it.
    let part = |minute: f64| (minute * 60.0 / of.spell.as_secs_f64() + 0.5) / spells_in_all(of);
    let line = of.line.map(|line| [line.minutes.map(part), line.mb]);
    let low_to_high = run.peak_mb.zip(run.variation_mb).map(|(peak, variation)| [peak - variation, peak]);
    let description = low_to_high.map(|ends| ends.map(|mb| format!("{} MB", digits(mb))).join(" to ")).unwrap_or_default();
    let words = Words { title: format!("Memory of {} over time", process(run)), description, table: format!("{ID}-spells") };
    let is_any = stretches.iter().any(|stretch| stretch.values.is_some());
    is_any.then(|| Series::new(&stretches, line, |mb| format!("{} MB", digits(mb)), words))
}

fn processor(of: &MemoryReadings, run: &Run) -> Option<Series> {
    let stretches = stretches(of, |spell| spell.cpu_percent.map(|percent| [percent; 3]));
    let title = format!("Processor time of {} over time", process(run));
    let words = Words { title, description: percent(run.cpu_percent).unwrap_or_default(), table: format!("{ID}-spells") };
    let known = stretches.iter().filter(|stretch| stretch.values.is_some()).count();
    (known > 1).then(|| Series::new(&stretches, None, |percent| format!("{}% CPU", digits(percent)), words))
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

fn spells(of: &MemoryReadings) -> Table {
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
    let heads = ["From", "#Readings", "#Lowest", "#Median", "#Highest", "#CPU"];
    let rows: Vec<_> = of.spells.iter().map(row).collect();
    let all = rows.len();
    Table::new(
        format!("{ID}-spells"),
        format!("The newest run, {} at a time", duration(of.spell.as_secs_f64() * 1000.0)),
        &heads,
        rows,
        all,
    )
}

fn runs(of: &MemoryReadings) -> Table {
    let row = |run: &Run| {
        vec![
            Cell::of(moment(run.from)),
            Cell::of(process(run)).with(run.measure.clone()),
            Cell::of(lasted(run)),
            Cell::count(run.readings),
            Cell::known(megabytes(run.average_mb)),
            Cell::known(megabytes(run.peak_mb)),
            Cell::known(megabytes(run.variation_mb)),
            Cell::known(percent(run.cpu_percent)),
        ]
    };
    let heads = ["Began", "Process", "Lasted", "#Readings", "#Average", "#Peak", "#Variation", "#CPU"];
    let mut table = Table::new(format!("{ID}-runs"), "Runs, the newest first", &heads, of.runs.iter().map(row).collect(), ROWS_MAX);
    table.and_more(of.more_runs);
    table
}
