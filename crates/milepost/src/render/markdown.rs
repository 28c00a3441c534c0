//! The scorecard as Markdown: for pull requests, step summaries and wikis.

use super::{
    chart::{amount, sign},
    words,
};
use milepost_judge::{Scorecard, Tier, Verdict, scorecard::CriterionResult};
use std::fmt::Write;

/// The scorecard as one table for each tier.
#[must_use]
pub fn scorecard(scorecard: &Scorecard) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "# {}: {}\n", escaped(&scorecard.project), words::answer(scorecard).trim_end_matches('.'));
    let _ = writeln!(text, "{}", words::lead(scorecard));
    for tier in Tier::ALL.iter().copied().map(Some).chain([None]) {
        let criteria: Vec<_> = scorecard.criteria.iter().filter(|c| c.tier == tier).collect();
        if criteria.is_empty() {
            continue;
        }
        let title = match tier.and_then(|tier| scorecard.tiers.get(&tier).map(|result| (tier, result))) {
            Some((tier, result)) => format!("{}: {} of {}", words::capital(tier.name()), result.met, result.of),
            None => "Without a tier".to_owned(),
        };
        let _ =
            writeln!(text, "\n## {title}\n\n| Verdict | Criterion | Baseline | Now | Target | n | Next |\n|---|---|---|---|---|---:|---|");
        for criterion in criteria {
            row(&mut text, criterion);
        }
    }
    let _ = writeln!(text, "\nJudged {} by Milepost.", words::moment(scorecard.generated_at));
    text
}

fn row(text: &mut String, criterion: &CriterionResult) {
    let judgement = &criterion.judgement;
    let mut targets: Vec<_> = judgement.target.iter().map(sign).collect();
    let mut values: Vec<_> = judgement.estimate.iter().map(|value| amount(*value, &judgement.unit)).collect();
    for part in &criterion.parts {
        let metric = part.judgement.metric.as_deref().unwrap_or_default();
        targets.extend(part.judgement.target.iter().map(|target| format!("{metric} {}", sign(target))));
        values.extend(part.judgement.estimate.map(|value| format!("{metric} {}", amount(value, &part.judgement.unit))));
    }
    let next = words::advice(criterion).filter(|_| judgement.verdict != Verdict::Met);
    let next = next.map(|advice| {
        advice.command.map_or(escaped(&advice.text), |command| format!("{}: `{}`", escaped(&advice.text), command.replace(['`', '|'], " ")))
    });
    let remarks = words::remarks(criterion).into_iter().map(|remark| escaped(&remark));
    let next = next.into_iter().chain(remarks).collect::<Vec<_>>().join("; ");
    let cells = [
        judgement.verdict.name().replace('_', " "),
        escaped(&criterion.name),
        escaped(criterion.baseline.as_deref().unwrap_or_default()),
        escaped(&values.join(", ")),
        escaped(&targets.join(", ")),
        if judgement.n > 0 { words::count(judgement.n) } else { String::new() },
        next,
    ];
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Names are strangers' text: nothing in them may begin a cell, a link, an image or HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in words::plain(text, 500).chars() {
        match character {
            '\u{a0}' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' | '@' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}
