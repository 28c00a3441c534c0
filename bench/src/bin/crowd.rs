//! Ninety days of a product that many people use, as lines for `milepost record`: ten thousand people of ten personas, four commands, two
//! backends, one operation in forty failed.
//!
//! `crowd EVENTS`, up to this moment. The same on each run but for the times.

use milepost_bench::mixed;
use milepost_record::{ErrorDetail, Event, Operation, Outcome, Timestamp};
use std::{
    io::{self, BufWriter, Write},
    time::Duration,
};

const SPAN: Duration = Duration::from_secs(90 * 86_400);
const PEOPLE: u64 = 10_000;
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];
const PERSONAS: [&str; 10] = ["grandma_rose", "maya", "david", "dr_sarah", "alex", "carlos", "priya", "jamie", "viktor", "luna"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u32 = std::env::args().nth(1).ok_or("usage: crowd EVENTS")?.parse()?;
    let begin = Timestamp::now().saturating_sub(SPAN);
    let mut out = BufWriter::new(io::stdout().lock());
    for n in 0..events {
        let of = |what: u64| mixed(u64::from(n), what);
        let user = of(0) % PEOPLE;
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
        writeln!(out, "{}", event.to_json()?)?;
    }
    Ok(out.flush()?)
}
