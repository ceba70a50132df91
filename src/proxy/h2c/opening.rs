//! A connection's bytes, and what the app's first ones say of what it speaks.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::State;
use crate::proxy::io::Io;

use std::sync::Arc;

/// What an app shows that it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Spoken {
    /// It has not said anything yet.
    #[default]
    Nothing = 0,
    Http2 = 1,
    Http1 = 2,
    Other = 3,
}

/// How many bytes tell it: the head of a frame.
const ENOUGH: usize = 9;
/// The type of a SETTINGS frame (RFC 9113, 6.5), which has to come first (3.4).
const SETTINGS: u8 = 4;

impl Spoken {
    /// What begins with `bytes` is; `None` where they are too few.
    fn of(bytes: &[u8]) -> Option<Self> {
        const HTTP_1: &[u8] = b"HTTP/1.";
        match (bytes, bytes.get(3)) {
            _ if bytes.starts_with(HTTP_1) => Some(Self::Http1),
            _ if HTTP_1.starts_with(bytes) => None,
            (_, None) => None,
            (_, Some(&SETTINGS)) => Some(Self::Http2),
            (_, Some(_)) => Some(Self::Other),
        }
    }

    pub(super) const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Http2,
            2 => Self::Http1,
            3 => Self::Other,
            _ => Self::Nothing,
        }
    }
}

/// An app's socket that listens to its first bytes.
pub(super) struct Opening {
    io: Io,
    /// Until it is known.
    begun: Option<Vec<u8>>,
    state: Arc<State>,
}

impl Opening {
    pub(super) fn new(io: Io, state: Arc<State>) -> Self {
        Self {
            io,
            begun: Some(Vec::new()),
            state,
        }
    }

    fn listen(&mut self, read: &[u8]) {
        if let Some(begun) = &mut self.begun {
            begun.extend(read.iter().take(ENOUGH - begun.len().min(ENOUGH)));
            if let Some(spoken) = Spoken::of(begun) {
                self.state.hears(spoken);
                self.begun = None;
            }
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.listen(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        for (bytes, want) in [
            (&b""[..], None),
            (b"HTT", None),
            (b"HTTP/1", None),
            (b"HTTP/1.1 400", Some(Spoken::Http1)),
            (b"\0\0", None),
            (b"\0\0\x12\x04\0\0\0\0\0", Some(Spoken::Http2)),
            (b"\0\0\x12\x07\0\0\0\0\0", Some(Spoken::Other)),
            (b"SSH-2.0", Some(Spoken::Other)),
        ] {
            assert_eq!(Spoken::of(bytes), want, "{bytes:?}");
        }
        for spoken in [Spoken::Nothing, Spoken::Http2, Spoken::Http1, Spoken::Other] {
            assert_eq!(Spoken::from_u8(spoken as u8), spoken);
        }
    }
}
