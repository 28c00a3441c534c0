//! A data folder that faults are injected into, and the processes that work on it.

use crate::tally::Row;
use std::{
    collections::BTreeSet,
    env, fs,
    io::Read,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// What a process may take, on a machine that has much else to do.
const TIME_LIMIT: Duration = Duration::from_secs(60);
const CONFIG: &str =
    "[project]\nname = \"faults\"\n\n[[criterion]]\nname = \"It works\"\nmetric = \"success.rate\"\nabove = \"95%\"\ntier = \"must\"\n";

/// The id of an event, by which everybody knows whose it is.
pub fn id(writer: &str, n: u64) -> String {
    format!("{writer}-{n}")
}

/// A folder with a configuration and a data folder.
pub struct Place {
    folder: tempfile::TempDir,
    /// What was acknowledged.
    pub acknowledged: BTreeSet<String>,
    /// What was begun.
    pub begun: BTreeSet<String>,
}

/// How a process ended.
pub struct Ended {
    /// None where it hung and was killed.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    pub fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }

    /// Counts what no fault may lead to.
    pub fn judge(&self, row: &mut Row) {
        if self.status.is_none() {
            row.hangs += 1;
            row.note("a process hung");
        }
        if panics(&self.stderr) {
            row.panics += 1;
            row.note(format!("a panic: {}", self.stderr));
        }
    }
}

/// Crates of others that panic where they should return an error; the program says why what it was about to do was not done, and goes on.
/// `object_store`: where a file may not grow, the writer of Parquet files closes what it writes to twice. `parquet` and `arrow`: a damaged
/// file of a table. `sysinfo`: where `/proc/meminfo` cannot be read, Delta's writer asks it for limits all the same.
const OF_OTHERS: [(&str, &str); 4] =
    [("object_store-", "/src/buffered.rs"), ("parquet-", "/src/"), ("arrow-", "/src/"), ("sysinfo-", "/src/unix/linux/system.rs")];

fn panics(stderr: &str) -> bool {
    let is_of_others = |line: &str| OF_OTHERS.iter().any(|(of, file)| line.contains(of) && line.contains(file));
    stderr.lines().any(|line| line.contains("panicked at") && !is_of_others(line))
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(root()).expect("a folder");
        fs::write(folder.path().join("milepost.toml"), CONFIG).expect("written");
        Self { folder, acknowledged: BTreeSet::new(), begun: BTreeSet::new() }
    }

    /// A folder like this one, with all that is in it.
    pub fn copy(&self) -> Self {
        let mut other = Self::new();
        copy(&self.data(), &other.data());
        other.acknowledged.clone_from(&self.acknowledged);
        other.begun.clone_from(&self.begun);
        other
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A writer of so many events.
    pub fn writer(&self, writer: &str, begin: u64, count: u64) -> Command {
        let mut command = role(&self.data(), writer);
        command.env("MILEPOST_FAULTS_BEGIN", begin.to_string()).env("MILEPOST_FAULTS_COUNT", count.to_string());
        command
    }

    pub fn compaction(&self) -> Command {
        role(&self.data(), "compact")
    }

    pub fn milepost(&self, args: &[&str]) -> Command {
        milepost(&self.data(), &self.path("milepost.toml"), args)
    }

    /// Runs a writer to its end, and notes what it said.
    pub fn write(&mut self, command: &mut Command, writer: &str, row: &mut Row) -> Ended {
        let ended = run(command);
        ended.judge(row);
        self.hear(writer, &ended.stdout);
        ended
    }

    /// Notes what a writer said.
    pub fn hear(&mut self, writer: &str, said: &str) {
        for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(' ').map(|(word, n)| (word, n.parse())) {
                Some(("begin", Ok(n))) => _ = self.begun.insert(id(writer, n)),
                Some(("done", Ok(n))) => _ = self.acknowledged.insert(id(writer, n)),
                _ => {}
            }
        }
    }

    /// Records so many events, without any fault.
    pub fn record(&mut self, writer: &str, count: u64) {
        let mut command = self.writer(writer, 0, count);
        let ended = self.write(&mut command, writer, &mut Row::default());
        assert!(ended.is_success(), "{}", ended.stderr);
    }

    /// Takes all in, without any fault.
    pub fn compact(&self) {
        let ended = run(&mut self.compaction());
        assert!(ended.is_success(), "{}", ended.stderr);
    }

    /// All files under a folder of the data, sorted.
    pub fn files(&self, under: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let top = self.data().join(under);
        if top.is_file() {
            return vec![top];
        }
        let mut folders = vec![top];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found.sort();
        found
    }
}

fn role(data: &Path, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.env("MILEPOST_FAULTS_ROLE", role).env("MILEPOST_FAULTS_DATA", data);
    command
}

fn milepost(data: &Path, config: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    command.arg("--config").arg(config).args(args).env("MILEPOST_DATA", data);
    command
}

/// The same command under another one, such as `strace`.
pub fn under(outer: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Runs a process within the time limit; one that takes longer is killed with all that it started.
pub fn run(command: &mut Command) -> Ended {
    let child = start(command);
    finish(child, TIME_LIMIT)
}

pub fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.env("RUST_BACKTRACE", "0");
    command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// Waits for a process; one that takes longer is killed with all that it started, and has no status.
pub fn finish(mut child: Child, limit: Duration) -> Ended {
    let (mut stdout, mut stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let hears = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    thread::scope(|scope| {
        let said = scope.spawn(move || hears(&mut stdout));
        let complained = scope.spawn(move || hears(&mut stderr));
        let until = Instant::now() + limit;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match child.try_wait().expect("waited") {
                Some(status) => break Some(status),
                None if Instant::now() >= until => {
                    kill(&mut child);
                    break None;
                }
                None => thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        Ended { status, stdout: said.join().expect("no panic"), stderr: complained.join().expect("no panic") }
    })
}

/// Kills a process and all that it started.
fn kill(child: &mut Child) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    let _ = child.wait();
}

/// The folder of all places. Some of them live as long as the program, which never lets go of them: so the folder is removed at the
/// end as a whole.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| tempfile::Builder::new().prefix("faults-").tempdir().expect("a folder").keep())
}

pub fn clean() {
    let _ = fs::remove_dir_all(root());
}

/// Copies a folder with all that is in it, but for links.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
