//! Questions as SQL, one statement for each: what a reader of `milepost explain` can run himself.

use crate::{Selection, firsts, people, presence};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{
    Dimension, ERROR_DAYS_MAX, EXACT_DURATIONS_MAX, FAILURES_MAX, Kind, Limit, MEASURED_MAX, MISSES_MAX, Origin, Question, READINGS_MAX,
    ROUNDING, SCORES_MAX, Span, Subject, Timestamp,
};
use std::{collections::BTreeSet, fmt::Write, time::Duration};

/// Beyond how many operations durations are rounded, and rollups kept. The unit tests have no time for so many.
pub(crate) const EXACT_MAX: u64 = if cfg!(test) { 200 } else { EXACT_DURATIONS_MAX as u64 };
/// How many notes of a period are read.
const REMARKS_MAX: usize = 1000;
/// How many releases are looked at.
const RELEASES_MAX: usize = 100;

/// The column that counts the operations within the limit of this index.
pub(crate) fn column_of(index: usize) -> String {
    if index == 0 { "within".to_owned() } else { format!("within_{}", index + 1) }
}

/// The statement that answers a question about a table of `rows` events, and with it those that differ only in their limit.
pub(crate) fn of(question: &Question, limits: &[&Limit], rows: u64) -> String {
    let group = group(question);
    let from = format!("FROM {}\n{}", question.subject.kind().table(), condition(question));
    match &question.subject {
        Subject::Operations { .. } | Subject::PeakMemory { .. } => {
            let date = date(question);
            let (ended, column, value) =
                if matches!(question.subject, Subject::PeakMemory { .. }) { PEAK } else { (ENDED, "duration_us", DURATION) };
            let shown = if rows > EXACT_MAX { rounded(column) } else { column.to_owned() };
            let count = |(index, limit): (usize, &&Limit)| {
                format!("\n       count(*) FILTER (WHERE ended = 'ok' AND {}) AS {},", self::within(column, limit), column_of(index))
            };
            let within: String = limits.iter().enumerate().map(count).collect();
            format!(
                "SELECT \"group\", date, ended, {shown} AS {column}, count(*) AS n,{within}\n       \
                 min(at) AS oldest, max(at) AS newest\n\
                 FROM (SELECT {group} AS \"group\", {date} AS date, at,\n             \
                 {ended} AS ended,\n             \
                 {value} AS {column}\n      {})\n\
                 GROUP BY 1, 2, 3, 4\nORDER BY 1, 2, 4",
                from.replace('\n', "\n      ")
            )
        }
        Subject::Misses { limit, failed } => {
            format!(
                "SELECT operation, {MISSED} AS category, count(*) AS n\n\
                 FROM (SELECT {group} AS \"group\", {} AS operation, {ENDED} AS ended, {DURATION} AS duration_us, error_category AS category\n      {})\n\
                 WHERE {}\nGROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {MISSES_MAX}",
                column(&Dimension::Operation, question),
                from.replace('\n', "\n      "),
                misses("duration_us", limit.as_ref(), *failed)
            )
        }
        Subject::Memory => format!(
            "SELECT {group} AS \"group\", run, process, measure, every_us, at, bytes, complete, cpu_us\n{from}\nORDER BY 1, run, at"
        ),
        Subject::MemoryTrees => {
            let of_run = format!(
                "(SELECT run, at, id, bytes, measure, processes, tree {from}\n   AND complete AND run = (SELECT run {from}\n   \
                 ORDER BY at DESC, id DESC LIMIT 1)"
            );
            format!("{of_run}\n ORDER BY bytes DESC, at, id LIMIT 1)\nUNION ALL\n{of_run}\n ORDER BY at DESC, id DESC LIMIT 1)")
        }
        Subject::Measurement { .. } => {
            format!(
                "SELECT {group} AS \"group\", at, value, unit, source, scope, get_field(attributes, 'people') AS people\n\
                 {from}\nORDER BY at DESC, id DESC\nLIMIT {READINGS_MAX}"
            )
        }
        Subject::Breakdown => {
            let value = if rows > EXACT_MAX { rounded("duration_us") } else { "duration_us".to_owned() };
            format!(
                "SELECT operation, backend, ended, category, {value} AS duration_us, count(*) AS n\n\
                 FROM (SELECT {} AS operation, backend, {ENDED} AS ended, {DURATION} AS duration_us,\n             \
                 CASE WHEN outcome IN ('failed', 'timeout') THEN error_category END AS category\n      {})\n\
                 GROUP BY 1, 2, 3, 4, 5\nORDER BY 1, 2, 3, 4, 5",
                column(&Dimension::Operation, question),
                from.replace('\n', "\n      ")
            )
        }
        Subject::ErrorDays => format!(
            "SELECT date, category, count(*) AS n\n\
             FROM (SELECT {} AS date, error_category AS category\n      {}\n       {FAILED})\n\
             GROUP BY 1, 2\nORDER BY 3 DESC, 1, 2\nLIMIT {ERROR_DAYS_MAX}",
            date(question),
            from.replace('\n', "\n      ")
        ),
        Subject::Failures => format!(
            "SELECT at, {} AS operation, backend, outcome, error_category AS category, error_text AS \"text\"\n\
             {from}\n {FAILED}\nORDER BY at DESC, id DESC\nLIMIT {FAILURES_MAX}",
            column(&Dimension::Operation, question)
        ),
        Subject::Sessions => presence::sessions_sql(question),
        Subject::FirstSessions => firsts::first_sessions_sql(question),
        Subject::Returns => people::returns_sql(question),
        Subject::Interactions => format!(
            "SELECT at, \"user\", arm, modality, \"index\", coalesce(label, correct) AS meant, recognized, words, word_errors\n\
             FROM (SELECT * FROM interactions\n{})\n\
             LEFT JOIN (SELECT \"of\", last_value(correct ORDER BY at, id) AS label FROM labels GROUP BY 1) ON \"of\" = id\n\
             ORDER BY at, id",
            condition(question)
        ),
        Subject::Measurements { family } => {
            let of_family = format!("{}\n  AND starts_with(name, {})", condition(question), text(&format!("{family}.")));
            format!(
                "SELECT * FROM measurements\n{of_family}\n  AND at = (SELECT max(at) FROM measurements\n{of_family})\n\
                 ORDER BY name, scope, id\nLIMIT {MEASURED_MAX}"
            )
        }
        Subject::Scores => format!(
            "SELECT score, count(*) AS n\n{from}\n  AND topic = 'feedback' AND score IS NOT NULL\n\
             GROUP BY 1\nORDER BY 2 DESC, 1\nLIMIT {SCORES_MAX}"
        ),
        Subject::Feedback => {
            format!("SELECT count(*) AS notes, count(score) AS scores, avg(score) AS mean_score\n{from}\n  AND topic = 'feedback'")
        }
    }
}

