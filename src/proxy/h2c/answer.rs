//! The body of an answer that comes by a stream.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::{ask::Exchange, link::Place, reset::Broken, rest::Rest};
use crate::{
    error::Error,
    headers::clean_trailers,
    proxy::{lease::Lease, stall::Stall},
};

/// The rest of an exchange: what it still reads from, and its places on the connection and in the backend.
///
/// Dropping it before its end resets the stream.
pub(in crate::proxy) struct Answer {
    /// Until the body has ended.
    source: Option<Source>,
    /// How long the app may pause.
    limit: Option<Duration>,
    /// Since when it does.
    paused: Option<Instant>,
    stall: Option<Stall>,
    /// What `Content-Length` says is left.
    left: Option<u64>,
}

struct Source {
    stream: RecvStream,
    /// All data has been read.
    data_ended: bool,
    _rest: Option<Rest>,
    place: Place,
    _lease: Lease,
}

impl Answer {
    /// `length`: what the head says of it.
    pub(in crate::proxy) fn new(
        exchange: Exchange,
        lease: Lease,
        limit: Option<Duration>,
        length: Option<u64>,
    ) -> Self {
        let Exchange {
            stream,
            rest,
            place,
        } = exchange;
        let ended = stream.is_end_stream();
        let source = Source {
            stream,
            data_ended: false,
            _rest: rest,
            place,
            _lease: lease,
        };
        Self {
            source: (!ended).then_some(source),
            limit,
            paused: None,
            stall: None,
            left: length,
        }
    }

    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        match source.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.paused = None;
                source.place.state().hear();
                if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
                    *left = left.saturating_sub(data.len() as u64);
                }
                if frame.is_trailers() || source.stream.is_end_stream() {
                    self.source = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.source = None;
                Poll::Ready(Some(Err(Error::backend(Broken::new(&error)))))
            }
            Poll::Ready(None) => {
                self.source = None;
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_stalled(cx).map(|()| {
                // Only the stream, or all of the app? Whoever keeps the connection finds out.
                if let Some(source) = self.source.take() {
                    source.place.state().doubt();
                }
                Some(Err(Error::timeout("go on with its answer")))
            }),
        }
    }

    pub(in crate::proxy) const fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        match (&self.source, self.left) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Some(left)) => SizeHint::with_exact(left),
            (Some(_), None) => SizeHint::default(),
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let paused = *self.paused.get_or_insert_with(Instant::now);
        Stall::of(&mut self.stall, limit).poll(cx, || Some(paused))
    }
}

impl Source {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.data_ended {
            match self.stream.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(data))) => {
                    // The app may send as much again, as soon as somebody was there to take this.
                    if let Err(error) = self.stream.flow_control().release_capacity(data.len()) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => self.data_ended = true,
            }
        }
        self.stream
            .poll_trailers(cx)
            .map(|trailers| trailers.map(|fields| fields.map(trailing)).transpose())
    }
}

fn trailing(mut fields: HeaderMap) -> Frame<Bytes> {
    clean_trailers(&mut fields);
    Frame::trailers(fields)
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
