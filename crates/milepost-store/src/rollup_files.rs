//! The files that the rows of rollups lie in: a row group for each question and quarter of a year, its rows in the order of their days.

use crate::{
    StoreError,
    answer::{Columns, date_of, number_of},
    lake::{compressed, failed, sync},
    packed::{Packed, schema},
    rollups::RollupFile,
};
use bytes::{Buf, Bytes};
use datafusion::{
    arrow::{
        array::{AsArray, BooleanArray},
        datatypes::Date32Type,
        record_batch::RecordBatch,
    },
    parquet::{
        arrow::{
            ArrowWriter, ProjectionMask,
            arrow_reader::{
                ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
                RowFilter,
            },
        },
        basic::Compression,
        errors::ParquetError,
        file::{
            metadata::PageIndexPolicy,
            reader::{ChunkReader, Length},
            statistics::Statistics,
        },
        schema::types::ColumnPath,
    },
};
use jiff::civil::Date;
use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    ops::RangeInclusive,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
};

/// How many rows lie in one page: days that nobody asks about are passed over by the page.
const PAGE_ROWS: usize = 128;
/// In a file with a row group of more rows it is looked up where the pages begin.
const UNPAGED_ROWS: i64 = 4096;

/// A file of rows that is being written.
pub(crate) struct NewFile {
    folder: PathBuf,
    writer: ArrowWriter<tempfile::NamedTempFile>,
    rows: usize,
}

impl NewFile {
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make the folder", folder))?;
        let file = tempfile::Builder::new().prefix("rows-").suffix(".parquet").tempfile_in(folder).map_err(failed("write in", folder))?;
        let pages = compressed().into_builder().set_data_page_row_count_limit(PAGE_ROWS).set_write_batch_size(PAGE_ROWS);
        // Packed, and each its own: nothing is left to be saved.
        let values = ColumnPath::from("values");
        let pages =
            pages.set_column_compression(values.clone(), Compression::UNCOMPRESSED).set_column_dictionary_enabled(values, false).build();
        let writer = ArrowWriter::try_new(file, schema(), Some(pages)).map_err(in_parquet)?;
        Ok(Self { folder: folder.to_owned(), writer, rows: 0 })
    }

    /// Writes the rows of a question as row groups of their own; where there are none, as they are too many, `false` tells so.
    pub(crate) fn take(&mut self, key: &str, rows: Option<Packed>) -> Result<bool, StoreError> {
        let Some(rows) = rows else { return Ok(false) };
        for quarter in by_quarter(&rows.batch(key)?)? {
            self.writer.write(&quarter).and_then(|()| self.writer.flush()).map_err(in_parquet)?;
        }
        self.rows += rows.len();
        Ok(true)
    }

    /// Puts the file on the disk; none where it has no rows.
    pub(crate) fn finish(self) -> Result<Option<RollupFile>, StoreError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let Self { folder, writer, .. } = self;
        let mut file = writer.into_inner().map_err(in_parquet)?;
        file.flush().and_then(|()| file.as_file().sync_all()).map_err(failed("write in", &folder))?;
        let (_, path): (File, PathBuf) = file.keep().map_err(|error| failed("write in", &folder)(error.error))?;
        sync(&folder)?;
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or(StoreError::Shape("name"))?;
        Ok(Some(RollupFile { name, crc32c: digest(&bytes) }))
    }
}

/// Files of rows that are read.
#[derive(Debug)]
pub(crate) struct RollupFiles(Vec<Opened>);

#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
}

/// A part of a file, read at once: asking the disk for each page takes longer.
#[derive(Clone)]
struct Part {
    begin: u64,
    bytes: Bytes,
}

