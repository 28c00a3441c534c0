//! All operations that a question is about in one scan, to the last one.
//!
//! The engine reads; what it reads is added up here, by one thread for each part of the tables. Its own operators would group the same rows
//! once for each kind of figure, and keep each duration for each of the groups.
//!
//! Each operation is of one cell (operation, backend, day), and its duration is kept there once. What is asked of an operation, of a day
//! or of all is asked of the cells that it is made of: counts are added, and values that have a rank are selected among all of theirs.

use crate::{
    StoreError,
    answer::{Columns, date_of},
    calendar::Calendar,
    selection::{Values, at_ranks},
    sql,
    statements::{in_parts, limited, threads},
};
use datafusion::{
    arrow::{
        array::{Array, AsArray, StringViewArray},
        buffer::Buffer,
        datatypes::DataType,
        record_batch::RecordBatch,
    },
    common::HashMap,
    error::DataFusionError,
    execution::memory_pool::{MemoryConsumer, MemoryReservation},
    physical_plan::SendableRecordBatchStream,
    prelude::SessionContext,
};
use futures::StreamExt;
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{Exact, FAST_US, Question, Tally, Waits};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::task::JoinSet;

/// The statement that reads what is asked about, and no more of it.
fn statement(question: &Question) -> String {
    format!(
        "SELECT at, operation, backend, outcome, dry_run, duration_us, \"user\", error_category\nFROM operations\n{}",
        sql::condition(question)
    )
}

/// Answers the question by an engine that has `operations`; `ranks` says which ranks are wanted among the values of a tally.
pub(crate) async fn exact(
    engine: &SessionContext,
    question: &Question,
    ranks: impl Fn(&Tally) -> Vec<u64> + Sync,
) -> Result<Exact, StoreError> {
    let engine = in_parts(engine)?;
    let zone = TimeZone::get(&question.time_zone).unwrap_or(TimeZone::UTC);
    let pool = engine.runtime_env().memory_pool.clone();
    let mut running = JoinSet::new();
    for part in engine.sql(&statement(question)).await?.execute_stream_partitioned().await.map_err(limited)? {
        let memory = MemoryConsumer::new("exact report").register(&pool);
        running.spawn(Scan::new(zone.clone(), memory).whole(part));
    }
    let mut scans = Vec::new();
    while let Some(scan) = running.join_next().await {
        scans.push(scan.map_err(|error| DataFusionError::External(error.into()))??);
    }
    Scans(scans).exact(question, &ranks)
}

/// A text that is not there.
const NONE: u32 = u32::MAX;

/// The texts of a column as numbers, in the order in which they were first seen.
#[derive(Default)]
struct Codes {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, u32>,
    /// What stands for a text in the batches that share these buffers, as do those of one dictionary: it is compared instead of the text.
    by_view: HashMap<u128, u32>,
    buffers: Vec<Buffer>,
    bytes: usize,
}

impl Codes {
    /// The number of each text of a batch.
    fn of(&mut self, texts: &StringViewArray, codes: &mut Vec<u32>) -> Result<(), StoreError> {
        let buffers = texts.data_buffers();
        if buffers.len() != self.buffers.len() || buffers.iter().zip(&self.buffers).any(|(new, old)| !new.ptr_eq(old)) {
            self.by_view.clear();
            self.buffers = buffers.to_vec();
        }
        codes.clear();
        let mut last = None;
        for (row, view) in texts.views().iter().enumerate() {
            let code = match last {
                _ if texts.is_null(row) => NONE,
                Some((of_last, code)) if of_last == *view => code,
                _ => match self.by_view.get(view) {
                    Some(code) => *code,
                    None => {
                        let code = self.of_text(texts.value(row))?;
                        self.by_view.insert(*view, code);
                        code
                    }
                },
            };
            if code != NONE {
                last = Some((*view, code));
            }
            codes.push(code);
        }
        Ok(())
    }

