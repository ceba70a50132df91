//! The service.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{Gate, ResponseFuture};
use crate::ResponseBody;

/// Answers with the page while the app is offline. See the [module](super) for an example.
///
/// It does not read the body of a request that it answers.
#[derive(Clone, Debug)]
pub struct Offline<S> {
    inner: S,
    gate: Gate,
}

impl<S> Offline<S> {
    /// Puts `gate` before `inner`.
    #[must_use]
    pub fn new(inner: S, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

impl<S, B, R> Service<Request<B>> for Offline<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.gate.page() {
            Some(page) => ResponseFuture::page(page.response(request.method())),
            None => ResponseFuture::forward(self.inner.call(request)),
        }
    }
}
