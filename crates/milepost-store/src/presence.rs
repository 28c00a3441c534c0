//! When people were there: the sessions that they had, and how many they were.
//!
//! Sessions of a span are not the sum of those of its days: one that lasts over midnight is one, and somebody who comes every day is one
//! person. So rollups keep both what has to be known to tell (of each person the times at which they were busy, by day) and what
//! follows from it: how much each day adds to the sessions and people of a span, which depends on how many days before it the span
//! begins, and on that in few steps only. An answer adds up the steps of its days, and looks at nobody but those who did something that
//! no rollup counts yet.

use crate::{
    StoreError,
    answer::{Columns, count},
    calendar::Calendar,
    packed::{KeptRow, by_person, differing_people, kept_rows},
    people::{ATTEMPTED, BY_SOMEBODY, began, table},
    sql::{condition, of_filter},
    statements::limited,
    values::{FIRST_US, SILENCE_US, since_first},
};
use datafusion::{
    arrow::{
        array::{Array, AsArray},
        record_batch::RecordBatch,
    },
    common::HashMap,
    error::DataFusionError,
    prelude::DataFrame,
};
use futures::StreamExt;
use milepost_record::{Kind, Question, Sessions, Span};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter::{once, repeat_n},
    ops::{Range, RangeInclusive},
};
use tokio::task::JoinSet;

/// How many people, times and starts one question may keep. The unit tests have no time for so many.
const KEPT_MAX: usize = if cfg!(test) { 20_000 } else { 16_000_000 };
/// How many times may be looked at for the steps of all: more than a few for each only where much lasts for days.
const LOOKED_AT_MAX: usize = 8 * KEPT_MAX;
/// So many times of somebody are not worth being put in order.
const FEW: usize = 16;

/// A row for each start of a session and for each operation that was attempted, in no particular order.
pub(crate) fn sessions_sql(question: &Question) -> String {
    attendance(table, &condition(question))
}

/// The same whenever it was, as rollups keep it. In other zones, the same has other days.
pub(crate) fn kept_sql(question: &Question) -> String {
    let condition = format!("WHERE true{}", of_filter(question));
    format!("-- by day in {}\n{}", question.time_zone.replace(char::is_whitespace, " "), attendance(table, &condition))
}

/// The same of what fulfils a condition in these tables.
pub(crate) fn attendance(table: fn(Kind) -> String, condition: &str) -> String {
    let [sessions, operations] = [Kind::Session, Kind::Operation].map(table);
    format!(
        "SELECT \"user\", at AS began, at, true AS is_start, false AS ok FROM {sessions}\n{condition}{BY_SOMEBODY}\n\
         UNION ALL\n\
         SELECT \"user\", {} AS began, at, false AS is_start, outcome = 'ok' AS ok FROM {operations}\n{condition}{ATTEMPTED}",
        began()
    )
}

/// What people did, of rows that come in any order. Of each it is kept when they were busy, so memory grows with their sessions, not
/// with what they did in them; and only those have to be sorted.
#[derive(Default)]
pub(crate) struct Presence {
    people: HashMap<String, Person>,
    days: BTreeMap<i32, Day>,
    /// None where days are not told apart: then all is of one.
    calendar: Option<Calendar>,
    /// How many times and starts there are.
    size: usize,
}

/// What was attempted on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Day {
    attempted: u64,
    succeeded: u64,
    /// The first and the last event, starts among them, in microseconds since 1970.
    oldest: i64,
    newest: i64,
}

/// What somebody did; times are as lists have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Person {
    /// On which day a session began, as they said, and when.
    starts: Vec<(i32, u64)>,
    busy: Vec<Busy>,
    /// How many of these there were when they were last put in order.
    in_order: usize,
}

/// A time without silence, of what ended on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Busy {
    day: i32,
    began: u64,
    ended: u64,
}

impl Presence {
    pub(crate) fn by_day(calendar: Calendar) -> Self {
        Self { calendar: Some(calendar), ..Self::default() }
    }

