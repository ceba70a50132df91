//! The app's side of a tunnel that is a stream of HTTP/2 (RFC 8441, 5).

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::Place;

/// A stream as bytes. Its end is the end of what the app says, a reset an error.
///
/// Dropping it before both sides have ended resets the stream with `CANCEL`, which is what a reset of TCP is here.
pub(in crate::proxy) struct Tunnel {
    up: SendStream<Bytes>,
    down: RecvStream,
    /// What came and was not read yet.
    read: Bytes,
    /// Held for as long as the stream is there.
    place: Place,
}

impl Tunnel {
    pub(super) const fn new(up: SendStream<Bytes>, down: RecvStream, place: Place) -> Self {
        Self {
            up,
            down,
            read: Bytes::new(),
            place,
        }
    }

    /// Ready when there is something to be read; `false` at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.read.is_empty() {
            match ready!(self.down.poll_data(cx)) {
                Some(Ok(data)) => self.read = data,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(false)),
            }
            self.place.state().hear();
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !ready!(self.poll_more(cx))? {
            return Poll::Ready(Ok(()));
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(self.read.get(..length).unwrap_or_default());
        self.read.advance(length);
        // The app may send as much again, now that somebody was there to take this.
        let released = self.down.flow_control().release_capacity(length);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.up.reserve_capacity(buf.len());
        while self.up.capacity() == 0 {
            match ready!(self.up.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let length = buf.len().min(self.up.capacity());
        let data = Bytes::copy_from_slice(buf.get(..length).unwrap_or_default());
        let sent = self.up.send_data(data, false);
        Poll::Ready(sent.map(|()| length).map_err(io::Error::other))
    }

    /// Whoever drives the connection sends what it has.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An app that has ended the stream meanwhile is not told any more. How it ended, whoever reads hears.
        let _ = self.up.send_data(Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}
