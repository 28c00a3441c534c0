//! Answers from rollups: the same as from the events, to the last digit.
//!
//! A row of a rollup is what a question would count of one day, how often, and when first and last. Rows can be added, so an answer is
//! the rows of the days within the span; of the days that the span cuts, the events themselves; the events that the spool took in
//! since; and those of fixed samples, which may yet become proof and then count no more.

use crate::{
    StoreError,
    answer::{self, Columns, number_of},
    calendar,
    engine::{Engine, live_table},
    firsts::{self, Firsts},
    packed::{Packed, schema},
    people::{ACTIVE, BY_SOMEBODY, table},
    presence::{self, Presence},
    rollup_files::{Read, RollupFiles},
    rollups::{COUNTED, Keeps, Kept, Rollups},
    sql::{
        self, DURATION, ENDED, FAILED, PEAK, begins_anywhere, column_of, condition, date, group, of_filter, rounded, spanned, until, within,
    },
    statements::Within,
    values::{FIRST_DAY, Lists},
};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, BooleanArray, Int64Array},
        compute::{
            LexicographicalComparator, SortColumn, cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
        },
        datatypes::Schema,
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use futures::{StreamExt, TryStreamExt};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Dimension, FirstSession, Kind, Limit, Question, Sessions, Subject, Timestamp};
use std::{
    collections::BTreeSet,
    iter::repeat_n,
    sync::{Arc, OnceLock},
};
use tokio::task::spawn_blocking;

/// The rollups of a store, and what they do not count.
pub(crate) struct Rolled {
    rollups: Rollups,
    pub(crate) beside: Beside,
    /// None where they cannot be read.
    files: OnceLock<Option<RollupFiles>>,
}

/// Which events there are that rollups do not count.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// The kinds of which some are in no table yet.
    live: BTreeSet<Kind>,
    /// Whether any operation is of a fixed sample.
    pub(crate) has_samples: bool,
}

/// The rollup that answers a question with some limits.
pub(crate) struct FromRollup {
    rolled: Arc<Rolled>,
    kept: Kept,
    question: Question,
    limits: Vec<Limit>,
    is_exact: bool,
    /// Whether it need not be told which day a value is of.
    is_total: bool,
}

impl Beside {
    pub(crate) async fn of(engine: &Engine) -> Result<Self, StoreError> {
        let has_live = |kind: &Kind| engine.live(*kind).iter().any(|batch| batch.num_rows() > 0);
        let is_sampled = |batch: &RecordBatch| batch.column_by_name("sample").is_some_and(|sample| sample.null_count() < sample.len());
        let has_samples = engine.live(Kind::Operation).iter().any(is_sampled);
        let mut beside = Self { live: COUNTED.into_iter().filter(has_live).collect(), has_samples };
        // Most often the log tells that there are none without opening a file.
        if !beside.has_samples && engine.stored(Kind::Operation).is_some_and(|stored| !stored.head().has_none("sample")) {
            let samples = engine.all().await?.sql(sql::SAMPLED).await?.collect().await?;
            beside.has_samples = samples.iter().any(|batch| batch.num_rows() > 0);
        }
        Ok(beside)
    }
}

impl Rolled {
    pub(crate) const fn new(rollups: Rollups, beside: Beside) -> Self {
        Self { rollups, beside, files: OnceLock::new() }
    }

    /// None where the question is asked for the first time. `is_exact` says whether values are not rounded, `is_total` whether it need not be
    /// told which day each is of.
    pub(crate) fn of(self: &Arc<Self>, question: &Question, limits: &[&Limit], is_exact: bool, is_total: bool) -> Option<FromRollup> {
        let base = base(question, is_exact)?;
        let texts: Vec<_> = limits.iter().map(|limit| limit_text(limit)).collect();
        let kept = self.rollups.kept.iter().find(|kept| kept.covers(&base, &texts) && kept.is_whole)?.clone();
        let limits = limits.iter().map(|limit| (*limit).clone()).collect();
        Some(FromRollup { rolled: Arc::clone(self), kept, question: question.clone(), limits, is_exact, is_total })
    }

