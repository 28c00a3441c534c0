//! The report of a period: its figures, tracker by tracker, for a terminal and as Markdown. What is not known says so.

use super::{
    markdown::escaped,
    rows::{Content, Heading, table},
    terminal::{line, printable},
    words::moment,
};
use anstyle::Style;
use milepost_judge::{
    Report,
    code::{Code, Taken},
    digits,
    learning::{Learning, Voice},
    operations::{Figures, Performance, Reliability},
    report::{Community, Memory, Persona, Usability},
    retention::{Cohort, Retention},
};
use milepost_record::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;

/// How many rows of a table are shown.
pub(super) const ROWS_MAX: usize = 50;

/// What one tracker says.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Each with its name.
    pub(super) figures: Vec<(&'static str, String)>,
    pub(super) tables: Vec<Table>,
}

pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) headings: Vec<Heading>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(super) fn new(title: &'static str, headings: &[(&str, Content)], rows: Vec<Vec<Value>>) -> Self {
        let headings = headings.iter().map(|(name, of)| Heading { name: (*name).to_owned(), of: *of }).collect();
        Self { title, headings, rows }
    }

    /// Without the columns in which no row has anything that is known: they would only take the room of the others.
    pub(super) fn without_unknown(mut self) -> Self {
        let is_known = |cell: &Value| !matches!(cell.as_str(), Some("not known" | "–"));
        let keeps: Vec<bool> =
            (0..self.headings.len()).map(|column| self.rows.iter().any(|row| row.get(column).is_some_and(is_known))).collect();
        let mut keep = keeps.iter();
        self.headings.retain(|_| keep.next() == Some(&true));
        for row in &mut self.rows {
            let mut keep = keeps.iter();
            row.retain(|_| keep.next() == Some(&true));
        }
        self
    }
}

/// What is shown: a title, what has to be known of the whole, and the sections.
pub(super) struct Document {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// What has to be said after them.
    pub(super) last: Option<String>,
}

impl Document {
    /// For a terminal of this width.
    pub(super) fn terminal(self, width: usize) -> String {
        let mut shown = String::new();
        let bold = Style::new().bold();
        let mut lines = self.lines.iter();
        let first = lines.next().map(|line| format!(": {}", printable(line))).unwrap_or_default();
        let title = printable(&self.title);
        for (index, piece) in textwrap::wrap(&format!("{title}{first}"), width).iter().enumerate() {
            match piece.strip_prefix(title.as_str()).filter(|_| index == 0) {
                Some(rest) => line(&mut shown, &format!("{bold}{title}{bold:#}{rest}")),
                None => line(&mut shown, piece),
            }
        }
        lines.for_each(|more| textwrap::wrap(&printable(more), width).iter().for_each(|piece| line(&mut shown, piece)));
        for section in self.sections {
            line(&mut shown, &format!("\n{bold}{}{bold:#}", section.title));
            let label = section.figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in &section.figures {
                let rest = " ".repeat(label + 4);
                let options = textwrap::Options::new(width).subsequent_indent(&rest).break_words(true);
                for piece in textwrap::wrap(&format!("  {name:label$}  {}", printable(value)), options) {
                    line(&mut shown, &piece);
                }
            }
            for Table { title, headings, mut rows } in section.tables {
                let more = rows.len().saturating_sub(ROWS_MAX);
                rows.truncate(ROWS_MAX);
                line(&mut shown, &format!("\n{title}"));
                shown.push_str(&table(&headings, &rows, width));
                if more > 0 {
                    line(&mut shown, &format!("and {more} more: see --format json"));
                }
            }
        }
        if let Some(last) = self.last {
            shown.push('\n');
            textwrap::wrap(&printable(&last), width).iter().for_each(|piece| line(&mut shown, piece));
        }
        shown
    }

    /// As Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "# {}", escaped(&self.title));
        for line in &self.lines {
            let _ = writeln!(text, "\n{}", escaped(line));
        }
        for section in &self.sections {
            let _ = writeln!(text, "\n## {}\n", section.title);
            for (name, value) in &section.figures {
                let _ = writeln!(text, "- {name}: {}", escaped(value));
            }
            for Table { title, headings, rows } in &section.tables {
                let of = |heading: &Heading| if heading.of == Content::Text { "---" } else { "---:" };
                let names: Vec<_> = headings.iter().map(|heading| heading.name.as_str()).collect();
                let rules: Vec<_> = headings.iter().map(of).collect();
                let _ = writeln!(text, "\n{title}\n\n| {} |\n|{}|", names.join(" | "), rules.join("|"));
                for row in rows.iter().take(ROWS_MAX) {
                    let _ = writeln!(text, "| {} |", row.iter().map(|value| escaped(&in_words(value))).collect::<Vec<_>>().join(" | "));
                }
                if rows.len() > ROWS_MAX {
                    let _ = writeln!(text, "\nand {} more", rows.len() - ROWS_MAX);
                }
            }
        }
        if let Some(last) = &self.last {
            let _ = writeln!(text, "\n{}", escaped(last));
        }
        text
    }
}

