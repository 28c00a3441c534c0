//! `milepost run -- CMD` changes nothing for the command, its terminal and its shell: seen from a real terminal, from an
//! interactive shell with job control, and from a parent that sends signals and looks at the end.
//!
//! Each test waits for what it needs to see, at most `LIMIT`. Where one is about something that must not happen a second
//! time, it sends another signal by the same way and waits for the answer to that: what was to come has come by then.

#![expect(clippy::unwrap_used, reason = "a test has nobody to report to")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Pid, setpgid};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;

use default_signals::have_default_signals;

#[path = "signals/default.rs"]
mod default_signals;

/// Far beyond what a busy machine takes for any one step. Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(120);

const CTRL_C: &[u8] = b"\x03";
const CTRL_BACKSLASH: &[u8] = b"\x1c";
const CTRL_Z: &[u8] = b"\x1a";

/// How often a signal is sent that has to arrive as often.
const ROUNDS: usize = 50;

/// A shell that waits in this way runs its traps at once.
const FOR_LONG: &str = "for i in {1..300}; do sleep 1 & wait $!; done";

// The terminal ---------------------------------------------------------------------------------------------------------

#[test]
fn ctrl_c_reaches_the_command_once() {
    let milepost = Milepost::new("ctrl_c_once");
    let mut run = Running::in_terminal(milepost.run_witness(&["--exit", "130"]));
    run.expect("ready");
    // Once would not be enough: two signals are seen as one if the second comes while the first is still pending.
    for _ in 0..ROUNDS {
        run.type_in(CTRL_C);
        run.expect("SIGINT\r\n");
    }
    run.signal(Signal::SIGWINCH);
    run.expect("SIGWINCH\r\n");
    assert_eq!(run.end().code(), Some(130));
    assert_eq!(run.count("SIGINT"), ROUNDS);
    assert_eq!(milepost.operation()["outcome"], "cancelled");
    assert_eq!(milepost.operation()["exit_code"], 130);
}

/// The terminal asks the group in the foreground, and so does not mean a command that has left it.
#[test]
fn ctrl_c_does_not_reach_a_command_in_the_background() {
    let milepost = Milepost::new("ctrl_c_background");
    let mut run = Running::in_terminal(milepost.run_witness(&["--exit", "0", "--leave-group"]));
    run.expect("ready");
    run.set_mode(LocalFlags::ECHO);
    run.type_in(CTRL_C);
    // The terminal sends the signal first and shows the key then.
    run.expect("^C");
    run.signal(Signal::SIGWINCH);
    run.expect("SIGWINCH\r\n");
    assert_eq!(run.end().code(), Some(0));
    assert_eq!(run.count("SIGINT"), 0);
}

#[test]
fn ctrl_c_that_the_command_deals_with_ends_nothing() {
    let milepost = Milepost::new("ctrl_c_dealt_with");
    let mut run = Running::in_terminal(milepost.run_witness(&["--exit", "0"]));
    run.expect("ready");
    for _ in 0..3 {
        run.type_in(CTRL_C);
        run.expect("SIGINT\r\n");
    }
    run.signal(Signal::SIGWINCH);
    assert_eq!(run.end().code(), Some(0));
    assert_eq!(milepost.operation()["outcome"], "ok");
}

#[test]
fn ctrl_c_and_ctrl_backslash_give_the_shell_the_usual_codes() {
    let milepost = Milepost::new("ctrl_c_codes");
    let mut shell = Running::in_terminal(milepost.shell());
    for (key, code) in [(CTRL_C, "code 130"), (CTRL_BACKSLASH, "code 131")] {
        // Not bash, which ignores Ctrl-\ even where it is not interactive.
        shell.type_in(b"\"$MILEPOST\" run -- cat\n");
        shell.type_in(b"ready\n");
        shell.expect("ready");
        shell.type_in(key);
        shell.expect("$ ");
        shell.type_in(b"echo code $?\n");
        shell.expect(code);
    }
    shell.type_in(b"exit 0\n");
    shell.end();
}

