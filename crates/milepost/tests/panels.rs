//! Holds the panels of the page to the report: the numbers are its numbers, nothing unknown is drawn as known or in green,
//! strangers' names do no harm, every chart has a table, and whatever is empty says what feeds it.
#![expect(clippy::expect_used, reason = "a page that cannot be made or read must fail the test")]

use jiff::{civil::date, tz::TimeZone};
use milepost::render::html::{Shown, dashboard};
use milepost_judge::{
    Criteria, Criterion as Configured, Failures, Goal, Panels, Relation, Scorecard, Since, Tier, Verdict, panels,
    panels::{Part, Record},
    panels_questions,
    scorecard::SCHEMA_VERSION,
};
use milepost_record::{
    Answer, Breakdown, Criterion, Dimension, ErrorDay, Event, Evidence, Failure, Groups, Measure, MemorySample, MemoryTree, OperationDay,
    ProcessMemory, Run, Subject, Timestamp, Verdict as Judged,
};
use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

const HOSTILE: &str = "</script></title><img src=x onerror=alert(1)>\"'&\u{202e}\0";
const NOW: &str = "2026-11-24T21:13:00Z";
const GREEN: &str = r#"data-verdict="met""#;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn criteria() -> Criteria {
    let goal = Goal {
        metric: "latency.p95".parse().expect("a metric"),
        relation: Relation::Below,
        limit: Some("500ms".parse().expect("an amount")),
        bad: None,
        for_each: None,
        groups: Vec::new(),
        limits: BTreeMap::new(),
        filter: BTreeMap::new(),
        failures: Failures::Slow,
        after: 0,
    };
    let of_operations = Goal {
        for_each: Some(Dimension::Operation),
        limit: None,
        limits: [("search".to_owned(), "200ms".parse().expect("an amount"))].into(),
        ..goal.clone()
    };
    let criterion = |name: &str, goal| Configured {
        name: name.to_owned(),
        tier: Some(Tier::Must),
        goals: vec![goal],
        since: Since::Criterion,
        baseline: None,
        method: None,
        max_age: Duration::from_secs(86400),
        card: None,
        alpha: 0.05,
    };
    Criteria {
        project: "nix".to_owned(),
        time_zone: "UTC".to_owned(),
        calendar: TimeZone::UTC,
        version: None,
        aliases: BTreeMap::new(),
        criteria: vec![criterion("Response time", goal), criterion("Each operation", of_operations)],
    }
}

fn cell(operation: &str, backend: &str, durations: &[u64], errors: &[(&str, u64)]) -> Breakdown {
    Breakdown {
        operation: operation.to_owned(),
        backend: Some(backend.to_owned()),
        ok: durations.len() as u64,
        failed: errors.iter().map(|(_, n)| n).sum(),
        durations: durations.iter().map(|us| (*us, 1)).collect(),
        errors: errors.iter().map(|(category, n)| (Some((*category).to_owned()), *n)).collect(),
        ..Breakdown::default()
    }
}

fn day(day: i8, durations: &[u64], failed: u64) -> OperationDay {
    let when = at(&format!("2026-11-{day:02}T10:00:00Z"));
    OperationDay {
        date: date(2026, 11, day),
        oldest: when,
        newest: when,
        ok: durations.len() as u64,
        failed,
        timeouts: 0,
        cancelled: 0,
        dry_runs: 0,
        unmeasured: 0,
        within: 0,
        durations: durations.iter().map(|us| (*us, 1)).collect(),
    }
}

/// What the events say, by hand.
#[derive(Default)]
struct Seen {
    cells: Vec<Breakdown>,
    backends: BTreeMap<Option<String>, Vec<OperationDay>>,
    errors: Vec<ErrorDay>,
    failures: Vec<Failure>,
    runs: Vec<Run>,
    recorded: Vec<Event>,
}

impl Seen {
    fn panels(&self) -> Panels {
        let criteria = criteria();
        let answer = |subject: &Subject, for_each: Option<&Dimension>| match subject {
            Subject::Breakdown => Evidence::Breakdown(self.cells.clone()),
            Subject::Memory => Evidence::Memory(Groups { groups: [(None, self.runs.clone())].into(), folded: 0 }),
            Subject::MemoryTrees if self.runs.iter().flat_map(|run| &run.samples).any(|sample| sample.complete) => {
                Evidence::MemoryTrees(trees())
            }
            Subject::ErrorDays => Evidence::ErrorDays(self.errors.clone()),
            Subject::Failures => Evidence::Failures(self.failures.clone()),
            Subject::Operations { .. } if for_each == Some(&Dimension::Backend) => {
                Evidence::Operations(Groups { groups: self.backends.clone(), folded: 0 })
            }
            // What the other panels are about has no answer here.
            _ => Evidence::Operations(Groups::default()),
        };
        let questions = panels_questions(&criteria, at(NOW));
        let answers: Vec<_> = questions
            .iter()
            .map(|question| Answer { sql: String::new(), evidence: answer(&question.subject, question.for_each.as_ref()) })
            .collect();
        Panels { record: Some(Record::of(&criteria, &self.recorded)), ..panels(&criteria, &answers, at(NOW)) }
    }

