//! What build servers read: annotations, JUnit XML, badges, exit codes; and the recipes of docs/ci.md, run as they stand there.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost::render::{badge, github, junit};
use milepost_judge::{
    Scorecard, Tier, Verdict, conjunction, passes,
    scorecard::{CriterionResult, Judgement, SCHEMA_VERSION, Severity, Since, Target, TierResult},
};
use milepost_record::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const VERDICTS: [Verdict; 5] = [Verdict::Met, Verdict::Missed, Verdict::NotProven, Verdict::NoData, Verdict::Stale];
const HOSTILE: &[&str] = &[
    "two\nlines",
    "two\r\n::error::lines",
    "::error::owned",
    "   ::add-mask::a",
    "##[error]owned",
    "a ##[stop-commands]b",
    "100%, %0A::warning::x",
    "a:b,c=d,file=/etc/passwd",
    "]]><script>alert(1)</script>",
    "<!DOCTYPE x><![CDATA[y]]>&lol;",
    "\"/><failure message='x'/>",
    "\0\u{1}\u{1b}[2J\u{7f}\u{85}",
    "\u{fffe}\u{ffff}\u{feff}",
    "rtl\u{202e}txt\u{2066}x\u{200f}",
    "👩‍👩‍👧‍👦 \u{1f3f4}",
    "| a | `b` | [c](javascript:d) ![e](f) @g #1",
    "",
];

fn criterion(name: &str, tier: Option<Tier>, verdict: Verdict) -> CriterionResult {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    CriterionResult {
        name: name.to_owned(),
        tier,
        card: None,
        judgement: Judgement {
            metric: Some("latency.p95".to_owned()),
            verdict,
            target: Some(Target { below: Some(500.0), at_most: None, above: None, at_least: None, unit: "ms".to_owned() }),
            unit: "ms".to_owned(),
            estimate: (verdict != Verdict::NoData).then_some(812.0),
            advice: (verdict != Verdict::Met).then(|| format!("{name}: nothing has come in yet; feed it")),
            command: (verdict == Verdict::NoData).then(|| format!("milepost run --operation {name}")),
            ..Judgement::nothing()
        },
        baseline: Some(name.to_owned()),
        method: None,
        definition: "the time within which 95% of operations succeed".to_owned(),
        since: Since { from: at("2026-10-01T00:00:00Z"), why: "quarter".to_owned() },
        excluded: Vec::new(),
        was: None,
        misses: None,
        groups: Vec::new(),
        parts: Vec::new(),
    }
}

fn scorecard(project: &str, criteria: Vec<CriterionResult>) -> Scorecard {
    let tiers: BTreeMap<_, _> = Tier::ALL
        .iter()
        .map(|tier| {
            let verdicts: Vec<_> = criteria.iter().filter(|c| c.tier == Some(*tier)).map(|c| c.judgement.verdict).collect();
            let met = verdicts.iter().filter(|verdict| **verdict == Verdict::Met).count();
            (*tier, TierResult { met, of: verdicts.len(), verdict: conjunction(verdicts) })
        })
        .collect();
    Scorecard {
        schema_version: SCHEMA_VERSION,
        project: project.to_owned(),
        generated_at: "2026-11-24T21:13:00Z".parse().expect("a time"),
        verdict: tiers.get(&Tier::Must).map_or(Verdict::NoData, |tier| tier.verdict),
        tiers,
        criteria,
    }
}

/// So many must criteria of each verdict.
fn musts(n: usize, verdicts: &[Verdict]) -> Scorecard {
    let each =
        |verdict: &Verdict| (0..n).map(|i| criterion(&format!("{} {i}", verdict.name()), Some(Tier::Must), *verdict)).collect::<Vec<_>>();
    scorecard("test", verdicts.iter().flat_map(each).collect())
}

/// What the runner of GitHub Actions makes of a line (its `ActionCommand.cs`): the level, the title and the message.
fn command(line: &str) -> Option<(String, String, String)> {
    let Some((head, data)) = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::")) else {
        assert!(!line.contains("##["), "the runner takes it for a command of its first version: {line}");
        return None;
    };
    let (level, properties) = head.split_once(' ').expect("a title");
    assert!(["error", "warning", "notice"].contains(&level), "{line}");
    let properties: Vec<_> = properties.split(',').collect();
    let [title] = properties[..] else { panic!("one property: {line}") };
    let back = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
    let data = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    Some((level.to_owned(), back(title.strip_prefix("title=").expect("a title")), data))
}

