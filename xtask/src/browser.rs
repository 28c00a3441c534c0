//! The tests of the page in a real browser: what they need, and how they are run.

use crate::{Done, cargo, have, root, run, target};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the packages of the tests need.
const NODE_MIN: u32 = 20;

/// A place below the target folder with the packages, and for the pages and their pictures.
pub(crate) struct Browser {
    folder: PathBuf,
}

impl Browser {
    /// Installs what is lacking.
    pub(crate) fn set_up() -> Result<Self, String> {
        if !have("node", "nodejs") || !have("npm", "npm") {
            return Err("there is no node or no npm".to_owned());
        }
        let node = crate::output(Command::new("node").arg("--version"))?;
        let major = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < NODE_MIN) {
            return Err(format!("node is {}, and has to be {NODE_MIN} at least", node.trim()));
        }
        if !have("chromium", "chromium") {
            return Err("there is no chromium".to_owned());
        }
        let folder = target().join("browser");
        packages(&sources(), &folder)?;
        Ok(Self { folder })
    }

    /// What writes the pages anew.
    pub(crate) fn pages(&self) -> Command {
        let mut command = cargo();
        command.args(["test", "--workspace", "--test", "dashboard", "--", "--ignored"]).env("MILEPOST_PAGES", &self.folder);
        command
    }

    /// The tests, to be run.
    pub(crate) fn tests(&self) -> Command {
        let mut command = Command::new("node");
        command.arg("--test-reporter=spec").arg(sources().join("all.mjs"));
        command.current_dir(root()).env("MILEPOST_PAGES", &self.folder).env("MILEPOST_PROGRAM", target().join("debug/milepost"));
        command
    }

    /// What says how soon the live page of a program shows an event, and fails where that takes too long.
    pub(crate) fn seen(&self, program: &Path) -> Command {
        let mut command = Command::new("node");
        command.args(["--test-reporter=tap", "--test-name-pattern=within two seconds"]).arg(sources().join("serve.mjs"));
        command.env("MILEPOST_PAGES", &self.folder).env("MILEPOST_PROGRAM", program).env("MILEPOST_RELEASED", "yes");
        command
    }

    /// What says how soon a page is painted.
    pub(crate) fn paint(&self, page: &Path) -> Command {
        let mut command = Command::new("node");
        command.arg(sources().join("paint.mjs")).arg(page).env("MILEPOST_PAGES", &self.folder);
        command
    }
}

fn sources() -> PathBuf {
    root().join("crates/milepost/tests/browser")
}

/// Installs the packages of the lock file in `sources` into a folder, unless they are there.
pub(crate) fn packages(sources: &Path, folder: &Path) -> Done {
    let failed = |error| format!("cannot write to {}: {error}", folder.display());
    let lock = "package-lock.json";
    let wanted = fs::read(sources.join(lock)).map_err(|error| format!("cannot read {lock}: {error}"))?;
    // Written once all packages are there.
    let noted = folder.join("installed.json");
    if fs::read(&noted).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(failed)?;
    for name in ["package.json", lock, ".npmrc"] {
        fs::copy(sources.join(name), folder.join(name)).map_err(failed)?;
    }
    run(Command::new("npm").args(["ci", "--silent"]).current_dir(folder))?;
    fs::write(&noted, wanted).map_err(failed)
}
