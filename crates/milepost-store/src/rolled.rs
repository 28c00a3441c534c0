//! Answers from rollups: the same as from the events, to the last digit.
//!
//! A row of a rollup is what a question would count of one day, how often, and when first and last. Rows can be added, so an answer is
//! the rows of the days within the span; of the days that the span cuts, the events themselves; the events that the spool took in
//! since; and those of fixed samples, which may yet become proof and then count no more.

use crate::{
    StoreError,
    answer::{self, Columns},
    people::{BY_SOMEBODY, returns_of},
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
}

/// The rollup that answers a question with some limits.
pub(crate) struct FromRollup {
    pub(crate) engine: SessionContext,
    kept: Kept,
    question: Question,
    limits: Vec<Limit>,
}

impl Rolled {
    /// None where the question is asked for the first time.
    pub(crate) fn of(&self, question: &Question, limits: &[&Limit]) -> Option<FromRollup> {
        let base = base(question)?;
        let texts: Vec<_> = limits.iter().map(|limit| limit_text(limit)).collect();
        let kept = self.rollups.kept.iter().find(|kept| kept.covers(&base, &texts) && kept.is_whole)?.clone();
        let limits = limits.iter().map(|limit| (*limit).clone()).collect();
        Some(FromRollup { engine: self.engine.clone(), kept, question: question.clone(), limits })
    }
}

impl FromRollup {
    /// What the events of the span would answer, columns and order included, by an engine that has the tables of [`Rolled`].
    pub(crate) async fn rows(&self, engine: &SessionContext) -> Result<DataFrame, StoreError> {
        let days = cut(engine, &self.question, &self.kept).await?;
        let limits: Vec<&Limit> = self.limits.iter().collect();
        let statement = statement(&self.question, &limits, &self.kept, &days).ok_or(StoreError::Shape("rollup"))?;
        Ok(engine.sql(&statement).await?)
    }
}

/// The columns that a row is told apart by.
pub(crate) const DIMENSIONS: [&str; 6] = ["group", "operation", "backend", "ended", "category", "value"];

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

/// What a question counts of each day, of the events of a table that fulfil a condition.
fn part(question: &Question, limits: &[&Limit], table: &str, condition: &str) -> Option<String> {
    const NONE: &str = "CAST(NULL AS VARCHAR)";
    const NOTHING: &str = "CAST(NULL AS BIGINT)";
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
    let (group, ended, category, value, kept) = match &question.subject {
        Subject::Misses { limit, failed } => {
            let kept = format!("WHERE {}", sql::misses("raw", limit.as_ref(), *failed));
            (NONE, NONE, sql::MISSED, NOTHING.to_owned(), kept)
        }
        Subject::ErrorDays => (NONE, NONE, "category", NOTHING.to_owned(), String::new()),
        Subject::Returns => ("\"group\"", NONE, NONE, NOTHING.to_owned(), String::new()),
        _ => ("\"group\"", "ended", "category", rounded("raw"), String::new()),
    };
    let count = |(index, limit): (usize, &&Limit)| {
        format!(", count(*) FILTER (WHERE ended = 'ok' AND {}) AS {}", limit_text(limit), within_of(index))
    };
    let counts: String = limits.iter().enumerate().map(count).collect();
    Some(format!(
        "SELECT date, \"group\", operation, backend, ended, category, value,\n  count(*) AS n{counts}, min(at) AS oldest, max(at) AS newest\n\
         FROM (SELECT date, at, {group} AS \"group\", operation, backend, {ended} AS ended, {category} AS category, {value} AS value, raw\n\
         FROM ({of_events})\n{kept})\nGROUP BY date, \"group\", operation, backend, ended, category, value"
    ))
}

/// The days that a span begins and ends on, in the zone of the question.
fn ends(question: &Question) -> [Date; 2] {
    let zone = TimeZone::get(&question.time_zone).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_jiff().to_zoned_datetime(zone.clone()).date();
    [day(question.span.from), day(question.span.to)]
}

