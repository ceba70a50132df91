//! How many files may be open: connections are files too.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, info};

/// Enough for the front's 10 000 connections, with one to the app for each, several times over.
///
/// Not all that the system allows, which in a container may be a thousand million: what the app starts inherits the limit,
/// and some programs close every number up to it before they do anything.
const WANTED: u64 = 65_536;

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
