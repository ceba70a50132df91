//! Tells HTTP/2 with prior knowledge from HTTP/1 by the first bytes (RFC 9113, 3.4).

use std::{future::poll_fn, io, pin::Pin};

use tokio::io::{AsyncRead, ReadBuf};

const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// The bytes that were read to find out, still to be handed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Sniffed {
    bytes: [u8; PREFACE.len()],
    start: usize,
    end: usize,
}

impl Sniffed {
    /// Hands the next bytes on, at most `limit`.
    pub(super) fn take(&mut self, limit: usize) -> &[u8] {
        let from = self.start;
        self.start = self.end.min(from.saturating_add(limit));
        self.bytes.get(from..self.start).unwrap_or_default()
    }

    pub(super) fn read(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// The first bytes of what `stream` says, or none where it has ended or failed: whoever reads on finds out which.
    pub(super) async fn first_of(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut sniffed = Self::default();
        sniffed.end = sniffed.read_from(stream).await.unwrap_or(0);
        sniffed
    }

    /// How many bytes came, not counted yet.
    async fn read_from(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        poll_fn(|cx| {
            let room = self.bytes.get_mut(self.end..).unwrap_or_default();
            let mut buf = ReadBuf::new(room);
            let read = Pin::new(&mut *stream).poll_read(cx, &mut buf);
            read.map_ok(|()| buf.filled().len())
        })
        .await
    }
}

/// What the bytes so far say, or `None` while they could be either.
fn version(read: &[u8]) -> Option<Version> {
    if !PREFACE.starts_with(read) {
        return Some(Version::Http1);
    }
    (read.len() == PREFACE.len()).then_some(Version::Http2)
}

/// Reads until it is clear what the client speaks, or `None` when it left first.
///
/// The caller sets the deadline. Not cancel safe: what was read is lost.
pub(super) async fn sniff(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(Version, Sniffed)>> {
    let mut sniffed = Sniffed::default();
    loop {
        match sniffed.read_from(stream).await? {
            0 if sniffed.end == 0 => return Ok(None),
            // Whatever was cut off here, HTTP/1 has an answer for it.
            0 => return Ok(Some((Version::Http1, sniffed))),
            read => sniffed.end += read,
        }
        if let Some(version) = version(sniffed.read()) {
            return Ok(Some((version, sniffed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_at_the_first_byte_that_differs() {
        for (read, want) in [
            ("", None),
            ("P", None),
            ("PR", None),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Version::Http2)),
            ("PO", Some(Version::Http1)),
            ("PROPFIND /", Some(Version::Http1)),
            ("PRI * HTTP/1.1\r\n", Some(Version::Http1)),
            ("GET /", Some(Version::Http1)),
            ("\r\n", Some(Version::Http1)),
            ("\u{0}", Some(Version::Http1)),
        ] {
            assert_eq!(version(read.as_bytes()), want, "{read:?}");
        }
    }

    #[test]
    fn hands_on_what_fits() {
        let mut sniffed = Sniffed::default();
        sniffed.bytes[..3].copy_from_slice(b"GET");
        sniffed.end = 3;
        assert_eq!(sniffed.take(0), b"");
        assert_eq!(sniffed.take(2), b"GE");
        assert_eq!(sniffed.take(9), b"T");
        assert_eq!(sniffed.take(9), b"");
    }
}