    fn page(&self) -> String {
        page(&self.panels())
    }
}

/// The peak and the newest reading of the newest run, and one of another run.
fn trees() -> Vec<MemoryTree> {
    let process = |pid, parent, name: &str, mb: u64| ProcessMemory { name: name.to_owned(), bytes: mb * 1_000_000, pid: Some(pid), parent };
    let tree = |server| vec![process(1, None, "nfh", 30), process(2, Some(1), "llama-server", server), process(3, Some(2), "<b>", 20)];
    let reading = |run: &str, minute: u32, server| MemoryTree {
        run: run.to_owned(),
        at: at(&format!("2026-11-20T10:{minute:02}:00Z")),
        bytes: (50 + server) * 1_000_000,
        measure: Measure::Pss,
        processes: Some(3),
        tree: Some(tree(server)),
    };
    vec![reading("early", 59, 900), reading("late", 10, 100), reading("late", 20, 60)]
}

fn page(panels: &Panels) -> String {
    let scorecard = Scorecard {
        schema_version: SCHEMA_VERSION,
        project: "nix".to_owned(),
        generated_at: at(NOW),
        verdict: Verdict::NoData,
        tiers: BTreeMap::new(),
        criteria: Vec::new(),
    };
    dashboard(Shown { scorecard: &scorecard, details: &[], panels: Some(panels) }).expect("a page")
}

/// Two operations of two backends on three days, one of which lies apart; five failures of two categories; two runs of memory.
fn seen() -> Seen {
    let run = |run: &str, begin: &str, readings: u64, growth: u64| Run {
        run: run.to_owned(),
        process: Some("nix".to_owned()),
        measure: Measure::Pss,
        every_us: Some(10_000_000),
        samples: (0..readings)
            .map(|i| MemorySample {
                at: at(begin).saturating_add(Duration::from_secs(10 * i)),
                bytes: 200_000_000 + growth * i,
                complete: i != 7,
                cpu_us: (i > 0).then_some(500_000),
            })
            .collect(),
    };
    let error = |day, category: &str, n| ErrorDay { date: date(2026, 11, day), category: Some(category.to_owned()), n };
    let failure = |operation: &str, text: Option<&str>| Failure {
        at: at("2026-11-20T10:00:00Z"),
        operation: operation.to_owned(),
        backend: None,
        timeout: true,
        category: Some("network".to_owned()),
        text: text.map(str::to_owned),
    };
    let native: Vec<u64> = (0..40).map(|i| 50_000 + 1000 * i).collect();
    let slow = [900_000, 1_100_000, 2_000_000];
    Seen {
        cells: vec![cell("install", "subprocess", &slow, &[("network", 3), ("permission", 2)]), cell("search", "native", &native, &[])],
        backends: [
            (Some("native".to_owned()), vec![day(16, &native[..20], 0), day(20, &native[20..], 0)]),
            (Some("subprocess".to_owned()), vec![day(16, &slow[..1], 1), day(17, &slow[1..], 4)]),
        ]
        .into(),
        errors: vec![error(17, "network", 2), error(17, "permission", 2), error(16, "network", 1)],
        failures: vec![failure("install", Some("could not resolve host"))],
        runs: vec![run("early", "2026-11-10T10:00:00Z", 30, 0), run("late", "2026-11-20T10:00:00Z", 470, 20_000)],
        recorded: Vec::new(),
    }
}

/// The elements of a page that begin with `start`, each up to `end`.
fn elements<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    page.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

fn panel<'a>(page: &'a str, id: &str) -> &'a str {
    let panel =
        elements(page, &format!("<section class=\"panel\" id=\"{id}\""), "<section class=\"panel\"").first().copied().expect("the panel");
    panel.split("</main>").next().unwrap_or(panel)
}

