//! Rollups answer what the events answer, whatever happened since they were made.

use super::{Keeps, RolledUp, VERSION, roll_up};
use crate::rolled::keeps;
use crate::sql::EXACT_MAX;
use crate::values::Lists;
use crate::{Store, Upkeep, check, compact, repair, verify};
use milepost_record::{
    Dimension, Ecdf, ErrorDetail, Event, Evidence, Fact, Interaction, Limit, Note, Operation, Origin, Outcome, Question, Recorder, Session,
    Span, Subject, Timestamp, Topic,
};

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));
    RUNTIME.block_on(future)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const NOW: &str = "2026-10-25T12:00:00Z";
const EVENTS: u64 = 2 * EXACT_MAX;

/// One of many operations, over sixty days, in every way that one can go; what it says follows from its number.
fn event(n: u64) -> Event {
    let outcome = match n % 17 {
        0 => Outcome::Failed,
        1 => Outcome::Timeout,
        2 => Outcome::Cancelled,
        _ => Outcome::Ok,
    };
    let mut operation = Operation::new(["search", "install", "Search"][(n % 3) as usize], outcome);
    operation.duration_us = (!n.is_multiple_of(23)).then_some(1_000 + n.wrapping_mul(2_654_435_761) % 900_000);
    operation.peak_bytes = (!n.is_multiple_of(5)).then_some(10_000_000 + n % 70_000_000);
    operation.backend = (!n.is_multiple_of(4)).then(|| ["native", "shell"][(n % 2) as usize].to_owned());
    operation.dry_run = n.is_multiple_of(41).then_some(true);
    operation.error = (n.is_multiple_of(17) && n.is_multiple_of(2)).then(|| ErrorDetail { category: "network".to_owned(), text: None });
    let when = at("2026-06-20T00:00:00Z").saturating_add(Duration::from_micros(n * 12_850_000_000 + n % 7));
    let mut event = Event::at(when, operation);
    event.id = Some(format!("id-{n:07}"));
    event.origin = Some(if n.is_multiple_of(9) { Origin::Probe } else { Origin::Use });
    event.user = (!n.is_multiple_of(7)).then(|| format!("p-{:016x}", n.wrapping_mul(40_503) % 900));
    event.version = Some(["1.0", "1.1"][(n % 2) as usize].to_owned());
    event
}

/// What somebody does that is there for a week, twice an hour.
fn busy(n: u64) -> Event {
    let begin = at("2026-07-01T09:29:00Z").saturating_add(Duration::from_secs(n * 1_800) + Duration::from_micros(n / 9));
    let mut operation = Operation::new("search", if n.is_multiple_of(5) { Outcome::Failed } else { Outcome::Ok });
    operation.duration_us = n.is_multiple_of(11).then_some(5_000_000_000);
    let mut event = Event::at(begin, operation);
    (event.id, event.origin, event.user) = (Some(format!("busy-{n}")), Some(Origin::Use), Some("p-busy".to_owned()));
    event
}

/// What somebody does who is new: a session, and what they attempt in the hours after it; some begin again, some had done something before.
fn newcomer(n: u64) -> Vec<Event> {
    let begin = at("2026-07-03T06:00:00Z").saturating_add(Duration::from_secs(n * 25_000));
    let of = |what: &str, minutes: u64, fact: Fact| Event {
        id: Some(format!("new-{n}-{what}-{minutes}")),
        origin: Some(Origin::Use),
        user: Some(format!("p-new-{n}")),
        session: Some(format!("new-{n}-{minutes}")),
        ..Event::at(begin.saturating_add(Duration::from_secs(minutes * 60)), fact)
    };
    let attempt = |minutes: u64| {
        let mut operation = Operation::new("search", if (n + minutes).is_multiple_of(3) { Outcome::Ok } else { Outcome::Failed });
        operation.duration_us = Some(minutes * 7_000_000);
        of("operation", minutes, operation.into())
    };
    let mut events = vec![of("session", 60, Session::new().into())];
    events.extend((0..n % 7).map(|of| attempt(61 + of * (n % 5) * 8)));
    events.extend(n.is_multiple_of(4).then(|| of("session", 100, Session::new().into())));
    events.extend(n.is_multiple_of(6).then(|| attempt(1)));
    // Some are there once more a week later, and all that they do is to say something.
    events.extend(n.is_multiple_of(5).then(|| of("interaction", 10_200, Interaction::new().into())));
    events
}