/// A shell takes exit code 130 for a program that dealt with Ctrl-C itself, and goes on with the next round.
#[test]
fn ctrl_c_ends_the_loop_of_a_script() {
    let milepost = Milepost::new("ctrl_c_loop");
    let mut script = milepost.with_environment("bash");
    script.args(["-c", "for i in 1 2; do \"$MILEPOST\" run -- bash -c \"echo round $i; exec sleep 600\"; done"]);
    let mut script = Running::in_terminal(script);
    script.expect("round 1");
    script.type_in(CTRL_C);
    assert_eq!(script.end().signal(), Some(Signal::SIGINT as i32));
}

#[test]
fn ctrl_z_stops_and_fg_continues_and_the_time_between_does_not_count() {
    let milepost = Milepost::new("ctrl_z");
    let mut shell = Running::in_terminal(milepost.shell());
    let started = Instant::now();
    shell.type_in(b"\"$MILEPOST\" run -- bash -c 'echo ready; read line; echo got $line; exit 3'\n");
    shell.expect("ready");
    shell.type_in(CTRL_Z);
    shell.expect("Stopped");
    shell.expect("$ ");
    let stopped = Instant::now();
    // No event to wait for: this is the time that must be missing from the duration.
    thread::sleep(Duration::from_secs(2));
    let stopped = stopped.elapsed();
    shell.type_in(b"fg\n");
    shell.type_in(b"hello\n");
    shell.expect("got hello");
    shell.expect("$ ");
    let passed = started.elapsed();
    shell.type_in(b"echo code $?\n");
    shell.expect("code 3");
    shell.type_in(b"exit 0\n");
    shell.end();
    let duration = Duration::from_micros(milepost.operation()["duration_us"].as_u64().unwrap());
    assert!(duration <= passed - stopped, "{duration:?} of {passed:?}, {stopped:?} of which stopped");
}

#[test]
fn reading_the_terminal_in_the_background_stops_until_fg() {
    let milepost = Milepost::new("background");
    let mut shell = Running::in_terminal(milepost.shell());
    shell.type_in(b"\"$MILEPOST\" run -- bash -c 'read line; echo got $line' & wait %1; echo waited $?\n");
    // 128 + SIGSTOP
    shell.expect("waited 147");
    shell.type_in(b"fg\n");
    shell.type_in(b"hello\n");
    shell.expect("got hello");
    shell.type_in(b"exit 0\n");
    shell.end();
}

