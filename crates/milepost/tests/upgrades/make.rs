//! Makes the folders of a version, by its program, with a file of every format.

use crate::{Place, VERSION_1, copy, text};
use milepost_record::{Event, Measurement, Recorder, Spool, Timestamp};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/valid.jsonl");
const PEOPLE: [&str; 3] = ["u-00000000000000a1", "u-00000000000000a2", "u-00000000000000a3"];

#[test]
#[ignore = "writes the folders of version 1, which are never to change"]
fn make_version_1() {
    let place = Place { folder: tempfile::tempdir().expect("a folder") };
    fs::copy(Path::new(VERSION_1).join("milepost.toml"), place.path("milepost.toml")).expect("copied");
    fs::create_dir(place.data()).expect("a folder");
    for name in ["rose@example.org", "maya@example.org"] {
        place.ok(&["record", "session", "--session", &format!("of-{name}"), "--user", name], "");
    }
    // This takes in, and leaves a checkpoint of the tables there are.
    place.ok(&["forget", "--user", "rose@example.org", "--yes"], "");
    // Every key that an event can have, but for sessions.
    let vectors = fs::read_to_string(VECTORS).expect("vectors");
    let vectors: String = vectors.lines().filter(|line| !line.contains("\"session\",")).map(|line| format!("{line}\n")).collect();
    place.ok(&["record"], &vectors);
    place.ok(&["record"], &of_a_day(0, true));
    let covered = |percent| place.ok(&["record", "measurement", "--name", "coverage.statements", "--value", percent, "--unit", "%"], "");
    covered("95");
    place.ok(
        &["exclude", "--from", "2026-11-03", "--to", "2026-11-04", "--reason", "the cache was down", "--criterion", "Response time"],
        "",
    );
    place.ok(&["track"], "");
    for day in 1..5 {
        place.ok(&["record"], &of_a_day(day, false));
        if day == 2 {
            covered("80");
        }
        place.run(&["track"]);
    }
    for args in [&["token", "add", "ci", "--write"], &["token", "add", "page", "--read"]] {
        place.ok(args, "");
    }
    assert_eq!(place.pipe(&["record"], "{\"v\":1,\"kind\":\"nothing\"}\n").status.code(), Some(2), "a line for set-aside.jsonl");
    let torn = "\n{\"v\":1,\"kind\":\"operation\",\"at\":\"2026-11-05T10:00:00Z\",\"oper\n";
    append(&place.data().join("spool/shared.jsonl"), torn);
    place.run(&["track"]);
    sent(&place);
    place.ok(&["record"], &of_a_day(5, true));
    Spool::open(&place.data()).expect("a spool").seal().expect("sealed");
    place.ok(&["record"], &of_a_day(6, false));
    let recorder = Recorder::open(place.data()).expect("a recorder");
    let mut measured = Event::at(Timestamp::now(), Measurement::new("startup.duration", 0.25));
    measured.id = Some("own".to_owned());
    recorder.record(measured).expect("recorded");
    drop(recorder);
    shrink(&place.data());
    forget_the_place(&place.data());
    let to = Path::new(VERSION_1).join("alone/data");
    let _ = fs::remove_dir_all(&to);
    copy(&place.data(), &to);
}

/// The folder `copied` is of build 063b3ec, which is the first to keep copies of logs, and events that wait: `MADE_BY` named its program.
#[test]
#[ignore = "writes a folder of version 1, which is never to change"]
fn make_copied() {
    let place = Place { folder: tempfile::tempdir().expect("a folder") };
    // That build did not know the key `format`.
    let config = fs::read_to_string(Path::new(VERSION_1).join("milepost.toml")).expect("a configuration");
    fs::write(place.path("milepost.toml"), config.replace("format = 1\n", "")).expect("written");
    fs::create_dir(place.data()).expect("a folder");
    for day in 0..3 {
        place.ok(&["record"], &of_a_day(day, day == 0));
        place.run(&["track"]);
    }
    // As a recorder of a clock that was ahead writes them: `milepost record` refuses such.
    let soon = Timestamp::now().saturating_add(Duration::from_secs(600));
    for (id, at) in [("soon", soon.to_string()), ("late", "2099-01-01T00:00:00Z".to_owned())] {
        let line = format!("{{\"v\":1,\"kind\":\"session\",\"id\":\"{id}\",\"at\":\"{at}\",\"session\":\"{id}\"}}\n");
        append(&place.data().join("spool/shared.jsonl"), &line);
    }
    place.run(&["track"]);
    place.ok(&["record"], &of_a_day(3, false));
    shrink(&place.data());
    fs::remove_dir_all(place.data().join("reports")).expect("removed");
    let to = Path::new(VERSION_1).join("copied/data");
    let _ = fs::remove_dir_all(&to);
    copy(&place.data(), &to);
}

