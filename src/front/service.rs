//! A tower service as hyper wants it: driven to readiness, counted, in a span.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use h2::Reason;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::{Span, debug_span};

use super::{
    pulse::{Pulse, Term},
    socket::Peer,
};
use crate::{authentication::Http11Required, error::BoxError, websocket::Cut};

/// The service of one connection.
#[derive(Debug)]
pub(super) struct Adapter<S> {
    /// Lent to one call after the other: a clone for each would cost more than most of what it does.
    inner: RefCell<S>,
    peer: Peer,
    pulse: Arc<Pulse>,
}

impl<S> Adapter<S> {
    pub(super) fn new(inner: S, peer: Peer, pulse: Arc<Pulse>) -> Self {
        Self {
            inner: RefCell::new(inner),
            peer,
            pulse,
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Response = Response<Counted<B>>;
    type Error = BoxError;
    type Future = Exchange<S, S::Future, Response<B>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let span = span(self.peer, &request);
        let turn = Turn::begin(&self.pulse);
        // Of a stream that was reset as its answer came: what hyper spawns next is this request.
        drop(self.pulse.take_switched());
        let connects = Connects::of(&mut request);
        let old = request.version() == Version::HTTP_10;
        let mut service = self.inner.borrow_mut();
        // Most services are ready at once: theirs need not wait for the future's first poll. One
        // that is not is asked again there, a clone of its own and with a waker that wakes.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {
                let _entered = span.enter();
                State::Called {
                    future: service.call(request),
                }
            }
            Poll::Ready(Err(error)) => State::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => State::Waiting {
                service: service.clone(),
                request: Some(request),
            },
        };
        Exchange {
            span,
            turn: Some(turn),
            connects,
            old,
            state,
        }
    }
}

/// Nothing but a check of one atomic while nobody listens at this level.
fn span<B>(peer: Peer, request: &Request<B>) -> Span {
    debug_span!(
        "request",
        client.addr = %peer,
        http.method = %request.method(),
        http.path = request.uri().path(),
    )
}

/// Whether a request asks for a tunnel by its method.
enum Connects {
    No,
    /// Of the connection (RFC 9110, 9.3.6).
    Whole,
    /// Of its stream (RFC 8441).
    Stream(Cut),
}

impl Connects {
    fn of<B>(request: &mut Request<B>) -> Self {
        if request.method() != Method::CONNECT {
            return Self::No;
        }
        if request.version() < Version::HTTP_2 {
            return Self::Whole;
        }
        let cut = Cut::default();
        request.extensions_mut().insert(cut.clone());
        Self::Stream(cut)
    }

    /// Whether hyper reads no request after this answer, but gives the socket away (RFC 9110, 7.8 and 9.3.6), or the stream
    /// (RFC 8441, 5).
    fn switches(&self, status: StatusCode) -> bool {
        match self {
            Self::No => status == StatusCode::SWITCHING_PROTOCOLS,
            Self::Whole => status == StatusCode::SWITCHING_PROTOCOLS || status.is_success(),
            Self::Stream(_) => status.is_success(),
        }
    }

    fn tell(&self, pulse: &Pulse) {
        match self {
            Self::No | Self::Whole => pulse.set_switched(),
            Self::Stream(cut) => pulse.set_stream_switched(cut.clone()),
        }
    }
}

/// A request that is served, until its response ends or is dropped.
struct Turn {
    pulse: Arc<Pulse>,
    /// Its body gave a frame then, and was not asked for the next.
    waiting: Option<Term>,
}

impl Turn {
    fn begin(pulse: &Arc<Pulse>) -> Self {
        pulse.request_began();
        Self {
            pulse: pulse.clone(),
            waiting: None,
        }
    }

    /// Whether something goes before the answer and has not left.
    fn has_early(&self) -> bool {
        self.pulse.has_early()
    }