    /// Opened once, for the first question.
    fn files(&self) -> Result<&RollupFiles, StoreError> {
        self.files.get_or_init(|| self.rollups.open().ok()).as_ref().ok_or(StoreError::Shape("rollups"))
    }
}

impl FromRollup {
    /// What the events of the span would answer: rows with lists of values, those of operations and backends in the order in which rows of
    /// events come, and totals after the days. Within these limits is counted what has to be beside the rollup.
    pub(crate) async fn rows(self, within: &Within) -> Result<Vec<RecordBatch>, StoreError> {
        // Where the rollup's rows count what is within each of these limits.
        let place = |limit: &Limit| self.kept.limits.iter().position(|known| *known == limit_text(limit));
        let places = self.limits.iter().map(place).collect::<Option<Vec<_>>>().ok_or(StoreError::Shape("within"))?;
        let since = (self.is_total && total_since(&self.question).is_some()).then_some(self.question.span.from);
        let mut read = self.of_rollup(&places, since).await?;
        let mut cut = cut_days(&self.question, &read.rows)?;
        if read.days_of_totals.iter().any(|days| cut.iter().any(|day| days.contains(day))) {
            // Something came late of a day that was not cut before.
            read = self.of_rollup(&places, None).await?;
            cut = cut_days(&self.question, &read.rows)?;
        }
        let mut rows = Vec::new();
        let [_, last] = ends(&self.question);
        let last = i64::from(number_of(last)?) - FIRST_DAY - i64::from(cut.contains(&last));
        for batch in read.rows.iter().chain(&read.totals) {
            rows.push(match self.question.subject {
                // The days of a person that count are those until the last that is not cut.
                Subject::Returns => counting_until(&shaped(&self.question, batch, &places)?, Some(last))?,
                _ => shaped(&self.question, &without(batch, &cut)?, &places)?,
            });
        }
        let beside = self.counted_beside(&cut).ok_or(StoreError::Shape("rollup"))?;
        if !beside.is_empty() {
            let (engine, places) = (within.beside().await?, (0..self.limits.len()).collect::<Vec<_>>());
            for statement in beside {
                let found = engine.sql(&statement).await?.execute_stream().await?.map_err(StoreError::from);
                match lists(&self.question) {
                    Lists::Values => {
                        let found = Packed::of(found, self.limits.len(), Lists::Values).await?.ok_or(StoreError::Shape("rollup"))?;
                        rows.push(shaped(&self.question, &found.batch()?, &places)?);
                    }
                    Lists::Weeks => rows.extend(found.map(|batch| counting_until(&batch?, None)).try_collect::<Vec<_>>().await?),
                }
            }
        }
        match self.question.subject {
            Subject::Breakdown => ordered(&rows, ["operation", "backend"]),
            _ => Ok(rows),
        }
    }

    /// Whether something that the question counts is in no table yet.
    fn has_live(&self) -> bool {
        self.kept.kinds.iter().any(|kind| self.rolled.beside.live.contains(kind))
    }

