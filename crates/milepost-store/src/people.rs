//! Questions about people: their sessions, their first success, and whether they come back.
//!
//! People are told apart by pseudonym; an event without one belongs to nobody, and is left out. What is attempted are operations:
//! neither those that somebody cancelled nor dry runs.

use crate::{
    StoreError,
    answer::{Columns, count, date_of, day, time},
    sql::{condition, date, in_span, of_filter, time as moment, until},
};
use datafusion::arrow::array::{Array, AsArray};
use milepost_record::{FIRST_SESSION_MAX, FirstSession, Kind, Question, Return, SILENCE_MAX, Sessions};
use std::collections::{BTreeMap, HashMap};

const ATTEMPTED: &str = "\"user\" IS NOT NULL AND outcome <> 'cancelled' AND dry_run IS NOT TRUE";

/// One row: how many sessions there were, and what was attempted in them.
pub(crate) fn sessions_sql(question: &Question) -> String {
    let condition = condition(question);
    let silence = SILENCE_MAX.as_secs();
    format!(
        "WITH steps AS (\n\
         SELECT \"user\", at AS began, at, true AS is_start, false AS ok FROM sessions\n{condition}\n  AND \"user\" IS NOT NULL\n\
         UNION ALL\n\
         SELECT \"user\", {BEGAN} AS began, at, false AS is_start, outcome = 'ok' AS ok FROM operations\n{condition}\n  AND {ATTEMPTED}),\n\
         ordered AS (\n\
         SELECT *, lag(at) OVER (PARTITION BY \"user\" ORDER BY began, at) AS before FROM steps),\n\
         by_user AS (\n\
         SELECT \"user\", bool_or(is_start) AS has_start, count(*) FILTER (WHERE NOT is_start) AS attempted,\n       \
         count(*) FILTER (WHERE ok) AS succeeded,\n       \
         count(*) FILTER (WHERE is_start OR before IS NULL OR began > before + INTERVAL '{silence} seconds') AS sessions\n\
         FROM ordered GROUP BY 1)\n\
         SELECT count(*) AS users, count(*) FILTER (WHERE NOT has_start) AS without_start,\n       \
         CAST(sum(sessions) AS BIGINT) AS sessions, CAST(sum(attempted) AS BIGINT) AS attempted, CAST(sum(succeeded) AS BIGINT) AS succeeded\n\
         FROM by_user"
    )
}

/// When an operation began: what has no duration began when it ended.
const BEGAN: &str = "arrow_cast(CAST(at AS BIGINT) - CAST(coalesce(duration_us, 0) AS BIGINT), 'Timestamp(Microsecond, Some(\"UTC\"))')";