    fn asked(&mut self) {
        if let Some(term) = self.waiting.take() {
            self.pulse.body_was_asked(term);
        }
    }

    fn gave(&mut self) {
        self.waiting = Some(self.pulse.body_gave());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.asked();
        self.pulse.request_ended();
    }
}

pin_project! {
    /// The way from a request to its response's head.
    pub(super) struct Exchange<S, F, R> {
        span: Span,
        turn: Option<Turn>,
        connects: Connects,
        // The client speaks HTTP/1.0.
        old: bool,
        #[pin]
        state: State<S, F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R> {
        Waiting {
            service: S,
            request: Option<Request<Incoming>>,
        },
        Failed {
            error: Option<BoxError>,
        },
        Called {
            #[pin]
            future: F,
        },
        /// The answer waits for what goes before it.
        Held {
            response: Option<Box<R>>,
        },
    }
}

impl<S, B> Future for Exchange<S, S::Future, Response<B>>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<Counted<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.span.enter();
        loop {
            let called = match this.state.as_mut().project() {
                StateProj::Called { future } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    if this.turn.as_ref().is_some_and(Turn::has_early) {
                        let response = Some(Box::new(response));
                        State::Held { response }
                    } else {
                        return Poll::Ready(begin(this.turn, this.connects, *this.old, response));
                    }
                }
                // hyper flushes now, whereby it is written, and asks again.
                StateProj::Held { .. } if this.turn.as_ref().is_some_and(Turn::has_early) => {
                    return Poll::Pending;
                }
                StateProj::Held { response } => {
                    let response = response.take().expect("not polled after completion");
                    return Poll::Ready(begin(this.turn, this.connects, *this.old, *response));
                }
                StateProj::Failed { error } => {
                    let error = error.take().expect("not polled after completion");
                    return Poll::Ready(Err(error));
                }
                StateProj::Waiting { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    // The request can't have been taken: this state ends with it.
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

/// The answer begins: nothing goes before it any more.
fn begin<B: Body>(
    turn: &mut Option<Turn>,
    connects: &Connects,
    old: bool,
    mut response: Response<B>,
) -> Result<Response<Counted<B>>, BoxError> {
    if response.extensions().get::<Http11Required>().is_some() {
        // hyper resets the stream with the reason that it finds.
        return Err(h2::Error::from(Reason::HTTP_1_1_REQUIRED).into());
    }
    let turn = turn.take().expect("not polled after completion");
    turn.pulse.set_answered();
    if connects.switches(response.status()) {
        connects.tell(&turn.pulse);
    } else if turn.pulse.is_retiring() || (old && ends_by_closing(&response)) {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if old {
            // hyper puts `keep-alive` in its place otherwise, where the client asked for that.
            *response.version_mut() = Version::HTTP_10;
        }
    }
    Ok(response.map(|inner| Counted { inner, turn }))
}

/// Whether nothing but the end of the connection tells a client of HTTP/1.0 where the answer ends (RFC 9112, 6.3).
fn ends_by_closing<B: Body>(response: &Response<B>) -> bool {
    response.body().size_hint().exact().is_none()
        && !response.body().is_end_stream()
        && !response.headers().contains_key(CONTENT_LENGTH)
}

pin_project! {
    /// A response's body that tells its connection how it goes and when it ended.
    pub(super) struct Counted<B> {
        #[pin]
        inner: B,
        turn: Turn,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        this.turn.asked();
        let frame = this.inner.poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            this.turn.gave();
        }
        frame
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

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_span_tells_who_and_what_but_not_the_query() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let request = Request::get("/path?secret").body(()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = span(Peer("192.0.2.1:5".parse().ok()), &request);
            span.in_scope(|| tracing::debug!("Done"));
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let want =
            "request{client.addr=192.0.2.1:5 http.method=GET http.path=\"/path\"}: ancm::front";
        assert!(lines.contains(want), "{lines}");
        assert!(!lines.contains("secret"), "{lines}");
    }
}
