//! The report of a day, a week or a month: for a terminal, as Markdown, and as one HTML file that needs no network.

use super::{
    chart::{amount, sign},
    concise::Concise,
    history::said,
    report::{Document, ROWS_MAX, Section, Table, cell, in_words, known},
    rows::Content,
    words::{TEXT_CHARS_MAX, count, moment, plain},
};
use askama::Template;
use milepost_judge::{
    PeriodReport, Rhythm, Verdict,
    comparison::Observed,
    period_report::{Adjustments, LevelChange, Progress, Remark, Step},
};
use serde_json::{Value, json};

/// The page could not be written. Writing to memory does not fail, so this is a fault of a template.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be written")]
pub struct NotWritten(#[from] askama::Error);

/// The report for a terminal of this width.
#[must_use]
pub fn terminal(report: &PeriodReport, width: usize) -> String {
    document(report).terminal(width)
}

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &PeriodReport) -> String {
    document(report).markdown()
}

/// The report as a page. The same input always gives the same bytes.
///
/// # Errors
///
/// Where a template fails.
pub fn html(report: &PeriodReport) -> Result<String, NotWritten> {
    Ok(Page::new(document(report)).render()?)
}

#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Page {
    title: String,
    lines: Vec<String>,
    sections: Vec<PageSection>,
    last: Option<String>,
}

