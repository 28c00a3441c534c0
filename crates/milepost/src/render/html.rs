//! The dashboard: one HTML file that needs no network and no other file, and is whole without its script.
//!
//! It answers in this order: did we meet it, what do we do next, how sure are we. This module says what is shown,
//! `words` in which words, `chart` and `growth` draw, and `templates/dashboard.html` lays it out; `html/criterion.rs` and
//! `templates/criterion.html` are the page of one criterion. Names and texts may come from strangers: the templates escape them, and
//! `plain` cuts them and takes out what would disturb their neighbours.

mod criterion;

use self::criterion::Row;
use super::{
    chart::{self, Days, Room, Words},
    panel::{self, Panel},
    script,
    terminal::Source,
    words::{self, Advice, PAGE_NAME_CHARS_MAX, TEXT_CHARS_MAX, plain},
};
use askama::Template;
use jiff::{civil::Date, tz::TimeZone};
use milepost_judge::{
    Panels, Scorecard, Tier, Verdict,
    growth::Growth,
    plan::Plan,
    scorecard::{CriterionResult, Judgement, Severity},
};
use milepost_record::Timestamp;
use std::cmp::Reverse;

pub use criterion::GROUPS_SHOWN_MAX;

/// The headline lists this many criteria that stand in the way; the page says how many it leaves out.
pub const STEPS_SHOWN_MAX: usize = 5;
/// The page shows this many cards at a glance; it says how many criteria with one it leaves out.
const CARDS_SHOWN_MAX: usize = 7;
/// Of a notice, so many lines.
const NOTICE_LINES_MAX: usize = 40;

/// The page could not be written. Writing to memory does not fail, so this is a fault of a template.
#[derive(Debug, thiserror::Error)]
#[error("the dashboard could not be written")]
pub struct NotWritten(#[from] askama::Error);

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The scorecard.
    pub scorecard: &'a Scorecard,
    /// What else there is to see of each criterion, in the order of the scorecard; what is missing is not shown.
    pub details: &'a [CriterionDetail],
    /// What each tracker saw, where the page is to have panels.
    pub panels: Option<&'a Panels>,
}

/// What only the page of one criterion shows.
#[derive(Clone, Debug, Default)]
pub struct CriterionDetail {
    /// How many events it takes.
    pub plans: Vec<Plan>,
    /// How its evidence grew.
    pub growth: Growth,
    /// What each of its goals was asked by, and the newest events that count for it.
    pub sources: Vec<Source>,
}

/// The whole page. The same input always gives the same bytes.
///
/// # Errors
///
/// Where a template fails.
pub fn dashboard(shown: Shown<'_>) -> Result<String, NotWritten> {
    Ok(Page::new(shown)?.render()?)
}

/// Something about the page that has to be said before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// In a few words.
    pub title: String,
    /// What it means for what is below.
    pub lead: String,
    /// What happened, as it is: several lines.
    pub text: String,
    /// Whether what is below is not of now.
    pub is_old: bool,
    /// Whether it is no alarm, for which nobody is interrupted.
    pub is_calm: bool,
}

/// The page as it is served: with the script that keeps it as it is now, with `notices`, and without a policy, which is for the server
/// to give.
///
/// # Errors
///
/// Where a template fails.
pub fn live(shown: Shown<'_>, notices: &[Notice]) -> Result<String, NotWritten> {
    Ok(Page { live: Some(Live::new(notices)), ..Page::new(shown)? }.render()?)
}

/// The same where no scorecard could be judged.
///
/// # Errors
///
/// Where a template fails.
pub fn not_judged(notices: &[Notice]) -> Result<String, NotWritten> {
    Ok(NotJudged { live: Live::new(notices), script: &script::PAGE }.render()?)
}

#[derive(Template)]
#[template(path = "not-judged.html", whitespace = "minimize")]
struct NotJudged {
    live: Live,
    /// For the page that takes its place.
    script: &'static str,
}

struct Live {
    script: &'static str,
    notices: Vec<Notice>,
}

impl Live {
    fn new(notices: &[Notice]) -> Self {
        let plain_lines =
            |text: &str| text.lines().take(NOTICE_LINES_MAX).map(|line| plain(line, TEXT_CHARS_MAX)).collect::<Vec<_>>().join("\n");
        let notice = |notice: &Notice| Notice { text: plain_lines(&notice.text), ..notice.clone() };
        Self { script: &script::LIVE, notices: notices.iter().map(notice).collect() }
    }
}

#[derive(Template)]
#[template(path = "dashboard.html", whitespace = "minimize")]
struct Page {
    /// None where the page is a file.
    live: Option<Live>,
    project: String,
    generated: Moment,
    sign: Sign,
    /// The headline in a few words.
    answer: &'static str,
    lead: String,
    tallies: Vec<Tally>,
    way: Option<Way>,
    cards: Vec<Card>,
    more_cards: usize,
    sections: Vec<Section>,
    panels: Vec<Panel>,
    script: &'static str,
    /// What lets that script run, and no other.
    script_source: String,
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
    /// The articles, each as it is.
    criteria: Vec<String>,
}

