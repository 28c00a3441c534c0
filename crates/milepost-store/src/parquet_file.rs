//! Files of Parquet that are no table of ours: the events of an export, and the rows of a file of somebody else.

use crate::{Person, Selection, Store, StoreError, events::events, parquet_claims as claims, sql, tables};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray},
        compute::{cast, filter_record_batch},
        datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt64Type},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    parquet::{
        arrow::{
            ArrowWriter, ProjectionMask,
            arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
            arrow_writer::ArrowWriterOptions,
        },
        basic::Compression,
        errors::ParquetError,
        file::properties::WriterProperties,
    },
};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Kind, Timestamp, limits};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    fs::File,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// How many rows of an export make one row group.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// How many rows are read at once.
const READ_ROWS: usize = 1024;
/// The most columns of a file that is read.
const COLUMNS_MAX: usize = 1000;

impl Store {
    /// Writes the events of one kind that a selection takes in, and that are of a person where one is given, as a file of Parquet with
    /// the columns of the kind's view, and returns how many they are.
    ///
    /// # Errors
    /// Where the engine fails or the output cannot be written.
    pub async fn write_parquet(
        &self,
        kind: Kind,
        selection: &Selection,
        person: Option<&Person>,
        output: impl Write + Send,
    ) -> Result<u64, StoreError> {
        let failed = |error: ParquetError| StoreError::Engine(error.into());
        let schema = plain(&tables::batch(kind, &[])?)?.schema();
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        // What every reader makes of Parquet's own types, and not what Arrow would rather have.
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(output, schema, options).map_err(failed)?;
        let mut rows = 0;
        for day in self.days(kind, selection).await? {
            for mut batch in self.run(&sql::of_day(kind, day, selection)).await? {
                if let Some(person) = person {
                    let theirs: BooleanArray = events(kind, &batch)?.iter().map(|event| Some(person.has(event))).collect();
                    batch = filter_record_batch(&batch, &theirs)?;
                }
                rows += batch.num_rows() as u64;
                writer.write(&plain(&batch)?).map_err(failed)?;
            }
        }
        writer.close().map_err(failed)?;
        Ok(rows)
    }
}

/// The same rows with their texts as plain texts.
fn plain(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let is_text = |of: &DataType| matches!(of, DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(_, _));
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let of = field.data_type();
        fields.push(if is_text(of) { Arc::new(Field::new(field.name(), DataType::Utf8, true)) } else { field.clone() });
        columns.push(if is_text(of) { cast(column, &DataType::Utf8)? } else { column.clone() });
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Why a file of somebody else cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("this is no Parquet that can be read: {0}")]
pub struct NotParquet(String);

impl From<ParquetError> for NotParquet {
    fn from(error: ParquetError) -> Self {
        Self(error.to_string())
    }
}

/// The rows of a file of somebody else, in order, a row group at a time: of each the values of its plain columns.
///
/// A moment is a text in RFC 3339, without a zone where the file has none; what is no number is null.
pub struct ParquetRows {
    columns: Vec<String>,
    nested: Vec<String>,
    rows: u64,
    file: File,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// The row group that is read next.
    group: usize,
    reader: Option<ParquetRecordBatchReader>,
    batch: Vec<Plain>,
    /// Of the batch, how many rows it has and which one is next.
    place: (usize, usize),
}

impl ParquetRows {
    /// Reads what a file says of itself.
    ///
    /// # Errors
    /// Where it is no Parquet, or larger than what is read.
    pub fn open(file: File) -> Result<Self, NotParquet> {
        claims::footer(&file).map_err(NotParquet)?;
        guarded(|| Self::described(file))
    }

    fn described(file: File) -> Result<Self, NotParquet> {
        // What Arrow would rather have is left unread: Parquet's own types say enough.
        let options = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let found = ArrowReaderMetadata::load(&file, options())?;
        let fields = found.schema().fields().clone();
        if fields.len() > COLUMNS_MAX {
            return Err(NotParquet(format!("it has {} columns, and at most {COLUMNS_MAX} are read", fields.len())));
        }
        let rows = u64::try_from(found.metadata().file_metadata().num_rows()).unwrap_or_default();
        // A text that stands once in the file and in a million rows takes its room once.
        let viewed = |field: &Arc<Field>| match field.data_type() {
            DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            _ => field.clone(),
        };
        let schema = Arc::new(Schema::new(fields.iter().map(viewed).collect::<Vec<_>>()));
        let metadata = ArrowReaderMetadata::try_new(found.metadata().clone(), options().with_schema(schema))?;
        let (plain, nested): (Vec<_>, Vec<_>) = (0..).zip(fields.iter()).partition(|(_, field)| is_plain(field.data_type()));
        let names = |of: &[(usize, &Arc<Field>)]| of.iter().map(|(_, field)| field.name().clone()).collect();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), plain.iter().map(|(index, _)| *index));
        let (columns, nested) = (names(&plain), names(&nested));
        Ok(Self { columns, nested, rows, file, metadata, mask, group: 0, reader: None, batch: Vec::new(), place: (0, 0) })
    }

    /// The names of the columns of which each row has a value.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The names of those that are left out, as their values are no plain ones.
    #[must_use]
    pub fn nested(&self) -> &[String] {
        &self.nested
    }

    /// How many rows the file says that it has.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The next batch that has rows.
    fn fill(&mut self) -> Result<bool, NotParquet> {
        while self.place.1 >= self.place.0 {
            let Some(reader) = &mut self.reader else {
                match self.next_group()? {
                    None => return Ok(false),
                    reader => self.reader = reader,
                }
                continue;
            };
            match reader.next().transpose().map_err(|error| NotParquet(error.to_string()))? {
                None => self.reader = None,
                Some(batch) => {
                    self.place = (batch.num_rows(), 0);
                    let columns: Result<_, ArrowError> = batch.columns().iter().map(Plain::of).collect();
                    self.batch = columns.map_err(|error| NotParquet(error.to_string()))?;
                }
            }
        }
        Ok(true)
    }

    /// The reader of the next row group, whose claims are looked at before.
    fn next_group(&mut self) -> Result<Option<ParquetRecordBatchReader>, NotParquet> {
        let Some(group) = self.metadata.metadata().row_groups().get(self.group) else { return Ok(None) };
        let read = (0..).zip(group.columns()).filter(|(leaf, _)| self.mask.leaf_included(*leaf)).map(|(_, column)| column);
        let mut places = Vec::new();
        for column in read {
            let at = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let (Ok(at), Ok(bytes)) = (u64::try_from(at), u64::try_from(column.compressed_size())) else {
                return Err(NotParquet("a column of it lies outside of the file".to_owned()));
            };
            places.push(at..at.saturating_add(bytes));
        }
        claims::row_group(&self.file, places.into_iter()).map_err(NotParquet)?;
        let file = self.file.try_clone().map_err(ParquetError::from)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let builder = builder.with_projection(self.mask.clone()).with_row_groups(vec![self.group]).with_batch_size(READ_ROWS);
        self.group += 1;
        Ok(Some(builder.build()?))
    }
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread ends nothing now, and is said in a sentence: it is no news for whoever reports panics.
#[must_use]
pub fn a_panic_is_expected() -> bool {
    IS_GUARDED.get()
}

