//! The seats at one address, and who waits for one.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    budget::Budget,
    seat::{Seat, Use},
    waiting::Waiting,
};
use crate::proxy::{dial::Why, wire::Wire};

/// How many connections are opened at the same time: fewer than any app's queue of those that it has not accepted has room
/// for. Who waits meanwhile may get one that is free again, so that a burst of requests opens no more than it needs.
const AT_ONCE: usize = 64;

/// What a request may take of an address, and how long it waits for that.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Limits {
    /// Connections.
    pub(in crate::proxy) connections: usize,
    /// How many requests may wait.
    pub(in crate::proxy) waiting: usize,
    /// How long one waits; `None` is for ever.
    pub(in crate::proxy) time: Option<Duration>,
}

impl Limits {
    /// What is left of them for a request that has tried for so long.
    pub(in crate::proxy) fn after(self, tried: Duration) -> Self {
        let time = self.time.map(|time| time.saturating_sub(tried));
        Self { time, ..self }
    }

    /// Whether no time is left.
    pub(in crate::proxy) fn is_over(self) -> bool {
        self.time.is_some_and(|time| time.is_zero())
    }
}

/// What a request gets when it is its turn.
#[derive(Debug)]
pub(in crate::proxy) enum Turn {
    /// A connection that carries nothing any more, maybe of another thread.
    Wire(Box<Wire>),
    /// The right to open one.
    Seat(Seat),
    /// None could be opened, and none is open.
    Failed(Why),
}

/// Whether it is a request's turn.
#[derive(Debug)]
pub(in crate::proxy) enum Entered {
    Now(Turn),
    Later(Waiting),
    /// Too many wait.
    Full,
}

/// The seats at one address.
pub(in crate::proxy) struct Seats {
    pub(super) budget: &'static Budget,
    state: Mutex<State>,
    /// How long the queue is: for a look without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
pub(super) struct State {
    limit: usize,
    /// Seats that are taken, those of connections that are being opened and of tunnels included.
    pub(super) open: usize,
    pub(super) dialling: usize,
    pub(super) tunnels: usize,
    /// How many requests wait, of the queue or with what they were given.
    pub(super) live: usize,
    /// Some of them have left.
    queue: VecDeque<oneshot::Sender<Turn>>,
    /// The log has told that requests wait for long, and they still do.
    pub(super) told: bool,
}

impl Seats {
    pub(in crate::proxy) fn new() -> Arc<Self> {
        Self::of(Budget::of_all())
    }

    pub(super) fn of(budget: &'static Budget) -> Arc<Self> {
        Arc::new(Self {
            budget,
            state: Mutex::default(),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Whether somebody waits: a look without a lock. Who asks after it has put a connection where [`enter`](Self::enter)
    /// looks for it, under the lock of that place, overlooks nobody who did not find it there.
    #[inline]
    pub(in crate::proxy) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether another address waits for what this one has.
    #[inline]
    pub(in crate::proxy) fn is_wanted_elsewhere(&self) -> bool {
        self.budget.is_short()
    }

    /// A seat, where one is free and nobody waits for it.
    pub(in crate::proxy) fn try_take(self: &Arc<Self>, limits: Limits) -> Option<Seat> {
        let mut state = self.lock();
        state.limit = limits.connections;
        self.skip_gone(&mut state);
        if !state.queue.is_empty() {
            return None;
        }
        self.take(&mut state)
    }

    /// A turn at once, where a seat is free or `idle` gives a connection, and nobody waits; else later, in order, or
    /// before all others for who had its turn already and could make nothing of it.
    pub(in crate::proxy) fn enter(
        self: &Arc<Self>,
        limits: Limits,
        had_turn: bool,
        mut idle: impl FnMut() -> Option<Box<Wire>>,
    ) -> Entered {
        let mut state = self.lock();
        state.limit = limits.connections;
        self.skip_gone(&mut state);
        if state.queue.is_empty() || had_turn {
            if let Some(seat) = self.take(&mut state) {
                return Entered::Now(Turn::Seat(seat));
            }
            // Before the look, so that what is put there after it is given to this one.
            self.publish(state.queue.len() + 1);
            if let Some(wire) = idle() {
                self.publish(state.queue.len());
                return Entered::Now(Turn::Wire(wire));
            }
        }
        if state.live >= limits.waiting && !had_turn {
            self.publish(state.queue.len());
            return Entered::Full;
        }
        let (turn, waits) = oneshot::channel();
        if had_turn {
            state.queue.push_front(turn);
        } else {
            state.queue.push_back(turn);
        }
        state.live += 1;
        self.publish(state.queue.len());
        Entered::Later(Waiting::new(Arc::clone(self), waits))
    }

    /// Gives what `idle` has, and the seats that are free, to those that wait longest. Returns what nobody wants after all.
    pub(in crate::proxy) fn serve(
        self: &Arc<Self>,
        mut idle: impl FnMut() -> Option<Box<Wire>>,
    ) -> Option<Turn> {
        let mut refused = None;
        loop {
            let mut state = self.lock();
            self.skip_gone(&mut state);
            if state.queue.is_empty() {
                return refused;
            }
            let turn = refused.take().or_else(|| idle().map(Turn::Wire));
            let turn = turn.or_else(|| self.take(&mut state).map(Turn::Seat))?;
            let next = state.queue.pop_front();
            self.publish(state.queue.len());
            drop(state);
            refused = match next {
                Some(next) => next.send(turn).err(),
                None => Some(turn),
            };
        }
    }

    /// Tells all that wait that there is nothing to wait for, unless a connection stands.
    pub(super) fn despair(&self, why: &Why) {
        let mut state = self.lock();
        if state.open > state.dialling {
            return;
        }
        let all = std::mem::take(&mut state.queue);
        self.publish(0);
        drop(state);
        for one in all {
            let _ = one.send(Turn::Failed(why.clone()));
        }
    }

    /// One that waited does so no more.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.live -= 1;
        // Those that left and stand within the queue are as many as those that stay, at most.
        if state.queue.len() > 2 * state.live + 64 {
            state.queue.retain(|one| !one.is_closed());
            self.publish(state.queue.len());
        }
        state.told &= state.live > 0;
    }

    fn take(self: &Arc<Self>, state: &mut State) -> Option<Seat> {
        let free = state.open < state.limit && state.dialling < AT_ONCE;
        (free && self.budget.take(self)).then(|| {
            state.open += 1;
            state.dialling += 1;
            Seat::new(Arc::clone(self), Use::Dialling)
        })
    }

    /// Those that left need not be served.
    fn skip_gone(&self, state: &mut State) {
        let before = state.queue.len();
        while state.queue.front().is_some_and(oneshot::Sender::is_closed) {
            state.queue.pop_front();
        }
        if state.queue.len() < before {
            self.publish(state.queue.len());
        }
    }

    fn publish(&self, waiting: usize) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Seats")
            .field("open", &state.open)
            .field("tunnels", &state.tunnels)
            .field("waiting", &state.live)
            .finish_non_exhaustive()
    }
}
