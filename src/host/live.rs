//! A value that is read for each request and seldom replaced.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;

/// A value, and how often it was replaced: whoever has made something of it asks for that number,
/// which is one atomic load.
#[derive(Debug)]
pub(super) struct Live<T> {
    revision: AtomicU64,
    value: ArcSwap<T>,
}

impl<T> Live<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            revision: AtomicU64::new(0),
            value: ArcSwap::from_pointee(value),
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The value, and a revision that is its own or an older one: then it is taken once more.
    pub(super) fn current(&self) -> (u64, Arc<T>) {
        let revision = self.revision();
        (revision, self.value.load_full())
    }

    pub(super) fn replace(&self, value: T) {
        self.value.store(Arc::new(value));
        self.revision.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_value_has_a_new_revision() {
        let live = Live::new(1);
        let (before, value) = live.current();
        assert_eq!((before, *value), (live.revision(), 1));
        live.replace(2);
        let (after, value) = live.current();
        assert_ne!(before, after);
        assert_eq!((after, *value), (live.revision(), 2));
    }
}
