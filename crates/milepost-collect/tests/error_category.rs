//! Real error texts of real programs, the traps that simpler rules fall into, and what no text may do to the rules.
//!
//! `error_texts/README.md` tells how the texts were made and what each category means. A rule is tuned on
//! `error_texts/*.txt` only; those in `error_texts/held_out` measure what it is worth on texts that it was not made for.

#![expect(clippy::expect_used, reason = "a text that cannot be read must fail the test")]

use milepost_collect::error_category::{
    CATEGORY_BYTES_MAX, NETWORK, NOT_FOUND, PATTERN_BYTES_MAX, PATTERNS_MAX, PERMISSION, RULES_MAX, Rule, RuleError, Rules, TEXT_BYTES_MAX,
    UNKNOWN, VALIDATION, from_exit,
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// The share of held-out texts that the default rules have to get right.
const HELD_OUT_RIGHT_MIN: f64 = 0.95;

/// One text, as `--- category: network | command: git clone …`, perhaps `--- because: …`, and the text itself.
struct Sample {
    program: String,
    command: String,
    category: String,
    text: String,
}

fn samples(folder: &str) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/error_texts").join(folder);
    let mut samples = Vec::new();
    for entry in fs::read_dir(&folder).expect("the folder of texts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let program = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let file = fs::read_to_string(&path).expect("a file of texts");
        for block in file.split("--- category: ").skip(1) {
            let (header, text) = block.split_once('\n').expect("a text below its header");
            let (category, command) = header.split_once(" | command: ").expect("a category and a command");
            let reason = text.strip_prefix("--- because: ").and_then(|text| text.split_once('\n'));
            let text = reason.map_or(text, |(_, text)| text).to_owned();
            samples.push(Sample { program: program.clone(), command: command.to_owned(), category: category.to_owned(), text });
        }
    }
    samples
}

/// What was not put where it belongs, by what was said instead.
fn confusion(samples: &[Sample]) -> Vec<String> {
    let rules = Rules::defaults();
    let mut wrong = Vec::new();
    for Sample { program, command, category, text } in samples {
        let found = rules.categorize(text);
        if found != category {
            wrong.push(format!("{category}, not {found} | {program}: {command}\n{text}"));
        }
    }
    wrong
}

fn rule(category: &str, any: &[&str]) -> Rule {
    Rule { category: category.to_owned(), any: any.iter().map(|&pattern| pattern.to_owned()).collect() }
}

fn with(category: &str, any: &[&str]) -> Rules {
    Rules::defaults().with_first(vec![rule(category, any)]).expect("a rule that can be used")
}

fn refused(rules: Vec<Rule>) -> RuleError {
    Rules::defaults().with_first(rules).expect_err("a rule that cannot be used")
}

#[track_caller]
fn check(text: &str, category: &str) {
    assert_eq!(Rules::defaults().categorize(text), category, "{text}");
}

// Texts

#[test]
fn every_text_that_the_rules_are_tuned_on_is_right() {
    let samples = samples("");
    assert!(samples.len() > 600, "only {} texts were found", samples.len());
    let wrong = confusion(&samples);
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), samples.len(), wrong.join("\n"));
}

#[test]
fn held_out_texts_are_mostly_right() {
    let samples = samples("held_out");
    assert!(samples.len() > 150, "only {} texts were found", samples.len());
    let wrong = confusion(&samples);
    let right = 1.0 - wrong.len() as f64 / samples.len() as f64;
    assert!(right >= HELD_OUT_RIGHT_MIN, "{right:.3} of {} are right, wrong are:\n{}", samples.len(), wrong.join("\n"));
}

#[test]
fn every_category_is_held_out_often_enough_to_be_measured() {
    let mut counts = BTreeMap::new();
    for sample in samples("held_out") {
        *counts.entry(sample.category).or_insert(0) += 1;
    }
    for category in [NETWORK, PERMISSION, NOT_FOUND, VALIDATION, UNKNOWN] {
        assert!(counts.get(category).is_some_and(|&count| count >= 15), "{counts:?}");
    }
}

// Traps

#[test]
fn nix_that_cannot_resolve_a_name_is_network() {
    check("error: unable to download 'https://cache.example.org/nix-cache-info': Couldn't resolve host name (6)", NETWORK);
    // As newer releases say it.
    check("error: unable to download 'https://cache.example.org/x': Could not resolve hostname (6)", NETWORK);
    // An attempt that was made again and then worked is no failure.
    check(
        "warning: error: unable to download 'https://example.org/x': HTTP error 503; retrying in 276 ms\n\
         error: attribute 'firefoxx' in selection path 'firefoxx' not found",
        NOT_FOUND,
    );
}

#[test]
fn sudo_in_a_text_is_not_permission() {
    check("sudo: frobnicate: command not found", NOT_FOUND);
    check("bash: line 1: sudo: command not found", NOT_FOUND);
    check("sudo: unable to resolve host box: Name or service not known\nsudo: frobnicate: command not found", NOT_FOUND);
    check("sudo: a password is required", PERMISSION);
}

