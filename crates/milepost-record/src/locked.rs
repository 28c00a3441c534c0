//! A file under a lock that ends with the work, and not only once every copy of the file is closed: a process that another thread is about
//! to start has one until it begins, and a forked child as long as it lives.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    ops::{Deref, DerefMut},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process,
};

/// A locked file, unlocked when this is dropped by the process that locked it. A forked child shares the lock, and drops its copy only.
#[derive(Debug)]
pub struct Locked {
    file: File,
    pid: u32,
}

impl Locked {
    /// Waits until nobody else has the file.
    pub(crate) fn exclusive(file: File) -> io::Result<Self> {
        file.lock()?;
        Ok(Self::held(file))
    }

    /// Waits until nobody has the file alone.
    pub(crate) fn shared(file: File) -> io::Result<Self> {
        file.lock_shared()?;
        Ok(Self::held(file))
    }

    /// `None` where somebody else has the file.
    pub(crate) fn try_exclusive(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self::held(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file at a path, which is made where it is missing; `None` where somebody else has it.
    ///
    /// # Errors
    /// The file cannot be made, opened or locked.
    pub fn try_at(path: &Path) -> io::Result<Option<Self>> {
        Self::try_exclusive(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?)
    }

    fn held(file: File) -> Self {
        Self { file, pid: process::id() }
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.pid == process::id()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            // It cannot fail for a lock that we have, and closing follows.
            let _ = self.file.unlock();
        }
    }
}

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.file
    }
}

#[cfg(test)]
mod tests {
    use super::Locked;
    use crate::{Durability, Event, Note, Spool};
    use std::fs::File;

    /// The file as a forked child has it: the same lock, and another process.
    fn in_a_child(of: &Locked) -> Locked {
        Locked { file: of.file.try_clone().expect("a second handle"), pid: of.pid + 1 }
    }

    #[test]
    fn a_lock_ends_with_the_work_though_a_child_has_the_file_and_never_with_the_child() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let open = || File::options().append(true).create(true).open(&path).expect("opened");
        for lock in [Locked::exclusive, Locked::shared] {
            let ours = lock(open()).expect("locked");
            let childs = in_a_child(&ours);
            drop(in_a_child(&ours));
            assert!(Locked::try_exclusive(open()).expect("no error").is_none(), "it is held");
            drop(ours);
            assert!(Locked::try_exclusive(open()).expect("no error").is_some(), "it is free");
            drop(childs);
        }
    }

    #[test]
    fn the_spool_waits_for_no_child_of_a_writer_that_has_ended() {
        let data = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(data.path()).expect("a spool");
        let event = Event::now(Note::new(crate::Topic::Decision));
        spool.append(&event, Durability::Written).expect("recorded");
        let mut own = spool.own_segment().expect("a segment");
        let mut record = Vec::new();
        crate::spool::record(&event, &mut record).expect("a record");
        own.append(&record, Durability::Written).expect("recorded");
        let (childs, another) = (in_a_child(own.file()), in_a_child(own.file()));
        drop(another);
        assert_eq!(spool.seal().expect("sealed"), 1, "the segment of the writer is its own, whatever becomes of a child");
        drop(own);
        assert_eq!(spool.seal().expect("sealed"), 1, "it has ended");
        drop(childs);
    }
}
