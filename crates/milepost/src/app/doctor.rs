//! `milepost doctor`: is all in order, what came in, and which criteria does nothing feed?

use super::{
    Failure, Workplace, otlp, print, printable,
    scorecard::{Judged, judged, wait},
    set_aside::SET_ASIDE,
    track::{Alerts, pending, still_waiting},
    versions::refuse_newer_files,
};
use crate::{
    cli::Doctor,
    config::{self, Surroundings},
    render::terminal::{fact, width},
    serve::tokens::{self, Scope},
};
use milepost_judge::Verdict;
use milepost_record::{Identity, Spool, Timestamp, recording_is_off};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// How many broken lines are shown one by one.
const SHOWN: usize = 5;

pub(super) fn doctor(doctor: &Doctor, flag: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut report = Report { text: String::new(), width: width(), troubles: BTreeSet::new() };
    report.fact("Version", &format!("milepost {}, event format {}", env!("CARGO_PKG_VERSION"), milepost_record::WIRE_VERSION));
    let place = match Workplace::find(flag) {
        Ok(place) => place,
        Err(failure) => {
            let path = config::find(flag, &Surroundings::of_this_process());
            report.trouble("Configuration", &path.map_or_else(|| failure.to_string(), |p| format!("{} cannot be used", p.display())));
            report.text.push_str(&format!("\n{failure}\n"));
            return report.finish();
        }
    };
    match &place.config.path {
        Some(path) => report.fact("Configuration", &format!("{}: {} criteria", path.display(), place.config.criteria.criteria.len())),
        None => report.trouble("Configuration", "none here or above: run `milepost init`"),
    }
    if let Some(variable) = recording_is_off() {
        report.trouble("Recording", &format!("off, since {variable} is set"));
    }
    let Some(data) = &place.data else {
        report.trouble("Data", "no folder: run `milepost init`, or set MILEPOST_DATA");
        return report.finish();
    };
    if let Err(failure) = place.data() {
        report.trouble("Data", &printable(&failure.to_string()));
        return report.finish();
    }
    if doctor.repair {
        refuse_newer_files(&place)?;
    }
    if !data.join("spool").is_dir() {
        report.fact("Data", &format!("{}: nothing is recorded yet", data.display()));
    } else if let Err(failure) = spool(&mut report, data) {
        report.trouble("Data", &printable(&failure.to_string()));
    }
    match damage(&mut report, data, doctor.repair) {
        Err(failure) if doctor.repair => return Err(failure),
        Err(failure) => report.trouble("Data", &printable(&failure.to_string())),
        Ok(()) => {}
    }
    if doctor.verify {
        rollups(&mut report, data);
    }
    if let Err(error) = Identity::find(data) {
        report.trouble("Identity", &printable(&error.to_string()));
    }
    forgotten(&mut report, data);
    alerts(&mut report, &place);
    otlp(&mut report, data);
    who_may_come_in(&mut report, data);
    match judged(&place) {
        Ok(judged) => {
            if let Err(failure) = events(&mut report, &judged) {
                report.trouble("Events", &printable(&failure.to_string()));
            }
            unfed(&mut report, &judged);
        }
        Err(failure) => report.trouble("Events", &printable(&failure.to_string())),
    }
    report.finish()
}

/// What is not as it was written, and what was done about it.
fn damage(report: &mut Report, data: &Path, repair: bool) -> Result<(), Failure> {
    let found = wait(async { Ok(if repair { milepost_store::repair(data).await? } else { milepost_store::check(data).await? }) })?;
    for finding in &found {
        let what = printable(&format!("{}: {}", finding.path.display(), finding.what));
        match &finding.repaired {
            Some(repaired) => report.fact("Repaired", &format!("{what}; {}", printable(repaired))),
            None => report.trouble("Damaged", &what),
        }
    }
    if !repair && !found.is_empty() {
        report.fact("", "`milepost doctor --repair` sets aside what is damaged, so that the rest goes on");
    }
    let kept = fs::read_dir(data.join("set-aside")).map_or(0, |folder| folder.flatten().count());
    if kept > 0 {
        report.fact("Set aside", &format!("{}: {}", data.join("set-aside").display(), several(kept as u64, "file", "files")));
    }
    Ok(())
}

