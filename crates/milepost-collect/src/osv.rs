//! `osv-scanner --format json`, by the types that its page documents: <https://google.github.io/osv-scanner/output/>.

use crate::{
    Format, Made, Refused, Report,
    vulnerabilities::{self, Finding},
};
use serde::Deserialize;

const FORMAT: Format = Format::Osv;

#[derive(Deserialize)]
struct Document {
    /// `null` where nothing was found: Go writes an empty list so.
    results: Option<Vec<Source>>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    packages: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    package: Package,
    #[serde(default)]
    vulnerabilities: Vec<Advisory>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// Empty where a package is known by its commit only.
    version: Option<String>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    affected: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    package: Option<Package>,
    #[serde(default)]
    ranges: Vec<Events>,
}

#[derive(Deserialize)]
struct Events {
    #[serde(default)]
    events: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    fixed: Option<String>,
}

/// Ids of one vulnerability.
#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    max_severity: Option<String>,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let document: Document = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    let affected = document.results.unwrap_or_default().into_iter().flat_map(|source| source.packages);
    let findings = affected.flat_map(|affected| affected.findings()).collect();
    Ok(Report::new(FORMAT, text, "osv-scanner", Made::Untold, vulnerabilities::readings(findings)))
}

impl Affected {
    fn findings(self) -> Vec<Finding> {
        let Self { package, vulnerabilities, groups } = self;
        let finding = |advisory: Advisory| {
            let group = groups.iter().find(|group| group.ids.contains(&advisory.id));
            let fixed_in = advisory.fixed_in(&package.name);
            let mut aliases = advisory.aliases;
            aliases.extend(group.into_iter().flat_map(|group| group.ids.iter().chain(&group.aliases).cloned()));
            Finding {
                package: package.name.clone(),
                id: advisory.id,
                aliases,
                version: package.version.clone().filter(|version| !version.is_empty()),
                severity: group.and_then(|group| group.max_severity.clone()).filter(|severity| !severity.is_empty()),
                fixed_in,
            }
        };
        vulnerabilities.into_iter().map(finding).collect()
    }
}

impl Advisory {
    /// The versions of a package that do not have it any more.
    fn fixed_in(&self, package: &str) -> Vec<String> {
        let of_package = |range: &&Range| range.package.as_ref().is_none_or(|of| of.name == package);
        let events = self.affected.iter().filter(of_package).flat_map(|range| &range.ranges).flat_map(|range| &range.events);
        let mut fixed: Vec<_> = events.filter_map(|change| change.fixed.clone()).collect();
        fixed.dedup();
        fixed
    }
}
