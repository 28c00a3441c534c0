//! What every tracker saw in ninety busy days, as plain data: the panels full, for the tests of the page and of the browser.

use super::at;
use jiff::{ToSpan, civil::Date};
use milepost_judge::{Criteria, Panels, Verdict, panels, panels::Record, panels_questions};
use milepost_record::{
    Answer, Breakdown, Criterion, Dimension, ErrorDay, Event, Evidence, Failure, Feedback, FirstSession, Groups, Measure, Measurement,
    MemorySample, MemoryTree, OperationDay, ProcessMemory, Reading, Return, Run, Scalar, Sessions, Subject, Timestamp, Understood,
    Verdict as Judged,
};
use std::time::Duration;

const OPERATIONS: [&str; 8] = ["install", "search", "config_gen", "list", "update", "rollback", "remove", "explain"];
const BACKENDS: [&str; 2] = ["native", "subprocess"];
const CATEGORIES: [&str; 5] = ["network", "permission", "not_found", "validation", "unknown"];
const PERSONAS: [&str; 10] = ["grandma_rose", "maya", "david", "dr_sarah", "alex", "carlos", "priya", "jamie", "viktor", "luna"];
const VERDICTS: [Verdict; 5] = [Verdict::NotProven, Verdict::Met, Verdict::Missed, Verdict::Stale, Verdict::NoData];
const DAYS: i32 = 90;
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The panels of ninety days up to `now`, and a history of a year; `named` makes of a name what the product calls it.
pub(crate) fn full(criteria: &Criteria, now: Timestamp, named: impl Fn(&str) -> String) -> Panels {
    let seen = Seen { now, named: &named };
    let answer = |subject: &Subject, by: Option<&Dimension>| Answer { sql: String::new(), evidence: seen.evidence(subject, by) };
    let questions = panels_questions(criteria, now);
    let answers: Vec<_> = questions.iter().map(|question| answer(&question.subject, question.for_each.as_ref())).collect();
    Panels { record: Some(Record::of(criteria, &seen.recorded(criteria))), ..panels(criteria, &answers, now) }
}

struct Seen<'a> {
    now: Timestamp,
    named: &'a dyn Fn(&str) -> String,
}

