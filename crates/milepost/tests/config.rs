//! The configuration: every fault as a person sees it, the presets, the schema, and where files are found.
//!
//! `config/faults.txt` holds pairs of a file and its report. `UPDATE_GOLDEN=1 cargo test --test config` writes the reports
//! anew; read the difference before you keep it.

use milepost::config::{
    self, Address, AlertFormat, Collect, Collected, Config, ConfigError, ErrorCategory, Preset, Probe, Receiver, Surroundings, To, blank,
    data_folder, find, folder_name,
};
use milepost_collect::Kind;
use milepost_judge::{Criterion, Failures, Metric, Relation, Since, Tier, Verdict, judge, questions};
use milepost_record::{Dimension, Texts, Timestamp};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read(Path::new("milepost.toml"), text.as_bytes())
}

/// A file with this criterion, and what it means.
fn criterion(keys: &str) -> Result<Criterion, ConfigError> {
    let text = format!("[project]\nname = \"p\"\n[[criterion]]\nname = \"c\"\n{keys}\n");
    read(&text).map(|mut config| config.criteria.criteria.remove(0))
}

// Faults

#[test]
fn every_fault_is_shown_with_its_line_and_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/faults.txt");
    let written = fs::read_to_string(&path).unwrap();
    let mut now = String::new();
    for pair in written.split("=== milepost.toml\n").skip(1) {
        let (file, _) = pair.split_once("=== report\n").unwrap();
        let report = read(file).expect_err(file).to_string();
        now += &format!("=== milepost.toml\n{file}=== report\n{report}\n\n");
    }
    let now = now.trim_end().to_owned() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, now).unwrap();
    } else {
        assert_same_lines(&written, &now);
    }
}

fn assert_same_lines(written: &str, now: &str) {
    for (number, (written, now)) in written.lines().zip(now.lines()).enumerate() {
        assert_eq!(written, now, "tests/config/faults.txt:{}", number + 1);
    }
    assert_eq!(written.lines().count(), now.lines().count());
}

#[test]
fn the_advice_for_a_missing_bound_is_a_bound_that_works() {
    for metric in Metric::fixed() {
        let metric = format!("metric = \"{metric}\"");
        let report = criterion(&metric).unwrap_err().to_string();
        let (_, advice) = report.split_once("add one, such as ").expect("an example");
        criterion(&format!("{metric}\n{advice}")).unwrap();
    }
}

#[test]
fn the_advice_for_a_missing_unit_is_an_amount_that_works() {
    for (keys, advice) in [
        ("metric = \"latency.p95\"\nbelow = 0.5", "\"0.5ms\""),
        ("metric = \"memory.peak\"\nbelow = 300", "\"300MB\""),
        ("metric = \"memory.slope\"\nat_most = 10", "\"10MB/d\""),
        ("metric = \"success.rate\"\nabove = 0.07", "\"7%\""),
        ("metric = \"success.rate\"\nabove = 99.9", "\"99.9%\""),
    ] {
        let report = criterion(keys).unwrap_err().to_string();
        assert!(report.ends_with(&format!("= help: write {advice}")), "{report}");
        let (before, _) = keys.rsplit_once("= ").unwrap();
        criterion(&format!("{before}= {advice}")).unwrap();
    }
}

