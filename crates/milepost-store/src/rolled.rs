//! Answers from rollups: the same as from the events, to the last digit.
//!
//! A row of a rollup is what a question would count of one day, how often, and when first and last. Rows can be added, so an answer is
//! the rows of the days within the span; of the days that the span cuts, the events themselves; the events that the spool took in
//! since; and those of fixed samples, which may yet become proof and then count no more.

use crate::{
    StoreError,
    answer::{self, Columns},
    people::{BY_SOMEBODY, active_days},
    rollups::{Kept, Rollups},
    sql::{
        self, DURATION, ENDED, FAILED, PEAK, begins_anywhere, column_of, condition, date, group, of_filter, rounded, spanned, time, within,
    },
};
use datafusion::prelude::{DataFrame, SessionContext};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{Dimension, ERROR_DAYS_MAX, Limit, MISSES_MAX, Question, Subject, Timestamp};

/// The rollups in an engine that also has `operations`, and `live`: those of them that no table has yet.
pub(crate) struct Rolled {
    pub(crate) engine: SessionContext,
    pub(crate) rollups: Rollups,
    pub(crate) beside: Beside,
}

/// Which events there are that rollups do not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// Whether `live` has any.
    pub(crate) has_live: bool,
    /// Whether any is of a fixed sample.
    pub(crate) has_samples: bool,
}

/// The rollup that answers a question with some limits.
pub(crate) struct FromRollup {
    pub(crate) engine: SessionContext,
    kept: Kept,
    beside: Beside,
    question: Question,
    limits: Vec<Limit>,
    /// Whether all that the rollup counts was before the end of the span.
    is_over: bool,
}

impl Rolled {
    /// None where the question is asked for the first time.
    pub(crate) fn of(&self, question: &Question, limits: &[&Limit]) -> Option<FromRollup> {
        let base = base(question)?;
        let texts: Vec<_> = limits.iter().map(|limit| limit_text(limit)).collect();
        let kept = self.rollups.kept.iter().find(|kept| kept.covers(&base, &texts) && kept.is_whole)?.clone();
        let limits = limits.iter().map(|limit| (*limit).clone()).collect();
        let is_over = self.rollups.end_before(question.span.to);
        Some(FromRollup { engine: self.engine.clone(), kept, beside: self.beside, question: question.clone(), limits, is_over })
    }
}

impl FromRollup {
    /// What the events of the span would answer, columns and order included, by an engine that has the tables of [`Rolled`].
    pub(crate) async fn rows(&self, engine: &SessionContext) -> Result<DataFrame, StoreError> {
        let days = self.cut(engine).await?;
        let limits: Vec<&Limit> = self.limits.iter().collect();
        let statement = statement(&self.question, &limits, &self.kept, self.beside, &days).ok_or(StoreError::Shape("rollup"))?;
        Ok(engine.sql(&statement).await?)
    }

    /// Of the days on which the span begins and ends, those of which a row of the rollup is not within it as a whole.
    async fn cut(&self, engine: &SessionContext) -> Result<Vec<Date>, StoreError> {
        let (question, [first, last]) = (&self.question, ends(&self.question));
        if self.is_over && (begins_anywhere(question) || begins_a_day(question)) {
            return Ok(Vec::new());
        }
        let (key, from, to) = (sql::text(&self.kept.key), time(question.span.from), time(question.span.to));
        let statement = if begins_anywhere(question) {
            format!("SELECT DISTINCT DATE '{last}' AS date FROM rollups WHERE key = {key} AND newest >= {to}")
        } else {
            format!(
                "SELECT DISTINCT date FROM rollups\n\
                 WHERE key = {key} AND date IN (DATE '{first}', DATE '{last}') AND (oldest < {from} OR newest >= {to})"
            )
        };
        let mut days = Vec::new();
        for columns in engine.sql(&statement).await?.collect().await?.iter().map(Columns::of) {
            let dates = columns.dates("date")?;
            for row in 0..columns.rows() {
                days.push(answer::day(&dates, row)?);
            }
        }
        Ok(days)
    }
}

/// The columns that a row of a day is told apart by.
pub(crate) const DIMENSIONS: [&str; 5] = ["group", "operation", "backend", "ended", "category"];

/// The statement of a rollup: what a question counts of each day whose events are in `operations`, with a count for each limit. None
/// where the question is not about counts of operations.
pub(crate) fn rollup(question: &Question, limits: &[&Limit]) -> Option<String> {
    part(question, limits, "operations", &whenever(question))
}

