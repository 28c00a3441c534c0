//! `milepost forget`: what is of one person is erased, or everything.

use super::{
    Failure, Workplace,
    doctor::several,
    print, printable, say,
    scorecard::wait,
    track::{apply, family, patiently, reports_in},
    versions,
};
use crate::cli::Forget;
use milepost_record::{Identity, Locked, Spool, Timestamp, is_pseudonym};
use milepost_store::{bucket, clear, found, is_shared, lay, shared};
use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// How long a `milepost track` that is at work is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);

const NOT_IN_REACH: &str = "Not in reach: what was exported, reports that were passed on or written elsewhere, alerts that were sent,\n\
                            backups and snapshots, and what is older than this on machines with another key.\n";

pub(super) fn forget(wish: &Forget, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let data = workplace.data()?;
    if !data.is_dir() {
        return Err(Failure::usage(format!("there is no folder {}, so there is nothing to forget", data.display())));
    }
    versions::refuse_newer_files(workplace)?;
    let output = workplace.config.output.clone().unwrap_or_else(|| data.join("reports"));
    match &wish.user {
        Some(name) => person(name, wish.yes, data, &output),
        None => everything(wish.yes, data, &output),
    }
}

fn person(name: &str, yes: bool, data: &Path, output: &Path) -> Result<ExitCode, Failure> {
    let pseudonym = if is_pseudonym(name) { name.to_owned() } else { Identity::open(data)?.pseudonym(name) };
    // A product may have written the name itself.
    let words = if is_pseudonym(name) { vec![name] } else { vec![pseudonym.as_str(), name] };
    let now = Timestamp::now();
    let there = wait(async { Ok(found(data, &words, now).await?) })?;
    let kinds: Vec<_> = there.events.iter().map(|(kind, n)| several(*n, kind.name(), kind.table())).collect();
    let said = match &there.days {
        Some((first, last)) => format!("{pseudonym}: {}; {first} to {last}\n", kinds.join(", ")),
        None => format!("{}: no event here\n", printable(&pseudonym)),
    };
    print(&said)?;
    confirm("Erase what is of this person? There is no way back.", yes)?;
    let _lock = lock(data)?;
    patiently(|| wait(async { Ok(lay(data, &words, now).await) }))?;
    let applied = apply(data, output, now)?;
    let others =
        if is_shared(data)? { "Machines that share the tables and the key erase their copies at the next `milepost track`.\n" } else { "" };
    print(&format!("{applied}\n{others}{NOT_IN_REACH}"))
}

fn everything(yes: bool, data: &Path, output: &Path) -> Result<ExitCode, Failure> {
    print(&format!("All events, tables, reports and the key in {}\n", data.display()))?;
    confirm("Erase everything? There is no way back.", yes)?;
    let _lock = lock(data)?;
    if data.join("spool").is_dir() && Spool::open(data)?.clear()?.is_none() {
        return Err(Failure::internal("somebody is recording at this moment, so nothing was erased: end what embeds a recorder first"));
    }
    let shared = match bucket(data)? {
        Some(url) => Some(url.to_string()),
        None => shared(data).map(|folder| printable(&fs::canonicalize(&folder).unwrap_or(folder).to_string_lossy())),
    };
    patiently(|| Ok(clear(data)))?;
    let failed = |path: &Path, error: &io::Error| Failure::internal(format!("cannot remove {}: {error}", path.display()));
    for path in reports_in(output).iter().flat_map(|path| family(path)).chain(ours(data)) {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(&path, &error));
        }
    }
    let tables = shared.map(|place| format!("Kept: the tables in {place}, which several machines share.\n"));
    print(&format!("Erased. Kept: milepost.toml, and an empty spool.\n{}{NOT_IN_REACH}", tables.unwrap_or_default()))
}

/// What a data folder holds beside spool, tables and reports; the key comes last.
fn ours(data: &Path) -> impl Iterator<Item = PathBuf> {
    let names = ["set-aside", "set-aside.jsonl", "track.json", "track.damaged.json", "alerts.json", "alerts.damaged.json"];
    let names = names.into_iter().chain(["forgotten.json", "forgotten.damaged.json", "identity.json"]);
    names.map(|name| data.join(name))
}

fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nothing was erased: nobody can be asked here, so say --yes"));
    }
    say(&format!("{question} Type yes:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::internal(format!("cannot read the answer: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::usage("nothing was erased")) }
}

/// No `milepost track` publishes what it judged before.
fn lock(data: &Path) -> Result<Locked, Failure> {
    let began = Instant::now();
    loop {
        match Locked::try_at(&data.join("track.lock")) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if began.elapsed() < PATIENCE => thread::sleep(AGAIN),
            Ok(None) => {
                let busy = "nothing was erased: another Milepost has been at these data for a minute; call it again when that has ended";
                return Err(Failure::internal(busy));
            }
            Err(error) => return Err(Failure::internal(format!("cannot lock track.lock in {}: {error}", data.display()))),
        }
    }
}
