//! Questions about people: their sessions, their first success, and whether they come back.
//!
//! People are told apart by pseudonym; an event without one belongs to nobody, and is left out. What is attempted are operations:
//! neither those that somebody cancelled nor dry runs.

use crate::{
    StoreError,
    answer::{Columns, count, date_of, day, time},
    sql::{condition, date, in_span, of_filter, time as moment, until},
    values::{FIRST_DAY, FIRST_US, Lists, SILENCE_US, since_first},
};
use datafusion::{
    arrow::array::{Array, AsArray},
    common::HashMap,
};
use milepost_record::{FIRST_SESSION_MAX, FirstSession, Kind, Question, Return, SILENCE_MAX, Sessions};
use std::collections::BTreeMap;

/// The end of a condition on operations that somebody attempted.
pub(crate) const ATTEMPTED: &str = "\n  AND \"user\" IS NOT NULL AND outcome <> 'cancelled' AND dry_run IS NOT TRUE";

/// A row for each start of a session and for each operation that was attempted, in no particular order.
pub(crate) fn sessions_sql(question: &Question) -> String {
    let condition = condition(question);
    format!(
        "SELECT \"user\", at AS began, at, true AS is_start, false AS ok FROM sessions\n{condition}{BY_SOMEBODY}\n\
         UNION ALL\n\
         SELECT \"user\", {} AS began, at, false AS is_start, outcome = 'ok' AS ok FROM operations\n{condition}{ATTEMPTED}",
        began()
    )
}

/// When an operation began, in microseconds since 1970: what has no duration began when it ended.
pub(crate) const BEGAN_US: &str = "CAST(at AS BIGINT) - CAST(coalesce(duration_us, 0) AS BIGINT)";

