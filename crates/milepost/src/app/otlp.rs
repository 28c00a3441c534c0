//! OTLP in `milepost serve`: where it listens, where it writes, and what is remembered of what came in.

use super::{Failure, Workplace, doctor::several, printable, say, track::kept};
use crate::{
    cli::Listen,
    serve::{
        self, Who,
        otlp::{Count, Desk, Mapping, OfSignal, Open, Opener, Tally},
    },
};
use milepost_record::{Recorder, Timestamp, recording_is_off};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const VERSION: u64 = 1;
/// The file, and the version that is written.
pub(super) const FORMAT: (&str, u64) = ("otlp.json", VERSION);
/// So many reasons are shown of what was left out, rejected or refused.
const SHOWN: usize = 5;

/// What was rejected or refused within this time wants a look.
const LOOKED_AT_FOR: Duration = Duration::from_secs(86400);

/// The file in the data folder in which it is remembered what became of all that came in.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u64,
    since: Timestamp,
    signals: Tally,
}

/// What became of all that came in, and since when that is counted.
pub(super) struct Remembered {
    since: Timestamp,
    tally: Tally,
}

/// What is remembered; none where nothing ever came in.
///
/// # Errors
/// Where it cannot be read, or a newer Milepost wrote it.
pub(super) fn remembered(data: &Path) -> Result<Option<Remembered>, Failure> {
    let content: Option<Content> = kept::read(&path(data), VERSION, "what came in by OTLP is counted anew")?;
    Ok(content.map(|content| Remembered { since: content.since, tally: content.signals }))
}

fn path(data: &Path) -> PathBuf {
    data.join(FORMAT.0)
}

/// The desk, and what keeps its counts.
pub(super) struct Office {
    pub(super) desk: Arc<Desk>,
    path: PathBuf,
    since: Timestamp,
}

impl Office {
    /// For the configuration of this file, which is read again where it has changed.
    pub(super) fn open(config: PathBuf, data: &Path) -> Result<Self, Failure> {
        let Remembered { since, tally } =
            remembered(data)?.unwrap_or_else(|| Remembered { since: Timestamp::now(), tally: Tally::default() });
        let desk = match recording_is_off() {
            Some(variable) => Desk::off(variable, tally),
            None => Desk::new(opener(config), tally),
        };
        Ok(Self { desk: Arc::new(desk), path: path(data), since })
    }

    /// Writes down what has come in since this was called last.
    pub(super) fn note(&self) -> Result<(), Failure> {
        let Some(signals) = self.desk.news() else { return Ok(()) };
        kept::write(&self.path, &Content { version: VERSION, since: self.since, signals })
    }
}

/// A configuration as it looks from outside: its number, its length, and when it was written last.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Opens spool and rules at the first request, and again where the configuration has changed; one that is faulty changes nothing.
fn opener(config: PathBuf) -> Opener {
    let last: Mutex<Option<(Stamp, Arc<Open>)>> = Mutex::default();
    Box::new(move || {
        let stamp: Stamp = fs::metadata(&config).ok().map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((of, open)) if *of == stamp => Ok(Arc::clone(open)),
            before => match (opened(&config), before) {
                (Ok(open), _) => Ok(Arc::clone(&last.insert((stamp, Arc::new(open))).1)),
                (Err(_), Some((_, open))) => Ok(Arc::clone(open)),
                (Err(failure), None) => Err(failure.to_string()),
            },
        }
    })
}

fn opened(config: &Path) -> Result<Open, Failure> {
    let workplace = Workplace::find(Some(config))?;
    let (spool, door) = workplace.door("otlp")?;
    let mapping = Mapping::new(workplace.config.otlp.clone(), workplace.error_rules()?, door.identity().clone());
    Ok(Open { recorder: Recorder::through(spool, door), mapping })
}

/// Where something listens, and to whom.
pub(super) type Bound = Option<(TcpListener, SocketAddr, Who)>;

/// Binds a port for OTLP. The usual one may be somebody else's, a collector's say, or nobody may write; that is told, and it is gone on
/// without.
///
/// # Errors
/// Where the port that was asked for cannot be had, or nobody may write there.
pub(super) fn bind(
    wish: Option<Listen>,
    option: &str,
    usual: u16,
    who: impl Fn(SocketAddr) -> Result<Who, String>,
) -> Result<Bound, Failure> {
    let address = match wish {
        Some(Listen::Off) => return Ok(None),
        Some(Listen::At(address)) => address,
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, usual)),
    };
    let bound = serve::bind(address).map_err(|error| format!("cannot listen on {address} for OTLP: {error}"));
    match bound.and_then(|(listener, address)| Ok((listener, address, who(address)?))) {
        Ok(bound) => Ok(Some(bound)),
        Err(why) if wish.is_some() => Err(Failure::usage(format!("{why}; `{option} off` does without"))),
        Err(why) => {
            say(&format!("{why}; `{option} ADDRESS` takes another, and `{option} off` does without"));
            Ok(None)
        }
    }
}

/// A line for `doctor`.
pub(super) struct Line {
    pub(super) is_trouble: bool,
    pub(super) label: String,
    pub(super) text: String,
}

/// What became of all that came in, in lines.
pub(super) fn told(remembered: &Remembered, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    for (signal, of) in &remembered.tally.0 {
        let OfSignal { recorded, left_out, rejected, refused } = of;
        let total = |counted: &BTreeMap<String, Count>| counted.values().map(|count| count.n).sum::<u64>();
        let label = format!("OTLP {}", printable(signal));
        let text = format!(
            "since {}: {recorded} taken, {} left out, {} rejected; {} refused",
            remembered.since,
            total(left_out),
            total(rejected),
            several(total(refused), "request", "requests")
        );
        // What is mended does not want a look for ever.
        let is_of_today = |count: &Count| now.since(count.last) < LOOKED_AT_FOR;
        let is_trouble = rejected.values().chain(refused.values()).any(is_of_today);
        lines.push(Line { is_trouble, label, text });
        for (what, counted) in [("left out", left_out), ("rejected", rejected), ("refused", refused)] {
            let mut counted: Vec<_> = counted.iter().collect();
            counted.sort_by_key(|(_, count)| std::cmp::Reverse(count.n));
            for (why, count) in counted.iter().take(SHOWN) {
                let text = format!("{what}: {} × {}, last at {}", count.n, printable(why), count.last);
                lines.push(Line { is_trouble: false, label: String::new(), text });
            }
            if let Some(more) = counted.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let text = format!("{what}: for {more} more reasons, in otlp.json");
                lines.push(Line { is_trouble: false, label: String::new(), text });
            }
        }
    }
    lines
}
