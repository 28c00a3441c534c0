//! `milepost probe`: a fixed sample of an operation. Its size is recorded before the first run, and the verdict is computed
//! once, when it is complete.

use super::{
    Failure, Workplace, print, printable,
    probe::{Probed, once},
    say,
    scorecard::configured,
};
use crate::{
    cli::{self, ReportFormat},
    config::Probe,
    render::{fixed_sample, terminal},
    wrap,
};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use milepost_collect::error_category::Rules;
use milepost_judge::fixed_sample::{Prospect, Sample, prospects, report};
use milepost_record::{Door, Durability, Event, Note, Operation, Origin, Outcome, Spool, Timestamp, Topic, random_id, recording_is_off};
use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How many criteria are named for which a sample is too small.
const NAMED_MAX: usize = 5;
/// How many probes are named where none was meant.
const LISTED_MAX: usize = 20;
/// How much of an operation's name stands beside the progress bar.
const NAME_CHARS_MAX: usize = 20;
/// How alike two names are of which one may be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// Takes the sample and shows what it says.
pub(super) fn probe(typed: &cli::Probe, workplace: &Workplace) -> Result<ExitCode, Failure> {
    if let Some(variable) = recording_is_off() {
        return Err(Failure::usage(format!(
            "{variable} is set, so nothing would be recorded, and a sample without a record proves nothing"
        )));
    }
    configured(workplace)?;
    if let (Some(untrusted), Some(path)) = (workplace.config.untrusted, &workplace.config.path) {
        return Err(Failure::usage(format!("no probe is run, for somebody else could have written {}: {untrusted}", path.display())));
    }
    let probe = find(&typed.operation, typed.backend.as_deref(), &workplace.config.probes)?;
    let (spool, door) = workplace.door("probe")?;
    let desk = Desk { probe, rules: workplace.error_rules()?, spool, door: door.origin(Origin::Probe) };
    let sample = Sample {
        id: format!("s-{}", random_id()),
        operation: probe.operation.clone(),
        backend: probe.backend.clone(),
        size: typed.samples,
    };
    let criteria = &workplace.config.criteria;
    let like = desk.like()?;
    for warning in warnings(&prospects(criteria, &like), sample.size) {
        say(&warning);
    }
    let told_to_end = wrap::told_to_end().map_err(|error| Failure::internal(format!("cannot catch signals: {error}")))?;
    desk.announce(&sample)?;
    let runs = match desk.take(&sample, &told_to_end)? {
        Taken::Complete(runs) => runs,
        Taken::Stopped { runs, by } => {
            say(&format!(
                "stopped after {runs} of {}: the sample {} is void as proof, and its runs count as any other of origin `probe`",
                sample.size, sample.id
            ));
            return Ok(by.exit());
        }
    };
    let report = report(sample, criteria, &like, &runs);
    print(&match typed.format {
        ReportFormat::Table => fixed_sample::report(&report, terminal::width()),
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&report).map_err(|error| Failure::internal(error.to_string()))?;
            json + "\n"
        }
    })
}

/// The probe that is meant.
fn find<'a>(operation: &str, backend: Option<&str>, probes: &'a [Probe]) -> Result<&'a Probe, Failure> {
    let of: Vec<_> = probes.iter().filter(|probe| probe.operation == operation).collect();
    let backends = || {
        let named: Vec<_> = of.iter().filter_map(|probe| probe.backend.as_deref()).map(|name| format!("`{}`", printable(name))).collect();
        named.join(", ")
    };
    let name = printable(operation);
    match (backend, &of[..]) {
        (_, []) => Err(Failure::usage(format!("there is no [[probe]] for `{name}` in milepost.toml; {}", hint(operation, probes)))),
        (None, [only]) => Ok(only),
        (None, several) => {
            several.iter().find(|probe| probe.backend.is_none()).copied().ok_or_else(|| {
                Failure::usage(format!("there are several probes for `{name}`: say which by --backend, one of {}", backends()))
            })
        }
        (Some(backend), of) => of.iter().find(|probe| probe.backend.as_deref() == Some(backend)).copied().ok_or_else(|| {
            let there = if backends().is_empty() { "its probe names none".to_owned() } else { format!("there are {}", backends()) };
            Failure::usage(format!("there is no [[probe]] for `{name}` with the backend `{}`; {there}", printable(backend)))
        }),
    }
}

/// The nearest name, or all.
fn hint(typed: &str, probes: &[Probe]) -> String {
    let mut names: Vec<_> = probes.iter().map(|probe| probe.operation.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let alike = |name: &str| strsim::jaro_winkler(name, typed);
    let nearest = names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|name| alike(name) >= ALIKE);
    match (nearest, names.len()) {
        (Some(name), _) => format!("did you mean `{}`?", printable(name)),
        (None, 0) => "there are none: add one with `operation` and `command`".to_owned(),
        (None, all) => {
            let listed: Vec<_> = names.iter().take(LISTED_MAX).map(|name| format!("`{}`", printable(name))).collect();
            let more = if all > LISTED_MAX { format!(" and {} more", all - LISTED_MAX) } else { String::new() };
            format!("there are {}{more}", listed.join(", "))
        }
    }
}

/// For which criteria the sample is too small from the start.
fn warnings(prospects: &[Prospect], size: u64) -> Vec<String> {
    let lacking: Vec<_> = prospects.iter().filter(|prospect| prospect.smallest_size > size).collect();
    let mut warnings: Vec<_> = lacking.iter().take(NAMED_MAX).map(|prospect| fixed_sample::too_small(prospect, size)).collect();
    if lacking.len() > NAMED_MAX {
        warnings.push(format!("the same holds for {} more criteria", lacking.len() - NAMED_MAX));
    }
    warnings
}

