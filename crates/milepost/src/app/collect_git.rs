//! `milepost collect git`: the contributions in a repository's history become measurements.

use super::{Failure, Workplace, collect::keep, collect_reports::Desk, collect_run, printable, say};
use crate::cli::CollectGit;
use jiff::civil::Date;
use milepost_collect::{GIT_LOG, Month, contributions};
use milepost_record::Timestamp;
use std::{ffi::OsString, path::Path, process::ExitCode};

pub(super) fn git(wishes: &CollectGit, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let Some((spool, door)) = workplace.recording("collect")? else { return Ok(ExitCode::SUCCESS) };
    let zone = &workplace.config.criteria.calendar;
    let desk = Desk { spool: &spool, door: &door, context: &wishes.context, zone };
    say(&record(&wishes.folder, &wishes.maintainers, &desk)?);
    if wishes.maintainers.is_empty() {
        say("nobody is named as a maintainer, so everybody but bots counts as the community: see --maintainer");
    }
    Ok(ExitCode::SUCCESS)
}

/// Records the contributions to a repository, and says how many there are.
pub(super) fn record(folder: &Path, maintainers: &[String], desk: &Desk<'_>) -> Result<String, Failure> {
    let name = printable(&folder.display().to_string());
    let shallow = asked(folder, "git rev-parse", &["rev-parse", "--is-shallow-repository"])?;
    if shallow.trim_ascii() == b"true" {
        return Err(Failure::usage(format!(
            "{name}: this is a shallow clone, which would count too few: run `git fetch --unshallow` in it"
        )));
    }
    // Said by hand, since `git log` of no commit is an error that does not say so.
    if asked(folder, "git rev-list", &["rev-list", "--all", "--max-count=1", "--count"])?.trim_ascii() == b"0" {
        return Err(Failure::usage(format!("{name}: there is no commit yet")));
    }
    let history = asked(folder, "git log", GIT_LOG)?;
    let now = Timestamp::now();
    let found =
        contributions(&history, maintainers, desk.zone, now).map_err(|no_history| Failure::usage(format!("{name}: {no_history}")))?;
    for event in found.events(now, desk.zone) {
        keep(event, desk.context, desk.spool, desk.door)?;
    }
    let of_month =
        |(date, month): (&Date, &Month)| format!("{} in {} by {} people", month.contributions, date.strftime("%Y-%m"), month.people);
    let told: Vec<_> = found.months.iter().rev().take(3).map(of_month).collect();
    Ok(format!("{name}: {}", told.join(", ")))
}

fn asked(folder: &Path, name: &str, args: &[&str]) -> Result<Vec<u8>, Failure> {
    let place = [OsString::from("-C"), folder.as_os_str().to_owned()];
    let args = place.into_iter().chain(args.iter().map(OsString::from)).collect();
    // What of the history is not here is not fetched: a repository's own configuration says from where, and by which program. The first
    // variable is known to Git 2.45 and later, the second to every one: there is no protocol of this name.
    let here_alone = &[("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "none")];
    collect_run::printed(name, "git", args, here_alone, &[0], collect_run::TIMEOUT)
}
