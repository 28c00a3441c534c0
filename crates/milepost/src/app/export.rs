//! `milepost export`: events as JSON lines or as Parquet, each once, as they were recorded.

use super::{Failure, Workplace, files, printable, say, scorecard::wait};
use crate::{
    cli::{Export, ExportFormat},
    render::terminal::harmless,
};
use milepost_record::{Identity, Kind, SpoolError, Timestamp, is_pseudonym};
use milepost_store::{Person, Selection, Store, StoreError};
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

pub(super) fn export(export: &Export, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let data = workplace.data()?;
    let user = export.user.as_deref().map(|name| pseudonym(name, data)).transpose()?;
    let selection = Selection { kinds: export.kind.clone(), from: export.from, to: export.to };
    let now = Timestamp::now();
    let output = export.output.as_deref().filter(|path| path.as_os_str() != "-");
    let (events, unreadable) = wait(async {
        let person = match (&user, &export.user) {
            // A product may have written the name itself.
            (Some(pseudonym), Some(name)) => Some(Person::named(data, &[pseudonym, name], now).await?),
            _ => None,
        };
        let person = person.as_ref();
        let store = Store::open(data, now).await?;
        let events = match (export.format, output) {
            (ExportFormat::Jsonl, None) => lines(&store, &selection, person, io::stdout().lock(), io::stdout().is_terminal()).await?,
            (ExportFormat::Jsonl, Some(path)) => {
                let mut file = files::unfinished(path).map_err(|error| failed(path, &error))?;
                let events = lines(&store, &selection, person, file.as_mut(), false).await?;
                file.keep().map_err(|error| failed(path, &error))?;
                events
            }
            (ExportFormat::Parquet, Some(path)) => parquet(&store, &selection, person, path).await?,
            (ExportFormat::Parquet, None) => {
                return Err(Failure::usage("Parquet is no text: name a file, or of several kinds a folder, with --output"));
            }
        };
        Ok((events, store.inventory().unreadable))
    })?;
    if let (Some(user), 0) = (&user, events) {
        say(&format!("nothing here is of {}", printable(user)));
    }
    if unreadable > 0 {
        say(&format!("{unreadable} lines of the spool are no events and were left out: see `milepost doctor`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The pseudonym of a person, who is named by it or by name.
fn pseudonym(name: &str, data: &Path) -> Result<String, Failure> {
    if is_pseudonym(name) {
        return Ok(name.to_owned());
    }
    if !data.is_dir() {
        return Err(Failure::usage(format!("there is no folder {}, and so no key that tells the pseudonym of a name", data.display())));
    }
    Ok(Identity::open(data)?.pseudonym(name))
}

async fn lines(
    store: &Store,
    selection: &Selection,
    person: Option<&Person>,
    output: impl Write,
    for_terminal: bool,
) -> Result<u64, Failure> {
    let mut out = BufWriter::new(output);
    let mut events = 0;
    store
        .for_each_event::<Failure>(selection, |event| {
            if person.is_some_and(|person| !person.has(&event)) {
                return Ok(());
            }
            let line = event.to_json().map_err(SpoolError::from)?;
            events += 1;
            let line = if for_terminal { harmless(&line) } else { line.into() };
            writeln!(out, "{line}").map_err(Failure::Output)
        })
        .await?;
    out.flush().map_err(Failure::Output)?;
    Ok(events)
}

/// One kind becomes the file of that name; several become files in the folder of that name, each called as its view.
async fn parquet(store: &Store, selection: &Selection, person: Option<&Person>, output: &Path) -> Result<u64, Failure> {
    if let [kind] = selection.kinds[..] {
        return one(store, kind, selection, person, output, true).await;
    }
    files::folder(output, true).map_err(|error| failed(output, &error))?;
    let mut events = 0;
    for kind in Kind::ALL.iter().filter(|kind| selection.kinds.is_empty() || selection.kinds.contains(kind)) {
        let path = output.join(kind.table()).with_extension("parquet");
        events += one(store, *kind, selection, person, &path, false).await?;
    }
    Ok(events)
}

/// Writes a file, and keeps one without events only where it was asked for by name.
async fn one(store: &Store, kind: Kind, selection: &Selection, person: Option<&Person>, path: &Path, empty: bool) -> Result<u64, Failure> {
    let mut file = files::unfinished(path).map_err(|error| failed(path, &error))?;
    let events = store.write_parquet(kind, selection, person, BufWriter::new(file.as_mut())).await;
    let events = events.map_err(|error: StoreError| Failure::internal(format!("cannot write {}: {error}", path.display())))?;
    if events > 0 || empty {
        file.keep().map_err(|error| failed(path, &error))?;
        say(&format!("{}: {events} {}", path.display(), if events == 1 { kind.name() } else { kind.table() }));
    }
    Ok(events)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("cannot write {}: {error}", path.display()))
}
