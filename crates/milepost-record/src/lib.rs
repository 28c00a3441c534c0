//! The vocabulary of Milepost, its spool, and the SDK that products embed.
//!
//! - An [`Event`] is one immutable fact on the wire, in the spool and in exports: one line of JSON.
//! - A [`Recorder`] is what a product embeds: `Recorder::open(dir)?.record(event)?`.
//! - The [`Spool`] is the folder of append-only files that every door writes, by the protocol of its own page.
//! - A [`Question`] is what a criterion needs to know, and an [`Answer`] what the events say to it: plain data, so that who
//!   judges need not know where events are kept.
//!
//! The crate is small, and stays so: no async runtime, no column store, no logger.
//!
//! # Five minutes to a verdict
//!
//! 1. Add the crate, from a copy of the repository, and let `milepost init` write the configuration beside your `Cargo.toml`:
//!
//!    ```text
//!    cargo add milepost-record --path ../milepost/crates/milepost-record
//!    milepost init
//!    ```
//!
//! 2. Open one [`Recorder`] when the product begins, and time what people do. A product that must go on without its records has
//!    [`Recorder::disabled`] for them:
//!
//!    ```
//!    use milepost_record::Recorder;
//!    # #[derive(Debug)] struct NoIndex;
//!    # fn search(query: &str) -> Result<Vec<String>, NoIndex> { Ok(vec![query.to_owned()]) }
//!
//!    # let folder = tempfile::tempdir().expect("a folder"); let data = folder.path();
//!    # let _ = stringify!(
//!    let data = ".milepost";
//!    # );
//!    let recorder = Recorder::open(data).unwrap_or_else(|_| Recorder::disabled()).with_version(env!("CARGO_PKG_VERSION"));
//!    let found = recorder.measure("search", || search("firefox")); // Ok is a success, Err a failure
//!    # assert!(found.is_ok() && recorder.is_enabled() && recorder.lost() == 0);
//!    ```
//!
//! 3. Say more, where you know more: how it ended, which implementation did the work, for whom. Names become pseudonyms:
//!
//!    ```
//!    use milepost_record::{Outcome, Recorder};
//!
//!    # let folder = tempfile::tempdir().expect("a folder");
//!    # let recorder = Recorder::open(folder.path()).expect("a recorder");
//!    # let is_offline = true;
//!    let running = recorder.start("install").describe(|event, operation| {
//!        event.user = recorder.pseudonym("rose@example.org");
//!        operation.backend = Some("native".to_owned());
//!    });
//!    if is_offline {
//!        running.fail("network", Some("could not resolve host".to_owned())); // the text is kept only by `with_texts`
//!    } else {
//!        running.finish(Outcome::Ok);
//!    }
//!    # assert_eq!(recorder.lost(), 0);
//!    ```
//!
//!    A product that has spans of the crate `tracing` already needs no more than a layer: `SpanOperations`, behind the feature `tracing`.
//!
//! 4. Run it some times, then say what success means in `milepost.toml` and ask:
//!
//!    ```text
//!    [[criterion]]
//!    name = "Search is fast"
//!    metric = "latency.p95"
//!    where = { operation = "search" }
//!    below = "500ms"
//!    tier = "must"
//!    ```
//!    ```text
//!    milepost
//!    milepost explain "Search is fast" --plan    # how many events a verdict takes
//!    ```
//!
//!    72 fast searches on two days prove a P95; until then it is *not proven*, with how many more are needed. Tests of yours that call the
//!    product are no use of it: give their recorder [`Origin::Test`] by [`Recorder::with_origin`].

// Much of what is read here comes from outside.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable
    )
)]

mod ahead;
mod crash_point;
mod door;
mod ecdf;
mod event;
mod exact;
mod fields;
mod files;
pub mod limits;
mod locked;
mod process_memory;
mod question;
mod recorder;
mod scalar;
mod segment;
#[cfg(feature = "tracing")]
mod span_operations;
mod spool;
mod spool_state;
mod timestamp;
mod version;

#[doc(hidden)]
pub use crash_point::crash_point;
pub use door::{Admitted, Door, Identity, Texts, hexadecimal, is_pseudonym, random_id, recording_is_off};
pub use ecdf::Ecdf;
pub use event::*;
pub use exact::{Exact, FAST_US, Tally, Waits};
pub use fields::{FieldUse, Fields};
pub use files::{SpoolError, check_folder};
pub use locked::Locked;
pub use process_memory::ProcessMemory;
pub use question::*;
pub use recorder::{Batch, Recorder, Running};
pub use scalar::Scalar;
pub use segment::{Line, Manifest, Segment, Stretch, Unreadable};
#[cfg(feature = "tracing")]
pub use span_operations::SpanOperations;
pub use spool::{Durability, Spool};
pub use spool_state::SpoolState;
pub use timestamp::{NotATime, Timestamp};
pub use version::{Newer, refuse_newer};
