//! The future of a request that may have to wait for the right to use a backend.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Forward, Lease};
use crate::{Connection, error::Error};

/// Boxed: a request that finds a backend ready never makes one.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = Result<Lease, Error>> + Send>>;

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
    pub(crate) fn forward(mut inner: S, forward: Forward<B>) -> Self {
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

    pub(crate) fn wait(
        inner: S,
        lease: Waiting,
        connection: Connection,
        request: Request<B>,
    ) -> Self {
        let rest = Some(Box::new((inner, connection, request)));
        Self {
            state: State::Wait { lease, rest },
        }
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
