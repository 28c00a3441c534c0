//! docs/limits.md says of each limit what the code says, and there is none in the code of which it says nothing.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Constants with `MAX` in their names that limit nothing a user could reach: how much is drawn or named in passing, what the
/// statistics look at, what is read of the operating system's and our own files, and others by another name.
const NOT_FOR_USERS: &[&str] = &[
    "app/collect_memory.rs EVERY_MAX",
    "app/collect_memory.rs NOT_MEASURED_MAX",
    "app/collect_reports.rs NAMED_MAX",
    "app/import.rs LEFT_OUT_MAX",
    "app/import.rs SHAPES_MAX",
    "app/probe_sample.rs LISTED_MAX",
    "app/probe_sample.rs NAMED_MAX",
    "app/probe_sample.rs NAME_CHARS_MAX",
    "app/schedule/entry.rs CRON_LINE_MAX",
    "app/schedule/entry.rs NAME_MAX",
    "app/serve.rs REST_MAX",
    "app/track.rs NAMED_MAX",
    "app/schedule/systemd.rs UNIT_BYTES_MAX",
    "app/track/definition.rs BYTES_MAX",
    "app/track/reports.rs REPORT_BYTES_MAX",
    "app/track/reports.rs SECONDS_LATER_MAX",
    "app/track/tombstones.rs FILE_BYTES_MAX",
    "app/versions.rs FILE_BYTES_MAX",
    "app/watch/keys.rs SEQUENCE_BYTES_MAX",
    "config/criterion.rs MAX_AGE",
    "milepost-collect/src/cobertura.rs SECONDS_MAX",
    "milepost-collect/src/format.rs KEYS_MAX",
    "milepost-collect/src/import/columns.rs NAMED_MAX",
    "milepost-collect/src/report.rs CHARS_MAX",
    "milepost-judge/src/always_valid.rs COUNT_MAX",
    "milepost-judge/src/always_valid.rs PROJECTION_MAX",
    "milepost-judge/src/always_valid/beta.rs TERMS_MAX",
    "milepost-judge/src/change_points.rs WINDOW_LEN_MAX",
    "milepost-judge/src/contributions.rs DISPERSION_MAX",
    "milepost-judge/src/difference.rs PROJECTION_MAX",
    "milepost-judge/src/fixed_sample.rs PROJECTION_MAX",
    "milepost-judge/src/growth.rs DAYS_MAX",
    "milepost-judge/src/growth.rs DIFFERENCES_MAX",
    "milepost-judge/src/growth.rs TURNS_MAX",
    "milepost-judge/src/growth.rs WEEKS_MAX",
    "milepost-judge/src/history.rs ROUND_MAX",
    "milepost-judge/src/judge.rs NAMES_MAX",
    "milepost-judge/src/judge.rs SENTENCES_MAX",
    "milepost-judge/src/learning.rs CHECKPOINTS_MAX",
    "milepost-judge/src/misses.rs NAMED_MAX",
    "milepost-judge/src/panels/division.rs PARTS_MAX",
    "milepost-judge/src/panels/readings.rs RUNS_MAX",
    "milepost-judge/src/panels/readings.rs SPELLS_MAX",
    "milepost-judge/src/panels/speed.rs BARS_MAX",
    "milepost-judge/src/retention.rs COHORTS_MAX",
    "milepost-judge/src/stability.rs MINUTES_MAX",
    "milepost-record/src/timestamp.rs MAX_US",
    "milepost-store/src/firsts.rs KEPT_MAX",
    "milepost-store/src/packed.rs LIMITS_MAX",
    "milepost-store/src/packed.rs VALUES_MAX",
    "milepost-store/src/presence.rs KEPT_MAX",
    "milepost-store/src/presence.rs LOOKED_AT_MAX",
    "milepost-store/src/parquet_claims.rs DEPTH_MAX",
    "milepost-store/src/lake.rs ATTEMPTS_MAX",
    "milepost-store/src/rollups.rs CAUGHT_UP_BYTES_MAX",
    "milepost-store/src/rollups.rs KEPT_MAX",
    "milepost-store/src/rollups.rs LARGER_MAX",
    "milepost-store/src/rollups.rs TOTALS_MAX",
    "milepost-store/src/rollups.rs UNASKED_DAYS_MAX",
    "milepost-store/src/sql.rs EXACT_MAX",
    "milepost-store/src/tombstones.rs NESTED_MAX",
    "milepost-store/src/tombstones.rs REMEMBERED_MAX",
    "process_tree.rs NOT_MEASURED_MAX",
    "process_tree.rs SHOWN_MAX",
    "process_tree/names.rs BYTES_MAX",
    "process_tree/names.rs COMM_BYTES_MAX",
    "process_tree/proc_files.rs ARGUMENTS_BYTES_MAX",
    "process_tree/proc_files.rs FILE_BYTES_MAX",
    "process_tree/proc_files.rs THREADS_MAX",
    "render/badge.rs PROJECT_CHARS_MAX",
    "render/comparison.rs NAMED_MAX",
    "render/growth.rs MARKS_MAX",
    "render/html.rs NOTICE_LINES_MAX",
    "render/html.rs CARDS_SHOWN_MAX",
    "render/html.rs STEPS_SHOWN_MAX",
    "render/html/criterion.rs SQL_CHARS_MAX",
    "render/html/criterion.rs VALUE_CHARS_MAX",
    "render/html/criterion.rs WEEKS_MAX",
    "render/junit.rs NAME_CHARS_MAX",
    "milepost-record/src/event.rs GROWTH_MAX",
    "milepost-record/src/event.rs JSON_CHARS_MAX",
    "milepost-record/src/spool.rs ID_BYTES_MAX",
    "render/chart/axis.rs ELAPSED_MAX",
    "render/panel/history.rs CHANGE_CHARS_MAX",
    "render/panel/code.rs DAYS_MAX",
    "render/panel/code.rs LISTED_MAX",
    "render/panel/community.rs MONTHS_MAX",
    "render/panel/community.rs SCORES_MAX",
    "render/panel/errors.rs SAID_CHARS_MAX",
    "render/panel/history.rs CHANGES_MAX",
    "render/panel/history.rs CRITERIA_MAX",
    "render/panel/draw/icicle.rs ROWS_MAX",
    "render/panel/history.rs DAYS_MAX",
    "render/panel/history.rs FORMER_MAX",
    "render/panel/history.rs STRETCHES_MAX",
    "render/panel/learning.rs DAYS_MAX",
    "render/panel/pieces.rs ROWS_MAX",
    "render/panel/personas.rs PERSONAS_MAX",
    "render/panel/pieces.rs ROWS_MAX",
    "render/panel/users.rs COHORTS_MAX",
    "render/watch.rs LINE_CHARS_MAX",
    "render/watch.rs MARKS_MAX",
    "render/watch/detail.rs TEXT_WIDTH_MAX",
    "render/watch/list.rs NAME_MAX",
    "render/watch/looking.rs FILTER_CHARS_MAX",
    "render/words.rs LINE_CHARS_MAX",
    "render/words.rs SHOWN_MAX",
    "serve/counted.rs REASON_CHARS_MAX",
    "serve/metrics.rs CRITERIA_MAX",
    "serve/metrics.rs GOALS_MAX",
    "serve/otlp/mapping/metrics.rs QUOTED_BYTES_MAX",
    "serve/tokens.rs FILE_BYTES_MAX",
    "serve/tokens.rs PRESENTED_BYTES_MAX",
    "serve/turned_away.rs IGNORED_BYTES_MAX",
    "wrap/processes.rs DEPTH_MAX",
    "wrap/stderr.rs LEFT_BEHIND_BYTES_MAX",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The constants of the code, but for tests: file and name, and what stands behind the equals sign.
fn constants() -> BTreeMap<(String, String), String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root().join("crates")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let is_ours = !["tests", "examples", "benches", "tests.rs", "bad_input.rs"].iter().any(|name| entry.ends_with(name));
            if entry.is_dir() && is_ours {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") && is_ours {
                let text = fs::read_to_string(&entry).expect("text");
                let file = entry.strip_prefix(root().join("crates")).expect("ours").to_string_lossy().into_owned();
                let code = text.split("#[cfg(test)]").next().expect("some");
                for declared in code.split("const ").skip(1) {
                    let Some((name, value)) = declared.split_once(';').and_then(|(declared, _)| declared.split_once(" = ")) else {
                        continue;
                    };
                    let Some((name, _)) = name.split_once(':') else { continue };
                    if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
                        found.insert((file.clone(), name.to_owned()), value.to_owned());
                    }
                }
            }
        }
    }
    found
}

