//! The limits of a whole exchange: how long it may take, and how long the body of its request may be.
//!
//! Neither costs a request anything where there is no such limit.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{
    body::Body,
    progress::Upload,
    upload::{RequestBody, TooLong},
};
use crate::error::{BoxError, Error};

/// The body of a request that came in `version`, if it is no longer than `max` bytes as far as is known. Otherwise it
/// ends in an error after so many.
pub(super) fn upload<B>(
    body: B,
    version: Version,
    max: Option<u64>,
) -> Result<(RequestBody, Option<Upload>), Error>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut body, upload) = RequestBody::new(body);
    if upload.is_some() {
        if version == Version::HTTP_2 {
            body.streamed();
        }
        if let Some(max) = max {
            if http_body::Body::size_hint(&body).lower() > max {
                return Err(Error::too_large());
            }
            body.limit(max);
        }
    }
    Ok((body, upload))
}

/// What it means that a request's body ended in `error`: it was too long, or the client left.
pub(super) fn broken_off(error: BoxError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(error) = cause {
        if error.is::<TooLong>() {
            return Error::too_large();
        }
        cause = error.source();
    }
    Error::client_gone(error)
}

/// What `exchange` ends in, if its head comes within `limit`; the rest of its body has what is left of it.
pub(super) async fn within(
    limit: Duration,
    exchange: impl Future<Output = Result<http::Response<Body>, Error>>,
) -> Result<http::Response<Body>, Error> {
    let Some(end) = Instant::now().checked_add(limit) else {
        return exchange.await;
    };
    // The work comes before the clock: an answer that is there at the end counts.
    match timeout_at(end, exchange).await {
        Ok(answer) => Ok(answer?.map(|body| body.until(end))),
        Err(_) => Err(Error::timeout("answer")),
    }
}

/// A body that has to end in time.
pub(super) struct Ending {
    inner: Body,
    end: Pin<Box<Sleep>>,
    over: bool,
}

impl Ending {
    pub(super) fn new(inner: Body, end: Instant) -> Self {
        Self {
            inner,
            end: Box::pin(sleep_until(end)),
            over: false,
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // Here the clock comes first: an app that always has something to say would never be cut.
        if self.end.as_mut().poll(cx).is_ready() {
            self.over = true;
            self.inner = Body::empty();
            return Poll::Ready(Some(Err(Error::timeout("end its answer"))));
        }
        http_body::Body::poll_frame(Pin::new(&mut self.inner), cx)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.over || http_body::Body::is_end_stream(&self.inner)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}
