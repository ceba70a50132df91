//! A connection between two requests.

use bytes::BytesMut;
use tokio::time::Instant;

use super::{FIRST_READ, Outgoing, Wire, decode::Decoder, stream::Stream};
use crate::proxy::{
    backend::Backend,
    io::Io,
    pool::{IDLE_LIMIT, thread},
    seats::Seat,
};

impl Wire {
    /// A connection of `backend` that has carried a request before and can carry another.
    ///
    /// One that the app has closed meanwhile is noticed here, without a system call, if the runtime has heard of it.
    pub(in crate::proxy) fn reuse(backend: &Backend) -> Option<Box<Self>> {
        let now = Instant::now();
        while let Some(mut wire) = backend.pool().take(now) {
            // An app that says anything now, be it goodbye, is not asked.
            if wire.is_silent() {
                (wire.used, wire.reused) = (now, true);
                return Some(wire);
            }
        }
        None
    }

    /// This connection, which was given up, maybe by another thread; or else its seat, where it is of no more use.
    pub(in crate::proxy) fn adopt(mut self: Box<Self>) -> Result<Box<Self>, Seat> {
        let now = Instant::now();
        if now.duration_since(self.used) >= IDLE_LIMIT || !self.is_silent() {
            return Err(self.into_seat());
        }
        if self.thread == thread() {
            (self.used, self.reused) = (now, true);
            return Ok(self);
        }
        // Its timer and its buffers are the other thread's.
        let Self { stream, seat, .. } = *self;
        let Stream::Whole(io) = stream else {
            return Err(seat.vacated());
        };
        match io.moved() {
            Ok(io) => {
                let mut wire = Self::new(io, seat);
                wire.reused = true;
                Ok(wire)
            }
            Err(_) => Err(seat.vacated()),
        }
    }

    /// Closes it, for another connection in its place.
    pub(in crate::proxy) fn into_seat(self: Box<Self>) -> Seat {
        let Self { stream, seat, .. } = *self;
        drop(stream);
        seat.vacated()
    }

    /// A connection that was just opened.
    pub(in crate::proxy) fn new(io: Io, seat: Seat) -> Box<Self> {
        Box::new(Self {
            stream: Stream::Whole(io),
            read: BytesMut::new(),
            chunk: FIRST_READ,
            outgoing: Outgoing::default(),
            refused: None,
            stall: None,
            body: Decoder::Length(0),
            keeps_alive: true,
            is_plain: false,
            used: Instant::now(),
            reused: false,
            thread: thread(),
            seat,
        })
    }

    /// Whether it has carried a request before, so that the app may have been about to close it.
    pub(in crate::proxy) const fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether every field of the answer is known to be for the client, said as it may hear it.
    pub(in crate::proxy) const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// When its last request was sent, or else when it was dialled.
    pub(in crate::proxy) const fn used(&self) -> Instant {
        self.used
    }

    fn is_silent(&self) -> bool {
        matches!(&self.stream, Stream::Whole(io) if io.is_silent())
    }

    /// Keeps it for the next request, if the answer came whole and the app has said no more.
    pub(in crate::proxy) fn recycle(mut self: Box<Self>, backend: &Backend) {
        if self.keeps_alive && self.body.is_ended() && self.read.is_empty() {
            if self.read.capacity() > 2 * FIRST_READ {
                self.read = BytesMut::new();
            }
            backend.pool().put(self);
        }
    }

    /// Gives back what the next request would need, and gets it again with that.
    pub(in crate::proxy) fn slim(&mut self) {
        self.read = BytesMut::new();
        self.outgoing = Outgoing::default();
    }
}
