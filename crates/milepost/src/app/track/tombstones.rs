//! What was forgotten leaves this machine: `forgotten.json` in the data folder says which tombstones were applied here.
//!
//! `milepost forget` lays a tombstone beside the tables and applies it; `milepost track` of every machine applies those that are new to
//! it, and goes on where a call was killed. Beside the tables and the spool, which are the store's, these are lines that were set
//! aside, and reports that name the person or quote what the person wrote.

use super::{
    super::{Failure, doctor::several, files, printable, scorecard::wait},
    kept,
    reports::{family, is_page, made},
};
use milepost_record::{Event, Timestamp};
use milepost_store::{Erased, StoreError, Tombstones, erase};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const FILE: &str = "forgotten.json";
const VERSION: u64 = 1;
/// The file, and the version that is written.
pub(super) const FORMAT: (&str, u64) = (FILE, VERSION);
/// How long somebody else who is at the data is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);
/// No file of ours is larger than this, but a damaged segment, of which nothing is kept then.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

#[derive(Default, Serialize, Deserialize)]
struct Content {
    version: u64,
    /// The tombstones that were applied here, each with how often it had changed.
    applied: BTreeMap<String, u64>,
}

/// What was erased here.
#[derive(Default)]
pub(in super::super) struct Applied {
    erased: Erased,
    lines: u64,
    files: BTreeSet<PathBuf>,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.erased.from_tables + self.erased.from_spool;
        write!(f, "{} erased", several(events, "event", "events"))?;
        if self.lines > 0 {
            write!(f, ", {} that were set aside", several(self.lines, "line", "lines"))?;
        }
        if !self.files.is_empty() {
            write!(f, ", {} of reports or damaged tables", several(self.files.len() as u64, "file", "files"))?;
        }
        if self.erased.waiting > 0 {
            let waiting = several(self.erased.waiting, "event is", "events are");
            write!(f, "; {waiting} in a segment that somebody is writing, and erased by the next `milepost track` after that ends")?;
        }
        Ok(())
    }
}

fn applied(data: &Path) -> Result<Content, Failure> {
    let lost = "what was forgotten is looked for again";
    Ok(kept::read(&data.join(FILE), VERSION, lost)?.unwrap_or_default())
}

/// How many people were forgotten whose events may still lie here, and how many under a key that this machine has not.
///
/// # Errors
/// Where that cannot be read.
pub(in super::super) fn pending(data: &Path) -> Result<(usize, usize), Failure> {
    let tombstones = wait(async { Ok(Tombstones::read(data).await?) })?;
    let recognised = tombstones.recognised();
    if recognised.is_empty() {
        return Ok((0, tombstones.of_other_keys()));
    }
    let applied = applied(data)?.applied;
    let new = recognised.iter().filter(|(person, revision)| applied.get(*person) != Some(revision)).count();
    Ok((new, tombstones.of_other_keys()))
}

/// Erases what the tombstones that this machine recognises cover: in the tables, the spool, what was set aside, and the reports.
///
/// # Errors
/// Where something cannot be read or written: then the next call goes on.
pub(in super::super) fn apply(data: &Path, output: &Path, now: Timestamp) -> Result<Applied, Failure> {
    let erased = patiently(|| wait(async { Ok(erase(data, now).await) }))?;
    let mut applied = Applied { erased, ..Applied::default() };
    let tombstones = wait(async { Ok(Tombstones::read(data).await?) })?;
    set_aside(data, &tombstones, &mut applied)?;
    reports(output, &tombstones, &mut applied)?;
    if applied.erased.waiting == 0 {
        let content = Content { version: VERSION, applied: tombstones.recognised() };
        kept::write(&data.join(FILE), &content)?;
    }
    Ok(applied)
}

/// Does something with the tables; where somebody else is writing them, a little later.
pub(in super::super) fn patiently<T>(work: impl Fn() -> Result<Result<T, StoreError>, Failure>) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        match work()? {
            Err(StoreError::Busy) if began.elapsed() < PATIENCE => thread::sleep(AGAIN),
            done => return Ok(done?),
        }
    }
}

fn set_aside(data: &Path, tombstones: &Tombstones, applied: &mut Applied) -> Result<(), Failure> {
    let entries = fs::read_dir(data.join("set-aside")).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.chain([data.join(super::super::set_aside::SET_ASIDE)]) {
        let Some(bytes) = read(&path)? else { continue };
        let is_data_file = path.extension().is_some_and(|extension| extension == "parquet");
        if is_data_file || bytes.len() as u64 > FILE_BYTES_MAX {
            // Nobody can tell what is in it.
            remove(&path)?;
            applied.files.insert(path);
            continue;
        }
        let is_theirs = |line: &[u8]| {
            let text = String::from_utf8_lossy(line);
            Event::from_json(text.trim_end()).is_ok_and(|event| tombstones.cover(&event)) || tombstones.name(&text)
        };
        let (theirs, others): (Vec<_>, Vec<_>) = bytes.split_inclusive(|byte| *byte == b'\n').partition(|line| is_theirs(line));
        if theirs.is_empty() {
            continue;
        }
        applied.lines += theirs.len() as u64;
        if others.is_empty() {
            remove(&path)?;
        } else {
            files::keep(&path, &others.concat()).map_err(|error| failed("write", &path, &error))?;
        }
    }
    Ok(())
}

fn reports(output: &Path, tombstones: &Tombstones, applied: &mut Applied) -> Result<(), Failure> {
    let wrote = tombstones.wrote();
    for path in made(output) {
        let Some(bytes) = read(&path)? else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        // A page quotes what commands said as they failed, cut and escaped; the figures beside it stay.
        if wrote && is_page(&path) {
            remove(&path)?;
            applied.files.insert(path);
            continue;
        }
        if if is_json { tombstones.name(&text) } else { tombstones.name_by_pseudonym(&text) } {
            for path in family(&path).into_iter().filter(|path| path.exists()) {
                remove(&path)?;
                applied.files.insert(path);
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => Ok(()),
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("cannot {what} {}: {error}", printable(&path.to_string_lossy())))
}
