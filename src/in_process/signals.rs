//! Signals in a process that hosts CoreCLR, which puts handlers of its own in the place of others.
//!
//! A handler that was there before it is replaced; one that comes later and calls the earlier one, as tokio's does, ends
//! the process. What works is no handler at all: the signals are blocked before there is any thread, so that all threads
//! inherit it, and one thread waits for them.
//!
//! `SIGRTMIN` and the signals of faults are the runtime's: they are left alone.
#![allow(unsafe_code, reason = "signal masks have no safe interface")]

use std::{io, mem::MaybeUninit, ptr, thread};

use tokio::sync::mpsc;

const STOPPING: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];

/// The signals that ask a program to stop, blocked in this thread and in all that it starts.
#[derive(Debug)]
#[must_use = "blocked signals are heard by nobody else"]
pub struct Blocked(());

/// The signals as they come.
#[derive(Debug)]
pub struct Signals {
    came: mpsc::Receiver<i32>,
}

impl Blocked {
    /// Blocks `SIGTERM`, `SIGINT`, `SIGQUIT` and `SIGHUP`. To be called first in `main`: threads that are there already
    /// would still take them.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn new() -> io::Result<Self> {
        let set = set();
        // SAFETY: the set is initialised; the old one is not asked for.
        let code =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
        match code {
            0 => Ok(Self(())),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// Waits for them on a thread of its own.
    ///
    /// # Errors
    ///
    /// When that thread can't be started.
    pub fn listen(self) -> io::Result<Signals> {
        let (tell, came) = mpsc::channel(16);
        let wait = move || {
            let set = set();
            loop {
                let mut signal = 0;
                // SAFETY: the set is initialised, and the number can be written.
                let code = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
                if code != 0 || tell.blocking_send(signal).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("ancm-signals".to_owned())
            .stack_size(64 * 1024)
            .spawn(wait)?;
        Ok(Signals { came })
    }
}

impl Signals {
    /// The next one's number. Cancel safe.
    pub async fn next(&mut self) -> i32 {
        match self.came.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// As an operator knows it.
pub(super) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGTERM => "SIGTERM",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        _ => "SIGHUP",
    }
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set, and the numbers are those of signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in STOPPING {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}