/// Under cron a probe has no terminal; where a person calls, it has none either. Ctrl-C ends it with all that it started.
#[test]
fn a_probe_has_no_terminal_and_ctrl_c_ends_it_and_milepost() {
    let milepost = Milepost::new("probe");
    let mut track = milepost.with_environment(env!("CARGO_BIN_EXE_milepost"));
    let [file, pid] = ["milepost.toml", "pid"].map(|name| milepost.folder.join(name));
    let probe = |name: &str, script: &str| format!("[[probe]]\noperation = \"{name}\"\ncommand = [\"bash\", \"-c\", '{script}']\n");
    let probes = [
        probe("terminal", "echo seen >&2; if echo seen >/dev/tty; then exit 0; else exit 7; fi"),
        // By builtins alone: bash goes on where SIGINT comes while it waits for a program that ends well all the same.
        probe("long", &format!("echo $$ >{}; sleep 600; exit 5", pid.display())),
        probe("never", "exit 0"),
    ];
    fs::write(file, format!("[project]\nname = \"probe\"\n{}", probes.concat())).unwrap();
    track.arg("track");
    let mut track = Running::in_terminal(track);
    until(|| pid.exists());
    track.type_in(CTRL_C);
    assert_eq!(track.end().signal(), Some(Signal::SIGINT as i32));
    assert_eq!(track.count("seen"), 0);
    track.expect("asked to stop");
    let mut export = milepost.with_environment(env!("CARGO_BIN_EXE_milepost"));
    export.arg("export");
    let events = text(&output(export).stdout);
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ends: Vec<_> = events.map(|event| format!("{} {} {}", event["operation"], event["outcome"], event["exit_code"])).collect();
    assert_eq!(ends, [r#""terminal" "failed" 7"#, r#""long" "cancelled" null"#]);
}

#[test]
fn a_changed_window_size_reaches_the_command() {
    for (options, size) in [(&[][..], "stty size"), (&["--stderr", "observe"], "stty size <&2")] {
        let milepost = Milepost::new("window_size");
        let script = format!(
            "trap 'until [ \"$({size})\" = \"33 77\" ]; do sleep 0.1; done; echo resized; exit 0' WINCH
            {size}; echo ready; {FOR_LONG}"
        );
        let mut run = Running::in_terminal(milepost.run(options, &["bash", "-c", &script]));
        run.expect("24 80");
        run.expect("ready");
        run.resize(33, 77);
        run.expect("resized");
        assert_eq!(run.end().code(), Some(0));
    }
}

#[test]
fn a_terminal_that_goes_away_tells_the_command() {
    let milepost = Milepost::new("hangup");
    let script = format!("trap 'exit 7' HUP; echo ready; {FOR_LONG}");
    let mut run = Running::in_terminal(milepost.run(&[], &["bash", "-c", &script]));
    run.expect("ready");
    run.close_terminal();
    assert_eq!(run.end().code(), Some(7));
}

#[test]
fn terminals_stay_terminals_and_pipes_stay_pipes() {
    let ask = "for fd in 0 1 2; do test -t $fd && printf 'terminal ' || printf 'pipe '; done; echo";
    for options in [&[][..], &["--stderr", "observe"]] {
        let milepost = Milepost::new("isatty");
        let mut run = Running::in_terminal(milepost.run(options, &["bash", "-c", ask]));
        run.expect("terminal terminal terminal \r\n");
        run.end();

        let mut command = milepost.run(options, &["bash", "-c", ask]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        assert_eq!(text(&output(command).stdout), "pipe pipe pipe \n");

        let mut errors_in_terminal = milepost.with_environment("bash");
        errors_in_terminal.args(["-c", "\"$@\" </dev/null | cat", "-"]).arg(env!("CARGO_BIN_EXE_milepost"));
        errors_in_terminal.arg("run").args(options).args(["--", "bash", "-c", ask]);
        let mut run = Running::in_terminal(errors_in_terminal);
        run.expect("pipe pipe terminal \r\n");
        run.end();
    }
}

#[test]
fn observed_errors_look_the_same_on_the_terminal() {
    let script = r"printf 'tab\there\n\x1b[31mred\x1b[0m\rback\a\n\xff\x80end' >&2";
    let milepost = Milepost::new("terminal_bytes");
    let mut bare = Command::new("bash");
    bare.args(["-c", script]);
    let mut seen = Vec::new();
    for command in [bare, milepost.run(&["--stderr", "observe"], &["bash", "-c", script])] {
        let mut run = Running::in_terminal(command);
        run.expect("end");
        run.end();
        seen.push(run.seen.clone());
    }
    assert_eq!(seen[0], seen[1]);
}

// Signals --------------------------------------------------------------------------------------------------------------

#[test]
fn a_signal_to_the_wrapper_is_handed_on_once() {
    let milepost = Milepost::new("term_once");
    let mut run = Running::in_pipe(milepost.run_witness(&["--exit", "3"]));
    run.expect("ready");
    for _ in 0..ROUNDS {
        run.signal(Signal::SIGTERM);
        run.expect("SIGTERM\n");
    }
    run.signal(Signal::SIGWINCH);
    run.expect("SIGWINCH\n");
    assert_eq!(run.end().code(), Some(3));
    assert_eq!(run.count("SIGTERM"), ROUNDS);
    assert_eq!(milepost.operation()["outcome"], "cancelled");
}

#[test]
fn all_signals_that_programs_use_are_handed_on() {
    let signals = ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "TSTP", "TTIN", "TTOU", "WINCH"];
    let milepost = Milepost::new("all_signals");
    let traps: String = signals.iter().map(|name| format!("trap 'echo got {name}' {name}; ")).collect();
    let script = format!("{traps} echo pid $$; {FOR_LONG}");
    let mut run = Running::in_pipe(milepost.run(&[], &["bash", "-c", &script]));
    let command = run.expect_pid();
    for name in signals {
        run.signal(format!("SIG{name}").parse().unwrap());
        run.expect(&format!("got {name}\n"));
    }
    // No signal through the wrapper ends this command.
    kill(command, Signal::SIGKILL).unwrap();
    assert_eq!(shell_code(run.end()), 137);
}

#[test]
fn a_signal_that_the_command_sends_to_its_group_does_not_come_back() {
    let milepost = Milepost::new("own_group");
    let mut command = milepost.run_witness(&["--exit", "3", "--term-group"]);
    command.process_group(0);
    let mut run = Running::in_pipe(command);
    run.expect("SIGTERM\n");
    run.signal(Signal::SIGWINCH);
    run.expect("SIGWINCH\n");
    assert_eq!(run.end().code(), Some(3));
    assert_eq!(run.count("SIGTERM"), 1);
    // Nobody else told it to end.
    assert_eq!(milepost.operation()["outcome"], "failed");
}

#[test]
fn signals_ignored_from_the_start_stay_ignored() {
    let milepost = Milepost::new("nohup");
    let mut command = milepost.with_environment("bash");
    let script = format!("trap 'echo still here; exit 0' WINCH; echo ready; {FOR_LONG}");
    command.args(["-c", "trap '' HUP; exec \"$MILEPOST\" run -- bash -c \"$1\"", "-", &script]);
    let mut run = Running::in_pipe(command);
    run.expect("ready");
    run.signal(Signal::SIGHUP);
    run.signal(Signal::SIGWINCH);
    run.expect("still here");
    assert_eq!(run.end().code(), Some(0));
    assert_eq!(milepost.operation()["outcome"], "ok");
}

#[test]
fn the_command_finds_signals_as_the_wrapper_found_them() {
    let milepost = Milepost::new("dispositions");
    let ask = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"];
    let mut bare = Command::new("bash");
    bare.args(["-c", "trap '' HUP USR1; exec \"$@\"", "-"]).args(ask);
    let mut wrapped = milepost.with_environment("bash");
    wrapped.args(["-c", "trap '' HUP USR1; exec \"$MILEPOST\" run -- \"$@\"", "-"]).args(ask);
    assert_eq!(text(&output(wrapped).stdout), text(&output(bare).stdout));
}

#[test]
fn a_parent_that_blocks_the_signal_of_an_ended_child_does_not_hang_the_wrapper() {
    let milepost = Milepost::new("blocked");
    // The mask is the thread's, and so this test's alone; children inherit it.
    SigSet::from(Signal::SIGCHLD).thread_block().unwrap();
    // Not so fast that the wrapper finds it ended at its first look, which is before it waits for a signal.
    let ask = ["bash", "-c", "sleep 0.5; grep SigBlk /proc/self/status"];
    let mut bare = Command::new(ask[0]);
    bare.args(&ask[1..]);
    assert_eq!(text(&output(milepost.run(&[], &ask)).stdout), text(&output(bare).stdout));
}

/// A debugger stops and continues the command alone; nobody would continue the wrapper.
#[test]
fn a_command_stopped_apart_from_its_shell_goes_on_when_continued() {
    let milepost = Milepost::new("stopped_apart");
    let mut command = milepost.run(&[], &["bash", "-c", "echo pid $$; kill -STOP $$; echo continued; exit 3"]);
    // Whoever has a terminal in the foreground stops with the command: not here, wherever the tests run.
    command.process_group(0);
    let mut run = Running::in_pipe(command);
    let command = run.expect_pid();
    until(|| state(command) == Some('T'));
    kill(command, Signal::SIGCONT).unwrap();
    run.expect("continued");
    assert_eq!(run.end().code(), Some(3));
}

// The end --------------------------------------------------------------------------------------------------------------

#[test]
fn exit_codes_are_passed_on() {
    let cases: [(&[&str], &[&str], i32, &str); 9] = [
        (&[], &["true"], 0, "ok"),
        (&[], &["false"], 1, "failed"),
        (&[], &["bash", "-c", "exit 3"], 3, "failed"),
        (&[], &["bash", "-c", "exit 255"], 255, "failed"),
        (&["--ok-codes", "0,1"], &["false"], 1, "ok"),
        (&[], &["/"], 126, "failed"),
        (&[], &["milepost-test-no-such-program"], 127, "failed"),
        (&[], &["bash", "-c", "kill -KILL $$"], 137, "failed"),
        (&[], &["bash", "-c", "kill -TERM $$"], 143, "failed"),
    ];
    for (options, command, code, outcome) in cases {
        let milepost = Milepost::new("exit_codes");
        let output = output(milepost.run(options, command));
        assert_eq!(shell_code(output.status), code, "{command:?}");
        assert_eq!(milepost.operation()["outcome"], outcome, "{command:?}");
        assert_eq!(output.stderr.is_empty(), !(126..128).contains(&code), "{command:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_script_without_an_interpreter_line_runs_as_in_a_shell() {
    let milepost = Milepost::new("no_interpreter");
    let script = milepost.folder.join("script");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o755).open(&script).unwrap().write_all(b"echo $1; exit 3\n").unwrap();
    let output = output(milepost.run(&[], &[script.to_str().unwrap(), "argument"]));
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("argument\n", Some(3)));
}

#[test]
fn a_timeout_ends_all_descendants() {
    let milepost = Milepost::new("timeout");
    // The second descendant has to be killed, and by then its parent has ended.
    let script = "sleep 600 & echo pid $!
        (bash -c 'trap \"\" TERM; echo pid $$; for i in {1..300}; do sleep 1; done') &
        wait";
    let mut run = Running::in_pipe(milepost.run(&["--timeout", "2s"], &["bash", "-c", script]));
    let descendants = [run.expect_pid(), run.expect_pid()];
    assert_eq!(run.end().code(), Some(124));
    for pid in descendants {
        until(|| matches!(state(pid), None | Some('Z' | 'X')));
    }
    assert_eq!(milepost.operation()["outcome"], "timeout");
}

#[test]
fn a_command_that_stays_after_its_timeout_is_killed() {
    let milepost = Milepost::new("timeout_kill");
    let run = output(milepost.run(&["--timeout", "1s"], &["bash", "-c", "trap '' TERM; for i in {1..300}; do sleep 1; done"]));
    assert_eq!(shell_code(run.status), 137);
    assert_eq!(milepost.operation()["outcome"], "timeout");
}

#[test]
fn a_command_within_its_timeout_is_left_alone() {
    let milepost = Milepost::new("timeout_unused");
    assert_eq!(output(milepost.run(&["--timeout", "100s"], &["bash", "-c", "exit 3"])).status.code(), Some(3));
    assert_eq!(milepost.operation()["outcome"], "failed");
}

#[test]
fn the_peak_is_the_commands_own() {
    let milepost = Milepost::new("peak");
    // Without a line's end, `tail` has to keep all of it.
    output(milepost.run(&[], &["bash", "-c", "head -c 200000000 /dev/zero | tail -n 1 | wc -c"]));
    let operation = milepost.operation();
    assert!(operation["peak_bytes"].as_u64().unwrap() > 190_000_000, "{operation}");
    assert_eq!(operation["peak_measure"], "maxrss");
    assert!(operation["cpu_us"].as_u64().unwrap() > 0, "{operation}");

    let milepost = Milepost::new("peak");
    output(milepost.run(&[], &["true"]));
    // Smaller than the wrapper, hence unknown.
    assert_eq!(milepost.operation()["peak_bytes"], Value::Null);
}

// Streams and files ----------------------------------------------------------------------------------------------------

#[test]
fn bytes_pass_unchanged() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for (options, script) in [(&[][..], "cat"), (&["--stderr", "observe"], "cat >&2")] {
        let milepost = Milepost::new("bytes");
        let mut command = milepost.run(options, &["bash", "-c", script]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, sent) = (child.stdin.take().unwrap(), bytes.clone());
        let writer = thread::spawn(move || stdin.write_all(&sent));
        let output = wait_with_output(child);
        writer.join().unwrap().unwrap();
        let received = if options.is_empty() { output.stdout } else { output.stderr };
        assert!(received == bytes, "{} bytes came back of {} for {script}", received.len(), bytes.len());
    }
}

#[test]
fn open_files_are_inherited_and_none_is_added() {
    let milepost = Milepost::new("files");
    fs::write(milepost.folder.join("file"), "from file 3").unwrap();
    let mut command = milepost.with_environment("bash");
    command.args(["-c", "exec 3<\"$1/file\"; \"$MILEPOST\" run -- bash -c 'cat <&3'", "-"]).arg(&milepost.folder);
    assert_eq!(text(&output(command).stdout), "from file 3");

    let list = ["bash", "-c", "echo files $(ls /proc/self/fd) end"];
    let mut bare = Command::new(list[0]);
    bare.args(&list[1..]);
    let bare = text(&output(bare).stdout);
    for options in [&[][..], &["--stderr", "observe"]] {
        assert_eq!(text(&output(milepost.run(options, &list)).stdout), bare, "{options:?}");
        let mut run = Running::in_terminal(milepost.run(options, &list));
        run.expect(bare.trim_end());
        run.end();
    }
}

#[test]
fn observed_errors_end_with_the_command_not_with_its_descendants() {
    let milepost = Milepost::new("left_behind");
    let script = "sleep 600 >/dev/null & echo pid $!; head -c 50000 /dev/zero | tr '\\0' x >&2; echo last words >&2; exit 1";
    let errors = milepost.folder.join("errors");
    let mut command = milepost.run(&["--stderr", "observe"], &["bash", "-c", script]);
    command.stderr(File::create(&errors).unwrap());
    let mut run = Running::in_pipe(command);
    let descendant = run.expect_pid();
    assert_eq!(run.end().code(), Some(1));
    kill(descendant, Signal::SIGKILL).unwrap();
    let errors = fs::read_to_string(errors).unwrap();
    assert_eq!(errors.len(), 50_000 + "last words\n".len());
    assert!(errors.ends_with("last words\n"));
    let operation = milepost.operation();
    assert!(operation["error"]["text"].as_str().unwrap().trim_end().ends_with("last words"), "{operation}");

    let mut run = Running::in_terminal(milepost.run(&["--stderr", "observe"], &["bash", "-c", script]));
    let descendant = run.expect_pid();
    run.expect("last words");
    assert_eq!(run.end().code(), Some(1));
    // The end of the session may have been faster.
    let _ = kill(descendant, Signal::SIGKILL);
}

#[test]
fn a_reader_that_does_not_read_errors_does_not_keep_signals_from_the_command() {
    let milepost = Milepost::new("no_reader");
    let script = "trap 'echo told; exit 3' TERM; echo pid $$; while :; do echo 0123456789abcdef >&2; done";
    let mut command = milepost.run(&["--stderr", "observe"], &["bash", "-c", script]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stderr(writer);
    let mut run = Running::in_pipe(command);
    let command = run.expect_pid();
    // Sleeps for good: both pipes are full.
    until(|| {
        (0..10).all(|_| {
            state(command) == Some('S') && {
                thread::sleep(Duration::from_millis(10));
                true
            }
        })
    });
    run.signal(Signal::SIGTERM);
    // The command cannot run its trap before its write is through, as without us.
    let rest = thread::spawn(move || std::io::copy(&mut { reader }, &mut std::io::sink()));
    run.expect("told");
    assert_eq!(run.end().code(), Some(3));
    rest.join().unwrap().unwrap();
}

// The witness ----------------------------------------------------------------------------------------------------------

/// Names each signal as it arrives, and ends at `SIGWINCH`. A shell would not do: it runs a trap once for two signals
/// that come close together, and loses one that comes while the trap for the one before ends.
#[test]
#[ignore = "not a test: the command that some tests run"]
fn witness() {
    let Ok(order) = std::env::var("RUN_TERMINAL_WITNESS") else { return };
    let order: Vec<&str> = order.split(' ').collect();
    let mut stdout = std::io::stdout();
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGINT, SIGTERM, SIGWINCH]).unwrap();
    if order.contains(&"--leave-group") {
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
    }
    if order.contains(&"--term-group") {
        kill(Pid::from_raw(0), Signal::SIGTERM).unwrap();
    }
    writeln!(stdout, "ready").unwrap();
    for origin in &mut signals {
        writeln!(stdout, "{}", Signal::try_from(origin.signal).unwrap()).unwrap();
        if origin.signal == SIGWINCH {
            std::process::exit(order[1].parse().unwrap());
        }
    }
}

