//! What a connection does, told in a few relaxed atomics, and what it is told to do.
//!
//! The hot path only counts. Once in a while the thread's [sweep](super::clients) looks at the
//! counts of every connection and at the clock. So a request costs no timer and no clock reading.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
};

use super::early::Early;
use crate::websocket::Cut;

/// Shared by a connection's socket, its requests and its thread's sweep. All on one thread, so no
/// ordering is needed; atomics only because the types must be `Send`.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Requests whose response has not ended.
    in_flight: AtomicU32,
    /// How many requests began or ended.
    turns: AtomicU32,
    /// How many writes the socket took.
    writes: AtomicU32,
    /// Response bodies that gave a frame and were not asked for the next: the client's window is
    /// full. By the term in which they gave it.
    waiting_bodies: [AtomicU32; 2],
    /// Whether it is the second of two terms, which alternate.
    second_term: AtomicBool,
    /// How many frames response bodies gave.
    frames: AtomicU32,
    /// Streams of HTTP/2 that are tunnels.
    tunnels: AtomicU32,
    /// The answer to the request of an HTTP/1 connection has begun.
    answered: AtomicBool,
    /// Something is to be said before the answer.
    has_early: AtomicBool,
    /// Something was read since the last turn.
    heard: AtomicBool,
    /// The socket did not take the last write.
    blocked: AtomicBool,
    /// Bytes were written that were not flushed yet.
    unflushed: AtomicBool,
    /// Streams are multiplexed, so what is read does not tell that a head began.
    http2: AtomicBool,
    /// The socket went over to a tunnel.
    tunnel: AtomicBool,
    /// A request was answered with a switch of protocols.
    switched: AtomicBool,
    /// What was read is held back until the last request ended.
    held_back: AtomicBool,
    /// hyper waits for the first byte of another request, or will once the last is answered, and has nothing of it.
    ready_to_rest: AtomicBool,
    /// It is time to rest for who is ready for it.
    may_rest: AtomicBool,
    resting: AtomicBool,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
    /// Breaks the tunnel off that was just opened on a stream.
    cut: Mutex<Option<Cut>>,
    /// What was said before the answer; in a box, because it is seldom.
    early: Mutex<Option<Box<Early>>>,
}

/// What the connection does at the moment. A change of it, or of its count, starts a new limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Receives a request's head, or waits for the first byte of the first.
    Head(u32),
    /// Waits for another request.
    Idle(u32),
    /// Serves a request: the app's time, not the client's.
    Busy,
    /// Waits for the client to take bytes.
    Blocked(u32),
    /// Is no HTTP connection any more.
    Tunnel,
}

/// When a body gave a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term(bool);

/// What the connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    None,
    /// Go with the next answer.
    Retire,
    /// Finish what was begun, take no more.
    Finish,
    /// End now.
    End,
}

impl Pulse {
    pub(super) fn phase(&self) -> Phase {
        if self.tunnel.load(Relaxed) {
            return Phase::Tunnel;
        }
        if self.blocked.load(Relaxed) {
            return Phase::Blocked(self.writes.load(Relaxed));
        }
        if self
            .waiting_bodies
            .iter()
            .any(|term| term.load(Relaxed) > 0)
        {
            return Phase::Blocked(self.frames.load(Relaxed));
        }
        if self.in_flight.load(Relaxed) > 0 || self.tunnels() > 0 {
            return Phase::Busy;
        }
        let turns = self.turns.load(Relaxed);
        let head = self.heard.load(Relaxed) && !self.http2.load(Relaxed);
        if turns == 0 || head {
            Phase::Head(turns)
        } else {
            Phase::Idle(turns)
        }
    }

    /// Whether anything came since the last request.
    pub(super) fn heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// Whether everything written so far left for the client.
    pub(super) fn flushed(&self) -> bool {
        !self.unflushed.load(Relaxed)
    }

    pub(super) fn request_began(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.answered.store(false, Relaxed);
        self.turn();
    }

    pub(super) fn request_ended(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
        self.turn();
        if self.held_back.load(Relaxed) {
            self.held_back.store(false, Relaxed);
            self.wake();
        }
    }

    pub(super) fn set_answered(&self) {
        self.answered.store(true, Relaxed);
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// How many requests began or ended.
    pub(super) fn turns(&self) -> u32 {
        self.turns.load(Relaxed)
    }

    pub(super) fn early(&self) -> MutexGuard<'_, Option<Box<Early>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_early(&self, there: bool) {
        self.has_early.store(there, Relaxed);
    }

    /// Whether something is to be said before the answer, or was begun to be.
    pub(super) fn has_early(&self) -> bool {
        self.has_early.load(Relaxed)
    }

    /// Whether so many requests have come on an HTTP/1 connection, and all of them ended.
    pub(super) fn has_served(&self, requests: u32) -> bool {
        self.turns.load(Relaxed) == requests.wrapping_mul(2)
    }

    /// What is read from now on is a tunnel's: known as soon as the answer is.
    pub(super) fn set_switched(&self) {
        self.switched.store(true, Relaxed);
    }

