//! The XML of Cobertura. A line that stands in several places, as in a class and in its method, counts once.

use crate::{
    Format, Made, Reading, Refused, Report,
    coverage::{self, Counts, SourceFile},
    xml::{Element, Step, walk},
};
use milepost_record::Timestamp;
use std::collections::BTreeMap;

const FORMAT: Format = Format::Cobertura;

#[derive(Default)]
struct Line {
    hit: bool,
    branches: Counts,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let mut files: BTreeMap<String, BTreeMap<u64, Line>> = BTreeMap::new();
    let mut open: Option<String> = None;
    let (mut made, mut version, mut by_coverage_py, mut branches) = (Made::Untold, String::new(), false, true);
    walk(FORMAT, text, |step| {
        match step {
            Step::Comment(comment) => by_coverage_py |= comment.contains("coverage.py"),
            Step::Open(element) => match element.name.as_str() {
                "coverage" => {
                    made = made_at(&element);
                    element.get("version").unwrap_or_default().clone_into(&mut version);
                    // coverage.py writes 0 where branches were not measured.
                    branches = element.number::<u64>("branches-valid") != Some(0);
                }
                "class" => {
                    let path = element.get("filename").or_else(|| element.get("name")).unwrap_or_default();
                    if path.is_empty() {
                        return Err(Refused::broken(FORMAT, "there is a class without the name of its file"));
                    }
                    files.entry(path.to_owned()).or_default();
                    open = Some(path.to_owned());
                }
                "line" => {
                    let Some(lines) = open.as_deref().and_then(|path| files.get_mut(path)) else { return Ok(()) };
                    let (number, hit, counts) = line(&element)
                        .ok_or_else(|| Refused::broken(FORMAT, "there is a line without its number, or how often it was executed"))?;
                    let line = lines.entry(number).or_default();
                    line.hit |= hit;
                    line.branches.covered = line.branches.covered.max(counts.covered);
                    line.branches.of = line.branches.of.max(counts.of);
                }
                _ => {}
            },
            Step::Close("class") => open = None,
            Step::Close(_) | Step::Text(_) => {}
        }
        Ok(())
    })?;
    let files: Vec<_> = files.into_iter().map(|(path, lines)| source_file(path, lines, branches)).collect();
    let readings: Vec<Reading> = coverage::readings(FORMAT, &files)?;
    let source = match version.as_str() {
        version if by_coverage_py => format!("coverage.py {version}"),
        // `gcovr 5.2`; others write the version of the format, or their own without a name.
        version if version.contains(' ') => version.to_owned(),
        _ => "cobertura".to_owned(),
    };
    Ok(Report::new(FORMAT, text, source, made, readings))
}

fn source_file(path: String, lines: BTreeMap<u64, Line>, with_branches: bool) -> SourceFile {
    let (mut statements, mut branches) = (Counts::default(), Counts::default());
    for line in lines.into_values() {
        statements.add(Counts::one(line.hit));
        branches.add(line.branches);
    }
    SourceFile { path, statements, branches: with_branches.then_some(branches) }
}

/// Milliseconds since 1970, as in the original, or seconds, as several tools write. 0 is no time.
fn made_at(root: &Element) -> Made {
    const SECONDS_MAX: f64 = 1e11;
    let Some(number) = root.number::<f64>("timestamp").filter(|number| number.is_finite() && *number > 0.0) else { return Made::Untold };
    let us = if number < SECONDS_MAX { number * 1e6 } else { number * 1e3 };
    Timestamp::from_microseconds(us as i64).map_or(Made::Untold, Made::At)
}

fn line(element: &Element) -> Option<(u64, bool, Counts)> {
    let number = element.number("number")?;
    let hits: f64 = element.number("hits")?;
    // `50% (1/2)`
    let counts = element.get("condition-coverage").and_then(|text| {
        let (covered, of) = text.split_once('(')?.1.strip_suffix(')')?.split_once('/')?;
        Some(Counts { covered: covered.trim().parse().ok()?, of: of.trim().parse().ok()? })
    });
    Some((number, hits > 0.0, counts.unwrap_or_default()))
}
