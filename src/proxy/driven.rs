//! The answer to a request for a tunnel that did not become one.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{lease::Lease, stall::Stall, upstream::Upstream};
use crate::{error::Error, headers::clean_trailers};

/// The body of such an answer, by way of hyper's client, and what lasts as long.
///
/// In a box: it is seldom, and larger than others.
pub(super) struct Driven(Box<Exchange>);

struct Exchange {
    inner: Incoming,
    /// Until the body has ended.
    source: Option<(Upstream, Lease)>,
    /// How long the app may pause.
    limit: Option<Duration>,
    /// Since when it does.
    paused: Option<Instant>,
    stall: Option<Stall>,
}

impl Driven {
    pub(super) fn new(
        inner: Incoming,
        upstream: Upstream,
        lease: Lease,
        limit: Option<Duration>,
    ) -> Self {
        Self(Box::new(Exchange {
            inner,
            source: Some((upstream, lease)),
            limit,
            paused: None,
            stall: None,
        }))
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self.0;
        if this.source.is_none() {
            return Poll::Ready(None);
        }
        let polled = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(polled) => polled.map(|frame| frame.map_err(Error::backend)),
            Poll::Pending => {
                ready!(this.poll_stalled(cx));
                Some(Err(Error::timeout("go on with its answer")))
            }
        };
        this.paused = None;
        if !matches!(polled, Some(Ok(_))) {
            this.source = None;
        }
        Poll::Ready(polled.map(|frame| {
            frame.map(|mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                frame
            })
        }))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0.inner.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.inner.size_hint()
    }
}

impl Exchange {
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let paused = *self.paused.get_or_insert_with(Instant::now);
        Stall::of(&mut self.stall, limit).poll(cx, || Some(paused))
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
