//! `radon cc --json`: a list of blocks for each source file, or what was wrong with the file. Methods stand both under their
//! class and beside it. Classes are no functions: radon's own average counts them, and ours does not.

use crate::{
    Format, Made, Reading, Refused, Report,
    complexity::{self, Function},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

const FORMAT: Format = Format::Radon;

#[derive(Deserialize)]
#[serde(untagged)]
enum Analysed {
    Blocks(Vec<Block>),
    Failed { error: String },
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    name: String,
    classname: Option<String>,
    lineno: u64,
    complexity: u64,
    #[serde(default)]
    methods: Vec<Block>,
}

/// Whether JSON has this shape; an object without a file has.
pub(crate) fn is_one(text: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, Analysed>>(text).is_ok()
}

pub(crate) fn read(text: &str) -> Result<Report, Refused> {
    let files: BTreeMap<String, Analysed> = serde_json::from_str(text).map_err(|error| Refused::json(FORMAT, &error))?;
    let of = files.len();
    let (mut functions, mut unreadable) = (BTreeSet::new(), Vec::new());
    for (file, analysed) in files {
        match analysed {
            Analysed::Failed { error } => unreadable.push(format!("{file} ({error})")),
            Analysed::Blocks(blocks) => {
                let file: Rc<str> = file.into();
                let methods = blocks.iter().flat_map(|block| &block.methods);
                let blocks = blocks.iter().chain(methods).filter(|block| block.r#type != "class");
                functions.extend(blocks.map(|block| Function {
                    file: file.clone(),
                    line: block.lineno,
                    name: block.classname.as_ref().map_or_else(|| block.name.clone(), |class| format!("{class}.{}", block.name)),
                    complexity: block.complexity,
                }));
            }
        }
    }
    if let Some(first) = unreadable.first().filter(|_| unreadable.len() == of) {
        return Err(Refused::unusable(FORMAT, format!("radon could read none of its files, first {first}")));
    }
    let mut readings = complexity::readings(FORMAT, functions.into_iter().collect())?;
    let details = readings.iter().position(|reading| reading.scope.is_some()).unwrap_or(readings.len());
    readings.insert(details, Reading::count("complexity.unreadable_files", unreadable.len() as u64));
    Ok(Report::new(FORMAT, text, "radon", Made::Untold, readings).without(unreadable))
}
