//! Clocks that jump, both ways, between and during what is done.

use crate::{
    place::{Place, run, under},
    plan::{Kind, Random, Strike},
    tally::Row,
};
use milepost_record::Timestamp;
use std::{collections::BTreeSet, process::Command, sync::Arc, time::Duration};

const HOUR: u64 = 3600;
/// What a clock may be wrong by, in seconds.
const JUMPS: &[u64] = &[60, HOUR, 26 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR];
const ROUNDS: u64 = 4;

pub fn kinds(_: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    if Command::new("faketime").arg("--version").output().is_err() {
        println!("no clock jumps, as `faketime` is not here");
        return Vec::new();
    }
    let strikes: Vec<(String, Strike)> = vec![("drawn".to_owned(), Arc::new(jumps))];
    vec![Kind { name: "a clock that jumps", sample: 2, weight: 15, is_a_list: false, strikes }]
}

/// Someone writes, and someone takes in, each under a clock of its own. At the end the latest of these moments has come.
fn jumps(seed: u64) -> Row {
    let mut random = Random::new(seed);
    let mut row = Row::default();
    let mut place = Place::new();
    for round in 0..ROUNDS {
        let writer = format!("c{round}");
        let command = place.writer(&writer, 0, 3);
        place.write(&mut at(&mut random, &command), &writer, &mut row);
        let command = if random.below(2) == 0 { place.compaction() } else { place.milepost(&["track", "--all"]) };
        let ended = run(&mut at(&mut random, &command));
        ended.judge(&mut row);
        if !ended.is_success() {
            row.wrong(format!("a clock that is wrong is no reason to fail: {}{}", ended.stdout, ended.stderr));
        }
        row.faults += 2;
    }
    // By the right clock: what is not yet is not counted, all else is, and nothing twice.
    let spared: BTreeSet<_> = place.acknowledged.clone();
    place.compare("by the right clock", Timestamp::now(), &spared, 0, &mut row);
    // What waits for its time is counted from the first compaction on after that.
    let later = Timestamp::now().saturating_add(Duration::from_secs(2 * 400 * 24 * HOUR));
    if let Err(error) = place.take_in(later) {
        row.wrong(format!("the first compaction fails: {error}"));
    }
    place.settle_at(later, &mut row);
    row
}

/// The same command by a clock that is wrong.
fn at(random: &mut Random, command: &Command) -> Command {
    let jump = JUMPS[usize::try_from(random.below(JUMPS.len() as u64)).expect("an index")];
    let sign = if random.below(2) == 0 { '+' } else { '-' };
    under(&["faketime", "-f", &format!("{sign}{jump}s")], command)
}
