//! A request's body on its way into a stream.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};

use super::reset::of_client;
use crate::{error::BoxError, proxy::upload::RequestBody};

/// What is sent of a request after its head.
///
/// Dropping it before its end resets the stream, once nobody waits for the answer either.
pub(super) struct Upload {
    /// Until all was sent, or nobody wants more.
    stream: Option<SendStream<Bytes>>,
    taken: Taken,
}

/// How many bytes of a body are remembered, until there is an answer.
const REMEMBERED: usize = 64 * 1024;
/// In how many parts.
const FRAMES: usize = 16;

/// What was taken of a body, so that it can be sent once more.
#[derive(Debug, Default)]
struct Taken {
    data: Vec<Bytes>,
    /// More than is remembered.
    is_lost: bool,
}

impl Taken {
    fn note(&mut self, frame: Option<&Frame<Bytes>>) {
        let Some(frame) = frame.filter(|_| !self.is_lost) else {
            return;
        };
        let before: usize = self.data.iter().map(Bytes::len).sum();
        let data = frame.data_ref();
        match data.filter(|data| before + data.len() <= REMEMBERED && self.data.len() < FRAMES) {
            Some(data) => self.data.push(data.clone()),
            None => (self.data, self.is_lost) = (Vec::new(), true),
        }
    }
}

impl Upload {
    /// Nothing follows where `stream` has ended already.
    pub(super) fn new(stream: Option<SendStream<Bytes>>) -> Self {
        Self {
            stream,
            taken: Taken::default(),
        }
    }

    /// What was taken of the body, or `None` where that is more than is remembered, so that it can't be sent once more.
    pub(super) fn into_taken(self) -> Option<Vec<Bytes>> {
        (!self.taken.is_lost).then_some(self.taken.data)
    }

    /// Whether nothing is left to be sent.
    pub(super) const fn is_done(&self) -> bool {
        self.stream.is_none()
    }

    /// Ready when all of `body` was handed over, or the app wants no more of it. An error is the client's; the app has
    /// heard of it.
    ///
    /// A part is asked for only once the app has taken all before it, so that no more than that is held.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut RequestBody,
    ) -> Poll<Result<(), BoxError>> {
        while let Some(stream) = &mut self.stream {
            if !ready!(poll_wanted(stream, cx)) {
                break;
            }
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            let ends = body.is_end_stream();
            match frame.transpose() {
                Ok(frame) => {
                    self.taken.note(frame.as_ref());
                    // A stream that has ended meanwhile tells why when it is read.
                    if pass(stream, frame, ends).is_none_or(|sent| sent.is_err()) {
                        break;
                    }
                }
                Err(error) => {
                    stream.send_reset(of_client(&*error));
                    self.taken.is_lost = true;
                    self.stream = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.stream = None;
        Poll::Ready(Ok(()))
    }

    /// Breaks the stream off, with the client's own word for it if there is one.
    pub(super) async fn break_off(mut self, body: &mut RequestBody) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let said = poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Err(error))) => of_client(&*error),
                Poll::Ready(_) | Poll::Pending => Reason::CANCEL,
            })
        });
        stream.send_reset(said.await);
    }
}

/// Ready when the app can take another part: `true`, or wants no more.
fn poll_wanted(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<bool> {
    if stream.poll_reset(cx).is_ready() {
        return Poll::Ready(false);
    }
    // How much comes is not known yet. What is more than fits is kept back by `h2`.
    stream.reserve_capacity(1);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(false),
        }
    }
    Poll::Ready(true)
}

/// Sends the next part of a body, or its end; `None` after the last.
fn pass(
    stream: &mut SendStream<Bytes>,
    frame: Option<Frame<Bytes>>,
    ends: bool,
) -> Option<Result<(), h2::Error>> {
    let Some(frame) = frame else {
        let _ = stream.send_data(Bytes::new(), true);
        return None;
    };
    match frame.into_data() {
        Ok(data) => {
            let sent = stream.send_data(data, ends);
            (!ends).then_some(sent)
        }
        Err(frame) => {
            let trailers = frame.into_trailers().unwrap_or_default();
            let _ = stream.send_trailers(trailers);
            None
        }
    }
}
