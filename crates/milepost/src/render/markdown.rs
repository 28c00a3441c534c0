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

/// Names are strangers' text: nothing in them may begin a cell, a link, an image or HTML. Addresses become links, and names after an `@`
/// mentions, also where they are escaped, since GitHub and others look for both in what is shown: a space of no width keeps them apart.
pub(super) fn escaped(text: &str) -> String {
    const APART: &str = "&#8203;";
    let mut escaped = String::new();
    let text = words::plain(text, 500);
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match character {
            ':' if rest.starts_with("://") => escaped.extend([":", APART]),
            '@' => escaped.extend(["@", APART]),
            'w' | 'W' if rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) => escaped.extend([&rest[..1], APART]),
            '\u{a0}' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_name_begins_neither_markup_nor_a_link_nor_a_mention() {
        for (name, shown) in [
            ("a|b", "a\\|b"),
            ("[x](y) ![z]", "\\[x\\](y) \\!\\[z\\]"),
            ("<b>&", "&lt;b&gt;&amp;"),
            ("https://e.example", "https:&#8203;//e.example"),
            ("a WWW.e.example", "a W&#8203;WW.e.example"),
            ("@org/team, a@e.example", "@&#8203;org/team, a@&#8203;e.example"),
            ("12:30 w w.w é", "12:30 w w.w é"),
        ] {
            assert_eq!(escaped(name), shown);
        }
    }
}
