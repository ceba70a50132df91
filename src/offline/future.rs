//! The response future: the page at once, or the app's answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use crate::ResponseBody;

pin_project! {
    /// The response future of [`Offline`](super::Offline).
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, B> {
        /// In a box: it is seldom, and would make every request's future as large.
        Page { response: Option<Box<Response<ResponseBody<B>>>> },
        Forward { #[pin] future: F },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn page(response: Response<ResponseBody<B>>) -> Self {
        Self {
            state: State::Page {
                response: Some(Box::new(response)),
            },
        }
    }

    pub(super) fn forward(future: F) -> Self {
        Self {
            state: State::Forward { future },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Page { response } => {
                Poll::Ready(Ok(*response.take().expect("not polled after completion")))
            }
            StateProj::Forward { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
        }
    }
}