#[test]
fn what_is_not_text_or_too_much_is_refused() {
    let path = Path::new("milepost.toml");
    let report = Config::read(path, b"[project]\nname = \"\xff\xfe\"\n").unwrap_err().to_string();
    assert!(report.starts_with("error: the file is not UTF-8 from here on\n --> milepost.toml:2:9\n"), "{report}");

    let large = vec![b'#'; config::FILE_BYTES_MAX as usize + 1];
    assert!(matches!(Config::read(path, &large), Err(ConfigError::TooLarge { .. })));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("milepost.toml");
    fs::write(&file, &large).unwrap();
    let report = Config::load(&file).unwrap_err().to_string();
    assert!(report.contains("milepost.toml is larger than 1 MiB"), "{report}");
    let report = Config::load(&folder.path().join("none.toml")).unwrap_err().to_string();
    assert!(report.starts_with("error: cannot read ") && report.contains("none.toml"), "{report}");
    assert!(report.contains("help: name another file with --config"), "{report}");

    let many = |n: usize| {
        let one = |i| format!("[[criterion]]\nname = \"{i}\"\nmetric = \"success.rate\"\nabove = \"95%\"\n");
        "[project]\nname = \"p\"\n".to_owned() + &(0..n).map(one).collect::<String>()
    };
    assert_eq!(read(&many(config::CRITERIA_MAX)).unwrap().criteria.criteria.len(), config::CRITERIA_MAX);
    let report = read(&many(config::CRITERIA_MAX + 1)).unwrap_err().to_string();
    assert!(report.starts_with("error: there are 1001 criteria, and at most 1000 are allowed\n"), "{report}");

    let parts = |n: usize| format!("all = [{}]", "{ metric = \"success.rate\", above = \"95%\" },".repeat(n));
    assert_eq!(criterion(&parts(config::PARTS_MAX)).unwrap().goals.len(), config::PARTS_MAX);
    let report = criterion(&parts(config::PARTS_MAX + 1)).unwrap_err().to_string();
    assert!(report.starts_with("error: there are 17 parts of `all`, and at most 16 are allowed\n"), "{report}");

    let long = format!("[project]\nname = \"{}\"\n", "n".repeat(config::PROJECT_BYTES_MAX + 1));
    assert!(read(&long).unwrap_err().to_string().starts_with("error: `name` is longer than 80 bytes\n"));
}

#[test]
fn a_report_brings_nothing_to_the_terminal_that_the_terminal_would_obey() {
    for text in [
        "[project]\nname = \"\u{1b}[31m\"\n",
        "[project]\nname = \"p\"\n\"\\u001b[31m\" = 1\n",
        "[project]\nname = \"p\"\n[\"\\u202e\"]\n",
        "[project]\nname = \"p\"\n[aliases]\na = \"\\u001b[31m\"\n\
         [[criterion]]\nname = \"c\"\nmetric = \"success.rate\"\nabove = \"95%\"\nwhere = { operation = \"a\" }\n",
    ] {
        let report = read(text).unwrap_err().to_string();
        assert!(!report.contains(['\u{1b}', '\u{202e}']), "{report}");
    }
    let styled = read("").unwrap_err().styled();
    assert!(styled.contains('\u{1b}') && styled.contains("there is no [project]"), "{styled}");
}

#[test]
fn all_faults_of_a_file_are_reported_at_once_and_at_most_ten_shown() {
    let text = "[project]\nname = \"p\"\n".to_owned() + &"[[criterion]]\nmetric = \"success.rate\"\nabove = 95\n".repeat(10);
    let error = read(&text).unwrap_err();
    let ConfigError::Faulty { faults, .. } = &error else { panic!("{error}") };
    assert_eq!(faults.len(), 20);
    assert!(faults.is_sorted_by_key(|fault| fault.span.start));
    let report = error.to_string();
    assert_eq!(report.matches("error: ").count(), 10);
    assert!(report.ends_with("\n\nand 10 more"), "{report}");
}

// Meaning