fn record(data: &Path, events: impl IntoIterator<Item = Event>) {
    let recorder = Recorder::open(data).expect("a recorder");
    for event in events {
        recorder.record(event).expect("recorded");
    }
}

fn compacted(data: &Path) {
    wait(compact(data, at(NOW), &Upkeep { removed_kept: Some(Duration::ZERO), ..Upkeep::default() })).expect("compacted");
}

fn question(subject: Subject, from: &str, to: &str) -> Question {
    Question {
        subject,
        span: Span { from: at(from), to: at(to) },
        filter: BTreeMap::from([(Dimension::Origin, BTreeSet::from(["use".to_owned(), "probe".to_owned()]))]),
        for_each: None,
        aliases: BTreeMap::from([("Search".to_owned(), "search".to_owned())]),
        time_zone: "Europe/Berlin".to_owned(),
    }
}

fn limit(us: u64) -> Limit {
    Limit { default: Some(us), by_group: BTreeMap::new(), inclusive: false }
}

/// Every question that rollups know, over a span that begins and ends in the middle of a day, but for sessions, of which only the events
/// tell then.
fn questions() -> Vec<Question> {
    let by_group = Limit { default: None, by_group: BTreeMap::from([("install".to_owned(), 300_000)]), inclusive: true };
    let subjects = [
        Subject::Operations { limit: None },
        Subject::Operations { limit: Some(limit(500_000)) },
        Subject::Operations { limit: Some(limit(123_457)) },
        Subject::PeakMemory { limit: Some(limit(40_000_000)) },
        Subject::Misses { limit: Some(limit(500_000)), failed: true },
        Subject::Misses { limit: None, failed: true },
        Subject::Breakdown,
        Subject::ErrorDays,
        Subject::Returns,
    ];
    let mut all: Vec<_> = subjects.map(|subject| question(subject, "2026-07-01T09:30:00Z", "2026-08-25T11:30:00Z")).into();
    all.push(question(Subject::Sessions, "2026-06-30T22:00:00Z", "2026-08-31T22:00:00Z"));
    all.push(question(Subject::FirstSessions, "2026-07-01T09:30:00Z", "2026-08-25T11:30:00Z"));
    for dimension in [Dimension::Operation, Dimension::Backend, Dimension::Version] {
        let limited =
            Subject::Operations { limit: Some(if dimension == Dimension::Operation { by_group.clone() } else { limit(250_000) }) };
        let of = question(limited, "2026-06-30T22:00:00Z", "2026-08-25T11:30:00Z");
        all.push(Question { for_each: Some(dimension), ..of });
    }
    let by_use = BTreeMap::from([(Dimension::Origin, BTreeSet::from(["use".to_owned()]))]);
    let of_use = question(Subject::Operations { limit: Some(limit(500_000)) }, "2026-07-10T00:00:00Z", "2026-07-20T00:00:00Z");
    all.push(Question { filter: by_use, time_zone: "Asia/Kathmandu".to_owned(), ..of_use });
    all
}

/// One question of each way in which rows are added up.
fn few() -> Vec<Question> {
    let all = questions();
    [1, 4, 6, 8, 9, 10].into_iter().filter_map(|index| all.get(index).cloned()).collect()
}

fn answers(data: &Path, questions: &[Question]) -> Vec<Evidence> {
    let store = wait(Store::open(data, at(NOW))).expect("a store");
    wait(store.answers(questions)).expect("answers").into_iter().map(|answer| answer.evidence).collect()
}

/// What the events themselves say: no rollups are there.
fn from_events(data: &Path, questions: &[Question]) -> Vec<Evidence> {
    let (path, aside) = (data.join("store/rollups.json"), data.join("store/rollups.aside"));
    let there = path.exists();
    if there {
        fs::rename(&path, &aside).expect("put aside");
    }
    let found = answers(data, questions);
    if there {
        fs::rename(&aside, &path).expect("put back");
    }
    found
}

fn rolled_up(data: &Path) -> RolledUp {
    wait(roll_up(data, &questions(), &questions(), at(NOW))).expect("rolled up")
}

