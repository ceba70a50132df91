//! The answer on its way to the client.

mod taken;

use std::task::Waker;

pub(in super::super) use self::taken::{Rest, Waiter};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tracing::warn;

use super::{
    super::abi,
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
pub(in super::super::super) enum Phase {
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
pub(in super::super::super) struct Answer {
    pub(in super::super::super) phase: Phase,
    /// All of a short body.
    pub(in super::super) first: Bytes,
    /// What the client has not taken of a long one.
    out: BytesMut,
    /// The app frames the body itself.
    framed: Option<Box<Framed>>,
    trailers: Option<HeaderMap>,
    /// The managed side said that this was all.
    pub(in super::super) ended: bool,
    /// It broke off, with this code: after what it gave before, which goes out first.
    cut: Option<u32>,
    /// What it gave before is on its way.
    flushed: bool,
    /// `on_write_ready` is owed.
    pub(in super::super) owes_write: bool,
    /// Who waits for the head, or for more of the body.
    waker: Option<Waker>,
    /// The quick way to there.
    post: Option<Post>,
    /// Whether the method is `HEAD`.
    head_only: bool,
    /// Whether a success begins another protocol (RFC 8441).
    extended_connect: bool,
    pub(in super::super) upgrade: Option<OnUpgrade>,
    pub(in super::super) tunnel: super::tunnel::Intake,
}

impl Answer {
    /// To a request. `upgrade` is how its connection becomes another protocol's, where it may.
    pub(in super::super::super) fn new(
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
    pub(in super::super::super) const fn will_switch(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Reads what came of the new protocol; `None`: nothing is here yet, and this is who fetches more.
    pub(in super::super::super) fn read_tunnel(
        &mut self,
        buffer: &mut [u8],
    ) -> (Option<usize>, Option<Waker>) {
        self.tunnel.read(buffer)
    }

    /// Takes the head and the first bytes, of a body that is in chunks of the app's own if it is `framed`.
    pub(in super::super::super) fn start(
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
    pub(in super::super::super) fn write(&mut self, body: &[u8], end: bool) -> i32 {
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
    pub(in super::super::super) fn trail(&mut self, trailers: HeaderMap) -> i32 {
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
    pub(in super::super) fn cut(&mut self, code: u32) {
        match self.phase {
            Phase::Waiting | Phase::Tunnel => self.break_off(code),
            Phase::Started(_) | Phase::Streaming => {
                self.cut.get_or_insert(code);
            }
            Phase::Done | Phase::Broken(_) => {}
        }
    }

    /// Whether the managed side has nothing more to say here.
    pub(in super::super::super) const fn is_broken(&self) -> bool {
        self.cut.is_some() || matches!(self.phase, Phase::Broken(_))
    }

    /// The client gets no more than it has.
    pub(in super::super::super) fn break_off(&mut self, code: u32) {
        if matches!(self.phase, Phase::Done | Phase::Broken(_)) {
            return;
        }
        self.phase = Phase::Broken(code);
        self.first = Bytes::new();
        self.out = BytesMut::new();
        self.trailers = None;
        self.upgrade = None;
    }
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
