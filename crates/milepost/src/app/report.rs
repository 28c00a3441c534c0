//! `milepost report`: what happened in a period, as figures.

use super::{Failure, Workplace, print, printable, scorecard::wait, track::Journal};
use crate::{
    cli::{FailuresOf, Format, PeriodFormat, PeriodOf, ReportOf},
    render::{exact_report, period_report, report as rendered, terminal::width},
};
use milepost_judge::{
    Criteria, ExactReport, Failures, Period, PeriodReport, Rhythm,
    comparison::{Side, compare, comparison_questions},
    exact_question,
    exact_report::Quantiles,
    judge,
    period_report::OfCriteria,
    questions, report, report_questions,
};
use milepost_record::{Answer, Filter, Origin, Span, Timestamp};
use milepost_store::Store;
use std::{collections::BTreeSet, process::ExitCode, time::Duration};

pub(super) fn full(of: &ReportOf, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let first = Timestamp::from_microseconds(0).unwrap_or(now);
    let span = Span { from: of.from.unwrap_or(first), to: of.to.unwrap_or(after(now)) };
    if span.from >= span.to {
        return Err(Failure::usage(format!("the period is empty: --from {} is not before --to {}", span.from, span.to)));
    }
    let criteria = &workplace.config.criteria;
    let origins = names(&of.origin);
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    if of.exact {
        return exact(of, span, workplace, now);
    }
    let answers = wait(async {
        let store = Store::open_on(data, now, cluster).await?;
        Ok(store.answers(&report_questions(criteria, span, &origins)).await?)
    })?;
    let report = report(criteria, span, &origins, &answers);
    print(&match of.format {
        Format::Table => rendered::terminal(&report, width()),
        Format::Markdown => rendered::markdown(&report),
        Format::Json => serde_json::to_string_pretty(&report).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}

/// The report of operations alone, from all events.
fn exact(of: &ReportOf, span: Span, workplace: &Workplace, now: Timestamp) -> Result<ExitCode, Failure> {
    let (criteria, origins) = (&workplace.config.criteria, names(&of.origin));
    let failures = match of.failures {
        FailuresOf::Slow => Failures::Slow,
        FailuresOf::Exclude => Failures::Exclude,
    };
    let quantiles = Quantiles { of: of.quantile_type, failures };
    let question = exact_question(criteria, span, &origins);
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    let ranks = |tally: &_| quantiles.ranks(tally);
    let found = wait(async { Ok(Store::open_on(data, now, cluster).await?.exact(&question, ranks).await?) })?;
    let report = ExactReport::of(&found, quantiles);
    let about = exact_report::About { project: &criteria.project, from: of.from, to: span.to, origins: &origins, quantiles };
    print(&match of.format {
        Format::Table => exact_report::terminal(&report, &about, width()),
        Format::Markdown => exact_report::markdown(&report, &about),
        Format::Json => serde_json::to_string(&report).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}

pub(super) fn of_period(rhythm: Rhythm, of: &PeriodOf, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let calendar = &workplace.config.criteria.calendar;
    let period = match &of.period {
        None => Period::last(rhythm, now.to_jiff().to_zoned_datetime(calendar.clone()).date()),
        Some(name) => Period::named(rhythm, name),
    };
    let period = period.ok_or_else(|| {
        let typed = printable(of.period.as_deref().unwrap_or_default());
        Failure::usage(format!("--period `{typed}` is no period of a {} report: write {}", rhythm.name(), rhythm.example()))
    })?;
    let origins = names(&of.origin);
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    let criteria = &workplace.config.criteria;
    let mut report = wait(async { made(&Store::open_on(data, now, cluster).await?, criteria, period, &origins, now).await })?;
    if origins == names(&[Origin::Use]) {
        let first = Journal::open(workplace.common()?)?.made(period);
        report.first_made = first.filter(|first| report.open_until.is_none() && first.events != report.events);
    }
    print(&shown(&report, of.format)?)
}

/// Whether anything that reports are about was recorded by the end of a period.
pub(super) async fn has_begun(store: &Store, criteria: &Criteria, period: Period, origins: &BTreeSet<String>) -> Result<bool, Failure> {
    let Some((from, Span { to, .. })) = Timestamp::from_microseconds(0).zip(period.span(&criteria.calendar)) else { return Ok(false) };
    Ok(store.count(Span { from, to }, origins).await? > 0)
}

/// The report of a period, or of what of it is over.
pub(super) async fn made(
    store: &Store,
    criteria: &Criteria,
    period: Period,
    origins: &BTreeSet<String>,
    now: Timestamp,
) -> Result<PeriodReport, Failure> {
    let whole = |period: Period| {
        let beyond = || Failure::usage(format!("{period} is beyond what a time can be"));
        period.span(&criteria.calendar).ok_or_else(beyond)
    };
    let mut span = whole(period)?;
    if span.from > now {
        return Err(Failure::usage(format!("{period} has not begun yet")));
    }
    span.to = span.to.min(after(now));
    let figures = report(criteria, span, origins, &store.answers(&report_questions(criteria, span, origins)).await?);
    let events = store.count(span, origins).await?;
    let of_criteria = if period.rhythm() == Rhythm::Daily {
        None
    } else {
        let before = period.before().ok_or_else(|| Failure::usage(format!("there is nothing before {period}")))?;
        let side = |period: Period, span| Side { name: period.to_string(), span, filter: Filter::new() };
        let sides = [side(before, whole(before)?), side(period, span)];
        Some(of_criteria(store, criteria, sides, origins).await?)
    };
    Ok(PeriodReport::of(criteria, period, span, events, figures, of_criteria))
}

/// What is known of the criteria at the end of the second side.
async fn of_criteria(store: &Store, criteria: &Criteria, sides: [Side; 2], origins: &BTreeSet<String>) -> Result<OfCriteria, Failure> {
    let span = sides[1].span;
    // The last moment of the period: at its end, the next quarter may begin.
    let end = span.to.saturating_sub(Duration::from_micros(1));
    let mut recorded = store.recorded().await?;
    recorded.retain(|event| event.at <= end);
    let mut questions = questions(criteria, &recorded, end);
    // What is judged now takes in events of clocks that are a little ahead; what came after the end of a period is not of it.
    for question in questions.iter_mut().flatten() {
        question.span.to = question.span.to.min(span.to).max(question.span.from);
    }
    let compared = comparison_questions(criteria, sides.each_ref());
    let mut answered = store.answers(&[questions.concat(), compared.concat()].concat()).await?.into_iter();
    let mut next = |n: usize| -> Vec<Answer> { answered.by_ref().take(n).collect() };
    let answers: Vec<_> = questions.iter().map(|of_goals| next(of_goals.len())).collect();
    let scorecard = judge(criteria, &answers, &recorded, end);
    let answers = compared.each_ref().map(|of_side| next(of_side.len()));
    let comparison = compare(criteria, sides.each_ref(), answers.each_ref().map(Vec::as_slice), end);
    recorded.extend(store.remarks(span, origins).await?);
    Ok(OfCriteria { scorecard, comparison, recorded })
}

/// The report in one of its formats.
pub(super) fn shown(report: &PeriodReport, format: PeriodFormat) -> Result<String, Failure> {
    Ok(match format {
        PeriodFormat::Table => period_report::terminal(report, width()),
        PeriodFormat::Markdown => period_report::markdown(report),
        PeriodFormat::Html => period_report::html(report).map_err(|error| Failure::internal(error.to_string()))?,
        PeriodFormat::Json => serde_json::to_string_pretty(report).map_err(|error| Failure::internal(error.to_string()))? + "\n",
    })
}

/// The newest event may carry this very moment.
fn after(now: Timestamp) -> Timestamp {
    now.saturating_add(Duration::from_micros(1))
}

pub(super) fn names(origins: &[Origin]) -> BTreeSet<String> {
    origins.iter().map(|origin| origin.name().to_owned()).collect()
}
