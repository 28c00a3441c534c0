//! The memory and CPU time of a running product: of its process and of all processes that this one started.
//!
//! [`find_root`] turns what a person typed into the process at the root of the tree; [`ProcessTree::sample`] then adds up
//! the tree, once for each call. What a system's processes are is read by `proc_files`; all else here is plain functions on
//! the `Table` that it returns.
//!
//! Milepost's own process is never part of what it measures, not even where the product started it.

mod names;
#[cfg(target_os = "linux")]
mod proc_files;

use milepost_record::{Measure, ProcessMemory, limits};
use names::{Names, seems_to_work_for};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::{io, thread, time::Duration};

/// More processes than this are not walked; a sample is incomplete where there are more.
pub const PROCESSES_MAX: usize = 10_000;
/// So many names of processes that were not measured are told with a sample.
pub const NOT_MEASURED_MAX: usize = 16;

/// Which process to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The process that goes by this name.
    Name(String),
    /// The process with this id.
    Pid(u32),
}

/// The process at the root of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its name: the one that was asked for, else that of its script or program.
    pub name: String,
    id: Id,
}

impl Root {
    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.id.pid
    }
}

/// One reading of a process tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Memory of all processes that were read.
    pub bytes: u64,
    /// What `bytes` counts: PSS, or RSS of all processes where the PSS of one could not be read.
    pub measure: Measure,
    /// How many processes were read.
    pub processes: u64,
    /// Whether that is every process of the tree. If not, `bytes` is no value.
    pub complete: bool,
    /// CPU time that the tree used since the sample before; `None` for the first. Never more than was used; less where a
    /// process ended and nobody of the tree waited for it.
    pub cpu_us: Option<u64>,
    /// Names of processes outside the tree that seem to work for the product, such as its daemon.
    pub not_measured: Vec<String>,
    /// How `bytes` divides among the processes, at most [`limits::TREE_PROCESSES_MAX`]; `None` where the sample is incomplete.
    pub tree: Option<Vec<ProcessMemory>>,
}

