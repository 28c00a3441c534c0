//! What other tools print, turned into what Milepost records: text comes in, facts go out. Nothing here starts a process,
//! opens a socket, reads a file or looks at the clock.
//!
//! - [`error_category`] puts what a failed command said into a category.
//! - [`read`] reads the report of a tool: coverage, complexity, tests or vulnerabilities, in the format that the content shows.
//!   A [`Report`] holds what it says as measurements; whoever knows when it was made has them as [events](Report::events).
//! - [`contributions`] reads what `git log` prints.

// All that is read here comes from outside.
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

mod cargo_audit;
mod cobertura;
mod complexity;
mod coverage;
mod coverage_py;
pub mod error_category;
mod format;
mod git_log;
pub mod import;
mod junit;
mod lcov;
mod lizard;
mod llvm_cov;
mod osv;
mod pip_audit;
mod radon;
mod report;
mod sarif;
mod vulnerabilities;
mod xml;

pub use format::{Format, Kind, could_be_a_report, read};
pub use git_log::{Contributions, GIT_LOG, Month, NoHistory, contributions};
pub use report::{Made, REPORT_BYTES_MAX, Reading, Refused, Report};
