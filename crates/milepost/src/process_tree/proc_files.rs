//! The files of `/proc` that tell which processes there are, what they are called and what they use.
//!
//! A process is opened once as a folder, and its files are read through that: what is read is of this process, also where
//! it ends meanwhile and another gets its id. All reads are bounded.

use super::{Id, Names, PROCESSES_MAX, Reading, Row, Table, Unreadable};
use procfs::{
    ProcError,
    process::{Process, Stat, all_processes},
};
use std::{
    collections::BTreeMap,
    io::{self, Read},
};

/// A thread of the kernel, which has no memory of its own.
const PF_KTHREAD: u32 = 0x0020_0000;
/// Forked, and still the same program as its parent.
const PF_FORKNOEXEC: u32 = 0x0000_0040;
/// `ESRCH` on every architecture: what files of a process say that has ended since they were opened.
const NO_SUCH_PROCESS: i32 = 3;
/// Less than this in common with another process does not matter.
const DIVIDED_BYTES_MIN: u64 = 64 * 1024;
/// More of a process's arguments is not read.
const ARGUMENTS_BYTES_MAX: u64 = 4096;
/// More of a process's other files is not read; they have about 1 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// More threads of a process are not looked at.
const THREADS_MAX: usize = 1000;

/// The processes of the system, at most [`PROCESSES_MAX`] and then also `sure`, if it runs.
pub(super) fn table(sure: Option<u32>) -> Result<Table, Unreadable> {
    let mut rows = BTreeMap::new();
    let mut whole = true;
    for (n, process) in all_processes().map_err(refused)?.enumerate() {
        if n == PROCESSES_MAX {
            whole = false;
            break;
        }
        match process.and_then(|process| process.stat()) {
            Ok(stat) => keep(&mut rows, stat),
            // It ended, or it is another user's and this system hides those.
            Err(ProcError::NotFound(_) | ProcError::PermissionDenied(_)) => {}
            Err(error @ ProcError::Io(..)) => return Err(refused(error)),
            // Not written as procfs knows it.
            Err(_) => whole = false,
        }
    }
    if let Some(stat) = sure.filter(|_| !whole).and_then(|pid| open(pid).ok()?.stat().ok()) {
        keep(&mut rows, stat);
    }
    Ok(Table { rows, whole })
}

fn keep(rows: &mut BTreeMap<u32, Row>, stat: Stat) {
    if stat.flags & PF_KTHREAD == 0 {
        let row = row_of(stat);
        rows.insert(row.id.pid, row);
    }
}

/// Milepost's own id, as `/proc` counts them.
pub(super) fn own_pid() -> Result<u32, Unreadable> {
    Process::myself().map(|process| process.pid.unsigned_abs()).map_err(refused)
}

/// Whether a process has ended. One that cannot be read now may still run.
pub(super) fn has_ended(id: Id) -> bool {
    match open(id.pid).and_then(|process| process.stat()) {
        Ok(stat) => stat.starttime != id.start || has_died(&stat),
        Err(error) => matches!(error, ProcError::NotFound(_)),
    }
}

/// What a process is called. What cannot be read of it is left out: programs of other users, for one.
pub(super) fn names(row: &Row) -> Names {
    let Some(process) = open(row.id.pid).ok().filter(|process| process.stat().is_ok_and(|stat| stat.starttime == row.id.start)) else {
        return Names::new(&row.comm, &[], None);
    };
    let arguments = contents(&process, "cmdline", ARGUMENTS_BYTES_MAX).unwrap_or_default();
    let arguments = String::from_utf8_lossy(&arguments);
    let arguments: Vec<_> = arguments.trim_end_matches('\0').split('\0').collect();
    let program = process.exe().ok();
    let program = program.as_ref().map(|path| path.to_string_lossy());
    Names::new(&row.comm, &arguments, program.as_deref())
}

