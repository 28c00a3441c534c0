//! `milepost record`: one event from its flags, or many as JSON lines.

use super::{Failure, Workplace, run::fill, say, set_aside::SetAside};
use crate::cli::{Record, RecordKind, Stamp};
use milepost_record::{
    Admitted, Door, Durability, ErrorDetail, Event, Fact, Interaction, Label, Measurement, Memory, Note, Operation, Session, Spool,
    Timestamp, limits,
};
use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
    process::ExitCode,
};

pub(super) fn record(record: Record, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let Some((spool, door)) = workplace.recording("record")? else { return Ok(ExitCode::SUCCESS) };
    let durability = if record.on_disk { Durability::OnDisk } else { Durability::Written };
    match record.kind {
        Some(kind) => one(kind, workplace, &spool, &door, durability),
        None => lines(
            BufReader::with_capacity(READ_BYTES, io::stdin().lock()),
            Desk { data: workplace.folder()?, spool: &spool, door: &door, durability },
        ),
    }
}

fn one(kind: RecordKind, workplace: &Workplace, spool: &Spool, door: &Door, durability: Durability) -> Result<ExitCode, Failure> {
    let (stamp, fact) = fact(kind, workplace)?;
    let now = Timestamp::now();
    let mut event = Event::at(stamp.at.unwrap_or(now), fact);
    event.id = stamp.id;
    fill(&mut event, &stamp.context, door)?;
    let Admitted { event, .. } = door.admit(event, now).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    spool.append(&event, durability)?;
    Ok(ExitCode::SUCCESS)
}

fn fact(kind: RecordKind, workplace: &Workplace) -> Result<(Stamp, Fact), Failure> {
    Ok(match kind {
        RecordKind::Operation {
            stamp,
            operation,
            outcome,
            backend,
            duration,
            exit_code,
            error,
            cpu,
            peak,
            peak_measure,
            dry_run,
            sample,
        } => {
            let mut fact = Operation::new(operation, outcome);
            if let Some(text) = error {
                let category = workplace.error_rules()?.categorize(&text).to_owned();
                fact.error = Some(ErrorDetail { category, text: Some(text) });
            }
            (fact.backend, fact.duration_us, fact.exit_code, fact.cpu_us) = (backend, duration, exit_code, cpu);
            (fact.peak_bytes, fact.peak_measure, fact.dry_run, fact.sample) = (peak, peak_measure, dry_run.then_some(true), sample);
            (stamp, fact.into())
        }
        RecordKind::Session { stamp } => (stamp, Session::new().into()),
        RecordKind::Memory { stamp, run, bytes, measure, incomplete, every, process, pid, processes, cpu } => {
            let mut fact = Memory::new(run, bytes, measure, !incomplete);
            (fact.every_us, fact.process, fact.pid, fact.processes, fact.cpu_us) = (every, process, pid, processes, cpu);
            (stamp, fact.into())
        }
        RecordKind::Interaction { stamp, recognized, correct, arm, modality, index, words, word_errors, text } => {
            let fact = Interaction { recognized, correct, arm, modality, index, words, word_errors, text };
            (stamp, fact.into())
        }
        RecordKind::Label { stamp, of, correct } => (stamp, Label::new(of, correct).into()),
        RecordKind::Measurement { stamp, name, value, unit, source, scope } => {
            let mut fact = Measurement::new(name, value);
            (fact.unit, fact.source, fact.scope) = (unit, source, scope);
            (stamp, fact.into())
        }
        RecordKind::Note { stamp, topic, text, score, from, to, sample, operation, backend, size } => {
            let mut fact = Note::new(topic);
            (fact.text, fact.score, fact.from, fact.to) = (text, score, from, to);
            (fact.sample, fact.operation, fact.backend, fact.size) = (sample, operation, backend, size);
            (stamp, fact.into())
        }
    })
}

/// How much is read at once, and written at once of what that was.
const READ_BYTES: usize = 64 * 1024;

/// Where lines go.
struct Desk<'a> {
    data: &'a Path,
    spool: &'a Spool,
    door: &'a Door,
    durability: Durability,
}

/// A line that is an event.
struct Waiting {
    number: u64,
    line: Vec<u8>,
    admitted: Admitted,
}

/// Spools each valid line, and sets each invalid one aside by its number. A write that fails ends it: what was acknowledged
/// before is counted in what is said. Lines that are there at once are written at once, and none waits for the next.
fn lines(mut input: BufReader<impl Read>, desk: Desk<'_>) -> Result<ExitCode, Failure> {
    let (mut number, mut recorded, mut texts) = (0_u64, 0_u64, 0_u64);
    let (mut aside, mut waiting) = (SetAside::new(desk.data, "record", "line"), Vec::new());
    let mut refused: Option<(u64, String, Vec<u8>)> = None;
    loop {
        if !waiting.is_empty() && (refused.is_some() || !input.buffer().contains(&b'\n')) {
            let (events, text_removed) = desk.write(&mut waiting, recorded, &mut aside)?;
            (recorded, texts) = (recorded + events, texts + text_removed);
        }
        if let Some((number, reason, line)) = refused.take() {
            aside.keep(number, &reason, &line)?;
        }
        let mut line = Vec::new();
        let limit = limits::LINE_BYTES_MAX as u64 + 1;
        let done = number;
        let unreadable = |error| Failure::internal(format!("cannot read standard input after line {done}, {recorded} recorded: {error}"));
        if (&mut input).take(limit).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        number += 1;
        let ended = line.pop_if(|byte| *byte == b'\n').is_some();
        let admitted = if !ended && line.len() as u64 == limit {
            input.skip_until(b'\n').map_err(unreadable)?;
            Err(format!("the line is longer than {} bytes", limits::LINE_BYTES_MAX))
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            admit(&line, desk.door)
        };
        match admitted {
            Ok(admitted) => waiting.push(Waiting { number, line, admitted }),
            // After those that came before it.
            Err(reason) => refused = Some((number, reason, line)),
        }
    }
    if texts > 0 {
        say(&format!("{texts} texts were left out, since `texts` under [privacy] does not allow them"));
    }
    if aside.refused() == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    aside.say_the_rest();
    say(&format!("{recorded} recorded, {}", aside.summary()));
    Ok(ExitCode::from(2))
}

impl Desk<'_> {
    /// Spools what waits, and returns how many events that was, and of how many of them a text was left out.
    fn write(&self, waiting: &mut Vec<Waiting>, recorded: u64, aside: &mut SetAside) -> Result<(u64, u64), Failure> {
        let first = waiting.first().map_or(0, |line| line.number);
        let told = self.spool.append_all(waiting.iter().map(|line| &line.admitted.event), self.durability).map_err(|error| {
            Failure::internal(format!(
                "line {first} and what came with it could not be written, {recorded} lines before it are recorded: {error}"
            ))
        })?;
        let (mut events, mut texts) = (0, 0);
        for (Waiting { number, line, admitted }, told) in waiting.drain(..).zip(told) {
            match told {
                Ok(()) => (events, texts) = (events + 1, texts + u64::from(admitted.text_removed)),
                // With what the door adds, it is longer than a line may be.
                Err(invalid) => aside.keep(number, &invalid.to_string(), &line)?,
            }
        }
        Ok((events, texts))
    }
}

fn admit(line: &[u8], door: &Door) -> Result<Admitted, String> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
    let event = Event::from_json(text).map_err(|invalid| invalid.to_string())?;
    door.admit(event, Timestamp::now()).map_err(|invalid| invalid.to_string())
}
