//! CSV: a line of names, then rows, as RFC 4180 has it; divided by commas, semicolons or tabs.

use super::{ROW_BYTES_MAX, beginning};
use csv::ByteRecord;
use serde_json::Value;
use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
    rc::Rc,
};

/// So much of the input is read ahead.
const AHEAD_BYTES: usize = 64 * 1024;

/// The rows of a table.
pub struct CsvRows<R> {
    reader: csv::Reader<Limited<R>>,
    names: Vec<String>,
    left: Rc<Cell<usize>>,
}

/// Why nothing after a row can be read.
#[derive(Debug)]
pub enum NoMore {
    /// The row that begins on this line has no end within [`ROW_BYTES_MAX`].
    TooLong(u64),
    /// The input fails.
    Input(io::Error),
}

impl fmt::Display for NoMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(line) => write!(f, "the row on line {line} has more than {ROW_BYTES_MAX} bytes: is a quotation mark left open?"),
            Self::Input(error) => error.fmt(f),
        }
    }
}

/// What the reader takes for one row is no more than this allows.
struct Limited<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = buffer.len().min(left);
        let read = self.input.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(left.saturating_sub(read));
        Ok(read)
    }
}

impl<R: Read> CsvRows<R> {
    /// Reads the names; `head` is how the input begins.
    ///
    /// # Errors
    /// Where there are none.
    pub fn new(head: &[u8], input: R) -> Result<Self, NoMore> {
        let left = Rc::new(Cell::new(ROW_BYTES_MAX + AHEAD_BYTES));
        let input = Limited { input, left: left.clone() };
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).buffer_capacity(AHEAD_BYTES).delimiter(delimiter(head));
        let mut this = Self { reader: builder.from_reader(input), names: Vec::new(), left };
        let mut names = ByteRecord::new();
        this.record(&mut names)?;
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').trim().to_owned();
        this.names = names.iter().map(name).collect();
        Ok(this)
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn record(&mut self, record: &mut ByteRecord) -> Result<bool, NoMore> {
        let line = self.reader.position().line();
        self.left.set(ROW_BYTES_MAX + AHEAD_BYTES);
        self.reader.read_byte_record(record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => NoMore::TooLong(line),
            csv::ErrorKind::Io(error) => NoMore::Input(error),
            other => NoMore::Input(io::Error::other(format!("{other:?}"))),
        })
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    /// The line on which a row begins, and its values, which are all texts; inside, what is wrong with it.
    type Item = Result<(u64, Result<Vec<Value>, String>), NoMore>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        match self.record(&mut record) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(Err(error)),
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = if record.len() == self.names.len() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map(Value::String);
            record.iter().map(text).collect::<Result<Vec<_>, _>>().map_err(|_| "the row is not UTF-8".to_owned())
        } else {
            Err(format!("the row has {} values, and there are {} columns", record.len(), self.names.len()))
        };
        Some(Ok((line, row)))
    }
}

/// What divides the names most often.
fn delimiter(head: &[u8]) -> u8 {
    let names = beginning(head).and_then(|text| text.lines().next()).unwrap_or_default();
    let count = |delimiter: u8| names.bytes().filter(|byte| *byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}
