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
#[cfg(all(unix, feature = "in-process"))]
mod unix;

use std::{ffi::OsString, path::PathBuf};

#[cfg(all(unix, feature = "in-process"))]
pub(super) use self::channel::Channel;

/// The program that a worker is: one that begins its `main` with `ancm::in_process::Worker`.
///
/// It is started with `--channel` and a number behind its other arguments.
#[derive(Clone, Debug)]
#[must_use]
pub struct WorkerProgram {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl WorkerProgram {
    /// This `program`, an absolute path. Most often it is [`std::env::current_exe`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: vec!["worker".into()],
        }
    }

    /// What it is started with, before `--channel`. Defaults to `worker`.
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }
}
