//! Alerts: what somebody has to hear of, and when. Pure: what was seen before, and the scorecard of this run of `milepost track`,
//! give what to remember and what to send.
//!
//! Of each criterion three things are watched, each for itself, and no criterion has to do with another:
//!
//! | watched | tells | by |
//! |---|---|---|
//! | what is proven | `missed`, `met`, `not_proven` | the verdict, where it is one of these three |
//! | whether data come | `data_stopped`, `data_again` | `stale`, or `no_data` where the epoch is older than data may be |
//! | its level | `changed` | the newest probable change |
//!
//! - **A change is told at the second run in a row that shows it**, and then never again until it has changed once more. What was
//!   there when a criterion was first seen is no change.
//! - **Only proof clears.** `met` clears `missed` and `not_proven`; that data vanish, or that evidence begins anew, clears nothing.
//!   `data_again` clears `data_stopped`. What clears carries the id of what it clears.
//! - **`not_proven` is told of what was met**, where it fell back by the detector, or is not proven any more in the same epoch. Where
//!   evidence begins anew (a quarter, a release, another definition, an exclusion), that nothing is proven yet is no news.
//! - **A level that changes** is a hint that nothing clears. A change within [`SAME_CHANGE_DAYS`] of the newest that was told is that
//!   one: its day moves as data come in.
//! - **A criterion that is not there any more is forgotten at once**, without a word. Under another name it is another criterion.

use crate::{
    Criteria, Scorecard, Tier, Verdict,
    scorecard::{CriterionResult, GroupResult, Judgement, ProbableChange, Target},
};
use jiff::civil::Date;
use milepost_record::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// The version of an alert's JSON.
pub const ALERT_VERSION: u32 = 1;
/// Probable changes that lie so many days apart or fewer are one.
pub const SAME_CHANGE_DAYS: i32 = 7;

/// Something that somebody has to hear of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Version of this format.
    pub version: u32,
    /// The same whenever this alert is sent, and no other's.
    pub id: String,
    /// The run that found it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Name of the project.
    pub project: String,
    /// What happened.
    pub kind: Kind,
    /// Name of the criterion; null in a test.
    pub criterion: Option<String>,
    /// Its tier; null where no tier counts it.
    pub tier: Option<Tier>,
    /// Its verdict at that run; null in a test.
    #[schemars(with = "Option<String>", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale", null]))]
    pub verdict: Option<Verdict>,
    /// The id of the alert that is over with this one; null where none is.
    pub clears: Option<String>,
    /// The last day on which it fell back after it was met; null where it did not.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub fell_back: Option<Date>,
    /// The probable change that is told; null in alerts of other kinds.
    pub change: Option<ProbableChange>,
    /// What changed, where it is one part or group of the criterion: its metric or its value of the dimension.
    pub of: Option<String>,
    /// What has to hold; null where that differs by group or part.
    pub target: Option<Target>,
    /// What was observed; null where there is nothing, or no finite value.
    pub estimate: Option<f64>,
    /// Unit of estimate and change; empty for plain numbers.
    pub unit: String,
    /// How many events the verdict rests on.
    pub n: u64,
    /// The newest event.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub newest_event: Option<Timestamp>,
}

/// What an alert tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The criterion is proven to be missed.
    Missed,
    /// It was met, and is not proven any more.
    NotProven,
    /// It is met.
    Met,
    /// Data stopped coming.
    DataStopped,
    /// Data come again.
    DataAgain,
    /// The level of its metric probably changed.
    Changed,
    /// Somebody tries whether alerts arrive.
    Test,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::NotProven => "not_proven",
            Self::Met => "met",
            Self::DataStopped => "data_stopped",
            Self::DataAgain => "data_again",
            Self::Changed => "changed",
            Self::Test => "test",
        }
    }
}

impl Alert {
    /// An alert that tells of nothing but that alerts arrive.
    #[must_use]
    pub fn test(project: &str, at: Timestamp) -> Self {
        Self {
            version: ALERT_VERSION,
            id: id(project, None, Kind::Test, at),
            at,
            project: project.to_owned(),
            kind: Kind::Test,
            criterion: None,
            tier: None,
            verdict: None,
            clears: None,
            fell_back: None,
            change: None,
            of: None,
            target: None,
            estimate: None,
            unit: String::new(),
            n: 0,
            newest_event: None,
        }
    }
}

/// What was seen and told so far. Its JSON is for whoever keeps it between two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watch {
    criteria: BTreeMap<String, Watched>,
}

