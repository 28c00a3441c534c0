//! `milepost status` and `dashboard`: the scorecard of this moment, shown.

use super::{Failure, Workplace, files::publish, print, say};
use crate::{
    cli::{Dashboard, Format, Status, StatusFormat},
    config::Config,
    render::{
        self,
        html::{CriterionDetail, Shown},
        terminal::Source,
    },
};
use futures::try_join;
use milepost_judge::{
    Criteria, Panels, Scorecard, Tier, growth::growth, judge, machines_questions, misses_questions, needs_days, panels, panels::Record,
    panels_questions, plan::plans, questions, tell_machines, tell_misses,
};
use milepost_record::{Answer, Event, Question, Subject, Timestamp};
use milepost_store::{Row, Store};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    process::ExitCode,
    sync::LazyLock,
    thread::{self, ScopedJoinHandle},
};
use tokio::runtime::{Builder, Runtime};

/// How many of the newest events are shown.
const NEWEST: usize = 5;

/// The scorecard with what it rests on.
pub(super) struct Judged {
    pub(super) store: Store,
    pub(super) scorecard: Scorecard,
    pub(super) questions: Vec<Vec<Question>>,
    pub(super) answers: Vec<Vec<Answer>>,
    /// What was asked beside, once the verdicts were known.
    pub(super) asked_beside: Vec<Question>,
}

/// Asks and judges everything, now.
pub(super) fn judged(workplace: &Workplace) -> Result<Judged, Failure> {
    let now = Timestamp::now();
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    wait(async { judged_of(Store::open_on(data, now, cluster).await?, workplace, now, false).await })
}

/// The scorecard without what only a chart shows, trends and changes: it takes hardly longer the more days there are.
pub(super) fn judged_in_short(workplace: &Workplace) -> Result<Scorecard, Failure> {
    let now = Timestamp::now();
    let (data, cluster) = (workplace.data()?, workplace.cluster()?);
    wait(async {
        let judged = judged_of(Store::open_on(data, now, cluster).await?, workplace, now, true).await?;
        let judged = if needs_days(&judged.scorecard) { judged_of(judged.store, workplace, now, false).await? } else { judged };
        Ok(judged.scorecard)
    })
}

async fn judged_of(store: Store, workplace: &Workplace, now: Timestamp, in_short: bool) -> Result<Judged, Failure> {
    let criteria = &workplace.config.criteria;
    let questions = questions(criteria, store.past(), now);
    let asked = questions.concat();
    let answered = if in_short { store.totals(&asked).await? } else { store.answers(&asked).await? };
    let mut answered = answered.into_iter();
    let answers: Vec<Vec<Answer>> = questions.iter().map(|of_goals| answered.by_ref().take(of_goals.len()).collect()).collect();
    let mut scorecard = judge(criteria, &answers, store.past(), now);
    // What is worth asking only once the verdicts are known.
    let misses = misses_questions(criteria, &scorecard, store.past(), now);
    let machines = machines_questions(criteria, &scorecard, store.past(), now);
    let asked: Vec<Question> = misses.iter().chain(&machines).map(|(_, question)| question.clone()).collect();
    if !asked.is_empty() {
        let mut answered = store.answers(&asked).await?.into_iter();
        let mut of = |places: &[(usize, Question)]| places.iter().map(|(place, _)| *place).zip(answered.by_ref()).collect::<Vec<_>>();
        let (misses, machines) = (of(&misses), of(&machines));
        tell_misses(&mut scorecard, misses);
        tell_machines(&mut scorecard, machines);
    }
    Ok(Judged { store, scorecard, questions, answers, asked_beside: asked })
}

/// Waits for the engine, which has one runtime for as long as this process lives. A damaged file may make it panic, which must not end
/// what else there is to do.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    static RUNTIME: LazyLock<std::io::Result<Runtime>> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build());
    match &*RUNTIME {
        Ok(runtime) => catch_unwind(AssertUnwindSafe(|| runtime.block_on(work))).unwrap_or_else(|_| {
            let why = "the query engine panicked, as it may where a file of the tables is damaged: see `milepost doctor`";
            Err(Failure::internal(why.to_owned()))
        }),
        Err(error) => Err(Failure::internal(format!("cannot start the query engine: {error}"))),
    }
}

/// `milepost` alone.
pub(super) fn bare(workplace: &Workplace) -> Result<ExitCode, Failure> {
    if workplace.is_configured() {
        return status(&Status { format: StatusFormat::Table, watch: false }, workplace);
    }
    print(
        "Milepost answers one question: did we meet the success criteria that we set?\n\n\
         Nothing is configured here yet. Three first steps:\n  \
         milepost init                             write a commented milepost.toml\n  \
         milepost run --operation NAME -- COMMAND  record how a command of your product goes\n  \
         milepost status                           see how the criteria stand\n",
    )
}

pub(super) fn status(status: &Status, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let in_short = || judged_in_short(workplace);
    print(&match status.format {
        StatusFormat::Table => shown(&in_short()?, Format::Table)?,
        StatusFormat::Json => shown(&judged(workplace)?.scorecard, Format::Json)?,
        StatusFormat::Markdown => shown(&in_short()?, Format::Markdown)?,
        StatusFormat::Badge => badge(&in_short()?, &[Tier::Must])?,
        StatusFormat::BadgeSvg => render::badge::svg(&in_short()?, &[Tier::Must]),
    })
}

