//! SIGINT and SIGTERM.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears both from the moment it is made.
#[derive(Debug)]
pub(in crate::app::serve) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(in crate::app::serve) fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of either; its name. Cancel safe.
    pub(in crate::app::serve) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