    /// What a statement finds, its parts at the same time. None where that is too much to be kept.
    pub(crate) async fn of(found: DataFrame, calendar: Option<&Calendar>) -> Result<Option<Self>, StoreError> {
        let mut running = JoinSet::new();
        for mut part in found.execute_stream_partitioned().await.map_err(limited)? {
            let mut presence = Self { calendar: calendar.cloned(), ..Self::default() };
            running.spawn(async move {
                while let Some(batch) = part.next().await {
                    presence.take(&Columns::of(&batch.map_err(limited)?))?;
                    if presence.is_too_much() {
                        break;
                    }
                }
                Ok::<_, StoreError>(presence)
            });
        }
        let mut all = Self { calendar: calendar.cloned(), ..Self::default() };
        while let Some(part) = running.join_next().await {
            all.add(part.map_err(|error| DataFusionError::External(error.into()))??);
        }
        all.put_in_order();
        Ok((!all.is_too_much()).then_some(all))
    }

    /// Only what is kept has a limit.
    fn is_too_much(&self) -> bool {
        self.calendar.is_some() && self.people.len() + self.size > KEPT_MAX
    }

    fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (user, began, at) = (columns.texts("user")?, columns.times("began")?, columns.times("at")?);
        let (is_start, ok) = (columns.booleans("is_start")?, columns.booleans("ok")?);
        let users = user.as_string::<i32>();
        for row in (0..columns.rows()).filter(|row| users.is_valid(*row)) {
            let us = at.value(row);
            let day = self.day(us)?;
            let of_day = self.days.entry(day).or_insert(Day { attempted: 0, succeeded: 0, oldest: us, newest: us });
            (of_day.oldest, of_day.newest) = (of_day.oldest.min(us), of_day.newest.max(us));
            let (began, ended) = (since_first(began.value(row)), since_first(us));
            let person = self.people.entry_ref(users.value(row)).or_default();
            if is_start.value(row) {
                person.starts.push((day, ended));
                self.size += 1;
            } else {
                of_day.attempted += 1;
                of_day.succeeded += u64::from(ok.value(row));
                self.size = self.size.saturating_add_signed(person.is_busy(Busy { day, began: began.min(ended), ended }));
            }
        }
        Ok(())
    }

    fn day(&mut self, us: i64) -> Result<i32, StoreError> {
        self.calendar.as_mut().map_or(Ok(0), |calendar| calendar.day(us))
    }

    /// Takes in what a file keeps of people: of these, or of all; what ended within a span, or whenever it was.
    pub(crate) fn take_kept(
        &mut self,
        rows: &RecordBatch,
        wanted: Option<&BTreeSet<String>>,
        span: Option<Span>,
    ) -> Result<(), StoreError> {
        let columns = Columns::of(rows);
        let (user, what, lists) = (columns.texts("group")?, columns.texts("ended")?, columns.values("value")?);
        let (users, what) = (user.as_string::<i32>(), what.as_string::<i32>());
        let span = span.map(|span| since_first(span.from.as_microseconds())..since_first(span.to.as_microseconds()));
        let mut list = Vec::new();
        for row in (0..columns.rows()).filter(|row| wanted.is_none_or(|wanted| wanted.contains(users.value(*row)))) {
            list.clear();
            lists.add_to(&mut list, row)?;
            let is_start = what.value(row) == START;
            for (first, second) in &list {
                let ended = if is_start { *first } else { first.saturating_add(*second) };
                if span.as_ref().is_some_and(|span| !span.contains(&ended)) {
                    continue;
                }
                let day = self.day(i64::try_from(ended).map_err(|_| StoreError::Shape("values"))?.saturating_add(FIRST_US))?;
                let person = self.people.entry_ref(users.value(row)).or_default();
                if is_start {
                    let n = usize::try_from(*second).ok().filter(|n| *n <= KEPT_MAX).ok_or(StoreError::Shape("values"))?;
                    person.starts.extend(repeat_n((day, ended), n));
                    self.size += n;
                } else {
                    self.size = self.size.saturating_add_signed(person.is_busy(Busy { day, began: *first, ended }));
                }
            }
        }
        Ok(())
    }

    /// Takes in what others are known to have done.
    pub(crate) fn add(&mut self, other: Self) {
        for (day, theirs) in other.days {
            self.days.entry(day).and_modify(|of_day| of_day.add(theirs)).or_insert(theirs);
        }
        for (user, theirs) in other.people {
            let grown = self.people.entry(user).or_default().add(&theirs);
            self.size = self.size.saturating_add_signed(grown);
        }
    }

    fn put_in_order(&mut self) {
        self.people.values_mut().for_each(Person::put_in_order);
        self.size = self.people.values().map(|person| person.starts.len() + person.busy.len()).sum();
    }

    pub(crate) fn users(&self) -> BTreeSet<String> {
        self.people.keys().cloned().collect()
    }

    /// All of it as the answer to a question about its span.
    pub(crate) fn sessions(&mut self) -> Result<Sessions, StoreError> {
        self.put_in_order();
        let mut totals = Totals::default();
        for person in self.people.values() {
            totals.told.iter_mut().zip(person.told()).for_each(|(total, told)| *total += told);
        }
        totals.attempted_on(self.days.values());
        totals.sessions()
    }

    /// What is kept of each day: what was attempted, and by which steps it adds to a span. None where it is too much to be worked out.
    pub(crate) fn daily(&self) -> Option<Daily> {
        self.daily_beside(Self::default())
    }

    /// What is kept of each day once these people, of whom `known` was known before, are known to have done this too.
    pub(crate) fn daily_beside(&self, mut known: Self) -> Option<Daily> {
        let mut daily = Daily { days: self.days.clone(), steps: Steps::default() };
        let mut looked_at = 0;
        for (user, person) in &self.people {
            let mut all = known.people.remove(user).unwrap_or_default();
            // The days before what is new stay as they are.
            let first = person.busy.iter().map(|busy| busy.day).chain(person.starts.iter().map(|(day, _)| *day)).min();
            let first = first.unwrap_or(i32::MIN);
            all.put_in_order();
            all.steps(&mut daily.steps, -1, first, &mut looked_at)?;
            all.add(person);
            all.put_in_order();
            all.steps(&mut daily.steps, 1, first, &mut looked_at)?;
        }
        Some(daily)
    }

    /// The rows that a file keeps of people, in batches; each with its first and last person.
    pub(crate) fn rows(&mut self) -> Result<Vec<([String; 2], RecordBatch)>, StoreError> {
        self.put_in_order();
        by_person(&self.people, |user, person| person.rows(user))
    }

    /// Of how many people it says something else than another.
    pub(crate) fn differing(&mut self, other: &mut Self) -> usize {
        self.put_in_order();
        other.put_in_order();
        differing_people(&self.people, &other.people)
    }
}

