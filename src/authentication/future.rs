//! The response future: a refusal at once, the app's answer, or both decided elsewhere.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::challenge::Challenges;
use crate::ResponseBody;

/// A request whose proof has to be looked at first.
type Deciding<B, E> = Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

pin_project! {
    /// The response future of [`Authenticated`](super::Authenticated).
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B, E> {
        /// In a box: it is seldom, and would make every request's future as large.
        Refused { response: Option<Box<Response<ResponseBody<B>>>> },
        Forward { #[pin] future: F, challenges: Option<Box<Challenges>> },
        Deciding { deciding: Deciding<B, E> },
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(super) fn refused(response: Response<ResponseBody<B>>) -> Self {
        Self {
            state: State::Refused {
                response: Some(Box::new(response)),
            },
        }
    }

    /// The app's answer, with `challenges` added to its 401.
    pub(super) fn forward(future: F, challenges: Option<Challenges>) -> Self {
        let challenges = challenges.map(Box::new);
        Self {
            state: State::Forward { future, challenges },
        }
    }

    pub(super) fn deciding(deciding: Deciding<B, E>) -> Self {
        Self {
            state: State::Deciding { deciding },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Refused { response } => {
                Poll::Ready(Ok(*response.take().expect("not polled after completion")))
            }
            StateProj::Forward { future, challenges } => {
                let mut response = ready!(future.poll(cx))?;
                if let Some(challenges) = challenges {
                    challenges.complete(&mut response);
                }
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            StateProj::Deciding { deciding } => deciding.as_mut().poll(cx),
        }
    }
}
