//! What has to hold for any bytes that are read as events, as files of the spool, or as words.

use milepost_record::{
    Dimension, Event, Identity, Invalid, Kind, Line, Measure, Origin, Outcome, Spool, Timestamp, Topic, is_pseudonym,
    limits::LINE_BYTES_MAX,
};
use std::{cell::RefCell, fs, mem::discriminant, path::PathBuf, sync::Arc, thread};

/// More than any sentence about one thing needs; what is wrong is shown on a screen, and kept.
const SAID_BYTES_MAX: usize = 2048;

fn said(error: impl ToString) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.len() <= SAID_BYTES_MAX, "{} bytes: {said}", said.len());
}

/// A line is an event that can be written, and is then the same; or it is told what is wrong.
pub fn event(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = Event::from_json(text);
    if text.len() < LINE_BYTES_MAX {
        // With a space before it, the kind is looked for before the rest is read, whatever the line begins with.
        match (&read, &Event::from_json(&format!(" {text}"))) {
            (Ok(event), Ok(other)) => assert_eq!(event, other),
            (Err(invalid), Err(other)) => assert_eq!(discriminant(invalid), discriminant(other), "{invalid}, or: {other}"),
            (read, other) => panic!("{read:?} is not {other:?}"),
        }
    }
    match read {
        Ok(event) => {
            let line = event.to_json().expect("what was read can be written");
            assert!(!line.contains(['\n', '\r']), "{line}");
            assert_eq!(Event::from_json(&line).as_ref(), Ok(&event), "{line}");
        }
        Err(Invalid::UnknownKind { kind }) => assert!(kind.len() <= 256),
        Err(invalid) => said(invalid),
    }
}

thread_local! {
    static PLACE: RefCell<PathBuf> = RefCell::new({
        // In memory where there is such a place: a segment is written for each input.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        folder.join(format!("milepost-bad-input-{}-{:?}", std::process::id(), thread::current().id()))
    });
}

fn in_folder(with: impl FnOnce(&std::path::Path)) {
    PLACE.with_borrow(|folder| {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("spool")).expect("a folder");
        with(folder);
        let _ = fs::remove_dir_all(folder);
    });
}

/// Whatever somebody wrote into a segment: each line is an event or is set aside, and together they are all there is, also where it is
/// read in stretches.
pub fn segment(bytes: &[u8]) {
    in_folder(|data| {
        let spool = Spool::open(data).expect("a spool");
        fs::write(data.join("spool/shared.jsonl"), bytes).expect("a segment");
        for _ in ["while it is written", "once it is sealed"] {
            for segment in spool.segments().expect("segments") {
                let mut until = 0;
                for line in segment.lines() {
                    let (offset, line) = line.expect("a file that can be read");
                    let (Line::Text(text) | Line::NotUtf8(text) | Line::TooLong(text)) = line;
                    assert!(offset >= until && offset < segment.bytes() && !text.contains('\n'));
                    until = offset + 1;
                }
                let now = Timestamp::from_microseconds(4_000_000_000_000_000).expect("a time");
                for event in segment.events(now) {
                    match event {
                        Ok(event) => assert!(event.check().is_ok()),
                        Err(unreadable) => said(unreadable.reason),
                    }
                }
                assert_eq!(segment.damage().expect("a look"), None);
                let segment = Arc::new(segment);
                for bytes in [segment.bytes() / 64 + 1, segment.bytes() / 3 + 1] {
                    let stretches = segment.stretches(bytes).expect("a file that can be read");
                    assert!(stretches.iter().flat_map(|stretch| stretch.events(now)).eq(segment.events(now)), "in stretches of {bytes}");
                }
            }
            spool.seal().expect("sealed");
        }
    });
}

/// The small files of the spool: whatever they hold, they are used or named in what is said.
pub fn layout(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    in_folder(|data| {
        let spool = Spool::open(data).expect("a spool");
        let event =
            Event::from_json(r#"{"v":1,"kind":"operation","at":"2026-11-20T10:00:00Z","operation":"a","outcome":"ok"}"#).expect("one");
        let append = || spool.append(&event, milepost_record::Durability::Written).expect("appended");
        append();
        spool.seal().expect("sealed");
        let name = ["spool/spool.json", "spool/sequence", "spool/00000000000000000001.json", "identity.json"];
        let name = name.get(usize::from(*which) % name.len()).copied().unwrap_or_default();
        fs::write(data.join(name), bytes).expect("written");
        let file = name.rsplit('/').next().unwrap_or_default();
        let mut failed = Vec::new();
        append();
        failed.extend(Spool::open(data).and_then(|spool| spool.seal()).err());
        failed.extend(Identity::open(data).err());
        for error in failed {
            assert!(error.to_string().contains(file), "{file}: {error}");
            said(error);
        }
        for segment in spool.segments().expect("segments") {
            match segment.damage() {
                Ok(damage) => {
                    damage.into_iter().for_each(said);
                    segment.digest().expect("a digest");
                }
                // As of a later version, which only that can judge.
                Err(error) => {
                    assert!(error.to_string().contains(file), "{file}: {error}");
                    said(error);
                }
            }
            assert_eq!(segment.events(Timestamp::now()).filter(Result::is_ok).count(), 1, "none is lost");
        }
    });
}

/// Words and times: what is read is written the same.
pub fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Timestamp>() {
        Ok(at) => assert_eq!(at.to_string().parse(), Ok(at)),
        Err(error) => said(error),
    }
    match text.parse::<Dimension>() {
        Ok(dimension) => assert_eq!(dimension.to_string(), text),
        Err(error) => said(error),
    }
    macro_rules! word {
        ($( $Word:ty )*) => { $(
            match text.parse::<$Word>() {
                Ok(word) => assert_eq!(word.name(), text),
                Err(error) => said(error),
            }
        )* };
    }
    word!(Origin Outcome Measure Topic);
    assert!(!Kind::ALL.iter().any(|kind| kind.name() == text) || text.is_ascii());
    assert!(!is_pseudonym(text) || text.len() == 18);
}
