//! What a file of Parquet of somebody else claims of its own size, looked at before its reader is: that takes as much memory as is claimed,
//! and ends the program where it cannot have it.
//!
//! The footer and the header of each page are structs in the compact protocol of
//! [Thrift](https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md); the numbers of their fields are those of
//! [parquet.thrift](https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
};

/// The longest footer of a file that is read, in bytes.
const FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most columns of a file that is read, with those that only hold others.
const SCHEMA_MAX: u64 = 10_000;
/// How deep its columns may lie in each other.
const COLUMN_DEPTH_MAX: usize = 64;
/// The most row groups of a file that is read, as its reader has it.
const ROW_GROUPS_MAX: u64 = 32_767;
/// The longest header of a page.
const PAGE_HEADER_BYTES_MAX: u64 = 1024 * 1024;
/// The largest row group of a file that is read, in bytes, once it is not compressed any more.
const ROW_GROUP_BYTES_MAX: u64 = 1 << 30;
/// How much larger a page may become: what gzip does to a page of zeros.
const EXPANSION_MAX: u64 = 1100;
/// A page that becomes no larger than this may be of any kind.
const PAGE_BYTES_ANYWAY: u64 = 1024 * 1024;
/// How deep structs lie in each other; those of Parquet, ten at most.
const DEPTH_MAX: usize = 32;
/// The end of a file: the length of the footer, and a mark.
const TAIL_BYTES: u64 = 8;

const UNKNOWN: &str = "what it says of itself cannot be understood";

/// What is wrong with a file, in words.
pub(crate) type Wrong = String;

/// Looks at what the footer of a file claims.
pub(crate) fn footer(mut file: &File) -> Result<(), Wrong> {
    let bytes = file.metadata().map_err(unread)?.len();
    let Some(at) = bytes.checked_sub(TAIL_BYTES) else { return Err("it is shorter than any".to_owned()) };
    let mut tail = [0; TAIL_BYTES as usize];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut tail)).map_err(unread)?;
    let [a, b, c, d, mark @ ..] = tail;
    if mark != *b"PAR1" {
        return Err("it does not end as one: is it whole, and not encrypted?".to_owned());
    }
    let claimed = u64::from(u32::from_le_bytes([a, b, c, d]));
    if claimed > FOOTER_BYTES_MAX {
        return Err(format!("its footer has {claimed} bytes, and at most {FOOTER_BYTES_MAX} are read"));
    }
    let Some(at) = at.checked_sub(claimed) else { return Err(format!("its footer claims {claimed} bytes, and the file has {bytes}")) };
    file.seek(SeekFrom::Start(at)).map_err(unread)?;
    let mut walk = Walk { input: BufReader::new(file), left: claimed };
    walk.fields(0, |walk, field| match field {
        (2, of) => is(LIST, of).and_then(|()| walk.schema()),
        (4, of) => {
            is(LIST, of)?;
            let (of, groups) = walk.list()?;
            if groups > ROW_GROUPS_MAX {
                return Err(format!("it has {groups} row groups, and at most {ROW_GROUPS_MAX} are read"));
            }
            (0..groups).try_for_each(|_| walk.skip(of, 1))
        }
        (_, of) => walk.skip(of, 1),
    })
}

/// Looks at what the pages claim of the columns of one row group, whose bytes lie there in the file.
pub(crate) fn row_group(file: &File, columns: impl Iterator<Item = Range<u64>>) -> Result<(), Wrong> {
    let bytes = file.metadata().map_err(unread)?.len();
    let mut unpacked = 0_u64;
    let mut input = BufReader::new(file);
    for column in columns {
        if column.end > bytes {
            return Err("a column of it lies outside of the file".to_owned());
        }
        input.seek(SeekFrom::Start(column.start)).map_err(unread)?;
        let mut left = column.end.saturating_sub(column.start);
        while left > 0 {
            let header = left.min(PAGE_HEADER_BYTES_MAX);
            let mut walk = Walk { input, left: header };
            let page = walk.page()?;
            left = left.saturating_sub(header.saturating_sub(walk.left));
            input = walk.input;
            left = left.checked_sub(page.packed).ok_or("a page of it is larger than its column")?;
            if page.unpacked > PAGE_BYTES_ANYWAY && page.unpacked / EXPANSION_MAX > page.packed {
                return Err(format!("a page of {} bytes claims to become {}; with smaller pages it is read", page.packed, page.unpacked));
            }
            unpacked = unpacked.saturating_add(page.unpacked);
            if unpacked > ROW_GROUP_BYTES_MAX {
                return Err(format!("a row group has more than {ROW_GROUP_BYTES_MAX} bytes; with smaller row groups it is read"));
            }
            input.seek_relative(i64::try_from(page.packed).unwrap_or(i64::MAX)).map_err(unread)?;
        }
    }
    Ok(())
}