impl Watch {
    /// Takes the scorecard of one run in, and returns what is to be sent, in the order of the criteria.
    #[must_use]
    pub fn see(&mut self, criteria: &Criteria, scorecard: &Scorecard) -> Vec<Alert> {
        let mut before = std::mem::take(&mut self.criteria);
        let mut alerts = Vec::new();
        for result in &scorecard.criteria {
            let max_age = criteria.criteria.iter().find(|criterion| criterion.name == result.name).map(|criterion| criterion.max_age);
            let seen = Seen::of(result, max_age, scorecard.generated_at);
            let watched = match before.remove(&result.name) {
                Some(mut watched) => {
                    alerts.extend(watched.see(&seen).into_iter().map(|told| alert(scorecard, result, &told)));
                    watched
                }
                None => Watched::begin(&seen),
            };
            self.criteria.insert(result.name.clone(), watched);
        }
        for alert in &alerts {
            if let Some(watched) = alert.criterion.as_ref().and_then(|name| self.criteria.get_mut(name)) {
                watched.note(alert);
            }
        }
        alerts
    }
}

/// What is known to somebody who was told everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Nothing was proven since it is watched.
    Open,
    Met,
    Missed,
    /// It was met, and is not proven any more.
    Lapsed,
}

/// What was told, and what one run has shown since.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Settled<T> {
    told: T,
    once: Option<T>,
}

impl<T: Copy + PartialEq> Settled<T> {
    const fn on(told: T) -> Self {
        Self { told, once: None }
    }

    /// Takes in what a run shows, `None` where it shows nothing; tells whether that is new and has lasted two runs.
    fn see(&mut self, seen: Option<T>) -> bool {
        let seen = seen.filter(|seen| *seen != self.told);
        let lasted = seen.is_some() && self.once == seen;
        if let (true, Some(seen)) = (lasted, seen) {
            *self = Self::on(seen);
        } else {
            self.once = seen;
        }
        lasted
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    standing: Settled<Standing>,
    /// When it was met last: since when events counted, and when it had fallen back before.
    met_since: Option<Timestamp>,
    met_after: Option<Date>,
    /// The alert that `met` will clear.
    trouble: Option<String>,
    had_data: bool,
    /// Whether data stopped coming.
    silent: Settled<bool>,
    silence: Option<String>,
    /// The day of the newest probable change that was told or there from the first, and the day that one run has shown since.
    change: Option<Date>,
    change_once: Option<Date>,
}

/// What one run shows of a criterion.
struct Seen {
    verdict: Verdict,
    since: Timestamp,
    fell_back: Option<Date>,
    has_data: bool,
    /// Whether it has no data although its epoch is older than data may be, or data that are too old.
    lacks_data: bool,
    change: Option<Date>,
}

impl Seen {
    fn of(result: &CriterionResult, max_age: Option<Duration>, now: Timestamp) -> Self {
        let verdict = result.judgement.verdict;
        let is_due = max_age.is_some_and(|max_age| now.since(result.since.from) > max_age);
        Self {
            verdict,
            since: result.since.from,
            fell_back: fell_back(result),
            has_data: !matches!(verdict, Verdict::NoData | Verdict::Stale),
            lacks_data: verdict == Verdict::Stale || verdict == Verdict::NoData && is_due,
            change: newest_change(result).map(|(_, _, change)| change.from),
        }
    }
}

impl Watched {
    /// What is there from the first is known, and no change.
    fn begin(seen: &Seen) -> Self {
        let standing = match seen.verdict {
            Verdict::Met => Standing::Met,
            Verdict::Missed => Standing::Missed,
            Verdict::NotProven | Verdict::NoData | Verdict::Stale => Standing::Open,
        };
        let is_met = seen.verdict == Verdict::Met;
        Self {
            standing: Settled::on(standing),
            met_since: is_met.then_some(seen.since),
            met_after: seen.fell_back.filter(|_| is_met),
            trouble: None,
            had_data: seen.verdict != Verdict::NoData,
            silent: Settled::on(seen.lacks_data),
            silence: None,
            change: seen.change,
            change_once: None,
        }
    }

    fn see(&mut self, seen: &Seen) -> Vec<Told> {
        let mut told = Vec::new();
        if self.standing.see(self.shows(seen)) {
            match self.standing.told {
                Standing::Met => told.push(Told { kind: Kind::Met, clears: self.trouble.take() }),
                Standing::Missed => told.push(Told::new(Kind::Missed)),
                Standing::Lapsed => told.push(Told::new(Kind::NotProven)),
                Standing::Open => {}
            }
        }
        if seen.verdict == Verdict::Met {
            (self.met_since, self.met_after) = (Some(seen.since), seen.fell_back);
        }
        let silent = match (seen.has_data, seen.lacks_data && self.had_data) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        if self.silent.see(silent) {
            if self.silent.told {
                told.push(Told::new(Kind::DataStopped));
            } else if let Some(silence) = self.silence.take() {
                told.push(Told { kind: Kind::DataAgain, clears: Some(silence) });
            }
        }
        self.had_data |= seen.verdict != Verdict::NoData;
        if self.sees_change(seen.change) {
            told.push(Told::new(Kind::Changed));
        }
        told
    }