/// The memory of a process.
pub(super) fn read(row: &Row) -> Reading {
    if row.ended {
        return Reading::Ended;
    }
    let process = match open(row.id.pid) {
        Ok(process) => process,
        Err(ProcError::NotFound(_)) => return Reading::Ended,
        Err(_) => return Reading::Memory { pss: None, rss: None, divided: false },
    };
    let rollup = match contents(&process, "smaps_rollup", FILE_BYTES_MAX) {
        // The first thread may have ended, and the memory with it, while others go on with it.
        Err(error) if is_gone(&error) => {
            living_thread(&process).map_or(Err(error), |thread| contents(&process, &format!("task/{thread}/smaps_rollup"), FILE_BYTES_MAX))
        }
        read => read,
    };
    let amount = |key| rollup.as_ref().ok().and_then(|rollup| kilobytes(rollup, key));
    let pss = amount("Pss:");
    let rss = amount("Rss:").or_else(|| process.statm().ok().map(|statm| statm.resident.saturating_mul(procfs::page_size())));
    // Pages that the kernel merged (KSM) are those of others by chance.
    let anonymous = amount("Anonymous:").map(|bytes| bytes.saturating_sub(amount("KSM:").unwrap_or(0)));
    let divided = anonymous.zip(amount("Pss_Anon:")).is_some_and(|(all, share)| all > share.saturating_add(DIVIDED_BYTES_MIN));
    // Only now: what was read is of this process if it is still the same one, and worth nothing if it has ended.
    match process.stat() {
        Ok(stat) if stat.starttime != row.id.start => Reading::Ended,
        Ok(stat) if pss.is_none() && has_died(&stat) => Reading::Ended,
        Err(ProcError::NotFound(_)) => Reading::Ended,
        // Its memory is gone already. (Kernels before 4.14 have no rollup, but their processes have pages.)
        Ok(_) if rollup.is_err_and(|error| is_gone(&error)) && rss == Some(0) => Reading::Ended,
        Ok(_) | Err(_) => Reading::Memory { pss, rss, divided },
    }
}

/// Whether a process still runs in its parent's memory: `vfork` and `posix_spawn` lend it out until the child becomes
/// another program, and both would count it in full.
///
/// The kernel does not tell who shares memory. But the thread that lends waits uninterruptibly, and the sizes of the two
/// are the same.
pub(super) fn borrows_memory(child: &Row, parent: &Row) -> bool {
    if !child.forked {
        return false;
    }
    let (Ok(child), Ok(parent)) = (open(child.id.pid), open(parent.id.pid)) else { return false };
    let waits = parent
        .tasks()
        .is_ok_and(|mut tasks| tasks.by_ref().take(THREADS_MAX).flatten().any(|thread| thread.stat().is_ok_and(|stat| stat.state == 'D')));
    if !waits {
        return false;
    }
    let sizes = |process| contents(process, "statm", FILE_BYTES_MAX).ok();
    let (before, of_child, after) = (sizes(&parent), sizes(&child), sizes(&parent));
    // Where the parent's changed meanwhile, nothing is certain.
    before != after || of_child == after
}

/// Whether a process has a child that the table lacks, where this system hides the processes of other users.
pub(super) fn has_hidden_child(row: &Row, table: &Table) -> bool {
    // The first process is another user's, or ours: then we see all.
    if table.rows.contains_key(&1) {
        return false;
    }
    let Ok(process) = open(row.id.pid) else { return false };
    let Ok(mut tasks) = process.tasks() else { return false };
    tasks.by_ref().take(THREADS_MAX).flatten().any(|thread| {
        let children = || {
            let list = contents(&process, &format!("task/{}/children", thread.tid), FILE_BYTES_MAX).unwrap_or_default();
            let list = String::from_utf8_lossy(&list);
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        };
        let unknown = |pid: &u32| !table.rows.contains_key(pid) && open(*pid).and_then(|child| child.stat()).is_err();
        // One that has just ended is not in the list a second time.
        children().iter().any(unknown) && children().iter().any(unknown)
    })
}

