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
    causes: watch::Receiver<Causes>,
}

/// Who closes a gate, and with which page.
#[derive(Clone, Debug, Default)]
struct Causes {
    file: Option<Page>,
    command: Option<Page>,
}

impl Causes {
    fn page(&self) -> Option<&Page> {
        self.file.as_ref().or(self.command.as_ref())
    }
}

/// The end of a gate from which it is closed and opened.
#[derive(Clone)]
struct Control {
    closed: Arc<AtomicBool>,
    causes: Arc<watch::Sender<Causes>>,
}

/// The watcher's end of a gate.
pub(super) struct Keeper {
    control: Control,
}

/// Takes an app offline by command, whatever becomes of the file; cheap to clone.
///
/// It is forgotten when the program ends.
#[derive(Clone)]
pub struct Switch {
    control: Control,
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
        self.causes.borrow().page().cloned()
    }

    /// Whether the app is offline.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether the app is offline because the file is there.
    #[must_use]
    pub fn is_closed_by_file(&self) -> bool {
        self.causes.borrow().file.is_some()
    }

    /// Waits until the app goes offline or comes back, and says whether it is offline now. `None`
    /// once nobody can close or open the gate any more.
    ///
    /// Of two changes between two calls it tells once. Another page is no change, nor is another
    /// reason.
    ///
    /// Cancel safe.
    pub async fn changed(&mut self) -> Option<bool> {
        self.causes.changed().await.ok()?;
        Some(self.causes.borrow_and_update().page().is_some())
    }
}

impl Control {
    fn set(&self, change: impl FnOnce(&mut Causes)) {
        self.causes.send_if_modified(|causes| {
            let was_closed = causes.page().is_some();
            change(causes);
            let closed = causes.page().is_some();
            // Under the channel's lock, so that flag and page never cross.
            self.closed.store(closed, Ordering::Release);
            closed != was_closed
        });
    }
}

impl Keeper {
    pub(super) fn new(page: Option<Page>) -> (Self, Gate) {
        let closed = Arc::new(AtomicBool::new(page.is_some()));
        let (sender, receiver) = watch::channel(Causes {
            file: page,
            command: None,
        });
        let gate = Gate {
            closed: closed.clone(),
            causes: receiver,
        };
        let control = Control {
            closed,
            causes: Arc::new(sender),
        };
        (Self { control }, gate)
    }

    pub(super) fn set(&self, page: Option<Page>) {
        self.control.set(|causes| causes.file = page);
    }

    pub(super) fn switch(&self) -> Switch {
        let control = self.control.clone();
        Switch { control }
    }
}

impl Switch {
    /// Takes the app offline: every request gets `page` with 503.
    pub fn close(&self, page: Page) {
        self.control.set(|causes| causes.command = Some(page));
    }

    /// Takes the command back. The app is online then, unless the file is there.
    pub fn open(&self) {
        self.control.set(|causes| causes.command = None);
    }

    /// Whether the app is offline by command.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.control.causes.borrow().command.is_some()
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
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

    #[test]
    fn file_and_command_close_independently() {
        let (keeper, mut gate) = Keeper::new(None);
        let switch = keeper.switch();
        switch.close(Page::new("command"));
        assert_ready_eq!(task::spawn(gate.changed()).poll(), Some(true));
        assert_eq!(gate.page(), Some(Page::new("command")));
        assert!(!gate.is_closed_by_file());

        keeper.set(Some(Page::new("file")));
        assert_pending!(task::spawn(gate.changed()).poll());
        assert_eq!(gate.page(), Some(Page::new("file")));
        switch.open();
        assert_pending!(task::spawn(gate.changed()).poll());
        assert!(gate.is_closed() && gate.is_closed_by_file() && !switch.is_closed());

        switch.close(Page::new("command"));
        keeper.set(None);
        assert_pending!(task::spawn(gate.changed()).poll());
        assert_eq!(gate.page(), Some(Page::new("command")));
        switch.open();
        assert_ready_eq!(task::spawn(gate.changed()).poll(), Some(false));
        assert_eq!(gate.page(), None);
    }
}
