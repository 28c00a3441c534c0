//! The XML of Cobertura. A line that stands in several places, as in a class and in its method, counts once.

use crate::{
    Format, Made, Reading, Refused, Report,
    coverage::{self, Counts, SourceFile},
    xml::{Element, Step, walk},
};
use milepost_record::Timestamp;
use std::collections::BTreeMap;

const FORMAT: Format = Format::Cobertura;

type Lines = BTreeMap<u64, Line>;

#[derive(Default)]
struct Line {
    hit: bool,
    branches: Counts,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let mut files: BTreeMap<String, Lines> = BTreeMap::new();
    let mut open: Option<(String, Lines)> = None;
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
                        return Err("there is a class without the name of its file".to_owned());
                    }
                    close(&mut files, open.replace((path.to_owned(), Lines::new())));
                }
                "line" => {
                    let Some((_, lines)) = &mut open else { return Ok(()) };
                    let read = line(&element).ok_or("there is a line without its number, or how often it was executed")?;
                    add(lines, read);
                }
                _ => {}
            },
            Step::Close("class") => close(&mut files, open.take()),
            Step::Close(_) | Step::Text(_) => {}
        }
        Ok(())
    })?;
    close(&mut files, open);
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

/// The lines of a class are those of its file. Together, as the name of the file may be long, and its lines many.
fn close(files: &mut BTreeMap<String, Lines>, class: Option<(String, Lines)>) {
    let Some((path, lines)) = class else { return };
    let of_file = files.entry(path).or_default();
    for (number, line) in lines {
        add(of_file, (number, line));
    }
}

fn add(lines: &mut Lines, (number, more): (u64, Line)) {
    let line = lines.entry(number).or_default();
    line.hit |= more.hit;
    line.branches.covered = line.branches.covered.max(more.branches.covered);
    line.branches.of = line.branches.of.max(more.branches.of);
}

fn source_file(path: String, lines: Lines, with_branches: bool) -> SourceFile {
    let (mut statements, mut branches) = (Counts::default(), Counts::default());
    for line in lines.into_values() {
        statements.add(Counts::one(line.hit));
        branches.add(line.branches);
    }
    SourceFile { path, statements, branches: with_branches.then_some(branches) }
}

/// Milliseconds since 1970, as in the original, or seconds, as several tools write. 0 is no time.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and what is beyond the years is no time")]
fn made_at(root: &Element) -> Made {
    const SECONDS_MAX: f64 = 1e11;
    let Some(number) = root.number::<f64>("timestamp").filter(|number| number.is_finite() && *number > 0.0) else { return Made::Untold };
    let us = if number < SECONDS_MAX { number * 1e6 } else { number * 1e3 };
    Timestamp::from_microseconds(us as i64).map_or(Made::Untold, Made::At)
}

fn line(element: &Element) -> Option<(u64, Line)> {
    let number = element.number("number")?;
    let hits: f64 = element.number("hits")?;
    // `50% (1/2)`
    let counts = element.get("condition-coverage").and_then(|text| {
        let (covered, of) = text.split_once('(')?.1.strip_suffix(')')?.split_once('/')?;
        Some(Counts { covered: covered.trim().parse().ok()?, of: of.trim().parse().ok()? })
    });
    Some((number, Line { hit: hits > 0.0, branches: counts.unwrap_or_default() }))
}