/// By this is known that two questions are the same but for their limits and span.
pub(crate) fn base(question: &Question) -> Option<String> {
    rollup(question, &[])
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

fn only(question: &Question) -> &'static str {
    match question.subject {
        Subject::ErrorDays => FAILED,
        Subject::Returns => BY_SOMEBODY,
        _ => "",
    }
}

const NONE: &str = "CAST(NULL AS VARCHAR)";
const NOTHING: &str = "CAST(NULL AS BIGINT)";

/// What a question counts of each day, of the events of a table that fulfil a condition.
fn part(question: &Question, limits: &[&Limit], table: &str, condition: &str) -> Option<String> {
    let failed = "CASE WHEN outcome IN ('failed', 'timeout') THEN error_category END";
    let operation = sql::column(&Dimension::Operation, question);
    let group = group(question);
    // Group, operation, backend, how it ended, category and value, of one event.
    let [group, operation, backend, ended, category, raw] = match &question.subject {
        Subject::Operations { .. } => [group.as_str(), NONE, NONE, ENDED, NONE, DURATION],
        Subject::PeakMemory { .. } => [group.as_str(), NONE, NONE, PEAK.0, NONE, PEAK.2],
        Subject::Misses { .. } => [group.as_str(), operation.as_str(), NONE, ENDED, "error_category", DURATION],
        Subject::Breakdown => [NONE, operation.as_str(), "backend", ENDED, failed, DURATION],
        Subject::ErrorDays => [NONE, NONE, NONE, NONE, "error_category", NOTHING],
        Subject::Returns => ["\"user\"", NONE, NONE, NONE, NONE, NOTHING],
        _ => return None,
    };
    let of_events = format!(
        "SELECT {} AS date, at, {group} AS \"group\", {operation} AS operation, {backend} AS backend, {ended} AS ended,\n  \
         {category} AS category, {raw} AS raw\nFROM {table}\n{condition}",
        date(question)
    );
    let (date, group, ended, category, value, kept) = match &question.subject {
        Subject::Misses { limit, failed } => {
            let kept = format!("WHERE {}", sql::misses("raw", limit.as_ref(), *failed));
            ("date", NONE, NONE, sql::MISSED, NOTHING.to_owned(), kept)
        }
        Subject::ErrorDays => ("date", NONE, NONE, "category", NOTHING.to_owned(), String::new()),
        // Of each person one row, with the days as values.
        Subject::Returns => ("CAST(NULL AS DATE)", "\"group\"", NONE, NONE, DAY_NUMBER.to_owned(), String::new()),
        _ => ("date", "\"group\"", "ended", "category", rounded("raw"), String::new()),
    };
    let within = |(index, limit): (usize, &&Limit)| {
        format!(", count(*) FILTER (WHERE ended = 'ok' AND {}) AS {}", limit_text(limit), within_of(index))
    };
    let within: String = limits.iter().enumerate().map(within).collect();
    let dimensions = dimensions();
    Some(format!(
        "SELECT date{dimensions}, value, count(*) AS n{within}, min(at) AS oldest, max(at) AS newest\n\
         FROM (SELECT {date} AS date, at, {group} AS \"group\", operation, backend, {ended} AS ended, {category} AS category,\n  \
         {value} AS value, raw FROM ({of_events})\n{kept})\nGROUP BY date{dimensions}, value"
    ))
}

/// Rows as a rollup has them: lists of values and how often each was, and `n` that have none.
fn listed(rows: &str, limits: usize) -> String {
    let (dimensions, within) = (dimensions(), (0..limits).map(|index| format!(", {}", within_of(index))).collect::<String>());
    let list = |of: &str| format!("CASE WHEN value IS NOT NULL THEN make_array({of}) END");
    format!(
        "SELECT date{dimensions}, CASE WHEN value IS NULL THEN n ELSE 0 END AS n{within}, oldest, newest,\n  \
         {} AS \"values\", {} AS counts\nFROM ({rows})",
        list("value"),
        list("n")
    )
}

fn dimensions() -> String {
    DIMENSIONS.iter().map(|name| format!(", \"{name}\"")).collect()
}

/// The number of a date, in days since 1970.
const DAY_NUMBER: &str = "CAST(CAST(date AS INT) AS BIGINT)";

fn zone(question: &Question) -> TimeZone {
    TimeZone::get(&question.time_zone).unwrap_or(TimeZone::UTC)
}

/// Whether a span begins with the first moment of a day.
fn begins_a_day(question: &Question) -> bool {
    let [first, _] = ends(question);
    let begin = first.to_zoned_datetime(zone(question)).and_then(|day| day.start_of_day());
    begin.is_ok_and(|begin| begin.timestamp() == question.span.from.to_jiff())
}

