//! `milepost serve`: the scorecard as it is now, over HTTP, to this machine and to whoever has a token.
//!
//! One thread judges, where somebody watches or asks and something has changed; another calls `milepost track`, where that is wished;
//! and this one hands out what the first has made.

mod taking_in;

use super::{
    Failure, Workplace,
    doctor::several,
    otlp::{self, Bound, Office},
    print, say,
    schedule::next_round,
    scorecard::{beside, configured, judged, shown, wait},
    track::{self, Stop},
    versions,
};
use crate::{
    cli::{self, Format},
    serve::{
        self, Beside, Counted, Guard, Later, Lent, Live, May, OnePage, Port, Protocol, Round, Snapshot, Tagged, Tls, Tokens, Who,
        api::NEWEST_MAX,
    },
};
use jiff::ZonedDateTime;
use milepost_judge::{history::history, plan::plans};
use milepost_record::{SpoolState, Timestamp};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often somebody looks whether something was recorded, while somebody watches.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What was judged longer ago is judged anew: ages rise, and old data become stale.
const JUDGE_AT_LEAST_EVERY: Duration = Duration::from_secs(60);
/// What failed is tried again after this long, whether or not something has changed.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// Between two judgements passes as long as the one before took, within these limits.
const REST_MIN: Duration = Duration::from_millis(250);
const REST_MAX: Duration = Duration::from_secs(1);
/// How soon it is seen that a signal has arrived.
const SIGNAL_SEEN_WITHIN: Duration = Duration::from_millis(100);
/// How often it is written down what came in by OTLP, where something did.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// How often it is said that connections found no place, where some did.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// The usual ports of OTLP.
const OTLP_HTTP_PORT: u16 = 4318;
const OTLP_GRPC_PORT: u16 = 4317;
/// The clock of the wall is looked at this often, as a machine may have slept.
const CLOCK_SEEN_EVERY: Duration = Duration::from_secs(30);