    /// A stream of HTTP/2 becomes a tunnel, which can be `cut`.
    pub(super) fn set_stream_switched(&self, cut: Cut) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
        self.set_switched();
    }

    /// Whether an answer made a tunnel of a stream since this was last asked.
    pub(super) fn take_switched(&self) -> Option<Cut> {
        if !self.has_switched() {
            return None;
        }
        self.switched.store(false, Relaxed);
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        Some(cut.take().unwrap_or_default())
    }

    pub(super) fn tunnel_began(&self) {
        self.tunnels.fetch_add(1, Relaxed);
        self.turn();
    }

    pub(super) fn tunnel_ended(&self) {
        self.tunnels.fetch_sub(1, Relaxed);
        self.turn();
    }

    /// How many streams of an HTTP/2 connection are tunnels.
    pub(super) fn tunnels(&self) -> u32 {
        self.tunnels.load(Relaxed)
    }

    pub(super) fn has_switched(&self) -> bool {
        self.switched.load(Relaxed)
    }

    /// hyper wants to read, and nothing is there: so it has nothing of a request left. `between` tells that what comes
    /// next begins another one. hyper may have asked before the last answer ended, and asks but once.
    pub(super) fn waits(&self, between: bool) {
        self.ready_to_rest.store(between, Relaxed);
    }

    /// Whether it waits for another request, with more than its socket held for it.
    pub(super) fn could_rest(&self) -> bool {
        self.ready_to_rest.load(Relaxed) && !self.resting.load(Relaxed)
    }

    /// Has the connection's task [rest](Self::could_rest) if it still could.
    pub(super) fn let_rest(&self) {
        self.may_rest.store(true, Relaxed);
        self.wake();
    }

    /// Whether to rest now: told once.
    pub(super) fn take_rest(&self) -> bool {
        if !self.may_rest.load(Relaxed) {
            return false;
        }
        self.may_rest.store(false, Relaxed);
        self.ready_to_rest.load(Relaxed) && !self.is_busy() && self.flushed() && !self.heard()
    }

    pub(super) fn set_resting(&self, resting: bool) {
        self.resting.store(resting, Relaxed);
    }

    /// Whether a request is served.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// Has the connection's task woken when the last request ends.
    pub(super) fn hold_back(&self) {
        self.held_back.store(true, Relaxed);
    }

    /// The term in which it was, to be [told](Self::body_was_asked) when the next frame is asked for.
    pub(super) fn body_gave(&self) -> Term {
        bump(&self.frames);
        let term = Term(self.second_term.load(Relaxed));
        bump(self.waiting_in(term));
        term
    }

    pub(super) fn body_was_asked(&self, term: Term) {
        let waiting = self.waiting_in(term);
        waiting.store(waiting.load(Relaxed).wrapping_sub(1), Relaxed);
    }

    fn waiting_in(&self, Term(is_second): Term) -> &AtomicU32 {
        let [first, second] = &self.waiting_bodies;
        if is_second { second } else { first }
    }

    /// Begins another term, unless a body waits since the one before; whether one does.
    pub(super) fn is_stuck(&self) -> bool {
        let other = !self.second_term.load(Relaxed);
        let stuck = self.waiting_in(Term(other)).load(Relaxed) > 0;
        if !stuck {
            self.second_term.store(other, Relaxed);
        }
        stuck
    }

    pub(super) fn did_read(&self) {
        self.heard.store(true, Relaxed);
        self.ready_to_rest.store(false, Relaxed);
    }

    pub(super) fn did_write(&self, taken: bool) {
        self.unflushed.store(true, Relaxed);
        self.blocked.store(!taken, Relaxed);
        if taken {
            bump(&self.writes);
        }
    }

    pub(super) fn did_flush(&self) {
        self.unflushed.store(false, Relaxed);
    }

    pub(super) fn set_http2(&self) {
        self.http2.store(true, Relaxed);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Whether the next answer of an HTTP/1 connection is its last.
    pub(super) fn is_retiring(&self) -> bool {
        self.order() == Order::Retire && !self.is_http2()
    }

    pub(super) fn set_tunnel(&self) {
        self.tunnel.store(true, Relaxed);
    }

    /// What to do; asked on every poll of the connection.
    pub(super) fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::None,
            1 => Order::Retire,
            2 => Order::Finish,
            _ => Order::End,
        }
    }

    /// Tells the connection's task what to do. An order is never taken back.
    pub(super) fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }

    /// Whom to wake for an order. A task's waker stays the same as long as the task lives.
    pub(super) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    fn turn(&self) {
        bump(&self.turns);
        self.heard.store(false, Relaxed);
    }
}