/// Why there is no process to measure.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No process goes by the name.
    #[error("no process named `{name}` runs; start it first, or give --pid")]
    NotFound {
        /// The name.
        name: String,
    },
    /// No process goes by the name among those that were looked at.
    #[error("no process named `{name}` is among the first {PROCESSES_MAX} of this system; give --pid")]
    NotAmongTheFirst {
        /// The name.
        name: String,
    },
    /// No process has the id.
    #[error("no process has the id {pid}; start the product first, or give its name with --process")]
    NoSuchPid {
        /// The id.
        pid: u32,
    },
    /// Several trees go by the name. The oldest might be a forgotten one, and their sum is no product's memory, so the
    /// person has to say which.
    #[error("several processes are named `{name}`, and none started the others: {}; give --pid with the one to measure", listed(.pids))]
    Several {
        /// The name.
        name: String,
        /// The roots of the trees, in order of their ids.
        pids: Vec<u32>,
    },
    /// Only Milepost itself or who started it goes by the name.
    #[error("the only process named `{name}` is the one that started Milepost ({}); give --pid to measure it nevertheless", listed(.pids))]
    OurAncestor {
        /// The name.
        name: String,
        /// Ids of those that started Milepost, in order of their ids.
        pids: Vec<u32>,
    },
    /// The id is Milepost's own.
    #[error("process {pid} is Milepost itself, which measures others only")]
    Ourselves {
        /// The id.
        pid: u32,
    },
    /// The system's processes cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Why the system's processes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not Linux, or `/proc` is not mounted.
    #[error("memory of a process tree is read from /proc, which this system does not have")]
    NoProc,
    /// `/proc` is there and refuses.
    #[error("cannot read {path}: {source}")]
    Refused {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Finds the process to measure.
///
/// A name is that of a process (`comm`, which the kernel cuts after 15 bytes), of its program, or of the script that it
/// interprets; `.NAME-wrapped`, as Nix wraps programs, counts as NAME. Milepost itself, its own processes and those that
/// started it are never found by name: `sh -c "milepost collect memory --process sh"` does not mean its own shell. Among
/// several of the same name the one that started the others is meant.
///
/// # Errors
/// Where there is no such process, or several of which none started the others.
pub fn find_root(target: &Target) -> Result<Root, FindError> {
    let sure = match target {
        Target::Pid(pid) => Some(*pid),
        Target::Name(_) => None,
    };
    find_in(&proc_files::table(sure)?, target, proc_files::own_pid()?, proc_files::names)
}

/// A process tree that is measured again and again.
#[derive(Debug)]
pub struct ProcessTree {
    root: Root,
    own: u32,
    /// All processes as they were at the sample before, for the CPU time since.
    before: Option<Table>,
    /// Names by process, each with the `comm` under which it was read: a process that becomes another program changes it.
    names: HashMap<Id, (String, String)>,
    /// Who was part of the tree at some sample.
    seen: BTreeSet<Id>,
}

impl ProcessTree {
    /// So often a tree that changes while it is read is read, before the last reading is taken as it is.
    const TRIES: usize = 5;
    /// Between starting a process and its becoming another program lie some hundred microseconds.
    const PAUSE: Duration = Duration::from_millis(2);

    /// The tree below this root.
    ///
    /// # Errors
    /// Where the system's processes cannot be read.
    pub fn new(root: Root) -> Result<Self, Unreadable> {
        Ok(Self { root, own: proc_files::own_pid()?, before: None, names: HashMap::new(), seen: BTreeSet::new() })
    }

    /// The process at its root.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Whether the root still runs: one small read, cheaper than a sample.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !proc_files::has_ended(self.root.id)
    }

    /// Measures the tree; `None` where its root has ended.
    ///
    /// # Errors
    /// Where the system's processes cannot be read at all. One process that cannot be read makes the sample incomplete.
    pub fn sample(&mut self) -> Result<Option<Sample>, Unreadable> {
        let mut table = proc_files::table(Some(self.root.id.pid))?;
        let mut tries = 1;
        let (table, members, readings, undecided) = loop {
            let Some(members) = members(&table, self.root.id, self.own) else { return Ok(None) };
            let readings: Vec<_> = members.iter().filter(|row| !row.ended).map(|row| proc_files::read(row)).collect();
            let borrows = members.iter().any(|row| {
                let parent = table.rows.get(&row.parent).filter(|_| row.id != self.root.id);
                parent.is_some_and(|parent| proc_files::borrows_memory(row, parent))
            });
            let again = proc_files::table(Some(self.root.id.pid))?;
            let Some(members_again) = self::members(&again, self.root.id, self.own) else { return Ok(None) };
            let undecided = borrows || forked(&members) != forked(&members_again);
            // Somebody has pages in common with the tree, though the tree has nobody that could: a short-lived fork.
            let divided =
                forked(&members).is_empty() && readings.iter().any(|reading| matches!(reading, Reading::Memory { divided: true, .. }));
            let steady = !undecided && !divided && !readings.contains(&Reading::Ended) && ids(&members) == ids(&members_again);
            if steady || tries == Self::TRIES {
                let members: Vec<_> = members.into_iter().cloned().collect();
                break (table, members, readings, undecided);
            }
            if undecided || divided {
                thread::sleep(Self::PAUSE);
            }
            tries += 1;
            table = again;
        };
        let Sum { bytes, measure, processes, complete } = sum(&readings);
        // The root is about to end: its memory is gone already.
        if complete && processes == 0 {
            return Ok(None);
        }
        let hidden = members.iter().any(|row| proc_files::has_hidden_child(row, &table));
        let cpu_us = self.before.as_ref().map(|before| proc_files::microseconds(ticks_between(before, &table, &members)));
        let not_measured = self.not_measured(&table, &members);
        self.before = Some(table);
        let complete = complete && !hidden && !undecided && self.before.as_ref().is_some_and(|table| table.whole);
        let tree = complete.then(|| divided(&members, &readings, measure, |row| self.names.get(&row.id).map(|(_, name)| name.as_str())));
        Ok(Some(Sample { bytes, measure, processes, complete, cpu_us, not_measured, tree }))
    }

    fn not_measured(&mut self, table: &Table, members: &[Row]) -> Vec<String> {
        self.names.retain(|id, _| table.holds(*id));
        self.seen.retain(|id| table.holds(*id));
        for row in table.rows.values().filter(|row| !row.ended) {
            if self.names.get(&row.id).is_none_or(|(comm, _)| *comm != row.comm) {
                self.names.insert(row.id, (row.comm.clone(), proc_files::names(row).best()));
            }
        }
        let inside: BTreeSet<_> = members.iter().map(|row| row.id).collect();
        let ours = descendants(table, self.own, None);
        let of_members: BTreeSet<_> = inside.iter().filter_map(|id| self.names.get(id)).map(|(_, name)| name.as_str()).collect();
        let outside = table.rows.values().filter(|row| !row.ended && !inside.contains(&row.id) && !ours.contains(&row.id.pid));
        let found: BTreeSet<_> = outside
            .filter_map(|row| {
                let (_, name) = self.names.get(&row.id)?;
                // Who left the tree, because its parent ended, may still work for the product.
                (self.seen.contains(&row.id) || seems_to_work_for(&self.root.name, &of_members, name)).then(|| name.clone())
            })
            .collect();
        self.seen.extend(inside);
        found.into_iter().take(NOT_MEASURED_MAX).collect()
    }
}

