//! Ninety days of a product that many people use, as lines for `milepost record`: ten thousand people of ten personas, four commands, two
//! backends, one operation in forty failed.
//!
//! `crowd EVENTS`, up to this moment. The same on each run but for the times. With `sessions` after it, half of the people are there from the
//! beginning and the others join as time goes by, and all of them tell that a session begins: with their first operation, and with one in a
//! hundred.

use milepost_bench::mixed;
use milepost_record::{ErrorDetail, Event, Operation, Outcome, Session, Timestamp};
use std::{
    io::{self, BufWriter, Write},
    time::Duration,
};

const SPAN: Duration = Duration::from_secs(90 * 86_400);
const PEOPLE: u64 = 10_000;
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];
const PERSONAS: [&str; 10] = ["grandma_rose", "maya", "david", "dr_sarah", "alex", "carlos", "priya", "jamie", "viktor", "luna"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u32 = arguments.next().ok_or("usage: crowd EVENTS [sessions]")?.parse()?;
    let have_sessions = arguments.next().is_some_and(|word| word == "sessions");
    let begin = Timestamp::now().saturating_sub(SPAN);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut known = vec![false; usize::try_from(PEOPLE)?];
    for n in 0..events {
        let of = |what: u64| mixed(u64::from(n), what);
        let joined = if have_sessions { PEOPLE / 2 + PEOPLE / 2 * u64::from(n) / u64::from(events) } else { PEOPLE };
        let user = of(0) % joined.max(1);
        let outcome = if of(1).is_multiple_of(40) { Outcome::Failed } else { Outcome::Ok };
        let mut operation = Operation::new(COMMANDS[(of(2) % 4) as usize], outcome);
        // A long tail: most take tens of milliseconds, some take seconds.
        operation.duration_us = Some(10_000 * 2_u64.pow((of(3) % 8) as u32) + of(4) % 10_000);
        operation.backend = Some(if of(5).is_multiple_of(3) { "native" } else { "subprocess" }.to_owned());
        operation.error = (outcome == Outcome::Failed).then(|| ErrorDetail { category: "network".to_owned(), text: None });
        let mut event = Event::at(begin.saturating_add(SPAN / events * n), operation);
        event.id = Some(format!("{:016x}{:016x}", of(6), of(7)));
        event.user = Some(format!("u-{user:016x}"));
        event.persona = PERSONAS.get((user % 10) as usize).map(|name| (*name).to_owned());
        let is_known = std::mem::replace(&mut known[usize::try_from(user)?], true);
        if have_sessions && (!is_known || of(8).is_multiple_of(100)) {
            let began = event.at.saturating_sub(Duration::from_secs(5));
            let id = format!("{:016x}{:016x}", of(9), of(10));
            let session = Event { at: began, id: Some(id.clone()), session: Some(id), fact: Session::new().into(), ..event.clone() };
            writeln!(out, "{}", session.to_json()?)?;
        }
        writeln!(out, "{}", event.to_json()?)?;
    }
    Ok(out.flush()?)
}