fn unread(error: io::Error) -> Wrong {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    }
}

/// What the header of a page claims, in bytes.
struct Page {
    unpacked: u64,
    packed: u64,
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I32: u8 = 5;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Its reader goes by the number of a field, whatever that is.
fn is(expected: u8, of: u8) -> Result<(), Wrong> {
    if of == expected { Ok(()) } else { Err(UNKNOWN.to_owned()) }
}

/// A walk through a struct, of which at most so many bytes are left.
struct Walk<R> {
    input: R,
    left: u64,
}

impl<R: Read> Walk<R> {
    fn page(&mut self) -> Result<Page, Wrong> {
        let (mut unpacked, mut packed, mut names) = (0, 0, 0);
        self.fields(0, |walk, (number, of)| match number {
            1 | 4 => walk.counted(of).map(drop),
            2 => walk.counted(of).map(|bytes| unpacked = bytes),
            3 => walk.counted(of).map(|bytes| packed = bytes),
            // Of data, of a dictionary, and of data as of version 2: how many, and numbers; then what is optional.
            5 | 7 | 8 => {
                is(STRUCT, of)?;
                let numbers = match number {
                    5 => 4,
                    7 => 2,
                    _ => 6,
                };
                walk.fields(1, |walk, (inner, of)| match inner {
                    1 if number == 7 => walk.counted(of).map(|n| names = n),
                    _ if (1..=numbers).contains(&inner) => walk.counted(of).map(drop),
                    // Whether it is sorted, or compressed.
                    _ if inner == numbers + 1 && number != 5 && !matches!(of, TRUE | FALSE) => Err(UNKNOWN.to_owned()),
                    _ => walk.skip(of, 2),
                })
            }
            6 => is(STRUCT, of).and_then(|()| walk.skip(of, 1)),
            _ => walk.skip(of, 1),
        })?;
        if names > unpacked {
            return Err(format!("a page of {unpacked} bytes claims to hold {names} values"));
        }
        Ok(Page { unpacked, packed })
    }