    fn of_text(&mut self, text: &str) -> Result<u32, StoreError> {
        if let Some(code) = self.by_name.get(text) {
            return Ok(*code);
        }
        let code = next(self.names.len())?;
        let name: Arc<str> = text.into();
        self.bytes += text.len() + BYTES_OF_NAME;
        self.names.push(Arc::clone(&name));
        self.by_name.insert(name, code);
        Ok(code)
    }

    fn name(&self, code: u32) -> Option<&str> {
        self.names.get(usize::try_from(code).ok()?).map(AsRef::as_ref)
    }
}

/// About how much a name takes beside its letters: in the list, in the map, and in front of the letters.
const BYTES_OF_NAME: usize = 80;

/// The number of one more thing of which there are so many.
fn next(n: usize) -> Result<u32, StoreError> {
    let too_many = || limited(DataFusionError::ResourcesExhausted("names".to_owned()));
    u32::try_from(n).ok().filter(|code| *code != NONE).ok_or_else(too_many)
}

/// The operations of one operation and backend on one day.
struct Cell {
    operation: u32,
    backend: u32,
    day: i32,
    ok: u64,
    failed: u64,
    durations: Values,
}

/// When somebody was first seen, and first succeeded. In microseconds since 1970.
#[derive(Clone, Copy)]
struct Person {
    first: i64,
    success: i64,
    /// The week in which the last event that was looked at was.
    week: i32,
}

/// The number of somebody, and of a week in which they were active.
type Active = (u32, i32);

const NOBODY: Person = Person { first: i64::MAX, success: i64::MAX, week: i32::MIN };

impl Person {
    fn join(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.success = self.success.min(other.success);
    }
}

/// The number of the week of a day, the first of which began on Monday, 29 December 1969.
const fn week_of(day: i32) -> i32 {
    (day + 3).div_euclid(7)
}

/// The Monday of a week.
fn monday(week: i32) -> Result<Date, StoreError> {
    date_of(week * 7 - 3)
}

/// What one thread has seen.
struct Scan {
    calendar: Calendar,
    memory: MemoryReservation,
    operations: Codes,
    backends: Codes,
    outcomes: Codes,
    categories: Codes,
    users: Codes,
    cells: Vec<Cell>,
    by_place: HashMap<(u32, u32, i32), u32>,
    errors: Vec<u64>,
    people: Vec<Person>,
    /// In which weeks people were active. Some of them more than once.
    weeks: Vec<Active>,
    /// How many of them there were when they were last looked through for what is there twice.
    weeks_known: usize,
    /// How much room durations take, in bytes.
    durations: usize,
}

/// The numbers of the texts of a batch, by column.
#[derive(Default)]
struct Coded {
    operations: Vec<u32>,
    backends: Vec<u32>,
    outcomes: Vec<u32>,
    categories: Vec<u32>,
    users: Vec<u32>,
}

impl Scan {
    fn new(zone: TimeZone, memory: MemoryReservation) -> Self {
        Self {
            calendar: Calendar::of(zone),
            memory,
            operations: Codes::default(),
            backends: Codes::default(),
            outcomes: Codes::default(),
            categories: Codes::default(),
            users: Codes::default(),
            cells: Vec::new(),
            by_place: HashMap::default(),
            errors: Vec::new(),
            people: Vec::new(),
            weeks: Vec::new(),
            weeks_known: 0,
            durations: 0,
        }
    }

    /// Takes in all that a part of the tables has.
    async fn whole(mut self, mut part: SendableRecordBatchStream) -> Result<Self, StoreError> {
        let mut coded = Coded::default();
        while let Some(batch) = part.next().await {
            self.take(&batch.map_err(limited)?, &mut coded)?;
            self.memory.try_resize(self.bytes()).map_err(limited)?;
        }
        Ok(self)
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let names: usize = [&self.operations, &self.backends, &self.outcomes, &self.categories, &self.users].iter().map(|c| c.bytes).sum();
        let cells = self.cells.capacity() * size_of::<Cell>() + self.by_place.capacity() * size_of::<((u32, u32, i32), u32)>();
        let people = self.people.capacity() * size_of::<Person>() + self.weeks.capacity() * size_of::<Active>();
        names + cells + people + self.durations
    }

