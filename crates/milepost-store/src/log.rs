//! Digests and copies of what Delta writes about its tables: a damaged data file costs its rows, and a damaged log would cost a table.
//!
//! ```text
//! DATA/store/operations/_delta_log/00000000000000000003.json
//! DATA/store/copies/operations/00000000000000000003.json        the same bytes
//! ```

use crate::{
    StoreError,
    digests::{Digest, Digests},
    lake::{Lake, failed, remove, sync},
};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

const LOG: &str = "_delta_log";
const COPIES: &str = "copies";
/// Where Delta begins to read. It is the only file of a log that is ever written again: with each checkpoint.
const LAST_CHECKPOINT: &str = "_last_checkpoint";
const CHECKPOINT: &str = ".checkpoint";

/// Notes the digests of the log files of a table that are new, and copies them. Whoever calls has flushed the log.
pub(crate) fn settle(lake: &Lake, name: &str, digests: &mut Digests) -> Result<(), StoreError> {
    let (log, copies) = (log(lake, name), copies(lake, name));
    let there = files(&log)?;
    let prefix = format!("{name}/{LOG}/");
    digests.log.retain(|path, _| path.strip_prefix(&prefix).is_none_or(|file| there.contains(file)));
    DirBuilder::new().recursive(true).mode(0o700).create(&copies).map_err(failed("make the folder", &copies))?;
    let copied = files(&copies)?;
    let is_rewritten = has_new_checkpoint(&there, &prefix, digests);
    for file in &there {
        let key = format!("{prefix}{file}");
        let is_new = !digests.log.contains_key(&key) || (file == LAST_CHECKPOINT && is_rewritten);
        if is_new {
            digests.log.insert(key, Digest::of(&log.join(file), false)?);
        }
        // Whoever erases removes all copies, and leaves the newest commit.
        if is_new || !copied.contains(file) {
            replace(&log.join(file), &copies, file)?;
        }
    }
    for file in copied.difference(&there) {
        remove(&copies.join(file))?;
    }
    sync(&copies)
}

/// The log files of a table that are not as they were written, and what is wrong with each.
pub(crate) fn damaged(lake: &Lake, name: &str, digests: &Digests) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let log = log(lake, name);
    let there = files(&log)?;
    let checkpoint = there.iter().filter(|file| file.contains(CHECKPOINT)).filter_map(|file| version(file)).max();
    let prefix = format!("{name}/{LOG}/");
    let mut damaged = Vec::new();
    for (file, written) in digests.log.iter().filter_map(|(path, written)| path.strip_prefix(&prefix).map(|file| (file, written))) {
        let path = log.join(file);
        if file == LAST_CHECKPOINT && has_new_checkpoint(&there, &prefix, digests) {
            // Somebody is between a checkpoint and the noting of its digest, or was killed there.
            continue;
        }
        if there.contains(file) {
            damaged.extend(written.differs(&path)?.map(|what| (path, what)));
        } else if version(file).is_some_and(|version| checkpoint.is_none_or(|checkpoint| version > checkpoint)) {
            // Delta removes what is older than a checkpoint, and nothing else.
            damaged.push((path, "it is gone".to_owned()));
        }
    }
    Ok(damaged)
}

/// Puts the copy of a damaged log file in its place; whether there was one that is as it was written.
pub(crate) fn restore(lake: &Lake, path: &Path, digests: &Digests) -> Result<bool, StoreError> {
    let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|file| file.to_str())) else { return Ok(false) };
    let Some(name) = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()) else { return Ok(false) };
    let copy = copies(lake, name).join(file);
    let Some(written) = digests.log.get(&format!("{name}/{LOG}/{file}")) else { return Ok(false) };
    if !copy.exists() || written.differs(&copy)?.is_some() {
        // Without it, Delta looks for the newest checkpoint itself.
        return if file == LAST_CHECKPOINT { remove(path).map(|()| true) } else { Ok(false) };
    }
    replace(&copy, folder, file)?;
    sync(folder)?;
    Ok(true)
}

/// Removes the copies of a table's log, as whoever erases does before the log: the next settling makes them anew.
pub(crate) fn forget(lake: &Lake, name: &str) -> Result<(), StoreError> {
    let copies = copies(lake, name);
    for file in files(&copies)? {
        remove(&copies.join(file))?;
    }
    if copies.is_dir() { sync(&copies) } else { Ok(()) }
}

pub(crate) fn is_in_log(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with(LOG))
}

/// Whether there is a checkpoint of which no digest was noted yet: then Delta wrote [`LAST_CHECKPOINT`] anew.
fn has_new_checkpoint(there: &BTreeSet<String>, prefix: &str, digests: &Digests) -> bool {
    there.iter().any(|file| file.contains(CHECKPOINT) && !digests.log.contains_key(&format!("{prefix}{file}")))
}

/// The file of a commit.
pub(crate) fn commit(lake: &Lake, name: &str, version: u64) -> PathBuf {
    log(lake, name).join(format!("{version:020}.json"))
}

fn log(lake: &Lake, name: &str) -> PathBuf {
    lake.folder().join(name).join(LOG)
}

fn copies(lake: &Lake, name: &str) -> PathBuf {
    lake.folder().join(COPIES).join(name)
}

fn version(file: &str) -> Option<u64> {
    file.get(..20)?.parse().ok()
}

/// The files of a log or of its copies, but for what a writer that was killed left; none where there is no such folder.
fn files(folder: &Path) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(failed("list", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(failed("list", folder))?;
        found.extend(entry.file_name().into_string().ok().filter(|name| version(name).is_some() || name == LAST_CHECKPOINT));
    }
    Ok(found)
}

/// Copies a file into a folder under a name, at once: a reader sees the old one or the new one.
fn replace(from: &Path, folder: &Path, name: &str) -> Result<(), StoreError> {
    let path = folder.join(name);
    let mut from = File::open(from).map_err(failed("read", from))?;
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        io::copy(&mut from, &mut file)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(io::Error::from)
    });
    written.map(|_| ()).map_err(failed("write", &path))
}
