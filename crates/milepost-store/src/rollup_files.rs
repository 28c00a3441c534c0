//! The files that the rows of rollups lie in: Arrow's IPC files, with a batch for each question and quarter of a year, the rows of a group
//! in the order of their days; and of what is kept person by person, batches by pseudonym, so that who looks for a few people reads few of
//! them. But for those of what came in just now, files have totals too, so that a verdict on a quarter reads no more values than one on a
//! week. What a file has and where is told by `rollups.json`, so that nothing else of a file need be read.

use crate::{
    StoreError,
    answer::{Columns, date_of, number_of},
    digests::digest,
    firsts::Firsts,
    lake::{failed, sync},
    packed::{Packed, schema},
    presence::{Daily, Presence},
    rollups::{Kept, RollupBatch, RollupFile, Since, Tells},
    values::Lists,
};
use datafusion::arrow::{
    array::{AsArray, BooleanArray},
    buffer::Buffer,
    compute::{filter_record_batch, max, min},
    datatypes::Date32Type,
    error::ArrowError,
    ipc::{
        Block, MetadataVersion,
        reader::{FileDecoder, read_footer_length},
        root_as_footer,
        writer::FileWriter,
    },
    record_batch::RecordBatch,
};
use futures::stream;
use jiff::civil::Date;
use milepost_record::{Span, Timestamp};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::BufWriter,
    ops::RangeInclusive,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
};

/// The bytes at the end of a file that tell how long its footer is.
const TRAILER: usize = 10;

/// A file of rows that is being written.
pub(crate) struct NewFile {
    folder: PathBuf,
    writer: FileWriter<BufWriter<tempfile::NamedTempFile>>,
    batches: Vec<Written>,
}

/// A batch that was written.
struct Written {
    key: String,
    tells: Tells,
    days: Option<[Date; 2]>,
    people: Option<[String; 2]>,
}

impl NewFile {
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make the folder", folder))?;
        let file = tempfile::Builder::new().prefix("rows-").suffix(".arrow").tempfile_in(folder).map_err(failed("write in", folder))?;
        let writer = FileWriter::try_new_buffered(file, &schema())?;
        Ok(Self { folder: folder.to_owned(), writer, batches: Vec::new() })
    }

    /// Writes the rows of a question as batches of their own, and their totals since some moments.
    pub(crate) fn take(&mut self, key: &str, rows: &Packed, totals: &[Since]) -> Result<(), StoreError> {
        self.write_days(key, Tells::Days, &rows.batch()?)?;
        self.write_totals(key, rows, totals)
    }

    /// Writes what is kept of people, and what is known by that of days.
    pub(crate) fn take_presence(&mut self, key: &str, presence: &mut Presence, daily: &Daily) -> Result<(), StoreError> {
        self.write_people(key, presence.rows()?, &daily.rows()?)
    }

    /// Writes what is kept of people's first sessions, and those sessions alone by the day on which they began.
    pub(crate) fn take_firsts(&mut self, key: &str, firsts: Firsts) -> Result<(), StoreError> {
        self.write_people(key, firsts.rows()?, &firsts.begun()?.rows_by_day()?)
    }

    fn write_people(&mut self, key: &str, rows: Vec<([String; 2], RecordBatch)>, by_day: &RecordBatch) -> Result<(), StoreError> {
        for (people, batch) in rows {
            self.write(Written { key: key.to_owned(), tells: Tells::People, days: None, people: Some(people) }, &batch)?;
        }
        self.write_days(key, Tells::PeopleDays, by_day)
    }

    fn write_days(&mut self, key: &str, tells: Tells, rows: &RecordBatch) -> Result<(), StoreError> {
        for quarter in by_quarter(rows)? {
            let days = days_of(&quarter)?;
            self.write(Written { key: key.to_owned(), tells, days, people: None }, &quarter)?;
        }
        Ok(())
    }

    fn write_totals(&mut self, key: &str, rows: &Packed, totals: &[Since]) -> Result<(), StoreError> {
        if totals.is_empty() {
            return Ok(());
        }
        let counts = rows.without_values()?;
        let Some([_, last]) = days_of(&counts)? else { return Ok(()) };
        self.write_days(key, Tells::Counts, &counts)?;
        for Since { from, day, .. } in totals {
            let (first, total) = rows.since(*from, number_of(*day)?);
            let (tells, days) = (Tells::Total { from: *from, day: *day }, Some([date_of(first)?, last]));
            self.write(Written { key: key.to_owned(), tells, days, people: None }, &total.batch()?)?;
        }
        Ok(())
    }

    fn write(&mut self, batch: Written, rows: &RecordBatch) -> Result<(), StoreError> {
        self.writer.write(rows)?;
        self.batches.push(batch);
        Ok(())
    }

    /// Puts the file on the disk; none where it has no rows.
    pub(crate) fn finish(mut self) -> Result<Option<RollupFile>, StoreError> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        self.writer.finish()?;
        let Self { folder, writer, batches } = self;
        let file = writer.into_inner()?.into_inner().map_err(|error| failed("write in", &folder)(error.into_error()))?;
        file.as_file().sync_all().map_err(failed("write in", &folder))?;
        let (_, path): (File, PathBuf) = file.keep().map_err(|error| failed("write in", &folder)(error.error))?;
        sync(&folder)?;
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or(StoreError::Shape("name"))?;
        let batch = |(Written { key, tells, days, people }, block): (Written, Block)| {
            let at = [block.offset(), block.metaDataLength().into(), block.bodyLength()];
            let of_batch = range(at).and_then(|(begin, length)| bytes.get(usize::try_from(begin).ok()?..)?.get(..length));
            Ok(RollupBatch { key, tells, days, people, at, crc32c: digest(of_batch.ok_or(StoreError::Shape("footer"))?) })
        };
        let batches = batches.into_iter().zip(blocks(&bytes)?).map(batch).collect::<Result<_, StoreError>>()?;
        Ok(Some(RollupFile { name, crc32c: digest(&bytes), batches }))
    }
}

