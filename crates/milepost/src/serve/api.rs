//! `/api/v1/`: what the page shows and what it rests on, as JSON. What can be judged only anew is refused with the reason where that
//! fails: nothing old is handed out as if it were of now, and while judging is behind, `Age` says how old it is.

use super::{
    live::{Fault, Live, Newest, Round, Snapshot, Standing, Tagged},
    openapi,
    problem::Problem,
};
use crate::app::find_criterion;
use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use milepost_judge::{
    Verdict,
    history::{CriterionHistory, History},
    plan::Plan,
    scorecard::{CriterionResult, Judgement, Target, TrendPoint},
};
use milepost_record::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// The version of these formats.
const VERSION: u32 = 1;
/// The most of the newest events that are shown of each question, and how many where nobody says.
pub(crate) const NEWEST_MAX: usize = 50;
pub(super) const NEWEST: usize = 5;
const JSON: &str = "application/json";

/// How it stands in short, and whether that is of now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Overview {
    /// Version of this format.
    pub version: u32,
    /// Name of the project; null until it was judged for the first time.
    pub project: Option<String>,
    /// When it was judged last.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub generated_at: Option<Timestamp>,
    /// The verdict of the tier `must` then.
    #[schemars(with = "Option<String>", extend("enum" = ["met", "missed", "not_proven", "no_data", "stale", null]))]
    pub verdict: Option<Verdict>,
    /// Why it cannot be judged now; null where it can.
    pub fault: Option<Fault>,
    /// Whether events come in faster than they are judged: what is handed out has all that was recorded before `generated_at`. Else
    /// it has all that was recorded before it was asked for.
    pub is_behind: bool,
    /// How the last round of `milepost track` went that this server called; null where there was none.
    pub track: Option<Round>,
}

/// One criterion: what it says now, how many events it takes, and what is asked for it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OneCriterion {
    /// Version of this format.
    pub version: u32,
    /// When it was judged.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub generated_at: Timestamp,
    /// Its place in the configuration; the first is 1.
    pub place: usize,
    /// The criterion, as the scorecard has it.
    pub criterion: CriterionResult,
    /// For each goal, how many events a verdict takes; goals that are not about a rate have none.
    pub plans: Vec<Plan>,
    /// What was run to answer its questions.
    pub sql: Vec<String>,
}

/// The days of one criterion.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Series {
    /// Version of this format.
    pub version: u32,
    /// When it was judged.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub generated_at: Timestamp,
    /// Name of the criterion.
    pub criterion: String,
    /// One for each goal.
    pub goals: Vec<GoalDays>,
}

/// The days of one goal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GoalDays {
    /// The metric.
    pub metric: Option<String>,
    /// Unit of the values; empty for plain numbers.
    pub unit: String,
    /// What has to hold; null where each group has a target of its own.
    pub target: Option<Target>,
    /// The days; one without events is not there.
    pub days: Vec<TrendPoint>,
}

/// What one criterion rests on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Evidence {
    /// Version of this format.
    pub version: u32,
    /// When it was judged.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub generated_at: Timestamp,
    /// Name of the criterion.
    pub criterion: String,
    /// One for each question.
    pub sources: Vec<EvidenceSource>,
}

/// A question, and the newest events that answer it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceSource {
    /// What was run.
    pub sql: String,
    /// The newest events, as `milepost explain` shows them: all values are texts.
    #[schemars(with = "Vec<BTreeMap<String, String>>")]
    pub newest_events: Vec<Map<String, Value>>,
}

type Named = Result<Path<String>, PathRejection>;

pub(super) async fn overview(State(live): State<Arc<Live>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    Query::read(query.as_deref(), &[])?;
    let Standing { snapshot, fault, round, begun, .. } = live.now().await;
    let scorecard = snapshot.as_ref().map(|snapshot| &snapshot.scorecard);
    answered(
        &headers,
        begun,
        &Overview {
            version: VERSION,
            project: scorecard.map(|scorecard| scorecard.project.clone()),
            generated_at: scorecard.map(|scorecard| scorecard.generated_at),
            verdict: scorecard.map(|scorecard| scorecard.verdict),
            fault,
            is_behind: begun.is_some(),
            track: round,
        },
    )
}