    fn take(&mut self, batch: &RecordBatch, coded: &mut Coded) -> Result<(), StoreError> {
        let columns = Columns::of(batch);
        let (at, dry_runs, durations) = (columns.times("at")?, columns.booleans("dry_run")?, columns.unsigned("duration_us")?);
        self.operations.of(texts(batch, "operation")?, &mut coded.operations)?;
        self.backends.of(texts(batch, "backend")?, &mut coded.backends)?;
        self.outcomes.of(texts(batch, "outcome")?, &mut coded.outcomes)?;
        self.categories.of(texts(batch, "error_category")?, &mut coded.categories)?;
        self.users.of(texts(batch, "user")?, &mut coded.users)?;
        self.errors.resize(self.categories.names.len(), 0);
        self.people.resize(self.users.names.len(), NOBODY);
        // None where an operation is neither a success nor a failure.
        let is_ok: Vec<Option<bool>> = self.outcomes.names.iter().map(|outcome| ended(outcome)).collect();
        let has_dry_runs = dry_runs.null_count() < batch.num_rows();
        let mut last = None;
        for row in 0..batch.num_rows() {
            let is_ok = is_ok.get(index(coded.outcomes[row])).copied().flatten();
            let Some(is_ok) = is_ok.filter(|_| !(has_dry_runs && dry_runs.is_valid(row) && dry_runs.value(row))) else { continue };
            let moment = at.value(row);
            let day = self.calendar.day(moment)?;
            let place = (coded.operations[row], coded.backends[row], day);
            let cell = match last {
                Some((of_last, cell)) if of_last == place => cell,
                _ => self.cell(place)?,
            };
            last = Some((place, cell));
            if let Some(cell) = self.cells.get_mut(index(cell)) {
                cell.count(is_ok, durations.is_valid(row).then(|| durations.value(row)), &mut self.durations);
            }
            if !is_ok && let Some(n) = self.errors.get_mut(index(coded.categories[row])) {
                *n += 1;
            }
            let user = coded.users[row];
            if let Some(person) = self.people.get_mut(index(user)) {
                person.join(Person { first: moment, success: if is_ok { moment } else { i64::MAX }, week: 0 });
                let week = week_of(day);
                if person.week != week {
                    person.week = week;
                    self.weeks.push((user, week));
                }
            }
        }
        if self.weeks.len() > 2 * self.weeks_known + WEEKS_MIN {
            once(&mut self.weeks);
            self.weeks_known = self.weeks.len();
        }
        Ok(())
    }

    fn cell(&mut self, place: (u32, u32, i32)) -> Result<u32, StoreError> {
        if let Some(cell) = self.by_place.get(&place) {
            return Ok(*cell);
        }
        let cell = next(self.cells.len())?;
        let (operation, backend, day) = place;
        self.cells.push(Cell { operation, backend, day, ok: 0, failed: 0, durations: Values::default() });
        self.by_place.insert(place, cell);
        Ok(cell)
    }
}

/// Below so many, nobody looks for weeks that are there twice.
const WEEKS_MIN: usize = 1 << 20;

fn once<T: Ord>(items: &mut Vec<T>) {
    items.sort_unstable();
    items.dedup();
}

/// Where a number points to: nowhere, where it is of a text that is not there.
fn index(code: u32) -> usize {
    usize::try_from(code).unwrap_or(usize::MAX)
}

