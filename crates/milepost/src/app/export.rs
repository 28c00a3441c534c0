//! `milepost export`: events as JSON lines, each once, as they were recorded.

use super::{Failure, Workplace, say, scorecard::wait};
use crate::cli::Export;
use milepost_record::{SpoolError, Timestamp};
use milepost_store::{Selection, Store};
use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

pub(super) fn export(export: &Export, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let data = workplace.data()?;
    let selection = Selection { kinds: export.kind.clone(), from: export.from, to: export.to };
    let unreadable = wait(async {
        let store = Store::open(data, Timestamp::now()).await?;
        let mut out = BufWriter::new(io::stdout().lock());
        store
            .for_each_event::<Failure>(&selection, |event| {
                let line = event.to_json().map_err(SpoolError::from)?;
                writeln!(out, "{line}").map_err(Failure::Output)
            })
            .await?;
        out.flush().map_err(Failure::Output)?;
        Ok(store.inventory().unreadable)
    })?;
    if unreadable > 0 {
        say(&format!("{unreadable} lines of the spool are no events and were left out: see `milepost doctor`"));
    }
    Ok(ExitCode::SUCCESS)
}
