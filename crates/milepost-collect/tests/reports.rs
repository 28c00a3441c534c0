//! Reports that the tools printed themselves, against the summaries that they printed beside: see `reports/README.md`.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

use milepost_collect::{Format, Kind, Made, Reading, Refused, Report, could_be_a_report, read};
use milepost_record::{Event, Fact, Scalar, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every fixture, and the format that it has.
const FIXTURES: &[(&str, Format)] = &[
    ("coverage/coverage-py-5.0.json", Format::CoveragePy),
    ("coverage/coverage-py-5.5.json", Format::CoveragePy),
    ("coverage/coverage-py-7.5.4.json", Format::CoveragePy),
    ("coverage/coverage-py-7.17.4.json", Format::CoveragePy),
    ("coverage/coverage-py-7.17.4-statements.json", Format::CoveragePy),
    ("coverage/coverage-py-7.17.4.info", Format::Lcov),
    ("coverage/lcov-1.16.info", Format::Lcov),
    ("coverage/llvm-cov-19.info", Format::Lcov),
    ("coverage/coverage-py-7.17.4.xml", Format::Cobertura),
    ("coverage/coverage-py-7.17.4-statements.xml", Format::Cobertura),
    ("coverage/gcovr-5.2.xml", Format::Cobertura),
    ("coverage/llvm-cov-19.json", Format::LlvmCov),
    ("coverage/llvm-cov-19-summary-only.json", Format::LlvmCov),
    ("complexity/radon-6.0.1.json", Format::Radon),
    ("complexity/radon-6.0.1-broken.json", Format::Radon),
    ("complexity/lizard-1.24.3.xml", Format::LizardXml),
    ("complexity/lizard-1.24.3.csv", Format::LizardCsv),
    ("tests/pytest-9.2.0.xml", Format::Junit),
    ("tests/node-20.20.2.xml", Format::Junit),
    ("audit/pip-audit-2.10.1.json", Format::PipAudit),
    ("audit/pip-audit-2.10.1-clean.json", Format::PipAudit),
    ("audit/cargo-audit-0.22.2.json", Format::CargoAudit),
    ("audit/cargo-audit-0.22.2-clean.json", Format::CargoAudit),
    ("audit/cargo-audit-0.22.2.sarif", Format::Sarif),
    ("audit/cargo-audit-0.22.2-clean.sarif", Format::Sarif),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn summary(name: &str) -> String {
    String::from_utf8(bytes(&format!("{name}.summary.txt"))).expect("text")
}

fn fixture(name: &str) -> Report {
    let (_, format) = FIXTURES.iter().find(|(known, _)| *known == name).expect("a fixture of the list");
    let report = read(format.kind(), &bytes(name)).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    assert_eq!(report.format, *format, "{name}");
    report
}

fn total(report: &Report, name: &str) -> Option<f64> {
    report.totals().find(|reading| reading.name == name).map(|reading| reading.value)
}

fn attribute(reading: &Reading, name: &str) -> f64 {
    match reading.attributes.get(name) {
        Some(Scalar::Integer(number)) => *number as f64,
        other => panic!("{name}: {other:?}"),
    }
}

/// The numbers of the first line that begins with a text, without their signs and units.
fn numbers(summary: &str, begin: &str) -> Vec<f64> {
    let line = summary.lines().find(|line| line.trim_start().starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {summary}"));
    line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|word| word.trim_end_matches('.').parse().ok()).collect()
}

#[test]
fn every_file_in_the_folder_is_a_fixture_of_the_list_and_the_other_way_round() {
    let mut found = BTreeSet::new();
    for kind in ["coverage", "complexity", "tests", "audit"] {
        for entry in fs::read_dir(folder().join(kind)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            if !name.ends_with(".summary.txt") && name != "ruff-0.17.6.sarif" {
                found.insert(format!("{kind}/{name}"));
            }
        }
    }
    let listed: BTreeSet<_> = FIXTURES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
    for (name, _) in FIXTURES {
        fixture(name);
    }
}

#[test]
fn statements_and_branches_are_those_of_the_tool() {
    // Statements, missed, branches: where they stand in the line of the summary that begins so.
    let coverage_py = ("TOTAL", [0, 1], Some(2));
    for (name, of, (begin, [statements, missed], branches), source) in [
        ("coverage-py-5.0.json", "coverage-py-5.0", coverage_py, "coverage.py 5.0"),
        ("coverage-py-5.5.json", "coverage-py-5.5", coverage_py, "coverage.py 5.5"),
        ("coverage-py-7.5.4.json", "coverage-py-7.5.4", coverage_py, "coverage.py 7.5.4"),
        ("coverage-py-7.17.4.json", "coverage-py-7.17.4", coverage_py, "coverage.py 7.17.4"),
        ("coverage-py-7.17.4-statements.json", "coverage-py-7.17.4-statements", ("TOTAL", [0, 1], None), "coverage.py 7.17.4"),
        ("coverage-py-7.17.4.info", "coverage-py-7.17.4", coverage_py, "lcov"),
        ("coverage-py-7.17.4.xml", "coverage-py-7.17.4", coverage_py, "coverage.py 7.17.4"),
        ("coverage-py-7.17.4-statements.xml", "coverage-py-7.17.4-statements", ("TOTAL", [0, 1], None), "coverage.py 7.17.4"),
        ("llvm-cov-19.json", "llvm-cov-19", ("TOTAL", [6, 7], Some(9)), "llvm-cov"),
        ("llvm-cov-19-summary-only.json", "llvm-cov-19", ("TOTAL", [6, 7], Some(9)), "llvm-cov"),
        ("llvm-cov-19.info", "llvm-cov-19", ("TOTAL", [6, 7], Some(9)), "lcov"),
    ] {
        let report = fixture(&format!("coverage/{name}"));
        let line = numbers(&summary(&format!("coverage/{of}")), begin);
        let reading = report.totals().next().expect("statements");
        assert_eq!(report.source, source, "{name}");
        assert_eq!(reading.name, "coverage.statements");
        assert_eq!(attribute(reading, "of"), line[statements], "{name}");
        assert_eq!(attribute(reading, "covered"), line[statements] - line[missed], "{name}");
        assert_eq!(total(&report, "coverage.uncovered_lines"), Some(line[missed]), "{name}");
        assert_eq!(reading.value, 100.0 * (line[statements] - line[missed]) / line[statements], "{name}");
        assert_eq!(reading.unit, Some("%"));
        let reading = report.totals().find(|reading| reading.name == "coverage.branches");
        // Version 5.0 does not say how many branches are covered, and the reports without branches have none.
        let branches = branches.filter(|_| name != "coverage-py-5.0.json");
        assert_eq!(reading.map(|reading| attribute(reading, "of")), branches.map(|column| line[column]), "{name}");
    }
    for (name, of, lines, branches) in
        [("lcov-1.16.info", "lcov-1.16", "lines......:", "branches...:"), ("gcovr-5.2.xml", "gcovr-5.2", "lines:", "branches:")]
    {
        let report = fixture(&format!("coverage/{name}"));
        for (metric, begin) in [("coverage.statements", lines), ("coverage.branches", branches)] {
            let line = numbers(&summary(&format!("coverage/{of}")), begin);
            let reading = report.totals().find(|reading| reading.name == metric).expect("a total");
            assert_eq!([attribute(reading, "covered"), attribute(reading, "of")], line[1..3], "{name} {metric}");
            assert_eq!(format!("{:.1}", reading.value), format!("{:.1}", line[0]), "{name} {metric}");
        }
    }
}

#[test]
fn branches_that_are_covered_are_those_of_the_tool() {
    // What both the JSON and the totals of the XML say, and what a partial branch of the summary does not.
    for name in ["coverage-py-7.17.4.json", "coverage-py-7.17.4.xml", "coverage-py-7.17.4.info"] {
        let report = fixture(&format!("coverage/{name}"));
        assert_eq!(total(&report, "coverage.branches"), Some(75.0), "{name}");
    }
    let line = numbers(&summary("coverage/llvm-cov-19"), "TOTAL");
    for name in ["llvm-cov-19.json", "llvm-cov-19.info"] {
        let branches = total(&fixture(&format!("coverage/{name}")), "coverage.branches").expect("branches");
        assert_eq!(format!("{branches:.2}"), format!("{:.2}", line[11]), "{name}");
    }
}

#[test]
fn files_below_80_are_told_the_lowest_first() {
    let told = |name: &str| -> Vec<(String, String)> {
        let report = fixture(name);
        let details = report.readings.iter().filter(|reading| reading.name == "coverage.file");
        let details: Vec<_> = details.map(|r| (r.scope.clone().expect("a file"), format!("{:.1}", r.value))).collect();
        assert_eq!(total(&report, "coverage.files_below_80"), Some(details.len() as f64), "{name}");
        details
    };
    let pair = |path: &str, percent: &str| (path.to_owned(), percent.to_owned());
    assert_eq!(told("coverage/coverage-py-7.17.4.json"), []);
    assert_eq!(told("coverage/coverage-py-5.0.json"), [pair("shop/prices.py", "78.1")]);
    assert_eq!(told("coverage/llvm-cov-19.json"), [pair("/tmp/product/c/main.c", "60.0")]);
    assert_eq!(told("coverage/gcovr-5.2.xml"), [pair("main.c", "57.1")]);
}

#[test]
fn integration_tests_are_files_with_that_word() {
    assert_eq!(total(&fixture("coverage/coverage-py-7.17.4.json"), "coverage.integration_tests"), Some(1.0));
    assert_eq!(total(&fixture("coverage/coverage-py-7.17.4.xml"), "coverage.integration_tests"), None);
}

#[test]
fn complexity_is_that_of_the_functions_in_the_summary_of_radon() {
    for name in ["complexity/radon-6.0.1", "complexity/radon-6.0.1-broken"] {
        let text = summary(name);
        // `    M 39:4 Basket.price - A (2)`; classes begin with a C.
        let of = |sorts: &[&str]| -> Vec<f64> {
            let lines = text.lines().filter(|line| sorts.contains(&line.split_whitespace().next().unwrap_or_default()));
            lines.map(|line| line.rsplit_once('(').unwrap().1.trim_end_matches(')').parse().unwrap()).collect()
        };
        let (functions, blocks) = (of(&["F", "M"]), of(&["F", "M", "C"]));
        let average = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        // Its own average counts classes too: that the lines are read right.
        assert!((average(&blocks) - numbers(&text, "Average complexity")[0]).abs() < 1e-9, "{name}");
        let report = fixture(&format!("{name}.json"));
        assert_eq!(total(&report, "complexity.average"), Some(average(&functions)), "{name}");
        assert_eq!(total(&report, "complexity.maximum"), functions.iter().copied().reduce(f64::max), "{name}");
        assert_eq!(total(&report, "complexity.functions_above_10"), Some(1.0), "{name}");
        let failed: Vec<_> = text.lines().filter(|line| line.contains("ERROR:")).collect();
        assert_eq!(total(&report, "complexity.unreadable_files"), Some(failed.len() as f64), "{name}");
        assert_eq!(report.unreadable.len(), failed.len(), "{name}");
    }
    assert!(fixture("complexity/radon-6.0.1-broken.json").unreadable[0].starts_with("shop/broken.py (invalid syntax"));
}

#[test]
fn complexity_is_that_of_the_total_in_the_summary_of_lizard() {
    let text = summary("complexity/lizard-1.24.3");
    let lines: Vec<_> = text.lines().collect();
    let total_line = lines.iter().position(|line| line.starts_with("Total nloc")).expect("totals") + 2;
    let line = numbers(lines[total_line], "");
    for name in ["complexity/lizard-1.24.3.xml", "complexity/lizard-1.24.3.csv"] {
        let report = fixture(name);
        let average = report.totals().next().expect("an average");
        assert_eq!(format!("{:.1}", average.value), format!("{:.1}", line[2]), "{name}");
        assert_eq!(attribute(average, "of"), line[4], "{name}");
        assert_eq!(report.source, "lizard");
    }
}

#[test]
fn the_five_worst_functions_are_told_the_worst_first() {
    let name = |reading: &Reading| match &reading.attributes["name"] {
        Scalar::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    for (fixture_name, worst) in [
        ("complexity/radon-6.0.1.json", ["shop/prices.py 4 total 15", "shop/stock.py 4 state 4", "shop/stock.py 21 reorder 3"]),
        ("complexity/lizard-1.24.3.csv", ["py/shop/prices.py 4 total 15", "c/stock.c 3 state 4", "c/stock.c 12 reorder 4"]),
        ("complexity/lizard-1.24.3.xml", ["py/shop/prices.py 4 total 15", "c/stock.c 3 state 4", "c/stock.c 12 reorder 4"]),
    ] {
        let report = fixture(fixture_name);
        let details: Vec<_> = report.readings.iter().filter(|reading| reading.name == "complexity.function").collect();
        assert_eq!(details.len(), 5, "{fixture_name}");
        let told: Vec<_> =
            details.iter().map(|d| format!("{} {} {} {}", d.scope.as_deref().unwrap(), attribute(d, "line"), name(d), d.value)).collect();
        assert_eq!(told[..3], worst, "{fixture_name}");
    }
    // A method has the name of its class.
    let report = fixture("complexity/radon-6.0.1-broken.json");
    let named: Vec<_> = report.readings.iter().filter(|r| r.name == "complexity.function").map(name).collect();
    assert_eq!(named, ["total", "state", "reorder", "Basket.price", "report"]);
}

#[test]
fn tests_are_those_in_the_summary_of_the_runner() {
    let text = summary("tests/pytest-9.2.0");
    // `1 failed, 6 passed, 1 skipped in 0.02s`
    let counts = numbers(text.lines().last().expect("a line"), "");
    let pytest = fixture("tests/pytest-9.2.0.xml");
    let of = |report: &Report, names: &[&str]| -> Vec<f64> { names.iter().map(|name| total(report, name).expect("a total")).collect() };
    assert_eq!(of(&pytest, &["tests.failed", "tests.passed", "tests.skipped"]), counts[..3]);
    assert_eq!(of(&pytest, &["tests.total", "tests.integration", "tests.duration"]), [8.0, 2.0, 0.03]);
    assert_eq!(pytest.made, Made::At("2026-11-25T12:20:04.709473Z".parse().unwrap()));

    let text = summary("tests/node-20.20.2");
    let told = ["# tests", "# fail", "# pass", "# skipped"].map(|begin| numbers(&text, begin)[0]);
    let node = fixture("tests/node-20.20.2.xml");
    assert_eq!(of(&node, &["tests.total", "tests.failed", "tests.passed", "tests.skipped"]), told);
    // Two in a suite within a suite. The outermost suite and two tests beside it tell their times.
    assert_eq!(total(&node, "tests.integration"), Some(2.0));
    assert!((total(&node, "tests.duration").expect("a time") - (0.009161 + 0.000125 + 0.000164)).abs() < 1e-9);
    assert_eq!(node.made, Made::Untold);
}

#[test]
fn vulnerabilities_are_those_in_the_summary_each_once() {
    // pip-audit lists one that two services know twice.
    let text = summary("audit/pip-audit-2.10.1");
    let ids: BTreeSet<_> = text.lines().skip(2).filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(total(&fixture("audit/pip-audit-2.10.1.json"), "vulnerabilities.known"), Some(ids.len() as f64));
    assert!(summary("audit/pip-audit-2.10.1-clean").starts_with("No known vulnerabilities found"));
    // `error: 2 vulnerabilities found!`; what nobody maintains is a warning.
    let found = numbers(&summary("audit/cargo-audit-0.22.2"), "error: 2 vulnerabilities")[0];
    for name in ["audit/cargo-audit-0.22.2.json", "audit/cargo-audit-0.22.2.sarif"] {
        assert_eq!(total(&fixture(name), "vulnerabilities.known"), Some(found), "{name}");
    }
    for name in ["audit/pip-audit-2.10.1-clean.json", "audit/cargo-audit-0.22.2-clean.json", "audit/cargo-audit-0.22.2-clean.sarif"] {
        let report = fixture(name);
        assert_eq!(total(&report, "vulnerabilities.known"), Some(0.0), "{name}");
        assert_eq!(report.readings.len(), report.totals().count(), "{name}");
    }
    assert_eq!(fixture("audit/cargo-audit-0.22.2.sarif").source, "cargo-audit 0.22.2");
}

#[test]
fn an_advisory_says_package_version_severity_and_what_fixes_it() {
    let told = |name: &str| -> Vec<BTreeMap<String, String>> {
        let report = fixture(name);
        let details = report.readings.iter().filter(|reading| reading.name == "vulnerabilities.advisory");
        let text = |value: &Scalar| match value {
            Scalar::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        details
            .map(|r| r.attributes.iter().map(|(k, v)| (k.clone(), text(v))).chain([("of".to_owned(), r.scope.clone().unwrap())]).collect())
            .collect()
    };
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
    assert_eq!(
        told("audit/pip-audit-2.10.1.json"),
        [
            map(&[("of", "invented-basket"), ("id", "PYSEC-2026-9001"), ("version", "1.0.0"), ("fixed_in", "1.2.0")]),
            map(&[("of", "invented-basket"), ("id", "PYSEC-2026-9002"), ("version", "1.0.0")]),
            map(&[("of", "invented-till"), ("id", "CVE-2026-90002"), ("version", "1.1.0"), ("fixed_in", "2.0.0")]),
        ]
    );
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
    let one = [("of", "invented-shelf"), ("id", "RUSTSEC-2026-9001"), ("version", "1.0.0"), ("severity", vector), ("fixed_in", ">=1.2.0")];
    assert_eq!(
        told("audit/cargo-audit-0.22.2.json"),
        [map(&one), map(&[("of", "invented-shelf"), ("id", "RUSTSEC-2026-9002"), ("version", "1.0.0")])]
    );
    assert_eq!(
        told("audit/cargo-audit-0.22.2.sarif"),
        [
            map(&[("of", "Cargo.lock"), ("id", "RUSTSEC-2026-9001"), ("severity", "7.5")]),
            map(&[("of", "Cargo.lock"), ("id", "RUSTSEC-2026-9002")])
        ]
    );
}

#[test]
fn the_time_is_that_of_the_report() {
    for (name, made) in [
        ("coverage/coverage-py-7.17.4.json", Made::Local("2026-11-25T12:19:10.674826".parse().unwrap())),
        ("coverage/coverage-py-7.17.4.xml", Made::At("2026-11-25T12:19:10.882Z".parse().unwrap())),
        ("coverage/lcov-1.16.info", Made::Untold),
        ("audit/cargo-audit-0.22.2.sarif", Made::Untold),
    ] {
        assert_eq!(fixture(name).made, made, "{name}");
    }
    // gcovr writes seconds, coverage.py milliseconds.
    let Made::At(at) = fixture("coverage/gcovr-5.2.xml").made else { panic!("a time") };
    assert!(at.to_string().starts_with("2026-11-25T12:"), "{at}");
}

#[test]
fn events_are_valid_hang_together_and_have_ids_of_their_own() {
    let at: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    let mut ids = BTreeSet::new();
    for (name, _) in FIXTURES {
        let report = fixture(name);
        let events = report.events(at);
        assert_eq!(events, report.events(at), "{name}");
        assert_eq!(events.len(), report.readings.len());
        for event in &events {
            let read = Event::from_json(&event.to_json().expect("a line")).expect("an event");
            assert_eq!(read, *event);
            let Fact::Measurement(measurement) = &event.fact else { panic!("{event:?}") };
            assert_eq!((event.at, measurement.source.as_deref()), (at, Some(report.source.as_str())));
            assert_eq!(event.attributes["report"], events[0].attributes["report"]);
            assert!(ids.insert(event.id.clone()), "{name} {event:?}");
        }
        // The tool may have run again and said the same.
        assert!(report.events(at.saturating_add(std::time::Duration::from_secs(1))).iter().all(|event| !ids.contains(&event.id)));
    }
}

#[test]
fn a_truncated_report_is_refused_or_says_the_same() {
    for (name, format) in FIXTURES {
        let bytes = bytes(name);
        let whole = fixture(name);
        // Each cut in a small report; in a large one, some hundred, among them the last ones.
        let step = (bytes.len() / 400).max(1);
        for cut in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(200)..bytes.len()) {
            let part = &bytes[..cut];
            let _ = could_be_a_report(format.kind(), part);
            match read(format.kind(), part) {
                Err(refused) => {
                    let sentence = refused.to_string();
                    assert!(!sentence.contains('\n') && sentence.len() < 700, "{name} {cut}: {sentence}");
                }
                Ok(report) if report.readings == whole.readings => {}
                // Neither format says how many records it has, so one that is cut between two is whole.
                Ok(_) if *format == Format::Lcov && part.trim_ascii_end().ends_with(b"end_of_record") => {}
                Ok(_) if *format == Format::LizardCsv && part.ends_with(b"\n") => {}
                Ok(report) => panic!("{name} cut at {cut}: {report:?}"),
            }
        }
    }
}

#[test]
fn a_report_of_another_kind_names_the_command_for_it() {
    for (name, format) in FIXTURES {
        for kind in [Kind::Coverage, Kind::Complexity, Kind::Tests, Kind::Audit].into_iter().filter(|kind| *kind != format.kind()) {
            assert_eq!(read(kind, &bytes(name)), Err(Refused::OtherKind { format: *format }), "{name}");
        }
    }
    let refused = read(Kind::Audit, &bytes("tests/pytest-9.2.0.xml")).expect_err("tests").to_string();
    assert_eq!(refused, "it is a report of JUnit (XML): collect it with `milepost collect tests`");
}

#[test]
fn what_is_no_report_is_refused_in_a_sentence() {
    let nested = |open: &str| open.repeat(200_000);
    let deep_list = format!("{{\"meta\":{}", nested("["));
    let deep_map = nested("{\"a\":");
    let deep_files = format!("{{\"meta\":{{}},\"totals\":{{\"covered_lines\":1,\"num_statements\":1}},\"files\":{}", nested("{\"a\":"));
    let deep_whole = format!("{}1{}", nested("{\"a\":"), nested("}"));
    let deep_xml = format!("<testsuites>{}", nested("<testsuite>"));
    let bomb = "<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><testsuites><testcase name=\"&b;\"/></testsuites>";
    let undeclared = "<testsuites><testcase name=\"x\" classname=\"&b;\"/></testsuites>";
    for (kind, text, says) in [
        (Kind::Coverage, "", "it is empty"),
        (Kind::Coverage, " \n\t ", "it is empty"),
        (Kind::Coverage, "hello", "it is no report that `milepost collect coverage` reads: those are coverage.py (JSON), lcov,"),
        (Kind::Coverage, "\u{feff}{}", "it is no report"),
        (Kind::Coverage, "{}", "it is no report"),
        (Kind::Coverage, "[]", "it is no report"),
        (Kind::Complexity, "{}", "has no function in it, and a report of nothing is no data"),
        (
            Kind::Complexity,
            "{\"a.py\": {\"error\": \"invalid syntax\"}}",
            "radon could read none of its files, first a.py (invalid syntax)",
        ),
        (Kind::Complexity, "{\"a.py\": []}", "has no function in it"),
        (Kind::Coverage, "<!DOCTYPE html><html><body>no</body></html>", "it is no report"),
        (Kind::Coverage, "<coverage generated=\"1\"><project/></coverage>", "it is no report"),
        (Kind::Coverage, "<coverage line-rate=\"1\" version=\"1\"><packages/></coverage>", "has no statement in it"),
        (
            Kind::Coverage,
            "{\"meta\": {\"format\": 4}, \"files\": {}, \"totals\": {\"covered_lines\": 0, \"num_statements\": 0}}",
            "it has format 4",
        ),
        (
            Kind::Coverage,
            "{\"meta\": {}, \"files\": {}, \"totals\": {\"covered_lines\": 0, \"num_statements\": 0}}",
            "has no statement in it",
        ),
        (
            Kind::Coverage,
            "{\"meta\": {}, \"files\": {\"a\": {\"summary\": {\"covered_lines\": 5, \"num_statements\": 4}}}, \"totals\": {\"covered_lines\": 0, \"num_statements\": 4}}",
            "5 of 4 are covered",
        ),
        (
            Kind::Coverage,
            "{\"meta\": {}, \"files\": {\"a\": {\"summary\": {\"covered_lines\": 3, \"num_statements\": 4}}}, \"totals\": {\"covered_lines\": 3, \"num_statements\": 9}}",
            "its files have 4 statements, and its totals 9",
        ),
        (Kind::Coverage, "SF:a\nDA:1,1\n", "its last record does not end"),
        (Kind::Coverage, "SF:a\nDA:1,1\nSF:b\n", "at line 3"),
        (Kind::Coverage, "SF:a\nDA:x,1\nend_of_record\n", "no line and count at line 2"),
        (Kind::Coverage, "SF:a\nwhat is this\nend_of_record\n", "not lcov's at line 2"),
        (Kind::Coverage, "TN:\nSF:a\nend_of_record\n", "has no statement in it"),
        (Kind::Coverage, &deep_list, "JSON that is damaged"),
        (Kind::Coverage, &deep_map, "JSON that is damaged"),
        (Kind::Coverage, &deep_files, "EOF while parsing"),
        (Kind::Complexity, &deep_whole, "it is no report"),
        (Kind::Tests, &deep_xml, "nested too deeply"),
        (Kind::Tests, bomb, "it declares entities"),
        (Kind::Tests, undeclared, "at line 1"),
        (Kind::Tests, "<testsuites tests=\"9\"/>", "has no test case in it"),
        (Kind::Tests, "<testsuites><testcase/></testsuites><testsuites/>", "another document begins"),
        (Kind::Audit, "{\"dependencies\": [], \"fixes\": []}", "has no audited package in it"),
        (
            Kind::Audit,
            "{\"dependencies\": [{\"name\": \"a\", \"skip_reason\": \"not on PyPI\"}], \"fixes\": []}",
            "has no audited package in it",
        ),
        (Kind::Audit, "{\"version\": \"1.0\", \"runs\": []}", "it has version 1.0"),
        (Kind::Audit, "{\"version\": \"2.1.0\", \"runs\": []}", "has no run of a tool in it"),
        (
            Kind::Audit,
            "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": {\"name\": \"Trivy\"}}}]}",
            "Trivy says nothing of results",
        ),
    ] {
        let start: String = text.chars().take(60).collect();
        let sentence = read(kind, text.as_bytes()).expect_err(&start).to_string();
        assert!(sentence.contains(says), "{start}: {sentence}");
        assert!(!sentence.contains('\n') && sentence.len() < 700, "{start}: {sentence}");
    }
    for (bytes, says) in
        [(&b"\xff\xfe{\0}\0"[..], "UTF-16"), (b"{\"a\": \"\xff\"}", "it is not UTF-8 text"), (b"{\0\0", "it is not UTF-8 text")]
    {
        let sentence = read(Kind::Audit, bytes).expect_err("no text").to_string();
        assert!(sentence.contains(says), "{sentence}");
    }
}

#[test]
fn a_linter_says_nothing_of_vulnerabilities() {
    let sentence = read(Kind::Audit, &bytes("audit/ruff-0.17.6.sarif")).expect_err("a linter").to_string();
    assert!(sentence.contains("nothing in it shows that `ruff` looks for known vulnerabilities"), "{sentence}");
}

#[test]
fn sarif_counts_what_failed_and_is_not_suppressed() {
    let sarif = |results: &str| {
        let rules = r#"[{"id": "CVE-1", "deprecatedIds": ["GHSA-1"]}, {"id": "GHSA-1"}, {"id": "x", "properties": {"security-severity": 9.8}},
            {"id": "quiet", "defaultConfiguration": {"level": "none"}, "properties": {"security-severity": "1.0"}},
            {"id": "key", "properties": {"security-severity": "8.0", "tags": ["secret", "security"]}}, {"id": "style"}]"#;
        let invocations = r#"[{"executionSuccessful": true, "endTimeUtc": "2026-11-25T12:00:00Z"}]"#;
        let run = format!(
            r#"{{"tool": {{"driver": {{"name": "t", "version": "1", "rules": {rules}}}}}, "results": [{results}], "invocations": {invocations}}}"#
        );
        read(Kind::Audit, format!(r#"{{"version": "2.1.0", "runs": [{run}]}}"#).as_bytes()).expect("a report")
    };
    for (result, known) in [
        ("", 0.0),
        (r#"{"ruleId": "CVE-1"}"#, 1.0),
        (r#"{"ruleIndex": 0}"#, 1.0),
        (r#"{"rule": {"index": 0}}"#, 1.0),
        (r#"{"ruleId": "CVE-1"}, {"ruleId": "GHSA-1"}"#, 1.0),
        (r#"{"ruleId": "CVE-1"}, {"ruleId": "x", "level": "note"}"#, 2.0),
        (r#"{"ruleId": "PYSEC-2"}"#, 1.0),
        (r#"{"ruleId": "style", "level": "error"}"#, 0.0),
        (r#"{"ruleId": "key", "level": "error"}"#, 0.0),
        (r#"{"ruleId": "quiet"}"#, 0.0),
        (r#"{"ruleId": "quiet", "level": "error"}"#, 1.0),
        (r#"{"ruleId": "CVE-1", "kind": "pass"}"#, 0.0),
        (r#"{"ruleId": "CVE-1", "baselineState": "absent"}"#, 0.0),
        (r#"{"ruleId": "CVE-1", "suppressions": [{"kind": "external"}]}"#, 0.0),
        (r#"{"ruleId": "CVE-1", "suppressions": [{"kind": "external", "status": "rejected"}]}"#, 1.0),
        (r#"{"ruleId": "CVE-1", "suppressions": []}"#, 1.0),
    ] {
        assert_eq!(total(&sarif(result), "vulnerabilities.known"), Some(known), "{result}");
    }
    let report = sarif("");
    assert_eq!((report.source.as_str(), report.made), ("t 1", Made::At("2026-11-25T12:00:00Z".parse().unwrap())));
}

/// The tool itself could not be had where these tests were written: what stands here was written by hand, by the types on its
/// page, and shows only that they are read as they are documented.
#[test]
fn osv_scanner_is_read_by_its_documented_types() {
    let osv = |results: &str| read(Kind::Audit, format!(r#"{{"results": {results}, "experimental_config": {{}}}}"#).as_bytes());
    let package = r#"{"package": {"name": "shelf", "version": "1.0.0", "ecosystem": "crates.io"},
        "vulnerabilities": [
            {"id": "GHSA-1", "aliases": ["CVE-1"], "affected": [{"package": {"name": "shelf", "ecosystem": "crates.io"},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}]}]},
            {"id": "RUSTSEC-1", "aliases": ["CVE-1"]}],
        "groups": [{"ids": ["GHSA-1", "RUSTSEC-1"], "aliases": ["CVE-1", "GHSA-1", "RUSTSEC-1"], "max_severity": "7.5"}]}"#;
    let report =
        osv(&format!(r#"[{{"source": {{"path": "Cargo.lock", "type": "lockfile"}}, "packages": [{package}]}}]"#)).expect("a report");
    assert_eq!(total(&report, "vulnerabilities.known"), Some(1.0));
    let detail = &report.readings[1];
    assert_eq!(detail.scope.as_deref(), Some("shelf"));
    for (name, text) in [("id", "GHSA-1"), ("version", "1.0.0"), ("severity", "7.5"), ("fixed_in", "1.2.0")] {
        assert_eq!(detail.attributes[name], Scalar::from(text));
    }
    // What the snapshots of the tool's own tests have beside that: a package known by its commit only, one that is listed for its
    // licence, a vulnerability of which nothing is said, no severity.
    let bare = r#"[{"source": {"path": "lock", "type": "lockfile"}, "packages": [
        {"package": {"name": "shelf", "version": "", "ecosystem": "npm", "commit": "abc123"}, "dependency_groups": ["dev"],
            "groups": [{"ids": ["OSV-1"], "aliases": ["OSV-1"], "max_severity": ""}],
            "vulnerabilities": [{"id": "OSV-1", "severity": [{"score": "1"}]}]},
        {"package": {"name": "table", "version": "0.4.1", "ecosystem": "npm"}, "licenses": ["MIT"], "license_violations": ["MIT"]}]},
        {"source": {"path": "other", "type": "sbom"}, "packages": []}]"#;
    let report = osv(bare).expect("a report");
    assert_eq!((report.readings.len(), total(&report, "vulnerabilities.known")), (2, Some(1.0)));
    assert_eq!(report.readings[1].attributes.keys().collect::<Vec<_>>(), ["id"]);
    assert_eq!(total(&osv("[]").expect("nothing found"), "vulnerabilities.known"), Some(0.0));
    assert!(osv("{}").is_err());
}
