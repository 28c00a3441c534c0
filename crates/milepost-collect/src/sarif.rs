//! SARIF 2.1.0, which tools of many sorts write: here it counts only where it comes from a scanner for known vulnerabilities.
//!
//! A result counts where it is of kind `fail` and of a level other than `none`, is not suppressed and not absent, and its rule
//! is about a vulnerability: the rule has a `security-severity`, is tagged `vulnerability`, or has an id of a list of
//! vulnerabilities. One that is tagged as something else (a warning, a misconfiguration, a secret, a licence) does not count.
//! A run without any such rule is of a scanner only where its tool is known as one: else nobody knows whether it looked.

use crate::{
    Format, Made, Refused, Report,
    vulnerabilities::{self, Finding},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

const FORMAT: Format = Format::Sarif;
/// Names of tools that look for known vulnerabilities, in small letters.
const SCANNERS: &[&str] = &["cargo-audit", "osv-scanner", "trivy", "grype", "govulncheck", "snyk open source"];
/// How ids begin in lists of vulnerabilities.
const LISTS: &[&str] = &["CVE-", "GHSA-", "OSV-", "PYSEC-", "RUSTSEC-", "GO-", "DSA-", "DLA-", "MAL-", "USN-", "SNYK-"];
/// Tags of rules that are about something else.
const OTHER_TAGS: &[&str] = &["warning", "misconfiguration", "secret", "license"];

#[derive(Deserialize)]
struct Document {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Absent where the tool did not get to look.
    results: Option<Vec<Found>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: String,
    version: Option<String>,
    semantic_version: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    #[serde(default)]
    deprecated_ids: Vec<String>,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    default_configuration: Configuration,
}

#[derive(Default, Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Default, Deserialize)]
struct Properties {
    /// Text by the convention, and a number by some tools.
    #[serde(rename = "security-severity")]
    security_severity: Option<serde_json::Value>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<RuleReference>,
    level: Option<String>,
    kind: Option<String>,
    baseline_state: Option<String>,
    #[serde(default)]
    suppressions: Option<Vec<Suppression>>,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<PhysicalLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Option<ArtifactLocation>,
}

#[derive(Deserialize)]
struct ArtifactLocation {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
    end_time_utc: Option<String>,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let document: Document = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    if !document.version.starts_with("2.1") {
        return Err(Refused::unusable(FORMAT, format!("it has version {}, and this Milepost reads 2.1.0", document.version)));
    }
    let (mut findings, mut sources, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut made = Made::Untold;
    for run in &document.runs {
        let driver = &run.tool.driver;
        if !run.is_of_a_scanner() {
            others.push(driver.name.as_str());
            continue;
        }
        if run.invocations.iter().any(|invocation| invocation.execution_successful == Some(false)) {
            return Err(Refused::unusable(FORMAT, format!("{} says that it failed", driver.name)));
        }
        let results = run.results.as_deref();
        let results = results.ok_or_else(|| Refused::unusable(FORMAT, format!("{} says nothing of results", driver.name)))?;
        findings.extend(run.findings(results));
        let version = driver.version.as_ref().or(driver.semantic_version.as_ref());
        sources.push(version.map_or_else(|| driver.name.clone(), |version| format!("{} {version}", driver.name)));
        for invocation in &run.invocations {
            made = made.later(invocation.end_time_utc.as_deref().map_or(Made::Untold, Made::from_text));
        }
    }
    if sources.is_empty() {
        return Err(match others.as_slice() {
            [] => Refused::Nothing { format: FORMAT, what: "run of a tool" },
            [name, ..] => Refused::unusable(
                FORMAT,
                format!("nothing in it shows that `{name}` looks for known vulnerabilities, so it does not say how many there are"),
            ),
        });
    }
    sources.dedup();
    Ok(Report::new(FORMAT, text, sources.join(", "), made, vulnerabilities::readings(findings)))
}

impl Run {
    fn is_of_a_scanner(&self) -> bool {
        let driver = &self.tool.driver;
        let known = SCANNERS.contains(&driver.name.to_lowercase().as_str());
        let rules: BTreeSet<&str> = driver.rules.iter().map(|rule| rule.id.as_str()).collect();
        let by_result = |id: &str| is_listed(id) && !rules.contains(id);
        known || driver.rules.iter().any(Rule::is_vulnerability) || self.results.iter().flatten().filter_map(Found::rule_id).any(by_result)
    }

    fn findings(&self, results: &[Found]) -> Vec<Finding> {
        let driver = &self.tool.driver;
        let name: Rc<str> = driver.name.as_str().into();
        let rules: Vec<_> = driver.rules.iter().map(Known::of).collect();
        let by_id: BTreeMap<&str, usize> = rules.iter().enumerate().map(|(place, known)| (known.rule.id.as_str(), place)).collect();
        let mut told = BTreeSet::new();
        let finding = |found: &Found| {
            let by_index = || usize::try_from(found.rule_index()?).ok();
            let place = found.rule_id().and_then(|id| by_id.get(id).copied()).or_else(by_index);
            let known = place.and_then(|place| rules.get(place));
            let rule = known.map(|known| known.rule);
            let id = found.rule_id().or(rule.map(|rule| rule.id.as_str()))?;
            if !found.counts(rule) || !known.map_or_else(|| is_listed(id), |known| known.is_vulnerability) {
                return None;
            }
            // The first of a rule tells all ids, and every other one of them: n that each told n would be n².
            let ids = if told.insert(place) { usize::MAX } else { 1 };
            Some(Finding {
                package: found.place().map_or_else(|| name.clone(), Into::into),
                id: id.to_owned(),
                aliases: rule.map(|rule| rule.deprecated_ids.iter().take(ids).cloned().collect()).unwrap_or_default(),
                severity: known.and_then(|known| known.severity.clone()),
                ..Finding::default()
            })
        };
        results.iter().filter_map(finding).collect()
    }
}

/// A rule, with what is asked of it again and again.
struct Known<'a> {
    rule: &'a Rule,
    is_vulnerability: bool,
    severity: Option<Rc<str>>,
}

impl<'a> Known<'a> {
    fn of(rule: &'a Rule) -> Self {
        Self { rule, is_vulnerability: rule.is_vulnerability(), severity: rule.severity().map(Into::into) }
    }
}

impl Found {
    fn rule_id(&self) -> Option<&str> {
        self.rule_id.as_deref().or_else(|| self.rule.as_ref()?.id.as_deref())
    }

    fn rule_index(&self) -> Option<i64> {
        self.rule_index.or_else(|| self.rule.as_ref()?.index)
    }

    fn counts(&self, rule: Option<&Rule>) -> bool {
        let by_rule = rule.and_then(|rule| rule.default_configuration.level.as_deref());
        let level = self.level.as_deref().or(by_rule).unwrap_or("warning");
        let is_suppressed = self.suppressions.iter().flatten().any(|suppression| {
            // One that is under review or was rejected suppresses nothing.
            suppression.status.as_deref().is_none_or(|status| status == "accepted")
        });
        self.kind.as_deref().unwrap_or("fail") == "fail"
            && level != "none"
            && self.baseline_state.as_deref() != Some("absent")
            && !is_suppressed
    }

    fn place(&self) -> Option<&str> {
        self.locations.iter().find_map(|location| location.physical_location.as_ref()?.artifact_location.as_ref()?.uri.as_deref())
    }
}

impl Rule {
    fn is_vulnerability(&self) -> bool {
        let tagged = |wanted: &[&str]| self.properties.tags.iter().any(|tag| wanted.contains(&tag.to_lowercase().as_str()));
        tagged(&["vulnerability"]) || ((self.severity().is_some() || is_listed(&self.id)) && !tagged(OTHER_TAGS))
    }

    fn severity(&self) -> Option<String> {
        match self.properties.security_severity.as_ref()? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

fn is_listed(id: &str) -> bool {
    LISTS.iter().any(|list| id.starts_with(list))
}
