//! The client's socket: gives back what was sniffed, counts what passes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{clients::Place, preface::Sniffed, pulse::Pulse};

/// A client's socket.
#[derive(Debug)]
pub(super) struct Io {
    inner: TokioIo<TcpStream>,
    sniffed: Sniffed,
    place: Place,
}

impl Io {
    pub(super) fn new(stream: TcpStream, sniffed: Sniffed, place: Place) -> Self {
        Self {
            inner: TokioIo::new(stream),
            sniffed,
            place,
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.inner.inner()
    }

    fn pulse(&self) -> &Arc<Pulse> {
        self.place.pulse()
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.pulse().did_write(result.is_ready());
        result
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let sniffed = self.sniffed.take(buf.remaining());
        if !sniffed.is_empty() {
            buf.put_slice(sniffed);
            // More may have come, and fits in the same turn. Neither its absence nor its error
            // takes back what was read: an error comes again.
            let _ = Pin::new(&mut self.inner).poll_read(cx, buf);
        } else {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        }
        self.pulse().did_read();
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes only once its own buffer is empty.
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.pulse().did_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
