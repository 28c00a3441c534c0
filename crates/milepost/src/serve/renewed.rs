//! Files that are read again once they are other ones.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// A file as it looks from outside: which one, how long, and when it changed last.
#[derive(PartialEq, Eq)]
struct Look(Option<(u64, u64, i64, i64, i64, i64)>);

impl Look {
    fn at(file: &PathBuf) -> Self {
        let of = |file: fs::Metadata| (file.ino(), file.len(), file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec());
        Self(fs::metadata(file).ok().map(of))
    }
}

type Read<T> = dyn Fn() -> Result<T, String> + Send + Sync;

/// What is in some files. Where what they became cannot be read, this is said once, and what was in them holds.
pub(super) struct Renewed<T> {
    files: Vec<PathBuf>,
    read: Box<Read<T>>,
    say: fn(&str),
    held: Mutex<(Vec<Look>, Arc<T>)>,
}

impl<T> Renewed<T> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        say: fn(&str),
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        // Looked at before they are read: what is written meanwhile is read once more.
        let looks = files.iter().map(Look::at).collect();
        let held = Mutex::new((looks, Arc::new(read()?)));
        Ok(Self { files, read: Box::new(read), say, held })
    }

    pub(super) fn get(&self) -> Arc<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let looks: Vec<_> = self.files.iter().map(Look::at).collect();
        if held.0 != looks {
            held.0 = looks;
            match (self.read)() {
                Ok(value) => held.1 = Arc::new(value),
                Err(why) => (self.say)(&why),
            }
        }
        Arc::clone(&held.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_leaves_what_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("number");
        fs::write(&file, "1").expect("written");
        let at = file.clone();
        let read = move || fs::read_to_string(&at).map_err(|error| error.to_string())?.parse::<u8>().map_err(|error| error.to_string());
        let number = Renewed::new(vec![file.clone()], |_| (), read).expect("a number");
        assert_eq!(*number.get(), 1);
        fs::write(&file, "none").expect("written");
        assert_eq!(*number.get(), 1);
        fs::remove_file(&file).expect("removed");
        assert_eq!(*number.get(), 1);
        fs::write(&file, "20").expect("written");
        assert_eq!(*number.get(), 20);
    }
}