/// The cells of a table, row by row, without what stands smaller below.
fn table(page: &str, id: &str) -> Vec<Vec<String>> {
    let body = elements(page, &format!("id=\"{id}\""), "</table>").first().copied().unwrap_or_else(|| panic!("no table {id}"));
    let body = body.split_once("<tbody>").expect("rows").1;
    let cell = |cell: &str| {
        let cell = cell.split("<small>").next().unwrap_or_default().split_once('>').map_or("", |(_, rest)| rest);
        let mut text = String::new();
        for piece in cell.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
        }
        text.replace('\u{a0}', " ")
    };
    body.split("<tr>").skip(1).map(|row| row.split("<t").skip(1).map(cell).collect()).collect()
}

#[test]
fn the_numbers_are_those_of_the_report() {
    let seen = seen();
    let (panels, page) = (seen.panels(), seen.page());
    let performance = &panels.report.performance;
    let rows = table(&page, "performance-operations");
    // Forty searches of 50 to 89 ms, and eight installs of which five failed.
    assert_eq!(rows[0][..6], ["search", "40", "100%", "69 ms", "87 ms", "89 ms"].map(str::to_owned));
    assert_eq!(rows[1][..6], ["install", "8", "37.5%", "∞", "∞", "∞"].map(str::to_owned));
    assert_eq!([rows[0][6].as_str(), rows[1][6].as_str()], ["P95 &#60; 200 ms, now within", "none"]);
    assert_eq!(performance.by_operation.iter().map(|group| group.figures.count).sum::<u64>(), 48);
    assert!(panel(&page, "performance").contains("succeeded: 1.10\u{a0}s"), "both conventions");

    // Every duration and every failure is in one of the bars.
    let of_all: u64 = table(&page, "performance-bars-0").iter().map(|row| row[1].parse::<u64>().expect("a number")).sum();
    assert_eq!(of_all, performance.overall.count);
    assert_eq!(table(&page, "performance-bars-2").last().expect("a row")[..], ["failed".to_owned(), "5".to_owned()]);

    let days: Vec<_> = table(&page, "performance-days");
    assert_eq!(days[0][..], ["20 Nov 2026", "88 ms", "88 ms", ""].map(str::to_owned));
    // Twenty-two on the 16th, one of them a failure: 5% do not exceed the slowest.
    assert_eq!(days[2][..], ["16 Nov 2026", "900 ms", "68 ms", "∞"].map(str::to_owned));

    let categories = table(&page, "errors-categories");
    assert_eq!(categories, [["network", "3", "60%"], ["permission", "2", "40%"]].map(|row| row.map(str::to_owned).to_vec()));
    let errors: Vec<_> = table(&page, "errors-days").into_iter().map(|row| row.join(" ")).collect();
    assert_eq!(errors, ["20 Nov 2026 20 0 0 0 0 0", "17 Nov 2026 6 4 0 0 2 2", "16 Nov 2026 22 1 0 0 1 0"]);
    assert!(panel(&page, "errors").contains("could not resolve host"));

    let memory = panels.report.memory.as_ref().expect("a run");
    assert_eq!((memory.run.as_str(), memory.peak_mb), ("late", Some(209.38)));
    let runs = table(&page, "memory-runs");
    assert_eq!(runs.iter().map(|run| run[5].as_str()).collect::<Vec<_>>(), ["209 MB", "200 MB"]);
    let readings: u64 = table(&page, "memory-spells").iter().map(|row| row[1].parse::<u64>().expect("a number")).sum();
    assert_eq!(readings, memory.readings);
    // 20 kB in ten seconds are 173 MB a day.
    assert!(panel(&page, "memory").contains("+173 MB a day") && panel(&page, "memory").contains("class=\"p-slope\""));

    let mut by_process = table(&page, "memory-newest");
    assert_eq!(
        by_process.iter().map(|row| row.join(" | ")).collect::<Vec<_>>(),
        [
            "nfh | – | 30 MB | 110 MB | 100%",
            "llama-server | nfh | 60 MB | 80 MB | 72.7%",
            "&#60;b&#62; | llama-server | 20 MB | 20 MB | 18.2%"
        ]
    );
    by_process = table(&page, "memory-peak");
    assert_eq!(by_process[1][2], "100 MB");
    assert!(panel(&page, "memory").contains("<text x=\"6\" y=\"17\">80\u{a0}MB llama-server</text>"));
}

