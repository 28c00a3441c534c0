//! What a newer Milepost wrote is refused before anything is written beside it.

use super::{Failure, Workplace, files, otlp, scorecard::wait, track};
use crate::serve::tokens;
use milepost_record::{Identity, Spool, refuse_newer};
use milepost_store::shared;
use std::path::Path;

/// The largest file that is looked at, in bytes: more than any that is read.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Refuses the data folder, and what machines share of it, where a file of either is of a newer version than this program writes.
///
/// # Errors
/// Where one is, or spool and key cannot be read.
pub(super) fn refuse_newer_files(workplace: &Workplace) -> Result<(), Failure> {
    let data = workplace.data()?;
    if data.join("spool/spool.json").exists() {
        Spool::open(data)?.refuse_newer()?;
    }
    Identity::find(data)?;
    wait(async { Ok(milepost_store::refuse_newer_files(data).await?) })?;
    let [journal, alerts, forgotten] = track::FORMATS;
    let own = [journal, alerts, forgotten, otlp::FORMAT, tokens::FORMAT].map(|format| (data, format));
    own.into_iter().try_for_each(|(folder, format)| refuse(folder, format))?;
    // Where nothing is shared, these are the same ones once more; what is in a bucket is looked at by who reads it.
    let common = shared(data).unwrap_or_else(|| data.to_owned());
    [journal, alerts].into_iter().try_for_each(|format| refuse(&common, format))
}

/// The same for one file of a folder, by its name and the version that this program writes.
///
/// # Errors
/// Where it is newer.
pub(super) fn refuse(folder: &Path, (name, version): (&str, u64)) -> Result<(), Failure> {
    let path = folder.join(name);
    // What cannot be read is no newer one, and whoever needs it says why.
    files::read(&path, FILE_BYTES_MAX).map_or(Ok(()), |json| Ok(refuse_newer(&path, json.as_bytes(), version)?))
}
