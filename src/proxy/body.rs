//! The body of a response on its way to the client.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{backend::Lease, upload::Upload, upstream::Upstream};
use crate::{error::Error, headers::clean_trailers};

/// The body of an app's answer, as it arrives.
///
/// Nothing is held back. What the app breaks off ends in an error, so that the client can't take it for complete.
/// Dropping it before its end breaks the exchange with the app off, at once.
pub struct Body {
    inner: Option<Incoming>,
    exchange: Option<Exchange>,
}

/// What lasts as long as the body: the request's place in its backend, and the connection.
pub(super) struct Exchange {
    pub(super) lease: Lease,
    pub(super) upstream: Upstream,
    /// What has to be sent before the connection can be used again.
    pub(super) upload: Option<Upload>,
    /// How long the app may pause.
    pub(super) limit: Option<Duration>,
    /// Since when it does.
    pub(super) paused: Option<Instant>,
    /// Whether the connection can carry another request.
    pub(super) reusable: bool,
}

impl Exchange {
    fn is_reusable(&self) -> bool {
        self.reusable && self.upload.as_ref().is_none_or(Upload::is_done)
    }
}

impl Body {
    pub(super) fn new(inner: Incoming, exchange: Exchange) -> Self {
        let mut body = Self {
            inner: Some(inner),
            exchange: Some(exchange),
        };
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// No body: of an answer that is a tunnel from here on.
    pub(super) const fn empty() -> Self {
        Self {
            inner: None,
            exchange: None,
        }
    }

    /// The answer is whole: the connection is free where the request was sent whole too.
    ///
    /// Where it was not, the rest goes with the body and not now: a front that learns that nobody wants the rest of a
    /// request, before it has sent the head of the answer, may still ask its client for it with a `100 Continue`.
    fn finish(&mut self) {
        if let Some(exchange) = self.exchange.take_if(|exchange| exchange.is_reusable()) {
            exchange.upstream.recycle(exchange.lease.backend());
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Pending;
        };
        let Some(limit) = exchange.limit else {
            return Poll::Pending;
        };
        let paused = *exchange.paused.get_or_insert_with(Instant::now);
        exchange.upstream.poll_stalled(cx, limit, paused)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(exchange) = &mut this.exchange {
                    exchange.paused = None;
                }
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                if this.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.exchange = None;
                Poll::Ready(Some(Err(Error::backend(error))))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => this.poll_stalled(cx).map(|()| {
                this.exchange = None;
                this.inner = None;
                Some(Err(Error::timeout("go on with its answer")))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
