//! The scripts of the page, and what lets them run and no others.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// What the page can do beyond being read.
pub(crate) static PAGE: LazyLock<String> = LazyLock::new(|| lean(include_str!("../../templates/page.js")));
/// What keeps a page that is served as it is now.
pub(crate) static LIVE: LazyLock<String> = LazyLock::new(|| lean(include_str!("../../templates/live.js")));

/// Without indentation and comments, which are a quarter of it. No text of the scripts goes over several lines.
fn lean(script: &str) -> String {
    let lines = script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The source expression for `script-src` that allows exactly this script: the hash of its bytes (Content Security Policy Level 3).
pub(crate) fn source(script: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_the_hash_that_browsers_compute() {
        // The example of the specification, section 8.2.
        assert_eq!(source("alert('Hello, world.');"), "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
    }

    #[test]
    fn the_scripts_reach_the_browser_as_they_are() {
        // What would end one, change how it is read, or have its line ends normalised before they are hashed.
        for harm in ["</script", "<script", "<!--", "\r"] {
            assert!(!PAGE.contains(harm) && !LIVE.contains(harm), "{harm:?}");
        }
        assert!(PAGE.len() <= 18_500, "{} bytes", PAGE.len());
    }

    #[test]
    fn no_text_of_a_script_goes_over_several_lines() {
        let script = "a(`b`); // c\n  // d\n\n    e();\n";
        assert_eq!(lean(script), "a(`b`); // c\ne();");
        for line in PAGE.lines().chain(LIVE.lines()) {
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            assert!(!line.ends_with('\\') && !line.contains("/*"), "{line}");
        }
    }
}