/// The kinds of events that a question is answered from: where there is none of any of them, there is nothing to find.
pub(crate) fn kinds(question: &Question) -> Vec<Kind> {
    match question.subject.kind() {
        // Who was never seen to begin may have done something.
        Kind::Session if matches!(question.subject, Subject::Sessions) => vec![Kind::Session, Kind::Operation],
        Kind::Operation if matches!(question.subject, Subject::Returns) => people::ACTIVE.to_vec(),
        kind => vec![kind],
    }
}

/// Which operations are misses: those that failed, where that is one, and those beyond a limit.
pub(crate) fn misses(column: &str, limit: Option<&Limit>, failed: bool) -> String {
    let beyond = limit.map(|limit| format!("ended = 'ok' AND NOT ({})", within(column, limit)));
    let failed = failed.then(|| "ended IN ('failed', 'timeout')".to_owned());
    let misses: Vec<_> = failed.into_iter().chain(beyond).collect();
    if misses.is_empty() { "false".to_owned() } else { format!("({})", misses.join(" OR ")) }
}

/// The category of a miss.
pub(crate) const MISSED: &str = "CASE WHEN ended <> 'ok' THEN coalesce(category, 'unknown') END";
/// How an operation counts.
pub(crate) const ENDED: &str = "CASE WHEN dry_run THEN 'dry_run' ELSE outcome END";
/// The end of a condition on operations that failed.
pub(crate) const FAILED: &str = " AND outcome IN ('failed', 'timeout') AND dry_run IS NOT TRUE";
/// The duration of an operation that succeeded.
pub(crate) const DURATION: &str = "CASE WHEN outcome = 'ok' AND dry_run IS NOT TRUE THEN duration_us END";
/// How an operation counts where its peak memory is asked about, the column's name, and the value: 0 of a command that `milepost
/// run` saw to be no larger than itself, and so below any limit (`limits::PEAK_BYTES_KNOWN_ABOVE`).
pub(crate) const PEAK: (&str, &str, &str) = (
    "CASE WHEN dry_run THEN 'dry_run' WHEN outcome = 'cancelled' THEN 'cancelled' ELSE 'ok' END",
    "peak_bytes",
    "CASE WHEN outcome <> 'cancelled' AND dry_run IS NOT TRUE \
     THEN coalesce(peak_bytes, CASE WHEN get_field(attributes, 'door') = 'run' THEN CAST(0 AS BIGINT UNSIGNED) END) END",
);

