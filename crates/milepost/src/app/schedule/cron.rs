//! The crontab of this user: `crontab -l` reads it, `crontab -` replaces it.

use super::{super::Failure, entry::Entry};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Whether there is a cron.
pub(super) fn is_there() -> bool {
    // Without a table of one's own it fails, and is there all the same.
    Command::new("crontab").arg("-l").stdin(Stdio::null()).output().is_ok()
}

/// What of the table is ours.
///
/// # Errors
/// Where the table cannot be read.
pub(super) fn installed(entry: &Entry) -> Result<Option<String>, Failure> {
    Ok(split(&read()?, entry)?.1)
}

/// Puts a block into the table, in the place of one that is there.
///
/// # Errors
/// Where the table cannot be read or written.
pub(super) fn install(entry: &Entry, block: &str) -> Result<(), Failure> {
    let (mut others, there) = split(&read()?, entry)?;
    if there.as_deref() == Some(block) {
        return Ok(());
    }
    if !others.is_empty() && !others.ends_with('\n') {
        others.push('\n');
    }
    write(&format!("{others}{block}\n"))
}

/// Takes the block out; whether there was one. A table of which nothing else is left goes too.
///
/// # Errors
/// Where the table cannot be read or written.
pub(super) fn uninstall(entry: &Entry) -> Result<bool, Failure> {
    let (others, there) = split(&read()?, entry)?;
    match there {
        None => return Ok(false),
        Some(_) if others.trim().is_empty() => crontab("-r", None).map(|_| ())?,
        Some(_) => write(&others)?,
    }
    Ok(true)
}

fn read() -> Result<String, Failure> {
    let failed = |error| Failure::internal(format!("cannot run crontab: {error}"));
    let output = Command::new("crontab").arg("-l").stdin(Stdio::null()).output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|_| Failure::internal("the crontab is not UTF-8; it is left as it is")),
        // As every cron says it of who has no table.
        false if said.contains("no crontab for") => Ok(String::new()),
        false => Err(Failure::internal(format!("crontab -l: {}: {}", output.status, said.trim()))),
    }
}

fn write(table: &str) -> Result<(), Failure> {
    crontab("-", Some(table)).map(|_| ())
}

fn crontab(argument: &str, input: Option<&str>) -> Result<String, Failure> {
    let failed = |error| Failure::internal(format!("cannot run crontab: {error}"));
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child =
        Command::new("crontab").arg(argument).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // One that does not read it says why by its exit code.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Failure::internal(format!("crontab {argument}: {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A table without our block, and the block.
fn split(table: &str, entry: &Entry) -> Result<(String, Option<String>), Failure> {
    let [begin, end] = entry.markers();
    let (mut others, mut block, mut inside) = (String::new(), None::<Vec<&str>>, false);
    for line in table.lines() {
        if line == begin {
            inside = true;
        }
        if inside {
            block.get_or_insert_default().push(line);
        } else {
            others.push_str(line);
            others.push('\n');
        }
        if line == end {
            inside = false;
        }
    }
    if inside {
        return Err(Failure::usage(format!(
            "in the crontab the line `{end}` is missing; put it where Milepost's own lines end (crontab -e)"
        )));
    }
    Ok((others, block.map(|lines| lines.join("\n"))))
}
