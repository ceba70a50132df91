//! The addresses of one app.

use std::{fmt, io, sync::Arc};

use tokio::runtime::Handle;

use super::{
    BackendsBuilder, Destination, HealthCheck,
    choose::{choose, random},
    members::Shared,
    status::BackendStatus,
};
use crate::{config::Protocol, error::Error, proxy::Lease};

/// An app at several addresses, or behind a name; see [`BalancedLayer`](super::BalancedLayer).
///
/// Cheap to clone; every clone is the same. What looks after the addresses ends with the last clone and the last
/// request.
#[derive(Clone)]
pub struct Backends {
    pub(super) shared: Arc<Shared>,
}

impl Backends {
    /// An app at `destinations`, which nobody here starts or stops.
    pub fn builder(destinations: impl IntoIterator<Item = Destination>) -> BackendsBuilder {
        BackendsBuilder::new(destinations.into_iter().collect())
    }

    /// The right to forward one request to whichever address has little to do, if any is up.
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        let ready = self.shared.ready.load();
        let load = |place: usize| ready.get(place).map_or(0, |one| one.backend.in_flight());
        let member = ready.get(choose(ready.len(), random(), load)?)?;
        Some(self.shared.lease(member))
    }

    /// The same, after a wait for names that were never resolved yet.
    ///
    /// # Errors
    ///
    /// When no address is up.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(lease) = self.try_lease() {
                return Ok(lease);
            }
            if !self.shared.is_waiting() {
                return Err(self.shared.nobody());
            }
            // The sender is this group's own.
            let _ = changed.changed().await;
        }
    }

    /// From now on the app is at `destinations`, looked after and spoken to so.
    ///
    /// In one step, over which no request is lost: an address that stays keeps its connections, its requests and what is
    /// known of it, one that goes gets no request any more and finishes those that it has, and requests wait for a
    /// name that is new where nothing else is up. Where `protocol` is another, all addresses are new ones.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub fn reconfigure(
        &self,
        destinations: &[Destination],
        check: &HealthCheck,
        protocol: Protocol,
    ) -> io::Result<()> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        self.shared.set(check.clone(), protocol);
        self.shared.settle(&runtime, destinations);
        Ok(())
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }

    /// How each address is, and each name that has none.
    #[must_use]
    pub fn status(&self) -> Vec<BackendStatus> {
        self.shared.status()
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
