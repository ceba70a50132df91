//! A driver's time in the runtime.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{super::Drained, seat::Seat};

/// Why a driver leaves the runtime.
pub(super) enum Left {
    ForErrands,
    ForGood(io::Result<Drained>),
}

/// A driver's time in the runtime: until there are errands, or the end.
///
/// What is ready when it comes is served first.
pub(super) struct Stay<'a> {
    seat: &'a Seat,
    /// Kept for its room.
    woken: &'a mut Vec<Waker>,
    entered: bool,
}

impl<'a> Stay<'a> {
    pub(super) const fn new(seat: &'a Seat, woken: &'a mut Vec<Waker>) -> Self {
        Self {
            seat,
            woken,
            entered: false,
        }
    }
}

impl Future for Stay<'_> {
    type Output = Left;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Left> {
        let this = &mut *self;
        if let Poll::Ready(drained) = this.seat.poll_end(cx) {
            return Poll::Ready(Left::ForGood(drained));
        }
        let first = !std::mem::replace(&mut this.entered, true);
        if first {
            this.seat.enter(cx.waker());
        }
        let errands = this.seat.poll_work(this.woken);
        this.woken.drain(..).for_each(Waker::wake);
        match (errands, first) {
            (true, false) => return Poll::Ready(Left::ForErrands),
            (true, true) => cx.waker().wake_by_ref(),
            (false, _) => {}
        }
        Poll::Pending
    }
}
