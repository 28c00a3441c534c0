//! `milepost report full --exact` beside figures that are worked out here from the same events, one after the other.

use super::Place;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

fn exact(place: &Place, args: &[&str]) -> Value {
    place.report(&[&["--exact"], args].concat())
}

/// An operation as it was drawn.
struct Drawn {
    at: Timestamp,
    operation: &'static str,
    backend: Option<&'static str>,
    outcome: &'static str,
    duration_us: Option<u64>,
    category: Option<&'static str>,
    user: Option<u64>,
    is_dry_run: bool,
}

/// Numbers that look as if they were drawn, the same each time (Steele, Lea and Flood 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }
}

const OPERATIONS: [&str; 5] = ["search", "find", "install", "switch", "a_name_of_more_than_twelve_letters"];

/// Six weeks from before a night in which the clocks of Berlin went forward, in no order.
fn drawn(n: u64) -> Vec<Drawn> {
    let (mut draws, start) = (Draws(7), "2026-03-20T00:00:00Z".parse::<Timestamp>().expect("a time"));
    let mut one = |_| {
        let outcome = draws.of(&["ok", "ok", "ok", "ok", "ok", "ok", "failed", "timeout", "cancelled"]);
        let most = draws.of(&[2_000, 900_000, 60_000_000, 9_000_000_000]);
        Drawn {
            at: start + i64::try_from(draws.below(42 * 86_400_000_000)).expect("small").microseconds(),
            operation: draws.of(&OPERATIONS),
            backend: draws.of(&[None, Some("native"), Some("subprocess")]),
            outcome,
            duration_us: (draws.below(20) > 0).then(|| draws.below(most)),
            category: if outcome == "failed" { draws.of(&[None, Some("network"), Some("not_found")]) } else { None },
            user: (draws.below(10) > 0).then(|| draws.below(150)),
            is_dry_run: draws.below(30) == 0,
        }
    };
    (0..n).map(&mut one).collect()
}

fn lines(drawn: &[Drawn]) -> String {
    let mut text = String::new();
    for one in drawn {
        let Drawn { at, operation, outcome, is_dry_run, .. } = one;
        let mut line = json!({ "v": 1, "kind": "operation", "at": at.to_string(), "operation": operation, "outcome": outcome });
        let line_of = line.as_object_mut().expect("a map");
        let mut set = |name: &str, value: Option<Value>| _ = value.map(|value| line_of.insert(name.to_owned(), value));
        set("backend", one.backend.map(Value::from));
        set("duration_us", one.duration_us.map(Value::from));
        set("user", one.user.map(|user| json!(format!("person-{user}"))));
        set("error", one.category.map(|category| json!({ "category": category })));
        set("dry_run", is_dry_run.then(|| json!(true)));
        writeln!(text, "{line}").expect("written");
    }
    text
}

#[derive(Default)]
struct Group {
    ok: u64,
    failed: u64,
    values: Vec<u64>,
}

impl Group {
    fn count(&mut self, one: &Drawn) {
        if one.outcome == "ok" {
            self.ok += 1;
            self.values.extend(one.duration_us);
        } else {
            self.failed += 1;
        }
    }

    /// The quantile of type 1, where a failure is slower than any, or of type 7, where it is left out; in the unit of the values.
    fn quantile(&self, q: f64, is_type7: bool) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable();
        if is_type7 {
            let place = (sorted.len().checked_sub(1)?) as f64 * q;
            let (low, part) = (place.floor() as usize, place.fract());
            let (low, high) = (sorted[low] as f64, sorted[(low + 1).min(sorted.len() - 1)] as f64);
            return Some(low + part * (high - low));
        }
        let rank = ((sorted.len() as u64 + self.failed) as f64 * q).ceil() as usize;
        sorted.get(rank.checked_sub(1)?).map(|value| *value as f64)
    }

    fn figures(&self, is_type7: bool) -> Value {
        let n = self.ok + self.failed;
        let [p50, p95] = [0.5, 0.95].map(|q| self.quantile(q, is_type7).map(|us| us / 1000.0));
        json!([n, 100.0 * self.ok as f64 / n as f64, p50, p95])
    }
}

