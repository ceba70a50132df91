//! The way from a request to the head of its answer.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;

use tracing::debug;

use super::{body::ResponseBody, exchange::Client};
use crate::error::{CorrelationId, Error, ErrorPage, Format};

/// The future of [`Service`](super::Service). Dropping it tells the app that the client is gone.
pub struct ResponseFuture {
    state: State,
}

enum State {
    Waiting(Client),
    Refused(Box<Response<Bytes>>),
    Taken,
}

impl ResponseFuture {
    pub(super) const fn waiting(client: Client) -> Self {
        Self {
            state: State::Waiting(client),
        }
    }

    /// The app is not asked.
    pub(super) fn refused(error: &Error, format: Format) -> Self {
        let id = CorrelationId::generate();
        debug!(correlation.id = %id, %error, "Request not handed to the app");
        let page = ErrorPage::new().render(error, id, format);
        Self {
            state: State::Refused(Box::new(page)),
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let head = match &self.state {
            State::Waiting(client) => Some(ready!(client.poll_head(cx))),
            State::Refused(_) | State::Taken => None,
        };
        let response = match (std::mem::replace(&mut self.state, State::Taken), head) {
            (State::Waiting(client), Some(head)) => client.answer(head),
            (State::Refused(page), _) => page.map(ResponseBody::all),
            (State::Waiting(_) | State::Taken, _) => panic!("polled after completion"),
        };
        Poll::Ready(Ok(response))
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