/// The one constant that is meant by the end of its file's path and its name.
fn meant<'a>(constants: &'a BTreeMap<(String, String), String>, words: &str) -> &'a (String, String) {
    let (end, name) = words.split_once(' ').expect("a file and a name");
    let is_meant = |(file, of): &&(String, String)| of == name && (file == end || file.ends_with(&format!("/{end}")));
    let found: Vec<_> = constants.keys().filter(is_meant).collect();
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    found[0]
}

/// What a constant is worth: a number, or the microseconds of a duration.
fn worth(constants: &BTreeMap<(String, String), String>, file: &str, value: &str) -> u128 {
    let value = value.trim();
    for (unit, microseconds) in [("secs", 1_000_000), ("millis", 1000), ("micros", 1)] {
        if let Some(inner) = value.strip_prefix(&format!("Duration::from_{unit}(")).and_then(|rest| rest.strip_suffix(')')) {
            return worth(constants, file, inner) * microseconds;
        }
    }
    for (sign, apply) in [(" << ", (|a, b| a << b) as fn(u128, u128) -> u128), (" * ", |a, b| a * b), (" / ", |a, b| a / b)] {
        if let Some((left, right)) = value.rsplit_once(sign) {
            return apply(worth(constants, file, left), worth(constants, file, right));
        }
    }
    if let Ok(number) = value.replace('_', "").parse() {
        return number;
    }
    let name = value.rsplit("::").next().expect("a name");
    let of = |(at, of): &(String, String)| of == name && if value.contains("limits::") { at.ends_with("limits.rs") } else { at == file };
    let (key, value) = constants.iter().find(|(key, _)| of(key)).unwrap_or_else(|| panic!("{file}: {value}"));
    worth(constants, &key.0, value)
}