#[test]
fn what_is_typed_becomes_what_is_meant() {
    let config = read(
        r#"
        [project]
        name = "p"
        time_zone = "europe/berlin"
        version = "1.3.0"
        [store]
        path = "data"
        retention = "400d"
        [track]
        output = "metrics"
        [privacy]
        texts = ["error", "feedback"]
        [aliases]
        install_package = "install"
        [[error_category]]
        category = "disk_full"
        any = ["No space left"]
        [[probe]]
        operation = "search"
        backend = "subprocess"
        command = ["nix", "search", ""]
        timeout = "2min"
        every = "1.5d"
        [[probe]]
        operation = "search"
        command = ["nix"]
        [[collect]]
        kind = "memory"
        process = "nix"
        for = "1h"
        readings = "10s"
        every = "30min"
        [[collect]]
        kind = "memory"
        process = "other"
        [[collect]]
        kind = "coverage"
        file = "out/coverage.json"
        [[collect]]
        kind = "audit"
        file = "/tmp/audit.json"
        every = "1d"
        [[alert]]
        webhook = "https://hooks.example.org/services/SECRET"
        format = "slack"
        only = ["must", "nice"]
        timeout = "500ms"
        [[alert]]
        webhook_env = "HOOK"
        [[alert]]
        command = ["notify", ""]
        [[criterion]]
        name = "One"
        metric = "latency.p99"
        at_most = "0.5s"
        bad = "1s"
        tier = "nice"
        since = 2026-10-01
        baseline = "2s"
        method = "m"
        for_each = "operation"
        groups = ["install"]
        limits = { "se arch" = "200ms" }
        where = { origin = ["probe", "test"], backend = "a", "attributes.x" = "1", attributes = { y = ["2", "3"] } }
        failures = "exclude"
        max_age = "1.5d"
        card = "Card"
        alpha = 0.01
        [[criterion]]
        name = "Two"
        all = [ { metric = "memory.peak", below = "300MB", bad = "400MB" }, { metric = "cpu.percent", below = "150%" } ]
        for_each = "process"
        "#,
    )
    .unwrap();
    assert_eq!(config.criteria.time_zone, "Europe/Berlin");
    assert_eq!(config.criteria.calendar.iana_name(), Some("Europe/Berlin"));
    assert_eq!(config.criteria.version.as_deref(), Some("1.3.0"));
    assert_eq!(config.criteria.aliases["install_package"], "install");
    assert_eq!(config.texts, Texts { error: true, interaction: false, feedback: true });
    assert_eq!(config.store.as_deref(), Some(Path::new("data")));
    assert_eq!(config.error_categories, [ErrorCategory { category: "disk_full".into(), any: vec!["No space left".into()] }]);
    assert_eq!((config.retention, config.output.as_deref()), (Some(Duration::from_secs(400 * 86400)), Some(Path::new("metrics"))));
    let probe = |backend: Option<&str>, command: &[&str], seconds, every| Probe {
        operation: "search".into(),
        backend: backend.map(str::to_owned),
        command: command.iter().map(|&part| part.to_owned()).collect(),
        timeout: Duration::from_secs(seconds),
        every: Duration::from_secs(every),
    };
    assert_eq!(config.probes, [probe(Some("subprocess"), &["nix", "search", ""], 120, 36 * 3600), probe(None, &["nix"], 30, 3600)]);
    let memory = |process: &str, [lasting, readings, every]: [u64; 3]| Collect {
        what: Collected::Memory { process: process.into(), lasting: Duration::from_secs(lasting), readings: Duration::from_secs(readings) },
        every: Duration::from_secs(every),
    };
    let report = |kind, name: &str, every| Collect {
        what: Collected::Report { kind, name: name.to_owned(), path: name.into() },
        every: Duration::from_secs(every),
    };
    let reports = [report(Kind::Coverage, "out/coverage.json", 3600), report(Kind::Audit, "/tmp/audit.json", 86400)];
    let memory = [memory("nix", [3600, 10, 1800]), memory("other", [30, 1, 3600])];
    assert_eq!(config.collects, [memory, reports].concat());

    let receiver = |to, only: &[Tier], ms| Receiver { to, only: only.to_vec(), timeout: Duration::from_millis(ms) };
    let address = Address::new("https://hooks.example.org/services/SECRET").unwrap();
    assert_eq!(
        config.alerts,
        [
            receiver(To::Webhook { address, format: AlertFormat::Slack }, &[Tier::Must, Tier::Nice], 500),
            receiver(To::WebhookIn { variable: "HOOK".into(), format: AlertFormat::Json }, &[], 10_000),
            receiver(To::Command(vec!["notify".into(), String::new()]), &[], 10_000),
        ]
    );
    assert!(!format!("{config:?}").contains("SECRET"));

    let [one, two] = config.criteria.criteria.as_slice() else { panic!("two criteria") };
    assert_eq!((one.name.as_str(), one.tier, one.alpha), ("One", Some(Tier::Nice), 0.01));
    assert_eq!(one.since, Since::Date("2026-10-01".parse().unwrap()));
    assert_eq!((one.baseline.as_deref(), one.method.as_deref(), one.card.as_deref()), (Some("2s"), Some("m"), Some("Card")));
    assert_eq!(one.max_age, Duration::from_secs(36 * 3600));
    let [goal] = one.goals.as_slice() else { panic!("one goal") };
    assert_eq!((goal.metric.to_string().as_str(), goal.relation, goal.failures), ("latency.p99", Relation::AtMost, Failures::Exclude));
    assert_eq!(goal.limit.unwrap().base(), 500_000.0);
    assert_eq!(goal.bad.unwrap().base(), 1_000_000.0);
    assert_eq!(goal.for_each, Some(Dimension::Operation));
    assert_eq!(goal.named_groups(), ["install", "se arch"]);
    assert_eq!(goal.limit_of(Some("se arch")).unwrap().base(), 200_000.0);
    let set = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<BTreeSet<_>>();
    let filter: Vec<_> = goal.filter.iter().map(|(dimension, values)| (dimension.to_string(), values.clone())).collect();
    assert_eq!(
        filter,
        [
            ("backend".to_owned(), set(&["a"])),
            ("origin".to_owned(), set(&["probe", "test"])),
            ("attributes.x".to_owned(), set(&["1"])),
            ("attributes.y".to_owned(), set(&["2", "3"])),
        ]
    );

    assert_eq!((two.tier, two.since, two.max_age, two.alpha), (None, Since::Quarter, Duration::from_secs(7 * 86400), 0.05));
    assert_eq!(two.goals.len(), 2);
    assert!(two.goals.iter().all(|goal| goal.for_each == Some(Dimension::Process) && goal.failures == Failures::Slow));
}

