//! Runs a command as if it had been started without us, and measures it: the module behind `milepost run -- CMD …`.
//!
//! The command inherits everything: standard streams, file descriptors, environment, folder, process group, session,
//! signal mask and ignored signals. So the terminal and the shell deal with it directly, and what reaches the wrapper
//! alone is handed on: signals sent by `kill`, and the job control of the shell, which sees the wrapper only.
//!
//! What the command can still notice:
//!
//! - Its parent is the wrapper. A signal that it sends to its parent goes no further.
//! - `SIGPIPE` and `SIGCHLD` have their default action even where the wrapper was started with them ignored: Rust's
//!   start-up and `Command` reset the first, waiting for a child needs the second.
//! - A standard stream that was closed is `/dev/null`: Rust's start-up opens it.
//! - A signal sent by `kill` to the whole process group arrives from its sender and from us, since nothing tells such
//!   a signal from one that was sent to the wrapper alone.
//! - Signals that cannot be caught (`KILL`, `STOP`) or are not worth it (real-time signals, `ABRT`, …) are not handed on.
//! - A job stopped by Ctrl-Z shows as stopped by `SIGSTOP` (147), not `SIGTSTP` (148).
//!
//! A command that nobody asked for at this moment runs [apart](Command::apart) instead, as under cron.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, Usage, UsageWho, getrusage, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::time::TimeVal;

use self::signals::Signals;
use self::stderr::Observer;
use self::watch::{Clock, Limit, Watch};

pub use self::signals::told_to_end;

mod processes;
mod signals;
mod start;
mod stderr;
mod watch;

/// A peak counts as the command's own only if it exceeds the wrapper's by this much: the kernel counts pages per
/// processor, so two readings of one process differ by up to some hundred of them.
const PEAK_MARGIN_BYTES: u64 = 1 << 20;

/// What to run, and how to judge its end.
#[derive(Debug, Clone)]
pub struct Command {
    /// A path, or a name to look up in `PATH`.
    pub program: OsString,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// After this much running time the command and its descendants are told to end. Time that the command spends
    /// stopped by job control does not count.
    pub timeout: Option<Duration>,
    /// Exit codes that mean success.
    pub ok_codes: Vec<i32>,
    /// Variables of its environment beside those of the wrapper.
    pub variables: &'static [(&'static str, &'static str)],
    /// What it reads, where that is not what the wrapper reads.
    pub stdin: Option<Arc<OwnedFd>>,
    /// What its standard output is, where it is not the wrapper's.
    pub stdout: Option<Arc<OwnedFd>>,
    /// Keep the end of what the command writes to its standard error.
    pub observe_stderr: bool,
    /// Run it in a session of its own, hence without our terminal, with nothing to read unless it is given, and without showing what it
    /// writes. Signals that end the wrapper reach it and its process group all the same.
    pub apart: bool,
}

impl Command {
    /// A command without arguments and timeout, successful with exit code 0, its standard streams its own.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            timeout: None,
            ok_codes: vec![0],
            variables: &[],
            stdin: None,
            stdout: None,
            observe_stderr: false,
            apart: false,
        }
    }
}

/// How a command ended, as far as the goals are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ended with one of its `ok_codes`.
    Ok,
    /// It ended with another code, or by a signal that nobody sent through the wrapper.
    Failed,
    /// It was still running after its timeout, whatever its code then.
    Timeout,
    /// A person or the system told it to end, and it did not end well: it died of `SIGINT`; or of a `HUP`, `INT` or
    /// `QUIT` that the wrapper saw too, or it exited with 128 plus that signal's number; or the wrapper was sent `TERM`,
    /// whatever the code, since programs end in many ways then and `TERM` means nothing but the end.
    Cancelled,
}

