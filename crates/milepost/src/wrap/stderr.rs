//! `--stderr observe`: the command's standard error goes through unchanged, and its end is kept.
//!
//! Where ours is a terminal the command gets one too, for it may colour its text, draw progress or ask for a password
//! accordingly; else a pipe. A thread copies, so that a reader who does not read stops the command, as ever, but not
//! the wrapper's dealing with signals.
//!
//! Of a command that runs apart only the end is kept, and nothing is copied.
//!
//! What the command can still notice: its standard error and its standard output are no longer the same file, so their
//! order on the screen may differ; a descendant that outlives the command loses its standard error with the wrapper.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{OutputFlags, tcgetattr};
use nix::unistd::getpid;

use super::signals::{ENDING, Signals};

/// How much of the end is kept.
const TAIL_BYTES: usize = 8 * 1024;

/// More than a pipe or a terminal can hold, hence more than a command can have left behind unread at its end.
const LEFT_BEHIND_BYTES_MAX: usize = 1 << 20;

/// Copies the command's standard error to ours, unless that is to be apart, and keeps its end.
pub(super) struct Observer {
    tail: Arc<Mutex<Tail>>,
    /// Closed for writing, it tells the thread that the command has ended; closed by the thread, that all is copied.
    line: UnixStream,
    /// Our side of the command's terminal, as long as the thread has it open.
    terminal: Option<Weak<File>>,
}

impl Observer {
    /// Starts to copy, and returns what is to be the command's standard error.
    pub(super) fn start(apart: bool) -> io::Result<(Self, OwnedFd)> {
        let is_terminal = !apart && io::stderr().is_terminal();
        let (source, commands) = if is_terminal {
            open_terminal()?
        } else {
            let (reader, writer) = io::pipe()?;
            (reader.into(), writer.into())
        };
        let source = Arc::new(File::from(source));
        let terminal = is_terminal.then(|| Arc::downgrade(&source));
        let (line, threads_line) = UnixStream::pair()?;
        let tail = Arc::<Mutex<Tail>>::default();
        let copy = Copy {
            source,
            // Not `io::stderr()`: blocked in a write, the thread would hold the lock that the caller's last words need.
            target: if apart { None } else { Some(io::stderr().as_fd().try_clone_to_owned()?.into()) },
            tail: Arc::clone(&tail),
            line: threads_line,
        };
        thread::Builder::new().name("stderr".to_owned()).spawn(move || copy.run())?;
        let observer = Self { tail, line, terminal };
        observer.copy_window_size();
        Ok((observer, commands))
    }

    /// To be called whenever the real window has changed.
    pub(super) fn copy_window_size(&self) {
        if let Some(terminal) = self.terminal.as_ref().and_then(Weak::upgrade) {
            copy_window_size(&io::stderr(), &terminal);
        }
    }

    /// Waits until what the command wrote before its end is copied, and returns the end of it. A descendant that keeps
    /// the file open is not waited for. A signal to end ends the waiting for a reader who does not read.
    pub(super) fn finish(self, signals: &mut Signals) -> Vec<u8> {
        // Fails only if the thread is through already.
        let _ = self.line.shutdown(Shutdown::Write);
        while let Ok(false) = signals.wait(None, Some(self.line.as_fd())) {
            // Who sent it does not matter, and the command's pid may be another process's by now.
            if signals.arrived(getpid()).any(|(signal, _)| ENDING.contains(&signal)) {
                break;
            }
        }
        std::mem::take(&mut self.tail.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// A terminal for the command that passes on each byte as it is; the real one does the rest.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut modes = tcgetattr(io::stderr())?;
    modes.output_flags.remove(OutputFlags::OPOST);
    let pty = openpty(None, &modes)?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((pty.master, pty.slave))
}

#[expect(unsafe_code, reason = "no safe call of std or nix reads or sets the size of a window")]
fn copy_window_size(from: &io::Stderr, to: &File) {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both calls take an open file descriptor and a `winsize`, which outlive them.
    unsafe {
        if libc::ioctl(from.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) == 0 {
            libc::ioctl(to.as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
        }
    }
}

struct Copy {
    source: Arc<File>,
    target: Option<File>,
    tail: Arc<Mutex<Tail>>,
    line: UnixStream,
}

impl Copy {
    /// Ends when the command's side is closed; when the command has ended and nothing is left to read; or when nobody
    /// reads our side any more, whereupon the source is closed and the command learns it from its next write.
    fn run(mut self) {
        while let Ok([readable, ended]) = self.wait(PollTimeout::NONE) {
            if readable && self.copy_some().is_none() {
                return;
            }
            if ended {
                break;
            }
        }
        let mut bytes = 0;
        while bytes < LEFT_BEHIND_BYTES_MAX && matches!(self.wait(PollTimeout::ZERO), Ok([true, _])) {
            let Some(copied) = self.copy_some() else { return };
            bytes += copied;
        }
    }

    fn wait(&self, time: PollTimeout) -> io::Result<[bool; 2]> {
        let mut polled = [self.source.as_fd(), self.line.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        loop {
            match poll(&mut polled, time) {
                Ok(_) => return Ok(polled.map(|fd| fd.any().unwrap_or(false))),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn copy_some(&mut self) -> Option<usize> {
        let mut buffer = [0; 16 * 1024];
        let bytes = loop {
            match (&*self.source).read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal reports EIO when its last user is gone.
                Ok(0) | Err(_) => return None,
                Ok(length) => break buffer.get(..length)?,
            }
        };
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        if let Some(target) = &mut self.target {
            target.write_all(bytes).ok()?;
        }
        Some(bytes.len())
    }
}

/// The last bytes of a stream.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.drain(..self.0.len().saturating_sub(TAIL_BYTES));
    }
}
