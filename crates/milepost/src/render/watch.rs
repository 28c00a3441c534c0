//! The live scorecard for a terminal: from what is looked at, a scorecard and a size to the cells of a screen.
//!
//! This module lays the screen out and draws its edges; `list` draws the criteria, `detail` one of them, `looking` says what is
//! looked at. The sentences are those of `words`. Each text has cells of its own, so that none can push its neighbours about.

mod detail;
mod list;
mod looking;

pub use looking::{Key, Looking, Wish};

use super::{
    html::{STEPS_SHOWN_MAX, pain},
    terminal::{self, sign_of},
    words::{self, NAME_CHARS_MAX, capital, plain, word},
};
use anstyle::{AnsiColor, Effects};
use milepost_judge::{
    Scorecard, Tier, Verdict,
    scorecard::{CriterionResult, Judgement},
};
use milepost_record::Timestamp;
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
    style::{Color, Modifier, Style},
    text::Span,
};

/// On less, nothing can be shown.
const SMALLEST: Size = Size { width: 40, height: 10 };
/// On less, moments are without their day.
const NARROW: u16 = 60;
/// No line that is seen is longer.
const LINE_CHARS_MAX: usize = 4000;

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The newest scorecard; none before the first.
    pub scorecard: Option<&'a Scorecard>,
    /// What time it is.
    pub now: Timestamp,
    /// Whether a newer scorecard is being made.
    pub judging: bool,
    /// Why there is no newer scorecard.
    pub trouble: Option<&'a str>,
    /// Whether colours are welcome. Without them the same is said by signs and words.
    pub colours: bool,
}

/// How the lines of a screen are shared out.
struct Room {
    /// What stands in the way.
    ways: u16,
    /// The list, or the criterion that is open.
    body: u16,
    /// About the criterion that is marked.
    note: u16,
    trouble: u16,
}

impl Room {
    fn of(looking: &Looking, view: &View<'_>, height: u16) -> Self {
        let trouble = u16::from(view.trouble.is_some());
        if looking.open.is_some() {
            // A line for whose scorecard it is, two for the criterion, one for the keys.
            return Self { ways: 0, body: height.saturating_sub(4 + trouble), note: 0, trouble };
        }
        let lacking = view.scorecard.and_then(in_the_way).map_or(0, |(_, lacking)| lacking.len());
        let (ways, note) = match height {
            ..16 => (0, 0),
            16..20 => (1, 0),
            20..30 => (1, 3),
            _ => (u16::try_from(lacking.min(STEPS_SHOWN_MAX)).unwrap_or(0) + 1 + u16::from(lacking > STEPS_SHOWN_MAX), 5),
        };
        let ways = if lacking == 0 { 0 } else { ways };
        let line_above = u16::from(note > 0);
        // Three lines at the top, one above the columns, and one for the keys.
        Self { ways, body: height.saturating_sub(5 + ways + note + line_above + trouble), note, trouble }
    }
}

/// Brings what is looked at within what there is to see. To be called before [`draw`] wherever one of its arguments is another.
pub fn settle(looking: &mut Looking, view: &View<'_>, size: Size) {
    let room = Room::of(looking, view, size.height);
    looking.page = usize::from(room.body);
    let Some(scorecard) = view.scorecard else { return };
    if let (Some(top), Some(criterion)) = (looking.open, looking.marked(view.scorecard)) {
        let length = detail::lines(criterion, view, usize::from(size.width)).len();
        looking.open = Some(top.min(length.saturating_sub(looking.page)));
        return;
    }
    looking.open = None;
    list::settle(looking, scorecard);
}

/// Draws the screen.
pub fn draw(looking: &Looking, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let mut screen = Screen { area, buffer, colours: view.colours };
    if area.width < SMALLEST.width || area.height < SMALLEST.height {
        let small = format!("More room is needed: {} × {} characters. q quits.", SMALLEST.width, SMALLEST.height);
        for (line, y) in wrapped(&small, usize::from(area.width)).iter().zip(0..) {
            screen.put(0, y, line, Style::new());
        }
        return;
    }
    let Some(scorecard) = view.scorecard else {
        screen.put(0, 0, "Judging for the first time…", Style::new());
        edge(&mut screen, looking, view);
        return;
    };
    if looking.keys {
        keys(&mut screen);
    } else if let (Some(top), Some(criterion)) = (looking.open, looking.marked(view.scorecard)) {
        title(&mut screen, scorecard, view);
        detail::draw(&mut screen, criterion, view, top, Room::of(looking, view, area.height).body);
    } else {
        overview(&mut screen, looking, scorecard, view);
    }
    edge(&mut screen, looking, view);
}

