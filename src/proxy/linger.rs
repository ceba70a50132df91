//! Reads what a client still sends of a body that nobody wants any more.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http_body::Body as _;
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};

/// How long, and for how many bytes, it is listened to: as long as the front listens to one of HTTP/1.
const TIME: Duration = Duration::from_secs(5);
const BYTES: usize = 64 * 1024 * 1024;

/// Reads on, by a task of its own if the rest is not there yet.
pub(super) fn on(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    let mut left = BYTES;
    // A client that reset its stream, or left, is gone already: nothing is started for it.
    let waits = poll(
        &mut body,
        &mut left,
        &mut Context::from_waker(Waker::noop()),
    )
    .is_pending();
    if let Ok(runtime) = Handle::try_current()
        && waits
    {
        runtime.spawn(timeout(TIME, async move {
            std::future::poll_fn(|cx| poll(&mut body, &mut left, cx)).await;
        }));
    }
}

/// Ready when the body has ended, or enough was read of it.
fn poll(body: &mut Incoming, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    while *left > 0 {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                // Frames of no bytes are no endless occupation either.
                let read = frame.data_ref().map_or(0, bytes::Bytes::len).max(1);
                *left = left.saturating_sub(read);
            }
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
        }
    }
    Poll::Ready(())
}