#[test]
fn limits_alone_take_the_side_that_is_better() {
    let relation = |keys: &str| criterion(keys).unwrap().goals.remove(0).relation;
    assert_eq!(relation("metric = \"latency.p95\"\nfor_each = \"persona\"\nlimits = { maya = \"1s\" }"), Relation::Below);
    assert_eq!(relation("metric = \"success.rate\"\nfor_each = \"operation\"\nlimits = { search = \"95%\" }"), Relation::Above);
    let both = criterion("metric = \"latency.p95\"\nfor_each = \"operation\"\nat_most = \"2s\"\nlimits = { list = \"1s\" }").unwrap();
    let goal = &both.goals[0];
    assert_eq!(
        (goal.relation, goal.limit_of(Some("list")).unwrap().value, goal.limit_of(None).unwrap().value),
        (Relation::AtMost, 1.0, 2.0)
    );
}

#[test]
fn a_measurement_takes_any_unit_or_none() {
    for bound in ["below = 10", "at_most = 0", "above = \"90%\"", "below = \"3MB\"", "at_least = -1.5", "above = \"150%\""] {
        criterion(&format!("metric = \"some.thing\"\n{bound}")).unwrap();
    }
}

#[test]
fn words_and_dates_for_since() {
    let since = |text: &str| criterion(&format!("metric = \"success.rate\"\nabove = \"95%\"\nsince = {text}")).map(|c| c.since).ok();
    assert_eq!(since("\"month\""), Some(Since::Month));
    assert_eq!(since("\"release\""), Some(Since::Release));
    assert_eq!(since("\"criterion\""), Some(Since::Criterion));
    assert_eq!(since("\"2026-10-01\""), since("2026-10-01"));
    assert_eq!(since("\"2026-02-30\""), None);
    assert_eq!(since("\"2026-10-01T12:00\""), None);
    assert_eq!(since("12:00:00"), None);
}

