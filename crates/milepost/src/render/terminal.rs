//! The scorecard and its explanations as text for a terminal.

use super::{
    chart::{amount, sign},
    fields,
    words::{self, Advice, word},
};
use anstyle::{AnsiColor, Style};
use milepost_judge::{
    Scorecard, Tier, Verdict,
    scorecard::{CriterionResult, GroupResult, Judgement, PartResult, Severity},
};
use milepost_record::Fields;
use std::{borrow::Cow, fmt::Write};
use textwrap::core::display_width;

/// The narrowest and the widest that text is laid out for.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=110;
pub(super) const INDENT: usize = 2;
pub(super) const VERDICT: usize = 14;

/// For how wide a terminal text is laid out.
#[must_use]
pub fn width() -> usize {
    columns().clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// How wide the terminal is; 80 columns where there is none.
#[must_use]
pub fn columns() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    asked.unwrap_or_else(textwrap::termwidth)
}

/// The scorecard as a table, with what to do next below each criterion that is not met.
#[must_use]
pub fn scorecard(scorecard: &Scorecard, width: usize) -> String {
    let tiers: Vec<_> = scorecard.tiers.iter().filter(|(_, t)| t.of > 0).map(|(name, t)| format!("{name} {} of {}", t.met, t.of)).collect();
    let mut text = String::new();
    let title = std::iter::once(printable(&scorecard.project)).chain(tiers).collect::<Vec<_>>().join(" · ");
    let bold = Style::new().bold();
    line(&mut text, &format!("{bold}{title}{bold:#}"));
    if scorecard.criteria.is_empty() {
        line(&mut text, "\nNo criteria yet: add a [[criterion]] to milepost.toml.");
        return text;
    }
    let of_tier = |tier: Option<Tier>| scorecard.criteria.iter().filter(move |c| c.tier == tier);
    for tier in Tier::ALL.iter().copied().map(Some).chain([None]) {
        if of_tier(tier).next().is_none() {
            continue;
        }
        line(&mut text, &format!("\n{bold}{}{bold:#}", tier.map_or("without a tier", Tier::name)));
        for criterion in of_tier(tier) {
            row(&mut text, width, &criterion.judgement, &printable(&criterion.name));
            for part in &criterion.parts {
                row(&mut text, width, &part.judgement, &format!("· {}", printable(part.judgement.metric.as_deref().unwrap_or_default())));
            }
            note(&mut text, width, criterion);
        }
    }
    text
}

/// Below a criterion: which way it leans, how many more it takes, what to do next, and what else a reader has to know.
fn note(text: &mut String, width: usize, criterion: &CriterionResult) {
    let judgement = &criterion.judgement;
    let mut notes = Vec::new();
    if judgement.verdict != Verdict::Met {
        let advice = words::advice(criterion);
        if judgement.verdict == Verdict::NotProven {
            notes.extend(words::standing(judgement, advice.as_ref()));
        }
        notes.extend(advice.filter(|advice| !words::says_needs_only(criterion, advice)).map(whole));
    }
    let notes = (!notes.is_empty()).then(|| notes.join(" "));
    for line in notes.into_iter().chain(words::remarks(criterion)) {
        wrapped(text, width, INDENT + VERDICT, INDENT + VERDICT, &printable(&line));
    }
}

fn whole(advice: Advice) -> String {
    match advice.command {
        Some(command) => format!("{}: {command}", advice.text),
        None => advice.text,
    }
}

/// One line: verdict, name, value, target, n. A name that is too long takes a line of its own.
pub(super) fn row(text: &mut String, width: usize, judgement: &Judgement, name: &str) {
    let style = style(judgement);
    let verdict = format!("{} {}", sign_of(judgement), word(judgement.verdict));
    let value = judgement.estimate.map(|estimate| amount(estimate, &judgement.unit)).unwrap_or_default();
    let target = judgement.target.as_ref().map(sign).unwrap_or_default();
    let n = if judgement.n > 0 { format!("n {}", words::count(judgement.n)) } else { String::new() };
    let right = format!("{}  {}  {}", left_padded(&value, 9), padded(&target, 10), left_padded(&n, 9));
    let room = width.saturating_sub(INDENT + VERDICT + display_width(&right) + 2);
    let head = format!("{:INDENT$}{style}{}{style:#}", "", padded(&verdict, VERDICT));
    if display_width(name) > room {
        line(text, &format!("{head}{name}"));
        line(text, format!("{:1$}{right}", "", width - display_width(&right)).trim_end());
    } else {
        line(text, format!("{head}{}  {right}", padded(name, room)).trim_end());
    }
}

