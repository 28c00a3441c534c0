//! What there is to show at this moment, and who wants it.
//!
//! One thread judges, in `app/serve.rs`. It sleeps until somebody asks or watches. Who asks draws a ticket and waits until the thread
//! has looked once more, so that what was recorded before a request is in its answer; however many ask at once, it looks and judges
//! once for all of them. Where something was recorded during a judgement and again right after it, nobody waits, as nobody would ever
//! have the last event: the newest scorecard is handed out at once, with its age.

use crate::render::html::{CriterionDetail, Notice, Shown};
use axum::{body::Bytes, http::HeaderValue};
use milepost_judge::{Panels, Scorecard, plan::Plan};
use milepost_record::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

/// The most event streams at once.
pub(super) const STREAMS_MAX: usize = 64;
/// So long whoever asks waits for an answer that is of now, before there is none; and nothing older than this is handed out.
const PATIENCE: Duration = Duration::from_secs(60);
/// While judging is behind, what stands beside the verdicts is made anew once it is so old.
const BESIDE_AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// The newest events that answer one question, each as its columns.
pub(super) type Newest = Vec<Vec<(String, String)>>;

/// What is handed out, with a tag of its content.
#[derive(Clone)]
pub(crate) struct Tagged {
    pub(super) content: Bytes,
    pub(super) tag: HeaderValue,
}

impl Tagged {
    pub(crate) fn new(content: String) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        // Hexadecimal digits in quotes are a header's value.
        let tag = HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).unwrap_or(HeaderValue::from_static("\"\""));
        Self { content: content.into(), tag }
    }
}

/// What the page shows beside the verdicts: more of each criterion, and what each tracker saw.
pub(crate) struct Beside {
    pub(crate) details: Vec<CriterionDetail>,
    pub(crate) panels: Panels,
    /// All that was recorded before this is in it.
    pub(crate) as_of: Timestamp,
}

/// What there is beside earlier scorecards.
#[derive(Clone, Default)]
pub(crate) struct Lent {
    /// The newest that was made, and when judging its scorecard began.
    made: Option<(Arc<Beside>, Instant)>,
    /// What is being made.
    making: Option<(Arc<Later<Beside>>, Instant)>,
}

/// A scorecard, and what is asked about it. All that was recorded before it was generated is in it.
pub(crate) struct Snapshot {
    pub(crate) scorecard: Scorecard,
    /// When judging it began.
    pub(crate) begun: Instant,
    /// Since when it says the same, but for the time: when the first such scorecard was judged.
    pub(crate) changed: Timestamp,
    /// As `milepost status --format json` prints it.
    pub(crate) json: Tagged,
    /// What was run for each criterion, one statement for each question.
    pub(crate) sql: Vec<Vec<String>>,
    /// For each criterion, how many events a verdict takes.
    pub(crate) plans: Later<Vec<Vec<Plan>>>,
    pub(crate) beside: Arc<Later<Beside>>,
    /// What the page shows in its place, for as long as judging is behind.
    pub(crate) lent: Lent,
    /// The page that was asked for last, with the notices on it.
    pub(crate) page: OnePage,
    /// For each criterion, the newest events behind each of its questions.
    pub(crate) evidence: Vec<Later<Vec<Newest>>>,
    pub(crate) history: Later<milepost_judge::history::History>,
}

/// A page that is written once for all who ask for it.
pub(crate) type OnePage = tokio::sync::Mutex<Option<(Vec<Notice>, Tagged)>>;

impl Snapshot {
    /// What the page shows of it.
    pub(super) fn shown<'a>(&'a self, beside: &'a Beside) -> Shown<'a> {
        Shown { scorecard: &self.scorecard, details: &beside.details, panels: Some(&beside.panels) }
    }

