//! Digests of the data files and logs: so that a flipped bit is found, and not counted.

use crate::{
    StoreError,
    heads::Heads,
    lake::{Lake, failed, in_table, read_own, sync},
    log,
    past::{self, Pasts},
};
use deltalake_core::DeltaTable;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::Duration,
};

const FILE: &str = "digests.json";
const VERSION: u32 = 1;
/// How coarse a file system may be with times.
const TIMES_DIFFER: Duration = Duration::from_secs(2);

/// What is known of each data file, by its path under the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Digests {
    version: u32,
    pub(crate) files: BTreeMap<String, Digest>,
    /// The same of the files of Delta's logs.
    #[serde(default)]
    pub(crate) log: BTreeMap<String, Digest>,
}

/// Length and CRC32C of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    pub(crate) crc32c: String,
}

impl Digests {
    pub(crate) fn read(lake: &Lake) -> Result<Self, StoreError> {
        let path = lake.folder().join(FILE);
        let damaged = |at| format!("these are no digests ({at}): remove the file, and they are made anew from the files as they are");
        Ok(read_own(&path, VERSION, damaged)?.unwrap_or_else(|| Self { version: VERSION, ..Self::default() }))
    }

    /// Puts on the disk what was written to these tables, and notes the digests of the files that are new. Those of files that no
    /// table needs any more are dropped. What a table tells of the past is read from it where the writer does not know it.
    pub(crate) async fn settle(lake: &Lake, tables: &BTreeSet<&str>, pasts: &Pasts) -> Result<(), StoreError> {
        if lake.bucket().is_some() {
            // What a bucket took is on its disks, and it looks after their bits itself.
            return Ok(());
        }
        let (mut digests, mut heads) = (Self::read(lake)?, Heads::read(lake));
        let settled = fs::metadata(lake.folder().join(FILE)).and_then(|file| file.modified()).ok();
        let is_settled = |path: &Path| {
            let written = fs::metadata(path).and_then(|file| file.modified()).ok();
            settled.zip(written).is_some_and(|(settled, written)| written + TIMES_DIFFER < settled)
        };
        for name in tables {
            let Some(table) = lake.open(name).await? else { continue };
            let files = files(name, &table)?;
            digests.files.retain(|file, _| !file.starts_with(&format!("{name}/")) || files.contains(file));
            let mut folders = BTreeSet::new();
            for file in files {
                if let Entry::Vacant(new) = digests.files.entry(file) {
                    let path = lake.folder().join(new.key());
                    new.insert(Digest::of(&path, true)?);
                    folders.extend(path.ancestors().skip(1).take_while(|folder| *folder != lake.folder()).map(Path::to_owned));
                }
            }
            let log = lake.folder().join(name).join("_delta_log");
            for entry in fs::read_dir(&log).map_err(failed("list", &log))? {
                let path = entry.map_err(failed("list", &log))?.path();
                if let Some(file) = File::open(&path).ok().filter(|_| !is_settled(&path)) {
                    file.sync_all().map_err(failed("flush", &path))?;
                }
            }
            folders.insert(log);
            log::settle(lake, name, &mut digests)?;
            match pasts.get(name) {
                Some(past) => heads.note(lake, name, &table, Some(past))?,
                None => heads.note(lake, name, &table, past::of_table(&table, name).await.as_deref())?,
            }
            folders.iter().try_for_each(|folder| sync(folder))?;
        }
        sync(lake.folder())?;
        lake.publish(FILE, &digests)?;
        heads.publish(lake)
    }
}

impl Digest {
    /// What is wrong with a file, if it is not the one that this was made of.
    pub(crate) fn differs(&self, path: &Path) -> Result<Option<String>, StoreError> {
        if !path.exists() {
            return Ok(Some("it is gone".to_owned()));
        }
        let found = Self::of(path, false)?;
        Ok((found != *self).then(|| {
            if found.bytes == self.bytes {
                format!("its CRC32C is {} and was {} when it was written", found.crc32c, self.crc32c)
            } else {
                format!("it has {} bytes and was written with {}", found.bytes, self.bytes)
            }
        }))
    }

    /// Of a file as it is, which is put on the disk first where that is wanted.
    pub(crate) fn of(path: &Path, on_disk: bool) -> Result<Self, StoreError> {
        let mut file = File::open(path).map_err(failed("open", path))?;
        if on_disk {
            file.sync_all().map_err(failed("flush", path))?;
        }
        let (mut bytes, mut digest) = (0, 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Self { bytes, crc32c: format!("{digest:08x}") }),
                Ok(read) => {
                    bytes += read as u64;
                    digest = crc32c::crc32c_append(digest, buffer.get(..read).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", path)(error)),
            }
        }
    }
}

/// The digest of some bytes, as all files of the store write it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(bytes))
}

/// The data files that a table needs, as paths under the store.
pub(crate) fn files(name: &str, table: &DeltaTable) -> Result<BTreeSet<String>, StoreError> {
    let snapshot = table.snapshot().map_err(in_table(name))?;
    Ok(snapshot.log_data().iter().map(|file| format!("{name}/{}", file.object_store_path())).collect())
}
