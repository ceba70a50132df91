//! The proxy as a [`Service`].

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use tower_service::Service;

use super::{body::Body, instance::Exchange, lease::Forward, service::Proxy};
use crate::error::{BoxError, Error};

impl<B> Service<Forward<B>> for Proxy
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = ResponseFuture;

    /// Always ready: how many requests may be under way is for the supervisor and the front to say.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, forward: Forward<B>) -> ResponseFuture {
        let instance = forward.lease.backend().instance().cloned();
        let state = match instance {
            None => State::Forward(Box::pin(self.forward(forward))),
            Some(instance) => match Exchange::begin(&instance, forward, self.options()) {
                Ok(exchange) => State::InProcess(exchange),
                Err(error) => State::Refused(Some(error)),
            },
        };
        ResponseFuture { state }
    }
}

/// The answer of a [`Proxy`]. Dropping it breaks the exchange with the app off, at once.
///
/// One box a request, because it waits for several things one after the other, some of which have no name;
/// [`Proxy::forward`] goes without.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture {
    state: State,
}

enum State {
    Forward(Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>),
    InProcess(Exchange),
    Refused(Option<Error>),
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Forward(answer) => answer.as_mut().poll(cx),
            State::InProcess(exchange) => exchange.poll(cx),
            State::Refused(error) => {
                let error = error.take().expect("not polled after completion");
                Poll::Ready(Err(error))
            }
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sent_and_debugged<T: Send + fmt::Debug>() {}
    const fn shared_and_cloned<T: Send + Sync + Clone + fmt::Debug>() {}

    #[test]
    fn static_properties() {
        shared_and_cloned::<Proxy>();
        shared_and_cloned::<super::super::Backend>();
        shared_and_cloned::<super::super::Tunnels>();
        sent_and_debugged::<ResponseFuture>();
        sent_and_debugged::<Body>();
    }
}