    /// What the page shows beside it: its own; while judging is behind what there is, and where that is old, the next is begun.
    pub(super) async fn beside(&self, is_behind: bool) -> Result<Arc<Beside>, String> {
        if !is_behind {
            return self.beside.get().await;
        }
        let Lent { made, making } = self.lends();
        let next = making.map_or_else(|| Arc::clone(&self.beside), |(making, _)| making);
        let Some((beside, begun)) = made.filter(|(_, begun)| begun.elapsed() < PATIENCE) else { return next.get().await };
        if begun.elapsed() >= BESIDE_AT_LEAST_EVERY {
            tokio::spawn(async move { next.get().await });
        }
        Ok(beside)
    }

    /// What there is beside it and earlier ones.
    fn lends(&self) -> Lent {
        let own = (Arc::clone(&self.beside), self.begun);
        let making = self.lent.making.clone().or_else(|| self.beside.is_asked_for.load(Ordering::Relaxed).then_some(own));
        let now_made = [Some(&self.beside).zip(Some(self.begun)), making.as_ref().map(|(beside, begun)| (beside, *begun))];
        let now_made = now_made.into_iter().flatten().find_map(|(beside, begun)| Some((beside.made()?, begun)));
        let making = making.filter(|(making, _)| !making.made.initialized());
        Lent { made: now_made.or_else(|| self.lent.made.clone()), making }
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
    /// When judging the newest scorecard began, where it is handed out though something was recorded since; `None` where it is of now.
    pub(super) begun: Option<Instant>,
    /// Whether the server is about to end.
    ends: bool,
}

/// Something that takes time, and is made when it is asked for first: once for all who ask.
pub(crate) struct Later<T> {
    made: OnceCell<Result<Arc<T>, String>>,
    is_asked_for: AtomicBool,
    make: Arc<dyn Fn() -> Result<T, String> + Send + Sync>,
}

impl<T: Send + Sync + 'static> Later<T> {
    pub(crate) fn new(make: impl Fn() -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self { made: OnceCell::new(), is_asked_for: AtomicBool::new(false), make: Arc::new(make) }
    }

    /// What was made already.
    fn made(&self) -> Option<Arc<T>> {
        self.made.get()?.as_ref().ok().cloned()
    }

    pub(super) async fn get(&self) -> Result<Arc<T>, String> {
        self.is_asked_for.store(true, Ordering::Relaxed);
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
    /// Whether something was recorded during the last judgement and again right after it.
    is_behind: bool,
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

    /// Sleeps until somebody asks, or for `interval` while somebody watches. Returns the newest ticket; `None` at the end. Nobody is
    /// handed out what was judged before a sleep that nobody watched.
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
                wanted.is_behind = false;
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

    /// Says whether something was recorded during the last judgement and again right after it: who asks has the newest scorecard then.
    pub(crate) fn behind(&self, is_behind: bool) {
        self.wanted().is_behind = is_behind;
    }

    /// Shows a scorecard that was judged just now.
    pub(crate) fn show(&self, mut snapshot: Snapshot) {
        self.standing.send_modify(|standing| {
            if let Some(before) = standing.snapshot.as_ref().filter(|before| says_the_same(&before.scorecard, &snapshot.scorecard)) {
                snapshot.changed = before.changed;
            }
            snapshot.lent = standing.snapshot.as_ref().map(|before| before.lends()).unwrap_or_default();
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

    /// What is shown at this moment, by somebody who has looked after this was called; while judging is behind, what was judged last.
    pub(super) async fn now(&self) -> Standing {
        let (ticket, mut is_behind) = {
            let mut wanted = self.wanted();
            wanted.ticket += 1;
            (wanted.ticket, wanted.is_behind)
        };
        let mut looked = self.looked.subscribe();
        self.woken.notify_all();
        let mut is_late = false;
        if !is_behind {
            is_late = timeout(PATIENCE, looked.wait_for(|looked| *looked >= ticket)).await.is_err();
            is_behind = self.wanted().is_behind;
        }
        let mut standing = self.standing.borrow().clone();
        if is_behind {
            standing.begun = standing.snapshot.as_ref().map(|snapshot| snapshot.begun);
            is_late = standing.begun.is_none_or(|begun| begun.elapsed() > PATIENCE);
        }
        if is_late {
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
