//! Plans: how many events a verdict takes, for a terminal and for the page.

use super::{
    terminal::{left_padded, line, padded, printable, wrapped},
    words::{self, count},
};
use anstyle::Style;
use milepost_judge::{
    Criterion, EVENTS_MIN, MemoryStatistic, Metric, READINGS_DUE, RUN_MIN, digits,
    plan::{Chance, Expectation, Plan},
    scorecard::CriterionResult,
};

/// How wide a chance is, with the gap before it.
const CELL: usize = 6;
const N: usize = 8;
const INDENT: usize = 2;

/// A plan in the words of a table.
pub(super) struct PlanTable {
    /// What has to hold, and what the chances are of.
    pub(super) lead: String,
    /// The expected shares of good events.
    pub(super) rates: Vec<String>,
    /// For each number of events the chances.
    pub(super) rows: Vec<PlanRow>,
    /// Whether somebody can take a fixed sample of such events.
    pub(super) has_fixed: bool,
}

pub(super) struct PlanRow {
    pub(super) n: String,
    /// Looked at after each event, for each expected share.
    pub(super) live: Vec<String>,
    /// With a fixed sample, for each expected share.
    pub(super) fixed: Vec<String>,
}

impl PlanTable {
    pub(super) fn new(plan: &Plan) -> Self {
        let groups = if plan.groups.is_empty() { String::new() } else { format!("{}: ", plan.groups.join(", ")) };
        let lead = format!(
            "{groups}More than {} of {} have to be good. The chance that this is proven by n of them{}",
            percent(plan.goal_rate),
            plan.unit,
            if plan.expectations.iter().any(|of| of.rate < plan.goal_rate) {
                "; where the share is below, that it is proven missed"
            } else {
                ""
            }
        );
        let of = |index: usize, chance: fn(&Chance, bool) -> f64| {
            let cell = |of: &Expectation| of.chances.get(index).map(|c| chance_of(chance(c, of.rate < plan.goal_rate))).unwrap_or_default();
            plan.expectations.iter().map(cell).collect::<Vec<_>>()
        };
        let sizes = plan.expectations.first().map(|of| of.chances.as_slice()).unwrap_or_default();
        let row = |(index, chance): (usize, &Chance)| PlanRow {
            n: count(chance.n),
            live: of(index, |chance, is_below| if is_below { chance.live_missed } else { chance.live_met }),
            fixed: of(index, |chance, is_below| if is_below { chance.fixed_missed } else { chance.fixed_met }),
        };
        Self {
            lead: words::plain(&lead, words::TEXT_CHARS_MAX),
            rates: plan.expectations.iter().map(|of| percent(of.rate)).collect(),
            rows: sizes.iter().enumerate().map(row).collect(),
            has_fixed: plan.unit == "operations",
        }
    }
}

/// How many events a criterion takes.
#[must_use]
pub fn terminal(criterion: &Criterion, result: &CriterionResult, plans: &[Plan], width: usize) -> String {
    let bold = Style::new().bold();
    let mut text = String::new();
    line(&mut text, &format!("{bold}{}{bold:#}: how many events it takes", printable(&criterion.name)));
    for plan in plans {
        let table = PlanTable::new(plan);
        text.push('\n');
        wrapped(&mut text, width, INDENT, INDENT, &printable(&format!("{}:", table.lead)));
        text.push('\n');
        let cells = |cells: &[String]| cells.iter().map(|cell| left_padded(cell, CELL)).collect::<String>();
        let block = CELL * table.rates.len();
        let (live, fixed) = ("  live, if the share is", "  fixed sample, if it is");
        let sides = |n: &str, live: &str, fixed: &str| {
            let fixed = if table.has_fixed { fixed } else { "" };
            format!("{:INDENT$}{}{}   {fixed}", "", left_padded(n, N - INDENT), padded(live, block.max(fixed_room(&table))))
        };
        line(&mut text, sides("", live, fixed).trim_end());
        let rates = cells(&table.rates);
        line(&mut text, sides("n", &rates, &rates).trim_end());
        for row in &table.rows {
            line(&mut text, sides(&row.n, &cells(&row.live), &cells(&row.fixed)).trim_end());
        }
    }
    text.push('\n');
    let mut notes = Vec::new();
    if !plans.is_empty() {
        notes.push(format!("Live, a verdict also takes {EVENTS_MIN} events, and events of two days."));
        if plans.iter().any(|plan| plan.unit == "operations") {
            notes.push("A fixed sample of n: milepost probe OPERATION --samples n".to_owned());
        }
        if criterion.goals.iter().any(|goal| goal.for_each.is_some()) {
            notes.push("It is for each of the groups, not for all of them together.".to_owned());
        }
    }
    notes.extend(criterion.goals.iter().filter_map(|goal| otherwise(&goal.metric)));
    if let Some(needs) = words::needs(&result.judgement) {
        notes.push(format!("Today: {}, {needs}.", words::seen(&result.judgement)));
    }
    for note in notes {
        wrapped(&mut text, width, INDENT, INDENT, &printable(&note));
    }
    text
}

/// Room for the heading where there are few columns.
fn fixed_room(table: &PlanTable) -> usize {
    if table.rates.len() < 4 { "  live, if the share is".len() } else { 0 }
}

/// What it takes where no number of events does it.
fn otherwise(metric: &Metric) -> Option<String> {
    Some(match metric {
        Metric::Measurement(name) => format!("{name}: one report decides it. It is measured, not sampled."),
        Metric::ContributionsMonth => format!("{metric}: each month that is over decides it. It is counted, not sampled."),
        Metric::Memory(MemoryStatistic::Variation | MemoryStatistic::Slope) => {
            format!("{metric}: a run of readings decides it that lasts an hour beyond its first ten minutes.")
        }
        Metric::Memory(_) | Metric::CpuPercent => format!(
            "{metric}: one run of readings decides it that lasts {} and has {} of the readings that were due.",
            words::age(RUN_MIN),
            percent(READINGS_DUE)
        ),
        Metric::LearningImprovement => {
            format!(
                "{metric}: it compares two arms, so it takes labelled interactions in both. A difference of 10% takes hundreds in each."
            )
        }
        Metric::Latency(_)
        | Metric::PeakMemory(_)
        | Metric::SuccessRate
        | Metric::FirstSuccess
        | Metric::RetentionWeek4
        | Metric::LearningAccuracy
        | Metric::VoiceAccuracy => return None,
    })
}

fn percent(share: f64) -> String {
    format!("{}%", digits(share * 100.0))
}

/// Neither 0 nor 100 is said of what can and need not happen.
fn chance_of(chance: f64) -> String {
    match chance {
        chance if chance <= 0.0 => "–".to_owned(),
        chance if chance < 0.005 => "<1%".to_owned(),
        chance if chance >= 1.0 - 1e-9 => "100%".to_owned(),
        chance if chance >= 0.995 => ">99%".to_owned(),
        chance => format!("{:.0}%", chance * 100.0),
    }
}
