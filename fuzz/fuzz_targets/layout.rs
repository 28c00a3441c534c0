#![no_main]

#[allow(dead_code, reason = "one of several")]
#[path = "../../crates/milepost-record/tests/bad_input/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::layout(bytes));
