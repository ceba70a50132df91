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
    /// The names that have it, or the address as it was said. The last that lets go of it ends it.
    origins: Mutex<Vec<Arc<str>>>,
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
            origins: Mutex::new(vec![origin]),
            health: Mutex::new(Known {
                health: Health::new(),
                cause: None,
            }),
            up: AtomicBool::new(true),
            changed: Arc::default(),
            task: Mutex::default(),
        }
    }

    /// `origin` has it, too.
    pub(super) fn join(&self, origin: &Arc<str>) {
        let mut origins = lock(&self.origins);
        if !origins.contains(origin) {
            origins.push(Arc::clone(origin));
        }
    }

    /// `origin` does not have it any more; whether nobody does, and somebody did.
    pub(super) fn leave(&self, origin: &Arc<str>) -> bool {
        let mut origins = lock(&self.origins);
        let before = origins.len();
        origins.retain(|other| other != origin);
        origins.is_empty() && before > 0
    }

    /// Only `origins` may still have it; whether nobody does.
    pub(super) fn leave_all_but(&self, origins: &[Arc<str>]) -> bool {
        let mut mine = lock(&self.origins);
        mine.retain(|origin| origins.contains(origin));
        mine.is_empty()
    }

    /// One of the same names, of which nothing is known yet.
    pub(super) fn replaced_by(&self, backend: Backend) -> Self {
        let mut new = Self::new(backend, Arc::from(""));
        new.origins = Mutex::new(lock(&self.origins).clone());
        new
    }

    pub(super) fn is_of(&self, origin: &Arc<str>) -> bool {
        lock(&self.origins).contains(origin)
    }

    /// Where it comes from, with commas between.
    pub(super) fn names(&self) -> String {
        lock(&self.origins).join(", ")
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

/// Nothing that is done under a lock of the group can leave it half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Address;

    #[test]
    fn an_address_of_two_names_stays_as_long_as_one_has_it() {
        let names: [Arc<str>; 2] = ["a:80".into(), "b:80".into()];
        let [a, b] = &names;
        let backend = Backend::fixed(Address::Tcp("192.0.2.7:80".parse().unwrap()));
        let member = Member::new(backend, Arc::clone(a));
        assert!(!member.leave(b), "it was never there");
        member.join(b);
        member.join(b);
        assert_eq!(member.names(), "a:80, b:80");
        assert!(!member.leave(a) && member.is_of(b) && !member.is_of(a));
        assert!(member.leave(b));
    }
}