impl Part {
    /// Where these row groups lie.
    fn of<'a>(opened: &Opened, groups: impl Iterator<Item = &'a usize> + Clone) -> Result<Self, StoreError> {
        let columns = groups.filter_map(|group| opened.metadata.metadata().row_groups().get(*group));
        let ranges = || columns.clone().flat_map(|group| group.columns()).map(|column| column.byte_range());
        let begin = ranges().map(|(begin, _)| begin).min().unwrap_or_default();
        let end = ranges().map(|(begin, length)| begin.saturating_add(length)).max().unwrap_or_default();
        let length = opened.file.metadata().map_err(failed("read", &opened.path))?.len();
        let room = end.min(length).saturating_sub(begin);
        let mut bytes = vec![0; usize::try_from(room).map_err(|_| StoreError::Shape("rollup"))?];
        opened.file.read_exact_at(&mut bytes, begin).map_err(failed("read", &opened.path))?;
        Ok(Self { begin, bytes: bytes.into() })
    }

    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let from = start.checked_sub(self.begin).and_then(|from| usize::try_from(from).ok());
        let from =
            from.filter(|from| *from <= self.bytes.len()).ok_or_else(|| ParquetError::EOF(format!("nothing was read at {start}")))?;
        Ok(self.bytes.slice(from..))
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} end beyond what was read")));
        }
        Ok(bytes.slice(..length))
    }
}

impl RollupFiles {
    pub(crate) fn open(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, StoreError> {
        let opened = |path: PathBuf| {
            let file = File::open(&path).map_err(failed("open", &path))?;
            Ok(Opened { metadata: metadata(&file)?, file, path })
        };
        Ok(Self(paths.into_iter().map(opened).collect::<Result<_, StoreError>>()?))
    }

    /// Some columns of the rows that a question has under its key, in no particular order: of these days, or of all.
    pub(crate) fn rows(
        &self,
        key: &str,
        days: Option<&RangeInclusive<Date>>,
        columns: &[&str],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>>, StoreError> {
        let days = days.map(|days| Ok::<_, StoreError>(number_of(*days.start())?..=number_of(*days.end())?)).transpose()?;
        let mut readers = Vec::new();
        for opened in &self.0 {
            let (whole, cut) = groups(&opened.metadata, key, days.as_ref())?;
            let part = Part::of(opened, whole.iter().chain(&cut))?;
            for (groups, days) in [(whole, None), (cut, days.clone())].into_iter().filter(|(groups, _)| !groups.is_empty()) {
                readers.push(reader(part.clone(), &opened.metadata, groups, days, columns)?);
            }
        }
        Ok(readers.into_iter().flatten().map(|rows| Ok(rows?)))
    }
}

fn metadata(of: &File) -> Result<ArrowReaderMetadata, StoreError> {
    let load = |pages| ArrowReaderMetadata::load(of, ArrowReaderOptions::new().with_offset_index_policy(pages)).map_err(in_parquet);
    let metadata = load(PageIndexPolicy::Skip)?;
    let is_paged = metadata.metadata().row_groups().iter().any(|group| group.num_rows() > UNPAGED_ROWS);
    if is_paged { load(PageIndexPolicy::Optional) } else { Ok(metadata) }
}

fn reader(
    of: Part,
    metadata: &ArrowReaderMetadata,
    groups: Vec<usize>,
    days: Option<RangeInclusive<i32>>,
    columns: &[&str],
) -> Result<ParquetRecordBatchReader, StoreError> {
    let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(of, metadata.clone()).with_row_groups(groups);
    let of = |names: &[&str]| ProjectionMask::columns(reader.parquet_schema(), names.iter().copied());
    let (wanted, date) = (of(columns), of(&["date"]));
    if let Some(days) = days {
        let is_within = move |rows: RecordBatch| {
            let dates = rows.column(0).as_primitive::<Date32Type>();
            Ok(dates.iter().map(|date| date.map(|date| days.contains(&date))).collect::<BooleanArray>())
        };
        reader = reader.with_row_filter(RowFilter::new(vec![Box::new(ArrowPredicateFn::new(date, is_within))]));
    }
    reader.with_projection(wanted).build().map_err(in_parquet)
}

/// The rows of each quarter, of rows in the order of their days: most spans begin with one.
fn by_quarter(rows: &RecordBatch) -> Result<Vec<RecordBatch>, StoreError> {
    let dates = Columns::of(rows).dates("date")?;
    let quarter = |date: Option<i32>| Ok(date.map(date_of).transpose()?.map(|date| (date.year(), (date.month() - 1) / 3)));
    let quarters = dates.iter().map(quarter).collect::<Result<Vec<_>, StoreError>>()?;
    let (mut begin, mut parts) = (0, Vec::new());
    for same in quarters.chunk_by(|one, next| one == next) {
        parts.push(rows.slice(begin, same.len()));
        begin += same.len();
    }
    Ok(parts)
}

/// The row groups of a file that have rows of a question: those of which all days are asked about, and those of which some are. The key is
/// the first column, and the same in all rows of a group.
fn groups(of_file: &ArrowReaderMetadata, key: &str, days: Option<&RangeInclusive<i32>>) -> Result<(Vec<usize>, Vec<usize>), StoreError> {
    let (mut whole, mut cut) = (Vec::new(), Vec::new());
    for (index, group) in of_file.metadata().row_groups().iter().enumerate() {
        let statistics = |column: usize| group.columns().get(column).and_then(|column| column.statistics());
        let Some(Statistics::ByteArray(keys)) = statistics(0) else { return Err(StoreError::Shape("key")) };
        if keys.min_opt().is_none_or(|of_group| of_group.data() != key.as_bytes()) {
            continue;
        }
        let Some(days) = days else {
            whole.push(index);
            continue;
        };
        match statistics(1) {
            Some(Statistics::Int32(dates)) if dates.null_count_opt() == Some(0) => match dates.min_opt().zip(dates.max_opt()) {
                Some((first, last)) if last < days.start() || first > days.end() => {}
                Some((first, last)) if days.contains(first) && days.contains(last) => whole.push(index),
                _ => cut.push(index),
            },
            _ => cut.push(index),
        }
    }
    Ok((whole, cut))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(bytes))
}

fn in_parquet(error: ParquetError) -> StoreError {
    StoreError::Engine(error.into())
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
        let rows = async { Packed::of(SessionContext::new().sql(&rows).await?.execute_stream().await?.map_err(StoreError::from), 0).await };
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(rows).expect("rows").expect("few")
    }

