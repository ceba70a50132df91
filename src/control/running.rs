//! A task that has an owner.

use tokio::task::JoinHandle;

/// Looks after the app until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    task: JoinHandle<()>,
}

impl Running {
    pub(super) const fn new(task: JoinHandle<()>) -> Self {
        Self { task }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
