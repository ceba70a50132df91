//! How far a request's body is, for whoever waits for the answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use crate::error::BoxError;

/// How a request's body is getting on.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    phase: AtomicU8,
    begun: Instant,
    /// When a part of it was last taken, or else when the client was first waited for after that, in milliseconds
    /// after it began.
    moved: AtomicU64,
}

/// The app is taking it.
const SENDING: u8 = 0;
/// The client has not sent more yet.
const WAITING: u8 = 1;
/// The app's connection has taken all of it.
const DONE: u8 = 2;
/// The client broke it off.
const BROKEN: u8 = 3;

impl Upload {
    pub(super) fn begin() -> Self {
        let state = State {
            // Until the app's connection asks for it, nobody waits for the client.
            phase: AtomicU8::new(SENDING),
            begun: Instant::now(),
            moved: AtomicU64::new(0),
        };
        Self {
            state: Arc::new(state),
        }
    }

    /// Whether the client broke it off.
    pub(super) fn is_broken(&self) -> bool {
        self.state.phase.load(Ordering::Acquire) == BROKEN
    }

    /// Since when the app keeps it waiting, or `None` where the client does.
    pub(super) fn since(&self) -> Option<Instant> {
        match self.state.phase.load(Ordering::Acquire) {
            SENDING | DONE => Some(self.moved()),
            _ => None,
        }
    }

    /// Since when the client keeps the app waiting, or `None` where it does not.
    pub(super) fn client_since(&self) -> Option<Instant> {
        (self.state.phase.load(Ordering::Acquire) == WAITING).then(|| self.moved())
    }

    fn moved(&self) -> Instant {
        self.state.begun + Duration::from_millis(self.state.moved.load(Ordering::Acquire))
    }

    pub(super) fn note<T>(&self, polled: &Poll<Option<Result<T, BoxError>>>, ended: bool) {
        let phase = match polled {
            Poll::Pending => WAITING,
            Poll::Ready(Some(Err(_))) => BROKEN,
            Poll::Ready(None) => DONE,
            Poll::Ready(Some(Ok(_))) if ended => DONE,
            Poll::Ready(Some(Ok(_))) => SENDING,
        };
        // Asked again in vain, the client is waited for no less long.
        if phase != WAITING || self.state.phase.load(Ordering::Acquire) != WAITING {
            let moved = self.state.begun.elapsed().as_millis();
            let moved = u64::try_from(moved).unwrap_or(u64::MAX);
            self.state.moved.store(moved, Ordering::Release);
        }
        self.state.phase.store(phase, Ordering::Release);
    }
}
