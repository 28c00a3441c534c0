//! Questions about people: their sessions, their first success, and whether they come back.
//!
//! People are told apart by pseudonym; an event without one belongs to nobody, and is left out. What is attempted are operations:
//! neither those that somebody cancelled nor dry runs.

use crate::{
    StoreError,
    answer::{Columns, count, date_of, day, time},
    sql::{condition, date, in_span, of_filter, time as moment, until},
};
use datafusion::{
    arrow::array::{Array, AsArray},
    common::HashMap,
};
use milepost_record::{FIRST_SESSION_MAX, FirstSession, Kind, Question, Return, SILENCE_MAX, Sessions};
use std::collections::BTreeMap;

const ATTEMPTED: &str = "\"user\" IS NOT NULL AND outcome <> 'cancelled' AND dry_run IS NOT TRUE";

/// A row for each start of a session and for each operation that was attempted, in no particular order.
pub(crate) fn sessions_sql(question: &Question) -> String {
    let condition = condition(question);
    format!(
        "SELECT \"user\", at AS began, at, true AS is_start, false AS ok FROM sessions\n{condition}{BY_SOMEBODY}\n\
         UNION ALL\n\
         SELECT \"user\", {BEGAN} AS began, at, false AS is_start, outcome = 'ok' AS ok FROM operations\n{condition}\n  AND {ATTEMPTED}"
    )
}

/// When an operation began: what has no duration began when it ended.
const BEGAN: &str = "arrow_cast(CAST(at AS BIGINT) - CAST(coalesce(duration_us, 0) AS BIGINT), 'Timestamp(Microsecond, Some(\"UTC\"))')";

/// The sessions of people, of rows that come in any order. Of each person it is kept when they were busy, so memory grows with their
/// sessions, not with what they did in them; and only those have to be sorted.
#[derive(Default)]
pub(crate) struct Presence(HashMap<String, Person>);

/// What somebody did; times are in microseconds since 1970.
#[derive(Default)]
struct Person {
    attempted: u64,
    succeeded: u64,
    /// When a session began, as they said.
    starts: Vec<i64>,
    /// From when to when there was no silence; two of these may yet prove to be one.
    busy: Vec<(i64, i64)>,
    /// How many of these there were when they were last put in order.
    in_order: usize,
}

const SILENCE_US: i64 = SILENCE_MAX.as_micros() as i64;
/// So many times of somebody are not worth being put in order.
const FEW: usize = 16;

impl Presence {
    pub(crate) fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, began, at) = (columns.texts("user")?, columns.times("began")?, columns.times("at")?);
        let (is_start, ok) = (columns.booleans("is_start")?, columns.booleans("ok")?);
        let users = user.as_string::<i32>();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let person = match self.0.get_mut(users.value(row)) {
                Some(person) => person,
                None => self.0.entry(users.value(row).to_owned()).or_default(),
            };
            if is_start.value(row) {
                person.starts.push(at.value(row));
            } else {
                person.attempted += 1;
                person.succeeded += u64::from(ok.value(row));
                person.is_busy(began.value(row), at.value(row));
            }
        }
        Ok(())
    }

    /// With what other rows say of them.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (user, theirs) in other.0 {
            let person = self.0.entry(user).or_default();
            person.attempted += theirs.attempted;
            person.succeeded += theirs.succeeded;
            person.starts.extend(theirs.starts);
            theirs.busy.into_iter().for_each(|(began, at)| person.is_busy(began, at));
        }
        self
    }

    pub(crate) fn sessions(self) -> Sessions {
        let mut found = Sessions::default();
        for mut person in self.0.into_values() {
            found.users += 1;
            found.users_without_start += u64::from(person.starts.is_empty());
            found.attempted += person.attempted;
            found.succeeded += person.succeeded;
            found.sessions += person.sessions();
        }
        found
    }
}

impl Person {
    fn is_busy(&mut self, began: i64, at: i64) {
        if let Some((from, to)) = self.busy.last_mut()
            && began <= to.saturating_add(SILENCE_US)
            && *from <= at.saturating_add(SILENCE_US)
        {
            (*from, *to) = ((*from).min(began), (*to).max(at));
            return;
        }
        if self.busy.len() >= 2 * self.in_order + FEW {
            self.put_in_order();
        }
        self.busy.push((began, at));
    }

    /// What no silence parts becomes one.
    fn put_in_order(&mut self) {
        self.busy.sort_unstable();
        self.busy.dedup_by(|(began, at), (_, to)| {
            let is_same = *began <= to.saturating_add(SILENCE_US);
            if is_same {
                *to = (*to).max(*at);
            }
            is_same
        });
        self.in_order = self.busy.len();
    }

    /// One for each start, and one for each time that begins without a start shortly before.
    fn sessions(&mut self) -> u64 {
        self.put_in_order();
        self.starts.sort_unstable();
        let has_start = |began: i64| {
            let before = self.starts.partition_point(|start| *start <= began).checked_sub(1);
            before.and_then(|index| self.starts.get(index)).is_some_and(|start| began <= start.saturating_add(SILENCE_US))
        };
        (self.starts.len() + self.busy.iter().filter(|(began, _)| !has_start(*began)).count()) as u64
    }
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
            days.add_to(&mut of_row, row)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// One by one in the order of time, a start before what begins with it.
    fn one_by_one(starts: &[i64], attempts: &[(i64, i64)]) -> u64 {
        let starts = starts.iter().map(|start| (*start, false, *start));
        let mut steps: Vec<_> = starts.chain(attempts.iter().map(|(began, at)| (*began, true, *at))).collect();
        steps.sort_unstable();
        let (mut sessions, mut until) = (0, None::<i64>);
        for (began, is_attempt, at) in steps {
            sessions += u64::from(!is_attempt || until.is_none_or(|until| began > until + SILENCE_US));
            until = until.max(Some(at));
        }
        sessions
    }

    fn of(starts: &[i64], attempts: &[(i64, i64)]) -> u64 {
        let mut person = Person { starts: starts.to_vec(), ..Person::default() };
        attempts.iter().for_each(|(began, at)| person.is_busy(*began, *at));
        person.sessions()
    }

    proptest! {
        #[test]
        fn sessions_are_the_same_in_any_order(
            starts in vec(0_i64..200, 0..4),
            attempts in vec((0_i64..200, prop_oneof![4 => 0_i64..2, 1 => 0_i64..60]), 0..80),
        ) {
            // In fourths of the silence that ends a session, so that much begins exactly at its end.
            let scaled = |quarter: i64| quarter * (SILENCE_US / 4);
            let starts: Vec<_> = starts.into_iter().map(scaled).collect();
            let mut attempts: Vec<_> = attempts.into_iter().map(|(began, lasted)| (scaled(began), scaled(began + lasted))).collect();
            let expected = one_by_one(&starts, &attempts);
            prop_assert_eq!(of(&starts, &attempts), expected);
            attempts.sort_unstable_by_key(|(began, at)| (*at, *began));
            prop_assert_eq!(of(&starts, &attempts), expected, "as they ended");
        }
    }

    #[test]
    fn nothing_is_silent_while_something_runs() {
        let minutes = |n: i64| n * 60_000_000;
        let long = (0, minutes(120));
        assert_eq!(of(&[], &[(minutes(5), minutes(6)), (minutes(60), minutes(61)), long]), 1);
        assert_eq!(of(&[], &[(minutes(5), minutes(6)), (minutes(60), minutes(61))]), 2);
        assert_eq!(of(&[minutes(60)], &[long, (minutes(150), minutes(151)), (minutes(182), minutes(183))]), 3);
    }
}
