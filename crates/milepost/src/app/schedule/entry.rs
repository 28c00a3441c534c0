//! What is installed: one call of `milepost track`, as cron and as systemd write it.

use super::{super::Failure, rhythm::Rhythm};
use std::{
    env,
    ffi::OsStr,
    fmt::Write,
    path::{Path, PathBuf},
};

/// The longest line that Debian's cron takes, less some room.
const CRON_LINE_MAX: usize = 990;
/// As much of the project's name is in the name of the entry.
const NAME_MAX: usize = 40;

/// One call of `milepost track` for one configuration.
pub(super) struct Entry {
    /// Its name, the same for the same configuration: `milepost-PROJECT-DIGEST`.
    pub(super) name: String,
    project: String,
    /// The program, by a path that stays.
    pub(super) program: String,
    pub(super) config: String,
    folder: String,
    /// What of this environment the call needs.
    variables: Vec<(&'static str, String)>,
}

impl Entry {
    /// # Errors
    /// Where a path cannot be written into a file of cron or systemd, or the program lies where it will not stay.
    pub(super) fn new(project: &str, config: &Path) -> Result<Self, Failure> {
        let config =
            std::path::absolute(config).map_err(|error| Failure::internal(format!("cannot find {}: {error}", config.display())))?;
        let folder = config.parent().unwrap_or(Path::new("/"));
        let program = env::current_exe().map_err(|error| Failure::internal(format!("cannot find this program: {error}")))?;
        let store = env::var_os("NIX_STORE_DIR").map_or_else(|| PathBuf::from("/nix/store"), PathBuf::from);
        let program = lasting(&program, &store, env::var_os("PATH").as_deref())?;
        let mut variables = Vec::new();
        for name in ["PATH", "MILEPOST_DATA"] {
            if let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) {
                let value = if name == "PATH" { value } else { std::path::absolute(&value).map_or(value, PathBuf::into_os_string) };
                variables.push((name, writable(&value, name)?));
            }
        }
        let config_text = writable(config.as_os_str(), "the path of the configuration")?;
        let folder_text = writable(folder.as_os_str(), "the path of the configuration")?;
        // In a unit, a folder cannot be quoted: spaces around it are left out, and a backslash at its end takes in the next line.
        if folder_text.trim() != folder_text || folder_text.ends_with('\\') {
            return Err(Failure::usage(format!(
                "a folder whose name begins or ends with a space, or ends with a backslash, cannot be written into a schedule: {}",
                folder.display()
            )));
        }
        let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let short: String = project.chars().map(kept).take(NAME_MAX).collect();
        Ok(Self {
            name: format!("milepost-{short}-{:08x}", fnv1a(config_text.as_bytes())),
            // At the end of a line it would take in the next one.
            project: project.trim_end_matches('\\').to_owned(),
            program: writable(program.as_os_str(), "the path of this program")?,
            folder: folder_text,
            config: config_text,
            variables,
        })
    }

    /// A number that is the same for the same configuration.
    pub(super) fn seed(&self) -> u32 {
        fnv1a(self.config.as_bytes())
    }

    /// The call, as a person would type it.
    pub(super) fn call(&self) -> String {
        format!("{} track --config {}", quoted(&self.program), quoted(&self.config))
    }

    /// The unit that does the work.
    pub(super) fn service(&self) -> String {
        let mut variables = String::new();
        for (name, value) in &self.variables {
            // Writing to a String cannot fail.
            let _ = writeln!(variables, "Environment={}", unit_word(&format!("{name}={value}"), false));
        }
        format!(
            "# Written by `milepost schedule install`; `milepost schedule uninstall` removes it.\n\
             [Unit]\nDescription=Milepost: track {}\n\n\
             [Service]\nType=oneshot\nWorkingDirectory={}\n{variables}ExecStart={} track --config {}\nNice=10\n",
            self.project.replace('%', "%%"),
            self.folder.replace('%', "%%"),
            unit_word(&self.program, true),
            unit_word(&self.config, true),
        )
    }

    /// The unit that says when.
    pub(super) fn timer(&self, rhythm: Rhythm) -> String {
        format!(
            "# Written by `milepost schedule install`; `milepost schedule uninstall` removes it.\n\
             [Unit]\nDescription=Milepost: track {} {rhythm}\n\n\
             [Timer]\nOnCalendar={}\nPersistent=true\nRandomizedDelaySec={}s\n\n\
             [Install]\nWantedBy=timers.target\n",
            self.project.replace('%', "%%"),
            rhythm.calendar(),
            rhythm.delay().as_secs(),
        )
    }