/// What damage the reader does not expect ends the rows, and not the program.
fn guarded<T>(read: impl FnOnce() -> Result<T, NotParquet>) -> Result<T, NotParquet> {
    IS_GUARDED.set(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(false);
    read.unwrap_or_else(|_| Err(NotParquet("it is damaged in a way that its reader does not expect".to_owned())))
}

impl Iterator for ParquetRows {
    type Item = Result<Vec<Value>, NotParquet>;

    fn next(&mut self) -> Option<Self::Item> {
        match guarded(|| self.fill()) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                // What comes after is not read.
                (self.reader, self.group) = (None, usize::MAX);
                return Some(Err(error));
            }
        }
        let row = self.place.1;
        self.place.1 += 1;
        Some(Ok(self.batch.iter().map(|column| column.value(row)).collect()))
    }
}

fn is_plain(of: &DataType) -> bool {
    use DataType::{Boolean, Date32, Decimal32, Decimal64, Decimal128, Decimal256, Float16, Float32, Float64, Timestamp, Utf8, Utf8View};
    of.is_integer()
        || matches!(of, Boolean | Date32 | Float16 | Float32 | Float64 | Timestamp(_, _) | Utf8 | Utf8View)
        || matches!(of, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..))
}

/// A column of one of the few types that a value of JSON is made of.
enum Plain {
    Boolean(ArrayRef),
    Integer(ArrayRef),
    Unsigned(ArrayRef),
    Number(ArrayRef),
    Text(ArrayRef),
    Day(ArrayRef),
    /// Microseconds, and whether they are those of UTC.
    Moment(ArrayRef, bool),
}

impl Plain {
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Boolean => Self::Boolean(column.clone()),
            DataType::UInt64 => Self::Unsigned(column.clone()),
            of if of.is_integer() => Self::Integer(cast(column, &DataType::Int64)?),
            DataType::Utf8View => Self::Text(column.clone()),
            DataType::Date32 => Self::Day(cast(&cast(column, &DataType::Int32)?, &DataType::Int64)?),
            DataType::Timestamp(_, zone) => {
                let us = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                Self::Moment(cast(column, &us)?, zone.is_some())
            }
            _ => Self::Number(cast(column, &DataType::Float64)?),
        })
    }

    fn value(&self, row: usize) -> Value {
        match self {
            Self::Boolean(of) if of.is_valid(row) => json!(of.as_boolean().value(row)),
            Self::Integer(of) if of.is_valid(row) => json!(of.as_primitive::<Int64Type>().value(row)),
            Self::Unsigned(of) if of.is_valid(row) => json!(of.as_primitive::<UInt64Type>().value(row)),
            Self::Number(of) if of.is_valid(row) => json!(of.as_primitive::<Float64Type>().value(row)),
            Self::Text(of) if of.is_valid(row) => json!(cut(of.as_string_view().value(row))),
            Self::Day(of) if of.is_valid(row) => {
                let day = Date::constant(1970, 1, 1).checked_add(of.as_primitive::<Int64Type>().value(row).days());
                json!(day.ok().map(|day| day.to_string()))
            }
            Self::Moment(of, in_utc) if of.is_valid(row) => {
                let at = Timestamp::from_microseconds(of.as_primitive::<TimestampMicrosecondType>().value(row));
                let text = |at: Timestamp| {
                    if *in_utc { at.to_string() } else { at.to_jiff().to_zoned_datetime(TimeZone::UTC).datetime().to_string() }
                };
                json!(at.map(text))
            }
            _ => Value::Null,
        }
    }
}

/// No longer than a whole line may be: what is cut is too long for whatever reads it.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(limits::LINE_BYTES_MAX + 1)).unwrap_or(text)
}
