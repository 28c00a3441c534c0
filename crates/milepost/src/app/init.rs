//! `milepost init`: a commented configuration, and a folder for the data beside it.

use super::{Failure, print};
use crate::{
    cli::Init,
    config::{self, Preset},
};
use std::{
    env,
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::ExitCode,
};

pub(super) fn init(init: &Init) -> Result<ExitCode, Failure> {
    let folder = env::current_dir().map_err(|error| Failure::internal(format!("there is no current folder: {error}")))?;
    let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // A folder may have a name that no project may have.
    let usable = !name.is_empty() && name.len() <= config::PROJECT_BYTES_MAX && !name.chars().any(char::is_control);
    let project = if usable { &name } else { "my-project" };
    let text = match &init.preset {
        None => config::blank(project),
        Some(name) => {
            let names = || Preset::ALL.iter().map(|preset| preset.name).collect::<Vec<_>>().join(" and ");
            let unknown = || Failure::usage(format!("there is no preset `{name}`; there are {}", names()));
            Preset::named(name).ok_or_else(unknown)?.text(project)
        }
    };
    let path = folder.join("milepost.toml");
    // Whoever else may write to it could make `milepost track` run commands.
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage("there is a milepost.toml here already; it is left as it is"));
        }
        Err(error) => return Err(failed(&path, &error)),
    }
    let data = folder.join(".milepost");
    if !data.exists() {
        DirBuilder::new().mode(0o700).create(&data).map_err(|error| failed(&data, &error))?;
        let ignore = data.join(".gitignore");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&ignore).map_err(|e| failed(&ignore, &e))?;
        file.write_all(b"*\n").map_err(|error| failed(&ignore, &error))?;
    }
    print(
        "Wrote milepost.toml: say in it what success means. Data goes to .milepost, which git ignores.\n\n\
         Next:\n  \
         milepost run --operation search -- COMMAND   record how a command goes\n  \
         milepost status                              see how the criteria stand\n",
    )
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("cannot write {}: {error}", path.display()))
}
