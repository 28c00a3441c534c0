//! `milepost track`: all that is due, in one go, as cron or a person calls it.

mod alerts;
mod common;
mod definition;
mod journal;
pub(super) mod kept;
mod reports;
mod retention;
mod tombstones;

pub(super) use self::{
    alerts::Alerts,
    journal::Journal,
    reports::{family, made as reports_in},
    tombstones::{apply, patiently, pending},
};
use self::{common::Turn, journal::LastRound};
use super::{
    Failure, Workplace,
    collect::{keep, report},
    collect_git,
    collect_memory::{self, CollectError, Options},
    collect_reports::{self, Unusable},
    doctor::several,
    files, print, printable, probe,
    report::{has_begun, made, names},
    say,
    scorecard::{Judged, asked, configured, judged, wait},
    versions::refuse_newer_files,
};
use crate::{
    cli::{self, Context},
    config::{Collect, Collected, Probe},
    process_tree::{FindError, Target},
    render::terminal::{fact, width},
};
use milepost_collect::{Kind, error_category::Rules};
use milepost_judge::{Period, Quantity, Rhythm, Scorecard, Unit, Verdict, questions, report_questions};
use milepost_record::{Door, Durability, Event, Fact, Locked, Origin, Outcome, Question, Span, Spool, Timestamp, recording_is_off};
use milepost_store::{Compacted, RolledUp, Store, Upkeep, compact, roll_up, shared};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    env, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// What it remembers in files, each with the version that is written.
pub(super) const FORMATS: [(&str, u64); 3] = [journal::FORMAT, alerts::FORMAT, tombstones::FORMAT];
/// So many jobs are told one by one.
const TOLD_MAX: usize = 20;
/// So many criteria that are not met are named.
const NAMED_MAX: usize = 20;
/// How much longer than it is to last a collect may take.
const MARGIN: Duration = Duration::from_secs(30);
pub(super) const PANICKED: &str = "it panicked, which is a mistake in Milepost: please report it";

pub(super) fn track(wishes: &cli::Track, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    if wishes.test_alert {
        return test_alert(workplace);
    }
    let stop = Stop::on_signals().map_err(|error| Failure::internal(format!("cannot catch signals: {error}")))?;
    let Some(done) = once(wishes, workplace, &stop)? else {
        return print("Another `milepost track` is running on these data, so this one does nothing.\n");
    };
    if let Some(signal) = stop.signal() {
        say("asked to stop, so the rest is left to the next time");
        // Who started us is to see what stopped us. Fails for unknown signals only.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        return Ok(ExitCode::from(done.exit_code));
    }
    print(&format!("{}\n{}\n", done.text, done.last))?;
    Ok(ExitCode::from(done.exit_code))
}

/// A round that came to an end.
pub(super) struct Done {
    text: String,
    /// Its last line.
    pub(super) last: String,
    pub(super) exit_code: u8,
}

/// Does all that is due; nothing, and returns nothing, where another `milepost track` is at work.
///
/// # Errors
/// Where it cannot begin, as where a newer Milepost wrote a file, or not note that it ended.
pub(super) fn once(wishes: &cli::Track, workplace: &Workplace, stop: &Stop) -> Result<Option<Done>, Failure> {
    let data = workplace.data()?;
    refuse_newer_files(workplace)?;
    let failed = |what: &'static str| move |error: io::Error| Failure::internal(format!("cannot {what} {}: {error}", data.display()));
    files::folder(data, true).map_err(failed("make"))?;
    let Some(_lock) = Locked::try_at(&data.join("track.lock")).map_err(failed("lock track.lock in"))? else { return Ok(None) };
    let off = recording_is_off();
    let mut journal = if off.is_none() { Some(Journal::open(kept::Place::Folder(data.to_owned()))?) } else { None };
    let now = Timestamp::now();
    let mut round = Round { workplace, data, now, stop, text: String::new(), width: width(), told: 0, failed: false, refused: false };
    if let Some(variable) = off {
        say(&format!("nothing is probed, collected or recorded, since {variable} is set; what is there is judged"));
    }
    let last = round.all(wishes, journal.as_mut());
    let stopped = stop.signal().map(|signal| u8::try_from(128 + signal).unwrap_or(u8::MAX));
    let exit_code = stopped.unwrap_or(match (round.failed, round.refused) {
        (true, _) => 4,
        (false, true) => 2,
        (false, false) => 0,
    });
    if let Some(journal) = &mut journal {
        let said = if stopped.is_some() { "it was asked to stop" } else { &last };
        journal.ends(LastRound { began: now, ended: Timestamp::now(), exit_code, said: said.to_owned() })?;
    }
    Ok(Some(Done { text: round.text, last, exit_code }))
}

