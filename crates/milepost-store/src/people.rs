//! Whether people come back, and what questions about people have in common.
//!
//! People are told apart by pseudonym; an event without one belongs to nobody, and is left out. What is attempted are operations:
//! neither those that somebody cancelled nor dry runs.

use crate::{
    StoreError,
    answer::{Columns, count, date_of, day},
    sql::{condition, date},
    values::{FIRST_DAY, Lists},
};
use datafusion::{
    arrow::array::{Array, AsArray},
    common::HashMap,
};
use milepost_record::{Kind, Question, Return};
use std::collections::BTreeMap;

/// The end of a condition on operations that somebody attempted.
pub(crate) const ATTEMPTED: &str = "\n  AND \"user\" IS NOT NULL AND outcome <> 'cancelled' AND dry_run IS NOT TRUE";

/// When an operation began, in microseconds since 1970: what has no duration began when it ended.
const BEGAN_US: &str = "CAST(at AS BIGINT) - CAST(coalesce(duration_us, 0) AS BIGINT)";

pub(crate) fn began() -> String {
    format!("arrow_cast({BEGAN_US}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// For each first day and each week after it, how many people were active. All days before the end of the span are read, since
/// anybody's first one may be long ago.
pub(crate) fn returns_sql(question: &Question) -> String {
    let (date, condition) = (date(question), condition(question));
    let active = ACTIVE.map(|kind| format!("SELECT \"user\", {date} AS date FROM {}\n{condition}{BY_SOMEBODY}", kind.table()));
    format!(
        "WITH active AS (\n{}),\n\
         firsts AS (SELECT \"user\", min(date) AS first FROM active GROUP BY 1)\n\
         SELECT f.first, CAST((CAST(a.date AS INT) - CAST(f.first AS INT)) / 7 AS BIGINT) AS week, count(DISTINCT a.\"user\") AS n\n\
         FROM active a JOIN firsts f ON f.\"user\" = a.\"user\"\nGROUP BY 1, 2\nORDER BY 1, 2",
        active.join("\nUNION ALL\n")
    )
}

/// The table of a kind: statements are the same of what no table has yet.
pub(crate) fn table(kind: Kind) -> String {
    kind.table().to_owned()
}

/// The kinds of events by which somebody is active.
pub(crate) const ACTIVE: [Kind; 3] = [Kind::Operation, Kind::Session, Kind::Interaction];

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
}