impl Page {
    fn new(shown: Shown<'_>) -> Result<Self, NotWritten> {
        let scorecard = shown.scorecard;
        let must = || of_tier(scorecard, Some(Tier::Must)).map(|(_, criterion)| &criterion.judgement);
        let severity = must().filter_map(|judgement| judgement.severity).max_by_key(|severity| *severity == Severity::Red);
        let card = |(index, criterion): (usize, &CriterionResult)| {
            let label = criterion.card.as_deref()?;
            Some(Card::new(index, criterion, label, scorecard.generated_at))
        };
        let tiers = Tier::ALL.iter().copied().map(Some).chain([None]);
        Ok(Self {
            live: None,
            project: plain(&scorecard.project, PAGE_NAME_CHARS_MAX),
            generated: Moment { words: words::moment(scorecard.generated_at), machine: scorecard.generated_at.to_string() },
            sign: Sign::of(scorecard.verdict, severity),
            answer: words::answer(scorecard),
            lead: words::lead(scorecard),
            tallies: Tier::ALL.iter().filter_map(|tier| Tally::new(scorecard, *tier)).collect(),
            way: Tier::ALL.iter().find_map(|tier| Way::new(scorecard, *tier)),
            cards: scorecard.criteria.iter().enumerate().filter_map(card).take(CARDS_SHOWN_MAX).collect(),
            more_cards: scorecard.criteria.iter().filter(|criterion| criterion.card.is_some()).count().saturating_sub(CARDS_SHOWN_MAX),
            sections: tiers.filter_map(|tier| Section::new(shown, tier).transpose()).collect::<Result<_, _>>()?,
            panels: shown.panels.map_or_else(|| Ok(Vec::new()), panel::all)?,
            script: &script::PAGE,
            script_source: script::source(&script::PAGE),
        })
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
        Self { sign: Sign::on(&criterion.judgement), id: id(index), name: plain(&criterion.name, PAGE_NAME_CHARS_MAX) }
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
pub(super) fn pain(judgement: &Judgement) -> (u8, Reverse<u64>) {
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
        // Where a criterion demands several things, its card shows the first that has the verdict on all of them, so that they agree.
        let verdicts = || criterion.parts.iter().map(|part| part.judgement.verdict);
        let same = verdicts().position(|verdict| verdict == criterion.judgement.verdict);
        let place = same.or_else(|| verdicts().position(|verdict| verdict != Verdict::Met)).unwrap_or(0);
        let (shown, table) = match criterion.parts.get(place) {
            Some(part) => (&part.judgement, part_id(&id(index), place)),
            None => (&criterion.judgement, id(index)),
        };
        let target = match (shown.target.as_ref().map(chart::sign), criterion.parts.len()) {
            (Some(target), 0 | 1) => format!("target {target}"),
            (Some(target), parts) => format!("target {target}, and {} more", parts - 1),
            (None, _) => "each group has a target".to_owned(),
        };
        // What the label of the card says is the first.
        let target = match shown.metric.as_deref().filter(|_| place > 0) {
            Some(metric) => format!("{}: {target}", plain(metric, PAGE_NAME_CHARS_MAX)),
            None => target,
        };
        let name = plain(label, PAGE_NAME_CHARS_MAX);
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
    fn new(Shown { scorecard, details, .. }: Shown<'_>, tier: Option<Tier>) -> Result<Option<Self>, NotWritten> {
        let none = CriterionDetail::default();
        let row = |(index, criterion)| Row::new(index, criterion, details.get(index).unwrap_or(&none), scorecard.generated_at).render();
        let criteria: Vec<_> = of_tier(scorecard, tier).map(row).collect::<Result<_, _>>()?;
        let met = of_tier(scorecard, tier).filter(|(_, criterion)| criterion.judgement.verdict == Verdict::Met).count();
        let (title, id, aside) = match tier {
            Some(Tier::Must) => ("Must", "must", ""),
            Some(Tier::Should) => ("Should", "should", ""),
            Some(Tier::Nice) => ("Nice", "nice", ""),
            None => ("Also watched", "other", "; no tier counts them"),
        };
        let summary = format!("{met} of {} met{aside}", criteria.len());
        Ok((!criteria.is_empty()).then_some(Self { title, id, summary, criteria }))
    }
}

fn part_id(id: &str, number: usize) -> String {
    format!("{id}p{}", number + 1)
}

fn days_words(about: &str, judgement: &Judgement, id: &str) -> Words {
    Words { title: format!("{about}, day by day"), description: words::trend(judgement), table: format!("{id}-days") }
}

/// The day of a moment in UTC.
pub(super) fn date(at: Timestamp) -> Date {
    at.to_jiff().to_zoned_datetime(TimeZone::UTC).date()
}
