//! `milepost collect git`: the contributions in a repository's history become measurements.

use super::{Failure, Workplace, collect::keep, collect_run, printable, say};
use crate::cli::CollectGit;
use milepost_collect::{GIT_LOG, contributions};
use milepost_record::{Timestamp, recording_is_off};
use std::{ffi::OsString, path::Path, process::ExitCode};

pub(super) fn git(wishes: &CollectGit, workplace: &Workplace) -> Result<ExitCode, Failure> {
    if let Some(variable) = recording_is_off() {
        say(&format!("not recorded: {variable} is set"));
        return Ok(ExitCode::SUCCESS);
    }
    let name = printable(&wishes.folder.display().to_string());
    let shallow = asked(&wishes.folder, "git rev-parse", &["rev-parse", "--is-shallow-repository"])?;
    if shallow.trim_ascii() == b"true" {
        return Err(Failure::usage(format!(
            "{name}: this is a shallow clone, which would count too few: run `git fetch --unshallow` in it"
        )));
    }
    // Said by hand, since `git log` of no commit is an error that does not say so.
    if asked(&wishes.folder, "git rev-list", &["rev-list", "--all", "--max-count=1", "--count"])?.trim_ascii() == b"0" {
        return Err(Failure::usage(format!("{name}: there is no commit yet")));
    }
    let history = asked(&wishes.folder, "git log", GIT_LOG)?;
    let (zone, now) = (&workplace.config.criteria.calendar, Timestamp::now());
    let found =
        contributions(&history, &wishes.maintainers, zone, now).map_err(|no_history| Failure::usage(format!("{name}: {no_history}")))?;
    let (spool, door) = workplace.door("collect")?;
    for event in found.events(now, zone) {
        keep(event, &wishes.context, &spool, &door)?;
    }
    if wishes.maintainers.is_empty() {
        say("nobody is named as a maintainer, so everybody but bots counts as the community: see --maintainer");
    }
    let told: Vec<_> = found
        .months
        .iter()
        .rev()
        .take(3)
        .map(|(date, month)| format!("{} {} of {} people", date.strftime("%Y-%m"), month.contributions, month.people))
        .collect();
    say(&format!("{name}: {} months; {}", found.months.len(), told.join(", ")));
    Ok(ExitCode::SUCCESS)
}

fn asked(folder: &Path, name: &str, args: &[&str]) -> Result<Vec<u8>, Failure> {
    let place = [OsString::from("-C"), folder.as_os_str().to_owned()];
    collect_run::printed(name, "git", place.into_iter().chain(args.iter().map(OsString::from)).collect(), &[0], collect_run::TIMEOUT)
}
