//! Ctrl-C and Ctrl-Break.

use std::io;

use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// Hears both from the moment it is made.
#[derive(Debug)]
pub(in crate::app::serve) struct Signals {
    interrupt: CtrlC,
    terminate: CtrlBreak,
}

impl Signals {
    pub(in crate::app::serve) fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            terminate: ctrl_break()?,
        })
    }

    /// Waits for the next of either; its name. Cancel safe.
    pub(in crate::app::serve) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "Ctrl-Break",
        }
    }
}