/// What SIGINT and SIGTERM ask for: that nothing else begins.
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    by: Arc<AtomicUsize>,
}

impl Stop {
    pub(super) fn on_signals() -> io::Result<Self> {
        let by = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_usize(signal, Arc::clone(&by), signal.unsigned_abs() as usize)?;
        }
        Ok(Self { asked: collect_memory::stop_on_signals()?, by })
    }

    pub(super) fn signal(&self) -> Option<i32> {
        i32::try_from(self.by.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
    }
}

/// The way into the spool.
struct Desk {
    spool: Spool,
    door: Door,
}

impl Desk {
    /// Records a fact, under a new id where none is given.
    fn record(&self, fact: impl Into<Fact>, id: Option<String>) -> Result<Event, Failure> {
        let now = Timestamp::now();
        let mut event = Event::at(now, fact);
        event.id = id;
        let event = self.door.admit(event, now).map_err(|invalid| Failure::internal(invalid.to_string()))?.event;
        self.spool.append(&event, Durability::Written)?;
        Ok(event)
    }
}

/// What runs in a rhythm of its own.
enum Job<'a> {
    Probe(&'a Probe),
    Collect(&'a Collect),
}

impl Job<'_> {
    const fn every(&self) -> Duration {
        match self {
            Self::Probe(probe) => probe.every,
            Self::Collect(collect) => collect.every,
        }
    }

    /// Its name in the journal.
    fn key(&self) -> String {
        match self {
            Self::Probe(probe) => journal::name(["probe", &probe.operation].into_iter().chain(probe.backend.as_deref())),
            Self::Collect(Collect { what: Collected::Memory { process, .. }, .. }) => journal::name(["collect", "memory", process]),
            Self::Collect(Collect { what: Collected::Git { folder, .. }, .. }) => {
                journal::name(["collect", "git", &folder.to_string_lossy()])
            }
            Self::Collect(Collect { what: Collected::Report { kind, name, .. }, .. }) => {
                journal::name(["collect", &kind.to_string(), name])
            }
        }
    }

    /// Its name for people.
    fn title(&self) -> String {
        printable(&match self {
            Self::Probe(Probe { operation, backend: None, .. }) => operation.clone(),
            Self::Probe(Probe { operation, backend: Some(backend), .. }) => format!("{operation} ({backend})"),
            Self::Collect(Collect { what: Collected::Memory { process, .. }, .. }) => process.clone(),
            Self::Collect(Collect { what: Collected::Git { folder, .. }, .. }) => folder.display().to_string(),
            Self::Collect(Collect { what: Collected::Report { name, .. }, .. }) => name.clone(),
        })
    }

    const fn label(&self) -> &'static str {
        match self {
            Self::Probe(_) => "Probe",
            Self::Collect(Collect { what: Collected::Memory { .. }, .. }) => "Memory",
            Self::Collect(Collect { what: Collected::Git { .. }, .. }) => "Git",
            Self::Collect(Collect { what: Collected::Report { kind, .. }, .. }) => match kind {
                Kind::Coverage => "Coverage",
                Kind::Complexity => "Complexity",
                Kind::Tests => "Tests",
                Kind::Audit => "Audit",
            },
        }
    }
}

