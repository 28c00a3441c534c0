//! One criterion: how it stands, compact among all others, and on a page of its own with everything that its verdict rests on.

use super::{CriterionDetail, Link, Moment, Sign, Value, date, days_words, pain, part_id};
use crate::render::{
    chart::{self, Band, Days, Room, Scale, Words},
    growth::{Chart, Meanwhile},
    plan::PlanTable,
    terminal::Source,
    words::{self, Advice, PAGE_NAME_CHARS_MAX, TEXT_CHARS_MAX, capital, plain},
};
use askama::Template;
use jiff::{ToSpan, civil::Date};
use milepost_judge::scorecard::{CriterionResult, GroupResult, Judgement, PartResult, TrendPoint};
use milepost_record::Timestamp;

/// Of a criterion's groups, this many are listed, those that hurt most first; the page says how many are not.
pub const GROUPS_SHOWN_MAX: usize = 20;
/// A statement beyond this many characters is cut; `milepost explain` shows all of it.
const SQL_CHARS_MAX: usize = 6000;
/// So many weeks are told day by day: a quarter.
const WEEKS_MAX: i32 = 13;
/// A value of an event beyond this many characters is cut.
const VALUE_CHARS_MAX: usize = 80;

/// What is shown of an event: what tells it apart, and nothing of who, on which machine or in which words.
const COLUMNS: &[&str] = &[
    "operation",
    "outcome",
    "error_category",
    "backend",
    "duration_us",
    "exit_code",
    "peak_bytes",
    "peak_measure",
    "recognized",
    "correct",
    "arm",
    "modality",
    "words",
    "word_errors",
    "name",
    "value",
    "unit",
    "source",
    "scope",
    "process",
    "bytes",
    "measure",
    "complete",
    "persona",
    "origin",
    "version",
];

#[derive(Template)]
#[template(path = "criterion.html", whitespace = "minimize")]
pub(super) struct Row {
    link: Link,
    metric: String,
    baseline: Option<String>,
    /// The criterion itself, or each of its parts.
    goals: Vec<Measured>,
    /// Why the verdict is what it is.
    standing: Vec<String>,
    /// What was before, and what was taken out.
    remarks: Vec<String>,
    advice: Option<Advice>,
    definition: String,
    method: Option<String>,
    since: String,
    /// How many events it takes.
    plans: Vec<PlanTable>,
    /// What its goals were asked by, and the newest events that count.
    sources: Vec<SourceView>,
}

