//! `milepost collect`: what is measured becomes events.

use super::{
    Failure, Workplace,
    collect_memory::{self, CollectError, Ended, Options, Summary},
    printable,
    run::fill,
    say,
};
use crate::{
    cli::{CollectMemory, Context},
    process_tree::Target,
};
use milepost_judge::{Quantity, Unit};
use milepost_record::{Door, Durability, Event, Spool, Timestamp};
use std::process::ExitCode;

pub(super) fn memory(collect: &CollectMemory, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let Some((spool, door)) = workplace.recording("collect")? else { return Ok(ExitCode::SUCCESS) };
    let target = match (&collect.process, collect.pid) {
        (Some(name), _) => Target::Name(name.clone()),
        (None, Some(pid)) => Target::Pid(pid),
        (None, None) => return Err(Failure::usage("say which process: --process NAME or --pid N")),
    };
    let run = format!("r-{}", milepost_record::random_id());
    let options = Options { target, every: collect.every, lasting: collect.lasting, run };
    let stop = collect_memory::stop_on_signals().map_err(|error| Failure::internal(format!("cannot catch signals: {error}")))?;
    let summary =
        collect_memory::collect(&options, &stop, |event| keep(event, &collect.context, &spool, &door)).map_err(|error| match error {
            CollectError::Record(failure) => failure,
            CollectError::Every { .. } | CollectError::Find(_) => Failure::usage(error.to_string()),
            CollectError::Unreadable(_) => Failure::internal(error.to_string()),
        })?;
    for line in report(&summary) {
        say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Records a reading with what is known of its surroundings.
pub(super) fn keep(mut event: Event, context: &Context, spool: &Spool, door: &Door) -> Result<(), Failure> {
    let attributes = std::mem::take(&mut event.attributes);
    fill(&mut event, context, door)?;
    event.attributes.extend(attributes);
    let admitted = door.admit(event, Timestamp::now()).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    Ok(spool.append(&admitted.event, Durability::Written)?)
}

/// What an observation gave, in lines for people.
pub(super) fn report(summary: &Summary) -> Vec<String> {
    let amount = |bytes: Option<u64>| {
        bytes.map_or("unknown".to_owned(), |bytes| Quantity::new(Unit::MEGABYTE.of_base(bytes as f64), Unit::MEGABYTE).to_string())
    };
    let measure = summary.measure.map(|m| format!(" ({m})")).unwrap_or_default();
    let mut lines = vec![format!(
        "{} readings of {} (process {}): peak {}, average {}{measure}; {}",
        summary.samples,
        printable(&summary.process),
        summary.pid,
        amount(summary.peak),
        amount(summary.average),
        match summary.ended {
            Ended::TimeOver | Ended::ProcessGone | Ended::Stopped => summary.ended.to_string(),
        }
    )];
    if summary.incomplete > 0 {
        lines.push(format!("{} of them are incomplete, since a process could not be read, and count for nothing", summary.incomplete));
    }
    if summary.skipped > 0 {
        lines.push(format!("{} readings were due while the machine was asleep or too busy", summary.skipped));
    }
    if !summary.not_measured.is_empty() {
        let names: Vec<_> = summary.not_measured.iter().map(|name| printable(name)).collect();
        lines.push(format!("outside its tree, and so not measured: {}", names.join(", ")));
    }
    lines
}
