//! A tower service as hyper wants it: driven to readiness, counted, in a span.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::{Span, debug_span};

use super::pulse::Pulse;

/// The service of one connection.
#[derive(Clone, Debug)]
pub(super) struct Adapter<S> {
    inner: S,
    peer: SocketAddr,
    pulse: Arc<Pulse>,
}

impl<S> Adapter<S> {
    pub(super) fn new(inner: S, peer: SocketAddr, pulse: Arc<Pulse>) -> Self {
        Self { inner, peer, pulse }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<Counted<B>>;
    type Error = S::Error;
    type Future = Exchange<S, S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Exchange {
            span: span(self.peer, &request),
            turn: Some(Turn::begin(&self.pulse)),
            state: State::Waiting {
                service: self.inner.clone(),
                request: Some(request),
            },
        }
    }
}

/// Nothing but a check of one atomic while nobody listens at this level.
fn span(peer: SocketAddr, request: &Request<Incoming>) -> Span {
    debug_span!(
        "request",
        client.addr = %peer,
        http.method = %request.method(),
        http.path = request.uri().path(),
    )
}

/// A request that is served, until its response ends or is dropped.
struct Turn {
    pulse: Arc<Pulse>,
}

impl Turn {
    fn begin(pulse: &Arc<Pulse>) -> Self {
        pulse.request_began();
        Self {
            pulse: pulse.clone(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pulse.request_ended();
    }
}

pin_project! {
    /// The way from a request to its response's head.
    pub(super) struct Exchange<S, F> {
        span: Span,
        turn: Option<Turn>,
        #[pin]
        state: State<S, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Waiting {
            service: S,
            request: Option<Request<Incoming>>,
        },
        Called {
            #[pin]
            future: F,
        },
    }
}

impl<S, B> Future for Exchange<S, S::Future>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Output = Result<Response<Counted<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.span.enter();
        loop {
            let called = match this.state.as_mut().project() {
                StateProj::Called { future } => {
                    let response = ready!(future.poll(cx))?;
                    let turn = this.turn.take();
                    return Poll::Ready(Ok(response.map(|inner| Counted { inner, turn })));
                }
                StateProj::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("a service is called once");
                    State::Called {
                        future: service.call(request),
                    }
                }
            };
            this.state.set(called);
        }
    }
}

pin_project! {
    /// A response's body that tells its connection when it ended.
    pub(super) struct Counted<B> {
        #[pin]
        inner: B,
        turn: Option<Turn>,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for Counted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}