/// What was seen of one run.
#[derive(Debug, Clone)]
pub struct Observed {
    /// From just before the start to the end, on the monotonic clock, without the time spent stopped.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The command's own exit code, unless a signal killed it.
    pub exit_code: Option<i32>,
    /// The signal that killed the command.
    pub signal: Option<i32>,
    /// What the wrapper has to exit with: the command's exit code; 128 plus the number of the signal that killed it;
    /// 124 after a timeout, or 137 if the command had to be killed, as `timeout` of the GNU coreutils does.
    pub status: u8,
    /// User and system time of the command and of all descendants that were waited for.
    pub cpu: Duration,
    /// Largest resident set (`ru_maxrss`) of any single process among the command and the descendants that were
    /// waited for. None where the wrapper's own is as large: a command inherits that through exec, so nothing is known.
    pub peak_bytes: Option<u64>,
    /// The last 8 KiB of the command's standard error, where it was observed.
    pub stderr_tail: Option<Vec<u8>>,
}

impl Observed {
    /// Ends the wrapper by the signal that killed the command; returns where none did, and then the status is to be
    /// passed on.
    ///
    /// Only so does the parent see what it would have seen without us. A shell, for one, ends its loop at Ctrl-C if the
    /// job died of `SIGINT`, but takes exit status 130 for a program that dealt with it and starts the next round.
    pub fn die_alike(&self) {
        if let Some(signal) = self.signal
            && self.outcome != Outcome::Timeout
        {
            // The core worth keeping is the command's. Without the limit ours might overwrite it; a failure costs a file.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            // Fails for signals unknown to the library, and the caller then exits with the status.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }
}

/// Why there is nothing observed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The command could not be started: a failed operation of the user's, not a failure of ours.
    #[error("cannot start {}: {}", .program.display(), start::why_not(.program, .cause))]
    Start {
        /// The program as it was given.
        program: OsString,
        /// What the system said.
        cause: io::Error,
        /// What the wrapper has to exit with: 127 for a program that was not found, 126 for one that cannot be executed.
        status: u8,
    },
    /// Without handlers the wrapper would die at the first signal and leave the command behind.
    #[error("cannot catch signals, so the command was not started: {0}")]
    Signals(io::Error),
    /// The pipe or the terminal for `--stderr observe` could not be made.
    #[error("cannot observe the standard error, so the command was not started (it runs without `--stderr observe`): {0}")]
    Stderr(io::Error),
    /// The command runs or ran, but the system no longer tells how it is.
    #[error("lost track of the running command: {0}")]
    Wait(io::Error),
}

/// Starts the command, waits for its end and tells what was seen. Prints nothing.
///
/// Signals stay caught afterwards, and without effect: a second Ctrl-C does not cost the record of the run that the
/// first one ended. So the caller should only write that down and exit, or have handlers of its own. After a timeout, all
/// child processes of the caller count as the command's.
pub fn run(command: &Command) -> Result<Observed, RunError> {
    // Before the start, so that no SIGCHLD is lost.
    let mut signals = Signals::catch(command.apart).map_err(RunError::Signals)?;
    let (observer, stderr) = match command.observe_stderr {
        true => Observer::start(command.apart).map(|(observer, stderr)| (Some(observer), Some(stderr))).map_err(RunError::Stderr)?,
        false => (None, None),
    };
    let before = children_usage()?;

    let clock = Clock::start();
    let child = start::start(command, stderr)?;
    signals.unblock_child_signal();
    // After the start: what the command inherited is what the wrapper had until then.
    let inherited_peak_bytes = own_peak_bytes().max(peak_bytes(&before));

    let watch = Watch::new(child, clock, command);
    let end = watch.until_end(&mut signals, observer.as_ref()).map_err(RunError::Wait)?;

    let after = children_usage()?;
    Ok(Observed {
        duration: end.duration,
        outcome: end.outcome(&command.ok_codes),
        exit_code: end.status.code(),
        signal: end.status.signal(),
        status: end.exit_status(),
        cpu: cpu(&after).saturating_sub(cpu(&before)),
        peak_bytes: Some(peak_bytes(&after)).filter(|peak| *peak > inherited_peak_bytes + PEAK_MARGIN_BYTES),
        stderr_tail: observer.map(|observer| observer.finish(&mut signals)),
    })
}

/// How a command ended.
struct End {
    status: ExitStatus,
    duration: Duration,
    limit: Limit,
    told_to_end: Vec<Signal>,
}

impl End {
    fn outcome(&self, ok_codes: &[i32]) -> Outcome {
        let ended_by = |signal: Signal| self.status.signal() == Some(signal as i32) || self.status.code() == Some(128 + signal as i32);
        if self.timed_out() {
            Outcome::Timeout
        } else if self.status.code().is_some_and(|code| ok_codes.contains(&code)) {
            Outcome::Ok
        } else if self.status.signal() == Some(Signal::SIGINT as i32)
            || self.told_to_end.iter().any(|signal| *signal == Signal::SIGTERM || ended_by(*signal))
        {
            Outcome::Cancelled
        } else {
            Outcome::Failed
        }
    }

