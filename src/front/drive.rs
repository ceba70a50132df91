//! Drives a connection as its [pulse](super::pulse) says: to its end, until it is cut, or until it rests.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use super::{
    io::Io,
    pulse::{Order, Pulse},
};

/// How far a connection was driven.
pub(super) enum Driven<T> {
    /// To its end.
    Ended(T),
    /// Until it was to end.
    Cut,
    /// Until it had nothing more to do, for the time being.
    Rests,
}

/// Polls a connection until it ends, is to end now, or may rest.
///
/// The connection comes first: what arrived before an order counts as begun.
pub(super) async fn drive<C>(
    mut connection: Pin<&mut C>,
    pulse: &Pulse,
    finish: fn(Pin<&mut C>),
) -> Driven<C::Output>
where
    C: Future,
{
    let mut finishing = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Driven::Ended(ended));
        }
        match pulse.order() {
            // Of HTTP/1, the next answer says so.
            Order::Retire if !pulse.is_http2() && !pulse.take_rest() => Poll::Pending,
            Order::Retire if !pulse.is_http2() => Poll::Ready(Driven::Rests),
            Order::Retire | Order::Finish if !finishing => {
                finishing = true;
                finish(connection.as_mut());
                connection.as_mut().poll(cx).map(Driven::Ended)
            }
            Order::None if pulse.take_rest() => Poll::Ready(Driven::Rests),
            Order::None | Order::Retire | Order::Finish => Poll::Pending,
            Order::End => Poll::Ready(Driven::Cut),
        }
    })
    .await
}

/// Waits for a client's next byte, its end, or an order, with what hyper had for it given back.
///
/// Whatever it was, hyper then finds it as if it had waited itself.
pub(super) async fn rest(io: &mut Io, pulse: &Pulse) {
    pulse.set_resting(true);
    let mut next = pin!(io.rest());
    poll_fn(|cx| match next.as_mut().poll(cx) {
        // Who is to leave is told so by its next answer.
        Poll::Pending if matches!(pulse.order(), Order::None | Order::Retire) => Poll::Pending,
        Poll::Pending | Poll::Ready(()) => Poll::Ready(()),
    })
    .await;
    pulse.set_resting(false);
}