/// Whether what is kept by day is what the events say.
fn rollups(report: &mut Report, data: &Path) {
    match wait(async { Ok(milepost_store::verify(data).await?) }) {
        Ok(None) => report.fact("Rollups", "none are read: there are too few operations, or the next `milepost track` makes them anew"),
        Ok(Some((kept, found))) => {
            let kept = several(kept as u64, "question", "questions");
            if found.is_empty() {
                report.fact("Rollups", &format!("of {kept}, as the events say"));
            }
            for finding in found {
                report.trouble("Rollups", &printable(&format!("{}: {}", finding.path.display(), finding.what)));
            }
        }
        Err(failure) => report.trouble("Rollups", &printable(&failure.to_string())),
    }
}

/// Who was forgotten, and may still be found here.
fn forgotten(report: &mut Report, data: &Path) {
    match pending(data) {
        Ok((new, foreign)) => {
            if new > 0 {
                let people = several(new as u64, "person", "people");
                report.trouble("Forgotten", &format!("{people} whose events may still lie here: `milepost track` erases them"));
            }
            if foreign > 0 {
                let people = several(foreign as u64, "person was", "people were");
                let why = "under another machine's key, so copies here are not recognised; see docs/forget.md";
                report.fact("Forgotten", &format!("{people} forgotten {why}"));
            }
        }
        Err(failure) => report.trouble("Forgotten", &printable(&failure.to_string())),
    }
}

/// What waits to be told.
fn alerts(report: &mut Report, place: &Workplace) {
    if place.config.alerts.is_empty() {
        return;
    }
    match place.common().and_then(Alerts::open).map(|alerts| still_waiting(alerts.waiting())) {
        Ok(None) => {}
        Ok(Some(waiting)) => report.trouble("Alerts", &format!("{waiting}; `milepost track --test-alert` tries whether any arrive")),
        Err(failure) => report.trouble("Alerts", &printable(&failure.to_string())),
    }
}

/// What became of what OpenTelemetry sent.
fn otlp(report: &mut Report, data: &Path) {
    match otlp::remembered(data) {
        Ok(None) => {}
        Ok(Some(tally)) => {
            for line in otlp::told(&tally, Timestamp::now()) {
                if line.is_trouble { report.trouble(&line.label, &line.text) } else { report.fact(&line.label, &line.text) }
            }
        }
        Err(failure) => report.trouble("OTLP", &printable(&failure.to_string())),
    }
}

/// How many tokens there are, and whether others can read what is kept of them.
fn who_may_come_in(report: &mut Report, data: &Path) {
    let path = data.join(tokens::FILE);
    let Ok(file) = fs::metadata(&path) else { return };
    match tokens::read(data) {
        Ok(all) => {
            let (reading, writing): (Vec<_>, Vec<_>) = all.iter().partition(|token| token.scope == Scope::Read);
            report.fact("Tokens", &format!("{} to read, {} to write", reading.len(), writing.len()));
        }
        Err(why) => report.trouble("Tokens", &printable(&why)),
    }
    if file.mode() & 0o077 != 0 {
        let path = printable(&path.to_string_lossy());
        report.trouble("Tokens", &format!("others than its owner may open {path}, as its mode says: `chmod 600` it"));
    }
}

