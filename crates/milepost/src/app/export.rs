//! `milepost export`: events as JSON lines, each once, as they were recorded.

use super::{Failure, Workplace, say};
use crate::cli::Export;
use milepost_record::{SpoolError, Timestamp};
use milepost_store::for_each_event;
use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

pub(super) fn export(export: &Export, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let inventory = for_each_event::<Failure>(workplace.data()?, Timestamp::now(), |event| {
        let wanted = (export.kind.is_empty() || export.kind.contains(&event.kind()))
            && export.from.is_none_or(|from| event.at >= from)
            && export.to.is_none_or(|to| event.at < to);
        if wanted {
            let line = event.to_json().map_err(SpoolError::from)?;
            writeln!(out, "{line}").map_err(Failure::Output)?;
        }
        Ok(())
    })?;
    out.flush().map_err(Failure::Output)?;
    if inventory.unreadable > 0 {
        say(&format!("{} lines of the spool are no events and were left out: see `milepost doctor`", inventory.unreadable));
    }
    Ok(ExitCode::SUCCESS)
}
