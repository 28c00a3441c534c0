//! A check as GitHub Actions reads it: a workflow command on a line of its own for each criterion that is not met.
//!
//! The runner takes each line for a command that begins with `::`, spaces aside, and of the others each that has `##[` anywhere in
//! it. So what strangers wrote stands within commands only, and there as the runner takes it back.

use super::words::{NAME_CHARS_MAX, counts, in_one_line, listed, plain, word};
use milepost_judge::{Scorecard, Tier, Verdict, passes, scorecard::CriterionResult};
use std::fmt::Write;

/// Of one step, GitHub shows this many annotations of each level.
pub const SHOWN_MAX: usize = 10;
/// The summary of one step is refused where it is larger.
pub const SUMMARY_BYTES_MAX: usize = 1024 * 1024;

/// The levels, the gravest first.
const LEVELS: [&str; 3] = [ERROR, WARNING, NOTICE];
const ERROR: &str = "error";
const WARNING: &str = "warning";
const NOTICE: &str = "notice";

/// The commands for a check of `tiers` that lets `allowed` verdicts pass.
///
/// An error is a miss in one of the tiers; a warning is what is not proven there and not allowed, and a miss in another tier; a
/// notice is what is allowed. So the check fails for each error, and passes where there is neither error nor, of its own tiers,
/// warning.
#[must_use]
pub fn annotations(scorecard: &Scorecard, tiers: &[Tier], allowed: &[Verdict]) -> String {
    let level = |criterion: &CriterionResult| {
        let verdict = criterion.judgement.verdict;
        let tier = criterion.tier?;
        match (verdict, tiers.contains(&tier)) {
            (Verdict::Met, _) => None,
            (Verdict::Missed, true) => Some(ERROR),
            (Verdict::Missed, false) => Some(WARNING),
            (_, false) => None,
            (_, true) => Some(if passes(verdict, allowed) { NOTICE } else { WARNING }),
        }
    };
    let (mut text, mut left_out) = (String::new(), Vec::new());
    for of in LEVELS {
        let mut criteria: Vec<_> = scorecard.criteria.iter().filter(|criterion| level(criterion) == Some(of)).collect();
        criteria.sort_by_key(|criterion| (criterion.tier, criterion.judgement.verdict != Verdict::Missed));
        // One notice is kept for what is left out.
        let shown = if of == NOTICE { SHOWN_MAX - 1 } else { SHOWN_MAX };
        for criterion in criteria.iter().take(shown) {
            let tier = criterion.tier.map(Tier::name).unwrap_or_default();
            let (name, word) = (plain(&criterion.name, NAME_CHARS_MAX), word(criterion.judgement.verdict));
            command(&mut text, of, &format!("{word}: {name} ({tier})"), &format!("{name} ({tier}): {word}. {}", in_one_line(criterion)));
        }
        if let Some(more @ 1..) = criteria.len().checked_sub(shown) {
            left_out.push(format!("{more} {of}{}", if more == 1 { "" } else { "s" }));
        }
    }
    if !left_out.is_empty() {
        let left_out = listed(&left_out);
        let message = format!("GitHub shows {SHOWN_MAX} of each; left out: {left_out}. The summary and milepost status have them.");
        command(&mut text, NOTICE, "More than is shown", &message);
    }
    let checked = scorecard.criteria.iter().filter(|c| c.tier.is_some_and(|tier| tiers.contains(&tier))).map(|c| c.judgement.verdict);
    let verdicts: Vec<_> = counts(checked.clone()).into_iter().map(|(verdict, n)| format!("{n} {}", word(verdict))).collect();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "Criteria checked: {}; {}.", checked.count(), verdicts.join(", "));
    text
}

/// The summary for a step that has `room` bytes left; without the table where it is too long for that, and nothing where that is too.
#[must_use]
pub fn summary(scorecard: &Scorecard, room: usize) -> Option<String> {
    let whole = super::markdown::scorecard(scorecard);
    let short = || {
        let top = whole.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
        let why = "The criteria are left out, since a summary holds 1 MiB; milepost status has them.";
        format!("{}\n\n{why}\n", top.trim_end())
    };
    if whole.len() <= room { Some(whole) } else { Some(short()).filter(|short| short.len() <= room) }
}

fn command(text: &mut String, level: &str, title: &str, message: &str) {
    let _ = writeln!(text, "::{level} title={}::{}", property(title), data(message));
}

/// As the runner takes back what follows the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As the runner takes back the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_taken_back_by_the_runner() {
        assert_eq!(data("100%, a:b\r\n::error::%0A"), "100%25, a:b%0D%0A::error::%250A");
        assert_eq!(property("100%, a:b\r\n::error::%0A"), "100%25%2C a%3Ab%0D%0A%3A%3Aerror%3A%3A%250A");
    }
}
