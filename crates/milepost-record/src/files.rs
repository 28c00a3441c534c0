//! The few things that the spool does with whole files, each with an error that says what was tried on which.

use crate::{Invalid, Newer};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
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
    /// A newer Milepost wrote a file of the layout, or an event.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// The event is not one that could be read back.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Adds to an IO error what was tried on which file.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SpoolError + 'a {
    move |source| SpoolError::Io { action, path: path.to_owned(), source }
}

/// Whether a folder is one into which no other account puts files of its own, in the place of ours: it belongs to this account or to
/// root, and not everybody may write to it. For root, it may be anybody's; one that is not there yet is fine.
///
/// # Errors
/// Where it is not, with what to do; and where it cannot be looked at.
pub fn check_folder(folder: &Path) -> Result<(), SpoolError> {
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", folder)(error)),
    };
    let wrong = open_to_others(metadata.uid(), metadata.mode(), nix::unistd::geteuid().as_raw());
    wrong.map_or(Ok(()), |what| Err(SpoolError::Layout { path: folder.to_owned(), what }))
}

fn open_to_others(uid: u32, mode: u32, ours: u32) -> Option<String> {
    if uid != ours && uid != 0 && ours != 0 {
        return Some(format!("this folder belongs to another account, whose id is {uid}: name a folder of your own"));
    }
    let why = "everybody may write to this folder, and so put files in the place of yours: chmod o-w, or name a folder below it";
    (mode & 0o002 != 0).then(|| why.to_owned())
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

#[cfg(test)]
mod tests {
    use super::open_to_others;

    #[test]
    fn a_folder_of_another_account_or_of_everybody_is_not_ours() {
        for (uid, mode, ours, is_ours) in [
            (1000, 0o40_700, 1000, true),
            (1000, 0o40_775, 1000, true),
            (0, 0o40_755, 1000, true),
            (1000, 0o40_700, 0, true),
            (1001, 0o40_755, 1000, false),
            (1000, 0o40_777, 1000, false),
            (0, 0o41_777, 1000, false),
            (1000, 0o40_702, 0, false),
        ] {
            assert_eq!(open_to_others(uid, mode, ours).is_none(), is_ours, "{uid} {mode:o} {ours}");
        }
    }
}
