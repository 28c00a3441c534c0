//! Starts the command by `posix_spawn`, which std uses as long as nothing is asked for that takes a fork: a session of its
//! own does.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::unistd::setsid;

use super::{Command, RunError};

/// Starts the command with everything inherited, but for the standard error if one is given, and for what it is to run
/// apart from.
pub(super) fn start(command: &Command, stderr: Option<OwnedFd>) -> Result<Child, RunError> {
    let spawn = |program: &OsStr, script: Option<&Path>| {
        let mut spawn = std::process::Command::new(program);
        spawn.args(script).args(&command.args).envs(command.variables.iter().copied());
        if command.apart {
            spawn.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            in_session_of_its_own(&mut spawn);
        }
        if let Some(stdin) = &command.stdin {
            spawn.stdin(stdin.try_clone()?);
        }
        if let Some(stdout) = &command.stdout {
            spawn.stdout(stdout.try_clone()?);
        }
        if let Some(stderr) = &stderr {
            spawn.stderr(stderr.try_clone()?);
        }
        spawn.spawn()
    };
    let mut started = spawn(&command.program, None);
    // Shells and execvp run a script without `#!` by the standard shell. posix_spawn does not.
    if let Err(error) = &started
        && error.raw_os_error() == Some(Errno::ENOEXEC as i32)
        && let Some(script) = find_script(&command.program)
    {
        started = spawn("/bin/sh".as_ref(), Some(&script));
    }
    started.map_err(|cause| RunError::Start {
        program: command.program.clone(),
        status: if cause.kind() == io::ErrorKind::NotFound { 127 } else { 126 },
        cause,
    })
}

#[expect(unsafe_code, reason = "no stable call of std starts a process in a session of its own")]
fn in_session_of_its_own(spawn: &mut std::process::Command) {
    // SAFETY: between fork and exec the closure makes one system call, and neither allocates nor takes a lock.
    unsafe {
        spawn.pre_exec(|| Ok(setsid().map(drop)?));
    }
}

/// The file that the system took for no program, unless it looks like one for another machine.
fn find_script(program: &OsStr) -> Option<PathBuf> {
    let file = if is_path(program) {
        PathBuf::from(program)
    } else {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())?
    };
    let mut start = Vec::new();
    File::open(&file).ok()?.take(128).read_to_end(&mut start).ok()?;
    (!start.contains(&0)).then_some(file)
}

fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// What to tell a person who wonders why.
pub(super) fn why_not(program: &OsStr, cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound if !is_path(program) => "no such program in the folders of PATH".to_owned(),
        io::ErrorKind::NotFound if Path::new(program).exists() => {
            "the file is there, but the interpreter or loader that it names is not".to_owned()
        }
        _ => cause.to_string(),
    }
}
