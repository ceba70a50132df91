//! The answer on its way to the client.

use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use hyper::upgrade::OnUpgrade;
use tracing::warn;

use super::{
    super::{abi, body::Broken},
    framed::{Framed, Reach},
};
use crate::{front::lend::Post, headers};

/// A writer that is this far ahead of its client has to wait, in bytes: as for Kestrel's own.
///
/// It may go on once hyper took what there is, which it does only while its own buffer has room.
const HIGH_WATER: usize = 64 * 1024;

/// Who writes a piece of this length writes more of them, most likely. In bytes.
const LONG_PIECE: usize = 16 * 1024;

/// How far an answer came.
pub(in super::super) enum Phase {
    /// No head yet.
    Waiting,
    /// A head that the client has not taken yet.
    Started(Box<Response<()>>),
    /// A body follows.
    Streaming,
    /// The connection speaks another protocol.
    Tunnel,
    /// The client has all that it will get.
    Done,
    /// Broken off, with HTTP/2's error code.
    Broken(u32),
}

/// An answer.
pub(in super::super) struct Answer {
    pub(in super::super) phase: Phase,
    /// All of a short body.
    pub(super) first: Bytes,
    /// What the client has not taken of a long one.
    out: BytesMut,
    /// The app frames the body itself.
    framed: Option<Box<Framed>>,
    trailers: Option<HeaderMap>,
    /// The managed side said that this was all.
    pub(super) ended: bool,
    /// It broke off, with this code: after what it gave before, which goes out first.
    cut: Option<u32>,
    /// What it gave before is on its way.
    flushed: bool,
    /// `on_write_ready` is owed.
    pub(super) owes_write: bool,
    /// Who waits for the head, or for more of the body.
    waker: Option<Waker>,
    /// The quick way to there.
    post: Option<Post>,
    /// Whether the method is `HEAD`.
    head_only: bool,
    /// Whether a success begins another protocol (RFC 8441).
    extended_connect: bool,
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) tunnel: super::tunnel::Intake,
}

impl Answer {
    /// To a request. `upgrade` is how its connection becomes another protocol's, where it may.
    pub(in super::super) fn new(
        head_only: bool,
        extended_connect: bool,
        upgrade: Option<OnUpgrade>,
    ) -> Self {
        Self {
            phase: Phase::Waiting,
            first: Bytes::new(),
            out: BytesMut::new(),
            framed: None,
            trailers: None,
            ended: false,
            cut: None,
            flushed: false,
            owes_write: false,
            waker: None,
            post: Post::here(),
            head_only,
            extended_connect,
            upgrade,
            tunnel: super::tunnel::Intake::default(),
        }
    }

    /// Whether `status` begins another protocol.
    fn switches(&self, status: StatusCode) -> bool {
        self.upgrade.is_some()
            && (status == StatusCode::SWITCHING_PROTOCOLS
                || self.extended_connect && status.is_success())
    }

    fn has_body(&self, status: StatusCode) -> bool {
        !self.head_only && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
    }

