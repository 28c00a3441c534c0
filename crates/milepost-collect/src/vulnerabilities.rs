//! What reports of vulnerabilities share: one that several lists know under ids of their own counts once.

use crate::{Reading, report::DETAILS_MAX};
use milepost_record::Scalar;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// A vulnerability of a package. What many have in common is shared: a short report may repeat a long name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) package: Rc<str>,
    pub(crate) id: String,
    /// Its ids in other lists.
    pub(crate) aliases: Vec<String>,
    pub(crate) version: Option<Rc<str>>,
    /// As the tool says it: a word, a score or a vector.
    pub(crate) severity: Option<Rc<str>>,
    pub(crate) fixed_in: Vec<String>,
}

/// How many are known, and which.
pub(crate) fn readings(mut findings: Vec<Finding>) -> Vec<Reading> {
    findings.sort();
    let groups = groups(&findings);
    let known = groups.iter().collect::<BTreeSet<_>>().len();
    let mut readings = vec![Reading::count("vulnerabilities.known", known as u64)];
    let mut told = BTreeSet::new();
    for (finding, group) in findings.iter().zip(groups) {
        if told.len() < DETAILS_MAX && told.insert((group, &finding.package, &finding.version)) {
            readings.push(reading(finding));
        }
    }
    readings
}

fn reading(finding: &Finding) -> Reading {
    let fixed_in = (!finding.fixed_in.is_empty()).then(|| finding.fixed_in.join(", "));
    let known = [
        ("id", Some(finding.id.as_str())),
        ("version", finding.version.as_deref()),
        ("severity", finding.severity.as_deref()),
        ("fixed_in", fixed_in.as_deref()),
    ];
    let reading = Reading::count("vulnerabilities.advisory", 1).of(&*finding.package);
    known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .fold(reading, |reading, (name, value)| reading.with(name, Scalar::Text(value.to_owned())))
}

/// For each finding a number that it shares with those that have an id in common with it, directly or by others.
fn groups(findings: &[Finding]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..findings.len()).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        for id in std::iter::once(&finding.id).chain(&finding.aliases) {
            match seen.get(id.as_str()) {
                Some(other) => {
                    let (a, b) = (root(&mut parents, index), root(&mut parents, *other));
                    if let Some(parent) = parents.get_mut(a.max(b)) {
                        *parent = a.min(b);
                    }
                }
                None => _ = seen.insert(id, index),
            }
        }
    }
    (0..findings.len()).map(|index| root(&mut parents, index)).collect()
}

/// Halves the way that it goes: else a chain of a million would be walked a million times.
fn root(parents: &mut [usize], mut index: usize) -> usize {
    // A parent has a smaller number, so this ends.
    while let Some(parent) = parents.get(index).copied().filter(|parent| *parent != index) {
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(parent) = parents.get_mut(index) {
            *parent = above;
        }
        index = above;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_hang_together_are_one_vulnerability() {
        let finding = |package: &str, id: &str, aliases: &[&str]| Finding {
            package: package.into(),
            id: id.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            ..Finding::default()
        };
        for (findings, known, told) in [
            (vec![], 0.0, 0),
            (vec![finding("p", "GHSA-1", &["CVE-1"]), finding("p", "PYSEC-1", &["CVE-1"])], 1.0, 1),
            // By way of a third that comes last.
            (vec![finding("p", "A", &["B"]), finding("p", "C", &["D"]), finding("p", "E", &["D", "B"])], 1.0, 1),
            (vec![finding("p", "A", &[]), finding("p", "B", &[])], 2.0, 2),
            // One vulnerability of two packages.
            (vec![finding("p", "A", &[]), finding("q", "A", &[])], 1.0, 2),
        ] {
            let readings = readings(findings.clone());
            assert_eq!((readings[0].value, readings.len() - 1), (known, told), "{findings:?}");
        }
    }
}
