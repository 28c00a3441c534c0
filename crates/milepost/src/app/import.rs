//! `milepost import`: another system's records, row by row, or what a benchmark says.

mod desk;
mod sqlite;
mod told;

use self::{
    desk::Desk,
    sqlite::{Database, LEARNING, LEARNING_ATTRIBUTES},
    told::{Beside, told},
};
use super::{Failure, Workplace, print, printable, say};
use crate::cli::{Import, ImportFormat};
use milepost_collect::{
    error_category::Rules,
    import::{self, Columns, CsvRows, DOCUMENT_BYTES_MAX, Format, Ids, Line, NoMore, ROW_BYTES_MAX, Surroundings, Unsuitable},
};
use milepost_record::{Event, Identity, Kind, Timestamp, recording_is_off};
use milepost_store::{ParquetRows, a_panic_is_expected};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, BufRead, BufReader, Chain, Cursor, Read},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// So much of an input tells its format.
const HEAD_BYTES: u64 = 64 * 1024;
/// How many sorts of rows of JSON lines are remembered.
const SHAPES_MAX: usize = 64;
/// How many columns that are not recognised are remembered.
const LEFT_OUT_MAX: usize = 1000;
/// How deep the folders of criterion are looked at, and how many benchmarks are read.
const DEPTH_MAX: usize = 16;
const BENCHMARKS_MAX: usize = 10_000;
/// The largest file of criterion that is read, in bytes.
const RESULT_BYTES_MAX: u64 = 1024 * 1024;

pub(super) fn import(wishes: &Import, workplace: &Workplace) -> Result<ExitCode, Failure> {
    if let Some(variable) = recording_is_off().filter(|_| !wishes.dry_run) {
        say(&format!("not recorded: {variable} is set"));
        return Ok(ExitCode::SUCCESS);
    }
    let importing = Importing { wishes, workplace, rules: workplace.error_rules()? };
    let name = printable(&if wishes.file.as_os_str() == "-" { "standard input".to_owned() } else { wishes.file.display().to_string() });
    let in_file = |failure| match failure {
        Failure::Usage(what) => Failure::Usage(format!("{name}: {what}")),
        other => other,
    };
    let (format, desk, mut beside) = importing.run().map_err(in_file)?;
    desk.bar.finish_and_clear();
    desk.aside.say_the_rest();
    if format.is_benchmark() && wishes.kind != Kind::Operation {
        beside.notes.push("--kind is for rows, and said nothing here".to_owned());
    }
    print(&told(&format!("{name}: {format}"), &desk, &beside, workplace)?)?;
    Ok(ExitCode::from(if desk.aside.refused() > 0 { 2 } else { 0 }))
}

struct Importing<'a> {
    wishes: &'a Import,
    workplace: &'a Workplace,
    rules: Rules,
}

/// An input that was looked at.
struct Input {
    head: Vec<u8>,
    rest: Box<dyn Read>,
    /// Its length, where it is a file.
    bytes: Option<u64>,
    written: Timestamp,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::usage(format!("it cannot be read: {error}"));
        let (mut rest, bytes, written): (Box<dyn Read>, _, _) = if path.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), None, Timestamp::now())
        } else {
            let file = File::open(path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            (Box::new(file), metadata.is_file().then_some(metadata.len()), written(&metadata))
        };
        let mut head = Vec::new();
        rest.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        Ok(Self { head, rest, bytes, written })
    }

    fn into_reader(self) -> Chain<Cursor<Vec<u8>>, Box<dyn Read>> {
        Cursor::new(self.head).chain(self.rest)
    }
}

/// When a file was last written; now, where nothing tells that.
fn written(metadata: &fs::Metadata) -> Timestamp {
    let modified = metadata.modified().ok().filter(|_| metadata.is_file()).and_then(|modified| jiff::Timestamp::try_from(modified).ok());
    modified.map_or_else(Timestamp::now, Timestamp::from_jiff)
}