pub(super) fn serve(wishes: &cli::Serve, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let Some(config) = workplace.config.path.clone() else { return Err(Failure::usage("nothing is configured here")) };
    let data = workplace.data()?.to_owned();
    versions::refuse_newer_files(workplace)?;
    let stop = Stop::on_signals().map_err(|error| Failure::internal(format!("cannot catch signals: {error}")))?;
    let stop = Arc::new(stop);
    let (listener, address) = serve::bind(wishes.listen).map_err(|error| {
        Failure::usage(format!("cannot listen on {}: {error}; `--listen 127.0.0.1:0` takes a port that is free", wishes.listen))
    })?;
    let may = May::Read;
    let tokens = Arc::new(Tokens::of(&data, say).map_err(Failure::usage)?);
    let who = Who::on(address, may, wishes.require_token, &tokens)
        .map_err(|why| Failure::usage(format!("{why}; `--listen 127.0.0.1:4270` is for this machine alone")))?;
    let tls = |protocol| {
        let files = wishes.tls_cert.clone().zip(wishes.tls_key.clone());
        let tls = files.map(|(certificates, key)| Tls::of(certificates, key, protocol, say)).transpose();
        tls.map(|tls| tls.map(Arc::new)).map_err(Failure::usage)
    };
    let (over_http1, over_http2) = (tls(Protocol::Http1)?, tls(Protocol::Http2)?);
    let may_send = |address| Who::on(address, May::Write, wishes.require_token, &tokens);
    let otlp_http = otlp::bind(wishes.otlp_http, "--otlp-http", OTLP_HTTP_PORT, may_send)?;
    let otlp_grpc = otlp::bind(wishes.otlp_grpc, "--otlp-grpc", OTLP_GRPC_PORT, may_send)?;
    let office = Arc::new(Office::open(config.clone(), &data)?);
    let bound = [Some(address), otlp_http.as_ref().map(|bound| bound.1), otlp_grpc.as_ref().map(|bound| bound.1)];
    if over_http1.is_none() && bound.into_iter().flatten().any(|address| !address.ip().is_loopback()) {
        say("without --tls-cert and --tls-key, tokens and all that is shown can be read by whoever is on the way");
    }
    let live = Arc::new(Live::new());
    let counted = Arc::new(Counted::new(Arc::clone(&office.desk)));
    let (noting, counts, turned_away) = (Arc::clone(&live), Arc::clone(&office), Arc::clone(&counted));
    let noting = start("otlp", move || keep_noted(&noting, &counts, &turned_away))?;
    let (taking_in, at, of, place) = (Arc::clone(&live), config.clone(), Arc::clone(&office), data.clone());
    let taking_in = start("tables", move || taking_in::keep_small(&taking_in, &at, &of, place))?;
    let (judging, at) = (Arc::clone(&live), config.clone());
    start("judge", move || keep_judged(&judging, &at, data))?;
    let tracking = wishes.track.then(|| {
        let (live, stop) = (Arc::clone(&live), Arc::clone(&stop));
        start("track", move || keep_tracking(&live, &config, &stop))
    });
    let tracking = tracking.transpose()?;
    let scheme = if over_http1.is_some() { "https" } else { "http" };
    let at = |bound: &Bound| bound.as_ref().map(|(_, address, _)| format!("{scheme}://{address}"));
    let addresses = json!({
        "dashboard": format!("{scheme}://{address}/"),
        "api": format!("{scheme}://{address}/api/v1/"),
        "otlp_http": at(&otlp_http),
        "otlp_grpc": at(&otlp_grpc),
    });
    print(&format!("{addresses}\n"))?;
    let ended = Arc::clone(&live);
    let until_stopped = async move {
        while stop.signal().is_none() {
            tokio::time::sleep(SIGNAL_SEEN_WITHIN).await;
        }
        ended.end();
    };
    let port = |(listener, address, who), may, router, protocol| {
        let tls = if protocol == Protocol::Http1 { over_http1.clone() } else { over_http2.clone() };
        Port { listener, router: Guard::new(may, address, who).counting(&counted).before(router), protocol, tls }
    };
    let (http, grpc) = serve::otlp::routers(Arc::clone(&office.desk));
    let mut ports = vec![port((listener, address, who), may, serve::router(Arc::clone(&live), Arc::clone(&counted)), Protocol::Http1)];
    ports.extend(otlp_http.map(|bound| port(bound, May::Write, http, Protocol::Http1)));
    ports.extend(otlp_grpc.map(|bound| port(bound, May::Write, grpc, Protocol::Http2)));
    let served = serve::serve(ports, &counted, until_stopped);
    live.end();
    // What they panicked with is said already. What is being taken in would be taken in anew.
    let _ = noting.join();
    let _ = taking_in.join();
    if let Err(failure) = office.note() {
        say(&failure.to_string());
    }
    if let Some(tracking) = tracking {
        if !tracking.is_finished() {
            say("waits until what track has begun is done");
        }
        // What it panicked with is said already.
        let _ = tracking.join();
    }
    served.map_err(|error| Failure::internal(format!("cannot serve: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Failure::internal(format!("cannot start a thread: {error}")))
}

/// Writes down what came in by OTLP, every now and then and at the end, and says how many were turned away.
fn keep_noted(live: &Live, office: &Office, counted: &Counted) {
    let (mut last, mut said) = (None, (0, None::<Instant>));
    loop {
        let goes_on = live.pause(NOTE_EVERY);
        let fault = office.note().err().map(|failure| failure.to_string());
        if let Some(why) = fault.as_ref().filter(|why| last.as_ref() != Some(*why)) {
            say(why);
        }
        last = fault;
        let refused = counted.connections();
        if refused > said.0 && said.1.is_none_or(|at| at.elapsed() >= TELL_EVERY || !goes_on) {
            say(&format!("{} closed, as there was no place for more", several(refused - said.0, "connection was", "connections were")));
            said = (refused, Some(Instant::now()));
        }
        if !goes_on {
            return;
        }
    }
}

/// Does something whose failure or panic is told and ends nothing else.
fn attempt<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|failure| failure.to_string()),
        Err(_) => Err(track::PANICKED.to_owned()),
    }
}

/// What a scorecard is made of, as it looks from outside.
#[derive(PartialEq, Eq)]
struct Ground {
    /// The configuration: its number, its length, and when it was written last.
    config: Option<(u64, u64, i64, i64)>,
    data: PathBuf,
    spool: Result<SpoolState, String>,
}

impl Ground {
    fn of(config: &Path, data: &Path) -> Self {
        let config = fs::metadata(config).ok().map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        Self { config, data: data.to_owned(), spool: SpoolState::of(data).map_err(|error| error.to_string()) }
    }
}

/// A judgement that was tried.
struct Tried {
    on: Ground,
    ended: Instant,
    took: Duration,
    /// How it looked at its end, where something had changed meanwhile.
    overtaken: Option<Ground>,
    fault: Option<String>,
}

impl Tried {
    fn holds(&self, ground: &Ground) -> bool {
        let for_so_long = if self.fault.is_some() { TRY_AGAIN_EVERY } else { JUDGE_AT_LEAST_EVERY };
        self.on == *ground && self.ended.elapsed() < for_so_long
    }
}