#[test]
fn an_alias_is_one_of_an_operation_only() {
    let text = "[project]\nname = \"p\"\n[aliases]\na = \"b\"\n[[criterion]]\nname = \"c\"\nmetric = \"success.rate\"\nabove = \"95%\"\n";
    read(&format!("{text}for_each = \"backend\"\ngroups = [\"a\"]\nwhere = {{ user = \"a\", operation = \"b\" }}")).unwrap();
    read(&format!("{text}where = {{ operation = \"a\" }}")).unwrap_err();
}

#[test]
fn no_criteria_are_no_fault() {
    assert!(read("[project]\nname = \"p\"\n").unwrap().criteria.criteria.is_empty());
    assert!(read("\u{feff}[project]\r\nname = \"p\"\r\n").unwrap().criteria.criteria.is_empty());
}

// Presets

#[test]
fn the_preset_has_the_fifteen_criteria_of_the_specification() {
    let preset = Preset::named("nix-for-humanity").unwrap();
    let config = read(&preset.text("other")).unwrap();
    assert_eq!(config.criteria.project, "nix-for-humanity");
    assert_eq!(config.texts, Texts::default());
    let table: Vec<_> = config
        .criteria
        .criteria
        .iter()
        .map(|criterion| {
            let goal = |goal: &milepost_judge::Goal| {
                let limit = goal.limit.map(|limit| limit.to_string()).unwrap_or_default();
                let bad = goal.bad.map(|bad| format!(" bad {bad}")).unwrap_or_default();
                let groups = goal.for_each.as_ref().map(|d| format!(" for each {d} ({})", goal.named_groups().len())).unwrap_or_default();
                format!("{} {} {limit}{bad}{groups}", goal.metric, goal.relation.name())
            };
            let goals: Vec<_> = criterion.goals.iter().map(goal).collect();
            (criterion.tier.map_or("-", Tier::name), goals.join(", "), criterion.card.as_deref().unwrap_or("-"))
        })
        .collect();
    let table: Vec<_> = table.iter().map(|(tier, goals, card)| (*tier, goals.as_str(), *card)).collect();
    assert_eq!(
        table,
        [
            ("must", "latency.p95 below 500 ms bad 1 s", "P95 response time"),
            ("must", "memory.peak below 300 MB bad 400 MB, memory.variation below 50 MB", "Memory usage"),
            ("must", "success.rate above 95% bad 85% for each operation (4)", "Success rate"),
            ("must", "coverage.statements above 90% bad 70%", "Test coverage"),
            ("must", "ttfs.median below 30 s bad 60 s", "Time to first success"),
            ("should", "learning.improvement above 10%", "-"),
            ("should", "latency.p95 below  for each persona (10)", "-"),
            ("should", "voice.accuracy above 90%", "-"),
            ("should", "complexity.average below 10", "Average complexity"),
            ("should", "vulnerabilities.known at_most 0", "-"),
            ("nice", "latency.p95 below 100 ms", "-"),
            ("nice", "memory.peak below 200 MB", "-"),
            ("nice", "success.rate above 99% for each operation (4)", "-"),
            ("nice", "retention.week4 above 80%", "-"),
            ("nice", "contributions.month above 10", "-"),
            ("-", "latency.p95 below  for each operation (4)", "-"),
            ("-", "peak_memory.p95 below 300 MB bad 400 MB for each operation (4)", "-"),
            ("-", "learning.accuracy above 95% bad 85%", "Recognition accuracy"),
        ]
    );
    let limits = |index: usize| {
        let limits = &config.criteria.criteria[index].goals[0].limits;
        limits.iter().map(|(group, limit)| (group.as_str(), limit.base() / 1000.0)).collect::<Vec<_>>()
    };
    assert_eq!(limits(15), [("config_gen", 1000.0), ("install", 500.0), ("list", 100.0), ("search", 200.0)]);
    assert_eq!(
        limits(6),
        [
            ("alex", 2000.0),
            ("carlos", 2500.0),
            ("david", 2000.0),
            ("dr_sarah", 1500.0),
            ("grandma_rose", 3000.0),
            ("jamie", 1500.0),
            ("luna", 2000.0),
            ("maya", 1000.0),
            ("priya", 2000.0),
            ("viktor", 3000.0),
        ]
    );
    for alias in ["install_package", "generate_config"] {
        assert!(config.criteria.aliases.contains_key(alias), "{alias}");
    }
    assert!(config.criteria.criteria.iter().all(|criterion| criterion.method.is_some()));
}