pub(super) async fn scorecard(State(live): State<Arc<Live>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    Query::read(query.as_deref(), &[])?;
    let (snapshot, begun) = of_now(&live).await?;
    Ok(tagged(&headers, JSON, begun, snapshot.json.clone()))
}

pub(super) async fn criterion(
    State(live): State<Arc<Live>>,
    name: Named,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Query::read(query.as_deref(), &[])?;
    let (snapshot, begun) = of_now(&live).await?;
    let (place, criterion) = found(&snapshot, name)?;
    let plans = snapshot.plans.get().await.map_err(unavailable)?;
    answered(
        &headers,
        begun,
        &OneCriterion {
            version: VERSION,
            generated_at: snapshot.scorecard.generated_at,
            place: place + 1,
            criterion: criterion.clone(),
            plans: plans.get(place).cloned().unwrap_or_default(),
            sql: snapshot.sql.get(place).cloned().unwrap_or_default(),
        },
    )
}

pub(super) async fn series(
    State(live): State<Arc<Live>>,
    name: Named,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Query::read(query.as_deref(), &[])?;
    let (snapshot, begun) = of_now(&live).await?;
    let (_, criterion) = found(&snapshot, name)?;
    let parts = criterion.parts.iter().map(|part| &part.judgement);
    let judgements: Vec<&Judgement> = if criterion.parts.is_empty() { vec![&criterion.judgement] } else { parts.collect() };
    let goal = |judgement: &Judgement| GoalDays {
        metric: judgement.metric.clone(),
        unit: judgement.unit.clone(),
        target: judgement.target.clone(),
        days: judgement.trend.clone(),
    };
    answered(
        &headers,
        begun,
        &Series {
            version: VERSION,
            generated_at: snapshot.scorecard.generated_at,
            criterion: criterion.name.clone(),
            goals: judgements.into_iter().map(goal).collect(),
        },
    )
}

pub(super) async fn evidence(
    State(live): State<Arc<Live>>,
    name: Named,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = Query::read(query.as_deref(), &["limit"])?.limit()?;
    let (snapshot, begun) = of_now(&live).await?;
    let (place, criterion) = found(&snapshot, name)?;
    let (Some(newest), Some(sql)) = (snapshot.evidence.get(place), snapshot.sql.get(place)) else {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the scorecard lacks a criterion of the configuration"));
    };
    let newest = newest.get().await.map_err(unavailable)?;
    let source = |(sql, rows): (&String, &Newest)| EvidenceSource {
        sql: sql.clone(),
        newest_events: rows.iter().take(limit).map(|row| row.iter().map(|(name, value)| (name.clone(), json!(value))).collect()).collect(),
    };
    answered(
        &headers,
        begun,
        &Evidence {
            version: VERSION,
            generated_at: snapshot.scorecard.generated_at,
            criterion: criterion.name.clone(),
            sources: sql.iter().zip(newest.iter()).map(source).collect(),
        },
    )
}

pub(super) async fn history(State(live): State<Arc<Live>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let query = Query::read(query.as_deref(), &["criterion"])?;
    let (snapshot, begun) = of_now(&live).await?;
    let history = snapshot.history.get().await.map_err(unavailable)?;
    let Some(typed) = query.of("criterion") else { return answered(&headers, begun, history.as_ref()) };
    let names: Vec<&str> = history.criteria.iter().map(|criterion| criterion.criterion.as_str()).collect();
    let criteria: Vec<CriterionHistory> = history.criteria.iter().skip(place(typed, &names)?).take(1).cloned().collect();
    answered(&headers, begun, &History { criteria, ..history.as_ref().clone() })
}

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    tagged(&headers, JSON, None, Tagged::new(openapi::text().to_owned()))
}