/// Judges whenever somebody wants to know and something has changed, until the end.
fn keep_judged(live: &Live, config: &Path, mut data: PathBuf) {
    let mut looked = 0;
    let mut last: Option<Tried> = None;
    while let Some(ticket) = live.next(looked, LOOK_EVERY) {
        let mut ground = Ground::of(config, &data);
        if last.as_ref().is_some_and(|last| last.holds(&ground)) {
            live.behind(false);
        } else {
            if let Some(last) = &last {
                let is_soon = last.ended.elapsed() < REST_MAX;
                if !live.pause(last.took.clamp(REST_MIN, REST_MAX).saturating_sub(last.ended.elapsed())) {
                    return;
                }
                ground = Ground::of(config, &data);
                let is_behind = is_soon && last.overtaken.as_ref().is_some_and(|then| *then != ground);
                live.behind(is_behind);
                if is_behind {
                    live.looked(ticket);
                }
            }
            let began = Instant::now();
            let fault = match attempt(|| snapshot(config)) {
                Ok((snapshot, at)) => {
                    // The configuration may say now that the data are elsewhere.
                    if at != data {
                        ground = Ground { data: at.clone(), spool: Ok(SpoolState::default()), ..ground };
                        data = at;
                    }
                    live.show(snapshot);
                    None
                }
                Err(why) => {
                    if last.as_ref().and_then(|last| last.fault.as_ref()) != Some(&why) {
                        say(&why);
                    }
                    live.fail(why.clone(), Timestamp::now());
                    Some(why)
                }
            };
            let overtaken = Some(Ground::of(config, &data)).filter(|then| fault.is_none() && *then != ground);
            last = Some(Tried { on: ground, ended: Instant::now(), took: began.elapsed(), overtaken, fault });
        }
        looked = ticket;
        live.looked(ticket);
    }
}

/// Judges, and prepares what may be asked about it, which is made once somebody asks; with where the data are.
fn snapshot(config: &Path) -> Result<(Snapshot, PathBuf), Failure> {
    let begun = Instant::now();
    let workplace = Workplace::find(Some(config))?;
    let data = workplace.data()?.to_owned();
    let judged = Arc::new(judged(&workplace)?);
    let config = Arc::new(workplace.config);
    let evidence = (0..judged.questions.len()).map(|place| {
        let judged = Arc::clone(&judged);
        later(move || {
            wait(async {
                let mut newest = Vec::new();
                for question in judged.questions.get(place).into_iter().flatten() {
                    newest.push(judged.store.newest(question, NEWEST_MAX).await?);
                }
                Ok(newest)
            })
        })
    });
    let (of, recorded) = (Arc::clone(&config), Arc::clone(&judged));
    let told = move || wait(async { Ok(history(&of.criteria, &recorded.store.recorded().await?)) });
    let of = Arc::clone(&config);
    let planned = move || plans(&of.criteria.criteria, &[]).map_err(|error| Failure::internal(error.to_string()));
    let rests_on = Arc::clone(&judged);
    let all = move || {
        let (details, panels) = beside(&rests_on, &config)?;
        Ok(Beside { details, panels, as_of: rests_on.scorecard.generated_at })
    };
    let snapshot = Snapshot {
        begun,
        changed: judged.scorecard.generated_at,
        json: Tagged::new(shown(&judged.scorecard, Format::Json)?),
        sql: judged.answers.iter().map(|of_goals| of_goals.iter().map(|answer| answer.sql.clone()).collect()).collect(),
        plans: later(planned),
        beside: Arc::new(later(all)),
        lent: Lent::default(),
        page: OnePage::default(),
        evidence: evidence.collect(),
        history: later(told),
        scorecard: judged.scorecard.clone(),
    };
    Ok((snapshot, data))
}

fn later<T: Send + Sync + 'static>(make: impl Fn() -> Result<T, Failure> + Send + Sync + 'static) -> Later<T> {
    Later::new(move || make().map_err(|failure| failure.to_string()))
}

/// Calls `milepost track` now, as what is not due does not run, and then every hour, until the end.
fn keep_tracking(live: &Live, config: &Path, stop: &Stop) {
    let wishes = cli::Track { output: None, all: false, test_alert: false };
    loop {
        let began = Timestamp::now();
        let (went_well, said) = match attempt(|| track::once(&wishes, &Workplace::find(Some(config))?, stop)) {
            Ok(Some(done)) => (done.exit_code == 0, done.last),
            Ok(None) => (true, "another `milepost track` was at work, so this one did nothing".to_owned()),
            Err(why) => (false, why),
        };
        say(&format!("track: {said}"));
        live.tracked(Round { began, went_well, said });
        let Some(next) = next_round(config, &ZonedDateTime::now()) else { return };
        loop {
            let left = Timestamp::from_jiff(next.timestamp()).since(Timestamp::now());
            if left.is_zero() {
                break;
            }
            if !live.pause(left.min(CLOCK_SEEN_EVERY)) {
                return;
            }
        }
    }
}