/// The presets are in use: the first by `examples/nix`, the second by this repository.
#[test]
fn milepost_itself_began_with_a_preset() {
    let preset = read(&Preset::named("rust-cli").unwrap().text("my \"tool\"")).unwrap().criteria;
    assert_eq!(preset.project, "my \"tool\"");
    let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../milepost.toml")).unwrap();
    let own = read(&own).unwrap().criteria;
    for wanted in &preset.criteria {
        let criterion = own.criteria.iter().find(|own| own.name == wanted.name).unwrap_or_else(|| panic!("{}", wanted.name));
        let metrics = |criterion: &milepost_judge::Criterion| criterion.goals.iter().map(|goal| goal.metric.clone()).collect::<Vec<_>>();
        assert_eq!((metrics(criterion), criterion.tier), (metrics(wanted), wanted.tier), "{}", wanted.name);
    }
}

#[test]
fn nothing_of_a_preset_is_met_without_events() {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    for text in Preset::ALL.iter().map(|preset| preset.text("p")).chain([blank("p")]) {
        let criteria = read(&text).unwrap().criteria;
        assert_eq!(questions(&criteria, &[], now).len(), criteria.criteria.len());
        let scorecard = judge(&criteria, &[], &[], now);
        assert!(scorecard.criteria.iter().all(|result| result.judgement.verdict == Verdict::NoData));
    }
}

#[test]
fn a_first_configuration_takes_any_name_and_what_it_suggests_works() {
    for name in ["p", "a \"b\" \\ c", "日本", "PROJECT"] {
        let config = read(&blank(name)).unwrap();
        assert_eq!(config.criteria.project, name);
        assert_eq!(config.criteria.criteria.len(), 2);
    }
    let text = blank("p");
    assert!(text.lines().count() < 80);
    // Every line that is commented out and looks like TOML, taken in.
    let is_toml = |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let all: Vec<_> = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line)).collect();
    let config = read(&all.join("\n")).unwrap();
    assert_eq!(config.criteria.criteria.len(), 4);
    assert_eq!(config.texts, Texts { error: true, interaction: true, feedback: true });
    assert_eq!((config.probes.len(), config.collects.len(), config.output.is_some(), config.retention.is_some()), (1, 2, true, true));
}

// Schema

#[test]
fn the_schema_knows_every_key_of_the_presets_and_no_other() {
    let schema = config::schema().to_value();
    for text in Preset::ALL.iter().map(|preset| preset.text("p")).chain([blank("p")]) {
        let value: toml::Table = toml::from_str(&text).unwrap();
        let value = serde_json::to_value(value).unwrap();
        assert_eq!(unknown_keys(&schema, &schema, &value), Vec::<String>::new());
    }
    let wrong =
        serde_json::json!({ "project": { "name": "p", "nmae": "p" }, "criterion": [{ "belwo": "1s", "all": [{ "metirc": "x" }] }] });
    let mut unknown = unknown_keys(&schema, &schema, &wrong);
    unknown.sort();
    assert_eq!(unknown, ["belwo", "metirc", "nmae"]);
    assert!(!schema.to_string().contains("null"));
    assert_eq!(schema["required"], serde_json::json!(["project"]));
    let described = |key: &str| schema["$defs"]["Criterion"]["properties"][key]["description"].to_string();
    for metric in Metric::fixed() {
        assert!(described("metric").contains(&format!("`{metric}`")), "{metric}");
    }
    for dimension in Dimension::NAMED {
        assert!(described("for_each").contains(&format!("`{dimension}`")), "{dimension}");
    }
}

