//! The snippets for bash and zsh, in real interactive shells on a terminal.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::openpty,
};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[path = "signals/default.rs"]
mod default_signals;

/// Far beyond what a busy machine takes for any one step. Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(120);

/// A command of the list: what it is told, it does.
const TOOL: &str = "#!/bin/sh
case $1 in
    fail) exit 3 ;;
    wait) echo 'tool is ready'; exec sleep 300 ;;
    stop) kill -STOP $$ ;;
esac
";

/// A stand-in for the program that waits until somebody says go.
const SLOW: &str = "#!/bin/sh\nwhile [ ! -e \"$HOME/go\" ]; do sleep 0.1; done\nexec \"$MILEPOST_PROGRAM\" \"$@\"\n";

struct Shell {
    folder: tempfile::TempDir,
    child: Child,
    terminal: File,
    seen: String,
    lines: usize,
}

impl Shell {
    /// Starts a shell with the snippet, below what the user has; `None` where there is none.
    fn start(name: &str, users: &str) -> Option<Self> {
        if let Err(why) = Command::new(name).arg("--version").output() {
            let _ = writeln!(std::io::stderr(), "skipped: there is no {name} ({why}), so its snippet is not tested");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("bin")).expect("a folder");
        for (program, text) in [("tool", TOOL), ("other", TOOL), ("slow", SLOW)] {
            fs::write(path("bin").join(program), text).expect("written");
            fs::set_permissions(path("bin").join(program), fs::Permissions::from_mode(0o755)).expect("runnable");
        }
        let snippet = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../scripts/milepost.{name}"));
        let settings = format!("PS1='> '\n{users}\nMILEPOST_COMMANDS='tool tool:sub'\nsource '{}'\n", snippet.display());
        fs::write(path(".bashrc"), &settings).expect("written");
        fs::write(path(".zshrc"), &settings).expect("written");
        default_signals::have_default_signals();
        let pair = openpty(None, None).expect("a terminal");
        let stdio = || Stdio::from(pair.slave.try_clone().expect("a copy"));
        let found =
            std::env::join_paths(std::iter::once(path("bin")).chain(std::env::split_paths(&std::env::var_os("PATH").expect("a path"))));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", name, "-i"]).current_dir(folder.path()).env_clear();
        command.env("HOME", folder.path()).env("PATH", found.expect("a path")).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
        command.env("MILEPOST", env!("CARGO_BIN_EXE_milepost")).env("MILEPOST_DATA", path("data"));
        command.env("MILEPOST_PROGRAM", env!("CARGO_BIN_EXE_milepost"));
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().expect("a shell");
        Some(Self { child, terminal: pair.master.into(), seen: String::new(), lines: 0, folder })
    }

