//! The signal that ends an app.

use std::{future::Future, sync::Arc};

use tokio::sync::watch;

/// Tells whoever waits that the app should end. Clones are the same signal.
///
/// ```
/// use ancm::app::Shutdown;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let shutdown = Shutdown::new();
/// let waits = shutdown.requested();
/// shutdown.request();
/// waits.await;
/// assert!(shutdown.is_requested());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// A signal that nobody has given yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            requested: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Gives the signal. Once is enough, and it can't be taken back.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Waits for the signal; does not wait when it was given before. Cancel safe.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        // The clone keeps the sender alive, so that the wait ends with the signal only.
        let keep = self.clone();
        let mut receiver = self.requested.subscribe();
        async move {
            let _ = receiver.wait_for(|requested| *requested).await;
            drop(keep);
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_late_and_who_came_early_hear_it() {
        let shutdown = Shutdown::new();
        let early = tokio::spawn(shutdown.requested());
        tokio::task::yield_now().await;
        assert!(!early.is_finished());
        shutdown.clone().request();
        early.await.unwrap();
        shutdown.requested().await;
    }

    #[tokio::test]
    async fn nobody_left_to_ask_is_no_request() {
        let waits = Shutdown::new().requested();
        let mut waits = tokio_test::task::spawn(waits);
        tokio_test::assert_pending!(waits.poll());
    }
}