fn commands(text: &str) -> Vec<(String, String, String)> {
    text.lines().filter_map(command).collect()
}

/// Characters that neither steer what shows them nor are forbidden in XML 1.0.
fn is_harmless(text: &str) -> bool {
    let steers = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    text.chars().all(|c| c == '\n' || !c.is_control() && !steers(c))
}

/// Our own collector reads the report; how many passed, failed (errors too) and were skipped.
fn counted(xml: &str) -> [u64; 3] {
    let report = milepost_collect::read(milepost_collect::Kind::Tests, xml.as_bytes()).expect("JUnit XML");
    let value = |name: &str| report.readings.iter().find(|reading| reading.name == name).map_or(0.0, |reading| reading.value);
    ["tests.passed", "tests.failed", "tests.skipped"].map(|name| value(name) as u64)
}

/// An XML without a declaration of types, in which each `<` begins a tag of ours and each `&` an entity that XML has.
fn is_plain_xml(xml: &str, tags: &[&str]) {
    assert!(is_harmless(xml) && !xml.chars().any(|c| matches!(c, '\u{fffe}' | '\u{ffff}')), "{xml:?}");
    for (at, _) in xml.match_indices('<') {
        let name = xml[at + 1..].trim_start_matches(['/', '?']);
        let end = name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(0);
        assert!(tags.contains(&&name[..end]), "<{name}");
    }
    for (at, _) in xml.match_indices('&') {
        let entity = &xml[at..];
        assert!(["&amp;", "&lt;", "&gt;", "&quot;", "&#"].iter().any(|known| entity.starts_with(known)), "{entity}");
    }
    assert!(!xml.contains("]]>"));
}

