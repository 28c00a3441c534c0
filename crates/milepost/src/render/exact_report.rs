//! The exact report, for a terminal and as Markdown.

use super::{
    report::{Document, Section, Table, cell, known, period},
    rows::Content,
};
use milepost_judge::{
    ExactReport, Failures,
    exact_report::{Figures, Quantiles, ToFirstSuccess},
};
use milepost_record::Timestamp;
use serde_json::{Value, json};
use std::{cmp::Reverse, collections::BTreeSet};

/// What a report is about.
pub struct About<'a> {
    /// Name of the project.
    pub project: &'a str,
    /// Beginning of the period; None where it reaches back to the first event.
    pub from: Option<Timestamp>,
    /// End of the period.
    pub to: Timestamp,
    /// Whose events count.
    pub origins: &'a BTreeSet<String>,
    /// How quantiles are made.
    pub quantiles: Quantiles,
}

/// The report for a terminal of this width.
#[must_use]
pub fn terminal(report: &ExactReport, about: &About<'_>, width: usize) -> String {
    document(report, about).terminal(width)
}

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &ExactReport, about: &About<'_>) -> String {
    document(report, about).markdown()
}

fn document(report: &ExactReport, about: &About<'_>) -> Document {
    let origins: Vec<String> = about.origins.iter().cloned().collect();
    Document {
        title: about.project.to_owned(),
        lines: vec![period(about.from, about.to, &origins)],
        sections: vec![performance(report, about.quantiles.failures), reliability(report), first_success(report), cohorts(report)],
        last: None,
    }
}

const FIGURES: [(&str, Content); 4] =
    [("n", Content::Number), ("ok %", Content::Number), ("P50 ms", Content::Number), ("P95 ms", Content::Number)];

fn figures(Figures(n, succeeded, p50, p95): &Figures) -> [Value; 4] {
    // Where there are failures and no value, the quantile falls on one of them.
    let slow = |value: &Option<f64>| if value.is_none() && succeeded.is_some_and(|ok| ok < 100.0) { json!("failed") } else { cell(*value) };
    [json!(n), cell(*succeeded), slow(p50), slow(p95)]
}

fn performance(report: &ExactReport, failures: Failures) -> Section {
    let table = |title, names: &[(&'static str, Content)], rows: Vec<(Vec<Value>, &Figures)>| {
        let headings: Vec<_> = names.iter().copied().chain(FIGURES).collect();
        Table::new(title, &headings, rows.into_iter().map(|(names, of)| [names, figures(of).to_vec()].concat()).collect())
    };
    let of_backend = |backend: &Option<String>| json!(backend.as_deref().unwrap_or("(not said)"));
    let operations = report.by_operation.iter().map(|(name, of)| (vec![json!(name)], of));
    let both = report.by_operation_backend.iter().map(|((name, backend), of)| (vec![json!(name), of_backend(backend)], of));
    let days = report.by_day.iter().rev().map(|(day, of)| (vec![json!(day.to_string())], of)).collect();
    let Figures(n, succeeded, ..) = &report.summary;
    let [_, _, p50, p95] = figures(&report.summary).map(|cell| match cell {
        Value::String(digits) if digits.parse::<f64>().is_ok() => format!("{digits} ms"),
        Value::String(word) => word,
        number => number.to_string(),
    });
    let what = match failures {
        Failures::Slow => "a failure is slower than any limit",
        Failures::Exclude => "of those that succeed",
    };
    let (operation, backend) = (("operation", Content::Text), ("backend", Content::Text));
    Section {
        title: "Performance",
        figures: vec![("operations", n.to_string()), ("succeeded", known(*succeeded, "%")), ("P50, P95", format!("{p50}, {p95}: {what}"))],
        tables: if *n == 0 {
            Vec::new()
        } else {
            vec![
                table("By operation", &[operation], most_first(operations)),
                table("By operation and backend", &[operation, backend], most_first(both)),
                table("By day", &[("day", Content::Exact)], days),
            ]
        },
    }
}

/// The most frequent first; of equal ones, in the order of their names.
fn most_first<'a>(rows: impl Iterator<Item = (Vec<Value>, &'a Figures)>) -> Vec<(Vec<Value>, &'a Figures)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(_, Figures(n, ..))| Reverse(*n));
    rows
}

fn reliability(report: &ExactReport) -> Section {
    let mut errors: Vec<_> = report.errors.iter().collect();
    errors.sort_by_key(|(_, n)| Reverse(**n));
    let rows: Vec<_> = errors.into_iter().map(|(category, n)| vec![json!(category), json!(n)]).collect();
    let said: u64 = report.errors.values().sum();
    Section {
        title: "Reliability",
        figures: vec![("failures that say why", said.to_string())],
        tables: if rows.is_empty() {
            Vec::new()
        } else {
            vec![Table::new("What went wrong", &[("category", Content::Text), ("n", Content::Number)], rows)]
        },
    }
}

fn first_success(report: &ExactReport) -> Section {
    let ToFirstSuccess(people, succeeded, mean, median, fast) = &report.ttfs;
    let median = match median {
        None if people > succeeded => "not reached: fewer than half succeed".to_owned(),
        median => known(*median, " s"),
    };
    Section {
        title: "From the first operation to the first success",
        figures: vec![
            ("people", format!("{people}, of whom {succeeded} succeeded")),
            ("median", median),
            ("mean of those who succeeded", known(*mean, " s")),
            ("below 30 s", format!("{} of those who succeeded", known(*fast, "%"))),
        ],
        tables: Vec::new(),
    }
}

/// The weeks after the first one that are shown.
const WEEKS: [u32; 5] = [1, 2, 4, 8, 12];

fn cohorts(report: &ExactReport) -> Section {
    let mondays: BTreeSet<_> = report.retention.keys().map(|(monday, _)| *monday).collect();
    let people = |monday, weeks| report.retention.get(&(monday, weeks)).copied();
    let row = |monday| {
        let later = WEEKS.map(|weeks| people(monday, weeks).map_or(json!("–"), |n| json!(n)));
        [vec![json!(monday.to_string()), json!(people(monday, 0))], later.to_vec()].concat()
    };
    let weeks = WEEKS.map(|weeks| format!("week {weeks}"));
    let headings = [("first week", Content::Exact), ("people", Content::Number)].into_iter();
    let headings: Vec<_> = headings.chain(weeks.iter().map(|name| (name.as_str(), Content::Number))).collect();
    let rows: Vec<_> = mondays.into_iter().map(row).collect();
    Section {
        title: "Retention",
        figures: vec![("weekly cohorts", rows.len().to_string())],
        tables: if rows.is_empty() {
            Vec::new()
        } else {
            vec![Table::new("Of the people of a week, active so many weeks later", &headings, rows)]
        },
    }
}
