//! Watches the running command: hands signals on, stops and continues with it, and ends it after its timeout.

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg, raise};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgrp, getpid, tcgetpgrp};

use super::processes;
use super::signals::{self, Sender, Signals};
use super::stderr::Observer;
use super::{Command, End};

/// How long a command that ran into its timeout may take to end by itself after `SIGTERM`.
const GRACE: Duration = Duration::from_secs(5);

/// A command on its way.
pub(super) struct Watch {
    child: Child,
    pid: Pid,
    clock: Clock,
    limit: Limit,
    /// Whether the command leads a session of its own.
    apart: bool,
    /// Signals seen that tell the command to end.
    told_to_end: Vec<Signal>,
}

impl Watch {
    pub(super) fn new(child: Child, clock: Clock, command: &Command) -> Self {
        let pid = Pid::from_raw(child.id().cast_signed());
        let limit = command.timeout.map_or(Limit::None, Limit::Running);
        Self { child, pid, clock, limit, apart: command.apart, told_to_end: Vec::new() }
    }

    /// Returns when the command has ended, and after a timeout its descendants too.
    pub(super) fn until_end(mut self, signals: &mut Signals, observer: Option<&Observer>) -> io::Result<End> {
        let mut ended = None;
        loop {
            for (signal, sender) in signals.arrived(self.pid) {
                if signal == Signal::SIGWINCH
                    && let Some(observer) = observer
                {
                    observer.copy_window_size();
                }
                // Once waited for, the pid may be another process's.
                if ended.is_none() {
                    self.hand_on(signal, sender);
                }
            }
            if ended.is_none() {
                ended = self.child.try_wait()?.map(|status| (status, self.clock.running()));
            }
            match ended {
                None => self.follow_job_control()?,
                Some((status, duration)) if !self.leaves_descendants() => {
                    if matches!(self.limit, Limit::Terminated(_) | Limit::Killed) {
                        // What the next command leaves behind on purpose is not ours.
                        let _ = set_child_subreaper(false);
                    }
                    return Ok(End { status, duration, limit: self.limit, told_to_end: self.told_to_end });
                }
                Some(_) => {}
            }
            let time_left = self.enforce_limit();
            signals.wait(time_left, None)?;
        }
    }

    fn hand_on(&mut self, signal: Signal, sender: Sender) {
        if sender == Sender::Command {
            return;
        }
        if signals::ENDING.contains(&signal) && !self.told_to_end.contains(&signal) {
            self.told_to_end.push(signal);
        }
        if sender == Sender::ToUsAlone {
            // Fails where the command has become another user's: as for most senders, had they known its pid.
            let _ = if self.apart { killpg(self.pid, signal) } else { kill(self.pid, signal) };
        }
    }

    /// Stops the wrapper when the command was stopped: the shell waits for the wrapper, and takes the terminal back
    /// only when that stops. Comes back when the shell continues the job; the `SIGCONT` is then handed on like any other.
    fn follow_job_control(&mut self) -> io::Result<()> {
        let changes = WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED | WaitPidFlag::WNOHANG;
        loop {
            match waitid(Id::Pid(self.pid), changes) {
                Ok(WaitStatus::Stopped(_, signal)) => {
                    self.clock.stop();
                    if !self.apart && shell_awaits_stop(signal) {
                        raise(Signal::SIGSTOP)?;
                        self.clock.resume();
                    }
                }
                Ok(WaitStatus::Continued(_)) => self.clock.resume(),
                // ECHILD: it ended in this moment, and only waiting for its end would tell. SIGCHLD is on its way.
                Ok(_) | Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does what is due by now, and tells how long to wait until something else is.
    fn enforce_limit(&mut self) -> Option<Duration> {
        if let Limit::Running(limit) = self.limit {
            let left = limit.saturating_sub(self.clock.running_or_stopped());
            if !left.is_zero() {
                return Some(left);
            }
            // Descendants whose parents end become ours instead of init's, so that none escapes the second walk, and
            // SIGCHLD tells when they are gone. Where it fails, only those are missed.
            let _ = set_child_subreaper(true);
            let mut all = processes::below(getpid());
            if all.is_empty() {
                // No `/proc` to find them in.
                all.push(self.pid);
            }
            signal_each(&all, Signal::SIGTERM);
            // A stopped process notices only when continued.
            signal_each(&all, Signal::SIGCONT);
            self.limit = Limit::Terminated(Instant::now() + GRACE);
        }
        if let Limit::Terminated(kill_at) = self.limit {
            let left = kill_at.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Some(left);
            }
            // Does nothing if the command has ended, whose pid may be another process's by now.
            let _ = self.child.kill();
            // Twice, for the first walk misses what is born meanwhile. Parents die first, so nothing is born after it.
            signal_each(&processes::below(getpid()), Signal::SIGKILL);
            signal_each(&processes::below(getpid()), Signal::SIGKILL);
            self.limit = Limit::Killed;
            return Some(Duration::ZERO);
        }
        None
    }

    /// Whether processes that were told to end with the command are still in their time of grace.
    fn leaves_descendants(&self) -> bool {
        matches!(self.limit, Limit::Terminated(_)) && !processes::below(getpid()).is_empty()
    }
}

/// How far the timeout has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    /// May run for so long.
    Running(Duration),
    /// Has been told to end and will be killed then.
    Terminated(Instant),
    Killed,
}

/// Measures running time: what has passed, less what was spent stopped.
pub(super) struct Clock {
    started: Instant,
    stopped_since: Option<Instant>,
    stopped: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), stopped_since: None, stopped: Duration::ZERO }
    }

    fn stop(&mut self) {
        self.stopped_since.get_or_insert_with(Instant::now);
    }

    fn resume(&mut self) {
        self.stopped += self.stopped_since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    fn running(&mut self) -> Duration {
        self.resume();
        self.running_or_stopped()
    }

    /// As long as the wrapper runs beside a stopped command, nobody may be there to continue it: a timeout goes on.
    fn running_or_stopped(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.stopped)
    }
}

/// Whether this stop is job control, so that somebody continues the wrapper too. A `SIGSTOP` may as well come from a
/// debugger or an operator, who continues the command alone and would leave the wrapper stopped for ever; that is told
/// apart by who has the terminal.
fn shell_awaits_stop(signal: Signal) -> bool {
    let in_foreground = || {
        let terminal = std::fs::File::open("/dev/tty").ok()?;
        Some(tcgetpgrp(&terminal).ok()? == getpgrp())
    };
    signal != Signal::SIGSTOP || in_foreground() == Some(true)
}

fn signal_each(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // One that has ended since needs no signal.
        let _ = kill(*pid, signal);
    }
}
