//! What `/proc` tells about processes. Where it is missing, the answer is as if there were no other process.

use std::fs;
use std::io::Read;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Deeper than any real process tree; a walk upwards ends even if the tree changes under it.
const DEPTH_MAX: usize = 1_000;

/// The living descendants of a process, parents first.
pub(super) fn below(root: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<Process> = entries.flatten().filter_map(|entry| Process::read(&entry.path())).collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        next += 1;
    }
    family.retain(|pid| all.iter().any(|process| process.pid == *pid && process.alive) && *pid != root);
    family
}

/// Whether a process is another one or descends from it.
pub(super) fn descends(pid: Pid, ancestor: Pid) -> bool {
    let parent = |pid: &Pid| Process::read(Path::new(&format!("/proc/{pid}"))).map(|process| process.parent);
    std::iter::successors(Some(pid), parent).take(DEPTH_MAX).any(|pid| pid == ancestor)
}

/// Whether this process ignores a signal. Asking the system directly takes `unsafe`.
pub(super) struct Ignored(u64);

impl Ignored {
    pub(super) fn read() -> Self {
        let mask = own_status("SigIgn:").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        Self(mask.unwrap_or(0))
    }

    pub(super) fn contains(&self, signal: Signal) -> bool {
        self.0 & (1 << (signal as i32 - 1)) != 0
    }
}

/// Largest resident set of this process since it was executed.
pub(super) fn own_peak_bytes() -> Option<u64> {
    let peak = own_status("VmHWM:")?;
    Some(peak.strip_suffix("kB")?.trim_end().parse::<u64>().ok()? * 1024)
}

fn own_status(field: &str) -> Option<String> {
    let status = read("/proc/self/status".as_ref())?;
    str::from_utf8(&status).ok()?.lines().find_map(|line| line.strip_prefix(field)).map(|value| value.trim().to_owned())
}

/// Reads at once what fits a page, as these files do. `fs::read` takes eight calls, since they claim to be empty.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut content = vec![0; 4096];
    let length = fs::File::open(path).ok()?.read(&mut content).ok()?;
    content.truncate(length);
    Some(content)
}

struct Process {
    pid: Pid,
    parent: Pid,
    alive: bool,
}

impl Process {
    /// Reads `/proc/PID/stat`; None for what is no process, or no longer.
    fn read(folder: &Path) -> Option<Self> {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let stat = read(&folder.join("stat"))?;
        // `PID (NAME) STATE PARENT …`, and the name may contain anything, brackets too.
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let mut fields = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_whitespace();
        let alive = !matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        Some(Self { pid: Pid::from_raw(pid), parent: Pid::from_raw(parent), alive })
    }
}
