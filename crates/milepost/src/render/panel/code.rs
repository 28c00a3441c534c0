//! What other tools say of the code: coverage, complexity, tests, known vulnerabilities, and how these moved.

use super::{
    Panel,
    pieces::{Cell, Empty, Figures, Table, counted, known, name, numbers, texts},
};
use crate::render::{
    chart::{Days, Room, Words, amount},
    html::NotWritten,
    words::{self, capital},
};
use askama::Template;
use jiff::{civil::Date, tz::TimeZone};
use milepost_judge::{
    Metric, Panels,
    code::{ComplexFunction, Complexity, Coverage, CoveredFile, Taken, Tests, Vulnerabilities},
    digits,
    panels::Readings,
};
use milepost_record::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How many files and vulnerabilities are listed.
const LISTED_MAX: usize = 20;
/// How many days of readings are listed.
const DAYS_MAX: usize = 92;

#[derive(Template)]
#[template(path = "panel/code.html", whitespace = "minimize")]
struct Body {
    sections: Vec<Section>,
    trends: Vec<Trend>,
    table: Option<Table>,
}

struct Section {
    title: &'static str,
    taken: String,
    known: Result<(Figures, Option<Table>), Empty>,
}

struct Trend {
    title: &'static str,
    newest: String,
    chart: Days,
    ends: [String; 2],
}

pub(crate) fn code(panels: &Panels) -> Result<Panel, NotWritten> {
    let (code, now) = (&panels.report.code, panels.report.to);
    let feed = |text, name: &str| Empty::fed(text, &Metric::Measurement(name.to_owned()));
    let sections = vec![
        match &code.coverage {
            Some(of) => Section::known("Coverage", &of.taken, now, coverage(of)),
            None => Section::empty("Coverage", feed("No report of coverage came in", "coverage.statements")),
        },
        match &code.complexity {
            Some(of) => Section::known("Complexity", &of.taken, now, complexity(of)),
            None => Section::empty("Complexity", feed("No report of complexity came in", "complexity.average")),
        },
        match &code.tests {
            Some(of) => Section::known("Tests", &of.taken, now, (tests(of), None)),
            None => Section::empty("Tests", feed("No report of tests came in", "tests.total")),
        },
        match &code.vulnerabilities {
            Some(of) => Section::known("Known vulnerabilities", &of.taken, now, vulnerabilities(of)),
            None => Section::empty("Known vulnerabilities", feed("No audit of dependencies came in", "vulnerabilities.known")),
        },
    ];
    let today = now.to_jiff().to_zoned_datetime(TimeZone::UTC).date();
    let several = several(&panels.readings);
    let trends = several.iter().zip(1..).filter_map(|(readings, column)| Trend::new(readings, today, column)).collect();
    Ok(Panel { id: "code", title: "Code health", body: Body { sections, trends, table: table(&several) }.render()? })
}

impl Section {
    fn known(title: &'static str, taken: &Taken, now: Timestamp, known: (Figures, Option<Table>)) -> Self {
        let age = words::age(now.since(taken.at));
        Self { title, taken: format!("By {}, {age} old", name(taken.source.as_deref(), "an unnamed tool")), known: Ok(known) }
    }

    fn empty(title: &'static str, empty: Empty) -> Self {
        Self { title, taken: String::new(), known: Err(empty) }
    }
}

fn coverage(of: &Coverage) -> (Figures, Option<Table>) {
    let statements = of.covered.zip(of.of).map(|(covered, of)| format!("{covered} of {of}")).unwrap_or_default();
    let figures = Figures::new()
        .with("Statements", known(of.statements_percent, "%"), statements)
        .with("Branches", known(of.branches_percent, "%"), if of.branches_percent.is_none() { "not measured" } else { "" })
        .with("Files below 80%", of.files_below_80_count.map(digits), "")
        .with("Uncovered lines", of.uncovered_lines.map(digits), "")
        .with("Files of integration tests", of.integration_tests.map(digits), "");
    let row = |file: &CoveredFile| vec![Cell::name(file.file.as_deref(), "not said"), Cell::of(amount(file.percent, "%"))];
    let columns = [texts("File"), numbers("Statements run")];
    let rows = of.files_below_80.iter().map(row);
    (figures, Table::new("code-files", "Files below 80%, the lowest first", columns, rows, LISTED_MAX))
}

fn complexity(of: &Complexity) -> (Figures, Option<Table>) {
    let figures = Figures::new()
        .with("Average", of.average.map(digits), "over all functions and methods")
        .with("Maximum", of.maximum.map(digits), "")
        .with("Functions above 10", of.functions_above_10.map(digits), "");
    let row = |function: &ComplexFunction| {
        let file = name(function.file.as_deref(), "");
        let line = function.line.filter(|_| !file.is_empty()).map(|line| format!(":{line}")).unwrap_or_default();
        let named = Cell::name(function.name.as_deref(), "not said");
        vec![named, Cell::of(digits(function.complexity)), Cell::foreign(format!("{file}{line}"))]
    };
    let columns = [texts("Function"), numbers("Complexity"), texts("File")];
    (figures, Table::new("code-functions", "The most complex functions", columns, of.worst.iter().map(row), LISTED_MAX))
}