    /// What the files say to a question about people.
    async fn known<T: Send + 'static>(
        &self,
        of: impl FnOnce(&RollupFiles, &Kept) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (rolled, kept) = (Arc::clone(&self.rolled), self.kept.clone());
        // Where its reader panics over what is damaged, that is an error like others.
        spawn_blocking(move || of(rolled.files()?, &kept)).await.map_err(|error| DataFusionError::External(error.into()))?
    }

    /// The answer to a question about sessions; none where the span cuts a day, of which only the events can tell.
    pub(crate) async fn sessions(&self, within: &Within) -> Result<Option<Sessions>, StoreError> {
        let ([first, last], span) = (ends(&self.question), self.question.span);
        let daily = self.known(move |files, kept| files.daily(kept, Some(&(first..=last)))).await?;
        let Some(mut totals) = daily.totals(span, &(number_of(first)?..=number_of(last)?)) else { return Ok(None) };
        if self.has_live() {
            let live = presence::attendance(live_table, &condition(&self.question));
            let live = Presence::of(within.beside().await?.sql(&live).await?, None).await?.ok_or(StoreError::Shape("sessions"))?;
            let users = live.users();
            totals.count_beside(self.known(move |files, kept| files.presence_within(kept, &users, span)).await?, live);
        }
        totals.sessions().map(Some)
    }

    /// The answer to a question about first sessions; none where only the events can tell.
    pub(crate) async fn first_sessions(&self, within: &Within) -> Result<Option<Vec<FirstSession>>, StoreError> {
        let span = self.question.span;
        let days = [span.from, span.to].map(|at| at.to_jiff().to_zoned_datetime(TimeZone::UTC).date());
        let mut firsts = self.known(move |files, kept| files.firsts_on(kept, &(days[0]..=days[1]))).await?;
        if self.has_live() {
            let (engine, live) = (within.beside().await?, firsts::rows_sql(live_table, &until(&self.question), &self.question));
            let users = firsts::users(&engine, &live).await?;
            let known = self.known(move |files, kept| files.firsts(kept, Some(&users))).await?;
            let Ok(changed) = Firsts::with(known, &engine, &live).await? else { return Ok(None) };
            firsts.replace(changed);
        }
        firsts.within(span).map(Some)
    }

    /// The rollup's own rows, of the days of the span; with totals since its beginning where that is given.
    async fn of_rollup(&self, places: &[usize], since: Option<Timestamp>) -> Result<Read, StoreError> {
        let (rolled, key) = (Arc::clone(&self.rolled), self.kept.key.clone());
        let [first, last] = ends(&self.question);
        let days = (!begins_anywhere(&self.question)).then_some(first..=last);
        let needed = needed(&self.question).iter().chain(&["date", "oldest", "newest"]).map(|name| (*name).to_owned());
        let columns: Vec<String> = needed.chain(places.iter().map(|place| within_of(*place))).collect();
        let read = move || {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            rolled.files()?.read(&key, days.as_ref(), since, &columns)
        };
        // Where its reader panics over what is damaged, that is an error like others.
        spawn_blocking(read).await.map_err(|error| DataFusionError::External(error.into()))?
    }

    /// What counts beside the rollup's rows: of the days that are not cut the events that no table has yet, and those of fixed samples;
    /// of those that are, all.
    fn counted_beside(&self, cut: &BTreeSet<Date>) -> Option<Vec<String>> {
        let (question, limits) = (&self.question, self.limits.iter().collect::<Vec<_>>());
        let (date, only) = (date(question), only(question));
        let not_cut = among(&date, "NOT IN", cut);
        let counted = |table: fn(Kind) -> String, condition: &str| part(question, &limits, table, condition, self.is_exact);
        let mut statements = Vec::new();
        if self.has_live() {
            let since = whenever(question).replacen("WHERE true", &format!("{}{not_cut}", spanned(question)), 1);
            statements.push(counted(live_table, &since)?);
        }
        if !cut.is_empty() {
            let of_cut = format!("{}{only}{}{}", condition(question), near(cut), among(&date, "IN", cut));
            statements.push(counted(table, &of_cut)?);
        }
        if self.rolled.beside.has_samples && sql::admits_samples(question) {
            statements.push(counted(table, &format!("{}{only}\n  AND sample IS NOT NULL{not_cut}", condition(question)))?);
        }
        Some(statements)
    }
}

/// The columns of a rollup's rows that say something to a question, but for those that count what is within a limit.
const fn needed(question: &Question) -> &'static [&'static str] {
    match &question.subject {
        Subject::Misses { .. } => &["operation", "category", "n"],
        Subject::Breakdown => &["operation", "backend", "ended", "category", "n", "measured", "values"],
        Subject::ErrorDays => &["date", "category", "n"],
        Subject::Returns => &["group", "n", "measured", "values"],
        _ => &["group", "date", "ended", "n", "oldest", "newest", "measured", "values"],
    }
}

