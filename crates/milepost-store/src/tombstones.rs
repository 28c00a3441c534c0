//! Tombstones: who was forgotten, as marks that only machines with the same key recognise.
//!
//! ```text
//! DATA/store/forgotten.json    of each person: until when what is of them is forgotten, and the marks that tell what that is
//! ```
//!
//! A mark is a keyed hash (`milepost_record::Identity::mark`), so who has the store and not the key cannot tell who was forgotten,
//! and who has the key recognises a copy in a spool or a backup. What a tombstone covers is never taken in and never counted.

use crate::{StoreError, bucket::Seen, lake::Lake};
use milepost_record::{Event, Fact, Identity, Kind, Timestamp, is_pseudonym};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::{Mutex, PoisonError},
};

const FILE: &str = "forgotten.json";
const VERSION: u32 = 1;
/// Words shorter than this are looked for in events only: in a text they may mean anything.
const WORD_BYTES_MIN: usize = 8;
/// How often JSON may stand in a string of JSON.
const NESTED_MAX: u32 = 3;
/// How many characters a pseudonym has.
const PSEUDONYM: usize = 18;

/// Everybody who was forgotten, as one machine can recognise them.
#[derive(Default)]
pub struct Tombstones {
    content: Content,
    /// Who this machine is; none where it has no key yet, or nobody was forgotten.
    identity: Option<Identity>,
    /// The mark of its key.
    key: Option<String>,
    /// The file as it was read, where it is one for several machines.
    seen: Option<Seen>,
    /// The marks of words that were asked for, and of the pseudonyms that they would be given as names.
    marks: Mutex<HashMap<String, [String; 2]>>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    people: Vec<Tombstone>,
}

/// One person.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    /// The mark of the key that the others are made with.
    key: String,
    /// The pseudonym, and what else the person is called.
    users: BTreeSet<String>,
    /// What happened up to then is forgotten.
    pub(crate) until: Timestamp,
    /// How often it has changed.
    revision: u64,
    /// The sessions that the person's events name.
    sessions: BTreeSet<String>,
    /// The ids of the person's interactions, which labels name.
    interactions: BTreeSet<String>,
    /// What the person wrote, as reports quote it.
    texts: BTreeSet<String>,
    /// Whether an event of the person holds a text, which a page may quote in part.
    #[serde(default)]
    wrote: bool,
}

/// What else tells of a person than the pseudonym.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) sessions: BTreeSet<String>,
    pub(crate) interactions: BTreeSet<String>,
    pub(crate) texts: BTreeSet<String>,
    pub(crate) wrote: bool,
}

impl Tombstones {
    /// Those of a data folder.
    ///
    /// # Errors
    /// Where they cannot be read, or a newer Milepost wrote them.
    pub async fn read(data: &Path) -> Result<Self, StoreError> {
        match Lake::find(data)? {
            Some(lake) => Self::of(data, &lake).await,
            None => Ok(Self::default()),
        }
    }

    pub(crate) async fn of(data: &Path, lake: &Lake) -> Result<Self, StoreError> {
        let damaged =
            |at| format!("this does not say who was forgotten ({at}); restore it from a backup, or what was forgotten comes back");
        let (Some(content), seen) = lake.read_common::<Content>(FILE, VERSION, damaged).await? else { return Ok(Self::default()) };
        let identity = Identity::find(data)?;
        let key = identity.as_ref().map(Identity::key_mark);
        Ok(Self { content, identity, key, seen, marks: Mutex::default() })
    }

    /// Lays a tombstone for whom these words name, or renews it.
    pub(crate) fn lay(&mut self, identity: Identity, words: &[&str], until: Timestamp) {
        let users: BTreeSet<_> = words.iter().map(|word| identity.mark(word)).collect();
        let key = identity.key_mark();
        self.content.version = VERSION;
        (self.identity, self.key) = (Some(identity), Some(key.clone()));
        match self.content.people.iter_mut().find(|person| person.key == key && !person.users.is_disjoint(&users)) {
            Some(person) => {
                person.users.extend(users);
                person.until = person.until.max(until);
                person.revision = person.revision.saturating_add(1);
            }
            None => self.content.people.push(Tombstone {
                key,
                users,
                until,
                revision: 1,
                sessions: BTreeSet::new(),
                interactions: BTreeSet::new(),
                texts: BTreeSet::new(),
                wrote: false,
            }),
        }
    }

    /// Writes them down, for whoever holds the lock of the tables.
    pub(crate) async fn publish(&mut self, lake: &Lake) -> Result<(), StoreError> {
        self.seen = lake.publish_common(FILE, &self.content, self.seen.as_ref()).await?;
        Ok(())
    }

    /// Those that this machine recognises, by a name that tells nothing, with how often each has changed.
    #[must_use]
    pub fn recognised(&self) -> BTreeMap<String, u64> {
        let ours = self.ours().filter_map(|(_, person)| Some((person.users.first()?.clone(), person.revision)));
        ours.collect()
    }

