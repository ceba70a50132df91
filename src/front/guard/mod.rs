//! Refuses requests whose end different readers see at different places.
//!
//! hyper takes a request with both `Content-Length` and `Transfer-Encoding` by the latter and
//! drops the former before a service could know, and hands on a `gzip, chunked` body without
//! its coding. Both are how requests are smuggled past a proxy (RFC 9112, 11.2), so both are to
//! get 400 (RFC 9112, 6.1 and 6.3), and the only place that sees them is the way to hyper.
//!
//! So the guard runs ahead of hyper over the bytes that were just read. It follows the messages
//! exactly as hyper does: head, body, next head. When it meets such a field it overwrites one byte
//! of it with NUL, which is legal nowhere in a head. hyper refuses that head as it refuses any
//! other, with 400 and the end of the connection, and the service sees nothing of it.
//!
//! - Only a head is ever written to. A body is skipped by its length.
//! - Of a head only what decides about its end is understood. What hyper refuses anyway may be
//!   misread here: after it hyper reads nothing, so what the guard thinks of the rest is no matter.
//! - What follows a request that may switch protocols, by `Upgrade` or `CONNECT`, is a tunnel's or
//!   another request's, and only the answer tells. Until then it is held back: a tunnel's bytes
//!   are not touched, and a request's don't get past.
//! - A request line, ten fields and a blank line cost one search for each line's end and a look at
//!   each line's first byte. Nothing is allocated.

mod chunk;
mod field;
mod framing;

#[cfg(test)]
mod against_hyper;
#[cfg(any(test, fuzzing))]
pub(super) mod beside_hyper;
#[cfg(test)]
mod tests;

use self::{
    chunk::Chunk,
    field::{Progress, Value, Word},
    framing::{Body, Framing},
};

pub(super) use self::framing::Refusal;
use crate::lines::line_end;

/// How many of a connection's first bytes the guard lets pass: the guard by itself, to be measured.
#[doc(hidden)]
pub fn guard_bytes(bytes: &mut [u8]) -> usize {
    Guard::new().watch(bytes)
}

/// Not allowed in a request line (RFC 9112, 3), a field's name or its value (RFC 9110, 5.5).
const POISON: u8 = 0;

/// Follows one HTTP/1 connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    state: State,
    framing: Framing,
    requests: u32,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a request line; empty lines may come first (RFC 9112, 2.2).
    Start,
    /// At the start of a field's line, or of the empty one that ends the head.
    Line,
    /// After the CR of that empty line.
    LastLf,
    /// So many bytes into what may become a word.
    Word(Word, usize),
    /// In a line that says no more about the body.
    Rest,
    /// In a field's value.
    Value(Value),
    /// In a body with so many bytes left.
    Body(u64),
    /// In a chunked body.
    Chunks(Chunk),
    /// Behind a request whose answer decides what follows.
    Answer,
    /// In what hyper reads no request from.
    Off,
    /// Behind a byte that hyper refuses.
    Refused(Refusal),
}

