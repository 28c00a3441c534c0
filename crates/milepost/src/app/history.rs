//! `milepost history`: what `milepost track` recorded of definitions and verdicts.

use super::{
    Failure, Workplace,
    explain::find,
    print,
    scorecard::{configured, wait},
};
use crate::{
    cli::{self, Format},
    render::{history as rendered, terminal::width},
};
use milepost_judge::history::history as of_recorded;
use milepost_record::Timestamp;
use milepost_store::Store;
use std::process::ExitCode;

pub(super) fn history(of: &cli::History, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let data = workplace.data()?;
    let recorded = wait(async { Ok(Store::open(data, Timestamp::now()).await?.recorded().await?) })?;
    let mut history = of_recorded(&workplace.config.criteria, &recorded);
    if let Some(typed) = &of.criterion {
        let names: Vec<&str> = history.criteria.iter().map(|criterion| criterion.criterion.as_str()).collect();
        let index = find(typed, &names)?;
        history.criteria = history.criteria.into_iter().skip(index).take(1).collect();
    }
    print(&match of.format {
        Format::Table => rendered::terminal(&history, width()),
        Format::Markdown => rendered::markdown(&history),
        Format::Json => serde_json::to_string_pretty(&history).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}
