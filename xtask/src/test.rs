//! `cargo xtask test`: all that has to hold.

use crate::{
    Done, architecture,
    browser::{self, Browser},
    cargo, deny, have, install, nix, root, run, shown, target,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

pub(crate) fn test() -> Done {
    architecture::check()?;
    if is_there("fmt") {
        run(cargo().args(["fmt", "--all", "--check"]))?;
    }
    if is_there("clippy") {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    }
    deny::deny_if_there()?;
    // Without them, the client in C and the snippet for zsh are not tested, as their tests say.
    have("cc", "gcc");
    have("zsh", "zsh");
    run(cargo().args(["test", "--workspace", "--no-run"]))?;
    // Tests wait more than they work: those that need other programs run beside all others.
    let (mut tally, mut beside) = (Tally::default(), Tally { beside: true, ..Tally::default() });
    let done = thread::scope(|scope| {
        let others = scope.spawn(|| beside.with_others());
        let own = tally.run(cargo().args(["test", "--workspace"]));
        let others = others.join().unwrap_or_else(|_| Err("the tests with other programs panicked".to_owned()));
        match (own, others) {
            (Err(own), Err(others)) => Err(format!("{own}\n{others}")),
            (own, others) => own.and(others),
        }
    });
    done?;
    tally.on_a_screen()?;
    let of = |count: fn(&Tally) -> i64| count(&tally) + count(&beside);
    println!("\n{} passed, {} failed, {} skipped", of(|t| t.passed), of(|t| t.failed), of(|t| t.skipped));
    Ok(())
}

/// A Python of our own in a folder below the target folder, with the packages of a list.
pub(crate) fn python(folder: &str, requirements: &str) -> Result<PathBuf, String> {
    if !have("python3", "python3") {
        return Err("there is no python3".to_owned());
    }
    let (folder, list) = (target().join(folder), root().join(requirements));
    let python = folder.join("bin/python");
    let wanted = fs::read_to_string(&list).map_err(|error| format!("cannot read {}: {error}", list.display()))?;
    let noted = folder.join("requirements.txt");
    if fs::read_to_string(&noted).is_ok_and(|there| there == wanted) {
        return Ok(python);
    }
    let made = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    if made().is_err() {
        // Debian keeps venv in a package of its own.
        install("python3-venv");
        made()?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list))?;
    fs::write(&noted, wanted).map_err(|error| format!("cannot write {}: {error}", noted.display()))?;
    Ok(python)
}

/// The tests of a name that need another program.
fn named(test: &str) -> Command {
    let mut command = cargo();
    command.args(["test", "--workspace", "--test", test, "--", "--ignored"]);
    command
}

fn is_there(component: &str) -> bool {
    let there = cargo().args([component, "--version"]).output().is_ok_and(|output| output.status.success());
    if !there {
        println!("cargo {component} is not installed, so what it checks is not checked");
    }
    there
}

/// What several test programs said at their ends.
#[derive(Default)]
struct Tally {
    passed: i64,
    failed: i64,
    /// Less than none where what another tally counted as skipped was run after all.
    skipped: i64,
    /// Whether another runs at the same time: what a program prints is shown in one piece, once it has ended.
    beside: bool,
}

