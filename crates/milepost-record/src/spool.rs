//! The spool: append-only files that every door writes, safe among many processes, without a daemon.
//!
//! ```text
//! spool/spool.json                     version of this layout, and the spool's random id
//! spool/seal.lock                      exclusive: whoever seals; shared: whoever lists the segments
//! spool/shared.jsonl                   the segment of everybody who writes one event and ends
//! spool/own-PID-ID.jsonl               the segment of one long-lived recorder, locked as long as that lives
//! spool/00000000000000000001.jsonl     a sealed segment: never written again
//! spool/00000000000000000001.json      its manifest: length and CRC32C
//! spool/sequence                       the highest sequence number that was ever given
//! ```
//!
//! A record is one `write` of a line feed, the JSON and a line feed. A writer that dies in the middle of one leaves a torn
//! line, which the next record's first line feed ends: a torn record costs only itself. Who has many events writes several records at once.

use crate::{
    Event, Invalid, Timestamp,
    crash_point::crash_point,
    files::{SpoolError, check_folder, create_once, failed, new_file, read_small, replace, sync_folder},
    limits,
    locked::Locked,
    segment::{Manifest, Segment, Unreadable, crc32c},
    version::refuse_newer,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The version of the spool's layout on disk.
pub(crate) const LAYOUT_VERSION: u32 = 1;
/// The longest id of a spool; those that are made have 32 digits.
const ID_BYTES_MAX: usize = 64;
const SHARED: &str = "shared.jsonl";
/// Of many events, about so many bytes are written at once.
pub(crate) const WRITE_BYTES: usize = 1024 * 1024;
pub(crate) const OWN_PREFIX: &str = "own-";
/// The folder beside the spool that keeps lines which are no event.
pub(crate) const SET_ASIDE: &str = "set-aside";

/// What an acknowledged event has reached when the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The operating system: it survives a crash of this process, not a loss of power.
    Written,
    /// The disk.
    OnDisk,
}

#[derive(Serialize, Deserialize)]
struct Layout {
    version: u32,
    id: String,
}

/// A folder of segments.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    id: String,
}