    fn exit_status(&self) -> u8 {
        let own = self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default());
        match self.limit {
            Limit::Killed if self.status.signal() == Some(Signal::SIGKILL as i32) => 137,
            _ if self.timed_out() => 124,
            // Exit codes and 128 plus a signal's number both fit.
            _ => u8::try_from(own).unwrap_or(u8::MAX),
        }
    }

    fn timed_out(&self) -> bool {
        matches!(self.limit, Limit::Terminated(_) | Limit::Killed)
    }
}

fn children_usage() -> Result<Usage, RunError> {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| RunError::Wait(error.into()))
}

fn cpu(usage: &Usage) -> Duration {
    let duration = |time: TimeVal| Duration::from_micros(time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs());
    duration(usage.user_time()) + duration(usage.system_time())
}

fn peak_bytes(usage: &Usage) -> u64 {
    usage.max_rss().unsigned_abs() * 1024
}

/// The wrapper's peak as a command inherits it. `ru_maxrss` is second choice: it includes what the wrapper itself
/// inherited from the program that started it, which a command does not.
fn own_peak_bytes() -> u64 {
    processes::own_peak_bytes().unwrap_or_else(|| getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| peak_bytes(&usage)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn check(limit: Limit, told_to_end: &[Signal], wait_status: i32, outcome: Outcome, exit_status: u8) {
        let end = End { status: ExitStatus::from_raw(wait_status), duration: Duration::ZERO, limit, told_to_end: told_to_end.to_vec() };
        assert_eq!((end.outcome(&[0, 4]), end.exit_status()), (outcome, exit_status), "{limit:?} {told_to_end:?}");
    }

    fn exit(code: i32) -> i32 {
        code << 8
    }

    #[test]
    fn the_outcome_follows_from_the_end_and_from_what_was_told() {
        use Outcome::{Cancelled, Failed, Ok, Timeout};
        use Signal::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
        let limit = Limit::Running(Duration::MAX);
        check(limit, &[], exit(0), Ok, 0);
        check(limit, &[], exit(4), Ok, 4);
        check(limit, &[], exit(1), Failed, 1);
        check(limit, &[], exit(255), Failed, 255);
        check(limit, &[], SIGKILL as i32, Failed, 137);
        check(limit, &[], SIGTERM as i32, Failed, 143);
        check(limit, &[], exit(130), Failed, 130);
        // Real-time signals have no name.
        check(limit, &[], 40, Failed, 168);
        // With a core dump.
        check(limit, &[SIGQUIT], SIGQUIT as i32 | 0x80, Cancelled, 131);

        check(limit, &[], SIGINT as i32, Cancelled, 130);
        check(limit, &[SIGINT], exit(130), Cancelled, 130);
        check(limit, &[SIGINT], exit(0), Ok, 0);
        // An interactive program that failed long after somebody pressed Ctrl-C in it.
        check(limit, &[SIGINT], exit(1), Failed, 1);
        check(limit, &[SIGINT], SIGHUP as i32, Failed, 129);
        check(limit, &[SIGINT, SIGHUP], SIGHUP as i32, Cancelled, 129);
        check(limit, &[SIGTERM], exit(1), Cancelled, 1);
        check(limit, &[SIGTERM], SIGKILL as i32, Cancelled, 137);
        check(limit, &[SIGTERM], exit(0), Ok, 0);

        let terminated = Limit::Terminated(Instant::now());
        check(terminated, &[], SIGTERM as i32, Timeout, 124);
        check(terminated, &[], exit(0), Timeout, 124);
        check(terminated, &[SIGINT], SIGKILL as i32, Timeout, 124);
        check(Limit::Killed, &[], SIGKILL as i32, Timeout, 137);
        check(Limit::Killed, &[], exit(1), Timeout, 124);
    }
}
