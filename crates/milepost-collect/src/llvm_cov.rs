//! `llvm-cov export`. LLVM counts lines, which stand for statements here.

use crate::{
    Format, Made, Refused, Report,
    coverage::{self, Counts, SourceFile},
};
use serde::Deserialize;

const FORMAT: Format = Format::LlvmCov;
const TYPE: &str = "llvm.coverage.json.export";

#[derive(Deserialize)]
struct Document {
    data: Vec<Export>,
    r#type: String,
    cargo_llvm_cov: Option<CargoLlvmCov>,
}

#[derive(Deserialize)]
struct CargoLlvmCov {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Export {
    files: Vec<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Covered,
    branches: Option<Covered>,
}

#[derive(Deserialize)]
struct Covered {
    count: u64,
    covered: u64,
}

impl From<Covered> for Counts {
    fn from(Covered { count, covered }: Covered) -> Self {
        Self { covered, of: count }
    }
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let document: Document = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    if document.r#type != TYPE {
        return Err(Refused::unusable(FORMAT, format!("its type is `{}`, not `{TYPE}`", document.r#type)));
    }
    let files = document.data.into_iter().flat_map(|export| export.files);
    let files: Vec<_> = files
        .map(|file| SourceFile {
            path: file.filename,
            statements: file.summary.lines.into(),
            branches: file.summary.branches.map(Counts::from),
        })
        .collect();
    let source = match document.cargo_llvm_cov.and_then(|tool| tool.version) {
        Some(version) => format!("cargo-llvm-cov {version}"),
        None => "llvm-cov".to_owned(),
    };
    Ok(Report::new(FORMAT, text, source, Made::Untold, coverage::readings(FORMAT, &files)?))
}
