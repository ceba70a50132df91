//! Why a request is refused.

use std::fmt;

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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::Length => "Content-Length is not one number",
            Self::Coding => "Transfer-Encoding is not just `chunked`",
        })
    }
}
