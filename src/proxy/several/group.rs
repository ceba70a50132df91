//! The addresses of one app.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use super::{
    BackendsBuilder, Destination,
    choose::{choose, random},
    members::{Shared, lock},
    status::BackendStatus,
};
use crate::{error::Error, proxy::Lease};

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
            if self.shared.pending.load(Ordering::Acquire) == 0 {
                return Err(self.shared.nobody());
            }
            // The sender is this group's own.
            let _ = changed.changed().await;
        }
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let all = lock(&self.shared.all);
        all.iter().map(|member| member.backend.in_flight()).sum()
    }

    /// How each address is, and each name that has none.
    #[must_use]
    pub fn status(&self) -> Vec<BackendStatus> {
        let all = lock(&self.shared.all);
        let known = all.iter().map(|member| BackendStatus::of(member));
        let unresolved = lock(&self.shared.unresolved);
        let unresolved = unresolved
            .iter()
            .filter(|(name, _)| !all.iter().any(|member| member.is_of(name)))
            .map(|(name, why)| BackendStatus::unresolved(name, why));
        known.chain(unresolved).collect()
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
