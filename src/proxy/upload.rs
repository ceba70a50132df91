//! The body of a request on its way to the app.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::Incoming;

use super::{
    gate::{Gate, Opener},
    linger,
    progress::Upload,
};
use crate::{error::BoxError, headers::clean_trailers};

/// The body of a request on its way to the app: of whatever type the front's bodies are, in one type.
pub struct RequestBody {
    inner: Inner,
    upload: Option<Upload>,
    gate: Option<Gate>,
    /// How many bytes may still come.
    left: u64,
    /// What was taken of it, and comes once more.
    again: VecDeque<Bytes>,
    /// Whether it came by HTTP/2. Then the client is listened to for a while after nobody wants more of it.
    is_stream: bool,
}

enum Inner {
    Empty,
    /// What a front on hyper has, and so not worth a box.
    Incoming(Incoming),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl RequestBody {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self {
            inner: Inner::Empty,
            upload: None,
            gate: None,
            left: u64::MAX,
            again: VecDeque::new(),
            is_stream: false,
        }
    }

    /// `body`, and how it is getting on where there is anything of it.
    pub(super) fn new<B>(body: B) -> (Self, Option<Upload>)
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return (Self::empty(), None);
        }
        let upload = Upload::begin();
        let body = Self {
            inner: erase(body),
            upload: Some(upload.clone()),
            gate: None,
            left: u64::MAX,
            again: VecDeque::new(),
            is_stream: false,
        };
        (body, Some(upload))
    }

    /// Lets it end in [`TooLong`] after `max` bytes.
    pub(super) const fn limit(&mut self, max: u64) {
        self.left = max;
    }

    /// Lets `taken` come once more, before what is left.
    pub(super) fn put_back(&mut self, taken: Vec<Bytes>) {
        self.again.extend(taken);
    }

    /// Says that it came by a stream of HTTP/2. Has what nobody wants of it read and thrown away for a while, when it is
    /// dropped: a stream whose body is not read to its end is reset. Some clients take that for the end of the
    /// answer too, though it came before it (RFC 9113, 8.1). Over HTTP/1, the front listens on by itself.
    pub(super) const fn streamed(&mut self) {
        self.is_stream = true;
    }

    /// Holds the body back until the app says `100 Continue`, or for `limit`.
    pub(super) fn hold(&mut self, limit: Duration) -> Opener {
        let (gate, opener) = Gate::new(limit);
        self.gate = Some(gate);
        opener
    }
}

fn erase<B>(body: B) -> Inner
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut body = Some(body);
    let any: &mut dyn Any = &mut body;
    if let Some(incoming) = any
        .downcast_mut::<Option<Incoming>>()
        .and_then(Option::take)
    {
        return Inner::Incoming(incoming);
    }
    body.map_or(Inner::Empty, |body| {
        Inner::Boxed(body.map_err(Into::into).boxed_unsync())
    })
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(gate) = &mut this.gate {
            ready!(gate.poll(cx));
            this.gate = None;
        }
        let polled = match this.again.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => this
                .inner
                .poll_frame(cx)
                .map(|frame| this.or_reset(frame).map(|frame| this.count(frame))),
        };
        let ended = this.is_end_stream();
        if let Some(upload) = &this.upload {
            upload.note(&polled, ended);
        }
        polled.map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                clean_trailers(trailers);
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.again.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Incoming(body) => body.size_hint(),
            Inner::Boxed(body) => body.size_hint(),
        }
    }
}

impl RequestBody {
    /// What hyper takes for the end of a body and is none: over HTTP/2, it reads a stream that was reset with `CANCEL` or
    /// `NO_ERROR` to its end, and not further, but knows that it has not ended.
    fn or_reset(
        &self,
        frame: Option<Result<Frame<Bytes>, BoxError>>,
    ) -> Option<Result<Frame<Bytes>, BoxError>> {
        let is_reset = match &self.inner {
            Inner::Incoming(body) => self.is_stream && !body.is_end_stream(),
            Inner::Empty | Inner::Boxed(_) => false,
        };
        frame.or_else(|| is_reset.then(|| Err(Reset.into())))
    }

    fn count(&mut self, frame: Result<Frame<Bytes>, BoxError>) -> Result<Frame<Bytes>, BoxError> {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            let left = self.left.checked_sub(data.len() as u64);
            self.left = left.ok_or(TooLong)?;
        }
        Ok(frame)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.is_stream
            && let Inner::Incoming(body) = std::mem::replace(&mut self.inner, Inner::Empty)
        {
            linger::on(body);
        }
    }
}

/// A body whose client took it back.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream was reset")
    }
}

impl std::error::Error for Reset {}

/// A body that has more bytes than it may have.
#[derive(Debug)]
pub(super) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("longer than it may be")
    }
}

impl std::error::Error for TooLong {}

impl Inner {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Incoming(body) => body.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
