//! A connection to an app: HTTP/1.1 with as little in between as can be.
//!
//! It is polled by whoever waits for the answer and then for its body, so that no task and no channel lies between the
//! app's socket and the client's. Only what is left of a request when its answer begins is sent by a task, because it
//! has to go on while nobody reads the answer.
//!
//! Dropping it closes the socket at once, whatever is under way.

mod answer;
#[cfg(any(test, fuzzing))]
pub(super) mod beside_hyper;
pub(super) mod decode;
mod encode;
mod failure;
mod framing;
mod head;
mod keep;
mod outgoing;
mod stream;
#[cfg(test)]
mod tests;
mod usual;

pub(super) use self::{answer::Answer, failure::Failure};
#[doc(hidden)]
pub use self::{encode::encode_head, head::parse_head};

use std::{
    fmt,
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use self::{
    decode::{Decoder, Step},
    head::{Early, Head},
    outgoing::{Outgoing, Refusal},
    stream::Stream,
};
use super::{
    gate::Opener,
    hints::Hints,
    progress::{Haste, Upload},
    request::Via,
    seats::Seat,
    stall::Stall,
    upload::RequestBody,
};
use crate::error::BoxError;

/// What is read at once in the beginning, and at most where an answer is long.
const FIRST_READ: usize = 8 * 1024;
const LONGEST_READ: usize = 256 * 1024;

/// A connection to an app, with at most one request on it.
pub(super) struct Wire {
    stream: Stream,
    /// What was read and not yet taken.
    read: BytesMut,
    /// How much to read at once.
    chunk: usize,
    outgoing: Outgoing,
    /// Why the app takes no more of the request.
    refused: Option<io::Error>,
    stall: Option<Stall>,
    body: Decoder,
    keeps_alive: bool,
    /// Whether the answer's fields are all for the client.
    is_plain: bool,
    /// When its last request was sent, or else when it was dialled.
    used: Instant,
    reused: bool,
    /// Whose runtime hears of it.
    thread: usize,
    /// Below the socket, which is closed first.
    seat: Seat,
}

/// How long the two sides of an exchange may keep it waiting, until there is an answer. `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Patience {
    pub(in crate::proxy) app: Option<Duration>,
    pub(in crate::proxy) client: Haste,
}

/// A request as it is to be sent.
#[derive(Debug)]
pub(in crate::proxy) struct Asked<'a> {
    pub(in crate::proxy) request: &'a mut Request<RequestBody>,
    /// Lines that follow its fields.
    pub(in crate::proxy) told: &'a [u8],
}

/// Whoever hears what an app says before its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Listener<'a> {
    /// Who waits for `100 Continue`.
    pub(in crate::proxy) opener: Option<&'a Opener>,
    pub(in crate::proxy) hints: &'a Hints,
    pub(in crate::proxy) via: Option<&'a Via>,
}

impl Listener<'_> {
    #[inline]
    fn hear(self, early: Early) {
        if early.continues
            && let Some(opener) = self.opener
        {
            opener.open();
        }
        for (status, fields) in early.hints {
            self.hints.pass(status, fields, self.via);
        }
    }
}

