//! Torn last lines and flipped bytes, at each place there is.

use crate::{
    boundaries::grown,
    place::{Place, run},
    plan::{Kind, Prepare, Random, Strike},
    tally::Row,
};
use milepost_record::Timestamp;
use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Of so many flips, one is shown to the program itself, and the others to what it calls.
const BY_PROGRAM: u64 = 4;

/// What a file is, and so what a flipped byte of it may cost.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// A record: itself.
    Segment,
    /// Nothing, and where what it says stays the same, it is not even broken.
    Manifest,
    /// The events in the file.
    Data,
    /// Nothing.
    Log,
}

pub fn kinds(wanted: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (name, writer) in [("a torn last line of the shared segment", "t1"), ("a torn last line of a recorder's segment", "t2")] {
        if wanted(name) {
            kinds.push(torn(name, writer));
        }
    }
    let flipped: [(_, _, Prepare, &[&str], _); 5] = [
        ("a flipped byte of a sealed segment", Part::Segment, sealed, &["spool/00000000000000000001.jsonl"], 3),
        ("a flipped byte of a segment's manifest", Part::Manifest, sealed, &["spool/00000000000000000001.json"], 2),
        ("a flipped byte of a Parquet file", Part::Data, grown, &["store/operations", "store/measurements", "store/segments"], 3),
        ("a flipped byte of the Delta log", Part::Log, grown, &["store/operations", "store/measurements", "store/segments"], 3),
        ("a flipped byte of a Delta log with a checkpoint", Part::Log, old, &["store/operations", "store/segments"], 1),
    ];
    for (name, part, place, under, sample) in flipped {
        if wanted(name) {
            let place = place();
            let mut files: Vec<_> = under.iter().flat_map(|under| place.files(under)).collect();
            files.retain(|path| !matches!(part, Part::Data | Part::Log) || is_log(path) == (part == Part::Log));
            kinds.push(flips(name, part, &place, &files, sample));
        }
    }
    kinds
}

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().contains("_delta_log")
}

/// Every length that the last segment can have been torn to.
fn torn(name: &'static str, writer: &'static str) -> Kind {
    let mut place = Place::new();
    place.record(writer, 4);
    let segments = place.files("spool").into_iter().filter(|path| path.extension().is_some_and(|x| x == "jsonl"));
    let segment = segments.into_iter().next().expect("a segment");
    let segment = segment.strip_prefix(place.data()).expect("a path").to_owned();
    let bytes = fs::read(place.data().join(&segment)).expect("a segment");
    let place = Arc::new(place);
    let strikes = (0..bytes.len()).map(|length| {
        let (place, segment, bytes) = (Arc::clone(&place), segment.clone(), bytes.clone());
        let strike: Strike = Arc::new(move |_| tear(&place, &segment, &bytes, length));
        (format!("torn to {length} bytes"), strike)
    });
    Kind { name, sample: 3, weight: 10, is_a_list: true, strikes: strikes.collect() }
}

fn tear(before: &Place, segment: &Path, bytes: &[u8], length: usize) -> Row {
    let mut row = Row { faults: 1, ..Row::default() };
    let mut place = before.copy();
    fs::write(place.data().join(segment), &bytes[..length]).expect("written");
    let whole = records(bytes);
    // Whoever died in the middle of a record acknowledged those before it.
    place.acknowledged = whole.iter().filter(|(_, end, _)| *end <= length).map(|(_, _, id)| id.clone()).collect();
    // Of the one that is torn, what is left is a part of it, unless only its line feeds are missing.
    let is_torn = whole.iter().any(|(begin, end, _)| begin + 1 < length && length + 1 < *end);
    place.record("z1", 1);
    place.settle(&mut row);
    if is_torn {
        row.broken += 1;
        row.named += u64::from(!place.files("set-aside").is_empty());
        row.repaired += u64::from(place.findings().is_ok_and(|findings| findings.is_empty()));
    }
    row
}

/// Where each record of a segment begins and ends, and which event it is.
fn records(bytes: &[u8]) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut begin = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line.len() > 1 {
            let text = String::from_utf8_lossy(line);
            let id = text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
            // The line feed before it belongs to it too.
            found.push((begin - 1, begin + line.len(), id));
        }
        begin += line.len();
    }
    found
}

/// Two sealed segments, and one that is still written.
fn sealed() -> Arc<Place> {
    let mut place = Place::new();
    for writer in ["s1", "s3", "s5"] {
        place.record(writer, 4);
        if writer != "s5" {
            milepost_record::Spool::open(&place.data()).and_then(|spool| spool.seal()).expect("sealed");
        }
    }
    Arc::new(place)
}

/// Tables that were merged and have a checkpoint.
fn old() -> Arc<Place> {
    let mut place = grown().copy();
    for round in 5..9 {
        place.compact();
        place.record(&format!("r{round}"), 3);
    }
    place.compact();
    Arc::new(place)
}

