//! The body of an answer that a layer may give in place of the service it wraps.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The inner service's body, or a short answer given in its place.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProj]
    enum State<B> {
        Inner { #[pin] inner: B },
        Short { bytes: Bytes },
    }
}

impl<B> ResponseBody<B> {
    /// The body of the inner service.
    pub const fn inner(inner: B) -> Self {
        Self {
            state: State::Inner { inner },
        }
    }

    /// A short answer, whole.
    pub const fn short(bytes: Bytes) -> Self {
        Self {
            state: State::Short { bytes },
        }
    }

    /// No content.
    #[must_use]
    pub const fn empty() -> Self {
        Self::short(Bytes::new())
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().state.project() {
            StateProj::Inner { inner } => inner.poll_frame(cx),
            StateProj::Short { bytes } if bytes.is_empty() => Poll::Ready(None),
            StateProj::Short { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Inner { inner } => inner.is_end_stream(),
            State::Short { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Inner { inner } => inner.size_hint(),
            State::Short { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
