//! The description of the API, composed of the schemas of its types: OpenAPI 3.1, whose schemas are JSON Schemas as they are.

use super::{
    api::{Evidence, NEWEST, NEWEST_MAX, OneCriterion, Overview, Series},
    problem::Problem,
};
use milepost_judge::{Scorecard, history::History};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const DESCRIPTION: &str = "How the success criteria of a project stand, as `milepost serve` hands it out: read only, to this machine, and \
                           elsewhere to whoever has a token. What is recorded is in the answer of each request that begins after it.";

/// What is asked for, and what the answer looks like.
struct Endpoint {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

/// As it is served and committed.
pub(crate) fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        // A tree of texts has a JSON.
        serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n"
    });
    &TEXT
}

fn endpoints() -> Vec<Endpoint> {
    let criterion = || {
        let text = "Its name in any case, or the beginning of one name only, or its place in the configuration, where the first is 1.";
        json!({ "name": "criterion", "in": "path", "required": true, "description": text, "schema": { "type": "string" } })
    };
    let limit = json!({
        "name": "limit",
        "in": "query",
        "description": "So many of the newest events of each question.",
        "schema": { "type": "integer", "minimum": 1, "maximum": NEWEST_MAX, "default": NEWEST },
    });
    let only = json!({
        "name": "criterion",
        "in": "query",
        "description": "Only of this criterion; its name as in a path.",
        "schema": { "type": "string" },
    });
    let endpoint = |path, id, summary, parameters, schema| Endpoint { path, id, summary, parameters, schema };
    vec![
        endpoint(
            "/api/v1/",
            "overview",
            "How it stands in short, and whether that is of now",
            vec![],
            SchemaGenerator::subschema_for::<Overview>,
        ),
        endpoint(
            "/api/v1/scorecard",
            "scorecard",
            "All criteria, judged: what `milepost status --format json` prints",
            vec![],
            SchemaGenerator::subschema_for::<Scorecard>,
        ),
        endpoint(
            "/api/v1/criteria/{criterion}",
            "criterion",
            "One criterion, how many events it takes, and the SQL behind it",
            vec![criterion()],
            SchemaGenerator::subschema_for::<OneCriterion>,
        ),
        endpoint(
            "/api/v1/series/{criterion}",
            "series",
            "One criterion day by day",
            vec![criterion()],
            SchemaGenerator::subschema_for::<Series>,
        ),
        endpoint(
            "/api/v1/evidence/{criterion}",
            "evidence",
            "The newest events behind one criterion: what `milepost explain` shows",
            vec![criterion(), limit],
            SchemaGenerator::subschema_for::<Evidence>,
        ),
        endpoint(
            "/api/v1/history",
            "history",
            "When verdicts and definitions changed: what `milepost history --format json` prints",
            vec![only],
            SchemaGenerator::subschema_for::<History>,
        ),
    ]
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for Endpoint { path, id, summary, parameters, schema } in endpoints() {
        let mut responses = Map::new();
        let mut add = |status: &str, description: &str, kind: &str, schema: &Schema| {
            responses.insert(status.to_owned(), json!({ "description": description, "content": { kind: { "schema": schema } } }));
        };
        add("200", summary, "application/json", &schema(&mut generator));
        let kind = "application/problem+json";
        if !parameters.is_empty() {
            add("404", "There is no such criterion; the nearest name is told.", kind, &problem);
        }
        add("400", "A parameter is wrong.", kind, &problem);
        add("401", "A token is needed that may read; on a loopback address only where that is wished.", kind, &problem);
        add("403", "The token is good for something else, or a page of another site asks.", kind, &problem);
        add("421", "No token is asked for, and Host does not name this machine as a loopback host.", kind, &problem);
        add("429", "Too many wrong tokens came from this address; Retry-After says how long none is looked at.", kind, &problem);
        add("503", "It cannot be judged now, and why: ask again.", kind, &problem);
        let mut operation = json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses });
        if parameters.is_empty()
            && let Some(operation) = operation.as_object_mut()
        {
            operation.remove("parameters");
        }
        paths.insert(path.to_owned(), json!({ "get": operation }));
    }
    let itself =
        json!({ "200": { "description": "This description", "content": { "application/json": { "schema": { "type": "object" } } } } });
    let itself = json!({ "operationId": "openapi", "summary": "This description", "responses": itself });
    paths.insert("/api/v1/openapi.json".to_owned(), json!({ "get": itself }));
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Milepost", "version": "1", "description": DESCRIPTION },
        "paths": paths,
        // None, or one of them.
        "security": [{}, { "bearer": [] }, { "basic": [] }],
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token of `milepost token add NAME --read`." },
                "basic": { "type": "http", "scheme": "basic", "description": "The same token as the password of any user, for browsers." },
            },
        },
    })
}