/// Of the days on which a span begins and ends, those of which a row is not within it as a whole.
fn cut_days(question: &Question, rows: &[RecordBatch]) -> Result<BTreeSet<Date>, StoreError> {
    let [_, last] = ends(question);
    let (from, to) = (question.span.from.as_microseconds(), question.span.to.as_microseconds());
    let mut days = BTreeSet::new();
    for columns in rows.iter().map(Columns::of) {
        let (date, oldest, newest) = (columns.dates("date")?, columns.times("oldest")?, columns.times("newest")?);
        for row in 0..columns.rows() {
            let is_late = newest.value(row) >= to;
            if begins_anywhere(question) {
                days.extend(is_late.then_some(last));
            } else if is_late || oldest.value(row) < from {
                days.insert(answer::day(&date, row)?);
            }
        }
    }
    Ok(days)
}

/// The columns that a question needs, each of its own type and in its own place, wherever the rows come from. Those of the limits, in
/// their order, are at these places among those of the rows.
fn shaped(question: &Question, rows: &RecordBatch, places: &[usize]) -> Result<RecordBatch, StoreError> {
    let known = schema();
    let needed = needed(question).iter().map(|name| ((*name).to_owned(), (*name).to_owned()));
    let within = places.iter().enumerate().map(|(index, place)| (within_of(*place), column_of(index)));
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (source, name) in needed.chain(within) {
        let field = known.field_with_name(&source)?.clone().with_name(name);
        columns.push(cast(rows.column_by_name(&source).ok_or(StoreError::Shape("rollup"))?, field.data_type())?);
        fields.push(field);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Rows with the last day among their values that counts; all do where there is none.
fn counting_until(rows: &RecordBatch, last: Option<i64>) -> Result<RecordBatch, StoreError> {
    let last: ArrayRef = Arc::new(repeat_n(last, rows.num_rows()).collect::<Int64Array>());
    let schema = rows.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str()).zip(rows.columns().iter().cloned());
    Ok(RecordBatch::try_from_iter_with_nullable(own.chain([("last", last)]).map(|(name, column)| (name, column, true)))?)
}

/// Rows but for those of some days.
fn without(rows: &RecordBatch, days: &BTreeSet<Date>) -> Result<RecordBatch, StoreError> {
    if days.is_empty() {
        return Ok(rows.clone());
    }
    let days = days.iter().map(|day| number_of(*day)).collect::<Result<Vec<_>, _>>()?;
    let dates = Columns::of(rows).dates("date")?;
    let keep: BooleanArray = dates.iter().map(|date| Some(date.is_none_or(|date| !days.contains(&date)))).collect();
    Ok(filter_record_batch(rows, &keep)?)
}

/// All rows, by two of their columns.
fn ordered(rows: &[RecordBatch], by: [&str; 2]) -> Result<Vec<RecordBatch>, StoreError> {
    let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(Vec::new()) };
    let rows = concat_batches(&schema, rows)?;
    let column = |name| rows.column_by_name(name).map(|values| SortColumn { values: Arc::clone(values), options: None });
    let by = by.map(column).into_iter().collect::<Option<Vec<_>>>().ok_or(StoreError::Shape("rollup"))?;
    let order = LexicographicalComparator::try_new(&by)?;
    if (1..rows.num_rows()).all(|row| order.compare(row - 1, row).is_le()) {
        return Ok(vec![rows]);
    }
    Ok(vec![take_record_batch(&rows, &lexsort_to_indices(&by, None)?)?])
}

/// The columns that a row of a day is told apart by.
pub(crate) const DIMENSIONS: [&str; 5] = ["group", "operation", "backend", "ended", "category"];

