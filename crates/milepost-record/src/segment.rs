//! Segments as readers see them: lines, the events in them, and what had to be set aside.

use crate::{
    Event, Invalid, Newer, Timestamp, WIRE_VERSION,
    files::{SpoolError, failed, read_small},
    limits,
    spool::LAYOUT_VERSION,
    version::refuse_newer,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    string::FromUtf8Error,
    sync::Arc,
};

/// What is known of a sealed segment: the text of its `.json` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the spool's layout.
    pub version: u32,
    /// The segment's number: they are given in order and never twice.
    pub sequence: u64,
    /// Its length.
    pub bytes: u64,
    /// CRC32C of its bytes (Castagnoli's polynomial), eight hexadecimal digits.
    pub crc32c: String,
    /// When it was sealed.
    pub sealed_at: Timestamp,
}

impl Manifest {
    pub(crate) fn name(sequence: u64) -> String {
        format!("{sequence:020}.json")
    }
}

/// One segment, opened: it can be read to the length that it had then, whatever becomes of its name.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    bytes: u64,
    sequence: Option<u64>,
}

impl Segment {
    pub(crate) fn name(sequence: u64) -> String {
        format!("{sequence:020}.jsonl")
    }

    pub(crate) fn open(path: &Path) -> Result<Self, SpoolError> {
        let file = File::open(path).map_err(failed("open", path))?;
        let bytes = file.metadata().map_err(failed("read", path))?.len();
        let sequence = path.file_stem().and_then(|n| n.to_str()).and_then(|n| n.parse().ok());
        Ok(Self { path: path.to_owned(), file, bytes, sequence })
    }

    /// Where it was when it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it was when it was opened.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its number; `None` while it is still written.
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Refuses a segment that a newer Milepost sealed, or wrote an event into.
    ///
    /// # Errors
    /// Where one did ([`SpoolError::Newer`]), or the segment cannot be read.
    pub fn refuse_newer(&self) -> Result<(), SpoolError> {
        if let Some(text) = self.sequence.and_then(|sequence| read_small(&self.path.with_file_name(Manifest::name(sequence))).ok()) {
            refuse_newer(&self.path.with_extension("json"), text.as_bytes(), LAYOUT_VERSION.into())?;
        }
        for line in self.lines() {
            if let (_, Line::Text(text)) = line? {
                refuse_newer_event(&self.path, &text)?;
            }
        }
        Ok(())
    }

    /// Compares a sealed segment with its manifest. `Ok(None)`: it is as it was sealed, or not sealed yet; otherwise what
    /// is wrong, in words.
    ///
    /// # Errors
    /// Where a file cannot be read, or a newer Milepost sealed the segment.
    pub fn damage(&self) -> Result<Option<String>, SpoolError> {
        let Some(sequence) = self.sequence else { return Ok(None) };
        let path = self.path.with_file_name(Manifest::name(sequence));
        let text = match read_small(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some("its manifest is missing".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Ok(Some(format!("its manifest cannot be read: {error}")));
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        refuse_newer(&path, text.as_bytes(), LAYOUT_VERSION.into())?;
        let manifest: Manifest = match serde_json::from_str(&text) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Some(format!("its manifest cannot be read: {error}"))),
        };
        if manifest.bytes != self.bytes {
            return Ok(Some(format!("it has {} bytes and was sealed with {}", self.bytes, manifest.bytes)));
        }
        let found = crc32c(&self.file, &self.path)?;
        Ok((found != manifest.crc32c).then(|| format!("its CRC32C is {found} and was {} when it was sealed", manifest.crc32c)))
    }

    /// Its digest: CRC32C as its manifest has it, or of its bytes where the manifest cannot be read. With the number it tells
    /// which of two segments is meant that have the same number, as in a restored backup.
    ///
    /// # Errors
    /// Where the segment cannot be read, or a newer Milepost sealed it.
    pub fn digest(&self) -> Result<String, SpoolError> {
        if let Some(path) = self.sequence.map(|sequence| self.path.with_file_name(Manifest::name(sequence)))
            && let Ok(text) = read_small(&path)
        {
            refuse_newer(&path, text.as_bytes(), LAYOUT_VERSION.into())?;
            if let Ok(manifest) = serde_json::from_str::<Manifest>(&text) {
                return Ok(manifest.crc32c);
            }
        }
        crc32c(&self.file, &self.path)
    }

