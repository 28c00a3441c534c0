//! What every door does with an event before it is spooled: fill in what it knows, and keep out what is private.

use crate::{
    Event, Fact, Invalid, Origin, Timestamp, Topic,
    files::{SpoolError, create_once, failed, read_small},
    limits,
    version::refuse_newer,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{env, path::Path};

/// The version of `identity.json`.
const VERSION: u32 = 1;

/// The environment variable that keeps recording off, if one does: `DO_NOT_TRACK` or `MILEPOST_DISABLED`, set to anything
/// but nothing or 0.
#[must_use]
pub fn recording_is_off() -> Option<&'static str> {
    ["DO_NOT_TRACK", "MILEPOST_DISABLED"].into_iter().find(|name| env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0"))
}

/// Which texts the configuration allows to be stored. None, unless it names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// What an error said.
    pub error: bool,
    /// What a person asked the product.
    pub interaction: bool,
    /// What a person thinks of the product.
    pub feedback: bool,
}

/// Who this machine is to Milepost: a random name, and the key under which names of people become pseudonyms. It never
/// leaves the data folder, and no event holds the key.
#[derive(Clone)]
pub struct Identity {
    host: String,
    /// HMAC-SHA256 with the key, and nothing else so far.
    keyed: Hmac<Sha256>,
}

/// What `identity.json` says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    host: String,
    key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the identity of a data folder, or makes one.
    ///
    /// # Errors
    /// Where `identity.json` cannot be read or made.
    pub fn open(data: &Path) -> Result<Self, SpoolError> {
        let path = data.join("identity.json");
        if !path.exists() {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| failed("make a key for", &path)(error.into()))?;
            let new = Stored { version: VERSION, host: format!("h-{}", random_id()), key: hexadecimal("", &key, key.len()) };
            let text = serde_json::to_string(&new).map_err(|e| failed("write", &path)(e.into()))?;
            create_once(&path, text.as_bytes())?;
        }
        let text = read_small(&path).map_err(failed("read", &path))?;
        refuse_newer(&path, text.as_bytes(), VERSION.into())?;
        let wrong = |error: &dyn std::fmt::Display| SpoolError::Layout {
            path: path.clone(),
            what: format!("this is no identity ({error}); restore it from a backup, or remove it: people then get new pseudonyms"),
        };
        let Stored { host, key, .. } = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        // HMAC takes keys of any length, so this never fails.
        let keyed = Hmac::new_from_slice(key.as_bytes()).map_err(|error| wrong(&error))?;
        Ok(Self { host, keyed })
    }

    /// Reads the identity of a data folder, and makes none.
    ///
    /// # Errors
    /// Where `identity.json` is there and cannot be read.
    pub fn find(data: &Path) -> Result<Option<Self>, SpoolError> {
        if data.join("identity.json").exists() { Self::open(data).map(Some) } else { Ok(None) }
    }

    /// A mark that stands for a word about somebody who was forgotten: 32 hexadecimal digits of HMAC-SHA256 under this machine's key.
    /// Who has the key and the word recognises it, and nobody else can tell what it stands for.
    #[must_use]
    pub fn mark(&self, word: &str) -> String {
        self.keyed(&["forgotten", word], 16)
    }

    /// A mark that stands for the key: machines that have it in common have the same.
    #[must_use]
    pub fn key_mark(&self) -> String {
        self.keyed(&["key"], 8)
    }

    /// Hexadecimal digits of HMAC-SHA256 of words, none of which can be a name that [`Self::pseudonym`] is given.
    fn keyed(&self, words: &[&str], bytes: usize) -> String {
        let mut mac = self.keyed.clone();
        for word in words {
            mac.update(b"\0milepost\0");
            mac.update(word.as_bytes());
        }
        hexadecimal("", &mac.finalize().into_bytes(), bytes)
    }

    /// The random name of this machine.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The pseudonym of a person: `u-` and 16 hexadecimal digits of HMAC-SHA256 under this machine's key. The same name gives
    /// the same pseudonym here and another elsewhere.
    #[must_use]
    pub fn pseudonym(&self, name: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(name.as_bytes());
        hexadecimal("u-", &mac.finalize().into_bytes(), 8)
    }
}

/// Whether a text is such a pseudonym, and no name.
#[must_use]
pub fn is_pseudonym(text: &str) -> bool {
    let digits = |rest: &str| rest.len() == 16 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("u-").is_some_and(digits)
}

/// A new id that no other has, short enough to read: 12 random hexadecimal digits.
#[must_use]
pub fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect()
}

/// The first `n` bytes behind a prefix, each as two hexadecimal digits.
#[must_use]
pub fn hexadecimal(prefix: &str, bytes: &[u8], n: usize) -> String {
    let bytes = bytes.get(..n).unwrap_or(bytes);
    let mut text = String::with_capacity(prefix.len().saturating_add(bytes.len().saturating_mul(2)));
    text.push_str(prefix);
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
        text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
    }
    text
}

/// The rules of a door.
#[derive(Clone, Debug)]
pub struct Door {
    name: &'static str,
    identity: Identity,
    origin: Origin,
    version: Option<String>,
    texts: Texts,
}

/// An event that a door let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The event as it is to be spooled.
    pub event: Event,
    /// Whether a text was taken from it, because the configuration does not allow that one.
    pub text_removed: bool,
}

impl Door {
    /// A door that admits events of people's use, and no text. Its name goes into the attribute `door` of events that have none.
    #[must_use]
    pub const fn new(name: &'static str, identity: Identity) -> Self {
        Self { name, identity, origin: Origin::Use, version: None, texts: Texts { error: false, interaction: false, feedback: false } }
    }

    /// The origin of events that do not name theirs.
    #[must_use]
    pub const fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// The product's version, for events that do not name theirs.
    #[must_use]
    pub fn version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }

    /// The texts that may be stored.
    #[must_use]
    pub const fn texts(mut self, texts: Texts) -> Self {
        self.texts = texts;
        self
    }

    /// Who this machine is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Checks an event that arrived at `now`, fills in id, origin, host, version and the attribute `door` where they are absent,
    /// and takes out the texts that are not allowed.
    ///
    /// # Errors
    /// Where the event is not valid, or says that it happened more than five minutes after `now`.
    pub fn admit(&self, mut event: Event, now: Timestamp) -> Result<Admitted, Invalid> {
        event.check()?;
        if event.at > now.saturating_add(limits::AHEAD_MAX) {
            let why = "it lies more than five minutes in the future; is the clock right?";
            return Err(Invalid::Absurd { key: "at", value: event.at.to_string(), why });
        }
        event.id.get_or_insert_with(|| uuid::Uuid::now_v7().to_string());
        event.origin.get_or_insert(self.origin);
        event.host.get_or_insert_with(|| self.identity.host.clone());
        if event.attributes.len() < limits::ATTRIBUTES_MAX {
            event.attributes.entry("door".to_owned()).or_insert_with(|| self.name.into());
        }
        // A note about a release names the version that it is about, and others have none of their own.
        if event.version.is_none() && !matches!(event.fact, Fact::Note(_)) {
            event.version.clone_from(&self.version);
        }
        let removed = match &mut event.fact {
            Fact::Operation(operation) if !self.texts.error => operation.error.as_mut().and_then(|e| e.text.take()),
            Fact::Interaction(interaction) if !self.texts.interaction => interaction.text.take(),
            Fact::Note(note) if !self.texts.feedback && note.topic == Topic::Feedback => note.text.take(),
            _ => None,
        };
        Ok(Admitted { event, text_removed: removed.is_some() })
    }
}