// Helpers --------------------------------------------------------------------------------------------------------------

/// The program under test, with a folder of its own for what it records.
struct Milepost {
    folder: PathBuf,
}

impl Milepost {
    fn new(test: &str) -> Self {
        have_default_signals();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("run_terminal").join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// `milepost run OPTIONS -- COMMAND`
    fn run(&self, options: &[&str], command: &[&str]) -> Command {
        let mut run = self.with_environment(env!("CARGO_BIN_EXE_milepost"));
        run.args(["run", "--operation", "test"]).args(options).arg("--").args(command);
        run
    }

    /// `milepost run -- WITNESS`
    fn run_witness(&self, order: &[&str]) -> Command {
        let this = std::env::current_exe().unwrap();
        let mut run = self.run(&[], &[this.to_str().unwrap(), "--exact", "witness", "--ignored", "--nocapture"]);
        run.env("RUN_TERMINAL_WITNESS", order.join(" "));
        run
    }

    /// An interactive shell that does not echo what is typed, so that all that is seen was written by a program.
    fn shell(&self) -> Command {
        let mut shell = self.with_environment("bash");
        shell.args(["--norc", "--noediting", "-i"]).env("PS1", "$ ").env_remove("PROMPT_COMMAND").env("HISTFILE", "");
        shell
    }

    fn with_environment(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let config = self.folder.join("milepost.toml");
        fs::write(&config, "[project]\nname = \"run\"\n[privacy]\ntexts = [\"error\"]\n").unwrap();
        command.env("MILEPOST", env!("CARGO_BIN_EXE_milepost")).env("MILEPOST_DATA", &self.folder).env("MILEPOST_CONFIG", config);
        command.env_remove("MILEPOST_DISABLED").env_remove("DO_NOT_TRACK").env("LC_ALL", "C");
        command
    }

    /// The last operation that was recorded.
    fn operation(&self) -> Value {
        let mut export = self.with_environment(env!("CARGO_BIN_EXE_milepost"));
        export.arg("export");
        let events = text(&output(export).stdout);
        let mut events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.rfind(|event| event["kind"] == "operation").unwrap()
    }
}

/// A program that was started, and what it has written so far.
struct Running {
    pid: Pid,
    end: Receiver<ExitStatus>,
    ended: Option<ExitStatus>,
    /// The terminal's side of it, or the reading end of a pipe.
    output: Option<File>,
    terminal: Option<PathBuf>,
    seen: Vec<u8>,
    matched: usize,
}

impl Running {
    /// Starts the program as the leader of a session of its own, with a terminal of 24 lines and 80 columns.
    fn in_terminal(mut command: Command) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname_r(&master).unwrap());
        let slave = open_terminal(&path);
        let mut modes = tcgetattr(&slave).unwrap();
        modes.local_flags.remove(LocalFlags::ECHO);
        // Else Ctrl-C throws away what was written and not yet read, after its signal was sent: perhaps the answer to it.
        modes.local_flags.insert(LocalFlags::NOFLSH);
        tcsetattr(&slave, SetArg::TCSANOW, &modes).unwrap();
        set_size(&path, 24, 80);
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        lead_session(&mut command);
        Self::start(command, OwnedFd::from(master).into(), Some(path))
    }

    /// Starts the program with its standard output in a pipe, its standard input empty.
    fn in_pipe(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer);
        Self::start(command, OwnedFd::from(reader).into(), None)
    }

    fn start(mut command: Command, output: File, terminal: Option<PathBuf>) -> Self {
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let (sender, end) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait().unwrap()));
        Self { pid, end, ended: None, output: Some(output), terminal, seen: Vec::new(), matched: 0 }
    }

    /// Waits until the program has written this text, after what was waited for before.
    fn expect(&mut self, expected: &str) {
        let until = Instant::now() + LIMIT;
        loop {
            let rest = &self.seen[self.matched..];
            if let Some(at) = rest.windows(expected.len()).position(|window| window == expected.as_bytes()) {
                self.matched += at + expected.len();
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(self.read(left), "no {expected:?} in {:?}", text(&self.seen));
        }
    }

    /// Waits for a line `pid N`.
    fn expect_pid(&mut self) -> Pid {
        self.expect("pid ");
        let start = self.matched;
        self.expect("\n");
        Pid::from_raw(text(&self.seen[start..self.matched]).trim().parse().unwrap())
    }

    /// Waits for the end; all that was written until then is seen.
    fn end(&mut self) -> ExitStatus {
        let status = self.end.recv_timeout(LIMIT);
        let status = status.unwrap_or_else(|_| panic!("no end after {:?}", text(&self.seen)));
        self.ended = Some(status);
        while self.read(Duration::ZERO) {}
        status
    }

    /// Reads what is there or comes within the time; false if nothing does.
    fn read(&mut self, time: Duration) -> bool {
        let Some(output) = &mut self.output else { return false };
        let time = PollTimeout::try_from(time).unwrap();
        let mut buffer = [0; 4096];
        if poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], time).unwrap() == 0 {
            return false;
        }
        // A terminal that nobody uses any more reads as an error.
        let length = output.read(&mut buffer).unwrap_or(0);
        self.seen.extend(&buffer[..length]);
        length > 0
    }

    fn count(&self, word: &str) -> usize {
        text(&self.seen).matches(word).count()
    }

    fn type_in(&mut self, keys: &[u8]) {
        self.output.as_mut().unwrap().write_all(keys).unwrap();
    }

    fn resize(&self, lines: u16, columns: u16) {
        set_size(self.terminal.as_ref().unwrap(), lines, columns);
    }

    fn set_mode(&self, flags: LocalFlags) {
        let terminal = open_terminal(self.terminal.as_ref().unwrap());
        let mut modes = tcgetattr(&terminal).unwrap();
        modes.local_flags.insert(flags);
        tcsetattr(&terminal, SetArg::TCSANOW, &modes).unwrap();
    }

    fn close_terminal(&mut self) {
        self.output = None;
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }
}

fn open_terminal(path: &PathBuf) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
}

/// By `stty`, since the system call is `unsafe`.
fn set_size(terminal: &PathBuf, lines: u16, columns: u16) {
    let mut stty = Command::new("stty");
    stty.args(["rows", &lines.to_string(), "cols", &columns.to_string()]).stdin(open_terminal(terminal));
    assert!(stty.status().unwrap().success());
}

#[expect(unsafe_code, reason = "std has no safe way to give a child a session and a controlling terminal")]
fn lead_session(command: &mut Command) {
    // SAFETY: both calls are allowed between fork and exec, and neither touches memory.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            match libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
}

/// Runs to the end with nothing on standard input.
fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    wait_with_output(command.spawn().unwrap())
}

fn wait_with_output(child: Child) -> Output {
    let pid = Pid::from_raw(child.id().cast_signed());
    let (sender, end) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    end.recv_timeout(LIMIT).unwrap_or_else(|_| {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("no end")
    })
}

/// The code that a shell gives for a program that ended so.
fn shell_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// Waits for what no event tells.
fn until(condition: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < until, "still not so");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The letter for the state of a process, if there is one.
fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
