//! `cargo xtask deny`: the crates of others, by `deny.toml`: under which terms, from where, which are there twice, and which of them have
//! known vulnerabilities, where somebody says where these are listed.

use crate::{Done, cargo, root, run, target};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A folder of advisories as <https://github.com/rustsec/advisory-db> has them. It is never fetched: a check has to say the same without a
/// network, and to say of which list it speaks.
const ADVISORIES: &str = "MILEPOST_ADVISORIES";

/// Checks, and installs cargo-deny below the target folder where it is nowhere.
pub(crate) fn deny() -> Done {
    match program() {
        Some(program) => check(&program),
        None => {
            println!("cargo-deny is installed into {}, which takes about four minutes of one core", tools().display());
            run(cargo().args(["install", "cargo-deny", "--locked", "--root"]).arg(tools()).arg("--target-dir").arg(tools().join("build")))?;
            check(&program().ok_or("cargo-deny was installed, and is not where it should be")?)
        }
    }
}

/// Checks where cargo-deny is there, and else says that nothing is checked: to install it takes longer than most tests.
pub(crate) fn deny_if_there() -> Done {
    match program() {
        Some(program) => check(&program),
        None => {
            println!("cargo-deny is not there, so the crates of others are not checked; `cargo xtask deny` installs it");
            Ok(())
        }
    }
}

fn tools() -> PathBuf {
    target().join("tools")
}

/// Ours, or that of the user.
fn program() -> Option<PathBuf> {
    let works = |program: &PathBuf| {
        let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    [tools().join("bin/cargo-deny"), PathBuf::from("cargo-deny")].into_iter().find(works)
}

fn check(program: &Path) -> Done {
    // A build fetches what its platform needs; what is looked at is the whole lock file.
    run(cargo().args(["fetch", "--locked", "--quiet"]).current_dir(root()))?;
    run(Command::new(program).current_dir(root()).args(["--offline", "check", "licenses", "bans", "sources"]))?;
    let Some(advisories) = env::var_os(ADVISORIES).filter(|folder| !folder.is_empty()) else {
        println!("known vulnerabilities are not checked: {ADVISORIES}=FOLDER names a copy of the list of RustSec");
        return Ok(());
    };
    let list = PathBuf::from(advisories);
    let list = list.canonicalize().map_err(|error| format!("{ADVISORIES}: cannot find {}: {error}", list.display()))?;
    // cargo-deny looks for it by this name in the folder that `deny.toml` names.
    let folder = root().join("target/tools/advisories");
    let link = folder.join("advisory-db-3157b0e258782691");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let _ = fs::remove_file(&link);
    symlink(&list, &link).map_err(|error| format!("cannot make {}: {error}", link.display()))?;
    run(Command::new(program).current_dir(root()).args(["--offline", "check", "advisories"]))
}