/// One call, and what it has to say.
struct Round<'a> {
    workplace: &'a Workplace,
    data: &'a Path,
    /// When it began: by this moment jobs are due, and as begun at this moment they are noted.
    now: Timestamp,
    stop: &'a Stop,
    text: String,
    width: usize,
    told: usize,
    failed: bool,
    refused: bool,
}

impl Round<'_> {
    /// Does all, and returns the last line.
    fn all(&mut self, wishes: &cli::Track, journal: Option<&mut Journal>) -> String {
        let records = journal.is_some();
        let desk = records.then(|| {
            self.attempt("nothing can be recorded", |round| {
                let (spool, door) = round.workplace.door("track")?;
                Ok(Desk { spool, door })
            })
        });
        let desk = desk.flatten();
        let mut journal = journal;
        if let (Some(desk), Some(journal)) = (&desk, journal.as_deref_mut()) {
            self.jobs(wishes.all, desk, journal);
        }
        let turn = self.turn(desk.as_ref());
        let common = desk.as_ref().filter(|_| turn.is_ours());
        let mut recorded = Vec::new();
        self.attempt("what was forgotten is not erased here", |round| round.bury(wishes));
        let taken_in = self.take_in();
        let past = self.attempt("the criteria are not recorded", |round| round.define(common, &turn, &mut recorded));
        let compacted = self.attempt("the data are not compacted", |round| round.compact(past.as_deref(), turn.is_ours()));
        let mut compacted = compacted.map(|then| taken_in.and(then));
        // Of tables in a bucket, each machine has rollups of its own.
        let rolls_up = turn.is_ours() || shared(self.data).is_none();
        let rolls_up = rolls_up.then_some("no rollups are made, and the events answer");
        if let (Some(otherwise), Some(past)) = (rolls_up, &past) {
            self.attempt(otherwise, |round| round.roll_up(&round.asked(past), &round.judged_on(past)));
        }
        let judged = self.attempt("nothing is judged", |round| judged(round.workplace));
        if let (Some(desk), Some(judged)) = (common, &judged) {
            self.attempt("the verdicts are not recorded", |round| round.verdicts(desk, &turn, judged, &mut recorded));
            if turn.is_shared() {
                self.attempt("the others do not see the verdicts", |round| round.compact_more(&mut compacted));
            }
        }
        if let (Some(otherwise), Some(judged)) = (rolls_up, judged.as_ref().filter(|judged| !judged.asked_beside.is_empty())) {
            self.attempt(otherwise, |round| round.roll_up(&judged.asked_beside, &[]));
        }
        let page = judged.as_ref().and_then(|judged| self.attempt("nothing is published", |round| round.publish(wishes, judged)));
        self.conclude(&recorded, compacted, page.as_deref());
        if records && turn.is_ours() {
            self.alerts(judged.as_ref().map(|judged| &judged.scorecard));
        }
        if let (Some(journal), Some(judged)) = (journal.filter(|_| common.is_some()), &judged) {
            match turn {
                Turn::Alone => self.reports(wishes, &judged.store, journal),
                _ => {
                    _ = self.attempt("no report is made", |round| {
                        round.reports(wishes, &judged.store, &mut Journal::open(round.workplace.common()?)?);
                        Ok(())
                    })
                }
            }
        }
        judged.map_or_else(|| "Nothing was judged".to_owned(), |judged| last_line(&judged.scorecard))
    }

    /// Does one thing, unless we were asked to stop. That it fails or panics is said, and stops nothing else.
    fn attempt<T>(&mut self, otherwise: &str, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Option<T> {
        if self.stop.signal().is_some() {
            return None;
        }
        let why = match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => PANICKED.to_owned(),
        };
        say(&format!("{otherwise}: {}", printable(&why)));
        self.failed = true;
        None
    }

    fn tell(&mut self, label: &str, value: &str) {
        fact(&mut self.text, self.width, label, value);
    }

    /// Tells what a job gave; of many jobs, the first.
    fn tell_job(&mut self, job: &Job<'_>, result: &str) {
        self.told += 1;
        if self.told <= TOLD_MAX {
            self.tell(job.label(), result);
        }
    }

    fn jobs(&mut self, all: bool, desk: &Desk, journal: &mut Journal) {
        let workplace = self.workplace;
        let config = &workplace.config;
        let jobs: Vec<_> = config.probes.iter().map(Job::Probe).chain(config.collects.iter().map(Job::Collect)).collect();
        if jobs.is_empty() {
            return;
        }
        if let (Some(untrusted), Some(path)) = (config.untrusted, &config.path) {
            say(&format!("no probe or collect is run, for somebody else could have written {}: {untrusted}", path.display()));
            self.refused = true;
            return;
        }
        let Some(rules) = self.attempt("nothing is probed", |round| round.workplace.error_rules()) else { return };
        let (due, not_due): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| all || journal.is_due(&job.key(), job.every(), self.now));
        for job in due {
            self.attempt(&format!("that {} began is not noted", job.title()), |round| journal.begins(&job.key(), round.now));
            self.attempt(&format!("{} {}", job.label().to_lowercase(), job.title()), |round| round.job(job, &rules, desk));
        }
        if self.told > TOLD_MAX {
            self.tell("", &format!("and {} more", self.told - TOLD_MAX));
        }
        if !not_due.is_empty() {
            self.tell("Not due yet", &several(not_due.len() as u64, "job", "jobs"));
        }
    }

    fn job(&mut self, job: &Job<'_>, rules: &Rules, desk: &Desk) -> Result<(), Failure> {
        let result = match job {
            Job::Probe(probe) => format!("{}: {}", job.title(), probed(probe, rules, desk)?),
            Job::Collect(collect) => self.collect(collect, desk)?,
        };
        self.tell_job(job, &result);
        Ok(())
    }

    fn collect(&mut self, collect: &Collect, desk: &Desk) -> Result<String, Failure> {
        match &collect.what {
            Collected::Memory { process, lasting, readings } => self.memory(process, *lasting, *readings, desk),
            Collected::Git { folder, maintainers } => {
                let zone = &self.workplace.config.criteria.calendar;
                let context = Context::default();
                collect_git::record(
                    folder,
                    maintainers,
                    &collect_reports::Desk { spool: &desk.spool, door: &desk.door, context: &context, zone },
                )
            }
            Collected::Report { kind, name, path } => self.report(*kind, name, path, desk),
        }
    }

    /// A report that is not there yet is no failure, and one that cannot be used is a mistake of who wrote it.
    fn report(&mut self, kind: Kind, name: &str, path: &Path, desk: &Desk) -> Result<String, Failure> {
        let zone = &self.workplace.config.criteria.calendar;
        let context = Context::default();
        let reports = collect_reports::Desk { spool: &desk.spool, door: &desk.door, context: &context, zone };
        let told = match collect_reports::of_file(kind, path, true) {
            Ok(content) => reports.record(kind, name, content)?,
            Err(unusable) => Err(unusable),
        };
        Ok(told.unwrap_or_else(|unusable| {
            self.refused |= !matches!(unusable, Unusable::Missing);
            unusable.sentence(name)
        }))
    }

    fn memory(&self, process: &str, lasting: Duration, readings: Duration, desk: &Desk) -> Result<String, Failure> {
        let run = format!("r-{}", milepost_record::random_id());
        let options = Options { target: Target::Name(process.to_owned()), every: readings, lasting: Some(lasting), run };
        let (stop, spool, door) = (Arc::clone(&self.stop.asked), desk.spool.clone(), desk.door.clone());
        let work = move || collect_memory::collect(&options, &stop, |event| keep(event, &Context::default(), &spool, &door));
        match within(lasting.saturating_add(MARGIN), work)? {
            Ok(summary) => Ok(report(&summary).join("; ")),
            Err(CollectError::Record(failure)) => Err(failure),
            Err(CollectError::Find(FindError::NotFound { .. } | FindError::OurAncestor { .. })) => {
                Ok(format!("{} is not running", printable(process)))
            }
            Err(CollectError::Find(FindError::Several { pids, .. })) => {
                let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
                let pids = pids.join(", ");
                Err(Failure::internal(format!(
                    "several processes have this name, and none started the others, so none is measured: {pids}"
                )))
            }
            Err(error) => Err(Failure::internal(error.to_string())),
        }
    }

    /// Takes in what waits before anything reads the store, which else would read all of it line by line. Where that cannot be, the
    /// compaction after it says why.
    fn take_in(&self) -> Compacted {
        let upkeep = Upkeep { taking_in_only: true, ..Upkeep::default() };
        let taken_in = || wait(async { Ok(compact(self.data, Timestamp::now(), &upkeep).await?) });
        if self.stop.signal().is_some() { Compacted::default() } else { taken_in().unwrap_or_default() }
    }

    /// Nothing is removed where nobody knows what is still needed.
    fn compact(&self, past: Option<&[Event]>, with_upkeep: bool) -> Result<Compacted, Failure> {
        let (config, now) = (&self.workplace.config, Timestamp::now());
        let keep_from = past.and_then(|past| retention::keep_from(config.retention, &config.criteria, past, now));
        let upkeep = Upkeep { keep_from, taking_in_only: !with_upkeep, ..Upkeep::default() };
        self.patiently(|| wait(async { Ok(compact(self.data, now, &upkeep).await) }))
    }

    /// What is asked now, and in an hour again; and what reports ask when a day, a week or a month is over.
    fn asked(&self, past: &[Event]) -> Vec<Question> {
        let (criteria, span) = (&self.workplace.config.criteria, Span { from: self.now, to: self.now });
        asked(criteria, past, self.now).into_iter().chain(report_questions(criteria, span, &names(&[Origin::Use]))).collect()
    }

    /// Of that, what the criteria ask: since the same moment each time.
    fn judged_on(&self, past: &[Event]) -> Vec<Question> {
        questions(&self.workplace.config.criteria, past, self.now).concat()
    }

    fn roll_up(&self, questions: &[Question], totals: &[Question]) -> Result<RolledUp, Failure> {
        self.patiently(|| wait(async { Ok(roll_up(self.data, questions, totals, Timestamp::now()).await) }))
    }

    fn output(&self, wishes: &cli::Track) -> PathBuf {
        let configured = || self.workplace.config.output.clone();
        wishes.output.clone().or_else(configured).unwrap_or_else(|| self.data.join("reports"))
    }

    /// The same, made where it lies with the data: there it is for its owner only.
    fn made_output(&self, wishes: &cli::Track) -> Result<PathBuf, Failure> {
        let output = self.output(wishes);
        if output == self.data.join("reports") {
            let failed = |error: io::Error| Failure::internal(format!("cannot make {}: {error}", output.display()));
            files::folder(&output, true).map_err(failed)?;
        }
        Ok(output)
    }

    /// Makes the report of the last day, week and month, each where it was not made yet and something was recorded by its end.
    fn reports(&mut self, wishes: &cli::Track, store: &Store, journal: &mut Journal) {
        let (criteria, origins) = (&self.workplace.config.criteria, names(&[Origin::Use]));
        let today = self.now.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date();
        let due = Rhythm::ALL.into_iter().filter_map(|rhythm| Period::last(rhythm, today));
        let due: Vec<_> = due.filter(|period| journal.made(*period).is_none()).collect();
        let mut told = Vec::new();
        for period in due {
            let name = format!("{} {period}", period.rhythm().name());
            let done = self.attempt(&format!("the report {name} is not made"), |round| {
                if !wait(has_begun(store, criteria, period, &origins))? {
                    return Ok(false);
                }
                let report = wait(made(store, criteria, period, &origins, round.now))?;
                journal.makes(period, reports::keep_report(&round.made_output(wishes)?, &report, round.now)?)?;
                Ok(true)
            });
            told.extend(done.filter(|is_made| *is_made).map(|_| name));
        }
        if !told.is_empty() {
            self.tell("Reports", &told.join(", "));
        }
    }

    fn publish(&mut self, wishes: &cli::Track, judged: &Judged) -> Result<PathBuf, Failure> {
        let output = self.made_output(wishes)?;
        let page = reports::publish(&output, judged, &self.workplace.config)?;
        self.attempt("old reports are not removed", |_| reports::prune(&output, Timestamp::now()));
        Ok(page)
    }

    /// Tells of what changed, and of what waits from before.
    fn alerts(&mut self, scorecard: Option<&Scorecard>) {
        let config = &self.workplace.config;
        if config.alerts.is_empty() {
            return;
        }
        if let (Some(untrusted), Some(path)) = (config.untrusted, &config.path) {
            say(&format!("no alert is sent, for somebody else could have written {}: {untrusted}", path.display()));
            self.refused = true;
            return;
        }
        let taken = self.attempt("no alert is sent", |round| {
            let mut alerts = Alerts::open(round.workplace.common()?)?;
            alerts.take(&config.criteria, scorecard, &config.alerts)?;
            Ok(alerts)
        });
        let Some(mut alerts) = taken else { return };
        let delivered = self.attempt("alerts are not sent", |round| alerts.deliver(&config.alerts, || round.stop.signal().is_some()));
        let delivered = delivered.unwrap_or_default();
        for sent in delivered.sent.iter().take(TOLD_MAX) {
            self.tell("Alert", sent);
        }
        if delivered.sent.len() > TOLD_MAX {
            self.tell("", &format!("and {} more", delivered.sent.len() - TOLD_MAX));
        }
        for failure in delivered.failures {
            say(&format!("no alert to {failure}"));
            self.failed = true;
        }
        if let Some(waiting) = still_waiting(alerts.waiting()) {
            self.tell("Alerts", &waiting);
        }
    }

    /// Erases here what was forgotten on another machine, or what a call that was killed left.
    fn bury(&mut self, wishes: &cli::Track) -> Result<(), Failure> {
        if pending(self.data)?.0 == 0 {
            return Ok(());
        }
        let applied = apply(self.data, &self.output(wishes), self.now)?;
        self.tell("Forgotten", &applied.to_string());
        Ok(())
    }

    fn conclude(&mut self, recorded: &[Event], compacted: Option<Compacted>, page: Option<&Path>) {
        let criteria = recorded.iter().filter(|event| matches!(event.fact, Fact::Criterion(_))).count();
        let verdicts = recorded.len() - criteria;
        let counts = [(criteria, "criterion", "criteria"), (verdicts, "verdict", "verdicts")];
        let counts: Vec<_> = counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| several(*n as u64, one, many)).collect();
        if !counts.is_empty() {
            self.tell("Recorded", &counts.join(", "));
        }
        if let Some(compacted) = compacted {
            let mut done = several(compacted.events, "event", "events");
            if compacted.unreadable > 0 {
                done += &format!("; {} set aside", several(compacted.unreadable, "line that is no event", "lines that are no events"));
            }
            if compacted.postponed > 0 {
                done += &format!("; {} until the time that it says", several(compacted.postponed, "waits", "wait"));
            }
            if compacted.removed > 0 {
                done += &format!("; {} of days removed that nothing needs", several(compacted.removed, "event", "events"));
            }
            if compacted.renewed {
                done += "; the spool has a new id, since the store knows another by the old one (was a backup restored?)";
            }
            self.tell("Compacted", &done);
        }
        if let Some(page) = page {
            let here = env::current_dir().ok();
            let short = here.and_then(|here| page.strip_prefix(here).ok()).unwrap_or(page);
            self.tell("Page", &printable(&short.to_string_lossy()));
        }
    }
}

