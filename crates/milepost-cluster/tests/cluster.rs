//! A Ballista cluster answers what the embedded engine answers, to the last digit, also when one of its machines dies on the way, and
//! wherever the tables lie.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "../../milepost/tests/bucket/server.rs"]
mod server;

use serde_json::{Value, json};
use server::Server;
use std::{
    env, fs,
    io::Write,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

/// What a process is told besides its words.
type Environment = Vec<(&'static str, String)>;

/// How long a cluster may take to be there, and to notice that a machine is not any more.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file that is built beside the tests.
fn built(name: &str) -> PathBuf {
    let own = env::current_exe().expect("a path");
    let folder = own.ancestors().nth(2).expect("a folder of what is built");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not there: `cargo xtask test` builds it", path.display());
    path
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(name: &str, words: &str, environment: &Environment) -> Self {
        let mut command = Command::new(built(name));
        command.args(words.split_whitespace()).envs(environment.clone());
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that nobody uses: all are held until all are known.
fn ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    held.each_ref().map(|listener| listener.local_addr().expect("an address").port())
}

/// A scheduler and executors, which share this machine's disk.
struct Cluster {
    port: u16,
    _scheduler: Process,
    executors: Vec<Executor>,
}

struct Executor {
    _process: Process,
    /// What it works out lies there, in a folder for each job.
    folder: PathBuf,
}

impl Executor {
    fn jobs(&self) -> usize {
        fs::read_dir(&self.folder).map_or(0, Iterator::count)
    }
}

impl Cluster {
    fn start(folder: &Path, environment: &Environment) -> Self {
        let [port] = ports();
        // They pull their work. Where it is pushed, what an executor worked at as another one died stays counted as if it still did
        // (Ballista 55.0.0): one that works at one thing at a time gets nothing any more.
        let scheduler = format!(
            "--bind-host 127.0.0.1 --bind-port {port} --external-host 127.0.0.1 --scheduler-policy pull-staged
             --executor-timeout-seconds 5 --expire-dead-executor-interval-seconds 1"
        );
        let scheduler = Process::start("examples/scheduler", &scheduler, environment);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the scheduler does not listen");
            sleep(Duration::from_millis(50));
        }
        let executor = |n: usize| {
            let [flight, grpc, health] = ports();
            let folder = folder.join(format!("executor-{n}"));
            let typed = format!(
                "--scheduler-host 127.0.0.1 --scheduler-port {port} --task-scheduling-policy pull-staged
                 --bind-host 127.0.0.1 --external-host 127.0.0.1 --bind-port {flight} --bind-grpc-port {grpc}
                 --bind-health-port {health} --vcores 2 --executor-heartbeat-interval-seconds 1 --work-dir {}",
                folder.display()
            );
            Executor { _process: Process::start("examples/executor", &typed, environment), folder }
        };
        Self { port, _scheduler: scheduler, executors: (0..2).map(executor).collect() }
    }
}

/// A folder with a product, and its events.
struct Product {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl Product {
    fn new(more: &str, environment: &Environment) -> Self {
        let product = Self { folder: tempfile::tempdir().expect("a folder"), environment: environment.clone() };
        product.said(&["init", "--preset", "nix-for-humanity"]);
        let config = fs::read_to_string(product.path("milepost.toml")).expect("a file");
        fs::write(product.path("milepost.toml"), config + more).expect("written");
        product
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ran(&self, words: &[&str], typed: &str) -> Output {
        let mut command = Command::new(built("milepost"));
        command.args(words).envs(self.environment.clone()).current_dir(&self.folder).env("HOME", self.folder.path());
        command.env_remove("MILEPOST_DATA").env_remove("DO_NOT_TRACK");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("read");
        child.wait_with_output().expect("ended")
    }

    fn said_of(&self, words: &[&str], typed: &str) -> String {
        let output = self.ran(words, typed);
        let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
        // What is missed is no failure to answer.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{words:?}: {said}{complained}");
        said
    }

    fn said(&self, words: &[&str]) -> String {
        self.said_of(words, "")
    }

    /// Writes a second configuration, by which a cluster is asked.
    fn asks(&self, url: &str) {
        let config = fs::read_to_string(self.path("milepost.toml")).expect("a file");
        fs::write(self.path("cluster.toml"), format!("{config}\n[engine]\nurl = \"{url}\"\npartitions = 2\n")).expect("written");
    }

    /// What the embedded engine answers, and what the cluster does, on the same day.
    fn both(&self, words: &[&str]) -> [String; 2] {
        let today = || jiff::Timestamp::now().to_string()[..10].to_owned();
        loop {
            let day = today();
            let both = ["milepost.toml", "cluster.toml"].map(|config| self.said(&[&["--config", config], words].concat()));
            if day == today() {
                return both;
            }
        }
    }

    /// Two thousand operations in tables, and some in none yet.
    fn used(&self, now: jiff::Timestamp) {
        for part in 0..3 {
            // What no table has yet goes along with each statement.
            let n = if part < 2 { 1_000 } else { 20 };
            let mut lines: Vec<_> = (part * 1_000..part * 1_000 + n).map(|n| operation(now, n)).collect();
            for user in 0..23 {
                let at = now - jiff::SignedDuration::from_mins(21_000 - user * 600 - part);
                lines.push(format!(
                    r#"{{"v":1,"kind":"session","id":"s-{part}-{user}","at":"{at}","user":"u-{user}","session":"{part}-{user}"}}"#
                ));
            }
            self.said_of(&["record"], &lines.join("\n"));
            self.said_of(&["record"], include_str!("../../milepost/tests/report.jsonl"));
            if part < 2 {
                self.said(&["track"]);
            }
        }
    }
}

fn operation(now: jiff::Timestamp, n: i64) -> String {
    let (at, user, took) = (now - jiff::SignedDuration::from_mins(7 * n), n % 23, 40_000 + (n * 7919) % 900_000);
    let (operation, backend) = (["search", "install", "list"][(n % 3) as usize], ["native", "subprocess"][(n % 2) as usize]);
    let (version, peak) = (["1.0", "1.1"][(n % 5 / 3) as usize], 50_000_000 + (n * 104_729) % 300_000_000);
    let outcome = if n % 17 == 0 { r#""failed","error":{"category":"network"}"# } else { r#""ok""# };
    format!(
        r#"{{"v":1,"kind":"operation","id":"e-{n}","at":"{at}","user":"u-{user}","version":"{version}","operation":"{operation}","backend":"{backend}","outcome":{outcome},"duration_us":{took},"peak_bytes":{peak},"attributes":{{"shell":"fish","n":{n}}}}}"#
    )
}

/// Without the moment of the answer.
fn lasting(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("JSON");
    for moment in ["generated_at", "to"] {
        answer.as_object_mut().expect("an object").remove(moment);
    }
    answer
}

const VIEWS: [&str; 10] =
    ["operations", "memory", "interactions", "labels", "measurements", "notes", "sessions", "criteria", "verdicts", "segments"];
const ANSWERS: [&[&str]; 5] = [
    &["status", "--format", "json"],
    &["report", "full", "--exact", "--format", "json"],
    &["report", "full", "--format", "json"],
    &["report", "monthly", "--format", "json"],
    &["compare", "version=1.0", "version=1.1", "--format", "json"],
];
/// Of all pairs of operations, many times: long enough for a machine to die on the way.
const LONG: &str = "SELECT a.operation, count(*) AS n, sum(b.duration_us) AS us FROM operations a JOIN operations b\n\
                    ON a.duration_us < b.duration_us CROSS JOIN (VALUES (1), (2), (3), (4)) GROUP BY 1 ORDER BY 1";

#[test]
fn a_cluster_answers_what_the_embedded_engine_answers() {
    let product = Product::new("", &Environment::new());
    product.used(jiff::Timestamp::now());
    let mut cluster = Cluster::start(product.folder.path(), &Environment::new());
    product.asks(&format!("df://127.0.0.1:{}", cluster.port));
    // All at once, since a machine that pulls its work waits most of the time.
    scope(|scope| {
        for view in VIEWS {
            let product = &product;
            scope.spawn(move || {
                let all = format!("SELECT * FROM {view} ORDER BY 1, 2, 3, 4");
                let [embedded, asked] = product.both(&["query", &all, "--format", "csv", "--max-rows", "10000"]);
                assert!(embedded.lines().count() > 1, "{view}");
                assert!(embedded == asked, "{view}:\n{embedded}\n{asked}");
            });
        }
    });
    let attribute = "SELECT attributes['shell'] AS shell, version, count(*) AS n FROM operations GROUP BY 1, 2 ORDER BY 1, 2";
    let [embedded, asked] = product.both(&["query", attribute, "--format", "csv"]);
    assert_eq!(embedded, asked);
    scope(|scope| {
        for words in ANSWERS {
            let product = &product;
            scope.spawn(move || {
                let [embedded, asked] = product.both(words).map(|answer| lasting(&answer));
                assert_eq!(embedded, asked, "{words:?}");
            });
        }
    });
    let long = ["query", LONG, "--format", "csv", "--max-time", "10min"];
    let before: Vec<_> = cluster.executors.iter().map(Executor::jobs).collect();
    scope(|scope| {
        let product = &product;
        let asked = scope.spawn(move || product.said(&[&["--config", "cluster.toml"], &long[..]].concat()));
        let begun = Instant::now();
        let working = loop {
            assert!(begun.elapsed() < PATIENCE, "no machine works at it");
            sleep(Duration::from_millis(5));
            if let Some(n) = (0..2).find(|n| cluster.executors[*n].jobs() > before[*n]) {
                break n;
            }
        };
        drop(cluster.executors.swap_remove(working));
        assert!(!asked.is_finished(), "it was on the way");
        assert_eq!(product.said(&long), asked.join().expect("answered"));
    });
    // By the machine that is left, and without rollups, so that every question goes to it.
    fs::remove_file(product.path(".milepost/store/rollups.json")).expect("removed");
    let [embedded, asked] = product.both(ANSWERS[0]).map(|answer| lasting(&answer));
    assert_eq!(embedded, asked, "from the events");
}

/// What an earlier Milepost wrote: of its tables, the folders of the files tell the day.
#[test]
fn tables_divided_by_day_are_read_as_well() {
    let divided = Path::new(env!("CARGO_MANIFEST_DIR")).join("../milepost/tests/version_1/divided/data");
    let product = Product::new("", &Environment::new());
    fs::remove_dir_all(product.path(".milepost")).expect("removed");
    copy(&divided, &product.path(".milepost"));
    let cluster = Cluster::start(product.folder.path(), &Environment::new());
    product.asks(&format!("df://127.0.0.1:{}", cluster.port));
    let sql = "SELECT day, operation, count(*) AS n FROM operations WHERE day > '2026-11-03' GROUP BY 1, 2 ORDER BY 1, 2";
    let [embedded, asked] = product.both(&["query", sql, "--format", "csv"]);
    assert!(embedded.lines().count() > 2, "{embedded}");
    assert_eq!(embedded, asked);
    assert!(product.path(".milepost/store/operations/day=2026-11-06").is_dir(), "it is divided still");
}

/// Other engines delete rows by a list of places in a file, which the files themselves do not tell a cluster.
#[test]
fn a_table_of_which_another_engine_deleted_rows_is_refused() {
    let product = Product::new("", &Environment::new());
    product.used(jiff::Timestamp::now());
    let count = "SELECT count(*) AS n FROM operations";
    let counted = |said: String| said.lines().last().and_then(|n| n.parse::<u64>().ok()).expect("a number");
    let before = counted(product.said(&["query", count, "--format", "csv"]));

    let log = product.path(".milepost/store/operations/_delta_log");
    let commit = |version: u64| log.join(format!("{version:020}.json"));
    let next = (0..).find(|version| !commit(*version).exists()).expect("a version");
    let last = fs::read_to_string(commit(next - 1)).expect("a commit");
    let mut actions = last.lines().map(|line| serde_json::from_str::<Value>(line).expect("an action"));
    let mut add = actions.find_map(|action| action.get("add").cloned()).expect("a file");
    let remove = json!({ "path": add["path"], "deletionTimestamp": add["modificationTime"], "dataChange": true });
    // Six rows, inline and in base 85, by the protocol of Delta Lake ("Deletion Vector Format").
    let bitmap = "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L";
    add["deletionVector"] = json!({ "storageType": "i", "pathOrInlineDv": bitmap, "sizeInBytes": 44, "cardinality": 6 });
    let features = ["deletionVectors"];
    let protocol = json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features });
    let lines = [json!({ "protocol": protocol }), json!({ "remove": remove }), json!({ "add": add })].map(|action| format!("{action}\n"));
    fs::write(commit(next), lines.concat()).expect("written");
    assert_eq!(counted(product.said(&["query", count, "--format", "csv"])), before - 6);

    let cluster = Cluster::start(product.folder.path(), &Environment::new());
    product.asks(&format!("df://127.0.0.1:{}", cluster.port));
    let output = product.ran(&["--config", "cluster.toml", "query", count], "");
    let complained = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success(), "{complained}");
    assert!(complained.contains("a cluster cannot read the table `operations`: another program removed rows of it"), "{complained}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

#[test]
#[ignore = "needs Python with moto: `cargo xtask test` sets it up"]
fn a_folder_a_bucket_and_a_cluster_on_the_bucket_give_equal_answers() {
    let server = Server::start();
    // The executors read the bucket by what their own environment says of it.
    let environment = vec![
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", format!("http://{}", server.address)),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ];
    let now = jiff::Timestamp::now();
    let [local, bucket] = ["", "\n[store]\nurl = \"s3://team/tables\"\n"].map(|store| {
        let product = Product::new(store, &environment);
        product.used(now);
        // The events decide, not what was counted before.
        fs::remove_file(product.path(".milepost/store/rollups.json")).expect("removed");
        product
    });
    assert!(local.path(".milepost/store/operations").exists() && !bucket.path(".milepost/store/operations").exists());
    let cluster = Cluster::start(bucket.folder.path(), &environment);
    bucket.asks(&format!("df://127.0.0.1:{}", cluster.port));
    for words in &ANSWERS[..3] {
        let folder = lasting(&local.said(words));
        let [embedded, asked] = bucket.both(words).map(|answer| lasting(&answer));
        assert_eq!(folder, embedded, "{words:?}: a bucket");
        assert_eq!(embedded, asked, "{words:?}: a cluster on it");
    }
}

#[test]
fn what_is_wrong_with_a_cluster_is_said() {
    let product = Product::new("", &Environment::new());
    product.said_of(&["record"], include_str!("../../milepost/tests/report.jsonl"));
    let [port] = ports();
    product.asks(&format!("df://127.0.0.1:{port}"));
    let output = product.ran(&["--config", "cluster.toml", "query", "SELECT count(*) FROM operations"], "");
    let complained = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(4), "{complained}");
    assert!(complained.contains(&format!("the cluster df://127.0.0.1:{port} cannot be reached")), "{complained}");
    let written_by_all = fs::Permissions::from_mode(0o666);
    fs::set_permissions(product.path("cluster.toml"), written_by_all).expect("allowed");
    let output = product.ran(&["--config", "cluster.toml", "query", "SELECT count(*) FROM operations"], "");
    let complained = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{complained}");
    assert!(complained.contains("is not asked, for somebody else could have written"), "{complained}");
    product.asks("http://127.0.0.1");
    let output = product.ran(&["--config", "cluster.toml", "status"], "");
    let complained = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(complained.contains("this is no cluster: it does not begin with df://"), "{complained}");
}