impl Seen<'_> {
    fn evidence(&self, subject: &Subject, by: Option<&Dimension>) -> Evidence {
        let all = || Groups { groups: [].into(), folded: 0 };
        match subject {
            Subject::Breakdown => Evidence::Breakdown(self.cells()),
            Subject::Operations { .. } => {
                let names = if by == Some(&Dimension::Persona) { &PERSONAS[..] } else { &BACKENDS[..] };
                // One persona was not there yet.
                let there = names.iter().filter(|name| **name != "luna").zip(0..);
                let groups = there.map(|(name, place)| (Some((self.named)(name)), self.days(place))).collect();
                Evidence::Operations(Groups { groups, ..all() })
            }
            Subject::ErrorDays => Evidence::ErrorDays(self.error_days()),
            Subject::Failures => Evidence::Failures(self.failures()),
            Subject::Memory => Evidence::Memory(Groups { groups: [(None, self.runs())].into(), folded: 0 }),
            Subject::MemoryTrees => Evidence::MemoryTrees(vec![self.tree(1798), self.tree(1799)]),
            Subject::Sessions => {
                Evidence::Sessions(Sessions { sessions: 1212, users: 214, users_without_start: 3, attempted: 4000, succeeded: 3713 })
            }
            Subject::FirstSessions => Evidence::FirstSessions((0..214).map(|n| self.first_session(n)).collect()),
            Subject::Returns => {
                let week = |n: i32| (0..=n as u32).map(move |week| (n, week));
                let back = (0..13).flat_map(week).map(|(n, week)| Return {
                    first: self.today() - (7 * n + 1).days(),
                    week,
                    users: u64::from(21 - week.min(12)) / if week > 0 { 2 } else { 1 },
                });
                Evidence::Returns(back.collect())
            }
            Subject::Interactions => {
                Evidence::Interactions((1..=DAYS).rev().flat_map(|day| (0..24).map(move |n| self.understood(day, n))).collect())
            }
            Subject::Measurement { name } => Evidence::Measurement(Groups { groups: [(None, self.readings(name))].into(), folded: 0 }),
            Subject::Measurements { family } => Evidence::Measurements(self.measured(family)),
            Subject::Feedback => Evidence::Feedback(Feedback { notes: 84, scores: 79, mean_score: Some(4.1) }),
            Subject::Scores => Evidence::Scores(vec![(5.0, 41), (4.0, 18), (3.0, 11), (2.0, 6), (1.0, 3)]),
            other => panic!("no panel asks for {other:?}"),
        }
    }

    fn today(&self) -> Date {
        self.now.to_jiff().to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
    }

    fn ago(&self, days: i32, seconds: u64) -> Timestamp {
        at(&format!("{}T09:00:00Z", self.today() - days.days())).saturating_add(Duration::from_secs(seconds))
    }

    fn cells(&self) -> Vec<Breakdown> {
        let each = OPERATIONS.iter().zip(0_u64..).flat_map(|(operation, n)| BACKENDS.iter().zip(0_u64..).map(move |of| (operation, n, of)));
        each.map(|(operation, n, (backend, slower))| Breakdown {
            operation: (self.named)(operation),
            backend: Some((self.named)(backend)),
            ok: 400,
            failed: 5 * (n % 4) * slower,
            timeouts: n % 4 * slower,
            cancelled: n % 3,
            dry_runs: 2,
            unmeasured: n % 2,
            durations: durations(400, (20_000 + 30_000 * n) * (1 + 9 * slower)),
            errors: CATEGORIES
                .iter()
                .take((n % 4) as usize)
                .map(|category| (Some((self.named)(category)), 5 * slower))
                .filter(|of| of.1 > 0)
                .collect(),
        })
        .collect()
    }

    fn days(&self, place: u64) -> Vec<OperationDay> {
        // Three weeks without events.
        let there = (0..DAYS).rev().filter(|day| !(30..51).contains(day));
        there
            .map(|day| {
                let ok = 30 + place + u64::from(day.unsigned_abs()) % 9;
                OperationDay {
                    date: self.today() - day.days(),
                    oldest: self.ago(day, 0),
                    newest: self.ago(day, 600),
                    ok,
                    failed: u64::from(day % 13 == 0) * place,
                    timeouts: 0,
                    cancelled: 0,
                    dry_runs: 0,
                    unmeasured: 0,
                    within: 0,
                    durations: durations(ok, (40_000 + 700 * u64::from(day.unsigned_abs())) * (1 + 3 * place)).into(),
                }
            })
            .collect()
    }

    fn error_days(&self) -> Vec<ErrorDay> {
        let each = (0..DAYS).flat_map(|day| CATEGORIES.iter().zip(1..).map(move |(category, n)| (day, category, n)));
        let there = each.filter(|(day, _, n)| day % (n + 1) == 0);
        there
            .map(|(day, category, n)| ErrorDay {
                date: self.today() - day.days(),
                category: Some((self.named)(category)),
                n: 1 + (day % n) as u64,
            })
            .collect()
    }

    fn failures(&self) -> Vec<Failure> {
        let one = |n: i32| Failure {
            at: self.ago(n, 60),
            operation: (self.named)(OPERATIONS[n as usize % OPERATIONS.len()]),
            backend: Some((self.named)(BACKENDS[n as usize % 2])),
            timeout: n % 3 == 0,
            category: Some((self.named)(CATEGORIES[n as usize % CATEGORIES.len()])),
            text: (n % 2 == 0).then(|| (self.named)("error: could not resolve host: cache.nixos.org while fetching a derivation")),
        };
        (0..20).map(one).collect()
    }

    /// A run that grows, one that does not, and a short one.
    fn runs(&self) -> Vec<Run> {
        let run = |name: &str, days: i32, readings: u64, growth: u64| Run {
            run: (self.named)(name),
            process: Some((self.named)("nix-for-humanity")),
            measure: Measure::Pss,
            every_us: Some(10_000_000),
            samples: (0..readings)
                .filter(|i| !(700..760).contains(i))
                .map(|i| MemorySample {
                    at: self.ago(days, 10 * i),
                    bytes: growing(growth, i),
                    complete: i != 9,
                    cpu_us: (i > 0).then_some(400_000),
                })
                .collect(),
        };
        vec![run("short", 40, 20, 0), run("even", 12, 900, 0), run("growing", 2, 1800, 20_000)]
    }

    /// A reading of the growing run: the assistant, its backend in Python, the model's server with two workers, and a shell.
    fn tree(&self, reading: u64) -> MemoryTree {
        let process = |pid, parent, name: &str, bytes| ProcessMemory { name: (self.named)(name), bytes, pid: Some(pid), parent };
        let bytes = growing(20_000, reading);
        let tree = vec![
            process(4711, None, "nix-for-humanity", 24_000_000),
            process(4712, Some(4711), "nfh-backend.py", 41_000_000),
            process(4713, Some(4712), "llama-server", bytes - 105_000_000),
            process(4714, Some(4713), "llama-worker", 19_000_000),
            process(4715, Some(4713), "llama-worker", 18_000_000),
            process(4716, Some(4711), "sh", 3_000_000),
        ];
        let at = self.ago(2, 10 * reading);
        MemoryTree { run: (self.named)("growing"), at, bytes, measure: Measure::Pss, processes: Some(6), tree: Some(tree) }
    }

    fn first_session(&self, n: u64) -> FirstSession {
        let start = self.ago((n % 80) as i32 + 1, 0);
        let success = (!n.is_multiple_of(6)).then(|| start.saturating_add(Duration::from_secs(3 + n * n % 190)));
        FirstSession { start, first_success: success, last: success, attempts: 2, attempted: 2, succeeded: u64::from(success.is_some()) }
    }

    fn understood(&self, day: i32, n: u64) -> Understood {
        let arm = (n % 2) as usize;
        Understood {
            at: self.ago(day, n),
            user: Some(format!("u-{day}-{n}")),
            arm: Some(["learning", "control"][arm].to_owned()),
            modality: (n < 6).then(|| "voice".to_owned()),
            index: None,
            right: (n != 5).then_some((n * 7 + u64::from(day.unsigned_abs())) % 24 < [21, 16][arm]),
            words: (n < 6).then_some(9),
            word_errors: (n < 6).then_some(u64::from(n == 2)),
        }
    }

    fn readings(&self, name: &str) -> Vec<Reading> {
        let reading = |at, scope: Option<String>, value| Reading { at, value, unit: None, source: None, scope, people: Some(4) };
        match name {
            "contributions.month" => [("2026-08", 7.0), ("2026-09", 11.0), ("2026-10", 9.0), ("2026-11", 4.0)]
                .map(|(month, n)| reading(self.ago(1, 0), Some(month.to_owned()), n))
                .to_vec(),
            "vulnerabilities.known" => (0..80).rev().map(|day| reading(self.ago(day, 0), None, f64::from(day / 30))).collect(),
            "complexity.average" => (0..80).rev().map(|day| reading(self.ago(day, 0), None, 4.0 + f64::from(day % 9) / 10.0)).collect(),
            _ => (0..80).rev().map(|day| reading(self.ago(day, 0), None, 91.0 - f64::from(day) / 8.0)).collect(),
        }
    }

    fn measured(&self, family: &str) -> Vec<Event> {
        let one = |name: &str, scope: Option<&str>, value, attributes: &[(&str, Scalar)]| {
            let mut measurement = Measurement::new(name, value);
            measurement.source = Some((self.named)("a tool 1.0"));
            measurement.scope = scope.map(str::to_owned);
            let mut event = Event::at(self.ago(1, 0), measurement);
            event.attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            event
        };
        let (int, text) = (Scalar::Integer, |text: &str| Scalar::Text((self.named)(text)));
        let files = || (0..40).map(|n| (self.named)(&format!("src/nix_for_humanity/part_{n}.py")));
        match family {
            "coverage" => {
                let mut all: Vec<_> = files().map(|file| one("coverage.file", Some(&file), 61.5, &[])).collect();
                all.push(one("coverage.files_below_80", None, 40.0, &[]));
                all.push(one("coverage.statements", None, 91.0, &[("covered", int(9100)), ("of", int(10_000))]));
                all.push(one("coverage.uncovered_lines", None, 900.0, &[]));
                all
            }
            "complexity" => {
                let function = |file: String| one("complexity.function", Some(&file), 14.0, &[("name", text("parse")), ("line", int(70))]);
                let mut all: Vec<_> = files().map(function).collect();
                all.push(one("complexity.average", None, 4.2, &[]));
                all.push(one("complexity.functions_above_10", None, 40.0, &[]));
                all.push(one("complexity.maximum", None, 14.0, &[]));
                all
            }
            "tests" => vec![one("tests.total", None, 812.0, &[]), one("tests.failed", None, 2.0, &[])],
            "vulnerabilities" => {
                let advisory = |id: &str, severity: &str| {
                    let package = (self.named)("requests");
                    one("vulnerabilities.advisory", Some(&package), 1.0, &[("id", text(id)), ("severity", text(severity))])
                };
                vec![advisory("GHSA-1", "critical"), advisory("GHSA-2", "low"), one("vulnerabilities.known", None, 2.0, &[])]
            }
            "contributions" => vec![one("contributions.month", Some("2026-10"), 9.0, &[("of_maintainers", int(30)), ("of_bots", int(2))])],
            _ => Vec::new(),
        }
    }

    /// A year in which every criterion was defined once more, and judged each day.
    fn recorded(&self, criteria: &Criteria) -> Vec<Event> {
        let mut recorded = Vec::new();
        for (criterion, place) in criteria.criteria.iter().zip(0_usize..) {
            let name = (self.named)(&criterion.name);
            for (days, digest) in [(365, "sha256:a"), (100, "sha256:b")] {
                recorded.push(Event::at(self.now.saturating_sub(A_DAY * days), Criterion::new(name.as_str(), digest)));
            }
            for days in (0..365_u32).rev() {
                let verdict = VERDICTS[(place + (days / 61) as usize) % VERDICTS.len()];
                let digest = if days > 100 { "sha256:a" } else { "sha256:b" };
                recorded.push(Event::at(self.now.saturating_sub(A_DAY * days), Judged::new(name.as_str(), digest, verdict)));
            }
        }
        recorded
    }
}

/// Bytes of a reading.
fn growing(each: u64, reading: u64) -> u64 {
    180_000_000 + each * reading + 2_000_000 * (reading % 7)
}

/// So many durations around one, each of them once or more.
fn durations(n: u64, around_us: u64) -> Vec<(u64, u64)> {
    (0..n)
        .map(|i| (around_us / 2 + around_us * i / n + if i % 19 == 0 { 3 * around_us } else { 0 }, 1))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_iter()
        .collect()
}
