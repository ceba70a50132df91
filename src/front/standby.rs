//! A front that leaves its sockets to somebody else for a while: another process that has them too.
//!
//! The sockets stay open, so the kernel's queue is the same for both, and nobody who connects is turned away by a change
//! from one to the other.

use std::convert::Infallible;
#[cfg(unix)]
use std::{io, num::NonZeroUsize, os::fd::OwnedFd};

use tokio::sync::watch;
use tracing::info;

use crate::supervisor::Supervisor;

#[cfg(unix)]
use super::{Bound, Front, listen::Sockets};

/// Says whether a front accepts connections; clones are the same switch. Given to it by
/// [`Front::standby`](super::Front::standby).
#[derive(Clone, Debug)]
pub struct Standby {
    accepting: watch::Sender<bool>,
}

impl Standby {
    /// A switch of a front that accepts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            accepting: watch::Sender::new(true),
        }
    }

    /// Has the front accept no more.
    ///
    /// Each connection that it has is let go with its next answer: `Connection: close`, or `GOAWAY`. One that asks for
    /// nothing stays until its idle timeout, because a request may be on its way.
    pub fn pause(&self) {
        self.accepting.send_replace(false);
    }

    /// Has the front accept again.
    pub fn resume(&self) {
        self.accepting.send_replace(true);
    }

    /// Has the front stand by whenever a worker of `supervisor` accepts, for ever. To be polled beside
    /// [`Bound::serve`](super::Bound::serve).
    ///
    /// A worker that dies leaves its place to the front within milliseconds; who connects meanwhile waits in the kernel's
    /// queue.
    pub async fn follow(&self, supervisor: &Supervisor) -> Infallible {
        loop {
            supervisor.until_direct(true).await;
            self.pause();
            info!("Front stands by: a worker accepts connections itself");
            supervisor.until_direct(false).await;
            self.resume();
            info!("Front accepts connections again");
        }
    }

    pub(super) fn turn(&self) -> Turn {
        Turn(self.accepting.subscribe())
    }
}

impl Default for Standby {
    fn default() -> Self {
        Self::new()
    }
}

/// Whose turn it is, as one acceptor sees it.
pub(super) struct Turn(watch::Receiver<bool>);

impl Turn {
    /// Waits until it is our turn, or not; for ever, where nobody can change that. Cancel safe.
    pub(super) async fn until(&mut self, ours: bool) {
        if self
            .0
            .wait_for(|accepting| *accepting == ours)
            .await
            .is_err()
        {
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
impl Bound {
    /// The sockets, for another process to listen on them too: those of each thread, in the order of the endpoints.
    ///
    /// # Errors
    ///
    /// When one can't be duplicated, or is no TCP socket of cleartext HTTP: what has to be said before HTTP, only this front
    /// can say.
    pub fn sockets(&self) -> io::Result<Vec<Vec<OwnedFd>>> {
        self.duplicates()
    }
}

#[cfg(unix)]
impl Front {
    /// Takes over the [sockets](Bound::sockets) of another front, with a thread for each of its threads.
    ///
    /// When it stops, it leaves who waits in the kernel's queue to the other one.
    ///
    /// # Errors
    ///
    /// When there are none, or one is no socket that listens.
    pub fn adopt(mut self, shares: Vec<Vec<OwnedFd>>) -> io::Result<Bound> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "no sockets to adopt");
        self.threads = NonZeroUsize::new(shares.len()).ok_or_else(invalid)?;
        self.adopted = true;
        let mut places: Vec<Vec<OwnedFd>> = Vec::new();
        for share in shares {
            places.resize_with(places.len().max(share.len()), Vec::new);
            for (place, socket) in places.iter_mut().zip(share) {
                place.push(socket);
            }
        }
        let sockets = places.into_iter().map(Sockets::adopt);
        Bound::new(self, sockets.collect::<io::Result<_>>()?)
    }
}