    /// The first line of its block in a crontab, and the last.
    pub(super) fn markers(&self) -> [String; 2] {
        [
            format!("# BEGIN {}: written by `milepost schedule install`; `milepost schedule uninstall` removes it", self.name),
            format!("# END {}", self.name),
        ]
    }

    /// Its block in a crontab, without a line feed at the end.
    ///
    /// # Errors
    /// Where the line would be longer than cron takes.
    pub(super) fn crontab(&self, rhythm: Rhythm) -> Result<String, Failure> {
        let variables: String = self.variables.iter().map(|(name, value)| format!("{name}={} ", quoted(value))).collect();
        let command = format!("cd {} && {variables}{} >/dev/null", quoted(&self.folder), self.call());
        if command.len() > CRON_LINE_MAX {
            return Err(Failure::usage(format!(
                "the line would be longer than cron takes ({} characters of {CRON_LINE_MAX}); shorten PATH, or write a script that \
                 calls `{}`, and a line for it",
                command.len(),
                self.call()
            )));
        }
        let [begin, end] = self.markers();
        // For cron a percent sign ends the command.
        Ok(format!("{begin}\n{} * * * {}\n{end}", rhythm.cron(), command.replace('%', "\\%")))
    }
}

/// A path of the program that is there tomorrow too: one in the Nix store goes with the next update and collection of garbage,
/// and the profile that leads to it does not.
fn lasting(program: &Path, store: &Path, path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    if !program.starts_with(store) {
        return Ok(program.to_owned());
    }
    let folders = path.map(|path| env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    let mut candidates = folders.iter().filter(|folder| !folder.starts_with(store)).map(|folder| folder.join("milepost"));
    let same = |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|real| real == program);
    candidates.find(same).ok_or_else(|| {
        Failure::usage(format!(
            "this program is {}, which goes with the next collection of garbage; install it into a profile, such as by `nix profile \
             install`, and call that one",
            program.display()
        ))
    })
}

/// A text without what would end a line.
fn writable(text: &OsStr, what: &str) -> Result<String, Failure> {
    let readable = text.to_str().filter(|text| !text.chars().any(char::is_control));
    readable.map(str::to_owned).ok_or_else(|| Failure::usage(format!("{what} cannot be written into a schedule: {}", text.display())))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,=@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A word as a unit of systemd has it (systemd.syntax, systemd.service): a dollar sign begins a variable in commands only.
fn unit_word(word: &str, in_command: bool) -> String {
    let word = word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{}\"", if in_command { word.replace('$', "$$") } else { word })
}

/// The hash of Fowler, Noll and Vo, variant 1a, 32 bits: the same in every version of this program.
pub(super) fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!([fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
    }

    #[test]
    fn words_come_out_as_they_went_in() {
        assert_eq!(quoted("/a/b-c.toml"), "/a/b-c.toml");
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
        assert_eq!(unit_word(r#"/a b/50%/$x\"#, true), r#""/a b/50%%/$$x\\""#);
        assert_eq!(unit_word("PATH=/a:$b", false), r#""PATH=/a:$b""#);
    }

    #[test]
    fn of_a_program_in_the_nix_store_the_profile_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, profile) = (folder.path().join("store"), folder.path().join("profile/bin"));
        let bin = store.join("hash-milepost/bin");
        fs::create_dir_all(&bin).expect("a folder");
        fs::create_dir_all(&profile).expect("a folder");
        let program = bin.join("milepost");
        fs::write(&program, "").expect("a file");
        assert_eq!(lasting(Path::new("/usr/bin/milepost"), &store, None).expect("a path"), Path::new("/usr/bin/milepost"));
        let path = env::join_paths([&bin, &profile]).expect("a path");
        let refused = lasting(&program, &store, Some(&path)).expect_err("no profile has it").to_string();
        assert!(refused.contains("collection of garbage"), "{refused}");
        symlink(&program, profile.join("milepost")).expect("a link");
        assert_eq!(lasting(&program, &store, Some(&path)).expect("a path"), profile.join("milepost"));
    }
}
