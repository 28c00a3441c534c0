//! `milepost run`: the command runs as if nobody looked on; what was seen of it is recorded after its end.

use super::{Failure, Workplace, printable, say};
use crate::{
    cli::{Context, Run, Stderr},
    wrap::{self, Observed, RunError},
};
use milepost_collect::error_category;
use milepost_record::{Door, Durability, ErrorDetail, Event, Measure, Operation, Outcome, Scalar, Timestamp, recording_is_off};
use std::{ffi::OsStr, path::Path, process::ExitCode};

/// Runs the command and passes its exit code on, whatever becomes of the recording.
pub(super) fn run(run: &Run, config: Option<&Path>) -> ExitCode {
    let Some((program, args)) = run.command.split_first() else { return ExitCode::from(2) };
    let command = wrap::Command {
        args: args.to_vec(),
        timeout: run.timeout,
        ok_codes: run.ok_codes.clone(),
        observe_stderr: run.stderr == Stderr::Observe,
        ..wrap::Command::new(program)
    };
    let seen = wrap::run(&command);
    let (status, to_record) = match &seen {
        Ok(observed) => (observed.status, Some(Ok(observed))),
        Err(error @ RunError::Start { status, .. }) => {
            say(&printable(&error.to_string()));
            (*status, Some(Err(*status)))
        }
        Err(error) => {
            say(&error.to_string());
            (4, None)
        }
    };
    if let Some(seen) = to_record
        && recording_is_off().is_none()
        && let Err(failure) = recorded(run, program, seen, config)
    {
        // One line: a mistake in the configuration has several, which `doctor` shows.
        let failure = failure.to_string();
        let first = failure.lines().next().unwrap_or_default();
        let more = if failure.lines().count() > 1 { "; see `milepost doctor`" } else { "" };
        say(&format!("not recorded: {}{more}", printable(first)));
    }
    if let Ok(observed) = &seen
        && observed.signal == Some(INTERRUPTED)
    {
        // A shell that runs a loop ends it at Ctrl-C only where the job died of it.
        observed.die_alike();
    }
    ExitCode::from(status)
}

/// SIGINT, on every Unix.
const INTERRUPTED: i32 = 2;

fn recorded(run: &Run, program: &OsStr, seen: Result<&Observed, u8>, config: Option<&Path>) -> Result<(), Failure> {
    let at = Timestamp::now();
    let workplace = Workplace::find(config)?;
    let (spool, door) = workplace.door("run")?;
    let name = run.operation.clone().unwrap_or_else(|| {
        let name = Path::new(program).file_name().unwrap_or(program);
        name.to_string_lossy().into_owned()
    });
    let mut operation = Operation::new(name, Outcome::Failed);
    operation.backend.clone_from(&run.backend);
    operation.dry_run = run.dry_run.then_some(true);
    describe(&mut operation, seen, |text| Ok(workplace.error_rules()?.categorize(text).to_owned()))?;
    let mut event = Event::at(at, operation);
    fill(&mut event, &run.context, &door)?;
    let admitted = door.admit(event, at).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    spool.append(&admitted.event, Durability::Written)?;
    Ok(())
}

/// Puts what was seen of a command into an operation: how it went, or the exit status of one that could not be started.
/// `categorize` puts what it said into a category.
pub(super) fn describe(
    operation: &mut Operation,
    seen: Result<&Observed, u8>,
    categorize: impl FnOnce(&str) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let observed = match seen {
        Ok(observed) => observed,
        Err(status) => {
            operation.outcome = Outcome::Failed;
            operation.exit_code = Some(i64::from(status));
            operation.error = Some(from_exit(Some(i32::from(status)), None));
            return Ok(());
        }
    };
    measured(operation, observed);
    if matches!(operation.outcome, Outcome::Failed | Outcome::Timeout) {
        operation.error = Some(match &observed.stderr_tail {
            Some(tail) => {
                let text = String::from_utf8_lossy(tail).into_owned();
                ErrorDetail { category: categorize(&text)?, text: Some(text) }
            }
            None => from_exit(observed.exit_code, observed.signal),
        });
    }
    Ok(())
}

fn measured(operation: &mut Operation, observed: &Observed) {
    operation.outcome = match observed.outcome {
        wrap::Outcome::Ok => Outcome::Ok,
        wrap::Outcome::Failed => Outcome::Failed,
        wrap::Outcome::Timeout => Outcome::Timeout,
        wrap::Outcome::Cancelled => Outcome::Cancelled,
    };
    operation.duration_us = u64::try_from(observed.duration.as_micros()).ok();
    operation.exit_code = observed.exit_code.map(i64::from);
    operation.cpu_us = u64::try_from(observed.cpu.as_micros()).ok();
    operation.peak_bytes = observed.peak_bytes;
    operation.peak_measure = observed.peak_bytes.map(|_| Measure::MaxRss);
}

/// The category of an error of which only the end is known.
pub(super) fn from_exit(exit_code: Option<i32>, signal: Option<i32>) -> ErrorDetail {
    ErrorDetail { category: error_category::from_exit(exit_code, signal).to_owned(), text: None }
}

/// Puts what was typed about an event's surroundings into it; the person's name becomes a pseudonym.
pub(super) fn fill(event: &mut Event, context: &Context, door: &Door) -> Result<(), Failure> {
    let Context { origin, user, session, persona, version, commit, attributes } = context;
    event.origin = *origin;
    event.user = user.as_ref().map(|name| door.identity().pseudonym(name));
    event.session.clone_from(session);
    event.persona.clone_from(persona);
    event.version.clone_from(version);
    event.commit.clone_from(commit);
    for attribute in attributes {
        let (name, value) = attribute
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`--attribute {}`: write it as NAME=VALUE", printable(attribute))))?;
        event.attributes.insert(name.to_owned(), Scalar::from(value));
    }
    Ok(())
}
