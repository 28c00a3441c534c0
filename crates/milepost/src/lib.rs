//! Milepost: did we meet the success criteria that we set?
//!
//! The library behind the program `milepost`, the only part that prints, spawns and exits. [`cli`] is what can be typed,
//! [`app`] what it does, [`render`] what is seen of it.

mod amounts;
pub mod app;
pub mod cli;
pub mod config;
pub mod process_tree;
pub mod render;
mod serve;
pub mod wrap;

#[cfg(test)]
mod bad_input;
