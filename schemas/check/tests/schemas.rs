//! The committed schemas say what the program does: they accept what it accepts and prints, and refuse what it refuses.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use jsonschema::Validator;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
};

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(root(&format!("schemas/{name}.schema.json"))).expect("a schema");
    let schema = serde_json::from_str(&text).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a valid schema")
}

fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(root(&format!("vectors/{name}"))).expect("vectors");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn problems(schema: &Validator, value: &Value) -> Vec<String> {
    schema.iter_errors(value).map(|error| error.to_string()).collect()
}

#[test]
fn the_event_schema_agrees_with_the_test_vectors() {
    let schema = schema("event");
    let accepted = lines("valid.jsonl").into_iter().chain(lines("accepted.jsonl").into_iter().map(|pair| pair["given"].clone()));
    for event in accepted {
        assert_eq!(problems(&schema, &event), Vec::<String>::new(), "{event}");
    }
    // What a schema cannot say: it sees no text that is no JSON, no key that stands twice, counts neither bytes nor entries, and compares no two values.
    let beyond = [
        "before 1970",
        "too large to be true",
        "duplicate field",
        "`session` is missing",
        "`sample` is missing",
        "`operation` is missing",
        "`size` is missing",
        "`from` is missing",
        "`to` is missing",
        "at least one event",
        "before `from`",
        "is empty",
        "at most 64",
        "65 entries",
    ];
    let mut refused = 0;
    for pair in lines("invalid.jsonl") {
        let Ok(event) = serde_json::from_str::<Value>(pair["line"].as_str().expect("a line")) else { continue };
        let why = pair["why"].as_str().expect("why");
        let problems = problems(&schema, &event);
        assert_eq!(problems.is_empty(), beyond.iter().any(|known| why.contains(known)), "{event}: {why}");
        refused += usize::from(!problems.is_empty());
    }
    assert!(refused > 15, "{refused}");
}

#[test]
fn the_scorecard_schema_accepts_what_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::var_os("MILEPOST_PROGRAM").expect("`cargo xtask test` says where the program is");
    let run = |args: &[&str]| {
        let output =
            Command::new(&program).args(args).current_dir(folder.path()).env_remove("MILEPOST_DATA").output().expect("milepost runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run(&["init", "--preset", "nix-for-humanity"]);
    let schema = schema("scorecard");
    let check = |text: &str| {
        let scorecard: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(problems(&schema, &scorecard), Vec::<String>::new());
    };
    check(&run(&["status", "--format", "json"]));
    for operation in ["install", "search", "list", "config_gen", "else"] {
        run(&["run", "--operation", operation, "--persona", "maya", "--", "true"]);
    }
    run(&["record", "operation", "--operation", "search", "--outcome", "failed"]);
    run(&["record", "measurement", "--name", "coverage.statements", "--value", "10", "--unit", "%"]);
    run(&["record", "memory", "--run", "r", "--bytes", "1GB", "--measure", "pss"]);
    check(&run(&["status", "--format", "json"]));
    run(&["track"]);
    let history: Value = serde_json::from_str(&run(&["history", "--format", "json"])).expect("JSON");
    assert_eq!(problems(&self::schema("history"), &history), Vec::<String>::new());
    let schema = self::schema("report");
    let report: Value = serde_json::from_str(&run(&["report", "full", "--format", "json"])).expect("JSON");
    assert_eq!(problems(&schema, &report), Vec::<String>::new());
}

/// Status, kind and content of what is answered at a path.
fn get(host: &str, path: &str) -> (String, String, Value) {
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).expect("a kind");
    (status.to_owned(), kind.to_owned(), serde_json::from_str(body).expect("JSON"))
}

#[test]
fn the_description_of_the_api_says_what_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::var_os("MILEPOST_PROGRAM").expect("`cargo xtask test` says where the program is");
    let command = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).current_dir(folder.path()).env_remove("MILEPOST_DATA");
        command
    };
    for args in [
        &["init", "--preset", "nix-for-humanity"][..],
        &["run", "--operation", "search", "--persona", "maya", "--", "true"],
        &["record", "measurement", "--name", "coverage.statements", "--value", "10", "--unit", "%"],
        &["track"],
    ] {
        assert!(command(args).output().expect("milepost runs").status.success(), "{args:?}");
    }
    let mut server = command(&["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().expect("milepost runs");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
    let addresses: Value = serde_json::from_str(&line).expect("JSON");
    let host = addresses["dashboard"].as_str().expect("an address").trim_start_matches("http://").trim_end_matches('/').to_owned();

    let text = fs::read_to_string(root("schemas/openapi.json")).expect("a description");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let agrees = |path: &str, of: &str| {
        let (status, kind, body) = get(&host, path);
        let schema = &document["paths"][of]["get"]["responses"][&status]["content"][&kind]["schema"];
        assert!(schema.is_object(), "{path}: {status} {kind} is not described");
        let schema = json!({ "allOf": [schema], "components": document["components"] });
        let schema = jsonschema::options().should_validate_formats(true).build(&schema).expect("a valid schema");
        assert_eq!(problems(&schema, &body), Vec::<String>::new(), "{path}");
        status
    };
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 6, "{}", paths.len());
    for path in paths.keys() {
        for place in 1..=15 {
            assert_eq!(agrees(&path.replace("{criterion}", &place.to_string()), path), "200");
        }
        if path.contains("{criterion}") {
            assert_eq!(agrees(&path.replace("{criterion}", "none"), path), "404");
        }
        if !path.ends_with("openapi.json") {
            assert_eq!(agrees(&format!("{}?unknown", path.replace("{criterion}", "1")), path), "400");
        }
    }
    server.kill().expect("ended");
    server.wait().expect("ended");
}

#[test]
fn the_configuration_schema_accepts_what_is_shipped() {
    let schema = schema("milepost.toml");
    for path in ["milepost.toml", "crates/milepost/presets/nix-for-humanity.toml", "crates/milepost/presets/rust-cli.toml", "crates/milepost/presets/blank.toml"] {
        let text = fs::read_to_string(root(path)).expect("a configuration");
        let value: toml::Value = toml::from_str(&text).expect("TOML");
        let value = serde_json::to_value(value).expect("JSON");
        assert_eq!(problems(&schema, &value), Vec::<String>::new(), "{path}");
    }
    let misspelt =
        serde_json::json!({ "project": { "name": "x" }, "criterion": [{ "name": "x", "metric": "latency.p95", "belwo": "1s" }] });
    assert!(!problems(&schema, &misspelt).is_empty());
}
