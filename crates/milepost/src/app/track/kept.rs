//! Files in the data folder in which `milepost track` and `milepost serve` remember something, as JSON with a version.

use super::super::{Failure, files, say};
use milepost_record::refuse_newer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// More than any configuration can fill.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Version {
    version: u64,
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
    let written = serde_json::from_slice(&bytes).map(|Version { version }| version);
    if bytes.len() as u64 <= FILE_BYTES_MAX
        && written.is_ok_and(|written| written == version)
        && let Ok(content) = serde_json::from_slice(&bytes)
    {
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
