//! What came of the faults, kind by kind.

use std::{collections::BTreeMap, fmt::Write, sync::Mutex};

/// So many mishaps are told one by one.
const NOTES_MAX: usize = 100;

/// What came of one fault, or of all of a kind.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// How many were injected, where they were meant to be.
    pub faults: u64,
    /// How many different ones there are; none where they are drawn at random.
    pub of: Option<u64>,
    pub acknowledged: u64,
    pub lost: u64,
    pub doubled: u64,
    /// Events that stand there and were never begun.
    pub strange: u64,
    /// Files that are not as they were written.
    pub broken: u64,
    pub named: u64,
    pub repaired: u64,
    pub panics: u64,
    pub hangs: u64,
    /// What did not go as it has to, and is none of the above.
    pub wrong: u64,
    pub notes: Vec<String>,
}

impl Row {
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub fn wrong(&mut self, text: impl Into<String>) {
        self.wrong += 1;
        self.note(text);
    }

    const fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.strange + self.panics + self.hangs + self.wrong == 0
            && self.named == self.broken
            && self.repaired == self.broken
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.faults, other.faults),
            (&mut self.acknowledged, other.acknowledged),
            (&mut self.lost, other.lost),
            (&mut self.doubled, other.doubled),
            (&mut self.strange, other.strange),
            (&mut self.broken, other.broken),
            (&mut self.named, other.named),
            (&mut self.repaired, other.repaired),
            (&mut self.panics, other.panics),
            (&mut self.hangs, other.hangs),
            (&mut self.wrong, other.wrong),
        ] {
            *mine += theirs;
        }
    }
}

#[derive(Default)]
pub struct Tally(Mutex<(BTreeMap<&'static str, Row>, Vec<String>)>);

impl Tally {
    /// Adds what came of one fault, or of one of its kind that can be drawn again and again.
    pub fn add(&self, kind: &'static str, what: &str, row: &Row) {
        let (rows, notes) = &mut *self.0.lock().expect("no panic");
        rows.entry(kind).or_default().add(row);
        if !row.is_clean() && row.notes.is_empty() {
            notes.push(format!("{kind}, {what}: {row:?}"));
        }
        notes.extend(row.notes.iter().map(|note| format!("{kind}, {what}: {note}")));
    }

    pub fn expect(&self, kind: &'static str, of: Option<u64>) {
        self.0.lock().expect("no panic").0.entry(kind).or_default().of = of;
    }

    /// Whoever tried often has to have struck at least once.
    pub fn demand(&self, kind: &'static str) {
        let (rows, notes) = &mut *self.0.lock().expect("no panic");
        let row = rows.entry(kind).or_default();
        if row.faults == 0 {
            row.wrong += 1;
            notes.push(format!("{kind}: none was injected"));
        }
    }

    fn total(&self) -> Row {
        let mut total = Row::default();
        self.0.lock().expect("no panic").0.values().for_each(|row| total.add(row));
        total
    }

    pub fn faults(&self) -> u64 {
        self.total().faults
    }

    pub fn lost(&self) -> u64 {
        self.total().lost
    }

    pub fn doubled(&self) -> u64 {
        self.total().doubled
    }

    pub fn is_clean(&self) -> bool {
        self.total().is_clean()
    }

    pub fn notes(&self) -> Vec<String> {
        let notes = &self.0.lock().expect("no panic").1;
        let mut shown: Vec<_> = notes.iter().take(NOTES_MAX).cloned().collect();
        if notes.len() > NOTES_MAX {
            shown.push(format!("and {} more", notes.len() - NOTES_MAX));
        }
        shown
    }

    pub fn markdown(&self) -> String {
        let mut text = "| fault | injected | of | acknowledged | lost | doubled | strange | broken | named | not named | repaired \
                        | panics | hangs | wrong |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
        let total = self.total();
        let rows = self.0.lock().expect("no panic").0.clone();
        for (kind, row) in rows.iter().map(|(kind, row)| (*kind, row)).chain([("**all**", &total)]) {
            let of = row.of.map_or("any".to_owned(), |of| of.to_string());
            let of = if kind == "**all**" { String::new() } else { of };
            let numbers =
                [row.acknowledged, row.lost, row.doubled, row.strange, row.broken, row.named, row.broken - row.named.min(row.broken)];
            let numbers = numbers.into_iter().chain([row.repaired, row.panics, row.hangs, row.wrong]);
            let numbers = numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(" | ");
            writeln!(text, "| {kind} | {} | {of} | {numbers} |", row.faults).expect("a text");
        }
        text
    }
}
