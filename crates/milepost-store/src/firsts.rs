//! The first sessions of new people: when they began, and what was attempted in them.
//!
//! Rollups keep of each person what their first session follows from: when it began, when they began again, when they had done something
//! before, and what they attempted in the day after it began. What comes in later adds to that in any order, but for a start before what is
//! known of somebody: what they did around it is in the events alone, from which all is made anew then.

use crate::{
    StoreError,
    answer::{Columns, time},
    packed::{KeptRow, by_person, differing_people, kept_rows},
    people::{ATTEMPTED, BY_SOMEBODY, began, table},
    sql::{condition, in_span, of_filter, time as moment, until},
    statements::limited,
    values::{FIRST_DAY, FIRST_US, since_first},
};
use datafusion::{
    arrow::{
        array::{Array, AsArray},
        record_batch::RecordBatch,
    },
    common::HashMap,
    prelude::SessionContext,
};
use futures::StreamExt;
use milepost_record::{FIRST_SESSION_MAX, FirstSession, Kind, Question, SILENCE_MAX, Span, Timestamp};
use std::collections::BTreeSet;

/// How many people and attempts one question may keep. The unit tests have no time for so many.
const KEPT_MAX: usize = if cfg!(test) { 20_000 } else { 16_000_000 };
const FIRST_SESSION_US: u64 = FIRST_SESSION_MAX.as_micros() as u64;
const DAY_US: u64 = 86_400_000_000;

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
         ORDER BY f.start, f.\"user\", o.began, o.at, o.ok",
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
    let mut found: Vec<Session> = Vec::new();
    let mut person = None;
    for columns in batches {
        let (user, start, again) = (columns.text("user")?, columns.times("start")?, columns.times("again")?);
        let (began, at, ok) = (columns.times("began")?, columns.times("at")?, columns.booleans("ok")?);
        for row in 0..columns.rows() {
            let of = Some(user(row).ok_or(StoreError::Shape("user"))?);
            if of != person {
                person = of;
                let again = again.is_valid(row).then(|| time(&again, row)).transpose()?;
                found.push(Session::begun(time(&start, row)?, again));
            }
            if let Some(session) = found.last_mut().filter(|_| at.is_valid(row)) {
                session.attempt(time(&began, row)?, time(&at, row)?, ok.value(row));
            }
        }
    }
    Ok(found.into_iter().map(|session| session.found).collect())
}

/// A first session, attempt by attempt in the order in which they began.
struct Session {
    found: FirstSession,
    /// When they began again.
    again: Option<Timestamp>,
    is_over: bool,
}

impl Session {
    const fn begun(start: Timestamp, again: Option<Timestamp>) -> Self {
        let found = FirstSession { start, first_success: None, last: None, attempts: 0, attempted: 0, succeeded: 0 };
        Self { found, again, is_over: false }
    }

    fn attempt(&mut self, began: Timestamp, at: Timestamp, ok: bool) {
        let Self { found, again, is_over } = self;
        let silent_since = found.last.unwrap_or(found.start);
        *is_over |= again.is_some_and(|again| began >= again) || began > silent_since.saturating_add(SILENCE_MAX);
        if *is_over {
            return;
        }
        found.last = found.last.max(Some(at));
        found.attempted += 1;
        if found.first_success.is_none() {
            found.attempts += 1;
        }
        if ok {
            found.succeeded += 1;
            found.first_success = found.first_success.or(Some(at));
        }
    }
}

/// A row for each session and each operation of somebody, whenever it was, and whether it is one that counts: as rollups keep it.
pub(crate) fn kept_sql(question: &Question) -> String {
    rows_sql(table, "WHERE true", question)
}

/// The same of what fulfils a condition in these tables.
pub(crate) fn rows_sql(table: fn(Kind) -> String, condition: &str, question: &Question) -> String {
    let ([sessions, operations], filter) = ([Kind::Session, Kind::Operation].map(table), of_filter(question));
    format!(
        "SELECT \"user\", at AS began, at, true AS is_start, coalesce(true{filter}, false) AS counts, false AS ok\n\
         FROM {sessions}\n{condition}{BY_SOMEBODY}\n\
         UNION ALL\n\
         SELECT \"user\", {began} AS began, at, false AS is_start, coalesce(true{filter}{ATTEMPTED}, false) AS counts, outcome = 'ok' AS ok\n\
         FROM {operations}\n{condition}{BY_SOMEBODY}",
        began = began()
    )
}

