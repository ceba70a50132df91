//! A process that hosts an app for somebody who keeps it.
//!
//! # Theory of operation
//!
//! The main thread waits: for orders, which come by a channel from whoever started this process, for signals, which one
//! thread of its own takes for all of them, and for the app. Requests come two ways. Those that the parent forwards come by
//! a Unix socket, through the app half, because they are of a proxy; those of the front's own sockets, where they were
//! handed over, come from clients, and through a front. The app sees the same of both.

mod channel;
mod client;
mod direct;
mod effective;
mod extended;
mod forwarded;
mod inherit;
mod load;
mod memory;
mod run;
mod unix;

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    process::ExitCode,
};

use super::{App, Settings, signals::Blocked};
use crate::PairingToken;

/// What this process was given to host an app with; see the [module](super) docs.
pub struct Worker {
    settings: Settings,
    token: PairingToken,
    channel: UnixStream,
    listener: UnixListener,
    log: Option<File>,
    /// For each thread of the front, its listeners.
    front: Vec<Vec<OwnedFd>>,
    signals: Blocked,
}

impl Worker {
    /// Takes over what a parent left for a worker, if `arguments` end in `--channel` and a number; `None` if they do not.
    ///
    /// Has to be called before any other thread is started: it blocks SIGTERM, SIGINT, SIGQUIT and SIGHUP for this thread and
    /// all that it starts, so that [`run`](Self::run) alone hears of them. Waits for the parent's first line.
    ///
    /// # Errors
    ///
    /// When the descriptor is not there, or what comes of it is not what a parent says.
    pub fn inherit<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Option<Self>> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        match arguments.as_slice() {
            [.., option, number] if option == "--channel" => inherit::inherit(number).map(Some),
            _ => Ok(None),
        }
    }

    /// What the app is to be started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where this program should write its own log, the first time: the parent's stderr. Its own stderr is the app's.
    pub fn take_log(&mut self) -> Option<File> {
        self.log.take()
    }

    /// Hosts `app` until it ends or is told to; the process should end with the result, at once.
    pub fn run<A: App>(self, app: A) -> ExitCode {
        run::run(self, app)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
