//! `milepost track` tells of what changed: to a real server that fails before it works, and to a command.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const CRITERION: &str = "
[[criterion]]
name = \"Coverage\"
metric = \"coverage.statements\"
at_least = \"90%\"
tier = \"must\"
";

/// A folder with a configuration, and a folder for the data.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn with(alerts: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.configure(&format!("{alerts}{CRITERION}"));
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn configure(&self, config: &str) {
        let path = self.path("milepost.toml");
        fs::write(&path, format!("[project]\nname = \"p & <q>\"\n{config}")).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("allowed");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        // A proxy that nobody asked for hears of nothing.
        command.env("http_proxy", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    fn measure(&self, percent: &str) {
        self.measure_as("coverage.statements", percent);
    }

    fn measure_as(&self, name: &str, percent: &str) {
        let output = self.run(&["record", "measurement", "--name", name, "--value", percent, "--unit", "%"]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// `milepost track`, which succeeds and complains of nothing.
    fn track(&self) -> String {
        let output = self.run(&["track"]);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{}", stdout(&output));
        stdout(&output)
    }

    /// `milepost track` that cannot deliver, and what it complains of.
    fn track_in_vain(&self) -> String {
        let output = self.run(&["track"]);
        assert_eq!(output.status.code(), Some(4), "{}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).contains("for the next time"), "{}", stdout(&output));
        assert!(self.path(".milepost/reports/latest.html").is_file(), "the rest is done");
        stderr(&output)
    }

    /// The criterion is met, and then missed at one run: the next one tells it.
    fn met_and_once_missed(&self) {
        self.measure("95");
        self.track();
        self.measure("80");
        self.track();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[derive(Clone, Copy)]
enum Behaviour {
    /// Takes a request, and says nothing.
    Hang,
    Answer(&'static str),
}

/// A server on this machine.
struct Server {
    port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug)]
struct Request {
    head: String,
    body: Value,
}

impl Server {
    fn start(behaviour: Behaviour) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"), behaviour)
    }

    fn on(listener: TcpListener, behaviour: Behaviour) -> Self {
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
        };
        let (behaviour, requests) = (Arc::clone(&server.behaviour), Arc::clone(&server.requests));
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&stream) else { continue };
                let behaviour = *behaviour.lock().expect("no panic");
                requests.lock().expect("no panic").push(request);
                match behaviour {
                    Behaviour::Hang => hanging.push(stream),
                    Behaviour::Answer(answer) => {
                        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                        // Whoever does not wait for the answer has hung up.
                        let _ = stream.write_all(answer.as_bytes());
                    }
                }
            }
        });
        server
    }

    fn becomes(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("no panic") = behaviour;
    }

    /// What came since the last call.
    fn took(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().expect("no panic"))
    }

    fn bodies(&self) -> Vec<Value> {
        self.took().into_iter().map(|request| request.body).collect()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/SECRET?key=SECRET", self.port)
    }

    fn alert(&self, more: &str) -> String {
        format!("[[alert]]\nwebhook = \"{}\"\ntimeout = \"2s\"\n{more}\n", self.url())
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: serde_json::from_slice(&body).expect("JSON") })
}

const WORKS: Behaviour = Behaviour::Answer("204 No Content");

fn kinds(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["kind"].as_str().expect("a kind")).collect()
}

