//! `milepost compare`: two sides beside each other.

use super::{
    Failure, Workplace,
    exclude::moment_of,
    print, printable,
    scorecard::{configured, wait},
};
use crate::{
    cli::{Compare, Format},
    render::{comparison as rendered, terminal::width},
};
use milepost_judge::comparison::{Side, compare as of_answers, comparison_questions};
use milepost_record::{Dimension, Filter, Span, Timestamp, limits::AHEAD_MAX};
use milepost_store::Store;
use std::process::ExitCode;

pub(super) fn compare(of: &Compare, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let now = Timestamp::now();
    let sides = [side("the first side", &of.first, of, now, workplace)?, side("the second side", &of.second, of, now, workplace)?];
    let criteria = &workplace.config.criteria;
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    let answers = wait(async {
        let store = Store::open_on(data, now, cluster).await?;
        let [first, second] = comparison_questions(criteria, sides.each_ref());
        Ok([store.answers(&first).await?, store.answers(&second).await?])
    })?;
    let comparison = of_answers(criteria, sides.each_ref(), answers.each_ref().map(Vec::as_slice), now);
    print(&match of.format {
        Format::Table => rendered::terminal(&comparison, width()),
        Format::Markdown => rendered::markdown(&comparison),
        Format::Json => serde_json::to_string_pretty(&comparison).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}

/// `DIMENSION=VALUE`, or a period `FROM..TO`.
fn side(what: &str, text: &str, of: &Compare, now: Timestamp, workplace: &Workplace) -> Result<Side, Failure> {
    let calendar = &workplace.config.criteria.calendar;
    let first = Timestamp::from_microseconds(0).unwrap_or(now);
    let moment = |flag: &str, text: &Option<String>| text.as_deref().map(|text| moment_of(flag, text, calendar)).transpose();
    let mut span =
        Span { from: moment("--from", &of.from)?.unwrap_or(first), to: moment("--to", &of.to)?.unwrap_or(now.saturating_add(AHEAD_MAX)) };
    let mut filter = Filter::new();
    if let Some((from, to)) = text.split_once("..") {
        // Not a flag, and named like one so that the message says where it stands.
        (span.from, span.to) = (moment_of(what, from, calendar)?, moment_of(what, to, calendar)?);
    } else if let Some((dimension, value)) = text.split_once('=') {
        let dimension: Dimension = dimension.trim().parse().map_err(|error| Failure::usage(format!("{what}: {error}")))?;
        filter.insert(dimension, [value.trim().to_owned()].into());
    } else {
        let text = printable(text);
        let message =
            format!("{what} `{text}` is neither NAME=VALUE, such as version=1.3.0, nor a period FROM..TO, such as 2026-10-01..2026-11-01");
        return Err(Failure::usage(message));
    }
    if span.from >= span.to {
        return Err(Failure::usage(format!("{what} `{}` is an empty period", printable(text))));
    }
    Ok(Side { name: text.to_owned(), span, filter })
}