/// The statement of a rollup: what a question counts of each day whose events are in `operations`, with a count for each limit. None
/// where the question is not about counts of operations.
pub(crate) fn rollup(question: &Question, limits: &[&Limit], is_exact: bool) -> Option<String> {
    match question.subject {
        Subject::Sessions => Some(presence::kept_sql(question)),
        Subject::FirstSessions => Some(firsts::kept_sql(question)),
        _ => counts(question, limits, is_exact),
    }
}

fn counts(question: &Question, limits: &[&Limit], is_exact: bool) -> Option<String> {
    part(question, limits, table, &whenever(question), is_exact)
}

/// The day of the moment since which totals answer a question; none where it has none.
pub(crate) fn total_since(question: &Question) -> Option<Date> {
    let [first, _] = ends(question);
    matches!(question.subject, Subject::Operations { .. } | Subject::PeakMemory { .. }).then_some(first)
}

/// By this is known that two questions are the same but for their limits and span.
pub(crate) fn base(question: &Question, is_exact: bool) -> Option<String> {
    rollup(question, &[], is_exact)
}

/// The condition on what is within a limit, as rollups know it.
pub(crate) fn limit_text(limit: &Limit) -> String {
    within("raw", limit)
}

/// The column of a rollup's rows that counts what is within the limit of this index.
pub(crate) fn within_of(index: usize) -> String {
    format!("within_{}", index + 1)
}

/// Which events a rollup counts. Those of fixed samples are left to the moment of asking.
fn whenever(question: &Question) -> String {
    format!("WHERE true{}{}{}", of_filter(question), if sql::admits_samples(question) { " AND sample IS NULL" } else { "" }, only(question))
}

/// The kinds of events that a rollup counts for a question.
pub(crate) fn kinds(question: &Question) -> Vec<Kind> {
    match question.subject {
        Subject::Sessions | Subject::FirstSessions => vec![Kind::Operation, Kind::Session],
        Subject::Returns => ACTIVE.to_vec(),
        _ => vec![Kind::Operation],
    }
}

/// What is kept for a question.
pub(crate) fn keeps(question: &Question) -> Keeps {
    match question.subject {
        Subject::Sessions => Keeps::Presence(question.time_zone.clone()),
        Subject::FirstSessions => Keeps::Firsts,
        _ => Keeps::Counts(lists(question)),
    }
}

/// What the lists of its rows tell.
const fn lists(question: &Question) -> Lists {
    if matches!(question.subject, Subject::Returns) { Lists::Weeks } else { Lists::Values }
}

fn only(question: &Question) -> &'static str {
    match question.subject {
        Subject::ErrorDays => FAILED,
        Subject::Returns => BY_SOMEBODY,
        _ => "",
    }
}

const NONE: &str = "CAST(NULL AS VARCHAR)";
const NOTHING: &str = "CAST(NULL AS BIGINT)";