#[test]
fn a_change_is_told_once_it_lasted_two_runs_and_cleared_when_it_is_over() {
    let server = Server::start(WORKS);
    let place = Place::with(&server.alert(""));
    place.met_and_once_missed();
    assert_eq!(server.bodies(), [] as [Value; 0], "what was there from the first is no change, and one run is not enough");
    let said = place.track();
    assert!(said.contains("Alert") && said.contains("Coverage (must) is missed: 80%, wanted"), "{said}");
    assert!(!said.contains("SECRET") && said.contains(&format!("http://127.0.0.1:{}", server.port)), "{said}");
    let took = server.took();
    let [missed] = took.as_slice() else { panic!("one alert, not {took:?}") };
    assert!(missed.head.starts_with("POST /services/SECRET?key=SECRET HTTP/1.1"), "{}", missed.head);
    assert!(missed.head.to_lowercase().contains("content-type: application/json"), "{}", missed.head);
    let missed = &missed.body;
    let shown = ["version", "kind", "criterion", "tier", "verdict", "project", "clears", "estimate", "unit", "n"].map(|key| &missed[key]);
    let expected = json!([1, "missed", "Coverage", "must", "missed", "p & <q>", null, 80.0, "%", 2]);
    assert_eq!(json!(shown), expected);
    place.track();
    place.track();
    assert_eq!(server.bodies(), [] as [Value; 0], "never twice");
    place.measure("99");
    place.track();
    assert_eq!(server.bodies(), [] as [Value; 0]);
    place.track();
    let met = server.bodies();
    assert_eq!(kinds(&met), ["met"]);
    assert_eq!(met[0]["clears"], missed["id"]);
    place.track();
    assert_eq!(server.bodies(), [] as [Value; 0]);
}

#[test]
fn what_cannot_be_delivered_is_kept_and_nothing_is_told_twice() {
    // A port on which nobody listens yet.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let alert = format!("[[alert]]\nwebhook = \"http://127.0.0.1:{port}/SECRET\"\ntimeout = \"2s\"\n");
    let place = Place::with(&alert);
    place.met_and_once_missed();
    let refused = place.track_in_vain();
    assert!(refused.contains(&format!("no alert to http://127.0.0.1:{port}: it cannot be reached: ")), "{refused}");
    assert!(refused.contains("refused") && !refused.contains("SECRET"), "{refused}");
    let doctor = stdout(&place.run(&["doctor"]));
    assert!(doctor.contains("! Alerts") && doctor.contains("1 waits for the next time"), "{doctor}");
    // It is over again before anybody heard of it: both are told, in their order.
    place.measure("99");
    place.track_in_vain();
    place.track_in_vain();
    let server = Server::on(TcpListener::bind(("127.0.0.1", port)).expect("the same port"), Behaviour::Hang);
    let hangs = place.track_in_vain();
    assert!(hangs.contains("it does not answer within 2000 ms"), "{hangs}");
    server.becomes(Behaviour::Answer("500 Internal Server Error"));
    assert!(place.track_in_vain().contains("it answers 500 Internal Server Error"));
    server.becomes(Behaviour::Answer("302 Found\r\nLocation: http://127.0.0.1:1/"));
    assert!(place.track_in_vain().contains("redirects are not followed"));
    let tried = server.bodies();
    assert_eq!(kinds(&tried), ["missed", "missed", "missed"], "the first that fails ends the round");
    server.becomes(WORKS);
    let said = place.track();
    assert!(!said.contains("for the next time"), "{said}");
    let took = server.bodies();
    assert_eq!(kinds(&took), ["missed", "met"]);
    assert_eq!((&took[0]["id"], &took[1]["clears"]), (&tried[0]["id"], &took[0]["id"]), "a receiver can tell a repeat");
    place.track();
    assert_eq!(server.bodies(), [] as [Value; 0]);
    assert!(!stdout(&place.run(&["doctor"])).contains("! Alerts"));
    let kept = fs::read_to_string(place.path(".milepost/alerts.json")).expect("a file");
    assert!(!kept.contains("SECRET"), "{kept}");
}

#[test]
fn so_many_wait_and_then_the_oldest_is_dropped_and_counted() {
    let place = Place::with("[[alert]]\ncommand = [\"false\"]\n");
    place.met_and_once_missed();
    place.track_in_vain();
    let path = place.path(".milepost/alerts.json");
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
    kept["waiting"] = vec![kept["waiting"][0].clone(); 1000].into();
    fs::write(&path, kept.to_string()).expect("written");
    place.measure("99");
    place.track_in_vain();
    place.track_in_vain();
    let doctor = stdout(&place.run(&["doctor"]));
    assert!(doctor.contains("1000 wait for the next time, 1 dropped"), "{doctor}");
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
    assert_eq!(kept["waiting"][999]["alert"]["kind"], "met", "the newest is there");
}

