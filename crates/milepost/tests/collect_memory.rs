//! `milepost collect memory` measures a product's whole process tree, and never itself.
//!
//! The products here are shells that hold a known amount of memory until their standard input is closed.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const MILEPOST: &str = env!("CARGO_BIN_EXE_milepost");
/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a shell that runs `HOLD` holds at least, in bytes.
const HELD: u64 = 16_000_000;
const HOLD: &str = r#"held=$(head -c 16000000 /dev/zero | tr '\0' x); echo ready; read line <&3"#;

/// A product that runs until it is dropped.
struct Product(Child);

impl Product {
    /// A shell that runs a script, and says `ready` so many times when it is. Its children read from descriptor 3 until
    /// the product is dropped.
    fn shell(script: &str, ready: usize) -> Self {
        Self::start(Command::new("sh").arg("-c").arg(format!("exec 3<&0; {script}")).env("HOLD", HOLD), ready)
    }

    fn start(command: &mut Command, ready: usize) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the product starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let said = lines.take(ready).filter(|line| line.as_ref().is_ok_and(|line| line == "ready")).count();
        let product = Self(child);
        assert_eq!(said, ready, "the product is not ready");
        product
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Ends the product, which stays a zombie until it is dropped.
    fn end(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        self.end();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A named pipe that somebody waits to write to, until this is dropped.
struct Gate(PathBuf);

impl Drop for Gate {
    fn drop(&mut self) {
        // Opening it for both never waits itself.
        let _ = File::options().read(true).write(true).open(&self.0);
    }
}

/// A name that no process on this machine has.
fn unique(test: &str) -> String {
    format!("mp{test}{}", std::process::id())
}

fn milepost(program: impl AsRef<Path>, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(data).env("MILEPOST_DATA", data.join("data"));
    for off in ["DO_NOT_TRACK", "MILEPOST_DISABLED", "MILEPOST_CONFIG"] {
        command.env_remove(off);
    }
    command
}

/// A running `milepost collect memory`.
struct Observation(Child);

impl Observation {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milepost starts"))
    }

    /// With an hour's time, so that something else has to end it.
    fn of(product: &Product, data: &TempDir) -> Self {
        let arguments = ["collect", "memory", "--pid", &product.pid(), "--for", "1h", "--every", "50ms"];
        Self::start(&mut milepost(MILEPOST, data.path(), &arguments))
    }

    /// What it exits with, and what it says to the standard error.
    fn finish(mut self) -> (ExitStatus, String) {
        let status = until("milepost ends", || self.0.try_wait().expect("a status"));
        let mut errors = String::new();
        self.0.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
        (status, errors)
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a condition gives something, but not for ever.
fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn collect(data: &TempDir, arguments: &[&str]) -> (ExitStatus, String) {
    Observation::start(&mut milepost(MILEPOST, data.path(), &[&["collect", "memory"], arguments].concat())).finish()
}

fn events(data: &TempDir) -> Vec<Value> {
    let output = milepost(MILEPOST, data.path(), &["export", "--kind", "memory"]).output().expect("milepost runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Observes a product for a moment.
fn observe(target: [&str; 2]) -> Vec<Value> {
    let data = tempfile::tempdir().expect("a folder");
    let (status, errors) = collect(&data, &[&target, &["--for", "500ms", "--every", "100ms"] as &[_]].concat());
    assert!(status.success(), "{errors}");
    let events = events(&data);
    assert!((1..=6).contains(&events.len()), "due at 0, 100 … 500 ms, but {} samples", events.len());
    events
}

/// Expects that nothing is measured, for this reason.
fn refused(target: [&str; 2], reason: &str) -> String {
    let data = tempfile::tempdir().expect("a folder");
    let (status, errors) = collect(&data, &[&target, &["--for", "100ms"] as &[_]].concat());
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains(reason), "{errors}");
    assert_eq!(errors.trim_end().lines().count(), 1, "one sentence, not: {errors}");
    assert_eq!(events(&data), [] as [Value; 0]);
    errors
}

fn bytes(event: &Value) -> u64 {
    event["bytes"].as_u64().expect("bytes")
}

#[test]
fn memory_of_all_processes_of_the_tree_is_added_up() {
    let product = Product::shell(r#"for child in 1 2; do sh -c "$HOLD" & done; echo ready; read line"#, 3);
    let events = observe(["--pid", &product.pid()]);
    for event in &events {
        assert!(bytes(event) >= 2 * HELD, "two children hold {HELD} bytes each: {event}");
        assert!(event["processes"].as_u64() >= Some(3), "{event}");
        assert_eq!(event["complete"], true, "{event}");
        assert_eq!(event["every_us"], 100_000);
        assert_eq!(event["pid"], product.0.id());
        assert_eq!(event["process"], "sh");
        assert_eq!(event["run"], events[0]["run"]);
    }
    for event in &events {
        let tree = event["tree"].as_array().expect("processes");
        assert_eq!(tree.iter().map(bytes).sum::<u64>(), bytes(event), "the processes add up to the whole: {event}");
        assert_eq!(tree.len() as u64, event["processes"], "{event}");
        assert!(tree[0]["pid"] == event["pid"] && tree[0]["parent"].is_null(), "{event}");
        let children: Vec<_> = tree.iter().filter(|of| of["parent"] == event["pid"]).collect();
        assert!(children.len() == 2 && children.iter().all(|of| of["name"] == "sh" && bytes(of) >= HELD), "{event}");
        // What a process was started with may be a secret.
        assert!(!event.to_string().contains("head -c"), "{event}");
    }
    assert_eq!(events[0]["cpu_us"], Value::Null, "there is no sample before the first");
    assert!(events[1..].iter().all(|event| event["cpu_us"].is_u64()));
}

#[test]
fn pages_that_a_tree_shares_count_once() {
    let script = r#"held=$(head -c 16000000 /dev/zero | tr '\0' x); for child in 1 2 3; do (echo ready; read line <&3) & done; read line"#;
    let product = Product::shell(script, 3);
    for event in observe(["--pid", &product.pid()]) {
        assert!(event["processes"].as_u64() >= Some(4), "{event}");
        if event["measure"] == "pss" {
            assert!((HELD..2 * HELD).contains(&bytes(&event)), "a process and its three forks hold {HELD} bytes together: {event}");
        } else {
            assert!(bytes(&event) >= 4 * HELD, "without PSS it is an upper bound: {event}");
        }
    }
}

#[test]
fn memory_that_is_lent_to_a_starting_child_does_not_count_twice() {
    // `posix_spawn` lends the memory until the child runs its program. This child waits for a reader before.
    let script = "
import os, sys
held = bytearray(48_000_000)
print('ready', flush=True)
opens = (os.POSIX_SPAWN_OPEN, 1, sys.argv[1], os.O_WRONLY, 0)
os.posix_spawn('/bin/sh', ['sh', '-c', 'read line'], os.environ, file_actions=[opens])
sys.stdin.read()
";
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    let has = |program: &str| Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|o| o.status.success());
    if !has("python3") || !has("mkfifo") {
        eprintln!("skipped: it takes python3 and mkfifo");
        return;
    }
    assert!(Command::new("mkfifo").arg(&gate).status().expect("mkfifo runs").success());
    let product = Product::start(Command::new("python3").args(["-c", script]).arg(&gate), 1);
    let closed = Gate(gate);
    let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", product.pid())).unwrap_or_default();
    until("the child starts", || (!children().trim().is_empty()).then_some(()));
    let plausible = |event: &Value| (48_000_000..96_000_000).contains(&bytes(event));
    for event in observe(["--pid", &product.pid()]) {
        assert!(event["complete"] == false || plausible(&event), "{event}");
    }
    drop(closed);
    let events = observe(["--pid", &product.pid()]);
    assert!(events.iter().any(|event| event["complete"] == true && plausible(event)), "{events:?}");
}

#[test]
fn what_a_product_that_ends_used_stays_recorded() {
    let mut product = Product::shell("echo ready; read line", 1);
    let data = tempfile::tempdir().expect("a folder");
    let running = Observation::of(&product, &data);
    until("it was sampled twice", || (events(&data).len() >= 2).then_some(()));
    product.end();
    let (status, errors) = running.finish();
    assert!(status.success(), "{errors}");
    assert!(events(&data).iter().all(|event| event["complete"] == true && bytes(event) > 0));
}

#[test]
fn a_signal_ends_the_observation_and_not_the_product() {
    let mut product = Product::shell("echo ready; read line", 1);
    for signal in ["INT", "TERM"] {
        let data = tempfile::tempdir().expect("a folder");
        let running = Observation::of(&product, &data);
        until("it was sampled", || (!events(&data).is_empty()).then_some(()));
        let kill = format!("kill -{signal} {}", running.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("kill runs").success());
        let (status, errors) = running.finish();
        assert_eq!(status.code(), Some(0), "{signal}: {errors}");
        assert_eq!(product.0.try_wait().expect("a status"), None);
    }
}

#[test]
fn milepost_and_who_started_it_are_never_found_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = unique("own");
    symlink(MILEPOST, folder.path().join(&own)).expect("a link");
    let arguments = ["collect", "memory", "--process", &own, "--for", "100ms"];
    let (status, errors) = Observation::start(&mut milepost(folder.path().join(&own), folder.path(), &arguments)).finish();
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("no process named"), "{errors}");

    let starter = unique("starter");
    let script = format!("{MILEPOST} collect memory --process {starter} --for 100ms; exit $?");
    let mut shell = milepost("sh", folder.path(), &["-c", &script]);
    let shell = Observation::start(shell.arg0(&starter));
    let pid = shell.0.id().to_string();
    let (status, errors) = shell.finish();
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("started Milepost") && errors.contains(&pid), "{errors}");
    assert_eq!(events(&folder), [] as [Value; 0]);
}

#[test]
fn a_product_is_found_by_its_name_and_so_is_its_tree() {
    let name = unique("tree");
    let script = r#"exec 3<&0; (echo ready; read line <&3) & echo ready; read line"#;
    let product = Product::start(Command::new("sh").arg0(format!("/opt/{name}")).args(["-c", script]), 2);
    for event in observe(["--process", &name]) {
        assert_eq!(event["pid"], product.0.id(), "its fork has the same name, and is not the root: {event}");
        assert_eq!(event["process"], name.as_str());
        assert!(event["processes"].as_u64() >= Some(2), "{event}");
    }
    let other = Product::start(Command::new("sh").arg0(&name).args(["-c", script]), 2);
    let errors = refused(["--process", &name], "--pid");
    assert!(errors.contains(&product.pid()) && errors.contains(&other.pid()), "{errors}");
}

#[test]
fn a_script_is_found_by_its_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = unique("script");
    let script = folder.path().join(&name);
    fs::write(&script, "echo ready; read line").expect("a script");
    let product = Product::start(Command::new("sh").arg(&script), 1);
    for event in observe(["--process", &name]) {
        assert_eq!(event["pid"], product.0.id());
    }
    assert_eq!(observe(["--pid", &product.pid()])[0]["process"], name.as_str());
}