/// The files of rows that count.
fn files(data: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(data.join("store/rollups.json")).expect("the list");
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let name = |file: &serde_json::Value| data.join("store/rollups").join(file["name"].as_str().expect("a name"));
    list["files"].as_array().expect("files").iter().map(name).collect()
}

/// How many questions are kept.
fn kept(data: &Path) -> usize {
    let text = fs::read_to_string(data.join("store/rollups.json")).expect("the list");
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    list["kept"].as_array().expect("questions").len()
}

/// That the rollups are read at all: where they have no rows, each answer is another.
fn are_read(data: &Path) -> bool {
    let kept = fs::read_to_string(data.join("store/rollups.json")).expect("the list");
    let before = answers(data, &few());
    let without: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    let mut fewer = without.clone();
    fewer["files"].as_array_mut().expect("files").clear();
    fs::write(data.join("store/rollups.json"), fewer.to_string()).expect("written");
    let after = answers(data, &few());
    fs::write(data.join("store/rollups.json"), kept).expect("written");
    before.iter().zip(&after).all(|(before, after)| before != after)
}

fn totals(data: &Path, questions: &[Question]) -> Vec<Evidence> {
    let store = wait(Store::open(data, at(NOW))).expect("a store");
    wait(store.totals(questions)).expect("answers").iter().map(|answer| in_total(&answer.evidence)).collect()
}

/// The same answer with all values of a group at its first day.
fn in_total(answer: &Evidence) -> Evidence {
    let (Evidence::Operations(groups) | Evidence::Totals(groups)) = answer else { return answer.clone() };
    let mut groups = groups.clone();
    for days in groups.groups.values_mut() {
        let all: Ecdf = days.iter().flat_map(|day| day.durations.counts()).collect();
        days.iter_mut().for_each(|day| day.durations = Ecdf::default());
        days.first_mut().expect("a day").durations = all;
    }
    Evidence::Totals(groups)
}

/// How many totals there are.
fn totals_kept(data: &Path) -> usize {
    fs::read_to_string(data.join("store/rollups.json")).expect("the list").matches("\"total\"").count()
}

#[track_caller]
fn agree(data: &Path, questions: &[Question], when: &str) {
    let (rolled, totals) = (answers(data, questions), totals(data, questions));
    for (((rolled, total), events), question) in rolled.into_iter().zip(totals).zip(from_events(data, questions)).zip(questions) {
        assert!(rolled == events, "{when}: {question:?}\nrollups: {rolled:?}\nevents: {events:?}");
        let events = in_total(&events);
        assert!(total == events, "{when}, in total: {question:?}\nrollups: {total:?}\nevents: {events:?}");
    }
}