pub(crate) fn sessions(batches: &[Columns<'_>]) -> Result<Sessions, StoreError> {
    let mut found = Sessions::default();
    for columns in batches {
        let of = |name| columns.integers(name);
        let (users, without_start) = (of("users")?, of("without_start")?);
        let (sessions, attempted, succeeded) = (of("sessions")?, of("attempted")?, of("succeeded")?);
        for row in 0..columns.rows() {
            found.users += count(&users, row);
            found.users_without_start += count(&without_start, row);
            found.sessions += count(&sessions, row);
            found.attempted += count(&attempted, row);
            found.succeeded += count(&succeeded, row);
        }
    }
    Ok(found)
}

/// Each operation on the first day of each new person, in the order in which they began; a person without one has one row.
///
/// A person is new whose first `session` event of all is in the span, unless there is an operation of theirs in the span that
/// ended before: then nobody said when they really began.
pub(crate) fn first_sessions_sql(question: &Question) -> String {
    let (sessions, filter) = (Kind::Session.table(), of_filter(question));
    let longest = FIRST_SESSION_MAX.as_secs();
    format!(
        "WITH starts AS (\n\
         SELECT \"user\", min(at) AS start FROM {sessions}\n{until}{filter}\n  AND \"user\" IS NOT NULL\n\
         GROUP BY 1\nHAVING min(at) >= {from} AND min(at) < {to}),\n\
         again AS (\n\
         SELECT s.\"user\", min(s.at) AS at FROM {sessions} s JOIN starts f ON f.\"user\" = s.\"user\"\n\
         {again} AND s.at > f.start GROUP BY 1),\n\
         early AS (\n\
         SELECT DISTINCT o.\"user\" FROM operations o JOIN starts f ON f.\"user\" = o.\"user\"\n{in_span}\n  AND o.at <= f.start)\n\
         SELECT f.\"user\", f.start, a.at AS again, o.began, o.at, o.ok FROM starts f\n\
         LEFT ANTI JOIN early e ON e.\"user\" = f.\"user\"\n\
         LEFT JOIN again a ON a.\"user\" = f.\"user\"\n\
         LEFT JOIN (SELECT \"user\", {BEGAN} AS began, at, outcome = 'ok' AS ok FROM operations\n{condition}\n  AND {ATTEMPTED}) o\n       \
         ON o.\"user\" = f.\"user\" AND o.at > f.start AND o.at <= f.start + INTERVAL '{longest} seconds'\n\
         ORDER BY f.start, f.\"user\", o.began, o.at",
        until = until(question),
        from = moment(question.span.from),
        to = moment(question.span.to),
        again = in_span(question, "s."),
        in_span = in_span(question, "o."),
        condition = condition(question),
    )
}

pub(crate) fn first_sessions(batches: &[Columns<'_>]) -> Result<Vec<FirstSession>, StoreError> {
    let mut found: Vec<FirstSession> = Vec::new();
    let mut person = None;
    let mut is_over = false;
    for columns in batches {
        let (user, start, again) = (columns.text("user")?, columns.times("start")?, columns.times("again")?);
        let (began, at, ok) = (columns.times("began")?, columns.times("at")?, columns.booleans("ok")?);
        for row in 0..columns.rows() {
            let start = time(&start, row)?;
            let of = Some(user(row).ok_or(StoreError::Shape("user"))?);
            if of != person {
                (person, is_over) = (of, false);
                found.push(FirstSession { start, first_success: None, last: None, attempts: 0, attempted: 0, succeeded: 0 });
            }
            let Some(session) = found.last_mut() else { continue };
            if at.is_null(row) {
                continue;
            }
            let (began, at) = (time(&began, row)?, time(&at, row)?);
            let silent_since = session.last.unwrap_or(session.start);
            let has_begun_again = again.is_valid(row) && began >= time(&again, row)?;
            is_over |= has_begun_again || began > silent_since.saturating_add(SILENCE_MAX);
            if is_over {
                continue;
            }
            session.last = session.last.max(Some(at));
            session.attempted += 1;
            if session.first_success.is_none() {
                session.attempts += 1;
            }
            if ok.value(row) {
                session.succeeded += 1;
                session.first_success = session.first_success.or(Some(at));
            }
        }
    }
    Ok(found)
}

/// For each first day and each week after it, how many people were active. All days before the end of the span are read, since
/// anybody's first one may be long ago.
pub(crate) fn returns_sql(question: &Question) -> String {
    format!(
        "WITH active AS (\n{}\nUNION ALL\n{}),\n\
         firsts AS (SELECT \"user\", min(date) AS first FROM active GROUP BY 1)\n\
         SELECT f.first, CAST((CAST(a.date AS INT) - CAST(f.first AS INT)) / 7 AS BIGINT) AS week, count(DISTINCT a.\"user\") AS n\n\
         FROM active a JOIN firsts f ON f.\"user\" = a.\"user\"\nGROUP BY 1, 2\nORDER BY 1, 2",
        active(question, Kind::Operation),
        active_days(question)
    )
}

/// The days on which somebody had a session or an interaction: `user` and `date`, some of them possibly twice.
pub(crate) fn active_days(question: &Question) -> String {
    [Kind::Session, Kind::Interaction].map(|kind| active(question, kind)).join("\nUNION ALL\n")
}

fn active(question: &Question, kind: Kind) -> String {
    let (date, table, condition) = (date(question), kind.table(), condition(question));
    format!("SELECT \"user\", {date} AS date FROM {table}\n{condition}{BY_SOMEBODY}")
}

/// An event without a user belongs to nobody.
pub(crate) const BY_SOMEBODY: &str = "\n  AND \"user\" IS NOT NULL";

pub(crate) fn returns(batches: &[Columns<'_>]) -> Result<Vec<Return>, StoreError> {
    let mut found = Vec::new();
    for columns in batches {
        let (first, week, n) = (columns.dates("first")?, columns.integers("week")?, columns.integers("n")?);
        for row in 0..columns.rows() {
            let week = u32::try_from(week.value(row)).map_err(|_| StoreError::Shape("week"))?;
            found.push(Return { first: day(&first, row)?, week, users: count(&n, row) });
        }
    }
    Ok(found)
}

/// The days on which people were active, as rollups list them: those of each person, in any order and some of them more than once.
#[derive(Default)]
pub(crate) struct Activity(HashMap<String, Vec<i32>>);

impl Activity {
    pub(crate) fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, days, last) = (columns.texts("group")?, columns.values("value")?, columns.integers("last")?);
        let users = user.as_string::<i32>();
        let mut of_row = Vec::new();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let last = if last.is_valid(row) { last.value(row) } else { i64::MAX };
            of_row.clear();
            days.add_to(&mut of_row, row);
            let of_row = of_row.iter().map(|(day, _)| i32::try_from(*day).map_err(|_| StoreError::Shape("days")));
            let of_row = of_row.filter(|day| day.as_ref().map_or(true, |day| i64::from(*day) <= last));
            match self.0.get_mut(users.value(row)) {
                Some(known) => known.extend(of_row.collect::<Result<Vec<_>, _>>()?),
                None => _ = self.0.insert(users.value(row).to_owned(), of_row.collect::<Result<_, _>>()?),
            }
        }
        Ok(())
    }

    /// For each first day and each week after it, how many people were active.
    pub(crate) fn returns(self) -> Result<Vec<Return>, StoreError> {
        let mut users: BTreeMap<(i32, u32), u64> = BTreeMap::new();
        for days in self.0.into_values() {
            let Some(first) = days.iter().min().copied() else { continue };
            let mut weeks: Vec<u32> = days.iter().map(|day| day.abs_diff(first) / 7).collect();
            weeks.sort_unstable();
            weeks.dedup();
            for week in weeks {
                *users.entry((first, week)).or_default() += 1;
            }
        }
        let of = |((first, week), users)| Ok(Return { first: date_of(first)?, week, users });
        users.into_iter().map(of).collect()
    }
}
