//! One of several addresses.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::Notify, task::AbortHandle};

use super::health::{Event, Health, Rules};
use crate::proxy::Backend;

/// One of several addresses.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) backend: Backend,
    /// The name that it comes from, or the address as it was said.
    pub(super) origin: Arc<str>,
    health: Mutex<Known>,
    /// The same, for a look without a lock.
    up: AtomicBool,
    /// Its health has changed otherwise than by a check.
    pub(super) changed: Arc<Notify>,
    /// Looks after it.
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Known {
    health: Health,
    /// Why it is down, or why its last check failed.
    cause: Option<Arc<str>>,
}

impl Member {
    pub(super) fn new(backend: Backend, origin: Arc<str>) -> Self {
        Self {
            backend,
            origin,
            health: Mutex::new(Known {
                health: Health::new(),
                cause: None,
            }),
            up: AtomicBool::new(true),
            changed: Arc::default(),
            task: Mutex::default(),
        }
    }

    /// Has `task` end with this.
    pub(super) fn looked_after_by(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub(super) fn health(&self) -> Health {
        lock(&self.health).health
    }

    /// Why it is down, or why its last check failed.
    pub(super) fn cause(&self) -> Option<Arc<str>> {
        lock(&self.health).cause.clone()
    }

    /// Takes note of `event`; whether it is up now and was not, or the other way round.
    pub(super) fn note(&self, event: Event, cause: Option<&str>, rules: Rules) -> bool {
        let mut known = lock(&self.health);
        let before = known.health;
        known.health = before.on(event, rules);
        match event {
            Event::Passed => known.cause = None,
            Event::Failed | Event::Unreachable => known.cause = cause.map(Arc::from),
            Event::Settled => {}
        }
        self.up.store(known.health.is_up(), Ordering::Release);
        before.is_up() != known.health.is_up()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