/// A process and no other: ids are used again, together with the time of the start they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    pid: u32,
    /// Clock ticks since the system started.
    start: u64,
}

/// What the table says of one process.
#[derive(Clone, Debug)]
struct Row {
    id: Id,
    parent: u32,
    /// The kernel's name for it, at most 15 bytes.
    comm: String,
    /// It has ended, and its parent has not asked for it yet: it has no memory.
    ended: bool,
    /// It was forked and has not become another program.
    forked: bool,
    /// CPU time of its own, in clock ticks.
    own: u64,
    /// CPU time of its children that ended and that it waited for, in clock ticks.
    waited: u64,
}

/// The processes of the system, but for the kernel's own.
#[derive(Debug)]
struct Table {
    rows: BTreeMap<u32, Row>,
    /// Whether these are all that can be seen.
    whole: bool,
}

impl Table {
    fn get(&self, id: Id) -> Option<&Row> {
        self.rows.get(&id.pid).filter(|row| row.id == id)
    }

    fn holds(&self, id: Id) -> bool {
        self.get(id).is_some()
    }
}

/// What reading the memory of one process gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Memory {
        /// In bytes, if it could be read.
        pss: Option<u64>,
        /// In bytes, if it could be read.
        rss: Option<u64>,
        /// Whether another process has pages that it wrote or copied: one of the two was forked from the other.
        divided: bool,
    },
    /// It ended, so it has no memory.
    Ended,
}

#[derive(Debug, PartialEq, Eq)]
struct Sum {
    bytes: u64,
    measure: Measure,
    processes: u64,
    complete: bool,
}

fn sum(readings: &[Reading]) -> Sum {
    let memories = || {
        readings.iter().filter_map(|reading| match reading {
            Reading::Memory { pss, rss, .. } => Some((*pss, *rss)),
            Reading::Ended => None,
        })
    };
    // PSS of some and RSS of others would add up to neither.
    let all_pss = memories().all(|(pss, rss)| pss.is_some() || rss.is_none());
    let read = memories().filter_map(|(pss, rss)| if all_pss { pss } else { rss });
    let (mut bytes, mut processes) = (0_u64, 0);
    for amount in read {
        bytes = bytes.saturating_add(amount);
        processes += 1;
    }
    let measure = if all_pss && processes > 0 { Measure::Pss } else { Measure::Rss };
    Sum { bytes, measure, processes, complete: usize::try_from(processes).ok() == Some(memories().count()) }
}

