//! Who is told when a verdict changes, and what waits to be told: `alerts.json` in the data folder.
//!
//! What is to be sent is decided by `milepost_judge::alerts`. It is written down before it is sent, with what was seen, and taken out
//! once it was delivered: nothing is lost by a crash at any moment, and one between sending and taking out repeats one alert, under
//! the id that it had. To each receiver alerts go in their order; the first that fails ends the round for it, and the next call
//! of `milepost track` tries again.

use super::{
    super::{Failure, printable, scorecard::wait},
    kept::Place,
};
use crate::{
    config::{Address, AlertFormat, Receiver, To},
    render::alert as shown,
    wrap::{self, Outcome, RunError},
};
use milepost_judge::{
    Criteria, Scorecard,
    alerts::{Alert, Watch},
};
use reqwest::{Client, header::CONTENT_TYPE, redirect::Policy};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt,
    io::{Write, pipe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const VERSION: u64 = 1;
/// The file, and the version that is written.
pub(super) const FORMAT: (&str, u64) = ("alerts.json", VERSION);
/// So many alerts wait at most; beyond that the oldest goes.
const WAITING_MAX: usize = 1000;
/// In one round, no alert is begun to be sent to a receiver later than this.
const ROUND_MAX: Duration = Duration::from_secs(30);

/// What was seen and told, and what waits.
pub(in super::super) struct Alerts {
    place: Place,
    content: Content,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    version: u64,
    seen: Watch,
    /// The names of those who were told at the last round.
    receivers: Vec<String>,
    /// What waits, in the order of time.
    waiting: Vec<Waiting>,
    /// How many had to make room for newer ones since something waits.
    dropped: u64,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    to: String,
    alert: Alert,
}

/// What one round sent, and what stood against the rest.
#[derive(Default)]
pub(super) struct Delivery {
    pub(super) sent: Vec<String>,
    pub(super) failures: Vec<String>,
}

impl Alerts {
    /// Reads what is remembered.
    ///
    /// # Errors
    /// Where it cannot be read, or a newer Milepost wrote it.
    pub(in super::super) fn open(place: Place) -> Result<Self, Failure> {
        let content = place.read(FORMAT.0, VERSION, "what is there now counts as told, and what waited to be told is not")?;
        Ok(Self { place, content: content.unwrap_or_default() })
    }

    /// How many alerts wait, and how many were dropped since they do.
    pub(in super::super) fn waiting(&self) -> (usize, u64) {
        (self.content.waiting.len(), self.content.dropped)
    }

    /// Takes in what a round saw, and writes down what is to be sent. Nothing is sent of criteria that are there no more.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub(super) fn take(&mut self, criteria: &Criteria, scorecard: Option<&Scorecard>, receivers: &[Receiver]) -> Result<(), Failure> {
        let content = &mut self.content;
        let names = names(receivers);
        let is_there = |alert: &Alert| criteria.criteria.iter().any(|criterion| Some(&criterion.name) == alert.criterion.as_ref());
        content.waiting.retain(|waiting| is_there(&waiting.alert));
        // Who has another name now, as after a mistake in it was mended, is told what waited under the old one.
        let new: Vec<_> = names.iter().filter(|name| !content.receivers.contains(name)).collect();
        for waiting in content.waiting.iter_mut().filter(|waiting| !names.contains(&waiting.to)) {
            if let Some(name) = new.first() {
                waiting.to.clone_from(name);
            }
        }
        content.waiting.retain(|waiting| names.contains(&waiting.to));
        if content.waiting.is_empty() {
            content.dropped = 0;
        }
        let alerts = scorecard.map(|scorecard| content.seen.see(criteria, scorecard)).unwrap_or_default();
        for alert in alerts {
            let told = receivers.iter().zip(&names).filter(|(receiver, _)| is_told(receiver, &alert));
            content.waiting.extend(told.map(|(_, name)| Waiting { to: name.clone(), alert: alert.clone() }));
        }
        let beyond = content.waiting.len().saturating_sub(WAITING_MAX);
        content.waiting.drain(..beyond);
        content.dropped += beyond as u64;
        content.receivers = names;
        self.write()
    }

    /// Sends what waits, and takes out what was delivered.
    ///
    /// # Errors
    /// Where it cannot be written down that something was delivered. Nothing else is sent then, as it would be sent again.
    pub(super) fn deliver(&mut self, receivers: &[Receiver], stopped: impl Fn() -> bool) -> Result<Delivery, Failure> {
        let mut delivery = Delivery::default();
        for (receiver, name) in receivers.iter().zip(names(receivers)) {
            let began = Instant::now();
            while let Some(index) = self.content.waiting.iter().position(|waiting| waiting.to == name) {
                if stopped() || began.elapsed() > ROUND_MAX {
                    break;
                }
                let alert = &self.content.waiting[index].alert;
                if let Err(why) = send(receiver, alert) {
                    delivery.failures.push(format!("{}: {why}", printable(&receiver.to.to_string())));
                    break;
                }
                delivery.sent.push(format!("{} (to {})", printable(&shown::line(alert)), printable(&receiver.to.to_string())));
                self.content.waiting.remove(index);
                if self.content.waiting.is_empty() {
                    self.content.dropped = 0;
                }
                self.write()?;
            }
        }
        Ok(delivery)
    }

    fn write(&mut self) -> Result<(), Failure> {
        self.content.version = VERSION;
        self.place.write(FORMAT.0, &self.content)
    }
}

