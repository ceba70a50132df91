//! What is kept of one client's connection.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::time::Instant;

use super::{
    negotiate::{Exchange, LONGEST_EXCHANGE},
    user::User,
};

/// An exchange under way, and the user who came of one.
#[derive(Default)]
pub(super) struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    exchange: Option<(Box<dyn Exchange>, Instant)>,
    user: Option<User>,
}

impl Kept {
    /// The exchange that the client is to go on with, if it does so in time.
    pub(super) fn take_exchange(&self) -> Option<(Box<dyn Exchange>, Instant)> {
        let exchange = self.lock().exchange.take();
        exchange.filter(|(_, begun)| begun.elapsed() < LONGEST_EXCHANGE)
    }

    pub(super) fn keep_exchange(&self, exchange: Box<dyn Exchange>, begun: Instant) {
        self.lock().exchange = Some((exchange, begun));
    }

    /// The user, for as long as its ticket lasts.
    pub(super) fn user(&self) -> Option<User> {
        let mut inner = self.lock();
        let ends = |user: &User| user.identity.expires();
        let ended = |user: &User| ends(user).is_some_and(|end| end <= SystemTime::now());
        if inner.user.as_ref().is_some_and(ended) {
            inner.user = None;
        }
        inner.user.clone()
    }

    pub(super) fn keep_user(&self, user: User) {
        self.lock().user = Some(user);
    }

    /// Whatever comes now, the client is nobody again.
    pub(super) fn forget_user(&self) {
        self.lock().user = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock can leave it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