#[test]
fn a_name_that_the_kernel_cut_is_found_unless_it_is_another_one() {
    let name = unique("cut") + "-of-a-long-name";
    let script = format!("printf {name} > /proc/self/comm; echo ready; read line");
    let daemon = Product::start(Command::new("sh").arg0(format!("{name}-daemon")).args(["-c", &script]), 1);
    let comm = fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).expect("a name");
    assert_eq!(comm.trim_end(), &name[..15]);
    refused(["--process", &name], "no process named");
    let product = Product::start(Command::new("sh").args(["-c", &script]), 1);
    for event in observe(["--process", &name]) {
        assert_eq!(event["pid"], product.0.id());
        assert_eq!(event["process"], name.as_str());
        assert_eq!(event["attributes"]["not_measured"], format!("{name}-daemon"), "it runs outside the tree");
    }
}

#[test]
fn who_left_the_tree_is_named_as_not_measured() {
    let name = unique("o");
    let folder = tempfile::tempdir().expect("a folder");
    let middle = folder.path().join("middle");
    // Three generations. The middle one will end, so that its child is nobody's in the tree any more.
    let child = format!("printf {name} > /proc/self/comm; echo ready; read line <&3");
    let script = format!(r#"sh -c 'echo $$ > {}; ({child}) & read line <&3' & read line"#, middle.display());
    let product = Product::shell(&script, 1);
    let data = tempfile::tempdir().expect("a folder");
    let running = Observation::of(&product, &data);
    until("the tree was sampled", || (!events(&data).is_empty()).then_some(()));
    assert_eq!(events(&data)[0]["attributes"]["not_measured"], Value::Null);
    let kill = format!("kill -KILL $(cat {})", middle.display());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("kill runs").success());
    let left = |event: &Value| event["attributes"]["not_measured"].as_str().is_some_and(|names| names.contains(&name));
    until("it was named", || events(&data).last().is_some_and(left).then_some(()));
    drop(product);
    assert!(running.finish().0.success());
}

#[test]
fn a_process_that_does_not_run_is_an_error_of_one_sentence() {
    refused(["--process", &unique("nobody")], "start it first, or give --pid");
    refused(["--pid", "2147483646"], "no process has the id 2147483646");
}
