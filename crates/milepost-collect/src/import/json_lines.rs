//! JSON lines: events as an export has them, or rows whose names stand in each of them.

use crate::report::excerpt;
use milepost_record::Event;
use serde_json::{Map, Value};

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An event of ours, with what it says, of which an id follows where it has none.
    Event(Box<Event>, Map<String, Value>),
    /// Names with their values.
    Row(Map<String, Value>),
    /// Nothing but space.
    Blank,
}

/// Why a line is none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoLine {
    /// What is wrong with it, in words for people.
    pub why: String,
    /// Whether it was to be an event of ours, which names nobody.
    pub is_ours: bool,
}

/// Reads a line.
///
/// # Errors
/// Where it is neither an object nor an event.
pub fn line(bytes: &[u8]) -> Result<Line, NoLine> {
    let foreign = |why: String| NoLine { why, is_ours: false };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Ok(Line::Blank);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| foreign("the line is not UTF-8".to_owned()))?;
    let row: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        // A line is one line, so the reader's line number says nothing.
        foreign(format!(
            "this is no object of JSON: {} at column {}",
            excerpt(what.split(" at line ").next().unwrap_or(&what)),
            error.column()
        ))
    })?;
    if row.contains_key("v") && row.contains_key("kind") {
        let event = Event::from_json(text).map_err(|invalid| NoLine { why: invalid.to_string(), is_ours: true })?;
        return Ok(Line::Event(Box::new(event), row));
    }
    Ok(Line::Row(row))
}