/// One metric against one target.
struct Measured {
    id: String,
    /// The part's metric and verdict; `None` where the criterion has no parts.
    part: Option<(String, Sign)>,
    value: Value,
    target: Option<String>,
    band: Option<Band>,
    sure: String,
    seen: String,
    newest: Option<Moment>,
    days: Option<DayView>,
    facts: Vec<(&'static str, String)>,
    groups: Option<GroupsView>,
    growth: Option<Chart>,
}

/// What a goal was asked by.
struct SourceView {
    /// Its metric, where there are several.
    metric: Option<String>,
    /// The statement; `None` where it is that of the goal before.
    sql: Option<String>,
    newest: Vec<EventView>,
}

/// An event: when, and its columns with their values.
struct EventView {
    at: String,
    columns: Vec<(String, String)>,
}

struct GroupsView {
    summary: String,
    dimension: String,
    rows: Vec<GroupRow>,
    more: usize,
}

struct GroupRow {
    name: String,
    judged: bool,
    sign: Sign,
    value: String,
    target: String,
    band: Option<Band>,
    n: String,
    next: String,
}

struct DayView {
    chart: Days,
    first: String,
    last: String,
    unit: String,
    weeks: Vec<Week>,
    /// The day that `rows` counts from.
    begin: Date,
    /// Of each row of the calendar how many days after `begin` it begins; of a month, how many days later its last one is; `x` of none.
    rows: String,
}

/// A row of the calendar: a week from Monday to Sunday, a month that is told whole, or several weeks without events.
enum Week {
    Days {
        monday: Date,
        from: String,
        days: Vec<String>,
        n: String,
    },
    /// Its first day with events, how many days later its last one is, and from where to where its days lie.
    Month {
        first: Date,
        span: i32,
        days: String,
        range: String,
        n: String,
    },
    Nothing {
        weeks: i32,
    },
}

impl Row {
    pub(super) fn new(index: usize, criterion: &CriterionResult, detail: &CriterionDetail, now: Timestamp) -> Self {
        let link = Link::to(index, criterion);
        let mut goals = if criterion.parts.is_empty() {
            vec![Measured::new(link.id.clone(), &link.name, &criterion.judgement, &criterion.groups, now)]
        } else {
            let part = |(number, part): (usize, &PartResult)| {
                let id = part_id(&link.id, number);
                let metric = plain(part.judgement.metric.as_deref().unwrap_or_default(), PAGE_NAME_CHARS_MAX);
                let mut measured = Measured::new(id, &format!("{}, {metric}", link.name), &part.judgement, &part.groups, now);
                measured.facts.insert(0, ("What it is", plain(&capital(&part.definition), TEXT_CHARS_MAX)));
                measured.part = Some((metric, Sign::on(&part.judgement)));
                measured
            };
            criterion.parts.iter().enumerate().map(part).collect()
        };
        let judgements = std::iter::once(&criterion.judgement).filter(|_| criterion.parts.is_empty());
        let judgements = judgements.chain(criterion.parts.iter().map(|part| &part.judgement));
        let meanwhile = Meanwhile { of: &detail.growth, since: &criterion.since };
        for ((goal, judgement), growth) in goals.iter_mut().zip(judgements).zip(&detail.growth.goals) {
            let about = goal.part.as_ref().map_or_else(|| link.name.clone(), |(metric, _)| format!("{}, {metric}", link.name));
            goal.growth = growth.as_ref().and_then(|growth| Chart::new(&goal.id, &about, judgement, growth, &meanwhile));
        }
        let before = std::iter::once(None).chain(detail.sources.iter().map(Some));
        let metrics = goals.iter().map(|goal| goal.part.as_ref().map(|(metric, _)| metric.clone()));
        let sources = detail.sources.iter().zip(before).zip(metrics);
        let sources = sources.map(|((source, before), metric)| SourceView::new(source, before, metric)).collect();
        let advice = words::advice(criterion).filter(|advice| !words::says_needs_only(criterion, advice));
        Self {
            metric: plain(criterion.judgement.metric.as_deref().unwrap_or_default(), PAGE_NAME_CHARS_MAX),
            baseline: criterion.baseline.as_deref().map(|baseline| plain(baseline, PAGE_NAME_CHARS_MAX)),
            goals,
            standing: words::standing(&criterion.judgement, advice.as_ref()),
            remarks: words::remarks(criterion),
            advice,
            definition: plain(&capital(&criterion.definition), TEXT_CHARS_MAX),
            method: criterion.method.as_deref().map(|method| plain(method, TEXT_CHARS_MAX)),
            since: words::since(&criterion.since),
            plans: detail.plans.iter().map(PlanTable::new).collect(),
            sources,
            link,
        }
    }
}

impl Measured {
    fn new(id: String, about: &str, judgement: &Judgement, groups: &[GroupResult], now: Timestamp) -> Self {
        let target = judgement.target.as_ref().map(chart::sign);
        let sure = words::sure(judgement);
        let against = target.as_ref().map(|target| format!(", target {target}")).unwrap_or_default();
        let words = Words {
            title: format!("{about}: {}{against}", words::value(judgement)),
            description: if judgement.n == 0 { capital(&sure) } else { format!("{}. {}", Sign::on(judgement).word, capital(&sure)) },
            table: format!("{id}-numbers"),
        };
        Self {
            part: None,
            value: Value::of(judgement),
            target,
            band: Band::new(judgement, words::is_sampled(judgement), &Scale::of(&[judgement]), Room::Row, words),
            sure: if judgement.n == 0 { String::new() } else { capital(&sure) },
            seen: capital(&words::seen(judgement)),
            newest: judgement.newest_event.map(|at| Moment { words: words::age(now.since(at)), machine: at.to_string() }),
            days: DayView::new(&id, about, judgement, now),
            facts: words::facts(judgement),
            groups: GroupsView::new(&id, groups),
            growth: None,
            id,
        }
    }
}

impl GroupsView {
    fn new(id: &str, groups: &[GroupResult]) -> Option<Self> {
        let dimension = groups.first()?.group.keys().next()?;
        let mut sorted: Vec<_> = groups.iter().collect();
        sorted.sort_by_key(|group| (!group.judged, pain(&group.judgement)));
        let judged = words::counts(groups.iter().filter(|group| group.judged).map(|group| group.judgement.verdict));
        let verdicts = judged.iter().map(|(verdict, n)| format!("{n} {}", Sign::of(*verdict, None).word.to_lowercase()));
        let aside = groups.iter().filter(|group| !group.judged).count();
        let aside = (aside > 0).then(|| format!("{aside} shown, not judged"));
        let shown = sorted.get(..GROUPS_SHOWN_MAX).unwrap_or(&sorted);
        let judgements: Vec<_> = shown.iter().map(|group| &group.judgement).collect();
        // With one target for all, one scale lets them be compared; with several, each would squeeze the others.
        let common = judgements.windows(2).all(|pair| pair[0].target == pair[1].target).then(|| Scale::of(&judgements));
        Some(Self {
            summary: format!("By {}: {}", plain(dimension, PAGE_NAME_CHARS_MAX), verdicts.chain(aside).collect::<Vec<_>>().join(", ")),
            dimension: plain(&capital(dimension), PAGE_NAME_CHARS_MAX),
            rows: shown.iter().map(|group| GroupRow::new(id, group, &common.unwrap_or_else(|| Scale::of(&[&group.judgement])))).collect(),
            more: groups.len().saturating_sub(GROUPS_SHOWN_MAX),
        })
    }
}

impl GroupRow {
    fn new(id: &str, group: &GroupResult, scale: &Scale) -> Self {
        let judgement = &group.judgement;
        let name = plain(group.name(), PAGE_NAME_CHARS_MAX);
        let value = words::value(judgement);
        // The row and the table around it say the rest.
        let words = Words { title: format!("{name}: {value}"), description: String::new(), table: format!("{id}-groups") };
        Self {
            judged: group.judged,
            sign: Sign::on(judgement),
            target: judgement.target.as_ref().map(chart::sign).unwrap_or_default(),
            band: Band::new(judgement, words::is_sampled(judgement), scale, Room::Cell, words),
            n: words::count(judgement.n),
            next: words::next_of_group(group),
            name,
            value,
        }
    }
}

impl DayView {
    fn new(id: &str, about: &str, judgement: &Judgement, now: Timestamp) -> Option<Self> {
        let trend = &judgement.trend;
        let chart = Days::new(trend, judgement.target.as_ref(), date(now), Room::Row, days_words(about, judgement, id))?;
        let (first, last) = (trend.first()?.date, trend.last()?.date.max(date(now)));
        let weeks = weeks(trend);
        let row = |week: &Week| match week {
            Week::Days { monday, .. } => chart::days_between(first, *monday).to_string(),
            Week::Month { first: from, span, .. } => format!("{}+{span}", chart::days_between(first, *from)),
            Week::Nothing { .. } => "x".to_owned(),
        };
        let rows = weeks.iter().map(row).collect::<Vec<_>>().join(" ");
        Some(Self { chart, first: words::day(first), last: words::day(last), unit: judgement.unit.clone(), weeks, begin: first, rows })
    }
}

/// The trend as a calendar, in which a whole quarter is thirteen rows. What lies before the newest [`WEEKS_MAX`] is told month by month.
fn weeks(trend: &[TrendPoint]) -> Vec<Week> {
    let monday_of = |date: Date| date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days());
    let Some(newest) = trend.last().map(|day| monday_of(day.date)) else { return Vec::new() };
    let old = trend.partition_point(|day| chart::days_between(monday_of(day.date), newest) >= 7 * WEEKS_MAX);
    let (old, recent) = trend.split_at(old);
    let months = old.chunk_by(|a, b| a.date.first_of_month() == b.date.first_of_month());
    let mut weeks: Vec<Week> = months.filter_map(month).collect();
    let mut before = old.last().map(|day| monday_of(day.date));
    for week in recent.chunk_by(|a, b| monday_of(a.date) == monday_of(b.date)) {
        let Some(monday) = week.first().map(|day| monday_of(day.date)) else { continue };
        let skipped = before.map_or(0, |before| chart::days_between(before, monday) / 7 - 1);
        if skipped > 0 {
            weeks.push(Week::Nothing { weeks: skipped });
        }
        before = Some(monday);
        let mut days: [(String, u64); 7] = Default::default();
        for day in week {
            if let Some(cell) = days.get_mut(usize::from(day.date.weekday().to_monday_zero_offset().unsigned_abs())) {
                *cell = (day.value.map_or_else(|| "∞".to_owned(), milepost_judge::digits), day.n);
            }
        }
        let n = days.each_ref().map(|(_, n)| n.to_string()).join(" ");
        let days = days.into_iter().map(|(value, _)| value).collect();
        weeks.push(Week::Days { monday, from: words::day(monday), days, n });
    }
    weeks
}

