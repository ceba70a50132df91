//! The client's hold on an exchange.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Frame;

use super::{
    super::{
        body::{Broken, ResponseBody},
        slots::Slot,
    },
    After,
    answer::Rest,
    detach, tunnel,
};

/// What a body gives when it is asked.
type NextFrame = Option<Result<Frame<Bytes>, Broken>>;

/// Lets go when it is dropped; what the client had not got by then, it does not want any more.
pub(in super::super) struct Client {
    pub(super) slot: &'static Slot,
}

impl Client {
    /// Of the exchange that was just opened in `slot`.
    pub(in super::super) const fn new(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// The head of the answer, and how the rest of it comes.
    pub(in super::super) fn poll_head(&self, cx: &Context<'_>) -> Poll<(Response<()>, Rest)> {
        match self.slot.lock().of_client() {
            Some(exchange) => exchange.answer.poll_head(cx),
            None => Poll::Pending,
        }
    }

    /// The answer, of which the head was just taken.
    pub(in super::super) fn answer(
        self,
        (head, rest): (Response<()>, Rest),
    ) -> Response<ResponseBody> {
        let body = match rest {
            Rest::None => ResponseBody::empty(),
            Rest::All(bytes) => ResponseBody::all(bytes),
            Rest::Stream => ResponseBody::stream(self),
            Rest::Broken(broken) => ResponseBody::broken(broken),
            Rest::Tunnel(upgrade) => {
                tunnel::open(upgrade, self);
                ResponseBody::empty()
            }
        };
        head.map(|()| body)
    }

    /// More of the body, and whether it is the last.
    pub(in super::super) fn poll_out(&self, cx: &Context<'_>) -> Poll<(NextFrame, bool)> {
        let id = self.slot.id();
        let mut after = After::default();
        let mut state = self.slot.lock();
        let Some(exchange) = state.of_client() else {
            return Poll::Ready((None, true));
        };
        let answer = &mut exchange.answer;
        let polled = answer.poll_out(cx, &mut after.write_ready);
        let last = answer.is_at_end();
        after.write_ready &= !exchange.completed;
        drop(state);
        if after.write_ready
            && let Some(native) = self.slot.native(id)
        {
            after.run(native, id);
        }
        polled.map(|frame| (frame, last))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        detach(self.slot);
    }
}
