//! A check as JUnit XML: a test case for each criterion, of the class of its tier.
//!
//! What readers of the format make of it is what the exit code says: a failure is a miss (exit code 1), an error is what is not
//! proven and not allowed (3), what is allowed is skipped, and a report without failures and errors is a check that passes (0).

use super::{
    words::{in_one_line, plain, word},
    xml::escaped,
};
use milepost_judge::{Scorecard, Tier, Verdict, passes, scorecard::CriterionResult};
use std::fmt::Write;

/// As long as a criterion's name may be, so that no two become the same.
const NAME_CHARS_MAX: usize = 200;

/// The report of a check of these criteria that lets `allowed` verdicts pass.
#[must_use]
pub fn report(scorecard: &Scorecard, allowed: &[Verdict]) -> String {
    let outcomes: Vec<_> = scorecard.criteria.iter().map(|criterion| element(criterion.judgement.verdict, allowed)).collect();
    let count = |name: &str| outcomes.iter().filter(|outcome| **outcome == Some(name)).count();
    let counts =
        format!(r#"tests="{}" failures="{}" errors="{}" skipped="{}""#, outcomes.len(), count(FAILURE), count(ERROR), count(SKIPPED));
    // The format has no place for a time zone; it is UTC.
    let at = scorecard.generated_at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S");
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "<testsuites name=\"Milepost\" {counts}>");
    let _ = writeln!(text, "  <testsuite name=\"{}\" timestamp=\"{at}\" {counts}>", attribute(&scorecard.project));
    for (criterion, outcome) in scorecard.criteria.iter().zip(&outcomes) {
        testcase(&mut text, criterion, *outcome);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

const FAILURE: &str = "failure";
const ERROR: &str = "error";
const SKIPPED: &str = "skipped";

/// The element that says how a test case ended; none where it passed.
fn element(verdict: Verdict, allowed: &[Verdict]) -> Option<&'static str> {
    match verdict {
        Verdict::Met => None,
        Verdict::Missed => Some(FAILURE),
        _ if passes(verdict, allowed) => Some(SKIPPED),
        _ => Some(ERROR),
    }
}

fn testcase(text: &mut String, criterion: &CriterionResult, outcome: Option<&str>) {
    let class = criterion.tier.map_or("without a tier", Tier::name);
    let _ = write!(text, "    <testcase classname=\"{class}\" name=\"{}\"", attribute(&criterion.name));
    let verdict = criterion.judgement.verdict;
    let _ = match outcome {
        None => writeln!(text, "/>"),
        Some(element) => {
            let why = escaped(&format!("{}. {}", word(verdict), in_one_line(criterion)));
            // A skipped case has no type.
            let of = if element == SKIPPED { String::new() } else { format!(" type=\"{}\"", verdict.name()) };
            writeln!(text, ">\n      <{element}{of} message=\"{why}\"/>\n    </testcase>")
        }
    };
}

fn attribute(text: &str) -> String {
    escaped(&plain(text, NAME_CHARS_MAX))
}
