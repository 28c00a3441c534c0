//! Whatever is read as what another tool prints ends in a value, or in a sentence that says what is wrong.
//!
//! `bad_input/TARGET/` has what was found, and `bad_input/README.md` says why each is there. `cargo xtask bench fuzz` looks for more.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is tried for long tells what it tried, and where it hangs")]

#[path = "../../../fuzz/shared/held.rs"]
mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;
#[path = "bad_input/targets.rs"]
mod targets;

use held::{Counting, Target, files, hold};
use std::path::{Path, PathBuf};

#[global_allocator]
static MEMORY: Counting = Counting;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A reader with the inputs that were found, and with others.
fn try_it(name: &'static str, holds: fn(&[u8]), bytes_each: usize, mut inputs: Vec<Vec<u8>>) {
    inputs.extend(files(&here().join("bad_input").join(name)));
    hold(&Target { name, holds, bytes_each }, &inputs, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("found"));
}

/// What takes much of few bytes, where nobody takes care: long names that many share, and many that all name each other.
fn small_and_heavy() -> Vec<Vec<u8>> {
    let long = "n".repeat(100_000);
    let many = |text: &str, n: usize| vec![text; n].join(",");
    let numbered = |n: usize| (0..n).map(|n| format!("\"CVE-{n}\"")).collect::<Vec<_>>();
    let ids = numbered(3000);
    let advisories: Vec<_> = ids.iter().map(|id| format!("{{\"id\":{id}}}")).collect();
    let results: Vec<_> = ids.iter().map(|id| format!("{{\"ruleIndex\":0,\"ruleId\":{id}}}")).collect();
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    [
        // A rule whose ids many results have, of a tool with a long name.
        format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"{long}","rules":[{{"id":"CVE-x","deprecatedIds":[{}]}}]}}}},"results":[{}]}}]}}"#,
            ids.join(","),
            results.join(",")
        ),
        // A group of many ids, and each of them.
        format!(
            r#"{{"results":[{{"packages":[{{"package":{{"name":"{long}"}},"vulnerabilities":[{}],"groups":[{{"ids":[{}]}}]}}]}}],"experimental_config":{{}}}}"#,
            advisories.join(","),
            ids.join(",")
        ),
        format!(r#"{{"dependencies":[{{"name":"{long}","vulns":[{}]}}],"fixes":[]}}"#, many(r#"{"id":"a"}"#, 3000)),
        format!(r#"{{"{long}":[{}]}}"#, many(r#"{"type":"function","name":"f","lineno":1,"complexity":1}"#, 3000)),
        format!("<coverage line-rate=\"1\"><class filename=\"{long}\">{}</class></coverage>", "<line number=\"1\" hits=\"0\"/>".repeat(3000)),
        format!("TN:\nSF:{long}\n{}end_of_record\n", "DA:1,1\n".repeat(20_000)),
        format!("<testsuite><testcase{attributes}/></testsuite>"),
        format!("<testsuite>{}", "<testsuite>".repeat(100_000)),
        // A billion laughs.
        "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol1 \"&lol;&lol;&lol;&lol;&lol;\">]><testsuites>&lol1;</testsuites>"
            .to_owned(),
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><testsuites><testcase name=\"&xxe;\"/></testsuites>".to_owned(),
        format!("1,1,1,1,1,\"{}@", "a".repeat(10_000_000)),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn reports(folder: &str) -> Vec<Vec<u8>> {
    let mut reports = files(&here().join("reports").join(folder));
    // The smaller ones say all that the others do, and are tried far more often.
    reports.sort_by_key(Vec::len);
    reports.truncate(10);
    reports
}

#[test]
fn a_report_of_coverage_says_something_or_is_told_what_is_wrong() {
    try_it("report", targets::report, 96, reports("coverage"));
}

#[test]
fn a_report_of_complexity_says_something_or_is_told_what_is_wrong() {
    try_it("report", targets::report, 96, reports("complexity"));
}

#[test]
fn a_report_of_tests_says_something_or_is_told_what_is_wrong() {
    try_it("report", targets::report, 96, reports("tests"));
}

#[test]
fn a_report_of_vulnerabilities_says_something_or_is_told_what_is_wrong() {
    let mut inputs = reports("audit");
    // By the types that its page documents.
    inputs.push(
        br#"{"results":[{"source":{"path":"a","type":"lockfile"},"packages":[{"package":{"name":"p","version":"1","ecosystem":"npm"},
        "vulnerabilities":[{"id":"GHSA-1","aliases":["CVE-1"],"affected":[{"package":{"name":"p"},"ranges":[{"events":[{"introduced":"0"},
        {"fixed":"2"}]}]}]}],"groups":[{"ids":["GHSA-1"],"aliases":["CVE-1"],"max_severity":"7.5"}]}]}],"experimental_config":{}}"#
            .to_vec(),
    );
    try_it("report", targets::report, 96, inputs);
}