/// All formats of a scorecard in which every name and text is this one.
fn holds(text: &str) {
    let both = |tier| VERDICTS.map(|verdict| criterion(text, tier, verdict));
    let criteria = [both(Some(Tier::Must)), both(Some(Tier::Nice)), both(None)].concat();
    let scorecard = scorecard(text, criteria);
    let allowed = [Verdict::Stale];

    let annotations = github::annotations(&scorecard, &[Tier::Must], &allowed);
    assert!(is_harmless(&annotations), "{annotations:?}");
    assert_eq!(annotations.lines().count(), 6, "{annotations}");
    let levels: Vec<_> = commands(&annotations).into_iter().map(|(level, ..)| level).collect();
    assert_eq!(levels, ["error", "warning", "warning", "warning", "notice"], "{annotations}");
    for (_, title, message) in commands(&annotations) {
        assert!(title.chars().count() < 200 && message.chars().count() < 1300, "{title}: {message}");
    }

    let mut must = scorecard.clone();
    must.criteria.retain(|criterion| criterion.tier == Some(Tier::Must));
    let xml = junit::report(&must, &allowed);
    is_plain_xml(&xml, &["xml", "testsuites", "testsuite", "testcase", "failure", "error", "skipped"]);
    assert_eq!(counted(&xml), [1, 3, 1], "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 5, "{xml}");

    let svg = badge::svg(&scorecard, &[Tier::Must]);
    is_plain_xml(&svg, &["svg", "title", "clipPath", "rect", "g", "text"]);
    assert_eq!(svg.matches("<title>").count(), 1);
    let json: Value = serde_json::from_str(&badge::json(&scorecard, &[Tier::Must]).expect("JSON")).expect("JSON");
    assert_eq!(json["message"], "1 of 5 met, 1 missed");
}

#[test]
fn names_of_strangers_steer_nothing() {
    HOSTILE.iter().for_each(|text| holds(text));
    let long: Vec<_> = HOSTILE.iter().map(|text| format!("{text}{}", "x%:,\n<&".repeat(10_000 / 7))).collect();
    long.iter().for_each(|text| holds(text));
    holds(&HOSTILE.concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_steers_anything(text in any::<String>(), parts in prop::collection::vec(prop::sample::select(HOSTILE), 0..4)) {
        holds(&text);
        holds(&format!("{}{text}", parts.concat()));
    }
}

#[test]
fn a_name_comes_back_as_it_was_written() {
    let name = "Latency: 95%, of \"a\" & <b>";
    let scorecard = scorecard("p", vec![criterion(name, Some(Tier::Must), Verdict::Missed)]);
    let annotations = github::annotations(&scorecard, &[Tier::Must], &[]);
    let (level, title, message) = commands(&annotations).remove(0);
    assert_eq!((level.as_str(), title), ("error", format!("missed: {name} (must)")));
    assert!(message.starts_with(&format!("{name} (must): missed. Now 812 ms, target < 500 ms; ")), "{message}");
    let xml = junit::report(&scorecard, &[]);
    let back = xml.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(back.contains(&format!("classname=\"must\" name=\"{name}\">")), "{xml}");
}

#[test]
fn the_report_and_the_annotations_say_what_the_exit_code_says() {
    for first in VERDICTS {
        for second in VERDICTS {
            for allowed in [&[][..], &[Verdict::NotProven], &[Verdict::NoData, Verdict::Stale], &VERDICTS] {
                let scorecard = musts(1, &[first, second]);
                let fails = [first, second].iter().any(|verdict| !passes(*verdict, allowed));
                let xml = junit::report(&scorecard, allowed);
                assert_eq!(counted(&xml)[1] > 0, fails, "{first:?} {second:?} {allowed:?}: {xml}");
                let missed = [first, second].contains(&Verdict::Missed);
                assert_eq!(xml.contains("<failure "), missed, "{xml}");
                let annotations = github::annotations(&scorecard, &[Tier::Must], allowed);
                assert_eq!(annotations.contains("::error ") || annotations.contains("::warning "), fails, "{annotations}");
                assert_eq!(annotations.contains("::error "), missed, "{annotations}");
            }
        }
    }
}

#[test]
fn ten_of_each_level_are_shown_and_the_rest_is_counted() {
    let count = |text: &str, level: &str| text.lines().filter(|line| line.starts_with(&format!("::{level} "))).count();
    let levels = |text: &str| ["error", "warning", "notice"].map(|level| count(text, level));
    let exactly = github::annotations(&musts(10, &[Verdict::Missed, Verdict::NotProven]), &[Tier::Must], &[]);
    assert_eq!(levels(&exactly), [10, 10, 0], "{exactly}");
    let many = github::annotations(&musts(300, &VERDICTS), &[Tier::Must], &[Verdict::NoData]);
    assert_eq!(levels(&many), [10, 10, 10], "{many}");
    assert!(many.contains("left out: 290 errors, 590 warnings and 291 notices."), "{many}");
    assert!(many.ends_with("Criteria checked: 1500; 300 met, 300 missed, 300 not proven, 300 stale, 300 no data.\n"), "{many}");
    assert!(many.len() < 64 * 1024, "{}", many.len());
    let one = github::annotations(&musts(11, &[Verdict::Missed]), &[Tier::Must], &[]);
    assert!(one.contains("left out: 1 error."), "{one}");
}

#[test]
fn a_summary_fits_or_says_that_it_does_not() {
    let scorecard = musts(100, &VERDICTS);
    let whole = github::summary(&scorecard, github::SUMMARY_BYTES_MAX).expect("it fits");
    assert_eq!(whole.matches("\n| missed | ").count(), 100);
    assert_eq!(github::summary(&scorecard, whole.len()).as_ref(), Some(&whole));
    let short = github::summary(&scorecard, whole.len() - 1).expect("the top of it fits");
    assert!(short.starts_with("# test: No\n\nOf 500 must criteria, ") && short.contains("1 MiB") && !short.contains('|'), "{short}");
    assert_eq!(github::summary(&scorecard, short.len() - 1), None);
}

#[test]
fn a_badge_is_green_only_where_all_is_met() {
    let tiers = [Tier::Must];
    let look = |scorecard: &Scorecard| {
        let json: Value = serde_json::from_str(&badge::json(scorecard, &tiers).expect("JSON")).expect("JSON");
        assert_eq!(json["schemaVersion"], 1);
        assert_eq!(json["label"], "must criteria");
        let svg = badge::svg(scorecard, &tiers);
        let message = json["message"].as_str().expect("a message").to_owned();
        assert!(
            svg.contains(&format!("<title>test, must criteria: {message} (judged ")) && svg.contains("role=\"img\" aria-label=\"test, ")
        );
        assert!(svg.contains(&format!(">{message}</text>")), "not by colour alone: {svg}");
        let green = svg.contains("#12683f");
        assert_eq!(json["color"] == "brightgreen", green, "{json}");
        assert_eq!(json["isError"] == false, green, "nobody paints it green: {json}");
        (message, json["color"].as_str().expect("a colour").to_owned(), green)
    };
    for (verdicts, message, color) in [
        (&[][..], "none", "lightgrey"),
        (&[Verdict::Met], "1 of 1 met", "brightgreen"),
        (&[Verdict::Met, Verdict::Met], "2 of 2 met", "brightgreen"),
        (&[Verdict::Met, Verdict::Missed], "1 of 2 met, 1 missed", "red"),
        (&[Verdict::Missed, Verdict::NoData], "0 of 2 met, 1 missed", "red"),
        (&[Verdict::Met, Verdict::NotProven], "1 of 2 met, 1 not proven", "blue"),
        (&[Verdict::Met, Verdict::NoData], "1 of 2 met, 1 no data", "blue"),
        (&[Verdict::NoData, Verdict::NoData], "no data", "lightgrey"),
        (&[Verdict::Stale, Verdict::NoData], "0 of 2 met, 1 stale", "lightgrey"),
        (&[Verdict::NotProven], "not proven", "blue"),
    ] {
        assert_eq!(look(&musts(1, verdicts)), (message.to_owned(), color.to_owned(), color == "brightgreen"));
    }
    let mut amber = musts(1, &[Verdict::Met, Verdict::Missed]);
    amber.criteria[1].judgement.severity = Some(Severity::Amber);
    assert_eq!(look(&amber).1, "orange");
    for first in VERDICTS {
        for second in VERDICTS {
            assert_eq!(look(&musts(1, &[first, second])).2, first == Verdict::Met && second == Verdict::Met, "{first:?} {second:?}");
        }
    }
    let of_another = scorecard("test", vec![criterion("a", Some(Tier::Nice), Verdict::Met), criterion("b", None, Verdict::Met)]);
    assert_eq!(look(&of_another).0, "none", "no tier that is asked for has a criterion");
}

/// A folder with a configuration, and `milepost` in the PATH.
struct Place {
    folder: tempfile::TempDir,
}

const CRITERIA: &str = r#"
[project]
name = "test"

[[criterion]]
name = "Tests"
metric = "tests.failed"
at_most = "0"
tier = "must"

[[criterion]]
name = "Response time"
metric = "latency.p95"
below = "500ms"
tier = "should"

[[criterion]]
name = "Coverage"
metric = "coverage.statements"
above = "90%"
tier = "nice"
"#;
const GOOD: &str = r#"<testsuite><testcase name="a"/></testsuite>"#;
const BAD: &str = r#"<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>"#;

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.path("milepost.toml"), CRITERIA).expect("written");
        for made in [".milepost", "bin", "reports"] {
            fs::create_dir(place.path(made)).expect("a folder");
        }
        symlink(env!("CARGO_BIN_EXE_milepost"), place.path("bin/milepost")).expect("a link");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn command(&self, program: impl AsRef<Path>, args: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display())).env("HOME", self.folder.path());
        command
    }

    fn milepost(&self, args: &[&str]) -> Command {
        self.command(self.path("bin/milepost"), args)
    }

    fn check(&self, args: &[&str]) -> (i32, String) {
        ended(&self.milepost(&[&["check"], args].concat()).output().expect("milepost runs"))
    }
}

