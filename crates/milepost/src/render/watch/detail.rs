//! One criterion: why it stands as it does, what to do, what it rests on, and its groups, those that hurt most first.

use super::{
    Screen, View,
    list::{Columns, band, days, observed},
    pain, word, wrapped,
};
use crate::render::{
    chart,
    terminal::sign_of,
    words::{self, NAME_CHARS_MAX, TEXT_CHARS_MAX, capital, plain},
};
use milepost_judge::{
    Verdict,
    scorecard::{CriterionResult, GroupResult, Judgement},
};
use ratatui::style::{Modifier, Style};

/// The widest that text is laid out for: longer lines are hard to read.
const TEXT_WIDTH_MAX: usize = 110;
/// Where what a fact says begins.
const LABEL: usize = 18;

/// A line of the page.
pub(super) enum Line<'a> {
    Text(String),
    Heading(String),
    Fact(&'static str, String),
    /// A part of the criterion.
    Part(&'a Judgement, String),
    Group(&'a GroupResult),
    /// Label and chart.
    Chart(&'static str, String),
}

/// All lines about a criterion below its title.
pub(super) fn lines<'a>(criterion: &'a CriterionResult, view: &View<'_>, width: usize) -> Vec<Line<'a>> {
    let text = width.min(TEXT_WIDTH_MAX);
    let judgement = &criterion.judgement;
    let mut lines = Vec::new();
    let advice = words::advice(criterion);
    if judgement.verdict != Verdict::Met {
        if judgement.verdict == Verdict::NotProven {
            lines.extend(words::standing(judgement, advice.as_ref()).iter().flat_map(|sentence| wrapped(sentence, text)).map(Line::Text));
        }
        if let Some(advice) = advice.filter(|advice| !words::says_needs_only(criterion, advice)) {
            lines.extend(wrapped(&advice.text, text).into_iter().map(Line::Text));
            lines
                .extend(advice.command.iter().flat_map(|command| wrapped(command, text)).map(|command| Line::Text(format!("  {command}"))));
        }
    }
    lines.extend(words::remarks(criterion).iter().flat_map(|remark| wrapped(remark, text)).map(Line::Text));
    if criterion.parts.is_empty() {
        goal(&mut lines, judgement, &criterion.groups, view, text);
    }
    for part in &criterion.parts {
        blank(&mut lines);
        lines.push(Line::Part(&part.judgement, plain(part.judgement.metric.as_deref().unwrap_or_default(), NAME_CHARS_MAX)));
        fact(&mut lines, "What it is", &capital(&plain(&part.definition, TEXT_CHARS_MAX)), text);
        goal(&mut lines, &part.judgement, &part.groups, view, text);
    }
    blank(&mut lines);
    fact(&mut lines, "Definition", &capital(&plain(&criterion.definition, TEXT_CHARS_MAX)), text);
    fact(&mut lines, "Counts from", &words::since(&criterion.since), text);
    for (label, value) in [("Baseline", &criterion.baseline), ("Method", &criterion.method)] {
        if let Some(value) = value {
            fact(&mut lines, label, &plain(value, TEXT_CHARS_MAX), text);
        }
    }
    lines
}

/// One metric against one target: charts, facts, groups.
fn goal<'a>(lines: &mut Vec<Line<'a>>, judgement: &'a Judgement, groups: &'a [GroupResult], view: &View<'_>, width: usize) {
    let room = width.saturating_sub(LABEL + 1);
    blank(lines);
    let band = band(judgement, room.min(60));
    if !band.is_empty() {
        lines.push(Line::Chart("Interval", band));
    }
    let days = days(judgement, view.now, room.min(90));
    if !days.is_empty() {
        lines.push(Line::Chart("Day by day", days));
        fact(lines, "", &capital(&words::trend(judgement)), width);
    }
    for (label, value) in words::facts(judgement) {
        fact(lines, label, &value, width);
    }
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by_key(|group| (!group.judged, pain(&group.judgement)));
    let Some(dimension) = groups.first().and_then(|group| group.group.keys().next()) else { return };
    let judged = words::counts(groups.iter().filter(|group| group.judged).map(|group| group.judgement.verdict));
    let verdicts: Vec<_> = judged.iter().map(|(verdict, n)| format!("{n} {}", word(*verdict))).collect();
    blank(lines);
    lines.push(Line::Heading(format!("By {}: {}", plain(dimension, NAME_CHARS_MAX), verdicts.join(", "))));
    for group in sorted {
        lines.push(Line::Group(group));
        let next = words::next_of_group(group);
        let aside = if group.judged { None } else { Some("Shown, not judged.".to_owned()) };
        let sentences: Vec<_> = aside.into_iter().chain((!next.is_empty()).then_some(next)).collect();
        if !sentences.is_empty() {
            let room = width.saturating_sub(LABEL);
            lines.extend(wrapped(&sentences.join(" "), room).into_iter().map(|line| Line::Text(format!("{:15}{line}", ""))));
        }
    }
}

fn blank(lines: &mut Vec<Line<'_>>) {
    if !lines.is_empty() {
        lines.push(Line::Text(String::new()));
    }
}

fn fact(lines: &mut Vec<Line<'_>>, label: &'static str, value: &str, width: usize) {
    for (index, piece) in wrapped(value, width.saturating_sub(LABEL)).into_iter().enumerate() {
        lines.push(Line::Fact(if index == 0 { label } else { "" }, piece));
    }
}

pub(super) fn draw(screen: &mut Screen<'_>, criterion: &CriterionResult, view: &View<'_>, top: usize, height: u16) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let lines = lines(criterion, view, usize::from(screen.area.width));
    let tier = criterion.tier.map_or("without a tier".to_owned(), |tier| format!("a {tier} criterion"));
    let place = format!("{tier}, lines {} to {} of {}", top + 1, (top + usize::from(height)).min(lines.len()), lines.len());
    let right = screen.put_right(1, &place, screen.dim());
    screen.put_within(0, 1, right.saturating_sub(1), &plain(&criterion.name, NAME_CHARS_MAX), bold);
    standing(screen, 2, &criterion.judgement);
    let columns = Columns::of(screen.area.width);
    for (line, y) in lines.iter().skip(top).zip(3..).take(usize::from(height)) {
        match line {
            Line::Text(text) => {
                screen.put(0, y, text, Style::new());
            }
            Line::Heading(text) => {
                screen.put(0, y, text, bold);
            }
            Line::Fact(label, value) | Line::Chart(label, value) => {
                screen.put(0, y, label, screen.dim());
                // A number as wide as a label.
                screen.put(LABEL as u16, y, value, Style::new());
            }
            Line::Part(judgement, name) => {
                let x = standing(screen, y, judgement);
                screen.put(x + 2, y, name, bold);
            }
            Line::Group(group) => {
                let judgement = &group.judgement;
                columns.row(screen, y, judgement, &plain(group.name(), NAME_CHARS_MAX), judgement.newest_event, view);
            }
        }
    }
}

/// Sign and word, what was observed, and the target; says where it ends.
fn standing(screen: &mut Screen<'_>, y: u16, judgement: &Judgement) -> u16 {
    let verdict = format!("{} {}", sign_of(judgement), word(judgement.verdict));
    let x = screen.put(0, y, &verdict, screen.paint(judgement));
    let target = judgement.target.as_ref().map(|target| format!(" → {}", chart::sign(target))).unwrap_or_default();
    let observed = observed(judgement);
    let numbers = format!("{observed}{target}");
    if numbers.is_empty() { x } else { screen.put(x + 2, y, numbers.trim_start(), Style::new()) }
}
