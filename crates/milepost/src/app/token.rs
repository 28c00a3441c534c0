//! `milepost token`: who may come in from elsewhere.

use super::{Failure, Workplace, files, print, say, versions};
use crate::{
    cli::{self, AddToken},
    serve::tokens::{self, Scope, TOKENS_MAX, Token},
};
use milepost_record::Locked;
use std::{fmt::Write, path::Path, process::ExitCode};

/// Held while the tokens are changed.
const LOCK: &str = "tokens.lock";

pub(super) fn token(what: &cli::Token, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let data = workplace.data()?;
    match what {
        cli::Token::Add(add) => self::add(add, data)?,
        cli::Token::List => list(data)?,
        cli::Token::Remove { name } => remove(name, data)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(AddToken { name, read, .. }: &AddToken, data: &Path) -> Result<(), Failure> {
    let scope = if *read { Scope::Read } else { Scope::Write };
    let (made, token) = Token::make(name, scope).map_err(Failure::usage)?;
    versions::refuse(data, tokens::FORMAT)?;
    let _lock = lock(data)?;
    let mut all = kept(data)?;
    if all.iter().any(|token| token.name == *name) {
        return Err(Failure::usage(format!("there is a token `{name}` already: `milepost token remove {name}` takes it away")));
    }
    if all.len() >= TOKENS_MAX {
        return Err(Failure::usage(format!("there are {TOKENS_MAX} tokens, and more there may not be: `milepost token list` shows them")));
    }
    all.push(made);
    write(data, all)?;
    print(&format!("{token}\n"))?;
    say(&format!("`{name}` may {scope} from now on; the token is shown this once, and only its hash is kept"));
    Ok(())
}

fn list(data: &Path) -> Result<(), Failure> {
    let all = kept(data)?;
    let width = all.iter().map(|token| token.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Token { name, scope, made, .. } in all {
        let _ = writeln!(text, "{name:width$}  {scope:5}  {made}", scope = scope.to_string());
    }
    if text.is_empty() {
        say("there is no token: `milepost token add NAME --read` or `--write` makes one");
    }
    print(&text)?;
    Ok(())
}

fn remove(name: &str, data: &Path) -> Result<(), Failure> {
    versions::refuse(data, tokens::FORMAT)?;
    let _lock = lock(data)?;
    let mut all = kept(data)?;
    let before = all.len();
    all.retain(|token| token.name != name);
    if all.len() == before {
        return Err(Failure::usage("there is no token of this name: `milepost token list` shows them"));
    }
    write(data, all)
}

fn kept(data: &Path) -> Result<Vec<Token>, Failure> {
    versions::refuse(data, tokens::FORMAT)?;
    tokens::read(data).map_err(Failure::usage)
}

fn lock(data: &Path) -> Result<Locked, Failure> {
    let failed = |error| Failure::internal(format!("cannot lock {}: {error}", data.join(LOCK).display()));
    files::folder(data, true).map_err(failed)?;
    let lock = Locked::try_at(&data.join(LOCK)).map_err(failed)?;
    lock.ok_or_else(|| Failure::internal("another `milepost token` is at work: try again"))
}

fn write(data: &Path, all: Vec<Token>) -> Result<(), Failure> {
    let path = data.join(tokens::FILE);
    files::keep(&path, tokens::text(all).as_bytes()).map_err(|error| Failure::internal(format!("cannot write {}: {error}", path.display())))
}