fn ended(output: &Output) -> (i32, String) {
    let said = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    (output.status.code().unwrap_or_else(|| panic!("ended by a signal: {said}")), said)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn exit_codes_are_those_of_every_other_format() {
    let place = Place::new();
    for (report, must, all) in [(None, 3, 3), (Some(GOOD), 0, 3), (Some(BAD), 1, 1)] {
        if let Some(report) = report {
            fs::write(place.path("junit.xml"), report).expect("written");
            assert!(place.milepost(&["collect", "tests", "junit.xml"]).output().expect("milepost runs").status.success());
        }
        for format in ["table", "json", "markdown", "github", "junit", "badge", "badge-svg"] {
            let (code, text) = place.check(&["--format", format]);
            assert_eq!(code, must, "{format}: {text}");
            assert_eq!(place.check(&["--format", format, "--only", "must,should,nice"]).0, all, "{format}");
            let allowed = place.check(&["--format", format, "--only", "must,should,nice", "--allow", "no_data,not_proven"]).0;
            assert_eq!(allowed, i32::from(all == 1), "{format}");
        }
        let (code, xml) = place.check(&["--format", "junit", "--only", "must,should", "--allow", "no_data"]);
        assert_eq!(counted(&xml)[1] == 0, code == 0, "{xml}");
        let status = place.milepost(&["status", "--format", "badge"]).output().expect("milepost runs");
        assert_eq!(ended(&status), (0, place.check(&["--format", "badge"]).1), "the badge of the must criteria, without judgement");
    }
    let nothing =
        place.milepost(&["check", "--only", "nice", "--format", "junit", "--config", "/nowhere"]).output().expect("milepost runs");
    assert_eq!(ended(&nothing), (2, String::new()), "no report where there is nothing to check");
}

#[test]
fn an_allowed_verdict_is_no_green_badge() {
    let place = Place::new();
    let (code, badge) = place.check(&["--format", "badge", "--allow", "no_data"]);
    assert_eq!(code, 0);
    assert!(badge.contains("\"message\": \"no data\"") && badge.contains("\"lightgrey\""), "{badge}");
}

#[test]
fn the_summary_of_a_step_is_appended_and_never_decides() {
    let place = Place::new();
    let check = |summary: &Path| {
        place.milepost(&["check", "--format", "github"]).env("GITHUB_STEP_SUMMARY", summary).output().expect("milepost runs")
    };
    let (summary, full) = (place.path("summary.md"), place.path("full.md"));
    assert_eq!(check(&summary).status.code(), Some(3));
    let once = place.text("summary.md");
    assert!(once.starts_with("# test: Not known\n") && once.contains("| no data | Coverage |"), "all tiers: {once}");
    fs::write(&summary, "somebody else's").expect("written");
    check(&summary);
    assert!(place.text("summary.md").starts_with("somebody else's\n\n# test: Not known\n"), "it begins on a line of its own");

    fs::write(&full, "x".repeat(github::SUMMARY_BYTES_MAX - 300)).expect("written");
    check(&full);
    assert!(place.text("full.md").contains("The criteria are left out"), "there is room for the top of it");
    fs::write(&full, "x".repeat(github::SUMMARY_BYTES_MAX)).expect("written");
    let output = check(&full);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("the summary of this step is full"), "{}", said(&output));
    assert_eq!(place.text("full.md").len(), github::SUMMARY_BYTES_MAX);

    let output = check(&place.path("no/such/folder"));
    assert_eq!(output.status.code(), Some(3), "the verdict is the same");
    assert!(said(&output).contains("cannot write"), "{}", said(&output));
    let table = place.milepost(&["check"]).env("GITHUB_STEP_SUMMARY", place.path("other.md")).output().expect("milepost runs");
    assert!(table.status.code() == Some(3) && !place.path("other.md").exists(), "only the format github writes it");
}

