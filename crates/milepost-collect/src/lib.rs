//! What other tools print, turned into what Milepost records: text comes in, facts go out. Nothing here starts a process or
//! opens a socket.

pub mod error_category;
