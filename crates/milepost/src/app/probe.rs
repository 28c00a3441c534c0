//! A probe: a command that the configuration names, run by Milepost itself to measure an operation.

use super::{Failure, printable, run::describe};
use crate::{
    config::Probe,
    wrap::{self, RunError},
};
use milepost_collect::error_category::Rules;
use milepost_record::{Door, Durability, Event, Operation, Origin, Outcome, Spool, Timestamp};
use std::time::Duration;

/// What one run of a probe gave.
pub(super) struct Probed {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The operation, as it was recorded.
    pub(super) operation: Operation,
    /// The exit status that stands for it.
    pub(super) status: u8,
    /// How long it took; none where it could not be started.
    pub(super) duration: Option<Duration>,
    /// Why it could not be started, if so.
    pub(super) not_started: Option<String>,
    /// The event that was recorded.
    pub(super) event: Event,
}

/// Runs a probe once, apart from our terminal and within its time limit, and records how it went. `stamp` adds what else the
/// caller knows. A command that fails, or cannot be started, is an event as any other.
///
/// # Errors
/// Where the command could not be watched, or the event not be recorded.
pub(super) fn once(
    probe: &Probe,
    stamp: impl FnOnce(&mut Event, &mut Operation),
    rules: &Rules,
    spool: &Spool,
    door: &Door,
) -> Result<Probed, Failure> {
    let (program, args) = probe.command.split_first().ok_or_else(|| Failure::usage("a probe without a command"))?;
    let command = wrap::Command {
        args: args.iter().map(Into::into).collect(),
        timeout: Some(probe.timeout),
        observe_stderr: true,
        apart: true,
        ..wrap::Command::new(program)
    };
    let seen = wrap::run(&command);
    let at = Timestamp::now();
    let (seen, status, not_started) = match &seen {
        Ok(observed) => (Ok(observed), observed.status, None),
        Err(error @ RunError::Start { status, .. }) => (Err(*status), *status, Some(printable(&error.to_string()))),
        Err(error) => return Err(Failure::internal(error.to_string())),
    };
    let mut operation = Operation::new(probe.operation.clone(), Outcome::Failed);
    operation.backend.clone_from(&probe.backend);
    describe(&mut operation, seen, |text| Ok(rules.categorize(text).to_owned()))?;
    let mut event = Event::at(at, operation.clone());
    event.origin = Some(Origin::Probe);
    stamp(&mut event, &mut operation);
    let outcome = operation.outcome;
    event.fact = operation.clone().into();
    let event = door.admit(event, at).map_err(|invalid| Failure::internal(invalid.to_string()))?.event;
    spool.append(&event, Durability::Written)?;
    Ok(Probed { outcome, operation, status, duration: seen.ok().map(|observed| observed.duration), not_started, event })
}
