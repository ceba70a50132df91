//! Signals and descriptors by their numbers.
#![allow(
    unsafe_code,
    reason = "signal masks and descriptors by number have no safe interface"
)]

use std::{
    io, mem,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    ptr, thread,
};

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::sync::mpsc;

/// Those that ask a process to end.
const SIGNALS: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];

fn set() -> libc::sigset_t {
    // SAFETY: all zeros is a valid value of plain data; the calls write to a local.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in SIGNALS {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

/// Keeps the signals from this thread and those that it starts: a runtime that is loaded later sets handlers of its own,
/// and must not get them.
pub(super) fn block_signals() -> io::Result<()> {
    // SAFETY: the set is a local, and the old one is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set(), ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The signals that come, by their names, from a thread that waits for them.
pub(super) fn signals() -> io::Result<mpsc::Receiver<&'static str>> {
    let (sender, receiver) = mpsc::channel(4);
    thread::Builder::new()
        .name("ancm-signals".to_owned())
        .spawn(move || {
            while let Some(name) = wait() {
                if sender.blocking_send(name).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

fn wait() -> Option<&'static str> {
    let mut signal = 0;
    // SAFETY: both point to locals. The signals are blocked in all threads, so that none is lost.
    let failed = unsafe { libc::sigwait(&set(), &mut signal) } != 0;
    match signal {
        _ if failed => None,
        libc::SIGTERM => Some("SIGTERM"),
        libc::SIGINT => Some("SIGINT"),
        libc::SIGQUIT => Some("SIGQUIT"),
        _ => Some("SIGHUP"),
    }
}

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