impl ImportFormat {
    const fn meant(self) -> Format {
        match self {
            Self::Jsonl => Format::Jsonl,
            Self::Csv => Format::Csv,
            Self::Parquet => Format::Parquet,
            Self::Sqlite => Format::Sqlite,
            Self::Hyperfine => Format::Hyperfine,
            Self::Bencher => Format::Bencher,
            Self::Criterion => Format::Criterion,
            Self::PytestBenchmark => Format::PytestBenchmark,
        }
    }
}

impl<'a> Importing<'a> {
    fn run(&self) -> Result<(Format, Desk<'a>, Beside), Failure> {
        let path = &self.wishes.file;
        let asked = self.wishes.format.map(ImportFormat::meant);
        if path.is_dir() {
            return match asked {
                None | Some(Format::Criterion) => self.criterion(path),
                Some(format) => Err(Failure::usage(format!("it is a folder, and no file of {format}"))),
            };
        }
        let input = Input::open(path)?;
        if input.head.trim_ascii().is_empty() {
            return Err(Failure::usage("it is empty: did what was to write it fail?"));
        }
        let unknown = || {
            Failure::usage(if input.head.trim_ascii_start().starts_with(b"[") {
                "it is one array of JSON: make it lines, as with `jq -c '.[]'`"
            } else {
                "it is none of the formats that are known: --format says which it is, and docs/import.md which there are"
            })
        };
        let format = asked.or_else(|| Format::of(&input.head)).ok_or_else(unknown)?;
        self.fits(format)?;
        let mut desk = self.desk(format)?;
        let beside = match format {
            Format::Jsonl => self.json_lines(input, &mut desk)?,
            Format::Csv => self.csv(input, &mut desk)?,
            Format::Parquet => self.parquet(input, &mut desk)?,
            Format::Sqlite => self.sqlite(&mut desk)?,
            Format::Criterion => return Err(Failure::usage("criterion's results are a folder: name target/criterion")),
            Format::Hyperfine | Format::Bencher | Format::PytestBenchmark => return self.document(format, input),
        };
        desk.flush()?;
        Ok((format, desk, beside))
    }

    /// Whether what was asked for goes with the format.
    fn fits(&self, format: Format) -> Result<(), Failure> {
        if self.wishes.sql.is_some() && format != Format::Sqlite {
            return Err(Failure::usage(format!("--sql is for databases of SQLite, and this is {format}")));
        }
        let is_command = |(name, column): &(String, String)| format == Format::Hyperfine && name == "operation" && column == "command";
        if format.is_benchmark() && !self.wishes.map.iter().all(is_command) {
            return Err(Failure::usage(format!("--map is for rows, and {format} has none; of hyperfine there is operation=command")));
        }
        Ok(())
    }

