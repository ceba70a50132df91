//! The body of a response on its way to the client.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::{
    driven::Driven, h2c, instance::InstanceBody, lease::Lease, limit::Ending, wire::Answer,
};
use crate::error::Error;

/// The body of an app's answer, as it arrives.
///
/// Nothing is held back. What the app breaks off ends in an error, so that the client can't take it for complete.
/// Dropping it before its end breaks the exchange with the app off, at once.
pub struct Body {
    source: Source,
}

/// Where it comes from.
enum Source {
    Wire(Answer),
    /// In a box, because it is larger than others.
    Stream(Box<h2c::Answer>),
    Driven(Driven),
    /// Ends the lease when it is dropped.
    Instance(
        InstanceBody,
        #[allow(dead_code, reason = "held, not read")] Lease,
    ),
    /// In a box, because it is seldom.
    Ending(Box<Ending>),
    Empty,
}

impl Body {
    pub(super) const fn wire(answer: Answer) -> Self {
        Self {
            source: Source::Wire(answer),
        }
    }

    pub(super) fn stream(answer: h2c::Answer) -> Self {
        Self {
            source: Source::Stream(Box::new(answer)),
        }
    }

    pub(super) const fn driven(answer: Driven) -> Self {
        Self {
            source: Source::Driven(answer),
        }
    }

    pub(super) const fn instance(body: InstanceBody, lease: Lease) -> Self {
        Self {
            source: Source::Instance(body, lease),
        }
    }

    /// The same, broken off at `end`.
    pub(super) fn until(self, end: Instant) -> Self {
        // What has ended has, and a tunnel's answer has no time limit.
        if http_body::Body::is_end_stream(&self) {
            return self;
        }
        Self {
            source: Source::Ending(Box::new(Ending::new(self, end))),
        }
    }

    /// No body: of an answer that is a tunnel from here on.
    pub(super) const fn empty() -> Self {
        Self {
            source: Source::Empty,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.get_mut().source {
            Source::Wire(answer) => answer.poll_frame(cx),
            Source::Stream(answer) => answer.poll_frame(cx),
            Source::Driven(answer) => answer.poll_frame(cx),
            Source::Instance(body, _) => body.as_mut().poll_frame(cx),
            Source::Ending(answer) => answer.poll_frame(cx),
            Source::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Wire(answer) => answer.is_end_stream(),
            Source::Stream(answer) => answer.is_end_stream(),
            Source::Driven(answer) => answer.is_end_stream(),
            Source::Instance(body, _) => body.is_end_stream(),
            Source::Ending(answer) => answer.is_end_stream(),
            Source::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Wire(answer) => answer.size_hint(),
            Source::Stream(answer) => answer.size_hint(),
            Source::Driven(answer) => answer.size_hint(),
            Source::Instance(body, _) => body.size_hint(),
            Source::Ending(answer) => answer.size_hint(),
            Source::Empty => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = http_body::Body::is_end_stream(self);
        f.debug_struct("Body")
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}
