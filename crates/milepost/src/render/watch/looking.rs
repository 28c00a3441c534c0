//! What somebody looks at in the live scorecard, and what each key makes of that.

use crate::render::words::{NAME_CHARS_MAX, plain};
use milepost_judge::{Scorecard, Tier, scorecard::CriterionResult};

/// A longer filter fits on no screen.
const FILTER_CHARS_MAX: usize = 60;

/// A key, as far as one means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// ↑
    Up,
    /// ↓
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// What a key asks of whoever runs the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To show it.
    Show,
    /// To judge anew.
    Read,
    /// To end.
    Quit,
}

/// Which part of the scorecard is looked at. It knows the place of a criterion in the scorecard, and no scorecard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looking {
    /// The place of the criterion that is marked.
    pub(super) selected: usize,
    /// The first row of the list that is seen.
    pub(super) top: usize,
    /// How many rows are seen.
    pub(super) page: usize,
    /// Only criteria whose name has this in it.
    pub(super) filter: String,
    /// Whether the filter is being typed.
    pub(super) typing: bool,
    /// Only criteria of this tier.
    pub(super) tier: Option<Tier>,
    /// The first line that is seen of the criterion that is marked, where that is open.
    pub(super) open: Option<usize>,
    /// Whether the keys are shown.
    pub(super) keys: bool,
}

impl Looking {
    /// Takes a key.
    pub fn press(&mut self, key: Key, scorecard: Option<&Scorecard>) -> Wish {
        if self.typing {
            self.type_in(key);
            return Wish::Show;
        }
        if self.keys {
            self.keys = false;
            // Any key puts the help away; what it shows as a way to end, ends.
            return if key == Key::Char('q') { Wish::Quit } else { Wish::Show };
        }
        match (key, self.open) {
            (Key::Char('q') | Key::Escape | Key::Backspace, Some(_)) => self.open = None,
            (Key::Char('q'), None) => return Wish::Quit,
            (Key::Escape | Key::Backspace, None) => self.filter.clear(),
            (Key::Char('r'), _) => return Wish::Read,
            (Key::Char('?'), _) => self.keys = true,
            (Key::Char('/'), None) => self.typing = true,
            (Key::Char('t'), None) => self.next_tier(),
            (Key::Enter, None) => self.open = self.marked(scorecard).map(|_| 0),
            (key, Some(top)) => self.open = Some(moved(key, top, self.page, usize::MAX)),
            (key, None) => {
                let shown = scorecard.map(|scorecard| self.shown(scorecard)).unwrap_or_default();
                let at = shown.iter().position(|index| *index == self.selected).unwrap_or(0);
                let to = moved(key, at, self.page, shown.len().saturating_sub(1));
                self.selected = shown.get(to).copied().unwrap_or(0);
                // The heading above the first one is to be seen too.
                if to == 0 {
                    self.top = 0;
                }
            }
        }
        Wish::Show
    }

    fn type_in(&mut self, key: Key) {
        match key {
            Key::Char(c) if !c.is_control() && self.filter.chars().count() < FILTER_CHARS_MAX => self.filter.push(c),
            Key::Backspace if self.filter.pop().is_some() => {}
            Key::Enter => self.typing = false,
            Key::Escape | Key::Backspace => {
                self.filter.clear();
                self.typing = false;
            }
            _ => {}
        }
    }

    fn next_tier(&mut self) {
        let mut tiers = Tier::ALL.iter().copied();
        self.tier = match self.tier {
            None => tiers.next(),
            Some(tier) => tiers.skip_while(|other| *other != tier).nth(1),
        };
    }

    /// The places of the criteria that are listed, in the order of the list: by tier.
    pub(super) fn shown(&self, scorecard: &Scorecard) -> Vec<usize> {
        let wanted = self.filter.to_lowercase();
        let fits = |criterion: &CriterionResult| plain(&criterion.name, NAME_CHARS_MAX).to_lowercase().contains(&wanted);
        let tiers = Tier::ALL.iter().copied().map(Some).chain([None]);
        tiers
            .filter(|tier| self.tier.is_none() || *tier == self.tier)
            .flat_map(|tier| scorecard.criteria.iter().enumerate().filter(move |(_, criterion)| criterion.tier == tier))
            .filter(|(_, criterion)| fits(criterion))
            .map(|(index, _)| index)
            .collect()
    }

    /// The criterion that is marked, if it is listed.
    pub(super) fn marked<'a>(&self, scorecard: Option<&'a Scorecard>) -> Option<&'a CriterionResult> {
        let scorecard = scorecard?;
        scorecard.criteria.get(self.selected).filter(|_| self.shown(scorecard).contains(&self.selected))
    }

    /// Stays with the criterion of the same name where another scorecard takes the place of one.
    pub fn follow(&mut self, before: Option<&Scorecard>, now: &Scorecard) {
        let name = before.and_then(|scorecard| scorecard.criteria.get(self.selected)).map(|criterion| &criterion.name);
        let same_place = now.criteria.get(self.selected).map(|criterion| &criterion.name) == name;
        let place = now.criteria.iter().position(|criterion| Some(&criterion.name) == name);
        match place {
            _ if same_place => {}
            Some(place) => self.selected = place,
            None => (self.selected, self.open) = (0, None),
        }
    }
}

/// Where a key leads from `at`, in steps of one and of a page, at most to `last`.
fn moved(key: Key, at: usize, page: usize, last: usize) -> usize {
    let page = page.saturating_sub(1).max(1);
    let to = match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at.saturating_add(1),
        Key::PageUp => at.saturating_sub(page),
        Key::PageDown | Key::Char(' ') => at.saturating_add(page),
        Key::Home | Key::Char('g') => 0,
        Key::End | Key::Char('G') => last,
        _ => at,
    };
    to.min(last)
}