fn spool(report: &mut Report, data: &Path) -> Result<(), Failure> {
    let segments = Spool::open(data)?.segments()?;
    let bytes: u64 = segments.iter().map(milepost_record::Segment::bytes).sum();
    let stored = size(&data.join("store"));
    report.fact(
        "Data",
        &format!("{}: {}, {bytes} bytes; tables, {stored} bytes", data.display(), several(segments.len() as u64, "segment", "segments")),
    );
    // Where the layout cannot be read, the check that follows says so.
    if let Ok(Some(bucket)) = milepost_store::bucket(data) {
        report.fact("Shared", &format!("the tables are those of {bucket}"));
    }
    if let Some(shared) = milepost_store::shared(data) {
        let place = fs::canonicalize(&shared).unwrap_or(shared);
        report.fact("Shared", &format!("the tables are those of {}", printable(&place.to_string_lossy())));
    }
    let path = data.join(SET_ASIDE);
    if let Ok(file) = fs::File::open(&path) {
        let lines = BufReader::new(file).lines().map_while(Result::ok).count();
        report.trouble(
            "Refused",
            &format!(
                "{lines} lines that `record` or `import` set aside in {}: mend them, record them again and remove the file",
                path.display()
            ),
        );
    }
    Ok(())
}

/// How many bytes the files of a folder have, with those of the folders in it.
fn size(folder: &Path) -> u64 {
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    fs::read_dir(folder).map_or(0, |entries| entries.flatten().map(of).sum())
}

fn events(report: &mut Report, judged: &Judged) -> Result<(), Failure> {
    let inventory = judged.store.inventory();
    let kinds: Vec<_> = inventory.events.iter().map(|(kind, n)| several(*n, kind.name(), kind.table())).collect();
    report.fact("Events", &if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") });
    if inventory.repeated > 0 {
        let events = several(inventory.repeated, "event stands", "events stand");
        report.fact("Repeated", &format!("{events} more than once under one id, and count once"));
    }
    if inventory.unreadable > 0 {
        let lines = several(inventory.unreadable, "line is no event", "lines are no events");
        report.trouble("Unreadable", &format!("{lines}, and count for nothing"));
        for line in inventory.first_unreadable.iter().take(SHOWN) {
            let name = line.segment.file_name().unwrap_or_default().to_string_lossy();
            report.fact("", &format!("{name}, byte {}: {}", line.offset, printable(&line.reason)));
        }
    }
    let now = Timestamp::now();
    let day = Duration::from_secs(86400);
    let activity = wait(async { Ok(judged.store.activity(now.saturating_sub(day)).await?) })?;
    for (index, row) in activity.iter().enumerate() {
        let row: Vec<_> = row.iter().map(|(name, value)| format!("{name}={}", printable(value))).collect();
        report.fact(if index == 0 { "Last day" } else { "" }, &row.join(" "));
    }
    let newest = judged.scorecard.criteria.iter().filter_map(|c| c.judgement.newest_event).max();
    if newest.is_some_and(|newest| newest > now) {
        report.trouble("Clock", "the newest event is ahead of this machine's clock; one of the two is wrong");
    } else {
        report.fact("Clock", &now.to_string());
    }
    Ok(())
}

fn unfed(report: &mut Report, judged: &Judged) {
    let lacking = judged.scorecard.criteria.iter().filter(|c| matches!(c.judgement.verdict, Verdict::NoData | Verdict::Stale));
    for criterion in lacking {
        let command = criterion.judgement.command.as_deref().unwrap_or_default();
        report.trouble("Not fed", &format!("{}: {}", printable(&criterion.name), printable(command)));
    }
}

/// A number with its noun.
pub(super) fn several(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

struct Report {
    text: String,
    width: usize,
    /// What is in the way of several things is told once.
    troubles: BTreeSet<String>,
}

impl Report {
    fn fact(&mut self, label: &str, value: &str) {
        fact(&mut self.text, self.width, label, value);
    }

    fn trouble(&mut self, label: &str, value: &str) {
        if self.troubles.insert(value.to_owned()) {
            self.fact(&format!("! {label}"), value);
        }
    }

    fn finish(self) -> Result<ExitCode, Failure> {
        let last = match self.troubles.len() {
            0 => "All is in order.".to_owned(),
            1 => "One thing wants a look.".to_owned(),
            n => format!("{n} things want a look."),
        };
        print(&format!("{}\n{last}\n", self.text))
    }
}
