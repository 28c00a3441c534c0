//! The vocabulary of Milepost, its spool, and the SDK that products embed.
//!
//! - An [`Event`] is one immutable fact on the wire, in the spool and in exports: one line of JSON.
//! - A [`Recorder`] is what a product embeds: `Recorder::open(dir)?.record(event)?`.
//! - The [`Spool`] is the folder of append-only files that every door writes, by the protocol of its own page.
//! - A [`Question`] is what a criterion needs to know, and an [`Answer`] what the events say to it: plain data, so that who
//!   judges need not know where events are kept.
//!
//! The crate is small, and stays so: no async runtime, no column store, no logger.

mod door;
mod event;
mod files;
pub mod limits;
mod question;
mod recorder;
mod segment;
mod spool;
mod spool_state;
mod timestamp;

pub use door::{Admitted, Door, Identity, Texts, random_id, recording_is_off};
pub use event::*;
pub use files::SpoolError;
pub use question::*;
pub use recorder::{Recorder, Running};
pub use segment::{Line, Manifest, Segment, Unreadable};
pub use spool::{Durability, Spool};
pub use spool_state::SpoolState;
pub use timestamp::{NotATime, Timestamp};
