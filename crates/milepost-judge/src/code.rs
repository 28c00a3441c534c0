//! What other tools say of the code: coverage, complexity, tests, known vulnerabilities. Each is the newest report that was
//! collected in the period; without one, nothing is known.

use milepost_record::{Event, Fact, Measurement, Scalar, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How many of the most complex functions are shown.
const WORST: usize = 5;

/// The newest reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Code {
    /// What of the code the tests run.
    pub coverage: Option<Coverage>,
    /// How complex the code is.
    pub complexity: Option<Complexity>,
    /// How the tests went.
    pub tests: Option<Tests>,
    /// Which vulnerabilities of dependencies are known.
    pub vulnerabilities: Option<Vulnerabilities>,
}

/// When and by what something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Taken {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The tool and its version.
    pub source: Option<String>,
}

/// What of the code the tests run. Shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// When, and by what.
    #[serde(flatten)]
    pub taken: Taken,
    /// Statements that were run.
    pub statements_percent: Option<f64>,
    /// How many.
    pub covered: Option<i64>,
    /// Of how many.
    pub of: Option<i64>,
    /// Branches that were taken; null where they were not measured.
    pub branches_percent: Option<f64>,
    /// Statements that were not run.
    pub uncovered_lines: Option<f64>,
    /// Files of which less than 80 % were run, the lowest first.
    pub files_below_80: Vec<CoveredFile>,
    /// How many there are.
    pub files_below_80_count: Option<f64>,
    /// Measured files of integration tests.
    pub integration_tests: Option<f64>,
}

/// One file of the product.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CoveredFile {
    /// Its path, as the tool says it.
    pub file: Option<String>,
    /// What of its statements was run.
    pub percent: f64,
}

/// How complex the code is: cyclomatic complexity (McCabe 1976) of functions and methods.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Complexity {
    /// When, and by what.
    #[serde(flatten)]
    pub taken: Taken,
    /// The mean over all functions.
    pub average: Option<f64>,
    /// The largest.
    pub maximum: Option<f64>,
    /// How many functions are above 10.
    pub functions_above_10: Option<f64>,
    /// The most complex ones, at most five.
    pub worst: Vec<ComplexFunction>,
}

/// One function of the product.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComplexFunction {
    /// Its name.
    pub name: Option<String>,
    /// How complex it is.
    pub complexity: f64,
    /// The file that it is in.
    pub file: Option<String>,
    /// The line that it begins on.
    pub line: Option<i64>,
}

/// How the tests went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Tests {
    /// When, and by what.
    #[serde(flatten)]
    pub taken: Taken,
    /// All of them.
    pub total: Option<f64>,
    /// Those that passed.
    pub passed: Option<f64>,
    /// Those that failed.
    pub failed: Option<f64>,
    /// Those that did not run.
    pub skipped: Option<f64>,
    /// Those that test parts together.
    pub integration: Option<f64>,
}

/// Which vulnerabilities of dependencies are known.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Vulnerabilities {
    /// When, and by what.
    #[serde(flatten)]
    pub taken: Taken,
    /// How many, each counted once whatever its names.
    pub known: f64,
    /// Which, and in which package.
    pub advisories: Vec<Advisory>,
}

/// One vulnerability.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Advisory {
    /// Its id.
    pub id: Option<String>,
    /// The package.
    pub package: Option<String>,
    /// How bad it is, as the tool says it: a word, a score or a vector.
    pub severity: Option<String>,
}

/// The measurements of one family, by name.
struct Family<'a>(Vec<(&'a Event, &'a Measurement)>);

impl<'a> Family<'a> {
    fn of(events: &[&'a Event], prefix: &str) -> Option<Self> {
        let of_family = |event: &&'a Event| match &event.fact {
            Fact::Measurement(measurement) if measurement.name.starts_with(prefix) => Some((*event, measurement)),
            _ => None,
        };
        let found: Vec<_> = events.iter().filter_map(of_family).collect();
        (!found.is_empty()).then_some(Self(found))
    }