#[test]
fn rollups_answer_what_the_events_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    record(data, (0..EVENTS).map(event));
    // Some begin with a session long before their first operation, which is not kept in rollups.
    let begun = |n: u64| Event { id: Some(format!("begun-{n}")), session: Some(format!("s-{n}")), fact: Session::new().into(), ..event(n) };
    record(data, (0..50).map(|n| Event { at: at("2026-06-01T08:00:00Z"), ..begun(n) }));
    record(data, (0..8).flat_map(newcomer));
    assert_eq!(rolled_up(data), RolledUp::default(), "nothing is in the tables yet");
    // One is busy all day long, and now and then silent for just as long as a session lasts, or a microsecond more.
    record(data, (0..400).map(busy));
    compacted(data);
    let made = rolled_up(data);
    assert!(made.made > 0 && made.kept == made.made, "{made:?}");
    let sessions = answers(data, &questions()).into_iter().find_map(|answer| match answer {
        Evidence::Sessions(sessions) => Some(sessions),
        _ => None,
    });
    let sessions = sessions.expect("an answer");
    assert!(sessions.users > 200 && sessions.sessions > sessions.users + 20 && sessions.attempted > 2 * sessions.sessions, "{sessions:?}");
    assert_eq!(rolled_up(data).made, 0, "each is made once");
    let returns = answers(data, &questions()).into_iter().find_map(|answer| match answer {
        Evidence::Returns(returns) => Some(returns),
        _ => None,
    });
    let firsts: BTreeMap<_, u64> = returns.expect("an answer").iter().filter(|of| of.week == 0).map(|of| (of.first, of.users)).collect();
    assert!(firsts.len() > 3 && firsts.values().any(|users| *users > 10), "{firsts:?}");
    assert!(are_read(data));
    agree(data, &few(), "made from the table");

    // What came in since, and what comes late, by two doors.
    record(data, (EVENTS..EVENTS + 100).map(event));
    record(data, (0..40).map(|n| Event { id: Some(format!("late-{n}")), ..event(n * 9) }));
    agree(data, &questions(), "beside the spool");
    compacted(data);
    agree(data, &few(), "after a compaction");
    assert_eq!(files(data).len(), 2, "its rows were added");
    assert!(are_read(data));

    // A sender that tries again is counted once by both.
    record(data, (EVENTS..EVENTS + 100).map(event));
    compacted(data);
    agree(data, &few(), "after a repetition");

    // A fixed sample counts as live events until it is complete, whenever that is.
    let mut note = Note::new(Topic::Sample);
    (note.sample, note.operation, note.size) = (Some("s".to_owned()), Some("search".to_owned()), Some(20));
    let mut announced = Event::at(at("2026-08-20T08:00:00Z"), note);
    announced.id = Some("announced".to_owned());
    let run = |n: u64| {
        let mut operation = Operation::new("search", Outcome::Ok);
        (operation.duration_us, operation.sample) = (Some(700), Some("s".to_owned()));
        let mut event = Event::at(at("2026-08-20T09:00:00Z").saturating_add(Duration::from_secs(n)), operation);
        (event.id, event.origin) = (Some(format!("run-{n}")), Some(Origin::Probe));
        event
    };
    let before = answers(data, &few());
    record(data, [announced].into_iter().chain((0..19).map(run)));
    compacted(data);
    agree(data, &few(), "a sample that is not complete");
    assert_ne!(answers(data, &few()), before, "it counts");
    record(data, [run(19)]);
    compacted(data);
    agree(data, &few(), "a complete sample");
    assert_eq!(answers(data, &few()), before, "it does not count any more");

    // Many compactions: what came in since is one file beside the large one, and those before are gone.
    let large = files(data).remove(0);
    for n in 0..4 {
        let before = files(data);
        record(data, [Event { id: Some(format!("more-{n}")), ..event(n) }]);
        compacted(data);
        let after = files(data);
        assert!(after.len() == 2 && after[0] == large && after[1] != before[1], "{after:?}");
    }
    assert!(are_read(data));
    agree(data, &few(), "after many compactions");
    let there: BTreeSet<_> =
        fs::read_dir(data.join("store/rollups")).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(there, files(data).into_iter().collect());

    // Where a compaction ends between the table and its rollups, the events answer, and the rollups are made anew.
    let behind = fs::read(data.join("store/rollups.json")).expect("the list");
    record(data, [Event { id: Some("beyond".to_owned()), ..event(5) }]);
    compacted(data);
    fs::write(data.join("store/rollups.json"), behind).expect("written");
    agree(data, &few(), "behind the table");
    record(data, [Event { id: Some("beyond-2".to_owned()), ..event(6) }]);
    compacted(data);
    agree(data, &few(), "dropped");
    let again = rolled_up(data);
    assert!(again.made > 0, "{again:?}");
    assert!(are_read(data));
    agree(data, &few(), "made anew");

    // What is damaged is found, and dropped by the repair; until then, the events answer.
    let file = files(data).remove(0);
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() - 9]).expect("written");
    agree(data, &few(), "a file that cannot be read");
    assert_eq!(wait(check(data)).expect("checked").into_iter().map(|finding| finding.path).collect::<Vec<_>>(), [file]);
    assert!(wait(repair(data)).expect("repaired").iter().all(|finding| finding.repaired.is_some()));
    assert_eq!(wait(check(data)).expect("checked"), []);
    agree(data, &few(), "repaired");
    assert!(rolled_up(data).made > 0);

    // Rows that are not what the events say are found by comparing them.
    let (kept, differing) = wait(verify(data)).expect("verified").expect("rollups");
    assert!(kept > 5 && differing.is_empty(), "{kept}: {differing:?}");
    let list = fs::read_to_string(data.join("store/rollups.json")).expect("the list");
    fs::write(data.join("store/rollups.json"), list.replace("outcome = 'ok'", "outcome <> 'ok'")).expect("written");
    assert_ne!(wait(verify(data)).expect("verified").expect("rollups").1, []);
    fs::write(data.join("store/rollups.json"), list).expect("written");

    // What another version wrote is as good as none, and is made anew.
    for (version, when) in [(VERSION - 1, "of an older Milepost"), (VERSION + 1, "of a newer Milepost")] {
        assert_eq!(rolled_up(data).made, 0);
        let list = fs::read_to_string(data.join("store/rollups.json")).expect("the list");
        let of_another = list.replacen(&format!("\"version\":{VERSION}"), &format!("\"version\":{version}"), 1);
        assert_ne!(list, of_another);
        fs::write(data.join("store/rollups.json"), of_another).expect("written");
        agree(data, &few(), when);
        assert!(rolled_up(data).made > 0, "{when}");
    }
}