impl Wire {
    /// Sends `asked` and waits for the head of the answer, for `patience.app` from when the app last took a part of it,
    /// and for `patience.client` from when the client was last asked for more of it.
    ///
    /// Leaves the request's fields as they are unless there is an answer, so that it can be sent again where that is
    /// allowed. `listener` hears what the app says before its answer.
    ///
    /// Cancel safe in that dropping it and the connection breaks the exchange off.
    pub(super) async fn ask(
        &mut self,
        asked: Asked<'_>,
        upload: Option<&Upload>,
        listener: Listener<'_>,
        patience: Patience,
    ) -> Result<Response<()>, Failure> {
        let Asked { request, told } = asked;
        self.outgoing.begin(request, told, upload.is_some());
        let sent = Some(self.used);
        let since = || upload.map_or(sent, Upload::since);
        let mut slow = None;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = self.poll_answer(cx, request, listener) {
                return Poll::Ready(answer);
            }
            if let Some(upload) = upload
                && upload.poll_slow(cx, &mut slow, patience.client).is_ready()
            {
                return Poll::Ready(Err(Failure::Slow));
            }
            let Some(limit) = patience.app else {
                return Poll::Pending;
            };
            let stall = Stall::of(&mut self.stall, limit);
            stall.poll(cx, since).map(|()| Err(Failure::Stalled))
        })
        .await
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Request<RequestBody>,
        listener: Listener<'_>,
    ) -> Poll<Result<Response<()>, Failure>> {
        let sent = match self.refused {
            None => self.poll_send(cx, request.body_mut()),
            Some(_) => Poll::Pending,
        };
        match sent {
            Poll::Ready(Err(Refusal::Body(error))) => {
                return Poll::Ready(Err(Failure::Broken(error)));
            }
            Poll::Ready(Err(Refusal::Io(error))) if !self.outgoing.is_touched() => {
                return Poll::Ready(Err(Failure::Unsent(error)));
            }
            // An app that takes no more may have said why, and the runtime may not have heard of that yet.
            Poll::Ready(Err(Refusal::Io(error))) => self.refused = Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        let to_head = request.method() == Method::HEAD;
        let mut early = Early::default();
        let read = self.poll_head(cx, to_head, request.headers_mut(), &mut early);
        let continues = early.continues;
        listener.hear(early);
        match read {
            Poll::Ready(Ok(head)) => Poll::Ready(Ok(self.begin(head, request))),
            // It closed, as was known: why tells more.
            Poll::Ready(Err(Failure::Closed(closed))) => {
                Poll::Ready(Err(Failure::of(self.refused.take().unwrap_or(closed))))
            }
            Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
            // What waits for it has to be asked again.
            Poll::Pending if continues => self.poll_answer(cx, request, listener),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut RequestBody,
    ) -> Poll<Result<(), Refusal>> {
        match &mut self.stream {
            Stream::Whole(io) => self.outgoing.poll(cx, io, body),
            Stream::Reading(..) | Stream::Gone => Poll::Pending,
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        to_head: bool,
        spare: &mut HeaderMap,
        early: &mut Early,
    ) -> Poll<Result<Head, Failure>> {
        loop {
            if ready!(self.poll_read(cx)).map_err(Failure::of)? == 0 {
                let error = io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(Failure::Closed(error)));
            }
            let head = head::parse(&mut self.read, to_head, spare, early);
            if let Some(head) = head.map_err(|flaw| Failure::Broken(flaw.into()))? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    fn begin(&mut self, head: Head, request: &mut Request<RequestBody>) -> Response<()> {
        self.body = head.body;
        self.keeps_alive = head.keeps_alive;
        self.is_plain = head.is_plain;
        if !self.outgoing.is_done() {
            // Who answers before it was asked whole may leave the rest unread, in the way of the next request.
            self.keeps_alive = false;
            let body = std::mem::replace(request.body_mut(), RequestBody::empty());
            self.stream
                .send_rest(std::mem::take(&mut self.outgoing), body);
        }
        head.response
    }

    /// The next frame of the answer's body, or `None` after the last.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match self.body.step(&mut self.read) {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Step::Trailers(fields)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(fields))));
                }
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(flaw) => return Poll::Ready(Some(Err(flaw.into()))),
            }
            if ready!(self.poll_read(cx))? == 0 {
                let closed = self.body.close().map_err(Into::into);
                return Poll::Ready(closed.err().map(Err));
            }
        }
    }

    /// Whether the answer is over, as far as is known.
    pub(super) fn is_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// What is left of the answer.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.body {
            Decoder::Length(left) => SizeHint::with_exact(left),
            Decoder::Chunked(_) | Decoder::UntilClose => SizeHint::default(),
        }
    }

    /// Ready when the app has sent nothing for `limit` after `since`.
    pub(super) fn poll_stalled(
        &mut self,
        cx: &mut Context<'_>,
        limit: Duration,
        since: Instant,
    ) -> Poll<()> {
        Stall::of(&mut self.stall, limit).poll(cx, || Some(since))
    }

    /// Reads what has come, as much at once as the app has shown to send.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(self.chunk);
        let read = ready!(self.stream.poll_read(cx, &mut self.read))?;
        if read >= self.chunk {
            self.chunk = LONGEST_READ.min(self.chunk * 2);
        } else if read < self.chunk / 4 {
            self.chunk = FIRST_READ.max(self.chunk / 2);
        }
        Poll::Ready(Ok(read))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}
