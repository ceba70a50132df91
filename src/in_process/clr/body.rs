//! The body of the app's answer.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::exchange::Client;

/// The body of an answer of the app. Dropping it before its end tells the app that the client is gone.
pub struct ResponseBody {
    state: State,
}

enum State {
    All(Bytes),
    Stream(Client),
    Broken(Broken),
    End,
}

impl ResponseBody {
    pub(super) const fn empty() -> Self {
        Self { state: State::End }
    }

    pub(super) fn all(bytes: Bytes) -> Self {
        Self {
            state: State::All(bytes),
        }
    }

    pub(super) const fn stream(client: Client) -> Self {
        Self {
            state: State::Stream(client),
        }
    }

    pub(super) const fn broken(broken: Broken) -> Self {
        Self {
            state: State::Broken(broken),
        }
    }
}

impl Default for ResponseBody {
    /// No content.
    fn default() -> Self {
        Self::empty()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let State::Stream(client) = &self.state {
            let (frame, last) = ready!(client.poll_out(cx));
            if last {
                self.state = State::End;
            }
            return Poll::Ready(frame);
        }
        Poll::Ready(match std::mem::replace(&mut self.state, State::End) {
            State::All(bytes) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
            State::Broken(broken) => Some(Err(broken)),
            State::All(_) | State::Stream(_) | State::End => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::All(bytes) => bytes.is_empty(),
            State::Stream(_) | State::Broken(_) => false,
            State::End => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::All(bytes) => SizeHint::with_exact(bytes.len() as u64),
            State::Stream(_) | State::Broken(_) => SizeHint::default(),
            State::End => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// The app broke its answer off: the connection of HTTP/1.1 closes, the stream of HTTP/2 is reset.
#[derive(Debug)]
pub struct Broken {
    reset: h2::Error,
}

impl Broken {
    pub(super) fn new(code: u32) -> Self {
        Self {
            reset: h2::Reason::from(code).into(),
        }
    }

    /// The code that HTTP/2 says (RFC 9113, 7).
    #[must_use]
    pub fn code(&self) -> u32 {
        self.reset.reason().map_or(0, Into::into)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app broke its answer off")
    }
}

impl StdError for Broken {
    /// hyper finds the code for the reset here.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.reset)
    }
}