/// What a question counts of each day, of the events that fulfil a condition in the table of each of its kinds.
fn part(question: &Question, limits: &[&Limit], table: fn(Kind) -> String, condition: &str, is_exact: bool) -> Option<String> {
    let failed = "CASE WHEN outcome IN ('failed', 'timeout') THEN error_category END";
    let operation = sql::column(&Dimension::Operation, question);
    let (group, day) = (group(question), day_number(&date(question)));
    // Group, operation, backend, how it ended, category and value, of one event.
    let [group, operation, backend, ended, category, raw] = match &question.subject {
        Subject::Operations { .. } => [group.as_str(), NONE, NONE, ENDED, NONE, DURATION],
        Subject::PeakMemory { .. } => [group.as_str(), NONE, NONE, PEAK.0, NONE, PEAK.2],
        Subject::Misses { .. } => [group.as_str(), operation.as_str(), NONE, ENDED, "error_category", DURATION],
        Subject::Breakdown => [NONE, operation.as_str(), "backend", ENDED, failed, DURATION],
        Subject::ErrorDays => [NONE, NONE, NONE, NONE, "error_category", NOTHING],
        Subject::Returns => ["\"user\"", NONE, NONE, NONE, NONE, day.as_str()],
        _ => return None,
    };
    let of_kind = |kind: Kind| {
        format!(
            "SELECT {} AS date, at, {group} AS \"group\", {operation} AS operation, {backend} AS backend, {ended} AS ended,\n  \
             {category} AS category, {raw} AS raw\nFROM {}\n{condition}",
            date(question),
            table(kind)
        )
    };
    let of_events = kinds(question).into_iter().map(of_kind).collect::<Vec<_>>().join("\nUNION ALL\n");
    let (date, group, ended, category, value, kept) = match &question.subject {
        Subject::Misses { limit, failed } => {
            let kept = format!("WHERE {}", sql::misses("raw", limit.as_ref(), *failed));
            ("date", NONE, NONE, sql::MISSED, NOTHING.to_owned(), kept)
        }
        Subject::ErrorDays => ("date", NONE, NONE, "category", NOTHING.to_owned(), String::new()),
        // Of each person one row, with the weeks as values.
        Subject::Returns => ("CAST(NULL AS DATE)", "\"group\"", NONE, NONE, "raw / 7".to_owned(), String::new()),
        _ => ("date", "\"group\"", "ended", "category", if is_exact { "raw".to_owned() } else { rounded("raw") }, String::new()),
    };
    let within = |(index, limit): (usize, &&Limit)| {
        format!(", count(*) FILTER (WHERE ended = 'ok' AND {}) AS {}", limit_text(limit), within_of(index))
    };
    let within: String = limits.iter().enumerate().map(within).collect();
    let (listed, n) = match lists(question) {
        Lists::Values => ("counted", "count(*)".to_owned()),
        Lists::Weeks => ("counted", format!("bit_or({})", day_of_week("raw"))),
    };
    let dimensions = dimensions();
    Some(format!(
        "SELECT date{dimensions}, {listed} AS value, {n} AS n{within}, min(at) AS oldest, max(at) AS newest\n\
         FROM (SELECT {date} AS date, at, {group} AS \"group\", operation, backend, {ended} AS ended, {category} AS category,\n  \
         {value} AS counted, raw FROM ({of_events})\n{kept})\nGROUP BY date{dimensions}, counted"
    ))
}

fn dimensions() -> String {
    DIMENSIONS.iter().map(|name| format!(", \"{name}\"")).collect()
}

/// The number of a date in lists.
fn day_number(date: &str) -> String {
    format!("(CAST(CAST({date} AS INT) AS BIGINT) - ({FIRST_DAY}))")
}

/// The bit that stands for a day among those of its week, of the number of the day.
fn day_of_week(day: &str) -> String {
    format!("CAST(1 AS BIGINT) << ({day} % 7)")
}

/// The days that a span begins and ends on, in the zone of the question.
fn ends(question: &Question) -> [Date; 2] {
    let zone = calendar::named(&question.time_zone);
    let day = |at: Timestamp| at.to_jiff().to_zoned_datetime(zone.clone()).date();
    [day(question.span.from), day(question.span.to)]
}

/// The days of UTC on which events of some days of any zone happened, so that the files of all others are left unread.
fn near(days: &BTreeSet<Date>) -> String {
    let near = |day: &Date| format!("day >= DATE '{}' AND day <= DATE '{}'", day.saturating_sub(1.day()), day.saturating_add(1.day()));
    let days: Vec<_> = days.iter().map(near).collect();
    format!("\n  AND ({})", days.join(" OR "))
}

fn among(column: &str, is: &str, days: &BTreeSet<Date>) -> String {
    let days: Vec<_> = days.iter().map(|day| format!("DATE '{day}'")).collect();
    if days.is_empty() { String::new() } else { format!("\n  AND {column} {is} ({})", days.join(", ")) }
}