/// The headline, the list, and a note about what is marked in it.
fn overview(screen: &mut Screen<'_>, looking: &Looking, scorecard: &Scorecard, view: &View<'_>) {
    let room = Room::of(looking, view, screen.area.height);
    title(screen, scorecard, view);
    let tiers: Vec<_> = scorecard.tiers.iter().filter(|(_, t)| t.of > 0).map(|(name, t)| format!("{name} {} of {}", t.met, t.of)).collect();
    let newest = scorecard.criteria.iter().filter_map(newest_event).max();
    let newest = newest.map(|at| format!("newest event: {}", ago(view.now, at))).unwrap_or_default();
    let end = screen.put(0, 1, &tiers.join(" · "), Style::new());
    if usize::from(end) + 2 + width_of(&newest) <= usize::from(screen.area.width) {
        screen.put_right(1, &newest, Style::new());
    }
    screen.put(0, 2, &words::lead(scorecard), Style::new());
    let mut y = 3;
    if let Some((tier, lacking)) = in_the_way(scorecard) {
        ways(screen, y, room.ways, tier, &lacking);
    }
    y += room.ways;
    list::draw(screen, looking, scorecard, view, y, room.body);
    y += 1 + room.body + room.trouble;
    if room.note > 0 {
        // The line of trouble is below the note.
        y -= room.trouble;
        let line = "─".repeat(usize::from(screen.area.width));
        screen.put(0, y, &line, screen.dim());
        if let Some(criterion) = looking.marked(Some(scorecard)) {
            let about = about(criterion);
            for (line, y) in wrapped(&about, usize::from(screen.area.width)).iter().take(usize::from(room.note)).zip(y + 1..) {
                screen.put(0, y, line, Style::new());
            }
        }
    }
}

/// Why it stands as it does, in a few lines.
fn about(criterion: &CriterionResult) -> String {
    let seen = if criterion.parts.is_empty() { format!("{}. ", capital(&words::seen(&criterion.judgement))) } else { String::new() };
    let line =
        if criterion.judgement.verdict == Verdict::Met { words::remarks(criterion).join(" ") } else { words::in_one_line(criterion) };
    format!("{}: {seen}{line}", plain(&criterion.name, NAME_CHARS_MAX))
}

/// Project and answer on the left, as of when on the right.
fn title(screen: &mut Screen<'_>, scorecard: &Scorecard, view: &View<'_>) {
    let format = if screen.area.width < NARROW { "%H:%M UTC" } else { "%-d %b %Y, %H:%M UTC" };
    let at = scorecard.generated_at.to_jiff().strftime(format).to_string();
    let when = match (view.trouble, view.judging) {
        (Some(_), _) => format!("as of {at}"),
        (None, true) => "judging…".to_owned(),
        (None, false) => format!("judged {at}"),
    };
    let right = screen.put_right(0, &when, Style::new());
    let must = || scorecard.criteria.iter().filter(|c| c.tier == Some(Tier::Must)).map(|c| &c.judgement);
    let severity = must().filter_map(|judgement| judgement.severity).max_by_key(|s| *s == milepost_judge::scorecard::Severity::Red);
    let verdict = Judgement { verdict: scorecard.verdict, severity, ..Judgement::nothing() };
    let answer = if must().next().is_none() {
        words::answer(scorecard).to_owned()
    } else {
        format!("{} {}", sign_of(&verdict), words::answer(scorecard))
    };
    let room = right.saturating_sub(1);
    // However long the name of a project is, the answer is seen.
    let name = cut(&plain(&scorecard.project, NAME_CHARS_MAX), usize::from(room).saturating_sub(width_of(&answer) + 2));
    let end = screen.put_within(0, 0, room, &name, Style::new().add_modifier(Modifier::BOLD));
    let gap = if end > 0 { 2 } else { 0 };
    screen.put_within(end + gap, 0, room.saturating_sub(end + gap), &answer, screen.paint(&verdict));
}