impl Day {
    fn add(&mut self, other: Self) {
        (self.attempted, self.succeeded) = (self.attempted + other.attempted, self.succeeded + other.succeeded);
        (self.oldest, self.newest) = (self.oldest.min(other.oldest), self.newest.max(other.newest));
    }
}

/// The words for the two kinds of rows of a person.
const BUSY: &str = "busy";
const START: &str = "start";

impl Person {
    /// Takes in a time, and returns by how many times there are more.
    fn is_busy(&mut self, busy: Busy) -> isize {
        if let Some(last) = self.busy.last_mut()
            && last.day == busy.day
            && busy.began <= last.ended.saturating_add(SILENCE_US)
            && last.began <= busy.ended.saturating_add(SILENCE_US)
        {
            (last.began, last.ended) = (last.began.min(busy.began), last.ended.max(busy.ended));
            return 0;
        }
        let before = self.busy.len();
        if before >= 2 * self.in_order + FEW {
            self.put_in_order();
        }
        self.busy.push(busy);
        self.busy.len().cast_signed() - before.cast_signed()
    }

    fn add(&mut self, other: &Self) -> isize {
        self.starts.extend(&other.starts);
        other.starts.len().cast_signed() + other.busy.iter().map(|busy| self.is_busy(*busy)).sum::<isize>()
    }

