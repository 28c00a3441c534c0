//! Is all on the disk as it was written? And what to do where it is not.

use crate::{
    StoreError,
    bucket::Bucket,
    digests::{Digests, files},
    lake::{CLAIMS, Lake, SEGMENTS, failed, in_table, remove},
    log,
    past::Pasts,
    rollups::Rollups,
    tombstones::Tombstones,
};
use milepost_record::{Kind, Spool, crash_point};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it, in words.
    pub what: String,
    /// What was done about it; none where nothing was, or nothing can be.
    pub repaired: Option<String>,
}

/// Refuses the files that lie beside the tables where one is of a newer version than this Milepost writes, before anything is written.
/// What cannot be read is no newer one, and whoever needs it says why.
///
/// # Errors
/// Where one is ([`StoreError::Newer`]).
pub async fn refuse_newer_files(data: &Path) -> Result<(), StoreError> {
    let Some(lake) = unless_newer(Lake::find(data))?.flatten() else { return Ok(()) };
    unless_newer(Digests::read(&lake))?;
    unless_newer(Tombstones::of(data, &lake).await).map(|_| ())
}

fn unless_newer<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(newer @ StoreError::Newer(_)) => Err(newer),
        read => Ok(read.ok()),
    }
}

/// Compares every sealed segment of the spool with its manifest, and every data file and log of the store with its digest.
///
/// # Errors
/// Where the spool, or the store's own files, cannot be read.
pub async fn check(data: &Path) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    if data.join("spool").is_dir() {
        findings.extend(damaged_segments(&Spool::open(data)?)?.into_iter().map(|(_, finding)| finding));
    }
    if let Some(lake) = unless_damaged(Lake::find(data), &mut findings)?.flatten() {
        let mut digests = unless_damaged(Digests::read(&lake), &mut findings)?.unwrap_or_default();
        for name in tables() {
            if let Some(bucket) = lake.bucket() {
                findings.extend(missing(&lake, bucket, name).await?);
                continue;
            }
            let log = log::damaged(&lake, name, &digests)?;
            if !log.is_empty() {
                // What such a log says of data files is nothing to go by.
                findings.extend(log.into_iter().map(|(path, what)| Finding { path, what, repaired: None }));
                continue;
            }
            match lake.open(name).await {
                Ok(None) => {}
                Ok(Some(table)) => {
                    let needed = files(name, &table)?;
                    digests.files.retain(|file, _| !file.starts_with(&format!("{name}/")) || needed.contains(file));
                    let of_table: Vec<_> = needed.into_iter().filter_map(|file| damage(&lake, &digests, &file).transpose()).collect();
                    for damaged in of_table {
                        findings.push(damaged?);
                    }
                }
                Err(error) => findings.push(Finding {
                    path: lake.folder().join(name),
                    what: format!("{error}; restore the folder from a backup"),
                    repaired: None,
                }),
            }
        }
        for path in Rollups::read(&lake)?.damaged()? {
            findings.push(Finding { path, what: "this file of a rollup is not as it was written".to_owned(), repaired: None });
        }
    }
    Ok(findings)
}

/// The data files of a table in a bucket that are not there as its log tells. That no bit flips there, the bucket sees to itself.
async fn missing(lake: &Lake, bucket: &Bucket, name: &str) -> Result<Vec<Finding>, StoreError> {
    let finding = |path: &str, what: String| Finding { path: format!("{}/{path}", bucket.url()).into(), what, repaired: None };
    // Where the server cannot be reached, this tells it, and nothing is damaged.
    let there: BTreeMap<String, u64> = bucket.list(name).await?.into_iter().collect();
    let table = match lake.open(name).await {
        Ok(Some(table)) => table,
        Ok(None) => return Ok(Vec::new()),
        Err(error) => return Ok(vec![finding(name, error.to_string())]),
    };
    let mut findings = Vec::new();
    for file in table.snapshot().map_err(in_table(name))?.log_data().iter() {
        let path = format!("{name}/{}", file.object_store_path());
        match there.get(&path) {
            None => findings.push(finding(&path, "it is gone".to_owned())),
            Some(bytes) if u64::try_from(file.size()).ok() != Some(*bytes) => {
                findings.push(finding(&path, format!("it has {bytes} bytes and was written with {}", file.size())));
            }
            Some(_) => {}
        }
    }
    Ok(findings)
}