    #[test]
    fn days_are_found_by_their_quarter() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, last) = (Date::constant(2025, 11, 20), Date::constant(2026, 11, 20));
        let mut file = NewFile::in_folder(folder.path()).expect("a file");
        for key in ["one", "other"] {
            assert!(file.take(key, Some(days(first, last))).expect("written"));
        }
        let name = file.finish().expect("written").expect("rows").name;
        let files = RollupFiles::open([folder.path().join(name)]).expect("opened");
        let (whole, cut) = groups(&files.0[0].metadata, "other", None).expect("groups");
        assert_eq!((whole.len(), cut.len()), (5, 0), "quarters that have a day");

        for (from, to, groups_read) in [
            (Date::constant(2026, 4, 1), Date::constant(2026, 6, 30), (1, 0)),
            (Date::constant(2026, 4, 2), Date::constant(2026, 7, 1), (0, 2)),
            (Date::constant(2026, 3, 31), Date::constant(2026, 7, 1), (1, 2)),
            (Date::constant(2026, 10, 1), Date::constant(2030, 1, 1), (1, 0)),
            (Date::constant(2020, 1, 1), Date::constant(2025, 11, 19), (0, 0)),
            (Date::constant(2020, 1, 1), Date::constant(2025, 11, 20), (0, 1)),
        ] {
            let numbers = number_of(from).expect("a day")..=number_of(to).expect("a day");
            let (whole, cut) = groups(&files.0[0].metadata, "one", Some(&numbers)).expect("groups");
            assert_eq!((whole.len(), cut.len()), groups_read, "{from} to {to}");
            let rows: Vec<RecordBatch> =
                files.rows("one", Some(&(from..=to)), &["date"]).expect("rows").map(|r| r.expect("rows")).collect();
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
}