    /// What no silence parts becomes one, day by day.
    fn put_in_order(&mut self) {
        self.starts.sort_unstable();
        self.busy.sort_unstable();
        self.busy.dedup_by(|next, kept| {
            let is_same = next.day == kept.day && next.began <= kept.ended.saturating_add(SILENCE_US);
            kept.ended = if is_same { kept.ended.max(next.ended) } else { kept.ended };
            is_same
        });
        self.in_order = self.busy.len();
    }

    fn rows<'a>(&'a self, user: &'a str) -> impl Iterator<Item = KeptRow<'a>> {
        let us = |time: u64| i64::try_from(time).unwrap_or(i64::MAX).saturating_add(FIRST_US);
        let row = move |what, list: Vec<(u64, u64)>, ends: Option<(u64, u64)>| {
            let (oldest, newest) = ends?;
            Some(KeptRow { date: None, group: Some(user), ended: what, n: 0, oldest: us(oldest), newest: us(newest), list })
        };
        let ends = |times: &mut dyn Iterator<Item = u64>| {
            times.fold(None, |ends: Option<(u64, u64)>, time| Some(ends.map_or((time, time), |(a, b)| (a.min(time), b.max(time)))))
        };
        let mut starts: Vec<(u64, u64)> = Vec::new();
        for (_, start) in &self.starts {
            match starts.last_mut().filter(|(last, _)| last == start) {
                Some((_, n)) => *n += 1,
                None => starts.push((*start, 1)),
            }
        }
        let busy = self.busy.iter().map(|busy| (busy.began, busy.ended - busy.began)).collect();
        let of_starts = ends(&mut self.starts.iter().map(|(_, start)| *start));
        let of_busy = ends(&mut self.busy.iter().map(|busy| busy.ended));
        [row(BUSY, busy, of_busy), row(START, starts, of_starts)].into_iter().flatten()
    }

    /// Whether they did anything, whether they said when they began, and how many sessions they had.
    fn told(&self) -> [i64; 3] {
        let is_starter = !self.starts.is_empty();
        [i64::from(is_starter || !self.busy.is_empty()), i64::from(is_starter), sessions(&self.busy, &self.starts)]
    }

    /// What they did on each day, in order.
    fn by_day(&self) -> Vec<OfDay> {
        let days: BTreeSet<i32> = self.busy.iter().map(|busy| busy.day).chain(self.starts.iter().map(|(day, _)| *day)).collect();
        let mut found: Vec<OfDay> = Vec::with_capacity(days.len());
        for day in days {
            let (busy, starts) = found.last().map_or((0, 0), |of| (of.busy.end, of.starts.end));
            let busy = busy..busy + self.busy[busy..].iter().take_while(|busy| busy.day == day).count();
            let starts = starts..starts + self.starts[starts..].iter().take_while(|(of, _)| *of == day).count();
            let of_day = self.busy[busy.clone()].iter().map(|busy| busy.ended).chain(self.starts[starts.clone()].iter().map(|(_, at)| *at));
            let latest = of_day.chain(found.last().map(|of| of.latest)).max().unwrap_or(0);
            found.push(OfDay { day, busy, starts, latest });
        }
        found
    }

    /// Adds the steps of somebody whose times are in order so often to others, of the days from the first one on. None where too much would
    /// have to be looked at.
    fn steps(&self, steps: &mut Steps, sign: i64, first: i32, looked_at: &mut usize) -> Option<()> {
        let days = self.by_day();
        for (index, OfDay { day, busy, starts, .. }) in days.iter().enumerate().filter(|(_, of)| of.day >= first) {
            let before = &days[..index];
            let mut add = |name, earlier: Option<&OfDay>, more| {
                steps.add(*day, name, earlier.map_or(0, |earlier| u32::try_from(day - earlier.day).unwrap_or(u32::MAX)), more);
            };
            // Somebody counts on their first day of the span.
            add(USERS, None, sign);
            if let Some(earlier) = before.last() {
                add(USERS, Some(earlier), -sign);
            }
            if !starts.is_empty() {
                add(STARTERS, None, sign);
                if let Some(earlier) = before.iter().rfind(|earlier| !earlier.starts.is_empty()) {
                    add(STARTERS, Some(earlier), -sign);
                }
            }
            let mut added = sessions(&self.busy[busy.clone()], &self.starts[starts.clone()]);
            add(SESSIONS, None, sign * added);
            *looked_at += busy.len();
            // Where something of an earlier day is near, it depends on whether the span has that day.
            let Some(earliest) = self.busy[busy.clone()].iter().map(|busy| busy.began).min() else { continue };
            for earlier in before.iter().rev().take_while(|of| of.latest.saturating_add(SILENCE_US) >= earliest) {
                let with = sessions(&self.busy[earlier.busy.start..busy.end], &self.starts[earlier.starts.start..starts.end]);
                let without = sessions(&self.busy[earlier.busy.start..busy.start], &self.starts[earlier.starts.start..starts.start]);
                add(SESSIONS, Some(earlier), sign * (with - without - added));
                added = with - without;
                *looked_at += busy.end - earlier.busy.start;
                if *looked_at > LOOKED_AT_MAX {
                    return None;
                }
            }
        }
        Some(())
    }
}

