//! Events that say that they happen later than now: a clock was wrong, be it the one that wrote or the one that reads. They are not
//! counted yet, and not lost either: when their segment goes, they wait until their time has come.
//!
//! ```text
//! set-aside/SPOOL-SEQUENCE.MICROSECONDS.ahead     events as they were written; the first is due at these microseconds since 1970
//! ```

use crate::{
    Durability, Event, Spool, Timestamp,
    files::{SpoolError, failed, replace, sync_folder},
    limits,
    segment::{Segment, Unreadable, refuse_newer_event},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

const AHEAD: &str = "ahead";
/// The largest file of events that wait: a segment, each event with an id beside.
const FILE_BYTES_MAX: u64 = 4 * limits::SEGMENT_BYTES_MAX;

impl Spool {
    /// Keeps the events of a segment that are yet to come, before the segment is claimed. Doing it twice writes the same file.
    ///
    /// # Errors
    /// Where the operating system refused.
    pub fn postpone(&self, sequence: u64, lines: &[Unreadable]) -> Result<(), SpoolError> {
        let mut events = Vec::new();
        for line in lines.iter().filter(|line| line.ahead.is_some()) {
            let mut event = Event::from_json(&line.text)?;
            // So that it counts once, however often it comes back.
            event.id.get_or_insert_with(|| format!("{}-{sequence}-{}", self.id(), line.offset));
            events.push(event);
        }
        self.keep(&format!("{}-{sequence:020}", self.id()), &events)
    }

    fn keep(&self, stem: &str, events: &[Event]) -> Result<(), SpoolError> {
        let Some(first) = events.iter().map(|event| event.at).min() else { return Ok(()) };
        let folder = self.set_aside()?;
        let mut lines = String::new();
        for event in events {
            lines.push_str(&event.to_json()?);
            lines.push('\n');
        }
        replace(&folder.join(format!("{stem}.{}.{AHEAD}", first.as_microseconds())), lines.as_bytes())?;
        sync_folder(&folder)
    }

    /// Refuses a spool that holds what a newer Milepost wrote or sealed, in its segments or among what waits.
    ///
    /// # Errors
    /// Where it does ([`SpoolError::Newer`]), or something cannot be read.
    pub fn refuse_newer(&self) -> Result<(), SpoolError> {
        self.segments()?.iter().try_for_each(Segment::refuse_newer)?;
        self.waiting()?.iter().try_for_each(|path| read(path).map(|_| ()))
    }

    /// Appends what waited and is due by now; returns how many events that are.
    ///
    /// # Errors
    /// Where a newer Milepost wrote what waits, or the operating system refused: then the next call goes on, and each event counts once, by its id. One that came without an
    /// id can count twice where its segment was not claimed either.
    pub fn resume(&self, now: Timestamp) -> Result<u64, SpoolError> {
        let ahead = now.saturating_add(limits::AHEAD_MAX);
        let mut resumed = 0_u64;
        for path in self.waiting()? {
            let Some((stem, first)) = named(&path) else { continue };
            if first <= ahead.as_microseconds() {
                resumed = resumed.saturating_add(self.resume_file(&path, stem, ahead)?);
            }
        }
        Ok(resumed)
    }

    /// The files of events that wait.
    fn waiting(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let folder = self.folder().with_file_name(crate::spool::SET_ASIDE);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("list", &folder))?,
        };
        let mut waiting = Vec::new();
        for entry in entries {
            waiting.extend(Some(entry.map_err(failed("list", &folder))?.path()).filter(|path| named(path).is_some()));
        }
        Ok(waiting)
    }

    fn resume_file(&self, path: &Path, stem: &str, ahead: Timestamp) -> Result<u64, SpoolError> {
        let text = read(path)?;
        let (events, broken): (Vec<_>, Vec<_>) = text.lines().map(Event::from_json).partition(Result::is_ok);
        let (due, rest): (Vec<_>, Vec<_>) = events.into_iter().flatten().partition(|event| event.at <= ahead);
        self.keep(stem, &rest)?;
        if let Some((last, others)) = due.split_last() {
            for event in others {
                self.append(event, Durability::Written)?;
            }
            self.append(last, Durability::OnDisk)?;
        }
        if broken.is_empty() {
            fs::remove_file(path).map_err(failed("remove", path))?;
        } else {
            fs::rename(path, path.with_extension("damaged")).map_err(failed("rename", path))?;
        }
        Ok(due.len() as u64)
    }
}

/// What is in a file of events that wait, unless a newer Milepost wrote it.
fn read(path: &Path) -> Result<String, SpoolError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes));
    if read.map_err(failed("read", path))? as u64 > FILE_BYTES_MAX {
        let what = format!("this has more than {} MiB, which Milepost does not write: move it away", FILE_BYTES_MAX / 1024 / 1024);
        return Err(SpoolError::Layout { path: path.to_owned(), what });
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().try_for_each(|line| refuse_newer_event(path, line))?;
    Ok(text)
}

/// Of a file of events that wait, the beginning of its name and when the first is due.
fn named(path: &Path) -> Option<(&str, i64)> {
    let name = path.file_name()?.to_str()?.strip_suffix(AHEAD)?.strip_suffix('.')?;
    let (stem, first) = name.rsplit_once('.')?;
    Some((stem, first.parse().ok()?))
}
