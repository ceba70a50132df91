//! The client's socket: gives back what was sniffed, guards what is read, counts what passes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    clients::Place,
    guard::{Guard, Refusal},
    preface::Sniffed,
    pulse::Pulse,
    socket::Socket,
    stream::Stream,
};

/// A client's socket.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    sniffed: Sniffed,
    guard: Guard,
    /// What was read behind a request whose answer decides what it is. At most what one read gave.
    held: Bytes,
    /// What is left of a head that goes before the answer.
    early: Bytes,
    /// Whether to look out for a client that leaves before its answer.
    looks_out: bool,
    place: Place,
}

impl Io {
    pub(super) fn new(stream: Stream, sniffed: Sniffed, place: Place, guard: Guard) -> Self {
        Self {
            stream,
            sniffed,
            guard,
            held: Bytes::new(),
            early: Bytes::new(),
            looks_out: false,
            place,
        }
    }

    /// Looks out from now on for a client that leaves before its answer, if that can be done here.
    ///
    /// hyper can do it too, but by reading, for which it takes a buffer with each request.
    pub(super) fn look_out(&mut self) -> bool {
        self.looks_out = self.stream.plain().is_some_and(Socket::can_peek);
        self.looks_out
    }

    /// Waits for the next byte without anything to keep it in but a few bytes. Cancel safe.
    pub(super) async fn rest(&mut self) {
        self.sniffed = Sniffed::first_of(&mut self.stream).await;
    }

    /// Ready when the client has left before it got its answer.
    ///
    /// Only once its request has come whole: before that hyper reads, and after it, what is there to be read is the
    /// next request.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let awaits = self.guard.is_between_requests() || self.guard.awaits_answer();
        if !self.looks_out || !awaits || !self.pulse().is_busy() {
            return Poll::Pending;
        }
        let Some(socket) = self.stream.plain() else {
            return Poll::Pending;
        };
        socket
            .poll_left(cx)
            .map(|()| io::ErrorKind::UnexpectedEof.into())
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Why the guard refused a request, if it did.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.guard.refusal()
    }

    fn pulse(&self) -> &Arc<Pulse> {
        self.place.pulse()
    }

    /// Looks for the answer that the guard waits for.
    fn ask(&mut self) {
        if self.pulse().has_switched() {
            self.guard.stop();
        } else if self.pulse().has_served(self.guard.requests()) {
            self.guard.go_on();
        }
    }

    /// Reads what was sniffed, and what the socket has.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let sniffed = self.sniffed.take(buf.remaining());
        if sniffed.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        buf.put_slice(sniffed);
        // More may have come, and fits in the same turn. Neither its absence nor its error takes
        // back what was read: an error comes again.
        let _ = Pin::new(&mut self.stream).poll_read(cx, buf);
        Poll::Ready(Ok(()))
    }

    /// Reads again what was held back.
    fn release(&self, buf: &mut ReadBuf<'_>) {
        let fits = self.held.len().min(buf.remaining());
        buf.put_slice(self.held.get(..fits).unwrap_or_default());
    }

    /// Keeps in `buf` what may pass of the bytes from `start` on, and holds the others.
    fn watch(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
        let read = buf.filled_mut().get_mut(start..).unwrap_or_default();
        let passed = self.guard.watch(read);
        if !self.held.is_empty() {
            drop(self.held.split_to(passed));
        } else if let Some(rest @ [_, ..]) = read.get(passed..) {
            self.held = Bytes::copy_from_slice(rest);
        }
        buf.set_filled(start + passed);
    }

    /// Writes what goes before the answer, of which hyper has written nothing yet: its buffer is empty. So nothing gets between
    /// two parts of what hyper writes, and nothing behind the beginning of the answer.
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_begun(cx))?;
            self.early = self.pulse().take_early().into();
            if self.early.is_empty() {
                // The answer may have waited for this.
                cx.waker().wake_by_ref();
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes the rest of a head that was begun.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.early.is_empty() {
            let result = Pin::new(&mut self.stream).poll_write(cx, &self.early);
            match ready!(self.wrote(cx, result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.early.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(
        &self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.pulse().did_write(result.is_ready());
        match result {
            Poll::Pending => self.poll_left(cx).map(Err),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.guard.awaits_answer() {
            this.ask();
        }
        let start = buf.filled().len();
        if this.held.is_empty() {
            // While an answer is awaited too: the client may leave before it.
            let Poll::Ready(received) = this.poll_receive(cx, buf) else {
                this.pulse().waits(this.guard.is_between_requests());
                return Poll::Pending;
            };
            received?;
        } else if !this.guard.awaits_answer() {
            this.release(buf);
        }
        this.watch(buf, start);
        let holds_all = buf.filled().len() == start && !this.held.is_empty();
        if holds_all && this.guard.awaits_answer() {
            this.pulse().hold_back();
            return Poll::Pending;
        }
        this.pulse().did_read();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_begun(cx))?;
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_begun(cx))?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes only once its own buffer is empty.
        if self.pulse().has_early() {
            ready!(self.poll_early(cx))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.pulse().did_flush();
        // hyper flushes whenever it has done what it could.
        match self.poll_left(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_begun(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