/// What somebody did on a day: which of their times and starts, and when the last of these ended, or of any day before.
struct OfDay {
    day: i32,
    busy: Range<usize>,
    starts: Range<usize>,
    latest: u64,
}

/// How many sessions: one for each start, of which the times are in order, and one for each time that begins without one shortly before.
fn sessions(busy: &[Busy], starts: &[(i32, u64)]) -> i64 {
    let has_start = |began: u64| {
        let before = starts.partition_point(|(_, start)| *start <= began).checked_sub(1);
        before.and_then(|index| starts.get(index)).is_some_and(|(_, start)| began <= start.saturating_add(SILENCE_US))
    };
    let mut times: Vec<(u64, u64)> = busy.iter().map(|busy| (busy.began, busy.ended)).collect();
    times.sort_unstable();
    let (mut found, mut until) = (starts.len().cast_signed() as i64, None::<u64>);
    for (began, ended) in times {
        if until.is_none_or(|until| began > until.saturating_add(SILENCE_US)) {
            found += i64::from(!has_start(began));
        }
        until = until.max(Some(ended));
    }
    found
}

const USERS: usize = 0;
const STARTERS: usize = 1;
const SESSIONS: usize = 2;
/// The words for what steps tell.
const STEPS: [&str; 3] = ["users", "starters", "sessions"];

/// How much a day adds to a span that begins this many days before it, or more: of people, of those who said when they began, and of
/// sessions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps(BTreeMap<i32, [BTreeMap<u32, i64>; STEPS.len()]>);

impl Steps {
    fn add(&mut self, day: i32, name: usize, days_before: u32, more: i64) {
        if more != 0
            && let Some(steps) = self.0.entry(day).or_default().get_mut(name)
        {
            let step = steps.entry(days_before).or_default();
            *step += more;
            if *step == 0 {
                steps.remove(&days_before);
            }
        }
    }
}

/// What is kept of the days of a question about sessions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Daily {
    days: BTreeMap<i32, Day>,
    steps: Steps,
}

impl Daily {
    /// Takes in rows of a file.
    pub(crate) fn take(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        let columns = Columns::of(rows);
        let (dates, what, lists) = (columns.dates("date")?, columns.texts("ended")?, columns.values("value")?);
        let (n, oldest, newest) = (columns.integers("n")?, columns.times("oldest")?, columns.times("newest")?);
        let what = what.as_string::<i32>();
        let mut list = Vec::new();
        for row in 0..columns.rows() {
            let day = dates.value(row);
            if let Some(name) = STEPS.iter().position(|name| *name == what.value(row)) {
                list.clear();
                lists.add_to(&mut list, row)?;
                for (days_before, more) in &list {
                    let days_before = u32::try_from(*days_before).map_err(|_| StoreError::Shape("values"))?;
                    self.steps.add(day, name, days_before, more.cast_signed());
                }
                continue;
            }
            let (n, is_ok) = (count(&n, row), what.value(row) == "ok");
            let of_day = Day { attempted: n, succeeded: if is_ok { n } else { 0 }, oldest: oldest.value(row), newest: newest.value(row) };
            self.days.entry(day).and_modify(|known| known.add(of_day)).or_insert(of_day);
        }
        Ok(())
    }

