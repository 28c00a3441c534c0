//! The configuration: `milepost.toml`, read once into what is meant.
//!
//! What is typed (`file`) becomes a [`Config`] (`meaning`, `criterion`), or a [`ConfigError`] that shows the line. Nothing
//! after it asks the file again. Where the file and the data are is answered by [`find`] and [`data_folder`].

mod alert;
mod criterion;
mod fault;
mod file;
mod format;
mod meaning;
mod otlp;
mod place;
mod preset;
mod wrong;

pub use alert::{Address, AlertFormat, Receiver, To};
pub use fault::{ConfigError, Fault};
pub use otlp::{Otlp, Says, Spans};
pub use place::{Surroundings, data_folder, find, folder_name};
pub use preset::{Preset, blank};
pub use wrong::Wrong;

use jiff::tz::TimeZone;
use milepost_collect::Kind;
use milepost_judge::Criteria;
use milepost_record::Texts;
use milepost_store::{BucketUrl, Cluster};
use nix::unistd::geteuid;
use schemars::{Schema, generate::SchemaSettings, transform::transform_subschemas};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The largest configuration that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The most criteria, the most probes, and the most collects.
pub const CRITERIA_MAX: usize = 1000;
/// The most receivers of alerts.
pub const ALERTS_MAX: usize = 8;
/// The most parts of one criterion.
pub const PARTS_MAX: usize = 16;
/// The longest name of a project in bytes: as a folder's name it may become three times as long.
pub const PROJECT_BYTES_MAX: usize = 80;
/// The longest name, label or remark of a criterion in bytes.
pub const LABEL_BYTES_MAX: usize = 200;

/// What is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file; none where nothing is configured.
    pub path: Option<PathBuf>,
    /// What has to hold, and of which project.
    pub criteria: Criteria,
    /// The commands that Milepost runs itself.
    pub probes: Vec<Probe>,
    /// What Milepost collects itself.
    pub collects: Vec<Collect>,
    /// Who is told when a verdict changes.
    pub alerts: Vec<Receiver>,
    /// How what OpenTelemetry sends becomes events.
    pub otlp: Otlp,
    /// The texts that may be stored.
    pub texts: Texts,
    /// Rules for errors, the first that fits decides; they come before those that Milepost has.
    pub error_categories: Vec<ErrorCategory>,
    /// Where the data are, if the file says so.
    pub store: Option<PathBuf>,
    /// The bucket of the tables, where they are in one.
    pub tables: Option<BucketUrl>,
    /// The cluster that works out what is asked, where one does.
    pub cluster: Option<Cluster>,
    /// How long events are kept at least; for ever where it is absent.
    pub retention: Option<Duration>,
    /// The folder that `milepost track` publishes into, if the file says so.
    pub output: Option<PathBuf>,
    /// Why Milepost must not run what the file says, if it must not.
    pub untrusted: Option<Untrusted>,
}

/// A command that Milepost runs itself to measure an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The operation.
    pub operation: String,
    /// The implementation that does the work.
    pub backend: Option<String>,
    /// The program and its arguments: at least the program.
    pub command: Vec<String>,
    /// When it is ended.
    pub timeout: Duration,
    /// How often it runs.
    pub every: Duration,
}

/// Something that Milepost collects itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// What it is.
    pub what: Collected,
    /// How often it is collected.
    pub every: Duration,
}

/// What can be collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collected {
    /// The memory of a running product.
    Memory {
        /// Name of its process.
        process: String,
        /// How long it is observed.
        lasting: Duration,
        /// Time between two readings.
        readings: Duration,
    },
    /// The contributions to a git repository.
    Git {
        /// Where it is.
        folder: PathBuf,
        /// Names or addresses of maintainers.
        maintainers: Vec<String>,
    },
    /// The report of a tool.
    Report {
        /// What it is about.
        kind: Kind,
        /// The file, as it is written in the configuration.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}

/// Why a file must not make Milepost run anything: somebody else could have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Neither we nor root own it.
    #[error("it belongs to another user, whose id is {uid}")]
    Owner {
        /// Who owns it.
        uid: u32,
    },
    /// Its group or everybody may write to it.
    #[error("others than its owner may write to it; take that from them with chmod go-w")]
    Writable,
}

