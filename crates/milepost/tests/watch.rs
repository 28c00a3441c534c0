//! `milepost status --watch`: what is drawn of a scorecard, held to golden files in `watch/`; what each key does; and, in `terminal`,
//! the program in a real terminal.
//!
//! `UPDATE_GOLDEN=1 cargo test --workspace --test watch` writes what is there now; read the difference before you commit it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "watch/terminal.rs"]
mod terminal;

use jiff::civil::date;
use milepost::render::watch::{Key, Looking, View, Wish, draw, settle};
use milepost_judge::{
    Scorecard, Tier, Verdict, conjunction,
    scorecard::{
        CriterionResult, GroupResult, Judgement, Leaning, PartResult, SCHEMA_VERSION, Severity, Since, Target, TierResult, TrendPoint,
    },
};
use milepost_record::Timestamp;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    layout::Size,
    style::{Color, Modifier},
    text::Span,
};
use std::{fs, path::Path};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 50);

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn no_data() -> Judgement {
    Judgement {
        metric: Some("latency.p95".to_owned()),
        target: Some(Target { below: Some(500.0), at_most: None, above: None, at_least: None, unit: "ms".to_owned() }),
        unit: "ms".to_owned(),
        advice: Some("nothing has come in yet; feed it".to_owned()),
        command: Some("milepost run --operation NAME -- COMMAND".to_owned()),
        ..Judgement::nothing()
    }
}

/// A latency with events on some days.
fn observed(verdict: Verdict, estimate: f64) -> Judgement {
    let day = |day, value| TrendPoint { date: date(2026, 11, day), value, n: 20 };
    Judgement {
        verdict,
        estimate: Some(estimate),
        interval: [Some(estimate * 0.9), Some(estimate * 1.2)],
        n: 812,
        successes: Some(799),
        failures: Some(13),
        newest_event: Some(at("2026-11-24T18:00:00Z")),
        advice: None,
        command: None,
        trend: vec![day(16, Some(estimate)), day(17, None), day(19, Some(300.0)), day(20, Some(310.0))],
        ..no_data()
    }
}

fn missed(severity: Severity) -> Judgement {
    Judgement { severity: Some(severity), ..observed(Verdict::Missed, 700.0) }
}

fn not_proven() -> Judgement {
    Judgement {
        leaning: Some(Leaning::Inside),
        at_least_more: Some(41),
        projected_more: Some(120),
        advice: Some("at least 41 more; about 120 at the current rate".to_owned()),
        interval: [Some(280.0), None],
        ..observed(Verdict::NotProven, 312.4)
    }
}

fn criterion(name: &str, tier: Option<Tier>, judgement: Judgement) -> CriterionResult {
    CriterionResult {
        name: name.to_owned(),
        tier,
        card: None,
        judgement,
        baseline: Some("2s to 5s".to_owned()),
        method: Some("milepost run".to_owned()),
        definition: "the time within which 95% of operations succeed".to_owned(),
        since: Since { from: at("2026-10-01T00:00:00Z"), why: "quarter".to_owned() },
        excluded: Vec::new(),
        was: None,
        misses: None,
        groups: Vec::new(),
        parts: Vec::new(),
    }
}

fn group(name: &str, judged: bool, judgement: Judgement) -> GroupResult {
    GroupResult { group: [("operation".to_owned(), Some(name.to_owned()))].into(), judged, holds_alone: None, judgement }
}

fn scorecard(project: &str, criteria: Vec<CriterionResult>) -> Scorecard {
    let of_tier = |tier| {
        let verdicts: Vec<_> = criteria.iter().filter(|c| c.tier == Some(tier)).map(|c| c.judgement.verdict).collect();
        let met = verdicts.iter().filter(|verdict| **verdict == Verdict::Met).count();
        (tier, TierResult { met, of: verdicts.len(), verdict: conjunction(verdicts) })
    };
    let tiers: std::collections::BTreeMap<_, _> = Tier::ALL.iter().copied().map(of_tier).collect();
    Scorecard {
        schema_version: SCHEMA_VERSION,
        project: project.to_owned(),
        generated_at: at("2026-11-24T21:13:00Z"),
        verdict: tiers.get(&Tier::Must).map_or(Verdict::NoData, |tier| tier.verdict),
        tiers,
        criteria,
    }
}