impl Tally {
    /// Runs tests, shows what they print, and adds up their results.
    fn run(&mut self, command: &mut Command) -> Done {
        let shown = shown(command);
        let failed = |error| format!("cannot run {shown}: {error}");
        if self.beside {
            let output = command.output().map_err(failed)?;
            let said = String::from_utf8_lossy(&output.stdout);
            println!("{shown}\n{}{said}", String::from_utf8_lossy(&output.stderr));
            said.lines().for_each(|line| self.add(line));
            return if output.status.success() { Ok(()) } else { Err(format!("{shown}: {}", output.status)) };
        }
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| format!("cannot read what {shown} prints"))?;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            self.add(&line);
        }
        let status = child.wait().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
    }

    /// Runs tests that were counted as skipped before, and are not any more.
    fn ignored(&mut self, command: &mut Command) -> Done {
        let before = self.passed;
        let done = self.run(command);
        self.skipped -= self.passed - before;
        done
    }

    /// Runs what needs more than Rust, and the layer for `tracing`, which the program is built without.
    fn with_others(&mut self) -> Done {
        let layer = ["--package", "milepost-record", "--features", "tracing"];
        if is_there("clippy") {
            self.run(cargo().arg("clippy").args(layer).args(["--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
        }
        self.run(cargo().arg("test").args(layer).args(["--test", "spans"]))?;
        self.run(cargo().arg("test").args(layer).arg("--doc"))?;
        match python("python", "crates/milepost-store/tests/readers/requirements.txt") {
            // Of the whole workspace: alone, the crate would have the engine built with other features.
            Ok(python) => self.ignored(named("readers").env("MILEPOST_PYTHON", python))?,
            Err(why) => println!("other tools reading the tables is not tested: {why}"),
        }
        self.opentelemetry()?;
        if have("crontab", "cron") && have("systemd-analyze", "systemd") {
            self.ignored(&mut named("schedule"))?;
        } else {
            println!("there is no cron or no systemd: whether they accept what is installed is not tested");
        }
        if have("nix-instantiate", "nix-bin") {
            self.ignored(&mut named("flake"))?;
        } else {
            println!("there is no nix: the flake and its modules are not tested");
        }
        if have("faketime", "faketime") {
            self.ignored(&mut named("sixty_days"))?;
        } else {
            println!("there is no faketime: sixty days are not played");
        }
        let schemas = ["test", "--manifest-path", "schemas/check/Cargo.toml", "--target-dir"];
        self.run(cargo().args(schemas).arg(target().join("schemas")).env("MILEPOST_PROGRAM", target().join("debug/milepost")))?;
        self.bucket()?;
        self.client()?;
        self.example()
    }

    /// Looks at the live scorecard in a terminal and at the page in a browser, with nothing else running, as both have to be there in time.
    fn on_a_screen(&mut self) -> Done {
        if have("tmux", "tmux") {
            self.ignored(&mut named("watch"))?;
        } else {
            println!("there is no tmux: the live scorecard is not tested in a real terminal");
        }
        self.browser()
    }

    /// Sends to `milepost serve` with the SDKs of OpenTelemetry for other languages.
    fn opentelemetry(&mut self) -> Done {
        let others = |language: &str| {
            let mut command = cargo();
            command.args(["test", "--workspace", "--test", "otlp", language, "--", "--ignored"]);
            command
        };
        let sources = root().join("crates/milepost/tests/otlp");
        match python("otlp-python", "crates/milepost/tests/otlp/requirements.txt") {
            Ok(python) => self.ignored(others("python").env("MILEPOST_OTLP_PYTHON", python))?,
            Err(why) => println!("OTLP from Python is not tested: {why}"),
        }
        if !have("node", "nodejs") || !have("npm", "npm") {
            println!("there is no node or no npm: OTLP from Node is not tested");
            return Ok(());
        }
        let packages = target().join("otlp-node");
        browser::packages(&sources, &packages)?;
        self.ignored(others("node").env("MILEPOST_OTLP_NODE", packages))
    }

    /// Machines whose tables are in a bucket.
    fn bucket(&mut self) -> Done {
        match python("bucket-python", "crates/milepost/tests/bucket/requirements.txt") {
            Ok(python) => {
                let mut command = cargo();
                command.args(["test", "--workspace", "--test", "bucket", "--test", "cluster", "--", "--ignored"]);
                self.ignored(command.env("MILEPOST_BUCKET_PYTHON", python))
            }
            Err(why) => {
                println!("tables in a bucket are not tested: {why}");
                Ok(())
            }
        }
    }

    /// Opens the page in a browser.
    fn browser(&mut self) -> Done {
        match Browser::set_up() {
            Ok(browser) => {
                self.ignored(&mut browser.pages())?;
                self.run(&mut browser.tests())
            }
            Err(why) => {
                println!("the page is not tested in a browser: {why}");
                Ok(())
            }
        }
    }

    /// Runs the tests of the Python client beside the program that was built for the others; those of the plugin for pytest need that too.
    fn client(&mut self) -> Done {
        if !have("python3", "python3") {
            println!("there is no python3: the Python client is not tested");
            return Ok(());
        }
        let python = python("client", "python/tests/requirements.txt").unwrap_or_else(|why| {
            println!("the plugin for pytest is not tested: {why}");
            PathBuf::from("python3")
        });
        let mut command = Command::new(python);
        command.args(["-m", "unittest", "discover", "--start-directory", "python/tests"]).current_dir(root());
        self.unittest(command.env("MILEPOST_PROGRAM", target().join("debug/milepost")))
    }

    /// Runs the tests of the example, with a real Nix.
    fn example(&mut self) -> Done {
        match nix::Example::set_up() {
            Ok(example) => self.unittest(&mut example.tests()),
            Err(why) => {
                println!("the assistant for Nix is not tested: {why}");
                Ok(())
            }
        }
    }

    /// Runs tests of Python's unittest, which says everything on standard error, last `Ran 18 tests in 3.2s` and `OK (skipped=1)`.
    fn unittest(&mut self, command: &mut Command) -> Done {
        let shown = shown(command);
        println!("{shown}");
        let output = command.output().map_err(|error| format!("cannot run {shown}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{said}");
        if !output.status.success() {
            return Err(format!("{shown}: {}", output.status));
        }
        let number = |after: &str| {
            let rest = said.rsplit_once(after).map_or("", |(_, rest)| rest);
            rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<i64>().ok())
        };
        let (ran, skipped) = (number("Ran ").ok_or("unittest did not say how many tests ran")?, number("skipped=").unwrap_or(0));
        self.passed += ran - skipped;
        self.skipped += skipped;
        Ok(())
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …` of Rust, and `ℹ pass 3` of node.
    fn add(&mut self, line: &str) {
        for (start, count) in [("ℹ pass ", &mut self.passed), ("ℹ fail ", &mut self.failed), ("ℹ skipped ", &mut self.skipped)] {
            *count += line.strip_prefix(start).and_then(|n| n.trim().parse::<i64>().ok()).unwrap_or(0);
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
        for count in counts.split("; ") {
            let Some((n, what)) = count.split_once(' ') else { continue };
            let n: i64 = n.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += n,
                "failed" => self.failed += n,
                "ignored" => self.skipped += n,
                _ => {}
            }
        }
    }
}
