//! Two sides beside each other, for a terminal and as Markdown.

use super::{
    chart::amount,
    markdown::escaped,
    terminal::{line, printable, wrapped},
    words::count,
};
use anstyle::{AnsiColor, Style};
use milepost_judge::{
    comparison::{Comparison, Difference, Finding, GoalComparison, MadeOf},
    digits,
};
use std::fmt::Write;

const INDENT: usize = 2;
const WORD: usize = 14;
/// Of what is new and what vanished, this many are named.
const NAMED_MAX: usize = 5;

/// The comparison for a terminal of this width.
#[must_use]
pub fn terminal(comparison: &Comparison, width: usize) -> String {
    let bold = Style::new().bold();
    let mut text = String::new();
    let [first, second] = comparison.sides.each_ref().map(|side| printable(side));
    line(&mut text, &format!("{bold}{}{bold:#}: from {first} to {second}", printable(&comparison.project)));
    for goal in observed(comparison) {
        line(&mut text, &format!("\n{bold}{}{bold:#}, {}", printable(&goal.criterion), printable(&goal.metric)));
        let (word, style) = finding(goal);
        let sentences = sentences(goal);
        let body = sentences.join(" ");
        let options = textwrap::Options::new(width.saturating_sub(INDENT + WORD)).break_words(true);
        for (index, piece) in textwrap::wrap(&printable(&body), options).iter().enumerate() {
            let word = if index == 0 { word } else { "" };
            let padding = " ".repeat(WORD.saturating_sub(textwrap::core::display_width(word)));
            line(&mut text, format!("{:INDENT$}{style}{word}{style:#}{padding}{piece}", "").trim_end());
        }
    }
    text.push('\n');
    for note in notes(comparison) {
        wrapped(&mut text, width, 0, 0, &printable(&note));
    }
    text
}

/// The comparison as Markdown.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = String::new();
    let [first, second] = comparison.sides.each_ref().map(|side| escaped(side));
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "# {}: from {first} to {second}\n", escaped(&comparison.project));
    let _ = writeln!(text, "| Criterion | Metric | Finding | What was observed |\n|---|---|---|---|");
    for goal in observed(comparison) {
        let (word, _) = finding(goal);
        let cells = [escaped(&goal.criterion), escaped(&goal.metric), word.to_owned(), escaped(&sentences(goal).join(" "))];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for note in notes(comparison) {
        let _ = writeln!(text, "\n{}", escaped(&note));
    }
    text
}

/// The goals of which one side at least has something.
fn observed(comparison: &Comparison) -> impl Iterator<Item = &GoalComparison> {
    comparison.goals.iter().filter(|goal| goal.sides.iter().any(|side| side.n > 0))
}

fn finding(goal: &GoalComparison) -> (&'static str, Style) {
    match goal.difference.map(|difference| difference.finding) {
        Some(Finding::Better) => ("✓ better", AnsiColor::Green.on_default()),
        Some(Finding::Worse) => ("✗ worse", AnsiColor::Red.on_default()),
        Some(Finding::NotProven) => ("? not proven", AnsiColor::Blue.on_default()),
        None if goal.sides.iter().any(|side| side.n == 0) => ("- no data", Style::new().dimmed()),
        None => ("  observed", Style::new()),
    }
}

fn sentences(goal: &GoalComparison) -> Vec<String> {
    let [first, second] = &goal.sides;
    let value = |estimate: Option<f64>, n: u64| match estimate {
        Some(estimate) => amount(estimate, &goal.unit),
        None if n == 0 => "nothing".to_owned(),
        None if goal.unit == "%" || goal.difference.is_none() => "not known".to_owned(),
        None => "no finite value".to_owned(),
    };
    let observed = format!(
        "{} to {} (n {} and {}).",
        value(first.estimate, first.n),
        value(second.estimate, second.n),
        count(first.n),
        count(second.n)
    );
    let rates = goal.difference.as_ref().zip(first.rate.zip(second.rate));
    let rates = rates.map(|(difference, (first, second))| rates_of(difference, first, second));
    [Some(observed), rates].into_iter().flatten().chain(goal.made_of.as_ref().and_then(made_of)).collect()
}

fn rates_of(difference: &Difference, first: f64, second: f64) -> String {
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let [low, high] = difference.interval.map(points);
    let [first, second] = [first, second].map(|rate| format!("{}%", digits(100.0 * rate)));
    format!("Good: {first} to {second}, {} points ({low} to {high}).", points(difference.value))
}

fn made_of(made_of: &MadeOf) -> Option<String> {
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let named = |label: &str, names: &[String]| {
        let more = names.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("{label}: {}{more}.", names[..names.len().min(NAMED_MAX)].join(", ")))
    };
    let is_moved = made_of.mix_effect.abs() >= 0.0005;
    let parts = is_moved.then(|| {
        format!(
            "Of that, {} by the rates of each {}, and {} by their mix.",
            points(made_of.rate_effect),
            made_of.by,
            points(made_of.mix_effect)
        )
    });
    let simpson = made_of.is_simpson.then(|| "Taken one by one they moved the other way than all together.".to_owned());
    let said: Vec<_> = [parts, simpson, named("New", &made_of.new), named("Vanished", &made_of.vanished)].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let hosts = match comparison.same_hosts {
        Some(false) => Some(format!(
            "Measured on other machines ({} and {}, {} of them on both sides): times and memory do not compare.",
            comparison.hosts[0].len(),
            comparison.hosts[1].len(),
            comparison.hosts[0].iter().filter(|host| comparison.hosts[1].contains(host)).count()
        )),
        Some(true) | None => None,
    };
    let nothing: Vec<_> = comparison.goals.iter().filter(|goal| goal.sides.iter().all(|side| side.n == 0)).collect();
    let mut names: Vec<_> = nothing.iter().map(|goal| goal.criterion.as_str()).collect();
    names.dedup();
    let nothing = (!names.is_empty()).then(|| format!("Without anything on either side: {}.", names.join(", ")));
    let claim =
        "Intervals are of 95% confidence however often somebody looks; one difference among many may be chance, and none is a cause.";
    nothing.into_iter().chain(hosts).chain([claim.to_owned()]).collect()
}
