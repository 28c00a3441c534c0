//! What a long stream leaves in the spool is taken into the tables before it is much: each judgement reads all of the spool, so its
//! size bounds the memory of the server and the age of what it shows. Where the tables fall behind, senders are asked to come again.

use super::super::{Failure, Workplace, otlp::Office, say, scorecard::wait};
use super::attempt;
use crate::serve::Live;
use milepost_record::{SpoolState, Timestamp};
use milepost_store::{StoreError, Upkeep, compact, is_shared};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What lies in the spool is taken in once it is more than this, in bytes.
const DUE_BYTES: u64 = 16 * 1024 * 1024;
/// Nothing more comes in by OTLP while there is more than this, in bytes.
const FULL_BYTES: u64 = 128 * 1024 * 1024;
/// How often somebody looks how much it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What failed is tried again after this long.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(30);

/// A configuration as it looks from outside: its number, its length, and when it was written last.
type Stamp = (u64, u64, i64, i64);

/// Keeps the spool small, until the end.
pub(super) fn keep_small(live: &Live, config: &Path, office: &Office, mut data: PathBuf) {
    let (mut told, mut failed): (Option<String>, Option<Instant>) = (None, None);
    let (mut of, mut is_more) = (None, false);
    // What came in while the rest was taken in does not wait.
    while live.pause(if is_more { Duration::ZERO } else { LOOK_EVERY }) {
        if failed.is_some_and(|at| at.elapsed() < TRY_AGAIN_EVERY) {
            continue;
        }
        let looked = attempt(|| looked(&place(config, &mut of, &mut data)?, office));
        is_more = *looked.as_ref().unwrap_or(&false);
        let fault = looked.err();
        if let Some(why) = fault.as_ref().filter(|why| told.as_ref() != Some(*why)) {
            say(&format!("what was recorded is not taken into the tables: {why}"));
        }
        failed = fault.as_ref().map(|_| Instant::now());
        told = fault;
    }
}

/// Where the data are. The configuration is read again only where it has changed, and only where that is a file: what somebody is still
/// writing into is waited for by whoever judges, and nothing else has to wait for it.
fn place(config: &Path, of: &mut Option<Stamp>, data: &mut PathBuf) -> Result<PathBuf, Failure> {
    let file = fs::metadata(config).ok().filter(fs::Metadata::is_file);
    let stamp = file.map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
    if stamp.is_some() && *of != stamp {
        *data = Workplace::find(Some(config))?.data()?.to_owned();
        *of = stamp;
    }
    Ok(data.clone())
}

/// Takes in what is there, where that is much; whether there is much again then.
fn looked(data: &Path, office: &Office) -> Result<bool, Failure> {
    let state = SpoolState::of(data)?;
    office.desk.full(state.bytes() > FULL_BYTES);
    if state.bytes_at_hand() < DUE_BYTES {
        return Ok(false);
    }
    office.desk.seal().map_err(Failure::internal)?;
    // What is old is removed by `milepost track` alone, which knows what is still needed. Where machines share the tables, files are
    // merged by whoever has the common work.
    let upkeep = Upkeep { taking_in_only: is_shared(data)?, ..Upkeep::default() };
    let taken_in = match wait(async { Ok(compact(data, Timestamp::now(), &upkeep).await) })? {
        Ok(done) => done.segments,
        // Somebody else takes it in at this moment.
        Err(StoreError::Busy) => 0,
        Err(error) => return Err(error.into()),
    };
    let state = SpoolState::of(data)?;
    office.desk.full(state.bytes() > FULL_BYTES);
    Ok(taken_in > 0 && state.bytes_at_hand() >= DUE_BYTES)
}