/// What each process took, by the measure of the sum; `readings` are those of the members that have not ended.
fn divided<'a>(members: &[Row], readings: &[Reading], of: Measure, name: impl Fn(&Row) -> Option<&'a str>) -> Vec<ProcessMemory> {
    let read = members.iter().filter(|row| !row.ended).zip(readings).filter_map(|(row, reading)| match reading {
        Reading::Memory { pss, rss, .. } => Some((row, if of == Measure::Pss { *pss } else { *rss }?)),
        Reading::Ended => None,
    });
    let read: Vec<_> = read.collect();
    let parents: HashMap<u32, u32> = members.iter().map(|row| (row.id.pid, row.parent)).collect();
    let is_read: BTreeSet<u32> = read.iter().map(|(row, _)| row.id.pid).collect();
    // Between the two may be some that ended and were not asked for yet.
    let parent = |row: &Row| {
        let mut above = std::iter::successors(Some(row.parent), |pid| parents.get(pid).copied()).take(members.len());
        above.find(|pid| is_read.contains(pid)).map(u64::from)
    };
    let entry = |(row, bytes): (&Row, u64)| {
        let name = name(row).filter(|name| !name.is_empty()).unwrap_or(&row.comm);
        let name = &name[..name.floor_char_boundary(limits::PROCESS_NAME_BYTES_MAX)];
        // A process can take its name away.
        let name = if name.is_empty() { "(no name)" } else { name };
        ProcessMemory { name: name.to_owned(), bytes, pid: Some(row.id.pid.into()), parent: parent(row) }
    };
    ProcessMemory::largest(read.into_iter().map(entry).collect(), limits::TREE_PROCESSES_MAX)
}

/// The root and all below it, without `own` and what is below that; `None` where the root has ended.
fn members(table: &Table, root: Id, own: u32) -> Option<Vec<&Row>> {
    table.get(root).filter(|row| !row.ended)?;
    Some(descendants(table, root.pid, Some(own)).into_iter().filter_map(|pid| table.rows.get(&pid)).collect())
}

fn ids(members: &[&Row]) -> Vec<Id> {
    members.iter().filter(|row| !row.ended).map(|row| row.id).collect()
}

/// Those that have pages in common with their parents. One that appears, ends or becomes another program between two reads
/// divides the same pages once among more and once among fewer, so that neither sum is right.
fn forked(members: &[&Row]) -> Vec<Id> {
    members.iter().filter(|row| row.forked && !row.ended).map(|row| row.id).collect()
}

