//! What Milepost says of files that somebody else changed or broke, and what is beyond a limit: which file, and what to do.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{
    Durability, Event, Identity, Invalid, Newer, Operation, Outcome, Recorder, Scalar, Spool, SpoolError, Timestamp, limits,
};
use std::{fs, path::Path};

fn event() -> Event {
    Event::at("2026-11-24T21:13:00Z".parse().expect("a time"), Operation::new("search", Outcome::Ok))
}

fn count(spool: &Spool) -> usize {
    spool.segments().expect("segments").iter().map(|segment| segment.events(Timestamp::now()).count()).sum()
}

/// All that a recorder does once, until something is wrong.
fn used(data: &Path) -> Result<(), SpoolError> {
    let spool = Spool::open(data)?;
    Identity::open(data)?;
    spool.append(&event(), Durability::OnDisk)?;
    spool.seal().map(|_| ())
}

#[test]
fn a_file_that_says_something_else_is_named_with_what_to_do() {
    for (file, text, said) in [
        ("spool/spool.json", "{}", "restore it from a backup, or move the folder away"),
        ("spool/spool.json", r#"{"version":7,"id":"x"}"#, "spool.json has version 7, and this Milepost ("),
        ("identity.json", "", "restore it from a backup, or remove it: people then get new pseudonyms"),
        ("identity.json", r#"{"version":1,"host":"h","key":"k","more":1}"#, "unknown field `more`"),
        ("identity.json", r#"{"version":2,"host":"h","key":"k"}"#, "identity.json has version 2, and this Milepost ("),
        ("spool/sequence", "many", "write the highest sequence number that you know of into it"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        used(folder.path()).expect("all is well");
        let path = folder.path().join(file);
        fs::write(&path, text).expect("written");
        let error = used(folder.path()).expect_err(file);
        let (SpoolError::Layout { path: of, .. } | SpoolError::Newer(Newer { path: of, .. })) = &error else { panic!("{file}: {error}") };
        assert_eq!(*of, path);
        assert!(error.to_string().contains(said), "{file}: {error}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), text, "{file} is for somebody to look at");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for file in ["spool/spool.json", "spool/sequence", "identity.json"] {
        let folder = tempfile::tempdir().expect("a folder");
        used(folder.path()).expect("all is well");
        let path = folder.path().join(file);
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a folder in its place");
        let error = used(folder.path()).expect_err(file).to_string();
        assert!(error.starts_with(&format!("cannot read {}: ", path.display())), "{error}");
    }
}

#[test]
fn whoever_only_looks_makes_no_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Identity::find(folder.path()).expect("nothing is wrong").is_none());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let made = Identity::open(folder.path()).expect("made");
    let found = Identity::find(folder.path()).expect("read").expect("there");
    assert_eq!((found.host(), found.key_mark()), (made.host(), made.key_mark()));
    assert!(!format!("{made:?}").contains(&key_of(folder.path())), "the key is shown to nobody");
}

fn key_of(data: &Path) -> String {
    let text = fs::read_to_string(data.join("identity.json")).expect("an identity");
    text.split(r#""key":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a key").to_owned()
}

#[test]
fn a_mark_recognises_a_word_and_is_no_pseudonym() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (here, there) = (folder.path(), elsewhere.path());
    let [here, there] = [here, there].map(|data| Identity::open(data).expect("an identity"));
    assert_eq!(here.mark("u-1"), here.mark("u-1"));
    assert_eq!(here.mark("u-1").len(), 32);
    assert_ne!(here.mark("u-1"), here.mark("u-2"));
    assert_ne!(here.mark("u-1"), there.mark("u-1"), "nobody without the key can tell");
    assert!(!here.mark("u-1").starts_with(here.pseudonym("u-1").trim_start_matches("u-")));
    assert_ne!(here.key_mark(), there.key_mark());
}

#[test]
fn a_limit_that_is_passed_is_said_with_both_numbers() {
    let mut many = event();
    many.attributes.extend((0..=limits::ATTRIBUTES_MAX).map(|n| (format!("a{n}"), Scalar::Integer(1))));
    assert!(matches!(many.to_json(), Err(Invalid::TooMany { key: "attributes", count, max }) if count == max + 1));
    let line = format!(r#"{{"v":1,"kind":"note","text":"{}"}}"#, "x".repeat(limits::LINE_BYTES_MAX));
    let error = Event::from_json(&line).expect_err("too long");
    assert!(
        matches!(error, Invalid::TooLong { key: "line", bytes, max } if bytes == line.len() && max == limits::LINE_BYTES_MAX),
        "{error}"
    );
    let error = error.to_string();
    assert!(error.contains(&line.len().to_string()) && error.contains(&limits::LINE_BYTES_MAX.to_string()), "{error}");
}

#[test]
fn a_spool_is_cleared_only_while_nobody_is_at_a_segment() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = || Spool::open(folder.path()).expect("a spool");
    let recorder = Recorder::open(folder.path()).expect("a recorder");
    recorder.record_on_disk(event()).expect("recorded");
    used(folder.path()).expect("all is well");
    spool().append(&event(), Durability::Written).expect("appended");
    let id = spool().id().to_owned();
    assert!(spool().clear().expect("nothing is wrong").is_none(), "a recorder is at its segment");
    assert_eq!((count(&spool()), spool().id()), (3, id.as_str()), "nothing was removed");
    drop(recorder);
    let cleared = spool().clear().expect("nothing is wrong").expect("cleared");
    assert_ne!(cleared.id(), id);
    assert_eq!((count(&spool()), spool().id()), (0, cleared.id()));
    // A number that was given never comes back: another store may have had it.
    used(folder.path()).expect("all is well");
    assert_eq!(spool().segments().expect("segments").iter().filter_map(milepost_record::Segment::sequence).max(), Some(2));
}

#[test]
fn a_recorder_that_is_off_takes_everything_and_makes_nothing() {
    let off = Recorder::disabled().with_version("1.0");
    assert!(!off.is_enabled());
    off.record(event()).expect("taken");
    assert_eq!(off.pseudonym("luis"), None, "there is no key to make one by");
    let folder = tempfile::tempdir().expect("a folder");
    let on = Recorder::open(folder.path()).expect("a recorder");
    assert!(on.is_enabled());
    assert_eq!(on.pseudonym("luis"), Some(Identity::open(folder.path()).expect("an identity").pseudonym("luis")));
}
