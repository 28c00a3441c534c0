//! How the memory of one reading divides among the processes of the tree.

use milepost_record::{MemoryTree, ProcessMemory, Timestamp};

/// The most processes that are shown; one more entry stands for the others.
const PARTS_MAX: usize = 16;
const MEGABYTE: f64 = 1e6;

/// The memory of one reading, by process. MB are 1,000,000 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// When it was read.
    pub at: Timestamp,
    /// All of it.
    pub mb: f64,
    /// What it counts.
    pub measure: String,
    /// The processes, each before those that it started, of these the largest first; `None` where the reading does not tell.
    pub parts: Option<Vec<Part>>,
}

/// A process of the tree, with all that it started.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name; `None` of all those that are not told apart.
    pub name: Option<String>,
    /// Its process id.
    pub pid: Option<u64>,
    /// Name of the process that it is shown below.
    pub parent: Option<String>,
    /// How many processes it is below.
    pub depth: usize,
    /// Its own memory.
    pub own_mb: f64,
    /// With all that it started.
    pub mb: f64,
    /// Where it begins and what it takes of the whole, from 0 to 1: those that it started lie within.
    pub from: f64,
    /// Its share of the whole.
    pub share: f64,
}

impl Division {
    pub(super) fn of(reading: &MemoryTree) -> Self {
        Self {
            at: reading.at,
            mb: reading.bytes as f64 / MEGABYTE,
            measure: reading.measure.to_string(),
            parts: reading.tree.as_ref().filter(|tree| !tree.is_empty()).map(|tree| parts(tree, reading.bytes)),
        }
    }
}

/// Entries come from outside: ids may be given twice, and parents may lead in a circle.
fn parts(tree: &[ProcessMemory], bytes: u64) -> Vec<Part> {
    let entries = ProcessMemory::largest(tree.to_vec(), PARTS_MAX + 1);
    let place_of = |pid: u64| entries.iter().position(|of| of.pid == Some(pid));
    let is_root = |place: usize, of: &ProcessMemory| of.pid.is_some() && of.parent.and_then(place_of).is_none_or(|parent| parent == place);
    let roots: Vec<usize> = entries.iter().enumerate().filter(|(place, of)| is_root(*place, of)).map(|(place, _)| place).collect();
    let parent_of = |(place, of): (usize, &ProcessMemory)| match (of.pid, roots.as_slice()) {
        // Who has no entry of his own is of the tree nevertheless.
        (None, [root]) => Some(*root),
        (None, _) => None,
        (Some(_), _) => of.parent.and_then(place_of).filter(|parent| *parent != place),
    };
    let parents: Vec<Option<usize>> = entries.iter().enumerate().map(parent_of).collect();
    let all = entries.iter().fold(0_u64, |sum, of| sum.saturating_add(of.bytes)).max(bytes).max(1);
    let mut laying = Laying { entries: &entries, parents: &parents, all: all as f64, seen: vec![false; entries.len()], parts: Vec::new() };
    let mut from = 0.0;
    let tops = laying.largest_first(None);
    // What is left after those is in a circle, and begins anywhere.
    for top in tops.into_iter().chain(0..entries.len()) {
        from += laying.lay(top, None, 0, from);
    }
    laying.parts
}

struct Laying<'a> {
    entries: &'a [ProcessMemory],
    parents: &'a [Option<usize>],
    /// All bytes.
    all: f64,
    seen: Vec<bool>,
    parts: Vec<Part>,
}

