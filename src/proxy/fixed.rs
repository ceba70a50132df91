//! A backend that nobody supervises, as a tower service.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{Backend, Forward};
use crate::Connection;

/// Sends every request to one backend.
#[derive(Clone, Debug)]
pub struct FixedLayer {
    backend: Backend,
}

impl FixedLayer {
    /// A layer whose requests go to `backend`.
    #[must_use]
    pub const fn new(backend: Backend) -> Self {
        Self { backend }
    }
}

impl<S> Layer<S> for FixedLayer {
    type Service = Fixed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fixed {
            inner,
            backend: self.backend.clone(),
            connection: None,
        }
    }
}

/// The service of [`FixedLayer`].
#[derive(Clone, Debug)]
pub struct Fixed<S> {
    inner: S,
    backend: Backend,
    connection: Option<Connection>,
}

impl<S> Fixed<S> {
    /// The same service for the requests of one connection.
    ///
    /// Without it, a request's connection is [what its extensions say](Connection::of).
    #[must_use]
    pub fn for_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }
}

impl<S, B> Service<Request<B>> for Fixed<S>
where
    S: Service<Forward<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let known = self.connection.clone();
        let connection = known.unwrap_or_else(|| Connection::of(request.extensions()));
        self.inner
            .call(Forward::new(self.backend.lease(), connection, request))
    }
}