struct PageSection {
    title: &'static str,
    figures: Vec<(&'static str, String)>,
    tables: Vec<PageTable>,
}

/// Each heading and cell with the class of its column.
struct PageTable {
    title: &'static str,
    headings: Vec<(String, &'static str)>,
    rows: Vec<Vec<(String, &'static str)>>,
    more: usize,
}

impl Page {
    fn new(document: Document) -> Self {
        let harmless = |text: &str| plain(text, TEXT_CHARS_MAX);
        let class = |of: Content| if of == Content::Number { "number" } else { "text" };
        let table = |Table { title, headings, rows }: Table| {
            let row = |row: &Vec<Value>| {
                let cells = row.iter().zip(&headings);
                cells.map(|(value, heading)| (harmless(&in_words(value)), class(heading.of))).collect()
            };
            PageTable {
                title,
                more: rows.len().saturating_sub(ROWS_MAX),
                rows: rows.iter().take(ROWS_MAX).map(row).collect(),
                headings: headings.iter().map(|heading| (heading.name.clone(), class(heading.of))).collect(),
            }
        };
        let section = |Section { title, figures, tables }: Section| PageSection {
            title,
            figures: figures.into_iter().map(|(name, value)| (name, harmless(&value))).collect(),
            tables: tables.into_iter().map(table).collect(),
        };
        Self {
            title: harmless(&document.title),
            lines: document.lines.iter().map(|line| harmless(line)).collect(),
            sections: document.sections.into_iter().map(section).collect(),
            last: document.last.map(|last| harmless(&last)),
        }
    }
}

const fn unit(rhythm: Rhythm) -> &'static str {
    match rhythm {
        Rhythm::Daily => "day",
        Rhythm::Weekly => "week",
        Rhythm::Monthly => "month",
    }
}

fn document(report: &PeriodReport) -> Document {
    let PeriodReport { project, period, from, to, time_zone, origins, .. } = report;
    let unit = unit(report.report);
    let mut lines =
        vec![format!("the {unit} {period} in {time_zone}: {} to {}, origin {}", moment(*from), moment(*to), origins.join(", "))];
    lines.extend(report.open_until.map(|until| format!("The {unit} is not over: this is what there was up to {}.", moment(until))));
    lines.push(format!("It rests on {} of this {unit}.", events(report.events)));
    lines.extend(report.first_made.map(|first| {
        let made = moment(first.at);
        match report.events.checked_sub(first.events) {
            Some(later) => format!("{} of this {unit} arrived after the report was first made, on {made}.", events(later)),
            None => format!("{} of this {unit} went after the report was first made, on {made}.", events(first.events - report.events)),
        }
    }));
    let shown = sections(report);
    let last = shown.last_line();
    Document { title: format!("{project}, {} report", report.report.name()), lines, sections: shown.sections, last }
}

fn events(n: u64) -> String {
    format!("{} {}", count(n), if n == 1 { "event" } else { "events" })
}

fn sections(report: &PeriodReport) -> Concise {
    let mut shown = Concise::default();
    shown.whole(summary(report));
    if let Some(of) = &report.progress {
        shown.whole(progress(report, of));
    }
    shown.trackers(report);
    let moved = report.progress.as_deref().filter(|_| report.report == Rhythm::Monthly).map(moved);
    let of_people = [moved, report.changes.as_deref().map(changes), report.adjustments.as_ref().map(adjustments)];
    of_people.into_iter().flatten().for_each(|section| shown.whole(section));
    if let Some(of) = &report.community {
        shown.community(of, report.feedback.as_deref().and_then(|said| remarks("What people said", said)));
    }
    report.plan.as_deref().into_iter().for_each(|of| shown.whole(plan(of)));
    shown
}

fn summary(report: &PeriodReport) -> Section {
    let of = report.summary;
    let p95 = if of.p95_ms.is_none() && of.failed > 0 { "falls on a failure".to_owned() } else { known(of.p95_ms, " ms") };
    Section {
        title: "Summary",
        figures: vec![
            ("operations", if of.operations == 0 { "none".to_owned() } else { count(of.operations) }),
            ("success rate", known(of.success_rate, "%")),
            ("P95, all together", p95),
        ],
        tables: Vec::new(),
    }
}

fn observed(observed: &Observed, unit: &str) -> Value {
    observed.estimate.map_or_else(blank, |estimate| json!(amount(estimate, unit)))
}

/// What there is none of.
fn blank() -> Value {
    json!("–")
}

fn verdict(verdict: Verdict) -> Value {
    json!(verdict.name().replace('_', " "))
}

fn progress(report: &PeriodReport, of: &[Progress]) -> Section {
    let unit = unit(report.report);
    // The metric tells apart what a criterion demands at once; where it demands one thing, the name says enough.
    let name = |goal: &Progress| {
        let demands_several = of.iter().filter(|other| other.criterion == goal.criterion).count() > 1;
        if demands_several { json!(format!("{}: {}", goal.criterion, goal.metric)) } else { json!(goal.criterion) }
    };
    let row = |goal: &Progress| {
        vec![
            name(goal),
            goal.baseline.as_deref().map_or_else(blank, Value::from),
            observed(&goal.before, &goal.unit),
            observed(&goal.now, &goal.unit),
            json!(goal.now.n),
            json!(goal.target.as_ref().map_or("by group".to_owned(), sign)),
            cell(goal.way_percent),
            verdict(goal.verdict_at_end),
        ]
    };
    let headings = [
        ("criterion", Content::Text),
        ("baseline", Content::Text),
        ("before", Content::Number),
        ("now", Content::Number),
        ("n", Content::Number),
        ("target", Content::Number),
        ("way %", Content::Number),
        ("verdict", Content::Text),
    ];
    let end = report.open_until.unwrap_or(report.to);
    let mut figures = vec![("verdicts", format!("of the scorecard at {}, on all evidence until then", moment(end)))];
    let is_before_known = of.iter().any(|goal| goal.before.estimate.is_some());
    // Names that are short, so that the table has room in a terminal.
    if is_before_known {
        figures.push(("before, now", format!("the {unit} before, and this {unit}")));
    }
    if of.iter().any(|goal| goal.way_percent.is_some()) {
        figures.push(("way", "from the baseline to the target, where both are known as amounts".to_owned()));
    }
    // Of which a row would say nothing but the target.
    let is_silent = |goal: &&Progress| {
        let seen = goal.before.estimate.or(goal.now.estimate).is_some() || goal.before.n + goal.now.n > 0;
        !seen && goal.baseline.is_none() && goal.verdict_at_end == Verdict::NoData
    };
    let (silent, told): (Vec<_>, Vec<_>) = of.iter().partition(is_silent);
    let mut names: Vec<_> = silent.into_iter().map(|goal| goal.criterion.as_str()).collect();
    names.dedup();
    if !names.is_empty() {
        figures.push(("no data", names.join(", ")));
    }
    let tables = vec![Table::new("From baseline to target", &headings, told.into_iter().map(row).collect()).without_unknown()];
    Section { title: "Progress", figures, tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect() }
}

fn moved(of: &[Progress]) -> Section {
    let points = |share: f64| json!(format!("{:+.1}", share * 100.0));
    let row = |goal: &Progress| {
        let difference = goal.difference?;
        let [low, high] = difference.interval.map(|share| format!("{:+.1}", share * 100.0));
        let of = goal.made_of.as_ref();
        let names = |names: Option<&Vec<String>>| names.filter(|names| !names.is_empty()).map_or(blank(), |names| json!(names.join(", ")));
        Some(vec![
            json!(goal.criterion),
            points(difference.value),
            json!(format!("{low} to {high}")),
            of.map_or(blank(), |of| points(of.rate_effect)),
            of.map_or(blank(), |of| points(of.mix_effect)),
            names(of.map(|of| &of.new)),
            names(of.map(|of| &of.vanished)),
        ])
    };
    let rows: Vec<_> = of.iter().filter_map(row).collect();
    let headings = [
        ("criterion", Content::Text),
        ("points", Content::Number),
        ("95%", Content::Number),
        ("by rates", Content::Number),
        ("by mix", Content::Number),
        ("new", Content::Text),
        ("vanished", Content::Text),
    ];
    let trends = |goal: &Progress| {
        let values = || goal.trend.iter().filter_map(|day| day.value);
        let (first, last) = goal.trend.first().zip(goal.trend.last())?;
        let edge = |pick: fn(f64, f64) -> f64| values().reduce(pick);
        Some(vec![
            json!(goal.criterion),
            json!(goal.metric),
            json!(goal.unit),
            json!(goal.trend.len()),
            cell(first.value),
            cell(last.value),
            cell(edge(f64::min)),
            cell(edge(f64::max)),
        ])
    };
    let days: Vec<_> = of.iter().filter_map(trends).collect();
    let of_days = [
        ("criterion", Content::Text),
        ("metric", Content::Text),
        ("unit", Content::Text),
        ("days", Content::Number),
        ("first", Content::Number),
        ("last", Content::Number),
        ("lowest", Content::Number),
        ("highest", Content::Number),
    ];
    let none = rows.is_empty();
    let tables = [
        (!none).then(|| Table::new("Good events beside the month before, in points", &headings, rows)),
        (!days.is_empty()).then(|| Table::new("Day by day", &of_days, days)),
    ];
    Section {
        title: "Trends, and what moved them",
        figures: vec![(
            "beside the month before",
            if none { "not known: a rate on both sides is needed" } else { "a difference is no cause, and one among many may be chance" }
                .to_owned(),
        )],
        tables: tables.into_iter().flatten().collect(),
    }
}

fn changes(of: &[LevelChange]) -> Section {
    let row = |level: &LevelChange| {
        let change = level.change;
        vec![
            json!(level.criterion),
            json!(change.from.to_string()),
            json!(amount(change.before, &level.unit)),
            json!(amount(change.after, &level.unit)),
            json!(if change.is_trend { "in steps" } else { "at once" }),
        ]
    };
    let headings = [
        ("criterion", Content::Text),
        ("from", Content::Exact),
        ("before", Content::Number),
        ("after", Content::Number),
        ("how", Content::Text),
    ];
    Section {
        title: "Probable changes of a level",
        figures: vec![("found", if of.is_empty() { "none".to_owned() } else { format!("{}; hints, and no verdicts", of.len()) })],
        tables: if of.is_empty() { Vec::new() } else { vec![Table::new("Changes", &headings, of.iter().map(row).collect())] },
    }
}

fn adjustments(of: &Adjustments) -> Section {
    let rows: Vec<_> = of.criteria.iter().map(|a| vec![json!(moment(a.change.at)), json!(a.criterion), json!(said(&a.change))]).collect();
    let headings = [("when", Content::Exact), ("criterion", Content::Text), ("what", Content::Text)];
    let criteria = (!rows.is_empty()).then(|| Table::new("Criteria", &headings, rows));
    let number = |n: usize| if n == 0 { "none recorded".to_owned() } else { n.to_string() };
    Section {
        title: "Adjustments",
        figures: vec![("changes of criteria", number(of.criteria.len())), ("decisions", number(of.decisions.len()))],
        tables: [criteria, remarks("Decisions", &of.decisions)].into_iter().flatten().collect(),
    }
}

fn remarks(title: &'static str, of: &[Remark]) -> Option<Table> {
    let row =
        |remark: &Remark| vec![json!(moment(remark.at)), cell(remark.score), remark.text.as_ref().map_or(blank(), |text| json!(text))];
    let headings = [("when", Content::Exact), ("score", Content::Number), ("text", Content::Text)];
    (!of.is_empty()).then(|| Table::new(title, &headings, of.iter().map(row).collect()))
}

fn plan(of: &[Step]) -> Section {
    let row = |step: &Step| {
        let next = [step.advice.as_deref(), step.command.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
        vec![
            json!(step.criterion),
            step.tier.map_or(blank(), |tier| json!(tier.name())),
            verdict(step.verdict_at_end),
            step.at_least_more.map_or(blank(), |n| json!(n)),
            step.projected_more.map_or(blank(), |n| json!(n)),
            if next.is_empty() { blank() } else { json!(next) },
        ]
    };
    let headings = [
        ("criterion", Content::Text),
        ("tier", Content::Text),
        ("verdict at the end", Content::Text),
        ("at least more", Content::Number),
        ("about more", Content::Number),
        ("next", Content::Text),
    ];
    Section {
        title: "To reach what is missing",
        figures: vec![("not met at the end", of.len().to_string())],
        tables: if of.is_empty() { Vec::new() } else { vec![Table::new("Steps", &headings, of.iter().map(row).collect())] },
    }
}
