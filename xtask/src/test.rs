//! `cargo xtask test`: all that has to hold.

use crate::{Done, architecture, cargo, run, target};

pub(crate) fn test() -> Done {
    architecture::check()?;
    let fmt_is_there = cargo().args(["fmt", "--version"]).output().is_ok_and(|o| o.status.success());
    if fmt_is_there {
        run(cargo().args(["fmt", "--all", "--check"]))?;
    } else {
        println!("formatting is not checked: rustfmt is not installed");
    }
    let clippy_is_there = cargo().args(["clippy", "--version"]).output().is_ok_and(|o| o.status.success());
    if clippy_is_there {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    } else {
        println!("lints are not checked: clippy is not installed");
    }
    run(cargo().args(["test", "--workspace"]))?;
    let own = ["test", "--quiet", "--manifest-path", "schemas/check/Cargo.toml", "--target-dir"];
    run(cargo().args(own).arg(target().join("schemas")).env("MILEPOST_PROGRAM", target().join("debug/milepost")))
}
