//! Everything has a limit. These are the ones of events and of the spool.

use std::time::Duration;

/// The longest line of the spool in bytes, its line feed not counted.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// The longest name (operation, user, attribute …) in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 16 * 1024;
/// The longest free text (error, interaction, note) in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The most attributes that one event carries.
pub const ATTRIBUTES_MAX: usize = 64;
/// A segment is sealed once it is as large as this, in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A recorder's own segment is sealed once it is this old.
pub const SEGMENT_AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// How far ahead of its receipt an event may say it happened: clocks of two machines differ.
pub const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);
/// A duration beyond this is a mistake: a year and a day, in microseconds.
pub const DURATION_US_MAX: u64 = 366 * 24 * 3600 * 1_000_000;
/// The most processes that a memory reading tells apart.
pub const TREE_PROCESSES_MAX: usize = 64;
/// The longest name of one of them in bytes of UTF-8.
pub const PROCESS_NAME_BYTES_MAX: usize = 64;
/// An amount of memory beyond this is a mistake: 1 PiB.
pub const MEMORY_BYTES_MAX: u64 = 1 << 50;
/// Of a command that never takes as much, `milepost run` may not know the peak: it is hidden by Milepost's own, which a command
/// inherits through `exec`.
pub const PEAK_BYTES_KNOWN_ABOVE: u64 = 32_000_000;
/// A count beyond this is a mistake: 2⁵³, up to which every reader of JSON has whole numbers exact.
pub const COUNT_MAX: u64 = 1 << 53;
