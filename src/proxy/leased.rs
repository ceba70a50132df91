//! The future of a request that may have to wait for the right to use a backend.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use http::{HeaderMap, Request};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Forward, Lease};
use crate::{Connection, error::Error};

/// Boxed: a request that finds a backend ready never makes one.
type Waiting = Pin<Box<dyn Future<Output = Result<Lease, Error>> + Send>>;

/// Who has the right to use a backend.
pub(crate) trait Leases: Clone {
    /// That for a request with these fields, where there is one at once.
    fn at_hand(&self, headers: &HeaderMap) -> Option<Lease>;

    /// That for any request, after a wait.
    fn wait(self) -> impl Future<Output = Result<Lease, Error>> + Send + 'static;
}

pin_project! {
    /// The future of a request to a supervised app, or to one at several addresses.
    ///
    /// Dropping it frees the request's place in the queue.
    pub struct Leased<S, B>
    where
        S: Service<Forward<B>>,
    {
        #[pin]
        state: State<S, S::Future, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        /// Waits for a backend.
        Wait { lease: Waiting, rest: Option<Box<(S, Connection, Request<B>)>> },
        /// Waits for the proxy. In a box, as is the above: most requests never wait.
        Ready { inner: S, forward: Option<Box<Forward<B>>> },
        /// The proxy can't be called.
        Failed { error: Option<Error> },
        /// Waits for the answer.
        Call { #[pin] future: F },
    }
}

impl<S, B> Leased<S, B>
where
    S: Service<Forward<B>, Error = Error>,
{
    /// Forwards `request`, of the connection that is `known` or else of that which its extensions say, once `leases` let
    /// it.
    pub(crate) fn under(
        leases: &impl Leases,
        inner: S,
        known: Option<&Connection>,
        request: Request<B>,
    ) -> Self {
        let connection = known.cloned();
        let connection = connection.unwrap_or_else(|| Connection::of(request.extensions()));
        match leases.at_hand(request.headers()) {
            Some(lease) => Self::forward(inner, Forward::new(lease, connection, request)),
            None => {
                let rest = Some(Box::new((inner, connection, request)));
                let lease = Box::pin(leases.clone().wait());
                Self {
                    state: State::Wait { lease, rest },
                }
            }
        }
    }

    fn forward(mut inner: S, forward: Forward<B>) -> Self {
        let state = match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Call {
                future: inner.call(forward),
            },
            Poll::Ready(Err(error)) => State::Failed { error: Some(error) },
            // It is asked again by the future, with a waker that wakes.
            Poll::Pending => State::Ready {
                inner,
                forward: Some(Box::new(forward)),
            },
        };
        Self { state }
    }
}

impl<S, B> Future for Leased<S, B>
where
    S: Service<Forward<B>, Error = Error>,
{
    type Output = Result<S::Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Wait { lease, rest } => {
                    let lease = ready!(lease.as_mut().poll(cx))?;
                    let (inner, connection, request) = *rest
                        .take()
                        .expect("a wait ends once, and then this state is left");
                    let forward = Some(Box::new(Forward::new(lease, connection, request)));
                    State::Ready { inner, forward }
                }
                StateProj::Ready { inner, forward } => {
                    ready!(inner.poll_ready(cx))?;
                    let forward = forward
                        .take()
                        .expect("called once, and then this state is left");
                    let future = inner.call(*forward);
                    State::Call { future }
                }
                StateProj::Failed { error } => {
                    let error = error.take().expect("not polled after completion");
                    return Poll::Ready(Err(error));
                }
                StateProj::Call { future } => return future.poll(cx),
            };
            state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for Leased<S, B>
where
    S: Service<Forward<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").finish_non_exhaustive()
    }
}
