//! An app as the clients of the front's own sockets reach it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::load::{CountedBody, Open, UnderWay};
use crate::Connection;

/// An app for the requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct FromClient<S> {
    inner: S,
    /// Told with each request; none where the app knows it already.
    connection: Option<Connection>,
    open: Arc<Open>,
}

impl<S> FromClient<S> {
    pub(super) const fn new(inner: S, connection: Option<Connection>, open: Arc<Open>) -> Self {
        Self {
            inner,
            connection,
            open,
        }
    }
}

impl<S, B, R> Service<Request<B>> for FromClient<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<CountedBody<R>>;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(connection) = &self.connection {
            let extensions = request.extensions_mut();
            #[cfg(feature = "axum")]
            if let Some(peer) = connection.peer() {
                extensions.insert(axum::extract::ConnectInfo(peer));
            }
            extensions.insert(connection.clone());
        }
        CountedFuture {
            under_way: Some(self.open.request()),
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// A request of a client, until its answer begins. Cancel safe if the app's is.
    pub(super) struct CountedFuture<F> {
        #[pin]
        inner: F,
        under_way: Option<UnderWay>,
    }
}

impl<F, R, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<CountedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let under_way = this.under_way.take().expect("not polled after completion");
        Poll::Ready(Ok(response.map(|body| CountedBody::new(body, under_way))))
    }
}