/// What waits to be told, in words; none where nothing does.
pub(super) fn still_waiting((waiting, dropped): (usize, u64)) -> Option<String> {
    let dropped = (dropped > 0).then(|| format!("{dropped} dropped"));
    let waiting = (waiting > 0).then(|| format!("{} for the next time", several(waiting as u64, "waits", "wait")));
    let parts: Vec<_> = [waiting, dropped].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Sends a test to each receiver, so that nobody waits for a change to see whether alerts arrive.
fn test_alert(workplace: &Workplace) -> Result<ExitCode, Failure> {
    let config = &workplace.config;
    if config.alerts.is_empty() {
        return Err(Failure::usage("there is no [[alert]] in milepost.toml: add one with a `webhook` or a `command`"));
    }
    if let (Some(untrusted), Some(path)) = (config.untrusted, &config.path) {
        return Err(Failure::usage(format!("no alert is sent, for somebody else could have written {}: {untrusted}", path.display())));
    }
    let alert = milepost_judge::alerts::Alert::test(&config.criteria.project, Timestamp::now());
    let mut failed = false;
    for receiver in &config.alerts {
        let to = printable(&receiver.to.to_string());
        match alerts::send(receiver, &alert) {
            Ok(()) => _ = print(&format!("A test went to {to}.\n"))?,
            Err(why) => {
                say(&format!("no alert to {to}: {why}"));
                failed = true;
            }
        }
    }
    Ok(ExitCode::from(if failed { 4 } else { 0 }))
}

fn probed(probe: &Probe, rules: &Rules, desk: &Desk) -> Result<String, Failure> {
    let probed = probe::once(probe, |_, _| {}, rules, &desk.spool, &desk.door)?;
    if let Some(why) = probed.not_started {
        return Ok(format!("failed, {why}"));
    }
    let category = match &probed.event.fact {
        Fact::Operation(operation) => operation.error.as_ref().map(|error| error.category.as_str()),
        _ => None,
    };
    let outcome = match (probed.outcome, category) {
        (Outcome::Failed, Some(category)) => format!("failed ({})", printable(category)),
        (outcome, _) => outcome.to_string(),
    };
    let took = |took: Duration| {
        let unit = if took < Duration::from_secs(10) { Unit::MILLISECOND } else { Unit::SECOND };
        Quantity::new(unit.of_base(took.as_micros() as f64), unit).to_string()
    };
    Ok(probed.duration.map_or(outcome.clone(), |duration| format!("{outcome}, {}", took(duration))))
}

/// Does something that ought to end within a time limit. Where it does not, it is left behind: no thread can be ended.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (done, result) = mpsc::channel();
    // Nobody may be listening any more.
    let work = move || _ = done.send(work());
    thread::Builder::new().spawn(work).map_err(|error| Failure::internal(format!("cannot start a thread: {error}")))?;
    result.recv_timeout(limit).map_err(|error| {
        Failure::internal(match error {
            RecvTimeoutError::Timeout => format!("it hangs, and is left behind after {} s", limit.as_secs()),
            RecvTimeoutError::Disconnected => PANICKED.to_owned(),
        })
    })
}

/// Whether everything that has a tier is met, and what is not.
fn last_line(scorecard: &Scorecard) -> String {
    let with_tier = || scorecard.criteria.iter().filter(|criterion| criterion.tier.is_some());
    let not_met: Vec<_> = with_tier().filter(|c| c.judgement.verdict != Verdict::Met).map(|c| printable(&c.name)).collect();
    let of = with_tier().count();
    if of == 0 {
        return "No criterion has a tier: nothing to meet".to_owned();
    }
    if not_met.is_empty() {
        return "All targets met".to_owned();
    }
    let more = match not_met.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = not_met.get(..NAMED_MAX).unwrap_or(&not_met).join(", ");
    format!("{} of {of} met; not met: {named}{more}", of - not_met.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_or_panics_ends_nothing_else() {
        assert_eq!(within(Duration::from_secs(60), || 5).ok(), Some(5));
        let hangs = within(Duration::from_millis(10), || thread::sleep(Duration::from_secs(60)));
        assert!(hangs.is_err_and(|failure| failure.to_string().contains("it hangs")));
        let panics = within(Duration::from_secs(60), || assert!(std::hint::black_box(false), "as a test wants it"));
        assert!(panics.is_err_and(|failure| failure.to_string().contains("it panicked")));
    }
}