/// The keys of `value` for which the schema has no place.
fn unknown_keys(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return unknown_keys(root, root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null), value);
    }
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(property), _) => unknown_keys(root, property, value),
                (None, Value::Object(_)) => Vec::new(),
                (None, _) if schema.get("anyOf").is_some() => Vec::new(),
                (None, _) => vec![key.clone()],
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| unknown_keys(root, &schema["items"], item)).collect(),
        _ => Vec::new(),
    }
}

// Places

#[test]
fn the_configuration_is_found_in_the_order_that_is_documented() {
    let root = tempfile::tempdir().unwrap();
    let (project, below, home) = (root.path().join("project"), root.path().join("project/a/b"), root.path().join("home"));
    fs::create_dir_all(&below).unwrap();
    fs::create_dir_all(home.join("milepost")).unwrap();
    let mut around = Surroundings { folder: below.clone(), config_home: Some(home.clone()), ..Surroundings::default() };
    assert_eq!(find(None, &around), None);

    let at_home = home.join("milepost/milepost.toml");
    fs::write(&at_home, "").unwrap();
    assert_eq!(find(None, &around), Some(at_home));
    // A folder of this name is no configuration.
    fs::create_dir(below.join("milepost.toml")).unwrap();
    fs::write(project.join("milepost.toml"), "").unwrap();
    assert_eq!(find(None, &around), Some(project.join("milepost.toml")));
    fs::write(project.join("a/milepost.toml"), "").unwrap();
    assert_eq!(find(None, &around), Some(project.join("a/milepost.toml")));
    around.config = Some(PathBuf::from("/elsewhere.toml"));
    assert_eq!(find(None, &around), Some(PathBuf::from("/elsewhere.toml")));
    assert_eq!(find(Some(Path::new("flag.toml")), &around), Some(PathBuf::from("flag.toml")));
}

#[test]
fn the_data_are_found_in_the_order_that_is_documented() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home");
    let file = root.path().join("milepost.toml");
    let mut around = Surroundings { data_home: Some(home.clone()), ..Surroundings::default() };
    let load = |text: &str| {
        fs::write(&file, text).unwrap();
        Config::load(&file).unwrap()
    };
    assert_eq!(data_folder(None, &around), None);
    assert_eq!(data_folder(Some(&Config::default()), &around), None);

    let plain = load("[project]\nname = \"a/b\"\n");
    assert_eq!(data_folder(Some(&plain), &around), Some(home.join("milepost/a%2Fb")));
    fs::create_dir(root.path().join(".milepost")).unwrap();
    assert_eq!(data_folder(Some(&plain), &around), Some(root.path().join(".milepost")));
    let stored = load("[project]\nname = \"p\"\n[store]\npath = \"data/here\"\n");
    assert_eq!(data_folder(Some(&stored), &around), Some(root.path().join("data/here")));
    let absolute = load("[project]\nname = \"p\"\n[store]\npath = \"/data\"\n");
    assert_eq!(data_folder(Some(&absolute), &around), Some(PathBuf::from("/data")));
    around.data = Some(PathBuf::from("/given"));
    assert_eq!(data_folder(Some(&stored), &around), Some(PathBuf::from("/given")));
    assert_eq!(data_folder(None, &around), Some(PathBuf::from("/given")));
}

#[test]
fn a_project_is_a_folder_of_its_own() {
    for (project, folder) in [
        ("nix", "nix"),
        (".", "%2E"),
        ("..", "%2E."),
        ("../x", "%2E.%2Fx"),
        ("a\\b", "a%5Cb"),
        ("50%", "50%25"),
        ("ü b", "ü b"),
        ("a\nb", "a%0Ab"),
    ] {
        assert_eq!(folder_name(project), folder);
    }
}

