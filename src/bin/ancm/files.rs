//! How many files may be open: connections are files too.

use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, info};

/// Enough for the front's 10 000 connections, with one to the app for each, several times over.
///
/// Not all that the system allows, which in a container may be a thousand million: what the app starts inherits the limit,
/// and some programs close every number up to it before they do anything.
const WANTED: u64 = 65_536;

/// What is open besides connections: a runtime per thread, pipes, watched folders, and a look at who listens.
const OTHERS: u64 = 128;

/// As many connections as the limit has room for, each with one to the app: the rest waits in the system's queue, which is
/// better than to be accepted and then not to reach the app. `None` where nothing limits them.
pub(crate) fn connections() -> Option<NonZeroUsize> {
    let limit = getrlimit(Resource::Nofile).current?;
    let room = limit.saturating_sub(OTHERS) / 2;
    NonZeroUsize::new(usize::try_from(room).unwrap_or(usize::MAX).max(8))
}

/// Raises the limit that shells and service managers set for the sake of programs that use `select`, usually 1024.
///
/// A limit that can't be raised stays: fewer connections are better than none.
pub(crate) fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else {
        return;
    };
    let raised = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if raised <= current {
        return;
    }
    let wanted = rustix::process::Rlimit {
        current: Some(raised),
        ..limit
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => debug!(current, raised, "Limit of open files raised"),
        Err(error) => info!(current, %error, "Limit of open files stays"),
    }
}
