//! `milepost collect coverage|complexity|tests|audit`: what a tool's report says becomes measurements.

use super::{Failure, Workplace, collect::keep, collect_run, printable, say};
use crate::cli::{CollectReports, Context};
use jiff::tz::TimeZone;
use milepost_collect::{Kind, Made, REPORT_BYTES_MAX, Reading, Refused, Report, could_be_a_report, read};
use milepost_judge::{Quantity, Unit};
use milepost_record::{Door, Spool, Timestamp, limits};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// Of each report, so many things that its tool could not look at are named.
const NAMED_MAX: usize = 20;
/// So much of a report tells whether it can be one.
const HEAD_BYTES: u64 = 64 * 1024;
/// The clocks of two places on earth differ by so much at most.
const ZONES_APART: Duration = Duration::from_secs(26 * 3600);

/// Where reports go.
pub(super) struct Desk<'a> {
    pub(super) spool: &'a Spool,
    pub(super) door: &'a Door,
    pub(super) context: &'a Context,
    /// Of times that are given without one.
    pub(super) zone: &'a TimeZone,
}

pub(super) fn collect(kind: Kind, wishes: &CollectReports, workplace: &Workplace) -> Result<ExitCode, Failure> {
    if !wishes.run && (wishes.timeout.is_some() || !wishes.arguments.is_empty()) {
        return Err(Failure::usage("--timeout and what follows -- are for a tool: add --run, or leave them out"));
    }
    let Some((spool, door)) = workplace.recording("collect")? else { return Ok(ExitCode::SUCCESS) };
    let zone = &workplace.config.criteria.calendar;
    let desk = Desk { spool: &spool, door: &door, context: &wishes.context, zone };
    if wishes.run {
        let output = collect_run::output(kind, &wishes.arguments, wishes.timeout.unwrap_or(collect_run::TIMEOUT))?;
        let content = Content { bytes: output.bytes, written: Timestamp::now() };
        say(&desk.record(kind, &output.tool, content)?.map_err(|refused| Failure::usage(refused.sentence(&output.tool)))?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut refused = false;
    for path in &wishes.files {
        let is_input = path.as_os_str() == "-";
        let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
        let content = if is_input { of_input(kind) } else { of_file(kind, path, false) };
        let told = match content {
            Ok(content) => desk.record(kind, &name, content)?,
            Err(unusable) => Err(unusable),
        };
        match told {
            Ok(told) => say(&told),
            Err(unusable) => {
                say(&unusable.sentence(&name));
                refused = true;
            }
        }
    }
    Ok(ExitCode::from(if refused { 2 } else { 0 }))
}

/// What a report holds, and when it was written; or, where nothing tells that, received.
pub(super) struct Content {
    bytes: Vec<u8>,
    written: Timestamp,
}

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not there")]
    Missing,
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("it is no file: name the report itself")]
    NoFile,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{what} {at}, which lies in the future: is a clock wrong?")]
    Future { what: &'static str, at: Timestamp },
}

impl Unusable {
    /// The whole sentence, with the name of the report.
    pub(super) fn sentence(&self, name: &str) -> String {
        printable(&format!("{name}: {self}"))
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Unreadable(error) }
    }
}

/// Reads a file. Where nobody waits for it, `only_whole` keeps out what would have to be waited for, such as a named pipe.
pub(super) fn of_file(kind: Kind, path: &Path, only_whole: bool) -> Result<Content, Unusable> {
    // Before it is opened: to open a named pipe waits for its writer.
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() || (only_whole && !metadata.is_file()) {
        return Err(Unusable::NoFile);
    }
    let bytes = limited(kind, File::open(path)?)?;
    let written = metadata.modified().ok().filter(|_| metadata.is_file()).and_then(|modified| jiff::Timestamp::try_from(modified).ok());
    Ok(Content { bytes, written: written.map_or_else(Timestamp::now, Timestamp::from_jiff) })
}

fn of_input(kind: Kind) -> Result<Content, Unusable> {
    let bytes = limited(kind, io::stdin().lock())?;
    Ok(Content { bytes, written: Timestamp::now() })
}

/// Reads no more than is worth it: nothing further of what is no report, and nothing beyond the limit.
fn limited(kind: Kind, mut input: impl Read) -> Result<Vec<u8>, Unusable> {
    let mut bytes = Vec::new();
    input.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes)?;
    could_be_a_report(kind, &bytes)?;
    input.take(REPORT_BYTES_MAX + 1 - HEAD_BYTES).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > REPORT_BYTES_MAX { Err(Refused::TooLarge.into()) } else { Ok(bytes) }
}

