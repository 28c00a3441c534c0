//! `milepost man`: manual pages, made of what can be typed.

use super::{Failure, print};
use crate::cli::{Cli, Man};
use clap::{Command, CommandFactory};
use std::process::ExitCode;

pub(super) fn man(wish: &Man) -> Result<ExitCode, Failure> {
    let mut milepost = Cli::command();
    // Gives each command the name of its page, `milepost-collect-git`.
    milepost.build();
    if wish.list {
        let mut names = Vec::new();
        list(&milepost, &mut names);
        return print(&(names.join("\n") + "\n"));
    }
    let name = format!("milepost-{}", wish.command.join("-"));
    let unknown = || Failure::usage(format!("there is no page `{name}`: see `milepost man --list`"));
    let of = if wish.command.is_empty() { &milepost } else { find(&milepost, &name).ok_or_else(unknown)? };
    let mut page = Vec::new();
    clap_mangen::Man::new(of.clone()).render(&mut page).map_err(Failure::Output)?;
    print(&String::from_utf8_lossy(&page))
}

fn find<'a>(command: &'a Command, page: &str) -> Option<&'a Command> {
    if command.get_display_name() == Some(page) {
        return Some(command);
    }
    command.get_subcommands().find_map(|under| find(under, page))
}

fn list<'a>(command: &'a Command, names: &mut Vec<&'a str>) {
    names.push(command.get_display_name().unwrap_or_else(|| command.get_name()));
    for under in command.get_subcommands().filter(|under| under.get_name() != "help") {
        list(under, names);
    }
}
