//! The criteria, tier by tier: a row each, and one for each of its parts.

use super::{Looking, Screen, View, width_of};
use crate::render::{
    chart::{self, Band, Room, Scale, Words, amount, cells},
    html,
    words::{self, NAME_CHARS_MAX, plain},
};
use milepost_judge::{
    Scorecard, Tier,
    scorecard::{CriterionResult, Judgement},
};
use milepost_record::Timestamp;
use ratatui::style::{Modifier, Style};

/// A row of the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Tier(Option<Tier>),
    Criterion(usize),
    Part(usize, usize),
}

fn rows(looking: &Looking, scorecard: &Scorecard) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut tier = None;
    for index in looking.shown(scorecard) {
        let Some(criterion) = scorecard.criteria.get(index) else { continue };
        if tier != Some(criterion.tier) {
            tier = Some(criterion.tier);
            rows.push(Row::Tier(criterion.tier));
        }
        rows.push(Row::Criterion(index));
        rows.extend((0..criterion.parts.len()).map(|part| Row::Part(index, part)));
    }
    rows
}

/// Marks a criterion that is listed, and brings it with its parts into sight.
pub(super) fn settle(looking: &mut Looking, scorecard: &Scorecard) {
    let shown = looking.shown(scorecard);
    if !shown.contains(&looking.selected) {
        looking.selected = shown.first().copied().unwrap_or(0);
    }
    let rows = rows(looking, scorecard);
    let first = rows.iter().position(|row| *row == Row::Criterion(looking.selected)).unwrap_or(0);
    let parts = scorecard.criteria.get(looking.selected).map_or(0, |criterion| criterion.parts.len());
    let page = looking.page.max(1);
    let lowest = (first + parts + 1).saturating_sub(page);
    looking.top = looking.top.max(lowest).min(first).min(rows.len().saturating_sub(page));
    // With the heading of the tier, where only that is missing.
    if looking.top == 1 && first < page {
        looking.top = 0;
    }
}

pub(super) fn draw(screen: &mut Screen<'_>, looking: &Looking, scorecard: &Scorecard, view: &View<'_>, y: u16, height: u16) {
    let columns = Columns::of(screen.area.width);
    columns.headings(screen, y);
    let rows = rows(looking, scorecard);
    if rows.is_empty() {
        let why = match (scorecard.criteria.is_empty(), looking.tier) {
            (true, _) => "No criteria yet: add a [[criterion]] to milepost.toml.".to_owned(),
            (false, Some(tier)) if looking.filter.is_empty() => format!("No criterion is in tier {tier}. t shows another one."),
            (false, _) => format!("No criterion has “{}” in its name. Esc shows all.", looking.filter),
        };
        screen.put(2, y + 1, &why, Style::new());
        return;
    }
    for (row, y) in rows.iter().skip(looking.top).zip(y + 1..).take(usize::from(height)) {
        let of = |index: &usize| scorecard.criteria.get(*index);
        match row {
            Row::Tier(tier) => {
                screen.put(0, y, tier.map_or("without a tier", Tier::name), Style::new().add_modifier(Modifier::BOLD));
            }
            Row::Criterion(index) => {
                let Some(criterion) = of(index) else { continue };
                columns.row(screen, y, &criterion.judgement, &plain(&criterion.name, NAME_CHARS_MAX), super::newest_event(criterion), view);
                if *index == looking.selected {
                    columns.mark(screen, y);
                }
            }
            Row::Part(index, part) => {
                let Some(part) = of(index).and_then(|criterion: &CriterionResult| criterion.parts.get(*part)) else { continue };
                let name = format!("· {}", plain(part.judgement.metric.as_deref().unwrap_or_default(), NAME_CHARS_MAX));
                columns.row(screen, y, &part.judgement, &name, part.judgement.newest_event, view);
            }
        }
    }
}

/// How wide each column is; none where there is no room for it.
pub(super) struct Columns {
    name: u16,
    target: bool,
    needed: bool,
    newest: bool,
    band: u16,
    days: u16,
}

/// Verdict, and the mark before it.
const BEFORE_NAME: u16 = 2 + 13;
const OBSERVED: u16 = 10;
const ARROW: u16 = 3;
const TARGET: u16 = 10;
const NEEDED: u16 = 9;
const NEWEST: u16 = 8;
/// A longer way from a name to its numbers is hard for the eye.
const NAME_MAX: u16 = 56;
/// Between the words and the charts.
const GAP: u16 = 2;