impl Spool {
    /// Opens the spool of a data folder and makes both where they are missing, readable by their owner only.
    ///
    /// # Errors
    /// Where the folder cannot be made or read, another account may have put files into it, or a newer Milepost laid it out.
    pub fn open(data: &Path) -> Result<Self, SpoolError> {
        let folder = data.join("spool");
        check_folder(data)?;
        check_folder(&folder)?;
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
            // A file is on the disk only where the folders that lead to it are. One that may be entered but not read cannot be
            // flushed, and is no reason to record nothing.
            for ancestor in [Some(data), data.parent()].into_iter().flatten().filter(|path| !path.as_os_str().is_empty()) {
                let _ = sync_folder(ancestor);
            }
        }
        let path = folder.join("spool.json");
        let text = match read_small(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::lay_out(&folder, &path)?,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        refuse_newer(&path, text.as_bytes(), LAYOUT_VERSION.into())?;
        let layout: Layout = serde_json::from_str(&text).map_err(|error| SpoolError::Layout {
            path: path.clone(),
            what: format!("this is no description of a spool ({error}); restore it from a backup, or move the folder away"),
        })?;
        // It becomes a part of names of files.
        if layout.id.is_empty() || layout.id.len() > ID_BYTES_MAX || !layout.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            let what = "its id is none that Milepost makes: restore it from a backup, or move the folder away".to_owned();
            return Err(SpoolError::Layout { path, what });
        }
        Ok(Self { folder, id: layout.id })
    }

    /// Of several processes that lay out one spool at once, the first wins and all read what it wrote.
    fn lay_out(folder: &Path, path: &Path) -> Result<String, SpoolError> {
        let lock = folder.join("seal.lock");
        new_file(&lock, false).map_err(failed("make", &lock))?;
        let layout = Layout { version: LAYOUT_VERSION, id: uuid::Uuid::now_v7().simple().to_string() };
        let text = serde_json::to_string(&layout).map_err(|e| failed("write", path)(e.into()))?;
        create_once(path, text.as_bytes())?;
        read_small(path).map_err(failed("read", path))
    }

    /// The spool's random id, made with its folder.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder of the segments.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends one event to the shared segment. When this returns without an error, the event is acknowledged.
    ///
    /// # Errors
    /// Where the event is not valid or the operating system refused the write: then it is not acknowledged.
    pub fn append(&self, event: &Event, durability: Durability) -> Result<(), SpoolError> {
        let mut one = Vec::new();
        record(event, &mut one)?;
        self.append_records(&one, durability)
    }

    /// Appends events as [`Spool::append`] does, many with one write; for each of them, whether it is valid, and acknowledged.
    ///
    /// # Errors
    /// Where the operating system refused a write: then nobody knows which of more than a mebibyte are acknowledged; of less, none is.
    pub fn append_all<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
        durability: Durability,
    ) -> Result<Vec<Result<(), Invalid>>, SpoolError> {
        let (mut records, mut told) = (Vec::new(), Vec::new());
        for event in events {
            let before = records.len();
            told.push(record(event, &mut records));
            // What is less than that is written at once, so that none of it is acknowledged where the write fails.
            if before > 0 && records.len() > WRITE_BYTES {
                self.append_records(records.get(..before).unwrap_or_default(), durability)?;
                records.drain(..before);
            }
        }
        if !records.is_empty() {
            self.append_records(&records, durability)?;
        }
        Ok(told)
    }

    fn append_records(&self, records: &[u8], durability: Durability) -> Result<(), SpoolError> {
        let path = self.folder.join(SHARED);
        let mut file = self.locked_shared(&path)?;
        write(&mut file, &path, records)?;
        if durability == Durability::OnDisk {
            file.sync_data().map_err(failed("flush", &path))?;
            sync_folder(&self.folder)?;
        }
        let full = file.metadata().is_ok_and(|m| m.len() >= limits::SEGMENT_BYTES_MAX);
        drop(file);
        if full {
            // The events are acknowledged whether or not sealing succeeds; the next writer tries again.
            let _ = self.seal();
        }
        Ok(())
    }

    /// The shared segment under a shared lock, and certainly the file that the path names: sealing may have renamed the one
    /// that was opened before the lock was had.
    fn locked_shared(&self, path: &Path) -> Result<Locked, SpoolError> {
        loop {
            let file = open_segment(path).map_err(failed("open", path))?;
            let file = Locked::shared(file).map_err(failed("lock", path))?;
            if is_at(&file, path)? {
                return Ok(file);
            }
        }
    }

    /// A segment for one long-lived writer, which needs no lock for each record.
    pub(crate) fn own_segment(&self) -> Result<OwnSegment, SpoolError> {
        let name = format!("{OWN_PREFIX}{}-{}.jsonl", std::process::id(), uuid::Uuid::now_v7().simple());
        let path = self.folder.join(name);
        loop {
            let file = open_segment(&path).map_err(failed("open", &path))?;
            let file = Locked::exclusive(file).map_err(failed("lock", &path))?;
            // Somebody who seals may have found the new file before it was locked.
            if is_at(&file, &path)? {
                return Ok(OwnSegment { file, path, bytes: 0, since: std::time::Instant::now() });
            }
        }
    }

    /// Seals the shared segment and every own segment whose writer has ended, and returns how many became sealed segments.
    ///
    /// # Errors
    /// Where the operating system refused. What was sealed before stays sealed.
    pub fn seal(&self) -> Result<usize, SpoolError> {
        let _sealing = self.seal_lock(true)?;
        self.remove_orphans()?;
        let mut sealed = 0_usize;
        for path in self.open_segments()? {
            let file = match OpenOptions::new().read(true).append(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("open", &path)(error)),
            };
            let locked = if path.ends_with(SHARED) { Locked::exclusive(file).map(Some) } else { Locked::try_exclusive(file) };
            let Some(file) = locked.map_err(failed("lock", &path))? else { continue };
            sealed = sealed.saturating_add(usize::from(self.seal_locked(&file, &path)?));
        }
        Ok(sealed)
    }

    /// Removes the manifests that have no segment: whoever sealed or removed it was killed in between.
    fn remove_orphans(&self) -> Result<(), SpoolError> {
        let names = self.names()?;
        for name in names.iter().filter(|name| name.ends_with(".json")) {
            let is_manifest = name.trim_end_matches(".json").parse::<u64>().is_ok();
            if is_manifest && !names.contains(&format!("{name}l")) {
                let path = self.folder.join(name);
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Seals the own segment of a living writer, who holds its lock.
    pub(crate) fn seal_own(&self, own: &OwnSegment) -> Result<(), SpoolError> {
        let _sealing = self.seal_lock(true)?;
        let file = OpenOptions::new().read(true).open(&own.path).map_err(failed("open", &own.path))?;
        self.seal_locked(&file, &own.path).map(|_| ())
    }

    /// Seals a segment of which nobody but the caller can write: under the seal lock and the segment's own. The manifest
    /// comes before the name, so that every sealed segment has one; a crash in between leaves a manifest without a segment
    /// and a number that is never used.
    fn seal_locked(&self, file: &File, path: &Path) -> Result<bool, SpoolError> {
        let metadata = file.metadata().map_err(failed("read", path))?;
        if metadata.len() == 0 {
            if !path.ends_with(SHARED) {
                fs::remove_file(path).map_err(failed("remove", path))?;
            }
            return Ok(false);
        }
        file.sync_all().map_err(failed("flush", path))?;
        let sequence = self.next_sequence()?;
        replace(&self.folder.join("sequence"), sequence.to_string().as_bytes())?;
        crash_point("numbered");
        self.write_manifest(file, path, sequence)?;
        crash_point("described");
        let target = self.folder.join(Segment::name(sequence));
        fs::rename(path, &target).map_err(failed("rename", path))?;
        crash_point("sealed");
        sync_folder(&self.folder)?;
        Ok(true)
    }

    fn write_manifest(&self, file: &File, path: &Path, sequence: u64) -> Result<(), SpoolError> {
        let bytes = file.metadata().map_err(failed("read", path))?.len();
        let manifest = Manifest { version: LAYOUT_VERSION, sequence, bytes, crc32c: crc32c(file, path)?, sealed_at: Timestamp::now() };
        let text = serde_json::to_string(&manifest).map_err(|error| failed("write", path)(error.into()))?;
        replace(&self.folder.join(Manifest::name(sequence)), text.as_bytes())
    }

    /// One more than any number that a segment, a manifest or the high-water mark shows: segments are deleted once the store
    /// has them, and a number must not come back.
    fn next_sequence(&self) -> Result<u64, SpoolError> {
        let path = self.folder.join("sequence");
        let mark: u64 = match read_small(&path) {
            Ok(text) => text.trim().parse().map_err(|_| SpoolError::Layout {
                path,
                what: "this has to hold one number; write the highest sequence number that you know of into it".to_owned(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let named = self.names()?.iter().filter_map(|n| n.split('.').next()?.parse().ok()).max().unwrap_or(0);
        mark.max(named).checked_add(1).ok_or_else(|| SpoolError::Layout {
            path: self.folder.join("sequence"),
            what: "there is no number after the highest one: write the highest that a segment here has into it, and move away what has \
                   none of ours"
                .to_owned(),
        })
    }

    /// All segments as they are at this moment, sealed ones first in order, each opened: what is sealed or deleted later can
    /// still be read through them.
    ///
    /// # Errors
    /// Where the folder or a segment cannot be read.
    pub fn segments(&self) -> Result<Vec<Segment>, SpoolError> {
        // Under the lock no segment changes its name between the listing and the opening.
        let _listing = self.seal_lock(false)?;
        let mut names: Vec<_> = self.names()?.into_iter().filter(|n| n.ends_with(".jsonl")).collect();
        names.sort();
        names.into_iter().map(|name| Segment::open(&self.folder.join(name))).collect()
    }

    /// Removes a sealed segment that the store holds. Its lines that are no event are kept, with what is wrong with them, in
    /// `set-aside/SPOOL-SEQUENCE.jsonl` of the data folder.
    ///
    /// # Errors
    /// Where the operating system refused: then the segment is still there.
    pub fn retire(&self, sequence: u64, unreadable: &[Unreadable]) -> Result<(), SpoolError> {
        if !unreadable.is_empty() {
            let folder = self.set_aside()?;
            let path = folder.join(format!("{}-{}", self.id, Segment::name(sequence)));
            let mut lines = String::new();
            for line in unreadable {
                lines.push_str(&serde_json::to_string(line).map_err(|error| failed("write", &path)(error.into()))?);
                lines.push('\n');
            }
            replace(&path, lines.as_bytes())?;
            sync_folder(&folder)?;
        }
        crash_point("set aside");
        let _sealing = self.seal_lock(true)?;
        for name in [Segment::name(sequence), Manifest::name(sequence)] {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => crash_point("removed"),
            }
        }
        Ok(())
    }

    /// Accepts a sealed segment as it is now: a copy of it is set aside, and its manifest made anew. What of it can still be read
    /// counts again. Returns where the copy is.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn accept(&self, sequence: u64) -> Result<PathBuf, SpoolError> {
        let path = self.folder.join(Segment::name(sequence));
        let folder = self.set_aside()?;
        let copy = folder.join(format!("{}-{sequence:020}.damaged", self.id));
        fs::copy(&path, &copy).map_err(failed("copy", &path))?;
        crash_point("copied");
        let file = File::open(&path).map_err(failed("open", &path))?;
        self.write_manifest(&file, &path, sequence)?;
        sync_folder(&folder)?;
        Ok(copy)
    }

    /// The folder of what is no event, or is damaged.
    pub(crate) fn set_aside(&self) -> Result<PathBuf, SpoolError> {
        let folder = self.folder.with_file_name(SET_ASIDE);
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
        }
        Ok(folder)
    }

    /// Removes every segment, and gives the spool a new random id. Nothing is removed, and none returned, while a long-lived writer
    /// is at its segment, as it would go on in a file that nobody can find.
    ///
    /// # Errors
    /// Where the operating system refused: then the next call goes on.
    pub fn clear(self) -> Result<Option<Self>, SpoolError> {
        let sealing = self.seal_lock(true)?;
        let mut locked = Vec::new();
        for path in self.open_segments()? {
            let file = open_segment(&path).map_err(failed("open", &path))?;
            let file = if path.ends_with(SHARED) { Locked::exclusive(file).map(Some) } else { Locked::try_exclusive(file) };
            let Some(file) = file.map_err(failed("lock", &path))? else { return Ok(None) };
            locked.push(file);
        }
        let is_kept = |name: &str| ["spool.json", "seal.lock", "sequence"].contains(&name);
        for name in self.names()?.into_iter().filter(|name| !is_kept(name)) {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        sync_folder(&self.folder)?;
        crash_point("cleared");
        drop((locked, sealing));
        self.renew().map(Some)
    }

    /// Gives the spool a new random id: where the store knows other segments by its id and their numbers, as after a backup
    /// was restored.
    ///
    /// # Errors
    /// Where the description of the spool cannot be replaced.
    pub fn renew(self) -> Result<Self, SpoolError> {
        let _sealing = self.seal_lock(true)?;
        let path = self.folder.join("spool.json");
        let layout = Layout { version: LAYOUT_VERSION, id: uuid::Uuid::now_v7().simple().to_string() };
        replace(&path, serde_json::to_string(&layout).map_err(|error| failed("write", &path)(error.into()))?.as_bytes())?;
        sync_folder(&self.folder)?;
        Ok(Self { id: layout.id, ..self })
    }

    fn open_segments(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let names = self.names()?;
        let open = names.into_iter().filter(|n| n == SHARED || (n.starts_with(OWN_PREFIX) && n.ends_with(".jsonl")));
        Ok(open.map(|name| self.folder.join(name)).collect())
    }

    fn names(&self) -> Result<Vec<String>, SpoolError> {
        let folder = fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?;
        let mut names = Vec::new();
        for entry in folder {
            let entry = entry.map_err(failed("list", &self.folder))?;
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }

    fn seal_lock(&self, exclusive: bool) -> Result<Locked, SpoolError> {
        let path = self.folder.join("seal.lock");
        let file = File::open(&path).map_err(failed("open", &path))?;
        if exclusive { Locked::exclusive(file) } else { Locked::shared(file) }.map_err(failed("lock", &path))
    }
}

/// The segment of one long-lived writer, locked as long as that writes.
#[derive(Debug)]
pub(crate) struct OwnSegment {
    file: Locked,
    path: PathBuf,
    bytes: u64,
    since: std::time::Instant,
}

impl OwnSegment {
    /// Appends one record, or several.
    pub(crate) fn append(&mut self, records: &[u8], durability: Durability) -> Result<(), SpoolError> {
        self.bytes = self.bytes.saturating_add(write(&mut self.file, &self.path, records)?);
        if durability == Durability::OnDisk {
            self.file.sync_data().map_err(failed("flush", &self.path))?;
            if let Some(folder) = self.path.parent() {
                sync_folder(folder)?;
            }
        }
        Ok(())
    }

    /// A forked child shares the file and its lock with its parent, and has to open a segment of its own.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.file.is_of_this_process()
    }

    #[cfg(test)]
    pub(crate) const fn file(&self) -> &Locked {
        &self.file
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= limits::SEGMENT_BYTES_MAX || (self.bytes > 0 && self.since.elapsed() >= limits::SEGMENT_AGE_MAX)
    }
}

/// Adds an event to records, as it lies in a segment.
pub(crate) fn record(event: &Event, records: &mut Vec<u8>) -> Result<(), Invalid> {
    let before = records.len();
    records.push(b'\n');
    event.write_json(records).inspect_err(|_| records.truncate(before))?;
    records.push(b'\n');
    Ok(())
}

fn write(file: &mut File, path: &Path, records: &[u8]) -> Result<u64, SpoolError> {
    loop {
        match file.write(records) {
            Ok(written) if written == records.len() => return Ok(written as u64),
            Ok(written) => return Err(SpoolError::Short { path: path.to_owned(), written, bytes: records.len() }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("write to", path)(error)),
        }
    }
}

fn open_segment(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn is_at(file: &File, path: &Path) -> Result<bool, SpoolError> {
    let opened = file.metadata().map_err(failed("read", path))?;
    match fs::metadata(path) {
        Ok(named) => Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("read", path)(error)),
    }
}
