//! Where the configuration and the data are. Answered from what the caller knows of the process, so that tests need not
//! change an environment that they share.

use super::Config;
use etcetera::BaseStrategy;
use std::{
    env,
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};

/// The name of the configuration, wherever it is.
const FILE_NAME: &str = "milepost.toml";

/// What of its surroundings decides where a process looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The current folder.
    pub folder: PathBuf,
    /// `MILEPOST_CONFIG`.
    pub config: Option<PathBuf>,
    /// `MILEPOST_DATA`.
    pub data: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, or where that is by default.
    pub config_home: Option<PathBuf>,
    /// `$XDG_DATA_HOME`, or where that is by default.
    pub data_home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process. An empty variable counts as none.
    #[must_use]
    pub fn of_this_process() -> Self {
        let path = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let xdg = etcetera::base_strategy::Xdg::new().ok();
        Self {
            // Without a current folder (somebody removed it) the search upwards finds nothing.
            folder: env::current_dir().unwrap_or_default(),
            config: path("MILEPOST_CONFIG"),
            data: path("MILEPOST_DATA"),
            config_home: xdg.as_ref().map(BaseStrategy::config_dir),
            data_home: xdg.as_ref().map(BaseStrategy::data_dir),
        }
    }
}

/// Where the configuration is: the file that `--config` names, else `MILEPOST_CONFIG`, else `milepost.toml` in the current
/// folder or in the nearest one above that has it, else `milepost/milepost.toml` in the configuration home.
///
/// A file that is named is not looked for: that it is not there is for [`Config::load`] to say.
#[must_use]
pub fn find(flag: Option<&Path>, surroundings: &Surroundings) -> Option<PathBuf> {
    let named = flag.map(Path::to_owned).or_else(|| surroundings.config.clone());
    let upwards = || surroundings.folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file());
    let at_home = || surroundings.config_home.as_ref().map(|home| home.join("milepost").join(FILE_NAME)).filter(|file| file.is_file());
    named.or_else(upwards).or_else(at_home)
}

/// Where the data are: `MILEPOST_DATA`, else the folder that the configuration names, else `.milepost` beside it where that
/// exists, else `milepost/PROJECT` in the data home. Without a configuration there is `MILEPOST_DATA` only.
#[must_use]
pub fn data_folder(config: Option<&Config>, surroundings: &Surroundings) -> Option<PathBuf> {
    if let Some(data) = &surroundings.data {
        return Some(data.clone());
    }
    let config = config.filter(|config| config.path.is_some())?;
    let beside = || config.path.as_ref().and_then(|file| file.parent()).map(|folder| folder.join(".milepost")).filter(|f| f.is_dir());
    let at_home = || surroundings.data_home.as_ref().map(|home| home.join("milepost").join(folder_name(&config.criteria.project)));
    config.store.clone().or_else(beside).or_else(at_home)
}

/// The name of a project as the name of a folder. Two projects never share one: what cannot stand in a folder's name is
/// written as `%` and its bytes in hexadecimal, and so is `%`.
#[must_use]
pub fn folder_name(project: &str) -> String {
    let mut name = String::new();
    for (index, character) in project.char_indices() {
        // A dot in front would hide the folder, or make it the one that it is in.
        let unsafe_here = matches!(character, '/' | '\\' | '%') || character.is_control() || (index == 0 && character == '.');
        if unsafe_here {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(name, "%{byte:02X}");
            }
        } else {
            name.push(character);
        }
    }
    name
}
