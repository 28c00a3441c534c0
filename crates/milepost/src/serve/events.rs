//! `/events`: server-sent events, as the HTML standard has them. Whoever begins to listen hears at once how it stands.

use super::{
    live::{Live, STREAMS_MAX, Standing, Watcher},
    problem::Problem,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::stream;
use milepost_judge::{Scorecard, Tier, Verdict, scorecard::TierResult};
use milepost_record::Timestamp;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Proxies and browsers give up on a stream that says nothing for long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A page cannot use more news than one a second, and what is newest then is what it is told.
const TELL_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The scorecard is another one, or the first of this stream.
#[derive(Serialize)]
struct Changed<'a> {
    generated_at: Timestamp,
    verdict: Verdict,
    tiers: &'a BTreeMap<Tier, TierResult>,
}

/// It was judged anew, and all is as it was.
#[derive(Serialize)]
struct Judged {
    generated_at: Timestamp,
}

pub(super) async fn events(State(live): State<Arc<Live>>) -> Response {
    let Some(watcher) = live.watch() else {
        let detail = format!("{STREAMS_MAX} streams are open already, which is the most; close one");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let told = Told { live, watcher, last: None, next_at: Instant::now(), events: VecDeque::new() };
    let events = stream::unfold(told, |mut told| async move { told.next().await.map(|event| (Ok::<_, Infallible>(event), told)) });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // Whoever stands between is not to wait for more.
    response.headers_mut().insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    response
}

/// What one listener was told.
struct Told {
    live: Arc<Live>,
    watcher: Watcher,
    last: Option<Standing>,
    /// Before this, nothing more is told.
    next_at: Instant,
    events: VecDeque<Event>,
}

impl Told {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let now = match &self.last {
                None => self.live.now().await,
                Some(_) => {
                    sleep_until(self.next_at).await;
                    self.watcher.next().await?
                }
            };
            self.events = events_between(self.last.as_ref(), &now).into();
            if !self.events.is_empty() {
                self.next_at = Instant::now() + TELL_AT_MOST_EVERY;
            }
            self.last = Some(now);
        }
    }
}

fn events_between(before: Option<&Standing>, now: &Standing) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(snapshot) = &now.snapshot {
        let before = before.and_then(|before| before.snapshot.as_ref());
        let Scorecard { generated_at, verdict, tiers, .. } = &snapshot.scorecard;
        if before.is_none_or(|before| before.changed != snapshot.changed) {
            let event = Event::default().id(snapshot.changed.to_string());
            events.push(named(event, "scorecard", &Changed { generated_at: *generated_at, verdict: *verdict, tiers }));
        } else if before.is_some_and(|before| before.scorecard.generated_at != *generated_at) {
            events.push(named(Event::default(), "judged", &Judged { generated_at: *generated_at }));
        }
    }
    if before.and_then(|before| before.fault.as_ref()) != now.fault.as_ref() {
        events.extend(now.fault.as_ref().map(|fault| named(Event::default(), "fault", fault)));
    }
    if before.and_then(|before| before.round.as_ref()) != now.round.as_ref() {
        events.extend(now.round.as_ref().map(|round| named(Event::default(), "track", round)));
    }
    events
}

fn named(event: Event, name: &str, data: &impl Serialize) -> Event {
    // Texts, numbers and times have a JSON, and it is one line.
    event.event(name).data(serde_json::to_string(data).unwrap_or_default())
}
