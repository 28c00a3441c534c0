//! Whose turn it is: where several machines share the tables, a job is done in each of its slots by the one that claims it.
//!
//! ```text
//! DATA/store          a link to the folder that they share; everything else of DATA is each machine's own
//! DATA/store/claims/  a row for each claim: job, slot, spool of the machine, moment
//! ```
//!
//! Where they share a bucket, the table is there (`bucket.rs`).
//!
//! A claim is one commit with Delta's application transaction (job, slot), made on the table as it was when nobody had claimed that
//! slot: of two that commit at once, one fails, looks again, and finds whose it is. It is not taken back: where a machine dies, the
//! job is done in the next slot.

use crate::{
    StoreError,
    bucket::BucketUrl,
    lake::{CLAIMS, Lake, holds, select},
};
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray},
        compute::cast,
        datatypes::DataType,
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use deltalake_core::DeltaTable;
use milepost_record::Timestamp;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder of the tables where it is one that several machines may share: where `store` of the data folder is a link.
#[must_use]
pub fn shared(data: &Path) -> Option<PathBuf> {
    Some(data.join("store")).filter(|folder| folder.is_symlink())
}

/// The bucket of the tables of a data folder; none where they are in no bucket.
///
/// # Errors
/// Where the store does not say where its tables are.
pub fn bucket(data: &Path) -> Result<Option<BucketUrl>, StoreError> {
    Ok(Lake::find(data)?.and_then(|lake| lake.bucket().map(|bucket| bucket.url().clone())))
}

/// Whether other machines may write the tables of a data folder: they are in a folder that several may share, or in a bucket.
///
/// # Errors
/// Where the store does not say where its tables are.
pub fn is_shared(data: &Path) -> Result<bool, StoreError> {
    Ok(shared(data).is_some() || bucket(data)?.is_some())
}

/// Claims a slot of a job for the machine with this spool. True where the slot is its own, be it from before.
///
/// Slots are numbered by the clocks of several machines, so the slot after this one may be claimed already, and this one is over
/// then. A claim further ahead was made by a clock that is wrong, and holds nobody up.
///
/// # Errors
/// Where the table cannot be read or written, or the tables are being made at this moment ([`StoreError::Busy`]).
pub async fn claim(data: &Path, job: &str, slot: u64, spool: &str, now: Timestamp) -> Result<bool, StoreError> {
    let lake = match Lake::find(data)? {
        Some(lake) => lake,
        None => Lake::lock(data, None)?.0,
    };
    let claim = async |table: Option<DeltaTable>| {
        if let Some(table) = &table
            && let Some(claimed) = holds(CLAIMS, table, job).await?
            && (claimed == slot || claimed == slot.saturating_add(1))
        {
            return Ok(holder(table, job, claimed).await?.as_deref() == Some(spool));
        }
        lake.append(CLAIMS, table, vec![row(job, slot, spool, now)?], job, slot).await.map(|_| true)
    };
    lake.undisturbed(CLAIMS, claim).await
}

/// Who claimed a slot last.
async fn holder(table: &DeltaTable, job: &str, slot: u64) -> Result<Option<String>, StoreError> {
    let job = job.replace('\'', "''");
    let sql = format!("SELECT spool FROM lake WHERE job = '{job}' AND slot = {slot} ORDER BY at DESC LIMIT 1");
    for batch in select(table, &sql).await? {
        let spools = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
        if let Some(spool) = spools.as_string::<i32>().iter().flatten().next() {
            return Ok(Some(spool.to_owned()));
        }
    }
    Ok(None)
}

fn row(job: &str, slot: u64, spool: &str, now: Timestamp) -> Result<RecordBatch, StoreError> {
    let columns: [(&str, ArrayRef); 4] = [
        ("job", Arc::new(StringArray::from(vec![job]))),
        ("slot", Arc::new(Int64Array::from(vec![i64::try_from(slot).ok()]))),
        ("spool", Arc::new(StringArray::from(vec![spool]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![now.as_microseconds()]).with_timezone("UTC"))),
    ];
    let columns = columns.map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns).map_err(DataFusionError::from)?)
}
