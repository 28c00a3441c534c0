//! `milepost exclude`: a period that does not count, and why.

use super::{
    Failure, Workplace,
    explain::find,
    print, printable,
    scorecard::{configured, judged, wait},
};
use crate::{
    cli::Exclude,
    render::{
        rows::{Content, Heading, table},
        terminal::width,
        words::{count, moment},
    },
};
use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};
use milepost_judge::{Exclusion, exclusions};
use milepost_record::{Durability, Event, Note, Span, Timestamp, Topic, limits::AHEAD_MAX};
use milepost_store::Store;
use serde_json::Value;
use std::{fmt::Write, process::ExitCode};

pub(super) fn exclude(exclude: &Exclude, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    if let (Some(from), Some(to), Some(reason)) = (&exclude.from, &exclude.to, &exclude.reason) {
        let calendar = &workplace.config.criteria.calendar;
        let span = Span { from: moment_of("--from", from, calendar)?, to: moment_of("--to", to, calendar)? };
        return take_out(span, reason, exclude.criterion.as_deref(), workplace);
    }
    let known = recorded(workplace)?;
    match &exclude.undo {
        Some(id) => take_back(id, exclude.reason.as_deref(), &known, workplace),
        None => list(&known),
    }
}

fn recorded(workplace: &Workplace) -> Result<Vec<Exclusion>, Failure> {
    let data = workplace.data()?;
    wait(async { Ok(exclusions(Store::open(data, Timestamp::now()).await?.past())) })
}

/// A day or a time of the calendar, or a time in RFC 3339.
pub(super) fn moment_of(flag: &str, text: &str, calendar: &TimeZone) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let civil = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0)));
    let zoned = civil.and_then(|civil| civil.to_zoned_datetime(calendar.clone()).ok());
    zoned.map(|zoned| Timestamp::from_jiff(zoned.timestamp())).ok_or_else(|| {
        let text = printable(text);
        Failure::usage(format!("{flag} `{text}` is no time: write a day such as 2026-11-20, or a time such as 2026-11-20T14:00:00Z"))
    })
}

fn take_out(span: Span, reason: &str, criterion: Option<&str>, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    if span.from >= span.to {
        return Err(Failure::usage(format!("the period is empty: --from {} is not before --to {}", span.from, span.to)));
    }
    if reason.trim().is_empty() {
        return Err(Failure::usage("--reason is empty: whoever reads a verdict has to know why the period does not count"));
    }
    let criteria = &workplace.config.criteria.criteria;
    let names: Vec<&str> = criteria.iter().map(|criterion| criterion.name.as_str()).collect();
    let criterion = match criterion {
        Some(typed) => names.get(find(typed, &names)?).copied(),
        None => None,
    };
    let before = judged(workplace)?.scorecard;
    let Some((spool, door)) = workplace.recording("exclude")? else { return Ok(ExitCode::SUCCESS) };
    let mut note = Note::new(Topic::Exclude);
    (note.from, note.to, note.text) = (Some(span.from), Some(span.to), Some(reason.to_owned()));
    note.criterion = criterion.map(str::to_owned);
    let admitted = door.admit(Event::at(now, note), now).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    spool.append(&admitted.event, Durability::OnDisk)?;

    let Some(exclusion) = exclusions(std::slice::from_ref(&admitted.event)).pop() else {
        return Err(Failure::internal("the exclusion that was recorded is none"));
    };
    let mut said = format!("{} to {} does not count: {}\n", moment(span.from), moment(span.to), printable(reason));
    let counted = |since: Timestamp| Span { from: since, to: now.saturating_add(AHEAD_MAX) };
    let touched: Vec<_> = before
        .criteria
        .iter()
        .filter(|of| exclusion.is_about(&of.name) && exclusion.touches(counted(of.since.from)) && exclusion.from <= now)
        .collect();
    // Writing to a String cannot fail.
    let _ = if touched.is_empty() && span.from > now {
        writeln!(said, "It has not begun yet; from {} on, criteria begin anew at its end.", moment(span.from))
    } else if touched.is_empty() {
        writeln!(said, "No criterion counts events of that period, so nothing changes.")
    } else {
        writeln!(said, "These begin anew, and count from {} on:", moment(exclusion.counts_again()))
    };
    for criterion in touched {
        let judgement = &criterion.judgement;
        let lost = if judgement.n == 0 { "had no events".to_owned() } else { format!("n {} until now", count(judgement.n)) };
        let _ = writeln!(said, "  {} ({}, {lost})", printable(&criterion.name), judgement.verdict.name().replace('_', " "));
    }
    let _ = writeln!(said, "To take it back: milepost exclude --undo {}", exclusion.id);
    print(&said)
}

fn take_back(typed: &str, reason: Option<&str>, known: &[Exclusion], workplace: &Workplace) -> Result<ExitCode, Failure> {
    let meant: Vec<_> = known.iter().filter(|exclusion| !typed.is_empty() && exclusion.id.starts_with(typed)).collect();
    let exclusion = match meant[..] {
        [exclusion] => exclusion,
        [] => return Err(Failure::usage(format!("nothing was excluded as `{}`; see milepost exclude --list", printable(typed)))),
        _ => return Err(Failure::usage(format!("`{}` begins several ids; see milepost exclude --list", printable(typed)))),
    };
    if let Some(undone) = exclusion.undone {
        return Err(Failure::usage(format!("that was taken back already, {}", moment(undone))));
    }
    let now = Timestamp::now();
    let Some((spool, door)) = workplace.recording("exclude")? else { return Ok(ExitCode::SUCCESS) };
    let mut note = Note::new(Topic::Exclude);
    (note.undoes, note.text) = (Some(exclusion.id.clone()), reason.map(str::to_owned));
    let admitted = door.admit(Event::at(now, note), now).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    spool.append(&admitted.event, Durability::OnDisk)?;
    print(&format!("{} to {} counts again\n", moment(exclusion.from), moment(exclusion.to)))
}

fn list(known: &[Exclusion]) -> Result<ExitCode, Failure> {
    if known.is_empty() {
        return print("nothing was excluded\n");
    }
    let heading = |name: &str, of| Heading { name: name.to_owned(), of };
    let headings = [
        heading("id", Content::Exact),
        heading("from", Content::Exact),
        heading("to", Content::Exact),
        heading("criterion", Content::Text),
        heading("reason", Content::Text),
        heading("taken back", Content::Text),
    ];
    let row = |exclusion: &Exclusion| {
        [
            exclusion.id.clone(),
            moment(exclusion.from),
            moment(exclusion.to),
            exclusion.criterion.clone().unwrap_or_else(|| "all".to_owned()),
            exclusion.reason.clone().unwrap_or_else(|| "–".to_owned()),
            exclusion.undone.map_or_else(|| "–".to_owned(), moment),
        ]
        .map(Value::from)
        .to_vec()
    };
    print(&table(&headings, &known.iter().map(row).collect::<Vec<_>>(), width()))
}
