//! Sessions, the way to the first success, and who comes back.

use super::{
    Panel,
    draw::{Join, Plot, Point},
    pieces::{Cell, Empty, Figures, ROWS_MAX, Table, counted, known, numbers, range, texts},
};
use crate::render::{
    chart::{At, Words, amount},
    html::NotWritten,
    words::{capital, count},
};
use askama::Template;
use milepost_judge::{
    Metric, Panels, digits,
    first_success::FirstSuccess,
    retention::{Cohort, Retention},
    survival::Step,
};

/// What the specification calls fast, in seconds.
const FAST_S: f64 = 30.0;
/// How many cohorts are shown: the newest.
const COHORTS_MAX: usize = 14;
/// Up to which week they are followed.
const WEEKS: u32 = 12;
/// The places that are named on the scale of seconds, and whether they are also where there are many.
const TICKS: [(f64, &str, bool); 15] = [
    (0.001, "1 ms", true),
    (0.01, "10 ms", true),
    (0.1, "0.1 s", true),
    (0.2, "0.2 s", false),
    (0.5, "0.5 s", false),
    (1.0, "1 s", true),
    (2.0, "2 s", false),
    (5.0, "5 s", false),
    (10.0, "10 s", true),
    (20.0, "20 s", false),
    (60.0, "1 min", true),
    (120.0, "2 min", false),
    (600.0, "10 min", true),
    (3600.0, "1 h", true),
    (36_000.0, "10 h", true),
];

#[derive(Template)]
#[template(path = "panel/users.html", whitespace = "minimize")]
struct Body {
    sessions: Result<Figures, Empty>,
    first_success: Result<First, Empty>,
    retention: Result<Cohorts, Empty>,
}

struct First {
    of_all: Figures,
    succeeded: String,
    of_successes: Figures,
    curve: Option<Plot>,
    beside: String,
    table: Option<Table>,
}

struct Cohorts {
    summary: String,
    weeks: Vec<u32>,
    rows: Vec<CohortRow>,
    more: usize,
}

struct CohortRow {
    week: String,
    users: String,
    /// `None` where the week has not passed for anybody.
    weeks: Vec<Option<Share>>,
}

struct Share {
    percent: f64,
    of: String,
}

pub(crate) fn users(panels: &Panels) -> Result<Panel, NotWritten> {
    let usability = &panels.report.usability;
    let first = &usability.first_success;
    let sessions = || {
        let note = match usability.users_without_start {
            0 => String::new(),
            n => format!("{} never said when they began", count(n)),
        };
        Figures::new()
            .with("Sessions", Some(count(usability.sessions)), "each ends after half an hour of silence")
            .with("Users", Some(count(usability.users)), note)
            .with(
                "Commands",
                Some(count(usability.commands_attempted)),
                format!("{} succeeded; cancelled ones and dry runs are left out", count(usability.commands_succeeded)),
            )
    };
    let (of_first, of_return) = (Metric::FirstSuccess, Metric::RetentionWeek4);
    let body = Body {
        sessions: if usability.sessions > 0 {
            Ok(sessions())
        } else {
            Err(Empty::fed("No session of anybody who is told apart", &of_first))
        },
        first_success: if first.starters > 0 {
            Ok(First::new(panels, first))
        } else {
            Err(Empty::fed("Nobody new said when they began", &of_first))
        },
        retention: if panels.report.retention.cohorts.is_empty() {
            Err(Empty::fed("Nobody who is told apart was active", &of_return))
        } else {
            Ok(Cohorts::new(&panels.report.retention))
        },
    };
    Ok(Panel { id: "users", title: "Users", body: body.render()? })
}

impl First {
    fn new(panels: &Panels, first: &FirstSuccess) -> Self {
        let curve = &panels.first_success;
        let honest = |value: Option<f64>| Some(value.map(time).unwrap_or_else(|| "not reached".to_owned()));
        let of_all = Figures::new()
            .with(
                "Median time to first success",
                honest(first.median_s),
                format!("95% confidence at one look: {}", times(first.median_interval_s)),
            )
            .with("P95", honest(curve.p95_s), "who gave up never succeeds")
            .with(
                "Within 30 s",
                known(first.within_30s_percent, "%"),
                format!("{} of {}", count(first.within_30s), count(first.within_30s_of)),
            );
        let of_successes = Figures::new()
            .with("Median", first.median_of_successes_s.map(time), "")
            .with("P95", curve.p95_of_successes_s.map(time), "")
            .with("Within 30 s", known(first.within_30s_of_successes_percent, "%"), "")
            .with("Attempts", first.attempts_before_first_success.map(digits), "on average, the one that succeeded included");
        let beside = format!(
            "{}: {} succeeded, {} gave up, {} still at it.",
            counted(first.starters, "new person", "new people"),
            count(first.succeeded),
            count(first.gave_up),
            count(first.running)
        );
        Self { of_all, succeeded: count(first.succeeded), of_successes, curve: draw(panels, first), beside, table: table(panels) }
    }
}

