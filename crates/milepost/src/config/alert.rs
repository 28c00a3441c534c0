//! Who is told when a verdict changes.

use super::{
    ALERTS_MAX,
    file::{Alert, At},
    meaning::{Durations, Reader},
    wrong::Wrong,
};
use milepost_judge::{Tier, Unit};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, ops::Range, time::Duration};
use url::Url;

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// How.
    pub to: To,
    /// The tiers whose criteria it is told of; all criteria where there is none.
    pub only: Vec<Tier>,
    /// How long one alert may take.
    pub timeout: Duration,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// By a request to a URL.
    Webhook {
        /// The URL.
        address: Address,
        /// What is posted.
        format: AlertFormat,
    },
    /// By a request to a URL that an environment variable holds.
    WebhookIn {
        /// The variable.
        variable: String,
        /// What is posted.
        format: AlertFormat,
    },
    /// By a program that reads the alert: it and its arguments, at least the program.
    Command(Vec<String>),
}

/// What is posted to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFormat {
    /// The alert as JSON.
    Json,
    /// One sentence in the shape that Slack takes.
    Slack,
}

/// `Display` is what can be shown: a program, a variable, or a URL without what could be a secret.
impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook { address, .. } => address.fmt(f),
            Self::WebhookIn { variable, .. } => write!(f, "${variable}"),
            Self::Command(command) => f.write_str(command.first().map_or("", String::as_str)),
        }
    }
}

/// The URL of a webhook. Whoever knows all of it can post there, so only where it leads is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// A URL of http or https with a host, or nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }

    /// All of it, secrets included.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT: Durations = Durations {
    key: "timeout",
    units: &[Unit::MILLISECOND, Unit::SECOND],
    range_us: 1e5..=30e6,
    range: "a time from 100ms to 30s, in ms or s",
    example: "timeout = \"10s\"",
};

impl Reader<'_> {
    pub(super) fn alerts(&mut self, alerts: &[At<Alert>]) -> Vec<Receiver> {
        if !self.few_enough("alerts", alerts, ALERTS_MAX) {
            return Vec::new();
        }
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        let mut receivers = Vec::new();
        for alert in alerts {
            let Some((receiver, span, whole)) = self.alert(alert) else { continue };
            match seen.get(&whole) {
                // What is told twice would be heard twice.
                Some(first) => self.twice("the alert to", &receiver.to.to_string(), first.clone(), span),
                None => _ = seen.insert(whole, span),
            }
            receivers.push(receiver);
        }
        receivers
    }

    /// The receiver, where it is named, and its whole name, which no other has.
    fn alert(&mut self, At { value: alert, span }: &At<Alert>) -> Option<(Receiver, Range<usize>, String)> {
        let timeout = self.duration_or(alert.timeout.as_ref(), &TIMEOUT, TIMEOUT_DEFAULT);
        let only = alert.only.as_ref().map(|at| self.members("only", at).map(|tiers| tiers.iter().map(|tier| tier.value).collect()));
        let format = alert.format.as_ref().map_or(AlertFormat::Json, |at| at.value);
        let (to, at, whole) = match (&alert.webhook, &alert.webhook_env, &alert.command) {
            (Some(at), None, None) => {
                let Some(address) = Address::new(&at.value) else {
                    self.fault(at.span.clone(), Wrong::NotAWebhook);
                    return None;
                };
                let whole = format!("webhook {}", address.url());
                (To::Webhook { address, format }, at.span.clone(), whole)
            }
            (None, Some(at), None) => {
                let of_names = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if at.value.is_empty() || at.value.starts_with(|c: char| c.is_ascii_digit()) || !at.value.chars().all(of_names) {
                    self.fault(at.span.clone(), Wrong::NotAVariable);
                    return None;
                }
                let variable = at.value.clone();
                (To::WebhookIn { variable, format }, at.span.clone(), format!("webhook_env {}", at.value))
            }
            (None, None, Some(at)) => {
                if let Some(format) = &alert.format {
                    self.fault(format.span.clone(), Wrong::FormatOfCommand);
                }
                let command = self.command(at)?;
                let whole = format!("command {}", command.join("\0"));
                (To::Command(command), at.span.clone(), whole)
            }
            (None, None, None) => {
                self.fault(span.clone(), Wrong::AlertTo { several: false });
                return None;
            }
            (webhook, variable, _) => {
                let at = webhook.as_ref().or(variable.as_ref()).map_or(span, |at| &at.span);
                self.fault(at.clone(), Wrong::AlertTo { several: true });
                return None;
            }
        };
        Some((Receiver { to, only: only.map_or(Some(Vec::new()), |only| only)?, timeout: timeout? }, at, whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_where_it_leads_is_shown() {
        for (url, shown) in [
            ("https://hooks.example.org/services/T0/SECRET?key=SECRET#SECRET", "https://hooks.example.org"),
            ("http://user:SECRET@127.0.0.1:8080/SECRET", "http://127.0.0.1:8080"),
            ("https://[::1]:9/SECRET", "https://[::1]:9"),
        ] {
            let address = Address::new(url).expect("a URL");
            assert_eq!((address.to_string().as_str(), format!("{address:?}").as_str()), (shown, shown));
            assert_eq!(address.url().as_str(), url);
        }
        for none in ["", "hooks.example.org", "ftp://example.org/", "file:///etc/passwd", "http://", "https:// /"] {
            assert_eq!(Address::new(none), None, "{none}");
        }
    }
}
