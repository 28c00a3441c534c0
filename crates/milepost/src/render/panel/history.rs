//! What became of the criteria: the verdict on each day, what changed, and when each tier was first reached.

use super::{
    super::{
        chart::{Words, days_between},
        history::{reached, said},
        html::NotWritten,
        words::{PAGE_NAME_CHARS_MAX, day, moment, plain, word},
    },
    Panel, date_of,
    draw::Timeline,
    first_shown,
    pieces::{Cell, Empty, Row, Table, numbers, texts},
    today,
};
use askama::Template;
use jiff::{ToSpan, civil::Date};
use milepost_judge::{
    Panels, Tier, Verdict,
    history::{Change, CriterionHistory, Direction, Reached, What},
    panels::Record,
};
use std::collections::BTreeMap;

const ID: &str = "history";
/// The timeline goes back this far.
const DAYS_MAX: i32 = 365;
/// How many criteria have a timeline.
const CRITERIA_MAX: usize = 60;
/// How many of them are not in the configuration any more.
const FORMER_MAX: usize = 4;
/// How many changes are listed: the newest.
const CHANGES_MAX: usize = 30;
/// What is said of one is cut beyond this many characters.
const CHANGE_CHARS_MAX: usize = 300;

/// How many stretches of one criterion are named: the newest.
const STRETCHES_MAX: usize = 30;

/// Marks of changes: harder to meet, easier, another definition.
const TIGHTENED: &str = "M-6 5H6L0-6z";
const LOOSENED: &str = "M-6-5H6L0 6z";
const REDEFINED: &str = "M-6 0 0-6 6 0 0 6z";

#[derive(Template)]
#[template(path = "panel/history.html", whitespace = "minimize")]
struct History {
    empty: Option<Empty>,
    /// Each tier, and when it was first reached.
    tiers: Option<Table>,
    rows: Vec<Row<Timeline>>,
    more: usize,
    ends: [String; 2],
    by_day: Option<Table>,
    changes: Option<Table>,
    marks: [(&'static str, &'static str); 3],
}

/// The panel.
pub(crate) fn history(panels: &Panels) -> Result<Panel, NotWritten> {
    let record = panels.record.as_ref();
    let criteria = || record.into_iter().flat_map(|record| record.history.criteria.iter().zip(&record.days));
    let shown = record.map(shown).unwrap_or_default();
    let is_empty = criteria().all(|(of, days)| of.changes.is_empty() && days.is_empty());
    let ends = record.and_then(|record| ends(record, panels));
    let rows: Vec<_> = shown.iter().map(|(of, days)| row(of, days, ends, panels)).collect();
    let body = History {
        empty: is_empty.then(|| Empty::new("No verdict was recorded yet. One a day of each criterion is, by", "milepost track")),
        tiers: record.and_then(tiers),
        more: criteria().count() - shown.len(),
        ends: ends.map(|ends| ends.map(day)).unwrap_or_default(),
        by_day: record.zip(ends).filter(|_| !is_empty).and_then(|(record, ends)| by_day(record, &shown, ends)),
        changes: record.filter(|_| !is_empty).and_then(changes),
        rows,
        marks: [(TIGHTENED, "tightened"), (LOOSENED, "loosened"), (REDEFINED, "redefined")],
    };
    Ok(Panel { id: ID, title: "History", body: body.render()? })
}

/// A criterion, and the verdict of each day.
type Shown<'a> = (&'a CriterionHistory, &'a BTreeMap<Date, Verdict>);

/// Those that there are now, and some of those that there were.
fn shown(record: &Record) -> Vec<Shown<'_>> {
    let mut former = 0;
    let all = record.history.criteria.iter().zip(&record.days);
    let kept = all.filter(|(of, _)| {
        former += usize::from(!of.is_configured);
        of.is_configured || former <= FORMER_MAX
    });
    kept.take(CRITERIA_MAX).collect()
}

fn tiers(record: &Record) -> Option<Table> {
    let row = |(tier, of): (&Tier, &Reached)| vec![Cell::of(tier.name()), Cell::of(reached(*of))];
    let columns = ["Tier", "Reached"].map(texts);
    Table::new(
        format!("{ID}-tiers"),
        "Tiers, of the criteria that there are now",
        columns,
        record.history.tiers.iter().map(row),
        Tier::ALL.len(),
    )
}

/// The first day of which there is anything, and today; `None` where there is nothing.
fn ends(record: &Record, panels: &Panels) -> Option<[Date; 2]> {
    let verdicts = record.days.iter().filter_map(|days| days.keys().next().copied());
    let changes = record.history.criteria.iter().flat_map(|of| &of.changes).map(|change| date_of(change.at, panels));
    let (first, last) = (verdicts.chain(changes).min()?, today(panels));
    let earliest = last.checked_sub(DAYS_MAX.days()).unwrap_or(first);
    Some([first_shown(first.max(earliest), panels), last])
}

