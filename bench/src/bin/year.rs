//! A year of a product by the preset `nix-for-humanity`, as lines for `milepost record`: every hour a few operations by ten personas,
//! requests in two arms, a reading of memory; every day a session of somebody new and what the tools say of the code.
//!
//! `year DAYS`, up to this moment. The same on each run but for the times.

use milepost_bench::mixed;
use milepost_record::{ErrorDetail, Event, Fact, Interaction, Measure, Measurement, Memory, Operation, Outcome, Session, Timestamp};
use std::{
    io::{self, BufWriter, Write},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);
const COMMANDS: [&str; 4] = ["install", "search", "config_gen", "list"];
const PERSONAS: [&str; 10] = ["grandma_rose", "maya", "david", "dr_sarah", "alex", "carlos", "priya", "jamie", "viktor", "luna"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let days: u32 = std::env::args().nth(1).ok_or("usage: year DAYS")?.parse()?;
    let begin = Timestamp::now().saturating_sub(HOUR * (days * 24));
    let mut out = BufWriter::new(io::stdout().lock());
    for hour in 0..days * 24 {
        let at = begin.saturating_add(HOUR * hour);
        for (n, event) in of_hour(u64::from(hour)).into_iter().enumerate() {
            let mut event = Event { at: at.saturating_add(Duration::from_secs(n as u64)), ..event };
            event.id = Some(format!("year-{hour}-{n}"));
            writeln!(out, "{}", event.to_json()?)?;
        }
    }
    Ok(out.flush()?)
}

/// What happens in one hour; its events have no time yet.
fn of_hour(hour: u64) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |fact: Fact, user: Option<u64>| {
        let mut event = Event::at(Timestamp::now(), fact);
        event.user = user.map(|user| format!("u-{user:016x}"));
        event.session = user.map(|user| format!("s-{user}-{hour}"));
        event.persona = user.and_then(|user| PERSONAS.get(user as usize % PERSONAS.len())).map(|name| (*name).to_owned());
        events.push(event);
    };
    // Somebody new begins each day, and is there again now and then for some weeks.
    let day = hour / 24;
    let user = day.saturating_sub(7 * (mixed(hour, 1) % 5));
    if hour % 24 == 9 {
        add(Session::new().into(), Some(day));
    }
    for n in 0..3 {
        let is_failed = mixed(hour, n).is_multiple_of(40);
        let mut operation =
            Operation::new(COMMANDS[(mixed(hour, n + 10) % 4) as usize], if is_failed { Outcome::Failed } else { Outcome::Ok });
        operation.duration_us = Some(20_000 + mixed(hour, n + 20) % 400_000);
        operation.backend = Some(if n == 0 { "native" } else { "subprocess" }.to_owned());
        operation.error = is_failed.then(|| ErrorDetail { category: "network".to_owned(), text: None });
        add(operation.into(), Some(user));
    }
    let mut interaction = Interaction::new();
    let (is_learning, is_right) = (mixed(hour, 30).is_multiple_of(2), mixed(hour, 31) % 100);
    interaction.arm = Some(if is_learning { "learning" } else { "control" }.to_owned());
    interaction.correct = Some("install".to_owned());
    interaction.recognized = Some(if is_right < if is_learning { 96 } else { 80 } { "install" } else { "search" }.to_owned());
    add(interaction.into(), Some(user));
    let mut reading = Memory::new(format!("run-{day}"), 180_000_000 + mixed(hour, 40) % 20_000_000, Measure::Pss, true);
    reading.every_us = Some(HOUR.as_micros() as u64);
    reading.process = Some("nix-for-humanity".to_owned());
    add(reading.into(), None);
    if hour % 24 == 3 {
        for (name, value) in
            [("coverage.statements", 88.0 + (day % 90) as f64 / 10.0), ("complexity.average", 4.2), ("vulnerabilities.known", 0.0)]
        {
            add(Measurement::new(name, value).into(), None);
        }
    }
    events
}
