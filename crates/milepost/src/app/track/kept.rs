//! Files in the data folder, or in the bucket of several machines, in which `milepost track` and `milepost serve` remember something, as JSON with a version.

use super::super::{Failure, files, say, scorecard::wait};
use milepost_record::refuse_newer;
use milepost_store::{CommonFiles, StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// More than any configuration can fill.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Where something is remembered: in a folder, or for machines that share their tables in a bucket, there.
#[derive(Clone)]
pub(in super::super) enum Place {
    Folder(PathBuf),
    Bucket(Arc<CommonFiles>),
}

impl Place {
    /// Reads what is remembered under a name; none where there is nothing. What is damaged is set aside, and `lost` says what that means.
    ///
    /// # Errors
    /// Where it cannot be read, or a newer Milepost wrote it.
    pub(in super::super) fn read<T: DeserializeOwned>(&self, name: &str, version: u64, lost: &str) -> Result<Option<T>, Failure> {
        let files = match self {
            Self::Folder(folder) => return read(&folder.join(name), version, lost),
            Self::Bucket(files) => files,
        };
        let Some(bytes) = wait(async { Ok(files.read(name).await?) })? else { return Ok(None) };
        let url = files.url(name);
        refuse_newer(Path::new(&url), &bytes, version)?;
        if let Some(content) = content(&bytes, version) {
            return Ok(Some(content));
        }
        let aside = Path::new(name).with_extension("damaged.json").to_string_lossy().into_owned();
        wait(async {
            files.read(&aside).await?;
            Ok(files.write(&aside, bytes.to_vec()).await?)
        })?;
        say(&format!("{url} is damaged and set aside as {}, so {lost}", files.url(&aside)));
        Ok(None)
    }

    /// Replaces what is remembered under a name.
    ///
    /// # Errors
    /// Where that cannot be written, or another machine did so since it was read.
    pub(in super::super) fn write(&self, name: &str, content: &impl Serialize) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => write(&folder.join(name), content),
            Self::Bucket(files) => {
                let failed = |error: &dyn Display| Failure::internal(format!("cannot write {}: {error}", files.url(name)));
                let text = serde_json::to_string_pretty(content).map_err(|error| failed(&error))? + "\n";
                match wait(async { Ok(files.write(name, text.into_bytes()).await) })? {
                    Err(StoreError::Busy) => Err(failed(&"another machine did so at this moment")),
                    done => Ok(done?),
                }
            }
        }
    }
}

fn content<T: DeserializeOwned>(bytes: &[u8], version: u64) -> Option<T> {
    let written = serde_json::from_slice(bytes).map(|Version { version }| version);
    let is_ours = bytes.len() as u64 <= FILE_BYTES_MAX && written.is_ok_and(|written| written == version);
    is_ours.then(|| serde_json::from_slice(bytes).ok()).flatten()
}

/// Reads what is remembered; none where there is no such file. One that is damaged is set aside, and `lost` says what that means.
///
/// # Errors
/// Where it cannot be read, or a newer Milepost wrote it.
pub(in super::super) fn read<T: DeserializeOwned>(path: &Path, version: u64, lost: &str) -> Result<Option<T>, Failure> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::internal(format!("cannot read {}: {error}", path.display()))),
    }
    refuse_newer(path, &bytes, version)?;
    if let Some(content) = content(&bytes, version) {
        return Ok(Some(content));
    }
    let aside = path.with_extension("damaged.json");
    fs::rename(path, &aside)
        .map_err(|error| Failure::internal(format!("{} is damaged, and cannot be set aside: {error}", path.display())))?;
    say(&format!("{} is damaged and set aside as {}, so {lost}", path.display(), aside.display()));
    Ok(None)
}

/// Replaces what is remembered.
///
/// # Errors
/// Where that cannot be written.
pub(in super::super) fn write(path: &Path, content: &impl Serialize) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::internal(format!("cannot write {}: {error}", path.display()));
    let text = serde_json::to_string_pretty(content).map_err(|error| failed(error.into()))? + "\n";
    files::keep(path, text.as_bytes()).map_err(failed)
}