/// A process and all that descend from it, without `but` and what descends from that.
fn descendants(table: &Table, top: u32, but: Option<u32>) -> BTreeSet<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in table.rows.values() {
        children.entry(row.parent).or_default().push(row.id.pid);
    }
    let mut found = BTreeSet::new();
    let mut next = vec![top];
    while let Some(pid) = next.pop() {
        // Each process is taken once, so that a table that was read while ids were used again cannot lead in a circle.
        if Some(pid) != but && found.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// Its parent, the parent of that one, and so on.
fn ancestors(table: &Table, of: u32) -> impl Iterator<Item = &Row> {
    let parent = |row: &&Row| table.rows.get(&row.parent);
    std::iter::successors(table.rows.get(&of).as_ref().and_then(parent), parent).take(table.rows.len())
}

fn find_in(table: &Table, target: &Target, own: u32, names: impl Fn(&Row) -> Names) -> Result<Root, FindError> {
    let name = match target {
        Target::Pid(pid) if *pid == own => return Err(FindError::Ourselves { pid: own }),
        Target::Pid(pid) => {
            let row = table.rows.get(pid).filter(|row| !row.ended).ok_or(FindError::NoSuchPid { pid: *pid })?;
            return Ok(Root { name: names(row).best(), id: row.id });
        }
        Target::Name(name) => name.clone(),
    };
    let our_ancestors: BTreeSet<_> = ancestors(table, own).map(|row| row.id.pid).collect();
    let ours = descendants(table, own, None);
    let matching: BTreeSet<_> = table
        .rows
        .values()
        .filter(|row| !row.ended && !ours.contains(&row.id.pid) && names(row).are(&name))
        .map(|row| row.id.pid)
        .collect();
    let (before_us, others): (BTreeSet<_>, BTreeSet<_>) = matching.iter().partition(|pid| our_ancestors.contains(pid));
    let roots: Vec<u32> = others.iter().filter(|pid| !ancestors(table, **pid).any(|row| others.contains(&row.id.pid))).copied().collect();
    match roots[..] {
        [] if !before_us.is_empty() => Err(FindError::OurAncestor { name, pids: before_us.into_iter().collect() }),
        [] if !table.whole => Err(FindError::NotAmongTheFirst { name }),
        [] => Err(FindError::NotFound { name }),
        [pid] => match table.rows.get(&pid) {
            Some(row) => Ok(Root { name, id: row.id }),
            None => Err(FindError::NotFound { name }),
        },
        _ => Err(FindError::Several { name, pids: roots }),
    }
}

/// Clock ticks that the tree used between two tables.
///
/// A process that ended moves its time to the `waited` of the parent that waited for it. What of that was counted at the
/// table before, while it ran, is taken off again; where nobody waited, or the child is ignored, this takes off too much
/// from the same parent's other children, never from anything else.
fn ticks_between(before: &Table, now: &Table, members: &[Row]) -> u64 {
    let mut waited: HashMap<u32, u64> = HashMap::new();
    let mut own = 0_u64;
    for row in members {
        let (own_before, waited_before) = before.get(row.id).map_or((0, 0), |row| (row.own, row.waited));
        own = own.saturating_add(row.own.saturating_sub(own_before));
        waited.insert(row.id.pid, row.waited.saturating_sub(waited_before));
    }
    for gone in before.rows.values().filter(|row| !now.holds(row.id)) {
        let heir = ancestors(before, gone.id.pid).find(|row| now.holds(row.id));
        if let Some(ticks) = heir.and_then(|row| waited.get_mut(&row.id.pid)) {
            *ticks = ticks.saturating_sub(gone.own.saturating_add(gone.waited));
        }
    }
    waited.values().fold(own, |sum, ticks| sum.saturating_add(*ticks))
}

/// Ids for a message, not more than a person reads.
fn listed(pids: &[u32]) -> String {
    const SHOWN_MAX: usize = 10;
    let mut text = pids.iter().take(SHOWN_MAX).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if pids.len() > SHOWN_MAX {
        text.push_str(", …");
    }
    text
}

/// Where there is no `/proc`, there is nothing to find, and [`find_root`] says so.
#[cfg(not(target_os = "linux"))]
mod proc_files {
    use super::{Id, Names, Reading, Row, Table, Unreadable};

    pub(super) fn table(_: Option<u32>) -> Result<Table, Unreadable> {
        Err(Unreadable::NoProc)
    }

    pub(super) fn own_pid() -> Result<u32, Unreadable> {
        Err(Unreadable::NoProc)
    }

    pub(super) fn has_ended(_: Id) -> bool {
        true
    }

    pub(super) fn names(_: &Row) -> Names {
        Names::new("", &[], None)
    }

    pub(super) fn read(_: &Row) -> Reading {
        Reading::Memory { pss: None, rss: None, divided: false }
    }

    pub(super) fn borrows_memory(_: &Row, _: &Row) -> bool {
        false
    }

    pub(super) fn has_hidden_child(_: &Row, _: &Table) -> bool {
        false
    }

    pub(super) fn microseconds(_: u64) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 900;

    /// Started by init: a shell that started Milepost.
    const SHELL: &[(u32, u32, &str)] = &[(1, 0, "init"), (800, 1, "shell"), (OWN, 800, "milepost"), (901, OWN, "milepost")];

    fn table(rows: &[(u32, u32, &str)]) -> Table {
        let row = |(pid, parent, comm): &(u32, u32, &str)| Row {
            id: Id { pid: *pid, start: u64::from(*pid) },
            parent: *parent,
            comm: (*comm).to_owned(),
            ended: false,
            forked: false,
            own: 0,
            waited: 0,
        };
        Table { rows: SHELL.iter().chain(rows).map(|fields| (fields.0, row(fields))).collect(), whole: true }
    }

    fn find(table: &Table, target: &Target) -> Result<u32, FindError> {
        find_in(table, target, OWN, |row| Names::new(&row.comm, &[], None)).map(|root| root.pid())
    }

    fn named(table: &Table, name: &str) -> Result<u32, FindError> {
        find(table, &Target::Name(name.to_owned()))
    }

    #[test]
    fn the_process_that_started_the_others_of_its_name_is_the_root() {
        let table = table(&[(10, 1, "nfh"), (11, 10, "sh"), (12, 11, "nfh"), (13, 10, "nfh")]);
        assert_eq!(named(&table, "nfh").expect("one tree"), 10);
        assert_eq!(named(&table, "sh").expect("one tree"), 11);
    }

    #[test]
    fn several_trees_are_named_and_none_is_taken() {
        let table = table(&[(10, 1, "nfh"), (11, 10, "nfh"), (20, 1, "nfh")]);
        let error = named(&table, "nfh").expect_err("two trees").to_string();
        assert_eq!(error, "several processes are named `nfh`, and none started the others: 10, 20; give --pid with the one to measure");
        let many: Vec<_> = (10..30).map(|pid| (pid, 1, "nfh")).collect();
        let error = named(&self::table(&many), "nfh").expect_err("many trees").to_string();
        assert!(error.contains("18, 19, …;"), "{error}");
    }

    #[test]
    fn milepost_and_who_started_it_are_never_found_by_name() {
        let table = table(&[(10, 1, "shell"), (11, 10, "nfh")]);
        assert!(matches!(named(&table, "milepost"), Err(FindError::NotFound { .. })));
        assert_eq!(named(&table, "shell").expect("the other shell"), 10);
        let error = named(&self::table(&[]), "shell").expect_err("only the one that started Milepost").to_string();
        assert_eq!(error, "the only process named `shell` is the one that started Milepost (800); give --pid to measure it nevertheless");
    }

    #[test]
    fn an_id_is_taken_as_given_but_for_our_own() {
        let mut table = table(&[(10, 1, "nfh"), (11, 10, "nfh")]);
        assert_eq!(find(&table, &Target::Pid(11)).expect("a process"), 11);
        assert_eq!(find(&table, &Target::Pid(800)).expect("who started Milepost"), 800);
        assert!(matches!(find(&table, &Target::Pid(OWN)), Err(FindError::Ourselves { pid: OWN })));
        assert!(matches!(find(&table, &Target::Pid(12)), Err(FindError::NoSuchPid { pid: 12 })));
        table.rows.get_mut(&11).expect("a row").ended = true;
        assert!(matches!(find(&table, &Target::Pid(11)), Err(FindError::NoSuchPid { pid: 11 })));
    }

    #[test]
    fn a_name_that_nobody_has_is_no_process() {
        let mut table = table(&[]);
        assert_eq!(named(&table, "nfh").expect_err("nobody").to_string(), "no process named `nfh` runs; start it first, or give --pid");
        table.whole = false;
        assert!(matches!(named(&table, "nfh"), Err(FindError::NotAmongTheFirst { .. })));
    }

    fn pids_below(table: &Table, pid: u32) -> Option<Vec<u32>> {
        members(table, Id { pid, start: u64::from(pid) }, OWN).map(|rows| rows.iter().map(|row| row.id.pid).collect())
    }

    #[test]
    fn the_tree_is_the_root_and_all_below_it_without_milepost() {
        let mut table = table(&[(10, 1, "nfh"), (11, 10, "sh"), (5, 11, "nix"), (20, 1, "other")]);
        assert_eq!(pids_below(&table, 10), Some(vec![5, 10, 11]));
        assert_eq!(pids_below(&table, 800), Some(vec![800]), "Milepost and what it started are not the product");
        assert_eq!(members(&table, Id { pid: 10, start: 11 }, OWN).map(|_| ()), None, "another process that has its id");
        table.rows.get_mut(&10).expect("a row").ended = true;
        assert_eq!(pids_below(&table, 10), None);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let table = table(&[(10, 12, "a"), (11, 10, "b"), (12, 11, "c")]);
        assert_eq!(pids_below(&table, 10), Some(vec![10, 11, 12]));
        assert!(ancestors(&table, 10).count() <= table.rows.len());
    }

    const fn memory(pss: Option<u64>, rss: Option<u64>) -> Reading {
        Reading::Memory { pss, rss, divided: false }
    }

    #[test]
    fn measures_are_not_mixed_within_a_sample() {
        let both = [memory(Some(10), Some(30)), memory(Some(5), Some(25))];
        assert_eq!(sum(&both), Sum { bytes: 15, measure: Measure::Pss, processes: 2, complete: true });
        let one_without = [memory(Some(10), Some(30)), memory(None, Some(25))];
        assert_eq!(sum(&one_without), Sum { bytes: 55, measure: Measure::Rss, processes: 2, complete: true });
    }

    #[test]
    fn a_process_that_cannot_be_read_makes_the_sample_incomplete_and_one_that_ended_does_not() {
        let ended = [memory(Some(10), Some(30)), Reading::Ended];
        assert_eq!(sum(&ended), Sum { bytes: 10, measure: Measure::Pss, processes: 1, complete: true });
        let unreadable = [memory(Some(10), Some(30)), memory(None, None)];
        assert_eq!(sum(&unreadable), Sum { bytes: 10, measure: Measure::Pss, processes: 1, complete: false });
        assert!(!sum(&[memory(None, None)]).complete);
        assert_eq!(sum(&[memory(Some(u64::MAX), None), memory(Some(1), None)]).bytes, u64::MAX);
    }

    /// Ticks between two tables whose processes are given as (pid, parent, own, waited).
    fn ticks(before: &[(u32, u32, u64, u64)], now: &[(u32, u32, u64, u64)], tree: &[u32]) -> u64 {
        let with_times = |rows: &[(u32, u32, u64, u64)]| {
            let mut table = table(&rows.iter().map(|(pid, parent, ..)| (*pid, *parent, "x")).collect::<Vec<_>>());
            for (pid, _, own, waited) in rows {
                let row = table.rows.get_mut(pid).expect("a row");
                (row.own, row.waited) = (*own, *waited);
            }
            table
        };
        let (before, now) = (with_times(before), with_times(now));
        let members: Vec<_> = tree.iter().map(|pid| now.rows[pid].clone()).collect();
        ticks_between(&before, &now, &members)
    }

    #[test]
    fn cpu_time_is_that_since_the_table_before() {
        assert_eq!(ticks(&[(10, 1, 100, 50), (11, 10, 7, 0)], &[(10, 1, 103, 50), (11, 10, 9, 0)], &[10, 11]), 5);
        assert_eq!(ticks(&[(10, 1, 100, 0)], &[(10, 1, 100, 0), (11, 10, 9, 4)], &[10, 11]), 13, "a new child");
        assert_eq!(ticks(&[(10, 1, 100, 0)], &[(10, 1, 100, 6)], &[10]), 6, "a child that came and went in between");
    }

    #[test]
    fn cpu_time_of_a_child_that_was_waited_for_is_not_counted_twice() {
        // 20 ticks were counted while it ran, 3 more came until it ended.
        assert_eq!(ticks(&[(10, 1, 0, 0), (11, 10, 20, 0)], &[(10, 1, 0, 23)], &[10]), 3);
        // The same with a child of its own, which it waited for.
        let before = [(10, 1, 0, 0), (11, 10, 20, 0), (12, 11, 30, 5)];
        assert_eq!(ticks(&before, &[(10, 1, 0, 0), (11, 10, 20, 36)], &[10, 11]), 1);
        assert_eq!(ticks(&before, &[(10, 1, 0, 58)], &[10]), 3);
        // Nobody waited: its last ticks are lost, and nothing else.
        assert_eq!(ticks(&[(10, 1, 4, 0), (11, 10, 20, 0)], &[(10, 1, 6, 0)], &[10]), 2);
    }

    #[test]
    fn cpu_time_from_before_a_process_joined_the_tree_is_not_counted() {
        assert_eq!(ticks(&[(10, 1, 0, 0), (11, 1, 500, 0)], &[(10, 1, 0, 0), (11, 10, 502, 0)], &[10, 11]), 2);
    }
}
