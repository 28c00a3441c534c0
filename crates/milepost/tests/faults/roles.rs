//! What this program does when it starts itself again: writing, and compacting.

use crate::place::id;
use milepost_record::{Durability, Event, Measurement, Operation, Outcome, Recorder, Spool, Timestamp};
use milepost_store::{StoreError, Upkeep, compact};
use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Plays the role that the environment names; none where this is the harness itself.
pub fn play() -> Option<ExitCode> {
    let data = env::var_os("MILEPOST_FAULTS_DATA").map(PathBuf::from)?;
    let role = env::var("MILEPOST_FAULTS_ROLE").ok()?;
    Some(if role == "compact" { take_in(&data) } else { write(&data, &role) })
}

/// A writer: says on its standard output which event was acknowledged, and on its standard error why one was not.
fn write(data: &Path, writer: &str) -> ExitCode {
    let number = |name: &str| env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let begin = number("MILEPOST_FAULTS_BEGIN").unwrap_or(0);
    let count = number("MILEPOST_FAULTS_COUNT").unwrap_or(u64::MAX);
    let pause = Duration::from_millis(number("MILEPOST_FAULTS_PAUSE").unwrap_or(0));
    let durability = if env::var_os("MILEPOST_FAULTS_ON_DISK").is_some() { Durability::OnDisk } else { Durability::Written };
    // Half of them as a long-lived product does, half as one command after the other.
    let recorder = if writer.ends_with(['0', '2', '4', '6', '8']) { Recorder::open(data).map(Some) } else { Ok(None) };
    let (recorder, spool) = match (recorder, Spool::open(data)) {
        (Ok(recorder), Ok(spool)) => (recorder, spool),
        (Err(error), _) => return refused(&error),
        (_, Err(error)) => return refused(&error),
    };
    let mut out = std::io::stdout();
    for n in begin..begin.saturating_add(count) {
        let mut event = match n % 3 {
            0 => Event::at(Timestamp::now(), Measurement::new("faults", 1.0)),
            _ => Event::at(Timestamp::now(), Operation::new("faults", Outcome::Ok)),
        };
        event.id = Some(id(writer, n));
        // Whoever listens may be gone.
        let _ = out.write_all(format!("begin {n}\n").as_bytes());
        let done = match &recorder {
            Some(recorder) => recorder.record(event).map_err(|error| error.to_string()),
            None => spool.append(&event, durability).map_err(|error| error.to_string()),
        };
        match done {
            Ok(_) => _ = out.write_all(format!("done {n}\n").as_bytes()),
            Err(error) => _ = refused(&error),
        }
        thread::sleep(pause);
    }
    ExitCode::SUCCESS
}

/// One compaction. `MILEPOST_CRASH_AT` ends it by force.
fn take_in(data: &Path) -> ExitCode {
    // One thread, and no driver of sockets: so the system calls come in the same order each time, and none is the runtime's own.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build().expect("a runtime");
    match runtime.block_on(compact(data, Timestamp::now(), &Upkeep::default())) {
        Ok(_) | Err(StoreError::Busy) => ExitCode::SUCCESS,
        Err(error) => refused(&error),
    }
}

fn refused(error: &impl ToString) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "refused: {}", error.to_string());
    ExitCode::from(4)
}
