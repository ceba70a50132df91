//! Several addresses as a tower service.

use std::{
    fmt,
    task::{Context, Poll},
};

use http::{HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::group::Backends;
use crate::{
    Connection,
    error::Error,
    proxy::{
        Forward, Lease,
        leased::{Leased, Leases},
    },
};

/// Sends each request to one of several addresses.
#[derive(Clone, Debug)]
pub struct BalancedLayer {
    backends: Backends,
}

impl BalancedLayer {
    /// A layer whose requests go to `backends`.
    #[must_use]
    pub const fn new(backends: Backends) -> Self {
        Self { backends }
    }
}

impl<S> Layer<S> for BalancedLayer {
    type Service = Balanced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Balanced {
            inner,
            backends: self.backends.clone(),
            connection: None,
        }
    }
}

/// The service of [`BalancedLayer`].
#[derive(Clone)]
pub struct Balanced<S> {
    inner: S,
    backends: Backends,
    connection: Option<Connection>,
}

impl<S> Balanced<S> {
    /// The same service for the requests of one connection.
    ///
    /// Without it, a request's connection is [what its extensions say](Connection::of).
    #[must_use]
    pub fn for_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }
}

impl<S, B> Service<Request<B>> for Balanced<S>
where
    S: Service<Forward<B>, Error = Error> + Clone,
{
    type Response = S::Response;
    type Error = Error;
    type Future = Leased<S, B>;

    /// Always ready: a request may have to wait for a name, over which a readiness of `inner` must not be held.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (inner, known) = (self.inner.clone(), self.connection.as_ref());
        Leased::under(&self.backends, inner, known, request)
    }
}

impl Leases for Backends {
    fn at_hand(&self, _: &HeaderMap) -> Option<Lease> {
        self.try_lease()
    }

    async fn wait(self) -> Result<Lease, Error> {
        self.lease().await
    }
}

impl<S> fmt::Debug for Balanced<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced")
            .field("backends", &self.backends)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
