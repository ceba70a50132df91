//! What makes a tower service of a step that looks at a request before the app does.

use std::{
    fmt,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

/// A step that changes requests and lets all of them pass.
pub(super) trait Rewrite {
    fn rewrite<B>(&self, request: &mut Request<B>);
}

/// A step that answers some requests itself, with a status and nothing else.
pub(super) trait Guard {
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode>;
}

/// The service of a layer that changes requests: `S` with `R` before it.
#[derive(Clone, Debug)]
pub struct Rewriting<S, R> {
    inner: S,
    step: R,
}

impl<S, R> Rewriting<S, R> {
    pub(super) const fn new(inner: S, step: R) -> Self {
        Self { inner, step }
    }
}

#[allow(private_bounds, reason = "only the layers of this module are steps")]
impl<S, R, B> Service<Request<B>> for Rewriting<S, R>
where
    S: Service<Request<B>>,
    R: Rewrite,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        self.step.rewrite(&mut request);
        self.inner.call(request)
    }
}

/// The service of a layer that answers some requests itself: `S` with `G` before it.
///
/// Its answers have no body, which is what a response body's `Default` is: the type of the responses stays the
/// app's own, and no body on its way to the client is wrapped.
#[derive(Clone, Debug)]
pub struct Guarded<S, G> {
    inner: S,
    step: G,
}

impl<S, G> Guarded<S, G> {
    pub(super) const fn new(inner: S, step: G) -> Self {
        Self { inner, step }
    }
}

#[allow(private_bounds, reason = "only the layers of this module are steps")]
impl<S, G, B, R> Service<Request<B>> for Guarded<S, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    G: Guard,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.step.admit(&mut request) {
            ControlFlow::Continue(()) => ResponseFuture::forward(self.inner.call(request)),
            ControlFlow::Break(status) => ResponseFuture::answer(status),
        }
    }
}

pin_project! {
    /// The app's answer, or one without a body that the app never knew of. Cancel safe if the app's is.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Forward { #[pin] future: F },
        Answer { status: StatusCode },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) const fn forward(future: F) -> Self {
        Self {
            state: State::Forward { future },
        }
    }

    pub(super) const fn answer(status: StatusCode) -> Self {
        Self {
            state: State::Answer { status },
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Forward { future } => future.poll(cx),
            StateProj::Answer { status } => {
                let mut response = Response::new(R::default());
                *response.status_mut() = *status;
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
