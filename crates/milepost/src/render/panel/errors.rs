//! What goes wrong: categories and their days, operations, and the newest failures with what the product said where that is stored.

use super::{
    super::{
        chart::Words,
        html::NotWritten,
        words::{PAGE_NAME_CHARS_MAX, count, day, moment, plain},
    },
    Panel,
    draw::DayBars,
    first_shown,
    pieces::{Cell, Empty, Figures, ROWS_MAX, Row, Table, numbers, numbers_of, percent, texts},
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
/// What the table of the days has before its categories.
const COLUMNS: [&str; 5] = ["Day", "Operations", "Failed", "Timed out", "Cancelled"];
/// What the product said is cut beyond this many characters.
const SAID_CHARS_MAX: usize = 160;

#[derive(Template)]
#[template(path = "panel/errors.html", whitespace = "minimize")]
struct Errors {
    period: String,
    empty: Option<Empty>,
    figures: Option<Figures>,
    categories: Vec<Row<DayBars>>,
    /// What the charts have in common.
    scale: String,
    ends: Option<[String; 2]>,
    by_category: Option<Table>,
    by_day: Option<Table>,
    by_operation: Option<Table>,
    newest: Option<Table>,
    /// Whether anything that the product said is there.
    has_texts: bool,
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
        empty: is_empty.then(|| {
            Empty::new(
                "No operation was recorded, so nothing is known of what fails. Wrap a command of the product",
                "milepost run --operation NAME -- COMMAND",
            )
        }),
        figures: (!is_empty).then(|| figures(panels)),
        categories: days.rows(categories, failed),
        scale: days.scale(),
        ends: days.ends.filter(|_| days.has_any()).map(|ends| ends.map(day)),
        by_category: by_category(categories, failed),
        by_day: (failed > 0).then(|| days.table(categories)).flatten(),
        by_operation: by_operation(panels),
        newest: newest(&failing.newest),
        has_texts: failing.newest.iter().any(|failure| failure.text.is_some()),
    };
    Ok(Panel { id: ID, title: "Errors", body: body.render()? })
}

fn figures(panels: &Panels) -> Figures {
    let (all, of) = (&panels.report.performance.overall, &panels.report.reliability);
    let mean = of.mean_of_rates.map(|rate| format!("{}% is the mean of the operations' rates", milepost_judge::digits(rate)));
    Figures::new()
        .with("Failed", Some(count(all.failed)), format!("of {} operations", count(all.count)))
        .with("Succeeded", percent(of.overall_success_rate), mean.unwrap_or_default())
        .with("Timed out", Some(count(all.timeouts)), "among those that failed")
        .with("Cancelled", Some(count(all.cancelled)), "by somebody; not counted")
        .with("Dry runs", Some(count(all.dry_runs)), "not counted")
}

fn name_of(category: Option<&str>) -> String {
    category.map_or_else(|| NOT_SAID.to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))
}

fn share(n: u64, of: u64) -> Option<String> {
    percent((of > 0).then(|| 100.0 * n as f64 / of as f64))
}

fn by_category(categories: &[Category], failed: u64) -> Option<Table> {
    let row =
        |of: &Category| vec![Cell::foreign(name_of(of.category.as_deref())), Cell::count(of.count), Cell::known(share(of.count, failed))];
    let columns = [texts("Category"), numbers("n"), numbers("Share")];
    Table::new(format!("{ID}-categories"), "By category", columns, categories.iter().map(row), ROWS_MAX)
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

    fn rows(&self, categories: &[Category], failed: u64) -> Vec<Row<DayBars>> {
        let row = |(place, of): (usize, &Category)| {
            let name = name_of(of.category.as_deref());
            let says = format!("{} · {}", count(of.count), share(of.count, failed).unwrap_or_default());
            let days: Vec<_> = self.counted().map(|day| (day.date, self.n(day.date, of.category.as_deref()))).collect();
            let words = Words { title: format!("{name}: errors day by day"), description: says.clone(), table: format!("{ID}-days") };
            let chart = self.ends.filter(|_| self.has_any()).map(|ends| DayBars::new(ends, &days, self.most, COLUMNS.len() + place, words));
            Row { name, says, chart }
        };
        categories.iter().take(CATEGORIES).enumerate().map(row).collect()
    }

    fn scale(&self) -> String {
        if self.ends.is_none() || !self.has_any() {
            return "What is missing of a day is not known: there are more days and categories, or more backends, than are told apart."
                .to_owned();
        }
        format!("All on one scale: the highest bar is {} on one day. Days without operations have no line.", count(self.most))
    }

    fn table(&self, categories: &[Category]) -> Option<Table> {
        let shown: Vec<_> = categories.iter().take(CATEGORIES).collect();
        let has_more = categories.len() > CATEGORIES;
        let names = shown.iter().map(|of| numbers_of(&name_of(of.category.as_deref())));
        let [day_of, others @ ..] = COLUMNS;
        let columns = std::iter::once(texts(day_of)).chain(others.map(numbers)).chain(names).chain(has_more.then(|| numbers("others")));
        let row = |of: &DayFigures| {
            let figures = &of.figures;
            let by: Vec<u64> = shown.iter().map(|category| self.n(of.date, category.category.as_deref())).collect();
            let others = figures.failed.saturating_sub(by.iter().sum());
            let counts = [figures.count, figures.failed, figures.timeouts, figures.cancelled].into_iter().chain(by);
            std::iter::once(Cell::of(day(of.date))).chain(counts.chain(has_more.then_some(others)).map(Cell::count)).collect()
        };
        let table = Table::new(format!("{ID}-days"), "Errors day by day", columns, self.days.iter().rev().map(row), self.days.len());
        let [first, _] = self.ends?;
        table.map(|table| table.on_days(first, self.days.iter().rev().map(|day| day.date)))
    }
}

fn by_operation(panels: &Panels) -> Option<Table> {
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
            Cell::foreign(format!("{}{more}", named.join(", "))),
        ]
    });
    let numbers = ["Operations", "Failed", "Timed out", "Cancelled"].map(numbers);
    let columns = std::iter::once(texts("Operation")).chain(numbers).chain([texts("Categories")]);
    Table::new(format!("{ID}-operations"), "By operation", columns, rows, ROWS_MAX)
}

fn newest(failures: &[Failure]) -> Option<Table> {
    let has_texts = failures.iter().any(|failure| failure.text.is_some());
    let heads = ["When", "Operation", "Backend", "Category", "What the product said"];
    let row = |failure: &Failure| {
        let category = Cell::name(failure.category.as_deref(), NOT_SAID);
        vec![
            Cell::of(moment(failure.at)),
            Cell::name(Some(&failure.operation), NOT_SAID),
            Cell::name(failure.backend.as_deref(), NOT_SAID),
            if failure.timeout { category.with("timed out") } else { category },
            Cell::foreign(failure.text.as_deref().map_or_else(|| "(not stored)".to_owned(), |text| plain(text, SAID_CHARS_MAX))),
        ]
    };
    let columns = heads.into_iter().take(if has_texts { 5 } else { 4 }).map(texts);
    Table::new(format!("{ID}-newest"), "The newest failures", columns, failures.iter().map(row), failures.len())
}