    /// Whether the head that was given begins another protocol.
    pub(in super::super) const fn will_switch(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Reads what came of the new protocol; `None`: nothing is here yet, and this is who fetches more.
    pub(in super::super) fn read_tunnel(
        &mut self,
        buffer: &mut [u8],
    ) -> (Option<usize>, Option<Waker>) {
        self.tunnel.read(buffer)
    }

    /// Takes the head and the first bytes, of a body that is in chunks of the app's own if it is `framed`.
    pub(in super::super) fn start(
        &mut self,
        response: Response<()>,
        body: &[u8],
        end: bool,
        framed: bool,
    ) -> i32 {
        match self.phase {
            Phase::Waiting => {}
            Phase::Broken(_) => return abi::GONE,
            _ if self.cut.is_some() => return abi::GONE,
            Phase::Started(_) | Phase::Streaming | Phase::Tunnel | Phase::Done => {
                return abi::INVALID;
            }
        }
        let status = response.status();
        let switches = self.switches(status);
        if status.is_informational() && !switches {
            return abi::INVALID;
        }
        if !switches {
            self.upgrade = None;
        }
        self.ended = end;
        let has_body = self.has_body(status);
        self.phase = Phase::Started(Box::new(response));
        if !has_body && !switches {
            return abi::OK;
        }
        if framed && !switches {
            self.framed = Some(Box::new(Framed::new()));
        } else if end {
            self.first = Bytes::copy_from_slice(body);
            return abi::OK;
        }
        self.put(body)
    }

    /// Takes more of the body, or of the new protocol.
    pub(in super::super) fn write(&mut self, body: &[u8], end: bool) -> i32 {
        match &self.phase {
            Phase::Broken(_) => return abi::GONE,
            _ if self.cut.is_some() => return abi::GONE,
            Phase::Waiting => return abi::INVALID,
            // After the last chunk there is nothing that the client could be given.
            _ if self.ended && self.framed.is_some() => return abi::OK,
            _ if self.ended => return abi::INVALID,
            Phase::Started(response) => {
                if !self.has_body(response.status()) && self.upgrade.is_none() {
                    self.ended = end;
                    return abi::OK;
                }
            }
            Phase::Done => {
                self.ended = end;
                return abi::OK;
            }
            Phase::Streaming | Phase::Tunnel => {}
        }
        self.ended = end;
        self.put(body)
    }

    fn put(&mut self, body: &[u8]) -> i32 {
        self.make_room(body.len());
        match self.framed.as_mut() {
            None => self.out.extend_from_slice(body),
            Some(framed) => match framed.read(body, &mut self.out) {
                Ok(Reach::Over(trailers)) => {
                    self.ended = true;
                    self.trailers = trailers.map(|mut trailers| {
                        headers::clean_trailers(&mut trailers);
                        trailers
                    });
                }
                Ok(Reach::More) if !self.ended => {}
                Ok(Reach::More) => self.misframed("the last chunk is missing"),
                Err(flaw) => self.misframed(flaw),
            },
        }
        if self.out.len() > HIGH_WATER && !self.ended {
            self.owes_write = true;
            return abi::PENDING;
        }
        abi::OK
    }

    /// The chunks that the app makes itself are none: the client gets what came before, and no end.
    fn misframed(&mut self, flaw: &'static str) {
        warn!(
            flaw,
            "The app frames its answer itself, by `Transfer-Encoding: chunked`, and not well"
        );
        self.cut(abi::INTERNAL_ERROR);
    }

    /// Takes room at once for all that a writer of long pieces may be ahead: nothing is moved then when the next piece comes, and
    /// what hyper has sent is used again.
    fn make_room(&mut self, piece: usize) {
        let room = self.out.capacity() - self.out.len();
        if piece > room && piece >= LONG_PIECE && !self.ended {
            let most = HIGH_WATER + piece;
            self.out
                .reserve(most.saturating_sub(self.out.len()).max(piece));
        }
    }

    /// Takes the trailers, after which nothing comes.
    pub(in super::super) fn trail(&mut self, trailers: HeaderMap) -> i32 {
        match self.phase {
            Phase::Broken(_) => abi::GONE,
            _ if self.cut.is_some() => abi::GONE,
            _ if self.framed.is_some() => self.write(&[], true),
            Phase::Started(_) | Phase::Streaming if !self.ended => {
                self.ended = true;
                self.trailers = Some(trailers);
                abi::OK
            }
            Phase::Done if !self.ended => {
                self.ended = true;
                abi::OK
            }
            Phase::Waiting | Phase::Started(_) | Phase::Streaming | Phase::Tunnel | Phase::Done => {
                abi::INVALID
            }
        }
    }

    /// The managed side breaks off. What it gave before goes out; an answer that was whole stays so.
    pub(super) fn cut(&mut self, code: u32) {
        match self.phase {
            Phase::Waiting | Phase::Tunnel => self.break_off(code),
            Phase::Started(_) | Phase::Streaming => {
                self.cut.get_or_insert(code);
            }
            Phase::Done | Phase::Broken(_) => {}
        }
    }

    /// Whether the managed side has nothing more to say here.
    pub(in super::super) const fn is_broken(&self) -> bool {
        self.cut.is_some() || matches!(self.phase, Phase::Broken(_))
    }

    /// The client gets no more than it has.
    pub(in super::super) fn break_off(&mut self, code: u32) {
        if matches!(self.phase, Phase::Done | Phase::Broken(_)) {
            return;
        }
        self.phase = Phase::Broken(code);
        self.first = Bytes::new();
        self.out = BytesMut::new();
        self.trailers = None;
        self.upgrade = None;
    }

    /// The head, once it is there, and how the rest of the answer comes.
    pub(super) fn poll_head(&mut self, cx: &Context<'_>) -> Poll<(Response<()>, Rest)> {
        let phase = std::mem::replace(&mut self.phase, Phase::Waiting);
        match phase {
            Phase::Started(response) => {
                let rest = self.rest(response.status());
                Poll::Ready((*response, rest))
            }
            Phase::Broken(code) => {
                self.phase = Phase::Broken(code);
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Poll::Ready((response, Rest::Broken(Broken::new(code))))
            }
            Phase::Waiting | Phase::Streaming | Phase::Tunnel | Phase::Done => {
                self.phase = phase;
                self.wait(cx);
                Poll::Pending
            }
        }
    }

    fn rest(&mut self, status: StatusCode) -> Rest {
        if let Some(upgrade) = self.upgrade.take() {
            self.phase = Phase::Tunnel;
            return Rest::Tunnel(upgrade);
        }
        if !self.has_body(status) {
            self.phase = Phase::Done;
            return Rest::None;
        }
        if self.ended && self.cut.is_none() && self.trailers.is_none() {
            self.phase = Phase::Done;
            let all = match self.out.is_empty() {
                true => std::mem::take(&mut self.first),
                false => self.out.split().freeze(),
            };
            return Rest::All(all);
        }
        self.phase = Phase::Streaming;
        // What was ended at once, and broken off after it.
        self.out.extend_from_slice(&std::mem::take(&mut self.first));
        Rest::Stream
    }

    /// What the client may take now, and whether that was the last of it.
    pub(super) fn poll_out(
        &mut self,
        cx: &Context<'_>,
        write_ready: &mut bool,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Phase::Broken(code) = self.phase {
            return Poll::Ready(Some(Err(Broken::new(code))));
        }
        if !self.out.is_empty() {
            let data = self.out.split().freeze();
            *write_ready = std::mem::take(&mut self.owes_write);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(code) = self.cut {
            if !std::mem::replace(&mut self.flushed, true) {
                // hyper sends what it has when it has to wait, and drops it when a body fails.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.phase = Phase::Broken(code);
            return Poll::Ready(Some(Err(Broken::new(code))));
        }
        if !self.ended {
            self.wait(cx);
            return Poll::Pending;
        }
        match self.trailers.take() {
            Some(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            None => {
                self.phase = Phase::Done;
                Poll::Ready(None)
            }
        }
    }

    /// Whether the client took the last of it.
    pub(super) fn is_at_end(&mut self) -> bool {
        let end =
            self.ended && self.cut.is_none() && self.out.is_empty() && self.trailers.is_none();
        if end && matches!(self.phase, Phase::Streaming) {
            self.phase = Phase::Done;
        }
        end
    }

    /// Who waits for what was just given.
    pub(in super::super) fn waiter(&mut self) -> Option<Waiter> {
        let waker = self.waker.take()?;
        Some(Waiter {
            waker,
            post: self.post.clone(),
        })
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// A client's task that waits.
pub(in super::super) struct Waiter {
    waker: Waker,
    post: Option<Post>,
}

impl Waiter {
    /// Not under a lock.
    pub(in super::super) fn wake(self) {
        match self.post {
            Some(post) => post.wake(self.waker),
            None => self.waker.wake(),
        }
    }
}

/// How an answer goes on after its head.
pub(in super::super) enum Rest {
    None,
    All(Bytes),
    Stream,
    Tunnel(OnUpgrade),
    Broken(Broken),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pieces_are_not_moved_when_more_come() {
        let mut answer = Answer::new(false, false, None);
        let piece = vec![7; HIGH_WATER - 1];
        assert_eq!(
            answer.start(Response::new(()), &piece, false, false),
            abi::OK
        );
        let before = answer.out.as_ptr();
        assert_eq!(answer.write(&piece, false), abi::PENDING);
        assert_eq!(answer.out.as_ptr(), before);
        assert_eq!(answer.out.len(), 2 * piece.len());
        drop(answer.out.split());
        assert_eq!(answer.write(&piece, false), abi::OK);
        assert_eq!(answer.out.as_ptr(), before, "what was sent is used again");
    }

    #[test]
    fn short_pieces_take_no_more_than_they_need() {
        let mut answer = Answer::new(false, false, None);
        answer.start(Response::new(()), &[7; 100], false, false);
        assert!(answer.out.capacity() < LONG_PIECE);
    }
}
