//! What goes wrong: categories and their days, operations, and the newest failures with what the product said where that is stored.

use super::{
    super::{
        chart::Words,
        html::NotWritten,
        words::{NAME_CHARS_MAX, count, day, moment, plain},
    },
    Panel,
    draw::DayBars,
    first_shown,
    pieces::{Cell, Empty, Figure, ROWS_MAX, Table, percent},
    today,
};
use askama::Template;
use jiff::civil::Date;
use milepost_judge::{Panels, operations::Errors as Category, panels::DayFigures};
use milepost_record::Failure;
use std::collections::BTreeMap;

const ID: &str = "errors";
/// What stands for a category that nobody gave.
const NOT_SAID: &str = "(not said)";
/// How many categories are told apart: those beyond, the rarest ones, are counted together.
const CATEGORIES: usize = 7;
/// How many categories of one operation are named.
const NAMED: usize = 3;
/// What the product said is cut beyond this many characters.
const SAID_CHARS_MAX: usize = 240;

#[derive(Template)]
#[template(path = "panel/errors.html", whitespace = "minimize")]
struct Errors {
    period: String,
    empty: Option<Empty>,
    figures: Vec<Figure>,
    categories: Vec<Row>,
    /// What the charts have in common.
    scale: String,
    by_category: Option<Table>,
    by_day: Option<Table>,
    by_operation: Option<Table>,
    newest: Option<Table>,
    /// Whether anything that the product said is there.
    has_texts: bool,
}

struct Row {
    name: String,
    says: String,
    chart: Option<DayBars>,
}

/// The panel.
pub(crate) fn errors(panels: &Panels) -> Result<Panel, NotWritten> {
    let (report, failing) = (&panels.report, &panels.failing);
    let all = &report.performance.overall;
    let is_empty = report.performance.by_operation.is_empty();
    let categories = &report.reliability.errors;
    let days = Days::of(panels);
    let failed = all.failed;
    let body = Errors {
        period: super::period(panels),
        empty: is_empty.then_some(Empty {
            why: "No operation was recorded, so nothing is known of what fails. Wrap a command of the product",
            command: "milepost run --operation NAME -- COMMAND",
        }),
        figures: if is_empty { Vec::new() } else { figures(panels) },
        categories: days.rows(categories, failed),
        scale: days.scale(),
        by_category: (failed > 0).then(|| by_category(categories, failed)),
        by_day: (failed > 0 && days.has_any()).then(|| days.table(categories)),
        by_operation: (!failing.by_operation.is_empty()).then(|| by_operation(panels)),
        newest: (!failing.newest.is_empty()).then(|| newest(&failing.newest)),
        has_texts: failing.newest.iter().any(|failure| failure.text.is_some()),
    };
    Ok(Panel { id: ID, title: "Errors", body: body.render()? })
}

fn figures(panels: &Panels) -> Vec<Figure> {
    let (all, of) = (&panels.report.performance.overall, &panels.report.reliability);
    let mean = of.mean_of_rates.map(|rate| format!("{}% is the mean of the operations' rates", milepost_judge::digits(rate)));
    vec![
        Figure::new("Failed", Some(count(all.failed)), format!("of {} operations", count(all.count))),
        Figure::new("Succeeded", percent(of.overall_success_rate), mean.unwrap_or_default()),
        Figure::new("Timed out", Some(count(all.timeouts)), "among those that failed"),
        Figure::new("Cancelled", Some(count(all.cancelled)), "by somebody; not counted"),
        Figure::new("Dry runs", Some(count(all.dry_runs)), "not counted"),
    ]
}

fn name_of(category: Option<&str>) -> String {
    category.map_or_else(|| NOT_SAID.to_owned(), |name| plain(name, NAME_CHARS_MAX))
}

fn share(n: u64, of: u64) -> Option<String> {
    percent((of > 0).then(|| 100.0 * n as f64 / of as f64))
}

fn by_category(categories: &[Category], failed: u64) -> Table {
    let row = |of: &Category| vec![Cell::of(name_of(of.category.as_deref())), Cell::count(of.count), Cell::known(share(of.count, failed))];
    Table::new(format!("{ID}-categories"), "By category", &["Category", "#n", "#Share"], categories.iter().map(row).collect(), ROWS_MAX)
}

/// The days of the period on which there were operations, and what failed on them.
struct Days<'a> {
    days: &'a [DayFigures],
    by_category: &'a BTreeMap<Date, BTreeMap<Option<String>, u64>>,
    ends: Option<[Date; 2]>,
    most: u64,
}

impl<'a> Days<'a> {
    fn of(panels: &'a Panels) -> Self {
        let days = &panels.speed.days;
        let by_category = &panels.failing.days;
        let ends = days
            .first()
            .map(|first| [first_shown(first.date, panels), today(panels).max(days.last().map_or(first.date, |last| last.date))]);
        let most = by_category.values().flat_map(|of_day| of_day.values().copied()).max().unwrap_or(0);
        // Of an answer that was cut, what is missing of a day is not known.
        Self { days: if panels.failing.is_whole { days } else { &[] }, by_category, ends, most }
    }

