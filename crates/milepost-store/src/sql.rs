//! Questions as SQL, one statement for each: what a reader of `milepost explain` can run himself.

use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{
    Dimension, EXACT_DURATIONS_MAX, Filter, Kind, Limit, Origin, Question, READINGS_MAX, ROUNDING, Span, Subject, Timestamp,
};
use std::{fmt::Write, time::Duration};

/// The statement that answers a question about a table of `rows` events.
pub(crate) fn of(question: &Question, rows: u64) -> String {
    let group = group(question);
    let from = format!("FROM {}\n{}", question.subject.kind().table(), condition(question));
    match &question.subject {
        Subject::Operations { limit } => {
            let date = date(question);
            let within = limit.as_ref().map_or("false".to_owned(), within);
            let value = if rows > EXACT_DURATIONS_MAX as u64 { rounded("duration_us") } else { "duration_us".to_owned() };
            format!(
                "SELECT \"group\", date, ended, {value} AS duration_us, count(*) AS n,\n       \
                 count(*) FILTER (WHERE ended = 'ok' AND {within}) AS within, min(at) AS oldest, max(at) AS newest\n\
                 FROM (SELECT {group} AS \"group\", {date} AS date, at,\n             \
                 CASE WHEN dry_run THEN 'dry_run' ELSE outcome END AS ended,\n             \
                 CASE WHEN outcome = 'ok' AND dry_run IS NOT TRUE THEN duration_us END AS duration_us\n      {})\n\
                 GROUP BY 1, 2, 3, 4\nORDER BY 1, 2, 4",
                from.replace('\n', "\n      ")
            )
        }
        Subject::Memory => format!(
            "SELECT {group} AS \"group\", run, process, measure, every_us, at, bytes, complete, cpu_us\n{from}\nORDER BY 1, run, at"
        ),
        Subject::Measurement { .. } => {
            format!("SELECT {group} AS \"group\", at, value, unit, source, scope\n{from}\nORDER BY at DESC, id DESC\nLIMIT {READINGS_MAX}")
        }
        Subject::Count { .. } => {
            format!("SELECT {group} AS \"group\", count(*) AS n, min(at) AS oldest, max(at) AS newest\n{from}\nGROUP BY 1\nORDER BY 1")
        }
    }
}

/// The newest events that count for a question.
pub(crate) fn newest(question: &Question, limit: usize) -> String {
    format!(
        "SELECT * EXCEPT (day, attribute_types)\nFROM {}\n{}\nORDER BY at DESC, id DESC\nLIMIT {limit}",
        question.subject.kind().table(),
        condition(question)
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

/// The events of a kind on one day of UTC, by time.
pub(crate) fn of_day(kind: Kind, day: Date, from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let from = from.map_or(String::new(), |from| format!(" AND at >= {}", time(from)));
    let to = to.map_or(String::new(), |to| format!(" AND at < {}", time(to)));
    format!("SELECT * FROM {} WHERE day = DATE '{day}'{from}{to} ORDER BY at, id", kind.table())
}

fn condition(question: &Question) -> String {
    let Span { from, to } = question.span;
    // The days that tables are divided by come first: those outside the span are not read.
    let mut condition =
        format!("WHERE day >= DATE '{}' AND day <= DATE '{}'\n  AND at >= {} AND at < {}", day(from), day(to), time(from), time(to));
    if let Subject::Measurement { name } = &question.subject {
        // Writing to a String cannot fail.
        let _ = write!(condition, "\n  AND name = {}", text(name));
    }
    condition.push_str(&filter(&question.filter, question));
    let is_of_operations = question.subject.kind() == Kind::Operation;
    if is_of_operations && question.filter.get(&Dimension::Origin).is_none_or(|origins| origins.contains(Origin::Probe.name())) {
        condition.push_str(&not_of_a_fixed_sample(from));
    }
    condition
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

fn filter(filter: &Filter, question: &Question) -> String {
    let mut conditions = String::new();
    for (dimension, values) in filter {
        let values: Vec<_> = values.iter().map(|value| text(value)).collect();
        let condition =
            if values.is_empty() { "false".to_owned() } else { format!("{} IN ({})", column(dimension, question), values.join(", ")) };
        let _ = write!(conditions, "\n  AND {condition}");
    }
    conditions
}

fn group(question: &Question) -> String {
    question.for_each.as_ref().map_or("CAST(NULL AS VARCHAR)".to_owned(), |dimension| column(dimension, question))
}

fn column(dimension: &Dimension, question: &Question) -> String {
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

fn within(limit: &Limit) -> String {
    let sign = if limit.inclusive { "<=" } else { "<" };
    let default = limit.default_us.map_or("NULL".to_owned(), |us| us.to_string());
    if limit.by_group_us.is_empty() {
        return format!("duration_us {sign} {default}");
    }
    let mut case = "CASE \"group\"".to_owned();
    for (name, us) in &limit.by_group_us {
        let _ = write!(case, " WHEN {} THEN {us}", text(name));
    }
    format!("duration_us {sign} {case} ELSE {default} END")
}

/// The middle of the logarithmic bucket that a duration falls into, as in DDSketch (Masson, Rim and Lee 2019).
fn rounded(column: &str) -> String {
    let growth = ((1.0 + ROUNDING) / (1.0 - ROUNDING)).ln();
    format!("CAST(round(exp(round(ln(greatest({column}, 1)) / {growth}) * {growth})) AS BIGINT)")
}

fn date(question: &Question) -> String {
    if question.time_zone == "UTC" {
        "CAST(at AS DATE)".to_owned()
    } else {
        // Taken to the local wall clock first: the day of an instant depends on where one stands.
        format!("CAST(to_local_time(at AT TIME ZONE {}) AS DATE)", text(&question.time_zone))
    }
}

fn day(at: Timestamp) -> Date {
    at.to_jiff().to_zoned_datetime(TimeZone::UTC).date()
}

fn time(at: Timestamp) -> String {
    format!("TIMESTAMP '{at}'")
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::{arrow::array::AsArray, arrow::datatypes::UInt64Type, prelude::SessionContext};

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
