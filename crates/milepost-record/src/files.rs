//! The few things that the spool does with whole files, each with an error that says what was tried on which.

use crate::Invalid;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Why the spool could not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Only a part of a record was written, for want of space. The part is a torn line, which readers set aside.
    #[error("wrote {written} of {bytes} bytes to {}: is the disk full?", path.display())]
    Short {
        /// The segment.
        path: PathBuf,
        /// How much was written.
        written: usize,
        /// How much there was to write.
        bytes: usize,
    },
    /// A file of the layout does not say what it has to.
    #[error("{}: {what}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The event is not one that could be read back.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Adds to an IO error what was tried on which file.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SpoolError + 'a {
    move |source| SpoolError::Io { action, path: path.to_owned(), source }
}

/// Makes a file that only its owner may read; with `must_be_new`, fails where there is one.
pub(crate) fn new_file(path: &Path, must_be_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if must_be_new { options.create_new(true) } else { options.create(true).truncate(false) }.open(path)
}

/// Makes a file with this content unless there is one, and never one with a part of it.
pub(crate) fn create_once(path: &Path, content: &[u8]) -> Result<(), SpoolError> {
    let temporary = write_beside(path, content)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary).map_err(failed("remove", &temporary))?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("make", path)(error)),
        _ => Ok(()),
    }
}

/// Replaces a file's content at once: a reader sees the old or the new.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), SpoolError> {
    let temporary = write_beside(path, content)?;
    fs::rename(&temporary, path).map_err(failed("rename", &temporary))
}

fn write_beside(path: &Path, content: &[u8]) -> Result<PathBuf, SpoolError> {
    let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::now_v7().simple()));
    let mut file = new_file(&temporary, true).map_err(failed("make", &temporary))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed("write to", &temporary))?;
    Ok(temporary)
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), SpoolError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed("flush", folder))
}

/// Reads a small file of the layout, at most 64 KiB of it.
pub(crate) fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(64 * 1024).read_to_string(&mut text)?;
    Ok(text)
}