pub(super) fn configured(workplace: &Workplace) -> Result<(), Failure> {
    if workplace.is_configured() {
        Ok(())
    } else {
        Err(Failure::usage("there is no milepost.toml here or above, so there are no criteria: run `milepost init`"))
    }
}

/// The scorecard in one of its formats.
pub(super) fn shown(scorecard: &Scorecard, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Table => render::terminal::scorecard(scorecard, render::terminal::width()),
        Format::Markdown => render::markdown::scorecard(scorecard),
        Format::Json => {
            let json = serde_json::to_string_pretty(scorecard).map_err(|error| Failure::internal(error.to_string()))?;
            json + "\n"
        }
    })
}

/// The badge of some tiers as JSON.
pub(super) fn badge(scorecard: &Scorecard, tiers: &[Tier]) -> Result<String, Failure> {
    render::badge::json(scorecard, tiers).map_err(|error| Failure::internal(error.to_string()))
}

/// The page of what was judged.
pub(super) fn page(judged: &Judged, config: &Config) -> Result<String, Failure> {
    let (details, panels) = beside(judged, config)?;
    let shown = Shown { scorecard: &judged.scorecard, details: &details, panels: Some(&panels) };
    render::html::dashboard(shown).map_err(|error| Failure::internal(error.to_string()))
}

/// Every question that the scorecard and the page ask, but for those that follow from the verdicts.
pub(super) fn asked(criteria: &Criteria, past: &[Event], now: Timestamp) -> Vec<Question> {
    questions(criteria, past, now).into_iter().flatten().chain(panels_questions(criteria, now)).collect()
}

/// What the page shows beside the scorecard: more of each criterion, and what each tracker saw. What is worked out has a thread, while the
/// engine looks events up.
pub(super) fn beside(judged: &Judged, config: &Config) -> Result<(Vec<CriterionDetail>, Panels), Failure> {
    let (criteria, store, now) = (&config.criteria, &judged.store, judged.scorecard.generated_at);
    let asked = panels_questions(criteria, now);
    thread::scope(|scope| {
        let planned = scope.spawn(|| plans(&criteria.criteria, &[]));
        let (answers, recorded, releases, sources) = wait(async {
            let told = async { try_join!(store.answers(&asked), store.recorded(), store.releases()).map_err(Failure::from) };
            let ((answers, recorded, releases), sources) = try_join!(told, sources(judged))?;
            Ok((answers, recorded, releases, sources))
        })?;
        let grown = scope.spawn(move || growth(criteria, &judged.scorecard, &judged.answers, &releases));
        let mut panels = Panels { record: Some(Record::of(criteria, &recorded)), ..panels(criteria, &answers, now) };
        if !config.texts.error {
            panels.failing.forget_texts();
        }
        let plans = done(planned).map_err(|error| Failure::internal(error.to_string()))?;
        let detail = |((plans, growth), sources)| CriterionDetail { plans, growth, sources };
        Ok((plans.into_iter().zip(done(grown)).zip(sources).map(detail).collect(), panels))
    })
}

/// What a thread worked out.
fn done<T>(working: ScopedJoinHandle<'_, T>) -> T {
    working.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// The newest events of each criterion.
async fn sources(judged: &Judged) -> Result<Vec<Vec<Source>>, Failure> {
    let (mut sources, mut known) = (Vec::new(), Vec::new());
    for (questions, answers) in judged.questions.iter().zip(&judged.answers) {
        sources.push(sources_of(&judged.store, questions, answers, &mut known).await?);
    }
    Ok(sources)
}

/// The newest events of questions, each without its limit and groups, on which they do not depend.
type Known = Vec<(Question, Vec<Row>)>;

/// How each goal of a criterion was asked, and the newest events that count, which are looked up where they are not `known`.
pub(super) async fn sources_of(
    store: &Store,
    questions: &[Question],
    answers: &[Answer],
    known: &mut Known,
) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        let subject = match &question.subject {
            Subject::Operations { .. } => Subject::Operations { limit: None },
            Subject::PeakMemory { .. } => Subject::PeakMemory { limit: None },
            other => other.clone(),
        };
        let about = Question { subject, for_each: None, ..question.clone() };
        let newest = match known.iter().find(|(known, _)| *known == about) {
            Some((_, newest)) => newest.clone(),
            None => {
                let newest = store.newest(question, NEWEST).await?;
                known.push((about, newest.clone()));
                newest
            }
        };
        sources.push(Source { sql: answer.sql.clone(), fields: question.fields(), newest });
    }
    Ok(sources)
}

pub(super) fn dashboard(dashboard: &Dashboard, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let page = page(&judged(workplace)?, &workplace.config)?;
    if dashboard.output == Path::new("-") {
        return print(&page);
    }
    publish(&dashboard.output, page.as_bytes())
        .map_err(|error| Failure::internal(format!("cannot write {}: {error}", dashboard.output.display())))?;
    say(&format!("wrote {}", dashboard.output.display()));
    Ok(ExitCode::SUCCESS)
}