impl Untrusted {
    /// Looks at the file that is open, whatever becomes of its name, and at a link that led there: what runs does so in its folder.
    fn of(path: &Path, file: &File) -> io::Result<Option<Self>> {
        let (metadata, ours) = (file.metadata()?, geteuid().as_raw());
        let link = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_symlink);
        // Everybody may seem to write to a link, and nobody can.
        let of_link = link.and_then(|link| Self::judge(link.uid(), 0, ours));
        Ok(Self::judge(metadata.uid(), metadata.mode(), ours).or(of_link))
    }

    const fn judge(uid: u32, mode: u32, ours: u32) -> Option<Self> {
        if uid != 0 && uid != ours {
            Some(Self::Owner { uid })
        } else if mode & 0o022 != 0 {
            Some(Self::Writable)
        } else {
            None
        }
    }
}

/// A rule that puts an error's text into a category; `milepost_collect` takes it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCategory {
    /// The category, in lower_snake_case.
    pub category: String,
    /// Patterns of which one has to occur.
    pub any: Vec<String>,
}

impl Default for Config {
    /// What holds where nothing is configured: no criteria, UTC, no texts, and a project without a name.
    fn default() -> Self {
        Self {
            path: None,
            criteria: Criteria {
                project: String::new(),
                time_zone: "UTC".to_owned(),
                calendar: TimeZone::UTC,
                version: None,
                aliases: BTreeMap::new(),
                criteria: Vec::new(),
            },
            probes: Vec::new(),
            collects: Vec::new(),
            alerts: Vec::new(),
            otlp: Otlp::default(),
            texts: Texts::default(),
            error_categories: Vec::new(),
            store: None,
            tables: None,
            cluster: None,
            retention: None,
            output: None,
            untrusted: None,
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is larger than 1 MiB, or says something that makes no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        let untrusted = Untrusted::of(path, &file).map_err(unreadable)?;
        // One byte more than is allowed, to see whether there is one. The length that the system tells is none for a pipe.
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Self { untrusted, ..Self::read(path, &bytes)? })
    }

    /// Reads `bytes`, what the file at `path` holds.
    ///
    /// # Errors
    /// Where it is larger than 1 MiB, or says something that makes no sense.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let faulty = |text: String, faults| ConfigError::Faulty { path: path.to_owned(), text, faults };
        match std::str::from_utf8(bytes) {
            Ok(text) => meaning::meaning(path, text).map_err(|faults| faulty(text.to_owned(), faults)),
            Err(error) => {
                // What comes before is the same in the text that can be shown.
                let at = error.valid_up_to();
                let text = String::from_utf8_lossy(bytes).into_owned();
                Err(faulty(text, vec![Fault::new(at..at + char::REPLACEMENT_CHARACTER.len_utf8(), Wrong::NotUtf8)]))
            }
        }
    }
}

/// JSON Schema of `milepost.toml`, for editors.
#[must_use]
pub fn schema() -> Schema {
    // TOML has no null: what is optional is left out. And the lines of a comment are no lines of a description.
    fn for_toml(schema: &mut Schema) {
        transform_subschemas(&mut for_toml, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(description) = object.get("description").and_then(|text| text.as_str()) {
            let description = description.replace('\n', " ");
            object.insert("description".to_owned(), description.into());
        }
        if let Some(types) = object.get_mut("type").and_then(|types| types.as_array_mut()) {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(any) = object.get_mut("anyOf").and_then(|any| any.as_array_mut()) {
            any.retain(|one| one.get("type").is_none_or(|name| name != "null"));
            if let [only] = any.as_slice() {
                let only = only.as_object().cloned().unwrap_or_default();
                object.remove("anyOf");
                object.extend(only);
            }
        }
    }
    SchemaSettings::draft2020_12().with_transform(for_toml).into_generator().into_root_schema_for::<file::File>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_else_could_have_written_is_not_trusted() {
        for (uid, mode, ours, untrusted) in [
            (1000, 0o100_644, 1000, None),
            (0, 0o100_644, 1000, None),
            (1000, 0o100_644, 0, Some(Untrusted::Owner { uid: 1000 })),
            (1001, 0o100_600, 1000, Some(Untrusted::Owner { uid: 1001 })),
            (1000, 0o100_664, 1000, Some(Untrusted::Writable)),
            (1000, 0o100_646, 1000, Some(Untrusted::Writable)),
            (0, 0o100_622, 1000, Some(Untrusted::Writable)),
        ] {
            assert_eq!(Untrusted::judge(uid, mode, ours), untrusted, "{uid} {mode:o} {ours}");
        }
    }
}
