//! `milepost baseline`: what is observed today becomes what a product started from.

use super::{
    Failure, Workplace,
    explain::find,
    files::{publish, read},
    print, printable,
    scorecard::{configured, judged},
};
use crate::{
    cli::Baseline,
    config::FILE_BYTES_MAX,
    render::{
        chart::amount,
        rows::{Content, Heading, table},
        terminal::width,
    },
};
use milepost_judge::scorecard::{CriterionResult, Judgement};
use serde_json::Value;
use std::{fs, process::ExitCode};
use toml_edit::{DocumentMut, Item, TableLike, value};

/// A criterion whose baseline is to be another.
struct Change {
    criterion: String,
    before: Option<String>,
    after: String,
}

pub(super) fn baseline(baseline: &Baseline, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let results = judged(workplace)?.scorecard.criteria;
    let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    let mut wanted = Vec::new();
    for typed in &baseline.criteria {
        wanted.push(find(typed, &names)?);
    }
    let selected = results.iter().enumerate().filter(|(index, _)| wanted.is_empty() || wanted.contains(index)).map(|(_, result)| result);
    let (known, unknown): (Vec<_>, Vec<_>) = selected.partition(|result| observed(result).is_some());
    let change = |result: &CriterionResult| {
        let after = observed(result).filter(|after| result.baseline.as_ref() != Some(after))?;
        Some(Change { criterion: result.name.clone(), before: result.baseline.clone(), after })
    };
    let changes: Vec<Change> = known.into_iter().filter_map(change).collect();
    let mut said = if changes.is_empty() { "No baseline changes.\n".to_owned() } else { difference(&changes) };
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(|result| printable(&result.name)).collect();
        let kept = format!("Nothing is known of these yet, so they stay as they are: {}", names.join(", "));
        said += &format!("\n{}\n", textwrap::fill(&kept, width()));
    }
    if !changes.is_empty() && baseline.write {
        write(&changes, workplace)?;
        said += "\nWritten into the configuration.\n";
    } else if !changes.is_empty() {
        said += "\nmilepost baseline --write puts that into the configuration.\n";
    }
    print(&said)
}

/// What was observed, in words: of a criterion that demands several things, each of them.
fn observed(result: &CriterionResult) -> Option<String> {
    let of = |judgement: &Judgement| judgement.estimate.map(|estimate| amount(estimate, &judgement.unit).replace('\u{a0}', " "));
    if result.parts.is_empty() {
        return of(&result.judgement);
    }
    let part = |judgement: &Judgement| Some(format!("{} {}", judgement.metric.as_deref()?, of(judgement)?));
    result.parts.iter().map(|of| part(&of.judgement)).collect::<Option<Vec<_>>>().map(|parts| parts.join(", "))
}

fn difference(changes: &[Change]) -> String {
    let headings = ["criterion", "baseline", "today"].map(|name| Heading { name: name.to_owned(), of: Content::Text });
    let row = |change: &Change| {
        let before = change.before.clone().unwrap_or_else(|| "–".to_owned());
        [change.criterion.clone(), before, change.after.clone()].map(Value::from).to_vec()
    };
    table(&headings, &changes.iter().map(row).collect::<Vec<_>>(), width())
}

/// Writes the baselines into the file of the configuration, and leaves all else of it as it is: comments, order, blank lines.
fn write(changes: &[Change], workplace: &Workplace) -> Result<(), Failure> {
    let Some(path) = &workplace.config.path else { return Err(Failure::internal("there is no configuration to write into")) };
    let cannot = |error: std::io::Error| Failure::internal(format!("cannot write {}: {error}", path.display()));
    // A link stays a link: what it names is written.
    let file = fs::canonicalize(path).map_err(cannot)?;
    let text = read(&file, FILE_BYTES_MAX).map_err(cannot)?;
    let mut document: DocumentMut = text.parse().map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let mut tables = tables(document.get_mut("criterion"));
    for change in changes {
        let named = tables.iter_mut().find(|table| table.get("name").and_then(Item::as_str) == Some(&change.criterion));
        let Some(table) = named else {
            // Somebody else wrote the file since it was read.
            let name = printable(&change.criterion);
            return Err(Failure::usage(format!("{} has no criterion `{name}` any more; nothing was written", path.display())));
        };
        let mut written = value(change.after.as_str());
        // A comment behind the old one stays.
        if let (Some(old), Some(new)) = (table.get("baseline").and_then(Item::as_value), written.as_value_mut()) {
            *new.decor_mut() = old.decor().clone();
        }
        table.insert("baseline", written);
    }
    drop(tables);
    let permissions = fs::metadata(&file).map_err(cannot)?.permissions();
    publish(&file, document.to_string().as_bytes()).and_then(|()| fs::set_permissions(&file, permissions)).map_err(cannot)
}

/// The criteria, each as a table of its own or written in one line.
fn tables(criteria: Option<&mut Item>) -> Vec<&mut dyn TableLike> {
    match criteria {
        Some(Item::ArrayOfTables(array)) => array.iter_mut().map(|table| table as &mut dyn TableLike).collect(),
        Some(Item::Value(toml_edit::Value::Array(array))) => {
            array.iter_mut().filter_map(toml_edit::Value::as_inline_table_mut).map(|table| table as &mut dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}