/// What comes in later, and out of order, tells of people what all of it tells.
#[test]
fn people_are_known_however_their_events_come_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let asked: Vec<_> = questions().into_iter().filter(|question| keeps(question) != Keeps::Counts(Lists::Values)).collect();
    assert_eq!(asked.len(), 3);
    let rolled_up = || wait(roll_up(data, &asked, &[], at(NOW))).expect("rolled up").made;
    record(data, (0..EVENTS / 2).map(event));
    record(data, (0..40).flat_map(newcomer));
    compacted(data);
    assert_eq!(rolled_up(), 3);
    let told = answers(data, &asked);
    let firsts = told.iter().find_map(|evidence| if let Evidence::FirstSessions(firsts) = evidence { Some(firsts) } else { None });
    let firsts = firsts.expect("an answer");
    assert!(firsts.len() > 20 && firsts.iter().filter(|first| first.first_success.is_some()).count() > 10, "{firsts:?}");
    agree(data, &asked, "made from the tables");

    // Of some newcomers the beginning, of others nothing before now.
    record(data, (40..60).flat_map(newcomer));
    record(data, (60..70).flat_map(|n| newcomer(n).into_iter().take(2)));
    agree(data, &asked, "beside the spool");
    compacted(data);
    assert_eq!(rolled_up(), 0, "their rows were added");
    agree(data, &asked, "after a compaction");
    assert_ne!(answers(data, &asked), told);

    // The rest comes late.
    record(data, (60..70).flat_map(|n| newcomer(n).into_iter().skip(2)));
    agree(data, &asked, "what comes late of first sessions");
    compacted(data);
    assert_eq!(rolled_up(), 0);
    agree(data, &asked, "after a compaction of what came late");

    // People who were there before say that they begin: those who do so after all that is known of them, and those who do so before.
    let begun = |n: u64| Event { id: Some(format!("begun-{n}")), session: Some(format!("s-{n}")), fact: Session::new().into(), ..event(n) };
    record(data, (0..9).map(|n| Event { at: at("2026-08-20T00:00:00Z").saturating_add(Duration::from_secs(n)), ..begun(n) }));
    agree(data, &asked, "beside sessions in the spool");
    compacted(data);
    assert_eq!(rolled_up(), 0);
    agree(data, &asked, "after a compaction of sessions");
    record(data, (120..150).map(|n| Event { at: at("2026-07-02T00:00:00Z"), ..begun(n) }));
    agree(data, &asked, "beside sessions that come late");
    compacted(data);
    agree(data, &asked, "after a compaction of those");
    assert_eq!(rolled_up(), 1, "what people attempted before they said when they began is in the events alone");
    agree(data, &asked, "made anew");
    assert_eq!(wait(verify(data)).expect("verified").expect("rollups"), (3, Vec::new()));
}

