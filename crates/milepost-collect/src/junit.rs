//! The XML of JUnit. There is no one schema, so test cases are counted, and no count that a suite tells is believed.

use crate::{
    Format, Made, Reading, Refused, Report,
    coverage::has_word,
    xml::{Element, Step, walk},
};

const FORMAT: Format = Format::Junit;

/// A suite, or all of them, that is open.
struct Suite {
    is_integration: bool,
    seconds: Option<f64>,
    seconds_within: Option<f64>,
}

/// A test case that is open.
#[derive(Clone, Copy)]
struct Case {
    is_integration: bool,
    outcome: Outcome,
    seconds: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Skipped,
    Failed,
}

#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
    integration: u64,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let mut totals = Totals::default();
    let mut suites = vec![Suite { is_integration: false, seconds: None, seconds_within: None }];
    let mut case: Option<Case> = None;
    let mut made = Made::Untold;
    walk(FORMAT, text, |step| {
        match step {
            Step::Open(element) => match element.name.as_str() {
                "testsuites" | "testsuite" => {
                    made = made.later(element.get("timestamp").map_or(Made::Untold, Made::from_text));
                    let is_integration = is_integration(&element, &["name", "package", "file"]) || within(&suites);
                    suites.push(Suite { is_integration, seconds: seconds(&element), seconds_within: None });
                }
                "testcase" => {
                    let outcome = match element.get("status").or_else(|| element.get("result")) {
                        Some("notrun" | "disabled" | "skipped" | "ignored") => Outcome::Skipped,
                        _ => Outcome::Passed,
                    };
                    let is_integration = is_integration(&element, &["classname", "file"]) || within(&suites);
                    case = Some(Case { is_integration, outcome, seconds: seconds(&element) });
                }
                "failure" | "error" => set(&mut case, Outcome::Failed),
                "skipped" => set(&mut case, Outcome::Skipped),
                _ => {}
            },
            Step::Close("testcase") => {
                let Some(case) = case.take() else { return Ok(()) };
                let of_outcome = match case.outcome {
                    Outcome::Passed => &mut totals.passed,
                    Outcome::Failed => &mut totals.failed,
                    Outcome::Skipped => &mut totals.skipped,
                };
                *of_outcome = of_outcome.saturating_add(1);
                totals.integration = totals.integration.saturating_add(u64::from(case.is_integration));
                add(&mut suites, case.seconds);
            }
            Step::Close("testsuites" | "testsuite") => {
                // What a suite tells of its own time includes what stands between its tests.
                let suite = suites.pop();
                add(&mut suites, suite.and_then(|suite| suite.seconds.or(suite.seconds_within)));
            }
            Step::Close(_) | Step::Text(_) | Step::Comment(_) => {}
        }
        Ok(())
    })?;
    let total = totals.passed.saturating_add(totals.failed).saturating_add(totals.skipped);
    if total == 0 {
        return Err(Refused::Nothing { format: FORMAT, what: "test case" });
    }
    let mut readings = vec![
        Reading::count("tests.total", total),
        Reading::count("tests.passed", totals.passed),
        Reading::count("tests.failed", totals.failed),
        Reading::count("tests.skipped", totals.skipped),
        Reading::count("tests.integration", totals.integration),
    ];
    if let Some(seconds) = suites.first().and_then(|all| all.seconds_within) {
        readings.push(Reading { value: seconds, unit: Some("s"), ..Reading::count("tests.duration", 0) });
    }
    Ok(Report::new(FORMAT, text, "junit", made, readings))
}

fn is_integration(element: &Element, attributes: &[&str]) -> bool {
    attributes.iter().filter_map(|name| element.get(name)).any(|text| has_word(text, &["integration"]))
}

fn within(suites: &[Suite]) -> bool {
    suites.last().is_some_and(|suite| suite.is_integration)
}

/// A test case that fails in one way and is skipped in another failed.
fn set(case: &mut Option<Case>, outcome: Outcome) {
    if let Some(case) = case.as_mut().filter(|case| case.outcome != Outcome::Failed) {
        case.outcome = outcome;
    }
}

fn add(suites: &mut [Suite], seconds: Option<f64>) {
    if let (Some(suite), Some(seconds)) = (suites.last_mut(), seconds) {
        suite.seconds_within = Some(suite.seconds_within.unwrap_or_default() + seconds);
    }
}

/// Some tools write `1,234.5`.
fn seconds(element: &Element) -> Option<f64> {
    let text = element.get("time")?.replace(',', "");
    text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}
