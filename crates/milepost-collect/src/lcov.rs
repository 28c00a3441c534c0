//! The tracefile of lcov: lines of `KEY:values`, a record for each source file and test. Records of one file are added up.

use crate::{
    Format, Made, Refused, Report,
    coverage::{self, Counts, SourceFile},
};
use std::collections::BTreeMap;

const FORMAT: Format = Format::Lcov;

#[derive(Default)]
struct Lines<'a> {
    /// Whether each line was ever executed.
    lines: BTreeMap<u64, bool>,
    /// Whether each branch was ever taken, by its line and what tells it from others there.
    branches: BTreeMap<(u64, &'a str), bool>,
}

impl Lines<'_> {
    fn add(&mut self, Self { lines, branches }: Self) {
        for (line, hit) in lines {
            *self.lines.entry(line).or_default() |= hit;
        }
        for (branch, taken) in branches {
            *self.branches.entry(branch).or_default() |= taken;
        }
    }
}

/// Whether a text begins as a tracefile does.
pub(crate) fn begins(text: &str) -> bool {
    text.lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .is_some_and(|line| ["TN:", "SF:"].iter().any(|key| line.starts_with(key)))
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let mut files: BTreeMap<&str, Lines<'_>> = BTreeMap::new();
    let mut open: Option<(&str, Lines<'_>)> = None;
    // Whether something stands there that belongs to a record to come.
    let mut begun = false;
    for (number, line) in (1_u64..).zip(text.lines()) {
        let wrong = |what: &str| Refused::broken(FORMAT, format!("{what} at line {number}: {line}"));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "end_of_record" {
            let (path, record) = open.take().ok_or_else(|| wrong("a record ends that did not begin"))?;
            files.entry(path).or_default().add(record);
            begun = false;
            continue;
        }
        let (key, value) = line.split_once(':').filter(|(key, _)| is_key(key)).ok_or_else(|| wrong("not lcov's"))?;
        begun = true;
        if key == "SF" && open.replace((value, Lines::default())).is_some() {
            return Err(wrong("a record begins before the one before it ended"));
        }
        let Some((_, lines)) = &mut open else {
            // Names of tests and the like stand before a record.
            if matches!(key, "DA" | "BRDA") { return Err(wrong("outside of a record")) } else { continue }
        };
        match key {
            "DA" => {
                let (line, hit) = line_data(value).ok_or_else(|| wrong("no line and count"))?;
                *lines.lines.entry(line).or_default() |= hit;
            }
            "BRDA" => {
                let (branch, taken) = branch_data(value).ok_or_else(|| wrong("no branch"))?;
                *lines.branches.entry(branch).or_default() |= taken;
            }
            _ => {}
        }
    }
    if begun {
        return Err(Refused::broken(FORMAT, "its last record does not end"));
    }
    let sum = |hits: &mut dyn Iterator<Item = bool>| {
        hits.fold(Counts::default(), |mut sum, hit| {
            sum.add(Counts::one(hit));
            sum
        })
    };
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, Lines { lines, branches })| SourceFile {
            path: path.to_owned(),
            statements: sum(&mut lines.into_values()),
            branches: Some(sum(&mut branches.into_values())),
        })
        .collect();
    Ok(Report::new(FORMAT, text, "lcov", Made::Untold, coverage::readings(FORMAT, &files)?))
}

/// TN, SF, VER, FN, FNDA, BRDA, MCDC …
fn is_key(key: &str) -> bool {
    (2..=5).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `LINE,COUNT`, and perhaps a checksum. Some tools write negative counts; none of those was executed.
fn line_data(value: &str) -> Option<(u64, bool)> {
    let mut parts = value.split(',');
    let number = parts.next()?.trim().parse().ok()?;
    Some((number, executed(parts.next()?)?))
}

/// `LINE,BLOCK,BRANCH,TAKEN`.
fn branch_data(value: &str) -> Option<((u64, &str), bool)> {
    let (number, rest) = value.split_once(',')?;
    let (branch, taken) = rest.rsplit_once(',')?;
    // The line was never executed.
    let taken = if taken.trim() == "-" { false } else { executed(taken)? };
    Some(((number.trim().parse().ok()?, branch), taken))
}

fn executed(count: &str) -> Option<bool> {
    count.trim().parse::<f64>().ok().filter(|count| count.is_finite()).map(|count| count > 0.0)
}