impl Laying<'_> {
    fn below(&self, parent: Option<usize>) -> Vec<usize> {
        (0..self.entries.len()).filter(|place| !self.seen[*place] && self.parents[*place] == parent).collect()
    }

    fn largest_first(&self, parent: Option<usize>) -> Vec<usize> {
        let mut below = self.below(parent);
        below.sort_by_key(|place| (self.entries[*place].pid.is_none(), std::cmp::Reverse(self.bytes(*place, self.entries.len()))));
        below
    }

    /// Of a process with all that it started, in so many steps at most.
    fn bytes(&self, place: usize, steps: usize) -> u64 {
        let below = if steps > 0 { self.below(Some(place)) } else { Vec::new() };
        below.into_iter().fold(self.entries[place].bytes, |sum, place| sum.saturating_add(self.bytes(place, steps - 1)))
    }

    /// Returns the share that it took.
    fn lay(&mut self, place: usize, parent: Option<&str>, depth: usize, from: f64) -> f64 {
        if std::mem::replace(&mut self.seen[place], true) {
            return 0.0;
        }
        let of = &self.entries[place];
        let name = of.pid.is_some().then(|| of.name.clone());
        let here = self.parts.len();
        let own = of.bytes as f64;
        self.parts.push(Part {
            name: name.clone(),
            pid: of.pid,
            parent: parent.map(str::to_owned),
            depth,
            own_mb: own / MEGABYTE,
            mb: 0.0,
            from,
            share: 0.0,
        });
        let mut below = 0.0;
        for child in self.largest_first(Some(place)) {
            below += self.lay(child, name.as_deref(), depth + 1, from + below);
        }
        let share = below + own / self.all;
        let part = &mut self.parts[here];
        (part.share, part.mb) = (share, share * self.all / MEGABYTE);
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milepost_record::Measure;

    fn process(pid: u64, parent: Option<u64>, mb: u64) -> ProcessMemory {
        ProcessMemory { name: format!("p{pid}"), bytes: mb * 1_000_000, pid: Some(pid), parent }
    }

    fn divided(mb: u64, tree: Option<Vec<ProcessMemory>>) -> Division {
        let at = "2026-11-01T00:00:00Z".parse().expect("a time");
        Division::of(&MemoryTree { run: "r".to_owned(), at, bytes: mb * 1_000_000, measure: Measure::Pss, processes: None, tree })
    }

    fn told(of: &Division) -> Vec<(&str, usize, f64, f64, f64)> {
        let round = |share: f64| (share * 1000.0).round() / 1000.0;
        let parts = of.parts.iter().flatten();
        parts.map(|part| (part.name.as_deref().unwrap_or("-"), part.depth, part.own_mb, round(part.from), round(part.share))).collect()
    }

    #[test]
    fn those_that_a_process_started_lie_within_it_the_largest_first() {
        let tree = vec![process(1, None, 20), process(2, Some(1), 10), process(3, Some(1), 50), process(4, Some(3), 20)];
        let of = divided(100, Some(tree));
        assert_eq!(told(&of), [("p1", 0, 20.0, 0.0, 1.0), ("p3", 1, 50.0, 0.0, 0.7), ("p4", 2, 20.0, 0.0, 0.2), ("p2", 1, 10.0, 0.7, 0.1)]);
        let parents: Vec<_> = of.parts.iter().flatten().map(|part| part.parent.as_deref()).collect();
        assert_eq!(parents, [None, Some("p1"), Some("p3"), Some("p1")]);
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!((divided(100, None).parts, divided(100, Some(Vec::new())).parts), (None, None));
        // A part of the whole stays free.
        assert_eq!(told(&divided(100, Some(vec![process(1, None, 40)]))), [("p1", 0, 40.0, 0.0, 0.4)]);
    }

    #[test]
    fn many_processes_are_few_parts_and_no_byte_is_lost() {
        let tree = (1..=60).map(|pid| process(pid, (pid > 1).then_some(1), pid)).collect();
        let of = divided(1830, Some(tree));
        assert_eq!(told(&of).len(), 17);
        assert!(told(&of).iter().any(|(name, depth, ..)| *name == "-" && *depth == 1));
        assert!((of.parts.iter().flatten().map(|part| part.own_mb).sum::<f64>() - 1830.0).abs() < 1e-6);
    }

    #[test]
    fn circles_and_ids_that_are_given_twice_lose_nothing() {
        let tree = vec![process(1, Some(2), 10), process(2, Some(1), 20), process(3, Some(3), 30), process(3, Some(1), 40)];
        let of = divided(5, Some(tree));
        assert_eq!(told(&of).len(), 4);
        assert!(of.parts.iter().flatten().all(|part| part.from + part.share <= 1.0 + 1e-9), "{of:?}");
        assert!((of.parts.iter().flatten().map(|part| part.own_mb).sum::<f64>() - 100.0).abs() < 1e-6);
    }
}
