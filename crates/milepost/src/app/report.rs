//! `milepost report`: what happened in a period, as figures.

use super::{Failure, Workplace, print, scorecard::wait};
use crate::{
    cli::{Format, ReportOf},
    render::{report as rendered, terminal::width},
};
use milepost_judge::{report, report_questions};
use milepost_record::{Span, Timestamp};
use milepost_store::Store;
use std::{collections::BTreeSet, process::ExitCode, time::Duration};

pub(super) fn full(of: &ReportOf, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let first = Timestamp::from_microseconds(0).unwrap_or(now);
    // The newest event may carry this very moment.
    let next = now.saturating_add(Duration::from_micros(1));
    let span = Span { from: of.from.unwrap_or(first), to: of.to.unwrap_or(next) };
    if span.from >= span.to {
        return Err(Failure::usage(format!("the period is empty: --from {} is not before --to {}", span.from, span.to)));
    }
    let criteria = &workplace.config.criteria;
    let origins: BTreeSet<String> = of.origin.iter().map(|origin| origin.name().to_owned()).collect();
    let data = workplace.data()?;
    let answers = wait(async {
        let store = Store::open(data, now).await?;
        Ok(store.answers(&report_questions(criteria, span, &origins)).await?)
    })?;
    let report = report(criteria, span, &origins, &answers);
    print(&match of.format {
        Format::Table => rendered::terminal(&report, width()),
        Format::Markdown => rendered::markdown(&report),
        Format::Json => serde_json::to_string_pretty(&report).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}
