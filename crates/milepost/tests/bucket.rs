//! Machines whose tables are in a bucket: each has a spool of its own, and what any of them acknowledged is counted once, by all of them.
//!
//! The server is moto's, from Python. It is no Amazon, and keeps the conditions that Amazon's does.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "bucket/server.rs"]
mod server;

use serde_json::Value;
use server::Server;
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write, copy},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
};

/// Hands on to a server all but the conditions, as one would that does not know them.
fn careless(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || hand_on(client, server));
        }
    });
    address
}

/// One request and its answer.
fn hand_on(client: TcpStream, server: SocketAddr) -> Option<()> {
    let mut upstream = TcpStream::connect(server).ok()?;
    let (mut request, mut bytes) = (BufReader::new(client.try_clone().ok()?), 0);
    loop {
        let mut line = String::new();
        request.read_line(&mut line).ok()?;
        let lower = line.to_ascii_lowercase();
        if let Some(length) = lower.strip_prefix("content-length:") {
            bytes = length.trim().parse().ok()?;
        }
        if line == "\r\n" {
            upstream.write_all(b"Connection: close\r\n\r\n").ok()?;
            break;
        }
        if !["if-match:", "if-none-match:", "connection:"].iter().any(|header| lower.starts_with(header)) {
            upstream.write_all(line.as_bytes()).ok()?;
        }
    }
    copy(&mut request.take(bytes), &mut upstream).ok()?;
    let mut client = client;
    copy(&mut upstream, &mut client).ok()?;
    client.shutdown(Shutdown::Both).ok()
}

/// A machine with a spool of its own.
struct Machine {
    folder: tempfile::TempDir,
    server: SocketAddr,
}