#[test]
fn processes_lie_below_the_one_that_started_them_each_as_wide_as_its_share() {
    let part = |name: Option<&str>, depth, from, share| Part {
        name: name.map(str::to_owned),
        pid: None,
        parent: None,
        depth,
        own_mb: 1.0,
        mb: 200.0 * share,
        from,
        share,
    };
    let parts = vec![
        part(Some("nfh"), 0, 0.0, 1.0),
        part(Some("server"), 1, 0.0, 0.7),
        part(Some("worker"), 2, 0.0, 0.1),
        part(Some("sh"), 1, 0.7, 0.05),
        part(None, 1, 0.75, 0.2),
        part(Some("deep"), 6, 0.0, 0.1),
    ];
    let mut panels = seen().panels();
    panels.memory_readings.newest.as_mut().expect("a reading").parts = Some(parts);
    let page = page(&panels);
    let chart = elements(panel(&page, "memory"), "class=\"p-icicle\"", "</figure>")[0];
    let drawn: Vec<_> = elements(chart, "<svg x=", "</svg>").iter().map(|block| block.replace('\u{a0}', " ").replace('\n', "")).collect();
    let expected = [
        r#""0%" y="0" width="100%" height="25"><rect width="100%" height="100%"/><text x="6" y="17">200 MB nfh</text>"#,
        r#""0%" y="26" width="70%" height="25"><rect width="100%" height="100%"/><text x="6" y="17">140 MB server</text>"#,
        // An amount that is cut would be another one.
        r#""0%" y="52" width="10%" height="25"><rect width="100%" height="100%"/><text x="6" y="17">worker</text>"#,
        r#""70%" y="26" width="5%" height="25"><rect width="100%" height="100%"/>"#,
        r#""75%" y="26" width="20%" height="25"><rect width="100%" height="100%" class="p-open"/><text x="6" y="17">40 MB others</text>"#,
    ];
    assert_eq!(drawn, expected);
    // What is too deep for the chart is in the table.
    assert_eq!(table(&page, "memory-newest").last().expect("a row")[0], "deep");
}

#[test]
fn readings_that_do_not_tell_processes_apart_are_not_known_by_process() {
    let mut panels = seen().panels();
    for of in [&mut panels.memory_readings.newest, &mut panels.memory_readings.peak].into_iter().flatten() {
        of.parts = None;
    }
    let memory = panel(&page(&panels), "memory").to_owned();
    assert_eq!(memory.matches("MB (pss)</figcaption><div class=\"gap\"></div>").count(), 2);
    assert!(memory.contains("not known by process") && !memory.contains("class=\"p-icicle\""));
}

#[test]
fn what_is_empty_says_what_feeds_it_and_draws_nothing() {
    let page = Seen::default().page();
    let doors = [
        ("performance", "milepost run --operation NAME -- COMMAND"),
        ("errors", "milepost run --operation NAME -- COMMAND"),
        ("memory", "milepost collect memory --process NAME --for 75min"),
        ("history", "milepost track"),
    ];
    for (id, door) in doors {
        let panel = panel(&page, id);
        assert!(panel.contains(&format!("<code class=\"cmd\">{door}</code>")), "{panel}");
        assert!(!panel.contains("<svg") && !panel.contains("<table") && !panel.contains("<b>0"), "{panel}");
    }
}

#[test]
fn what_is_not_known_is_not_drawn_as_known() {
    let mut seen = seen();
    // Operations that were recorded, and of which nobody said how they went on which day.
    seen.backends.clear();
    for run in &mut seen.runs {
        run.samples.iter_mut().for_each(|sample| sample.complete = false);
    }
    seen.cells = vec![cell("update", "native", &[], &[("network", 2)])];
    let page = seen.page();
    let performance = panel(&page, "performance");
    assert!(!performance.contains("class=\"p-spread\"") && !performance.contains("class=\"days\""), "{performance}");
    assert_eq!(table(&page, "performance-operations")[0][7], "not known", "the mean of nothing");
    let memory = panel(&page, "memory");
    assert!(!memory.contains("class=\"p-slope\"") && memory.contains(">not known<") && !memory.contains("0\u{a0}MB"), "{memory}");
    assert!(panel(&page, "errors").contains("class=\"gap\""), "days that are not known are hatched");
}

#[test]
fn nothing_is_green_but_a_criterion_that_was_met() {
    let mut seen = seen();
    let judged = |day: i8, criterion: &str, verdict| {
        Event::at(at(&format!("2026-11-{day:02}T10:00:00Z")), Judged::new(criterion, "sha256:a", verdict))
    };
    let unmet = [Verdict::Missed, Verdict::NotProven, Verdict::NoData, Verdict::Stale];
    seen.recorded.push(Event::at(at("2026-11-01T10:00:00Z"), Criterion::new("Response time", "sha256:a")));
    seen.recorded.extend(unmet.into_iter().zip(2..).map(|(verdict, day)| judged(day, "Response time", verdict)));
    let page = seen.page();
    assert!(!page.contains(GREEN), "nothing was ever met");
    let style = elements(&page, "<style>", "</style>").concat();
    assert_eq!(style.lines().filter(|line| line.contains("var(--met")).count(), 1, "and only the attribute is green");
    // Each has a shape of its own, what is not known is hatched as in the legend, and the days without a verdict have nothing.
    let history = panel(&page, "history");
    assert_eq!([history.matches("data-verdict=").count(), history.matches("class=\"unknown\"").count()], [2, 2 + 1]);
    assert_eq!(table(&page, "history-days")[1][2], "not known");

    seen.recorded.extend([judged(20, "Each operation", Verdict::Met), judged(21, "Each operation", Verdict::Met)]);
    seen.recorded.push(judged(23, "Each operation", Verdict::Met));
    let page = seen.page();
    let green = elements(&page, GREEN, "/>").concat();
    assert_eq!((page.matches(GREEN).count(), green.matches('M').count()), (1, 2), "two stretches: the day between them is not known");
    assert_eq!(table(&page, "history-days")[1][2], "23 Nov 2026 met; 20 Nov 2026 to 21 Nov 2026 met");
}

