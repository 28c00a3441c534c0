//! Recording one event: the SDK beside a plain `write()` and SQLite, in turn, so that a machine that slows down slows all.

use milepost_record::{Durability, Event, Operation, Outcome, Recorder, Spool, Timestamp};
use std::{
    error::Error,
    fs::OpenOptions,
    io::Write,
    time::{Duration, Instant},
};

const ROUNDS: usize = 9;
const EVENTS: u32 = 20_000;

fn event() -> Event {
    let mut operation = Operation::new("search", Outcome::Ok);
    operation.backend = Some("native".to_owned());
    operation.duration_us = Some(183_042);
    Event::at(Timestamp::now(), operation)
}

type Attempt<'a> = (&'a str, u32, Box<dyn FnMut() -> Result<(), Box<dyn Error>> + 'a>);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let recorder = Recorder::open(folder.path().join("own"))?;
    let spool = Spool::open(&folder.path().join("shared"))?;
    let line = event().to_json()? + "\n";
    let mut plain = OpenOptions::new().append(true).create(true).open(folder.path().join("plain.jsonl"))?;
    let sqlite = rusqlite::Connection::open(folder.path().join("events.db"))?;
    sqlite.pragma_update(None, "journal_mode", "WAL")?;
    sqlite.pragma_update(None, "synchronous", "NORMAL")?;
    sqlite.execute("CREATE TABLE operations (at TEXT, operation TEXT, backend TEXT, duration_us INTEGER, outcome TEXT)", ())?;
    let mut insert = sqlite.prepare("INSERT INTO operations VALUES (?1, ?2, ?3, ?4, ?5)")?;

    let mut shared = event();
    let mut attempts: Vec<Attempt<'_>> = vec![
        ("plain write() of a line of the same length", EVENTS, Box::new(|| Ok(plain.write_all(line.as_bytes())?))),
        ("Recorder::record, a long-lived process", EVENTS, Box::new(|| Ok(recorder.record(event())?))),
        (
            "Spool::append, one process after the other",
            EVENTS,
            Box::new(|| {
                shared.at = Timestamp::now();
                Ok(spool.append(&shared, Durability::Written)?)
            }),
        ),
        (
            "SQLite, an INSERT of its own (WAL, synchronous = NORMAL)",
            EVENTS,
            Box::new(|| {
                insert.execute((Timestamp::now().to_string(), "search", "native", 183_042, "ok"))?;
                Ok(())
            }),
        ),
        ("Recorder::record_on_disk", 200, Box::new(|| Ok(recorder.record_on_disk(event())?))),
    ];
    let mut times = vec![Vec::new(); attempts.len()];
    for _ in 0..ROUNDS {
        for ((_, events, attempt), times) in attempts.iter_mut().zip(&mut times) {
            let begin = Instant::now();
            for _ in 0..*events {
                attempt()?;
            }
            times.push(begin.elapsed() / *events);
        }
    }
    println!("| one event | median | fastest | slowest |\n|---|---:|---:|---:|");
    for ((name, _, _), times) in attempts.iter().zip(&mut times) {
        times.sort();
        let us = |time: Option<&Duration>| time.map_or(0.0, |t| t.as_secs_f64() * 1e6);
        println!("| {name} | {:.2} µs | {:.2} µs | {:.2} µs |", us(times.get(ROUNDS / 2)), us(times.first()), us(times.last()));
    }
    Ok(())
}
