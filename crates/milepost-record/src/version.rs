//! The version that every file of ours begins with, and what becomes of one that a newer Milepost wrote.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A file, or a line of it, that a newer Milepost wrote. It is left as it is: what of it is understood may mean something else there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has version {found}, and this Milepost ({}) reads version {reads}: upgrade milepost, and nothing is lost (docs/upgrades.md)",
    path.display(),
    env!("CARGO_PKG_VERSION")
)]
pub struct Newer {
    /// The file.
    pub path: PathBuf,
    /// Its version.
    pub found: u64,
    /// The version that this Milepost reads.
    pub reads: u64,
}

/// What can be known of a file whose other keys may be any.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// Refuses the JSON of a file that says it is of a newer version than `reads`. What says nothing is for its own reader to judge.
///
/// # Errors
/// Where it is newer.
pub fn refuse_newer(path: &Path, json: &[u8], reads: u64) -> Result<(), Newer> {
    match serde_json::from_slice(json) {
        Ok(Versioned { version: found }) if found > reads => Err(Newer { path: path.to_owned(), found, reads }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_newer_is_refused_and_whatever_else_is_in_it() {
        for (json, newer) in [
            (r#"{"version":1,"a":2}"#, false),
            (r#"{"version":2}"#, true),
            (r#"{"a":{"version":1},"b":[null],"version":18446744073709551615}"#, true),
            (r#"{"version":0}"#, false),
            (r#"{"version":"2"}"#, false),
            (r#"{"a":{"version":2}}"#, false),
            (r#"{"version":2"#, false),
            (r#"{"version":2,"version":1}"#, false),
            ("", false),
        ] {
            assert_eq!(refuse_newer(Path::new("x.json"), json.as_bytes(), 1).is_err(), newer, "{json}");
        }
    }
}