    /// The rows that a file keeps of days.
    pub(crate) fn rows(&self) -> Result<RecordBatch, StoreError> {
        let mut rows = Vec::new();
        for (day, Day { attempted, succeeded, oldest, newest }) in &self.days {
            let row = |ended, n, list| KeptRow { date: Some(*day), group: None, ended, n, oldest: *oldest, newest: *newest, list };
            rows.push(row("ok", *succeeded, Vec::new()));
            rows.push(row("failed", attempted - succeeded, Vec::new()));
        }
        for (day, steps) in &self.steps.0 {
            for (name, steps) in STEPS.iter().zip(steps).filter(|(_, steps)| !steps.is_empty()) {
                let list = steps.iter().map(|(days_before, more)| (u64::from(*days_before), more.cast_unsigned())).collect();
                rows.push(KeptRow { date: Some(*day), group: None, ended: name, n: 0, oldest: 0, newest: 0, list });
            }
        }
        kept_rows(&rows)
    }

    /// On how many days it says something else than another.
    pub(crate) fn differing(&self, other: &Self) -> usize {
        let days: BTreeSet<_> = [self, other].iter().flat_map(|of| of.days.keys().chain(of.steps.0.keys())).collect();
        let is_same = |day: &&&i32| self.days.get(**day) == other.days.get(**day) && self.of_day(***day) == other.of_day(***day);
        days.iter().filter(|day| !is_same(day)).count()
    }

    fn of_day(&self, day: i32) -> Option<&[BTreeMap<u32, i64>; STEPS.len()]> {
        self.steps.0.get(&day).filter(|steps| steps.iter().any(|steps| !steps.is_empty()))
    }

    /// What they add up to in a span that begins and ends on these days; none where it cuts one of them.
    pub(crate) fn totals(&self, span: Span, days: &RangeInclusive<i32>) -> Option<Totals> {
        let (from, to) = (span.from.as_microseconds(), span.to.as_microseconds());
        let mut totals = Totals::default();
        // A day that ended before the span began is none of it.
        let is_before = self.days.get(days.start()).is_some_and(|of_day| of_day.newest < from);
        let first = days.start() + i32::from(is_before);
        for (day, of_day) in self.days.range(first..=*days.end()).filter(|(_, of_day)| of_day.oldest < to) {
            if of_day.oldest < from || of_day.newest >= to {
                return None;
            }
            let since = u32::try_from(day - first).unwrap_or(u32::MAX);
            for (total, steps) in totals.told.iter_mut().zip(self.steps.0.get(day).into_iter().flatten()) {
                *total += steps.range(..=since).map(|(_, more)| more).sum::<i64>();
            }
            totals.attempted_on(once(of_day));
        }
        Some(totals)
    }
}

/// What a question asks about a span.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    told: [i64; STEPS.len()],
    attempted: u64,
    succeeded: u64,
}

impl Totals {
    /// Counts what people did beside; of these it has to be known what is counted already.
    pub(crate) fn count_beside(&mut self, mut known: Presence, beside: Presence) {
        for (user, more) in beside.people {
            let mut person = known.people.remove(&user).unwrap_or_default();
            person.put_in_order();
            let before = person.told();
            person.add(&more);
            person.put_in_order();
            let after = person.told();
            self.told.iter_mut().zip(before.iter().zip(after)).for_each(|(total, (before, after))| *total += after - before);
        }
        self.attempted_on(beside.days.values());
    }