/// Where a sample is taken.
struct Desk<'a> {
    probe: &'a Probe,
    rules: Rules,
    spool: Spool,
    door: Door,
}

/// How the taking of a sample ended.
enum Taken {
    Complete(Vec<Operation>),
    Stopped { runs: usize, by: Stop },
}

/// What stopped a sample early.
enum Stop {
    /// Milepost was told to end, by this signal.
    Signal(i32),
    /// Somebody ended the command: with this exit code.
    Command(u8),
}

impl Stop {
    fn exit(&self) -> ExitCode {
        match self {
            Self::Signal(signal) => {
                if *signal == signal_hook::consts::SIGINT {
                    // As for `milepost run`: a shell ends its loop at Ctrl-C only where the job died of it.
                    let _ = signal_hook::low_level::emulate_default_handler(*signal);
                }
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(4))
            }
            Self::Command(status) => ExitCode::from(*status),
        }
    }
}

impl Desk<'_> {
    /// An event as each run will leave one, so that criteria can be asked whether they count it.
    fn like(&self) -> Result<Event, Failure> {
        let mut operation = Operation::new(self.probe.operation.as_str(), Outcome::Ok);
        operation.backend.clone_from(&self.probe.backend);
        self.admitted(Event::now(operation))
    }

    fn admitted(&self, event: Event) -> Result<Event, Failure> {
        let now = event.at;
        Ok(self.door.admit(event, now).map_err(|invalid| Failure::usage(invalid.to_string()))?.event)
    }

    fn announce(&self, sample: &Sample) -> Result<(), Failure> {
        let mut note = Note::new(Topic::Sample);
        (note.sample, note.operation) = (Some(sample.id.clone()), Some(sample.operation.clone()));
        (note.backend, note.size) = (sample.backend.clone(), Some(sample.size));
        Ok(self.spool.append(&self.admitted(Event::at(Timestamp::now(), note))?, Durability::Written)?)
    }

    /// One run after the other, until they are as many as announced or somebody stops it.
    fn take(&self, sample: &Sample, told_to_end: &AtomicUsize) -> Result<Taken, Failure> {
        let bar = progress(sample);
        let signal = || i32::try_from(told_to_end.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0);
        let mut runs: Vec<Operation> = Vec::new();
        while (runs.len() as u64) < sample.size {
            if let Some(signal) = signal() {
                return Ok(Taken::Stopped { runs: runs.len(), by: Stop::Signal(signal) });
            }
            let stamp = |_: &mut Event, operation: &mut Operation| operation.sample = Some(sample.id.clone());
            let after = |failure| Failure::internal(format!("{failure}; after {} of {} runs the sample is void", runs.len(), sample.size));
            let Probed { operation, status, not_started, .. } =
                once(self.probe, stamp, &self.rules, &self.spool, &self.door).map_err(after)?;
            // Not run once more instead: whoever ends the slow ones would choose what is counted.
            if operation.outcome == Outcome::Cancelled {
                let by = signal().map_or(Stop::Command(status), Stop::Signal);
                return Ok(Taken::Stopped { runs: runs.len(), by });
            }
            // A command that was never there is a mistake in the configuration; one that vanishes later is a failure.
            if let Some(why) = not_started.filter(|_| runs.is_empty()) {
                return Err(Failure::usage(format!("{why}; the sample is void")));
            }
            runs.push(operation);
            bar.inc(1);
        }
        Ok(Taken::Complete(runs))
    }
}

/// A bar on standard error where that is a terminal, and nothing elsewhere; gone when it is dropped.
fn progress(sample: &Sample) -> ProgressBar {
    /// As often as a person looks; a redraw takes time from nothing that is measured.
    const TICK: Duration = Duration::from_secs(1);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {elapsed} so far, about {eta} left");
    let bar = ProgressBar::new(sample.size)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(printable(&sample.operation).chars().take(NAME_CHARS_MAX).collect::<String>())
        .with_finish(ProgressFinish::AndClear);
    if !bar.is_hidden() {
        bar.tick();
        bar.enable_steady_tick(TICK);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(of: &[(&str, Option<&str>)]) -> Vec<Probe> {
        let probe = |(operation, backend): &(&str, Option<&str>)| Probe {
            operation: (*operation).to_owned(),
            backend: backend.map(str::to_owned),
            command: vec!["true".to_owned()],
            timeout: Duration::from_secs(30),
            every: Duration::from_secs(3600),
        };
        of.iter().map(probe).collect()
    }

    #[test]
    fn a_probe_is_found_by_its_operation_and_its_backend() {
        let probes =
            probes(&[("search", None), ("search", Some("native")), ("install", Some("native")), ("list", Some("a")), ("list", Some("b"))]);
        for (operation, backend, found) in [
            ("search", None, Ok(0)),
            ("search", Some("native"), Ok(1)),
            ("install", None, Ok(2)),
            ("list", Some("b"), Ok(4)),
            ("list", None, Err("say which by --backend, one of `a`, `b`")),
            ("search", Some("x"), Err("with the backend `x`; there are `native`")),
            ("serach", None, Err("did you mean `search`?")),
            ("zzz", None, Err("there are `install`, `list`, `search`")),
        ] {
            match (find(operation, backend, &probes), found) {
                (Ok(probe), Ok(index)) => assert_eq!(Some(probe), probes.get(index), "{operation} {backend:?}"),
                (Err(failure), Err(says)) => assert!(failure.to_string().contains(says), "{failure}"),
                (found, _) => panic!("{operation} {backend:?}: {found:?}"),
            }
        }
        assert!(find("search", None, &[]).expect_err("none").to_string().contains("there are none"));
    }
}
