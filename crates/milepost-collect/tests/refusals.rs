//! What a report or an import is refused for, in words that tell somebody what to change.

use jiff::tz::TimeZone;
use milepost_collect::{
    Kind, Made,
    error_category::{PATTERNS_MAX, RULES_MAX, Rule, Rules},
    import::{self, COLUMNS_MAX, Columns, Format, ROW_BYTES_MAX, Surroundings},
    read,
};
use milepost_record::{Kind as Event, Scalar, Timestamp};
use serde_json::{Value, json};

fn columns(names: &[&str], map: &[(&str, &str)]) -> Result<Columns, String> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let map: Vec<_> = map.iter().map(|(name, column)| (name.to_string(), column.to_string())).collect();
    Columns::new(Event::Operation, &names, &map).map_err(|unsuitable| unsuitable.to_string())
}

#[test]
fn columns_that_cannot_be_used_are_named() {
    let ok = ["at", "operation", "success"];
    for (names, map, said) in [
        (&ok[..], &[("at", "when")][..], "there is no column `when` to map; there are: at, operation, success"),
        (&ok, &[("weather", "at")], "`--map weather=…`: this is no name that a column can be mapped to; there are "),
        (&["a", "b", "operation", "success"], &[("at", "a"), ("at", "b")], "`a` and `b` both tell `at`: `--map at=COLUMN` says which one"),
        (&[], &[], "there are: none"),
        (&["x"; 32], &[], ", x, and 2 more. `--map "),
        (&["x"; COLUMNS_MAX + 1], &[], "it has 1001 columns, and at most 1000 are read"),
    ] {
        let error = columns(names, map).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_row_beyond_the_limit_is_refused_and_other_columns_are_kept() {
    let rules = Rules::defaults();
    let around = Surroundings { zone: &TimeZone::UTC, rules: &rules, pseudonym: &str::to_owned };
    let of = columns(&["at", "operation", "success", "shop", "express", "empty"], &[]).expect("columns");
    let row = |shop: String| [json!("2026-11-20T10:00:00Z"), json!("search"), json!(true), json!(shop), json!("true"), Value::Null];
    let error = of.event(&row("x".repeat(ROW_BYTES_MAX)), &around).expect_err("too long");
    assert!(error.starts_with("the row has ") && error.ends_with(&format!(" bytes, and at most {ROW_BYTES_MAX} are read")), "{error}");
    let event = of.keeping(&["shop", "express", "empty"]).event(&row("Bern".to_owned()), &around).expect("an event");
    let kept: Vec<_> = event.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(kept, [("express", Scalar::Boolean(true)), ("shop", Scalar::Text("Bern".to_owned()))]);
}

#[test]
fn an_export_of_hyperfine_that_does_not_say_enough_is_refused() {
    let read = |result: Value, whole: bool| {
        import::read(Format::Hyperfine, &json!({ "results": result }).to_string(), Timestamp::now(), whole).map_err(|no| no.to_string())
    };
    for (result, said) in [
        (json!([{ "command": "a -x" }]), "the result of `a -x` has no single times: this export is of a summary"),
        (json!([{ "command": "a", "times": [1] }]), "the result of `a` has no exit codes, so nobody knows how the runs ended"),
        (json!([{ "command": "a", "times": [1, 2], "exit_codes": [0] }]), "has 2 times and 1 exit codes"),
        (json!([{ "command": "LANG=C", "times": [1], "exit_codes": [0] }]), "names no program: `hyperfine --command-name`"),
    ] {
        let error = read(result, false).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
    let two =
        json!([{ "command": "grep -r x", "times": [1], "exit_codes": [0] }, { "command": "grep y", "times": [2], "exit_codes": [1] }]);
    let document = read(two.clone(), false).expect("a document");
    assert_eq!(document.notes.len(), 1);
    assert!(
        document.notes[0].starts_with("2 commands become the operation `grep`, since arguments are not stored"),
        "{:?}",
        document.notes
    );
    assert_eq!(read(two, true).expect("a document").notes, Vec::<String>::new(), "whole commands are apart");
}

#[test]
fn a_report_that_contradicts_itself_is_refused() {
    let cargo_audit = |advisories: u64, dependencies: u64, count: u64| {
        json!({
            "database": { "advisory-count": advisories },
            "lockfile": { "dependency-count": dependencies },
            "vulnerabilities": { "found": false, "count": count, "list": [] },
        })
        .to_string()
    };
    let sarif = json!({
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "Trivy" } }, "results": [], "invocations": [{ "executionSuccessful": false }] }],
    });
    let llvm = json!({ "data": [], "type": "llvm.coverage.json.import", "version": "2.0.1" });
    for (kind, text, said) in [
        (Kind::Audit, cargo_audit(0, 9, 0), "its database held no advisory, so it could find nothing"),
        (Kind::Audit, cargo_audit(9, 0, 0), "has no dependency in it"),
        (Kind::Audit, cargo_audit(9, 9, 2), "it counts 2 vulnerabilities and lists 0"),
        (Kind::Audit, sarif.to_string(), "Trivy says that it failed"),
        (Kind::Audit, r#"{"dependencies": [{"name": "six"}], "fixes": []}"#.to_owned(), "nothing is said of `six`"),
        (Kind::Coverage, llvm.to_string(), "its type is `llvm.coverage.json.import`, not `llvm.coverage.json.export`"),
        (
            Kind::Coverage,
            r#"<coverage line-rate="1"><packages><class><lines/></class></packages></coverage>"#.to_owned(),
            "there is a class without the name of its file",
        ),
    ] {
        let error = read(kind, text.as_bytes()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_test_that_did_not_run_is_skipped_and_the_latest_suite_says_when() {
    let report = read(
        Kind::Tests,
        br#"<testsuites>
            <testsuite name="a" timestamp="2026-11-24T10:00:00"><testcase name="x" status="notrun"/><testcase name="y" status="run"/></testsuite>
            <testsuite name="b" timestamp="2026-11-24T12:00:00"><testcase name="z" result="skipped"/></testsuite>
        </testsuites>"#,
    )
    .expect("a report");
    let of = |name: &str| report.totals().find(|reading| reading.name == name).map(|reading| reading.value);
    assert_eq!((of("tests.passed"), of("tests.skipped"), of("tests.total")), (Some(1.0), Some(2.0), Some(3.0)));
    assert_eq!(report.made, Made::Local("2026-11-24T12:00:00".parse().expect("a time")));
}

#[test]
fn more_rules_than_are_tried_are_refused() {
    let rule = |patterns: usize| Rule { category: "quota".to_owned(), any: vec!["quota".to_owned(); patterns] };
    for (rules, said) in [
        (vec![rule(1); RULES_MAX + 1], "101 error categories are given, 100 are the most"),
        (vec![rule(PATTERNS_MAX + 1)], "has 101 patterns, 100 are the most: use * or give the category twice"),
    ] {
        let error = Rules::defaults().with_first(rules).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
    let rules = Rules::defaults().with_first(vec![rule(1)]).expect("rules");
    assert_eq!(rules.categorize("over quota"), "quota");
}
