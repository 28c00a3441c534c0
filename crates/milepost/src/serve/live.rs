//! What there is to show at this moment, and who wants it.
//!
//! One thread judges, in `app/serve.rs`. It sleeps until somebody asks or watches. Who asks draws a ticket and waits until the thread
//! has looked once more, so that what was recorded before a request is in its answer; however many ask at once, it looks and judges
//! once for all of them.

use crate::render::html::{CriterionDetail, Shown};
use axum::body::Bytes;
use milepost_judge::{Panels, Scorecard};
use milepost_record::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

/// The most event streams at once.
pub(super) const STREAMS_MAX: usize = 64;
/// So long whoever asks waits for an answer that is of now, before there is none.
const PATIENCE: Duration = Duration::from_secs(60);

/// The newest events that answer one question, each as its columns.
pub(super) type Newest = Vec<Vec<(String, String)>>;

/// A scorecard, and what is asked about it.
pub(crate) struct Snapshot {
    pub(crate) scorecard: Scorecard,
    /// Since when it says the same, but for the time: when the first such scorecard was judged.
    pub(crate) changed: Timestamp,
    /// As `milepost status --format json` prints it.
    pub(crate) json: Bytes,
    /// The page, where nothing has to be said beside it.
    pub(crate) page: Bytes,
    /// What else there is of each criterion.
    pub(crate) details: Vec<CriterionDetail>,
    pub(crate) panels: Panels,
    /// For each criterion, the newest events behind each of its questions.
    pub(crate) evidence: Vec<Later<Vec<Newest>>>,
    pub(crate) history: Later<milepost_judge::history::History>,
}

impl Snapshot {
    /// What the page shows of it.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown { scorecard: &self.scorecard, details: &self.details, panels: Some(&self.panels) }
    }
}

/// Why what is shown is not of this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// What is wrong: several lines.
    pub why: String,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// How the last round of `milepost track` went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Round {
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub began: Timestamp,
    /// Whether all that was due could be done.
    pub went_well: bool,
    /// Its last line, or what was wrong.
    pub said: String,
}

/// What is shown.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    /// The newest scorecard; none where none could be judged yet.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) fault: Option<Fault>,
    pub(super) round: Option<Round>,
    /// Whether the server is about to end.
    ends: bool,
}

/// Something that takes time, and is made when it is asked for first: once for all who ask.
pub(crate) struct Later<T> {
    made: OnceCell<Result<Arc<T>, String>>,
    make: Arc<dyn Fn() -> Result<T, String> + Send + Sync>,
}

impl<T: Send + Sync + 'static> Later<T> {
    pub(crate) fn new(make: impl Fn() -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self { made: OnceCell::new(), make: Arc::new(make) }
    }

    pub(super) async fn get(&self) -> Result<Arc<T>, String> {
        let make = Arc::clone(&self.make);
        let made = self.made.get_or_init(|| async move {
            let made = spawn_blocking(move || make()).await.map_err(|error| error.to_string())?;
            made.map(Arc::new)
        });
        made.await.clone()
    }
}

#[derive(Default)]
struct Wanted {
    /// The newest ticket.
    ticket: u64,
    ends: bool,
}

/// What is shown, and who wants it.
pub(crate) struct Live {
    standing: watch::Sender<Standing>,
    wanted: Mutex<Wanted>,
    woken: Condvar,
    /// Up to which ticket somebody has looked.
    looked: watch::Sender<u64>,
    streams: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            standing: watch::Sender::default(),
            wanted: Mutex::default(),
            woken: Condvar::new(),
            looked: watch::Sender::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until somebody asks, or for `interval` while somebody watches. Returns the newest ticket; `None` at the end.
    pub(crate) fn next(&self, looked: u64, interval: Duration) -> Option<u64> {
        let mut wanted = self.wanted();
        loop {
            if wanted.ends {
                return None;
            }
            if wanted.ticket > looked {
                return Some(wanted.ticket);
            }
            if self.streams.available_permits() == STREAMS_MAX {
                wanted = self.woken.wait(wanted).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (held, waited) = self.woken.wait_timeout(wanted, interval).unwrap_or_else(PoisonError::into_inner);
            wanted = held;
            if waited.timed_out() {
                return (!wanted.ends).then_some(wanted.ticket);
            }
        }
    }

    /// Sleeps for `time`, and tells whether the server goes on.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let waited = self.woken.wait_timeout_while(self.wanted(), time, |wanted| !wanted.ends);
        !waited.unwrap_or_else(PoisonError::into_inner).0.ends
    }

    /// Says that whoever drew this ticket, or one before it, need not wait any longer.
    pub(crate) fn looked(&self, ticket: u64) {
        self.looked.send_replace(ticket);
    }

    /// Shows a scorecard that was judged just now.
    pub(crate) fn show(&self, mut snapshot: Snapshot) {
        self.standing.send_modify(|standing| {
            if let Some(before) = standing.snapshot.as_ref().filter(|before| says_the_same(&before.scorecard, &snapshot.scorecard)) {
                snapshot.changed = before.changed;
            }
            standing.snapshot = Some(Arc::new(snapshot));
            standing.fault = None;
        });
    }

    /// Says why there is none; since when, is since the first time in a row.
    pub(crate) fn fail(&self, why: String, now: Timestamp) {
        self.standing.send_if_modified(|standing| {
            let since = standing.fault.as_ref().map_or(now, |fault| fault.since);
            let fault = Some(Fault { why, since });
            let is_new = standing.fault != fault;
            standing.fault = fault;
            is_new
        });
    }

    /// Says how a round of `milepost track` went.
    pub(crate) fn tracked(&self, round: Round) {
        self.standing.send_modify(|standing| standing.round = Some(round));
    }

    /// Ends all streams, and the thread that judges.
    pub(crate) fn end(&self) {
        self.wanted().ends = true;
        self.woken.notify_all();
        self.standing.send_modify(|standing| standing.ends = true);
    }

    /// What is shown at this moment, by somebody who has looked after this was called.
    pub(super) async fn now(&self) -> Standing {
        let ticket = {
            let mut wanted = self.wanted();
            wanted.ticket += 1;
            wanted.ticket
        };
        let mut looked = self.looked.subscribe();
        self.woken.notify_all();
        let has_looked = timeout(PATIENCE, looked.wait_for(|looked| *looked >= ticket)).await.is_ok();
        let mut standing = self.standing.borrow().clone();
        if !has_looked {
            let why = format!("judging has been taking longer than {} s", PATIENCE.as_secs());
            standing.fault.get_or_insert(Fault { why, since: Timestamp::now() });
        }
        standing
    }

    /// A stream of what is shown; `None` where there are so many already.
    pub(super) fn watch(&self) -> Option<Watcher> {
        let place = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        // From now on somebody looks at intervals.
        self.woken.notify_all();
        Some(Watcher { standing: self.standing.subscribe(), _place: place })
    }
}

fn says_the_same(a: &Scorecard, b: &Scorecard) -> bool {
    (&a.project, a.verdict, &a.tiers, &a.criteria) == (&b.project, b.verdict, &b.tiers, &b.criteria)
}

/// Somebody who watches.
pub(super) struct Watcher {
    standing: watch::Receiver<Standing>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// What is shown once it changes; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Standing> {
        self.standing.changed().await.ok()?;
        let standing = self.standing.borrow_and_update().clone();
        (!standing.ends).then_some(standing)
    }
}