/// A day that a span cuts is not in its totals, also where that turns out later.
#[test]
fn totals_are_of_whole_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let asked = [
        question(Subject::Operations { limit: Some(limit(500_000)) }, "2026-06-19T22:30:00Z", NOW),
        question(Subject::PeakMemory { limit: None }, "2026-06-22T09:30:00Z", NOW),
    ];
    record(data, (0..EVENTS).map(event));
    for n in 0..3 {
        record(data, [Event { id: Some(format!("more-{n}")), ..event(n) }]);
        compacted(data);
        wait(roll_up(data, &asked, &asked, at(NOW))).expect("rolled up");
    }
    assert_eq!((files(data).len(), totals_kept(data)), (2, 4), "each file has its own");
    let path = data.join("store/rollups.json");
    let without_days = |asked: &[Question]| {
        let list = fs::read_to_string(&path).expect("the list");
        let mut fewer: serde_json::Value = serde_json::from_str(&list).expect("JSON");
        for file in fewer["files"].as_array_mut().expect("files") {
            file["batches"].as_array_mut().expect("batches").retain(|batch| batch["tells"] != "days");
        }
        fs::write(&path, fewer.to_string()).expect("written");
        let found = totals(data, asked);
        fs::write(&path, list).expect("written");
        found
    };
    assert_eq!(without_days(&asked), totals(data, &asked), "they are read");
    agree(data, &asked, "totals");
    let before = Question { span: Span { to: at("2026-07-10T00:00:00Z"), ..asked[0].span }, ..asked[0].clone() };
    agree(data, &[before], "of a span that ends before the totals do");
    assert_eq!(wait(verify(data)).expect("verified").expect("rollups").1, []);
    let list = fs::read_to_string(&path).expect("the list");
    fs::write(&path, list.replace("\"day\":\"2026-06-22\"", "\"day\":\"2026-06-28\"")).expect("written");
    assert_ne!(wait(verify(data)).expect("verified").expect("rollups").1, []);
    fs::write(&path, list).expect("written");

    // Now the first day is one that the first span cuts.
    let late = Event { id: Some("late".to_owned()), at: at("2026-06-19T22:10:00Z"), ..event(1) };
    record(data, [late]);
    agree(data, &asked, "in the spool");
    compacted(data);
    agree(data, &asked, "in the table");
    assert_ne!(without_days(&asked), totals(data, &asked), "the days tell");
    // Asked since another moment too, the totals are made anew with the next compaction.
    let since_july = Question { span: Span { from: at("2026-07-01T00:00:00Z"), ..asked[0].span }, ..asked[0].clone() };
    let asked = [asked.as_slice(), &[since_july]].concat();
    wait(roll_up(data, &asked, &asked, at(NOW))).expect("rolled up");
    assert_eq!(files(data).len(), 2);
    record(data, [Event { id: Some("again".to_owned()), ..event(1) }]);
    compacted(data);
    assert_eq!((files(data).len(), totals_kept(data)), (1, 3));
    agree(data, &asked, "in totals");
    assert_eq!(without_days(&asked), totals(data, &asked), "they are read again");

    // What is much is written as one with all else.
    for (n, expected) in [(1, 2), (2 * EVENTS, 1)] {
        record(data, (0..n).map(|of| Event { id: Some(format!("much-{n}-{of}")), ..event(of) }));
        compacted(data);
        assert_eq!(files(data).len(), expected);
    }
    agree(data, &asked, "after much");
}

/// Where values are not rounded, those of rollups are not either.
#[test]
fn rollups_of_few_events_answer_to_the_last_digit_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    record(data, (0..EXACT_MAX / 2).map(|n| event(n * 4)));
    record(data, (0..6).flat_map(newcomer));
    compacted(data);
    assert!(rolled_up(data).made > 0);
    assert_eq!(rolled_up(data).made, 0, "each is made once");
    assert!(are_read(data));
    agree(data, &questions(), "few");
    record(data, (0..10).map(|n| event(n * 4 + 1)));
    agree(data, &questions(), "few, and some in the spool");
    compacted(data);
    assert!(are_read(data));
    agree(data, &questions(), "few, and some more");

    // From here on values are rounded, which is another question.
    record(data, (0..EXACT_MAX).map(|n| event(n * 4 + 2)));
    agree(data, &few(), "many, most of them in the spool");
    compacted(data);
    agree(data, &few(), "many");
    let without_values = kept(data);
    let made = rolled_up(data);
    assert!(without_values > 0 && made.made > 0 && made.made + without_values == made.kept, "{made:?}: {without_values} have no values");
    assert!(are_read(data));
    agree(data, &questions(), "many, rounded");
}