#[test]
fn one_that_fails_keeps_nothing_from_the_others() {
    let [broken, works] = [Behaviour::Answer("500 Internal Server Error"), WORKS].map(Server::start);
    let place = Place::with(&[broken.alert(""), works.alert("")].concat());
    place.met_and_once_missed();
    place.track_in_vain();
    assert_eq!((kinds(&broken.bodies()), kinds(&works.bodies())), (vec!["missed"], vec!["missed"]));
    // Its URL was wrong, and is mended.
    let other = Server::start(WORKS);
    place.configure(&[&other.alert(""), &works.alert(""), CRITERION].concat());
    place.track();
    assert_eq!((kinds(&other.bodies()), works.bodies().len(), broken.bodies().len()), (vec!["missed"], 0, 0));
}

#[test]
fn a_command_reads_the_alert() {
    let place = Place::with("[[alert]]\ncommand = [\"sh\", \"-c\", \"cat >> told.jsonl; test -f works\"]\n");
    place.met_and_once_missed();
    let failed = place.track_in_vain();
    assert!(failed.contains("no alert to sh: it failed (exit code 1)"), "{failed}");
    fs::write(place.path("works"), "").expect("written");
    place.track();
    place.track();
    let told = fs::read_to_string(place.path("told.jsonl")).expect("a file");
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(kinds(&told), ["missed", "missed"], "once in vain");
    assert_eq!(told[0], told[1]);
    // One that hangs is ended, and one that is not there is said.
    let alert = "[[alert]]\ncommand = [\"sleep\", \"600\"]\ntimeout = \"200ms\"\n[[alert]]\ncommand = [\"no-such-program\"]\n";
    place.configure(&[alert, CRITERION].concat());
    place.measure("99");
    place.track();
    let failed = place.track_in_vain();
    assert!(failed.contains("no alert to sleep: it took longer than 200 ms and was ended"), "{failed}");
    assert!(failed.contains("no alert to no-such-program: "), "{failed}");
}

#[test]
fn slack_is_told_in_its_shape_and_names_are_no_signs() {
    let server = Server::start(WORKS);
    let hostile = "
[[criterion]]
name = \"<!channel> & \\\"quoted\\\" <http://evil.example|safe>\"
metric = \"coverage.statements\"
at_least = \"90%\"
";
    let place = Place::with("");
    place.configure(&format!("{}{}{hostile}", server.alert("format = \"slack\""), server.alert("").replace("/services", "/other")));
    place.met_and_once_missed();
    place.track();
    let took = server.bodies();
    let [slack, plain] = took.as_slice() else { panic!("two alerts, not {took:?}") };
    assert_eq!(slack.as_object().map(|message| message.keys().collect::<Vec<_>>()), Some(vec![&"text".to_owned()]));
    let text = slack["text"].as_str().expect("a text");
    let name = "&lt;!channel&gt; &amp; \"quoted\" &lt;http://evil.example|safe&gt;";
    assert!(text.starts_with(&format!("p &amp; &lt;q&gt;: {name} is missed: 80%")), "{text}");
    assert!(!text.contains(['<', '>']), "{text}");
    assert_eq!(plain["criterion"], "<!channel> & \"quoted\" <http://evil.example|safe>");
}

#[test]
fn only_some_tiers_are_told_of_and_what_is_removed_is_silent_at_once() {
    let [must, all] = [WORKS, Behaviour::Answer("503 Service Unavailable")].map(Server::start);
    let nice = "\n[[criterion]]\nname = \"Branches\"\nmetric = \"coverage.branches\"\nat_least = \"90%\"\ntier = \"nice\"\n";
    let alerts = [must.alert("only = [\"must\", \"should\"]"), all.alert("")].concat();
    let place = Place::with("");
    place.configure(&[&alerts, CRITERION, nice].concat());
    for percent in ["95", "80"] {
        place.measure(percent);
        place.measure_as("coverage.branches", percent);
        place.track();
    }
    place.track_in_vain();
    let took = must.bodies();
    assert_eq!((kinds(&took), &took[0]["criterion"]), (vec!["missed"], &json!("Coverage")));
    // Two alerts wait for the other; one of their criteria is removed.
    all.becomes(WORKS);
    all.took();
    place.configure(&[&alerts, nice].concat());
    place.track();
    let took = all.bodies();
    assert_eq!((kinds(&took), &took[0]["criterion"]), (vec!["missed"], &json!("Branches")));
    // It comes back as it was: nothing changed since it is watched again.
    place.configure(&[&alerts, CRITERION, nice].concat());
    place.track();
    place.track();
    assert_eq!((must.bodies().len(), all.bodies().len()), (0, 0));
}