impl Guard {
    /// Watches a connection from its first byte.
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            framing: Framing::default(),
            requests: 0,
        }
    }

    /// Watches nothing: what passes is not HTTP/1.
    pub(super) fn off() -> Self {
        Self {
            state: State::Off,
            ..Self::new()
        }
    }

    /// Looks at the bytes that follow those of the last call, and says how many hyper may see.
    ///
    /// Fewer than all only when what the others are depends on an [answer](Self::awaits_answer):
    /// give those again once it is there.
    pub(super) fn watch(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = bytes.get_mut(at..) {
            at += match self.state {
                State::Answer => return at,
                State::Off | State::Refused(_) => return bytes.len(),
                State::Start => self.start(rest),
                State::Line => self.lines(rest),
                State::Rest => self.rest(rest),
                State::Word(word, matched) => self.word(word, matched, rest),
                State::Body(left) => self.body(left, rest),
                State::Chunks(Chunk::Data(left)) => self.chunk_data(left, rest),
                State::Value(value) => self.value(value, rest),
                State::LastLf | State::Chunks(_) => self.byte(rest),
            };
        }
        at
    }

    /// Whether the last request has come to its end, and nothing of the next one.
    pub(super) fn is_between_requests(&self) -> bool {
        self.state == State::Start
    }

    /// Whether the next bytes are held back until the last request's answer tells what they are.
    pub(super) fn awaits_answer(&self) -> bool {
        self.state == State::Answer
    }

    /// How many requests' heads have passed; wraps around.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// The answer was an ordinary one: another request follows.
    pub(super) fn go_on(&mut self) {
        if self.awaits_answer() {
            self.state = State::Start;
        }
    }

    /// A tunnel began.
    pub(super) fn stop(&mut self) {
        self.state = State::Off;
    }

    /// Why a request was refused, if one was.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if let State::Refused(refusal) = self.state {
            Some(refusal)
        } else {
            None
        }
    }

    /// Goes past empty lines, to where a request line says whether it may switch protocols.
    fn start(&mut self, rest: &[u8]) -> usize {
        let empty = (rest.iter()).take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let at = empty.count();
        if let Some(first) = rest.get(at) {
            self.framing = Framing::default();
            self.state =
                Word::of_request_line(*first).map_or(State::Rest, |word| State::Word(word, 0));
        }
        at
    }

    /// Goes past the lines that say nothing about the body, up to the one that may.
    fn lines(&mut self, rest: &[u8]) -> usize {
        let mut at = 0;
        while let Some(line @ [first, ..]) = rest.get(at..) {
            match (Word::of_field(line), first) {
                (Some(word), _) => {
                    self.state = State::Word(word, 0);
                    return at;
                }
                (None, b'\r') => {
                    self.state = State::LastLf;
                    return at + 1;
                }
                (None, b'\n') => {
                    self.state = self.head_ended();
                    return at + 1;
                }
                (None, _) => match line_end(line) {
                    Some(end) => at += end + 1,
                    None => {
                        self.state = State::Rest;
                        return rest.len();
                    }
                },
            }
        }
        at
    }

    /// Goes to the line's end. A legal head has an LF nowhere else.
    fn rest(&mut self, rest: &[u8]) -> usize {
        match line_end(rest) {
            Some(end) => {
                self.state = State::Line;
                end + 1
            }
            None => rest.len(),
        }
    }

    fn word(&mut self, word: Word, matched: usize, rest: &mut [u8]) -> usize {
        let (used, progress) = word.follow(matched, rest);
        self.state = match (progress, rest.get_mut(used.saturating_sub(1))) {
            (Progress::Partial(matched), _) => State::Word(word, matched),
            (Progress::Whole, Some(last)) => match self.framing.found(word) {
                Ok(Some(value)) => State::Value(value),
                Ok(None) => State::Rest,
                Err(refusal) => refuse(last, refusal),
            },
            (Progress::Whole, None) | (Progress::Other, _) => State::Rest,
        };
        used
    }

    fn value(&mut self, mut value: Value, rest: &mut [u8]) -> usize {
        for (at, byte) in rest.iter_mut().enumerate() {
            match value.then(*byte) {
                Ok(then) => value = then,
                Err(ended) => {
                    self.state = match self.framing.said(ended) {
                        Ok(()) => State::Line,
                        Err(refusal) => refuse(byte, refusal),
                    };
                    return at + 1;
                }
            }
        }
        self.state = State::Value(value);
        rest.len()
    }

    fn body(&mut self, left: u64, rest: &[u8]) -> usize {
        let (used, left) = skip(left, rest);
        self.state = match left {
            0 => self.next_message(),
            left => State::Body(left),
        };
        used
    }

    fn chunk_data(&mut self, left: u64, rest: &[u8]) -> usize {
        let (used, left) = skip(left, rest);
        self.state = State::Chunks(Chunk::data(left));
        used
    }

    /// Takes the first byte of `rest`.
    fn byte(&mut self, rest: &[u8]) -> usize {
        let Some(byte) = rest.first() else {
            return 0;
        };
        self.state = match (self.state, *byte) {
            (State::LastLf, b'\n') => self.head_ended(),
            // hyper ends the body with an error and the connection with it.
            (State::Chunks(chunk), next) => match chunk.then(next) {
                Some(Chunk::End) => self.next_message(),
                Some(chunk) => State::Chunks(chunk),
                None => State::Off,
            },
            // A CR without its LF: hyper refuses the head.
            _ => State::Off,
        };
        1
    }

    fn head_ended(&mut self) -> State {
        self.requests = self.requests.wrapping_add(1);
        match self.framing.body() {
            Body::None => self.next_message(),
            Body::Length(length) => State::Body(length),
            Body::Chunked => State::Chunks(Chunk::Start),
        }
    }

    fn next_message(&self) -> State {
        if self.framing.may_switch() {
            State::Answer
        } else {
            State::Start
        }
    }
}

fn refuse(byte: &mut u8, refusal: Refusal) -> State {
    *byte = POISON;
    State::Refused(refusal)
}

/// How many of the bytes belong to the `left` ones, and how many of those are left then.
fn skip(left: u64, bytes: &[u8]) -> (usize, u64) {
    let used = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (used, left.saturating_sub(used as u64))
}