/// A cell of a table.
pub(super) fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// The report for a terminal of this width.
#[must_use]
pub fn terminal(report: &Report, width: usize) -> String {
    document(report).terminal(width)
}

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    document(report).markdown()
}

fn document(report: &Report) -> Document {
    Document {
        title: report.project.clone(),
        lines: vec![period(report.from, report.to, &report.origins)],
        sections: sections(report),
        last: None,
    }
}

pub(super) fn period(from: Option<Timestamp>, to: Timestamp, origins: &[String]) -> String {
    let from = from.map_or("the first event".to_owned(), moment);
    format!("from {from} to {}, origin {}", moment(to), origins.join(", "))
}

pub(super) fn known(value: Option<f64>, unit: &str) -> String {
    value.map_or("not known".to_owned(), |value| format!("{}{unit}", digits(value)))
}

/// A number for a cell.
pub(super) fn cell(value: Option<f64>) -> Value {
    json!(value.map_or("–".to_owned(), digits))
}

fn sections(report: &Report) -> Vec<Section> {
    vec![
        performance(&report.performance),
        memory(report.memory.as_ref()),
        reliability(&report.reliability),
        usability(&report.usability),
        learning(&report.learning, &report.voice),
        personas(&report.personas),
        retention(&report.retention),
        code(&report.code),
        community(&report.community),
    ]
}

const OPERATIONS: [(&str, Content); 6] = [
    ("n", Content::Number),
    ("ok %", Content::Number),
    ("P50 ms", Content::Number),
    ("P95 ms", Content::Number),
    ("P50 ok", Content::Number),
    ("P95 ok", Content::Number),
];

fn figures(figures: &Figures) -> Vec<Value> {
    let Figures { count, failed, success_rate, p50_ms, p95_ms, successes, .. } = figures;
    // Where there are failures and no value, the quantile falls on one of them.
    let slow = |value: Option<f64>| if value.is_none() && *failed > 0 { json!("failed") } else { cell(value) };
    vec![json!(count), cell(*success_rate), slow(*p50_ms), slow(*p95_ms), cell(successes.p50_ms), cell(successes.p95_ms)]
}