#[test]
fn every_chart_has_its_table_and_every_id_is_there_once() {
    let mut seen = seen();
    seen.recorded.push(Event::at(at("2026-11-01T10:00:00Z"), Judged::new("Response time", "sha256:a", Verdict::Met)));
    let page = seen.page();
    let mut ids: Vec<_> = elements(&page, " id=\"", "\"");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    let charts = elements(&page, "role=\"img\"", "</svg>");
    assert!(charts.len() > 10, "{}", charts.len());
    for chart in charts {
        let table = chart.split("aria-details=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        assert_eq!(elements(&page, "<table ", ">").iter().filter(|start| start.contains(&format!("id=\"{table}\""))).count(), 1, "{chart}");
        assert!(chart.contains("<title>") && !chart.contains("<title></title>"), "{chart}");
    }
    // Each panel has a place in the navigation, and is marked there without script.
    for id in ["performance", "errors", "memory", "history"] {
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "{id}");
        assert!(page.contains(&format!("body:has(#{id}:target, #{id} :target) .pages a[href=\"#{id}\"]")), "{id}");
        assert!(page.contains(&format!("id=\"{id}\" tabindex=\"-1\"")), "{id}");
    }
}

#[test]
fn strangers_do_no_harm_and_have_a_limit() {
    let mut seen = seen();
    let long = HOSTILE.repeat(200);
    for place in 0..500_u64 {
        seen.cells.push(cell(&format!("{place}{long}"), &long, &[1000 * (place + 1)], &[(&format!("{}{long}", place % 40), 1)]));
        seen.backends.insert(Some(format!("{place}{long}")), vec![day(16, &[1000], 1)]);
    }
    for failure in &mut seen.failures {
        (failure.operation, failure.category, failure.backend, failure.text) =
            (long.clone(), Some(long.clone()), Some(long.clone()), Some(long.clone()));
    }
    seen.errors.push(ErrorDay { date: date(2026, 11, 16), category: Some(long.clone()), n: 3 });
    for run in &mut seen.runs {
        run.process = Some(long.clone());
    }
    seen.recorded.push(Event::at(at("2026-11-01T10:00:00Z"), Judged::new(long.as_str(), "sha256:a", Verdict::Met)));
    let page = seen.page();
    for harm in ["<img", "\u{202e}", "\0"] {
        assert!(!page.contains(harm), "{harm:?} is in the page");
    }
    assert_eq!(["<script", "</script"].map(|own| page.matches(own).count()), [1, 1], "the page's own");
    assert!(page.contains("and 472 more"), "the operations that are not in the table");
    assert!(page.contains("And 497 more backends"));
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn what_the_product_said_is_shown_only_while_that_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("milepost ends");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let configure = |texts: &str| {
        std::fs::write(folder.path().join("milepost.toml"), format!("[project]\nname = \"nix\"\n[privacy]\ntexts = [{texts}]\n"))
    };
    configure("\"error\"").expect("written");
    let at = Timestamp::now();
    let failed = r#""operation":"search","outcome":"failed","error":{"category":"network","text":"no <route>"}"#;
    run(&["record"], &format!("{{\"v\":1,\"kind\":\"operation\",\"at\":\"{at}\",{failed}}}\n"));
    let page = run(&["dashboard", "--output", "-"], "");
    assert_eq!(table(&page, "errors-newest")[0][4], "no &#60;route&#62;");
    assert_eq!(table(&page, "errors-categories"), [["network", "1", "100%"].map(str::to_owned)]);
    configure("").expect("written");
    let page = run(&["dashboard", "--output", "-"], "");
    assert!(!page.contains("route") && panel(&page, "errors").contains("<code class=\"cmd\">texts = [\"error\"]</code>"));
}
