//! The way from a request to the head of its answer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;

use super::{body::ResponseBody, exchange::Client};
use crate::error::Error;

/// The future of [`Service`](super::Service). Dropping it tells the app that the client is gone.
pub struct ResponseFuture {
    state: State,
}

enum State {
    Waiting(Client),
    Refused(Option<Error>),
    Taken,
}

impl ResponseFuture {
    pub(super) const fn waiting(client: Client) -> Self {
        Self {
            state: State::Waiting(client),
        }
    }

    pub(super) const fn refused(error: Error) -> Self {
        Self {
            state: State::Refused(Some(error)),
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.state {
            State::Waiting(client) => ready!(client.poll_head(cx)),
            State::Refused(error) => {
                return Poll::Ready(Err(error.take().expect("polled after completion")));
            }
            State::Taken => panic!("polled after completion"),
        };
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Waiting(client) => Poll::Ready(Ok(client.answer(response))),
            State::Refused(_) | State::Taken => unreachable!("the state was just looked at"),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