/// Each byte of these files.
fn flips(name: &'static str, part: Part, place: &Arc<Place>, files: &[PathBuf], sample: usize) -> Kind {
    let mut strikes = Vec::new();
    for file in files {
        let bytes = Arc::new(fs::read(file).expect("a file"));
        let within = file.strip_prefix(place.data()).expect("a path").to_owned();
        for at in 0..bytes.len() {
            let (place, bytes, file) = (Arc::clone(place), Arc::clone(&bytes), within.clone());
            let what = format!("byte {at} of {}", within.display());
            let strike: Strike = Arc::new(move |seed| flip(&place, part, &file, &bytes, at, seed));
            strikes.push((what, strike));
        }
    }
    assert!(!strikes.is_empty(), "{name}: there is a file");
    Kind { name, sample, weight: 20, is_a_list: true, strikes }
}

fn flip(before: &Place, part: Part, file: &Path, bytes: &[u8], at: usize, seed: u64) -> Row {
    let mut row = Row { faults: 1, ..Row::default() };
    let place = before.copy();
    let path = place.data().join(file);
    let mut flipped = bytes.to_vec();
    flipped[at] ^= u8::try_from(Random::new(seed).below(255) + 1).expect("a byte");
    fs::write(&path, flipped).expect("written");
    row.acknowledged = place.acknowledged.len() as u64;
    let by_program = seed.is_multiple_of(BY_PROGRAM);
    let now = Timestamp::now();
    let spared = match part {
        Part::Segment => records(bytes).into_iter().filter(|(begin, end, _)| (*begin..*end).contains(&at)).map(|(.., id)| id).collect(),
        Part::Data => in_file(&place, file),
        Part::Manifest | Part::Log => BTreeSet::new(),
    };
    let strangers = u64::from(part == Part::Segment);
    let is_named = if by_program { told(&place, &path, &["doctor"], "Damaged", &mut row) } else { is_found(&place, &path, &mut row) };
    let is_broken = is_named || part != Part::Manifest;
    // Readers may be refused what they cannot read, but not panic, nor be told nonsense.
    if part == Part::Segment || part == Part::Manifest {
        place.compare("before the repair", now, &spared, strangers, &mut row);
    } else {
        // A damaged Parquet file may make the engine panic, which the program catches.
        let _ = catch_unwind(AssertUnwindSafe(|| crate::account::seen(&place.data(), now)));
    }
    if is_broken {
        row.broken += 1;
        row.named += u64::from(is_named);
        let is_repaired = if by_program {
            told(&place, &path, &["doctor", "--repair"], "Repaired", &mut row)
        } else {
            match place.repair() {
                Ok(findings) => findings.iter().any(|finding| is_about(&finding.path, &path) && finding.repaired.is_some()),
                Err(error) => {
                    row.note(format!("the repair fails: {error}"));
                    false
                }
            }
        };
        row.repaired += u64::from(is_repaired);
        match place.findings() {
            Ok(findings) if findings.is_empty() => {}
            other => row.wrong(format!("after the repair: {other:?}")),
        }
    }
    place.compare("after the repair", now, &spared, strangers, &mut row);
    if let Err(error) = place.take_in(now) {
        row.wrong(format!("the next compaction fails: {error}"));
    }
    place.compare("after the next compaction", now, &spared, strangers, &mut row);
    row
}

/// The events of a data file: of the round of compaction that wrote it.
fn in_file(place: &Place, file: &Path) -> BTreeSet<String> {
    let table = file.parent().expect("a table");
    let name = file.file_name().expect("a name").to_string_lossy();
    let is_measurement = table.ends_with("measurements");
    for round in 0..5 {
        let log = place.data().join(table).join(format!("_delta_log/{round:020}.json"));
        if fs::read_to_string(log).is_ok_and(|text| text.contains(&*name)) {
            let of_round = place.acknowledged.iter().filter(|id| id.starts_with(&format!("r{round}-")));
            return of_round.filter(|id| (id.ends_with("-0")) == is_measurement).cloned().collect();
        }
    }
    panic!("{name} is in no log")
}

/// A segment is named where its manifest is damaged.
fn is_about(found: &Path, flipped: &Path) -> bool {
    found == flipped || found == flipped.with_extension("jsonl")
}

fn is_found(place: &Place, path: &Path, row: &mut Row) -> bool {
    match place.findings() {
        Ok(findings) => findings.iter().any(|finding| is_about(&finding.path, path)),
        Err(error) => {
            row.note(format!("`doctor` cannot look: {error}"));
            false
        }
    }
}

/// Whether the program tells of a file under a label.
fn told(place: &Place, path: &Path, args: &[&str], label: &str, row: &mut Row) -> bool {
    let ended = run(&mut place.milepost(args));
    ended.judge(row);
    // Lines are broken where the terminal ends.
    let text: String = ended.stdout.split_whitespace().collect();
    let name: String = path.to_string_lossy().split_whitespace().collect();
    let is_told = ended.stdout.contains(label) && text.contains(&name);
    if !is_told {
        row.note(format!("{label} {name} is not told: {} {}", ended.stdout, ended.stderr));
    }
    is_told
}