    /// Whether one of them wrote something that a page may quote in part, so that nobody can tell by a mark.
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.ours().any(|(_, person)| person.wrote)
    }

    /// How many people were forgotten under a key that this machine has not.
    #[must_use]
    pub fn of_other_keys(&self) -> usize {
        self.content.people.len() - self.ours().count()
    }

    /// Those that this machine recognises, by their position.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (usize, &Tombstone)> {
        self.content.people.iter().enumerate().filter(|(_, person)| Some(&person.key) == self.key.as_ref())
    }

    /// Whether a person is called so.
    pub(crate) fn is_user(&self, person: usize, user: &str) -> bool {
        self.is_marked(person, user, |person| &person.users)
    }

    pub(crate) fn is_session(&self, person: usize, session: &str) -> bool {
        self.is_marked(person, session, |person| &person.sessions)
    }

    pub(crate) fn is_interaction(&self, person: usize, id: &str) -> bool {
        self.is_marked(person, id, |person| &person.interactions)
    }

    fn is_marked(&self, person: usize, word: &str, among: fn(&Tombstone) -> &BTreeSet<String>) -> bool {
        let Some([mark, _]) = self.mark(word) else { return false };
        self.content.people.get(person).is_some_and(|person| among(person).contains(&mark))
    }

    /// Notes what else tells of a person; whether any of it is new.
    pub(crate) fn learn(&mut self, person: usize, traces: &Traces) -> bool {
        let Some(identity) = &self.identity else { return false };
        let marks = |words: &BTreeSet<String>| words.iter().map(|word| identity.mark(word)).collect::<Vec<_>>();
        let new = [marks(&traces.sessions), marks(&traces.interactions), marks(&traces.texts)];
        let Some(person) = self.content.people.get_mut(person) else { return false };
        let of = [&mut person.sessions, &mut person.interactions, &mut person.texts];
        let mut is_new = traces.wrote && !std::mem::replace(&mut person.wrote, true);
        for (known, new) in of.into_iter().zip(new) {
            for mark in new {
                is_new |= known.insert(mark);
            }
        }
        person.revision = person.revision.saturating_add(u64::from(is_new));
        is_new
    }

    /// Whether an event is of somebody who was forgotten, and happened before that.
    #[must_use]
    pub fn cover(&self, event: &Event) -> bool {
        self.ours().any(|(position, person)| self.is_of(position, person.until, event))
    }

    /// Whether an event is of one person.
    pub(crate) fn is_of(&self, person: usize, until: Timestamp, event: &Event) -> bool {
        // Of what is gone nobody needs a label, whenever it is given.
        if let Fact::Label(label) = &event.fact
            && self.is_interaction(person, &label.of)
        {
            return true;
        }
        let is_theirs = match (&event.user, &event.session) {
            (Some(user), _) => self.is_user(person, user),
            (None, Some(session)) => self.is_session(person, session),
            (None, None) => false,
        };
        event.at <= until && is_theirs
    }

    /// Whether a text that is no event names somebody who was forgotten: by pseudonym, by name, by a session, or in their own words.
    pub fn name(&self, text: &str) -> bool {
        if self.ours().next().is_none() {
            return false;
        }
        self.name_by_pseudonym(text) || self.quotes(text, NESTED_MAX)
    }

    /// The same, by pseudonym only: for pages, of which JSON lies beside.
    pub fn name_by_pseudonym(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        for begin in text.match_indices("u-").map(|(at, _)| at) {
            if text.get(begin..begin + PSEUDONYM).is_some_and(|word| is_pseudonym(word) && self.stands_for(word))
                && bytes.get(begin + PSEUDONYM).is_none_or(|next| !next.is_ascii_hexdigit())
            {
                return true;
            }
        }
        false
    }

    /// Whether a string of JSON in a text, however broken around it, stands for somebody.
    fn quotes(&self, text: &str, nested: u32) -> bool {
        let mut rest = text;
        while let Some(begin) = rest.find('"') {
            let mut escaped = false;
            let after = rest.get(begin + 1..).unwrap_or_default();
            let end = after.char_indices().find(|(_, letter)| {
                let ends = *letter == '"' && !escaped;
                escaped = *letter == '\\' && !escaped;
                ends
            });
            let Some((end, _)) = end else { return false };
            let quoted = rest.get(begin..begin + end + 2).unwrap_or_default();
            if let Ok(word) = serde_json::from_str::<String>(quoted)
                && (self.stands_for(&word) || (nested > 0 && word.contains('"') && self.quotes(&word, nested - 1)))
            {
                return true;
            }
            // Nobody knows whether a quote of a torn line begins a string or ends one, so it does both.
            rest = after.get(end..).unwrap_or_default();
        }
        false
    }

    fn stands_for(&self, word: &str) -> bool {
        let Some([mark, pseudonym]) = self.mark(word) else { return false };
        let is_long = word.len() >= WORD_BYTES_MIN;
        self.ours().any(|(_, person)| {
            let theirs = [&person.sessions, &person.interactions, &person.texts];
            person.users.contains(&mark)
                || person.users.contains(&pseudonym)
                || (is_long && theirs.iter().any(|marks| marks.contains(&mark)))
        })
    }

    fn mark(&self, word: &str) -> Option<[String; 2]> {
        /// So many marks are remembered at most.
        const REMEMBERED_MAX: usize = 65_536;
        let remembered = || self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = remembered().get(word) {
            return Some(mark.clone());
        }
        let identity = self.identity.as_ref()?;
        let mark = [identity.mark(word), identity.mark(&identity.pseudonym(word))];
        let mut marks = remembered();
        if marks.len() >= REMEMBERED_MAX {
            marks.clear();
        }
        marks.insert(word.to_owned(), mark.clone());
        Some(mark)
    }
}

impl Traces {
    /// Takes in what an event of the person tells.
    pub(crate) fn see(&mut self, event: &Event) {
        if event.user.is_some() {
            self.sessions.extend(event.session.clone());
        }
        if event.kind() == Kind::Interaction {
            self.interactions.extend(event.id.clone());
        }
        let text = match &event.fact {
            Fact::Operation(operation) => operation.error.as_ref().and_then(|error| error.text.as_ref()),
            Fact::Interaction(interaction) => interaction.text.as_ref(),
            Fact::Note(note) => {
                self.texts.extend(note.text.clone());
                note.text.as_ref()
            }
            _ => None,
        };
        self.wrote |= text.is_some();
    }
}