/// The newest events of the span that count for a question.
pub(crate) fn newest(question: &Question, limit: usize) -> String {
    format!(
        "SELECT * EXCEPT (day, attribute_types)\nFROM {}\n{}\nORDER BY at DESC, id DESC\nLIMIT {limit}",
        question.subject.kind().table(),
        counting(question, in_span(question, ""))
    )
}

/// Operations since a moment, by operation, origin and door.
pub(crate) fn activity(from: Timestamp) -> String {
    format!(
        "SELECT operation, origin, get_field(attributes, 'door') AS door, count(*) AS events, max(at) AS newest\n\
         FROM operations\nWHERE at >= {}\nGROUP BY 1, 2, 3\nORDER BY events DESC, 1, 2, 3\nLIMIT 100",
        time(from)
    )
}

/// One row where there is an operation of a fixed sample.
pub(crate) const SAMPLED: &str = "SELECT 1 FROM operations WHERE sample IS NOT NULL LIMIT 1";

/// One row where there is an event of this id.
pub(crate) fn has(kind: Kind, id: &str) -> String {
    format!("SELECT 1 FROM {} WHERE id = {} LIMIT 1", kind.table(), text(id))
}

/// The newest interactions whose right intent nobody has said.
pub(crate) fn unlabelled(limit: u64) -> String {
    format!(
        "SELECT at, id, arm, recognized, \"text\" FROM interactions\n\
         WHERE correct IS NULL AND id IS NOT NULL AND id NOT IN (SELECT \"of\" FROM labels)\nORDER BY at DESC, id DESC\nLIMIT {limit}"
    )
}

/// The days of UTC on which a selection takes in events of a kind.
pub(crate) fn days(kind: Kind, selection: &Selection) -> String {
    format!("SELECT DISTINCT day FROM {} WHERE true{} ORDER BY day", kind.table(), selected(selection))
}

/// The events of a kind on one day of UTC that a selection takes in, by time.
pub(crate) fn of_day(kind: Kind, day: Date, selection: &Selection) -> String {
    format!("SELECT * FROM {} WHERE day = DATE '{day}'{} ORDER BY at, id", kind.table(), selected(selection))
}

fn selected(selection: &Selection) -> String {
    let from = selection.from.map_or(String::new(), |from| format!(" AND at >= {}", time(from)));
    let to = selection.to.map_or(String::new(), |to| format!(" AND at < {}", time(to)));
    from + &to
}

/// The ids of a kind between two, on some days of UTC or on any.
pub(crate) fn ids(kind: Kind, (least, most): (&str, &str), days: Option<(Date, Date)>) -> String {
    let days = days.map_or(String::new(), |(first, last)| format!("day >= DATE '{first}' AND day <= DATE '{last}' AND "));
    format!("SELECT id FROM {} WHERE {days}id >= {} AND id <= {}", kind.table(), text(least), text(most))
}

pub(crate) fn condition(question: &Question) -> String {
    counting(question, spanned(question))
}

/// Which of the events that a condition takes in count for a question.
fn counting(question: &Question, mut condition: String) -> String {
    let from = question.span.from;
    if let Subject::Measurement { name } = &question.subject {
        // Writing to a String cannot fail.
        let _ = write!(condition, "\n  AND name = {}", text(name));
    }
    condition.push_str(&of_filter(question));
    if admits_samples(question) {
        condition.push_str(&not_of_a_fixed_sample(from));
    }
    condition
}

/// Whether operations of fixed samples may be among those that a question is about. Who comes back does so with each of them.
pub(crate) fn admits_samples(question: &Question) -> bool {
    let origins = question.filter.get(&Dimension::Origin);
    let counts_them = question.subject.kind() == Kind::Operation && !begins_anywhere(question);
    counts_them && origins.is_none_or(|origins| origins.contains(Origin::Probe.name()))
}