    fn has_any(&self) -> bool {
        !self.days.is_empty()
    }

    fn n(&self, date: Date, category: Option<&str>) -> u64 {
        let of_day = self.by_category.get(&date);
        of_day.into_iter().flatten().filter(|(of, _)| of.as_deref() == category).map(|(_, n)| n).sum()
    }

    fn counted(&self) -> impl Iterator<Item = &'a DayFigures> + use<'a> {
        self.days.iter().filter(|day| day.figures.count > 0)
    }

    fn rows(&self, categories: &[Category], failed: u64) -> Vec<Row> {
        let row = |of: &Category| {
            let name = name_of(of.category.as_deref());
            let says = format!("{} · {}", count(of.count), share(of.count, failed).unwrap_or_default());
            let days: Vec<_> = self.counted().map(|day| (day.date, self.n(day.date, of.category.as_deref()))).collect();
            let words = Words { title: format!("{name}: errors day by day"), description: says.clone(), table: format!("{ID}-days") };
            let chart = self.ends.filter(|_| self.has_any()).map(|ends| DayBars::new(ends, &days, self.most, words));
            Row { name, says, chart }
        };
        categories.iter().take(CATEGORIES).map(row).collect()
    }

    fn scale(&self) -> String {
        let Some([first, last]) = self.ends.filter(|_| self.has_any()) else {
            return "What is missing of a day is not known: there are more days and categories, or more backends, than are told apart."
                .to_owned();
        };
        format!(
            "{} to {}. All on one scale: the highest bar is {} on one day. Days without operations have no line.",
            day(first),
            day(last),
            count(self.most)
        )
    }

    fn table(&self, categories: &[Category]) -> Table {
        let shown: Vec<_> = categories.iter().take(CATEGORIES).collect();
        let has_more = categories.len() > CATEGORIES;
        let names: Vec<String> = shown.iter().map(|of| format!("#{}", name_of(of.category.as_deref()))).collect();
        let mut heads = vec!["Day", "#Operations", "#Failed", "#Timed out", "#Cancelled"];
        heads.extend(names.iter().map(String::as_str));
        heads.extend(has_more.then_some("#others"));
        let row = |of: &DayFigures| {
            let figures = &of.figures;
            let by: Vec<u64> = shown.iter().map(|category| self.n(of.date, category.category.as_deref())).collect();
            let others = figures.failed.saturating_sub(by.iter().sum());
            let counts = [figures.count, figures.failed, figures.timeouts, figures.cancelled].into_iter().chain(by);
            std::iter::once(Cell::of(day(of.date))).chain(counts.chain(has_more.then_some(others)).map(Cell::count)).collect()
        };
        let rows: Vec<_> = self.days.iter().rev().map(row).collect();
        let all = rows.len();
        Table::new(format!("{ID}-days"), "Errors day by day", &heads, rows, all)
    }
}

fn by_operation(panels: &Panels) -> Table {
    let rows = panels.failing.by_operation.iter().map(|of| {
        let named: Vec<_> =
            of.categories.iter().take(NAMED).map(|(category, n)| format!("{} {}", name_of(category.as_deref()), count(*n))).collect();
        let more = of.categories.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let failed = Cell::count(of.failed);
        vec![
            Cell::name(Some(&of.operation), NOT_SAID),
            Cell::count(of.count),
            match share(of.failed, of.count).filter(|_| of.failed > 0) {
                Some(share) => failed.with(share),
                None => failed,
            },
            Cell::count(of.timeouts),
            Cell::count(of.cancelled),
            Cell::of(format!("{}{more}", named.join(", "))),
        ]
    });
    let heads = ["Operation", "#Operations", "#Failed", "#Timed out", "#Cancelled", "Categories"];
    Table::new(format!("{ID}-operations"), "By operation", &heads, rows.collect(), ROWS_MAX)
}

fn newest(failures: &[Failure]) -> Table {
    let has_texts = failures.iter().any(|failure| failure.text.is_some());
    let heads = ["When", "Operation", "Backend", "Category", "What the product said"];
    let row = |failure: &Failure| {
        let category = Cell::name(failure.category.as_deref(), NOT_SAID);
        vec![
            Cell::of(moment(failure.at)),
            Cell::name(Some(&failure.operation), NOT_SAID),
            Cell::name(failure.backend.as_deref(), NOT_SAID),
            if failure.timeout { category.with("timed out") } else { category },
            Cell::of(failure.text.as_deref().map_or_else(|| "(not stored)".to_owned(), |text| plain(text, SAID_CHARS_MAX))),
        ]
    };
    let heads = if has_texts { &heads[..] } else { &heads[..heads.len() - 1] };
    Table::new(format!("{ID}-newest"), "The newest failures", heads, failures.iter().map(row).collect(), failures.len())
}
