use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A file that nobody else can lock as long as this lives.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Locks a file, which is made where it is missing; `None` where it is locked already, by whomever.
    ///
    /// # Errors
    ///
    /// The file cannot be made, opened or locked.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Lock {
    /// Closing the file would not do: a process that another thread is about to start has it open too until it begins.
    fn drop(&mut self) {
        // It cannot fail for a lock that we have, and closing follows.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn a_lock_is_free_once_dropped_though_the_file_is_still_open_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = Lock::try_take(&path).expect("locked").expect("free");
        // What a forked process holds before it becomes another program.
        let inherited = lock.0.try_clone().expect("a second handle");
        assert!(Lock::try_take(&path).expect("no error").is_none(), "it is held");
        drop(lock);
        assert!(Lock::try_take(&path).expect("no error").is_some(), "it is free");
        drop(inherited);
    }
}
