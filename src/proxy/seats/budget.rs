//! How many connections there may be to all addresses together.

use std::{
    collections::VecDeque,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;

use super::{address::Seats, files, seat::LOOK};

/// What the limit of open files leaves for connections to apps, read when the first is opened.
static ALL: LazyLock<Budget> = LazyLock::new(|| Budget::new(files::connections()));

/// The seats of all addresses together.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    /// How many addresses got none: for a look without the lock.
    starving: AtomicUsize,
}

#[derive(Debug)]
struct State {
    open: usize,
    limit: usize,
    /// What the limit grows back to.
    most: usize,
    /// When there was less room than was thought.
    shrunk: Option<Instant>,
    /// Those addresses, the one first that waits longest.
    starved: VecDeque<Weak<Seats>>,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                open: 0,
                limit,
                most: limit,
                shrunk: None,
                starved: VecDeque::new(),
            }),
            starving: AtomicUsize::new(0),
        }
    }

    /// That of this process.
    pub(super) fn of_all() -> &'static Self {
        &ALL
    }

    /// One more seat for `seats`, which otherwise are served as soon as there is one.
    pub(super) fn take(&self, seats: &Arc<Seats>) -> bool {
        let mut state = self.lock();
        if state.open < state.limit || state.may_try() {
            state.open += 1;
            return true;
        }
        let waits = |other: &Weak<Seats>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(seats));
        if !state.starved.iter().any(waits) {
            state.starved.push_back(Arc::downgrade(seats));
            self.starving.store(state.starved.len(), Ordering::Relaxed);
        }
        false
    }

    /// A seat is free.
    pub(super) fn give_back(&self) {
        self.lock().open -= 1;
        self.serve();
    }

    /// Whether an address waits for what another one has.
    pub(super) fn is_short(&self) -> bool {
        self.starving.load(Ordering::Relaxed) > 0
    }

    /// No more files could be opened than are open now: whoever was to have one more gives its seat back after this.
    pub(super) fn shrink(&self) {
        let mut state = self.lock();
        let others = state.open.saturating_sub(1);
        state.limit = state.limit.min(others).max(1);
        state.shrunk = Some(Instant::now());
    }

    /// One more could be opened: what was short before may be so no more.
    pub(super) fn grow(&self) {
        let mut state = self.lock();
        if state.limit < state.most {
            state.limit = state.most.min(state.limit.max(state.open) + 1);
            drop(state);
            self.serve();
        }
    }

    /// How many seats are taken.
    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    /// Lets addresses have what is free, one after the other. One that still waits after that stands last.
    fn serve(&self) {
        while let Some(seats) = self.next() {
            if let Some(seats) = seats.upgrade() {
                // What is idle there was given away before it asked for a seat.
                seats.serve(|| None);
            }
        }
    }

    fn next(&self) -> Option<Weak<Seats>> {
        let mut state = self.lock();
        if state.open >= state.limit {
            return None;
        }
        let next = state.starved.pop_front();
        self.starving.store(state.starved.len(), Ordering::Relaxed);
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more than the limit may be tried: from time to time, where it was lowered.
    fn may_try(&mut self) -> bool {
        let may = self.limit < self.most && self.shrunk.is_some_and(|at| at.elapsed() >= LOOK);
        if may {
            self.shrunk = Some(Instant::now());
        }
        may
    }
}
