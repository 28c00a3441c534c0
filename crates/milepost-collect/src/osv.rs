//! `osv-scanner --format json`, by the types that its page documents: <https://google.github.io/osv-scanner/output/>.

use crate::{
    Format, Made, Refused, Report,
    vulnerabilities::{self, Finding},
};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

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
        let package_name: Rc<str> = package.name.as_str().into();
        let version: Option<Rc<str>> = package.version.filter(|version| !version.is_empty()).map(Into::into);
        let severities: Vec<Option<Rc<str>>> =
            groups.iter().map(|group| group.max_severity.as_deref().filter(|severity| !severity.is_empty()).map(Into::into)).collect();
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (place, group) in groups.iter().enumerate() {
            for id in &group.ids {
                by_id.entry(id).or_insert(place);
            }
        }
        let mut told = HashSet::new();
        let finding = |advisory: Advisory| {
            let place = by_id.get(advisory.id.as_str()).copied();
            let group = place.and_then(|place| groups.get(place));
            let fixed_in = advisory.fixed_in(&package_name);
            let mut aliases = advisory.aliases;
            // The first of a group tells all ids, and every other one of them: n that each told n would be n².
            let all = place.is_some_and(|place| told.insert(place));
            let ids = group.into_iter().flat_map(|group| group.ids.iter().chain(group.aliases.iter().filter(|_| all)));
            aliases.extend(ids.take(if all { usize::MAX } else { 1 }).cloned());
            Finding {
                package: package_name.clone(),
                id: advisory.id,
                aliases,
                version: version.clone(),
                severity: place.and_then(|place| severities.get(place)?.clone()),
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
