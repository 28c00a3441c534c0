//! Whatever is typed as an amount or as the name of a metric is one, or is told what is wrong.
#![expect(clippy::panic, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is tried for long tells what it tried, and where it hangs")]

#[path = "../../../fuzz/shared/held.rs"]
mod held;
#[path = "../../../fuzz/shared/mutation.rs"]
mod mutation;
#[path = "bad_input/targets.rs"]
mod targets;

use held::{Counting, Target, files, hold};
use std::path::Path;

#[global_allocator]
static MEMORY: Counting = Counting;

#[test]
fn amounts_and_metrics_are_read_or_are_told_what_is_wrong() {
    let words = ["500ms", "0.5 s", "95%", "1_000MB", "-1h", "10MB/d", "latency.p95", "success.rate", "coverage.statements", "latency.p59"];
    let mut inputs: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    // Beyond the largest number, and a name as long as a file may be.
    inputs.push([b"9".repeat(400), b"ms".to_vec()].concat());
    inputs.push([b"latency.".to_vec(), b"p".repeat(1_000_000)].concat());
    inputs.extend(files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input/quantity")));
    let target = Target { name: "quantity", holds: targets::quantity, bytes_each: 128 };
    hold(&target, &inputs, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("found"));
}