/// Whether an outcome is a success; None where it is neither that nor a failure.
fn ended(outcome: &str) -> Option<bool> {
    match outcome {
        "ok" => Some(true),
        "failed" | "timeout" => Some(false),
        _ => None,
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringViewArray, StoreError> {
    let column = batch.column_by_name(name).filter(|column| *column.data_type() == DataType::Utf8View);
    Ok(column.ok_or(StoreError::Shape(name))?.as_string_view())
}

impl Cell {
    fn count(&mut self, is_ok: bool, duration: Option<u64>, bytes: &mut usize) {
        if !is_ok {
            self.failed += 1;
            return;
        }
        self.ok += 1;
        if let Some(duration) = duration {
            *bytes += self.durations.push(duration);
        }
    }
}

/// What all threads have seen.
struct Scans(Vec<Scan>);

/// What is asked about, and the cells that it is made of.
struct Asked<'a> {
    of: Of,
    cells: Vec<&'a Cell>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    All,
    Operation(String),
    Backend(String, Option<String>),
    Day(i32),
}

impl Scans {
    fn exact(self, question: &Question, ranks: &(impl Fn(&Tally) -> Vec<u64> + Sync)) -> Result<Exact, StoreError> {
        let mut found = Exact::default();
        for (of, tally) in tallies(self.asked(question), ranks) {
            match of {
                Of::All => found.all = tally,
                Of::Operation(name) => _ = found.operations.insert(name, tally),
                Of::Backend(name, backend) => _ = found.backends.insert((name, backend), tally),
                Of::Day(day) => _ = found.days.insert(date_of(day)?, tally),
            }
        }
        for scan in &self.0 {
            for (code, n) in (0..).zip(&scan.errors) {
                if let Some(name) = scan.categories.name(code).filter(|_| *n > 0) {
                    *found.errors.entry(name.to_owned()).or_default() += n;
                }
            }
        }
        let (people, weeks) = self.people()?;
        found.waits = waits(&people, ranks);
        for ((first, weeks), n) in cohorts(weeks) {
            found.cohorts.insert((monday(first)?, weeks), n);
        }
        Ok(found)
    }

    fn asked(&self, question: &Question) -> Vec<Asked<'_>> {
        let mut asked: BTreeMap<Of, Vec<&Cell>> = BTreeMap::from([(Of::All, Vec::new())]);
        for scan in &self.0 {
            for cell in &scan.cells {
                let name = scan.operations.name(cell.operation).unwrap_or_default();
                let name = question.aliases.get(name).map_or(name, String::as_str).to_owned();
                let backend = scan.backends.name(cell.backend).map(str::to_owned);
                for of in [Of::All, Of::Operation(name.clone()), Of::Backend(name, backend), Of::Day(cell.day)] {
                    asked.entry(of).or_default().push(cell);
                }
            }
        }
        asked.into_iter().map(|(of, cells)| Asked { of, cells }).collect()
    }

    /// Everybody who was seen, and the weeks in which they were active, each once.
    fn people(self) -> Result<(Vec<Person>, Vec<Active>), StoreError> {
        let mut scans = self.0.into_iter();
        let Some(Scan { mut users, mut people, mut weeks, .. }) = scans.next() else { return Ok((Vec::new(), Vec::new())) };
        for other in scans {
            let mut codes = Vec::with_capacity(other.people.len());
            for (name, person) in other.users.names.iter().zip(other.people) {
                let code = users.of_text(name)?;
                people.resize(users.names.len(), NOBODY);
                if let Some(known) = people.get_mut(index(code)) {
                    known.join(person);
                }
                codes.push(code);
            }
            weeks.extend(other.weeks.into_iter().filter_map(|(user, week)| Some((*codes.get(index(user))?, week))));
        }
        once(&mut weeks);
        // Some were only seen in what does not count.
        people.retain(|person| person.first != i64::MAX);
        Ok((people, weeks))
    }
}

/// The tally of all that is asked about, by as many threads as there are processors.
fn tallies(asked: Vec<Asked<'_>>, ranks: &(impl Fn(&Tally) -> Vec<u64> + Sync)) -> Vec<(Of, Tally)> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(asked.len())));
    let work = || {
        let mut own = Vec::new();
        while let Some(Asked { of, cells }) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
            own.push((of.clone(), tally(cells, ranks)));
        }
        found.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    };
    thread::scope(|scope| (0..threads()).for_each(|_| _ = scope.spawn(work)));
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn tally(cells: &[&Cell], ranks: &impl Fn(&Tally) -> Vec<u64>) -> Tally {
    let mut tally = Tally::default();
    for cell in cells {
        tally.ok += cell.ok;
        tally.failed += cell.failed;
        tally.measured += cell.durations.len() as u64;
    }
    let values: Vec<&Values> = cells.iter().map(|cell| &cell.durations).collect();
    tally.ranked_us = at_ranks(&values, &ranks(&tally));
    tally
}

