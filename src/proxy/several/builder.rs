//! Makes a group of addresses.

use std::{io, sync::Arc};

use tokio::runtime::Handle;

use super::{Destination, HealthCheck, group::Backends, members::Shared};
use crate::config::Protocol;

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
        let Self {
            destinations,
            protocol,
            check,
        } = self;
        let shared = Arc::new(Shared::new(check, protocol));
        shared.settle(&runtime, &destinations);
        Ok(Backends { shared })
    }
}
