//! What started the tests may have had signals ignored, as a script does for its background jobs. Each program inherits that: a shell
//! cannot trap them, a tool goes on at Ctrl-C, and so does a sample.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU},
    flag::register_conditional_default,
};
use std::sync::{Arc, Once, atomic::AtomicBool};

/// Lets what is started from now on begin without ignored signals. Exec resets what has a handler, and this one does as if there were none.
pub fn have_default_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU] {
            assert!(register_conditional_default(signal, Arc::new(AtomicBool::new(true))).is_ok(), "{signal} has no handler");
        }
    });
}