/// Of the days on which a span begins and ends, those of which a row of the rollup is not within it as a whole.
async fn cut(engine: &SessionContext, question: &Question, kept: &Kept) -> Result<Vec<Date>, StoreError> {
    let [first, last] = ends(question);
    let too_old = if begins_anywhere(question) { String::new() } else { format!("oldest < {} OR ", time(question.span.from)) };
    let statement = format!(
        "SELECT DISTINCT date FROM rollups WHERE key = {} AND date IN (DATE '{first}', DATE '{last}') AND ({too_old}newest >= {})",
        sql::text(&kept.key),
        time(question.span.to)
    );
    let mut days = Vec::new();
    for columns in engine.sql(&statement).await?.collect().await?.iter().map(Columns::of) {
        let dates = columns.dates("date")?;
        for row in 0..columns.rows() {
            days.push(answer::day(&dates, row)?);
        }
    }
    Ok(days)
}

fn statement(question: &Question, limits: &[&Limit], kept: &Kept, cut: &[Date]) -> Option<String> {
    let [first, last] = ends(question);
    let is_since = if begins_anywhere(question) { String::new() } else { format!(" AND date >= DATE '{first}'") };
    let days: Vec<_> = cut.iter().map(|day| format!("DATE '{day}'")).collect();
    let among = |column: &str, is: &str| {
        if days.is_empty() { String::new() } else { format!("\n  AND {column} {is} ({})", days.join(", ")) }
    };
    // Where the rollup's rows count what is within each of these limits.
    let place = |limit: &&Limit| kept.limits.iter().position(|known| *known == limit_text(limit));
    let places = limits.iter().map(place).collect::<Option<Vec<_>>>()?;
    let counts: String =
        places.iter().enumerate().map(|(index, place)| format!(", {} AS {}", within_of(*place), within_of(index))).collect();
    let mut parts = vec![format!(
        "SELECT date, \"group\", operation, backend, ended, category, value, n{counts}, oldest, newest\nFROM rollups\n\
         WHERE key = {}{is_since} AND date <= DATE '{last}'{}",
        sql::text(&kept.key),
        among("date", "NOT IN")
    )];
    let date = date(question);
    let (span, only) = (spanned(question), only(question));
    let since = whenever(question).replacen("WHERE true", &format!("{span}{}", among(&date, "NOT IN")), 1);
    parts.push(part(question, limits, "live", &since)?);
    if !days.is_empty() {
        let of_cut = format!("{}{only}{}", condition(question), among(&date, "IN"));
        parts.push(part(question, limits, "operations", &of_cut)?);
    }
    if sql::admits_samples(question) {
        let of_samples = format!("{}{only}\n  AND sample IS NOT NULL{}", condition(question), among(&date, "NOT IN"));
        parts.push(part(question, limits, "operations", &of_samples)?);
    }
    let rows = parts.join("\nUNION ALL\n");
    let sums = (0..limits.len()).map(|index| format!(", CAST(sum({}) AS BIGINT) AS {}", within_of(index), column_of(index)));
    let (sums, n) = (sums.collect::<String>(), "CAST(sum(n) AS BIGINT) AS n");
    let of_days = |value: &str| {
        format!(
            "SELECT \"group\", date, ended, value AS {value}, {n}{sums}, min(oldest) AS oldest, max(newest) AS newest\n\
             FROM ({rows})\nGROUP BY 1, 2, 3, 4\nORDER BY 1, 2, 4"
        )
    };
    Some(match &question.subject {
        Subject::Operations { .. } => of_days("duration_us"),
        Subject::PeakMemory { .. } => of_days("peak_bytes"),
        Subject::Misses { .. } => {
            format!("SELECT operation, category, {n}\nFROM ({rows})\nGROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {MISSES_MAX}")
        }
        Subject::Breakdown => format!(
            "SELECT operation, backend, ended, category, value AS duration_us, {n}\nFROM ({rows})\n\
             GROUP BY 1, 2, 3, 4, 5\nORDER BY 1, 2, 3, 4, 5"
        ),
        Subject::ErrorDays => {
            format!("SELECT date, category, {n}\nFROM ({rows})\nGROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {ERROR_DAYS_MAX}")
        }
        Subject::Returns => returns_of(question, &format!("SELECT \"group\" AS \"user\", date FROM ({rows})")),
        _ => return None,
    })
}
