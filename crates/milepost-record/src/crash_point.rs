//! Where a test may have this process killed.

/// Ends the process by force where the environment variable `MILEPOST_CRASH_AT` names this point, as a crash between two steps cannot be
/// hit by chance. Compiled into builds with debug assertions only.
#[doc(hidden)]
pub fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    if std::env::var_os("MILEPOST_CRASH_AT").is_some_and(|at| at == name) {
        std::process::abort();
    }
    let _ = name;
}
