//! `milepost status --watch`: the scorecard on a terminal, as it is now, with keys.
//!
//! One thread reads keys and signals and draws; another one judges (`judging`). `render::watch` says what is drawn.

mod judging;
mod keys;
mod screen;

use super::{Failure, Workplace, scorecard::configured};
use crate::{
    cli::{Status, StatusFormat},
    render::watch::{Looking, View, Wish, draw, settle},
};
use judging::{Judging, News};
use keys::keys;
use milepost_judge::Scorecard;
use milepost_record::Timestamp;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
};
use screen::Screen;
use signal_hook::{
    iterator::{backend::SignalDelivery, exfiltrator::SignalOnly},
    low_level::emulate_default_handler,
};
use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    process::ExitCode,
};

/// What ends it, what stops it, and what asks for another picture.
const CAUGHT: [Signal; 7] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGCONT, Signal::SIGWINCH];
/// If nothing has followed Escape by then, it was the key.
const ESCAPE_MS: u16 = 50;
/// Ages are in minutes.
const REDRAW_MS: u16 = 10_000;

/// How it ended.
enum End {
    Quit,
    /// Of this signal.
    Killed(i32),
}

pub(super) fn watch(status: &Status, flag: Option<&Path>) -> Result<ExitCode, Failure> {
    if status.format != StatusFormat::Table {
        return Err(Failure::usage("--watch is for a terminal, and goes with --format table only"));
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage("--watch needs a terminal on standard input and output; without it, status prints once"));
    }
    if std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb") {
        return Err(Failure::usage("--watch needs a terminal with a cursor that can be moved, and TERM says that this one has none"));
    }
    let workplace = Workplace::find(flag)?;
    configured(&workplace)?;
    let data = workplace.data()?.to_owned();
    // From now on this file and no other, whatever appears beside it or goes.
    let Some(config) = workplace.config.path else { return Err(Failure::internal("a configuration without a file")) };
    let cannot = |error: io::Error| Failure::internal(format!("cannot use the terminal: {error}"));
    let (read, write) = UnixStream::pair().map_err(cannot)?;
    let signals = SignalDelivery::with_pipe(read, write, SignalOnly, CAUGHT.map(|signal| signal as i32)).map_err(cannot)?;
    let (awake, wake) = UnixStream::pair().map_err(cannot)?;
    awake.set_nonblocking(true).map_err(cannot)?;
    let keyboard = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(cannot)?);
    let judging = Judging::start(config, data, wake).map_err(cannot)?;
    let screen = Screen::take().map_err(cannot)?;
    let mut watching = Watching { screen, keyboard, signals, awake, judging, looking: Looking::default(), shown: Shown::default() };
    let end = watching.until_the_end();
    drop(watching);
    match end? {
        End::Quit => {}
        // Dies of it as if it had never been caught, so that whoever waits for this process sees what ended it.
        End::Killed(signal) => emulate_default_handler(signal).map_err(cannot)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of the project.
#[derive(Default)]
struct Shown {
    scorecard: Option<Box<Scorecard>>,
    judging: bool,
    trouble: Option<String>,
}

struct Watching {
    screen: Screen,
    keyboard: File,
    signals: SignalDelivery<UnixStream, SignalOnly>,
    awake: UnixStream,
    judging: Judging,
    looking: Looking,
    shown: Shown,
}

impl Watching {
    fn until_the_end(&mut self) -> Result<End, Failure> {
        let colours = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let mut typed = Vec::new();
        loop {
            if let Err(error) = self.draw(colours) {
                return Err(Failure::Output(error));
            }
            let [key, news] = self.wait(!typed.is_empty())?;
            if let Some(end) = self.take_signals()? {
                return Ok(end);
            }
            if key && !self.read(&mut typed) {
                // The terminal has gone, and nobody sees anything any more.
                return Ok(End::Quit);
            }
            // Whatever woke us meanwhile: a key in pieces comes at once or not at all.
            for key in keys(&mut typed, !key) {
                match self.looking.press(key, self.shown.scorecard.as_deref()) {
                    Wish::Show => {}
                    Wish::Read => self.judging.ask(),
                    Wish::Quit => return Ok(End::Quit),
                }
                // The next key means what is on the screen after this one.
                self.settle(colours).map_err(Failure::Output)?;
            }
            if news {
                self.take_news()?;
            }
        }
    }

    fn view(&self, colours: bool) -> View<'_> {
        View {
            scorecard: self.shown.scorecard.as_deref(),
            now: Timestamp::now(),
            judging: self.shown.judging,
            trouble: self.shown.trouble.as_deref(),
            colours,
        }
    }

    fn settle(&mut self, colours: bool) -> io::Result<()> {
        let mut looking = std::mem::take(&mut self.looking);
        let size = self.screen.size();
        if let Ok(size) = size {
            settle(&mut looking, &self.view(colours), size);
        }
        self.looking = looking;
        size.map(|_| ())
    }

    fn draw(&mut self, colours: bool) -> io::Result<()> {
        self.settle(colours)?;
        let Shown { scorecard, judging, trouble } = &self.shown;
        let (looking, now) = (&self.looking, Timestamp::now());
        let view = View { scorecard: scorecard.as_deref(), now, judging: *judging, trouble: trouble.as_deref(), colours };
        self.screen.draw(|frame| draw(looking, &view, frame.area(), frame.buffer_mut()))
    }

    /// Waits for keys, signals and news, and says whether there are keys and news.
    fn wait(&self, key_began: bool) -> Result<[bool; 2], Failure> {
        let mut polled =
            [self.keyboard.as_fd(), self.awake.as_fd(), self.signals.get_read().as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut polled, PollTimeout::from(if key_began { ESCAPE_MS } else { REDRAW_MS })) {
            Ok(_) => {
                let [keyboard, awake, _] = polled;
                // A terminal that hung up reads as ended.
                Ok([keyboard, awake].map(|fd| fd.revents().is_some_and(|events| !events.is_empty())))
            }
            Err(Errno::EINTR) => Ok([false, false]),
            Err(error) => Err(Failure::internal(format!("cannot wait for keys: {error}"))),
        }
    }

    fn take_signals(&mut self) -> Result<Option<End>, Failure> {
        let arrived: Vec<i32> = self.signals.pending().collect();
        for signal in arrived.into_iter().filter_map(|signal| Signal::try_from(signal).ok()) {
            match signal {
                Signal::SIGINT => return Ok(Some(End::Quit)),
                Signal::SIGTSTP => self.screen.suspend().map_err(Failure::Output)?,
                Signal::SIGCONT => self.screen.resume().map_err(Failure::Output)?,
                // The next picture has the new size.
                Signal::SIGWINCH => {}
                signal => return Ok(Some(End::Killed(signal as i32))),
            }
        }
        Ok(None)
    }

    /// Reads what was typed; false where the terminal has gone.
    fn read(&mut self, typed: &mut Vec<u8>) -> bool {
        let mut bytes = [0; 1024];
        match self.keyboard.read(&mut bytes) {
            Ok(0) => false,
            Ok(length) => {
                typed.extend(bytes.iter().take(length));
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    fn take_news(&mut self) -> Result<(), Failure> {
        // Only to be woken again.
        let mut woken = [0; 64];
        let _ = self.awake.read(&mut woken);
        while let Some(news) = self.judging.news()? {
            match news {
                News::Judging => self.shown.judging = true,
                News::Judged(scorecard) => {
                    self.looking.follow(self.shown.scorecard.as_deref(), &scorecard);
                    self.shown = Shown { scorecard: Some(scorecard), judging: false, trouble: None };
                }
                // Nothing was seen yet that could be shown: an error like that of every command.
                News::Failed(failure) if self.shown.scorecard.is_none() => return Err(failure),
                News::Failed(failure) => {
                    self.shown.judging = false;
                    self.shown.trouble = Some(in_one_line(&failure));
                }
            }
        }
        Ok(())
    }
}

/// What is wrong and where, of a report of several lines.
fn in_one_line(failure: &Failure) -> String {
    let report = failure.to_string();
    let place = report.lines().find_map(|line| line.trim_start().strip_prefix("--> ")).map(|place| {
        let path = Path::new(place.trim());
        path.file_name().map_or_else(|| place.trim().to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let what = report.lines().next().unwrap_or_default();
    place.map_or_else(|| what.to_owned(), |place| format!("{place}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_several_lines_fits_one() {
        let report = "unknown key `blow`\n  --> /home/rose/milepost.toml:7:1\n   |\n7  | blow = 3\n   | ^^^^\n";
        assert_eq!(in_one_line(&Failure::usage(report)), "milepost.toml:7:1: unknown key `blow`");
        assert_eq!(in_one_line(&Failure::internal("the disk is full")), "the disk is full");
    }
}
