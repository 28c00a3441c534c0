//! `/`: the page of the scorecard, which keeps itself as it is now.

use super::{
    api,
    live::{Fault, Live, Round, Standing},
    problem::Problem,
};
use crate::render::{
    html::{self, Notice},
    script,
    words::moment,
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::{Arc, LazyLock};

/// What everything else is allowed that is opened in a browser.
pub(super) const NOTHING_ALLOWED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// What the page is allowed: its own scripts, its own styles, and to ask this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let scripts = [script::PAGE, script::LIVE].map(script::source).join(" ");
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(NOTHING_ALLOWED)
});

pub(super) async fn page(State(live): State<Arc<Live>>, headers: HeaderMap) -> Response {
    let standing = live.now().await;
    let page = match notices(&standing) {
        notices if notices.is_empty() => standing.snapshot.as_ref().map(|snapshot| Ok(snapshot.page.clone())),
        _ => None,
    };
    let page = page.unwrap_or_else(|| written(&standing));
    let (status, page) = match page {
        Ok(page) => (if standing.fault.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, page),
        Err(failed) => return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, failed.to_string()).into_response(),
    };
    let mut response = api::tagged(&headers, "text/html; charset=utf-8", page);
    if status != StatusCode::OK && response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

fn written(standing: &Standing) -> Result<Bytes, html::NotWritten> {
    let notices = notices(standing);
    let page = match &standing.snapshot {
        Some(snapshot) => html::live(snapshot.shown(), &notices)?,
        None => html::not_judged(&notices)?,
    };
    Ok(page.into())
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
    };
    let failed = |Round { began, said, .. }: &Round| Notice {
        title: "The last round of milepost track did not go well".to_owned(),
        lead: format!("It began {}; what this server wrote to its terminal says more.", moment(*began)),
        text: said.clone(),
        is_old: false,
    };
    let round = standing.round.as_ref().filter(|round| !round.went_well);
    standing.fault.as_ref().map(old).into_iter().chain(round.map(failed)).collect()
}
