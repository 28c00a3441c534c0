//! `milepost serve` and strangers: each is answered as docs/serve.md has it, and whoever has a token comes in.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Beyond this something hangs, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);
const CONFIG: &str = "\
[project]
name = \"test\"

[[criterion]]
name = \"Search is fast\"
metric = \"latency.p95\"
below = \"500ms\"
tier = \"must\"
since = \"2026-01-01\"
";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.path("milepost.toml"), CONFIG).expect("written");
        fs::create_dir(place.path(".milepost")).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("milepost runs")
    }

    fn token(&self, name: &str, scope: &str) -> String {
        let output = self.run(&["token", "add", name, scope]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).expect("text").trim_end().to_owned();
        assert!(!String::from_utf8_lossy(&output.stderr).contains(&token));
        token
    }

    /// What is said where it does not serve.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(&[&["serve", "--otlp-http", "off", "--otlp-grpc", "off"], args].concat());
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{args:?}");
        String::from_utf8_lossy(&output.stderr).replace('\n', " ")
    }

    fn serve(&self, args: &[&str]) -> Server {
        let mut child =
            self.command(&[&["serve", "--otlp-http", "off", "--otlp-grpc", "off"], args].concat()).spawn().expect("milepost runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
        let addresses: Value = serde_json::from_str(&line).expect("JSON");
        let dashboard = addresses["dashboard"].as_str().expect("an address");
        let (_, host) = dashboard.trim_end_matches('/').split_once("://").expect("an address");
        let port = host.parse::<SocketAddr>().expect("an address").port();
        let said = Arc::new(Mutex::new(String::new()));
        let (heard, mut from) = (Arc::clone(&said), BufReader::new(child.stderr.take().expect("an output")));
        thread::spawn(move || {
            let mut line = String::new();
            while from.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                heard.lock().expect("nobody panicked").push_str(&line);
                line.clear();
            }
        });
        Server { child, port, said }
    }
}

