//! The body of an answer that comes straight from the app's socket.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::Wire;
use crate::{error::Error, headers::clean_trailers, proxy::lease::Lease};

/// The rest of an exchange: what it still reads from, and its place in the backend.
pub(in crate::proxy) struct Answer {
    /// Until the body has ended.
    source: Option<(Box<Wire>, Lease)>,
    /// How long the app may pause.
    limit: Option<Duration>,
    /// Since when it does.
    paused: Option<Instant>,
}

impl Answer {
    pub(in crate::proxy) fn new(wire: Box<Wire>, lease: Lease, limit: Option<Duration>) -> Self {
        let mut answer = Self {
            source: Some((wire, lease)),
            limit,
            paused: None,
        };
        answer.finish_if_ended();
        answer
    }

    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some((wire, _)) = &mut self.source else {
            return Poll::Ready(None);
        };
        match wire.poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                self.paused = None;
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                self.finish_if_ended();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.source = None;
                Poll::Ready(Some(Err(Error::backend(error))))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_stalled(cx).map(|()| {
                self.source = None;
                Some(Err(Error::timeout("go on with its answer")))
            }),
        }
    }

    pub(in crate::proxy) const fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        let source = self.source.as_ref();
        source.map_or_else(|| SizeHint::with_exact(0), |(wire, _)| wire.size_hint())
    }

    fn finish_if_ended(&mut self) {
        if self
            .source
            .as_ref()
            .is_some_and(|(wire, _)| wire.is_ended())
        {
            self.finish();
        }
    }

    /// The answer is whole: the connection is free.
    fn finish(&mut self) {
        if let Some((wire, lease)) = self.source.take() {
            wire.recycle(lease.backend());
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some((wire, _)), Some(limit)) = (&mut self.source, self.limit) else {
            return Poll::Pending;
        };
        let paused = *self.paused.get_or_insert_with(Instant::now);
        wire.poll_stalled(cx, limit, paused)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