/// Notes of people in a period.
pub(crate) fn remarks(span: Span, origins: &BTreeSet<String>) -> String {
    format!(
        "SELECT * FROM notes\n{}\n  AND (topic = 'decision' OR topic = 'feedback'{})\nORDER BY at, id\nLIMIT {REMARKS_MAX}",
        within_span(span, ""),
        of_origins(origins)
    )
}

/// The newest releases that were recorded, but for tests.
pub(crate) fn releases() -> String {
    format!("SELECT * FROM notes\nWHERE topic = 'release' AND \"origin\" <> 'test'\nORDER BY at DESC, id DESC\nLIMIT {RELEASES_MAX}")
}

/// One row for each kind of event that a report of a period is about. A label is of the period of what it labels.
pub(crate) fn count(span: Span, origins: &BTreeSet<String>) -> String {
    let (within, origins) = (within_span(span, ""), of_origins(origins));
    let of = |kind: Kind| format!("SELECT count(*) AS n FROM {}\n{within}{origins}", kind.table());
    let people = [Kind::Operation, Kind::Session, Kind::Interaction, Kind::Memory].map(of);
    format!(
        "{}\nUNION ALL\nSELECT count(*) AS n FROM labels WHERE \"of\" IN (SELECT id FROM interactions\n{within}{origins})\n\
         UNION ALL\nSELECT count(*) AS n FROM measurements\n{within}\n\
         UNION ALL\nSELECT count(*) AS n FROM notes\n{within}\n  AND (topic = 'decision' OR topic = 'feedback'{origins})",
        people.join("\nUNION ALL\n")
    )
}

fn of_origins(origins: &BTreeSet<String>) -> String {
    let origins: Vec<_> = origins.iter().map(|origin| text(origin)).collect();
    if origins.is_empty() { " AND false".to_owned() } else { format!(" AND \"origin\" IN ({})", origins.join(", ")) }
}

/// Days come first, by which files and parts of files are known that have none of the span: those are not read.
pub(crate) fn in_span(question: &Question, table: &str) -> String {
    within_span(question.span, table)
}

fn within_span(Span { from, to }: Span, table: &str) -> String {
    let (first, last, from, to) = (day(from), day(to), time(from), time(to));
    format!("WHERE {table}day >= DATE '{first}' AND {table}day <= DATE '{last}'\n  AND {table}at >= {from} AND {table}at < {to}")
}

/// The events that the span takes in.
pub(crate) fn spanned(question: &Question) -> String {
    if begins_anywhere(question) { until(question) } else { in_span(question, "") }
}

/// Whether the events before the span count too: anybody's first day may be long ago.
pub(crate) fn begins_anywhere(question: &Question) -> bool {
    matches!(question.subject, Subject::Returns)
}

/// All that was before the end of the span.
pub(crate) fn until(question: &Question) -> String {
    let to = question.span.to;
    format!("WHERE day <= DATE '{}'\n  AND at < {}", day(to), time(to))
}

/// A complete fixed sample has a verdict of its own, and is no live evidence: complete are those that were announced once and
/// first, and have as many judged operations as announced, all of the one announced. The others count as if nothing had been
/// announced.
///
/// None takes longer than a month, so one that ends in the span began in the month before it at the earliest.
fn not_of_a_fixed_sample(from: Timestamp) -> String {
    let day = day(from.saturating_sub(Duration::from_secs(31 * 86400)));
    format!(
        "
  AND coalesce(sample, '') NOT IN (
    SELECT n.sample FROM notes n JOIN operations o ON o.sample = n.sample
    WHERE n.topic = 'sample' AND n.day >= DATE '{day}' AND o.day >= DATE '{day}' AND o.outcome <> 'cancelled' AND o.dry_run IS NOT TRUE
    GROUP BY n.sample
    HAVING count(DISTINCT n.id) = 1 AND count(*) = max(n.size) AND max(n.at) <= min(o.at)
       AND count(*) = count(*) FILTER (WHERE o.operation = n.operation AND coalesce(o.backend, '') = coalesce(n.backend, '')))"
    )
}