/// The length of so many clock ticks.
pub(super) fn microseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000) / procfs::ticks_per_second().max(1)
}

fn open(pid: u32) -> Result<Process, ProcError> {
    Process::new(i32::try_from(pid).map_err(|_| ProcError::NotFound(None))?)
}

fn row_of(stat: Stat) -> Row {
    Row {
        id: Id { pid: stat.pid.unsigned_abs(), start: stat.starttime },
        parent: stat.ppid.unsigned_abs(),
        ended: has_died(&stat),
        forked: stat.flags & PF_FORKNOEXEC != 0,
        own: stat.utime.saturating_add(stat.stime),
        waited: u64::try_from(stat.cutime.saturating_add(stat.cstime)).unwrap_or(0),
        comm: stat.comm,
    }
}

fn has_died(stat: &Stat) -> bool {
    // Where only the first thread has ended, the process lives on.
    matches!(stat.state, 'Z' | 'X' | 'x') && stat.num_threads <= 1
}

/// A thread of the process that has not ended, other than the first.
fn living_thread(process: &Process) -> Option<i32> {
    let mut tasks = process.tasks().ok()?;
    let mut others = tasks.by_ref().take(THREADS_MAX).flatten().filter(|thread| thread.tid != process.pid);
    others.find(|thread| thread.stat().is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X' | 'x'))).map(|thread| thread.tid)
}

fn contents(process: &Process, path: &str, bytes_max: u64) -> Result<Vec<u8>, io::Error> {
    let file = process.open_relative(path).map_err(|error| match error {
        ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        ProcError::Io(error, _) => error,
        other => io::Error::other(other),
    })?;
    let mut contents = Vec::new();
    file.take(bytes_max).read_to_end(&mut contents)?;
    Ok(contents)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

/// The bytes that a line such as `Pss:   282 kB` tells.
fn kilobytes(rollup: &[u8], key: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(rollup);
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

fn refused(error: ProcError) -> Unreadable {
    match error {
        ProcError::NotFound(_) => Unreadable::NoProc,
        ProcError::PermissionDenied(path) => {
            let path = path.map_or_else(|| "/proc".to_owned(), |path| path.display().to_string());
            Unreadable::Refused { path, source: io::ErrorKind::PermissionDenied.into() }
        }
        ProcError::Io(source, path) => {
            let path = path.map_or_else(|| "/proc".to_owned(), |path| path.display().to_string());
            Unreadable::Refused { path, source }
        }
        other => Unreadable::Refused { path: "/proc".to_owned(), source: io::Error::other(other) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_from_a_rollup() {
        let rollup =
            b"55e8f5a00000-7ffd5e5f2000 ---p 00000000 00:00 0    [rollup]\nRss:      1784 kB\nPss:       282 kB\nPss_Anon:  112 kB\n";
        assert_eq!(kilobytes(rollup, "Pss:"), Some(282 * 1024));
        assert_eq!(kilobytes(rollup, "Pss_Anon:"), Some(112 * 1024));
        assert_eq!(kilobytes(rollup, "SwapPss:"), None);
        assert_eq!(kilobytes(b"Pss: many kB", "Pss:"), None);
        assert_eq!(kilobytes(b"Pss: 18446744073709551615 kB", "Pss:"), None);
        assert_eq!(kilobytes(b"\xff\xfe", "Pss:"), None);
    }

    #[test]
    fn this_process_is_read() {
        let own = own_pid().expect("an id");
        assert_eq!(own, std::process::id());
        let table = table(None).expect("a table");
        let row = &table.rows[&own];
        assert!(!row.ended);
        assert!(!has_ended(row.id));
        assert!(has_ended(Id { start: row.id.start + 1, ..row.id }), "another process that has its id");
        assert!(matches!(read(row), Reading::Memory { rss: Some(1..), .. }));
        assert_eq!(read(&Row { id: Id { start: row.id.start + 1, ..row.id }, ..row.clone() }), Reading::Ended);
    }
}
