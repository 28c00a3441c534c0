//! Tools that `milepost collect` runs itself, where they are installed: what they print is read.

use super::{Failure, printable};
use crate::wrap::{self, Outcome, RunError};
use milepost_collect::{Kind, REPORT_BYTES_MAX};
use std::{
    ffi::OsString,
    io::{self, Read},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// A tool that takes longer is ended, unless somebody gives it more time.
pub(super) const TIMEOUT: Duration = Duration::from_secs(600);
/// Where a process that the tool left behind keeps its output open, it is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A project of which `pip-audit` can say something has one of these.
const PYTHON: &[&str] = &["requirements.txt", "pyproject.toml", "pylock.toml", "setup.py", "setup.cfg"];

/// How a tool is called.
struct Tool {
    program: &'static str,
    args: &'static [&'static str],
    /// Exit codes with which it prints a report.
    ok_codes: &'static [i32],
}

impl Tool {
    /// As somebody would type it.
    fn name(&self) -> String {
        [self.program].iter().chain(self.args).copied().collect::<Vec<_>>().join(" ")
    }
}

// With `fail_under`, coverage.py says by 2 that it is missed.
const COVERAGE: Tool = Tool { program: "coverage", args: &["json", "-o", "-"], ok_codes: &[0, 2] };
const RADON: Tool = Tool { program: "radon", args: &["cc", "--json"], ok_codes: &[0] };
// Both say by 1 that they found something.
const PIP_AUDIT: Tool = Tool { program: "pip-audit", args: &["-f", "json"], ok_codes: &[0, 1] };
const CARGO_AUDIT: Tool = Tool { program: "cargo", args: &["audit", "--json"], ok_codes: &[0, 1] };

/// What a tool printed.
pub(super) struct Output {
    pub(super) tool: String,
    pub(super) bytes: Vec<u8>,
}

/// Runs the tool of this kind.
///
/// # Errors
/// Where there is none, it cannot be started, takes too long, fails, or prints nothing or too much.
pub(super) fn output(kind: Kind, arguments: &[OsString], timeout: Duration) -> Result<Output, Failure> {
    let tool = tool(kind, arguments)?;
    let name = tool.name();
    let args = tool.args.iter().map(OsString::from).chain(arguments.iter().cloned()).collect();
    let bytes = printed(&name, tool.program, args, &[], tool.ok_codes, timeout)?;
    Ok(Output { tool: name, bytes })
}

/// What a program prints; `name` is how it is called, for people.
///
/// # Errors
/// Where it cannot be started, takes too long, fails, or prints nothing or too much.
pub(super) fn printed(
    name: &str,
    program: &str,
    args: Vec<OsString>,
    variables: &'static [(&'static str, &'static str)],
    ok_codes: &[i32],
    timeout: Duration,
) -> Result<Vec<u8>, Failure> {
    let wrong = |what: &str| Failure::usage(printable(&format!("{name}: {what}")));
    let internal = |error: io::Error| Failure::internal(format!("cannot read what {name} prints: {error}"));
    let (reader, writer) = io::pipe().map_err(internal)?;
    let (done, read) = mpsc::channel();
    let limited = move || {
        let mut bytes = Vec::new();
        let result = reader.take(REPORT_BYTES_MAX + 1).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody may be listening any more.
        let _ = done.send(result);
    };
    thread::Builder::new().spawn(limited).map_err(internal)?;
    let command = wrap::Command {
        args,
        variables,
        timeout: Some(timeout),
        ok_codes: ok_codes.to_vec(),
        stdout: Some(Arc::new(writer.into())),
        ..wrap::Command::new(program)
    };
    let seen = wrap::run(&command);
    // Ours is the last end that can be written to.
    drop(command);
    let observed = match seen {
        Ok(observed) => observed,
        Err(error @ RunError::Start { .. }) => return Err(Failure::usage(printable(&error.to_string()))),
        Err(error) => return Err(Failure::internal(error.to_string())),
    };
    let bytes = read.recv_timeout(PATIENCE).map_err(|_| wrong("it ended, and left a process behind that keeps its output open"))?;
    let bytes = bytes.map_err(internal)?;
    if bytes.len() as u64 > REPORT_BYTES_MAX {
        return Err(wrong(&milepost_collect::Refused::TooLarge.to_string()));
    }
    match observed.outcome {
        Outcome::Ok if bytes.trim_ascii().is_empty() => Err(wrong(&format!("it printed nothing (exit code {})", observed.status))),
        Outcome::Ok => Ok(bytes),
        Outcome::Timeout => Err(wrong("it took too long and was ended: --timeout gives it more time")),
        Outcome::Cancelled => Err(wrong("it was told to end")),
        Outcome::Failed => {
            // Some say on their standard output why.
            let text = String::from_utf8_lossy(&bytes);
            let last: String = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(200).collect();
            let why = if last.is_empty() { last } else { format!(": {last}") };
            Err(wrong(&format!("it failed (exit code {}), so there is no report{why}", observed.status)))
        }
    }
}

fn tool(kind: Kind, arguments: &[OsString]) -> Result<Tool, Failure> {
    match kind {
        Kind::Coverage => Ok(COVERAGE),
        Kind::Complexity if arguments.is_empty() => {
            Err(Failure::usage("radon needs files or folders: milepost collect complexity --run -- FOLDER"))
        }
        Kind::Complexity => Ok(RADON),
        Kind::Tests => Err(Failure::usage(
            "there is no one tool that runs tests: have yours write a report in the XML of JUnit, then milepost collect tests FILE",
        )),
        Kind::Audit => match (Path::new("Cargo.lock").exists(), PYTHON.iter().any(|name| Path::new(name).exists())) {
            (true, false) => Ok(CARGO_AUDIT),
            (false, true) => Ok(PIP_AUDIT),
            (true, true) => Err(Failure::usage(
                "this folder is of Rust and of Python: name one, as cargo audit --json | milepost collect audit - or pip-audit -f json | …",
            )),
            (false, false) => {
                Err(Failure::usage(format!("there is nothing to audit in this folder: no Cargo.lock, {}", PYTHON.join(", "))))
            }
        },
    }
}
