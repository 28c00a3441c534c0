//! `milepost schedule`: `milepost track` is called by itself, by cron or by systemd.
//!
//! There is one entry for each configuration. To install twice is to install once, and what the other scheduler has goes.

mod cron;
mod entry;
mod rhythm;
mod systemd;

use self::{entry::Entry, rhythm::Rhythm};
use super::{
    Failure, Workplace, print,
    scorecard::configured,
    track::{Journal, kept},
};
use crate::{
    cli::{Install, Schedule, Scheduler},
    render::{
        terminal::{fact, printable, width},
        words::moment,
    },
};
use jiff::ZonedDateTime;
use std::{os::unix::ffi::OsStrExt, path::Path, process::ExitCode, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn schedule(wish: &Schedule, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let Some(config) = &workplace.config.path else { return Err(Failure::usage("nothing is configured here")) };
    let entry = Entry::new(&workplace.config.criteria.project, config)?;
    match wish {
        Schedule::Install(wishes) => install(wishes, &entry),
        Schedule::Status => status(&entry, workplace),
        Schedule::Uninstall => uninstall(&entry),
    }
}

fn install(wishes: &Install, entry: &Entry) -> Result<ExitCode, Failure> {
    let every = wishes.every;
    let rhythm = Rhythm::new(every, entry.seed()).ok_or_else(|| {
        Failure::usage(format!(
            "cron and systemd have no word for every {}min; take minutes that divide an hour, or hours that divide a day: 15min, 1h, 6h, 1d",
            every.as_secs() / 60
        ))
    })?;
    let scheduler = chosen(wishes.scheduler, wishes.print)?;
    let units = systemd::Units { name: entry.name.clone(), service: entry.service(), timer: entry.timer(rhythm) };
    if wishes.print {
        return print(&match scheduler {
            Scheduler::Cron => format!("{}\n", entry.crontab(rhythm)?),
            _ => format!("# {0}.service\n{1}\n# {0}.timer\n{2}", units.name, units.service, units.timer),
        });
    }
    let how = match scheduler {
        Scheduler::Cron => {
            cron::install(entry, &entry.crontab(rhythm)?)?;
            systemd::uninstall(&entry.name)?;
            "by cron".to_owned()
        }
        _ => {
            systemd::install(&units)?;
            if cron::is_there() {
                cron::uninstall(entry)?;
            }
            format!("by systemd, as {}", systemd::timer(&entry.name))
        }
    };
    let mut text = String::new();
    let width = width();
    fact(&mut text, width, "Installed", &format!("{rhythm}, {how}"));
    fact(&mut text, width, "It calls", &printable(&entry.call()));
    tell_next(&mut text, width, rhythm, scheduler);
    if scheduler == Scheduler::Systemd {
        fact(&mut text, width, "Always", "timers run while you are logged in; loginctl enable-linger lets them run always");
    }
    print(&text)
}

/// When `milepost track` is due next where it is called every hour: at the minute that this configuration has in each hour.
pub(super) fn next_round(config: &Path, now: &ZonedDateTime) -> Option<ZonedDateTime> {
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    Rhythm::new(HOUR, entry::fnv1a(config.as_os_str().as_bytes())).and_then(|rhythm| rhythm.next(now))
}

fn chosen(scheduler: Scheduler, print: bool) -> Result<Scheduler, Failure> {
    match scheduler {
        Scheduler::Auto if systemd::is_there() => Ok(Scheduler::Systemd),
        Scheduler::Auto if cron::is_there() || print => Ok(Scheduler::Cron),
        Scheduler::Auto => Err(Failure::usage(
            "neither systemd nor cron answers for this user; `milepost schedule install --print --scheduler cron` shows the line that calls \
             Milepost, for another scheduler",
        )),
        Scheduler::Systemd if !print && !systemd::is_there() => {
            Err(Failure::usage("systemd does not answer for this user; take --scheduler cron, or log in on a machine that it runs on"))
        }
        Scheduler::Cron if !print && !cron::is_there() => {
            Err(Failure::usage("there is no crontab; install cron, or take --scheduler systemd"))
        }
        named => Ok(named),
    }
}

/// What is installed, with the rhythm that its text has.
fn installed(entry: &Entry) -> Result<Option<(Scheduler, Rhythm)>, Failure> {
    // A rhythm is known by the text that it makes, so that nothing else need be kept.
    let rhythm_of = |is_there: &dyn Fn(Rhythm) -> bool| {
        let minutes = (1..=1440).map(|minutes| Duration::from_secs(minutes * 60));
        minutes.filter_map(|every| Rhythm::new(every, entry.seed())).find(|rhythm| is_there(*rhythm))
    };
    let changed =
        |what: &str| Failure::usage(format!("{what} is not as `milepost schedule install` writes it now; call that again, and it is"));
    if let Some(text) = systemd::installed(&entry.name)? {
        let rhythm = rhythm_of(&|rhythm| text == entry.timer(rhythm));
        return rhythm.map(|rhythm| Some((Scheduler::Systemd, rhythm))).ok_or_else(|| changed(&systemd::timer(&entry.name)));
    }
    let block = if cron::is_there() { cron::installed(entry)? } else { None };
    let Some(block) = block else { return Ok(None) };
    let rhythm = rhythm_of(&|rhythm| block.lines().any(|line| line.starts_with(&format!("{} * * * ", rhythm.cron()))));
    rhythm.map(|rhythm| Some((Scheduler::Cron, rhythm))).ok_or_else(|| changed("the block in the crontab"))
}

fn status(entry: &Entry, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let (mut text, width) = (String::new(), width());
    let there = installed(entry)?;
    match there {
        None => fact(&mut text, width, "Installed", "no; milepost schedule install does it"),
        Some((Scheduler::Cron, rhythm)) => fact(&mut text, width, "Installed", &format!("{rhythm}, by cron")),
        Some((_, rhythm)) => fact(&mut text, width, "Installed", &format!("{rhythm}, by systemd, as {}", systemd::timer(&entry.name))),
    }
    match Journal::open(kept::Place::Folder(workplace.folder()?.to_owned()))?.last() {
        None => fact(&mut text, width, "Last ran", "not yet"),
        Some(last) => {
            let took = last.ended.since(last.began).as_secs_f64();
            fact(&mut text, width, "Last ran", &format!("{}, for {took:.0} s", moment(last.began)));
            let went = if last.exit_code == 0 { "well".to_owned() } else { format!("exit code {}", last.exit_code) };
            fact(&mut text, width, "It went", &printable(&format!("{went}: {}", last.said)));
        }
    }
    if let Some((scheduler, rhythm)) = there {
        tell_next(&mut text, width, rhythm, scheduler);
    }
    print(&text)
}

fn tell_next(text: &mut String, width: usize, rhythm: Rhythm, scheduler: Scheduler) {
    let Some(next) = rhythm.next(&ZonedDateTime::now()) else { return };
    let later = match scheduler {
        Scheduler::Systemd => format!(", or up to {} s later", rhythm.delay().as_secs()),
        _ => String::new(),
    };
    fact(text, width, "Next", &format!("{}{later}; what was missed is made up for once", next.strftime("%-d %b %Y, %H:%M %Z")));
}

fn uninstall(entry: &Entry) -> Result<ExitCode, Failure> {
    let of_systemd = systemd::uninstall(&entry.name)?;
    let of_cron = if cron::is_there() { cron::uninstall(entry)? } else { false };
    print(match (of_systemd, of_cron) {
        (false, false) => "Nothing was installed for this configuration.\n",
        _ => "Removed. The data are left as they are.\n",
    })
}