/// The report, worked out from what was drawn.
fn expected(drawn: &[Drawn], zone: &TimeZone, is_type7: bool) -> Value {
    let (mut summary, mut errors) = (Group::default(), BTreeMap::<&str, u64>::new());
    let mut groups: [BTreeMap<String, Group>; 3] = Default::default();
    let mut people: BTreeMap<u64, Vec<&Drawn>> = BTreeMap::new();
    let day = |at: Timestamp| at.to_zoned_datetime(zone.clone()).date();
    for one in drawn.iter().filter(|one| !one.is_dry_run && one.outcome != "cancelled") {
        let name = if one.operation == "find" { "search" } else { one.operation };
        let keys = [name.to_owned(), format!("{name}|{}", one.backend.unwrap_or_default()), day(one.at).to_string()];
        for (group, key) in groups.iter_mut().zip(keys) {
            group.entry(key).or_default().count(one);
        }
        summary.count(one);
        if let Some(category) = one.category {
            *errors.entry(category).or_default() += 1;
        }
        if let Some(user) = one.user {
            people.entry(user).or_default().push(one);
        }
    }
    let (mut waits, mut retention) = (Group::default(), BTreeMap::<String, u64>::new());
    for of_person in people.values() {
        let first = of_person.iter().map(|one| one.at).min().expect("one");
        match of_person.iter().filter(|one| one.outcome == "ok").map(|one| one.at).min() {
            Some(success) => {
                waits.ok += 1;
                waits.values.push(u64::try_from(success.as_microsecond() - first.as_microsecond()).expect("later"));
            }
            None => waits.failed += 1,
        }
        let epoch = Date::constant(1969, 12, 29);
        let week = |one: &&Drawn| day(one.at).duration_since(epoch).as_hours() / 24 / 7;
        let weeks: BTreeSet<i64> = of_person.iter().map(week).collect();
        let began = *weeks.first().expect("a week");
        weeks.iter().for_each(|week| *retention.entry(format!("{began}|{}", week - began)).or_default() += 1);
    }
    let fast = waits.values.iter().filter(|us| **us < 30_000_000).count() as f64;
    let mean = waits.values.iter().sum::<u64>() as f64 / waits.ok as f64 / 1e6;
    let median = waits.quantile(0.5, is_type7).map(|us| us / 1e6);
    let figures = |group: &BTreeMap<String, Group>| -> Map<String, Value> {
        group.iter().map(|(key, group)| (key.clone(), group.figures(is_type7))).collect()
    };
    let [by_operation, by_operation_backend, by_day] = groups.each_ref().map(figures);
    json!({
        "summary": summary.figures(is_type7),
        "by_operation": by_operation,
        "by_operation_backend": by_operation_backend,
        "by_day": by_day,
        "errors": errors,
        "ttfs": [people.len(), waits.ok, mean, median, 100.0 * fast / waits.ok as f64],
        "retention": retention,
    })
}

/// Where two reports differ by more than the rounding of one step of a sum.
fn differences(path: &str, found: &Value, expected: &Value) -> Vec<String> {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            let of = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(json!("not there"));
            keys.into_iter().flat_map(|key| differences(&format!("{path}/{key}"), &of(one, key), &of(other, key))).collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().flat_map(|(n, (one, other))| differences(&format!("{path}/{n}"), one, other)).collect()
        }
        (Value::Number(one), Value::Number(other)) => {
            let [one, other] = [one, other].map(|number| number.as_f64().expect("a number"));
            if (one - other).abs() <= 1e-9 * other.abs() { Vec::new() } else { vec![format!("{path}: {one}, not {other}")] }
        }
        _ if found == expected => Vec::new(),
        _ => vec![format!("{path}: {found}, not {expected}")],
    }
}

