//! `pip-audit -f json`.

use crate::{
    Format, Made, Reading, Refused, Report,
    vulnerabilities::{self, Finding},
};
use serde::Deserialize;
use std::rc::Rc;

const FORMAT: Format = Format::PipAudit;

#[derive(Deserialize)]
struct Document {
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    vulns: Option<Vec<Vulnerability>>,
    /// Why it was not audited.
    skip_reason: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    fix_versions: Vec<String>,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let document: Document = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    let of = document.dependencies.len();
    let (mut findings, mut unreadable) = (Vec::new(), Vec::new());
    for Dependency { name, version, vulns, skip_reason } in document.dependencies {
        match (vulns, skip_reason) {
            (_, Some(why)) => unreadable.push(format!("{name} ({why})")),
            (Some(vulns), None) => {
                let (package, version): (Rc<str>, Option<Rc<str>>) = (name.into(), version.map(Into::into));
                findings.extend(vulns.into_iter().map(|found| Finding {
                    package: package.clone(),
                    id: found.id,
                    aliases: found.aliases,
                    version: version.clone(),
                    severity: None,
                    fixed_in: found.fix_versions,
                }));
            }
            (None, None) => return Err(Refused::broken(FORMAT, format!("nothing is said of `{name}`"))),
        }
    }
    if of == unreadable.len() {
        return Err(Refused::Nothing { format: FORMAT, what: "audited package" });
    }
    let mut readings = vulnerabilities::readings(findings);
    readings.insert(1, Reading::count("vulnerabilities.unaudited_packages", unreadable.len() as u64));
    Ok(Report::new(FORMAT, text, "pip-audit", Made::Untold, readings).without(unreadable))
}
