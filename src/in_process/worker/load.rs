//! Counts what is under way on the front's sockets.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::Notify;

use crate::supervisor::worker::protocol::Load;

/// The half of [`Counts::requests`] that counts the requests under way; the upper one counts all.
const UNDER_WAY: u64 = u32::MAX as u64;
const ONE_MORE: u64 = (1 << 32) + 1;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Counts {
    connections: AtomicUsize,
    /// One counter, so that a request's begin costs one atomic operation.
    requests: AtomicU64,
    gone: Notify,
}

impl Counts {
    pub(super) fn load(&self) -> Load {
        let requests = self.requests.load(Ordering::Relaxed);
        Load {
            in_flight: (requests & UNDER_WAY) as usize,
            requests: (requests >> 32) as u32,
        }
    }

    /// A connection, which counts until the last clone is dropped.
    pub(super) fn connection(self: &Arc<Self>) -> Arc<Open> {
        self.connections.fetch_add(1, Ordering::AcqRel);
        Arc::new(Open(Arc::clone(self)))
    }

    /// Waits until there is no connection. Cancel safe.
    pub(super) async fn gone(&self) {
        loop {
            let gone = self.gone.notified();
            if self.connections.load(Ordering::Acquire) == 0 {
                return;
            }
            gone.await;
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Open(Arc<Counts>);

impl Open {
    /// A request, which counts until it is dropped.
    pub(super) fn request(&self) -> UnderWay {
        self.0.requests.fetch_add(ONE_MORE, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.0))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.gone.notify_waiters();
        }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Counts>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// The body of an answer, with which its request ends.
    pub(super) struct CountedBody<B> {
        #[pin]
        inner: B,
        _under_way: UnderWay,
    }
}

impl<B> CountedBody<B> {
    pub(super) const fn new(inner: B, under_way: UnderWay) -> Self {
        Self {
            inner,
            _under_way: under_way,
        }
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