struct Server {
    child: Child,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request for something that is there at once.
fn request(host: &str, more: &str) -> String {
    format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
}

fn basic(token: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("anybody:{token}")))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// All that comes back until the other side hangs up.
fn heard(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    // Whoever is hung up on cannot say all, nor hear all.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut heard = Vec::new();
    if let Err(error) = stream.read_to_end(&mut heard) {
        assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "it never hangs up");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// The status of an answer, or that there is none.
fn answer(heard: &str) -> String {
    let Some(rest) = heard.strip_prefix("HTTP/1.1 ") else { return "closed".to_owned() };
    let lower = heard.to_lowercase();
    assert!(!lower.contains("access-control-"), "{heard}");
    assert!(lower.contains("content-security-policy: default-src 'none'") || lower.contains("content-length: 0"), "{heard}");
    rest.get(..3).expect("a status").to_owned()
}

impl Server {
    /// A connection from an address of this machine.
    fn connect(&self, from: [u8; 4]) -> TcpStream {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind((from, 0).into()).expect("an address");
            socket.connect(([127, 0, 0, 1], self.port).into()).await.expect("a connection").into_std().expect("a stream")
        });
        stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).expect("set");
        stream
    }

    fn heard(&self, bytes: impl AsRef<[u8]>) -> String {
        heard(self.connect([127, 0, 0, 1]), bytes.as_ref())
    }

    fn says_to(&self, from: [u8; 4], bytes: impl AsRef<[u8]>) -> String {
        answer(&heard(self.connect(from), bytes.as_ref()))
    }

    fn says(&self, bytes: impl AsRef<[u8]>) -> String {
        answer(&self.heard(bytes))
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// The table of docs/serve.md.
fn documented() -> BTreeMap<String, String> {
    let text = include_str!("../../../docs/serve.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.skip(1).map(|(what, answer)| (what.to_owned(), answer.to_owned())).collect()
}

/// A TLS hello of a real client.
fn hello(config: Arc<ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut bytes = Vec::new();
    ClientConnection::new(config, name).expect("a client").write_tls(&mut bytes).expect("a hello");
    bytes
}

fn trusting(certificate: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    Arc::new(config.expect("a protocol").with_root_certificates(roots).with_no_client_auth())
}

/// A certificate for this machine and its key, as PEM.
fn certified() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl Place {
    fn certify(&self, (certificate, key): &(String, String)) {
        fs::write(self.path("cert.pem"), certificate).expect("written");
        fs::write(self.path("key.pem"), key).expect("written");
    }
}

#[test]
fn strangers_are_answered_as_documented() {
    let place = Place::new();
    let (to_read, to_write, gone) = (place.token("page", "--read"), place.token("ci", "--write"), place.token("gone", "--read"));
    let certified = certified();
    place.certify(&certified);
    let open = place.serve(&["--listen", "127.0.0.1:0"]);
    let guarded = place.serve(&["--listen", "0.0.0.0:0"]);
    let sealed = place.serve(&["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let hello = hello(trusting(&certified.0));
    let host = open.host();
    let mut found = BTreeMap::new();
    // These wait for the time to pass: all at once.
    thread::scope(|scope| {
        let slow: [(&str, &Server, &[u8]); 3] = [
            ("a connection that says nothing, for 10 s", &open, b""),
            ("a request that is not complete within 10 s", &open, b"GET / HTTP/1.1\r\nHost: x\r\n"),
            ("a TLS handshake that is not complete within 10 s", &sealed, &hello[..20]),
        ];
        let slow: Vec<_> = slow.into_iter().map(|(what, server, bytes)| (what, scope.spawn(move || server.says(bytes)))).collect();
        let mut found_is = |what: &str, answer: String| assert!(found.insert(what.to_owned(), answer).is_none(), "{what} twice");

        found_is("a TLS hello, where there is no TLS", open.says(&hello));
        found_is("the greeting of SSH", open.says("SSH-2.0-OpenSSH_9.9\r\n"));
        found_is("a request of HTTP/0.9", open.says("GET /\r\n"));
        found_is("the preface of HTTP/2 on a port of HTTP/1.1", open.says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        found_is("random bytes", open.says([0x8f, 0x00, 0xff, 0x13, 0x37, 0x0a, 0x0d, 0x0a]));
        found_is("a request of HTTP/1.1, where TLS is spoken", sealed.says(request(&sealed.host(), "")));
        found_is("headers of more than 16 KiB", open.says(request(&host, &format!("X: {}\r\n", "x".repeat(17 << 10)))));
        found_is("more than 64 headers", open.says(request(&host, &"X: x\r\n".repeat(64))));
        let long = format!("GET /{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", "x".repeat(2048));
        found_is("a path and query of more than 2048 bytes", open.says(long));
        found_is("a body, where only reading is answered", open.says(request(&host, "Content-Length: 2\r\n") + "{}"));
        found_is("a method other than GET and HEAD", open.says(request(&host, "").replace("GET", "POST")));
        found_is("no token asked for, and a `Host` that is not loopback", open.says(request("evil.example", "")));
        found_is("a page of another site", open.says(request(&host, "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n")));

        let nothing = guarded.heard(request(&guarded.host(), ""));
        let asks = "www-authenticate: bearer realm=\"milepost\"\r\nwww-authenticate: basic realm=\"milepost\", charset=\"utf-8\"\r\n";
        assert!(nothing.to_lowercase().contains(asks), "{nothing}");
        found_is("no token, where one is needed", answer(&nothing));
        let any = "a.name.of.ours:1";
        found_is("a token to read, by any `Host`", guarded.says(request(any, &bearer(&to_read))));
        found_is("a token to read, as a password", guarded.says(request(any, &basic(&to_read))));
        found_is("a token to write, to read", guarded.says(request(any, &bearer(&to_write))));
        found_is("a right token in a scheme that is none", guarded.says(request(any, &format!("Authorization: Digest {to_read}\r\n"))));
        assert_eq!(guarded.says(request(any, &bearer(&gone))), "200");
        assert!(place.run(&["token", "remove", "gone"]).status.success());
        found_is("a token that was removed", guarded.says(request(any, &bearer(&gone))));
        found_is("a wrong token", guarded.says(request(any, &bearer(&to_read.to_uppercase()))));
        let (fails, other) = ([127, 0, 0, 2], [127, 0, 0, 3]);
        for _ in 0..10 {
            assert_eq!(guarded.says_to(fails, request(any, &bearer("mp_wrong"))), "401");
        }
        let eleventh = heard(guarded.connect(fails), request(any, &bearer("mp_wrong")).as_bytes());
        assert!(eleventh.contains("retry-after: "), "{eleventh}");
        found_is("the eleventh wrong token of an address in a row", answer(&eleventh));
        found_is("a right token after that, from the same address", guarded.says_to(fails, request(any, &bearer(&to_read))));
        found_is("a right token after that, from another address", guarded.says_to(other, request(any, &bearer(&to_read))));

        // A server of its own, so that nothing above counts.
        let crowded = place.serve(&["--listen", "127.0.0.1:0"]);
        let held: Vec<_> = (0..128).map(|_| crowded.connect(fails)).collect();
        found_is("the 129th connection of an address", crowded.says_to(fails, request(&crowded.host(), "")));
        found_is("a connection of another address beside those", crowded.says_to(other, request(&crowded.host(), "")));
        drop(held);

        for (what, slow) in slow {
            found_is(what, slow.join().expect("no panic"));
        }
    });
    assert_eq!(found, documented());
    let said = [&open, &guarded, &sealed].map(|server| server.said.lock().expect("nobody panicked").clone());
    assert!(said[1].contains("tokens and all that is shown can be read") && said[0].is_empty() && said[2].is_empty(), "{said:?}");
}

#[test]
fn without_a_token_nothing_is_opened_to_others() {
    let place = Place::new();
    for args in [["--listen", "0.0.0.0:0"].as_slice(), &["--listen", "[::]:0"], &["--listen", "127.0.0.1:0", "--require-token"]] {
        let said = place.refused(args);
        assert!(said.contains("`milepost token add NAME --read`") && said.contains("for this machine alone"), "{said}");
    }
    place.token("ci", "--write");
    assert!(place.refused(&["--listen", "0.0.0.0:0"]).contains("NAME --read"), "a token to write reads nothing");
    let token = place.token("page", "--read");
    let server = place.serve(&["--listen", "127.0.0.1:0", "--require-token"]);
    assert_eq!(server.says(request(&server.host(), "")), "401");
    assert_eq!(server.says(request(&server.host(), &bearer(&token))), "200");
    let later = place.token("later", "--read");
    assert_eq!(server.says(request(&server.host(), &bearer(&later))), "200");
    fs::write(place.path(".milepost/tokens.json"), "broken").expect("written");
    assert_eq!(server.says(request(&server.host(), &bearer(&later))), "401");
    assert!(place.refused(&["--listen", "127.0.0.1:0"]).contains("tokens.json: is not what Milepost writes"));
    let add = place.run(&["token", "add", "another", "--read"]);
    assert_eq!((add.status.code(), add.stdout.as_slice()), (Some(2), &b""[..]));
}

#[test]
fn a_token_is_told_once_and_kept_as_a_hash_for_its_owner() {
    let place = Place::new();
    let tokens = [place.token("page", "--read"), place.token("ci", "--write")];
    let file = place.path(".milepost/tokens.json");
    let kept = fs::read_to_string(&file).expect("a file");
    let list = String::from_utf8(place.run(&["token", "list"]).stdout).expect("text");
    assert!(list.starts_with("page  read   2") && list.contains("\nci    write  2"), "{list}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let doctor = |place: &Place| String::from_utf8(place.run(&["doctor"]).stdout).expect("text");
    let well = doctor(&place);
    assert!(well.contains("1 to read, 1 to write") && !well.contains("chmod"), "{well}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    let badly = doctor(&place);
    assert!(badly.contains("! Tokens") && badly.contains("chmod 600"), "{badly}");
    for token in &tokens {
        assert!(token.starts_with("mp_") && token.len() == 46, "{token}");
        assert!([&kept, &list, &well, &badly].into_iter().all(|text| !text.contains(token)));
    }
    for args in [
        ["token", "add", "page", "--read"].as_slice(),
        &["token", "add", "both", "--read", "--write"],
        &["token", "add", "none"],
        &["token", "add", "a b", "--read"],
        &["token", "remove", "nobody"],
    ] {
        assert_eq!(place.run(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(fs::read_to_string(&file).expect("a file"), kept);
    assert!(place.run(&["token", "remove", "page"]).status.success());
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn tls_is_spoken_with_files_that_fit_and_with_what_they_become() {
    let place = Place::new();
    let (first, second) = (certified(), certified());
    let listen = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    assert!(place.refused(&listen).contains("cert.pem: No such file"));
    for (pair, fault) in [
        ((first.1.clone(), first.1.clone()), "cert.pem: holds no certificate"),
        ((first.0.clone(), first.0.clone()), "key.pem: holds no private key"),
        ((first.0.clone(), second.1.clone()), "does not fit"),
    ] {
        place.certify(&pair);
        let said = place.refused(&listen);
        assert!(said.contains(fault) && !said.contains("BEGIN PRIVATE KEY-----\n"), "{said}");
    }
    assert!(place.refused(&listen[..4]).contains("--tls-key"));
    place.certify(&first);
    let server = place.serve(&listen);
    let says_to = |certificate: &str| {
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(trusting(certificate), name).expect("a client");
        answer(&heard(StreamOwned::new(client, server.connect([127, 0, 0, 1])), request(&server.host(), "").as_bytes()))
    };
    assert_eq!(says_to(&first.0), "200");
    fs::write(place.path("cert.pem"), &second.0).expect("written");
    assert_eq!(says_to(&first.0), "200", "the key is not there yet");
    fs::write(place.path("key.pem"), &second.1).expect("written");
    assert_eq!(says_to(&second.0), "200");
    assert_eq!(says_to(&first.0), "closed");
}