/// Days that follow one another with the same verdict.
fn stretches(days: &BTreeMap<Date, Verdict>, [first, last]: [Date; 2]) -> Vec<([Date; 2], Verdict)> {
    let mut stretches: Vec<([Date; 2], Verdict)> = Vec::new();
    for (date, verdict) in days.iter().filter(|(date, _)| (first..=last).contains(*date)) {
        match stretches.last_mut() {
            Some((ends, of)) if of == verdict && days_between(ends[1], *date) == 1 => ends[1] = *date,
            _ => stretches.push(([*date, *date], *verdict)),
        }
    }
    stretches
}

/// The periods that do not count, as far as they are shown.
fn excluded(of: &CriterionHistory, [first, last]: [Date; 2], panels: &Panels) -> Vec<[Date; 2]> {
    let of_change = |change: &Change| match &change.what {
        What::Excluded(exclusion) if exclusion.undone.is_none() => {
            let [from, to] = [exclusion.from, exclusion.to].map(|at| date_of(at, panels));
            (from <= last && to >= first).then_some([from.max(first), to.min(last)])
        }
        _ => None,
    };
    of.changes.iter().filter_map(of_change).collect()
}

fn mark(change: &Change) -> Option<&'static str> {
    match &change.what {
        What::Redefined { direction: Some(Direction::Tightened), .. } => Some(TIGHTENED),
        What::Redefined { direction: Some(Direction::Loosened), .. } => Some(LOOSENED),
        What::Redefined { direction: None, .. } => Some(REDEFINED),
        What::Excluded(_) | What::CountedAgain(_) | What::Defined { .. } | What::Judged { .. } => None,
    }
}

fn row(of: &CriterionHistory, days: &BTreeMap<Date, Verdict>, ends: Option<[Date; 2]>, panels: &Panels) -> Row<Timeline> {
    let name = plain(&of.criterion, PAGE_NAME_CHARS_MAX);
    let first_met = of.first_met.map_or_else(|| "never met".to_owned(), |at| format!("first met {}", moment(at)));
    let says = if of.is_configured { first_met } else { format!("{first_met}; not in the configuration any more") };
    let chart = ends.filter(|_| !days.is_empty() || !of.changes.is_empty()).map(|ends| {
        let stretches = stretches(days, ends);
        let dated = of.changes.iter().filter_map(|change| Some((date_of(change.at, panels), mark(change)?)));
        let changes: Vec<_> = dated.filter(|(date, _)| (ends[0]..=ends[1]).contains(date)).collect();
        let now = days.last_key_value().map(|(date, verdict)| format!("{} on {}; ", word(*verdict), day(*date))).unwrap_or_default();
        let words =
            Words { title: format!("{name}: verdicts day by day"), description: format!("{now}{says}"), table: format!("{ID}-days") };
        Timeline::new(ends, &stretches, &excluded(of, ends, panels), &changes, words)
    });
    Row { name, says, chart }
}

/// The stretches of each criterion, the newest first.
fn by_day(record: &Record, shown: &[Shown<'_>], ends: [Date; 2]) -> Option<Table> {
    let row = |(of, days): &Shown<'_>| {
        let stretches = stretches(days, ends);
        let said = |([from, to], verdict): &([Date; 2], Verdict)| {
            let days = if from == to { day(*from) } else { format!("{} to {}", day(*from), day(*to)) };
            format!("{days} {}", word(*verdict))
        };
        let named: Vec<_> = stretches.iter().rev().take(STRETCHES_MAX).map(said).collect();
        let more = stretches.len().saturating_sub(STRETCHES_MAX);
        let more = if more > 0 { format!("; and {more} more before") } else { String::new() };
        let said = (!named.is_empty()).then(|| format!("{}{more}", named.join("; ")));
        vec![Cell::name(Some(&of.criterion), ""), Cell::of(stretched(days, ends).to_string()), Cell::known(said)]
    };
    let columns = [texts("Criterion"), numbers("Days with a verdict"), texts("Verdicts, the newest first")];
    let table = Table::new(format!("{ID}-days"), "Verdicts day by day", columns, shown.iter().map(row), CRITERIA_MAX);
    table.map(|table| table.and_more(record.history.criteria.len() - shown.len()))
}

fn stretched(days: &BTreeMap<Date, Verdict>, [first, last]: [Date; 2]) -> usize {
    days.range(first..=last).count()
}

fn changes(record: &Record) -> Option<Table> {
    let of_all = record.history.criteria.iter().flat_map(|of| of.changes.iter().map(move |change| (&of.criterion, change)));
    let mut all: Vec<_> = of_all.collect();
    all.sort_by_key(|(_, change)| std::cmp::Reverse(change.at));
    let row = |(criterion, change): &(&String, &Change)| {
        vec![Cell::of(moment(change.at)), Cell::name(Some(criterion), ""), Cell::foreign(plain(&said(change), CHANGE_CHARS_MAX))]
    };
    let columns = ["Recorded", "Criterion", "Change"].map(texts);
    Table::new(format!("{ID}-changes"), "What changed, the newest first", columns, all.iter().map(row), CHANGES_MAX)
}
