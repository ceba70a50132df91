//! One request in the app, from its head to the end of the answer's body.

use std::{
    future::{self, Future},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower_service::Service;

use super::unwind::caught;
use crate::{
    Connection, InProcess,
    error::{BoxError, Error},
    proxy::{InstanceBody, RequestBody, Serve, Serving},
};

/// A service as the app.
pub(super) struct App<S> {
    service: S,
    /// What each request's are made of.
    extensions: Extensions,
    broken: Arc<CancellationToken>,
}

impl<S> App<S> {
    pub(super) fn new(service: S, hosted: InProcess, broken: CancellationToken) -> Self {
        Self {
            service,
            extensions: roomy(hosted),
            broken: Arc::new(broken),
        }
    }
}

/// Extensions with room for what routers and handlers add, which their clones have too: a map that has to grow for each request
/// is a second one to be made.
fn roomy(hosted: InProcess) -> Extensions {
    #[derive(Clone)]
    struct Room<const N: usize>;

    let mut extensions = Extensions::new();
    extensions.insert(hosted);
    extensions.insert(Room::<0>);
    extensions.insert(Room::<1>);
    extensions.insert(Room::<2>);
    extensions.remove::<Room<0>>();
    extensions.remove::<Room<1>>();
    extensions.remove::<Room<2>>();
    extensions
}

impl<S, B> Serve for App<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn serve(&self, connection: Connection, mut request: Request<RequestBody>) -> Serving {
        let extensions = request.extensions_mut();
        extensions.extend(self.extensions.clone());
        extensions.insert(connection);
        match caught(|| State::begin(self.service.clone(), request)) {
            Ok(Ok(state)) => Box::pin(Exchange {
                state,
                end: Some(End::of(&self.broken)),
            }),
            Ok(Err(error)) | Err(error) => Box::pin(future::ready(Err(error))),
        }
    }
}

/// Says that the app is being ended: asked only by who waits, because most never do.
struct End {
    /// In an `Arc`, because a clone of the token itself takes a lock.
    broken: Arc<CancellationToken>,
    waits: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl End {
    fn of(broken: &Arc<CancellationToken>) -> Self {
        Self {
            broken: Arc::clone(broken),
            waits: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let broken = &self.broken;
        let waits = self
            .waits
            .get_or_insert_with(|| Box::pin(CancellationToken::clone(broken).cancelled_owned()));
        waits.as_mut().poll(cx).map(|()| Error::stopping())
    }
}

pin_project! {
    struct Exchange<S, F> {
        #[pin]
        state: State<S, F>,
        end: Option<End>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Ready { service: S, request: Option<Request<RequestBody>> },
        Call { #[pin] future: F },
        Over,
    }
}

impl<S, B> State<S, S::Future>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    /// Calls `service` with `request`. Most are ready at once, so that the request need not wait for the first poll in a box.
    fn begin(mut service: S, request: Request<RequestBody>) -> Result<Self, Error> {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(Self::Call {
                future: service.call(request),
            }),
            Poll::Ready(Err(error)) => Err(Error::app(error)),
            // It is asked again by the future, with a waker that wakes.
            Poll::Pending => Ok(Self::Ready {
                service,
                request: Some(request),
            }),
        }
    }
}

impl<S, B> Exchange<S, S::Future>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    /// Polls the service, or what it made of the request.
    fn advance(
        mut state: Pin<&mut State<S, S::Future>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<B>, Error>> {
        loop {
            let next = match state.as_mut().project() {
                StateProj::Ready { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Error::app)?;
                    let request = request.take().expect("called once, and then this is left");
                    State::Call {
                        future: service.call(request),
                    }
                }
                StateProj::Call { future } => return future.poll(cx).map_err(Error::app),
                StateProj::Over => return Poll::Ready(Err(Error::stopping())),
            };
            state.set(next);
        }
    }
}

impl<S, B> Future for Exchange<S, S::Future>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<InstanceBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = caught(|| Self::advance(this.state.as_mut(), cx));
        let answer = match polled {
            Ok(Poll::Ready(answer)) => answer,
            Ok(Poll::Pending) => match this.end {
                Some(end) => Err(ready!(end.poll(cx))),
                None => return Poll::Pending,
            },
            Err(panic) => Err(panic),
        };
        // Whatever the request holds is given back now, and not when the answer has been sent.
        let dropped = caught(|| this.state.set(State::Over));
        let end = this.end.take();
        Poll::Ready(answer.and_then(|answer| {
            dropped?;
            Ok(answer.map(|inner| Box::pin(Answer { inner, end }) as InstanceBody))
        }))
    }
}

pin_project! {
    struct Answer<B> {
        #[pin]
        inner: B,
        end: Option<End>,
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.project();
        match caught(|| this.inner.poll_frame(cx)) {
            Ok(Poll::Ready(frame)) => Poll::Ready(frame.map(|frame| frame.map_err(Error::app))),
            Ok(Poll::Pending) => match this.end {
                Some(end) => end.poll(cx).map(|end| Some(Err(end))),
                None => Poll::Pending,
            },
            Err(panic) => Poll::Ready(Some(Err(panic))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
