//! What a door refused: kept in one file of the data folder up to its limit, counted, and said on standard error.

use super::{Failure, printable, say};
use milepost_record::Timestamp;
use serde::Serialize;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Name of the file.
pub(super) const SET_ASIDE: &str = "set-aside.jsonl";

/// How many refused lines are named one by one.
const NAMED_MAX: u64 = 20;
/// How much of a refused line is kept.
const KEPT_BYTES: usize = 4096;
/// How large the file may become, in bytes.
const SET_ASIDE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The lines that one call of a door refused.
pub(super) struct SetAside {
    path: PathBuf,
    door: &'static str,
    /// What a line is called: `line`, `row` …
    noun: &'static str,
    /// The file that has them, where a door reads files.
    file: Option<String>,
    refused: u64,
    kept: u64,
}

impl SetAside {
    pub(super) fn new(data: &Path, door: &'static str, noun: &'static str) -> Self {
        Self { path: data.join(SET_ASIDE), door, noun, file: None, refused: 0, kept: 0 }
    }

    /// Of this file.
    pub(super) fn of(self, file: String) -> Self {
        Self { file: Some(file), ..self }
    }

    /// How many lines were refused.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts a line, and names it, where it is one of the first.
    pub(super) fn name(&mut self, number: u64, reason: &str) {
        self.refused += 1;
        if self.refused <= NAMED_MAX {
            say(&format!("{} {number}: {}", self.noun, printable(reason)));
        }
    }

    /// The same, and keeps what may be kept of the line, but where the file is full.
    pub(super) fn keep(&mut self, number: u64, reason: &str, line: &[u8]) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Refused<'a> {
            at: Timestamp,
            door: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            file: Option<&'a str>,
            line: u64,
            reason: &'a str,
            text: &'a str,
        }
        self.name(number, reason);
        let text = String::from_utf8_lossy(line.get(..KEPT_BYTES).unwrap_or(line));
        let refused = Refused { at: Timestamp::now(), door: self.door, file: self.file.as_deref(), line: number, reason, text: &text };
        let failed =
            |error: io::Error| Failure::internal(format!("cannot set {} {number} aside in {}: {error}", self.noun, self.path.display()));
        let mut json = serde_json::to_vec(&refused).map_err(|error| failed(error.into()))?;
        json.push(b'\n');
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < SET_ASIDE_BYTES_MAX {
            file.write_all(&json).map_err(failed)?;
            self.kept += 1;
        }
        Ok(())
    }

    /// Says how many more there were than were named.
    pub(super) fn say_the_rest(&self) {
        if self.refused > NAMED_MAX {
            say(&format!("and {} more {}s", self.refused - NAMED_MAX, self.noun));
        }
    }

    /// How many were set aside, and where.
    pub(super) fn summary(&self) -> String {
        let lost = self.refused - self.kept;
        let full = if lost > 0 { format!("; {lost} of them are lost, since that file is full") } else { String::new() };
        format!("{} set aside in {}{full}", self.refused, self.path.display())
    }
}
