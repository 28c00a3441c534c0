//! Nothing but tests: `tests/cluster.rs` starts a scheduler and two executors, which are `examples/scheduler.rs` and
//! `examples/executor.rs`, and compares what Milepost answers with and without them.
