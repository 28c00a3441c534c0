//! `docs/benchmarks.md`: what each benchmark found when it ran last, on which machine and of which commit. A benchmark writes its own
//! part of the page, and nothing of the others.

use crate::{Done, output, root, shown};
use std::{
    fmt::Display,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const PAGE: &str = "docs/benchmarks.md";

/// What a benchmark says, line by line.
pub(crate) struct Figures {
    name: &'static str,
    /// As it was when it began: a long one may end with another commit.
    setting: Result<String, String>,
    said: String,
}

impl Figures {
    /// Those of `cargo xtask bench NAME`.
    pub(crate) fn of(name: &'static str) -> Self {
        println!();
        Self { name, setting: setting(name), said: String::new() }
    }

    /// Says a line, or several.
    pub(crate) fn say(&mut self, line: impl Display) {
        println!("{line}");
        self.said.push_str(&format!("{line}\n"));
    }

    /// Says what a command prints, while it prints it.
    pub(crate) fn say_output(&mut self, command: &mut Command) -> Done {
        let shown = shown(command);
        let failed = |error| format!("cannot run {shown}: {error}");
        let mut running = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        for line in running.stdout.take().into_iter().flat_map(|printed| BufReader::new(printed).lines()) {
            self.say(line.map_err(failed)?);
        }
        let ended = running.wait().map_err(failed)?;
        if ended.success() { Ok(()) } else { Err(format!("{shown}: {ended}")) }
    }

    /// Writes them where the page has the last ones of this benchmark.
    pub(crate) fn publish(self) -> Done {
        let Self { name, setting, said } = self;
        let path = root().join(PAGE);
        let page = fs::read_to_string(&path).map_err(|error| format!("cannot read {PAGE}: {error}"))?;
        let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
        let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
        let (before, after) = parts.ok_or_else(|| format!("{PAGE} has no place between {begin} and {end}"))?;
        let page = format!("{before}{begin}\n{}\n\n{}\n{end}{after}", setting?, said.trim());
        fs::write(&path, page).map_err(|error| format!("cannot write {PAGE}: {error}"))
    }
}

/// The command, the day, the commit and the machine.
fn setting(name: &str) -> Result<String, String> {
    let said =
        |program: &str, words: &[&str]| output(Command::new(program).args(words).current_dir(root())).map(|said| said.trim().to_owned());
    let (day, commit) = (said("date", &["-u", "+%F"])?, said("git", &["rev-parse", "--short", "HEAD"])?);
    let is_clean = said("git", &["status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/benchmarks.md"])?.is_empty();
    let of = |path: &str, field: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let value = text.lines().find_map(|line| Some(line.strip_prefix(field)?.split_once(':')?.1.trim().to_owned()));
        value.unwrap_or_else(|| "unknown".to_owned())
    };
    let (processor, memory) = (of("/proc/cpuinfo", "model name"), of("/proc/meminfo", "MemTotal"));
    let gib = memory.trim_end_matches(" kB").parse::<f64>().map_or(memory.clone(), |kib| format!("{:.0} GiB", kib / f64::from(1 << 20)));
    let processors = said("nproc", &[])?;
    let (system, release, rust) = (said("uname", &["-s"])?, said("uname", &["-r"])?, said("rustc", &["--version"])?);
    let release: Vec<&str> = release.split('.').take(2).collect();
    Ok(format!(
        "`cargo xtask bench {name}` on {day}, commit {commit}{}; {processors} × {processor}, {gib}, {system} {}, {rust}.",
        if is_clean { "" } else { " and changes to it" },
        release.join(".")
    ))
}