    /// A number that its reader takes for one of 32 bits; a checksum may be negative.
    fn counted(&mut self, of: u8) -> Result<u64, Wrong> {
        is(I32, of)?;
        let number = i32::try_from(self.signed()?).map_err(|_| UNKNOWN)?;
        // Less than nothing: its reader refuses it, where it matters.
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// The columns: each says how many of those that follow lie in it.
    fn schema(&mut self) -> Result<(), Wrong> {
        let (_, columns) = self.list()?;
        if columns > SCHEMA_MAX {
            return Err(format!("it has {columns} columns, and at most {SCHEMA_MAX} are read"));
        }
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..columns {
            while open.pop_if(|inside| *inside == 0).is_some() {}
            if let Some(inside) = open.last_mut() {
                *inside -= 1;
            }
            let mut inside = 0;
            self.fields(1, |walk, field| match field {
                (5, of) => {
                    inside = walk.counted(of)?;
                    if inside > columns { Err("its columns are not all there".to_owned()) } else { Ok(()) }
                }
                (_, of) => walk.skip(of, 2),
            })?;
            if inside > 0 {
                open.push(inside);
            }
            if open.len() > COLUMN_DEPTH_MAX {
                return Err(format!("its columns lie in each other more than {COLUMN_DEPTH_MAX} deep"));
            }
        }
        Ok(())
    }

    /// Each field of a struct, by its number and what it is.
    fn fields(&mut self, depth: usize, mut each: impl FnMut(&mut Self, (i64, u8)) -> Result<(), Wrong>) -> Result<(), Wrong> {
        if depth > DEPTH_MAX {
            return Err("what it says of itself lies in each other too deep".to_owned());
        }
        let mut number = 0_i64;
        loop {
            let head = self.byte()?;
            let (more, of) = (i64::from(head >> 4), head & 0x0F);
            if of == 0 {
                return Ok(());
            }
            number = if more == 0 { self.signed()? } else { number.saturating_add(more) };
            if i16::try_from(number).is_err() {
                return Err(UNKNOWN.to_owned());
            }
            each(self, (number, of))?;
        }
    }

    fn skip(&mut self, of: u8, depth: usize) -> Result<(), Wrong> {
        match of {
            // A Boolean that is a field is its type.
            TRUE | FALSE => Ok(()),
            3 => self.byte().map(drop),
            4 | I32 | 6 => self.number().map(drop),
            7 => self.pass(8),
            BINARY => self.number().and_then(|bytes| self.pass(bytes)),
            LIST | 10 => {
                let (of, n) = self.list()?;
                (0..n).try_for_each(|_| self.skip_inside(of, depth))
            }
            11 => {
                let n = self.number()?;
                let kinds = if n == 0 { 0 } else { self.byte()? };
                self.within(n)?;
                (0..n).try_for_each(|_| {
                    self.skip_inside(kinds >> 4, depth)?;
                    self.skip_inside(kinds & 0x0F, depth)
                })
            }
            STRUCT => self.fields(depth.saturating_add(1), |walk, (_, of)| walk.skip(of, depth.saturating_add(1))),
            _ => Err(UNKNOWN.to_owned()),
        }
    }

    /// A Boolean in a list has a byte of its own. Lists in lists are no deeper than structs may be.
    fn skip_inside(&mut self, of: u8, depth: usize) -> Result<(), Wrong> {
        match of {
            TRUE | FALSE => self.byte().map(drop),
            _ if depth > DEPTH_MAX => Err("what it says of itself lies in each other too deep".to_owned()),
            _ => self.skip(of, depth.saturating_add(1)),
        }
    }

    /// What a list is of, and how many: no more than there are bytes.
    fn list(&mut self) -> Result<(u8, u64), Wrong> {
        let head = self.byte()?;
        let n = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        self.within(n)?;
        Ok((head & 0x0F, n))
    }

    fn within(&self, n: u64) -> Result<(), Wrong> {
        if n > self.left { Err(format!("it claims {n} of something where {} bytes are left", self.left)) } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<u8, Wrong> {
        self.left = self.left.checked_sub(1).ok_or("what it says of itself has no end")?;
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(unread)?;
        Ok(byte[0])
    }

    fn number(&mut self) -> Result<u64, Wrong> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number in it has no end".to_owned())
    }

    fn signed(&mut self) -> Result<i64, Wrong> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Wrong> {
        self.within(bytes)?;
        self.left -= bytes;
        match io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink()).map_err(unread)? {
            passed if passed == bytes => Ok(()),
            _ => Err("it ends too early".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EXPANSION_MAX, PAGE_BYTES_ANYWAY, ROW_GROUP_BYTES_MAX, footer, row_group};
    use crate::ParquetRows;
    use datafusion::{
        arrow::array::{ArrayRef, Int64Array, RecordBatch},
        parquet::{
            arrow::ArrowWriter,
            basic::{Compression, ZstdLevel},
            file::properties::WriterProperties,
        },
    };
    use std::{fs::File, io::Write, iter, sync::Arc};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    fn number(number: u64) -> Vec<u8> {
        let rest = iter::successors(Some(number), |rest| (*rest >> 7 > 0).then_some(*rest >> 7));
        rest.map(|rest| (rest & 0x7F) as u8 | if rest >> 7 > 0 { 0x80 } else { 0 }).collect()
    }

    fn signed(positive: u64) -> Vec<u8> {
        number(positive << 1)
    }

    fn refused(of: &[u8], why: &str) {
        let length = u32::try_from(of.len()).expect("short").to_le_bytes();
        let file = file(&[b"PAR1", of, &length, b"PAR1"].concat());
        let said = footer(&file).expect_err("it is refused");
        assert!(said.contains(why), "{said}");
        let said = ParquetRows::open(file).err().expect("it is refused").to_string();
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn a_footer_cannot_claim_more_than_there_is() {
        // A list of structs that is the second or fourth field, of so many.
        let list = |n: u64| [vec![0x19, 0xFC], number(n)].concat();
        let column = |inside: u64| [vec![0x48, 1, b'c', 0x15], signed(inside), vec![0]].concat();
        let version = [0x15, 2];
        refused(&[&version, list((1 << 31) - 1).as_slice()].concat(), "it claims 2147483647 of something where");
        let rows = [0x16, 0];
        let one = [&version, list(1).as_slice(), &column(0), &rows].concat();
        refused(&[one.as_slice(), &list((1 << 31) - 1)].concat(), "it claims 2147483647 of something where");
        refused(&[one.as_slice(), &list(40_000), &[0; 40_000]].concat(), "it has 40000 row groups");
        refused(&[&version, list(20_000).as_slice(), &[0; 20_000]].concat(), "it has 20000 columns");
        refused(&[&version, list(9000).as_slice(), &column(1).repeat(9000)].concat(), "more than 64 deep");
        refused(&[&version, list(1).as_slice(), &column(2)].concat(), "its columns are not all there");
        refused(&[0x1C; 100], "too deep");
        refused(&[&[0x19], [0x19].repeat(100).as_slice()].concat(), "too deep");
        refused(&[0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], "it claims 4294967295 of something where 0 bytes are left");
        refused(&[0x16, 0x80], "what it says of itself has no end");
        let long = file(&[b"PAR1", 0xFFFF_FFFF_u32.to_le_bytes().as_slice(), b"PAR1"].concat());
        assert!(footer(&long).expect_err("it is refused").contains("its footer has 4294967295 bytes"));
        let early = file(&[b"PAR1", 1000_u32.to_le_bytes().as_slice(), b"PAR1"].concat());
        assert!(footer(&early).expect_err("it is refused").contains("its footer claims 1000 bytes, and the file has 12"));
        assert!(footer(&file(b"PAR1")).is_err());
    }

    /// A page of a dictionary.
    fn page(unpacked: u64, packed: u64, values: u64) -> Vec<u8> {
        let header = [vec![0x15, 4, 0x15], signed(unpacked), vec![0x15], signed(packed), vec![0x4C, 0x15], signed(values), vec![0, 0]];
        [header.concat(), vec![0; usize::try_from(packed).expect("short")]].concat()
    }

    fn pages(bytes: &[u8]) -> Result<(), String> {
        row_group(&file(bytes), iter::once(0..bytes.len() as u64))
    }

    #[test]
    fn a_page_cannot_claim_more_than_it_can_become() {
        assert_eq!(pages(&[page(40, 20, 10), page(PAGE_BYTES_ANYWAY, 20, 10)].concat()), Ok(()));
        assert_eq!(pages(&page(20_000 * EXPANSION_MAX, 20_000, 10)), Ok(()));
        let claims = |bytes: &[u8], why: &str| {
            let said = pages(bytes).expect_err("it is refused");
            assert!(said.contains(why), "{said}");
        };
        claims(&page(64 << 20, 4000, 10), "a page of 4000 bytes claims to become 67108864; with smaller pages it is read");
        claims(&page(40, 20, 1 << 30), "a page of 40 bytes claims to hold 1073741824 values");
        claims(&page(PAGE_BYTES_ANYWAY, 20, 10).repeat(1025), &format!("more than {ROW_GROUP_BYTES_MAX} bytes"));
        claims(&page(40, 20, 10)[..30], "a page of it is larger than its column");
        claims(&[0x15, 4, 0x16, 0xFE], "cannot be understood");
        claims(&[0x15; 3], "what it says of itself has no end");
        assert!(row_group(&file(&[0; 20]), iter::once(10..u64::MAX)).expect_err("it is refused").contains("lies outside"));
    }

    /// Zeros, in pages of that many bytes, and what is read of them: how many rows, or why none.
    fn read_of_zeros(page: usize) -> Result<usize, String> {
        const ROWS: usize = 300_000;
        let pages = WriterProperties::builder().set_data_page_size_limit(page).set_data_page_row_count_limit(usize::MAX);
        let packed = pages.set_dictionary_enabled(false).set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; ROWS]));
        let rows = RecordBatch::try_from_iter([("ms", zeros)]).expect("rows");
        let mut written = tempfile::tempfile().expect("a file");
        let mut writer = ArrowWriter::try_new(&mut written, rows.schema(), Some(packed)).expect("a writer");
        writer.write(&rows).expect("written");
        writer.close().expect("closed");
        let mut rows = ParquetRows::open(written).map_err(|error| error.to_string())?;
        rows.try_fold(0, |n, row| row.map(|_| n + 1)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_claims_of_a_row_group_are_looked_at_before_its_rows_are_read() {
        assert_eq!(read_of_zeros(512 * 1024), Ok(300_000));
        let said = read_of_zeros(usize::MAX).expect_err("it is refused");
        assert!(said.contains("claims to become 2400") && said.contains("with smaller pages it is read"), "{said}");
    }
}