#[test]
fn a_small_report_takes_little_whatever_it_says() {
    try_it("report", targets::report, 96, small_and_heavy());
}

#[test]
fn a_history_is_months_or_is_told_what_is_wrong() {
    let record = |at: &str, others: &str| format!("c0ffee\u{1f}{at}\u{1f}Ada\u{1f}ada@example.org\u{1f}{others}\0");
    let inputs = [
        record("2026-11-20T00:00:00Z", "Bob <bob@example.org>\u{1e}dependabot[bot] <x@y>") + &record("2025-01-01T01:00:00+02:00", ""),
        record("0001-01-01T00:00:00Z", "") + &record("9999-12-30T23:59:59Z", ""),
        record("2026-11-20T00:00:00Z", &"<\u{1e}".repeat(20_000)),
    ];
    try_it("git_log", targets::git_log, 64, inputs.map(String::into_bytes).to_vec());
}

#[test]
fn lines_of_json_are_events_or_are_told_what_is_wrong() {
    let mut inputs: Vec<_> = [
        r#"{"at":"2026-11-20T10:00:00","operation":"search","success":true,"duration_ms":12.5,"error":"no such host","user":"ada","x":1}"#,
        r#"{"ts":1795554780123,"session":"s","persona":"p"}"#,
        r#"{"timestamp":"1795554780","name":"coverage","value":"95.5","unit":"%"}"#,
        r#"{"at":"2026-11-20 10:00:00 UTC","intent":"install","correct":"install","index":3,"words":9,"word_errors":1}"#,
        r#"{"v":1,"kind":"operation","at":"2026-11-20T10:00:00Z","operation":"a","outcome":"ok","attributes":{"a":1e15}}"#,
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec();
    inputs.push(inputs.join(&b'\n'));
    inputs.push(format!("{{\"at\":1795554780,\"operation\":\"{}\",\"exit_code\":0}}", "\\u0001".repeat(40_000)).into_bytes());
    inputs.push(format!("{{{}}}", (0..5000).map(|n| format!("\"a{n}\":{n}")).collect::<Vec<_>>().join(",")).into_bytes());
    try_it("json_lines", targets::json_lines, 512, inputs);
}

#[test]
fn a_table_is_events_or_is_told_what_is_wrong() {
    let mut inputs: Vec<_> = [
        "at,operation,success,duration_us,error,user\n2026-11-20T10:00:00Z,search,true,1200,,ada\n1795554780,install,0,9e3,\"no, \"\"such\"\" host\",u\n",
        "ts;name;value;unit\r\n2026-11-20 10:00;memory;12,5;MB\r\n",
        "\u{feff}timestamp\tsession_id\n1795554780\ts-1\n",
    ]
    .map(|table| table.as_bytes().to_vec())
    .to_vec();
    inputs.push([b"at,operation,success\n\"".to_vec(), vec![b'a'; 2_000_000]].concat());
    inputs.push(vec![b','; 200_000]);
    inputs.push(b"\"".repeat(200_001));
    try_it("csv", targets::csv, 512, inputs);
}

#[test]
fn a_document_of_benchmarks_is_events_or_is_told_what_is_wrong() {
    let mut inputs = files(&here().join("../../milepost/tests/import"));
    inputs.retain(|input| input.first() == Some(&b'{'));
    let runs = |command: &str, n: usize| {
        format!(
            r#"{{"results":[{{"command":"{command}","times":[{}],"exit_codes":[{}]}}]}}"#,
            vec!["0"; n].join(","),
            vec!["0"; n].join(",")
        )
    };
    inputs.push(runs("sleep 1", 3).into_bytes());
    // Few bytes that stand for very many.
    inputs.push(runs(&"n".repeat(100_000), 2_000).into_bytes());
    inputs.push(runs(&"n".repeat(4000), 1_000).into_bytes());
    let estimate = r#"{"point_estimate":1e3,"confidence_interval":{"confidence_level":0.95,"lower_bound":9e2,"upper_bound":1.1e3}}"#;
    inputs.push(format!("{{\"full_id\":\"a\"}}\u{1}{{\"mean\":{estimate},\"median\":{estimate}}}").into_bytes());
    try_it("benchmarks", targets::benchmarks, 1536, inputs);
}

#[test]
fn an_error_has_a_category_whatever_it_says() {
    let mut inputs = files(&here().join("error_texts/held_out"));
    inputs.sort_by_key(Vec::len);
    inputs.truncate(2);
    inputs.push(b"a*b|*|**\naXb".to_vec());
    inputs.push([b"*a".repeat(40), b"\n".to_vec(), b"a".repeat(60_000)].concat());
    inputs.push(b"\x1b]8;;".repeat(20_000));
    try_it("error_text", targets::error_text, 64, inputs);
}
