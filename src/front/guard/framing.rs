//! What a request's head says of its body, and what it may not say (RFC 9112, 6).

use std::fmt;

use super::field::{Ended, Value, Word};

/// What a head said so far of what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    length: Option<u64>,
    chunked: bool,
    may_switch: bool,
}

/// What follows a head, before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// What is wrong with a request's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Refusal {
    /// "Ought to be handled as an error" (RFC 9112, 6.1).
    LengthAndCoding,
    /// No number, or another one than before (RFC 9110, 8.6). hyper refuses these by itself.
    Length,
    /// Chunked may come once (RFC 9112, 6.1), and the other codings are not undone here.
    Coding,
}

impl Framing {
    /// Takes a word, and says whether its value matters.
    pub(super) fn found(&mut self, word: Word) -> Result<Option<Value>, Refusal> {
        match word {
            Word::Connect | Word::Upgrade => {
                self.may_switch = true;
                Ok(None)
            }
            Word::Length if self.chunked => Err(Refusal::LengthAndCoding),
            Word::Coding if self.length.is_some() => Err(Refusal::LengthAndCoding),
            Word::Coding if self.chunked => Err(Refusal::Coding),
            Word::Length => Ok(Some(Value::length())),
            Word::Coding => Ok(Some(Value::coding())),
        }
    }

    /// Takes a value. The same length twice is one length (RFC 9110, 8.6), as for hyper.
    pub(super) fn said(&mut self, value: Ended) -> Result<(), Refusal> {
        match value {
            Ended::Length(length) if self.length.is_none_or(|before| before == length) => {
                self.length = Some(length);
                Ok(())
            }
            Ended::Chunked => {
                self.chunked = true;
                Ok(())
            }
            Ended::Length(_) | Ended::NoLength => Err(Refusal::Length),
            Ended::NotChunked => Err(Refusal::Coding),
        }
    }

    pub(super) fn body(self) -> Body {
        match self.length {
            _ if self.chunked => Body::Chunked,
            None | Some(0) => Body::None,
            Some(length) => Body::Length(length),
        }
    }

    /// Whether the request's answer may be the last one of the connection's HTTP.
    pub(super) fn may_switch(self) -> bool {
        self.may_switch
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::Length => "Content-Length is not one number",
            Self::Coding => "Transfer-Encoding is not just `chunked`",
        })
    }
}
