//! Descriptors by their numbers, and the end.
#![allow(unsafe_code, reason = "descriptors by number have no safe interface")]

use std::{
    io, mem,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

use rustix::io::{FdFlags, fcntl_setfd};

/// Takes over a descriptor that was left open for this process, so that no process that this one starts has it too.
///
/// Whoever calls this does so once for each number, and had it from the one who left it open.
pub(super) fn take_over(number: RawFd) -> io::Result<OwnedFd> {
    /// 0 to 2 are the standard streams.
    const FIRST: RawFd = 3;
    if number < FIRST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the parent left it open for us and says so, which makes it nobody else's here. Were it not open, the next
    // call would fail, and closing it would do nothing.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
        Ok(()) => Ok(descriptor),
        Err(error) => {
            // Not open, so not to be closed: the standard library would abort.
            mem::forget(descriptor);
            Err(error.into())
        }
    }
}

/// Ends this process without asking anybody in it: threads of a runtime that can't be stopped may still run.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}