fn began() -> String {
    format!("arrow_cast({BEGAN_US}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// The starts of sessions among the rows of a rollup.
pub(crate) fn starts_sql(question: &Question) -> String {
    let condition = condition(question);
    format!(
        "SELECT \"user\" AS \"group\", 'start' AS ended, CAST(at AS BIGINT) - ({FIRST_US}) AS value, CAST(1 AS BIGINT) AS n, at AS newest\n\
         FROM sessions\n{condition}{BY_SOMEBODY}"
    )
}

/// The sessions of people, of rows that come in any order. Of each person it is kept when they were busy, so memory grows with their
/// sessions, not with what they did in them; and only those have to be sorted.
#[derive(Default)]
pub(crate) struct Presence(HashMap<String, Person>);

/// What somebody did; times are as lists have them.
#[derive(Default)]
struct Person {
    attempted: u64,
    succeeded: u64,
    /// When a session began, as they said.
    starts: Vec<u64>,
    /// When a time without silence began, and how long it lasted; two of these may yet prove to be one.
    busy: Vec<(u64, u64)>,
    /// How many of these there were when they were last put in order.
    in_order: usize,
}

/// So many times of somebody are not worth being put in order.
const FEW: usize = 16;

impl Presence {
    pub(crate) fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, began, at) = (columns.texts("user")?, columns.times("began")?, columns.times("at")?);
        let (is_start, ok) = (columns.booleans("is_start")?, columns.booleans("ok")?);
        let users = user.as_string::<i32>();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let person = self.person(users.value(row));
            let (began, at) = (since_first(began.value(row)), since_first(at.value(row)));
            if is_start.value(row) {
                person.starts.push(at);
            } else {
                person.attempted += 1;
                person.succeeded += u64::from(ok.value(row));
                person.is_busy(began, at.saturating_sub(began));
            }
        }
        Ok(())
    }

    /// Takes in rows of a rollup, and of what is counted beside it.
    pub(crate) fn take_counted(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, ended, values) = (columns.texts("group")?, columns.texts("ended")?, columns.values("value")?);
        let (n, newest) = (columns.integers("n")?, columns.times("newest")?);
        let (users, ended) = (user.as_string::<i32>(), ended.as_string::<i32>());
        let mut times = Vec::new();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let person = self.person(users.value(row));
            times.clear();
            Lists::Times.add(&mut times, &values, newest.value(row), row)?;
            if ended.value(row) == "start" {
                person.starts.extend(times.iter().map(|(start, _)| *start));
            } else {
                person.attempted += count(&n, row);
                person.succeeded += if ended.value(row) == "ok" { count(&n, row) } else { 0 };
                times.iter().for_each(|(began, lasted)| person.is_busy(*began, *lasted));
            }
        }
        Ok(())
    }

    fn person(&mut self, user: &str) -> &mut Person {
        self.0.entry_ref(user).or_default()
    }

    /// With what other rows say of them.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (user, theirs) in other.0 {
            let person = self.0.entry(user).or_default();
            person.attempted += theirs.attempted;
            person.succeeded += theirs.succeeded;
            person.starts.extend(theirs.starts);
            theirs.busy.into_iter().for_each(|(began, lasted)| person.is_busy(began, lasted));
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
    fn is_busy(&mut self, began: u64, lasted: u64) {
        let at = began.saturating_add(lasted);
        if let Some((from, of_last)) = self.busy.last_mut() {
            let to = from.saturating_add(*of_last);
            if began <= to.saturating_add(SILENCE_US) && *from <= at.saturating_add(SILENCE_US) {
                *from = began.min(*from);
                *of_last = at.max(to) - *from;
                return;
            }
        }
        if self.busy.len() >= 2 * self.in_order + FEW {
            self.put_in_order();
        }
        self.busy.push((began, lasted));
    }

    /// What no silence parts becomes one.
    fn put_in_order(&mut self) {
        Lists::Times.put_in_order(&mut self.busy);
        self.in_order = self.busy.len();
    }

    /// One for each start, and one for each time that begins without a start shortly before.
    fn sessions(&mut self) -> u64 {
        self.put_in_order();
        self.starts.sort_unstable();
        let has_start = |began: u64| {
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
         SELECT s.\"user\", min(s.at) AS at FROM starts f JOIN {sessions} s ON f.\"user\" = s.\"user\"\n\
         {again} AND s.at > f.start GROUP BY 1),\n\
         early AS (\n\
         SELECT DISTINCT o.\"user\" FROM starts f JOIN operations o ON f.\"user\" = o.\"user\"\n{in_span}\n  AND o.at <= f.start)\n\
         SELECT f.\"user\", f.start, a.at AS again, o.began, o.at, o.ok FROM starts f\n\
         LEFT ANTI JOIN early e ON e.\"user\" = f.\"user\"\n\
         LEFT JOIN again a ON a.\"user\" = f.\"user\"\n\
         LEFT JOIN (SELECT \"user\", {began} AS began, at, outcome = 'ok' AS ok FROM operations\n{condition}{ATTEMPTED}) o\n       \
         ON o.\"user\" = f.\"user\" AND o.at > f.start AND o.at <= f.start + INTERVAL '{longest} seconds'\n\
         ORDER BY f.start, f.\"user\", o.began, o.at",
        until = until(question),
        from = moment(question.span.from),
        to = moment(question.span.to),
        again = in_span(question, "s."),
        in_span = in_span(question, "o."),
        condition = condition(question),
        began = began(),
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

/// The days on which people were active, as rollups list them: of each person weeks and the bits of their days, in any order and some of
/// them more than once.
#[derive(Default)]
pub(crate) struct Activity(HashMap<String, Vec<(u64, u64)>>);

const WEEK: u64 = 7;

impl Activity {
    pub(crate) fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, weeks, last) = (columns.texts("group")?, columns.values("value")?, columns.integers("last")?);
        let users = user.as_string::<i32>();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let known = self.0.entry_ref(users.value(row)).or_default();
            let before = known.len();
            weeks.add_to(known, row)?;
            if last.is_valid(row) {
                let last = u64::try_from(last.value(row)).map_err(|_| StoreError::Shape("last"))?;
                known.iter_mut().skip(before).for_each(|(week, days)| *days &= days_until(last, *week));
            }
        }
        Ok(())
    }

    /// For each first day and each week after it, how many people were active.
    pub(crate) fn returns(self) -> Result<Vec<Return>, StoreError> {
        let mut users: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let mut since_first = Vec::new();
        for mut weeks in self.0.into_values() {
            weeks.retain(|(_, days)| *days != 0);
            Lists::Weeks.put_in_order(&mut weeks);
            let Some((first_week, first_day)) = weeks.first().map(|(week, days)| (*week, u64::from(days.trailing_zeros()))) else {
                continue;
            };
            // A week after the first day begins on its day of the week.
            since_first.clear();
            for (week, days) in weeks {
                let since = week - first_week;
                since_first.extend((days & ((1 << first_day) - 1) != 0).then(|| since - 1));
                since_first.extend((days >> first_day != 0).then_some(since));
            }
            since_first.dedup();
            for week in &since_first {
                *users.entry((first_week.saturating_mul(WEEK) + first_day, *week)).or_default() += 1;
            }
        }
        let of = |((first, week), users)| {
            let first =
                i64::try_from(first).ok().and_then(|first| i32::try_from(first + FIRST_DAY).ok()).ok_or(StoreError::Shape("first"))?;
            Ok(Return { first: date_of(first)?, week: u32::try_from(week).map_err(|_| StoreError::Shape("week"))?, users })
        };
        users.into_iter().map(of).collect()
    }
}

