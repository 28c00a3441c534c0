//! What the engine returns as plain data: Arrow ends here.

use crate::{
    StoreError,
    breakdown::Cells,
    events::{events, trees},
    firsts, people,
    values::Values,
};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, TimestampMicrosecondArray, UInt64Array},
        compute::cast,
        datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type},
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use jiff::{ToSpan, civil::Date};
use milepost_record::{
    ERROR_DAYS_MAX, Ecdf, ErrorDay, Evidence, Failure, Feedback, GROUPS_MAX, Groups, Kind, MISSES_MAX, Measure, MemorySample, MemoryTree,
    Miss, OperationDay, Question, Reading, Run, Subject, Timestamp, Understood,
};
use std::{cmp::Reverse, collections::BTreeMap, iter::repeat_n, mem};

/// The evidence in all that came back for a question.
fn of(question: &Question, batches: &[RecordBatch]) -> Result<Evidence, StoreError> {
    let batches: Vec<Columns<'_>> = batches.iter().map(Columns).collect();
    Ok(match &question.subject {
        // These are taken in while rows come in.
        Subject::Operations { .. } | Subject::PeakMemory { .. } | Subject::Breakdown | Subject::Sessions => {
            return Err(StoreError::Shape("rows"));
        }
        Subject::Misses { .. } => Evidence::Misses(misses(&batches)?),
        Subject::Memory => Evidence::Memory(limited(memory(&batches)?, |runs| runs.iter().map(|r| r.samples.len() as u64).sum())),
        Subject::MemoryTrees => Evidence::MemoryTrees(memory_trees(&batches)?),
        Subject::Measurement { .. } => Evidence::Measurement(limited(measurements(&batches)?, |readings| readings.len() as u64)),
        Subject::ErrorDays => Evidence::ErrorDays(error_days(&batches)?),
        Subject::Failures => Evidence::Failures(failures(&batches)?),
        Subject::FirstSessions => Evidence::FirstSessions(firsts::first_sessions(&batches)?),
        Subject::Interactions => Evidence::Interactions(understood(&batches)?),
        Subject::Returns => Evidence::Returns(people::returns(&batches)?),
        Subject::Measurements { .. } => {
            let of_batch = batches.iter().map(|columns| events(Kind::Measurement, columns.0));
            Evidence::Measurements(of_batch.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Subject::Feedback => Evidence::Feedback(feedback(&batches)?),
        Subject::Scores => Evidence::Scores(scores(&batches)?),
    })
}

type ByGroup<T> = BTreeMap<Option<String>, Vec<T>>;

/// Keeps the largest groups, and returns how many were left out.
fn keep_largest<T>(groups: &mut BTreeMap<Option<String>, Vec<T>>, size: impl Fn(&[T]) -> u64) -> u64 {
    if groups.len() <= GROUPS_MAX {
        return 0;
    }
    let mut names: Vec<_> = groups.iter().map(|(name, of_group)| (Reverse(size(of_group)), name.clone())).collect();
    names.sort();
    let beyond = names.split_off(GROUPS_MAX);
    for (_, name) in &beyond {
        groups.remove(name);
    }
    beyond.len() as u64
}

fn limited<T>(mut groups: ByGroup<T>, size: impl Fn(&[T]) -> u64) -> Groups<T> {
    let folded = keep_largest(&mut groups, size);
    Groups { groups, folded }
}

/// The answer to a question, with each of some limits, while the rows of its statement come in. What may have a million groups is not kept
/// until all are there.
pub(crate) enum Taking {
    Operations { value: &'static str, days: Days },
    Breakdown(Box<Cells>),
    Activity(people::Activity),
    Counts { question: Box<Question>, counts: Counts },
    Whole { question: Box<Question>, batches: Vec<RecordBatch> },
}

impl Taking {
    /// `within` are the columns that count what is within each of its limits; `is_rolled` says whether the rows are of a rollup, `is_total`
    /// whether it need not be told which day a value is of.
    pub(crate) fn of(question: &Question, within: Vec<String>, is_rolled: bool, is_total: bool) -> Self {
        let days = |within| Days { within, is_rolled, is_total, ..Days::default() };
        match &question.subject {
            Subject::Returns if is_rolled => Self::Activity(people::Activity::default()),
            Subject::Misses { .. } | Subject::ErrorDays if is_rolled => {
                Self::Counts { question: Box::new(question.clone()), counts: Counts::default() }
            }
            Subject::Operations { .. } => Self::Operations { value: "duration_us", days: days(within) },
            Subject::PeakMemory { .. } => Self::Operations { value: "peak_bytes", days: days(within) },
            Subject::Breakdown => Self::Breakdown(Box::default()),
            _ => Self::Whole { question: Box::new(question.clone()), batches: Vec::new() },
        }
    }

    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        match self {
            Self::Operations { value, days } => days.take(&Columns(batch), value),
            Self::Breakdown(cells) => cells.take(&Columns(batch)),
            Self::Activity(activity) => activity.take(&Columns(batch)),
            Self::Counts { question, counts } => counts.take(&Columns(batch), &question.subject),
            Self::Whole { batches, .. } => {
                batches.push(batch.clone());
                Ok(())
            }
        }
    }

    /// The evidence with each of these limits, by their index; the limit changes nothing but how many are within it.
    pub(crate) fn evidence(self, limits: &[Option<usize>]) -> Result<Vec<Evidence>, StoreError> {
        let same = match self {
            Self::Operations { days, .. } => {
                let evidence = if days.is_total { Evidence::Totals } else { Evidence::Operations };
                return Ok(days.all(limits).into_iter().map(evidence).collect());
            }
            Self::Breakdown(cells) => Evidence::Breakdown(cells.all()),
            Self::Activity(activity) => Evidence::Returns(activity.returns()?),
            Self::Counts { question, counts } => counts.evidence(&question.subject)?,
            Self::Whole { question, batches } => of(&question, &batches)?,
        };
        Ok(repeat_n(same, limits.len()).collect())
    }
}

/// The days of operations by group. Rows of events come by group and day: a group is complete once the next begins, so one that is not among
/// the largest then never will be. Those of a rollup, which has not so many, come in any order.
#[derive(Default)]
pub(crate) struct Days {
    groups: ByGroup<Counted>,
    folded: u64,
    /// The columns that count what is within each limit.
    within: Vec<String>,
    /// The group that is being read.
    last: Option<Option<String>>,
    is_rolled: bool,
    /// Whether it need not be told which day a value is of.
    is_total: bool,
}

/// A day, how many of its operations are within each limit, and the durations of all its rows so far.
struct Counted {
    day: OperationDay,
    within: Vec<u64>,
    durations: Vec<(u64, u64)>,
}

fn operations_of(days: &[Counted]) -> u64 {
    days.iter().map(|Counted { day, .. }| day.ok + day.failed).sum()
}

impl Counted {
    fn of(date: Date, oldest: Timestamp, newest: Timestamp, limits: usize) -> Self {
        let day = OperationDay {
            date,
            oldest,
            newest,
            ok: 0,
            failed: 0,
            timeouts: 0,
            cancelled: 0,
            dry_runs: 0,
            unmeasured: 0,
            within: 0,
            durations: Ecdf::default(),
        };
        Self { day, within: vec![0; limits], durations: Vec::new() }
    }
}

impl Days {
    fn take(&mut self, columns: &Columns<'_>, value: &'static str) -> Result<(), StoreError> {
        let (groups, ended) = (columns.texts("group")?, columns.texts("ended")?);
        let (dates, values) = (columns.dates("date")?, columns.values(value)?);
        let within = self.within.iter().map(|column| columns.within(column)).collect::<Result<Vec<_>, _>>()?;
        let (oldest, newest) = (columns.times("oldest")?, columns.times("newest")?);
        let mut next = 0;
        while next < columns.rows() {
            let begin = next;
            let group = text_at(&groups, begin);
            while next < columns.rows() && text_at(&groups, next) == group {
                next += 1;
            }
            if self.last.as_ref().is_none_or(|last| last.as_deref() != group) {
                if !self.is_rolled && self.groups.len() >= 2 * GROUPS_MAX {
                    self.folded += keep_largest(&mut self.groups, operations_of);
                }
                self.last = Some(group.map(str::to_owned));
            }
            let days: &mut Vec<Counted> = self.groups.entry(group.map(str::to_owned)).or_default();
            for row in begin..next {
                if dates.is_null(row) {
                    // A total, and its days came before it.
                    let first = days.first_mut().ok_or(StoreError::Shape("date"))?;
                    values.add_to(&mut first.durations, row)?;
                    continue;
                }
                let (date, oldest, newest) = (day(&dates, row)?, time(&oldest, row)?, time(&newest, row)?);
                let place = days.binary_search_by_key(&date, |counted| counted.day.date);
                let place = place.unwrap_or_else(|place| {
                    days.insert(place, Counted::of(date, oldest, newest, within.len()));
                    place
                });
                let Some(Counted { day, within: of_day, durations }) = days.get_mut(place) else { continue };
                day.oldest = day.oldest.min(oldest);
                day.newest = day.newest.max(newest);
                of_day.iter_mut().zip(&within).for_each(|(sum, within)| *sum += count(within, row));
                match text_at(&ended, row) {
                    Some("ok") => {
                        let (measured, unmeasured) = values.add_to(durations, row)?;
                        day.ok += measured + unmeasured;
                        day.unmeasured += unmeasured;
                    }
                    Some("failed") => day.failed += values.n(row),
                    Some("timeout") => {
                        let n = values.n(row);
                        day.failed += n;
                        day.timeouts += n;
                    }
                    Some("cancelled") => day.cancelled += values.n(row),
                    Some("dry_run") => day.dry_runs += values.n(row),
                    _ => return Err(StoreError::Shape("ended")),
                }
            }
        }
        Ok(())
    }

    fn all(mut self, limits: &[Option<usize>]) -> Vec<Groups<OperationDay>> {
        for Counted { day, durations, .. } in self.groups.values_mut().flatten() {
            day.durations = mem::take(durations).into();
        }
        self.folded += keep_largest(&mut self.groups, operations_of);
        let with_limit = |limit: &Option<usize>| {
            let of_day = |Counted { day, within, .. }: &Counted| {
                let within = limit.and_then(|limit| within.get(limit).copied()).unwrap_or(0);
                OperationDay { within, ..day.clone() }
            };
            let of_group = |(name, days): (&Option<String>, &Vec<Counted>)| (name.clone(), days.iter().map(of_day).collect());
            Groups { groups: self.groups.iter().map(of_group).collect(), folded: self.folded }
        };
        limits.iter().map(with_limit).collect()
    }
}

fn memory(batches: &[Columns<'_>]) -> Result<ByGroup<Run>, StoreError> {
    let mut groups = ByGroup::new();
    for columns in batches {
        let (group, run, process, measure) =
            (columns.text("group")?, columns.text("run")?, columns.text("process")?, columns.text("measure")?);
        let (every, bytes, cpu) = (columns.unsigned("every_us")?, columns.unsigned("bytes")?, columns.unsigned("cpu_us")?);
        let (at, complete) = (columns.times("at")?, columns.booleans("complete")?);
        for row in 0..columns.rows() {
            let run = run(row).ok_or(StoreError::Shape("run"))?;
            let runs: &mut Vec<Run> = groups.entry(group(row)).or_default();
            if runs.last().is_none_or(|last| last.run != run) {
                let measure = measure(row).and_then(|word| word.parse::<Measure>().ok()).ok_or(StoreError::Shape("measure"))?;
                let every_us = every.is_valid(row).then(|| every.value(row));
                runs.push(Run { run, process: process(row), measure, every_us, samples: Vec::new() });
            }
            let sample = MemorySample {
                at: time(&at, row)?,
                bytes: bytes.value(row),
                complete: complete.value(row),
                cpu_us: cpu.is_valid(row).then(|| cpu.value(row)),
            };
            if let Some(run) = runs.last_mut() {
                run.samples.push(sample);
            }
        }
    }
    for runs in groups.values_mut() {
        runs.sort_by_key(|run| run.samples.first().map(|s| s.at));
    }
    Ok(groups)
}

/// Which of the two is the peak is told by the bytes, since a UNION promises no order.
fn memory_trees(batches: &[Columns<'_>]) -> Result<Vec<MemoryTree>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (run, measure) = (columns.text("run")?, columns.text("measure")?);
        let (at, bytes, processes) = (columns.times("at")?, columns.unsigned("bytes")?, columns.unsigned("processes")?);
        let trees = trees(columns.0.column_by_name("tree").ok_or(StoreError::Shape("tree"))?)?;
        for (row, tree) in trees.into_iter().enumerate() {
            found.push(MemoryTree {
                run: run(row).ok_or(StoreError::Shape("run"))?,
                at: time(&at, row)?,
                bytes: bytes.value(row),
                measure: measure(row).and_then(|word| word.parse().ok()).ok_or(StoreError::Shape("measure"))?,
                processes: processes.is_valid(row).then(|| processes.value(row)),
                tree: tree.map(serde_json::from_value).transpose().map_err(|_| StoreError::Shape("tree"))?,
            });
        }
    }
    found.sort_by_key(|tree| (Reverse(tree.bytes), tree.at));
    Ok(found)
}

fn measurements(batches: &[Columns<'_>]) -> Result<ByGroup<Reading>, StoreError> {
    let mut groups = ByGroup::new();
    for columns in batches {
        let (group, unit, source, scope) = (columns.text("group")?, columns.text("unit")?, columns.text("source")?, columns.text("scope")?);
        let (at, value, people) = (columns.times("at")?, columns.numbers("value")?, columns.text("people")?);
        for row in 0..columns.rows() {
            let reading = Reading {
                at: time(&at, row)?,
                value: value.value(row),
                unit: unit(row),
                source: source(row),
                scope: scope(row),
                people: people(row).and_then(|people| people.parse().ok()),
            };
            groups.entry(group(row)).or_default().push(reading);
        }
    }
    // The newest came first, so that the limit cuts off the oldest.
    for readings in groups.values_mut() {
        readings.reverse();
    }
    Ok(groups)
}

fn misses(batches: &[Columns<'_>]) -> Result<Vec<Miss>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (operation, category, n) = (columns.text("operation")?, columns.text("category")?, columns.integers("n")?);
        for row in 0..columns.rows() {
            let operation = operation(row).ok_or(StoreError::Shape("operation"))?;
            found.push(Miss { operation, category: category(row), n: count(&n, row) });
        }
    }
    Ok(found)
}

fn error_days(batches: &[Columns<'_>]) -> Result<Vec<ErrorDay>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (date, category, n) = (columns.dates("date")?, columns.text("category")?, columns.integers("n")?);
        for row in 0..columns.rows() {
            found.push(ErrorDay { date: day(&date, row)?, category: category(row), n: count(&n, row) });
        }
    }
    Ok(found)
}

/// How many operations rows of a rollup count, by what they are told apart by: the day, or the operation, and the category.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<ToldApart, u64>);

/// Day, operation, and category: in the order of text, with what has none at the end, as statements have it.
type ToldApart = (Option<i32>, Option<String>, (bool, Option<String>));

impl Counts {
    fn take(&mut self, columns: &Columns<'_>, subject: &Subject) -> Result<(), StoreError> {
        let (category, n) = (columns.text("category")?, columns.integers("n")?);
        let date = matches!(subject, Subject::ErrorDays).then(|| columns.dates("date")).transpose()?;
        let operation = matches!(subject, Subject::Misses { .. }).then(|| columns.text("operation")).transpose()?;
        for row in 0..columns.rows() {
            let category = category(row);
            let key =
                (date.as_ref().map(|date| date.value(row)), operation.as_ref().and_then(|of| of(row)), (category.is_none(), category));
            *self.0.entry(key).or_default() += count(&n, row);
        }
        Ok(())
    }

    /// The most frequent, as many as there may be.
    fn evidence(self, subject: &Subject) -> Result<Evidence, StoreError> {
        let mut counts: Vec<_> = self.0.into_iter().collect();
        // What is as frequent stays in order.
        counts.sort_by_key(|(_, n)| Reverse(*n));
        if matches!(subject, Subject::ErrorDays) {
            let day = |((date, _, (_, category)), n): (ToldApart, u64)| Ok(ErrorDay { date: date_of(date.unwrap_or(0))?, category, n });
            return Ok(Evidence::ErrorDays(counts.into_iter().take(ERROR_DAYS_MAX).map(day).collect::<Result<_, StoreError>>()?));
        }
        let miss = |((_, operation, (_, category)), n): (ToldApart, u64)| {
            Ok(Miss { operation: operation.ok_or(StoreError::Shape("operation"))?, category, n })
        };
        Ok(Evidence::Misses(counts.into_iter().take(MISSES_MAX).map(miss).collect::<Result<_, StoreError>>()?))
    }
}

fn failures(batches: &[Columns<'_>]) -> Result<Vec<Failure>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (at, operation, backend) = (columns.times("at")?, columns.text("operation")?, columns.text("backend")?);
        let (outcome, category, text) = (columns.text("outcome")?, columns.text("category")?, columns.text("text")?);
        for row in 0..columns.rows() {
            found.push(Failure {
                at: time(&at, row)?,
                operation: operation(row).ok_or(StoreError::Shape("operation"))?,
                backend: backend(row),
                timeout: outcome(row).as_deref() == Some("timeout"),
                category: category(row),
                text: text(row),
            });
        }
    }
    Ok(found)
}

fn understood(batches: &[Columns<'_>]) -> Result<Vec<Understood>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (at, user, arm) = (columns.times("at")?, columns.text("user")?, columns.text("arm")?);
        let (modality, meant, recognized) = (columns.text("modality")?, columns.text("meant")?, columns.text("recognized")?);
        let of = |name| columns.unsigned(name);
        let (index, words, word_errors) = (of("index")?, of("words")?, of("word_errors")?);
        let value = |array: &UInt64Array, row| array.is_valid(row).then(|| array.value(row));
        for row in 0..columns.rows() {
            found.push(Understood {
                at: time(&at, row)?,
                user: user(row),
                arm: arm(row),
                modality: modality(row),
                index: value(&index, row),
                // Where nothing was recognised, the intent was not.
                right: meant(row).map(|meant| recognized(row) == Some(meant)),
                words: value(&words, row),
                word_errors: value(&word_errors, row),
            });
        }
    }
    Ok(found)
}

fn feedback(batches: &[Columns<'_>]) -> Result<Feedback, StoreError> {
    let mut found = Feedback::default();
    for columns in batches {
        let (notes, scores, mean) = (columns.integers("notes")?, columns.integers("scores")?, columns.numbers("mean_score")?);
        for row in 0..columns.rows() {
            let mean_score = mean.is_valid(row).then(|| mean.value(row));
            found = Feedback { notes: count(&notes, row), scores: count(&scores, row), mean_score };
        }
    }
    Ok(found)
}

fn scores(batches: &[Columns<'_>]) -> Result<Vec<(f64, u64)>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (score, n) = (columns.numbers("score")?, columns.integers("n")?);
        found.extend((0..columns.rows()).map(|row| (score.value(row), count(&n, row))));
    }
    Ok(found)
}

/// What a column of [`Columns::texts`] has in a row.
pub(crate) fn text_at(texts: &ArrayRef, row: usize) -> Option<&str> {
    let texts = texts.as_string::<i32>();
    texts.is_valid(row).then(|| texts.value(row))
}

pub(crate) fn count(array: &Int64Array, row: usize) -> u64 {
    u64::try_from(array.value(row)).unwrap_or(0)
}

pub(crate) fn time(array: &TimestampMicrosecondArray, row: usize) -> Result<Timestamp, StoreError> {
    Timestamp::from_microseconds(array.value(row)).ok_or(StoreError::Shape("at"))
}

pub(crate) fn day(array: &Date32Array, row: usize) -> Result<Date, StoreError> {
    date_of(array.value(row))
}

/// The date of a number of days since 1970.
pub(crate) fn date_of(days: i32) -> Result<Date, StoreError> {
    Date::constant(1970, 1, 1).checked_add(i64::from(days).days()).map_err(|_| StoreError::Shape("date"))
}

/// The number of a date, in days since 1970.
pub(crate) fn number_of(date: Date) -> Result<i32, StoreError> {
    let hours = date.duration_since(Date::constant(1970, 1, 1)).as_hours();
    i32::try_from(hours / 24).map_err(|_| StoreError::Shape("date"))
}

/// The columns of a batch by name, each as the type that is expected of it.
pub(crate) struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    pub(crate) const fn of(batch: &'a RecordBatch) -> Self {
        Self(batch)
    }

    pub(crate) fn within(&self, name: &str) -> Result<Int64Array, StoreError> {
        let array = self.0.column_by_name(name).ok_or(StoreError::Shape("within"))?;
        Ok(cast(array, &DataType::Int64).map_err(DataFusionError::from)?.as_primitive::<Int64Type>().clone())
    }

    pub(crate) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn column(&self, name: &'static str, of: &DataType) -> Result<ArrayRef, StoreError> {
        let array = self.0.column_by_name(name).ok_or(StoreError::Shape(name))?;
        Ok(cast(array, of).map_err(DataFusionError::from)?)
    }

    /// Text comes back in several layouts; all of them cast to this one, of [`DataType::Utf8`].
    pub(crate) fn texts(&self, name: &'static str) -> Result<ArrayRef, StoreError> {
        self.column(name, &DataType::Utf8)
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<impl Fn(usize) -> Option<String> + use<>, StoreError> {
        let array = self.texts(name)?;
        Ok(move |row| {
            let strings = array.as_string::<i32>();
            strings.is_valid(row).then(|| strings.value(row).to_owned())
        })
    }

    pub(crate) fn unsigned(&self, name: &'static str) -> Result<UInt64Array, StoreError> {
        Ok(self.column(name, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
    }

    pub(crate) fn integers(&self, name: &'static str) -> Result<Int64Array, StoreError> {
        Ok(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    /// The values of operations: the column of this name where the rows are of events, or those that a rollup lists.
    pub(crate) fn values(&self, name: &'static str) -> Result<Values, StoreError> {
        let n = self.integers("n")?;
        Ok(match self.0.column_by_name("values") {
            Some(packed) => {
                let lists = packed.as_binary_opt().ok_or(StoreError::Shape("values"))?.clone();
                Values::Packed { lists, measured: self.integers("measured")?, without: n }
            }
            None => Values::Same { value: self.unsigned(name)?, n },
        })
    }

    pub(crate) fn numbers(&self, name: &'static str) -> Result<Float64Array, StoreError> {
        Ok(self.column(name, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    pub(crate) fn dates(&self, name: &'static str) -> Result<Date32Array, StoreError> {
        Ok(self.column(name, &DataType::Date32)?.as_primitive::<Date32Type>().clone())
    }

    pub(crate) fn booleans(&self, name: &'static str) -> Result<BooleanArray, StoreError> {
        Ok(self.column(name, &DataType::Boolean)?.as_boolean().clone())
    }

    pub(crate) fn times(&self, name: &'static str) -> Result<TimestampMicrosecondArray, StoreError> {
        let of = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Ok(self.column(name, &of)?.as_primitive::<TimestampMicrosecondType>().clone())
    }
}