/// Every verdict, both severities, parts, groups, and a quantile that failures decide.
fn mixed() -> Scorecard {
    let endless = Judgement { estimate: None, interval: [None, None], ..missed(Severity::Red) };
    let stale = Judgement { advice: Some("the newest event is 12 days old".to_owned()), ..observed(Verdict::Stale, 100.0) };
    let mut grouped = criterion("Each operation is fast", Some(Tier::Should), missed(Severity::Red));
    grouped.groups = vec![
        group("install", true, observed(Verdict::Met, 120.0)),
        group("search", true, missed(Severity::Red)),
        group("rollback", false, not_proven()),
    ];
    let part = |metric: &str, judgement| PartResult {
        judgement: Judgement { metric: Some(metric.to_owned()), ..judgement },
        definition: "the largest reading".to_owned(),
        groups: Vec::new(),
    };
    let mut parts = criterion("Memory", Some(Tier::Nice), Judgement { metric: None, target: None, ..no_data() });
    parts.parts = vec![part("memory.peak", observed(Verdict::Met, 200.0)), part("memory.slope", no_data())];
    scorecard(
        "nix-for-humanity",
        vec![
            criterion("Met", Some(Tier::Must), observed(Verdict::Met, 312.4)),
            criterion("Missed by a little", Some(Tier::Must), missed(Severity::Amber)),
            criterion("Missed by far", Some(Tier::Must), missed(Severity::Red)),
            criterion("Not proven yet, and with a name that is longer than its column", Some(Tier::Must), not_proven()),
            criterion("So many fail", Some(Tier::Should), endless),
            grouped,
            parts,
            criterion("Old", Some(Tier::Nice), stale),
            criterion("Watched", None, no_data()),
        ],
    )
}

/// Names of strangers who mean no good, and of some who do.
fn hostile() -> Scorecard {
    let names = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nclear the screen",
        "\u{202e}txet eht nrut\u{2066}\u{200f}",
        &"x".repeat(10_000),
        &"漢字".repeat(500),
        "👨‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇩🇪 ❤️",
        &format!("z{}algo", "\u{301}\u{317}".repeat(500)),
        "zero\u{200b}\u{200d}\u{feff}width\u{ad}",
        "\u{9b}31m8-bit\u{9c}\u{85}\u{2028}\u{2029}",
        "",
    ];
    let mut criteria: Vec<_> = names.iter().map(|name| criterion(name, Some(Tier::Must), not_proven())).collect();
    for (criterion, name) in criteria.iter_mut().zip(names) {
        let hostile = || Some(name.to_owned());
        criterion.judgement.advice = hostile();
        criterion.judgement.command = hostile();
        criterion.judgement.unit = "\u{1b}[31mms".to_owned();
        (criterion.baseline, criterion.method, criterion.definition) = (hostile(), hostile(), name.to_owned());
        criterion.groups = names.iter().map(|name| group(name, true, missed(Severity::Red))).collect();
    }
    scorecard(&names.concat(), criteria)
}

fn many() -> Scorecard {
    let mut many = criterion("Each of 500", Some(Tier::Must), missed(Severity::Red));
    let failing = |n: u64| Judgement { failures: Some(n % 7), ..missed(Severity::Red) };
    many.groups = (0..500).map(|n| group(&format!("operation {n:03}"), true, failing(n))).collect();
    scorecard("many", vec![many])
}

/// Somebody in front of a screen.
struct Seat<'a> {
    view: View<'a>,
    looking: Looking,
    size: (u16, u16),
}

impl<'a> Seat<'a> {
    fn before(scorecard: &'a Scorecard, size: (u16, u16)) -> Self {
        let now = at("2026-11-24T21:15:00Z");
        let view = View { scorecard: Some(scorecard), now, judging: false, trouble: None, colours: true };
        let mut seat = Self { view, looking: Looking::default(), size };
        seat.settle();
        seat
    }

    fn settle(&mut self) {
        settle(&mut self.looking, &self.view, Size::new(self.size.0, self.size.1));
    }

    fn press(&mut self, keys: &[Key]) -> Wish {
        let mut wish = Wish::Show;
        for key in keys {
            wish = self.looking.press(*key, self.view.scorecard);
            self.settle();
        }
        wish
    }

    fn type_in(&mut self, text: &str) {
        self.press(&text.chars().map(Key::Char).collect::<Vec<_>>());
    }