    /// The lines that are not empty, each with its offset in bytes.
    ///
    /// A last line without its line feed is torn in a sealed segment; in one that is still written, it is being written.
    pub fn lines(&self) -> impl Iterator<Item = Result<(u64, Line), SpoolError>> + '_ {
        self.lines_between(0, self.bytes)
    }

    /// The same of a part that begins and ends with a line.
    fn lines_between(&self, begin: u64, end: u64) -> impl Iterator<Item = Result<(u64, Line), SpoolError>> + '_ {
        let mut reader = BufReader::with_capacity(64 * 1024, Part { file: &self.file, at: begin, end });
        let mut offset = begin;
        std::iter::from_fn(move || {
            loop {
                let begin = offset;
                let mut line = Vec::new();
                let read = match (&mut reader).take((limits::LINE_BYTES_MAX as u64).saturating_add(1)).read_until(b'\n', &mut line) {
                    Ok(read) => read,
                    Err(error) => return Some(Err(failed("read", &self.path)(error))),
                };
                offset = offset.saturating_add(read as u64);
                let ended = line.pop_if(|b| *b == b'\n').is_some();
                if read == 0 {
                    return None;
                }
                if !ended && read > limits::LINE_BYTES_MAX {
                    match reader.skip_until(b'\n') {
                        Ok(skipped) => offset = offset.saturating_add(skipped as u64),
                        Err(error) => return Some(Err(failed("read", &self.path)(error))),
                    }
                    return Some(Ok((begin, Line::TooLong(String::from_utf8_lossy(&line).into_owned()))));
                }
                if !ended && self.sequence.is_none() {
                    return None;
                }
                if line.is_empty() {
                    continue;
                }
                let lossy = |error: FromUtf8Error| Line::NotUtf8(String::from_utf8_lossy(error.as_bytes()).into_owned());
                return Some(Ok((begin, String::from_utf8(line).map_or_else(lossy, Line::Text))));
            }
        })
    }

    /// The events in it and the lines that had to be set aside, in order.
    ///
    /// An event that says it happens more than five minutes after `now` is set aside: what is not yet cannot be counted.
    pub fn events(&self, now: Timestamp) -> impl Iterator<Item = Result<Event, Unreadable>> + '_ {
        self.events_between(0, self.bytes, now)
    }

    /// The segment in stretches of whole lines, each of about so many bytes, which can be read at the same time.
    ///
    /// # Errors
    /// Where the segment cannot be read.
    pub fn stretches(self: &Arc<Self>, bytes: u64) -> Result<Vec<Stretch>, SpoolError> {
        let (mut stretches, mut begin) = (Vec::new(), 0);
        while begin < self.bytes {
            let at = begin.saturating_add(bytes).min(self.bytes);
            let mut rest = BufReader::with_capacity(4096, Part { file: &self.file, at, end: self.bytes });
            let end = at.saturating_add(rest.skip_until(b'\n').map_err(failed("read", &self.path))? as u64);
            stretches.push(Stretch { segment: Arc::clone(self), begin, end });
            begin = end;
        }
        Ok(stretches)
    }

    fn events_between(&self, begin: u64, end: u64, now: Timestamp) -> impl Iterator<Item = Result<Event, Unreadable>> + '_ {
        let ahead = now.saturating_add(limits::AHEAD_MAX);
        self.lines_between(begin, end).map(move |line| {
            let (offset, line) = line.map_err(|error| self.unreadable(0, error.to_string(), String::new()))?;
            let text = match line {
                Line::Text(text) => text,
                Line::NotUtf8(text) => return Err(self.unreadable(offset, "the line is not UTF-8".to_owned(), text)),
                Line::TooLong(text) => {
                    let reason = format!("the line is longer than {} bytes", limits::LINE_BYTES_MAX);
                    return Err(self.unreadable(offset, reason, text));
                }
            };
            match Event::from_json(&text) {
                Err(Invalid::Version { v }) if v > WIRE_VERSION => {
                    let newer = Newer { path: self.path.clone(), found: v, reads: WIRE_VERSION };
                    Err(Unreadable { newer: Some(newer.into()), ..self.unreadable(offset, Invalid::Version { v }.to_string(), text) })
                }
                Err(invalid) => Err(self.unreadable(offset, invalid.to_string(), text)),
                Ok(event) if event.at > ahead => {
                    let reason = format!("it says that it happened at {}, which is in the future", event.at);
                    Err(Unreadable { ahead: Some(event.at), ..self.unreadable(offset, reason, text) })
                }
                Ok(event) => Ok(event),
            }
        })
    }

    fn unreadable(&self, offset: u64, reason: String, text: String) -> Unreadable {
        Unreadable { segment: self.path.clone(), offset, reason, text, ahead: None, newer: None }
    }
}

/// Some lines of a segment, one after the other.
#[derive(Clone, Debug)]
pub struct Stretch {
    segment: Arc<Segment>,
    begin: u64,
    end: u64,
}

impl Stretch {
    /// The events in it, as [`Segment::events`] has them.
    pub fn events(&self, now: Timestamp) -> impl Iterator<Item = Result<Event, Unreadable>> + '_ {
        self.segment.events_between(self.begin, self.end, now)
    }
}

/// A part of a file. Whoever reads another one is not disturbed.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let read = self.file.read_at(buffer.get_mut(..left.min(buffer.len())).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

/// A line of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its text.
    Text(String),
    /// It has bytes that are not UTF-8, replaced here.
    NotUtf8(String),
    /// It is longer than a line may be: its beginning.
    TooLong(String),
}

/// A line that is no event. It stays where it is, is counted, and stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The segment.
    pub segment: PathBuf,
    /// Where the line begins, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The line, as far as it can be shown.
    pub text: String,
    /// It is an event that is yet to come, at this moment.
    #[serde(skip)]
    pub ahead: Option<Timestamp>,
    /// Where it is an event that a newer Milepost wrote: no mistake, and nothing to set aside.
    #[serde(skip)]
    pub newer: Option<Box<Newer>>,
}

/// Refuses a line of a file that is an event of a newer Milepost.
pub(crate) fn refuse_newer_event(path: &Path, line: &str) -> Result<(), Newer> {
    match Event::version(line) {
        Err(Invalid::Version { v: found }) if found > WIRE_VERSION => Err(Newer { path: path.to_owned(), found, reads: WIRE_VERSION }),
        _ => Ok(()),
    }
}

/// CRC32C of a file's bytes, as eight hexadecimal digits.
pub(crate) fn crc32c(mut file: &File, path: &Path) -> Result<String, SpoolError> {
    file.rewind().map_err(failed("read", path))?;
    let mut digest = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(format!("{digest:08x}")),
            Ok(read) => digest = crc32c::crc32c_append(digest, buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read", path)(error)),
        }
    }
}
