//! `cargo xtask bench cluster`: the same events in a folder and in a bucket, and a Ballista cluster on that bucket: what each takes to answer
//! from the events. It fails where two answers differ.

use crate::{
    Done,
    bench::released,
    cargo,
    figures::Figures,
    output,
    page::{Place, holds},
    root, run, target,
    test::python,
};
use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How many operations of ninety days there are, where `MILEPOST_BENCH_EVENTS` says nothing else.
const EVENTS: &str = "1000000";
const ROUNDS: usize = 5;
/// How long a server may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 4;
const QUERY: &str = "SELECT operation, backend, day, count(*) AS n, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_us) AS p95_us \
                     FROM operations GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
const ANSWERS: [(&str, &[&str]); 5] = [
    ("`status`", &["status", "--format", "json"]),
    ("`report full`", &["report", "full", "--format", "json"]),
    ("`report full --exact`", &["report", "full", "--exact", "--format", "json"]),
    ("`compare` of two backends", &["compare", "backend=native", "backend=subprocess", "--format", "json"]),
    ("`query`: P95 by operation, backend and day", &["query", QUERY, "--format", "csv"]),
];

/// A process that ends with the benchmark.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self, String> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().map(Self).map_err(|error| format!("cannot run {}: {error}", quiet.get_program().display()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Milepost and the cluster have to know of the bucket.
struct Bucket {
    _server: Running,
    address: SocketAddr,
}

impl Bucket {
    fn start() -> Result<Self, String> {
        let python = python("bucket-python", "crates/milepost/tests/bucket/requirements.txt")?;
        let [address] = addresses()?;
        let mut moto = Command::new(python);
        moto.args(["-m", "moto.server", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
        let bucket = Self { _server: Running::start(&mut moto)?, address };
        listens(address)?;
        let made = || {
            let mut stream = TcpStream::connect(address)?;
            write!(stream, "PUT /team HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            stream.read_to_string(&mut String::new())
        };
        made().map_err(|error| format!("the bucket cannot be made: {error}"))?;
        Ok(bucket)
    }

    fn known_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
        ]);
        command.env("AWS_ENDPOINT_URL_S3", format!("http://{}", self.address))
    }
}

/// A scheduler and two executors, with a processor each.
struct Cluster {
    address: SocketAddr,
    _running: [Running; 3],
}

impl Cluster {
    fn start(folder: &Path, bucket: &Bucket) -> Result<Self, String> {
        run(cargo().args(["build", "--release", "--package", "milepost-cluster", "--examples"]))?;
        let start = |name: &str, words: String| {
            let mut command = Command::new(target().join("release/examples").join(name));
            Running::start(bucket.known_to(command.args(words.split_whitespace())))
        };
        let [address] = addresses()?;
        let port = address.port();
        let words = format!("--bind-host 127.0.0.1 --bind-port {port} --external-host 127.0.0.1 --scheduler-policy pull-staged");
        let scheduler = start("scheduler", words)?;
        listens(address)?;
        let executor = |n: usize| {
            let [flight, grpc, health] = addresses()?.map(|address| address.port());
            let words = format!(
                "--scheduler-host 127.0.0.1 --scheduler-port {port} --task-scheduling-policy pull-staged --bind-host 127.0.0.1
                 --external-host 127.0.0.1 --bind-port {flight} --bind-grpc-port {grpc} --bind-health-port {health} --vcores 1 --work-dir {}",
                folder.join(format!("executor-{n}")).display()
            );
            start("executor", words)
        };
        Ok(Self { address, _running: [scheduler, executor(0)?, executor(1)?] })
    }
}

/// Addresses that nobody listens at: all are held until all are known.
fn addresses<const N: usize>() -> Result<[SocketAddr; N], String> {
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    let held = (0..N).map(|_| free()).collect::<Result<Vec<_>, _>>().map_err(|error| format!("there is no free port: {error}"))?;
    let free: Vec<_> = held.iter().map(|(address, _)| *address).collect();
    free.try_into().map_err(|_| "there are too few free ports".to_owned())
}

fn listens(address: SocketAddr) -> Done {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        holds(begun.elapsed() < PATIENCE, "every server listens")?;
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Where an answer comes from.
struct Side<'a> {
    name: &'a str,
    place: &'a Place<'a>,
    config: PathBuf,
    bucket: Option<&'a Bucket>,
}

impl Side<'_> {
    /// What is said, without the moments at which it is, and how many seconds it takes.
    fn said(&self, words: &[&str]) -> Result<(String, f64), String> {
        let mut command = self.place.milepost(words);
        command.env("MILEPOST_CONFIG", &self.config);
        if let Some(bucket) = self.bucket {
            bucket.known_to(&mut command);
        }
        let begun = Instant::now();
        // What `status` ends with is about the criteria.
        let ran = command.output().map_err(|error| format!("cannot run milepost: {error}"))?;
        let took = begun.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&ran.stdout);
        let complaint = String::from_utf8_lossy(&ran.stderr);
        holds(!said.trim().is_empty(), &format!("{} answers {}: {complaint}", self.name, words.join(" ")))?;
        Ok((without_moments(&said), took))
    }
}