#[test]
fn time_outs_are_network_only_where_a_network_is_in_sight() {
    check("curl: option --connect-timeout: expected a proper numerical parameter", VALIDATION);
    check("subprocess.TimeoutExpired: Command '['sleep', '9']' timed out after 1 seconds", UNKNOWN);
    check("ValueError: invalid literal for int() with base 10: 'timeout'", VALIDATION);
    check("Exception: something went wrong while reading network settings", UNKNOWN);
    check("curl: (28) Operation timed out after 2001 milliseconds with 0 bytes received", NETWORK);
}

#[test]
fn advice_below_the_cause_does_not_count() {
    check(
        "ssh: Could not resolve hostname git.example.org: Name or service not known\n\
         fatal: Could not read from remote repository.\n\n\
         Please make sure you have the correct access rights\nand the repository exists.",
        NETWORK,
    );
    // npm speaks of resolving dependencies as others do of names.
    check("npm error code ERESOLVE\nnpm error Could not resolve dependency:\nnpm error peer c@\"2\" from a@1.0.0", VALIDATION);
}

#[test]
fn quoted_source_does_not_count() {
    check("  File \"app.py\", line 2, in f\n    raise E(\"connection refused\" if off else \"boom\")\nE: boom", UNKNOWN);
    check("error: boom\n --> a.rs:1:1\n  |\n1 | \"connection refused\"\n  | ^^^ \"permission denied\"\n", UNKNOWN);
    check("app.js:1\nthrow new Error(ok ? \"permission denied\" : \"boom\")\n^\n\nError: boom", UNKNOWN);
    // What stands after the quotation counts again, also behind the bars of a group of exceptions.
    check("1 | let x;\n  | ^\n\nerror: permission denied", PERMISSION);
    check("  |   File \"a.py\", line 3, in f\n  |     x()\n  | OSError: Connect call failed ('127.0.0.1', 9)", NETWORK);
}

#[test]
fn terminal_codes_are_not_part_of_words() {
    check("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m per\u{1b}[38;5;1mmission\u{1b}[m denied", PERMISSION);
    check("\u{1b}]8;;https://example.org/permission denied\u{1b}\\see\u{1b}]8;;\u{1b}\\: not found", NOT_FOUND);
    check("\u{1b}]0;title\u{7}not\u{1b}(B found", NOT_FOUND);
    // An order without its end hides no more than its line.
    check("\u{1b}]0;title\nnot found", NOT_FOUND);
    check("\u{1b}[31", UNKNOWN);
    // A progress bar draws over itself.
    check("downloading 10 %\rdownloading 20 %\rerror: connection refused", NETWORK);
}

#[test]
fn case_spaces_and_quotation_marks_do_not_matter() {
    check("E: Failed to fetch http://example.org/x  403\t Forbidden", PERMISSION);
    check("wget: unable to resolve host address ‘example.org’", NETWORK);
    check("COULDN’T RESOLVE HOST NAME", NETWORK);
}

// Patterns

#[test]
fn a_pattern_matches_whole_words() {
    let rules = with("mine", &["access"]);
    assert_eq!(rules.categorize("no access"), "mine");
    assert_eq!(rules.categorize("access: no"), "mine");
    for other in ["accessory", "no_access", "preaccess", "accesses"] {
        assert_eq!(rules.categorize(other), UNKNOWN, "{other}");
    }
    // A word's edge is looked for again behind a place that has none.
    assert_eq!(with("mine", &["no no"]).categorize("xno no no"), "mine");
    assert_eq!(with("mine", &["größe"]).categorize("die GRÖSSE? Die GRÖßE!"), "mine");
}

#[test]
fn a_star_stays_within_its_line() {
    let rules = with("mine", &["disk * full"]);
    assert_eq!(rules.categorize("the disk is very full"), "mine");
    assert_eq!(rules.categorize("the disk full"), "mine");
    assert_eq!(rules.categorize("disk\nfull"), UNKNOWN);
    assert_eq!(rules.categorize("disk\nthe disk is full"), "mine");
    assert_eq!(rules.categorize("disks are full"), UNKNOWN);
    let touching = with("mine", &["code 5*"]);
    assert_eq!(touching.categorize("code 503"), "mine");
    assert_eq!(touching.categorize("code 5"), "mine");
    assert_eq!(touching.categorize("code 405"), UNKNOWN);
    assert_eq!(with("mine", &["*quota"]).categorize("DiskQuota"), "mine");
}

#[test]
fn users_rules_win_in_their_order() {
    let text = "curl: (6) Could not resolve host: proxy.example.org";
    let proxy = || rule("proxy", &["host: proxy*"]);
    let rules = Rules::defaults().with_first(vec![proxy(), rule("late", &["curl"])]).expect("rules");
    assert_eq!(rules.categorize(text), "proxy");
    let rules = rules.with_first(vec![rule("early", &["curl"])]).expect("rules");
    assert_eq!(rules.categorize(text), "early");
    // Also to take something out of the defaults.
    assert_eq!(with(UNKNOWN, &["could not resolve host"]).categorize(text), UNKNOWN);
}

