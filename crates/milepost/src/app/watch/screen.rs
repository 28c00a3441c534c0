//! The terminal while it shows the live scorecard, and how it becomes again what it was: at the end, by a signal, and in a panic.

use nix::{
    sys::{
        signal::{Signal, raise},
        termios::{LocalFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr},
    },
    unistd::{getpgrp, getsid},
};
use ratatui::{
    Frame, Terminal,
    backend::TermionBackend,
    layout::Rect,
    termion::{cursor, screen, style},
};
use std::{
    io::{self, BufWriter, Stdout, Write},
    panic,
    sync::{Mutex, Once, PoisonError},
};

/// The modes of the terminal before, while the screen is ours.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The screen, ours until it is dropped.
pub(super) struct Screen {
    terminal: Terminal<TermionBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal: another screen, no echo, each key at once. The keys of signals stay what they are.
    pub(super) fn take() -> io::Result<Self> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let before = panic::take_hook();
            // Before the message: on this screen nobody would ever read it.
            panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        take()?;
        let terminal = Terminal::new(TermionBackend::new(BufWriter::new(io::stdout()))).inspect_err(|_| give_back())?;
        Ok(Self { terminal })
    }

    /// Draws, unless the screen is not ours any more.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if before().is_some() {
            self.terminal.draw(draw)?;
        }
        Ok(())
    }

    /// How large it is.
    pub(super) fn size(&self) -> io::Result<ratatui::layout::Size> {
        self.terminal.size()
    }

    /// Stops this process until somebody continues it, with the terminal as it was before.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        // The group of the leader of a session has nobody who could continue it.
        if getsid(None).is_ok_and(|session| session == getpgrp()) {
            return Ok(());
        }
        give_back();
        raise(Signal::SIGSTOP)?;
        self.resume()
    }

    /// Takes the terminal again, whatever was done to it meanwhile, and forgets what was drawn.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        take()?;
        // By `resize`, since `clear` asks the terminal for the place of its cursor, and would wait for the answer.
        self.terminal.resize(Rect::from((ratatui::layout::Position::ORIGIN, self.size()?)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn before() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take() -> io::Result<()> {
    let mut before = before();
    let now = tcgetattr(io::stdin())?;
    let mut modes = before.get_or_insert_with(|| now).clone();
    cfmakeraw(&mut modes);
    // Ctrl-C and Ctrl-Z mean the whole group, as everywhere.
    modes.local_flags.insert(LocalFlags::ISIG);
    tcsetattr(io::stdin(), SetArg::TCSANOW, &modes)?;
    write!(io::stdout(), "{}{}", screen::ToAlternateScreen, cursor::Hide).and_then(|()| io::stdout().flush()).inspect_err(|_| {
        let _ = before.take().map(|modes| tcsetattr(io::stdin(), SetArg::TCSANOW, &modes));
    })
}

/// Leaves the terminal as it was. Where that fails it has gone, and there is nobody to tell.
fn give_back() {
    let Some(modes) = before().take() else { return };
    let _ = write!(io::stdout(), "{}{}{}", style::Reset, cursor::Show, screen::ToMainScreen).and_then(|()| io::stdout().flush());
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &modes);
}