/// Sign and colour say the same, so that either suffices.
pub(super) fn sign_of(judgement: &Judgement) -> &'static str {
    match judgement.verdict {
        Verdict::Met => "✓",
        Verdict::Missed => "✗",
        Verdict::NotProven => "?",
        Verdict::NoData => "-",
        Verdict::Stale => "~",
    }
}

pub(super) fn style(judgement: &Judgement) -> Style {
    match (judgement.verdict, judgement.severity) {
        (Verdict::Met, _) => AnsiColor::Green.on_default(),
        (Verdict::Missed, Some(Severity::Amber)) => AnsiColor::Yellow.on_default(),
        (Verdict::Missed, _) => AnsiColor::Red.on_default(),
        (Verdict::NotProven, _) => AnsiColor::Blue.on_default(),
        (Verdict::NoData | Verdict::Stale, _) => Style::new().dimmed(),
    }
}

/// What [`explain`] shows of one part of a criterion beside its judgement.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The SQL that was asked.
    pub sql: String,
    /// The fields of events that it reads.
    pub fields: Fields,
    /// The newest events that count: for each the columns that have a value, in order.
    pub newest: Vec<Vec<(String, String)>>,
}

/// All that a verdict rests on. `sources` has one entry for each part of the criterion, one where it has no parts.
#[must_use]
pub fn explain(criterion: &CriterionResult, sources: &[Source], width: usize) -> String {
    let bold = Style::new().bold();
    let mut text = String::new();
    let tier = criterion.tier.map_or("without a tier".to_owned(), |tier| format!("a {tier} criterion"));
    line(&mut text, &format!("{bold}{}{bold:#}, {tier}", printable(&criterion.name)));
    row(&mut text, width, &criterion.judgement, criterion.judgement.metric.as_deref().unwrap_or("all of its parts"));
    note(&mut text, width, criterion);
    text.push('\n');
    fact(&mut text, width, "Counts from", &words::since(&criterion.since));
    for (label, value) in [("Baseline", &criterion.baseline), ("Method", &criterion.method)] {
        if let Some(value) = value {
            fact(&mut text, width, label, &printable(value));
        }
    }
    let single;
    let parts = if criterion.parts.is_empty() {
        single = [PartResult {
            judgement: criterion.judgement.clone(),
            definition: criterion.definition.clone(),
            groups: criterion.groups.clone(),
        }];
        &single[..]
    } else {
        &criterion.parts[..]
    };
    for (index, part) in parts.iter().enumerate() {
        if !criterion.parts.is_empty() {
            line(&mut text, &format!("\n{bold}{}{bold:#}", printable(part.judgement.metric.as_deref().unwrap_or_default())));
        }
        explain_part(&mut text, width, part, sources.get(index));
    }
    text
}

fn explain_part(text: &mut String, width: usize, part: &PartResult, source: Option<&Source>) {
    fact(text, width, "Definition", &words::capital(&printable(&part.definition)));
    for (label, value) in words::facts(&part.judgement) {
        fact(text, width, label, &printable(&value));
    }
    let bold = Style::new().bold();
    if !part.groups.is_empty() {
        line(text, &format!("\n{:INDENT$}{bold}Groups{bold:#}", ""));
        for group in &part.groups {
            row(text, width, &group.judgement, &group_name(group));
        }
    }
    let Some(source) = source else { return };
    line(text, &format!("\n{:INDENT$}{bold}Needs{bold:#}", ""));
    for (kind, names) in &source.fields {
        wrapped(text, width, INDENT * 2, INDENT * 4, &format!("{}: {}", kind.table(), printable(&fields::fields(names))));
    }
    line(text, &format!("\n{:INDENT$}{bold}SQL{bold:#}", ""));
    for sql in source.sql.lines() {
        line(text, &format!("{:1$}{sql}", "", INDENT * 2));
    }
    line(text, &format!("\n{:INDENT$}{bold}Newest events{bold:#}", ""));
    if source.newest.is_empty() {
        line(text, &format!("{:1$}none", "", INDENT * 2));
    }
    for event in &source.newest {
        // The columns that tell events apart for a person; `--json` has all of them.
        let tells = |(name, value): &&(String, String)| {
            !matches!((name.as_str(), value.as_str()), ("id" | "host", _) | ("attributes", "{}") | ("dry_run", "false"))
        };
        let (at, rest): (Vec<_>, Vec<_>) = event.iter().filter(tells).partition(|(name, _)| name == "at");
        let rest: Vec<_> = rest.iter().map(|(name, value)| format!("{}={}", printable(name), printable(value))).collect();
        let at = at.first().map(|(_, at)| at.as_str()).unwrap_or_default();
        wrapped(text, width, INDENT * 2, INDENT * 4, &format!("{at}  {}", rest.join(" ")));
    }
}

