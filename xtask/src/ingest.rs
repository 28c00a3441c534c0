//! `cargo xtask bench ingest`: how many events a second one client gets acknowledged by `milepost serve`, beside VictoriaMetrics, and how many
//! a second are taken from the spool into the tables. `MILEPOST_BENCH_EVENTS` says how many events each round has.

use crate::{
    Done,
    bench::released,
    cargo,
    figures::Figures,
    floods::{Server, measured, memory},
    have, output, run, target,
};
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const ROUNDS: usize = 5;
const EVENTS: u64 = 1_000_000;
const RIVAL: &str = "victoria-metrics";
/// Nothing is judged: `track` does no more beside taking in than it does for any product.
const CONFIG: &str = "[project]\nname = \"ingest\"\n";

pub(crate) fn bench() -> Done {
    let milepost = released()?;
    let built = target().join("bench");
    let mut command = cargo();
    command.args(["build", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml"]);
    command.args(["--features", "otlp", "--bin", "send", "--bin", "crowd", "--target-dir"]);
    run(command.arg(&built))?;
    let [send, crowd] = ["send", "crowd"].map(|name| built.join("release").join(name));
    let events = env::var("MILEPOST_BENCH_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(EVENTS);
    let has_rival = have(RIVAL, RIVAL);
    let (mut ours, mut theirs, mut taken_in) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(sent(&milepost, &send, events)?);
        if has_rival {
            theirs.push(rival(&send, events)?);
        }
        taken_in.push(compacted(&milepost, &crowd, events)?);
    }
    let mut figures = Figures::of("ingest");
    figures.say(format!(
        "{events} operations, {ROUNDS} rounds in turn, each with empty folders\n\n\
         | what | events a second, median | fastest to slowest | peak memory |\n|---|---:|---:|---:|"
    ));
    figures.say(row(
        "acknowledged by `milepost serve`: OTLP/HTTP, 8192 spans a request, one client; spooled, and taken into the tables meanwhile",
        ours,
    ));
    if has_rival {
        figures.say(row("acknowledged by VictoriaMetrics: the line protocol of InfluxDB, without the person, one client", theirs));
    }
    figures.say(row("`milepost track` of all of them waiting in the spool, with nothing to judge: tables, rollups and the page", taken_in));
    if !has_rival {
        figures.say(format!("\nThere is no {RIVAL} to measure beside it: install it, as by `apt-get install {RIVAL}`."));
    }
    figures.publish()
}

/// Events a second, and the most memory, in bytes.
type Round = (f64, u64);

fn row(what: &str, mut rounds: Vec<Round>) -> String {
    rounds.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let [slowest, median, fastest] = [0, rounds.len() / 2, rounds.len() - 1].map(|at| rounds[at].0 / 1e3);
    let peak = rounds.iter().map(|(_, peak)| peak >> 20).max().unwrap_or_default();
    format!("| {what} | {median:.0} k | {fastest:.0} k to {slowest:.0} k | {peak} MiB |")
}

fn folder(name: &str) -> Result<PathBuf, String> {
    let folder = target().join("bench-ingest").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join(".milepost")).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    fs::write(folder.join("milepost.toml"), CONFIG).map_err(|error| format!("cannot write the configuration: {error}"))?;
    Ok(folder)
}

/// What one client got acknowledged.
fn sent(milepost: &Path, send: &Path, events: u64) -> Result<Round, String> {
    let folder = folder("milepost")?;
    let server = Server::start(milepost, &folder, &[])?;
    let rate = acknowledged(send, "otlp", &server.otlp.to_string(), events)?;
    let peak = server.memory("VmHWM:");
    drop(server);
    let (_, counted, _) = measured(milepost, &folder, &["query", "SELECT count(*) AS n FROM operations", "--format", "csv"])?;
    match counted.lines().nth(1).and_then(|n| n.trim().parse::<u64>().ok()) {
        Some(n) if n == events => Ok((rate, peak)),
        _ => Err(format!("{events} events were acknowledged, and there are {counted}")),
    }
}

fn acknowledged(send: &Path, format: &str, server: &str, events: u64) -> Result<f64, String> {
    let said = output(Command::new(send).args([format, server, &events.to_string()]))?;
    let mut words = said.split_whitespace().map(str::parse::<f64>);
    match (words.next(), words.next()) {
        (Some(Ok(rate)), Some(Ok(again))) => {
            if again > 0.0 {
                println!("{format}: {again} requests had no room at first");
            }
            Ok(rate)
        }
        _ => Err(format!("{} printed {said}", send.display())),
    }
}

struct Rival(Child);

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rival(send: &Path, events: u64) -> Result<Round, String> {
    let folder = folder("rival")?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.map_err(|error| format!("there is no free port: {error}"))?;
    let mut command = Command::new(RIVAL);
    command.arg(format!("-storageDataPath={}", folder.join("data").display())).arg(format!("-httpListenAddr={address}"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|error| format!("cannot run {RIVAL}: {error}"))?;
    let child = Rival(child);
    for _ in 0..100 {
        if TcpStream::connect(address).is_ok() {
            let rate = acknowledged(send, "influx", &address.to_string(), events)?;
            return Ok((rate, memory(child.0.id(), "VmHWM:")));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(format!("{RIVAL} does not listen at {address}"))
}

/// How what waits in the spool gets into the tables.
fn compacted(milepost: &Path, crowd: &Path, events: u64) -> Result<Round, String> {
    let folder = folder("spool")?;
    let failed = |error| format!("cannot make the events: {error}");
    let mut made = Command::new(crowd).arg(events.to_string()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let lines = made.stdout.take().ok_or("the events cannot be read")?;
    output(
        Command::new(milepost).arg("record").current_dir(&folder).env_remove("MILEPOST_DATA").env_remove("MILEPOST_CONFIG").stdin(lines),
    )?;
    if !made.wait().map_err(failed)?.success() {
        return Err(format!("{} ended before its end", crowd.display()));
    }
    let (took, _, peak) = measured(milepost, &folder, &["track"])?;
    Ok((events as f64 / took.as_secs_f64(), peak))
}
