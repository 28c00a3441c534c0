//! What is published: each scorecard as JSON and as a page, under the time of its judgement, and the newest of both under a
//! name that stays; and the reports of days, weeks and months, each once.

use super::super::{
    Failure, files, report,
    scorecard::{Judged, page, shown},
};
use crate::{
    cli::{Format, PeriodFormat},
    config::Config,
};
use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use milepost_judge::{
    PeriodReport,
    period_report::{FirstMade, PERIOD_REPORT_VERSION},
};
use milepost_record::{Timestamp, refuse_newer};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// So many days back, every file is kept; of each day before, the newest.
const DAYS_WHOLE: i32 = 14;
/// So many seconds later at most is a file named than it was judged, where others took the names before.
const SECONDS_LATER_MAX: u32 = 30;
const TIME: &str = "%Y%m%d_%H%M%S";

/// Files of one kind: `FOLDER/PREFIX_YYYYMMDD_HHMMSS.SUFFIX`, in UTC.
struct Series {
    folder: &'static str,
    prefix: &'static str,
    suffix: &'static str,
}

const METRICS: Series = Series { folder: "data", prefix: "metrics_", suffix: ".json" };
const DASHBOARDS: Series = Series { folder: "dashboards", prefix: "dashboard_", suffix: ".html" };

impl Series {
    fn name(&self, at: DateTime) -> String {
        format!("{}{}{}", self.prefix, at.strftime(TIME), self.suffix)
    }

    /// The time in a name that is exactly one of this kind.
    fn time(&self, name: &str) -> Option<DateTime> {
        let time = name.strip_prefix(self.prefix)?.strip_suffix(self.suffix)?;
        DateTime::strptime(TIME, time).ok().filter(|at| self.name(*at) == name)
    }

    /// The names that need not be kept.
    fn superfluous(&self, names: impl Iterator<Item = String>, today: Date) -> Vec<String> {
        let first_whole = today.saturating_sub(DAYS_WHOLE.days());
        let mut newest: BTreeMap<Date, DateTime> = BTreeMap::new();
        let mut superfluous = Vec::new();
        for at in names.filter_map(|name| self.time(&name)).filter(|at| at.date() < first_whole) {
            let older = match newest.get_mut(&at.date()) {
                Some(kept) if *kept < at => Some(std::mem::replace(kept, at)),
                Some(_) => Some(at),
                None => {
                    newest.insert(at.date(), at);
                    None
                }
            };
            superfluous.extend(older.map(|at| self.name(at)));
        }
        superfluous
    }
}

/// Writes the scorecard into the output folder, and returns where its page is.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn publish(output: &Path, judged: &Judged, config: &Config) -> Result<PathBuf, Failure> {
    let scorecard = &judged.scorecard;
    let json = shown(scorecard, Format::Json)?;
    let page = page(judged, config)?;
    for series in [&METRICS, &DASHBOARDS] {
        let folder = output.join(series.folder);
        files::folder(&folder, false).map_err(cannot("make", &folder))?;
    }
    keep_both(output, scorecard.generated_at, json.as_bytes(), page.as_bytes())?;
    let latest = output.join("latest.html");
    for (path, content) in [(&output.join("latest.json"), &json), (&latest, &page)] {
        files::publish(path, content.as_bytes()).map_err(cannot("write", path))?;
    }
    Ok(latest)
}

/// The largest report that is read again, in bytes: more than any that is written.
const REPORT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Writes the report of a period that is over into the output folder, unless it is there: then it stays as it was made, and of what
/// is returned.
///
/// # Errors
/// Where it cannot be written, or what is there is no report.
pub(super) fn keep_report(output: &Path, of: &PeriodReport, now: Timestamp) -> Result<FirstMade, Failure> {
    let folder = output.join("reports");
    files::folder(&folder, false).map_err(cannot("make", &folder))?;
    let path = |suffix| folder.join(format!("{}_{}.{suffix}", of.report.name(), of.period));
    // The JSON comes last: where it is, the others are.
    for (suffix, format) in [("html", PeriodFormat::Html), ("md", PeriodFormat::Markdown)] {
        files::publish_new(&path(suffix), report::shown(of, format)?.as_bytes()).map_err(cannot("write", &path(suffix)))?;
    }
    let json = path("json");
    let is_new = files::publish_new(&json, report::shown(of, PeriodFormat::Json)?.as_bytes()).map_err(cannot("write", &json))?;
    if is_new {
        return Ok(FirstMade { at: now, events: of.events });
    }
    // The note that it was made was lost.
    let kept = files::read(&json, REPORT_BYTES_MAX).map_err(cannot("read", &json))?;
    refuse_newer(&json, kept.as_bytes(), PERIOD_REPORT_VERSION.into())?;
    let kept: Kept = serde_json::from_str(&kept).map_err(|error| Failure::internal(format!("{} is no report: {error}", json.display())))?;
    let written = fs::metadata(&json).and_then(|file| file.modified()).map_err(cannot("read", &json))?;
    let at = jiff::Timestamp::try_from(written).map_or(now, Timestamp::from_jiff);
    Ok(FirstMade { at, events: kept.events })
}

