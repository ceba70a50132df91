//! A request on its way to the app: its head, then its body as it comes (RFC 9112, 6 and 7).

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::{
    HeaderMap, HeaderName, Request,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, MAX_FORWARDS,
        SET_COOKIE, TRAILER,
    },
};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use super::encode;
use crate::{
    error::BoxError,
    headers::{list, write_line},
    proxy::upload::RequestBody,
};

/// What is to be written, in this order, and what follows.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    text: Vec<u8>,
    /// How much of the text was written.
    written: usize,
    data: Bytes,
    tail: &'static [u8],
    rest: Rest,
    touched: bool,
}

/// What of the body was not taken yet.
#[derive(Debug, Default)]
enum Rest {
    #[default]
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks, and then the trailers of these names.
    Chunked(Vec<HeaderName>),
}

/// Why a request can't be sent to its end.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The app does not take it.
    Io(io::Error),
    /// There is no more of it.
    Body(BoxError),
}

impl Outgoing {
    /// Begins with `request`, with the lines of `told` behind its fields; its body is asked for only once the head was written.
    pub(super) fn begin(&mut self, request: &Request<RequestBody>, told: &[u8], has_body: bool) {
        self.text.clear();
        self.written = 0;
        self.touched = false;
        encode::encode(request, told, &mut self.text);
        self.rest = match (has_body, request.body().size_hint().exact()) {
            (false, _) => Rest::Nothing,
            (true, Some(length)) => Rest::Length(length),
            (true, None) => Rest::Chunked(announced(request.headers())),
        };
    }

    /// Whether a byte was written.
    pub(super) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// Whether all was written.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.rest, Rest::Nothing) && self.is_flushed()
    }

    fn is_flushed(&self) -> bool {
        self.written == self.text.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Ready when all was written.
    pub(super) fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        body: &mut RequestBody,
    ) -> Poll<Result<(), Refusal>> {
        loop {
            ready!(self.poll_flush(cx, to)).map_err(Refusal::Io)?;
            if matches!(self.rest, Rest::Nothing) {
                return Poll::Ready(Ok(()));
            }
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            let frame = frame.transpose().map_err(Refusal::Body)?;
            self.take(frame)
                .map_err(|flaw| Refusal::Body(flaw.into()))?;
        }
    }

    fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.is_flushed() {
            let text = self.text.get(self.written..).unwrap_or_default();
            let written = if self.data.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *to).poll_write(cx, text))?
            } else {
                let parts = [text, &self.data, self.tail].map(IoSlice::new);
                ready!(Pin::new(&mut *to).poll_write_vectored(cx, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.touched = true;
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let text = written.min(self.text.len() - self.written);
        let data = (written - text).min(self.data.len());
        self.written += text;
        self.data.advance(data);
        self.tail = self.tail.get(written - text - data..).unwrap_or_default();
    }

    /// Takes the next part of the body, or its end. Only once all before it was written.
    fn take(&mut self, frame: Option<Frame<Bytes>>) -> Result<(), &'static str> {
        self.text.clear();
        self.written = 0;
        let frame = frame.map(Frame::into_data).transpose();
        match (&mut self.rest, frame) {
            (Rest::Length(left), Ok(Some(data))) => {
                let after = left.checked_sub(data.len() as u64);
                *left = after.ok_or("the body is longer than it said")?;
                self.data = data;
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
            }
            (Rest::Length(0), Ok(None) | Err(_)) => self.rest = Rest::Nothing,
            (Rest::Length(_), Ok(None) | Err(_)) => return Err("the body is shorter than it said"),
            // An empty chunk would be the last.
            (Rest::Chunked(_), Ok(Some(data))) if data.is_empty() => {}
            (Rest::Chunked(_), Ok(Some(data))) => {
                let _ = write!(self.text, "{:X}\r\n", data.len());
                self.data = data;
                self.tail = b"\r\n";
            }
            (Rest::Chunked(names), end) => {
                self.text.extend_from_slice(b"0\r\n");
                let fields = end.err().and_then(|frame| frame.into_trailers().ok());
                for (name, value) in fields.iter().flatten() {
                    if names.contains(name) {
                        write_line(name, value, &mut self.text);
                    }
                }
                self.text.extend_from_slice(b"\r\n");
                self.rest = Rest::Nothing;
            }
            (Rest::Nothing, _) => {}
        }
        Ok(())
    }
}

/// The trailers that `Trailer` announces and that may come after a body, which is hyper's rule too (RFC 9110, 6.5.1).
///
/// What the module alone says is taken out of them elsewhere.
fn announced(fields: &HeaderMap) -> Vec<HeaderName> {
    const UNFIT: [HeaderName; 8] = [
        AUTHORIZATION,
        CACHE_CONTROL,
        CONTENT_ENCODING,
        CONTENT_RANGE,
        CONTENT_TYPE,
        MAX_FORWARDS,
        SET_COOKIE,
        TRAILER,
    ];
    let lines = fields.get_all(TRAILER).iter();
    lines
        .flat_map(|line| list(line.as_bytes()))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !UNFIT.contains(name))
        .collect()
}