/// The block of a language on the page.
fn block(language: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ci.md")).expect("the page");
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&fence).skip(1);
    let (Some(block), None) = (blocks.next(), blocks.next()) else { panic!("one block of {language}") };
    block.split("```").next().expect("an end").to_owned()
}

#[test]
fn the_recipe_for_a_shell_works_as_it_stands_on_the_page() {
    let recipe = block("sh");
    for (report, code, told) in [(GOOD, 0, "No must criterion is missed"), (BAD, 1, "A must criterion is missed")] {
        let place = Place::new();
        fs::write(place.path("reports/junit.xml"), report).expect("written");
        let output = place.command("/bin/sh", &["-c", &recipe]).output().expect("a shell");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(ended(&output).1.contains(told), "{}", ended(&output).1);
        assert_eq!(counted(&place.text("milepost-junit.xml")), [u64::from(code == 0), u64::from(code == 1), 0]);
        assert!(place.text("milepost.svg").contains(if code == 0 { "1 of 1 met" } else { "0 of 1 met, 1 missed" }));
    }
    let place = Place::new();
    let output = place.command("/bin/sh", &["-c", &recipe]).output().expect("a shell");
    assert_ne!(output.status.code(), Some(0), "a report that is not there is no success");
}

/// The steps of the workflow that are shell, by their names.
fn steps(workflow: &str) -> Vec<(String, String)> {
    let (mut steps, mut name, mut lines) = (Vec::new(), String::new(), workflow.lines().peekable());
    while let Some(line) = lines.next() {
        let key = line.trim_start().trim_start_matches("- ");
        if let Some(named) = key.strip_prefix("name: ") {
            named.clone_into(&mut name);
        } else if key == "run: |" {
            let indent = line.len() - line.trim_start().len() + 2;
            let mut script = String::new();
            while let Some(line) = lines.next_if(|line| line.len() > indent && line[..indent].trim().is_empty()) {
                script.extend([&line[indent..], "\n"]);
            }
            steps.push((name.clone(), script));
        } else if let Some(script) = key.strip_prefix("run: ") {
            steps.push((name.clone(), script.to_owned()));
        }
    }
    steps
}