fn group_name(group: &GroupResult) -> String {
    let note = if group.judged { "" } else { " (shown, not judged)" };
    printable(group.name()) + note
}

/// A label and what it says, the second in a column of its own.
pub(crate) fn fact(text: &mut String, width: usize, label: &str, value: &str) {
    const LABEL: usize = 18;
    let options = textwrap::Options::new(width.saturating_sub(INDENT + LABEL)).break_words(true);
    for (index, piece) in textwrap::wrap(value, options).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        line(text, format!("{:INDENT$}{}{piece}", "", padded(label, LABEL)).trim_end());
    }
}

pub(super) fn wrapped(text: &mut String, width: usize, first: usize, indent: usize, note: &str) {
    let (first, indent) = (" ".repeat(first), " ".repeat(indent));
    let options = textwrap::Options::new(width).initial_indent(&first).subsequent_indent(&indent);
    for piece in textwrap::wrap(note, options) {
        line(text, &piece);
    }
}

pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{:1$}", "", width.saturating_sub(display_width(text)))
}

pub(super) fn left_padded(text: &str, width: usize) -> String {
    format!("{:1$}{text}", "", width.saturating_sub(display_width(text)))
}

pub(super) fn line(text: &mut String, line: &str) {
    // A number and its unit hold together while lines are broken; after that, people copy and search.
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", line.replace('\u{a0}', " "));
}

/// Whether a character steers a terminal: beside control characters, those that change the direction of what follows.
pub(crate) fn steers(character: char) -> bool {
    character.is_control() || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// All that goes to a terminal, whoever made it: what would steer it is made visible, but for line feeds, tabs and styles (SGR of ECMA-48).
/// Within JSON, what takes the place of a character means that character.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| steers(c) && !matches!(c, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(steers) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let styled = leading_style(from);
        shown.push_str(styled);
        rest = from.get(styled.len()..).unwrap_or_default();
        let mut characters = rest.chars();
        if let (true, Some(character)) = (styled.is_empty(), characters.next()) {
            // All of them have four digits. Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
            rest = characters.as_str();
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The style that a text begins with; nothing where it does not.
fn leading_style(text: &str) -> &str {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return "" };
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';'));
    let end = end.filter(|end| parameters.get(*end..).is_some_and(|rest| rest.starts_with('m')));
    end.and_then(|end| text.get(..end + 3)).unwrap_or_default()
}

/// Text from outside, with what would steer a terminal made visible.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) { shown.extend(character.escape_unicode()) } else { shown.push(character) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_goes_to_a_terminal_only_styles_steer_it() {
        for same in ["", "plain\n\ttext é 漢字\n", "\u{1b}[1m\u{1b}[38;5;208mbold\u{1b}[0m\u{1b}[m\n"] {
            assert_eq!(harmless(same), same);
        }
        for (steers, shown) in [
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("\u{1b}[2J\u{1b}[1m\u{1b}[6n", "\\u001b[2J\u{1b}[1m\\u001b[6n"),
            ("\u{9b}2J\u{9d}8;;x\u{9c}\r\u{8}\u{7f}", "\\u009b2J\\u009d8;;x\\u009c\\u000d\\u0008\\u007f"),
            ("a\u{202e}b\u{2066}c\u{61c}d\u{200f}", "a\\u202eb\\u2066c\\u061cd\\u200f"),
            ("\u{1b}", "\\u001b"),
            ("\u{1b}[", "\\u001b["),
            ("\u{1b}[1", "\\u001b[1"),
            ("\u{1b}[1\u{1b}[1m", "\\u001b[1\u{1b}[1m"),
            ("\u{1b}[?25lm", "\\u001b[?25lm"),
        ] {
            assert_eq!(harmless(steers), shown);
        }
        let value = "\u{9b}31m\u{202e}\u{7f}\"\\ \n";
        let json = serde_json::to_string(&serde_json::json!([value])).expect("JSON");
        assert_eq!(serde_json::from_str::<[String; 1]>(&harmless(&json)).expect("JSON"), [value]);
    }
}
