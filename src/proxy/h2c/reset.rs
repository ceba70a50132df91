//! With which code a stream is broken off on one side when it was on the other (RFC 9113, 7).

use std::{error::Error as StdError, fmt};

use h2::Reason;

/// What is said on the other side of what one side said with `reason`.
///
/// A code that speaks of the request passes; so does one that HTTP/2 does not know. What speaks of the connection, of
/// its rules, or says that all is well or nothing was done, would be a lie there: it becomes `otherwise`.
pub(super) fn kept(reason: Reason, otherwise: Reason) -> Reason {
    match reason {
        Reason::NO_ERROR
        | Reason::PROTOCOL_ERROR
        | Reason::FLOW_CONTROL_ERROR
        | Reason::SETTINGS_TIMEOUT
        | Reason::STREAM_CLOSED
        | Reason::FRAME_SIZE_ERROR
        | Reason::REFUSED_STREAM
        | Reason::COMPRESSION_ERROR
        | Reason::CONNECT_ERROR
        | Reason::INADEQUATE_SECURITY
        | Reason::HTTP_1_1_REQUIRED => otherwise,
        kept => kept,
    }
}

/// What the app is told of a request whose client ended it with `error`: that nobody wants its answer any more, unless
/// the client said something else.
pub(super) fn of_client(error: &(dyn StdError + 'static)) -> Reason {
    kept(find(error).unwrap_or(Reason::CANCEL), Reason::CANCEL)
}

/// The code within `error` or its causes.
fn find(error: &(dyn StdError + 'static)) -> Option<Reason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason();
        }
        cause = error.source();
    }
    None
}

/// A stream that the app did not bring to its end.
///
/// Its source is found by hyper, whose server resets the client's stream with that code, or with `INTERNAL_ERROR` where
/// there is none.
#[derive(Debug)]
pub(super) struct Broken {
    what: String,
    code: Option<h2::Error>,
}

impl Broken {
    /// What `error` of the app's stream or connection says, and what of it is for the client.
    pub(super) fn new(error: &h2::Error) -> Self {
        let reason = error
            .reason()
            .filter(|_| error.is_reset() && error.is_remote());
        Self {
            what: error.to_string(),
            code: reason.map(|reason| kept(reason, Reason::INTERNAL_ERROR).into()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.code.as_ref().map(|code| code as _)
    }
}