fn tests(of: &Tests) -> Figures {
    Figures::new()
        .with("Passed", of.passed.map(digits), of.total.map(|total| format!("of {}", digits(total))).unwrap_or_default())
        .with("Failed", of.failed.map(digits), "")
        .with("Skipped", of.skipped.map(digits), "")
        .with("Integration", of.integration.map(digits), "test parts together")
}

/// How bad a vulnerability is, the worst first, from what a tool says: a word or a score (CVSS). A vector is no score.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Critical,
    High,
    Medium,
    Low,
    NotSaid,
}

impl Severity {
    fn of(said: Option<&str>) -> Self {
        let said = said.unwrap_or_default().trim().to_lowercase();
        match (said.as_str(), said.parse::<f64>()) {
            ("critical", _) => Self::Critical,
            ("high", _) => Self::High,
            ("medium" | "moderate", _) => Self::Medium,
            ("low", _) => Self::Low,
            (_, Ok(score)) if (0.1..=10.0).contains(&score) => match score {
                9.0.. => Self::Critical,
                7.0.. => Self::High,
                4.0.. => Self::Medium,
                _ => Self::Low,
            },
            _ => Self::NotSaid,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::NotSaid => "without a rating",
        }
    }
}

fn vulnerabilities(of: &Vulnerabilities) -> (Figures, Option<Table>) {
    let mut advisories: Vec<_> = of.advisories.iter().map(|advisory| (Severity::of(advisory.severity.as_deref()), advisory)).collect();
    advisories.sort_by_key(|(severity, advisory)| (*severity, &advisory.package, &advisory.id));
    let mut by_severity: BTreeMap<Severity, usize> = BTreeMap::new();
    for (severity, _) in &advisories {
        *by_severity.entry(*severity).or_default() += 1;
    }
    let note = by_severity.iter().map(|(severity, n)| format!("{n} {}", severity.name())).collect::<Vec<_>>().join(", ");
    let figures = Figures::new().with("Known", Some(digits(of.known)), note);
    let rows = advisories.iter().map(|(severity, advisory)| {
        let said = name(advisory.severity.as_deref(), "");
        let severity = if *severity == Severity::NotSaid { said } else { severity.name().to_owned() };
        vec![Cell::name(advisory.id.as_deref(), "not said"), Cell::name(advisory.package.as_deref(), ""), Cell::foreign(severity)]
    });
    let columns = ["Id", "Package", "Severity"].map(texts);
    (figures, Table::new("code-advisories", "Which, the worst first", columns, rows, LISTED_MAX))
}

/// What a measurement is called, and its unit.
fn called(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "coverage.statements" => ("Statements run", "%"),
        "coverage.branches" => ("Branches taken", "%"),
        "complexity.average" => ("Average complexity", ""),
        "vulnerabilities.known" => ("Known vulnerabilities", ""),
        _ => return None,
    })
}

impl Trend {
    /// None below two readings.
    fn new(readings: &Readings, today: Date, column: usize) -> Option<Self> {
        let (title, unit) = called(&readings.name)?;
        let (first, newest) = (readings.days.first()?, readings.days.last()?);
        (readings.days.len() >= 2).then_some(())?;
        let days = counted(readings.days.len() as u64, "day", "days");
        let words =
            Words { title: format!("{title}, day by day"), description: format!("{days} with a reading"), table: "code-days".to_owned() };
        Some(Self {
            title,
            newest: known(newest.value, unit).unwrap_or_default(),
            ends: [first.date, newest.date.max(today)].map(words::day),
            chart: Days::new(&readings.days, None, today, Room::Row, words)?.in_column(column),
        })
    }
}

/// What was read on more than one day.
fn several(readings: &[Readings]) -> Vec<&Readings> {
    readings.iter().filter(|of| of.days.len() >= 2 && called(&of.name).is_some()).collect()
}

/// Their readings day by day, the newest first.
fn table(several: &[&Readings]) -> Option<Table> {
    let named: Vec<_> = several.iter().filter_map(|of| Some((called(&of.name)?, of))).collect();
    let dates: BTreeSet<Date> = several.iter().flat_map(|of| of.days.iter().map(|day| day.date)).collect();
    let row = |date: &Date| {
        let value = |((_, unit), of): &((_, &'static str), &&Readings)| {
            let day = of.days.iter().find(|day| day.date == *date);
            Cell::or_none(day.and_then(|day| known(day.value, unit)))
        };
        std::iter::once(Cell::of(capital(&words::day(*date)))).chain(named.iter().map(value)).collect()
    };
    let columns = std::iter::once(texts("Day")).chain(named.iter().map(|((title, _), _)| numbers(title)));
    let table = Table::new("code-days", "The newest reading of each day", columns, dates.iter().rev().map(row), DAYS_MAX)?;
    Some(table.on_days(*dates.first()?, dates.iter().rev().copied()))
}
