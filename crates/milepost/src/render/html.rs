//! The dashboard: one HTML file that needs no network, no script and no other file.
//!
//! It answers in this order: did we meet it, what do we do next, how sure are we. This module says what is shown,
//! `words` in which words, `chart` draws, and `templates/dashboard.html` lays it out. Names and texts may come from
//! strangers: the templates escape them, and `plain` cuts them and takes out what would disturb their neighbours.

use super::{
    chart::{self, Band, Days, Room, Scale, Words},
    panel::{self, Panel},
    plan::PlanTable,
    words::{self, Advice, NAME_CHARS_MAX, TEXT_CHARS_MAX, capital, plain},
};
use askama::Template;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_judge::{
    Panels, Scorecard, Tier, Verdict,
    plan::Plan,
    scorecard::{CriterionResult, GroupResult, Judgement, PartResult, Severity, TrendPoint},
};
use milepost_record::Timestamp;
use std::{cmp::Reverse, collections::BTreeMap};

/// Of a criterion's groups, this many are listed, those that hurt most first; the page says how many are not.
pub const GROUPS_SHOWN_MAX: usize = 50;
/// The headline lists this many criteria that stand in the way; the page says how many it leaves out.
pub const STEPS_SHOWN_MAX: usize = 5;

/// The page could not be written. Writing to memory does not fail, so this is a fault of a template.
#[derive(Debug, thiserror::Error)]
#[error("the dashboard could not be written")]
pub struct NotWritten(#[from] askama::Error);

/// What the page shows.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The criteria, judged.
    pub scorecard: &'a Scorecard,
    /// How many events each criterion takes, in the same order.
    pub plans: &'a [Vec<Plan>],
    /// What each tracker saw, where the page is to have panels.
    pub panels: Option<&'a Panels>,
}

/// The whole page. The same input always gives the same bytes.
///
/// # Errors
///
/// Where a template fails.
pub fn dashboard(shown: &Shown<'_>) -> Result<String, NotWritten> {
    let panels = shown.panels.map_or_else(|| Ok(Vec::new()), panel::all)?;
    Ok(Page::new(shown.scorecard, shown.plans, panels).render()?)
}

#[derive(Template)]
#[template(path = "dashboard.html", whitespace = "minimize")]
struct Page {
    project: String,
    generated: Moment,
    sign: Sign,
    /// The headline in a few words.
    answer: &'static str,
    lead: String,
    tallies: Vec<Tally>,
    way: Option<Way>,
    cards: Vec<Card>,
    sections: Vec<Section>,
    panels: Vec<Panel>,
}

/// A point in time, for people and for machines.
struct Moment {
    words: String,
    machine: String,
}

/// A verdict as the page shows it: never by colour alone.
#[derive(Clone, Copy)]
struct Sign {
    /// The verdict's name in JSON.
    verdict: &'static str,
    /// Name of the shape, which also tells amber from red.
    shape: &'static str,
    /// A miss that is not beyond the second limit.
    amber: bool,
    word: &'static str,
}

/// How a tier stands: one sign for each of its criteria.
struct Tally {
    tier: &'static str,
    met: usize,
    of: usize,
    signs: Vec<Link>,
}

/// A criterion, to jump to.
struct Link {
    sign: Sign,
    id: String,
    name: String,
}

/// What stands in the way of the first tier that is not met.
struct Way {
    tier: &'static str,
    steps: Vec<Step>,
    more: usize,
}

struct Step {
    link: Link,
    action: Advice,
}

struct Card {
    link: Link,
    value: Value,
    target: String,
    days: Option<Days>,
}

/// A number and its unit, apart because their sizes differ.
struct Value {
    /// `None` where it is not known.
    number: Option<String>,
    unit: String,
}

struct Section {
    title: &'static str,
    id: &'static str,
    summary: String,
    criteria: Vec<Row>,
}

struct Row {
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
}

