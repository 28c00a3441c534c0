//! `/`: the page of the scorecard, which keeps itself as it is now.

use super::{
    api,
    live::{Fault, Live, Round, Standing, Tagged},
    problem::Problem,
};
use crate::render::{
    html::{self, Notice},
    script,
    words::{moment, second},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use milepost_record::Timestamp;
use std::sync::{Arc, LazyLock};
use tokio::task::spawn_blocking;

/// What everything else is allowed that is opened in a browser.
pub(super) const NOTHING_ALLOWED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// What the page is allowed: its own scripts, its own styles, and to ask this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let scripts = [&script::PAGE, &script::LIVE].map(|script| script::source(script)).join(" ");
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(NOTHING_ALLOWED)
});

pub(super) async fn page(State(live): State<Arc<Live>>, headers: HeaderMap) -> Response {
    let standing = live.now().await;
    let page = match written(&standing).await {
        Ok(page) => page,
        Err(problem) => return problem.into_response(),
    };
    let status = if standing.fault.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut response = api::tagged(&headers, "text/html; charset=utf-8", standing.begun, page);
    if status != StatusCode::OK && response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// The page, which is written once for all who ask for the same.
async fn written(standing: &Standing) -> Result<Tagged, Problem> {
    let failed = |why: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why);
    let mut notices = notices(standing);
    let Some(snapshot) = standing.snapshot.clone() else {
        return html::not_judged(&notices).map(Tagged::new).map_err(|error| failed(error.to_string()));
    };
    let is_behind = standing.begun.is_some();
    let mut kept = snapshot.page.lock().await;
    let beside = snapshot.beside(is_behind).await.map_err(api::unavailable)?;
    if is_behind {
        notices.push(behind(snapshot.scorecard.generated_at, beside.as_of));
    }
    if let Some((_, page)) = kept.as_ref().filter(|(of, _)| *of == notices) {
        return Ok(page.clone());
    }
    let (shows, says) = (Arc::clone(&snapshot), notices.clone());
    let page = spawn_blocking(move || html::live(shows.shown(&beside), &says).map(Tagged::new).map_err(|error| error.to_string()));
    let page = page.await.unwrap_or_else(|error| Err(error.to_string())).map_err(failed)?;
    *kept = Some((notices, page.clone()));
    Ok(page)
}

fn behind(judged: Timestamp, beside: Timestamp) -> Notice {
    let besides = if beside == judged { String::new() } else { format!("; charts, newest events and panels of {}", second(beside)) };
    Notice {
        title: "Events come in faster than they are judged".to_owned(),
        lead: format!("The verdicts are of {}{besides}.", second(judged)),
        text: String::new(),
        is_old: false,
        is_calm: true,
    }
}

fn notices(standing: &Standing) -> Vec<Notice> {
    let old = |Fault { why, since }: &Fault| Notice {
        title: "This is not how it stands now".to_owned(),
        lead: match &standing.snapshot {
            Some(snapshot) => format!(
                "Since {}, nothing can be judged. What is below was judged {}.",
                moment(*since),
                moment(snapshot.scorecard.generated_at)
            ),
            None => format!("Since {}, nothing can be judged.", moment(*since)),
        },
        text: why.clone(),
        is_old: true,
        is_calm: false,
    };
    let failed = |Round { began, said, .. }: &Round| Notice {
        title: "The last round of milepost track did not go well".to_owned(),
        lead: format!("It began {}; what this server wrote to its terminal says more.", moment(*began)),
        text: said.clone(),
        is_old: false,
        is_calm: false,
    };
    let round = standing.round.as_ref().filter(|round| !round.went_well);
    standing.fault.as_ref().map(old).into_iter().chain(round.map(failed)).collect()
}
