//! Heads: what a reader has to know of a table, written down by whoever wrote the table last. Reading it out of Delta's log takes longer
//! than all else that a small scorecard needs.
//!
//! ```text
//! DATA/store/heads.json    of each table version, files, rows and columns, the digest of its newest commit, and what was decided and judged
//! ```
//!
//! A head is derived. Whoever finds that it is not of now reads the log: where there is a newer commit, where the newest commit is
//! another one as a backup was restored, and where a bit flipped.

use crate::{
    StoreError,
    digests::{Digest, digest},
    lake::{Lake, in_table, read_own},
    log, past,
};
use deltalake_core::{DeltaTable, DeltaTableError};
use milepost_record::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "heads.json";
const VERSION: u32 = 2;

/// The heads of the tables, as they were written down.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heads(BTreeMap<String, Noted>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Noted {
    /// Of the newest commit.
    commit: Digest,
    head: Head,
    /// What the table tells of the past (see `past.rs`), as lines of the wire format; none where it tells nothing, or nobody looked.
    past: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    /// Of the heads, which are text so that each bit of them is looked at.
    crc32c: String,
    heads: String,
}

/// What a reader has to know of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The version of the table.
    pub(crate) version: u64,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// How long its files are together.
    pub(crate) bytes: u64,
    columns: BTreeSet<String>,
    /// The columns of which the log tells that no row has a value.
    empty: BTreeSet<String>,
    /// Whether rows of a file do not count.
    has_deleted: bool,
    files: Vec<File>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    path: String,
    /// The smallest and the largest id, as far as the log tells them.
    ids: Option<[String; 2]>,
}

impl Head {
    /// Of a table as its log says.
    pub(crate) fn of(table: &DeltaTable) -> Result<Self, DeltaTableError> {
        let snapshot = table.snapshot()?;
        let columns: BTreeSet<String> = snapshot.schema().fields().map(|column| column.name().clone()).collect();
        let mut head =
            Self { version: snapshot.version(), rows: 0, bytes: 0, empty: columns.clone(), columns, has_deleted: false, files: Vec::new() };
        for file in snapshot.log_data().iter() {
            let stats = file.stats().and_then(|stats| serde_json::from_str::<Value>(&stats).ok()).unwrap_or_default();
            let rows = file.num_records().map(|rows| rows as u64);
            let nulls = |column: &str| stats.get("nullCount").and_then(|nulls| nulls.get(column)?.as_u64());
            head.empty.retain(|column| rows.is_some() && nulls(column) == rows);
            let of = |end: &str| Some(stats.get(end)?.get("id")?.as_str()?.to_owned());
            let ids = of("minValues").zip(of("maxValues")).map(|(least, most)| [least, most]);
            head.rows += rows.unwrap_or(0);
            head.bytes += u64::try_from(file.size()).unwrap_or(0);
            head.has_deleted |= file.deletion_vector_descriptor().is_some();
            head.files.push(File { path: file.object_store_path().to_string(), ids });
        }
        Ok(head)
    }

    /// Whether no row has a value in a column, as far as is known.
    pub(crate) fn has_none(&self, column: &str) -> bool {
        self.empty.contains(column)
    }

    /// Whether no row has an id between two, as far as is known.
    pub(crate) fn has_no_id_between(&self, least: &str, most: &str) -> bool {
        // Of a long text, it is the beginning.
        let is_below = |end: &str| end < least && !least.starts_with(end);
        self.files.iter().all(|file| file.ids.as_ref().is_some_and(|[first, last]| most < first.as_str() || is_below(last)))
    }

    /// The files, where all rows of each count.
    pub(crate) fn files(&self) -> Option<impl Iterator<Item = &str>> {
        (!self.has_deleted).then(|| self.files.iter().map(|file| file.path.as_str()))
    }

    pub(crate) const fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }
}

impl Heads {
    /// Those of a lake, of whichever versions of the tables; none where they are damaged, or of another Milepost.
    pub(crate) fn read(lake: &Lake) -> Self {
        let read = || {
            let Content { version, crc32c, heads } = read_own(&lake.folder().join(FILE), VERSION, |at| at).ok()??;
            let is_whole = version == VERSION && crc32c == digest(heads.as_bytes());
            serde_json::from_str(&heads).ok().filter(|_| is_whole)
        };
        read().unwrap_or_default()
    }

    /// The head of a table; none where none of now was written down.
    pub(crate) fn of(&self, lake: &Lake, name: &str) -> Option<&Head> {
        let Noted { commit, head, .. } = self.0.get(name)?;
        let is_of_now = !log::commit(lake, name, head.version.checked_add(1)?).exists()
            && Digest::of(&log::commit(lake, name, head.version), false).ok()? == *commit;
        is_of_now.then_some(head)
    }

    /// What a table tells of the past at the version of its head; none where that was not written down.
    pub(crate) fn past(&self, name: &str) -> Option<Vec<Event>> {
        self.0.get(name)?.past.as_ref()?.iter().map(|line| Event::from_json(line).ok()).collect()
    }

