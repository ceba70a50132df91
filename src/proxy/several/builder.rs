//! Makes a group of addresses.

use std::{
    io,
    sync::{Arc, Mutex, atomic::AtomicUsize},
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::watch};

use super::{
    Destination, HealthCheck,
    group::Backends,
    members::{Shared, lock},
    resolve,
};
use crate::{config::Protocol, proxy::Address};

/// Makes [`Backends`]; see [`Backends::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct BackendsBuilder {
    destinations: Vec<Destination>,
    protocol: Protocol,
    check: HealthCheck,
}

impl BackendsBuilder {
    pub(super) fn new(destinations: Vec<Destination>) -> Self {
        Self {
            destinations,
            protocol: Protocol::default(),
            check: HealthCheck::new(),
        }
    }

    /// What is spoken with the app. Defaults to [`Protocol::Http1`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How is found out whether an address is well, and how often names are resolved. Defaults to [`HealthCheck::new`].
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.check = check;
        self
    }

    /// Begins to look after the addresses, and to resolve the names. A name that does not resolve is no error: the log
    /// and the [status](Backends::status) tell, and it is tried on.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub fn build(self) -> io::Result<Backends> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (names, addresses): (Vec<_>, Vec<_>) = self
            .destinations
            .into_iter()
            .partition(|one| matches!(one, Destination::Name { .. }));
        let shared = Arc::new(Shared {
            ready: ArcSwap::default(),
            all: Mutex::default(),
            check: self.check,
            protocol: self.protocol,
            unresolved: Mutex::default(),
            pending: AtomicUsize::new(names.len()),
            changed: watch::Sender::new(()),
            resolvers: Mutex::default(),
        });
        for destination in addresses {
            let origin: Arc<str> = destination.to_string().into();
            if let Some(address) = address(&destination) {
                shared.settle(&runtime, &origin, vec![address]);
            }
        }
        for name in names {
            let task = resolve::keep(name, Arc::downgrade(&shared));
            let task = runtime.spawn(task).abort_handle();
            lock(&shared.resolvers).push(task);
        }
        Ok(Backends { shared })
    }
}

/// That of a destination which is no name.
fn address(destination: &Destination) -> Option<Address> {
    match destination {
        Destination::Tcp(address) => Some(Address::Tcp(*address)),
        #[cfg(unix)]
        Destination::Unix(path) => Some(Address::Unix(path.clone())),
        Destination::Name { .. } => None,
    }
}