const CONFIG: &str = "[project]\nname = \"x\"\ntime_zone = \"Europe/Berlin\"\n[aliases]\nfind = \"search\"\n";

#[test]
fn every_figure_is_that_of_the_events_one_by_one() {
    let (drawn, berlin) = (drawn(6000), TimeZone::get("Europe/Berlin").expect("a zone"));
    let place = Place::with(CONFIG);
    // Two thirds of them in the tables, in two files, and the rest in the spool.
    for part in [&drawn[..2000], &drawn[2000..4000]] {
        place.ok(&["record"], &lines(part));
        place.ok(&["track"], "");
    }
    place.ok(&["record"], &lines(&drawn[4000..]));
    let nothing: [String; 0] = [];
    assert_eq!(differences("", &exact(&place, &[]), &expected(&drawn, &berlin, false)), nothing);
    let type7 = ["--quantile-type", "7", "--failures", "exclude"];
    assert_eq!(differences("", &exact(&place, &type7), &expected(&drawn, &berlin, true)), nothing);

    // Of a period, to the moment.
    let (from, to) = (drawn[0].at.min(drawn[1].at), drawn[0].at.max(drawn[1].at));
    let within: Vec<Drawn> = drawn.into_iter().filter(|one| from <= one.at && one.at < to).collect();
    let report = exact(&place, &["--from", &from.to_string(), "--to", &to.to_string()]);
    assert_eq!(differences("", &report, &expected(&within, &berlin, false)), nothing);
    assert_eq!(exact(&place, &["--origin", "probe"])["summary"], json!([0, null, null, null]));
}

/// A complete fixed sample is proof of its own, and no use.
#[test]
fn a_complete_fixed_sample_is_left_out() {
    let place = Place::with("[project]\nname = \"x\"\n[[probe]]\noperation = \"list\"\ncommand = [\"true\"]\n");
    place.ok(&["probe", "list", "--samples", "3"], "");
    place.ok(&["record"], "{\"v\":1,\"kind\":\"operation\",\"at\":\"2026-01-01T00:00:00Z\",\"operation\":\"list\",\"outcome\":\"ok\",\"origin\":\"probe\",\"duration_us\":1}\n");
    assert_eq!(exact(&place, &["--origin", "probe"])["summary"], json!([1, 100.0, 0.001, 0.001]));
}

#[test]
fn people_can_read_it() {
    let place = Place::with(CONFIG);
    let shown = place.ok(&["report", "full", "--exact"], "");
    assert!(shown.contains("operations  0\n") && shown.contains("P50, P95    –, –"), "{shown}");
    let evil = "{\"v\":1,\"kind\":\"operation\",\"at\":\"2026-04-01T00:00:00Z\",\"operation\":\"a|b\\u001b[31m<script>\",\"outcome\":\"failed\"}\n";
    place.ok(&["record"], &format!("{}{evil}", lines(&drawn(3000))));
    let shown = place.ok(&["report", "full", "--exact"], "");
    assert_eq!(shown.lines().find(|line| line.chars().count() > 80), None);
    assert!(!shown.contains('\u{1b}') && shown.contains("a|b\\u{1b}[31m<script>"), "{shown}");
    // A fifth of them failed, so the P95 falls on one of those.
    assert!(shown.contains("ms, failed: a failure is slower than any limit"), "{shown}");
    let markdown = place.ok(&["report", "full", "--exact", "--format", "markdown"], "");
    assert!(markdown.contains("a\\|b") && !markdown.contains("<script>") && !markdown.contains('\u{1b}'), "{markdown}");
    assert!(markdown.contains("## Retention") && markdown.contains("| 2026-03-16 |"), "{markdown}");

    for (args, why) in [
        (&["report", "full", "--failures", "exclude"][..], "--exact"),
        (&["report", "full", "--exact", "--quantile-type", "8"], "the types are 1 and 7"),
    ] {
        let output = place.pipe(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
