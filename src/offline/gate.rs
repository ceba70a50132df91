//! What everybody asks: is the app offline?

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use super::Page;

/// Tells whether the app is offline, and what to show meanwhile; cheap to clone.
#[derive(Clone)]
pub struct Gate {
    closed: Arc<AtomicBool>,
    page: watch::Receiver<Option<Page>>,
}

/// The watcher's end of a gate.
pub(super) struct Keeper {
    closed: Arc<AtomicBool>,
    page: watch::Sender<Option<Page>>,
}

impl Gate {
    /// A gate that stays open, for an app that can't be taken offline.
    #[must_use]
    pub fn open() -> Self {
        Keeper::new(None).1
    }

    /// What to show, or `None` while the app is online: one atomic load then.
    #[must_use]
    pub fn page(&self) -> Option<Page> {
        if !self.closed.load(Ordering::Acquire) {
            return None;
        }
        self.page.borrow().clone()
    }

    /// Whether the app is offline.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits until the app goes offline or comes back, and says whether it is offline now. `None`
    /// once nobody watches any more.
    ///
    /// Of two changes between two calls it tells once. Another content of the page is no change.
    ///
    /// Cancel safe.
    pub async fn changed(&mut self) -> Option<bool> {
        self.page.changed().await.ok()?;
        Some(self.page.borrow_and_update().is_some())
    }
}

impl Keeper {
    pub(super) fn new(page: Option<Page>) -> (Self, Gate) {
        let closed = Arc::new(AtomicBool::new(page.is_some()));
        let (sender, receiver) = watch::channel(page);
        let gate = Gate {
            closed: closed.clone(),
            page: receiver,
        };
        let keeper = Self {
            closed,
            page: sender,
        };
        (keeper, gate)
    }

    pub(super) fn set(&self, page: Option<Page>) {
        self.page.send_if_modified(|current| {
            let closed = page.is_some();
            let changed = closed != current.is_some();
            *current = page;
            // Under the channel's lock, so that flag and page never cross.
            self.closed.store(closed, Ordering::Release);
            changed
        });
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready_eq, task};

    use super::*;

    #[test]
    fn tells_of_going_and_coming_but_not_of_another_content() {
        let (keeper, mut gate) = Keeper::new(None);
        assert_eq!(gate.page(), None);
        let mut watching = gate.clone();
        let mut changed = task::spawn(async move { (watching.changed().await, watching) });
        assert_pending!(changed.poll());
        keeper.set(Some(Page::new("one")));
        assert!(changed.is_woken());
        let (closed, mut watching) = match changed.poll() {
            std::task::Poll::Ready(ready) => ready,
            std::task::Poll::Pending => panic!("not told"),
        };
        assert_eq!(closed, Some(true));

        keeper.set(Some(Page::new("two")));
        assert_pending!(task::spawn(watching.changed()).poll());
        assert_eq!(gate.page(), Some(Page::new("two")));

        keeper.set(None);
        assert_ready_eq!(task::spawn(watching.changed()).poll(), Some(false));
        assert!(!gate.is_closed());
        drop(keeper);
        assert_ready_eq!(task::spawn(watching.changed()).poll(), None);
        assert_ready_eq!(task::spawn(gate.changed()).poll(), Some(false));
    }
}