/// Only the connection's own thread counts, so no locked instruction is needed.
fn bump(counter: &AtomicU32) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_only_where_nothing_is_begun() {
        let pulse = Pulse::default();
        let told = |pulse: &Pulse| {
            pulse.let_rest();
            pulse.take_rest()
        };
        assert!(!told(&pulse), "nobody waits yet");
        pulse.waits(true);
        assert!(pulse.could_rest() && told(&pulse));
        assert!(!pulse.take_rest(), "told once");
        pulse.did_read();
        assert!(!told(&pulse), "something came");
        pulse.request_began();
        pulse.waits(true);
        assert!(!told(&pulse), "an answer is to come");
        pulse.did_write(true);
        pulse.request_ended();
        assert!(!told(&pulse), "it has not left yet");
        pulse.did_flush();
        assert!(told(&pulse));
        pulse.waits(false);
        assert!(!told(&pulse), "more of a body is to come");
        pulse.waits(true);
        pulse.set_resting(true);
        assert!(!pulse.could_rest(), "it rests already");
    }

    #[test]
    fn tells_head_busy_and_idle_apart() {
        let pulse = Pulse::default();
        assert_eq!(pulse.phase(), Phase::Head(0), "before the first byte");
        pulse.did_read();
        assert_eq!(pulse.phase(), Phase::Head(0));
        pulse.request_began();
        assert_eq!(pulse.phase(), Phase::Busy);
        pulse.did_read();
        assert_eq!(pulse.phase(), Phase::Busy, "a body's byte");
        pulse.request_ended();
        assert_eq!(pulse.phase(), Phase::Idle(2));
        pulse.did_read();
        assert_eq!(pulse.phase(), Phase::Head(2));
    }

    #[test]
    fn a_ping_is_no_head() {
        let pulse = Pulse::default();
        pulse.set_http2();
        pulse.did_read();
        assert_eq!(pulse.phase(), Phase::Head(0), "no request yet");
        pulse.request_began();
        pulse.request_ended();
        pulse.did_read();
        assert_eq!(pulse.phase(), Phase::Idle(2));
    }

    #[test]
    fn a_blocked_write_counts_progress() {
        let pulse = Pulse::default();
        pulse.request_began();
        pulse.did_write(true);
        assert_eq!(pulse.phase(), Phase::Busy);
        assert!(!pulse.flushed());
        pulse.did_write(false);
        assert_eq!(pulse.phase(), Phase::Blocked(1));
        pulse.did_write(true);
        pulse.did_write(false);
        assert_eq!(pulse.phase(), Phase::Blocked(2));
        pulse.did_write(true);
        pulse.did_flush();
        assert!(pulse.flushed());
        assert_eq!(pulse.phase(), Phase::Busy);
    }

    #[test]
    fn a_body_that_is_not_asked_for_more_waits_for_the_client() {
        let pulse = Pulse::default();
        pulse.request_began();
        let first = pulse.body_gave();
        assert_eq!(pulse.phase(), Phase::Blocked(1));
        pulse.did_write(true);
        assert_eq!(pulse.phase(), Phase::Blocked(1), "a ping is no progress");
        pulse.body_was_asked(first);
        assert_eq!(pulse.phase(), Phase::Busy, "waits for the app");
        pulse.body_gave();
        assert_eq!(pulse.phase(), Phase::Blocked(2));
    }

    #[test]
    fn an_order_is_never_taken_back() {
        let pulse = Pulse::default();
        assert_eq!(pulse.order(), Order::None);
        pulse.tell(Order::End);
        pulse.tell(Order::Finish);
        assert_eq!(pulse.order(), Order::End);
    }

    #[test]
    fn knows_when_all_requests_were_served() {
        let pulse = Pulse::default();
        assert!(pulse.has_served(0) && !pulse.has_served(1));
        pulse.request_began();
        assert!(!pulse.has_served(0) && !pulse.has_served(1));
        pulse.request_ended();
        assert!(pulse.has_served(1) && !pulse.has_served(2));
        pulse.turns.store(u32::MAX, Relaxed);
        pulse.request_ended();
        assert!(pulse.has_served(0x8000_0000), "as many as wrap around");
    }

    #[test]
    fn wakes_for_what_was_held_back_once() {
        struct Count(AtomicU32);
        impl std::task::Wake for Count {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let (pulse, count) = (Pulse::default(), std::sync::Arc::new(Count(0.into())));
        pulse.set_waker(&count.clone().into());
        for (holds, want) in [(false, 0), (true, 1), (false, 1)] {
            pulse.request_began();
            if holds {
                pulse.hold_back();
            }
            pulse.request_ended();
            assert_eq!(count.0.load(Relaxed), want);
        }
    }

    #[test]
    fn a_body_that_waits_for_a_whole_term_is_stuck_whatever_others_do() {
        let pulse = Pulse::default();
        assert!(!pulse.is_stuck());
        let shut = pulse.body_gave();
        for _ in 0..3 {
            let other = pulse.body_gave();
            pulse.body_was_asked(other);
        }
        assert!(!pulse.is_stuck(), "it may have begun just now");
        let other = pulse.body_gave();
        assert!(pulse.is_stuck());
        pulse.body_was_asked(other);
        assert!(pulse.is_stuck());
        pulse.body_was_asked(shut);
        assert!(!pulse.is_stuck() && !pulse.is_stuck());
    }
}