// Whatever is typed

/// Text that looks like a configuration often enough to come far.
fn toml_like() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "metric",
        "all",
        "below",
        "above",
        "at_most",
        "at_least",
        "bad",
        "tier",
        "since",
        "for_each",
        "groups",
        "limits",
        "where",
        "failures",
        "max_age",
        "card",
        "alpha",
        "path",
        "texts",
        "operation",
        "command",
        "timeout",
        "every",
        "kind",
        "process",
        "for",
        "readings",
        "retention",
        "after",
        "output",
        "category",
        "any",
        "time_zone",
        "a",
        "attributes",
    ]);
    let value = prop::sample::select(vec![
        "\"p\"",
        "\"latency.p95\"",
        "\"success.rate\"",
        "\"memory.peak\"",
        "\"a.b\"",
        "\"500ms\"",
        "\"95%\"",
        "\"1e9s\"",
        "\"1h\"",
        "\"memory\"",
        "\"-3MB\"",
        "\"\"",
        "0",
        "-1",
        "1e308",
        "nan",
        "-inf",
        "9223372036854775807",
        "true",
        "2026-10-01",
        "07:00:00",
        "\"operation\"",
        "\"origin\"",
        "[\"a\", \"b\"]",
        "[]",
        "{}",
        "{ a = \"1s\" }",
        "{ origin = \"probe\" }",
        "{ attributes.a = [\"1\"] }",
        "{ backend = { a = {} } }",
        "[{ metric = \"success.rate\", above = \"95%\" }]",
        "[[1], [2]]",
        "\"\"\"\nü\n\"\"\"",
        "'\\'",
    ]);
    let header = prop::sample::select(vec![
        "[project]\nname = \"p\"\n",
        "[project]\n",
        "[store]\n",
        "[privacy]\n",
        "[aliases]\n",
        "[[error_category]]\n",
        "[[probe]]\n",
        "[[collect]]\n",
        "[track]\n",
        "[[criterion]]\n",
        "[criterion]\n",
        "[criterion.limits]\n",
        "[[criterion.all]]\n",
    ]);
    let line = prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        3 => header.prop_map(str::to_owned),
        1 => "\\PC{0,20}\n",
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat())
}

fn never_panics(bytes: &[u8]) {
    if let Err(error) = Config::read(Path::new("milepost.toml"), bytes) {
        assert!(error.to_string().starts_with("error: "));
        assert!(!error.styled().is_empty());
    }
}

proptest! {
    #[test]
    fn a_configuration_never_panics(text in toml_like()) {
        never_panics(text.as_bytes());
        never_panics(format!("[project]\nname = \"p\"\n[[criterion]]\nname = \"c\"\n{text}").as_bytes());
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&bytes);
    }

    /// A preset with a piece cut out, doubled, or replaced.
    #[test]
    fn a_damaged_preset_never_panics(from: Index, length in 0..40usize, put in "\\PC{0,10}", double: bool) {
        let text = Preset::ALL[0].text("p");
        let start = text.floor_char_boundary(from.index(text.len()));
        let end = text.floor_char_boundary(start + length);
        let again = if double { &text[start..end] } else { "" };
        never_panics([&text[..start], again, &put, again, &text[end..]].concat().as_bytes());
    }

    #[test]
    fn two_projects_never_share_a_folder(a in "[a./%\\\\]{1,4}", b in "[a./%\\\\]{1,4}") {
        prop_assert_eq!(a == b, folder_name(&a) == folder_name(&b));
        let name = folder_name(&a);
        let parts: Vec<_> = Path::new(&name).components().collect();
        prop_assert!(matches!(parts.as_slice(), [std::path::Component::Normal(_)]), "{name}");
    }
}
