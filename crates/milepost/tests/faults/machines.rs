//! Two machines on one store, which write, compact and track at the same time and are killed while they do.

use crate::{
    place::{Place, finish, start},
    plan::{Kind, Random, Strike},
    tally::Row,
};
use milepost_record::Timestamp;
use std::{collections::BTreeSet, fs, os::unix::fs::symlink, process::Command, sync::Arc, thread, time::Duration};

const BOUNDARIES: &[&str] = &["claimed", "operations", "measurements", "settled", "retired"];
const ROUNDS: u64 = 2;

pub fn kinds(_: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    let strikes: Vec<(String, Strike)> = vec![("drawn".to_owned(), Arc::new(race))];
    vec![Kind { name: "two machines on one store", sample: 1, weight: 15, is_a_list: false, strikes }]
}

fn race(seed: u64) -> Row {
    let mut random = Random::new(seed);
    let mut row = Row::default();
    let (mut a, mut b) = (Place::new(), Place::new());
    fs::create_dir(a.path("tables")).expect("a folder");
    for place in [&a, &b] {
        fs::create_dir(place.data()).expect("a folder");
        symlink(a.path("tables"), place.data().join("store")).expect("a link");
    }
    for round in 0..ROUNDS {
        let mut running = Vec::new();
        for (index, place) in [&a, &b].into_iter().enumerate() {
            let writer = format!("m{index}{round}");
            running.push((index, Some(writer.clone()), start(&mut place.writer(&writer, 0, 6)), Duration::from_secs(60)));
            let mut compaction = place.compaction();
            let is_crash = random.below(2) == 0;
            if is_crash {
                compaction.env("MILEPOST_CRASH_AT", BOUNDARIES[usize::try_from(random.below(5)).expect("an index")]);
            }
            let limit = if random.below(3) == 0 { random.milliseconds(20, 900) } else { Duration::from_secs(60) };
            row.faults += u64::from(is_crash || limit < Duration::from_secs(60));
            let mut tracking: Command = place.milepost(&["track", "--all"]);
            running.push((index, None, start(&mut compaction), limit));
            running.push((index, None, start(&mut tracking), Duration::from_secs(60)));
        }
        let ended: Vec<_> = thread::scope(|scope| {
            let waiting = running.into_iter().map(|(index, writer, child, limit)| {
                let waits = scope.spawn(move || finish(child, limit));
                (index, writer, limit, waits)
            });
            let waiting: Vec<_> = waiting.collect();
            waiting.into_iter().map(|(index, writer, limit, waits)| (index, writer, limit, waits.join().expect("no panic"))).collect()
        });
        for (index, writer, limit, ended) in ended {
            let place = if index == 0 { &mut a } else { &mut b };
            if let Some(writer) = writer {
                place.hear(&writer, &ended.stdout);
            }
            // Whoever was killed on purpose does not hang.
            if ended.status.is_some() || limit >= Duration::from_secs(60) {
                ended.judge(&mut row);
            }
        }
    }
    row.acknowledged = (a.acknowledged.len() + b.acknowledged.len()) as u64;
    // Each sees the tables and its own spool: of the other's, what is not in the tables yet is missing.
    let now = Timestamp::now();
    let begun: BTreeSet<_> = a.begun.union(&b.begun).cloned().collect();
    (a.begun, b.begun) = (begun.clone(), begun);
    for place in [&a, &b] {
        place.compare("by one machine", now, &BTreeSet::new(), 0, &mut row);
    }
    for place in [&a, &b] {
        if let Err(error) = place.take_in(now) {
            row.wrong(format!("the next compaction fails: {error}"));
        }
    }
    let acknowledged: BTreeSet<_> = a.acknowledged.union(&b.acknowledged).cloned().collect();
    (a.acknowledged, b.acknowledged) = (acknowledged.clone(), acknowledged);
    for place in [&a, &b] {
        place.compare("by both", now, &BTreeSet::new(), 0, &mut row);
        match place.findings() {
            Ok(findings) if findings.is_empty() => {}
            other => row.wrong(format!("a crash damages nothing, and yet: {other:?}")),
        }
    }
    row
}
