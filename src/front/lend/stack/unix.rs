//! By signals.
#![allow(unsafe_code, reason = "the stack of signals has no safe interface")]

use std::{mem, ptr};

/// Leaves this thread without a stack for signals, for CoreCLR to give it one.
///
/// The one that Rust's library gave it is as small as the system allows. CoreCLR takes a stack that is there for its own, and
/// .NET 9 finds no room on this one to tell of a stack overflow: the process ends without a word. Where there is none, it makes
/// one of the size that it wants.
///
/// To be called on a thread that runs the app's code, before it does for the first time.
pub(crate) fn give_up() {
    // SAFETY: a structure of numbers and a pointer, for all of which zero will do.
    let mut none: libc::stack_t = unsafe { mem::zeroed() };
    none.ss_flags = libc::SS_DISABLE;
    // macOS looks at the size even then.
    none.ss_size = libc::SIGSTKSZ;
    // SAFETY: the thread runs on its own stack, not on that one, which whoever made it takes back. Where it fails, things are
    // as they were.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
}