/// What is shown where it is of now, or of late while judging is behind, with when judging it began then; else why there is nothing.
async fn of_now(live: &Live) -> Result<(Arc<Snapshot>, Option<Instant>), Problem> {
    judged(live.now().await)
}

pub(super) fn judged(standing: Standing) -> Result<(Arc<Snapshot>, Option<Instant>), Problem> {
    match (standing.fault, standing.snapshot) {
        (Some(fault), _) => Err(unavailable(format!("since {}, nothing can be judged: {}", fault.since, fault.why))),
        (None, Some(snapshot)) => Ok((snapshot, standing.begun)),
        (None, None) => Err(unavailable("nothing is judged yet; ask again".to_owned())),
    }
}

pub(super) fn unavailable(why: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn found(snapshot: &Snapshot, name: Named) -> Result<(usize, &CriterionResult), Problem> {
    let Path(typed) = name.map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let criteria = &snapshot.scorecard.criteria;
    let names: Vec<&str> = criteria.iter().map(|criterion| criterion.name.as_str()).collect();
    let place = place(&typed, &names)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "there is no such criterion");
    Ok((place, criteria.get(place).ok_or_else(missing)?))
}

/// Where a criterion is, by its name as `milepost explain` takes it, or by its place.
fn place(typed: &str, names: &[&str]) -> Result<usize, Problem> {
    if let Some(place) = names.iter().position(|name| *name == typed) {
        return Ok(place);
    }
    let by_number = typed.parse::<usize>().ok().and_then(|number| number.checked_sub(1)).filter(|place| *place < names.len());
    let unknown = |failure: crate::app::Failure| Problem::new(StatusCode::NOT_FOUND, failure.to_string());
    by_number.map_or_else(|| find_criterion(typed, names).map_err(unknown), Ok)
}

/// What was asked for after the question mark.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut read = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let shown: String = name.chars().take(64).collect();
            let wrong = |why| Err(Problem::new(StatusCode::BAD_REQUEST, format!("the parameter `{shown}` {why}")));
            if !known.contains(&name.as_ref()) {
                return wrong(match known {
                    [] => "is not known; there are none here".to_owned(),
                    [only, ..] => format!("is not known; did you mean `{only}`?"),
                });
            }
            if read.insert(name.to_string(), value.into_owned()).is_some() {
                return wrong("is given twice".to_owned());
            }
        }
        Ok(Self(read))
    }

    fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn limit(&self) -> Result<usize, Problem> {
        let Some(typed) = self.of("limit") else { return Ok(NEWEST) };
        let wrong = || Problem::new(StatusCode::BAD_REQUEST, format!("the parameter `limit` has to be a number from 1 to {NEWEST_MAX}"));
        typed.parse().ok().filter(|limit| (1..=NEWEST_MAX).contains(limit)).ok_or_else(wrong)
    }
}

fn answered(headers: &HeaderMap, begun: Option<Instant>, value: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(tagged(headers, JSON, begun, Tagged::new(text + "\n")))
}

/// An answer with its tag, and where it is not of now with how long ago judging it began; or none where the one who asks has that
/// content already.
pub(super) fn tagged(headers: &HeaderMap, kind: &'static str, begun: Option<Instant>, Tagged { content, tag }: Tagged) -> Response {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|tags| tags.split(','));
    let is_there = given.map(|given| given.trim().trim_start_matches("W/")).any(|given| tag.to_str().is_ok_and(|tag| tag == given));
    let mut response = if is_there {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response()
    };
    response.headers_mut().insert(header::ETAG, tag);
    if let Some(begun) = begun {
        // Whole seconds, and never fewer than it is.
        response.headers_mut().insert(header::AGE, HeaderValue::from(begun.elapsed().as_secs() + 1));
    }
    response
}