impl Machine {
    fn new(server: SocketAddr, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join(".milepost")).expect("a folder");
        let machine = Self { folder, server };
        machine.configured(&format!("[store]\nurl = \"s3://team/tables\"\n{more}"));
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configured(&self, more: &str) {
        let criterion = "[[criterion]]\nname = \"It works\"\nmetric = \"success.rate\"\nat_least = \"50%\"\ntier = \"must\"\n";
        fs::write(self.path("milepost.toml"), format!("[project]\nname = \"test\"\n{criterion}{more}")).expect("written");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(words).current_dir(&self.folder).env_remove("MILEPOST_DATA").env_remove("MILEPOST_CONFIG");
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret").env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL_S3", format!("http://{}", self.server)).env("AWS_ALLOW_HTTP", "true");
        command
    }

    fn ran(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("milepost")
    }

    fn said(&self, words: &[&str]) -> String {
        let output = self.ran(words);
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "milepost {words:?}: {}\n{out}\n{err}", output.status);
        out
    }

    /// Records so many operations, by ids that begin so.
    fn records(&self, ids: &str, n: u64) {
        let at = jiff::Timestamp::now();
        let line = |n: u64| {
            format!(r#"{{"v":1,"kind":"operation","id":"{ids}-{n}","at":"{at}","operation":"search","outcome":"ok","duration_us":{n}}}"#)
        };
        self.reads(&(0..n).map(line).collect::<Vec<_>>().join("\n"));
    }

    /// Records these lines.
    fn reads(&self, lines: &str) {
        let mut child = self.command(&["record"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("milepost");
        child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
        assert!(child.wait().expect("an end").success());
    }

    fn counted(&self, sql: &str) -> u64 {
        let said = self.said(&["query", sql, "--format", "csv"]);
        said.lines().nth(1).and_then(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("a number: {said}"))
    }
}

const ALL: &str = "SELECT count(*) AS n FROM operations";

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn what_one_machine_recorded_the_other_counts() {
    let server = Server::start();
    let [a, b] = ["", ""].map(|more| Machine::new(server.address, more));
    a.records("a", 30);
    assert_eq!((a.counted(ALL), b.counted(ALL)), (30, 0), "it waits in the spool of its machine");
    a.said(&["track"]);
    assert_eq!(b.counted(ALL), 30);
    b.records("b", 20);
    // Sent twice, by way of two machines.
    b.records("a", 10);
    b.said(&["track"]);
    for machine in [&a, &b] {
        assert_eq!(machine.counted(ALL), 50);
        let status: Value = serde_json::from_str(&machine.said(&["status", "--format", "json"])).expect("JSON");
        assert_eq!(status["criteria"][0]["n"], 50, "{status}");
        let found = machine.said(&["doctor", "--verify"]);
        assert!(found.contains("s3://team/tables"), "{found}");
    }
    assert!(!a.path(".milepost/store/operations").exists(), "the tables are not here");
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn machines_that_race_lose_and_double_nothing() {
    const ROUNDS: u64 = 4;
    const EACH: u64 = 40;
    let server = Server::start();
    let machines: Vec<_> = (0..2).map(|_| Machine::new(server.address, "")).collect();
    thread::scope(|scope| {
        for (index, machine) in machines.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    machine.records(&format!("{index}-{round}"), EACH);
                    // Each round in both at once: the same ids.
                    machine.records(&format!("both-{round}"), 5);
                    machine.said(&["track"]);
                }
            });
        }
    });
    for machine in &machines {
        machine.said(&["track"]);
        assert_eq!(machine.counted(ALL), 2 * ROUNDS * EACH + 5 * ROUNDS);
        assert_eq!(machine.counted("SELECT count(DISTINCT id) AS n FROM operations"), 2 * ROUNDS * EACH + 5 * ROUNDS);
    }
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn a_server_that_ignores_conditions_is_refused_before_anything_is_written() {
    let server = Server::start();
    let machine = Machine::new(careless(server.address), "");
    machine.records("a", 3);
    let output = machine.ran(&["track"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("this server ignores conditions") && said.contains("If-None-Match"), "{said}");
    assert!(server.asked("GET /team?list-type=2 HTTP/1.1").is_some_and(|list| list.contains("<KeyCount>0</KeyCount>")));
    assert!(!machine.path(".milepost/store/store.json").exists());
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn what_is_wrong_with_a_bucket_is_said() {
    let server = Server::start();
    let machine = Machine::new(server.address, "");
    machine.configured("[store]\nurl = \"s3://nobody/tables\"\n");
    let said = |machine: &Machine| {
        let output = machine.ran(&["status"]);
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = said(&machine);
    assert!(missing.contains("s3://nobody/tables") && missing.contains("make it, or look at the name"), "{missing}");
    // Where nobody listens, that is said, and nothing is called damaged; who records does not notice.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let mut away = Machine::new(server.address, "");
    away.said(&["track"]);
    away.server = free;
    away.records("a", 3);
    let away_said = said(&away);
    assert!(away_said.contains("look whether the server can be reached"), "{away_said}");
    let found = String::from_utf8(away.ran(&["doctor"]).stdout).expect("text");
    assert!(found.contains("! ") && !found.contains("Damaged"), "{found}");
    away.said(&["schedule", "status"]);
    // Of a folder with tables of its own, nothing is moved or forgotten.
    machine.configured("");
    machine.records("a", 3);
    machine.said(&["track"]);
    machine.configured("[store]\nurl = \"s3://team/tables\"\n");
    let own = said(&machine);
    assert!(own.contains("this data folder has tables of its own") && own.contains("milepost export"), "{own}");
    machine.configured("");
    assert_eq!(machine.counted(ALL), 3);
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn who_is_forgotten_leaves_the_bucket_and_the_spool_of_the_other_machine() {
    let server = Server::start();
    let [a, b] = ["", ""].map(|more| Machine::new(server.address, more));
    fs::create_dir_all(b.path(".milepost")).expect("a folder");
    a.said(&["record", "operation", "--operation", "search", "--outcome", "ok", "--user", "rose"]);
    // Machines recognise each other's people by a key that somebody copied.
    fs::copy(a.path(".milepost/identity.json"), b.path(".milepost/identity.json")).expect("copied");
    a.records("a", 10);
    a.said(&["track"]);
    b.said(&["record", "operation", "--operation", "search", "--outcome", "ok", "--user", "rose"]);
    a.said(&["forget", "--user", "rose", "--yes"]);
    b.said(&["track"]);
    for machine in [&a, &b] {
        assert_eq!(machine.counted("SELECT count(*) AS n FROM operations WHERE \"user\" IS NOT NULL"), 0);
        assert_eq!(machine.counted(ALL), 10);
    }
}

/// Where a machine may be killed: after each commit, before it and between the steps around it.
const MOMENTS: &[&str] = &["sealed", "claimed", "operations", "settled", "retired", "merged", "looked after"];

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn a_machine_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let server = Server::start();
    let [a, b] = ["", ""].map(|more| Machine::new(server.address, more));
    let (mut by_a, mut by_b) = (0, 0);
    let mut killed = Vec::new();
    // Files are merged once there are many.
    for round in 0..2 {
        for moment in MOMENTS {
            a.records(&format!("a-{round}-{moment}"), 3);
            by_a += 3;
            if !a.command(&["track"]).env("MILEPOST_CRASH_AT", moment).output().expect("milepost").status.success() {
                killed.push(*moment);
            }
            b.records(&format!("b-{round}-{moment}"), 2);
            by_b += 2;
            b.said(&["track"]);
            assert_eq!(a.counted(ALL), by_a + by_b, "{moment}");
            // What the other one has in its spool still is not seen from here.
            assert_eq!(b.counted("SELECT count(*) AS n FROM operations WHERE id LIKE 'b-%'"), by_b, "{moment}");
        }
    }
    a.said(&["track"]);
    for machine in [&a, &b] {
        assert_eq!(machine.counted(ALL), by_a + by_b);
        assert_eq!(machine.counted("SELECT count(DISTINCT id) AS n FROM operations"), by_a + by_b);
    }
    assert!(MOMENTS.iter().all(|moment| killed.contains(moment)), "{killed:?}");
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn what_a_copy_of_a_machine_holds_too_is_counted_once() {
    let server = Server::start();
    let machine = Machine::new(server.address, "");
    let anonymous = |n: u64| {
        let at = jiff::Timestamp::now();
        let line = |n| format!(r#"{{"v":1,"kind":"operation","at":"{at}","operation":"search","outcome":"ok","duration_us":{n}}}"#);
        (0..n).map(line).collect::<Vec<_>>().join("\n")
    };
    machine.reads(&anonymous(10));
    machine.said(&["track"]);
    machine.reads(&anonymous(10));
    let copy = Machine { folder: tempfile::tempdir().expect("a folder"), server: server.address };
    let source = machine.folder.path().join(".");
    assert!(Command::new("cp").arg("-a").args([&source, copy.folder.path()]).status().expect("cp").success());
    for round in 1..=3 {
        machine.reads(&anonymous(round));
        copy.reads(&anonymous(100 * round));
        thread::scope(|scope| {
            for machine in [&machine, &copy] {
                // Who comes second with a number finds out, and takes in what it has under another name at the next turn.
                scope.spawn(move || (0..5).any(|_| machine.ran(&["track"]).status.success()).then_some(()).expect("it is taken in"));
            }
        });
    }
    for machine in [&machine, &copy] {
        machine.said(&["track"]);
        assert_eq!(machine.counted(ALL), 20 + (1 + 2 + 3) * 101);
    }
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn tables_in_a_bucket_and_in_a_folder_give_equal_answers() {
    let server = Server::start();
    let [local, bucket] = ["", "\n[store]\nurl = \"s3://team/tables\"\n"].map(|more| {
        let machine = Machine::new(server.address, "");
        fs::remove_file(machine.path("milepost.toml")).expect("removed");
        machine.said(&["init", "--preset", "nix-for-humanity"]);
        let config = fs::read_to_string(machine.path("milepost.toml")).expect("a file");
        fs::write(machine.path("milepost.toml"), config + more).expect("written");
        machine
    });
    let now = jiff::Timestamp::now();
    for part in 0..3 {
        let operation = |n: i64| {
            let (at, user, took) = (now - jiff::SignedDuration::from_mins(7 * n), n % 23, 40_000 + (n * 7919) % 900_000);
            let (operation, backend) = (["search", "install", "list"][(n % 3) as usize], ["native", "subprocess"][(n % 2) as usize]);
            let outcome = if n % 17 == 0 { r#""failed","error":{"category":"network"}"# } else { r#""ok""# };
            format!(
                r#"{{"v":1,"kind":"operation","id":"e-{n}","at":"{at}","user":"u-{user}","operation":"{operation}","backend":"{backend}","outcome":{outcome},"duration_us":{took}}}"#
            )
        };
        let lines: Vec<_> = (part * 1000..(part + 1) * 1000).map(operation).collect();
        for machine in [&local, &bucket] {
            machine.reads(&lines.join("\n"));
            machine.reads(include_str!("report.jsonl"));
            machine.said(&["track"]);
        }
    }
    assert!(local.path(".milepost/store/operations").exists() && !bucket.path(".milepost/store/operations").exists());
    for view in ["operations", "memory", "interactions", "labels", "measurements", "notes", "sessions"] {
        let all = format!("SELECT * EXCLUDE (host) FROM {view} ORDER BY at, id");
        let answer = |machine: &Machine| machine.said(&["query", &all, "--format", "csv", "--max-rows", "10000"]);
        assert!(answer(&local).lines().count() > 1, "{view}");
        assert!(answer(&local) == answer(&bucket), "{view}");
    }
    for words in [
        &["status", "--format", "json"][..],
        &["report", "full", "--exact", "--format", "json"],
        &["report", "monthly", "--format", "json"],
        &["report", "full", "--format", "json"],
    ] {
        let [local, bucket] = [&local, &bucket].map(|machine| {
            let mut answer: Value = serde_json::from_str(&machine.said(words)).expect("JSON");
            for moment in ["generated_at", "to"] {
                answer.as_object_mut().expect("an object").remove(moment);
            }
            // Where the month before had events, `track` of each made its report, each at its own moment.
            if let Some(Value::Object(first_made)) = answer.get_mut("first_made") {
                assert!(first_made.remove("at").is_some(), "{words:?}");
            }
            answer
        });
        assert_eq!(local, bucket, "{words:?}");
    }
}
