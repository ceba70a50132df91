//! A connection that can be broken off after it was handed to an upgrade.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::task_tracker::TaskTrackerToken,
};

pin_project! {
    /// A connection that ends when `closed` does, wherever it lives by then.
    ///
    /// An upgraded connection leaves the server: a task of the app owns it. It still counts as open, by its `_open`,
    /// and the deadline still reaches it: reads end, and writes that wait for the client fail.
    pub(super) struct Socket<T> {
        #[pin]
        stream: T,
        // One for each direction: they may wait in different tasks, and each remembers one.
        read_ends: Pin<Box<WaitForCancellationFutureOwned>>,
        write_ends: Pin<Box<WaitForCancellationFutureOwned>>,
        _open: TaskTrackerToken,
    }
}

impl<T> Socket<T> {
    pub(super) fn new(stream: T, closed: CancellationToken, open: TaskTrackerToken) -> Self {
        Self {
            stream,
            read_ends: Box::pin(closed.clone().cancelled_owned()),
            write_ends: Box::pin(closed.cancelled_owned()),
            _open: open,
        }
    }
}

impl<T: AsyncRead> AsyncRead for Socket<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        match this.stream.poll_read(cx, buf) {
            Poll::Ready(result) => Poll::Ready(result),
            // End of stream, as if the client had closed it.
            Poll::Pending => this.read_ends.as_mut().poll(cx).map(Ok),
        }
    }
}

impl<T: AsyncWrite> AsyncWrite for Socket<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        match this.stream.poll_write(cx, buf) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.write_ends.as_mut().poll(cx).map(|()| Err(stopped())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        match this.stream.poll_write_vectored(cx, bufs) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.write_ends.as_mut().poll(cx).map(|()| Err(stopped())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

fn stopped() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the server is being stopped",
    )
}

impl<T: fmt::Debug> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