/// The bits of the days of a week until the last day that counts, by their numbers.
const fn days_until(last: u64, week: u64) -> u64 {
    match (last + 1).saturating_sub(week.saturating_mul(WEEK)) {
        days @ 0..WEEK => (1 << days) - 1,
        _ => (1 << WEEK) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::number_of;
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeSet;

    /// One by one in the order of time, a start before what begins with it.
    fn one_by_one(starts: &[u64], attempts: &[(u64, u64)]) -> u64 {
        let starts = starts.iter().map(|start| (*start, false, *start));
        let mut steps: Vec<_> = starts.chain(attempts.iter().map(|(began, at)| (*began, true, *at))).collect();
        steps.sort_unstable();
        let (mut sessions, mut until) = (0, None::<u64>);
        for (began, is_attempt, at) in steps {
            sessions += u64::from(!is_attempt || until.is_none_or(|until| began > until + SILENCE_US));
            until = until.max(Some(at));
        }
        sessions
    }

    fn of(starts: &[u64], attempts: &[(u64, u64)]) -> u64 {
        let mut person = Person { starts: starts.to_vec(), ..Person::default() };
        attempts.iter().for_each(|(began, at)| person.is_busy(*began, at - began));
        person.sessions()
    }

    proptest! {
        #[test]
        fn sessions_are_the_same_in_any_order(
            starts in vec(0_u64..200, 0..4),
            attempts in vec((0_u64..200, prop_oneof![4 => 0_u64..2, 1 => 0_u64..60]), 0..80),
        ) {
            // In fourths of the silence that ends a session, so that much begins exactly at its end.
            let scaled = |quarter: u64| quarter * (SILENCE_US / 4);
            let starts: Vec<_> = starts.into_iter().map(scaled).collect();
            let mut attempts: Vec<_> = attempts.into_iter().map(|(began, lasted)| (scaled(began), scaled(began + lasted))).collect();
            let expected = one_by_one(&starts, &attempts);
            prop_assert_eq!(of(&starts, &attempts), expected);
            attempts.sort_unstable_by_key(|(began, at)| (*at, *began));
            prop_assert_eq!(of(&starts, &attempts), expected, "as they ended");
        }
    }

    proptest! {
        #[test]
        fn weeks_tell_what_days_tell(people in vec(vec(0_u64..80, 1..30), 1..6), pieces in 1_usize..4, last in 0_u64..90) {
            let activity = |last: u64| {
                let mut activity = Activity::default();
                for (person, days) in people.iter().enumerate() {
                    let weeks = activity.0.entry(person.to_string()).or_default();
                    for piece in days.chunks(days.len().div_ceil(pieces)) {
                        let mut of_piece = piece.iter().map(|day| (day / WEEK, 1 << (day % WEEK))).collect();
                        Lists::Weeks.put_in_order(&mut of_piece);
                        weeks.extend(of_piece.into_iter().map(|(week, days)| (week, days & days_until(last, week))));
                    }
                }
                activity
            };
            let mut expected: BTreeMap<(u64, u64), BTreeSet<usize>> = BTreeMap::new();
            for (person, days) in people.iter().enumerate() {
                let days: BTreeSet<u64> = days.iter().copied().filter(|day| *day <= last).collect();
                for day in &days {
                    let first = days.first().expect("a day");
                    expected.entry((*first, (day - first) / 7)).or_default().insert(person);
                }
            }
            let expected: Vec<_> = expected.into_iter().map(|((first, week), people)| (first, week, people.len() as u64)).collect();
            let found = activity(last).returns().expect("an answer");
            let day = |date| u64::try_from(i64::from(number_of(date).expect("a day")) - FIRST_DAY).expect("a day");
            let found: Vec<_> = found.iter().map(|of| (day(of.first), u64::from(of.week), of.users)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn nothing_is_silent_while_something_runs() {
        let minutes = |n: u64| n * 60_000_000;
        let long = (0, minutes(120));
        assert_eq!(of(&[], &[(minutes(5), minutes(6)), (minutes(60), minutes(61)), long]), 1);
        assert_eq!(of(&[], &[(minutes(5), minutes(6)), (minutes(60), minutes(61))]), 2);
        assert_eq!(of(&[minutes(60)], &[long, (minutes(150), minutes(151)), (minutes(182), minutes(183))]), 3);
    }
}
