//! Compaction, ended by force after each of its commits and around the removal of segments.

use crate::{
    place::{Place, run},
    plan::{Kind, Prepare, Strike},
    tally::Row,
};
use std::sync::{Arc, OnceLock};

const BOUNDARIES: &[&str] = &["claimed", "operations", "measurements", "settled", "retired"];
const SIGABRT: i32 = 6;

/// A spool and tables that have been there for a while: the next compaction merges files, and writes a checkpoint.
pub fn grown() -> Arc<Place> {
    static GROWN: OnceLock<Arc<Place>> = OnceLock::new();
    Arc::clone(GROWN.get_or_init(|| {
        let mut place = Place::new();
        for round in 0..5 {
            place.record(&format!("r{round}"), 3);
            place.compact();
        }
        place.record("n1", 6);
        place.record("n2", 6);
        Arc::new(place)
    }))
}

/// A spool of which nothing was compacted.
pub fn fresh() -> Arc<Place> {
    static FRESH: OnceLock<Arc<Place>> = OnceLock::new();
    Arc::clone(FRESH.get_or_init(|| {
        let mut place = Place::new();
        place.record("n1", 6);
        place.record("n2", 6);
        Arc::new(place)
    }))
}

pub fn kinds(_: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    let states: [(&str, Prepare); 2] = [("of no tables", fresh), ("of tables", grown)];
    let strikes = states.into_iter().flat_map(|(state, place)| {
        BOUNDARIES.iter().map(move |boundary| {
            let strike: Strike = Arc::new(move |_| crash(&place(), boundary));
            (format!("{boundary}, {state}"), strike)
        })
    });
    vec![Kind {
        name: "a crash at a commit of compaction",
        sample: BOUNDARIES.len() * 2,
        weight: 10,
        is_a_list: true,
        strikes: strikes.collect(),
    }]
}

fn crash(before: &Place, boundary: &str) -> Row {
    let mut row = Row { faults: 1, ..Row::default() };
    let mut place = before.copy();
    let ended = run(place.compaction().env("MILEPOST_CRASH_AT", boundary));
    ended.judge(&mut row);
    if ended.signal() != Some(SIGABRT) {
        row.wrong(format!("compaction does not pass the boundary `{boundary}`"));
    }
    // What comes in after the crash, too.
    place.record("z1", 3);
    place.settle(&mut row);
    let left = place.files("spool").into_iter().filter(|path| path.extension().is_some_and(|x| x == "jsonl")).count();
    if left > 0 {
        row.wrong(format!("{left} segments are not in the tables"));
    }
    row
}