/// A row of the calendar: a week from Monday to Sunday, or several weeks without events.
enum Week {
    Days { monday: String, days: [String; 7] },
    Nothing { weeks: i32 },
}

impl Page {
    fn new(scorecard: &Scorecard, plans: &[Vec<Plan>], panels: Vec<Panel>) -> Self {
        let must = || of_tier(scorecard, Some(Tier::Must)).map(|(_, criterion)| &criterion.judgement);
        let severity = must().filter_map(|judgement| judgement.severity).max_by_key(|severity| *severity == Severity::Red);
        let card = |(index, criterion): (usize, &CriterionResult)| {
            let label = criterion.card.as_deref()?;
            Some(Card::new(index, criterion, label, scorecard.generated_at))
        };
        let tiers = Tier::ALL.iter().copied().map(Some).chain([None]);
        Self {
            project: plain(&scorecard.project, NAME_CHARS_MAX),
            generated: Moment { words: words::moment(scorecard.generated_at), machine: scorecard.generated_at.to_string() },
            sign: Sign::of(scorecard.verdict, severity),
            answer: words::answer(scorecard),
            lead: words::lead(scorecard),
            tallies: Tier::ALL.iter().filter_map(|tier| Tally::new(scorecard, *tier)).collect(),
            way: Tier::ALL.iter().find_map(|tier| Way::new(scorecard, *tier)),
            cards: scorecard.criteria.iter().enumerate().filter_map(card).collect(),
            sections: tiers.filter_map(|tier| Section::new(scorecard, plans, tier)).collect(),
            panels,
        }
    }
}

/// The criteria of a tier, each with its place among all.
fn of_tier(scorecard: &Scorecard, tier: Option<Tier>) -> impl Iterator<Item = (usize, &CriterionResult)> {
    scorecard.criteria.iter().enumerate().filter(move |(_, criterion)| criterion.tier == tier)
}

impl Sign {
    const fn of(verdict: Verdict, severity: Option<Severity>) -> Self {
        let (shape, word) = match (verdict, severity) {
            (Verdict::Met, _) => ("met", "Met"),
            (Verdict::Missed, Some(Severity::Amber)) => ("amber", "Missed, amber"),
            (Verdict::Missed, _) => ("red", "Missed"),
            (Verdict::NotProven, _) => ("open", "Not proven"),
            (Verdict::NoData, _) => ("none", "No data"),
            (Verdict::Stale, _) => ("stale", "Stale"),
        };
        Self { verdict: verdict.name(), shape, amber: matches!(severity, Some(Severity::Amber)), word }
    }

    const fn on(judgement: &Judgement) -> Self {
        Self::of(judgement.verdict, judgement.severity)
    }
}

impl Tally {
    fn new(scorecard: &Scorecard, tier: Tier) -> Option<Self> {
        let result = scorecard.tiers.get(&tier)?;
        let signs: Vec<_> = of_tier(scorecard, Some(tier)).map(|(index, criterion)| Link::to(index, criterion)).collect();
        (!signs.is_empty()).then_some(Self { tier: tier.name(), met: result.met, of: result.of, signs })
    }
}

impl Link {
    fn to(index: usize, criterion: &CriterionResult) -> Self {
        Self { sign: Sign::on(&criterion.judgement), id: id(index), name: plain(&criterion.name, NAME_CHARS_MAX) }
    }
}

/// Made of the place and not of the name, which may be anything.
fn id(index: usize) -> String {
    format!("c{}", index + 1)
}

impl Way {
    fn new(scorecard: &Scorecard, tier: Tier) -> Option<Self> {
        let mut lacking: Vec<_> = of_tier(scorecard, Some(tier)).filter(|(_, c)| c.judgement.verdict != Verdict::Met).collect();
        lacking.sort_by_key(|(_, criterion)| pain(&criterion.judgement));
        let step =
            |(index, criterion): &(usize, &CriterionResult)| Step { link: Link::to(*index, criterion), action: words::action(criterion) };
        let steps: Vec<_> = lacking.iter().take(STEPS_SHOWN_MAX).map(step).collect();
        (!steps.is_empty()).then_some(Self { tier: tier.name(), steps, more: lacking.len().saturating_sub(STEPS_SHOWN_MAX) })
    }
}