impl Desk<'_> {
    /// Records what a report says, and returns it in a line for people.
    ///
    /// # Errors
    /// Outside, where it could not be recorded; inside, where the report cannot be used.
    pub(super) fn record(&self, kind: Kind, name: &str, content: Content) -> Result<Result<String, Unusable>, Failure> {
        let report = match read(kind, &content.bytes) {
            Ok(report) => report,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let at = match made_at(report.made, content.written, self.zone, Timestamp::now()) {
            Ok(at) => at,
            Err(future) => return Ok(Err(future)),
        };
        for event in report.events(at) {
            keep(event, self.context, self.spool, self.door)?;
        }
        for unreadable in report.unreadable.iter().take(NAMED_MAX) {
            say(&printable(&format!("{name}: {} could not look at {unreadable}", report.source)));
        }
        if report.unreadable.len() > NAMED_MAX {
            say(&format!("and at {} more", report.unreadable.len() - NAMED_MAX));
        }
        Ok(Ok(printable(&format!("{name}: {}", told(&report, at)))))
    }
}

/// When a report was made: as it says, else when it was written.
///
/// A time without its zone is one of `zone`. No report was made after it was written, so where that would come out, the zone is
/// another, and the time is when it was written.
fn made_at(made: Made, written: Timestamp, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Unusable> {
    let latest = now.saturating_add(limits::AHEAD_MAX);
    let (at, what) = match made {
        Made::At(at) => (at, "it says that it was made at"),
        Made::Local(local) => {
            let at = local.to_zoned_datetime(zone.clone()).map_or(written, |zoned| Timestamp::from_jiff(zoned.timestamp()));
            let elsewhere = at > written && at <= written.saturating_add(ZONES_APART);
            (if elsewhere { written } else { at }, "it says that it was made at")
        }
        Made::Untold => (written, "it was last written at"),
    };
    if at > latest { Err(Unusable::Future { what, at }) } else { Ok(at) }
}

/// What a report says, for people.
fn told(report: &Report, at: Timestamp) -> String {
    let value = |reading: &Reading| {
        let unit = reading.unit.and_then(Unit::named).unwrap_or(Unit::NONE);
        format!("{} {}", reading.name, Quantity::new(reading.value, unit))
    };
    let totals: Vec<_> = report.totals().map(value).collect();
    let details = match report.readings.len() - totals.len() {
        0 => String::new(),
        1 => ", and 1 detail".to_owned(),
        more => format!(", and {more} details"),
    };
    format!("{} of {:.0}: {}{details}", report.source, at.to_jiff(), totals.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_report_else_of_the_file() {
        let at = |text: &str| -> Timestamp { text.parse().expect("a time") };
        let local = |text: &str| Made::Local(text.parse().expect("a time of day"));
        let (utc, berlin) = (TimeZone::UTC, TimeZone::get("Europe/Berlin").expect("a zone"));
        let now = at("2026-11-25T13:00:00Z");
        let written = at("2026-11-25T12:00:01Z");
        for (made, zone, expected) in [
            (Made::At(at("2026-11-24T10:00:00Z")), &utc, Some("2026-11-24T10:00:00Z")),
            (Made::At(at("2026-11-25T13:04:00Z")), &utc, Some("2026-11-25T13:04:00Z")),
            (Made::At(at("2026-11-25T13:06:00Z")), &utc, None),
            (Made::Untold, &utc, Some("2026-11-25T12:00:01Z")),
            (local("2026-11-25T12:00:00"), &utc, Some("2026-11-25T12:00:00Z")),
            (local("2026-11-25T13:00:00"), &berlin, Some("2026-11-25T12:00:00Z")),
            // Made in Berlin, and the configuration says nothing of it.
            (local("2026-11-25T13:00:00"), &utc, Some("2026-11-25T12:00:01Z")),
            (local("2026-12-25T13:00:00"), &utc, None),
            // Very old: accepted, and judged stale.
            (local("2006-12-25T13:00:00"), &utc, Some("2006-12-25T13:00:00Z")),
        ] {
            assert_eq!(made_at(made, written, zone, now).ok(), expected.map(at), "{made:?}");
        }
        let yet_to_come = made_at(Made::Untold, at("2027-01-01T00:00:00Z"), &utc, now).expect_err("the future").to_string();
        assert!(yet_to_come.starts_with("it was last written at 2027-01-01T00:00:00"), "{yet_to_come}");
    }
}
