//! What the client takes of an answer, and how it waits for more.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Frame;
use hyper::upgrade::OnUpgrade;

use super::{Answer, Phase};
use crate::{front::lend::Post, in_process::clr::body::Broken};

impl Answer {
    /// The head, once it is there, and how the rest of the answer comes.
    pub(in super::super) fn poll_head(&mut self, cx: &Context<'_>) -> Poll<(Response<()>, Rest)> {
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
    pub(in super::super) fn poll_out(
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
    pub(in super::super) fn is_at_end(&mut self) -> bool {
        let end =
            self.ended && self.cut.is_none() && self.out.is_empty() && self.trailers.is_none();
        if end && matches!(self.phase, Phase::Streaming) {
            self.phase = Phase::Done;
        }
        end
    }

    /// Who waits for what was just given.
    pub(in super::super::super) fn waiter(&mut self) -> Option<Waiter> {
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
pub(in super::super::super) struct Waiter {
    waker: Waker,
    post: Option<Post>,
}

impl Waiter {
    /// Not under a lock.
    pub(in super::super::super) fn wake(self) {
        match self.post {
            Some(post) => post.wake(self.waker),
            None => self.waker.wake(),
        }
    }
}

/// How an answer goes on after its head.
pub(in crate::in_process::clr) enum Rest {
    None,
    All(Bytes),
    Stream,
    Tunnel(OnUpgrade),
    Broken(Broken),
}
