//! coverage.py's own JSON. Format 1 has no number, format 2 has, format 3 adds functions and classes.

use crate::{
    Format, Made, Refused, Report,
    coverage::{self, Counts, SourceFile, has_word},
    report::Reading,
};
use serde::Deserialize;
use std::collections::BTreeMap;

const FORMAT: Format = Format::CoveragePy;
const NEWEST: u64 = 3;

#[derive(Deserialize)]
struct Document {
    meta: Meta,
    files: BTreeMap<String, Measured>,
    totals: Summary,
}

#[derive(Deserialize)]
struct Meta {
    format: Option<u64>,
    version: Option<String>,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Measured {
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    covered_lines: u64,
    num_statements: u64,
    /// Version 5.0 tells it only as a part of a percentage.
    covered_branches: Option<u64>,
    num_branches: Option<u64>,
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let document: Document = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    if let Some(format) = document.meta.format.filter(|format| *format > NEWEST) {
        return Err(Refused::unusable(FORMAT, format!("it has format {format}, and this Milepost reads 1 to {NEWEST}")));
    }
    let files: Vec<_> = document
        .files
        .into_iter()
        .map(|(path, Measured { summary })| SourceFile {
            path,
            statements: Counts { covered: summary.covered_lines, of: summary.num_statements },
            branches: summary.covered_branches.zip(summary.num_branches).map(|(covered, of)| Counts { covered, of }),
        })
        .collect();
    let mut readings = coverage::readings(FORMAT, &files)?;
    let sum = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.statements.of));
    if sum != document.totals.num_statements {
        let totals = document.totals.num_statements;
        return Err(Refused::unusable(FORMAT, format!("its files have {sum} statements, and its totals {totals}")));
    }
    let integration = files.iter().filter(|file| has_word(&file.path, &["integration", "real"])).count();
    let details = readings.iter().position(|reading| reading.scope.is_some()).unwrap_or(readings.len());
    readings.insert(details, Reading::count("coverage.integration_tests", integration as u64));
    let source = document.meta.version.map_or_else(|| "coverage.py".to_owned(), |version| format!("coverage.py {version}"));
    let made = document.meta.timestamp.map_or(Made::Untold, |text| Made::from_text(&text));
    Ok(Report::new(FORMAT, text, source, made, readings))
}