impl Columns {
    pub(super) fn of(width: u16) -> Self {
        let (target, needed, newest) = (width >= 56, width >= 66, width >= 74);
        let words = BEFORE_NAME
            + OBSERVED
            + if target { ARROW + TARGET } else { 0 }
            + if needed { NEEDED } else { 0 }
            + if newest { NEWEST } else { 0 };
        let (band, days) = match width {
            ..110 => (0, 0),
            110..140 => (26, 0),
            140..170 => (30, 22),
            _ => (40, 32),
        };
        let gaps = if band > 0 { GAP } else { 0 } + if days > 0 { GAP } else { 0 };
        let name = width.saturating_sub(words + band + days + gaps).min(NAME_MAX);
        Self { name, target, needed, newest, band, days }
    }

    fn headings(&self, screen: &mut Screen<'_>, y: u16) {
        let style = screen.dim();
        let mut x = BEFORE_NAME + self.name;
        screen.put_within(2, y, 13, "verdict", style);
        screen.put_within(BEFORE_NAME, y, self.name, "criterion", style);
        right_of(screen, x, y, OBSERVED, "observed", style);
        x += OBSERVED;
        if self.target {
            screen.put_within(x, y, ARROW + TARGET, " → target", style);
            x += ARROW + TARGET;
        }
        if self.needed {
            right_of(screen, x, y, NEEDED, "needed", style);
            x += NEEDED;
        }
        if self.newest {
            right_of(screen, x, y, NEWEST, "newest", style);
            x += NEWEST;
        }
        if self.band > 0 {
            screen.put_within(x + GAP, y, self.band, "interval and target", style);
            x += GAP + self.band;
        }
        if self.days > 0 {
            screen.put_within(x + GAP, y, self.days, "day by day", style);
        }
    }

    /// A verdict with its name and numbers.
    pub(super) fn row(&self, screen: &mut Screen<'_>, y: u16, of: &Judgement, name: &str, newest: Option<Timestamp>, view: &View<'_>) {
        let plainly = Style::new();
        screen.verdict(2, y, of);
        screen.put_within(BEFORE_NAME, y, self.name, name, plainly);
        let mut x = BEFORE_NAME + self.name;
        right_of(screen, x, y, OBSERVED, &observed(of), plainly);
        x += OBSERVED;
        if self.target {
            let target = of.target.as_ref().map(|target| format!(" → {}", chart::sign(target))).unwrap_or_default();
            screen.put_within(x, y, ARROW + TARGET, &target, plainly);
            x += ARROW + TARGET;
        }
        if self.needed {
            let needed = of.at_least_more.map(|n| format!("≥ {}", words::count(n))).unwrap_or_default();
            right_of(screen, x, y, NEEDED, &needed, plainly);
            x += NEEDED;
        }
        if self.newest {
            right_of(screen, x, y, NEWEST, &newest.map(|at| age(view.now, at)).unwrap_or_default(), plainly);
            x += NEWEST;
        }
        if self.band > 0 {
            screen.put_within(x + GAP, y, self.band, &band(of, usize::from(self.band)), plainly);
            x += GAP + self.band;
        }
        if self.days > 0 {
            screen.put_within(x + GAP, y, self.days, &days(of, view.now, usize::from(self.days)), plainly);
        }
    }

    /// Shows which row is marked, with and without colours.
    fn mark(&self, screen: &mut Screen<'_>, y: u16) {
        screen.put(0, y, "▸", Style::new());
        let row = ratatui::layout::Rect { y: screen.area.y + y, height: 1, ..screen.area };
        // On the reversed row, a colour would be a background that not every text is readable on.
        screen.buffer.set_style(row, Style::reset().add_modifier(Modifier::REVERSED));
    }
}

/// What was observed, in the fewest characters.
pub(super) fn observed(judgement: &Judgement) -> String {
    match judgement.estimate {
        Some(estimate) => amount(estimate, &judgement.unit),
        None if chart::is_endless(judgement) => "∞".to_owned(),
        None => String::new(),
    }
}

pub(super) fn band(judgement: &Judgement, width: usize) -> String {
    let none = || Words { title: String::new(), description: String::new(), table: String::new() };
    let band = Band::new(judgement, words::is_sampled(judgement), &Scale::of(&[judgement]), Room::Cell, none());
    band.map(|band| band.cells(width)).unwrap_or_default()
}

pub(super) fn days(judgement: &Judgement, now: Timestamp, width: usize) -> String {
    cells::days(&judgement.trend, judgement.target.as_ref(), html::date(now), width)
}

/// How old, in so few characters that it fits a column.
fn age(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..60 => "< 1 min".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", words::count(seconds / 86400)),
    }
}

/// Writes a text so that it ends where its column does.
fn right_of(screen: &mut Screen<'_>, x: u16, y: u16, width: u16, text: &str, style: Style) {
    let taken = u16::try_from(width_of(text)).unwrap_or(u16::MAX).min(width - 1);
    screen.put_within(x + width - taken, y, taken, text, style);
}
