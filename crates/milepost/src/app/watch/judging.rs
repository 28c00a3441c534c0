//! A thread that judges whenever something changed, so that keys never wait for it.

use super::super::{Failure, Workplace, scorecard};
use milepost_judge::Scorecard;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Write,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

/// How often it looks whether something changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Judged this often in any case: what was fresh may be stale.
const JUDGE_EVERY: Duration = Duration::from_secs(60);

/// What the thread tells.
pub(super) enum News {
    /// It began to judge.
    Judging,
    Judged(Box<Scorecard>),
    Failed(Failure),
}

/// The thread, from outside. It ends when this is dropped, after what it is at.
pub(super) struct Judging {
    ask: Sender<()>,
    news: Receiver<News>,
}

impl Judging {
    /// Starts to judge what this configuration says of these data. At the other end of `wake` something can be read whenever there are news.
    pub(super) fn start(config: PathBuf, data: PathBuf, wake: UnixStream) -> std::io::Result<Self> {
        let (ask, asked) = channel();
        let (tell, news) = channel();
        wake.set_nonblocking(true)?;
        thread::Builder::new().name("judging".to_owned()).spawn(move || {
            let tell = |news| {
                let told = tell.send(news).is_ok();
                // Full: then there is something to read already.
                let _ = (&wake).write(&[0]);
                told
            };
            judge(&config, data, &asked, &tell);
        })?;
        Ok(Self { ask, news })
    }

    /// Asks for a new scorecard, changed or not.
    pub(super) fn ask(&self) {
        // Where the thread has ended, `news` says so.
        let _ = self.ask.send(());
    }

    /// The oldest news; `Err` where there will never be any again.
    pub(super) fn news(&self) -> Result<Option<News>, Failure> {
        match self.news.try_recv() {
            Ok(news) => Ok(Some(news)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Failure::internal("the thread that judges has ended; what it said is above")),
        }
    }
}

fn judge(config: &Path, mut data: PathBuf, asked: &Receiver<()>, tell: &impl Fn(News) -> bool) {
    let (mut seen, mut last, mut took, mut wanted) = (None, Instant::now(), Duration::ZERO, true);
    loop {
        // Before it is judged: what comes in meanwhile is a change.
        let now = Fingerprint::of(config, &data);
        if wanted || seen.as_ref() != Some(&now) || last.elapsed() >= JUDGE_EVERY {
            seen = Some(now);
            let began = Instant::now();
            if !tell(News::Judging) {
                return;
            }
            let judged = Workplace::find(Some(config)).and_then(|workplace| {
                workplace.data()?.clone_into(&mut data);
                scorecard::judged(&workplace)
            });
            if !tell(judged.map_or_else(News::Failed, |judged| News::Judged(Box::new(judged.scorecard)))) {
                return;
            }
            (last, took) = (Instant::now(), began.elapsed());
        }
        // Where events come in all the time, the other half of it is left to others.
        wanted = match asked.recv_timeout(LOOK_EVERY.max(took)) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

/// What tells cheaply that the configuration or the spool is another.
#[derive(PartialEq, Eq)]
struct Fingerprint {
    /// File, time of its last change, and length.
    config: Option<(u64, i64, i64, u64)>,
    spool: BTreeMap<OsString, u64>,
}

impl Fingerprint {
    fn of(config: &Path, data: &Path) -> Self {
        let config = fs::metadata(config).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len()));
        // What cannot be read is for whoever judges to say.
        let files = fs::read_dir(data.join("spool")).into_iter().flatten().flatten();
        Self { config, spool: files.filter_map(|file| Some((file.file_name(), file.metadata().ok()?.len()))).collect() }
    }
}
