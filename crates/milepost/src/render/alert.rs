//! An alert as those see it who are told: one sentence, JSON, or the shape that Slack takes.

use super::{
    chart::{amount, sign},
    words::{NAME_CHARS_MAX, count, day, moment, plain, probable},
};
use milepost_judge::alerts::{Alert, Kind};
use serde::Serialize;

/// In one line.
#[must_use]
pub fn line(alert: &Alert) -> String {
    sentence(alert, &plain(alert.criterion.as_deref().unwrap_or_default(), NAME_CHARS_MAX))
}

/// As JSON.
///
/// # Errors
/// Where it cannot be written, which does not happen to words and numbers.
pub fn json(alert: &Alert) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(alert)? + "\n")
}

/// As a message of Slack.
///
/// # Errors
/// Where it cannot be written, which does not happen to texts.
pub fn slack(alert: &Alert) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Message {
        text: String,
    }
    let project = escaped(&plain(&alert.project, NAME_CHARS_MAX));
    serde_json::to_string(&Message { text: format!("{project}: {}", escaped(&line(alert))) })
}

/// What Slack takes for its own signs, so that no name becomes a link or calls everybody.
/// <https://docs.slack.dev/messaging/formatting-message-text>
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn sentence(alert: &Alert, name: &str) -> String {
    let name = alert.tier.map_or_else(|| name.to_owned(), |tier| format!("{name} ({})", tier.name()));
    let seen = || {
        let estimate = alert.estimate.map(|estimate| amount(estimate, &alert.unit));
        let target = alert.target.as_ref().map(|target| format!("wanted {}", sign(target)));
        let facts: Vec<_> = [estimate, target, Some(format!("n {}", count(alert.n)))].into_iter().flatten().collect();
        facts.join(", ")
    };
    match alert.kind {
        Kind::Missed => format!("{name} is missed: {}", seen()),
        Kind::Met => format!("{name} is met{}: {}", if alert.clears.is_some() { " again" } else { "" }, seen()),
        Kind::NotProven => {
            let fell = alert.fell_back.map(|date| format!(", it fell back on {}", day(date))).unwrap_or_default();
            format!("{name} was met and is not proven any more{fell}: {}", seen())
        }
        Kind::DataStopped => {
            let newest = alert.newest_event.map_or_else(|| "there are none".to_owned(), |at| format!("the newest are of {}", moment(at)));
            format!("{name} gets no data any more: {newest}")
        }
        Kind::DataAgain => format!("{name} gets data again: {}", seen()),
        Kind::Changed => {
            let of = alert.of.as_ref().map(|of| format!(", {}", plain(of, NAME_CHARS_MAX))).unwrap_or_default();
            let change = alert.change.map(|change| probable(&change, &alert.unit)).unwrap_or_default();
            format!("{name}{of} probably changed: {change}")
        }
        Kind::Test => "this is a test: alerts of Milepost arrive here".to_owned(),
    }
}