    fn desk(&self, format: Format) -> Result<Desk<'a>, Failure> {
        let noun = if matches!(format, Format::Jsonl | Format::Csv) { "line" } else { "row" };
        Desk::open(self.workplace, self.wishes, noun, false)
    }

    /// Does something with what a row needs beside itself.
    fn with_surroundings<T>(&self, identity: &Identity, work: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let pseudonym = |name: &str| Desk::pseudonym(identity, name);
        work(&Surroundings { zone: &self.workplace.config.criteria.calendar, rules: &self.rules, pseudonym: &pseudonym })
    }

    fn columns(&self, names: &[String]) -> Result<Columns, Failure> {
        Columns::new(self.wishes.kind, names, &self.wishes.map).map_err(|unsuitable| Failure::usage(printable(&unsuitable.to_string())))
    }

    /// One row of a table.
    fn row(&self, table: &mut Table, desk: &mut Desk<'_>, number: u64, row: Result<Vec<Value>, String>) -> Result<(), Failure> {
        let row = match row {
            Ok(row) => row,
            Err(wrong) => return desk.refuse(number, &wrong, ""),
        };
        let id = table.ids.next(&table.format.to_string(), table.columns.named(&row));
        let event = self.with_surroundings(desk.identity(), |around| table.columns.event(&row, around));
        desk.take(number, event.map(|event| with_id(event, id)), || table.columns.impersonal(&row))
    }

    fn csv(&self, input: Input, desk: &mut Desk<'_>) -> Result<Beside, Failure> {
        desk.expect(input.bytes, true);
        let (head, bar) = (input.head.clone(), desk.bar.clone());
        let no_more = |error: NoMore| Failure::usage(format!("{error}; nothing after it is read"));
        let rows = CsvRows::new(&head, bar.wrap_read(input.into_reader())).map_err(no_more)?;
        let columns = self.columns(rows.names())?;
        let mut table = Table { format: Format::Csv, columns, ids: Ids::default() };
        for row in rows {
            match row {
                Ok((line, row)) => self.row(&mut table, desk, line, row)?,
                Err(error) => {
                    desk.flush()?;
                    return Err(no_more(error));
                }
            }
        }
        Ok(table.beside())
    }

    fn parquet(&self, input: Input, desk: &mut Desk<'_>) -> Result<Beside, Failure> {
        if input.bytes.is_none() {
            return Err(Failure::usage("Parquet is read from its end, so it has to be a file"));
        }
        let unreadable = |error: &dyn std::fmt::Display| Failure::usage(printable(&error.to_string()));
        let file = File::open(&self.wishes.file).map_err(|error| unreadable(&error))?;
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !a_panic_is_expected() {
                before(info);
            }
        }));
        let mut rows = ParquetRows::open(file).map_err(|error| unreadable(&error))?;
        desk.expect(Some(rows.rows()), false);
        let mut table = Table { format: Format::Parquet, columns: self.columns(rows.columns())?, ids: Ids::default() };
        let mut number = 0;
        for row in rows.by_ref() {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    desk.flush()?;
                    return Err(Failure::usage(printable(&format!("{error}; nothing after row {number} is read"))));
                }
            };
            number += 1;
            desk.bar.inc(1);
            self.row(&mut table, desk, number, Ok(row))?;
        }
        let mut beside = table.beside();
        beside.left_out.extend(rows.nested().iter().cloned());
        Ok(beside)
    }

    fn sqlite(&self, desk: &mut Desk<'_>) -> Result<Beside, Failure> {
        if self.wishes.file.as_os_str() == "-" {
            return Err(Failure::usage("a database has to be a file"));
        }
        let database = Database::open(&self.wishes.file)?;
        let learning = if self.wishes.sql.is_none() { database.learning()? } else { None };
        let is_learning = learning.is_some();
        let Some(sql) = self.wishes.sql.clone().or(learning) else {
            let tables: Vec<_> = database.tables()?.iter().map(|name| printable(name)).collect();
            let tables = if tables.is_empty() { "none".to_owned() } else { tables.join(", ") };
            return Err(Failure::usage(format!("--sql has to say which rows, as --sql 'SELECT … FROM …'; its tables are: {tables}")));
        };
        desk.expect(None, false);
        let columns = |names: &[String]| {
            let columns = if is_learning {
                let columns = Columns::new(Kind::Interaction, names, &self.wishes.map);
                columns.map_err(|unsuitable| Failure::usage(printable(&unsuitable.to_string())))?.keeping(LEARNING_ATTRIBUTES)
            } else {
                self.columns(names)?
            };
            Ok(Table { format: Format::Sqlite, columns, ids: Ids::default() })
        };
        let table = database.rows(&sql, columns, |table, number, row| {
            desk.bar.inc(1);
            self.row(table, desk, number, Ok(row))
        })?;
        let mut beside = table.beside();
        if is_learning {
            beside.notes.push(format!(
                "`{LEARNING}` of Nix for Humanity: intents become interactions. `success` and `helpful` are kept as attributes, since \
                 neither says that the intent was right (`milepost label` does); `response` is left out"
            ));
        }
        Ok(beside)
    }

    fn json_lines(&self, input: Input, desk: &mut Desk<'_>) -> Result<Beside, Failure> {
        desk.expect(input.bytes, true);
        let bar = desk.bar.clone();
        let mut reader = BufReader::new(bar.wrap_read(input.into_reader()));
        let mut shapes = Shapes::new(self);
        let mut number = 0;
        loop {
            let mut line = Vec::new();
            let unreadable = |error: io::Error| Failure::internal(format!("it cannot be read after line {number}: {error}"));
            let limit = ROW_BYTES_MAX as u64 + 1;
            if (&mut reader).take(limit).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
                break;
            }
            let ended = line.pop_if(|byte| *byte == b'\n').is_some();
            if !ended && line.len() as u64 == limit {
                reader.skip_until(b'\n').map_err(unreadable)?;
                number += 1;
                desk.refuse(number, &format!("the line is longer than {ROW_BYTES_MAX} bytes"), "")?;
                continue;
            }
            number += 1;
            match import::line(&line) {
                Ok(Line::Blank) => {}
                Ok(Line::Event(mut event, says)) => {
                    if event.id.is_none() {
                        event.id = Some(shapes.ids.next("event", says.iter().map(|(name, value)| (name.as_str(), value))));
                    }
                    desk.take(number, Ok(*event), || String::from_utf8_lossy(&line).into_owned())?;
                }
                Ok(Line::Row(row)) => shapes.row(number, row, desk)?,
                Err(wrong) => {
                    let kept = if wrong.is_ours { String::from_utf8_lossy(&line) } else { "".into() };
                    desk.refuse(number, &wrong.why, &kept)?;
                }
            }
        }
        Ok(shapes.beside())
    }

    fn document(&self, format: Format, input: Input) -> Result<(Format, Desk<'a>, Beside), Failure> {
        let written = input.written;
        let mut bytes = Vec::new();
        let failed = |error: io::Error| Failure::usage(format!("it cannot be read: {error}"));
        input.into_reader().take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(Failure::usage(format!("it is larger than {} MiB, and no larger one is read", DOCUMENT_BYTES_MAX / (1024 * 1024))));
        }
        let text = String::from_utf8(bytes).map_err(|_| Failure::usage("it is not UTF-8"))?;
        let document = import::read(format, text.trim_start_matches('\u{feff}'), written, !self.wishes.map.is_empty());
        let document = document.map_err(|error| Failure::usage(printable(&error.to_string())))?;
        let mut beside = Beside { notes: document.notes, ..Beside::default() };
        if !document.tells_time {
            beside.notes.push("it does not say when: the time is when the file was last written".to_owned());
        }
        let desk = self.take_all(document.events, !document.tells_time)?;
        Ok((format, desk, beside))
    }

    fn criterion(&self, folder: &Path) -> Result<(Format, Desk<'a>, Beside), Failure> {
        self.fits(Format::Criterion)?;
        let mut results = Vec::new();
        find_results(folder, 0, &mut results)?;
        results.sort();
        let (mut ids, mut events, mut beside) = (Ids::default(), Vec::new(), Beside::default());
        for result in &results {
            let read = |name: &str| -> Result<(String, Timestamp), io::Error> {
                let path = result.join(name);
                let mut text = String::new();
                let file = File::open(&path)?;
                let metadata = file.metadata()?;
                file.take(RESULT_BYTES_MAX).read_to_string(&mut text)?;
                Ok((text, written(&metadata)))
            };
            let parsed = read("benchmark.json").and_then(|(benchmark, _)| Ok((benchmark, read("estimates.json")?)));
            let parsed = parsed.map_err(|error| error.to_string()).and_then(|(benchmark, (estimates, written))| {
                import::criterion(&benchmark, &estimates, written, &mut ids).map_err(|error| error.to_string())
            });
            match parsed {
                Ok(of_benchmark) => events.extend(of_benchmark),
                Err(wrong) => beside.notes.push(format!("{} is left out: {wrong}", result.display())),
            }
        }
        if events.is_empty() {
            return Err(Failure::usage("there is no result of criterion in this folder: it keeps them in target/criterion"));
        }
        beside.notes.push(
            "criterion's samples are of many iterations each, so they are no operations: mean and median become measurements, of the time \
             when they were last written"
                .to_owned(),
        );
        Ok((Format::Criterion, self.take_all(events, true)?, beside))
    }

    fn take_all(&self, events: Vec<Event>, any_day: bool) -> Result<Desk<'a>, Failure> {
        let mut desk = Desk::open(self.workplace, self.wishes, "result", any_day)?;
        for (number, event) in (1..).zip(events) {
            let checked = event.check().map_err(|invalid| invalid.to_string());
            desk.take(number, checked.map(|()| event), String::new)?;
        }
        desk.flush()?;
        Ok(desk)
    }
}