/// Seconds, or milliseconds where there is less than one.
fn time(seconds: f64) -> String {
    if seconds < 1.0 { amount(seconds * 1000.0, "ms") } else { amount(seconds, "s") }
}

fn times(interval: [Option<f64>; 2]) -> String {
    match interval.map(|end| end.map(time)) {
        [Some(low), Some(high)] => format!("{low} to {high}"),
        [Some(low), None] => format!("{low} or more"),
        [None, Some(high)] => format!("{high} or less"),
        [None, None] => "no bound".to_owned(),
    }
}

/// Share of successes from the share that waits, in percent.
fn succeeded(waiting: f64) -> f64 {
    100.0 * (1.0 - waiting)
}

fn draw(panels: &Panels, first: &FirstSuccess) -> Option<Plot> {
    let steps = &panels.first_success.steps;
    let (earliest, latest) = (steps.first()?.time, steps.last()?.time);
    let low = TICKS.iter().map(|(seconds, ..)| *seconds).rfind(|seconds| *seconds <= earliest.min(FAST_S / 3.0)).unwrap_or(0.001);
    let high = (latest * 1.3).max(2.0 * FAST_S);
    let at = |seconds: f64| ((seconds.max(low) / low).ln() / (high / low).ln()).clamp(0.0, 1.0);
    let mut points = vec![Point { at: 0.0, value: 0.0, interval: [0.0, 0.0] }];
    points.extend(steps.iter().map(|step| Point {
        at: at(step.time),
        value: succeeded(step.waiting),
        interval: [succeeded(step.interval[1]), succeeded(step.interval[0])],
    }));
    // The last step holds for as long as anybody was watched.
    points.extend(points.last().copied().map(|last| Point { at: 1.0, ..last }));
    let words = Words {
        title: "Share of new people who had their first success, by the time since they began".to_owned(),
        description: first.within_30s_percent.map(|share| format!("Within 30 s: {}", amount(share, "%"))).unwrap_or_default(),
        table: "users-first".to_owned(),
    };
    let plot = Plot::new(words, 170.0, [0.0, 100.0], 25.0, |value| format!("{value}%")).mark(at(FAST_S), "30 s");
    let ticks = TICKS.iter().filter(|(seconds, _, always)| (*always || high < 100.0 * low) && *seconds >= low && *seconds <= high);
    let plot = plot.ticks(ticks.map(|(seconds, label, _)| (At::of_share(at(*seconds)), (*label).to_owned())));
    Some(plot.line("p-a", [&points[..]], Join::Steps))
}

fn table(panels: &Panels) -> Option<Table> {
    let steps = &panels.first_success.steps;
    let each = steps.len().div_ceil(ROWS_MAX).max(1);
    // From the end, so that the last one is there.
    let mut shown: Vec<_> = steps.iter().rev().step_by(each).collect();
    shown.reverse();
    let row = |step: &Step| {
        let [low, high] = [step.interval[1], step.interval[0]].map(succeeded);
        [time(step.time), amount(succeeded(step.waiting), "%"), range([Some(low), Some(high)], "%")].map(Cell::of).to_vec()
    };
    let caption = match each {
        1 => "First success, step by step".to_owned(),
        each => format!("First success, each {each}th step"),
    };
    let columns = std::iter::once(texts("Time")).chain(["Succeeded", "95% confidence at one look"].map(numbers));
    Table::new("users-first", caption, columns, shown.into_iter().map(row), ROWS_MAX)
}

impl Cohorts {
    fn new(of: &Retention) -> Self {
        let week4 = &of.week4;
        let on_their_way = match week4.immature {
            0 => String::new(),
            n => format!("; {} on their way", counted(n, "person is", "people are")),
        };
        let summary = match known(week4.rate, "%") {
            Some(rate) => format!("In the fourth week {rate} came back: {} of {}{on_their_way}.", count(week4.active), count(week4.mature)),
            None => format!("{}.", capital(&format!("nobody's fourth week has passed yet{on_their_way}"))),
        };
        let more = of.cohorts.len().saturating_sub(COHORTS_MAX);
        Self { summary, weeks: (1..=WEEKS).collect(), rows: of.cohorts.iter().skip(more).map(CohortRow::new).collect(), more }
    }
}

impl CohortRow {
    fn new(cohort: &Cohort) -> Self {
        let share = |n: u32| {
            let week = cohort.weeks.iter().find(|week| week.week == n && week.mature > 0)?;
            let percent = (100.0 * week.active as f64 / week.mature as f64).round();
            Some(Share { percent, of: format!("{}/{}", count(week.active), count(week.mature)) })
        };
        Self { week: cohort.week.clone(), users: count(cohort.users), weeks: (1..=WEEKS).map(share).collect() }
    }
}
