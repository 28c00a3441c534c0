//! What an import did, or would do, for people.

use super::desk::{Counted, Desk};
use crate::{
    app::{Failure, Workplace, doctor::several},
    render::terminal::{self, fact, printable},
};
use milepost_judge::questions;
use milepost_record::{Dimension, Kind, Origin, Question, Subject, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// How many groups are named.
const GROUPS_NAMED: usize = 12;
/// How many columns are named.
const COLUMNS_NAMED: usize = 20;
/// How many criteria are named.
const CRITERIA_NAMED: usize = 5;
/// How much of a name is shown.
const NAME_CHARS: usize = 40;

/// What is to be said beside the counts.
#[derive(Default)]
pub(super) struct Beside {
    /// Columns that are not recognised.
    pub(super) left_out: BTreeSet<String>,
    pub(super) notes: Vec<String>,
}

/// The whole of it.
pub(super) fn told(what: &str, desk: &Desk<'_>, beside: &Beside, workplace: &Workplace) -> Result<String, Failure> {
    let width = terminal::width();
    let counted = &desk.counted;
    let mut text = format!("{}\n", printable(what));
    let mut say = |label: &str, value: &str| fact(&mut text, width, label, &printable(value));
    let recorded = if desk.is_dry_run() { "Would record" } else { "Recorded" };
    say(recorded, &several(counted.recorded, "event", "events"));
    if counted.there > 0 {
        say("There already", &format!("{}, as first imported", several(counted.there, "event", "events")));
    }
    match (desk.aside.refused(), desk.is_dry_run()) {
        (0, _) => {}
        (refused, true) => say("Would refuse", &several(refused, "row", "rows")),
        (_, false) => say("Refused", &desk.aside.summary()),
    }
    for (index, line) in groups(counted).iter().enumerate() {
        say(if index == 0 { "Of these" } else { "" }, line);
    }
    let span = counted.spans.values().copied().reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    if let Some((first, last)) = span {
        say("From, to", &format!("{:.0} to {:.0}", first.to_jiff(), last.to_jiff()));
    }
    if !beside.left_out.is_empty() {
        let mut names: Vec<String> = beside.left_out.iter().take(COLUMNS_NAMED).map(|name| short(name)).collect();
        names.extend((beside.left_out.len() > COLUMNS_NAMED).then(|| format!("and {} more", beside.left_out.len() - COLUMNS_NAMED)));
        say("Left out", &format!("columns without a recognised name: {}", names.join(", ")));
    }
    if counted.texts > 0 {
        say("Texts", &format!("{} left out, since `texts` under [privacy] does not allow them", counted.texts));
    }
    for note in &beside.notes {
        say("Note", note);
    }
    for line in readers(desk, workplace) {
        say("Criteria", &line);
    }
    if desk.is_dry_run() {
        for event in &counted.first {
            let line = event.to_json().map_err(|invalid| Failure::internal(invalid.to_string()))?;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", printable(&line));
        }
    }
    Ok(text)
}

fn short(name: &str) -> String {
    if name.chars().nth(NAME_CHARS).is_none() { name.to_owned() } else { name.chars().take(NAME_CHARS).chain(['…']).collect() }
}

/// One line for each kind and operation, the most frequent first, with how they ended.
fn groups(counted: &Counted) -> Vec<String> {
    let mut of: BTreeMap<(Kind, &str), (u64, Vec<String>)> = BTreeMap::new();
    for ((kind, name, outcome), n) in &counted.groups {
        let (total, outcomes) = of.entry((*kind, name)).or_default();
        *total += n;
        if !outcome.is_empty() {
            outcomes.push(format!("{n} {outcome}"));
        }
    }
    let mut groups: Vec<_> = of.into_iter().collect();
    groups.sort_by_key(|(_, (total, _))| std::cmp::Reverse(*total));
    let line = |((kind, name), (total, outcomes)): &((Kind, &str), (u64, Vec<String>))| {
        let of = several(*total, kind.name(), kind.table());
        let name = if name.is_empty() { String::new() } else { format!(" {}", short(name)) };
        if outcomes.is_empty() { format!("{of}{name}") } else { format!("{of}{name}: {}", outcomes.join(", ")) }
    };
    let mut lines: Vec<_> = groups.iter().take(GROUPS_NAMED).map(line).collect();
    lines.extend((groups.len() > GROUPS_NAMED).then(|| format!("and {} more", groups.len() - GROUPS_NAMED)));
    lines
}

/// For each kind and origin that came in, which criteria read it and which do not.
fn readers(desk: &Desk<'_>, workplace: &Workplace) -> Vec<String> {
    let criteria = &workplace.config.criteria;
    let asked = questions(criteria, desk.store().past(), Timestamp::now());
    let mut lines = Vec::new();
    for ((kind, origin), (_, last)) in &desk.counted.spans {
        let (mut reading, mut other, mut past, mut all) = (Vec::new(), 0, 0, 0);
        for (criterion, goals) in criteria.criteria.iter().zip(&asked) {
            let is_about = |question: &&Question| match &question.subject {
                Subject::Measurement { name } => *kind == Kind::Measurement && measured(&desk.counted, name),
                subject => subject.kind() == *kind,
            };
            let of_kind: Vec<_> = goals.iter().filter(is_about).collect();
            let reads = |origins: &BTreeSet<String>| origins.contains(origin.name());
            all += usize::from(!of_kind.is_empty());
            match () {
                () if of_kind.is_empty() => {}
                () if !of_kind.iter().any(|question| question.filter.get(&Dimension::Origin).is_none_or(reads)) => other += 1,
                () if of_kind.iter().all(|question| *last < question.span.from) => past += 1,
                () => reading.push(short(&criterion.name)),
            }
        }
        if all == 0 {
            continue;
        }
        let mut line = match reading.len() {
            0 => format!("of {}, none reads this", on(all, *kind)),
            n => format!("of {}, {n} may read this: {}", on(all, *kind), named(&reading)),
        };
        if past > 0 {
            let _ = write!(line, "; for {past} it is before what counts");
        }
        if other > 0 {
            let (read, origin) = (if other == 1 { "reads" } else { "read" }, origin.name());
            let _ = write!(
                line,
                "; {other} {read} no events of origin {origin}: `where = {{ origin = \"{origin}\" }}` makes a criterion read them"
            );
            if origin == Origin::Import.name() {
                line.push_str(", and `--origin use` makes them people's own history");
            }
        }
        lines.push(line);
    }
    lines
}

/// Whether a measurement of this name came in.
fn measured(counted: &Counted, name: &str) -> bool {
    counted.groups.contains_key(&(Kind::Measurement, name.to_owned(), ""))
}

fn on(criteria: usize, kind: Kind) -> String {
    format!("{} on {}", several(criteria as u64, "criterion", "criteria"), kind.table())
}

fn named(criteria: &[String]) -> String {
    let mut names: Vec<_> = criteria.iter().take(CRITERIA_NAMED).cloned().collect();
    names.extend((criteria.len() > CRITERIA_NAMED).then(|| format!("and {} more", criteria.len() - CRITERIA_NAMED)));
    names.join(", ")
}
