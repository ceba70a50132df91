//! What can go wrong before there is an answer.

use std::io;

use crate::{error::BoxError, proxy::io::is_gone};

/// Why a request got no answer.
#[derive(Debug)]
pub(in crate::proxy) enum Failure {
    /// Not a byte of it was sent.
    Unsent(io::Error),
    /// The app closed before it answered.
    Closed(io::Error),
    /// What the app sent is not HTTP.
    Broken(BoxError),
    /// The app took too long.
    Stalled,
    /// The client did, with its body.
    Slow,
}

impl Failure {
    pub(super) fn of(error: io::Error) -> Self {
        if is_gone(error.kind()) {
            Self::Closed(error)
        } else {
            Self::Broken(error.into())
        }
    }
}
