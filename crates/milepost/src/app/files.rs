//! What use cases do with whole files: each file is there at once or not at all.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};
use tempfile::NamedTempFile;

/// What everybody may read whom the umask does not keep from it.
const PUBLIC: u32 = 0o666;
/// What only its owner may read.
const PRIVATE: u32 = 0o600;

/// Reads a file of which nobody knows who wrote it last.
///
/// # Errors
/// Where it cannot be read, has more bytes than this, or is no text.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    // One byte more than is allowed, to see whether there is one.
    if File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)? as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {bytes_max} bytes, and no larger one is read")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Replaces a file at once, so that nobody ever sees a part of it.
pub(super) fn publish(path: &Path, content: &[u8]) -> io::Result<()> {
    beside(path, content, PUBLIC)?.persist(path)?;
    Ok(())
}

/// As [`publish`], but leaves a file alone that is there; tells whether it was not.
pub(super) fn publish_new(path: &Path, content: &[u8]) -> io::Result<bool> {
    match beside(path, content, PUBLIC)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// As [`publish`], for our own eyes.
pub(super) fn keep(path: &Path, content: &[u8]) -> io::Result<()> {
    beside(path, content, PRIVATE)?.persist(path)?;
    Ok(())
}

/// A file for our own eyes that is written bit by bit, and is not there before it is whole.
pub(super) struct Unfinished<'a> {
    file: NamedTempFile,
    path: &'a Path,
}

/// Begins such a file.
pub(super) fn unfinished(path: &Path) -> io::Result<Unfinished<'_>> {
    Ok(Unfinished { file: beside(path, b"", PRIVATE)?, path })
}

impl Unfinished<'_> {
    pub(super) fn as_mut(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts it in its place.
    pub(super) fn keep(self) -> io::Result<()> {
        self.file.persist(self.path)?;
        Ok(())
    }
}

/// Adds to the end of a file of somebody else, which is made where it is missing.
pub(super) fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(content)
}

fn beside(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(content)?;
    Ok(file)
}

/// Makes a folder and those above it where they are missing; `private` ones are for their owner only.
pub(super) fn folder(path: &Path, private: bool) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(if private { 0o700 } else { 0o777 }).create(path)
}