/// What was read; none where it is not what Milepost writes, which is a finding.
fn unless_damaged<T>(read: Result<T, StoreError>, findings: &mut Vec<Finding>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Layout { path, what }) if path.is_file() => {
            findings.push(Finding { path, what, repaired: None });
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Whether rollups count what the events do: of how many questions there are rollups, and for each of which they do not, what is wrong.
/// None where nobody reads any, since there are none or they are behind the table.
///
/// # Errors
/// Where something cannot be read.
pub async fn verify(data: &Path) -> Result<Option<(usize, Vec<Finding>)>, StoreError> {
    let Some(lake) = Lake::find(data)? else { return Ok(None) };
    let finding = |(question, rows): (String, u64)| Finding {
        path: lake.folder().join("rollups"),
        what: format!("{rows} rows are not what the events say to: {}", question.split_whitespace().collect::<Vec<_>>().join(" ")),
        repaired: None,
    };
    let differences = Rollups::differences(&lake).await?;
    Ok(differences.map(|(kept, found)| (kept, found.into_iter().map(finding).collect())))
}

/// Repairs what [`check`] finds, as far as that goes: a damaged segment is accepted as it is, so that what can be read of it
/// counts; a damaged file of a log is replaced by its copy; a damaged data file leaves its table; damaged digests are made anew. All
/// are kept in `set-aside` of the data folder, but rollups, which are dropped.
///
/// # Errors
/// As [`check`], and where somebody else is writing the store.
pub async fn repair(data: &Path) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    if data.join("spool").is_dir() {
        let spool = Spool::open(data)?;
        for (sequence, mut finding) in damaged_segments(&spool)? {
            let copy = spool.accept(sequence)?;
            finding.repaired = Some(format!("what can be read of it counts; a copy is kept as {}", copy.display()));
            findings.push(finding);
        }
    }
    let found = check(data).await?;
    if found.is_empty() || unless_damaged(Lake::find(data), &mut Vec::new())?.is_none() {
        return Ok(findings.into_iter().chain(found).collect());
    }
    let (lake, _locked) = Lake::lock(data, None)?;
    findings.extend(repair_digests(data, &lake)?);
    findings.extend(repair_logs(data, &lake)?);
    let found = check(data).await?;
    for mut finding in found {
        if finding.path.starts_with(lake.folder().join("rollups")) {
            Rollups::clear(&lake)?;
            finding.repaired = Some("all rollups were dropped, and are made anew from the events".to_owned());
            findings.push(finding);
            continue;
        }
        let Some(name) = tables().find(|name| finding.path.starts_with(lake.folder().join(name))) else {
            findings.push(finding);
            continue;
        };
        // A checkpoint of a log is Parquet too, and nothing but its copy makes it good.
        if let Some(table) = lake.open(name).await.ok().flatten()
            && finding.path.extension().is_some_and(|extension| extension == "parquet")
            && !log::is_in_log(&finding.path)
        {
            let rows = rows_of(name, &table, &lake, &finding.path)?;
            let kept = set_aside(data, &lake, &finding.path)?;
            remove(&finding.path)?;
            crash_point("moved");
            table.filesystem_check().await.map_err(in_table(name))?;
            crash_point("left out");
            let where_to = kept.map_or("it was gone already".to_owned(), |path| format!("it is kept as {}", path.display()));
            finding.repaired = Some(format!("it left the table, and {rows} events with it; {where_to}"));
        }
        findings.push(finding);
    }
    let mut readable = BTreeSet::new();
    for name in tables() {
        if lake.open(name).await.is_ok() {
            readable.insert(name);
        }
    }
    Digests::settle(&lake, &readable, &Pasts::new()).await?;
    Ok(findings)
}

fn tables() -> impl Iterator<Item = &'static str> {
    Kind::ALL.iter().map(|kind| kind.table()).chain([SEGMENTS, CLAIMS])
}

fn damaged_segments(spool: &Spool) -> Result<Vec<(u64, Finding)>, StoreError> {
    let mut damaged = Vec::new();
    for segment in spool.segments()? {
        if let (Some(sequence), Some(what)) = (segment.sequence(), segment.damage()?) {
            damaged.push((sequence, Finding { path: segment.path().to_owned(), what, repaired: None }));
        }
    }
    Ok(damaged)
}

/// What is wrong with a data file. One that has no digest yet is as good as new.
fn damage(lake: &Lake, digests: &Digests, file: &str) -> Result<Option<Finding>, StoreError> {
    let path = lake.folder().join(file);
    let Some(written) = digests.files.get(file) else { return Ok(None) };
    Ok(written.differs(&path)?.map(|what| Finding { path, what, repaired: None }))
}

/// Puts digests that cannot be read out of the way: whoever settles the tables makes them anew.
fn repair_digests(data: &Path, lake: &Lake) -> Result<Option<Finding>, StoreError> {
    let mut damaged = Vec::new();
    unless_damaged(Digests::read(lake), &mut damaged)?;
    let Some(Finding { path, what, .. }) = damaged.pop() else { return Ok(None) };
    let kept = set_aside(data, lake, &path)?;
    remove(&path)?;
    let kept = kept.map_or(String::new(), |kept| format!("; the damaged ones are kept as {}", kept.display()));
    Ok(Some(Finding { path, what, repaired: Some(format!("they are those of the files as they are now{kept}")) }))
}

/// Puts the copies of damaged log files in their places. What cannot be repaired this way is left as it is.
fn repair_logs(data: &Path, lake: &Lake) -> Result<Vec<Finding>, StoreError> {
    let digests = Digests::read(lake)?;
    let mut findings = Vec::new();
    for name in tables() {
        for (path, what) in log::damaged(lake, name, &digests)? {
            let kept = set_aside(data, lake, &path)?;
            if log::restore(lake, &path, &digests)? {
                let kept = kept.map_or(String::new(), |kept| format!("; the damaged one is kept as {}", kept.display()));
                findings.push(Finding { path, what, repaired: Some(format!("no event is lost, as a copy took its place{kept}")) });
            }
        }
    }
    Ok(findings)
}

fn rows_of(name: &str, table: &deltalake_core::DeltaTable, lake: &Lake, path: &Path) -> Result<usize, StoreError> {
    let snapshot = table.snapshot().map_err(in_table(name))?;
    let is_it = |file: &str| lake.folder().join(name).join(file) == path;
    let found = snapshot.log_data().iter().find(|file| is_it(file.object_store_path().as_ref())).and_then(|file| file.num_records());
    Ok(found.unwrap_or(0))
}

/// Keeps a copy of a damaged file, which may lie on another disk. Returns where it is; none where the file is gone.
fn set_aside(data: &Path, lake: &Lake, path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let folder = data.join("set-aside");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
    let name = path.strip_prefix(lake.folder()).unwrap_or(path).to_string_lossy().replace('/', "-");
    let kept = folder.join(name);
    fs::copy(path, &kept).map_err(failed("copy", path))?;
    File::open(&kept).and_then(|file| file.sync_all()).map_err(failed("flush", &kept))?;
    Ok(Some(kept))
}