    fn buffer(&self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).expect("a terminal");
        terminal.draw(|frame| draw(&self.looking, &self.view, frame.area(), frame.buffer_mut())).expect("drawn");
        terminal.backend().buffer().clone()
    }

    fn screen(&self) -> String {
        let buffer = self.buffer();
        let line = |y| {
            let (mut line, mut x) = (String::new(), 0);
            while x < self.size.0 {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                // The cells behind a wide character are hidden by it.
                x += u16::try_from(Span::raw(symbol).width()).expect("a character").max(1);
            }
            line.trim_end().to_owned() + "\n"
        };
        (0..self.size.1).map(line).collect()
    }
}

/// Compares with the file of this name, or writes it where that is wanted.
fn is_golden(name: &str, seat: &Seat<'_>) {
    let is = seat.screen();
    assert!(!is.contains(|c: char| c.is_control() && c != '\n'), "{name} steers the terminal");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watch").join(format!("{name}-{}x{}.txt", seat.size.0, seat.size.1));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &is).expect("written");
    }
    let golden = fs::read_to_string(&path).expect("a golden file");
    assert!(golden == is, "{} is another now; see the head of this file\n{is}", path.display());
}

#[test]
fn the_list_is_as_it_was() {
    let (mixed, nothing, hostile) = (mixed(), scorecard("nothing", Vec::new()), hostile());
    for size in [SMALL, LARGE] {
        is_golden("mixed", &Seat::before(&mixed, size));
        is_golden("nothing", &Seat::before(&nothing, size));
        is_golden("hostile", &Seat::before(&hostile, size));
    }
    is_golden("mixed", &Seat::before(&mixed, (40, 10)));
    is_golden("mixed", &Seat::before(&mixed, (39, 9)));
    let mut broken = Seat::before(&mixed, SMALL);
    broken.view.trouble = Some("milepost.toml:7:1: unknown key `blow`");
    broken.settle();
    is_golden("trouble", &broken);
    let mut keys = Seat::before(&mixed, SMALL);
    keys.type_in("?");
    is_golden("keys", &keys);
}

#[test]
fn an_open_criterion_is_as_it_was() {
    let (mixed, hostile, many) = (mixed(), hostile(), many());
    for size in [SMALL, LARGE] {
        let mut grouped = Seat::before(&mixed, size);
        grouped.type_in("/each");
        grouped.press(&[Key::Enter, Key::Enter]);
        is_golden("groups", &grouped);
        let mut parts = Seat::before(&mixed, size);
        parts.type_in("/memory");
        parts.press(&[Key::Enter, Key::Enter]);
        is_golden("parts", &parts);
        let mut stranger = Seat::before(&hostile, size);
        stranger.press(&[Key::Enter]);
        is_golden("stranger", &stranger);
        let mut end = Seat::before(&many, size);
        end.press(&[Key::Enter, Key::End, Key::PageUp]);
        is_golden("many", &end);
    }
}

#[test]
fn the_groups_with_most_failures_are_listed_first() {
    let many = many();
    let mut seat = Seat::before(&many, LARGE);
    seat.press(&[Key::Enter]);
    let screen = seat.screen();
    let place = |name: &str| screen.find(name);
    assert!(place("operation 006") < place("operation 013") && place("operation 006").is_some(), "{screen}");
    assert_eq!(place("operation 000"), None, "{screen}");
}