/// What is not met of the first tier of which something is not, that which hurts most first.
fn in_the_way(scorecard: &Scorecard) -> Option<(Tier, Vec<&CriterionResult>)> {
    Tier::ALL.iter().find_map(|tier| {
        let of_tier = scorecard.criteria.iter().filter(|criterion| criterion.tier == Some(*tier));
        let mut lacking: Vec<_> = of_tier.filter(|criterion| criterion.judgement.verdict != Verdict::Met).collect();
        lacking.sort_by_key(|criterion| pain(&criterion.judgement));
        (!lacking.is_empty()).then_some((*tier, lacking))
    })
}

fn ways(screen: &mut Screen<'_>, y: u16, lines: u16, tier: Tier, lacking: &[&CriterionResult]) {
    let name = |criterion: &CriterionResult| plain(&criterion.name, NAME_CHARS_MAX);
    let heading = format!("What stands between us and {tier}: ");
    if lines == 1 {
        let x = screen.put(0, y, &heading, Style::new());
        let named: Vec<_> = lacking.iter().map(|criterion| format!("{} {}", sign_of(&criterion.judgement), name(criterion))).collect();
        screen.put(x, y, &named.join(" · "), Style::new());
    } else if lines > 1 {
        screen.put(0, y, heading.trim_end(), Style::new());
        for (criterion, y) in lacking.iter().take(STEPS_SHOWN_MAX).zip(y + 1..) {
            let x = screen.verdict(2, y, &criterion.judgement);
            let action = words::action(criterion);
            let command = action.command.map(|command| format!(": {command}")).unwrap_or_default();
            let text = if action.text.is_empty() { String::new() } else { format!(": {}{command}", action.text) };
            screen.put(x, y, &format!("{}{text}", name(criterion)), Style::new());
        }
        if lacking.len() > STEPS_SHOWN_MAX {
            screen.put(2, y + lines - 1, &format!("and {} more", lacking.len() - STEPS_SHOWN_MAX), Style::new());
        }
    }
}

/// The last line: keys, or the filter as it is typed; above it, what went wrong.
fn edge(screen: &mut Screen<'_>, looking: &Looking, view: &View<'_>) {
    let last = screen.area.height.saturating_sub(1);
    if let Some(trouble) = view.trouble {
        screen.put(0, last.saturating_sub(1), &format!("Error: {trouble}"), screen.alarm());
    }
    let tier = looking.tier.map(|tier| format!("only {tier}   ")).unwrap_or_default();
    let filter = match (looking.typing, looking.filter.is_empty()) {
        (true, _) => {
            screen.put(0, last, &format!("/{}▏  Enter keeps, Esc drops the filter", looking.filter), Style::new());
            return;
        }
        (false, false) => format!("/{}   ", looking.filter),
        (false, true) => String::new(),
    };
    let (shown, keys): (_, &[_]) = match looking {
        Looking { keys: true, .. } => (String::new(), &["any key goes back"]),
        Looking { open: Some(_), .. } => (String::new(), &["↑ ↓ move   Esc back   r judge anew   ? keys", "Esc back   ? keys"]),
        _ => (
            format!("{filter}{tier}"),
            &["↑ ↓ move   Enter open   / filter   t tiers   r judge anew   ? keys   q quit", "Enter open   ? keys   q quit", "? keys"],
        ),
    };
    let x = screen.put(0, last, &shown, Style::new().add_modifier(Modifier::BOLD));
    let fits = |keys: &&&str| usize::from(x) + width_of(keys) <= usize::from(screen.area.width);
    if let Some(keys) = keys.iter().find(fits) {
        screen.put(x, last, keys, screen.dim());
    }
}

const KEYS: &[(&str, &str)] = &[
    ("↑ ↓  k j", "one up or down"),
    ("PgUp PgDn", "a page up or down"),
    ("Home End", "to the beginning or the end"),
    ("Enter", "open the criterion"),
    ("Esc q", "back to the list"),
    ("/", "only names with a text in them; Esc shows all again"),
    ("t", "all tiers, must, should, nice"),
    ("r", "judge anew now; it does so by itself when an event comes in"),
    ("q Ctrl-C", "quit"),
    ("", ""),
    ("observed", "what was seen; ∞ where so many fail that there is no finite value"),
    ("needed", "so many more events at least, until it can be met"),
    ("─ ━ ● │", "good side of the target, interval, estimate, target"),
    ("▁ █ · ▲", "low and high days; one without events, one without a finite value"),
];