/// What the page says: a number and perhaps a unit; of time in microseconds.
fn said(text: &str) -> u128 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u128 = number.parse().unwrap_or_else(|_| panic!("`{text}` is no number"));
    let of_unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "PiB" => 1 << 50,
        "MB" => 1_000_000,
        "ms" => 1000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        "days" => 86_400_000_000,
        other => panic!("{other} is no unit"),
    };
    number * of_unit
}

/// The default of an option, as its help has it.
fn default_of(command: &str, option: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_milepost")).args([command, "--help"]).output().expect("milepost runs");
    let help = String::from_utf8(output.stdout).expect("text");
    let rest = help.split_once(&format!("{option} <")).unwrap_or_else(|| panic!("{command} {option}: {help}")).1;
    rest.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']')).expect("a default").0.to_owned()
}

#[test]
fn the_page_says_what_the_code_says_and_leaves_nothing_out() {
    let constants = constants();
    let page = fs::read_to_string(root().join("docs/limits.md")).expect("a page");
    let mut told = BTreeSet::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, limit, _, _, code] = cells[..] else { panic!("not five cells: {row}") };
        if code == "in the code" {
            continue;
        }
        let code = code.trim_matches('`');
        if let Some((command, option)) = code.strip_prefix("milepost ").and_then(|words| words.split_once(' ')) {
            assert_eq!(limit.replace(' ', ""), default_of(command, option), "{row}");
            continue;
        }
        let key = meant(&constants, code);
        assert_eq!(said(limit), worth(&constants, &key.0, &constants[key]), "{row}");
        told.insert(key);
    }
    assert!(told.len() > 100, "{}", told.len());
    let others: BTreeSet<_> = NOT_FOR_USERS.iter().map(|words| meant(&constants, words)).collect();
    assert_eq!(told.intersection(&others).collect::<Vec<_>>(), [] as [&&(String, String); 0], "on the page, and not for users");
    let is_limit = |(_, name): &&(String, String)| name.split('_').any(|word| word == "MAX");
    let missing: Vec<_> = constants.keys().filter(is_limit).filter(|key| !told.contains(key) && !others.contains(key)).collect();
    assert!(missing.is_empty(), "docs/limits.md says nothing of {missing:#?}");
}