#[test]
fn keys_move_filter_open_and_end() {
    let mixed = mixed();
    let mut seat = Seat::before(&mixed, SMALL);
    let marked = |seat: &Seat<'_>| {
        let line = seat.screen().lines().find(|line| line.starts_with('▸')).map(|line| line.chars().skip(15).take(25).collect::<String>());
        line.map(|line| line.trim_end().to_owned()).unwrap_or_default()
    };
    assert_eq!(marked(&seat), "Met");
    for (keys, expected) in [
        (&[Key::Down][..], "Missed by a little"),
        (&[Key::Char('j')], "Missed by far"),
        (&[Key::Up, Key::Char('k'), Key::Up], "Met"),
        (&[Key::PageDown], "Watched"),
        (&[Key::Down], "Watched"),
        (&[Key::PageUp], "Met"),
        (&[Key::End], "Watched"),
        (&[Key::Home], "Met"),
        (&[Key::Char('t'), Key::Char('t')], "So many fail"),
        (&[Key::Char('t')], "Memory"),
        (&[Key::Char('t')], "Memory"),
    ] {
        assert_eq!((seat.press(keys), marked(&seat).as_str()), (Wish::Show, expected), "{keys:?}");
    }
    seat.type_in("/QuERY");
    assert!(seat.screen().contains("No criterion has “QuERY” in its name."), "{}", seat.screen());
    // Nothing is marked, so there is nothing to open.
    seat.press(&[Key::Enter, Key::Enter]);
    assert!(seat.screen().contains("No criterion has"), "{}", seat.screen());
    seat.press(&[Key::Escape]);
    seat.type_in("/q");
    assert_eq!(seat.press(&[Key::Backspace, Key::Backspace]), Wish::Show);
    for back in [Key::Escape, Key::Backspace, Key::Char('q')] {
        seat.press(&[Key::Home, Key::Enter]);
        assert!(seat.screen().contains("a must criterion, lines 1 to"), "{}", seat.screen());
        assert_eq!(seat.press(&[back]), Wish::Show);
        assert_eq!(marked(&seat), "Met");
    }
    assert_eq!(seat.press(&[Key::Char('r')]), Wish::Read);
    assert_eq!(seat.press(&[Key::Char('?'), Key::Char('r')]), Wish::Show);
    assert_eq!(seat.press(&[Key::Char('q')]), Wish::Quit);
}

#[test]
fn the_mark_stays_with_its_criterion() {
    let (before, mut after) = (mixed(), mixed());
    after.criteria.remove(0);
    let mut seat = Seat::before(&before, SMALL);
    seat.press(&[Key::Down, Key::Enter]);
    seat.looking.follow(Some(&before), &after);
    seat.view.scorecard = Some(&after);
    seat.settle();
    assert!(seat.screen().contains("\nMissed by a little"), "{}", seat.screen());
    let looking = seat.looking;
    let mut rest = after.clone();
    rest.criteria.remove(0);
    let mut gone = Seat { looking, ..Seat::before(&rest, SMALL) };
    gone.looking.follow(Some(&after), &rest);
    gone.settle();
    assert!(gone.screen().contains("▸ ✗ missed     Missed by far"), "{}", gone.screen());
}

#[test]
fn only_what_is_met_is_green_and_without_colours_nothing_is_lost() {
    let mixed = mixed();
    for open in [false, true] {
        let mut seat = Seat::before(&mixed, LARGE);
        seat.type_in("/each");
        seat.press(&[Key::Enter]);
        if open {
            seat.press(&[Key::Enter]);
        } else {
            seat.press(&[Key::Escape]);
        }
        let (with, screen) = (seat.buffer(), seat.screen());
        let lines: Vec<_> = screen.lines().collect();
        let mut green = 0;
        for y in 0..LARGE.1 {
            if (0..LARGE.0).any(|x| with[(x, y)].fg == Color::Green) {
                green += 1;
                assert!(lines[usize::from(y)].contains("✓ met"), "{}", lines[usize::from(y)]);
            }
        }
        assert!(green > 0);
        assert!(with.content().iter().all(|cell| cell.bg == Color::Reset), "a background of somebody's choice");
        seat.view.colours = false;
        assert_eq!(seat.screen(), screen);
        assert!(seat.buffer().content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let marked = |buffer: &Buffer| buffer.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED));
        assert_eq!(marked(&seat.buffer()), !open);
    }
}

#[test]
fn every_size_and_every_key_can_be_drawn() {
    let keys = [
        Key::Down,
        Key::Enter,
        Key::PageDown,
        Key::End,
        Key::Up,
        Key::Escape,
        Key::Char('t'),
        Key::Char('/'),
        Key::Char('漢'),
        Key::Enter,
        Key::Escape,
        Key::Char('?'),
        Key::Home,
        Key::PageUp,
    ];
    for scorecard in [mixed(), hostile(), scorecard("nothing", Vec::new())] {
        let mut seat = Seat::before(&scorecard, SMALL);
        let mut turn = 0;
        for width in (0..210).step_by(7) {
            for height in [0, 1, 2, 5, 9, 10, 11, 15, 16, 20, 29, 30, 60] {
                seat.size = (width, height);
                seat.view.trouble = (turn % 3 == 0).then_some("the disk is full\u{1b}[2J");
                seat.press(&[keys[turn % keys.len()]]);
                turn += 1;
                assert!(!seat.screen().contains(|c: char| c.is_control() && c != '\n'));
            }
        }
    }
}