/// Sorts what hurts most first.
fn pain(judgement: &Judgement) -> (u8, Reverse<u64>) {
    let rank = match (judgement.verdict, judgement.severity) {
        (Verdict::Missed, Some(Severity::Amber)) => 1,
        (Verdict::Missed, _) => 0,
        (Verdict::NotProven, _) => 2,
        (Verdict::Stale, _) => 3,
        (Verdict::NoData, _) => 4,
        (Verdict::Met, _) => 5,
    };
    (rank, Reverse(judgement.failures.unwrap_or(0)))
}

impl Card {
    fn new(index: usize, criterion: &CriterionResult, label: &str, now: Timestamp) -> Self {
        // Where a criterion demands several things, its card shows the first; the verdict is on all of them.
        let (shown, table) = match criterion.parts.first() {
            Some(part) => (&part.judgement, part_id(&id(index), 0)),
            None => (&criterion.judgement, id(index)),
        };
        let target = match (shown.target.as_ref().map(chart::sign), criterion.parts.len()) {
            (Some(target), 0 | 1) => format!("target {target}"),
            (Some(target), parts) => format!("target {target}, and {} more", parts - 1),
            (None, _) => "each group has a target".to_owned(),
        };
        let name = plain(label, NAME_CHARS_MAX);
        let days = Days::new(&shown.trend, shown.target.as_ref(), date(now), Room::Cell, days_words(&name, shown, &table));
        Self { link: Link { name, ..Link::to(index, criterion) }, value: Value::of(shown), target, days }
    }
}

impl Value {
    fn of(judgement: &Judgement) -> Self {
        let number = match judgement.estimate {
            Some(estimate) => Some(milepost_judge::digits(estimate)),
            None if chart::is_endless(judgement) => Some("∞".to_owned()),
            None => None,
        };
        Self { number, unit: judgement.unit.clone() }
    }
}

impl Section {
    fn new(scorecard: &Scorecard, plans: &[Vec<Plan>], tier: Option<Tier>) -> Option<Self> {
        let row = |(index, criterion)| Row::new(index, criterion, plans.get(index).map_or(&[][..], Vec::as_slice), scorecard.generated_at);
        let criteria: Vec<_> = of_tier(scorecard, tier).map(row).collect();
        let met = of_tier(scorecard, tier).filter(|(_, criterion)| criterion.judgement.verdict == Verdict::Met).count();
        let (title, id, aside) = match tier {
            Some(Tier::Must) => ("Must", "must", ""),
            Some(Tier::Should) => ("Should", "should", ""),
            Some(Tier::Nice) => ("Nice", "nice", ""),
            None => ("Also watched", "other", "; no tier counts them"),
        };
        let summary = format!("{met} of {} met{aside}", criteria.len());
        (!criteria.is_empty()).then_some(Self { title, id, summary, criteria })
    }
}