    fn attempted_on<'a>(&mut self, days: impl Iterator<Item = &'a Day>) {
        for day in days {
            (self.attempted, self.succeeded) = (self.attempted + day.attempted, self.succeeded + day.succeeded);
        }
    }

    pub(crate) fn sessions(&self) -> Result<Sessions, StoreError> {
        let [users, starters, sessions] = self.told.map(|n| u64::try_from(n).map_err(|_| StoreError::Shape("sessions")));
        let (users, starters, &Self { attempted, succeeded, .. }) = (users?, starters?, self);
        let users_without_start = users.checked_sub(starters).ok_or(StoreError::Shape("sessions"))?;
        Ok(Sessions { sessions: sessions?, users, users_without_start, attempted, succeeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::FIRST_DAY;
    use datafusion::arrow::array::{ArrayRef, BooleanArray, StringArray, TimestampMicrosecondArray};
    use milepost_record::Timestamp;
    use proptest::{collection::vec, prelude::*};
    use std::sync::Arc;

    const USER: &str = "p-1";

    impl Presence {
        /// What somebody did, in microseconds since the first day: starts, and what they attempted.
        fn did(&mut self, user: &str, starts: &[u64], attempts: &[(u64, u64)]) {
            let us = |time: u64| i64::try_from(time).expect("a time") + FIRST_US;
            let starts = starts.iter().map(|start| (*start, *start, true));
            let rows: Vec<_> = starts.chain(attempts.iter().map(|(began, at)| (*began, *at, false))).collect();
            let times = |of: fn(&(u64, u64, bool)) -> u64| {
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| us(of(row)))).with_timezone("UTC")) as ArrayRef
            };
            let batch = RecordBatch::try_from_iter([
                ("user", Arc::new(StringArray::from(vec![user; rows.len()])) as ArrayRef),
                ("began", times(|row| row.0)),
                ("at", times(|row| row.1)),
                ("is_start", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.2))))),
                ("ok", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(!row.2 && row.1 % 3 != 0))))),
            ]);
            self.take(&Columns::of(&batch.expect("rows"))).expect("taken");
        }
    }

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
        let mut presence = Presence::default();
        presence.did(USER, starts, attempts);
        presence.sessions().expect("an answer").sessions
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

    type Did = (Vec<u64>, Vec<(u64, u64)>);

    /// What some people did in a fortnight: mostly in minutes, often near midnight, and some of it for days.
    fn did() -> impl Strategy<Value = Vec<Did>> {
        let hour = 60 * 60 * 1_000_000_u64;
        let time = prop_oneof![3 => 0_u64..14 * 24 * 4, 2 => (0_u64..14, 94_u64..98).prop_map(|(day, quarter)| day * 96 + quarter)];
        let time = time.prop_map(move |quarter| FIRST + quarter * hour / 4);
        let lasted = prop_oneof![6 => 0_u64..3, 2 => 0_u64..10, 1 => 0_u64..96 * 5].prop_map(move |quarter| quarter * hour / 4);
        let attempt = (time.clone(), lasted).prop_map(|(began, lasted)| (began, began + lasted));
        vec((vec(time, 0..4), vec(attempt, 0..12)), 1..4)
    }

    /// The first day of a fortnight, in microseconds since the first day of lists.
    const FIRST: u64 = (20_000 - FIRST_DAY).cast_unsigned() * 86_400_000_000;

    fn take_all(presence: &mut Presence, all: &[Did]) {
        for (who, (starts, attempts)) in all.iter().enumerate() {
            presence.did(&format!("p-{who}"), starts, attempts);
        }
    }

    fn zone(name: &str) -> Presence {
        Presence::by_day(Calendar::named(name))
    }

    /// What a file gives back.
    fn read(presence: &mut Presence, wanted: Option<&BTreeSet<String>>, zone: &str) -> Presence {
        let mut read = self::zone(zone);
        for (_, batch) in presence.rows().expect("rows") {
            read.take_kept(&batch, wanted, None).expect("read");
        }
        read
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn days_add_up_to_what_people_did(
            first in did(), then in did(), live in did(),
            ends in (0_i64..16, 0_i64..20), is_berlin in any::<bool>(),
        ) {
            let zone_name = if is_berlin { "Europe/Berlin" } else { "UTC" };
            let mut known = zone(zone_name);
            take_all(&mut known, &first);
            known.put_in_order();
            let mut kept = Daily::default();
            kept.take(&known.daily().expect("little").rows().expect("rows")).expect("read");

            // What comes later adds its steps to those that are kept.
            let mut more = zone(zone_name);
            take_all(&mut more, &then);
            more.put_in_order();
            let of_them = read(&mut known, Some(&more.users()), zone_name);
            let beside = more.daily_beside(of_them).expect("little");
            kept.take(&beside.rows().expect("rows")).expect("read");
            let mut all = read(&mut known, None, zone_name);
            all.add(read(&mut more, None, zone_name));
            let mut both = zone(zone_name);
            take_all(&mut both, &first);
            take_all(&mut both, &then);
            both.put_in_order();
            prop_assert_eq!(all.differing(&mut both), 0);
            prop_assert_eq!(kept.differing(&both.daily().expect("little")), 0);

            // A span of whole days, and what no rollup counts yet.
            let mut calendar = Calendar::named(zone_name);
            let day = |day: i64| {
                let date = crate::answer::date_of(i32::try_from(20_000 - 1 + day).expect("a day")).expect("a day");
                let start = date.to_zoned_datetime(crate::calendar::named(zone_name)).expect("a day");
                Timestamp::from_jiff(start.timestamp())
            };
            let span = Span { from: day(ends.0.min(ends.1)), to: day(ends.0.max(ends.1)) };
            let days = calendar.day(span.from.as_microseconds()).expect("a day")..=calendar.day(span.to.as_microseconds()).expect("a day");
            let within = |all: &[Did]| {
                let is_within = |time: &u64| (since_first(span.from.as_microseconds())..since_first(span.to.as_microseconds())).contains(time);
                let of = |(starts, attempts): &Did| {
                    (starts.iter().copied().filter(is_within).collect(), attempts.iter().copied().filter(|(_, at)| is_within(at)).collect())
                };
                all.iter().map(of).collect::<Vec<Did>>()
            };
            let mut totals = kept.totals(span, &days).expect("no day is cut");
            let mut expected = Presence::default();
            take_all(&mut expected, &within(&first));
            take_all(&mut expected, &within(&then));
            prop_assert_eq!(totals.sessions().expect("an answer"), expected.sessions().expect("an answer"));
            let mut beside = Presence::default();
            take_all(&mut beside, &within(&live));
            let mut of_them = Presence::default();
            for (_, batch) in both.rows().expect("rows") {
                of_them.take_kept(&batch, Some(&beside.users()), Some(span)).expect("read");
            }
            totals.count_beside(of_them, beside);
            take_all(&mut expected, &within(&live));
            prop_assert_eq!(totals.sessions().expect("an answer"), expected.sessions().expect("an answer"));
        }
    }

    #[test]
    fn a_day_that_is_cut_is_left_to_the_events() {
        let mut presence = zone("UTC");
        let noon = FIRST + 12 * 3_600_000_000;
        presence.did(USER, &[noon], &[(noon + 1, noon + 2), (noon + 86_400_000_000, noon + 86_400_000_001)]);
        let daily = presence.daily().expect("little");
        let at = |time: u64| Timestamp::from_microseconds(i64::try_from(time).expect("a time") + FIRST_US).expect("a time");
        let sessions = |from: u64, to: u64| {
            let totals = daily.totals(Span { from: at(from), to: at(to) }, &(20_000..=20_001));
            totals.map(|totals| totals.sessions().expect("an answer").sessions)
        };
        let tomorrow = FIRST + 86_400_000_000;
        assert_eq!([sessions(FIRST, tomorrow), sessions(noon, tomorrow + 86_400_000_000)], [Some(1), Some(2)]);
        assert_eq!([sessions(noon + 1, tomorrow), sessions(FIRST, noon + 2)], [None, None]);
        assert_eq!([sessions(noon + 3, tomorrow + 86_400_000_000), sessions(FIRST, noon)], [Some(1), Some(0)]);
    }

    #[test]
    fn what_lasts_for_days_each_day_is_too_much() {
        let day = 86_400_000_000;
        let lasting = |days: u64| {
            let mut presence = zone("UTC");
            let attempts: Vec<_> = (0..days).map(|n| (FIRST, FIRST + n * day + 1)).collect();
            presence.did(USER, &[], &attempts);
            presence.daily()
        };
        assert!(lasting(50).is_some());
        assert_eq!(lasting(1_000), None);
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