pub(crate) fn of_filter(question: &Question) -> String {
    let mut conditions = String::new();
    for (dimension, values) in &question.filter {
        let values: Vec<_> = values.iter().map(|value| text(value)).collect();
        let condition =
            if values.is_empty() { "false".to_owned() } else { format!("{} IN ({})", column(dimension, question), values.join(", ")) };
        let _ = write!(conditions, "\n  AND {condition}");
    }
    conditions
}

pub(crate) fn group(question: &Question) -> String {
    question.for_each.as_ref().map_or("CAST(NULL AS VARCHAR)".to_owned(), |dimension| column(dimension, question))
}

pub(crate) fn column(dimension: &Dimension, question: &Question) -> String {
    match dimension {
        Dimension::Operation if !question.aliases.is_empty() => {
            let mut case = "CASE operation".to_owned();
            for (alias, name) in &question.aliases {
                let _ = write!(case, " WHEN {} THEN {}", text(alias), text(name));
            }
            case + " ELSE operation END"
        }
        Dimension::Attribute(name) => format!("get_field(attributes, {})", text(name)),
        named => format!("\"{named}\""),
    }
}

pub(crate) fn within(column: &str, limit: &Limit) -> String {
    let sign = if limit.inclusive { "<=" } else { "<" };
    let default = limit.default.map_or("NULL".to_owned(), |limit| limit.to_string());
    if limit.by_group.is_empty() {
        return format!("{column} {sign} {default}");
    }
    let mut case = "CASE \"group\"".to_owned();
    for (name, limit) in &limit.by_group {
        let _ = write!(case, " WHEN {} THEN {limit}", text(name));
    }
    format!("{column} {sign} {case} ELSE {default} END")
}

/// The middle of the logarithmic bucket that a duration falls into, as in DDSketch (Masson, Rim and Lee 2019).
pub(crate) fn rounded(column: &str) -> String {
    let growth = ((1.0 + ROUNDING) / (1.0 - ROUNDING)).ln();
    // What was not measured stays so: the greatest of nothing and 1 would be 1.
    format!("CASE WHEN {column} IS NOT NULL THEN CAST(round(exp(round(ln(greatest({column}, 1)) / {growth}) * {growth})) AS BIGINT) END")
}

/// The day of an event in the zone of a question. That of UTC is a column, which costs a tenth of working it out.
pub(crate) fn date(question: &Question) -> String {
    if question.time_zone == "UTC" {
        "day".to_owned()
    } else {
        // Taken to the local wall clock first: the day of an instant depends on where one stands.
        format!("CAST(to_local_time(at AT TIME ZONE {}) AS DATE)", text(&question.time_zone))
    }
}

fn day(at: Timestamp) -> Date {
    at.to_jiff().to_zoned_datetime(TimeZone::UTC).date()
}

pub(crate) fn time(at: Timestamp) -> String {
    format!("TIMESTAMP '{at}'")
}

pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::{
        arrow::{
            array::{Array, AsArray},
            datatypes::UInt64Type,
        },
        prelude::SessionContext,
    };

    #[test]
    fn what_was_not_measured_is_not_rounded_to_anything() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let sql = format!("SELECT {} AS r FROM (VALUES (CAST(NULL AS BIGINT UNSIGNED)), (7)) AS t(us)", rounded("us"));
        let batches = runtime.block_on(async { SessionContext::new().sql(&sql).await?.collect().await }).expect("rounded");
        assert_eq!(batches.iter().map(|batch| batch.column(0).null_count()).sum::<usize>(), 1);
    }

    /// Above the limit of exact durations they are rounded, and no more than the documented error.
    #[test]
    fn rounded_durations_keep_their_relative_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let values = [0_u64, 1, 2, 99, 100, 12_345, 500_000, 31_622_400_000_000];
        let rows = values.map(|v| format!("(CAST({v} AS BIGINT UNSIGNED))")).join(", ");
        let sql = format!("SELECT CAST({} AS BIGINT UNSIGNED) AS r FROM (VALUES {rows}) AS t(us)", rounded("us"));
        let batches = runtime.block_on(async { SessionContext::new().sql(&sql).await?.collect().await }).expect("rounded");
        let got: Vec<u64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<UInt64Type>().values().to_vec()).collect();
        for (value, rounded) in values.iter().zip(&got) {
            let value = (*value).max(1) as f64;
            // Half a microsecond comes on top, since durations are whole.
            assert!((*rounded as f64 - value).abs() <= value * ROUNDING + 0.5, "{value} became {rounded}");
        }
    }
}
