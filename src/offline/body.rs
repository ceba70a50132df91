//! The response body: the page, or the app's.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

pin_project! {
    /// The response body of [`Offline`](super::Offline).
    #[derive(Clone, Debug)]
    pub struct Body<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Clone, Debug)]
    enum Kind<B> {
        Page { #[pin] page: Full<Bytes> },
        Inner { #[pin] inner: B },
    }
}

impl<B> Body<B> {
    pub(super) fn page(content: Bytes) -> Self {
        Self {
            kind: Kind::Page {
                page: Full::new(content),
            },
        }
    }

    pub(super) fn inner(inner: B) -> Self {
        Self {
            kind: Kind::Inner { inner },
        }
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Page { page } => page.poll_frame(cx).map_err(|never| match never {}),
            KindProj::Inner { inner } => inner.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Page { page } => page.is_end_stream(),
            Kind::Inner { inner } => inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Page { page } => page.size_hint(),
            Kind::Inner { inner } => inner.size_hint(),
        }
    }
}