    fn type_in(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).expect("typed");
    }

    /// Waits until this is on the screen, and returns all that is there before it since it was last waited for.
    fn expect(&mut self, expected: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some((before, after)) = self.seen.split_once(expected) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.seen = after;
                return before;
            }
            let left = until.saturating_duration_since(Instant::now());
            let mut ready = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            assert!(poll(&mut ready, timeout).expect("a terminal") > 0, "no {expected:?} in {:?}", self.seen);
            let mut bytes = [0; 4096];
            let read = self.terminal.read(&mut bytes).expect("a terminal");
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    /// Types a line and returns what came until the shell was ready for the next one.
    fn line(&mut self, line: &str) -> String {
        self.type_in(&format!("{line}\n"));
        self.ready()
    }

    /// The number is worked out by the shell, so that it is not the echo of what was typed.
    fn ready(&mut self) -> String {
        self.lines += 1;
        let (typed, answered) = (self.lines, self.lines + 1000);
        self.type_in(&format!("echo \"<$(({typed} + 1000))>\"\n"));
        self.expect(&format!("<{answered}>"))
    }

    fn operations(&self) -> Vec<Value> {
        let mut export = Command::new(env!("CARGO_BIN_EXE_milepost"));
        export.arg("export").current_dir(self.folder.path()).env("MILEPOST_DATA", self.folder.path().join("data"));
        let output = export.output().expect("milepost runs");
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Waits until so many are recorded, in the background, and returns them as (operation, outcome, exit code, has a duration).
    fn recorded(&self, n: usize) -> Vec<(String, String, i64, bool)> {
        let until = Instant::now() + LIMIT;
        while self.operations().len() < n && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let one = |event: &Value| {
            let code = event["exit_code"].as_i64().unwrap_or(-1);
            (text(event, "operation"), text(event, "outcome"), code, event["duration_us"].is_u64())
        };
        let mut found: Vec<_> = self.operations().iter().map(one).collect();
        found.sort();
        found
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn both(users: &str, test: impl Fn(&mut Shell, &str)) {
    for name in ["bash", "zsh"] {
        if let Some(mut shell) = Shell::start(name, users) {
            shell.ready();
            test(&mut shell, name);
        }
    }
}

#[test]
fn what_is_on_the_list_is_recorded_and_nothing_of_its_arguments() {
    both("", |shell, name| {
        for line in [
            "tool secret1",
            "tool fail secret2",
            "tool sub secret3",
            "A=1 B=x/y \"$HOME/bin/tool\"",
            "A=secret4 ~/bin/tool fail",
            "MESSAGE=\"other tool\" other",
            "other tool",
            "echo tool; :",
            "alias t='tool sub'",
            "t",
            "tool | cat",
            "tool fail | cat",
            "cat /dev/null | tool",
            "tool; other",
            "tool && other",
            "other || tool",
            "for i in 1 2; do tool $i; done",
            "tool fail &",
            "wait",
            "",
            "tool ';' '&'",
        ] {
            shell.line(line);
        }
        let one = |operation: &str, outcome: &str, code, timed| (operation.to_owned(), outcome.to_owned(), code, timed);
        let expected = [
            one("tool", "failed", 3, false),
            one("tool", "failed", 3, true),
            one("tool", "failed", 3, true),
            one("tool", "ok", 0, false),
            one("tool", "ok", 0, true),
            one("tool", "ok", 0, true),
            one("tool sub", "ok", 0, true),
            one("tool sub", "ok", 0, true),
        ];
        assert_eq!(shell.recorded(expected.len()), expected, "{name}");
        let all = format!("{:?}", shell.operations());
        assert!(!all.contains("secret"), "{name}: {all}");
        shell.type_in("exit\n");
        assert!(shell.child.wait().expect("it ends").success());
    });
}

#[test]
fn ctrl_c_is_cancelled_and_ctrl_z_is_not_recorded() {
    both("", |shell, name| {
        shell.type_in("tool wait\n");
        shell.expect("tool is ready");
        shell.type_in("\x03");
        let said = shell.line("echo \"code $?.\"");
        assert!(said.contains("code 130."), "{name}: {said}");
        shell.line("tool stop");
        shell.line("kill -9 %1; wait 2>/dev/null");
        shell.line("tool");
        let one = |outcome: &str, code| ("tool".to_owned(), outcome.to_owned(), code, true);
        assert_eq!(shell.recorded(2), [one("cancelled", 130), one("ok", 0)], "{name}");
    });
}

#[test]
fn the_prompt_does_not_wait_and_shows_nothing() {
    both("MILEPOST=slow", |shell, name| {
        for said in [shell.line("tool"), shell.line("true")] {
            assert!(!["slow", "[1]", "done"].iter().any(|word| said.contains(word)), "{name}: {said}");
        }
        assert_eq!(shell.line("jobs").matches("slow").count(), 0, "{name}");
        assert!(shell.operations().is_empty(), "{name}: nobody said go");
        fs::write(shell.home("go"), "").expect("written");
        assert_eq!(shell.recorded(1).len(), 1, "{name}");
    });
    both("MILEPOST=no-such-program", |shell, name| {
        let said = shell.line("tool");
        assert!(!said.contains("no-such-program") && !said.contains("not found"), "{name}: {said}");
    });
}

#[test]
fn what_the_shell_had_is_as_it_was() {
    let users = "
if [ -n \"$BASH_VERSION\" ]; then
    trap 'traps=\"$traps.$?\"' DEBUG
    PROMPT_COMMAND='hook=$?'
    PS0=
else
    precmd() { hook=$? codes=\"$pipestatus\"; }
    preexec() { traps=\"$traps.$1\"; }
fi";
    both(users, |shell, name| {
        let said = shell.line("tool fail\necho \"status=$? hook=$hook.\"");
        assert!(said.contains("status=3 hook=3."), "{name}: {said}");
        let said = shell.line("tool fail | true | other fail\necho \"codes=$codes${PIPESTATUS[*]}.\"");
        assert!(said.contains("codes=3 0 3."), "{name}: {said}");
        let said = shell.line("tool fail\necho \"traps=$traps.\"");
        assert!(said.contains(if name == "bash" { ".3" } else { ".tool fail.echo" }), "{name}: {said}");
    });
    both("", |shell, name| {
        let said = shell.line("tool fail last\necho \"status=$? word=$_.\"");
        assert!(said.contains("status=3 word=last."), "{name}: {said}");
        let said = shell.line("[[ abc =~ b ]]\necho \"match=${BASH_REMATCH[0]-$MATCH}.\"");
        assert!(said.contains("match=b."), "{name}: {said}");
        shell.line("set -e -u");
        shell.line("tool || true");
        shell.line("! true");
        if name == "bash" {
            shell.line("shopt -s extdebug");
        }
        let said = shell.line("tool\necho \"alive $?.\"");
        assert!(said.contains("alive 0."), "{name}: {said}");
    });
}
