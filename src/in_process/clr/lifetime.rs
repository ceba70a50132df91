//! What has become of an app, as the managed side and its thread tell.

use tokio::sync::watch;

/// What was told so far. Nothing of it is taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifetime {
    /// The app's server started.
    pub(super) registered: bool,
    /// The managed side is of another version.
    pub(super) mismatch: bool,
    /// The app's server stopped.
    pub(super) stopped: bool,
    /// Main returned.
    pub(super) main_ended: Option<i32>,
    /// Main threw.
    pub(super) main_failed: Option<Thrown>,
    /// The runtime's thread is through: the exit code, or why nothing ran, with what hostfxr said.
    pub(super) ran: Option<Result<i32, String>>,
}

/// What Main threw.
#[derive(Clone, Debug)]
pub(super) struct Thrown {
    /// One line.
    pub(super) message: String,
    /// Type, message and stack trace.
    pub(super) detail: String,
}

impl Lifetime {
    /// Whether it is known how the start went.
    pub(super) const fn is_decided(&self) -> bool {
        self.registered || self.has_ended()
    }

    /// Whether the app is over.
    pub(super) const fn has_ended(&self) -> bool {
        self.main_ended.is_some()
            || self.main_failed.is_some()
            || self.ran.is_some()
            || self.mismatch
    }
}

/// Waits until `when`. Never, once there is nobody to tell.
pub(super) async fn wait(
    lifetime: &watch::Sender<Lifetime>,
    when: impl FnMut(&Lifetime) -> bool + Send,
) -> Lifetime {
    let mut told = lifetime.subscribe();
    // Not held across an await: the borrow is a lock.
    let now = told
        .wait_for(when)
        .await
        .ok()
        .map(|lifetime| lifetime.clone());
    match now {
        Some(lifetime) => lifetime,
        None => std::future::pending().await,
    }
}