    fn named(&self, name: &str) -> impl Iterator<Item = (&'a Event, &'a Measurement)> {
        self.0.iter().copied().filter(move |(_, measurement)| measurement.name == name)
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.named(name).map(|(_, measurement)| measurement.value).next()
    }

    fn taken(&self) -> Option<Taken> {
        self.0.first().map(|(event, measurement)| Taken { at: event.at, source: measurement.source.clone() })
    }
}

pub(crate) fn whole(event: &Event, name: &str) -> Option<i64> {
    if let Some(Scalar::Integer(value)) = event.attributes.get(name) { Some(*value) } else { None }
}

fn text(event: &Event, name: &str) -> Option<String> {
    if let Some(Scalar::Text(value)) = event.attributes.get(name) { Some(value.clone()) } else { None }
}

impl Code {
    /// The first parts of the names of what is measured.
    pub(crate) const FAMILIES: [&str; 4] = ["coverage", "complexity", "tests", "vulnerabilities"];

    /// Of the newest measurements of each family.
    #[must_use]
    pub fn of(events: &[&Event]) -> Self {
        Self {
            coverage: Family::of(events, "coverage.").and_then(|family| coverage(&family)),
            complexity: Family::of(events, "complexity.").and_then(|family| complexity(&family)),
            tests: Family::of(events, "tests.").and_then(|family| tests(&family)),
            vulnerabilities: Family::of(events, "vulnerabilities.").and_then(|family| vulnerabilities(&family)),
        }
    }
}

fn coverage(family: &Family<'_>) -> Option<Coverage> {
    let mut files: Vec<_> = family
        .named("coverage.file")
        .filter(|(_, measurement)| measurement.value < 80.0)
        .map(|(_, measurement)| CoveredFile { file: measurement.scope.clone(), percent: measurement.value })
        .collect();
    files.sort_by(|a, b| a.percent.total_cmp(&b.percent));
    let statements = family.named("coverage.statements").next();
    Some(Coverage {
        taken: family.taken()?,
        statements_percent: statements.map(|(_, measurement)| measurement.value),
        covered: statements.and_then(|(event, _)| whole(event, "covered")),
        of: statements.and_then(|(event, _)| whole(event, "of")),
        branches_percent: family.value("coverage.branches"),
        uncovered_lines: family.value("coverage.uncovered_lines"),
        files_below_80: files,
        files_below_80_count: family.value("coverage.files_below_80"),
        integration_tests: family.value("coverage.integration_tests"),
    })
}

fn complexity(family: &Family<'_>) -> Option<Complexity> {
    let function = |(event, measurement): (&Event, &Measurement)| ComplexFunction {
        name: text(event, "name"),
        complexity: measurement.value,
        file: measurement.scope.clone(),
        line: whole(event, "line"),
    };
    let mut worst: Vec<_> = family.named("complexity.function").map(function).collect();
    worst.sort_by(|a, b| b.complexity.total_cmp(&a.complexity).then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line))));
    worst.truncate(WORST);
    Some(Complexity {
        taken: family.taken()?,
        average: family.value("complexity.average"),
        maximum: family.value("complexity.maximum"),
        functions_above_10: family.value("complexity.functions_above_10"),
        worst,
    })
}

fn tests(family: &Family<'_>) -> Option<Tests> {
    Some(Tests {
        taken: family.taken()?,
        total: family.value("tests.total"),
        passed: family.value("tests.passed"),
        failed: family.value("tests.failed"),
        skipped: family.value("tests.skipped"),
        integration: family.value("tests.integration"),
    })
}

fn vulnerabilities(family: &Family<'_>) -> Option<Vulnerabilities> {
    let advisory = |(event, measurement): (&Event, &Measurement)| Advisory {
        id: text(event, "id"),
        package: measurement.scope.clone(),
        severity: text(event, "severity"),
    };
    Some(Vulnerabilities {
        taken: family.taken()?,
        known: family.value("vulnerabilities.known")?,
        advisories: family.named("vulnerabilities.advisory").map(advisory).collect(),
    })
}
