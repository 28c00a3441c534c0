//! `milepost status` and `dashboard`: the scorecard of this moment, shown.

use super::{Failure, Workplace, files::publish, print, say};
use crate::{
    cli::{Dashboard, Format, Status, StatusFormat},
    render::{self, html::Shown},
};
use milepost_judge::{
    Criteria, Scorecard, Tier, judge, machines_questions, misses_questions, panels, panels_questions, plan::plans, questions,
    tell_machines, tell_misses,
};
use milepost_record::{Answer, Question, Timestamp};
use milepost_store::Store;
use std::{path::Path, process::ExitCode, sync::LazyLock};
use tokio::runtime::{Builder, Runtime};

/// The scorecard with what it rests on.
pub(super) struct Judged {
    pub(super) store: Store,
    pub(super) scorecard: Scorecard,
    pub(super) questions: Vec<Vec<Question>>,
    pub(super) answers: Vec<Vec<Answer>>,
}

/// Asks and judges everything, now.
pub(super) fn judged(workplace: &Workplace) -> Result<Judged, Failure> {
    let now = Timestamp::now();
    let criteria = &workplace.config.criteria;
    let data = workplace.data()?;
    wait(async {
        let store = Store::open(data, now).await?;
        let questions = questions(criteria, store.past(), now);
        let mut answered = store.answers(&questions.concat()).await?.into_iter();
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
        Ok(Judged { store, scorecard, questions, answers })
    })
}

/// Waits for the engine, which has one runtime for as long as this process lives.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    static RUNTIME: LazyLock<std::io::Result<Runtime>> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build());
    match &*RUNTIME {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failure::internal(format!("cannot start the query engine: {error}"))),
    }
}

/// `milepost` alone.
pub(super) fn bare(workplace: &Workplace) -> Result<ExitCode, Failure> {
    if workplace.is_configured() {
        return status(&Status { format: StatusFormat::Table }, workplace);
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
    let scorecard = judged(workplace)?.scorecard;
    print(&match status.format {
        StatusFormat::Table => shown(&scorecard, Format::Table)?,
        StatusFormat::Json => shown(&scorecard, Format::Json)?,
        StatusFormat::Markdown => shown(&scorecard, Format::Markdown)?,
        StatusFormat::Badge => badge(&scorecard, &[Tier::Must])?,
        StatusFormat::BadgeSvg => render::badge::svg(&scorecard, &[Tier::Must]),
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
pub(super) fn page(judged: &Judged, criteria: &Criteria) -> Result<String, Failure> {
    let scorecard = &judged.scorecard;
    let plans = plans(&criteria.criteria, &[]).map_err(|error| Failure::internal(error.to_string()))?;
    let now = scorecard.generated_at;
    let answers = wait(async { Ok(judged.store.answers(&panels_questions(criteria, now)).await?) })?;
    let panels = panels(criteria, &answers, now);
    let shown = Shown { scorecard, plans: &plans, panels: Some(&panels) };
    render::html::dashboard(&shown).map_err(|error| Failure::internal(error.to_string()))
}

pub(super) fn dashboard(dashboard: &Dashboard, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let page = page(&judged(workplace)?, &workplace.config.criteria)?;
    if dashboard.output == Path::new("-") {
        return print(&page);
    }
    publish(&dashboard.output, page.as_bytes())
        .map_err(|error| Failure::internal(format!("cannot write {}: {error}", dashboard.output.display())))?;
    say(&format!("wrote {}", dashboard.output.display()));
    Ok(ExitCode::SUCCESS)
}
