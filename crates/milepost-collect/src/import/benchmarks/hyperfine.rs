//! `hyperfine --export-json`: each run of each command is an operation. The file does not say when.

use super::{Document, Events, NotADocument};
use crate::import::{Format, values::duration};
use milepost_record::{Operation, Outcome, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const FORMAT: Format = Format::Hyperfine;

#[derive(Deserialize)]
struct Export {
    results: Vec<CommandResult>,
}

#[derive(Deserialize)]
struct CommandResult {
    command: String,
    times: Option<Vec<Value>>,
    /// Null where a signal ended the command.
    exit_codes: Option<Vec<Option<i64>>>,
}

pub(super) fn read(text: &str, written: Timestamp, whole_commands: bool) -> Result<Document, NotADocument> {
    let export: Export = serde_json::from_str(text).map_err(|error| NotADocument::json(FORMAT, &error))?;
    let (mut events, mut notes) = (Events::default(), Vec::new());
    let mut commands: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for CommandResult { command, times, exit_codes } in &export.results {
        let unusable = |what: &str| NotADocument(format!("the result of `{}` {what}", command.chars().take(64).collect::<String>()));
        let times = times.as_deref().ok_or_else(|| unusable("has no single times: this export is of a summary"))?;
        let exit_codes = exit_codes.as_deref().ok_or_else(|| unusable("has no exit codes, so nobody knows how the runs ended"))?;
        if exit_codes.len() != times.len() {
            return Err(unusable(&format!("has {} times and {} exit codes", times.len(), exit_codes.len())));
        }
        let name = if whole_commands { command.trim() } else { program(command) };
        if name.is_empty() {
            return Err(unusable("names no program: `hyperfine --command-name` gives it a name"));
        }
        commands.entry(name).or_default().insert(command);
        for (time, exit_code) in times.iter().zip(exit_codes) {
            let mut run = Operation::new(name, if *exit_code == Some(0) { Outcome::Ok } else { Outcome::Failed });
            run.duration_us = Some(duration(time, 1e6).map_err(|wrong| unusable(&wrong))?);
            run.exit_code = *exit_code;
            let says = [("command", json!(command)), ("time", time.clone()), ("exit_code", json!(exit_code))];
            events.add(FORMAT, written, run, &says)?;
        }
    }
    for (name, commands) in commands.iter().filter(|(_, commands)| commands.len() > 1) {
        notes.push(format!(
            "{} commands become the operation `{name}`, since arguments are not stored; `--map operation=command` keeps them apart, and \
             stores them",
            commands.len()
        ));
    }
    Ok(Document { events: events.events, notes, tells_time: false })
}

/// The file name of a command's program, as `milepost run` has it.
fn program(command: &str) -> &str {
    let is_setting =
        |word: &&str| word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let word = command.split_ascii_whitespace().find(|word| !is_setting(word)).unwrap_or_default();
    let word = word.trim_matches(['"', '\'']);
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn a_command_is_called_as_its_program() {
        for (command, name) in [
            ("true", "true"),
            ("  target/release/fd -e jpg '' ~/", "fd"),
            ("RUST_LOG=debug /usr/bin/rg x=y", "rg"),
            ("'./my-tool' --flag", "my-tool"),
            ("", ""),
        ] {
            assert_eq!(program(command), name, "{command}");
        }
    }
}
