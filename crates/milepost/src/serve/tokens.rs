//! Tokens: what lets somebody in from elsewhere, to read or to write. Only their hashes are kept.
//!
//! A token is 256 random bits, so that no guessing finds one and a plain SHA-256 of it tells nobody anything: what makes hashes of
//! passwords slow has nothing to protect here.

use super::{renewed::Renewed, room::Client};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use milepost_record::{Timestamp, refuse_newer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, Read},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use subtle::{Choice, ConstantTimeEq};

/// In the folder of the data.
pub(crate) const FILE: &str = "tokens.json";
/// What a token begins with, so that whoever finds one knows what it is.
const PREFIX: &str = "mp_";
const RANDOM_BYTES: usize = 32;
const HASH_BYTES: usize = 32;
/// The most tokens, and the longest name and file in bytes.
pub(crate) const TOKENS_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 64;
const FILE_BYTES_MAX: u64 = 64 * 1024;
const VERSION: u32 = 1;
/// The file, and the version that is written.
pub(crate) const FORMAT: (&str, u64) = (FILE, VERSION as u64);
/// Longer ones are not ours, and are not hashed.
const PRESENTED_BYTES_MAX: usize = 256;
/// So many wrong tokens a client may present at once; one more is forgiven each time this has passed.
const FAILURES_MAX: u32 = 10;
const FORGIVEN_EVERY: Duration = Duration::from_secs(6);
/// Of so many clients it is kept in mind that they failed; then the one is forgotten that has the least to wait.
const FAILED_CLIENTS_MAX: usize = 4096;

/// What a token is good for: one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Read,
    Write,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// What is kept of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) made: Timestamp,
    sha256: Hash,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hash([u8; HASH_BYTES]);

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| "a SHA-256 in base64url is wanted".to_owned())
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        URL_SAFE_NO_PAD.encode(hash.0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    tokens: Vec<Token>,
}

impl Token {
    /// A new one, and the token itself, which is told once.
    ///
    /// # Errors
    /// Where the name cannot be one, or the system has no random bytes.
    pub(crate) fn make(name: &str, scope: Scope) -> Result<(Self, String), String> {
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(of_a_name) {
            return Err(format!("the name of a token is of letters of ASCII, digits, `.`, `_` and `-`, at most {NAME_BYTES_MAX} of them"));
        }
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| format!("the system has no random bytes: {error}"))?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        Ok((Self { name: name.to_owned(), scope, made: Timestamp::now(), sha256: hash(token.as_bytes()) }, token))
    }
}

fn hash(token: &[u8]) -> Hash {
    Hash(Sha256::digest(token).into())
}

/// The tokens of a folder of data; none where there is no file.
///
/// # Errors
/// Where it cannot be read, or is not what we write.
pub(crate) fn read(data: &Path) -> Result<Vec<Token>, String> {
    let path = data.join(FILE);
    let fault = |what: String| format!("{}: {what}", path.display());
    let mut text = String::new();
    match fs::File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| fault(error.to_string()))?,
    };
    refuse_newer(&path, text.as_bytes(), VERSION.into()).map_err(|newer| newer.to_string())?;
    // What the parser says may hold a part of the file.
    let file: Option<File> = serde_json::from_str(&text).ok();
    let file = file.filter(|_| text.len() as u64 <= FILE_BYTES_MAX).ok_or_else(|| fault("is not what Milepost writes".to_owned()))?;
    if file.version != VERSION || file.tokens.len() > TOKENS_MAX {
        return Err(fault(format!("is not what Milepost writes: version {VERSION}, and at most {TOKENS_MAX} tokens")));
    }
    Ok(file.tokens)
}

/// As they are written into the file.
pub(crate) fn text(tokens: Vec<Token>) -> String {
    // Texts, numbers and lists of them have a JSON.
    serde_json::to_string_pretty(&File { version: VERSION, tokens }).unwrap_or_default() + "\n"
}

/// What a token lets do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Granted,
    /// It is one, and good for something else.
    OtherScope,
    Unknown,
    /// Nothing is looked at from there for so long.
    TooManyFailed(Duration),
}

/// The tokens as they are now, and who presented wrong ones.
pub(crate) struct Tokens {
    kept: Renewed<Vec<Token>>,
    /// When all that each client did wrong will be forgiven.
    failed: Mutex<HashMap<Client, Instant>>,
}