/// The days that a span begins and ends on, in the zone of the question.
fn ends(question: &Question) -> [Date; 2] {
    let zone = zone(question);
    let day = |at: Timestamp| at.to_jiff().to_zoned_datetime(zone.clone()).date();
    [day(question.span.from), day(question.span.to)]
}

/// What counts beside the rows of a rollup: of the days that are not cut the events that no table has yet, and those of fixed samples;
/// of those that are, all.
fn counted_beside(question: &Question, limits: &[&Limit], beside: Beside, cut: &[Date]) -> Option<Vec<String>> {
    let (date, only) = (date(question), only(question));
    let not_cut = among(&date, "NOT IN", cut);
    let mut parts = Vec::new();
    if beside.has_live {
        let since = whenever(question).replacen("WHERE true", &format!("{}{not_cut}", spanned(question)), 1);
        parts.push(part(question, limits, "live", &since)?);
    }
    if !cut.is_empty() {
        parts.push(part(question, limits, "operations", &format!("{}{only}{}", condition(question), among(&date, "IN", cut)))?);
    }
    if beside.has_samples && sql::admits_samples(question) {
        let of_samples = format!("{}{only}\n  AND sample IS NOT NULL{not_cut}", condition(question));
        parts.push(part(question, limits, "operations", &of_samples)?);
    }
    Some(parts.iter().map(|part| listed(part, limits.len())).collect())
}

fn among(column: &str, is: &str, days: &[Date]) -> String {
    let days: Vec<_> = days.iter().map(|day| format!("DATE '{day}'")).collect();
    if days.is_empty() { String::new() } else { format!("\n  AND {column} {is} ({})", days.join(", ")) }
}

fn statement(question: &Question, limits: &[&Limit], kept: &Kept, beside: Beside, cut: &[Date]) -> Option<String> {
    let [first, last] = ends(question);
    let mut parts = counted_beside(question, limits, beside, cut)?;
    if matches!(question.subject, Subject::Returns) {
        // The days of a rollup's row that count are those until the last that is not cut.
        let last = format!("CAST(CAST(DATE '{last}' AS INT) AS BIGINT) - {}", cut.len());
        let key = sql::text(&kept.key);
        let rows = parts.iter().map(|part| format!("SELECT \"group\" AS \"user\", \"values\" AS days, {NOTHING} AS last FROM ({part})"));
        let rows = [format!("SELECT \"group\" AS \"user\", \"values\" AS days, {last} AS last FROM rollups WHERE key = {key}")]
            .into_iter()
            .chain(rows);
        let of_other_kinds = active_days(question);
        let of_other_kinds = format!("SELECT \"user\", make_array({DAY_NUMBER}) AS days, {NOTHING} AS last FROM ({of_other_kinds})");
        return Some(rows.chain([of_other_kinds]).collect::<Vec<_>>().join("\nUNION ALL\n"));
    }
    // Where the rollup's rows count what is within each of these limits.
    let place = |limit: &&Limit| kept.limits.iter().position(|known| *known == limit_text(limit));
    let places = limits.iter().map(place).collect::<Option<Vec<_>>>()?;
    let counts: String =
        places.iter().enumerate().map(|(index, place)| format!(", {} AS {}", within_of(*place), within_of(index))).collect();
    parts.push(format!(
        "SELECT date, \"group\", operation, backend, ended, category, n{counts}, oldest, newest, \"values\", counts\nFROM rollups\n\
         WHERE key = {} AND date >= DATE '{first}' AND date <= DATE '{last}'{}",
        sql::text(&kept.key),
        among("date", "NOT IN", cut)
    ));
    let rows = parts.join("\nUNION ALL\n");
    let within = (0..limits.len()).map(|index| format!(", {} AS {}", within_of(index), column_of(index))).collect::<String>();
    let n = "CAST(sum(n) AS BIGINT) AS n";
    Some(match &question.subject {
        Subject::Operations { .. } | Subject::PeakMemory { .. } => {
            format!("SELECT \"group\", date, ended, n{within}, oldest, newest, \"values\", counts\nFROM ({rows})\nORDER BY 1, 2")
        }
        Subject::Misses { .. } => {
            format!("SELECT operation, category, {n}\nFROM ({rows})\nGROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {MISSES_MAX}")
        }
        Subject::Breakdown => format!("SELECT operation, backend, ended, category, n, \"values\", counts\nFROM ({rows})\nORDER BY 1, 2"),
        Subject::ErrorDays => {
            format!("SELECT date, category, {n}\nFROM ({rows})\nGROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {ERROR_DAYS_MAX}")
        }
        _ => return None,
    })
}