/// Where the batches of a file lie, by its footer.
fn blocks(bytes: &[u8]) -> Result<Vec<Block>, StoreError> {
    let damaged = || StoreError::Shape("footer");
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER>().ok_or_else(damaged)?;
    let footer = rest.len().checked_sub(read_footer_length(*trailer)?).and_then(|begin| rest.get(begin..)).ok_or_else(damaged)?;
    let footer = root_as_footer(footer).map_err(|error| ArrowError::ParseError(error.to_string()))?;
    Ok(footer.recordBatches().ok_or_else(damaged)?.iter().copied().collect())
}

/// The first byte of a batch, and how many it has.
fn range([offset, metadata, body]: [i64; 3]) -> Option<(u64, usize)> {
    Some((u64::try_from(offset).ok()?, usize::try_from(metadata.checked_add(body)?).ok()?))
}

/// Files of rows that are read.
#[derive(Debug, Default)]
pub(crate) struct RollupFiles(Vec<Opened>);

#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    batches: Vec<RollupBatch>,
}

impl RollupFiles {
    pub(crate) fn open(folder: &Path, files: &[RollupFile]) -> Result<Self, StoreError> {
        let opened = |file: &RollupFile| {
            let path = folder.join(&file.name);
            Ok(Opened { file: File::open(&path).map_err(failed("open", &path))?, path, batches: file.batches.clone() })
        };
        Ok(Self(files.iter().map(opened).collect::<Result<_, StoreError>>()?))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Some columns of the rows that a question has under its key, in no particular order: of these days, or of all.
    pub(crate) fn rows(&self, key: &str, days: Option<&RangeInclusive<Date>>, columns: &[&str]) -> Result<Vec<RecordBatch>, StoreError> {
        Ok(self.read(key, days, None, columns)?.rows)
    }

    /// The same with totals since a moment, of the files that have them: their rows tell of each day everything but its values.
    pub(crate) fn read(
        &self,
        key: &str,
        days: Option<&RangeInclusive<Date>>,
        since: Option<Timestamp>,
        columns: &[&str],
    ) -> Result<Read, StoreError> {
        let schema = schema();
        let mut wanted = columns.iter().map(|column| schema.index_of(column)).collect::<Result<Vec<_>, _>>()?;
        wanted.sort_unstable();
        let decoder = FileDecoder::new(schema, MetadataVersion::V5).with_projection(wanted);
        let mut read = Read::default();
        for opened in &self.0 {
            let of_key = || opened.batches.iter().filter(|batch| batch.key == key);
            let is_within = |batch: &&RollupBatch| batch.days.zip(days).is_some_and(|([_, last], days)| last <= *days.end());
            let is_since = |batch: &&RollupBatch| matches!(batch.tells, Tells::Total { from, .. } if Some(from) == since);
            let total = of_key().find(|batch| is_since(batch) && is_within(batch));
            let tells = if total.is_some() { Tells::Counts } else { Tells::Days };
            for batch in of_key().filter(|batch| batch.tells == tells) {
                let Some(is_whole) = is_among(batch, days) else { continue };
                let batch = opened.read(&decoder, batch)?;
                read.rows.push(match days {
                    Some(days) if !is_whole => within(&batch, days)?,
                    _ => batch,
                });
            }
            if let Some(total) = total {
                read.totals.push(opened.read(&decoder, total)?);
                read.days_of_totals.extend(total.days.map(|[first, last]| first..=last));
            }
        }
        Ok(read)
    }

    /// What is kept of people for a question about when they were there: of these, or of all.
    pub(crate) fn presence(&self, kept: &Kept, wanted: Option<&BTreeSet<String>>) -> Result<Presence, StoreError> {
        let mut presence = Presence::by_day(kept.calendar());
        self.read_people(kept, wanted, |rows| presence.take_kept(rows, wanted, None))?;
        Ok(presence)
    }

    /// The same of what these people did within a span, no matter on which day.
    pub(crate) fn presence_within(&self, kept: &Kept, wanted: &BTreeSet<String>, span: Span) -> Result<Presence, StoreError> {
        let mut presence = Presence::default();
        self.read_people(kept, Some(wanted), |rows| presence.take_kept(rows, Some(wanted), Some(span)))?;
        Ok(presence)
    }

    fn read_people(
        &self,
        kept: &Kept,
        wanted: Option<&BTreeSet<String>>,
        take: impl FnMut(&RecordBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let has_some = |[first, last]: &[String; 2]| {
            first <= last && wanted.is_none_or(|wanted| wanted.range(first.clone()..=last.clone()).next().is_some())
        };
        self.read_each(kept, |batch| batch.tells == Tells::People && batch.people.as_ref().is_some_and(has_some), take)
    }

    fn read_days(
        &self,
        kept: &Kept,
        days: Option<&RangeInclusive<Date>>,
        take: impl FnMut(&RecordBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.read_each(kept, |batch| batch.tells == Tells::PeopleDays && is_among(batch, days).is_some(), take)
    }

    /// The batches of a question that are wanted, file by file, those of later files after those of earlier ones.
    fn read_each(
        &self,
        kept: &Kept,
        is_wanted: impl Fn(&RollupBatch) -> bool,
        mut take: impl FnMut(&RecordBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let decoder = FileDecoder::new(schema(), MetadataVersion::V5);
        for opened in &self.0 {
            for batch in opened.batches.iter().filter(|batch| batch.key == kept.key && is_wanted(batch)) {
                take(&opened.read(&decoder, batch)?)?;
            }
        }
        Ok(())
    }

    /// What is known of days for a question about when people were there: of these, or of all.
    pub(crate) fn daily(&self, kept: &Kept, days: Option<&RangeInclusive<Date>>) -> Result<Daily, StoreError> {
        let mut daily = Daily::default();
        self.read_days(kept, days, |rows| daily.take(rows))?;
        Ok(daily)
    }

    /// What is kept of people's first sessions: of these people, or of all.
    pub(crate) fn firsts(&self, kept: &Kept, wanted: Option<&BTreeSet<String>>) -> Result<Firsts, StoreError> {
        let mut firsts = Firsts::default();
        self.read_people(kept, wanted, |rows| firsts.take_kept(rows, wanted))?;
        Ok(firsts)
    }

    /// The same of people who began on these days of UTC, and possibly of some others.
    pub(crate) fn firsts_on(&self, kept: &Kept, days: &RangeInclusive<Date>) -> Result<Firsts, StoreError> {
        let mut firsts = Firsts::default();
        self.read_days(kept, Some(days), |rows| firsts.take_kept(rows, None))?;
        Ok(firsts)
    }

    /// How many totals of a question are not what the rows of its days add up to.
    pub(crate) async fn differing_totals(&self, key: &str, limits: usize) -> Result<usize, StoreError> {
        let decoder = FileDecoder::new(schema(), MetadataVersion::V5);
        let mut differing = 0;
        for opened in &self.0 {
            let (days, totals): (Vec<_>, Vec<_>) =
                opened.batches.iter().filter(|batch| batch.key == key).partition(|batch| batch.tells == Tells::Days);
            if totals.is_empty() {
                continue;
            }
            let days = days.into_iter().map(|batch| opened.read(&decoder, batch));
            let days = Packed::of(stream::iter(days), limits, Lists::Values).await?.ok_or(StoreError::Shape("rollup"))?;
            for batch in totals {
                let found = opened.read(&decoder, batch)?;
                let expected = match (batch.tells, batch.days) {
                    (Tells::Total { from, day }, _) => days.since(from, number_of(day)?).1.batch()?,
                    (_, Some([first, last])) => within(&days.without_values()?, &(first..=last))?,
                    (_, None) => days.without_values()?,
                };
                differing += usize::from(found != expected);
            }
        }
        Ok(differing)
    }
}

/// Rows that were read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) rows: Vec<RecordBatch>,
    /// Without a day, and with nothing but values.
    pub(crate) totals: Vec<RecordBatch>,
    /// The days that totals take in: all of them, or the totals are of no use.
    pub(crate) days_of_totals: Vec<RangeInclusive<Date>>,
}

impl Opened {
    /// The rows of a batch, whose bytes have to be those that were written.
    fn read(&self, decoder: &FileDecoder, batch: &RollupBatch) -> Result<RecordBatch, StoreError> {
        let damaged = || StoreError::Shape("rollup");
        let (begin, length) = range(batch.at).ok_or_else(damaged)?;
        let end = self.file.metadata().map_err(failed("read", &self.path))?.len();
        if begin.checked_add(length as u64).is_none_or(|last| last > end) {
            return Err(damaged());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, begin).map_err(failed("read", &self.path))?;
        if digest(&bytes) != batch.crc32c {
            return Err(damaged());
        }
        let [offset, metadata, body] = batch.at;
        let block = Block::new(offset, i32::try_from(metadata).map_err(|_| damaged())?, body);
        decoder.read_record_batch(&block, &Buffer::from_vec(bytes))?.ok_or_else(damaged)
    }
}

/// Whether all days of a batch are asked about; none where none is.
fn is_among(batch: &RollupBatch, days: Option<&RangeInclusive<Date>>) -> Option<bool> {
    let (Some(days), Some([first, last])) = (days, batch.days) else { return Some(days.is_none()) };
    (first <= *days.end() && last >= *days.start()).then(|| days.contains(&first) && days.contains(&last))
}

/// The rows of these days.
fn within(rows: &RecordBatch, days: &RangeInclusive<Date>) -> Result<RecordBatch, StoreError> {
    let days = number_of(*days.start())?..=number_of(*days.end())?;
    let dates = rows.column_by_name("date").ok_or(StoreError::Shape("date"))?.as_primitive::<Date32Type>();
    let is_within: BooleanArray = dates.iter().map(|date| Some(date.is_some_and(|date| days.contains(&date)))).collect();
    Ok(filter_record_batch(rows, &is_within)?)
}

/// The first and the last day of rows.
fn days_of(rows: &RecordBatch) -> Result<Option<[Date; 2]>, StoreError> {
    let dates = Columns::of(rows).dates("date")?;
    min(&dates).zip(max(&dates)).map(|(first, last)| Ok([date_of(first)?, date_of(last)?])).transpose()
}

/// The rows of each quarter: most spans begin with one.
fn by_quarter(rows: &RecordBatch) -> Result<Vec<RecordBatch>, StoreError> {
    let dates = Columns::of(rows).dates("date")?;
    let quarter = |date: Option<i32>| Ok(date.map(date_of).transpose()?.map(|date| (date.year(), (date.month() - 1) / 3)));
    let quarters = dates.iter().map(quarter).collect::<Result<Vec<_>, StoreError>>()?;
    let of_quarter = |quarter| {
        let is_of: BooleanArray = quarters.iter().map(|other| Some(*other == quarter)).collect();
        Ok(filter_record_batch(rows, &is_of)?)
    };
    quarters.iter().copied().collect::<BTreeSet<_>>().into_iter().map(of_quarter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolled::DIMENSIONS;
    use datafusion::prelude::SessionContext;
    use futures::TryStreamExt;
    use jiff::ToSpan;

    /// A row for each day of some years.
    fn days(first: Date, last: Date) -> Packed {
        let dimensions: String = DIMENSIONS.iter().map(|name| format!(", CAST(NULL AS VARCHAR) AS \"{name}\"")).collect();
        let time = "arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))')";
        let (first, last) = (number_of(first).expect("a day"), number_of(last).expect("a day"));
        let rows = format!(
            "SELECT arrow_cast(CAST(d.value AS INT), 'Date32') AS date{dimensions}, CAST(7 AS BIGINT) AS value, CAST(1 AS BIGINT) AS n,\n  \
             {time} AS oldest, {time} AS newest FROM generate_series({first}, {last}) d"
        );
        let rows = async {
            Packed::of(SessionContext::new().sql(&rows).await?.execute_stream().await?.map_err(StoreError::from), 0, Lists::Values).await
        };
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(rows).expect("rows").expect("few")
    }

    #[test]
    fn days_are_found_by_their_quarter() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, last) = (Date::constant(2025, 11, 20), Date::constant(2026, 11, 20));
        let mut file = NewFile::in_folder(folder.path()).expect("a file");
        for key in ["one", "other"] {
            file.take(key, &days(first, last), &[]).expect("written");
        }
        let file = file.finish().expect("written").expect("rows");
        let files = RollupFiles::open(folder.path(), std::slice::from_ref(&file)).expect("opened");
        let batches = |key: &str, days: Option<&RangeInclusive<Date>>| {
            let read: Vec<bool> = file.batches.iter().filter(|batch| batch.key == key).filter_map(|batch| is_among(batch, days)).collect();
            (read.iter().filter(|is_whole| **is_whole).count(), read.iter().filter(|is_whole| !**is_whole).count())
        };
        assert_eq!(batches("other", None), (5, 0), "quarters that have a day");

        for (from, to, batches_read) in [
            (Date::constant(2026, 4, 1), Date::constant(2026, 6, 30), (1, 0)),
            (Date::constant(2026, 4, 2), Date::constant(2026, 7, 1), (0, 2)),
            (Date::constant(2026, 3, 31), Date::constant(2026, 7, 1), (1, 2)),
            (Date::constant(2026, 10, 1), Date::constant(2030, 1, 1), (1, 0)),
            (Date::constant(2020, 1, 1), Date::constant(2025, 11, 19), (0, 0)),
            (Date::constant(2020, 1, 1), Date::constant(2025, 11, 20), (0, 1)),
        ] {
            assert_eq!(batches("one", Some(&(from..=to))), batches_read, "{from} to {to}");
            let rows = files.rows("one", Some(&(from..=to)), &["date"]).expect("rows");
            let mut found: Vec<Date> = Vec::new();
            for batch in &rows {
                let dates = Columns::of(batch).dates("date").expect("days");
                found.extend(dates.iter().map(|date| date_of(date.expect("a day")).expect("a day")));
            }
            found.sort();
            let expected: Vec<Date> =
                first.series(1.day()).take_while(|day| *day <= last).filter(|day| (from..=to).contains(day)).collect();
            assert_eq!(found, expected, "{from} to {to}");
        }
    }

    #[test]
    fn rows_that_are_not_as_they_were_written_are_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = NewFile::in_folder(folder.path()).expect("a file");
        file.take("one", &days(Date::constant(2026, 4, 1), Date::constant(2026, 4, 3)), &[]).expect("written");
        let file = file.finish().expect("written").expect("rows");
        let path = folder.path().join(&file.name);
        let whole = fs::read(&path).expect("a file");
        let read = || RollupFiles::open(folder.path(), std::slice::from_ref(&file)).expect("opened").rows("one", None, &["date", "n"]);
        let rows = read().expect("rows");
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        let (begin, length) = range(file.batches[0].at).expect("a place");
        let begin = usize::try_from(begin).expect("a place");
        for byte in begin..begin + length {
            let mut flipped = whole.clone();
            flipped[byte] ^= 4;
            fs::write(&path, flipped).expect("written");
            assert!(read().is_err(), "byte {byte}");
        }
        fs::write(&path, &whole[..begin + length - 1]).expect("written");
        assert!(read().is_err(), "a torn one");
        fs::write(&path, &whole).expect("written");
        assert_eq!(read().expect("rows"), rows);
    }
}
