//! The supervisor as a tower service.

use std::{
    fmt,
    task::{Context, Poll},
};

use http::{HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::handle::Supervisor;
use crate::{
    Connection,
    error::Error,
    proxy::{Forward, Lease, Leased, Leases},
};

/// Gives each request the process it goes to; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct SupervisorLayer {
    supervisor: Supervisor,
}

impl SupervisorLayer {
    /// A layer whose requests go to the processes of `supervisor`.
    #[must_use]
    pub const fn new(supervisor: Supervisor) -> Self {
        Self { supervisor }
    }
}

impl<S> Layer<S> for SupervisorLayer {
    type Service = Supervised<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Supervised::new(inner, self.supervisor.clone())
    }
}

/// Gives each request the process it goes to; see the [module documentation](super).
#[derive(Clone)]
pub struct Supervised<S> {
    inner: S,
    supervisor: Supervisor,
    connection: Option<Connection>,
}

impl<S> Supervised<S> {
    /// Requests go to a process of `supervisor`, by way of `inner`.
    #[must_use]
    pub const fn new(inner: S, supervisor: Supervisor) -> Self {
        Self {
            inner,
            supervisor,
            connection: None,
        }
    }

    /// The same service for the requests of one connection.
    ///
    /// Without it, a request's connection is [what its extensions say](Connection::of).
    #[must_use]
    pub fn for_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }
}

impl<S, B> Service<Request<B>> for Supervised<S>
where
    S: Service<Forward<B>, Error = Error> + Clone,
{
    type Response = S::Response;
    type Error = Error;
    type Future = Leased<S, B>;

    /// Always ready: which process a request goes to, and when, is known only after a wait, over
    /// which a readiness of `inner` must not be held.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (inner, known) = (self.inner.clone(), self.connection.as_ref());
        Leased::under(&self.supervisor, inner, known, request)
    }
}

impl Leases for Supervisor {
    fn at_hand(&self, headers: &HeaderMap) -> Option<Lease> {
        self.try_lease_for(headers)
    }

    async fn wait(self) -> Result<Lease, Error> {
        self.lease().await
    }
}

impl<S> fmt::Debug for Supervised<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("supervisor", &self.supervisor)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