#[test]
fn a_test_tells_whether_alerts_arrive() {
    let server = Server::start(WORKS);
    let place = Place::with("");
    let none = place.run(&["track", "--test-alert"]);
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
    assert!(stderr(&none).contains("there is no [[alert]]"), "{}", stderr(&none));
    place.configure(&[&server.alert(""), "[[alert]]\nwebhook_env = \"HOOK\"\nformat = \"slack\"\n", CRITERION].concat());
    let unset = place.run(&["track", "--test-alert"]);
    assert_eq!(unset.status.code(), Some(4));
    assert_eq!(stdout(&unset), format!("A test went to http://127.0.0.1:{}.\n", server.port));
    assert!(stderr(&unset).contains("no alert to $HOOK: the variable is not set here"), "{}", stderr(&unset));
    assert_eq!(kinds(&server.bodies()), ["test"]);
    let set = place.command(&["track", "--test-alert"]).env("HOOK", server.url()).output().expect("milepost runs");
    assert_eq!((set.status.code(), stderr(&set).as_str()), (Some(0), ""));
    assert_eq!(server.bodies()[1]["text"], "p &amp; &lt;q&gt;: this is a test: alerts of Milepost arrive here");
    assert!(!place.path(".milepost/alerts.json").exists() && !place.path(".milepost/reports").exists(), "nothing else is done");
}

#[test]
fn a_server_that_does_not_speak_https_is_told_nothing_over_it() {
    let server = Server::start(WORKS);
    let place = Place::with(&server.alert("").replace("http://", "https://"));
    let output = place.run(&["track", "--test-alert"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(&format!("no alert to https://127.0.0.1:{}: it cannot be reached: ", server.port)), "{said}");
    assert!(!said.contains("SECRET"), "{said}");
    assert_eq!(server.bodies(), [] as [Value; 0]);
}

#[test]
fn nothing_is_sent_for_somebody_else_or_by_who_does_not_record() {
    let server = Server::start(WORKS);
    let place = Place::with(&server.alert(""));
    place.met_and_once_missed();
    let off = place.command(&["track"]).env("MILEPOST_DISABLED", "1").output().expect("milepost runs");
    assert!(stderr(&off).contains("since MILEPOST_DISABLED is set"), "{}", stderr(&off));
    fs::set_permissions(place.path("milepost.toml"), fs::Permissions::from_mode(0o666)).expect("allowed");
    for args in [&["track"][..], &["track", "--test-alert"]] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("no alert is sent, for somebody else could have written"), "{}", stderr(&output));
    }
    assert_eq!(server.bodies(), [] as [Value; 0]);
    fs::set_permissions(place.path("milepost.toml"), fs::Permissions::from_mode(0o644)).expect("allowed");
    // What is remembered is damaged, or of a newer version.
    let kept = place.path(".milepost/alerts.json");
    fs::write(&kept, "{\"version\": 2, \"anything\": 1}").expect("written");
    let newer = place.run(&["track"]);
    assert_eq!(newer.status.code(), Some(4));
    assert!(
        stderr(&newer).contains(concat!("has version 2, and this Milepost (", env!("CARGO_PKG_VERSION"), ") reads version 1")),
        "{}",
        stderr(&newer)
    );
    fs::write(&kept, "{").expect("written");
    let damaged = place.run(&["track"]);
    assert!(stderr(&damaged).contains("is damaged and set aside as"), "{}", stderr(&damaged));
    assert!(place.path(".milepost/alerts.damaged.json").is_file());
    place.track();
    assert_eq!(server.bodies(), [] as [Value; 0]);
}
