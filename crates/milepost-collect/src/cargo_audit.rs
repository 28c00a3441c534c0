//! `cargo audit --json`. Warnings (unmaintained, unsound, yanked) are no vulnerabilities, as cargo-audit says itself.

use crate::{
    Format, Made, Refused, Report,
    vulnerabilities::{self, Finding},
};
use serde::Deserialize;

const FORMAT: Format = Format::CargoAudit;

#[derive(Deserialize)]
struct Document {
    database: Database,
    lockfile: Lockfile,
    vulnerabilities: Vulnerabilities,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Database {
    advisory_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lockfile {
    dependency_count: u64,
}

#[derive(Deserialize)]
struct Vulnerabilities {
    count: usize,
    list: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Vulnerability {
    advisory: Advisory,
    versions: Option<Versions>,
    package: Package,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let Document { database, lockfile, vulnerabilities } = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    if database.advisory_count == 0 {
        return Err(Refused::unusable(FORMAT, "its database held no advisory, so it could find nothing"));
    }
    if lockfile.dependency_count == 0 {
        return Err(Refused::Nothing { format: FORMAT, what: "dependency" });
    }
    let told = vulnerabilities.list.len();
    if vulnerabilities.count != told {
        return Err(Refused::unusable(FORMAT, format!("it counts {} vulnerabilities and lists {told}", vulnerabilities.count)));
    }
    let findings = vulnerabilities.list.into_iter().map(|found| Finding {
        package: found.package.name.into(),
        id: found.advisory.id,
        aliases: found.advisory.aliases,
        version: Some(found.package.version.into()),
        severity: found.advisory.cvss.map(Into::into),
        fixed_in: found.versions.map(|versions| versions.patched).unwrap_or_default(),
    });
    Ok(Report::new(FORMAT, text, "cargo-audit", Made::Untold, vulnerabilities::readings(findings.collect())))
}