impl Tokens {
    /// Those of a folder of data. The file is read again whenever it is another one; while it cannot be read, nobody is let in.
    ///
    /// # Errors
    /// Where it cannot be read to begin with.
    pub(crate) fn of(data: &Path, say: fn(&str)) -> Result<Self, String> {
        read(data)?;
        let at = data.to_owned();
        let kept = move || {
            Ok(read(&at).unwrap_or_else(|why| {
                say(&format!("{why}; nobody is let in who needs a token"));
                Vec::new()
            }))
        };
        Ok(Self { kept: Renewed::new(vec![data.join(FILE)], say, kept)?, failed: Mutex::default() })
    }

    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.kept.get().iter().any(|token| token.scope == scope)
    }

    pub(super) fn admit(&self, presented: &[u8], scope: Scope, client: Client) -> Admission {
        let now = Instant::now();
        if let Some(wait) = self.wait(client, now) {
            return Admission::TooManyFailed(wait);
        }
        let admission = judge(&self.kept.get(), presented, scope);
        if admission == Admission::Unknown {
            self.note_failure(client, now);
        }
        admission
    }

    /// How long a client has to wait.
    fn wait(&self, client: Client, now: Instant) -> Option<Duration> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let forgiven = failed.get(&client)?.saturating_duration_since(now);
        forgiven.checked_sub(FORGIVEN_EVERY * (FAILURES_MAX - 1)).filter(|wait| !wait.is_zero())
    }

    fn note_failure(&self, client: Client, now: Instant) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= FAILED_CLIENTS_MAX && !failed.contains_key(&client) {
            failed.retain(|_, forgiven| *forgiven > now);
            if failed.len() >= FAILED_CLIENTS_MAX
                && let Some(least) = failed.iter().min_by_key(|(_, forgiven)| **forgiven).map(|(client, _)| *client)
            {
                failed.remove(&least);
            }
        }
        let forgiven = failed.entry(client).or_insert(now);
        *forgiven = (*forgiven).max(now) + FORGIVEN_EVERY;
    }
}

/// Looks at all tokens, whichever it is, and compares all bytes: how long it takes says nothing.
fn judge(kept: &[Token], presented: &[u8], scope: Scope) -> Admission {
    if presented.len() > PRESENTED_BYTES_MAX {
        return Admission::Unknown;
    }
    let presented = hash(presented);
    let (mut known, mut granted) = (Choice::from(0), Choice::from(0));
    for token in kept {
        let same = token.sha256.0.ct_eq(&presented.0);
        known |= same;
        granted |= same & Choice::from(u8::from(token.scope == scope));
    }
    match (bool::from(granted), bool::from(known)) {
        (true, _) => Admission::Granted,
        (false, true) => Admission::OtherScope,
        (false, false) => Admission::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn client(n: u32) -> Client {
        Client::from(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    #[test]
    fn a_token_is_good_for_one_thing_and_nothing_like_it_is_good() {
        let (reads, read_token) = Token::make("page", Scope::Read).expect("made");
        let (writes, write_token) = Token::make("ci", Scope::Write).expect("made");
        assert!(read_token.starts_with("mp_") && read_token.len() == 46 && read_token != write_token);
        let kept = [reads, writes];
        let admitted = |token: &str, scope| judge(&kept, token.as_bytes(), scope);
        assert_eq!(admitted(&read_token, Scope::Read), Admission::Granted);
        assert_eq!(admitted(&write_token, Scope::Write), Admission::Granted);
        assert_eq!(admitted(&write_token, Scope::Read), Admission::OtherScope);
        assert_eq!(admitted(&read_token, Scope::Write), Admission::OtherScope);
        let written = text(kept.to_vec());
        assert!(!written.contains(&read_token) && !written.contains(&write_token));
        for (n, _) in read_token.char_indices() {
            assert_eq!(admitted(&read_token[..n], Scope::Read), Admission::Unknown);
        }
        for wrong in [format!("{read_token} "), read_token.to_uppercase(), "x".repeat(100_000), String::from(kept[0].sha256.clone())] {
            assert_eq!(admitted(&wrong, Scope::Read), Admission::Unknown);
        }
        for name in ["", "a b", "a\n", "ä", &"a".repeat(NAME_BYTES_MAX + 1)] {
            assert!(Token::make(name, Scope::Read).is_err(), "{name}");
        }
    }

    #[test]
    fn who_fails_too_often_waits_and_nobody_else_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::of(folder.path(), |_| ()).expect("none");
        let now = Instant::now();
        for _ in 0..FAILURES_MAX {
            assert_eq!(tokens.wait(client(1), now), None);
            tokens.note_failure(client(1), now);
        }
        assert_eq!(tokens.wait(client(1), now), Some(FORGIVEN_EVERY));
        assert_eq!(tokens.wait(client(1), now + FORGIVEN_EVERY), None, "one is forgiven");
        assert_eq!(tokens.wait(client(2), now), None);
        for n in 2..FAILED_CLIENTS_MAX as u32 + 10 {
            tokens.note_failure(client(n), now);
        }
        assert_eq!(tokens.failed.lock().expect("nobody panicked").len(), FAILED_CLIENTS_MAX);
        assert!(tokens.wait(client(1), now).is_some(), "whoever has the most to wait is not forgotten");
    }
}