fn with_id(event: Event, id: String) -> Event {
    Event { id: Some(id), ..event }
}

/// A table whose columns are the same in each row.
struct Table {
    format: Format,
    columns: Columns,
    ids: Ids,
}

impl Table {
    fn beside(&self) -> Beside {
        Beside { left_out: self.columns.left_out().map(str::to_owned).collect(), notes: Vec::new() }
    }
}

/// Rows that name their columns each for itself.
struct Shapes<'a> {
    importing: &'a Importing<'a>,
    known: HashMap<Vec<String>, Result<Columns, Unsuitable>>,
    ids: Ids,
    left_out: BTreeSet<String>,
    mapped: BTreeSet<String>,
    rows: u64,
}

impl<'a> Shapes<'a> {
    fn new(importing: &'a Importing<'a>) -> Self {
        let (known, left_out, mapped) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { importing, known, ids: Ids::default(), left_out, mapped, rows: 0 }
    }

    fn row(&mut self, number: u64, row: serde_json::Map<String, Value>, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let (names, values): (Vec<String>, Vec<Value>) = row.into_iter().unzip();
        let Importing { wishes, .. } = self.importing;
        if !self.known.contains_key(&names) {
            if self.known.len() >= SHAPES_MAX {
                self.known.clear();
            }
            // A row may lack a name that others have.
            let map: Vec<_> = wishes.map.iter().filter(|(_, column)| names.contains(column)).cloned().collect();
            self.mapped.extend(map.iter().map(|(_, column)| column.clone()));
            let columns = Columns::new(wishes.kind, &names, &map);
            if let Ok(columns) = &columns {
                let room = LEFT_OUT_MAX - self.left_out.len();
                self.left_out.extend(columns.left_out().take(room).map(str::to_owned));
            }
            self.known.insert(names.clone(), columns);
        }
        self.rows += 1;
        let Some(columns) = self.known.get(&names) else { return Ok(()) };
        let columns = match columns {
            Ok(columns) => columns,
            // The first row tells whether the names are those that were meant.
            Err(unsuitable) if self.rows == 1 => return Err(Failure::usage(printable(&unsuitable.to_string()))),
            Err(unsuitable) => return desk.refuse(number, &unsuitable.to_string(), ""),
        };
        let id = self.ids.next(&Format::Jsonl.to_string(), columns.named(&values));
        let event = self.importing.with_surroundings(desk.identity(), |around| columns.event(&values, around));
        desk.take(number, event.map(|event| with_id(event, id)), || columns.impersonal(&values))
    }

    fn beside(self) -> Beside {
        let never = self.importing.wishes.map.iter().filter(|(_, column)| self.rows > 0 && !self.mapped.contains(column));
        let notes = never.map(|(_, column)| format!("no row has a column `{column}`")).collect();
        Beside { left_out: self.left_out, notes }
    }
}

/// The folders `new` of criterion's results. Links are not followed.
fn find_results(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::usage(format!("{} cannot be read: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_type().map_err(failed)?.is_dir() || depth >= DEPTH_MAX {
            continue;
        }
        let path = entry.path();
        if entry.file_name() == "new" && path.join("benchmark.json").is_file() {
            if found.len() >= BENCHMARKS_MAX {
                return Err(Failure::usage(format!("it has more than {BENCHMARKS_MAX} benchmarks")));
            }
            found.push(path);
        } else {
            find_results(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod bad_input;
