//! Which signals the wrapper catches, and which of them the command has not had yet.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, atomic::AtomicUsize};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpid, getsid};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

use super::processes::{self, Ignored};

/// What would end or stop the wrapper while the command goes on, or is meant for the command.
const CAUGHT: [Signal; 12] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// By these a person or the system tells a program to end.
pub(super) const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];

/// From now on these signals do not end this process: the newest one's number is here instead, 0 while there is none. For
/// whoever runs one command after the other, and has to know between two of them.
///
/// # Errors
/// Where the system refuses the handlers.
pub fn told_to_end() -> io::Result<Arc<AtomicUsize>> {
    let ignored = Ignored::read();
    let newest = Arc::new(AtomicUsize::new(0));
    for signal in ENDING.into_iter().filter(|signal| !ignored.contains(*signal)) {
        signal_hook::flag::register_usize(signal as i32, Arc::clone(&newest), signal as usize)?;
    }
    Ok(newest)
}

/// Who has had a signal beside the wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// The command sent it itself, or a descendant did: `kill 0` in a script, or a program that suspends its group.
    Command,
    /// Another process sent it, and knows the wrapper only.
    ToUsAlone,
    /// The terminal sent it to the whole group, the command included.
    ToGroup,
}

/// The signals caught by handlers, which exec resets, so that the command finds every default in place.
pub(super) struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    leads_session: bool,
    apart: bool,
}

impl Signals {
    /// Signals that the wrapper was started with ignored (`nohup`, background jobs of a script) stay so, for the command
    /// to inherit. `apart`: the command is in a session of its own, and no terminal sends it anything.
    pub(super) fn catch(apart: bool) -> io::Result<Self> {
        let ignored = Ignored::read();
        let caught = CAUGHT.into_iter().filter(|signal| !ignored.contains(*signal));
        let (read, write) = UnixStream::pair()?;
        Ok(Self {
            delivery: SignalDelivery::with_pipe(
                read,
                write,
                WithOrigin::default(),
                caught.chain([Signal::SIGCHLD]).map(|signal| signal as i32),
            )?,
            leads_session: getsid(None) == Ok(getpid()),
            apart,
        })
    }

    /// Whoever started the wrapper may have left SIGCHLD blocked, and no end would be noticed. To be called after the
    /// start of the command, which is to inherit the mask as it was.
    pub(super) fn unblock_child_signal(&self) {
        // Fails for an unknown signal only.
        let _ = SigSet::from(Signal::SIGCHLD).thread_unblock();
    }

    /// The signals that arrived since the last call; SIGCHLD was only to end the waiting.
    pub(super) fn arrived(&mut self, command: Pid) -> impl Iterator<Item = (Signal, Sender)> + use<> {
        let (leads_session, apart) = (self.leads_session, self.apart);
        self.delivery.pending().filter_map(move |origin| {
            let signal = Signal::try_from(origin.signal).ok().filter(|signal| *signal != Signal::SIGCHLD)?;
            Some((signal, if apart { sender_apart(&origin, command) } else { sender(&origin, signal, command, leads_session) }))
        })
    }

    /// Waits until a signal has arrived, the time is over, or the other end of `line` was closed, and tells whether the
    /// last is the case.
    pub(super) fn wait(&self, time: Option<Duration>, line: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        let time = match time {
            None => PollTimeout::NONE,
            // Rounded up, lest the last fraction of a millisecond is spent in a busy loop.
            Some(time) => time.as_micros().div_ceil(1000).try_into().unwrap_or(PollTimeout::MAX),
        };
        let fds = std::iter::once(self.delivery.get_read().as_fd()).chain(line);
        let mut polled: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, time) {
            Ok(_) => Ok(polled.get(1).is_some_and(|line| line.any() == Some(true))),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn sender_apart(origin: &Origin, command: Pid) -> Sender {
    match (&origin.cause, &origin.process) {
        (Cause::Sent(_), Some(process)) if processes::descends(Pid::from_raw(process.pid), command) => Sender::Command,
        _ => Sender::ToUsAlone,
    }
}

fn sender(origin: &Origin, signal: Signal, command: Pid, leads_session: bool) -> Sender {
    match (&origin.cause, &origin.process) {
        (Cause::Sent(_), Some(process)) if processes::descends(Pid::from_raw(process.pid), command) => Sender::Command,
        (Cause::Sent(_), _) => Sender::ToUsAlone,
        // When a terminal goes away, the kernel tells the leader of the session only.
        _ if leads_session && matches!(signal, Signal::SIGHUP | Signal::SIGCONT) => Sender::ToUsAlone,
        _ => Sender::ToGroup,
    }
}