impl Row {
    fn new(index: usize, criterion: &CriterionResult, plans: &[Plan], now: Timestamp) -> Self {
        let link = Link::to(index, criterion);
        let goals = if criterion.parts.is_empty() {
            vec![Measured::new(link.id.clone(), &link.name, &criterion.judgement, &criterion.groups, now)]
        } else {
            let part = |(number, part): (usize, &PartResult)| {
                let id = part_id(&link.id, number);
                let metric = plain(part.judgement.metric.as_deref().unwrap_or_default(), NAME_CHARS_MAX);
                let mut measured = Measured::new(id, &format!("{}, {metric}", link.name), &part.judgement, &part.groups, now);
                measured.facts.insert(0, ("What it is", plain(&capital(&part.definition), TEXT_CHARS_MAX)));
                measured.part = Some((metric, Sign::on(&part.judgement)));
                measured
            };
            criterion.parts.iter().enumerate().map(part).collect()
        };
        let advice = words::advice(criterion).filter(|advice| !words::says_needs_only(criterion, advice));
        Self {
            metric: plain(criterion.judgement.metric.as_deref().unwrap_or_default(), NAME_CHARS_MAX),
            baseline: criterion.baseline.as_deref().map(|baseline| plain(baseline, NAME_CHARS_MAX)),
            goals,
            standing: words::standing(&criterion.judgement, advice.as_ref()),
            remarks: words::remarks(criterion),
            advice,
            definition: plain(&capital(&criterion.definition), TEXT_CHARS_MAX),
            method: criterion.method.as_deref().map(|method| plain(method, TEXT_CHARS_MAX)),
            since: words::since(&criterion.since),
            plans: plans.iter().map(PlanTable::new).collect(),
            link,
        }
    }
}

fn part_id(id: &str, number: usize) -> String {
    format!("{id}p{}", number + 1)
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
            groups: GroupsView::new(&id, about, groups),
            id,
        }
    }
}

impl GroupsView {
    fn new(id: &str, about: &str, groups: &[GroupResult]) -> Option<Self> {
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
            summary: format!("By {}: {}", plain(dimension, NAME_CHARS_MAX), verdicts.chain(aside).collect::<Vec<_>>().join(", ")),
            dimension: plain(&capital(dimension), NAME_CHARS_MAX),
            rows: shown
                .iter()
                .map(|group| GroupRow::new(id, about, group, &common.unwrap_or_else(|| Scale::of(&[&group.judgement]))))
                .collect(),
            more: groups.len().saturating_sub(GROUPS_SHOWN_MAX),
        })
    }
}

impl GroupRow {
    fn new(id: &str, about: &str, group: &GroupResult, scale: &Scale) -> Self {
        let judgement = &group.judgement;
        let name = plain(group.name(), NAME_CHARS_MAX);
        let value = words::value(judgement);
        // The row around it says the rest.
        let words = Words { title: format!("{about}, {name}: {value}"), description: String::new(), table: format!("{id}-groups") };
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
        Some(Self { chart, first: words::day(first), last: words::day(last), unit: judgement.unit.clone(), weeks: weeks(trend) })
    }
}

fn days_words(about: &str, judgement: &Judgement, id: &str) -> Words {
    Words { title: format!("{about}, day by day"), description: words::trend(judgement), table: format!("{id}-days") }
}

/// The day of a moment in UTC.
fn date(at: Timestamp) -> Date {
    at.to_jiff().to_zoned_datetime(TimeZone::UTC).date()
}

/// The trend as a calendar, in which a whole quarter is thirteen rows.
fn weeks(trend: &[TrendPoint]) -> Vec<Week> {
    let monday_of = |date: Date| date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days());
    let mut by_week: BTreeMap<Date, [String; 7]> = BTreeMap::new();
    for day in trend {
        let value = day.value.map_or_else(|| "∞".to_owned(), milepost_judge::digits);
        let days = by_week.entry(monday_of(day.date)).or_default();
        if let Some(cell) = days.get_mut(usize::from(day.date.weekday().to_monday_zero_offset().unsigned_abs())) {
            *cell = value;
        }
    }
    let mut weeks = Vec::new();
    let mut before: Option<Date> = None;
    for (monday, days) in by_week {
        let skipped = before.map_or(0, |before| chart::days_between(before, monday) / 7 - 1);
        if skipped > 0 {
            weeks.push(Week::Nothing { weeks: skipped });
        }
        weeks.push(Week::Days { monday: words::day(monday), days });
        before = Some(monday);
    }
    weeks
}