    /// What a verdict says of what is proven; `None` where it says nothing.
    fn shows(&self, seen: &Seen) -> Option<Standing> {
        match seen.verdict {
            Verdict::Met => Some(Standing::Met),
            Verdict::Missed => Some(Standing::Missed),
            Verdict::NotProven => {
                let fell_back = seen.fell_back > self.met_after;
                let same_epoch = self.met_since == Some(seen.since);
                (self.standing.told == Standing::Met && (fell_back || same_epoch)).then_some(Standing::Lapsed)
            }
            Verdict::NoData | Verdict::Stale => None,
        }
    }

    fn sees_change(&mut self, day: Option<Date>) -> bool {
        let apart = |one: Date, other: Date| (one - other).get_days();
        let new = day.filter(|day| self.change.is_none_or(|told| apart(*day, told) > SAME_CHANGE_DAYS));
        let lasted = new.zip(self.change_once).is_some_and(|(new, once)| apart(new, once).abs() <= SAME_CHANGE_DAYS);
        if lasted {
            (self.change, self.change_once) = (new, None);
        } else {
            self.change_once = new;
        }
        lasted
    }

    /// Remembers the id of what is to be cleared later. The newest of several: whoever heard of a miss after a lapse knows both.
    fn note(&mut self, alert: &Alert) {
        match alert.kind {
            Kind::Missed | Kind::NotProven => self.trouble = Some(alert.id.clone()),
            Kind::DataStopped => self.silence = Some(alert.id.clone()),
            Kind::Met | Kind::DataAgain | Kind::Changed | Kind::Test => {}
        }
    }
}

struct Told {
    kind: Kind,
    clears: Option<String>,
}

impl Told {
    const fn new(kind: Kind) -> Self {
        Self { kind, clears: None }
    }
}

fn alert(scorecard: &Scorecard, result: &CriterionResult, told: &Told) -> Alert {
    let judgement = &result.judgement;
    let change = newest_change(result).filter(|_| told.kind == Kind::Changed);
    let unit = change.as_ref().map_or(&judgement.unit, |(_, judgement, _)| &judgement.unit);
    Alert {
        version: ALERT_VERSION,
        id: id(&scorecard.project, Some(&result.name), told.kind, scorecard.generated_at),
        at: scorecard.generated_at,
        project: scorecard.project.clone(),
        kind: told.kind,
        criterion: Some(result.name.clone()),
        tier: result.tier,
        verdict: Some(judgement.verdict),
        clears: told.clears.clone(),
        fell_back: fell_back(result),
        change: change.as_ref().map(|(_, _, change)| **change),
        of: change.as_ref().and_then(|(of, ..)| of.clone()),
        target: judgement.target.clone(),
        estimate: judgement.estimate,
        unit: unit.clone(),
        n: judgement.n,
        newest_event: judgement.newest_event,
    }
}

/// Sixteen hexadecimal digits of a digest of what tells one alert from all others.
fn id(project: &str, criterion: Option<&str>, kind: Kind, at: Timestamp) -> String {
    let mut digest = Sha256::new();
    for part in [project, criterion.unwrap_or_default(), kind.name(), &at.to_string()] {
        // With its length, so that no two lists of parts are one text.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(8).fold(String::new(), |mut id, byte| {
        // Writing to a text does not fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// The judgement of a criterion, and those that it is made of: each part, and each group that counts.
fn judgements(result: &CriterionResult) -> impl Iterator<Item = (Option<String>, &Judgement)> {
    let group = |group: &GroupResult| {
        let names: Vec<_> = group.group.values().map(|value| value.as_deref().unwrap_or("none")).collect();
        names.join(", ")
    };
    let own = std::iter::once((None, &result.judgement));
    let of_groups = result.groups.iter().filter(|g| g.judged).map(move |g| (Some(group(g)), &g.judgement));
    let of_parts = result.parts.iter().map(|part| (part.judgement.metric.clone(), &part.judgement));
    let of_groups_of_parts =
        result.parts.iter().flat_map(|part| &part.groups).filter(|g| g.judged).map(move |g| (Some(group(g)), &g.judgement));
    own.chain(of_parts).chain(of_groups).chain(of_groups_of_parts)
}

fn fell_back(result: &CriterionResult) -> Option<Date> {
    judgements(result).filter_map(|(_, judgement)| judgement.fell_back).max()
}

/// The newest probable change, with what it is of; of several on one day the first, in the order of the scorecard.
fn newest_change(result: &CriterionResult) -> Option<(Option<String>, &Judgement, &ProbableChange)> {
    let all = judgements(result).flat_map(|(of, judgement)| judgement.changes.iter().map(move |change| (of.clone(), judgement, change)));
    all.reduce(|newest, other| if other.2.from > newest.2.from { other } else { newest })
}
