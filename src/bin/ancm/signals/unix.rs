//! SIGINT and SIGTERM, and SIGHUP when the terminal goes away.
#![allow(unsafe_code, reason = "how a signal is handled has no safe interface")]

use std::{future::pending, io, mem, ptr};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for a stop, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where whoever started us wants it ignored: `nohup` does.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on the signals come here and no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match is_ignored(libc::SIGHUP) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// The name of the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            () = received(self.hangup.as_mut()) => "SIGHUP",
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: asks only, into a local; all zeros is a valid value of plain data.
    let action = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        match libc::sigaction(signal, ptr::null(), &mut action) {
            0 => action,
            _ => return false,
        }
    };
    action.sa_sigaction == libc::SIG_IGN
}