fn is_told(receiver: &Receiver, alert: &Alert) -> bool {
    receiver.only.is_empty() || alert.tier.is_some_and(|tier| receiver.only.contains(&tier))
}

/// The names of receivers in the file: what of them can be shown, and a number, since several may look the same. So no secret is in
/// it, and whose secret is another one keeps what waits.
fn names(receivers: &[Receiver]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let name = |receiver: &Receiver| {
        let shown = receiver.to.to_string();
        let number = seen.entry(shown.clone()).or_default();
        *number += 1;
        format!("{shown} {number}")
    };
    receivers.iter().map(name).collect()
}

/// Sends one alert, and says in one line why it could not.
pub(super) fn send(receiver: &Receiver, alert: &Alert) -> Result<(), String> {
    let body = |format| {
        let body = match format {
            AlertFormat::Json => shown::json(alert),
            AlertFormat::Slack => shown::slack(alert),
        };
        body.map_err(|error| error.to_string())
    };
    match &receiver.to {
        To::Webhook { address, format } => post(address, body(*format)?, receiver.timeout),
        To::WebhookIn { variable, format } => {
            let text = env::var(variable).map_err(|_| "the variable is not set here".to_owned())?;
            let address = Address::new(&text).ok_or("the variable holds no URL of http or https")?;
            post(&address, body(*format)?, receiver.timeout)
        }
        To::Command(command) => run(command, body(AlertFormat::Json)?, receiver.timeout),
    }
}

/// Only that it was taken is asked for: the answer's body is not read. It goes where the configuration says and nowhere else, neither
/// by redirects nor by proxies of the environment.
fn post(address: &Address, body: String, timeout: Duration) -> Result<(), String> {
    let asked = async {
        let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(timeout);
        let client = client.user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION"))).build()?;
        client.post(address.url().clone()).header(CONTENT_TYPE, "application/json").body(body).send().await
    };
    let answer = wait(async { Ok(asked.await) }).map_err(|failure| failure.to_string())?;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) if answer.status().is_redirection() => Err(format!("it answers {}, and redirects are not followed", answer.status())),
        Ok(answer) => Err(format!("it answers {}", answer.status())),
        Err(error) if error.is_timeout() => Err(format!("it does not answer within {} ms", timeout.as_millis())),
        // The words of the error itself hold the URL, and those of its causes do not.
        Err(error) => Err(format!("it cannot be reached: {}", cause(&error.without_url()))),
    }
}

/// The cause that is the cause of all others.
fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    printable(&cause.to_string())
}

fn run(command: &[String], body: String, timeout: Duration) -> Result<(), String> {
    let internal = |error: &dyn fmt::Display| format!("it cannot be run: {error}");
    let (program, args) = command.split_first().ok_or("a command without a program")?;
    let (reader, mut writer) = pipe().map_err(|error| internal(&error))?;
    // Whoever does not read it leaves it, and has been told all the same.
    let write = move || _ = writer.write_all(body.as_bytes());
    thread::Builder::new().spawn(write).map_err(|error| internal(&error))?;
    let command = wrap::Command {
        args: args.iter().map(Into::into).collect(),
        timeout: Some(timeout),
        stdin: Some(Arc::new(reader.into())),
        apart: true,
        ..wrap::Command::new(program)
    };
    match wrap::run(&command) {
        Ok(observed) => match observed.outcome {
            Outcome::Ok => Ok(()),
            Outcome::Timeout => Err(format!("it took longer than {} ms and was ended", timeout.as_millis())),
            Outcome::Cancelled => Err("it was told to end".to_owned()),
            Outcome::Failed => Err(format!("it failed (exit code {})", observed.status)),
        },
        Err(error @ RunError::Start { .. }) => Err(printable(&error.to_string())),
        Err(error) => Err(internal(&error)),
    }
}