/// As the runner does it: `bash -e` for each step, files that carry paths and summaries from one to the next, and the first that
/// fails ends the job. Only cargo is a stand-in, which leaves the program that was built for this test.
#[test]
fn the_recipe_for_github_works_step_by_step() {
    let steps = steps(&block("yaml"));
    let names: Vec<_> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Build Milepost", "Measure", "Badge", "Check"]);
    for (report, code, level) in [(GOOD, 0, None), (BAD, 1, Some("error"))] {
        let place = Place::new();
        fs::remove_dir(place.path(".milepost")).expect("removed");
        fs::remove_file(place.path("bin/milepost")).expect("removed");
        let cargo = format!(
            "#!/bin/sh\nmkdir -p milepost-source/target/release\nln -s {} milepost-source/target/release/milepost\n",
            env!("CARGO_BIN_EXE_milepost")
        );
        fs::write(place.path("bin/cargo"), cargo).expect("written");
        fs::set_permissions(place.path("bin/cargo"), fs::Permissions::from_mode(0o755)).expect("runnable");
        fs::write(place.path("reports/junit.xml"), report).expect("written");
        let (mut log, mut last) = (String::new(), 0);
        for (name, script) in &steps {
            assert_eq!(last, 0, "before {name}: {log}");
            fs::write(place.path("step.sh"), script).expect("written");
            let added =
                fs::read_to_string(place.path("path")).unwrap_or_default().lines().map(|line| format!("{line}:")).collect::<String>();
            let mut step = place.command("/bin/bash", &["-e", "step.sh"]);
            step.env("PATH", format!("{added}{}:/usr/bin:/bin", place.path("bin").display()));
            step.env("MILEPOST_DATA", place.path(".milepost")).env("GITHUB_PATH", place.path("path"));
            step.env("GITHUB_STEP_SUMMARY", place.path(&format!("summary of {name}")));
            let output = step.output().expect("bash");
            (last, log) = ended(&output);
            assert!(last == 0 || name == "Check", "{name}: {log}{}", said(&output));
        }
        assert_eq!(last, code, "{log}");
        assert_eq!(commands(&log).first().map(|(level, ..)| level.as_str()), level, "{log}");
        let summary = place.text("summary of Check");
        assert!(summary.contains(if code == 0 { "| met | Tests |" } else { "| missed | Tests |" }), "{summary}");
        assert!(place.text("milepost.svg").starts_with("<svg "));
    }
}
