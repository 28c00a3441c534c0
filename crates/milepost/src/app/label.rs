//! `milepost label`: what an interaction meant, said by somebody who knows.

use super::{Failure, Workplace, print, printable, scorecard::wait};
use crate::{
    cli,
    render::{
        rows::{Content, Heading, table},
        terminal::width,
    },
};
use milepost_record::{Durability, Event, Kind, Label, Timestamp};
use milepost_store::{Row, Store};
use serde_json::Value;
use std::process::ExitCode;

pub(super) fn label(label: &cli::Label, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let (Some(id), Some(correct)) = (&label.id, &label.correct) else { return unlabelled(label.limit, now, workplace) };
    let data = workplace.data()?;
    // A label of an interaction that is not there would be kept, and count for nothing.
    if !wait(async { Ok(Store::open(data, now).await?.has(Kind::Interaction, id).await?) })? {
        let id = printable(id);
        return Err(Failure::usage(format!("there is no interaction `{id}`; `milepost label` lists those that nobody has labelled")));
    }
    let Some((spool, door)) = workplace.recording("label")? else { return Ok(ExitCode::SUCCESS) };
    let event = Event::at(now, Label::new(id.as_str(), correct.as_str()));
    let admitted = door.admit(event, now).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    spool.append(&admitted.event, Durability::Written)?;
    Ok(ExitCode::SUCCESS)
}

fn unlabelled(limit: u64, now: Timestamp, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let data = workplace.data()?;
    let found = wait(async { Ok(Store::open(data, now).await?.unlabelled(limit).await?) })?;
    if found.is_empty() {
        return print("every interaction is labelled\n");
    }
    let names = ["at", "id", "arm", "recognized", "text"];
    // Without a text, a person has to know from elsewhere what was said.
    let names: Vec<_> = names.into_iter().filter(|name| found.iter().any(|row| value(row, name).is_some())).collect();
    let headings: Vec<_> = names
        .iter()
        .map(|name| Heading { name: (*name).to_owned(), of: if matches!(*name, "at" | "id") { Content::Exact } else { Content::Text } })
        .collect();
    let rows: Vec<Vec<Value>> =
        found.iter().map(|row| names.iter().map(|name| Value::from(value(row, name).unwrap_or("–"))).collect()).collect();
    print(&format!("{}\nmilepost label ID INTENT says what one of them meant\n", table(&headings, &rows, width())))
}

fn value<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.iter().find(|(column, _)| column == name).map(|(_, value)| value.as_str())
}