/// Without the moments at which it is said, and up to which it is asked.
fn without_moments(said: &str) -> String {
    let mut said = said.to_owned();
    for key in ["\"generated_at\":", "\"to\":"] {
        let mut pieces = said.split(key);
        let mut rest = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            rest.push_str(piece.split_once('"').and_then(|(_, of)| of.split_once('"')).map_or(piece, |(_, after)| after));
        }
        said = rest;
    }
    said
}

pub(crate) fn bench() -> Done {
    let milepost = released()?;
    let built = target().join("bench");
    let build = ["build", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", "crowd", "--target-dir"];
    run(cargo().args(build).arg(&built))?;
    let events = env::var("MILEPOST_BENCH_EVENTS").unwrap_or_else(|_| EVENTS.to_owned());
    let folder = target().join("bench-cluster");
    let bucket = Bucket::start()?;
    let (local, remote) = (Place::new(folder.join("folder"), &milepost)?, Place::new(folder.join("bucket"), &milepost)?);
    let more = |place: &Place<'_>, name: &str, more: &str| -> Result<PathBuf, String> {
        let (from, to) = (place.folder.join("milepost.toml"), place.folder.join(name));
        let text = fs::read_to_string(&from).map_err(|error| format!("cannot read {}: {error}", from.display()))?;
        fs::write(&to, text + more).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
        Ok(to)
    };
    let in_bucket = "\n[store]\nurl = \"s3://team/tables\"\n";
    let cluster = Cluster::start(&folder, &bucket)?;
    let engine = format!("{in_bucket}\n[engine]\nurl = \"df://{}\"\npartitions = {PARTITIONS}\n", cluster.address);
    let sides = [
        Side { name: "a folder", place: &local, config: local.folder.join("milepost.toml"), bucket: None },
        Side { name: "a bucket", place: &remote, config: more(&remote, "bucket.toml", in_bucket)?, bucket: Some(&bucket) },
        Side { name: "a cluster on the bucket", place: &remote, config: more(&remote, "cluster.toml", &engine)?, bucket: Some(&bucket) },
    ];
    // Made once, as they end at the moment at which they are made.
    let lines = folder.join("events.jsonl");
    let failed = |error| format!("cannot make the events: {error}");
    let into = fs::File::create(&lines).map_err(failed)?;
    let made = Command::new(built.join("release/crowd")).arg(&events).stdout(into).status().map_err(failed)?;
    holds(made.success(), "all events are made")?;
    // They are one machine to whoever reads: its name is part of an answer.
    output(local.milepost(&["record", "note", "--topic", "decision", "--text", "begin"]).stdin(Stdio::null()))?;
    let identity = |place: &Place<'_>| place.data().join("identity.json");
    let copied = fs::create_dir_all(remote.data()).and_then(|()| fs::copy(identity(&local), identity(&remote)));
    copied.map_err(|error| format!("cannot copy {}: {error}", identity(&local).display()))?;
    for side in &sides[..2] {
        for lines in [&lines, &root().join("crates/milepost/tests/report.jsonl")] {
            let lines = fs::File::open(lines).map_err(|error| format!("cannot read {}: {error}", lines.display()))?;
            output(side.place.milepost(&["record"]).stdin(lines))?;
        }
        let mut track = side.place.milepost(&["track"]);
        track.env("MILEPOST_CONFIG", &side.config).stdout(Stdio::null()).stderr(Stdio::null());
        bucket.known_to(&mut track).status().map_err(|error| format!("cannot run milepost track: {error}"))?;
        let rollups = side.place.data().join("store/rollups.json");
        let counted = side.said(ANSWERS[0].1)?.0;
        fs::remove_file(&rollups).map_err(|error| format!("there are no rollups: {error}"))?;
        holds(counted == side.said(ANSWERS[0].1)?.0, "rollups say what the events say")?;
    }
    let mut figures = Figures::of("cluster");
    figures.say(format!(
        "{events} operations of ninety days, read without rollups: the median of {ROUNDS} runs in turn, the fastest to the slowest; a \
         scheduler and two executors of a processor each on this machine, and a server in Python for the bucket\n"
    ));
    figures.say("| | tables in a folder | in a bucket | a cluster on the bucket |\n|---|---:|---:|---:|");
    for (name, words) in ANSWERS {
        let mut took = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let mut answers = Vec::new();
            for (side, took) in sides.iter().zip(&mut took) {
                let (answer, seconds) = side.said(words)?;
                answers.push(answer);
                took.push(seconds);
            }
            holds(answers.iter().all(|answer| *answer == answers[0]), &format!("all answer {name} alike"))?;
        }
        let cells = took.map(|mut took| {
            took.sort_by(f64::total_cmp);
            format!("{:.2} s ({:.2} to {:.2})", took[ROUNDS / 2], took[0], took[ROUNDS - 1])
        });
        figures.say(format!("| {name} | {} |", cells.join(" | ")));
    }
    figures.publish()
}
