//! A token and a free text are told to nobody: whatever the program printed, answered and wrote is searched for them.

use super::{Place, files, port::Server, stderr, stdout, times};
use serde_json::json;
use std::fs;

/// In a free text, in the arguments and the environment of a command, in names of people, in a URL.
const TEXT: &str = "XTEXTX7c1fXTEXTX";

fn config(privacy: &str) -> String {
    format!(
        "[project]\nname = \"p\"\n{privacy}\n[[criterion]]\nname = \"c\"\nmetric = \"success.rate\"\nabove = \"95%\"\ntier = \"must\"\n\
         [[alert]]\nwebhook = \"http://127.0.0.1:1/{TEXT}?key={TEXT}\"\n[[alert]]\nwebhook_env = \"HOOK\"\n"
    )
}

#[test]
fn a_token_and_a_text_are_told_to_nobody() {
    let place = Place::with(&config(""));
    let token = stdout(&place.run(&["token", "add", "page", "--read"])).trim().to_owned();
    let write = stdout(&place.run(&["token", "add", "ci", "--write"])).trim().to_owned();
    assert!(token.starts_with("mp_") && write.starts_with("mp_"));
    let mut said = Vec::new();
    let lines: Vec<_> = times()
        .iter()
        .flat_map(|at| {
            [
                json!({"v": 1, "kind": "operation", "at": at, "operation": "search", "outcome": "failed", "duration_us": 1,
                    "error": {"category": "network", "text": TEXT}}),
                json!({"v": 1, "kind": "interaction", "at": at, "recognized": "install", "correct": "remove", "text": TEXT}),
                json!({"v": 1, "kind": "note", "at": at, "topic": "feedback", "text": TEXT, "score": 1.0}),
            ]
        })
        .collect();
    place.record(&lines);
    fs::write(
        place.path("rows.csv"),
        format!("at,operation,success,error,user\n{},search,no,{TEXT},{TEXT}\nnever,search,no,{TEXT},{TEXT}\n", times()[0]),
    )
    .expect("written");
    for args in [
        &["run", "--operation", "x", "--", "sh", "-c", "exit 3", TEXT][..],
        &["record", "operation", "--operation", "search", "--outcome", "failed", "--user", TEXT],
        &["import", "rows.csv"],
        &["status"],
        &["status", "--format", "json"],
        &["check", "--format", "github"],
        &["explain", "1"],
        &["report"],
        &["report", "daily"],
        &["history"],
        &["dashboard", "--output", "page.html"],
        &["doctor"],
        &["export"],
        &["query", "--format", "json", "SELECT * FROM operations"],
        &["token", "list"],
        &["track", "--test-alert"],
        &["track"],
        &["track"],
        &["schedule", "install", "--print", "--scheduler", "systemd"],
        &["schedule", "install", "--print", "--scheduler", "cron"],
        &["forget", TEXT, "--yes"],
        &["doctor"],
    ] {
        let mut command = place.command(args);
        let output = command.env("HOOK", format!("http://127.0.0.1:1/{TEXT}")).env("SECRET", TEXT).output().expect("milepost runs");
        // What was typed may be said to who typed it.
        if !args.contains(&TEXT) || args.first() == Some(&"run") {
            said.extend([stdout(&output), stderr(&output)]);
        }
    }
    let server = Server::start(&place, &["--require-token"]);
    for path in [
        "/",
        "/metrics",
        "/api/v1/",
        "/api/v1/scorecard",
        "/api/v1/evidence/1",
        "/api/v1/criteria/1",
        "/api/v1/history",
        &format!("/{token}"),
    ] {
        for header in [
            String::new(),
            format!("Authorization: Bearer {token}\r\n"),
            format!("Authorization: Bearer {write}\r\n"),
            format!("Authorization: Digest {token}\r\n"),
        ] {
            let answer = server.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{header}Connection: close\r\n\r\n", server.host));
            said.push(if path.contains(&token) { String::new() } else { answer });
        }
        said.push(
            server
                .ask(&format!("GET /api/v1/?token={token} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host))
                .replace(&format!("?token={token}"), ""),
        );
    }
    assert!(said.iter().any(|said| said.contains("HTTP/1.1 200") && said.contains("<html")), "the page was handed out");
    assert!(said.iter().any(|said| said.contains("# TYPE milepost_")), "and the verdicts for Prometheus");
    said.push(server.end());
    for secret in [TEXT, &token, &write, &token[3..]] {
        for said in &said {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        for file in files(place.folder.path()).iter().filter(|file| !file.ends_with("milepost.toml") && !file.ends_with("rows.csv")) {
            let bytes = fs::read(file).expect("a file");
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}: {}", file.display());
        }
    }
}

/// The search would find it.
#[test]
fn a_text_that_is_allowed_is_found_where_it_belongs() {
    let place = Place::with(&config("[privacy]\ntexts = [\"error\"]"));
    let at = &times()[0];
    place.record(&[json!({"v": 1, "kind": "operation", "at": at, "operation": "x", "outcome": "failed",
        "error": {"category": "network", "text": TEXT}})]);
    let found = |path: &std::path::Path| fs::read_to_string(path).is_ok_and(|text| text.contains(TEXT));
    assert!(files(&place.path(".milepost/spool")).iter().any(|file| found(file)));
    assert!(place.ok(&["export"]).contains(TEXT));
    place.ok(&["dashboard", "--output", "page.html"]);
    assert!(!place.ok(&["status", "--format", "json"]).contains(TEXT));
}