#[test]
fn rules_that_cannot_be_used_are_refused_with_a_reason() {
    for name in ["", "Quota", "rate-limit", "rate limit", "_quota", "quota_", "rate__limit", "2nd", "größe"] {
        assert_eq!(refused(vec![rule(name, &["x"])]), RuleError::CategoryName { category: name.to_owned() });
    }
    let long = "a".repeat(CATEGORY_BYTES_MAX + 1);
    assert_eq!(refused(vec![rule(&long, &["x"])]), RuleError::CategoryName { category: long.clone() });
    for pattern in ["", " ", "*", ": *", "two\nlines", &"a".repeat(PATTERN_BYTES_MAX + 1)] {
        let error = refused(vec![rule("quota", &["fine", pattern])]);
        assert_eq!(error, RuleError::Pattern { category: "quota".to_owned(), pattern: pattern.to_owned() });
        assert!(error.to_string().contains("\"quota\""), "{error}");
    }
    assert_eq!(refused(vec![rule("quota", &[])]), RuleError::PatternCount { category: "quota".to_owned(), count: 0 });
    let many = vec!["x"; PATTERNS_MAX + 1];
    assert_eq!(refused(vec![rule("quota", &many)]), RuleError::PatternCount { category: "quota".to_owned(), count: many.len() });
    assert_eq!(refused(vec![rule("quota", &["x"]); RULES_MAX + 1]), RuleError::TooManyRules { count: RULES_MAX + 1 });
}

#[test]
fn an_exit_code_tells_little_and_a_signal_nothing() {
    assert_eq!(from_exit(Some(127), None), NOT_FOUND);
    assert_eq!(from_exit(Some(126), None), PERMISSION);
    for (exit_code, signal) in [(Some(1), None), (Some(0), None), (None, Some(9)), (None, None), (Some(127), Some(9)), (Some(-1), None)] {
        assert_eq!(from_exit(exit_code, signal), UNKNOWN);
    }
}

// Hostile texts

#[test]
fn only_the_end_of_a_text_counts() {
    let far = format!("connection refused{}", " .".repeat(TEXT_BYTES_MAX / 2));
    check(&far, UNKNOWN);
    check(&format!("{far}\npermission denied"), PERMISSION);
    // The cut falls into a character.
    check(&format!("{}permission denied", "€ ".repeat(TEXT_BYTES_MAX)), PERMISSION);
}

#[test]
fn hostile_texts_cost_no_more_than_their_length() {
    let mut texts = vec!["a".repeat(TEXT_BYTES_MAX), "a".repeat(1000 * TEXT_BYTES_MAX), "\u{1b}[".repeat(TEXT_BYTES_MAX)];
    // The beginnings of patterns with stars, again and again, on one line and on many.
    for beginning in ["no ", "certificate of ", "http response ", "File \"", "1|", "\u{1b}]", "İ", "no\n", "^\n"] {
        texts.push(beginning.repeat(TEXT_BYTES_MAX / beginning.len()));
    }
    let any: Vec<String> = (0..PATTERNS_MAX).map(|index| format!("{}*b", "a".repeat(index + 1))).collect();
    let rules = Rules::defaults().with_first(vec![Rule { category: "worst".to_owned(), any }]).expect("rules");
    for text in texts {
        let start = Instant::now();
        rules.categorize(&text);
        let took = start.elapsed();
        let shown: String = text.chars().take(20).collect();
        // A build for tests on a busy machine; a square of the length would take minutes.
        assert!(took < Duration::from_secs(2), "{took:?} for {} bytes of {shown:?}", text.len());
    }
}

proptest! {
    #[test]
    fn any_text_has_a_category(text in "\\PC*") {
        prop_assert!(!Rules::defaults().categorize(&text).is_empty());
    }

    #[test]
    fn any_text_of_hostile_parts_has_a_category(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\u{1b}", "[", "]", "(", "\u{7}", "\\", "\r", "\n", "\t", " ", "^", "~", "|", "1", "*", "\0", "\u{9b}", "é", "İ", "€", "🦀", "\u{301}",
            "File \"", "\", line ", "not", "found", "permission", "denied", "retrying in ", "http error 5", "'", "‘",
        ]), 0..200),
        from in 0..TEXT_BYTES_MAX,
    ) {
        let text = format!("{}{}", "x".repeat(from), parts.concat());
        prop_assert!(!Rules::defaults().categorize(&text).is_empty());
    }

    /// A pattern that can be used matches itself, so that a user may paste a line of an error text.
    #[test]
    fn a_pasted_line_matches(line in "[a-zA-Z0-9äß’'\"` :;.,()/_%-]{0,40}[a-z0-9][a-zA-Z0-9ä :.]{0,40}", before in "[a-z ]{0,9}") {
        let rules = Rules::defaults().with_first(vec![rule("mine", &[&line])]).expect("a usable pattern");
        let mut text = String::new();
        write!(text, "{before}\n{line}\nthe end").expect("a string takes all");
        prop_assert_eq!(rules.categorize(&text), "mine");
    }
}
