//! What can go wrong before there is an answer, and what may be done about it.

use std::io;

use super::reset::Broken;
use crate::{error::BoxError, proxy::io::is_gone};

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not a byte of it was sent: the connection takes no more.
    Unsent(BoxError),
    /// The app says that it has done nothing about it (RFC 9113, 8.7): it refused the stream.
    Refused(BoxError),
    /// The same, by going away without it (RFC 9113, 6.8).
    Away(BoxError),
    /// The connection ended before there was an answer.
    Closed(BoxError),
    /// The app reset the stream, or what it sent is not HTTP/2.
    Broken(BoxError),
    /// The client's body broke off.
    Body(BoxError),
    /// The app took too long.
    Stalled,
    /// The client did, with its body.
    Slow,
}

impl Failure {
    /// What it means that a stream that was opened ended in `error`.
    pub(super) fn of(error: &h2::Error) -> Self {
        // Of streams that it may have seen, a `GOAWAY` of the app says nothing; they go on, or end with the connection.
        let refuses = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let broken = Broken::new(error).into();
        if error.is_remote() && error.is_go_away() {
            Self::Away(broken)
        } else if error.is_remote() && refuses {
            Self::Refused(broken)
        } else if error.get_io().map(io::Error::kind).is_some_and(is_gone) {
            Self::Closed(broken)
        } else {
            Self::Broken(broken)
        }
    }
}
