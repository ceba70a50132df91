//! Workers: processes of our own making that host an app in process.
//!
//! A worker is this program, or another that uses this crate, started again. It differs from a process that the app
//! itself is in three points only: it is told everything by a *channel*, a socket that nobody else has, and not by its
//! environment, which is the app's; it says by the channel whether it is ready and why it is not; and it is told by the
//! channel to stop. All else, from the overlapping restart to the log, is the same.
//!
//! The channel speaks lines of JSON. Its end is the end of the worker.

#[cfg(all(unix, feature = "in-process"))]
mod channel;
#[cfg(all(unix, feature = "in-process"))]
pub(crate) mod protocol;
#[cfg(test)]
#[cfg(all(unix, feature = "in-process"))]
mod tests;
#[cfg(all(unix, feature = "in-process"))]
mod unix;

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};
#[cfg(unix)]
use std::{os::fd::OwnedFd, sync::Arc};

#[cfg(all(unix, feature = "in-process"))]
pub(super) use self::channel::Channel;

/// The program that a worker is: one that begins its `main` with `ancm::in_process::Worker`.
///
/// It is started with `--channel` and a number behind its other arguments.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(unix, feature = "in-process")),
    allow(dead_code, reason = "no worker is started here")
)]
#[must_use]
pub struct WorkerProgram {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The sockets of each thread of the front.
    #[cfg(unix)]
    pub(super) front: Arc<Vec<Vec<OwnedFd>>>,
}

impl WorkerProgram {
    /// This `program`, an absolute path. Most often it is [`std::env::current_exe`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: vec!["worker".into()],
            #[cfg(unix)]
            front: Arc::default(),
        }
    }

    /// What it is started with, before `--channel`. Defaults to `worker`.
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The front's own sockets, those of each of its threads: a worker that is ready accepts on them, so that requests
    /// come to the app without another hop. Defaults to none: all requests are forwarded.
    ///
    /// Whoever gives them has the front [stand by](crate::supervisor::Supervisor::until_direct) meanwhile.
    #[cfg(unix)]
    pub fn front(mut self, sockets: Vec<Vec<OwnedFd>>) -> Self {
        self.front = Arc::new(sockets);
        self
    }
}

/// What is under way in a worker that did not come by us, as it last said.
#[derive(Debug, Default)]
pub(super) struct DirectLoad {
    in_flight: AtomicUsize,
    requests: AtomicU32,
    /// How many requests there were when somebody last looked.
    seen: AtomicU32,
}

impl DirectLoad {
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) fn set(&self, load: protocol::Load) {
        self.in_flight.store(load.in_flight, Relaxed);
        self.requests.store(load.requests, Relaxed);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// All requests that there were, modulo 2^32.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Whether there was a request since this was last asked, or there is one.
    pub(super) fn take_used(&self) -> bool {
        let requests = self.requests();
        self.seen.swap(requests, Relaxed) != requests || self.in_flight() > 0
    }
}
