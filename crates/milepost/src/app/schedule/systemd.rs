//! Timers of this user in systemd: two files in `systemd/user` of the configuration home, and `systemctl --user`.

use super::super::{Failure, files};
use etcetera::BaseStrategy;
use std::{
    fs, io,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Whether systemd answers for this user.
pub(super) fn is_there() -> bool {
    systemctl(&["show-environment"]).is_ok()
}

/// The texts of the two units of this name.
pub(super) struct Units {
    pub(super) name: String,
    pub(super) service: String,
    pub(super) timer: String,
}

/// The largest unit that is read, in bytes: ours have a few lines.
const UNIT_BYTES_MAX: u64 = 64 * 1024;

/// The name of the timer's unit.
pub(super) fn timer(name: &str) -> String {
    format!("{name}.timer")
}

/// The text of the timer that is installed under this name.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn installed(name: &str) -> Result<Option<String>, Failure> {
    let path = folder()?.join(timer(name));
    match files::read(&path, UNIT_BYTES_MAX) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::internal(format!("cannot read {}: {error}", path.display()))),
    }
}

/// Writes the units and starts the timer.
///
/// # Errors
/// Where a file cannot be written, or systemd refuses.
pub(super) fn install(units: &Units) -> Result<(), Failure> {
    let folder = folder()?;
    let failed = |error: io::Error| Failure::internal(format!("cannot write to {}: {error}", folder.display()));
    files::folder(&folder, false).map_err(failed)?;
    for (name, text) in [(format!("{}.service", units.name), &units.service), (timer(&units.name), &units.timer)] {
        files::publish(&folder.join(name), text.as_bytes()).map_err(failed)?;
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", &timer(&units.name)])?;
    // Anew, so that another rhythm holds at once.
    systemctl(&["restart", &timer(&units.name)])
}

/// Stops the timer and removes both files; whether there were any.
///
/// # Errors
/// Where a file cannot be removed. That systemd does not answer is no error: then nothing of it runs.
pub(super) fn uninstall(name: &str) -> Result<bool, Failure> {
    let folder = folder()?;
    if installed(name)?.is_none() && !folder.join(format!("{name}.service")).exists() {
        return Ok(false);
    }
    let _ = systemctl(&["disable", "--now", &timer(name)]);
    for path in [folder.join(timer(name)), folder.join(format!("{name}.service"))] {
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::internal(format!("cannot remove {}: {error}", path.display()))),
        }
    }
    let _ = systemctl(&["daemon-reload"]);
    Ok(true)
}

fn folder() -> Result<PathBuf, Failure> {
    let home = etcetera::base_strategy::Xdg::new().map_err(|error| Failure::internal(format!("this user has no home folder: {error}")))?;
    Ok(home.config_dir().join("systemd/user"))
}

fn systemctl(args: &[&str]) -> Result<(), Failure> {
    let words = args.join(" ");
    let output = Command::new("systemctl").arg("--user").args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::internal(format!("cannot run systemctl: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::internal(format!("systemctl --user {words}: {}: {}", output.status, said.trim())))
}