/// What happens on a day: of each kind something, or operations only.
fn of_a_day(day: u32, all: bool) -> String {
    let mut lines = String::new();
    let at = |n: usize| format!("2026-11-{:02}T10:{n:02}:00Z", day + 2);
    let mut line = |kind: &str, n: usize, rest: String| {
        let _ = writeln!(lines, "{{\"v\":1,\"kind\":\"{kind}\",\"id\":\"{kind}-{day}-{n}\",\"at\":\"{}\",{rest}}}", at(n));
    };
    for n in 0..8 {
        let (user, name) = (PEOPLE[n % 3], ["search", "install", "install_package"][n % 3]);
        let outcome = if n == 7 { "\"failed\",\"error\":{\"category\":\"network\",\"text\":\"no route\"}" } else { "\"ok\"" };
        let us = 100_000 + 10_000 * n;
        line(
            "operation",
            n,
            format!("\"operation\":\"{name}\",\"outcome\":{outcome},\"duration_us\":{us},\"user\":\"{user}\",\"persona\":\"maya\""),
        );
    }
    if !all {
        return lines;
    }
    for (n, user) in PEOPLE.iter().enumerate() {
        if day > 0 {
            line("session", n, format!("\"session\":\"s-{day}-{n}\",\"user\":\"{user}\""));
        }
        line("interaction", n, format!("\"recognized\":\"install\",\"arm\":\"learning\",\"user\":\"{user}\",\"index\":{n}"));
        line("label", n, format!("\"of\":\"interaction-{day}-{n}\",\"correct\":\"install\""));
        line("memory", n, format!("\"run\":\"r-{day}\",\"bytes\":{},\"measure\":\"pss\",\"complete\":true", 50_000_000 + n));
    }
    line("measurement", 0, "\"name\":\"coverage.statements\",\"value\":95,\"unit\":\"%\"".to_owned());
    line("note", 0, format!("\"topic\":\"release\",\"version\":\"1.{day}.0\""));
    line("note", 1, "\"topic\":\"feedback\",\"score\":4,\"text\":\"it is fast\"".to_owned());
    lines
}

fn append(path: &Path, content: &str) {
    fs::OpenOptions::new().append(true).create(true).open(path).and_then(|mut file| file.write_all(content.as_bytes())).expect("written");
}

/// A span by OTLP, which is an operation, and one that is left out.
fn sent(place: &Place) {
    let free = "127.0.0.1:0";
    let mut server = place.command(&["serve", "--listen", free, "--otlp-http", free, "--otlp-grpc", "off"]).spawn().expect("milepost runs");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
    let addresses: Value = serde_json::from_str(&line).expect("JSON");
    let host = addresses["otlp_http"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
    let span = |id: u8, parent: &str| {
        format!(
            "{{\"traceId\":\"{:032x}\",\"spanId\":\"{id:016x}\",{parent}\"name\":\"search\",\"kind\":1,\"startTimeUnixNano\":\
             \"1794500000000000000\",\"endTimeUnixNano\":\"1794500000200000000\"}}",
            7
        )
    };
    let spans = [span(1, ""), span(2, "\"parentSpanId\":\"0000000000000001\",")].join(",");
    let body = format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}]}}");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let head = "Content-Type: application/json\r\nConnection: close";
    write!(stream, "POST /v1/traces HTTP/1.1\r\nHost: {host}\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().expect("a status").success());
    let ended = server.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", text(&ended.stderr));
}

/// Lines that were set aside say where their segment was.
fn forget_the_place(data: &Path) {
    for entry in fs::read_dir(data.join("set-aside")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let lines = fs::read_to_string(&path).expect("lines");
        fs::write(&path, lines.replace(&*data.to_string_lossy(), "/home/maya/shop/.milepost")).expect("written");
    }
}

/// Leaves out what no program reads: pages, and the files that the tables do not need any more.
fn shrink(data: &Path) {
    for (folder, kept) in
        [("reports", &["latest.json"][..]), ("reports/reports", &["json"]), ("reports/data", &[]), ("reports/dashboards", &[])]
    {
        for entry in fs::read_dir(data.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !kept.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                fs::remove_file(path).expect("removed");
            }
        }
    }
    for table in fs::read_dir(data.join("store")).expect("a store") {
        let table = table.expect("an entry").path();
        for entry in fs::read_dir(table.join("_delta_log")).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            for line in fs::read_to_string(path).expect("a log").lines() {
                let action: Value = serde_json::from_str(line).expect("JSON");
                if let Some(removed) = action["remove"]["path"].as_str() {
                    let _ = fs::remove_file(table.join(removed));
                }
            }
        }
    }
}
