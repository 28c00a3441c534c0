//! The history, for a terminal and as Markdown.

use super::{
    markdown::escaped,
    terminal::{line, printable},
    words::{count, moment},
};
use anstyle::{AnsiColor, Style};
use milepost_judge::{
    Exclusion, Verdict,
    history::{Change, CriterionHistory, Difference, Direction, History, Reached, What},
};
use std::fmt::Write;

/// Of a definition that is written down for the first time, what most people want to know.
const DEMANDS: [&str; 7] = ["metric", "below", "at_most", "above", "at_least", "for_each", "all"];

/// The history for a terminal of this width.
#[must_use]
pub fn terminal(history: &History, width: usize) -> String {
    let mut shown = String::new();
    let bold = Style::new().bold();
    line(&mut shown, &format!("{bold}{}{bold:#}: history\n", printable(&history.project)));
    for (tier, of_tier) in &history.tiers {
        line(&mut shown, &format!("  {:8}{}", tier.name(), reached(*of_tier)));
    }
    for criterion in &history.criteria {
        line(&mut shown, &format!("\n{bold}{}{bold:#}{}", printable(&criterion.criterion), standing(criterion)));
        for change in &criterion.changes {
            let style = match &change.what {
                What::Judged { verdict: Verdict::Met, .. } => Style::new().fg_color(Some(AnsiColor::Green.into())),
                What::Judged { verdict: Verdict::Missed, .. } => Style::new().fg_color(Some(AnsiColor::Red.into())),
                _ => Style::new(),
            };
            let at = moment(change.at);
            let rest = " ".repeat(at.len() + 4);
            let options = textwrap::Options::new(width).subsequent_indent(&rest).break_words(true);
            for piece in textwrap::wrap(&format!("  {at}  {}", printable(&said(change))), options) {
                line(&mut shown, &format!("{style}{piece}{style:#}"));
            }
        }
    }
    shown
}

/// The history as Markdown.
#[must_use]
pub fn markdown(history: &History) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "# {}: history\n", escaped(&history.project));
    for (tier, of_tier) in &history.tiers {
        let _ = writeln!(text, "- {}: {}", tier.name(), reached(*of_tier));
    }
    for criterion in &history.criteria {
        let _ = writeln!(text, "\n## {}\n", escaped(&criterion.criterion));
        let standing = standing(criterion);
        if !standing.is_empty() {
            let _ = writeln!(text, "{}\n", escaped(standing.trim_start_matches([';', ' '])));
        }
        for change in &criterion.changes {
            let _ = writeln!(text, "- {}: {}", moment(change.at), escaped(&said(change)));
        }
    }
    text
}

pub(super) fn reached(reached: Reached) -> String {
    match (reached.first, reached.still) {
        (None, _) => "never reached".to_owned(),
        (Some(first), true) => format!("first reached {}, and holds", moment(first)),
        (Some(first), false) => format!("first reached {}; it does not hold any more", moment(first)),
    }
}

fn standing(criterion: &CriterionHistory) -> String {
    let mut standing = String::new();
    if !criterion.is_configured {
        standing += "; not in the configuration any more";
    }
    if let Some(first) = criterion.first_met {
        let _ = write!(standing, "; first met {}", moment(first));
    }
    if criterion.changes.is_empty() {
        standing += "; nothing was recorded yet: milepost track does it";
    }
    standing
}

fn period(exclusion: &Exclusion) -> String {
    let reason = exclusion.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
    format!("{} to {}{reason}", moment(exclusion.from), moment(exclusion.to))
}

pub(super) fn said(change: &Change) -> String {
    match &change.what {
        What::Defined { demands } => {
            let of = |difference: &Difference| difference.after.as_ref().map(|after| format!("{} {after}", difference.key));
            let wanted = DEMANDS.iter().filter_map(|key| demands.iter().find(|difference| difference.key == *key));
            let demands: Vec<_> = wanted.filter_map(of).collect();
            if demands.is_empty() { "defined".to_owned() } else { format!("defined: {}", demands.join(", ")) }
        }
        What::Redefined { direction, by } => {
            let word = match direction {
                Some(Direction::Tightened) => "tightened",
                Some(Direction::Loosened) => "loosened",
                None => "redefined",
            };
            let of = |Difference { key, before, after }: &Difference| {
                let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
                format!("{key} from {} to {}", shown(before), shown(after))
            };
            let by: Vec<_> = by.iter().map(of).collect();
            if by.is_empty() { format!("{word}; its evidence begins anew") } else { format!("{word}: {}", by.join(", ")) }
        }
        What::Excluded(exclusion) => format!("excluded: {}", period(exclusion)),
        What::CountedAgain(exclusion) => format!("counts again: {}", period(exclusion)),
        What::Judged { verdict, before, n } => {
            let verdict = verdict.name().replace('_', " ");
            let rests = n.filter(|n| *n > 0).map(|n| format!(", n {}", count(n))).unwrap_or_default();
            match before {
                Some(Verdict::Met) => format!("{verdict}{rests}; it was met until then"),
                _ => format!("{verdict}{rests}"),
            }
        }
    }
}
