//! A body that the app frames itself.
//!
//! Kestrel sends what an app writes as it is, once the app says `Transfer-Encoding: chunked`: the chunks are the app's own, and a
//! client that reads them gets what is in them. hyper frames every body itself. So the app's chunks are read here, as strictly
//! as an app's behind the proxy, and what is in them is the body, for a client of whatever version.

use bytes::BytesMut;
use http::HeaderMap;

use crate::proxy::chunks::{Decoder, Flaw, Step};

/// The app's chunks, as far as they were read.
pub(super) struct Framed {
    decoder: Decoder,
    /// Not read yet; empty but during a call.
    bytes: BytesMut,
}

/// How far the body came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The last chunk is still to come.
    More,
    /// All was said, with these trailers.
    Over(Option<HeaderMap>),
}

impl Framed {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::chunked(),
            bytes: BytesMut::new(),
        }
    }

    /// Reads `bytes` of chunks, of which the content comes to `out`. What follows the last chunk is dropped: a client would
    /// take it for its next answer.
    pub(super) fn read(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Reach, Flaw> {
        self.bytes.extend_from_slice(bytes);
        loop {
            match self.decoder.step(&mut self.bytes)? {
                Step::More => return Ok(Reach::More),
                Step::Data(data) => out.extend_from_slice(&data),
                Step::Trailers(trailers) => return Ok(Reach::Over(Some(trailers))),
                Step::End => return Ok(Reach::Over(None)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it when `wire` is written in pieces of so many bytes.
    fn read(wire: &[u8], piece: usize) -> Result<(Vec<u8>, Reach), Flaw> {
        let (mut framed, mut out) = (Framed::new(), BytesMut::new());
        let mut reach = Reach::More;
        for bytes in wire.chunks(piece) {
            reach = framed.read(bytes, &mut out)?;
            if reach != Reach::More {
                break;
            }
        }
        Ok((out.to_vec(), reach))
    }

    #[test]
    fn what_is_in_the_chunks_is_the_body_however_it_is_written() {
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-sum"),
            http::HeaderValue::from_static("7"),
        )]);
        let none = || Reach::Over(None);
        let cases: [(&[u8], &[u8], Reach); 5] = [
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello", none()),
            (b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n", b"abc", none()),
            (b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"", none()),
            (
                b"1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n",
                b"a",
                Reach::Over(Some(trailers)),
            ),
            (b"5\r\nhel", b"hel", Reach::More),
        ];
        for (wire, body, reach) in cases {
            for piece in 1..=wire.len() {
                let got = read(wire, piece).unwrap();
                assert_eq!((got.0.as_slice(), &got.1), (body, &reach), "{piece}");
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_a_flaw() {
        for wire in [&b"hello"[..], b"5\r\nhello!\r\n", b"-1\r\n", b"5\nhello"] {
            assert!(read(wire, 1).is_err(), "{wire:?}");
        }
    }
}
