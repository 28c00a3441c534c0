//! `milepost check`: whether some tiers hold, for a script or a build server to go by.

use super::{
    Failure, Workplace,
    files::append,
    print, say,
    scorecard::{badge, configured, judged, judged_in_short, shown},
};
use crate::{
    cli::{Check, CheckFormat, Format},
    render,
};
use milepost_judge::{Scorecard, Tier, Verdict, conjunction, passes};
use std::{env, fs, io, path::Path, process::ExitCode};

pub(super) fn check(check: &Check, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let whole = if matches!(check.format, CheckFormat::Json) { judged(workplace)?.scorecard } else { judged_in_short(workplace)? };
    let tiers: Vec<Tier> = check.only.iter().map(|tier| (*tier).into()).collect();
    let allowed: Vec<Verdict> = check.allow.iter().map(|verdict| (*verdict).into()).collect();
    let mut checked = whole.clone();
    checked.criteria.retain(|criterion| criterion.tier.is_some_and(|tier| tiers.contains(&tier)));
    checked.tiers.retain(|tier, _| tiers.contains(tier));
    if checked.criteria.is_empty() {
        let names: Vec<_> = tiers.iter().map(|tier| tier.name()).collect();
        return Err(Failure::usage(format!("no criterion has the tier {}, so there is nothing to check", names.join(" or "))));
    }
    print(&match check.format {
        CheckFormat::Table => shown(&checked, Format::Table)?,
        CheckFormat::Json => shown(&checked, Format::Json)?,
        CheckFormat::Markdown => shown(&checked, Format::Markdown)?,
        CheckFormat::Github => {
            summarize(&whole);
            render::github::annotations(&whole, &tiers, &allowed)
        }
        CheckFormat::Junit => render::junit::report(&checked, &allowed),
        CheckFormat::Badge => badge(&checked, &tiers)?,
        CheckFormat::BadgeSvg => render::badge::svg(&checked, &tiers),
    })?;
    let verdicts = checked.criteria.iter().map(|c| c.judgement.verdict);
    Ok(ExitCode::from(match conjunction(verdicts.map(|v| if passes(v, &allowed) { Verdict::Met } else { v })) {
        Verdict::Met => 0,
        Verdict::Missed => 1,
        Verdict::NotProven | Verdict::NoData | Verdict::Stale => 3,
    }))
}

/// Appends the scorecard to the summary of this step of GitHub Actions, if it is one. The verdict does not depend on that, so what
/// goes wrong is said, and ends nothing.
fn summarize(scorecard: &Scorecard) {
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    match summarized(scorecard, Path::new(&path)) {
        Ok(true) => {}
        Ok(false) => say("the summary of this step is full, so the scorecard is not in it"),
        Err(error) => say(&format!("the scorecard is not in the summary of this step: cannot write {}: {error}", path.display())),
    }
}

/// Whether there was room for it.
fn summarized(scorecard: &Scorecard, path: &Path) -> io::Result<bool> {
    let there = match fs::metadata(path) {
        Ok(metadata) => usize::try_from(metadata.len()).unwrap_or(usize::MAX),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    // What is there may end in the middle of a line.
    let apart = if there > 0 { "\n\n" } else { "" };
    let room = render::github::SUMMARY_BYTES_MAX.saturating_sub(there).saturating_sub(apart.len());
    let Some(summary) = render::github::summary(scorecard, room) else { return Ok(false) };
    append(path, format!("{apart}{summary}").as_bytes()).map(|()| true)
}
