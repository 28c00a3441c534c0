//! Which lines of the crates their tests run, those of the programs that tests start included. `rustc` itself puts counters into them;
//! what they counted is read by `bench/src/bin/coverage.rs`, so neither LLVM's tools nor a nightly compiler are needed.

use crate::{Done, bench::own_workspace, cargo, have, milepost, output, own, root, run, shown_path, target};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn bench() -> Done {
    if !have("cc", "gcc") {
        return Err("measuring coverage needs a C compiler as `cc`: install one, as by `apt-get install gcc`".to_owned());
    }
    let folder = target().join("bench/coverage");
    let profiles = folder.join("profiles");
    let wrapper = wrapper(&folder, &profiles)?;
    // Not doc tests, which rustdoc compiles; not this program, which no test runs.
    let tests = |more: &[&str]| {
        let mut command = cargo();
        command.args(["test", "--workspace", "--exclude", "xtask", "--tests"]).args(more).env("RUSTC_WORKSPACE_WRAPPER", &wrapper);
        command
    };
    try_on_what_is_known(&wrapper, &folder, &profiles)?;
    let messages = output(&mut tests(&["--no-run", "--message-format", "json-render-diagnostics"]))?;
    let programs: Vec<&str> = messages.lines().filter_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next()).collect();
    let _ = fs::remove_dir_all(&profiles);
    let tested = run(&mut tests(&["--no-fail-fast"]));
    let lcov = target().join("bench/coverage.lcov");
    println!("\nLines of the crates that their tests run\n");
    run(reader(&root(), &profiles, &lcov).args(programs))?;
    // What failed tests ran is no measure of what they hold.
    tested?;
    // Also puts the program without counters where everybody looks for it.
    run(own(&milepost()?, &["collect", "coverage"]).arg(&lcov))
}

/// What reads the counters: it writes LCOV, prints a table, and takes the programs as further arguments.
fn reader(root: &Path, profiles: &Path, lcov: &Path) -> Command {
    let mut reader = own_workspace("coverage");
    reader.args(["--features", "coverage", "--"]).args([root, profiles, lcov]);
    reader
}

/// Whether the measure is right, counters, format and reader, as of `bench/known.rs`, of which each line says whether it runs.
fn try_on_what_is_known(wrapper: &Path, folder: &Path, profiles: &Path) -> Done {
    let (source, root) = (root().join("bench/known.rs"), folder.join("known"));
    let (copied, program, lcov) = (root.join("crates/known/src/main.rs"), root.join("known"), root.join("known.lcov"));
    let failed = |error| format!("cannot try the measure of coverage in {}: {error}", root.display());
    let _ = fs::remove_dir_all(profiles);
    fs::create_dir_all(root.join("crates/known/src")).map_err(failed)?;
    let known = fs::read_to_string(&source).map_err(failed)?;
    fs::write(&copied, &known).map_err(failed)?;
    run(Command::new(wrapper).args(["rustc", "--edition", "2024", "--test", "-o"]).args([&program, &copied]))?;
    // It aborts itself.
    Command::new(&program).output().map_err(failed)?;
    output(reader(&root, profiles, &lcov).arg(&program))?;
    let lcov = fs::read_to_string(&lcov).map_err(failed)?;
    for (line, text) in (1..).zip(known.lines()) {
        let marked = [" // runs", " // never"].into_iter().find(|mark| text.ends_with(mark));
        let prefix = format!("DA:{line},");
        let measured = lcov.lines().find_map(|line| Some(if line.strip_prefix(&prefix)? == "0" { " // never" } else { " // runs" }));
        if marked != measured {
            return Err(format!(
                "coverage is measured wrongly: {}:{line} is measured as `{}`: {text}",
                shown_path(&source),
                measured.unwrap_or("no code")
            ));
        }
    }
    Ok(())
}

/// A `rustc` that puts counters into the crates of the workspace, which alone it is called for, and has each program leave them in
/// a file below `profiles`.
///
/// The counters lie in that file from the beginning, so those of a program that is killed are there too. The name of the file
/// is in the program: many tests clear the environment that would say it. It is set before the runtime of the counters begins, which
/// then leaves its own file, and what it would print at the end, be.
fn wrapper(folder: &Path, profiles: &Path) -> Result<PathBuf, String> {
    let (named, object, wrapper) = (folder.join("name.c"), folder.join("name.o"), folder.join("rustc"));
    let write = |path: &Path, text: String| fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let shown = profiles.to_str().filter(|path| !path.contains(['"', '\'', '\\', '%'])).ok_or("the target folder has no plain name")?;
    write(
        &named,
        format!(
            "void __llvm_profile_set_filename(const char *);\n\
             __attribute__((constructor(101))) static void name(void) {{ __llvm_profile_set_filename(\"{shown}/%m%c.profraw\"); }}\n"
        ),
    )?;
    run(Command::new("cc").args(["-c", "-O1", "-o"]).args([&object, &named]))?;
    write(
        &wrapper,
        format!(
            "#!/bin/sh\n\
             case \"$*\" in *build_script_build*) exec \"$@\";; esac\n\
             exec \"$@\" -C instrument-coverage -C llvm-args=-runtime-counter-relocation -C link-arg='{}'\n",
            object.display()
        ),
    )?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot make {} a program: {error}", wrapper.display()))?;
    Ok(wrapper)
}