/// The days of one month.
fn month(days: &[TrendPoint]) -> Option<Week> {
    let (first, last) = (days.first()?.date, days.last()?.date);
    let told = match (first, last) {
        _ if first == last => words::day(first),
        _ if first == first.first_of_month() && last == first.last_of_month() => first.strftime("%b %Y").to_string(),
        _ => format!("{} to {}", words::day(first), words::day(last)),
    };
    let span = chart::days_between(first, last);
    Some(Week::Month { first, span, days: told, range: range(days), n: words::count(days.iter().map(|day| day.n).sum()) })
}

/// The lowest and the highest of days; what no finite number describes is beyond all others.
fn range(days: &[TrendPoint]) -> String {
    let values = || days.iter().map(|day| day.value.unwrap_or(f64::INFINITY));
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let told = |value: f64| if value.is_finite() { milepost_judge::digits(value) } else { "∞".to_owned() };
    if low < high { format!("{} to {}", told(low), told(high)) } else { told(high) }
}

impl SourceView {
    fn new(source: &Source, before: Option<&Source>, metric: Option<String>) -> Self {
        let is_new = before.is_none_or(|before| before.sql != source.sql);
        // A statement keeps its lines.
        let sql = is_new.then(|| source.sql.lines().map(|line| plain(line, SQL_CHARS_MAX)).collect::<Vec<_>>().join("\n"));
        let sql = sql.filter(|sql| !sql.is_empty()).map(|sql| match sql.char_indices().nth(SQL_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &sql[..end]),
            None => sql,
        });
        Self { metric, sql, newest: source.newest.iter().map(|event| EventView::new(event)).collect() }
    }
}

impl EventView {
    fn new(event: &[(String, String)]) -> Self {
        let at = event.iter().find(|(name, _)| name == "at").map(|(_, at)| at.as_str()).unwrap_or_default();
        let moment = at.parse::<Timestamp>().map(|at| at.to_jiff().strftime("%-d %b %Y, %H:%M:%S UTC").to_string());
        let is_shown = |(name, _): &&(String, String)| COLUMNS.contains(&name.as_str());
        let column = |(name, value): &(String, String)| (name.clone(), plain(value, VALUE_CHARS_MAX));
        Self { at: moment.unwrap_or_else(|_| plain(at, VALUE_CHARS_MAX)), columns: event.iter().filter(is_shown).map(column).collect() }
    }
}
