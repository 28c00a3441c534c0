//! The report of a fixed sample as text for a terminal.

use super::{
    chart::{amount, bound, sign},
    terminal::{INDENT, VERDICT, fact, line, printable, row, wrapped},
    words::{capital, count, left_out},
};
use anstyle::Style;
use milepost_judge::{
    Verdict, digits,
    fixed_sample::{Exam, Figure, Prospect, Report},
    scorecard::Judgement,
};

/// What a complete sample says: each criterion's verdict with what it rests on, or what was observed where there is none.
#[must_use]
pub fn report(report: &Report, width: usize) -> String {
    let sample = &report.sample;
    let (bold, operation) = (Style::new().bold(), printable(&sample.operation));
    let mut text = String::new();
    let backend = sample.backend.as_deref().map(|backend| format!(" by {}", printable(backend))).unwrap_or_default();
    line(&mut text, &format!("{bold}{operation}{backend} · a fixed sample of {}{bold:#}", count(sample.size)));
    let timeouts = if report.timeouts > 0 { format!(", {} of them ran out of time", count(report.timeouts)) } else { String::new() };
    let ends = format!("{} succeeded, {} failed{timeouts}; recorded as {}", count(report.ok), count(report.failed), printable(&sample.id));
    wrapped(&mut text, width, INDENT, INDENT, &ends);
    text.push('\n');
    for exam in &report.exams {
        row(&mut text, width, &judgement(exam), &name(exam));
        wrapped(&mut text, width, INDENT + VERDICT, INDENT + VERDICT, &sentences(exam).join(" "));
    }
    if report.exams.is_empty() {
        for figure in &report.figures {
            let label = capital(&metric(&figure.metric));
            fact(&mut text, width, &label, &format!("{}; {}", value(figure), interval(figure, "95")));
        }
        text.push('\n');
        wrapped(&mut text, width, INDENT, INDENT, &format!("No criterion is about the latency or the success of {operation}."));
    } else {
        text.push('\n');
        let what = format!(
            "What is proven is proven of {operation} as its probe ran here. `milepost status` judges people's use; a complete sample \
             is no part of that."
        );
        wrapped(&mut text, width, INDENT, INDENT, &what);
    }
    text
}

/// Why a sample cannot meet a criterion, before it is taken.
#[must_use]
pub fn too_small(prospect: &Prospect, size: u64) -> String {
    let (least, what, target) = (count(prospect.smallest_size), metric(&prospect.metric), sign(&prospect.target));
    let name = printable(&prospect.criterion);
    let text = format!(
        "a sample of {} cannot prove `{name}` ({what} {target}), even without a miss: one of {least} is the least that can",
        count(size)
    );
    text.replace('\u{a0}', " ")
}

/// As much of a judgement as a row shows.
fn judgement(exam: &Exam) -> Judgement {
    Judgement {
        metric: Some(exam.figure.metric.clone()),
        verdict: exam.verdict,
        severity: exam.severity,
        target: Some(exam.target.clone()),
        unit: exam.figure.unit.clone(),
        estimate: exam.figure.estimate,
        n: exam.figure.n,
        ..Judgement::nothing()
    }
}

fn name(exam: &Exam) -> String {
    let group = exam.group.values().next().map(|group| format!(", {}", group.as_deref().unwrap_or("(none)"))).unwrap_or_default();
    let part = if exam.is_part { format!(" · {}", exam.figure.metric) } else { String::new() };
    printable(&format!("{}{group}{part}", exam.criterion))
}

/// What the verdict rests on, and what another sample would take where there is none.
fn sentences(exam: &Exam) -> Vec<String> {
    let figure = &exam.figure;
    let confidence = digits((1.0 - exam.alpha) * 100.0);
    let limit = bound(&exam.target).filter(|_| figure.metric != "success.rate");
    let good = limit.map_or_else(|| "succeeded".to_owned(), |(_, limit)| format!("within {}", amount(limit, &figure.unit)));
    let left_out: Vec<_> = exam.left_out.iter().map(|(why, n)| format!("{} {}", count(*n), left_out(*why))).collect();
    let left_out = if left_out.is_empty() { String::new() } else { format!(", left out: {}", left_out.join(", ")) };
    let of = format!("{} of {} {good}{left_out}.", count(exam.successes), count(figure.n));
    let bounded = |side: &str, bound: Option<f64>| {
        let what = capital(&metric(&figure.metric));
        match bound {
            Some(bound) => format!("{what} {}, {side} {} with {confidence}% confidence.", value(figure), amount(bound, &figure.unit)),
            None => format!("So many fail that {} has no finite value.", metric(&figure.metric)),
        }
    };
    let is_upper = exam.target.below.or(exam.target.at_most).is_some();
    match (exam.verdict, is_upper) {
        (Verdict::Met, true) | (Verdict::Missed, false) => vec![of, bounded("at most", figure.at_most)],
        (Verdict::Met, false) | (Verdict::Missed, true) => vec![of, bounded("at least", figure.at_least)],
        (Verdict::NotProven, _) => {
            vec![of, format!("{} {}; {}.", capital(&metric(&figure.metric)), value(figure), interval(figure, &confidence)), another(exam)]
        }
        (Verdict::NoData | Verdict::Stale, _) => vec![format!("No run counts{left_out}.")],
    }
}

/// What a sample would take to prove what this one does not.
fn another(exam: &Exam) -> String {
    let misses = match exam.failures {
        0 => "Without a miss".to_owned(),
        1 => "With 1 miss".to_owned(),
        n => format!("With {} misses", count(n)),
    };
    let least = exam.smallest_size_with_failures.map(|least| format!("{misses} it takes a sample of at least {}", count(least)));
    let projected = match exam.projected_size {
        Some(size) if exam.smallest_size_with_failures.is_some_and(|least| size <= least) => None,
        Some(size) => Some(format!("at the rate seen about {}", count(size))),
        None => Some("at the rate seen no size would do".to_owned()),
    };
    let needs = least.into_iter().chain(projected).collect::<Vec<_>>().join(", ");
    format!("{needs}; this one cannot be extended.")
}

/// The name of a metric in running text.
fn metric(name: &str) -> String {
    match name.strip_prefix("latency.") {
        Some(quantile) => quantile.to_uppercase(),
        None => "success rate".to_owned(),
    }
}

fn value(figure: &Figure) -> String {
    figure.estimate.map_or_else(|| "without a finite value".to_owned(), |estimate| amount(estimate, &figure.unit))
}

fn interval(figure: &Figure, confidence: &str) -> String {
    let written = |value: f64| amount(value, &figure.unit);
    match figure.interval {
        [Some(low), Some(high)] => format!("{confidence}% confidence: {} to {}", written(low), written(high)),
        [Some(low), None] => format!("{confidence}% confidence: {} or more, no upper bound", written(low)),
        [None, Some(high)] => format!("{confidence}% confidence: {} or less, no lower bound", written(high)),
        [None, None] => format!("no bound on either side with {confidence}% confidence"),
    }
}