fn waits(people: &[Person], ranks: &impl Fn(&Tally) -> Vec<u64>) -> Waits {
    let (mut found, mut values) = (Waits::default(), Values::default());
    for person in people {
        let Ok(wait) = u64::try_from(person.success.saturating_sub(person.first)) else { continue };
        if person.success == i64::MAX {
            found.people.failed += 1;
            continue;
        }
        found.people.ok += 1;
        found.sum_us += u128::from(wait);
        found.within_30s += u64::from(wait < FAST_US);
        values.push(wait);
    }
    found.people.measured = found.people.ok;
    found.people.ranked_us = at_ranks(&[&values], &ranks(&found.people));
    found
}

/// How many people began in a week, and were active so many weeks after it. `weeks` are in order, and each is there once.
fn cohorts(weeks: Vec<Active>) -> BTreeMap<(i32, u32), u64> {
    let mut found: BTreeMap<(i32, u32), u64> = BTreeMap::new();
    let mut first = None;
    for (user, week) in weeks {
        let began = match first {
            Some((of_user, began)) if of_user == user => began,
            _ => week,
        };
        first = Some((user, began));
        *found.entry((began, week.abs_diff(began))).or_default() += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::{
        arrow::array::{StringViewBuilder, TimestampMicrosecondArray, UInt64Array, new_null_array},
        execution::memory_pool::{GreedyMemoryPool, MemoryPool},
    };

    /// Two texts of different arrays can have the same view: length, first letters, and the place in a buffer.
    #[test]
    fn a_text_keeps_its_number_and_no_other_gets_it() {
        let array = |texts: &[Option<&str>]| {
            let mut builder = StringViewBuilder::new();
            texts.iter().for_each(|text| builder.append_option(*text));
            builder.finish()
        };
        let (one, other) = ("a long name that ends with A", "a long name that ends with B");
        assert_eq!(array(&[Some(one)]).views()[0], array(&[Some(other)]).views()[0]);
        let (mut codes, mut found) = (Codes::default(), Vec::new());
        for (texts, expected) in [
            (vec![Some(one), None, Some("short")], vec![0, NONE, 1]),
            (vec![Some(other), Some(other), None, Some(other)], vec![2, 2, NONE, 2]),
            (vec![Some("short"), Some(one), Some(other)], vec![1, 0, 2]),
            (vec![None], vec![NONE]),
        ] {
            codes.of(&array(&texts), &mut found).expect("few");
            assert_eq!(found, expected, "{texts:?}");
        }
        assert_eq!((codes.name(2), codes.name(3), codes.name(NONE)), (Some(other), None, None));
    }

    #[test]
    fn what_takes_more_memory_than_there_is_says_so() {
        let n = 10_000;
        let mut names = StringViewBuilder::new();
        (0..n).for_each(|index| names.append_value(format!("operation {index}")));
        let texts = |of: &str| Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(of, n)));
        let batch = RecordBatch::try_from_iter([
            ("at", Arc::new(TimestampMicrosecondArray::from_value(0, n).with_timezone("UTC")) as _),
            ("operation", Arc::new(names.finish()) as _),
            ("backend", texts("native") as _),
            ("outcome", texts("ok") as _),
            ("dry_run", new_null_array(&DataType::Boolean, n)),
            ("duration_us", Arc::new(UInt64Array::from_value(1, n)) as _),
            ("user", new_null_array(&DataType::Utf8View, n)),
            ("error_category", new_null_array(&DataType::Utf8View, n)),
        ])
        .expect("a batch");
        let whole = |bytes: usize| {
            let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
            let scan = Scan::new(TimeZone::UTC, MemoryConsumer::new("test").register(&pool));
            let schema = batch.schema();
            let part = futures::stream::iter([Ok(batch.clone())]);
            let part = Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, part));
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(scan.whole(part)).map(|scan| scan.cells.len())
        };
        assert_eq!(whole(1 << 24).ok(), Some(n));
        assert!(matches!(whole(1 << 20), Err(StoreError::Memory(_))));
    }
}