#[derive(Deserialize)]
struct Kept {
    events: u64,
}

/// Makes both files of one moment: that of the judgement, or the first one after it whose names nobody has taken.
fn keep_both(output: &Path, judged: Timestamp, json: &[u8], page: &[u8]) -> Result<(), Failure> {
    let path = |series: &Series, at| output.join(series.folder).join(series.name(utc(at)));
    let make = |path: &Path, content| files::publish_new(path, content).map_err(cannot("write", path));
    for later in 0..=SECONDS_LATER_MAX {
        let at = judged.saturating_add(Duration::from_secs(later.into()));
        // No file is of a time that is yet to come.
        thread::sleep(at.since(Timestamp::now()));
        let (metrics, dashboard) = (path(&METRICS, at), path(&DASHBOARDS, at));
        if !make(&metrics, json)? {
            continue;
        }
        if make(&dashboard, page)? {
            return Ok(());
        }
        fs::remove_file(&metrics).map_err(cannot("remove", &metrics))?;
    }
    let last = path(&METRICS, judged.saturating_add(Duration::from_secs(SECONDS_LATER_MAX.into())));
    Err(Failure::internal(format!("cannot find a name that is free: even {} is there already", last.display())))
}

/// The files that were published in the output folder, each kind in its folder, by names that are ours.
pub(in super::super) fn made(output: &Path) -> Vec<PathBuf> {
    let of = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf, is_ours: &dyn Fn(&str) -> bool| path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours);
    let rhythms = ["daily_", "weekly_", "monthly_"];
    let mut made: Vec<_> =
        of(output.to_owned()).filter(|path| named(path, &|name| name == "latest.json" || name == "latest.html")).collect();
    for series in [&METRICS, &DASHBOARDS] {
        made.extend(of(output.join(series.folder)).filter(|path| named(path, &|name| series.time(name).is_some())));
    }
    made.extend(of(output.join("reports")).filter(|path| named(path, &|name| rhythms.iter().any(|rhythm| name.starts_with(rhythm)))));
    made
}

/// Whether a published file is a page of the dashboard.
pub(super) fn is_page(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name == "latest.html" || DASHBOARDS.time(name).is_some())
}

/// A published file and those that say the same in other formats.
pub(in super::super) fn family(path: &Path) -> Vec<PathBuf> {
    let mut family: Vec<_> = ["json", "html", "md"].iter().map(|suffix| path.with_extension(suffix)).collect();
    let time = path.file_name().and_then(|name| name.to_str()).and_then(|name| METRICS.time(name).or_else(|| DASHBOARDS.time(name)));
    if let (Some(time), Some(output)) = (time, path.parent().and_then(Path::parent)) {
        family.extend([&METRICS, &DASHBOARDS].map(|series| output.join(series.folder).join(series.name(time))));
    }
    family
}

/// Removes what need not be kept.
///
/// # Errors
/// Where a folder cannot be read or a file not be removed.
pub(super) fn prune(output: &Path, now: Timestamp) -> Result<(), Failure> {
    for series in [&METRICS, &DASHBOARDS] {
        let folder = output.join(series.folder);
        let entries = fs::read_dir(&folder).map_err(cannot("read", &folder))?.flatten();
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        for name in series.superfluous(files.filter_map(|entry| entry.file_name().into_string().ok()), utc(now).date()) {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot("remove", &path)(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn utc(at: Timestamp) -> DateTime {
    at.to_jiff().to_zoned_datetime(TimeZone::UTC).datetime()
}

fn cannot<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Failure + 'a {
    move |error| Failure::internal(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_exactly_ours_are_recognised() {
        assert!(METRICS.time("metrics_20261125_235959.json").is_some());
        for foreign in [
            "metrics_20261125_235959.json.bak",
            "metrics_20261125_235959.html",
            "my_metrics_20261125_235959.json",
            "metrics_20261325_000000.json",
            "metrics_20261125_235960.json",
            "metrics_20261125_2359591.json",
            "metrics_2026112_0235959.json",
            "metrics_+2026112_235959.json",
            "metrics_20261125 235959.json",
            "metrics_.json",
            "",
        ] {
            assert_eq!(METRICS.time(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn of_old_days_the_newest_file_is_kept() {
        let names = [
            "dashboard_20261111_000000.html",
            "dashboard_20261111_120000.html",
            "dashboard_20261110_230000.html",
            "dashboard_20261110_235959.html",
            "dashboard_20261110_000000.html",
            "dashboard_20250101_120000.html",
            "dashboard_20270101_120000.html",
            "notes.html",
        ];
        let today = jiff::civil::date(2026, 11, 25);
        let mut superfluous = DASHBOARDS.superfluous(names.into_iter().map(str::to_owned), today);
        superfluous.sort();
        assert_eq!(superfluous, ["dashboard_20261110_000000.html", "dashboard_20261110_230000.html"]);
    }
}
