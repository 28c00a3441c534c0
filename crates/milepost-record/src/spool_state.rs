//! Whether a spool has taken in something since somebody looked last, without reading any of it.

use crate::{
    files::{SpoolError, failed},
    spool::OWN_PREFIX,
};
use std::{collections::BTreeMap, ffi::OsString, fs, io, os::unix::fs::MetadataExt, path::Path};

/// What the segments of a spool look like from outside. An event that is acknowledged makes another of it, as its segment grows. Two
/// that are equal are of the same events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    segments: BTreeMap<OsString, Shape>,
}

/// A file's number, length, and when it was written last.
type Shape = (u64, u64, i64, i64);

impl SpoolState {
    /// That of the spool in a data folder; of one that is not there, that of none. It makes no folder and takes no lock.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn of(data: &Path) -> Result<Self, SpoolError> {
        let folder = data.join("spool");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed("read the folder", &folder)(error)),
        };
        let mut segments = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(failed("read the folder", &folder))?;
            let name = entry.file_name();
            if Path::new(&name).extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            // One that is gone meanwhile was sealed or taken in, which changes the names.
            let Ok(file) = entry.metadata() else { continue };
            segments.insert(name, (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        }
        Ok(Self { segments })
    }

    /// How many bytes all segments have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.values().map(|(_, bytes, ..)| bytes).sum()
    }

    /// How many of them compaction can take in now, once this process has sealed its own: others that live write on in theirs.
    #[must_use]
    pub fn bytes_at_hand(&self) -> u64 {
        let ours = format!("{OWN_PREFIX}{}-", std::process::id());
        let is_at_hand = |name: &OsString| {
            let name = name.to_string_lossy();
            !name.starts_with(OWN_PREFIX) || name.starts_with(&ours)
        };
        self.segments.iter().filter(|(name, _)| is_at_hand(name)).map(|(_, (_, bytes, ..))| bytes).sum()
    }
}