    /// What a table tells of the past as its writer has it: nothing where there is none yet; none where it tells of something else, or the
    /// head is of another version.
    pub(crate) fn known_past(&self, lake: &Lake, name: &str, table: Option<&DeltaTable>) -> Option<Vec<Event>> {
        past::kind_of(name)?;
        let Some(table) = table else { return Some(Vec::new()) };
        self.of(lake, name).filter(|head| table.version() == Some(head.version)).and_then(|_| self.past(name))
    }

    /// Notes what the log of a table says, and what the table tells of the past.
    pub(crate) fn note(&mut self, lake: &Lake, name: &str, table: &DeltaTable, past: Option<&[Event]>) -> Result<(), StoreError> {
        let head = Head::of(table).map_err(in_table(name))?;
        let commit = Digest::of(&log::commit(lake, name, head.version), false)?;
        let past = past.and_then(|past| past.iter().map(|event| event.to_json().ok()).collect());
        self.0.insert(name.to_owned(), Noted { commit, head, past });
        Ok(())
    }

    /// Forgets a table, as whoever erases does: the next settling notes it anew.
    pub(crate) fn forget(lake: &Lake, name: &str) -> Result<(), StoreError> {
        let mut heads = Self::read(lake);
        if heads.0.remove(name).is_some() { heads.publish(lake) } else { Ok(()) }
    }

    pub(crate) fn publish(&self, lake: &Lake) -> Result<(), StoreError> {
        let heads = serde_json::to_string(self).map_err(|_| StoreError::Shape("heads"))?;
        lake.publish(FILE, &Content { version: VERSION, crc32c: digest(heads.as_bytes()), heads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compact::{Upkeep, compact},
        engine::Stored,
    };
    use milepost_record::{Durability, Kind, Operation, Outcome, Spool, Timestamp};
    use std::{fs, path::Path};

    fn at() -> Timestamp {
        Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time")
    }

    /// Takes an operation in, and returns the lake.
    async fn taken_in(data: &Path, id: &str) -> Lake {
        let mut event = Event::at(at(), Operation::new("search", Outcome::Ok));
        event.id = Some(id.to_owned());
        Spool::open(data).expect("a spool").append(&event, Durability::Written).expect("appended");
        compact(data, at(), &Upkeep::default()).await.expect("compacted");
        Lake::find(data).expect("a lake").expect("a lake")
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn a_head_says_what_the_log_does_for_as_long_as_nobody_writes() {
        const NAME: &str = Kind::Operation.table();
        let folder = tempfile::tempdir().expect("a folder");
        block_on(async {
            let lake = taken_in(folder.path(), "a").await;
            let table = lake.open(NAME).await.expect("opened").expect("a table");
            let head = Heads::read(&lake).of(&lake, NAME).cloned().expect("a head");
            assert_eq!(head, Head::of(&table).expect("what the log says"));
            assert_eq!((head.rows, head.files().expect("whole files").count()), (1, 1));
            assert!(head.has_none("sample") && !head.has_none("operation") && !head.has_none("error_text"), "{head:?}");
            assert!(head.has_no_id_between("b", "c") && !head.has_no_id_between("a", "a"));

            // Others may write the table too, and write no head.
            let rows = crate::tables::batch(Kind::Operation, &[&Event::at(at(), Operation::new("search", Outcome::Ok))]).expect("rows");
            lake.append(NAME, Some(table), vec![rows], "other", 1).await.expect("appended");
            assert_eq!(Heads::read(&lake).of(&lake, NAME), None);
            let stored = Stored::open(lake.clone(), &Heads::read(&lake), NAME).await.expect("opened").expect("a table");
            assert_eq!(stored.head().rows, 2, "then the log says how it is");
            // So it is where a writer was killed between its commit and its head: who looks after the tables next writes it down.
            compact(folder.path(), at(), &Upkeep::default()).await.expect("nothing to take in");
            assert_eq!(Heads::read(&lake).of(&lake, NAME).cloned().expect("a head").rows, 2);
            let lake = taken_in(folder.path(), "b").await;
            assert_eq!(Heads::read(&lake).of(&lake, NAME).cloned().expect("a head").rows, 3);
        });
    }

    #[test]
    fn what_is_no_head_of_now_is_none() {
        const NAME: &str = Kind::Operation.table();
        let folder = tempfile::tempdir().expect("a folder");
        block_on(async {
            let lake = taken_in(folder.path(), "a").await;
            let path = lake.folder().join(FILE);
            let (whole, heads) = (fs::read(&path).expect("heads"), Heads::read(&lake));
            assert!(heads.of(&lake, NAME).is_some());
            for byte in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[byte] ^= 1;
                fs::write(&path, flipped).expect("written");
                let read = Heads::read(&lake);
                assert!(read == heads || read == Heads::default(), "byte {byte}");
            }
            fs::write(&path, &whole[..whole.len() / 2]).expect("written");
            assert_eq!(Heads::read(&lake), Heads::default(), "torn ones");
            fs::write(&path, &whole).expect("written");
            // As where a table was restored from a backup, and its head was not.
            let commit = log::commit(&lake, NAME, 0);
            fs::write(&commit, "{}\n").expect("written");
            assert_eq!(Heads::read(&lake).of(&lake, NAME), None, "of another commit");
            fs::remove_file(&commit).expect("removed");
            assert_eq!(Heads::read(&lake).of(&lake, NAME), None, "of none");
        });
    }
}
