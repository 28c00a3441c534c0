//! Whatever is read as configuration, or typed as an amount, ends in a value or in a sentence that says what is wrong. Beside what they
//! test, `serve/bad_input.rs` and `serve/otlp/bad_input.rs` hold to the same what comes in over the network.
//!
//! `tests/bad_input/TARGET/` has what was found, and `tests/bad_input/README.md` says why each is there.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test that cannot go on has failed")]

#[path = "../../../fuzz/shared/held.rs"]
pub(crate) mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
pub(crate) mod mutation;

use crate::{
    amounts,
    config::{Config, ConfigError, Preset, blank},
};
use held::{Counting, Target, files, hold};
use std::path::{Path, PathBuf};

#[global_allocator]
static MEMORY: Counting = Counting;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A reader with the inputs that were found, and with others.
pub(crate) fn try_it(name: &'static str, holds: fn(&[u8]), bytes_each: usize, mut inputs: Vec<Vec<u8>>) {
    inputs.extend(files(&here().join("bad_input").join(name)));
    hold(&Target { name, holds, bytes_each }, &inputs, &here().join("../../../target/tmp/found"));
}

/// A configuration means something, or what is shown names the file, and of what is in it the line.
fn config(bytes: &[u8]) {
    match Config::read(Path::new("a/milepost.toml"), bytes) {
        Ok(config) => {
            assert!(config.criteria.criteria.len() <= crate::config::CRITERIA_MAX);
            assert!(config.criteria.criteria.iter().all(|criterion| criterion.alpha > 0.0 && criterion.alpha <= 0.5));
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.contains("milepost.toml") && shown.len() <= 64 * 1024, "{} bytes: {shown}", shown.len());
            assert!(!shown.contains(['\u{1b}', '\0', '\u{202e}']), "{shown:?}");
            if let ConfigError::Faulty { faults, .. } = &error {
                assert!(!faults.is_empty() && shown.contains("milepost.toml:"), "{shown}");
            }
            assert!(!error.styled().is_empty());
        }
    }
}

#[test]
fn a_configuration_means_something_or_shows_the_line() {
    let mut inputs: Vec<_> = Preset::ALL.iter().map(|preset| preset.text("p").into_bytes()).collect();
    inputs.push(blank("p").into_bytes());
    let faults = std::fs::read_to_string(here().join("config/faults.txt")).expect("faults");
    let faulty: Vec<_> = faults.split("=== milepost.toml\n").skip(1).filter_map(|pair| pair.split("=== report\n").next()).collect();
    inputs.extend(faulty.iter().step_by(8).map(|file| file.as_bytes().to_vec()));
    let criterion = |keys: String| format!("[project]\nname = \"p\"\n[[criterion]]\nname = \"c\"\n{keys}\n").into_bytes();
    inputs.push(criterion(format!("metric = \"latency.{}\"\nbelow = \"1ms\"", "p".repeat(200_000))));
    inputs.push(criterion(format!("metric = \"latency.p95\"\nbelow = \"{}ms\"", "9".repeat(400))));
    inputs.push(criterion(format!("metric = \"latency.p95\"\nbelow = {}\nalpha = nan", "[".repeat(100_000))));
    inputs.push(criterion(format!("{} = 1", vec!["a"; 100_000].join("."))));
    inputs.push(criterion(format!("{} = 1", "k".repeat(200_000))));
    inputs.push("[[criterion]]\n".repeat(20_000).into_bytes());
    inputs.push(format!("[project]\nname = \"{}\"", "\u{202e}\u{1F600}\t".repeat(20_000)).into_bytes());
    try_it("config", config, 1024, inputs);
}

/// An amount that is typed.
fn amount(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for read in
        [amounts::microseconds(text), amounts::bytes(text), amounts::duration(text).map(|of| u64::try_from(of.as_micros()).unwrap_or(0))]
    {
        match read {
            Ok(amount) => assert!(amount <= 1 << 53),
            Err(error) => assert!(!error.is_empty() && error.len() <= 1024, "{error}"),
        }
    }
}

#[test]
fn an_amount_is_read_or_told_what_is_wrong() {
    try_it("amount", amount, 64, ["30s", "1.5 MB", "-1h", "1e3s", "9_0d"].map(|text| text.as_bytes().to_vec()).to_vec());
}
