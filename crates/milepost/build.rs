//! Links the program without position independence on Linux.
//!
//! The query engine brings some hundred thousand pointers that the loader would have to relocate at every start, also for
//! `milepost run`, which needs none of them: 3 ms of 4. ARCHITECTURE.md weighs this against what is given up.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