pub(super) fn performance(of: &Performance) -> Section {
    let name = |name: &Option<String>| name.as_deref().map_or(Value::Null, Value::from);
    let backend = |backend: &Option<Option<String>>| json!(backend.clone().flatten().unwrap_or_else(|| "(not said)".to_owned()));
    let with = |names: &[(&'static str, Content)]| names.iter().copied().chain(OPERATIONS).collect::<Vec<_>>();
    let mut tables = Vec::new();
    if !of.by_operation.is_empty() {
        let rows =
            of.by_operation_and_backend.iter().map(|g| [vec![name(&g.operation), backend(&g.backend)], figures(&g.figures)].concat());
        let by_backend = of.by_backend.iter().map(|g| [vec![backend(&g.backend)], figures(&g.figures)].concat());
        let by_operation = of.by_operation.iter().map(|g| [vec![name(&g.operation)], figures(&g.figures)].concat());
        tables = vec![
            Table::new("By operation", &with(&[("operation", Content::Text)]), by_operation.collect()),
            Table::new("By backend", &with(&[("backend", Content::Text)]), by_backend.collect()),
            Table::new("By both", &with(&[("operation", Content::Text), ("backend", Content::Text)]), rows.collect()),
        ];
    }
    if !of.violations.is_empty() {
        let rows = of.violations.iter().map(|v| {
            vec![json!(v.operation), v.p95_ms.map_or(json!("failed"), |ms| json!(digits(ms))), cell(Some(v.limit_ms)), cell(v.over_percent)]
        });
        let headings =
            [("operation", Content::Text), ("P95 ms", Content::Number), ("limit ms", Content::Number), ("over %", Content::Number)];
        tables.push(Table::new("Beyond their limits", &headings, rows.collect()));
    }
    let Figures { count, cancelled, dry_runs, p50_ms, p95_ms, successes, .. } = &of.overall;
    Section {
        title: "Performance",
        figures: vec![
            ("operations", format!("{count}; besides {cancelled} cancelled and {dry_runs} dry runs, which do not count")),
            ("P50, P95", format!("{}, {}: a failure is slower than any limit", known(*p50_ms, " ms"), known(*p95_ms, " ms"))),
            ("of those that succeed", format!("{}, {}", known(successes.p50_ms, " ms"), known(successes.p95_ms, " ms"))),
        ],
        tables,
    }
}

pub(super) fn memory(of: Option<&Memory>) -> Section {
    let figures = match of {
        None => vec![("readings", "none".to_owned())],
        Some(of) => vec![
            ("readings", format!("{} of {} ({})", of.readings, of.process.as_deref().unwrap_or("a process"), of.measure)),
            ("current, average, peak", [of.current_mb, of.average_mb, of.peak_mb].map(|mb| known(mb, " MB")).join(", ")),
            ("variation", known(of.variation_mb, " MB")),
            ("varied by less than 50 MB", of.stable.map_or("not known", |stable| if stable { "yes" } else { "no" }).to_owned()),
            ("newest beside oldest", of.trend.clone().unwrap_or_else(|| "not known".to_owned())),
            ("CPU", known(of.cpu_percent, "%")),
        ],
    };
    Section { title: "Memory, newest run", figures, tables: Vec::new() }
}

pub(super) fn reliability(of: &Reliability) -> Section {
    let mut figures = vec![
        ("success rate", format!("{} of all operations", known(of.overall_success_rate, "%"))),
        ("mean of the operations' rates", known(of.mean_of_rates, "%")),
    ];
    if let Some((below, target)) = of.below_target.as_ref().zip(of.target) {
        let names = if below.is_empty() { "none".to_owned() } else { below.join(", ") };
        figures.push(("not above the target", format!("{names} (above {}%)", digits(target))));
    }
    let rows: Vec<_> = of.errors.iter().map(|e| vec![json!(e.category.as_deref().unwrap_or("(not said)")), json!(e.count)]).collect();
    let errors = Table::new("What went wrong", &[("category", Content::Text), ("n", Content::Number)], rows);
    Section { title: "Reliability", figures, tables: if of.errors.is_empty() { Vec::new() } else { vec![errors] } }
}

pub(super) fn usability(of: &Usability) -> Section {
    let first = &of.first_success;
    let median = match first.median_s {
        Some(seconds) => format!("{} s", digits(seconds)),
        None if first.starters > 0 => "not reached: fewer than half succeed".to_owned(),
        None => "not known".to_owned(),
    };
    Section {
        title: "Usability",
        figures: vec![
            ("sessions", format!("{} of {} people; {} never said when they began", of.sessions, of.users, of.users_without_start)),
            ("commands", format!("{} attempted, {} succeeded", of.commands_attempted, of.commands_succeeded)),
            (
                "new people",
                format!("{}: {} succeeded, {} gave up, {} are at it", first.starters, first.succeeded, first.gave_up, first.running),
            ),
            ("median time to first success", median),
            ("within 30 s", format!("{} of all who began", known(first.within_30s_percent, "%"))),
            (
                "mean, median of those who succeeded",
                [first.mean_of_successes_s, first.median_of_successes_s].map(|s| known(s, " s")).join(", "),
            ),
            ("commands up to the first success", known(first.attempts_before_first_success, "")),
        ],
        tables: Vec::new(),
    }
}

pub(super) fn learning(of: &Learning, voice: &Voice) -> Section {
    let rows: Vec<_> = of
        .arms
        .iter()
        .map(|arm| {
            let name = arm.arm.as_deref().unwrap_or("(not said)");
            vec![json!(name), json!(arm.users), json!(arm.interactions), json!(arm.labelled), cell(arm.accuracy)]
        })
        .collect();
    let headings = [
        ("arm", Content::Text),
        ("people", Content::Number),
        ("interactions", Content::Number),
        ("labelled", Content::Number),
        ("accuracy %", Content::Number),
    ];
    Section {
        title: "Learning and voice",
        figures: vec![
            ("interactions", format!("{}, {} of them labelled", of.interactions, of.labelled)),
            ("with learning, less without", known(of.improvement_points, " points")),
            ("rising", of.accuracy_rises.map_or("not known", |rises| if rises { "yes" } else { "not proven" }).to_owned()),
            ("spoken", format!("{}, {} of them labelled: {} understood", voice.utterances, voice.labelled, known(voice.accuracy, "%"))),
            ("word error rate", known(voice.word_error_rate, "")),
        ],
        tables: if rows.is_empty() { Vec::new() } else { vec![Table::new("Arms", &headings, rows)] },
    }
}

pub(super) fn personas(of: &[Persona]) -> Section {
    let rows = of.iter().map(|persona| {
        let name = persona.persona.as_deref().unwrap_or("(nobody in particular)");
        [vec![json!(name), cell(persona.limit_ms)], figures(&persona.figures)].concat()
    });
    let headings: Vec<_> = [("persona", Content::Text), ("limit ms", Content::Number)].into_iter().chain(OPERATIONS).collect();
    let table = Table::new("Operations by persona", &headings, rows.collect());
    Section { title: "Personas", figures: Vec::new(), tables: vec![table] }
}

pub(super) fn retention(of: &Retention) -> Section {
    let week4 = &of.week4;
    let row = |cohort: &Cohort| {
        let weeks = [1, 2, 4, 8].map(|n| {
            let week = cohort.weeks.iter().find(|week| week.week == n && week.mature > 0);
            week.map_or(json!("–"), |week| json!(format!("{}/{}", week.active, week.mature)))
        });
        [vec![json!(cohort.week), json!(cohort.users)], weeks.to_vec()].concat()
    };
    let rows: Vec<_> = of.cohorts.iter().map(row).collect();
    let headings = [
        ("first week", Content::Exact),
        ("people", Content::Number),
        ("week 1", Content::Number),
        ("week 2", Content::Number),
        ("week 4", Content::Number),
        ("week 8", Content::Number),
    ];
    Section {
        title: "Retention",
        figures: vec![(
            "active in week 4",
            format!("{} of {}: {}; {} began too recently", week4.active, week4.mature, known(week4.rate, "%"), week4.immature),
        )],
        tables: if rows.is_empty() { Vec::new() } else { vec![Table::new("Cohorts", &headings, rows)] },
    }
}

pub(super) fn code(of: &Code) -> Section {
    let by = |taken: &Taken| format!("{} at {}", taken.source.as_deref().unwrap_or("an unnamed tool"), moment(taken.at));
    let (mut figures, mut tables) = (Vec::new(), Vec::new());
    match &of.coverage {
        None => figures.push(("coverage", "not known".to_owned())),
        Some(coverage) => {
            figures.push((
                "coverage",
                format!("statements: {}; branches: {}", known(coverage.statements_percent, "%"), known(coverage.branches_percent, "%")),
            ));
            figures.push(("measured by", by(&coverage.taken)));
            let rows: Vec<_> = coverage.files_below_80.iter().map(|f| vec![json!(f.file), cell(Some(f.percent))]).collect();
            if !rows.is_empty() {
                tables.push(Table::new("Files below 80%", &[("file", Content::Text), ("%", Content::Number)], rows));
            }
        }
    }
    match &of.complexity {
        None => figures.push(("complexity", "not known".to_owned())),
        Some(complexity) => {
            let [average, maximum, above] = [complexity.average, complexity.maximum, complexity.functions_above_10].map(|n| known(n, ""));
            figures.push(("complexity", format!("{average} on average, at most {maximum}; {above} functions above 10")));
            let rows: Vec<_> = complexity.worst.iter().map(|f| vec![json!(f.name), cell(Some(f.complexity)), json!(f.file)]).collect();
            let headings = [("function", Content::Text), ("complexity", Content::Number), ("file", Content::Text)];
            if !rows.is_empty() {
                tables.push(Table::new("The most complex functions", &headings, rows));
            }
        }
    }
    let tests = of.tests.as_ref().map(|t| format!("{} of {} passed", known(t.passed, ""), known(t.total, "")));
    figures.push(("tests", tests.unwrap_or_else(|| "not known".to_owned())));
    let vulnerabilities = of.vulnerabilities.as_ref().map(|v| digits(v.known));
    figures.push(("known vulnerabilities", vulnerabilities.unwrap_or_else(|| "not known".to_owned())));
    Section { title: "Code", figures, tables }
}

pub(super) fn community(of: &Community) -> Section {
    let rows: Vec<_> =
        of.contributions.iter().map(|c| vec![json!(c.month.as_deref().unwrap_or("(not said)")), cell(Some(c.contributions))]).collect();
    let contributions = Table::new("Contributions", &[("month", Content::Text), ("n", Content::Number)], rows);
    Section {
        title: "Community",
        figures: vec![(
            "feedback",
            format!("{} notes, {} with a score: mean {}", of.feedback.notes, of.feedback.scores, known(of.feedback.mean_score, "")),
        )],
        tables: if of.contributions.is_empty() { Vec::new() } else { vec![contributions] },
    }
}