fn keys(screen: &mut Screen<'_>) {
    let lines = screen.area.height.saturating_sub(2);
    // Where there is little room, the keys are more needed than the signs.
    for ((key, what), y) in KEYS.iter().zip(0..lines) {
        screen.put(1, y, key, Style::new().add_modifier(Modifier::BOLD));
        screen.put(13, y, what, Style::new());
    }
}

/// The newest event that a criterion rests on; where it has parts, of all of them.
fn newest_event(criterion: &CriterionResult) -> Option<Timestamp> {
    let parts = criterion.parts.iter().map(|part| part.judgement.newest_event);
    parts.chain([criterion.judgement.newest_event]).flatten().max()
}

/// How long ago, in words.
fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", words::age(now.since(at)))
}

/// Lines no longer than the width.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(1)).break_words(true);
    textwrap::wrap(&plain(text, LINE_CHARS_MAX), options).into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// How many cells a text takes.
fn width_of(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text that takes so many cells at most; where it is longer, it ends in `…`.
fn cut(text: &str, width: usize) -> String {
    let text = calm(&plain(text, LINE_CHARS_MAX));
    if width_of(&text) <= width {
        return text;
    }
    let (mut cut, mut used) = (String::new(), 0);
    for grapheme in Span::raw(&text).styled_graphemes(Style::new()) {
        used += width_of(grapheme.symbol);
        // One is kept for the sign that something is missing.
        if used >= width {
            break;
        }
        cut.push_str(grapheme.symbol);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// Without towers of marks above and below a letter, which would cover the lines around it; and with plain spaces.
fn calm(text: &str) -> String {
    const MARKS_MAX: usize = 3;
    let mut marks = 0;
    let kept = |c: &char| {
        marks = if width_of(c.encode_utf8(&mut [0; 4])) == 0 { marks + 1 } else { 0 };
        marks <= MARKS_MAX
    };
    text.replace('\u{a0}', " ").chars().filter(kept).collect()
}

/// The cells of the screen, and how they may be painted. Places are counted from its upper left corner.
struct Screen<'b> {
    area: Rect,
    buffer: &'b mut Buffer,
    colours: bool,
}

impl Screen<'_> {
    /// Writes a text up to the right edge at most, and says where it ends.
    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        self.put_within(x, y, self.area.width.saturating_sub(x), text, style)
    }

    /// Writes a text into so many cells at most, and says where it ends.
    fn put_within(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let width = width.min(self.area.width - x);
        let text = cut(text, usize::from(width));
        let (end, _) = self.buffer.set_stringn(self.area.x + x, self.area.y + y, text, usize::from(width), style);
        end - self.area.x
    }

    /// Writes a text so that it ends at the right edge, and says where it begins.
    fn put_right(&mut self, y: u16, text: &str, style: Style) -> u16 {
        let x = self.area.width.saturating_sub(u16::try_from(width_of(text)).unwrap_or(u16::MAX));
        self.put(x, y, text, style);
        x
    }

    /// Writes sign and word of a verdict, and says where the next column begins.
    fn verdict(&mut self, x: u16, y: u16, judgement: &Judgement) -> u16 {
        const WIDTH: u16 = 13;
        let style = self.paint(judgement);
        self.put(x, y, &format!("{} {}", sign_of(judgement), word(judgement.verdict)), style);
        x + WIDTH
    }

    /// The style of a verdict, as everywhere on a terminal.
    fn paint(&self, judgement: &Judgement) -> Style {
        let of = terminal::style(judgement);
        let dimmed = of.get_effects().contains(Effects::DIMMED);
        let style = if dimmed { self.dim() } else { Style::new() };
        let colour = match of.get_fg_color() {
            Some(anstyle::Color::Ansi(AnsiColor::Green)) => Color::Green,
            Some(anstyle::Color::Ansi(AnsiColor::Yellow)) => Color::Yellow,
            Some(anstyle::Color::Ansi(AnsiColor::Red)) => Color::Red,
            Some(anstyle::Color::Ansi(AnsiColor::Blue)) => Color::Blue,
            _ => return style,
        };
        if self.colours { style.fg(colour) } else { style }
    }

    /// What is less than the rest.
    const fn dim(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What went wrong.
    fn alarm(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colours { style.fg(Color::Red) } else { style }
    }
}