/// The people of whom a statement has something.
pub(crate) async fn users(engine: &SessionContext, sql: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut users = BTreeSet::new();
    let mut found = engine.sql(&format!("SELECT DISTINCT \"user\" FROM ({sql})")).await?.execute_stream().await.map_err(limited)?;
    while let Some(batch) = found.next().await {
        let batch = batch.map_err(limited)?;
        let user = Columns::of(&batch).texts("user")?;
        users.extend(user.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(users)
}

/// What is known of people; times are as lists have them.
#[derive(Default)]
pub(crate) struct Firsts {
    people: HashMap<String, Person>,
    /// How many attempts there are.
    size: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Person {
    /// When their first session began that counts.
    start: Option<u64>,
    /// When they began again.
    again: Option<u64>,
    /// The last operation until the start; of who has none, until now.
    before: Option<u64>,
    /// The last event of who has no start.
    latest: u64,
    /// When each began that counts and ended in the day after the start, when it ended, and whether it succeeded.
    attempts: Vec<(u64, u64, bool)>,
}

/// Why what is kept does not tell any more.
pub(crate) enum Unknown {
    /// Somebody began before what is known of them.
    Late,
    /// It would be too much.
    TooMuch,
}

impl Firsts {
    /// What the events of a statement say of people of whom this was known before: those of whom it says something new. Sessions come first,
    /// as what an operation says depends on when its person began.
    pub(crate) async fn with(mut known: Self, engine: &SessionContext, sql: &str) -> Result<Result<Self, Unknown>, StoreError> {
        let found = async |which: &str| -> Result<_, StoreError> {
            engine.sql(&format!("SELECT * FROM ({sql}) WHERE {which}")).await?.execute_stream().await.map_err(limited)
        };
        let mut changed = BTreeSet::new();
        let mut sessions = found("is_start").await?;
        let mut new: HashMap<String, Vec<(u64, bool)>> = HashMap::new();
        while let Some(batch) = sessions.next().await {
            let batch = batch.map_err(limited)?;
            let columns = Columns::of(&batch);
            let (user, at, counts) = (columns.texts("user")?, columns.times("at")?, columns.booleans("counts")?);
            let users = user.as_string::<i32>();
            for row in 0..columns.rows() {
                new.entry_ref(users.value(row)).or_default().push((since_first(at.value(row)), counts.value(row)));
            }
        }
        for (user, mut sessions) in new {
            sessions.sort_unstable();
            let person = known.people.entry_ref(&user).or_default();
            match person.began(&sessions) {
                Ok(true) => changed.insert(user),
                Ok(false) => false,
                Err(late) => return Ok(Err(late)),
            };
        }
        let mut operations = found("NOT is_start").await?;
        while let Some(batch) = operations.next().await {
            let batch = batch.map_err(limited)?;
            let columns = Columns::of(&batch);
            let (user, began, at) = (columns.texts("user")?, columns.times("began")?, columns.times("at")?);
            let (counts, ok) = (columns.booleans("counts")?, columns.booleans("ok")?);
            let users = user.as_string::<i32>();
            for row in 0..columns.rows() {
                let (began, at) = (since_first(began.value(row)), since_first(at.value(row)));
                let person = known.people.entry_ref(users.value(row)).or_default();
                let before = person.attempts.len();
                if person.did(began, at, counts.value(row).then(|| ok.value(row))) && !changed.contains(users.value(row)) {
                    changed.insert(users.value(row).to_owned());
                }
                known.size += person.attempts.len() - before;
            }
            if known.people.len() + known.size > KEPT_MAX {
                return Ok(Err(Unknown::TooMuch));
            }
        }
        known.people.retain(|user, _| changed.contains(user));
        known.people.values_mut().for_each(|person| person.attempts.sort_unstable());
        Ok(Ok(known))
    }

    /// Takes in rows of a file, of these people or of all: what a later one says of somebody counts.
    pub(crate) fn take_kept(&mut self, rows: &RecordBatch, wanted: Option<&BTreeSet<String>>) -> Result<(), StoreError> {
        let columns = Columns::of(rows);
        let (user, lists) = (columns.texts("group")?, columns.values("value")?);
        let users = user.as_string::<i32>();
        for row in (0..columns.rows()).filter(|row| wanted.is_none_or(|wanted| wanted.contains(users.value(*row)))) {
            let mut list = Vec::new();
            lists.add_to(&mut list, row)?;
            let person = Person::read(&list).ok_or(StoreError::Shape("values"))?;
            let known = self.people.entry_ref(users.value(row)).or_default();
            self.size = self.size + person.attempts.len() - known.attempts.len();
            *known = person;
        }
        Ok(())
    }

    /// Those who began, each with the attempts of their first session alone. Those behind it tell nothing of any span: one that ends within
    /// the session leaves out attempts, and a session with fewer is not over later.
    pub(crate) fn begun(mut self) -> Result<Self, StoreError> {
        self.people.retain(|_, person| person.start.is_some());
        for person in self.people.values_mut() {
            let attempted = person.session(u64::MAX)?.attempted;
            person.attempts.truncate(usize::try_from(attempted).unwrap_or(usize::MAX));
        }
        self.size = self.people.values().map(|person| person.attempts.len()).sum();
        Ok(self)
    }

    /// Takes in what is known of others, or by now.
    pub(crate) fn replace(&mut self, by: Self) {
        self.people.extend(by.people);
    }

    /// The rows that a file keeps, in batches; each with its first and last person.
    pub(crate) fn rows(&self) -> Result<Vec<([String; 2], RecordBatch)>, StoreError> {
        by_person(&self.people, |user, person| [person.row(user, None)])
    }

    /// The rows of those who began, by the day of UTC on which they did.
    pub(crate) fn rows_by_day(&self) -> Result<RecordBatch, StoreError> {
        let begun = self.in_order().into_iter().filter_map(|(user, person)| Some(person.row(user, Some(day(person.start?)?))));
        kept_rows(&begun.collect::<Vec<_>>())
    }

    fn in_order(&self) -> Vec<(&String, &Person)> {
        let mut people: Vec<_> = self.people.iter().collect();
        people.sort_unstable_by_key(|(user, _)| *user);
        people
    }

    /// Of how many people it says something else than another.
    pub(crate) fn differing(&self, other: &Self) -> usize {
        differing_people(&self.people, &other.people)
    }

    /// The first sessions of a span.
    pub(crate) fn within(&self, span: Span) -> Result<Vec<FirstSession>, StoreError> {
        let (from, to) = (since_first(span.from.as_microseconds()), since_first(span.to.as_microseconds()));
        let is_of = |(_, person): &(&String, &Person)| {
            person.start.is_some_and(|start| (from..to).contains(&start)) && person.before.is_none_or(|before| before < from)
        };
        let mut people: Vec<_> = self.in_order().into_iter().filter(is_of).collect();
        people.sort_by_key(|(_, person)| person.start);
        people.into_iter().map(|(_, person)| person.session(to)).collect()
    }
}

/// The day of UTC of a time, in days since 1970.
fn day(time: u64) -> Option<i32> {
    i32::try_from(i64::try_from(time / DAY_US).ok()? + FIRST_DAY).ok()
}

impl Person {
    /// Takes in sessions in the order of time, each with whether it counts. Returns whether they say something new, unless one that counts
    /// began before what is known.
    fn began(&mut self, sessions: &[(u64, bool)]) -> Result<bool, Unknown> {
        let before = (self.start, self.again, self.latest);
        let first = sessions.iter().find(|(_, counts)| *counts).map(|(at, _)| *at);
        if let Some(first) = first {
            if self.start.is_some_and(|start| first < start) || self.start.is_none() && first < self.latest {
                return Err(Unknown::Late);
            }
            (self.start, self.latest) = (self.start.or(Some(first)), 0);
        }
        for (at, _) in sessions {
            match self.start {
                Some(start) if *at > start => self.again = Some(self.again.map_or(*at, |again| again.min(*at))),
                Some(_) => {}
                None => self.latest = self.latest.max(*at),
            }
        }
        Ok(before != (self.start, self.again, self.latest))
    }

    /// Takes in an operation; where it counts, whether it succeeded. Returns whether that says something new.
    fn did(&mut self, began: u64, at: u64, counts: Option<bool>) -> bool {
        let start = self.start.unwrap_or(u64::MAX);
        if at > start {
            let is_near = at - start <= FIRST_SESSION_US;
            self.attempts.extend(counts.filter(|_| is_near).map(|ok| (began, at, ok)));
            return is_near && counts.is_some();
        }
        let is_new = self.before < Some(at);
        self.before = self.before.max(Some(at));
        if self.start.is_none() {
            self.latest = self.latest.max(at);
        }
        is_new
    }

    /// Their first session, of what ended before a time.
    fn session(&self, to: u64) -> Result<FirstSession, StoreError> {
        let time = |time: u64| {
            let us = i64::try_from(time).ok().and_then(|time| time.checked_add(FIRST_US));
            us.and_then(Timestamp::from_microseconds).ok_or(StoreError::Shape("values"))
        };
        let mut session = Session::begun(time(self.start.unwrap_or_default())?, self.again.map(time).transpose()?);
        for (began, at, ok) in self.attempts.iter().filter(|(_, at, _)| *at < to) {
            session.attempt(time(*began)?, time(*at)?, *ok);
        }
        Ok(session.found)
    }

    /// As a list: start and when they began again, what was before and latest, where none is 0 and each other one more than it is; then the
    /// attempts, each with how long it took and whether it succeeded as the lowest bit.
    fn row<'a>(&self, user: &'a str, date: Option<i32>) -> KeptRow<'a> {
        let of = |time: Option<u64>| time.map_or(0, |time| time + 1);
        let head = [(of(self.start), of(self.again)), (of(self.before), self.latest)];
        let attempts = self.attempts.iter().map(|(began, at, ok)| (*began, at.saturating_sub(*began) * 2 + u64::from(*ok)));
        let at = i64::try_from(self.start.unwrap_or(self.latest)).unwrap_or(i64::MAX).saturating_add(FIRST_US);
        KeptRow { date, group: Some(user), ended: "", n: 0, oldest: at, newest: at, list: head.into_iter().chain(attempts).collect() }
    }

    fn read(list: &[(u64, u64)]) -> Option<Self> {
        let [(start, again), (before, latest), attempts @ ..] = list else { return None };
        let of = |time: &u64| time.checked_sub(1);
        let attempts = attempts.iter().map(|(began, took)| (*began, began.saturating_add(took / 2), took % 2 == 1)).collect();
        Some(Self { start: of(start), again: of(again), before: of(before), latest: *latest, attempts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// An event of somebody: a session, or an operation with whether it succeeded; and whether it counts.
    #[derive(Clone, Copy, Debug)]
    enum Did {
        Began { at: u64, counts: bool },
        Tried { began: u64, at: u64, counts: Option<bool> },
    }

    fn did() -> impl Strategy<Value = Did> {
        let hours = |hours: u64| since_first(0) + hours * 3_600_000_000;
        // In the first two days, so that a day after a start often has an end.
        let began = (0_u64..48, any::<bool>()).prop_map(move |(at, counts)| Did::Began { at: hours(at), counts });
        let tried = (0_u64..48, 0_u64..3, prop::option::of(any::<bool>()));
        let tried = tried.prop_map(move |(began, took, counts)| Did::Tried { began: hours(began), at: hours(began + took), counts });
        prop_oneof![1 => began, 3 => tried]
    }

    /// What is known of a person once they did this too; none where they began before what was known.
    fn then(mut person: Person, all: &[Did]) -> Option<Person> {
        let mut sessions: Vec<_> =
            all.iter().filter_map(|did| if let Did::Began { at, counts } = did { Some((*at, *counts)) } else { None }).collect();
        sessions.sort_unstable();
        let before = person.clone();
        let is_new = person.began(&sessions).ok()?;
        assert_eq!(is_new, person != before);
        for did in all {
            if let Did::Tried { began, at, counts } = did {
                person.did(*began, *at, *counts);
            }
        }
        person.attempts.sort_unstable();
        Some(person)
    }

    proptest! {
        #[test]
        fn what_comes_in_pieces_tells_what_all_tells_or_that_it_does_not(all in vec(did(), 1..14), first in 0_usize..14) {
            let whole = then(Person::default(), &all).expect("nothing was known before");
            let (before, after) = all.split_at(first.min(all.len()));
            let known = then(Person::default(), before).expect("nothing was known before");
            let start = after.iter().filter_map(|did| if let Did::Began { at, counts: true } = did { Some(*at) } else { None }).min();
            let known_until = before.iter().map(|did| match did { Did::Began { at, .. } | Did::Tried { at, .. } => *at }).max();
            match then(known.clone(), after) {
                Some(both) => prop_assert_eq!(both, whole.clone()),
                None => prop_assert!(start < known_until.max(known.start), "it began after all that was known"),
            }
            let row = whole.row("p-1", None);
            prop_assert_eq!(Person::read(&row.list), Some(whole));
        }

        #[test]
        fn the_attempts_of_a_session_alone_say_of_each_span_what_all_say(all in vec(did(), 1..20), from in 0_i64..48, hours in 1_i64..72) {
            let person = then(Person::default(), &all).expect("nothing was known before");
            let firsts = || Firsts { people: HashMap::from_iter([("p-1".to_owned(), person.clone())]), size: person.attempts.len() };
            let hour = |hour: i64| Timestamp::from_microseconds(hour * 3_600_000_000).expect("a time");
            let span = Span { from: hour(from), to: hour(from + hours) };
            let begun = firsts().begun().expect("their sessions");
            prop_assert_eq!(begun.within(span).expect("told"), firsts().within(span).expect("told"));
            prop_assert!(begun.size <= person.attempts.len());
        }
    }
}
